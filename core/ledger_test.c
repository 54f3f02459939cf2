#include "core/ledger.h"

#include "tests/harness.h"

#define S HG_NS_PER_S
#define HOUR (3600 * S)
#define DAY (24 * HOUR)
#define CREDIT HG_CREDIT_CPU_NS

/* A family that everybody knows: 6 credits an hour, 144 at most, for a day, 30 at launch. */
static const struct hg_ledger_cfg micro = {
	.earn_cpu_ns_per_h = 6 * CREDIT,
	.max_cpu_ns = 144 * CREDIT,
	.launch_cpu_ns = 30 * CREDIT,
	.surplus_max_cpu_ns = 144 * CREDIT,
	.max_age_ns = DAY,
};

static struct hg_ledger of(struct hg_ledger_cfg cfg, int64_t launch_cpu_ns)
{
	struct hg_ledger l;
	struct hg_error err = {0};

	cfg.launch_cpu_ns = launch_cpu_ns;
	HG_CHECK_EQ(hg_ledger_validate(&cfg, &err), 0);
	hg_ledger_init(&l, &cfg, 0);
	return l;
}

static void is_sound(const struct hg_ledger *l)
{
	struct hg_error err = {0};

	if (hg_ledger_check(l, &err) < 0)
		HG_TEST_FAIL("%s: %s", err.path, err.text);
}

static void s6_1_earns_at_its_rate_up_to_its_maximum(void)
{
	struct hg_ledger l = of(micro, 0);

	hg_ledger_charge(&l, 0, HOUR);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&l), 6 * CREDIT);
	hg_ledger_charge(&l, 0, HOUR + 1);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&l),
		    6 * CREDIT); /* a tenth of a nanosecond is carried */
	hg_ledger_charge(&l, 0, HOUR + 10);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&l), 6 * CREDIT + 1);
	hg_ledger_charge(&l, 0, 10 * DAY);
	/* Full but for the slot that expired just now. */
	HG_CHECK_BETWEEN(hg_ledger_balance_cpu_ns(&l), 144 * CREDIT * 63 / 64, 144 * CREDIT);
	is_sound(&l);
}

static void s6_1_without_age_the_maximum_alone_binds(void)
{
	struct hg_ledger_cfg cfg = micro;
	struct hg_ledger l;

	cfg.max_age_ns = 0;
	l = of(cfg, 0);
	hg_ledger_charge(&l, 0, 400 * DAY);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&l), 144 * CREDIT);
	HG_CHECK_EQ(l.totals.lost_cpu_ns, (400 * 144 - 144) * (uint64_t)CREDIT);
	HG_CHECK_EQ(l.totals.expired_cpu_ns, 0);
	is_sound(&l);
}

static void s6_1_credits_expire_by_age(void)
{
	struct hg_ledger_cfg cfg = micro;
	struct hg_ledger l;

	cfg.max_cpu_ns = 1000 * CREDIT;
	l = of(cfg, 0);
	hg_ledger_charge(&l, 0, HOUR);
	cfg.earn_cpu_ns_per_h = 0;
	hg_ledger_apply(&l, &cfg, HOUR);
	hg_ledger_charge(&l, 0, DAY);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&l), 6 * CREDIT);
	hg_ledger_charge(&l, 0, DAY + HOUR + DAY / HG_LEDGER_SLOTS);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&l), 0);
	HG_CHECK_EQ(l.totals.expired_cpu_ns, 6 * CREDIT);
	is_sound(&l);
}

static void s6_1_oldest_are_spent_first(void)
{
	struct hg_ledger_cfg cfg = micro;
	struct hg_ledger l;

	cfg.max_cpu_ns = 1000 * CREDIT;
	l = of(cfg, 0);
	hg_ledger_charge(&l, 0, 20 * HOUR);
	/* What was earned in the first ten hours is used: nothing of it is there to expire. */
	hg_ledger_charge(&l, 60 * CREDIT, 20 * HOUR);
	hg_ledger_charge(&l, 0, 34 * HOUR);
	HG_CHECK_EQ(l.totals.expired_cpu_ns, 0);
	hg_ledger_charge(&l, 0, 40 * HOUR);
	HG_CHECK(l.totals.expired_cpu_ns > 0);
	is_sound(&l);
}

