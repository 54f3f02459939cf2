/* Which limits are written, against a scheduler like Linux's: quotas of periods, a tick at which who ran over is found
 * and held, its debt carried on; and a write that fills the quota up anew and forgives the debt. */
#include "core/hold.h"

#include "core/ledger.h"
#include "tests/harness.h"

#define S HG_NS_PER_S
#define MS HG_NS_PER_MS
#define STEP_NS (250 * HG_NS_PER_US)
#define TICK_NS (4 * MS)
#define INTERVAL_NS (100 * MS)

struct kernel {
	uint64_t limit_mcpu;
	hg_ns period_ns, next_period_ns;
	int64_t quota_cpu_ns, left_cpu_ns; /* below 0: debt */
	int64_t served_ppm; /* of what it believes to serve */
	int64_t used_cpu_ns;
	bool is_held;
};

static hg_ns period_of(uint64_t mcpu)
{
	return mcpu >= 100 ? 10 * MS : 1000 * MS / (hg_ns)mcpu;
}

static int64_t quota_of(uint64_t mcpu)
{
	return (int64_t)mcpu * period_of(mcpu) / 1000;
}

/* As hg_cgroups_handed_cpu_ns() says it. */
static int64_t handed_of(uint64_t mcpu)
{
	return quota_of(mcpu) + TICK_NS / 4;
}

static void kernel_write(struct kernel *k, uint64_t mcpu, hg_ns now_ns)
{
	if (k->limit_mcpu == 0 || k->limit_mcpu == HG_SHARE_OPEN)
		k->next_period_ns = now_ns;
	k->limit_mcpu = mcpu;
	k->is_held = false;
	if (mcpu == HG_SHARE_OPEN)
		return;
	k->period_ns = period_of(mcpu);
	k->left_cpu_ns = k->quota_cpu_ns = quota_of(mcpu);
}

/* A task that would run for ever, from now_ns on for a step. */
static void kernel_run(struct kernel *k, hg_ns now_ns)
{
	bool has_limit = k->limit_mcpu != HG_SHARE_OPEN;

	if (has_limit && now_ns >= k->next_period_ns) {
		k->next_period_ns += k->period_ns;
		k->left_cpu_ns += k->quota_cpu_ns;
		if (k->left_cpu_ns > k->quota_cpu_ns)
			k->left_cpu_ns = k->quota_cpu_ns;
		k->is_held = k->left_cpu_ns <= 0;
	}
	if (has_limit && now_ns % TICK_NS == 0 && k->left_cpu_ns <= 0)
		k->is_held = true;
	if (has_limit && k->is_held)
		return;
	k->used_cpu_ns += STEP_NS;
	k->left_cpu_ns -= STEP_NS * 1000000 / k->served_ppm;
}

/* ---- the loop, with its rule or a wrong one ------------------------------------------------------ */

enum rule { RULE_HOLD, RULE_AS_GRANTED /* each difference of 2 % is written as it is */ };

struct world {
	struct kernel kernel;
	struct hg_ledger ledger;
	struct hg_hold hold;
	struct hg_share_ask ask;
	hg_ns now_ns, looked_at_ns;
	int64_t looked_cpu_ns;
	unsigned n_writes;
	enum rule rule;
};

static void begin(struct world *w, uint64_t baseline_mcpu, int64_t launch_cpu_ns,
		  int64_t served_ppm, enum rule rule)
{
	const struct hg_ledger_cfg cfg = {
		.earn_cpu_ns_per_h = (int64_t)baseline_mcpu * (3600 * S / 1000),
		.max_cpu_ns = 1000 * S,
		.launch_cpu_ns = launch_cpu_ns,
		.surplus_max_cpu_ns = 1000 * S,
	};

	*w = (struct world){
		.rule = rule,
		.kernel = {.limit_mcpu = HG_SHARE_OPEN, .served_ppm = served_ppm},
		.ask = {.baseline_mcpu = baseline_mcpu,
			.ceiling_mcpu = 1000,
			.demand_mcpu = HG_SHARE_DEMAND_UNKNOWN,
			.glide_ns = 2 * S,
			.weight = 1},
	};
	hg_ledger_init(&w->ledger, &cfg, 0);
}

static uint64_t next_of(struct world *w, const struct hg_share_grant *grant, uint64_t used_mcpu)
{
	uint64_t was = w->hold.limit_mcpu, diff;

	if (w->rule == RULE_HOLD)
		return hg_hold_next(&w->hold, &w->ask, grant, used_mcpu,
				    handed_of(w->ask.baseline_mcpu));
	if (!w->hold.is_known || (was == HG_SHARE_OPEN) != (grant->mcpu == HG_SHARE_OPEN))
		return grant->mcpu;
	diff = was > grant->mcpu ? was - grant->mcpu : grant->mcpu - was;
	return diff * 1000000 > was * HG_HOLD_DEADBAND_PPM ? grant->mcpu : HG_HOLD_KEEP;
}

