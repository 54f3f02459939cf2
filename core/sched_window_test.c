#include "tests/sched_card.h"

/* ---- misuse ------------------------------------------------------------------------------------- */

static void what_is_not_held_may_be_opened(void)
{
	world(4);
	hg_sched_window_opened(s, 0, now);
	hg_sched_window_opened(s, N_INSTANCES - 1, now); /* never set */
	hg_sched_window_changed(s, now);
	HG_CHECK(!hg_sched_was_held_by_window(s));
	push(0, FRAME, 1);
	hg_sched_window_opened(s, 0, now);
	HG_CHECK_EQ(pop(32), 1);
	HG_CHECK_EQ(pop(32), 0);
	HG_CHECK_EQ(hg_sched_next_at(s, now), HG_NEVER);
}

/* ---- the whole window --------------------------------------------------------------------------- */

static void s2_5_alone_it_fills_the_window(void)
{
	world(4);
	for (uint32_t i = 1; i < 4; i++)
		hg_window_remove_instance(window, i); /* nobody idle for whom room is kept */
	push(0, FRAME, 10);
	HG_CHECK_EQ(pop(32), 4);
	HG_CHECK(hg_sched_was_held_by_window(s));
	HG_CHECK(!hg_sched_was_held_by_window(s));
	HG_CHECK_EQ(hg_sched_next_at(s, now), HG_NEVER);
	HG_CHECK_EQ(sample(0).held_by, HG_LIMIT_LINK);
	now += 1000;
	HG_CHECK_EQ(pop(32), 0);
	release();
	HG_CHECK_EQ(hg_sched_next_at(s, now), now);
	HG_CHECK_EQ(pop(32), 1);
	HG_CHECK_EQ(sample(0).held_ns[HG_LIMIT_LINK], 1000);
}

/* MAX plus less than one packet, whatever their sizes. */
static void s2_5_never_more_than_max_and_a_packet(void)
{
	struct hg_window_stats stats;

	world(3);
	push(0, 100, 3);
	push(0, 9018, 3);
	push(2, FRAME, 5);
	while (hg_sched_queued_pkts(s) > 0) {
		pop(32);
		hg_window_sample(window, &stats);
		HG_CHECK(stats.outstanding_bytes <= 3 * FRAME + 9018);
		now += 100;
		release();
	}
}

static void next_at_looks_again_after_a_push(void)
{
	struct hg_sched_item items[4];

	world(2);
	push(0, FRAME, 8);
	pop(32);
	HG_CHECK_EQ(hg_sched_next_at(s, now), HG_NEVER);
	push(2, FRAME, 2);
	HG_CHECK_EQ(hg_sched_next_at(s, now), now);
	HG_CHECK_EQ(pop(32), 1); /* there was room for who woke */
	HG_CHECK_EQ(hg_sched_next_at(s, now), HG_NEVER);
	HG_CHECK_EQ(hg_sched_drain(s, 2, items, 4, now), 1);
	HG_CHECK_EQ(hg_sched_next_at(s, now), now);
}

/* The full window ends the call: whoever was first in line is the first at the next release. */
static void full_window_keeps_the_order(void)
{
	world(2);
	policy.min_bytes_per_s = LINK_BYTES_PER_S / 4;
	for (uint32_t i = 0; i < 4; i++)
		set_instance(i, i / 2);
	run(HG_NS_PER_MS, 0xf);
	for (int i = 0; i < 4; i++)
		HG_CHECK_BETWEEN(got_bytes[i], 1250000 / 4 - 3 * FRAME, 1250000 / 4 + 3 * FRAME);
}

/* ---- shares ------------------------------------------------------------------------------------- */

