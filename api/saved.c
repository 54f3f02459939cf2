#include "api/saved.h"

#include "api/reader.h"
#include "api/saved_credits.h"
#include "api/saved_schema.h"
#include "core/port.h"

#include <stdlib.h>
#include <string.h>

static const char *const sections[] = {"headgate", "tenant",  "instance", "state",
				       "totals",   "credits", NULL};

static bool is_section(const char *key)
{
	for (unsigned i = 0; sections[i] != NULL; i++) {
		if (strcmp(sections[i], key) == 0)
			return true;
	}
	return false;
}

static bool put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) == 0;
}

static int no_memory(struct hg_error *err)
{
	return hg_error_set(err, -HG_ENOMEM, "not enough memory for a saved instance", NULL);
}

/* ---- reading ------------------------------------------------------------------------------------ */

struct reading {
	const struct hg_desired *now;
	const struct hg_tree *document;
	hg_config_device_fn check_device;
	struct hg_reader r;
	struct hg_error *err;
	struct hg_arrival *a;
};

static int fail_at(struct reading *g, const char *key, const json_t *node, int rc)
{
	size_t before = hg_reader_enter(&g->r, key);

	rc = hg_reader_fail(&g->r, node != NULL ? node : g->document->root, rc);
	hg_reader_leave(&g->r, before);
	return rc;
}

/* Notes the path of what is not known here. */
static int leave_out(struct reading *g, const char *key)
{
	size_t before = hg_reader_enter(&g->r, key);
	json_t *path = json_string(g->r.path_buf);
	int rc = json_array_append_new(g->a->left_out, path) < 0 ? no_memory(g->err) : 0;

	hg_reader_leave(&g->r, before);
	return rc;
}

static int read_version(struct reading *g, const json_t *header)
{
	const json_t *node = json_object_get(header, "version");
	char buf[HG_READER_TEXT_BYTES];
	const char *text = node == NULL ? NULL : hg_reader_text(node, buf);
	struct hg_saved_number number = {0};
	int rc;

	if (text == NULL || hg_field_parse(&hg_saved_number_field, text, &number, NULL) < 0 ||
	    number.value == 0)
		return fail_at(g, "version", node,
			       hg_error_set(g->err, -HG_EINVAL,
					    "a version is a whole number from 1 on", NULL));
	if (number.value <= HG_SAVED_VERSION)
		return 0;
	rc = hg_error_set(g->err, -HG_ENOTSUP, "version ", text,
			  " is newer than what this headgate reads, which is version 1; save it "
			  "again with an older one, or restore it with a newer one",
			  NULL);
	return fail_at(g, "version", node, rc);
}

/* Sections that whoever wrote it does not want to be left out. */
static int read_required(struct reading *g, const json_t *header)
{
	json_t *list = json_object_get(header, "required");
	size_t before = hg_reader_enter(&g->r, "required");
	int rc = hg_reader_check_list(&g->r, list);

	for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
		const json_t *node = json_array_get(list, i);
		char buf[HG_READER_TEXT_BYTES], quoted[64];
		const char *name = hg_reader_text(node, buf);
		struct hg_text quote;

		g->a->needs_credits |= name != NULL && strcmp(name, "credits") == 0;
		if (name != NULL && is_section(name))
			continue;
		hg_text_init(&quote, quoted, sizeof(quoted));
		hg_text_add_quoted(&quote, name != NULL ? name : "");
		rc = hg_error_set(g->err, -HG_ENOTSUP, "the section ", quoted,
				  " must be understood, and this headgate does not know it; it "
				  "knows tenant, instance, state, totals and credits",
				  NULL);
		rc = hg_reader_fail(&g->r, node, rc);
	}
	hg_reader_leave(&g->r, before);
	return rc;
}

static int read_header(struct reading *g)
{
	json_t *root = g->document->root, *header = json_object_get(root, "headgate");
	const json_t *kind = json_object_get(header, "kind");
	char buf[HG_READER_TEXT_BYTES];
	const char *text = kind == NULL ? NULL : hg_reader_text(kind, buf);
	size_t before = hg_reader_enter(&g->r, "headgate");
	int rc;

	if (!json_is_object(header))
		rc = hg_reader_fail(&g->r, header != NULL ? header : root,
				    hg_error_set(g->err, -HG_EINVAL,
						 "this is no saved instance: it does not say "
						 "{\"kind\": \"instance\", \"version\": 1}",
						 NULL));
	else
		rc = hg_reader_check_keys(&g->r, &hg_saved_header_resource, header);
	if (rc == 0 && (text == NULL || strcmp(text, "instance") != 0))
		rc = fail_at(g, "kind", kind != NULL ? kind : header,
			     hg_error_set(g->err, -HG_EINVAL,
					  "the kind of a saved instance is 'instance'", NULL));
	if (rc == 0)
		rc = read_version(g, header);
	if (rc == 0)
		rc = read_required(g, header);
	hg_reader_leave(&g->r, before);
	return rc;
}

