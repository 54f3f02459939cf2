#include "core/window.h"

#include "tests/harness.h"

enum { N_TENANTS = 8, N_INSTANCES = 256 };

#define FRAME 1538u
#define LINK UINT64_C(1250000000)

static struct hg_window *w;
static uint32_t lost_pkts;

/* Tenants of weight 1, instances 0 to n-1 in turn among n_tenants of them. */
static void world(uint32_t n_tenants, uint32_t n)
{
	static void *memory;
	size_t size = (hg_window_size(N_TENANTS, N_INSTANCES) + 63u) & ~(size_t)63u;

	free(memory);
	memory = aligned_alloc(64, size);
	HG_CHECK(memory != NULL);
	memset(memory, 0, size);
	w = hg_window_init(memory, N_TENANTS, N_INSTANCES);
	hg_window_set_link(w, LINK, FRAME);
	for (uint32_t t = 0; t < n_tenants; t++)
		hg_window_set_tenant(w, t, 1);
	for (uint32_t i = 0; i < n; i++)
		hg_window_set_instance(w, i, i % n_tenants, 1, 0);
}

static uint64_t out_bytes(uint32_t i)
{
	struct hg_window_row row;

	hg_window_sample_instance(w, i, &row);
	return row.outstanding_bytes;
}

static uint64_t share(uint32_t i)
{
	struct hg_window_row row;

	hg_window_sample_instance(w, i, &row);
	return row.share_bytes;
}

static struct hg_window_stats all(void)
{
	struct hg_window_stats stats;

	hg_window_sample(w, &stats);
	HG_CHECK_EQ(stats.taken_bytes,
		    stats.given_bytes + stats.lost_bytes + stats.outstanding_bytes);
	HG_CHECK_EQ(stats.taken_pkts, stats.given_pkts + stats.lost_pkts + stats.outstanding_pkts);
	return stats;
}

static bool give(uint32_t i, uint16_t generation, uint8_t epoch)
{
	return hg_window_give(w, i, generation, epoch, FRAME, 1);
}

/* Takes frames for as long as it may; returns how many. */
static unsigned fill(uint32_t i)
{
	unsigned n = 0;

	hg_window_wants(w, i, true);
	for (; hg_window_may(w, i) == HG_WINDOW_OPEN; n++)
		hg_window_take(w, i, FRAME, 1);
	return n;
}

static void fill_all_in_turn(uint32_t n)
{
	for (bool any = true; any;) {
		any = false;
		for (uint32_t i = 0; i < n; i++)
			if (hg_window_may(w, i) == HG_WINDOW_OPEN) {
				hg_window_take(w, i, FRAME, 1);
				any = true;
			}
	}
}

static void s2_1_what_is_taken_is_accounted_to_its_instance(void)
{
	world(1, 2);
	hg_window_take(w, 0, 1000, 1);
	hg_window_take(w, 1, 500, 2);
	HG_CHECK_EQ(out_bytes(0), 1000);
	HG_CHECK_EQ(out_bytes(1), 500);
	HG_CHECK_EQ(all().outstanding_bytes, 1500);
	HG_CHECK_EQ(all().outstanding_pkts, 3);
	HG_CHECK(hg_window_give(w, 1, hg_window_generation(w, 1), hg_window_epoch(w), 500, 2));
	HG_CHECK_EQ(out_bytes(1), 0);
	HG_CHECK_EQ(all().outstanding_bytes, 1000);
}

static void s2_5_unbounded_counts_all_the_same(void)
{
	world(1, 2);
	for (unsigned n = 0; n < 100000; n++) {
		HG_CHECK_EQ(hg_window_may(w, 0), HG_WINDOW_OPEN);
		hg_window_take(w, 0, FRAME, 1);
	}
	HG_CHECK_EQ(all().outstanding_bytes, 100000 * FRAME);
	HG_CHECK_EQ(all().peak_bytes, 100000 * FRAME);
}

static void s2_5_lone_sender_gets_all(void)
{
	world(1, 1);
	hg_window_set_max(w, 10 * FRAME, 0);
	HG_CHECK_EQ(fill(0), 10);
	HG_CHECK_EQ(hg_window_may(w, 0), HG_WINDOW_FULL);
}

