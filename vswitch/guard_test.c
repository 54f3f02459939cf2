#include "vswitch/guard.h"

#include "vswitch/parse.h"
#include "vswitch/pool.h"

#include "tests/frames.h"
#include "tests/harness.h"

#define OWN 2u
#define OTHER 3u
#define OWN_IP4 0x0a000002u
#define OTHER_IP4 0x0a000003u
#define GOOD HG_N_DROPS

static const struct hg_address addresses[] = {{.bytes = {10, 0, 0, 2}, .len = 4},
					      {.bytes = {10, 0, 0, 77}, .len = 4},
					      {.bytes = {0xfd, [15] = 2}, .len = 16}};
static const uint8_t own_ip6[16] = {0xfd, [15] = 2}, other_ip6[16] = {0xfd, [15] = 3}, none[16];
/* Of 02:00:00:00:00:02, and of :03. */
static const uint8_t own_local[16] = {0xfe, 0x80, [11] = 0xff, 0xfe, 0, 0, 2};
static const uint8_t other_local[16] = {0xfe, 0x80, [11] = 0xff, 0xfe, 0, 0, 3};
static const uint8_t router_local[16] = {0xfe, 0x80, [15] = 1};

static const struct hg_switch_port full = {
	.mac = {2, 0, 0, 0, 0, OWN}, .has_mac = true, .addresses = addresses, .n_addresses = 3};
static const struct hg_switch_port mac_only = {.mac = {2, 0, 0, 0, 0, OWN}, .has_mac = true};
static const struct hg_switch_port ips_only = {.addresses = addresses, .n_addresses = 3};
static const struct hg_switch_port ip4_only = {
	.mac = {2, 0, 0, 0, 0, OWN}, .has_mac = true, .addresses = addresses, .n_addresses = 2};
static const struct hg_switch_port trusted = {.mac = {2, 0, 0, 0, 0, OWN},
					      .has_mac = true,
					      .may_route = true,
					      .may_serve_dhcp = true,
					      .addresses = addresses,
					      .n_addresses = 3};

static struct frame frame;
static struct hg_arena_pool arena;
static uint8_t memory[4 * 4096];

/* ---- frames ------------------------------------------------------------------------------------- */

static void eth(uint8_t src)
{
	uint8_t to[6], from[6];

	frame_mac(to, 9);
	frame_mac(from, src);
	frame_eth(&frame, to, from);
}

static void ip4(uint32_t src, uint8_t proto)
{
	frame_ip4(&frame, proto, 0);
	hg_bytes_put32(frame.bytes + frame.l3 + 12, src);
}

static void ip6(const uint8_t *src, uint8_t next)
{
	frame_ip6(&frame, next);
	memcpy(frame.bytes + frame.l3 + 8, src, 16);
}

static void udp(uint32_t from, uint32_t to)
{
	frame_udp(&frame);
	hg_bytes_put16(frame.bytes + frame.l4, from);
	hg_bytes_put16(frame.bytes + frame.l4 + 2, to);
	frame_payload(&frame, 20, 0);
}

static void arp(uint32_t op, uint8_t sender, uint32_t sender_ip)
{
	frame_arp(&frame, op, OTHER_IP4);
	frame.bytes[frame.l3 + 13] = sender;
	hg_bytes_put32(frame.bytes + frame.l3 + 14, sender_ip);
}

static void option(uint8_t type, uint8_t mac)
{
	frame.bytes[frame.n] = type;
	frame.bytes[frame.n + 1] = 1;
	frame_mac(frame.bytes + frame.n + 2, mac);
	frame.n += 8;
}

static void icmp6(uint8_t type)
{
	frame.bytes[frame.n] = type;
	frame.n += 8;
}

static enum hg_drop judged(const struct hg_switch_port *port)
{
	enum hg_drop reason = GOOD;
	struct hg_pkt *pkt;

	frame_finish(&frame);
	hg_pool_arena_init(&arena, memory, 4);
	pkt = frame_pkt(&frame, &arena.pool);
	HG_CHECK(pkt != NULL);
	HG_CHECK(hg_parse(pkt, &reason));
	HG_CHECK(hg_guard_is_on(port));
	return hg_guard_pass(port, pkt, &reason) ? GOOD : reason;
}

