/* Random histories of credits against a slow and obvious model: a list of parts, each with the slot in which
 * it was earned, advanced tick by tick. The ledger is advanced in random steps, several ticks at a time
 * where use is even, and must agree with the model to the nanosecond at the end of each. Twins that do one thing
 * wrong must be noticed. */
#include "core/ledger.h"

#include "tests/harness.h"

#include <stdbool.h>

#define S HG_NS_PER_S
#define HOUR (3600 * S)
#define CREDIT HG_CREDIT_CPU_NS
#define YEAR (INT64_C(365) * 24 * HOUR)

enum {
	N_PARTS = 4096,
	DEFAULT_ROUNDS = 60,
	N_STRETCHES = 400,
};

enum twin {
	HONEST,
	EARNS_AT_THE_END, /* forgets the fraction of a step */
	CLIPS_EACH_TICK_LESS, /* another maximum */
	SPENDS_NEWEST,
	IGNORES_AGE,
	GIFT_LAST,
	FORGIVES_SURPLUS,
	BOOKS_LATE, /* use is booked a stretch later */
	N_TWINS
};

/* ---- the model ---------------------------------------------------------------------------------- */

static struct {
	uint64_t seed;
	enum twin twin;
	bool was_noticed;

	struct hg_ledger_cfg cfg;
	hg_ns now_ns;
	int64_t gift, surplus;
	/* Earned so far and lost so far of the fraction, in 1 / 3.6e12. */
	int64_t fraction;
	struct {
		int64_t slot, n;
	} parts[N_PARTS];
	unsigned n_parts;
	uint64_t expired, lost, charged;
} m;

static uint64_t pick(uint64_t lo, uint64_t hi)
{
	return hg_test_between(&m.seed, lo, hi);
}

static int64_t model_slot(hg_ns at_ns)
{
	hg_ns length = (m.cfg.max_age_ns + (hg_ns)HG_LEDGER_SLOTS - 1) / (hg_ns)HG_LEDGER_SLOTS;

	return m.cfg.max_age_ns == 0 ? 0 : at_ns / length;
}

static int64_t model_earned(void)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < m.n_parts; i++)
		sum += m.parts[i].n;
	return sum;
}

static void model_add(int64_t n, hg_ns at_ns)
{
	int64_t number = model_slot(at_ns);

	if (m.n_parts > 0 && m.parts[m.n_parts - 1].slot == number) {
		m.parts[m.n_parts - 1].n += n;
		return;
	}
	if (m.n_parts == N_PARTS)
		HG_TEST_FAIL("the model has too many parts");
	m.parts[m.n_parts].slot = number;
	m.parts[m.n_parts++].n = n;
}

/* Takes from the oldest (or, as a broken one, from the newest), and returns what was not there. */
static int64_t model_spend(int64_t n)
{
	for (unsigned k = 0; k < m.n_parts && n > 0; k++) {
		unsigned i = m.twin == SPENDS_NEWEST ? m.n_parts - 1 - k : k;
		int64_t part = n < m.parts[i].n ? n : m.parts[i].n;

		m.parts[i].n -= part;
		n -= part;
	}
	return n;
}

static void model_expire(hg_ns at_ns)
{
	unsigned n_kept = 0;

	for (unsigned i = 0; i < m.n_parts; i++) {
		bool is_old = m.cfg.max_age_ns != 0 && m.twin != IGNORES_AGE &&
			      m.parts[i].slot < model_slot(at_ns) - (int64_t)HG_LEDGER_SLOTS;

		if (is_old)
			m.expired += (uint64_t)m.parts[i].n;
		else if (m.parts[i].n > 0 || i + 1 == m.n_parts)
			m.parts[n_kept++] = m.parts[i];
	}
	m.n_parts = n_kept;
}

