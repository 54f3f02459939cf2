/* ops: a snapshot's changes, carried out on the schedulers by the worker that owns them.
 *
 * Why        A scheduler has one owner, who is not to wait for a lock: the control lane writes down what is to be
 *            done, and the owner does it between two turns.
 * Model      The operations of a snapshot (struct hg_op), in its order, each on the trees of its direction, if they are
 *            this worker's; and what the snapshot configures or brings along of MAC addresses, in this worker's own
 *            table.
 * Promise    All of it is done before the worker's next turn; tokens, queues and what guarantees lag behind stay with
 *            whoever stays. It cannot fail: what would be refused was refused by the control lane, and a refusal
 *            here ends the program.
 * Memory     none of its own. Threads: the worker, in its housekeeping. Cost: O(operations of this worker), and
 *            the packets of instances that go. Errors: none.
 * Used by    dataplane/worker.
 */
#ifndef HG_DATAPLANE_OPS_H
#define HG_DATAPLANE_OPS_H

#include "dataplane/worker.h"

/* Carries out those operations of the snapshot that fall to this worker. Packets of instances that go
 * are released and counted (HG_DROP_REMOVED). */
void hg_ops_run(struct hg_worker *w, const struct hg_snapshot *s);

#endif
