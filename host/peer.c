#include "host/peer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of the new process, until it begins. */
#define STACK_BYTES 32768u

extern char **environ;

static int fail(struct hg_error *reterr, const char *what, const char *name, int errnum)
{
	int code = errnum == ENOENT                      ? -HG_ENOENT
		   : errnum == EACCES || errnum == EPERM ? -HG_EPERM
							 : -HG_EIO;

	return hg_error_set(reterr, code, what, name, ": ", strerror(errnum), NULL);
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

/* What the new process needs until it begins. */
struct start {
	const char *path;
	char *const *argv;
	char **environment;
	struct sigaction usual;
	sigset_t none;
	int fd;
	int errnum; /* 0: it has begun */
};

/* As if started from a shell: no signal blocked or ignored, and nothing open but what it is told of. Packet memory that
 * stayed open in it would never be given back. In memory that it shares with us, who wait until it has begun: system
 * calls, and nothing else. */
HG_UNSANITIZED static int begin(void *user)
{
	struct start *start = user;

	/* Two belong to the C library, which keeps them to itself. */
	for (int number = 1; number < NSIG; number++)
		(void)sigaction(number, &start->usual, NULL);
	if (start->fd == HG_PEER_FD ? fcntl(HG_PEER_FD, F_SETFD, 0) == 0
				    : dup2(start->fd, HG_PEER_FD) == HG_PEER_FD) {
		if (close_range(HG_PEER_FD + 1, ~0u, 0) == 0 &&
		    sigprocmask(SIG_SETMASK, &start->none, NULL) == 0)
			execve(start->path, start->argv, start->environment);
	}
	start->errnum = errno;
	return 127;
}

/* Of a first process of a namespace there is nobody beside. */
static int spawn(struct start *start, bool is_beside, struct hg_peer_process *ret)
{
	_Alignas(16) char stack[STACK_BYTES];
	const int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
	struct hg_peer_process process;
	sigset_t all, before;
	int errnum;

	/* What handles signals here must not do so there. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	process.pid = is_beside ? clone(begin, stack + sizeof(stack), flags | CLONE_PARENT, start,
					&process.pidfd)
				: -1;
	if (process.pid < 0)
		process.pid = clone(begin, stack + sizeof(stack), flags, start, &process.pidfd);
	errnum = process.pid < 0 ? errno : start->errnum;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (process.pid < 0)
		return errnum;
	if (errnum != 0) {
		(void)waitpid(process.pid, NULL, 0);
		close(process.pidfd);
		return errnum;
	}
	*ret = process;
	return 0;
}

int hg_peer_start(const char *path, char *const *argv, bool is_beside,
		  struct hg_peer_process *ret_process, int *ret_fd, struct hg_error *reterr)
{
	struct start start = {.path = path,
			      .argv = argv,
			      .environment = make_environment(),
			      .usual = {.sa_handler = SIG_DFL}};
	int fds[2], errnum;

	if (start.environment == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for an environment", NULL);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		free(start.environment);
		return fail(reterr, "cannot make a pair of sockets for ", path, errno);
	}
	start.fd = fds[1];
	sigemptyset(&start.none);
	errnum = spawn(&start, is_beside, ret_process);
	free(start.environment);
	close(fds[1]);
	if (errnum != 0) {
		close(fds[0]);
		return fail(reterr, "cannot start ", path, errnum);
	}
	*ret_fd = fds[0];
	return 0;
}

void hg_peer_forget(struct hg_peer_process *process)
{
	if (process->pid != 0)
		close(process->pidfd);
	*process = (struct hg_peer_process){0};
}

void hg_peer_end(struct hg_peer_process *process, hg_ns for_ns, char *ret_text, size_t size)
{
	bool has_ended = wait_readable(process->pidfd, for_ns, NULL) == 0;
	int status = 0;
	pid_t pid;

	if (!has_ended)
		(void)syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0);
	pid = waitpid(process->pid, &status, 0);
	snprintf(ret_text, size, "it %s", has_ended ? "has ended" : "was ended");
	if (has_ended && pid > 0 && WIFEXITED(status))
		snprintf(ret_text, size, "exit code %d", WEXITSTATUS(status));
	else if (has_ended && pid > 0 && WIFSIGNALED(status))
		snprintf(ret_text, size, "killed by signal %d", WTERMSIG(status));
	hg_peer_forget(process);
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
