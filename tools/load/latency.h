/* latency: counts of durations over the whole range that a queue can make, from 1 ns to 18 minutes.
 *
 * Why        core/histogram is kept for each instance, so it is small and ends at 131 ms; a plain queue
 *            in front of a flood is worse than that, and the comparison must not be cut off.
 * Model      32 linear steps in each octave: quantiles at most 3.2 % above the true value.
 * Units      ns. Memory: caller's. Threads: one owner. Errors: none.
 */
#ifndef HG_TOOLS_LOAD_LATENCY_H
#define HG_TOOLS_LOAD_LATENCY_H

#include <stdint.h>

#define HG_LATENCY_SUB 32u
#define HG_LATENCY_OCTAVES 36u

struct hg_latency {
	uint64_t counts[HG_LATENCY_SUB * HG_LATENCY_OCTAVES];
	uint64_t count;
	uint64_t max_ns;
};

void hg_latency_init(struct hg_latency *l);
void hg_latency_add(struct hg_latency *l, uint64_t value_ns);
void hg_latency_merge(struct hg_latency *into, const struct hg_latency *from);
/* Upper edge of the step that holds the quantile, never above max_ns; 0 if empty. */
uint64_t hg_latency_quantile(const struct hg_latency *l, uint32_t ppm);

#endif