static void s2_5_lone_sender_leaves_room_for_a_waker(void)
{
	world(1, 2);
	hg_window_set_max(w, 10 * FRAME, 0);
	HG_CHECK_EQ(fill(0), 9);
	HG_CHECK_EQ(hg_window_may(w, 0), HG_WINDOW_FULL);
	hg_window_wants(w, 1, true);
	HG_CHECK_EQ(hg_window_may(w, 1), HG_WINDOW_OPEN);
	hg_window_take(w, 1, FRAME, 1);
	HG_CHECK_EQ(hg_window_may(w, 1), HG_WINDOW_FULL);
	HG_CHECK_EQ(all().outstanding_bytes, 10 * FRAME);
}

static void s2_5_many_senders_leave_room_for_a_waker(void)
{
	world(1, 9);
	hg_window_set_max(w, 4 * FRAME, 0);
	for (uint32_t i = 0; i < 8; i++)
		hg_window_wants(w, i, true);
	for (uint32_t i = 0; i < 8; i++) /* each has been fresh once, and is so no more */
		hg_window_take(w, i, FRAME, 1);
	for (uint32_t i = 0; i < 8; i++)
		HG_CHECK(give(i, 0, 0));
	fill_all_in_turn(8);
	HG_CHECK_EQ(all().outstanding_bytes, 3 * FRAME);
	hg_window_wants(w, 8, true);
	HG_CHECK_EQ(hg_window_may(w, 8), HG_WINDOW_OPEN);
}

static void s2_5_divided_by_weight_first_among_tenants(void)
{
	world(2, 3); /* 0 and 2 of tenant 0, 1 of tenant 1 */
	hg_window_set_tenant(w, 1, 2);
	hg_window_set_instance(w, 2, 0, 3, 0);
	hg_window_set_max(w, 120000, 0);
	for (uint32_t i = 0; i < 3; i++)
		hg_window_wants(w, i, true);
	HG_CHECK_BETWEEN(share(0), 9999, 10000);
	HG_CHECK_BETWEEN(share(1), 79999, 80000);
	HG_CHECK_BETWEEN(share(2), 29999, 30000);
	fill_all_in_turn(3);
	HG_CHECK_BETWEEN(out_bytes(0), 10000, 10000 + FRAME);
	HG_CHECK_BETWEEN(out_bytes(2), 30000, 30000 + FRAME);
	HG_CHECK_BETWEEN(all().outstanding_bytes, 119999, 120000 + FRAME);
}

static void s2_5_weights_hold_where_max_is_two_packets(void)
{
	world(1, 2);
	hg_window_set_instance(w, 0, 0, 4, 0);
	hg_window_set_max(w, 2 * FRAME, 0);
	hg_window_wants(w, 1, true);
	hg_window_wants(w, 0, true);
	hg_window_take(w, 1, FRAME, 1);
	HG_CHECK_EQ(hg_window_may(w, 1), HG_WINDOW_SHARE);
	hg_window_take(w, 0, FRAME / 2, 1);
	HG_CHECK_EQ(hg_window_may(w, 0), HG_WINDOW_OPEN);
}

static void s2_5_share_binds_in_packets_too(void)
{
	world(1, 2);
	hg_window_set_max(w, 100000, 16);
	hg_window_wants(w, 0, true);
	hg_window_wants(w, 1, true);
	for (unsigned n = 0; n < 8; n++) {
		HG_CHECK_EQ(hg_window_may(w, 0), HG_WINDOW_OPEN);
		hg_window_take(w, 0, 88, 1);
	}
	HG_CHECK_EQ(hg_window_may(w, 0), HG_WINDOW_SHARE);
	HG_CHECK_EQ(hg_window_may(w, 1), HG_WINDOW_OPEN);
	hg_window_take(w, 1, 8 * 88, 8);
	HG_CHECK_EQ(hg_window_may(w, 1), HG_WINDOW_FULL);
}

