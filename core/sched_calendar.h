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

/* The slot of an instance by its virtual time; beyond the last slot that, to be filed again from there. */
static inline unsigned calendar_slot(const struct hg_sched *s, const struct hg_share *share,
				     const struct hg_node *node)
{
	int64_t ahead = (int64_t)((node->finish >> s->slot_shift) - share->slot_now);

	if (ahead < 0)
		ahead = 0;
	if (ahead > (int64_t)CALENDAR_SLOTS - 1)
		ahead = CALENDAR_SLOTS - 1;
	return (unsigned)(share->slot_now + (uint64_t)ahead) % CALENDAR_SLOTS;
}

/* Appends to the ring of a slot. */
static inline void ring_file(const struct hg_sched *s, struct hg_share *share, unsigned slot,
			     uint32_t idx)
{
	struct hg_node *node = &s->nodes[idx];

	node->next = idx;
	if (share->slot[slot] != NO_INSTANCE) {
		struct hg_node *last = &s->nodes[share->slot[slot]];

		node->next = last->next;
		last->next = idx;
	}
	share->slot[slot] = idx;
}

static inline void calendar_file(const struct hg_sched *s, struct hg_share *share, uint32_t idx,
				 struct hg_node *node)
{
	const unsigned slot = calendar_slot(s, share, node);

	share->full = (uint16_t)(share->full | 1u << slot);
	if (HG_UNLIKELY(s->window != NULL)) {
		ring_file(s, share, slot, idx);
		return;
	}
	node->next = share->slot[slot];
	share->slot[slot] = idx;
}

/* Puts an instance first, or files it: nobody can guess which, so nothing branches on it. */
static inline void calendar_enter(const struct hg_sched *s, struct hg_share *share, uint32_t idx,
				  struct hg_node *node, bool is_first)
{
	const unsigned slot = calendar_slot(s, share, node);
	const uintptr_t filed = (uintptr_t)&share->slot[slot], first = (uintptr_t)&share->current;
	uint32_t *list;

	if (HG_UNLIKELY(s->window != NULL && !is_first)) {
		calendar_file(s, share, idx, node);
		return;
	}
	list = (uint32_t *)(filed ^ ((filed ^ first) & (0u - (uintptr_t)is_first)));
	node->next = *list;
	*list = idx;
	share->full = (uint16_t)(share->full | (uint32_t)!is_first << slot);
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

/* The first slot of those in `full`, which calendar_full() gave; one that is empty if there is none. */
static inline unsigned calendar_first(const struct hg_share *share, uint32_t full)
{
	unsigned ahead = (unsigned)__builtin_ctz(full | 1u << CALENDAR_SLOTS);

	return ((unsigned)share->slot_now + ahead) % CALENDAR_SLOTS;
}

/* Who follows `next` in a list that ends there or not: that, or who is in the slot. */
static inline uint32_t calendar_or_slot(uint32_t next, uint32_t in_slot)
{
	const uint32_t is_end = next == NO_INSTANCE;

	return next & (in_slot | (is_end - 1u)); /* the end is all ones */
}

/* Makes the first slot that holds something the one being served, if nobody of the one before is left: nobody can guess
 * that, so nothing branches on it. Requires that somebody is left, or a slot holds something. */
static inline void calendar_turn(struct hg_sched *s, struct hg_share *share)
{
	const uint32_t is_end = share->current == NO_INSTANCE, full = calendar_full(share);
	const unsigned slot = calendar_first(share, full);
	const uint32_t in_slot = share->slot[slot];

	if (HG_UNLIKELY(s->window != NULL) && is_end) {
		share->current = s->nodes[in_slot].next;
		s->nodes[in_slot].next = NO_INSTANCE;
	} else {
		share->current = calendar_or_slot(share->current, in_slot);
	}
	share->slot_now +=
		(uint64_t)__builtin_ctz(full | 1u << CALENDAR_SLOTS) & (0u - (uint64_t)is_end);
	share->slot[slot] = in_slot | (0u - is_end);
	share->full = (uint16_t)(share->full & ~(is_end << slot));
}

/* Looks along a calendar as it stands now, from who is next: for asking for their lines. */
struct calendar_look {
	uint32_t idx; /* NO_INSTANCE: nobody waits beyond those that were seen */
	uint32_t full; /* slots that were not entered */
};

static inline void look_at(const struct hg_share *share, struct calendar_look *look, uint32_t next)
{
	const uint32_t is_end = next == NO_INSTANCE;

	look->idx = calendar_or_slot(next, share->slot[calendar_first(share, look->full)]);
	look->full &= (look->full - 1u) | (is_end - 1u);
}

static inline struct calendar_look look_first(const struct hg_share *share)
{
	struct calendar_look look = {.full = calendar_full(share)};

	look_at(share, &look, share->current);
	return look;
}

/* Reads the node that it stands at. */
static inline void look_next(const struct hg_sched *s, const struct hg_share *share,
			     struct calendar_look *look)
{
	look_at(share, look, s->nodes[look->idx].next);
}

/* Whose turn it is, if it still waits; NO_INSTANCE if nobody waits. */
static inline uint32_t calendar_next(const struct hg_sched *s, const struct hg_share *share)
{
	uint32_t in_slot;

	if (share->current != NO_INSTANCE || share->full == 0)
		return share->current;
	in_slot = share->slot[calendar_first(share, calendar_full(share))];
	return HG_UNLIKELY(s->window != NULL) ? s->nodes[in_slot].next : in_slot;
}

/* Takes the instance whose turn it is; NO_INSTANCE if none waits. A slot is served in passes: who is
 * filed into it again while it is served waits for the next pass. */
static inline uint32_t calendar_take(struct hg_sched *s, struct hg_share *share)
{
	for (;;) {
		struct hg_node *node;
		uint32_t idx;

		if (HG_UNLIKELY(is_share_empty(share)))
			return NO_INSTANCE;
		calendar_turn(s, share);
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
