#include "api/config.h"

#include "tests/harness.h"

#include <sys/stat.h>
#include <unistd.h>

static char message[1024];

/* The whole line that a person would see for this text, or "ok". */
static const char *verdict_on(const char *text, hg_config_device_fn check_device)
{
	struct hg_desired *d = NULL;
	struct hg_error err = {0};
	int rc = hg_config_parse(text, strlen(text), check_device, &d, &err);

	if (rc == 0) {
		hg_config_destroy(d);
		return "ok";
	}
	HG_CHECK_EQ(err.code, rc);
	HG_CHECK(d == NULL);
	return hg_config_error_format(&err, "f.yaml", message, sizeof(message));
}

static struct hg_desired *must_parse(const char *text)
{
	struct hg_desired *d = NULL;
	struct hg_error err = {0};
	char why[1024];

	if (hg_config_parse(text, strlen(text), NULL, &d, &err) < 0)
		HG_TEST_FAIL("%s", hg_config_error_format(&err, NULL, why, sizeof(why)));
	return d;
}

#define UPLINK "uplinks:\n- {name: up0, device: xdp:eth1, capacity: 10Gbit}\n"
/* What stands behind it begins in line 5, column 3. */
#define TENANT UPLINK "tenants:\n- name: acme\n"
/* Line 7, column 5. */
#define INSTANCE TENANT "  instances:\n  - name: web1\n"
#define POLICY(what) TENANT "  contract: {out: {" what "}}\n"

static const char design_example[] =
	"uplinks:\n"
	"  - name: up0\n"
	"    device: xdp:eth1\n"
	"    capacity: 10Gbit\n"
	"tenants:\n"
	"  - name: acme\n"
	"    contract:\n"
	"      out: {min: 2Gbit, max: 5Gbit, weight: 4, burst: 256KiB}\n"
	"      in:  {min: 1Gbit, max: 5Gbit}\n"
	"    instances:\n"
	"      - name: web1\n"
	"        contract:\n"
	"          out: {min: 1Gbit}\n"
	"          idle: {after: 20ms, reserve: 64KiB}\n"
	"        ports:\n"
	"          - {name: web1-0, device: vhost:web1.sock, mac: \"02:00:00:00:00:11\",\n"
	"             addresses: [10.0.0.11, \"fd00::11\"], vlan: 100}\n";

static void s1_1_every_field_of_a_contract(void)
{
	struct hg_desired *d = must_parse(design_example);
	const struct hg_policy *out = &d->tenants[0].contract.dir[HG_OUT];
	const struct hg_policy *web1 = d->instances[0].contract.dir;
	const struct hg_desired_port *port = d->ports;

	HG_CHECK_EQ(out->min_bytes_per_s, 250000000);
	HG_CHECK_EQ(out->max_bytes_per_s, 625000000);
	HG_CHECK_EQ(out->weight, 4);
	HG_CHECK_EQ(out->burst_bytes, 256 * 1024);
	HG_CHECK_EQ(out->reserve_bytes, 256 * 1024);
	HG_CHECK_EQ(d->tenants[0].contract.dir[HG_IN].min_bytes_per_s, 125000000);
	for (int dir = 0; dir < HG_N_DIRS; dir++) {
		HG_CHECK_EQ(web1[dir].idle_after_ns, 20 * HG_NS_PER_MS);
		HG_CHECK_EQ(web1[dir].reserve_bytes, 64 * 1024);
	}
	HG_CHECK_EQ(d->uplinks[0].capacity_bytes_per_s, 1250000000);
	HG_CHECK_EQ(d->uplinks[0].mtu, HG_MTU_DEFAULT);
	HG_CHECK(port->has_mac && port->mac[0] == 2 && port->mac[5] == 0x11);
	HG_CHECK_EQ(port->vlan, 100);
	HG_CHECK_EQ(port->n_addresses, 2);
	HG_CHECK_EQ(port->addresses[0].len, 4);
	HG_CHECK_EQ(port->addresses[1].len, 16);
	HG_CHECK_STR(port->device, "vhost:web1.sock");
	hg_config_destroy(d);
}