static void s2_5_guarantee_has_its_part(void)
{
	world(1, 8);
	hg_window_set_instance(w, 0, 0, 1, LINK / 2);
	hg_window_set_max(w, 80000, 0);
	for (uint32_t i = 0; i < 8; i++)
		hg_window_wants(w, i, true);
	HG_CHECK_BETWEEN(share(0), 39900, 40000);
	HG_CHECK_BETWEEN(share(1), 9999, 10000);
	hg_window_set_link(w, LINK / 2, FRAME); /* a slower link: all of it is guaranteed */
	HG_CHECK_BETWEEN(share(0), 79900, 80000);
}

static void s2_5_nothing_outstanding_is_held_by_no_share(void)
{
	world(1, 200);
	hg_window_set_max(w, 20 * FRAME, 0);
	for (uint32_t i = 0; i < 200; i++)
		hg_window_wants(w, i, true);
	HG_CHECK(share(0) < FRAME);
	for (uint32_t i = 0; i < 20; i++) {
		HG_CHECK_EQ(hg_window_may(w, i), HG_WINDOW_OPEN);
		hg_window_take(w, i, FRAME, 1);
	}
	HG_CHECK_EQ(hg_window_may(w, 20), HG_WINDOW_FULL);
}

static void s2_5_one_packet_always_passes(void)
{
	world(1, 2);
	hg_window_set_max(w, 1, 1);
	HG_CHECK_EQ(hg_window_may(w, 0), HG_WINDOW_OPEN);
	hg_window_take(w, 0, 70000, 46);
	HG_CHECK_EQ(hg_window_may(w, 0), HG_WINDOW_FULL);
	HG_CHECK_EQ(hg_window_may(w, 1), HG_WINDOW_FULL);
	HG_CHECK(hg_window_give(w, 0, 0, 0, 70000, 46));
	HG_CHECK_EQ(hg_window_may(w, 1), HG_WINDOW_OPEN);
}

static void s2_8_behaviour_counts_as_weight(void)
{
	world(1, 2);
	hg_window_set_max(w, 90000, 0);
	hg_window_wants(w, 0, true);
	hg_window_wants(w, 1, true);
	hg_window_set_depth_shift(w, 0, -3);
	HG_CHECK_BETWEEN(share(0), 9999, 10000);
	hg_window_set_depth_shift(w, 0, 1);
	HG_CHECK_BETWEEN(share(0), 59999, 60000);
	hg_window_set_depth_shift(w, 0, 9); /* not beyond what is earned at best */
	HG_CHECK_BETWEEN(share(0), 59999, 60000);
}

static void s2_11_divided_anew_at_every_change(void)
{
	world(2, 4);
	hg_window_set_max(w, 80000 + FRAME, 0);
	hg_window_wants(w, 0, true);
	HG_CHECK_BETWEEN(share(0), 79999, 80000);
	hg_window_wants(w, 2, true); /* of the same tenant */
	HG_CHECK_BETWEEN(share(0), 39999, 40000);
	hg_window_wants(w, 1, true); /* of another */
	HG_CHECK_BETWEEN(share(0), 19999, 20000);
	hg_window_set_instance(w, 0, 0, 3, 0);
	HG_CHECK_BETWEEN(share(0), 29999, 30000);
	hg_window_set_tenant(w, 0, 3);
	HG_CHECK_BETWEEN(share(0), 44999, 45000);
	hg_window_set_instance(w, 0, 1, 3, 0); /* to the other tenant */
	HG_CHECK_BETWEEN(share(0), 14999, 15000);
	hg_window_remove_instance(w, 1);
	HG_CHECK_BETWEEN(share(0), 19999, 20000);
	hg_window_wants(w, 2, false);
	HG_CHECK_BETWEEN(share(0), 79999, 80000);
	hg_window_set_max(w, 40000 + FRAME, 0);
	HG_CHECK_BETWEEN(share(0), 39999, 40000);
	HG_CHECK_EQ(all().n_active, 1);
}

