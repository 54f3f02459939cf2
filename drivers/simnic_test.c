#include "drivers/dummy.h"
#include "drivers/registry.h"
#include "drivers/wire.h"

#include "tests/component/drivers/heap_pool.h"
#include "tests/harness.h"

/* 1 Gbit/s: 8 ns a byte. A frame of 1,226 bytes weighs 1,250 and takes 10 us. */
#define FRAME_BYTES 1226u
#define FRAME_NS INT64_C(10000)

static struct heap_pool heap;
static struct hg_dummy *far;
static struct hg_dev *dev;

static void begin(const char *device)
{
	struct hg_dev_cfg cfg = {.device = device, .netns = "", .mtu = 1500};
	struct hg_error err = {0};

	heap_pool_init(&heap);
	cfg.pool = &heap.pool;
	far = hg_dummy_hold("wire");
	if (hg_dev_open(&cfg, &dev, &err) < 0 || dev->driver->start(dev, &err) < 0)
		HG_TEST_FAIL("%s: %s", device, err.text);
}

static void end(void)
{
	dev->driver->stop(dev);
	dev->driver->close(dev, false);
	hg_dummy_release(far);
	HG_CHECK_EQ(heap.n_out, 0);
}

static unsigned send_frames(unsigned n, uint16_t n_bytes, hg_ns now_ns)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *pkt = heap_pool_frame(&heap, n_bytes, 0);

		if (dev->driver->tx(dev, 0, &pkt, 1, now_ns) == 1)
			taken++;
		else
			hg_pool_put(&heap.pool, &pkt, 1);
	}
	return taken;
}

static unsigned collect(void)
{
	struct hg_pkt *pkts[64];
	unsigned n, n_all = 0;

	while ((n = hg_dummy_collect(far, pkts, 64)) > 0) {
		hg_pool_put(&heap.pool, pkts, n);
		n_all += n;
	}
	return n_all;
}

static struct hg_dev_state state(void)
{
	struct hg_dev_state now;
	struct hg_dev_stats stats;

	dev->driver->sample(dev, &now, &stats);
	return now;
}

static struct hg_dev_stats stats(void)
{
	struct hg_dev_state now;
	struct hg_dev_stats all;

	dev->driver->sample(dev, &now, &all);
	return all;
}

/* ---- sending ------------------------------------------------------------------------------------ */

static void a_packet_leaves_when_its_bytes_have_passed(void)
{
	begin("simnic(rate=1Gbit,delay=3us)+dummy:wire");
	HG_CHECK_EQ(send_frames(2, FRAME_BYTES, 1000), 2);
	/* The first ends and leaves the ring, then arrives; the second follows at once. */
	HG_CHECK_EQ(dev->driver->progress(dev, 1000), 1000 + FRAME_NS);
	HG_CHECK_EQ(dev->driver->progress(dev, 1000 + FRAME_NS), 1000 + FRAME_NS + 3000);
	HG_CHECK_EQ(state().ring_used_pkts, 1);
	HG_CHECK_EQ(dev->driver->progress(dev, 1000 + FRAME_NS + 2999), 1000 + FRAME_NS + 3000);
	HG_CHECK_EQ(collect(), 0);
	HG_CHECK_EQ(dev->driver->progress(dev, 1000 + FRAME_NS + 3000), 1000 + 2 * FRAME_NS);
	HG_CHECK_EQ(collect(), 1);
	HG_CHECK_EQ(dev->driver->progress(dev, 1000 + 2 * FRAME_NS + 3000), HG_NEVER);
	HG_CHECK_EQ(collect(), 1);
	end();
}

