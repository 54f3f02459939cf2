/* Captures through the packet lane as a whole (S5.1). */
#include "tests/component/hosts.h"

#include "tests/frames.h"

static struct host host;
static struct hg_capture_cfg cfg;
static struct hg_capture *capture;

#define FRAME_BYTES 200u

/* ld 1 byte at 23; equal to 17? all of it, else nothing: of IPv4 what is UDP. */
static const struct hg_capture_insn is_udp[] = {
	{0x30, 0, 0, 23}, {0x15, 0, 1, 17}, {0x06, 0, 0, 262144}, {0x06, 0, 0, 0}};
/* ld 1 byte at 43, the second last of a packet's number: 3? */
static const struct hg_capture_insn is_third[] = {
	{0x30, 0, 0, 44}, {0x15, 0, 1, 3}, {0x06, 0, 0, 262144}, {0x06, 0, 0, 0}};

static void set_up(uint32_t n_workers)
{
	host_init(&host);
	host_start(&host, n_workers);
	memset(&cfg, 0, sizeof(cfg));
	cfg.snap_bytes = HG_FRAME_MAX_BYTES;
	snprintf(cfg.who, sizeof(cfg.who), "test");
	capture = NULL;
}

static struct hg_capture *open_at(const char *port)
{
	struct hg_error err = {0};
	bool is_uplink = strcmp(port, "up0") == 0;
	struct hg_capture *c = NULL;

	if (hg_dp_capture_open(host.dp, is_uplink, is_uplink ? 0 : host_instance(&host, port), &cfg,
			       &c, &err) != 0)
		HG_TEST_FAIL("no capture: %s", err.text);
	return c;
}

static void filter(const struct hg_capture_insn *insns, uint32_t n)
{
	memcpy(cfg.insns, insns, n * sizeof(*insns));
	cfg.n_insns = n;
}

static void pass(const char *from, const char *to, uint32_t n)
{
	host_send(&host, from, to, FRAME_BYTES, 0, n);
	host_expect(&host, to, 0, n);
}

static struct hg_capture_stats stats(void)
{
	struct hg_capture_stats s;

	hg_dp_capture_sample(capture, &s);
	return s;
}

static bool is_there(void)
{
	struct hg_capture_pkt pkt;

	return hg_dp_capture_peek(capture, &pkt);
}

/* The next n packets are those from there to there, exact to the byte, as far as they were asked for. */
static void expect(const char *from, const char *to, enum hg_dir dir, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct hg_pkt *want = host_packet(&host, from, to, FRAME_BYTES, i);
		uint32_t n_want = FRAME_BYTES < cfg.snap_bytes ? FRAME_BYTES : cfg.snap_bytes;
		struct hg_capture_pkt got;
		bool is_same;

		WAIT_FOR(hg_dp_capture_peek(capture, &got));
		is_same = got.total_bytes == FRAME_BYTES && got.n_bytes == n_want &&
			  got.dir == dir && memcmp(got.bytes, want->data, n_want) == 0;
		host_release(&host, want);
		HG_CHECK(is_same);
		HG_CHECK(!got.needs_csum);
		HG_CHECK_EQ(got.gso_bytes, 0);
		hg_dp_capture_take(capture);
	}
}

static uint32_t number_of(const struct hg_capture_pkt *pkt)
{
	return (uint32_t)pkt->bytes[42] << 24 | (uint32_t)pkt->bytes[43] << 16 |
	       (uint32_t)pkt->bytes[44] << 8 | pkt->bytes[45];
}

static void tear_down(void)
{
	hg_dp_capture_close(host.dp, capture);
	host_close(&host);
}

