#include "tests/property/sched_model.h"

#include <string.h>

/* What the scheduler's tick may make late or early. */
#define TICK_NS 512.0

static void fail(struct model *m, const char *wrong, uint32_t node, double got, double want)
{
	if (m->wrong != NULL)
		return;
	m->wrong = wrong;
	m->wrong_node = node;
	m->wrong_got = got;
	m->wrong_want = want;
}

void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
}

void model_set_root(struct model *m, double rate, double burst, hg_ns now_ns)
{
	m->root_rate = rate;
	m->root_burst = burst;
	m->root_excess = 0;
	m->root_at_ns = (double)now_ns;
}

/* ---- buckets ------------------------------------------------------------------------------------ */

/* Brings the tokens to now_ns. They are kept as time earned them; a burst cuts them where they are used. */
static void reload(struct model_bucket *b, double rate, double now_ns)
{
	b->tokens += (now_ns - b->now_ns) * rate / 1e9;
	b->excess -= (now_ns - b->now_ns) * rate / 1e9;
	if (b->excess < 0)
		b->excess = 0;
	b->now_ns = now_ns;
}

static double pkt_burst(uint64_t bytes)
{
	double n = (double)(bytes / HG_BURST_MIN_BYTES);

	return n;
}

static double bucket_burst(const struct hg_policy *policy, bool is_pkts)
{
	double n = pkt_burst(policy->burst_bytes);

	if (!is_pkts)
		return (double)policy->burst_bytes;
	return n < 1 ? 1 : n;
}

static double bucket_reserve(const struct hg_policy *policy, bool is_pkts)
{
	return is_pkts ? pkt_burst(policy->reserve_bytes) : (double)policy->reserve_bytes;
}

static double bucket_rate(const struct hg_policy *policy, bool is_pkts)
{
	return (double)(is_pkts ? policy->max_pkts_per_s : policy->max_bytes_per_s);
}

static double cost(const struct model_node *node, bool is_pkts, const struct model_pkt *pkt)
{
	if (is_pkts)
		return pkt->parts;
	if (node->policy.accounting == HG_ACCOUNT_L2)
		return (double)pkt->wire_bytes - HG_WIRE_OVERHEAD_BYTES * (double)pkt->parts;
	return pkt->wire_bytes;
}

/* By how much a bucket lacks tokens for a packet; <= 0: it may leave. */
static double lack(struct model_node *node, bool is_pkts, const struct model_pkt *pkt,
		   double now_ns)
{
	struct model_bucket *b = is_pkts ? &node->pkts : &node->bytes;
	double need = cost(node, is_pkts, pkt), burst = bucket_burst(&node->policy, is_pkts);
	double rate = bucket_rate(&node->policy, is_pkts);

	if (rate == 0)
		return -1e18;
	reload(b, rate, now_ns);
	return (need < burst ? need : burst) - b->tokens;
}

/* What is left of the tokens when a packet takes some: no more than the burst; after idleness no more than
 * the reserve, or what the packet needs. */
static void cut(struct model_node *node, bool is_pkts, double short_by, double now_ns)
{
	struct model_bucket *b = is_pkts ? &node->pkts : &node->bytes;
	double idle_ns = (double)node->policy.idle_after_ns;
	double most = bucket_burst(&node->policy, is_pkts);
	double could_ns = -short_by * 1e9 / bucket_rate(&node->policy, is_pkts);

	if (now_ns - b->last_take_ns >= idle_ns && could_ns >= idle_ns + 2) {
		double need = b->tokens + short_by;

		most = bucket_reserve(&node->policy, is_pkts);
		if (most < need)
			most = need;
	}
	if (b->tokens > most)
		b->tokens = most;
}

static void take(struct model *m, struct model_node *node, bool is_pkts,
		 const struct model_pkt *pkt, uint32_t who, double now_ns)
{
	struct model_bucket *b = is_pkts ? &node->pkts : &node->bytes;
	double largest = is_pkts ? (double)HG_PARTS_MAX : m->largest_pkt;
	double rate = bucket_rate(&node->policy, is_pkts);
	/* Times are whole ns, and a new contract may keep a fraction more or less. */
	double slack = 2 + rate * 3 / 1e9;
	double short_by = lack(node, is_pkts, pkt, now_ns);

	if (rate == 0)
		return;
	if (short_by > slack)
		fail(m, "a packet left without tokens", who, -short_by, 0);
	cut(node, is_pkts, short_by, now_ns);
	b->tokens -= cost(node, is_pkts, pkt);
	b->excess += cost(node, is_pkts, pkt);
	b->last_take_ns = now_ns;
	if (b->excess > bucket_burst(&node->policy, is_pkts) + largest + slack)
		fail(m, "more than max*T + burst + one packet", who, b->excess,
		     bucket_burst(&node->policy, is_pkts) + largest);
}

