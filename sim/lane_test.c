#include "sim/lane.h"

#include "tests/harness.h"

static struct hg_lane *lane;

#define LINK_BYTES_PER_S UINT64_C(125000000) /* 1 Gbit/s: 8 ns a byte */
#define FULL_FRAME_BYTES 1538u
#define FULL_FRAME_NS (FULL_FRAME_BYTES * 8)

static const struct hg_policy plain = {.weight = 1,
				       .burst_bytes = HG_BURST_DEFAULT_BYTES,
				       .idle_after_ns = HG_IDLE_AFTER_DEFAULT_NS};

static struct hg_sender_cfg heavy(uint32_t backlog_pkts)
{
	return (struct hg_sender_cfg){.arrivals = HG_ARRIVALS_SATURATE,
				      .backlog_pkts = backlog_pkts,
				      .n_sizes = 1,
				      .sizes = {{FULL_FRAME_BYTES, 1}}};
}

static struct hg_sender_cfg light(hg_ns think_ns)
{
	return (struct hg_sender_cfg){.arrivals = HG_ARRIVALS_LOOP,
				      .think_ns = think_ns,
				      .n_sizes = 1,
				      .sizes = {{84, 1}}};
}

static void begin(struct hg_lane_cfg cfg)
{
	struct hg_error err = {0};

	cfg.link_bytes_per_s = LINK_BYTES_PER_S;
	cfg.max_tenants = 1;
	cfg.max_senders = 16;
	cfg.max_pkts = 8192;
	if (cfg.card == NULL)
		cfg.card = "";
	if (cfg.ring_pkts == 0)
		cfg.ring_pkts = 1024;
	if (hg_lane_create(&cfg, &lane, &err) < 0)
		HG_TEST_FAIL("%s", err.text);
	HG_CHECK_EQ(hg_lane_set_tenant(lane, 0, &plain, NULL), 0);
}

static void add(uint32_t sender_idx, unsigned sender_class, struct hg_sender_cfg cfg)
{
	HG_CHECK_EQ(hg_lane_set_sender(lane, sender_idx, 0, sender_class, &plain, &cfg, NULL), 0);
}

static void run_for(hg_ns for_ns)
{
	hg_lane_run(lane, hg_lane_now(lane) + for_ns);
}

/* Everything that was handed out is back. */
static void end(void)
{
	hg_lane_stop(lane);
	HG_CHECK_EQ(hg_lane_card(lane)->n_free, hg_lane_card(lane)->n_pkts);
	hg_lane_destroy(lane);
}

static struct hg_lane_link link_now(void)
{
	struct hg_lane_link link;

	hg_lane_link(lane, &link);
	return link;
}

static hg_ns wire_most(unsigned sender_class)
{
	return hg_lane_class(lane, sender_class)->wire.most_ns;
}

/* ---- waits -------------------------------------------------------------------------------------- */

static void quantiles_are_never_low_and_0_4_percent_high_at_most(void)
{
	static struct hg_waits waits;

	HG_CHECK_EQ(hg_waits_quantile(&waits, 500000), 0);
	for (hg_ns ns = 1; ns <= 1000000; ns++)
		hg_waits_add(&waits, ns);
	for (uint32_t ppm = 1000; ppm <= 1000000; ppm += 999)
		HG_CHECK_BETWEEN(hg_waits_quantile(&waits, ppm), ppm, ppm + ppm / 256);
	HG_CHECK_EQ(hg_waits_quantile(&waits, 1000000), 1000000);
	hg_waits_add(&waits, -5);
	hg_waits_add(&waits, INT64_MAX / 2);
	HG_CHECK_EQ(waits.most_ns, INT64_MAX / 2);
	HG_CHECK_EQ(waits.counts[0], 1);
}

/* ---- the lane ----------------------------------------------------------------------------------- */

