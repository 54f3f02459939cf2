#include "core/behaviour.h"

#include "core/sched.h"
#include "tests/harness.h"

/* ---- the step, by tables ------------------------------------------------------------------------ */

struct row {
	int n; /* times in a row */
	int own_percent, tenant_percent; /* of the interval */
	int level; /* after the last of them */
	int reason;
};

enum {
	NOTHING = HG_BEHAVIOUR_NO_REASON,
	OWN = HG_BEHAVIOUR_OVER_OWN,
	TENANT = HG_BEHAVIOUR_OVER_TENANT,
	INSIDE = HG_BEHAVIOUR_INSIDE
};

/* Each change moves the level by one, and is told; nothing else is. */
static void step(struct hg_behaviour *b, const struct row *row, hg_ns length_ns)
{
	struct hg_behaviour before = *b;
	struct hg_behaviour_sample sample = {.length_ns = length_ns,
					     .held_own_ns = length_ns / 100 * row->own_percent,
					     .held_tenant_ns =
						     length_ns / 100 * row->tenant_percent};
	bool has_changed = hg_behaviour_step(b, &sample);

	HG_CHECK_EQ(b->level - before.level, !has_changed                                  ? 0
					     : row->own_percent + row->tenant_percent > 50 ? 1
											   : -1);
	HG_CHECK_EQ(b->n_changes, before.n_changes + has_changed);
	HG_CHECK(has_changed || b->reason == before.reason);
	HG_CHECK_EQ(hg_behaviour_depth_shift(b), -b->level);
}

static void play(const struct row *rows, hg_ns length_ns)
{
	struct hg_behaviour b = {0};

	for (unsigned i = 0; rows[i].n > 0; i++) {
		for (int k = 0; k < rows[i].n; k++)
			step(&b, &rows[i], length_ns);
		if (b.level != rows[i].level || b.reason != rows[i].reason)
			HG_TEST_FAIL("row %u: level %d, reason %d", i, b.level, b.reason);
	}
}

static void s2_8_tightens_step_by_step_and_no_further(void)
{
	static const struct row rows[] = {
		{2, 80, 0, 0, NOTHING}, {1, 80, 0, 1, OWN},  {2, 80, 0, 1, OWN},
		{1, 80, 0, 2, OWN},     {3, 100, 0, 3, OWN}, {100, 100, 0, 3, OWN},
		{0, 0, 0, 0, 0},
	};

	play(rows, HG_BEHAVIOUR_INTERVAL_NS);
	/* By the part, not by the length. */
	play(rows, 1000);
	play(rows, INT64_MAX / 4);
}

static void s2_8_is_released_step_by_step_and_relaxed(void)
{
	static const struct row rows[] = {
		{9, 100, 0, 3, OWN},   {2, 0, 0, 3, OWN},       {1, 0, 0, 2, INSIDE},
		{3, 50, 0, 1, INSIDE}, {3, 0, 0, 0, INSIDE},    {2, 10, 10, 0, INSIDE},
		{1, 0, 0, -1, INSIDE}, {100, 0, 0, -1, INSIDE}, {3, 51, 0, 0, OWN},
		{0, 0, 0, 0, 0},
	};

	play(rows, HG_BEHAVIOUR_INTERVAL_NS);
}

/* Half of the time is not yet too much; and one interval of the other kind begins the row anew. */
static void s2_8_only_what_lasts_counts(void)
{
	static const struct row rows[] = {
		{2, 51, 0, 0, NOTHING},  {1, 50, 0, 0, NOTHING},  {2, 100, 0, 0, NOTHING},
		{1, 0, 0, 0, NOTHING},   {2, 100, 0, 0, NOTHING}, {2, 0, 0, 0, NOTHING},
		{1, 100, 0, 0, NOTHING}, {0, 0, 0, 0, 0},
	};

	play(rows, HG_BEHAVIOUR_INTERVAL_NS);
}

