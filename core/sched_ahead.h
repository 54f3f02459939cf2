/* sched_ahead: asking for cache lines before they are needed.
 *
 * Why        A decision touches lines in a chain: tenant, instance, queue, first packets. With thousands of instances
 *            none of them is near, and waiting for one after the other is most of what a decision takes.
 * Model      Each is asked for one decision after the one that leads to it, and at the end of a call what the first
 *            decisions of the next one will touch, as far as the orders tell.
 * Cost       Some reads of lines that are near. What is asked for in vain does no harm.
 * Not here   Nothing outside core/sched*.c includes this.
 */
#ifndef HG_CORE_SCHED_AHEAD_H
#define HG_CORE_SCHED_AHEAD_H

#include "core/sched_calendar.h"

/* Those whose guarantees fall due that are asked for together. */
#define STARTS_AHEAD 8u
/* Decisions of a visit before which an instance is asked for; its packets, one later. */
#define INSTANCES_AHEAD 2u
/* Visits of tenants that are looked at before they come. */
#define VISITS_AHEAD 4u

static inline void prefetch_pkts(const struct hg_sched *s, uint32_t idx)
{
	uint32_t head = s->queues[idx].head;

	if (s->queues[idx].n_pkts == 0)
		return;
	HG_PREFETCH(&s->fifo.entries[head]);
	HG_PREFETCH(&s->fifo.entries[head | HG_FIFO_CHUNK / 2u]);
}

static inline void prefetch_instance(const struct hg_sched *s, uint32_t idx)
{
	HG_PREFETCH(&s->nodes[idx]);
	HG_PREFETCH(&s->queues[idx]);
}

/* Asks for the instance that comes n after the next one of a tenant, those before it having been asked for; and for
 * the first packets of the next few. */
static inline void prefetch_along(const struct hg_sched *s, const struct hg_share *share,
				  unsigned n, unsigned n_pkts)
{
	struct calendar_look look = look_first(share);

	for (unsigned i = 0; i < n && look.idx != NO_INSTANCE; i++) {
		if (i < n_pkts)
			prefetch_pkts(s, look.idx);
		look_next(s, share, &look);
	}
	if (look.idx != NO_INSTANCE)
		prefetch_instance(s, look.idx);
}

/* Goes along a calendar in front of the decisions of a visit: asks for an instance, and at the step behind that for its
 * packets. Each step reads what one some decisions before has asked for. */
static inline void ahead_step(const struct hg_sched *s, const struct hg_share *share,
			      struct calendar_look *ahead)
{
	if (ahead->idx == NO_INSTANCE)
		return;
	prefetch_pkts(s, ahead->idx);
	look_next(s, share, ahead);
	if (ahead->idx != NO_INSTANCE)
		prefetch_instance(s, ahead->idx);
}

static inline struct calendar_look ahead_begin(const struct hg_sched *s,
					       const struct hg_share *share)
{
	struct calendar_look ahead = look_first(share);

	for (unsigned i = 0; i < INSTANCES_AHEAD; i++)
		ahead_step(s, share, &ahead);
	return ahead;
}

/* For the next visits: each step of the chain that leads to the packets of one is asked for a visit before the step
 * behind it. */
static inline void prefetch_shares(const struct hg_sched *s)
{
	uint32_t id;

	for (unsigned ahead = 0; ahead < VISITS_AHEAD; ahead++) {
		id = hg_wheel_ahead(&s->shares[HG_PRIORITY_NORMAL], ahead);
		if (id == UINT32_MAX)
			return;
		prefetch_along(s, &s->tenants[id].share, VISITS_AHEAD - 1u - ahead,
			       ahead == 0 ? 8 : 0);
	}
	id = hg_wheel_ahead(&s->shares[HG_PRIORITY_NORMAL], VISITS_AHEAD);
	if (id == UINT32_MAX)
		return;
	HG_PREFETCH(&s->tenants[id]);
	HG_PREFETCH(&s->tenants[id].share.slot);
}

/* For the next call: whose guarantee will be due. */
static inline void prefetch_starts(const struct hg_sched *s)
{
	uint32_t ids[STARTS_AHEAD];
	unsigned n = hg_wheel_peek(&s->starts, ids, STARTS_AHEAD);

	for (unsigned i = n; i > 0; i--) {
		uint32_t idx = ids[i - 1u] & ID_IDX_MASK;

		if ((ids[i - 1u] & ID_KIND_MASK) != ID_INSTANCE)
			continue;
		prefetch_instance(s, idx);
		if (i > 4)
			continue;
		prefetch_pkts(s, idx);
		HG_PREFETCH(&s->tenants[s->nodes[idx].tenant_idx]);
	}
}

static inline void prefetch_deadlines(const struct hg_sched *s)
{
	uint32_t next = hg_wheel_ahead(&s->deadlines, 1), later = hg_wheel_ahead(&s->deadlines, 3);

	if (later != UINT32_MAX && (later & ID_KIND_MASK) == ID_INSTANCE)
		prefetch_instance(s, later & ID_IDX_MASK);
	if (next != UINT32_MAX && (next & ID_KIND_MASK) == ID_INSTANCE) {
		prefetch_pkts(s, next & ID_IDX_MASK);
		HG_PREFETCH(&s->tenants[s->nodes[next & ID_IDX_MASK].tenant_idx]);
	}
}

#endif
