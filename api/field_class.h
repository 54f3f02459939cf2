/* field_class: fields of the kinds CODES and CLASSES (api/schema.h) as text and as JSON.
 *
 * Model      CODES is an integer of which bit n says that code n is in: DSCP or VLAN priority, by number or,
 *            where `words` names it, by name. CLASSES is a struct hg_class_set, a list of `of`.
 * Memory     JSON is the caller's; NULL: no memory. Threads: any. Errors: -EINVAL, without a path.
 * Used by    api/field_text.c.
 */
#ifndef HG_API_FIELD_CLASS_H
#define HG_API_FIELD_CLASS_H

#include "api/schema.h"

/* Adds one code. */
HG_MUST_CHECK int hg_codes_parse(const struct hg_field *field, const char *text, void *base,
				 struct hg_error *reterr);
char *hg_codes_range(const struct hg_field *field, char *buf, size_t size);
char *hg_codes_format(const struct hg_field *field, const void *base, char *buf, size_t size);
json_t *hg_codes_to_json(const struct hg_field *field, const void *base);

char *hg_classes_format(const struct hg_field *field, const void *base, char *buf, size_t size);
json_t *hg_classes_to_json(const struct hg_field *field, const void *base);

#endif
