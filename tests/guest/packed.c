/* packed: one table in which driver and device take turns (virtio 1.1). */
#include "tests/guest/ring.h"

#define AVAIL_BIT (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED_BIT (1u << VRING_PACKED_DESC_F_USED)

static uint16_t avail_flags(bool wrap)
{
	return (uint16_t)(wrap ? AVAIL_BIT : USED_BIT);
}

static void step(const struct guest_ring *ring, uint16_t *at, bool *wrap, unsigned n)
{
	unsigned to = *at + n;

	if (to >= ring->size) {
		to -= ring->size;
		*wrap = !*wrap;
	}
	*at = (uint16_t)to;
}

static struct vring_packed_desc make(const struct guest_ring *ring, struct guest_piece piece,
				     uint16_t id, bool has_next)
{
	return (struct vring_packed_desc){
		.addr = piece.gpa,
		.len = piece.n_bytes,
		.id = id,
		.flags = (uint16_t)((ring->is_for_device ? VRING_DESC_F_WRITE : 0) |
				    (has_next ? VRING_DESC_F_NEXT : 0))};
}

/* Everything but the flags, which the device looks at. */
static void put(struct guest_ring *ring, uint16_t at, const struct vring_packed_desc *desc)
{
	ring->packed[at].addr = desc->addr;
	ring->packed[at].len = desc->len;
	ring->packed[at].id = desc->id;
}

static struct guest_piece fill_table(struct guest_ring *ring, uint16_t id,
				     const struct guest_piece *pieces, unsigned n)
{
	struct vring_packed_desc *table =
		(struct vring_packed_desc *)(void *)guest_ring_table(ring, id);

	/* In a table no next is needed: its length says how many there are. */
	for (unsigned i = 0; i < n; i++)
		table[i] = make(ring, pieces[i], 0, false);
	return (struct guest_piece){.gpa = guest_memory_gpa(ring->memory, table),
				    .n_bytes = (uint32_t)(n * sizeof(*table))};
}

bool guest_packed_add(struct guest_ring *ring, const struct guest_piece *pieces, unsigned n,
		      bool is_indirect)
{
	unsigned n_descs = is_indirect ? 1 : n;
	uint16_t head = ring->next_avail, id = ring->free_head, head_flags = 0;
	struct guest_piece table;

	if (n_descs > ring->n_free)
		return false;
	if (is_indirect) {
		table = fill_table(ring, id, pieces, n);
		pieces = &table;
	}
	for (unsigned i = 0; i < n_descs; i++) {
		struct vring_packed_desc desc = make(ring, pieces[i], id, i + 1u < n_descs);
		uint16_t flags = (uint16_t)(desc.flags | avail_flags(ring->avail_wrap));

		if (is_indirect)
			flags = (uint16_t)(VRING_DESC_F_INDIRECT | avail_flags(ring->avail_wrap));
		put(ring, ring->next_avail, &desc);
		if (i == 0)
			head_flags = flags;
		else
			ring->packed[ring->next_avail].flags = flags;
		step(ring, &ring->next_avail, &ring->avail_wrap, 1);
	}
	ring->free_head = ring->next_free[id];
	ring->chain_descs[id] = (uint16_t)n_descs;
	ring->n_free = (uint16_t)(ring->n_free - n_descs);
	ring->added = (uint16_t)(ring->added + n_descs);
	__atomic_store_n(&ring->packed[head].flags, head_flags, __ATOMIC_RELEASE);
	return true;
}

static bool is_used(const struct guest_ring *ring, uint16_t at, bool wrap)
{
	uint16_t flags = __atomic_load_n(&ring->packed[at].flags, __ATOMIC_ACQUIRE);

	return ((flags & AVAIL_BIT) != 0) == wrap && ((flags & USED_BIT) != 0) == wrap;
}

bool guest_packed_has_used(const struct guest_ring *ring)
{
	return is_used(ring, ring->last_used, ring->used_wrap);
}

int guest_packed_take_used(struct guest_ring *ring, uint16_t *ret_id, uint32_t *ret_bytes)
{
	uint16_t id;

	if (!guest_packed_has_used(ring))
		return 0;
	id = ring->packed[ring->last_used].id;
	if (id >= ring->size || ring->chain_descs[id] == 0)
		return -1;
	*ret_id = id;
	*ret_bytes = ring->packed[ring->last_used].len;
	step(ring, &ring->last_used, &ring->used_wrap, ring->chain_descs[id]);
	ring->n_free = (uint16_t)(ring->n_free + ring->chain_descs[id]);
	ring->chain_descs[id] = 0;
	ring->next_free[id] = ring->free_head;
	ring->free_head = id;
	return 1;
}

bool guest_packed_wants_kick(struct guest_ring *ring)
{
	uint16_t off_wrap, flags, event, before = (uint16_t)(ring->next_avail - ring->added);

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	off_wrap = __atomic_load_n(&ring->device_event->off_wrap, __ATOMIC_RELAXED);
	flags = __atomic_load_n(&ring->device_event->flags, __ATOMIC_ACQUIRE);
	ring->added = 0;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	event = off_wrap & 0x7fff;
	if ((off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR) != ring->avail_wrap)
		event = (uint16_t)(event - ring->size);
	return vring_need_event(event, ring->next_avail, before);
}

void guest_packed_want_calls(struct guest_ring *ring, bool wants)
{
	uint16_t flags = VRING_PACKED_EVENT_FLAG_DISABLE;

	if (wants && ring->has_event_idx) {
		ring->driver_event->off_wrap =
			(uint16_t)(ring->last_used | ring->used_wrap
							     << VRING_PACKED_EVENT_F_WRAP_CTR);
		flags = VRING_PACKED_EVENT_FLAG_DESC;
	} else if (wants) {
		flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	}
	__atomic_store_n(&ring->driver_event->flags, flags, __ATOMIC_RELEASE);
}

/* A device that comes new goes on behind what the old one has used: further than the driver has looked. */
uint32_t guest_packed_base(const struct guest_ring *ring)
{
	uint16_t at = ring->last_used;
	bool wrap = ring->used_wrap;

	for (unsigned n = ring->n_free; n < ring->size && is_used(ring, at, wrap);) {
		uint16_t id = ring->packed[at].id;
		uint16_t n_descs = id < ring->size ? ring->chain_descs[id] : 0;

		if (n_descs == 0)
			break;
		step(ring, &at, &wrap, n_descs);
		n += n_descs;
	}
	return (uint32_t)(at | wrap << 15) | (uint32_t)(at | wrap << 15) << 16;
}