/* One tick of even use. No cut lies inside of it. */
static void model_tick(hg_ns tick_ns, int64_t used)
{
	__int128 units = (__int128)tick_ns * m.cfg.earn_cpu_ns_per_h +
			 (m.twin == EARNS_AT_THE_END ? 0 : m.fraction);
	int64_t gain = (int64_t)(units / HOUR), repaid, given, over;

	m.fraction = (int64_t)(units % HOUR);
	given = m.twin == GIFT_LAST ? 0 : used < m.gift ? used : m.gift;
	m.gift -= given;
	repaid = gain < m.surplus ? gain : m.surplus;
	m.surplus -= repaid;
	model_add(gain - repaid, m.now_ns);
	used = model_spend(used - given);
	if (m.twin == GIFT_LAST) {
		given = used < m.gift ? used : m.gift;
		m.gift -= given;
		used -= given;
	}
	m.surplus += m.twin == FORGIVES_SURPLUS ? 0 : used;
	over = model_earned() - m.cfg.max_cpu_ns + (m.twin == CLIPS_EACH_TICK_LESS ? 1 : 0);
	for (unsigned i = m.n_parts; i-- > 0 && over > 0;) {
		int64_t part = over < m.parts[i].n ? over : m.parts[i].n;

		m.parts[i].n -= part;
		m.lost += (uint64_t)part;
		over -= part;
	}
	if (m.surplus > m.cfg.surplus_max_cpu_ns) {
		m.charged += (uint64_t)(m.surplus - m.cfg.surplus_max_cpu_ns);
		m.surplus = m.cfg.surplus_max_cpu_ns;
	}
	m.now_ns += tick_ns;
	model_expire(m.now_ns);
}

/* ---- histories ---------------------------------------------------------------------------------- */

static void compare(const struct hg_ledger *l)
{
	struct hg_error err = {0};

	if (hg_ledger_check(l, &err) < 0)
		HG_TEST_FAIL("%s: %s", err.path, err.text);
	if (l->gift_cpu_ns == m.gift && l->surplus_cpu_ns == m.surplus &&
	    l->earned_cpu_ns == model_earned() && l->totals.expired_cpu_ns == m.expired &&
	    l->totals.lost_cpu_ns == m.lost && l->totals.charged_cpu_ns == m.charged)
		return;
	if (m.twin == HONEST)
		HG_TEST_FAIL("at %" PRId64 " ns: gift %" PRId64 " (model %" PRId64
			     "), earned %" PRId64 " (%" PRId64 "), surplus %" PRId64 " (%" PRId64
			     "), expired %" PRIu64 " (%" PRIu64 ")",
			     l->at_ns, l->gift_cpu_ns, m.gift, l->earned_cpu_ns, model_earned(),
			     l->surplus_cpu_ns, m.surplus, l->totals.expired_cpu_ns, m.expired);
	m.was_noticed = true;
}

/* Some ticks of the same use: booked in random steps, which is a promise of the ledger. */
static void stretch(struct hg_ledger *l, hg_ns tick_ns, unsigned n_ticks, int64_t used_a_tick)
{
	unsigned booked = 0;
	static int64_t late;

	if (m.twin == HONEST)
		late = 0;
	for (unsigned i = 0; i < n_ticks; i++)
		model_tick(tick_ns, used_a_tick);
	while (booked < n_ticks) {
		unsigned step = (unsigned)pick(1, n_ticks - booked);
		int64_t used = used_a_tick * step;

		if (m.twin == BOOKS_LATE) {
			int64_t now = late;

			late = used;
			used = now;
		}
		hg_ledger_charge(l, used, l->at_ns + (hg_ns)step * tick_ns);
		booked += step;
	}
	compare(l);
}

static void make(struct hg_ledger *l, hg_ns *ret_tick_ns)
{
	struct hg_error err = {0};
	/* Cuts fall on ticks, and a gift ends at one, so that nothing is rounded by the model itself. */
	hg_ns tick_ns = (hg_ns)pick(1, 3) * S,
	      age_ns = pick(0, 3) == 0 ? 0 : 64 * (hg_ns)pick(1, 40) * 6 * S;

	m.cfg = (struct hg_ledger_cfg){
		.earn_cpu_ns_per_h = (int64_t)pick(0, 200) * CREDIT + (int64_t)pick(0, 999),
		.max_cpu_ns = (int64_t)pick(0, 300) * CREDIT / 10,
		.surplus_max_cpu_ns = (int64_t)pick(0, 100) * CREDIT / 10,
		.max_age_ns = age_ns,
		.mode = (enum hg_credit_mode)pick(0, 1),
	};
	m.now_ns = 6 * (hg_ns)pick(0, 1000) * S;
	m.gift = m.surplus = m.fraction = 0;
	m.expired = m.lost = m.charged = 0;
	m.n_parts = 0;
	HG_CHECK_EQ(hg_ledger_validate(&m.cfg, &err), 0);
	hg_ledger_init(l, &m.cfg, m.now_ns);
	*ret_tick_ns = tick_ns;
}

