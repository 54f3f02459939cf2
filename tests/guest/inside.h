/* inside: what the parts of the guest share: guest.c (life), control.c (vhost-user), net.c (virtio-net). */
#ifndef HG_TESTS_GUEST_INSIDE_H
#define HG_TESTS_GUEST_INSIDE_H

#include "tests/guest/guest.h"
#include "tests/guest/message.h"

#include <sys/un.h>

#define GUEST_MAX_RINGS (2u * GUEST_MAX_PAIRS)
/* What a start asks, at most: 6 requests a ring, an enable, and 8 of the device. */
#define GUEST_MAX_TODO (7u * GUEST_MAX_RINGS + 8u)

/* A request that is to be sent; its payload is made when its turn comes. */
struct guest_todo {
	uint8_t request; /* enum guest_request */
	uint8_t ring; /* where it is about one */
	uint8_t number; /* of ENABLE */
	bool wants_ack; /* if acknowledgements were agreed upon */
};

struct guest_queue {
	struct guest_ring ring;
	uint8_t *slots; /* one for each id */
	uint16_t *arrays;
	uint32_t base; /* where the back end was when it gave the ring back */
	bool has_base;
	int kick_fd, call_fd;
};

struct guest {
	struct guest_cfg cfg;
	struct sockaddr_un address;
	int listen_fd, fd;
	enum guest_state state, target; /* target: once nothing is left to do */
	char why[160];

	uint64_t offered, features, protocol;
	bool has_features; /* a driver runs: they can not change any more */
	unsigned n_pairs;

	struct guest_todo todo[GUEST_MAX_TODO];
	unsigned n_todo, n_done;
	uint8_t awaited; /* request whose answer is awaited; 0: none */
	bool is_ack_awaited;

	struct guest_memory memory;
	struct guest_queue queues[GUEST_MAX_RINGS];
	uint32_t rx_slot_bytes, tx_slot_bytes; /* apart, in memory */
	uint32_t rx_bytes; /* of a buffer to receive in */
	uint32_t n_posted; /* such buffers, ever */
	bool wants_calls;
	struct guest_counts counts;
};

#define GUEST_HEADER_BYTES sizeof(struct virtio_net_hdr_mrg_rxbuf)

void guest_break(struct guest *guest, const char *why, ...) __attribute__((format(printf, 2, 3)));
/* The driver's start: empty rings, buffers to receive in. */
void guest_net_start(struct guest *guest);
/* The first question to a back end that has just connected. */
void guest_control_begin(struct guest *guest);
/* Sends what can be sent, takes what has come. 0, -EPIPE: the connection is lost. */
int guest_control_advance(struct guest *guest);
void guest_control_add(struct guest *guest, struct guest_todo todo);
/* All about the rings, from features on. */
void guest_control_start_rings(struct guest *guest);

static inline bool guest_has(const struct guest *guest, unsigned feature)
{
	return (guest->features & GUEST_BIT(feature)) != 0;
}

#endif
