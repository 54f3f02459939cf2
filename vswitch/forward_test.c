#include "vswitch/forward.h"

#include "vswitch/parse.h"
#include "vswitch/pool.h"

#include "tests/frames.h"
#include "tests/harness.h"

/* ---- a small host ------------------------------------------------------------------------------- */

#define N_PORTS 10u
#define N_UPLINKS 2u
#define NOBODY 0x99u
#define BROADCAST 0xffu
#define UNTAGGED 0xffffu

/* Every frame here comes from 10.0.0.1: who may send as whom is for guard_test.c. */
#define SOURCE                                   \
	{                                        \
		.bytes = {10, 0, 0, 1}, .len = 4 \
	}

static const struct hg_address addresses_of_2[] = {{.bytes = {10, 0, 0, 2}, .len = 4}, SOURCE};
static const struct hg_address addresses_of_6[] = {
	{.bytes = {10, 0, 0, 6}, .len = 4}, {.bytes = {0xfd, [15] = 6}, .len = 16}, SOURCE};
static const struct hg_address addresses_of_8[] = {{.bytes = {10, 0, 0, 2}, .len = 4}, SOURCE};
static const struct hg_address address_twice[] = {{.bytes = {10, 0, 0, 77}, .len = 4}, SOURCE};

/* The MAC of port i ends in i. Ports 5 and 7 have none configured. */
static const struct hg_switch_port host_ports[N_PORTS] = {
	{.is_uplink = true, .tenant_idx = HG_VIEW_NONE, .uplink_idx = 0},
	{.is_uplink = true, .tenant_idx = HG_VIEW_NONE, .uplink_idx = 1},
	{.mac = {2, 0, 0, 0, 0, 2}, .has_mac = true, .addresses = addresses_of_2, .n_addresses = 2},
	{.mac = {2, 0, 0, 0, 0, 3}, .has_mac = true, .addresses = address_twice, .n_addresses = 2},
	{.mac = {2, 0, 0, 0, 0, 4}, .has_mac = true, .vlan = 100},
	{.addresses = address_twice, .n_addresses = 2},
	{.mac = {2, 0, 0, 0, 0, 6},
	 .has_mac = true,
	 .tenant_idx = 1,
	 .addresses = addresses_of_6,
	 .n_addresses = 3},
	{.tenant_idx = 1},
	{.mac = {2, 0, 0, 0, 0, 8},
	 .has_mac = true,
	 .tenant_idx = 1,
	 .vlan = 100,
	 .addresses = addresses_of_8,
	 .n_addresses = 2},
	{.mac = {2, 0, 0, 0, 0, 9}, .has_mac = true, .tenant_idx = 2, .uplink_idx = 1},
};

struct world {
	struct hg_switch_port ports[64];
	uint32_t n_ports;
	struct hg_switch_view view;
	struct hg_fdb fdb;
	_Alignas(8) uint8_t view_memory[16384];
	_Alignas(8) uint8_t fdb_memory[16384];
};

static struct world world;
static struct frame frame;
static struct hg_arena_pool arena;
static uint8_t pool_memory[4 * 4096];

static void build(struct world *w, uint32_t n_uplinks)
{
	struct hg_fdb_cfg cfg = {.max_entries = 128,
				 .max_ports = 64,
				 .max_learned = 4,
				 .age_ns = HG_FDB_AGE_NS,
				 .seed = 5};
	struct hg_error error;

	HG_CHECK(hg_view_bytes(w->ports, w->n_ports, n_uplinks) <= sizeof(w->view_memory));
	HG_CHECK(hg_fdb_bytes(&cfg) <= sizeof(w->fdb_memory));
	hg_view_build(&w->view, w->ports, w->n_ports, n_uplinks, w->view_memory);
	hg_fdb_init(&w->fdb, &cfg, w->fdb_memory);
	for (uint32_t i = 0; i < w->n_ports; i++) {
		hg_error_clear(&error);
		/* Two ports with one MAC: the first has it. */
		(void)!hg_forward_configure(&w->view, &w->fdb, i, &error);
	}
}

static void start(void)
{
	world.n_ports = N_PORTS;
	memcpy(world.ports, host_ports, sizeof(host_ports));
	for (uint32_t i = 0; i < N_PORTS; i++) {
		world.ports[i].is_up = true;
		world.ports[i].mtu = 1500;
	}
	build(&world, N_UPLINKS);
}

static void head(uint32_t dst, uint32_t src, uint32_t tci)
{
	uint8_t to[6], from[6];

	frame_mac(to, (uint8_t)dst);
	frame_mac(from, (uint8_t)src);
	if (dst == BROADCAST)
		memset(to, 0xff, 6);
	frame_eth(&frame, to, from);
	if (tci != UNTAGGED)
		frame_tag(&frame, HG_ETHERTYPE_VLAN, tci);
}

