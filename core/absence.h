/* absence: when a worker that should have been at work was not.
 *
 * Why        What waits in a queue for longer than it may says that the queue stands: its senders are told to slow down
 *            (ECN, core/codel), and later no more is put behind it. Where nobody served it, since the host did not run the worker or
 *            it stood aside for a restart, the wait says nothing of the queue: senders would slow down, and what comes
 *            next be dropped, for nothing. (30 % of each processor stolen, 16 TCP flows with ECN at 1 Gbit/s: 64 % of
 *            what they may send when such waits are marked, 75 % when not.)
 * Model      A worker says when it is at work, and until when there is nothing to do. Later than it was due by more
 *            than HG_ABSENCE_MIN_NS it was absent, from when it was due. Before it was first at work it always was.
 * Promise    Never more than the time that is asked for. The last HG_ABSENCE_SPELLS are known; older ones count as if
 *            it had been there.
 * Units      ns, from 0 on. Memory: plain struct. Threads: one owner.
 * Cost       here, served: a subtraction. since: a comparison, unless it was absent since; then O(spells since).
 * Errors     none.
 * Used by    dataplane/worker, dataplane/serve.
 */
#ifndef HG_CORE_ABSENCE_H
#define HG_CORE_ABSENCE_H

#include "core/units.h"

#include <stdbool.h>
#include <stdint.h>

/* Above what a turn takes (up to 0.4 ms with bulk TCP), below the 2 ms after which a queue is taken to stand. */
#define HG_ABSENCE_MIN_NS (1 * HG_NS_PER_MS)
/* Of 4 ms, as long as a kernel mostly lets another program run, they are more than the 200 ms that a packet may wait. */
#define HG_ABSENCE_SPELLS 64u

struct hg_absence {
	hg_ns due_ns; /* when it is to be at work next; HG_NEVER: when it is called */
	hg_ns ended_ns; /* the last spell */
	hg_ns away_ns; /* all spells, ever */
	struct {
		hg_ns from_ns, to_ns;
	} spells[HG_ABSENCE_SPELLS];
	uint32_t n_spells; /* ever, modulo 2^32; the next one's place modulo HG_ABSENCE_SPELLS */
};

void hg_absence_init(struct hg_absence *a);

void hg_absence_note(struct hg_absence *a, hg_ns now_ns); /* internal to here */
hg_ns hg_absence_sum(const struct hg_absence *a, hg_ns since_ns,
		     hg_ns least_ns); /* internal to since */

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

/* A clock that stands still while it is absent: how long it was there, until now_ns, which is not before it was last at
 * work. */
static inline hg_ns hg_absence_served(const struct hg_absence *a, hg_ns now_ns)
{
	return now_ns - a->away_ns;
}

/* How long it was absent between since_ns and when it was last at work, in spells of more than least_ns, from
 * HG_ABSENCE_MIN_NS on. A queue that drains by the clock catches up with short ones; what waits in a short queue meanwhile does
 * not wait for it. */
static inline hg_ns hg_absence_since(const struct hg_absence *a, hg_ns since_ns, hg_ns least_ns)
{
	return HG_LIKELY(since_ns >= a->ended_ns) ? 0 : hg_absence_sum(a, since_ns, least_ns);
}

#endif
