/* The same questions to every driver there is. Usage: driver_suite WORLD [TEST...]. */
#include "tests/component/drivers/world.h"

#include "tests/harness.h"

#include <poll.h>

#define N_FRAMES 64u
#define N_BURST 32u

static struct world *world;

/* What each test begins with. A check that fails leaves the world as it is; the process ends soon. */
static void build(void)
{
	const char *why;

	heap_pool_init(&world->heap);
	why = world->build(world);
	if (why != NULL)
		HG_SKIP(why);
}

static void tear_down(void)
{
	world->tear_down(world);
	HG_CHECK_EQ(world->heap.n_out, 0);
}

static unsigned frame_bytes(unsigned i)
{
	return 60u + i * 97u % (WORLD_FRAME_MAX - 60u + 1u);
}

static void check_state(struct hg_dev *dev, enum hg_dev_link link)
{
	struct hg_dev_state state;
	struct hg_dev_stats stats;

	dev->driver->sample(dev, &state, &stats);
	HG_CHECK_EQ(state.link, link);
	if (link != HG_DEV_UP)
		HG_CHECK(state.reason[0] != '\0');
}

/* Frame i of the far side, out of the device. */
static void check_receives(struct hg_dev *dev, unsigned i)
{
	uint8_t sent[WORLD_FRAME_MAX], got[WORLD_FRAME_MAX + 64];
	unsigned n = frame_bytes(i);
	struct hg_pkt *pkt = world_rx(world, dev);

	world_frame(sent, n, i);
	HG_CHECK(pkt != NULL);
	HG_CHECK_EQ(pkt->total_bytes, n);
	HG_CHECK_EQ(world_flatten(pkt, got, sizeof(got)), n);
	HG_CHECK(memcmp(sent, got, n) == 0);
	HG_CHECK(pkt->n_bytes >= HG_PKT_HEADERS_BYTES || pkt->n_bytes == n);
	HG_CHECK_EQ(pkt->gso, HG_GSO_NONE);
	HG_CHECK_EQ(pkt->flags & HG_PKT_NEEDS_CSUM, 0);
	HG_CHECK_EQ(pkt->parts, 0);
	hg_pool_put(&world->heap.pool, &pkt, 1);
}

static void far_sends(unsigned i)
{
	uint8_t frame[WORLD_FRAME_MAX];

	world_frame(frame, frame_bytes(i), i);
	world->far_send(world, frame, frame_bytes(i));
}

static struct hg_pkt *chain_of(unsigned i)
{
	uint8_t frame[WORLD_FRAME_MAX];

	world_frame(frame, frame_bytes(i), i);
	return world_chain(world, frame, frame_bytes(i), 40u + i * 13u % 500u);
}

static void transmit_all(struct hg_dev *dev, struct hg_pkt **pkts, unsigned n)
{
	hg_ns until_ns = world_now_ns() + 2 * HG_NS_PER_S;

	while (n > 0) {
		unsigned n_taken = dev->driver->tx(dev, 0, pkts, n, world_now_ns());

		HG_CHECK(n_taken <= n);
		pkts += n_taken;
		n -= n_taken;
		if (n_taken > 0)
			continue;
		HG_CHECK(world_now_ns() < until_ns);
		world_turn(dev);
	}
}

/* Until what it was handed has left a modelled wire: far_recv only waits for the kernel. (A far side that is memory keeps
 * the buffers, and lets the wire go on itself, check_far_receives.) */
static void let_pass(struct hg_dev *dev)
{
	hg_ns until_ns = world_now_ns() + 2 * HG_NS_PER_S;

	while (!world->is_memory && dev->driver->progress != NULL &&
	       dev->driver->progress(dev, world_now_ns()) != HG_NEVER)
		HG_CHECK(world_now_ns() < until_ns);
}

static void transmits(struct hg_dev *dev, unsigned i)
{
	struct hg_pkt *pkt = chain_of(i);

	transmit_all(dev, &pkt, 1);
}

/* Frame i, at the far side. */
static void check_far_receives(struct hg_dev *dev, unsigned i)
{
	uint8_t sent[WORLD_FRAME_MAX], got[WORLD_FRAME_MAX + 64];
	hg_ns until_ns = world_now_ns() + 2 * HG_NS_PER_S;
	unsigned n;

	world_frame(sent, frame_bytes(i), i);
	/* What a modelled wire still carries arrives as time passes. */
	do {
		world_turn(dev);
		n = world->far_recv(world, got, sizeof(got));
	} while (n == 0 && world_now_ns() < until_ns);
	HG_CHECK_EQ(n, frame_bytes(i));
	HG_CHECK(memcmp(sent, got, n) == 0);
}

static void check_passes(struct hg_dev *dev)
{
	far_sends(5);
	check_receives(dev, 5);
	transmits(dev, 6);
	check_far_receives(dev, 6);
}

/* ---- the questions ------------------------------------------------------------------------------ */

