#include "api/reader.h"

#include "api/nearest.h"

#include <stdio.h>
#include <string.h>

void hg_reader_init(struct hg_reader *r, const struct hg_tree *tree,
		    hg_config_device_fn check_device, struct hg_error *err)
{
	r->tree = tree;
	r->check_device = check_device;
	r->err = err;
	hg_text_init(&r->path, r->path_buf, sizeof(r->path_buf));
}

size_t hg_reader_enter(struct hg_reader *r, const char *key)
{
	size_t before = r->path.n_bytes;

	if (before > 0)
		hg_text_add_char(&r->path, '.');
	hg_text_add(&r->path, key);
	/* A key can be anything, and the path goes to a terminal. */
	for (size_t i = before; i < r->path.n_bytes; i++) {
		if (r->path.buf[i] < ' ' || r->path.buf[i] > '~')
			r->path.buf[i] = '?';
	}
	return before;
}

size_t hg_reader_enter_item(struct hg_reader *r, size_t idx)
{
	size_t before = r->path.n_bytes;

	hg_text_add_index(&r->path, "", (uint32_t)idx);
	return before;
}

void hg_reader_leave(struct hg_reader *r, size_t before)
{
	r->path.n_bytes = before;
	r->path.buf[before] = '\0';
	r->path.has_room = true;
}

static int locate(struct hg_reader *r, const json_t *node, bool is_key, int rc)
{
	const struct hg_mark *mark = hg_tree_mark(r->tree, node);

	if (r->err == NULL)
		return rc;
	hg_error_at(r->err, r->path.buf);
	if (mark != NULL) {
		r->err->line = is_key ? mark->key_line : mark->line;
		r->err->column = is_key ? mark->key_column : mark->column;
	}
	return rc;
}

int hg_reader_fail(struct hg_reader *r, const json_t *node, int rc)
{
	return locate(r, node, /* is_key= */ false, rc);
}

int hg_reader_fail_at_key(struct hg_reader *r, const json_t *node, int rc)
{
	return locate(r, node, /* is_key= */ true, rc);
}

/* ---- keys --------------------------------------------------------------------------------------- */

static bool is_served(const struct hg_field *f)
{
	return f->kind != HG_KIND_UNSERVED;
}

/* Whether the key belongs in an object of this resource; then that is where it was meant. */
static const char *home_inside(const struct hg_resource *res, const char *key)
{
	for (const struct hg_field *f = res->fields; f->key != NULL; f++) {
		const struct hg_field *inside =
			f->kind == HG_KIND_OBJECT ? hg_schema_find(f->of, key) : NULL;

		if (inside != NULL && is_served(inside) && !inside->is_shared)
			return f->of->where;
	}
	return NULL;
}

/* The one or two resources that have the key; 0 if there are none or more. */
static unsigned find_homes(const char *key, const char *ret_homes[2])
{
	unsigned n = 0;

	for (const struct hg_resource *const *res = hg_schema_all; *res != NULL; res++) {
		const struct hg_field *f = hg_schema_find(*res, key);

		if (f == NULL || !is_served(f) || f->is_shared)
			continue;
		if (n == 2)
			return 0;
		ret_homes[n++] = (*res)->where;
	}
	return n;
}

/* Where a key that is wrong here would be right. */
static bool add_home(struct hg_text *out, const struct hg_resource *here, const char *key)
{
	const char *homes[2] = {home_inside(here, key), NULL};
	unsigned n = homes[0] != NULL ? 1 : find_homes(key, homes);

	if (n == 0)
		return false;
	hg_text_add(out, "; '");
	hg_text_add(out, key);
	hg_text_add(out, "' belongs in ");
	hg_text_add(out, homes[0]);
	hg_text_add(out, n == 2 ? " or " : "");
	hg_text_add(out, n == 2 ? homes[1] : "");
	return true;
}

/* A key that is right elsewhere was hardly misspelled; a plural may have been meant all the same. */
static bool is_start_of(const char *key, const char *word)
{
	return strncmp(key, word, strlen(key)) == 0;
}

