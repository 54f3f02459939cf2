#include "vswitch/parse.h"
#include "vswitch/pool.h"
#include "vswitch/weigh.h"

#include "tests/frames.h"
#include "tests/harness.h"

#define N_BUFFERS 64u

static struct frame frame;
static struct hg_arena_pool arena;

static void start(void)
{
	static void *mem;

	if (mem == NULL)
		mem = malloc(hg_pool_arena_bytes(N_BUFFERS));
	hg_pool_arena_init(&arena, mem, N_BUFFERS);
}

static void eth(void)
{
	uint8_t dst[6], src[6];

	frame_mac(dst, 2);
	frame_mac(src, 1);
	frame_eth(&frame, dst, src);
}

static struct hg_pkt *finished(void)
{
	frame_finish(&frame);
	return frame_pkt(&frame, &arena.pool);
}

/* The reason, or HG_N_DROPS if it passed. */
static enum hg_drop parse(struct hg_pkt *pkt)
{
	enum hg_drop reason = HG_N_DROPS;

	return hg_parse(pkt, &reason) ? HG_N_DROPS : reason;
}

/* ---- good frames -------------------------------------------------------------------------------- */

static void make_tcp4(void)
{
	eth();
	frame_ip4(&frame, HG_IP_TCP, 0);
	frame_tcp(&frame, 0x10, 12);
	frame_payload(&frame, 100, 0);
}

static void make_udp6(void)
{
	eth();
	frame_ip6(&frame, HG_IP_UDP);
	frame_udp(&frame);
	frame_payload(&frame, 10, 0);
}

static void make_tagged(void)
{
	eth();
	frame_tag(&frame, HG_ETHERTYPE_SVLAN, 3u << 13 | 77);
	frame_tag(&frame, HG_ETHERTYPE_VLAN, 99);
	frame_ip4(&frame, HG_IP_UDP, 8);
	frame_udp(&frame);
	frame_payload(&frame, 10, 0);
}

static void make_extensions(void)
{
	eth();
	frame_ip6(&frame, HG_IP_HOP_BY_HOP);
	frame_extension(&frame, HG_IP_ROUTING, 8);
	frame_extension(&frame, HG_IP_DEST_OPTIONS, 24);
	frame_extension(&frame, HG_IP_TCP, 16);
	frame_tcp(&frame, 0x10, 0);
	frame_payload(&frame, 10, 0);
}

static void make_arp(void)
{
	eth();
	frame_arp(&frame, HG_ARP_REQUEST, 0x0a000001);
}

static void make_solicit(void)
{
	static const uint8_t target[16] = {0xfd, [15] = 1};

	eth();
	frame_ip6(&frame, HG_IP_ICMP6);
	frame_nd(&frame, HG_ND_SOLICIT, target);
}

static void make_icmp(void)
{
	eth();
	frame_ip4(&frame, HG_IP_ICMP, 0);
	frame_payload(&frame, 64, 8);
}

static void make_lldp(void)
{
	eth();
	frame_put16(&frame, 0x88cc);
	frame_payload(&frame, 46, 1);
}

static const struct {
	const char *name;
	void (*make)(void);
	uint8_t l3, ip_proto, pcp;
	uint16_t vlan, l3_offset, l4_offset, payload_offset;
} good_rows[] = {
	{"tcp4", make_tcp4, HG_L3_IP4, HG_IP_TCP, 0, 0, 14, 34, 66},
	{"udp6", make_udp6, HG_L3_IP6, HG_IP_UDP, 0, 0, 14, 54, 62},
	{"tagged twice", make_tagged, HG_L3_IP4, HG_IP_UDP, 3, 77, 22, 50, 58},
	{"extensions", make_extensions, HG_L3_IP6, HG_IP_TCP, 0, 0, 14, 102, 122},
	{"arp", make_arp, HG_L3_ARP, 0, 0, 0, 14, 0, 0},
	{"solicit", make_solicit, HG_L3_IP6, HG_IP_ICMP6, 0, 0, 14, 54, 58},
	{"icmp", make_icmp, HG_L3_IP4, HG_IP_ICMP, 0, 0, 14, 34, 42},
	{"lldp", make_lldp, HG_L3_OTHER, 0, 0, 0, 14, 0, 0},
};
#define N_GOOD (sizeof(good_rows) / sizeof(good_rows[0]))

