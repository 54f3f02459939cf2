#include "core/admit.h"

#include "core/depth.h"
#include "tests/harness.h"

#define MBIT UINT64_C(125000)
#define GBIT UINT64_C(125000000)

/* A host with two uplinks, three tenants, and instances and ports that are not in the order of nesting:
 *   acme (up0): web1 [p0, p3], web2 [p1]      beta (up0): db1 [p2]      gamma (up1): no instance */
static struct hg_desired_uplink uplinks[2];
static struct hg_desired_tenant tenants[3];
static struct hg_desired_instance instances[3];
static struct hg_desired_port ports[4];
static struct hg_desired host;
static uint64_t scratch[64];
static struct hg_error err;

static void name(char *to, const char *text)
{
	snprintf(to, HG_NAME_BYTES, "%s", text);
}

static void set_up(void)
{
	static const struct {
		const char *name;
		uint32_t parent;
	} t[] = {{"acme", 0}, {"beta", 0}, {"gamma", 1}},
	  i[] = {{"web1", 0}, {"db1", 1}, {"web2", 0}},
	  p[] = {{"p0", 0}, {"p1", 2}, {"p2", 1}, {"p3", 0}};

	memset(uplinks, 0, sizeof(uplinks));
	memset(tenants, 0, sizeof(tenants));
	memset(instances, 0, sizeof(instances));
	memset(ports, 0, sizeof(ports));
	name(uplinks[0].name, "up0");
	name(uplinks[1].name, "up1");
	for (unsigned k = 0; k < 2; k++) {
		uplinks[k].capacity_bytes_per_s = 10 * GBIT;
		uplinks[k].mtu = 1500;
	}
	for (unsigned k = 0; k < 3; k++) {
		name(tenants[k].name, t[k].name);
		tenants[k].uplink_idx = t[k].parent;
		hg_contract_init(&tenants[k].contract);
		name(instances[k].name, i[k].name);
		instances[k].tenant_idx = i[k].parent;
		hg_contract_init(&instances[k].contract);
	}
	for (unsigned k = 0; k < 4; k++) {
		name(ports[k].name, p[k].name);
		ports[k].instance_idx = p[k].parent;
		ports[k].mtu = 1500;
		ports[k].has_mac = true;
		ports[k].mac[0] = 2;
		ports[k].mac[5] = (uint8_t)k;
	}
	host = (struct hg_desired){.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM,
				   .uplinks = uplinks,
				   .tenants = tenants,
				   .instances = instances,
				   .ports = ports,
				   .n_uplinks = 2,
				   .n_tenants = 3,
				   .n_instances = 3,
				   .n_ports = 4};
	hg_error_clear(&err);
}

static int admit(void)
{
	HG_CHECK(hg_admit_scratch_words(&host) <= 64);
	hg_error_clear(&err);
	return hg_admit(&host, scratch, 64, &err);
}

static void refused(int code, const char *path, const char *text)
{
	HG_CHECK_EQ(admit(), code);
	HG_CHECK_STR(err.path, path);
	HG_CHECK_HAS(err.text, text);
	HG_CHECK_EQ(hg_admit(&host, scratch, 64, NULL), code);
}

static void guarantee(struct hg_contract *c, enum hg_dir dir, uint64_t bytes_per_s)
{
	c->dir[dir].min_bytes_per_s = bytes_per_s;
}

static void s1_10_what_fits_is_admitted(void)
{
	set_up();
	HG_CHECK_EQ(admit(), 0);
	guarantee(&tenants[0].contract, HG_OUT, 6 * GBIT);
	guarantee(&tenants[1].contract, HG_OUT, 3950 * MBIT);
	guarantee(&tenants[2].contract, HG_OUT, 9950 * MBIT); /* another uplink */
	guarantee(&tenants[0].contract, HG_IN, 9950 * MBIT); /* another direction */
	guarantee(&instances[0].contract, HG_OUT, 4 * GBIT);
	guarantee(&instances[2].contract, HG_OUT, 2 * GBIT);
	HG_CHECK_EQ(admit(), 0);
	HG_CHECK_EQ(err.code, 0);
}

static void s1_10_an_empty_host_is_admitted(void)
{
	set_up();
	host = (struct hg_desired){.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM};
	HG_CHECK_EQ(admit(), 0);
}

