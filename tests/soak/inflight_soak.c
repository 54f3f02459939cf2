/* In-flight control under everything that goes wrong with a card, for as many packets as asked for: what is
 * taken must be given back or written off to the last byte, step by step and in the end.
 *
 * A life is one lane (sim/lane.h) with a card of its own: stalls, resets, lost buffers, a queue that stands,
 * completions that stay away and come back; senders that come and go with packets in the card, weights and
 * MAX changed, in-flight control switched off and on. --rounds N: N million packets, in four lives. */
#include "sim/lane.h"

#include "tests/harness.h"

enum { N_TENANTS = 4, N_SENDERS = 24, N_PKTS = 16384, N_LIVES = 4, DEFAULT_ROUNDS = 1 };

/* Buffers that a card may lose in a life: they are gone until it is stopped. */
#define LOST_PKTS_MAX 4000u
#define LARGEST_BYTES (45u * 1538u)
/* What `complete` may become, by the card's text. */
#define COMPLETE_MAX_NS (100 * HG_NS_PER_MS)

struct life {
	const char *card;
	uint64_t gbit;
	hg_ns poll_ns;
};

static const struct life lives[N_LIVES] = {
	{"complete=100ms,jitter=5us,batch=8,coalesce=20us", 10, 0},
	{"complete=100ms", 1, 0},
	{"complete=100ms,jitter=1us,batch=32,coalesce=100us", 25, 700},
	{"complete=100ms,jitter=50us", 10, 5000},
};

static struct {
	struct hg_lane *lane;
	uint64_t seed, n_handed, n_lost;
	bool is_there[N_SENDERS];
	/* What has happened, so that a soak in which nothing did is noticed. */
	uint64_t n_resets, n_losses, n_silent, n_on, n_removed_in_card;
} w;

static uint64_t pick(uint64_t lo, uint64_t hi)
{
	return hg_test_between(&w.seed, lo, hi);
}

static bool chance(uint64_t one_in)
{
	return pick(1, one_in) == 1;
}

/* ---- who sends ---------------------------------------------------------------------------------- */

static struct hg_policy random_policy(void)
{
	struct hg_policy policy = {.weight = (uint32_t)pick(1, chance(4) ? HG_WEIGHT_MAX : 8),
				   .burst_bytes = HG_BURST_DEFAULT_BYTES,
				   .idle_after_ns = HG_IDLE_AFTER_DEFAULT_NS};

	if (chance(4))
		policy.min_bytes_per_s = pick(1000000, 10000000);
	if (chance(4))
		policy.max_bytes_per_s = pick(10000000, 200000000);
	return policy;
}

static struct hg_sender_cfg random_sender(void)
{
	struct hg_sender_cfg cfg = {
		.arrivals = (enum hg_arrivals)pick(HG_ARRIVALS_SATURATE, HG_ARRIVALS_LOOP),
		.backlog_pkts = (uint32_t)pick(1, 64),
		.on_ns = (hg_ns)pick(1000, 2000000),
		.off_ns = (hg_ns)pick(1000, 2000000),
		.period_ns = (hg_ns)pick(2000, 200000),
		.think_ns = (hg_ns)pick(0, 100000),
		.n_sizes = (uint32_t)pick(1, 3),
		.sizes = {{1538, 1}, {84, 1}, {LARGEST_BYTES, 45}},
	};

	if (chance(3))
		cfg.sizes[0] = (struct hg_sender_size){(uint32_t)pick(84, 1538), 1};
	return cfg;
}

static const char *set_sender(uint32_t i, struct hg_sender_cfg cfg)
{
	struct hg_policy policy = random_policy();

	w.is_there[i] = true;
	return hg_lane_set_sender(w.lane, i, i % N_TENANTS, 0, &policy, &cfg, NULL) == 0
		       ? NULL
		       : "a sender was refused";
}

static const char *change_sender(void)
{
	uint32_t i =
		(uint32_t)pick(1, N_SENDERS - 1); /* the first one stays: somebody always sends */
	struct hg_window_row row;

	if (!w.is_there[i])
		return set_sender(i, random_sender());
	hg_window_sample_instance(hg_inflight_window(hg_lane_inflight(w.lane)), i, &row);
	w.n_removed_in_card += row.outstanding_pkts > 0;
	w.is_there[i] = false;
	return hg_lane_remove_sender(w.lane, i, NULL) == 0 ? NULL : "a sender could not be removed";
}

static const char *change_tenant(void)
{
	struct hg_policy policy = random_policy();

	policy.min_bytes_per_s = policy.max_bytes_per_s = 0;
	return hg_lane_set_tenant(w.lane, (uint32_t)pick(0, N_TENANTS - 1), &policy, NULL) == 0
		       ? NULL
		       : "a tenant was refused";
}

/* ---- what goes wrong ---------------------------------------------------------------------------- */

static const char *fault(struct hg_simnic_fault what)
{
	return hg_lane_fault(w.lane, &what) == 0 ? NULL : "the card refused a fault";
}

