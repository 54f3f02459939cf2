/* Mirrors through the packet lane as a whole (S5.1). */
#include "tests/component/hosts.h"

#include "tests/frames.h"

static struct host host;

#define FRAME_BYTES 200u

/* Tenant a has a third instance, whose port gets copies of a1's packets. */
static void init(enum hg_watch watch)
{
	uint32_t mon;

	host_init(&host);
	mon = host_add_instance(&host, "mon", host_tenant(&host, "a"));
	host.ports[host_instance(&host, "a1")].mirror =
		(struct hg_mirror){.to = "mon", .watch = (uint8_t)watch};
	HG_CHECK_STR(host.ports[mon].name, "mon");
}

static void check_none_waits(const char *name)
{
	HG_CHECK_EQ(hg_dummy_n_sent(host_far(&host, name)), 0);
}

/* Takes in n copies, exact to the byte, numbered from 0 on. */
static void expect_copies(const char *from, const char *to, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct hg_pkt *want = host_packet(&host, from, to, FRAME_BYTES, i);
		struct hg_pkt *got = host_receive(&host, "mon");
		bool is_same = got->total_bytes == FRAME_BYTES && got->n_bytes == FRAME_BYTES &&
			       memcmp(got->data, want->data, FRAME_BYTES) == 0;

		host_release(&host, want);
		host_release(&host, got);
		HG_CHECK(is_same);
	}
}

static void pass(const char *from, const char *to, uint32_t n)
{
	host_send(&host, from, to, FRAME_BYTES, 0, n);
	host_expect(&host, to, 0, n);
}

static void check_directions(enum hg_watch watch, uint32_t n_workers)
{
	init(watch);
	host_start(&host, n_workers);
	for (unsigned i = 0; i < 20; i++) {
		pass("a1", "up0", 10);
		if (watch != HG_WATCH_IN)
			expect_copies("a1", "up0", 10);
		pass("up0", "a1", 10);
		if (watch != HG_WATCH_OUT)
			expect_copies("up0", "a1", 10);
		pass("a2", "a1", 10);
		if (watch != HG_WATCH_OUT)
			expect_copies("a2", "a1", 10);
		/* Not a1's. */
		pass("a2", "up0", 10);
	}
	check_none_waits("mon");
	host_close(&host);
}

static void s5_1_mirror_copies_both_directions(void)
{
	check_directions(HG_WATCH_BOTH, 1);
}

static void s5_1_mirror_copies_both_directions_two_workers(void)
{
	check_directions(HG_WATCH_BOTH, 2);
}

static void s5_1_mirror_copies_what_is_sent(void)
{
	check_directions(HG_WATCH_OUT, 1);
}

static void s5_1_mirror_copies_what_is_received(void)
{
	check_directions(HG_WATCH_IN, 1);
}

/* A segment of 64 KiB in many buffers. */
static void s5_1_mirror_copies_segments_whole(void)
{
	static struct frame frame;
	struct hg_pkt *pkt, *copy;

	init(HG_WATCH_OUT);
	host.uplinks[0].cut_ns = 0;
	host_start(&host, 1);
	frame_eth(&frame, host_mac(&host, "a2"), host_mac(&host, "a1"));
	frame_ip4(&frame, HG_IP_TCP, 0);
	frame_tcp(&frame, 0x10, 0);
	frame_payload(&frame, 60000, 1);
	frame_finish(&frame);
	pkt = frame_pkt(&frame, hg_dp_pool(host.dp));
	HG_CHECK(pkt != NULL);
	frame_want_gso(pkt, &frame, 1448);
	host_inject(&host, "a1", pkt);
	pkt = host_receive(&host, "a2");
	copy = host_receive(&host, "mon");
	HG_CHECK_EQ(copy->total_bytes, pkt->total_bytes);
	HG_CHECK_EQ(copy->gso, pkt->gso);
	HG_CHECK_EQ(copy->gso_bytes, 1448);
	for (uint32_t at = 0; at < pkt->total_bytes; at++) {
		uint8_t a, b;

		hg_pkt_read(pkt, at, &a, 1);
		hg_pkt_read(copy, at, &b, 1);
		HG_CHECK_EQ(a, b);
	}
	host_release(&host, pkt);
	host_release(&host, copy);
	host_close(&host);
}

