/* view: the switch as the forwarding decision sees it: ports, whose they are, and how they are grouped.
 *
 * Why        Forwarding must be a function of plain values, so that it can be tried on any topology without
 *            a port being there, and so that a snapshot can be swapped while traffic flows.
 * Model      One array of ports, uplinks among them. From it hg_view_build() derives sorted lists: the
 *            members of each tenant and of each uplink, by VLAN, its trunks, and the configured addresses.
 * Promise    Immutable once built, but for a port's is_up, which its owner may change at any time.
 * Memory     The ports and what they point at belong to the caller and outlive the view; the lists lie in
 *            memory that the caller gives, hg_view_bytes(). Threads: any may read.
 * Cost       build: O(n log n). Errors: none; indices are the caller's to get right.
 */
#ifndef HG_VSWITCH_VIEW_H
#define HG_VSWITCH_VIEW_H

#include "core/desired.h"

#define HG_VIEW_NONE UINT32_MAX

struct hg_switch_port {
	uint8_t mac[HG_MAC_BYTES];
	bool has_mac; /* false: learned from what the port sends */
	bool is_uplink;
	bool is_up;
	bool is_gone; /* the index is free: never a source nor a destination */
	bool may_route; /* may advertise itself as a router; hg_guard_pass() */
	bool may_serve_dhcp;
	uint16_t vlan; /* of untagged frames, HG_VLAN_NONE: none; 0 for an uplink */
	const struct hg_vlan_range *vlans; /* of tagged ones: a trunk; without `vlan` */
	uint32_t n_vlans;
	uint32_t mtu;
	uint32_t max_learned; /* addresses, where there is no MAC */
	struct hg_flood_rates limits; /* none of them 0: hg_flood_settle() */
	uint32_t tenant_idx; /* HG_VIEW_NONE for an uplink */
	uint32_t uplink_idx; /* of the tenant; of itself for an uplink */
	const struct hg_address *addresses;
	uint32_t n_addresses;
};

struct hg_switch_member {
	uint64_t key; /* hg_view_member_key() */
	uint32_t port_idx;
};

struct hg_switch_address {
	uint32_t uplink_idx;
	uint32_t port_idx;
	uint16_t vlan;
	struct hg_address address;
};

struct hg_switch_view {
	const struct hg_switch_port *ports;
	uint32_t n_ports;
	uint32_t n_uplinks;
	uint32_t n_members; /* ports of instances */
	uint32_t n_trunks; /* of them, those with tagged VLANs */
	uint32_t n_addresses;
	const uint32_t *uplink_ports; /* uplink_idx -> port_idx, or HG_VIEW_NONE */
	const struct hg_switch_member *of_tenant; /* sorted by key: group is the tenant */
	const struct hg_switch_member *of_uplink; /* sorted by key: group is the uplink */
	/* Trunks once more, whatever their VLANs: their key has VLAN 0. */
	const struct hg_switch_member *trunks_of_tenant;
	const struct hg_switch_member *trunks_of_uplink;
	const struct hg_switch_address *addresses; /* sorted by uplink, VLAN, address */
};

/* Is the port a trunk that carries frames of this VLAN with their tag? */
static inline bool hg_switch_port_has_tagged(const struct hg_switch_port *port, uint16_t vlan)
{
	for (uint32_t i = 0; i < port->n_vlans; i++) {
		if (vlan <= port->vlans[i].last)
			return vlan >= port->vlans[i].first;
	}
	return false;
}

/* Order of the lists: by group, VLAN, and those without a configured MAC first. */
static inline uint64_t hg_view_member_key(uint32_t group, uint16_t vlan, bool has_mac)
{
	return (uint64_t)group << 17 | (uint64_t)(vlan & 0x0fffu) << 1 | has_mac;
}

/* Bytes for the lists of these ports. */
size_t hg_view_bytes(const struct hg_switch_port *ports, uint32_t n_ports, uint32_t n_uplinks);

/* mem has hg_view_bytes() bytes, aligned to 8. uplink_idx of every port lies in [0, n_uplinks). */
void hg_view_build(struct hg_switch_view *ret_view, const struct hg_switch_port *ports,
		   uint32_t n_ports, uint32_t n_uplinks, void *mem);

/* Position in a list of n members of the first whose key is not below `key`; n if there is none. */
uint32_t hg_view_first(const struct hg_switch_member *list, uint32_t n, uint64_t key);

/* The one port of the uplink's tenants in that VLAN for which the address is configured; HG_VIEW_NONE if
 * there is none or more than one. len: 4 or 16. */
uint32_t hg_view_find_address(const struct hg_switch_view *view, uint32_t uplink_idx, uint16_t vlan,
			      const uint8_t *bytes, uint8_t len);

#endif