static struct hg_pkt *finished(void)
{
	struct hg_pkt *pkt;
	enum hg_drop reason;

	frame_finish(&frame);
	hg_pool_arena_init(&arena, pool_memory, 4);
	pkt = frame_pkt(&frame, &arena.pool);
	HG_CHECK(pkt != NULL);
	HG_CHECK(hg_parse(pkt, &reason));
	return pkt;
}

static struct hg_pkt *udp(uint32_t dst, uint32_t src, uint32_t tci, uint32_t n_payload)
{
	head(dst, src, tci);
	frame_ip4(&frame, HG_IP_UDP, 0);
	frame_udp(&frame);
	frame_payload(&frame, n_payload, 0);
	return finished();
}

/* Bit i: port i. A drop is its reason with DROPPED. */
#define DROPPED (UINT64_C(1) << 63)

/* Whatever is asked for ahead changes nothing. */
static void look_ahead(const struct hg_pkt *pkt, uint32_t in_port_idx, hg_ns now_ns)
{
	static uint8_t before[sizeof(world.fdb_memory)], fdb_before[sizeof(world.fdb)];
	struct hg_pkt *const pkts[] = {(struct hg_pkt *)(uintptr_t)pkt};

	memcpy(before, world.fdb_memory, sizeof(before));
	memcpy(fdb_before, &world.fdb, sizeof(fdb_before));
	hg_forward_expect(&world.view, &world.fdb, pkts, 1, in_port_idx, now_ns);
	HG_CHECK(memcmp(before, world.fdb_memory, sizeof(before)) == 0);
	HG_CHECK(memcmp(fdb_before, &world.fdb, sizeof(fdb_before)) == 0);
}

static uint64_t send(const struct hg_pkt *pkt, uint32_t in_port_idx, hg_ns now_ns)
{
	struct hg_forward f;
	struct hg_hop hop = {0};
	enum hg_drop reason;
	uint64_t to = 0;

	if (world.ports[in_port_idx].is_uplink)
		look_ahead(pkt, in_port_idx, now_ns);
	if (!hg_forward(&world.view, &world.fdb, pkt, in_port_idx, now_ns, &f, &reason))
		return DROPPED | reason;
	while (hg_forward_next(&f, &hop)) {
		HG_CHECK((to & UINT64_C(1) << hop.port_idx) == 0);
		to |= UINT64_C(1) << hop.port_idx;
	}
	HG_CHECK(hop.is_last);
	return to;
}

static void expect(unsigned row, uint64_t got, uint64_t want)
{
	if (got != want)
		HG_TEST_FAIL("row %u: %" PRIx64 ", want %" PRIx64, row, got, want);
}

#define P(i) (UINT64_C(1) << (i))
#define D(reason) (DROPPED | HG_DROP_##reason)

static const struct {
	uint32_t in, dst, src, tci;
	uint64_t to;
} rows[] = {
	/* from an instance */
	{2, 3, 2, UNTAGGED, P(3)}, /* own tenant */
	{2, 2, 2, UNTAGGED, D(HAIRPIN)},
	{2, 4, 2, UNTAGGED, P(0)}, /* own tenant, another VLAN: not here */
	{2, 6, 2, UNTAGGED, P(0)}, /* another tenant: as if it were elsewhere */
	{2, 9, 2, UNTAGGED, P(0)}, /* another uplink */
	{2, NOBODY, 2, UNTAGGED, P(0)},
	{9, NOBODY, 9, UNTAGGED, P(1)},
	{2, BROADCAST, 2, UNTAGGED, P(0) | P(3) | P(5)},
	{4, BROADCAST, 4, UNTAGGED, P(0)},
	{9, BROADCAST, 9, UNTAGGED, P(1)},
	{2, 3, 3, UNTAGGED, D(SPOOFED_MAC)},
	{2, 3, 2, 100, D(VLAN)}, /* chooses a VLAN */
	{2, 3, 2, 5u << 13, P(3)}, /* a priority tag */
	/* from an uplink */
	{0, 2, NOBODY, UNTAGGED, P(2)},
	{0, 6, NOBODY, UNTAGGED, P(6)},
	{0, 9, NOBODY, UNTAGGED, P(5) | P(7)}, /* not behind this uplink: unknown */
	{0, 2, NOBODY, 100, D(NO_ROUTE)}, /* not in this VLAN; all there have a MAC */
	{0, 4, NOBODY, 100, P(4)},
	{0, NOBODY, 0x98, UNTAGGED, P(5) | P(7)}, /* those who have not spoken */
	{0, NOBODY, 0x98, 7, D(NO_ROUTE)},
	{0, BROADCAST, NOBODY, UNTAGGED, P(2) | P(3) | P(5) | P(6) | P(7)},
	{0, BROADCAST, NOBODY, 0, P(2) | P(3) | P(5) | P(6) | P(7)},
	{0, BROADCAST, NOBODY, 100, P(4) | P(8)},
	{0, BROADCAST, NOBODY, 7, D(NO_ROUTE)},
	{1, BROADCAST, NOBODY, UNTAGGED, P(9)},
	{1, 2, NOBODY, UNTAGGED, D(NO_ROUTE)},
};

