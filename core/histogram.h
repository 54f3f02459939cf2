/* histogram: log-linear counts of durations, small enough to keep one for each instance.
 *
 * Why        A mean hides the tail, and the tail is what a tenant feels.
 * Model      Bucket widths double each octave, with HG_HISTOGRAM_SUB linear steps inside an octave
 *            (as in HdrHistogram by G. Tene). The first bucket is [0, 1.024 us), so that edges are
 *            found by shifting; the last, from HG_HISTOGRAM_END_NS, is open.
 * Promise    A quantile is never below the true one, and at most 1/HG_HISTOGRAM_SUB above it where
 *            that lies in [1.024 us, 2.147 s).
 * Units      ns in, ns out. Memory: caller's, 4 bytes a bucket. Threads: one writer; a reader in another
 *            thread sees each count whole. Cost: add is a few shifts.
 * Errors     none.
 */
#ifndef HG_CORE_HISTOGRAM_H
#define HG_CORE_HISTOGRAM_H

#include "core/units.h"

#define HG_HISTOGRAM_SUB_SHIFT 2u
#define HG_HISTOGRAM_SUB \
	(1u << HG_HISTOGRAM_SUB_SHIFT) /* steps in an octave: quantiles within 25 % */
#define HG_HISTOGRAM_FIRST_SHIFT 10u
#define HG_HISTOGRAM_FIRST_NS (1 << HG_HISTOGRAM_FIRST_SHIFT)
#define HG_HISTOGRAM_OCTAVES 21u /* to 2.147 s: ours stand for 200 ms, a card's own for seconds */
#define HG_HISTOGRAM_END_NS ((hg_ns)HG_HISTOGRAM_FIRST_NS << HG_HISTOGRAM_OCTAVES)
#define HG_HISTOGRAM_BUCKETS (HG_HISTOGRAM_SUB * HG_HISTOGRAM_OCTAVES + 2u)

struct hg_histogram {
	uint32_t counts[HG_HISTOGRAM_BUCKETS]; /* wrap; subtract two samples to get an interval */
};

/* The bucket of a value, for who counts it in several. A negative one counts as 0. */
static inline unsigned hg_histogram_bucket(hg_ns value_ns)
{
	uint64_t value = value_ns > 0 ? (uint64_t)value_ns : 0;
	unsigned top, octave, step;

	if (value < HG_HISTOGRAM_FIRST_NS)
		return 0;
	top = hg_log2_u64(value);
	octave = top - HG_HISTOGRAM_FIRST_SHIFT;
	if (octave >= HG_HISTOGRAM_OCTAVES)
		return HG_HISTOGRAM_BUCKETS - 1u;
	step = (unsigned)(value >> (top - HG_HISTOGRAM_SUB_SHIFT)) & (HG_HISTOGRAM_SUB - 1u);
	return 1u + octave * HG_HISTOGRAM_SUB + step;
}
static inline void hg_histogram_add(struct hg_histogram *h, hg_ns value_ns, uint32_t n)
{
	uint32_t *count = &h->counts[hg_histogram_bucket(value_ns)];

	__atomic_store_n(count, *count + n, __ATOMIC_RELAXED); /* whole, for the reader */
}
/* A copy, for any thread while another one adds: each count is whole, but they are of different moments. */
static inline void hg_histogram_read(const struct hg_histogram *h, struct hg_histogram *ret_copy)
{
	for (unsigned i = 0; i < HG_HISTOGRAM_BUCKETS; i++)
		ret_copy->counts[i] = __atomic_load_n(&h->counts[i], __ATOMIC_RELAXED);
}
/* b minus a, bucket by bucket: what happened between the two samples. */
void hg_histogram_diff(const struct hg_histogram *a, const struct hg_histogram *b,
		       struct hg_histogram *ret_diff);
uint64_t hg_histogram_count(const struct hg_histogram *h);
/* Upper edge of the bucket in which the quantile lies; 0 if empty, HG_NEVER if it lies in the last,
 * open bucket. ppm in [0, 1,000,000]. */
hg_ns hg_histogram_quantile(const struct hg_histogram *h, uint32_t ppm);

#endif
