#include "dataplane/slots.h"

#include <stdlib.h>
#include <string.h>

int hg_slots_init(struct hg_slots *s, uint32_t max, struct hg_error *reterr)
{
	*s = (struct hg_slots){.max = max, .free = calloc(max, sizeof(*s->free))};
	if (s->free == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for slots", NULL);
	return 0;
}

void hg_slots_fini(struct hg_slots *s)
{
	free(s->free);
	s->free = NULL;
}

void hg_slot_map_fini(struct hg_slot_map *map)
{
	free(map->slots);
	free(map->old_idx);
	*map = (struct hg_slot_map){0};
}

struct entry {
	const char *name;
	uint32_t kind, idx;
};

static struct entry entry_at(const struct hg_named *list, uint32_t idx)
{
	return (struct entry){.name = list->first + idx * list->stride,
			      .kind = list->kind == NULL ? 0 : list->kind[idx],
			      .idx = idx};
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->name, y->name);
}

static uint32_t take(struct hg_slots *s)
{
	if (s->n_free > 0)
		return s->free[--s->n_free];
	return s->n_high < s->max ? s->n_high++ : HG_SLOT_NONE;
}

static void give(struct hg_slots *s, uint32_t slot)
{
	s->free[s->n_free++] = slot;
}

int hg_slots_match(struct hg_slots *s, const struct hg_named *old,
		   const struct hg_slot_map *old_map, const struct hg_named *next,
		   struct hg_slot_map *ret_map, struct hg_error *reterr)
{
	struct hg_slot_map map = {.n = next->n,
				  .slots = calloc(next->n + 1u, sizeof(*map.slots)),
				  .old_idx = calloc(next->n + 1u, sizeof(*map.old_idx))};
	struct entry *sorted = calloc(old->n + 1u, sizeof(*sorted));
	int r = 0;

	if (map.slots == NULL || map.old_idx == NULL || sorted == NULL) {
		r = hg_error_set(reterr, -HG_ENOMEM, "out of memory for slots", NULL);
		map.n = 0;
		goto out;
	}
	for (uint32_t i = 0; i < old->n; i++)
		sorted[i] = entry_at(old, i);
	qsort(sorted, old->n, sizeof(*sorted), compare);
	for (uint32_t i = 0; i < next->n; i++) {
		struct entry key = entry_at(next, i);
		const struct entry *found = bsearch(&key, sorted, old->n, sizeof(*sorted), compare);

		map.old_idx[i] = found == NULL ? HG_SLOT_NONE : found->idx;
		map.slots[i] = found == NULL ? take(s) : old_map->slots[found->idx];
		if (map.slots[i] == HG_SLOT_NONE) {
			r = hg_error_set(reterr, -HG_ENOSPC, key.name,
					 " is one more than this host is set up for", NULL);
			map.n = i;
			goto out;
		}
	}
out:
	free(sorted);
	if (r != 0)
		hg_slots_undo(s, &map);
	else
		*ret_map = map;
	return r;
}

void hg_slots_undo(struct hg_slots *s, struct hg_slot_map *map)
{
	for (uint32_t i = 0; i < map->n; i++) {
		if (map->old_idx[i] == HG_SLOT_NONE)
			give(s, map->slots[i]);
	}
	hg_slot_map_fini(map);
}

void hg_slots_release(struct hg_slots *s, struct hg_slot_map *old_map,
		      const struct hg_slot_map *next_map)
{
	/* What the next map took over is marked in the old one. */
	for (uint32_t i = 0; i < next_map->n; i++) {
		if (next_map->old_idx[i] != HG_SLOT_NONE)
			old_map->slots[next_map->old_idx[i]] = HG_SLOT_NONE;
	}
	for (uint32_t i = 0; i < old_map->n; i++) {
		if (old_map->slots[i] != HG_SLOT_NONE)
			give(s, old_map->slots[i]);
	}
	hg_slot_map_fini(old_map);
}
