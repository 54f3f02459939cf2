#include "core/sched_calendar.h"
#include "core/sched_due.h"

/* Guarantees that are looked at before serving goes on, when many fall due at once. */
#define START_BATCH 64u

/* One call of pop. */
struct pop {
	struct hg_sched_item *out, *end;
	int64_t taken_bytes;
	int64_t limit_bytes; /* another packet may leave while taken_bytes <= limit_bytes */
	hg_ns now_ns;
	/* Of the last decision: */
	uint32_t got_bytes, got_pkts; /* got_pkts counts parts */
	struct hg_cap_wait wait; /* what held it */
};

enum outcome {
	EMPTIED, /* nothing is left */
	MORE, /* the decision is over, but not the queue */
	HELD, /* by the instance's own maximum */
	TENANT_HELD, /* by its tenant's */
};

static bool has_room(const struct pop *p)
{
	return p->out < p->end && p->taken_bytes <= p->limit_bytes;
}

/* ---- serving ------------------------------------------------------------------------------------ */

/* Whether the maxima of both levels let a packet go; if so they are charged. */
static HG_NOINLINE bool caps_take(struct hg_sched *s, struct pop *p, uint32_t idx, uint32_t load,
				  enum outcome *ret_held)
{
	struct hg_node *node = &s->nodes[idx];
	uint32_t tenant_idx = node->tenant_idx;
	bool has_tenant = (s->tenants[tenant_idx].flags & CAPPED) != 0;
	struct hg_caps *caps = s->caps;

	if (node->flags & CAPPED) {
		p->wait = instance_wait(s, idx, load, p->now_ns);
		if (p->wait.until_ns > p->now_ns) {
			*ret_held = HELD;
			return false;
		}
	}
	if (has_tenant) {
		p->wait = tenant_wait(s, tenant_idx, load, p->now_ns);
		if (p->wait.until_ns > p->now_ns) {
			*ret_held = TENANT_HELD;
			return false;
		}
		hg_cap_charge(&caps->tenant_bytes[tenant_idx], &caps->tenant_pkts[tenant_idx],
			      load_bytes(load), load_parts(load), p->now_ns);
	}
	if (node->flags & CAPPED)
		hg_cap_charge(&caps->instance_bytes[idx], &caps->instance_pkts[idx],
			      load_bytes(load), load_parts(load), p->now_ns);
	return true;
}

/* Moves what was counted in the hot line to where it cannot wrap. */
static HG_NOINLINE void settle_counts(struct hg_node *node, struct hg_node_cold *cold)
{
	cold->sent_pkts += node->new_pkts;
	cold->guaranteed_bytes += node->new_guaranteed_bytes;
	node->new_pkts = 0;
	node->new_guaranteed_bytes = 0;
}

static HG_NOINLINE void settle_tenant_counts(struct hg_tenant *t)
{
	t->sent_pkts += t->new_pkts;
	t->guaranteed_bytes += t->new_guaranteed_bytes;
	t->new_pkts = 0;
	t->new_guaranteed_bytes = 0;
}

static inline void count(struct hg_sched *s, struct pop *p, uint32_t idx, uint32_t n_buffers,
			 bool is_guaranteed)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];
	uint32_t bytes = p->got_bytes;

	p->taken_bytes += bytes;
	s->queues[idx].bytes -= bytes;
	s->queues[idx].n_pkts -= n_buffers;
	t->sent_bytes += bytes;
	t->new_pkts += p->got_pkts;
	node->sent_bytes += bytes;
	node->new_pkts += p->got_pkts;
	if (is_guaranteed) {
		node->new_guaranteed_bytes += bytes;
		t->new_guaranteed_bytes += bytes;
	}
	if (HG_UNLIKELY((node->new_pkts | node->new_guaranteed_bytes) >> 31 != 0))
		settle_counts(node, &s->cold[idx]);
	if (HG_UNLIKELY((t->new_pkts | t->new_guaranteed_bytes) >> 31 != 0))
		settle_tenant_counts(t);
}

