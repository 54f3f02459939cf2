/* The guard against a slow and obvious model of who may say what: random ports, and frames of every kind with
 * one or several addresses that are somebody else's. The model reads the bytes by itself, one layer
 * after another, and knows nothing of hg_parse(). */
#include "vswitch/guard.h"

#include "tests/frames.h"
#include "tests/harness.h"
#include "vswitch/parse.h"
#include "vswitch/pool.h"

#include <stdio.h>

#define ROUNDS 300000u
#define N_NEIGHBOURS 4u /* among whom addresses are picked; the port is the first */

static uint64_t seed;
static struct frame frame;
static struct hg_arena_pool arena;
static uint8_t memory[4 * 4096];

static uint32_t between(uint32_t lo, uint32_t hi)
{
	return (uint32_t)hg_test_between(&seed, lo, hi);
}

static bool one_in(uint32_t n)
{
	return between(1, n) == 1;
}

/* Mostly the port's own, so that whole frames are right now and then. */
static uint8_t someone(void)
{
	return (uint8_t)(one_in(5) ? between(1, N_NEIGHBOURS) : 1u);
}

/* ---- random frames ------------------------------------------------------------------------------ */

static void address4(uint8_t *at, uint32_t who)
{
	hg_bytes_put32(at, 0x0a000000u + who);
}

static void address6(uint8_t *at, uint32_t who)
{
	memset(at, 0, 16);
	switch (between(0, 3)) {
	case 0:
	case 1:
		at[0] = 0xfe;
		at[1] = 0x80;
		at[15] = (uint8_t)who;
		if (one_in(6)) /* not made of a MAC address */
			return;
		at[11] = 0xff;
		at[12] = 0xfe;
		at[8] = one_in(12) ? 2 : 0;
		return;
	default:
		at[0] = 0xfd;
		at[15] = (uint8_t)who;
	}
}

/* Of whom it is, or nobody's. */
static void address4_or_none(uint8_t *at, uint32_t who)
{
	address4(at, who);
	if (one_in(12))
		memset(at, 0, 4);
}

static void address6_or_none(uint8_t *at, uint32_t who)
{
	address6(at, who);
	if (one_in(5))
		memset(at, 0, 16);
}

static void random_udp(void)
{
	static const uint16_t ports[] = {67, 68, 546, 547, 1000, 53};
	uint32_t at = frame.n;

	frame_udp(&frame);
	hg_bytes_put16(frame.bytes + at, ports[between(0, 5)]);
	hg_bytes_put16(frame.bytes + at + 2, ports[between(0, 5)]);
	frame_payload(&frame, between(0, 40), 0);
}

static void random_options(void)
{
	for (uint32_t i = between(0, 3); i > 0; i--) {
		uint8_t *option = frame.bytes + frame.n;
		uint32_t n_units = one_in(8) ? between(0, 40) : 1;

		option[0] = (uint8_t)between(1, 5);
		option[1] = (uint8_t)n_units;
		frame_mac(option + 2, someone());
		frame.n += (n_units == 0 ? 1 : n_units) * 8u;
	}
	if (one_in(20))
		frame.n -= between(1, 4);
	if (one_in(30))
		frame.n += 8u * between(10, 20); /* zero lengths */
}

static void random_icmp6(void)
{
	uint8_t type = (uint8_t)(one_in(3) ? between(128, 143) : between(133, 137));
	uint8_t target[16];

	address6_or_none(target, someone());
	if (type == HG_ND_SOLICIT || type == HG_ND_ADVERT) {
		frame_nd(&frame, type, target);
	} else {
		frame.bytes[frame.n] = type;
		frame.n += 8;
	}
	random_options();
}

static void random_transport(uint8_t proto)
{
	if (proto == HG_IP_UDP)
		random_udp();
	else if (proto == HG_IP_ICMP6)
		random_icmp6();
	else
		frame_tcp(&frame, 0, 0);
}

static void random_ip4(void)
{
	uint8_t proto = one_in(2) ? HG_IP_UDP : HG_IP_TCP;

	frame_ip4(&frame, proto, 4u * between(0, 2));
	address4_or_none(frame.bytes + frame.l3 + 12, someone());
	if (one_in(6))
		hg_bytes_put16(frame.bytes + frame.l3 + 6, one_in(2) ? 0x2000u : between(1, 100));
	random_transport(proto);
}

