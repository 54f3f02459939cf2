#include "dataplane/path.h"

#include "dataplane/news.h"
#include "dataplane/publish.h"
#include "vswitch/checksum.h"
#include "vswitch/ecn.h"
#include "vswitch/parse.h"
#include "vswitch/segment.h"
#include "vswitch/vlan.h"
#include "vswitch/weigh.h"

#include <rte_ring.h>

/* A queue that stands this long says so to senders that listen (ECN). Above what a few segments of 64 KiB
 * take on a link of 1 Gbit/s, below what a person or a timer notices. */
#define MARK_AFTER_NS (2 * HG_NS_PER_MS)
/* Nothing is queued behind packets that wait longer: the least retransmission timeout of Linux, 200 ms,
 * has passed by then, and what is queued is sent a second time. */
#define HOLD_TIME_NS (200 * HG_NS_PER_MS)
/* Packets that one turn takes from one tree, so that no tree keeps the others waiting. */
#define SERVE_PKTS 128u
/* Bytes that one turn receives from one port, after which it asks for fewer frames: a container's kernel
 * hands over segments of 64 KiB, each of which takes the processor some 20 us to copy in and out, and a
 * link that waits for the end of the turn stands still. */
#define RECEIVE_BYTES (128u * 1024u)
#define RECEIVE_MIN_PKTS 2u
/* Wire bytes that one turn takes from one tree, for the same reason. */
#define SERVE_BYTES (128u * 1024u)
/* Wire bytes that are collected before they are queued: the bound of a hold queue does not see them, so
 * that it may be passed by so much, and one packet. */
#define BATCH_BYTES (64u * 1024u)
/* A card without a clock of its own (progress) that took nothing is asked again after this long. */
#define ASK_AGAIN_NS (100 * HG_NS_PER_US)

enum stage { STAGE_OUT, STAGE_IN, STAGE_TX };

static void stage(struct hg_worker *w, struct hg_pkt *pkt, enum stage stage);

/* ---- drops -------------------------------------------------------------------------------------- */

void hg_path_drop_flow(struct hg_worker *w, struct hg_flow *flow, struct hg_pkt *pkt,
		       enum hg_drop reason)
{
	HG_COUNT(flow->drops[reason], 1u);
	hg_pool_put(w->lane->pool, &pkt, 1);
}

static void drop_port(struct hg_worker *w, struct hg_port *port, struct hg_pkt *pkt,
		      enum hg_drop reason)
{
	if (port != NULL && port->worker == w->idx)
		HG_COUNT(port->drops[reason], 1u);
	else
		HG_COUNT(w->drops[reason], 1u);
	hg_pool_put(w->lane->pool, &pkt, 1);
}

static struct hg_port *port_of(const struct hg_worker *w, uint32_t slot)
{
	return slot < w->snapshot->n_port_slots ? w->snapshot->ports[slot] : NULL;
}

/* The port that the packet goes to; NULL: its device is missing, or its slot is someone else's by now. */
static struct hg_port *out_port_of(const struct hg_worker *w, const struct hg_pkt *pkt)
{
	uint32_t since = w->snapshot->port_since[pkt->out_port_idx];

	/* Generations are compared modulo 2^32. */
	if (HG_UNLIKELY((int32_t)(pkt->generation - since) < 0))
		return NULL;
	return w->snapshot->ports[pkt->out_port_idx];
}

static struct hg_flow *flow_of(const struct hg_worker *w, uint32_t instance_slot, enum hg_dir dir)
{
	return &w->lane->flows[instance_slot * HG_N_DIRS + dir];
}

/* ---- receive: parse and forward ----------------------------------------------------------------- */

/* Charges a copy to whoever sends or receives it, and sends it on its way to one port. */
static void send_to(struct hg_worker *w, struct hg_pkt *pkt, const struct hg_hop *hop)
{
	uint32_t from_instance = w->snapshot->port_instance[pkt->in_port_idx];
	uint32_t to_instance = w->snapshot->port_instance[hop->port_idx];

	if (!hg_vlan_apply(pkt, hop)) {
		drop_port(w, port_of(w, pkt->in_port_idx), pkt, HG_DROP_NO_BUFFER);
		return;
	}
	hg_weigh(pkt);
	pkt->out_port_idx = hop->port_idx;
	pkt->is_link = from_instance == HG_SLOT_NONE || to_instance == HG_SLOT_NONE;
	if (from_instance != HG_SLOT_NONE) {
		pkt->instance_idx = from_instance;
		stage(w, pkt, STAGE_OUT);
	} else {
		pkt->instance_idx = to_instance;
		stage(w, pkt, STAGE_IN);
	}
}

