/* linger: for how long it is worth looking for an answer before one sleeps.
 *
 * Why        Whoever sleeps has to be woken: a virtual machine that sends first has to say so, which takes it some
 *            microseconds, and the wake-up of an idle processor of a virtual machine takes tens of them. Two machines that ask
 *            and answer pay this twice a round trip. Who looks instead uses a processor, which nobody is to pay for
 *            where nothing is to be expected.
 * Source     As KVM's halt polling (Linux, Documentation/virt/kvm/halt-polling.rst), by what came of it before; but for each
 *            port by itself, and only for answers: what a port sends after it was handed something. Many that
 *            speak seldom, or one that only sends, are none.
 * Model      From the first frame that a port is handed to the next that comes from it is how long it took to answer. One
 *            that is timely, within HG_LINGER_MAX_NS, is a point; a look in vain costs HG_LINGER_MISS. With
 *            HG_LINGER_LEAST points it is looked for an answer for twice as long as the slowest of late took, and
 *            at most for HG_LINGER_MAX_NS.
 * Promise    Of the time spent looking, what is in vain is paid for by answers: not more than HG_LINGER_MAX_NS for
 *            HG_LINGER_MISS timely answers, once its points are used up. Where looking itself keeps the answer from coming,
 *            since the one who is to answer waits for the same processor, no more than that.
 * Units      ns, from 1 on. Memory: plain struct, all zero at first. Threads: one owner. Cost: O(1). Errors: none.
 * Used by    dataplane/worker, dataplane/transmit.
 */
#ifndef HG_CORE_LINGER_H
#define HG_CORE_LINGER_H

#include "core/compiler.h"
#include "core/units.h"

#include <stdbool.h>
#include <stdint.h>

/* Machines by emulation answer within some 300 us; by KVM within tens. */
#define HG_LINGER_MAX_NS (1 * HG_NS_PER_MS)
#define HG_LINGER_LEAST 4
#define HG_LINGER_MOST 64
#define HG_LINGER_MISS 16

struct hg_linger {
	hg_ns handed_at_ns; /* the first frame since one came; 0: none */
	hg_ns usual_ns; /* what a slow one of the last timely answers took */
	int16_t points; /* in [-HG_LINGER_MISS, HG_LINGER_MOST] */
	bool is_looking;
};

void hg_linger_note(struct hg_linger *l, hg_ns took_ns); /* internal to here */

/* The port was handed something. Returns for how long from now it is to be looked for an answer; 0: not at all. */
hg_ns hg_linger_handed(struct hg_linger *l, hg_ns now_ns);

/* Something came from it. */
static inline void hg_linger_came(struct hg_linger *l, hg_ns now_ns)
{
	if (l->handed_at_ns == 0)
		return;
	hg_linger_note(l, now_ns - l->handed_at_ns);
	l->handed_at_ns = 0;
}

/* It is not looked any more. */
void hg_linger_ends(struct hg_linger *l);

#endif