static void s2_11_growth_is_told_to_who_was_refused(void)
{
	world(1, 3);
	hg_window_set_max(w, 20 * FRAME, 0);
	hg_window_wants(w, 1, true);
	hg_window_wants(w, 1, false);
	HG_CHECK(!hg_window_has_grown(w)); /* nobody was refused */
	hg_window_wants(w, 1, true);
	fill(0);
	HG_CHECK_EQ(hg_window_may(w, 0), HG_WINDOW_SHARE);
	HG_CHECK(!hg_window_has_grown(w));
	hg_window_wants(w, 1, false);
	HG_CHECK(hg_window_has_grown(w));
	HG_CHECK(!hg_window_has_grown(w));
	HG_CHECK(fill(0) > 0);
	HG_CHECK_EQ(hg_window_may(w, 0), HG_WINDOW_FULL);
	hg_window_set_max(w, 19 * FRAME, 0);
	HG_CHECK(!hg_window_has_grown(w));
	hg_window_set_max(w, 22 * FRAME, 0);
	HG_CHECK(hg_window_has_grown(w));
}

static void s2_10_what_two_epochs_miss_is_written_off(void)
{
	world(1, 1);
	hg_window_take(w, 0, FRAME, 1);
	HG_CHECK_EQ(hg_window_next_epoch(w, &lost_pkts), 0);
	hg_window_take(w, 0, 1000, 1);
	HG_CHECK_EQ(out_bytes(0), FRAME + 1000);
	HG_CHECK_EQ(hg_window_next_epoch(w, &lost_pkts), FRAME);
	HG_CHECK_EQ(lost_pkts, 1);
	HG_CHECK_EQ(all().outstanding_bytes, 1000);
	HG_CHECK_EQ(out_bytes(0), 1000);
	HG_CHECK(!give(0, 0, 0)); /* it is back after all, too late */
	HG_CHECK_EQ(out_bytes(0), 1000);
	HG_CHECK(hg_window_give(w, 0, 0, 1, 1000, 1));
	HG_CHECK(!hg_window_give(w, 0, 0, 1, 1000, 1)); /* twice */
	HG_CHECK_EQ(all().outstanding_pkts, 0);
	HG_CHECK_EQ(all().n_active, 0);
}

static void s2_10_sweep_ends_the_part_of_who_lost(void)
{
	world(1, N_INSTANCES);
	hg_window_set_max(w, 100 * FRAME, 0);
	for (uint32_t i = 1; i < N_INSTANCES; i++)
		hg_window_take(w, i, FRAME, 1);
	hg_window_wants(w, 0, true);
	hg_window_next_epoch(w, &lost_pkts);
	HG_CHECK_EQ(hg_window_next_epoch(w, &lost_pkts), (N_INSTANCES - 1) * FRAME);
	HG_CHECK_EQ(lost_pkts, N_INSTANCES - 1);
	HG_CHECK(hg_window_sweep(w)); /* not all in one call */
	while (hg_window_sweep(w))
		;
	HG_CHECK_EQ(all().n_active, 1);
	HG_CHECK_BETWEEN(share(0), 99 * FRAME - 1, 99 * FRAME);
}

static void s2_10_write_off_empties_all(void)
{
	uint8_t epoch;

	world(1, 2);
	hg_window_take(w, 0, FRAME, 1);
	hg_window_next_epoch(w, &lost_pkts);
	epoch = hg_window_epoch(w);
	hg_window_take(w, 1, FRAME, 1);
	HG_CHECK_EQ(hg_window_write_off(w, &lost_pkts), 2 * FRAME);
	HG_CHECK_EQ(lost_pkts, 2);
	HG_CHECK_EQ(all().outstanding_bytes, 0);
	HG_CHECK_EQ(out_bytes(0), 0);
	HG_CHECK_EQ(out_bytes(1), 0);
	hg_window_take(w, 0, FRAME, 1);
	HG_CHECK(!give(0, 0, 0));
	HG_CHECK(!give(1, 0, epoch));
	HG_CHECK(give(0, 0, hg_window_epoch(w)));
	HG_CHECK_EQ(all().outstanding_bytes, 0);
}

static void s2_10_epochs_wrap(void)
{
	uint8_t epoch;

	world(1, 2);
	hg_window_take(w, 1, FRAME, 1);
	for (unsigned n = 0; n < 1000; n++) {
		epoch = hg_window_epoch(w);
		hg_window_take(w, 0, FRAME, 1);
		HG_CHECK_EQ(hg_window_next_epoch(w, &lost_pkts), n == 1 ? FRAME : 0);
		HG_CHECK(give(0, 0, epoch));
		if (n > 1) /* even with the number that its epoch had 256 ago */
			HG_CHECK(!give(1, 0, 0));
	}
	HG_CHECK_EQ(all().outstanding_bytes, 0);
	HG_CHECK_EQ(out_bytes(1), 0);
}

