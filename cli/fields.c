#include "cli/fields.h"

#include <string.h>

struct walk {
	struct hg_cli_field *fields;
	unsigned n;
	const char *keys[HG_FIELDS_DEPTH];
};

static bool is_scalar(const struct hg_field *field)
{
	return hg_field_is_value(field) && field->kind != HG_KIND_CLASSES;
}

static void name_option(struct hg_cli_field *field, unsigned depth)
{
	size_t n = 0;

	for (unsigned i = 0; i <= depth; i++) {
		if (i > 0 && n + 1 < sizeof(field->option))
			field->option[n++] = '-';
		for (const char *c = field->keys[i]; *c != '\0'; c++) {
			if (n + 1 < sizeof(field->option))
				field->option[n++] = *c == '_' ? '-' : *c;
		}
	}
	field->option[n] = '\0';
}

/* Depth is bounded by the configuration's own nesting, which ends below idle. */
static void walk(struct walk *w, const struct hg_resource *resource, unsigned depth)
{
	for (const struct hg_field *f = resource->fields; f->key != NULL; f++) {
		if (w->n == HG_FIELDS_MAX || strcmp(f->key, "name") == 0)
			continue;
		w->keys[depth] = f->key;
		if (is_scalar(f)) {
			struct hg_cli_field *field = &w->fields[w->n++];

			*field = (struct hg_cli_field){.field = f};
			memcpy(field->keys, w->keys, (depth + 1) * sizeof(field->keys[0]));
			name_option(field, depth);
		} else if (f->kind == HG_KIND_OBJECT && depth + 1 < HG_FIELDS_DEPTH) {
			walk(w, f->of, depth + 1);
		}
	}
}

unsigned hg_fields_list(const struct hg_resource *resource,
			struct hg_cli_field fields[HG_FIELDS_MAX])
{
	struct walk w = {.fields = fields};

	walk(&w, resource, 0);
	return w.n;
}

const struct hg_cli_field *hg_fields_find(const struct hg_cli_field *fields, unsigned n,
					  const char *option)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(fields[i].option, option) == 0)
			return &fields[i];
	}
	return NULL;
}

static json_t *split(const char *value)
{
	json_t *list = json_array();

	while (*value != '\0') {
		size_t n = strcspn(value, ",");

		(void)json_array_append_new(list, json_stringn(value, n));
		value += n + (value[n] == ',');
	}
	return list;
}

static bool is_list(enum hg_kind kind)
{
	return kind == HG_KIND_ADDRESSES || kind == HG_KIND_VLANS;
}

void hg_fields_put(json_t *object, const struct hg_cli_field *field, const char *value)
{
	unsigned last = 0;

	while (last + 1 < HG_FIELDS_DEPTH && field->keys[last + 1] != NULL)
		last++;
	for (unsigned i = 0; i < last; i++) {
		json_t *inner = json_object_get(object, field->keys[i]);

		if (inner == NULL) {
			inner = json_object();
			(void)json_object_set_new(object, field->keys[i], inner);
		}
		object = inner;
	}
	(void)json_object_set_new(object, field->keys[last],
				  is_list(field->field->kind) ? split(value) : json_string(value));
}
