#include "host/peer.h"

#include "tests/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A shell that plays the other process: python or worse is not needed to read and write what is at 3. */
static struct hg_peer_process start(const char *script, int *ret_fd)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL};
	struct hg_error error = {0};
	struct hg_peer_process process;

	if (hg_peer_start("/bin/sh", argv, false, &process, ret_fd, &error) < 0)
		HG_TEST_FAIL("%s", error.text);
	return process;
}

static void end(struct hg_peer_process process, int fd)
{
	char text[64];

	close(fd);
	hg_peer_end(&process, 10 * HG_NS_PER_S, text, sizeof(text));
	HG_CHECK_EQ(process.pid, 0);
}

static void messages_are_kept_apart(void)
{
	struct hg_peer_message message;
	int fd;
	struct hg_peer_process process = start("printf 'ready 1' >&3; printf go >&3", &fd);

	HG_CHECK_EQ(hg_peer_receive(fd, 10 * HG_NS_PER_S, &message, NULL), 0);
	HG_CHECK_EQ(strcmp(hg_peer_is(&message, "ready"), "1"), 0);
	HG_CHECK(hg_peer_is(&message, "rea") == NULL);
	HG_CHECK(hg_peer_is(&message, "ready 1") != NULL);
	HG_CHECK_EQ(hg_peer_receive(fd, 10 * HG_NS_PER_S, &message, NULL), 0);
	HG_CHECK_EQ(strcmp(hg_peer_is(&message, "go"), ""), 0);
	HG_CHECK(hg_peer_is(&message, "gone") == NULL);
	end(process, fd);
}

static void the_end_of_the_other_is_noticed(void)
{
	struct hg_peer_message message;
	struct hg_error error = {0};
	int fd;
	struct hg_peer_process process = start("exit 3", &fd);

	HG_CHECK_EQ(hg_peer_receive(fd, 10 * HG_NS_PER_S, &message, &error), -HG_EIO);
	HG_CHECK(strstr(error.text, "has ended") != NULL);
	end(process, fd);
}

/* It did not read what it was sent: Linux says that first. */
static void the_last_words_of_one_that_did_not_listen_are_heard(void)
{
	struct hg_peer_message message;
	struct hg_error error = {0};
	int ends[2];

	HG_CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	HG_CHECK_EQ(hg_peer_send(ends[0], "offer 1", NULL, 0, NULL), 0);
	HG_CHECK_EQ(hg_peer_send(ends[1], "refuse me", NULL, 0, NULL), 0);
	close(ends[1]);
	HG_CHECK_EQ(hg_peer_receive(ends[0], 0, &message, NULL), 0);
	HG_CHECK_STR(hg_peer_is(&message, "refuse"), "me");
	HG_CHECK_EQ(hg_peer_receive(ends[0], 0, &message, &error), -HG_EIO);
	HG_CHECK_HAS(error.text, "has ended");
	close(ends[0]);
}

static void silence_is_not_waited_out(void)
{
	struct hg_peer_message message;
	int fd;
	struct hg_peer_process process = start("read -r x <&3", &fd);

	HG_CHECK_EQ(hg_peer_receive(fd, HG_NS_PER_MS, &message, NULL), -HG_ETIMEDOUT);
	HG_CHECK_EQ(hg_peer_send(fd, "x\n", NULL, 0, NULL), 0);
	end(process, fd);
}

static void descriptors_come_along(void)
{
	struct hg_peer_message message;
	int pipe_fds[2], ends[2];
	char byte = 0;

	HG_CHECK_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
	HG_CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	HG_CHECK_EQ(hg_peer_send(ends[0], "pipe", pipe_fds, 2, NULL), 0);
	HG_CHECK_EQ(hg_peer_receive(ends[1], HG_NS_PER_S, &message, NULL), 0);
	HG_CHECK_EQ(message.n_fds, 2);
	HG_CHECK_EQ(write(message.fds[1], "x", 1), 1);
	HG_CHECK_EQ(read(pipe_fds[0], &byte, 1), 1);
	HG_CHECK_EQ(byte, 'x');
	HG_CHECK_EQ(fcntl(message.fds[0], F_GETFD), FD_CLOEXEC);
	hg_peer_close_fds(&message);
	HG_CHECK_EQ(message.n_fds, 0);
	for (unsigned i = 0; i < 2; i++) {
		close(pipe_fds[i]);
		close(ends[i]);
	}
}