static void history(void)
{
	struct hg_ledger l;
	hg_ns tick_ns;

	make(&l, &tick_ns);
	for (unsigned i = 0; i < N_STRETCHES && !m.was_noticed; i++) {
		int64_t earn_a_tick = (int64_t)((__int128)m.cfg.earn_cpu_ns_per_h * tick_ns / HOUR);
		static const unsigned eighths[] = {0, 0, 0, 2, 7, 8, 9, 30, 80};
		int64_t used = earn_a_tick * eighths[pick(0, 8)] / 8 + (int64_t)pick(0, 2);
		unsigned n = (unsigned)pick(1, 40) * 6;

		if (used > 0 && pick(0, 9) == 0) {
			int64_t grant = used * (int64_t)pick(1, 60);
			int64_t repaid = grant < m.surplus ? grant : m.surplus;

			/* A gift that ends at a tick: whole ticks of the use that follows. */
			if (m.gift == 0 && m.surplus == 0) {
				hg_ledger_grant(&l, grant);
				m.surplus -= repaid;
				m.gift += grant - repaid;
			}
		}
		if (m.gift > 0 && (used == 0 || m.gift % used != 0))
			used = 0;
		stretch(&l, tick_ns, n, used);
	}
}

static bool finds(enum twin twin)
{
	unsigned rounds = hg_test_rounds > 0 ? hg_test_rounds : DEFAULT_ROUNDS;

	m.seed = hg_test_seed;
	m.twin = twin;
	m.was_noticed = false;
	for (unsigned i = 0; i < rounds && !m.was_noticed; i++)
		history();
	return m.was_noticed;
}

static void s6_1_same_result_in_whatever_steps(void)
{
	(void)finds(HONEST);
}

static void broken_twins_are_noticed(void)
{
	for (enum twin twin = HONEST + 1; twin < N_TWINS; twin++) {
		if (!finds(twin))
			HG_TEST_FAIL("twin %d was not noticed", twin);
	}
}

/* ---- years -------------------------------------------------------------------------------------- */

/* Ten years twice over, in other random steps: not a nanosecond of difference, and the sums are right. */
static void s6_1_ten_years_in_random_steps_end_with_no_drift(void)
{
	static const struct hg_ledger_cfg cfg = {.earn_cpu_ns_per_h =
							 INT64_C(816) * CREDIT / 10 + 7,
						 .max_cpu_ns = 1958 * CREDIT,
						 .surplus_max_cpu_ns = 100 * CREDIT,
						 .max_age_ns = 24 * HOUR};
	struct hg_ledger once, often;
	hg_ns at_ns = 0;

	m.seed = hg_test_seed;
	hg_ledger_init(&once, &cfg, 0);
	hg_ledger_init(&often, &cfg, 0);
	while (at_ns < 10 * YEAR) {
		hg_ns for_ns = (hg_ns)pick(1, 4000) * 100 * HG_NS_PER_MS;
		int64_t ticks = for_ns / (100 * HG_NS_PER_MS), booked = 0;
		int64_t used =
			pick(0, 2) == 0 ? (int64_t)pick(0, 300000000) : (int64_t)pick(0, 200);

		while (booked < ticks) {
			int64_t step = (int64_t)pick(1, (uint64_t)(ticks - booked));

			booked += step;
			hg_ledger_charge(&often, used * step, at_ns + booked * 100 * HG_NS_PER_MS);
		}
		at_ns += for_ns;
		hg_ledger_charge(&once, used * ticks, at_ns);
		HG_CHECK_EQ(memcmp(&once, &often, sizeof(once)), 0);
	}
	HG_CHECK_EQ(hg_ledger_check(&once, NULL), 0);
	HG_CHECK_EQ(once.totals.earned_cpu_ns,
		    (uint64_t)((__int128)at_ns * cfg.earn_cpu_ns_per_h / HOUR));
}

static const struct hg_test tests[] = {
	HG_TEST(s6_1_same_result_in_whatever_steps),
	HG_TEST(broken_twins_are_noticed),
	HG_TEST(s6_1_ten_years_in_random_steps_end_with_no_drift),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
