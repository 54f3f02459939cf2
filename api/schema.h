/* schema: every key of the configuration, once.
 *
 * Why        Reading, writing, comparing and documenting a field must not disagree about its name, its
 *            unit or its range. One row says all of it.
 * Model      A resource is a table of fields, each with its kind, its place in the struct (core/desired.h,
 *            core/contract.h), its range and its default. Kinds know text; resources know structs.
 *            Objects and lists lead to further resources.
 * Kinds      numbers lie in unsigned or signed integers of `size` bytes. An OBJECT lies at `offset` in the
 *            same struct. LIST and UPLINK have no place of their own: api/config.c and api/export.c
 *            connect them by index.
 * Promise    format(parse(text)) is canonical and parse(format(x)) == x for each x in range.
 * Memory     Constant tables; parse and format allocate nothing. Threads: any.
 * Errors     parse: -EINVAL with a sentence that says what is allowed, without a path.
 * Used by    api/config.c, api/export.c, api/diff.c, tools/config_reference.c.
 */
#ifndef HG_API_SCHEMA_H
#define HG_API_SCHEMA_H

#include "core/desired.h"

#include <jansson.h>

enum hg_kind {
	HG_KIND_NAME, /* char[HG_NAME_BYTES], [a-z0-9][a-z0-9._-]* */
	HG_KIND_TEXT, /* char[size], printable, no blanks */
	HG_KIND_RATE, /* bytes per second */
	HG_KIND_SIZE, /* bytes */
	HG_KIND_TIME, /* ns */
	HG_KIND_PKT_RATE, /* packets per second */
	HG_KIND_COUNT, /* a bare number */
	HG_KIND_FACTOR, /* ppm; written as a decimal: 1.5 */
	HG_KIND_PERCENT, /* ppm; written as 20% */
	HG_KIND_CREDITS, /* millionths of a credit; written as a decimal: 81.6 */
	HG_KIND_WORD, /* index into words */
	HG_KIND_MAC, /* uint8_t[6], and a bool at has_offset */
	HG_KIND_ADDRESSES, /* struct hg_address[], and a uint32_t count at has_offset */
	HG_KIND_VLANS, /* struct hg_vlan_range[], and a uint32_t count at has_offset */
	HG_KIND_CODES, /* a list of codes up to hi, as bits of an integer; words name some */
	HG_KIND_CLASSES, /* struct hg_class_set: a list of `of` */
	HG_KIND_OBJECT, /* the fields of `of` */
	HG_KIND_LIST, /* of objects of `of` */
	HG_KIND_UPLINK, /* the name of an uplink */
	HG_KIND_UNSERVED, /* known, refused by name; doc says why */
	HG_N_KINDS,
};

struct hg_resource;

struct hg_field {
	const char *key; /* NULL: end of the table */
	enum hg_kind kind;
	size_t offset, size;
	size_t has_offset;
	uint64_t lo, hi; /* of numbers, inclusive */
	uint64_t
		fallback; /* of numbers: what it is when nothing is said; 0 outside [lo, hi]: "none" */
	bool is_required;
	bool may_be_0; /* written 0 means none, and nobody could take it for something else */
	bool is_shared; /* in a contract: said once for both directions */
	bool is_instance_only; /* in a contract: of instances, not of tenants */
	bool is_out_only; /* in a contract: of what is sent; said once, it goes there */
	bool is_device; /* text that the packet lane checks */
	const char *fallback_text; /* where the number does not say it */
	const char *
		zero_word; /* for 0, where that is outside [lo, hi]; NULL: "none", if that is the default */
	const char *const *words; /* up to a NULL */
	const struct hg_resource *of;
	const char *doc; /* one sentence */
};

struct hg_resource {
	const char *name; /* "a policy": for sentences */
	const char *title; /* "Policy": for the reference */
	const char *anchor; /* "policy" */
	const char *where; /* "contract.out, contract.in" */
	const char *doc;
	const struct hg_field *fields;
};

extern const struct hg_resource hg_schema_host, hg_schema_uplink, hg_schema_tenant,
	hg_schema_instance, hg_schema_port, hg_schema_contract, hg_schema_policy, hg_schema_idle,
	hg_schema_class, hg_schema_mirror, hg_schema_guard, hg_schema_limits,
	hg_schema_uplink_limits, hg_schema_cpu, hg_schema_pool;
/* All of them, from the outside in, up to a NULL. */
extern const struct hg_resource *const hg_schema_all[];

/* The reserve of someone who said nothing, until the burst is known. */
#define HG_SCHEMA_ONE_BURST UINT64_MAX

/* NULL: no such key. */
const struct hg_field *hg_schema_find(const struct hg_resource *resource, const char *key);

/* What fields of that kind are, for people: "a rate". */
const char *hg_kind_name(enum hg_kind kind);

/* Sets the field in the struct at base to its default. Not for OBJECT, LIST, UPLINK, UNSERVED. */
void hg_field_reset(const struct hg_field *field, void *base);
/* Reads one value. For ADDRESSES, VLANS and CODES it adds one to the list. Not for CLASSES. */
HG_MUST_CHECK int hg_field_parse(const struct hg_field *field, const char *text, void *base,
				 struct hg_error *reterr);
bool hg_field_is_default(const struct hg_field *field, const void *base);
bool hg_field_equal(const struct hg_field *field, const void *a, const void *b);

/* The same for a whole resource, objects inside it included; LIST and UPLINK are left out. */
void hg_resource_reset(const struct hg_resource *resource, void *base);
bool hg_resource_equal(const struct hg_resource *resource, const void *a, const void *b);
/* Has the field a place of its own in the struct? */
bool hg_field_is_value(const struct hg_field *field);
/* The value as text that parse reads; "none" or the default's text where nothing is set. Returns buf;
 * HG_FIELD_TEXT_BYTES always suffice. */
#define HG_FIELD_TEXT_BYTES 2048
char *hg_field_format(const struct hg_field *field, const void *base, char *buf, size_t size);
/* The value as JSON: COUNT is a number, ADDRESSES an array of strings, VLANS of numbers and strings, the rest a string. NULL: no
 * memory. */
json_t *hg_field_to_json(const struct hg_field *field, const void *base);
/* What differs from the defaults, LIST and UPLINK left out. NULL: no memory. */
json_t *hg_resource_to_json(const struct hg_resource *resource, const void *base);
/* Writes "[lo, hi]" in the field's own words; empty where it has no range. Returns buf. */
char *hg_field_range(const struct hg_field *field, char *buf, size_t size);

#endif
