/* A saved instance: what is written is read again, and what cannot be is refused with its place. */
#include "api/saved.h"
#include "tests/harness.h"

static const char here_text[] =
	"uplinks: [{name: up0, device: 'tap:out0', capacity: 1Gbit},"
	" {name: up1, device: 'tap:out1', capacity: 1Gbit}]\n"
	"tenants:\n"
	"- name: acme\n"
	"  contract: {out: {min: 500Mbit}}\n"
	"  instances:\n"
	"  - name: web1\n"
	"    contract: {out: {min: 100Mbit, max: 200Mbit}}\n"
	"    ports:\n"
	"    - {name: web1-0, device: 'tap:w0', mac: '02:00:00:00:00:11', addresses: [10.0.0.11]}\n"
	"    - {name: web1-1, device: 'tap:w1', vlan: 7}\n"
	"  - name: web2\n"
	"    ports: [{name: web2-0, device: 'tap:w2'}]\n"
	"- {name: other, uplink: up1}\n";

static struct hg_desired *here, *empty;
static struct hg_arrival *arrival;
static struct hg_error err;
static char *text;

static struct hg_desired *parse_state(const char *yaml)
{
	struct hg_desired *d;

	if (hg_config_parse(yaml, strlen(yaml), NULL, &d, &err) < 0)
		HG_TEST_FAIL("%s: %s", err.path, err.text);
	return d;
}

static void set_up(void)
{
	here = parse_state(here_text);
	empty = parse_state("uplinks: [{name: up0, device: 'tap:out0', capacity: 1Gbit}]\n"
			    "tenants: [{name: acme}]\n");
	err = (struct hg_error){0};
}

static void tear_down(void)
{
	hg_config_destroy(here);
	hg_config_destroy(empty);
	hg_arrival_destroy(arrival);
	free(text);
	arrival = NULL;
	text = NULL;
}

/* ---- what a host may know of web1 ---------------------------------------------------------------- */

static void fill_sched(struct hg_sched_saved *s, uint64_t *n)
{
	*s = (struct hg_sched_saved){.due_in_ns = (hg_ns)(*n += 11), .ahead = (*n += 11)};
	s->quiet_ns = (hg_ns)(*n += 11);
	s->n_classes = 2;
	s->class_ahead[1] = *n += 11;
}

static void fill(struct hg_saved_instance *s)
{
	uint64_t n = 1000;

	memset(s, 0, sizeof(*s));
	for (unsigned d = 0; d < HG_N_DIRS; d++) {
		struct hg_state_dir *dir = &s->state.dir[d];
		struct hg_totals_dir *totals = &s->totals.dir[d];

		dir->caps.has_bytes = true;
		dir->caps.bytes = (struct hg_bucket_saved){
			.tokens = -(int64_t)(n += 11), .part = 77, .taken_ago_ns = 5};
		fill_sched(&dir->link, &n);
		for (unsigned i = 0; i < HG_N_DROPS; i++)
			totals->drops[i] = n += 11;
		for (unsigned i = 0; i < HG_N_LIMITS; i++)
			totals->held_ns[i] = n += 11;
		totals->sent_bytes = n += 11;
		totals->missed_max = n += 11;
	}
	s->state.dir[HG_IN].caps.has_pkts = true; /* an empty bucket, and nothing else */
	fill_sched(&s->state.dir[HG_OUT].local, &n);
	s->state.dir[HG_OUT].local.due_in_ns = -3;
	s->state.behaviour = (struct hg_behaviour){.level = -1, .n_inside = 2, .reason = 3};
	s->state.n_learned = 2;
	s->state.learned[0] =
		(struct hg_state_learned){.mac = {2, 0, 0, 0, 0, 0x21}, .port_idx = 1};
	s->state.learned[1] = (struct hg_state_learned){
		.mac = {2, 0, 0, 0, 0, 0x22}, .port_idx = 1, .seen_ago_ns = 9};
	s->totals.age_ns = 12345;
	s->totals.cut_pieces = 3;
}

