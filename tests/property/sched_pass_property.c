/* Two schedulers live through the same random history: in one, packets that nothing holds go by hg_sched_pass(), in the
 * other all are pushed and popped. Whatever can be told of them is equal after every step, and what comes out later,
 * too. The property is seen to fail with a liar in front of pass. */
#include "core/caps.h"
#include "core/sched.h"
#include "core/window.h"
#include "tests/property/twins.h"

#include <string.h>

enum {
	N_TENANTS = 4,
	N_INSTANCES = 9,
	RUN_MOST = 40,
	STEPS = 1500,
	DEFAULT_ROUNDS = 300,
	N_PKTS = 1 << 14,
	OUT_MOST = 1 << 14, /* packets that a card has */
	POPS_MOST = 10000, /* until nothing is left */
	PASSED_LEAST = 10, /* percent of runs, or the property says little */
};

enum lie {
	HONEST,
	LIGHTER, /* pass is told of a byte less */
	SHORTER, /* and of a packet less */
	LATER, /* and of another time */
	REORDERED, /* and of the largest packet at another place */
	UNTAKEN, /* and the window is not told of what passed */
};

static char pkt_space[N_PKTS * 64];

struct side {
	struct hg_sched *s;
	struct hg_caps *caps;
	struct hg_window *window; /* NULL: none */
	void *memory, *caps_memory, *window_memory;
};

/* What a card has. */
struct out {
	uint32_t instance_idx, wire_bytes, parts;
	uint16_t generation;
	uint8_t epoch;
};

static struct {
	uint64_t seed;
	enum lie lie;
	const char *wrong;
	struct side by, through; /* who passes, and who pushes and pops */
	hg_ns now;
	uint32_t next_pkt;
	uint32_t tenant_of[N_INSTANCES];
	uint8_t classes_of[N_INSTANCES];
	uint64_t n_runs, n_passed;
	struct out outs[OUT_MOST]; /* a ring */
	uint32_t n_released, n_out; /* ever; and those still there */
	bool has_guarantees, has_maxima, has_root, has_classes, has_priorities, has_window;
	bool is_counting; /* the window is */
} h; /* one at a time */

static uint64_t pick(uint64_t lo, uint64_t hi)
{
	return hg_test_between(&h.seed, lo, hi);
}

static bool chance(unsigned percent)
{
	return pick(0, 99) < percent;
}

static void expect(bool is_right, const char *wrong)
{
	if (!is_right && h.wrong == NULL)
		h.wrong = wrong;
}

/* ---- the world ---------------------------------------------------------------------------------- */

static void *zeroed(size_t size)
{
	void *memory = aligned_alloc(64, (size + 63u) & ~(size_t)63u);

	HG_CHECK(memory != NULL);
	return memset(memory, 0, size);
}

static struct hg_policy random_policy(void)
{
	struct hg_policy p = {.weight = (uint32_t)(chance(50) ? 1 : pick(1, 1000)),
			      .burst_bytes = pick(HG_BURST_MIN_BYTES, 300000),
			      .priority = HG_PRIORITY_NORMAL,
			      .idle_after_ns = (hg_ns)pick(1000, 5000000)};

	p.reserve_bytes = pick(0, p.burst_bytes);
	p.accounting = chance(30) ? HG_ACCOUNT_L2 : HG_ACCOUNT_WIRE;
	if (h.has_maxima && chance(60))
		p.max_bytes_per_s = pick(1000000, 20000000000);
	if (h.has_maxima && chance(30))
		p.max_pkts_per_s = pick(1000, 20000000);
	if (h.has_guarantees && chance(50))
		p.min_bytes_per_s = pick(100000, 100000000);
	if (h.has_priorities && chance(30))
		p.priority = HG_PRIORITY_LOW;
	return p;
}

#define BOTH(side) \
	for (struct side *side = &h.by; side != NULL; side = side == &h.by ? &h.through : NULL)

