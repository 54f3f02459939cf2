/* Counters on their way up: what the workers wrote, as the control lane asks for it. */
#include "dataplane/behave.h"
#include "dataplane/buffers.h"
#include "dataplane/build.h"
#include "dataplane/counters.h"
#include "dataplane/dp.h"

#include <rte_mempool.h>

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Longest that publishing may take; a worker that is held up longer publishes by the next time. */
#define PUBLISH_WITHIN_NS (20 * HG_NS_PER_MS)

void hg_counters_add(struct hg_retired *sum, const struct hg_flow *flow)
{
	sum->offered_bytes += HG_READ(flow->offered_bytes);
	sum->offered_pkts += HG_READ(flow->offered_pkts);
	sum->link_offered_bytes += HG_READ(flow->link_offered_bytes);
	sum->sent_bytes += HG_READ(flow->sent_bytes);
	sum->sent_pkts += HG_READ(flow->sent_pkts);
	sum->link_bytes += HG_READ(flow->link_bytes);
	sum->marked_pkts += HG_READ(flow->marked_pkts);
	sum->cut_segments += HG_READ(flow->cut_segments);
	sum->cut_pieces += HG_READ(flow->cut_pieces);
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		sum->drops[i] += HG_READ(flow->drops[i]);
	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		sum->held_ns[i] += HG_READ(flow->published.held_ns[i]);
}

void hg_counters_clear(struct hg_flow *flow)
{
	enum { behind_at = offsetof(struct hg_flow, is_full) };

	static_assert(behind_at == offsetof(struct hg_flow, is_dirty) + sizeof(flow->is_dirty),
		      "of the worker's own nothing is touched");
	memset(flow, 0, offsetof(struct hg_flow, is_dirty));
	memset((char *)flow + behind_at, 0, offsetof(struct hg_flow, next_dirty) - behind_at);
}

void hg_counters_add_port(struct hg_port_counts *sum, const struct hg_port *port,
			  const struct hg_dev_stats *stats)
{
	sum->rx_pkts += stats->rx_pkts;
	sum->rx_bytes += stats->rx_bytes;
	sum->tx_pkts += stats->tx_pkts;
	sum->tx_bytes += stats->tx_bytes;
	sum->tx_wire_bytes += HG_READ(port->tx_wire_bytes);
	sum->rx_wire_bytes += HG_READ(port->rx_wire_bytes);
	sum->n_introductions += HG_READ(port->introduction.n_sent);
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		sum->drops[i] += stats->drops[i] + HG_READ(port->drops[i]);
}

bool hg_dp_publish(struct hg_dp *dp)
{
	hg_ns until_ns = hg_dp_clock_ns() + PUBLISH_WITHIN_NS;
	struct timespec pause = {.tv_nsec = 50 * HG_NS_PER_US};
	bool is_done = true;

	for (uint32_t i = 0; i < dp->lane.n_workers; i++) {
		atomic_fetch_add(&dp->lane.workers[i]->publish_asked, 1u);
		hg_worker_wake(dp->lane.workers[i]);
	}
	for (uint32_t i = 0; i < dp->lane.n_workers; i++) {
		struct hg_worker *w = dp->lane.workers[i];

		while (atomic_load(&w->publish_done) != atomic_load(&w->publish_asked) &&
		       hg_dp_clock_ns() < until_ns)
			(void)nanosleep(&pause, NULL);
		is_done &= atomic_load(&w->publish_done) == atomic_load(&w->publish_asked);
	}
	return is_done;
}

static void set_sums(struct hg_dp_flow *ret, const struct hg_retired *sum)
{
	ret->offered_bytes = sum->offered_bytes;
	ret->offered_pkts = sum->offered_pkts;
	ret->link_offered_bytes = sum->link_offered_bytes;
	ret->sent_bytes = sum->sent_bytes;
	ret->sent_pkts = sum->sent_pkts;
	ret->link_bytes = sum->link_bytes;
	ret->marked_pkts = sum->marked_pkts;
	ret->cut_segments = sum->cut_segments;
	ret->cut_pieces = sum->cut_pieces;
	memcpy(ret->drops, sum->drops, sizeof(ret->drops));
	memcpy(ret->held_ns, sum->held_ns, sizeof(ret->held_ns));
	ret->wait_ns = 0;
	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		ret->wait_ns += ret->held_ns[i];
}

static void add_published(struct hg_dp_flow *ret, const struct hg_flow *flow)
{
	uint8_t held_by = HG_READ(flow->published.held_by);

	ret->queued_bytes += HG_READ(flow->published.queued_bytes);
	ret->link_queued_bytes += HG_READ(flow->published.link_queued_bytes);
	ret->is_active |= HG_READ(flow->published.is_active);
	if (held_by != HG_LIMIT_NONE)
		ret->held_by = (enum hg_limit)held_by;
}

