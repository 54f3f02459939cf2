#include "api/config.h"

#include "api/desired.h"
#include "api/nearest.h"
#include "api/reader.h"
#include "core/admit.h"

#include <stdlib.h>
#include <string.h>

struct builder {
	struct hg_reader r;
	struct hg_desired *d;
	/* Name -> the item that had it first; one object for each kind. */
	json_t *uplinks, *tenants, *instances, *ports;
	json_t *devices; /* the same for "DEVICE NETNS", of uplinks and ports together */
	json_t *places; /* and for what they occupy, as far as that is known */
	const struct hg_desired *in_force; /* NULL: none */
	/* How many have been read so far: the next index. */
	uint32_t n_uplinks, n_tenants, n_instances, n_ports;
};

static int no_memory(struct hg_error *err)
{
	return hg_error_set(err, -HG_ENOMEM, "not enough memory for the configuration", NULL);
}

/* ---- names -------------------------------------------------------------------------------------- */

/* what: "the name" or "the device". */
static int twice(struct builder *b, const char *what, const json_t *item, const char *key,
		 const json_t *first)
{
	const struct hg_mark *mark = hg_tree_mark(b->r.tree, json_object_get(first, key));
	char line[2 * HG_NAME_BYTES + 64], buf[HG_READER_TEXT_BYTES], its[HG_READER_TEXT_BYTES];
	json_t *node = json_object_get(item, key);
	struct hg_text out;

	hg_text_init(&out, line, sizeof(line));
	if (strcmp(key, "name") != 0) {
		hg_text_add(&out, ", of ");
		hg_text_add(&out, hg_reader_text(json_object_get(item, "name"), its));
		hg_text_add(&out, " and of ");
		hg_text_add(&out, hg_reader_text(json_object_get(first, "name"), its));
	}
	if (mark != NULL) {
		hg_text_add(&out, "; first in line ");
		hg_text_add_u64(&out, mark->line);
	}
	return hg_reader_fail(&b->r, node,
			      hg_error_set(b->r.err, -HG_EEXIST, what, " '",
					   hg_reader_text(node, buf), "' is there twice", line,
					   NULL));
}

/* Remembers in table the item by what stands behind its key, which it has, as `unique`. */
static int remember(struct builder *b, json_t *table, const char *unique, json_t *item,
		    const char *key, const char *what)
{
	const json_t *first = json_object_get(table, unique);
	size_t before;
	int rc;

	if (first == NULL)
		return json_object_set_nocheck(table, unique, item) < 0 ? no_memory(b->r.err) : 0;
	before = hg_reader_enter(&b->r, key);
	rc = twice(b, what, item, key, first);
	hg_reader_leave(&b->r, before);
	return rc;
}

static int add_name(struct builder *b, json_t *table, const char *name, json_t *item)
{
	return remember(b, table, name, item, "name", "the name");
}

/* A device as it is written. */
struct device {
	const char *text, *netns;
};

/* The device's text alone was found right when it was read. */
static int check_device(struct builder *b, const struct device *device, char *ret_place,
			json_t *item)
{
	size_t before;
	int rc;

	ret_place[0] = '\0';
	if (b->r.check_device == NULL)
		return 0;
	rc = b->r.check_device(device->text, device->netns, ret_place, b->r.err);
	if (rc == 0)
		return 0;
	before = hg_reader_enter(&b->r, "netns");
	rc = hg_reader_fail(&b->r, json_object_get(item, "netns"), rc);
	hg_reader_leave(&b->r, before);
	return rc;
}

static bool is_written(const struct device *device, const char *text, const char *netns)
{
	return strcmp(device->text, text) == 0 && strcmp(device->netns, netns) == 0;
}

static bool is_in_force(const struct hg_desired *d, const struct device *device)
{
	for (uint32_t i = 0; i < d->n_uplinks; i++)
		if (is_written(device, d->uplinks[i].device, d->uplinks[i].netns))
			return true;
	for (uint32_t i = 0; i < d->n_ports; i++)
		if (is_written(device, d->ports[i].device, d->ports[i].netns))
			return true;
	return false;
}

