/* Any text as a configuration and as the body of a step. What is accepted must come back the same from its
 * own export; what is refused must say so. */
#include "tests/fuzz/fuzz.h"

#include "api/steps.h"

#include <stdlib.h>
#include <string.h>

static const char in_force[] =
	"uplinks: [{name: up0, device: 'tap:out0', capacity: 10Gbit}]\n"
	"tenants:\n"
	"- name: acme\n"
	"  instances: [{name: web1, ports: [{name: web1-0, device: 'tap:w1'}]}]\n";

static void expect(int is_so)
{
	if (!is_so)
		abort();
}

static void check_refusal(int rc, const struct hg_error *err)
{
	char line[1024];

	expect(err->code == rc && err->text[0] != '\0');
	expect(memchr(err->path, '\0', sizeof(err->path)) != NULL);
	hg_config_error_format(err, "f", line, sizeof(line));
}

/* The state comes back from its text, and a comparison of the two is empty. */
static void check_state(const struct hg_desired *d)
{
	struct hg_desired *again;
	struct hg_error err = {0};
	char *text, summary[256];
	json_t *diff;
	size_t n;

	hg_config_summary(d, summary, sizeof(summary));
	expect(hg_config_export_yaml(d, &text, &n, &err) == 0);
	expect(hg_config_parse(text, n, NULL, &again, &err) == 0);
	expect(hg_config_equal(d, again));
	expect(hg_config_diff(d, again, &diff, &err) == 0);
	expect(json_array_size(diff) == 0);
	json_decref(diff);
	free(text);
	hg_config_destroy(again);
}

typedef int (*put_fn)(const struct hg_desired *now, const char *name, const struct hg_tree *body,
		      hg_config_device_fn check_device, struct hg_desired **ret, bool *ret_changed,
		      struct hg_error *reterr);

static void try_step(const struct hg_desired *now, put_fn put, const char *name,
		     const struct hg_tree *body)
{
	struct hg_desired *next;
	struct hg_error err = {0};
	bool has_changed;
	int rc = put(now, name, body, NULL, &next, &has_changed, &err);

	if (rc < 0) {
		check_refusal(rc, &err);
		return;
	}
	expect(has_changed != hg_config_equal(now, next));
	check_state(next);
	hg_config_destroy(next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hg_desired *d;
	struct hg_tree tree;
	struct hg_error err = {0};
	int rc = hg_yaml_parse((const char *)data, size, &tree, &err);

	if (rc < 0) {
		check_refusal(rc, &err);
		return 0;
	}
	rc = hg_config_from_tree(&tree, NULL, NULL, &d, &err);
	if (rc == 0) {
		check_state(d);
		hg_config_destroy(d);
	} else {
		check_refusal(rc, &err);
	}
	hg_error_clear(&err);
	expect(hg_config_parse(in_force, sizeof(in_force) - 1, NULL, &d, &err) == 0);
	try_step(d, hg_steps_instance_put, "web1", &tree);
	try_step(d, hg_steps_port_put, "web1-0", &tree);
	hg_config_destroy(d);
	hg_tree_fini(&tree);
	return 0;
}
