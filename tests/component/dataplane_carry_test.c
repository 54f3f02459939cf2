/* Packets that wait go on in another packet lane: the same bytes, in the same order, none lost, none twice. */
#include "tests/component/hosts.h"

#include "dataplane/handover.h"

#define SLOW_BYTES_PER_S 100u /* a frame in 15 s: what is sent stays queued, but for the first */
#define CARD_NS (50 * HG_NS_PER_MS)

static struct host host;
static struct load load;
static void *carried;
static size_t n_carried_bytes;

/* Numbered packets from one to another, as they come out before and after. */
struct tally {
	const char *from, *to;
	uint32_t n_bytes, next;
};

static struct tally *tallies;
static unsigned n_tallies;

/* Takes in what has come out; each has to be the next of its kind, with the bytes that it was made of. */
static void take_in(struct host *h, const char *name)
{
	static uint8_t want[2048], got[2048];
	struct hg_pkt *pkt;

	while (hg_dummy_collect(host_far(h, name), &pkt, 1) == 1) {
		uint32_t number = packet_number(pkt);
		struct tally *of = NULL;

		for (unsigned i = 0; i < n_tallies; i++) {
			if (strcmp(tallies[i].to, name) == 0 &&
			    memcmp(pkt->data + HG_MAC_BYTES, host_mac(h, tallies[i].from),
				   HG_MAC_BYTES) == 0)
				of = &tallies[i];
		}
		HG_CHECK(of != NULL);
		HG_CHECK_EQ(pkt->total_bytes, of->n_bytes);
		HG_CHECK_EQ(number, of->next);
		of->next++;
		host_write_frame(h, of->from, of->to, want, of->n_bytes);
		memcpy(want + 42,
		       (const uint8_t[4]){(uint8_t)(number >> 24), (uint8_t)(number >> 16),
					  (uint8_t)(number >> 8), (uint8_t)number},
		       4);
		hg_pkt_read(pkt, 0, got, of->n_bytes);
		got[15] = want[15]; /* it may have been marked on the way */
		memcpy(got + 24, want + 24, 2);
		HG_CHECK(memcmp(want, got, of->n_bytes) == 0);
		host_release(h, pkt);
	}
}

static struct hg_dp_carried take_out(struct hg_dp *dp)
{
	struct hg_dp_carried out;
	size_t size;

	HG_CHECK_EQ(hg_dp_freeze(dp, CARD_NS), 0);
	size = hg_dp_carry_size(dp);
	free(carried);
	carried = malloc(size);
	HG_CHECK(carried != NULL);
	n_carried_bytes = hg_dp_carry_out(dp, carried, &out);
	HG_CHECK(n_carried_bytes <= size);
	return out;
}

static struct hg_dp_carried put_in(struct hg_dp *dp)
{
	struct hg_error err = {0};
	struct hg_dp_carried in;

	(void)hg_dp_freeze(dp, 0);
	if (hg_dp_carry_in(dp, carried, n_carried_bytes, &in, &err) != 0)
		HG_TEST_FAIL("refused: %s", err.text);
	return in;
}

/* The host goes on in another lane; returns what that took in. */
static struct hg_dp_carried hand_over(struct host *h, uint32_t n_workers)
{
	struct hg_dp *before = h->dp, *after = host_another_lane(h, n_workers);
	struct hg_dp_carried out = take_out(before), in = put_in(after);
	struct hg_dp_host_sample sample;

	HG_CHECK_EQ(out.n_pkts, in.n_pkts + in.n_lost);
	for (unsigned i = 0; i < n_tallies; i++)
		take_in(h, tallies[i].to);
	hg_dp_sample_host(before, &sample);
	HG_CHECK_EQ(sample.free_buffers, sample.n_buffers);
	hg_dp_let_go(before);
	hg_dp_thaw(after);
	h->dp = after;
	hg_dp_destroy(before, /* keep_devices= */ true);
	return in;
}

