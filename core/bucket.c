#include "core/bucket.h"

/* What a debt can grow to in the account of hg_bucket_set(): far above what an owner that asks
 * before it takes can reach, and small enough that nothing overflows. */
#define DEBT_MAX (INT64_C(1) << 62)
#define BURST_MAX_UNITS (UINT64_C(1) << 30)

void hg_pace_set(struct hg_pace *pace, uint64_t per_s)
{
	const uint64_t ns = (uint64_t)HG_NS_PER_S;

	*pace = (struct hg_pace){0};
	if (per_s == 0)
		return;
	/* 10^9 < 2^30, so 32 bits of shift still fit in 64. */
	for (pace->shift = 32; pace->shift > 0; pace->shift--) {
		uint64_t mantissa = ((ns << pace->shift) + per_s / 2) / per_s;

		if (mantissa <= UINT32_MAX) {
			pace->mantissa = (uint32_t)mantissa;
			return;
		}
	}
	pace->mantissa = (uint32_t)((ns + per_s / 2) / per_s);
}

static hg_ns cost_ns(struct hg_pace pace, uint64_t units)
{
	return (hg_ns)((units * pace.mantissa) >> pace.shift);
}

static void set_limits(struct hg_bucket *b, uint64_t per_s, uint64_t burst, uint64_t reserve,
		       hg_ns idle_after_ns)
{
	if (burst > BURST_MAX_UNITS)
		burst = BURST_MAX_UNITS;
	if (reserve > burst)
		reserve = burst;
	hg_pace_set(&b->pace, per_s);
	b->burst = (uint32_t)burst;
	b->burst_ns = cost_ns(b->pace, burst);
	b->reserve_ns = cost_ns(b->pace, reserve);
	b->idle_after_ns = idle_after_ns;
}

void hg_bucket_init(struct hg_bucket *b, uint64_t per_s, uint64_t burst, uint64_t reserve,
		    hg_ns idle_after_ns, hg_ns now_ns)
{
	*b = (struct hg_bucket){0};
	set_limits(b, per_s, burst, reserve, idle_after_ns);
	b->zero_at_ns = now_ns - b->reserve_ns;
	/* Nothing was ever taken, so it is idle: its tokens do not grow past the reserve. */
	b->taken_at_ns = idle_after_ns == HG_NEVER ? now_ns : now_ns - idle_after_ns;
}

/* What time has earned, idle or not, in units of 2^-shift ns; exact. */
static int64_t held(const struct hg_bucket *b, hg_ns now_ns)
{
	hg_ns full_at_ns = now_ns - b->burst_ns;
	hg_ns zero_at_ns = b->zero_at_ns > full_at_ns ? b->zero_at_ns : full_at_ns;
	hg_ns debt_max_ns = (hg_ns)(DEBT_MAX >> b->pace.shift);

	if (zero_at_ns - now_ns > debt_max_ns)
		return -DEBT_MAX;
	/* Not a shift: the difference may be negative. */
	return (now_ns - zero_at_ns) * (INT64_C(1) << b->pace.shift) - (int64_t)b->fraction;
}

/* `amount`, worth so many units at pace `from`, at pace `to`: amount * to / from. The whole units
 * first, so that no product passes 64 bits: amount < 2^63, and either mantissa uses its 31 bits or
 * there are fewer than 2^32 units. */
static int64_t at_pace(int64_t amount, struct hg_pace from, struct hg_pace to)
{
	uint64_t size = amount < 0 ? (uint64_t)-amount : (uint64_t)amount;
	uint64_t units = size / from.mantissa;
	uint64_t rest = size % from.mantissa;
	uint64_t converted;

	if (units > (uint64_t)DEBT_MAX / to.mantissa)
		converted = (uint64_t)DEBT_MAX;
	else
		converted = units * to.mantissa + rest * to.mantissa / from.mantissa;
	return amount < 0 ? -(int64_t)converted : (int64_t)converted;
}