static void s1_10_refusal_names_sum_capacity_and_contracts(void)
{
	set_up();
	guarantee(&tenants[0].contract, HG_OUT, 6 * GBIT);
	guarantee(&tenants[1].contract, HG_OUT, 3951 * MBIT);
	refused(-HG_ENOSPC, "tenants[1].contract.out.min",
		"the guarantees (out) on uplink up0 sum to 9951Mbit, but 9.95Gbit can be promised:"
		" 99.5 % of its capacity of 10Gbit; largest: acme 6Gbit, beta 3951Mbit");
	guarantee(&tenants[1].contract, HG_OUT, 0);
	guarantee(&tenants[2].contract, HG_IN, 10 * GBIT);
	refused(-HG_ENOSPC, "tenants[2].contract.in.min", "(in) on uplink up1 sum to 10Gbit");
}

static void s1_10_instances_count_where_their_tenant_has_no_minimum(void)
{
	set_up();
	guarantee(&instances[0].contract, HG_IN, 4 * GBIT);
	guarantee(&instances[2].contract, HG_IN, 3 * GBIT);
	guarantee(&tenants[1].contract, HG_IN, 2 * GBIT);
	HG_CHECK_EQ(admit(), 0);
	guarantee(&instances[2].contract, HG_IN, 8 * GBIT);
	refused(-HG_ENOSPC, "tenants[0].instances", "sum to 14Gbit");
}

static void s1_10_oversubscription_is_the_operators_choice(void)
{
	set_up();
	guarantee(&tenants[0].contract, HG_OUT, 9 * GBIT);
	guarantee(&tenants[1].contract, HG_OUT, 5 * GBIT);
	HG_CHECK_EQ(admit(), -HG_ENOSPC);
	host.oversubscription_ppm = 1500000;
	HG_CHECK_EQ(admit(), 0);
	guarantee(&tenants[1].contract, HG_OUT, 6 * GBIT);
	refused(-HG_ENOSPC, "tenants[1].contract.out.min",
		"but 14925Mbit can be promised: 99.5 % of its capacity of 10Gbit, oversubscribed "
		"1.5"
		" times; largest: acme 9Gbit, beta 6Gbit");
	host.oversubscription_ppm = 0;
	refused(-HG_EINVAL, "oversubscription", "0 is out of range");
	host.oversubscription_ppm = HG_OVERSUBSCRIPTION_MAX_PPM + 1;
	refused(-HG_EINVAL, "oversubscription", "out of range");
}

static void s1_10_contracts_elsewhere_are_not_named(void)
{
	set_up();
	for (unsigned k = 0; k < 3; k++) {
		instances[k].tenant_idx = 0;
		guarantee(&instances[k].contract, HG_OUT, (2 + k) * GBIT);
	}
	tenants[1].uplink_idx = 1;
	guarantee(&tenants[1].contract, HG_OUT, 2 * GBIT);
	guarantee(&tenants[2].contract, HG_OUT, 9 * GBIT);
	refused(-HG_ENOSPC, "tenants[2].contract.out.min", "; largest: gamma 9Gbit, beta 2Gbit");
	HG_CHECK(strstr(err.text, "acme") == NULL);
}

static void s1_9_instances_share_what_their_tenant_has(void)
{
	set_up();
	guarantee(&tenants[0].contract, HG_OUT, 2 * GBIT);
	guarantee(&instances[0].contract, HG_OUT, 2 * GBIT);
	HG_CHECK_EQ(admit(), 0);
	guarantee(&instances[2].contract, HG_OUT, 1 * GBIT);
	refused(-HG_ENOSPC, "tenants[0].instances[1].contract.out.min",
		"the guarantees (out) of the instances of tenant acme sum to 3Gbit, more than its "
		"min of"
		" 2Gbit; largest: web1 2Gbit, web2 1Gbit");
	guarantee(&tenants[0].contract, HG_OUT, 0);
	tenants[0].contract.dir[HG_OUT].max_bytes_per_s = 2500 * MBIT;
	refused(-HG_ENOSPC, "tenants[0].instances[1].contract.out.min",
		"more than its max of 2.5Gbit");
	tenants[0].contract.dir[HG_OUT].max_bytes_per_s = 1500 * MBIT;
	refused(-HG_EINVAL, "tenants[0].instances[0].contract.out.min",
		"2Gbit is more than the max of tenant acme, 1.5Gbit");
}

static void admit_invalid_contract_has_its_path(void)
{
	set_up();
	tenants[1].contract.dir[HG_OUT].weight = 0;
	refused(-HG_EINVAL, "tenants[1].contract.out.weight", "0 is out of range");
	set_up();
	instances[2].contract.dir[HG_IN].max_bytes_per_s = 1;
	refused(-HG_EINVAL, "tenants[0].instances[1].contract.in.max", "8bit is out of range");
}

