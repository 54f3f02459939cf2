#include "core/owner.h"

#include "core/admit.h"
#include "tests/harness.h"

/* Tenants t0 on up0, t1 on up0, t2 on up1. Instances i0 of t0, i1 of t1, i2 of t2, i3 of t0. Port pN of iN, p4 of i0. */
#define N_TENANTS 3u
#define N_INSTANCES 4u
#define N_PORTS 5u

static struct hg_desired_uplink uplinks[2];
static struct hg_desired_tenant tenants[N_TENANTS];
static struct hg_desired_instance instances[N_INSTANCES];
static struct hg_desired_port ports[N_PORTS];
static struct hg_desired host;
static uint64_t scratch[256];
static struct hg_error err;

static void set_up(void)
{
	static const uint32_t uplink_of[] = {0, 0, 1}, tenant_of[] = {0, 1, 2, 0},
			      instance_of[] = {0, 1, 2, 3, 0};

	memset(uplinks, 0, sizeof(uplinks));
	memset(tenants, 0, sizeof(tenants));
	memset(instances, 0, sizeof(instances));
	memset(ports, 0, sizeof(ports));
	for (unsigned k = 0; k < 2; k++) {
		snprintf(uplinks[k].name, HG_NAME_BYTES, "up%u", k);
		uplinks[k].capacity_bytes_per_s = 125000000;
		uplinks[k].mtu = 1500;
	}
	for (unsigned k = 0; k < N_TENANTS; k++) {
		snprintf(tenants[k].name, HG_NAME_BYTES, "t%u", k);
		tenants[k].uplink_idx = uplink_of[k];
		hg_contract_init(&tenants[k].contract);
	}
	for (unsigned k = 0; k < N_INSTANCES; k++) {
		snprintf(instances[k].name, HG_NAME_BYTES, "i%u", k);
		instances[k].tenant_idx = tenant_of[k];
		hg_contract_init(&instances[k].contract);
	}
	for (unsigned k = 0; k < N_PORTS; k++) {
		snprintf(ports[k].name, HG_NAME_BYTES, "p%u", k);
		ports[k].instance_idx = instance_of[k];
		ports[k].mtu = 1500;
		ports[k].vlan = HG_VLAN_TENANT;
	}
	host = (struct hg_desired){.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM,
				   .uplinks = uplinks,
				   .tenants = tenants,
				   .instances = instances,
				   .ports = ports,
				   .n_uplinks = 2,
				   .n_tenants = N_TENANTS,
				   .n_instances = N_INSTANCES,
				   .n_ports = N_PORTS};
}

static void give4(unsigned port, uint8_t last)
{
	ports[port].addresses[ports[port].n_addresses++] =
		(struct hg_address){.bytes = {10, 0, 0, last}, .len = 4};
}

static void give6(unsigned port, const uint8_t bytes[16])
{
	struct hg_address *address = &ports[port].addresses[ports[port].n_addresses++];

	address->len = 16;
	memcpy(address->bytes, bytes, 16);
}

static void trunk(unsigned port, uint16_t first, uint16_t last)
{
	ports[port].vlans[ports[port].n_vlans++] = (struct hg_vlan_range){first, last};
}

static int admit(void)
{
	HG_CHECK(hg_admit_scratch_words(&host) <= 256);
	hg_error_clear(&err);
	return hg_admit(&host, scratch, 256, &err);
}

static void refused(const char *path, const char *text)
{
	HG_CHECK_EQ(admit(), -HG_EEXIST);
	HG_CHECK_STR(err.path, path);
	HG_CHECK_HAS(err.text, text);
}

static void s5_1_two_instances_do_not_have_one_ip_address(void)
{
	set_up();
	give4(0, 7);
	give4(1, 6);
	give4(1, 7);
	refused("tenants[1].instances[0].ports[0].addresses[1]",
		"10.0.0.7 is there twice in one VLAN of one uplink: port p0 of instance i0 of "
		"tenant "
		"t0 and port p1 of instance i1 of tenant t1");
	ports[1].n_addresses = 1;
	HG_CHECK_EQ(admit(), 0);
	/* Of one tenant, too. */
	give4(3, 7);
	refused("tenants[0].instances[1].ports[0].addresses[0]",
		"port p0 of instance i0 of tenant t0 and port p3 of instance i3 of tenant t0");
}

