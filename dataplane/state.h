/* state: what a worker knows of one instance, told without stopping it, or at the instant it leaves.
 *
 * Why        Migration. The control lane never reads a live scheduler.
 * Model      The control lane hands over an ask with a number; each worker answers its part in its housekeeping: who
 *            owns the trees of a direction its buckets and tags, the out owner also what was learned, since every
 *            worker is told of that. The MAC table is walked a slice at a time. For an instance that is removed, the
 *            operation that removes it saves it first (dataplane/ops.c).
 * Threads    The worker's, but for hg_dp_save(), which waits for all of them.
 * Cost       Without an ask: a load a housekeeping. Errors: none.
 */
#ifndef HG_DATAPLANE_STATE_H
#define HG_DATAPLANE_STATE_H

#include "dataplane/worker.h"

struct hg_state_ask {
	uint64_t number; /* from 1 */
	uint32_t slot; /* of the instance */
	struct hg_tree *tree; /* of its tenant's uplink */
	const uint32_t *ports; /* its slots, and what they are in the desired state */
	const uint32_t *port_idx;
	uint32_t n_ports;
	const struct hg_switch_port *switch_ports; /* of the snapshot in force, by slot */
	struct hg_instance_state *ret;
};

/* One direction of an instance, by the worker that owns it. uplink_tree: of its tenant. */
void hg_state_save(struct hg_worker *w, uint32_t slot, enum hg_dir dir,
		   const struct hg_tree *uplink_tree, struct hg_instance_state *ret);

static inline bool hg_state_is_asked(const struct hg_worker *w)
{
	const struct hg_state_ask *ask = atomic_load(&w->lane->ask);

	return ask != NULL && ask->number != w->answered;
}

void hg_state_answer(struct hg_worker *w);

#endif
