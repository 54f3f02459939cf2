/* bucket: a token bucket told as one instant.
 *
 * Why        S1.2 to S1.7: deposits at a rate, withdrawals of wire bytes, a burst that is never
 *            exceeded, a reserve for whoever wakes. Reloading lazily costs nothing for who is idle.
 * Model      zero_at is the instant at which the bucket holds (or held) no token. So
 *              tokens(now) = min(burst, (now - zero_at) * rate)      (negative while now < zero_at)
 *            and a take of n units moves zero_at forward by n / rate. Time per unit is a 32-bit
 *            mantissa and a shift; the fraction of a nanosecond is carried, so no rate drifts.
 *            (The generic cell rate algorithm, ITU-T I.371, in its virtual scheduling form.)
 * Promise    over any window T: taken <= rate * T + burst + one packet.
 *            take(n) succeeds iff time has earned n, or the bucket is full; a full bucket passes any
 *            packet, however large, and goes negative.
 *            After idle_after without a take the tokens are at most `reserve`, until the next take; or
 *            what that take needs, if time has earned it. Who waits for tokens is not idle, however
 *            long, and loses nothing. (A debt is not forgiven by a pause either: the maximum binds
 *            over every window.)
 *            next_at never lies: take(n) fails before it and succeeds from it on, if nothing else is
 *            taken.
 * Precision  |rate error| <= 10^-9 of the rate up to 8 GB/s, 3 * 10^-8 at 125 GB/s; no drift.
 * Not here   Whose turn it is (core/sched).
 * Units      bytes or packets (the caller's choice), ns.
 * Time       Never reads a clock. now_ns must not go backwards between calls on one bucket.
 * Memory     Caller owns it, 56 bytes. Threads: one owner. Cost: take and next_at without division.
 * Errors     none: values are validated by core/contract.
 * Used by    core/sched (maxima, root), vswitch (limits on broadcast).
 */
#ifndef HG_CORE_BUCKET_H
#define HG_CORE_BUCKET_H

#include "core/units.h"

#include <stdbool.h>

/* Time per unit: units * mantissa >> shift is ns. The shift is the largest up to 32 that keeps the
 * mantissa in 32 bits, so 2^20 units stay below 2^52 before the shift. */
struct hg_pace {
	uint32_t mantissa; /* 0: no limit, every cost is 0 */
	uint32_t shift; /* in [0, 32] */
};

struct hg_bucket {
	hg_ns zero_at_ns;
	hg_ns taken_at_ns; /* of the last take: idleness is measured from it */
	hg_ns burst_ns; /* the burst, as the time it takes to reload */
	hg_ns reserve_ns; /* the idle reserve, likewise; <= burst_ns */
	hg_ns idle_after_ns; /* HG_NEVER: never idle */
	struct hg_pace pace;
	uint32_t fraction; /* of a ns, in units of 2^-shift: what is not yet in zero_at */
	uint32_t burst; /* in units; for hg_bucket_tokens */
};

/* per_s in [1, 2^37]; 0 means no limit. */
void hg_pace_set(struct hg_pace *pace, uint64_t per_s);

/* An idle bucket that holds its reserve. per_s 0: a bucket that always passes. burst in [0, 2^30],
 * reserve in [0, burst]; what is larger counts as the largest. */
void hg_bucket_init(struct hg_bucket *b, uint64_t per_s, uint64_t burst, uint64_t reserve,
		    hg_ns idle_after_ns, hg_ns now_ns);

/* Another contract for the same bucket: tokens are kept, in units, but never more than the new burst.
 * Where there was no limit, there was nothing to keep: the new bucket is full. */
void hg_bucket_set(struct hg_bucket *b, uint64_t per_s, uint64_t burst, uint64_t reserve,
		   hg_ns idle_after_ns, hg_ns now_ns);

/* Takes n units if it may, and returns whether it did. On false nothing changed; ask next_at. */
static inline bool hg_bucket_take(struct hg_bucket *b, uint32_t n, hg_ns now_ns);

/* Takes n units whatever there is: for who decided already, or serves more than one limit at once. */
static inline void hg_bucket_charge(struct hg_bucket *b, uint32_t n, hg_ns now_ns);

/* Gives n units back that were taken but not used. */
static inline void hg_bucket_refund(struct hg_bucket *b, uint32_t n);

/* The instant from which take(n) succeeds; may lie in the past. */
static inline hg_ns hg_bucket_next_at(const struct hg_bucket *b, uint32_t n, hg_ns now_ns);

/* Tokens now, in units, negative if overdrawn. Divides; for people and for tests. INT64_MAX: no
 * limit. */
int64_t hg_bucket_tokens(const struct hg_bucket *b, hg_ns now_ns);

/* A bucket without a clock, to be carried to another one, on another host: see core/sched_saved.h. */
#define HG_BUCKET_TOKENS_MAX (INT64_C(1) << 30) /* either way; no burst is larger */
struct hg_bucket_saved {
	int64_t tokens; /* whole ones, rounded down; negative: a debt */
	uint32_t part; /* of one more, in 2^-32 */
	hg_ns full_for_ns; /* how long it could not take in more; 0: it is not full */
	hg_ns taken_ago_ns; /* since the last take */
};

