#include "dataplane/path_impl.h"

#include "dataplane/news.h"
#include "dataplane/publish.h"
#include "dataplane/pushback.h"
#include "dataplane/run.h"
#include "dataplane/telling.h"
#include "dataplane/watching.h"
#include "vswitch/parse.h"
#include "vswitch/piece.h"
#include "vswitch/vlan.h"
#include "vswitch/weigh.h"

#include <rte_ring.h>

/* Nothing is queued behind packets that wait longer: the least retransmission timeout of Linux, 200 ms,
 * has passed by then, and what is queued is sent a second time. Only while it is served: after a standstill of the host,
 * or a restart, the queue goes on as fast as before, and what comes then need not wait for so long. */
#define HOLD_TIME_NS (200 * HG_NS_PER_MS)
/* Bytes that one turn receives from one port, after which it asks for fewer frames: a container's kernel
 * hands over segments of 64 KiB, each of which takes the processor some 20 us to copy in and out, and a
 * link that waits for the end of the turn stands still. */
#define RECEIVE_BYTES (128u * 1024u)
#define RECEIVE_MIN_PKTS 2u

/* Of so many ports all that forwarding reads stays in the processor's second cache. */
#define PORTS_NEAR 1024u

/* ---- drops -------------------------------------------------------------------------------------- */

void hg_path_drop_flow(struct hg_worker *w, struct hg_flow *flow, struct hg_pkt *pkt,
		       enum hg_drop reason)
{
	HG_COUNT(flow->drops[reason], 1u);
	hg_pool_put(w->lane->pool, &pkt, 1);
}

void hg_path_drop_port(struct hg_worker *w, struct hg_port *port, struct hg_pkt *pkt,
		       enum hg_drop reason)
{
	if (port != NULL && port->worker == w->idx)
		HG_COUNT(port->drops[reason], 1u);
	else
		HG_COUNT(w->drops[reason], 1u);
	hg_pool_put(w->lane->pool, &pkt, 1);
}

/* ---- receive: parse and forward ----------------------------------------------------------------- */

/* What is the same for the packets of a burst, one after another. */
struct burst {
	struct hg_port *port;
	struct hg_run run;
	/* Where the last one goes, for those whose Ethernet header says the same; data NULL: none can be reused. */
	struct hg_hop hop;
	const struct hg_pkt *last;
	/* From an uplink: those that know where they leave, collected until what their receivers need is asked for. */
	struct hg_pkt *on[HG_BURST_PKTS];
	unsigned n_on;
};

/* Asks for what the receivers of packets from an uplink need, all of them before the first is waited for: neighbours in
 * a burst may be for thousands of instances, of which nothing is near. */
static void expect_receivers(struct hg_worker *w, struct hg_pkt *const *pkts, unsigned n)
{
	const struct hg_snapshot *snapshot = w->snapshot;
	uint32_t instances[HG_BURST_PKTS], last = HG_SLOT_NONE;
	unsigned n_instances = 0;

	for (unsigned i = 0; i < n; i++) {
		const uint32_t port_idx = pkts[i]->out_port_idx;
		const uint32_t instance_idx = snapshot->port_instance[port_idx];

		if (port_idx == last || instance_idx == HG_SLOT_NONE)
			continue;
		last = port_idx;
		instances[n_instances++] = instance_idx;
		HG_PREFETCH(&snapshot->instances[instance_idx]);
		HG_PREFETCH(hg_path_flow(w, instance_idx, HG_IN));
		if (snapshot->ports[port_idx] != NULL)
			HG_PREFETCH(snapshot->ports[port_idx]);
	}
	if (n_instances > 1 && w->lane->in_owner == w->idx)
		hg_sched_expect(w->lane->in_tree->sched, instances, n_instances);
}

void hg_path_expect(const struct hg_worker *w, const struct hg_port *port)
{
	const struct hg_snapshot *snapshot = w->snapshot;
	const uint32_t instance_idx = snapshot->port_instance[port->slot];

	HG_PREFETCH(port->dev);
	HG_PREFETCH((const char *)port->dev + HG_CACHE_LINE_BYTES);
	HG_PREFETCH_TO_READ(&snapshot->switch_ports[port->slot]);
	HG_PREFETCH_TO_READ(&snapshot->switch_ports[port->slot].n_addresses);
	if (instance_idx == HG_SLOT_NONE)
		return;
	HG_PREFETCH_TO_READ(&snapshot->instances[instance_idx]);
	HG_PREFETCH(hg_path_flow(w, instance_idx, HG_OUT));
}