static void s6_2_spends_what_is_used_to_the_nanosecond(void)
{
	struct hg_ledger l = of(micro, 0);

	hg_ledger_charge(&l, 0, HOUR);
	hg_ledger_charge(&l, 5 * CREDIT + 7, 2 * HOUR);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&l), 7 * CREDIT - 7);
	is_sound(&l);
}

static void s6_4_launch_credits_go_first_and_do_not_count_against_the_maximum(void)
{
	struct hg_ledger l = of(micro, 30 * CREDIT);

	hg_ledger_charge(&l, 0, DAY);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&l), 174 * CREDIT);
	hg_ledger_charge(&l, 20 * CREDIT, DAY);
	HG_CHECK_EQ(l.gift_cpu_ns, 10 * CREDIT);
	hg_ledger_charge(&l, 20 * CREDIT, DAY);
	HG_CHECK_EQ(l.gift_cpu_ns, 0);
	hg_ledger_charge(&l, 0, 3 * DAY);
	HG_CHECK_EQ(l.gift_cpu_ns, 0); /* not earned again */
	is_sound(&l);
}

static void s6_9_surplus_is_booked_repaid_and_charged_beyond_its_limit(void)
{
	struct hg_ledger_cfg cfg = micro;
	struct hg_ledger l;

	cfg.mode = HG_CREDIT_UNLIMITED;
	l = of(cfg, 0);
	hg_ledger_charge(&l, 16 * CREDIT, HOUR);
	HG_CHECK_EQ(l.surplus_cpu_ns, 10 * CREDIT);
	hg_ledger_charge(&l, 0, 2 * HOUR);
	HG_CHECK_EQ(l.surplus_cpu_ns, 4 * CREDIT);
	HG_CHECK_EQ(l.earned_cpu_ns, 0);
	hg_ledger_charge(&l, 0, 3 * HOUR);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&l), 2 * CREDIT);
	hg_ledger_charge(&l, 152 * CREDIT, 4 * HOUR);
	HG_CHECK_EQ(l.surplus_cpu_ns, 144 * CREDIT);
	HG_CHECK_EQ(l.totals.charged_cpu_ns, 0);
	hg_ledger_charge(&l, 16 * CREDIT, 5 * HOUR);
	HG_CHECK_EQ(l.surplus_cpu_ns, 144 * CREDIT);
	HG_CHECK_EQ(l.totals.charged_cpu_ns, 10 * CREDIT);
	is_sound(&l);
}

static void s6_11_transfer_is_all_or_nothing_and_keeps_ages(void)
{
	struct hg_ledger_cfg cfg = micro;
	struct hg_ledger from, to;
	struct hg_error err = {0};

	from = of(cfg, 0);
	cfg.earn_cpu_ns_per_h = 0;
	to = of(cfg, 0);
	hg_ledger_charge(&from, 0, 20 * HOUR);
	hg_ledger_charge(&to, 0, 20 * HOUR);
	HG_CHECK_EQ(hg_ledger_transfer(&from, &to, 121 * CREDIT, &err), -HG_ENOSPC);
	HG_CHECK_HAS(err.text, "120.00 credits");
	HG_CHECK_EQ(hg_ledger_transfer(&from, &to, 60 * CREDIT, NULL), 0);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&from), 60 * CREDIT);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&to), 60 * CREDIT);
	is_sound(&from);
	is_sound(&to);
	/* The oldest went, ten hours' worth; with age they expire there as they would have here. */
	hg_ledger_charge(&to, 0, 24 * HOUR);
	HG_CHECK_EQ(to.totals.expired_cpu_ns, 0);
	hg_ledger_charge(&to, 0, 30 * HOUR);
	HG_CHECK(to.totals.expired_cpu_ns > 0);
	hg_ledger_charge(&to, 0, 35 * HOUR);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&to), 0);
}