static void random_ip6(void)
{
	static const uint8_t transports[] = {HG_IP_UDP, HG_IP_ICMP6, HG_IP_ICMP6, HG_IP_TCP};
	static const uint8_t kinds[] = {HG_IP_HOP_BY_HOP, HG_IP_DEST_OPTIONS, HG_IP_ROUTING,
					HG_IP_FRAGMENT};
	uint8_t transport = transports[between(0, 3)], chain[4];
	uint32_t n = one_in(2) ? 0 : between(1, 3);

	for (uint32_t i = 0; i < n; i++)
		chain[i] = kinds[between(0, 3)];
	chain[n] = transport;
	frame_ip6(&frame, chain[0]);
	address6_or_none(frame.bytes + frame.l3 + 8, someone());
	for (uint32_t i = 0; i < n; i++) {
		frame_extension(&frame, chain[i + 1u], chain[i] == HG_IP_FRAGMENT ? 8 : 16);
		if (chain[i] == HG_IP_FRAGMENT)
			hg_bytes_put16(frame.bytes + frame.n - 6,
				       one_in(3) ? between(1, 50) * 8u : 1u);
	}
	random_transport(transport);
}

static void random_arp(void)
{
	frame_arp(&frame, between(1, 3), 0x0a000002);
	frame_mac(frame.bytes + frame.l3 + 8, someone());
	address4_or_none(frame.bytes + frame.l3 + 14, someone());
}

static void random_snap(void)
{
	static const uint16_t types[] = {HG_ETHERTYPE_IP4, HG_ETHERTYPE_ARP, HG_ETHERTYPE_IP6,
					 HG_ETHERTYPE_VLAN, 0x2000};

	frame_put16(&frame, 46);
	frame_put16(&frame, one_in(4) ? 0x4242u : 0xaaaau);
	frame_put16(&frame, 0x0300);
	frame_put16(&frame, 0);
	frame_put16(&frame, types[between(0, 4)]);
	frame_payload(&frame, 38, 0);
}

static void random_frame(void)
{
	uint8_t to[6], from[6];

	frame_mac(to, 9);
	frame_mac(from, someone());
	frame_eth(&frame, to, from);
	for (uint32_t i = one_in(3) ? between(1, 2) : 0; i > 0; i--)
		frame_tag(&frame, HG_ETHERTYPE_VLAN, between(0, 4094));
	switch (between(0, 9)) {
	case 0:
		random_snap();
		break;
	case 1:
	case 2:
		random_arp();
		break;
	case 3:
	case 4:
	case 5:
		random_ip4();
		break;
	default:
		random_ip6();
	}
	frame_finish(&frame);
	frame.n += one_in(4) ? between(1, 30) : 0; /* padding */
}

static void random_port(struct hg_switch_port *port, struct hg_address *addresses)
{
	*port = (struct hg_switch_port){.has_mac = !one_in(4),
					.may_route = one_in(4),
					.may_serve_dhcp = one_in(4),
					.addresses = addresses};
	frame_mac(port->mac, 1);
	memset(addresses, 0, 3 * sizeof(*addresses));
	if (!one_in(4)) {
		address4(addresses[port->n_addresses].bytes, 1);
		addresses[port->n_addresses++].len = 4;
	}
	for (uint32_t i = between(0, 2); i > 0; i--) {
		address6(addresses[port->n_addresses].bytes, 1);
		addresses[port->n_addresses++].len = 16;
	}
}

/* ---- the model ---------------------------------------------------------------------------------- */

/* What the frame claims of its sender, layer by layer. */
struct claims {
	const uint8_t *mac;
	const uint8_t *ip; /* source, or NULL */
	unsigned ip_len;
	unsigned proto; /* of what can be seen; 0: nothing can */
	const uint8_t *transport;
	const uint8_t *end; /* of what IP holds */
	bool is_fragment;
	unsigned type; /* behind tags */
	const uint8_t *network;
};

static bool claims_of_ip6(struct claims *c)
{
	const uint8_t *at = c->network + 40;
	unsigned next = c->network[6];

	c->ip = c->network + 8;
	c->ip_len = 16;
	c->end = c->network + 40 + c->network[4] * 256 + c->network[5];
	while (next == 0 || next == 43 || next == 44 || next == 60) {
		unsigned offset = next == 44 ? (at[2] * 256u + at[3]) / 8u : 0;

		c->is_fragment |= next == 44;
		if (offset > 0)
			return true;
		next = at[0];
		at += (at[1] + 1u) * 8u;
	}
	c->proto = next;
	c->transport = at;
	return true;
}

