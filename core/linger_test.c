#include "core/linger.h"

#include "tests/harness.h"

#define US HG_NS_PER_US
#define MAX_NS HG_LINGER_MAX_NS

static struct hg_linger l;
static hg_ns now_ns;

static void begin(void)
{
	l = (struct hg_linger){0};
	now_ns = 1;
}

/* It is handed a frame and answers after so long; returns for how long it was to be looked for the answer. The rest is
 * as a worker does it: who looks ends when that time is over. */
static hg_ns exchange(hg_ns took_ns)
{
	hg_ns for_ns = hg_linger_handed(&l, now_ns);

	if (took_ns > for_ns)
		hg_linger_ends(&l);
	now_ns += took_ns;
	hg_linger_came(&l, now_ns);
	return for_ns;
}

/* Of n exchanges, for how long it is looked in vain. */
static hg_ns in_vain_ns(unsigned n, hg_ns quick_ns, hg_ns slow_ns, unsigned slow_each)
{
	hg_ns sum_ns = 0;

	for (unsigned i = 1; i <= n; i++) {
		hg_ns took_ns = i % slow_each == 0 ? slow_ns : quick_ns, for_ns = exchange(took_ns);

		if (took_ns > for_ns)
			sum_ns += for_ns;
	}
	return sum_ns;
}

static void s5_1_who_never_answered_is_not_waited_for(void)
{
	begin();
	for (unsigned i = 0; i < 1000; i++) {
		HG_CHECK_EQ(hg_linger_handed(&l, now_ns), 0);
		hg_linger_ends(&l);
		now_ns += 10 * US;
	}
	/* Nor who speaks unasked. */
	begin();
	for (unsigned i = 0; i < 1000; i++)
		hg_linger_came(&l, now_ns += 10 * US);
	HG_CHECK_EQ(hg_linger_handed(&l, now_ns), 0);
}

/* It answered often, and from now on it is only handed frames, each before the look for the one before is over. */
static void s5_1_a_stream_without_answers_is_no_reason_to_look(void)
{
	hg_ns since_ns, until_ns = 0;

	begin();
	for (unsigned i = 0; i < HG_LINGER_MOST; i++)
		(void)exchange(300 * US);
	since_ns = now_ns;
	for (unsigned i = 0; i < 1000; i++, now_ns += 100 * US) {
		hg_ns for_ns = hg_linger_handed(&l, now_ns);

		if (for_ns > 0)
			until_ns = now_ns + for_ns;
		else if (now_ns >= until_ns)
			hg_linger_ends(&l);
	}
	HG_CHECK_BETWEEN(until_ns - since_ns, 1, MAX_NS);
	/* It was in vain once. */
	HG_CHECK_EQ(l.points, HG_LINGER_MOST - HG_LINGER_MISS);
}

static void s5_1_who_answers_in_time_is_waited_for_twice_as_long(void)
{
	begin();
	for (unsigned i = 0; i < HG_LINGER_LEAST; i++)
		HG_CHECK_EQ(exchange(200 * US), 0);
	HG_CHECK_EQ(exchange(200 * US), 400 * US);
	/* A slow one is remembered, and forgotten. */
	HG_CHECK_EQ(exchange(350 * US), 400 * US);
	HG_CHECK_EQ(exchange(200 * US), 700 * US);
	for (unsigned i = 0; i < 100; i++)
		(void)exchange(200 * US);
	HG_CHECK_BETWEEN(exchange(200 * US), 400 * US, 401 * US);
	/* And never for longer than it is worth. */
	(void)exchange(MAX_NS);
	HG_CHECK_EQ(exchange(200 * US), MAX_NS);
}

/* Several frames may be handed over before the first answer. */
static void s5_1_an_answer_is_timed_from_the_first_frame(void)
{
	begin();
	for (unsigned i = 0; i < 100; i++) {
		(void)hg_linger_handed(&l, now_ns);
		(void)hg_linger_handed(&l, now_ns + 100 * US);
		now_ns += 300 * US;
		hg_linger_came(&l, now_ns);
	}
	HG_CHECK_EQ(hg_linger_handed(&l, now_ns), 600 * US);
}

/* A second between two: nobody spins for that. */
static void s5_1_who_answers_late_is_not_waited_for(void)
{
	begin();
	HG_CHECK_EQ(in_vain_ns(1000, MAX_NS + 1, MAX_NS + 1, 1), 0);
	/* Who did in time before costs what it had earned, and no more. */
	for (unsigned i = 0; i < 1000; i++)
		(void)exchange(100 * US);
	HG_CHECK(in_vain_ns(1000, HG_NS_PER_S, HG_NS_PER_S, 1) <=
		 (HG_LINGER_MOST / HG_LINGER_MISS + 1) * MAX_NS);
	HG_CHECK_EQ(exchange(HG_NS_PER_S), 0);
}

static void s5_1_looking_in_vain_is_paid_for_by_answers(void)
{
	/* Each second one is late: hardly ever. */
	begin();
	HG_CHECK(in_vain_ns(10000, 100 * US, 5 * HG_NS_PER_MS, 2) <=
		 10000 / HG_LINGER_MISS * MAX_NS);
	/* One in a hundred is no reason to give up. */
	begin();
	HG_CHECK(in_vain_ns(10000, 100 * US, 5 * HG_NS_PER_MS, 100) <= 100 * MAX_NS);
	HG_CHECK(exchange(100 * US) > 0);
}

/* Who is to answer has no processor while it is looked: answers come only to those who sleep. */
static void s5_1_who_is_kept_from_answering_is_let(void)
{
	unsigned n_looks = 0;

	begin();
	for (unsigned i = 0; i < 10000; i++) {
		hg_ns for_ns = hg_linger_handed(&l, now_ns);

		n_looks += for_ns > 0;
		now_ns += for_ns;
		hg_linger_ends(&l);
		now_ns += 100 * US;
		hg_linger_came(&l, now_ns);
	}
	HG_CHECK_BETWEEN(n_looks, 1, 10000 / HG_LINGER_MISS + 1);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_who_never_answered_is_not_waited_for),
		HG_TEST(s5_1_a_stream_without_answers_is_no_reason_to_look),
		HG_TEST(s5_1_who_answers_in_time_is_waited_for_twice_as_long),
		HG_TEST(s5_1_an_answer_is_timed_from_the_first_frame),
		HG_TEST(s5_1_who_answers_late_is_not_waited_for),
		HG_TEST(s5_1_looking_in_vain_is_paid_for_by_answers),
		HG_TEST(s5_1_who_is_kept_from_answering_is_let),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
