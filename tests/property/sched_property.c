/* Random histories of one scheduler for a link and one for local traffic, over the same maxima, against the
 * model. Each property is seen to fail with a liar between the history and the scheduler. */
#include "tests/property/sched_model.h"
#include "tests/property/twins.h"

enum { N_PKTS = 1 << 16, QUEUE_MOST = 1000, STEPS = 600, DEFAULT_ROUNDS = 400 };

/* What stands between the history and the scheduler, and does it wrong. */
enum lie {
	HONEST,
	HIGHER_MAX, /* maxima are 5 % higher than agreed */
	HIGHER_PKTS,
	HIGHER_TENANT_MAX,
	NO_MIN, /* guarantees are forgotten */
	FASTER_ROOT,
	OUT_OF_ORDER,
	LOST, /* a packet vanishes */
	LAZY, /* a pop stops though more may leave */
	LATE_CHANGE, /* a parked node does not hear of a new maximum */
	HELD_LATE, /* waiting is told to have begun a ns later */
	LATE_NEXT_AT,
};

static char pkt_space[N_PKTS * 64];

struct history {
	uint64_t seed;
	enum lie lie;
	struct model m;
	struct hg_caps *caps;
	struct hg_sched *s[MODEL_SCHEDS];
	void *memory[MODEL_SCHEDS + 1];
	hg_ns now;
	double rate; /* of the link, bytes/s */
	double min_budget[MODEL_INSTANCES], tenant_budget[MODEL_TENANTS];
	bool is_on[MODEL_INSTANCES];
	bool has_segments, has_limits;
	uint32_t n_tenants, n_instances;
	uint32_t next_pkt;
	uint64_t n_in, n_out;
};

static struct history h; /* one at a time */

static uint64_t pick(uint64_t lo, uint64_t hi)
{
	return hg_test_between(&h.seed, lo, hi);
}

static bool chance(unsigned percent)
{
	return pick(0, 99) < percent;
}

/* ---- the world ---------------------------------------------------------------------------------- */

static void *memory(unsigned k, size_t size)
{
	h.memory[k] = aligned_alloc(64, (size + 63u) & ~(size_t)63u);
	HG_CHECK(h.memory[k] != NULL);
	memset(h.memory[k], 0, size);
	return h.memory[k];
}

static uint64_t random_max(double min)
{
	double rate = h.rate / (double)pick(1, 50);

	return (uint64_t)(rate > min ? rate : min) + 1000;
}

static struct hg_policy random_policy(double budget, bool is_tenant)
{
	/* A guarantee is kept to within a burst of at least five of the larger of quantum and packet. */
	uint64_t least = budget > 0 ? (h.has_segments ? 345000 : 17500) : HG_BURST_MIN_BYTES;
	struct hg_policy p = {.weight = (uint32_t)(chance(50) ? 1 : pick(1, HG_WEIGHT_MAX)),
			      .burst_bytes = pick(least, 400000),
			      .idle_after_ns = (hg_ns)pick(100000, 20000000)};

	p.reserve_bytes = chance(30) ? 0 : pick(0, p.burst_bytes);
	if (chance(70))
		p.min_bytes_per_s = (uint64_t)(budget / (double)(is_tenant ? 1 : pick(1, 3)));
	if (p.min_bytes_per_s < HG_RATE_MIN_BYTES_PER_S)
		p.min_bytes_per_s = 0;
	if (h.has_limits && chance(40))
		p.max_bytes_per_s = random_max(budget);
	if (h.has_limits && chance(15))
		p.max_pkts_per_s = pick(1000, 1000000);
	p.accounting = chance(20) ? HG_ACCOUNT_L2 : HG_ACCOUNT_WIRE;
	return p;
}

/* What the scheduler is told instead. */
static struct hg_policy told(struct hg_policy p, bool is_tenant)
{
	if (h.lie == HIGHER_MAX || (h.lie == HIGHER_TENANT_MAX && is_tenant))
		p.max_bytes_per_s += p.max_bytes_per_s / 20;
	if (h.lie == HIGHER_PKTS)
		p.max_pkts_per_s += p.max_pkts_per_s / 20;
	if (h.lie == NO_MIN)
		p.min_bytes_per_s = 0;
	return p;
}

static void set_tenant(uint32_t t)
{
	struct hg_policy p = random_policy(h.tenant_budget[t], true), q = told(p, true);
	bool is_new = !h.m.tenants[t].is_set;

	model_set_tenant(&h.m, t, &p, h.now);
	hg_caps_set_tenant(h.caps, t, &q, h.now);
	for (unsigned k = 0; k < MODEL_SCHEDS; k++) {
		if (k == 1)
			q.min_bytes_per_s = 0;
		if (h.lie == LATE_CHANGE && !is_new)
			continue;
		HG_CHECK_EQ(hg_sched_set_tenant(h.s[k], t, &q, h.now, NULL), 0);
		hg_sched_refresh_tenant(h.s[k], t, h.now);
	}
}

