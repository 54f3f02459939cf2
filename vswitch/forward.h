/* forward: where a frame goes.
 *
 * Why        S5.1: the switch joins a tenant's instances with one another and with their uplink, and keeps
 *            tenants apart, whatever a guest writes into its frames.
 * Model      Three steps, which hg_forward() takes in order:
 *              accept   may this port send this frame at all? (also vswitch/guard.h)
 *              learn    its source address, where the port has none configured
 *              decide   the destinations, as a cursor: one port, or many, found one after another
 *            from an instance      own tenant, same VLAN    its tenant's uplink
 *              known unicast       the port                 -
 *              unknown unicast     -                        yes
 *              group address       all other ports          yes
 *            from an uplink        ports of tenants bound to it, VLAN of the outer tag
 *              known unicast       the port
 *              unknown unicast     ports without a configured MAC that have not sent yet; else NO_ROUTE
 *              group address       all; but an ARP request or a neighbour solicitation for an address
 *                                  that is configured on exactly one port goes to that port alone
 * Promise    No frame of an instance reaches a port of another tenant, of another VLAN, or the port
 *            it came from; no frame of an uplink leaves by an uplink. Destinations that are down are left
 *            out; a lone one that is down is PORT_DOWN.
 * VLAN       An access port sends untagged frames, or with one priority tag (identifier 0), all of which are in
 *            its VLAN; a trunk also frames with one 802.1Q tag of a VLAN that was given to it. Anything else
 *            is refused, so that no guest chooses its VLAN. A frame stays in its VLAN: it reaches ports of
 *            that VLAN untagged, trunks that were given it and the uplink with an 802.1Q tag; each hop
 *            says what to do to the frame (hg_vlan_apply). On an uplink a service tag (802.1ad) and
 *            the reserved VLAN 4095 select no port.
 * Scopes     In the MAC table: hg_forward_tenant_scope() for what instances of a tenant see of one
 *            another, hg_forward_uplink_scope() for what an uplink sees. A configured MAC is entered in both
 *            (hg_forward_configure). Since a tenant's own scope is apart, no other tenant can take its
 *            local addresses; in the uplink's scope a learned address moves only inside its tenant.
 *            A trunk's configured MAC holds in all of its VLANs, but is entered once, in scopes beside these
 *            (of no VLAN), which are asked where there is nothing in the VLAN itself; nobody else learns
 *            it in one of them.
 * Uplinks    are not learned: what is not local lies there.
 * MTU        TOO_BIG is judged by the port that the frame came from. What the destination cannot take is
 *            for who transmits.
 * Time       now_ns is an argument. Memory: none but the table's. Threads: the table's owner; accept and
 *            decide change nothing.
 * Cost       Unicast: one or two lookups, two more where there are trunks. Group: O(log ports) and one step for each
 *            port of the VLAN, and each trunk of the tenant (or uplink).
 * Errors     A drop reason: BAD_HEADER RESERVED VLAN TOO_BIG NO_ROUTE HAIRPIN PORT_DOWN, or one of guard's.
 */
#ifndef HG_VSWITCH_FORWARD_H
#define HG_VSWITCH_FORWARD_H

#include "core/verdict.h"
#include "vswitch/fdb.h"
#include "vswitch/pkt.h"
#include "vswitch/proto.h"
#include "vswitch/view.h"

#include <string.h>

enum hg_forward_kind {
	HG_FORWARD_UNICAST = 0, /* exactly one destination */
	/* To many; each has a limit of its own (vswitch/flood.h). */
	HG_FORWARD_BROADCAST,
	HG_FORWARD_MULTICAST,
	HG_FORWARD_UNKNOWN, /* unknown unicast from an uplink */
	HG_N_FORWARDS,
};

enum hg_tag_action {
	HG_TAG_KEEP = 0, /* as it is */
	HG_TAG_PUSH, /* in front of an untagged frame */
	HG_TAG_POP, /* the outer tag */
	HG_TAG_SET, /* write the VLAN into the (priority) tag that is there */
};

/* One destination. */
struct hg_hop {
	uint32_t port_idx;
	uint16_t vlan; /* for PUSH and SET */
	uint8_t tag; /* enum hg_tag_action */
	bool is_last; /* the frame itself may go here; all before need a copy */
};

