/* The bucket by tables, and by random histories against a model that deposits in 128-bit integers. */
#include "core/bucket.h"
#include "tests/harness.h"

#include <stdbool.h>

__extension__ typedef __int128 wide;

#define MBIT UINT64_C(125000)
#define GBIT UINT64_C(125000000)
#define MS HG_NS_PER_MS
#define SECOND HG_NS_PER_S
#define T0 (1000 * SECOND)

/* ---- tables ------------------------------------------------------------------------------------- */

static void s1_2_a_packet_withdraws_its_bytes(void)
{
	struct hg_bucket b;

	hg_bucket_init(&b, 1000000, 10000, 10000, HG_NEVER, T0); /* 1 byte a us */
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0), 10000);
	HG_CHECK(hg_bucket_take(&b, 4000, T0));
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0), 6000);
	HG_CHECK(hg_bucket_take(&b, 6000, T0));
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0), 0);
	HG_CHECK(!hg_bucket_take(&b, 1, T0));
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0 + MS), 1000);
}

static void s1_2_full_bucket_passes_any_packet(void)
{
	struct hg_bucket b;

	hg_bucket_init(&b, 1000000, 2000, 2000, HG_NEVER, T0);
	HG_CHECK(hg_bucket_take(&b, 65536, T0));
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0), 2000 - 65536);
	/* The next one waits until the bucket is full again: the debt and the burst. */
	HG_CHECK_EQ(hg_bucket_next_at(&b, 65536, T0), T0 + 65536000);
	HG_CHECK(!hg_bucket_take(&b, 65536, T0 + 65536000 - 1));
	HG_CHECK(hg_bucket_take(&b, 65536, T0 + 65536000));
}

static void s1_3_held_until_tokens_are_reloaded(void)
{
	struct hg_bucket b;

	hg_bucket_init(&b, 1000000, 2000, 2000, HG_NEVER, T0);
	HG_CHECK(hg_bucket_take(&b, 2000, T0));
	HG_CHECK_EQ(hg_bucket_next_at(&b, 1500, T0), T0 + 1500000);
	HG_CHECK(!hg_bucket_take(&b, 1500, T0 + 1499999));
	HG_CHECK(hg_bucket_take(&b, 1500, T0 + 1500000));
}

static void s1_5_tokens_stop_at_the_burst(void)
{
	struct hg_bucket b;

	hg_bucket_init(&b, GBIT, 3000, 0, HG_NEVER, T0);
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0), 0);
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0 + 8000), 1000);
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0 + 24000), 3000);
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0 + 3600 * SECOND), 3000);
}

static void s1_6_idle_bucket_holds_its_reserve(void)
{
	struct hg_bucket b;

	hg_bucket_init(&b, 1000000, 10000, 2000, 5 * MS, T0);
	HG_CHECK(hg_bucket_is_idle(&b, T0));
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0 + SECOND), 2000);
	HG_CHECK(hg_bucket_take(&b, 500, T0 + SECOND));
	HG_CHECK(!hg_bucket_is_idle(&b, T0 + SECOND));
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0 + SECOND + 5 * MS - 1), 6500 - 1);
	HG_CHECK(!hg_bucket_is_idle(&b, T0 + SECOND + 5 * MS - 1));
	HG_CHECK(hg_bucket_is_idle(&b, T0 + SECOND + 5 * MS));
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0 + SECOND + 5 * MS), 2000);
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0 + 2 * SECOND), 2000);
}

static void s1_6_idleness_forgives_no_debt(void)
{
	struct hg_bucket b;

	hg_bucket_init(&b, 1000000, 2000, 2000, 5 * MS, T0);
	HG_CHECK(hg_bucket_take(&b, 20000, T0)); /* 18 ms of debt */
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0 + 10 * MS), -8000);
	HG_CHECK(!hg_bucket_take(&b, 100, T0 + 10 * MS));
}