/* What the uplink's card has of an instance. */
static void add_window(const struct hg_dp *dp, uint32_t slot, struct hg_dp_flow *ret)
{
	const struct hg_window_row *row =
		&dp->lane.flows[slot * HG_N_DIRS + HG_OUT].published.window;
	const struct hg_tree *tree = dp->snapshot->instances[slot].uplink_tree;

	if (tree == NULL || tree->inflight == NULL)
		return;
	ret->window = (struct hg_window_row){
		.outstanding_bytes = HG_READ(row->outstanding_bytes),
		.outstanding_pkts = HG_READ(row->outstanding_pkts),
		.share_bytes = HG_READ(row->share_bytes),
		.depth_shift = HG_READ(row->depth_shift),
		.is_active = HG_READ(row->is_active),
	};
	hg_histogram_read(hg_inflight_card(tree->inflight, slot), &ret->card);
}

/* How it behaves, and the maximum that follows from it. */
static void add_behaviour(const struct hg_dp *dp, uint32_t slot, struct hg_dp_flow *ret)
{
	const struct hg_behaviour *behaviour =
		&dp->lane.flows[slot * HG_N_DIRS + HG_OUT].published.behaviour;

	ret->behaviour = (struct hg_behaviour){
		.level = HG_READ(behaviour->level),
		.n_over = HG_READ(behaviour->n_over),
		.n_inside = HG_READ(behaviour->n_inside),
		.reason = HG_READ(behaviour->reason),
		.n_changes = HG_READ(behaviour->n_changes),
	};
	ret->max_in_force_bytes_per_s =
		hg_behave_max_bytes_per_s(&dp->snapshot->instances[slot], &ret->behaviour);
}

void hg_dp_sample_instance(struct hg_dp *dp, uint32_t instance_idx, enum hg_dir dir,
			   struct hg_dp_flow *ret)
{
	const struct hg_flow *flow =
		&dp->lane.flows[dp->instances.slots[instance_idx] * HG_N_DIRS + dir];
	struct hg_retired sum = {0};

	*ret = (struct hg_dp_flow){.at_ns = hg_dp_clock_ns()};
	hg_counters_add(&sum, flow);
	set_sums(ret, &sum);
	add_published(ret, flow);
	hg_histogram_read(&flow->wait, &ret->wait);
	if (dir == HG_OUT) {
		add_window(dp, dp->instances.slots[instance_idx], ret);
		add_behaviour(dp, dp->instances.slots[instance_idx], ret);
	}
}

void hg_dp_sample_tenant(struct hg_dp *dp, uint32_t tenant_idx, enum hg_dir dir,
			 struct hg_dp_flow *ret)
{
	struct hg_retired sum = dp->retired[dp->tenants.slots[tenant_idx] * HG_N_DIRS + dir];

	*ret = (struct hg_dp_flow){.at_ns = hg_dp_clock_ns()};
	for (uint32_t at = dp->first_of_tenant[tenant_idx];
	     at < dp->first_of_tenant[tenant_idx + 1u]; at++) {
		uint32_t slot = dp->instances.slots[dp->by_tenant[at]];
		const struct hg_flow *flow = &dp->lane.flows[slot * HG_N_DIRS + dir];

		hg_counters_add(&sum, flow);
		add_published(ret, flow);
	}
	set_sums(ret, &sum);
}

static enum hg_port_link link_of(const struct hg_dp *dp, uint32_t slot, char *ret_reason,
				 size_t size, struct hg_dev_state *ret_dev,
				 struct hg_dev_stats *ret_stats)
{
	const struct hg_port_state *state = &dp->states[slot];

	*ret_dev = (struct hg_dev_state){0};
	*ret_stats = (struct hg_dev_stats){0};
	if (state->port == NULL) {
		snprintf(ret_reason, size, "%s", dp->reasons[slot]);
		return HG_PORT_MISSING;
	}
	state->port->dev->driver->sample(state->port->dev, ret_dev, ret_stats);
	snprintf(ret_reason, size, "%s", ret_dev->reason);
	if (ret_dev->link == HG_DEV_GONE)
		return HG_PORT_MISSING;
	return ret_dev->link == HG_DEV_UP ? HG_PORT_UP : HG_PORT_DOWN;
}

static struct hg_port_counts counts_of(const struct hg_port_state *state,
				       const struct hg_dev_stats *stats)
{
	struct hg_port_counts counts = state->before;

	if (state->port != NULL)
		hg_counters_add_port(&counts, state->port, stats);
	return counts;
}

