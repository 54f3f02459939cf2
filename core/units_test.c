#include "core/units.h"
#include "core/error.h"
#include "tests/harness.h"

#include <stdbool.h>

enum kind { RATE, SIZE, TIME, PKTS, N_KINDS };

static int parse(enum kind kind, const char *text, uint64_t *ret, struct hg_error *err)
{
	hg_ns ns;
	int rc;

	switch (kind) {
	case RATE:
		return hg_rate_parse(text, ret, err);
	case SIZE:
		return hg_size_parse(text, ret, err);
	case TIME:
		rc = hg_time_parse(text, &ns, err);
		if (rc == 0)
			*ret = (uint64_t)ns;
		return rc;
	default:
		return hg_pkt_rate_parse(text, ret, err);
	}
}

static char *format(enum kind kind, char *buf, size_t size, uint64_t value)
{
	switch (kind) {
	case RATE:
		return hg_rate_format(buf, size, value);
	case SIZE:
		return hg_size_format(buf, size, value);
	case TIME:
		return hg_time_format(buf, size, (hg_ns)value);
	default:
		return hg_pkt_rate_format(buf, size, value);
	}
}

static void units_read(void)
{
	static const struct {
		enum kind kind;
		const char *text;
		uint64_t value;
	} rows[] = {
		{RATE, "10Gbit", 1250000000},
		{RATE, "8bit", 1},
		{RATE, "1.5Mbit", 187500},
		{RATE, "1Kibit", 128},
		{RATE, "1Tibit", UINT64_C(137438953472)},
		{RATE, "0.000000008Gbit", 1},
		{RATE, "0", 0},
		{RATE, "0.0", 0},
		{RATE, "0bit", 0},
		{RATE, "10bit", 1}, /* 1.25 */
		{RATE, "12bit", 2}, /* 1.5 */
		{RATE, "4bit", 1}, /* 0.5 */
		{RATE, "11.9bit", 1},
		{RATE, "147573952589.676412Gbit", UINT64_C(18446744073709551500)},
		{SIZE, "256KiB", 262144},
		{SIZE, "1.5KiB", 1536},
		{SIZE, "18446744073709551615B", UINT64_MAX},
		{SIZE, "0.4999999999999999999KB", 500},
		{SIZE, "1.0005KB", 1001},
		{SIZE, "1.00049999999999999999999999999999KB", 1000},
		{TIME, "200us", 200000},
		{TIME, "1.5ms", 1500000},
		{TIME, "24h", UINT64_C(86400000000000)},
		{TIME, "2m", UINT64_C(120000000000)},
		{TIME, "0s", 0},
		{PKTS, "12.5Kpps", 12500},
		{PKTS, "14.88Mpps", 14880000},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hg_error err = {0};
		uint64_t got = 42;

		if (parse(rows[i].kind, rows[i].text, &got, &err) < 0)
			HG_TEST_FAIL("%s: %s", rows[i].text, err.text);
		if (got != rows[i].value)
			HG_TEST_FAIL("%s is %" PRIu64 ", want %" PRIu64, rows[i].text, got,
				     rows[i].value);
	}
}