static void s1_7_the_first_packet_after_idleness_does_not_wait(void)
{
	struct hg_bucket b;

	hg_bucket_init(&b, 1000000, 10000, 1000, 5 * MS, T0);
	HG_CHECK(hg_bucket_take(&b, 600, T0 + SECOND));
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0 + SECOND), 400); /* the reserve is spent */
	/* Larger than the reserve: time has earned it, and no more than it. */
	HG_CHECK(hg_bucket_take(&b, 1500, T0 + 2 * SECOND));
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0 + 2 * SECOND), 0);
	/* From it on, the ordinary bucket. */
	HG_CHECK_EQ(hg_bucket_next_at(&b, 1500, T0 + 2 * SECOND), T0 + 2 * SECOND + 1500000);

	/* No reserve: the same, with nothing left over. */
	hg_bucket_init(&b, 1000000, 10000, 0, 5 * MS, T0);
	HG_CHECK(hg_bucket_take(&b, 1500, T0 + SECOND));
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0 + SECOND), 0);
	/* Larger than the burst: as with any full bucket. */
	HG_CHECK(hg_bucket_take(&b, 15000, T0 + 2 * SECOND));
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0 + 2 * SECOND), -5000);
}

static void s1_4_who_waits_for_tokens_is_not_idle(void)
{
	struct hg_bucket b;
	hg_ns now_ns = T0;

	/* Packets of 8 ms with an idle time of 5 ms: the rate is kept nevertheless. */
	hg_bucket_init(&b, 1000000, 10000, 0, 5 * MS, T0);
	for (unsigned i = 1; i <= 10; i++) {
		HG_CHECK_EQ(hg_bucket_next_at(&b, 8000, now_ns), T0 + i * 8 * MS);
		HG_CHECK(!hg_bucket_take(&b, 8000, T0 + i * 8 * MS - 1));
		HG_CHECK(hg_bucket_take(&b, 8000, T0 + i * 8 * MS));
		now_ns = T0 + i * 8 * MS;
		HG_CHECK_EQ(hg_bucket_tokens(&b, now_ns), 0);
	}
	/* Nor does who is served a little late lose the little. */
	HG_CHECK(hg_bucket_take(&b, 8000, now_ns + 8 * MS + 1000));
	HG_CHECK_EQ(hg_bucket_next_at(&b, 8000, now_ns + 8 * MS + 1000), now_ns + 16 * MS);
}

static void s1_11_a_change_keeps_tokens(void)
{
	struct hg_bucket b;

	hg_bucket_init(&b, 1000000, 10000, 10000, HG_NEVER, T0);
	HG_CHECK(hg_bucket_take(&b, 4000, T0));
	hg_bucket_set(&b, 3000000, 20000, 20000, HG_NEVER, T0);
	HG_CHECK_BETWEEN(hg_bucket_tokens(&b, T0), 5999, 6000);
	hg_bucket_set(&b, 3000000, 5000, 5000, HG_NEVER, T0);
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0), 5000);
	/* A debt is kept too. */
	HG_CHECK(hg_bucket_take(&b, 50000, T0));
	hg_bucket_set(&b, 1000, 5000, 5000, HG_NEVER, T0);
	HG_CHECK_BETWEEN(hg_bucket_tokens(&b, T0), -45001, -45000);
	hg_bucket_set(&b, UINT64_C(125000000000), 5000, 5000, HG_NEVER, T0);
	HG_CHECK_BETWEEN(hg_bucket_tokens(&b, T0), -45125, -45000);
}

static void s1_11_limits_come_and_go(void)
{
	struct hg_bucket b;

	hg_bucket_init(&b, 0, 10000, 10000, 5 * MS, T0);
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0), INT64_MAX);
	for (unsigned i = 0; i < 1000; i++)
		HG_CHECK(hg_bucket_take(&b, HG_WIRE_MAX_BYTES, T0));
	hg_bucket_set(&b, 1000000, 10000, 10000, HG_NEVER, T0);
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0), 10000);
	HG_CHECK(hg_bucket_take(&b, 10000, T0));
	HG_CHECK(!hg_bucket_take(&b, 1, T0));
	hg_bucket_set(&b, 0, 10000, 10000, HG_NEVER, T0);
	HG_CHECK(hg_bucket_take(&b, HG_WIRE_MAX_BYTES, T0));
	HG_CHECK_EQ(hg_bucket_next_at(&b, HG_WIRE_MAX_BYTES, T0), T0);
}

