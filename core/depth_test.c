#include "core/depth.h"
#include "tests/harness.h"

#define GBIT_PER_S UINT64_C(125000000)
#define FRAME_BYTES 1500u /* 1,200 ns at 10 Gbit/s, so that all is exact */
#define START_NS HG_NS_PER_S
/* What a delay of so long leaves unreported at 10 Gbit/s, and a quarter more. */
#define MAX_FOR(delay_ns) ((delay_ns)*5 / 4 * 5 / 4)

/* A card with one completion delay: the least that there is to tell. Ring of what is outstanding. */
struct loop {
	struct hg_depth depth;
	hg_ns handed_ns[4096], released_ns[4096];
	uint32_t bytes[4096];
	uint64_t outstanding_bytes;
	uint32_t n_handed, n_released;
	hg_ns now_ns, wire_ns, delay_ns;
	hg_ns root_ns; /* end of the wire that hands over just in time */
	hg_ns late_ns; /* of each hand-over */
	hg_ns frame_ns; /* what the card takes for one */
	uint32_t frame_bytes;
	uint32_t batch; /* released together */
	enum hg_held held;
};

static void loop_init(struct loop *l, const struct hg_depth_cfg *cfg)
{
	*l = (struct loop){.now_ns = START_NS,
			   .wire_ns = START_NS,
			   .delay_ns = 1000,
			   .frame_bytes = FRAME_BYTES,
			   .batch = 1};
	l->frame_ns = (hg_ns)(FRAME_BYTES * UINT64_C(1000000000) / cfg->bytes_per_s);
	hg_depth_init(&l->depth, cfg, START_NS);
}

static hg_ns loop_may_at(const struct loop *l)
{
	hg_ns lead_ns = hg_depth_lead_ns(&l->depth);

	return lead_ns == HG_NEVER ? 0 : l->root_ns - lead_ns;
}

static bool loop_is_full(const struct loop *l)
{
	return l->outstanding_bytes >= hg_depth_max_bytes(&l->depth) ||
	       l->n_handed - l->n_released >= hg_depth_max_pkts(&l->depth);
}

static void loop_send(struct loop *l)
{
	while (!loop_is_full(l) && loop_may_at(l) <= l->now_ns) {
		hg_depth_handed(&l->depth, l->frame_bytes, 1, l->held, l->now_ns);
		l->held = HG_HELD_NOT;
		l->root_ns =
			(l->root_ns > l->now_ns ? l->root_ns : l->now_ns) +
			(hg_ns)(l->frame_bytes * UINT64_C(1000000000) / l->depth.cfg.bytes_per_s);
		l->wire_ns = (l->wire_ns > l->now_ns ? l->wire_ns : l->now_ns) + l->frame_ns;
		l->handed_ns[l->n_handed % 4096] = l->now_ns;
		l->released_ns[l->n_handed % 4096] = l->wire_ns + l->delay_ns;
		l->bytes[l->n_handed % 4096] = l->frame_bytes;
		l->outstanding_bytes += l->frame_bytes;
		l->n_handed++;
	}
	l->held = loop_is_full(l) ? HG_HELD_MAX : HG_HELD_LEAD;
}

/* Until then. Returns the frames that were released. */
static uint32_t loop_run(struct loop *l, hg_ns for_ns)
{
	hg_ns until_ns = l->now_ns + for_ns;
	uint32_t from = l->n_released;
	struct hg_depth_sample sample;

	loop_send(l);
	for (;;) {
		hg_ns at_ns = l->n_handed - l->n_released < l->batch
				      ? HG_NEVER
				      : l->released_ns[(l->n_released + l->batch - 1) % 4096];
		hg_ns due_ns = hg_depth_next_at(&l->depth);

		if (!loop_is_full(l) && loop_may_at(l) + l->late_ns < due_ns)
			due_ns = loop_may_at(l) + l->late_ns;
		if ((at_ns < due_ns ? at_ns : due_ns) > until_ns)
			break;
		l->now_ns = at_ns < due_ns ? at_ns : due_ns;
		for (uint32_t i = 0; at_ns == l->now_ns && i < l->batch; i++, l->n_released++) {
			unsigned at = l->n_released % 4096;

			hg_depth_released(&l->depth, l->bytes[at], 1, l->handed_ns[at], l->now_ns);
			l->outstanding_bytes -= l->bytes[at];
		}
		hg_depth_settle(&l->depth, &sample, l->now_ns);
		if (l->late_ns == 0 || l->now_ns >= loop_may_at(l) + l->late_ns)
			loop_send(l);
	}
	l->now_ns = until_ns;
	return l->n_released - from;
}