static void s5_1_mirror_destination_is_no_part_of_the_network(void)
{
	struct hg_pkt *pkt;

	init(HG_WATCH_OUT);
	host_start(&host, 1);
	/* It may not send. */
	host_send(&host, "mon", "a2", FRAME_BYTES, 0, 50);
	WAIT_FOR(host_port(&host, "mon").drops[HG_DROP_MIRROR_SENT] == 50);
	/* It gets neither what is sent to it, nor to all. */
	host_send(&host, "a2", "mon", FRAME_BYTES, 0, 1);
	host_expect(&host, "up0", 0, 1);
	pkt = host_packet(&host, "a2", "up0", FRAME_BYTES, 1);
	memset(pkt->data, 0xff, HG_MAC_BYTES);
	host_inject(&host, "a2", pkt);
	host_expect(&host, "a1", 1, 1);
	host_expect(&host, "up0", 1, 1);
	check_none_waits("mon");
	check_none_waits("a2");
	/* Without the mirror it is a port like any other. */
	host.ports[host_instance(&host, "a1")].mirror = (struct hg_mirror){0};
	host_apply(&host);
	pass("mon", "a2", 10);
	pass("a2", "mon", 10);
	HG_CHECK_EQ(host_port(&host, "mon").drops[HG_DROP_MIRROR_SENT], 50);
	host_close(&host);
}

/* What is mirrored passes whole, whatever becomes of its copies. */
static void check_copies_are_lost(uint32_t n_workers)
{
	struct hg_dp_flow flow;
	uint64_t n_lost;
	uint32_t n_copies;

	host_start(&host, n_workers);
	for (uint32_t i = 0; i < 40; i++) {
		host_send(&host, "a1", "up0", FRAME_BYTES, i * 50, 50);
		host_expect(&host, "up0", i * 50, 50);
	}
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).sent_pkts, 2000);
	host_limit(&host, "mon", HG_IN, 0, 0);
	hg_contract_init(&host.instances[host_instance(&host, "mon")].contract);
	host_apply(&host);
	WAIT_FOR(host_flow(&host, "mon", HG_IN).queued_bytes == 0);
	n_copies = host_discard(&host, "mon");
	flow = host_flow(&host, "mon", HG_IN);
	n_lost = flow.drops[HG_DROP_MIRROR_FULL] +
		 host_port(&host, "mon").drops[HG_DROP_MIRROR_FULL] +
		 host_port(&host, "a1").drops[HG_DROP_MIRROR_FULL];
	HG_CHECK_EQ(n_copies + n_lost, 2000);
	HG_CHECK(n_lost > 0);
	HG_CHECK_EQ(flow_drops(&flow), flow.drops[HG_DROP_MIRROR_FULL]);
	HG_CHECK_EQ(host_port(&host, "mon").drops[HG_DROP_RING_FULL], 0);
	host_close(&host);
}

static void s5_1_mirror_is_bounded_by_the_contract_of_who_gets_it(void)
{
	init(HG_WATCH_OUT);
	host_limit(&host, "mon", HG_IN, 1000, SMALL_BURST);
	check_copies_are_lost(1);
}

static void s5_1_mirror_is_bounded_by_the_contract_two_workers(void)
{
	init(HG_WATCH_OUT);
	host_limit(&host, "mon", HG_IN, 1000, SMALL_BURST);
	check_copies_are_lost(2);
}

static void s5_1_mirror_that_nobody_reads_costs_only_copies(void)
{
	init(HG_WATCH_OUT);
	hg_dummy_accept(host_far(&host, "mon"), 100);
	check_copies_are_lost(1);
}

static unsigned discard_all(struct hg_dummy *far)
{
	struct hg_pkt *pkts[32];
	unsigned n, n_all = 0;

	while ((n = hg_dummy_collect(far, pkts, 32)) > 0) {
		hg_pool_put(hg_dp_pool(host.dp), pkts, n);
		n_all += n;
	}
	return n_all;
}

