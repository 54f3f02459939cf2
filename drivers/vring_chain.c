#include "drivers/vring_chain.h"

static bool refuse(struct hg_vring *ring, enum hg_vring_fault fault)
{
	ring->fault = (uint8_t)fault;
	return false;
}

/* One buffer, in as many pieces as the guest's memory has it. */
static bool add(struct hg_vring *ring, struct hg_chain *chain, uint64_t addr, uint32_t n_bytes)
{
	uint64_t left = n_bytes;

	/* Nothing is a piece too, or a chain of nothing would hold us up for as long as its table is. */
	if (HG_UNLIKELY(n_bytes == 0) && chain->n_empty++ == HG_CHAIN_PIECES_MAX)
		return refuse(ring, HG_VRING_LONG);
	while (left > 0) {
		uint64_t n = left;
		uint8_t *at = hg_guest_at(ring->memory, addr, &n);

		if (HG_UNLIKELY(at == NULL))
			return refuse(ring, HG_VRING_ADDRESS);
		if (HG_UNLIKELY(chain->n_pieces == HG_CHAIN_PIECES_MAX))
			return refuse(ring, HG_VRING_LONG);
		chain->pieces[chain->n_pieces++] = (struct hg_chain_piece){at, (uint32_t)n};
		addr += n;
		left -= n;
	}
	chain->total += n_bytes;
	return true;
}

/* The table that an indirect descriptor names; NULL: it is none. */
static const uint8_t *table_at(struct hg_vring *ring, const struct hg_desc *desc, uint32_t *ret_n)
{
	uint64_t n = desc->n;
	const uint8_t *at = hg_guest_at(ring->memory, desc->addr, &n);

	if (!ring->has_indirect || at == NULL || n != desc->n || n == 0 ||
	    n % sizeof(struct vring_desc) != 0) {
		refuse(ring, HG_VRING_INDIRECT);
		return NULL;
	}
	*ret_n = (uint32_t)(n / sizeof(struct vring_desc));
	return at;
}

bool hg_gather_split(struct hg_vring *ring, struct hg_place place, uint16_t want,
		     struct hg_chain *chain)
{
	uint16_t before = (uint16_t)(place.at - ring->avail_at);
	uint16_t there = hg_split_there(ring, (uint16_t)(before + 1u));
	const uint8_t *table = (const uint8_t *)ring->descs.split;
	uint32_t n_table = ring->n, n_seen = 0, idx;
	bool is_indirect = false;

	if (there > ring->n)
		return refuse(ring, HG_VRING_INDEX);
	if (before >= there)
		return false;
	idx = __atomic_load_n(&ring->avail.split->ring[place.at & ring->mask], __ATOMIC_RELAXED);
	chain->id = (uint16_t)idx;
	chain->n_slots = 1;
	chain->n_pieces = 0;
	chain->total = 0;
	chain->n_empty = 0;
	for (;;) {
		struct hg_desc desc;

		if (idx >= n_table)
			return refuse(ring, HG_VRING_HEAD);
		if (n_seen++ == n_table)
			return refuse(ring, HG_VRING_LOOP);
		desc = hg_desc_read(table + idx * sizeof(struct vring_desc));
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			if (is_indirect || (desc.flags & VRING_DESC_F_NEXT))
				return refuse(ring, HG_VRING_INDIRECT);
			table = table_at(ring, &desc, &n_table);
			if (table == NULL)
				return false;
			is_indirect = true;
			idx = n_seen = 0;
			continue;
		}
		if ((desc.flags & VRING_DESC_F_WRITE) != want)
			return refuse(ring, HG_VRING_DIRECTION);
		if (!add(ring, chain, desc.addr, desc.n))
			return false;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return true;
		idx = desc.next;
	}
}

static bool gather_table(struct hg_vring *ring, const struct hg_desc *indirect, uint16_t want,
			 struct hg_chain *chain)
{
	uint32_t n = 0;
	const uint8_t *table = table_at(ring, indirect, &n);

	if (table == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		struct hg_desc desc = hg_desc_read(table + i * sizeof(struct vring_packed_desc));

		if ((desc.next & VRING_DESC_F_WRITE) != want)
			return refuse(ring, HG_VRING_DIRECTION);
		if (!add(ring, chain, desc.addr, desc.n))
			return false;
	}
	return true;
}

bool hg_gather_packed(struct hg_vring *ring, struct hg_place place, uint16_t want,
		      struct hg_chain *chain)
{
	uint16_t flags = hg_packed_flags(ring, place.at);

	if (!hg_packed_is_there(flags, place.wrap))
		return false;
	chain->n_slots = 0;
	chain->n_pieces = 0;
	chain->total = 0;
	chain->n_empty = 0;
	for (;;) {
		struct hg_desc desc = hg_desc_read(&ring->descs.packed[place.at]);

		if (chain->n_slots == ring->n)
			return refuse(ring, HG_VRING_LOOP);
		chain->n_slots++;
		chain->id = desc.flags;
		flags = desc.next;
		if (flags & VRING_DESC_F_INDIRECT) {
			if (chain->n_slots > 1 || (flags & VRING_DESC_F_NEXT))
				return refuse(ring, HG_VRING_INDIRECT);
			return gather_table(ring, &desc, want, chain);
		}
		if ((flags & VRING_DESC_F_WRITE) != want)
			return refuse(ring, HG_VRING_DIRECTION);
		if (!add(ring, chain, desc.addr, desc.n))
			return false;
		if (!(flags & VRING_DESC_F_NEXT))
			return true;
		place = hg_place_behind(ring, /* is_packed= */ true, place, 1);
	}
}