static void set_instance(uint32_t i, uint32_t t)
{
	struct hg_policy p = random_policy(h.min_budget[i], false), q = told(p, false);
	bool is_new = !h.m.instances[i].is_set;

	model_set_instance(&h.m, i, t, &p, h.now);
	hg_caps_set_instance(h.caps, i, &q, h.now);
	for (unsigned k = 0; k < MODEL_SCHEDS; k++) {
		if (k == 1)
			q.min_bytes_per_s = 0;
		if (h.lie == LATE_CHANGE && !is_new)
			continue;
		HG_CHECK_EQ(hg_sched_set_instance(h.s[k], i, t, &q, h.now, NULL), 0);
		hg_sched_refresh_instance(h.s[k], i, h.now);
	}
}

/* Divides up to 95 % of the link among the tenants, and each part among the tenant's instances. */
static void divide_link(void)
{
	double left = h.rate * 0.95;

	for (uint32_t t = 0; t < h.n_tenants; t++) {
		double part = left * (double)pick(0, 90) / 100.0, inside = part;

		h.tenant_budget[t] = part;
		left -= part;
		for (uint32_t i = 0; i < h.n_instances; i++) {
			if (i % h.n_tenants != t)
				continue;
			h.min_budget[i] = inside * (double)pick(0, 90) / 100.0;
			inside -= h.min_budget[i];
		}
	}
}

static void world(uint64_t seed, enum lie lie)
{
	struct hg_sched_cfg cfg = {.max_tenants = MODEL_TENANTS,
				   .max_instances = MODEL_INSTANCES,
				   .max_queued_pkts = MODEL_INSTANCES * QUEUE_MOST,
				   .pkt_base = pkt_space};
	double root_burst;

	memset(&h, 0, sizeof(h));
	h.seed = seed;
	h.lie = lie;
	model_init(&h.m);
	h.now = (hg_ns)pick(0, 1) * 123456789012345;
	h.rate = (double)pick(12500000, 1250000000); /* 100 Mbit/s to 10 Gbit/s */
	h.has_segments = chance(30);
	h.has_limits = chance(75);
	h.n_tenants = (uint32_t)pick(1, MODEL_TENANTS);
	h.n_instances = (uint32_t)pick(h.n_tenants, MODEL_INSTANCES);
	if (chance(30))
		cfg.quantum_bytes = (uint32_t)pick(1000, 3500);
	h.caps = hg_caps_init(memory(MODEL_SCHEDS, hg_caps_size(MODEL_TENANTS, MODEL_INSTANCES)),
			      MODEL_TENANTS, MODEL_INSTANCES);
	cfg.caps = h.caps;
	for (unsigned k = 0; k < MODEL_SCHEDS; k++)
		HG_CHECK_EQ(
			hg_sched_init(memory(k, hg_sched_size(&cfg)), &cfg, h.now, &h.s[k], NULL),
			0);
	root_burst = (double)pick(1600, 6000) + h.rate * 3e-6;
	model_set_root(&h.m, h.rate, root_burst, h.now);
	hg_sched_set_root(h.s[0], (uint64_t)(h.rate * (lie == FASTER_ROOT ? 1.05 : 1)),
			  (uint64_t)root_burst, h.now);
	divide_link();
	for (uint32_t t = 0; t < h.n_tenants; t++)
		set_tenant(t);
	for (uint32_t i = 0; i < h.n_instances; i++) {
		h.is_on[i] = chance(60);
		set_instance(i, i % h.n_tenants);
	}
}

static void world_end(void)
{
	for (unsigned k = 0; k <= MODEL_SCHEDS; k++)
		free(h.memory[k]);
}

/* ---- one step ----------------------------------------------------------------------------------- */

static struct hg_sched_item random_item(uint32_t i)
{
	struct hg_sched_item item = {.pkt = pkt_space + (size_t)(h.next_pkt++ % N_PKTS) * 64,
				     .instance_idx = i,
				     .wire_bytes = pick(88, 1538) & HG_WIRE_MAX_BYTES,
				     .parts = 1};

	if (chance(30))
		item.wire_bytes = 1538;
	if (h.has_segments && chance(30)) {
		item.parts = pick(2, 44) & 0xfffu;
		item.wire_bytes = (item.parts * 1538u) & HG_WIRE_MAX_BYTES;
	}
	return item;
}