/* Polled late, the wire was no slower: all that could have passed has. */
static void time_stamps_decide_not_polling(void)
{
	begin("simnic(rate=1Gbit)+dummy:wire");
	HG_CHECK_EQ(send_frames(100, FRAME_BYTES, 0), 100);
	dev->driver->progress(dev, 50 * FRAME_NS - 1);
	HG_CHECK_EQ(collect(), 49);
	dev->driver->progress(dev, 100 * FRAME_NS);
	HG_CHECK_EQ(collect(), 51);
	/* After idleness the line begins anew, and owes nothing. */
	HG_CHECK_EQ(send_frames(1, FRAME_BYTES, 500 * FRAME_NS), 1);
	HG_CHECK_EQ(dev->driver->progress(dev, 500 * FRAME_NS), 501 * FRAME_NS);
	end();
}

static void takes_no_more_than_the_ring_holds(void)
{
	begin("simnic(rate=1Gbit,ring=4)+dummy:wire");
	HG_CHECK_EQ(send_frames(7, FRAME_BYTES, 0), 4);
	HG_CHECK_EQ(state().ring_used_pkts, 4);
	HG_CHECK_EQ(state().ring_size_pkts, 4);
	HG_CHECK_EQ(state().ring_used_bytes, 4 * 1250);
	HG_CHECK_EQ(send_frames(1, FRAME_BYTES, FRAME_NS - 1), 0);
	HG_CHECK_EQ(send_frames(2, FRAME_BYTES, FRAME_NS), 1);
	end();
}

/* One TCP segment of 10 parts: 54 bytes of headers, 10 times 1,172 of payload. */
static void a_segment_weighs_and_fills_what_its_parts_will(void)
{
	struct hg_pkt *pkt, *tail;

	begin("simnic(rate=1Gbit,ring=4)+dummy:wire");
	pkt = heap_pool_frame(&heap, 54, 0);
	for (tail = pkt; pkt->total_bytes < 54u + 11720u; tail = tail->next) {
		tail->next = heap_pool_frame(&heap, 1172, 0);
		pkt->total_bytes += 1172u;
	}
	pkt->flags = HG_PKT_NEEDS_CSUM;
	pkt->csum_start = 34;
	pkt->csum_offset = 16;
	pkt->data[34 + 12] = 5 << 4;
	pkt->gso = HG_GSO_TCP4;
	pkt->gso_bytes = 1172;
	HG_CHECK_EQ(hg_wire_weigh(pkt).parts, 10);
	HG_CHECK_EQ(hg_wire_weigh(pkt).bytes, 12500);
	HG_CHECK_EQ(dev->driver->tx(dev, 0, &pkt, 1, 0), 1);
	HG_CHECK_EQ(state().ring_used_pkts, 10);
	HG_CHECK_EQ(send_frames(1, FRAME_BYTES, 0), 0);
	HG_CHECK_EQ(dev->driver->progress(dev, 0), 10 * FRAME_NS);
	HG_CHECK_EQ(send_frames(1, FRAME_BYTES, 10 * FRAME_NS), 1);
	end();
}

static void what_the_packet_lane_weighed_is_believed(void)
{
	struct hg_pkt *pkt;

	begin("simnic(rate=1Gbit)+dummy:wire");
	pkt = heap_pool_frame(&heap, 60, 0);
	pkt->parts = 3;
	pkt->wire_bytes = 3750;
	HG_CHECK_EQ(dev->driver->tx(dev, 0, &pkt, 1, 0), 1);
	HG_CHECK_EQ(state().ring_used_pkts, 3);
	HG_CHECK_EQ(dev->driver->progress(dev, 0), 3 * FRAME_NS);
	end();
}

static void drops_behind_the_wire_what_is_refused_there(void)
{
	begin("simnic(rate=1Gbit)+dummy:wire");
	hg_dummy_accept(far, 3);
	HG_CHECK_EQ(send_frames(10, FRAME_BYTES, 0), 10);
	HG_CHECK_EQ(dev->driver->progress(dev, 10 * FRAME_NS), HG_NEVER);
	HG_CHECK_EQ(collect(), 3);
	HG_CHECK_EQ(stats().drops[HG_DROP_RING_FULL], 7);
	end();
}

