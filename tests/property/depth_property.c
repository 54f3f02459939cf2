/* S2.4, S2.14: MAX on random cards that no setting was chosen by. */
#include "core/bucket.h"
#include "tests/harness.h"
#include "tests/property/depth_card.h"

#include "bench/dql.h"

#include <math.h>
#include <string.h>

#define ROUNDS 48
#define N_TWIN 12u /* cards, on which a twin is found out */
#define SETTLE_NS (30 * HG_NS_PER_MS)
#define MEASURE_NS (60 * HG_NS_PER_MS)
#define MAX_SAMPLES 4096u

static unsigned rounds(void)
{
	return hg_test_rounds > 0 ? hg_test_rounds : ROUNDS;
}

/* What no card is told of: it is slower by 0.01 % to 50 % than the operator says, stands still once, has another user
 * for a while, or changes its moderation. All but the first and the last is over 10 ms before it is measured. */
static void disturb(struct card_cfg *cfg, uint64_t *random)
{
	static const uint32_t slower_ppm[] = {100, 300, 1000, 3000, 10000, 50000, 200000, 500000};

	switch (hg_test_between(random, 0, 7)) {
	case 0:
	case 1:
		cfg->told_bytes_per_s = cfg->bytes_per_s;
		cfg->bytes_per_s -=
			cfg->bytes_per_s / 1000000 * slower_ppm[hg_test_between(random, 0, 7)];
		break;
	case 2:
		cfg->stall_at_ns = (hg_ns)hg_test_between(random, 5000000, 15000000);
		cfg->stall_for_ns = (hg_ns)hg_test_between(random, 10000, 2000000);
		break;
	case 3:
		cfg->other_bytes = (uint32_t)hg_test_between(random, 88, 1538);
		cfg->other_at_ns = (hg_ns)hg_test_between(random, 1000000, 10000000);
		cfg->other_for_ns = (hg_ns)hg_test_between(random, 100000, 10000000);
		break;
	case 4:
		cfg->adapt_ns = (hg_ns)hg_test_between(random, 200000, 5000000);
		break;
	default:
		break;
	}
}

/* 100 Mbit/s to 100 Gbit/s, delays up to 200 us, batches up to 256. */
static struct card_cfg random_card(uint64_t *random)
{
	static const uint64_t mbits[] = {100, 1000, 2500, 10000, 25000, 40000, 100000};
	struct card_cfg cfg = {.bytes_per_s = mbits[hg_test_between(random, 0, 6)] * 125000,
			       .batch_pkts = 1,
			       .small_bytes = 1538,
			       .large_bytes = 1538};

	cfg.delay_ns = (hg_ns)hg_test_between(random, 0, 200000);
	if (hg_test_between(random, 0, 1) == 1) {
		cfg.batch_pkts = 1u << hg_test_between(random, 0, 8);
		cfg.timer_ns = (hg_ns)hg_test_between(random, 5000, 100000);
	}
	if (hg_test_between(random, 0, 1) == 1) {
		cfg.jitter = (enum card_jitter)hg_test_between(random, 1, N_JITTERS - 1);
		cfg.jitter_ns = (hg_ns)hg_test_between(random, 1000, 50000);
	}
	if (hg_test_between(random, 0, 3) == 0)
		cfg.look_ns = (hg_ns)hg_test_between(random, 1000, 20000);
	if (hg_test_between(random, 0, 2) == 0)
		cfg.late_ns = (hg_ns)hg_test_between(random, 100, 20000);
	disturb(&cfg, random);
	switch (hg_test_between(random, 0, 3)) {
	case 0:
		cfg.small_bytes = cfg.large_bytes = (uint32_t)hg_test_between(random, 88, 1538);
		break;
	case 1:
		cfg.small_bytes = 88;
		break;
	case 2:
		/* Segments are cut before they occupy the link for 100 us. */
		cfg.large_bytes = cfg.bytes_per_s >= 125000000 ? 12304 : 1538;
		cfg.small_bytes = 88;
		cfg.small_of_16 = (uint32_t)hg_test_between(random, 1, 15);
		break;
	default:
		break;
	}
	return cfg;
}

/* What a card has shown. */
struct shown {
	double use, mean_max_bytes;
	uint64_t least_bytes;
	hg_ns most_wait_ns;
};

#define USE 0.995

