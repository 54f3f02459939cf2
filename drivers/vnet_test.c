#include "drivers/vnet.h"

#include "tests/harness.h"

static uint8_t frame[2048];

static struct hg_pkt packet(uint16_t n_bytes)
{
	return (struct hg_pkt){.data = frame, .total_bytes = n_bytes, .n_bytes = n_bytes};
}

static struct virtio_net_hdr_mrg_rxbuf tcp_header(void)
{
	return (struct virtio_net_hdr_mrg_rxbuf){.hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
							 .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
							 .hdr_len = 66,
							 .gso_size = 1448,
							 .csum_start = 34,
							 .csum_offset = 16}};
}

static void a_plain_frame_has_nothing_left_to_do(void)
{
	struct virtio_net_hdr_mrg_rxbuf header = {0};
	struct hg_pkt pkt = packet(60);

	pkt.flags = 0xff;
	pkt.gso = 0xff;
	HG_CHECK(hg_vnet_decode(&header, &pkt));
	HG_CHECK_EQ(pkt.flags, 0);
	HG_CHECK_EQ(pkt.gso, HG_GSO_NONE);
}

/* decode(encode(p)) = p, and encode(decode(h)) = h, for each kind of segment. */
static void both_ways_are_the_same(void)
{
	static const uint8_t types[] = {VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV6,
					VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN};
	static const uint8_t gso[] = {HG_GSO_TCP4, HG_GSO_TCP6, HG_GSO_TCP4};

	memset(frame, 0, sizeof(frame));
	frame[34 + 12] = 8 << 4; /* a TCP header of 32 bytes */
	for (unsigned i = 0; i < sizeof(types); i++) {
		struct virtio_net_hdr_mrg_rxbuf header = tcp_header(), again;
		struct hg_pkt pkt = packet(2048);

		header.hdr.gso_type = types[i];
		HG_CHECK(hg_vnet_decode(&header, &pkt));
		HG_CHECK_EQ(pkt.flags, HG_PKT_NEEDS_CSUM);
		HG_CHECK_EQ(pkt.gso, gso[i]);
		HG_CHECK_EQ(pkt.gso_ecn, i == 2);
		HG_CHECK_EQ(pkt.gso_bytes, 1448);
		HG_CHECK_EQ(pkt.csum_start, 34);
		HG_CHECK_EQ(pkt.csum_offset, 16);
		hg_vnet_encode(&pkt, &again);
		HG_CHECK(memcmp(&header, &again, sizeof(header)) == 0);
	}
}

static void a_vouched_checksum_stays_so(void)
{
	struct virtio_net_hdr_mrg_rxbuf header = {.hdr = {.flags = VIRTIO_NET_HDR_F_DATA_VALID}};
	struct hg_pkt pkt = packet(60);

	HG_CHECK(hg_vnet_decode(&header, &pkt));
	HG_CHECK_EQ(pkt.flags, HG_PKT_CSUM_VALID);
}

static void refuses_headers_that_lie(void)
{
	struct virtio_net_hdr_mrg_rxbuf header = tcp_header();
	struct hg_pkt pkt = packet(2048);

	header.hdr.gso_size = 0;
	HG_CHECK(!hg_vnet_decode(&header, &pkt));
	header = tcp_header();
	header.hdr.flags = 0;
	HG_CHECK(!hg_vnet_decode(&header, &pkt));
	header = tcp_header();
	header.hdr.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	HG_CHECK(!hg_vnet_decode(&header, &pkt));
	header.hdr.gso_type = 0x7f;
	HG_CHECK(!hg_vnet_decode(&header, &pkt));
	header.hdr.gso_type = VIRTIO_NET_HDR_GSO_ECN;
	HG_CHECK(!hg_vnet_decode(&header, &pkt));
	header = tcp_header();
	header.hdr.csum_start = 0xffff;
	header.hdr.csum_offset = 0xffff;
	HG_CHECK(!hg_vnet_decode(&header, &pkt));
}

/* The last place where a checksum fits, and the first where it does not: of the frame, of the headers. */
static void a_checksum_lies_in_the_frame(void)
{
	struct virtio_net_hdr_mrg_rxbuf header = tcp_header();
	struct hg_pkt pkt = packet(52);

	header.hdr.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	HG_CHECK(hg_vnet_decode(&header, &pkt));
	pkt = packet(51);
	HG_CHECK(!hg_vnet_decode(&header, &pkt));
	pkt = packet(2048);
	header.hdr.csum_start = HG_PKT_HEADERS_BYTES - 18u;
	HG_CHECK(hg_vnet_decode(&header, &pkt));
	header.hdr.csum_start++;
	HG_CHECK(!hg_vnet_decode(&header, &pkt));
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(a_plain_frame_has_nothing_left_to_do), HG_TEST(both_ways_are_the_same),
		HG_TEST(a_vouched_checksum_stays_so),          HG_TEST(refuses_headers_that_lie),
		HG_TEST(a_checksum_lies_in_the_frame),         {0},
	};

	return hg_tests_main(argc, argv, tests);
}
