/* hold: which limit an instance is held at, and when another one is worth a write.
 *
 * Why        S6.3, S6.5: core/share says what may be had. What is had is what the kernel serves, and a write has a
 *            price of its own: Linux fills the group's quota up anew and forgives what it ran over by, so each
 *            write hands out about one quota more (2.3 ms at 37 mcpu, 3.5 ms at 400, measured). Whoever writes at
 *            each look serves some percent more than it says.
 * Model      Where credits decide, with b the balance and `handed` what a write hands out:
 *              target = baseline + (b - handed) / glide
 *            so a group that comes down is set to its baseline when b is `handed`, and rests at 0. There it is left
 *            alone while b is within 2 * handed of 0: a quota that is not written again is exact in the long run.
 *            Beyond that it catches up by the same rule, with 5 % more at least, or repays, until b is `handed` again.
 *            Who repays gets HG_SHARE_FLOOR_PPM of its baseline: of use, not of limit. So this is divided by what the
 *            kernel served of the limits in the last quarter of a minute, where that was too much.
 *            Otherwise a limit is written when it differs by DEADBAND_PPM; one that rises over the head of who does
 *            not use half of it is in nobody's way, and may trail by TRAIL_PPM.
 * Promise    Use meets what is owed in the long run, whatever the kernel serves of a limit, from 0.8 to 1.25 times: the
 *            balance of who asks for everything stays within some `handed` of 0.
 * Units      mcpu (thousandths of a processor), ns of processor time.
 * Time       Never reads a clock. Memory: plain values. Threads: one owner. Cost: some ns. Errors: none.
 * Used by    control/credits.
 */
#ifndef HG_CORE_HOLD_H
#define HG_CORE_HOLD_H

#include "core/share.h"

#define HG_HOLD_DEADBAND_PPM 20000u
#define HG_HOLD_TRAIL_PPM 250000u
/* No write is due. */
#define HG_HOLD_KEEP UINT64_C(0)

struct hg_hold {
	uint64_t limit_mcpu; /* as written; HG_SHARE_OPEN: none */
	bool is_known; /* false: nothing was written, or somebody else writes, too */
	/* Lately, while it had a limit. */
	int64_t used_cpu_ns, allowed_cpu_ns;
	hg_ns for_ns;
};

/* What it used since the last look, for_ns ago. */
void hg_hold_look(struct hg_hold *hold, int64_t used_cpu_ns, hg_ns for_ns);

/* The limit to be written now, HG_SHARE_OPEN, or HG_HOLD_KEEP. used_mcpu: since the last look. handed_cpu_ns: what a
 * write hands out, >= 0. */
uint64_t hg_hold_next(const struct hg_hold *hold, const struct hg_share_ask *ask,
		      const struct hg_share_grant *grant, uint64_t used_mcpu,
		      int64_t handed_cpu_ns);

/* That limit is in force. */
void hg_hold_written(struct hg_hold *hold, uint64_t limit_mcpu);

/* When who is above or below its baseline will be due at it if it uses all of its limit; HG_NEVER: it is not on the way
 * there. */
hg_ns hg_hold_baseline_at_ns(const struct hg_hold *hold, const struct hg_share_ask *ask,
			     int64_t handed_cpu_ns, hg_ns now_ns);

/* Whether it does not use half of its limit. */
bool hg_hold_has_slack(const struct hg_hold *hold, uint64_t used_mcpu);

#endif