void hg_path_expect_next(const struct hg_worker *w, const struct hg_port *port)
{
	const struct hg_snapshot *snapshot = w->snapshot;
	const uint32_t instance_idx = snapshot->port_instance[port->slot];
	const struct hg_lane_instance *instance;

	HG_PREFETCH_TO_READ(snapshot->switch_ports[port->slot].addresses);
	if (instance_idx == HG_SLOT_NONE || w->lane->out_owner != w->idx)
		return;
	instance = &snapshot->instances[instance_idx];
	if (instance->uplink_tree != NULL)
		hg_sched_expect_of(instance->uplink_tree->sched, instance_idx,
				   instance->tenant_slot);
}

/* Goes on with what is collected. */
static void send_collected(struct hg_worker *w, struct burst *burst)
{
	expect_receivers(w, burst->on, burst->n_on);
	for (unsigned i = 0; i < burst->n_on; i++)
		hg_run_add(w, &burst->run, burst->on[i]);
	burst->n_on = 0;
}

/* Sends a packet on its way to one port. */
static void send_to(struct hg_worker *w, struct burst *burst, struct hg_pkt *pkt,
		    const struct hg_hop *hop)
{
	if (HG_UNLIKELY(hop->tag != HG_TAG_KEEP) && !hg_vlan_apply(pkt, hop)) {
		hg_path_drop_port(w, burst->port, pkt, HG_DROP_NO_BUFFER);
		return;
	}
	hg_weigh(pkt);
	pkt->out_port_idx = hop->port_idx;
	if (!burst->port->is_uplink) {
		hg_run_add(w, &burst->run, pkt);
		return;
	}
	burst->on[burst->n_on++] = pkt;
	if (burst->n_on == HG_BURST_PKTS)
		send_collected(w, burst);
}

/* To one port that is known, or to each of those that it is flooded to. */
static void send_to_all(struct hg_worker *w, struct burst *burst, struct hg_pkt *pkt,
			struct hg_forward *f)
{
	struct hg_port *port = burst->port;
	struct hg_hop hop;
	uint32_t n_copies = 0;

	/* All destinations but the last get a copy. */
	while (hg_forward_next(f, &hop)) {
		struct hg_pkt *to_send = hop.is_last ? pkt : hg_pkt_copy(w->lane->pool, pkt);

		if (to_send == NULL) {
			HG_COUNT(port->drops[HG_DROP_NO_BUFFER], 1u);
			continue;
		}
		n_copies++;
		if (hop.is_last && f->kind == HG_FORWARD_UNICAST && hop.tag == HG_TAG_KEEP) {
			burst->hop = hop;
			burst->last = pkt;
		}
		send_to(w, burst, to_send, &hop);
		if (hop.is_last)
			break;
	}
	if (n_copies > 1)
		hg_flood_charge(&port->flood_limit, f->kind, n_copies - 1u, w->now_ns);
}

static void forward(struct hg_worker *w, struct burst *burst, struct hg_pkt *pkt)
{
	struct hg_port *port = burst->port;
	struct hg_forward f;
	enum hg_drop reason;

	if (burst->last != NULL && hg_forward_is_like(burst->last, pkt)) {
		if (hg_forward_accept_like(&w->snapshot->view, pkt, port->slot, &reason))
			send_to(w, burst, pkt, &burst->hop);
		else
			hg_path_drop_port(w, port, pkt, reason);
		return;
	}
	burst->last = NULL;
	if (!hg_forward(&w->snapshot->view, &w->fdb, pkt, port->slot, w->now_ns, &f, &reason)) {
		hg_path_drop_port(w, port, pkt, reason);
		return;
	}
	if (w->lane->n_workers > 1)
		hg_news_tell(w, port, pkt);
	if (!hg_flood_may(&port->flood_limit, &w->snapshot->switch_ports[port->slot].limits, f.kind,
			  w->now_ns)) {
		hg_path_drop_port(w, port, pkt, hg_flood_reason(f.kind));
		return;
	}
	send_to_all(w, burst, pkt, &f);
}

