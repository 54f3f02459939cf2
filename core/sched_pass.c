/* Packets that nothing holds go by the scheduler without standing in it. */
#include "core/sched_account.h"
#include "core/sched_due.h"
#include "core/sched_share.h"
#include "core/window_impl.h"

/* So many are summed up without coming near what a bucket can multiply. */
#define PASS_MAX 256u

/* Packets of one instance, one behind the other. */
struct run {
	const uint32_t *loads;
	unsigned n;
	uint32_t bytes, parts; /* of all of them */
};

static struct run run_of(const uint32_t *loads, unsigned n)
{
	struct run run = {.loads = loads, .n = n};

	for (unsigned i = 0; i < n; i++) {
		run.bytes += load_bytes(loads[i]);
		run.parts += load_parts(loads[i]);
	}
	return run;
}

/* ---- whether ------------------------------------------------------------------------------------ */

/* A guarantee in the wheel, and not due before the wheel says so: nothing is served out of it. */
static inline bool is_guarantee_away(pace32 guarantee, uint32_t flags, hg_ns due_ns, hg_ns now_ns)
{
	return guarantee == 0 || ((flags & IN_GUARANTEE) && due_ns >= now_ns);
}

/* Or in none, and of one who was not idle: then it is served first, alone, as long as it is due. */
static inline bool is_guarantee_simple(const struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	const struct hg_node *node = &s->nodes[idx];

	if (node->guarantee == 0)
		return true;
	if (node->flags & IN_GUARANTEE)
		return node->due_ns >= now_ns;
	return now_ns - s->queues[idx].emptied_at_ns < (hg_ns)node->idle_after_us * HG_NS_PER_US;
}

/* Whether nobody else waits for a turn, and nobody's time has come. */
static inline bool is_free(struct hg_sched *s, hg_ns now_ns)
{
	int64_t tick = tick_of(now_ns);

	return !s->has_bands && s->n_held_by_window == 0 &&
	       hg_wheel_is_empty(&s->shares[HG_PRIORITY_NORMAL]) &&
	       hg_wheel_is_empty(&s->deadlines) && !hg_wheel_is_due(&s->waits, tick) &&
	       !hg_wheel_is_due(&s->starts, tick);
}

static inline bool is_ready(const struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	const struct hg_node *node = &s->nodes[idx];
	const struct hg_tenant *t = &s->tenants[node->tenant_idx];

	return s->queues[idx].n_pkts == 0 &&
	       !(node->flags & (PARKED | BLOCKED | IN_SHARE | CLASSED | RESUMES)) &&
	       !(t->flags & (PARKED | BLOCKED | IN_SHARE)) && is_share_empty(&t->share) &&
	       is_guarantee_simple(s, idx, now_ns) &&
	       is_guarantee_away(t->guarantee, t->flags, t->due_ns, now_ns);
}

/* Whether the root has tokens, and lead, for all of it. */
static inline bool root_allows(const struct hg_sched *s, uint32_t bytes, hg_ns now_ns)
{
	return s->root.pace.mantissa == 0 || hg_bucket_floor_ns(&s->root, now_ns) - s->lead_ns +
							     hg_pace_cost_ns(s->root.pace, bytes) <
						     now_ns;
}

/* Whether all of it may go before anything is released. Who only now becomes active in a bounded window has it divided
 * anew, and is left to push. */
static inline bool window_allows(struct hg_window *w, uint32_t idx, const struct run *run)
{
	struct window_run allowed;
	uint32_t notes;

	if (w == NULL || (w->max_bytes == 0 && w->max_pkts == 0))
		return true;
	if (!(window_touch(w, idx)->flags & ROW_ACTIVE))
		return false;
	notes = w->notes;
	if (window_ask(w, idx, &allowed) == HG_WINDOW_OPEN &&
	    window_run_goes_on(&allowed, run->bytes, run->parts))
		return true;
	w->notes = notes; /* nobody is held by this answer */
	return false;
}

/* Whether the maxima of both levels have tokens for all of it. */
static inline bool maxima_allow(const struct hg_sched *s, uint32_t idx, const struct run *run,
				hg_ns now_ns)
{
	const uint32_t tenant_idx = s->nodes[idx].tenant_idx;
	const struct hg_caps *caps = s->caps;

	return (!(s->nodes[idx].flags & CAPPED) ||
		hg_cap_has(&caps->instance_bytes[idx], &caps->instance_pkts[idx], run->bytes,
			   run->parts, now_ns)) &&
	       (!(s->tenants[tenant_idx].flags & CAPPED) ||
		hg_cap_has(&caps->tenant_bytes[tenant_idx], &caps->tenant_pkts[tenant_idx],
			   run->bytes, run->parts, now_ns));
}

/* ---- then --------------------------------------------------------------------------------------- */