static void directions_may_differ_from_what_is_shared(void)
{
	struct hg_desired *d = must_parse(
		TENANT "  contract:\n"
		       "    out: {accounting: wire, idle: {after: 1s}, max_pkts: 10Kpps}\n"
		       "    accounting: l2\n"
		       "    idle: {after: 5ms}\n"
		       "    mode: observe\n");
	const struct hg_contract *c = &d->tenants[0].contract;

	HG_CHECK_EQ(c->dir[HG_OUT].accounting, HG_ACCOUNT_WIRE);
	HG_CHECK_EQ(c->dir[HG_IN].accounting, HG_ACCOUNT_L2);
	HG_CHECK_EQ(c->dir[HG_OUT].idle_after_ns, HG_NS_PER_S);
	HG_CHECK_EQ(c->dir[HG_IN].idle_after_ns, 5 * HG_NS_PER_MS);
	HG_CHECK_EQ(c->dir[HG_OUT].max_pkts_per_s, 10000);
	HG_CHECK_EQ(c->mode, HG_MODE_OBSERVE);
	HG_CHECK_EQ(d->mode, HG_MODE_ENFORCE);
	hg_config_destroy(d);
}

static void whoever_asks_for_nothing_gets_the_default_contract(void)
{
	struct hg_desired *d = must_parse(TENANT);
	struct hg_contract asked = d->tenants[0].contract, plain;

	hg_contract_init(&plain);
	for (int dir = 0; dir < HG_N_DIRS; dir++) {
		HG_CHECK_EQ(asked.dir[dir].burst_bytes, plain.dir[dir].burst_bytes);
		HG_CHECK_EQ(asked.dir[dir].reserve_bytes, plain.dir[dir].reserve_bytes);
		HG_CHECK_EQ(asked.dir[dir].idle_after_ns, plain.dir[dir].idle_after_ns);
		HG_CHECK_EQ(asked.dir[dir].weight, plain.dir[dir].weight);
		HG_CHECK_EQ(asked.dir[dir].min_bytes_per_s, 0);
		HG_CHECK_EQ(asked.dir[dir].max_bytes_per_s, 0);
	}
	hg_config_destroy(d);
}

static void s1_13_observe_for_host_or_contract(void)
{
	struct hg_desired *d = must_parse("mode: observe\noversubscription: 1.5\n");

	HG_CHECK_EQ(d->mode, HG_MODE_OBSERVE);
	HG_CHECK_EQ(d->oversubscription_ppm, 1500000);
	hg_config_destroy(d);
}

static void json_is_read_as_well(void)
{
	struct hg_desired *d = must_parse(
		"{\"uplinks\":[{\"name\":\"up0\",\"device\":\"xdp:eth1\",\"capacity\":\"10Gbit\"}],"
		"\"tenants\":[{\"name\":\"acme\",\"contract\":{\"out\":{\"weight\":7}}}]}");

	HG_CHECK_EQ(d->tenants[0].contract.dir[HG_OUT].weight, 7);
	hg_config_destroy(d);
}

static void tenants_choose_their_uplink(void)
{
	struct hg_desired *d =
		must_parse("uplinks:\n- {name: a, device: xdp:eth1, capacity: 1Gbit}\n"
			   "- {name: b, device: xdp:eth2, capacity: 1Gbit}\n"
			   "tenants:\n- {name: x}\n- {name: y, uplink: b}\n");

	HG_CHECK_EQ(d->tenants[0].uplink_idx, 0);
	HG_CHECK_EQ(d->tenants[1].uplink_idx, 1);
	hg_config_destroy(d);
}

struct row {
	const char *text;
	const char *begins; /* of the message, behind "f.yaml:" */
	const char *has; /* somewhere in it; NULL: anything */
};

static void check_rows(const struct row *rows)
{
	for (; rows->text != NULL; rows++) {
		const char *got = verdict_on(rows->text, NULL);

		if (strncmp(got, "f.yaml:", 7) != 0)
			HG_TEST_FAIL("\"%s\" gives \"%s\"", rows->text, got);
		if (strncmp(got + 7, rows->begins, strlen(rows->begins)) != 0)
			HG_TEST_FAIL("want \"%s\" at the start of \"%s\"", rows->begins, got);
		if (rows->has != NULL && strstr(got, rows->has) == NULL)
			HG_TEST_FAIL("want \"%s\" in \"%s\"", rows->has, got);
	}
}

static void wrong_keys_name_place_and_nearest_match(void)
{
	static const struct row rows[] = {
		{POLICY("maxx: 5Gbit"),
		 "5:20: tenants[0].contract.out.maxx: no such key; a policy has ",
		 "did you mean 'max'?"},
		{POLICY("maximum: 5Gbit"),
		 "5:20: tenants[0].contract.out.maximum: ", "did you mean 'max'?"},
		{POLICY("wieght: 3"), "5:20: ", "did you mean 'weight'?"},
		{TENANT "  contract: {max: 5Gbit}\n",
		 "5:14: tenants[0].contract.max: no such key; ",
		 "'max' belongs in contract.out, contract.in"},
		{TENANT "  capacity: 5Gbit\n",
		 "5:3: tenants[0].capacity: ", "'capacity' belongs in uplinks[]"},
		{INSTANCE "    port: []\n",
		 "7:5: tenants[0].instances[0].port: ", "did you mean 'ports'?"},
		{"uplink: []\n", "1:1: uplink: no such key; the host has mode, ",
		 "did you mean 'uplinks'?"},
		{"zzz: 1\n", "1:1: zzz: no such key", NULL},
		{UPLINK "mode: observ\n", "3:7: mode: ", "did you mean 'observe'?"},
		{UPLINK "mode: perhaps\n", "3:7: mode: ", "one of enforce, observe"},
		{TENANT "  uplink: up1\n",
		 "5:11: tenants[0].uplink: no uplink has the name \"up1\"",
		 "there is up0; did you mean 'up0'?"},
		{0},
	};

	check_rows(rows);
}