static void set_tenant(uint32_t t)
{
	struct hg_policy p = random_policy();

	BOTH(side)
	{
		if (side->window != NULL)
			hg_window_set_tenant(side->window, t, p.weight);
		hg_caps_set_tenant(side->caps, t, &p, h.now);
		HG_CHECK_EQ(hg_sched_set_tenant(side->s, t, &p, h.now, NULL), 0);
		hg_sched_refresh_tenant(side->s, t, h.now);
	}
}

static void set_instance(uint32_t i)
{
	struct hg_policy p = random_policy();
	struct hg_class_set set = {.n = h.has_classes && chance(20) ? 2 : 0};

	h.tenant_of[i] = (uint32_t)pick(0, N_TENANTS - 1);
	h.classes_of[i] = (uint8_t)set.n;
	set.classes[1].weight = 3;
	BOTH(side)
	{
		if (side->window != NULL)
			hg_window_set_instance(side->window, i, h.tenant_of[i], p.weight,
					       p.min_bytes_per_s);
		hg_caps_set_instance(side->caps, i, &p, h.now);
		HG_CHECK_EQ(hg_sched_set_instance(side->s, i, h.tenant_of[i], &p, h.now, NULL), 0);
		hg_sched_refresh_instance(side->s, i, h.now);
		hg_sched_set_classes(side->s, i, &set);
	}
}

static void set_root(void)
{
	uint64_t rate = chance(20) ? 0 : pick(10000000, 20000000000);
	uint64_t burst = chance(50) ? 100000 : 0;
	hg_ns lead = chance(50) ? (hg_ns)pick(0, 50000) : 0;

	BOTH(side)
	{
		hg_sched_set_root(side->s, rate, burst, h.now);
		hg_sched_set_lead(side->s, lead);
	}
}

/* 0: unbounded. */
static void set_window(void)
{
	uint64_t bytes = chance(40) ? 0 : pick(1600, chance(50) ? 10000 : 2000000);
	uint32_t pkts = bytes > 0 && chance(50) ? (uint32_t)pick(1, 1000) : 0;

	h.is_counting = bytes > 0 || chance(70);
	BOTH(side)
	{
		hg_window_set_max(side->window, bytes, pkts);
		hg_window_set_counting(side->window, h.is_counting);
		hg_sched_window_changed(side->s, h.now);
	}
}

static void make_window(struct side *side)
{
	if (!h.has_window)
		return;
	side->window_memory = zeroed(hg_window_size(N_TENANTS, N_INSTANCES));
	side->window = hg_window_init(side->window_memory, N_TENANTS, N_INSTANCES);
	hg_window_set_link(side->window, 1000000000, HG_BURST_MIN_BYTES);
}

static void world(uint64_t seed, enum lie lie)
{
	memset(&h, 0, sizeof(h));
	h.seed = seed;
	h.lie = lie;
	h.now = (hg_ns)pick(1, 1000000000);
	h.has_maxima = chance(70);
	h.has_guarantees = chance(50);
	h.has_root = chance(40);
	h.has_window = h.is_counting = chance(50);
	h.has_classes = chance(20);
	h.has_priorities = chance(10);
	BOTH(side)
	{
		struct hg_sched_cfg cfg = {.max_tenants = N_TENANTS,
					   .max_instances = N_INSTANCES,
					   .max_queued_pkts = 4096,
					   .pkt_base = pkt_space};

		side->caps_memory = zeroed(hg_caps_size(N_TENANTS, N_INSTANCES));
		cfg.caps = side->caps = hg_caps_init(side->caps_memory, N_TENANTS, N_INSTANCES);
		make_window(side);
		cfg.window = side->window;
		side->memory = zeroed(hg_sched_size(&cfg));
		HG_CHECK_EQ(hg_sched_init(side->memory, &cfg, h.now, &side->s, NULL), 0);
	}
	for (uint32_t t = 0; t < N_TENANTS; t++)
		set_tenant(t);
	for (uint32_t i = 0; i < N_INSTANCES; i++)
		set_instance(i);
}

/* ---- what can be told --------------------------------------------------------------------------- */

