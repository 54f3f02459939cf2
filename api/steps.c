#include "api/steps.h"

#include "api/nearest.h"
#include "api/reader.h"

#include <string.h>

/* One step under way: the state in force as a tree that is being edited. */
struct step {
	const struct hg_desired *now;
	const struct hg_tree *body; /* NULL: none */
	json_t *root;
	struct hg_reader r; /* walks the body; its path is empty */
	struct hg_error *err;
};

static int no_memory(struct step *s)
{
	return hg_error_set(s->err, -HG_ENOMEM, "not enough memory for the change", NULL);
}

static int begin(struct step *s, const struct hg_desired *now, const struct hg_tree *body,
		 struct hg_error *err)
{
	static const struct hg_tree nothing = {0};

	*s = (struct step){.now = now, .body = body, .err = err};
	hg_reader_init(&s->r, body != NULL ? body : &nothing, NULL, err);
	return hg_config_export_json(now, &s->root, err);
}

/* Reads the edited tree as one reads a whole file. Ends the step, also when rc is an error already. */
static int finish(struct step *s, int rc, hg_config_device_fn check_device, struct hg_desired **ret,
		  bool *ret_changed)
{
	struct hg_tree tree = {
		.root = s->root,
		.marks = s->body != NULL ? s->body->marks : NULL,
	};
	struct hg_desired *result = NULL;

	if (rc == 0)
		rc = hg_config_from_tree(&tree, check_device, s->now, &result, s->err);
	json_decref(s->root);
	if (rc < 0)
		return rc;
	*ret_changed = !hg_config_equal(s->now, result);
	*ret = result;
	return 0;
}

/* ---- finding ------------------------------------------------------------------------------------ */

struct place { /* of an item: list[idx], inside parent */
	json_t *parent, *list, *item;
	size_t idx;
};

static bool find_in(json_t *parent, const char *key, const char *name, struct place *ret)
{
	json_t *list = json_object_get(parent, key);

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *item = json_array_get(list, i);
		const char *its = json_string_value(json_object_get(item, "name"));

		if (its != NULL && strcmp(its, name) == 0) {
			*ret = (struct place){
				.parent = parent, .list = list, .item = item, .idx = i};
			return true;
		}
	}
	return false;
}

static bool find_tenant(struct step *s, const char *name, struct place *ret)
{
	return find_in(s->root, "tenants", name, ret);
}

static bool find_instance(struct step *s, const char *name, struct place *ret)
{
	json_t *tenants = json_object_get(s->root, "tenants");

	for (size_t t = 0; t < json_array_size(tenants); t++) {
		if (find_in(json_array_get(tenants, t), "instances", name, ret))
			return true;
	}
	return false;
}

static bool find_port(struct step *s, const char *name, struct place *ret)
{
	json_t *tenants = json_object_get(s->root, "tenants");

	for (size_t t = 0; t < json_array_size(tenants); t++) {
		json_t *instances = json_object_get(json_array_get(tenants, t), "instances");

		for (size_t i = 0; i < json_array_size(instances); i++) {
			if (find_in(json_array_get(instances, i), "ports", name, ret))
				return true;
		}
	}
	return false;
}

typedef bool (*find_fn)(struct step *s, const char *name, struct place *ret);

/* ---- owners ------------------------------------------------------------------------------------- */

enum kind { UPLINK, TENANT, INSTANCE };

static const char *const kind_name[] = {"uplink", "tenant", "instance"};

/* The name of that number; NULL: there are no more. */
static const char *name_at(const struct hg_desired *d, enum kind kind, uint32_t i)
{
	switch (kind) {
	case UPLINK:
		return i < d->n_uplinks ? d->uplinks[i].name : NULL;
	case TENANT:
		return i < d->n_tenants ? d->tenants[i].name : NULL;
	default:
		return i < d->n_instances ? d->instances[i].name : NULL;
	}
}