static int check_sections(struct reading *g)
{
	const char *key;
	json_t *value;
	int rc = 0;

	json_object_foreach(g->document->root, key, value)
	{
		if (rc == 0 && !is_section(key))
			rc = leave_out(g, key);
	}
	return rc;
}

/* ---- numbers ------------------------------------------------------------------------------------ */

static int read_number(struct reading *g, const struct hg_field *field, const json_t *node,
		       uint64_t *ret)
{
	char buf[HG_READER_TEXT_BYTES];
	const char *text = hg_reader_text(node, buf);
	struct hg_saved_number number = {0};
	int rc;

	if (text == NULL)
		rc = hg_error_set(g->err, -HG_EINVAL, "one number is expected here", NULL);
	else
		rc = hg_field_parse(field, text, &number, g->err);
	if (rc < 0)
		return hg_reader_fail(&g->r, node, rc);
	*ret = number.value;
	return 0;
}

static int read_classes(struct reading *g, const json_t *sched, struct hg_sched_saved *to)
{
	json_t *list = json_object_get(sched, "classes");
	size_t before = hg_reader_enter(&g->r, "classes");
	int rc = hg_reader_check_list(&g->r, list);

	if (rc == 0 && json_array_size(list) > HG_CLASSES_MAX)
		rc = hg_reader_fail(&g->r, list,
				    hg_error_set(g->err, -HG_EINVAL,
						 "an instance has at most 8 classes", NULL));
	for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
		size_t at_item = hg_reader_enter_item(&g->r, i);

		rc = read_number(g, &hg_saved_ahead_field, json_array_get(list, i),
				 &to->class_ahead[i]);
		to->n_classes = (uint32_t)i + 1u;
		hg_reader_leave(&g->r, at_item);
	}
	hg_reader_leave(&g->r, before);
	return rc;
}

/* ---- state -------------------------------------------------------------------------------------- */

static struct hg_bucket_saved bucket_from(const struct hg_saved_bucket *from)
{
	return (struct hg_bucket_saved){
		.tokens = from->debt > 0 ? -(int64_t)from->debt : (int64_t)from->tokens,
		.part = (uint32_t)from->part,
		.full_for_ns = (hg_ns)from->full_for_ns,
		.taken_ago_ns = (hg_ns)from->taken_ago_ns,
	};
}

static struct hg_sched_saved sched_from(const struct hg_saved_sched *from)
{
	return (struct hg_sched_saved){
		.due_in_ns =
			from->overdue_ns > 0 ? -(hg_ns)from->overdue_ns : (hg_ns)from->due_in_ns,
		.ahead = from->ahead,
		.quiet_ns = (hg_ns)from->quiet_ns,
	};
}

static int read_dir(struct reading *g, const char *key, const json_t *state,
		    const struct hg_saved_dir *from, struct hg_state_dir *to)
{
	const json_t *dir = json_object_get(state, key);
	size_t at_dir = hg_reader_enter(&g->r, key), at_part;
	int rc;

	*to = (struct hg_state_dir){
		.caps = {.has_bytes = json_object_get(dir, "max") != NULL,
			 .has_pkts = json_object_get(dir, "max_pkts") != NULL,
			 .bytes = bucket_from(&from->max),
			 .pkts = bucket_from(&from->max_pkts)},
		.link = sched_from(&from->link),
		.local = sched_from(&from->local),
	};
	at_part = hg_reader_enter(&g->r, "link");
	rc = read_classes(g, json_object_get(dir, "link"), &to->link);
	hg_reader_leave(&g->r, at_part);
	if (rc == 0) {
		at_part = hg_reader_enter(&g->r, "local");
		rc = read_classes(g, json_object_get(dir, "local"), &to->local);
		hg_reader_leave(&g->r, at_part);
	}
	hg_reader_leave(&g->r, at_dir);
	return rc;
}

