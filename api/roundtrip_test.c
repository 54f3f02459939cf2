/* Properties of whole states, over random ones: what is written down is read back the same, and a
 * comparison finds what differs. Each is seen to fail with a twin that is broken on purpose. */
#include "api/config.h"
#include "api/desired.h"

#include "core/depth.h"

#include "tests/harness.h"

#define ROUNDS 300u
#define INSTANCES_MAX 8u
#define PORTS_MAX 3u

static uint64_t seed;

static uint64_t between(uint64_t lo, uint64_t hi)
{
	return hg_test_between(&seed, lo, hi);
}

static bool chance(unsigned percent)
{
	return between(1, 100) <= percent;
}

/* ---- random states ------------------------------------------------------------------------------ */

/* Minima stay small enough to be admitted: an instance's below a tenth of the least minimum and maximum
 * of a tenant, and all of them below the links' terabit. */
static void random_policy(struct hg_policy *p, uint64_t least_min, uint64_t most_min,
			  bool is_instance)
{
	if (chance(50))
		p->min_bytes_per_s = between(least_min, most_min);
	if (chance(50))
		p->max_bytes_per_s = between(most_min, HG_RATE_MAX_BYTES_PER_S);
	if (chance(30))
		p->max_pkts_per_s = between(10, 1000000000);
	if (chance(50))
		p->weight = (uint32_t)between(1, HG_WEIGHT_MAX);
	if (chance(50))
		p->burst_bytes = between(HG_BURST_MIN_BYTES, HG_BURST_MAX_BYTES);
	p->reserve_bytes = chance(50) ? p->burst_bytes : between(0, p->burst_bytes);
	if (chance(30))
		p->idle_after_ns = (hg_ns)between(HG_IDLE_AFTER_MIN_NS, HG_IDLE_AFTER_MAX_NS);
	p->accounting = chance(30);
	if (is_instance && chance(30))
		p->priority = (uint8_t)between(0, HG_N_PRIORITIES - 1);
}

static void random_contract(struct hg_contract *c, uint64_t least_min, uint64_t most_min,
			    bool is_instance)
{
	hg_contract_init(c);
	random_policy(&c->dir[HG_OUT], least_min, most_min, is_instance);
	random_policy(&c->dir[HG_IN], least_min, most_min, is_instance);
	if (chance(30)) /* both directions alike in what can be said once */
		c->dir[HG_IN] = c->dir[HG_OUT];
	if (is_instance && chance(30))
		c->dir[HG_OUT].behaviour = (uint8_t)between(0, HG_FOLLOW_NONE);
	c->mode = chance(20) ? HG_MODE_OBSERVE : HG_MODE_ENFORCE;
}

static void random_classes(struct hg_class_set *set)
{
	uint64_t left = UINT64_MAX;

	set->n = chance(70) ? 0 : (uint32_t)between(HG_CLASSES_MIN, HG_CLASSES_MAX);
	for (uint32_t i = 0; i < HG_CLASSES_MAX && i < set->n; i++) {
		struct hg_class *c = &set->classes[i];

		snprintf(c->name, sizeof(c->name), "class%u", i);
		c->dscps = (UINT64_C(1) << between(0, 63) | UINT64_C(1) << i) & left;
		if (c->dscps == 0)
			c->pcps = (uint8_t)(1u << i);
		left &= ~c->dscps;
		c->weight = (uint16_t)between(0, HG_CLASS_WEIGHT_MAX);
	}
}

static uint64_t random_credits(void)
{
	return chance(40) ? HG_CPU_UNSAID : between(0, HG_CPU_CREDITS_MAX_UCREDITS);
}

static void random_credit_terms(struct hg_cpu_credits *c)
{
	hg_cpu_credits_init(c);
	if (chance(60))
		return;
	c->max_ucredits = random_credits();
	c->launch_ucredits = random_credits();
	c->surplus_max_ucredits = random_credits();
	if (chance(50))
		c->max_age_ns = (hg_ns)between((uint64_t)HG_LEDGER_AGE_MIN_NS,
					       (uint64_t)HG_LEDGER_AGE_MAX_NS);
	c->alarm_below_ucredits = chance(50) ? 0 : between(1, 1000000000);
	c->mode = (uint8_t)between(0, HG_CPU_UNLIMITED);
}

