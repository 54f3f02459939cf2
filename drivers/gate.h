/* gate: a TAP's kernel end that refuses, so that who sends into it hears of it.
 *
 * Why        An unread TAP drops behind the sender's back: its TCP sends again what was lost. A frame that is refused
 *            in the sender's own call was never sent: TCP keeps it, cuts its window once a round trip and goes on
 *            with the next acknowledgement; UDP counts it in the sender's namespace.
 * Model      A word of memory that the kernel's filter of the TAP reads for each frame (an eBPF program of some ten
 *            instructions, TUNSETFILTEREBPF). While it is shut, frames longer than HG_GATE_PASS_BYTES are refused:
 *            acknowledgements, beginnings of connections, names to be looked up pass on. The sender hears it where the interface
 *            has no queue of the stack's in between (hg_link_unqueue), which never held anything for a TAP.
 * Promise    Open when made. What was let in before it shut still comes. It ends with the TAP or the next gate of it.
 * Memory     A page for each, and a few KiB of the kernel's. No descriptor stays open.
 * Threads    make, end: control lane; set: any one. Cost: set one store, a frame some ns of the sender's.
 * Errors     make: -EPERM, -ENOTSUP a kernel without it, -ENOMEM, -EIO. Used by drivers/tap.c.
 */
#ifndef HG_DRIVERS_GATE_H
#define HG_DRIVERS_GATE_H

#include "core/error.h"

#include <stdbool.h>

/* Frame bytes, without the last four. */
#define HG_GATE_PASS_BYTES 256

struct hg_gate {
	void *page; /* the kernel's, mapped; NULL: none */
};

/* At the TAP that the descriptor is attached to. */
HG_MUST_CHECK int hg_gate_make(int tap_fd, struct hg_gate *ret_gate, struct hg_error *reterr);
/* Takes away what was left there, by a process that died while it was shut. */
void hg_gate_clear(int tap_fd);
/* Leaves it open. Takes one that was not made. */
void hg_gate_end(struct hg_gate *gate);

static inline void hg_gate_set(struct hg_gate *gate, bool is_shut)
{
	__atomic_store_n((unsigned *)gate->page, is_shut ? 1u : 0u, __ATOMIC_RELAXED);
}

#endif