static void push_some(unsigned k, uint32_t i, unsigned n)
{
	struct hg_sched_item items[64];

	for (unsigned j = 0; j < n; j++) {
		items[j] = random_item(i);
		model_push(&h.m, k, &items[j], h.now);
	}
	h.n_in += n;
	if (h.lie == LOST && n > 0 && chance(1))
		n--;
	HG_CHECK_EQ(hg_sched_push(h.s[k], items, n, h.now + (h.lie == HELD_LATE)), n);
}

static void push_all(void)
{
	for (uint32_t i = 0; i < h.n_instances; i++) {
		unsigned k = chance(15);

		if (chance(2))
			h.is_on[i] = !h.is_on[i];
		if (h.is_on[i] && chance(50) && h.m.queues[k][i].n < QUEUE_MOST - 64)
			push_some(k, i, (unsigned)pick(1, chance(10) ? 64 : 6));
	}
}

static unsigned lying_pop(unsigned k, struct hg_sched_item *items, unsigned n, uint32_t max_bytes)
{
	unsigned got;

	if (h.lie == LAZY && chance(3))
		return 0;
	got = hg_sched_pop(h.s[k], items, n, max_bytes, h.now);
	if (h.lie == OUT_OF_ORDER && got > 1 && chance(5)) {
		struct hg_sched_item first = items[0];

		items[0] = items[1];
		items[1] = first;
	}
	return got;
}

/* Takes out what may leave. */
static void pop_all(unsigned k)
{
	for (;;) {
		struct hg_sched_item items[64];
		unsigned n = (unsigned)pick(1, 64);
		uint32_t max_bytes = chance(20) ? (uint32_t)pick(1, 20000) : UINT32_MAX;
		unsigned got = lying_pop(k, items, n, max_bytes);

		for (unsigned j = 0; j < got; j++)
			model_popped(&h.m, k, &items[j], false, h.now);
		h.n_out += got;
		if (got < n && max_bytes == UINT32_MAX)
			break;
	}
	model_check_nothing_left(&h.m, k, h.now);
}

/* Empties an instance by hand, takes it away and puts it into some tenant again. */
static void replace(uint32_t i)
{
	uint32_t t = h.m.tenant_of[i];

	for (unsigned k = 0; k < MODEL_SCHEDS; k++) {
		struct hg_sched_item items[16];
		unsigned got;

		while ((got = hg_sched_drain(h.s[k], i, items, (unsigned)pick(1, 16), h.now)) > 0) {
			for (unsigned j = 0; j < got; j++)
				model_popped(&h.m, k, &items[j], true, h.now);
			h.n_out += got;
		}
		HG_CHECK_EQ(hg_sched_remove_instance(h.s[k], i, h.now, NULL), 0);
		h.m.queues[k][i].busy_ns = 0;
	}
	/* Even who tells changes late has to set it again. */
	h.m.instances[i].is_set = false;
	set_instance(i, t);
}

static void change(void)
{
	uint32_t i = (uint32_t)pick(0, h.n_instances - 1);

	if (chance(30))
		set_tenant((uint32_t)pick(0, h.n_tenants - 1));
	else if (chance(70))
		set_instance(i, h.m.tenant_of[i]);
	else
		replace(i);
}

static hg_ns lying_next_at(unsigned k)
{
	hg_ns at = hg_sched_next_at(h.s[k], h.now);

	if (h.lie == LATE_NEXT_AT && at != HG_NEVER && at > h.now)
		at += 20000;
	return at;
}

/* The time at which a worker would come back: exactly then, or just before to see that nothing is missed,
 * or a little later; never so much later that the link runs dry. */
static void advance(void)
{
	hg_ns next = HG_NEVER, at[MODEL_SCHEDS];
	hg_ns dry_ns = (hg_ns)(h.m.root_burst * 1e9 / h.rate);

	for (unsigned k = 0; k < MODEL_SCHEDS; k++) {
		at[k] = lying_next_at(k);
		if (at[k] < next)
			next = at[k];
	}
	if (next == HG_NEVER) {
		h.now += (hg_ns)pick(1, chance(10) ? 30000000 : 20000);
		return;
	}
	HG_CHECK(next >= h.now);
	if (next > h.now + 1 && chance(50)) {
		struct hg_sched_item item;

		h.now = next - 1;
		for (unsigned k = 0; k < MODEL_SCHEDS; k++) {
			if (hg_sched_pop(h.s[k], &item, 1, UINT32_MAX, h.now) != 0)
				h.m.wrong = "a packet left before next_at";
			model_check_nothing_left(&h.m, k, h.now);
		}
	}
	h.now = next > h.now ? next : h.now;
	if (dry_ns > 2 && chance(50))
		h.now += (hg_ns)pick(1, (uint64_t)dry_ns / 2);
	if (next <= h.now && dry_ns <= 2)
		h.now++;
}