static void check_directions(const char *port, enum hg_watch watch, uint32_t n_workers)
{
	bool has_out = watch != HG_WATCH_IN, has_in = watch != HG_WATCH_OUT;
	bool is_uplink = strcmp(port, "up0") == 0;

	set_up(n_workers);
	cfg.watch = watch;
	capture = open_at(port);
	for (unsigned i = 0; i < 20; i++) {
		pass("a1", "up0", 10);
		if (has_out)
			expect("a1", "up0", HG_OUT, 10);
		pass("up0", "a1", 10);
		if (has_in)
			expect("up0", "a1", HG_IN, 10);
		pass("a2", "a1", 10);
		if (has_in && !is_uplink)
			expect("a2", "a1", HG_IN, 10);
		HG_CHECK(!is_there());
	}
	HG_CHECK_EQ(stats().missed_pkts, 0);
	tear_down();
}

static void s5_1_capture_sees_both_directions(void)
{
	check_directions("a1", HG_WATCH_BOTH, 1);
}

static void s5_1_capture_sees_both_directions_two_workers(void)
{
	check_directions("a1", HG_WATCH_BOTH, 2);
}

static void s5_1_capture_sees_what_is_sent(void)
{
	check_directions("a1", HG_WATCH_OUT, 1);
}

static void s5_1_capture_sees_what_is_received(void)
{
	check_directions("a1", HG_WATCH_IN, 1);
}

static void s5_1_capture_sees_an_uplink(void)
{
	check_directions("up0", HG_WATCH_BOTH, 1);
}

static void s5_1_capture_keeps_as_much_as_was_asked_for(void)
{
	set_up(1);
	cfg.snap_bytes = 47;
	capture = open_at("a1");
	pass("a1", "a2", 10);
	expect("a1", "a2", HG_OUT, 10);
	tear_down();
}

static void s5_1_capture_keeps_what_the_filter_passes(void)
{
	struct hg_capture_pkt got;

	set_up(1);
	filter(is_udp, 4);
	capture = open_at("a1");
	pass("a1", "a2", 10);
	expect("a1", "a2", HG_OUT, 10);
	HG_CHECK_EQ(stats().passed_pkts, 10);
	hg_dp_capture_close(host.dp, capture);
	filter(is_third, 4);
	capture = open_at("a1");
	/* Numbers 0x300 to 0x3ff. */
	host_send(&host, "a1", "a2", FRAME_BYTES, 0x2f0, 0x120);
	host_expect(&host, "a2", 0x2f0, 0x120);
	HG_CHECK_EQ(stats().passed_pkts, 256);
	for (unsigned i = 0; i < 256; i++) {
		HG_CHECK(hg_dp_capture_peek(capture, &got));
		HG_CHECK_EQ(got.bytes[44], 3);
		HG_CHECK_EQ(got.bytes[45], i);
		hg_dp_capture_take(capture);
	}
	HG_CHECK(!is_there());
	tear_down();
}

static void check_refused(const struct hg_capture_insn *insns, uint32_t n, const char *text)
{
	struct hg_error err = {0};
	struct hg_capture *none = NULL;

	if (n <= HG_CAPTURE_INSNS_MAX)
		filter(insns, n);
	cfg.n_insns = n;
	HG_CHECK_EQ(hg_dp_capture_open(host.dp, false, 0, &cfg, &none, &err), -HG_EINVAL);
	HG_CHECK_STR(err.text, text);
	HG_CHECK(none == NULL);
}

static void s5_1_capture_filter_that_may_not_end_is_refused(void)
{
	static const char bad[] = "the filter is not a program of classic BPF that ends";
	static const char loop[] = "the filter has a loop (protochain?); it must run straight on";
	/* ja -1; ja out of it; jeq out of it; no return; a scratch word that is not there; no such code. */
	static const struct hg_capture_insn back[] = {{0x05, 0, 0, UINT32_MAX}, {0x06, 0, 0, 1}};
	static const struct hg_capture_insn far[] = {{0x05, 0, 0, 1}, {0x06, 0, 0, 1}};
	static const struct hg_capture_insn beside[] = {{0x15, 0, 9, 0}, {0x06, 0, 0, 1}};
	static const struct hg_capture_insn open_end[] = {{0x30, 0, 0, 0}, {0x30, 0, 0, 1}};
	static const struct hg_capture_insn scratch[] = {{0x02, 0, 0, 16}, {0x06, 0, 0, 1}};
	static const struct hg_capture_insn unknown[] = {{0xffff, 0, 0, 0}, {0x06, 0, 0, 1}};

	set_up(1);
	check_refused(back, 2, loop);
	check_refused(far, 2, bad);
	check_refused(beside, 2, bad);
	check_refused(open_end, 2, bad);
	check_refused(scratch, 2, bad);
	check_refused(unknown, 2, bad);
	check_refused(NULL, HG_CAPTURE_INSNS_MAX + 1u,
		      "the filter is too long: at most 512 instructions");
	tear_down();
}

