/* Fields in structs: where api/schema.h says that they lie. */
#include "api/field.h"

#include <string.h>

const char *hg_kind_name(enum hg_kind kind)
{
	static const char *const names[HG_N_KINDS] = {
		[HG_KIND_NAME] = "name",
		[HG_KIND_TEXT] = "text",
		[HG_KIND_RATE] = "rate",
		[HG_KIND_SIZE] = "size",
		[HG_KIND_TIME] = "time",
		[HG_KIND_PKT_RATE] = "packet rate",
		[HG_KIND_COUNT] = "number",
		[HG_KIND_FACTOR] = "factor",
		[HG_KIND_PERCENT] = "percentage",
		[HG_KIND_CREDITS] = "credits",
		[HG_KIND_WORD] = "word",
		[HG_KIND_MAC] = "MAC address",
		[HG_KIND_ADDRESSES] = "list of addresses",
		[HG_KIND_VLANS] = "list of VLANs",
		[HG_KIND_CODES] = "list of codes",
		[HG_KIND_CLASSES] = "list of classes",
		[HG_KIND_OBJECT] = "object",
		[HG_KIND_LIST] = "list",
		[HG_KIND_UPLINK] = "name of an uplink",
		[HG_KIND_UNSERVED] = "not served",
	};

	return names[kind];
}

uint64_t hg_field_load(const struct hg_field *f, const void *base)
{
	const char *at = (const char *)base + f->offset;
	uint64_t value = 0;

	switch (f->size) {
	case 1:
		return *(const uint8_t *)at;
	case 2: {
		uint16_t v;

		memcpy(&v, at, sizeof(v));
		return v;
	}
	case 4: {
		uint32_t v;

		memcpy(&v, at, sizeof(v));
		return v;
	}
	default:
		memcpy(&value, at, sizeof(value));
		return value;
	}
}

void hg_field_store(const struct hg_field *f, void *base, uint64_t value)
{
	char *at = (char *)base + f->offset;
	uint8_t v1 = (uint8_t)value;
	uint16_t v2 = (uint16_t)value;
	uint32_t v4 = (uint32_t)value;

	switch (f->size) {
	case 1:
		memcpy(at, &v1, sizeof(v1));
		break;
	case 2:
		memcpy(at, &v2, sizeof(v2));
		break;
	case 4:
		memcpy(at, &v4, sizeof(v4));
		break;
	default:
		memcpy(at, &value, sizeof(value));
	}
}

bool hg_kind_is_number(enum hg_kind kind)
{
	switch (kind) {
	case HG_KIND_RATE:
	case HG_KIND_SIZE:
	case HG_KIND_TIME:
	case HG_KIND_PKT_RATE:
	case HG_KIND_COUNT:
	case HG_KIND_FACTOR:
	case HG_KIND_PERCENT:
	case HG_KIND_CREDITS:
	case HG_KIND_WORD:
	case HG_KIND_CODES:
		return true;
	default:
		return false;
	}
}

const char *hg_field_zero_word(const struct hg_field *f)
{
	if (f->zero_word != NULL)
		return f->zero_word;
	return f->fallback == 0 && f->lo > 0 && !f->is_required ? "none" : NULL;
}

bool *hg_field_has(const struct hg_field *f, void *base)
{
	return (bool *)((char *)base + f->has_offset);
}

uint32_t *hg_field_count(const struct hg_field *f, void *base)
{
	return (uint32_t *)(void *)((char *)base + f->has_offset);
}

uint32_t hg_field_count_of(const struct hg_field *f, const void *base)
{
	uint32_t n;

	memcpy(&n, (const char *)base + f->has_offset, sizeof(n));
	return n;
}

void hg_field_reset(const struct hg_field *f, void *base)
{
	if (hg_kind_is_number(f->kind)) {
		hg_field_store(f, base, f->fallback);
		return;
	}
	memset((char *)base + f->offset, 0, f->size);
	if (f->kind == HG_KIND_MAC)
		*hg_field_has(f, base) = false;
	if (f->kind == HG_KIND_ADDRESSES || f->kind == HG_KIND_VLANS)
		*hg_field_count(f, base) = 0;
}

static const struct hg_class_set *classes_of(const struct hg_field *f, const void *base)
{
	return (const struct hg_class_set *)(const void *)((const char *)base + f->offset);
}

bool hg_field_is_default(const struct hg_field *f, const void *base)
{
	if (hg_kind_is_number(f->kind))
		return hg_field_load(f, base) == f->fallback;
	if (f->kind == HG_KIND_MAC)
		return !*(const bool *)((const char *)base + f->has_offset);
	if (f->kind == HG_KIND_ADDRESSES || f->kind == HG_KIND_VLANS)
		return hg_field_count_of(f, base) == 0;
	if (f->kind == HG_KIND_CLASSES)
		return classes_of(f, base)->n == 0;
	return ((const char *)base)[f->offset] == '\0';
}

bool hg_field_is_value(const struct hg_field *f)
{
	return f->kind < HG_KIND_OBJECT;
}

bool hg_field_equal(const struct hg_field *f, const void *a, const void *b)
{
	const char *a_at = (const char *)a + f->offset, *b_at = (const char *)b + f->offset;
	uint32_t n;

	if (hg_kind_is_number(f->kind))
		return hg_field_load(f, a) == hg_field_load(f, b);
	if (hg_field_is_default(f, a) || hg_field_is_default(f, b))
		return hg_field_is_default(f, a) == hg_field_is_default(f, b);
	if (f->kind == HG_KIND_MAC)
		return memcmp(a_at, b_at, HG_MAC_BYTES) == 0;
	if (f->kind == HG_KIND_CLASSES)
		return hg_class_set_equal(classes_of(f, a), classes_of(f, b));
	if (f->kind != HG_KIND_ADDRESSES && f->kind != HG_KIND_VLANS)
		return strcmp(a_at, b_at) == 0;
	n = hg_field_count_of(f, a);
	return n == hg_field_count_of(f, b) &&
	       memcmp(a_at, b_at,
		      n * (f->kind == HG_KIND_VLANS ? sizeof(struct hg_vlan_range)
						    : sizeof(struct hg_address))) == 0;
}

void hg_resource_reset(const struct hg_resource *resource, void *base)
{
	for (const struct hg_field *f = resource->fields; f->key != NULL; f++) {
		if (f->is_shared)
			continue;
		if (f->kind == HG_KIND_OBJECT)
			hg_resource_reset(f->of, (char *)base + f->offset);
		else if (hg_field_is_value(f))
			hg_field_reset(f, base);
	}
}

bool hg_resource_equal(const struct hg_resource *resource, const void *a, const void *b)
{
	for (const struct hg_field *f = resource->fields; f->key != NULL; f++) {
		bool is_same = true;

		if (f->is_shared)
			continue;
		if (f->kind == HG_KIND_OBJECT)
			is_same = hg_resource_equal(f->of, (const char *)a + f->offset,
						    (const char *)b + f->offset);
		else if (hg_field_is_value(f))
			is_same = hg_field_equal(f, a, b);
		if (!is_same)
			return false;
	}
	return true;
}