static void s2_8_the_tenants_total_is_an_input(void)
{
	static const struct row rows[] = {
		{3, 0, 60, 1, TENANT},  {3, 30, 40, 2, TENANT}, {3, 40, 30, 3, OWN},
		{3, 20, 30, 2, INSIDE}, {0, 0, 0, 0, 0},
	};

	play(rows, HG_BEHAVIOUR_INTERVAL_NS);
}

static void no_time_is_no_interval(void)
{
	struct hg_behaviour b = {0};
	struct hg_behaviour_sample sample = {.length_ns = 0, .held_own_ns = 5};

	for (unsigned i = 0; i < 10; i++)
		HG_CHECK(!hg_behaviour_step(&b, &sample));
	HG_CHECK_EQ(b.level, 0);
}

/* ---- the maximum in force ----------------------------------------------------------------------- */

static void s2_8_maximum_is_never_below_the_guarantee(void)
{
	static const struct {
		uint64_t min, max;
		int level, follow;
		uint64_t want;
	} rows[] = {
		{400, 1000, 0, HG_FOLLOW_RATE, 1000},
		{400, 1000, -1, HG_FOLLOW_RATE, 1000},
		{400, 1000, 1, HG_FOLLOW_RATE, 900},
		{400, 1000, 2, HG_FOLLOW_RATE, 800},
		{400, 1000, 3, HG_FOLLOW_RATE, 700},
		{0, 1000, 3, HG_FOLLOW_RATE, 500},
		{1000, 1000, 3, HG_FOLLOW_RATE, 1000},
		{400, 1000, 3, HG_FOLLOW_DEPTH, 1000},
		{400, 1000, 3, HG_FOLLOW_NONE, 1000},
		/* Without a maximum there is nothing to tighten. */
		{400, 0, 3, HG_FOLLOW_RATE, 0},
		{0, HG_RATE_MAX_BYTES_PER_S, 3, HG_FOLLOW_RATE, HG_RATE_MAX_BYTES_PER_S / 2},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hg_behaviour b = {.level = (int8_t)rows[i].level};
		struct hg_policy policy = {.min_bytes_per_s = rows[i].min,
					   .max_bytes_per_s = rows[i].max,
					   .behaviour = (uint8_t)rows[i].follow};

		HG_CHECK_EQ(hg_behaviour_max_bytes_per_s(&b, &policy), rows[i].want);
	}
}

static void every_reason_has_a_text(void)
{
	for (int r = HG_BEHAVIOUR_NO_REASON; r <= HG_BEHAVIOUR_INSIDE; r++) {
		HG_CHECK(strlen(hg_behaviour_reason_text((enum hg_behaviour_reason)r)) > 10);
		for (int other = 0; other < r; other++)
			HG_CHECK(strcmp(hg_behaviour_reason_text((enum hg_behaviour_reason)r),
					hg_behaviour_reason_text(
						(enum hg_behaviour_reason)other)) != 0);
	}
}

/* ---- with a scheduler, on virtual time ------------------------------------------------------------ */

enum { PKT_BYTES = 1538, MAX_PKTS = 64 };

static _Alignas(64) char pkt_space[MAX_PKTS * 64];
static const struct hg_policy plain = {.burst_bytes = 16384,
				       .reserve_bytes = 16384,
				       .idle_after_ns = HG_IDLE_AFTER_DEFAULT_NS,
				       .weight = 1};

static struct {
	struct hg_sched *sched;
	struct hg_caps *caps;
	struct hg_policy policy;
	struct hg_behaviour behaviour;
	struct hg_sched_stats before;
	hg_ns now_ns;
	uint64_t sent_bytes; /* in the last interval */
} w;

static void *memory(size_t size)
{
	void *m = aligned_alloc(64, (size + 63u) & ~(size_t)63u);

	HG_CHECK(m != NULL);
	memset(m, 0, size);
	return m;
}