/* One decision: packets of one instance, up to a quantum, as far as its maxima and the call allow. */
static enum outcome serve(struct hg_sched *s, struct pop *p, uint32_t idx, bool is_guaranteed)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_queue *queue = &s->queues[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];
	const bool is_capped = ((node->flags | t->flags) & CAPPED) != 0;
	const int64_t left_bytes = p->limit_bytes - p->taken_bytes;
	const uint32_t quantum_bytes = s->quantum_bytes, n_queued = queue->n_pkts;
	const struct hg_fifo_entry *entries = s->fifo.entries;
	struct hg_sched_item *out = p->out, *const end = p->end;
	uint32_t head = queue->head, bytes = 0, parts = 0, n = 0;
	enum outcome outcome = MORE;

	do {
		struct hg_fifo_entry entry = entries[head];

		if (bytes + load_bytes(entry.load) > quantum_bytes && n > 0)
			break;
		if (HG_UNLIKELY(is_capped) && !caps_take(s, p, idx, entry.load, &outcome))
			break;
		*out++ = item_of(s, entry, idx);
		bytes += load_bytes(entry.load);
		parts += load_parts(entry.load);
		head = hg_fifo_after(&s->fifo, head, ++n == n_queued);
		if (n == n_queued) {
			outcome = EMPTIED;
			break;
		}
	} while (out < end && (int64_t)bytes <= left_bytes);
	p->out = out;
	queue->head = head;
	s->queued_pkts -= n;
	p->got_bytes = bytes;
	p->got_pkts = parts;
	count(s, p, idx, n, is_guaranteed);
	if (outcome == EMPTIED || outcome == HELD)
		turn_end(node, &s->cold[idx], t, p->now_ns);
	if (outcome == EMPTIED)
		hg_sched_emptied(s, idx, p->now_ns);
	return outcome;
}

/* ---- prefetching --------------------------------------------------------------------------------
 * A decision touches lines in a chain: tenant, instance, first packets. Each is asked for one decision after
 * the one that leads to it, so that nothing waits for a chain. */

static inline void prefetch_pkts(const struct hg_sched *s, uint32_t idx)
{
	HG_PREFETCH(&s->fifo.entries[s->queues[idx].head]);
	HG_PREFETCH(&s->fifo.entries[s->queues[idx].tail]);
}

static inline void prefetch_calendar(const struct hg_sched *s, const struct hg_tenant *t)
{
	const struct hg_node *next;

	if (t->current == NO_INSTANCE)
		return;
	next = &s->nodes[t->current];
	prefetch_pkts(s, t->current);
	if (next->next != NO_INSTANCE)
		HG_PREFETCH(&s->nodes[next->next]);
}

/* For the next call: what its first visits will touch. */
static inline void prefetch_shares(const struct hg_sched *s)
{
	uint32_t id = hg_wheel_ahead(&s->shares, 0);

	if (id == UINT32_MAX)
		return;
	id = s->tenants[id].current;
	if (id != NO_INSTANCE)
		prefetch_pkts(s, id);
	id = hg_wheel_ahead(&s->shares, 1);
	if (id == UINT32_MAX)
		return;
	id = s->tenants[id].current;
	if (id != NO_INSTANCE)
		HG_PREFETCH(&s->nodes[id]);
	id = hg_wheel_ahead(&s->shares, 2);
	if (id != UINT32_MAX)
		HG_PREFETCH(&s->tenants[id]);
}

static inline void prefetch_deadlines(const struct hg_sched *s)
{
	uint32_t next = hg_wheel_ahead(&s->deadlines, 1), later = hg_wheel_ahead(&s->deadlines, 3);

	if (later != UINT32_MAX)
		HG_PREFETCH(&s->nodes[later & ID_IDX_MASK]);
	if (next != UINT32_MAX && (next & ID_KIND_MASK) == ID_INSTANCE) {
		prefetch_pkts(s, next & ID_IDX_MASK);
		HG_PREFETCH(&s->tenants[s->nodes[next & ID_IDX_MASK].tenant_idx]);
	}
}

/* ---- the two bands ------------------------------------------------------------------------------ */

/* Serves a tenant's instances in the order of their shares, up to a quantum. Returns the bytes. */
static uint32_t visit(struct hg_sched *s, struct pop *p, uint32_t tenant_idx, bool is_guaranteed)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];
	uint32_t total_bytes = 0;

	do {
		uint32_t idx = calendar_take(s, t);
		struct hg_node *node = &s->nodes[idx];
		enum outcome outcome;

		if (idx == NO_INSTANCE)
			break;
		prefetch_calendar(s, t);
		outcome = serve(s, p, idx, is_guaranteed);
		total_bytes += p->got_bytes;
		node->finish += virtual_cost(s, node->weight, p->got_bytes);
		if (outcome == MORE) {
			calendar_file(s, t, idx, node);
		} else if (outcome == TENANT_HELD) {
			calendar_put_first(t, idx, node);
			hg_sched_park_tenant(s, tenant_idx, p->wait, p->now_ns);
			break;
		} else {
			node->flags &= (uint16_t)~IN_SHARE;
			if (outcome == HELD)
				hg_sched_park(s, idx, p->wait, p->now_ns);
		}
	} while (total_bytes < s->quantum_bytes && has_room(p));
	return total_bytes;
}