/* How many frames to ask a port for next: as many as a turn has time for, judged by the last burst. */
static void note_burst(struct hg_port *port, unsigned n, uint32_t n_bytes)
{
	unsigned n_ask = port->n_ask;

	if (n_bytes > RECEIVE_BYTES)
		n_ask = n_ask / 2 > RECEIVE_MIN_PKTS ? n_ask / 2 : RECEIVE_MIN_PKTS;
	else if (n == n_ask && n_bytes < RECEIVE_BYTES / 2)
		n_ask = n_ask * 2 < HG_BURST_PKTS ? n_ask * 2 : HG_BURST_PKTS;
	port->n_ask = (uint16_t)n_ask;
}

/* Parses what a port received, and keeps what is no lie. Returns how many are left; adds their bytes. */
static unsigned parse_all(struct hg_worker *w, struct hg_port *port, struct hg_pkt **pkts,
			  unsigned n, uint32_t *n_bytes)
{
	unsigned n_left = 0;

	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *pkt = pkts[i];
		enum hg_drop reason;

		*n_bytes += pkt->total_bytes;
		pkt->in_port_idx = port->slot;
		pkt->at_ns = w->now_ns;
		pkt->generation = (uint32_t)w->snapshot->generation;
		pkt->is_counted = false;
		if (hg_parse(pkt, &reason))
			pkts[n_left++] = pkt;
		else
			hg_path_drop_port(w, port, pkt, reason);
	}
	return n_left;
}

static void weigh_all(struct hg_port *uplink, struct hg_pkt *const *pkts, unsigned n)
{
	uint64_t wire_bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		hg_weigh(pkts[i]);
		wire_bytes += pkts[i]->wire_bytes;
	}
	HG_COUNT(uplink->rx_wire_bytes, wire_bytes);
}

unsigned hg_path_receive(struct hg_worker *w, struct hg_port *port)
{
	struct hg_pkt *pkts[HG_BURST_PKTS];
	unsigned n = port->dev->driver->rx(port->dev, pkts, port->n_ask, w->now_ns), n_on = n;
	struct burst burst;
	uint32_t n_bytes = 0;

	burst.port = port;
	burst.last = NULL;
	burst.n_on = 0;

	hg_run_begin(&burst.run, w->snapshot->port_instance[port->slot]);
	if (HG_UNLIKELY(hg_watching(port) != 0))
		n_on = hg_watching_received(w, port, pkts, n);
	n_on = parse_all(w, port, pkts, n_on, &n_bytes);
	if (port->is_uplink) {
		weigh_all(port, pkts, n_on);
		if (n_on > 1 && w->snapshot->n_port_slots > PORTS_NEAR)
			hg_forward_expect(&w->snapshot->view, &w->fdb, pkts, n_on, port->slot,
					  w->now_ns);
	}
	for (unsigned i = 0; i < n_on; i++)
		forward(w, &burst, pkts[i]);
	if (burst.n_on > 0)
		send_collected(w, &burst);
	hg_run_end(w, &burst.run);
	note_burst(port, n, n_bytes);
	hg_path_note_progress(w, port);
	hg_telling_note(w, port);
	return n;
}

/* ---- from stage to stage ------------------------------------------------------------------------ */

uint32_t hg_path_queued_bytes(const struct hg_tree *tree, const struct hg_pkt *pkt,
			      uint8_t class_idx)
{
	struct hg_sched_class_stats stats;

	if (HG_UNLIKELY(class_idx != HG_CLASS_NONE) &&
	    hg_sched_sample_class(tree->sched, pkt->instance_idx, class_idx, &stats))
		return stats.queued_bytes;
	return hg_sched_instance_queued_bytes(tree->sched, pkt->instance_idx);
}