static void s5_1_destinations(void)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start();
		expect(i, send(udp(rows[i].dst, rows[i].src, rows[i].tci, 10), rows[i].in, 0),
		       rows[i].to);
	}
}

/* ---- sources and learning ----------------------------------------------------------------------- */

static void s5_1_learned_addresses(void)
{
	start();
	expect(1, send(udp(0x50, 2, UNTAGGED, 1), 2, 0), P(0));
	expect(2, send(udp(NOBODY, 0x50, UNTAGGED, 1), 5, 0), P(0)); /* port 5 speaks */
	expect(3, send(udp(0x50, 2, UNTAGGED, 1), 2, 0), P(5));
	expect(4, send(udp(0x50, NOBODY, UNTAGGED, 1), 0, 0), P(5));
	expect(5, send(udp(0x51, NOBODY, UNTAGGED, 1), 0, 0), P(7)); /* 5 is known now */
	expect(6, send(udp(0x50, 6, UNTAGGED, 1), 6, 0), P(0)); /* another tenant's */
	expect(7, send(udp(0x50, 2, UNTAGGED, 1), 2, HG_FDB_AGE_NS), P(0)); /* aged */
}

/* Another tenant sends with our address: neither our local nor our outer traffic turns. */
static void s5_1_no_tenant_takes_anothers_address(void)
{
	start();
	send(udp(NOBODY, 0x50, UNTAGGED, 1), 5, 0);
	send(udp(NOBODY, 0x50, UNTAGGED, 1), 7, 1);
	expect(1, send(udp(0x50, 2, UNTAGGED, 1), 2, 1), P(5));
	expect(2, send(udp(0x50, NOBODY, UNTAGGED, 1), 0, 1), P(5));
	send(udp(NOBODY, 6, UNTAGGED, 1), 5, 2); /* one that is configured */
	expect(3, send(udp(6, NOBODY, UNTAGGED, 1), 0, 2), P(6));
	send(udp(NOBODY, 3, UNTAGGED, 1), 5, 2); /* or its own tenant's */
	expect(4, send(udp(3, 2, UNTAGGED, 1), 2, 2), P(3));
}

static void s5_1_learning_is_bounded(void)
{
	start();
	for (uint32_t i = 0; i < 200; i++)
		send(udp(2, 16 + i % 128, UNTAGGED, 1), 5, (hg_ns)i);
	HG_CHECK_EQ(hg_fdb_learned_of(&world.fdb, 5), 4);
	/* Each is found from inside and from outside. */
	for (uint32_t i = 0; i < 5; i++) {
		uint64_t to = i < 4 ? P(5) : P(0);

		expect(i, send(udp(16 + i, 2, UNTAGGED, 1), 2, 200), to);
		expect(i, send(udp(16 + i, NOBODY, UNTAGGED, 1), 0, 200), i < 4 ? P(5) : P(7));
	}
}

static void s5_1_bad_sources(void)
{
	static const uint8_t group[6] = {3, 0, 0, 0, 0, 1}, zero[6] = {0};
	struct hg_pkt *pkt;

	start();
	pkt = udp(2, 1, UNTAGGED, 1);
	memcpy(pkt->data + 6, group, 6);
	expect(1, send(pkt, 5, 0), D(BAD_HEADER));
	memcpy(pkt->data + 6, zero, 6);
	expect(2, send(pkt, 5, 0), D(BAD_HEADER));
	expect(3, send(pkt, 0, 0), D(BAD_HEADER));
}

static void s5_1_reserved_addresses_stay(void)
{
	for (uint8_t last = 0; last < 32; last++) {
		const uint8_t dst[6] = {0x01, 0x80, 0xc2, 0, 0, last};
		struct hg_pkt *pkt;

		start();
		pkt = udp(BROADCAST, 2, UNTAGGED, 1);
		memcpy(pkt->data, dst, 6);
		expect(last, send(pkt, 2, 0), last < 16 ? D(RESERVED) : P(0) | P(3) | P(5));
	}
}