static void admit_names(void)
{
	static const char *const bad[] = {"", "Web1", "-web", ".web", "web 1", "web/1", "\xc3\xa4"};

	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
		set_up();
		name(instances[2].name, bad[k]);
		refused(-HG_EINVAL, "tenants[0].instances[1].name", "a name is 1 to 63");
	}
	set_up();
	memset(uplinks[1].name, 'a', HG_NAME_BYTES); /* not terminated */
	refused(-HG_EINVAL, "uplinks[1].name", "a name is 1 to 63");
	uplinks[1].name[HG_NAME_BYTES - 1] = '\0';
	HG_CHECK_EQ(admit(), 0);
	set_up();
	name(tenants[2].name, "web1.a_b-0"); /* another kind may have it too */
	name(instances[0].name, "web1.a_b-0");
	HG_CHECK_EQ(admit(), 0);
}

static void admit_duplicate_names(void)
{
	set_up();
	name(uplinks[1].name, "up0");
	refused(-HG_EINVAL, "uplinks[1].name", "there is another uplink called up0");
	set_up();
	name(tenants[2].name, "acme");
	refused(-HG_EINVAL, "tenants[2].name", "there is another tenant called acme");
	set_up();
	name(instances[2].name, "db1");
	refused(-HG_EINVAL, "tenants[0].instances[1].name", "there is another instance called db1");
	set_up();
	name(ports[3].name, "p2");
	refused(-HG_EINVAL, "tenants[0].instances[0].ports[1].name", "another port called p2");
}

static void admit_macs(void)
{
	set_up();
	memcpy(ports[3].mac, ports[1].mac, HG_MAC_BYTES);
	refused(-HG_EEXIST, "tenants[0].instances[0].ports[1].mac",
		"02:00:00:00:00:01 is there twice in one VLAN: port p1 of instance web2 of tenant "
		"acme and port p3 of instance web1 of tenant acme");
	ports[3].vlan = 7;
	HG_CHECK_EQ(admit(), 0);
	ports[3].vlan = 0;
	ports[3].has_mac = false;
	HG_CHECK_EQ(admit(), 0);
	set_up();
	ports[2].mac[0] = 3;
	refused(-HG_EINVAL, "tenants[1].instances[0].ports[0].mac", "an individual one");
	memset(ports[2].mac, 0, HG_MAC_BYTES);
	refused(-HG_EINVAL, "tenants[1].instances[0].ports[0].mac", "an individual one");
}

static void s5_1_admit_vlans(void)
{
	const char *const at = "tenants[0].instances[1].ports[0].vlans";

	set_up();
	ports[1].vlans[0] = (struct hg_vlan_range){100, 200};
	ports[1].vlans[1] = (struct hg_vlan_range){300, 300};
	ports[1].n_vlans = 2;
	HG_CHECK_EQ(admit(), 0);
	ports[1].vlan = 150;
	refused(-HG_EINVAL, at, "VLAN 150 is the port's own");
	ports[1].vlan = HG_VLAN_TENANT;
	HG_CHECK_EQ(admit(), 0);
	tenants[0].vlan = 300;
	refused(-HG_EINVAL, at, "VLAN 300 is the port's own");
	tenants[0].vlan = 4095;
	refused(-HG_EINVAL, "tenants[0].vlan", "allowed is 0 to 4094");
	tenants[0].vlan = 0;
	ports[1].vlans[1].first = 200;
	refused(-HG_EINVAL, at, "none twice");
	ports[1].vlans[1] = (struct hg_vlan_range){300, 4095};
	refused(-HG_EINVAL, at, "1 to 4094");
	ports[1].n_vlans = HG_PORT_VLANS_MAX + 1;
	refused(-HG_EINVAL, at, "at most 16");
	/* One address in one VLAN, tagged here and not there; and of two trunks. */
	ports[1].n_vlans = 1;
	memcpy(ports[3].mac, ports[1].mac, HG_MAC_BYTES);
	ports[3].vlan = 100;
	refused(-HG_EEXIST, "tenants[0].instances[0].ports[1].mac", "in one VLAN");
	ports[3].vlan = 99;
	HG_CHECK_EQ(admit(), 0);
	ports[3].vlans[0] = (struct hg_vlan_range){5, 5};
	ports[3].n_vlans = 1;
	refused(-HG_EEXIST, "tenants[0].instances[0].ports[1].mac", "on trunks");
}

static void admit_indices(void)
{
	set_up();
	tenants[1].uplink_idx = 2;
	refused(-HG_EINVAL, "tenants[1].uplink", "belongs to no uplink that there is");
	set_up();
	instances[1].tenant_idx = 3;
	refused(-HG_EINVAL, "instances[1].tenant", "belongs to no tenant");
	set_up();
	ports[2].instance_idx = UINT32_MAX;
	refused(-HG_EINVAL, "ports[2].instance", "belongs to no instance");
}