static const char *text_of(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));

	return text != NULL ? text : "";
}

/* Of two spellings the other one comes last, where it may be cut. */
static int one_place(struct builder *b, const json_t *item, const json_t *first)
{
	const json_t *node = json_object_get(item, "device");
	const struct hg_mark *mark = hg_tree_mark(b->r.tree, json_object_get(first, "device"));
	char line[32] = "";
	struct hg_text out;

	hg_text_init(&out, line, sizeof(line));
	if (mark != NULL) {
		hg_text_add(&out, " in line ");
		hg_text_add_u64(&out, mark->line);
	}
	return hg_reader_fail(&b->r, node,
			      hg_error_set(b->r.err, -HG_EEXIST, "the device of ",
					   text_of(item, "name"), " is that of ",
					   text_of(first, "name"), line, " in another spelling: '",
					   text_of(item, "device"), "' is '",
					   text_of(first, "device"), "'", NULL));
}

/* Devices that differ in their text may be the same for the host. */
static int add_place(struct builder *b, const char *place, const struct device *device,
		     json_t *item)
{
	const json_t *first = json_object_get(b->places, place);
	struct device its = {text_of(first, "device"), text_of(first, "netns")};
	size_t before;
	int rc;

	if (first == NULL)
		return json_object_set_nocheck(b->places, place, item) < 0 ? no_memory(b->r.err)
									   : 0;
	if (b->in_force != NULL && is_in_force(b->in_force, device) &&
	    is_in_force(b->in_force, &its))
		return 0;
	before = hg_reader_enter(&b->r, "device");
	rc = one_place(b, item, first);
	hg_reader_leave(&b->r, before);
	return rc;
}

/* Two TAPs of one name are two devices where they are moved to different namespaces. */
static int add_device(struct builder *b, const char *text, const char *netns, json_t *item)
{
	const struct device device = {text, netns};
	char unique[HG_DEVICE_BYTES + HG_NAME_BYTES], place[HG_DEVICE_PLACE_BYTES];
	struct hg_text out;
	int rc = check_device(b, &device, place, item);

	hg_text_init(&out, unique, sizeof(unique));
	hg_text_add(&out, text);
	hg_text_add_char(&out, ' ');
	hg_text_add(&out, netns);
	if (rc == 0)
		rc = remember(b, b->devices, unique, item, "device", "the device");
	return rc < 0 || place[0] == '\0' ? rc : add_place(b, place, &device, item);
}

static int no_such_uplink(struct builder *b, const char *name, const json_t *node)
{
	char there[HG_ERROR_TEXT_BYTES / 2], quoted[64];
	struct hg_nearest nearest;
	struct hg_text out, quote;

	hg_text_init(&out, there, sizeof(there));
	hg_text_init(&quote, quoted, sizeof(quoted));
	hg_text_add_quoted(&quote, name);
	hg_nearest_init(&nearest, name);
	for (uint32_t i = 0; i < b->d->n_uplinks; i++) {
		hg_text_add(&out, i > 0 ? ", " : "; there is ");
		hg_text_add(&out, b->d->uplinks[i].name);
		hg_nearest_offer(&nearest, b->d->uplinks[i].name);
	}
	if (nearest.best != NULL) {
		hg_text_add(&out, "; did you mean '");
		hg_text_add(&out, nearest.best);
		hg_text_add(&out, "'?");
	}
	return hg_reader_fail(
		&b->r, node,
		hg_error_set(b->r.err, -HG_ENOENT, "no uplink has the name ", quoted, there, NULL));
}