static void mtu_is_what_is_behind_the_tags(void)
{
	struct hg_pkt *pkt;

	start();
	expect(1, send(udp(3, 2, UNTAGGED, 1472), 2, 0), P(3));
	expect(2, send(udp(3, 2, UNTAGGED, 1473), 2, 0), D(TOO_BIG));
	expect(3, send(udp(4, NOBODY, 100, 1472), 0, 0), P(4));
	expect(4, send(udp(4, NOBODY, 100, 1473), 0, 0), D(TOO_BIG));
	pkt = udp(3, 2, UNTAGGED, 4000);
	pkt->gso = HG_GSO_UDP;
	pkt->gso_bytes = 1472;
	expect(5, send(pkt, 2, 0), P(3));
	pkt->gso_bytes = 1473;
	expect(6, send(pkt, 2, 0), D(TOO_BIG));
}

static void ports_that_are_down(void)
{
	start();
	world.ports[3].is_up = false;
	expect(1, send(udp(3, 2, UNTAGGED, 1), 2, 0), D(PORT_DOWN));
	expect(2, send(udp(BROADCAST, 2, UNTAGGED, 1), 2, 0), P(0) | P(5));
	world.ports[0].is_up = false;
	expect(3, send(udp(BROADCAST, 2, UNTAGGED, 1), 2, 0), P(5));
	expect(4, send(udp(NOBODY, 2, UNTAGGED, 1), 2, 0), D(PORT_DOWN));
	expect(5, send(udp(BROADCAST, 4, UNTAGGED, 1), 4, 0), D(NO_ROUTE));
}

/* ---- questions for one ---------------------------------------------------------------------------- */

static void s5_1_arp_goes_to_who_is_asked(void)
{
	static const struct {
		uint32_t in, src, tci, op, target;
		uint64_t to;
	} asks[] = {
		{0, NOBODY, UNTAGGED, 1, 0x0a000002, P(2)},
		{0, NOBODY, UNTAGGED, 1, 0x0a000006, P(6)},
		{0, NOBODY, 100, 1, 0x0a000002, P(8)}, /* the same address in another VLAN */
		{0, NOBODY, 100, 1, 0x0a000006, P(4) | P(8)},
		{0, NOBODY, UNTAGGED, 2, 0x0a000002, P(2) | P(3) | P(5) | P(6) | P(7)}, /* answer */
		{0, NOBODY, UNTAGGED, 1, 0x0a00004d, P(2) | P(3) | P(5) | P(6) | P(7)}, /* twice */
		{2, 2, UNTAGGED, 1, 0x0a000006, P(0) | P(3) | P(5)}, /* from an instance: to all */
	};

	for (unsigned i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		start();
		head(BROADCAST, asks[i].src, asks[i].tci);
		frame_arp(&frame, asks[i].op, asks[i].target);
		hg_bytes_put32(frame.bytes + frame.l3 + HG_ARP_SENDER_OFFSET + HG_MAC_BYTES,
			       0x0a000001);
		expect(i, send(finished(), asks[i].in, 0), asks[i].to);
	}
}

static void s5_1_solicitation_goes_to_who_is_asked(void)
{
	static const uint8_t group[6] = {0x33, 0x33, 0xff, 0, 0, 6};
	uint8_t target[16] = {0xfd, [15] = 6};

	for (unsigned i = 0; i < 2; i++) {
		start();
		head(BROADCAST, NOBODY, UNTAGGED);
		memcpy(frame.bytes, group, 6);
		frame_ip6(&frame, HG_IP_ICMP6);
		frame_nd(&frame, HG_ND_SOLICIT, target);
		expect(i, send(finished(), 0, 0), i == 0 ? P(6) : P(2) | P(3) | P(5) | P(6) | P(7));
		target[14] = 1;
	}
}

/* ---- tags ----------------------------------------------------------------------------------------- */

static void s5_1_tags_of_each_hop(void)
{
	static const struct {
		uint32_t in, dst, src, tci;
		uint8_t tag;
		uint16_t vlan;
	} hops[] = {
		{2, 3, 2, UNTAGGED, HG_TAG_KEEP, 0},
		{2, 3, 2, 5u << 13, HG_TAG_POP, 0},
		{2, NOBODY, 2, UNTAGGED, HG_TAG_KEEP, 0},
		{4, NOBODY, 4, UNTAGGED, HG_TAG_PUSH, 100},
		{4, NOBODY, 4, 5u << 13, HG_TAG_SET, 100},
		{2, NOBODY, 2, 5u << 13, HG_TAG_POP, 0},
		{0, 2, NOBODY, UNTAGGED, HG_TAG_KEEP, 0},
		{0, 4, NOBODY, 100, HG_TAG_POP, 0},
	};

	for (unsigned i = 0; i < sizeof(hops) / sizeof(hops[0]); i++) {
		struct hg_forward f;
		struct hg_hop hop;
		enum hg_drop reason;
		struct hg_pkt *pkt;

		start();
		pkt = udp(hops[i].dst, hops[i].src, hops[i].tci, 1);
		HG_CHECK(hg_forward(&world.view, &world.fdb, pkt, hops[i].in, 0, &f, &reason));
		HG_CHECK(hg_forward_next(&f, &hop));
		HG_CHECK(hop.is_last);
		HG_CHECK_EQ(hop.tag, hops[i].tag);
		HG_CHECK_EQ(hop.vlan, hops[i].vlan);
	}
}