static void write_web1(const struct hg_saved_instance *saved)
{
	json_t *json;

	if (hg_saved_write(here, 0, saved, &json, &err) < 0)
		HG_TEST_FAIL("%s", err.text);
	free(text);
	text = json_dumps(json, JSON_INDENT(1));
	json_decref(json);
}

static int read_text(const struct hg_desired *now, const char *name, const char *uplink,
		     const char *document)
{
	struct hg_tree tree;
	int rc = hg_yaml_parse(document, strlen(document), &tree, &err);

	HG_CHECK_EQ(rc, 0);
	hg_arrival_destroy(arrival);
	arrival = NULL;
	err = (struct hg_error){0};
	rc = hg_saved_read(now, name, uplink, &tree, NULL, &arrival, &err);
	hg_tree_fini(&tree);
	return rc;
}

/* ---- field by field: padding may differ ----------------------------------------------------------- */

static void check_bucket(const struct hg_bucket_saved *got, const struct hg_bucket_saved *want)
{
	HG_CHECK_EQ(got->tokens, want->tokens);
	HG_CHECK_EQ(got->part, want->part);
	HG_CHECK_EQ(got->full_for_ns, want->full_for_ns);
	HG_CHECK_EQ(got->taken_ago_ns, want->taken_ago_ns);
}

static void check_sched(const struct hg_sched_saved *got, const struct hg_sched_saved *want)
{
	HG_CHECK_EQ(got->due_in_ns, want->due_in_ns);
	HG_CHECK_EQ(got->ahead, want->ahead);
	HG_CHECK_EQ(got->quiet_ns, want->quiet_ns);
	HG_CHECK_EQ(got->n_classes, want->n_classes);
	for (unsigned i = 0; i < HG_CLASSES_MAX; i++)
		HG_CHECK_EQ(got->class_ahead[i], want->class_ahead[i]);
}

static void check_dir(const struct hg_state_dir *got, const struct hg_state_dir *want)
{
	HG_CHECK_EQ(got->caps.has_bytes, want->caps.has_bytes);
	HG_CHECK_EQ(got->caps.has_pkts, want->caps.has_pkts);
	check_bucket(&got->caps.bytes, &want->caps.bytes);
	check_bucket(&got->caps.pkts, &want->caps.pkts);
	check_sched(&got->link, &want->link);
	check_sched(&got->local, &want->local);
}

static void check_same(const struct hg_saved_instance *got, const struct hg_saved_instance *want)
{
	const struct hg_behaviour *b = &got->state.behaviour, *c = &want->state.behaviour;

	check_dir(&got->state.dir[HG_OUT], &want->state.dir[HG_OUT]);
	check_dir(&got->state.dir[HG_IN], &want->state.dir[HG_IN]);
	HG_CHECK_EQ(b->level, c->level);
	HG_CHECK_EQ(b->n_over, c->n_over);
	HG_CHECK_EQ(b->n_inside, c->n_inside);
	HG_CHECK_EQ(b->reason, c->reason);
	HG_CHECK_EQ(b->n_changes, c->n_changes);
	HG_CHECK_EQ(got->state.behaviour_ago_ns, want->state.behaviour_ago_ns);
	HG_CHECK_EQ(got->state.n_learned, want->state.n_learned);
	for (uint32_t i = 0; i < want->state.n_learned; i++) {
		const struct hg_state_learned *x = &got->state.learned[i];
		const struct hg_state_learned *y = &want->state.learned[i];

		HG_CHECK_EQ(memcmp(x->mac, y->mac, sizeof(x->mac)), 0);
		HG_CHECK_EQ(x->port_idx, y->port_idx);
		HG_CHECK_EQ(x->seen_ago_ns, y->seen_ago_ns);
	}
	/* Nothing but numbers of 64 bits. */
	HG_CHECK_EQ(memcmp(&got->totals, &want->totals, sizeof(got->totals)), 0);
}

