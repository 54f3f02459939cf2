#include "core/absence.h"

#include "tests/harness.h"

#define MS HG_NS_PER_MS

static struct hg_absence a;

static hg_ns since(hg_ns since_ns)
{
	return hg_absence_since(&a, since_ns, HG_ABSENCE_MIN_NS);
}

/* At work from its first turn on, which is at 1 s. */
static hg_ns begin(void)
{
	hg_absence_init(&a);
	hg_absence_here(&a, 1000 * MS);
	return 1000 * MS;
}

static void who_is_at_work_was_not_absent(void)
{
	hg_ns now_ns = begin();

	for (unsigned i = 0; i < 1000; i++) {
		now_ns += HG_ABSENCE_MIN_NS;
		hg_absence_here(&a, now_ns);
	}
	HG_CHECK_EQ(since(1000 * MS), 0);
}

static void s1_3_who_was_not_run_was_absent(void)
{
	hg_ns now_ns = begin();

	hg_absence_here(&a, now_ns + 1 * MS);
	hg_absence_here(&a, now_ns + 251 * MS);
	hg_absence_here(&a, now_ns + 252 * MS);
	/* What waits since before, since the midst of it, and since it was there again. */
	HG_CHECK_EQ(since(now_ns), 250 * MS);
	HG_CHECK_EQ(since(now_ns + 1 * MS), 250 * MS);
	HG_CHECK_EQ(since(now_ns + 101 * MS), 150 * MS);
	HG_CHECK_EQ(since(now_ns + 251 * MS), 0);
	/* Another one adds to it. */
	hg_absence_here(&a, now_ns + 300 * MS);
	HG_CHECK_EQ(since(now_ns), 298 * MS);
	HG_CHECK_EQ(since(now_ns + 251 * MS), 48 * MS);
}

/* A busy host takes the processor away for milliseconds, again and again: each time counts, and what lies between does
 * not. */
static void s1_3_short_spells_add_up(void)
{
	const hg_ns there_ns = HG_ABSENCE_MIN_NS / 4, away_ns = 3 * MS;
	hg_ns now_ns = begin();

	for (unsigned i = 0; i < 20; i++) {
		for (unsigned turn = 0; turn < 4; turn++)
			hg_absence_here(&a, now_ns += there_ns);
		hg_absence_here(&a, now_ns += away_ns);
	}
	for (unsigned n = 0; n <= 20; n++)
		HG_CHECK_EQ(since(now_ns - n * (4 * there_ns + away_ns)), n * away_ns);
	/* Since the midst of the third last. */
	HG_CHECK_EQ(since(now_ns - 2 * (4 * there_ns + away_ns) - 1 * MS), 2 * away_ns + 1 * MS);
	/* Who asks for long ones finds the one that is. */
	hg_absence_here(&a, now_ns += 30 * MS);
	HG_CHECK_EQ(hg_absence_since(&a, 1000 * MS, 10 * MS), 30 * MS);
}

static void s1_3_its_clock_stands_still_meanwhile(void)
{
	hg_ns now_ns = begin(), served_ns = hg_absence_served(&a, now_ns);

	hg_absence_here(&a, now_ns + 1 * MS);
	hg_absence_here(&a, now_ns + 251 * MS);
	HG_CHECK_EQ(hg_absence_served(&a, now_ns + 251 * MS), served_ns + 1 * MS);
	/* Who sleeps on purpose is there. */
	hg_absence_until(&a, now_ns + 300 * MS);
	hg_absence_here(&a, now_ns + 302 * MS);
	HG_CHECK_EQ(hg_absence_served(&a, now_ns + 303 * MS), served_ns + 51 * MS);
}

static void s1_3_who_slept_on_purpose_was_not_absent(void)
{
	hg_ns now_ns = begin();

	hg_absence_until(&a, now_ns + 300 * MS);
	hg_absence_here(&a, now_ns + 300 * MS);
	HG_CHECK_EQ(since(now_ns), 0);
	hg_absence_until(&a, HG_NEVER);
	hg_absence_here(&a, now_ns + 900 * MS);
	HG_CHECK_EQ(since(now_ns), 0);
	/* Called before its time it is there, and due from then on. */
	hg_absence_until(&a, now_ns + 2000 * MS);
	hg_absence_here(&a, now_ns + 1000 * MS);
	hg_absence_here(&a, now_ns + 1100 * MS);
	HG_CHECK_EQ(since(now_ns), 100 * MS);
	/* Who overslept was, for as long as it did. */
	begin();
	hg_absence_until(&a, now_ns + 300 * MS);
	hg_absence_here(&a, now_ns + 350 * MS);
	HG_CHECK_EQ(since(now_ns), 50 * MS);
}

static void s7_11_who_stood_aside_was_absent(void)
{
	hg_ns now_ns = begin();

	hg_absence_until(&a, now_ns + 1000 * MS);
	hg_absence_leave(&a, now_ns + 100 * MS);
	hg_absence_leave(&a, now_ns + 200 * MS);
	hg_absence_here(&a, now_ns + 400 * MS);
	HG_CHECK_EQ(since(now_ns), 300 * MS);
}

static void s7_11_who_begins_was_absent_before(void)
{
	hg_ns now_ns = begin();

	HG_CHECK_EQ(since(now_ns - 700 * MS), 700 * MS);
	HG_CHECK_EQ(since(now_ns), 0);
}

static void never_more_than_what_is_asked_for(void)
{
	hg_ns now_ns = begin();

	for (unsigned i = 0; i < 10 * HG_ABSENCE_SPELLS; i++) {
		now_ns += 20 * MS;
		hg_absence_here(&a, now_ns);
		HG_CHECK(since(0) <= now_ns);
	}
	/* Those that are known, and no older ones. */
	HG_CHECK_EQ(since(now_ns - 5 * 20 * MS), 5 * 20 * MS);
	HG_CHECK_EQ(since(0), HG_ABSENCE_SPELLS * 20 * MS);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(who_is_at_work_was_not_absent),
		HG_TEST(s1_3_who_was_not_run_was_absent),
		HG_TEST(s1_3_short_spells_add_up),
		HG_TEST(s1_3_its_clock_stands_still_meanwhile),
		HG_TEST(s1_3_who_slept_on_purpose_was_not_absent),
		HG_TEST(s7_11_who_stood_aside_was_absent),
		HG_TEST(s7_11_who_begins_was_absent_before),
		HG_TEST(never_more_than_what_is_asked_for),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