static void random_cpu(struct hg_cpu *cpu, uint32_t idx)
{
	static const char *const presets[] = {"", "t3.micro", "b1ls"};

	hg_cpu_init(cpu);
	if (chance(60))
		return;
	snprintf(cpu->cgroup, sizeof(cpu->cgroup), "machine/#%u", idx);
	strcpy(cpu->preset, presets[between(0, 2)]);
	cpu->vcpus = chance(50) ? HG_CPU_UNSAID : between(1, HG_CPU_VCPUS_MAX);
	if (cpu->preset[0] == '\0' || chance(30))
		cpu->baseline_ppm = between(HG_CPU_BASELINE_MIN_PPM, 1000000);
	if (chance(40))
		cpu->earn_ucredits_per_h = between(0, HG_CPU_EARN_MAX_UCREDITS_PER_H);
	random_credit_terms(&cpu->credits);
	if (chance(50))
		cpu->keep_stopped_ns =
			chance(30) ? 0
				   : between((uint64_t)HG_NS_PER_S, (uint64_t)HG_LEDGER_AGE_MAX_NS);
	cpu->glide_ns =
		(hg_ns)between((uint64_t)HG_CPU_GLIDE_MIN_NS, (uint64_t)HG_CPU_GLIDE_MAX_NS);
	cpu->weight = (uint32_t)between(1, 1000);
	cpu->on_stop = (uint8_t)between(0, 1);
	cpu->is_pooled = chance(30);
}

/* Names that YAML would like to take for something else, too. */
static void random_name(char *buf, const char *kind, uint32_t idx)
{
	static const char *const odd[] = {"null-", "0x1e", "1.5.", "true", "no_", "007"};

	if (chance(30))
		snprintf(buf, HG_NAME_BYTES, "%s%u", odd[between(0, 5)], idx);
	else if (chance(5) && idx == 0)
		snprintf(buf, HG_NAME_BYTES, "%s", "null");
	else
		snprintf(buf, HG_NAME_BYTES, "%s%u", kind, idx);
}

/* All below those that a port or a tenant has for itself. */
#define OWN_VLANS_FROM 3000u

static void random_vlans(struct hg_desired_port *port)
{
	uint16_t next = 1;

	for (uint64_t i = between(0, HG_PORT_VLANS_MAX); i > 0; i--) {
		struct hg_vlan_range *range = &port->vlans[port->n_vlans++];

		range->first = (uint16_t)between(next, next + 50u);
		range->last = chance(50) ? range->first
					 : (uint16_t)between(range->first, range->first + 50u);
		next = (uint16_t)(range->last + 1u);
	}
}

static void random_port(struct hg_desired_port *port, uint32_t idx)
{
	static const char *const devices[] = {"tap:t", "vhost:/run/#", "packet:\"v'",
					      "simnic(rate=1Gbit,ring=16)+tap:{x}", "-[*&!"};

	random_name(port->name, "port", idx);
	snprintf(port->device, sizeof(port->device), "%s%u", devices[between(0, 4)], idx);
	if (chance(40))
		snprintf(port->netns, sizeof(port->netns), "ns%u", (unsigned)between(0, 9));
	port->has_mac = chance(70);
	if (port->has_mac) {
		port->mac[0] = 2;
		port->mac[4] = (uint8_t)(idx >> 8);
		port->mac[5] = (uint8_t)(idx + 1);
	}
	if (chance(30))
		random_vlans(port);
	port->vlan = chance(30)   ? HG_VLAN_TENANT
		     : chance(50) ? (uint16_t)between(OWN_VLANS_FROM, HG_VLAN_MAX)
				  : HG_VLAN_NONE;
	port->limits.broadcast_pkts_per_s = chance(30) ? (uint32_t)between(10, 1000000000) : 0;
	port->limits.multicast_pkts_per_s = chance(30) ? (uint32_t)between(10, 1000000000) : 0;
	port->max_learned =
		chance(50) ? (uint32_t)between(0, HG_PORT_LEARN_MAX) : HG_PORT_LEARN_DEFAULT;
	port->guard.may_route = chance(30);
	port->guard.may_serve_dhcp = chance(30);
	port->mtu = chance(50) ? (uint32_t)between(HG_MTU_MIN, HG_MTU_MAX) : HG_MTU_DEFAULT;
	port->n_addresses = (uint32_t)between(0, HG_PORT_ADDRESSES_MAX);
	for (uint32_t i = 0; i < port->n_addresses; i++) {
		struct hg_address *address = &port->addresses[i];

		address->len = chance(50) ? 4 : 16;
		for (uint32_t k = 0; k < address->len; k++)
			address->bytes[k] = chance(40) ? 0 : (uint8_t)between(0, 255);
		/* No two alike, of all ports. */
		address->bytes[0] = (uint8_t)(i + 1);
		address->bytes[1] = (uint8_t)idx;
		address->bytes[2] = (uint8_t)(idx >> 8);
	}
}

static struct hg_desired *random_state(void)
{
	uint32_t n_tenants = (uint32_t)between(0, 6), n_instances = 0, n_ports = 0;
	uint32_t n_uplinks = (uint32_t)between(n_tenants > 0, 3);
	struct hg_desired *d = hg_desired_create(n_uplinks, n_tenants, n_tenants * INSTANCES_MAX,
						 n_tenants * INSTANCES_MAX * PORTS_MAX);

