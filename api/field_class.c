/* Classes as text and as JSON: sets of codes, and the list of classes itself. */
#include "api/field_class.h"

#include "api/field.h"
#include "core/text.h"

#include <string.h>

/* ---- codes -------------------------------------------------------------------------------------- */

static bool parse_code(const struct hg_field *f, const char *text, unsigned *ret)
{
	unsigned code = 0;

	for (unsigned i = 0; f->words != NULL && i <= f->hi; i++) {
		if (f->words[i] != NULL && strcmp(f->words[i], text) == 0) {
			*ret = i;
			return true;
		}
	}
	for (const char *c = text; *c != '\0'; c++) {
		if (*c < '0' || *c > '9' || code > f->hi)
			return false;
		code = code * 10u + (unsigned)(*c - '0');
	}
	*ret = code;
	return text[0] != '\0' && code <= f->hi;
}

int hg_codes_parse(const struct hg_field *f, const char *text, void *base, struct hg_error *reterr)
{
	uint64_t codes = hg_field_load(f, base);
	char quoted[64], range[96];
	struct hg_text quote;
	unsigned code;

	hg_text_init(&quote, quoted, sizeof(quoted));
	hg_text_add_quoted(&quote, text);
	if (!parse_code(f, text, &code))
		return hg_error_set(reterr, -HG_EINVAL, quoted, " is not allowed here: ",
				    hg_codes_range(f, range, sizeof(range)), NULL);
	if (codes >> code & 1u)
		return hg_error_set(reterr, -HG_EINVAL, quoted, " is there twice", NULL);
	hg_field_store(f, base, codes | UINT64_C(1) << code);
	return 0;
}

char *hg_codes_range(const struct hg_field *f, char *buf, size_t size)
{
	struct hg_text text;

	hg_text_init(&text, buf, size);
	hg_text_add(&text, "0 to ");
	hg_text_add_u64(&text, f->hi);
	if (f->words != NULL)
		hg_text_add(&text, ", or a name: ef, cs0 to cs7, af11 to af43, va, le");
	return buf;
}

static void add_code(const struct hg_field *f, unsigned code, struct hg_text *text)
{
	if (f->words != NULL && f->words[code] != NULL)
		hg_text_add(text, f->words[code]);
	else
		hg_text_add_u64(text, code);
}

static void add_codes(const struct hg_field *f, const void *base, struct hg_text *text)
{
	uint64_t codes = hg_field_load(f, base);
	bool is_first = true;

	for (unsigned code = 0; code <= f->hi; code++) {
		if (!(codes >> code & 1u))
			continue;
		hg_text_add(text, is_first ? "" : ",");
		add_code(f, code, text);
		is_first = false;
	}
}

char *hg_codes_format(const struct hg_field *f, const void *base, char *buf, size_t size)
{
	struct hg_text text;

	hg_text_init(&text, buf, size);
	if (hg_field_load(f, base) == 0)
		hg_text_add(&text, "none");
	add_codes(f, base, &text);
	return buf;
}

json_t *hg_codes_to_json(const struct hg_field *f, const void *base)
{
	uint64_t codes = hg_field_load(f, base);
	json_t *array = json_array();

	for (unsigned code = 0; array != NULL && code <= f->hi; code++) {
		char buf[16];
		struct hg_text text;

		if (!(codes >> code & 1u))
			continue;
		hg_text_init(&text, buf, sizeof(buf));
		add_code(f, code, &text);
		if (json_array_append_new(array, json_string(buf)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* ---- the list ----------------------------------------------------------------------------------- */

static const struct hg_class_set *set_of(const struct hg_field *f, const void *base)
{
	return (const struct hg_class_set *)(const void *)((const char *)base + f->offset);
}

char *hg_classes_format(const struct hg_field *f, const void *base, char *buf, size_t size)
{
	const struct hg_class_set *set = set_of(f, base);
	struct hg_text text;

	hg_text_init(&text, buf, size);
	if (set->n == 0)
		hg_text_add(&text, "none");
	for (uint32_t i = 0; i < set->n; i++) {
		const struct hg_class *c = &set->classes[i];

		hg_text_add(&text, i > 0 ? ", " : "");
		hg_text_add(&text, c->name);
		for (const struct hg_field *g = f->of->fields; g->key != NULL; g++) {
			char value[HG_FIELD_TEXT_BYTES];

			if (g->kind == HG_KIND_NAME || hg_field_is_default(g, c))
				continue;
			hg_text_add_char(&text, ' ');
			hg_text_add(&text, g->key);
			hg_text_add_char(&text, ' ');
			hg_text_add(&text, hg_field_format(g, c, value, sizeof(value)));
		}
	}
	return buf;
}

static json_t *class_to_json(const struct hg_resource *res, const struct hg_class *c)
{
	json_t *object = json_object();

	for (const struct hg_field *g = res->fields; object != NULL && g->key != NULL; g++) {
		if (hg_field_is_default(g, c) && !g->is_required)
			continue;
		if (json_object_set_new(object, g->key, hg_field_to_json(g, c)) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

json_t *hg_classes_to_json(const struct hg_field *f, const void *base)
{
	const struct hg_class_set *set = set_of(f, base);
	json_t *array = json_array();

	for (uint32_t i = 0; array != NULL && i < set->n; i++) {
		if (json_array_append_new(array, class_to_json(f->of, &set->classes[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}
