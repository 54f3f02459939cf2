/* tag: what a buffer carries while a card has it.
 *
 * Why        A release names a buffer and nothing else. The tag says whose bytes it carried, when they were
 *            handed over, and on which card queue, so that the release can be settled without a search.
 * Model      Written at hand-over, read and cleared by whoever sees the release. queue is 0 in a buffer
 *            that no card has.
 * Life       account, load, generation and queue are set when the window takes the packet; handed_ns when
 *            the card has it. A tag that comes back with handed_ns 0 never reached the card: it gives back
 *            what was taken, and says nothing about the card.
 * Units      ns, wire bytes, wire packets. Memory: 24 bytes in the packet view. Threads: the packet's owner.
 * Used by    core/inflight, vswitch/pkt.
 */
#ifndef HG_CORE_TAG_H
#define HG_CORE_TAG_H

#include "core/units.h"

#include <stdint.h>

struct hg_tag {
	uint32_t load; /* wire bytes and parts, laid out as in struct hg_sched_item */
	hg_ns handed_ns;

	/* Whose account, and of when: in one word, to be compared. */
	uint32_t instance_idx;
	uint16_t generation; /* of the instance's account: an index may have a new owner by now */
	uint8_t epoch; /* in which it was taken: what two later epochs did not see is lost */
	uint8_t queue; /* the card queue's number plus 1; 0: no tag. Last: whoever releases reads it with what follows */
};

/* How a load is laid out. */
static inline uint32_t hg_load(uint32_t bytes, uint32_t parts)
{
	return bytes | parts << 20;
}

static inline uint32_t hg_load_bytes(uint32_t load)
{
	return load & HG_WIRE_MAX_BYTES;
}

static inline uint32_t hg_load_parts(uint32_t load)
{
	return load >> 20;
}

#endif
