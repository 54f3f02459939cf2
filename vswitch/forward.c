#include "vswitch/forward.h"

#include "vswitch/bytes.h"
#include "vswitch/guard.h"
#include "vswitch/proto.h"

#include <string.h>

static bool drop(enum hg_drop reason, enum hg_drop *ret_reason)
{
	*ret_reason = reason;
	return false;
}

static inline bool is_group(const uint8_t *mac)
{
	return (mac[0] & 1u) != 0;
}

static uint8_t group_kind(const uint8_t *mac)
{
	return hg_bytes_get48(mac) == UINT64_C(0xffffffffffff) ? HG_FORWARD_BROADCAST
							       : HG_FORWARD_MULTICAST;
}

static inline bool is_tagged(const struct hg_pkt *pkt)
{
	return pkt->l3_offset > HG_ETHER_BYTES;
}

/* 01:80:c2:00:00:00 to 0f: between neighbours only (IEEE 802.1Q, table 8-1). */
static inline bool is_reserved(const uint8_t *mac)
{
	return (hg_bytes_get48(mac) & ~UINT64_C(0xf)) == UINT64_C(0x0180c2000000);
}

static bool is_outer_tag(const struct hg_pkt *pkt, uint32_t ethertype)
{
	return hg_bytes_get16(pkt->data + 12) == ethertype;
}

/* ---- accept ------------------------------------------------------------------------------------- */

static bool may_use_tag(const struct hg_switch_port *port, const struct hg_pkt *pkt)
{
	if (HG_LIKELY(!is_tagged(pkt)))
		return true;
	if (!is_outer_tag(pkt, HG_ETHERTYPE_VLAN))
		return false;
	if (port->is_uplink)
		return pkt->vlan <= HG_VLAN_MAX;
	return pkt->l3_offset == HG_ETHER_BYTES + HG_VLAN_TAG_BYTES &&
	       (pkt->vlan == 0 || hg_switch_port_has_tagged(port, pkt->vlan));
}

/* The longest packet, as IP counts it, that the frame or one part of the segment makes. */
static inline uint32_t packet_bytes(const struct hg_pkt *pkt)
{
	if (pkt->gso == HG_GSO_NONE)
		return pkt->total_bytes - pkt->l3_offset;
	return (uint32_t)pkt->payload_offset - pkt->l3_offset + pkt->gso_bytes;
}

bool hg_forward_accept_like(const struct hg_switch_view *view, const struct hg_pkt *pkt,
			    uint32_t in_port_idx, enum hg_drop *ret_reason)
{
	const struct hg_switch_port *port = &view->ports[in_port_idx];

	if (hg_guard_is_on(port) && HG_UNLIKELY(!hg_guard_pass(port, pkt, ret_reason)))
		return false;
	if (HG_UNLIKELY(packet_bytes(pkt) > port->mtu))
		return drop(HG_DROP_TOO_BIG, ret_reason);
	return true;
}

bool hg_forward_accept(const struct hg_switch_view *view, const struct hg_pkt *pkt,
		       uint32_t in_port_idx, enum hg_drop *ret_reason)
{
	const struct hg_switch_port *port = &view->ports[in_port_idx];
	const uint8_t *source = pkt->data + HG_MAC_BYTES;

	if (HG_UNLIKELY(is_group(source) || hg_bytes_get48(source) == 0))
		return drop(HG_DROP_BAD_HEADER, ret_reason);
	if (HG_UNLIKELY(is_reserved(pkt->data)))
		return drop(HG_DROP_RESERVED, ret_reason);
	if (HG_UNLIKELY(!may_use_tag(port, pkt)))
		return drop(HG_DROP_VLAN, ret_reason);
	return hg_forward_accept_like(view, pkt, in_port_idx, ret_reason);
}

/* ---- learn -------------------------------------------------------------------------------------- */

/* The entries of a configured MAC. Returns how many: none without one. */
static unsigned configured_keys(const struct hg_switch_port *port, struct hg_fdb_key keys[4])
{
	uint32_t scopes[2] = {hg_forward_tenant_scope(port->tenant_idx),
			      hg_forward_uplink_scope(port->uplink_idx)};
	unsigned n = 0;

	if (!port->has_mac || port->is_uplink || port->is_gone)
		return 0;
	for (unsigned i = 0; i < 2; i++) {
		keys[n++] = hg_fdb_key(scopes[i], port->vlan, port->mac);
		if (port->n_vlans > 0)
			keys[n++] = hg_fdb_key(hg_forward_trunk_scope(scopes[i]), 0, port->mac);
	}
	return n;
}