static void admit_fields(void)
{
	set_up();
	uplinks[1].capacity_bytes_per_s = 999;
	refused(-HG_EINVAL, "uplinks[1].capacity",
		"7992bit is out of range: allowed is 8Kbit to 1Tbit");
	uplinks[1].capacity_bytes_per_s = HG_RATE_MAX_BYTES_PER_S + 1;
	refused(-HG_EINVAL, "uplinks[1].capacity", "out of range");
	set_up();
	uplinks[0].mtu = 67;
	refused(-HG_EINVAL, "uplinks[0].mtu", "67 is out of range: allowed is 68 to 65535");
	set_up();
	ports[1].mtu = 65536;
	refused(-HG_EINVAL, "tenants[0].instances[1].ports[0].mtu", "65536 is out of range");
	set_up();
	ports[1].vlan = 4095;
	refused(-HG_EINVAL, "tenants[0].instances[1].ports[0].vlan", "allowed is 0 to 4094");
	set_up();
	ports[1].max_learned = HG_PORT_LEARN_MAX + 1;
	refused(-HG_EINVAL, "tenants[0].instances[1].ports[0].learn", "allowed is 0 to 4096");
	set_up();
	ports[1].limits.multicast_pkts_per_s = 9;
	refused(-HG_EINVAL, "tenants[0].instances[1].ports[0].limits.multicast",
		"9 is out of range: allowed is 10 to 1000000000");
	set_up();
	uplinks[0].limits.unknown_pkts_per_s = 1000000001;
	refused(-HG_EINVAL, "uplinks[0].limits.unknown", "out of range");
	set_up();
	ports[1].n_addresses = HG_PORT_ADDRESSES_MAX + 1;
	refused(-HG_EINVAL, "tenants[0].instances[1].ports[0].addresses", "at most 8");
	ports[1].n_addresses = 1;
	ports[1].addresses[0].len = 6;
	refused(-HG_EINVAL, "tenants[0].instances[1].ports[0].addresses[0]", "4 bytes");
	ports[1].addresses[0] = (struct hg_address){.len = 4};
	refused(-HG_EINVAL, "tenants[0].instances[1].ports[0].addresses[0]", "of one machine");
	ports[1].addresses[0] = (struct hg_address){.bytes = {224, 0, 0, 1}, .len = 4};
	refused(-HG_EINVAL, "tenants[0].instances[1].ports[0].addresses[0]", "of one machine");
	ports[1].addresses[0] = (struct hg_address){.len = 16};
	refused(-HG_EINVAL, "tenants[0].instances[1].ports[0].addresses[0]", "of one machine");
	ports[1].addresses[0] = (struct hg_address){.bytes = {0xff, 2}, .len = 16};
	refused(-HG_EINVAL, "tenants[0].instances[1].ports[0].addresses[0]", "of one machine");
	ports[1].addresses[0] = (struct hg_address){.bytes = {0xfe, 0x80, [15] = 1}, .len = 16};
	HG_CHECK_EQ(admit(), 0);
}

