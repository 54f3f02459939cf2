#include "host/peer.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern char **environ;

static int fail(struct hg_error *reterr, const char *what, const char *name, int errnum)
{
	int code = errnum == ENOENT                      ? -HG_ENOENT
		   : errnum == EACCES || errnum == EPERM ? -HG_EPERM
							 : -HG_EIO;

	return hg_error_set(reterr, code, what, name, ": ", strerror(errnum), NULL);
}

/* ---- start -------------------------------------------------------------------------------------- */

/* The environment with the variable set; only the array is the caller's. */
static char **make_environment(void)
{
	static char variable[] = HG_PEER_VARIABLE "=3";
	size_t n = 0, n_kept = 0;
	char **made;

	static_assert(HG_PEER_FD == 3, "as the variable says");
	while (environ[n] != NULL)
		n++;
	made = calloc(n + 2u, sizeof(char *));
	if (made == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (strncmp(environ[i], HG_PEER_VARIABLE "=", sizeof(HG_PEER_VARIABLE)) != 0)
			made[n_kept++] = environ[i];
	}
	made[n_kept] = variable;
	return made;
}

/* As if started from a shell: no signal blocked or ignored, and nothing open but what it is told of. Packet
 * memory that stayed open in it would never be given back. */
static int spawn(const char *path, char *const *argv, char **environment, int fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int errnum;

	sigemptyset(&none);
	sigfillset(&all);
	if ((errnum = posix_spawn_file_actions_init(&actions)) != 0)
		return errnum;
	if ((errnum = posix_spawnattr_init(&attributes)) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return errnum;
	}
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	errnum = posix_spawn_file_actions_adddup2(&actions, fd, HG_PEER_FD);
	if (errnum == 0)
		errnum = posix_spawn_file_actions_addclosefrom_np(&actions, HG_PEER_FD + 1);
	if (errnum == 0)
		errnum = posix_spawn(ret_pid, path, &actions, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return errnum;
}

int hg_peer_start(const char *path, char *const *argv, pid_t *ret_pid, int *ret_fd,
		  struct hg_error *reterr)
{
	char **environment = make_environment();
	int fds[2], errnum;

	if (environment == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for an environment", NULL);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		free(environment);
		return fail(reterr, "cannot make a pair of sockets for ", path, errno);
	}
	errnum = spawn(path, argv, environment, fds[1], ret_pid);
	free(environment);
	close(fds[1]);
	if (errnum != 0) {
		close(fds[0]);
		return fail(reterr, "cannot start ", path, errnum);
	}
	*ret_fd = fds[0];
	return 0;
}

/* ---- messages ----------------------------------------------------------------------------------- */

union control {
	char bytes[CMSG_SPACE(HG_PEER_FDS_MAX * sizeof(int))];
	struct cmsghdr alignment;
};

int hg_peer_send(int fd, const char *text, const int *fds, unsigned n_fds, struct hg_error *reterr)
{
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
	union control control = {0};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *header;
	ssize_t n;

	if (iov.iov_len >= HG_PEER_TEXT_BYTES || n_fds > HG_PEER_FDS_MAX)
		return hg_error_set(reterr, -HG_EIO, "a message to the other process is too long",
				    NULL);
	if (n_fds > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(reterr, "cannot send to the other process", "", errno);
	return 0;
}

static int wait_readable(int fd, hg_ns for_ns, struct hg_error *reterr)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	const struct timespec t = {.tv_sec = for_ns / HG_NS_PER_S, .tv_nsec = for_ns % HG_NS_PER_S};
	int n = ppoll(&poll_fd, 1, &t, NULL);

	if (n > 0)
		return 0;
	if (n < 0)
		return fail(reterr, "cannot wait for the other process", "", errno);
	return hg_error_set(reterr, -HG_ETIMEDOUT, "the other process does not answer", NULL);
}

static void take_fds(struct msghdr *message, struct hg_peer_message *ret)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
	     header = CMSG_NXTHDR(message, header)) {
		size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(ret->fds, CMSG_DATA(header), n * sizeof(int));
		ret->n_fds = (unsigned)n;
	}
}

int hg_peer_receive(int fd, hg_ns for_ns, struct hg_peer_message *ret_message,
		    struct hg_error *reterr)
{
	struct iovec iov = {ret_message->text, sizeof(ret_message->text) - 1u};
	union control control;
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	int r = wait_readable(fd, for_ns, reterr);
	ssize_t n;

	ret_message->n_fds = 0;
	if (r < 0)
		return r;
	n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	/* It ended and had not read all: that is said once, in front of what it had sent before. */
	if (n < 0 && errno == ECONNRESET)
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0 && errno != ECONNRESET)
		return fail(reterr, "cannot receive from the other process", "", errno);
	if (n <= 0)
		return hg_error_set(reterr, -HG_EIO, "the other process has ended", NULL);
	ret_message->text[n] = '\0';
	take_fds(&message, ret_message);
	return 0;
}

void hg_peer_close_fds(struct hg_peer_message *message)
{
	for (unsigned i = 0; i < message->n_fds; i++)
		close(message->fds[i]);
	message->n_fds = 0;
}

const char *hg_peer_is(const struct hg_peer_message *message, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(message->text, word, n) != 0)
		return NULL;
	if (message->text[n] == '\0')
		return message->text + n;
	return message->text[n] == ' ' ? message->text + n + 1 : NULL;
}