static void forward(struct hg_worker *w, struct hg_port *port, struct hg_pkt *pkt)
{
	struct hg_forward f;
	struct hg_hop hop;
	enum hg_drop reason;
	uint32_t n_copies = 0;

	if (!hg_forward(&w->snapshot->view, &w->fdb, pkt, port->slot, w->now_ns, &f, &reason)) {
		drop_port(w, port, pkt, reason);
		return;
	}
	if (w->lane->n_workers > 1)
		hg_news_tell(w, port, pkt);
	if (!hg_flood_may(&port->flood_limit, f.kind, w->now_ns)) {
		drop_port(w, port, pkt, hg_flood_reason(f.kind));
		return;
	}
	/* All destinations but the last get a copy. */
	while (hg_forward_next(&f, &hop)) {
		struct hg_pkt *to_send = hop.is_last ? pkt : hg_pkt_copy(w->lane->pool, pkt);

		if (to_send == NULL) {
			HG_COUNT(port->drops[HG_DROP_NO_BUFFER], 1u);
			continue;
		}
		send_to(w, to_send, &hop);
		n_copies++;
		if (hop.is_last)
			break;
	}
	if (n_copies > 1)
		hg_flood_charge(&port->flood_limit, f.kind, n_copies - 1u, w->now_ns);
}

/* Devices whose own time goes on (a modelled wire, a completion ring) are looked at when they say so. */
static void note_progress(struct hg_worker *w, struct hg_port *port)
{
	if (port->dev->driver->progress == NULL)
		return;
	port->progress_at_ns = port->dev->driver->progress(port->dev, w->now_ns);
	if (port->progress_at_ns != HG_NEVER && !port->is_ticking) {
		port->is_ticking = true;
		w->ticking[w->n_ticking++] = port;
	}
}

/* How many frames to ask a port for next: as many as a turn has time for, judged by the last burst. */
static void note_burst(struct hg_port *port, unsigned n, uint32_t n_bytes)
{
	if (n_bytes > RECEIVE_BYTES)
		port->n_ask =
			port->n_ask / 2 > RECEIVE_MIN_PKTS ? port->n_ask / 2 : RECEIVE_MIN_PKTS;
	else if (n == port->n_ask && n_bytes < RECEIVE_BYTES / 2)
		port->n_ask = port->n_ask * 2 < HG_BURST_PKTS ? port->n_ask * 2 : HG_BURST_PKTS;
}

unsigned hg_path_receive(struct hg_worker *w, struct hg_port *port)
{
	struct hg_pkt *pkts[HG_BURST_PKTS];
	unsigned n = port->dev->driver->rx(port->dev, pkts, port->n_ask, w->now_ns);
	uint32_t n_bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		enum hg_drop reason;

		n_bytes += pkts[i]->total_bytes;
		pkts[i]->in_port_idx = port->slot;
		pkts[i]->at_ns = w->now_ns;
		pkts[i]->generation = (uint32_t)w->snapshot->generation;
		pkts[i]->is_counted = false;
		if (!hg_parse(pkts[i], &reason)) {
			drop_port(w, port, pkts[i], reason);
			continue;
		}
		if (port->is_uplink) {
			hg_weigh(pkts[i]);
			HG_COUNT(port->rx_wire_bytes, pkts[i]->wire_bytes);
		}
		forward(w, port, pkts[i]);
	}
	note_burst(port, n, n_bytes);
	note_progress(w, port);
	return n;
}

/* ---- from stage to stage ------------------------------------------------------------------------ */

/* Buffers of a chain, near enough; the same number as long as it is queued. */
static uint32_t n_buffers(const struct hg_pkt *pkt)
{
	return 1u + pkt->total_bytes / HG_PKT_ROOM_BYTES;
}