/* What is left of a run. */
struct rest {
	unsigned at; /* the first packet of it */
	uint32_t bytes;
};

/* One decision: as many as a quantum takes. Returns their bytes. */
static inline uint32_t decide(const struct hg_sched *s, const struct run *run, struct rest *rest)
{
	uint32_t bytes = rest->bytes;

	if (HG_LIKELY(bytes <= s->quantum_bytes)) {
		rest->at = run->n;
	} else {
		bytes = load_bytes(run->loads[rest->at++]);
		while (rest->at < run->n &&
		       bytes + load_bytes(run->loads[rest->at]) <= s->quantum_bytes)
			bytes += load_bytes(run->loads[rest->at++]);
	}
	rest->bytes -= bytes;
	return bytes;
}

/* What one visit of the tenant's takes, decision by decision, while it is the only one. */
static inline uint32_t visit_bytes(const struct hg_sched *s, const struct run *run,
				   struct hg_share *share, struct hg_node *node, struct rest *rest)
{
	uint32_t total_bytes = 0;

	do {
		uint32_t bytes;

		if (node->finish >> s->slot_shift > share->slot_now)
			share->slot_now = node->finish >> s->slot_shift;
		bytes = decide(s, run, rest);
		node->finish += virtual_cost(s, node->weight, bytes);
		total_bytes += bytes;
	} while (total_bytes < s->quantum_bytes && rest->at < run->n);
	return total_bytes;
}

static inline void bring_clock(struct hg_wheel *wheel, int64_t tick)
{
	if (tick > wheel->clock)
		wheel->clock = tick;
}

static inline int64_t share_tick(const struct hg_share *share)
{
	return (int64_t)(share->finish >> SHARE_TICK_SHIFT);
}

/* An instance that was entered in its tenant's calendar is found there with nothing left. */
static inline void turn_calendar(const struct hg_sched *s, struct hg_share *share,
				 const struct hg_node *node)
{
	uint64_t ahead = (node->finish >> s->slot_shift) - share->slot_now;

	share->slot_now += ahead < CALENDAR_SLOTS ? ahead : CALENDAR_SLOTS - 1u;
}

/* Virtual time goes on as if they had been pushed and popped, the rest of them by their turn. */
static inline void charge_shares(struct hg_sched *s, struct hg_node *node, struct hg_tenant *t,
				 const struct run *run, struct rest *rest)
{
	struct hg_wheel *shares = &s->shares[HG_PRIORITY_NORMAL];
	struct hg_share *share = &t->share;
	uint64_t share_now = (uint64_t)shares->clock << SHARE_TICK_SHIFT;
	uint64_t slot_now = share->slot_now << s->slot_shift;

	if (node->finish < slot_now)
		node->finish = slot_now;
	if (share->finish < share_now)
		share->finish = share_now;
	else if (!may_go_first(s, t->flags, share->weight, share->finish - share_now))
		bring_clock(shares, share_tick(share));
	if (rest->at == run->n) {
		turn_calendar(s, share, node);
		return;
	}
	for (;;) {
		uint32_t bytes = visit_bytes(s, run, share, node, rest);

		share->finish += virtual_cost(s, share->weight, bytes);
		if (rest->at == run->n)
			return;
		bring_clock(shares, share_tick(share));
	}
}

/* By when the next decision would have to be served, in ticks. */
static inline int64_t deadline_tick(const struct hg_sched *s, const struct hg_node *node,
				    hg_ns from_ns, const struct run *run, const struct rest *rest)
{
	uint32_t bytes = s->quantum_bytes;

	if (!(node->flags & ON_CREDIT) && rest->bytes < bytes)
		bytes = rest->bytes;
	else if (rest->bytes > bytes)
		bytes = larger_of(bytes, load_bytes(run->loads[rest->at]));
	return tick_of(from_ns + pace_cost_ns(node->guarantee, bytes));
}

/* Decisions out of a guarantee that is in no wheel, as long as it is due; then it is in one. */
static inline void charge_guarantee(struct hg_sched *s, uint32_t idx, const struct run *run,
				    struct rest *rest, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];
	const int64_t tick = tick_of(now_ns);

	hg_sched_wake_guarantee(s, idx, now_ns - s->queues[idx].emptied_at_ns, now_ns);
	while (rest->at < run->n) {
		hg_ns from_ns = node->due_ns;
		int64_t until_tick;
		uint32_t bytes;

		if (node->flags & ON_CREDIT)
			from_ns = node_start_ns(node, now_ns);
		if (tick_of(from_ns) > tick) {
			node->flags |= IN_GUARANTEE;
			hg_wheel_push(&s->starts, guarantee_id(idx, ID_INSTANCE, node->flags),
				      tick_of(from_ns));
			return;
		}
		until_tick = deadline_tick(s, node, from_ns, run, rest);
		bring_clock(&s->deadlines, until_tick < tick ? until_tick : tick);
		bytes = decide(s, run, rest);
		guarantee_charge(s, node, t, bytes, now_ns);
		node->new_guaranteed_bytes += bytes;
		t->new_guaranteed_bytes += bytes;
	}
}