/* Not every card is: of 300 (100 of each of the seeds 2, 3 and 4) 8 came below 99.5 %, the lowest to 98.9 %, and 36
 * had a MAX of more than 1.5 times the least and three packets, the largest of 7.8 times: nearly all of them slower
 * than they were told to be, or just left by another user. One in eight and one in four is what 48 may be. */
#define USE_ALL 0.98
#define EXCESS_ALL 12.0

static bool is_used(const struct shown *shown)
{
	return shown->use >= USE;
}

/* A quarter is headroom by design, and a MAX that was tried is taken back. */
static bool is_little(const struct card_cfg *cfg, const struct shown *shown)
{
	double most = 1.5 * (double)shown->least_bytes + 3.0 * cfg->large_bytes;

	return shown->mean_max_bytes <= fmax(most, HG_DEPTH_MIN_BYTES);
}

/* What the sender's wire does not show waits in the card as well: none on a card that keeps up with it. */
static bool is_in_time(const struct card_cfg *cfg, const struct shown *shown)
{
	bool keeps_up =
		cfg->told_bytes_per_s == 0 && cfg->stall_for_ns == 0 && cfg->other_bytes == 0;
	double pkt_ns = cfg->large_bytes * 1e9 / (double)cfg->bytes_per_s;

	return !keeps_up || (double)shown->most_wait_ns <= pkt_ns;
}

static void note(const struct card_cfg *cfg, uint64_t seed, const struct shown *shown)
{
	fprintf(stderr,
		"seed %" PRIu64 ": %" PRIu64 " Mbit/s, delay %" PRId64
		" ns, batch %u, timer %" PRId64 ", jitter %d of %" PRId64 ", look %" PRId64
		", bytes %u to %u (%u)"
		", late %" PRId64 ", told %.4f, stall %" PRId64 ", other %u for %" PRId64
		", adapt %" PRId64 ": use %.3f %%, MAX %.0f, least %" PRIu64 ", wait %" PRId64
		" ns\n",
		seed, cfg->bytes_per_s / 125000, cfg->delay_ns, cfg->batch_pkts, cfg->timer_ns,
		(int)cfg->jitter, cfg->jitter_ns, cfg->look_ns, cfg->small_bytes, cfg->large_bytes,
		cfg->small_of_16, cfg->late_ns,
		(double)cfg->told_bytes_per_s / (double)cfg->bytes_per_s, cfg->stall_for_ns,
		cfg->other_bytes, cfg->other_for_ns, cfg->adapt_ns, 100 * shown->use,
		shown->mean_max_bytes, shown->least_bytes, shown->most_wait_ns);
}

static struct shown show(const struct card_cfg *cfg, const struct card_rule *rule, uint64_t seed)
{
	struct card *card = card_create(cfg, seed);
	struct card_cfg undisturbed = *cfg;
	struct card_result result;

	card_run(card, rule, SETTLE_NS);
	result = card_run(card, rule, SETTLE_NS + MEASURE_NS);
	card_destroy(card);
	undisturbed.stall_for_ns = undisturbed.other_for_ns = 0;
	undisturbed.other_bytes = 0;
	return (struct shown){result.use, result.mean_max_bytes,
			      card_least(&undisturbed, seed, USE, MEASURE_NS / 2),
			      result.most_wait_ns};
}

static uint64_t told(const struct card_cfg *cfg)
{
	return cfg->told_bytes_per_s > 0 ? cfg->told_bytes_per_s : cfg->bytes_per_s;
}

static void begin_depth(struct card_depth *d, const struct card_cfg *cfg)
{
	const struct hg_depth_cfg depth = {.bytes_per_s = told(cfg),
					   .largest_bytes = cfg->large_bytes};

	*d = (struct card_depth){0};
	hg_depth_init(&d->depth, &depth, 0);
}

/* Of n random cards, on how many does the rule miss what is promised? */
struct failures {
	unsigned of_use, of_max, of_wait;
	double least_use, most_excess;
};

static struct failures failures(struct card_rule (*begin)(void *state, const struct card_cfg *cfg),
				void *state, unsigned n, bool say)
{
	struct failures found = {.least_use = 1.0};

	for (unsigned i = 0; i < n; i++) {
		uint64_t seed = hg_test_seed * 1000 + i, random = seed;
		struct card_cfg cfg = random_card(&random);
		struct card_rule rule = begin(state, &cfg);
		struct shown shown = show(&cfg, &rule, seed);

		found.of_use += !is_used(&shown);
		found.of_max += !is_little(&cfg, &shown);
		found.of_wait += !is_in_time(&cfg, &shown);
		found.least_use = fmin(found.least_use, shown.use);
		found.most_excess =
			fmax(found.most_excess,
			     shown.mean_max_bytes / (double)(shown.least_bytes + cfg.large_bytes));
		if (say &&
		    !(is_used(&shown) && is_little(&cfg, &shown) && is_in_time(&cfg, &shown)))
			note(&cfg, seed, &shown);
	}
	return found;
}