static void read_behaviour(const json_t *state, const struct hg_saved_behaviour *from,
			   struct hg_instance_state *to)
{
	to->behaviour_ago_ns = -1;
	if (json_object_get(state, "behaviour") == NULL)
		return;
	to->behaviour_ago_ns = (hg_ns)from->ago_ns;
	to->behaviour = (struct hg_behaviour){
		.level = (int8_t)(from->tightened > 0 ? (int)from->tightened : -(int)from->relaxed),
		.n_over = (uint8_t)from->n_over,
		.n_inside = (uint8_t)from->n_inside,
		.reason = (uint8_t)from->reason,
		.n_changes = (uint32_t)from->n_changes,
	};
}

static int read_learned(struct reading *g, const json_t *node_list, size_t i)
{
	json_t *node = json_array_get(node_list, i);
	const struct hg_desired *d = g->a->desired;
	struct hg_instance_state *state = &g->a->saved.state;
	struct hg_state_learned *to = &state->learned[state->n_learned];
	struct hg_saved_learned from = {0};
	int rc = hg_reader_read(&g->r, &hg_saved_learned_resource, node, &from);

	if (rc < 0)
		return rc;
	for (uint32_t p = 0; p < d->n_ports; p++) {
		if (d->ports[p].instance_idx != g->a->instance_idx ||
		    strcmp(d->ports[p].name, from.port) != 0)
			continue;
		to->port_idx = p;
		to->seen_ago_ns = (hg_ns)from.seen_ago_ns;
		memcpy(to->mac, from.mac, sizeof(to->mac));
		state->n_learned++;
		return 0;
	}
	return fail_at(g, "port", json_object_get(node, "port"),
		       hg_error_set(g->err, -HG_ENOENT, "the instance has no port named ",
				    from.port, NULL));
}

static int read_all_learned(struct reading *g, const json_t *state)
{
	json_t *list = json_object_get(state, "learned");
	size_t before = hg_reader_enter(&g->r, "learned");
	int rc = hg_reader_check_list(&g->r, list);

	if (rc == 0 && json_array_size(list) > HG_STATE_LEARNED_MAX)
		rc = hg_reader_fail(&g->r, list,
				    hg_error_set(g->err, -HG_EINVAL,
						 "there are more than 256 addresses", NULL));
	for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
		size_t at_item = hg_reader_enter_item(&g->r, i);

		rc = read_learned(g, list, i);
		hg_reader_leave(&g->r, at_item);
	}
	hg_reader_leave(&g->r, before);
	return rc;
}

static int read_state(struct reading *g)
{
	json_t *node = json_object_get(g->document->root, "state");
	struct hg_instance_state *to = &g->a->saved.state;
	struct hg_saved_state from = {0};
	size_t before = hg_reader_enter(&g->r, "state");
	int rc = 0;

	if (node != NULL)
		rc = hg_reader_read(&g->r, &hg_saved_state_resource, node, &from);
	if (rc == 0)
		rc = read_dir(g, "out", node, &from.out, &to->dir[HG_OUT]);
	if (rc == 0)
		rc = read_dir(g, "in", node, &from.in, &to->dir[HG_IN]);
	if (rc == 0) {
		read_behaviour(node, &from.behaviour, to);
		rc = read_all_learned(g, node);
	}
	/* The tables and this say the same; what the packet lane relies on is asked for once more. */
	if (rc == 0 && (rc = hg_instance_state_check(to, g->err)) < 0)
		rc = hg_reader_fail(&g->r, node, rc);
	hg_reader_leave(&g->r, before);
	return rc;
}

/* ---- totals ------------------------------------------------------------------------------------- */

static int read_named(struct reading *g, const char *key, json_t *dir, uint64_t *values, unsigned n,
		      hg_saved_name_fn name)
{
	json_t *table = json_object_get(dir, key), *node;
	size_t before = hg_reader_enter(&g->r, key), at_name;
	const char *its;
	int rc = 0;

	if (table != NULL && !json_is_object(table))
		rc = hg_reader_fail(&g->r, table,
				    hg_error_set(g->err, -HG_EINVAL,
						 "an object of names and numbers is expected",
						 NULL));
	json_object_foreach(table, its, node)
	{
		unsigned i = 0;

		if (rc < 0)
			break;
		while (i < n && strcmp(name(i), its) != 0)
			i++;
		if (i == n) {
			rc = leave_out(g, its);
			continue;
		}
		at_name = hg_reader_enter(&g->r, its);
		rc = read_number(g, &hg_saved_number_field, node, &values[i]);
		hg_reader_leave(&g->r, at_name);
	}
	hg_reader_leave(&g->r, before);
	return rc;
}

