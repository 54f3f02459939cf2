/* absence: when a worker that should have been at work was not.
 *
 * Why        What waits in a queue for longer than it may says that the queue is served too slowly, and no more is put
 *            behind it. Where nobody served it, since the host did not run the worker or it stood aside for a restart,
 *            the wait says nothing of the queue: what comes next would be dropped for nothing.
 * Model      A worker says when it is at work, and until when there is nothing to do. Later than it was due by more
 *            than HG_ABSENCE_MIN_NS it was absent, from when it was due. Before it was first at work it always was.
 * Promise    Never more than the time that is asked for. The last HG_ABSENCE_SPELLS are known; older ones count as if
 *            it had been there.
 * Units      ns, from 0 on. Memory: plain struct. Threads: one owner.
 * Cost       here: a subtraction. since: a comparison, unless it was absent since; then O(HG_ABSENCE_SPELLS).
 * Errors     none.
 * Used by    dataplane/worker, dataplane/serve.
 */
#ifndef HG_CORE_ABSENCE_H
#define HG_CORE_ABSENCE_H

#include "core/units.h"

#include <stdbool.h>
#include <stdint.h>

/* Far above what a turn takes, far below what a packet may wait. */
#define HG_ABSENCE_MIN_NS (10 * HG_NS_PER_MS)
/* Of the least length they are most of the 200 ms that a packet may wait. */
#define HG_ABSENCE_SPELLS 16u

struct hg_absence {
	hg_ns due_ns; /* when it is to be at work next; HG_NEVER: when it is called */
	hg_ns ended_ns; /* the last spell */
	struct {
		hg_ns from_ns, to_ns;
	} spells[HG_ABSENCE_SPELLS];
	uint32_t n_spells; /* ever, modulo 2^32; the next one's place modulo HG_ABSENCE_SPELLS */
};

void hg_absence_init(struct hg_absence *a);

void hg_absence_note(struct hg_absence *a, hg_ns now_ns); /* internal to here */
hg_ns hg_absence_sum(const struct hg_absence *a, hg_ns since_ns); /* internal to since */

/* It is at work now. */
static inline void hg_absence_here(struct hg_absence *a, hg_ns now_ns)
{
	if (HG_UNLIKELY(now_ns - a->due_ns > HG_ABSENCE_MIN_NS))
		hg_absence_note(a, now_ns);
	a->due_ns = now_ns;
}

/* It is not needed before at_ns, unless it is called. */
static inline void hg_absence_until(struct hg_absence *a, hg_ns at_ns)
{
	a->due_ns = at_ns;
}

/* From now on it serves nothing, whatever there is to do. */
static inline void hg_absence_leave(struct hg_absence *a, hg_ns now_ns)
{
	if (now_ns < a->due_ns)
		a->due_ns = now_ns;
}

/* How long it was absent between since_ns and when it was last at work. */
static inline hg_ns hg_absence_since(const struct hg_absence *a, hg_ns since_ns)
{
	return HG_LIKELY(since_ns >= a->ended_ns) ? 0 : hg_absence_sum(a, since_ns);
}

#endif