static void keys_not_served_are_refused_by_name(void)
{
	static const struct row rows[] = {
		{POLICY("credits: {}"), "5:20: ", "'credits' is known but not served"},
		{INSTANCE "    disk: {iops: 2}\n",
		 "7:5: tenants[0].instances[0].disk: ", "'disk' is known but not served"},
		{0},
	};
	struct hg_desired *d = NULL;
	struct hg_error err = {0};

	check_rows(rows);
	HG_CHECK_EQ(hg_config_parse("peers: []", 9, NULL, &d, &err), -HG_ENOTSUP);
}

#define CPU(what) INSTANCE "    cpu: {" what "}\n"

static void s6_1_credits_are_read_with_their_place(void)
{
	static const struct row rows[] = {
		{CPU("vcpus: 2"),
		 "7:10: tenants[0].instances[0].cpu.cgroup: ", "which control group"},
		{CPU("cgroup: web1"),
		 "7:10: tenants[0].instances[0].cpu.baseline: ", "such as 20%"},
		{CPU("cgroup: web1, baseline: 20"), "7:", "write it as 20% or 22.5%"},
		{CPU("cgroup: web1, baseline: 120%"), "7:", "0.1% to 100%"},
		{CPU("cgroup: web1, preset: t3.mikro"), "7:", "t3.nano, t3.micro"},
		{CPU("cgroup: web1, preset: t3.micro, max: many"),
		 "7:", "a credit is one processor"},
		{CPU("cgroup: web1, preset: t3.micro, max: -3"), "7:", "is no number of credits"},
		{CPU("cgroup: web1, preset: t3.micro, max_age: 3s"), "7:", "1m to 8784h, or none"},
		{CPU("cgroup: web1, preset: t3.micro, mode: free"),
		 "7:", "auto, standard, unlimited"},
		{CPU("cgroup: /a/b, preset: t3.micro") "  - name: web2\n    cpu: {cgroup: a/b, "
						       "preset: b1s}\n",
		 "9:19: ", "is web1's"},
		{0},
	};

	check_rows(rows);
}

#define CLASSES(what) INSTANCE "    contract: {out: {classes: [" what "]}}\n"

static void s2_7_classes_are_read_with_their_place(void)
{
	static const struct row rows[] = {
		{CLASSES("{name: voice}"), "7:", "classes: a contract has none, or 2 to 8 classes"},
		{CLASSES("{dscp: [ef]}, {name: rest}"), "7:", "classes[0]: 'name' is missing"},
		{CLASSES("{name: voice, dscp: [eff]}, {name: rest}"),
		 "7:", "classes[0].dscp[0]: \"eff\" is not allowed here: 0 to 63, or a name"},
		{CLASSES("{name: voice, dscp: [ef, 46]}, {name: rest}"),
		 "7:", "classes[0].dscp[1]: \"46\" is there twice"},
		{CLASSES("{name: voice, pcp: [8]}, {name: rest}"),
		 "7:", "classes[0].pcp[0]: \"8\" is not allowed here: 0 to 7"},
		{CLASSES("{name: voice, dscp: [ef], weight: 0}, {name: rest}"),
		 "7:", "classes[0].weight: \"0\" is out of range: allowed is 1 to 1000, or strict"},
		{CLASSES("{name: voice}, {name: rest}"),
		 "7:", "classes[0].dscp: this class asks for no packet; only the last one may"},
		{CLASSES("{name: voice, dcsp: [ef]}, {name: rest}"), "7:", "did you mean 'dscp'?"},
		{TENANT "  contract: {out: {classes: []}}\n",
		 "5:20: tenants[0].contract.out.classes: ",
		 "is said of instances, not of a tenant"},
		{0},
	};
	static const char text[] = CLASSES("{name: voice, dscp: [ef, 48], pcp: [5], weight: "
					   "strict}, {name: bulk, dscp: [cs1]}, {name: rest, "
					   "weight: 4}");
	const struct hg_class_set *set;
	struct hg_desired *d = NULL;
	struct hg_error err = {0};

	check_rows(rows);
	HG_CHECK_EQ(hg_config_parse(text, strlen(text), NULL, &d, &err), 0);
	set = &d->instances[0].contract.dir[HG_OUT].classes;
	HG_CHECK_EQ(set->n, 3);
	HG_CHECK_STR(set->classes[0].name, "voice");
	HG_CHECK_EQ(set->classes[0].dscps, UINT64_C(1) << 46 | UINT64_C(1) << 48);
	HG_CHECK_EQ(set->classes[0].pcps, 1u << 5);
	HG_CHECK_EQ(set->classes[0].weight, 0);
	HG_CHECK_EQ(set->classes[1].weight, 1);
	HG_CHECK_EQ(set->classes[2].weight, 4);
	HG_CHECK_EQ(d->instances[0].contract.dir[HG_IN].classes.n, 0);
	hg_config_destroy(d);
}

