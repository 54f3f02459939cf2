/* The switch's view of a change: ports by slot, tenants and uplinks by slot, as vswitch/view.h wants it. */
#include "dataplane/build.h"

#include <stdlib.h>
#include <string.h>

static void fill_ports(struct hg_change *c, struct hg_snapshot *s)
{
	const struct hg_desired *d = c->desired;
	struct hg_address *address = s->addresses;
	struct hg_vlan_range *vlans = s->vlans;

	for (uint32_t slot = 0; slot < s->n_port_slots; slot++)
		s->switch_ports[slot] = (struct hg_switch_port){.is_gone = true};
	for (uint32_t i = 0; i < d->n_uplinks; i++) {
		uint32_t slot = c->uplinks.slots[i];

		s->switch_ports[slot] = (struct hg_switch_port){
			.is_uplink = true,
			.is_up = s->ports[slot] != NULL,
			.mtu = d->uplinks[i].mtu,
			.limits = d->uplinks[i].limits,
			.tenant_idx = HG_VIEW_NONE,
			.uplink_idx = slot,
		};
		hg_flood_settle(&s->switch_ports[slot].limits, /* is_uplink= */ true);
	}
	for (uint32_t i = 0; i < d->n_ports; i++) {
		const struct hg_desired_port *p = &d->ports[i];
		uint32_t tenant = d->instances[p->instance_idx].tenant_idx;
		uint32_t slot = c->ports.slots[i];
		struct hg_switch_port *to = &s->switch_ports[slot];

		/* It gets copies, and is no part of the network. */
		if (s->mirrors != NULL && s->mirrors[slot].is_destination)
			continue;
		*to = (struct hg_switch_port){
			.has_mac = p->has_mac,
			.max_learned = p->max_learned,
			.may_route = p->guard.may_route,
			.may_serve_dhcp = p->guard.may_serve_dhcp,
			.is_up = s->ports[slot] != NULL,
			.vlan = hg_desired_vlan(d, p),
			.vlans = vlans,
			.n_vlans = p->n_vlans,
			.mtu = p->mtu,
			.limits = p->limits,
			.tenant_idx = c->tenants.slots[tenant],
			.uplink_idx = c->uplinks.slots[d->tenants[tenant].uplink_idx],
			.addresses = address,
			.n_addresses = p->n_addresses,
		};
		hg_flood_settle(&to->limits, /* is_uplink= */ false);
		memcpy(to->mac, p->mac, HG_MAC_BYTES);
		memcpy(address, p->addresses, p->n_addresses * sizeof(*address));
		address += p->n_addresses;
		memcpy(vlans, p->vlans, p->n_vlans * sizeof(*vlans));
		vlans += p->n_vlans;
	}
}

/* What the MAC tables hold of a port: the same before and after, or the tables follow. */
static bool is_same_place(const struct hg_switch_port *a, const struct hg_switch_port *b)
{
	return a->has_mac == b->has_mac && memcmp(a->mac, b->mac, HG_MAC_BYTES) == 0 &&
	       a->vlan == b->vlan && a->n_vlans == b->n_vlans &&
	       (a->n_vlans == 0 ||
		memcmp(a->vlans, b->vlans, a->n_vlans * sizeof(*a->vlans)) == 0) &&
	       a->tenant_idx == b->tenant_idx && a->uplink_idx == b->uplink_idx &&
	       a->is_gone == b->is_gone && a->is_uplink == b->is_uplink;
}

static void add_mac_ops(struct hg_dp *dp, struct hg_snapshot *s)
{
	static const struct hg_switch_port nothing = {.is_gone = true};
	const struct hg_snapshot *old = dp->snapshot;

	for (uint32_t slot = 0; slot < s->n_port_slots; slot++) {
		const struct hg_switch_port *was =
			slot < old->n_port_slots ? &old->switch_ports[slot] : &nothing;
		const struct hg_switch_port *is = &s->switch_ports[slot];

		bool is_same = is_same_place(was, is);

		if (!is_same || was->max_learned != is->max_learned)
			s->mac_ops[s->n_mac_ops++] = (struct hg_mac_op){.slot = slot,
									.is_gone = is->is_gone,
									.is_limit = is_same,
									.was = *was};
	}
}

int hg_build_view(struct hg_dp *dp, struct hg_change *c, struct hg_snapshot *s,
		  struct hg_error *reterr)
{
	size_t n_addresses = 0, n_vlans = 0;

	for (uint32_t i = 0; i < c->desired->n_ports; i++) {
		n_addresses += c->desired->ports[i].n_addresses;
		n_vlans += c->desired->ports[i].n_vlans;
	}
	s->switch_ports = calloc(s->n_port_slots + 1u, sizeof(*s->switch_ports));
	s->addresses = calloc(n_addresses + 1u, sizeof(*s->addresses));
	s->vlans = calloc(n_vlans + 1u, sizeof(*s->vlans));
	s->mac_ops = calloc(s->n_port_slots + 1u, sizeof(*s->mac_ops));
	if (s->switch_ports == NULL || s->addresses == NULL || s->vlans == NULL ||
	    s->mac_ops == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for a snapshot", NULL);
	fill_ports(c, s);
	/* Uplinks are known by their port slot here too, so that it stays theirs over snapshots. */
	s->view_memory =
		malloc(hg_view_bytes(s->switch_ports, s->n_port_slots, s->n_port_slots) + 8u);
	if (s->view_memory == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for a snapshot", NULL);
	hg_view_build(&s->view, s->switch_ports, s->n_port_slots, s->n_port_slots, s->view_memory);
	add_mac_ops(dp, s);
	return 0;
}