static void s6_11_transfer_beyond_the_receivers_maximum_is_refused(void)
{
	struct hg_ledger from = of(micro, 0), to;
	struct hg_ledger_cfg cfg = micro;
	struct hg_error err = {0};

	cfg.max_cpu_ns = 10 * CREDIT;
	to = of(cfg, 0);
	hg_ledger_charge(&from, 0, 20 * HOUR);
	hg_ledger_charge(&to, 0, 1 * HOUR);
	HG_CHECK_EQ(hg_ledger_transfer(&from, &to, 5 * CREDIT, &err), -HG_ENOSPC);
	HG_CHECK_HAS(err.text, "4.00 credits");
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&to), 6 * CREDIT);
}

static void s6_12_forecast_of_exhaustion(void)
{
	struct hg_ledger l = of(micro, 0);

	hg_ledger_charge(&l, 0, 9 * HOUR);
	/* 54 credits, one processor busy: 60 an hour less 6. */
	HG_CHECK_EQ(hg_ledger_exhausted_at_ns(&l, 1000), 10 * HOUR);
	HG_CHECK_EQ(hg_ledger_exhausted_at_ns(&l, 100), HG_NEVER);
	hg_ledger_charge(&l, 54 * CREDIT, 10 * HOUR);
	hg_ledger_grant(&l, 30 * CREDIT);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&l), 36 * CREDIT);
	HG_CHECK_EQ(hg_ledger_exhausted_at_ns(&l, 1000), 10 * HOUR + 40 * 60 * S);
}

static void s6_7_skipped_time_neither_earns_nor_ages(void)
{
	struct hg_ledger_cfg cfg = micro;
	struct hg_ledger l;

	cfg.max_cpu_ns = 1000 * CREDIT;
	l = of(cfg, 0);
	hg_ledger_charge(&l, 0, 10 * HOUR);
	hg_ledger_skip(&l, 100 * DAY);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&l), 60 * CREDIT);
	is_sound(&l);
	hg_ledger_charge(&l, 0, 100 * DAY + 13 * HOUR);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&l), 138 * CREDIT);
	HG_CHECK_EQ(l.totals.expired_cpu_ns, 0);
}

static void s6_1_another_contract_keeps_what_was_earned(void)
{
	struct hg_ledger l = of(micro, 30 * CREDIT);
	struct hg_ledger_cfg cfg = micro;

	hg_ledger_charge(&l, 0, 10 * HOUR);
	cfg.max_age_ns = 2 * DAY;
	cfg.max_cpu_ns = 50 * CREDIT;
	hg_ledger_apply(&l, &cfg, 10 * HOUR);
	HG_CHECK_EQ(l.earned_cpu_ns, 50 * CREDIT);
	HG_CHECK_EQ(l.gift_cpu_ns, 30 * CREDIT);
	HG_CHECK_EQ(l.totals.lost_cpu_ns, 10 * CREDIT);
	is_sound(&l);
}