static bool may_hold(const struct hg_worker *w, const struct hg_tree *tree,
		     const struct hg_flow *flow, const struct hg_pkt *pkt, enum hg_drop *ret_reason)
{
	uint32_t queued = hg_sched_instance_queued_bytes(tree->sched, pkt->instance_idx);

	if (queued == 0)
		return true;
	*ret_reason = HG_DROP_HOLD_BYTES;
	if (queued + pkt->wire_bytes >
	    w->snapshot->instances[pkt->instance_idx].hold_bytes[tree->dir])
		return false;
	/* Small frames weigh little and take a whole buffer each. */
	*ret_reason = HG_DROP_HOLD_PKTS;
	if (flow->held_buffers + n_buffers(pkt) > w->max_held_buffers)
		return false;
	*ret_reason = HG_DROP_HOLD_TIME;
	return flow->last_wait_ns <= HOLD_TIME_NS;
}

static struct hg_sched_item item_of(struct hg_pkt *pkt)
{
	return (struct hg_sched_item){
		.pkt = pkt,
		.instance_idx = pkt->instance_idx,
		.wire_bytes = pkt->wire_bytes & HG_WIRE_MAX_BYTES,
		.parts = pkt->parts & 0xfffu,
	};
}

static void push_batch(struct hg_worker *w, struct hg_tree *tree)
{
	unsigned n = hg_sched_push(tree->sched, tree->batch, tree->n_batch, w->now_ns);

	for (; n < tree->n_batch; n++) {
		struct hg_flow *flow = flow_of(w, tree->batch[n].instance_idx, tree->dir);

		flow->held_buffers -= n_buffers(tree->batch[n].pkt);
		hg_path_drop_flow(w, flow, tree->batch[n].pkt, HG_DROP_HOLD_PKTS);
	}
	tree->n_batch = tree->batch_bytes = 0;
}

static void count_sent(struct hg_flow *flow, struct hg_pkt *pkt)
{
	pkt->is_counted = true;
	HG_COUNT(flow->sent_bytes, pkt->wire_bytes);
	HG_COUNT(flow->sent_pkts, pkt->parts);
	if (pkt->is_link)
		HG_COUNT(flow->link_bytes, pkt->wire_bytes);
}

/* Behind its scheduler a packet goes to the card, or to whoever receives it. */
static void go_on(struct hg_worker *w, struct hg_pkt *pkt, enum hg_dir dir)
{
	if (dir == HG_IN || pkt->is_link) {
		stage(w, pkt, STAGE_TX);
		return;
	}
	/* Its port may have gone while it waited. */
	if (out_port_of(w, pkt) == NULL) {
		drop_port(w, NULL, pkt, HG_DROP_PORT_DOWN);
		return;
	}
	pkt->instance_idx = w->snapshot->port_instance[pkt->out_port_idx];
	stage(w, pkt, STAGE_IN);
}

static void schedule(struct hg_worker *w, struct hg_pkt *pkt, enum hg_dir dir)
{
	const struct hg_lane_instance *instance = &w->snapshot->instances[pkt->instance_idx];
	struct hg_flow *flow = flow_of(w, pkt->instance_idx, dir);
	struct hg_port *out = out_port_of(w, pkt);
	struct hg_tree *tree = dir == HG_IN ? w->lane->in_tree : w->lane->local_tree;
	enum hg_drop reason;

	if (instance->uplink_tree == NULL || out == NULL) {
		drop_port(w, NULL, pkt, out == NULL ? HG_DROP_PORT_DOWN : HG_DROP_REMOVED);
		return;
	}
	if (dir == HG_OUT && out->is_uplink)
		tree = instance->uplink_tree;
	HG_COUNT(flow->offered_bytes, pkt->wire_bytes);
	HG_COUNT(flow->offered_pkts, pkt->parts);
	if (pkt->is_link)
		HG_COUNT(flow->link_offered_bytes, pkt->wire_bytes);
	/* What is queued from before the mode changed goes first. */
	if (w->snapshot->is_observe &&
	    hg_sched_instance_queued_bytes(tree->sched, pkt->instance_idx) == 0) {
		/* What leaves by an uplink is counted when the card has taken it. */
		if (!out->is_uplink)
			count_sent(flow, pkt);
		go_on(w, pkt, dir);
		return;
	}
	if (!w->snapshot->is_observe && !may_hold(w, tree, flow, pkt, &reason)) {
		hg_path_drop_flow(w, flow, pkt, reason);
		return;
	}
	pkt->queued_at_ns = w->now_ns;
	flow->held_buffers += n_buffers(pkt);
	tree->batch[tree->n_batch++] = item_of(pkt);
	tree->batch_bytes += pkt->wire_bytes;
	hg_publish_mark(w, flow);
	if (tree->n_batch == HG_BURST_PKTS || tree->batch_bytes >= BATCH_BYTES)
		push_batch(w, tree);
}