#define INFLIGHT(what) "uplinks:\n- {name: up0, device: xdp:eth1, capacity: 10Gbit, " what "}\n"
/* Line 7, column 16. */
#define CONTRACT(what) INSTANCE "    contract: {" what "}\n"

static void s2_4_the_cards_queue_is_the_operators(void)
{
	static const struct row rows[] = {
		{INFLIGHT("inflight: perhaps"), "2:61: uplinks[0].inflight: ", "one of on, off"},
		{INFLIGHT("depth: 0B"), "2:58: uplinks[0].depth: \"0B\" is out of range",
		 "allowed is 1.6KB to 64MiB, or auto"},
		{INFLIGHT("depth: 0"), "2:58: uplinks[0].depth: ", "allowed is 1.6KB to 64MiB"},
		{INFLIGHT("depth: 1KiB"), "2:58: ", "allowed is 1.6KB to 64MiB, or auto"},
		{INFLIGHT("depth: 1TiB"), "2:58: ", NULL},
		{INFLIGHT("depth: 65MiB"), "2:58: ", "allowed is 1.6KB to 64MiB, or auto"},
		{INFLIGHT("depth: 9KB, mtu: 9000"), "2:58: uplinks[0].depth: 9KB is out of range",
		 "allowed is 9042B to 64MiB, or auto"},
		{INFLIGHT("depth: deep"), "2:58: ", NULL},
		{INFLIGHT("depth_scale: 0.5"),
		 "2:64: uplinks[0].depth_scale: ", "allowed is 1 to 16"},
		{INFLIGHT("depth_scale: 17"), "2:64: ", "allowed is 1 to 16"},
		{INFLIGHT("depth_scale: much"), "2:64: ", "no factor"},
		{INFLIGHT("cut: 100"), "2:56: uplinks[0].cut: ", "unit"},
		{INFLIGHT("cut: 999ns"), "2:56: ", "allowed is 1us to 1s, or never"},
		{INFLIGHT("cut: 2s"), "2:56: ", "allowed is 1us to 1s, or never"},
		{TENANT "  inflight: off\n", "5:3: tenants[0].inflight: no such key",
		 "'inflight' belongs in uplinks[]"},
		{CONTRACT("depth: auto"), "7:16: tenants[0].instances[0].contract.depth: no such",
		 "'depth' belongs in uplinks[]"},
		{0},
	};
	struct hg_desired *d;

	check_rows(rows);
	d = must_parse(UPLINK);
	HG_CHECK(!d->uplinks[0].is_inflight_off);
	HG_CHECK_EQ(d->uplinks[0].depth_bytes, 0);
	HG_CHECK_EQ(d->uplinks[0].depth_scale_ppm, 1000000);
	HG_CHECK_EQ(d->uplinks[0].cut_ns, 100 * HG_NS_PER_US);
	hg_config_destroy(d);
	d = must_parse(INFLIGHT("inflight: off, depth: 64KiB, depth_scale: 2.5, cut: never"));
	HG_CHECK(d->uplinks[0].is_inflight_off);
	HG_CHECK_EQ(d->uplinks[0].depth_bytes, 64 * 1024);
	HG_CHECK_EQ(d->uplinks[0].depth_scale_ppm, 2500000);
	HG_CHECK_EQ(d->uplinks[0].cut_ns, 0);
	hg_config_destroy(d);
	d = must_parse(INFLIGHT("inflight: on, depth: auto, cut: 0us"));
	HG_CHECK(!d->uplinks[0].is_inflight_off);
	HG_CHECK_EQ(d->uplinks[0].cut_ns, 0);
	hg_config_destroy(d);
}