static void waits_for_who_refuses_if_told_so(void)
{
	begin("simnic(rate=1Gbit,full=wait)+dummy:wire");
	hg_dummy_accept(far, 3);
	HG_CHECK_EQ(send_frames(10, FRAME_BYTES, 0), 10);
	HG_CHECK_EQ(dev->driver->progress(dev, 10 * FRAME_NS), 11 * FRAME_NS);
	HG_CHECK_EQ(collect(), 3);
	hg_dummy_accept(far, UINT64_MAX);
	HG_CHECK_EQ(dev->driver->progress(dev, 11 * FRAME_NS), HG_NEVER);
	HG_CHECK_EQ(collect(), 7);
	/* Nobody is behind it any more: nothing is kept for ever. */
	HG_CHECK_EQ(send_frames(1, FRAME_BYTES, 20 * FRAME_NS), 1);
	hg_dummy_vanish(far, "gone");
	HG_CHECK_EQ(dev->driver->progress(dev, 30 * FRAME_NS), HG_NEVER);
	HG_CHECK_EQ(stats().drops[HG_DROP_RING_FULL], 1);
	HG_CHECK_EQ(state().link, HG_DEV_GONE);
	hg_dummy_return(far);
	end();
}

/* ---- receiving ---------------------------------------------------------------------------------- */

static void inject(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *pkt = heap_pool_frame(&heap, FRAME_BYTES, 0);

		HG_CHECK_EQ(hg_dummy_inject(far, &pkt, 1), 1);
	}
}

static unsigned receive(hg_ns now_ns)
{
	struct hg_pkt *pkts[256];
	unsigned n = dev->driver->rx(dev, pkts, 256, now_ns);

	hg_pool_put(&heap.pool, pkts, n);
	return n;
}

static void what_comes_in_passes_a_line_too(void)
{
	begin("simnic(rate=1Gbit,ring=8)+dummy:wire");
	inject(5);
	HG_CHECK_EQ(receive(0), 0);
	HG_CHECK_EQ(dev->driver->progress(dev, 0), FRAME_NS);
	HG_CHECK_EQ(receive(2 * FRAME_NS), 2);
	HG_CHECK_EQ(receive(5 * FRAME_NS), 3);
	HG_CHECK_EQ(dev->driver->progress(dev, 5 * FRAME_NS), HG_NEVER);
	inject(20);
	HG_CHECK_EQ(receive(6 * FRAME_NS), 0);
	HG_CHECK_EQ(stats().rx_dropped, 12);
	HG_CHECK_EQ(receive(100 * FRAME_NS), 8);
	end();
}

static void in_free_leaves_the_receiving_side_alone(void)
{
	begin("simnic(rate=1Gbit,in=free)+dummy:wire");
	inject(5);
	HG_CHECK_EQ(receive(0), 5);
	end();
}

/* ---- properties --------------------------------------------------------------------------------- */

/* A slow model of the same line: every packet's end, as a fraction, from its definition. */
struct model {
	double end_ns, bytes_per_ns;
};

static double model_end(struct model *model, uint32_t wire_bytes, hg_ns now_ns)
{
	double start = model->end_ns > (double)now_ns ? model->end_ns : (double)now_ns;

	model->end_ns = start + (double)wire_bytes / model->bytes_per_ns;
	return model->end_ns;
}

/* Sends at random times and sizes, polls at random times; whenever anything is delivered, as much was as
 * the model says. Returns whether it always was. */
