/* What the trees allow: from the schedulers on to whoever is next. */
#include "dataplane/path_impl.h"

#include "dataplane/flight.h"
#include "dataplane/publish.h"
#include "dataplane/pushback.h"
#include "vswitch/ecn.h"

/* A standstill: of what a packet waited for too long, so that nothing is queued behind it (path.c), this does not count.
 * Shorter spells do: with those a queue catches up, and it drains in the same time. */
#define STANDSTILL_NS (10 * HG_NS_PER_MS)
/* Packets that one turn takes from one tree, so that no tree keeps the others waiting. */
#define SERVE_PKTS 128u
/* Wire bytes that one turn takes from one tree, for the same reason. */
#define SERVE_BYTES (128u * 1024u)
/* A card without a clock of its own (progress) that took nothing is asked again after this long. */
#define ASK_AGAIN_NS (100 * HG_NS_PER_US)

/* What packets of one instance waited that leave one behind the other: counted as often as it changes. */
static void note_waits(struct hg_worker *w, struct hg_flow *flow, const struct hg_sched_item *items,
		       unsigned n)
{
	hg_ns since_ns = ((const struct hg_pkt *)items[0].pkt)->queued_at_ns;
	unsigned first = 0;

	for (unsigned i = 1; i < n; i++) {
		const struct hg_pkt *pkt = items[i].pkt;

		if (pkt->queued_at_ns == since_ns)
			continue;
		hg_histogram_add(&flow->wait, w->now_ns - since_ns, i - first);
		since_ns = pkt->queued_at_ns;
		first = i;
	}
	hg_histogram_add(&flow->wait, w->now_ns - since_ns, n - first);
	flow->last_wait_ns =
		w->now_ns - since_ns - hg_absence_since(&w->absence, since_ns, STANDSTILL_NS);
}

/* Which of those that what an instance sends, or receives, may stand in; core/codel.h. */
static uint8_t queue_of(const struct hg_pkt *pkt, uint8_t class_idx, enum hg_dir dir)
{
	bool is_for_link = dir == HG_OUT && pkt->is_link;

	return (uint8_t)(class_idx << 1 | is_for_link);
}

/* Time in which nobody served its queue is not what it stood for: a queue that was left alone would say to its senders that
 * they are too fast. */
static bool is_mark_due(const struct hg_worker *w, const struct hg_tree *tree, struct hg_flow *flow,
			const struct hg_pkt *pkt)
{
	hg_ns stood_ns = w->now_ns - pkt->queued_at_ns;
	uint8_t class_idx;

	if (HG_LIKELY(!hg_codel_needs(&flow->codel, stood_ns)))
		return false;
	stood_ns -= hg_absence_since(&w->absence, pkt->queued_at_ns, HG_ABSENCE_MIN_NS);
	class_idx = hg_path_class_of(w, pkt, tree->dir);
	return hg_codel_is_due(&flow->codel, queue_of(pkt, class_idx, tree->dir), stood_ns,
			       hg_path_queued_bytes(tree, pkt, class_idx),
			       hg_absence_served(&w->absence, w->now_ns));
}

static void mark(struct hg_worker *w, const struct hg_tree *tree, struct hg_flow *flow,
		 struct hg_pkt *pkt)
{
	if (!is_mark_due(w, tree, flow, pkt) || hg_path_is_copy(pkt) || !hg_ecn_mark(pkt))
		return;
	hg_codel_marked(&flow->codel, hg_absence_served(&w->absence, w->now_ns));
	HG_COUNT(flow->marked_pkts, 1u);
}

/* Whether it is staged for the uplink here, with nothing to ask but where it goes. */
static bool is_for(const struct hg_worker *w, const struct hg_port *uplink,
		   const struct hg_pkt *pkt)
{
	return uplink != NULL && uplink->worker == w->idx && hg_path_out_port(w, pkt) == uplink;
}

