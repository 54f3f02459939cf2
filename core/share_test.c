#include "core/share.h"

#include "tests/harness.h"

#define S HG_NS_PER_S
#define N_MAX 24u

/* One virtual processor, a fifth of it as baseline, which asks for all it may have. */
static struct hg_share_ask one(int64_t balance_cpu_ns)
{
	return (struct hg_share_ask){.baseline_mcpu = 200,
				     .ceiling_mcpu = 1000,
				     .demand_mcpu = HG_SHARE_DEMAND_UNKNOWN,
				     .balance_cpu_ns = balance_cpu_ns,
				     .glide_ns = 2 * S,
				     .weight = 1};
}

static struct hg_share_grant alone(struct hg_share_ask ask, uint64_t host_mcpu)
{
	struct hg_share_grant grant;
	uint32_t scratch;

	hg_share_divide(&ask, 1, host_mcpu, &scratch, &grant);
	return grant;
}

static void s6_2_open_while_credits_last(void)
{
	struct hg_share_ask ask = one(60 * S);

	HG_CHECK_EQ(alone(ask, 2000).mcpu, HG_SHARE_OPEN);
	HG_CHECK_EQ(alone(ask, 2000).limit, HG_SHARE_BY_NOTHING);
	ask.demand_mcpu = 0; /* the door is open for who asks for nothing, too */
	HG_CHECK_EQ(alone(ask, 2000).mcpu, HG_SHARE_OPEN);
}

static void s6_3_glides_down_to_the_baseline(void)
{
	uint64_t before = 1001;

	/* 0.8 processors above the baseline for 2 s: from there on it closes, without a step. */
	HG_CHECK_EQ(
		hg_share_own_mcpu(&(struct hg_share_ask){.baseline_mcpu = 200,
							 .ceiling_mcpu = 1000,
							 .glide_ns = 2 * S,
							 .balance_cpu_ns = 16 * S / 10 - S / 100}),
		995);
	for (int64_t balance = 16 * S / 10; balance >= 0; balance -= S / 100) {
		struct hg_share_ask ask = one(balance);
		uint64_t own = hg_share_own_mcpu(&ask);

		HG_CHECK_BETWEEN(own, before - 6, before);
		before = own;
	}
	HG_CHECK_EQ(before, 200);
}

static void s6_3_what_slipped_through_is_repaid_near_the_baseline(void)
{
	struct hg_share_ask ask = one(-S / 100);

	HG_CHECK_EQ(hg_share_own_mcpu(&ask), 195);
	ask.balance_cpu_ns = -100 * S;
	HG_CHECK_EQ(hg_share_own_mcpu(&ask), 190);
	HG_CHECK_EQ(alone(ask, 2000).limit, HG_SHARE_BY_CREDITS);
	/* Whose baseline alone uses more than it earns keeps it, whatever it owes. */
	ask.earns_less = true;
	HG_CHECK_EQ(hg_share_own_mcpu(&ask), 200);
}

static void s6_9_unlimited_is_never_throttled(void)
{
	struct hg_share_ask ask = one(-1000 * S);

	ask.is_unlimited = true;
	HG_CHECK_EQ(alone(ask, 2000).mcpu, HG_SHARE_OPEN);
}

static void s6_6_baselines_first_and_the_rest_by_weight(void)
{
	struct hg_share_ask asks[3] = {one(60 * S), one(60 * S), one(0)};
	struct hg_share_grant grants[3];
	uint32_t scratch[3];

	asks[1].weight = 3;
	hg_share_divide(asks, 3, 1000, scratch, grants);
	/* 600 for the baselines, 400 for the two that have credits, 1 to 3. */
	HG_CHECK_BETWEEN(grants[0].mcpu, 299, 300);
	HG_CHECK_BETWEEN(grants[1].mcpu, 499, 500);
	HG_CHECK_EQ(grants[2].mcpu, 200);
	HG_CHECK_EQ(grants[0].limit, HG_SHARE_BY_HOST);
	HG_CHECK_EQ(grants[2].limit, HG_SHARE_BY_CREDITS);
}

static void s6_6_what_is_not_asked_for_is_lent(void)
{
	struct hg_share_ask asks[3] = {one(60 * S), one(60 * S), one(60 * S)};
	struct hg_share_grant grants[3];
	uint32_t scratch[3];

	asks[2].demand_mcpu = 50;
	hg_share_divide(asks, 3, 1050, scratch, grants);
	HG_CHECK_BETWEEN(grants[0].mcpu, 499, 500);
	HG_CHECK_BETWEEN(grants[1].mcpu, 499, 500);
	/* And who asks for little may have as much as they, at once. */
	HG_CHECK_BETWEEN(grants[2].mcpu, 499, 500);
}

static void s6_2_says_when_to_look_again(void)
{
	struct hg_share_ask ask = one(9 * S);
	int64_t earn = INT64_C(200) * (3600 * S / 1000);

	/* 9 - 1.6 s of processor time are drained at 0.8 a second. */
	HG_CHECK_EQ(hg_share_look_at_ns(&ask, earn, 5 * S), 5 * S + 925 * S / 100);
	ask.balance_cpu_ns = S;
	HG_CHECK_EQ(hg_share_look_at_ns(&ask, earn, 5 * S), 5 * S);
	ask.is_unlimited = true;
	HG_CHECK_EQ(hg_share_look_at_ns(&ask, earn, 5 * S), HG_NEVER);
}

static void s6_3_scheduler_weights_keep_baselines_between_looks(void)
{
	HG_CHECK_EQ(hg_share_scheduler_weight(1000), 100);
	HG_CHECK_EQ(hg_share_scheduler_weight(1), 1);
	HG_CHECK_EQ(hg_share_scheduler_weight(4096000), 10000);
	HG_CHECK_EQ(hg_share_scheduler_shares(1000), 1024);
	HG_CHECK_EQ(hg_share_scheduler_shares(0), 2);
}