/* A reader who takes nothing and has room for everything gets no more than leaves an eighth of the buffers. */
static void s5_1_mirror_leaves_the_last_buffers_to_packets(void)
{
	const uint32_t n_all = 10000;
	struct hg_dp_host_sample sample;
	struct hg_dummy *deep;
	uint32_t n_copies;

	init(HG_WATCH_OUT);
	snprintf(host.ports[host_instance(&host, "mon")].device, HG_DEVICE_BYTES,
		 "dummy(ring=16384):deep");
	host_start(&host, 1);
	deep = hg_dummy_find("deep");
	HG_CHECK(deep != NULL);
	for (uint32_t i = 0; i < n_all; i += 50) {
		host_send(&host, "a1", "up0", FRAME_BYTES, i, 50);
		host_expect(&host, "up0", i, 50);
	}
	n_copies = hg_dummy_n_sent(deep);
	hg_dp_sample_host(host.dp, &sample);
	HG_CHECK_BETWEEN(n_copies, sample.n_buffers * 3u / 4u, sample.n_buffers * 15u / 16u);
	WAIT_FOR(host_port(&host, "a1").drops[HG_DROP_MIRROR_FULL] + n_copies == n_all);
	HG_CHECK_EQ(discard_all(deep), n_copies);
	/* What is free again is used again. */
	(void)host_flow(&host, "a1", HG_OUT);
	pass("a1", "up0", 10);
	WAIT_FOR(discard_all(deep) > 0);
	host.ports[host_instance(&host, "a1")].mirror = (struct hg_mirror){0};
	host_apply(&host);
	discard_all(deep);
	host_close(&host);
}

/* Mirrors come and go under traffic: nothing is lost, doubled or out of order. */
static void check_changes(uint32_t n_workers)
{
	static struct load load;
	static struct stream streams[] = {
		{.from = "a1", .to = "up0", .n_bytes = 100, .window = 64},
		{.from = "up0", .to = "a1", .n_bytes = 1000, .window = 64},
		{.from = "b1", .to = "up0", .n_bytes = 100, .window = 64},
	};
	struct hg_mirror *mirror;

	init(HG_WATCH_BOTH);
	hg_dummy_sink(host_far(&host, "mon"), true);
	mirror = &host.ports[host_instance(&host, "a1")].mirror;
	host_start(&host, n_workers);
	load_start(&load, &host, streams, 3);
	for (unsigned i = 0; i < 60; i++) {
		uint64_t got = load.got;

		*mirror = i % 2 == 0 ? (struct hg_mirror){0} : (struct hg_mirror){.to = "mon"};
		host_apply(&host);
		WAIT_FOR(load.got > got + 200 || load.is_wrong);
	}
	load_stop(&load);
	host_close(&host);
}

static void s5_1_mirror_comes_and_goes_without_loss(void)
{
	check_changes(1);
}

static void s5_1_mirror_comes_and_goes_without_loss_two_workers(void)
{
	check_changes(2);
}

/* A destination that moves to another tenant gets nothing from before, and a mirror whose destination goes
 * copies nothing. */
static void s5_1_mirror_destination_that_goes_gets_nothing(void)
{
	init(HG_WATCH_OUT);
	host_start(&host, 1);
	pass("a1", "up0", 10);
	expect_copies("a1", "up0", 10);
	hg_dummy_vanish(host_far(&host, "mon"), "test");
	HG_CHECK(hg_dp_retry(host.dp) > 0);
	pass("a1", "up0", 100);
	hg_dummy_return(host_far(&host, "mon"));
	HG_CHECK(hg_dp_retry(host.dp) > 0);
	check_none_waits("mon");
	pass("a1", "up0", 10);
	expect_copies("a1", "up0", 10);
	host_close(&host);
}

static void s5_1_mirror_works_on_an_observed_host(void)
{
	init(HG_WATCH_BOTH);
	host.desired.mode = HG_MODE_OBSERVE;
	host_start(&host, 1);
	pass("a1", "up0", 20);
	expect_copies("a1", "up0", 20);
	pass("a2", "a1", 20);
	expect_copies("a2", "a1", 20);
	host_close(&host);
}

static const struct hg_test tests[] = {
	HG_TEST(s5_1_mirror_copies_both_directions),
	HG_TEST(s5_1_mirror_copies_both_directions_two_workers),
	HG_TEST(s5_1_mirror_copies_what_is_sent),
	HG_TEST(s5_1_mirror_copies_what_is_received),
	HG_TEST(s5_1_mirror_copies_segments_whole),
	HG_TEST(s5_1_mirror_destination_is_no_part_of_the_network),
	HG_TEST(s5_1_mirror_is_bounded_by_the_contract_of_who_gets_it),
	HG_TEST(s5_1_mirror_is_bounded_by_the_contract_two_workers),
	HG_TEST(s5_1_mirror_that_nobody_reads_costs_only_copies),
	HG_TEST(s5_1_mirror_leaves_the_last_buffers_to_packets),
	HG_TEST(s5_1_mirror_comes_and_goes_without_loss),
	HG_TEST(s5_1_mirror_comes_and_goes_without_loss_two_workers),
	HG_TEST(s5_1_mirror_destination_that_goes_gets_nothing),
	HG_TEST(s5_1_mirror_works_on_an_observed_host),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
