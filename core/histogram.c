#include "core/histogram.h"

#define LAST (HG_HISTOGRAM_BUCKETS - 1u)

/* The first value that lies above the bucket. */
static hg_ns edge_of(unsigned idx)
{
	unsigned octave, step;

	if (idx == 0)
		return HG_HISTOGRAM_FIRST_NS;
	if (idx >= LAST)
		return HG_NEVER;
	octave = (idx - 1u) / HG_HISTOGRAM_SUB;
	step = (idx - 1u) % HG_HISTOGRAM_SUB;
	return (hg_ns)(HG_HISTOGRAM_SUB + step + 1u)
	       << (octave + HG_HISTOGRAM_FIRST_SHIFT - HG_HISTOGRAM_SUB_SHIFT);
}

void hg_histogram_diff(const struct hg_histogram *a, const struct hg_histogram *b,
		       struct hg_histogram *ret_diff)
{
	for (unsigned i = 0; i < HG_HISTOGRAM_BUCKETS; i++)
		ret_diff->counts[i] = b->counts[i] - a->counts[i];
}

uint64_t hg_histogram_count(const struct hg_histogram *h)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < HG_HISTOGRAM_BUCKETS; i++)
		sum += h->counts[i];
	return sum;
}

hg_ns hg_histogram_quantile(const struct hg_histogram *h, uint32_t ppm)
{
	uint64_t count = hg_histogram_count(h);
	/* The rank of the quantile, from 1: so that 1,000,000 ppm is the last value, not the one
	 * behind it. */
	uint64_t rank = (count * ppm + 999999u) / 1000000u;
	uint64_t below = 0;

	if (count == 0)
		return 0;
	if (rank == 0)
		rank = 1;
	for (unsigned i = 0; i < LAST; i++) {
		below += h->counts[i];
		if (below >= rank)
			return edge_of(i);
	}
	return HG_NEVER;
}