static void set_bucket(struct model_node *node, const struct hg_policy *to, bool is_pkts,
		       double now_ns)
{
	struct model_bucket *b = is_pkts ? &node->pkts : &node->bytes;
	double rate = bucket_rate(to, is_pkts);

	if (b->is_set && rate != 0) {
		reload(b, bucket_rate(&node->policy, is_pkts), now_ns);
		if (b->tokens > bucket_burst(&node->policy, is_pkts))
			b->tokens = bucket_burst(&node->policy, is_pkts);
		if (b->tokens > bucket_burst(to, is_pkts))
			b->tokens = bucket_burst(to, is_pkts);
		b->excess = 0;
	} else if (rate != 0) {
		*b = (struct model_bucket){.tokens = bucket_reserve(to, is_pkts),
					   .now_ns = now_ns,
					   .last_take_ns = now_ns - (double)to->idle_after_ns};
	}
	b->is_set = rate != 0;
}

static void set_node(struct model_node *node, const struct hg_policy *policy, hg_ns now_ns)
{
	set_bucket(node, policy, false, (double)now_ns);
	set_bucket(node, policy, true, (double)now_ns);
	node->policy = *policy;
	node->is_set = true;
	node->deficit = 0;
	node->deficit_at_ns = (double)now_ns;
}

void model_set_tenant(struct model *m, uint32_t tenant_idx, const struct hg_policy *policy,
		      hg_ns now_ns)
{
	set_node(&m->tenants[tenant_idx], policy, now_ns);
}

void model_set_instance(struct model *m, uint32_t idx, uint32_t tenant_idx,
			const struct hg_policy *policy, hg_ns now_ns)
{
	set_node(&m->instances[idx], policy, now_ns);
	if (m->tenant_of[idx] != tenant_idx) {
		m->tenants[tenant_idx].deficit = 0;
		m->tenants[m->tenant_of[idx]].deficit = 0;
	}
	m->tenant_of[idx] = tenant_idx;
}

/* ---- what goes in and out ------------------------------------------------------------------------ */

static void begin_window(struct model_node *node, hg_ns now_ns)
{
	node->deficit = 0;
	node->deficit_at_ns = (double)now_ns;
}

static bool is_tenant_empty(const struct model *m, uint32_t t)
{
	for (uint32_t i = 0; i < MODEL_INSTANCES; i++)
		if (m->tenant_of[i] == t && m->queues[0][i].n > 0)
			return false;
	return true;
}

void model_push(struct model *m, unsigned sched, const struct hg_sched_item *item, hg_ns now_ns)
{
	struct model_queue *q = &m->queues[sched][item->instance_idx];

	if (q->n == 0) {
		q->busy_since_ns = now_ns;
		if (sched == 0)
			begin_window(&m->instances[item->instance_idx], now_ns);
		if (sched == 0 && is_tenant_empty(m, m->tenant_of[item->instance_idx]))
			begin_window(&m->tenants[m->tenant_of[item->instance_idx]], now_ns);
	}
	if (item->wire_bytes > m->largest_pkt)
		m->largest_pkt = item->wire_bytes;
	q->pkts[(q->head + q->n++) % MODEL_QUEUE] =
		(struct model_pkt){item->pkt, item->wire_bytes, item->parts};
}

static void check_root(struct model *m, double bytes, double now_ns)
{
	m->root_excess -= (now_ns - m->root_at_ns) * m->root_rate / 1e9;
	if (m->root_excess < 0)
		m->root_excess = 0;
	m->root_at_ns = now_ns;
	m->root_excess += bytes;
	if (m->root_excess > m->root_burst + m->largest_pkt + 2)
		fail(m, "more than the root's pace", 0, m->root_excess,
		     m->root_burst + m->largest_pkt);
}

/* The deficit of a guarantee up to now. */
static void follow(struct model_node *node, double now_ns)
{
	node->deficit +=
		(now_ns - node->deficit_at_ns) * (double)node->policy.min_bytes_per_s / 1e9;
	node->deficit_at_ns = now_ns;
}

static void served(struct model_node *node, double bytes, double now_ns)
{
	follow(node, now_ns);
	node->deficit -= bytes;
	if (node->deficit < 0)
		node->deficit = 0;
}

void model_popped(struct model *m, unsigned sched, const struct hg_sched_item *item,
		  bool was_drained, hg_ns now_ns)
{
	uint32_t idx = item->instance_idx, t = m->tenant_of[idx];
	struct model_queue *q = &m->queues[sched][idx];
	struct model_pkt pkt = q->pkts[q->head];
	double now = (double)now_ns;

	if (q->n == 0 || pkt.pkt != item->pkt || pkt.wire_bytes != item->wire_bytes ||
	    pkt.parts != item->parts) {
		fail(m, "not the first packet of its instance", idx, q->n, 0);
		return;
	}
	q->head = (q->head + 1) % MODEL_QUEUE;
	if (--q->n == 0)
		q->busy_ns += (uint64_t)(now_ns - q->busy_since_ns);
	if (sched == 0) {
		served(&m->instances[idx], pkt.wire_bytes, now);
		served(&m->tenants[t], pkt.wire_bytes, now);
	}
	if (was_drained)
		return;
	for (int is_pkts = 0; is_pkts < 2; is_pkts++) {
		take(m, &m->instances[idx], is_pkts, &pkt, idx, now);
		take(m, &m->tenants[t], is_pkts, &pkt, 1000 + t, now);
	}
	if (sched == 0 && m->root_rate > 0)
		check_root(m, pkt.wire_bytes, now);
}

