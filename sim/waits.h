/* waits: counts of durations, fine enough to compare two runs by a tail.
 *
 * Why        core/histogram is made for thousands of instances and tells a quantile to 25 %; whether a wait is
 *            1.2 or 1.5 times a limit needs better, and a simulation has the memory.
 * Model      Log-linear, HG_WAITS_SUB linear steps in an octave; below HG_WAITS_SUB ns each ns by itself.
 * Promise    A quantile is never below the true one, and at most 1/HG_WAITS_SUB above it.
 * Units      ns. Memory: caller's, zeroed is empty. Threads: one owner. Cost: a few shifts. Errors: none.
 */
#ifndef HG_SIM_WAITS_H
#define HG_SIM_WAITS_H

#include "core/units.h"

#define HG_WAITS_SUB 256u /* 0.4 % */
#define HG_WAITS_OCTAVES 32u /* up to 550 s; what is longer counts as that */

struct hg_waits {
	uint64_t n;
	hg_ns most_ns;
	uint32_t counts[HG_WAITS_SUB * (HG_WAITS_OCTAVES + 1u)];
};

void hg_waits_add(struct hg_waits *waits, hg_ns wait_ns); /* a negative one counts as 0 */
/* ppm in [0, 1,000,000]; 0 if there is none. */
hg_ns hg_waits_quantile(const struct hg_waits *waits, uint32_t ppm);

#endif