static void stage_for_port(struct hg_worker *w, struct hg_pkt *pkt)
{
	struct hg_port *port = out_port_of(w, pkt);

	if (port == NULL) {
		drop_port(w, NULL, pkt, HG_DROP_PORT_DOWN);
		return;
	}
	pkt->link = NULL;
	if (port->staged_head == NULL)
		port->staged_head = pkt;
	else
		port->staged_tail->link = pkt;
	port->staged_tail = pkt;
	port->n_staged++;
	if (!port->is_staged) {
		port->is_staged = true;
		w->staged[w->n_staged++] = port;
	}
}

static void flush_outbox(struct hg_worker *w, uint32_t to)
{
	unsigned n = rte_ring_sp_enqueue_burst(w->lane->crossings[w->idx][to],
					       (void *const *)w->outbox[to], w->n_outbox[to], NULL);

	for (; n < w->n_outbox[to]; n++)
		drop_port(w, NULL, w->outbox[to][n], HG_DROP_RING_FULL);
	w->n_outbox[to] = 0;
	hg_worker_wake(w->lane->workers[to]);
}

static uint32_t owner_of(const struct hg_worker *w, const struct hg_pkt *pkt, enum stage stage)
{
	const struct hg_port *port;

	if (stage == STAGE_OUT)
		return w->lane->out_owner;
	if (stage == STAGE_IN)
		return w->lane->in_owner;
	port = out_port_of(w, pkt);
	return port == NULL ? w->idx : port->worker;
}

static void run_stage(struct hg_worker *w, struct hg_pkt *pkt, enum stage stage)
{
	if (stage == STAGE_TX)
		stage_for_port(w, pkt);
	else
		schedule(w, pkt, stage == STAGE_OUT ? HG_OUT : HG_IN);
}

/* Goes on with the packet here or passes it over to the worker whose stage it is. */
static void stage(struct hg_worker *w, struct hg_pkt *pkt, enum stage stage)
{
	uint32_t owner = owner_of(w, pkt, stage);

	if (HG_LIKELY(owner == w->idx)) {
		run_stage(w, pkt, stage);
		return;
	}
	pkt->stage = (uint8_t)stage;
	w->outbox[owner][w->n_outbox[owner]++] = pkt;
	if (w->n_outbox[owner] == HG_BURST_PKTS)
		flush_outbox(w, owner);
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
		unsigned n = HG_BURST_PKTS;

		/* All that lies there: the control lane counts on it when it gives slots away. */
		while (from != w->idx && n == HG_BURST_PKTS) {
			n = rte_ring_sc_dequeue_burst(w->lane->crossings[from][w->idx],
						      (void **)pkts, HG_BURST_PKTS, NULL);
			/* Nothing here may be older than what the packets were forwarded by. */
			hg_worker_catch_up(w);
			for (unsigned i = 0; i < n; i++)
				run_stage(w, pkts[i], (enum stage)pkts[i]->stage);
			n_all += n;
		}
	}
	return n_all;
}

/* ---- serve: what the trees allow ---------------------------------------------------------------- */

static void hand_over(struct hg_worker *w, struct hg_tree *tree, struct hg_pkt *pkt)
{
	struct hg_flow *flow = flow_of(w, pkt->instance_idx, tree->dir);

	flow->held_buffers -= n_buffers(pkt);
	flow->last_wait_ns = w->now_ns - pkt->queued_at_ns;
	hg_histogram_add(&flow->wait, flow->last_wait_ns, 1);
	if (flow->last_wait_ns > MARK_AFTER_NS && hg_ecn_mark(pkt))
		HG_COUNT(flow->marked_pkts, 1u);
	count_sent(flow, pkt);
	hg_publish_mark(w, flow);
	go_on(w, pkt, tree->dir);
}

static void transmit_port(struct hg_worker *w, struct hg_port *port);