static int read_uplink_name(struct builder *b, json_t *item, struct hg_desired_tenant *tenant)
{
	json_t *node = json_object_get(item, "uplink");
	char buf[HG_READER_TEXT_BYTES];
	const char *name = node != NULL ? hg_reader_text(node, buf) : NULL;
	size_t before;
	int rc;

	if (b->d->n_uplinks == 0)
		return hg_reader_fail(&b->r, item,
				      hg_error_set(b->r.err, -HG_ENOENT,
						   "a tenant needs an uplink, and there is none; "
						   "add one under 'uplinks'",
						   NULL));
	if (node == NULL)
		return 0;
	for (uint32_t i = 0; name != NULL && i < b->d->n_uplinks; i++) {
		if (strcmp(b->d->uplinks[i].name, name) == 0) {
			tenant->uplink_idx = i;
			return 0;
		}
	}
	before = hg_reader_enter(&b->r, "uplink");
	rc = no_such_uplink(b, name != NULL ? name : "", node);
	hg_reader_leave(&b->r, before);
	return rc;
}

/* ---- contracts ---------------------------------------------------------------------------------- */

/* The default of the reserve is known once the burst is. */
static void settle_reserve(struct hg_contract *contract)
{
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		struct hg_policy *p = &contract->dir[dir];

		if (p->reserve_bytes == HG_SCHEMA_ONE_BURST)
			p->reserve_bytes = p->burst_bytes;
	}
}

/* For errors found after reading, by a path: "out.min" below the contract of the item that the reader is
 * in. The deepest node on the way that has a place says where. */
static int fail_below(struct builder *b, int rc)
{
	if (b->r.err != NULL) {
		hg_error_at(b->r.err, b->r.path.buf);
		hg_tree_locate(b->r.tree, b->r.err);
	}
	return rc;
}

/* Refuses keys that the policy has, but not here: in the contract itself (dir_key NULL), in out or in in. */
static int check_places(struct builder *b, const char *dir_key, json_t *node, bool is_instance)
{
	bool is_in = dir_key != NULL && strcmp(dir_key, "in") == 0;

	for (const struct hg_field *f = hg_schema_policy.fields; f->key != NULL; f++) {
		json_t *value = json_object_get(node, f->key);
		bool is_tenants = f->is_instance_only && !is_instance;
		size_t before;
		int rc;

		if (value == NULL || !(is_tenants || (f->is_out_only && is_in)))
			continue;
		before = hg_reader_enter(&b->r, f->key);
		rc = hg_error_set(b->r.err, -HG_EINVAL, "'", f->key,
				  is_tenants
					  ? "' is said of instances, not of a tenant: write it in "
					    "the contract of each instance that it is for"
					  : "' is about what an instance sends: write it in 'out', "
					    "or in the contract itself",
				  NULL);
		rc = hg_reader_fail_at_key(&b->r, value, rc);
		hg_reader_leave(&b->r, before);
		return rc;
	}
	return 0;
}

static int check_all_places(struct builder *b, json_t *contract, bool is_instance)
{
	int rc = check_places(b, NULL, contract, is_instance);

	for (unsigned dir = 0; rc == 0 && dir < HG_N_DIRS; dir++) {
		const char *key = hg_dir_name((enum hg_dir)dir);
		size_t before = hg_reader_enter(&b->r, key);

		rc = check_places(b, key, json_object_get(contract, key), is_instance);
		hg_reader_leave(&b->r, before);
	}
	return rc;
}

static int finish_contract(struct builder *b, json_t *item, struct hg_contract *contract,
			   bool is_instance)
{
	size_t before = hg_reader_enter(&b->r, "contract");
	int rc = check_all_places(b, json_object_get(item, "contract"), is_instance);

	settle_reserve(contract);
	if (rc == 0 && (rc = hg_contract_validate(contract, b->r.err)) < 0)
		rc = fail_below(b, rc);
	hg_reader_leave(&b->r, before);
	return rc;
}

/* ---- lists -------------------------------------------------------------------------------------- */

typedef int (*read_item_fn)(struct builder *b, json_t *item);

