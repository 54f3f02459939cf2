#include "control/names.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int name_to_entry(const void *name, const void *entry)
{
	return strcmp(name, *(const char *const *)entry);
}

int hg_names_build(const void *first, size_t size, uint32_t n, struct hg_names *ret_names,
		   struct hg_error *reterr)
{
	const char **sorted = calloc(n + 1u, sizeof(const char *));

	if (sorted == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for an index of names", NULL);
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = (const char *)first + i * size;
	qsort(sorted, n, sizeof(const char *), by_name);
	*ret_names = (struct hg_names){.sorted = sorted, .first = first, .size = size, .n = n};
	return 0;
}

void hg_names_fini(struct hg_names *names)
{
	free(names->sorted);
	*names = (struct hg_names){0};
}

uint32_t hg_names_find(const struct hg_names *names, const char *name)
{
	const char **found;

	if (names->n == 0) /* and perhaps never built */
		return HG_NAMES_NONE;
	found = bsearch(name, names->sorted, names->n, sizeof(const char *), name_to_entry);
	return found == NULL ? HG_NAMES_NONE
			     : (uint32_t)((size_t)(*found - names->first) / names->size);
}
