/* Any offload between any two kinds of port, to the byte (S5.1). */
#include "tests/component/offload/table.h"

#include "tests/guest/guest.h"

static struct table table;

#define JUMBO 9000u
#define NOTHING              \
	{                    \
		.mtu = JUMBO \
	}
#define CSUM                               \
	{                                  \
		.csum = true, .mtu = JUMBO \
	}
#define TSO_NO_ECN                                                     \
	{                                                              \
		.csum = true, .tso4 = true, .tso6 = true, .mtu = JUMBO \
	}
#define TSO                                                                         \
	{                                                                           \
		.csum = true, .tso4 = true, .tso6 = true, .ecn = true, .mtu = JUMBO \
	}
#define ALL                                                                                      \
	{                                                                                        \
		.csum = true, .tso4 = true, .tso6 = true, .ecn = true, .uso = true, .mtu = JUMBO \
	}
#define SMALL(...)                       \
	{                                \
		__VA_ARGS__, .mtu = 1500 \
	}

/* What guests leave to their port; every one may. */
#define SENDS                                                                             \
	(GUEST_PLAIN | GUEST_BIT(VIRTIO_NET_F_CSUM) | GUEST_BIT(VIRTIO_NET_F_HOST_TSO4) | \
	 GUEST_BIT(VIRTIO_NET_F_HOST_TSO6) | GUEST_BIT(VIRTIO_NET_F_HOST_ECN))
#define TAKES_CSUM GUEST_BIT(VIRTIO_NET_F_GUEST_CSUM)
#define TAKES_TSO \
	(TAKES_CSUM | GUEST_BIT(VIRTIO_NET_F_GUEST_TSO4) | GUEST_BIT(VIRTIO_NET_F_GUEST_TSO6))
#define TAKES_ECN (TAKES_TSO | GUEST_BIT(VIRTIO_NET_F_GUEST_ECN))
/* virtio 1.2: segments of UDP, for receiving of either IP, and for sending. */
#define USO (GUEST_BIT(54) | GUEST_BIT(55) | GUEST_BIT(56))
#define MRG GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF)

#define CARD "simnic(rate=40Gbit,ring=4096,delay=2us)+"

static const struct end_cfg ends[] = {
	{.name = "v0", .kind = END_VHOST, .takes = NOTHING, .features = SENDS},
	{.name = "v1",
	 .kind = END_VHOST,
	 .takes = CSUM,
	 .features = SENDS | TAKES_CSUM | GUEST_PACKED},
	{.name = "v2", .kind = END_VHOST, .takes = TSO, .features = SENDS | TAKES_ECN},
	{.name = "v3",
	 .kind = END_VHOST,
	 .takes = TSO_NO_ECN,
	 .features = SENDS | TAKES_TSO | GUEST_PACKED},
	{.name = "v4", .kind = END_VHOST, .takes = TSO, .features = (SENDS | TAKES_ECN) & ~MRG},
	{.name = "v5",
	 .kind = END_VHOST,
	 .takes = ALL,
	 .features = SENDS | TAKES_ECN | USO | GUEST_PACKED},
	{.name = "t0", .kind = END_TAP, .takes = ALL},
	{.name = "t1", .kind = END_TAP, .takes = ALL},
	{.name = "p0", .kind = END_PACKET, .takes = ALL},
	{.name = "p1",
	 .kind = END_PACKET,
	 .takes = {.csum = true, .uso = true, .mtu = JUMBO},
	 .has_no_tso = true},
	{.name = "x0", .kind = END_XDP, .takes = {.mtu = 1500}},
	{.name = "x1", .kind = END_XDP, .takes = {.mtu = 1500}},
	{.name = "s0", .kind = END_SIMNIC, .takes = NOTHING, .device = CARD},
	{.name = "s1", .kind = END_SIMNIC, .takes = {.csum = true, .mtu = 1500}, .device = CARD},
	{.name = "s2", .kind = END_SIMNIC, .takes = ALL, .device = CARD},
	{.name = "s3", .kind = END_SIMNIC, .takes = ALL, .device = CARD, .is_behind_kernel = true},
	{.name = "d0", .kind = END_DUMMY, .takes = NOTHING},
	{.name = "d1", .kind = END_DUMMY, .takes = CSUM},
	{.name = "d2", .kind = END_DUMMY, .takes = TSO_NO_ECN},
	{.name = "d3", .kind = END_DUMMY, .takes = ALL},
	{.name = NULL},
};