static int unknown_key(struct hg_reader *r, const struct hg_resource *res, const char *key,
		       const json_t *node)
{
	char sentence[HG_ERROR_TEXT_BYTES];
	struct hg_nearest nearest;
	struct hg_text out;
	bool is_first = true, has_home;

	hg_nearest_init(&nearest, key);
	hg_text_init(&out, sentence, sizeof(sentence));
	hg_text_add(&out, "no such key; ");
	hg_text_add(&out, res->name);
	hg_text_add(&out, " has ");
	for (const struct hg_field *f = res->fields; f->key != NULL; f++) {
		if (!is_served(f))
			continue;
		hg_nearest_offer(&nearest, f->key);
		hg_text_add(&out, is_first ? "" : ", ");
		hg_text_add(&out, f->key);
		is_first = false;
	}
	has_home = add_home(&out, res, key);
	if (nearest.best != NULL && (!has_home || is_start_of(key, nearest.best))) {
		hg_text_add(&out, "; did you mean '");
		hg_text_add(&out, nearest.best);
		hg_text_add(&out, "'?");
	}
	return hg_reader_fail_at_key(r, node, hg_error_set(r->err, -HG_EINVAL, sentence, NULL));
}

static int check_key(struct hg_reader *r, const struct hg_resource *res, const char *key,
		     const json_t *node)
{
	const struct hg_field *f = hg_schema_find(res, key);
	size_t before = hg_reader_enter(r, key);
	int rc = 0;

	if (f == NULL)
		rc = unknown_key(r, res, key, node);
	else if (!is_served(f))
		rc = hg_reader_fail_at_key(r, node,
					   hg_error_set(r->err, -HG_ENOTSUP, "'", key,
							"' is known but not served: ", f->doc,
							NULL));
	hg_reader_leave(r, before);
	return rc;
}

static int missing_key(struct hg_reader *r, const struct hg_resource *res,
		       const struct hg_field *missing, const json_t *node)
{
	char sentence[128];
	struct hg_text out;
	bool is_first = true;

	hg_text_init(&out, sentence, sizeof(sentence));
	for (const struct hg_field *f = res->fields; f->key != NULL; f++) {
		if (!f->is_required)
			continue;
		hg_text_add(&out, is_first ? "" : ", ");
		hg_text_add(&out, f->key);
		is_first = false;
	}
	return hg_reader_fail(r, node,
			      hg_error_set(r->err, -HG_EINVAL, "'", missing->key, "' is missing; ",
					   res->name, " needs ", sentence, NULL));
}

static const char *shape_of(const json_t *node)
{
	if (json_is_object(node))
		return "an object";
	return json_is_array(node) ? "a list" : "one value";
}

static bool is_nothing(const json_t *node)
{
	return node == NULL || json_is_null(node) ||
	       (json_is_string(node) && json_string_length(node) == 0);
}

int hg_reader_check_keys(struct hg_reader *r, const struct hg_resource *res, json_t *node)
{
	const char *key;
	json_t *value;

	if (!json_is_object(node) && !is_nothing(node))
		return hg_reader_fail(r, node,
				      hg_error_set(r->err, -HG_EINVAL, "this is ", shape_of(node),
						   ", but ", res->name,
						   " is an object of keys and values", NULL));
	json_object_foreach(node, key, value)
	{
		int rc = check_key(r, res, key, value);

		if (rc < 0)
			return rc;
	}
	for (const struct hg_field *f = res->fields; f->key != NULL; f++) {
		if (f->is_required && json_object_get(node, f->key) == NULL)
			return missing_key(r, res, f, node);
	}
	return 0;
}

int hg_reader_check_list(struct hg_reader *r, const json_t *node)
{
	if (is_nothing(node))
		return 0;
	if (!json_is_array(node))
		return hg_reader_fail(
			r, node,
			hg_error_set(r->err, -HG_EINVAL, "this is ", shape_of(node),
				     ", but a list is expected: lines that begin with "
				     "'- ', or [..., ...]",
				     NULL));
	if (json_array_size(node) > HG_CONFIG_MAX_OF_A_KIND)
		return hg_reader_fail(r, node,
				      hg_error_set(r->err, -HG_EINVAL,
						   "the list has more than 65,536 items", NULL));
	return 0;
}

/* ---- values ------------------------------------------------------------------------------------- */

const char *hg_reader_text(const json_t *node, char *buf)
{
	switch (json_typeof(node)) {
	case JSON_STRING:
		return json_string_value(node);
	case JSON_INTEGER:
		snprintf(buf, HG_READER_TEXT_BYTES, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(node));
		return buf;
	case JSON_REAL:
		snprintf(buf, HG_READER_TEXT_BYTES, "%.15g", json_real_value(node));
		return buf;
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	case JSON_NULL:
		return "";
	default:
		return NULL;
	}
}

