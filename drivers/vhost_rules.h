/* vhost_rules: what a guest may say to librte_vhost, and when.
 *
 * Why        The library trusts the guest's side of the connection more than a host of strangers can. Version
 *            22.11: a message about records in flight makes it write behind a mapping, or fill memory of any size;
 *            a ring may grow after its place was checked; descriptors of messages that it refuses stay open,
 *            and so does that of a memory region that cannot be mapped; each ring of 256 may take 1 MiB.
 * Model      Each message is judged before the library sees it, by a list of what is allowed: its length,
 *            how many descriptors come with it, of what kind, and what must have been said before.
 *
 *              connected -> SET_FEATURES, SET_MEM_TABLE -> for each ring: NUM, BASE, ADDR -> KICK: it is started
 *              a started ring's NUM, BASE and ADDR, and the features, stay until GET_VRING_BASE stops it
 *
 *            Messages and connections have a budget that outlives the connection: who floods is sent away.
 * Promise    What is allowed makes the library touch nothing but what the guest described, and keep no
 *            descriptor beyond the connection. QEMU, Cloud Hypervisor and DPDK's virtio-user are allowed all
 *            that they say.
 * Not here   What lies in the rings: drivers/vring.h. Memory that is taken away later: drivers/guest_loss.h.
 * Time       An argument, monotonic. Memory: the caller's. Threads: one at a time.
 * Cost       Some system calls for each descriptor; else a few comparisons.
 * Used by    drivers/vhost_link.c.
 */
#ifndef HG_DRIVERS_VHOST_RULES_H
#define HG_DRIVERS_VHOST_RULES_H

#include "core/units.h"

#include <linux/vhost_types.h>
#include <stdbool.h>
#include <stdint.h>

#define HG_VHOST_REGIONS_MAX 8u
#define HG_VHOST_RINGS_MAX 32u

/* Requests, by their numbers in the specification (QEMU, docs/interop/vhost-user.rst). */
enum hg_vhost_request {
	HG_VHOST_GET_FEATURES = 1,
	HG_VHOST_SET_FEATURES,
	HG_VHOST_SET_OWNER,
	HG_VHOST_RESET_OWNER,
	HG_VHOST_SET_MEM_TABLE,
	HG_VHOST_SET_LOG_BASE,
	HG_VHOST_SET_LOG_FD,
	HG_VHOST_SET_VRING_NUM,
	HG_VHOST_SET_VRING_ADDR,
	HG_VHOST_SET_VRING_BASE,
	HG_VHOST_GET_VRING_BASE,
	HG_VHOST_SET_VRING_KICK,
	HG_VHOST_SET_VRING_CALL,
	HG_VHOST_SET_VRING_ERR,
	HG_VHOST_GET_PROTOCOL_FEATURES,
	HG_VHOST_SET_PROTOCOL_FEATURES,
	HG_VHOST_GET_QUEUE_NUM,
	HG_VHOST_SET_VRING_ENABLE,
	HG_VHOST_SEND_RARP,
	HG_VHOST_NET_SET_MTU,
};

#define HG_VHOST_NEEDS_REPLY (1u << 3)

/* As the library reads it (struct vhu_msg_context; its external handlers rely on the order). */
struct hg_vhost_message {
	uint32_t request, flags, n_bytes;
	union {
		uint64_t number;
		struct vhost_vring_state ring;
		struct vhost_vring_addr address;
		struct {
			uint32_t n, padding;
			struct {
				uint64_t gpa, n_bytes, address, offset;
			} regions[HG_VHOST_REGIONS_MAX];
		} memory;
		uint8_t bytes[632];
	};
	int fds[HG_VHOST_REGIONS_MAX];
	int n_fds;
} __attribute__((packed));

struct hg_vhost_limits {
	uint32_t n_rings; /* in [2, HG_VHOST_RINGS_MAX] */
	uint32_t ring_size; /* descriptors of one, at most */
	uint64_t memory_bytes; /* of a guest: no more than the host has */
};

struct hg_vhost_rules {
	struct hg_vhost_limits limits;
	/* Of this connection. */
	uint64_t features;
	bool has_features, has_memory;
	struct {
		bool has_size, has_place, is_started;
	} rings[HG_VHOST_RINGS_MAX];
	/* For longer. */
	int64_t budget_ns; /* one message costs a ms */
	bool is_exhausted; /* until there is enough for a start again */
	hg_ns at_ns;
};

/* A queue pair of a machine needs some 14 messages to start; this is room for 16 pairs and many starts. */
#define HG_VHOST_BUDGET_NS (4 * HG_NS_PER_S)
/* Who had spent it all waits until it has so much again: enough for whoever takes its place to start. */
#define HG_VHOST_ENOUGH_NS (1 * HG_NS_PER_S)
#define HG_VHOST_MESSAGE_COST_NS (1 * HG_NS_PER_MS)
#define HG_VHOST_CONNECTION_COST_NS (16 * HG_NS_PER_MS)

void hg_vhost_rules_init(struct hg_vhost_rules *rules, const struct hg_vhost_limits *limits,
			 hg_ns now_ns);
/* A connection begins, in which nothing was said yet. NULL, or why all that will be said in it is refused: a
 * sentence's end, as below. */
const char *hg_vhost_rules_connect(struct hg_vhost_rules *rules, hg_ns now_ns);
/* Judges the next message, and takes note of it. NULL: it is allowed; or what the guest did: the end of a sentence
 * that begins with "the guest ". Descriptors stay with the message. */
const char *hg_vhost_rules_judge(struct hg_vhost_rules *rules, const struct hg_vhost_message *msg,
				 hg_ns now_ns);
/* Closes the descriptors of a message that nobody will look at. */
void hg_vhost_message_drop(struct hg_vhost_message *msg);
/* The ring that a message is about; 0 if it is about none. */
uint32_t hg_vhost_message_ring(const struct hg_vhost_message *msg);

#endif