static void s2_6_priority_and_behaviour_are_said_of_instances(void)
{
	static const struct row rows[] = {
		{CONTRACT("priority: higher"), "7:26: tenants[0].instances[0].contract.priority: ",
		 "one of normal, high, low; did you mean 'high'?"},
		{CONTRACT("out: {behaviour: rates}"),
		 "7:33: tenants[0].instances[0].contract.out.behaviour: ",
		 "one of depth, rate, none; did you mean 'rate'?"},
		{CONTRACT("in: {behaviour: rate}"),
		 "7:21: tenants[0].instances[0].contract.in.behaviour: ", "write it in 'out'"},
		{TENANT "  contract: {priority: normal}\n",
		 "5:14: tenants[0].contract.priority: ", "in the contract of each instance"},
		{POLICY("priority: high"), "5:20: tenants[0].contract.out.priority: ",
		 "'priority' is said of instances, not of a tenant"},
		{TENANT "  contract: {in: {priority: high}}\n",
		 "5:19: tenants[0].contract.in.priority: ", "of instances"},
		{POLICY("behaviour: none"), "5:20: ", "'behaviour' is said of instances"},
		{TENANT "  priority: high\n", "5:3: tenants[0].priority: no such key",
		 "'priority' belongs in contract.out, contract.in"},
		{0},
	};
	struct hg_desired *d;
	const struct hg_policy *dir;

	check_rows(rows);
	d = must_parse(CONTRACT("priority: high, behaviour: rate, in: {priority: low}"));
	dir = d->instances[0].contract.dir;
	HG_CHECK_EQ(dir[HG_OUT].priority, HG_PRIORITY_HIGH);
	HG_CHECK_EQ(dir[HG_IN].priority, HG_PRIORITY_LOW);
	HG_CHECK_EQ(dir[HG_OUT].behaviour, HG_FOLLOW_RATE);
	HG_CHECK_EQ(dir[HG_IN].behaviour, HG_FOLLOW_DEPTH);
	hg_config_destroy(d);
}

static void quantities_say_their_unit(void)
{
	static const struct row rows[] = {
		{POLICY("max: 5"), "5:25: tenants[0].contract.out.max: ", "unit"},
		{POLICY("max: 0"), "5:25: ", "or none"}, /* blocked, or no maximum? */
		{POLICY("max: 5Mbps"), "5:25: ", "5Mbit"},
		{POLICY("max: 5MB/s"), "5:25: ", "40Mbit"},
		{POLICY("max: 5Gbits"), "5:25: ", NULL},
		{POLICY("burst: 100000"), "5:27: tenants[0].contract.out.burst: ", "unit"},
		{POLICY("burst: 1B"), "5:27: ", "allowed is 1.6KB to 1GiB"},
		{POLICY("max: 1bit"), "5:25: ", NULL},
		{POLICY("max: 2Tbit"), "5:25: ", "allowed is 8Kbit to 1Tbit, or none"},
		{POLICY("max_pkts: 1pps"), "5:30: ", "allowed is 10pps to 1000Mpps, or none"},
		{POLICY("weight: 0"), "5:28: ", "allowed is 1 to 1000"},
		{POLICY("weight: 1001"), "5:28: ", "allowed is 1 to 1000"},
		{POLICY("weight: 1.5"), "5:28: ", "no whole number: allowed is 1 to 1000"},
		{POLICY("weight: 99999999999999999999"), "5:28: ", "no whole number"},
		{POLICY("idle: {after: 10}"), "5:34: tenants[0].contract.out.idle.after: ", "unit"},
		{POLICY("idle: {after: 1ns}"), "5:34: ", "allowed is 100us to 1h"},
		{"oversubscription: 0.5\n", "1:19: oversubscription: ", "allowed is 1 to 100"},
		{"oversubscription: much\n", "1:19: oversubscription: ", "no factor"},
		{"oversubscription: 1.0000001\n", "1:19: oversubscription: ", "no factor"},
		{"uplinks: [{name: a, device: 'xdp:a', capacity: none}]\n",
		 "1:48: uplinks[0].capacity: ", NULL},
		{0},
	};

	check_rows(rows);
	HG_CHECK_STR(verdict_on(POLICY("min: none, max: none, max_pkts: none"), NULL), "ok");
	HG_CHECK_STR(verdict_on(POLICY("min: 0"), NULL), "ok");
}