static void bucket_refund_undoes_a_take(void)
{
	uint64_t seed = hg_test_seed;

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t per_s = hg_test_between(&seed, 1000, 1 << 30);
		uint32_t n = (uint32_t)hg_test_between(&seed, 1, HG_WIRE_MAX_BYTES);
		struct hg_bucket b, before;

		hg_bucket_init(&b, per_s, 1 << 20, 1 << 20, HG_NEVER, T0);
		hg_bucket_charge(&b, 777, T0);
		before = b;
		hg_bucket_charge(&b, n, T0);
		hg_bucket_refund(&b, n);
		HG_CHECK_EQ(b.zero_at_ns, before.zero_at_ns);
		HG_CHECK_EQ(b.fraction, before.fraction);
	}
}

static void bucket_overlong_burst_and_reserve_are_cut(void)
{
	struct hg_bucket b;

	hg_bucket_init(&b, 1, UINT64_MAX, UINT64_MAX, HG_NEVER, T0);
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0), 1 << 30);
	hg_bucket_init(&b, 1000, 5000, 6000, HG_NEVER, T0);
	HG_CHECK_EQ(hg_bucket_tokens(&b, T0), 5000);
}

static void bucket_a_debt_beyond_reason_survives_a_change(void)
{
	struct hg_bucket b;

	hg_bucket_init(&b, 1, 5000, 5000, HG_NEVER, T0);
	for (unsigned i = 0; i < 4; i++)
		hg_bucket_charge(&b, UINT32_MAX / 4, T0);
	hg_bucket_set(&b, UINT64_C(1) << 37, 5000, 5000, HG_NEVER, T0);
	HG_CHECK(hg_bucket_tokens(&b, T0) < -1000000);
	hg_bucket_set(&b, 1, 5000, 5000, HG_NEVER, T0);
	HG_CHECK(hg_bucket_tokens(&b, T0) < -1000000);
}

static void bucket_pace_is_as_precise_as_promised(void)
{
	static const struct {
		uint64_t per_s;
		double max_error;
	} rows[] = {
		{1, 1e-9},          {2, 1e-9},          {1000, 1e-9},
		{125000, 1e-9},     {123456789, 1e-9},  {999999937, 1e-9},
		{5000000000, 1e-9}, {7999999999, 1e-9}, {124999999999, 3e-8},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hg_pace pace;
		double ns_per_unit = 1e9 / (double)rows[i].per_s, got, error;

		hg_pace_set(&pace, rows[i].per_s);
		got = (double)pace.mantissa / (double)(UINT64_C(1) << pace.shift);
		error = got / ns_per_unit - 1;
		if (error > rows[i].max_error || error < -rows[i].max_error)
			HG_TEST_FAIL("%" PRIu64 " a second: error %g", rows[i].per_s, error);
		HG_CHECK(pace.shift <= 32);
	}
	{
		struct hg_pace none;

		hg_pace_set(&none, 0);
		HG_CHECK_EQ(hg_pace_cost_ns(none, UINT32_MAX), 0);
	}
}

/* ---- histories ---------------------------------------------------------------------------------- */

/* The bucket under test, and its broken twins. */
struct subject {
	const char *name;
	bool (*take)(struct hg_bucket *b, uint32_t n, hg_ns now_ns);
	hg_ns (*next_at)(const struct hg_bucket *b, uint32_t n, hg_ns now_ns);
	void (*set)(struct hg_bucket *b, uint64_t per_s, uint64_t burst, uint64_t reserve,
		    hg_ns idle_after_ns, hg_ns now_ns);
};

static bool take(struct hg_bucket *b, uint32_t n, hg_ns now_ns)
{
	return hg_bucket_take(b, n, now_ns);
}

static hg_ns next_at(const struct hg_bucket *b, uint32_t n, hg_ns now_ns)
{
	return hg_bucket_next_at(b, n, now_ns);
}

static const struct subject bucket = {"bucket", take, next_at, hg_bucket_set};

/* Reloads beyond the burst. */
static bool take_without_burst(struct hg_bucket *b, uint32_t n, hg_ns now_ns)
{
	hg_ns zero_at_ns = b->zero_at_ns;
	bool took = hg_bucket_take(b, n, now_ns);

	if (took && zero_at_ns < now_ns - b->burst_ns)
		b->zero_at_ns = zero_at_ns + hg_pace_cost_ns(b->pace, n);
	return took;
}