static void s5_1_no_guest_chooses_its_vlan(void)
{
	static const uint32_t tags[][2] = {
		{HG_ETHERTYPE_VLAN, 100}, {HG_ETHERTYPE_SVLAN, 0}, {HG_ETHERTYPE_SVLAN, 100}};

	for (unsigned i = 0; i < 3; i++) {
		start();
		head(NOBODY, 2, UNTAGGED);
		frame_tag(&frame, tags[i][0], tags[i][1]);
		frame_put16(&frame, 0x88b5);
		frame_payload(&frame, 46, 0);
		expect(i, send(finished(), 2, 0), D(VLAN));
	}
	/* A second tag behind a priority tag would come out when the first is taken off. */
	start();
	head(NOBODY, 2, 0);
	frame_tag(&frame, HG_ETHERTYPE_VLAN, 100);
	frame_put16(&frame, 0x88b5);
	frame_payload(&frame, 46, 0);
	expect(3, send(finished(), 2, 0), D(VLAN));
}

static void configured_twice_is_refused(void)
{
	struct hg_error error;

	start();
	memcpy(world.ports[5].mac, world.ports[6].mac, 6);
	world.ports[5].has_mac = true;
	hg_error_clear(&error);
	/* Another tenant of the same uplink has it: refused, and the tenant's own scope is clean. */
	HG_CHECK_EQ(hg_forward_configure(&world.view, &world.fdb, 5, &error), -HG_EEXIST);
	HG_CHECK_EQ(hg_fdb_lookup(&world.fdb, hg_fdb_key(0, 0, world.ports[5].mac), 0),
		    HG_FDB_NONE);
}

/* ---- trunks ---------------------------------------------------------------------------------------- */

static const struct hg_vlan_range vlans_of_2[] = {{100, 100}, {200, 299}};
static const struct hg_vlan_range vlans_of_5[] = {{100, 100}};
static const struct hg_vlan_range vlans_of_6[] = {{100, 100}, {200, 200}};

/* Port 5, which is in VLAN 300 and a trunk, has no MAC; port 6 is another tenant's. */
static const struct hg_switch_port trunk_ports[] = {
	{.is_uplink = true, .tenant_idx = HG_VIEW_NONE, .uplink_idx = 0},
	{.is_uplink = true, .tenant_idx = HG_VIEW_NONE, .uplink_idx = 1},
	{.mac = {2, 0, 0, 0, 0, 2}, .has_mac = true, .vlans = vlans_of_2, .n_vlans = 2},
	{.mac = {2, 0, 0, 0, 0, 3}, .has_mac = true, .vlan = 100},
	{.mac = {2, 0, 0, 0, 0, 4}, .has_mac = true},
	{.vlan = 300, .vlans = vlans_of_5, .n_vlans = 1},
	{.mac = {2, 0, 0, 0, 0, 6},
	 .has_mac = true,
	 .tenant_idx = 1,
	 .vlans = vlans_of_6,
	 .n_vlans = 2},
};

static void start_trunks(void)
{
	world.n_ports = sizeof(trunk_ports) / sizeof(trunk_ports[0]);
	memcpy(world.ports, trunk_ports, sizeof(trunk_ports));
	for (uint32_t i = 0; i < world.n_ports; i++) {
		world.ports[i].is_up = true;
		world.ports[i].mtu = 1500;
	}
	build(&world, N_UPLINKS);
}