/* Names that there are, for sentences; a few of them, and the nearest to the one written. */
static void add_names(struct step *s, enum kind kind, const char *name, struct hg_text *out)
{
	struct hg_nearest nearest;
	const char *its;

	hg_nearest_init(&nearest, name);
	hg_text_add(out, name_at(s->now, kind, 0) != NULL ? "there is " : "there is none");
	for (uint32_t i = 0; (its = name_at(s->now, kind, i)) != NULL; i++) {
		hg_nearest_offer(&nearest, its);
		if (i > 8u)
			continue;
		hg_text_add(out, i > 0 ? ", " : "");
		hg_text_add(out, i == 8u ? "..." : its);
	}
	if (nearest.best != NULL) {
		hg_text_add(out, "; did you mean '");
		hg_text_add(out, nearest.best);
		hg_text_add(out, "'?");
	}
}

/* node: what named it in the body; NULL: the request itself did. */
static int no_such(struct step *s, enum kind kind, const char *name, const json_t *node)
{
	char names[HG_ERROR_TEXT_BYTES / 2], quoted[64];
	struct hg_text out, quote;
	int rc;

	hg_text_init(&out, names, sizeof(names));
	hg_text_init(&quote, quoted, sizeof(quoted));
	add_names(s, kind, name, &out);
	hg_text_add_quoted(&quote, name);
	rc = hg_error_set(s->err, -HG_ENOENT, "no ", kind_name[kind], " has the name ", quoted,
			  "; ", names, NULL);
	if (node == NULL)
		return rc;
	hg_reader_enter(&s->r, kind_name[kind]);
	return hg_reader_fail(&s->r, node, rc);
}

static int owner_missing(struct step *s, bool is_tenant)
{
	char names[HG_ERROR_TEXT_BYTES / 2];
	struct hg_text out;

	hg_text_init(&out, names, sizeof(names));
	add_names(s, is_tenant ? TENANT : INSTANCE, "", &out);
	return hg_reader_fail(
		&s->r, s->body->root,
		hg_error_set(s->err, -HG_EINVAL,
			     is_tenant ? "'tenant' is missing: an instance belongs to one; "
				       : "'instance' is missing: a port belongs to one; ",
			     names, NULL));
}

/* Finds whom the body says the item belongs to; what it says nothing about stays where it is. */
static int find_owner(struct step *s, bool is_tenant, const struct place *old, struct place *ret)
{
	json_t *node = json_object_get(s->body->root, is_tenant ? "tenant" : "instance");
	char buf[HG_READER_TEXT_BYTES];
	const char *name = node != NULL ? hg_reader_text(node, buf) : NULL;
	bool is_there;

	if (node == NULL && old->item != NULL) {
		*ret = (struct place){.item = old->parent};
		return 0;
	}
	if (node == NULL)
		return owner_missing(s, is_tenant);
	if (name == NULL) {
		hg_reader_enter(&s->r, is_tenant ? "tenant" : "instance");
		return hg_reader_fail(&s->r, node,
				      hg_error_set(s->err, -HG_EINVAL,
						   "one value is expected: the name of the ",
						   is_tenant ? "tenant" : "instance",
						   " that it belongs to", NULL));
	}
	is_there = is_tenant ? find_tenant(s, name, ret) : find_instance(s, name, ret);
	return is_there ? 0 : no_such(s, is_tenant ? TENANT : INSTANCE, name, node);
}

/* ---- editing ------------------------------------------------------------------------------------ */

static int check_body(struct step *s, const char *name)
{
	json_t *node = json_object_get(s->body->root, "name");
	char buf[HG_READER_TEXT_BYTES];
	const char *its;
	int rc;

	if (!json_is_object(s->body->root))
		return hg_reader_fail(&s->r, s->body->root,
				      hg_error_set(s->err, -HG_EINVAL,
						   "an object of keys and values is expected",
						   NULL));
	if (node == NULL)
		return 0;
	its = hg_reader_text(node, buf);
	if (its != NULL && strcmp(its, name) == 0)
		return 0;
	rc = hg_error_set(s->err, -HG_EINVAL, "the body has another name than the request, '", name,
			  "'", NULL);
	hg_reader_enter(&s->r, "name");
	return hg_reader_fail(&s->r, node, rc);
}

/* A fresh item: what `old` has (NULL: nothing), and over it what the body says. NULL: no memory. */
static json_t *compose(struct step *s, const char *name, json_t *old, const char *owner_key)
{
	json_t *item = old != NULL ? json_copy(old) : json_object();
	bool is_done = item != NULL && json_object_update(item, s->body->root) == 0;

	if (is_done) {
		json_object_del(item, owner_key);
		if (json_object_get(item, "name") == NULL)
			is_done = json_object_set_new(item, "name", json_string(name)) == 0;
	}
	if (!is_done) {
		json_decref(item);
		return NULL;
	}
	return item;
}

