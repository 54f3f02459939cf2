/* meter: what one decision of a token bucket costs, against DPDK's rte_meter.
 * Usage: bench_meter [EAL arguments]
 *
 * Model      One bucket that is asked again and again for a packet, at instants that are an argument: both calls are
 *            inline, and each decision depends on the one before. `passes`: the rate is never reached. `refuses`: every
 *            second packet is too much, by instants that nobody can guess. Ours is hg_bucket_take(), theirs
 *            rte_meter_srtcm_color_blind_check() without an excess burst, of the same rate and burst. A request
 *            (bench/told.h) is "bucket" or "srtcm" and "passes" or "refuses"; the other part of the loop is the same
 *            for both, and small.
 */
#include "bench/clock.h"
#include "bench/figures.h"
#include "bench/told.h"
#include "core/bucket.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_meter.h>

#include <stdlib.h>
#include <string.h>

#define N_DECISIONS (1u << 22)
#define N_STEPS (1u << 15)
#define PKT_BYTES 1000u
#define BURST_BYTES 20000u
/* On average between two packets. */
#define STEP_NS 1000u

enum side { OURS, THEIRS, N_SIDES };
enum load { PASSES, REFUSES, N_LOADS };

static const char *const side_names[N_SIDES] = {"bucket", "srtcm"};
static const char *const load_names[N_LOADS] = {"passes", "refuses"};
/* From instant to instant, on the clock of each side; the same times. */
static uint64_t steps[N_SIDES][N_STEPS];

_Noreturn static void die(const char *why)
{
	fprintf(stderr, "meter: %s\n", why);
	exit(1);
}

static void make_steps(void)
{
	uint32_t random = 2463534242u;

	for (unsigned i = 0; i < N_STEPS; i++) {
		uint64_t step_ns;

		random ^= random << 13;
		random ^= random >> 17;
		random ^= random << 5;
		step_ns = ((uint64_t)random * 2u * STEP_NS) >> 32;
		steps[OURS][i] = step_ns;
		steps[THEIRS][i] = step_ns * rte_get_tsc_hz() / HG_NS_PER_S;
	}
}

static uint64_t rate_bytes_per_s(enum load load)
{
	uint64_t offered = (uint64_t)PKT_BYTES * HG_NS_PER_S / STEP_NS;

	return load == REFUSES ? offered / 2u : offered * 4u;
}

/* How many passed. */
static uint32_t ask_ours(enum load load)
{
	struct hg_bucket bucket;
	hg_ns at_ns = HG_NS_PER_S;
	uint32_t n_passed = 0;

	hg_bucket_init(&bucket, rate_bytes_per_s(load), BURST_BYTES, BURST_BYTES, HG_NEVER, at_ns);
	for (uint32_t i = 0; i < N_DECISIONS; i++) {
		at_ns += (hg_ns)steps[OURS][i % N_STEPS];
		n_passed += hg_bucket_take(&bucket, PKT_BYTES, at_ns);
	}
	return n_passed;
}

static uint32_t ask_theirs(enum load load)
{
	struct rte_meter_srtcm_params params = {
		.cir = rate_bytes_per_s(load), .cbs = BURST_BYTES, .ebs = 0};
	struct rte_meter_srtcm_profile profile;
	struct rte_meter_srtcm meter;
	uint32_t n_passed = 0;
	uint64_t at_tsc;

	if (rte_meter_srtcm_profile_config(&profile, &params) != 0 ||
	    rte_meter_srtcm_config(&meter, &profile) != 0)
		die("rte_meter refused");
	at_tsc = meter.time;
	for (uint32_t i = 0; i < N_DECISIONS; i++) {
		at_tsc += steps[THEIRS][i % N_STEPS];
		n_passed += rte_meter_srtcm_color_blind_check(&meter, &profile, at_tsc,
							      PKT_BYTES) == RTE_COLOR_GREEN;
	}
	return n_passed;
}

/* ns a decision; what passed must be what the rate says. */
static double time_one(enum side side, enum load load)
{
	hg_ns began_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID), took_ns;
	uint32_t n_passed = side == OURS ? ask_ours(load) : ask_theirs(load);
	uint32_t expected = load == PASSES ? N_DECISIONS : N_DECISIONS / 2u;

	took_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns;
	if (n_passed < expected - expected / 20u || n_passed > expected + expected / 20u)
		die("a bucket does not keep its rate");
	return (double)took_ns / N_DECISIONS;
}

static unsigned index_of(const char *word, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(word, names[i]) == 0)
			return i;
	die("not understood: bucket|srtcm passes|refuses");
}

int main(int argc, char **argv)
{
	int n_eal = rte_eal_init(argc, argv);
	struct hg_told told;

	if (n_eal < 0 || argc - n_eal != 1)
		die("usage: bench_meter [EAL arguments]");
	make_steps();
	while (hg_told(&told)) {
		unsigned side = index_of(told.words[0], side_names, N_SIDES);
		unsigned load = index_of(told.words[1], load_names, N_LOADS);

		hg_figure("ns", time_one((enum side)side, (enum load)load));
	}
	rte_eal_cleanup();
	return 0;
}
