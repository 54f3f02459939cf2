#include "core/codel.h"

#include "tests/harness.h"

#define US HG_NS_PER_US
#define MS HG_NS_PER_MS
#define TARGET_NS HG_CODEL_TARGET_NS
#define INTERVAL_NS HG_CODEL_INTERVAL_NS
#define LEAST_BYTES HG_CODEL_LEAST_BYTES

static struct hg_codel c;
static hg_ns now_ns;

static void begin(void)
{
	c = (struct hg_codel){0};
	now_ns = 3600 * HG_NS_PER_S;
}

/* A packet of a queue leaves after so long, with so much behind it, and takes a mark that is due. */
static bool leaves_behind(uint8_t queue, hg_ns stood_ns, uint32_t left_bytes)
{
	bool is_due = hg_codel_is_due(&c, queue, stood_ns, left_bytes, now_ns);

	if (is_due)
		hg_codel_marked(&c, now_ns);
	return is_due;
}

static bool leaves(uint8_t queue, hg_ns stood_ns)
{
	return leaves_behind(queue, stood_ns, LEAST_BYTES);
}

/* One each 10 us, all of which stood too long. Returns how many were marked. */
static unsigned stands(hg_ns for_ns)
{
	unsigned n_marked = 0;

	for (hg_ns end_ns = now_ns + for_ns; now_ns < end_ns; now_ns += 10 * US)
		n_marked += leaves(0, TARGET_NS + 1);
	return n_marked;
}

/* One each 10 us, up to one that is marked. Returns how long that took. */
static hg_ns until_marked(void)
{
	hg_ns began_ns = now_ns;

	while (!leaves(0, TARGET_NS + 1))
		now_ns += 10 * US;
	return now_ns - began_ns;
}

/* The most that is no more than the interval by the root of n. */
static bool is_step(hg_ns step_ns, unsigned n)
{
	uint64_t most = (uint64_t)(INTERVAL_NS * INTERVAL_NS), step = (uint64_t)step_ns;

	return step * step * n <= most && (step + 1) * (step + 1) * n > most;
}

static void s1_3_what_did_not_stand_too_long_is_not_marked(void)
{
	begin();
	for (unsigned i = 0; i < 100000; i++, now_ns += 10 * US)
		HG_CHECK(!leaves(0, TARGET_NS));
	/* Nor what did for less than an interval, again and again. */
	for (unsigned i = 0; i < 1000; i++) {
		HG_CHECK_EQ(stands(INTERVAL_NS), 0);
		HG_CHECK(!leaves(0, TARGET_NS));
	}
}

static void s1_3_what_stands_for_an_interval_is_marked(void)
{
	begin();
	HG_CHECK_EQ(until_marked(), INTERVAL_NS);
	HG_CHECK_EQ(until_marked(), INTERVAL_NS);
	/* 1 + 1/sqrt(2) intervals after the first. */
	HG_CHECK_BETWEEN(until_marked(), INTERVAL_NS * 70 / 100, INTERVAL_NS * 71 / 100);
}

/* Each packet is there to the nanosecond when it is due. */
static void s1_3_marks_come_closer_the_longer_it_stands(void)
{
	begin();
	(void)stands(INTERVAL_NS);
	for (unsigned n = 1; n <= HG_CODEL_MARKS_MAX + 10u; n++) {
		hg_ns due_ns = c.at_ns;

		now_ns = due_ns - 1;
		HG_CHECK(!leaves(0, TARGET_NS + 1));
		now_ns = due_ns;
		HG_CHECK(leaves(0, TARGET_NS + 1));
		HG_CHECK(
			is_step(c.at_ns - due_ns, n < HG_CODEL_MARKS_MAX ? n : HG_CODEL_MARKS_MAX));
	}
}

static void s1_3_one_that_did_not_stand_ends_it(void)
{
	begin();
	HG_CHECK(stands(4 * INTERVAL_NS) > 3);
	HG_CHECK(!leaves(0, TARGET_NS));
	HG_CHECK_EQ(until_marked(), INTERVAL_NS);
}