static void units_refuse_with_a_hint(void)
{
	static const struct {
		enum kind kind;
		const char *text;
		const char *want;
	} rows[] = {
		{RATE, "10bps", "\"10bps\" is no rate: bits or bytes? write 10bit"},
		{RATE, "10Mbps", "\"10Mbps\" is no rate: bits or bytes? write 10Mbit"},
		{RATE, "10kbps", "\"10kbps\" is no rate: bits or bytes? write 10Kbit"},
		{RATE, "10MB/s", "\"10MB/s\" is no rate: rates are bits: write 80Mbit"},
		{RATE, "1.5KiB/s", "\"1.5KiB/s\" is no rate: rates are bits: write 12Kibit"},
		{RATE, "10MBps", "\"10MBps\" is no rate: rates are bits: write 80Mbit"},
		{RATE, "10MB", "\"10MB\" is no rate: rates are bits: write 80Mbit"},
		{RATE, "10", "\"10\" is no rate: say a unit, such as 10Mbit"},
		{RATE, "10gbit", "\"10gbit\" is no rate: write 10Gbit"},
		{RATE, "10 Gbit", "\"10 Gbit\" is no rate: write 10Gbit"},
		{RATE, "fast",
		 "\"fast\" is no rate: write a number and one of bit Kbit Mbit Gbit Tbit Kibit "
		 "Mibit"
		 " Gibit Tibit"},
		{RATE, "", "\"\" is no rate: write a number and one of"},
		{RATE, "-5Mbit", "\"-5Mbit\" is no rate: write a number"},
		{RATE, ".5Mbit", "is no rate: write a number"},
		{RATE, "5.Mbit", "is no rate: write a number"},
		{RATE, "1e3Mbit", "is no rate: write a number"},
		{RATE, "3bit", "so little rounds to 0"},
		{RATE, "99999999999999999999Gbit", "the number is too large"},
		{RATE, "147573952590Gbit", "the number is too large"},
		{RATE, "0.111111111111111111111111111111111Gbit", "at most 32 decimals"},
		{RATE, "10Mbit\n", "\"10Mbit?\" is no rate"},
		{SIZE, "10", "\"10\" is no size: say a unit, such as 256KiB"},
		{SIZE, "10kib", "\"10kib\" is no size: write 10KiB"},
		{SIZE, "10Mbit", "\"10Mbit\" is no size: write a number and one of B KB MB"},
		{SIZE, "18446744073709551615.5B", "the number is too large"},
		{SIZE, "0.4B", "so little rounds to 0"},
		{TIME, "10", "\"10\" is no time: say a unit, such as 10ms"},
		{TIME, "10MS", "\"10MS\" is no time: write 10ms"},
		{TIME, "3000000h", "the number is too large"},
		{PKTS, "10", "\"10\" is no packet rate: say a unit, such as 10Kpps"},
		{PKTS, "10kpps", "\"10kpps\" is no packet rate: write 10Kpps"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hg_error err = {0};
		uint64_t got = 42;

		HG_CHECK_EQ(parse(rows[i].kind, rows[i].text, &got, &err), -HG_EINVAL);
		HG_CHECK_HAS(err.text, rows[i].want);
		HG_CHECK_EQ(err.code, -HG_EINVAL);
		HG_CHECK_EQ(got, 42);
		HG_CHECK_EQ(parse(rows[i].kind, rows[i].text, &got, NULL), -HG_EINVAL);
	}
}

static void units_write(void)
{
	static const struct {
		enum kind kind;
		uint64_t value;
		const char *text;
	} rows[] = {
		{RATE, 1250000000, "10Gbit"},
		{RATE, 1243750000, "9.95Gbit"},
		{RATE, 1, "8bit"},
		{RATE, 0, "0bit"},
		{RATE, 125, "1Kbit"},
		{RATE, 128 * 1024, "1Mibit"},
		{RATE, 187500, "1.5Mbit"},
		{RATE, UINT64_C(125000000000), "1Tbit"},
		{SIZE, 262144, "256KiB"},
		{SIZE, 1600, "1.6KB"},
		{SIZE, 0, "0B"},
		{SIZE, 1 << 30, "1GiB"},
		{SIZE, 1500000, "1.5MB"},
		{SIZE, UINT64_MAX, "18446744073709551615B"},
		{TIME, 1500000, "1.5ms"},
		{TIME, 0, "0s"},
		{TIME, 10000000, "10ms"},
		{TIME, UINT64_C(60000000000), "1m"},
		{TIME, UINT64_C(3600000000000), "1h"},
		{TIME, UINT64_C(90000000000), "90s"},
		{PKTS, 12500, "12.5Kpps"},
		{PKTS, 1000000, "1Mpps"},
		{PKTS, 0, "0pps"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char buf[32];

		HG_CHECK_STR(format(rows[i].kind, buf, sizeof(buf), rows[i].value), rows[i].text);
	}
}

static void units_negative_time_and_small_buffer(void)
{
	char buf[4];

	HG_CHECK_STR(hg_time_format(buf, sizeof(buf), -1), "0s");
	HG_CHECK_STR(hg_rate_format(buf, sizeof(buf), 1250000000), "10G");
}

/* NULL, or what is wrong. is_broken: a digit is lost on the way. */
static const char *fault_of_round_trip(enum kind kind, uint64_t value, bool is_broken)
{
	char buf[32];
	uint64_t got;

	format(kind, buf, sizeof(buf), value);
	if (strlen(buf) >= sizeof(buf) - 1)
		return "the text does not fit into 32 bytes";
	if (is_broken && buf[1] >= '0' && buf[1] <= '9')
		memmove(buf, buf + 1, strlen(buf));
	if (parse(kind, buf, &got, NULL) < 0)
		return "the text is not read back";
	return got == value ? NULL : "another value is read back";
}

static void units_round_trip_is_identity(void)
{
	uint64_t seed = hg_test_seed;
	unsigned rounds = hg_test_rounds ? hg_test_rounds : 20000, n_seen = 0;

	for (unsigned i = 0; i < rounds; i++) {
		/* Every order of size, and round numbers as people write them. */
		uint64_t value = hg_test_random(&seed) >> hg_test_between(&seed, 0, 63);
		uint64_t round = hg_test_between(&seed, 1, 2000);

		for (uint64_t k = hg_test_between(&seed, 0, 12); k > 0; k--)
			round *= 10;
		for (unsigned kind = RATE; kind < N_KINDS; kind++) {
			uint64_t values[] = {value, round, round + 1, UINT64_MAX - value};

			for (unsigned v = 0; v < 4; v++) {
				uint64_t x = kind == TIME ? values[v] >> 1 : values[v];
				const char *fault = fault_of_round_trip(kind, x, false);

				if (fault != NULL)
					HG_TEST_FAIL("%" PRIu64 ", kind %u: %s", x, kind, fault);
				n_seen += fault_of_round_trip(kind, x, true) != NULL;
			}
		}
	}
	HG_CHECK(n_seen > 0); /* the broken twin */
}

/* Whatever is written, the answer is a value that can be written and read again, or a sentence. */
static void units_random_text_is_read_or_refused(void)
{
	static const char alphabet[] = "0123456789.0123456789 KMGTkmgibBtpsuhn/-e";
	uint64_t seed = hg_test_seed;
	unsigned n_read = 0, n_refused = 0;

	for (unsigned i = 0; i < (hg_test_rounds ? hg_test_rounds : 20000); i++) {
		enum kind kind = (enum kind)hg_test_between(&seed, RATE, PKTS);
		size_t n = hg_test_between(&seed, 0, hg_test_between(&seed, 0, 9) ? 6 : 90);
		struct hg_error err = {0};
		char text[96] = {0};
		uint64_t got = 0;

		for (size_t k = 0; k < n; k++)
			text[k] =
				hg_test_between(&seed, 0, 50)
					? alphabet[hg_test_between(&seed, 0, sizeof(alphabet) - 2)]
					: (char)hg_test_random(&seed);
		if (parse(kind, text, &got, &err) == 0) {
			n_read++;
			HG_CHECK_EQ(err.code, 0);
			HG_CHECK(fault_of_round_trip(kind, got, false) == NULL);
		} else {
			n_refused++;
			HG_CHECK_EQ(err.code, -HG_EINVAL);
			HG_CHECK_HAS(err.text, "\" is no ");
		}
	}
	HG_CHECK(n_read > 0);
	HG_CHECK(n_refused > 0);
}

static const struct hg_test tests[] = {
	HG_TEST(units_read),
	HG_TEST(units_refuse_with_a_hint),
	HG_TEST(units_write),
	HG_TEST(units_negative_time_and_small_buffer),
	HG_TEST(units_round_trip_is_identity),
	HG_TEST(units_random_text_is_read_or_refused),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