static int read_totals(struct reading *g)
{
	json_t *node = json_object_get(g->document->root, "totals");
	struct hg_totals *to = &g->a->saved.totals;
	size_t before = hg_reader_enter(&g->r, "totals");
	int rc = 0;

	if (node != NULL)
		rc = hg_reader_read(&g->r, &hg_saved_totals_resource, node, to);
	for (unsigned i = 0; rc == 0 && i < HG_N_DIRS; i++) {
		const char *key = hg_dir_name((enum hg_dir)i);
		json_t *dir = json_object_get(node, key);
		size_t at_dir = hg_reader_enter(&g->r, key);

		rc = read_named(g, "drops", dir, to->dir[i].drops, HG_N_DROPS, hg_saved_drop_name);
		if (rc == 0)
			rc = read_named(g, "held_ns", dir, to->dir[i].held_ns, HG_N_LIMITS,
					hg_saved_limit_name);
		hg_reader_leave(&g->r, at_dir);
	}
	hg_reader_leave(&g->r, before);
	return rc;
}

/* ---- who is here already ------------------------------------------------------------------------ */

/* The instance alone, read as a configuration of its own, so that its mistakes are told as such. */
static int read_alone(struct reading *g, json_t *instance, struct hg_desired **ret)
{
	struct hg_tree tree = {.marks = g->document->marks};
	int rc;

	tree.root = json_pack("{s:[{s:s, s:s, s:s}], s:[{s:s, s:[O]}]}", "uplinks", "name", "up0",
			      "device", "none:up0", "capacity", "1Tbit", "tenants", "name", "t",
			      "instances", instance);
	if (tree.root == NULL)
		return no_memory(g->err);
	rc = hg_config_read(&tree, NULL, ret, g->err);
	json_decref(tree.root);
	return rc;
}

/* Where it is to be. */
struct destination {
	const char *tenant;
	uint32_t uplink_idx;
	uint16_t vlan; /* the tenant's */
};

/* of: "the MAC address of port web1-0". */
static int taken(struct reading *g, const json_t *node, const char *of, const char *port,
		 uint32_t owner_idx)
{
	const struct hg_desired_port *owner = &g->now->ports[owner_idx];
	const struct hg_desired_instance *instance = &g->now->instances[owner->instance_idx];

	return hg_reader_fail(&g->r, node,
			      hg_error_set(g->err, -HG_EEXIST, "the ", of, " of port ", port,
					   " is here already: port ", owner->name, " of instance ",
					   instance->name, " of tenant ",
					   g->now->tenants[instance->tenant_idx].name, " has it",
					   NULL));
}

static bool has_address(const struct hg_desired_port *a, const struct hg_desired_port *b)
{
	for (uint32_t i = 0; i < a->n_addresses; i++) {
		for (uint32_t j = 0; j < b->n_addresses; j++) {
			if (hg_port_same_address(&a->addresses[i], &b->addresses[j]))
				return true;
		}
	}
	return false;
}

/* As core/owner.h has it, but said of what arrives. */
static int check_port(struct reading *g, const json_t *node, const struct hg_desired_port *port,
		      const struct destination *to)
{
	uint16_t own = port->vlan == HG_VLAN_TENANT ? to->vlan : port->vlan;

	for (uint32_t i = 0; i < g->now->n_ports; i++) {
		const struct hg_desired_port *other = &g->now->ports[i];
		uint32_t tenant = g->now->instances[other->instance_idx].tenant_idx;
		uint16_t its = hg_desired_vlan(g->now, other);

		if (strcmp(other->name, port->name) == 0)
			return taken(g, node, "name", port->name, i);
		if (strcmp(other->device, port->device) == 0 &&
		    strcmp(other->netns, port->netns) == 0)
			return taken(g, node, "device", port->name, i);
		if (port->has_mac && other->has_mac && hg_port_share_vlan(port, own, other, its) &&
		    memcmp(port->mac, other->mac, HG_MAC_BYTES) == 0)
			return taken(g, node, "MAC address", port->name, i);
		if (g->now->tenants[tenant].uplink_idx == to->uplink_idx &&
		    hg_port_meet(port, own, other, its) && has_address(port, other))
			return taken(g, node, "address", port->name, i);
	}
	return 0;
}

