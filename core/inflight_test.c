#include "core/inflight.h"

#include "tests/inflight_world.h"

#include <stdbool.h>

enum { N_INSTANCES = 16, N_RING = 1 << 16 };

/* A card on virtual time: sends in order at its rate, and reports in batches. */
static struct {
	uint64_t bytes_per_s; /* 0: copies, and releases at once */
	hg_ns delay_ns, jitter_ns; /* from the end on the wire to the report */
	uint64_t memory_bytes; /* reports what it has read, so far ahead of the wire */
	unsigned batch;
	unsigned loses_one_in;
	bool is_silent, is_stuck;

	hg_ns wire_end_ns, reported_ns;
	struct hg_tag tags[N_RING];
	hg_ns done_ns[N_RING];
	unsigned head, tail;
} card;

static struct {
	struct hg_inflight_cfg cfg;
	struct hg_inflight *q;
	struct hg_window *window;
	hg_ns now;
	uint64_t seed;
	uint64_t n_sent;
	hg_ns pace_ns; /* when the root may go on */
	uint64_t burst_bytes; /* of the root, in a turn */
	hg_ns turn_ns;
	uint32_t sizes[2]; /* of packets */
} w;

static uint32_t load_of(uint32_t wire_bytes)
{
	return wire_bytes | (wire_bytes + FRAME - 1u) / FRAME << 20;
}

static void world(uint64_t bytes_per_s, uint64_t pin_bytes)
{
	memset(&card, 0, sizeof(card));
	memset(&w, 0, sizeof(w));
	card.bytes_per_s = bytes_per_s;
	card.batch = 1;
	w.seed = hg_test_seed;
	w.now = HG_NS_PER_S;
	w.turn_ns = 1000;
	w.burst_bytes = 32 * FRAME;
	w.sizes[0] = w.sizes[1] = FRAME;
	w.cfg = (struct hg_inflight_cfg){.max_tenants = 1,
					 .max_instances = N_INSTANCES,
					 .queue = 3,
					 .is_on = true,
					 .depth = {.bytes_per_s = bytes_per_s,
						   .pin_bytes = pin_bytes,
						   .largest_bytes = FRAME}};
	w.q = inflight_world(&w.cfg, w.now);
	w.window = hg_inflight_window(w.q);
}

static struct hg_inflight_stats stats(void)
{
	return inflight_stats(w.q);
}

static enum hg_hook_state state(void)
{
	return stats().state;
}

static void card_push(struct hg_tag tag)
{
	uint32_t wire_bytes = hg_load_bytes(tag.load);
	hg_ns done;

	if (card.loses_one_in != 0 && hg_test_random(&w.seed) % card.loses_one_in == 0)
		return;
	if (card.wire_end_ns < w.now)
		card.wire_end_ns = w.now;
	if (card.bytes_per_s != 0)
		card.wire_end_ns +=
			(hg_ns)(((uint64_t)wire_bytes * HG_NS_PER_S + card.bytes_per_s - 1u) /
				card.bytes_per_s);
	done = card.wire_end_ns + card.delay_ns;
	if (card.memory_bytes != 0) {
		hg_ns ahead = (hg_ns)(card.memory_bytes * HG_NS_PER_S / card.bytes_per_s);

		/* read as soon as there is room, but over the bus, which takes its time */
		done = card.wire_end_ns - ahead > w.now + 900 ? card.wire_end_ns - ahead
							      : w.now + 900;
	}
	if (card.jitter_ns != 0)
		done += (hg_ns)(hg_test_random(&w.seed) % (uint64_t)card.jitter_ns);
	if (done < card.reported_ns)
		done = card.reported_ns; /* in order */
	card.reported_ns = done;
	if (card.is_silent && card.tail - card.head == N_RING)
		card.head++; /* for ever */
	HG_CHECK(card.tail - card.head < N_RING);
	card.tags[card.tail % N_RING] = tag;
	card.done_ns[card.tail++ % N_RING] = done;
}