static bool follows_the_model(uint64_t seed, double bytes_per_ns)
{
	struct model model = {0, bytes_per_ns};
	static double ends[4096];
	unsigned n_sent = 0, n_got = 0, n_due = 0;
	hg_ns now_ns = 0;
	bool is_same = true;

	while (n_sent < 4000 && is_same) {
		uint16_t n_bytes = (uint16_t)hg_test_between(&seed, 60, 1514);

		now_ns += (hg_ns)hg_test_between(&seed, 0, seed % 16 == 0 ? 60000 : 9000);
		if (send_frames(1, n_bytes, now_ns) == 1)
			ends[n_sent++] =
				model_end(&model, n_bytes + HG_WIRE_OVERHEAD_BYTES, now_ns);
		dev->driver->progress(dev, now_ns);
		n_got += collect();
		/* The line counts whole ns and carries the rest: it is never ahead, nor 1 ns behind. */
		while (n_due < n_sent && ends[n_due] <= (double)now_ns)
			n_due++;
		is_same = n_got >= n_due &&
			  (n_got == n_due || ends[n_got - 1] < (double)now_ns + 1.0);
	}
	return is_same;
}

static void the_line_follows_its_definition(void)
{
	unsigned n_rounds = hg_test_rounds > 0 ? hg_test_rounds : 50;

	for (unsigned round = 0; round < n_rounds; round++) {
		/* 1.3 Gbit/s: a division with a remainder every time. */
		begin("simnic(rate=1.3Gbit,ring=64)+dummy:wire");
		HG_CHECK(follows_the_model(hg_test_seed + round, 0.1625));
		end();
	}
}

/* The same property against a line that is 0.1 % slower than said: it must be found. */
static void the_property_finds_a_slow_line(void)
{
	begin("simnic(rate=1.2987Gbit,ring=64)+dummy:wire");
	HG_CHECK(!follows_the_model(hg_test_seed, 0.1625));
	end();
}

/* ---- text --------------------------------------------------------------------------------------- */

static void refuses_what_no_card_is(void)
{
	static const char *const bad[] = {
		"simnic+dummy:x",
		"simnic(ring=4)+dummy:x",
		"simnic(rate=1Gbit):x",
		"simnic(rate=1GB)+dummy:x",
		"simnic(rate=1Gbit,ring=0)+dummy:x",
		"simnic(rate=1Gbit,ring=65537)+dummy:x",
		"simnic(rate=1Gbit,delay=2s)+dummy:x",
		"simnic(rate=1Tbit,delay=1s)+dummy:x",
		"simnic(rate=1bit)+dummy:x",
		"simnic(rate=1Gbit,in=slow)+dummy:x",
		"simnic(rate=1Gbit,full=maybe)+dummy:x",
		"simnic(rate=1Gbit)+nothing:x",
		"simnic(rate=1Gbit)+dummy",
		"dummy+dummy:x",
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hg_error err = {0};

		if (hg_dev_check(bad[i], NULL, &err) != -HG_EINVAL || err.text[0] == '\0')
			HG_TEST_FAIL("%s was not refused", bad[i]);
	}
	HG_CHECK_EQ(hg_dev_check("simnic(rate=1Gbit)+simnic(rate=2Gbit)+dummy:x", NULL, NULL), 0);
}

static void names_the_nearest_driver(void)
{
	struct hg_error err = {0};

	HG_CHECK_EQ(hg_dev_check("packed:eth1", NULL, &err), -HG_EINVAL);
	HG_CHECK_HAS(err.text, "did you mean packet?");
	HG_CHECK(hg_driver_find("dummy") == &hg_driver_dummy);
	HG_CHECK(hg_driver_find("nothing") == NULL);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(a_packet_leaves_when_its_bytes_have_passed),
		HG_TEST(time_stamps_decide_not_polling),
		HG_TEST(takes_no_more_than_the_ring_holds),
		HG_TEST(a_segment_weighs_and_fills_what_its_parts_will),
		HG_TEST(what_the_packet_lane_weighed_is_believed),
		HG_TEST(drops_behind_the_wire_what_is_refused_there),
		HG_TEST(waits_for_who_refuses_if_told_so),
		HG_TEST(what_comes_in_passes_a_line_too),
		HG_TEST(in_free_leaves_the_receiving_side_alone),
		HG_TEST(the_line_follows_its_definition),
		HG_TEST(the_property_finds_a_slow_line),
		HG_TEST(refuses_what_no_card_is),
		HG_TEST(names_the_nearest_driver),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