/* Returns when to look again. */
static hg_ns look(struct world *w)
{
	int64_t used = w->kernel.used_cpu_ns - w->looked_cpu_ns;
	hg_ns for_ns = w->now_ns - w->looked_at_ns, at_ns = w->now_ns + 5 * INTERVAL_NS;
	struct hg_share_grant grant;
	uint64_t mcpu;
	uint32_t scratch;

	hg_hold_look(&w->hold, used, for_ns);
	hg_ledger_charge(&w->ledger, used, w->now_ns);
	w->looked_cpu_ns += used;
	w->looked_at_ns = w->now_ns;
	w->ask.balance_cpu_ns = hg_ledger_balance_cpu_ns(&w->ledger);
	hg_share_divide(&w->ask, 1, 2000, &scratch, &grant);
	mcpu = next_of(w, &grant, (uint64_t)(used / (for_ns / 1000 + 1)));
	if (mcpu != HG_HOLD_KEEP) {
		kernel_write(&w->kernel, mcpu, w->now_ns);
		hg_hold_written(&w->hold, mcpu);
		w->n_writes++;
		at_ns = w->now_ns + INTERVAL_NS;
	}
	if (w->rule == RULE_HOLD) {
		hg_ns base_ns = hg_hold_baseline_at_ns(&w->hold, &w->ask,
						       handed_of(w->ask.baseline_mcpu), w->now_ns);

		at_ns = base_ns < at_ns ? base_ns : at_ns;
	}
	at_ns = (at_ns + INTERVAL_NS - 1) / INTERVAL_NS * INTERVAL_NS;
	return at_ns > w->now_ns ? at_ns : w->now_ns + INTERVAL_NS;
}

static void run(struct world *w, hg_ns for_ns)
{
	hg_ns end_ns = w->now_ns + for_ns, look_at_ns = w->now_ns;

	for (; w->now_ns < end_ns; w->now_ns += STEP_NS) {
		if (w->now_ns >= look_at_ns)
			look_at_ns = look(w);
		kernel_run(&w->kernel, w->now_ns);
	}
	(void)look(w);
}

static const uint64_t baselines_mcpu[] = {20, 37, 62, 150, 250, 400, 800};
#define N_BASELINES (sizeof(baselines_mcpu) / sizeof(baselines_mcpu[0]))

/* What was used beyond what was owed: the balance, with its sign turned. */
static int64_t error_cpu_ns(const struct world *w)
{
	return -hg_ledger_balance_cpu_ns(&w->ledger);
}

static int64_t size(int64_t a)
{
	return a < 0 ? -a : a;
}

/* Within 0.2 %, or one tick and a quota where that is more; and hardly a write once it rests. */
static bool is_met(const struct world *w, int64_t launch_cpu_ns)
{
	int64_t owed = launch_cpu_ns +
		       (int64_t)w->ask.baseline_mcpu * (w->now_ns / (hg_ns)HG_MCPU_PER_CPU);
	int64_t allowed = TICK_NS + quota_of(w->ask.baseline_mcpu);

	return size(error_cpu_ns(w)) <= (owed / 500 > allowed ? owed / 500 : allowed);
}

static void s6_3_use_meets_what_is_owed_though_each_write_hands_out(void)
{
	for (size_t i = 0; i < N_BASELINES; i++) {
		int64_t launch = (int64_t)(1000 - baselines_mcpu[i]) * 2 * MS;
		struct world w;
		unsigned n_before;

		begin(&w, baselines_mcpu[i], launch, 1000000, RULE_HOLD);
		run(&w, 40 * S);
		n_before = w.n_writes;
		for (unsigned s = 0; s < 200; s++) {
			run(&w, S);
			if (!is_met(&w, launch))
				HG_TEST_FAIL("%u mcpu, second %u: off by %lld us",
					     (unsigned)baselines_mcpu[i], 40 + s,
					     (long long)error_cpu_ns(&w) / 1000);
		}
		HG_CHECK(w.n_writes - n_before <= 20);
	}
}

/* A kernel that serves more or less of each limit than it says: a bounded error, whatever the time. */
static void s6_3_a_kernel_that_serves_too_much_is_made_up_for(void)
{
	static const int64_t served_ppm[] = {960000, 980000, 1030000, 1060000, 1150000};

	for (size_t i = 0; i < N_BASELINES; i++) {
		for (size_t k = 0; k < sizeof(served_ppm) / sizeof(served_ppm[0]); k++) {
			int64_t allowed = 20 * MS + (int64_t)baselines_mcpu[i] * S / 10000;
			struct world w;

			begin(&w, baselines_mcpu[i], S, served_ppm[k], RULE_HOLD);
			run(&w, 60 * S);
			for (unsigned s = 0; s < 120; s++) {
				run(&w, 2 * S);
				if (size(error_cpu_ns(&w)) > allowed)
					HG_TEST_FAIL("%u mcpu, %u ppm: off by %lld us",
						     (unsigned)baselines_mcpu[i],
						     (unsigned)served_ppm[k],
						     (long long)error_cpu_ns(&w) / 1000);
			}
		}
	}
}