static void find_claims(const uint8_t *bytes, struct claims *c)
{
	unsigned at = 12;

	*c = (struct claims){.mac = bytes + 6};
	while (bytes[at] == 0x81 && bytes[at + 1] == 0)
		at += 4;
	c->type = bytes[at] * 256u + bytes[at + 1];
	c->network = bytes + at + 2;
	if (c->type == 0x0800) {
		unsigned fragment = c->network[6] * 256u + c->network[7];

		c->ip = c->network + 12;
		c->ip_len = 4;
		c->end = c->network + c->network[2] * 256 + c->network[3];
		c->is_fragment = (fragment & 0x3fff) != 0;
		if ((fragment & 0x1fff) == 0) {
			c->proto = c->network[9];
			c->transport = c->network + (c->network[0] & 15) * 4;
		}
	} else if (c->type == 0x86dd) {
		(void)claims_of_ip6(c);
	}
}

static bool is_zero(const uint8_t *bytes, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

/* Listed, or where that is given by the MAC address, given. */
static bool is_its(const struct hg_switch_port *port, const struct claims *c, const uint8_t *ip,
		   unsigned len)
{
	for (unsigned i = 0; i < port->n_addresses; i++) {
		if (port->addresses[i].len == len && memcmp(port->addresses[i].bytes, ip, len) == 0)
			return true;
	}
	if (len == 16) {
		uint8_t local[16] = {0xfe, 0x80, [11] = 0xff, [12] = 0xfe};

		memcpy(local + 8, c->mac, 3);
		memcpy(local + 13, c->mac + 3, 3);
		local[8] ^= 2;
		return memcmp(local, ip, 16) == 0;
	}
	return false;
}

static unsigned udp_port(const struct claims *c, unsigned which)
{
	return c->transport[2 * which] * 256u + c->transport[2 * which + 1];
}

static bool may_say_options(const struct claims *c, const uint8_t *at, bool has_source)
{
	for (unsigned n = 0; at != c->end; n++) {
		if (n == HG_GUARD_OPTIONS_MAX || c->end - at < 8 || at[1] == 0 ||
		    c->end - at < at[1] * 8)
			return false;
		if (at[0] == 1 && !has_source)
			return false;
		if (at[0] <= 2 && at[0] > 0 && (at[1] != 1 || memcmp(at + 2, c->mac, 6) != 0))
			return false;
		at += at[1] * 8;
	}
	return true;
}

static bool may_say_nd(const struct hg_switch_port *port, const struct claims *c)
{
	unsigned type = c->transport[0];
	bool has_source = !is_zero(c->ip, 16), is_about_itself;

	if (type == 134 || type == 137)
		return port->may_route;
	if (type != 133 && type != 135 && type != 136)
		return true;
	is_about_itself = type == 136 || (type == 135 && !has_source);
	if (c->is_fragment)
		return false;
	if (is_about_itself && port->n_addresses > 0 && !is_its(port, c, c->transport + 8, 16))
		return false;
	return may_say_options(c, c->transport + (type == 133 ? 8 : 24), has_source);
}

static bool is_client(const struct claims *c)
{
	return c->proto == 17 && !c->is_fragment && udp_port(c, 0) == 68 && udp_port(c, 1) == 67;
}

static bool is_newcomer(const struct claims *c)
{
	unsigned type = c->proto == 58 ? c->transport[0] : 0;

	return !c->is_fragment &&
	       (type == 133 || type == 135 || type == 131 || type == 132 || type == 143);
}

static bool may_say_ip(const struct hg_switch_port *port, const struct claims *c)
{
	bool is_none = is_zero(c->ip, c->ip_len);

	if (port->n_addresses > 0 && !is_its(port, c, c->ip, c->ip_len) &&
	    !(is_none && (c->ip_len == 4 ? is_client(c) : is_newcomer(c))))
		return false;
	if (c->proto == 17 && !port->may_serve_dhcp) {
		unsigned server = c->ip_len == 4 ? 67 : 547, client = c->ip_len == 4 ? 68 : 546;

		if (udp_port(c, 0) == server || udp_port(c, 1) == client)
			return false;
	}
	return c->proto != 58 || c->ip_len != 16 || may_say_nd(port, c);
}

static bool may_say(const struct hg_switch_port *port, const uint8_t *bytes)
{
	struct claims c;

	find_claims(bytes, &c);
	if (port->has_mac && memcmp(c.mac, port->mac, 6) != 0)
		return false;
	if (c.ip != NULL)
		return may_say_ip(port, &c);
	if (c.type == 0x0806) {
		bool is_probe = c.network[7] == 1 && is_zero(c.network + 14, 4);

		return memcmp(c.network + 8, c.mac, 6) == 0 &&
		       (port->n_addresses == 0 || is_probe || is_its(port, &c, c.network + 14, 4));
	}
	if (port->n_addresses > 0 && c.type < 0x600 && memcmp(c.network, "\xaa\xaa\x03", 3) == 0)
		return c.network[6] == 0x20;
	return true;
}

/* ---- the comparison ----------------------------------------------------------------------------- */

typedef bool (*guard_fn)(const struct hg_switch_port *port, const struct hg_pkt *pkt,
			 enum hg_drop *ret_reason);

struct counts {
	unsigned n_wrong, n_passed, n_refused[HG_N_DROPS];
};

static void compare(guard_fn pass, unsigned rounds, struct counts *ret)
{
	*ret = (struct counts){0};
	seed = hg_test_seed;
	for (unsigned i = 0; i < rounds; i++) {
		struct hg_address addresses[3];
		struct hg_switch_port port;
		struct hg_pkt *pkt;
		enum hg_drop reason = HG_N_DROPS;
		bool is_passed;

		random_port(&port, addresses);
		random_frame();
		hg_pool_arena_init(&arena, memory, 4);
		pkt = frame_pkt(&frame, &arena.pool);
		HG_CHECK(pkt != NULL);
		if (!hg_guard_is_on(&port) || !hg_parse(pkt, &reason))
			continue;
		is_passed = pass(&port, pkt, &reason);
		HG_CHECK(is_passed == (reason == HG_N_DROPS));
		ret->n_wrong += is_passed != may_say(&port, frame.bytes);
		ret->n_passed += is_passed;
		if (!is_passed)
			ret->n_refused[reason]++;
	}
}

static void s5_1_no_spoofed_frame_passes(void)
{
	static const enum hg_drop reasons[] = {
		HG_DROP_SPOOFED_MAC, HG_DROP_SPOOFED_ARP,  HG_DROP_SPOOFED_IP4, HG_DROP_SPOOFED_IP6,
		HG_DROP_SPOOFED_ND,  HG_DROP_ROGUE_ROUTER, HG_DROP_ROGUE_DHCP};
	unsigned rounds = hg_test_rounds > 0 ? hg_test_rounds : ROUNDS;
	struct counts counts;

	compare(hg_guard_pass, rounds, &counts);
	HG_CHECK_EQ(counts.n_wrong, 0);
	/* The frames are such that each sentence of the model was needed. */
	if (rounds < ROUNDS)
		return;
	HG_CHECK(counts.n_passed > rounds / 20);
	for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		HG_CHECK(counts.n_refused[reasons[i]] > rounds / 200);
}

/* ---- twins that are broken on purpose ----------------------------------------------------------- */

static bool blind_for_arp(const struct hg_switch_port *port, const struct hg_pkt *pkt,
			  enum hg_drop *ret_reason)
{
	return pkt->l3 == HG_L3_ARP || hg_guard_pass(port, pkt, ret_reason);
}

static bool blind_for_fragments(const struct hg_switch_port *port, const struct hg_pkt *pkt,
				enum hg_drop *ret_reason)
{
	return pkt->is_fragment || hg_guard_pass(port, pkt, ret_reason);
}

static bool blind_behind_extensions(const struct hg_switch_port *port, const struct hg_pkt *pkt,
				    enum hg_drop *ret_reason)
{
	struct hg_pkt seen = *pkt;

	if (pkt->l3 == HG_L3_IP6 && pkt->l4_offset > pkt->l3_offset + HG_IP6_BYTES)
		seen.ip_proto = 0;
	return hg_guard_pass(port, &seen, ret_reason);
}

static bool without_link_local(const struct hg_switch_port *port, const struct hg_pkt *pkt,
			       enum hg_drop *ret_reason)
{
	if (pkt->l3 == HG_L3_IP6 && port->n_addresses > 0 &&
	    pkt->data[pkt->l3_offset + HG_IP6_SOURCE_OFFSET] == 0xfe) {
		*ret_reason = HG_DROP_SPOOFED_IP6;
		return false;
	}
	return hg_guard_pass(port, pkt, ret_reason);
}

static void s5_1_a_guard_that_errs_is_found_out(void)
{
	static const guard_fn twins[] = {blind_for_arp, blind_for_fragments,
					 blind_behind_extensions, without_link_local};

	for (unsigned i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		struct counts counts;

		compare(twins[i], 20000, &counts);
		HG_CHECK(counts.n_wrong > 10);
	}
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_no_spoofed_frame_passes),
		HG_TEST(s5_1_a_guard_that_errs_is_found_out),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
