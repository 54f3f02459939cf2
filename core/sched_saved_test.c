/* What save and restore promise, by tables. Random histories: tests/property/sched_saved_property.c. */
#include "core/sched_saved.h"

#include "core/caps.h"
#include "tests/harness.h"

#define T0 (1000 * HG_NS_PER_S)
#define MS HG_NS_PER_MS

/* 1 byte a microsecond, a burst of 10,000, idle after 5 ms with a reserve of 4,000. */
static void make(struct hg_bucket *b)
{
	hg_bucket_init(b, 1000000, 10000, 4000, 5 * MS, T0);
}

static void s5_1_save_restore_keeps_a_debt(void)
{
	struct hg_bucket here, there;
	struct hg_bucket_saved saved;

	make(&here);
	hg_bucket_charge(&here, 30000, T0);
	hg_bucket_save(&here, T0 + MS, &saved);
	HG_CHECK_EQ(saved.tokens, 4000 - 30000 + 1000);
	make(&there);
	/* The other host's clock is another. */
	hg_bucket_restore(&there, &saved, 7 * MS);
	HG_CHECK_EQ(hg_bucket_tokens(&there, 7 * MS), -25000);
	HG_CHECK_EQ(hg_bucket_next_at(&there, 1000, 7 * MS), 7 * MS + 26 * MS);
}

static void s5_1_save_restore_keeps_a_debt_at_another_rate(void)
{
	struct hg_bucket here, there;
	struct hg_bucket_saved saved;

	make(&here);
	hg_bucket_charge(&here, 30000, T0);
	hg_bucket_save(&here, T0, &saved);
	hg_bucket_init(&there, 10000000, 10000, 10000, HG_NEVER, T0);
	hg_bucket_restore(&there, &saved, T0);
	HG_CHECK_EQ(hg_bucket_tokens(&there, T0), -26000);
}

static void s5_1_save_restore_gives_no_more_than_the_burst(void)
{
	struct hg_bucket b;
	const struct hg_bucket_saved saved = {.tokens = HG_BUCKET_TOKENS_MAX, .part = UINT32_MAX};

	make(&b);
	hg_bucket_restore(&b, &saved, T0);
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0), 10000);
	HG_CHECK(hg_bucket_take(&b, 10000, T0));
	HG_CHECK(!hg_bucket_take(&b, 2, T0));
}

static void s5_1_save_restore_keeps_idleness(void)
{
	struct hg_bucket here, there;
	struct hg_bucket_saved saved;

	make(&here);
	HG_CHECK(hg_bucket_take(&here, 1000, T0));
	hg_bucket_save(&here, T0 + 4 * MS, &saved);
	HG_CHECK_EQ(saved.taken_ago_ns, 4 * MS);
	make(&there);
	hg_bucket_restore(&there, &saved, T0 + 4 * MS);
	HG_CHECK(!hg_bucket_is_idle(&there, T0 + 4 * MS));
	HG_CHECK_EQ(hg_bucket_tokens(&there, T0 + 4 * MS), 7000);
	HG_CHECK(hg_bucket_is_idle(&there, T0 + 5 * MS));
	HG_CHECK_EQ(hg_bucket_tokens(&there, T0 + 5 * MS), 4000);
}