int hg_forward_configure(const struct hg_switch_view *view, struct hg_fdb *fdb, uint32_t port_idx,
			 struct hg_error *reterr)
{
	struct hg_fdb_key keys[4];
	unsigned n = configured_keys(&view->ports[port_idx], keys);

	for (unsigned i = 0; i < n; i++) {
		int error = hg_fdb_configure(fdb, keys[i], port_idx, reterr);

		if (error == 0)
			continue;
		while (i-- > 0)
			hg_fdb_forget(fdb, keys[i]);
		return error;
	}
	return 0;
}

void hg_forward_unconfigure(struct hg_fdb *fdb, const struct hg_switch_port *was)
{
	struct hg_fdb_key keys[4];
	unsigned n = configured_keys(was, keys);

	for (unsigned i = 0; i < n; i++)
		hg_fdb_forget(fdb, keys[i]);
}

/* The trunk for which the address is configured, if the VLAN is one of its tagged ones; HG_VIEW_NONE: none. */
static uint32_t find_trunk(const struct hg_switch_view *view, const struct hg_fdb *fdb,
			   uint32_t scope, uint16_t vlan, const uint8_t *mac, hg_ns now_ns)
{
	uint32_t idx;

	if (HG_LIKELY(view->n_trunks == 0))
		return HG_VIEW_NONE;
	idx = hg_fdb_lookup(fdb, hg_fdb_key(hg_forward_trunk_scope(scope), 0, mac), now_ns);
	if (idx >= view->n_ports || !hg_switch_port_has_tagged(&view->ports[idx], vlan))
		return HG_VIEW_NONE;
	return idx;
}

/* The table outlives the view: the port may be in other VLANs by now. */
static bool is_in_vlan(const struct hg_switch_view *view, uint32_t idx, uint16_t vlan)
{
	return idx < view->n_ports && (view->ports[idx].vlan == vlan ||
				       hg_switch_port_has_tagged(&view->ports[idx], vlan));
}

/* The port behind which the address lies; HG_VIEW_NONE, or of another tenant or uplink: none. */
static uint32_t find_port(const struct hg_switch_view *view, const struct hg_fdb *fdb,
			  uint32_t scope, uint16_t vlan, const uint8_t *mac, hg_ns now_ns)
{
	uint32_t idx = hg_fdb_lookup(fdb, hg_fdb_key(scope, vlan, mac), now_ns);

	if (HG_LIKELY(idx != HG_FDB_NONE))
		return is_in_vlan(view, idx, vlan) ? idx : HG_VIEW_NONE;
	return find_trunk(view, fdb, scope, vlan, mac, now_ns);
}

void hg_forward_learn(const struct hg_switch_view *view, struct hg_fdb *fdb,
		      const struct hg_pkt *pkt, uint32_t in_port_idx, hg_ns now_ns)
{
	const struct hg_switch_port *port = &view->ports[in_port_idx];
	const uint8_t *source = pkt->data + HG_MAC_BYTES;
	uint16_t vlan = hg_forward_vlan(port, pkt);
	uint32_t local = hg_forward_tenant_scope(port->tenant_idx);
	uint32_t outer = hg_forward_uplink_scope(port->uplink_idx), holder_idx;

	if (port->is_uplink || port->has_mac)
		return;
	if (find_trunk(view, fdb, local, vlan, source, now_ns) != HG_VIEW_NONE ||
	    !hg_fdb_learn(fdb, hg_fdb_key(local, vlan, source), in_port_idx, now_ns))
		return;
	holder_idx = find_port(view, fdb, outer, vlan, source, now_ns);
	if (holder_idx < view->n_ports && view->ports[holder_idx].tenant_idx != port->tenant_idx)
		return;
	hg_fdb_learn_beside(fdb, hg_fdb_key(outer, vlan, source), in_port_idx, now_ns);
}

/* ---- decide ------------------------------------------------------------------------------------- */

static bool is_destination(const struct hg_forward *f, uint32_t port_idx)
{
	const struct hg_switch_port *port = &f->view->ports[port_idx];

	if (port_idx == f->in_port_idx || !port->is_up)
		return false;
	return f->kind != HG_FORWARD_UNKNOWN || hg_fdb_learned_of(f->fdb, port_idx) == 0;
}

