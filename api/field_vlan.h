/* field_vlan: VLANs and ranges of them as text and as JSON.
 *
 * Why        A trunk's VLANs are written as people write them: [100, 200-299].
 * Model      One entry is a number or FIRST-LAST, both included. Kept in order, none in two of them.
 * Promise    parse refuses what is out of range, backwards or there already, and says so; what format and
 *            to_json write, parse reads back.
 * Memory     The caller's structs. Threads: any. Errors: -EINVAL.
 * Used by    api/field_text.c.
 */
#ifndef HG_API_FIELD_VLAN_H
#define HG_API_FIELD_VLAN_H

#include "api/schema.h"

/* Adds one entry. */
HG_MUST_CHECK int hg_vlans_parse(const struct hg_field *field, const char *text, void *base,
				 struct hg_error *reterr);
char *hg_vlans_format(const struct hg_field *field, const void *base, char *buf, size_t size);
json_t *hg_vlans_to_json(const struct hg_field *field, const void *base);

#endif