static bool is_same_stats(const struct hg_sched_stats *a, const struct hg_sched_stats *b)
{
	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		if (a->held_ns[i] != b->held_ns[i])
			return false;
	return a->sent_bytes == b->sent_bytes && a->sent_pkts == b->sent_pkts &&
	       a->guaranteed_bytes == b->guaranteed_bytes && a->queued_bytes == b->queued_bytes &&
	       a->queued_pkts == b->queued_pkts && a->held_by == b->held_by &&
	       a->is_active == b->is_active;
}

/* Of a node without the maximum, the bucket is the same untouched one. */
static bool is_same_cap(const struct hg_cap *a, const struct hg_cap *b)
{
	return hg_bucket_tokens(&a->bucket, h.now) == hg_bucket_tokens(&b->bucket, h.now) &&
	       a->bucket.zero_at_ns == b->bucket.zero_at_ns &&
	       a->bucket.fraction == b->bucket.fraction &&
	       a->bucket.taken_at_ns == b->bucket.taken_at_ns;
}

static void compare_windows(void)
{
	struct hg_window_stats x, y;
	struct hg_window_row a, b;

	hg_window_sample(h.by.window, &x);
	hg_window_sample(h.through.window, &y);
	expect(x.taken_bytes == y.taken_bytes && x.taken_pkts == y.taken_pkts &&
		       x.given_bytes == y.given_bytes &&
		       x.outstanding_bytes == y.outstanding_bytes &&
		       x.outstanding_pkts == y.outstanding_pkts && x.n_active == y.n_active,
	       "the window");
	for (uint32_t i = 0; i < N_INSTANCES; i++) {
		hg_window_sample_instance(h.by.window, i, &a);
		hg_window_sample_instance(h.through.window, i, &b);
		expect(a.outstanding_bytes == b.outstanding_bytes &&
			       a.outstanding_pkts == b.outstanding_pkts &&
			       a.share_bytes == b.share_bytes && a.is_active == b.is_active,
		       "an instance's part of the window");
	}
	expect(hg_sched_was_held_by_window(h.by.s) == hg_sched_was_held_by_window(h.through.s),
	       "held by the window");
	expect(hg_sched_was_held_by_root(h.by.s) == hg_sched_was_held_by_root(h.through.s),
	       "held by the root");
}

static void compare(void)
{
	const struct hg_caps *a = h.by.caps, *b = h.through.caps;
	struct hg_sched_stats x, y;

	for (uint32_t i = 0; i < N_INSTANCES; i++) {
		hg_sched_sample_instance(h.by.s, i, &x, h.now);
		hg_sched_sample_instance(h.through.s, i, &y, h.now);
		expect(is_same_stats(&x, &y), "an instance's counters");
		expect(is_same_cap(&a->instance_bytes[i], &b->instance_bytes[i]) &&
			       is_same_cap(&a->instance_pkts[i], &b->instance_pkts[i]),
		       "an instance's tokens");
	}
	for (uint32_t t = 0; t < N_TENANTS; t++) {
		hg_sched_sample_tenant(h.by.s, t, &x, h.now);
		hg_sched_sample_tenant(h.through.s, t, &y, h.now);
		expect(is_same_stats(&x, &y), "a tenant's counters");
		expect(is_same_cap(&a->tenant_bytes[t], &b->tenant_bytes[t]) &&
			       is_same_cap(&a->tenant_pkts[t], &b->tenant_pkts[t]),
		       "a tenant's tokens");
	}
	expect(hg_sched_next_at(h.by.s, h.now) == hg_sched_next_at(h.through.s, h.now), "next_at");
	if (h.has_window)
		compare_windows();
}

/* ---- what happens ------------------------------------------------------------------------------- */

/* A card has what came out of the one that all goes through. */
static void hand(const struct hg_sched_item *items, unsigned n)
{
	const struct hg_window *w = h.through.window;

	for (unsigned k = 0; h.is_counting && k < n && h.n_out < OUT_MOST; k++)
		h.outs[(h.n_released + h.n_out++) % OUT_MOST] =
			(struct out){.instance_idx = items[k].instance_idx,
				     .wire_bytes = items[k].wire_bytes,
				     .parts = items[k].parts,
				     .generation = hg_window_generation(w, items[k].instance_idx),
				     .epoch = hg_window_epoch(w)};
}