/* Moves on to the next destination of a list, then of the trunks, then to the uplink. */
static void advance(struct hg_forward *f)
{
	while (f->at < f->end) {
		uint32_t port_idx = f->list[f->at++].port_idx;

		if (is_destination(f, port_idx)) {
			f->next_idx = port_idx;
			return;
		}
	}
	while (f->trunk_at < f->trunk_end) {
		uint32_t port_idx = f->trunks[f->trunk_at++].port_idx;

		if (hg_switch_port_has_tagged(&f->view->ports[port_idx], f->vlan) &&
		    is_destination(f, port_idx)) {
			f->next_idx = port_idx;
			return;
		}
	}
	f->next_idx = f->uplink_idx;
	f->uplink_idx = HG_VIEW_NONE;
}

static bool send_to(struct hg_forward *f, uint32_t port_idx, enum hg_drop *ret_reason)
{
	if (HG_UNLIKELY(port_idx == f->in_port_idx))
		return drop(HG_DROP_HAIRPIN, ret_reason);
	if (HG_UNLIKELY(!f->view->ports[port_idx].is_up || f->view->ports[port_idx].is_gone))
		return drop(HG_DROP_PORT_DOWN, ret_reason);
	f->kind = HG_FORWARD_UNICAST;
	f->next_idx = port_idx;
	return true;
}

/* To the members of a group in the frame's VLAN: all of them, or those without a configured MAC. */
static bool send_to_list(struct hg_forward *f, const struct hg_switch_member *list,
			 const struct hg_switch_member *trunks, uint32_t group,
			 enum hg_drop *ret_reason)
{
	/* Those without a MAC come first in the order of the list. */
	uint64_t first = hg_view_member_key(group, f->vlan, false);
	uint64_t first_trunk = hg_view_member_key(group, 0, false);
	unsigned n_keys = f->kind == HG_FORWARD_UNKNOWN ? 1u : 2u;

	f->list = list;
	f->at = hg_view_first(list, f->view->n_members, first);
	f->end = hg_view_first(list, f->view->n_members, first + n_keys);
	f->trunks = trunks;
	f->trunk_at = hg_view_first(trunks, f->view->n_trunks, first_trunk);
	f->trunk_end = hg_view_first(trunks, f->view->n_trunks, first_trunk + n_keys);
	advance(f);
	return f->next_idx != HG_VIEW_NONE || drop(HG_DROP_NO_ROUTE, ret_reason);
}

/* The port whose address an ARP request or a neighbour solicitation asks for, if there is one. */
static uint32_t asked_for(const struct hg_switch_view *view, const struct hg_pkt *pkt,
			  uint32_t uplink_idx)
{
	const uint8_t *arp = pkt->data + pkt->l3_offset;
	const uint8_t *icmp = pkt->data + pkt->l4_offset;

	if (pkt->l3 == HG_L3_ARP && hg_bytes_get16(arp + 6) == HG_ARP_REQUEST)
		return hg_view_find_address(view, uplink_idx, pkt->vlan, arp + 24, 4);
	if (pkt->l3 == HG_L3_IP6 && pkt->ip_proto == HG_IP_ICMP6 && icmp[0] == HG_ND_SOLICIT)
		return hg_view_find_address(view, uplink_idx, pkt->vlan, icmp + HG_ND_TARGET_OFFSET,
					    16);
	return HG_VIEW_NONE;
}

static bool decide_from_uplink(struct hg_forward *f, const struct hg_pkt *pkt, hg_ns now_ns,
			       enum hg_drop *ret_reason)
{
	uint32_t uplink_idx = f->view->ports[f->in_port_idx].uplink_idx;
	uint32_t port_idx;

	if (is_group(pkt->data)) {
		f->kind = group_kind(pkt->data);
		port_idx = asked_for(f->view, pkt, uplink_idx);
	} else {
		f->kind = HG_FORWARD_UNKNOWN;
		port_idx = find_port(f->view, f->fdb, hg_forward_uplink_scope(uplink_idx), f->vlan,
				     pkt->data, now_ns);
	}
	if (HG_LIKELY(port_idx < f->view->n_ports &&
		      f->view->ports[port_idx].uplink_idx == uplink_idx))
		return send_to(f, port_idx, ret_reason);
	return send_to_list(f, f->view->of_uplink, f->view->trunks_of_uplink, uplink_idx,
			    ret_reason);
}

static bool decide_from_instance(struct hg_forward *f, const struct hg_pkt *pkt, hg_ns now_ns,
				 enum hg_drop *ret_reason)
{
	const struct hg_switch_port *port = &f->view->ports[f->in_port_idx];
	uint32_t uplink_idx = f->view->uplink_ports[port->uplink_idx];
	uint32_t port_idx;