static void s2_5_who_has_its_share_in_the_card_waits_for_its_own(void)
{
	world(8);
	push(0, FRAME, 10);
	push(2, FRAME, 2);
	push(1, FRAME, 2);
	push(3, FRAME, 2);
	pop(32); /* a quarter each: two of everybody */
	for (int i = 0; i < 4; i++)
		HG_CHECK_EQ(got_bytes[i], 2 * FRAME);
	HG_CHECK_EQ(card.n, 8);
	push(0, FRAME, 1);
	pop(32); /* full before it is its share */
	HG_CHECK_EQ(sample(0).held_by, HG_LIMIT_LINK);
	hg_window_set_max(window, 9 * FRAME, 0);
	hg_sched_window_changed(s, now);
	push(2, FRAME, 1);
	hg_sched_was_held_by_window(s);
	pop(32);
	HG_CHECK_EQ(got_bytes[2] + got_bytes[0], 5 * FRAME);
}

/* Two instances and MAX of 6: one may have three. */
static void share_world(void)
{
	world(6);
	hg_window_remove_instance(window, 1);
	hg_window_remove_instance(window, 3);
	push(0, FRAME, 10);
	push(2, FRAME, 1);
	HG_CHECK_EQ(pop(32), 4);
	HG_CHECK_EQ(got_bytes[0], 3 * FRAME);
}

static void s2_9_held_by_share_is_told_and_ends_with_a_release(void)
{
	struct hg_sched_stats stats;

	share_world();
	HG_CHECK_EQ(sample(0).held_by, HG_LIMIT_WINDOW);
	hg_sched_sample_tenant(s, 0, &stats, now);
	HG_CHECK_EQ(stats.held_by, HG_LIMIT_WINDOW);
	HG_CHECK(hg_sched_was_held_by_window(s));
	HG_CHECK_EQ(hg_sched_next_at(s, now), HG_NEVER);
	now += 5000;
	while (card.pkts[card.head].item.instance_idx != 0)
		release(); /* not its own */
	if (hg_sched_next_at(s, now) == HG_NEVER)
		HG_CHECK_EQ(sample(0).held_by, HG_LIMIT_WINDOW);
	release();
	HG_CHECK_EQ(hg_sched_next_at(s, now), now);
	HG_CHECK_EQ(sample(0).held_by, HG_LIMIT_LINK);
	HG_CHECK(pop(32) >= 1);
	HG_CHECK_EQ(sample(0).held_ns[HG_LIMIT_WINDOW], 5000);
	stats = sample(0);
	HG_CHECK_EQ(sum_held(&stats), 5000);
	hg_sched_sample_tenant(s, 0, &stats, now);
	HG_CHECK_EQ(stats.held_ns[HG_LIMIT_WINDOW], 5000);
	HG_CHECK_EQ(sum_held(&stats), 5000);
}

static void s2_11_divided_anew_frees_all_who_were_held(void)
{
	share_world();
	hg_window_set_max(window, 12 * FRAME, 0);
	hg_sched_window_changed(s, now);
	HG_CHECK_EQ(pop(32), 3);
	HG_CHECK_EQ(got_bytes[0], 6 * FRAME);
}

static void held_instance_may_be_drained_moved_and_removed(void)
{
	struct hg_sched_item items[16];

	share_world();
	plain_policy();
	set_instance(0, 1); /* to the other tenant */
	now += 10;
	pop(32);
	HG_CHECK_EQ(hg_sched_drain(s, 0, items, 2, now), 2);
	now += 10;
	pop(32);
	while (hg_sched_drain(s, 0, items, 16, now) > 0)
		;
	HG_CHECK_EQ(sample(0).held_by, HG_LIMIT_NONE);
	HG_CHECK_EQ(hg_sched_remove_instance(s, 0, now, NULL), 0);
	hg_window_remove_instance(window, 0);
	while (card.n > 0)
		release();
	HG_CHECK_EQ(hg_sched_next_at(s, now), HG_NEVER);
	set_instance(0, 0);
	push(0, FRAME, 3);
	HG_CHECK(pop(32) == 3);
	HG_CHECK_EQ(sample(0).held_ns[HG_LIMIT_WINDOW], 0);
}

/* ---- what was held by the window alone ----------------------------------------------------------- */