static void release(unsigned n)
{
	for (; n > 0 && h.n_out > 0; n--) {
		const struct out *o = &h.outs[h.n_released++ % OUT_MOST];

		h.n_out--;
		BOTH(side)
		{
			(void)hg_window_give(side->window, o->instance_idx, o->generation, o->epoch,
					     o->wire_bytes, o->parts);
			hg_sched_window_opened(side->s, o->instance_idx, h.now);
		}
	}
	BOTH(side)
	if (hg_window_has_grown(side->window))
		hg_sched_window_changed(side->s, h.now);
}

static bool lie_pass(uint32_t i, const uint32_t *loads, unsigned n)
{
	uint32_t told[RUN_MOST];

	memcpy(told, loads, n * sizeof(told[0]));
	if (h.lie == LIGHTER)
		told[n - 1]--;
	if (h.lie == REORDERED && n > 1) {
		told[0] = loads[n - 1];
		told[n - 1] = loads[0];
	}
	/* Changes nothing, as the twin says that is not asked. */
	hg_sched_expect(h.by.s, &(const uint32_t){i}, 1);
	return hg_sched_pass(h.by.s, i, told, h.lie == SHORTER && n > 1 ? n - 1 : n,
			     h.lie == LATER ? h.now + 1 : h.now);
}

/* A run that went by in the one is all that comes out of the other. */
static void check_through(const struct hg_sched_item *items, unsigned n)
{
	struct hg_sched_item out[RUN_MOST + 1];
	unsigned n_out = hg_sched_pop(h.through.s, out, RUN_MOST + 1, UINT32_MAX, h.now);

	hand(out, n_out);
	expect(n_out == n, "not just what passed comes out");
	for (unsigned k = 0; k < n && k < n_out; k++)
		expect(out[k].pkt == items[k].pkt && out[k].load == items[k].load, "order");
}

static void send_run(uint32_t i)
{
	struct hg_sched_item items[RUN_MOST];
	uint8_t classes[RUN_MOST];
	uint32_t loads[RUN_MOST];
	unsigned n = (unsigned)pick(1, chance(50) ? 4 : RUN_MOST);
	bool is_small = chance(50), did_pass;

	for (unsigned k = 0; k < n; k++) {
		items[k] = (struct hg_sched_item){.pkt = pkt_space +
							 (size_t)(h.next_pkt++ % N_PKTS) * 64u,
						  .instance_idx = i};
		items[k].parts = is_small ? 1 : pick(1, 3) & 0xfffu;
		items[k].wire_bytes = pick(84, is_small ? 200 : 4600) & HG_WIRE_MAX_BYTES;
		loads[k] = items[k].load;
		classes[k] = h.classes_of[i] > 0 ? (uint8_t)pick(0, 1) : HG_CLASS_NONE;
	}
	h.n_runs++;
	did_pass = lie_pass(i, loads, n);
	if (did_pass && h.lie == UNTAKEN && h.has_window)
		(void)hg_window_give(h.by.window, i, hg_window_generation(h.by.window, i),
				     hg_window_epoch(h.by.window), items[0].wire_bytes,
				     items[0].parts);
	HG_CHECK_EQ(hg_sched_push_classed(h.through.s, items, classes, n, h.now), n);
	if (did_pass) {
		h.n_passed++;
		check_through(items, n);
		return;
	}
	HG_CHECK_EQ(hg_sched_push_classed(h.by.s, items, classes, n, h.now), n);
}

static void pop_some(unsigned n)
{
	struct hg_sched_item a[RUN_MOST], b[RUN_MOST];
	uint32_t max_bytes = chance(70) ? UINT32_MAX : (uint32_t)pick(1, 20000);
	unsigned n_a = hg_sched_pop(h.by.s, a, n, max_bytes, h.now);
	unsigned n_b = hg_sched_pop(h.through.s, b, n, max_bytes, h.now);

	hand(b, n_b);
	expect(n_a == n_b, "how much comes out");
	for (unsigned k = 0; k < n_a && k < n_b; k++)
		expect(a[k].pkt == b[k].pkt && a[k].load == b[k].load &&
			       a[k].instance_idx == b[k].instance_idx,
		       "what comes out");
}

