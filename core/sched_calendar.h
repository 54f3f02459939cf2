/* sched_calendar: the instances of one tenant, by virtual time.
 *
 * Why        Inside a tenant a round of everyone would let a newcomer wait for all, and shares would be wrong
 *            where weight times quantum exceeds what is queued. Order by virtual time has neither fault.
 * Model      16 slots of half a quantum each at weight 1, in one cache line; a slot is a list through the
 *            nodes. The slot being served is taken as a whole and served from the front; who is filed into
 *            it again meanwhile waits for the next pass; a newcomer, who has had less than its share, goes to the
 *            front. Beyond the last slot an
 *            instance is filed into that, and filed again when its turn comes.
 * Promise    Long-run shares are exact for weights from 1 to 1,000; in the short run they are right to within
 *            a slot at the instance's weight.
 * Memory     In struct hg_tenant. Cost: O(1); no node but the one that moves is touched.
 * Not here   Nothing outside core/sched*.c includes this.
 */
#ifndef HG_CORE_SCHED_CALENDAR_H
#define HG_CORE_SCHED_CALENDAR_H

#include "core/sched_impl.h"

static inline bool calendar_is_empty(const struct hg_tenant *t)
{
	return t->current == NO_INSTANCE && t->full == 0;
}

/* Files an instance by its virtual time; beyond the last slot into it, to be filed again from there. */
static inline void calendar_file(const struct hg_sched *s, struct hg_tenant *t, uint32_t idx,
				 struct hg_node *node)
{
	int64_t ahead = (int64_t)((node->finish >> s->slot_shift) - t->slot_now);
	unsigned slot;

	if (ahead < 0)
		ahead = 0;
	if (ahead > (int64_t)CALENDAR_SLOTS - 1)
		ahead = CALENDAR_SLOTS - 1;
	slot = (unsigned)(t->slot_now + (uint64_t)ahead) % CALENDAR_SLOTS;
	node->next = (uint32_t)t->full >> slot & 1u ? t->slot[slot] : NO_INSTANCE;
	t->slot[slot] = idx;
	t->full = (uint16_t)(t->full | 1u << slot);
}

static inline void calendar_put_first(struct hg_tenant *t, uint32_t idx, struct hg_node *node)
{
	node->next = t->current;
	t->current = idx;
}

static inline void calendar_turn(struct hg_tenant *t)
{
	unsigned slot = (unsigned)t->slot_now % CALENDAR_SLOTS;
	uint32_t full = t->full;

	full = (full >> slot | full << (CALENDAR_SLOTS - slot)) & 0xffffu;
	t->slot_now += (uint64_t)__builtin_ctz(full);
	slot = (unsigned)t->slot_now % CALENDAR_SLOTS;
	t->current = t->slot[slot];
	t->full = (uint16_t)(t->full & ~(1u << slot));
}

/* Takes the instance whose turn it is; NO_INSTANCE if none waits. A slot is served in passes: who is
 * filed into it again while it is served waits for the next pass. */
static inline uint32_t calendar_take(struct hg_sched *s, struct hg_tenant *t)
{
	for (;;) {
		struct hg_node *node;
		uint32_t idx;

		if (t->current == NO_INSTANCE) {
			if (t->full == 0)
				return NO_INSTANCE;
			calendar_turn(t);
		}
		idx = t->current;
		node = &s->nodes[idx];
		t->current = node->next;
		if (HG_UNLIKELY(!is_waiting(s, idx))) {
			node->flags &= (uint16_t)~IN_SHARE;
			continue;
		}
		if (HG_UNLIKELY(node->finish >> s->slot_shift > t->slot_now)) {
			if (!calendar_is_empty(t)) {
				calendar_file(s, t, idx, node);
				continue;
			}
			t->slot_now = node->finish >> s->slot_shift;
		}
		return idx;
	}
}

#endif
