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

#include "core/sched_impl.h"

/* Those whose guarantees fall due that are asked for together. */
#define STARTS_AHEAD 8u

static inline void prefetch_pkts(const struct hg_sched *s, uint32_t idx)
{
	uint32_t head = s->queues[idx].head;

	if (s->queues[idx].n_pkts == 0)
		return;
	HG_PREFETCH(&s->fifo.entries[head]);
	HG_PREFETCH(&s->fifo.entries[head | HG_FIFO_CHUNK / 2u]);
}

static inline void prefetch_calendar(const struct hg_sched *s, const struct hg_share *share)
{
	const struct hg_node *next;

	if (share->current == NO_INSTANCE)
		return;
	next = &s->nodes[share->current];
	prefetch_pkts(s, share->current);
	if (next->next != NO_INSTANCE)
		HG_PREFETCH(&s->nodes[next->next]);
}

/* For the next call: what its first visits will touch. */
static inline void prefetch_shares(const struct hg_sched *s)
{
	uint32_t id = hg_wheel_ahead(&s->shares[HG_PRIORITY_NORMAL], 0);

	if (id == UINT32_MAX)
		return;
	id = s->tenants[id].share.current;
	if (id != NO_INSTANCE)
		prefetch_pkts(s, id);
	id = hg_wheel_ahead(&s->shares[HG_PRIORITY_NORMAL], 1);
	if (id == UINT32_MAX)
		return;
	id = s->tenants[id].share.current;
	if (id != NO_INSTANCE)
		HG_PREFETCH(&s->nodes[id]);
	id = hg_wheel_ahead(&s->shares[HG_PRIORITY_NORMAL], 2);
	if (id != UINT32_MAX)
		HG_PREFETCH(&s->tenants[id]);
}

static inline void prefetch_instance(const struct hg_sched *s, uint32_t idx)
{
	HG_PREFETCH(&s->nodes[idx]);
	HG_PREFETCH(&s->queues[idx]);
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
		if (i > 2)
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