static void s5_1_save_restore_document_reads_back_the_same(void)
{
	static struct hg_saved_instance saved;

	set_up();
	fill(&saved);
	write_web1(&saved);
	if (read_text(empty, "web1", NULL, text) < 0)
		HG_TEST_FAIL("%s: %s", err.path, err.text);
	HG_CHECK_EQ(arrival->desired->n_instances, 1);
	HG_CHECK_STR(arrival->desired->instances[arrival->instance_idx].name, "web1");
	HG_CHECK_EQ(arrival->desired->instances[0].contract.dir[HG_OUT].max_bytes_per_s, 25000000);
	HG_CHECK_EQ(arrival->desired->n_ports, 2);
	HG_CHECK_EQ(json_array_size(arrival->left_out), 0);
	check_same(&arrival->saved, &saved);

	/* Nothing known is nothing restored. */
	memset(&saved, 0, sizeof(saved));
	saved.state.behaviour_ago_ns = -1;
	write_web1(&saved);
	if (read_text(empty, NULL, NULL, text) < 0)
		HG_TEST_FAIL("%s: %s", err.path, err.text);
	check_same(&arrival->saved, &saved);
	tear_down();
}

/* No number is too large to be read again. */
static void s5_1_save_restore_document_bounds_its_counters(void)
{
	static struct hg_saved_instance saved;

	set_up();
	fill(&saved);
	saved.totals.dir[HG_IN].sent_bytes = UINT64_MAX;
	saved.totals.dir[HG_IN].drops[1] = UINT64_MAX;
	write_web1(&saved);
	HG_CHECK_EQ(read_text(empty, NULL, NULL, text), 0);
	HG_CHECK_EQ(arrival->saved.totals.dir[HG_IN].sent_bytes, 999999999999999999);
	HG_CHECK_EQ(arrival->saved.totals.dir[HG_IN].drops[1], 999999999999999999);
	tear_down();
}

/* ---- versions ----------------------------------------------------------------------------------- */

static void s5_1_save_restore_document_versions(void)
{
	set_up();
	HG_CHECK_EQ(read_text(empty, NULL, NULL,
			      "{headgate: {kind: instance, version: 1}, tenant: acme,"
			      " instance: {name: x}, quotas: {left: 7},"
			      " totals: {out: {drops: {new_reason: 5}}}}"),
		    0);
	HG_CHECK_EQ(json_array_size(arrival->left_out), 2);
	HG_CHECK_STR(json_string_value(json_array_get(arrival->left_out, 0)), "quotas");
	HG_CHECK_STR(json_string_value(json_array_get(arrival->left_out, 1)),
		     "totals.out.drops.new_reason");
	tear_down();
}

/* ---- refusals ----------------------------------------------------------------------------------- */

#define HEAD "{headgate: {kind: instance, version: 1}, "
#define MINE HEAD "tenant: acme, instance: {name: x}, "

