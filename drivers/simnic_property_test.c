/* Random histories of a modelled card: whatever is done to it, every packet is delivered once or counted, in
 * the order of its queue, and every buffer is released once. */
#include "tests/component/drivers/card.h"

#define N_QUEUES 3u
#define N_PKTS 4000u
#define N_STEPS 3000u

/* What a broken card would do; the property must notice each. */
enum twin { WHOLE, LEAKS, RELEASES_EARLY, SWAPS, DUPLICATES, MISCOUNTS, N_TWINS };

/* What the history knows of a packet; its number is in its first bytes. */
struct sent {
	unsigned queue;
	uint32_t wire_bytes;
	bool is_delivered, is_released;
};

struct history {
	struct hg_pool pool; /* what the card has for a pool; records and passes on */
	struct card card;
	struct sent sent[N_PKTS];
	unsigned n_sent;
	struct {
		uint64_t taken_bytes, released_bytes, delivered_pkts;
		int64_t last_delivered, last_released;
	} queues[N_QUEUES];
	unsigned n_lies; /* of the twin */
	struct hg_pkt *leaked;
	enum twin twin;
	bool is_resetting, is_stopping;
	const char *why; /* the first thing that was wrong; NULL */
};

static struct history history;

static void wrong(const char *why)
{
	if (history.why == NULL)
		history.why = why;
}

/* Whether this is where the twin lies: once in 64 times. */
static bool lies(enum twin twin)
{
	return history.twin == twin && ++history.n_lies % 64u == 0;
}

/* ---- the pool ----------------------------------------------------------------------------------- */

static unsigned record_get(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	(void)pool;
	return hg_pool_get(&history.card.heap.pool, pkts, n);
}

static void record_release(const struct hg_pkt *pkt)
{
	uint32_t number;
	struct sent *sent;

	memcpy(&number, pkt->data, sizeof(number));
	sent = &history.sent[number];
	if (sent->is_released)
		wrong("a buffer was released twice");
	sent->is_released = true;
	history.queues[sent->queue].released_bytes += sent->wire_bytes;
	if (history.is_resetting || history.is_stopping)
		return;
	if ((int64_t)number < history.queues[sent->queue].last_released)
		wrong("buffers of a queue were released out of order");
	history.queues[sent->queue].last_released = number;
}

static void record_put(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	(void)pool;
	for (unsigned i = 0; i < n; i++) {
		record_release(pkts[i]);
		if (lies(LEAKS)) {
			pkts[i]->link = history.leaked;
			history.leaked = pkts[i];
			continue;
		}
		hg_pool_put(&history.card.heap.pool, &pkts[i], 1);
	}
}

/* ---- the far side ------------------------------------------------------------------------------- */

static void record_delivery(const struct hg_pkt *pkt)
{
	uint32_t number;
	struct sent *sent;

	memcpy(&number, pkt->data, sizeof(number));
	sent = &history.sent[number];
	if (sent->is_delivered)
		wrong("a packet was delivered twice");
	if (sent->is_released)
		wrong("a packet was delivered after its buffer was released");
	sent->is_delivered = true;
	if ((int64_t)number < history.queues[sent->queue].last_delivered)
		wrong("packets of a queue were delivered out of order");
	history.queues[sent->queue].last_delivered = number;
	history.queues[sent->queue].delivered_pkts++;
}

static void collect(void)
{
	struct hg_pkt *pkts[64];
	unsigned n = hg_dummy_collect(history.card.far, pkts, 64);

	if (n > 1 && lies(SWAPS)) {
		struct hg_pkt *first = pkts[0];

		pkts[0] = pkts[n - 1];
		pkts[n - 1] = first;
	}
	for (unsigned i = 0; i < n; i++) {
		if (lies(RELEASES_EARLY))
			record_release(pkts[i]);
		record_delivery(pkts[i]);
		if (lies(DUPLICATES))
			record_delivery(pkts[i]);
	}
	hg_pool_put(hg_dummy_pool(history.card.far), pkts, n);
}

/* ---- what may happen ---------------------------------------------------------------------------- */

static void send(uint64_t *seed)
{
	struct card *card = &history.card;
	uint16_t n_bytes = (uint16_t)hg_test_between(seed, 60, 1514);
	unsigned queue = (unsigned)hg_test_between(seed, 0, N_QUEUES - 1);
	struct hg_pkt *pkt;

	if (history.n_sent == N_PKTS)
		return;
	pkt = heap_pool_frame(&card->heap, n_bytes, 0);
	memcpy(pkt->data, &history.n_sent, sizeof(history.n_sent));
	history.sent[history.n_sent] =
		(struct sent){.queue = queue, .wire_bytes = n_bytes + HG_WIRE_OVERHEAD_BYTES};
	if (card->dev->driver->tx(card->dev, queue, &pkt, 1, card->now_ns) == 0) {
		hg_pool_put(&card->heap.pool, &pkt, 1);
		return;
	}
	history.queues[queue].taken_bytes += n_bytes + HG_WIRE_OVERHEAD_BYTES;
	history.n_sent++;
}

static void break_something(uint64_t *seed)
{
	struct hg_simnic_fault fault = {
		.kind = (enum hg_simnic_fault_kind)hg_test_between(seed, HG_SIMNIC_STALL,
								   HG_SIMNIC_START_QUEUE),
		.queue = (unsigned)hg_test_between(seed, 0, N_QUEUES - 1),
		.for_ns = (hg_ns)hg_test_between(seed, 0, 20) * US,
		.ppm = hg_test_between(seed, 0, 3) == 0 ? 200000u : 0,
	};

	/* What the far side has must not be released by the reset as if it were the card's. */
	history.is_resetting = fault.kind == HG_SIMNIC_RESET;
	card_fault(&history.card, fault);
	history.is_resetting = false;
}

