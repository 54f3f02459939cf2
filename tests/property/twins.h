/* twins: random histories by number, and broken twins that must be noticed in one of them.
 *
 * Use        The file has run(seed, lie): a history from that seed, with a liar of that kind between it and what it checks;
 *            it returns what is wrong, or NULL. NOTICED(name, LIE) is then a test.
 * Arguments  --seed and --rounds, by tests/harness.h.
 * Used by    tests/property/sched_property.c, sched_pass_property.c, sched_window_property.c, codel_property.c.
 */
#ifndef HG_TESTS_PROPERTY_TWINS_H
#define HG_TESTS_PROPERTY_TWINS_H

#include "tests/harness.h"

/* A lie that so many histories do not show is none that they check. */
#define TWIN_ROUNDS 200u

static inline unsigned n_rounds(unsigned by_default)
{
	return hg_test_rounds > 0 ? hg_test_rounds : by_default;
}

static inline uint64_t round_seed(unsigned round)
{
	return hg_test_seed * 1000003 + round;
}

#define NOTICED(test, lie)                                                                     \
	static void test(void)                                                                 \
	{                                                                                      \
		unsigned twin_round = 0;                                                       \
                                                                                               \
		while (twin_round < TWIN_ROUNDS && run(round_seed(twin_round), (lie)) == NULL) \
			twin_round++;                                                          \
		if (twin_round == TWIN_ROUNDS)                                                 \
			HG_TEST_FAIL("%s was not noticed", #lie);                              \
	}

#endif