#define EXPECT(port, reason) HG_CHECK_EQ(judged(port), reason)

/* ---- who is judged ------------------------------------------------------------------------------ */

static void s5_1_only_what_is_configured_is_judged(void)
{
	const struct hg_switch_port nothing = {0};
	struct hg_switch_port uplink = full;

	uplink.is_uplink = true;
	HG_CHECK(!hg_guard_is_on(&nothing));
	HG_CHECK(!hg_guard_is_on(&uplink));
	eth(OWN);
	ip4(OTHER_IP4, HG_IP_TCP);
	frame_tcp(&frame, 0, 0);
	EXPECT(&mac_only, GOOD);
	EXPECT(&full, HG_DROP_SPOOFED_IP4);
	eth(OTHER);
	ip4(OWN_IP4, HG_IP_TCP);
	frame_tcp(&frame, 0, 0);
	EXPECT(&mac_only, HG_DROP_SPOOFED_MAC);
	EXPECT(&ips_only, GOOD);
}

/* ---- IPv4 --------------------------------------------------------------------------------------- */

static void s5_1_ip4_source(void)
{
	static const struct {
		uint32_t src;
		enum hg_drop want;
	} rows[] = {
		{OWN_IP4, GOOD},
		{0x0a00004d, GOOD},
		{OTHER_IP4, HG_DROP_SPOOFED_IP4},
		{0, HG_DROP_SPOOFED_IP4},
		{0xa9fe0101, HG_DROP_SPOOFED_IP4}, /* 169.254.1.1 */
		{0x7f000001, HG_DROP_SPOOFED_IP4},
		{0xffffffff, HG_DROP_SPOOFED_IP4},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned tag = 0; tag < 2; tag++) {
			eth(OWN);
			if (tag)
				frame_tag(&frame, HG_ETHERTYPE_VLAN, 0);
			ip4(rows[i].src, HG_IP_UDP);
			udp(1000, 2000);
			EXPECT(&full, rows[i].want);
		}
	}
}

static void s5_1_fragments_have_their_source_judged(void)
{
	for (unsigned i = 0; i < 4; i++) {
		eth(OWN);
		ip4(i & 1u ? OTHER_IP4 : OWN_IP4, HG_IP_UDP);
		hg_bytes_put16(frame.bytes + frame.l3 + 6, i & 2u ? 100 : 0x2000);
		udp(1000, 2000);
		EXPECT(&full, i & 1u ? HG_DROP_SPOOFED_IP4 : GOOD);
	}
	for (unsigned i = 0; i < 4; i++) {
		eth(OWN);
		ip6(i & 1u ? other_ip6 : own_ip6, HG_IP_FRAGMENT);
		frame_extension(&frame, HG_IP_UDP, 8);
		frame.bytes[frame.l4 - 7] = 0;
		hg_bytes_put16(frame.bytes + frame.l4 - 6, i & 2u ? 800 : 1);
		udp(1000, 2000);
		EXPECT(&full, i & 1u ? HG_DROP_SPOOFED_IP6 : GOOD);
	}
}