static void wrong_shapes_are_named(void)
{
	static const struct row rows[] = {
		{"[]\n", "1:1: this is a list, but the host is an object", NULL},
		{"word\n", "1:1: this is one value, but the host is an object", NULL},
		{"uplinks: up0\n", "1:10: uplinks: this is one value, but a list is expected",
		 NULL},
		{"uplinks: {a: b}\n", "1:10: uplinks: this is an object, but a list", NULL},
		{"uplinks: [up0]\n", "1:11: uplinks[0]: this is one value, but an uplink is", NULL},
		{POLICY("max: [1Gbit]"), "5:25: tenants[0].contract.out.max: this is a list, ",
		 "a rate"},
		{POLICY("max: "), "5:25: tenants[0].contract.out.max: nothing is written",
		 "a rate"},
		{TENANT "  contract: 5Gbit\n", "5:13: tenants[0].contract: this is one value",
		 NULL},
		{"uplinks: [{name: a, device: 'xdp:a'}]\n",
		 "1:11: uplinks[0]: 'capacity' is missing; an uplink needs name, device, capacity",
		 NULL},
		{"tenants: [{name: a}]\n", "1:11: tenants[0]: a tenant needs an uplink", NULL},
		{0},
	};

	check_rows(rows);
}

static void names_devices_and_addresses(void)
{
	static const struct row rows[] = {
		{UPLINK "tenants:\n- name: Acme\n", "4:9: tenants[0].name: \"Acme\" is no name",
		 NULL},
		{UPLINK "tenants:\n- name: -a\n", "4:9: ", "is no name"},
		{UPLINK "tenants:\n- name: "
			"a234567890123456789012345678901234567890123456789012345678901234\n",
		 "4:9: ", "too long"},
		{TENANT "- name: acme\n", "5:9: tenants[1].name: the name 'acme' is there twice; ",
		 "first in line 4"},
		{INSTANCE "    ports: [{name: p, device: 'tap:p', mac: 02:00}]\n",
		 "7:45: tenants[0].instances[0].ports[0].mac: ", "02:00:00:00:00:11"},
		{INSTANCE "    ports: [{name: p, device: 'tap:p', mac: '01:00:00:00:00:11'}]\n",
		 "7:45: ", "group address"},
		{INSTANCE "    ports: [{name: p, device: 'tap:p', addresses: [10.0.0.0/8]}]\n",
		 "7:52: tenants[0].instances[0].ports[0].addresses[0]: ", "without a prefix"},
		{INSTANCE "    ports: [{name: p, device: 'tap:p', addresses: 10.0.0.1}]\n",
		 "7:51: ", "a list is expected"},
		{INSTANCE
		 "    ports: [{name: p, device: 'tap:p', addresses: [10.0.0.1, 224.0.0.1]}]\n",
		 "7:62: tenants[0].instances[0].ports[0].addresses[1]: ", "of one machine"},
		{INSTANCE "    ports: [{name: p, device: 'tap:p', vlan: 4095}]\n",
		 "7:46: ", "allowed is 1 to 4094, or none"},
		{INSTANCE "    ports: [{name: p, device: 'tap:p', vlans: [1, 4095]}]\n",
		 "7:51: tenants[0].instances[0].ports[0].vlans[1]: ", "1 to 4094, and ranges"},
		{INSTANCE "    ports: [{name: p, device: 'tap:p', vlans: [9-3]}]\n",
		 "7:48: ", "is no VLAN"},
		{INSTANCE "    ports: [{name: p, device: 'tap:p', vlans: [0]}]\n",
		 "7:48: ", "is no VLAN"},
		{INSTANCE "    ports: [{name: p, device: 'tap:p', vlans: [5, 1-5]}]\n",
		 "7:51: ", "there already, at least in part"},
		{INSTANCE "    ports: [{name: p, device: 'tap:p', vlans: [1,3,5,7,9,11,13,15,17,"
			  "19,21,23,25,27,29,31,33]}]\n",
		 "7:91: ", "at most 16"},
		{INSTANCE "    ports: [{name: p, device: 'tap:p', vlan: 7, vlans: [5-9]}]\n",
		 "7:56: ", "VLAN 7 is the port's own"},
		{INSTANCE "    ports: [{name: p, device: 'tap:p'}, {name: q, device: 'tap:p'}]\n",
		 "7:59: tenants[0].instances[0].ports[1].device: the device 'tap:p' is there twice",
		 NULL},
		{INSTANCE "    ports: [{name: p, device: 'tap p'}]\n", "7:31: ", "without blanks"},
		{INSTANCE
		 "    ports: [{name: p, device: 'tap:p', addresses: [10.0.0.1, 10.0.0.1]}]\n",
		 "7:62: tenants[0].instances[0].ports[0].addresses[1]: ", "is there twice"},
		{INSTANCE
		 "    ports: [{name: p, device: 'tap:p', addresses: [10.0.0.1, 'fd00::1']}]\n"
		 "  - name: web2\n"
		 "    ports: [{name: q, device: 'tap:q', addresses: ['fd00:0::1']}]\n",
		 "9:52: tenants[0].instances[1].ports[0].addresses[0]: fd00::1 is there twice in "
		 "one VLAN "
		 "of one uplink: port p of instance web1 of tenant acme and port q of instance "
		 "web2",
		 NULL},
		{INSTANCE "    ports: [{name: p, device: 'tap:p', mac: '02:00:00:00:00:11'}]\n"
			  "  - name: web2\n"
			  "    ports: [{name: q, device: 'tap:q', mac: '02:00:00:00:00:11'}]\n",
		 "9:45: tenants[0].instances[1].ports[0].mac: 02:00:00:00:00:11 is there twice in "
		 "one "
		 "VLAN: port p of instance web1 of tenant acme and port q of instance web2",
		 NULL},
		{0},
	};

	check_rows(rows);
	HG_CHECK_STR(verdict_on(INSTANCE "    ports: [{name: p, device: 'tap:p', netns: a},"
					 " {name: q, device: 'tap:p', netns: b}]\n",
				NULL),
		     "ok");
}