/* What the card reports by now: whole batches, or all once it has nothing else to send. */
static unsigned card_report(struct hg_tag *ret_tags, unsigned n)
{
	unsigned n_done = 0;
	bool is_all;

	while (card.head + n_done != card.tail && n_done < n &&
	       card.done_ns[(card.head + n_done) % N_RING] <= w.now)
		n_done++;
	is_all = card.head + n_done == card.tail;
	if (card.is_silent || card.is_stuck || (n_done < card.batch && !is_all))
		return 0;
	for (unsigned i = 0; i < n_done; i++)
		ret_tags[i] = card.tags[card.head++ % N_RING];
	return n_done;
}

static bool reap(void)
{
	struct hg_tag tags[256];
	unsigned n;

	while ((n = card_report(tags, 256)) > 0)
		hg_inflight_settle(w.q, tags, n, w.now);
	return hg_inflight_advance(w.q, w.now);
}

static void send(uint32_t instance_idx, uint32_t wire_bytes)
{
	struct hg_tag tag = hg_inflight_take(w.q, instance_idx, load_of(wire_bytes));

	hg_inflight_hand(w.q, &tag, false, w.now);
	w.n_sent++;
	if (tag.queue != 0)
		card_push(tag);
}

/* One turn of a worker with a standing backlog of two instances, under the root's pace if there is one. */
static void turn(void)
{
	uint64_t sent_bytes = 0;
	uint64_t paced_bytes_per_s = w.cfg.depth.bytes_per_s * 995u / 1000u;

	w.now += w.turn_ns;
	reap();
	for (uint32_t i = 0; sent_bytes < w.burst_bytes; i++) {
		uint32_t bytes = w.sizes[i & 1u];

		if (hg_window_may(w.window, i & 1u) != HG_WINDOW_OPEN &&
		    hg_window_may(w.window, ++i & 1u) != HG_WINDOW_OPEN)
			break;
		if (hg_inflight_is_paced(w.q)) {
			if (w.pace_ns > w.now)
				break;
			if (w.pace_ns < w.now - 20 * HG_NS_PER_US)
				w.pace_ns = w.now - 20 * HG_NS_PER_US;
			w.pace_ns += (hg_ns)((uint64_t)bytes * HG_NS_PER_S / paced_bytes_per_s);
		}
		send(i & 1u, bytes);
		sent_bytes += bytes;
		if (card.bytes_per_s == 0)
			reap(); /* inside the send call */
	}
}

static void run(hg_ns for_ns)
{
	for (hg_ns until = w.now + for_ns; w.now < until;)
		turn();
}

/* No more is sent: what is out comes back or is written off. */
static void drain(void)
{
	hg_ns next;

	card.is_stuck = false;
	for (unsigned n = 0; n < 100000 && card.head != card.tail; n++) {
		w.now += HG_NS_PER_MS;
		reap();
	}
	while ((next = hg_inflight_next_at(w.q)) != HG_NEVER) {
		w.now = next > w.now ? next : w.now;
		reap();
	}
	HG_CHECK_EQ(stats().window.outstanding_bytes, 0);
	HG_CHECK_EQ(stats().window.outstanding_pkts, 0);
	HG_CHECK_EQ(stats().window.n_active, 0);
}

/* ---- accounting --------------------------------------------------------------------------------- */

static void s2_1_tag_says_whose_what_and_when(void)
{
	struct hg_tag tag;

	world(10 * GBIT, 0);
	tag = hg_inflight_take(w.q, 5, load_of(3000));
	HG_CHECK_EQ(tag.instance_idx, 5);
	HG_CHECK_EQ(hg_load_bytes(tag.load), 3000);
	HG_CHECK_EQ(hg_load_parts(tag.load), 2);
	HG_CHECK_EQ(tag.queue, 4);
	HG_CHECK_EQ(tag.handed_ns, 0);
	hg_inflight_hand(w.q, &tag, false, w.now);
	HG_CHECK_EQ(tag.handed_ns, w.now);
	hg_inflight_advance(w.q, w.now);
	HG_CHECK_EQ(stats().window.outstanding_bytes, 3000);
	HG_CHECK_EQ(stats().window.outstanding_pkts, 2);
	w.now += 7000;
	hg_inflight_settle(w.q, &tag, 1, w.now);
	hg_inflight_advance(w.q, w.now);
	HG_CHECK_EQ(stats().window.outstanding_bytes, 0);
}

