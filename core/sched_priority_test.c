#include "tests/sched_card.h"

/* Instance 0 is of high priority, 1 and 2 of normal, 3 of low: 0 and 1 of the first tenant, 2 and 3 of the second. */
enum { HIGH = 0, NORMAL = 1, OTHER = 2, LOW = 3 };

static void set_priority(uint32_t i, uint8_t priority)
{
	policy.priority = priority;
	set_instance(i, i / 2);
	policy.priority = HG_PRIORITY_NORMAL;
}

static void priorities(unsigned max_frames)
{
	world(max_frames);
	set_priority(HIGH, HG_PRIORITY_HIGH);
	set_priority(LOW, HG_PRIORITY_LOW);
}

static uint32_t out_pkts(uint32_t i)
{
	struct hg_window_row row;

	hg_window_sample_instance(window, i, &row);
	return row.outstanding_pkts;
}

static void forget_what_was_got(void)
{
	memset(got_bytes, 0, sizeof(got_bytes));
}

/* ---- misuse ------------------------------------------------------------------------------------- */

static void unknown_priority_is_refused(void)
{
	struct hg_error error = {0};

	world(8);
	policy.priority = HG_N_PRIORITIES;
	HG_CHECK_EQ(hg_sched_set_instance(s, 0, 0, &policy, now, &error), -HG_EINVAL);
	push(0, FRAME, 1);
	HG_CHECK_EQ(pop(32), 1);
}

static void priority_of_a_tenant_is_ignored(void)
{
	world(100);
	policy.priority = HG_PRIORITY_LOW;
	set_tenant(0);
	push(0, FRAME, 20);
	push(2, FRAME, 20);
	pop(20);
	HG_CHECK_BETWEEN(got_bytes[0], 8 * FRAME, 12 * FRAME);
}

/* ---- order -------------------------------------------------------------------------------------- */

static void s2_6_high_before_normal_before_low(void)
{
	priorities(100);
	push(LOW, FRAME, 4);
	push(NORMAL, FRAME, 4);
	push(HIGH, FRAME, 4);
	HG_CHECK_EQ(pop(4), 4);
	HG_CHECK_EQ(got_bytes[HIGH], 4 * FRAME);
	HG_CHECK_EQ(pop(2), 2); /* as many as a lower one may have in the card meanwhile */
	HG_CHECK_EQ(got_bytes[NORMAL], 2 * FRAME);
	HG_CHECK_EQ(got_bytes[LOW], 0);
}

static void s2_6_bands_share_by_weight(void)
{
	world(12);
	for (uint32_t i = 0; i < 4; i++) {
		policy.weight = i == 0 ? 3 : 1;
		set_priority(i, HG_PRIORITY_HIGH);
	}
	run(10 * HG_NS_PER_MS, 0xf);
	HG_CHECK_BETWEEN(got_bytes[0], 4687500 - 4 * FRAME, 4687500 + 8 * FRAME);
	HG_CHECK_BETWEEN(got_bytes[1], 1562500 - 4 * FRAME, 1562500 + 8 * FRAME);
	HG_CHECK_BETWEEN(got_bytes[2], 3125000 - 4 * FRAME, 3125000 + 8 * FRAME);
}

static void s2_6_guarantees_come_first_at_every_priority(void)
{
	priorities(100);
	policy.min_bytes_per_s = LINK_BYTES_PER_S / 4;
	set_priority(LOW, HG_PRIORITY_LOW);
	policy.min_bytes_per_s = LINK_BYTES_PER_S / 10;
	set_priority(NORMAL, HG_PRIORITY_NORMAL);
	run(20 * HG_NS_PER_MS, 0xf);
	HG_CHECK_BETWEEN(got_bytes[LOW], 6250000 - 20 * FRAME, 6250000 + 20 * FRAME);
	HG_CHECK_BETWEEN(got_bytes[NORMAL], 2500000 - 20 * FRAME, 2500000 + 20 * FRAME);
	HG_CHECK_BETWEEN(got_bytes[HIGH], 16250000 - 40 * FRAME, 16250000 + 120 * FRAME);
}