static void contracts_that_contradict_themselves(void)
{
	static const struct row rows[] = {
		{POLICY("min: 5Gbit, max: 1Gbit"),
		 "5:25: tenants[0].contract.out.min: ", "is more than max"},
		{POLICY("burst: 64KiB, idle: {reserve: 65KiB}"),
		 "5:50: tenants[0].contract.out.idle.reserve: ", "64KiB"},
		{0},
	};

	check_rows(rows);
}

static void s1_10_over_admission_names_sum_capacity_and_contracts(void)
{
	static const char text[] = UPLINK "tenants:\n"
					  "- {name: acme, contract: {out: {min: 6Gbit}}}\n"
					  "- {name: bigco, contract: {out: {min: 5Gbit}}}\n";
	const char *got = verdict_on(text, NULL);
	struct hg_desired *d = NULL;
	struct hg_error err = {0};
	struct hg_tree tree;

	HG_CHECK_HAS(got, "11Gbit");
	HG_CHECK_HAS(got, "10Gbit");
	HG_CHECK_HAS(got, "acme");
	HG_CHECK_HAS(got, "bigco");
	HG_CHECK(strncmp(got, "f.yaml:5:", 9) == 0 || strncmp(got, "f.yaml:2:", 9) == 0);
	HG_CHECK_EQ(hg_config_parse(text, strlen(text), NULL, &d, &err), -HG_ENOSPC);
	hg_error_clear(&err);
	HG_CHECK_EQ(hg_yaml_parse(text, strlen(text), &tree, &err), 0);
	HG_CHECK_EQ(hg_config_read(&tree, NULL, &d, &err), 0);
	HG_CHECK_EQ(d->n_tenants, 2);
	hg_config_destroy(d);
	hg_tree_fini(&tree);
	HG_CHECK_STR(verdict_on(UPLINK "oversubscription: 1.5\ntenants:\n"
				       "- {name: acme, contract: {out: {min: 6Gbit}}}\n"
				       "- {name: bigco, contract: {out: {min: 5Gbit}}}\n",
				NULL),
		     "ok");
}

static int only_taps(const char *device, const char *netns, char *ret_place,
		     struct hg_error *reterr)
{
	(void)ret_place;
	if (netns != NULL && strcmp(netns, "none") == 0)
		return hg_error_set(reterr, -HG_EINVAL, "not in there", NULL);
	if (strncmp(device, "tap:", 4) == 0)
		return 0;
	return hg_error_set(reterr, -HG_EINVAL, "no driver for this; there is tap", NULL);
}

static void device_texts_are_checked_where_they_stand(void)
{
	HG_CHECK_STR(
		verdict_on("uplinks:\n- {name: a, device: pat:x, capacity: 1Gbit}\n", only_taps),
		"f.yaml:2:21: uplinks[0].device: no driver for this; there is tap");
	HG_CHECK_STR(
		verdict_on("uplinks:\n- {name: a, device: tap:x, capacity: 1Gbit}\n", only_taps),
		"ok");
	HG_CHECK_STR(
		verdict_on("uplinks:\n- {name: a, device: tap:x, netns: none, capacity: 1Gbit}\n",
			   only_taps),
		"f.yaml:2:35: uplinks[0].netns: not in there");
}

/* ---- files -------------------------------------------------------------------------------------- */

static char dir[64];