static void lift_limits(struct host *h)
{
	for (uint32_t i = 0; i < h->desired.n_instances; i++)
		hg_contract_init(&h->instances[i].contract);
	host_apply(h);
}

/* ---- what waits --------------------------------------------------------------------------------- */

static void queues_go_on(uint32_t n_workers, uint32_t n_workers_after)
{
	static struct tally kinds[3];
	struct hg_dp_carried in;

	kinds[0] = (struct tally){"a1", "up0", 1000, 0}; /* an uplink's tree */
	kinds[1] = (struct tally){"b1", "up0", 60, 0};
	kinds[2] = (struct tally){"up0", "a2", 1514, 0}; /* the receiving tree */
	tallies = kinds;
	n_tallies = 3;
	host_init(&host);
	host_limit(&host, "a1", HG_OUT, SLOW_BYTES_PER_S, SMALL_BURST);
	host_limit(&host, "b1", HG_OUT, SLOW_BYTES_PER_S, SMALL_BURST);
	host_limit(&host, "a2", HG_IN, SLOW_BYTES_PER_S, SMALL_BURST);
	host_start(&host, n_workers);
	host_send(&host, "a1", "up0", 1000, 0, 60);
	host_send(&host, "b1", "up0", 60, 0, 300);
	host_send(&host, "up0", "a2", 1514, 0, 50);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == 60);
	WAIT_FOR(host_flow(&host, "b1", HG_OUT).offered_pkts == 300);
	WAIT_FOR(host_flow(&host, "a2", HG_IN).offered_pkts == 50);
	in = hand_over(&host, n_workers_after);
	HG_CHECK_EQ(in.n_lost, 0);
	HG_CHECK_EQ(in.n_pkts, 410 - kinds[0].next - kinds[1].next - kinds[2].next);
	HG_CHECK(kinds[0].next < 60 && kinds[1].next < 300 && kinds[2].next < 50);
	lift_limits(&host);
	hg_ns until_ns = clock_now_ns() + PATIENCE_NS;
	while (kinds[0].next < 60 || kinds[1].next < 300 || kinds[2].next < 50) {
		take_in(&host, "up0");
		take_in(&host, "a2");
		HG_CHECK(clock_now_ns() < until_ns);
	}
	n_tallies = 0;
	for (const char *const *name = (const char *const[]){"a1", "a2", "b1", NULL}; *name != NULL;
	     name++) {
		for (int dir = 0; dir < HG_N_DIRS; dir++) {
			struct hg_dp_flow flow = host_flow(&host, *name, (enum hg_dir)dir);

			HG_CHECK_EQ(flow_drops(&flow), 0);
		}
	}
	host_close(&host);
}

static void s7_11_what_waits_goes_on_in_another_lane(void)
{
	queues_go_on(1, 1);
}

static void s7_11_what_waits_goes_on_in_another_lane_two_workers(void)
{
	queues_go_on(2, 2);
}

static void s7_11_what_waits_goes_on_with_another_number_of_workers(void)
{
	queues_go_on(1, 2);
	queues_go_on(2, 1);
}

/* ---- to the byte -------------------------------------------------------------------------------- */

/* A segment of TCP with its checksum left to do, in a chain of buffers, and what it must look like behind. */
static struct hg_pkt *make_segment(uint32_t n_bytes)
{
	struct hg_pkt *pkt = hg_pkt_create_chain(hg_dp_pool(host.dp), n_bytes);
	uint8_t *ip, *tcp;