/* Puts the item, which it takes over, where it belongs: in its old place if the owner is the same. */
static int place_item(struct step *s, const char *key, const struct place *old,
		      const struct place *owner, json_t *item)
{
	json_t *list;
	int rc;

	if (item == NULL)
		return no_memory(s);
	if (old->item != NULL && old->parent == owner->item)
		return json_array_set_new(old->list, old->idx, item) < 0 ? no_memory(s) : 0;
	if (old->item != NULL)
		json_array_remove(old->list, old->idx);
	list = json_object_get(owner->item, key);
	if (list == NULL) {
		list = json_array();
		if (json_object_set_new(owner->item, key, list) < 0) {
			json_decref(item);
			return no_memory(s);
		}
	}
	rc = json_array_append_new(list, item);
	return rc < 0 ? no_memory(s) : 0;
}

int hg_steps_instance_put(const struct hg_desired *now, const char *name,
			  const struct hg_tree *body, hg_config_device_fn check_device,
			  struct hg_desired **ret, bool *ret_changed, struct hg_error *reterr)
{
	struct place old = {0}, owner;
	struct step s;
	int rc = begin(&s, now, body, reterr);

	if (rc < 0)
		return rc;
	rc = check_body(&s, name);
	if (rc == 0) {
		find_instance(&s, name, &old);
		rc = find_owner(&s, /* is_tenant= */ true, &old, &owner);
	}
	if (rc == 0)
		rc = place_item(&s, "instances", &old, &owner,
				compose(&s, name, old.item, "tenant"));
	return finish(&s, rc, check_device, ret, ret_changed);
}

int hg_steps_port_put(const struct hg_desired *now, const char *name, const struct hg_tree *body,
		      hg_config_device_fn check_device, struct hg_desired **ret, bool *ret_changed,
		      struct hg_error *reterr)
{
	struct place old = {0}, owner;
	struct step s;
	int rc = begin(&s, now, body, reterr);

	if (rc < 0)
		return rc;
	rc = check_body(&s, name);
	if (rc == 0) {
		find_port(&s, name, &old);
		rc = find_owner(&s, /* is_tenant= */ false, &old, &owner);
	}
	if (rc == 0)
		rc = place_item(&s, "ports", &old, &owner, compose(&s, name, NULL, "instance"));
	return finish(&s, rc, check_device, ret, ret_changed);
}

int hg_steps_uplink_put(const struct hg_desired *now, const char *name, const struct hg_tree *body,
			hg_config_device_fn check_device, struct hg_desired **ret,
			bool *ret_changed, struct hg_error *reterr)
{
	struct place old = {0};
	struct step s;
	int rc = begin(&s, now, body, reterr);

	if (rc < 0)
		return rc;
	rc = check_body(&s, name);
	if (rc == 0 && !find_in(s.root, "uplinks", name, &old))
		rc = no_such(&s, UPLINK, name, NULL);
	if (rc == 0 && json_object_update(old.item, s.body->root) < 0)
		rc = no_memory(&s);
	return finish(&s, rc, check_device, ret, ret_changed);
}

static int remove_item(const struct hg_desired *now, const char *name, find_fn find,
		       struct hg_desired **ret, bool *ret_changed, struct hg_error *reterr)
{
	struct place old;
	struct step s;
	int rc = begin(&s, now, NULL, reterr);

	if (rc < 0)
		return rc;
	if (find(&s, name, &old))
		json_array_remove(old.list, old.idx);
	return finish(&s, 0, NULL, ret, ret_changed);
}

int hg_steps_instance_remove(const struct hg_desired *now, const char *name,
			     struct hg_desired **ret, bool *ret_changed, struct hg_error *reterr)
{
	return remove_item(now, name, find_instance, ret, ret_changed, reterr);
}

int hg_steps_port_remove(const struct hg_desired *now, const char *name, struct hg_desired **ret,
			 bool *ret_changed, struct hg_error *reterr)
{
	return remove_item(now, name, find_port, ret, ret_changed, reterr);
}
