/* Several queues of a modelled card, and its faults. */
#include "tests/component/drivers/card.h"

static struct card card;

static void begin(const char *device)
{
	card_begin(&card, device);
}

static void end(void)
{
	card_end(&card);
}

/* What arrives, in order, by queue. */
static void check_order(const char *want)
{
	char got[128];

	card_run_until(&card, card.now_ns + HG_NS_PER_S, NULL, 0);
	card_arrivals(&card, got, sizeof(got));
	HG_CHECK_STR(got, want);
}

/* ---- arbitration -------------------------------------------------------------------------------- */

static void s2_3_round_robin_takes_turns(void)
{
	begin("simnic(rate=1Gbit,queues=3)+dummy:wire");
	hg_dummy_sink(card.far, false);
	HG_CHECK_EQ(card_send_bytes(&card, 0, 4, 1518, '0'), 4);
	HG_CHECK_EQ(card_send_bytes(&card, 1, 2, 1518, '1'), 2);
	HG_CHECK_EQ(card_send_bytes(&card, 2, 3, 1518, '2'), 3);
	check_order("012012020");
	end();
}

/* A quantum is 1,542 bytes; frames of 747 weigh half of it. */
static void s2_3_round_robin_is_fair_in_bytes(void)
{
	begin("simnic(rate=1Gbit,queues=2)+dummy:wire");
	hg_dummy_sink(card.far, false);
	HG_CHECK_EQ(card_send_bytes(&card, 0, 4, 1518, '0'), 4);
	HG_CHECK_EQ(card_send_bytes(&card, 1, 8, 747, '1'), 8);
	check_order("011011011011");
	end();
}

/* What a queue did not use while it had nothing to send is not saved for later. */
static void s2_3_round_robin_saves_nothing_for_an_idle_queue(void)
{
	begin("simnic(rate=1Gbit,queues=2)+dummy:wire");
	hg_dummy_sink(card.far, false);
	for (unsigned i = 0; i < 4; i++) {
		HG_CHECK_EQ(card_send_bytes(&card, 0, 1, 60, '0'), 1);
		check_order("0");
		HG_CHECK_EQ(card_send_bytes(&card, 1, 1, 60, '1'), 1);
		check_order("1");
	}
	HG_CHECK_EQ(card_send_bytes(&card, 0, 3, 1518, '0'), 3);
	HG_CHECK_EQ(card_send_bytes(&card, 1, 3, 1518, '1'), 3);
	check_order("010101");
	end();
}

static void s2_3_strict_serves_the_lowest_number_first(void)
{
	begin("simnic(rate=1Gbit,queues=3,arbitrate=strict)+dummy:wire");
	hg_dummy_sink(card.far, false);
	HG_CHECK_EQ(card_send(&card, 2, 3), 3);
	HG_CHECK_EQ(card_send(&card, 1, 2), 2);
	HG_CHECK_EQ(card_send(&card, 0, 2), 2);
	/* The first was on the wire before the others came. */
	check_order("2001122");
	end();
}

/* What is chosen is what was there when the wire became free, though nobody asked then. */
static void s2_3_arbitration_does_not_depend_on_polling(void)
{
	begin("simnic(rate=1Gbit,queues=2,arbitrate=strict)+dummy:wire");
	hg_dummy_sink(card.far, false);
	HG_CHECK_EQ(card_send(&card, 1, 3), 3);
	card.now_ns = 25 * US;
	HG_CHECK_EQ(card_send(&card, 0, 1), 1);
	check_order("1110");
	end();
}

static void s2_3_each_queue_has_a_ring_and_one_wire_serves_all(void)
{
	begin("simnic(rate=1Gbit,ring=4,queues=2)+dummy:wire");
	HG_CHECK_EQ(card.dev->n_tx_queues, 2);
	HG_CHECK_EQ(card_send(&card, 0, 7), 4);
	HG_CHECK_EQ(card_send(&card, 1, 7), 4);
	HG_CHECK_EQ(card_state(&card).ring_size_pkts, 4);
	HG_CHECK_EQ(card_state(&card).ring_used_pkts, 8);
	card_run_until(&card, 8 * CARD_FRAME_NS - 1, NULL, 0);
	HG_CHECK_EQ(card_state(&card).ring_used_bytes, CARD_WIRE_BYTES);
	card_run_until(&card, 8 * CARD_FRAME_NS, NULL, 0);
	HG_CHECK_EQ(card_state(&card).ring_used_bytes, 0);
	end();
}

