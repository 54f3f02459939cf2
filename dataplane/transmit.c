/* Staged packets, on to their devices. */
#include "dataplane/path_impl.h"

#include "dataplane/flight.h"
#include "dataplane/run.h"
#include "dataplane/watching.h"
#include "vswitch/checksum.h"
#include "vswitch/segment.h"

void hg_path_note_progress(struct hg_worker *w, struct hg_port *port)
{
	if (port->dev->driver->progress == NULL)
		return;
	port->progress_at_ns = port->dev->driver->progress(port->dev, w->now_ns);
	if (port->progress_at_ns != HG_NEVER && !port->is_ticking) {
		port->is_ticking = true;
		w->ticking[w->n_ticking++] = port;
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
		hg_flight_split(w, pkt, part, hg_segment_is_done(&segment));
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

static bool takes_segment(const struct hg_dev *dev, const struct hg_pkt *pkt)
{
	return (hg_dev_gso_caps(pkt) & ~dev->caps) == 0 &&
	       (dev->gso_max_bytes == 0 || pkt->total_bytes <= dev->gso_max_bytes);
}

/* What the device's MTU bounds: the largest frame that the packet will be. */
static inline uint32_t frame_bytes(const struct hg_pkt *pkt)
{
	return pkt->gso == HG_GSO_NONE
		       ? pkt->total_bytes - pkt->l3_offset
		       : (uint32_t)(pkt->payload_offset - pkt->l3_offset) + pkt->gso_bytes;
}

/* Brings a packet into a form that the device takes. Returns whether it is ready to go now. */
static bool fit(struct hg_worker *w, struct hg_port *port, struct hg_pkt *pkt)
{
	if (frame_bytes(pkt) > hg_dev_mtu(port->dev)) {
		hg_path_drop_port(w, port, pkt, HG_DROP_TOO_BIG);
		return false;
	}
	if (pkt->gso != HG_GSO_NONE && !takes_segment(port->dev, pkt)) {
		split(w, port, pkt);
		return false;
	}
	if ((pkt->flags & HG_PKT_NEEDS_CSUM) && !(port->dev->caps & HG_DEV_TX_CSUM))
		hg_checksum_complete(pkt);
	return true;
}

/* Whether fit() would find nothing to do. */
static bool are_fit(const struct hg_dev *dev, const struct hg_run *run)
{
	const uint32_t mtu = hg_dev_mtu(dev);
	const unsigned to_do = dev->caps & HG_DEV_TX_CSUM ? 0 : HG_PKT_NEEDS_CSUM;

	for (uint32_t i = 0; i < run->n; i++) {
		const struct hg_pkt *pkt = run->pkts[i];

		if ((pkt->flags & to_do) != 0 || frame_bytes(pkt) > mtu ||
		    (pkt->gso != HG_GSO_NONE && !takes_segment(dev, pkt)))
			return false;
	}
	return true;
}

/* Without a scheduler in between, a packet is sent when the card has taken it, or lost. `counted` has a bit
 * for each that came through a scheduler. */
static void count_observed(struct hg_worker *w, const struct hg_sched_item *items, unsigned n,
			   uint32_t counted)
{
	for (unsigned i = 0; i < n; i++) {
		struct hg_flow *flow = hg_path_flow(w, items[i].instance_idx, HG_OUT);

		if (counted >> i & 1u)
			continue;
		HG_COUNT(flow->sent_bytes, items[i].wire_bytes);
		HG_COUNT(flow->link_bytes, items[i].wire_bytes);
		HG_COUNT(flow->sent_pkts, items[i].parts);
	}
}

static bool is_accounted(const struct hg_worker *w, const struct hg_port *port)
{
	const struct hg_tree *tree = port->tree;

	return tree != NULL && tree->inflight != NULL && (tree->is_on || w->lane->hook->n_out > 0);
}

/* The card took n_sent of n. What it refused goes back to the head of the line; what of that it had not refused
 * before is counted. */
static void note_refusal(struct hg_worker *w, struct hg_port *port, struct hg_pkt *const *pkts,
			 unsigned n_sent, unsigned n)
{
	unsigned n_old = port->n_refused < n ? port->n_refused : n, n_left = n - n_sent, n_new;

	n_old = n_old > n_sent ? n_old - n_sent : 0;
	n_new = n_left - n_old;
	port->n_refused = n_left;
	if (is_accounted(w, port))
		hg_flight_refused(w, port->tree, pkts + n_sent, n_left, n_new);
}

/* The card took n_sent of n. */
static void note_sent(struct hg_worker *w, struct hg_port *port, struct hg_pkt *const *pkts,
		      unsigned n_sent, unsigned n, uint64_t sent_bytes)
{
	HG_COUNT(port->tx_wire_bytes, sent_bytes);
	if (HG_UNLIKELY(port->n_refused > 0 || n_sent < n))
		note_refusal(w, port, pkts, n_sent, n);
	hg_flight_settle(w);
}

/* Transmits one burst of what is staged. Returns whether the device took all of it. */
static bool transmit_burst(struct hg_worker *w, struct hg_port *port)
{
	struct hg_pkt *pkts[HG_BURST_PKTS], *tagged[HG_BURST_PKTS];
	struct hg_sched_item items[HG_BURST_PKTS];
	uint64_t sent_bytes = 0;
	uint32_t counted = 0;
	unsigned n = 0, n_tagged = 0, n_sent;

	while (n < HG_BURST_PKTS && port->staged_head != NULL) {
		struct hg_pkt *pkt = unstage(port);

		if (!fit(w, port, pkt))
			continue;
		/* Once the device has the packet it may not be looked at any more. */
		items[n] = hg_path_item(pkt);
		counted |= (uint32_t)pkt->is_counted << n;
		/* Without a branch, which nobody could predict. */
		tagged[n_tagged] = pkt;
		n_tagged += pkt->tag.queue != 0;
		pkts[n++] = pkt;
	}
	if (n == 0)
		return true;
	if (HG_UNLIKELY(hg_watching(port) != 0))
		hg_watching_transmitted(w, port, pkts, n);
	if (HG_UNLIKELY(counted != UINT32_MAX >> (HG_BURST_PKTS - n)) && port->tree != NULL &&
	    port->tree->is_on)
		n_tagged = hg_flight_take(w, port->tree, pkts, n, tagged);
	if (n_tagged > 0 && is_accounted(w, port))
		hg_flight_hand(w, port->tree, tagged, n_tagged);
	n_sent = port->dev->driver->tx(port->dev, 0, pkts, n, w->now_ns);
	for (unsigned i = 0; i < n_sent; i++)
		sent_bytes += items[i].wire_bytes;
	if (w->snapshot->is_observe && port->is_uplink)
		count_observed(w, items, n_sent, counted);
	note_sent(w, port, pkts, n_sent, n, sent_bytes);
	if (n_sent == n)
		return true;
	restage(port, pkts + n_sent, n - n_sent);
	return false;
}

bool hg_path_transmit_run(struct hg_worker *w, struct hg_port *uplink, struct hg_run *run)
{
	uint64_t sent_bytes = run->bytes;
	unsigned n_sent;

	if (run->n < HG_BURST_PKTS || uplink->n_staged > 0 || !are_fit(uplink->dev, run))
		return false;
	if (HG_UNLIKELY(hg_watching(uplink) != 0))
		hg_watching_transmitted(w, uplink, run->pkts, run->n);
	if (uplink->tree->is_on)
		hg_flight_hand_run(w, uplink->tree, run);
	n_sent = uplink->dev->driver->tx(uplink->dev, 0, run->pkts, run->n, w->now_ns);
	for (unsigned i = n_sent; i < run->n; i++)
		sent_bytes -= hg_load_bytes(run->loads[i]);
	note_sent(w, uplink, run->pkts, n_sent, run->n, sent_bytes);
	if (n_sent < run->n)
		hg_path_stage_all(w, uplink, run->pkts + n_sent, run->n - n_sent);
	hg_path_note_progress(w, uplink);
	return true;
}

static void drop_staged(struct hg_worker *w, struct hg_port *port)
{
	while (port->staged_head != NULL) {
		struct hg_pkt *pkt = unstage(port);

		if (port->is_uplink)
			hg_path_drop_flow(w, hg_path_flow(w, pkt->instance_idx, HG_OUT), pkt,
					  HG_DROP_RING_FULL);
		else
			hg_path_drop_port(w, port, pkt, hg_path_full(pkt, HG_DROP_RING_FULL));
	}
	port->n_refused = 0;
}

void hg_path_transmit_port(struct hg_worker *w, struct hg_port *port)
{
	bool took_all = true;

	while (port->staged_head != NULL && took_all)
		took_all = transmit_burst(w, port);
	if (port->dev->driver->arm != NULL)
		hg_worker_expect(w, port);
	/* Behind a scheduler a card's refusal makes the queue stand in the tree. Elsewhere there is
	 * nothing to wait for. */
	if (!took_all && (!port->is_uplink || w->snapshot->is_observe))
		drop_staged(w, port);
	hg_path_note_progress(w, port);
}

void hg_path_transmit(struct hg_worker *w)
{
	uint32_t n_left = 0;

	for (uint32_t i = 0; i < w->n_staged; i++) {
		struct hg_port *port = w->staged[i];

		hg_path_transmit_port(w, port);
		if (port->n_staged > 0)
			w->staged[n_left++] = port;
		else
			port->is_staged = false;
	}
	w->n_staged = n_left;
	for (uint32_t to = 0; to < w->lane->n_workers; to++) {
		if (w->n_outbox[to] > 0)
			hg_path_flush_outbox(w, to);
	}
}

void hg_path_forget(struct hg_worker *w)
{
	uint32_t n_left = 0;

	for (uint32_t i = 0; i < w->n_staged; i++) {
		struct hg_port *port = w->staged[i];

		if (hg_path_port(w, port->slot) == port) {
			w->staged[n_left++] = port;
			continue;
		}
		while (port->staged_head != NULL)
			hg_path_drop_port(w, NULL, unstage(port), HG_DROP_PORT_DOWN);
		port->is_staged = false;
	}
	w->n_staged = n_left;
}