/* Of a bucket with a limit. Exact: what restore makes of it at the same pace decides the same, ever after. */
void hg_bucket_save(const struct hg_bucket *b, hg_ns now_ns, struct hg_bucket_saved *ret_saved);

/* Of a bucket that was just set. Tokens are kept in units, never more than the burst, and a debt stays one.
 * tokens in [-HG_BUCKET_TOKENS_MAX, HG_BUCKET_TOKENS_MAX]; times in [0, 10^18). */
void hg_bucket_restore(struct hg_bucket *b, const struct hg_bucket_saved *saved, hg_ns now_ns);

static inline bool hg_bucket_is_idle(const struct hg_bucket *b, hg_ns now_ns)
{
	return b->idle_after_ns != HG_NEVER && now_ns - b->taken_at_ns >= b->idle_after_ns;
}

static inline hg_ns hg_pace_cost_ns(struct hg_pace pace, uint32_t n)
{
	return (hg_ns)(((uint64_t)n * pace.mantissa) >> pace.shift);
}

/* zero_at as tokens are told: not before the burst's limit, and the reserve's after idleness. */
static inline hg_ns hg_bucket_floor_ns(const struct hg_bucket *b, hg_ns now_ns)
{
	hg_ns held_ns = hg_bucket_is_idle(b, now_ns) ? b->reserve_ns : b->burst_ns;
	hg_ns floor_ns = now_ns - held_ns;

	return b->zero_at_ns > floor_ns ? b->zero_at_ns : floor_ns;
}

/* How long the tokens that n units wait for take to reload: n, or a full bucket. */
static inline hg_ns hg_bucket_need_ns(const struct hg_bucket *b, uint32_t n)
{
	hg_ns cost_ns = hg_pace_cost_ns(b->pace, n);

	return cost_ns < b->burst_ns ? cost_ns : b->burst_ns;
}

static inline hg_ns hg_bucket_next_at(const struct hg_bucket *b, uint32_t n, hg_ns now_ns)
{
	hg_ns full_at_ns = now_ns - b->burst_ns;

	return (b->zero_at_ns > full_at_ns ? b->zero_at_ns : full_at_ns) + hg_bucket_need_ns(b, n);
}

/* The instant before which zero_at does not stay when n units are taken: the burst's limit, or the reserve's. For n
 * that it may not take, it is past that already. */
static inline hg_ns hg_bucket_least_zero_at_ns(const struct hg_bucket *b, uint32_t n, hg_ns now_ns)
{
	hg_ns held_ns = b->burst_ns;

	if (HG_UNLIKELY(hg_bucket_is_idle(b, now_ns))) {
		hg_ns need_ns = hg_bucket_need_ns(b, n);

		/* Idle is who could have taken n for that long and did not. */
		if (now_ns - (b->zero_at_ns + need_ns) >= b->idle_after_ns)
			held_ns = need_ns > b->reserve_ns ? need_ns : b->reserve_ns;
	}
	return now_ns - held_ns;
}

/* Takes n units where the mask is all ones, none where it is 0. */
static inline void hg_bucket_charge_masked(struct hg_bucket *b, uint32_t n, uint64_t mask,
					   hg_ns now_ns)
{
	uint64_t cost = ((uint64_t)n * b->pace.mantissa & mask) + b->fraction;
	hg_ns least_ns = hg_bucket_least_zero_at_ns(b, n, now_ns);

	if (b->zero_at_ns < least_ns)
		b->zero_at_ns = least_ns;
	b->zero_at_ns += (hg_ns)(cost >> b->pace.shift);
	b->fraction = (uint32_t)(cost & ((UINT64_C(1) << b->pace.shift) - 1u));
	b->taken_at_ns += (hg_ns)((uint64_t)(now_ns - b->taken_at_ns) & mask);
}

static inline void hg_bucket_charge(struct hg_bucket *b, uint32_t n, hg_ns now_ns)
{
	hg_bucket_charge_masked(b, n, UINT64_MAX, now_ns);
}

/* What next_at() says; a full bucket needs no other answer than one that is not, since need_ns is no more than the
 * burst. Where a bucket is asked for more than its rate nobody can guess the answer, so nothing branches on it. */
static inline bool hg_bucket_take(struct hg_bucket *b, uint32_t n, hg_ns now_ns)
{
	hg_ns short_ns = b->zero_at_ns - (now_ns - (hg_bucket_need_ns(b, n) - 1));
	uint64_t mask = (uint64_t)(short_ns >> 63); /* all ones if negative */

	hg_bucket_charge_masked(b, n, mask, now_ns);
	return mask != 0;
}

static inline void hg_bucket_refund(struct hg_bucket *b, uint32_t n)
{
	uint64_t mask = (UINT64_C(1) << b->pace.shift) - 1u;
	uint64_t cost = (uint64_t)n * b->pace.mantissa + (mask - b->fraction);

	b->zero_at_ns -= (hg_ns)(cost >> b->pace.shift);
	b->fraction = (uint32_t)(mask - (cost & mask));
}

#endif
