#include "dataplane/watching.h"

#include "dataplane/capture.h"
#include "dataplane/path_impl.h"
#include "vswitch/parse.h"
#include "vswitch/weigh.h"

#include <rte_ring.h>

static enum hg_dir dir_of(const struct hg_port *port, bool is_received)
{
	return port->is_uplink == is_received ? HG_IN : HG_OUT;
}

/* ---- mirrors ------------------------------------------------------------------------------------ */

static const struct hg_lane_mirror *mirror_of(const struct hg_worker *w, const struct hg_port *port)
{
	return w->snapshot->mirrors == NULL ? NULL : &w->snapshot->mirrors[port->slot];
}

/* Who is looked at goes first: at the processor, and at the buffers. */
static bool may_copy(struct hg_worker *w, const struct hg_pkt *pkt)
{
	return w->max_held_buffers >= w->lane->min_copy_buffers &&
	       hg_bucket_take(&w->mirror_bucket, pkt->total_bytes + HG_MIRROR_PKT_BYTES, w->now_ns);
}

/* pkt was parsed. */
static void copy(struct hg_worker *w, struct hg_port *port, const struct hg_lane_mirror *mirror,
		 const struct hg_pkt *pkt)
{
	struct hg_pkt *to_send = may_copy(w, pkt) ? hg_pkt_copy(w->lane->pool, pkt) : NULL;

	if (to_send == NULL) {
		HG_COUNT(port->drops[HG_DROP_MIRROR_FULL], 1u);
		return;
	}
	hg_weigh(to_send);
	to_send->in_port_idx = to_send->out_port_idx = mirror->to_slot; /* hg_path_is_copy() */
	to_send->at_ns = w->now_ns;
	to_send->generation = (uint32_t)w->snapshot->generation;
	to_send->is_link = to_send->is_counted = false;
	if (w->copies_head == NULL)
		w->copies_head = to_send;
	else
		w->copies_tail->link = to_send;
	w->copies_tail = to_send;
}

static void mirror_received(struct hg_worker *w, struct hg_port *port,
			    const struct hg_lane_mirror *mirror, struct hg_pkt *const *pkts,
			    unsigned n)
{
	enum hg_drop reason;

	for (unsigned i = 0; i < n; i++) {
		if (hg_parse(pkts[i], &reason))
			copy(w, port, mirror, pkts[i]);
	}
}

static void drop_all(struct hg_worker *w, struct hg_port *port, struct hg_pkt *const *pkts,
		     unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		hg_path_drop_port(w, port, pkts[i], HG_DROP_MIRROR_SENT);
}

unsigned hg_watching_received(struct hg_worker *w, struct hg_port *port, struct hg_pkt *const *pkts,
			      unsigned n)
{
	const struct hg_lane_mirror *mirror = mirror_of(w, port);
	enum hg_dir dir = dir_of(port, /* is_received= */ true);

	if (hg_watching(port) & HG_WATCHED_CAPTURE)
		hg_capture_show(w, port, pkts, n, dir);
	if (mirror == NULL)
		return n;
	if (mirror->is_destination) {
		drop_all(w, port, pkts, n);
		return 0;
	}
	if (mirror->is_on && hg_watch_has(mirror->watch, dir))
		mirror_received(w, port, mirror, pkts, n);
	return n;
}

void hg_watching_transmitted(struct hg_worker *w, struct hg_port *port, struct hg_pkt *const *pkts,
			     unsigned n)
{
	const struct hg_lane_mirror *mirror = mirror_of(w, port);
	/* What the card refused before was seen then. */
	unsigned first = port->n_refused < n ? port->n_refused : n;
	enum hg_dir dir = dir_of(port, /* is_received= */ false);

	if (hg_watching(port) & HG_WATCHED_CAPTURE)
		hg_capture_show(w, port, pkts + first, n - first, dir);
	if (mirror == NULL || !mirror->is_on || !hg_watch_has(mirror->watch, dir))
		return;
	for (unsigned i = first; i < n; i++)
		copy(w, port, mirror, pkts[i]);
}

void hg_watching_send_copies(struct hg_worker *w)
{
	struct hg_pkt *next = w->copies_head;

	w->copies_head = w->copies_tail = NULL;
	w->has_moved = true;
	while (next != NULL) {
		struct hg_pkt *to_send = next;

		next = to_send->link;
		hg_path_send_copy(w, to_send);
	}
}

void hg_watching_init(struct hg_worker *w, hg_ns now_ns)
{
	hg_bucket_init(&w->mirror_bucket, HG_MIRROR_BYTES_PER_S, HG_MIRROR_BURST_BYTES,
		       HG_MIRROR_BURST_BYTES, HG_NEVER, now_ns);
}

/* ---- the control lane --------------------------------------------------------------------------- */

static bool is_mirror(const struct hg_snapshot *s, uint32_t slot)
{
	return s->mirrors != NULL && (s->mirrors[slot].is_on || s->mirrors[slot].is_destination);
}

void hg_watching_announce(const struct hg_snapshot *s)
{
	for (uint32_t slot = 0; s->mirrors != NULL && slot < s->n_port_slots; slot++) {
		if (s->ports[slot] != NULL && is_mirror(s, slot))
			atomic_fetch_or(&s->ports[slot]->watched, HG_WATCHED_MIRROR);
	}
}

void hg_watching_settle(const struct hg_snapshot *s)
{
	for (uint32_t slot = 0; slot < s->n_port_slots; slot++) {
		if (s->ports[slot] != NULL && !is_mirror(s, slot))
			atomic_fetch_and(&s->ports[slot]->watched, (uint8_t)~HG_WATCHED_MIRROR);
	}
}
