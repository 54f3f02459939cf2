#include "dataplane/behave.h"

/* Publishing is asked for once a second, now a little earlier and now a little later: what is short of an
 * interval by less than this part of it counts as one. */
#define SHORT_PART 8
/* From one end of the levels to the other, and to the end of a row that had begun. */
#define STEPS_MAX ((HG_BEHAVIOUR_LEVELS - HG_BEHAVIOUR_RELAXED + 1) * HG_BEHAVIOUR_AFTER)

static void set_depth(struct hg_tree *uplink_tree, uint32_t slot, const struct hg_behaviour *b)
{
	if (uplink_tree->inflight != NULL)
		hg_window_set_depth_shift(hg_inflight_window(uplink_tree->inflight), slot,
					  hg_behaviour_depth_shift(b));
}

static void set_rate(struct hg_worker *w, struct hg_tree *uplink_tree, uint32_t slot,
		     uint64_t max_bytes_per_s)
{
	hg_caps_tighten_instance(w->lane->caps[HG_OUT], slot, max_bytes_per_s, w->now_ns);
	hg_sched_refresh_instance(uplink_tree->sched, slot, w->now_ns);
	hg_sched_refresh_instance(w->lane->local_tree->sched, slot, w->now_ns);
}

static void tell(struct hg_published *to, const struct hg_behaviour *b)
{
	HG_WRITE(to->behaviour.level, b->level);
	HG_WRITE(to->behaviour.reason, b->reason);
	HG_WRITE(to->behaviour.n_over, b->n_over);
	HG_WRITE(to->behaviour.n_inside, b->n_inside);
	HG_WRITE(to->behaviour.n_changes, b->n_changes);
}

/* Since the last time; a flow that moved to another tree counts from zero again. */
static hg_ns since(uint64_t *before, uint64_t now)
{
	hg_ns difference = now < *before ? (hg_ns)now : (hg_ns)(now - *before);

	*before = now;
	return difference;
}

/* Judges the time since the last, as so many intervals. Returns whether the level changed. */
static bool judge(struct hg_flow *flow, hg_ns length_ns, hg_ns interval_ns)
{
	const uint64_t *held_ns = flow->published.held_ns;
	struct hg_behave *behave = &flow->behave;
	hg_ns n = length_ns > interval_ns ? length_ns / interval_ns : 1;
	struct hg_behaviour_sample sample = {
		.length_ns = length_ns,
		.held_own_ns =
			since(&behave->held_own_ns, held_ns[HG_LIMIT_MAX] + held_ns[HG_LIMIT_PKTS]),
		.held_tenant_ns =
			since(&behave->held_tenant_ns,
			      held_ns[HG_LIMIT_TENANT_MAX] + held_ns[HG_LIMIT_TENANT_PKTS]),
	};
	bool has_changed = false;

	for (hg_ns i = 0; i < n && i < STEPS_MAX; i++)
		has_changed |= hg_behaviour_step(&behave->behaviour, &sample);
	return has_changed;
}

void hg_behave_look(struct hg_worker *w, uint32_t instance_slot)
{
	const struct hg_lane_instance *instance = &w->snapshot->instances[instance_slot];
	struct hg_flow *flow = &w->lane->flows[instance_slot * HG_N_DIRS + HG_OUT];
	hg_ns interval_ns = w->lane->behaviour_interval_ns;
	hg_ns length_ns = w->now_ns - flow->behave.at_ns;
	bool is_first = flow->behave.at_ns == 0, has_changed;

	if (instance->follow == HG_FOLLOW_NONE ||
	    length_ns < interval_ns - interval_ns / SHORT_PART)
		return;
	flow->behave.at_ns = w->now_ns;
	/* Where the account begins. */
	if (is_first)
		length_ns = 0;
	has_changed = judge(flow, length_ns, interval_ns);
	tell(&flow->published, &flow->behave.behaviour);
	if (!has_changed)
		return;
	set_depth(instance->uplink_tree, instance_slot, &flow->behave.behaviour);
	set_rate(w, instance->uplink_tree, instance_slot,
		 hg_behave_max_bytes_per_s(instance, &flow->behave.behaviour));
}

void hg_behave_reset(struct hg_worker *w, uint32_t instance_slot, struct hg_tree *uplink_tree)
{
	struct hg_flow *flow = &w->lane->flows[instance_slot * HG_N_DIRS + HG_OUT];

	flow->behave = (struct hg_behave){0};
	tell(&flow->published, &flow->behave.behaviour);
	set_depth(uplink_tree, instance_slot, &flow->behave.behaviour);
}

void hg_behave_restore(struct hg_worker *w, uint32_t instance_slot, struct hg_tree *uplink_tree,
		       const struct hg_behaviour *behaviour, hg_ns ago_ns)
{
	const struct hg_lane_instance *instance = &w->snapshot->instances[instance_slot];
	struct hg_flow *flow = &w->lane->flows[instance_slot * HG_N_DIRS + HG_OUT];

	if (ago_ns < 0 || instance->follow == HG_FOLLOW_NONE)
		return;
	flow->behave.behaviour = *behaviour;
	flow->behave.at_ns = w->now_ns - ago_ns;
	tell(&flow->published, behaviour);
	set_depth(uplink_tree, instance_slot, behaviour);
	set_rate(w, uplink_tree, instance_slot, hg_behave_max_bytes_per_s(instance, behaviour));
}