static void s1_3_what_passes_one_queue_says_nothing_of_another(void)
{
	begin();
	for (unsigned i = 0; i < 500; i++, now_ns += 10 * US) {
		HG_CHECK(!leaves(0, TARGET_NS + 1));
		HG_CHECK(!leaves(1, 0));
	}
	HG_CHECK(leaves(0, TARGET_NS + 1));
	/* One that stood elsewhere takes what is due as well. */
	now_ns += INTERVAL_NS;
	HG_CHECK(leaves(1, TARGET_NS + 1));
	/* And where a spell has ended another queue may begin its own. */
	HG_CHECK(!leaves(0, 0));
	HG_CHECK(!leaves(1, TARGET_NS + 1));
	HG_CHECK(!leaves(0, 0));
	now_ns += INTERVAL_NS;
	HG_CHECK(leaves(1, TARGET_NS + 1));
}

/* A link so slow that a few packets take longer than the target. */
static void s1_3_few_packets_do_not_stand_however_slow_the_link(void)
{
	begin();
	for (unsigned i = 0; i < 1000; i++, now_ns += MS)
		HG_CHECK(!leaves_behind(0, HG_CODEL_LONG_NS, LEAST_BYTES - 1));
	/* One that leaves few behind ends what stood. */
	(void)stands(INTERVAL_NS);
	HG_CHECK(!leaves_behind(0, HG_CODEL_LONG_NS, LEAST_BYTES - 1));
	HG_CHECK_EQ(until_marked(), INTERVAL_NS);
}

/* Nobody waits for so long without being told, however few they are. */
static void s1_3_few_packets_are_marked_before_they_wait_too_long(void)
{
	begin();
	HG_CHECK(!leaves_behind(0, HG_CODEL_LONG_NS + 1, 0));
	now_ns += INTERVAL_NS;
	HG_CHECK(leaves_behind(0, HG_CODEL_LONG_NS + 1, 0));
}

/* How many marks in so many intervals, after an end that was so long ago. */
static unsigned stands_again(hg_ns pause_ns)
{
	begin();
	(void)stands(20 * INTERVAL_NS);
	HG_CHECK(!leaves(0, 0));
	now_ns += pause_ns;
	return stands(3 * INTERVAL_NS);
}

static void s1_3_its_pace_is_remembered_and_forgotten(void)
{
	unsigned n_first;

	begin();
	n_first = stands(3 * INTERVAL_NS);
	HG_CHECK(stands_again(HG_CODEL_FORGET_NS) > 5 * n_first);
	HG_CHECK_EQ(stands_again(HG_CODEL_FORGET_NS + 1), n_first);
	/* A spell without a mark between them changes nothing. */
	(void)stands_again(HG_CODEL_FORGET_NS);
	HG_CHECK(!leaves(0, 0));
	HG_CHECK_EQ(stands(INTERVAL_NS), 0);
	HG_CHECK(!leaves(0, 0));
	HG_CHECK(stands(3 * INTERVAL_NS) > 2 * n_first);
}

/* Who does not speak ECN takes no marks, and none of them are lost or saved up. */
static void s1_3_mark_waits_for_one_that_takes_it(void)
{
	begin();
	(void)stands(20 * INTERVAL_NS);
	for (hg_ns end_ns = now_ns + HG_CODEL_FORGET_NS; now_ns < end_ns; now_ns += 10 * US)
		(void)hg_codel_is_due(&c, 0, TARGET_NS + 1, LEAST_BYTES, now_ns);
	HG_CHECK(leaves(0, TARGET_NS + 1));
	/* At one instant: what was late by at most HG_CODEL_LATE_NS. */
	for (unsigned i = 0; i < 8 && leaves(0, TARGET_NS + 1); i++)
		HG_CHECK(i < 7);
	HG_CHECK(now_ns < c.at_ns);
	/* Longer, and nobody knows whether that queue still stands. */
	now_ns = c.at_ns + HG_CODEL_FORGET_NS + 1;
	HG_CHECK(!leaves(1, TARGET_NS + 1));
	HG_CHECK_EQ(until_marked(), INTERVAL_NS);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s1_3_what_did_not_stand_too_long_is_not_marked),
		HG_TEST(s1_3_what_stands_for_an_interval_is_marked),
		HG_TEST(s1_3_marks_come_closer_the_longer_it_stands),
		HG_TEST(s1_3_one_that_did_not_stand_ends_it),
		HG_TEST(s1_3_what_passes_one_queue_says_nothing_of_another),
		HG_TEST(s1_3_few_packets_do_not_stand_however_slow_the_link),
		HG_TEST(s1_3_few_packets_are_marked_before_they_wait_too_long),
		HG_TEST(s1_3_its_pace_is_remembered_and_forgotten),
		HG_TEST(s1_3_mark_waits_for_one_that_takes_it),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
