/* A worker that shares its processor, with the scheduler, the window and the card as they run: what is used of the link,
 * and what a light sender waits, against how often and for how long it is away. */
#include "sim/lane.h"

#include "tests/harness.h"

#define LINK_BYTES_PER_S UINT64_C(125000000) /* 1 Gbit/s: 8 ns a byte */
#define SEGMENT_BYTES 12304u /* eight full frames: what is not cut any more */
#define SEGMENT_NS (SEGMENT_BYTES * 8)
#define LEARN_NS (500 * HG_NS_PER_MS)

/* What ./run asks of a link. */
#define USE 0.97

enum { HEAVY, LIGHT, N_SENDERS };

static struct hg_lane *lane;

static const struct hg_policy plain = {.weight = 1,
				       .burst_bytes = HG_BURST_DEFAULT_BYTES,
				       .idle_after_ns = HG_IDLE_AFTER_DEFAULT_NS};

static void add(uint32_t idx, const struct hg_sender_cfg *cfg)
{
	HG_CHECK_EQ(hg_lane_set_tenant(lane, idx, &plain, NULL), 0);
	HG_CHECK_EQ(hg_lane_set_sender(lane, idx, idx, idx, &plain, cfg, NULL), 0);
}

static void begin(hg_ns away_every_ns, hg_ns away_for_ns, bool has_light)
{
	const struct hg_lane_cfg cfg = {.link_bytes_per_s = LINK_BYTES_PER_S,
					.ring_pkts = 1024,
					.card = "complete=0ns",
					.max_tenants = N_SENDERS,
					.max_senders = N_SENDERS,
					.max_pkts = 8192,
					.rule = HG_LANE_INFLIGHT,
					.largest_bytes = SEGMENT_BYTES,
					.checks_sum = true,
					.away_every_ns = away_every_ns,
					.away_for_ns = away_for_ns,
					.seed = hg_test_seed};
	const struct hg_sender_cfg heavy = {.arrivals = HG_ARRIVALS_SATURATE,
					    .backlog_pkts = 256,
					    .n_sizes = 1,
					    .sizes = {{SEGMENT_BYTES, 8}}};
	const struct hg_sender_cfg light = {.arrivals = HG_ARRIVALS_LOOP,
					    .think_ns = 200 * HG_NS_PER_US,
					    .n_sizes = 1,
					    .sizes = {{200, 1}}};
	struct hg_error err = {0};

	if (hg_lane_create(&cfg, &lane, &err) < 0)
		HG_TEST_FAIL("%s", err.text);
	add(HEAVY, &heavy);
	if (has_light)
		add(LIGHT, &light);
}

static void run_for(hg_ns for_ns)
{
	hg_lane_run(lane, hg_lane_now(lane) + for_ns);
}

static void end(void)
{
	hg_lane_stop(lane);
	hg_lane_destroy(lane);
}

static struct hg_inflight_stats stats_now(void)
{
	struct hg_inflight_stats stats;

	hg_inflight_sample(hg_lane_inflight(lane), &stats);
	return stats;
}

static double use_now(void)
{
	struct hg_lane_link link;

	hg_lane_link(lane, &link);
	HG_CHECK_EQ(link.n_sum_errors, 0);
	return (double)link.busy_ns / (double)(link.busy_ns + link.dry_ns);
}

static void check(hg_ns every_ns, hg_ns for_ns, bool has_light)
{
	struct hg_inflight_stats stats;
	hg_ns p99_ns;

	begin(every_ns, for_ns, has_light);
	run_for(LEARN_NS);
	hg_lane_clear(lane);
	run_for(2 * HG_NS_PER_S);
	stats = stats_now();
	p99_ns = hg_waits_quantile(&hg_lane_class(lane, LIGHT)->wire, 990000);
	fprintf(stderr,
		"away %5" PRId64 " us of %5" PRId64 "%s: used %.2f %%, filled %4" PRId64
		" us ahead, MAX %6" PRIu64 ", light p99 %5" PRId64 " us\n",
		for_ns / 1000, every_ns / 1000, has_light ? ", beside a light one" : "",
		100 * use_now(), stats.away_lead_ns / 1000, stats.window.max_bytes, p99_ns / 1000);
	HG_CHECK(use_now() >= USE);
	HG_CHECK_EQ(stats.state, HG_HOOK_ON);
	HG_CHECK_EQ(stats.rate_bytes_per_s, LINK_BYTES_PER_S);
	/* It waits while the worker is away, and behind what the card has: the lead, and what begins with it. */
	HG_CHECK(p99_ns <=
		 for_ns * 3 / 2 + stats.away_lead_ns + HG_DEPTH_LEAD_MAX_NS + 3 * SEGMENT_NS);
	end();
}

static void s2_4_the_link_goes_on_while_the_worker_is_away(void)
{
	static const struct {
		hg_ns every_us, for_us;
	} rows[] = {{4000, 20},  {4000, 100}, {4000, 200},  {4000, 400},   {4000, 700},
		    {1000, 100}, {2000, 300}, {8000, 1000}, {12000, 1300}, {100000, 1200}};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check(rows[i].every_us * HG_NS_PER_US, rows[i].for_us * HG_NS_PER_US, false);
		check(rows[i].every_us * HG_NS_PER_US, rows[i].for_us * HG_NS_PER_US, true);
	}
}

/* Who is never away, or too seldom, fills nothing ahead. */
static void s2_4_a_worker_of_its_own_fills_nothing_ahead(void)
{
	static const hg_ns every_ns[] = {0, 100 * HG_NS_PER_MS};

	for (unsigned i = 0; i < 2; i++) {
		begin(every_ns[i], 700 * HG_NS_PER_US, true);
		run_for(LEARN_NS);
		hg_lane_clear(lane);
		run_for(HG_NS_PER_S);
		HG_CHECK_EQ(stats_now().away_lead_ns, 0);
		HG_CHECK(hg_waits_quantile(&hg_lane_class(lane, LIGHT)->wire, 990000) <=
			 HG_DEPTH_LEAD_MAX_NS + 3 * SEGMENT_NS);
		end();
	}
}

static const struct hg_test tests[] = {
	HG_TEST(s2_4_the_link_goes_on_while_the_worker_is_away),
	HG_TEST(s2_4_a_worker_of_its_own_fills_nothing_ahead),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