static void check(void)
{
	for (unsigned k = 0; k < MODEL_SCHEDS; k++)
		model_check_samples(&h.m, k, h.s[k], h.now);
}

/* What the model found wrong in a history; NULL if nothing. */
static const char *run(uint64_t seed, enum lie lie)
{
	const char *wrong;
	unsigned n_idle = 0;

	world(seed, lie);
	for (int step = 0; step < STEPS && h.m.wrong == NULL; step++) {
		push_all();
		pop_all(0);
		pop_all(1);
		check();
		if (chance(5))
			change();
		advance();
	}
	/* All that is queued leaves in the end. */
	for (; h.n_out < h.n_in && h.m.wrong == NULL && n_idle < 1000000; n_idle++) {
		pop_all(0);
		pop_all(1);
		advance();
	}
	wrong = h.m.wrong;
	if (wrong == NULL && h.n_in != h.n_out)
		wrong = "packets are stuck or lost";
	world_end();
	return wrong;
}

static void s1_8_random_histories_keep_every_promise(void)
{
	for (unsigned r = 0; r < n_rounds(DEFAULT_ROUNDS); r++) {
		uint64_t seed = round_seed(r);
		const char *wrong = run(seed, HONEST);

		if (wrong != NULL)
			MODEL_FAIL(r, seed, &h.m, wrong, h.now);
	}
}

/* One history again. */
static void again(uint64_t seed)
{
	const char *wrong = run(seed, HONEST);

	if (wrong != NULL)
		MODEL_FAIL(0u, seed, &h.m, wrong, h.now);
}

/* A tenant that had spent all but a little of its credit lagged behind by a whole reserve before that counted, and then by
 * what the others' packets take. */
static void s1_8_who_has_spent_its_credit_is_not_late_by_a_reserve(void)
{
	again(102001213);
}

/* Segments of 64 KiB had the deadlines of a quantum: those of many, due at once, went before a tenant that has most of the
 * link, for longer than its burst allows. */
static void s1_8_large_packets_have_the_deadlines_of_their_rates(void)
{
	again(23001061);
}

/* An instance that had found its tenant's maximum reached waited behind another one of that tenant that had come before it,
 * of so low a rate that its deadline was 300 ms away. */
static void s1_8_who_is_blocked_goes_by_its_deadline(void)
{
	again(24000184);
}

/* The decision out of a tenant's guarantee had the deadline of a quantum, though it took a segment of 64 KiB: tenants of low
 * rates spent their credit at ten times those, before one that has 82 % of the link. */
static void s1_8_large_packets_of_a_tenant_have_the_deadlines_of_its_rate(void)
{
	again(22000454);
}

NOTICED(broken_higher_max_is_noticed, HIGHER_MAX)
NOTICED(broken_higher_pkts_is_noticed, HIGHER_PKTS)
NOTICED(broken_higher_tenant_max_is_noticed, HIGHER_TENANT_MAX)
NOTICED(broken_no_min_is_noticed, NO_MIN)
NOTICED(broken_faster_root_is_noticed, FASTER_ROOT)
NOTICED(broken_order_is_noticed, OUT_OF_ORDER)
NOTICED(broken_loss_is_noticed, LOST)
NOTICED(broken_lazy_pop_is_noticed, LAZY)
NOTICED(broken_late_change_is_noticed, LATE_CHANGE)
NOTICED(broken_held_time_is_noticed, HELD_LATE)
NOTICED(broken_next_at_is_noticed, LATE_NEXT_AT)

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s1_8_random_histories_keep_every_promise),
		HG_TEST(s1_8_who_has_spent_its_credit_is_not_late_by_a_reserve),
		HG_TEST(s1_8_large_packets_have_the_deadlines_of_their_rates),
		HG_TEST(s1_8_who_is_blocked_goes_by_its_deadline),
		HG_TEST(s1_8_large_packets_of_a_tenant_have_the_deadlines_of_its_rate),
		HG_TEST(broken_higher_max_is_noticed),
		HG_TEST(broken_higher_pkts_is_noticed),
		HG_TEST(broken_higher_tenant_max_is_noticed),
		HG_TEST(broken_no_min_is_noticed),
		HG_TEST(broken_faster_root_is_noticed),
		HG_TEST(broken_order_is_noticed),
		HG_TEST(broken_loss_is_noticed),
		HG_TEST(broken_lazy_pop_is_noticed),
		HG_TEST(broken_late_change_is_noticed),
		HG_TEST(broken_held_time_is_noticed),
		HG_TEST(broken_next_at_is_noticed),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
