#include "sim/waits.h"

#include <assert.h>

enum { SUB_SHIFT = 8, N_COUNTS = HG_WAITS_SUB * (HG_WAITS_OCTAVES + 1u) };

static_assert(HG_WAITS_SUB == 1u << SUB_SHIFT, "indices are made by shifts");

/* Octave 0 is [0, SUB), octave k [SUB << (k - 1), SUB << k), each of SUB steps. */
static uint32_t index_of(uint64_t ns)
{
	unsigned octave, index;

	if (ns < HG_WAITS_SUB)
		return (uint32_t)ns;
	octave = hg_log2_u64(ns) - SUB_SHIFT + 1u;
	index = octave * HG_WAITS_SUB + (uint32_t)(ns >> (octave - 1u)) - HG_WAITS_SUB;
	return index < N_COUNTS ? index : N_COUNTS - 1u;
}

/* The largest duration that is counted there. */
static hg_ns most_of(uint32_t index)
{
	uint32_t octave = index / HG_WAITS_SUB;

	if (octave == 0)
		return index;
	return (hg_ns)((((uint64_t)HG_WAITS_SUB + index % HG_WAITS_SUB + 1u) << (octave - 1u)) -
		       1u);
}

void hg_waits_add(struct hg_waits *waits, hg_ns wait_ns)
{
	if (wait_ns < 0)
		wait_ns = 0;
	waits->n++;
	waits->counts[index_of((uint64_t)wait_ns)]++;
	if (wait_ns > waits->most_ns)
		waits->most_ns = wait_ns;
}

hg_ns hg_waits_quantile(const struct hg_waits *waits, uint32_t ppm)
{
	uint64_t rank = (waits->n * ppm + 999999u) / 1000000u, seen = 0;

	for (uint32_t i = 0; i < N_COUNTS; i++) {
		seen += waits->counts[i];
		if (seen >= rank && seen > 0)
			return most_of(i) < waits->most_ns ? most_of(i) : waits->most_ns;
	}
	return 0;
}