/* A decision, and the place in it. */
struct hg_forward {
	uint8_t kind; /* enum hg_forward_kind */
	/* The rest is for hg_forward_next(). */
	bool is_tagged;
	uint32_t in_port_idx;
	uint32_t next_idx; /* the destination that next returns; HG_VIEW_NONE: no more */
	uint32_t uplink_idx; /* port to append at the end of a group; HG_VIEW_NONE: none */
	uint32_t at, end; /* what is left of the list */
	uint32_t trunk_at, trunk_end; /* and then of the trunks */
	uint16_t vlan; /* of the frame; HG_VLAN_NONE: none */
	const struct hg_switch_member *list;
	const struct hg_switch_member *trunks;
	const struct hg_switch_view *view;
	const struct hg_fdb *fdb;
};

static inline uint32_t hg_forward_tenant_scope(uint32_t tenant_idx)
{
	return tenant_idx;
}

/* A trunk's configured MAC, in either scope, in VLAN 0. */
static inline uint32_t hg_forward_trunk_scope(uint32_t scope)
{
	return scope | UINT32_C(1) << 30;
}

static inline uint32_t hg_forward_uplink_scope(uint32_t uplink_idx)
{
	return uplink_idx | UINT32_C(1) << 31;
}

/* Enters the configured MAC of port_idx into the table, in both scopes; nothing if it has none.
 * -EEXIST, -ENOSPC as hg_fdb_configure(); the table is then as before. */
HG_MUST_CHECK int hg_forward_configure(const struct hg_switch_view *view, struct hg_fdb *fdb,
				       uint32_t port_idx, struct hg_error *reterr);

/* Takes out what hg_forward_configure() entered for a port that was so. */
void hg_forward_unconfigure(struct hg_fdb *fdb, const struct hg_switch_port *was);

/* The VLAN of a frame that the port may send. */
static inline uint16_t hg_forward_vlan(const struct hg_switch_port *port, const struct hg_pkt *pkt)
{
	return pkt->vlan != 0 ? pkt->vlan : port->vlan;
}

/* Whether a frame's Ethernet header says what another's said: the same addresses, VLAN and kind. Both were parsed, and
 * neither was changed. */
static inline bool hg_forward_is_like(const struct hg_pkt *last, const struct hg_pkt *pkt)
{
	return memcmp(last->data, pkt->data, HG_ETHER_BYTES) == 0 &&
	       last->l3_offset == pkt->l3_offset && last->vlan == pkt->vlan;
}

/* For a frame from the same port as one that it is like, which hg_forward() has accepted under the same view and at the
 * same time, and sent to one port: what is left to be asked. It goes to the same port, in the same way. */
HG_MUST_CHECK bool hg_forward_accept_like(const struct hg_switch_view *view,
					  const struct hg_pkt *pkt, uint32_t in_port_idx,
					  enum hg_drop *ret_reason);

/* The three steps. On true the packet has at least one destination, read with hg_forward_next(); on
 * false *ret_reason says why not. pkt was parsed. in_port_idx < view->n_ports, not gone. */
HG_MUST_CHECK bool hg_forward(const struct hg_switch_view *view, struct hg_fdb *fdb,
			      const struct hg_pkt *pkt, uint32_t in_port_idx, hg_ns now_ns,
			      struct hg_forward *ret_forward, enum hg_drop *ret_reason);

/* These frames, parsed and all from an uplink, are about to be forwarded: asks for the lines of the table and of ports that
 * say where they go, of all of them before the first is waited for. Changes nothing. It costs another lookup for each: for
 * a host with so many ports that they are not near. */
void hg_forward_expect(const struct hg_switch_view *view, const struct hg_fdb *fdb,
		       struct hg_pkt *const *pkts, unsigned n, uint32_t in_port_idx, hg_ns now_ns);

/* The next destination; false: there are no more. The view and the table must be those of the decision,
 * unchanged since. */
bool hg_forward_next(struct hg_forward *forward, struct hg_hop *ret_hop);

/* ---- the steps one by one ----------------------------------------------------------------------- */

HG_MUST_CHECK bool hg_forward_accept(const struct hg_switch_view *view, const struct hg_pkt *pkt,
				     uint32_t in_port_idx, enum hg_drop *ret_reason);
void hg_forward_learn(const struct hg_switch_view *view, struct hg_fdb *fdb,
		      const struct hg_pkt *pkt, uint32_t in_port_idx, hg_ns now_ns);
HG_MUST_CHECK bool hg_forward_decide(const struct hg_switch_view *view, const struct hg_fdb *fdb,
				     const struct hg_pkt *pkt, uint32_t in_port_idx, hg_ns now_ns,
				     struct hg_forward *ret_forward, enum hg_drop *ret_reason);

#endif
