#include "dataplane/run.h"

#include "dataplane/flight.h"
#include "dataplane/publish.h"
#include "dataplane/pushback.h"

static bool has_too_long(const struct hg_run *run, const struct hg_cut *cut)
{
	if (HG_LIKELY(run->parts == run->n))
		return false;
	for (uint32_t i = 0; i < run->n; i++)
		if (hg_path_is_too_long(run->pkts[i], cut))
			return true;
	return false;
}

/* As hg_path_stage() and the hand-over behind the scheduler would count them, packet by packet, all in one turn. */
static void count(struct hg_worker *w, struct hg_flow *flow, const struct hg_run *run, bool is_link)
{
	HG_COUNT(flow->offered_bytes, run->bytes);
	HG_COUNT(flow->offered_pkts, run->parts);
	HG_COUNT(flow->sent_bytes, run->bytes);
	HG_COUNT(flow->sent_pkts, run->parts);
	if (is_link) {
		HG_COUNT(flow->link_offered_bytes, run->bytes);
		HG_COUNT(flow->link_bytes, run->bytes);
	}
	flow->last_wait_ns = 0;
	hg_histogram_add(&flow->wait, 0, run->n);
	hg_publish_mark(w, flow);
}

/* Takes the run past a scheduler. Returns whether it went; if not, nothing has changed. */
static bool pass(struct hg_worker *w, const struct hg_run *run, struct hg_tree *tree,
		 const struct hg_cut *cut, uint32_t instance_idx, bool is_link)
{
	const struct hg_lane_instance *instance = &w->snapshot->instances[instance_idx];
	struct hg_flow *flow = hg_path_flow(w, instance_idx, tree->dir);

	if (w->snapshot->is_observe || tree->n_batch > 0 || instance->uplink_tree == NULL ||
	    instance->classes[tree->dir] != NULL || has_too_long(run, cut) ||
	    !hg_sched_pass(tree->sched, instance_idx, run->loads, run->n, w->now_ns))
		return false;
	count(w, flow, run, is_link);
	if (HG_UNLIKELY(flow->is_full) && tree->dir == HG_OUT)
		hg_pushback_left(w, tree, flow, instance_idx);
	return true;
}

/* What this instance sends on this host, or receives. */
static bool pass_local(struct hg_worker *w, const struct hg_run *run, uint32_t instance_idx,
		       enum hg_dir dir, bool is_link)
{
	return pass(w, run, dir == HG_IN ? w->lane->in_tree : w->lane->local_tree,
		    &w->snapshot->instances[instance_idx].cut[dir], instance_idx, is_link);
}

static void stage_each(struct hg_worker *w, const struct hg_run *run, enum hg_stage stage)
{
	for (uint32_t i = 0; i < run->n; i++)
		hg_path_stage(w, run->pkts[i], stage);
}

static void set_instance(const struct hg_run *run, uint32_t instance_idx, bool is_link)
{
	for (uint32_t i = 0; i < run->n; i++) {
		run->pkts[i]->instance_idx = instance_idx;
		run->pkts[i]->is_link = is_link;
	}
}

static void set_passed(const struct hg_worker *w, const struct hg_run *run, uint32_t instance_idx,
		       bool is_link)
{
	for (uint32_t i = 0; i < run->n; i++) {
		struct hg_pkt *pkt = run->pkts[i];

		pkt->instance_idx = instance_idx;
		pkt->is_link = is_link;
		pkt->queued_at_ns = w->now_ns;
		pkt->is_counted = true;
	}
}

/* Who receives it. */
static void go_in(struct hg_worker *w, const struct hg_run *run, uint32_t to_instance, bool is_link)
{
	struct hg_port *port = w->snapshot->ports[run->out_port_idx];

	if (port == NULL || w->lane->in_owner != w->idx ||
	    !pass_local(w, run, to_instance, HG_IN, is_link)) {
		set_instance(run, to_instance, is_link);
		stage_each(w, run, HG_STAGE_IN);
		return;
	}
	set_passed(w, run, to_instance, is_link);
	if (port->worker == w->idx)
		hg_path_stage_all(w, port, run->pkts, run->n);
	else
		stage_each(w, run, HG_STAGE_TX);
}

/* Takes the run past the scheduler of its uplink, on to the card. Returns whether it went; if not, nothing has
 * changed. What the card refused goes first: until then the queue stands in the tree. */