static void s5_1_dhcp_client_and_server(void)
{
	static const struct {
		uint32_t src, from, to;
		enum hg_drop want, trusted;
	} rows[] = {
		{0, 68, 67, GOOD, GOOD},
		{OWN_IP4, 68, 67, GOOD, GOOD},
		{0, 68, 69, HG_DROP_SPOOFED_IP4, HG_DROP_SPOOFED_IP4},
		{0, 1000, 67, HG_DROP_SPOOFED_IP4, HG_DROP_SPOOFED_IP4},
		{OTHER_IP4, 68, 67, HG_DROP_SPOOFED_IP4, HG_DROP_SPOOFED_IP4},
		{OWN_IP4, 67, 68, HG_DROP_ROGUE_DHCP, GOOD},
		{OWN_IP4, 1000, 68, HG_DROP_ROGUE_DHCP, GOOD}, /* from any port it is believed */
		{OWN_IP4, 67, 67, HG_DROP_ROGUE_DHCP, GOOD}, /* a relay's */
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		eth(OWN);
		ip4(rows[i].src, HG_IP_UDP);
		udp(rows[i].from, rows[i].to);
		EXPECT(&full, rows[i].want);
		EXPECT(&trusted, rows[i].trusted);
	}
	/* The client's request in fragments is nobody's. */
	eth(OWN);
	ip4(0, HG_IP_UDP);
	hg_bytes_put16(frame.bytes + frame.l3 + 6, 0x2000);
	udp(68, 67);
	EXPECT(&full, HG_DROP_SPOOFED_IP4);
	eth(OWN);
	ip6(own_local, HG_IP_UDP);
	udp(546, 547);
	EXPECT(&full, GOOD);
	for (unsigned i = 0; i < 2; i++) {
		eth(OWN);
		ip6(own_local, HG_IP_DEST_OPTIONS);
		frame_extension(&frame, HG_IP_UDP, 16);
		udp(i == 0 ? 547 : 1000, i == 0 ? 9 : 546);
		EXPECT(&mac_only, HG_DROP_ROGUE_DHCP);
		EXPECT(&trusted, GOOD);
	}
}

/* ---- ARP ---------------------------------------------------------------------------------------- */

static void s5_1_arp_sender(void)
{
	static const struct {
		uint32_t op, sender_ip;
		uint8_t sender;
		enum hg_drop want;
	} rows[] = {
		{1, OWN_IP4, OWN, GOOD},
		{2, OWN_IP4, OWN, GOOD},
		{1, 0, OWN, GOOD}, /* a probe */
		{2, 0, OWN, HG_DROP_SPOOFED_ARP},
		{1, OTHER_IP4, OWN, HG_DROP_SPOOFED_ARP},
		{2, OTHER_IP4, OWN, HG_DROP_SPOOFED_ARP},
		{1, OWN_IP4, OTHER, HG_DROP_SPOOFED_ARP},
		{1, 0, OTHER, HG_DROP_SPOOFED_ARP},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		eth(OWN);
		arp(rows[i].op, rows[i].sender, rows[i].sender_ip);
		EXPECT(&full, rows[i].want);
		EXPECT(&ips_only, rows[i].want);
		EXPECT(&mac_only, rows[i].sender == OWN ? GOOD : HG_DROP_SPOOFED_ARP);
	}
}

static void s5_1_wrapped_in_snap(void)
{
	static const struct {
		uint16_t type;
		enum hg_drop want;
	} rows[] = {
		{HG_ETHERTYPE_IP4, HG_DROP_SPOOFED_IP4},
		{HG_ETHERTYPE_IP6, HG_DROP_SPOOFED_IP6},
		{HG_ETHERTYPE_ARP, HG_DROP_SPOOFED_ARP},
		{HG_ETHERTYPE_VLAN, HG_DROP_VLAN},
		{0x2000, GOOD}, /* CDP */
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static const uint8_t snap[6] = {0xaa, 0xaa, 0x03};

		eth(OWN);
		frame_put16(&frame, 46);
		memcpy(frame.bytes + frame.n, snap, sizeof(snap));
		frame.n += sizeof(snap);
		frame_put16(&frame, rows[i].type);
		frame_payload(&frame, 38, 0);
		EXPECT(&full, rows[i].want);
		EXPECT(&mac_only, GOOD);
	}
}

/* ---- IPv6 --------------------------------------------------------------------------------------- */

static void s5_1_ip6_source(void)
{
	static const struct {
		const uint8_t *src;
		enum hg_drop want;
	} rows[] = {
		{own_ip6, GOOD},
		{own_local, GOOD},
		{other_ip6, HG_DROP_SPOOFED_IP6},
		{other_local, HG_DROP_SPOOFED_IP6},
		{router_local, HG_DROP_SPOOFED_IP6},
		{none, HG_DROP_SPOOFED_IP6},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		eth(OWN);
		ip6(rows[i].src, HG_IP_HOP_BY_HOP);
		frame_extension(&frame, HG_IP_TCP, 8);
		frame_tcp(&frame, 0, 0);
		EXPECT(&full, rows[i].want);
		EXPECT(&mac_only, GOOD);
	}
	/* A family that is not listed is not spoken, but for its own link. */
	eth(OWN);
	ip6(own_ip6, HG_IP_UDP);
	udp(1, 2);
	EXPECT(&ip4_only, HG_DROP_SPOOFED_IP6);
	eth(OWN);
	ip6(own_local, HG_IP_UDP);
	udp(1, 2);
	EXPECT(&ip4_only, GOOD);
}