	if (is_group(pkt->data)) {
		f->kind = group_kind(pkt->data);
		if (uplink_idx != HG_VIEW_NONE && f->view->ports[uplink_idx].is_up)
			f->uplink_idx = uplink_idx;
		return send_to_list(f, f->view->of_tenant, f->view->trunks_of_tenant,
				    port->tenant_idx, ret_reason);
	}
	port_idx = find_port(f->view, f->fdb, hg_forward_tenant_scope(port->tenant_idx), f->vlan,
			     pkt->data, now_ns);
	/* The table outlives the view: an index that now is another tenant's is no answer. */
	if (port_idx < f->view->n_ports && f->view->ports[port_idx].tenant_idx == port->tenant_idx)
		return send_to(f, port_idx, ret_reason);
	if (HG_UNLIKELY(uplink_idx == HG_VIEW_NONE))
		return drop(HG_DROP_NO_ROUTE, ret_reason);
	return send_to(f, uplink_idx, ret_reason);
}

bool hg_forward_decide(const struct hg_switch_view *view, const struct hg_fdb *fdb,
		       const struct hg_pkt *pkt, uint32_t in_port_idx, hg_ns now_ns,
		       struct hg_forward *ret_forward, enum hg_drop *ret_reason)
{
	*ret_forward = (struct hg_forward){
		.is_tagged = is_tagged(pkt),
		.in_port_idx = in_port_idx,
		.next_idx = HG_VIEW_NONE,
		.uplink_idx = HG_VIEW_NONE,
		.vlan = hg_forward_vlan(&view->ports[in_port_idx], pkt),
		.view = view,
		.fdb = fdb,
	};
	if (view->ports[in_port_idx].is_uplink)
		return decide_from_uplink(ret_forward, pkt, now_ns, ret_reason);
	return decide_from_instance(ret_forward, pkt, now_ns, ret_reason);
}

bool hg_forward(const struct hg_switch_view *view, struct hg_fdb *fdb, const struct hg_pkt *pkt,
		uint32_t in_port_idx, hg_ns now_ns, struct hg_forward *ret_forward,
		enum hg_drop *ret_reason)
{
	if (!hg_forward_accept(view, pkt, in_port_idx, ret_reason))
		return false;
	hg_forward_learn(view, fdb, pkt, in_port_idx, now_ns);
	return hg_forward_decide(view, fdb, pkt, in_port_idx, now_ns, ret_forward, ret_reason);
}

/* Of a frame from an uplink to one address. */
static struct hg_fdb_key key_from_uplink(const struct hg_switch_port *uplink,
					 const struct hg_pkt *pkt)
{
	return hg_fdb_key(hg_forward_uplink_scope(uplink->uplink_idx), hg_forward_vlan(uplink, pkt),
			  pkt->data);
}

void hg_forward_expect(const struct hg_switch_view *view, const struct hg_fdb *fdb,
		       struct hg_pkt *const *pkts, unsigned n, uint32_t in_port_idx, hg_ns now_ns)
{
	const struct hg_switch_port *uplink = &view->ports[in_port_idx];

	for (unsigned i = 0; i < n; i++)
		hg_fdb_expect(fdb, key_from_uplink(uplink, pkts[i]));
	for (unsigned i = 0; i < n; i++) {
		uint32_t idx = hg_fdb_lookup(fdb, key_from_uplink(uplink, pkts[i]), now_ns);

		if (idx < view->n_ports)
			HG_PREFETCH_TO_READ(&view->ports[idx]);
	}
}

/* ---- destinations ------------------------------------------------------------------------------- */

static enum hg_tag_action tag_action(const struct hg_forward *f, uint16_t vlan)
{
	if (vlan == HG_VLAN_NONE)
		return f->is_tagged ? HG_TAG_POP : HG_TAG_KEEP;
	return f->is_tagged ? HG_TAG_SET : HG_TAG_PUSH;
}

/* Its tag on the way to that port; HG_VLAN_NONE: none. */
static uint16_t vlan_towards(const struct hg_forward *f, const struct hg_switch_port *to)
{
	return to->is_uplink || to->vlan != f->vlan ? f->vlan : HG_VLAN_NONE;
}

bool hg_forward_next(struct hg_forward *f, struct hg_hop *ret_hop)
{
	uint32_t port_idx = f->next_idx;
	uint16_t vlan;

	if (port_idx == HG_VIEW_NONE)
		return false;
	vlan = vlan_towards(f, &f->view->ports[port_idx]);
	advance(f);
	*ret_hop = (struct hg_hop){
		.port_idx = port_idx,
		.vlan = vlan,
		.tag = (uint8_t)tag_action(f, vlan),
		.is_last = f->next_idx == HG_VIEW_NONE,
	};
	return true;
}