static void run_for(hg_ns for_ns)
{
	const struct hg_lane_class *all = hg_lane_class(w.lane, 0);
	struct hg_inflight_stats stats;

	hg_lane_run(w.lane, hg_lane_now(w.lane) + for_ns);
	hg_inflight_sample(hg_lane_inflight(w.lane), &stats);
	w.n_silent += stats.state == HG_HOOK_SILENT;
	w.n_on += stats.state == HG_HOOK_ON;
	w.n_handed = all->n_pkts;
}

static const char *lose(void)
{
	struct hg_simnic_queue_sample card;
	const char *bad = fault((struct hg_simnic_fault){.kind = HG_SIMNIC_LOSE, .ppm = 2000});

	run_for((hg_ns)pick(10000, 1000000));
	hg_simnic_sample_queue(hg_lane_card(w.lane)->dev, 0, &card);
	w.n_losses += card.lost_pkts > w.n_lost;
	w.n_lost = card.lost_pkts;
	return bad != NULL ? bad : fault((struct hg_simnic_fault){.kind = HG_SIMNIC_LOSE});
}

/* Now and then for so long that the hook is called silent. */
static hg_ns a_while(void)
{
	return (hg_ns)(chance(6) ? pick(100000000, 350000000) : pick(1000, 3000000));
}

static const char *stand_still(void)
{
	const char *bad = fault((struct hg_simnic_fault){.kind = HG_SIMNIC_STOP_QUEUE});

	run_for(a_while());
	return bad != NULL ? bad : fault((struct hg_simnic_fault){.kind = HG_SIMNIC_START_QUEUE});
}

static const char *complete_in(hg_ns for_ns)
{
	return fault((struct hg_simnic_fault){.kind = HG_SIMNIC_COMPLETE, .for_ns = for_ns});
}

static const char *stay_away(void)
{
	const char *bad = complete_in(chance(4) ? COMPLETE_MAX_NS : (hg_ns)pick(1000, 3000000));

	run_for(a_while());
	return bad != NULL ? bad : complete_in((hg_ns)pick(0, 50000));
}

static const char *reset(void)
{
	w.n_resets++;
	return fault((struct hg_simnic_fault){.kind = HG_SIMNIC_RESET});
}

static const char *switch_it(void)
{
	uint64_t pin_bytes = chance(2) ? 0 : pick(HG_DEPTH_MIN_BYTES, 1u << pick(11, 20));

	if (chance(2)) {
		hg_lane_set_inflight(w.lane, false, 0);
		run_for((hg_ns)pick(1000, 4000000));
	}
	hg_lane_set_inflight(w.lane, true, pin_bytes);
	return NULL;
}

static const char *disturb(void)
{
	switch (pick(0, 15)) {
	case 0:
		return reset();
	case 1:
		return stand_still();
	case 2:
		return stay_away();
	case 3:
		return w.n_lost < LOST_PKTS_MAX ? lose() : NULL;
	case 4:
		return fault((struct hg_simnic_fault){.kind = HG_SIMNIC_STALL,
						      .for_ns = (hg_ns)pick(1000, 3000000)});
	case 5:
	case 6:
		return switch_it();
	case 7:
	case 8:
		return change_tenant();
	case 9:
		return complete_in((hg_ns)pick(0, 50000));
	default:
		return change_sender();
	}
}

/* ---- a life ------------------------------------------------------------------------------------- */

static const char *begin(const struct life *life, uint64_t seed, uint32_t forgets_every)
{
	struct hg_lane_cfg cfg = {
		.link_bytes_per_s = life->gbit * UINT64_C(125000000),
		.ring_pkts = 4096,
		.card = life->card,
		.max_tenants = N_TENANTS,
		.max_senders = N_SENDERS,
		.max_pkts = N_PKTS,
		.rule = HG_LANE_INFLIGHT,
		.largest_bytes = LARGEST_BYTES,
		.poll_ns = life->poll_ns,
		.seed = seed,
		.checks_sum = true,
		.forgets_every = forgets_every,
	};
	const struct hg_policy plain = {.weight = 1,
					.burst_bytes = HG_BURST_DEFAULT_BYTES,
					.idle_after_ns = HG_IDLE_AFTER_DEFAULT_NS};
	const char *bad = NULL;

	memset(&w, 0, sizeof(w));
	w.seed = seed;
	if (hg_lane_create(&cfg, &w.lane, NULL) < 0)
		return "no lane";
	for (uint32_t t = 0; t < N_TENANTS; t++)
		if (hg_lane_set_tenant(w.lane, t, &plain, NULL) < 0)
			return "a tenant was refused";
	for (uint32_t i = 1; i < N_SENDERS && bad == NULL; i += 2)
		bad = set_sender(i, random_sender());
	if (bad == NULL)
		bad = set_sender(0, (struct hg_sender_cfg){.arrivals = HG_ARRIVALS_SATURATE,
							   .backlog_pkts = 64,
							   .n_sizes = 1,
							   .sizes = {{1538, 1}}});
	return bad != NULL ? bad : complete_in(5000);
}

