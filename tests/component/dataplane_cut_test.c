/* Segments that would take too long, through the packet lane as a whole (S2.15). */
#include "tests/component/hosts.h"

#include "dataplane/cutting.h"
#include "tests/frames.h"
#include "vswitch/parse.h"
#include "vswitch/weigh.h"

static struct host host;

#define GBIT (HG_NS_PER_S / 8)
#define CUT_NS (100 * HG_NS_PER_US)
#define SEGMENT_PARTS 45u
#define GSO_BYTES 1448u
#define PAYLOAD_BYTES (SEGMENT_PARTS * GSO_BYTES)
/* Ethernet, IPv4, TCP with time stamps, payload, and what a frame has on the wire. */
#define PART_WIRE_BYTES (66u + GSO_BYTES + HG_WIRE_OVERHEAD_BYTES)
#define SEGMENT_WIRE_BYTES (SEGMENT_PARTS * PART_WIRE_BYTES)

static const uint8_t flags = HG_TCP_PSH | 0x10;

/* A segment of 64 KiB that ends with a push. */
static void send_segment(const char *from, const char *to)
{
	static struct frame frame;
	struct hg_pkt *pkt;

	frame_eth(&frame, host_mac(&host, to), host_mac(&host, from));
	frame_ip4(&frame, HG_IP_TCP, 0);
	frame_tcp(&frame, flags, 12);
	frame_payload(&frame, PAYLOAD_BYTES, 1);
	frame_finish(&frame);
	pkt = frame_pkt(&frame, hg_dp_pool(host.dp));
	HG_CHECK(pkt != NULL);
	frame_want_gso(pkt, &frame, GSO_BYTES);
	host_inject(&host, from, pkt);
}

struct arrival {
	uint32_t n_pieces, largest_parts, largest_wire_bytes, wire_bytes;
};

/* Takes in all of a segment, in order and whole, and says in which pieces it came. */
static struct arrival receive_segment(const char *at)
{
	struct arrival a = {0};
	uint32_t n_got = 0;

	while (n_got < PAYLOAD_BYTES) {
		struct hg_pkt *pkt = host_receive(&host, at);
		enum hg_drop reason = HG_N_DROPS;
		uint32_t sequence, n_payload;
		bool is_pushed, is_parsed = hg_parse(pkt, &reason);

		hg_weigh(pkt);
		n_payload = pkt->total_bytes - pkt->payload_offset;
		sequence = hg_bytes_get32(pkt->data + pkt->l4_offset + 4);
		is_pushed = (pkt->data[pkt->l4_offset + 13] & HG_TCP_PSH) != 0;
		a.n_pieces++;
		a.wire_bytes += pkt->wire_bytes;
		if (pkt->parts > a.largest_parts)
			a.largest_parts = pkt->parts;
		if (pkt->wire_bytes > a.largest_wire_bytes)
			a.largest_wire_bytes = pkt->wire_bytes;
		host_release(&host, pkt);
		HG_CHECK(is_parsed);
		HG_CHECK_EQ(sequence, 0xfffffff0u + n_got);
		n_got += n_payload;
		HG_CHECK_EQ(is_pushed, n_got == PAYLOAD_BYTES);
	}
	HG_CHECK_EQ(n_got, PAYLOAD_BYTES);
	HG_CHECK_EQ(a.wire_bytes, SEGMENT_WIRE_BYTES);
	return a;
}

static struct arrival pass(const char *from, const char *to)
{
	send_segment(from, to);
	return receive_segment(to);
}

static void check_whole(const char *from, const char *to)
{
	HG_CHECK_EQ(pass(from, to).n_pieces, 1);
}

/* In pieces of so many parts. */
static void check_cut(const char *from, const char *to, uint32_t parts)
{
	struct arrival a = pass(from, to);

	HG_CHECK_EQ(a.largest_parts, parts);
	HG_CHECK_EQ(a.n_pieces, (SEGMENT_PARTS + parts - 1u) / parts);
}

static void init(uint64_t capacity_bytes_per_s, hg_ns cut_ns)
{
	host_init(&host);
	host.uplinks[0].capacity_bytes_per_s = capacity_bytes_per_s;
	host.uplinks[0].cut_ns = cut_ns;
}

