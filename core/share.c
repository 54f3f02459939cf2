#include "core/share.h"

#define LEVEL_SHIFT 16u
#define HOUR_NS (INT64_C(3600) * HG_NS_PER_S)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- one by itself ------------------------------------------------------------------------------ */

/* From here on credits last for longer than `glide` at full speed. */
static int64_t plenty_cpu_ns(const struct hg_share_ask *ask)
{
	return (int64_t)(ask->ceiling_mcpu - ask->baseline_mcpu) *
	       (ask->glide_ns / (hg_ns)HG_MCPU_PER_CPU);
}

static bool has_plenty(const struct hg_share_ask *ask)
{
	return ask->is_unlimited || ask->balance_cpu_ns >= plenty_cpu_ns(ask);
}

uint64_t hg_share_floor_mcpu(const struct hg_share_ask *ask)
{
	uint64_t floor = ask->baseline_mcpu * HG_SHARE_FLOOR_PPM / 1000000u;

	if (ask->earns_less)
		return ask->baseline_mcpu;
	return floor < 1 ? 1 : floor;
}

uint64_t hg_share_own_mcpu(const struct hg_share_ask *ask)
{
	int64_t own, floor;

	if (has_plenty(ask))
		return ask->ceiling_mcpu;
	own = (int64_t)ask->baseline_mcpu +
	      ask->balance_cpu_ns / (ask->glide_ns / (hg_ns)HG_MCPU_PER_CPU);
	floor = (int64_t)hg_share_floor_mcpu(ask);
	return (uint64_t)(own < floor ? floor : own);
}

hg_ns hg_share_look_at_ns(const struct hg_share_ask *ask, int64_t earn_cpu_ns_per_h, hg_ns now_ns)
{
	int64_t drain_mcpu = (int64_t)ask->ceiling_mcpu - earn_cpu_ns_per_h / (HOUR_NS / 1000);
	int64_t left = ask->balance_cpu_ns - plenty_cpu_ns(ask);

	if (ask->is_unlimited || drain_mcpu <= 0)
		return HG_NEVER;
	return left <= 0 ? now_ns : now_ns + left / drain_mcpu * (int64_t)HG_MCPU_PER_CPU;
}

/* ---- all together ------------------------------------------------------------------------------- */

static uint64_t asked_mcpu(const struct hg_share_ask *ask)
{
	return least(hg_share_own_mcpu(ask), ask->demand_mcpu);
}

/* What of its baseline is asked for. */
static uint64_t base_mcpu(const struct hg_share_ask *ask)
{
	return least(ask->baseline_mcpu, asked_mcpu(ask));
}

static uint64_t grant_own(const struct hg_share_ask *ask, struct hg_share_grant *ret)
{
	bool is_open = has_plenty(ask);

	ret->mcpu = is_open ? HG_SHARE_OPEN : hg_share_own_mcpu(ask);
	ret->limit = is_open ? HG_SHARE_BY_NOTHING : HG_SHARE_BY_CREDITS;
	return asked_mcpu(ask);
}

/* What one unit of weight gets of the rest, in mcpu << LEVEL_SHIFT: who needs less than that leaves what is
 * over to the others, round by round. */
static uint64_t fill(const struct hg_share_ask *asks, uint32_t n, uint64_t rest_mcpu,
		     uint32_t *left)
{
	uint64_t weights = 0, level = 0;
	uint32_t n_left = 0, n_before;

	for (uint32_t i = 0; i < n; i++) {
		if (asked_mcpu(&asks[i]) > base_mcpu(&asks[i])) {
			left[n_left++] = i;
			weights += asks[i].weight;
		}
	}
	do {
		n_before = n_left;
		n_left = 0;
		level = weights == 0 ? level : (rest_mcpu << LEVEL_SHIFT) / weights;
		for (uint32_t k = 0; k < n_before; k++) {
			const struct hg_share_ask *ask = &asks[left[k]];
			uint64_t more = asked_mcpu(ask) - base_mcpu(ask);

			if (more <= (ask->weight * level) >> LEVEL_SHIFT) {
				rest_mcpu -= more;
				weights -= ask->weight;
			} else {
				left[n_left++] = left[k];
			}
		}
	} while (n_left < n_before && n_left > 0);
	return level;
}

void hg_share_divide(const struct hg_share_ask *asks, uint32_t n, uint64_t host_mcpu,
		     uint32_t *scratch, struct hg_share_grant *ret_grants)
{
	uint64_t sum = 0, base = 0, level;

	for (uint32_t i = 0; i < n; i++) {
		sum += grant_own(&asks[i], &ret_grants[i]);
		base += base_mcpu(&asks[i]);
	}
	if (sum <= host_mcpu)
		return;
	level = fill(asks, n, host_mcpu > base ? host_mcpu - base : 0, scratch);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t own = hg_share_own_mcpu(&asks[i]);
		uint64_t mcpu = least(asks[i].baseline_mcpu, own) +
				((asks[i].weight * level) >> LEVEL_SHIFT);

		if (mcpu < own) {
			ret_grants[i].mcpu = mcpu;
			ret_grants[i].limit = HG_SHARE_BY_HOST;
		}
	}
}

/* ---- what the host's scheduler is told ---------------------------------------------------------- */

static uint32_t scaled(uint64_t baseline_mcpu, uint32_t usual, uint32_t lo, uint32_t hi)
{
	uint64_t value = baseline_mcpu * usual / HG_MCPU_PER_CPU;

	return value < lo ? lo : value > hi ? hi : (uint32_t)value;
}

uint32_t hg_share_scheduler_weight(uint64_t baseline_mcpu)
{
	return scaled(baseline_mcpu, 100, 1, 10000);
}

uint32_t hg_share_scheduler_shares(uint64_t baseline_mcpu)
{
	return scaled(baseline_mcpu, 1024, 2, 262144);
}
