/* ledger: rolling credits of one instance, or of a pool that several share.
 *
 * Why        S6: an instance earns while it is quiet and spends when it needs to. What it has must be a
 *            matter of arithmetic that the tenant can check, not of when somebody looked.
 * Model      A balance in units of use: nanoseconds of processor time (one credit is one processor at full
 *            speed for a minute, HG_CREDIT_CPU_NS), or any other countable use. Three pots:
 *              gift      launch credits and grants: spent first, never earned again, outside the maximum,
 *                        without age
 *              earned    fed at a fixed rate, up to max, each part for max_age; oldest spent first
 *              surplus   what was used beyond both; the next earnings repay it
 *            balance = gift + earned - surplus. At most one of earned and surplus is above 0.
 *            Standard mode: who divides (core/share) closes the door in time; what still slips through is
 *            a surplus, so that no error adds up. Unlimited mode: never throttled. In both modes a
 *            surplus above surplus_max is charged: from then on it is owed in money and no longer here.
 *            Between two calls of charge() use is taken to be even. So in each stretch
 *              earned' = min(max, earned + rate * T - used)       (what does not fit is lost)
 *            and the oldest parts are spent while the newest are earned.
 *            Ages are kept in slots of max_age / HG_LEDGER_SLOTS, cut at multiples of that length since
 *            instant 0: a part expires at the first cut at which all of its slot is of max_age or older.
 * Promise    Exact: integers, with the remainder of the rate carried. For the same use the result is the
 *            same in whatever steps charge() is called, to the nanosecond; ten years of random steps end
 *            with a drift of zero.
 *              earned_total + gift_total + received_total = gift + earned - surplus + used_total
 *                                                 - charged_total + expired_total + lost_total + sent_total
 * Not here   What an instance may have now (core/share), clocks and storage (control/credits).
 * Units      use: ns of processor time (_cpu_ns); instants and ages: ns of the caller's ledger clock, which
 *            starts at 0 or later and never goes back.
 * Time       Never reads a clock. Memory: caller's, a plain value of about 700 bytes that can be stored and
 *            read back. Threads: one owner.
 * Cost       charge: O(1), and one step for each cut in between, at most HG_LEDGER_SLOTS + 1.
 * Errors     validate: -EINVAL with the field's path. transfer: -ENOSPC with what there is, or what fits.
 * Source     The documented rules of the clouds' burstable families (docs/credits.md).
 */
#ifndef HG_CORE_LEDGER_H
#define HG_CORE_LEDGER_H

#include "core/error.h"
#include "core/units.h"

#include <stdbool.h>
#include <stdint.h>

#define HG_CREDIT_CPU_NS (60 * HG_NS_PER_S)
#define HG_LEDGER_SLOTS 64u
/* 4,096 processors earned in full. */
#define HG_LEDGER_EARN_MAX_CPU_NS_PER_H (INT64_C(4096) * 3600 * HG_NS_PER_S)
/* Ten million credits. */
#define HG_LEDGER_BALANCE_MAX_CPU_NS (INT64_C(10000000) * HG_CREDIT_CPU_NS)
#define HG_LEDGER_AGE_MIN_NS (60 * HG_NS_PER_S)
#define HG_LEDGER_AGE_MAX_NS (INT64_C(366) * 24 * 3600 * HG_NS_PER_S)

enum hg_credit_mode {
	HG_CREDIT_STANDARD = 0, /* without credits: the baseline */
	HG_CREDIT_UNLIMITED = 1, /* never throttled; surplus is booked, then charged */
};

struct hg_ledger_cfg {
	int64_t earn_cpu_ns_per_h; /* in [0, EARN_MAX]; of all its virtual processors together */
	int64_t max_cpu_ns; /* of the earned pot; in [0, BALANCE_MAX] */
	int64_t launch_cpu_ns; /* given by init(); in [0, BALANCE_MAX] */
	int64_t surplus_max_cpu_ns; /* in [0, BALANCE_MAX] */
	hg_ns max_age_ns; /* in [AGE_MIN, AGE_MAX], or 0: earned credits have no age */
	enum hg_credit_mode mode;
};

/* What it holds, to be set somewhere else (api/saved.h): ages, since no two hosts share a clock; no totals, which are
 * what happened at one place. */
struct hg_ledger_part {
	int64_t cpu_ns; /* >= 0 */
	hg_ns age_ns; /* of the youngest of them; >= 0 */
};
struct hg_ledger_saved {
	int64_t gift_cpu_ns; /* in [0, AMOUNT_MAX] */
	int64_t surplus_cpu_ns; /* in [0, BALANCE_MAX]; 0 if anything is earned */
	int64_t remainder; /* as in the ledger */
	uint32_t n_parts;
	struct hg_ledger_part
		parts[HG_LEDGER_SLOTS + 1u]; /* earned; together at most BALANCE_MAX */
};
#define HG_LEDGER_AMOUNT_MAX_CPU_NS INT64_C(999999999999999999) /* what 18 digits can say */
#define HG_LEDGER_REMAINDER_MAX (INT64_C(3600) * HG_NS_PER_S - 1)