static void removed_while_outstanding_is_nobodys(void)
{
	uint16_t generation;

	world(1, 2);
	hg_window_set_max(w, 10 * FRAME, 0);
	fill(0);
	generation = hg_window_generation(w, 0);
	hg_window_remove_instance(w, 0);
	HG_CHECK_EQ(all().outstanding_bytes, 9 * FRAME); /* it still counts in all */
	HG_CHECK_EQ(all().n_active, 0);
	hg_window_set_instance(w, 0, 0, 1, 0); /* the index has a new owner */
	HG_CHECK_EQ(out_bytes(0), 0);
	HG_CHECK(hg_window_generation(w, 0) != generation);
	hg_window_take(w, 0, FRAME, 1);
	for (unsigned n = 0; n < 9; n++)
		HG_CHECK(give(0, generation, 0));
	HG_CHECK_EQ(out_bytes(0), FRAME);
	HG_CHECK_EQ(all().outstanding_bytes, FRAME);
	HG_CHECK(give(0, hg_window_generation(w, 0), 0));
	HG_CHECK_EQ(all().outstanding_bytes, 0);
}

static void removed_while_outstanding_may_be_lost(void)
{
	world(1, 1);
	hg_window_take(w, 0, FRAME, 1);
	hg_window_remove_instance(w, 0);
	hg_window_next_epoch(w, &lost_pkts);
	HG_CHECK_EQ(hg_window_next_epoch(w, &lost_pkts), FRAME);
	HG_CHECK_EQ(all().outstanding_bytes, 0);
	hg_window_remove_instance(w, 0); /* once more: nothing to do */
	HG_CHECK_EQ(all().n_active, 0);
}

static void misuse_takes_nothing_from_others(void)
{
	world(1, 2);
	hg_window_take(w, 0, FRAME, 1);
	HG_CHECK(!give(1, 0, 0)); /* 1 has nothing outstanding */
	HG_CHECK(!hg_window_give(w, 0, 0, 0, FRAME + 1, 1));
	HG_CHECK(!hg_window_give(w, 0, 0, 0, FRAME, 2));
	HG_CHECK(!give(0, 0, 7)); /* of an epoch that is yet to come */
	HG_CHECK_EQ(all().outstanding_bytes, FRAME);
	hg_window_take(w, 100, FRAME, 1); /* was never set: counted in all */
	HG_CHECK_EQ(all().n_active, 1);
	HG_CHECK(give(100, 0, 0));
	HG_CHECK(give(0, 0, 0));
	HG_CHECK_EQ(all().outstanding_bytes, 0);
}

static void absurd_max_is_cut(void)
{
	world(1, 1);
	hg_window_set_max(w, UINT64_MAX, 0);
	HG_CHECK_EQ(all().max_bytes, 1 << 30);
	hg_window_wants(w, 0, true);
	HG_CHECK_BETWEEN(share(0), (1 << 30) - 1, 1 << 30);
}

/* ---- priorities --------------------------------------------------------------------------------- */

static void s2_6_shares_count_the_own_priority_and_those_above(void)
{
	world(2, 4); /* 0 and 2 in one tenant, 1 and 3 in the other */
	hg_window_set_max(w, 12 * FRAME, 0);
	for (uint32_t i = 0; i < 4; i++)
		hg_window_wants(w, i, true);
	HG_CHECK_EQ(share(0), 3 * FRAME);
	hg_window_set_priority(w, 0, HG_PRIORITY_HIGH);
	hg_window_set_priority(w, 3, HG_PRIORITY_LOW);
	HG_CHECK_EQ(share(0), 12 * FRAME); /* alone in its priority */
	HG_CHECK_EQ(share(1), 6 * FRAME); /* alone in its tenant, but for the low one */
	HG_CHECK_EQ(share(2), 3 * FRAME);
	HG_CHECK_EQ(share(3), 3 * FRAME);
	hg_window_wants(w, 0, false);
	HG_CHECK_EQ(share(2), 11 * FRAME / 2); /* room is kept for the idle one */
	hg_window_wants(w, 0, true);
	for (uint32_t i = 0; i < 4; i++)
		hg_window_set_priority(w, i, HG_PRIORITY_LOW);
	for (uint32_t i = 0; i < 4; i++)
		HG_CHECK_EQ(share(i), 3 * FRAME);
}

