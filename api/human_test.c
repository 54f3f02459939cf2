#include "api/human.h"
#include "tests/harness.h"

static void rates_have_three_digits(void)
{
	static const struct {
		uint64_t bytes_per_s;
		const char *want;
	} rows[] = {{0, "0"},
		    {1, "8"},
		    {125, "1K"},
		    {125000, "1M"},
		    {1537500, "12.3M"},
		    {101500000, "812M"},
		    {124937500, "1.00G"},
		    {156250000, "1.25G"},
		    {124875000, "999M"},
		    {UINT64_C(125000000000), "1T"}};
	char buf[HG_HUMAN_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		HG_CHECK_STR(hg_human_rate(buf, rows[i].bytes_per_s), rows[i].want);
	HG_CHECK_STR(hg_human_rate_long(buf, 156250000), "1.25 Gbit/s");
}

static void times_have_units(void)
{
	char buf[HG_HUMAN_BYTES];

	HG_CHECK_STR(hg_human_time(buf, 0), "0");
	HG_CHECK_STR(hg_human_time(buf, 220 * HG_NS_PER_US), "220us");
	HG_CHECK_STR(hg_human_time(buf, 1400 * HG_NS_PER_US), "1.40ms");
	HG_CHECK_STR(hg_human_time(buf, 2 * HG_NS_PER_S), "2s");
	HG_CHECK_STR(hg_human_time(buf, HG_NEVER), ">2.15s");
}

static void sizes_go_by_1024(void)
{
	char buf[HG_HUMAN_BYTES];

	HG_CHECK_STR(hg_human_size(buf, 0), "0B");
	HG_CHECK_STR(hg_human_size(buf, 999), "999B");
	HG_CHECK_STR(hg_human_size(buf, 1000), "0.98KiB");
	HG_CHECK_STR(hg_human_size(buf, 131072), "128KiB");
	HG_CHECK_STR(hg_human_size(buf, 680156), "664KiB");
	HG_CHECK_STR(hg_human_size(buf, 26315128), "25.1MiB");
}

static void a_share_is_never_nothing_when_there_is_some(void)
{
	char buf[HG_HUMAN_BYTES];

	HG_CHECK_STR(hg_human_share(buf, 0, 100), "0 %");
	HG_CHECK_STR(hg_human_share(buf, 1, 1000000), "<0.1 %");
	HG_CHECK_STR(hg_human_share(buf, 3, 1000), "0.3 %");
	HG_CHECK_STR(hg_human_share(buf, 87, 100), "87 %");
	HG_CHECK_STR(hg_human_share(buf, 5, 0), "0 %");
}

static void whatever_it_is_it_fits_a_column(void)
{
	uint64_t state = hg_test_seed;
	char buf[HG_HUMAN_BYTES];

	for (unsigned i = 0; i < 10000; i++) {
		uint64_t n = hg_test_random(&state) >> hg_test_between(&state, 24, 63);

		HG_CHECK(strlen(hg_human_rate(buf, n)) <= 6);
		HG_CHECK(strlen(hg_human_time(buf, (hg_ns)(n >> 5))) <= 6);
		HG_CHECK(strlen(hg_human_size(buf, n)) <= 7);
	}
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(rates_have_three_digits),
		HG_TEST(times_have_units),
		HG_TEST(sizes_go_by_1024),
		HG_TEST(a_share_is_never_nothing_when_there_is_some),
		HG_TEST(whatever_it_is_it_fits_a_column),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
