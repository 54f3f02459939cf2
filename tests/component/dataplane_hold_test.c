/* What an instance's hold queue may keep of what it sends, through the packet lane as a whole. A maximum of packets makes it
 * stand, so that no time enters: what one segment owes is more than a test lasts. */
#include "tests/component/hosts.h"

#include "tests/frames.h"

static struct host host;

/* As many packets as can be in few buffers: 8 MiB of them are in 1,500. Ethernet, IPv4 and TCP with time stamps. */
#define GSO_BYTES 48u
#define SEGMENT_PARTS 1300u
#define SEGMENT_WIRE_BYTES (SEGMENT_PARTS * (66u + GSO_BYTES + HG_WIRE_OVERHEAD_BYTES))
/* The least there is. The first segment owes 130 s. */
#define PKTS_PER_S 10u
/* One instance may hold an eighth of those that are free, and is held at half of that. */
#define BUFFERS 16384u

/* A maximum in bytes, and what may stand before it. */
struct bound {
	uint64_t bytes_per_s, hold_bytes;
};

static const struct bound bounds[] = {
	{20000000, 1048576}, /* a megabyte, since it leaves in 150 ms */
	{200000000, 4000000}, /* 20 ms */
	{400000000, 8000000},  {500000000, 8388608}, /* 20 ms would be 10 MB */
	{1000000000, 8388608}, /* 20 MB */
};

#define N_BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

static void begin(const struct bound *bound, uint32_t caps)
{
	host_init(&host);
	host.n_buffers = BUFFERS;
	hg_dummy_caps(host_far(&host, "a1"), caps);
	host_limit(&host, "a1", HG_OUT, bound->bytes_per_s, SMALL_BURST);
	host.instances[host_instance(&host, "a1")].contract.dir[HG_OUT].max_pkts_per_s = PKTS_PER_S;
	host_start(&host, 1);
}

static void send_segment(void)
{
	static struct frame frame;
	struct hg_pkt *pkt;

	frame_eth(&frame, host_mac(&host, "up0"), host_mac(&host, "a1"));
	frame_ip4(&frame, HG_IP_TCP, 0);
	frame_tcp(&frame, 0x10, 12);
	frame_payload(&frame, SEGMENT_PARTS * GSO_BYTES, 1);
	frame_finish(&frame);
	pkt = frame_pkt(&frame, hg_dp_pool(host.dp));
	HG_CHECK(pkt != NULL);
	frame_want_gso(pkt, &frame, GSO_BYTES);
	host_inject(&host, "a1", pkt);
}

/* One after the other, until something stops them. The first goes at once. */
static struct hg_dp_flow send_until(bool (*is_stopped)(void))
{
	struct hg_dp_flow flow;

	for (uint64_t n = 1; !is_stopped(); n++) {
		send_segment();
		WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == n * SEGMENT_PARTS ||
			 is_stopped());
	}
	flow = host_flow(&host, "a1", HG_OUT);
	HG_CHECK_EQ(flow.sent_bytes, SEGMENT_WIRE_BYTES);
	HG_CHECK_EQ(flow.held_by, HG_LIMIT_PKTS);
	return flow;
}

static bool has_dropped(void)
{
	struct hg_dp_flow flow = host_flow(&host, "a1", HG_OUT);

	return flow_drops(&flow) > 0;
}

/* All fits but the last. */
static void s1_3_what_is_sent_is_held_for_20_ms_and_no_more_than_8_mib(void)
{
	for (unsigned i = 0; i < N_BOUNDS; i++) {
		struct hg_dp_flow flow;

		begin(&bounds[i], HG_DEV_TX_CSUM | HG_DEV_TX_TSO4);
		flow = send_until(has_dropped);
		HG_CHECK_EQ(flow_drops(&flow), flow.drops[HG_DROP_HOLD_BYTES]);
		HG_CHECK(flow.queued_bytes <= bounds[i].hold_bytes);
		HG_CHECK(flow.queued_bytes + SEGMENT_WIRE_BYTES > bounds[i].hold_bytes);
		host_close(&host);
	}
}

static bool is_told(void)
{
	return hg_dummy_is_held(host_far(&host, "a1"));
}

/* The last brings it to half of that. */
static void s1_3_refusing_port_is_told_at_half_of_that(void)
{
	for (unsigned i = 0; i < N_BOUNDS; i++) {
		struct hg_dp_flow flow;

		begin(&bounds[i],
		      HG_DEV_TX_CSUM | HG_DEV_TX_TSO4 | HG_DEV_RX_PUSHES_BACK | HG_DEV_RX_REFUSES);
		flow = send_until(is_told);
		HG_CHECK_EQ(flow_drops(&flow), 0);
		HG_CHECK(flow.queued_bytes >= bounds[i].hold_bytes / 2);
		HG_CHECK(flow.queued_bytes < bounds[i].hold_bytes / 2 + SEGMENT_WIRE_BYTES);
		host_close(&host);
	}
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s1_3_what_is_sent_is_held_for_20_ms_and_no_more_than_8_mib),
		HG_TEST(s1_3_refusing_port_is_told_at_half_of_that),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
