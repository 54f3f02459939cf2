#include "tests/guest/ring.h"

#include <string.h>

/* The place of a split ring; a packed one, with its two event structures, is smaller. */
static size_t parts_bytes(uint16_t size)
{
	return vring_size(size, VRING_USED_ALIGN_SIZE);
}

static size_t tables_bytes(uint16_t size)
{
	return (size_t)size * GUEST_CHAIN_MAX * sizeof(struct vring_desc);
}

size_t guest_ring_bytes(uint16_t size)
{
	/* Each part begins with a page. */
	return parts_bytes(size) + tables_bytes(size) + 2u * 4096u;
}

void guest_ring_init(struct guest_ring *ring, struct guest_memory *memory, uint16_t size,
		     uint16_t *arrays)
{
	void *parts = guest_memory_take(memory, parts_bytes(size), 4096);
	struct vring split;

	*ring = (struct guest_ring){.memory = memory, .size = size};
	ring->next_free = arrays;
	ring->chain_descs = arrays + size;
	vring_init(&split, size, parts, VRING_USED_ALIGN_SIZE);
	ring->desc = split.desc;
	ring->avail = split.avail;
	ring->used = split.used;
	ring->packed = parts;
	ring->driver_event = (struct vring_packed_desc_event *)(ring->packed + size);
	ring->device_event = ring->driver_event + 1;
	ring->tables = guest_memory_take(memory, tables_bytes(size), 4096);
}

void guest_ring_reset(struct guest_ring *ring, bool is_packed, bool has_event_idx)
{
	memset(ring->desc, 0, parts_bytes(ring->size));
	ring->is_packed = is_packed;
	ring->has_event_idx = has_event_idx;
	for (unsigned id = 0; id < ring->size; id++) {
		ring->next_free[id] = (uint16_t)(id + 1u);
		ring->chain_descs[id] = 0;
	}
	ring->free_head = 0;
	ring->n_free = ring->size;
	ring->next_avail = ring->last_used = ring->kicked_at = ring->added = 0;
	ring->avail_wrap = ring->used_wrap = true;
}

struct vring_desc *guest_ring_table(const struct guest_ring *ring, uint16_t id)
{
	return ring->tables + (size_t)id * GUEST_CHAIN_MAX;
}

int guest_ring_next_id(const struct guest_ring *ring)
{
	return ring->n_free > 0 ? ring->free_head : -1;
}

bool guest_ring_add(struct guest_ring *ring, const struct guest_piece *pieces, unsigned n,
		    bool is_indirect)
{
	return (ring->is_packed ? guest_packed_add : guest_split_add)(ring, pieces, n, is_indirect);
}

bool guest_ring_has_used(const struct guest_ring *ring)
{
	if (ring->is_packed)
		return guest_packed_has_used(ring);
	return __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) != ring->last_used;
}

int guest_ring_take_used(struct guest_ring *ring, uint16_t *ret_id, uint32_t *ret_bytes)
{
	return (ring->is_packed ? guest_packed_take_used : guest_split_take_used)(ring, ret_id,
										  ret_bytes);
}

bool guest_ring_wants_kick(struct guest_ring *ring)
{
	return (ring->is_packed ? guest_packed_wants_kick : guest_split_wants_kick)(ring);
}

void guest_ring_want_calls(struct guest_ring *ring, bool wants)
{
	(ring->is_packed ? guest_packed_want_calls : guest_split_want_calls)(ring, wants);
	/* What was used before the device could see this is not called for: the caller looks once more. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

uint32_t guest_ring_base(const struct guest_ring *ring)
{
	if (ring->is_packed)
		return guest_packed_base(ring);
	return __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE);
}