/* tag and vlan: of the hop to the only destination. */
static const struct {
	uint32_t in, dst, src, tci;
	uint64_t to;
	uint8_t tag;
	uint16_t vlan;
} trunk_rows[] = {
	/* a trunk's tagged frames */
	{2, 3, 2, 100, P(3), HG_TAG_POP, 0},
	{2, NOBODY, 2, 100, P(0), HG_TAG_SET, 100},
	{2, 4, 2, 100, P(0), HG_TAG_SET, 100}, /* in another VLAN: not here */
	{2, 6, 2, 100, P(0), HG_TAG_SET, 100}, /* another tenant's */
	{2, 2, 2, 100, D(HAIRPIN), 0, 0},
	{2, BROADCAST, 2, 100, P(0) | P(3) | P(5), 0, 0},
	{2, BROADCAST, 2, 250, P(0), HG_TAG_SET, 250},
	{2, BROADCAST, 2, 200, P(0), HG_TAG_SET, 200}, /* 6 is in it, for its own tenant */
	/* and those that are none of its */
	{2, BROADCAST, 2, 300, D(VLAN), 0, 0},
	{2, BROADCAST, 2, 199, D(VLAN), 0, 0},
	{2, BROADCAST, 2, 4095, D(VLAN), 0, 0},
	{5, BROADCAST, 0x50, 300, D(VLAN), 0, 0}, /* its untagged one, with a tag */
	{5, BROADCAST, 0x50, 200, D(VLAN), 0, 0},
	/* untagged */
	{2, 4, 2, UNTAGGED, P(4), HG_TAG_KEEP, 0},
	{2, 4, 2, 5u << 13, P(4), HG_TAG_POP, 0},
	{2, 3, 2, UNTAGGED, P(0), HG_TAG_KEEP, 0},
	{2, BROADCAST, 2, UNTAGGED, P(0) | P(4), 0, 0},
	{5, BROADCAST, 0x50, UNTAGGED, P(0), HG_TAG_PUSH, 300},
	/* towards a trunk */
	{3, 2, 3, UNTAGGED, P(2), HG_TAG_PUSH, 100},
	{3, 2, 3, 5u << 13, P(2), HG_TAG_SET, 100},
	{4, 2, 4, UNTAGGED, P(2), HG_TAG_KEEP, 0},
	{3, BROADCAST, 3, UNTAGGED, P(0) | P(2) | P(5), 0, 0},
	/* from an uplink */
	{0, 2, NOBODY, 100, P(2), HG_TAG_SET, 100},
	{0, 2, NOBODY, 299, P(2), HG_TAG_SET, 299},
	{0, 2, NOBODY, UNTAGGED, P(2), HG_TAG_KEEP, 0},
	{0, 6, NOBODY, 200, P(6), HG_TAG_SET, 200},
	{0, 2, NOBODY, 300, P(5), HG_TAG_POP, 0}, /* not in it: unknown there */
	{0, NOBODY, 0x98, 100, P(5), HG_TAG_SET, 100},
	{0, NOBODY, 0x98, 200, D(NO_ROUTE), 0, 0},
	{0, BROADCAST, NOBODY, 100, P(2) | P(3) | P(5) | P(6), 0, 0},
	{0, BROADCAST, NOBODY, 200, P(2) | P(6), 0, 0},
	{0, BROADCAST, NOBODY, UNTAGGED, P(2) | P(4) | P(6), 0, 0},
	{0, BROADCAST, NOBODY, 4095, D(VLAN), 0, 0},
	{1, BROADCAST, NOBODY, 100, D(NO_ROUTE), 0, 0},
};

static void s5_1_trunks_carry_their_vlans_tagged(void)
{
	for (unsigned i = 0; i < sizeof(trunk_rows) / sizeof(trunk_rows[0]); i++) {
		struct hg_pkt *pkt;
		struct hg_forward f;
		struct hg_hop hop;
		enum hg_drop reason;

		start_trunks();
		pkt = udp(trunk_rows[i].dst, trunk_rows[i].src, trunk_rows[i].tci, 10);
		expect(i, send(pkt, trunk_rows[i].in, 0), trunk_rows[i].to);
		if (!hg_forward(&world.view, &world.fdb, pkt, trunk_rows[i].in, 0, &f, &reason))
			continue;
		HG_CHECK(hg_forward_next(&f, &hop));
		if (!hop.is_last)
			continue;
		expect(i, hop.tag, trunk_rows[i].tag);
		expect(i, hop.vlan, trunk_rows[i].vlan);
	}
}

static void s5_1_trunk_tags_once(void)
{
	start_trunks();
	head(NOBODY, 2, 100);
	frame_tag(&frame, HG_ETHERTYPE_VLAN, 200);
	frame_put16(&frame, 0x88b5);
	frame_payload(&frame, 46, 0);
	expect(1, send(finished(), 2, 0), D(VLAN));
	head(NOBODY, 2, UNTAGGED);
	frame_tag(&frame, HG_ETHERTYPE_SVLAN, 100);
	frame_put16(&frame, 0x88b5);
	frame_payload(&frame, 46, 0);
	expect(2, send(finished(), 2, 0), D(VLAN));
}

