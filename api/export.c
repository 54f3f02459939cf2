/* A desired state to a tree: what api/config.c reads back to the same state. */
#include "api/config.h"
#include "api/schema.h"

#include <stdlib.h>
#include <string.h>

static int no_memory(struct hg_error *err)
{
	return hg_error_set(err, -HG_ENOMEM, "not enough memory to write the configuration", NULL);
}

/* Takes over value, which may be NULL for want of memory. */
static bool put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new_nocheck(object, key, value) == 0;
}

static bool put_field(json_t *object, const struct hg_field *f, const void *base)
{
	json_t *inner;

	if (f->is_shared)
		return true;
	if (f->kind == HG_KIND_OBJECT) {
		inner = hg_resource_to_json(f->of, (const char *)base + f->offset);
		if (inner != NULL && json_object_size(inner) == 0) {
			json_decref(inner);
			return true;
		}
		return put(object, f->key, inner);
	}
	if (!hg_field_is_value(f) || (hg_field_is_default(f, base) && !f->is_required))
		return true;
	return put(object, f->key, hg_field_to_json(f, base));
}

json_t *hg_resource_to_json(const struct hg_resource *res, const void *base)
{
	json_t *object = json_object();

	for (const struct hg_field *f = res->fields; object != NULL && f->key != NULL; f++) {
		if (!put_field(object, f, base)) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

/* ---- contracts ---------------------------------------------------------------------------------- */

/* Moves the key from both directions' objects to where it is said once, if both say the same. */
static bool share(json_t *out, json_t *in, const char *key, json_t *shared)
{
	json_t *value = json_object_get(out, key);

	if (value == NULL || !json_equal(value, json_object_get(in, key)))
		return true;
	if (json_object_set_nocheck(shared, key, value) < 0)
		return false;
	json_object_del(out, key);
	json_object_del(in, key);
	return true;
}

static void drop_if_empty(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (json_is_object(value) && json_object_size(value) == 0)
		json_object_del(object, key);
}

static bool share_idle(json_t *contract, json_t *out, json_t *in)
{
	json_t *out_idle = json_object_get(out, "idle"), *in_idle = json_object_get(in, "idle");
	json_t *idle;

	if (out_idle == NULL || in_idle == NULL)
		return true;
	idle = json_object();
	if (idle == NULL || !share(out_idle, in_idle, "after", idle) ||
	    !share(out_idle, in_idle, "reserve", idle)) {
		json_decref(idle);
		return false;
	}
	if (!put(contract, "idle", idle))
		return false;
	drop_if_empty(contract, "idle");
	drop_if_empty(out, "idle");
	drop_if_empty(in, "idle");
	return true;
}

/* What both directions of the item's contract say alike is said once. */
static bool shorten_contract(json_t *item)
{
	json_t *contract = json_object_get(item, "contract");
	json_t *out = json_object_get(contract, "out"), *in = json_object_get(contract, "in");

	if (out == NULL || in == NULL)
		return true;
	if (!share_idle(contract, out, in) || !share(out, in, "accounting", contract) ||
	    !share(out, in, "priority", contract) || !share(out, in, "classes", contract))
		return false;
	drop_if_empty(contract, "out");
	drop_if_empty(contract, "in");
	return true;
}

/* A reserve of one burst is the default, whatever the burst. */
static void unsettle_reserve(struct hg_contract *contract)
{
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		struct hg_policy *p = &contract->dir[dir];

		if (p->reserve_bytes == p->burst_bytes)
			p->reserve_bytes = HG_SCHEMA_ONE_BURST;
	}
}

static json_t *with_contract(const struct hg_resource *res, const void *base)
{
	json_t *item = hg_resource_to_json(res, base);

	if (item != NULL && !shorten_contract(item)) {
		json_decref(item);
		return NULL;
	}
	return item;
}

static json_t *tenant_to_json(const struct hg_desired *d, const struct hg_desired_tenant *from)
{
	struct hg_desired_tenant tenant = *from;
	json_t *item;

	unsettle_reserve(&tenant.contract);
	item = with_contract(&hg_schema_tenant, &tenant);
	if (item != NULL && d->n_uplinks > 1 &&
	    !put(item, "uplink", json_string(d->uplinks[from->uplink_idx].name))) {
		json_decref(item);
		return NULL;
	}
	return item;
}

static json_t *instance_to_json(const struct hg_desired_instance *from)
{
	struct hg_desired_instance instance = *from;

	unsettle_reserve(&instance.contract);
	return with_contract(&hg_schema_instance, &instance);
}

/* ---- lists -------------------------------------------------------------------------------------- */

/* Appends the item, which it takes over, to the list behind key, which it makes if need be. */
static bool append(json_t *parent, const char *key, json_t *item)
{
	json_t *list = json_object_get(parent, key);

	if (list == NULL) {
		list = json_array();
		if (!put(parent, key, list)) {
			json_decref(item);
			return false;
		}
	}
	return json_array_append_new(list, item) == 0;
}

struct export
{
	const struct hg_desired *d;
	json_t *root;
	/* Borrowed from root, by index. */
	json_t **tenants, **instances;
};

static bool export_items(struct export *e)
{
	const struct hg_desired *d = e->d;

	for (uint32_t i = 0; i < d->n_uplinks; i++) {
		json_t *item = hg_resource_to_json(&hg_schema_uplink, &d->uplinks[i]);

		if (!append(e->root, "uplinks", item))
			return false;
	}
	for (uint32_t i = 0; i < d->n_tenants; i++) {
		e->tenants[i] = tenant_to_json(d, &d->tenants[i]);
		if (!append(e->root, "tenants", e->tenants[i]))
			return false;
	}
	for (uint32_t i = 0; i < d->n_instances; i++) {
		e->instances[i] = instance_to_json(&d->instances[i]);
		if (!append(e->tenants[d->instances[i].tenant_idx], "instances", e->instances[i]))
			return false;
	}
	for (uint32_t i = 0; i < d->n_ports; i++) {
		json_t *item = hg_resource_to_json(&hg_schema_port, &d->ports[i]);

		if (!append(e->instances[d->ports[i].instance_idx], "ports", item))
			return false;
	}
	return true;
}

int hg_config_export_json(const struct hg_desired *desired, json_t **ret, struct hg_error *reterr)
{
	struct export e = {
		.d = desired,
		.root = hg_resource_to_json(&hg_schema_host, desired),
		.tenants = calloc(desired->n_tenants + 1u, sizeof(json_t *)),
		.instances = calloc(desired->n_instances + 1u, sizeof(json_t *)),
	};
	bool is_done = e.root != NULL && e.tenants != NULL && e.instances != NULL;

	is_done = is_done && export_items(&e);
	free(e.tenants);
	free(e.instances);
	if (!is_done) {
		json_decref(e.root);
		return no_memory(reterr);
	}
	*ret = e.root;
	return 0;
}

int hg_config_export_yaml(const struct hg_desired *desired, char **ret_text, size_t *ret_n_bytes,
			  struct hg_error *reterr)
{
	json_t *root;
	int rc = hg_config_export_json(desired, &root, reterr);

	if (rc < 0)
		return rc;
	rc = hg_yaml_emit(root, ret_text, ret_n_bytes, reterr);
	json_decref(root);
	return rc;
}
