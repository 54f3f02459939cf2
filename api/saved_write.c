/* An instance to a document: what api/saved.c reads. */
#include "api/saved.h"
#include "api/saved_credits.h"
#include "api/saved_schema.h"

#include <string.h>

static uint64_t positive(int64_t value)
{
	return value > 0 ? (uint64_t)value : 0;
}

static struct hg_saved_bucket bucket_of(const struct hg_bucket_saved *from)
{
	return (struct hg_saved_bucket){
		.tokens = positive(from->tokens),
		.debt = positive(-from->tokens),
		.part = from->part,
		.full_for_ns = positive(from->full_for_ns),
		.taken_ago_ns = positive(from->taken_ago_ns),
	};
}

static struct hg_saved_sched sched_of(const struct hg_sched_saved *from)
{
	return (struct hg_saved_sched){
		.due_in_ns = positive(from->due_in_ns),
		.overdue_ns = positive(-from->due_in_ns),
		.ahead = from->ahead,
		.quiet_ns = positive(from->quiet_ns),
	};
}

static struct hg_saved_dir dir_of(const struct hg_state_dir *from)
{
	return (struct hg_saved_dir){
		.max = bucket_of(&from->caps.bytes),
		.max_pkts = bucket_of(&from->caps.pkts),
		.link = sched_of(&from->link),
		.local = sched_of(&from->local),
	};
}

static struct hg_saved_behaviour behaviour_of(const struct hg_instance_state *from)
{
	return (struct hg_saved_behaviour){
		.tightened = positive(from->behaviour.level),
		.relaxed = positive(-from->behaviour.level),
		.n_over = from->behaviour.n_over,
		.n_inside = from->behaviour.n_inside,
		.reason = from->behaviour.reason,
		.n_changes = from->behaviour.n_changes,
		.ago_ns = positive(from->behaviour_ago_ns),
	};
}

/* Every step below answers whether there was memory for it. */
static bool put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) == 0;
}

static json_t *object_in(json_t *parent, const char *key)
{
	json_t *object = json_object_get(parent, key);

	if (object == NULL && put(parent, key, json_object()))
		object = json_object_get(parent, key);
	return object;
}

static bool put_classes(json_t *dir, const char *key, const struct hg_sched_saved *from)
{
	json_t *list;

	if (from->n_classes == 0)
		return true;
	list = json_array();
	for (uint32_t i = 0; i < from->n_classes; i++)
		(void)json_array_append_new(list, json_integer((json_int_t)from->class_ahead[i]));
	return put(object_in(dir, key), "classes", list);
}

/* What no bucket is there for has no place. */
static bool finish_dir(json_t *state, const char *key, const struct hg_state_dir *from)
{
	json_t *dir = object_in(state, key);

	if (!from->caps.has_bytes)
		json_object_del(dir, "max");
	if (!from->caps.has_pkts)
		json_object_del(dir, "max_pkts");
	return dir != NULL && put_classes(dir, "link", &from->link) &&
	       put_classes(dir, "local", &from->local);
}

