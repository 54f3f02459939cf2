#include "api/steps.h"

#include "tests/harness.h"

static const char start_text[] = "uplinks: [{name: up0, device: 'tap:out0', capacity: 10Gbit}]\n"
				 "tenants:\n"
				 "- name: acme\n"
				 "  contract: {out: {min: 4Gbit}}\n"
				 "  instances:\n"
				 "  - {name: web1, contract: {out: {min: 1Gbit}}, ports: [{name: "
				 "web1-0, device: 'tap:w1'}]}\n"
				 "  - {name: web2}\n"
				 "- name: bigco\n";

static struct hg_desired *now; /* in force */
static bool has_changed;
static struct hg_error err;

static void begin(void)
{
	hg_error_clear(&err);
	HG_CHECK_EQ(hg_config_parse(start_text, strlen(start_text), NULL, &now, &err), 0);
}

static struct hg_tree body_of(const char *text)
{
	struct hg_tree body;

	hg_error_clear(&err);
	HG_CHECK_EQ(hg_yaml_parse(text, strlen(text), &body, &err), 0);
	return body;
}

enum step { UPLINK, INSTANCE, PORT };

/* Does the step and, if it works, makes its result the state in force. */
static int put(enum step step, const char *name, const char *body_text)
{
	struct hg_tree body = body_of(body_text);
	struct hg_desired *next = NULL;
	int rc;

	if (step == UPLINK)
		rc = hg_steps_uplink_put(now, name, &body, NULL, &next, &has_changed, &err);
	else if (step == INSTANCE)
		rc = hg_steps_instance_put(now, name, &body, NULL, &next, &has_changed, &err);
	else
		rc = hg_steps_port_put(now, name, &body, NULL, &next, &has_changed, &err);
	hg_tree_fini(&body);
	HG_CHECK_EQ(next != NULL, rc == 0);
	if (rc == 0) {
		hg_config_destroy(now);
		now = next;
	}
	return rc;
}

static int take(enum step step, const char *name)
{
	struct hg_desired *next = NULL;
	int rc = step == INSTANCE ? hg_steps_instance_remove(now, name, &next, &has_changed, &err)
				  : hg_steps_port_remove(now, name, &next, &has_changed, &err);

	if (rc == 0) {
		hg_config_destroy(now);
		now = next;
	}
	return rc;
}

static void an_instance_is_added_once(void)
{
	static const char body[] = "{tenant: bigco, contract: {out: {min: 2Gbit}},"
				   " ports: [{name: db-0, device: 'tap:db0'}]}";

	begin();
	HG_CHECK_EQ(put(INSTANCE, "db", body), 0);
	HG_CHECK(has_changed);
	HG_CHECK_EQ(now->n_instances, 3);
	HG_CHECK_STR(now->instances[2].name, "db");
	HG_CHECK_EQ(now->instances[2].tenant_idx, 1);
	HG_CHECK_STR(now->ports[1].device, "tap:db0");
	HG_CHECK_EQ(put(INSTANCE, "db", body), 0);
	HG_CHECK(!has_changed);
	HG_CHECK_EQ(now->n_instances, 3);
	hg_config_destroy(now);
}

static void what_a_body_leaves_out_stays(void)
{
	begin();
	HG_CHECK_EQ(put(INSTANCE, "web1", "{}"), 0);
	HG_CHECK(!has_changed);
	HG_CHECK_EQ(put(INSTANCE, "web1", "{name: web1, tenant: acme}"), 0);
	HG_CHECK(!has_changed);
	HG_CHECK_EQ(put(INSTANCE, "web1", "{contract: {in: {max: 1Gbit}}}"), 0);
	HG_CHECK(has_changed);
	HG_CHECK_EQ(now->n_ports, 1);
	HG_CHECK_EQ(now->instances[0].contract.dir[HG_OUT].min_bytes_per_s, 0);
	HG_CHECK_EQ(put(INSTANCE, "web1", "{ports: []}"), 0);
	HG_CHECK(has_changed);
	HG_CHECK_EQ(now->n_ports, 0);
	HG_CHECK_EQ(now->instances[0].contract.dir[HG_IN].max_bytes_per_s, 125000000);
	hg_config_destroy(now);
}

static void an_instance_moves_with_its_ports(void)
{
	begin();
	HG_CHECK_EQ(put(INSTANCE, "web1", "{tenant: bigco}"), 0);
	HG_CHECK(has_changed);
	HG_CHECK_EQ(now->n_instances, 2);
	HG_CHECK_STR(now->instances[1].name, "web1");
	HG_CHECK_EQ(now->instances[1].tenant_idx, 1);
	HG_CHECK_EQ(now->ports[0].instance_idx, 1);
	hg_config_destroy(now);
}

static void removing_twice_is_removing_once(void)
{
	begin();
	HG_CHECK_EQ(take(INSTANCE, "web1"), 0);
	HG_CHECK(has_changed);
	HG_CHECK_EQ(now->n_instances, 1);
	HG_CHECK_EQ(now->n_ports, 0);
	HG_CHECK_EQ(take(INSTANCE, "web1"), 0);
	HG_CHECK(!has_changed);
	HG_CHECK_EQ(take(PORT, "nobody"), 0);
	HG_CHECK(!has_changed);
	hg_config_destroy(now);
}

