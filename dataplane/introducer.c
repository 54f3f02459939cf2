#include "dataplane/introducer.h"

#include "dataplane/announcer.h"
#include "dataplane/path_impl.h"

#include <string.h>

#define FIRST_PAUSE_NS (10 * HG_NS_PER_MS)
/* Small lots, so that no turn is held up for long: a frame that wakes a machine takes some us. Neighbours that are passed
 * over cost an eighth of one. */
#define PACE_FRAMES 16u
#define FRAME_COST 8u
#define PACE_NS (125 * HG_NS_PER_US)

/* ---- frames ------------------------------------------------------------------------------------- */

/* What it says of itself is its own: no other port may say it. */
static bool is_its_own(const struct hg_worker *w, uint32_t slot, const struct hg_address *address)
{
	const struct hg_switch_view *view = &w->snapshot->view;
	const struct hg_switch_port *port = &view->ports[slot];

	return hg_view_find_address(view, port->uplink_idx, port->vlan, address->bytes,
				    address->len) == slot;
}

/* Tells who is at a port or uplink the addresses of a port. Returns how many frames that took. */
static uint32_t tell(struct hg_worker *w, uint32_t to_slot, uint32_t of_slot, uint16_t vlan)
{
	const struct hg_snapshot *s = w->snapshot;
	const struct hg_switch_port *of = &s->view.ports[of_slot];
	struct hg_announcement what;
	uint32_t n = 0;

	for (uint32_t i = 0; of->has_mac && i < of->n_addresses; i++) {
		struct hg_pkt *pkt;

		if (!is_its_own(w, of_slot, &of->addresses[i]))
			continue;
		memcpy(what.mac, of->mac, HG_MAC_BYTES);
		what.address = of->addresses[i];
		pkt = hg_announcer_make(w, &what, vlan);
		if (pkt == NULL)
			break;
		pkt->in_port_idx = of_slot;
		pkt->out_port_idx = to_slot;
		pkt->instance_idx = s->port_instance[of_slot];
		hg_path_send_own(w, pkt);
		n++;
	}
	return n;
}

/* ---- who is told -------------------------------------------------------------------------------- */

/* Whether there is somebody at the port to be told, and who may be told. */
static bool is_ready(const struct hg_snapshot *s, uint32_t slot)
{
	const struct hg_port *port = s->ports[slot];

	if (port == NULL || (s->mirrors != NULL && s->mirrors[slot].is_destination))
		return false;
	return port->dev->driver->arrival == NULL || port->dev->driver->arrival(port->dev) != 0;
}

/* The n-th port of its tenant and VLAN, from 0 on, itself among them; HG_VIEW_NONE: there are no more. In another
 * snapshot it may be another: who is left out by that, or told twice, is told in the next round. */
static uint32_t find_member(const struct hg_switch_view *view, const struct hg_switch_port *port,
			    uint32_t n)
{
	uint64_t key = hg_view_member_key(port->tenant_idx, port->vlan, false);
	uint32_t at = hg_view_first(view->of_tenant, view->n_members, key) + n;

	/* Those with a configured address come behind those without. */
	if (at >= view->n_members || view->of_tenant[at].key > key + 1u)
		return HG_VIEW_NONE;
	return view->of_tenant[at].port_idx;
}

/* The next step of a round. Returns how many frames it took; *ret_is_over: it was the last one. */
static uint32_t take_step(struct hg_worker *w, struct hg_port *port, bool *ret_is_over)
{
	const struct hg_snapshot *s = w->snapshot;
	const struct hg_switch_port *of = &s->view.ports[port->slot];
	uint32_t at = port->introduction.at++, other;

	*ret_is_over = false;
	if (at == 0) /* Uplinks are known by their slot. */
		return s->ports[of->uplink_idx] == NULL
			       ? 0
			       : tell(w, of->uplink_idx, port->slot, of->vlan);
	other = find_member(&s->view, of, at - 1u);
	if (other == HG_VIEW_NONE) {
		*ret_is_over = true;
		return 0;
	}
	if (other == port->slot || !is_ready(s, other))
		return 0;
	return tell(w, other, port->slot, HG_VLAN_NONE) + tell(w, port->slot, other, HG_VLAN_NONE);
}

