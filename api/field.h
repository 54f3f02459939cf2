/* field: a field's place in its struct.
 *
 * Why        The table knows offsets and sizes; nobody else does arithmetic with them.
 * Model      Numbers of 1, 2, 4 or 8 bytes are loaded as uint64_t and stored cut to their size.
 * Memory     The caller's structs. Threads: any. Errors: none.
 * Used by    api/field.c, api/field_text.c.
 */
#ifndef HG_API_FIELD_H
#define HG_API_FIELD_H

#include "api/schema.h"

/* Is its value an integer in the struct? */
bool hg_kind_is_number(enum hg_kind kind);

uint64_t hg_field_load(const struct hg_field *field, const void *base);
void hg_field_store(const struct hg_field *field, void *base, uint64_t value);

/* The word for 0, where that is no value like others; NULL: there is none. */
const char *hg_field_zero_word(const struct hg_field *field);

/* MAC: whether there is one. */
bool *hg_field_has(const struct hg_field *field, void *base);
/* ADDRESSES, VLANS: how many there are. */
uint32_t *hg_field_count(const struct hg_field *field, void *base);
uint32_t hg_field_count_of(const struct hg_field *field, const void *base);

#endif