static void not_held_by_window_when_a_maximum_ends_it(void)
{
	world(4);
	policy.max_bytes_per_s = 1000000;
	policy.burst_bytes = 2000;
	set_instance(0, 0);
	push(0, FRAME, 4);
	now += 100 * HG_NS_PER_MS;
	HG_CHECK_EQ(pop(32), 1);
	HG_CHECK(!hg_sched_was_held_by_window(s));
	HG_CHECK_EQ(sample(0).held_by, HG_LIMIT_MAX);
}

static void not_held_by_window_when_the_root_or_the_call_ends_it(void)
{
	struct hg_sched_item items[8];

	world(40);
	push(0, FRAME, 10);
	HG_CHECK_EQ(pop(1), 1);
	HG_CHECK(!hg_sched_was_held_by_window(s));
	HG_CHECK_EQ(hg_sched_pop(s, items, 8, FRAME, now), 1);
	HG_CHECK(!hg_sched_was_held_by_window(s));
	hg_sched_set_root(s, LINK_BYTES_PER_S, FRAME, now);
	while (pop(32) > 0)
		;
	HG_CHECK(hg_sched_queued_pkts(s) > 0);
	HG_CHECK(!hg_sched_was_held_by_window(s));
}

/* Whose tenant has used its tokens up meanwhile is held by more than the window. */
static void not_held_by_window_when_the_tenant_has_no_tokens(void)
{
	world(6);
	hg_window_remove_instance(window, 3);
	policy.max_bytes_per_s = 1000000;
	policy.burst_bytes = policy.reserve_bytes = 4 * FRAME;
	set_tenant(0);
	push(2, FRAME, 1);
	push(1, FRAME, 2);
	push(0, FRAME, 6);
	pop(32);
	HG_CHECK_EQ(got_bytes[0] + got_bytes[1], 4 * FRAME);
	HG_CHECK(!hg_sched_was_held_by_window(s));
}

/* ---- with few packets in the card --------------------------------------------------------------- */

/* By how many frames the worst has more or less than its weight says, after 10 ms with those of weight > 0
 * backlogged: 8,127 frames. */
static double worst_error_frames(unsigned max_frames, const uint32_t *weights,
				 const uint32_t *tenant_weights)
{
	double all = 0, worst = 0;
	uint32_t tenant_sum = 0, mask = 0;

	world(max_frames);
	for (uint32_t t = 0; t < 2; t++) {
		policy.weight = tenant_weights[t];
		set_tenant(t);
		if (weights[2 * t] + weights[2 * t + 1] > 0)
			tenant_sum += tenant_weights[t];
	}
	for (uint32_t i = 0; i < 4; i++) {
		policy.weight = weights[i];
		if (weights[i] > 0)
			set_instance(i, i / 2);
		mask |= weights[i] > 0 ? 1u << i : 0u;
	}
	run(10 * HG_NS_PER_MS, mask);
	for (int i = 0; i < 4; i++)
		all += (double)got_bytes[i];
	for (int i = 0; i < 4; i++) {
		double want = weights[i] == 0
				      ? 0
				      : all * tenant_weights[i / 2] / tenant_sum * weights[i] /
						(weights[i & ~1] + weights[i | 1]);
		double error = ((double)got_bytes[i] - want) / FRAME;

		if (error < 0)
			error = -error;
		if (error > worst)
			worst = error;
	}
	return worst;
}

static void s2_5_weights_hold_with_two_packets_in_the_card(void)
{
	static const uint32_t equal[] = {1, 1};

	for (unsigned max_frames = 2; max_frames <= 12; max_frames++)
		for (uint32_t w = 1; w <= 20; w += max_frames) {
			const uint32_t in_a_tenant[] = {w, 1, 0, 0}, tenants[] = {w, 1};
			const uint32_t one_each[] = {1, 0, 1, 0}, three[] = {1, 1, 1, 0};

			HG_CHECK(worst_error_frames(max_frames, in_a_tenant, equal) <= 4);
			HG_CHECK(worst_error_frames(max_frames, one_each, tenants) <= 4);
			HG_CHECK(worst_error_frames(max_frames, three, tenants) <= 4);
		}
}