static inline void charge_maxima(struct hg_sched *s, uint32_t idx, const struct run *run,
				 hg_ns now_ns)
{
	const uint32_t tenant_idx = s->nodes[idx].tenant_idx;
	struct hg_caps *caps = s->caps;

	if (s->tenants[tenant_idx].flags & CAPPED)
		hg_cap_charge(&caps->tenant_bytes[tenant_idx], &caps->tenant_pkts[tenant_idx],
			      run->bytes, run->parts, now_ns);
	if (s->nodes[idx].flags & CAPPED)
		hg_cap_charge(&caps->instance_bytes[idx], &caps->instance_pkts[idx], run->bytes,
			      run->parts, now_ns);
}

static inline void charge_link(struct hg_sched *s, uint32_t idx, const struct run *run,
			       hg_ns now_ns)
{
	if (s->root.pace.mantissa != 0)
		hg_bucket_charge(&s->root, run->bytes, now_ns);
	if (s->window != NULL)
		window_take(s->window, idx, run->bytes, run->parts);
	s->is_window_full = false;
}

static inline void count(struct hg_sched *s, uint32_t idx, struct hg_node *node,
			 struct hg_tenant *t, const struct run *run, hg_ns now_ns)
{
	s->queues[idx].emptied_at_ns = now_ns;
	if (t->n_backlogged == 0) {
		t->emptied_at_ns = now_ns;
		t->flags &= ~(uint32_t)ON_CREDIT;
	}
	node->sent_bytes += run->bytes;
	node->new_pkts += run->parts;
	if (HG_UNLIKELY((node->new_pkts | node->new_guaranteed_bytes) >> 31 != 0))
		settle_counts(node, &s->cold[idx]);
	t->sent_bytes += run->bytes;
	t->new_pkts += run->parts;
	if (HG_UNLIKELY((t->new_pkts | t->new_guaranteed_bytes) >> 31 != 0))
		settle_tenant_counts(t);
}

static inline void expect_instance(const struct hg_sched *s, uint32_t idx)
{
	HG_PREFETCH(&s->nodes[idx]);
	HG_PREFETCH(&s->queues[idx]);
	if (s->caps != NULL)
		HG_PREFETCH(&s->caps->instance_bytes[idx]);
	if (s->window != NULL)
		HG_PREFETCH(&s->window->rows[idx]);
}

static inline void expect_tenant(const struct hg_sched *s, uint32_t idx)
{
	const struct hg_tenant *t = &s->tenants[idx];

	HG_PREFETCH(t);
	HG_PREFETCH(&t->share.slot);
	HG_PREFETCH(&t->emptied_at_ns);
	if (s->caps != NULL)
		HG_PREFETCH(&s->caps->tenant_bytes[idx]);
}

void hg_sched_expect(const struct hg_sched *s, const uint32_t *instance_idxs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		expect_instance(s, instance_idxs[i]);
	for (unsigned i = 0; i < n; i++)
		expect_tenant(s, s->nodes[instance_idxs[i]].tenant_idx);
}

void hg_sched_expect_of(const struct hg_sched *s, uint32_t instance_idx, uint32_t tenant_idx)
{
	expect_instance(s, instance_idx);
	expect_tenant(s, tenant_idx);
}

bool hg_sched_pass(struct hg_sched *s, uint32_t instance_idx, const uint32_t *loads, unsigned n,
		   hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[instance_idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];
	struct rest rest;
	struct run run;

	if (n == 0 || n > PASS_MAX || n > s->max_queued_pkts - s->queued_pkts ||
	    !is_free(s, now_ns) || !is_ready(s, instance_idx, now_ns))
		return false;
	run = run_of(loads, n);
	if (!root_allows(s, run.bytes, now_ns) || !maxima_allow(s, instance_idx, &run, now_ns) ||
	    !window_allows(s->window, instance_idx, &run))
		return false;
	rest = (struct rest){.at = 0, .bytes = run.bytes};
	charge_link(s, instance_idx, &run, now_ns);
	charge_maxima(s, instance_idx, &run, now_ns);
	if (node->guarantee != 0 && !(node->flags & IN_GUARANTEE))
		charge_guarantee(s, instance_idx, &run, &rest, now_ns);
	else
		node->flags &= ~(uint32_t)ON_CREDIT;
	charge_shares(s, node, t, &run, &rest);
	count(s, instance_idx, node, t, &run, now_ns);
	return true;
}
