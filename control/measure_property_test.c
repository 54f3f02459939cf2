/* The judgement against servers on virtual time, with random loads: one that keeps its contract is never
 * found guilty, and its twin, which gives or takes a tenth, is found out. */
#include "control/measure.h"
#include "tests/harness.h"

#define STEP_NS HG_NS_PER_MS
#define SECONDS 20u
#define BURST UINT64_C(131072)

/* A queue that is served at a rate while it has something, in whole packets of up to 64 KiB, and that may
 * save up to a burst while it has nothing. */
struct server {
	uint64_t random;
	uint64_t bytes_per_s, credit_bytes;
	uint64_t queued_bytes;
	bool may_save; /* as a maximum does; a minimum owes nothing for idle time */
	bool is_busy; /* the load: on or off */
	struct hg_dp_flow flow;
};

static void offer(struct server *s, uint64_t load_bytes_per_s)
{
	uint64_t n;

	if (hg_test_between(&s->random, 0, 199) == 0)
		s->is_busy = !s->is_busy;
	n = s->is_busy ? load_bytes_per_s / 1000u : 0;
	n = n * hg_test_between(&s->random, 0, 200) / 100u;
	s->queued_bytes += n;
	s->flow.offered_bytes += n;
	s->flow.link_offered_bytes += n;
}

static void serve(struct server *s)
{
	uint64_t most = s->may_save || s->queued_bytes > 0 ? BURST : 0;

	s->credit_bytes += s->bytes_per_s / 1000u;
	while (s->queued_bytes > 0) {
		uint64_t n = hg_test_between(&s->random, 60, HG_MEASURE_PACKET_BYTES);

		n = n < s->queued_bytes ? n : s->queued_bytes;
		if (s->credit_bytes < n)
			break;
		s->credit_bytes -= n;
		s->queued_bytes -= n;
		s->flow.sent_bytes += n;
		s->flow.link_bytes += n;
	}
	if (s->credit_bytes > most)
		s->credit_bytes = most;
	if (s->queued_bytes > 0)
		s->flow.wait_ns += (uint64_t)STEP_NS;
	s->flow.link_queued_bytes = s->queued_bytes;
}

/* Runs a server for a while under a load; returns how many of its seconds were judged `want`. */
static unsigned count(struct server *s, uint64_t load_bytes_per_s, const struct hg_policy *policy,
		      unsigned want)
{
	unsigned n = 0;

	for (unsigned second = 0; second < SECONDS; second++) {
		/* Seconds are closed a little late, as under load. */
		uint64_t n_steps = hg_test_between(&s->random, 1000, 1200);
		struct hg_dp_flow from = s->flow;
		struct hg_span span;

		for (uint64_t step = 0; step < n_steps; step++) {
			offer(s, load_bytes_per_s);
			serve(s);
		}
		hg_measure_span(&from, &s->flow, (hg_ns)n_steps * STEP_NS, 0, &span);
		n += (hg_measure_judge(policy, &span, (struct hg_room){0}) & want) != 0;
	}
	return n;
}

static uint64_t random_rate(uint64_t *random)
{
	return hg_test_between(random, 5, 500) * UINT64_C(1000000);
}

static unsigned rounds(void)
{
	return hg_test_rounds > 0 ? hg_test_rounds : 100;
}

/* given_ppm: what the server gives of the rate that is promised. */
static unsigned missed_min(uint64_t seed, uint64_t given_ppm, bool may_rest)
{
	struct hg_contract contract;
	struct server s = {.random = seed, .is_busy = true};
	uint64_t rate = random_rate(&s.random);

	hg_contract_init(&contract);
	contract.dir[HG_OUT].min_bytes_per_s = rate;
	contract.dir[HG_OUT].burst_bytes = BURST;
	s.bytes_per_s = rate / 1000u * given_ppm / 1000u;
	/* A standing load never rests: it is always more than the rate, from the start. */
	if (!may_rest)
		s.queued_bytes = s.flow.link_queued_bytes = rate * SECONDS * 4u;
	return count(&s, may_rest ? rate * 2u : 0, &contract.dir[HG_OUT], HG_JUDGED_MISSED_MIN);
}

static unsigned missed_max(uint64_t seed, uint64_t given_ppm)
{
	struct hg_contract contract;
	struct server s = {.random = seed, .may_save = true, .is_busy = true};
	uint64_t rate = random_rate(&s.random);

	hg_contract_init(&contract);
	contract.dir[HG_OUT].max_bytes_per_s = rate;
	contract.dir[HG_OUT].burst_bytes = BURST;
	s.bytes_per_s = rate / 1000u * given_ppm / 1000u;
	s.queued_bytes = rate * SECONDS * 4u;
	return count(&s, rate * 2u, &contract.dir[HG_OUT], HG_JUDGED_MISSED_MAX);
}

static void s1_8_who_keeps_a_minimum_is_never_found_guilty(void)
{
	for (unsigned i = 0; i < rounds(); i++) {
		HG_CHECK_EQ(missed_min(hg_test_seed + i, 1000000, true), 0);
		HG_CHECK_EQ(missed_min(hg_test_seed + i, 1000000, false), 0);
	}
}

static void s1_8_twin_that_gives_a_tenth_less_is_found_out(void)
{
	for (unsigned i = 0; i < rounds(); i++)
		HG_CHECK_EQ(missed_min(hg_test_seed + i, 900000, false), SECONDS);
}

static void s1_8_who_keeps_a_maximum_is_never_found_guilty(void)
{
	for (unsigned i = 0; i < rounds(); i++)
		HG_CHECK_EQ(missed_max(hg_test_seed + i, 1000000), 0);
}

static void s1_8_twin_that_lets_a_tenth_more_through_is_found_out(void)
{
	for (unsigned i = 0; i < rounds(); i++)
		HG_CHECK_EQ(missed_max(hg_test_seed + i, 1100000), SECONDS);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s1_8_who_keeps_a_minimum_is_never_found_guilty),
		HG_TEST(s1_8_twin_that_gives_a_tenth_less_is_found_out),
		HG_TEST(s1_8_who_keeps_a_maximum_is_never_found_guilty),
		HG_TEST(s1_8_twin_that_lets_a_tenth_more_through_is_found_out),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
