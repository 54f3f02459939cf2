#include "dataplane/slots.h"

#include <stdbool.h>
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

static const char *item(const struct hg_named *list, uint32_t idx)
{
	return list->first + idx * list->stride;
}

static struct entry entry_at(const struct hg_named *list, uint32_t idx)
{
	return (struct entry){.name = item(list, idx),
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

/* Who has the same name; HG_SLOT_NONE: nobody. */
static int match_names(const struct hg_named *old, const struct hg_named *next, uint32_t *ret_idx,
		       struct hg_error *reterr)
{
	struct entry *sorted = calloc(old->n + 1u, sizeof(*sorted));

	if (sorted == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for slots", NULL);
	for (uint32_t i = 0; i < old->n; i++)
		sorted[i] = entry_at(old, i);
	qsort(sorted, old->n, sizeof(*sorted), compare);
	for (uint32_t i = 0; i < next->n; i++) {
		struct entry key = entry_at(next, i);
		const struct entry *found = bsearch(&key, sorted, old->n, sizeof(*sorted), compare);

		ret_idx[i] = found == NULL ? HG_SLOT_NONE : found->idx;
	}
	free(sorted);
	return 0;
}

/* ---- what stands on what ------------------------------------------------------------------------ */

struct things {
	const struct hg_named *old, *next;
	uint32_t *idx; /* of the next list: where it was */
	bool *is_settled; /* of the next list */
	bool *is_taken; /* of the old list */
	uint32_t *sorted, n_sorted; /* of the old list, those that are free */
};

static int by_thing(const void *a, const void *b, void *user)
{
	const struct hg_named *old = user;

	return old->compare(item(old, *(const uint32_t *)a), item(old, *(const uint32_t *)b));
}

static void settle(struct things *t, uint32_t i, uint32_t old_idx)
{
	t->idx[i] = old_idx;
	t->is_settled[i] = true;
	if (old_idx != HG_SLOT_NONE)
		t->is_taken[old_idx] = true;
}

/* Of the same name on the same thing: nearly all. Returns whether that was all. */
static bool settle_same(struct things *t)
{
	bool is_all = true;

	for (uint32_t i = 0; i < t->next->n; i++) {
		uint32_t was = t->idx[i];

		if (was != HG_SLOT_NONE &&
		    t->old->compare(item(t->next, i), item(t->old, was)) == 0)
			settle(t, i, was);
		else
			is_all = false;
	}
	return is_all;
}

static uint32_t find_thing(const struct things *t, const char *wanted)
{
	uint32_t lo = 0, hi = t->n_sorted;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2u;
		int order = t->old->compare(wanted, item(t->old, t->sorted[mid]));

		if (order == 0)
			return t->sorted[mid];
		if (order < 0)
			hi = mid;
		else
			lo = mid + 1u;
	}
	return HG_SLOT_NONE;
}

static void settle_rest(struct things *t)
{
	for (uint32_t i = 0; i < t->old->n; i++)
		if (!t->is_taken[i])
			t->sorted[t->n_sorted++] = i;
	qsort_r(t->sorted, t->n_sorted, sizeof(*t->sorted), by_thing, (void *)(uintptr_t)t->old);
	for (uint32_t i = 0; i < t->next->n; i++) {
		uint32_t was = t->is_settled[i] ? HG_SLOT_NONE : find_thing(t, item(t->next, i));

		if (was != HG_SLOT_NONE)
			settle(t, i, was);
	}
	for (uint32_t i = 0; i < t->next->n; i++) {
		uint32_t was = t->idx[i];

		if (!t->is_settled[i])
			settle(t, i, was != HG_SLOT_NONE && !t->is_taken[was] ? was : HG_SLOT_NONE);
	}
}

/* Names are matched: where somebody stands on the same thing, that one counts. */
static int match_things(const struct hg_named *old, const struct hg_named *next, uint32_t *ret_idx,
			struct hg_error *reterr)
{
	struct things t = {.old = old,
			   .next = next,
			   .idx = ret_idx,
			   .is_settled = calloc(next->n + 1u, sizeof(*t.is_settled)),
			   .is_taken = calloc(old->n + 1u, sizeof(*t.is_taken)),
			   .sorted = calloc(old->n + 1u, sizeof(*t.sorted))};
	int r = 0;

	if (t.is_settled == NULL || t.is_taken == NULL || t.sorted == NULL)
		r = hg_error_set(reterr, -HG_ENOMEM, "out of memory for slots", NULL);
	else if (!settle_same(&t))
		settle_rest(&t);
	free(t.is_settled);
	free(t.is_taken);
	free(t.sorted);
	return r;
}

/* ---- slots -------------------------------------------------------------------------------------- */

int hg_slots_match(struct hg_slots *s, const struct hg_named *old,
		   const struct hg_slot_map *old_map, const struct hg_named *next,
		   struct hg_slot_map *ret_map, struct hg_error *reterr)
{
	struct hg_slot_map map = {.slots = calloc(next->n + 1u, sizeof(*map.slots)),
				  .old_idx = calloc(next->n + 1u, sizeof(*map.old_idx))};
	int r = 0;

	if (map.slots == NULL || map.old_idx == NULL)
		r = hg_error_set(reterr, -HG_ENOMEM, "out of memory for slots", NULL);
	if (r == 0)
		r = match_names(old, next, map.old_idx, reterr);
	if (r == 0 && next->compare != NULL)
		r = match_things(old, next, map.old_idx, reterr);
	for (; r == 0 && map.n < next->n; map.n++) {
		uint32_t was = map.old_idx[map.n];

		map.slots[map.n] = was == HG_SLOT_NONE ? take(s) : old_map->slots[was];
		if (map.slots[map.n] == HG_SLOT_NONE) {
			r = hg_error_set(reterr, -HG_ENOSPC, item(next, map.n),
					 " is one more than this host is set up for", NULL);
			break;
		}
	}
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
