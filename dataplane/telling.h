/* telling: devices whose far side is to be told something, but not yet.
 *
 * Why        A guest is told late that its frames were taken, together with others (core/coalesce.h); and then it must be
 *            told whatever becomes of its port: quiet, held by its contract, or left to its descriptor by a worker that
 *            sleeps.
 * Model      Ports in the order in which they have to be told, each once. Who is to be told once this turn's frames are
 *            handed on comes first, the last of them before the others; as all the rest may wait equally long, theirs is
 *            the order in which they came. Who had more to be told meanwhile is told of that, too.
 * Promise    Each is told by its instant, as far as the worker runs, and before the worker stands aside or goes on without it.
 * Memory     Links in the ports. Threads: the worker's own. Cost: O(1) for each that is told, and nothing for others.
 */
#ifndef HG_DATAPLANE_TELLING_H
#define HG_DATAPLANE_TELLING_H

#include "dataplane/worker.h"
#include "drivers/driver.h"

void hg_telling_add(struct hg_worker *w, struct hg_port *port); /* internal to here */
/* Tells those whose instant is not behind until_ns. */
void hg_telling_until(struct hg_worker *w, hg_ns until_ns);

/* The port was received from. */
static inline void hg_telling_note(struct hg_worker *w, struct hg_port *port)
{
	if (HG_UNLIKELY(port->dev->tell_at_ns != 0))
		hg_telling_add(w, port);
}

/* Tells those whose time has come. */
static inline void hg_telling_look(struct hg_worker *w)
{
	if (w->telling_head != NULL)
		hg_telling_until(w, w->now_ns);
}

/* When the next is to be told; HG_NEVER: nobody. */
static inline hg_ns hg_telling_next_at(const struct hg_worker *w)
{
	return w->telling_head != NULL ? w->telling_head->tell_at_ns : HG_NEVER;
}

#endif