static void alone_a_packet_waits_for_nothing_but_its_own_bytes(void)
{
	begin((struct hg_lane_cfg){.rule = HG_LANE_PLAIN});
	add(0, 0, light(50000));
	run_for(HG_NS_PER_S);
	HG_CHECK_BETWEEN(hg_lane_class(lane, 0)->n_pkts, 18000, 21000);
	HG_CHECK_EQ(hg_lane_class(lane, 0)->held.most_ns, 0);
	HG_CHECK_EQ(wire_most(0), 84 * 8);
	HG_CHECK_EQ(hg_lane_class(lane, 0)->released.most_ns, 84 * 8);
	HG_CHECK_EQ(link_now().dry_ns, 0);
	end();
}

/* The computed wire is the card's: what it says has ended is released then, neither earlier nor later. */
static void the_computed_wire_is_the_card_s(void)
{
	begin((struct hg_lane_cfg){.rule = HG_LANE_PLAIN});
	add(0, 0, heavy(64));
	add(1, 1, light(100000));
	run_for(200 * HG_NS_PER_MS);
	HG_CHECK_BETWEEN(hg_lane_class(lane, 0)->n_pkts, 16000, 18000);
	HG_CHECK_EQ(link_now().card_most_ns, 0);
	HG_CHECK_EQ(hg_waits_quantile(&hg_lane_class(lane, 0)->released, 0),
		    hg_waits_quantile(&hg_lane_class(lane, 0)->wire, 0));
	end();
}

static void a_full_ring_stands_in_front_of_everybody(void)
{
	begin((struct hg_lane_cfg){.rule = HG_LANE_PLAIN});
	for (uint32_t i = 0; i < 8; i++)
		add(i, 0, heavy(64));
	run_for(50 * HG_NS_PER_MS);
	hg_lane_clear(lane);
	add(8, 1, light(100000));
	run_for(2 * HG_NS_PER_S);
	HG_CHECK_BETWEEN(hg_waits_quantile(&hg_lane_class(lane, 1)->wire, 500000),
			 1023 * FULL_FRAME_NS, 1034 * FULL_FRAME_NS);
	/* No wait was spared, and the link never rested. */
	HG_CHECK_EQ(link_now().dry_ns, 0);
	HG_CHECK_BETWEEN(link_now().busy_ns, 2 * HG_NS_PER_S - HG_NS_PER_MS,
			 2 * HG_NS_PER_S + HG_NS_PER_MS);
	end();
}

/* ---- a limit of the caller's -------------------------------------------------------------------- */

struct two_frames {
	uint64_t outstanding_bytes, peak_bytes;
};

static bool two_may(void *ctx)
{
	return ((struct two_frames *)ctx)->outstanding_bytes < 2u * FULL_FRAME_BYTES;
}

static void two_handed(void *ctx, uint32_t wire_bytes)
{
	struct two_frames *two = ctx;

	two->outstanding_bytes += wire_bytes;
	if (two->outstanding_bytes > two->peak_bytes)
		two->peak_bytes = two->outstanding_bytes;
}

static void two_released(void *ctx, uint64_t wire_bytes, hg_ns now_ns)
{
	(void)now_ns;
	((struct two_frames *)ctx)->outstanding_bytes -= wire_bytes;
}

static void a_limit_keeps_the_queue_where_it_can_be_overtaken(void)
{
	struct two_frames two = {0};

	begin((struct hg_lane_cfg){.rule = HG_LANE_LIMIT,
				   .limit = {&two, two_may, two_handed, two_released}});
	for (uint32_t i = 0; i < 8; i++)
		add(i, 0, heavy(64));
	add(8, 1, light(100000));
	run_for(HG_NS_PER_S);
	HG_CHECK_BETWEEN(two.peak_bytes, 2 * FULL_FRAME_BYTES, 3 * FULL_FRAME_BYTES);
	HG_CHECK_BETWEEN(wire_most(1), FULL_FRAME_NS, 4 * FULL_FRAME_NS);
	HG_CHECK_EQ(link_now().dry_ns, 0);
	end();
}

/* Those who always have something come to their turns all at once; who asks for little now and then waits for
 * what is on the wire, and not for all of their turns. */