static void s5_1_headers_are_found(void)
{
	for (unsigned i = 0; i < N_GOOD; i++) {
		struct hg_pkt *pkt;

		start();
		good_rows[i].make();
		pkt = finished();
		if (parse(pkt) != HG_N_DROPS)
			HG_TEST_FAIL("%s dropped", good_rows[i].name);
		HG_CHECK_EQ(pkt->l3, good_rows[i].l3);
		HG_CHECK_EQ(pkt->ip_proto, good_rows[i].ip_proto);
		HG_CHECK_EQ(pkt->vlan, good_rows[i].vlan);
		HG_CHECK_EQ(pkt->pcp, good_rows[i].pcp);
		HG_CHECK_EQ(pkt->l3_offset, good_rows[i].l3_offset);
		HG_CHECK_EQ(pkt->l4_offset, good_rows[i].l4_offset);
		HG_CHECK_EQ(pkt->payload_offset, good_rows[i].payload_offset);
	}
}

/* Each byte in memory of exactly its size, so that a sanitizer sees one byte too far. */
static void truncated_at_each_byte_is_dropped(void)
{
	for (unsigned i = 0; i < N_GOOD; i++) {
		uint32_t n_whole;

		good_rows[i].make();
		frame_finish(&frame);
		n_whole = frame.n;
		for (uint32_t n = 1; n < n_whole; n++) {
			uint8_t *bytes = malloc(n);
			struct hg_pkt pkt = {
				.data = bytes, .n_bytes = (uint16_t)n, .total_bytes = n};
			enum hg_drop reason;

			memcpy(bytes, frame.bytes, n);
			reason = parse(&pkt);
			free(bytes);
			/* What follows an unknown ethertype is nobody's header. */
			if (reason == HG_N_DROPS &&
			    !(good_rows[i].l3 == HG_L3_OTHER && n >= HG_ETHER_BYTES))
				HG_TEST_FAIL("%s cut at %u passed", good_rows[i].name, n);
		}
	}
}

static void padding_behind_ip_is_fine(void)
{
	struct hg_pkt *pkt;

	start();
	make_udp6();
	frame_finish(&frame);
	frame.n += 7;
	pkt = frame_pkt(&frame, &arena.pool);
	HG_CHECK_EQ(parse(pkt), HG_N_DROPS);
}

/* ---- bad frames --------------------------------------------------------------------------------- */

/* One byte of a good frame changed. */
static const struct {
	void (*make)(void);
	uint32_t at;
	uint8_t value;
	enum hg_drop reason;
} bad_rows[] = {
	{make_tcp4, 14, 0x55, HG_DROP_BAD_HEADER}, /* version */
	{make_tcp4, 14, 0x44, HG_DROP_BAD_HEADER}, /* 16 bytes of header */
	{make_tcp4, 16, 0xff, HG_DROP_BAD_LENGTH}, /* total length */
	{make_tcp4, 17, 20, HG_DROP_BAD_LENGTH}, /* ends before TCP does */
	{make_tcp4, 46, 0x40, HG_DROP_BAD_HEADER}, /* TCP header of 16 bytes */
	{make_tcp4, 17, 50, HG_DROP_BAD_LENGTH}, /* ends inside the options of TCP */
	{make_udp6, 14, 0x40, HG_DROP_BAD_HEADER}, /* version */
	{make_udp6, 18, 1, HG_DROP_BAD_LENGTH}, /* payload length */
	{make_udp6, 59, 7, HG_DROP_BAD_LENGTH}, /* UDP length below its header */
	{make_udp6, 59, 19, HG_DROP_BAD_LENGTH}, /* UDP length behind IP's end */
	{make_extensions, 55, 40, HG_DROP_BAD_LENGTH}, /* an extension behind the end */
	{make_arp, 18, 8, HG_DROP_BAD_HEADER}, /* hardware addresses of 8 bytes */
	{make_lldp, 12, 0x01, HG_DROP_BAD_LENGTH}, /* a length field of 460 */
	{make_solicit, 19, 20, HG_DROP_BAD_LENGTH}, /* no room for the target */
};

static void lying_headers_are_dropped(void)
{
	for (unsigned i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
		enum hg_drop reason;

		start();
		bad_rows[i].make();
		frame_finish(&frame);
		frame.bytes[bad_rows[i].at] = bad_rows[i].value;
		reason = parse(frame_pkt(&frame, &arena.pool));
		if (reason != bad_rows[i].reason)
			HG_TEST_FAIL("row %u: %s, want %s", i, hg_drop_name(reason),
				     hg_drop_name(bad_rows[i].reason));
	}
}

static void third_tag_is_dropped(void)
{
	start();
	eth();
	for (unsigned i = 0; i < 3; i++)
		frame_tag(&frame, HG_ETHERTYPE_VLAN, i + 1);
	frame_ip4(&frame, HG_IP_TCP, 0);
	frame_tcp(&frame, 0, 0);
	HG_CHECK_EQ(parse(finished()), HG_DROP_BAD_HEADER);
}

