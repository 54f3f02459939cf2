/* ring: a virtqueue as its driver sees it, split or packed.
 *
 * Source     OASIS virtio 1.2, 2.7 (split) and 2.8 (packed); Linux, drivers/virtio/virtio_ring.c.
 * Model      add() makes a chain of pieces available under the id that next_id() foretold; used() returns the
 *            ids that the device is done with. Who owns the bytes behind an id is the caller's matter.
 * Promise    used() returns no id that was not out: what else the device says is "wrong".
 * Memory     Ring and indirect tables lie in shared memory; what the driver must believe lies outside.
 * Threads    one.
 */
#ifndef HG_TESTS_GUEST_RING_H
#define HG_TESTS_GUEST_RING_H

#include "tests/guest/memory.h"

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

/* A frame of 64 KiB in pieces of 2 KiB, and its header in one of its own; more stay in no table. */
#define GUEST_CHAIN_MAX 64u

struct guest_piece {
	uint64_t gpa;
	uint32_t n_bytes;
};

struct guest_ring {
	const struct guest_memory *memory;
	uint16_t size; /* a power of two */
	bool is_packed, has_event_idx;
	bool is_for_device; /* the device writes into the pieces */

	/* In shared memory. */
	struct vring_desc *desc; /* split; packed uses the same place: */
	struct vring_avail *avail;
	struct vring_used *used;
	struct vring_packed_desc *packed;
	struct vring_packed_desc_event *driver_event, *device_event;
	struct vring_desc
		*tables; /* GUEST_CHAIN_MAX entries an id; both kinds of descriptor have 16 bytes */

	/* The driver's own. Free ids are a list; for split rings they are descriptors. */
	uint16_t *next_free; /* size entries */
	uint16_t *chain_descs; /* descriptors in the ring that an id occupies; 0: it is not out */
	uint16_t free_head, n_free;
	uint16_t next_avail; /* split: index that never stops; packed: place in the ring */
	uint16_t last_used; /* likewise */
	uint16_t kicked_at; /* descriptors or chains made available since: next_avail - kicked_at */
	uint16_t added; /* since the last question about kicks; packed only */
	bool avail_wrap, used_wrap; /* packed only */
};

/* Bytes of memory for either kind, tables included. */
size_t guest_ring_bytes(uint16_t size);
/* Lays the ring out in memory and makes it empty. next_free and chain_descs are the caller's arrays. */
void guest_ring_init(struct guest_ring *ring, struct guest_memory *memory, uint16_t size,
		     uint16_t *arrays);
/* Empties it as a ring of that kind, as a driver that starts does. */
void guest_ring_reset(struct guest_ring *ring, bool is_packed, bool has_event_idx);

/* The id that the next add() will have; -1: no room for any. */
int guest_ring_next_id(const struct guest_ring *ring);
/* Makes a chain of n pieces in [1, GUEST_CHAIN_MAX] available, in a table of its own or in the ring. False: no
 * room. */
bool guest_ring_add(struct guest_ring *ring, const struct guest_piece *pieces, unsigned n,
		    bool is_indirect);
/* 1: an id came back with n bytes written; 0: none; -1: the device named one that was not out. */
int guest_ring_take_used(struct guest_ring *ring, uint16_t *ret_id, uint32_t *ret_bytes);
/* Whether take_used() would return something. */
bool guest_ring_has_used(const struct guest_ring *ring);
/* Whether the device wants to be kicked for what was added since the last question. */
bool guest_ring_wants_kick(struct guest_ring *ring);
/* Tells the device whether to call when it has used the next. */
void guest_ring_want_calls(struct guest_ring *ring, bool wants);
/* Where a device that knows nothing goes on: what SET_VRING_BASE says. */
uint32_t guest_ring_base(const struct guest_ring *ring);

/* Of the kinds, for guest_ring only. */
bool guest_split_add(struct guest_ring *ring, const struct guest_piece *pieces, unsigned n,
		     bool is_indirect);
int guest_split_take_used(struct guest_ring *ring, uint16_t *ret_id, uint32_t *ret_bytes);
bool guest_split_wants_kick(struct guest_ring *ring);
void guest_split_want_calls(struct guest_ring *ring, bool wants);
bool guest_packed_add(struct guest_ring *ring, const struct guest_piece *pieces, unsigned n,
		      bool is_indirect);
bool guest_packed_has_used(const struct guest_ring *ring);
int guest_packed_take_used(struct guest_ring *ring, uint16_t *ret_id, uint32_t *ret_bytes);
bool guest_packed_wants_kick(struct guest_ring *ring);
void guest_packed_want_calls(struct guest_ring *ring, bool wants);
uint32_t guest_packed_base(const struct guest_ring *ring);

/* An id's table, and the ids' bookkeeping, for both kinds. */
struct vring_desc *guest_ring_table(const struct guest_ring *ring, uint16_t id);

#endif