static int read_list(struct builder *b, json_t *parent, const char *key, read_item_fn read_item)
{
	json_t *list = json_object_get(parent, key);
	size_t at_list = hg_reader_enter(&b->r, key);
	int rc = hg_reader_check_list(&b->r, list);

	for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
		size_t at_item = hg_reader_enter_item(&b->r, i);

		rc = read_item(b, json_array_get(list, i));
		hg_reader_leave(&b->r, at_item);
	}
	hg_reader_leave(&b->r, at_list);
	return rc;
}

static int read_uplink(struct builder *b, json_t *item)
{
	struct hg_desired_uplink *uplink = &b->d->uplinks[b->n_uplinks++];
	int rc;

	hg_resource_reset(&hg_schema_uplink, uplink);
	rc = hg_reader_read(&b->r, &hg_schema_uplink, item, uplink);
	if (rc == 0)
		rc = add_name(b, b->uplinks, uplink->name, item);
	return rc < 0 ? rc : add_device(b, uplink->device, uplink->netns, item);
}

static int read_port(struct builder *b, json_t *item)
{
	struct hg_desired_port *port = &b->d->ports[b->n_ports++];
	int rc;

	hg_resource_reset(&hg_schema_port, port);
	port->instance_idx = b->n_instances - 1u;
	rc = hg_reader_read(&b->r, &hg_schema_port, item, port);
	if (rc == 0)
		rc = add_name(b, b->ports, port->name, item);
	return rc < 0 ? rc : add_device(b, port->device, port->netns, item);
}

static int read_instance(struct builder *b, json_t *item)
{
	struct hg_desired_instance *instance = &b->d->instances[b->n_instances++];
	int rc;

	hg_resource_reset(&hg_schema_instance, instance);
	instance->tenant_idx = b->n_tenants - 1u;
	rc = hg_reader_read(&b->r, &hg_schema_instance, item, instance);
	if (rc == 0)
		rc = add_name(b, b->instances, instance->name, item);
	if (rc == 0)
		rc = finish_contract(b, item, &instance->contract, /* is_instance= */ true);
	return rc < 0 ? rc : read_list(b, item, "ports", read_port);
}

static int read_tenant(struct builder *b, json_t *item)
{
	struct hg_desired_tenant *tenant = &b->d->tenants[b->n_tenants++];
	int rc;

	hg_resource_reset(&hg_schema_tenant, tenant);
	rc = hg_reader_read(&b->r, &hg_schema_tenant, item, tenant);
	if (rc == 0)
		rc = add_name(b, b->tenants, tenant->name, item);
	if (rc == 0)
		rc = read_uplink_name(b, item, tenant);
	if (rc == 0)
		rc = finish_contract(b, item, &tenant->contract, /* is_instance= */ false);
	return rc < 0 ? rc : read_list(b, item, "instances", read_instance);
}

/* ---- the whole ---------------------------------------------------------------------------------- */

struct counts {
	size_t uplinks, tenants, instances, ports;
};

/* What there is room to make for. Shapes are not looked at: what is no list has no items. */
static struct counts count_items(json_t *root)
{
	json_t *tenants = json_object_get(root, "tenants");
	struct counts n = {
		.uplinks = json_array_size(json_object_get(root, "uplinks")),
		.tenants = json_array_size(tenants),
	};

	for (size_t t = 0; t < n.tenants; t++) {
		json_t *instances = json_object_get(json_array_get(tenants, t), "instances");

		n.instances += json_array_size(instances);
		for (size_t i = 0; i < json_array_size(instances); i++)
			n.ports += json_array_size(
				json_object_get(json_array_get(instances, i), "ports"));
	}
	return n;
}