/* The sharing band: one visit of the tenant that is next in virtual time. */
static bool serve_shares(struct hg_sched *s, struct pop *p)
{
	uint32_t tenant_idx;
	struct hg_tenant *t;

	if (!hg_wheel_is_due(&s->shares, INT64_MAX))
		return false;
	tenant_idx = hg_wheel_pop(&s->shares).id;
	t = &s->tenants[tenant_idx];
	t->flags &= (uint16_t)~IN_SHARE;
	if (HG_UNLIKELY(is_parked(t->flags)))
		return true;
	t->finish +=
		virtual_cost(s, t->weight, visit(s, p, tenant_idx, /* is_guaranteed= */ false));
	if (is_parked(t->flags) || calendar_is_empty(t))
		return true;
	t->flags |= IN_SHARE;
	hg_wheel_push(&s->shares, tenant_idx, (int64_t)(t->finish >> SHARE_TICK_SHIFT));
	return true;
}

static inline hg_ns charge_due(hg_ns due_ns, pace32 pace, uint32_t bytes, hg_ns now_ns)
{
	if (HG_UNLIKELY(due_ns < now_ns - LAG_MAX_NS))
		due_ns = now_ns - LAG_MAX_NS;
	return due_ns + pace_cost_ns(pace, bytes);
}

/* Serves an instance out of its own guarantee. Its tenant's is charged too, but runs no further ahead than by
 * this decision, so that a reserve spent inside does not leave the tenant without its own. */
static enum outcome serve_due(struct hg_sched *s, struct pop *p, uint32_t idx)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];
	enum outcome outcome = serve(s, p, idx, /* is_guaranteed= */ true);

	node->due_ns = charge_due(node->due_ns, node->guarantee, p->got_bytes, p->now_ns);
	if (t->guarantee != 0) {
		hg_ns ahead_ns = p->now_ns + pace_cost_ns(t->guarantee, p->got_bytes);

		t->due_ns = charge_due(t->due_ns, t->guarantee, p->got_bytes, p->now_ns);
		if (t->due_ns > ahead_ns)
			t->due_ns = ahead_ns;
	}
	if (outcome == MORE)
		guarantee_file(s, idx, node, p->now_ns);
	else if (outcome == HELD)
		hg_sched_park(s, idx, p->wait, p->now_ns);
	else if (outcome == TENANT_HELD)
		hg_sched_park_tenant(s, node->tenant_idx, p->wait, p->now_ns);
	return outcome;
}

/* An entry of an instance has come up. Returns whether it counted. */
static bool instance_due(struct hg_sched *s, struct pop *p, uint32_t id)
{
	uint32_t idx = id & ID_IDX_MASK;
	struct hg_node *node = &s->nodes[idx];
	uint32_t tenant_idx = node->tenant_idx;
	struct hg_tenant *t = &s->tenants[tenant_idx];

	if (!(node->flags & IN_GUARANTEE) || guarantee_id(idx, ID_INSTANCE, node->flags) != id)
		return false;
	node->flags &= (uint16_t)~IN_GUARANTEE;
	if (!is_waiting(s, idx))
		return false;
	if (tick_of(node->due_ns) > tick_of(p->now_ns)) {
		guarantee_file(s, idx, node, p->now_ns);
		return false;
	}
	if (!is_parked(t->flags) && serve_due(s, p, idx) != TENANT_HELD)
		return true;
	node->flags |= BLOCKED;
	hg_sched_block(s, t, idx);
	return true;
}

/* A tenant's own guarantee has come up. */
static bool tenant_due(struct hg_sched *s, struct pop *p, uint32_t id)
{
	uint32_t tenant_idx = id & ID_IDX_MASK;
	struct hg_tenant *t = &s->tenants[tenant_idx];

	if (!(t->flags & IN_GUARANTEE) || guarantee_id(tenant_idx, ID_TENANT, t->flags) != id)
		return false;
	t->flags &= (uint16_t)~IN_GUARANTEE;
	if (is_parked(t->flags) || calendar_is_empty(t))
		return false;
	if (tick_of(t->due_ns) > tick_of(p->now_ns)) {
		tenant_guarantee_file(s, tenant_idx, t, p->now_ns);
		return false;
	}
	t->due_ns = charge_due(t->due_ns, t->guarantee,
			       visit(s, p, tenant_idx, /* is_guaranteed= */ true), p->now_ns);
	if (!is_parked(t->flags) && !calendar_is_empty(t))
		tenant_guarantee_file(s, tenant_idx, t, p->now_ns);
	return true;
}

/* An entry has come up. Returns whether it counted. */
static bool serve_guarantee(struct hg_sched *s, struct pop *p, uint32_t id)
{
	switch (id & ID_KIND_MASK) {
	case ID_TENANT:
		return tenant_due(s, p, id);
	case ID_BLOCKED:
		hg_sched_unblock(s, id & ID_IDX_MASK, p->now_ns);
		return false;
	default:
		return instance_due(s, p, id);
	}
}