/* To a part of a token: any pace, any amount, comes back with the same next instant for any size. */
static void s5_1_save_restore_is_exact(void)
{
	static const uint64_t rates[] = {1000, 12345, 1000000, 125000000, UINT64_C(125000000000)};
	uint64_t seed = hg_test_seed;

	for (unsigned i = 0; i < 20000; i++) {
		uint64_t rate = rates[i % 5], burst = hg_test_between(&seed, 1600, 1u << 20);
		struct hg_bucket here, there;
		struct hg_bucket_saved saved;
		hg_ns now = T0;

		hg_bucket_init(&here, rate, burst, burst / 2, 5 * MS, now);
		for (unsigned j = 0; j < 4; j++) {
			hg_bucket_charge(&here, (uint32_t)hg_test_between(&seed, 1, 100000), now);
			now += (hg_ns)hg_test_between(&seed, 0, 20 * (uint64_t)MS);
		}
		hg_bucket_save(&here, now, &saved);
		hg_bucket_init(&there, rate, burst, burst / 2, 5 * MS, now);
		hg_bucket_restore(&there, &saved, now);
		HG_CHECK_EQ(there.fraction, here.fraction);
		HG_CHECK_EQ(hg_bucket_next_at(&there, 1500, now),
			    hg_bucket_next_at(&here, 1500, now));
		HG_CHECK_EQ(hg_bucket_tokens(&there, now), hg_bucket_tokens(&here, now));
	}
}

/* ---- schedulers --------------------------------------------------------------------------------- */

static char pkt_space[64 * 64];
static struct hg_sched *sched;
static void *memory;

static void make_sched(void)
{
	const struct hg_sched_cfg cfg = {
		.max_tenants = 1, .max_instances = 2, .max_queued_pkts = 64, .pkt_base = pkt_space};
	const struct hg_policy p = {
		.weight = 1, .burst_bytes = 2000, .min_bytes_per_s = 1000000, .idle_after_ns = MS};

	free(memory);
	memory = aligned_alloc(64, (hg_sched_size(&cfg) + 63u) & ~(size_t)63u);
	memset(memory, 0, hg_sched_size(&cfg));
	HG_CHECK_EQ(hg_sched_init(memory, &cfg, T0, &sched, NULL), 0);
	HG_CHECK_EQ(hg_sched_set_tenant(sched, 0, &p, T0, NULL), 0);
	HG_CHECK_EQ(hg_sched_set_instance(sched, 0, 0, &p, T0, NULL), 0);
}

static void check_refused(uint32_t idx, struct hg_sched_saved saved, int code, const char *path)
{
	struct hg_error err = {0};

	HG_CHECK_EQ(hg_sched_restore_instance(sched, idx, &saved, T0, &err), code);
	HG_CHECK_STR(err.path, path);
}

static void s5_1_save_restore_refuses_what_cannot_be(void)
{
	struct hg_sched_item item = {.pkt = pkt_space, .wire_bytes = 100, .parts = 1};
	struct hg_sched_saved saved = {0};

	make_sched();
	check_refused(1, saved, -HG_EINVAL, "");
	check_refused(7, saved, -HG_EINVAL, "");
	saved.due_in_ns = HG_SAVED_DUE_MAX_NS + 1;
	check_refused(0, saved, -HG_EINVAL, "due_in");
	saved = (struct hg_sched_saved){.ahead = HG_SAVED_AHEAD_MAX + 1};
	check_refused(0, saved, -HG_EINVAL, "ahead");
	saved = (struct hg_sched_saved){.quiet_ns = -1};
	check_refused(0, saved, -HG_EINVAL, "quiet");
	saved = (struct hg_sched_saved){.n_classes = HG_CLASSES_MAX + 1};
	check_refused(0, saved, -HG_EINVAL, "classes");
	saved = (struct hg_sched_saved){.n_classes = 1, .class_ahead = {HG_SAVED_AHEAD_MAX + 1}};
	check_refused(0, saved, -HG_EINVAL, "classes");
	HG_CHECK_EQ(hg_sched_push(sched, &item, 1, T0), 1);
	check_refused(0, (struct hg_sched_saved){0}, -HG_EBUSY, "");
}

static void s5_1_save_restore_keeps_what_is_due(void)
{
	struct hg_sched_saved saved = {.due_in_ns = 5 * MS, .ahead = 4096, .quiet_ns = 2 * MS};
	struct hg_sched_saved again;

	make_sched();
	HG_CHECK_EQ(hg_sched_restore_instance(sched, 0, &saved, T0, NULL), 0);
	hg_sched_save_instance(sched, 0, T0 + MS, &again);
	HG_CHECK_EQ(again.due_in_ns, 4 * MS);
	HG_CHECK_EQ(again.ahead, 4096);
	HG_CHECK_EQ(again.quiet_ns, 3 * MS);
	free(memory);
	memory = NULL;
}