/* One instance with this maximum and guarantee, in a tenant with another maximum. */
static void begin(uint64_t max, uint64_t min, uint64_t tenant_max, enum hg_follow follow)
{
	struct hg_sched_cfg cfg = {.max_tenants = 1,
				   .max_instances = 1,
				   .max_queued_pkts = MAX_PKTS,
				   .pkt_base = pkt_space};
	struct hg_policy tenant = plain;

	memset(&w, 0, sizeof(w));
	w.policy = plain;
	w.policy.max_bytes_per_s = max;
	w.policy.min_bytes_per_s = min;
	w.policy.behaviour = (uint8_t)follow;
	tenant.max_bytes_per_s = tenant_max;
	w.caps = hg_caps_init(memory(hg_caps_size(1, 1)), 1, 1);
	cfg.caps = w.caps;
	HG_CHECK_EQ(hg_sched_init(memory(hg_sched_size(&cfg)), &cfg, 0, &w.sched, NULL), 0);
	hg_caps_set_tenant(w.caps, 0, &tenant, 0);
	HG_CHECK_EQ(hg_sched_set_tenant(w.sched, 0, &tenant, 0, NULL), 0);
	hg_caps_set_instance(w.caps, 0, &w.policy, 0);
	HG_CHECK_EQ(hg_sched_set_instance(w.sched, 0, 0, &w.policy, 0, NULL), 0);
}

static void end(void)
{
	free(w.sched);
	free(w.caps);
}

/* Has a few packets queued always, or none. */
static void offer(bool is_greedy)
{
	static unsigned n;

	while (is_greedy && hg_sched_queued_pkts(w.sched) < 8) {
		struct hg_sched_item item = {.pkt = pkt_space + (size_t)(n++ % MAX_PKTS) * 64u,
					     .wire_bytes = PKT_BYTES,
					     .parts = 1};

		HG_CHECK_EQ(hg_sched_push(w.sched, &item, 1, w.now_ns), 1);
	}
}

/* An interval, and what follows from it: what the packet lane does. */
static void interval(bool is_greedy)
{
	hg_ns end_ns = w.now_ns + HG_BEHAVIOUR_INTERVAL_NS;
	struct hg_behaviour_sample sample = {.length_ns = HG_BEHAVIOUR_INTERVAL_NS};
	struct hg_sched_stats stats;

	w.sent_bytes = 0;
	offer(is_greedy);
	while (w.now_ns < end_ns) {
		struct hg_sched_item items[8];
		unsigned n;
		hg_ns next_ns;

		n = hg_sched_pop(w.sched, items, 8, UINT32_MAX, w.now_ns);
		w.sent_bytes += n * PKT_BYTES;
		offer(is_greedy);
		next_ns = hg_sched_next_at(w.sched, w.now_ns);
		if (next_ns <= w.now_ns)
			next_ns = w.now_ns + 1000;
		w.now_ns = next_ns < end_ns ? next_ns : end_ns;
	}
	hg_sched_sample_instance(w.sched, 0, &stats, w.now_ns);
	sample.held_own_ns = (hg_ns)(stats.held_ns[HG_LIMIT_MAX] - w.before.held_ns[HG_LIMIT_MAX]);
	sample.held_tenant_ns =
		(hg_ns)(stats.held_ns[HG_LIMIT_TENANT_MAX] - w.before.held_ns[HG_LIMIT_TENANT_MAX]);
	w.before = stats;
	if (hg_behaviour_step(&w.behaviour, &sample)) {
		hg_caps_tighten_instance(
			w.caps, 0, hg_behaviour_max_bytes_per_s(&w.behaviour, &w.policy), w.now_ns);
		hg_sched_refresh_instance(w.sched, 0, w.now_ns);
	}
}

static void check_sent(uint64_t bytes_per_s)
{
	HG_CHECK_BETWEEN(w.sent_bytes, bytes_per_s - 3 * PKT_BYTES,
			 bytes_per_s + plain.burst_bytes + PKT_BYTES);
}

