/* sched_held: the ring of those who are held by their share of the window.
 *
 * Why        No time ends such a wait, so there is no wheel to find them in; a release finds its own by index, and
 *            when the window is divided anew all of them are looked at.
 * Model      A ring through hg_node_side, oldest first; the element after the last instance's is its beginning and
 *            end.
 * Cost       O(1). Memory: in hg_node_side.
 * Not here   Nothing outside core/sched*.c includes this.
 */
#ifndef HG_CORE_SCHED_HELD_H
#define HG_CORE_SCHED_HELD_H

#include "core/sched_impl.h"

static inline uint32_t ring_end(const struct hg_sched *s)
{
	return s->max_instances;
}

static inline void ring_init(struct hg_sched *s)
{
	uint32_t end = ring_end(s);

	s->side[end].held = (struct hg_ring){.before = end, .after = end};
}

static inline void held_append(struct hg_sched *s, uint32_t idx)
{
	uint32_t end = ring_end(s), last = s->side[end].held.before;

	s->side[idx].held = (struct hg_ring){.before = last, .after = end};
	s->side[last].held.after = idx;
	s->side[end].held.before = idx;
	s->n_held_by_window++;
}

static inline void held_remove(struct hg_sched *s, uint32_t idx)
{
	struct hg_ring at = s->side[idx].held;

	s->side[at.before].held.after = at.after;
	s->side[at.after].held.before = at.before;
	s->n_held_by_window--;
}

#endif