/* ---- a restart ---------------------------------------------------------------------------------- */

static void s7_11_a_tenants_maxima_go_on(void)
{
	const struct hg_policy p = {.weight = 1,
				    .burst_bytes = 10000,
				    .max_bytes_per_s = 1000000,
				    .max_pkts_per_s = 100,
				    .idle_after_ns = HG_NEVER};
	void *here_memory = calloc(1, hg_caps_size(2, 2)),
	     *there_memory = calloc(1, hg_caps_size(2, 2));
	struct hg_caps *here = hg_caps_init(here_memory, 2, 2);
	struct hg_caps *there = hg_caps_init(there_memory, 2, 2);
	struct hg_cap_saved saved;

	hg_caps_set_tenant(here, 0, &p, T0);
	hg_caps_set_tenant(there, 1, &p, T0);
	hg_cap_charge(&here->tenant_bytes[0], &here->tenant_pkts[0], 14000, 10, T0);
	hg_caps_save_tenant(here, 0, T0, &saved);
	HG_CHECK_EQ(hg_cap_saved_check(&saved, NULL), 0);
	HG_CHECK(saved.has_bytes && saved.has_pkts);
	/* As of an instant that is past: what was earned since is there. */
	hg_caps_restore_tenant(there, 1, &saved, T0);
	for (hg_ns at = T0; at < T0 + 20 * MS; at += MS) {
		HG_CHECK_EQ(hg_bucket_tokens(&there->tenant_bytes[1].bucket, at),
			    hg_bucket_tokens(&here->tenant_bytes[0].bucket, at));
		HG_CHECK_EQ(hg_bucket_tokens(&there->tenant_pkts[1].bucket, at),
			    hg_bucket_tokens(&here->tenant_pkts[0].bucket, at));
	}
	/* A tenant without maxima has nothing to take along: whoever has some keeps what it had. */
	hg_caps_save_tenant(here, 1, T0, &saved);
	HG_CHECK(!saved.has_bytes && !saved.has_pkts);
	hg_caps_restore_tenant(there, 1, &saved, T0);
	HG_CHECK_EQ(hg_bucket_tokens(&there->tenant_bytes[1].bucket, T0), -14000);
	free(here_memory);
	free(there_memory);
}

/* Of 100 packets of 1,000 bytes that wait, how many bytes are served as guaranteed within 10 ms, on a link that has
 * no room for more than that: of one that lagged 40 ms behind 1 MB/s. */
static uint64_t guaranteed_after(bool resumes)
{
	const struct hg_sched_saved lags = {.due_in_ns = -40 * MS};
	const struct hg_sched_tenant_saved tenant = {.due_in_ns = -40 * MS};
	struct hg_sched_stats stats;

	make_sched();
	HG_CHECK_EQ(hg_sched_restore_tenant(sched, 0, &tenant, T0, NULL), 0);
	HG_CHECK_EQ(hg_sched_restore_instance(sched, 0, &lags, T0, NULL), 0);
	if (resumes) {
		hg_sched_resume_tenant(sched, 0);
		hg_sched_resume_instance(sched, 0);
	}
	for (unsigned i = 0; i < 60; i++) {
		struct hg_sched_item item = {
			.pkt = pkt_space + (size_t)i * 64u, .wire_bytes = 1000, .parts = 1};

		HG_CHECK_EQ(hg_sched_push(sched, &item, 1, T0), 1);
	}
	for (hg_ns at = T0; at < T0 + 10 * MS; at += MS / 5) {
		struct hg_sched_item item;

		(void)hg_sched_pop(sched, &item, 1, 2000, at);
	}
	hg_sched_sample_instance(sched, 0, &stats, T0 + 10 * MS);
	HG_CHECK_EQ(stats.sent_bytes, 50000);
	free(memory);
	memory = NULL;
	return stats.guaranteed_bytes;
}