/* Whatever is accepted can be run: libpcap's interpreter ends the program at a code that it does not know, and its
 * check does not look at all of a code. */
static void s5_1_capture_filter_of_any_code_is_refused_or_runs(void)
{
	unsigned n_run = 0;

	set_up(1);
	for (uint16_t code = 0; code < 0x200; code++) {
		const struct hg_capture_insn insns[] = {{code, 0, 0, 1}, {0x06, 0, 0, 1}};
		struct hg_error err = {0};

		filter(insns, 2);
		if (hg_dp_capture_open(host.dp, false, 0, &cfg, &capture, &err) != 0)
			continue;
		pass("a1", "a2", 1);
		n_run++;
		hg_dp_capture_close(host.dp, capture);
	}
	capture = NULL;
	/* All that there are, but the one that jumps behind the end, and that which only divides by X = 0. */
	HG_CHECK_BETWEEN(n_run, 45, 55);
	tear_down();
}

static void s5_1_capture_says_what_is_left_to_do(void)
{
	static struct frame frame;
	struct hg_capture_pkt got;
	struct hg_pkt *pkt;

	set_up(1);
	capture = open_at("a1");
	frame_eth(&frame, host_mac(&host, "a2"), host_mac(&host, "a1"));
	frame_ip4(&frame, HG_IP_TCP, 0);
	frame_tcp(&frame, 0x10, 0);
	frame_payload(&frame, 60000, 1);
	frame_finish(&frame);
	pkt = frame_pkt(&frame, hg_dp_pool(host.dp));
	HG_CHECK(pkt != NULL);
	frame_want_gso(pkt, &frame, 1448);
	host_inject(&host, "a1", pkt);
	host_release(&host, host_receive(&host, "a2"));
	WAIT_FOR(hg_dp_capture_peek(capture, &got));
	HG_CHECK_EQ(got.total_bytes, frame.n);
	HG_CHECK_EQ(got.n_bytes, frame.n);
	HG_CHECK(memcmp(got.bytes, frame.bytes, frame.n) == 0);
	HG_CHECK_EQ(got.gso_bytes, 1448);
	HG_CHECK(got.needs_csum);
	hg_dp_capture_take(capture);
	tear_down();
}

/* What nobody fetches is missed, and counted; the packets pass all the same, and what was kept is in order. */
static void s5_1_capture_that_nobody_fetches_costs_nobody_anything(void)
{
	const uint32_t n_all = 40000, n_burst = 50;
	struct hg_capture_pkt got;
	uint32_t n_kept = 0, last = 0;

	set_up(1);
	capture = open_at("a1");
	for (uint32_t i = 0; i < n_all; i += n_burst) {
		host_send(&host, "a1", "a2", 1000, i, n_burst);
		host_expect(&host, "a2", i, n_burst);
	}
	HG_CHECK_EQ(stats().passed_pkts, n_all);
	while (hg_dp_capture_peek(capture, &got)) {
		uint32_t number = number_of(&got);

		HG_CHECK(n_kept == 0 ? number == 0 : number > last);
		last = number;
		n_kept++;
		hg_dp_capture_take(capture);
	}
	/* Four MiB of them at most. */
	HG_CHECK_BETWEEN(n_kept, 1000, 4 * 1024 * 1024 / 1000);
	HG_CHECK_EQ(n_kept + stats().missed_pkts, n_all);
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).sent_pkts, n_all);
	/* There is room again. */
	pass("a1", "a2", 1);
	expect("a1", "a2", HG_OUT, 1);
	tear_down();
}

