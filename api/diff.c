/* Two desired states to the list of what differs. */
#include "api/config.h"
#include "api/schema.h"
#include "core/text.h"

#include <string.h>

#define PATH_BYTES 384
#define LINE_BYTES 1600

struct diff {
	const struct hg_desired *from, *to;
	json_t *list;
	bool has_failed; /* no memory */
	/* Where we are. */
	const char *kind;
	const char *name;
	char path_buf[PATH_BYTES];
	struct hg_text path;
};

/* ---- entries ------------------------------------------------------------------------------------ */

static void put(struct diff *d, json_t *entry, const char *key, const char *value)
{
	if (json_object_set_new(entry, key, json_string(value)) < 0)
		d->has_failed = true;
}

static void add_entry(struct diff *d, const char *op, const char *from, const char *to,
		      const char *line)
{
	json_t *entry = json_object();

	put(d, entry, "op", op);
	put(d, entry, "kind", d->kind);
	put(d, entry, "name", d->name);
	put(d, entry, "path", d->path.buf);
	if (from != NULL) {
		put(d, entry, "from", from);
		put(d, entry, "to", to);
	}
	put(d, entry, "line", line);
	if (json_array_append_new(d->list, entry) < 0)
		d->has_failed = true;
}

static size_t enter(struct diff *d, const char *key)
{
	size_t before = d->path.n_bytes;

	if (before > 0)
		hg_text_add_char(&d->path, '.');
	hg_text_add(&d->path, key);
	return before;
}

static void leave(struct diff *d, size_t before)
{
	d->path.n_bytes = before;
	d->path.buf[before] = '\0';
	d->path.has_room = true;
}

static void add_change(struct diff *d, const char *key, const char *from, const char *to)
{
	char line[LINE_BYTES];
	struct hg_text out;
	size_t before = enter(d, key);

	hg_text_init(&out, line, sizeof(line));
	hg_text_add(&out, d->path.buf);
	hg_text_add(&out, ": ");
	hg_text_add(&out, from);
	hg_text_add(&out, " -> ");
	hg_text_add(&out, to);
	add_entry(d, "change", from, to, line);
	leave(d, before);
}

/* owner: what it belongs to ("tenant", "acme"); NULL for what belongs to the host. */
static void add_presence(struct diff *d, bool is_added, const char *owner_kind, const char *owner)
{
	char line[LINE_BYTES];
	struct hg_text out;

	hg_text_init(&out, line, sizeof(line));
	hg_text_add(&out, is_added ? "+ " : "- ");
	hg_text_add(&out, d->kind);
	hg_text_add_char(&out, ' ');
	hg_text_add(&out, d->name);
	if (owner != NULL) {
		hg_text_add(&out, " (");
		hg_text_add(&out, owner_kind);
		hg_text_add_char(&out, ' ');
		hg_text_add(&out, owner);
		hg_text_add_char(&out, ')');
	}
	add_entry(d, is_added ? "add" : "remove", NULL, NULL, line);
}

static void compare(struct diff *d, const struct hg_resource *res, const void *from, const void *to)
{
	for (const struct hg_field *f = res->fields; f->key != NULL; f++) {
		char from_text[HG_FIELD_TEXT_BYTES], to_text[HG_FIELD_TEXT_BYTES];

		if (f->is_shared)
			continue;
		if (f->kind == HG_KIND_OBJECT) {
			size_t before = enter(d, f->key);

			compare(d, f->of, (const char *)from + f->offset,
				(const char *)to + f->offset);
			leave(d, before);
		} else if (hg_field_is_value(f) && !hg_field_equal(f, from, to)) {
			add_change(d, f->key,
				   hg_field_format(f, from, from_text, sizeof(from_text)),
				   hg_field_format(f, to, to_text, sizeof(to_text)));
		}
	}
}

/* ---- kinds -------------------------------------------------------------------------------------- */

/* One kind of thing: how to find it by index, and to whom it belongs. */
struct kind {
	const char *name; /* "instance" */
	const char *list; /* "instances" */
	const struct hg_resource *resource;
	const char *owner_kind; /* NULL: the host */
	uint32_t (*count)(const struct hg_desired *d);
	const void *(*at)(const struct hg_desired *d, uint32_t idx); /* begins with its name */
	uint32_t (*owner)(const struct hg_desired *d, uint32_t idx);
	const struct kind *owner_is;
	bool is_inside_owner; /* its path goes through its owner's */
};

static uint32_t count_uplinks(const struct hg_desired *d)
{
	return d->n_uplinks;
}

static uint32_t count_tenants(const struct hg_desired *d)
{
	return d->n_tenants;
}

static uint32_t count_instances(const struct hg_desired *d)
{
	return d->n_instances;
}

static uint32_t count_ports(const struct hg_desired *d)
{
	return d->n_ports;
}

static const void *uplink_at(const struct hg_desired *d, uint32_t idx)
{
	return &d->uplinks[idx];
}

static const void *tenant_at(const struct hg_desired *d, uint32_t idx)
{
	return &d->tenants[idx];
}

static const void *instance_at(const struct hg_desired *d, uint32_t idx)
{
	return &d->instances[idx];
}

