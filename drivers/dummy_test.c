#include "drivers/dummy.h"

#include "tests/component/drivers/heap_pool.h"
#include "tests/harness.h"

#include <poll.h>
#include <pthread.h>

static struct heap_pool heap;
static struct hg_dummy *far;
static struct hg_dev *dev;

static void begin(const char *device)
{
	struct hg_dev_cfg cfg = {.device = device, .netns = "", .mtu = 1500};
	struct hg_error err = {0};

	heap_pool_init(&heap);
	cfg.pool = &heap.pool;
	if (hg_dev_open(&cfg, &dev, &err) < 0 || dev->driver->start(dev, &err) < 0)
		HG_TEST_FAIL("%s: %s", device, err.text);
	far = hg_dummy_find("far");
	HG_CHECK(far != NULL);
}

static void end(void)
{
	dev->driver->stop(dev);
	dev->driver->close(dev, false);
	HG_CHECK(hg_dummy_find("far") == NULL);
	HG_CHECK_EQ(heap.n_out, 0);
}

static unsigned transmit(unsigned n)
{
	struct hg_pkt *pkts[64];
	unsigned taken;

	for (unsigned i = 0; i < n; i++)
		pkts[i] = heap_pool_frame(&heap, 60, (uint8_t)i);
	taken = dev->driver->tx(dev, 0, pkts, n, 0);
	hg_pool_put(&heap.pool, pkts + taken, n - taken);
	return taken;
}

static void takes_what_the_ring_has_room_for(void)
{
	begin("dummy(ring=8):far");
	HG_CHECK_EQ(transmit(5), 5);
	HG_CHECK_EQ(transmit(5), 3);
	HG_CHECK_EQ(hg_dummy_n_sent(far), 8);
	end();
}

static void takes_what_it_is_allowed_to(void)
{
	begin("dummy:far");
	hg_dummy_accept(far, 7);
	HG_CHECK_EQ(transmit(5), 5);
	HG_CHECK_EQ(transmit(5), 2);
	HG_CHECK_EQ(transmit(5), 0);
	hg_dummy_accept(far, UINT64_MAX);
	HG_CHECK_EQ(transmit(5), 5);
	end();
}

static void a_sink_gives_everything_back_at_once(void)
{
	begin("dummy(ring=2):far");
	hg_dummy_sink(far, true);
	HG_CHECK_EQ(transmit(64), 64);
	HG_CHECK_EQ(heap.n_out, 0);
	HG_CHECK_EQ(hg_dummy_n_sent(far), 0);
	end();
}

static void a_generator_never_runs_dry(void)
{
	static const uint8_t frame[60] = {1, 2, 3};
	struct pollfd at = {.events = POLLIN};
	struct hg_pkt *pkts[64];

	begin("dummy:far");
	hg_dummy_generate(far, frame, sizeof(frame));
	at.fd = dev->driver->fd(dev);
	for (unsigned i = 0; i < 10; i++) {
		HG_CHECK_EQ(poll(&at, 1, 0), 1);
		HG_CHECK_EQ(dev->driver->rx(dev, pkts, 64, 0), 64);
		HG_CHECK_EQ(pkts[63]->total_bytes, 60);
		HG_CHECK(memcmp(pkts[63]->data, frame, sizeof(frame)) == 0);
		hg_pool_put(&heap.pool, pkts, 64);
	}
	hg_dummy_generate(far, NULL, 0);
	HG_CHECK_EQ(dev->driver->rx(dev, pkts, 64, 0), 0);
	HG_CHECK_EQ(poll(&at, 1, 0), 0);
	end();
}

#define N_WOKEN 20000u

static void *inject_one_by_one(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < N_WOKEN;) {
		struct hg_pkt *pkt = heap_pool_frame(&heap, 60, 0);

		if (hg_dummy_inject(far, &pkt, 1) == 1)
			i++;
		else
			hg_pool_put(&heap.pool, &pkt, 1);
	}
	return NULL;
}

/* A worker that sleeps whenever it found nothing is woken for every packet: a lost wake-up ends in the
 * poll's timeout. */
static void no_wake_up_is_lost(void)
{
	struct pollfd at = {.events = POLLIN};
	struct hg_pkt *pkts[32];
	unsigned n_got = 0, n_timeouts = 0;
	pthread_t thread;

	begin("dummy:far");
	at.fd = dev->driver->fd(dev);
	HG_CHECK_EQ(pthread_create(&thread, NULL, inject_one_by_one, NULL), 0);
	while (n_got < N_WOKEN && n_timeouts == 0) {
		unsigned n = dev->driver->rx(dev, pkts, 32, 0);

		hg_pool_put(&heap.pool, pkts, n);
		n_got += n;
		if (n == 0 && poll(&at, 1, 5000) == 0)
			n_timeouts++;
	}
	pthread_join(thread, NULL);
	HG_CHECK_EQ(n_timeouts, 0);
	HG_CHECK_EQ(n_got, N_WOKEN);
	end();
}

static void the_far_end_outlives_its_device(void)
{
	struct hg_dummy *held = hg_dummy_hold("far");
	struct hg_dev_cfg cfg = {.device = "dummy:far", .netns = ""};
	struct hg_error err = {0};
	struct hg_dev *second = NULL;

	begin("dummy:far");
	HG_CHECK(held == far);
	HG_CHECK_EQ(hg_dev_open(&cfg, &second, &err), -HG_EBUSY);
	hg_dummy_vanish(far, "pulled out");
	dev->driver->stop(dev);
	dev->driver->close(dev, false);
	hg_error_clear(&err);
	HG_CHECK_EQ(hg_dev_open(&cfg, &second, &err), -HG_ENOENT);
	HG_CHECK_HAS(err.text, "pulled out");
	hg_dummy_return(held);
	begin("dummy:far");
	HG_CHECK(held == far);
	hg_dummy_release(held);
	end();
}

static void refuses_what_is_no_ring(void)
{
	HG_CHECK_EQ(hg_dev_check("dummy(ring=3):x", NULL, NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_dev_check("dummy(ring=1):x", NULL, NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_dev_check("dummy(ring=131072):x", NULL, NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_dev_check("dummy(rung=2):x", NULL, NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_dev_check("dummy(ring=65536):x", NULL, NULL), 0);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(takes_what_the_ring_has_room_for),
		HG_TEST(takes_what_it_is_allowed_to),
		HG_TEST(a_sink_gives_everything_back_at_once),
		HG_TEST(a_generator_never_runs_dry),
		HG_TEST(no_wake_up_is_lost),
		HG_TEST(the_far_end_outlives_its_device),
		HG_TEST(refuses_what_is_no_ring),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