static void s6_1_what_cannot_be_is_refused(void)
{
	static const struct {
		struct hg_ledger_cfg cfg;
		const char *path, *text;
	} rows[] = {
		{{.earn_cpu_ns_per_h = -1}, "earn", "0 to 245,760"},
		{{.earn_cpu_ns_per_h = HG_LEDGER_EARN_MAX_CPU_NS_PER_H + 1}, "earn", "credits"},
		{{.max_cpu_ns = -1}, "max", "0 to 10,000,000"},
		{{.launch_cpu_ns = INT64_MAX}, "launch", "credits"},
		{{.surplus_max_cpu_ns = -5}, "surplus_max", "credits"},
		{{.max_age_ns = S}, "max_age", "1m to"},
		{{.mode = (enum hg_credit_mode)7}, "mode", "standard, unlimited"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hg_error err = {0};

		HG_CHECK_EQ(hg_ledger_validate(&rows[i].cfg, &err), -HG_EINVAL);
		HG_CHECK_STR(err.path, rows[i].path);
		HG_CHECK_HAS(err.text, rows[i].text);
	}
}

static void s6_7_stored_nonsense_is_noticed(void)
{
	struct hg_ledger good = of(micro, 0), bad;
	struct hg_error err;

	hg_ledger_charge(&good, 0, HOUR);
#define BAD(change, field)                                            \
	do {                                                          \
		bad = good;                                           \
		err = (struct hg_error){0};                           \
		bad.change;                                           \
		HG_CHECK_EQ(hg_ledger_check(&bad, &err), -HG_EINVAL); \
		HG_CHECK_STR(err.path, field);                        \
	} while (0)
	BAD(gift_cpu_ns = -1, "gift");
	BAD(earned_cpu_ns += 1, "earned");
	BAD(surplus_cpu_ns = 1, "surplus");
	BAD(slots_cpu_ns[3] = -1, "slots");
	BAD(remainder = HOUR, "remainder");
	BAD(newest_slot += 1, "newest_slot");
	BAD(totals.used_cpu_ns += 1, "totals");
	BAD(at_ns = -1, "at");
#undef BAD
}

/* ---- from place to place ------------------------------------------------------------------------ */

static void save_of(const struct hg_ledger *l, struct hg_ledger_saved *ret)
{
	struct hg_error err = {0};

	HG_CHECK_EQ(hg_ledger_save(l, ret, &err), 0);
	HG_CHECK_EQ(hg_ledger_saved_check(ret, &err), 0);
}

static void s6_7_saved_and_restored_is_the_same_to_the_nanosecond(void)
{
	struct hg_ledger l = of(micro, 7 * CREDIT), before;
	struct hg_ledger_saved saved;

	for (hg_ns now = HOUR; now <= 30 * HOUR; now += 37 * 60 * S + 12345) {
		hg_ledger_charge(&l, 11, now);
		save_of(&l, &saved);
		before = l;
		hg_ledger_restore(&l, &saved);
		is_sound(&l);
		HG_CHECK_EQ(memcmp(l.slots_cpu_ns, before.slots_cpu_ns, sizeof(l.slots_cpu_ns)), 0);
		HG_CHECK_EQ(l.gift_cpu_ns, before.gift_cpu_ns);
		HG_CHECK_EQ(l.earned_cpu_ns, before.earned_cpu_ns);
		HG_CHECK_EQ(l.remainder, before.remainder);
	}
	HG_CHECK(saved.n_parts > 60);
}

/* The other host's clock began a minute ago: what is 23 hours old expires in an hour there, too. */
static void s6_7_ages_go_along_to_a_younger_clock(void)
{
	const hg_ns slot = DAY / 64;
	struct hg_ledger_cfg idle = micro;
	struct hg_ledger from = of(micro, 0), to;
	struct hg_ledger_saved saved;

	hg_ledger_charge(&from, 0, HOUR);
	idle.earn_cpu_ns_per_h = 0;
	hg_ledger_apply(&from, &idle, HOUR);
	hg_ledger_charge(&from, 0, 24 * HOUR);
	HG_CHECK_EQ(from.earned_cpu_ns, 6 * CREDIT);
	save_of(&from, &saved);
	to = of(idle, 0);
	hg_ledger_charge(&to, 0, 60 * S);
	hg_ledger_restore(&to, &saved);
	is_sound(&to);
	HG_CHECK_EQ(to.earned_cpu_ns, 6 * CREDIT);
	hg_ledger_charge(&from, 0, 25 * HOUR + slot);
	HG_CHECK_EQ(from.earned_cpu_ns, 0);
	hg_ledger_charge(&to, 0, 60 * S + 10 * 60 * S);
	HG_CHECK(to.earned_cpu_ns > 0);
	hg_ledger_charge(&to, 0, 60 * S + HOUR + 2 * slot);
	HG_CHECK_EQ(to.earned_cpu_ns, 0);
	is_sound(&to);
}

static void s6_7_what_arrives_replaces_and_stays_within_the_terms(void)
{
	struct hg_ledger l = of(micro, 30 * CREDIT);
	struct hg_ledger_saved saved = {.gift_cpu_ns = 5 * CREDIT,
					.n_parts = 2,
					.parts = {{100 * CREDIT, 2 * HOUR}, {60 * CREDIT, HOUR}}};

	hg_ledger_charge(&l, 0, 5 * HOUR);
	hg_ledger_restore(&l, &saved);
	is_sound(&l);
	HG_CHECK_EQ(l.gift_cpu_ns, 5 * CREDIT);
	HG_CHECK_EQ(l.earned_cpu_ns, 144 * CREDIT);
	HG_CHECK_EQ(l.totals.lost_cpu_ns, 16 * CREDIT);
	saved = (struct hg_ledger_saved){.surplus_cpu_ns = 150 * CREDIT};
	hg_ledger_restore(&l, &saved);
	is_sound(&l);
	HG_CHECK_EQ(l.surplus_cpu_ns, 144 * CREDIT);
	HG_CHECK_EQ(l.totals.charged_cpu_ns, 6 * CREDIT);
	hg_ledger_empty(&l);
	is_sound(&l);
	HG_CHECK_EQ(hg_ledger_balance_cpu_ns(&l), 0);
	hg_ledger_grant(&l, HG_LEDGER_AMOUNT_MAX_CPU_NS);
	hg_ledger_grant(&l, 1);
	HG_CHECK_EQ(hg_ledger_save(&l, &saved, NULL), -HG_ENOSPC);
}

static void s6_7_saved_nonsense_is_refused(void)
{
	const struct hg_ledger_saved good = {.n_parts = 2, .parts = {{CREDIT, HOUR}, {CREDIT, 0}}};
	struct hg_ledger_saved bad;
	struct hg_error err = {0};

	HG_CHECK_EQ(hg_ledger_saved_check(&good, &err), 0);
#define BAD(change, field)                                                  \
	do {                                                                \
		bad = good;                                                 \
		err = (struct hg_error){0};                                 \
		bad.change;                                                 \
		HG_CHECK_EQ(hg_ledger_saved_check(&bad, &err), -HG_EINVAL); \
		HG_CHECK_STR(err.path, field);                              \
	} while (0)
	BAD(gift_cpu_ns = -1, "gift_cpu_ns");
	BAD(surplus_cpu_ns = 1, "surplus_cpu_ns");
	BAD(surplus_cpu_ns = HG_LEDGER_BALANCE_MAX_CPU_NS + 1, "surplus_cpu_ns");
	BAD(remainder = HOUR, "remainder");
	BAD(n_parts = 66, "earned");
	BAD(parts[1].cpu_ns = HG_LEDGER_BALANCE_MAX_CPU_NS, "earned");
	BAD(parts[1].cpu_ns = -1, "earned");
	BAD(parts[1].age_ns = -1, "earned");
#undef BAD
}

static const struct hg_test tests[] = {
	HG_TEST(s6_1_earns_at_its_rate_up_to_its_maximum),
	HG_TEST(s6_1_without_age_the_maximum_alone_binds),
	HG_TEST(s6_1_credits_expire_by_age),
	HG_TEST(s6_1_oldest_are_spent_first),
	HG_TEST(s6_1_another_contract_keeps_what_was_earned),
	HG_TEST(s6_1_what_cannot_be_is_refused),
	HG_TEST(s6_2_spends_what_is_used_to_the_nanosecond),
	HG_TEST(s6_4_launch_credits_go_first_and_do_not_count_against_the_maximum),
	HG_TEST(s6_7_skipped_time_neither_earns_nor_ages),
	HG_TEST(s6_7_stored_nonsense_is_noticed),
	HG_TEST(s6_7_saved_and_restored_is_the_same_to_the_nanosecond),
	HG_TEST(s6_7_ages_go_along_to_a_younger_clock),
	HG_TEST(s6_7_what_arrives_replaces_and_stays_within_the_terms),
	HG_TEST(s6_7_saved_nonsense_is_refused),
	HG_TEST(s6_9_surplus_is_booked_repaid_and_charged_beyond_its_limit),
	HG_TEST(s6_11_transfer_is_all_or_nothing_and_keeps_ages),
	HG_TEST(s6_11_transfer_beyond_the_receivers_maximum_is_refused),
	HG_TEST(s6_12_forecast_of_exhaustion),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