/* ---- any hosts ---------------------------------------------------------------------------------- */

struct world {
	struct hg_share_ask asks[N_MAX];
	struct hg_share_grant grants[N_MAX];
	uint32_t n;
	uint64_t host_mcpu;
};

static uint64_t asked(const struct hg_share_ask *ask)
{
	uint64_t own = hg_share_own_mcpu(ask);

	return own < ask->demand_mcpu ? own : ask->demand_mcpu;
}

static uint64_t served(const struct world *w, uint32_t i)
{
	uint64_t want = asked(&w->asks[i]);

	return w->grants[i].mcpu < want ? w->grants[i].mcpu : want;
}

/* What is broken in the division of a host, or NULL. */
static const char *broken(const struct world *w)
{
	uint64_t sum = 0, wanted = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		const struct hg_share_ask *ask = &w->asks[i];
		uint64_t own = hg_share_own_mcpu(ask);
		uint64_t base = ask->baseline_mcpu < own ? ask->baseline_mcpu : own;

		if (w->grants[i].mcpu < base)
			return "less than the baseline";
		if (w->grants[i].mcpu != HG_SHARE_OPEN && w->grants[i].mcpu > own)
			return "more than its own";
		sum += served(w, i);
		wanted += asked(ask);
	}
	if (sum > w->host_mcpu)
		return "more than the host has";
	if (sum + w->n < (wanted < w->host_mcpu ? wanted : w->host_mcpu))
		return "something is left over";
	/* Max-min: who is not served in full has no less above the baseline, by weight, than anyone. */
	for (uint32_t i = 0; i < w->n; i++) {
		uint64_t had = served(w, i);

		if (had >= asked(&w->asks[i]))
			continue;
		for (uint32_t k = 0; k < w->n; k++) {
			uint64_t others = served(w, k);

			if (others > w->asks[k].baseline_mcpu &&
			    (others - w->asks[k].baseline_mcpu) * w->asks[i].weight >
				    (had + 1 - w->asks[i].baseline_mcpu) * w->asks[k].weight +
					    w->asks[k].weight)
				return "not by weight";
		}
	}
	return NULL;
}

static void make(struct world *w, uint64_t *seed)
{
	uint64_t baselines = 0;

	w->n = (uint32_t)hg_test_between(seed, 1, N_MAX);
	for (uint32_t i = 0; i < w->n; i++) {
		struct hg_share_ask *ask = &w->asks[i];

		*ask = one((int64_t)hg_test_between(seed, 0, 20) * S - 2 * S);
		ask->ceiling_mcpu = 1000 * hg_test_between(seed, 1, 8);
		ask->baseline_mcpu = hg_test_between(seed, 1, ask->ceiling_mcpu / 2);
		ask->weight = (uint32_t)hg_test_between(seed, 1, 8);
		if (hg_test_between(seed, 0, 1) == 0)
			ask->demand_mcpu = hg_test_between(seed, 0, ask->ceiling_mcpu);
		baselines += ask->baseline_mcpu;
	}
	w->host_mcpu = baselines + hg_test_between(seed, 0, baselines);
}

static void s6_6_any_host_is_divided_fairly(void)
{
	uint32_t scratch[N_MAX];
	uint64_t seed = hg_test_seed;

	for (unsigned round = 0; round < 20000; round++) {
		struct world w;
		const char *what;

		make(&w, &seed);
		hg_share_divide(w.asks, w.n, w.host_mcpu, scratch, w.grants);
		what = broken(&w);
		if (what != NULL)
			HG_TEST_FAIL("round %u: %s", round, what);
	}
}

/* The same check on divisions that are wrong. */
static void broken_divisions_are_noticed(void)
{
	uint32_t scratch[N_MAX];
	uint64_t seed = hg_test_seed;
	unsigned n_noticed[3] = {0};

	for (unsigned round = 0; round < 2000; round++) {
		for (unsigned twin = 0; twin < 3; twin++) {
			struct world w;
			uint32_t i;

			make(&w, &seed);
			hg_share_divide(w.asks, w.n, w.host_mcpu, scratch, w.grants);
			i = (uint32_t)hg_test_between(&seed, 0, w.n - 1);
			if (twin == 0)
				w.grants[i].mcpu = w.asks[i].baseline_mcpu * 9 / 10;
			else if (twin == 1)
				w.grants[i].mcpu = HG_SHARE_OPEN;
			else if (w.grants[i].mcpu != HG_SHARE_OPEN)
				w.grants[i].mcpu = w.grants[i].mcpu * 3 / 4;
			n_noticed[twin] += broken(&w) != NULL;
		}
	}
	for (unsigned twin = 0; twin < 3; twin++)
		HG_CHECK(n_noticed[twin] > 100);
}

static const struct hg_test tests[] = {
	HG_TEST(s6_2_open_while_credits_last),
	HG_TEST(s6_2_says_when_to_look_again),
	HG_TEST(s6_3_glides_down_to_the_baseline),
	HG_TEST(s6_3_what_slipped_through_is_repaid_near_the_baseline),
	HG_TEST(s6_3_scheduler_weights_keep_baselines_between_looks),
	HG_TEST(s6_6_baselines_first_and_the_rest_by_weight),
	HG_TEST(s6_6_what_is_not_asked_for_is_lent),
	HG_TEST(s6_6_any_host_is_divided_fairly),
	HG_TEST(s6_9_unlimited_is_never_throttled),
	HG_TEST(broken_divisions_are_noticed),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
