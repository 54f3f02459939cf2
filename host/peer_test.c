#include "host/peer.h"

#include "tests/harness.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A shell that plays the other process: python or worse is not needed to read and write what is at 3. */
static pid_t start(const char *script, int *ret_fd)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL};
	struct hg_error error = {0};
	pid_t pid;

	if (hg_peer_start("/bin/sh", argv, &pid, ret_fd, &error) < 0)
		HG_TEST_FAIL("%s", error.text);
	return pid;
}

static void end(pid_t pid, int fd)
{
	close(fd);
	HG_CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

static void messages_are_kept_apart(void)
{
	struct hg_peer_message message;
	int fd;
	pid_t pid = start("printf 'ready 1' >&3; printf go >&3", &fd);

	HG_CHECK_EQ(hg_peer_receive(fd, 10 * HG_NS_PER_S, &message, NULL), 0);
	HG_CHECK_EQ(strcmp(hg_peer_is(&message, "ready"), "1"), 0);
	HG_CHECK(hg_peer_is(&message, "rea") == NULL);
	HG_CHECK(hg_peer_is(&message, "ready 1") != NULL);
	HG_CHECK_EQ(hg_peer_receive(fd, 10 * HG_NS_PER_S, &message, NULL), 0);
	HG_CHECK_EQ(strcmp(hg_peer_is(&message, "go"), ""), 0);
	HG_CHECK(hg_peer_is(&message, "gone") == NULL);
	end(pid, fd);
}

static void the_end_of_the_other_is_noticed(void)
{
	struct hg_peer_message message;
	struct hg_error error = {0};
	int fd;
	pid_t pid = start("exit 3", &fd);

	HG_CHECK_EQ(hg_peer_receive(fd, 10 * HG_NS_PER_S, &message, &error), -HG_EIO);
	HG_CHECK(strstr(error.text, "has ended") != NULL);
	end(pid, fd);
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
	pid_t pid = start("read -r x <&3", &fd);

	HG_CHECK_EQ(hg_peer_receive(fd, HG_NS_PER_MS, &message, NULL), -HG_ETIMEDOUT);
	HG_CHECK_EQ(hg_peer_send(fd, "x\n", NULL, 0, NULL), 0);
	end(pid, fd);
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
	pid_t pid = start("printf %s \"$HEADGATE_TAKE_OVER\" >&3; printf %s \"$(ls /proc/$$/fd | "
			  "tr '\\n' ' ')\" >&3",
			  &fd);

	HG_CHECK_EQ(leak, 77);
	HG_CHECK_EQ(hg_peer_receive(fd, 10 * HG_NS_PER_S, &message, NULL), 0);
	HG_CHECK_EQ(strcmp(message.text, "3"), 0);
	HG_CHECK_EQ(hg_peer_receive(fd, 10 * HG_NS_PER_S, &message, NULL), 0);
	HG_CHECK(strstr(message.text, "77") == NULL && strstr(message.text, "2") != NULL);
	close(null);
	close(leak);
	end(pid, fd);
}

static void what_cannot_be_started_is_said(void)
{
	char *argv[] = {(char *)"x", NULL};
	struct hg_error error = {0};
	pid_t pid;
	int fd;

	HG_CHECK_EQ(hg_peer_start("/nonexistent", argv, &pid, &fd, &error), -HG_ENOENT);
	HG_CHECK(strstr(error.text, "/nonexistent") != NULL);
	error = (struct hg_error){0};
	HG_CHECK_EQ(hg_peer_start("/etc/passwd", argv, &pid, &fd, &error), -HG_EPERM);
}

static const struct hg_test tests[] = {
	HG_TEST(messages_are_kept_apart),
	HG_TEST(the_end_of_the_other_is_noticed),
	HG_TEST(the_last_words_of_one_that_did_not_listen_are_heard),
	HG_TEST(silence_is_not_waited_out),
	HG_TEST(descriptors_come_along),
	HG_TEST(the_child_has_nothing_else),
	HG_TEST(what_cannot_be_started_is_said),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
