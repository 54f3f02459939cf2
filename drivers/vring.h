/* vring: one ring of a guest, split or packed, from the device's side.
 *
 * Why        Guests speak virtio (OASIS virtio 1.2, chapter 2). Frames go between their rings and our buffers in
 *            one copy, with the offloads of the virtio-net header told as they are; and what a guest writes
 *            into its rings is not to be trusted.
 * Model      receive takes frames that the guest has made available and copies them into chains of the pool;
 *            transmit copies frames into buffers that the guest has made available, several for a frame where
 *            it said that they may be merged. What is done is told to the guest once a call.
 *            The guest is asked not to notify us, but between arm and the next receive.
 * Promise    Nothing outside the guest's memory is touched, whatever the guest writes and when. What is done
 *            with a buffer follows one reading of its descriptor. A ring that breaks the rules is not gone on with: fault says which rule; frames that
 *            contradict themselves are dropped with a reason. In each ring frames keep their order.
 *            Between two calls the ring's used index says all that was taken, so that whoever comes after us,
 *            however we ended, goes on from there.
 * Not here   Who connects, and which ring carries what: drivers/vhost.c.
 * Units      bytes. Memory: the caller's; packets from the pool. Time: none.
 * Threads    One at a time; the guest writes meanwhile.
 * Cost       O(1) a frame and a copy of it; one memory fence a call that moved something.
 * Errors     begin: -EINVAL with reterr. The others cannot fail.
 */
#ifndef HG_DRIVERS_VRING_H
#define HG_DRIVERS_VRING_H

#include "core/error.h"
#include "drivers/counts.h"
#include "drivers/guest.h"
#include "vswitch/pkt.h"

#include <linux/virtio_ring.h>

/* X(enum, sentence): the rules that a guest can break. */
#define HG_VRING_FAULTS(X)                                                     \
	X(NONE, "nothing is wrong")                                            \
	X(INDEX, "the guest's ring claims more descriptors than it has")       \
	X(HEAD, "the guest's ring names a descriptor that it does not have")   \
	X(LOOP, "a chain of the guest's descriptors is longer than its ring")  \
	X(LONG, "a chain of the guest's descriptors has more than 512 pieces") \
	X(ADDRESS, "a descriptor of the guest points outside its memory")      \
	X(INDIRECT, "an indirect table of the guest is not one")               \
	X(TAKEN, "the guest has taken away memory that it had shared")         \
	X(DIRECTION,                                                           \
	  "a descriptor of the guest is for reading where it is to be written, or reverse")

enum hg_vring_fault {
#define X(id, text) HG_VRING_##id,
	HG_VRING_FAULTS(X)
#undef X
};

const char *hg_vring_fault_text(enum hg_vring_fault fault);

/* As vhost tells of it. Pointers are ours. */
struct hg_vring_cfg {
	void *descs;
	void *avail; /* packed: the driver's event area */
	void *used; /* packed: the device's event area */
	uint32_t n; /* descriptors; a power of 2 if split, at most 32768 */
	/* Where to go on: index, and if packed the wrap counter in bit 15. */
	uint16_t avail_at, used_at;
	bool is_packed, has_event_idx, has_indirect;
	bool may_merge; /* frames for the guest over several buffers */
	bool knows_csum; /* the guest reads what is said of checksums */
	uint8_t header_bytes; /* of virtio-net: 10 or 12 */
	const struct hg_guest_memory *memory; /* outlives the ring */
};

/* A buffer of one descriptor. */
struct hg_vring_entry {
	uint8_t *at;
	uint32_t n;
	uint16_t id;
};

/* Buffers that are looked for together, one burst ahead. */
#define HG_VRING_AHEAD 32u

struct hg_vring {
	union {
		struct vring_desc *split;
		struct vring_packed_desc *packed;
	} descs;
	union {
		struct vring_avail *split;
		struct vring_packed_desc_event *packed;
	} avail;
	union {
		struct vring_used *split;
		struct vring_packed_desc_event *packed;
	} used;
	const struct hg_guest_memory *memory;
	uint16_t n, mask; /* mask: split */
	uint16_t avail_at, used_at; /* packed: in [0, n) */
	uint16_t avail_seen; /* split: the guest's index when it was last read */
	uint16_t told_at; /* used_at when the guest was last told, or had it to be */
	bool avail_wrap, used_wrap; /* packed */
	bool is_packed, has_event_idx, has_indirect, may_merge, knows_csum;
	bool is_armed; /* the guest notifies us */
	uint32_t n_untold; /* used since told_at: descriptors; of a split ring, chains */
	uint8_t header_bytes;
	uint8_t fault; /* enum hg_vring_fault */
	/* Packed: the first descriptor used in this call, told last, so that the guest sees all or none. */
	uint16_t first_at, first_flags;
	bool has_first;
	/* From avail_at on, found and not taken yet: ahead[ahead_at] is the next of n_ahead. */
	uint16_t n_ahead, ahead_at;
	struct hg_vring_entry ahead[HG_VRING_AHEAD];
};

HG_MUST_CHECK int hg_vring_begin(struct hg_vring *ring, const struct hg_vring_cfg *cfg,
				 struct hg_error *reterr);
/* Where another goes on, as in the cfg. */
uint16_t hg_vring_avail_at(const struct hg_vring *ring);
uint16_t hg_vring_used_at(const struct hg_vring *ring);

/* Receives up to n frames. What is dropped is counted there and does not use up n for ever: a call ends when n
 * frames were looked at, or some 128 KiB were copied. *ret_bytes: of those returned. Without buffers in the pool it leaves them in the ring. */
unsigned hg_vring_receive(struct hg_vring *ring, struct hg_pool *pool, struct hg_pkt **pkts,
			  unsigned n, struct hg_dev_counts *counts, uint64_t *ret_bytes);

/* Copies the first frames of n, until the guest has no room; returns how many it is done with. Those that
 * no buffer of the guest is long enough for are dropped and counted. *ret_sent, *ret_bytes: what was copied. */
unsigned hg_vring_transmit(struct hg_vring *ring, struct hg_pkt *const *pkts, unsigned n,
			   struct hg_dev_counts *counts, unsigned *ret_sent, uint64_t *ret_bytes);

/* Whether the guest wants to be told of what was used since it was last told, or did not want to be. Asked later it may
 * want it no longer, since it looked by itself; what it wants, it wants until it is told. */
bool hg_vring_call_is_due(struct hg_vring *ring);
/* It is. */
void hg_vring_told(struct hg_vring *ring);

/* Asks the guest to notify us of what it makes available from now on. Returns whether there is something
 * already, or the ring is at fault never. */
bool hg_vring_arm(struct hg_vring *ring);

#endif
