#include "vswitch/view.h"

#include <string.h>

static size_t count_addresses(const struct hg_switch_port *ports, uint32_t n_ports)
{
	size_t n = 0;

	for (uint32_t i = 0; i < n_ports; i++)
		n += ports[i].n_addresses;
	return n;
}

static size_t round_up(size_t n)
{
	return (n + 7u) & ~(size_t)7u;
}

size_t hg_view_bytes(const struct hg_switch_port *ports, uint32_t n_ports, uint32_t n_uplinks)
{
	return 4u * n_ports * sizeof(struct hg_switch_member) +
	       round_up(count_addresses(ports, n_ports) * sizeof(struct hg_switch_address)) +
	       round_up(n_uplinks * sizeof(uint32_t));
}

static int compare_members(const void *a, const void *b)
{
	const struct hg_switch_member *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->port_idx < y->port_idx ? -1 : x->port_idx > y->port_idx;
}

static int compare_place(const struct hg_switch_address *a, const struct hg_switch_address *b)
{
	if (a->uplink_idx != b->uplink_idx)
		return a->uplink_idx < b->uplink_idx ? -1 : 1;
	if (a->vlan != b->vlan)
		return a->vlan < b->vlan ? -1 : 1;
	if (a->address.len != b->address.len)
		return a->address.len < b->address.len ? -1 : 1;
	return memcmp(a->address.bytes, b->address.bytes, a->address.len);
}

static int compare_addresses(const void *a, const void *b)
{
	return compare_place(a, b);
}

typedef int compare_fn(const void *a, const void *b);

#define ITEM_MAX_BYTES 48u

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
	uint8_t kept[ITEM_MAX_BYTES];

	memcpy(kept, a, size);
	memcpy(a, b, size);
	memcpy(b, kept, size);
}

static void sift_down(uint8_t *items, size_t top, size_t n, size_t size, compare_fn *compare)
{
	for (;;) {
		size_t child = 2u * top + 1u;

		if (child >= n)
			return;
		if (child + 1u < n &&
		    compare(items + child * size, items + (child + 1u) * size) < 0)
			child++;
		if (compare(items + top * size, items + child * size) >= 0)
			return;
		swap(items + top * size, items + child * size, size);
		top = child;
	}
}

/* Heap sort: the C library's is not ours to use in this layer, and this one needs no memory. */
static void sort(void *mem, size_t n, size_t size, compare_fn *compare)
{
	uint8_t *items = mem;

	for (size_t i = n / 2u; i-- > 0;)
		sift_down(items, i, n, size, compare);
	for (size_t last = n; last-- > 1u;) {
		swap(items, items + last * size, size);
		sift_down(items, 0, last, size, compare);
	}
}

static uint32_t list_members(const struct hg_switch_port *ports, uint32_t n_ports, bool by_tenant,
			     struct hg_switch_member *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_ports; i++) {
		const struct hg_switch_port *p = &ports[i];

		if (p->is_uplink || p->is_gone)
			continue;
		list[n++] = (struct hg_switch_member){
			.key = hg_view_member_key(by_tenant ? p->tenant_idx : p->uplink_idx,
						  p->vlan, p->has_mac),
			.port_idx = i,
		};
	}
	sort(list, n, sizeof(*list), compare_members);
	return n;
}

static uint32_t list_trunks(const struct hg_switch_port *ports, uint32_t n_ports, bool by_tenant,
			    struct hg_switch_member *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_ports; i++) {
		const struct hg_switch_port *p = &ports[i];

		if (p->is_uplink || p->is_gone || p->n_vlans == 0)
			continue;
		list[n++] = (struct hg_switch_member){
			.key = hg_view_member_key(by_tenant ? p->tenant_idx : p->uplink_idx, 0,
						  p->has_mac),
			.port_idx = i,
		};
	}
	sort(list, n, sizeof(*list), compare_members);
	return n;
}

static uint32_t list_addresses(const struct hg_switch_port *ports, uint32_t n_ports,
			       struct hg_switch_address *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_ports; i++) {
		const struct hg_switch_port *p = &ports[i];

		if (p->is_uplink || p->is_gone)
			continue;
		for (uint32_t a = 0; a < p->n_addresses; a++) {
			list[n++] = (struct hg_switch_address){
				.uplink_idx = p->uplink_idx,
				.port_idx = i,
				.vlan = p->vlan,
				.address = p->addresses[a],
			};
		}
	}
	sort(list, n, sizeof(*list), compare_addresses);
	return n;
}

void hg_view_build(struct hg_switch_view *ret_view, const struct hg_switch_port *ports,
		   uint32_t n_ports, uint32_t n_uplinks, void *mem)
{
	struct hg_switch_member *of_tenant = mem, *of_uplink = of_tenant + n_ports;
	struct hg_switch_member *trunks_of_tenant = of_uplink + n_ports;
	struct hg_switch_member *trunks_of_uplink = trunks_of_tenant + n_ports;
	struct hg_switch_address *addresses =
		(struct hg_switch_address *)(trunks_of_uplink + n_ports);
	uint32_t *uplink_ports = (uint32_t *)(void *)((uint8_t *)addresses +
						      round_up(count_addresses(ports, n_ports) *
							       sizeof(*addresses)));
	uint32_t n_members = list_members(ports, n_ports, /* by_tenant= */ true, of_tenant);

	list_members(ports, n_ports, /* by_tenant= */ false, of_uplink);
	list_trunks(ports, n_ports, /* by_tenant= */ false, trunks_of_uplink);
	for (uint32_t u = 0; u < n_uplinks; u++)
		uplink_ports[u] = HG_VIEW_NONE;
	for (uint32_t i = 0; i < n_ports; i++) {
		if (ports[i].is_uplink && !ports[i].is_gone)
			uplink_ports[ports[i].uplink_idx] = i;
	}
	*ret_view = (struct hg_switch_view){
		.ports = ports,
		.n_ports = n_ports,
		.n_uplinks = n_uplinks,
		.n_members = n_members,
		.n_trunks = list_trunks(ports, n_ports, /* by_tenant= */ true, trunks_of_tenant),
		.trunks_of_tenant = trunks_of_tenant,
		.trunks_of_uplink = trunks_of_uplink,
		.n_addresses = list_addresses(ports, n_ports, addresses),
		.uplink_ports = uplink_ports,
		.of_tenant = of_tenant,
		.of_uplink = of_uplink,
		.addresses = addresses,
	};
}

uint32_t hg_view_first(const struct hg_switch_member *list, uint32_t n, uint64_t key)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2u;

		if (list[mid].key < key)
			lo = mid + 1u;
		else
			hi = mid;
	}
	return lo;
}

uint32_t hg_view_find_address(const struct hg_switch_view *view, uint32_t uplink_idx, uint16_t vlan,
			      const uint8_t *bytes, uint8_t len)
{
	struct hg_switch_address want = {
		.uplink_idx = uplink_idx, .vlan = vlan, .address.len = len};
	const struct hg_switch_address *list = view->addresses;
	uint32_t lo = 0, hi = view->n_addresses;

	memcpy(want.address.bytes, bytes, len);
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2u;

		if (compare_place(&list[mid], &want) < 0)
			lo = mid + 1u;
		else
			hi = mid;
	}
	if (lo == view->n_addresses || compare_place(&list[lo], &want) != 0)
		return HG_VIEW_NONE;
	if (lo + 1u < view->n_addresses && compare_place(&list[lo + 1u], &want) == 0)
		return HG_VIEW_NONE;
	return list[lo].port_idx;
}