static void check_counts(void)
{
	uint64_t unreleased_pkts = 0;

	for (unsigned i = 0; i < N_QUEUES; i++) {
		struct hg_simnic_queue_sample now = card_queue(&history.card, i);

		if (lies(MISCOUNTS))
			now.released_bytes++;
		if (now.taken_bytes != history.queues[i].taken_bytes)
			wrong("a queue counts other bytes than it took");
		if (now.released_bytes != history.queues[i].released_bytes)
			wrong("a queue counts other bytes than it released");
		unreleased_pkts += now.unreleased_pkts;
	}
	if ((int64_t)unreleased_pkts != history.card.heap.n_out)
		wrong("what the card says it has is not what is missing in the pool");
}

static void step(uint64_t *seed)
{
	struct card *card = &history.card;
	uint64_t what = hg_test_between(seed, 0, 99);

	if (what < 60)
		send(seed);
	else if (what < 80)
		card->now_ns += (hg_ns)hg_test_between(seed, 0, 30000);
	else if (what < 93)
		collect();
	else if (what < 96)
		break_something(seed);
	else
		hg_dummy_accept(card->far, what == 96 ? 3 : UINT64_MAX);
	card_progress(card);
	check_counts();
}

/* ---- a history ---------------------------------------------------------------------------------- */

static const char *const devices[] = {
	"simnic(rate=1Gbit,ring=16,queues=3,complete=20us)+dummy:wire",
	"simnic(rate=1Gbit,ring=16,queues=3,complete=20us,jitter=30us,batch=5,coalesce=40us,"
	"lose=10000)+dummy:wire",
	"simnic(rate=2Gbit,ring=64,queues=3,arbitrate=strict,delay=50us,complete=20us,batch=16,"
	"full=wait,stall=30us,every=90us)+dummy:wire",
};

static void begin(const char *device)
{
	static const struct hg_pool_ops ops = {
		.name = "record", .get = record_get, .put = record_put};
	struct hg_dev_cfg cfg = {.device = device, .netns = "", .mtu = 1500, .pool = &history.pool};

	heap_pool_init(&history.card.heap);
	history.pool.ops = &ops;
	history.card.far = hg_dummy_hold("wire");
	HG_CHECK_EQ(hg_dev_open(&cfg, &history.card.dev, NULL), 0);
	HG_CHECK_EQ(history.card.dev->driver->start(history.card.dev, NULL), 0);
}

/* Without faults any more, all that is to arrive arrives. */
static void settle(void)
{
	struct card *card = &history.card;

	hg_dummy_accept(card->far, UINT64_MAX);
	for (unsigned i = 0; i < N_QUEUES; i++)
		card_fault(card,
			   (struct hg_simnic_fault){.kind = HG_SIMNIC_START_QUEUE, .queue = i});
	for (unsigned i = 0; i < 200; i++) {
		card->now_ns += 100 * US;
		card_progress(card);
		collect();
	}
	card_progress(card);
}

static void check_deliveries(void)
{
	struct hg_dev_stats stats = card_stats(&history.card);
	uint64_t delivered = 0;

	for (unsigned i = 0; i < N_QUEUES; i++)
		delivered += history.queues[i].delivered_pkts;
	if (delivered + stats.drops[HG_DROP_RING_FULL] + stats.drops[HG_DROP_CARD_RESET] !=
	    history.n_sent)
		wrong("a packet was neither delivered nor counted");
	if (stats.tx_pkts != history.n_sent)
		wrong("the card counts other packets than it took");
}

static void finish(void)
{
	struct card *card = &history.card;

	settle();
	check_counts();
	check_deliveries();
	history.is_stopping = true;
	card->dev->driver->stop(card->dev);
	if (card->heap.n_out != 0)
		wrong("a buffer is missing after stop");
	check_counts();
	card->dev->driver->close(card->dev, false);
	hg_dummy_release(card->far);
	while (history.leaked != NULL) {
		struct hg_pkt *pkt = history.leaked;

		history.leaked = pkt->link;
		hg_pool_put(&card->heap.pool, &pkt, 1);
	}
}

/* NULL if the card kept its promises, else which one it broke. */
static const char *run(const char *device, uint64_t seed, enum twin twin)
{
	memset(&history, 0, sizeof(history));
	history.twin = twin;
	for (unsigned i = 0; i < N_QUEUES; i++)
		history.queues[i].last_delivered = history.queues[i].last_released = -1;
	begin(device);
	for (unsigned i = 0; i < N_STEPS && history.why == NULL; i++)
		step(&seed);
	finish();
	return history.why;
}

static void s2_10_nothing_is_lost_or_doubled_whatever_breaks(void)
{
	unsigned n_rounds = hg_test_rounds > 0 ? hg_test_rounds : 20;

	for (unsigned round = 0; round < n_rounds; round++) {
		for (unsigned i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
			const char *why = run(devices[i], hg_test_seed + round, WHOLE);

			if (why != NULL)
				HG_TEST_FAIL("%s, seed %" PRIu64 ": %s", devices[i],
					     hg_test_seed + round, why);
			HG_CHECK(history.n_sent > N_STEPS / 8);
		}
	}
}

static void the_property_notices_each_broken_twin(void)
{
	for (unsigned i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		for (enum twin twin = WHOLE + 1; twin < N_TWINS; twin++)
			if (run(devices[i], hg_test_seed, twin) == NULL)
				HG_TEST_FAIL("twin %d of %s went unnoticed", (int)twin, devices[i]);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s2_10_nothing_is_lost_or_doubled_whatever_breaks),
		HG_TEST(the_property_notices_each_broken_twin),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