static int check_conflicts(struct reading *g, json_t *item, const struct hg_desired *alone,
			   const struct destination *to)
{
	const char *name = alone->instances[0].name;
	size_t before;
	int rc = 0;

	for (uint32_t i = 0; i < g->now->n_instances; i++) {
		const struct hg_desired_instance *other = &g->now->instances[i];

		if (strcmp(other->name, name) == 0)
			return fail_at(g, "name", json_object_get(item, "name"),
				       hg_error_set(g->err, -HG_EEXIST, "an instance named ", name,
						    " is here already, of tenant ",
						    g->now->tenants[other->tenant_idx].name, NULL));
	}
	before = hg_reader_enter(&g->r, "ports");
	for (uint32_t i = 0; rc == 0 && i < alone->n_ports; i++) {
		size_t at_item = hg_reader_enter_item(&g->r, i);

		rc = check_port(g, json_array_get(json_object_get(item, "ports"), i),
				&alone->ports[i], to);
		hg_reader_leave(&g->r, at_item);
	}
	hg_reader_leave(&g->r, before);
	return rc;
}

/* ---- whose it is to be -------------------------------------------------------------------------- */

static uint32_t find_uplink(const struct hg_desired *d, const char *name)
{
	uint32_t i = 0;

	while (i < d->n_uplinks && strcmp(d->uplinks[i].name, name) != 0)
		i++;
	return i;
}

static uint32_t find_tenant(const struct hg_desired *d, const char *name)
{
	uint32_t i = 0;

	while (i < d->n_tenants && strcmp(d->tenants[i].name, name) != 0)
		i++;
	return i;
}

static int no_such_tenant(struct reading *g, const char *name, const json_t *node)
{
	char there[HG_ERROR_TEXT_BYTES / 2], quoted[64];
	struct hg_text out, quote;

	hg_text_init(&out, there, sizeof(there));
	hg_text_init(&quote, quoted, sizeof(quoted));
	hg_text_add_quoted(&quote, name);
	for (uint32_t i = 0; i < g->now->n_tenants && i < 9u; i++) {
		hg_text_add(&out, i > 0 ? ", " : "; there is ");
		hg_text_add(&out, i == 8u ? "..." : g->now->tenants[i].name);
	}
	return fail_at(g, "tenant", node,
		       hg_error_set(g->err, -HG_ENOENT, "no tenant here has the name ", quoted,
				    there,
				    "; say which it is to belong to, or the uplink on which"
				    " to make this one",
				    NULL));
}

/* Finds the tenant's uplink, or where it is to be made. */
static int place_tenant(struct reading *g, const char *uplink, struct destination *ret)
{
	const json_t *node = json_object_get(g->document->root, "tenant");
	const char *name = json_is_string(node) ? json_string_value(node) : NULL;
	uint32_t tenant_idx, uplink_idx = 0;

	if (name == NULL || name[0] == '\0')
		return fail_at(g, "tenant", node,
			       hg_error_set(g->err, -HG_EINVAL,
					    "'tenant' is missing: an instance belongs to one",
					    NULL));
	tenant_idx = find_tenant(g->now, name);
	if (uplink != NULL) {
		uplink_idx = find_uplink(g->now, uplink);
		if (uplink_idx == g->now->n_uplinks)
			return hg_error_set(g->err, -HG_ENOENT, "no uplink here has the name ",
					    uplink, NULL);
	}
	if (tenant_idx == g->now->n_tenants && uplink == NULL)
		return no_such_tenant(g, name, node);
	if (tenant_idx < g->now->n_tenants) {
		uint32_t its = g->now->tenants[tenant_idx].uplink_idx;

		if (uplink != NULL && uplink_idx != its)
			return fail_at(g, "tenant", node,
				       hg_error_set(g->err, -HG_EEXIST, "tenant ", name,
						    " is here already, on uplink ",
						    g->now->uplinks[its].name, NULL));
		uplink_idx = its;
	}
	*ret = (struct destination){.tenant = name,
				    .uplink_idx = uplink_idx,
				    .vlan = tenant_idx < g->now->n_tenants
						    ? g->now->tenants[tenant_idx].vlan
						    : HG_VLAN_NONE};
	return 0;
}

