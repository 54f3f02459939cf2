/* share: how much processor time each instance may have now.
 *
 * Why        S6.2, S6.3, S6.6: while credits last the door is open, so that a burst never waits for a loop;
 *            at the end it closes softly, to the baseline, which is kept whatever the neighbours do.
 * Model      For each instance, in thousandths of a processor (mcpu):
 *              ceiling   its virtual processors
 *              own       ceiling                                        while it has plenty
 *                        baseline + balance / glide                     near the end (balance < 0: below
 *                                                                       the baseline, by FLOOR at most, until
 *                                                                       what slipped through is repaid; at it where the
 *                                                                       baseline alone uses more than is earned)
 *            Plenty is a balance that lasts for more than `glide` at full speed: so the second line meets the
 *            first without a step, and what is left decays as e^(-t/glide) instead of falling off a cliff.
 *            In unlimited mode own is the ceiling.
 *            If what all of them ask for together (min(own, demand), or own where demand is not known) fits
 *            the host, everybody may have his own, and whoever has plenty is OPEN: no limit is written.
 *            Else baselines come first (what is not asked for of them is lent), and the rest is divided by
 *            weight among those who ask for more (water filling, max-min fair). With the level so found
 *              granted = min(own, min(baseline, own) + weight * level)
 *            so who asks for little now may ask for as much as the others got, at once.
 * Promise    sum of min(granted, asked for) <= host; granted >= min(baseline, own) always; nothing but what
 *            rounding leaves (1 mcpu for each) is left over while anyone may have it and asks for it. What is
 *            not served is not used, so it costs no credit.
 * Weight     What the host's processor scheduler is told, so that a baseline holds between two looks too:
 *            in proportion to the baselines (hg_share_scheduler_weight).
 * Units      mcpu; balances in ns of processor time. Time: none; balances are of now.
 * Memory     caller's arrays; no allocation. Threads: any. Cost: O(n), and where the host is asked for too much
 *            O(n) for each round of filling: as many as there are different needs, usually two or three.
 * Errors     none; ranges are admission's.
 */
#ifndef HG_CORE_SHARE_H
#define HG_CORE_SHARE_H

#include "core/units.h"

#include <stdbool.h>
#include <stdint.h>

#define HG_MCPU_PER_CPU 1000u
/* No limit is written. */
#define HG_SHARE_OPEN UINT64_MAX
/* How far below the baseline who overdrew may be held until it is repaid. */
#define HG_SHARE_FLOOR_PPM 950000u
#define HG_SHARE_DEMAND_UNKNOWN UINT64_MAX

struct hg_share_ask {
	uint64_t baseline_mcpu; /* <= ceiling */
	uint64_t ceiling_mcpu; /* virtual processors * 1000 */
	uint64_t
		demand_mcpu; /* what it used lately, and more where it was held; or DEMAND_UNKNOWN */
	int64_t balance_cpu_ns; /* hg_ledger_balance_cpu_ns(); of a pool: its part of it */
	hg_ns glide_ns; /* > 0 */
	uint32_t weight; /* in [1, 1000] */
	bool is_unlimited;
	bool earns_less; /* than its baseline uses: what it owes then is no overdraft, and is not repaid */
};

enum hg_share_limit { /* what decided */
		      HG_SHARE_BY_NOTHING = 0, /* open */
		      HG_SHARE_BY_CREDITS, /* gliding, or at the baseline */
		      HG_SHARE_BY_HOST, /* others burst as well */
};

struct hg_share_grant {
	uint64_t mcpu; /* or HG_SHARE_OPEN */
	enum hg_share_limit limit;
};

/* Fills grants[0..n). host_mcpu: what instances may have together. scratch: n words of the caller's. */
void hg_share_divide(const struct hg_share_ask *asks, uint32_t n, uint64_t host_mcpu,
		     uint32_t *scratch, struct hg_share_grant *ret_grants);

/* What one may have by its own balance alone: the model's `own`. */
uint64_t hg_share_own_mcpu(const struct hg_share_ask *ask);

/* The least that it may have however much it owes. */
uint64_t hg_share_floor_mcpu(const struct hg_share_ask *ask);

/* The instant by which its balance may have fallen so far that `own` is no longer open, at full speed: when
 * to look again; earn_cpu_ns_per_h as in its ledger. */
hg_ns hg_share_look_at_ns(const struct hg_share_ask *ask, int64_t earn_cpu_ns_per_h, hg_ns now_ns);

/* For cpu.weight (control groups 2: [1, 10,000], 100 is usual) and cpu.shares (1: [2, 262,144], 1,024 is
 * usual): in proportion to the baseline, one processor being the usual. */
uint32_t hg_share_scheduler_weight(uint64_t baseline_mcpu);
uint32_t hg_share_scheduler_shares(uint64_t baseline_mcpu);

#endif