static void s2_6_outstanding_is_known_by_priority(void)
{
	uint32_t n_lost;

	world(1, 3);
	hg_window_set_max(w, 30 * FRAME, 0);
	hg_window_set_priority(w, 1, HG_PRIORITY_HIGH);
	hg_window_take(w, 0, FRAME, 1);
	hg_window_take(w, 1, 3 * FRAME, 3);
	HG_CHECK_EQ(hg_window_priority_pkts(w, HG_PRIORITY_NORMAL), 1);
	HG_CHECK_EQ(hg_window_priority_pkts(w, HG_PRIORITY_HIGH), 3);
	hg_window_set_priority(w, 1, HG_PRIORITY_LOW);
	HG_CHECK_EQ(hg_window_priority_pkts(w, HG_PRIORITY_HIGH), 0);
	HG_CHECK_EQ(hg_window_priority_pkts(w, HG_PRIORITY_LOW), 3);
	HG_CHECK(give(0, hg_window_generation(w, 0), hg_window_epoch(w)));
	HG_CHECK_EQ(hg_window_priority_pkts(w, HG_PRIORITY_NORMAL), 0);
	hg_window_next_epoch(w, &n_lost);
	hg_window_take(w, 1, FRAME, 1);
	HG_CHECK_EQ(hg_window_priority_pkts(w, HG_PRIORITY_LOW), 4);
	hg_window_next_epoch(w, &n_lost);
	HG_CHECK_EQ(n_lost, 3);
	HG_CHECK_EQ(hg_window_priority_pkts(w, HG_PRIORITY_LOW), 1);
	hg_window_set_max(w, 0, 0); /* unbounded: nobody is kept short */
	HG_CHECK_EQ(hg_window_priority_pkts(w, HG_PRIORITY_LOW), 0);
	hg_window_set_max(w, 30 * FRAME, 0);
	hg_window_remove_instance(w, 1);
	HG_CHECK_EQ(hg_window_priority_pkts(w, HG_PRIORITY_LOW), 0);
}

static const struct hg_test tests[] = {
	HG_TEST(s2_1_what_is_taken_is_accounted_to_its_instance),
	HG_TEST(s2_5_unbounded_counts_all_the_same),
	HG_TEST(s2_5_lone_sender_gets_all),
	HG_TEST(s2_5_lone_sender_leaves_room_for_a_waker),
	HG_TEST(s2_5_many_senders_leave_room_for_a_waker),
	HG_TEST(s2_5_divided_by_weight_first_among_tenants),
	HG_TEST(s2_5_weights_hold_where_max_is_two_packets),
	HG_TEST(s2_5_share_binds_in_packets_too),
	HG_TEST(s2_5_guarantee_has_its_part),
	HG_TEST(s2_5_nothing_outstanding_is_held_by_no_share),
	HG_TEST(s2_5_one_packet_always_passes),
	HG_TEST(s2_8_behaviour_counts_as_weight),
	HG_TEST(s2_11_divided_anew_at_every_change),
	HG_TEST(s2_11_growth_is_told_to_who_was_refused),
	HG_TEST(s2_10_what_two_epochs_miss_is_written_off),
	HG_TEST(s2_10_sweep_ends_the_part_of_who_lost),
	HG_TEST(s2_10_write_off_empties_all),
	HG_TEST(s2_10_epochs_wrap),
	HG_TEST(removed_while_outstanding_is_nobodys),
	HG_TEST(removed_while_outstanding_may_be_lost),
	HG_TEST(misuse_takes_nothing_from_others),
	HG_TEST(absurd_max_is_cut),
	HG_TEST(s2_6_shares_count_the_own_priority_and_those_above),
	HG_TEST(s2_6_outstanding_is_known_by_priority),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