/* Moves an entry that is due now to its deadline. One that no longer counts is dropped there. */
static void await_deadline(struct hg_sched *s, uint32_t id)
{
	uint32_t idx = id & ID_IDX_MASK;
	const struct hg_tenant *t;
	hg_ns at_ns;

	if ((id & ID_KIND_MASK) == ID_INSTANCE) {
		at_ns = deadline_ns(s, idx, s->nodes[idx].due_ns);
	} else {
		t = &s->tenants[idx];
		at_ns = t->due_ns + pace_cost_ns(t->guarantee, s->quantum_bytes);
	}
	hg_wheel_push(&s->deadlines, id, tick_of(at_ns));
}

/* The guaranteed band: of those that are due, the one of the earliest deadline. */
static bool serve_guarantees(struct hg_sched *s, struct pop *p)
{
	int64_t tick = tick_of(p->now_ns);
	struct hg_wheel_entry entry;

	for (unsigned i = 0; i < START_BATCH && hg_wheel_is_due(&s->starts, tick); i++) {
		uint32_t id = hg_wheel_pop(&s->starts).id;

		/* Alone it needs no order, nor within the first quantum of a call, which leaves at once. */
		if (hg_wheel_is_empty(&s->deadlines) &&
		    (p->taken_bytes < s->quantum_bytes || !hg_wheel_is_due(&s->starts, tick)))
			return serve_guarantee(s, p, id);
		await_deadline(s, id);
	}
	while (hg_wheel_pop_first(&s->deadlines, tick, &entry)) {
		prefetch_deadlines(s);
		if (serve_guarantee(s, p, entry.id))
			return true;
	}
	return false;
}

/* ---- pop ---------------------------------------------------------------------------------------- */

/* How far the root lets a call go: the bytes after which it must stop; negative: not at all. The root is
 * a link: a packet may begin while none is owed. */
static int64_t root_limit_bytes(const struct hg_sched *s, hg_ns now_ns)
{
	hg_ns zero_at_ns;

	if (s->root.pace.mantissa == 0)
		return INT64_MAX;
	zero_at_ns = hg_bucket_floor_ns(&s->root, now_ns);
	if (zero_at_ns > now_ns)
		return -1;
	return (int64_t)(((uint64_t)(now_ns - zero_at_ns) << s->root.pace.shift) /
			 s->root.pace.mantissa);
}

static void charge_root(struct hg_sched *s, int64_t bytes, hg_ns now_ns)
{
	const int64_t most = INT64_C(1) << 30; /* that a bucket can multiply */

	for (; bytes > 0; bytes -= most)
		hg_bucket_charge(&s->root, (uint32_t)(bytes < most ? bytes : most), now_ns);
}

unsigned hg_sched_pop(struct hg_sched *s, struct hg_sched_item *ret_items, unsigned n,
		      uint32_t max_bytes, hg_ns now_ns)
{
	struct pop p = {.out = ret_items,
			.end = ret_items + n,
			.limit_bytes = root_limit_bytes(s, now_ns),
			.now_ns = now_ns};

	if (p.limit_bytes > (int64_t)max_bytes - 1)
		p.limit_bytes = (int64_t)max_bytes - 1;
	if (s->queued_pkts == 0)
		return 0;
	hg_sched_unpark_due(s, now_ns);
	while (has_room(&p))
		if (!serve_guarantees(s, &p) && !serve_shares(s, &p) &&
		    !hg_sched_unpark_due(s, now_ns))
			break;
	if (s->root.pace.mantissa != 0)
		charge_root(s, p.taken_bytes, now_ns);
	prefetch_shares(s);
	return (unsigned)(p.out - ret_items);
}

hg_ns hg_sched_next_at(const struct hg_sched *s, hg_ns now_ns)
{
	hg_ns at_ns = now_ns, root_at_ns;

	if (s->queued_pkts == 0)
		return HG_NEVER;
	if (hg_wheel_is_empty(&s->shares)) {
		int64_t tick = hg_wheel_next_tick(&s->waits);

		if (tick == INT64_MAX)
			return HG_NEVER;
		at_ns = (hg_ns)((uint64_t)tick << TICK_SHIFT);
	}
	root_at_ns = s->root.pace.mantissa != 0 ? hg_bucket_floor_ns(&s->root, now_ns) : now_ns;
	if (at_ns < root_at_ns)
		at_ns = root_at_ns;
	return at_ns > now_ns ? at_ns : now_ns;
}

uint32_t hg_sched_queued_pkts(const struct hg_sched *s)
{
	return s->queued_pkts;
}

uint32_t hg_sched_instance_queued_bytes(const struct hg_sched *s, uint32_t instance_idx)
{
	return s->queues[instance_idx].bytes;
}
