#include "vswitch/flood.h"

#include "tests/harness.h"

static void unicast_is_never_limited(void)
{
	struct hg_flood_limit limit;
	struct hg_flood_rates rates = {0};

	hg_flood_settle(&rates, false);
	hg_flood_limit_init(&limit, false, &rates, 0);
	for (unsigned i = 0; i < 1000000; i++)
		HG_CHECK(hg_flood_may(&limit, &rates, HG_FORWARD_UNICAST, 0));
}

/* A storm of frames that become n copies each, for a second after the burst is gone. */
static uint64_t copies_in_a_second(enum hg_forward_kind kind, bool is_uplink, uint32_t n_copies)
{
	struct hg_flood_limit limit;
	struct hg_flood_rates rates = {0};
	uint64_t n = 0;

	hg_flood_settle(&rates, is_uplink);
	hg_flood_limit_init(&limit, is_uplink, &rates, 0);
	while (hg_flood_may(&limit, &rates, kind, 0))
		hg_flood_charge(&limit, kind, n_copies - 1, 0);
	for (hg_ns now_ns = 0; now_ns < HG_NS_PER_S; now_ns += 1000) {
		if (hg_flood_may(&limit, &rates, kind, now_ns)) {
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
		for (enum hg_forward_kind kind = HG_FORWARD_BROADCAST; kind <= HG_FORWARD_MULTICAST;
		     kind++) {
			HG_CHECK_BETWEEN(copies_in_a_second(kind, false, rows[i]),
					 HG_FLOOD_GROUP_PKTS_PER_S - 2 * rows[i],
					 HG_FLOOD_GROUP_PKTS_PER_S + rows[i]);
			HG_CHECK_BETWEEN(copies_in_a_second(kind, true, rows[i]),
					 HG_FLOOD_UPLINK_GROUP_PKTS_PER_S - 2 * rows[i],
					 HG_FLOOD_UPLINK_GROUP_PKTS_PER_S + rows[i]);
		}
		HG_CHECK_BETWEEN(copies_in_a_second(HG_FORWARD_UNKNOWN, true, rows[i]), 0,
				 HG_FLOOD_UNKNOWN_PKTS_PER_S + rows[i]);
	}
}

static unsigned drain(struct hg_flood_limit *limit, const struct hg_flood_rates *rates,
		      enum hg_forward_kind kind, hg_ns now_ns)
{
	unsigned n = 0;

	while (hg_flood_may(limit, rates, kind, now_ns))
		n++;
	return n;
}

/* A storm of one kind leaves the others what is theirs. */
static void s5_1_kinds_of_floods_are_limited_apart(void)
{
	const struct hg_flood_rates rates = {.broadcast_pkts_per_s = 100,
					     .multicast_pkts_per_s = 1000,
					     .unknown_pkts_per_s = 10};
	struct hg_flood_limit limit;

	hg_flood_limit_init(&limit, true, &rates, 0);
	/* As long a pause as at the default rate. */
	HG_CHECK_EQ(drain(&limit, &rates, HG_FORWARD_BROADCAST, 0), 65);
	HG_CHECK_EQ(drain(&limit, &rates, HG_FORWARD_MULTICAST, 0), 655);
	HG_CHECK_EQ(drain(&limit, &rates, HG_FORWARD_UNKNOWN, 0), 10);
	HG_CHECK_EQ(drain(&limit, &rates, HG_FORWARD_BROADCAST, HG_NS_PER_S / 10), 10);
	HG_CHECK_EQ(drain(&limit, &rates, HG_FORWARD_MULTICAST, HG_NS_PER_S / 10), 100);
	HG_CHECK_EQ(drain(&limit, &rates, HG_FORWARD_UNKNOWN, HG_NS_PER_S / 10), 1);
}

static void s5_1_other_rates_hold_at_once_and_give_nothing_away(void)
{
	struct hg_flood_rates rates = {0};
	struct hg_flood_limit limit;

	hg_flood_settle(&rates, false);
	HG_CHECK_EQ(rates.broadcast_pkts_per_s, HG_FLOOD_GROUP_PKTS_PER_S);
	HG_CHECK_EQ(rates.unknown_pkts_per_s, HG_FLOOD_UNKNOWN_PKTS_PER_S);
	hg_flood_limit_init(&limit, false, &rates, 0);
	HG_CHECK_EQ(drain(&limit, &rates, HG_FORWARD_BROADCAST, 0), HG_FLOOD_GROUP_BURST_PKTS);
	rates.broadcast_pkts_per_s = 100;
	HG_CHECK_EQ(drain(&limit, &rates, HG_FORWARD_BROADCAST, 0), 0);
	HG_CHECK_EQ(drain(&limit, &rates, HG_FORWARD_BROADCAST, HG_NS_PER_S / 10), 10);
	/* The least rate still lets some pass. */
	rates.multicast_pkts_per_s = HG_FLOOD_RATE_MIN_PKTS_PER_S;
	HG_CHECK_EQ(drain(&limit, &rates, HG_FORWARD_MULTICAST, HG_NS_PER_S), 4);
}

static void reasons_name_the_limit(void)
{
	HG_CHECK_EQ(hg_flood_reason(HG_FORWARD_BROADCAST), HG_DROP_BROADCAST_LIMIT);
	HG_CHECK_EQ(hg_flood_reason(HG_FORWARD_MULTICAST), HG_DROP_MULTICAST_LIMIT);
	HG_CHECK_EQ(hg_flood_reason(HG_FORWARD_UNKNOWN), HG_DROP_UNKNOWN_LIMIT);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(unicast_is_never_limited),
		HG_TEST(s5_1_floods_are_paid_by_the_copy),
		HG_TEST(s5_1_kinds_of_floods_are_limited_apart),
		HG_TEST(s5_1_other_rates_hold_at_once_and_give_nothing_away),
		HG_TEST(reasons_name_the_limit),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
