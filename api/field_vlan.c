#include "api/field_vlan.h"

#include "api/field.h"
#include "core/text.h"

#include <string.h>

/* Digits up to whatever follows; 0: none, or too many to be a VLAN. */
static unsigned read_number(const char **text)
{
	unsigned value = 0;

	for (; **text >= '0' && **text <= '9' && value <= HG_VLAN_MAX; (*text)++)
		value = value * 10u + (unsigned)(**text - '0');
	return value;
}

static bool read_range(const char *text, struct hg_vlan_range *ret)
{
	unsigned first = read_number(&text), last = first;

	if (*text == '-') {
		text++;
		last = read_number(&text);
	}
	*ret = (struct hg_vlan_range){(uint16_t)first, (uint16_t)last};
	return *text == '\0' && first >= 1 && last >= first && last <= HG_VLAN_MAX;
}

static int refuse(const char *text, const char *why, struct hg_error *reterr)
{
	char quoted[64];
	struct hg_text quote;

	hg_text_init(&quote, quoted, sizeof(quoted));
	hg_text_add_quoted(&quote, text);
	return hg_error_set(reterr, -HG_EINVAL, quoted, why, NULL);
}

int hg_vlans_parse(const struct hg_field *f, const char *text, void *base, struct hg_error *reterr)
{
	struct hg_vlan_range *list = (struct hg_vlan_range *)(void *)((char *)base + f->offset);
	uint32_t *n = hg_field_count(f, base), at = 0;
	struct hg_vlan_range range;

	if (!read_range(text, &range))
		return refuse(text,
			      " is no VLAN: allowed are 1 to 4094, and ranges of them such as "
			      "100-199",
			      reterr);
	while (at < *n && list[at].last < range.first)
		at++;
	if (at < *n && list[at].first <= range.last)
		return refuse(text, " is there already, at least in part", reterr);
	if (*n >= HG_PORT_VLANS_MAX)
		return hg_error_set(reterr, -HG_EINVAL,
				    "a port has at most 16 VLANs or ranges of them; put those that "
				    "follow one another into a range",
				    NULL);
	memmove(&list[at + 1u], &list[at], (*n - at) * sizeof(*list));
	list[at] = range;
	(*n)++;
	return 0;
}

static void add_range(struct hg_text *text, struct hg_vlan_range range)
{
	hg_text_add_u64(text, range.first);
	if (range.last == range.first)
		return;
	hg_text_add_char(text, '-');
	hg_text_add_u64(text, range.last);
}

static struct hg_vlan_range range_at(const struct hg_field *f, const void *base, uint32_t i)
{
	struct hg_vlan_range range;

	memcpy(&range, (const char *)base + f->offset + i * sizeof(range), sizeof(range));
	return range;
}

char *hg_vlans_format(const struct hg_field *f, const void *base, char *buf, size_t size)
{
	struct hg_text text;
	uint32_t n = hg_field_count_of(f, base);

	hg_text_init(&text, buf, size);
	if (n == 0)
		hg_text_add(&text, "none");
	for (uint32_t i = 0; i < n; i++) {
		hg_text_add(&text, i > 0 ? ", " : "");
		add_range(&text, range_at(f, base, i));
	}
	return buf;
}

json_t *hg_vlans_to_json(const struct hg_field *f, const void *base)
{
	json_t *array = json_array();
	uint32_t n = hg_field_count_of(f, base);

	for (uint32_t i = 0; array != NULL && i < n; i++) {
		struct hg_vlan_range range = range_at(f, base, i);
		char buf[16];
		struct hg_text text;

		hg_text_init(&text, buf, sizeof(buf));
		add_range(&text, range);
		if (json_array_append_new(array, range.first == range.last
							 ? json_integer(range.first)
							 : json_string(buf)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}
