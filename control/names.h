/* names: which index has this name, in an array of structs that begin with their name.
 *
 * Why        What was measured follows its name through changes of the configuration.
 * Model      A sorted array of pointers into the caller's array, which must stay where it is.
 * Memory     One allocation. Cost: build O(n log n), find O(log n). Threads: one owner.
 * Errors     build: -ENOMEM.
 */
#ifndef HG_CONTROL_NAMES_H
#define HG_CONTROL_NAMES_H

#include "core/error.h"

#include <stdint.h>

#define HG_NAMES_NONE UINT32_MAX

struct hg_names {
	const char **sorted;
	const char *first;
	size_t size; /* of one struct */
	uint32_t n;
};

HG_MUST_CHECK int hg_names_build(const void *first, size_t size, uint32_t n,
				 struct hg_names *ret_names, struct hg_error *reterr);
void hg_names_fini(struct hg_names *names);
/* HG_NAMES_NONE: not there. */
uint32_t hg_names_find(const struct hg_names *names, const char *name);

#endif
