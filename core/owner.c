#include "core/owner.h"

#include "core/fnv.h"
#include "core/port.h"
#include "core/text.h"

#include <string.h>

struct owners {
	const struct hg_desired *desired;
	uint64_t *slots; /* 0: free */
	size_t mask;
	struct hg_error *reterr;
};

size_t hg_owner_count(const struct hg_desired *desired)
{
	size_t n_addresses = 0;

	for (uint32_t i = 0; i < desired->n_ports; i++)
		n_addresses += desired->ports[i].n_addresses;
	return n_addresses > desired->n_ports ? n_addresses : desired->n_ports;
}

/* ---- sentences ---------------------------------------------------------------------------------- */

static void add_hex(struct hg_text *text, unsigned value, unsigned n_digits)
{
	static const char digits[] = "0123456789abcdef";

	while (n_digits < 4u && value >> (4u * n_digits) != 0)
		n_digits++;
	while (n_digits-- > 0)
		hg_text_add_char(text, digits[(value >> (4u * n_digits)) & 15u]);
}

static void add_mac(struct hg_text *text, const uint8_t *mac)
{
	for (unsigned i = 0; i < HG_MAC_BYTES; i++) {
		if (i > 0)
			hg_text_add_char(text, ':');
		add_hex(text, mac[i], 2);
	}
}

/* As RFC 5952: the longest run of zeros, the first of those alike, is left out. */
static void add_ip6(struct hg_text *text, const uint8_t *bytes)
{
	unsigned run = 8, n_run = 1;

	for (unsigned i = 0; i < 8; i++) {
		unsigned n = 0;

		while (i + n < 8 && bytes[2 * (i + n)] == 0 && bytes[2 * (i + n) + 1] == 0)
			n++;
		if (n > n_run) {
			run = i;
			n_run = n;
		}
	}
	for (unsigned i = 0; i < 8; i++) {
		if (i == run) {
			hg_text_add(text, "::");
			i += n_run - 1u;
			continue;
		}
		if (i > 0 && i != run + n_run)
			hg_text_add_char(text, ':');
		add_hex(text, (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1], 1);
	}
}

static void add_ip(struct hg_text *text, const struct hg_address *address)
{
	if (address->len == 16) {
		add_ip6(text, address->bytes);
		return;
	}
	for (unsigned i = 0; i < 4; i++) {
		if (i > 0)
			hg_text_add_char(text, '.');
		hg_text_add_u64(text, address->bytes[i]);
	}
}

static void add_port(struct hg_text *text, const struct hg_desired *d,
		     const struct hg_desired_port *port)
{
	const struct hg_desired_instance *instance = &d->instances[port->instance_idx];

	hg_text_add(text, "port ");
	hg_text_add(text, port->name);
	hg_text_add(text, " of instance ");
	hg_text_add(text, instance->name);
	hg_text_add(text, " of tenant ");
	hg_text_add(text, d->tenants[instance->tenant_idx].name);
}

/* what: the address; where: why the two meet. */
static int refuse(const struct owners *o, const char *what, const struct hg_desired_port *a,
		  const struct hg_desired_port *b, const char *where)
{
	char whose[HG_ERROR_TEXT_BYTES];
	struct hg_text text;

	hg_text_init(&text, whose, sizeof(whose));
	add_port(&text, o->desired, a);
	hg_text_add(&text, " and ");
	add_port(&text, o->desired, b);
	return hg_error_set(o->reterr, -HG_EEXIST, what, " is there twice", where, ": ", whose,
			    NULL);
}

/* ---- who has what ------------------------------------------------------------------------------- */

static bool share_vlan(const struct hg_desired *d, const struct hg_desired_port *a,
		       const struct hg_desired_port *b)
{
	return hg_port_share_vlan(a, hg_desired_vlan(d, a), b, hg_desired_vlan(d, b));
}

static int take_mac(const struct owners *o, uint32_t idx)
{
	const struct hg_desired_port *ports = o->desired->ports, *port = &ports[idx];
	size_t slot = hg_fnv_slot(port->mac, HG_MAC_BYTES, 0, o->mask);

	for (; o->slots[slot] != 0; slot = (slot + 1u) & o->mask) {
		const struct hg_desired_port *other = &ports[o->slots[slot] - 1u];
		bool are_trunks = other->n_vlans > 0 && port->n_vlans > 0;
		struct hg_text text;
		char mac[24];
		int rc;

		if (memcmp(other->mac, port->mac, HG_MAC_BYTES) != 0 ||
		    !share_vlan(o->desired, other, port))
			continue;
		hg_text_init(&text, mac, sizeof(mac));
		add_mac(&text, port->mac);
		rc = refuse(o, mac, other, port, are_trunks ? ", on trunks" : " in one VLAN");
		hg_error_at(o->reterr, "mac");
		return rc;
	}
	o->slots[slot] = idx + 1u;
	return 0;
}

static uint32_t uplink_of(const struct hg_desired *d, const struct hg_desired_port *port)
{
	return d->tenants[d->instances[port->instance_idx].tenant_idx].uplink_idx;
}

static bool are_one_network(const struct hg_desired *d, const struct hg_desired_port *a,
			    const struct hg_desired_port *b)
{
	return uplink_of(d, a) == uplink_of(d, b) &&
	       hg_port_meet(a, hg_desired_vlan(d, a), b, hg_desired_vlan(d, b));
}

static int take_address(const struct owners *o, uint32_t idx, uint32_t n)
{
	const struct hg_desired_port *ports = o->desired->ports, *port = &ports[idx];
	const struct hg_address *address = &port->addresses[n];
	size_t slot =
		hg_fnv_slot(address->bytes, address->len, uplink_of(o->desired, port), o->mask);

	for (; o->slots[slot] != 0; slot = (slot + 1u) & o->mask) {
		uint64_t taken = o->slots[slot] - 1u;
		const struct hg_desired_port *other = &ports[taken / HG_PORT_ADDRESSES_MAX];
		const struct hg_address *its = &other->addresses[taken % HG_PORT_ADDRESSES_MAX];
		struct hg_text text;
		char what[48];
		int rc;

		if (!hg_port_same_address(its, address) ||
		    other->instance_idx == port->instance_idx ||
		    !are_one_network(o->desired, other, port))
			continue;
		hg_text_init(&text, what, sizeof(what));
		add_ip(&text, address);
		rc = refuse(o, what, other, port, " in one VLAN of one uplink");
		hg_error_at_index(o->reterr, "addresses", n);
		return rc;
	}
	o->slots[slot] = (uint64_t)idx * HG_PORT_ADDRESSES_MAX + n + 1u;
	return 0;
}

int hg_owner_check(const struct hg_desired *desired, uint64_t *scratch, size_t n_slots,
		   uint32_t *ret_port_idx, struct hg_error *reterr)
{
	const struct owners o = {desired, scratch, n_slots - 1u, reterr};
	uint32_t idx = 0;
	int rc = 0;

	memset(scratch, 0, n_slots * sizeof(scratch[0]));
	for (; rc == 0 && idx < desired->n_ports; idx++)
		rc = desired->ports[idx].has_mac ? take_mac(&o, idx) : 0;
	if (rc == 0) {
		memset(scratch, 0, n_slots * sizeof(scratch[0]));
		idx = 0;
	}
	for (; rc == 0 && idx < desired->n_ports; idx++) {
		for (uint32_t n = 0; rc == 0 && n < desired->ports[idx].n_addresses; n++)
			rc = take_address(&o, idx, n);
	}
	if (rc < 0)
		*ret_port_idx = idx - 1u;
	return rc;
}