static void s5_1_networks_apart_have_their_own_addresses(void)
{
	set_up();
	for (unsigned k = 0; k < 3; k++)
		give4(k, 7);
	tenants[1].vlan = 100;
	HG_CHECK_EQ(admit(), 0); /* t2 is on the other uplink */
	ports[0].vlan = 100; /* said of the port, as of the other's tenant */
	refused("tenants[1].instances[0].ports[0].addresses[0]", "10.0.0.7");
	ports[1].vlan = HG_VLAN_NONE;
	HG_CHECK_EQ(admit(), 0);
	tenants[2].uplink_idx = 0;
	refused("tenants[2].instances[0].ports[0].addresses[0]", "port p2 of instance i2");
}

static void s5_1_ports_of_one_instance_are_one_machine(void)
{
	set_up();
	give4(0, 7);
	give4(4, 7);
	HG_CHECK_EQ(admit(), 0);
}

static void s5_1_trunks_meet_where_their_vlans_do(void)
{
	set_up();
	give4(0, 7);
	give4(1, 7);
	ports[1].vlan = 50;
	trunk(0, 1, 49);
	trunk(0, 51, 60);
	HG_CHECK_EQ(admit(), 0);
	ports[1].vlan = 51; /* tagged there, and not here */
	refused("tenants[1].instances[0].ports[0].addresses[0]", "10.0.0.7");
	ports[1].vlan = 50;
	trunk(1, 61, 70);
	HG_CHECK_EQ(admit(), 0);
	ports[1].vlans[0].first = 60;
	refused("tenants[1].instances[0].ports[0].addresses[0]", "10.0.0.7");
}

/* As RFC 5952 writes them. */
static void s5_1_ipv6_addresses_are_told_apart_and_written(void)
{
	static const struct {
		uint8_t bytes[16];
		const char *text;
	} rows[] = {
		{{0xfd, 0, [15] = 0x11}, "fd00::11 is"},
		{{0xfd, 0, 0, 1, [8] = 0xab, 0xcd, 0, 0, 0, 0, 0, 1}, "fd00:1::abcd:0:0:1 is"},
		{{0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1},
		 "2001:db8:0:1:1:1:1:1 is"},
		{{0xfe, 0x80, [8] = 1}, "fe80::100:0:0:0 is"},
		{{[15] = 1}, "::1 is"},
		{{0, 1}, "1:: is"},
	};

	for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
		set_up();
		give6(0, rows[k].bytes);
		give6(1, rows[k].bytes);
		refused("tenants[1].instances[0].ports[0].addresses[0]", rows[k].text);
		ports[1].addresses[0].bytes[9] ^= 1u;
		HG_CHECK_EQ(admit(), 0);
	}
	/* The same bytes, of another family. */
	set_up();
	give4(0, 1);
	give6(1, (const uint8_t[16]){10, 0, 0, 1});
	HG_CHECK_EQ(admit(), 0);
}

/* As many addresses as ports may have, none the other's: there is room for all of them. */
static void every_address_has_room(void)
{
	set_up();
	for (unsigned k = 0; k < N_PORTS; k++) {
		for (unsigned i = 0; i < HG_PORT_ADDRESSES_MAX; i++)
			give4(k, (uint8_t)(k * HG_PORT_ADDRESSES_MAX + i + 1u));
	}
	HG_CHECK_EQ(hg_owner_count(&host), N_PORTS * HG_PORT_ADDRESSES_MAX);
	HG_CHECK_EQ(admit(), 0);
	ports[4].addresses[7] = ports[3].addresses[0];
	refused("tenants[0].instances[0].ports[1].addresses[7]", "port p3 of instance i3");
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_two_instances_do_not_have_one_ip_address),
		HG_TEST(s5_1_networks_apart_have_their_own_addresses),
		HG_TEST(s5_1_ports_of_one_instance_are_one_machine),
		HG_TEST(s5_1_trunks_meet_where_their_vlans_do),
		HG_TEST(s5_1_ipv6_addresses_are_told_apart_and_written),
		HG_TEST(every_address_has_room),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