static bool may_hold(struct hg_worker *w, const struct hg_tree *tree, struct hg_flow *flow,
		     const struct hg_pkt *pkt, uint8_t class_idx, enum hg_drop *ret_reason)
{
	uint32_t queued = hg_path_queued_bytes(tree, pkt, class_idx);

	if (queued == 0)
		return true;
	if (tree->dir == HG_OUT && hg_pushback_note(w, tree, flow, pkt))
		return true;
	*ret_reason = HG_DROP_HOLD_BYTES;
	if (queued + pkt->wire_bytes >
	    w->snapshot->instances[pkt->instance_idx].hold_bytes[tree->dir])
		return false;
	/* Small frames weigh little and take a whole buffer each. */
	*ret_reason = HG_DROP_HOLD_PKTS;
	if (flow->held_buffers + hg_path_n_buffers(pkt) > w->max_held_buffers)
		return false;
	*ret_reason = HG_DROP_HOLD_TIME;
	return flow->last_wait_ns <= HOLD_TIME_NS;
}

void hg_path_push_batch(struct hg_worker *w, struct hg_tree *tree)
{
	unsigned n = hg_sched_push_classed(tree->sched, tree->batch, tree->batch_classes,
					   tree->n_batch, w->now_ns);

	for (; n < tree->n_batch; n++) {
		struct hg_flow *flow = hg_path_flow(w, tree->batch[n].instance_idx, tree->dir);

		flow->held_buffers -= hg_path_n_buffers(tree->batch[n].pkt);
		hg_path_drop_flow(w, flow, tree->batch[n].pkt,
				  hg_path_full(tree->batch[n].pkt, HG_DROP_HOLD_PKTS));
	}
	tree->n_batch = tree->batch_bytes = 0;
}

/* Behind its scheduler a packet goes to the card, or to whoever receives it. */
void hg_path_go_on(struct hg_worker *w, struct hg_pkt *pkt, enum hg_dir dir)
{
	if (dir == HG_IN || pkt->is_link) {
		hg_path_stage(w, pkt, HG_STAGE_TX);
		return;
	}
	/* Its port may have gone while it waited. */
	if (hg_path_out_port(w, pkt) == NULL) {
		hg_path_drop_port(w, NULL, pkt, HG_DROP_PORT_DOWN);
		return;
	}
	pkt->instance_idx = w->snapshot->port_instance[pkt->out_port_idx];
	hg_path_stage(w, pkt, HG_STAGE_IN);
}

/* Queues a packet for the tree, with the time it says. */
static void queue(struct hg_worker *w, struct hg_tree *tree, struct hg_flow *flow,
		  struct hg_pkt *pkt, uint8_t class_idx)
{
	flow->held_buffers += hg_path_n_buffers(pkt);
	tree->batch_classes[tree->n_batch] = class_idx;
	tree->batch[tree->n_batch++] = hg_path_item(pkt);
	tree->batch_bytes += pkt->wire_bytes;
	hg_publish_mark(w, flow);
	if (tree->n_batch == HG_BURST_PKTS || tree->batch_bytes >= HG_PATH_BATCH_BYTES)
		hg_path_push_batch(w, tree);
}

static void hold(struct hg_worker *w, struct hg_tree *tree, struct hg_flow *flow,
		 struct hg_pkt *pkt, uint8_t class_idx)
{
	pkt->queued_at_ns = w->now_ns;
	queue(w, tree, flow, pkt, class_idx);
}

/* Queues a segment in pieces. */
static HG_NOINLINE void hold_cut(struct hg_worker *w, struct hg_tree *tree, struct hg_flow *flow,
				 struct hg_pkt *segment, const struct hg_cut *cut)
{
	uint8_t class_idx = hg_path_class_of(w, segment, tree->dir);
	uint32_t n_parts = hg_piece_parts(segment, cut->wire_bytes), n_pieces = 0;

	n_parts = n_parts < cut->parts ? n_parts : cut->parts;
	while (segment != NULL) {
		hold(w, tree, flow, hg_piece_take(&segment, w->lane->pool, n_parts), class_idx);
		n_pieces++;
	}
	HG_COUNT(flow->cut_segments, 1u);
	HG_COUNT(flow->cut_pieces, n_pieces);
}