static const struct hg_depth_cfg ten = {.bytes_per_s = 10 * GBIT_PER_S,
					.largest_bytes = FRAME_BYTES};

static void s2_4_max_is_what_the_delay_needs(void)
{
	static const hg_ns delays_ns[] = {0, 1000, 20000, 100000};
	struct loop loop;

	for (unsigned i = 0; i < sizeof(delays_ns) / sizeof(delays_ns[0]); i++) {
		loop_init(&loop, &ten);
		loop.delay_ns = delays_ns[i];
		loop_run(&loop, 20 * HG_NS_PER_MS);
		/* Sent and not reported, a quarter more, and the one on the wire. */
		HG_CHECK_BETWEEN(hg_depth_max_bytes(&loop.depth), delays_ns[i] * 5 / 4,
				 MAX_FOR(delays_ns[i]) + 2 * (int64_t)FRAME_BYTES);
		HG_CHECK_BETWEEN(loop_run(&loop, 12 * HG_NS_PER_MS), 9980, 10001);
	}
}

static void s2_4_follows_a_step_of_the_delay(void)
{
	struct loop loop;

	loop_init(&loop, &ten);
	loop_run(&loop, 10 * HG_NS_PER_MS);
	for (int i = 0; i < 3; i++) {
		loop.delay_ns = 50000;
		loop_run(&loop, 9 * HG_NS_PER_MS);
		HG_CHECK_BETWEEN(hg_depth_max_bytes(&loop.depth), 62500,
				 MAX_FOR(50000) + 2 * FRAME_BYTES);
		loop.delay_ns = 1000;
		loop_run(&loop, 9 * HG_NS_PER_MS);
		HG_CHECK_BETWEEN(hg_depth_max_bytes(&loop.depth), HG_DEPTH_MIN_BYTES,
				 MAX_FOR(1000) + 2 * FRAME_BYTES);
	}
}

static void s2_4_pin_is_obeyed_and_still_measured(void)
{
	struct hg_depth_cfg cfg = ten;
	struct loop loop;

	cfg.pin_bytes = 20000;
	loop_init(&loop, &cfg);
	loop.delay_ns = 50000;
	loop_run(&loop, 5 * HG_NS_PER_MS);
	HG_CHECK_EQ(hg_depth_max_bytes(&loop.depth), 20000);
	HG_CHECK(loop.depth.rate_bytes_per_s > 0);
	hg_depth_configure(&loop.depth, &ten, loop.now_ns);
	loop_run(&loop, 10 * HG_NS_PER_MS);
	HG_CHECK_BETWEEN(hg_depth_max_bytes(&loop.depth), 62500, MAX_FOR(50000) + 2 * FRAME_BYTES);
}

static void s2_4_scale_is_toward_throughput(void)
{
	struct hg_depth_cfg cfg = ten;
	struct loop loop;

	cfg.scale_ppm = 2000000;
	loop_init(&loop, &cfg);
	loop.delay_ns = 50000;
	loop_run(&loop, 10 * HG_NS_PER_MS);
	HG_CHECK_BETWEEN(hg_depth_max_bytes(&loop.depth), 2 * MAX_FOR(50000), 3 * MAX_FOR(50000));
}