/* ---- when --------------------------------------------------------------------------------------- */

/* The round of a port is over. Where nobody had anything to say in the first there is no other: who was not ready then has
 * rounds of its own. */
static void end_round(const struct hg_worker *w, struct hg_introduction *in)
{
	in->next_at_ns = w->now_ns + (FIRST_PAUSE_NS << in->round);
	in->round = in->has_spoken ? in->round + 1u : HG_INTRODUCER_ROUNDS;
	in->at = 0;
}

/* Sends what is due for a port, for a cost of n and one step more at most. Returns what is left of n. */
static uint32_t introduce(struct hg_worker *w, struct hg_port *port, uint32_t n)
{
	struct hg_introduction *in = &port->introduction;

	while (n > 0 && in->next_at_ns <= w->now_ns) {
		bool is_over;
		uint32_t n_sent = take_step(w, port, &is_over);
		uint32_t cost = n_sent * FRAME_COST + 1u;

		HG_COUNT(in->n_sent, n_sent);
		in->has_spoken |= n_sent > 0;
		w->has_moved |= n_sent > 0;
		n -= cost < n ? cost : n;
		if (is_over)
			end_round(w, in);
	}
	return n;
}

/* Whether nothing more is to be said for it: it was, or too late, or its guest is away again. */
static bool is_done(const struct hg_worker *w, const struct hg_port *port)
{
	const struct hg_introduction *in = &port->introduction;

	return in->round == HG_INTRODUCER_ROUNDS ||
	       w->now_ns - in->began_ns > HG_INTRODUCER_FOR_NS ||
	       !is_ready(w->snapshot, port->slot);
}

void hg_introducer_notice(struct hg_worker *w, struct hg_port *port)
{
	struct hg_introduction *in = &port->introduction;
	uint32_t arrival;

	if (port->dev->driver->arrival == NULL || port->is_uplink)
		return;
	arrival = port->dev->driver->arrival(port->dev);
	if (arrival == 0 || arrival == in->arrival)
		return;
	in->arrival = arrival;
	in->has_spoken = false;
	in->round = 0;
	in->at = 0;
	/* When that was is read off the clock in housekeeping: here the worker may have just been woken. */
	in->began_ns = in->next_at_ns = 0;
	w->introduce_at_ns = 0;
	if (!in->is_listed)
		w->returning[w->n_returning++] = port;
	in->is_listed = true;
}

void hg_introducer_look(struct hg_worker *w)
{
	uint32_t n = PACE_FRAMES * FRAME_COST;
	hg_ns next_ns = HG_NEVER;

	if (HG_LIKELY(w->now_ns < w->introduce_at_ns))
		return;
	/* Whoever comes back meanwhile makes no lot come sooner. */
	if (w->now_ns < w->lot_at_ns) {
		w->introduce_at_ns = w->lot_at_ns;
		return;
	}
	w->lot_at_ns = w->now_ns + PACE_NS;
	/* From where the last look ended, so that all take their turns. */
	for (uint32_t n_left = w->n_returning; n_left > 0 && n > 0; n_left--) {
		struct hg_port *port;

		if (w->next_returning >= w->n_returning)
			w->next_returning = 0;
		port = w->returning[w->next_returning];
		if (port->introduction.began_ns == 0)
			port->introduction.began_ns = w->now_ns;
		if (is_done(w, port)) {
			port->introduction.is_listed = false;
			w->returning[w->next_returning] = w->returning[--w->n_returning];
			continue;
		}
		n = introduce(w, port, n);
		if (port->introduction.next_at_ns < next_ns)
			next_ns = port->introduction.next_at_ns;
		w->next_returning++;
	}
	/* Nor was it seen when those are due whose turn did not come. */
	if (n == 0 || next_ns < w->lot_at_ns)
		next_ns = w->lot_at_ns;
	w->introduce_at_ns = next_ns;
}
