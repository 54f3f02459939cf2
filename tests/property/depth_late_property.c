/* S2.4: who hands over shares its processor, and is away for a while now and then: how well the link is used, how long
 * everybody then waits in the card, and that nobody does where nobody is away. */
#include "core/bucket.h"
#include "tests/harness.h"
#include "tests/property/depth_card.h"

/* Until it is known how often; then measured. */
#define LEARN_NS (500 * HG_NS_PER_MS)
#define MEASURE_NS HG_NS_PER_S

/* What ./run asks of a link. */
#define USE 0.97

struct away {
	hg_ns every_ns, for_ns;
	uint32_t long_of_16;
};

static const struct away aways[] = {
	{4000000, 40000, 0}, /* within the ordinary lead */
	{1000000, 80000, 0},
	{4000000, 150000, 0},
	{4000000, 300000, 0}, /* one other program on the processor, and what it does in a tick */
	{4000000, 600000, 0},
	{4000000, 200000, 3},
	{8000000, 1200000, 0},
	{50000000, 1300000, 0}, /* seldom: nothing is worth less of a wait than 1.6 % of the link */
	{20000000, 400000, 8},
};

static const uint64_t mbits[] = {1000, 10000, 25000};

struct shown {
	double use;
	hg_ns lead_ns, away_lead_ns;
	uint64_t max_bytes, rate_bytes_per_s;
};

static struct card_cfg card_of(uint64_t mbit, uint32_t bytes, const struct away *away)
{
	return (struct card_cfg){.bytes_per_s = mbit * 125000,
				 .batch_pkts = 1,
				 .delay_ns = 5000,
				 .small_bytes = bytes,
				 .large_bytes = bytes,
				 .away_every_ns = away->every_ns,
				 .away_for_ns = away->for_ns,
				 .away_long_of_16 = away->long_of_16};
}

static struct card_depth depth;

static struct card_rule begin(const struct card_cfg *cfg)
{
	const struct hg_depth_cfg of = {.bytes_per_s = cfg->bytes_per_s,
					.largest_bytes = cfg->large_bytes};

	depth = (struct card_depth){0};
	hg_depth_init(&depth.depth, &of, 0);
	return card_depth_rule(&depth);
}

static struct shown shown_now(double use)
{
	return (struct shown){.use = use,
			      .lead_ns = hg_depth_lead_ns(&depth.depth),
			      .away_lead_ns = hg_depth_away_lead_ns(&depth.depth),
			      .max_bytes = hg_depth_max_bytes(&depth.depth),
			      .rate_bytes_per_s = hg_depth_rate(&depth.depth)};
}

static struct shown show(const struct card_cfg *cfg, const struct card_rule *rule)
{
	struct card *card = card_create(cfg, hg_test_seed);
	struct card_result result;

	card_run(card, rule, LEARN_NS);
	result = card_run(card, rule, LEARN_NS + MEASURE_NS);
	card_destroy(card);
	return shown_now(result.use);
}

/* Of the time. */
static double away_share(const struct away *away)
{
	double for_ns = (double)away->for_ns * (1.0 + 3.0 * away->long_of_16 / 16.0);

	return for_ns / (for_ns + (double)away->every_ns);
}

static hg_ns longest_ns(const struct away *away)
{
	return away->for_ns * 3 / 2 * (away->long_of_16 > 0 ? 4 : 1);
}

static void check(uint64_t mbit, uint32_t bytes, const struct away *away)
{
	const struct card_cfg cfg = card_of(mbit, bytes, away);
	const struct card_rule rule = begin(&cfg);
	struct shown shown = show(&cfg, &rule);

	fprintf(stderr,
		"%5" PRIu64 " Mbit/s, %5u bytes, away %5" PRId64 " us of %5" PRId64
		" (%u long): %4.1f %% of the time; used %.2f %%, lead %4" PRId64 " us, MAX %" PRIu64
		"\n",
		mbit, bytes, away->for_ns / 1000, away->every_ns / 1000, away->long_of_16,
		100 * away_share(away), 100 * shown.use, shown.lead_ns / 1000, shown.max_bytes);
	HG_CHECK(shown.use >= USE);
	/* A quarter of an octave is what is told apart. */
	HG_CHECK_BETWEEN(shown.lead_ns, 0, longest_ns(away) * 5 / 4);
	HG_CHECK_BETWEEN(shown.lead_ns, 0, HG_DEPTH_AWAY_LEAD_MAX_NS);
	/* What is not worth a wait has none. */
	if (away_share(away) < 1.0 / HG_DEPTH_AWAY_LOSS / 2)
		HG_CHECK_EQ(shown.away_lead_ns, 0);
	HG_CHECK_EQ(shown.rate_bytes_per_s, cfg.bytes_per_s);
}

static void s2_4_a_link_is_used_though_its_worker_shares_a_processor(void)
{
	for (unsigned i = 0; i < sizeof(mbits) / sizeof(mbits[0]); i++)
		for (unsigned j = 0; j < sizeof(aways) / sizeof(aways[0]); j++) {
			if (mbits[i] <= 1000)
				check(mbits[i], 1538, &aways[j]);
			check(mbits[i], 12304, &aways[j]);
		}
}