/* Inside a tenant's own guarantee the higher goes first, too. */
static void s2_6_high_first_inside_the_tenants_guarantee(void)
{
	priorities(8);
	policy.min_bytes_per_s = LINK_BYTES_PER_S / 2;
	set_tenant(1);
	policy.min_bytes_per_s = 0;
	set_priority(HIGH, HG_PRIORITY_HIGH);
	run(20 * HG_NS_PER_MS, 0xd);
	HG_CHECK_BETWEEN(got_bytes[OTHER], 12500000 - 60 * FRAME, 12500000 + 20 * FRAME);
	HG_CHECK(got_bytes[LOW] < 20 * FRAME);
}

static void s2_6_low_is_let_by_after_10_ms(void)
{
	priorities(8);
	run(HG_NS_PER_MS, 1u << HIGH);
	run(HG_SCHED_SHUT_OUT_NS - 20 * HG_NS_PER_US, 1u << HIGH | 1u << LOW);
	HG_CHECK_EQ(got_bytes[LOW], 0);
	run(40 * HG_NS_PER_US, 1u << HIGH | 1u << LOW);
	HG_CHECK_BETWEEN(got_bytes[LOW], FRAME, 4 * FRAME);
	run(10 * HG_SCHED_SHUT_OUT_NS, 1u << HIGH | 1u << LOW | 1u << NORMAL);
	HG_CHECK_BETWEEN(got_bytes[LOW], 10 * FRAME, 44 * FRAME);
	HG_CHECK_BETWEEN(got_bytes[NORMAL], 9 * FRAME, 44 * FRAME);
}

static void broken_order_is_noticed(void)
{
	priorities(8);
	set_priority(LOW, HG_PRIORITY_HIGH); /* had it been told so */
	run(HG_SCHED_SHUT_OUT_NS, 1u << HIGH | 1u << LOW);
	HG_CHECK(got_bytes[LOW] > 44 * FRAME);
}

/* ---- the card ----------------------------------------------------------------------------------- */

static void s2_6_a_low_one_alone_fills_the_window(void)
{
	priorities(8);
	run(HG_NS_PER_MS, 1u << LOW);
	HG_CHECK(out_pkts(LOW) >= 7);
	HG_CHECK_EQ(sample(LOW).held_ns[HG_LIMIT_PRIORITY], 0);
}

static void s2_6_few_packets_of_a_lower_one_beside_a_higher(void)
{
	priorities(20);
	push(HIGH, FRAME, 1);
	push(LOW, FRAME, 10);
	HG_CHECK_EQ(pop(32), 3);
	HG_CHECK_EQ(out_pkts(LOW), 2);
	HG_CHECK(!hg_sched_was_held_by_window(s));
	HG_CHECK_EQ(sample(LOW).held_by, HG_LIMIT_PRIORITY);
	HG_CHECK_EQ(hg_sched_next_at(s, now), now + HG_SCHED_SHUT_OUT_NS);
	now += 1000;
	HG_CHECK_EQ(pop(32), 0);
	release(); /* of the high one: it is active no more */
	HG_CHECK_EQ(hg_sched_next_at(s, now), now);
	HG_CHECK_EQ(pop(32), 8);
	HG_CHECK_EQ(sample(LOW).held_ns[HG_LIMIT_PRIORITY], 1000);
}

static void s2_6_let_by_though_the_card_releases_nothing(void)
{
	priorities(20);
	push(HIGH, FRAME, 1);
	push(LOW, FRAME, 10);
	pop(32);
	now = hg_sched_next_at(s, now);
	HG_CHECK_BETWEEN(pop(32), 2, 4); /* a quantum, and what begins within it */
	HG_CHECK_EQ(hg_sched_next_at(s, now), now + HG_SCHED_SHUT_OUT_NS);
}