static void a_small_request_waits_for_one_segment_and_not_for_a_round(void)
{
	struct hg_sender_cfg segments = heavy(64);
	struct two_frames two = {0};

	segments.sizes[0] = (struct hg_sender_size){8 * FULL_FRAME_BYTES, 8};
	begin((struct hg_lane_cfg){.rule = HG_LANE_LIMIT,
				   .limit = {&two, two_may, two_handed, two_released}});
	for (uint32_t i = 0; i < 8; i++)
		add(i, 0, segments);
	add(8, 1, light(150000));
	run_for(2 * HG_NS_PER_S);
	HG_CHECK_BETWEEN(wire_most(1), 7 * FULL_FRAME_NS, 8 * FULL_FRAME_NS + 84 * 8);
	end();
}

static void a_polling_worker_leaves_the_link_dry_when_the_limit_is_too_small(void)
{
	struct two_frames two = {0};

	begin((struct hg_lane_cfg){.rule = HG_LANE_LIMIT,
				   .poll_ns = 100 * HG_NS_PER_US,
				   .limit = {&two, two_may, two_handed, two_released}});
	add(0, 0, heavy(64));
	run_for(HG_NS_PER_S);
	/* Two frames each 100 us. */
	HG_CHECK_BETWEEN(link_now().busy_ns, 10000 * 2 * FULL_FRAME_NS - HG_NS_PER_MS,
			 10000 * 2 * FULL_FRAME_NS + HG_NS_PER_MS);
	HG_CHECK_BETWEEN(link_now().dry_ns + link_now().busy_ns, HG_NS_PER_S - HG_NS_PER_MS,
			 HG_NS_PER_S);
	end();
}

/* ---- in-flight control -------------------------------------------------------------------------- */

static struct hg_lane_cfg inflight(const char *card)
{
	return (struct hg_lane_cfg){.rule = HG_LANE_INFLIGHT,
				    .card = card,
				    .largest_bytes = FULL_FRAME_BYTES,
				    .checks_sum = true};
}

static struct hg_inflight_stats stats_now(void)
{
	struct hg_inflight_stats stats;

	hg_inflight_sample(hg_lane_inflight(lane), &stats);
	return stats;
}

static void in_flight_control_keeps_the_queue_in_headgate(void)
{
	begin(inflight("complete=5us,jitter=5us,batch=4,coalesce=50us"));
	for (uint32_t i = 0; i < 8; i++)
		add(i, 0, heavy(64));
	add(8, 1, light(100000));
	run_for(20 * HG_NS_PER_MS);
	HG_CHECK_EQ(stats_now().state, HG_HOOK_ON);
	hg_lane_clear(lane);
	run_for(200 * HG_NS_PER_MS);
	/* A plain queue of 1,024 frames is 12.6 ms. */
	HG_CHECK_BETWEEN(wire_most(1), FULL_FRAME_NS, 20 * FULL_FRAME_NS);
	HG_CHECK_BETWEEN(link_now().busy_ns, 198 * HG_NS_PER_MS, 201 * HG_NS_PER_MS);
	HG_CHECK_EQ(link_now().n_sum_errors, 0);
	HG_CHECK_BETWEEN(link_now().n_steps, 10000, 100000);
	end();
}

static void switched_off_the_link_is_paced_and_nothing_is_accounted(void)
{
	uint64_t taken_pkts;

	begin(inflight("complete=5us"));
	add(0, 0, heavy(64));
	run_for(10 * HG_NS_PER_MS);
	hg_lane_set_inflight(lane, false, 0);
	taken_pkts = stats_now().window.taken_pkts;
	hg_lane_clear(lane);
	run_for(100 * HG_NS_PER_MS);
	HG_CHECK_BETWEEN(stats_now().window.taken_pkts, taken_pkts, taken_pkts);
	HG_CHECK_EQ(stats_now().window.outstanding_pkts, 0);
	/* 99.5 % of the link. */
	HG_CHECK_BETWEEN(link_now().busy_ns, 99300000, 99600000);
	HG_CHECK_EQ(link_now().n_sum_errors, 0);
	end();
}

