#include "core/histogram.h"
#include "tests/harness.h"

static hg_ns only(hg_ns value_ns)
{
	struct hg_histogram h = {0};

	hg_histogram_add(&h, value_ns, 1);
	return hg_histogram_quantile(&h, 500000);
}

static void histogram_edges(void)
{
	static const struct {
		hg_ns value_ns, edge_ns;
	} rows[] = {
		{-5, 1024},
		{0, 1024},
		{1023, 1024},
		{1024, 1280},
		{1279, 1280},
		{1280, 1536},
		{2047, 2048},
		{2048, 2560},
		{HG_HISTOGRAM_END_NS - 1, INT64_C(2147483648)},
		{HG_HISTOGRAM_END_NS, HG_NEVER},
		{INT64_MAX, HG_NEVER},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		HG_CHECK_EQ(only(rows[i].value_ns), rows[i].edge_ns);
}

static void histogram_of_nothing_is_0(void)
{
	struct hg_histogram h = {0};

	HG_CHECK_EQ(hg_histogram_count(&h), 0);
	HG_CHECK_EQ(hg_histogram_quantile(&h, 990000), 0);
}

static void histogram_ranks(void)
{
	struct hg_histogram h = {0};

	hg_histogram_add(&h, 0, 99);
	hg_histogram_add(&h, 2048, 1);
	HG_CHECK_EQ(hg_histogram_count(&h), 100);
	HG_CHECK_EQ(hg_histogram_quantile(&h, 0), 1024);
	HG_CHECK_EQ(hg_histogram_quantile(&h, 990000), 1024);
	HG_CHECK_EQ(hg_histogram_quantile(&h, 990001), 2560);
	HG_CHECK_EQ(hg_histogram_quantile(&h, 1000000), 2560);
}

static void histogram_difference_of_wrapped_counts(void)
{
	struct hg_histogram a = {0}, b, diff;

	hg_histogram_add(&a, 5000, UINT32_MAX);
	b = a;
	hg_histogram_add(&b, 5000, 3);
	hg_histogram_diff(&a, &b, &diff);
	HG_CHECK_EQ(hg_histogram_count(&diff), 3);
}

static int compare(const void *a, const void *b)
{
	hg_ns x = *(const hg_ns *)a, y = *(const hg_ns *)b;

	return (x > y) - (x < y);
}

/* NULL, or what is wrong with a quantile of n random values; `error_ppm` spoils the answer. */
static const char *fault_of_quantiles(uint64_t *seed, hg_ns error_ppm)
{
	static hg_ns values[500];
	struct hg_histogram h = {0};
	size_t n = hg_test_between(seed, 1, 500);

	for (size_t i = 0; i < n; i++) {
		uint64_t octave = hg_test_between(seed, 10, 26);

		values[i] = (hg_ns)((UINT64_C(1) << octave) +
				    hg_test_random(seed) % (UINT64_C(1) << octave));
		hg_histogram_add(&h, values[i], 1);
	}
	qsort(values, n, sizeof(values[0]), compare);
	for (uint32_t ppm = 0; ppm <= 1000000; ppm += 12500) {
		size_t rank = (n * ppm + 999999) / 1000000;
		hg_ns truth_ns = values[rank > 0 ? rank - 1 : 0];
		hg_ns got_ns = hg_histogram_quantile(&h, ppm);

		got_ns += got_ns * error_ppm / 1000000;
		if (got_ns < truth_ns)
			return "a quantile below the true one";
		if (got_ns > truth_ns + truth_ns / HG_HISTOGRAM_SUB + 1)
			return "a quantile too far above the true one";
	}
	return NULL;
}

static void histogram_quantiles_keep_their_promise(void)
{
	uint64_t seed = hg_test_seed;
	unsigned n_low = 0, n_high = 0;

	for (unsigned i = 0; i < (hg_test_rounds ? hg_test_rounds : 200); i++) {
		const char *fault = fault_of_quantiles(&seed, 0);

		if (fault != NULL)
			HG_TEST_FAIL("round %u: %s", i, fault);
		n_low += fault_of_quantiles(&seed, -150000) != NULL;
		n_high += fault_of_quantiles(&seed, 150000) != NULL;
	}
	/* The broken twins are seen. */
	HG_CHECK(n_low > 0);
	HG_CHECK(n_high > 0);
}

static const struct hg_test tests[] = {
	HG_TEST(histogram_edges),
	HG_TEST(histogram_of_nothing_is_0),
	HG_TEST(histogram_ranks),
	HG_TEST(histogram_difference_of_wrapped_counts),
	HG_TEST(histogram_quantiles_keep_their_promise),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
