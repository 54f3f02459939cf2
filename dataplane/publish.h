/* publish: what the schedulers know of their instances, copied to where the control lane may read it.
 *
 * Model      Flows that moved a packet, have something queued or have tokens withdrawn lately are on a
 *            list. When the control lane asks, the worker copies them, a slice in each housekeeping, so
 *            that an idle instance costs nothing and a busy turn is never held up for long.
 * Promise    Once publish_done has the number that was asked for, all that changed before the question is in
 *            struct hg_published. A flow that is not on the list is published as it is.
 * Memory     The list goes through the flows. Threads: the worker writes, the control lane reads field by field
 *            (core/published.h). Cost: some 50 ns a flow, 64 flows a slice, so less than 5 us. Errors: none.
 */
#ifndef HG_DATAPLANE_PUBLISH_H
#define HG_DATAPLANE_PUBLISH_H

#include "dataplane/worker.h"

/* Notes that the flow has something to publish. */
static inline void hg_publish_mark(struct hg_worker *w, struct hg_flow *flow)
{
	if (flow->is_dirty)
		return;
	flow->is_dirty = true;
	flow->next_dirty = w->dirty_head;
	w->dirty_head = (uint32_t)(flow - w->lane->flows);
}

/* The last of an instance, before it leaves its schedulers. uplink_tree: of its tenant. */
void hg_publish_last(struct hg_worker *w, uint32_t instance_slot, enum hg_dir dir,
		     const struct hg_tree *uplink_tree);

bool hg_publish_is_due(const struct hg_worker *w);
void hg_publish_some(struct hg_worker *w);

#endif