/* Goes on with n packets, from 1, that the tree gave of one instance, one behind the other. */
static void hand_over(struct hg_worker *w, struct hg_tree *tree, struct hg_port *uplink,
		      const struct hg_sched_item *items, unsigned n)
{
	struct hg_flow *flow = hg_path_flow(w, items[0].instance_idx, tree->dir);
	uint64_t bytes = 0, parts = 0, link_bytes = 0;
	struct hg_pkt *pkts[HG_BURST_PKTS];
	uint32_t n_buffers = 0;
	bool is_all_for = true;

	note_waits(w, flow, items, n);
	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *pkt = pkts[i] = items[i].pkt;

		mark(w, tree, flow, pkt);
		pkt->is_counted = true;
		n_buffers += hg_path_n_buffers(pkt);
		bytes += items[i].wire_bytes;
		parts += items[i].parts;
		link_bytes += pkt->is_link ? items[i].wire_bytes : 0;
		is_all_for &= is_for(w, uplink, pkt);
	}
	flow->held_buffers -= n_buffers;
	HG_COUNT(flow->sent_bytes, bytes);
	HG_COUNT(flow->sent_pkts, parts);
	HG_COUNT(flow->link_bytes, link_bytes);
	if (HG_UNLIKELY(flow->is_full) && tree->dir == HG_OUT)
		hg_pushback_left(w, tree, flow, items[0].instance_idx);
	hg_publish_mark(w, flow);
	if (HG_LIKELY(is_all_for)) {
		hg_path_stage_all(w, uplink, pkts, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		hg_path_go_on(w, pkts[i], tree->dir);
}

/* All that the tree gave, by instance. Returns the bytes. */
static uint32_t hand_over_all(struct hg_worker *w, struct hg_tree *tree, struct hg_port *uplink,
			      const struct hg_sched_item *items, unsigned n)
{
	uint32_t n_bytes = 0;

	for (unsigned first = 0, i = 0; i < n; i++) {
		n_bytes += items[i].wire_bytes;
		if (i + 1 < n && items[i + 1].instance_idx == items[first].instance_idx)
			continue;
		hand_over(w, tree, uplink, items + first, i + 1 - first);
		first = i + 1;
	}
	return n_bytes;
}

static unsigned serve(struct hg_worker *w, struct hg_tree *tree)
{
	struct hg_port *uplink =
		tree->uplink_slot == HG_SLOT_NONE ? NULL : hg_path_port(w, tree->uplink_slot);
	struct hg_sched_item items[HG_BURST_PKTS];
	struct hg_sched_run list[HG_BURST_PKTS];
	struct hg_sched_runs runs = {.list = list, .most_bytes = hg_flight_run_bytes(tree)};
	uint32_t left_bytes = SERVE_BYTES;
	unsigned n_all = 0;

	if (tree->n_batch > 0)
		hg_path_push_batch(w, tree);
	/* What went by the tree. */
	if (uplink != NULL && uplink->n_staged > 0 && uplink->n_refused == 0)
		hg_path_transmit_port(w, uplink);
	while (n_all < SERVE_PKTS && left_bytes > 0) {
		uint32_t n_bytes;
		unsigned n;

		/* What the card refused goes first; until then the queue stands here. */
		if (uplink != NULL && uplink->n_staged > 0)
			break;
		if (tree->inflight != NULL)
			hg_flight_note_held(tree);
		runs.n = 0;
		n = hg_sched_pop_runs(tree->sched, items, HG_BURST_PKTS, left_bytes,
				      tree->is_on ? &runs : NULL, w->now_ns);
		if (runs.n > 0)
			hg_flight_tag(w, tree, items, &runs);
		n_bytes = hand_over_all(w, tree, uplink, items, n);
		n_all += n;
		left_bytes -= n_bytes < left_bytes ? n_bytes : left_bytes;
		if (uplink != NULL && n > 0)
			hg_path_transmit_port(w, uplink);
		if (n == 0)
			break;
	}
	return n_all;
}

unsigned hg_path_serve(struct hg_worker *w)
{
	unsigned n = 0;

	if (w->idx == w->lane->out_owner) {
		for (uint32_t i = 0; i < w->snapshot->n_uplink_trees; i++)
			n += serve(w, w->snapshot->uplink_trees[i]);
		n += serve(w, w->lane->local_tree);
	}
	if (w->idx == w->lane->in_owner)
		n += serve(w, w->lane->in_tree);
	return n;
}

static hg_ns link_next_at(const struct hg_worker *w, const struct hg_tree *tree)
{
	const struct hg_port *uplink = hg_path_port(w, tree->uplink_slot);
	hg_ns at_ns, card_at_ns = hg_flight_next_at(w, tree);

	/* The card is full: it says itself when it goes on, or is asked. */
	if (uplink != NULL && uplink->n_staged > 0)
		at_ns = uplink->is_ticking ? uplink->progress_at_ns : w->now_ns + ASK_AGAIN_NS;
	else
		at_ns = hg_sched_next_at(tree->sched, w->now_ns);
	return card_at_ns < at_ns ? card_at_ns : at_ns;
}

hg_ns hg_path_links_next_at(const struct hg_worker *w)
{
	hg_ns at_ns = HG_NEVER;

	if (w->idx != w->lane->out_owner)
		return HG_NEVER;
	for (uint32_t i = 0; i < w->snapshot->n_uplink_trees; i++) {
		hg_ns tree_at_ns = link_next_at(w, w->snapshot->uplink_trees[i]);

		at_ns = tree_at_ns < at_ns ? tree_at_ns : at_ns;
	}
	return at_ns;
}

hg_ns hg_path_next_at(const struct hg_worker *w)
{
	hg_ns at_ns = hg_path_links_next_at(w), tree_at_ns;

	if (w->idx == w->lane->out_owner) {
		tree_at_ns = hg_sched_next_at(w->lane->local_tree->sched, w->now_ns);
		at_ns = tree_at_ns < at_ns ? tree_at_ns : at_ns;
	}
	if (w->idx == w->lane->in_owner) {
		tree_at_ns = hg_sched_next_at(w->lane->in_tree->sched, w->now_ns);
		at_ns = tree_at_ns < at_ns ? tree_at_ns : at_ns;
	}
	return at_ns;
}

void hg_path_settle(struct hg_worker *w)
{
	if (w->idx == w->lane->out_owner) {
		for (uint32_t i = 0; i < w->snapshot->n_uplink_trees; i++)
			hg_path_push_batch(w, w->snapshot->uplink_trees[i]);
		hg_path_push_batch(w, w->lane->local_tree);
	}
	if (w->idx == w->lane->in_owner)
		hg_path_push_batch(w, w->lane->in_tree);
	hg_path_transmit(w);
}