/* A guarantee does not wait for the release that its band waits for. */
static void next_at_knows_of_a_guarantee_in_a_band_that_is_shut(void)
{
	hg_ns at;

	priorities(20);
	policy.min_bytes_per_s = LINK_BYTES_PER_S / 100;
	set_priority(LOW, HG_PRIORITY_LOW);
	push(HIGH, FRAME, 1);
	push(LOW, FRAME, 10);
	while (pop(32) > 0)
		;
	at = hg_sched_next_at(s, now);
	HG_CHECK_BETWEEN(at, now + 1, now + 2 * 123100);
	now = at;
	HG_CHECK(pop(32) >= 1);
}

static void s2_10_what_is_written_off_shuts_nobody_out(void)
{
	uint32_t n_lost;

	priorities(20);
	push(HIGH, FRAME, 1);
	push(LOW, FRAME, 10);
	pop(32);
	hg_window_write_off(window, &n_lost);
	HG_CHECK_EQ(n_lost, 3);
	hg_sched_window_changed(s, now);
	HG_CHECK_EQ(pop(32), 8);
}

static void s1_8_who_waits_for_its_own_maximum_shuts_nobody_out(void)
{
	priorities(20);
	policy.max_bytes_per_s = 125000;
	policy.burst_bytes = HG_BURST_MIN_BYTES;
	set_priority(HIGH, HG_PRIORITY_HIGH);
	plain_policy();
	card.delay_ns = 20000;
	run(HG_NS_PER_MS, 1u << HIGH | 1u << LOW);
	HG_CHECK_EQ(sample(HIGH).held_by, HG_LIMIT_MAX);
	HG_CHECK(out_pkts(LOW) >= 9); /* its share of the window beside the high one */
}

/* ---- live changes, times ------------------------------------------------------------------------ */

static void s1_11_a_change_of_priority_is_in_force_at_once(void)
{
	world(100);
	push(1, FRAME, 20);
	push(2, FRAME, 20);
	push(3, FRAME, 20);
	set_priority(3, HG_PRIORITY_HIGH);
	pop(20);
	HG_CHECK_EQ(got_bytes[3], 20 * FRAME);
	set_priority(1, HG_PRIORITY_LOW);
	forget_what_was_got();
	while (card.n > 0)
		release();
	pop(20);
	HG_CHECK_EQ(got_bytes[2], 20 * FRAME);
	set_priority(1, HG_PRIORITY_NORMAL);
	while (card.n > 0)
		release();
	pop(64);
	HG_CHECK_EQ(got_bytes[1], 20 * FRAME);
	HG_CHECK_EQ(hg_sched_queued_pkts(s), 0);
}

static void instance_with_packets_in_the_card_changes_and_goes(void)
{
	priorities(20);
	push(HIGH, FRAME, 2);
	push(LOW, FRAME, 3);
	HG_CHECK_EQ(pop(32), 4);
	set_priority(HIGH, HG_PRIORITY_LOW); /* nothing of a higher one is in the card now */
	HG_CHECK_EQ(pop(32), 1);
	set_priority(HIGH, HG_PRIORITY_HIGH);
	push(LOW, FRAME, 3);
	HG_CHECK_EQ(pop(32), 0);
	HG_CHECK_EQ(hg_sched_remove_instance(s, HIGH, now, NULL), 0);
	hg_window_remove_instance(window, HIGH);
	HG_CHECK_EQ(pop(32), 3);
	while (card.n > 0)
		release();
	set_priority(HIGH, HG_PRIORITY_HIGH);
	HG_CHECK_EQ(sample(HIGH).held_ns[HG_LIMIT_PRIORITY], 0);
}

static void check_sum(const struct hg_sched_stats *stats, hg_ns want_ns)
{
	HG_CHECK_EQ(sum_held(stats), want_ns);
	HG_CHECK_EQ(stats->held_ns[HG_LIMIT_NONE], 0);
}