static void s2_3_time_in_the_card_by_instance(void)
{
	struct hg_inflight_stats s;

	world(10 * GBIT, 0);
	card.delay_ns = 20 * HG_NS_PER_US;
	for (unsigned n = 0; n < 100; n++) {
		send(2, FRAME);
		w.now += 100 * HG_NS_PER_US;
		reap();
	}
	s = stats();
	HG_CHECK_EQ(hg_histogram_count(&s.card), 100);
	HG_CHECK_EQ(hg_histogram_count(hg_inflight_card(w.q, 2)), 100);
	HG_CHECK_EQ(hg_histogram_count(hg_inflight_card(w.q, 1)), 0);
	HG_CHECK_BETWEEN(hg_histogram_quantile(hg_inflight_card(w.q, 2), 500000),
			 100 * HG_NS_PER_US, 125 * HG_NS_PER_US);
}

static void s2_3_what_was_never_handed_says_nothing_of_the_card(void)
{
	struct hg_tag tag;

	world(10 * GBIT, 0);
	tag = hg_inflight_take(w.q, 0, load_of(FRAME));
	hg_inflight_settle(w.q, &tag, 1, w.now);
	tag = hg_inflight_take(w.q, 0, load_of(FRAME));
	hg_inflight_hand(w.q, &tag, false, w.now);
	hg_inflight_unhand(w.q, &tag, w.now);
	hg_inflight_settle(w.q, &tag, 1, w.now);
	hg_inflight_advance(w.q, w.now);
	HG_CHECK_EQ(stats().never_handed_pkts, 2);
	HG_CHECK_EQ(stats().window.outstanding_bytes, 0);
	HG_CHECK_EQ(inflight_card_count(w.q), 0);
	HG_CHECK_EQ(hg_inflight_next_at(w.q), HG_NEVER);
}

/* Bursts of two instances that were handed over one after another, one packet that never was, settled at once. */
static void s2_3_bursts_settled_together_give_back_exactly(void)
{
	struct hg_tag tags[7];
	unsigned n = 0;
	hg_ns last_ns = 0;

	world(GBIT, 0);
	for (unsigned i = 0; i < 6; i++) {
		tags[n] = hg_inflight_take(w.q, i % 2, load_of(100 + i));
		last_ns = w.now += 1000;
		hg_inflight_hand(w.q, &tags[n++], HG_HELD_NOT, w.now);
	}
	tags[n++] = hg_inflight_take(w.q, 1, load_of(FRAME));
	w.now += 3000;
	hg_inflight_settle_together(w.q, tags, n, w.now);
	hg_inflight_advance(w.q, w.now);
	HG_CHECK_EQ(stats().window.given_pkts, 7);
	HG_CHECK_EQ(stats().window.given_bytes, 6 * 100 + 15 + FRAME);
	HG_CHECK_EQ(stats().window.outstanding_pkts, 0);
	HG_CHECK_EQ(stats().never_handed_pkts, 1);
	HG_CHECK_EQ(inflight_card_count(w.q), 6);
	for (uint32_t i = 0; i < 2; i++) {
		HG_CHECK_EQ(hg_histogram_count(hg_inflight_card(w.q, i)), 3);
		HG_CHECK_BETWEEN(hg_histogram_quantile(hg_inflight_card(w.q, i), 1000000),
				 w.now - last_ns, (w.now - last_ns) * 5 / 4);
	}
	/* Once. */
	hg_inflight_settle_together(w.q, tags, n, w.now);
	hg_inflight_settle_together(w.q, tags, 0, w.now);
	HG_CHECK_EQ(stats().window.given_pkts, 7);
}

