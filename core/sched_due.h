/* sched_due: filing guarantees by when they are due.
 *
 * Why        Both ends of the scheduler file and charge them: push for who wakes, pop and pass for who was served.
 * Model      See core/sched_impl.h: a guarantee that is not due yet stands in `starts`, one that is due in
 *            `deadlines`.
 * Not here   Nothing outside core/sched*.c includes this.
 */
#ifndef HG_CORE_SCHED_DUE_H
#define HG_CORE_SCHED_DUE_H

#include "core/sched_impl.h"

static inline hg_ns reserve_ns(const struct hg_node *node)
{
	return pace_cost_ns(node->guarantee, node->reserve_bytes);
}

/* From when on a guarantee counts. Who spends a reserve is as one who begins now; once it lags behind what
 * it would have without the reserve, it has begun before. */
static inline hg_ns start_ns(uint32_t *flags, hg_ns due_ns, hg_ns in_reserve_ns, hg_ns now_ns)
{
	if (due_ns > now_ns)
		*flags &= ~(uint32_t)ON_CREDIT;
	else if (due_ns + in_reserve_ns < now_ns)
		return due_ns + in_reserve_ns;
	else
		return now_ns;
	return due_ns;
}

/* By when the next decision of an instance should be served. Credit is served by the quantum: by the
 * packet, whoever has queued little would go before who has queued much, and all would be served one
 * packet at a time. */
static inline hg_ns deadline_ns(const struct hg_sched *s, uint32_t idx, hg_ns from_ns)
{
	const struct hg_node *node = &s->nodes[idx];
	uint32_t bytes = s->quantum_bytes;

	if (!(node->flags & ON_CREDIT) && queued_bytes(&s->queues[idx]) < bytes)
		bytes = queued_bytes(&s->queues[idx]);
	return from_ns + pace_cost_ns(node->guarantee, bytes);
}

/* Enters an instance in the wheel of guarantees that it belongs to. */
static inline void guarantee_file(struct hg_sched *s, uint32_t idx, struct hg_node *node,
				  hg_ns now_ns)
{
	hg_ns from_ns = node->due_ns;
	uint32_t id;

	if (node->flags & ON_CREDIT)
		from_ns = start_ns(&node->flags, from_ns, reserve_ns(node), now_ns);
	node->flags |= IN_GUARANTEE;
	id = guarantee_id(idx, ID_INSTANCE, node->flags);
	if (tick_of(from_ns) > tick_of(now_ns))
		hg_wheel_push(&s->starts, id, tick_of(from_ns));
	else
		hg_wheel_push(&s->deadlines, id, tick_of(deadline_ns(s, idx, from_ns)));
}

static inline void tenant_guarantee_file(struct hg_sched *s, uint32_t tenant_idx,
					 struct hg_tenant *t, hg_ns now_ns)
{
	hg_ns from_ns = t->due_ns;
	uint32_t id;

	if (t->flags & ON_CREDIT)
		from_ns = start_ns(&t->flags, from_ns, t->reserve_ns, now_ns);
	t->flags |= IN_GUARANTEE;
	id = guarantee_id(tenant_idx, ID_TENANT, t->flags);
	if (tick_of(from_ns) > tick_of(now_ns))
		hg_wheel_push(&s->starts, id, tick_of(from_ns));
	else
		hg_wheel_push(&s->deadlines, id,
			      tick_of(from_ns + pace_cost_ns(t->guarantee, s->quantum_bytes)));
}

static inline hg_ns charge_due(hg_ns due_ns, pace32 pace, uint32_t bytes, hg_ns now_ns)
{
	if (HG_UNLIKELY(due_ns < now_ns - LAG_MAX_NS))
		due_ns = now_ns - LAG_MAX_NS;
	return due_ns + pace_cost_ns(pace, bytes);
}

/* What an instance was served out of its own guarantee. Its tenant's is charged too, but runs no further ahead than by
 * this decision, so that a reserve spent inside does not leave the tenant without its own. */
static inline void guarantee_charge(struct hg_node *node, struct hg_tenant *t, uint32_t bytes,
				    hg_ns now_ns)
{
	node->due_ns = charge_due(node->due_ns, node->guarantee, bytes, now_ns);
	if (t->guarantee != 0) {
		hg_ns ahead_ns = now_ns + pace_cost_ns(t->guarantee, bytes);

		t->due_ns = charge_due(t->due_ns, t->guarantee, bytes, now_ns);
		if (t->due_ns > ahead_ns)
			t->due_ns = ahead_ns;
	}
}

#endif
