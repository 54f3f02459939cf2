/* Any text as a saved instance that is to arrive on a host that has one. What is accepted is in its ranges and comes
 * back the same from its own document; what is refused says so, with a place, and has a code that is promised. */
#include "tests/fuzz/fuzz.h"

#include "api/saved.h"

#include <stdlib.h>
#include <string.h>

static const char in_force[] = "uplinks: [{name: up0, device: 'tap:out0', capacity: 10Gbit},\n"
			       "  {name: up1, device: 'tap:out1', capacity: 1Gbit}]\n"
			       "tenants:\n"
			       "- name: acme\n"
			       "  contract: {out: {min: 1Gbit}}\n"
			       "  instances: [{name: web1, ports: [{name: web1-0, device: "
			       "'tap:w1', mac: '02:00:00:00:00:01',\n"
			       "    addresses: [10.0.0.1]}]}]\n";
static const char without_anybody[] =
	"uplinks: [{name: up0, device: 'tap:out0', capacity: 10Gbit}]\n"
	"tenants: [{name: acme}]\n";

static void expect(int is_so)
{
	if (!is_so)
		abort();
}

static struct hg_desired *parse(const char *text)
{
	struct hg_error err = {0};
	struct hg_desired *d;

	expect(hg_config_parse(text, strlen(text), NULL, &d, &err) == 0);
	return d;
}

static void check_refusal(int rc, const struct hg_error *err)
{
	char line[1024];

	expect(err->code == rc && err->text[0] != '\0');
	expect(rc == -HG_EINVAL || rc == -HG_EEXIST || rc == -HG_ENOENT || rc == -HG_ENOTSUP ||
	       rc == -HG_ENOSPC);
	expect(memchr(err->path, '\0', sizeof(err->path)) != NULL);
	hg_config_error_format(err, "f", line, sizeof(line));
}

/* The document of what was read reads as the same. */
static void check_same(const struct hg_desired *now, const char *uplink,
		       const struct hg_arrival *arrival)
{
	struct hg_error err = {0};
	struct hg_arrival *again;
	struct hg_tree tree;
	json_t *json;
	char *text;

	expect(hg_saved_write(arrival->desired, arrival->instance_idx, &arrival->saved, &json,
			      &err) == 0);
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	expect(hg_yaml_parse(text, strlen(text), &tree, &err) == 0);
	expect(hg_saved_read(now, NULL, uplink, &tree, NULL, &again, &err) == 0);
	expect(hg_config_equal(arrival->desired, again->desired));
	expect(json_array_size(again->left_out) == 0);
	expect(memcmp(&arrival->saved.totals, &again->saved.totals, sizeof(again->saved.totals)) ==
	       0);
	expect(arrival->saved.state.n_learned == again->saved.state.n_learned);
	expect(arrival->saved.has_credits == again->saved.has_credits);
	expect(memcmp(&arrival->saved.credits, &again->saved.credits,
		      sizeof(again->saved.credits)) == 0);
	hg_arrival_destroy(again);
	hg_tree_fini(&tree);
	free(text);
}

static void try_on(const char *host, const char *uplink, const struct hg_tree *tree)
{
	struct hg_desired *now = parse(host);
	struct hg_error err = {0};
	struct hg_arrival *arrival;
	int rc = hg_saved_read(now, NULL, uplink, tree, NULL, &arrival, &err);

	if (rc < 0) {
		check_refusal(rc, &err);
	} else {
		expect(hg_instance_state_check(&arrival->saved.state, &err) == 0);
		expect(hg_ledger_saved_check(&arrival->saved.credits, &err) == 0);
		expect(arrival->desired->n_instances == now->n_instances + 1u);
		check_same(now, uplink, arrival);
		hg_arrival_destroy(arrival);
	}
	hg_config_destroy(now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hg_error err = {0};
	struct hg_tree tree;
	int rc = hg_yaml_parse((const char *)data, size, &tree, &err);

	if (rc < 0) {
		check_refusal(rc, &err);
		return 0;
	}
	try_on(in_force, NULL, &tree);
	try_on(in_force, "up1", &tree);
	try_on(without_anybody, NULL, &tree);
	hg_tree_fini(&tree);
	return 0;
}
