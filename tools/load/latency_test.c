#include "tools/load/latency.h"

#include "tests/harness.h"

static void quantiles_of_known_values(void)
{
	struct hg_latency l;

	hg_latency_init(&l);
	HG_CHECK_EQ(hg_latency_quantile(&l, 500000), 0);
	for (uint64_t i = 1; i <= 1000; i++)
		hg_latency_add(&l, i * 1000);
	HG_CHECK_EQ(l.count, 1000);
	HG_CHECK_BETWEEN(hg_latency_quantile(&l, 500000), 500000, 500000 * 33 / 32);
	HG_CHECK_BETWEEN(hg_latency_quantile(&l, 990000), 990000, 1000000);
	HG_CHECK_EQ(hg_latency_quantile(&l, 1000000), 1000000);
}

static void never_below_the_true_value(void)
{
	uint64_t seed = hg_test_seed;

	for (unsigned i = 0; i < 10000; i++) {
		struct hg_latency l;
		uint64_t value_ns = hg_test_random(&seed) >> (24u + i % 40u), got_ns;

		hg_latency_init(&l);
		hg_latency_add(&l, value_ns / 2);
		hg_latency_add(&l, value_ns);
		got_ns = hg_latency_quantile(&l, 500000);
		HG_CHECK(got_ns >= value_ns / 2);
		HG_CHECK(got_ns <= value_ns / 2 + value_ns / 64 + 1);
		HG_CHECK_EQ(hg_latency_quantile(&l, 1000000), value_ns);
	}
}

static void merge_adds_counts_and_keeps_the_maximum(void)
{
	struct hg_latency a, b;

	hg_latency_init(&a);
	hg_latency_init(&b);
	hg_latency_add(&a, 10);
	hg_latency_add(&b, 20);
	hg_latency_add(&b,
		       UINT64_MAX); /* beyond the range: in the last step, and the exact maximum */
	hg_latency_merge(&a, &b);
	HG_CHECK_EQ(a.count, 3);
	HG_CHECK(a.max_ns == UINT64_MAX);
	HG_CHECK_EQ(hg_latency_quantile(&a, 500000), 20);
}

static const struct hg_test tests[] = {HG_TEST(quantiles_of_known_values),
				       HG_TEST(never_below_the_true_value),
				       HG_TEST(merge_adds_counts_and_keeps_the_maximum),
				       {0}};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