static void s5_1_before_there_is_an_address(void)
{
	static const struct {
		uint8_t type;
		enum hg_drop want;
	} rows[] = {
		{HG_ND_ROUTER_SOLICIT, GOOD}, {HG_MLD_REPORT, GOOD},      {HG_MLD_DONE, GOOD},
		{HG_MLD2_REPORT, GOOD},       {128, HG_DROP_SPOOFED_IP6}, /* echo */
		{130, HG_DROP_SPOOFED_IP6}, /* a querier's */
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		eth(OWN);
		ip6(none, HG_IP_HOP_BY_HOP);
		frame_extension(&frame, HG_IP_ICMP6, 8);
		icmp6(rows[i].type);
		EXPECT(&full, rows[i].want);
	}
	/* With a source link-layer option it would be believed of an address that nobody has. */
	eth(OWN);
	ip6(none, HG_IP_ICMP6);
	icmp6(HG_ND_ROUTER_SOLICIT);
	option(1, OWN);
	EXPECT(&full, HG_DROP_SPOOFED_ND);
}

/* ---- neighbour discovery ------------------------------------------------------------------------ */

static void s5_1_neighbour_discovery(void)
{
	static const struct {
		const uint8_t *src, *target;
		uint8_t type, option, mac; /* option 0: none */
		enum hg_drop want;
	} rows[] = {
		/* asking for others, from one's own */
		{own_ip6, other_ip6, HG_ND_SOLICIT, 1, OWN, GOOD},
		{own_local, router_local, HG_ND_SOLICIT, 1, OWN, GOOD},
		{own_ip6, other_ip6, HG_ND_SOLICIT, 0, 0, GOOD},
		{own_ip6, other_ip6, HG_ND_SOLICIT, 1, OTHER, HG_DROP_SPOOFED_ND},
		{other_ip6, own_ip6, HG_ND_SOLICIT, 1, OWN, HG_DROP_SPOOFED_IP6},
		/* duplicate address detection */
		{none, own_ip6, HG_ND_SOLICIT, 0, 0, GOOD},
		{none, own_local, HG_ND_SOLICIT, 0, 0, GOOD},
		{none, own_ip6, HG_ND_SOLICIT, 14, OWN, GOOD}, /* a nonce, RFC 7527 */
		{none, other_ip6, HG_ND_SOLICIT, 0, 0, HG_DROP_SPOOFED_ND},
		{none, router_local, HG_ND_SOLICIT, 0, 0, HG_DROP_SPOOFED_ND},
		{none, own_ip6, HG_ND_SOLICIT, 1, OWN, HG_DROP_SPOOFED_ND},
		/* answering */
		{own_ip6, own_ip6, HG_ND_ADVERT, 2, OWN, GOOD},
		{own_local, own_ip6, HG_ND_ADVERT, 2, OWN, GOOD},
		{own_ip6, own_local, HG_ND_ADVERT, 0, 0, GOOD},
		{own_ip6, other_ip6, HG_ND_ADVERT, 2, OWN, HG_DROP_SPOOFED_ND},
		{own_ip6, router_local, HG_ND_ADVERT, 2, OWN, HG_DROP_SPOOFED_ND},
		{own_ip6, own_ip6, HG_ND_ADVERT, 2, OTHER, HG_DROP_SPOOFED_ND},
		{router_local, router_local, HG_ND_ADVERT, 2, OWN, HG_DROP_SPOOFED_IP6},
		{none, own_ip6, HG_ND_ADVERT, 2, OWN, HG_DROP_SPOOFED_IP6},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum hg_drop got;

		eth(OWN);
		ip6(rows[i].src, HG_IP_ICMP6);
		frame_nd(&frame, rows[i].type, rows[i].target);
		if (rows[i].option != 0)
			option(rows[i].option, rows[i].mac);
		got = judged(&full);
		if (got != rows[i].want)
			HG_TEST_FAIL("row %u: %s, want %s", i, hg_drop_name(got),
				     hg_drop_name(rows[i].want));
	}
	/* Without addresses: what is said of link-layer addresses alone. */
	eth(OWN);
	ip6(other_ip6, HG_IP_ICMP6);
	frame_nd(&frame, HG_ND_ADVERT, other_ip6);
	option(2, OTHER);
	EXPECT(&mac_only, HG_DROP_SPOOFED_ND);
}

