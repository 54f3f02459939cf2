#include "core/port.h"

#include "core/text.h"

#include <string.h>

/* Of one machine: neither nobody's nor a group's. */
static bool is_host_address(const struct hg_address *address)
{
	static const uint8_t none[16];

	if (memcmp(address->bytes, none, address->len) == 0)
		return false;
	return address->len == 4 ? address->bytes[0] < 224u : address->bytes[0] != 0xffu;
}

static int refuse_address(uint32_t idx, int rc, struct hg_error *reterr)
{
	hg_error_at_index(reterr, "", idx);
	return rc;
}

int hg_port_check_addresses(const struct hg_desired_port *port, struct hg_error *reterr)
{
	if (port->n_addresses > HG_PORT_ADDRESSES_MAX)
		return hg_error_set(reterr, -HG_EINVAL, "at most 8 addresses a port", NULL);
	for (uint32_t i = 0; i < port->n_addresses; i++) {
		const struct hg_address *address = &port->addresses[i];

		if (address->len != 4 && address->len != 16)
			return refuse_address(
				i,
				hg_error_set(reterr, -HG_EINVAL,
					     "an address is 4 bytes (IPv4) or 16 (IPv6)", NULL),
				reterr);
		if (!is_host_address(address))
			return refuse_address(
				i,
				hg_error_set(
					reterr, -HG_EINVAL,
					"a port's address is that of one machine: not 0.0.0.0 or "
					"::, and not a group's or a broadcast",
					NULL),
				reterr);
	}
	return 0;
}

static int own_among_tagged(uint16_t vlan, struct hg_error *reterr)
{
	char number[8];
	struct hg_text text;

	hg_text_init(&text, number, sizeof(number));
	hg_text_add_u64(&text, vlan);
	return hg_error_set(reterr, -HG_EINVAL, "VLAN ", number,
			    " is the port's own (vlan, or its tenant's), whose frames have no tag: "
			    "leave it out of the list",
			    NULL);
}

int hg_port_check_vlans(const struct hg_desired_port *port, uint16_t own, struct hg_error *reterr)
{
	uint16_t behind = 0;

	if (port->n_vlans > HG_PORT_VLANS_MAX)
		return hg_error_set(reterr, -HG_EINVAL, "at most 16 VLANs or ranges of them a port",
				    NULL);
	for (uint32_t i = 0; i < port->n_vlans; i++) {
		struct hg_vlan_range range = port->vlans[i];

		if (range.first < 1 || range.last > HG_VLAN_MAX || range.first > range.last ||
		    range.first <= behind)
			return hg_error_set(reterr, -HG_EINVAL,
					    "VLANs are 1 to 4094, in order, and none twice", NULL);
		if (own >= range.first && own <= range.last)
			return own_among_tagged(own, reterr);
		behind = range.last;
	}
	return 0;
}

static bool is_tagged_in(const struct hg_desired_port *port, uint16_t vlan)
{
	for (uint32_t i = 0; i < port->n_vlans; i++) {
		if (vlan >= port->vlans[i].first && vlan <= port->vlans[i].last)
			return true;
	}
	return false;
}

bool hg_port_share_vlan(const struct hg_desired_port *a, uint16_t own_a,
			const struct hg_desired_port *b, uint16_t own_b)
{
	return (a->n_vlans > 0 && b->n_vlans > 0) || hg_port_meet(a, own_a, b, own_b);
}

bool hg_port_meet(const struct hg_desired_port *a, uint16_t own_a, const struct hg_desired_port *b,
		  uint16_t own_b)
{
	if (own_a == own_b || is_tagged_in(a, own_b) || is_tagged_in(b, own_a))
		return true;
	for (uint32_t i = 0; i < a->n_vlans; i++) {
		for (uint32_t j = 0; j < b->n_vlans; j++) {
			if (a->vlans[i].first <= b->vlans[j].last &&
			    b->vlans[j].first <= a->vlans[i].last)
				return true;
		}
	}
	return false;
}

bool hg_port_same_address(const struct hg_address *a, const struct hg_address *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}