static const struct {
	const char *document;
	int code;
	const char *path, *part;
} refusals[] = {
	{"[]", -HG_EINVAL, "headgate", "no saved instance"},
	{"{tenant: acme}", -HG_EINVAL, "headgate", "no saved instance"},
	{"{headgate: {kind: host, version: 1}}", -HG_EINVAL, "headgate.kind", "'instance'"},
	{"{headgate: {kind: instance}}", -HG_EINVAL, "headgate.version", "from 1 on"},
	{"{headgate: {kind: instance, version: 2}}", -HG_ENOTSUP, "headgate.version", "newer"},
	{"{headgate: {kind: instance, version: 1, requird: []}}", -HG_EINVAL, "headgate.requird",
	 "did you mean 'required'?"},
	{"{headgate: {kind: instance, version: 1, required: [state, quotas]}}", -HG_ENOTSUP,
	 "headgate.required", "\"quotas\" must be understood"},
	{HEAD "tenant: acme}", -HG_EINVAL, "instance", "is missing"},
	{HEAD "instance: {name: x}}", -HG_EINVAL, "tenant", "is missing"},
	{HEAD "tenant: nobody, instance: {name: x}}", -HG_ENOENT, "tenant", "there is acme"},
	{HEAD "tenant: acme, instance: {name: X}}", -HG_EINVAL, "tenants[0].instances[0].name",
	 "is no name"},
	{HEAD "tenant: acme, instance: {name: web1}}", -HG_EEXIST, "instance.name",
	 "an instance named web1 is here already, of tenant acme"},
	{HEAD "tenant: acme, instance: {name: x, ports: [{name: web2-0, device: 'tap:z'}]}}",
	 -HG_EEXIST, "instance.ports[0]", "port web2-0 of instance web2 of tenant acme has it"},
	{HEAD "tenant: acme, instance: {name: x, ports: [{name: x0, device: 'tap:w1'}]}}",
	 -HG_EEXIST, "instance.ports[0]", "the device of port x0 is here already: port web1-1"},
	{HEAD "tenant: other, instance: {name: x, ports: [{name: x0, device: 'tap:z', mac: "
	      "'02:00:00:00:00:11'}]}}",
	 -HG_EEXIST, "instance.ports[0]",
	 "the MAC address of port x0 is here already: port web1-0"},
	{HEAD "tenant: acme, instance: {name: x, ports: [{name: x0, device: 'tap:z', addresses: "
	      "[10.0.0.12, 10.0.0.11]}]}}",
	 -HG_EEXIST, "instance.ports[0]", "the address of port x0 is here already: port web1-0"},
	{HEAD "tenant: acme, instance: {name: x, contract: {out: {min: 450Mbit}}}}", -HG_ENOSPC,
	 "tenants[0].instances[2].contract.out.min", "550Mbit"},
	{MINE "state: {out: {max: {debt: 5}}}}", -HG_EINVAL, "state.out.max",
	 "'tokens' is missing"},
	{MINE "state: {out: {max: {tokens: 1073741825}}}}", -HG_EINVAL, "state.out.max.tokens",
	 "allowed is 0 to 1073741824"},
	{MINE "state: {out: {max: {tokens: -1}}}}", -HG_EINVAL, "state.out.max.tokens",
	 "is no whole number"},
	{MINE "state: {in: {local: {}}}}", -HG_EINVAL, "state.in.local", "no such key"},
	{MINE "state: {out: {link: {due_in_ns: 2592000000000001}}}}", -HG_EINVAL,
	 "state.out.link.due_in_ns", "out of range"},
	{MINE "state: {out: {link: {classes: [1, 2, 3, 4, 5, 6, 7, 8, 9]}}}}", -HG_EINVAL,
	 "state.out.link.classes", "at most 8"},
	{MINE "state: {out: {link: {classes: [2147483649]}}}}", -HG_EINVAL,
	 "state.out.link.classes[0]", "out of range"},
	{MINE "state: {behaviour: {tightened: 4}}}", -HG_EINVAL, "state.behaviour.tightened",
	 "allowed is 0 to 3"},
	{MINE "state: {behaviour: {reason: boredom}}}", -HG_EINVAL, "state.behaviour.reason",
	 "one of none"},
	{MINE "state: {learned: [{port: x0, mac: '02:00:00:00:00:01'}]}}", -HG_ENOENT,
	 "state.learned[0].port", "no port named x0"},
	{MINE "state: {learned: [{port: x0, mac: '03:00:00:00:00:01'}]}}", -HG_EINVAL,
	 "state.learned[0].mac", "group address"},
	{MINE "totals: {out: {sent_bytes: 1e9}}}", -HG_EINVAL, "totals.out.sent_bytes",
	 "is no whole number"},
	{MINE "totals: {out: {drops: [1]}}}", -HG_EINVAL, "totals.out.drops", "an object"},
	{MINE "totals: {in: {held_ns: {max: 1000000000000000000}}}}", -HG_EINVAL,
	 "totals.in.held_ns.max", "is no whole number"},
};

/* ---- credits ------------------------------------------------------------------------------------- */