static int read_text(struct hg_reader *r, const struct hg_field *f, const json_t *node, void *base)
{
	char buf[HG_READER_TEXT_BYTES];
	const char *text = hg_reader_text(node, buf);
	int rc;

	if (text == NULL)
		rc = hg_error_set(r->err, -HG_EINVAL, "this is ", shape_of(node),
				  ", but one value is expected: a ", hg_kind_name(f->kind), NULL);
	else if (text[0] == '\0' && f->kind == HG_KIND_TEXT && !f->is_required)
		return 0;
	else if (text[0] == '\0')
		rc = hg_error_set(r->err, -HG_EINVAL, "nothing is written here; a ",
				  hg_kind_name(f->kind), " is expected", NULL);
	else
		rc = hg_field_parse(f, text, base, r->err);
	if (rc == 0 && f->is_device && r->check_device != NULL)
		rc = r->check_device(text, NULL, NULL, r->err);
	return rc < 0 ? hg_reader_fail(r, node, rc) : 0;
}

/* A list of single values, each of which adds to the field. */
static int read_values(struct hg_reader *r, const struct hg_field *f, json_t *node, void *base)
{
	int rc = hg_reader_check_list(r, node);

	hg_field_reset(f, base);
	for (size_t i = 0; rc == 0 && i < json_array_size(node); i++) {
		size_t before = hg_reader_enter_item(r, i);

		rc = read_text(r, f, json_array_get(node, i), base);
		hg_reader_leave(r, before);
	}
	return rc;
}

static int read_classes(struct hg_reader *r, const struct hg_field *f, json_t *node, void *base)
{
	struct hg_class_set *set = (struct hg_class_set *)(void *)((char *)base + f->offset);
	int rc = hg_reader_check_list(r, node);

	hg_field_reset(f, base);
	if (rc == 0 && json_array_size(node) > HG_CLASSES_MAX)
		rc = hg_reader_fail(
			r, node,
			hg_error_set(r->err, -HG_EINVAL, "a contract has at most 8 classes", NULL));
	for (size_t i = 0; rc == 0 && i < json_array_size(node); i++) {
		size_t before = hg_reader_enter_item(r, i);

		hg_resource_reset(f->of, &set->classes[i]);
		rc = hg_reader_read(r, f->of, json_array_get(node, i), &set->classes[i]);
		set->n = (uint32_t)i + 1u;
		hg_reader_leave(r, before);
	}
	return rc;
}

static int read_field(struct hg_reader *r, const struct hg_field *f, json_t *node, void *base)
{
	switch (f->kind) {
	case HG_KIND_OBJECT:
		return hg_reader_read(r, f->of, node, (char *)base + f->offset);
	case HG_KIND_ADDRESSES:
	case HG_KIND_VLANS:
	case HG_KIND_CODES:
		return read_values(r, f, node, base);
	case HG_KIND_CLASSES:
		return read_classes(r, f, node, base);
	case HG_KIND_LIST:
	case HG_KIND_UPLINK:
	case HG_KIND_UNSERVED:
		return 0;
	default:
		return read_text(r, f, node, base);
	}
}

/* What a contract says once goes to both directions, which may then say otherwise. */
static int read_shared(struct hg_reader *r, const struct hg_field *f, json_t *node, void *base)
{
	struct hg_contract *contract = base;
	int rc = read_field(r, f, node, &contract->dir[HG_OUT]);

	return rc < 0 || f->is_out_only ? rc : read_field(r, f, node, &contract->dir[HG_IN]);
}

static int read_fields(struct hg_reader *r, const struct hg_resource *res, json_t *node, void *base,
		       bool is_shared)
{
	int rc = 0;

	for (const struct hg_field *f = res->fields; rc == 0 && f->key != NULL; f++) {
		json_t *value = json_object_get(node, f->key);
		size_t before;

		if (value == NULL || f->is_shared != is_shared)
			continue;
		before = hg_reader_enter(r, f->key);
		rc = is_shared ? read_shared(r, f, value, base) : read_field(r, f, value, base);
		hg_reader_leave(r, before);
	}
	return rc;
}

int hg_reader_read(struct hg_reader *r, const struct hg_resource *res, json_t *node, void *base)
{
	int rc = hg_reader_check_keys(r, res, node);

	if (rc == 0)
		rc = read_fields(r, res, node, base, /* is_shared= */ true);
	if (rc == 0)
		rc = read_fields(r, res, node, base, /* is_shared= */ false);
	return rc;
}
