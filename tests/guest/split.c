/* split: the three tables of virtio 1.0. */
#include "tests/guest/ring.h"

static uint16_t flags_of(const struct guest_ring *ring, bool has_next)
{
	return (uint16_t)((ring->is_for_device ? VRING_DESC_F_WRITE : 0) |
			  (has_next ? VRING_DESC_F_NEXT : 0));
}

static void fill_table(const struct guest_ring *ring, struct vring_desc *table,
		       const struct guest_piece *pieces, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		table[i] = (struct vring_desc){.addr = pieces[i].gpa,
					       .len = pieces[i].n_bytes,
					       .flags = flags_of(ring, i + 1u < n),
					       .next = (uint16_t)(i + 1u < n ? i + 1u : 0)};
}

bool guest_split_add(struct guest_ring *ring, const struct guest_piece *pieces, unsigned n,
		     bool is_indirect)
{
	unsigned n_descs = is_indirect ? 1 : n;
	uint16_t head = ring->free_head, at = head;

	if (n_descs > ring->n_free)
		return false;
	if (is_indirect) {
		struct vring_desc *table = guest_ring_table(ring, head);

		fill_table(ring, table, pieces, n);
		ring->desc[head] =
			(struct vring_desc){.addr = guest_memory_gpa(ring->memory, table),
					    .len = (uint32_t)(n * sizeof(*table)),
					    .flags = VRING_DESC_F_INDIRECT};
		at = ring->next_free[head];
	} else {
		for (unsigned i = 0; i < n; i++) {
			ring->desc[at] = (struct vring_desc){.addr = pieces[i].gpa,
							     .len = pieces[i].n_bytes,
							     .flags = flags_of(ring, i + 1u < n),
							     .next = ring->next_free[at]};
			at = ring->next_free[at];
		}
	}
	ring->free_head = at;
	ring->n_free = (uint16_t)(ring->n_free - n_descs);
	ring->chain_descs[head] = (uint16_t)n_descs;
	ring->avail->ring[ring->next_avail % ring->size] = head;
	ring->next_avail++;
	__atomic_store_n(&ring->avail->idx, ring->next_avail, __ATOMIC_RELEASE);
	return true;
}

/* The descriptors of a chain that lies in the ring are still linked by next_free, since nobody else may take
 * them. */
static void free_chain(struct guest_ring *ring, uint16_t head)
{
	uint16_t last = head;

	for (unsigned i = 1; i < ring->chain_descs[head]; i++)
		last = ring->next_free[last];
	ring->next_free[last] = ring->free_head;
	ring->free_head = head;
	ring->n_free = (uint16_t)(ring->n_free + ring->chain_descs[head]);
	ring->chain_descs[head] = 0;
}

int guest_split_take_used(struct guest_ring *ring, uint16_t *ret_id, uint32_t *ret_bytes)
{
	uint16_t idx = __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE);
	const struct vring_used_elem *used = &ring->used->ring[ring->last_used % ring->size];
	uint32_t id;

	if (idx == ring->last_used)
		return 0;
	id = used->id;
	if (id >= ring->size || ring->chain_descs[id] == 0)
		return -1;
	*ret_id = (uint16_t)id;
	*ret_bytes = used->len;
	free_chain(ring, (uint16_t)id);
	ring->last_used++;
	return 1;
}

bool guest_split_wants_kick(struct guest_ring *ring)
{
	uint16_t before = ring->kicked_at;

	/* What was made available must be seen before the device's wish is read. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ring->kicked_at = ring->next_avail;
	if (ring->has_event_idx) {
		const __virtio16 *avail_event = (const __virtio16 *)&ring->used->ring[ring->size];

		return vring_need_event(__atomic_load_n(avail_event, __ATOMIC_RELAXED),
					ring->next_avail, before);
	}
	return (__atomic_load_n(&ring->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY) ==
	       0;
}

void guest_split_want_calls(struct guest_ring *ring, bool wants)
{
	__virtio16 *used_event = &ring->avail->ring[ring->size];

	/* An event that lies behind us is not reached before the index has gone round. */
	if (ring->has_event_idx)
		__atomic_store_n(used_event, (__virtio16)(ring->last_used - (wants ? 0 : 1)),
				 __ATOMIC_RELAXED);
	else
		__atomic_store_n(&ring->avail->flags,
				 (__virtio16)(wants ? 0 : VRING_AVAIL_F_NO_INTERRUPT),
				 __ATOMIC_RELAXED);
}