static void s5_1_captures_are_few_and_each_sees_all(void)
{
	struct hg_capture *all[HG_CAPTURES_MAX], *none = NULL;
	struct hg_error err = {0};

	set_up(1);
	for (unsigned i = 0; i < HG_CAPTURES_MAX; i++) {
		snprintf(cfg.who, sizeof(cfg.who), "reader %u", i);
		all[i] = open_at(i == 3 ? "up0" : "a1");
	}
	HG_CHECK_EQ(hg_dp_capture_open(host.dp, false, 0, &cfg, &none, &err), -HG_EBUSY);
	HG_CHECK_STR(err.text, "as many captures run as there may be, 4: of a1 by reader 0, a1 by "
			       "reader 1, a1 by reader 2, up0 by reader 3");
	pass("a1", "up0", 10);
	for (unsigned i = 0; i < HG_CAPTURES_MAX; i++) {
		capture = all[i];
		expect("a1", "up0", HG_OUT, 10);
	}
	hg_dp_capture_close(host.dp, all[1]);
	capture = all[1] = open_at("a2");
	pass("a2", "up0", 10);
	expect("a2", "up0", HG_OUT, 10);
	for (unsigned i = 0; i < HG_CAPTURES_MAX; i++)
		hg_dp_capture_close(host.dp, all[i]);
	capture = NULL;
	tear_down();
}

static void s5_1_capture_ends_with_its_port_and_sees_no_other(void)
{
	set_up(1);
	host_add_instance(&host, "a9", host_tenant(&host, "a"));
	host_apply(&host);
	capture = open_at("a9");
	pass("a9", "up0", 10);
	host_remove_last_instance(&host);
	host_apply(&host);
	HG_CHECK_STR(stats().ended, "the port was removed");
	/* What it saw can still be fetched; what comes now with that slot is not its port's. */
	host_add_instance(&host, "a8", host_tenant(&host, "a"));
	host_apply(&host);
	pass("a8", "up0", 10);
	expect("a8", "up0", HG_OUT, 10); /* the same frames: its address is a9's */
	HG_CHECK(!is_there());
	tear_down();
}

static void s5_1_capture_goes_on_when_its_device_comes_back(void)
{
	set_up(1);
	capture = open_at("a1");
	pass("a1", "a2", 10);
	expect("a1", "a2", HG_OUT, 10);
	hg_dummy_vanish(host_far(&host, "a1"), "test");
	HG_CHECK(hg_dp_retry(host.dp) > 0);
	hg_dummy_return(host_far(&host, "a1"));
	HG_CHECK(hg_dp_retry(host.dp) > 0);
	pass("a1", "a2", 10);
	expect("a1", "a2", HG_OUT, 10);
	HG_CHECK(stats().ended == NULL);
	tear_down();
}

/* What is dropped was seen: that is what one looks for. */
static void s5_1_capture_sees_what_is_dropped(void)
{
	struct hg_capture_pkt got;
	struct hg_pkt *pkt;

	set_up(1);
	capture = open_at("a1");
	pkt = host_packet(&host, "a1", "a2", FRAME_BYTES, 0);
	pkt->data[14] = 0x41; /* a header of four bytes */
	host_inject(&host, "a1", pkt);
	WAIT_FOR(hg_dp_capture_peek(capture, &got));
	HG_CHECK_EQ(got.bytes[14], 0x41);
	hg_dp_capture_take(capture);
	WAIT_FOR(host_port(&host, "a1").drops[HG_DROP_BAD_LENGTH] +
			 host_port(&host, "a1").drops[HG_DROP_BAD_HEADER] ==
		 1);
	/* To a device that takes nothing: seen once, and dropped. */
	hg_dummy_accept(host_far(&host, "a1"), 0);
	host_send(&host, "a2", "a1", FRAME_BYTES, 0, 5);
	WAIT_FOR(host_port(&host, "a1").drops[HG_DROP_RING_FULL] == 5);
	expect("a2", "a1", HG_IN, 5);
	HG_CHECK(!is_there());
	tear_down();
}

