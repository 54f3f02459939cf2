/* sched_due: filing guarantees by when they are due.
 *
 * Why        Both ends of the scheduler file and charge them: push for who wakes, pop and pass for who was served.
 * Model      See core/sched_impl.h: a guarantee that is not due yet stands in `starts`, one that is due in
 *            `deadlines`.
 * Not here   Nothing outside core/sched*.c includes this.
 */
#ifndef HG_CORE_SCHED_DUE_H
#define HG_CORE_SCHED_DUE_H

#include "core/sched_calendar.h"

/* From when on a guarantee counts whose owner spends a reserve: as one who begins now, so that it does not go ahead of
 * those who wait. What it is not served from then on it lags behind, though credit be left: start and credit are each
 * as if the other were not, and the credit is what the start is ahead of the due time. It is never more than the due time
 * is behind, or who had spent little, or woken with little, would be owed a whole reserve before anybody minded. */
static inline hg_ns credit_start_ns(uint32_t *flags, hg_ns due_ns, hg_ns *credit_ns, hg_ns now_ns)
{
	if (due_ns > now_ns) {
		*flags &= ~(uint32_t)ON_CREDIT;
		return due_ns;
	}
	if (*credit_ns > now_ns - due_ns)
		*credit_ns = now_ns - due_ns;
	return due_ns + *credit_ns;
}

/* The same for an instance that is ON_CREDIT. */
static inline hg_ns node_start_ns(struct hg_node *node, hg_ns now_ns)
{
	hg_ns credit_ns = span_ns(node->credit);
	const hg_ns had_ns = credit_ns;
	const hg_ns from_ns = credit_start_ns(&node->flags, node->due_ns, &credit_ns, now_ns);

	if (credit_ns < had_ns)
		node->credit = span_up(credit_ns);
	return from_ns;
}

/* Of any instance. */
static inline hg_ns start_ns(struct hg_node *node, hg_ns now_ns)
{
	return node->flags & ON_CREDIT ? node_start_ns(node, now_ns) : node->due_ns;
}

