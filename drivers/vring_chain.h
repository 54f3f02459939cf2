/* vring_chain: what a guest made available in a ring, found and checked; what was used, written back.
 *
 * Model      look() finds buffers that need nothing special, many at once, and keeps them in the ring until they are
 *            taken; gather() takes any chain, one at a time, and is who finds fault. Both read a descriptor
 *            once, into a copy that the guest cannot change any more. Neither moves on; advance() does.
 *            What one processor wrote, another waits for, a tenth of a microsecond for each line of 64 bytes;
 *            for a small frame that is more than all else that is done with it. So each burst fetches for the
 *            next: the buffers that it found, the descriptors behind them, the index of those behind these.
 *            is_packed is a constant where these are called, so that each ring has code of its own.
 * Promise    as vring.h. Internal to drivers/vring.c.
 */
#ifndef HG_DRIVERS_VRING_CHAIN_H
#define HG_DRIVERS_VRING_CHAIN_H

#include "drivers/vring.h"

#include <string.h>

#define HG_CHAIN_PIECES_MAX 512u

/* What was read of the guest's memory is not read again. */
#define HG_READ_ONCE_BARRIER() __asm__ volatile("" ::: "memory")

struct hg_chain {
	uint64_t total;
	uint16_t id;
	uint16_t n_slots; /* descriptors of the ring that it takes */
	unsigned n_pieces, n_empty;
	struct hg_chain_piece {
		uint8_t *at;
		uint32_t n;
	} pieces[HG_CHAIN_PIECES_MAX];
};

/* Split and packed descriptors lie alike in memory but for their last fields. */
struct hg_desc {
	uint64_t addr;
	uint32_t n;
	uint16_t flags; /* split; packed: id */
	uint16_t next; /* split; packed: flags */
};

static HG_ALWAYS_INLINE struct hg_desc hg_desc_read(const void *at)
{
	struct hg_desc desc;

	memcpy(&desc, at, sizeof(desc));
	HG_READ_ONCE_BARRIER();
	return desc;
}

static HG_ALWAYS_INLINE bool hg_packed_is_there(uint16_t flags, bool wrap)
{
	return !!(flags & (1u << VRING_PACKED_DESC_F_AVAIL)) == wrap &&
	       !!(flags & (1u << VRING_PACKED_DESC_F_USED)) != wrap;
}

static HG_ALWAYS_INLINE uint16_t hg_packed_flags(const struct hg_vring *ring, uint16_t at)
{
	return __atomic_load_n(&ring->descs.packed[at].flags, __ATOMIC_ACQUIRE);
}

/* ---- many simple ones --------------------------------------------------------------------------- */

/* Where a descriptor alone holds a whole buffer. */
static HG_ALWAYS_INLINE uint8_t *hg_simple_at(const struct hg_vring *ring, uint64_t addr,
					      uint32_t n_bytes)
{
	uint64_t n = n_bytes;
	uint8_t *at = hg_guest_at(ring->memory, addr, &n);

	return n == n_bytes ? at : NULL;
}

/* How many chains there are from avail_at on; asks the guest only where less than n are known of, since its index
 * lies in a cache line that it keeps writing. More than the ring has: the guest breaks a rule. */
static HG_ALWAYS_INLINE uint16_t hg_split_there(struct hg_vring *ring, uint16_t n)
{
	uint16_t there = (uint16_t)(ring->avail_seen - ring->avail_at);

	if (there < n) {
		ring->avail_seen = __atomic_load_n(&ring->avail.split->idx, __ATOMIC_ACQUIRE);
		there = (uint16_t)(ring->avail_seen - ring->avail_at);
	}
	return there;
}

static HG_ALWAYS_INLINE uint16_t hg_split_id(const struct hg_vring *ring, uint16_t at)
{
	return __atomic_load_n(&ring->avail.split->ring[at & ring->mask], __ATOMIC_RELAXED);
}

/* Descriptors from the n-th chain on, for the look after this one. */
static HG_ALWAYS_INLINE void hg_fetch_split(const struct hg_vring *ring, uint16_t from, uint16_t to)
{
	for (uint16_t i = from; i < to; i++) {
		uint16_t id = hg_split_id(ring, (uint16_t)(ring->avail_at + i));

		HG_PREFETCH_TO_READ(&ring->descs.split[id & ring->mask]);
	}
}

static HG_ALWAYS_INLINE unsigned hg_look_split(struct hg_vring *ring, uint16_t want, uint16_t there)
{
	uint16_t n = there < HG_VRING_AHEAD ? there : HG_VRING_AHEAD, i;
	uint16_t behind = there < 2 * HG_VRING_AHEAD ? there : 2 * HG_VRING_AHEAD;

	for (i = 0; i < n; i++) {
		struct hg_vring_entry *entry = &ring->ahead[i];
		uint16_t id = hg_split_id(ring, (uint16_t)(ring->avail_at + i));
		struct hg_desc desc;

		if (HG_UNLIKELY(id >= ring->n))
			break;
		desc = hg_desc_read(&ring->descs.split[id]);
		if (HG_UNLIKELY(desc.flags != want))
			break;
		entry->id = id;
		entry->n = desc.n;
		entry->at = hg_simple_at(ring, desc.addr, desc.n);
		if (HG_UNLIKELY(entry->at == NULL))
			break;
	}
	hg_fetch_split(ring, n, behind);
	HG_PREFETCH_TO_READ(
		&ring->avail.split->ring[(ring->avail_at + 3 * HG_VRING_AHEAD) & ring->mask]);
	return i;
}