static void s2_4_depth_scale_and_cut_have_their_ranges(void)
{
	static const struct {
		uint32_t mtu;
		uint64_t depth_bytes;
		uint32_t scale_ppm;
		hg_ns cut_ns;
		const char *path, *text; /* NULL: it is admitted */
	} rows[] = {
		{1500, 0, 0, 0, NULL, NULL},
		{1500, 1600, 16000000, HG_CUT_MAX_NS, NULL, NULL},
		{1500, HG_DEPTH_MAX_BYTES, 1000000, HG_CUT_MIN_NS, NULL, NULL},
		{9000, 9042, 0, 0, NULL, NULL},
		{1500, 1599, 0, 0, "depth",
		 "1599B is out of range: allowed is 1.6KB to 64MiB, or auto"},
		{9000, 9041, 0, 0, "depth", "9041B is out of range: allowed is 9042B to 64MiB, or"},
		{1500, HG_DEPTH_MAX_BYTES + 1, 0, 0, "depth", "out of range"},
		{1500, 0, 999999, 0, "depth_scale", "out of range: allowed is 1 to 16"},
		{1500, 0, 16000001, 0, "depth_scale", "out of range"},
		{1500, 0, 0, 999, "cut", "999ns is out of range: allowed is 1us to 1s, or never"},
		{1500, 0, 0, HG_CUT_MAX_NS + 1, "cut", "out of range"},
		{1500, 0, 0, -1, "cut", "out of range"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[64];

		set_up();
		uplinks[1].mtu = rows[i].mtu;
		uplinks[1].depth_bytes = rows[i].depth_bytes;
		uplinks[1].depth_scale_ppm = rows[i].scale_ppm;
		uplinks[1].cut_ns = rows[i].cut_ns;
		snprintf(path, sizeof(path), "uplinks[1].%s", rows[i].path ? rows[i].path : "");
		if (rows[i].path == NULL)
			HG_CHECK_EQ(admit(), 0);
		else
			refused(-HG_EINVAL, path, rows[i].text);
	}
}

static void s2_6_tenants_have_no_priority(void)
{
	set_up();
	instances[1].contract.dir[HG_OUT].priority = HG_PRIORITY_LOW;
	instances[1].contract.dir[HG_OUT].behaviour = HG_FOLLOW_RATE;
	HG_CHECK_EQ(admit(), 0);
	tenants[1].contract.dir[HG_IN].priority = HG_PRIORITY_HIGH;
	refused(-HG_EINVAL, "tenants[1].contract.in.priority", "of instances");
	tenants[1].contract.dir[HG_IN].priority = HG_PRIORITY_NORMAL;
	tenants[0].contract.dir[HG_OUT].behaviour = HG_FOLLOW_NONE;
	refused(-HG_EINVAL, "tenants[0].contract.out.behaviour", "of instances");
}

static void admit_wants_its_scratch(void)
{
	set_up();
	HG_CHECK_EQ(hg_admit(&host, scratch, hg_admit_scratch_words(&host) - 1, &err), -HG_EINVAL);
	HG_CHECK_HAS(err.text, "scratch");
}

/* The promise against a plain sum, on random hosts. */
static void s1_10_random_hosts(void)
{
	uint64_t seed = hg_test_seed;
	unsigned n_admitted = 0, n_refused = 0, n_seen = 0;

	for (unsigned round = 0; round < (hg_test_rounds ? hg_test_rounds : 2000); round++) {
		uint64_t sum[2] = {0}, own_sum[2] = {0};
		bool fits;

		set_up();
		for (unsigned t = 0; t < 3; t++) {
			uint64_t own = hg_test_between(&seed, 0, 1) *
				       hg_test_between(&seed, 1, 60) * 100 * MBIT;
			uint64_t inner = 0;

			guarantee(&tenants[t].contract, HG_OUT, own);
			for (unsigned i = 0; i < 3; i++) {
				uint64_t min = hg_test_between(&seed, 1, 30) * 100 * MBIT;

				if (instances[i].tenant_idx != t || (own > 0 && inner + min > own))
					continue;
				guarantee(&instances[i].contract, HG_OUT, min);
				inner += min;
			}
			sum[tenants[t].uplink_idx] += own > inner ? own : inner;
			own_sum[tenants[t].uplink_idx] += own;
		}
		fits = sum[0] <= 9950 * MBIT && sum[1] <= 9950 * MBIT;
		HG_CHECK_EQ(admit(), fits ? 0 : -HG_ENOSPC);
		n_admitted += fits;
		n_refused += !fits;
		n_seen += (own_sum[0] <= 9950 * MBIT && own_sum[1] <= 9950 * MBIT) != fits;
	}
	HG_CHECK(n_admitted > 0);
	HG_CHECK(n_refused > 0);
	HG_CHECK(n_seen > 0); /* a sum without the instances would have been noticed */
}

static const struct hg_test tests[] = {
	HG_TEST(s1_10_what_fits_is_admitted),
	HG_TEST(s1_10_an_empty_host_is_admitted),
	HG_TEST(s1_10_refusal_names_sum_capacity_and_contracts),
	HG_TEST(s1_10_instances_count_where_their_tenant_has_no_minimum),
	HG_TEST(s1_10_oversubscription_is_the_operators_choice),
	HG_TEST(s1_10_contracts_elsewhere_are_not_named),
	HG_TEST(s1_9_instances_share_what_their_tenant_has),
	HG_TEST(admit_invalid_contract_has_its_path),
	HG_TEST(admit_names),
	HG_TEST(admit_duplicate_names),
	HG_TEST(admit_macs),
	HG_TEST(s5_1_admit_vlans),
	HG_TEST(admit_indices),
	HG_TEST(admit_fields),
	HG_TEST(s2_4_depth_scale_and_cut_have_their_ranges),
	HG_TEST(s2_6_tenants_have_no_priority),
	HG_TEST(admit_wants_its_scratch),
	HG_TEST(s1_10_random_hosts),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