static void s2_2_off_follows_nothing(void)
{
	struct hg_tag tag;

	world(10 * GBIT, 0);
	w.cfg.is_on = false;
	hg_inflight_configure(w.q, &w.cfg, w.now);
	HG_CHECK_EQ(state(), HG_HOOK_OFF);
	HG_CHECK(hg_inflight_is_paced(w.q));
	hg_window_take(w.window, 0, FRAME, 1); /* the scheduler takes all the same */
	tag = hg_inflight_tag(w.q, 0, load_of(FRAME));
	HG_CHECK_EQ(tag.queue, 0);
	hg_inflight_hand(w.q, &tag, false, w.now);
	hg_inflight_settle(w.q, &tag, 1, w.now);
	hg_inflight_advance(w.q, w.now);
	HG_CHECK_EQ(stats().window.taken_bytes, 0);
	HG_CHECK_EQ(inflight_card_count(w.q), 0);
	HG_CHECK_EQ(hg_inflight_next_at(w.q), HG_NEVER);
}

static void s2_2_off_and_on_live(void)
{
	world(GBIT, 20 * FRAME);
	card.delay_ns = 50 * HG_NS_PER_US;
	run(10 * HG_NS_PER_MS);
	HG_CHECK_EQ(state(), HG_HOOK_ON);
	HG_CHECK(!hg_inflight_is_paced(w.q));
	HG_CHECK_EQ(stats().window.max_bytes, 20 * FRAME);
	HG_CHECK(stats().window.outstanding_bytes > 0);
	w.cfg.is_on = false;
	hg_inflight_configure(w.q, &w.cfg, w.now);
	HG_CHECK_EQ(state(), HG_HOOK_OFF);
	HG_CHECK_EQ(stats().window.max_bytes, 0);
	drain(); /* what has a tag is settled */
	w.cfg.is_on = true;
	hg_inflight_configure(w.q, &w.cfg, w.now);
	HG_CHECK_EQ(state(), HG_HOOK_LEARNING);
	run(10 * HG_NS_PER_MS);
	HG_CHECK_EQ(state(), HG_HOOK_ON);
	drain();
	HG_CHECK_EQ(stats().window.lost_bytes, 0);
	HG_CHECK_EQ(stats().late_pkts, 0);
}

static void misuse_changes_nothing(void)
{
	struct hg_tag tag, none = {0};

	world(10 * GBIT, 0);
	tag = hg_inflight_take(w.q, 0, load_of(FRAME));
	hg_inflight_hand(w.q, &tag, false, w.now);
	hg_inflight_hand(w.q, &none, false, w.now);
	HG_CHECK_EQ(none.handed_ns, 0);
	w.now += 5000;
	hg_inflight_settle(w.q, &none, 1, w.now);
	hg_inflight_settle(w.q, &tag, 1, w.now);
	hg_inflight_settle(w.q, &tag, 1, w.now); /* released twice */
	hg_inflight_settle(w.q, NULL, 0, w.now);
	hg_inflight_advance(w.q, w.now);
	HG_CHECK_EQ(stats().window.given_pkts, 1);
	HG_CHECK_EQ(stats().late_pkts, 1);
	HG_CHECK_STR(hg_hook_state_name(HG_HOOK_EARLY), "early");
	HG_CHECK_STR(hg_hook_state_name(HG_N_HOOK_STATES), "?");
	HG_CHECK_STR(hg_hook_state_text(HG_N_HOOK_STATES), "?");
	HG_CHECK_HAS(hg_hook_state_text(HG_HOOK_SILENT), "does not release");
}

/* ---- what is believed --------------------------------------------------------------------------- */