static struct card_rule begin_ours(void *state, const struct card_cfg *cfg)
{
	begin_depth(state, cfg);
	return card_depth_rule(state);
}

static void s2_4_random_cards_are_used_with_little_more_than_the_least(void)
{
	static struct card_depth depth;
	struct failures found = failures(begin_ours, &depth, rounds(), /* say= */ true);

	fprintf(stderr,
		"of %u cards %u below 99.5 %%, %u with too large a MAX, %u too early; least use "
		"%.3f %%, MAX at "
		"most %.2f of the least and a packet\n",
		rounds(), found.of_use, found.of_max, found.of_wait, 100 * found.least_use,
		found.most_excess);
	HG_CHECK(found.least_use >= USE_ALL && found.most_excess <= EXCESS_ALL);
	HG_CHECK(8 * found.of_use <= rounds());
	HG_CHECK(4 * found.of_max <= rounds());
	HG_CHECK_EQ(found.of_wait, 0);
}

/* Twin without what is unreported: MAX is the lead and a packet. */
static uint64_t lead_alone_max(void *state)
{
	const struct hg_depth *depth = &((struct card_depth *)state)->depth;

	return depth->cfg.bytes_per_s / 1000000 * (uint64_t)hg_depth_lead_ns(depth) / 1000 +
	       depth->cfg.largest_bytes;
}

static struct card_rule begin_lead_alone(void *state, const struct card_cfg *cfg)
{
	struct card_rule rule = begin_ours(state, cfg);

	rule.max_bytes = lead_alone_max;
	return rule;
}

static void s2_4_twin_without_what_is_unreported_is_found_out(void)
{
	static struct card_depth depth;

	HG_CHECK(failures(begin_lead_alone, &depth, N_TWIN, /* say= */ false).of_use > N_TWIN / 2);
}

/* Twin without a lead, which a sender needs who is late. */
static hg_ns no_lead_ns(void *state)
{
	(void)state;
	return 0;
}

static struct card_rule begin_without_lead(void *state, const struct card_cfg *cfg)
{
	struct card_rule rule = begin_ours(state, cfg);

	rule.lead_ns = no_lead_ns;
	return rule;
}

static void s2_4_twin_without_a_lead_is_found_out(void)
{
	static struct card_depth depth;

	HG_CHECK(failures(begin_without_lead, &depth, N_TWIN, /* say= */ false).of_use > 0);
}

/* Twin that does not take back what it tried: MAX is the most that it was. */
struct twin_most {
	struct card_depth depth; /* first */
	uint64_t most_bytes;
};

static uint64_t most_max(void *state)
{
	struct twin_most *t = state;

	if (hg_depth_max_bytes(&t->depth.depth) > t->most_bytes)
		t->most_bytes = hg_depth_max_bytes(&t->depth.depth);
	return t->most_bytes;
}

static struct card_rule begin_most(void *state, const struct card_cfg *cfg)
{
	struct card_rule rule = begin_ours(state, cfg);

	((struct twin_most *)state)->most_bytes = 0;
	rule.max_bytes = most_max;
	return rule;
}

static void s2_4_twin_that_takes_nothing_back_is_found_out(void)
{
	static struct twin_most twin;

	struct failures found = failures(begin_most, &twin, 3 * N_TWIN, /* say= */ false);

	HG_CHECK(4 * found.of_max > 3 * N_TWIN || found.most_excess > EXCESS_ALL);
}

/* Twin that takes its slack from what is outstanding: dynamic queue limits. */
struct twin_dql {
	struct hg_dql dql;
	uint64_t completed_bytes;
};

static uint64_t dql_max(void *state)
{
	return ((struct twin_dql *)state)->dql.limit_bytes + 1;
}
static void dql_handed(void *state, uint32_t bytes, enum hg_held held, hg_ns now_ns)
{
	(void)held, (void)now_ns;
	hg_dql_queued(&((struct twin_dql *)state)->dql, bytes);
}
static void dql_released(void *state, uint32_t bytes, hg_ns handed_ns, hg_ns now_ns)
{
	(void)handed_ns, (void)now_ns;
	((struct twin_dql *)state)->completed_bytes += bytes;
}
static void dql_settled(void *state, hg_ns now_ns)
{
	struct twin_dql *t = state;

	if (t->completed_bytes > 0)
		hg_dql_completed(&t->dql, t->completed_bytes, now_ns);
	t->completed_bytes = 0;
}