/* Keeps the whole burst through idleness. */
static bool take_without_idleness(struct hg_bucket *b, uint32_t n, hg_ns now_ns)
{
	b->taken_at_ns = now_ns;
	return hg_bucket_take(b, n, now_ns);
}

/* Takes a wait for idleness, and loses what the wait has earned. */
static bool take_losing(struct hg_bucket *b, uint32_t n, hg_ns now_ns)
{
	bool was_idle = hg_bucket_is_idle(b, now_ns);
	bool took = hg_bucket_take(b, n, now_ns);

	if (took && was_idle)
		b->zero_at_ns = now_ns - b->reserve_ns + hg_pace_cost_ns(b->pace, n);
	return took;
}

/* Lets a packet go for nothing now and then. */
static bool take_leaking(struct hg_bucket *b, uint32_t n, hg_ns now_ns)
{
	bool took = hg_bucket_take(b, n, now_ns);

	if (took && b->fraction % 16 == 0)
		hg_bucket_refund(b, n);
	return took;
}

/* Drops the fraction of a nanosecond. */
static bool take_without_fraction(struct hg_bucket *b, uint32_t n, hg_ns now_ns)
{
	bool took = hg_bucket_take(b, n, now_ns);

	b->fraction = 0;
	return took;
}

/* Wants the packet's bytes even if the bucket can never hold them. */
static hg_ns next_at_without_full(const struct hg_bucket *b, uint32_t n, hg_ns now_ns)
{
	return hg_bucket_floor_ns(b, now_ns) + hg_pace_cost_ns(b->pace, n);
}

/* Starts afresh with each contract. */
static void set_afresh(struct hg_bucket *b, uint64_t per_s, uint64_t burst, uint64_t reserve,
		       hg_ns idle_after_ns, hg_ns now_ns)
{
	hg_bucket_init(b, per_s, burst, reserve, idle_after_ns, now_ns);
}

static const struct subject without_burst = {"without burst", take_without_burst, next_at,
					     hg_bucket_set};
static const struct subject without_idleness = {"without idleness", take_without_idleness, next_at,
						hg_bucket_set};
static const struct subject losing = {"losing", take_losing, next_at, hg_bucket_set};
static const struct subject leaking = {"leaking", take_leaking, next_at, hg_bucket_set};
static const struct subject without_fraction = {"without fraction", take_without_fraction, next_at,
						hg_bucket_set};
static const struct subject without_full = {"without full", take, next_at_without_full,
					    hg_bucket_set};
static const struct subject afresh = {"afresh", take, next_at, set_afresh};

/* The obvious bucket: deposits at every look, in 10^-9 of a unit. */
struct model {
	wide tokens; /* since the last take or change, without the limit of the burst */
	uint64_t per_s, burst, reserve;
	hg_ns idle_after_ns, taken_at_ns, at_ns;
};

#define UNIT ((wide)1000000000)

static bool model_is_idle(const struct model *m)
{
	return m->at_ns - m->taken_at_ns >= m->idle_after_ns;
}

static wide least(wide a, wide b)
{
	return a < b ? a : b;
}

static void model_advance(struct model *m, hg_ns now_ns)
{
	m->tokens += (wide)m->per_s * (now_ns - m->at_ns);
	m->at_ns = now_ns;
}

static wide model_tokens(const struct model *m)
{
	return least(m->tokens, UNIT * m->burst);
}

static wide model_told(const struct model *m)
{
	return model_is_idle(m) ? least(m->tokens, UNIT * m->reserve) : model_tokens(m);
}

/* For how long what n needs has been there. */
static wide model_ready_for_ns(const struct model *m, wide need)
{
	return (m->tokens - need) / (wide)m->per_s;
}

/* Takes n from the model, as idle or not. */
static void model_charge(struct model *m, uint32_t n, bool is_idle)
{
	wide need = least(UNIT * n, UNIT * m->burst), most = UNIT * m->burst;

	if (is_idle)
		most = need > UNIT * m->reserve ? need : UNIT * m->reserve;
	m->tokens = least(m->tokens, most) - UNIT * n;
	m->taken_at_ns = m->at_ns;
}

