/* When a modelled card releases what it has sent. */
#include "tests/component/drivers/card.h"

static struct card card;

static void begin(const char *device)
{
	card_begin(&card, device);
}

static void check(const struct card_release *want)
{
	card_check_releases(&card, want);
	card_end(&card);
}

static void s2_2_releases_a_completion_delay_after_the_end(void)
{
	begin("simnic(rate=1Gbit,complete=25us)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 3), 3);
	check((struct card_release[]){{35 * US, 1}, {45 * US, 1}, {55 * US, 1}, {0}});
}

static void s2_2_arrival_and_release_are_apart(void)
{
	char got[8];

	begin("simnic(rate=1Gbit,delay=3us,complete=25us)+dummy:wire");
	hg_dummy_sink(card.far, false);
	HG_CHECK_EQ(card_send(&card, 0, 1), 1);
	card_run_until(&card, 13 * US - 1, NULL, 0);
	card_arrivals(&card, got, sizeof(got));
	HG_CHECK_STR(got, "");
	card_run_until(&card, 13 * US, NULL, 0);
	card_arrivals(&card, got, sizeof(got));
	HG_CHECK_STR(got, "0");
	HG_CHECK_EQ(card.heap.n_out, 1);
	check((struct card_release[]){{35 * US, 1}, {0}});
}

/* The frame is where it was: nobody gets the buffer while the far side reads it. */
static void s2_2_not_before_the_far_side_is_done_with_the_buffer(void)
{
	char got[8];

	begin("simnic(rate=1Gbit,complete=1us)+dummy:wire");
	hg_dummy_sink(card.far, false);
	HG_CHECK_EQ(card_send(&card, 0, 2), 2);
	card_run_until(&card, 100 * US, NULL, 0);
	HG_CHECK_EQ(card.heap.n_out, 2);
	HG_CHECK_EQ(card_queue(&card, 0).unreleased_pkts, 2);
	card_arrivals(&card, got, sizeof(got));
	HG_CHECK_STR(got, "00");
	HG_CHECK_EQ(card.heap.n_out, 2);
	HG_CHECK_EQ(card_progress(&card), HG_NEVER);
	HG_CHECK_EQ(card.heap.n_out, 0);
	card_end(&card);
}

static void s2_2_a_batch_is_released_when_it_is_full(void)
{
	begin("simnic(rate=1Gbit,complete=5us,batch=4,coalesce=100us)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 6), 6);
	check((struct card_release[]){{45 * US, 4}, {155 * US, 2}, {0}});
}

static void s2_2_a_batch_is_released_when_its_time_is_over(void)
{
	begin("simnic(rate=1Gbit,complete=5us,batch=4,coalesce=15us)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 6), 6);
	/* Ready at 15, 25, 35, ...: the third comes when the time of the first is over, and begins the next. */
	check((struct card_release[]){{30 * US, 2}, {50 * US, 2}, {70 * US, 2}, {0}});
}

static void s2_2_a_batch_waits_no_longer_than_50_us_by_default(void)
{
	begin("simnic(rate=1Gbit,batch=64)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 1), 1);
	check((struct card_release[]){{60 * US, 1}, {0}});
}

/* Asked late, the releases are those that asking in time would have found. */
static void s2_2_batches_do_not_depend_on_polling(void)
{
	begin("simnic(rate=1Gbit,complete=5us,batch=4,coalesce=15us)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 6), 6);
	card.now_ns = 49 * US;
	HG_CHECK_EQ(card_progress(&card), 50 * US);
	HG_CHECK_EQ(card_queue(&card, 0).released_pkts, 2);
	card.now_ns = 69 * US;
	HG_CHECK_EQ(card_progress(&card), 70 * US);
	HG_CHECK_EQ(card_queue(&card, 0).released_pkts, 4);
	check((struct card_release[]){{70 * US, 2}, {0}});
}

/* A batch that is full is over, whether or not it was released before the next packet ended. */
static void s2_2_full_batches_do_not_depend_on_polling(void)
{
	begin("simnic(rate=1Gbit,complete=5us,batch=2,coalesce=100us)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 4), 4);
	card.now_ns = 42 * US;
	HG_CHECK_EQ(card_progress(&card), 45 * US);
	HG_CHECK_EQ(card_queue(&card, 0).released_pkts, 2);
	check((struct card_release[]){{45 * US, 2}, {0}});
}

/* What is ready before it has arrived is not asked for in vain. */
static void s2_2_a_release_that_waits_for_the_arrival_says_when(void)
{
	begin("simnic(rate=1Gbit,delay=100us,complete=1us)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 1), 1);
	card.now_ns = 15 * US;
	HG_CHECK_EQ(card_progress(&card), 110 * US);
	check((struct card_release[]){{110 * US, 1}, {0}});
}

static void s2_2_each_queue_has_its_own_batches(void)
{
	begin("simnic(rate=1Gbit,queues=2,batch=2,coalesce=1ms)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 2), 2);
	HG_CHECK_EQ(card_send(&card, 1, 3), 3);
	/* On the wire: 0 1 0 1 1. */
	check((struct card_release[]){{30 * US, 2}, {40 * US, 2}, {1050 * US, 1}, {0}});
}

static unsigned jittered(const char *device, struct card_release *ret_got)
{
	unsigned n;

	begin(device);
	HG_CHECK_EQ(card_send(&card, 0, 50), 50);
	n = card_run_until(&card, 10000 * US, ret_got, 64);
	HG_CHECK_EQ(card_queue(&card, 0).released_pkts, 50);
	card_end(&card);
	return n;
}

static void s2_2_jitter_is_in_its_range_keeps_the_order_and_repeats(void)
{
	static const char device[] =
		"simnic(rate=1Gbit,complete=5us,jitter=40us,seed=7)+dummy:wire";
	struct card_release got[64], again[64], other[64];
	unsigned n = jittered(device, got), n_released = 0;
	bool is_other = false, is_late = false;

	for (unsigned i = 0; i < n; i++) {
		/* The last of those released here ended n_released + n frames after the start. */
		hg_ns first_ns = (n_released + 1) * CARD_FRAME_NS;

		n_released += (unsigned)got[i].n;
		HG_CHECK_BETWEEN(got[i].at_ns, n_released * CARD_FRAME_NS + 5 * US,
				 first_ns + 45 * US);
		is_late = is_late || got[i].at_ns > first_ns + 20 * US;
	}
	HG_CHECK(is_late);
	HG_CHECK_EQ(jittered(device, again), n);
	HG_CHECK(memcmp(got, again, n * sizeof(got[0])) == 0);
	n = jittered("simnic(rate=1Gbit,complete=5us,jitter=40us,seed=8)+dummy:wire", other);
	for (unsigned i = 0; i < n && !is_other; i++)
		is_other = got[i].at_ns != other[i].at_ns;
	HG_CHECK(is_other);
}

static void s2_10_never_releases_until_it_stops(void)
{
	begin("simnic(rate=1Gbit,complete=never)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 5), 5);
	HG_CHECK_EQ(card_run_until(&card, HG_NS_PER_S, NULL, 0), 0);
	HG_CHECK_EQ(card.heap.n_out, 5);
	HG_CHECK_EQ(card_queue(&card, 0).ring_used_pkts, 0);
	HG_CHECK_EQ(card_queue(&card, 0).lost_pkts, 5);
	HG_CHECK_EQ(card_queue(&card, 0).unreleased_bytes, 5 * CARD_WIRE_BYTES);
	card_end(&card);
}

static void s2_10_loses_the_part_that_it_was_told(void)
{
	begin("simnic(rate=100Gbit,ring=4096,lose=100000)+dummy:wire");
	for (unsigned i = 0; i < 10; i++) {
		HG_CHECK_EQ(card_send(&card, 0, 1000), 1000);
		card_run_until(&card, card.now_ns + 1000 * US, NULL, 0);
	}
	/* 1,000 of 10,000; four standard deviations are 120. */
	HG_CHECK_BETWEEN(card_queue(&card, 0).lost_pkts, 880, 1120);
	HG_CHECK_EQ(card.heap.n_out, card_queue(&card, 0).lost_pkts);
	HG_CHECK_EQ(card_queue(&card, 0).unreleased_pkts, card_queue(&card, 0).lost_pkts);
	card_end(&card);
}

/* A packet that the far side refuses was sent all the same, and its buffer comes back like any other. */
static void s2_2_what_is_refused_behind_the_wire_completes_too(void)
{
	begin("simnic(rate=1Gbit,complete=25us)+dummy:wire");
	hg_dummy_accept(card.far, 1);
	HG_CHECK_EQ(card_send(&card, 0, 2), 2);
	card_check_releases(&card, (struct card_release[]){{35 * US, 1}, {45 * US, 1}, {0}});
	HG_CHECK_EQ(card_stats(&card).drops[HG_DROP_RING_FULL], 1);
	card_end(&card);
}

static void s2_2_waits_for_who_refuses(void)
{
	begin("simnic(rate=1Gbit,complete=1us,full=wait)+dummy:wire");
	hg_dummy_accept(card.far, 1);
	HG_CHECK_EQ(card_send(&card, 0, 3), 3);
	card_run_until(&card, 95 * US, NULL, 0);
	HG_CHECK_EQ(card_queue(&card, 0).released_pkts, 1);
	hg_dummy_accept(card.far, UINT64_MAX);
	check((struct card_release[]){{100 * US, 2}, {0}});
}

static void s2_2_the_completion_delay_changes_on_command(void)
{
	begin("simnic(rate=1Gbit,complete=50us)+dummy:wire");
	card_fault(&card, (struct hg_simnic_fault){.kind = HG_SIMNIC_COMPLETE, .for_ns = 1 * US});
	HG_CHECK_EQ(card_send(&card, 0, 3), 3);
	card_run_until(&card, 15 * US, NULL, 0);
	HG_CHECK_EQ(card_queue(&card, 0).released_pkts, 1);
	card_fault(&card, (struct hg_simnic_fault){.kind = HG_SIMNIC_COMPLETE, .for_ns = 50 * US});
	card_run_until(&card, 25 * US, NULL, 0);
	card_fault(&card, (struct hg_simnic_fault){.kind = HG_SIMNIC_COMPLETE});
	/* The third is ready at its end, at 30 us, but not before the second. */
	check((struct card_release[]){{70 * US, 2}, {0}});
}

/* A second card behind the first has a pool of the first's between itself and the buffers. */
static void s2_2_cards_in_a_row_each_release_what_is_theirs(void)
{
	begin("simnic(rate=1Gbit,complete=30us)+simnic(rate=1Gbit,complete=5us)+dummy:wire");
	HG_CHECK_EQ(card_send(&card, 0, 2), 2);
	check((struct card_release[]){{40 * US, 1}, {50 * US, 1}, {0}});
}

static void s2_2_stops_with_buffers_in_every_state(void)
{
	begin("simnic(rate=1Gbit,queues=2,delay=15us,complete=20us,batch=2,lose=200000)+dummy:"
	      "wire");
	HG_CHECK_EQ(card_send(&card, 0, 20), 20);
	HG_CHECK_EQ(card_send(&card, 1, 20), 20);
	card_run_until(&card, 95 * US, NULL, 0);
	HG_CHECK(card_queue(&card, 0).lost_pkts + card_queue(&card, 1).lost_pkts > 0);
	HG_CHECK(card_state(&card).completed_pkts > 0);
	HG_CHECK(card_state(&card).ring_used_pkts > 0);
	card_end(&card);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s2_2_releases_a_completion_delay_after_the_end),
		HG_TEST(s2_2_arrival_and_release_are_apart),
		HG_TEST(s2_2_not_before_the_far_side_is_done_with_the_buffer),
		HG_TEST(s2_2_a_batch_is_released_when_it_is_full),
		HG_TEST(s2_2_a_batch_is_released_when_its_time_is_over),
		HG_TEST(s2_2_a_batch_waits_no_longer_than_50_us_by_default),
		HG_TEST(s2_2_batches_do_not_depend_on_polling),
		HG_TEST(s2_2_full_batches_do_not_depend_on_polling),
		HG_TEST(s2_2_a_release_that_waits_for_the_arrival_says_when),
		HG_TEST(s2_2_each_queue_has_its_own_batches),
		HG_TEST(s2_2_jitter_is_in_its_range_keeps_the_order_and_repeats),
		HG_TEST(s2_10_never_releases_until_it_stops),
		HG_TEST(s2_10_loses_the_part_that_it_was_told),
		HG_TEST(s2_2_what_is_refused_behind_the_wire_completes_too),
		HG_TEST(s2_2_waits_for_who_refuses),
		HG_TEST(s2_2_the_completion_delay_changes_on_command),
		HG_TEST(s2_2_cards_in_a_row_each_release_what_is_theirs),
		HG_TEST(s2_2_stops_with_buffers_in_every_state),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