static int load(const char *name, const char *text, size_t n)
{
	struct hg_desired *d = NULL;
	struct hg_error err = {0};
	char path[128];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (text != NULL) {
		FILE *f = fopen(path, "w");

		HG_CHECK(f != NULL && fwrite(text, 1, n, f) == n);
		fclose(f);
	}
	rc = hg_config_load_file(path, NULL, &d, &err);
	hg_config_error_format(&err, "f", message, sizeof(message));
	hg_config_destroy(d);
	if (text != NULL)
		unlink(path);
	return rc;
}

static void files_that_cannot_be_read(void)
{
	struct hg_desired *d = NULL;
	struct hg_error err = {0};
	char path[128];

	snprintf(dir, sizeof(dir), "/tmp/headgate-config-XXXXXX");
	HG_CHECK(mkdtemp(dir) != NULL);
	HG_CHECK_EQ(load("missing", NULL, 0), -HG_ENOENT);
	HG_CHECK_HAS(message, "f: cannot open the file: No such file");
	HG_CHECK_EQ(load("", NULL, 0), -HG_EINVAL);
	HG_CHECK_HAS(message, "directory");
	HG_CHECK_EQ(load("a", "", 0), -HG_EINVAL);
	HG_CHECK_HAS(message, "f:1:1: there is nothing in it; for a host without tenants write {}");
	HG_CHECK_EQ(load("a", " \n\n", 3), -HG_EINVAL);
	HG_CHECK_EQ(load("a", "{}\n", 3), 0);
	HG_CHECK_EQ(load("a", "# only words\n", 13), -HG_EINVAL);
	HG_CHECK_EQ(load("a", "mode: \xff\xfe\n", 9), -HG_EINVAL);
	HG_CHECK_HAS(message, "f:1:7: ");
	HG_CHECK_HAS(message, "UTF-8");
	HG_CHECK_EQ(load("a", "mode: a\0b\n", 10), -HG_EINVAL);
	HG_CHECK_EQ(hg_config_load_file("/proc/self/mem", NULL, &d, &err), -HG_EIO);
	snprintf(path, sizeof(path), "%s/large", dir);
	HG_CHECK(fclose(fopen(path, "w")) == 0 && truncate(path, (64 << 20) + 1) == 0);
	HG_CHECK_EQ(load("large", NULL, 0), -HG_EINVAL);
	HG_CHECK_HAS(message, "larger than 64 MiB");
	unlink(path);
	rmdir(dir);
}

static void a_file_without_rights(void)
{
	char path[] = "/tmp/headgate-config-XXXXXX";
	struct hg_desired *d = NULL;
	struct hg_error err = {0};
	int fd = mkstemp(path), rc;

	HG_CHECK(fd >= 0 && fchmod(fd, 0) == 0);
	close(fd);
	HG_CHECK(geteuid() != 0 || seteuid(65534) == 0);
	rc = hg_config_load_file(path, NULL, &d, &err);
	HG_CHECK(getuid() != 0 || seteuid(0) == 0);
	unlink(path);
	HG_CHECK_EQ(rc, -HG_EPERM);
	HG_CHECK_HAS(err.text, "Permission denied");
}

static void the_summary_counts_and_adds_up(void)
{
	struct hg_desired *d = must_parse(design_example);
	char text[512];

	HG_CHECK_STR(hg_config_summary(d, text, sizeof(text)),
		     "1 uplink, 1 tenant, 1 instance, 1 port\n"
		     "uplink up0: guaranteed out 2Gbit, in 1Gbit of 10Gbit");
	hg_config_destroy(d);
}

static const struct hg_test tests[] = {
	HG_TEST(s1_1_every_field_of_a_contract),
	HG_TEST(directions_may_differ_from_what_is_shared),
	HG_TEST(whoever_asks_for_nothing_gets_the_default_contract),
	HG_TEST(s1_13_observe_for_host_or_contract),
	HG_TEST(json_is_read_as_well),
	HG_TEST(tenants_choose_their_uplink),
	HG_TEST(wrong_keys_name_place_and_nearest_match),
	HG_TEST(keys_not_served_are_refused_by_name),
	HG_TEST(s6_1_credits_are_read_with_their_place),
	HG_TEST(s2_7_classes_are_read_with_their_place),
	HG_TEST(s2_4_the_cards_queue_is_the_operators),
	HG_TEST(s2_6_priority_and_behaviour_are_said_of_instances),
	HG_TEST(quantities_say_their_unit),
	HG_TEST(wrong_shapes_are_named),
	HG_TEST(names_devices_and_addresses),
	HG_TEST(contracts_that_contradict_themselves),
	HG_TEST(s1_10_over_admission_names_sum_capacity_and_contracts),
	HG_TEST(device_texts_are_checked_where_they_stand),
	HG_TEST(files_that_cannot_be_read),
	HG_TEST(a_file_without_rights),
	HG_TEST(the_summary_counts_and_adds_up),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