/* Makes the bucket hold so much, in units of 2^-shift ns, but not more than the burst. */
static void set_held(struct hg_bucket *b, int64_t amount, hg_ns now_ns)
{
	/* zero_at + fraction = now - amount, with fraction in [0, 1). */
	uint64_t mask = (UINT64_C(1) << b->pace.shift) - 1u;
	uint64_t size = amount < 0 ? (uint64_t)-amount : (uint64_t)amount;
	hg_ns whole_ns;

	if (amount < 0) {
		whole_ns = -(hg_ns)(size >> b->pace.shift);
		b->fraction = (uint32_t)(size & mask);
	} else {
		whole_ns = (hg_ns)((size + mask) >> b->pace.shift);
		b->fraction = (uint32_t)((0u - size) & mask);
	}
	if (whole_ns > b->burst_ns)
		whole_ns = b->burst_ns;
	b->zero_at_ns = now_ns - whole_ns;
}

void hg_bucket_set(struct hg_bucket *b, uint64_t per_s, uint64_t burst, uint64_t reserve,
		   hg_ns idle_after_ns, hg_ns now_ns)
{
	struct hg_pace old = b->pace;
	int64_t amount = held(b, now_ns);

	set_limits(b, per_s, burst, reserve, idle_after_ns);
	if (old.mantissa == 0 || b->pace.mantissa == 0) {
		/* Without a limit there was no count to keep: begin with a full bucket. */
		b->zero_at_ns = now_ns - b->burst_ns;
		b->fraction = 0;
		return;
	}
	set_held(b, at_pace(amount, old, b->pace), now_ns);
}

void hg_bucket_save(const struct hg_bucket *b, hg_ns now_ns, struct hg_bucket_saved *ret_saved)
{
	int64_t mantissa = b->pace.mantissa, amount = held(b, now_ns);
	int64_t tokens = amount / mantissa, rest = amount % mantissa;
	hg_ns full_at_ns = now_ns - b->burst_ns;

	if (rest < 0) {
		tokens--;
		rest += mantissa;
	}
	*ret_saved = (struct hg_bucket_saved){
		.tokens = tokens > -HG_BUCKET_TOKENS_MAX ? tokens : -HG_BUCKET_TOKENS_MAX,
		.part = (uint32_t)(((uint64_t)rest << 32) / (uint64_t)mantissa),
		.full_for_ns = full_at_ns > b->zero_at_ns ? full_at_ns - b->zero_at_ns : 0,
		.taken_ago_ns = now_ns - b->taken_at_ns,
	};
}

void hg_bucket_restore(struct hg_bucket *b, const struct hg_bucket_saved *saved, hg_ns now_ns)
{
	/* Rounded up, since save rounds down: at the same pace exactly what it was. */
	uint64_t rest = ((uint64_t)saved->part * b->pace.mantissa + UINT32_MAX) >> 32;

	set_held(b, saved->tokens * (int64_t)b->pace.mantissa + (int64_t)rest, now_ns);
	b->taken_at_ns = now_ns - saved->taken_ago_ns;
	/* Whoever was full for long could have taken for as long: that is what idleness is told by. */
	if (b->zero_at_ns == now_ns - b->burst_ns)
		b->zero_at_ns -= saved->full_for_ns;
}

int64_t hg_bucket_tokens(const struct hg_bucket *b, hg_ns now_ns)
{
	hg_ns held_ns = now_ns - hg_bucket_floor_ns(b, now_ns);
	uint64_t size, units;

	if (b->pace.mantissa == 0)
		return INT64_MAX;
	/* The largest n with hg_pace_cost_ns(n) <= held_ns, as take() reckons; below zero, the least
	 * debt that it can be. */
	if (held_ns < 0) {
		if (-held_ns > (DEBT_MAX >> b->pace.shift))
			held_ns = -(hg_ns)(DEBT_MAX >> b->pace.shift);
		size = (uint64_t)-held_ns << b->pace.shift;
		return -(int64_t)((size + b->pace.mantissa - 1u) / b->pace.mantissa);
	}
	size = (((uint64_t)held_ns + 1u) << b->pace.shift) - 1u;
	units = size / b->pace.mantissa;
	return units < b->burst ? (int64_t)units : (int64_t)b->burst;
}