static const void *port_at(const struct hg_desired *d, uint32_t idx)
{
	return &d->ports[idx];
}

static uint32_t uplink_of(const struct hg_desired *d, uint32_t idx)
{
	return d->tenants[idx].uplink_idx;
}

static uint32_t tenant_of(const struct hg_desired *d, uint32_t idx)
{
	return d->instances[idx].tenant_idx;
}

static uint32_t instance_of(const struct hg_desired *d, uint32_t idx)
{
	return d->ports[idx].instance_idx;
}

static const struct kind uplinks = {
	.name = "uplink",
	.list = "uplinks",
	.resource = &hg_schema_uplink,
	.count = count_uplinks,
	.at = uplink_at,
};
static const struct kind tenants = {
	.name = "tenant",
	.list = "tenants",
	.resource = &hg_schema_tenant,
	.count = count_tenants,
	.at = tenant_at,
	.owner_kind = "uplink",
	.owner = uplink_of,
	.owner_is = &uplinks,
};
static const struct kind instances = {
	.name = "instance",
	.list = "instances",
	.resource = &hg_schema_instance,
	.count = count_instances,
	.at = instance_at,
	.owner_kind = "tenant",
	.owner = tenant_of,
	.owner_is = &tenants,
	.is_inside_owner = true,
};
static const struct kind ports = {
	.name = "port",
	.list = "ports",
	.resource = &hg_schema_port,
	.count = count_ports,
	.at = port_at,
	.owner_kind = "instance",
	.owner = instance_of,
	.owner_is = &instances,
	.is_inside_owner = true,
};

/* name is the first member of each of the structs. */
static const char *name_at(const struct kind *k, const struct hg_desired *d, uint32_t idx)
{
	return k->at(d, idx);
}

static const char *owner_name(const struct kind *k, const struct hg_desired *d, uint32_t idx)
{
	return k->owner != NULL ? name_at(k->owner_is, d, k->owner(d, idx)) : NULL;
}

static void enter_item(struct diff *d, const struct kind *k, const struct hg_desired *state,
		       uint32_t idx)
{
	if (k->is_inside_owner)
		enter_item(d, k->owner_is, state, k->owner(state, idx));
	enter(d, k->list);
	enter(d, name_at(k, state, idx));
}

static void begin(struct diff *d, const struct kind *k, const struct hg_desired *state,
		  uint32_t idx)
{
	leave(d, 0);
	d->kind = k->name;
	d->name = name_at(k, state, idx);
	enter_item(d, k, state, idx);
}

/* Name -> index. NULL: no memory. */
static json_t *index_names(const struct kind *k, const struct hg_desired *state)
{
	json_t *names = json_object();

	for (uint32_t i = 0; names != NULL && i < k->count(state); i++) {
		if (json_object_set_new(names, name_at(k, state, i), json_integer(i)) < 0) {
			json_decref(names);
			return NULL;
		}
	}
	return names;
}

static void compare_item(struct diff *d, const struct kind *k, uint32_t from_idx, uint32_t to_idx)
{
	const char *from_owner = owner_name(k, d->from, from_idx);
	const char *to_owner = owner_name(k, d->to, to_idx);

	if (from_owner != NULL && strcmp(from_owner, to_owner) != 0)
		add_change(d, k->owner_kind, from_owner, to_owner);
	compare(d, k->resource, k->at(d->from, from_idx), k->at(d->to, to_idx));
}

static void diff_kind(struct diff *d, const struct kind *k)
{
	json_t *before = index_names(k, d->from), *after = index_names(k, d->to);

	if (before == NULL || after == NULL) {
		d->has_failed = true;
		goto out;
	}
	for (uint32_t i = 0; i < k->count(d->from); i++) {
		if (json_object_get(after, name_at(k, d->from, i)) != NULL)
			continue;
		begin(d, k, d->from, i);
		add_presence(d, /* is_added= */ false, k->owner_kind, owner_name(k, d->from, i));
	}
	for (uint32_t i = 0; i < k->count(d->to); i++) {
		const json_t *was = json_object_get(before, name_at(k, d->to, i));

		begin(d, k, d->to, i);
		if (was != NULL)
			compare_item(d, k, (uint32_t)json_integer_value(was), i);
		else
			add_presence(d, /* is_added= */ true, k->owner_kind,
				     owner_name(k, d->to, i));
	}
out:
	json_decref(before);
	json_decref(after);
}

int hg_config_diff(const struct hg_desired *from, const struct hg_desired *to, json_t **ret,
		   struct hg_error *reterr)
{
	struct diff d = {.from = from, .to = to, .list = json_array(), .kind = "host", .name = ""};

	hg_text_init(&d.path, d.path_buf, sizeof(d.path_buf));
	compare(&d, &hg_schema_host, from, to);
	diff_kind(&d, &uplinks);
	diff_kind(&d, &tenants);
	diff_kind(&d, &instances);
	diff_kind(&d, &ports);
	if (d.list == NULL || d.has_failed) {
		json_decref(d.list);
		return hg_error_set(reterr, -HG_ENOMEM, "not enough memory to compare", NULL);
	}
	*ret = d.list;
	return 0;
}
