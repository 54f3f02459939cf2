/* claim: one headgate for one interface.
 *
 * Why        Sockets on an interface do not exclude each other; two processes that serve the same guest would
 *            give it every frame twice.
 * Model      A name in the abstract socket space, which belongs to the network namespace, as the interface
 *            does, and which the kernel frees when the process ends, however it ends.
 * Promise    Between claim and close of the descriptor no other claim of that interface succeeds.
 * Threads    Control lane. Errors: -EBUSY, else as hg_errno_refuse (drivers/netns.h).
 * Used by    drivers/packet.c, drivers/xdp.c.
 */
#ifndef HG_DRIVERS_CLAIM_H
#define HG_DRIVERS_CLAIM_H

#include "core/error.h"

/* Returns the descriptor that holds the claim. */
HG_MUST_CHECK int hg_claim(int if_idx, const char *name, struct hg_error *reterr);

#endif
