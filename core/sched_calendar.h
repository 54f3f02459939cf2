/* sched_calendar: the instances of one tenant, by virtual time.
 *
 * Why        Inside a tenant a round of everyone would let a newcomer wait for all, and shares would be wrong
 *            where weight times quantum exceeds what is queued. Order by virtual time has neither fault.
 * Model      16 slots of half a quantum each at weight 1, in one cache line; a slot is a list through the
 *            nodes; with a window a ring that is known by its last, first in, first out: so equal ones take
 *            turns one by one, where a card queue of two packets would hold back who comes twice in a
 *            row. (Without one the last is not touched: 8 % less with 32,768 instances.) The slot being served is taken as a whole and served from the front; who is filed into
 *            it again meanwhile waits for the next pass; a newcomer, who has had less than its share, goes to the
 *            front. Beyond the last slot an
 *            instance is filed into that, and filed again when its turn comes.
 * Promise    Long-run shares are exact for weights from 1 to 1,000; in the short run they are right to within
 *            a slot at the instance's weight.
 * Memory     In struct hg_share. Cost: O(1); no node but the one that moves is touched.
 * Not here   Nothing outside core/sched*.c includes this.
 */
#ifndef HG_CORE_SCHED_CALENDAR_H
#define HG_CORE_SCHED_CALENDAR_H

#include "core/sched_share.h"

/* Files an instance by its virtual time; beyond the last slot into it, to be filed again from there. */
static inline void calendar_file(const struct hg_sched *s, struct hg_share *share, uint32_t idx,
				 struct hg_node *node)
{
	int64_t ahead = (int64_t)((node->finish >> s->slot_shift) - share->slot_now);
	unsigned slot;

	if (ahead < 0)
		ahead = 0;
	if (ahead > (int64_t)CALENDAR_SLOTS - 1)
		ahead = CALENDAR_SLOTS - 1;
	slot = (unsigned)(share->slot_now + (uint64_t)ahead) % CALENDAR_SLOTS;
	if (HG_LIKELY(s->window == NULL)) {
		node->next = (uint32_t)share->full >> slot & 1u ? share->slot[slot] : NO_INSTANCE;
	} else if ((uint32_t)share->full >> slot & 1u) {
		struct hg_node *last = &s->nodes[share->slot[slot]];

		node->next = last->next;
		last->next = idx;
	} else {
		node->next = idx;
	}
	share->slot[slot] = idx;
	share->full = (uint16_t)(share->full | 1u << slot);
}

static inline void calendar_put_first(struct hg_share *share, uint32_t idx, struct hg_node *node)
{
	node->next = share->current;
	share->current = idx;
}

/* The slots that hold something, the one being served in the lowest bit. */
static inline uint32_t calendar_full(const struct hg_share *share)
{
	unsigned slot = (unsigned)share->slot_now % CALENDAR_SLOTS;
	uint32_t full = share->full;

	return (full >> slot | full << (CALENDAR_SLOTS - slot)) & 0xffffu;
}

static inline void calendar_turn(struct hg_sched *s, struct hg_share *share)
{
	unsigned slot;

	share->slot_now += (uint64_t)__builtin_ctz(calendar_full(share));
	slot = (unsigned)share->slot_now % CALENDAR_SLOTS;
	share->current = share->slot[slot];
	if (HG_UNLIKELY(s->window != NULL)) {
		struct hg_node *last = &s->nodes[share->slot[slot]];

		share->current = last->next;
		last->next = NO_INSTANCE;
	}
	share->full = (uint16_t)(share->full & ~(1u << slot));
}

/* Looks along a calendar as it stands now, from who is next: for asking for their lines. */
struct calendar_look {
	uint32_t idx; /* NO_INSTANCE: nobody waits beyond those that were seen */
	uint32_t full; /* slots that were not entered */
};

static inline void look_enter_slot(const struct hg_share *share, struct calendar_look *look)
{
	unsigned ahead;

	look->idx = NO_INSTANCE;
	if (look->full == 0)
		return;
	ahead = (unsigned)__builtin_ctz(look->full);
	look->full &= look->full - 1u;
	look->idx = share->slot[((unsigned)share->slot_now + ahead) % CALENDAR_SLOTS];
}

static inline struct calendar_look look_first(const struct hg_share *share)
{
	struct calendar_look look = {.idx = share->current, .full = calendar_full(share)};

	if (look.idx == NO_INSTANCE)
		look_enter_slot(share, &look);
	return look;
}

/* Reads the node that it stands at. */
static inline void look_next(const struct hg_sched *s, const struct hg_share *share,
			     struct calendar_look *look)
{
	look->idx = s->nodes[look->idx].next;
	if (look->idx == NO_INSTANCE)
		look_enter_slot(share, look);
}

/* Takes the instance whose turn it is; NO_INSTANCE if none waits. A slot is served in passes: who is
 * filed into it again while it is served waits for the next pass. */
static inline uint32_t calendar_take(struct hg_sched *s, struct hg_share *share)
{
	for (;;) {
		struct hg_node *node;
		uint32_t idx;

		if (share->current == NO_INSTANCE) {
			if (share->full == 0)
				return NO_INSTANCE;
			calendar_turn(s, share);
		}
		idx = share->current;
		node = &s->nodes[idx];
		share->current = node->next;
		if (HG_UNLIKELY(!is_waiting(s, idx))) {
			node->flags &= ~(uint32_t)IN_SHARE;
			continue;
		}
		if (HG_UNLIKELY(node->finish >> s->slot_shift > share->slot_now)) {
			if (!is_share_empty(share)) {
				calendar_file(s, share, idx, node);
				continue;
			}
			share->slot_now = node->finish >> s->slot_shift;
		}
		return idx;
	}
}

#endif