void hg_dp_sample_port(struct hg_dp *dp, uint32_t port_idx, struct hg_dp_port_sample *ret)
{
	uint32_t slot = dp->ports.slots[port_idx];
	struct hg_dev_state dev;
	struct hg_dev_stats stats;
	struct hg_port_counts counts;

	*ret = (struct hg_dp_port_sample){0};
	ret->link = link_of(dp, slot, ret->reason, sizeof(ret->reason), &dev, &stats);
	memcpy(ret->last_reason, dev.last_reason, sizeof(ret->last_reason));
	ret->last_reason_at_ns = dev.last_reason_at_ns;
	memcpy(ret->n_refused_guests, dev.n_refused, sizeof(ret->n_refused_guests));
	counts = counts_of(&dp->states[slot], &stats);
	ret->rx_pkts = counts.rx_pkts;
	ret->rx_bytes = counts.rx_bytes;
	ret->tx_pkts = counts.tx_pkts;
	ret->tx_bytes = counts.tx_bytes;
	ret->n_introductions = counts.n_introductions;
	memcpy(ret->drops, counts.drops, sizeof(ret->drops));
	if (dp->states[slot].port != NULL) {
		const struct hg_fdb *fdb = &dp->lane.workers[dp->states[slot].port->worker]->fdb;

		ret->n_learned = hg_fdb_learned_of(fdb, slot);
		ret->n_refused = hg_fdb_refused_of(fdb, slot);
	}
}

/* What instances have waiting for the uplink. */
static uint64_t queued_for(const struct hg_dp *dp, uint32_t uplink_idx)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < dp->desired.n_instances; i++) {
		uint32_t tenant = dp->desired.instances[i].tenant_idx;
		const struct hg_flow *flow =
			&dp->lane.flows[dp->instances.slots[i] * HG_N_DIRS + HG_OUT];

		if (dp->desired.tenants[tenant].uplink_idx == uplink_idx)
			bytes += HG_READ(flow->published.link_queued_bytes);
	}
	return bytes;
}

void hg_dp_sample_uplink(struct hg_dp *dp, uint32_t uplink_idx, struct hg_dp_uplink_sample *ret)
{
	uint32_t slot = dp->uplinks.slots[uplink_idx];
	const struct hg_port_state *state = &dp->states[slot];
	struct hg_dev_state dev;
	struct hg_dev_stats stats;
	struct hg_port_counts counts;

	*ret = (struct hg_dp_uplink_sample){0};
	ret->link = link_of(dp, slot, ret->reason, sizeof(ret->reason), &dev, &stats);
	counts = counts_of(state, &stats);
	ret->tx_pkts = counts.tx_pkts;
	ret->rx_pkts = counts.rx_pkts;
	ret->tx_wire_bytes = counts.tx_wire_bytes;
	ret->rx_wire_bytes = counts.rx_wire_bytes;
	memcpy(ret->drops, counts.drops, sizeof(ret->drops));
	ret->card_pkts = dev.ring_used_pkts;
	ret->card_ring_pkts = dev.ring_size_pkts;
	ret->card_bytes = dev.ring_used_bytes;
	ret->queued_bytes = queued_for(dp, uplink_idx);
	ret->depth_cfg =
		hg_build_depth_cfg(&dp->desired.uplinks[uplink_idx], (uint32_t)dev.ring_size_pkts);
	ret->is_paced = true;
	if (dp->uplink_trees[slot]->inflight != NULL) {
		hg_inflight_sample(dp->uplink_trees[slot]->inflight, &ret->inflight);
		ret->is_paced = HG_READ(dp->uplink_trees[slot]->is_paced);
	}
}

unsigned hg_dp_sample_depth(struct hg_dp *dp, uint32_t uplink_idx, uint64_t first,
			    struct hg_depth_sample *ret_samples, unsigned n, uint64_t *ret_first)
{
	struct hg_inflight *inflight = dp->uplink_trees[dp->uplinks.slots[uplink_idx]]->inflight;
	struct hg_inflight_stats stats;
	unsigned n_got = 0;

	*ret_first = first;
	if (inflight == NULL)
		return 0;
	hg_inflight_sample(inflight, &stats);
	if (stats.n_samples > HG_INFLIGHT_SAMPLES && first < stats.n_samples - HG_INFLIGHT_SAMPLES)
		first = stats.n_samples - HG_INFLIGHT_SAMPLES;
	for (uint64_t number = first; n_got < n && number < stats.n_samples; number++) {
		if (hg_inflight_depth_sample(inflight, number, &ret_samples[n_got])) {
			if (n_got++ == 0)
				*ret_first = number;
		} else if (n_got > 0) {
			break; /* only what follows one another can be counted from the first */
		}
	}
	return n_got;
}

void hg_dp_sample_host(struct hg_dp *dp, struct hg_dp_host_sample *ret)
{
	*ret = (struct hg_dp_host_sample){
		.at_ns = hg_dp_clock_ns(),
		.generation = dp->snapshot->generation,
		.free_buffers = hg_buffers_free(dp->lane.pool),
		.n_buffers = hg_buffers_size(dp->lane.pool),
	};
	memcpy(ret->drops, dp->drops_before, sizeof(ret->drops));
	for (uint32_t i = 0; i < dp->lane.n_workers; i++) {
		const struct hg_worker *w = dp->lane.workers[i];

		ret->turns += HG_READ(w->turns);
		ret->busy_ns += HG_READ(w->busy_ns);
		ret->sleeps += HG_READ(w->sleeps);
		for (unsigned j = 0; j < HG_N_DROPS; j++)
			ret->drops[j] += HG_READ(w->drops[j]);
	}
}
