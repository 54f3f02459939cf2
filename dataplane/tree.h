/* tree: the schedulers of the packet lane, made and unmade by the control lane.
 *
 * Model      One tree for what leaves by each uplink, one for what goes from instance to instance, one for
 *            what instances receive. Those of one direction share their maxima (struct hg_caps).
 * Why        core/ never allocates: it says how much it needs (hg_sched_size, hg_inflight_size), and this gets it.
 * Memory     Mapped without being touched: what no instance uses costs nothing. Owned by whoever created it.
 * Threads    Control lane makes and unmakes; in between the tree is its worker's alone.
 * Cost       create: two mappings. Errors: -ENOMEM; nothing is left behind.
 */
#ifndef HG_DATAPLANE_TREE_H
#define HG_DATAPLANE_TREE_H

#include "dataplane/snapshot.h"

struct hg_tree_limits {
	uint32_t max_tenants, max_instances, max_queued_pkts;
	const void *pkt_base;
	struct hg_caps *caps;
	const struct hg_inflight_cfg
		*inflight; /* an uplink's; NULL: what its card has is not accounted for */
};

/* Untouched, zeroed memory; NULL if there is none. */
void *hg_lazy_alloc(size_t bytes);
void hg_lazy_free(void *memory, size_t bytes);

HG_MUST_CHECK int hg_tree_create(const struct hg_tree_limits *limits, enum hg_dir dir,
				 uint32_t uplink_slot, hg_ns now_ns, struct hg_tree **ret_tree,
				 struct hg_error *reterr);
/* No packet may be queued. Takes NULL. */
void hg_tree_destroy(struct hg_tree *tree);

#endif