static void opens_once(void)
{
	struct hg_dev *dev, *second = NULL;
	struct hg_error err = {0};

	build();
	dev = world_begin(world);
	HG_CHECK_EQ(world_open(world, &second, &err), -HG_EBUSY);
	HG_CHECK(second == NULL);
	HG_CHECK(err.text[0] != '\0');
	check_state(dev, HG_DEV_UP);
	world_end(dev, false);
	tear_down();
}

static void closes_without_start(void)
{
	const struct hg_driver *driver;
	struct hg_dev *dev = NULL;

	build();
	HG_CHECK_EQ(world_open(world, &dev, NULL), 0);
	driver = dev->driver;
	driver->close(dev, false);
	driver->close(NULL, false);
	tear_down();
}

static void receives_in_order_and_unaltered(void)
{
	struct hg_dev_state state;
	struct hg_dev_stats stats;
	struct hg_dev *dev;
	uint64_t bytes = 0;

	build();
	dev = world_begin(world);
	for (unsigned i = 0; i < N_FRAMES; i++) {
		far_sends(i);
		bytes += frame_bytes(i);
	}
	for (unsigned i = 0; i < N_FRAMES; i++)
		check_receives(dev, i);
	dev->driver->sample(dev, &state, &stats);
	HG_CHECK(stats.rx_pkts >= N_FRAMES);
	HG_CHECK(stats.rx_bytes >= bytes);
	HG_CHECK_EQ(stats.rx_dropped, 0);
	world_end(dev, false);
	tear_down();
}

static void transmits_chains_in_order_and_unaltered(void)
{
	struct hg_dev_state state;
	struct hg_dev_stats stats;
	struct hg_dev *dev;

	build();
	dev = world_begin(world);
	for (unsigned i = 0; i < N_FRAMES; i++)
		transmits(dev, i);
	for (unsigned i = 0; i < N_FRAMES; i++)
		check_far_receives(dev, i);
	dev->driver->sample(dev, &state, &stats);
	HG_CHECK_EQ(stats.tx_pkts, N_FRAMES);
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		HG_CHECK_EQ(stats.drops[i], 0);
	world_end(dev, false);
	tear_down();
}

/* As a worker does. */
static void transmits_bursts_in_order_and_unaltered(void)
{
	struct hg_pkt *pkts[N_BURST];
	struct hg_dev_state state;
	struct hg_dev_stats stats;
	struct hg_dev *dev;
	uint64_t bytes = 0;

	build();
	dev = world_begin(world);
	for (unsigned first = 0; first < N_FRAMES; first += N_BURST) {
		for (unsigned i = 0; i < N_BURST; i++) {
			pkts[i] = chain_of(first + i);
			bytes += frame_bytes(first + i);
		}
		transmit_all(dev, pkts, N_BURST);
		let_pass(dev);
		for (unsigned i = 0; i < N_BURST; i++)
			check_far_receives(dev, first + i);
	}
	dev->driver->sample(dev, &state, &stats);
	HG_CHECK_EQ(stats.tx_pkts, N_FRAMES);
	HG_CHECK_EQ(stats.tx_bytes, bytes);
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		HG_CHECK_EQ(stats.drops[i], 0);
	world_end(dev, false);
	tear_down();
}

/* With nothing to hand over and nobody to call progress, what has left comes back. */
static void s2_1_reaps_without_handing_anything_over(void)
{
	hg_ns until_ns = world_now_ns() + 2 * HG_NS_PER_S;
	struct hg_dev *dev;

	build();
	dev = world_begin(world);
	for (unsigned i = 0; i < 8; i++)
		transmits(dev, i);
	for (unsigned i = 0; i < 8; i++)
		check_far_receives(dev, i);
	while (!world->never_releases && world->heap.n_out > 0 && world_now_ns() < until_ns)
		HG_CHECK_EQ(dev->driver->tx(dev, 0, NULL, 0, world_now_ns()), 0);
	HG_CHECK_EQ(world->heap.n_out > 0, world->never_releases);
	world_end(dev, false);
	tear_down();
}

/* Packets inside when the device stops go back to the pool: tear_down counts. */
static void stops_with_packets_inside(void)
{
	struct hg_dev *dev;

	build();
	dev = world_begin(world);
	for (unsigned i = 0; i < N_FRAMES; i++) {
		far_sends(i);
		transmits(dev, i);
	}
	world_end(dev, false);
	tear_down();
}

static void wakes_by_its_descriptor(void)
{
	struct pollfd at = {.events = POLLIN};
	struct hg_dev *dev;

	build();
	dev = world_begin(world);
	at.fd = dev->driver->fd(dev);
	HG_CHECK(at.fd >= 0);
	far_sends(1);
	HG_CHECK_EQ(poll(&at, 1, 2000), 1);
	check_receives(dev, 1);
	world_end(dev, false);
	tear_down();
}

