/* message: vhost-user on the wire, as its front end speaks it.
 *
 * Why        Neither the kernel nor DPDK exports these definitions.
 * Source     QEMU, docs/interop/vhost-user.rst. Only what a network device's front end needs.
 * Errors     negative errno; -EAGAIN: the socket has no room, or no whole message yet; -EPIPE: the other side
 *            is gone; -EPROTO: no message of this protocol.
 */
#ifndef HG_TESTS_GUEST_MESSAGE_H
#define HG_TESTS_GUEST_MESSAGE_H

#include <linux/vhost_types.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_MSG_MAX_FDS 8u
#define GUEST_MSG_HEADER_BYTES 12u

enum guest_request {
	GUEST_GET_FEATURES = 1,
	GUEST_SET_FEATURES = 2,
	GUEST_SET_OWNER = 3,
	GUEST_RESET_OWNER = 4,
	GUEST_SET_MEM_TABLE = 5,
	GUEST_SET_LOG_BASE = 6,
	GUEST_SET_LOG_FD = 7,
	GUEST_SET_VRING_NUM = 8,
	GUEST_SET_VRING_ADDR = 9,
	GUEST_SET_VRING_BASE = 10,
	GUEST_GET_VRING_BASE = 11,
	GUEST_SET_VRING_KICK = 12,
	GUEST_SET_VRING_CALL = 13,
	GUEST_SET_VRING_ERR = 14,
	GUEST_GET_PROTOCOL_FEATURES = 15,
	GUEST_SET_PROTOCOL_FEATURES = 16,
	GUEST_GET_QUEUE_NUM = 17,
	GUEST_SET_VRING_ENABLE = 18,
	GUEST_SEND_RARP = 19,
	GUEST_NET_SET_MTU = 20,
	GUEST_SET_SLAVE_REQ_FD = 21,
	GUEST_GET_INFLIGHT_FD = 31,
	GUEST_SET_INFLIGHT_FD = 32,
};

enum guest_protocol_feature {
	GUEST_PROTOCOL_MQ = 0,
	GUEST_PROTOCOL_RARP = 2,
	GUEST_PROTOCOL_REPLY_ACK = 3,
	GUEST_PROTOCOL_MTU = 4,
	GUEST_PROTOCOL_INFLIGHT = 12,
};

/* A feature bit that only front end and back end see. */
#define GUEST_F_PROTOCOL 30

enum guest_msg_flag {
	GUEST_MSG_VERSION = 1u << 0,
	GUEST_MSG_IS_REPLY = 1u << 2,
	GUEST_MSG_WANTS_REPLY = 1u << 3,
};

/* In the payload of KICK, CALL and ERR: no descriptor comes with it. */
#define GUEST_MSG_NO_FD 0x100u

struct guest_msg_region {
	uint64_t gpa, n_bytes;
	uint64_t address; /* in the front end's memory: what ring addresses refer to */
	uint64_t offset; /* in the file */
};

struct guest_msg {
	uint32_t request; /* enum guest_request */
	uint32_t flags; /* enum guest_msg_flag */
	uint32_t n_bytes; /* of the payload */
	union {
		uint64_t number;
		struct vhost_vring_state ring;
		struct vhost_vring_addr address;
		struct {
			uint32_t n, padding;
			struct guest_msg_region regions[GUEST_MSG_MAX_FDS];
		} memory;
		uint8_t bytes[512];
	};
} __attribute__((packed, aligned(4)));

/* Sends header and payload as they stand, with descriptors that stay the caller's. */
int guest_msg_send(int fd, const struct guest_msg *msg, const int *fds, unsigned n_fds);
/* The next whole message; descriptors that come with it are closed. */
int guest_msg_receive(int fd, struct guest_msg *ret_msg);
/* Any bytes at all, for tests of what is no message. */
int guest_msg_send_bytes(int fd, const void *bytes, size_t n_bytes, const int *fds, unsigned n_fds);

#endif
