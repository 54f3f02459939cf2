/* sched_blocked: the instances of a tenant that fell due while its maximum held it, by their deadlines.
 *
 * Why        Whoever of them has the earliest deadline must go first once the tenant may send, and that is not who came
 *            first: one of a low rate, found due when nobody else was, has a deadline that others have long before. All
 *            of them put back into the wheel with each of its packets would cost a packet as much as there are of them.
 * Model      For each tenant a radix heap of ticks: a list for each highest bit in which a tick differs from the clock,
 *            which is never beyond the earliest tick. When the first list that holds something begins in the past,
 *            the clock enters it, and what it holds moves to lists before it. (Ahuja et al., "Faster algorithms for
 *            the shortest path problem", JACM 1990.)
 *            One of them at a time stands in the wheel of deadlines. When it comes up there, the next follows it: so
 *            while a tenant that is not parked has any here, an entry of one of its instances is in the wheel.
 * Promise    They go back by their deadlines, exact to a tick, but in any order within a list that has not begun: so nobody
 *            stands behind a later deadline once its own has come. Nor are those in order that are blocked with a deadline
 *            before the clock: they go first.
 * Threads    The scheduler's owner. Cost: O(1) for who is blocked; one moves at most once for each bit of the time it
 *            waits, but with all that share its list: so of one call O(the tenant's that are blocked).
 */
#include "core/sched_due.h"

/* So many at most go back to the wheel at once. */
#define RELEASE_BATCH 16u
#define LISTS HG_SCHED_BLOCKED_LISTS

static int64_t tick_in(const struct hg_sched *s, const struct hg_blocked *b, uint32_t idx)
{
	return b->clock + (int32_t)(s->blocked_links[idx].tick - (uint32_t)b->clock);
}

/* Requires tick >= clock, by no more than HG_WHEEL_SPAN_TICKS. */
static void file(struct hg_sched *s, struct hg_blocked *b, uint32_t idx, int64_t tick)
{
	const uint64_t differs = (uint64_t)(tick ^ b->clock);
	unsigned list = differs == 0 ? 0 : 64u - (unsigned)__builtin_clzll(differs);
	struct hg_blocked_link *link = &s->blocked_links[idx];

	if (list > LISTS - 1u)
		list = LISTS - 1u;
	link->tick = (uint32_t)tick;
	link->next = b->full >> list & 1u ? b->first[list] : NO_INSTANCE;
	b->first[list] = idx;
	b->full |= 1u << list;
}

/* The first tick that may be in a list but the first. */
static int64_t list_begin(const struct hg_blocked *b, unsigned list)
{
	return (int64_t)((((uint64_t)b->clock >> (list - 1u)) + 1u) << (list - 1u));
}

static uint32_t take_first(struct hg_sched *s, struct hg_blocked *b, unsigned list)
{
	const uint32_t idx = b->first[list], next = s->blocked_links[idx].next;

	b->first[list] = next;
	if (next == NO_INSTANCE)
		b->full &= ~(1u << list);
	return idx;
}

/* Brings the clock into a list that begins in the past, to its earliest tick, and parts it. */
static void enter_list(struct hg_sched *s, struct hg_blocked *b, unsigned list, int64_t tick_now)
{
	const uint32_t first = b->first[list];
	int64_t earliest = tick_now;
	uint32_t next;

	for (uint32_t idx = first; idx != NO_INSTANCE; idx = s->blocked_links[idx].next)
		if (tick_in(s, b, idx) < earliest)
			earliest = tick_in(s, b, idx);
	b->clock = earliest;
	b->full &= ~(1u << list);
	for (uint32_t idx = first; idx != NO_INSTANCE; idx = next) {
		next = s->blocked_links[idx].next;
		file(s, b, idx, tick_in(s, b, idx));
	}
}

/* Requires that there is one. */
static uint32_t take(struct hg_sched *s, struct hg_blocked *b, int64_t tick_now)
{
	for (;;) {
		const unsigned list = (unsigned)__builtin_ctz(b->full);

		if (list == 0 || s->blocked_links[b->first[list]].next == NO_INSTANCE ||
		    list_begin(b, list) > tick_now)
			return take_first(s, b, list);
		enter_list(s, b, list, tick_now);
	}
}

void hg_sched_block(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_blocked *b = &s->blocked[node->tenant_idx];
	int64_t tick = tick_of(deadline_ns(s, idx, start_ns(node, now_ns)));

	if (b->full == 0)
		b->clock = tick < tick_of(now_ns) ? tick : tick_of(now_ns);
	if (tick < b->clock)
		tick = b->clock;
	if (tick - b->clock > HG_WHEEL_SPAN_TICKS)
		tick = b->clock + HG_WHEEL_SPAN_TICKS;
	node->flags |= BLOCKED;
	s->tenants[node->tenant_idx].flags |= BLOCKED;
	file(s, b, idx, tick);
}

/* Files an instance that was taken out as what it is owed says. Returns whether that is as it stood here. */
static bool release(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	int64_t tick;

	if (is_waiting(s, idx))
		forgive(s, idx, now_ns);
	tick = guarantee_file(s, idx, node, now_ns);
	return tick <= tick_of(now_ns) || (uint32_t)tick == s->blocked_links[idx].tick;
}

void hg_sched_unblock(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];
	struct hg_blocked *b = &s->blocked[tenant_idx];

	if ((t->flags & (BLOCKED | PARKED)) != BLOCKED)
		return;
	for (unsigned i = 1; b->full != 0; i++) {
		const uint32_t idx = take(s, b, tick_of(now_ns));

		s->nodes[idx].flags &= ~(uint32_t)BLOCKED;
		/* Of those that wait no more the last stands in the wheel, too, so that others follow it. */
		if (!is_waiting(s, idx) && i < RELEASE_BATCH)
			continue;
		if (release(s, idx, now_ns) || i >= RELEASE_BATCH)
			break;
	}
	if (b->full == 0)
		t->flags &= ~(uint32_t)BLOCKED;
}

void hg_sched_block_no_more(struct hg_sched *s, uint32_t idx)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_blocked *b = &s->blocked[node->tenant_idx];

	if (!(node->flags & BLOCKED))
		return;
	node->flags &= ~(uint32_t)BLOCKED;
	for (uint32_t full = b->full; full != 0; full &= full - 1u) {
		const unsigned list = (unsigned)__builtin_ctz(full);
		uint32_t *link = &b->first[list];

		while (*link != idx && *link != NO_INSTANCE)
			link = &s->blocked_links[*link].next;
		if (*link == idx)
			*link = s->blocked_links[idx].next;
		if (b->first[list] == NO_INSTANCE)
			b->full &= ~(1u << list);
	}
	if (b->full == 0)
		s->tenants[node->tenant_idx].flags &= ~(uint32_t)BLOCKED;
}