static void s6_7_credits_in_the_document_read_back_the_same(void)
{
	static struct hg_saved_instance saved;
	struct hg_ledger_saved *c = &saved.credits;

	set_up();
	fill(&saved);
	saved.has_credits = true;
	*c = (struct hg_ledger_saved){.gift_cpu_ns = HG_LEDGER_AMOUNT_MAX_CPU_NS,
				      .remainder = HG_LEDGER_REMAINDER_MAX,
				      .n_parts = HG_LEDGER_SLOTS + 1u};
	for (uint32_t i = 0; i < c->n_parts; i++)
		c->parts[i] = (struct hg_ledger_part){.cpu_ns = INT64_C(9007199254740993) + i,
						      .age_ns = HG_SAVED_AGE_MAX_NS - i};
	write_web1(&saved);
	if (read_text(empty, "web1", NULL, text) < 0)
		HG_TEST_FAIL("%s: %s", err.path, err.text);
	HG_CHECK(arrival->saved.has_credits);
	HG_CHECK(!arrival->needs_credits);
	HG_CHECK_EQ(memcmp(&arrival->saved.credits, c, sizeof(*c)), 0);
	HG_CHECK_EQ(json_array_size(arrival->left_out), 0);
	*c = (struct hg_ledger_saved){.surplus_cpu_ns = HG_LEDGER_BALANCE_MAX_CPU_NS};
	write_web1(&saved);
	HG_CHECK_EQ(read_text(empty, "web1", NULL, text), 0);
	HG_CHECK_EQ(memcmp(&arrival->saved.credits, c, sizeof(*c)), 0);
	/* One that has none is not one that has nothing left. */
	saved.has_credits = false;
	write_web1(&saved);
	HG_CHECK_EQ(read_text(empty, "web1", NULL, text), 0);
	HG_CHECK(!arrival->saved.has_credits);
	HG_CHECK_EQ(read_text(empty, NULL, NULL,
			      "{headgate: {kind: instance, version: 1, required: [credits]},"
			      " tenant: acme, instance: {name: x}, credits: {}}"),
		    0);
	HG_CHECK(arrival->saved.has_credits && arrival->needs_credits);
	tear_down();
}

static const struct {
	const char *credits, *path, *part;
} bad_credits[] = {
	{"[]", "credits", "object"},
	{"{balance: 7}", "credits.balance", "no such key"},
	{"{gift_cpu_ns: -1}", "credits.gift_cpu_ns", "is no whole number"},
	{"{gift_cpu_ns: 1000000000000000000}", "credits.gift_cpu_ns", "is no whole number"},
	{"{surplus_cpu_ns: 600000000000000001}", "credits.surplus_cpu_ns", "out of range"},
	{"{remainder: 3600000000000}", "credits.remainder", "out of range"},
	{"{earned: {}}", "credits.earned", "list"},
	{"{earned: [{age_ns: 5}]}", "credits.earned[0]", "'cpu_ns' is missing"},
	{"{earned: [{cpu_ns: 600000000000000001}]}", "credits.earned[0].cpu_ns", "out of range"},
	{"{earned: [{cpu_ns: 1}, {cpu_ns: 600000000000000000}]}", "credits.earned[1].cpu_ns",
	 "more than 10,000,000 credits"},
	{"{earned: [{cpu_ns: 1, age_ns: 1d}]}", "credits.earned[0].age_ns", "is no whole number"},
	{"{earned: [{cpu_ns: 1}], surplus_cpu_ns: 1}", "credits.surplus_cpu_ns", "both"},
};