	HG_CHECK(pkt != NULL);
	for (struct hg_pkt *buf = pkt; buf != NULL; buf = buf->next)
		for (uint32_t i = 0; i < buf->n_bytes; i++)
			buf->data[i] = (uint8_t)(i * 7u + buf->n_bytes);
	host_write_frame(&host, "up0", "a2", pkt->data, 60);
	ip = pkt->data + 14;
	ip[2] = (uint8_t)((n_bytes - 14) >> 8);
	ip[3] = (uint8_t)(n_bytes - 14);
	ip[9] = 6;
	tcp = ip + 20;
	tcp[12] = 0x50;
	pkt->gso_ecn = false;
	pkt->flags = HG_PKT_NEEDS_CSUM;
	pkt->csum_start = 34;
	pkt->csum_offset = 16;
	pkt->gso = HG_GSO_TCP4;
	pkt->gso_bytes = 1448;
	return pkt;
}

static void s7_11_a_segment_goes_on_to_the_byte(void)
{
	static uint8_t want[60000], got[60000];
	struct hg_pkt *pkt;

	host_init(&host);
	host_limit(&host, "a2", HG_IN, SLOW_BYTES_PER_S, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "up0", "a2", 1514, 0, 3);
	pkt = make_segment(40000);
	hg_pkt_read(pkt, 0, want, 40000);
	host_inject(&host, "up0", pkt);
	WAIT_FOR(host_flow(&host, "a2", HG_IN).offered_bytes > 40000);
	host_expect(&host, "a2", 0, 1); /* the burst lets it pass; the rest waits */
	HG_CHECK_EQ(hand_over(&host, 1).n_lost, 0);
	lift_limits(&host);
	host_expect(&host, "a2", 1, 2);
	/* Cut for the contract, or whole: the payload is what it was. */
	for (uint32_t n_payload = 0; n_payload < 40000 - 54;) {
		uint32_t n;

		pkt = host_receive(&host, "a2");
		n = pkt->total_bytes - 54;
		HG_CHECK_EQ(pkt->flags & HG_PKT_NEEDS_CSUM, HG_PKT_NEEDS_CSUM);
		HG_CHECK_EQ(pkt->csum_start, 34);
		HG_CHECK_EQ(pkt->csum_offset, 16);
		HG_CHECK(n <= 1448 || (pkt->gso == HG_GSO_TCP4 && pkt->gso_bytes == 1448));
		hg_pkt_read(pkt, 54, got, n);
		HG_CHECK(memcmp(got, want + 54 + n_payload, n) == 0);
		n_payload += n;
		host_release(&host, pkt);
	}
	host_close(&host);
}

/* ---- under load --------------------------------------------------------------------------------- */

static void s7_11_it_can_be_taken_back_under_load(void)
{
	static struct stream streams[] = {
		{.from = "a1", .to = "up0", .n_bytes = 1000, .window = 60},
		{.from = "up0", .to = "a1", .n_bytes = 500, .window = 60},
		{.from = "a1", .to = "a2", .n_bytes = 300, .window = 60},
		{.from = "b1", .to = "up0", .n_bytes = 1514, .window = 30},
	};
	uint64_t n_pkts = 0;

	for (unsigned i = 0; i < 4; i++)
		streams[i].sent = streams[i].got = 0;
	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 30000000, 65536);
	host_limit(&host, "b1", HG_OUT, 30000000, 65536);
	host_start(&host, 2);
	load_start(&load, &host, streams, 4);
	for (uint32_t n = 0; n < 100 && !load.is_wrong; n++) {
		uint64_t got = load.got;

		n_pkts += take_out(host.dp).n_pkts;
		HG_CHECK_EQ(put_in(host.dp).n_lost, 0);
		hg_dp_thaw(host.dp);
		WAIT_FOR(load.got > got + 10 || load.is_wrong);
	}
	load_stop(&load);
	HG_CHECK(n_pkts > 100);
	host_close(&host);
}

/* ---- for a long time ---------------------------------------------------------------------------- */

static bool has_waited(hg_ns for_ns)
{
	struct hg_dp_flow flow = host_flow(&host, "a1", HG_OUT);

	return hg_histogram_quantile(&flow.wait, 1000000) >= for_ns;
}

