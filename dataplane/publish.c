#include "dataplane/publish.h"

#include "dataplane/behave.h"

#include <string.h>

/* Flows copied in one housekeeping: some 50 ns each, so a slice stays below 5 us. */
#define SLICE 64u

bool hg_publish_is_due(const struct hg_worker *w)
{
	return atomic_load(&w->publish_asked) != w->publish_done;
}

/* Adds what one tree knows of the instance. Returns whether there may be more to tell later. */
static bool add_tree(struct hg_published *sum, const struct hg_tree *tree, uint32_t slot,
		     hg_ns now_ns)
{
	struct hg_sched_stats stats;

	hg_sched_sample_instance(tree->sched, slot, &stats, now_ns);
	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		sum->held_ns[i] += stats.held_ns[i];
	sum->queued_bytes += stats.queued_bytes;
	if (tree->uplink_slot != HG_SLOT_NONE)
		sum->link_queued_bytes += stats.queued_bytes;
	if (stats.held_by != HG_LIMIT_NONE)
		sum->held_by = (uint8_t)stats.held_by;
	sum->is_active |= stats.is_active;
	if (tree->inflight != NULL)
		hg_window_sample_instance(hg_inflight_window(tree->inflight), slot, &sum->window);
	return stats.queued_pkts > 0 || stats.is_active || sum->window.outstanding_pkts > 0;
}

/* Returns as above. */
static bool publish(struct hg_worker *w, uint32_t instance_slot, enum hg_dir dir,
		    const struct hg_tree *uplink_tree)
{
	struct hg_flow *flow = &w->lane->flows[instance_slot * HG_N_DIRS + dir];
	struct hg_published *to = &flow->published;
	struct hg_published sum = {.held_by = HG_LIMIT_NONE};
	bool has_more;

	memcpy(sum.held_ns, flow->held_before_ns, sizeof(sum.held_ns));
	if (dir == HG_IN) {
		has_more = add_tree(&sum, w->lane->in_tree, instance_slot, w->now_ns);
	} else {
		has_more = add_tree(&sum, w->lane->local_tree, instance_slot, w->now_ns);
		has_more |= add_tree(&sum, uplink_tree, instance_slot, w->now_ns);
	}
	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		HG_WRITE(to->held_ns[i], sum.held_ns[i]);
	HG_WRITE(to->queued_bytes, sum.queued_bytes);
	HG_WRITE(to->link_queued_bytes, sum.link_queued_bytes);
	HG_WRITE(to->held_by, sum.held_by);
	HG_WRITE(to->is_active, sum.is_active);
	HG_WRITE(to->window.outstanding_bytes, sum.window.outstanding_bytes);
	HG_WRITE(to->window.outstanding_pkts, sum.window.outstanding_pkts);
	HG_WRITE(to->window.share_bytes, sum.window.share_bytes);
	HG_WRITE(to->window.depth_shift, sum.window.depth_shift);
	HG_WRITE(to->window.is_active, sum.window.is_active);
	return has_more;
}

void hg_publish_last(struct hg_worker *w, uint32_t instance_slot, enum hg_dir dir,
		     const struct hg_tree *uplink_tree)
{
	(void)publish(w, instance_slot, dir, uplink_tree);
}

static void publish_flow(struct hg_worker *w, uint32_t flow_idx)
{
	struct hg_flow *flow = &w->lane->flows[flow_idx];
	uint32_t slot = flow_idx / HG_N_DIRS;
	enum hg_dir dir = (enum hg_dir)(flow_idx % HG_N_DIRS);
	const struct hg_tree *uplink_tree = NULL;

	flow->is_dirty = false;
	if (slot < w->snapshot->n_instance_slots)
		uplink_tree = w->snapshot->instances[slot].uplink_tree;
	/* One that is gone has published its last, and its counters are the control lane's. */
	if (uplink_tree == NULL)
		return;
	if (publish(w, slot, dir, uplink_tree))
		hg_publish_mark(w, flow);
	if (dir == HG_OUT)
		hg_behave_look(w, slot);
}

void hg_publish_some(struct hg_worker *w)
{
	uint64_t asked = atomic_load_explicit(&w->publish_asked, memory_order_acquire);

	if (asked == w->publish_done)
		return;
	if (w->publishing == 0) {
		w->publishing = asked;
		w->publish_head = w->dirty_head;
		w->dirty_head = HG_SLOT_NONE;
	}
	for (unsigned i = 0; i < SLICE && w->publish_head != HG_SLOT_NONE; i++) {
		uint32_t flow_idx = w->publish_head;

		w->publish_head = w->lane->flows[flow_idx].next_dirty;
		publish_flow(w, flow_idx);
	}
	if (w->publish_head != HG_SLOT_NONE)
		return;
	/* Whoever asked since the first slice is still to be answered. */
	atomic_store_explicit(&w->publish_done, w->publishing, memory_order_release);
	w->publishing = 0;
}