static void s6_3_who_repays_keeps_its_baseline_but_a_twentieth(void)
{
	struct world w;

	begin(&w, 400, 0, 1060000, RULE_HOLD);
	run(&w, 40 * S);
	hg_ledger_charge(&w.ledger, 10 * S, w.now_ns); /* a debt that takes minutes */
	for (unsigned i = 0; i < 5; i++) {
		int64_t before = w.kernel.used_cpu_ns;

		run(&w, 20 * S);
		HG_CHECK_BETWEEN(w.kernel.used_cpu_ns - before, 400 * 20 * MS * 94 / 100,
				 400 * 20 * MS * 97 / 100);
	}
}

static void the_rule_that_writes_as_granted_is_noticed(void)
{
	unsigned n_noticed = 0, n_writes = 0;

	for (size_t i = 0; i < N_BASELINES; i++) {
		int64_t launch = (int64_t)(1000 - baselines_mcpu[i]) * 2 * MS;
		struct world w;
		bool is_noticed = false;

		begin(&w, baselines_mcpu[i], launch, 1000000, RULE_AS_GRANTED);
		run(&w, 40 * S);
		n_writes = w.n_writes;
		for (unsigned s = 0; s < 200; s++) {
			run(&w, S);
			is_noticed = is_noticed || !is_met(&w, launch);
		}
		n_noticed += is_noticed || w.n_writes - n_writes > 20;
	}
	HG_CHECK(n_noticed >= 3);
}

/* ---- when it is written ------------------------------------------------------------------------- */

static struct hg_share_ask asks(int64_t balance_cpu_ns)
{
	return (struct hg_share_ask){.baseline_mcpu = 200,
				     .ceiling_mcpu = 1000,
				     .demand_mcpu = HG_SHARE_DEMAND_UNKNOWN,
				     .balance_cpu_ns = balance_cpu_ns,
				     .glide_ns = 2 * S,
				     .weight = 1};
}

static uint64_t next(uint64_t was_mcpu, uint64_t used_mcpu, int64_t balance_cpu_ns)
{
	struct hg_hold hold = {0};
	struct hg_share_ask ask = asks(balance_cpu_ns);
	struct hg_share_grant grant = {.mcpu = hg_share_own_mcpu(&ask),
				       .limit = HG_SHARE_BY_CREDITS};

	if (grant.mcpu == 1000)
		grant = (struct hg_share_grant){.mcpu = HG_SHARE_OPEN};
	hg_hold_written(&hold, was_mcpu);
	return hg_hold_next(&hold, &ask, &grant, used_mcpu, 3 * MS);
}

static void s6_5_a_limit_that_rises_over_the_head_of_who_idles_may_trail(void)
{
	/* 250 mcpu are due: 25 % above the baseline. */
	HG_CHECK_EQ(next(200, 200, 103 * MS), 250);
	HG_CHECK_EQ(next(200, 99, 103 * MS), HG_HOLD_KEEP);
	HG_CHECK_EQ(next(200, 99, 105 * MS), 251);
	HG_CHECK_EQ(next(200, 100, 103 * MS), 250); /* half of it is used */
	/* Downward nothing trails: it would be held too late. */
	HG_CHECK_EQ(next(300, 0, 103 * MS), 250);
	HG_CHECK_EQ(next(200, 0, 100 * S), HG_SHARE_OPEN);
}

static void s6_5_who_rests_is_left_alone(void)
{
	HG_CHECK_EQ(next(200, 200, 0), HG_HOLD_KEEP);
	HG_CHECK_EQ(next(200, 200, -6 * MS), HG_HOLD_KEEP);
	HG_CHECK_EQ(next(200, 200, 6 * MS), HG_HOLD_KEEP);
	HG_CHECK_EQ(next(200, 200, 7 * MS), 210);
	HG_CHECK_EQ(next(210, 200, 6 * MS), HG_HOLD_KEEP);
	HG_CHECK_EQ(next(210, 200, 3 * MS), 200);
	HG_CHECK_EQ(next(200, 200, -7 * MS), 190);
	HG_CHECK_EQ(next(190, 190, -5 * MS), HG_HOLD_KEEP);
	HG_CHECK_EQ(next(190, 190, 3 * MS), 200);
	HG_CHECK_EQ(next(204, 204, 5 * MS), HG_HOLD_KEEP);
	HG_CHECK_EQ(next(204, 204, 3 * MS), 200);
	HG_CHECK_EQ(next(HG_SHARE_OPEN, 1000, MS), 200);
}

static const struct hg_test tests[] = {
	HG_TEST(s6_3_use_meets_what_is_owed_though_each_write_hands_out),
	HG_TEST(s6_3_a_kernel_that_serves_too_much_is_made_up_for),
	HG_TEST(s6_3_who_repays_keeps_its_baseline_but_a_twentieth),
	HG_TEST(s6_5_a_limit_that_rises_over_the_head_of_who_idles_may_trail),
	HG_TEST(s6_5_who_rests_is_left_alone),
	HG_TEST(the_rule_that_writes_as_granted_is_noticed),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
