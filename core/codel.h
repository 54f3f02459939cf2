/* codel: which packets of a queue that stands are told so: a few, spaced in time, more the longer it stands.
 *
 * Why        S1.3. Senders that speak ECN slow down for a mark. When each packet that stood for too long is marked, all
 *            senders of an instance slow down at once, and the link waits for them wherever a turn of theirs takes longer
 *            than what is left in the queue: 64 TCP flows fell 12 % short of 1 Gbit/s. One mark tells one of them.
 *            Nor may a mark be for a queue that is as short as it gets: at 10 Mbit/s two packets stand for longer than the
 *            target, and a sender that is told of them again and again is left with the least window that TCP has. Each time
 *            that one of both ends or a worker is run late the link waits for it then.
 * Source     Nichols, Jacobson et al., RFC 8289 (CoDel), with marks for drops.
 * Model      A packet is above if it stood for longer than HG_CODEL_TARGET_NS and HG_CODEL_LEAST_BYTES or more are left in
 *            its queue behind it, or if it stood for longer than HG_CODEL_LONG_NS. A spell begins with a packet above, and ends
 *            with one of the same queue that is not: what lets its queue run short now and then does not stand. A mark is
 *            due an interval after a spell began; the next packet above that can be marked takes it, and the next is due
 *              step(n) = floor(HG_CODEL_INTERVAL_NS / sqrt(n))
 *            later than this one was due; of how late it was HG_CODEL_LATE_NS at most are made up for. n is 1 for the
 *            first mark of a spell and one more for each that follows, up to HG_CODEL_MARKS_MAX. After a spell with k
 *            marks n begins with max(1, k - 1), if no more than HG_CODEL_FORGET_NS lie between; a spell without any
 *            hands on what it began with. A mark that nothing takes for longer than that is forgotten, and its spell.
 * Queues     What an instance sends may stand in several queues (its classes, its uplink, its host), and what passes one
 *            says nothing of the others. So a spell is of the queue that it began in. Packets of others take its marks
 *            if they are above, too.
 * Promise    No packet is due that stood for HG_CODEL_TARGET_NS or less, none that leaves less than
 *            HG_CODEL_LEAST_BYTES behind unless it stood for longer than HG_CODEL_LONG_NS, and none in the first interval
 *            of a spell. After a mark that was taken in time the next is due step(n) later, never sooner than
 *            step(n) - HG_CODEL_LATE_NS after it was taken.
 * Units      ns, from 0 on, by a clock that stands still while nobody serves the queue (hg_absence_served).
 *            Memory: 16 bytes, all zero at first. Threads: one owner. Errors: none.
 * Cost       is_due: two comparisons, or O(1) without division where a packet is above or ends a spell. marked: a division
 *            and 32 steps.
 * Used by    dataplane/serve.
 */
#ifndef HG_CORE_CODEL_H
#define HG_CORE_CODEL_H

#include "core/units.h"

#include <stdbool.h>
#include <stdint.h>

/* Above what a few segments of 64 KiB take on a link of 1 Gbit/s, below what a person or a timer notices. */
#define HG_CODEL_TARGET_NS (2 * HG_NS_PER_MS)
/* Eight full packets on the wire: what a rate of less than 49 Mbit/s takes longer for than the target. RFC 8289 has
 * one; but a sender's least window is two, kernels hand over as many at once, and every second one is acknowledged. */
#define HG_CODEL_LEAST_BYTES (8u * 1538u)
/* At rates so low that even those stand for longer: well before nothing more is queued (200 ms, dataplane/path). */
#define HG_CODEL_LONG_NS (50 * HG_NS_PER_MS)
/* A round trip on one host through a queue that stands, with both ends scheduled late. Longer, and it takes many flows
 * seconds to be told; shorter, and few that are served in spells are told for what one spell brings. */
#define HG_CODEL_INTERVAL_NS (5 * HG_NS_PER_MS)
/* Some turns of a worker, which hands over at once what became due meanwhile. */
#define HG_CODEL_LATE_NS (2 * HG_NS_PER_MS)
#define HG_CODEL_FORGET_NS (16 * HG_CODEL_INTERVAL_NS)
#define HG_CODEL_MARKS_MAX UINT16_MAX

struct hg_codel {
	hg_ns at_ns; /* in a spell: when a mark is due; else when the last one ended */
	uint16_t
		n; /* of the next spell's first mark; in a spell with marks: of the last one; 0: there never was one */
	uint16_t n_first; /* of the first mark of this spell; 0: it has none */
	uint8_t queue; /* of this spell */
	bool is_above; /* in a spell */
};

bool hg_codel_note(struct hg_codel *c, uint8_t queue, bool is_above,
		   hg_ns now_ns); /* internal to is_due */

/* Whether a packet that stood for so long has to be noted: others change nothing, and are not due. */
static inline bool hg_codel_needs(const struct hg_codel *c, hg_ns stood_ns)
{
	return stood_ns > HG_CODEL_TARGET_NS || c->is_above;
}

/* A packet leaves a queue, in which it stood for so long and so many wire bytes are left. Returns whether a mark is due:
 * if the packet can be marked, hg_codel_marked() follows; if not, the next one is asked. now_ns never decreases. */
static inline bool hg_codel_is_due(struct hg_codel *c, uint8_t queue, hg_ns stood_ns,
				   uint32_t left_bytes, hg_ns now_ns)
{
	return hg_codel_needs(c, stood_ns) &&
	       hg_codel_note(c, queue,
			     stood_ns > (left_bytes >= HG_CODEL_LEAST_BYTES ? HG_CODEL_TARGET_NS
									    : HG_CODEL_LONG_NS),
			     now_ns);
}

/* The packet took the mark that was due. */
void hg_codel_marked(struct hg_codel *c, hg_ns now_ns);

#endif