/* Nothing of the parent's stays open: packet memory would never be given back. */
static void the_child_has_nothing_else(void)
{
	struct hg_peer_message message;
	int null = open("/dev/null", O_RDONLY), fd;
	int leak = dup2(null, 77); /* without close-on-exec */
	struct hg_peer_process process =
		start("printf %s \"$HEADGATE_TAKE_OVER\" >&3; printf %s \"$(ls /proc/$$/fd | "
		      "tr '\\n' ' ')\" >&3",
		      &fd);

	HG_CHECK_EQ(leak, 77);
	HG_CHECK_EQ(hg_peer_receive(fd, 10 * HG_NS_PER_S, &message, NULL), 0);
	HG_CHECK_EQ(strcmp(message.text, "3"), 0);
	HG_CHECK_EQ(hg_peer_receive(fd, 10 * HG_NS_PER_S, &message, NULL), 0);
	HG_CHECK(strstr(message.text, "77") == NULL && strstr(message.text, "2") != NULL);
	close(null);
	close(leak);
	end(process, fd);
}

/* Whose child a process is by its own account; how it ended as far as this process can know. */
static pid_t parent_of_new(bool is_beside, char *ret_end, size_t size)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)"printf $PPID >&3; exit 3", NULL};
	struct hg_peer_process process;
	struct hg_peer_message message = {0};
	int fd;

	if (hg_peer_start("/bin/sh", argv, is_beside, &process, &fd, NULL) < 0)
		return -1;
	if (hg_peer_receive(fd, 10 * HG_NS_PER_S, &message, NULL) < 0)
		return -1;
	hg_peer_end(&process, 10 * HG_NS_PER_S, ret_end, size);
	close(fd);
	return (pid_t)atoi(message.text);
}

/* As systemd needs it of what is to be the main process of a service. */
static void one_that_is_beside_us_is_our_parents_child(void)
{
	char end[64];
	pid_t middle, ended;
	int status;

	HG_CHECK_EQ(parent_of_new(false, end, sizeof(end)), getpid());
	HG_CHECK_STR(end, "exit code 3");
	middle = fork();
	if (middle == 0)
		_exit(parent_of_new(true, end, sizeof(end)) == getppid() &&
				      strcmp(end, "it has ended") == 0
			      ? 0
			      : 1);
	for (unsigned i = 0; i < 2; i++) {
		ended = waitpid(-1, &status, 0);
		HG_CHECK(ended > 0 && WIFEXITED(status));
		HG_CHECK_EQ(WEXITSTATUS(status), ended == middle ? 0 : 3);
	}
}

static void one_that_does_not_end_is_ended(void)
{
	char text[64];
	int fd;
	struct hg_peer_process process = start("read -r x <&3", &fd);

	hg_peer_end(&process, 0, text, sizeof(text));
	HG_CHECK_STR(text, "it was ended");
	close(fd);
}

static void what_cannot_be_started_is_said(void)
{
	char *argv[] = {(char *)"x", NULL};
	struct hg_error error = {0};
	struct hg_peer_process process;
	int fd;

	HG_CHECK_EQ(hg_peer_start("/nonexistent", argv, false, &process, &fd, &error), -HG_ENOENT);
	HG_CHECK(strstr(error.text, "/nonexistent") != NULL);
	error = (struct hg_error){0};
	HG_CHECK_EQ(hg_peer_start("/etc/passwd", argv, false, &process, &fd, &error), -HG_EPERM);
}

static const struct hg_test tests[] = {
	HG_TEST(messages_are_kept_apart),
	HG_TEST(the_end_of_the_other_is_noticed),
	HG_TEST(the_last_words_of_one_that_did_not_listen_are_heard),
	HG_TEST(silence_is_not_waited_out),
	HG_TEST(descriptors_come_along),
	HG_TEST(the_child_has_nothing_else),
	HG_TEST(one_that_is_beside_us_is_our_parents_child),
	HG_TEST(one_that_does_not_end_is_ended),
	HG_TEST(what_cannot_be_started_is_said),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