static inline uint32_t larger_of(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* By when the next decision of an instance should be served. It takes what is queued, up to a quantum, or a packet that
 * is larger as a whole: by less than that, its deadline would be as if its rate were higher, and many who have such
 * packets at once would be more than the link. Credit is served by the quantum: by the packet, whoever has queued little
 * would go before who has queued much, and all would be served one packet at a time. */
static inline hg_ns deadline_ns(const struct hg_sched *s, uint32_t idx, hg_ns from_ns)
{
	const struct hg_node *node = &s->nodes[idx];
	const struct hg_queue *queue = &s->queues[idx];
	uint32_t bytes = s->quantum_bytes;

	if (!(node->flags & ON_CREDIT) && queued_bytes(queue) < bytes)
		bytes = queued_bytes(queue);
	else if (queued_bytes(queue) > bytes)
		bytes = larger_of(bytes, load_bytes(s->fifo.entries[queue->head].load));
	return from_ns + pace_cost_ns(node->guarantee, bytes);
}

/* Enters an instance in the wheel of guarantees that it belongs to. Returns the tick at which it stands there. */
static inline int64_t guarantee_file(struct hg_sched *s, uint32_t idx, struct hg_node *node,
				     hg_ns now_ns)
{
	const hg_ns from_ns = start_ns(node, now_ns);
	int64_t tick = tick_of(from_ns);
	uint32_t id;

	node->flags |= IN_GUARANTEE;
	id = guarantee_id(idx, ID_INSTANCE, node->flags);
	if (tick > tick_of(now_ns)) {
		hg_wheel_push(&s->starts, id, tick);
		return tick;
	}
	tick = tick_of(deadline_ns(s, idx, from_ns));
	hg_wheel_push(&s->deadlines, id, tick);
	return tick;
}

/* Which instance of a tenant a decision out of the tenant's guarantee begins with; NO_INSTANCE if none. */
static inline uint32_t tenant_next(struct hg_sched *s, uint32_t tenant_idx)
{
	uint32_t idx = NO_INSTANCE;

	if (HG_LIKELY(!(s->tenants[tenant_idx].flags & HAS_BANDS)))
		return calendar_next(s, &s->tenants[tenant_idx].share);
	for (unsigned k = 0; k < HG_N_PRIORITIES && idx == NO_INSTANCE; k++)
		idx = calendar_next(s, share_of(s, tenant_idx, bands_in_order[k]));
	return idx;
}

/* By when the next decision of a tenant should be served: of a quantum, or a packet that is larger. */
static inline hg_ns tenant_deadline_ns(struct hg_sched *s, uint32_t tenant_idx, hg_ns from_ns)
{
	const uint32_t idx = tenant_next(s, tenant_idx);
	uint32_t bytes = s->quantum_bytes;

	if (idx != NO_INSTANCE && queued_bytes(&s->queues[idx]) > bytes)
		bytes = larger_of(bytes, load_bytes(s->fifo.entries[s->queues[idx].head].load));
	return from_ns + pace_cost_ns(s->tenants[tenant_idx].guarantee, bytes);
}

static inline void tenant_guarantee_file(struct hg_sched *s, uint32_t tenant_idx,
					 struct hg_tenant *t, hg_ns now_ns)
{
	hg_ns from_ns = t->due_ns;
	uint32_t id;

	if (t->flags & ON_CREDIT)
		from_ns = credit_start_ns(&t->flags, from_ns, &t->credit_ns, now_ns);
	t->flags |= IN_GUARANTEE;
	id = guarantee_id(tenant_idx, ID_TENANT, t->flags);
	if (tick_of(from_ns) > tick_of(now_ns))
		hg_wheel_push(&s->starts, id, tick_of(from_ns));
	else
		hg_wheel_push(&s->deadlines, id,
			      tick_of(tenant_deadline_ns(s, tenant_idx, from_ns)));
}

/* What a guarantee lags behind when a maximum was in the way is not owed, beyond what a packet that had
 * to wait for its tokens explains. Otherwise all of it would go ahead of the others at once. */
static inline hg_ns forgiven_ns(hg_ns due_ns, pace32 pace, uint32_t bytes, hg_ns now_ns)
{
	hg_ns least_ns = now_ns - 2 * pace_cost_ns(pace, bytes);

	return due_ns > least_ns ? due_ns : least_ns;
}

/* Requires that it has something queued. */
static inline void forgive(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	uint32_t bytes = load_bytes(s->fifo.entries[s->queues[idx].head].load);

	if (node->guarantee == 0)
		return;
	node->due_ns = forgiven_ns(node->due_ns, node->guarantee,
				   larger_of(bytes, s->quantum_bytes), now_ns);
}

static inline hg_ns charge_due(hg_ns due_ns, pace32 pace, uint32_t bytes, hg_ns now_ns)
{
	if (HG_UNLIKELY(due_ns < now_ns - LAG_MAX_NS))
		due_ns = now_ns - LAG_MAX_NS;
	return due_ns + pace_cost_ns(pace, bytes);
}

/* How large what is served at once out of guarantees has been as yet. */
static inline void note_largest(struct hg_sched *s, uint32_t bytes)
{
	if (HG_UNLIKELY(bytes > s->largest_bytes))
		s->largest_bytes = bytes;
}

/* How far a tenant's guarantee may be ahead behind a decision of so many bytes. Its instances' own come in lumps, of all that
 * are due at once, and what is forgotten of them the tenant has once more, before anybody has a share of what is left. But
 * what it is ahead by it is not served, and may be late as well: both have to be within its burst. So a reserve that is
 * spent inside does not leave the tenant without its own. */
static inline uint32_t tenant_ahead_bytes(const struct hg_sched *s, const struct hg_tenant *t,
					  uint32_t bytes)
{
	const uint32_t late_bytes = LATE_QUANTA * s->largest_bytes;

	return t->burst_bytes > late_bytes ? larger_of(bytes, t->burst_bytes - late_bytes) : bytes;
}

/* After a decision of so many bytes, and after a change, by which the burst may be less than it was. */
static inline void tenant_ahead_bound(const struct hg_sched *s, struct hg_tenant *t, uint32_t bytes,
				      hg_ns now_ns)
{
	const hg_ns ahead_ns = now_ns + pace_cost_ns(t->guarantee, tenant_ahead_bytes(s, t, bytes));

	if (t->due_ns > ahead_ns)
		t->due_ns = ahead_ns;
}

/* What an instance was served out of its own guarantee. Its tenant's is charged too. */
static inline void guarantee_charge(struct hg_sched *s, struct hg_node *node, struct hg_tenant *t,
				    uint32_t bytes, hg_ns now_ns)
{
	note_largest(s, bytes);
	node->due_ns = charge_due(node->due_ns, node->guarantee, bytes, now_ns);
	if (t->guarantee != 0) {
		t->due_ns = charge_due(t->due_ns, t->guarantee, bytes, now_ns);
		tenant_ahead_bound(s, t, bytes, now_ns);
	}
}

#endif