static void broken_weight_is_noticed_with_two_packets(void)
{
	static const uint32_t told[] = {4, 1, 0, 0}, equal[] = {1, 1};

	HG_CHECK(worst_error_frames(2, told, equal) <= 4);
	/* Had another been agreed, it would be far off. */
	HG_CHECK(got_bytes[0] > 4 * got_bytes[1] - 20 * FRAME);
	HG_CHECK(got_bytes[0] > 3 * got_bytes[1] + 20 * FRAME);
}

/* Those who account for a run as one may: it is of one instance, in order, complete, and no more than was asked for. */
static void s2_1_runs_make_up_what_was_popped(void)
{
	static const uint32_t sizes[] = {84, 84, 200, 900, 84, 1538, 2000, 84, 9018, 84, 700};
	struct hg_sched_item items[32];
	struct hg_sched_run list[32];
	struct hg_sched_runs runs = {.list = list, .most_bytes = FRAME};
	unsigned n, n_shared = 0;

	world(64);
	for (uint32_t i = 0; i < 400; i++)
		push(i / 7 % 3, sizes[i * 5 % 11], 1);
	do {
		const struct hg_sched_item *at = items;

		runs.n = 0;
		n = hg_sched_pop_runs(s, items, 32, UINT32_MAX, &runs, now);
		for (unsigned r = 0; r < runs.n; r++) {
			uint32_t bytes = 0, parts = 0;

			HG_CHECK(list[r].n >= 1);
			for (unsigned i = 0; i < list[r].n; i++) {
				HG_CHECK_EQ(at[i].instance_idx, at[0].instance_idx);
				bytes += at[i].wire_bytes;
				parts += at[i].parts;
			}
			HG_CHECK_EQ(list[r].bytes, bytes);
			HG_CHECK_EQ(list[r].parts, parts);
			HG_CHECK(bytes <= FRAME || list[r].n == 1);
			n_shared += list[r].n > 1;
			at += list[r].n;
		}
		HG_CHECK(at == items + n);
		for (unsigned i = 0; i < n; i++)
			hg_window_give(window, items[i].instance_idx,
				       hg_window_generation(window, items[i].instance_idx),
				       hg_window_epoch(window), items[i].wire_bytes,
				       items[i].parts);
		now += 1000;
		for (uint32_t i = 0; i < 3; i++)
			hg_sched_window_opened(s, i, now);
	} while (hg_sched_queued_pkts(s) > 0);
	HG_CHECK(n_shared > 50);
}

/* The wire never rests while something waits, though only two packets are in the card. */
static void s2_4_two_packets_keep_the_wire_busy(void)
{
	world(2);
	run(HG_NS_PER_MS, 0x5);
	card.idle_ns = 0;
	run(2 * HG_NS_PER_MS, 0xf);
	HG_CHECK_EQ(card.idle_ns, 0);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(what_is_not_held_may_be_opened),
		HG_TEST(s2_5_alone_it_fills_the_window),
		HG_TEST(s2_5_never_more_than_max_and_a_packet),
		HG_TEST(next_at_looks_again_after_a_push),
		HG_TEST(full_window_keeps_the_order),
		HG_TEST(s2_5_who_has_its_share_in_the_card_waits_for_its_own),
		HG_TEST(s2_9_held_by_share_is_told_and_ends_with_a_release),
		HG_TEST(s2_11_divided_anew_frees_all_who_were_held),
		HG_TEST(held_instance_may_be_drained_moved_and_removed),
		HG_TEST(not_held_by_window_when_a_maximum_ends_it),
		HG_TEST(not_held_by_window_when_the_root_or_the_call_ends_it),
		HG_TEST(not_held_by_window_when_the_tenant_has_no_tokens),
		HG_TEST(s2_5_weights_hold_with_two_packets_in_the_card),
		HG_TEST(broken_weight_is_noticed_with_two_packets),
		HG_TEST(s2_4_two_packets_keep_the_wire_busy),
		HG_TEST(s2_1_runs_make_up_what_was_popped),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