/* Takes out a queue of which some have waited, and more than a burst of them. */
static void take_out_queue(void)
{
	enum { MANY = 120 };
	uint32_t n = 0;

	for (;;) {
		host_send(&host, "a1", "up0", 1000, n, MANY);
		n += MANY;
		WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == n);
		if (take_out(host.dp).n_pkts > MANY / 2)
			return;
		/* They went while the machine did something else. What is left of them goes first: two
		 * lots are 200 ms of the contract, and no more is put behind that. */
		HG_CHECK_EQ(put_in(host.dp).n_lost, 0);
		hg_dp_thaw(host.dp);
		WAIT_FOR((host_discard(&host, "up0"),
			  host_flow(&host, "a1", HG_OUT).sent_pkts == n));
	}
}

/* Longer than a packet may wait; but it waited for the lane, not for its contract, and what comes then is held. */
static void long_pause(uint32_t n_workers, bool is_taken_back)
{
	struct hg_dp *before, *after;
	uint64_t n_offered;
	hg_ns until_ns;

	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 1000000, 16384);
	host_start(&host, n_workers);
	before = host.dp;
	after = is_taken_back ? before : host_another_lane(&host, n_workers);
	take_out_queue();
	until_ns = clock_now_ns() + 250 * HG_NS_PER_MS;
	WAIT_FOR(clock_now_ns() >= until_ns);
	while (host_discard(&host, "up0") > 0)
		continue;
	HG_CHECK_EQ(put_in(after).n_lost, 0);
	if (!is_taken_back)
		hg_dp_let_go(before);
	hg_dp_thaw(after);
	host.dp = after;
	if (!is_taken_back)
		hg_dp_destroy(before, /* keep_devices= */ true);
	WAIT_FOR(has_waited(250 * HG_NS_PER_MS));
	n_offered = host_flow(&host, "a1", HG_OUT).offered_pkts;
	host_send(&host, "a1", "up0", 1000, 1000, 20);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == n_offered + 20);
	HG_CHECK_EQ(flow_drops((struct hg_dp_flow[]){host_flow(&host, "a1", HG_OUT)}), 0);
	host_close(&host);
}

static void s7_11_a_long_pause_drops_nothing(void)
{
	long_pause(1, /* is_taken_back= */ true);
	long_pause(2, /* is_taken_back= */ true);
	long_pause(1, /* is_taken_back= */ false);
	long_pause(2, /* is_taken_back= */ false);
}

/* ---- what is not there any more ----------------------------------------------------------------- */

static void s7_11_what_has_no_place_any_more_is_counted(void)
{
	struct hg_dp_host_sample sample;
	struct hg_dp_carried in;

	host_init(&host);
	host_add_instance(&host, "a3", host_tenant(&host, "a"));
	host_limit(&host, "a3", HG_OUT, SLOW_BYTES_PER_S, SMALL_BURST);
	host_limit(&host, "a1", HG_OUT, SLOW_BYTES_PER_S, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "a3", "up0", 1000, 0, 20);
	host_send(&host, "a1", "up0", 1000, 0, 20);
	WAIT_FOR(host_flow(&host, "a3", HG_OUT).offered_pkts == 20);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == 20);
	while (host_discard(&host, "up0") > 0)
		continue;
	host_remove_last_instance(&host);
	in = hand_over(&host, 1);
	HG_CHECK(in.n_lost >= 10 && in.n_pkts >= 10);
	HG_CHECK_EQ(in.drops[HG_DROP_REMOVED], in.n_lost);
	hg_dp_sample_host(host.dp, &sample);
	HG_CHECK_EQ(sample.drops[HG_DROP_REMOVED], in.n_lost);
	host_close(&host);
}