/* When all faults are over, what waits is sent: nothing is stuck for good. How full the link is then is the
 * depth's to show. */
static const char *recover(void)
{
	struct hg_policy plain = {.weight = 1,
				  .burst_bytes = HG_BURST_DEFAULT_BYTES,
				  .idle_after_ns = HG_IDLE_AFTER_DEFAULT_NS};
	struct hg_sender_cfg cfg = {.arrivals = HG_ARRIVALS_SATURATE,
				    .backlog_pkts = 64,
				    .n_sizes = 1,
				    .sizes = {{1538, 1}}};
	struct hg_lane_link before, after;
	const char *bad = complete_in(5000);
	hg_ns for_ns = 10 * HG_NS_PER_MS;

	hg_lane_set_inflight(w.lane, true, 0);
	run_for(COMPLETE_MAX_NS); /* whatever was told to stay away for so long is back */
	if (hg_lane_set_sender(w.lane, 0, 0, 0, &plain, &cfg, NULL) < 0)
		return "a sender was refused";
	hg_lane_link(w.lane, &before);
	run_for(for_ns);
	hg_lane_link(w.lane, &after);
	if (after.busy_ns - before.busy_ns < for_ns / 10)
		return "the link was not used again after the faults";
	return bad;
}

static const char *drift(void)
{
	struct hg_inflight *inflight = hg_lane_inflight(w.lane);
	const struct hg_card *card = hg_lane_card(w.lane);
	struct hg_inflight_stats all;
	struct hg_window_row row;
	struct hg_lane_link link;

	hg_inflight_sample(inflight, &all);
	hg_lane_link(w.lane, &link);
	if (link.n_sum_errors > 0)
		return "the card's sum and in-flight control's differed";
	if (card->n_free != card->n_pkts)
		return "a buffer is not back in the pool";
	if (all.window.outstanding_bytes != 0 || all.window.outstanding_pkts != 0)
		return "something is outstanding of a card that is stopped";
	if (all.window.taken_bytes != all.window.given_bytes + all.window.lost_bytes ||
	    all.window.taken_pkts != all.window.given_pkts + all.window.lost_pkts)
		return "taken is not given and lost";
	/* The stopped card gave back even what it had lost. */
	if (all.window.lost_pkts != all.late_pkts)
		return "what was written off did not come back";
	for (uint32_t i = 0; i < N_SENDERS; i++) {
		if (!w.is_there[i])
			continue;
		hg_window_sample_instance(hg_inflight_window(inflight), i, &row);
		if (row.outstanding_bytes != 0 || row.outstanding_pkts != 0)
			return "an instance has something outstanding of a card that is stopped";
	}
	return NULL;
}

/* NULL, or what is wrong. */
static const char *live(unsigned number, uint64_t n_pkts, uint64_t seed, uint32_t forgets_every)
{
	const char *bad = begin(&lives[number], seed, forgets_every);

	while (bad == NULL && w.n_handed < n_pkts) {
		run_for((hg_ns)pick(1000, 4000000));
		bad = disturb();
	}
	if (bad == NULL)
		bad = recover();
	if (w.lane != NULL)
		hg_lane_stop(w.lane);
	if (bad == NULL)
		bad = drift();
	fprintf(stderr,
		"life %u: %" PRIu64 " packets, %.1f s, %" PRIu64 " resets, %" PRIu64
		" losses, silent %" PRIu64 ", on %" PRIu64 ", removed in the card %" PRIu64
		": %s\n",
		number, w.n_handed,
		w.lane == NULL ? 0 : (double)(hg_lane_now(w.lane) - HG_LANE_START_NS) / 1e9,
		w.n_resets, w.n_losses, w.n_silent, w.n_on, w.n_removed_in_card,
		bad == NULL ? "no drift" : bad);
	hg_lane_destroy(w.lane);
	return bad;
}

static uint64_t pkts_per_life(void)
{
	return (hg_test_rounds > 0 ? hg_test_rounds : DEFAULT_ROUNDS) * UINT64_C(1000000) / N_LIVES;
}

static void s2_5_a_soak_with_random_faults_ends_with_zero_drift(void)
{
	for (unsigned i = 0; i < N_LIVES; i++) {
		const char *bad = live(i, pkts_per_life(), hg_test_seed * 1000u + i, 0);

		if (bad != NULL)
			HG_TEST_FAIL("life %u: %s", i, bad);
		HG_CHECK(w.n_on > 0);
		HG_CHECK(w.n_resets > 0);
		HG_CHECK(w.n_losses > 0);
		HG_CHECK(w.n_removed_in_card > 0);
	}
}

/* The broken twin: one release in 10,000 is not settled. */
static void a_release_that_is_forgotten_is_noticed(void)
{
	const char *bad = live(0, 250000, hg_test_seed, 10000);

	HG_CHECK(bad != NULL);
	HG_CHECK_HAS(bad, "sum");
}

static const struct hg_test tests[] = {
	HG_TEST(s2_5_a_soak_with_random_faults_ends_with_zero_drift),
	HG_TEST(a_release_that_is_forgotten_is_noticed),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