static void chain_of_extensions_is_bounded(void)
{
	for (unsigned n = 1; n <= 9; n++) {
		start();
		eth();
		frame_ip6(&frame, HG_IP_DEST_OPTIONS);
		for (unsigned i = 1; i < n; i++)
			frame_extension(&frame, HG_IP_DEST_OPTIONS, 8);
		frame_extension(&frame, HG_IP_UDP, 8);
		frame_udp(&frame);
		HG_CHECK_EQ(parse(finished()),
			    n <= HG_PARSE_EXTENSIONS_MAX ? HG_N_DROPS : HG_DROP_BAD_HEADER);
	}
}

/* However long the buffer is: a copy may lie in shorter ones. */
static void headers_end_where_a_copy_has_them(void)
{
	for (unsigned n = 8; n <= 1900; n += 8) {
		start();
		eth();
		frame_ip6(&frame, HG_IP_DEST_OPTIONS);
		frame_extension(&frame, HG_IP_UDP, n);
		frame_udp(&frame);
		HG_CHECK_EQ(parse(finished()), n <= 134 ? HG_N_DROPS : HG_DROP_BAD_HEADER);
	}
}

static void checksum_goes_where_a_copy_has_it(void)
{
	for (uint32_t offset = 2; offset < 4000; offset += 2) {
		struct hg_pkt *pkt;

		start();
		eth();
		frame_ip4(&frame, 47, 0);
		frame_payload(&frame, 1400, 0);
		pkt = finished();
		pkt->flags = HG_PKT_NEEDS_CSUM;
		pkt->csum_start = 34;
		pkt->csum_offset = (uint16_t)offset;
		HG_CHECK_EQ(parse(pkt), 34 + offset + 2 <= 14 + HG_PARSE_HEADERS_MAX_BYTES
						? HG_N_DROPS
						: HG_DROP_BAD_OFFLOAD);
	}
}

static void fragments(void)
{
	static const struct {
		uint16_t field;
		enum hg_drop reason;
		bool has_transport;
	} rows[] = {
		{0x4000, HG_N_DROPS, true}, /* do not fragment: none */
		{0x2000, HG_N_DROPS, true}, /* the first */
		{0x2001, HG_N_DROPS, false}, /* a later one */
		{0x1fff, HG_DROP_BAD_LENGTH, false}, /* would end behind 65,535 */
	};

	for (unsigned i = 0; i < 4; i++) {
		struct hg_pkt *pkt;

		start();
		make_tcp4();
		hg_bytes_put16(frame.bytes + 20, rows[i].field);
		pkt = finished();
		HG_CHECK_EQ(parse(pkt), rows[i].reason);
		if (rows[i].reason != HG_N_DROPS)
			continue;
		HG_CHECK_EQ(pkt->is_fragment, (rows[i].field & 0x3fff) != 0);
		HG_CHECK_EQ(pkt->l4_offset != 0, rows[i].has_transport);
		HG_CHECK_EQ(pkt->ip_proto, rows[i].has_transport ? HG_IP_TCP : 0);
	}
}

static void fragments_of_ip6(void)
{
	for (unsigned offset = 0; offset <= 8; offset += 8) {
		struct hg_pkt *pkt;

		start();
		eth();
		frame_ip6(&frame, HG_IP_FRAGMENT);
		frame_extension(&frame, HG_IP_TCP, 8);
		frame.bytes[frame.n - 7] = 0;
		hg_bytes_put16(frame.bytes + frame.n - 6, offset | 1u);
		frame_tcp(&frame, 0, 0);
		pkt = finished();
		HG_CHECK_EQ(parse(pkt), HG_N_DROPS);
		HG_CHECK(pkt->is_fragment);
		HG_CHECK_EQ(pkt->ip_proto, offset == 0 ? HG_IP_TCP : 0);
	}
}

/* ---- the offload description -------------------------------------------------------------------- */

static struct hg_pkt *segment(uint32_t n_payload, uint32_t gso_bytes)
{
	struct hg_pkt *pkt;

	start();
	eth();
	frame_ip4(&frame, HG_IP_TCP, 0);
	frame_tcp(&frame, 0x18, 12);
	frame_payload(&frame, n_payload, 0);
	pkt = finished();
	frame_want_gso(pkt, &frame, gso_bytes);
	return pkt;
}

static void gso_bytes_are_bounded(void)
{
	HG_CHECK_EQ(parse(segment(48000, 48)), HG_N_DROPS);
	HG_CHECK_EQ(parse(segment(48000, 47)), HG_DROP_BAD_OFFLOAD);
	HG_CHECK_EQ(parse(segment(48000, 0)), HG_DROP_BAD_OFFLOAD);
	HG_CHECK_EQ(parse(segment(1448, 1448)), HG_N_DROPS);
	HG_CHECK_EQ(parse(segment(1447, 1448)), HG_DROP_BAD_OFFLOAD);
	HG_CHECK_EQ(parse(segment(65483, 48)), HG_N_DROPS);
}

