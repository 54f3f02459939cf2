#include "drivers/vring_place.h"

#include "drivers/vring_chain.h"

#define AVAIL_BIT (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED_BIT (1u << VRING_PACKED_DESC_F_USED)

/* Of the lap in which it was used last. */
static bool colour(const struct hg_vring *ring, uint32_t at)
{
	return (hg_packed_flags(ring, (uint16_t)at) & USED_BIT) != 0;
}

static bool fits(const struct hg_vring *ring)
{
	uint32_t at = ring->used_at, before = (at > 0 ? at : ring->n) - 1u;
	bool lap = ring->used_wrap;

	/* The one behind tells of a burst that was not shown. */
	return colour(ring, at) != lap && (at + 1u == ring->n || colour(ring, at + 1u) != lap) &&
	       colour(ring, before) == (at > 0 ? lap : !lap);
}

/* The first from `at` on with that colour; n: none. */
static uint32_t next_of(const struct hg_vring *ring, uint32_t at, bool lap)
{
	while (at < ring->n && colour(ring, at) != lap)
		at++;
	return at;
}

/* Behind the rest of the buffer that was used last: descriptors that go on to one with its number. `at` if there
 * are none. */
static uint32_t behind_tail(const struct hg_vring *ring, uint32_t at, bool lap)
{
	for (uint32_t i = at; i < ring->n && at > 0; i++) {
		uint16_t flags = hg_packed_flags(ring, (uint16_t)i);

		if (!hg_packed_is_there(flags, lap))
			return at;
		if (!(flags & VRING_DESC_F_NEXT))
			return ring->descs.packed[i].id == ring->descs.packed[at - 1u].id ? i + 1u
											  : at;
	}
	return at;
}

static void show(struct hg_vring *ring, uint32_t at, bool lap)
{
	unsigned flags = hg_packed_flags(ring, (uint16_t)at) & VRING_DESC_F_WRITE;

	if (lap)
		flags |= AVAIL_BIT | USED_BIT;
	__atomic_store_n(&ring->descs.packed[at].flags, (uint16_t)flags, __ATOMIC_RELEASE);
}

/* Whether the first descriptor of all began the burst that was not shown: the second and third are used, and what is
 * behind them has the first one's colour again. */
static bool begins_hidden(const struct hg_vring *ring)
{
	bool lap = !colour(ring, 0);

	return ring->n > 2 && colour(ring, 1) == lap && colour(ring, 2) == lap &&
	       next_of(ring, 3, !lap) < ring->n &&
	       hg_packed_is_there(hg_packed_flags(ring, 0), lap);
}

static uint32_t find_simple(struct hg_vring *ring, bool *lap)
{
	uint32_t at;

	if (begins_hidden(ring)) {
		*lap = !*lap;
		show(ring, 0, *lap);
	}
	at = next_of(ring, 0, !*lap);
	while (at < ring->n && next_of(ring, at, *lap) < ring->n) {
		show(ring, at, *lap);
		at = next_of(ring, at, !*lap);
	}
	return at;
}

static uint32_t find_chained(const struct hg_vring *ring, bool lap)
{
	uint32_t at = next_of(ring, 0, !lap), behind;

	while (at < ring->n && (behind = next_of(ring, at, lap)) < ring->n)
		at = next_of(ring, behind, !lap);
	return behind_tail(ring, at, lap);
}

void hg_vring_find_place(struct hg_vring *ring)
{
	bool lap = colour(ring, 0);
	uint32_t at;

	if (fits(ring))
		return;
	at = ring->has_indirect ? find_simple(ring, &lap) : find_chained(ring, lap);
	ring->avail_at = ring->used_at = ring->told_at = (uint16_t)(at < ring->n ? at : 0);
	ring->avail_wrap = ring->used_wrap = at < ring->n ? lap : !lap;
}