/* ---- work --------------------------------------------------------------------------------------- */

/* Whether a node's buckets hold a packet, give or take what comes in within a tick. */
static bool is_held(struct model_node *node, const struct model_pkt *pkt, hg_ns now_ns)
{
	for (int is_pkts = 0; is_pkts < 2; is_pkts++) {
		double tick = bucket_rate(&node->policy, is_pkts) * (TICK_NS + 3) / 1e9;

		if (lack(node, is_pkts, pkt, (double)now_ns) > -tick - 2)
			return true;
	}
	return false;
}

/* A tenant is held if the first packet of any of its instances that is not held itself would be. */
static bool is_tenant_held(struct model *m, unsigned sched, uint32_t t, hg_ns now_ns)
{
	for (uint32_t i = 0; i < MODEL_INSTANCES; i++) {
		struct model_queue *q = &m->queues[sched][i];

		if (q->n > 0 && m->tenant_of[i] == t &&
		    is_held(&m->tenants[t], &q->pkts[q->head], now_ns))
			return true;
	}
	return false;
}

void model_check_nothing_left(struct model *m, unsigned sched, hg_ns now_ns)
{
	if (sched == 0 && m->root_rate > 0) {
		double excess =
			m->root_excess - ((double)now_ns - m->root_at_ns) * m->root_rate / 1e9;

		if (excess > m->root_burst - 2 - m->root_rate * 2 / 1e9)
			return;
	}
	for (uint32_t i = 0; i < MODEL_INSTANCES; i++) {
		struct model_queue *q = &m->queues[sched][i];

		if (q->n > 0 && !is_held(&m->instances[i], &q->pkts[q->head], now_ns) &&
		    !is_tenant_held(m, sched, m->tenant_of[i], now_ns))
			fail(m, "a packet that may leave stays", i, q->n, 0);
	}
}

/* ---- samples ------------------------------------------------------------------------------------ */

static uint64_t held_by_maxima(const struct hg_sched_stats *stats)
{
	return stats->held_ns[HG_LIMIT_MAX] + stats->held_ns[HG_LIMIT_PKTS] +
	       stats->held_ns[HG_LIMIT_TENANT_MAX] + stats->held_ns[HG_LIMIT_TENANT_PKTS];
}

static void check_held(struct model *m, unsigned sched, uint32_t idx,
		       const struct hg_sched_stats *stats, hg_ns now_ns)
{
	struct model_queue *q = &m->queues[sched][idx];
	uint64_t want = q->busy_ns + (q->n > 0 ? (uint64_t)(now_ns - q->busy_since_ns) : 0);
	uint64_t sum = 0;

	for (int l = 0; l < HG_N_LIMITS; l++)
		sum += stats->held_ns[l];
	if (sum != want || stats->held_ns[HG_LIMIT_NONE] != 0)
		fail(m, "held times do not add up to the wait", idx, (double)sum, (double)want);
	if ((stats->held_by == HG_LIMIT_NONE) != (q->n == 0) || stats->queued_pkts != q->n)
		fail(m, "the sample has another queue", idx, stats->queued_pkts, q->n);
}

/* Checks a guarantee, unless a maximum was in the way, which begins a new window. */
static void check_guarantee(struct model *m, struct model_node *node, uint32_t who, bool is_busy,
			    uint64_t capped_ns, hg_ns now_ns)
{
	double g = (double)node->policy.min_bytes_per_s;
	double most = (double)node->policy.burst_bytes + m->largest_pkt + g * 2 * TICK_NS / 1e9;

	follow(node, (double)now_ns);
	if (!is_busy || capped_ns != node->capped_ns)
		node->deficit = 0;
	node->capped_ns = capped_ns;
	if (g > 0 && node->deficit > most)
		fail(m, "less than min*T - burst - one packet", who, node->deficit, most);
}

void model_check_samples(struct model *m, unsigned sched, const struct hg_sched *s, hg_ns now_ns)
{
	bool is_busy[MODEL_TENANTS] = {false};
	uint64_t capped_ns[MODEL_TENANTS] = {0};
	struct hg_sched_stats stats;

	for (uint32_t i = 0; i < MODEL_INSTANCES; i++) {
		uint32_t t = m->tenant_of[i];

		if (!m->instances[i].is_set)
			continue;
		hg_sched_sample_instance(s, i, &stats, now_ns);
		check_held(m, sched, i, &stats, now_ns);
		if (sched != 0)
			continue;
		check_guarantee(m, &m->instances[i], i, stats.queued_pkts > 0,
				held_by_maxima(&stats), now_ns);
		is_busy[t] = is_busy[t] || stats.queued_pkts > 0;
		capped_ns[t] += held_by_maxima(&stats);
	}
	for (uint32_t t = 0; sched == 0 && t < MODEL_TENANTS; t++)
		if (m->tenants[t].is_set)
			check_guarantee(m, &m->tenants[t], 1000 + t, is_busy[t], capped_ns[t],
					now_ns);
}