static HG_ALWAYS_INLINE unsigned hg_look_packed(struct hg_vring *ring, uint16_t want)
{
	const uint16_t kind = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT;
	uint16_t at = ring->avail_at;
	unsigned n = ring->n < HG_VRING_AHEAD ? ring->n : HG_VRING_AHEAD, i;
	bool wrap = ring->avail_wrap;

	for (i = 0; i < n; i++) {
		struct hg_vring_entry *entry = &ring->ahead[i];
		uint16_t flags = hg_packed_flags(ring, at);
		struct hg_desc desc;

		if (!hg_packed_is_there(flags, wrap) || HG_UNLIKELY((flags & kind) != want))
			break;
		desc = hg_desc_read(&ring->descs.packed[at]);
		entry->n = desc.n;
		entry->id = desc.flags;
		entry->at = hg_simple_at(ring, desc.addr, desc.n);
		if (HG_UNLIKELY(entry->at == NULL))
			break;
		if (++at == ring->n) {
			at = 0;
			wrap = !wrap;
		}
	}
	return i;
}

static HG_ALWAYS_INLINE void hg_fetch(const uint8_t *at, uint16_t want)
{
	if (want == VRING_DESC_F_WRITE)
		HG_PREFETCH_TO_WRITE(at);
	else
		HG_PREFETCH_TO_READ(at);
}

/* A processor fetches some two dozen lines at a time, and more than that at once holds it up: two lines of so many
 * frames ahead, which is all of a short one, and of fewer frames more of a long one. What lies behind so many bytes,
 * it foresees by itself. */
#define HG_FETCH_LEAD 12u
#define HG_FETCH_MORE_LEAD 4u
#define HG_FETCH_MORE_BYTES 512u

/* Whether a buffer's header ends where a line does, so that its frame lies in other lines: DPDK's drivers place it so. */
static HG_ALWAYS_INLINE bool hg_has_header_apart(const struct hg_vring *ring, const uint8_t *at)
{
	return ((uintptr_t)at + ring->header_bytes) % HG_CACHE_LINE_BYTES == 0;
}

static HG_ALWAYS_INLINE void hg_fetch_buffer(const struct hg_vring *ring,
					     const struct hg_vring_entry *entry, uint16_t want)
{
	/* Headers are mostly alike, and what is there already is not written (drivers/vring.c). */
	hg_fetch(entry->at, hg_has_header_apart(ring, entry->at) ? 0 : want);
	hg_fetch(entry->at + HG_CACHE_LINE_BYTES, want);
}

static HG_ALWAYS_INLINE void hg_fetch_more(const struct hg_vring_entry *entry, uint32_t n_bytes,
					   uint16_t want)
{
	uint32_t n = n_bytes < HG_FETCH_MORE_BYTES ? n_bytes : HG_FETCH_MORE_BYTES;

	const uint8_t *end = entry->at + n;
	const uint8_t *at =
		entry->at + 2 * HG_CACHE_LINE_BYTES - (uintptr_t)entry->at % HG_CACHE_LINE_BYTES;

	/* Not one line more: it would be taken from the guest's processor for nothing. */
	for (; at < end; at += HG_CACHE_LINE_BYTES)
		hg_fetch(at, want);
}

static HG_ALWAYS_INLINE void hg_find(struct hg_vring *ring, bool is_packed, uint16_t want,
				     uint16_t there)
{
	ring->ahead_at = 0;
	ring->n_ahead = (uint16_t)(is_packed ? hg_look_packed(ring, want)
					     : hg_look_split(ring, want, there));
	for (unsigned i = 0; i < ring->n_ahead && i < HG_FETCH_LEAD; i++)
		hg_fetch_buffer(ring, &ring->ahead[i], want);
}

/* Finds buffers of one descriptor each, with just the flags that are wanted (0 or WRITE), if none are known. Those
 * behind the first that is different are left for later. Returns how many of n are known. */
static HG_ALWAYS_INLINE unsigned hg_look(struct hg_vring *ring, bool is_packed, uint16_t want,
					 unsigned n)
{
	if (ring->n_ahead == 0) {
		uint16_t there = is_packed ? 0 : hg_split_there(ring, HG_VRING_AHEAD);

		if (HG_LIKELY(there <= ring->n))
			hg_find(ring, is_packed, want, there);
	}
	return n < ring->n_ahead ? n : ring->n_ahead;
}

/* Finds those of the next call, so that their memory is fetched meanwhile; only what the guest is known to have made
 * available by now. */
static HG_ALWAYS_INLINE void hg_look_ahead(struct hg_vring *ring, bool is_packed, uint16_t want)
{
	uint16_t there = (uint16_t)(ring->avail_seen - ring->avail_at);

	if (ring->n_ahead == 0 && (is_packed || (there > 0 && there <= ring->n)))
		hg_find(ring, is_packed, want, there);
}