/* Twin whose lead is never longer than that of who is just a little late. */
static hg_ns short_lead_ns(void *state)
{
	hg_ns lead_ns = hg_depth_lead_ns(&((struct card_depth *)state)->depth);

	return lead_ns < HG_DEPTH_LEAD_MAX_NS ? lead_ns : HG_DEPTH_LEAD_MAX_NS;
}

static void s2_4_twin_with_the_lead_of_a_worker_alone_is_found_out(void)
{
	unsigned n_below = 0;

	for (unsigned j = 0; j < sizeof(aways) / sizeof(aways[0]); j++) {
		const struct card_cfg cfg = card_of(1000, 12304, &aways[j]);
		struct card_rule rule = begin(&cfg);

		rule.lead_ns = short_lead_ns;
		n_below += show(&cfg, &rule).use < USE;
	}
	HG_CHECK(n_below >= 4);
}

/* MAX held what was late, since no lead is in force that would: as where shares of MAX are what binds. */
static hg_ns long_lead_ns(void *state)
{
	(void)state;
	return 10 * HG_NS_PER_MS;
}

static void s2_4_being_away_is_no_fault_of_the_card(void)
{
	for (unsigned j = 0; j < sizeof(aways) / sizeof(aways[0]); j++) {
		const struct card_cfg cfg = card_of(1000, 1538, &aways[j]);
		struct card_rule rule = begin(&cfg);
		struct shown shown;

		rule.lead_ns = long_lead_ns;
		shown = show(&cfg, &rule);
		fprintf(stderr, "MAX alone: used %.2f %%, MAX %" PRIu64 ", R %.4f\n",
			100 * shown.use, shown.max_bytes,
			(double)shown.rate_bytes_per_s / (double)cfg.bytes_per_s);
		HG_CHECK(shown.use >= USE);
		/* A little less of MAX is tried now and then. */
		HG_CHECK(shown.rate_bytes_per_s >= cfg.bytes_per_s / 100 * 99);
	}
}

/* Twin that does not say that it was away. */
static void s2_4_twin_that_blames_the_card_is_found_out(void)
{
	unsigned n_wrong = 0;

	for (unsigned j = 0; j < sizeof(aways) / sizeof(aways[0]); j++) {
		const struct card_cfg cfg = card_of(1000, 1538, &aways[j]);
		struct card_rule rule = begin(&cfg);
		struct shown shown;

		rule.lead_ns = long_lead_ns;
		rule.was_away = NULL;
		shown = show(&cfg, &rule);
		n_wrong += shown.use < USE || shown.rate_bytes_per_s < cfg.bytes_per_s / 100 * 99;
	}
	HG_CHECK(n_wrong > 0);
}

static void s2_4_what_was_kept_for_a_worker_that_was_away_goes_again(void)
{
	struct card_cfg cfg = card_of(1000, 1538, &aways[4]);
	struct card_rule rule = begin(&cfg);
	struct card *card = card_create(&cfg, hg_test_seed);
	uint64_t before_bytes;

	cfg.away_every_ns = 0;
	card_change(card, &cfg);
	card_run(card, &rule, LEARN_NS);
	HG_CHECK_EQ(shown_now(0).away_lead_ns, 0);
	before_bytes = shown_now(0).max_bytes;
	cfg.away_every_ns = aways[4].every_ns;
	card_change(card, &cfg);
	card_run(card, &rule, 2 * LEARN_NS);
	HG_CHECK_BETWEEN(shown_now(0).away_lead_ns, 200000, 900000);
	cfg.away_every_ns = 0;
	card_change(card, &cfg);
	card_run(card, &rule, 2 * LEARN_NS + 4 * HG_NS_PER_S);
	HG_CHECK_EQ(shown_now(0).away_lead_ns, 0);
	HG_CHECK_BETWEEN(shown_now(0).max_bytes, 0, before_bytes + 2 * 1538);
	card_destroy(card);
}

/* A few packets of a slow link take longer than the longest time that is told apart on a fast one. */
static void s2_4_a_scaled_depth_of_a_slow_link_stays_small(void)
{
	const struct card_cfg cfg = {.bytes_per_s = 1250000,
				     .batch_pkts = 1,
				     .small_bytes = 88,
				     .large_bytes = 1538,
				     .small_of_16 = 2};
	const struct hg_depth_cfg of = {.bytes_per_s = cfg.bytes_per_s,
					.largest_bytes = cfg.large_bytes,
					.scale_ppm = 4000000,
					.ring_pkts = 1024};
	const struct card_rule rule = card_depth_rule(&depth);
	struct card *card = card_create(&cfg, hg_test_seed);

	depth = (struct card_depth){0};
	hg_depth_init(&depth.depth, &of, 0);
	HG_CHECK(card_run(card, &rule, 10 * HG_NS_PER_S).use >= USE);
	HG_CHECK_BETWEEN(hg_depth_max_bytes(&depth.depth), 4 * 1538, 24 * 1538);
	card_destroy(card);
}

static const struct hg_test tests[] = {
	HG_TEST(s2_4_a_link_is_used_though_its_worker_shares_a_processor),
	HG_TEST(s2_4_twin_with_the_lead_of_a_worker_alone_is_found_out),
	HG_TEST(s2_4_being_away_is_no_fault_of_the_card),
	HG_TEST(s2_4_twin_that_blames_the_card_is_found_out),
	HG_TEST(s2_4_what_was_kept_for_a_worker_that_was_away_goes_again),
	HG_TEST(s2_4_a_scaled_depth_of_a_slow_link_stays_small),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