static void s2_9_waiting_for_a_higher_one_is_told(void)
{
	struct hg_sched_stats stats;
	const hg_ns begin_ns = HG_NS_PER_S;

	priorities(8);
	run(5 * HG_NS_PER_MS, 1u << HIGH | 1u << LOW | 1u << NORMAL);
	stats = sample(LOW);
	HG_CHECK_EQ(stats.held_by, HG_LIMIT_PRIORITY);
	HG_CHECK_BETWEEN(stats.held_ns[HG_LIMIT_PRIORITY], 4900000, 5000000);
	check_sum(&stats, now - begin_ns);
	stats = sample(HIGH);
	HG_CHECK_EQ(stats.held_ns[HG_LIMIT_PRIORITY], 0);
	hg_sched_sample_tenant(s, 1, &stats, now); /* has but the low one */
	HG_CHECK_EQ(stats.held_by, HG_LIMIT_PRIORITY);
	HG_CHECK_BETWEEN(stats.held_ns[HG_LIMIT_PRIORITY], 4900000, 5000000);
	check_sum(&stats, now - begin_ns);
	hg_sched_sample_tenant(s, 0, &stats, now);
	HG_CHECK_EQ(stats.held_ns[HG_LIMIT_PRIORITY], 0);
	check_sum(&stats, now - begin_ns);
}

/* The maximum of its tenant is told before the priority, and the sum is exact. */
static void s2_9_a_parked_tenant_is_told_before_the_priority(void)
{
	const uint32_t mask = 1u << HIGH | 1u << OTHER | 1u << LOW;
	struct hg_sched_stats stats;
	const hg_ns begin_ns = HG_NS_PER_S;

	priorities(8);
	set_priority(OTHER, HG_PRIORITY_HIGH);
	for (int k = 0; k < 3; k++) {
		policy.max_bytes_per_s = LINK_BYTES_PER_S / 10; /* OTHER uses it up */
		policy.burst_bytes = HG_BURST_MIN_BYTES;
		set_tenant(1);
		hg_sched_refresh_tenant(s, 1, now);
		run(HG_NS_PER_MS, mask);
		HG_CHECK_EQ(sample(LOW).held_by, HG_LIMIT_TENANT_MAX);
		plain_policy();
		set_tenant(1);
		hg_sched_refresh_tenant(s, 1, now);
		run(HG_NS_PER_MS / 2, mask);
		HG_CHECK_EQ(sample(LOW).held_by, HG_LIMIT_PRIORITY);
	}
	stats = sample(LOW);
	HG_CHECK_BETWEEN(stats.held_ns[HG_LIMIT_TENANT_MAX], 2950000, 3000000);
	HG_CHECK_BETWEEN(stats.held_ns[HG_LIMIT_PRIORITY], 1490000, 1550000);
	check_sum(&stats, now - begin_ns);
	hg_sched_sample_tenant(s, 1, &stats, now);
	check_sum(&stats, now - begin_ns);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(unknown_priority_is_refused),
		HG_TEST(priority_of_a_tenant_is_ignored),
		HG_TEST(s2_6_high_before_normal_before_low),
		HG_TEST(s2_6_bands_share_by_weight),
		HG_TEST(s2_6_guarantees_come_first_at_every_priority),
		HG_TEST(s2_6_high_first_inside_the_tenants_guarantee),
		HG_TEST(s2_6_low_is_let_by_after_10_ms),
		HG_TEST(broken_order_is_noticed),
		HG_TEST(s2_6_a_low_one_alone_fills_the_window),
		HG_TEST(s2_6_few_packets_of_a_lower_one_beside_a_higher),
		HG_TEST(s2_6_let_by_though_the_card_releases_nothing),
		HG_TEST(next_at_knows_of_a_guarantee_in_a_band_that_is_shut),
		HG_TEST(s2_10_what_is_written_off_shuts_nobody_out),
		HG_TEST(s1_8_who_waits_for_its_own_maximum_shuts_nobody_out),
		HG_TEST(s1_11_a_change_of_priority_is_in_force_at_once),
		HG_TEST(instance_with_packets_in_the_card_changes_and_goes),
		HG_TEST(s2_9_waiting_for_a_higher_one_is_told),
		HG_TEST(s2_9_a_parked_tenant_is_told_before_the_priority),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