/* Ever, since init; counters modulo 2^64 ns, 584 years of one processor. */
struct hg_ledger_totals {
	uint64_t earned_cpu_ns; /* what was lost included */
	uint64_t gift_cpu_ns;
	uint64_t used_cpu_ns;
	uint64_t lost_cpu_ns; /* earned above the maximum */
	uint64_t expired_cpu_ns;
	uint64_t charged_cpu_ns; /* used beyond surplus_max: to be paid for */
	uint64_t sent_cpu_ns, received_cpu_ns; /* transfers */
};

struct hg_ledger {
	struct hg_ledger_cfg cfg;
	hg_ns at_ns; /* up to when it is booked */
	int64_t gift_cpu_ns; /* >= 0 */
	int64_t earned_cpu_ns; /* >= 0: the sum of slots */
	int64_t surplus_cpu_ns; /* >= 0 */
	int64_t remainder; /* of the rate: earnings below 1 ns, in units of 1 / 3.6e12; in [0, 3.6e12) */
	int64_t newest_slot; /* number since instant 0 of the slot now earned into */
	int64_t slots_cpu_ns[HG_LEDGER_SLOTS + 1u]; /* by number modulo the size */
	struct hg_ledger_totals totals;
};

HG_MUST_CHECK int hg_ledger_validate(const struct hg_ledger_cfg *cfg, struct hg_error *reterr);

/* A ledger with its launch credits and nothing earned. */
void hg_ledger_init(struct hg_ledger *ledger, const struct hg_ledger_cfg *cfg, hg_ns now_ns);

/* Another contract from now on. What was booked stays; earned credits above the new maximum are lost, and
 * surplus above the new limit is charged; launch credits are not given again. First charge() up to now. */
void hg_ledger_apply(struct hg_ledger *ledger, const struct hg_ledger_cfg *cfg, hg_ns now_ns);

/* Books what was used since the last call, and everything that time brings. used_cpu_ns in
 * [0, BALANCE_MAX]; now_ns not before the last call's (an earlier one counts as the same instant). */
void hg_ledger_charge(struct hg_ledger *ledger, int64_t used_cpu_ns, hg_ns now_ns);

/* Lets time pass up to now_ns without earning, spending or ageing: a host that was suspended, where the
 * operator does not want that to earn. */
void hg_ledger_skip(struct hg_ledger *ledger, hg_ns now_ns);

/* Credits as a gift: spent first, outside the maximum. n > 0. */
void hg_ledger_grant(struct hg_ledger *ledger, int64_t n_cpu_ns);

/* Moves n > 0 credits, the oldest first; they keep their ages, gifts stay gifts and go last. All or nothing:
 * -ENOSPC if `from` has fewer, or the earned ones do not fit below the maximum of `to`. Both booked up to
 * the same now. */
HG_MUST_CHECK int hg_ledger_transfer(struct hg_ledger *from, struct hg_ledger *to, int64_t n_cpu_ns,
				     struct hg_error *reterr);

/* What it holds at the instant up to which it is booked, the oldest part first. -ENOSPC: grants have given it more
 * than can be told. */
HG_MUST_CHECK int hg_ledger_save(const struct hg_ledger *ledger, struct hg_ledger_saved *ret,
				 struct hg_error *reterr);
/* -EINVAL with the path of what is out of its range. */
HG_MUST_CHECK int hg_ledger_saved_check(const struct hg_ledger_saved *saved,
					struct hg_error *reterr);
/* What it holds has gone somewhere else: counted as sent, and a surplus as received. */
void hg_ledger_empty(struct hg_ledger *ledger);
/* Takes what passed hg_ledger_saved_check() in place of what it holds: received, and a surplus sent. Each part is kept for
 * as long as it would have been where it was, and for up to one slot more; what is older than anything may be here
 * expires at the next cut. Above the maximum is lost, the newest; a surplus above its limit is charged. Under the same
 * terms, at the same instant, save and restore change nothing. */
void hg_ledger_restore(struct hg_ledger *ledger, const struct hg_ledger_saved *saved);

/* gift + earned - surplus. */
static inline int64_t hg_ledger_balance_cpu_ns(const struct hg_ledger *ledger)
{
	return ledger->gift_cpu_ns + ledger->earned_cpu_ns - ledger->surplus_cpu_ns;
}

/* Forecast: the instant at which the balance becomes 0 (standard) or the surplus reaches its limit
 * (unlimited) if mcpu thousandths of a processor are used from now on, expiry left out; HG_NEVER if it does
 * not. Never later than the truth if use stays below mcpu and nothing expires. */
hg_ns hg_ledger_exhausted_at_ns(const struct hg_ledger *ledger, uint64_t mcpu);

/* Whether what was read back can be a ledger at all: every field in its range, the sums right.
 * -EINVAL names the field. */
HG_MUST_CHECK int hg_ledger_check(const struct hg_ledger *ledger, struct hg_error *reterr);

#endif