	d->mode = chance(20) ? HG_MODE_OBSERVE : HG_MODE_ENFORCE;
	if (chance(50))
		d->oversubscription_ppm = (uint32_t)between(1000000, 100000000);
	for (uint32_t u = 0; u < n_uplinks; u++) {
		struct hg_desired_uplink *uplink = &d->uplinks[u];

		random_name(uplink->name, "up", u);
		snprintf(uplink->device, sizeof(uplink->device), "xdp:eth%u", u);
		uplink->capacity_bytes_per_s = HG_RATE_MAX_BYTES_PER_S - between(0, 1000000);
		uplink->mtu = HG_MTU_DEFAULT;
		uplink->limits.unknown_pkts_per_s =
			chance(30) ? (uint32_t)between(10, 1000000000) : 0;
		uplink->is_inflight_off = chance(30);
		uplink->depth_bytes =
			chance(50) ? 0 : between(HG_DEPTH_MIN_BYTES, HG_DEPTH_MAX_BYTES);
		uplink->depth_scale_ppm =
			(uint32_t)between(HG_DEPTH_SCALE_MIN_PPM, HG_DEPTH_SCALE_MAX_PPM);
		uplink->cut_ns = chance(30) ? 0
					    : (hg_ns)between((uint64_t)HG_CUT_MIN_NS,
							     (uint64_t)HG_CUT_MAX_NS);
	}
	for (uint32_t t = 0; t < n_tenants; t++) {
		struct hg_desired_tenant *tenant = &d->tenants[t];

		random_name(tenant->name, "tenant", t);
		tenant->uplink_idx = (uint32_t)between(0, n_uplinks - 1);
		tenant->vlan = chance(50) ? (uint16_t)between(OWN_VLANS_FROM, HG_VLAN_MAX) : 0;
		random_contract(&tenant->contract, 1000000000, 2000000000, false);
		random_credit_terms(&tenant->pool);
		for (uint64_t i = between(0, INSTANCES_MAX); i > 0; i--) {
			struct hg_desired_instance *instance = &d->instances[n_instances];

			random_name(instance->name, "instance", n_instances);
			instance->tenant_idx = t;
			random_contract(&instance->contract, 1000, 100000000, true);
			random_classes(&instance->contract.dir[HG_OUT].classes);
			random_classes(&instance->contract.dir[HG_IN].classes);
			random_cpu(&instance->cpu, n_instances);
			for (uint64_t p = between(0, PORTS_MAX); p > 0; p--) {
				d->ports[n_ports].instance_idx = n_instances;
				random_port(&d->ports[n_ports], n_ports);
				n_ports++;
			}
			n_instances++;
		}
	}
	d->n_instances = n_instances;
	d->n_ports = n_ports;
	return d;
}

/* ---- round trip --------------------------------------------------------------------------------- */

typedef int (*export_fn)(const struct hg_desired *d, char **ret_text, size_t *ret_n,
			 struct hg_error *err);

static int export_yaml(const struct hg_desired *d, char **ret_text, size_t *ret_n,
		       struct hg_error *err)
{
	return hg_config_export_yaml(d, ret_text, ret_n, err);
}

static int export_json(const struct hg_desired *d, char **ret_text, size_t *ret_n,
		       struct hg_error *err)
{
	json_t *root;
	int rc = hg_config_export_json(d, &root, err);

	if (rc < 0)
		return rc;
	*ret_text = json_dumps(root, JSON_INDENT(2));
	*ret_n = strlen(*ret_text);
	json_decref(root);
	return 0;
}

/* The broken twin: rates lose what is less than 1 Kbit/s. */
static int export_rounded(const struct hg_desired *d, char **ret_text, size_t *ret_n,
			  struct hg_error *err)
{
	struct hg_desired *copy = hg_config_copy(d);
	int rc;

	for (uint32_t i = 0; i < copy->n_tenants; i++)
		copy->tenants[i].contract.dir[HG_IN].max_bytes_per_s /= 125;
	for (uint32_t i = 0; i < copy->n_tenants; i++)
		copy->tenants[i].contract.dir[HG_IN].max_bytes_per_s *= 125;
	rc = hg_config_export_yaml(copy, ret_text, ret_n, err);
	hg_config_destroy(copy);
	return rc;
}

static bool survives(const struct hg_desired *d, export_fn export)
{
	struct hg_desired *again = NULL;
	struct hg_error err = {0};
	char *text, why[1024];
	size_t n;
	bool is_same;

	HG_CHECK_EQ(export(d, &text, &n, &err), 0);
	if (hg_config_parse(text, n, NULL, &again, &err) < 0)
		HG_TEST_FAIL("%s in\n%s", hg_config_error_format(&err, NULL, why, sizeof(why)),
			     text);
	is_same = hg_config_equal(d, again);
	free(text);
	hg_config_destroy(again);
	return is_same;
}