/* ---- any chain ---------------------------------------------------------------------------------- */

/* Where the next chain is looked for: behind those that were gathered and not advanced over. */
struct hg_place {
	uint16_t at;
	bool wrap;
};

static HG_ALWAYS_INLINE struct hg_place hg_place_first(const struct hg_vring *ring)
{
	return (struct hg_place){ring->avail_at, ring->avail_wrap};
}

static HG_ALWAYS_INLINE struct hg_place hg_place_behind(const struct hg_vring *ring, bool is_packed,
							struct hg_place place, uint16_t n_slots)
{
	uint32_t at = (uint32_t)place.at + n_slots;

	if (!is_packed)
		return (struct hg_place){(uint16_t)at, place.wrap};
	if (at >= ring->n)
		return (struct hg_place){(uint16_t)(at - ring->n), !place.wrap};
	return (struct hg_place){(uint16_t)at, place.wrap};
}

static HG_ALWAYS_INLINE void hg_advance(struct hg_vring *ring, bool is_packed, uint16_t n_slots)
{
	struct hg_place to = hg_place_behind(ring, is_packed, hg_place_first(ring), n_slots);

	ring->avail_at = to.at;
	ring->avail_wrap = to.wrap;
	ring->n_untold += n_slots;
	/* What was found began where this one did. */
	ring->n_ahead = 0;
}

/* Over n of those that hg_look() found. */
static HG_ALWAYS_INLINE void hg_advance_known(struct hg_vring *ring, bool is_packed, uint16_t n)
{
	struct hg_place to = hg_place_behind(ring, is_packed, hg_place_first(ring), n);

	ring->avail_at = to.at;
	ring->avail_wrap = to.wrap;
	ring->n_untold += n;
	ring->n_ahead = (uint16_t)(ring->n_ahead - n);
	ring->ahead_at = (uint16_t)(ring->ahead_at + n);
}

/* Gathers the chain at a place, whose descriptors must all have the direction that is wanted. Returns whether
 * there is one; false with ring->fault set if it breaks a rule. */
bool hg_gather_split(struct hg_vring *ring, struct hg_place place, uint16_t want,
		     struct hg_chain *chain);
bool hg_gather_packed(struct hg_vring *ring, struct hg_place place, uint16_t want,
		      struct hg_chain *chain);

/* ---- what was used ------------------------------------------------------------------------------ */

/* Notes that a buffer was used, with so many bytes written into it. */
static HG_ALWAYS_INLINE void hg_use(struct hg_vring *ring, bool is_packed, uint16_t id,
				    uint32_t n_bytes, uint16_t n_slots)
{
	struct vring_packed_desc *desc;
	uint16_t flags;

	if (!is_packed) {
		struct vring_used_elem *elem = &ring->used.split->ring[ring->used_at & ring->mask];

		/* Buffers that come in order, for frames as long as those a lap ago, have it there already: then the guest's
		 * processor keeps the line. */
		if (elem->id != id || elem->len != n_bytes)
			*elem = (struct vring_used_elem){.id = id, .len = n_bytes};
		ring->used_at++;
		return;
	}
	desc = &ring->descs.packed[ring->used_at];
	flags = ring->used_wrap ? 1u << VRING_PACKED_DESC_F_AVAIL | 1u << VRING_PACKED_DESC_F_USED
				: 0;
	if (n_bytes > 0)
		flags |= VRING_DESC_F_WRITE;
	desc->id = id;
	desc->len = n_bytes;
	if (!ring->has_first) {
		ring->has_first = true;
		ring->first_at = ring->used_at;
		ring->first_flags = flags;
	} else {
		__atomic_store_n(&desc->flags, flags, __ATOMIC_RELEASE);
	}
	ring->used_at += n_slots;
	if (ring->used_at >= ring->n) {
		ring->used_at -= ring->n;
		ring->used_wrap = !ring->used_wrap;
	}
}

/* The places of the next burst of used buffers, which the guest has read. */
static HG_ALWAYS_INLINE void hg_fetch_used(const struct hg_vring *ring, bool is_packed)
{
	const uint16_t a_line = HG_CACHE_LINE_BYTES / sizeof(struct vring_used_elem);

	if (is_packed)
		return; /* where the descriptors are */
	for (uint16_t i = 0; i <= HG_VRING_AHEAD; i = (uint16_t)(i + a_line))
		HG_PREFETCH_TO_READ(&ring->used.split->ring[(ring->used_at + i) & ring->mask]);
}

/* Lets the guest see all of it. */
static HG_ALWAYS_INLINE void hg_show_used(struct hg_vring *ring, bool is_packed)
{
	if (!is_packed) {
		__atomic_store_n(&ring->used.split->idx, ring->used_at, __ATOMIC_RELEASE);
	} else if (ring->has_first) {
		__atomic_store_n(&ring->descs.packed[ring->first_at].flags, ring->first_flags,
				 __ATOMIC_RELEASE);
		ring->has_first = false;
	}
}

#endif