static void a_reset_card_is_used_again(void)
{
	struct hg_simnic_fault reset = {.kind = HG_SIMNIC_RESET};

	begin(inflight("complete=5us"));
	add(0, 0, heavy(64));
	run_for(10 * HG_NS_PER_MS);
	HG_CHECK_EQ(hg_lane_fault(lane, &reset), 0);
	run_for(10 * HG_NS_PER_MS);
	hg_lane_clear(lane);
	run_for(10 * HG_NS_PER_MS);
	HG_CHECK_EQ(stats_now().state, HG_HOOK_ON);
	HG_CHECK_BETWEEN(link_now().busy_ns, 9 * HG_NS_PER_MS, 11 * HG_NS_PER_MS);
	HG_CHECK_EQ(link_now().n_sum_errors, 0);
	end();
}

/* ---- life --------------------------------------------------------------------------------------- */

static void senders_come_go_and_are_repeated_by_seed(void)
{
	uint64_t bytes[2];

	for (unsigned i = 0; i < 2; i++) {
		begin((struct hg_lane_cfg){.rule = HG_LANE_PLAIN, .seed = 7});
		add(0, 0, heavy(16));
		add(1, 1,
		    (struct hg_sender_cfg){.arrivals = HG_ARRIVALS_ON_OFF,
					   .backlog_pkts = 8,
					   .on_ns = HG_NS_PER_MS,
					   .off_ns = HG_NS_PER_MS,
					   .n_sizes = 2,
					   .sizes = {{84, 1}, {FULL_FRAME_BYTES, 1}}});
		add(2, 2,
		    (struct hg_sender_cfg){.arrivals = HG_ARRIVALS_EVERY,
					   .period_ns = 20 * HG_NS_PER_US,
					   .n_sizes = 1,
					   .sizes = {{84, 1}}});
		run_for(100 * HG_NS_PER_MS);
		HG_CHECK_EQ(hg_lane_remove_sender(lane, 0, NULL), 0);
		run_for(100 * HG_NS_PER_MS);
		bytes[i] = hg_lane_class(lane, 1)->bytes;
		HG_CHECK_BETWEEN(hg_lane_class(lane, 2)->n_pkts, 9500, 10500);
		end();
	}
	HG_CHECK_EQ(bytes[0], bytes[1]);
}

static void what_the_card_does_not_understand_is_refused(void)
{
	struct hg_lane_cfg cfg = {.link_bytes_per_s = LINK_BYTES_PER_S,
				  .ring_pkts = 16,
				  .card = "depth=7",
				  .max_tenants = 1,
				  .max_senders = 1,
				  .max_pkts = 64};
	struct hg_error err = {0};

	HG_CHECK_EQ(hg_lane_create(&cfg, &lane, &err), -HG_EINVAL);
	HG_CHECK_HAS(err.text, "depth");
	cfg.card = "";
	cfg.max_pkts = 0;
	HG_CHECK_EQ(hg_lane_create(&cfg, &lane, NULL), -HG_EINVAL);
}

static const struct hg_test tests[] = {
	HG_TEST(quantiles_are_never_low_and_0_4_percent_high_at_most),
	HG_TEST(alone_a_packet_waits_for_nothing_but_its_own_bytes),
	HG_TEST(the_computed_wire_is_the_card_s),
	HG_TEST(a_full_ring_stands_in_front_of_everybody),
	HG_TEST(a_limit_keeps_the_queue_where_it_can_be_overtaken),
	HG_TEST(a_small_request_waits_for_one_segment_and_not_for_a_round),
	HG_TEST(a_polling_worker_leaves_the_link_dry_when_the_limit_is_too_small),
	HG_TEST(in_flight_control_keeps_the_queue_in_headgate),
	HG_TEST(switched_off_the_link_is_paced_and_nothing_is_accounted),
	HG_TEST(a_reset_card_is_used_again),
	HG_TEST(senders_come_go_and_are_repeated_by_seed),
	HG_TEST(what_the_card_does_not_understand_is_refused),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
