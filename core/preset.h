/* preset: the burstable families of the clouds, as they document them.
 *
 * Why        Who knows what a t3.micro is should get one on a host of his own by saying so.
 * Model      A table of names. Rates and balances in thousandths of a credit, so that 81.6 is exact; what is
 *            left out of `cpu:` beside a preset is taken from it.
 * Source     Amazon EC2 user guide, "CPU credits and baseline utilization for burstable performance instances"
 *            (T2, T3, T3a, T4g); Microsoft Azure, "B-series burstable virtual machine sizes" (first version).
 * Rules      T2: launch credits, standard, the balance is lost when the machine stops. T3, T3a, T4g: no launch
 *            credits, unlimited, kept for seven days when stopped. B: initial credits, standard, lost.
 *            Earned credits of a machine that runs do not expire.
 * Units      mcredit: 60,000,000 ns of processor time. Memory: static. Threads: any. Errors: none.
 */
#ifndef HG_CORE_PRESET_H
#define HG_CORE_PRESET_H

#include "core/ledger.h"

#define HG_MCREDIT_CPU_NS (HG_CREDIT_CPU_NS / 1000)

struct hg_preset {
	const char *name; /* "t3.micro", "b1s" */
	uint32_t vcpus;
	uint32_t baseline_ppm; /* of each virtual processor */
	uint32_t earn_mcredits_per_h;
	uint32_t max_mcredits;
	uint32_t launch_mcredits;
	enum hg_credit_mode mode;
	uint32_t keep_stopped_h; /* how long the balance outlives its machine; 0: it does not */
};

#define HG_N_PRESETS 34u
extern const struct hg_preset hg_presets[HG_N_PRESETS];

/* NULL: there is none of that name. */
const struct hg_preset *hg_preset_find(const char *name);

#endif