static unsigned count_lost(export_fn export)
{
	unsigned rounds = hg_test_rounds > 0 ? hg_test_rounds : ROUNDS, n_lost = 0;

	for (unsigned i = 0; i < rounds; i++) {
		struct hg_desired *d;

		seed = hg_test_seed + i;
		d = random_state();
		n_lost += !survives(d, export);
		hg_config_destroy(d);
	}
	return n_lost;
}

static void what_is_exported_is_read_back_the_same(void)
{
	HG_CHECK_EQ(count_lost(export_yaml), 0);
	HG_CHECK_EQ(count_lost(export_json), 0);
}

static void an_export_that_rounds_is_found_out(void)
{
	HG_CHECK(count_lost(export_rounded) > 0);
}

/* ---- differences -------------------------------------------------------------------------------- */

/* One thing becomes another; never to what it was. */
static bool change_one(struct hg_desired *d)
{
	uint8_t *behaviour;

	switch (between(0, 8)) {
	case 0:
		d->mode ^= 1u;
		return true;
	case 1:
		d->oversubscription_ppm ^= 1u;
		return true;
	case 2:
		if (d->n_uplinks == 0)
			return false;
		d->uplinks[between(0, d->n_uplinks - 1)].capacity_bytes_per_s ^= 1u;
		return true;
	case 3:
		if (d->n_tenants == 0)
			return false;
		d->tenants[between(0, d->n_tenants - 1)].contract.dir[between(0, 1)].weight ^=
			1024u;
		return true;
	case 4:
		if (d->n_instances == 0)
			return false;
		d->instances[between(0, d->n_instances - 1)]
			.contract.dir[between(0, 1)]
			.idle_after_ns ^= 1;
		return true;
	case 5:
		if (d->n_uplinks == 0)
			return false;
		d->uplinks[between(0, d->n_uplinks - 1)].is_inflight_off ^= true;
		return true;
	case 6:
		if (d->n_instances == 0)
			return false;
		behaviour = &d->instances[between(0, d->n_instances - 1)]
				     .contract.dir[HG_OUT]
				     .behaviour;
		*behaviour = (uint8_t)((*behaviour + 1u) % 3u);
		return true;
	case 7:
		if (d->n_instances == 0)
			return false;
		d->instances[between(0, d->n_instances - 1)].cpu.credits.alarm_below_ucredits ^= 1;
		return true;
	case 8:
		if (d->n_ports == 0)
			return false;
		d->ports[between(0, d->n_ports - 1)].mtu ^= 1u;
		return true;
	default:
		if (d->n_ports == 0)
			return false;
		d->n_ports--;
		return true;
	}
}

typedef bool (*differ_fn)(const struct hg_desired *a, const struct hg_desired *b);

static bool differ(const struct hg_desired *a, const struct hg_desired *b)
{
	struct hg_error err = {0};
	json_t *list;
	bool is_different;

	HG_CHECK_EQ(hg_config_diff(a, b, &list, &err), 0);
	is_different = json_array_size(list) > 0;
	json_decref(list);
	return is_different;
}

/* The broken twin: blind for ports. */
static bool differ_but_for_ports(const struct hg_desired *a, const struct hg_desired *b)
{
	struct hg_desired left = *a, right = *b;

	left.n_ports = 0;
	right.n_ports = 0;
	return differ(&left, &right);
}

static unsigned count_wrong(differ_fn is_different)
{
	unsigned rounds = hg_test_rounds > 0 ? hg_test_rounds : ROUNDS, n_wrong = 0;

	for (unsigned i = 0; i < rounds; i++) {
		struct hg_desired *before, *after;
		bool has_changed;

		seed = hg_test_seed + i;
		before = random_state();
		after = hg_config_copy(before);
		n_wrong += is_different(before, after);
		has_changed = change_one(after);
		n_wrong += is_different(before, after) != has_changed;
		hg_config_destroy(before);
		hg_config_destroy(after);
	}
	return n_wrong;
}

static void a_difference_is_found_where_there_is_one(void)
{
	HG_CHECK_EQ(count_wrong(differ), 0);
}

static void a_comparison_blind_for_ports_is_found_out(void)
{
	HG_CHECK(count_wrong(differ_but_for_ports) > 0);
}

static const struct hg_test tests[] = {
	HG_TEST(what_is_exported_is_read_back_the_same),
	HG_TEST(an_export_that_rounds_is_found_out),
	HG_TEST(a_difference_is_found_where_there_is_one),
	HG_TEST(a_comparison_blind_for_ports_is_found_out),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
