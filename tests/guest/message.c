#include "tests/guest/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int guest_msg_send_bytes(int fd, const void *bytes, size_t n_bytes, const int *fds, unsigned n_fds)
{
	/* More than any message may carry, for those who try. */
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))];
	struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n_bytes};
	struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n;

	if (n_fds > 0) {
		struct cmsghdr *head;

		memset(control, 0, sizeof(control));
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		head = CMSG_FIRSTHDR(&msg);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(head), fds, n_fds * sizeof(int));
	}
	n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return (size_t)n == n_bytes ? 0 : -EPIPE;
}

int guest_msg_send(int fd, const struct guest_msg *msg, const int *fds, unsigned n_fds)
{
	return guest_msg_send_bytes(fd, msg, GUEST_MSG_HEADER_BYTES + msg->n_bytes, fds, n_fds);
}

int guest_msg_receive(int fd, struct guest_msg *ret_msg)
{
	ssize_t n = recv(fd, ret_msg, GUEST_MSG_HEADER_BYTES, MSG_PEEK | MSG_DONTWAIT);
	size_t whole;

	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return -EPIPE;
	if (n < 0)
		return -errno;
	if ((size_t)n < GUEST_MSG_HEADER_BYTES)
		return -EAGAIN;
	if (ret_msg->n_bytes > sizeof(ret_msg->bytes))
		return -EPROTO;
	whole = GUEST_MSG_HEADER_BYTES + ret_msg->n_bytes;
	n = recv(fd, ret_msg, whole, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 || (size_t)n < whole)
		return -EAGAIN;
	/* Without room for control data the kernel drops descriptors that come along. */
	n = recv(fd, ret_msg, whole, MSG_DONTWAIT);
	return n == (ssize_t)whole ? 0 : -EPROTO;
}