static struct card_rule begin_dql(void *state, const struct card_cfg *cfg)
{
	struct twin_dql *t = state;

	(void)cfg;
	*t = (struct twin_dql){0};
	hg_dql_init(&t->dql, 0, HG_DEPTH_MAX_BYTES / 4, 10 * HG_NS_PER_MS, 0);
	return (struct card_rule){.state = t,
				  .max_bytes = dql_max,
				  .handed = dql_handed,
				  .released = dql_released,
				  .settled = dql_settled};
}

static void s2_4_twin_with_slack_of_what_is_outstanding_is_found_out(void)
{
	static struct twin_dql twin;

	HG_CHECK(2 * failures(begin_dql, &twin, N_TWIN, /* say= */ false).of_use > N_TWIN);
}

/* ---- replay ------------------------------------------------------------------------------------- */

static struct card_depth recorded;

static void record(uint64_t seed)
{
	static struct hg_depth_sample samples[MAX_SAMPLES];
	static uint64_t after[MAX_SAMPLES];
	uint64_t random = seed;
	struct card_cfg cfg = random_card(&random);
	struct card_rule rule;
	struct card *card;

	begin_depth(&recorded, &cfg);
	recorded.samples = samples;
	recorded.after_max_bytes = after;
	recorded.max_samples = MAX_SAMPLES;
	rule = card_depth_rule(&recorded);
	card = card_create(&cfg, seed);
	for (int i = 1; i <= 6; i++) {
		card_run(card, &rule, i * 15 * HG_NS_PER_MS);
		cfg = random_card(&random);
		cfg.large_bytes = recorded.depth.cfg.largest_bytes;
		cfg.small_bytes =
			cfg.small_bytes < cfg.large_bytes ? cfg.small_bytes : cfg.large_bytes;
		card_change(card, &cfg);
	}
	card_destroy(card);
	if (recorded.n_samples > MAX_SAMPLES)
		recorded.n_samples = MAX_SAMPLES;
}

/* Samples whose MAX comes out differently. */
static unsigned differences(void)
{
	struct hg_depth replay;
	unsigned n = 0;

	hg_depth_init(&replay, &recorded.depth.cfg, 0);
	for (unsigned i = 0; i < recorded.n_samples; i++) {
		if (recorded.samples[i].max_bytes != hg_depth_max_bytes(&replay))
			n++;
		hg_depth_replay(&replay, &recorded.samples[i]);
		if (recorded.after_max_bytes[i] != hg_depth_max_bytes(&replay))
			n++;
	}
	return n;
}

static void s2_14_max_and_its_history_come_out_of_the_samples(void)
{
	for (unsigned i = 0; i < rounds(); i++) {
		record(hg_test_seed * 1000 + i);
		HG_CHECK(recorded.n_samples > 20);
		HG_CHECK_EQ(differences(), 0);
	}
}

static void s2_14_twin_that_lost_a_sample_is_found_out(void)
{
	unsigned n_found = 0;

	for (unsigned i = 0; i < rounds(); i++) {
		unsigned at = 1;

		record(hg_test_seed * 1000 + i);
		/* One after which MAX was another. */
		while (at + 1 < recorded.n_samples &&
		       recorded.after_max_bytes[at] == recorded.after_max_bytes[at - 1])
			at++;
		memset(&recorded.samples[at], 0, sizeof(recorded.samples[at]));
		n_found += differences() > 0;
	}
	HG_CHECK(2 * n_found > rounds());
}

static const struct hg_test tests[] = {
	HG_TEST(s2_4_random_cards_are_used_with_little_more_than_the_least),
	HG_TEST(s2_4_twin_without_what_is_unreported_is_found_out),
	HG_TEST(s2_4_twin_without_a_lead_is_found_out),
	HG_TEST(s2_4_twin_that_takes_nothing_back_is_found_out),
	HG_TEST(s2_4_twin_with_slack_of_what_is_outstanding_is_found_out),
	HG_TEST(s2_14_max_and_its_history_come_out_of_the_samples),
	HG_TEST(s2_14_twin_that_lost_a_sample_is_found_out),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
