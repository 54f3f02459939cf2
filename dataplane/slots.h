/* slots: dense numbers for named things, stable for life.
 *
 * Why        The packet lane knows tenants, instances and ports by small numbers; the operator knows them
 *            by name, in an order that changes with every edit.
 * Model      A map holds, for one kind, the slot of each index of the desired state in force. hg_slots_match
 *            makes the map of the next state: the same name keeps its slot, a new one gets a free slot. Things
 *            that stand on something (ports, on their devices) are known again by that first, and by their name
 *            only where nothing stands on what they stood on: so a device stays open when its port is renamed,
 *            or two ports exchange their names.
 *            Slots that the next map lacks are released with hg_slots_release, once nothing carries them.
 * Memory     Allocates; control lane only. Cost: match is O(n log n).
 * Errors     -ENOMEM; -ENOSPC when more than max are in use.
 */
#ifndef HG_DATAPLANE_SLOTS_H
#define HG_DATAPLANE_SLOTS_H

#include "core/error.h"
#include "dataplane/snapshot.h"

struct hg_slots {
	uint32_t max, n_high; /* n_high: slots ever used */
	uint32_t *free;
	uint32_t n_free;
};

struct hg_slot_map {
	uint32_t *slots; /* by index of the state */
	uint32_t *old_idx; /* by index: where it was in the old state; HG_SLOT_NONE: new */
	uint32_t n;
};

/* A named list: items of `stride` bytes, each of which begins with its name. */
struct hg_named {
	const char *first;
	size_t stride;
	uint32_t n;
	const uint32_t *kind; /* tells apart what has the same name; NULL: nothing does */
	/* Orders items by what they stand on, which no two of a list share; NULL: names alone count. */
	int (*compare)(const void *a, const void *b);
};

HG_MUST_CHECK int hg_slots_init(struct hg_slots *s, uint32_t max, struct hg_error *reterr);
void hg_slots_fini(struct hg_slots *s);

HG_MUST_CHECK int hg_slots_match(struct hg_slots *s, const struct hg_named *old,
				 const struct hg_slot_map *old_map, const struct hg_named *next,
				 struct hg_slot_map *ret_map, struct hg_error *reterr);
/* Takes back what the match gave to new names: for a change that does not come into force. */
void hg_slots_undo(struct hg_slots *s, struct hg_slot_map *map);
/* Releases the slots of the old state that the next one lacks, and frees the old map. */
void hg_slots_release(struct hg_slots *s, struct hg_slot_map *old_map,
		      const struct hg_slot_map *next_map);
void hg_slot_map_fini(struct hg_slot_map *map);

#endif
