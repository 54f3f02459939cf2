#include "core/belief.h"

/* What clocks and cards differ by, and more: crystals are good to 1/10,000. */
#define FASTER_64THS 65u
/* A card's releases are read by a clock that may be as coarse as an instant; four of them tell. */
#define TELLING_NS (4 * HG_BELIEF_INSTANT_NS)

void hg_belief_set_rate(struct hg_belief *b, uint64_t bytes_per_s)
{
	uint64_t believed = bytes_per_s * FASTER_64THS / 64u;

	if (believed == 0)
		believed = 1;
	/* As many bits as leave 2^31 bytes times pace below 2^63. */
	b->shift = 32;
	while (((uint64_t)HG_NS_PER_S << b->shift) / believed > UINT32_MAX)
		b->shift--;
	b->pace = ((uint64_t)HG_NS_PER_S << b->shift) / believed;
	b->wire_fraction = 0;
	b->ahead_ns = hg_belief_wire_ns(b, HG_BELIEF_AHEAD_BYTES) + HG_BELIEF_AHEAD_NS;
}

void hg_belief_restart(struct hg_belief *b)
{
	b->n_judged = 0;
	b->n_early = 0;
	b->n_early_instants = 0;
	b->n_possible = 0;
	b->early_at_ns = -1;
	b->wire_end_ns = 0;
	b->wire_fraction = 0;
}

void hg_belief_init(struct hg_belief *b, uint64_t bytes_per_s)
{
	*b = (struct hg_belief){0};
	hg_belief_set_rate(b, bytes_per_s);
	hg_belief_restart(b);
}

/* Puts the packet on the virtual wire. */
static void send(struct hg_belief *b, uint32_t wire_bytes, hg_ns handed_ns)
{
	if (b->wire_end_ns < handed_ns) {
		b->wire_end_ns = handed_ns;
		b->wire_fraction = 0;
	}
	b->wire_fraction += wire_bytes * b->pace;
	b->wire_end_ns += (hg_ns)(b->wire_fraction >> b->shift);
	b->wire_fraction &= (UINT64_C(1) << b->shift) - 1u;
}

static void count_judged(struct hg_belief *b, uint32_t n)
{
	b->n_judged += n;
	if (b->n_judged < HG_BELIEF_WINDOW || hg_belief_is_early(b))
		return;
	/* Half a window is left: one that is early by turns is found at its edges, too. */
	b->n_early = (uint32_t)((uint64_t)b->n_early * (HG_BELIEF_WINDOW / 2u) / b->n_judged);
	b->n_judged = HG_BELIEF_WINDOW / 2u;
	if (b->n_early == 0)
		b->n_early_instants = 0;
}

static void count_early(struct hg_belief *b, uint32_t n, hg_ns now_ns)
{
	b->n_possible = 0;
	b->n_early += n;
	if (b->early_at_ns != now_ns)
		b->n_early_instants++;
	b->early_at_ns = now_ns;
	count_judged(b, n);
}

static void count_possible(struct hg_belief *b, uint32_t n)
{
	/* No run that is asked for is longer, so there is nothing to learn from it. */
	if (b->n_possible < UINT32_MAX / 2u)
		b->n_possible += n;
	if (b->n_early == 0)
		b->n_judged = 0;
	else
		count_judged(b, n);
}

void hg_belief_released(struct hg_belief *b, uint32_t wire_bytes, uint32_t n, hg_ns handed_ns,
			hg_ns now_ns)
{
	hg_ns ahead_ns;

	send(b, wire_bytes, handed_ns);
	ahead_ns = b->wire_end_ns - now_ns;
	if (ahead_ns > b->ahead_ns) {
		count_early(b, n, now_ns);
		return;
	}
	if (ahead_ns > 0 && now_ns - handed_ns <= HG_BELIEF_INSTANT_NS) {
		if (b->wire_end_ns - handed_ns >= TELLING_NS)
			count_early(b, n, now_ns);
		return;
	}
	count_possible(b, n);
}
