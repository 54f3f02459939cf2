/* card: a modelled card before a sink, on virtual time, for the tests of simnic.
 *
 * Why        Each test says what the card is, what it gets, and exactly when what happens.
 * Model      1 Gbit/s: 8 ns a byte. A frame of CARD_FRAME_BYTES weighs CARD_WIRE_BYTES and takes
 *            CARD_FRAME_NS. run_until() follows progress() from instant to instant, as a worker does.
 * Promise    card_end() fails unless every buffer is back in the pool.
 */
#ifndef HG_TESTS_COMPONENT_DRIVERS_CARD_H
#define HG_TESTS_COMPONENT_DRIVERS_CARD_H

#include "drivers/dummy.h"
#include "drivers/simnic.h"

#include "tests/component/drivers/heap_pool.h"
#include "tests/harness.h"

#define CARD_FRAME_BYTES 1226u
#define CARD_WIRE_BYTES 1250u
#define CARD_FRAME_NS INT64_C(10000)
#define US HG_NS_PER_US

struct card {
	struct heap_pool heap;
	struct hg_dummy *far;
	struct hg_dev *dev;
	hg_ns now_ns;
};

/* What was released when. */
struct card_release {
	hg_ns at_ns;
	uint64_t n;
};

HG_UNUSED static void card_begin(struct card *card, const char *device)
{
	struct hg_dev_cfg cfg = {.device = device, .netns = "", .mtu = 1500};
	struct hg_error err = {0};

	*card = (struct card){0};
	heap_pool_init(&card->heap);
	cfg.pool = &card->heap.pool;
	card->far = hg_dummy_hold("wire");
	hg_dummy_sink(card->far, true);
	if (hg_dev_open(&cfg, &card->dev, &err) < 0 ||
	    card->dev->driver->start(card->dev, &err) < 0)
		HG_TEST_FAIL("%s: %s", device, err.text);
}

HG_UNUSED static struct hg_simnic_queue_sample card_queue(const struct card *card, unsigned queue)
{
	struct hg_simnic_queue_sample sample;

	hg_simnic_sample_queue(card->dev, queue, &sample);
	return sample;
}

HG_UNUSED static struct hg_dev_state card_state(const struct card *card)
{
	struct hg_dev_stats stats;
	struct hg_dev_state state;

	card->dev->driver->sample(card->dev, &state, &stats);
	return state;
}

HG_UNUSED static struct hg_dev_stats card_stats(const struct card *card)
{
	struct hg_dev_stats stats;
	struct hg_dev_state state;

	card->dev->driver->sample(card->dev, &state, &stats);
	return stats;
}

HG_UNUSED static void card_end(struct card *card)
{
	card->dev->driver->stop(card->dev);
	HG_CHECK_EQ(card->heap.n_out, 0);
	for (unsigned i = 0; i < card->dev->n_tx_queues; i++) {
		HG_CHECK_EQ(card_queue(card, i).ring_used_pkts, 0);
		HG_CHECK_EQ(card_queue(card, i).unreleased_bytes, 0);
	}
	card->dev->driver->close(card->dev, false);
	hg_dummy_release(card->far);
}

/* Hands over n frames whose first byte tells them apart; returns how many were taken. */
HG_UNUSED static unsigned card_send_bytes(struct card *card, unsigned queue, unsigned n,
					  uint16_t n_bytes, uint8_t fill)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *pkt = heap_pool_frame(&card->heap, n_bytes, fill);

		if (card->dev->driver->tx(card->dev, queue, &pkt, 1, card->now_ns) == 1)
			taken++;
		else
			hg_pool_put(&card->heap.pool, &pkt, 1);
	}
	return taken;
}

HG_UNUSED static unsigned card_send(struct card *card, unsigned queue, unsigned n)
{
	return card_send_bytes(card, queue, n, CARD_FRAME_BYTES, (uint8_t)('0' + queue));
}

HG_UNUSED static hg_ns card_progress(struct card *card)
{
	return card->dev->driver->progress(card->dev, card->now_ns);
}

HG_UNUSED static void card_fault(struct card *card, struct hg_simnic_fault fault)
{
	HG_CHECK_EQ(hg_simnic_fault(card->dev, &fault, card->now_ns), 0);
}

/* Follows progress() up to until_ns; the instants at which something was released, with how much, up to `size`
 * of them. */
HG_UNUSED static unsigned card_run_until(struct card *card, hg_ns until_ns,
					 struct card_release *ret_releases, unsigned size)
{
	unsigned n = 0;

	for (;;) {
		uint64_t before = card_state(card).completed_pkts, after;
		hg_ns next_ns = card_progress(card);

		after = card_state(card).completed_pkts;
		if (after > before && n < size)
			ret_releases[n] = (struct card_release){card->now_ns, after - before};
		n += after > before;
		if (next_ns > until_ns)
			break;
		HG_CHECK(next_ns > card->now_ns);
		card->now_ns = next_ns;
	}
	card->now_ns = until_ns;
	return n;
}

/* Runs until nothing is under way; exactly these releases, ended by n = 0. */
HG_UNUSED static void card_check_releases(struct card *card, const struct card_release *want)
{
	struct card_release got[64];
	unsigned n = card_run_until(card, card->now_ns + HG_NS_PER_S, got, 64);

	for (unsigned i = 0; i < n || want[i].n > 0; i++) {
		if (i == n || want[i].n == 0)
			HG_TEST_FAIL("%u releases, want %s", n, i == n ? "more" : "fewer");
		HG_CHECK_EQ(got[i].at_ns, want[i].at_ns);
		HG_CHECK_EQ(got[i].n, want[i].n);
	}
	HG_CHECK_EQ(card_progress(card), HG_NEVER);
}

/* What arrived, by the first byte of each frame; into ret_fills, ended by 0. Requires a far end that is no
 * sink. */
HG_UNUSED static void card_arrivals(struct card *card, char *ret_fills, unsigned size)
{
	struct hg_pkt *pkt;
	unsigned n = 0;

	while (n + 1u < size && hg_dummy_collect(card->far, &pkt, 1) == 1) {
		ret_fills[n++] = (char)pkt->data[0];
		hg_pool_put(hg_dummy_pool(card->far), &pkt, 1);
	}
	ret_fills[n] = '\0';
}

#endif