/* ---- the link's rate ---------------------------------------------------------------------------- */

static void check_card_of_1_gbit(uint32_t n_workers)
{
	struct hg_dp_flow flow;

	init(GBIT, CUT_NS);
	snprintf(host.uplinks[0].device, sizeof(host.uplinks[0].device),
		 "simnic(rate=1Gbit,ring=256,delay=5us)+dummy:up0");
	host_start(&host, n_workers);
	for (unsigned i = 0; i < 20; i++) {
		struct arrival a = pass("a1", "up0");

		/* 12,500 bytes pass in 100 us; eight packets weigh 12,304. */
		HG_CHECK_EQ(a.largest_parts, 8);
		HG_CHECK(a.largest_wire_bytes <= 12500);
		HG_CHECK_EQ(a.n_pieces, 6);
	}
	flow = host_flow(&host, "a1", HG_OUT);
	HG_CHECK_EQ(flow.cut_segments, 20);
	HG_CHECK_EQ(flow.cut_pieces, 120);
	/* The account is that of the segments. */
	HG_CHECK_EQ(flow.offered_bytes, 20u * SEGMENT_WIRE_BYTES);
	HG_CHECK_EQ(flow.sent_bytes, 20u * SEGMENT_WIRE_BYTES);
	HG_CHECK_EQ(flow.link_bytes, 20u * SEGMENT_WIRE_BYTES);
	HG_CHECK_EQ(flow.sent_pkts, 20u * SEGMENT_PARTS);
	HG_CHECK_EQ(flow_drops(&flow), 0);
	flow = host_tenant_flow(&host, "a", HG_OUT);
	HG_CHECK_EQ(flow.cut_segments, 20);
	HG_CHECK_EQ(flow.cut_pieces, 120);
	HG_CHECK_EQ(host_flow(&host, "b1", HG_OUT).cut_segments, 0);
	host_close(&host);
}

static void s2_15_nothing_longer_than_the_set_time_goes_as_one(void)
{
	check_card_of_1_gbit(1);
}

static void s2_15_nothing_longer_goes_as_one_two_workers(void)
{
	check_card_of_1_gbit(2);
}

static void s2_15_a_fast_link_needs_no_cut(void)
{
	init(10 * GBIT, CUT_NS);
	host_start(&host, 1);
	check_whole("a1", "up0");
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).cut_segments, 0);
	host.uplinks[0].cut_ns = 20 * HG_NS_PER_US;
	host_apply(&host);
	/* 25,000 bytes. */
	check_cut("a1", "up0", 16);
	host_close(&host);
}

static void s2_15_without_a_set_time_segments_stay_whole(void)
{
	init(GBIT, 0);
	host_limit(&host, "a1", HG_OUT, 50 * GBIT / 1000, 1 << 20);
	host_limit(&host, "a2", HG_IN, 50 * GBIT / 1000, 1 << 20);
	host_start(&host, 1);
	check_whole("a1", "up0");
	check_whole("a1", "a2");
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).cut_segments, 0);
	host_close(&host);
}

/* What stays on the host, and what has come through the link already, does not pass it. */
static void s2_15_only_what_leaves_by_the_link_passes_it(void)
{
	init(GBIT, CUT_NS);
	host_start(&host, 2);
	check_whole("a1", "a2");
	check_whole("up0", "a1");
	check_cut("a1", "up0", 8);
	host_close(&host);
}

/* ---- the contract's rate ------------------------------------------------------------------------ */

static void s2_15_a_maximum_cuts_what_is_sent(void)
{
	init(10 * GBIT, CUT_NS);
	/* 6,250 bytes in 100 us: four packets; and 625 bytes: one. */
	host_limit(&host, "a1", HG_OUT, 500 * GBIT / 1000, 1 << 20);
	host_limit(&host, "a2", HG_OUT, 50 * GBIT / 1000, 1 << 20);
	host_start(&host, 1);
	check_cut("a1", "up0", 4);
	check_cut("a1", "a2", 4);
	check_cut("a2", "up0", 1);
	check_cut("a2", "a1", 1);
	check_whole("b1", "up0");
	host_limit_tenant(&host, "b", HG_OUT, 500 * GBIT / 1000, 1 << 20);
	host_apply(&host);
	check_cut("b1", "up0", 4);
	host_close(&host);
}