static void s5_1_trunk_learns_in_each_vlan(void)
{
	start_trunks();
	expect(1, send(udp(NOBODY, 0x50, 100, 1), 5, 0), P(0));
	expect(2, send(udp(0x50, 3, UNTAGGED, 1), 3, 0), P(5));
	expect(3, send(udp(0x50, NOBODY, 100, 1), 0, 0), P(5));
	expect(4, send(udp(0x50, NOBODY, 300, 1), 0, 0), D(NO_ROUTE));
	/* An address that is configured on a trunk is nobody else's, in any of its VLANs. */
	send(udp(NOBODY, 2, 100, 1), 5, 0);
	expect(5, send(udp(2, 3, UNTAGGED, 1), 3, 0), P(2));
	expect(6, send(udp(2, NOBODY, 100, 1), 0, 0), P(2));
	/* It left the VLAN; what was learned of it there is no answer. */
	world.ports[5].n_vlans = 0;
	expect(7, send(udp(0x50, 3, UNTAGGED, 1), 3, 0), P(0));
}

static void trunk_configured_twice_is_refused(void)
{
	struct hg_error error = {0};
	uint32_t scope = hg_forward_trunk_scope(hg_forward_tenant_scope(0));

	start_trunks();
	HG_CHECK_EQ(hg_fdb_lookup(&world.fdb, hg_fdb_key(scope, 0, world.ports[2].mac), 0), 2);
	hg_forward_unconfigure(&world.fdb, &world.ports[2]);
	HG_CHECK_EQ(hg_fdb_lookup(&world.fdb, hg_fdb_key(scope, 0, world.ports[2].mac), 0),
		    HG_FDB_NONE);
	memcpy(world.ports[2].mac, world.ports[6].mac, 6);
	HG_CHECK_EQ(hg_forward_configure(&world.view, &world.fdb, 2, &error), -HG_EEXIST);
	HG_CHECK_EQ(hg_fdb_lookup(&world.fdb, hg_fdb_key(scope, 0, world.ports[2].mac), 0),
		    HG_FDB_NONE);
}

/* ---- isolation on random hosts -------------------------------------------------------------------- */

#define N_VLANS 5u /* 0 to 4; 0: untagged */

static struct hg_vlan_range random_vlans[64][2];

/* One or two ranges that leave out the port's own. */
static void random_trunk(uint64_t *seed, struct hg_switch_port *port, struct hg_vlan_range *vlans)
{
	port->vlans = vlans;
	for (uint16_t vlan = 1; vlan < N_VLANS && port->n_vlans < 2; vlan++) {
		if (vlan == port->vlan || hg_test_between(seed, 0, 1) == 0)
			continue;
		vlans[port->n_vlans++] = (struct hg_vlan_range){vlan, vlan};
		if (vlan + 1u < N_VLANS && vlan + 1u != port->vlan && hg_test_between(seed, 0, 1))
			vlans[port->n_vlans - 1u].last = ++vlan;
	}
}

static void random_host(uint64_t *seed, struct hg_switch_port *ports, uint32_t *ret_n)
{
	uint32_t n = (uint32_t)hg_test_between(seed, 4, 40);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t tenant_idx = (uint32_t)hg_test_between(seed, 0, 4);

		ports[i] = (struct hg_switch_port){
			.is_up = hg_test_between(seed, 0, 9) > 0,
			.is_gone = i > 1 && hg_test_between(seed, 0, 9) == 0,
			.mtu = 1500,
			.is_uplink = i < 2,
			.tenant_idx = i < 2 ? HG_VIEW_NONE : tenant_idx,
			.uplink_idx = i < 2 ? i : tenant_idx % 2,
			.vlan = i < 2 ? 0 : (uint16_t)hg_test_between(seed, 0, 2),
			.has_mac = i >= 2 && hg_test_between(seed, 0, 2) > 0,
		};
		frame_mac(ports[i].mac, (uint8_t)i);
		if (i >= 2 && hg_test_between(seed, 0, 2) == 0)
			random_trunk(seed, &ports[i], random_vlans[i]);
	}
	*ret_n = n;
}

/* Is the port in that VLAN, with a tag or without? */
static bool is_in(const struct hg_switch_port *port, uint32_t vlan)
{
	for (uint32_t i = 0; i < port->n_vlans; i++) {
		if (vlan >= port->vlans[i].first && vlan <= port->vlans[i].last)
			return true;
	}
	return vlan == port->vlan;
}

/* May the frame that came in in this VLAN go from one port to the other? In the words of the spec. */
static bool may_reach(const struct hg_switch_port *from, const struct hg_switch_port *to,
		      uint32_t vlan)
{
	if (from == to || to->is_gone || !to->is_up || (from->is_uplink && to->is_uplink))
		return false;
	if (from->is_uplink)
		return to->uplink_idx == from->uplink_idx && is_in(to, vlan);
	if (to->is_uplink)
		return to->uplink_idx == from->uplink_idx;
	return to->tenant_idx == from->tenant_idx && is_in(to, vlan);
}

