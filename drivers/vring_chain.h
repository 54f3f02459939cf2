/* vring_chain: what a guest made available in a ring, found and checked; what was used, written back.
 *
 * Model      look() finds buffers that need nothing special, many at once; gather() takes any chain, one at a time,
 *            and is who finds fault. Both read each descriptor once, into a copy that the guest cannot
 *            change any more. Neither moves on; advance() does.
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

/* A buffer of one descriptor. */
struct hg_entry {
	uint8_t *at;
	uint32_t n;
	uint16_t id;
};

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

static HG_ALWAYS_INLINE unsigned hg_look_split(struct hg_vring *ring, uint16_t want,
					       struct hg_entry *entries, unsigned n)
{
	uint16_t there = (uint16_t)(__atomic_load_n(&ring->avail.split->idx, __ATOMIC_ACQUIRE) -
				    ring->avail_at);
	unsigned i;

	if (HG_UNLIKELY(there > ring->n))
		return 0;
	n = n < there ? n : there;
	for (i = 0; i < n; i++) {
		uint16_t at = (uint16_t)(ring->avail_at + i) & ring->mask;
		uint16_t id = __atomic_load_n(&ring->avail.split->ring[at], __ATOMIC_RELAXED);

		if (HG_UNLIKELY(id >= ring->n))
			break;
		entries[i].id = id;
		__builtin_prefetch(&ring->descs.split[id]);
	}
	n = i;
	for (i = 0; i < n; i++) {
		struct hg_desc desc = hg_desc_read(&ring->descs.split[entries[i].id]);

		if (HG_UNLIKELY(desc.flags != want))
			break;
		entries[i].n = desc.n;
		entries[i].at = hg_simple_at(ring, desc.addr, desc.n);
		if (HG_UNLIKELY(entries[i].at == NULL))
			break;
	}
	return i;
}

static HG_ALWAYS_INLINE unsigned hg_look_packed(struct hg_vring *ring, uint16_t want,
						struct hg_entry *entries, unsigned n)
{
	const uint16_t kind = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT;
	uint16_t at = ring->avail_at;
	bool wrap = ring->avail_wrap;
	unsigned i;

	n = n < ring->n ? n : ring->n;
	for (i = 0; i < n; i++) {
		uint16_t flags = hg_packed_flags(ring, at);
		struct hg_desc desc;

		if (!hg_packed_is_there(flags, wrap) || HG_UNLIKELY((flags & kind) != want))
			break;
		desc = hg_desc_read(&ring->descs.packed[at]);
		entries[i].n = desc.n;
		entries[i].id = desc.flags;
		entries[i].at = hg_simple_at(ring, desc.addr, desc.n);
		if (HG_UNLIKELY(entries[i].at == NULL))
			break;
		if (++at == ring->n) {
			at = 0;
			wrap = !wrap;
		}
	}
	return i;
}

/* Finds up to n buffers of one descriptor each, with just the flags that are wanted (0 or WRITE). Those behind
 * the first that is different are left for later. */
static HG_ALWAYS_INLINE unsigned hg_look(struct hg_vring *ring, bool is_packed, uint16_t want,
					 struct hg_entry *entries, unsigned n)
{
	return is_packed ? hg_look_packed(ring, want, entries, n)
			 : hg_look_split(ring, want, entries, n);
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

	ring->has_used = true;
	if (!is_packed) {
		ring->used.split->ring[ring->used_at & ring->mask] =
			(struct vring_used_elem){.id = id, .len = n_bytes};
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