static void drain(uint32_t i)
{
	struct hg_sched_item items[RUN_MOST];

	BOTH(side)
	while (hg_sched_drain(side->s, i, items, RUN_MOST, h.now) > 0)
		continue;
}

static void advance(void)
{
	hg_ns next = hg_sched_next_at(h.through.s, h.now);

	if (next != HG_NEVER && chance(30))
		h.now = next > h.now ? next : h.now;
	else if (chance(70))
		h.now += (hg_ns)pick(0, 5000);
	else
		h.now += (hg_ns)pick(0, 20000000);
}

static void pop_all(void)
{
	for (unsigned k = 0; k < POPS_MOST && hg_sched_queued_pkts(h.through.s) > 0; k++) {
		hg_ns next = hg_sched_next_at(h.through.s, h.now);

		if (h.wrong != NULL)
			return;
		if (next == HG_NEVER)
			release(OUT_MOST);
		else
			h.now = next > h.now ? next : h.now;
		pop_some(RUN_MOST);
	}
	expect(hg_sched_queued_pkts(h.through.s) == 0, "nothing more comes out");
}

static const char *run(uint64_t seed, enum lie lie)
{
	world(seed, lie);
	for (int step = 0; step < STEPS && h.wrong == NULL; step++) {
		uint32_t i = (uint32_t)pick(0, N_INSTANCES - 1);

		if (hg_sched_queued_pkts(h.through.s) < 2000)
			send_run(i);
		if (chance(60))
			pop_some((unsigned)pick(1, RUN_MOST));
		if (chance(1))
			drain(i);
		if (chance(1))
			set_tenant((uint32_t)pick(0, N_TENANTS - 1));
		if (chance(1)) {
			drain(i);
			set_instance(i);
		}
		if (h.has_root && chance(1))
			set_root();
		if (h.has_window && chance(1))
			set_window();
		if (h.has_window && chance(50))
			release((unsigned)pick(1, chance(70) ? 2 * RUN_MOST : OUT_MOST));
		compare();
		if (chance(50))
			advance();
		if (chance(10))
			pop_all();
	}
	BOTH(side)
	{
		free(side->memory);
		free(side->caps_memory);
		free(side->window_memory);
	}
	return h.wrong;
}

static void s1_1_what_goes_by_the_scheduler_is_as_if_it_had_stood_in_it(void)
{
	uint64_t n_runs = 0, n_passed = 0;

	for (unsigned r = 0; r < n_rounds(DEFAULT_ROUNDS); r++) {
		uint64_t seed = round_seed(r);
		const char *wrong = run(seed, HONEST);

		n_runs += h.n_runs;
		n_passed += h.n_passed;
		if (wrong != NULL)
			HG_TEST_FAIL("round %u (seed %" PRIu64 "): %s differs, at %" PRId64, r,
				     seed, wrong, h.now);
	}
	if (n_passed * 100 < n_runs * PASSED_LEAST)
		HG_TEST_FAIL("only %" PRIu64 " of %" PRIu64 " runs passed", n_passed, n_runs);
}

NOTICED(broken_lighter_pass_is_noticed, LIGHTER)
NOTICED(broken_shorter_pass_is_noticed, SHORTER)
NOTICED(broken_later_pass_is_noticed, LATER)
NOTICED(broken_reordered_pass_is_noticed, REORDERED)
NOTICED(broken_untaken_pass_is_noticed, UNTAKEN)

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s1_1_what_goes_by_the_scheduler_is_as_if_it_had_stood_in_it),
		HG_TEST(broken_lighter_pass_is_noticed),
		HG_TEST(broken_shorter_pass_is_noticed),
		HG_TEST(broken_later_pass_is_noticed),
		HG_TEST(broken_reordered_pass_is_noticed),
		HG_TEST(broken_untaken_pass_is_noticed),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