static unsigned serve(struct hg_worker *w, struct hg_tree *tree)
{
	struct hg_port *uplink =
		tree->uplink_slot == HG_SLOT_NONE ? NULL : port_of(w, tree->uplink_slot);
	struct hg_sched_item items[HG_BURST_PKTS];
	uint32_t left_bytes = SERVE_BYTES;
	unsigned n_all = 0;

	if (tree->n_batch > 0)
		push_batch(w, tree);
	while (n_all < SERVE_PKTS && left_bytes > 0) {
		uint32_t n_bytes = 0;
		unsigned n;

		/* What the card refused goes first; until then the queue stands here. */
		if (uplink != NULL && uplink->n_staged > 0)
			break;
		n = hg_sched_pop(tree->sched, items, HG_BURST_PKTS, left_bytes, w->now_ns);
		for (unsigned i = 0; i < n; i++) {
			n_bytes += items[i].wire_bytes;
			hand_over(w, tree, items[i].pkt);
		}
		n_all += n;
		left_bytes -= n_bytes < left_bytes ? n_bytes : left_bytes;
		if (uplink != NULL && n > 0)
			transmit_port(w, uplink);
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
	const struct hg_port *uplink = port_of(w, tree->uplink_slot);

	/* The card is full: it says itself when it goes on, or is asked. */
	if (uplink != NULL && uplink->n_staged > 0)
		return uplink->is_ticking ? HG_NEVER : w->now_ns + ASK_AGAIN_NS;
	return hg_sched_next_at(tree->sched, w->now_ns);
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

/* ---- transmit ----------------------------------------------------------------------------------- */

static uint32_t gso_cap(const struct hg_pkt *pkt)
{
	switch (pkt->gso) {
	case HG_GSO_TCP4:
		return HG_DEV_TX_TSO4;
	case HG_GSO_TCP6:
		return HG_DEV_TX_TSO6;
	default:
		return HG_DEV_TX_USO;
	}
}

static struct hg_pkt *unstage(struct hg_port *port)
{
	struct hg_pkt *pkt = port->staged_head;

	port->staged_head = pkt->link;
	port->n_staged--;
	return pkt;
}

static void restage(struct hg_port *port, struct hg_pkt *const *pkts, unsigned n)
{
	while (n-- > 0) {
		pkts[n]->link = port->staged_head;
		if (port->staged_head == NULL)
			port->staged_tail = pkts[n];
		port->staged_head = pkts[n];
		port->n_staged++;
	}
}

/* Splits a segment that the device cannot take, in front of what else is staged. */
static void split(struct hg_worker *w, struct hg_port *port, struct hg_pkt *pkt)
{
	struct hg_pkt *head = NULL, *tail = NULL, *part;
	struct hg_segment segment;

	hg_segment_begin(&segment, pkt, w->lane->pool);
	while ((part = hg_segment_next(&segment)) != NULL) {
		part->link = NULL;
		if (tail == NULL)
			head = part;
		else
			tail->link = part;
		tail = part;
		port->n_staged++;
	}
	/* The rest is lost as if the last parts were dropped one by one. */
	if (!hg_segment_is_done(&segment))
		HG_COUNT(port->drops[HG_DROP_NO_BUFFER], 1u);
	hg_pool_put(w->lane->pool, &pkt, 1);
	if (tail == NULL)
		return;
	tail->link = port->staged_head;
	if (port->staged_head == NULL)
		port->staged_tail = tail;
	port->staged_head = head;
}

/* Brings a packet into a form that the device takes. Returns whether it is ready to go now. */
static bool fit(struct hg_worker *w, struct hg_port *port, struct hg_pkt *pkt)
{
	uint32_t frame_bytes =
		pkt->gso == HG_GSO_NONE
			? pkt->total_bytes - pkt->l3_offset
			: (uint32_t)(pkt->payload_offset - pkt->l3_offset) + pkt->gso_bytes;

	if (frame_bytes > port->dev->mtu) {
		drop_port(w, port, pkt, HG_DROP_TOO_BIG);
		return false;
	}
	if (pkt->gso != HG_GSO_NONE && !(port->dev->caps & gso_cap(pkt))) {
		split(w, port, pkt);
		return false;
	}
	if ((pkt->flags & HG_PKT_NEEDS_CSUM) && !(port->dev->caps & HG_DEV_TX_CSUM))
		hg_checksum_complete(pkt);
	return true;
}

/* Without a scheduler in between, a packet is sent when the card has taken it, or lost. `counted` has a bit
 * for each that came through a scheduler. */
static void count_observed(struct hg_worker *w, const struct hg_sched_item *items, unsigned n,
			   uint32_t counted)
{
	for (unsigned i = 0; i < n; i++) {
		struct hg_flow *flow = flow_of(w, items[i].instance_idx, HG_OUT);

		if (counted >> i & 1u)
			continue;
		HG_COUNT(flow->sent_bytes, items[i].wire_bytes);
		HG_COUNT(flow->link_bytes, items[i].wire_bytes);
		HG_COUNT(flow->sent_pkts, items[i].parts);
	}
}

/* Transmits one burst of what is staged. Returns whether the device took all of it. */
static bool transmit_burst(struct hg_worker *w, struct hg_port *port)
{
	struct hg_pkt *pkts[HG_BURST_PKTS];
	struct hg_sched_item items[HG_BURST_PKTS];
	uint64_t sent_bytes = 0;
	uint32_t counted = 0;
	unsigned n = 0, n_sent;

	while (n < HG_BURST_PKTS && port->staged_head != NULL) {
		struct hg_pkt *pkt = unstage(port);

		if (!fit(w, port, pkt))
			continue;
		/* Once the device has the packet it may not be looked at any more. */
		items[n] = item_of(pkt);
		counted |= (uint32_t)pkt->is_counted << n;
		pkts[n++] = pkt;
	}
	if (n == 0)
		return true;
	n_sent = port->dev->driver->tx(port->dev, pkts, n, w->now_ns);
	for (unsigned i = 0; i < n_sent; i++)
		sent_bytes += items[i].wire_bytes;
	HG_COUNT(port->tx_wire_bytes, sent_bytes);
	if (w->snapshot->is_observe && port->is_uplink)
		count_observed(w, items, n_sent, counted);
	if (n_sent == n)
		return true;
	restage(port, pkts + n_sent, n - n_sent);
	return false;
}

static void drop_staged(struct hg_worker *w, struct hg_port *port)
{
	while (port->staged_head != NULL) {
		struct hg_pkt *pkt = unstage(port);

		if (port->is_uplink)
			hg_path_drop_flow(w, flow_of(w, pkt->instance_idx, HG_OUT), pkt,
					  HG_DROP_RING_FULL);
		else
			drop_port(w, port, pkt, HG_DROP_RING_FULL);
	}
}

static void transmit_port(struct hg_worker *w, struct hg_port *port)
{
	bool took_all = true;

	while (port->staged_head != NULL && took_all)
		took_all = transmit_burst(w, port);
	/* Behind a scheduler a card's refusal makes the queue stand in the tree. Elsewhere there is
	 * nothing to wait for. */
	if (!took_all && (!port->is_uplink || w->snapshot->is_observe))
		drop_staged(w, port);
	note_progress(w, port);
}

void hg_path_transmit(struct hg_worker *w)
{
	uint32_t n_left = 0;

	for (uint32_t i = 0; i < w->n_staged; i++) {
		struct hg_port *port = w->staged[i];

		transmit_port(w, port);
		if (port->n_staged > 0)
			w->staged[n_left++] = port;
		else
			port->is_staged = false;
	}
	w->n_staged = n_left;
	for (uint32_t to = 0; to < w->lane->n_workers; to++) {
		if (w->n_outbox[to] > 0)
			flush_outbox(w, to);
	}
}

/* ---- another snapshot --------------------------------------------------------------------------- */

void hg_path_settle(struct hg_worker *w)
{
	if (w->idx == w->lane->out_owner) {
		for (uint32_t i = 0; i < w->snapshot->n_uplink_trees; i++)
			push_batch(w, w->snapshot->uplink_trees[i]);
		push_batch(w, w->lane->local_tree);
	}
	if (w->idx == w->lane->in_owner)
		push_batch(w, w->lane->in_tree);
	hg_path_transmit(w);
}

void hg_path_forget(struct hg_worker *w)
{
	uint32_t n_left = 0;

	for (uint32_t i = 0; i < w->n_staged; i++) {
		struct hg_port *port = w->staged[i];

		if (port_of(w, port->slot) == port) {
			w->staged[n_left++] = port;
			continue;
		}
		while (port->staged_head != NULL)
			drop_port(w, NULL, unstage(port), HG_DROP_PORT_DOWN);
		port->is_staged = false;
	}
	w->n_staged = n_left;
}
