#include "vswitch/flood.h"

#include "tests/harness.h"

static void unicast_is_never_limited(void)
{
	struct hg_flood_limit limit;

	hg_flood_limit_init(&limit, false, 0);
	for (unsigned i = 0; i < 1000000; i++)
		HG_CHECK(hg_flood_may(&limit, HG_FORWARD_UNICAST, 0));
}

/* A storm of frames that become n copies each, for a second after the burst is gone. */
static uint64_t copies_in_a_second(enum hg_forward_kind kind, bool is_uplink, uint32_t n_copies)
{
	struct hg_flood_limit limit;
	uint64_t n = 0;

	hg_flood_limit_init(&limit, is_uplink, 0);
	while (hg_flood_may(&limit, kind, 0))
		hg_flood_charge(&limit, kind, n_copies - 1, 0);
	for (hg_ns now_ns = 0; now_ns < HG_NS_PER_S; now_ns += 1000) {
		if (hg_flood_may(&limit, kind, now_ns)) {
			hg_flood_charge(&limit, kind, n_copies - 1, now_ns);
			n += n_copies;
		}
	}
	return n;
}

/* The rate holds for copies, however many each frame makes. */
static void s5_1_floods_are_paid_by_the_copy(void)
{
	static const uint32_t rows[] = {1, 3, 64, 1000};

	for (unsigned i = 0; i < 4; i++) {
		HG_CHECK_BETWEEN(copies_in_a_second(HG_FORWARD_GROUP, false, rows[i]),
				 HG_FLOOD_GROUP_PKTS_PER_S - 2 * rows[i],
				 HG_FLOOD_GROUP_PKTS_PER_S + rows[i]);
		HG_CHECK_BETWEEN(copies_in_a_second(HG_FORWARD_GROUP, true, rows[i]),
				 HG_FLOOD_UPLINK_GROUP_PKTS_PER_S - 2 * rows[i],
				 HG_FLOOD_UPLINK_GROUP_PKTS_PER_S + rows[i]);
		HG_CHECK_BETWEEN(copies_in_a_second(HG_FORWARD_UNKNOWN, true, rows[i]), 0,
				 HG_FLOOD_UNKNOWN_PKTS_PER_S + rows[i]);
	}
}

static void reasons_name_the_limit(void)
{
	HG_CHECK_EQ(hg_flood_reason(HG_FORWARD_GROUP), HG_DROP_BROADCAST_LIMIT);
	HG_CHECK_EQ(hg_flood_reason(HG_FORWARD_UNKNOWN), HG_DROP_UNKNOWN_LIMIT);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(unicast_is_never_limited),
		HG_TEST(s5_1_floods_are_paid_by_the_copy),
		HG_TEST(reasons_name_the_limit),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