static void schedule(struct hg_worker *w, struct hg_pkt *pkt, enum hg_dir dir)
{
	const struct hg_lane_instance *instance = &w->snapshot->instances[pkt->instance_idx];
	struct hg_flow *flow = hg_path_flow(w, pkt->instance_idx, dir);
	struct hg_port *out = hg_path_out_port(w, pkt);
	struct hg_tree *tree = dir == HG_IN ? w->lane->in_tree : w->lane->local_tree;
	const struct hg_cut *cut = &instance->cut[dir];
	enum hg_drop reason;
	uint8_t class_idx;

	if (instance->uplink_tree == NULL || out == NULL) {
		hg_path_drop_port(w, NULL, pkt, out == NULL ? HG_DROP_PORT_DOWN : HG_DROP_REMOVED);
		return;
	}
	if (dir == HG_OUT && out->is_uplink) {
		tree = instance->uplink_tree;
		cut = &instance->link_cut;
	}
	class_idx = hg_path_class_of(w, pkt, dir);
	HG_COUNT(flow->offered_bytes, pkt->wire_bytes);
	HG_COUNT(flow->offered_pkts, pkt->parts);
	if (pkt->is_link)
		HG_COUNT(flow->link_offered_bytes, pkt->wire_bytes);
	/* What is queued from before the mode changed goes first. */
	if (w->snapshot->is_observe &&
	    hg_sched_instance_queued_bytes(tree->sched, pkt->instance_idx) == 0) {
		/* What leaves by an uplink is counted when the card has taken it. */
		if (!out->is_uplink)
			hg_path_count_sent(flow, pkt);
		hg_path_go_on(w, pkt, dir);
		return;
	}
	if (!w->snapshot->is_observe && !may_hold(w, tree, flow, pkt, class_idx, &reason)) {
		hg_path_drop_flow(w, flow, pkt, hg_path_full(pkt, reason));
		return;
	}
	if (HG_UNLIKELY(hg_path_is_too_long(pkt, cut)))
		hold_cut(w, tree, flow, pkt, cut);
	else
		hold(w, tree, flow, pkt, class_idx);
}

void hg_path_stage_all(struct hg_worker *w, struct hg_port *port, struct hg_pkt *const *pkts,
		       unsigned n)
{
	for (unsigned i = 0; i + 1 < n; i++)
		pkts[i]->link = pkts[i + 1];
	pkts[n - 1]->link = NULL;
	if (port->staged_head == NULL)
		port->staged_head = pkts[0];
	else
		port->staged_tail->link = pkts[0];
	port->staged_tail = pkts[n - 1];
	port->n_staged += n;
	if (!port->is_staged) {
		port->is_staged = true;
		w->staged[w->n_staged++] = port;
		/* What a device counts lies behind what it is. */
		HG_PREFETCH(port->dev);
		HG_PREFETCH((const char *)port->dev + HG_CACHE_LINE_BYTES);
	}
}

static void stage_for_port(struct hg_worker *w, struct hg_pkt *pkt)
{
	struct hg_port *port = hg_path_out_port(w, pkt);

	if (port == NULL)
		hg_path_drop_port(w, NULL, pkt, HG_DROP_PORT_DOWN);
	else
		hg_path_stage_all(w, port, &pkt, 1);
}

void hg_path_put_back(struct hg_worker *w, struct hg_pkt *pkt, enum hg_stage stage)
{
	enum hg_dir dir = stage == HG_STAGE_IN ? HG_IN : HG_OUT;
	struct hg_tree *tree = dir == HG_IN ? w->lane->in_tree : w->lane->local_tree;

	if (stage == HG_STAGE_TX) {
		stage_for_port(w, pkt);
		return;
	}
	if (dir == HG_OUT && w->snapshot->port_instance[pkt->out_port_idx] == HG_SLOT_NONE)
		tree = w->snapshot->instances[pkt->instance_idx].uplink_tree;
	queue(w, tree, hg_path_flow(w, pkt->instance_idx, dir), pkt, hg_path_class_of(w, pkt, dir));
}

struct hg_pkt *hg_path_unstage(struct hg_worker *w)
{
	while (w->n_staged > 0) {
		struct hg_port *port = w->staged[0];
		struct hg_pkt *pkt = port->staged_head;

		if (pkt != NULL) {
			port->staged_head = pkt->link;
			port->n_staged--;
			return pkt;
		}
		port->is_staged = false;
		port->n_refused = 0;
		w->staged[0] = w->staged[--w->n_staged];
	}
	return NULL;
}

