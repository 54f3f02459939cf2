/* ops: a snapshot's changes, carried out on the schedulers by the worker that owns them. */
#ifndef HG_DATAPLANE_OPS_H
#define HG_DATAPLANE_OPS_H

#include "dataplane/worker.h"

/* Carries out those operations of the snapshot that fall to this worker. Packets of instances that go
 * are released and counted (HG_DROP_REMOVED). */
void hg_ops_run(struct hg_worker *w, const struct hg_snapshot *s);

#endif