static void s2_10_cards_are_believed(void)
{
	static const struct {
		uint64_t bytes_per_s, memory_bytes;
		hg_ns delay_ns, jitter_ns, turn_ns;
		unsigned batch;
		uint32_t sizes[2];
	} rows[] = {
		{10 * GBIT, 0, 0, 0, 1000, 1, {FRAME, FRAME}},
		{10 * GBIT, 0, 0, 0, 1000, 1, {88, 88}},
		{10 * GBIT, 0, 0, 0, 20000, 1, {88, FRAME}},
		{10 * GBIT, 0, 2000, 0, 1000, 32, {88, FRAME}},
		{10 * GBIT, 0, 50000, 30000, 5000, 64, {FRAME, FRAME}},
		{10 * GBIT, 0, 2000, 0, 5000, 1, {65000, 88}},
		{10 * GBIT, 160 * 1024, 0, 0, 1000, 1, {FRAME, FRAME}},
		{10 * GBIT, 160 * 1024, 0, 0, 5000, 32, {65000, 65000}},
		{100 * GBIT, 0, 0, 0, 1000, 1, {FRAME, FRAME}},
		{100 * GBIT, 0, 1000, 500, 10000, 256, {88, 88}},
		{GBIT, 0, 0, 0, 1000, 1, {88, 88}},
		{GBIT, 0, 10 * HG_NS_PER_MS, 0, 10000, 8, {FRAME, FRAME}},
		{GBIT / 100, 0, 0, 0, 50000, 1, {FRAME, 88}},
		{GBIT / 100, 0, 0, 0, 50000, 1, {65000, 65000}},
		/* a 64th faster than the operator says: clocks differ */
		{10 * GBIT + 10 * GBIT / 80, 0, 0, 0, 1000, 1, {FRAME, FRAME}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hg_ns for_ns;

		world(rows[i].bytes_per_s, 200 * FRAME);
		card.delay_ns = rows[i].delay_ns;
		card.jitter_ns = rows[i].jitter_ns;
		card.batch = rows[i].batch;
		card.memory_bytes = rows[i].memory_bytes;
		w.turn_ns = rows[i].turn_ns;
		w.sizes[0] = rows[i].sizes[0];
		w.sizes[1] = rows[i].sizes[1];
		if (i + 1u == sizeof(rows) / sizeof(rows[0])) {
			w.cfg.depth.bytes_per_s = 10 * GBIT;
			hg_inflight_configure(w.q, &w.cfg, w.now);
		}
		for_ns = (hg_ns)(100u * (rows[i].sizes[0] + rows[i].sizes[1]) * HG_NS_PER_S /
				 rows[i].bytes_per_s) +
			 60 * HG_NS_PER_MS;
		run(for_ns);
		if (state() != HG_HOOK_ON || stats().n_state_changes != 1)
			HG_TEST_FAIL("row %zu: state %s after %" PRIu64 " changes", i,
				     hg_hook_state_name(state()), stats().n_state_changes);
	}
}

static void s2_10_driver_that_copies_is_found_at_once(void)
{
	static const struct {
		uint64_t bytes_per_s;
		hg_ns turn_ns;
		uint32_t sizes[2];
	} rows[] = {
		{GBIT, 1000, {FRAME, FRAME}},       {10 * GBIT, 1000, {FRAME, FRAME}},
		{10 * GBIT, 20000, {FRAME, 88}},    {10 * GBIT, 20000, {88, 88}},
		{10 * GBIT, 1000, {65000, 65000}},  {100 * GBIT, 5000, {FRAME, FRAME}},
		{GBIT / 100, 5000, {FRAME, FRAME}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world(rows[i].bytes_per_s, 20 * FRAME);
		card.bytes_per_s = 0;
		w.turn_ns = rows[i].turn_ns;
		w.sizes[0] = rows[i].sizes[0];
		w.sizes[1] = rows[i].sizes[1];
		for (unsigned n = 0; n < 20000 && state() == HG_HOOK_LEARNING; n++)
			turn();
		/* Half a window: of small packets so many of the bursts' ends, where they tell. */
		if (state() != HG_HOOK_EARLY ||
		    (w.n_sent > 128 && stats().window.taken_bytes > 3 * w.burst_bytes))
			HG_TEST_FAIL("row %zu: state %s after %" PRIu64 " packets", i,
				     hg_hook_state_name(state()), w.n_sent);
		HG_CHECK(hg_inflight_is_paced(w.q));
		HG_CHECK_EQ(stats().window.max_bytes, 0);
		run(50 * HG_NS_PER_MS);
		HG_CHECK_EQ(state(), HG_HOOK_EARLY);
		HG_CHECK_EQ(stats().n_state_changes, 1);
	}
}

/* As a tap looks whose clock is read again after each call: too slow to be an instant, too fast for the
 * link. Only what is ahead of the wire tells. */
static void s2_10_device_faster_than_its_capacity_is_paced(void)
{
	uint64_t sent_bytes, flood_bytes;
	hg_ns since;

	world(GBIT, 20 * FRAME);
	card.bytes_per_s = 10 * GBIT;
	run(2 * HG_NS_PER_MS);
	for (unsigned n = 0; n < 20000 && state() != HG_HOOK_EARLY; n++)
		turn();
	HG_CHECK_EQ(state(), HG_HOOK_EARLY);
	/* What left beyond the capacity until then. */
	sent_bytes = stats().window.taken_bytes;
	flood_bytes = sent_bytes - (uint64_t)(w.now - HG_NS_PER_S) * GBIT / HG_NS_PER_S;
	HG_CHECK_BETWEEN(flood_bytes, 0, 512 * 1024);
	since = w.now;
	run(200 * HG_NS_PER_MS);
	HG_CHECK_BETWEEN(stats().window.taken_bytes - sent_bytes, 0,
			 (uint64_t)(w.now - since) * GBIT / HG_NS_PER_S + 3 * 512 * 1024);
}

static void s2_10_each_error_makes_belief_dearer(void)
{
	uint64_t changes[3];

	world(GBIT, 20 * FRAME);
	card.bytes_per_s = 10 * GBIT;
	for (unsigned n = 0; n < 3; n++) {
		run(400 * HG_NS_PER_MS);
		changes[n] = stats().n_state_changes;
	}
	/* LEARNING, ON, EARLY; and again after 512, 4,096 and 32,768 releases. The next takes 3 s. */
	HG_CHECK_BETWEEN(changes[2], 4, 8);
	HG_CHECK(changes[2] - changes[1] <= 2);
}

static void s2_10_card_that_comes_to_its_senses_is_believed(void)
{
	world(10 * GBIT, 20 * FRAME);
	card.bytes_per_s = 0;
	run(HG_NS_PER_MS);
	HG_CHECK_EQ(state(), HG_HOOK_EARLY);
	card.bytes_per_s = 10 * GBIT;
	run(HG_NS_PER_MS);
	HG_CHECK_EQ(state(), HG_HOOK_ON);
	card.bytes_per_s = 0;
	run(HG_NS_PER_MS);
	HG_CHECK_EQ(state(), HG_HOOK_EARLY);
}

/* ---- silence and loss --------------------------------------------------------------------------- */

static void s2_10_silence_is_noticed_when_it_is_due(void)
{
	hg_ns at;

	world(GBIT, 20 * FRAME);
	run(2 * HG_NS_PER_MS);
	HG_CHECK_EQ(state(), HG_HOOK_ON);
	card.is_silent = true;
	run(HG_NS_PER_MS);
	HG_CHECK_EQ(hg_window_may(w.window, 0), HG_WINDOW_FULL);
	at = hg_inflight_next_at(w.q);
	HG_CHECK_BETWEEN(at, w.now + 98 * HG_NS_PER_MS, w.now + 100 * HG_NS_PER_MS);
	w.now = at - 1;
	HG_CHECK(!reap());
	HG_CHECK_EQ(state(), HG_HOOK_ON);
	w.now = at;
	HG_CHECK(reap()); /* more may go */
	HG_CHECK_EQ(state(), HG_HOOK_SILENT);
	HG_CHECK(hg_inflight_is_paced(w.q));
	HG_CHECK_EQ(stats().window.outstanding_bytes, 0);
	HG_CHECK(stats().window.lost_bytes >= 19 * FRAME);
	HG_CHECK_EQ(hg_window_may(w.window, 0), HG_WINDOW_OPEN);
	run(500 * HG_NS_PER_MS); /* nobody is stalled */
	HG_CHECK_EQ(state(), HG_HOOK_SILENT);
	HG_CHECK(w.n_sent > 39000);
	card.is_silent = false; /* it reports again, first what was written off */
	run(10 * HG_NS_PER_MS);
	HG_CHECK_EQ(state(), HG_HOOK_ON);
	HG_CHECK(stats().late_pkts > 0);
	drain();
}

static void s2_10_silent_from_the_beginning(void)
{
	world(10 * GBIT, 0);
	card.is_silent = true;
	run(110 * HG_NS_PER_MS);
	HG_CHECK_EQ(state(), HG_HOOK_SILENT);
	HG_CHECK_EQ(stats().n_state_changes, 1);
	card.head = card.tail; /* it never releases */
	drain();
}

static void s2_10_slow_is_not_silent(void)
{
	world(10 * GBIT, 20 * FRAME);
	run(HG_NS_PER_MS);
	card.is_stuck = true; /* the far end pauses the link */
	run(90 * HG_NS_PER_MS);
	card.is_stuck = false;
	run(10 * HG_NS_PER_MS);
	HG_CHECK_EQ(stats().n_state_changes, 1);
	HG_CHECK_EQ(stats().window.lost_bytes, 0);

	world(GBIT / 1000, 20 * FRAME); /* one packet of 65,000 bytes takes half a second */
	w.sizes[0] = w.sizes[1] = 65000;
	w.turn_ns = HG_NS_PER_MS;
	run(20 * HG_NS_PER_S);
	HG_CHECK(state() != HG_HOOK_SILENT);
	HG_CHECK_EQ(stats().window.lost_bytes, 0);
	HG_CHECK(w.n_sent >= 37);
}

static void s2_10_lost_buffers_are_written_off(void)
{
	world(GBIT, 100 * FRAME);
	card.loses_one_in = 1000;
	w.turn_ns = 10000;
	run(3 * HG_NS_PER_S);
	HG_CHECK_EQ(state(), HG_HOOK_ON);
	/* The link has sent on: of 240,000 packets 240 are lost, and of those no more than two epochs'
	 * count as outstanding. */
	HG_CHECK(stats().window.lost_pkts > 150);
	HG_CHECK(stats().window.outstanding_bytes <= 101 * FRAME);
	HG_CHECK_BETWEEN(w.n_sent, 240000, 246000);
	drain();
	HG_CHECK_EQ(stats().late_pkts, 0);
}

static void removed_while_outstanding(void)
{
	world(10 * GBIT, 20 * FRAME);
	card.delay_ns = 100 * HG_NS_PER_US;
	run(HG_NS_PER_MS);
	hg_window_remove_instance(w.window, 0);
	hg_window_set_instance(w.window, 0, 0, 1, 0);
	HG_CHECK(stats().window.outstanding_bytes > 0);
	drain();
	HG_CHECK_EQ(stats().window.lost_bytes, 0);
}

static void reset_under_load(void)
{
	uint64_t late;

	world(10 * GBIT, 20 * FRAME);
	run(HG_NS_PER_MS);
	HG_CHECK_EQ(state(), HG_HOOK_ON);
	hg_inflight_reset(w.q, w.now);
	HG_CHECK_EQ(state(), HG_HOOK_LEARNING);
	HG_CHECK_EQ(stats().window.outstanding_bytes, 0);
	late = card.tail - card.head;
	HG_CHECK(late > 0);
	w.now += HG_NS_PER_MS;
	reap(); /* closing it released them after all */
	HG_CHECK_EQ(stats().late_pkts, late);
	run(HG_NS_PER_MS);
	HG_CHECK_EQ(state(), HG_HOOK_ON);
	drain();
}

/* ---- a full card, samples ----------------------------------------------------------------------- */

static void s2_12_card_found_full_bounds_max(void)
{
	uint32_t out_pkts;

	world(10 * GBIT, 100 * FRAME);
	w.sizes[0] = w.sizes[1] = 88;
	run(5 * HG_NS_PER_MS);
	HG_CHECK_EQ(state(), HG_HOOK_ON);
	out_pkts = hg_window_outstanding_pkts(w.window);
	HG_CHECK(out_pkts > 1000);
	hg_inflight_refused(w.q, 500, w.now); /* of the last so many that it was to have */
	hg_inflight_advance(w.q, w.now);
	HG_CHECK_EQ(stats().refused_pkts, 500);
	HG_CHECK_BETWEEN(stats().window.max_pkts, 1, out_pkts - 500);
	HG_CHECK_EQ(hg_window_may(w.window, 1), HG_WINDOW_FULL);
	run(5 * HG_NS_PER_MS);
	HG_CHECK_BETWEEN(stats().window.outstanding_pkts, 1, out_pkts - 500);
	drain();
}

static void s2_12_refusal_without_belief_is_only_counted(void)
{
	world(10 * GBIT, 1000 * FRAME);
	hg_inflight_refused(w.q, 8, w.now);
	hg_inflight_advance(w.q, w.now);
	HG_CHECK_EQ(stats().refused_pkts, 8);
	HG_CHECK_EQ(stats().window.max_pkts, 0);
}

static void s2_14_last_samples_are_kept(void)
{
	struct hg_depth_sample sample, later;
	uint64_t n;

	world(10 * GBIT, 20 * FRAME);
	HG_CHECK(!hg_inflight_depth_sample(w.q, 0, &sample));
	while (stats().n_samples < 10)
		run(HG_NS_PER_MS);
	HG_CHECK(hg_inflight_depth_sample(w.q, 0, &sample));
	HG_CHECK(sample.at_ns > HG_NS_PER_S && sample.released_bytes > 0);
	while (stats().n_samples < HG_INFLIGHT_SAMPLES + 10)
		run(10 * HG_NS_PER_MS);
	n = stats().n_samples;
	HG_CHECK(!hg_inflight_depth_sample(w.q, n, &sample));
	HG_CHECK(!hg_inflight_depth_sample(w.q, n - HG_INFLIGHT_SAMPLES - 1, &sample));
	HG_CHECK(hg_inflight_depth_sample(w.q, n - HG_INFLIGHT_SAMPLES, &sample));
	HG_CHECK(hg_inflight_depth_sample(w.q, n - 1, &later));
	HG_CHECK(later.at_ns > sample.at_ns);
	HG_CHECK_EQ(later.max_bytes, 20 * FRAME);
}

static const struct hg_test tests[] = {
	HG_TEST(s2_1_tag_says_whose_what_and_when),
	HG_TEST(s2_3_time_in_the_card_by_instance),
	HG_TEST(s2_3_what_was_never_handed_says_nothing_of_the_card),
	HG_TEST(s2_3_bursts_settled_together_give_back_exactly),
	HG_TEST(s2_2_off_follows_nothing),
	HG_TEST(s2_2_off_and_on_live),
	HG_TEST(misuse_changes_nothing),
	HG_TEST(s2_10_cards_are_believed),
	HG_TEST(s2_10_driver_that_copies_is_found_at_once),
	HG_TEST(s2_10_device_faster_than_its_capacity_is_paced),
	HG_TEST(s2_10_each_error_makes_belief_dearer),
	HG_TEST(s2_10_card_that_comes_to_its_senses_is_believed),
	HG_TEST(s2_10_silence_is_noticed_when_it_is_due),
	HG_TEST(s2_10_silent_from_the_beginning),
	HG_TEST(s2_10_slow_is_not_silent),
	HG_TEST(s2_10_lost_buffers_are_written_off),
	HG_TEST(removed_while_outstanding),
	HG_TEST(reset_under_load),
	HG_TEST(s2_12_card_found_full_bounds_max),
	HG_TEST(s2_12_refusal_without_belief_is_only_counted),
	HG_TEST(s2_14_last_samples_are_kept),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