static void a_port_is_attached_moved_and_detached(void)
{
	begin();
	HG_CHECK_EQ(put(PORT, "p", "{instance: web2, device: 'packet:veth3', vlan: 7}"), 0);
	HG_CHECK(has_changed);
	HG_CHECK_EQ(now->n_ports, 2);
	HG_CHECK_EQ(put(PORT, "p", "{instance: web2, device: 'packet:veth3', vlan: 7}"), 0);
	HG_CHECK(!has_changed);
	HG_CHECK_EQ(put(PORT, "p", "{device: 'packet:veth3'}"), 0);
	HG_CHECK(has_changed);
	HG_CHECK_EQ(now->ports[1].vlan, HG_VLAN_TENANT);
	HG_CHECK_EQ(put(PORT, "p", "{instance: web1, device: 'packet:veth3'}"), 0);
	HG_CHECK(has_changed);
	HG_CHECK_EQ(now->ports[1].instance_idx, 0);
	HG_CHECK_EQ(take(PORT, "p"), 0);
	HG_CHECK(has_changed);
	HG_CHECK_EQ(now->n_ports, 1);
	hg_config_destroy(now);
}

static void an_uplink_is_changed_key_by_key(void)
{
	begin();
	HG_CHECK_EQ(put(UPLINK, "up0", "{inflight: off, depth: 64KiB}"), 0);
	HG_CHECK(has_changed);
	HG_CHECK(now->uplinks[0].is_inflight_off);
	HG_CHECK_EQ(put(UPLINK, "up0", "{inflight: off}"), 0);
	HG_CHECK(!has_changed);
	HG_CHECK_EQ(put(UPLINK, "up0", "{inflight: on}"), 0);
	HG_CHECK(has_changed);
	HG_CHECK(!now->uplinks[0].is_inflight_off);
	HG_CHECK_EQ(now->uplinks[0].depth_bytes, 64 * 1024);
	HG_CHECK_STR(now->uplinks[0].device, "tap:out0");
	HG_CHECK_EQ(now->n_instances, 2);
	hg_config_destroy(now);
}

struct row {
	enum step step;
	const char *name, *body;
	int rc;
	const char *begins, *has;
};

static void refused_steps_say_why_and_change_nothing(void)
{
	static const struct row rows[] = {
		{INSTANCE, "db", "{tenant: bigc}", -HG_ENOENT,
		 "1:10: tenant: no tenant has the name \"bigc\"; there is acme, bigco",
		 "did you mean 'bigco'?"},
		{INSTANCE, "db", "{}", -HG_EINVAL, "1:1: 'tenant' is missing", "acme, bigco"},
		{INSTANCE, "db", "[]", -HG_EINVAL, "1:1: an object", NULL},
		{INSTANCE, "db", "{name: dc, tenant: acme}", -HG_EINVAL, "1:8: name: ", "'db'"},
		{INSTANCE, "Db", "{tenant: acme}", -HG_EINVAL, "", "is no name"},
		{INSTANCE, "db", "{tenant: acme, port: []}", -HG_EINVAL,
		 "1:16: tenants[0].instances[2].port: no such key", "did you mean 'ports'?"},
		{INSTANCE, "db", "{tenant: acme, disk: {}}", -HG_ENOTSUP, "1:16: ", "'disk'"},
		{INSTANCE, "db", "{tenant: bigco,\n contract: {out: {min: 7Gbit}}}", -HG_ENOSPC, "",
		 "10Gbit"},
		{UPLINK, "up1", "{depth: auto}", -HG_ENOENT, "",
		 "no uplink has the name \"up1\"; there is up0; did you mean 'up0'?"},
		{UPLINK, "up0", "{depht: auto}", -HG_EINVAL, "1:2: uplinks[0].depht: no such key",
		 "did you mean 'depth'?"},
		{UPLINK, "up0", "{inflight: off,\n depth: 0B}", -HG_EINVAL,
		 "2:9: uplinks[0].depth: ", "allowed is 1.6KB to 64MiB, or auto"},
		{UPLINK, "up0", "{mtu: 9000, depth: 9000B}", -HG_EINVAL,
		 "1:20: uplinks[0].depth: ", "allowed is 9042B to 64MiB, or auto"},
		{PORT, "p", "{instance: web3, device: 'tap:x'}", -HG_ENOENT,
		 "1:12: instance: ", "there is web1, web2; did you mean 'web1'?"},
		{PORT, "p", "{device: 'tap:x'}", -HG_EINVAL, "1:1: 'instance' is missing", NULL},
		{PORT, "p", "{instance: web1}", -HG_EINVAL, "", "'device' is missing"},
		{PORT, "p", "{instance: web1, device: 'tap:w1'}", -HG_EEXIST,
		 "1:26: ", "is there twice"},
		{0},
	};
	char line[1024];

	begin();
	for (const struct row *row = rows; row->name != NULL; row++) {
		HG_CHECK_EQ(put(row->step, row->name, row->body), row->rc);
		HG_CHECK_EQ(err.code, row->rc);
		hg_config_error_format(&err, NULL, line, sizeof(line));
		if (strncmp(line, row->begins, strlen(row->begins)) != 0 ||
		    (row->has != NULL && strstr(line, row->has) == NULL))
			HG_TEST_FAIL("%s gives \"%s\", want \"%s ... %s\"", row->body, line,
				     row->begins, row->has);
	}
	HG_CHECK_EQ(now->n_instances, 2);
	hg_config_destroy(now);
}

static const struct hg_test tests[] = {
	HG_TEST(an_instance_is_added_once),
	HG_TEST(what_a_body_leaves_out_stays),
	HG_TEST(an_instance_moves_with_its_ports),
	HG_TEST(removing_twice_is_removing_once),
	HG_TEST(a_port_is_attached_moved_and_detached),
	HG_TEST(an_uplink_is_changed_key_by_key),
	HG_TEST(refused_steps_say_why_and_change_nothing),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