/* Another tenant's instance of the same name gets none of it. */
static void s7_11_a_name_that_was_given_away_gets_nothing(void)
{
	struct hg_dp_carried in;

	host_init(&host);
	host_add_instance(&host, "x", host_tenant(&host, "a"));
	host_limit(&host, "x", HG_IN, SLOW_BYTES_PER_S, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "up0", "x", 1000, 0, 20);
	WAIT_FOR(host_flow(&host, "x", HG_IN).offered_pkts == 20);
	host_discard(&host, "x");
	host.instances[host_instance(&host, "x")].tenant_idx = host_tenant(&host, "b");
	in = hand_over(&host, 1);
	HG_CHECK_EQ(in.n_pkts, 0);
	HG_CHECK(in.n_lost >= 10);
	host_close(&host);
}

/* ---- learned addresses -------------------------------------------------------------------------- */

/* Without a configured address a port is found by what it sent, in the other lane as well: nothing is flooded. */
static void learned_goes_on(uint32_t n_workers)
{
	uint64_t before;

	host_init(&host);
	for (uint32_t i = 0; i < host.desired.n_ports; i++)
		host.ports[i].has_mac = false;
	host_start(&host, n_workers);
	host_send(&host, "a2", "up0", 100, 0, 1); /* a2 is heard */
	host_expect(&host, "up0", 0, 1);
	HG_CHECK_EQ(hand_over(&host, n_workers).n_lost, 0);
	before = host_uplink(&host).tx_pkts;
	host_send(&host, "a1", "a2", 100, 0, 20);
	host_expect(&host, "a2", 0, 20);
	HG_CHECK_EQ(host_uplink(&host).tx_pkts, before);
	host_close(&host);
}

static void s7_11_learned_addresses_go_on(void)
{
	learned_goes_on(1);
	learned_goes_on(2);
}

/* ---- rubbish ------------------------------------------------------------------------------------ */

static void s7_11_nothing_else_is_taken_in(void)
{
	struct hg_dp_carried in;
	struct hg_error err = {0};
	uint8_t *bytes;
	size_t n_bytes;

	host_init(&host);
	host_limit(&host, "a1", HG_OUT, SLOW_BYTES_PER_S, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "a1", "up0", 100, 0, 30);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == 30);
	(void)take_out(host.dp);
	bytes = carried;
	n_bytes = n_carried_bytes;
	/* Every length but the whole. */
	for (size_t n = 0; n < n_bytes; n += n < 64 ? 1 : 97)
		HG_CHECK_EQ(hg_dp_carry_in(host.dp, bytes, n, &in, &err), -HG_EINVAL);
	/* Every byte that is not a packet's own may be anything: it is refused or does no harm. */
	for (size_t at = 0; at < 40; at++) {
		bytes[at] ^= 0xffu;
		err = (struct hg_error){0};
		HG_CHECK_EQ(hg_dp_carry_in(host.dp, bytes, n_bytes, &in, &err), -HG_EINVAL);
		HG_CHECK(err.text[0] != '\0');
		bytes[at] ^= 0xffu;
	}
	HG_CHECK_EQ(hg_dp_carry_in(host.dp, bytes, n_bytes, &in, &err), 0);
	HG_CHECK_EQ(in.n_lost, 0);
	hg_dp_thaw(host.dp);
	lift_limits(&host);
	host_expect(&host, "up0", 0, 30);
	host_close(&host);
}

static const struct hg_test tests[] = {
	HG_TEST(s7_11_what_waits_goes_on_in_another_lane),
	HG_TEST(s7_11_what_waits_goes_on_in_another_lane_two_workers),
	HG_TEST(s7_11_what_waits_goes_on_with_another_number_of_workers),
	HG_TEST(s7_11_a_segment_goes_on_to_the_byte),
	HG_TEST(s7_11_it_can_be_taken_back_under_load),
	HG_TEST(s7_11_a_long_pause_drops_nothing),
	HG_TEST(s7_11_what_has_no_place_any_more_is_counted),
	HG_TEST(s7_11_a_name_that_was_given_away_gets_nothing),
	HG_TEST(s7_11_learned_addresses_go_on),
	HG_TEST(s7_11_nothing_else_is_taken_in),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