static void s6_7_credits_in_the_document_are_refused_with_their_place(void)
{
	char document[512],
		many[2048] = HEAD "tenant: acme, instance: {name: x}, credits: {earned: [";

	set_up();
	for (size_t i = 0; i < sizeof(bad_credits) / sizeof(bad_credits[0]); i++) {
		snprintf(document, sizeof(document),
			 HEAD "tenant: acme, instance: {name: x},\n credits: %s}",
			 bad_credits[i].credits);
		HG_CHECK_EQ(read_text(here, NULL, NULL, document), -HG_EINVAL);
		HG_CHECK_STR(err.path, bad_credits[i].path);
		HG_CHECK_HAS(err.text, bad_credits[i].part);
		HG_CHECK_EQ(err.line, 2);
		HG_CHECK(err.column > 1);
		HG_CHECK(arrival == NULL);
	}
	for (unsigned i = 0; i < HG_LEDGER_SLOTS + 2u; i++)
		strcat(many, "{cpu_ns: 1}, ");
	strcat(many, "]}}");
	HG_CHECK_EQ(read_text(here, NULL, NULL, many), -HG_EINVAL);
	HG_CHECK_STR(err.path, "credits.earned");
	HG_CHECK_HAS(err.text, "more than 65");
	tear_down();
}

static void s5_1_save_restore_document_refusals(void)
{
	set_up();
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		int rc = read_text(here, NULL, NULL, refusals[i].document);

		if (rc != refusals[i].code || strcmp(err.path, refusals[i].path) != 0 ||
		    strstr(err.text, refusals[i].part) == NULL)
			HG_TEST_FAIL("%s: %d, %s: %s", refusals[i].document, rc, err.path,
				     err.text);
	}
	HG_CHECK_EQ(read_text(here, "y", NULL, MINE "}"), -HG_EINVAL);
	HG_CHECK_STR(err.path, "instance.name");
	HG_CHECK_EQ(read_text(here, NULL, "up7", MINE "}"), -HG_ENOENT);
	HG_CHECK_EQ(read_text(here, NULL, "up1", MINE "}"), -HG_EEXIST);
	HG_CHECK_STR(err.text, "tenant acme is here already, on uplink up0");
	tear_down();
}

/* The place is that of the document. */
static void s5_1_save_restore_document_errors_have_a_line(void)
{
	set_up();
	HG_CHECK_EQ(read_text(here, NULL, NULL,
			      "headgate: {kind: instance, version: 1}\n"
			      "tenant: acme\n"
			      "instance:\n"
			      "  name: x\n"
			      "  ports: [{name: x0, device: 'tap:z', vlan: 5000}]\n"),
		    -HG_EINVAL);
	HG_CHECK_EQ(err.line, 5);
	HG_CHECK_EQ(read_text(here, NULL, NULL,
			      "headgate: {kind: instance, version: 1}\n"
			      "tenant: acme\n"
			      "instance: {name: x}\n"
			      "state:\n"
			      "  out: {max: {tokens: many}}\n"),
		    -HG_EINVAL);
	HG_CHECK_EQ(err.line, 5);
	tear_down();
}

static void s5_1_save_restore_makes_a_tenant_on_an_uplink(void)
{
	set_up();
	HG_CHECK_EQ(read_text(here, NULL, "up1", HEAD "tenant: new, instance: {name: x}}"), 0);
	HG_CHECK_EQ(arrival->desired->n_tenants, 3);
	HG_CHECK_EQ(arrival->desired->tenants[2].uplink_idx, 1);
	HG_CHECK_EQ(arrival->desired->instances[arrival->instance_idx].tenant_idx, 2);
	/* Who has the same address in another network is in nobody's way. */
	if (read_text(here, NULL, NULL,
		      HEAD "tenant: other, instance: {name: x, ports: [{name: x0, device: "
			   "'tap:z', addresses: [10.0.0.11]}]}}") < 0)
		HG_TEST_FAIL("%s: %s", err.path, err.text);
	tear_down();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_save_restore_document_reads_back_the_same),
		HG_TEST(s5_1_save_restore_document_bounds_its_counters),
		HG_TEST(s5_1_save_restore_document_versions),
		HG_TEST(s5_1_save_restore_document_refusals),
		HG_TEST(s6_7_credits_in_the_document_read_back_the_same),
		HG_TEST(s6_7_credits_in_the_document_are_refused_with_their_place),
		HG_TEST(s5_1_save_restore_document_errors_have_a_line),
		HG_TEST(s5_1_save_restore_makes_a_tenant_on_an_uplink),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