void hg_path_flush_outbox(struct hg_worker *w, uint32_t to)
{
	unsigned n = rte_ring_sp_enqueue_burst(w->lane->crossings[w->idx][to],
					       (void *const *)w->outbox[to], w->n_outbox[to], NULL);

	for (; n < w->n_outbox[to]; n++)
		hg_path_drop_port(w, NULL, w->outbox[to][n],
				  hg_path_full(w->outbox[to][n], HG_DROP_RING_FULL));
	w->n_outbox[to] = 0;
	hg_worker_wake(w->lane->workers[to]);
}

uint32_t hg_path_owner(const struct hg_worker *w, const struct hg_pkt *pkt, enum hg_stage stage)
{
	const struct hg_port *port;

	if (stage == HG_STAGE_OUT)
		return w->lane->out_owner;
	if (stage == HG_STAGE_IN)
		return w->lane->in_owner;
	port = hg_path_out_port(w, pkt);
	return port == NULL ? w->idx : port->worker;
}

static void run_stage(struct hg_worker *w, struct hg_pkt *pkt, enum hg_stage stage)
{
	if (stage == HG_STAGE_TX)
		stage_for_port(w, pkt);
	else
		schedule(w, pkt, stage == HG_STAGE_OUT ? HG_OUT : HG_IN);
}

void hg_path_stage(struct hg_worker *w, struct hg_pkt *pkt, enum hg_stage stage)
{
	uint32_t owner = hg_path_owner(w, pkt, stage);

	if (HG_LIKELY(owner == w->idx)) {
		run_stage(w, pkt, stage);
		return;
	}
	pkt->stage = (uint8_t)stage;
	w->outbox[owner][w->n_outbox[owner]++] = pkt;
	if (w->n_outbox[owner] == HG_BURST_PKTS)
		hg_path_flush_outbox(w, owner);
}

void hg_path_send_own(struct hg_worker *w, struct hg_pkt *pkt)
{
	/* Nothing counts it as sent by an instance, and no window takes it. */
	pkt->is_counted = true;
	pkt->is_link = true;
	pkt->at_ns = w->now_ns;
	pkt->generation = (uint32_t)w->snapshot->generation;
	hg_path_stage(w, pkt, HG_STAGE_TX);
}

void hg_path_send_copy(struct hg_worker *w, struct hg_pkt *copy)
{
	uint32_t to = w->lane->in_owner;

	/* Its destination may have gone since it was made. */
	if (hg_path_out_port(w, copy) == NULL) {
		hg_path_drop_port(w, NULL, copy, HG_DROP_PORT_DOWN);
		return;
	}
	/* The other half of the ring is for packets that are not copies. */
	if (to != w->idx &&
	    rte_ring_free_count(w->lane->crossings[w->idx][to]) < HG_CROSSING_PKTS / 2u) {
		hg_path_drop_port(w, NULL, copy, HG_DROP_MIRROR_FULL);
		return;
	}
	copy->instance_idx = w->snapshot->port_instance[copy->out_port_idx];
	hg_path_stage(w, copy, HG_STAGE_IN);
}

bool hg_path_has_crossing(const struct hg_worker *w)
{
	for (uint32_t from = 0; from < w->lane->n_workers; from++) {
		if (from != w->idx && !rte_ring_empty(w->lane->crossings[from][w->idx]))
			return true;
	}
	return false;
}

unsigned hg_path_take_over(struct hg_worker *w)
{
	struct hg_pkt *pkts[HG_BURST_PKTS];
	unsigned n_all = 0;

	for (uint32_t from = 0; from < w->lane->n_workers; from++) {
		struct rte_ring *ring = w->lane->crossings[from][w->idx];
		unsigned n_left = from == w->idx ? 0 : rte_ring_count(ring);

		/* All that lies there: the control lane counts on it when it gives slots away. What comes meanwhile is for
		 * the next turn. */
		while (n_left > 0) {
			unsigned n = rte_ring_sc_dequeue_burst(
				ring, (void **)pkts,
				n_left < HG_BURST_PKTS ? n_left : HG_BURST_PKTS, NULL);

			/* Nothing here may be older than what the packets were forwarded by. */
			hg_worker_catch_up(w);
			for (unsigned i = 0; i < n; i++)
				run_stage(w, pkts[i], (enum hg_stage)pkts[i]->stage);
			n_all += n;
			n_left -= n;
		}
	}
	return n_all;
}