static void s2_15_a_maximum_cuts_what_is_received(void)
{
	init(10 * GBIT, CUT_NS);
	host_limit(&host, "a1", HG_IN, 50 * GBIT / 1000, 1 << 20);
	host_limit_tenant(&host, "b", HG_IN, 500 * GBIT / 1000, 1 << 20);
	host_start(&host, 1);
	check_cut("up0", "a1", 1);
	check_cut("up0", "b1", 4);
	check_cut("a2", "a1", 1);
	check_whole("up0", "a2");
	HG_CHECK_EQ(host_flow(&host, "a1", HG_IN).cut_segments, 2);
	HG_CHECK_EQ(host_flow(&host, "a1", HG_IN).cut_pieces, 2u * SEGMENT_PARTS);
	host_close(&host);
}

static void s2_15_a_packet_rate_cuts_as_well(void)
{
	init(10 * GBIT, CUT_NS);
	host.instances[0].contract.dir[HG_OUT].max_pkts_per_s = 50000;
	host.instances[0].contract.dir[HG_OUT].burst_bytes = 1 << 20;
	host.instances[0].contract.dir[HG_OUT].reserve_bytes = 1 << 20;
	host_start(&host, 1);
	check_cut("a1", "up0", 5);
	host_close(&host);
}

static void s2_15_who_is_observed_is_not_cut_for_its_contract(void)
{
	init(GBIT, CUT_NS);
	host_limit(&host, "a1", HG_OUT, 50 * GBIT / 1000, 1 << 20);
	host.instances[0].contract.mode = HG_MODE_OBSERVE;
	host_start(&host, 1);
	check_cut("a1", "up0", 8);
	check_whole("a1", "a2");
	host.desired.mode = HG_MODE_OBSERVE;
	host_apply(&host);
	check_whole("a1", "up0");
	host_close(&host);
}

/* ---- what a card's queue is sized by ------------------------------------------------------------ */

static void s2_15_largest_after_cutting(void)
{
	struct hg_desired_uplink uplink = {
		.mtu = 1500, .capacity_bytes_per_s = GBIT, .cut_ns = CUT_NS};

	HG_CHECK_EQ(hg_cutting_largest_bytes(&uplink), 12500);
	uplink.capacity_bytes_per_s = GBIT / 100;
	HG_CHECK_EQ(hg_cutting_largest_bytes(&uplink), 1546);
	uplink.mtu = 9000;
	HG_CHECK_EQ(hg_cutting_largest_bytes(&uplink), 9046);
	/* A whole segment in frames of 1,500 bytes. */
	uplink.mtu = 1500;
	uplink.cut_ns = 0;
	HG_CHECK_EQ(hg_cutting_largest_bytes(&uplink), 45u * 1546u);
	uplink.cut_ns = CUT_NS;
	uplink.capacity_bytes_per_s = 100 * GBIT;
	HG_CHECK_EQ(hg_cutting_largest_bytes(&uplink), 45u * 1546u);
}

static const struct hg_test tests[] = {
	HG_TEST(s2_15_nothing_longer_than_the_set_time_goes_as_one),
	HG_TEST(s2_15_nothing_longer_goes_as_one_two_workers),
	HG_TEST(s2_15_a_fast_link_needs_no_cut),
	HG_TEST(s2_15_without_a_set_time_segments_stay_whole),
	HG_TEST(s2_15_only_what_leaves_by_the_link_passes_it),
	HG_TEST(s2_15_a_maximum_cuts_what_is_sent),
	HG_TEST(s2_15_a_maximum_cuts_what_is_received),
	HG_TEST(s2_15_a_packet_rate_cuts_as_well),
	HG_TEST(s2_15_who_is_observed_is_not_cut_for_its_contract),
	HG_TEST(s2_15_largest_after_cutting),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
