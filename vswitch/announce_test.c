#include "vswitch/announce.h"

#include "tests/harness.h"
#include "vswitch/checksum.h"
#include "vswitch/parse.h"
#include "vswitch/proto.h"

static uint8_t frame[HG_ANNOUNCE_FRAME_BYTES];

static uint32_t build(const uint8_t *address, uint8_t len)
{
	struct hg_announcement a = {.mac = {2, 0, 0, 0, 0, 0x11}, .address.len = len};

	memcpy(a.address.bytes, address, len);
	memset(frame, 0xee, sizeof(frame));
	return hg_announce_build(&a, frame);
}

static void check_bytes(const uint8_t *want, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (frame[i] != want[i])
			HG_TEST_FAIL("byte %" PRIu32 " is %02x, want %02x", i, frame[i], want[i]);
	}
	for (uint32_t i = n; i < HG_ETHER_MIN_BYTES; i++)
		HG_CHECK_EQ(frame[i], 0);
}

/* RFC 5227, 2.3: "both sender and target IP address fields contain the address being announced". */
static void s5_1_ipv4_is_announced_by_arp(void)
{
	static const uint8_t address[4] = {10, 0, 0, 7};
	static const uint8_t want[42] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,  0, 0, 0, 0, 0x11, 8, 6, /* Ethernet */
		0,    1,    8,    0,    6,    4,    0,  1, /* a request */
		2,    0,    0,    0,    0,    0x11, 10, 0, 0, 7, /* sender */
		0,    0,    0,    0,    0,    0,    10, 0, 0, 7, /* target */
	};

	HG_CHECK_EQ(build(address, 4), HG_ETHER_MIN_BYTES);
	check_bytes(want, sizeof(want));
}

static void s5_1_unknown_address_is_announced_by_rarp(void)
{
	static const uint8_t want[42] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0x11, 0x80, 0x35, /* Ethernet */
		0,    1,    8,    0,    6,    4,    0, 3, /* a reverse request */
		2,    0,    0,    0,    0,    0x11, 0, 0, 0, 0, /* sender */
		2,    0,    0,    0,    0,    0x11, 0, 0, 0, 0, /* target */
	};

	HG_CHECK_EQ(build(want, 0), HG_ETHER_MIN_BYTES);
	check_bytes(want, sizeof(want));
}

static void s5_1_ipv6_is_announced_by_advertisement(void)
{
	static const uint8_t address[16] = {0xfd, 0, [15] = 7};
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x11};
	struct hg_pkt pkt = {.data = frame};
	enum hg_drop reason;
	const uint8_t *ip = frame + 14, *icmp = frame + 54;
	uint32_t sum;

	pkt.total_bytes = build(address, 16);
	pkt.n_bytes = (uint16_t)pkt.total_bytes;
	HG_CHECK(hg_parse(&pkt, &reason));
	HG_CHECK_EQ(pkt.l3, HG_L3_IP6);
	HG_CHECK_EQ(pkt.ip_proto, 58);
	HG_CHECK_EQ(frame[0], 0x33);
	HG_CHECK_EQ(frame[5], 1);
	HG_CHECK_EQ(ip[7], 255); /* or nobody believes it (RFC 4861, 7.1.2) */
	HG_CHECK_EQ(memcmp(ip + 8, address, 16), 0);
	HG_CHECK_EQ(icmp[0], 136);
	HG_CHECK_EQ(icmp[4], 0x20); /* override; not solicited, no router */
	HG_CHECK_EQ(memcmp(icmp + 8, address, 16), 0);
	HG_CHECK_EQ(icmp[24], 2);
	HG_CHECK_EQ(icmp[25], 1);
	HG_CHECK_EQ(memcmp(icmp + 26, mac, 6), 0);
	sum = hg_checksum_sum(ip + 8, 32) + 32 + 58 + hg_checksum_sum(icmp, 32);
	HG_CHECK_EQ(hg_checksum_finish(sum), 0);
}

static void s5_1_announcements_are_repeated_with_growing_pauses(void)
{
	static const hg_ns want_ms[HG_ANNOUNCE_ROUNDS] = {0, 50, 150, 250, 350};

	for (unsigned i = 0; i < HG_ANNOUNCE_ROUNDS; i++)
		HG_CHECK_EQ(hg_announce_pause_ns(i), want_ms[i] * HG_NS_PER_MS);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_ipv4_is_announced_by_arp),
		HG_TEST(s5_1_unknown_address_is_announced_by_rarp),
		HG_TEST(s5_1_ipv6_is_announced_by_advertisement),
		HG_TEST(s5_1_announcements_are_repeated_with_growing_pauses),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