/* It never stopped waiting, so all of its lag is due; who begins to wait has at most its reserve in hand. */
static void s7_11_a_lag_stays_due_where_the_queue_is_put_back(void)
{
	HG_CHECK_BETWEEN(guaranteed_after(/* resumes= */ true), 48000, 50000);
	HG_CHECK_BETWEEN(guaranteed_after(/* resumes= */ false), 10000, 13000);
}

static void s7_11_a_lag_that_nothing_comes_back_for_is_no_credit(void)
{
	const struct hg_sched_saved lags = {.due_in_ns = -40 * MS};
	struct hg_sched_item item = {.pkt = pkt_space, .wire_bytes = 1000, .parts = 1};
	struct hg_sched_saved after;

	make_sched();
	HG_CHECK_EQ(hg_sched_restore_instance(sched, 0, &lags, T0, NULL), 0);
	hg_sched_resume_instance(sched, 0);
	HG_CHECK_EQ(hg_sched_push(sched, &item, 1, T0 + 200 * MS), 1);
	hg_sched_save_instance(sched, 0, T0 + 200 * MS, &after);
	HG_CHECK_EQ(after.due_in_ns, 0);
	free(memory);
	memory = NULL;
}

static void s7_11_a_tenants_times_that_cannot_be_are_refused(void)
{
	struct hg_sched_item item = {.pkt = pkt_space, .wire_bytes = 100, .parts = 1};
	struct hg_sched_tenant_saved saved = {.due_in_ns = 5 * MS, .quiet_ns = 2 * MS}, again;
	struct hg_error err = {0};

	make_sched();
	HG_CHECK_EQ(hg_sched_restore_tenant(sched, 0, &saved, T0, NULL), 0);
	hg_sched_save_tenant(sched, 0, T0 + MS, &again);
	HG_CHECK_EQ(again.due_in_ns, 4 * MS);
	HG_CHECK_EQ(again.quiet_ns, 3 * MS);
	HG_CHECK_EQ(hg_sched_restore_tenant(sched, 1, &saved, T0, NULL), -HG_EINVAL);
	saved.due_in_ns = -HG_SAVED_DUE_MAX_NS - 1;
	HG_CHECK_EQ(hg_sched_restore_tenant(sched, 0, &saved, T0, &err), -HG_EINVAL);
	HG_CHECK_STR(err.path, "due_in");
	saved = (struct hg_sched_tenant_saved){.quiet_ns = -1};
	hg_error_clear(&err);
	HG_CHECK_EQ(hg_sched_restore_tenant(sched, 0, &saved, T0, &err), -HG_EINVAL);
	HG_CHECK_STR(err.path, "quiet");
	saved.quiet_ns = 0;
	HG_CHECK_EQ(hg_sched_push(sched, &item, 1, T0), 1);
	HG_CHECK_EQ(hg_sched_restore_tenant(sched, 0, &saved, T0, NULL), -HG_EBUSY);
	free(memory);
	memory = NULL;
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_save_restore_keeps_a_debt),
		HG_TEST(s5_1_save_restore_keeps_a_debt_at_another_rate),
		HG_TEST(s5_1_save_restore_gives_no_more_than_the_burst),
		HG_TEST(s5_1_save_restore_keeps_idleness),
		HG_TEST(s5_1_save_restore_is_exact),
		HG_TEST(s5_1_save_restore_refuses_what_cannot_be),
		HG_TEST(s5_1_save_restore_keeps_what_is_due),
		HG_TEST(s7_11_a_tenants_maxima_go_on),
		HG_TEST(s7_11_a_lag_stays_due_where_the_queue_is_put_back),
		HG_TEST(s7_11_a_lag_that_nothing_comes_back_for_is_no_credit),
		HG_TEST(s7_11_a_tenants_times_that_cannot_be_are_refused),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