/* The state in force as a tree, with the instance in its tenant. NULL: no memory. */
static json_t *compose(const struct reading *g, json_t *item, const char *tenant_name,
		       const char *uplink)
{
	json_t *root, *tenants, *tenant, *list;

	if (hg_config_export_json(g->now, &root, NULL) < 0)
		return NULL;
	tenants = json_object_get(root, "tenants");
	if (tenants == NULL && put(root, "tenants", json_array()))
		tenants = json_object_get(root, "tenants");
	tenant = hg_saved_find(tenants, tenant_name);
	if (tenant == NULL && uplink != NULL &&
	    json_array_append_new(
		    tenants, json_pack("{s:s, s:s}", "name", tenant_name, "uplink", uplink)) == 0)
		tenant = hg_saved_find(tenants, tenant_name);
	list = json_object_get(tenant, "instances");
	if (list == NULL && tenant != NULL && put(tenant, "instances", json_array()))
		list = json_object_get(tenant, "instances");
	if (json_array_append(list, item) == 0)
		return root;
	json_decref(root);
	return NULL;
}

static int build(struct reading *g, json_t *item, const char *tenant, const char *uplink,
		 const char *name)
{
	struct hg_tree tree = {.marks = g->document->marks};
	uint32_t i = 0;
	int rc;

	tree.root = compose(g, item, tenant, uplink);
	if (tree.root == NULL)
		return no_memory(g->err);
	rc = hg_config_from_tree(&tree, g->check_device, g->now, &g->a->desired, g->err);
	json_decref(tree.root);
	if (rc < 0)
		return rc;
	while (strcmp(g->a->desired->instances[i].name, name) != 0)
		i++;
	g->a->instance_idx = i;
	return 0;
}

static int check_name(struct reading *g, const char *expected, const char *its, const json_t *item)
{
	if (expected == NULL || strcmp(expected, its) == 0)
		return 0;
	return fail_at(g, "name", json_object_get(item, "name"),
		       hg_error_set(g->err, -HG_EINVAL,
				    "the document has another name than the request, '", expected,
				    "'", NULL));
}

static int read_instance(struct reading *g, const char *name, const char *uplink)
{
	json_t *item = json_object_get(g->document->root, "instance");
	struct hg_desired *alone;
	struct destination to = {0};
	size_t before;
	int rc;

	if (!json_is_object(item))
		return fail_at(g, "instance", item,
			       hg_error_set(g->err, -HG_EINVAL,
					    "'instance' is missing: its name, contract and ports",
					    NULL));
	rc = place_tenant(g, uplink, &to);
	if (rc < 0)
		return rc;
	rc = read_alone(g, item, &alone);
	if (rc < 0)
		return rc;
	before = hg_reader_enter(&g->r, "instance");
	rc = check_name(g, name, alone->instances[0].name, item);
	if (rc == 0)
		rc = check_conflicts(g, item, alone, &to);
	hg_reader_leave(&g->r, before);
	if (rc == 0)
		rc = build(g, item, to.tenant, uplink, alone->instances[0].name);
	hg_config_destroy(alone);
	return rc;
}

int hg_saved_read(const struct hg_desired *now, const char *name, const char *uplink,
		  const struct hg_tree *document, hg_config_device_fn check_device,
		  struct hg_arrival **ret, struct hg_error *reterr)
{
	struct reading g = {.now = now,
			    .document = document,
			    .check_device = check_device,
			    .err = reterr,
			    .a = calloc(1, sizeof(*g.a))};
	int rc = 0;

	if (g.a != NULL)
		g.a->left_out = json_array();
	if (g.a == NULL || g.a->left_out == NULL)
		rc = no_memory(reterr);
	hg_reader_init(&g.r, document, check_device, reterr);
	if (rc == 0)
		rc = read_header(&g);
	if (rc == 0)
		rc = check_sections(&g);
	if (rc == 0)
		rc = read_instance(&g, name, uplink);
	if (rc == 0)
		rc = read_state(&g);
	if (rc == 0)
		rc = read_totals(&g);
	if (rc == 0)
		rc = hg_saved_read_credits(&g.r, document->root, &g.a->saved);
	if (rc < 0) {
		hg_arrival_destroy(g.a);
		return rc;
	}
	*ret = g.a;
	return 0;
}

void hg_arrival_destroy(struct hg_arrival *arrival)
{
	if (arrival == NULL)
		return;
	hg_config_destroy(arrival->desired);
	json_decref(arrival->left_out);
	free(arrival);
}
