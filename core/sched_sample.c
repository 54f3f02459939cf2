#include "core/sched_account.h"

static void sample_instance_held(const struct hg_sched *s, uint32_t idx,
				 struct hg_sched_stats *ret_stats, hg_ns now_ns)
{
	const struct hg_node *node = &s->nodes[idx];
	const struct hg_node_cold *cold = &s->cold[idx];
	const struct hg_tenant *t = &s->tenants[node->tenant_idx];
	const bool waits = is_waiting(s, idx);
	hg_ns turn_ns = node->turn_ns + (waits ? now_ns : 0);
	hg_ns tenant_ns[2], parked_ns[2];

	for (unsigned by = 0; by < 2; by++) {
		bool runs = (node->flags & (PARKED | BY_WINDOW)) == PARKED &&
			    parked_by(node->flags) == by;

		parked_ns[by] = cold->parked_ns[by] + (runs ? now_ns : 0);
		tenant_ns[by] = cold->tenant_ns[by] + (waits ? tenant_parked_ns(t, by, now_ns) : 0);
	}
	ret_stats->held_ns[HG_LIMIT_MAX] = (uint64_t)parked_ns[0];
	ret_stats->held_ns[HG_LIMIT_PKTS] = (uint64_t)parked_ns[1];
	ret_stats->held_ns[HG_LIMIT_TENANT_MAX] = (uint64_t)tenant_ns[0];
	ret_stats->held_ns[HG_LIMIT_TENANT_PKTS] = (uint64_t)tenant_ns[1];
	if (s->window != NULL)
		ret_stats->held_ns[HG_LIMIT_WINDOW] =
			(uint64_t)(s->side[idx].window_ns +
				   (is_parked_by_window(node->flags) ? now_ns : 0));
	if (s->has_bands) {
		hg_ns behind_ns = s->side[idx].priority_ns;

		if (waits)
			behind_ns += tenant_behind_ns(s, t, priority_of(node), now_ns);
		ret_stats->held_ns[HG_LIMIT_PRIORITY] = (uint64_t)behind_ns;
		turn_ns -= behind_ns;
	}
	ret_stats->held_ns[HG_LIMIT_LINK] = (uint64_t)(turn_ns - tenant_ns[0] - tenant_ns[1]);
}

enum hg_limit hg_sched_instance_held_by(const struct hg_sched *s, uint32_t instance_idx)
{
	const struct hg_node *node = &s->nodes[instance_idx];
	const struct hg_tenant *t = &s->tenants[node->tenant_idx];

	if (s->queues[instance_idx].n_pkts == 0)
		return HG_LIMIT_NONE;
	if (is_parked_by_window(node->flags))
		return HG_LIMIT_WINDOW;
	if (is_parked(node->flags))
		return parked_by(node->flags) ? HG_LIMIT_PKTS : HG_LIMIT_MAX;
	if (is_parked(t->flags))
		return parked_by(t->flags) ? HG_LIMIT_TENANT_PKTS : HG_LIMIT_TENANT_MAX;
	return s->bands[priority_of(node)].is_behind ? HG_LIMIT_PRIORITY : HG_LIMIT_LINK;
}

void hg_sched_sample_instance(const struct hg_sched *s, uint32_t instance_idx,
			      struct hg_sched_stats *ret_stats, hg_ns now_ns)
{
	const struct hg_node *node = &s->nodes[instance_idx];
	const struct hg_node_cold *cold = &s->cold[instance_idx];
	const struct hg_queue *queue = &s->queues[instance_idx];
	hg_ns idle_after_ns = (hg_ns)node->idle_after_us * HG_NS_PER_US;

	*ret_stats = (struct hg_sched_stats){
		.sent_bytes = node->sent_bytes,
		.sent_pkts = cold->sent_pkts + node->new_pkts,
		.guaranteed_bytes = cold->guaranteed_bytes + node->new_guaranteed_bytes,
		.queued_bytes = queued_bytes(queue),
		.queued_pkts = queue->n_pkts,
		.held_by = hg_sched_instance_held_by(s, instance_idx),
		.is_active = queue->n_pkts > 0 || now_ns - queue->emptied_at_ns < idle_after_ns,
	};
	sample_instance_held(s, instance_idx, ret_stats, now_ns);
}

void hg_sched_sample_tenant(const struct hg_sched *s, uint32_t tenant_idx,
			    struct hg_sched_stats *ret_stats, hg_ns now_ns)
{
	const struct hg_tenant *t = &s->tenants[tenant_idx];

	*ret_stats = (struct hg_sched_stats){
		.sent_bytes = t->sent_bytes,
		.sent_pkts = t->sent_pkts + t->new_pkts,
		.guaranteed_bytes = t->guaranteed_bytes + t->new_guaranteed_bytes,
		.held_by = (enum hg_limit)t->held_by,
		.is_active = t->n_backlogged > 0 || now_ns - t->emptied_at_ns < t->idle_after_ns,
	};
	for (uint32_t i = 0, n = t->n_instances; n > 0 && i < s->max_instances; i++) {
		const struct hg_node *node = &s->nodes[i];

		if (!(node->flags & IS_SET) || node->tenant_idx != tenant_idx)
			continue;
		ret_stats->queued_bytes += queued_bytes(&s->queues[i]);
		ret_stats->queued_pkts += s->queues[i].n_pkts;
		n--;
	}
	for (unsigned i = 0; i < HG_N_LIMITS - 1u; i++)
		ret_stats->held_ns[i + 1u] = (uint64_t)t->held_ns[i];
	if (t->held_by != HG_LIMIT_NONE) {
		hg_ns behind_ns = tenant_priority_ns(s, t, now_ns);

		ret_stats->held_ns[t->held_by] += (uint64_t)(now_ns - t->held_since_ns - behind_ns);
		ret_stats->held_ns[HG_LIMIT_PRIORITY] += (uint64_t)behind_ns;
	}
	if (t->held_by == HG_LIMIT_LINK && s->bands[t->held_band].is_behind)
		ret_stats->held_by = HG_LIMIT_PRIORITY;
}