static void enter(void)
{
	const char *why = ends_enter();

	if (why != NULL)
		printf("without tap, packet and xdp: %s\n", why);
}

static void s5_1_offload_between_any_two_ports(void)
{
	enter();
	table_open(&table, ends, NULL);
	table_run(&table, false, false);
	table_print(&table, "without tags");
	table_close(&table);
}

/* Between a port with a tag and one without it is put in front or taken away, and all that counts from the
 * frame's beginning moves along. */
static void s5_1_offload_with_tags(void)
{
	enter();
	table_open(&table, ends, NULL);
	for (enum table_vlan vlan = TABLE_ALL_TRUNKS; vlan <= TABLE_ODD_TRUNKS; vlan++) {
		table_set_vlan(&table, vlan);
		table_run(&table, true, false);
	}
	table_print(&table, "with a tag on both sides, or on one");
	table_close(&table);
}

/* ---- uplinks ------------------------------------------------------------------------------------ */

static const struct end_cfg uplinks[] = {
	{.name = "up0", .kind = END_DUMMY, .takes = CSUM},
	{.name = "up0", .kind = END_SIMNIC, .takes = NOTHING, .device = CARD},
	{.name = "up0", .kind = END_SIMNIC, .takes = ALL, .device = CARD, .is_behind_kernel = true},
	{.name = "up0", .kind = END_TAP, .takes = ALL},
	{.name = "up0", .kind = END_PACKET, .takes = ALL},
	{.name = "up0", .kind = END_XDP, .takes = {.mtu = 1500}},
};

/* Of each kind, and of each that takes nothing, something or all; tags on every other one. */
static const struct end_cfg some_ends[] = {
	{.name = "v0", .kind = END_VHOST, .takes = NOTHING, .features = SENDS},
	{.name = "t0", .kind = END_TAP, .takes = ALL},
	{.name = "v1",
	 .kind = END_VHOST,
	 .takes = ALL,
	 .features = SENDS | TAKES_ECN | USO | GUEST_PACKED},
	{.name = "p0", .kind = END_PACKET, .takes = ALL},
	{.name = "s0", .kind = END_SIMNIC, .takes = CSUM, .device = CARD},
	{.name = "x0", .kind = END_XDP, .takes = {.mtu = 1500}},
	{.name = "d0", .kind = END_DUMMY, .takes = ALL},
	{.name = NULL},
};

static void over_uplink(const struct end_cfg *uplink, hg_ns cut_ns)
{
	char title[64];

	table_open(&table, some_ends, uplink);
	if (!table.ends[0].is_there) {
		table_close(&table);
		return;
	}
	/* 10 Gbit/s: nine parts of 1,428 bytes in 11 us. */
	table.host.uplinks[0].cut_ns = cut_ns;
	table_set_vlan(&table, TABLE_NO_VLAN);
	table_run(&table, false, true);
	table_set_vlan(&table, TABLE_EVEN_TRUNKS);
	table_run(&table, true, true);
	HG_CHECK_EQ(host_flow(&table.host, "v0", HG_OUT).cut_segments > 0, cut_ns != 0);
	snprintf(title, sizeof(title), "uplink on %s%s", end_kind_names[uplink->kind],
		 cut_ns != 0 ? ", segments cut before the scheduler" : "");
	table_print(&table, title);
	table_close(&table);
}

static void s5_1_offload_by_the_uplink(void)
{
	enter();
	for (unsigned i = 0; i < sizeof(uplinks) / sizeof(uplinks[0]); i++)
		over_uplink(&uplinks[i], 0);
}

static void s5_1_offload_by_the_uplink_in_pieces(void)
{
	enter();
	for (unsigned i = 0; i < 3; i++)
		over_uplink(&uplinks[i], 11 * HG_NS_PER_US);
}

static const struct hg_test tests[] = {
	HG_TEST(s5_1_offload_between_any_two_ports),
	HG_TEST(s5_1_offload_with_tags),
	HG_TEST(s5_1_offload_by_the_uplink),
	HG_TEST(s5_1_offload_by_the_uplink_in_pieces),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