/* A card that has no room now gets a packet twice, and it is seen once. */
static void s5_1_capture_sees_a_refused_packet_once(void)
{
	struct hg_capture_pkt got;

	set_up(1);
	cfg.watch = HG_WATCH_OUT;
	capture = open_at("up0");
	hg_dummy_accept(host_far(&host, "up0"), 3);
	host_send(&host, "a1", "up0", FRAME_BYTES, 0, 20);
	host_expect(&host, "up0", 0, 3);
	hg_dummy_accept(host_far(&host, "up0"), UINT64_MAX);
	host_expect(&host, "up0", 3, 17);
	/* Not by their bytes: who waits for a card may be marked (ECN). */
	for (uint32_t i = 0; i < 20; i++) {
		HG_CHECK(hg_dp_capture_peek(capture, &got));
		HG_CHECK_EQ(number_of(&got), i);
		hg_dp_capture_take(capture);
	}
	HG_CHECK(!is_there());
	tear_down();
}

/* Captures come and go under traffic: nothing is lost, doubled or out of order. */
static void check_under_load(uint32_t n_workers)
{
	static struct load load;
	static struct stream streams[] = {
		{.from = "a1", .to = "up0", .n_bytes = 100, .window = 64},
		{.from = "up0", .to = "a1", .n_bytes = 1000, .window = 64},
		{.from = "a2", .to = "a1", .n_bytes = 100, .window = 64},
	};

	set_up(n_workers);
	filter(is_udp, 4);
	load_start(&load, &host, streams, 3);
	for (unsigned i = 0; i < 60; i++) {
		capture = open_at(i % 3 == 0 ? "up0" : "a1");
		WAIT_FOR(stats().passed_pkts > 100 || load.is_wrong);
		while (is_there())
			hg_dp_capture_take(capture);
		hg_dp_capture_close(host.dp, capture);
	}
	capture = NULL;
	load_stop(&load);
	tear_down();
}

static void s5_1_capture_comes_and_goes_without_loss(void)
{
	check_under_load(1);
}

static void s5_1_capture_comes_and_goes_without_loss_two_workers(void)
{
	check_under_load(2);
}

static const struct hg_test tests[] = {
	HG_TEST(s5_1_capture_sees_both_directions),
	HG_TEST(s5_1_capture_sees_both_directions_two_workers),
	HG_TEST(s5_1_capture_sees_what_is_sent),
	HG_TEST(s5_1_capture_sees_what_is_received),
	HG_TEST(s5_1_capture_sees_an_uplink),
	HG_TEST(s5_1_capture_keeps_as_much_as_was_asked_for),
	HG_TEST(s5_1_capture_keeps_what_the_filter_passes),
	HG_TEST(s5_1_capture_filter_that_may_not_end_is_refused),
	HG_TEST(s5_1_capture_filter_of_any_code_is_refused_or_runs),
	HG_TEST(s5_1_capture_says_what_is_left_to_do),
	HG_TEST(s5_1_capture_that_nobody_fetches_costs_nobody_anything),
	HG_TEST(s5_1_captures_are_few_and_each_sees_all),
	HG_TEST(s5_1_capture_ends_with_its_port_and_sees_no_other),
	HG_TEST(s5_1_capture_goes_on_when_its_device_comes_back),
	HG_TEST(s5_1_capture_sees_what_is_dropped),
	HG_TEST(s5_1_capture_sees_a_refused_packet_once),
	HG_TEST(s5_1_capture_comes_and_goes_without_loss),
	HG_TEST(s5_1_capture_comes_and_goes_without_loss_two_workers),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
