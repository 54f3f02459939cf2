/* harness: the small table harness of the unit, property and component tests.
 *
 * Why        A test is a function with a name; a failure says file, line and both values; the last line
 *            counts. Meson reads the exit code.
 * Use        static void s1_2_name(void) { HG_CHECK_EQ(got, want); }
 *            int main(int argc, char **argv) { return hg_tests_main(argc, argv, tests); }
 *            with: static const struct hg_test tests[] = { HG_TEST(s1_2_name), {0} };
 *            A test named s1_2_... shows requirement S1.2.
 * Arguments  names of tests to run (default all); --list; --seed N and --rounds N for properties.
 * Promise    A failed check ends that test only; other tests still run. A test may call HG_SKIP(reason).
 */
#ifndef HG_TESTS_HARNESS_H
#define HG_TESTS_HARNESS_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hg_test {
	const char *name;
	void (*run)(void);
};

#define HG_TEST(f)    \
	{             \
#f, f \
	}

/* A file of helpers beside the test's own defines HG_TESTS_HELPER, so that a check that fails in it ends
 * the test like any other. */
#ifdef HG_TESTS_HELPER
extern jmp_buf hg_test_out;
extern uint64_t hg_test_seed;
extern unsigned hg_test_rounds;
#else
jmp_buf hg_test_out;
uint64_t hg_test_seed = 1;
unsigned hg_test_rounds = 0; /* 0: the test's own default */
#endif

#define HG_TEST_FAIL(...)                                       \
	do {                                                    \
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
		fprintf(stderr, __VA_ARGS__);                   \
		fputc('\n', stderr);                            \
		longjmp(hg_test_out, 1);                        \
	} while (0)

#define HG_CHECK(cond)                                     \
	do {                                               \
		if (!(cond))                               \
			HG_TEST_FAIL("not so: %s", #cond); \
	} while (0)

#define HG_CHECK_EQ(got, want)                                                                   \
	do {                                                                                     \
		int64_t hg_got = (int64_t)(got), hg_want = (int64_t)(want);                      \
		if (hg_got != hg_want)                                                           \
			HG_TEST_FAIL("%s is %" PRId64 ", want %" PRId64, #got, hg_got, hg_want); \
	} while (0)

#define HG_CHECK_BETWEEN(got, lo, hi)                                                            \
	do {                                                                                     \
		int64_t hg_got = (int64_t)(got), hg_lo = (int64_t)(lo), hg_hi = (int64_t)(hi);   \
		if (hg_got < hg_lo || hg_got > hg_hi)                                            \
			HG_TEST_FAIL("%s is %" PRId64 ", want [%" PRId64 ", %" PRId64 "]", #got, \
				     hg_got, hg_lo, hg_hi);                                      \
	} while (0)

#define HG_CHECK_STR(got, want)                                                           \
	do {                                                                              \
		const char *hg_got = (got), *hg_want = (want);                            \
		if (strcmp(hg_got, hg_want) != 0)                                         \
			HG_TEST_FAIL("%s is \"%s\", want \"%s\"", #got, hg_got, hg_want); \
	} while (0)

/* The text must contain the part: for messages whose wording may grow. */
#define HG_CHECK_HAS(text, part)                                                                  \
	do {                                                                                      \
		const char *hg_text = (text), *hg_part = (part);                                  \
		if (strstr(hg_text, hg_part) == NULL)                                             \
			HG_TEST_FAIL("%s is \"%s\", want \"%s\" in it", #text, hg_text, hg_part); \
	} while (0)

#define HG_SKIP(why)                                     \
	do {                                             \
		fprintf(stderr, "skipped: %s\n", (why)); \
		longjmp(hg_test_out, 2);                 \
	} while (0)

/* A sanitizer brings an allocator of its own, which the C library's count does not see. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HG_TEST_IS_HEAP_COUNTED 0
#else
#define HG_TEST_IS_HEAP_COUNTED 1
#endif

/* splitmix64: a seeded, portable source for random histories. */
static inline uint64_t hg_test_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* in [lo, hi] */
static inline uint64_t hg_test_between(uint64_t *state, uint64_t lo, uint64_t hi)
{
	return lo + hg_test_random(state) % (hi - lo + 1u);
}

static inline int hg_test_is_chosen(const char *name, int argc, char **argv)
{
	int n_names = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seed") == 0 || strcmp(argv[i], "--rounds") == 0) {
			i++;
			continue;
		}
		n_names++;
		if (strcmp(argv[i], name) == 0)
			return 1;
	}
	return n_names == 0;
}

/* Exit code: 0 all passed; 77 all that ran were skipped; 1 otherwise. The last line is
 * "N passed, N failed, N skipped". */
static inline int hg_tests_main(int argc, char **argv, const struct hg_test *tests)
{
	static volatile unsigned n_passed, n_failed, n_skipped;

	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "--seed") == 0)
			hg_test_seed = strtoull(argv[i + 1], NULL, 0);
		if (strcmp(argv[i], "--rounds") == 0)
			hg_test_rounds = (unsigned)strtoul(argv[i + 1], NULL, 0);
	}
	for (const struct hg_test *volatile t = tests; t->name != NULL; t++) {
		if (argc > 1 && strcmp(argv[1], "--list") == 0) {
			puts(t->name);
			continue;
		}
		if (!hg_test_is_chosen(t->name, argc, argv))
			continue;
		switch (setjmp(hg_test_out)) {
		case 0:
			t->run();
			n_passed++;
			printf("ok       %s\n", t->name);
			break;
		case 1:
			n_failed++;
			printf("FAILED   %s\n", t->name);
			break;
		default:
			n_skipped++;
			printf("skipped  %s\n", t->name);
		}
		fflush(stdout);
	}
	printf("%u passed, %u failed, %u skipped\n", n_passed, n_failed, n_skipped);
	if (n_failed > 0)
		return 1;
	return n_passed == 0 && n_skipped > 0 ? 77 : 0;
}

#endif
