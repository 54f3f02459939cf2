/* Packets that nothing holds go by the scheduler without standing in it. */
#include "core/sched_account.h"
#include "core/sched_share.h"

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

/* Whether the link has nothing else to do now, and no rule of its own but maxima and shares. */
static inline bool is_free(struct hg_sched *s, hg_ns now_ns)
{
	int64_t tick = tick_of(now_ns);

	return s->window == NULL && s->root.pace.mantissa == 0 && !s->has_bands &&
	       hg_wheel_is_empty(&s->shares[HG_PRIORITY_NORMAL]) &&
	       hg_wheel_is_empty(&s->deadlines) && !hg_wheel_is_due(&s->waits, tick) &&
	       !hg_wheel_is_due(&s->starts, tick);
}

static inline bool is_ready(const struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	const struct hg_node *node = &s->nodes[idx];
	const struct hg_tenant *t = &s->tenants[node->tenant_idx];

	return s->queues[idx].n_pkts == 0 &&
	       !(node->flags & (PARKED | BLOCKED | IN_SHARE | CLASSED)) &&
	       !(t->flags & (PARKED | BLOCKED | IN_SHARE)) && t->blocked_head == 0 &&
	       is_share_empty(&t->share) &&
	       is_guarantee_away(node->guarantee, node->flags, node->due_ns, now_ns) &&
	       is_guarantee_away(t->guarantee, t->flags, t->due_ns, now_ns);
}

/* ---- then --------------------------------------------------------------------------------------- */

/* One decision: from *at on, as many as a quantum takes. Returns their bytes. */
static inline uint32_t decision_bytes(const struct hg_sched *s, const struct run *run, unsigned *at)
{
	uint32_t bytes = load_bytes(run->loads[(*at)++]);

	while (*at < run->n && bytes + load_bytes(run->loads[*at]) <= s->quantum_bytes)
		bytes += load_bytes(run->loads[(*at)++]);
	return bytes;
}

/* What one visit of the tenant's takes, decision by decision, while it is the only one. */
static inline uint32_t visit_bytes(const struct hg_sched *s, const struct run *run,
				   struct hg_share *share, struct hg_node *node, unsigned *at)
{
	uint32_t total_bytes = 0;

	do {
		uint32_t bytes = run->bytes;

		if (node->finish >> s->slot_shift > share->slot_now)
			share->slot_now = node->finish >> s->slot_shift;
		if (HG_LIKELY(bytes <= s->quantum_bytes))
			*at = run->n;
		else
			bytes = decision_bytes(s, run, at);
		node->finish += virtual_cost(s, node->weight, bytes);
		total_bytes += bytes;
	} while (total_bytes < s->quantum_bytes && *at < run->n);
	return total_bytes;
}

static inline void bring_clock(struct hg_wheel *shares, uint64_t finish)
{
	if ((int64_t)(finish >> SHARE_TICK_SHIFT) > shares->clock)
		shares->clock = (int64_t)(finish >> SHARE_TICK_SHIFT);
}

/* Virtual time goes on as if they had been pushed and popped. */
static inline void charge_shares(struct hg_sched *s, struct hg_node *node, struct hg_tenant *t,
				 const struct run *run)
{
	struct hg_wheel *shares = &s->shares[HG_PRIORITY_NORMAL];
	struct hg_share *share = &t->share;
	uint64_t share_now = (uint64_t)shares->clock << SHARE_TICK_SHIFT;
	uint64_t slot_now = share->slot_now << s->slot_shift;
	unsigned at = 0;

	if (node->finish < slot_now)
		node->finish = slot_now;
	if (share->finish < share_now)
		share->finish = share_now;
	else if (!may_go_first(s, t->flags, share->weight, share->finish - share_now))
		bring_clock(shares, share->finish);
	for (;;) {
		uint32_t bytes = visit_bytes(s, run, share, node, &at);

		share->finish += virtual_cost(s, share->weight, bytes);
		if (at == run->n)
			return;
		bring_clock(shares, share->finish);
	}
}

static inline void count(struct hg_sched *s, uint32_t idx, struct hg_node *node,
			 struct hg_tenant *t, const struct run *run, hg_ns now_ns)
{
	s->queues[idx].emptied_at_ns = now_ns;
	node->flags &= ~(uint32_t)ON_CREDIT;
	if (t->n_backlogged == 0) {
		t->emptied_at_ns = now_ns;
		t->flags &= ~(uint32_t)ON_CREDIT;
	}
	node->sent_bytes += run->bytes;
	node->new_pkts += run->parts;
	if (HG_UNLIKELY(node->new_pkts >> 31 != 0))
		settle_counts(node, &s->cold[idx]);
	t->sent_bytes += run->bytes;
	t->new_pkts += run->parts;
	if (HG_UNLIKELY(t->new_pkts >> 31 != 0))
		settle_tenant_counts(t);
}

bool hg_sched_pass(struct hg_sched *s, uint32_t instance_idx, const uint32_t *loads, unsigned n,
		   hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[instance_idx];
	const uint32_t tenant_idx = node->tenant_idx;
	struct hg_tenant *t = &s->tenants[tenant_idx];
	const bool is_capped = (node->flags & CAPPED) != 0,
		   is_tenant_capped = (t->flags & CAPPED) != 0;
	struct hg_caps *caps = s->caps;
	struct run run;

	if (n == 0 || n > PASS_MAX || n > s->max_queued_pkts - s->queued_pkts ||
	    !is_free(s, now_ns) || !is_ready(s, instance_idx, now_ns))
		return false;
	run = run_of(loads, n);
	if (is_capped &&
	    !hg_cap_has(&caps->instance_bytes[instance_idx], &caps->instance_pkts[instance_idx],
			run.bytes, run.parts, now_ns))
		return false;
	if (is_tenant_capped &&
	    !hg_cap_has(&caps->tenant_bytes[tenant_idx], &caps->tenant_pkts[tenant_idx], run.bytes,
			run.parts, now_ns))
		return false;
	if (is_tenant_capped)
		hg_cap_charge(&caps->tenant_bytes[tenant_idx], &caps->tenant_pkts[tenant_idx],
			      run.bytes, run.parts, now_ns);
	if (is_capped)
		hg_cap_charge(&caps->instance_bytes[instance_idx],
			      &caps->instance_pkts[instance_idx], run.bytes, run.parts, now_ns);
	charge_shares(s, node, t, &run);
	count(s, instance_idx, node, t, &run, now_ns);
	return true;
}
