/* still: workers that stand aside, so that the control lane can act in their place.
 *
 * Why        Before a restart every packet has to be found, in places that belong to workers. They stop where no
 *            packet is half on its way, and what is theirs is the control lane's until they go on.
 * Model      run -> drain -> frozen -> run. Draining, a worker receives nothing and takes nothing from a
 *            scheduler; cards send what they have, and what crosses between workers arrives. Frozen, it
 *            touches nothing.
 * Threads    asked, turn: the worker's. The phase is written by the control lane, which sees in the worker's own
 *            that it has followed: everything it did before is visible then.
 * Cost       asked: one load of a line that nobody writes, once a turn.
 */
#ifndef HG_DATAPLANE_STILL_H
#define HG_DATAPLANE_STILL_H

#include "dataplane/worker.h"

static inline bool hg_still_is_asked(const struct hg_worker *w)
{
	return atomic_load_explicit(&w->lane->phase, memory_order_acquire) != HG_PHASE_RUN ||
	       w->is_aside;
}

void hg_still_turn(struct hg_worker *w);

#endif