/* 1 MB/s with 400 KB/s guaranteed: 900, 800, 700 KB/s while it is greedy, and back. */
static void s2_8_a_greedy_instance_is_tightened_in_rate_and_released(void)
{
	static const uint64_t rates[] = {1000000, 900000, 800000, 700000, 700000};

	begin(1000000, 400000, 0, HG_FOLLOW_RATE);
	for (unsigned level = 0; level < 5; level++) {
		for (unsigned i = 0; i < HG_BEHAVIOUR_AFTER; i++) {
			interval(true);
			check_sent(rates[level]);
		}
	}
	HG_CHECK_EQ(w.behaviour.level, 3);
	HG_CHECK_EQ(w.behaviour.reason, HG_BEHAVIOUR_OVER_OWN);
	for (unsigned i = 0; i < 4 * HG_BEHAVIOUR_AFTER; i++)
		interval(false);
	HG_CHECK_EQ(w.behaviour.level, HG_BEHAVIOUR_RELAXED);
	HG_CHECK_EQ(w.behaviour.reason, HG_BEHAVIOUR_INSIDE);
	interval(true);
	check_sent(1000000);
	end();
}

/* Without `behaviour: rate` the maximum stays what it is. */
static void s2_8_depth_alone_leaves_the_rate(void)
{
	begin(1000000, 0, 0, HG_FOLLOW_DEPTH);
	for (unsigned i = 0; i < 4 * HG_BEHAVIOUR_AFTER; i++) {
		interval(true);
		check_sent(1000000);
	}
	HG_CHECK_EQ(hg_behaviour_depth_shift(&w.behaviour), -3);
	end();
}

static void s2_8_held_by_the_tenants_total(void)
{
	begin(0, 0, 1000000, HG_FOLLOW_RATE);
	for (unsigned i = 0; i < HG_BEHAVIOUR_AFTER; i++)
		interval(true);
	HG_CHECK_EQ(w.behaviour.level, 1);
	HG_CHECK_EQ(w.behaviour.reason, HG_BEHAVIOUR_OVER_TENANT);
	check_sent(1000000);
	end();
}

/* Tightening keeps the tokens, whichever way; the policy set again resets it. */
static void s2_8_tokens_are_kept(void)
{
	begin(1000000, 0, 0, HG_FOLLOW_RATE);
	interval(true);
	/* The bucket is empty. A hundred changes give nothing away. */
	for (unsigned i = 0; i < 100; i++)
		hg_caps_tighten_instance(w.caps, 0, i % 2 ? 1000000 : 500000, w.now_ns);
	interval(true);
	check_sent(1000000);
	HG_CHECK(w.sent_bytes <= 1000000 + 3 * PKT_BYTES);
	hg_caps_tighten_instance(w.caps, 0, 500000, w.now_ns);
	hg_sched_refresh_instance(w.sched, 0, w.now_ns);
	interval(true);
	check_sent(500000);
	hg_caps_set_instance(w.caps, 0, &w.policy, w.now_ns);
	hg_sched_refresh_instance(w.sched, 0, w.now_ns);
	interval(true);
	check_sent(1000000);
	end();
}

static void nothing_to_tighten_without_a_maximum(void)
{
	begin(0, 0, 0, HG_FOLLOW_RATE);
	hg_caps_tighten_instance(w.caps, 0, 1000, 0);
	interval(true);
	HG_CHECK(w.sent_bytes > 1000000);
	HG_CHECK_EQ(w.behaviour.level, 0);
	end();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s2_8_tightens_step_by_step_and_no_further),
		HG_TEST(s2_8_is_released_step_by_step_and_relaxed),
		HG_TEST(s2_8_only_what_lasts_counts),
		HG_TEST(s2_8_the_tenants_total_is_an_input),
		HG_TEST(no_time_is_no_interval),
		HG_TEST(s2_8_maximum_is_never_below_the_guarantee),
		HG_TEST(every_reason_has_a_text),
		HG_TEST(s2_8_a_greedy_instance_is_tightened_in_rate_and_released),
		HG_TEST(s2_8_depth_alone_leaves_the_rate),
		HG_TEST(s2_8_held_by_the_tenants_total),
		HG_TEST(s2_8_tokens_are_kept),
		HG_TEST(nothing_to_tighten_without_a_maximum),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
