#include "core/hold.h"

#define PPM 1000000
/* What was served is remembered for this long, then half of it. */
#define LATELY_NS (16 * HG_NS_PER_S)
/* A kernel that serves more than this of a limit does not keep it. */
#define SERVED_MAX_PPM 1250000
/* Who catches up has a twentieth more than its baseline at least. */
#define STEP_PART 20

static int64_t clamp(int64_t value, int64_t lo, int64_t hi)
{
	return value < lo ? lo : value > hi ? hi : value;
}

/* ---- what is served ----------------------------------------------------------------------------- */

void hg_hold_look(struct hg_hold *hold, int64_t used_cpu_ns, hg_ns for_ns)
{
	if (!hold->is_known || hold->limit_mcpu == HG_SHARE_OPEN)
		return;
	hold->used_cpu_ns += used_cpu_ns;
	hold->allowed_cpu_ns += (int64_t)hold->limit_mcpu * (for_ns / HG_MCPU_PER_CPU);
	hold->for_ns += for_ns;
	if (hold->for_ns >= LATELY_NS) {
		hold->used_cpu_ns /= 2;
		hold->allowed_cpu_ns /= 2;
		hold->for_ns /= 2;
	}
}

static int64_t served_ppm(const struct hg_hold *hold)
{
	/* Of less than this single ticks are seen. */
	if (hold->for_ns < LATELY_NS / 4 || hold->allowed_cpu_ns < PPM)
		return PPM;
	return clamp(hold->used_cpu_ns / (hold->allowed_cpu_ns / PPM), PPM, SERVED_MAX_PPM);
}

/* ---- what is written ---------------------------------------------------------------------------- */

static int64_t as_mcpu(const struct hg_share_ask *ask, int64_t cpu_ns)
{
	return cpu_ns / (ask->glide_ns / (hg_ns)HG_MCPU_PER_CPU);
}

bool hg_hold_has_slack(const struct hg_hold *hold, uint64_t used_mcpu)
{
	return used_mcpu * 2u < hold->limit_mcpu;
}

/* The target if it differs from what is written by more than slack_mcpu and the dead band. */
static uint64_t if_other(const struct hg_hold *hold, uint64_t target_mcpu, uint64_t used_mcpu,
			 uint64_t slack_mcpu)
{
	uint64_t was = hold->limit_mcpu;
	bool is_rising = target_mcpu > was;
	uint64_t diff = is_rising ? target_mcpu - was : was - target_mcpu;
	uint64_t band_ppm = is_rising && hg_hold_has_slack(hold, used_mcpu) ? HG_HOLD_TRAIL_PPM
									    : HG_HOLD_DEADBAND_PPM;

	return diff > slack_mcpu && diff * PPM > was * band_ppm ? target_mcpu : HG_HOLD_KEEP;
}

static uint64_t target_mcpu(const struct hg_hold *hold, const struct hg_share_ask *ask,
			    int64_t handed_cpu_ns)
{
	int64_t base = (int64_t)ask->baseline_mcpu;
	int64_t floor = (int64_t)hg_share_floor_mcpu(ask) * PPM / served_ppm(hold);
	int64_t left = ask->balance_cpu_ns - handed_cpu_ns, target;

	/* Who repays does so at once: in proportion it would rest where the kernel serves too much. */
	if (left < 0)
		return ask->earns_less ? (uint64_t)base : (uint64_t)(floor < 1 ? 1 : floor);
	/* So does who catches up, where it serves too little. */
	target = base + as_mcpu(ask, left);
	if (left > handed_cpu_ns && target < base + base / STEP_PART)
		target = base + base / STEP_PART;
	return (uint64_t)clamp(target, base, (int64_t)ask->ceiling_mcpu);
}

uint64_t hg_hold_next(const struct hg_hold *hold, const struct hg_share_ask *ask,
		      const struct hg_share_grant *grant, uint64_t used_mcpu, int64_t handed_cpu_ns)
{
	uint64_t was = hold->limit_mcpu, base = ask->baseline_mcpu, target = grant->mcpu;
	int64_t balance = ask->balance_cpu_ns;
	bool is_near = balance >= -2 * handed_cpu_ns && balance <= 2 * handed_cpu_ns;

	if (grant->limit == HG_SHARE_BY_CREDITS)
		target = target_mcpu(hold, ask, handed_cpu_ns);
	if (!hold->is_known || (was == HG_SHARE_OPEN) != (target == HG_SHARE_OPEN))
		return grant->limit == HG_SHARE_BY_CREDITS && is_near && target < base ? base
										       : target;
	if (was == HG_SHARE_OPEN)
		return HG_HOLD_KEEP;
	if (grant->limit != HG_SHARE_BY_CREDITS)
		return if_other(hold, target, used_mcpu, 0);
	if (is_near && was == base)
		return HG_HOLD_KEEP;
	if (is_near && ((was > base && target <= base) || (was < base && target >= base)))
		return base;
	if (is_near && was > base && was <= base + base / STEP_PART) /* on its way */
		return HG_HOLD_KEEP;
	return if_other(hold, target, used_mcpu,
			was == base ? 0 : (uint64_t)as_mcpu(ask, 2 * handed_cpu_ns));
}

void hg_hold_written(struct hg_hold *hold, uint64_t limit_mcpu)
{
	hold->limit_mcpu = limit_mcpu;
	hold->is_known = true;
}

hg_ns hg_hold_baseline_at_ns(const struct hg_hold *hold, const struct hg_share_ask *ask,
			     int64_t handed_cpu_ns, hg_ns now_ns)
{
	int64_t left = ask->balance_cpu_ns - handed_cpu_ns;
	int64_t above;

	if (!hold->is_known || hold->limit_mcpu == HG_SHARE_OPEN)
		return HG_NEVER;
	above = (int64_t)hold->limit_mcpu - (int64_t)ask->baseline_mcpu;
	if (above == 0 || (left > 0) != (above > 0))
		return HG_NEVER;
	return now_ns + left / above * (int64_t)HG_MCPU_PER_CPU;
}