static const char *model_take(struct model *m, const struct hg_bucket *b, uint32_t n, bool took,
			      wide slack)
{
	wide need = least(UNIT * n, UNIT * m->burst);
	wide until_idle_ns = m->idle_after_ns - model_ready_for_ns(m, need);
	wide slack_ns = slack / (wide)m->per_s + 2;

	if (took && m->tokens < need - slack)
		return "passed a packet without the tokens";
	if (!took && m->tokens > need + slack)
		return "held a packet in spite of the tokens";
	if (!took)
		return NULL;
	if (!model_is_idle(m) || until_idle_ns > slack_ns || until_idle_ns < -slack_ns) {
		model_charge(m, n, model_is_idle(m) && until_idle_ns <= 0);
	} else {
		/* On the edge between the two either will do. */
		struct model idle = *m;
		wide told;

		model_charge(m, n, false);
		model_charge(&idle, n, true);
		told = UNIT * hg_bucket_tokens(b, m->at_ns);
		if (told <= idle.tokens + slack)
			*m = idle;
	}
	return NULL;
}

struct history {
	uint64_t seed;
	struct hg_bucket b;
	struct model m;
	hg_ns now_ns;
	/* What the nearest ns and the nearest 32-bit pace may differ by after this history. */
	wide slack;
};

static void choose_contract(uint64_t *seed, struct model *m)
{
	m->per_s = hg_test_random(seed) % (UINT64_C(1) << hg_test_between(seed, 10, 36)) + 1000;
	m->burst = hg_test_between(seed, 1600, 1u << hg_test_between(seed, 11, 24));
	m->reserve = hg_test_between(seed, 0, 2) == 0 ? 0 : hg_test_between(seed, 0, m->burst);
	m->idle_after_ns =
		(hg_ns)hg_test_between(seed, 100000, 1u << hg_test_between(seed, 17, 30));
}

/* A contract comes into force: from now on a ns is worth so much more. */
static void widen_slack(struct history *h)
{
	h->slack += 2 * UNIT + 3 * (wide)h->m.per_s;
}

static void begin(struct history *h)
{
	struct model *m = &h->m;

	*m = (struct model){0};
	choose_contract(&h->seed, m);
	h->now_ns = T0;
	h->slack = 0;
	widen_slack(h);
	hg_bucket_init(&h->b, m->per_s, m->burst, m->reserve, m->idle_after_ns, h->now_ns);
	m->tokens = UNIT * m->reserve;
	m->at_ns = h->now_ns;
	m->taken_at_ns = h->now_ns - m->idle_after_ns;
}

/* Time passes: mostly about as long as a packet takes, sometimes a burst, or until idleness. */
static void pass_time(struct history *h, uint32_t n)
{
	hg_ns packet_ns = (hg_ns)((wide)n * UNIT / h->m.per_s);
	hg_ns burst_ns = (hg_ns)((wide)h->m.burst * UNIT / h->m.per_s);
	hg_ns step_ns;

	switch (hg_test_between(&h->seed, 0, 9)) {
	case 0:
		step_ns = h->m.idle_after_ns;
		break;
	case 1:
		step_ns = burst_ns;
		break;
	case 2:
		step_ns = 0;
		break;
	default:
		step_ns = packet_ns;
	}
	step_ns = (hg_ns)hg_test_between(&h->seed, 0, 2 * (uint64_t)step_ns);
	h->now_ns += step_ns;
	h->slack += (wide)h->m.per_s * step_ns * 3 / 100000000;
	model_advance(&h->m, h->now_ns);
}

static const char *compare_tokens(const struct history *h)
{
	wide told = UNIT * hg_bucket_tokens(&h->b, h->now_ns);

	if (told > model_told(&h->m) + h->slack || told < model_told(&h->m) - h->slack)
		return "tells other tokens than the model";
	if (told > UNIT * h->m.burst)
		return "tells more tokens than the burst";
	return NULL;
}