static void s2_3_counts_each_queue_exactly(void)
{
	struct hg_simnic_queue_sample now;

	begin("simnic(rate=1Gbit,queues=2,complete=15us)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 1, 4), 4);
	card_run_until(&card, 35 * US, NULL, 0);
	now = card_queue(&card, 1);
	HG_CHECK_EQ(now.taken_bytes, 4 * CARD_WIRE_BYTES);
	HG_CHECK_EQ(now.ring_used_pkts, 1);
	HG_CHECK_EQ(now.ring_used_bytes, CARD_WIRE_BYTES);
	HG_CHECK_EQ(now.sent_pkts, 3);
	HG_CHECK_EQ(now.released_pkts, 2);
	HG_CHECK_EQ(now.released_bytes, 2 * CARD_WIRE_BYTES);
	HG_CHECK_EQ(now.unreleased_pkts, 2);
	HG_CHECK_EQ(now.unreleased_bytes, 2 * CARD_WIRE_BYTES);
	HG_CHECK_EQ(card.heap.n_out, 2);
	HG_CHECK_EQ(card_queue(&card, 0).taken_pkts, 0);
	end();
}

/* ---- faults ------------------------------------------------------------------------------------- */

static void s2_10_the_wire_stands_on_command(void)
{
	begin("simnic(rate=1Gbit,complete=1us)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 2), 2);
	card_run_until(&card, 4 * US, NULL, 0);
	card_fault(&card, (struct hg_simnic_fault){.kind = HG_SIMNIC_STALL, .for_ns = 100 * US});
	card_check_releases(&card, (struct card_release[]){{111 * US, 1}, {121 * US, 1}, {0}});
	/* An idle wire stands too: what comes then starts late. */
	card.now_ns = 2000 * HG_NS_PER_MS;
	card_fault(&card, (struct hg_simnic_fault){.kind = HG_SIMNIC_STALL, .for_ns = 50 * US});
	HG_CHECK_EQ(card_send(&card, 0, 1), 1);
	card_check_releases(&card,
			    (struct card_release[]){{2000 * HG_NS_PER_MS + 61 * US, 1}, {0}});
	end();
}

/* Up for 25 us, then standing for 75: packets of 10 us end at 10, 20, (half of it is left) 105, 115, 125. */
static void s2_10_the_wire_stands_again_and_again(void)
{
	begin("simnic(rate=1Gbit,stall=75us,every=100us)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 6), 6);
	card_check_releases(&card, (struct card_release[]){{10 * US, 1},
							   {20 * US, 1},
							   {105 * US, 1},
							   {115 * US, 1},
							   {125 * US, 1},
							   {210 * US, 1},
							   {0}});
	end();
}

/* A packet of 10 us over a wire that is up 3 us at a time. */
static void s2_10_a_packet_may_stand_several_times(void)
{
	begin("simnic(rate=1Gbit,stall=97us,every=100us)+dummy:wire");
	card.now_ns = 50 * US;
	HG_CHECK_EQ(card_send(&card, 0, 1), 1);
	HG_CHECK_EQ(card_progress(&card), 401 * US);
	end();
}

static void s2_10_loses_on_command(void)
{
	begin("simnic(rate=1Gbit,complete=0ns)+dummy:wire");
	card_fault(&card, (struct hg_simnic_fault){.kind = HG_SIMNIC_LOSE, .ppm = 1000000});
	HG_CHECK_EQ(card_send(&card, 0, 2), 2);
	card_run_until(&card, 20 * US, NULL, 0);
	card_fault(&card, (struct hg_simnic_fault){.kind = HG_SIMNIC_LOSE});
	HG_CHECK_EQ(card_send(&card, 0, 2), 2);
	card_check_releases(&card, (struct card_release[]){{30 * US, 1}, {40 * US, 1}, {0}});
	HG_CHECK_EQ(card_queue(&card, 0).lost_pkts, 2);
	HG_CHECK_EQ(card_queue(&card, 0).unreleased_pkts, 2);
	HG_CHECK_EQ(card.heap.n_out, 2);
	end();
}

static void s2_10_a_reset_empties_the_card_and_counts_what_was_lost(void)
{
	begin("simnic(rate=1Gbit,queues=2,delay=5us,complete=100us)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 4), 4);
	HG_CHECK_EQ(card_send(&card, 1, 3), 3);
	/* Arrived: 2; on its way to the far side: 1; on the wire: 1; in the rings: 3. */
	card_run_until(&card, 33 * US, NULL, 0);
	HG_CHECK_EQ(card.heap.n_out, 7);
	card_fault(&card, (struct hg_simnic_fault){.kind = HG_SIMNIC_RESET});
	HG_CHECK_EQ(card_stats(&card).drops[HG_DROP_CARD_RESET], 4);
	HG_CHECK_EQ(card.heap.n_out, 1);
	HG_CHECK_EQ(card_state(&card).ring_used_pkts, 0);
	HG_CHECK_EQ(card_queue(&card, 0).aborted_pkts + card_queue(&card, 1).aborted_pkts, 4);
	/* The wire is free at once; what was under way arrives, and is released then. */
	HG_CHECK_EQ(card_send(&card, 1, 1), 1);
	card_check_releases(&card, (struct card_release[]){{35 * US, 1}, {143 * US, 1}, {0}});
	end();
}

static void s2_10_a_reset_needs_no_completion_model(void)
{
	begin("simnic(rate=1Gbit)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 4), 4);
	card_run_until(&card, 15 * US, NULL, 0);
	card_fault(&card, (struct hg_simnic_fault){.kind = HG_SIMNIC_RESET});
	HG_CHECK_EQ(card_stats(&card).drops[HG_DROP_CARD_RESET], 3);
	HG_CHECK_EQ(card.heap.n_out, 0);
	HG_CHECK_EQ(card_progress(&card), HG_NEVER);
	end();
}

static void s2_10_a_stopped_queue_keeps_its_packets_and_goes_on(void)
{
	begin("simnic(rate=1Gbit,ring=4,queues=2)+dummy:wire");
	hg_dummy_sink(card.far, false);
	HG_CHECK_EQ(card_send(&card, 0, 2), 2);
	HG_CHECK_EQ(card_send(&card, 1, 2), 2);
	card_fault(&card, (struct hg_simnic_fault){.kind = HG_SIMNIC_STOP_QUEUE, .queue = 0});
	/* The one on the wire ends. */
	check_order("011");
	HG_CHECK_EQ(card_progress(&card), HG_NEVER);
	HG_CHECK_EQ(card_send(&card, 0, 9), 3);
	HG_CHECK_EQ(card_queue(&card, 0).ring_used_pkts, 4);
	HG_CHECK_EQ(card_progress(&card), HG_NEVER);
	card_fault(&card, (struct hg_simnic_fault){.kind = HG_SIMNIC_START_QUEUE, .queue = 0});
	HG_CHECK_EQ(card_progress(&card), card.now_ns + CARD_FRAME_NS);
	check_order("0000");
	/* Stopped and emptied by a reset, it stays stopped. */
	card_fault(&card, (struct hg_simnic_fault){.kind = HG_SIMNIC_STOP_QUEUE, .queue = 0});
	HG_CHECK_EQ(card_send(&card, 0, 1), 1);
	card_fault(&card, (struct hg_simnic_fault){.kind = HG_SIMNIC_RESET});
	HG_CHECK_EQ(card_send(&card, 0, 1), 1);
	HG_CHECK_EQ(card_progress(&card), HG_NEVER);
	end();
}

static void refuses_faults_that_cannot_be(void)
{
	static const struct hg_simnic_fault bad[] = {
		{.kind = HG_SIMNIC_STALL, .for_ns = -1},
		{.kind = HG_SIMNIC_STALL, .for_ns = HG_NS_PER_S + 1},
		{.kind = HG_SIMNIC_LOSE, .ppm = 1000001},
		{.kind = HG_SIMNIC_COMPLETE, .for_ns = 2 * US},
		{.kind = HG_SIMNIC_STOP_QUEUE, .queue = 2},
		{.kind = HG_SIMNIC_START_QUEUE, .queue = 2},
	};
	struct hg_simnic_fault fault = {.kind = HG_SIMNIC_LOSE};

	begin("simnic(rate=1Gbit,queues=2,complete=1us)+dummy:wire");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		HG_CHECK_EQ(hg_simnic_fault(card.dev, &bad[i], 0), -HG_EINVAL);
	end();
	begin("simnic(rate=1Gbit)+dummy:wire");
	HG_CHECK_EQ(hg_simnic_fault(card.dev, &fault, 0), -HG_ENOTSUP);
	fault.kind = HG_SIMNIC_COMPLETE;
	HG_CHECK_EQ(hg_simnic_fault(card.dev, &fault, 0), -HG_ENOTSUP);
	end();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s2_3_round_robin_takes_turns),
		HG_TEST(s2_3_round_robin_is_fair_in_bytes),
		HG_TEST(s2_3_round_robin_saves_nothing_for_an_idle_queue),
		HG_TEST(s2_3_strict_serves_the_lowest_number_first),
		HG_TEST(s2_3_arbitration_does_not_depend_on_polling),
		HG_TEST(s2_3_each_queue_has_a_ring_and_one_wire_serves_all),
		HG_TEST(s2_3_counts_each_queue_exactly),
		HG_TEST(s2_10_the_wire_stands_on_command),
		HG_TEST(s2_10_the_wire_stands_again_and_again),
		HG_TEST(s2_10_a_packet_may_stand_several_times),
		HG_TEST(s2_10_loses_on_command),
		HG_TEST(s2_10_a_reset_empties_the_card_and_counts_what_was_lost),
		HG_TEST(s2_10_a_reset_needs_no_completion_model),
		HG_TEST(s2_10_a_stopped_queue_keeps_its_packets_and_goes_on),
		HG_TEST(refuses_faults_that_cannot_be),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