static int make_room(struct builder *b)
{
	struct counts n = count_items(b->r.tree->root);

	if (n.uplinks > HG_CONFIG_MAX_OF_A_KIND || n.tenants > HG_CONFIG_MAX_OF_A_KIND ||
	    n.instances > HG_CONFIG_MAX_OF_A_KIND || n.ports > HG_CONFIG_MAX_OF_A_KIND)
		return hg_error_set(b->r.err, -HG_EINVAL,
				    "there are more than 65,536 uplinks, tenants, instances or "
				    "ports",
				    NULL);
	b->d = hg_desired_create((uint32_t)n.uplinks, (uint32_t)n.tenants, (uint32_t)n.instances,
				 (uint32_t)n.ports);
	b->uplinks = json_object();
	b->tenants = json_object();
	b->instances = json_object();
	b->ports = json_object();
	b->devices = json_object();
	b->places = json_object();
	if (b->d == NULL || b->uplinks == NULL || b->tenants == NULL || b->instances == NULL ||
	    b->ports == NULL || b->devices == NULL || b->places == NULL)
		return no_memory(b->r.err);
	return 0;
}

static int admit(struct builder *b)
{
	struct hg_error err = {0};
	size_t n_words = hg_admit_scratch_words(b->d);
	uint64_t *scratch = calloc(n_words, sizeof(*scratch));
	int rc;

	if (scratch == NULL)
		return no_memory(b->r.err);
	rc = hg_admit(b->d, scratch, n_words, &err);
	free(scratch);
	if (rc == 0)
		return 0;
	hg_tree_locate(b->r.tree, &err);
	if (b->r.err != NULL && b->r.err->code == 0)
		*b->r.err = err;
	return rc;
}

static int build(const struct hg_tree *tree, hg_config_device_fn checker,
		 const struct hg_desired *in_force, bool is_admitted, struct hg_desired **ret,
		 struct hg_error *reterr)
{
	struct builder b = {.in_force = in_force};
	int rc;

	hg_reader_init(&b.r, tree, checker, reterr);
	rc = make_room(&b);
	if (rc == 0)
		rc = hg_reader_read(&b.r, &hg_schema_host, tree->root, b.d);
	if (rc == 0)
		rc = read_list(&b, tree->root, "uplinks", read_uplink);
	if (rc == 0)
		rc = read_list(&b, tree->root, "tenants", read_tenant);
	if (rc == 0 && is_admitted)
		rc = admit(&b);
	json_decref(b.uplinks);
	json_decref(b.tenants);
	json_decref(b.instances);
	json_decref(b.ports);
	json_decref(b.devices);
	json_decref(b.places);
	if (rc < 0) {
		hg_config_destroy(b.d);
		return rc;
	}
	*ret = b.d;
	return 0;
}

int hg_config_from_tree(const struct hg_tree *tree, hg_config_device_fn checker,
			const struct hg_desired *in_force, struct hg_desired **ret,
			struct hg_error *reterr)
{
	return build(tree, checker, in_force, /* is_admitted= */ true, ret, reterr);
}

int hg_config_read(const struct hg_tree *tree, hg_config_device_fn checker, struct hg_desired **ret,
		   struct hg_error *reterr)
{
	return build(tree, checker, NULL, /* is_admitted= */ false, ret, reterr);
}

int hg_config_parse(const char *text, size_t n_bytes, hg_config_device_fn checker,
		    struct hg_desired **ret, struct hg_error *reterr)
{
	struct hg_tree tree;
	int rc = hg_yaml_parse(text, n_bytes, &tree, reterr);

	if (rc < 0)
		return rc;
	/* Whose disk was full, whose pipe had no writer and who wrote only comments does not mean: no tenants. */
	if (json_is_string(tree.root) && json_string_length(tree.root) == 0) {
		rc = hg_error_set(reterr, -HG_EINVAL,
				  "there is nothing in it; for a host without tenants write {}",
				  NULL);
		if (reterr != NULL)
			reterr->line = reterr->column = 1;
	} else {
		rc = hg_config_from_tree(&tree, checker, NULL, ret, reterr);
	}
	hg_tree_fini(&tree);
	return rc;
}