/* next_at of the subject, tried: a take fails just before it and succeeds at it. */
static const char *try_next_at(const struct subject *subject, const struct history *h, uint32_t n)
{
	hg_ns at_ns = subject->next_at(&h->b, n, h->now_ns);
	struct hg_bucket before = h->b, then = h->b;

	if (at_ns > h->now_ns && subject->take(&before, n, at_ns - 1))
		return "takes before next_at";
	if (!subject->take(&then, n, at_ns > h->now_ns ? at_ns : h->now_ns))
		return "does not take at next_at";
	return NULL;
}

static const char *take_both(const struct subject *subject, struct history *h, uint32_t n)
{
	bool took = subject->take(&h->b, n, h->now_ns);

	return model_take(&h->m, &h->b, n, took, h->slack);
}

static void change_contract(const struct subject *subject, struct history *h)
{
	h->m.tokens = model_tokens(&h->m);
	choose_contract(&h->seed, &h->m);
	h->m.tokens = model_tokens(&h->m);
	widen_slack(h);
	subject->set(&h->b, h->m.per_s, h->m.burst, h->m.reserve, h->m.idle_after_ns, h->now_ns);
}

/* NULL, or what went wrong in a random history of takes, pauses and (want_changes) new contracts. */
static const char *fault_of_history(const struct subject *subject, uint64_t seed, bool want_changes)
{
	struct history h = {.seed = seed};

	begin(&h);
	for (unsigned step = 0; step < 300; step++) {
		uint32_t n = (uint32_t)hg_test_between(&h.seed, 64,
						       1u << hg_test_between(&h.seed, 7, 17));
		const char *fault;

		pass_time(&h, n);
		if (want_changes && hg_test_between(&h.seed, 0, 19) == 0)
			change_contract(subject, &h);
		fault = try_next_at(subject, &h, n);
		if (fault == NULL)
			fault = take_both(subject, &h, n);
		if (fault == NULL)
			fault = compare_tokens(&h);
		if (fault != NULL)
			return fault;
	}
	return NULL;
}

/* Runs many histories of the bucket, in none of which anything may be wrong, and as many of each broken
 * twin (up to a NULL), in some of which something must be. */
static void check_histories(bool want_changes, const struct subject *const *twins)
{
	unsigned rounds = hg_test_rounds ? hg_test_rounds : 1000;
	uint64_t seed = hg_test_seed;

	for (unsigned i = 0; i < rounds; i++) {
		const char *fault = fault_of_history(&bucket, seed + i, want_changes);

		if (fault != NULL)
			HG_TEST_FAIL("seed %" PRIu64 ": %s", seed + i, fault);
	}
	for (; *twins != NULL; twins++) {
		unsigned n_seen = 0;

		for (unsigned i = 0; i < rounds; i++)
			n_seen += fault_of_history(*twins, seed + i, want_changes) != NULL;
		if (n_seen == 0)
			HG_TEST_FAIL("nobody noticed that the bucket was broken: %s",
				     (*twins)->name);
	}
}

/* S1.2 (withdrawal, full bucket), S1.3 (next_at), S1.5 (burst), S1.6 and S1.7 (idleness), as the
 * model has them. */
static void s1_2_to_s1_7_like_the_model(void)
{
	static const struct subject *const twins[] = {&without_burst, &without_idleness, &losing,
						      &leaking,       &without_full,     NULL};

	check_histories(/* want_changes= */ false, twins);
}

static void s1_11_changes_at_any_instant_like_the_model(void)
{
	static const struct subject *const twins[] = {&afresh,  &without_burst, &without_idleness,
						      &leaking, &without_full,  NULL};

	check_histories(/* want_changes= */ true, twins);
}

/* The rule of measure for every window at once: a bucket of the exact rate, filled by what was
 * taken, never holds more than the burst and one packet. */
static const char *fault_of_conservation(const struct subject *subject, uint64_t seed)
{
	struct history h = {.seed = seed};
	wide level = 0;

	begin(&h);
	for (unsigned step = 0; step < 1000; step++) {
		uint32_t n = (uint32_t)hg_test_between(&h.seed, 64, 65536);
		hg_ns before_ns = h.now_ns;

		pass_time(&h, n);
		level -= (wide)h.m.per_s * (h.now_ns - before_ns);
		if (level < 0)
			level = 0;
		while (subject->take(&h.b, n, h.now_ns))
			level += UNIT * n;
		if (level > UNIT * (h.m.burst + 65536) + h.slack)
			return "took more than rate * T + burst + one packet";
	}
	return NULL;
}

