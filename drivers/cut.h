/* cut: takes an interface of somebody else out of the host's stack, and gives it back as it was.
 *
 * Why        A packet socket gets a copy; the stack, or a bridge that the interface is in, gets each frame
 *            too, and may send to the guest past headgate and its limits.
 * Model      Two classifiers of one instruction each, "drop", at the interface's clsact qdisc: at ingress,
 *            which packet sockets come before, and at egress, which a packet socket with
 *            PACKET_QDISC_BYPASS does not pass. Addresses, routes and bridge membership stay as they are.
 * Promise    apply is idempotent, and recognises what an earlier process left (by handle, priority and
 *            program name). remove takes away what apply put there, and the qdisc if apply made it and
 *            nobody else has put a filter there since; other filters are never touched.
 * Where      The namespace that the thread is in.
 * Threads    Control lane. Memory: none kept. Cost: some 100 us.
 * Errors     as hg_errno_refuse (drivers/netns.h); then nothing is left behind. With an "ingress" qdisc in
 *            the place of clsact only ingress is cut.
 * Used by    drivers/packet.c.
 */
#ifndef HG_DRIVERS_CUT_H
#define HG_DRIVERS_CUT_H

#include "core/error.h"

#include <stdbool.h>

/* name: only for messages. */
HG_MUST_CHECK int hg_cut_apply(int if_idx, const char *name, struct hg_error *reterr);
void hg_cut_remove(int if_idx);

#endif
