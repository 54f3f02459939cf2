#include "dataplane/publish.h"

/* Flows copied in one housekeeping: some 50 ns each, so a slice stays below 5 us. */
#define SLICE 64u

bool hg_publish_is_due(const struct hg_worker *w)
{
	return atomic_load(&w->publish_asked) != w->publish_done;
}

/* Adds what one tree knows of the instance. Returns whether there may be more to tell later. */
static bool add_tree(struct hg_flow *flow, const struct hg_tree *tree, uint32_t slot, hg_ns now_ns,
		     uint64_t *held_ns)
{
	struct hg_sched_stats stats;

	hg_sched_sample_instance(tree->sched, slot, &stats, now_ns);
	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		held_ns[i] += stats.held_ns[i];
	flow->published.queued_bytes += stats.queued_bytes;
	if (tree->uplink_slot != HG_SLOT_NONE)
		flow->published.link_queued_bytes += stats.queued_bytes;
	if (stats.held_by != HG_LIMIT_NONE)
		flow->published.held_by = (uint8_t)stats.held_by;
	flow->published.is_active |= stats.is_active;
	return stats.queued_pkts > 0 || stats.is_active;
}

static void publish(struct hg_worker *w, uint32_t flow_idx)
{
	struct hg_flow *flow = &w->lane->flows[flow_idx];
	uint32_t slot = flow_idx / HG_N_DIRS;
	const struct hg_lane_instance *instance;
	uint64_t held_ns[HG_N_LIMITS] = {0};
	bool has_more;

	flow->is_dirty = false;
	flow->published.queued_bytes = flow->published.link_queued_bytes = 0;
	flow->published.held_by = HG_LIMIT_NONE;
	flow->published.is_active = false;
	if (slot >= w->snapshot->n_instance_slots)
		return;
	instance = &w->snapshot->instances[slot];
	if (instance->uplink_tree == NULL)
		return;
	if (flow_idx % HG_N_DIRS == HG_IN) {
		has_more = add_tree(flow, w->lane->in_tree, slot, w->now_ns, held_ns);
	} else {
		has_more = add_tree(flow, w->lane->local_tree, slot, w->now_ns, held_ns);
		has_more |= add_tree(flow, instance->uplink_tree, slot, w->now_ns, held_ns);
	}
	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		flow->published.held_ns[i] = held_ns[i];
	if (has_more)
		hg_publish_mark(w, flow);
}

void hg_publish_some(struct hg_worker *w)
{
	uint64_t asked = atomic_load_explicit(&w->publish_asked, memory_order_acquire);

	if (asked == w->publish_done)
		return;
	if (w->publish_head == HG_SLOT_NONE && !w->is_publishing) {
		w->publish_head = w->dirty_head;
		w->dirty_head = HG_SLOT_NONE;
		w->is_publishing = true;
	}
	for (unsigned i = 0; i < SLICE && w->publish_head != HG_SLOT_NONE; i++) {
		uint32_t flow_idx = w->publish_head;

		w->publish_head = w->lane->flows[flow_idx].next_dirty;
		publish(w, flow_idx);
	}
	if (w->publish_head == HG_SLOT_NONE) {
		w->is_publishing = false;
		atomic_store_explicit(&w->publish_done, asked, memory_order_release);
	}
}