static json_t *learned_to_json(const struct hg_desired *d, const struct hg_instance_state *from)
{
	json_t *list = json_array();

	for (uint32_t i = 0; list != NULL && i < from->n_learned; i++) {
		const struct hg_state_learned *learned = &from->learned[i];
		struct hg_saved_learned one = {.has_mac = true,
					       .seen_ago_ns = positive(learned->seen_ago_ns)};

		memcpy(one.port, d->ports[learned->port_idx].name, sizeof(one.port));
		memcpy(one.mac, learned->mac, sizeof(one.mac));
		if (json_array_append_new(
			    list, hg_resource_to_json(&hg_saved_learned_resource, &one)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *state_to_json(const struct hg_desired *d, const struct hg_instance_state *from)
{
	const struct hg_saved_state state = {
		.out = dir_of(&from->dir[HG_OUT]),
		.in = dir_of(&from->dir[HG_IN]),
		.behaviour = behaviour_of(from),
	};
	json_t *json = hg_resource_to_json(&hg_saved_state_resource, &state);
	bool is_done = json != NULL && finish_dir(json, "out", &from->dir[HG_OUT]) &&
		       finish_dir(json, "in", &from->dir[HG_IN]);

	if (is_done && from->behaviour_ago_ns < 0)
		json_object_del(json, "behaviour");
	/* Judged just now, and nothing to tell: it was judged all the same. */
	else if (is_done)
		is_done = object_in(json, "behaviour") != NULL;
	if (is_done && from->n_learned > 0)
		is_done = put(json, "learned", learned_to_json(d, from));
	if (!is_done) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static uint64_t at_most(uint64_t value)
{
	return value < (uint64_t)HG_SAVED_AGE_MAX_NS ? value : (uint64_t)HG_SAVED_AGE_MAX_NS;
}

static bool put_named(json_t *dir, const char *key, const uint64_t *values, unsigned n,
		      hg_saved_name_fn name)
{
	json_t *table = NULL;

	for (unsigned i = 0; i < n; i++) {
		if (values[i] == 0)
			continue;
		table = object_in(dir, key);
		if (!put(table, name(i), json_integer((json_int_t)at_most(values[i]))))
			return false;
	}
	return true;
}

/* No number has more than 18 digits. */
static void bound_totals(struct hg_totals *totals)
{
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		for (const struct hg_field *f = hg_saved_totals_dir_resource.fields;
		     f->kind == HG_KIND_COUNT; f++) {
			uint64_t *value =
				(uint64_t *)(void *)((char *)&totals->dir[dir] + f->offset);

			*value = at_most(*value);
		}
	}
	totals->cut_segments = at_most(totals->cut_segments);
	totals->cut_pieces = at_most(totals->cut_pieces);
	totals->age_ns = (hg_ns)at_most(positive(totals->age_ns));
}

static json_t *totals_to_json(const struct hg_totals *from)
{
	struct hg_totals totals = *from;
	json_t *json;
	bool is_done;

	bound_totals(&totals);
	json = hg_resource_to_json(&hg_saved_totals_resource, &totals);
	is_done = json != NULL;
	for (unsigned i = 0; is_done && i < HG_N_DIRS; i++) {
		json_t *dir = object_in(json, hg_dir_name((enum hg_dir)i));

		is_done = put_named(dir, "drops", totals.dir[i].drops, HG_N_DROPS,
				    hg_saved_drop_name) &&
			  put_named(dir, "held_ns", totals.dir[i].held_ns, HG_N_LIMITS,
				    hg_saved_limit_name);
	}
	if (!is_done) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static int no_memory(struct hg_error *err)
{
	return hg_error_set(err, -HG_ENOMEM, "not enough memory for a saved instance", NULL);
}

int hg_saved_write(const struct hg_desired *desired, uint32_t instance_idx,
		   const struct hg_saved_instance *saved, json_t **ret, struct hg_error *reterr)
{
	const struct hg_desired_instance *instance = &desired->instances[instance_idx];
	const char *tenant = desired->tenants[instance->tenant_idx].name;
	json_t *config, *item, *json = json_object();
	int rc = hg_config_export_json(desired, &config, reterr);
	bool is_done;

	if (rc < 0) {
		json_decref(json);
		return rc;
	}
	item = hg_saved_find(json_object_get(config, "tenants"), tenant);
	item = hg_saved_find(json_object_get(item, "instances"), instance->name);
	is_done = put(json, "headgate",
		      json_pack("{s:s, s:i}", "kind", "instance", "version",
				(int)HG_SAVED_VERSION)) &&
		  put(json, "tenant", json_string(tenant)) &&
		  json_object_set(json, "instance", item) == 0 &&
		  put(json, "state", state_to_json(desired, &saved->state)) &&
		  put(json, "totals", totals_to_json(&saved->totals));
	if (is_done && saved->has_credits)
		is_done = put(json, "credits", hg_saved_credits_to_json(&saved->credits));
	json_decref(config);
	if (!is_done) {
		json_decref(json);
		return no_memory(reterr);
	}
	*ret = json;
	return 0;
}