/* Without buffers frames are lost and counted, nothing else. */
static void runs_out_of_buffers(void)
{
	struct hg_dev *dev;
	struct hg_pkt *pkt;

	build();
	dev = world_begin(world);
	far_sends(1);
	check_receives(dev, 1);
	far_sends(2);
	world->heap.max_out = 0;
	for (unsigned i = 0; i < 50; i++)
		if (dev->driver->rx(dev, &pkt, 1, world_now_ns()) == 1)
			hg_pool_put(&world->heap.pool, &pkt, 1);
	world->heap.max_out = 100000;
	far_sends(3);
	pkt = world_rx(world, dev);
	HG_CHECK(pkt != NULL);
	hg_pool_put(&world->heap.pool, &pkt, 1);
	world_end(dev, false);
	tear_down();
}

static void survives_the_loss_of_its_device(void)
{
	enum hg_dev_link lost = world->comes_back_alone ? HG_DEV_DOWN : HG_DEV_GONE;
	struct pollfd at = {.events = POLLIN};
	struct hg_dev *dev, *again = NULL;
	struct hg_pkt *pkt;
	hg_ns until_ns;

	build();
	dev = world_begin(world);
	check_passes(dev);
	at.fd = dev->driver->fd(dev);
	world->vanish(world);
	until_ns = world_now_ns() + 2 * HG_NS_PER_S;
	do {
		struct hg_dev_state state;
		struct hg_dev_stats stats;

		if (dev->driver->rx(dev, &pkt, 1, world_now_ns()) == 1)
			hg_pool_put(&world->heap.pool, &pkt, 1);
		dev->driver->sample(dev, &state, &stats);
		if (state.link == lost)
			break;
	} while (world_now_ns() < until_ns);
	check_state(dev, lost);
	/* What had come before may still be on a modelled wire; then there is nothing more. */
	while (dev->driver->rx(dev, &pkt, 1, world_now_ns()) == 1 && world_now_ns() < until_ns)
		hg_pool_put(&world->heap.pool, &pkt, 1);
	HG_CHECK_EQ(dev->driver->rx(dev, &pkt, 1, world_now_ns()), 0);
	pkt = heap_pool_frame(&world->heap, 60, 0);
	if (dev->driver->tx(dev, 0, &pkt, 1, world_now_ns()) == 0)
		hg_pool_put(&world->heap.pool, &pkt, 1);
	/* Nobody who sleeps on it may spin; an event from before counts once. */
	if (!world->is_memory && !world->comes_back_alone)
		HG_CHECK_EQ(poll(&at, 1, 0), 0);
	if (world->comes_back_alone) {
		world->meet(world, dev);
		check_passes(dev);
	}
	world_end(dev, false);
	if (!world->makes_itself)
		HG_CHECK_EQ(world_open(world, &again, NULL), -HG_ENOENT);
	world->come_back(world);
	dev = world_begin(world);
	check_passes(dev);
	world_end(dev, false);
	tear_down();
}

static void is_adopted_again(void)
{
	struct hg_dev *dev;

	build();
	dev = world_begin(world);
	check_passes(dev);
	world_end(dev, true);
	dev = world_begin(world);
	check_passes(dev);
	world_end(dev, false);
	tear_down();
}

static void refuses_a_namespace_that_is_not_there(void)
{
	struct hg_dev_cfg cfg = {.device = world->device, .netns = "no-such-netns", .mtu = 1500};
	struct hg_error err = {0};
	struct hg_dev *dev = NULL;

	build();
	cfg.pool = &world->heap.pool;
	HG_CHECK_EQ(hg_dev_open(&cfg, &dev, &err), -HG_ENOENT);
	HG_CHECK_HAS(err.text, "no-such-netns");
	tear_down();
}

int main(int argc, char **argv)
{
	static struct hg_test tests[] = {
		HG_TEST(opens_once),
		HG_TEST(closes_without_start),
		HG_TEST(receives_in_order_and_unaltered),
		HG_TEST(transmits_chains_in_order_and_unaltered),
		HG_TEST(transmits_bursts_in_order_and_unaltered),
		HG_TEST(s2_1_reaps_without_handing_anything_over),
		HG_TEST(stops_with_packets_inside),
		HG_TEST(wakes_by_its_descriptor),
		HG_TEST(runs_out_of_buffers),
		HG_TEST(survives_the_loss_of_its_device),
		HG_TEST(is_adopted_again),
		/* Last, as memory has no namespaces. */
		HG_TEST(refuses_a_namespace_that_is_not_there),
		{0},
	};

	for (unsigned i = 0; argc > 1 && worlds[i] != NULL; i++)
		if (strcmp(worlds[i]->name, argv[1]) == 0)
			world = worlds[i];
	if (world == NULL) {
		fprintf(stderr, "usage: driver_suite WORLD [TEST...]; worlds:");
		for (unsigned i = 0; worlds[i] != NULL; i++)
			fprintf(stderr, " %s", worlds[i]->name);
		fputc('\n', stderr);
		return 2;
	}
	if (world->is_memory || world->comes_back_alone)
		tests[sizeof(tests) / sizeof(tests[0]) - 2u] = (struct hg_test){0};
	return hg_tests_main(argc - 1, argv + 1, tests);
}
