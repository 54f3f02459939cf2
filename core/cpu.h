/* cpu: what an instance is owed of the host's processors, and on which terms.
 *
 * Why        S6: people say "a t3.micro", or "two virtual processors, 20 % of each for certain"; the ledger and
 *            the division want numbers.
 * Model      struct hg_cpu is what was said, HG_CPU_UNSAID where nothing was. Terms come from it: what was said,
 *            else the preset's, else what follows from the baseline:
 *              earn     what the baseline uses, so that who stays at it neither gains nor loses
 *              max      what 24 hours earn;  launch 0;  surplus_max as max;  no age;  kept for ever when stopped
 * Pools      Instances with pool: yes have one ledger together, their tenant's: it earns what they earn, and has
 *            the sum of their maxima and launch credits where nothing is said.
 * Promise    Baselines that are admitted can all be kept at once: their sum is at most the host's processors
 *            times the oversubscription factor.
 * Units      credits as said: millionths (_ucredits; 60,000 ns of processor time). Rates: mcpu.
 * Memory     Plain values. Threads: immutable once validated. Errors: -EINVAL with the field's path and what is
 *            allowed; admit: -ENOSPC with the sum, what there is and the largest.
 */
#ifndef HG_CORE_CPU_H
#define HG_CORE_CPU_H

#include "core/error.h"
#include "core/ledger.h"
#include "core/units.h"

#include <stdbool.h>

#define HG_CPU_UNSAID UINT64_MAX
#define HG_UCREDIT_CPU_NS (HG_CREDIT_CPU_NS / 1000000)
#define HG_CPU_CREDITS_MAX_UCREDITS (UINT64_C(9999999) * 1000000u)
#define HG_CPU_EARN_MAX_UCREDITS_PER_H (UINT64_C(245760) * 1000000u)
#define HG_CPU_GROUP_BYTES 192
#define HG_CPU_PRESET_BYTES 16
#define HG_CPU_VCPUS_MAX 4096u
#define HG_CPU_BASELINE_MIN_PPM 1000u
#define HG_CPU_GLIDE_MIN_NS (100 * HG_NS_PER_MS)
#define HG_CPU_GLIDE_MAX_NS (3600 * HG_NS_PER_S)
#define HG_CPU_GLIDE_DEFAULT_NS (2 * HG_NS_PER_S)

enum hg_cpu_mode {
	HG_CPU_AUTO = 0 /* the preset's, or standard */,
	HG_CPU_STANDARD,
	HG_CPU_UNLIMITED
};
enum hg_cpu_on_stop { HG_CPU_STOP_BASELINE = 0, HG_CPU_STOP_OPEN };

/* What both an instance and a pool may say of credits. */
struct hg_cpu_credits {
	uint64_t max_ucredits; /* in [0, CREDITS_MAX], or UNSAID; so the next two */
	uint64_t launch_ucredits;
	uint64_t surplus_max_ucredits;
	hg_ns max_age_ns; /* in [LEDGER_AGE_MIN, LEDGER_AGE_MAX], or 0: none */
	uint64_t alarm_below_ucredits; /* 0: none */
	uint8_t mode; /* enum hg_cpu_mode */
};

struct hg_cpu {
	char cgroup[HG_CPU_GROUP_BYTES]; /* empty: the instance is not governed */
	char preset[HG_CPU_PRESET_BYTES]; /* empty: none */
	uint64_t vcpus; /* in [1, VCPUS_MAX], or UNSAID */
	uint64_t baseline_ppm; /* of each virtual processor; in [BASELINE_MIN, 10^6], or UNSAID */
	uint64_t earn_ucredits_per_h; /* in [0, EARN_MAX], or UNSAID */
	struct hg_cpu_credits credits;
	uint64_t
		keep_stopped_ns; /* how long the balance outlives its group; 0: not; UNSAID: see Model */
	hg_ns glide_ns; /* in [GLIDE_MIN, GLIDE_MAX] */
	uint32_t weight; /* in [1, 1000]; of bursts */
	uint8_t on_stop; /* enum hg_cpu_on_stop */
	bool is_pooled;
};

struct hg_cpu_terms {
	struct hg_ledger_cfg ledger;
	uint64_t baseline_mcpu, ceiling_mcpu; /* of all virtual processors together */
	hg_ns keep_stopped_ns; /* HG_NEVER: for ever */
	int64_t alarm_below_cpu_ns;
};

struct hg_desired;

/* One that says nothing: not governed. */
void hg_cpu_init(struct hg_cpu *cpu);
void hg_cpu_credits_init(struct hg_cpu_credits *credits);
static inline bool hg_cpu_is_governed(const struct hg_cpu *cpu)
{
	return cpu->cgroup[0] != '\0';
}

/* -EINVAL: no control group though something else is said, no such preset (with the nearest), neither baseline
 * nor preset, a value out of range. */
HG_MUST_CHECK int hg_cpu_validate(const struct hg_cpu *cpu, struct hg_error *reterr);
HG_MUST_CHECK int hg_cpu_credits_validate(const struct hg_cpu_credits *credits,
					  struct hg_error *reterr);

/* Requires one that is valid and governed. */
void hg_cpu_resolve(const struct hg_cpu *cpu, struct hg_cpu_terms *ret_terms);
/* The ledger of a tenant's pool, from the terms of its n members. */
void hg_cpu_resolve_pool(const struct hg_cpu_credits *pool, const struct hg_cpu_terms *members,
			 uint32_t n, struct hg_cpu_terms *ret_terms);

/* Whether all baselines can be promised on host_mcpu: see Promise. Requires valid ones. */
HG_MUST_CHECK int hg_cpu_admit(const struct hg_desired *desired, uint64_t host_mcpu,
			       struct hg_error *reterr);

#endif
