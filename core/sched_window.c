#include "core/sched_held.h"
#include "core/sched_share.h"

/* Of those held, how many are asked whether something else holds them too by now. */
#define ASK_BATCH 8u

static bool is_held_otherwise(const struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	const struct hg_node *node = &s->nodes[idx];
	const struct hg_tenant *t = &s->tenants[node->tenant_idx];
	uint32_t load = s->fifo.entries[s->queues[idx].head].load;

	if (is_parked(t->flags) || is_band_short(s, priority_of(node)))
		return true;
	if ((node->flags & CAPPED) && instance_wait(s, idx, load, now_ns).until_ns > now_ns)
		return true;
	return (t->flags & CAPPED) &&
	       tenant_wait(s, node->tenant_idx, load, now_ns).until_ns > now_ns;
}

bool hg_sched_is_held_by_window_alone(const struct hg_sched *s, hg_ns now_ns)
{
	uint32_t idx = s->side[ring_end(s)].held.after;

	for (unsigned i = 0; i < ASK_BATCH && idx != ring_end(s);
	     i++, idx = s->side[idx].held.after)
		if (!is_held_otherwise(s, idx, now_ns))
			return true;
	return idx != ring_end(s);
}

void hg_sched_window_opened(struct hg_sched *s, uint32_t instance_idx, hg_ns now_ns)
{
	s->is_window_full = false;
	if (is_parked_by_window(s->nodes[instance_idx].flags))
		hg_sched_unpark(s, instance_idx, now_ns);
}

void hg_sched_window_settled(struct hg_sched *s, const struct hg_tag *tags, unsigned n,
			     hg_ns now_ns)
{
	s->is_window_full = false;
	for (unsigned i = 0; i < n && s->n_held_by_window > 0; i++)
		hg_sched_window_opened(s, tags[i].instance_idx, now_ns);
}

void hg_sched_window_changed(struct hg_sched *s, hg_ns now_ns)
{
	s->is_window_full = false;
	while (s->n_held_by_window > 0)
		hg_sched_unpark(s, s->side[ring_end(s)].held.after, now_ns);
}

bool hg_sched_was_held_by_root(struct hg_sched *s)
{
	bool was_held = s->was_held_by_root;

	s->was_held_by_root = false;
	return was_held;
}

bool hg_sched_was_held_by_window(struct hg_sched *s)
{
	bool was_held = s->was_held_by_window;

	s->was_held_by_window = false;
	return was_held;
}