static bool pass_uplink(struct hg_worker *w, struct hg_run *run)
{
	const uint32_t instance_idx = run->from_instance;
	const struct hg_lane_instance *instance = &w->snapshot->instances[instance_idx];
	struct hg_port *uplink = w->snapshot->ports[run->out_port_idx];
	struct hg_tree *tree = instance->uplink_tree;

	if (tree == NULL || uplink == NULL || w->lane->out_owner != w->idx ||
	    uplink->worker != w->idx || uplink->n_refused > 0)
		return false;
	if (tree->inflight != NULL)
		hg_flight_note_held(tree);
	if (!pass(w, run, tree, &instance->link_cut, instance_idx, /* is_link= */ true))
		return false;
	set_passed(w, run, instance_idx, /* is_link= */ true);
	if (uplink->tree == tree && hg_path_transmit_run(w, uplink, run))
		return true;
	if (tree->is_on)
		hg_flight_tag_run(w, tree, run);
	hg_path_stage_all(w, uplink, run->pkts, run->n);
	if (uplink->n_staged >= HG_BURST_PKTS)
		hg_path_transmit_port(w, uplink);
	return true;
}

/* Whether a run may be queued for its uplink without a look at each of its packets: what is collected at once is not
 * held against the bound of the queue behind which it stands, and that is empty. */
static bool may_queue(struct hg_worker *w, const struct hg_run *run,
		      const struct hg_lane_instance *instance, struct hg_tree *tree)
{
	if (tree == NULL || w->snapshot->ports[run->out_port_idx] == NULL ||
	    w->lane->out_owner != w->idx || w->snapshot->is_observe ||
	    instance->classes[HG_OUT] != NULL || run->bytes > HG_PATH_BATCH_BYTES ||
	    has_too_long(run, &instance->link_cut))
		return false;
	if (tree->n_batch + run->n > HG_BURST_PKTS)
		hg_path_push_batch(w, tree);
	return hg_sched_instance_queued_bytes(tree->sched, run->from_instance) == 0;
}

/* Queues a run for its uplink, as hg_path_stage() would packet by packet. Returns whether it did; if not, nothing has
 * changed. */
static bool queue_for_uplink(struct hg_worker *w, const struct hg_run *run)
{
	const struct hg_lane_instance *instance = &w->snapshot->instances[run->from_instance];
	struct hg_flow *flow = hg_path_flow(w, run->from_instance, HG_OUT);
	struct hg_tree *tree = instance->uplink_tree;
	uint32_t n_buffers = 0;

	if (!may_queue(w, run, instance, tree))
		return false;
	for (uint32_t i = 0; i < run->n; i++) {
		struct hg_pkt *pkt = run->pkts[i];

		pkt->queued_at_ns = w->now_ns;
		n_buffers += hg_path_n_buffers(pkt);
		tree->batch_classes[tree->n_batch] = HG_CLASS_NONE;
		tree->batch[tree->n_batch++] = (struct hg_sched_item){
			.pkt = pkt, .instance_idx = run->from_instance, .load = run->loads[i]};
	}
	tree->batch_bytes += run->bytes;
	flow->held_buffers += n_buffers;
	HG_COUNT(flow->offered_bytes, run->bytes);
	HG_COUNT(flow->offered_pkts, run->parts);
	HG_COUNT(flow->link_offered_bytes, run->bytes);
	hg_publish_mark(w, flow);
	if (tree->n_batch == HG_BURST_PKTS || tree->batch_bytes >= HG_PATH_BATCH_BYTES)
		hg_path_push_batch(w, tree);
	return true;
}

/* Whose turn at the uplink is still to come. */
static void go_out(struct hg_worker *w, const struct hg_run *run)
{
	set_instance(run, run->from_instance, /* is_link= */ true);
	if (!queue_for_uplink(w, run))
		stage_each(w, run, HG_STAGE_OUT);
}

void hg_run_end(struct hg_worker *w, struct hg_run *run)
{
	uint32_t to_instance = HG_SLOT_NONE;

	if (run->n == 0)
		return;
	to_instance = w->snapshot->port_instance[run->out_port_idx];
	if (run->from_instance == HG_SLOT_NONE) {
		go_in(w, run, to_instance, /* is_link= */ true);
	} else if (to_instance == HG_SLOT_NONE) {
		if (!pass_uplink(w, run))
			go_out(w, run);
	} else if (w->snapshot->ports[run->out_port_idx] == NULL || w->lane->out_owner != w->idx ||
		   !pass_local(w, run, run->from_instance, HG_OUT, /* is_link= */ false)) {
		set_instance(run, run->from_instance, /* is_link= */ false);
		stage_each(w, run, HG_STAGE_OUT);
	} else {
		go_in(w, run, to_instance, /* is_link= */ false);
	}
	hg_run_begin(run, run->from_instance);
}