static void s2_4_reports_in_batches_alone(void)
{
	struct loop loop;

	loop_init(&loop, &ten);
	loop.batch = 32;
	loop_run(&loop, 10 * HG_NS_PER_MS);
	HG_CHECK_BETWEEN(hg_depth_max_bytes(&loop.depth), 24 * FRAME_BYTES, 60 * FRAME_BYTES);
	/* Small frames made MAX small; large ones then never fill a batch. */
	loop.frame_bytes = 100;
	loop.frame_ns = 80;
	loop_run(&loop, 10 * HG_NS_PER_MS);
	HG_CHECK_BETWEEN(hg_depth_max_bytes(&loop.depth), 32 * 100, 80 * 100);
	loop.frame_bytes = FRAME_BYTES;
	loop.frame_ns = 1200;
	loop_run(&loop, 10 * HG_NS_PER_MS);
	HG_CHECK_BETWEEN(hg_depth_max_bytes(&loop.depth), 24 * FRAME_BYTES, 60 * FRAME_BYTES);
}

/* Reports say nothing of how late we are ourselves: the lead covers that, and no more. */
static void s2_4_the_lead_is_what_the_lane_is_late_by(void)
{
	struct loop loop;

	loop_init(&loop, &ten);
	loop_run(&loop, 10 * HG_NS_PER_MS);
	HG_CHECK_EQ(hg_depth_lead_ns(&loop.depth), 0);
	loop.late_ns = 5000;
	loop_run(&loop, 20 * HG_NS_PER_MS);
	HG_CHECK_BETWEEN(hg_depth_lead_ns(&loop.depth), 5000, 6250);
	HG_CHECK_BETWEEN(loop_run(&loop, 12 * HG_NS_PER_MS), 9980, 10001);
	loop.late_ns = 0;
	loop_run(&loop, 300 * HG_NS_PER_MS);
	HG_CHECK_EQ(hg_depth_lead_ns(&loop.depth), 0);
}

/* It sends at a third of what the operator says, and then as fast. */
static void s2_4_a_slower_card_is_not_filled(void)
{
	struct loop loop;

	loop_init(&loop, &ten);
	loop.delay_ns = 20000;
	loop.frame_ns = 3600;
	loop_run(&loop, 600 * HG_NS_PER_MS);
	HG_CHECK_BETWEEN(hg_depth_max_bytes(&loop.depth), HG_DEPTH_MIN_BYTES, 50000);
	HG_CHECK_BETWEEN(loop_run(&loop, 36 * HG_NS_PER_MS), 9900, 10001);
	loop.frame_ns = 1200;
	loop_run(&loop, 100 * HG_NS_PER_MS);
	HG_CHECK_BETWEEN(loop_run(&loop, 12 * HG_NS_PER_MS), 9950, 10001);
	HG_CHECK_BETWEEN(hg_depth_max_bytes(&loop.depth), 25000, 50000);
}

static void s2_4_light_load_changes_nothing(void)
{
	struct hg_depth_sample sample;
	struct hg_depth depth;
	hg_ns now_ns = START_NS;
	uint64_t max_bytes;

	hg_depth_init(&depth, &ten, now_ns);
	max_bytes = hg_depth_max_bytes(&depth);
	for (int i = 0; i < 1000; i++) {
		hg_depth_handed(&depth, FRAME_BYTES, 1, HG_HELD_NOT, now_ns);
		hg_depth_released(&depth, FRAME_BYTES, 1, now_ns, now_ns + 9000);
		hg_depth_settle(&depth, &sample, now_ns + 9000);
		now_ns += 100 * HG_NS_PER_US;
	}
	HG_CHECK_EQ(hg_depth_max_bytes(&depth), max_bytes);
	HG_CHECK_EQ(sample.released_pkts, 20);
	HG_CHECK_EQ(sample.card_min_ns, 9000);
	HG_CHECK_EQ(sample.card_max_ns, 9000);
	HG_CHECK_EQ(sample.n_held, 0);
}

static const struct hg_test tests[] = {
	HG_TEST(s2_4_max_is_what_the_delay_needs),
	HG_TEST(s2_4_follows_a_step_of_the_delay),
	HG_TEST(s2_4_pin_is_obeyed_and_still_measured),
	HG_TEST(s2_4_scale_is_toward_throughput),
	HG_TEST(s2_4_reports_in_batches_alone),
	HG_TEST(s2_4_the_lead_is_what_the_lane_is_late_by),
	HG_TEST(s2_4_a_slower_card_is_not_filled),
	HG_TEST(s2_4_light_load_changes_nothing),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