static void s1_5_burst_never_exceeded_in_any_window(void)
{
	unsigned rounds = hg_test_rounds ? hg_test_rounds : 300, n_seen = 0;

	for (unsigned i = 0; i < rounds; i++) {
		const char *fault = fault_of_conservation(&bucket, hg_test_seed + i);

		if (fault != NULL)
			HG_TEST_FAIL("seed %" PRIu64 ": %s", hg_test_seed + i, fault);
		n_seen += fault_of_conservation(&without_burst, hg_test_seed + i) != NULL;
	}
	HG_CHECK(n_seen > 0);
}

/* Parts in 10^9 by which an hour of taking as early as one may misses the rate. */
static int64_t drift_ppb(const struct subject *subject, uint64_t per_s)
{
	struct hg_bucket b;
	/* About two million packets in the hour, of an odd length. */
	uint64_t want = per_s * 3600 / 2000000 + 1501;
	uint32_t n = want < HG_WIRE_MAX_BYTES ? (uint32_t)want : HG_WIRE_MAX_BYTES;
	hg_ns now_ns = T0, first_ns = 0;
	wide taken = 0, due = 1;

	hg_bucket_init(&b, per_s, (128u * 1024u), 0, HG_NEVER, T0);
	hg_bucket_charge(&b, (128u * 1024u), T0);
	for (;;) {
		now_ns = subject->next_at(&b, n, now_ns);
		if (now_ns > T0 + 3600 * SECOND)
			break;
		subject->take(&b, n, now_ns);
		if (first_ns == 0)
			first_ns = now_ns;
		else
			taken += n;
		due = (wide)per_s * (now_ns - first_ns);
	}
	return (int64_t)((taken * UNIT - due) * 1000000000 / due);
}

static void s1_2_an_hour_does_not_drift(void)
{
	static const uint64_t rates[] = {1 * MBIT,   2 * MBIT,   7 * MBIT, 10 * MBIT + 1,
					 100 * MBIT, 333 * MBIT, 1 * GBIT, 3 * GBIT + 7,
					 10 * GBIT,  25 * GBIT,  40 * GBIT};
	int64_t worst = 0;

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		int64_t broken = drift_ppb(&without_fraction, rates[i]);

		HG_CHECK_BETWEEN(drift_ppb(&bucket, rates[i]), -10, 10);
		if (broken < 0)
			broken = -broken;
		worst = broken > worst ? broken : worst;
	}
	/* The broken twin runs too fast by the half ns that it forgives each packet. */
	HG_CHECK(worst > 1000);
}

static const struct hg_test tests[] = {
	HG_TEST(s1_2_a_packet_withdraws_its_bytes),
	HG_TEST(s1_2_full_bucket_passes_any_packet),
	HG_TEST(s1_3_held_until_tokens_are_reloaded),
	HG_TEST(s1_5_tokens_stop_at_the_burst),
	HG_TEST(s1_6_idle_bucket_holds_its_reserve),
	HG_TEST(s1_6_idleness_forgives_no_debt),
	HG_TEST(s1_7_the_first_packet_after_idleness_does_not_wait),
	HG_TEST(s1_4_who_waits_for_tokens_is_not_idle),
	HG_TEST(s1_11_a_change_keeps_tokens),
	HG_TEST(s1_11_limits_come_and_go),
	HG_TEST(bucket_refund_undoes_a_take),
	HG_TEST(bucket_overlong_burst_and_reserve_are_cut),
	HG_TEST(bucket_a_debt_beyond_reason_survives_a_change),
	HG_TEST(bucket_pace_is_as_precise_as_promised),
	HG_TEST(s1_2_to_s1_7_like_the_model),
	HG_TEST(s1_11_changes_at_any_instant_like_the_model),
	HG_TEST(s1_5_burst_never_exceeded_in_any_window),
	HG_TEST(s1_2_an_hour_does_not_drift),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