static void lie_type(struct hg_pkt *pkt)
{
	pkt->gso = HG_GSO_TCP6;
}
static void lie_udp(struct hg_pkt *pkt)
{
	pkt->gso = HG_GSO_UDP;
}
static void lie_unknown(struct hg_pkt *pkt)
{
	pkt->gso = 9;
}
static void lie_no_csum(struct hg_pkt *pkt)
{
	pkt->flags = 0;
}
static void lie_start(struct hg_pkt *pkt)
{
	pkt->csum_start = 20;
}
static void lie_start_far(struct hg_pkt *pkt)
{
	pkt->csum_start = 65535;
}
static void lie_offset(struct hg_pkt *pkt)
{
	pkt->csum_offset = 6;
}
static void lie_offset_far(struct hg_pkt *pkt)
{
	pkt->csum_offset = 65535;
}
static void lie_length(struct hg_pkt *pkt)
{
	hg_bytes_put16(pkt->data + 16, 1000);
}
static void lie_fragment(struct hg_pkt *pkt)
{
	hg_bytes_put16(pkt->data + 20, 0x2000);
}

static void lying_offloads_are_dropped(void)
{
	static void (*const lies[])(struct hg_pkt *) = {
		lie_type,      lie_udp,    lie_unknown,    lie_no_csum, lie_start,
		lie_start_far, lie_offset, lie_offset_far, lie_length,  lie_fragment,
	};

	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct hg_pkt *pkt = segment(3000, 1448);

		lies[i](pkt);
		if (parse(pkt) != HG_DROP_BAD_OFFLOAD)
			HG_TEST_FAIL("lie %u passed", i);
	}
}

static void segments_of_udp_and_ip6_pass(void)
{
	struct hg_pkt *pkt;

	start();
	eth();
	frame_ip6(&frame, HG_IP_UDP);
	frame_udp(&frame);
	frame_payload(&frame, 3000, 0);
	pkt = finished();
	frame_want_gso(pkt, &frame, 1400);
	HG_CHECK_EQ(parse(pkt), HG_N_DROPS);
	pkt->gso_ecn = true;
	HG_CHECK_EQ(parse(pkt), HG_DROP_BAD_OFFLOAD);
}

/* ---- weight ------------------------------------------------------------------------------------- */

static void wire_bytes_of_frames(void)
{
	static const uint32_t rows[][2] = {{14, 84}, {60, 84}, {61, 85}, {1514, 1538}};

	for (unsigned i = 0; i < 4; i++) {
		struct hg_pkt pkt = {.total_bytes = rows[i][0]};

		hg_weigh(&pkt);
		HG_CHECK_EQ(pkt.parts, 1);
		HG_CHECK_EQ(pkt.wire_bytes, rows[i][1]);
	}
}

/* A segment weighs what its parts weigh one by one. */
static void wire_bytes_of_segments(void)
{
	for (uint32_t n_payload = 48; n_payload < 6000; n_payload += 13) {
		for (uint32_t gso = 48; gso <= n_payload; gso += 211) {
			struct hg_pkt *pkt = segment(n_payload, gso);
			uint32_t wire = 0, parts = 0;

			HG_CHECK_EQ(parse(pkt), HG_N_DROPS);
			for (uint32_t at = 0; at < n_payload; at += gso, parts++) {
				uint32_t n = n_payload - at < gso ? n_payload - at : gso;

				wire += hg_weigh_frame(66 + n);
			}
			hg_weigh(pkt);
			HG_CHECK_EQ(pkt->parts, parts);
			HG_CHECK_EQ(pkt->wire_bytes, wire);
		}
	}
}

static void heaviest_segment_fits(void)
{
	struct hg_pkt *pkt = segment(65483, 48);

	HG_CHECK_EQ(parse(pkt), HG_N_DROPS);
	hg_weigh(pkt);
	HG_CHECK_EQ(pkt->parts, 1365);
	HG_CHECK_BETWEEN(pkt->wire_bytes, 1365u * 138u - 48u, HG_WIRE_MAX_BYTES);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_headers_are_found),
		HG_TEST(truncated_at_each_byte_is_dropped),
		HG_TEST(padding_behind_ip_is_fine),
		HG_TEST(lying_headers_are_dropped),
		HG_TEST(third_tag_is_dropped),
		HG_TEST(chain_of_extensions_is_bounded),
		HG_TEST(headers_end_where_a_copy_has_them),
		HG_TEST(checksum_goes_where_a_copy_has_it),
		HG_TEST(fragments),
		HG_TEST(fragments_of_ip6),
		HG_TEST(gso_bytes_are_bounded),
		HG_TEST(lying_offloads_are_dropped),
		HG_TEST(segments_of_udp_and_ip6_pass),
		HG_TEST(wire_bytes_of_frames),
		HG_TEST(wire_bytes_of_segments),
		HG_TEST(heaviest_segment_fits),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