static void advert(void)
{
	eth(OWN);
	ip6(own_ip6, HG_IP_ICMP6);
	frame_nd(&frame, HG_ND_ADVERT, own_ip6);
}

static void s5_1_options_that_cannot_be_read(void)
{
	advert();
	for (unsigned i = 0; i < HG_GUARD_OPTIONS_MAX; i++)
		option(2, OWN);
	EXPECT(&full, GOOD);
	option(2, OWN);
	EXPECT(&full, HG_DROP_SPOOFED_ND);
	advert();
	option(2, OWN);
	frame.bytes[frame.n - 7] = 0; /* length */
	EXPECT(&full, HG_DROP_SPOOFED_ND);
	advert();
	option(2, OWN);
	frame.bytes[frame.n - 7] = 2; /* behind the end */
	EXPECT(&full, HG_DROP_SPOOFED_ND);
	advert();
	option(5, OTHER);
	frame.n -= 1;
	EXPECT(&full, HG_DROP_SPOOFED_ND);
	/* Longer than a link-layer address is: some would read its beginning. */
	advert();
	option(2, OWN);
	frame.bytes[frame.n - 7] = 2;
	frame_payload(&frame, 8, 0);
	EXPECT(&full, HG_DROP_SPOOFED_ND);
	/* Beyond the first buffer. */
	advert();
	frame.bytes[frame.n] = 38;
	frame.bytes[frame.n + 1] = 255;
	frame.n += 255 * 8;
	option(2, OTHER);
	EXPECT(&full, HG_DROP_SPOOFED_ND);
}

static void s5_1_neighbour_discovery_in_fragments(void)
{
	eth(OWN);
	ip6(own_ip6, HG_IP_FRAGMENT);
	frame_extension(&frame, HG_IP_ICMP6, 8);
	frame.bytes[frame.l4 - 7] = 0;
	hg_bytes_put16(frame.bytes + frame.l4 - 6, 1);
	frame_nd(&frame, HG_ND_ADVERT, own_ip6);
	EXPECT(&full, HG_DROP_SPOOFED_ND);
}

static void s5_1_routers(void)
{
	static const uint8_t types[] = {HG_ND_ROUTER_ADVERT, HG_ND_REDIRECT};

	for (unsigned i = 0; i < 2; i++) {
		for (unsigned extensions = 0; extensions < 4; extensions++) {
			eth(OWN);
			ip6(own_local, extensions > 0 ? HG_IP_DEST_OPTIONS : HG_IP_ICMP6);
			for (unsigned e = 0; e < extensions; e++)
				frame_extension(
					&frame,
					e + 1u < extensions ? HG_IP_DEST_OPTIONS : HG_IP_ICMP6, 8);
			icmp6(types[i]);
			frame.n += 32;
			EXPECT(&full, HG_DROP_ROGUE_ROUTER);
			EXPECT(&mac_only, HG_DROP_ROGUE_ROUTER);
			EXPECT(&trusted, GOOD);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_only_what_is_configured_is_judged),
		HG_TEST(s5_1_ip4_source),
		HG_TEST(s5_1_fragments_have_their_source_judged),
		HG_TEST(s5_1_dhcp_client_and_server),
		HG_TEST(s5_1_arp_sender),
		HG_TEST(s5_1_wrapped_in_snap),
		HG_TEST(s5_1_ip6_source),
		HG_TEST(s5_1_before_there_is_an_address),
		HG_TEST(s5_1_neighbour_discovery),
		HG_TEST(s5_1_options_that_cannot_be_read),
		HG_TEST(s5_1_neighbour_discovery_in_fragments),
		HG_TEST(s5_1_routers),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
