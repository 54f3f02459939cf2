/* behave: limits that follow how instances behave, on the packet lane (S2.8).
 *
 * Model      Whenever what an instance sends is published and an interval has passed since it was last judged,
 *            core/behaviour judges the time since: how long its own and its tenant's maxima held it. A change of
 *            its level acts at once: on its weight in the card's window, and where its contract says so on its
 *            maximum. Only who does something is published, so nobody scans all instances; who was silent for
 *            longer is judged for all of the time when it is published next.
 *            A policy set again begins anew.
 * Threads    The out owner's.
 * Cost       A look at the clock for each flow published. Errors: none.
 * Used by    dataplane/publish.c, dataplane/ops.c.
 */
#ifndef HG_DATAPLANE_BEHAVE_H
#define HG_DATAPLANE_BEHAVE_H

#include "dataplane/worker.h"

/* The maximum for sending that is in force at this level; 0: none. */
static inline uint64_t hg_behave_max_bytes_per_s(const struct hg_lane_instance *instance,
						 const struct hg_behaviour *behaviour)
{
	const struct hg_policy policy = {.min_bytes_per_s = instance->min_bytes_per_s,
					 .max_bytes_per_s = instance->max_bytes_per_s,
					 .behaviour = instance->follow};

	return hg_behaviour_max_bytes_per_s(behaviour, &policy);
}

/* After the instance's flow for sending was published: judges it, if it is time to. */
void hg_behave_look(struct hg_worker *w, uint32_t instance_slot);

/* Its policy for sending was set: forgets how it behaved. */
void hg_behave_reset(struct hg_worker *w, uint32_t instance_slot, struct hg_tree *uplink_tree);

/* It comes from another host, and its policy was set: goes on as it was. ago_ns: since it was judged; -1: never. */
void hg_behave_restore(struct hg_worker *w, uint32_t instance_slot, struct hg_tree *uplink_tree,
		       const struct hg_behaviour *behaviour, hg_ns ago_ns);

#endif