/* One random frame through the world's view, judged by the true ports. False: it went astray. */
static bool is_kept_apart(const struct hg_switch_port *truth, uint64_t *seed)
{
	uint32_t in = (uint32_t)hg_test_between(seed, 0, world.n_ports - 1);
	bool is_broadcast = hg_test_between(seed, 0, 2) == 0;
	uint32_t dst = is_broadcast ? BROADCAST : (uint32_t)hg_test_between(seed, 0, 45);
	uint32_t src = truth[in].has_mac ? in : (uint32_t)hg_test_between(seed, 0, 45);
	uint32_t tci = hg_test_between(seed, 0, 1) ? (uint32_t)hg_test_between(seed, 0, N_VLANS)
						   : UNTAGGED;
	bool is_untagged = tci == UNTAGGED || tci == 0;
	uint32_t vlan = is_untagged ? truth[in].vlan : tci;
	uint64_t may = 0, to;

	if (truth[in].is_gone)
		return true;
	to = send(udp(dst, src, tci, 1), in, 0);
	if (!truth[in].is_uplink && !is_untagged &&
	    (vlan == truth[in].vlan || !is_in(&truth[in], vlan)))
		return to == D(VLAN);
	for (uint32_t i = 0; i < world.n_ports; i++)
		may |= may_reach(&truth[in], &truth[i], vlan) ? P(i) : 0;
	if ((to & DROPPED) != 0)
		return !is_broadcast || may == 0; /* a broadcast reaches everyone it may */
	return is_broadcast ? to == may : (to & ~may) == 0;
}

enum twin { TWIN_NONE, TWIN_TENANTS, TWIN_VLANS, TWIN_UPLINKS, TWIN_TRUNKS, N_TWINS };

/* Random hosts and frames; the twin's view takes all for one tenant, VLAN or uplink, or gives trunks every VLAN. Returns how many of
 * the frames went astray. */
static unsigned count_astray(enum twin twin, unsigned rounds)
{
	static const struct hg_vlan_range every_vlan[] = {{3, HG_VLAN_MAX}}; /* but ports' own */
	uint64_t seed = hg_test_seed;
	unsigned n = 0;

	for (unsigned round = 0; round < rounds; round++) {
		struct hg_switch_port truth[64];

		random_host(&seed, truth, &world.n_ports);
		memcpy(world.ports, truth, sizeof(truth));
		for (uint32_t i = 2; i < world.n_ports; i++) {
			if (twin == TWIN_TENANTS)
				world.ports[i].tenant_idx = 0;
			if (twin == TWIN_VLANS)
				world.ports[i].vlan = 0;
			if (twin == TWIN_UPLINKS)
				world.ports[i].uplink_idx = 0;
			if (twin == TWIN_TRUNKS && world.ports[i].n_vlans > 0) {
				world.ports[i].vlans = every_vlan;
				world.ports[i].n_vlans = 1;
			}
		}
		build(&world, 2);
		for (unsigned i = 0; i < 50; i++)
			n += !is_kept_apart(truth, &seed);
	}
	return n;
}

static void s5_1_tenants_are_kept_apart(void)
{
	HG_CHECK_EQ(count_astray(TWIN_NONE, hg_test_rounds != 0 ? hg_test_rounds : 1000), 0);
}

static void s5_1_leaks_are_noticed(void)
{
	for (enum twin twin = TWIN_TENANTS; twin < N_TWINS; twin++)
		HG_CHECK(count_astray(twin, 20) > 10);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_destinations),
		HG_TEST(s5_1_learned_addresses),
		HG_TEST(s5_1_no_tenant_takes_anothers_address),
		HG_TEST(s5_1_learning_is_bounded),
		HG_TEST(s5_1_bad_sources),
		HG_TEST(s5_1_reserved_addresses_stay),
		HG_TEST(mtu_is_what_is_behind_the_tags),
		HG_TEST(ports_that_are_down),
		HG_TEST(s5_1_arp_goes_to_who_is_asked),
		HG_TEST(s5_1_solicitation_goes_to_who_is_asked),
		HG_TEST(s5_1_tags_of_each_hop),
		HG_TEST(s5_1_no_guest_chooses_its_vlan),
		HG_TEST(configured_twice_is_refused),
		HG_TEST(s5_1_trunks_carry_their_vlans_tagged),
		HG_TEST(s5_1_trunk_tags_once),
		HG_TEST(s5_1_trunk_learns_in_each_vlan),
		HG_TEST(trunk_configured_twice_is_refused),
		HG_TEST(s5_1_tenants_are_kept_apart),
		HG_TEST(s5_1_leaks_are_noticed),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
