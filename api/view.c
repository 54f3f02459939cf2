#include "api/view.h"

#include "api/card.h"
#include "api/credits.h"
#include "api/put.h"
#include "api/schema.h"
#include "core/admit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* ---- small parts -------------------------------------------------------------------------------- */

/* Those that occurred. */
static json_t *drops_json(const uint64_t drops[HG_N_DROPS])
{
	json_t *object = json_object();

	for (unsigned i = 0; i < HG_N_DROPS; i++) {
		if (drops[i] > 0)
			hg_put_u64(object, hg_drop_name((enum hg_drop)i), drops[i]);
	}
	return object;
}

/* Where anybody was. */
static void put_refused(json_t *object, const uint64_t n_refused[HG_N_GUEST_REFUSALS])
{
	json_t *refused = json_object();

	for (unsigned i = 0; i < HG_N_GUEST_REFUSALS; i++) {
		if (n_refused[i] > 0)
			hg_put_u64(refused, hg_guest_refusal_name((enum hg_guest_refusal)i),
				   n_refused[i]);
	}
	if (json_object_size(refused) > 0)
		hg_put(object, "refused_guests", refused);
	else
		json_decref(refused);
}

static json_t *held_json(const uint64_t held_ns[HG_N_LIMITS])
{
	json_t *object = json_object();

	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		hg_put_u64(object, hg_limit_name((enum hg_limit)i), held_ns[i]);
	return object;
}

static json_t *policy_json(const struct hg_policy *policy)
{
	json_t *object = json_object();

	hg_put_u64(object, "min_bytes_per_s", policy->min_bytes_per_s);
	hg_put_u64(object, "max_bytes_per_s", policy->max_bytes_per_s);
	hg_put_u64(object, "max_pkts_per_s", policy->max_pkts_per_s);
	hg_put_u64(object, "weight", policy->weight);
	hg_put_u64(object, "burst_bytes", policy->burst_bytes);
	hg_put_u64(object, "reserve_bytes", policy->reserve_bytes);
	hg_put_u64(object, "idle_after_ns", (uint64_t)policy->idle_after_ns);
	hg_put_text(object, "accounting", policy->accounting == HG_ACCOUNT_L2 ? "l2" : "wire");
	return object;
}

/* What only instances have. */
static void put_instance_policy(json_t *object, const struct hg_policy *policy, enum hg_dir dir)
{
	const struct hg_field *priority = hg_schema_find(&hg_schema_policy, "priority");
	const struct hg_field *behaviour = hg_schema_find(&hg_schema_policy, "behaviour");

	hg_put_text(object, "priority", priority->words[policy->priority]);
	if (dir == HG_OUT)
		hg_put_text(object, "behaviour", behaviour->words[policy->behaviour]);
}

static json_t *measure_json(const struct hg_measure *m)
{
	json_t *object = json_object();

	hg_put_u64(object, "for_ns", (uint64_t)m->for_ns);
	hg_put_u64(object, "offered_bytes_per_s", m->offered_bytes_per_s);
	hg_put_u64(object, "sent_bytes_per_s", m->sent_bytes_per_s);
	hg_put_u64(object, "link_offered_bytes_per_s", m->link_offered_bytes_per_s);
	hg_put_u64(object, "link_sent_bytes_per_s", m->link_sent_bytes_per_s);
	hg_put_u64(object, "waiting_bytes", m->waiting_bytes);
	hg_put_u64(object, "wait_ns", m->wait_ns);
	hg_put(object, "held_ns", held_json(m->held_ns));
	hg_put_text(object, "held_by", hg_limit_name(m->held_by));
	hg_put_u64(object, "wait_p50_ns", (uint64_t)m->wait_p50_ns);
	hg_put_u64(object, "wait_p99_ns", (uint64_t)m->wait_p99_ns);
	hg_put_u64(object, "drops", m->drops);
	hg_put_u64(object, "marked_pkts", m->marked_pkts);
	hg_card_put_quantiles(object, &m->card);
	hg_put(object, "is_active", json_boolean(m->is_active));
	return object;
}

static json_t *proof_json(const struct hg_proof *proof)
{
	json_t *object = json_object();

	hg_put_u64(object, "kept", proof->kept);
	hg_put_u64(object, "missed", proof->missed);
	hg_put_u64(object, "missed_min", proof->missed_min);
	hg_put_u64(object, "missed_max", proof->missed_max);
	hg_put_u64(object, "stolen", proof->stolen);
	return object;
}

static void put_directions(json_t *object, const struct hg_contract *contract,
			   const struct hg_status_row *row, bool is_instance)
{
	for (unsigned d = 0; d < HG_N_DIRS; d++) {
		json_t *direction = json_object(), *policy = policy_json(&contract->dir[d]);

		if (is_instance)
			put_instance_policy(policy, &contract->dir[d], (enum hg_dir)d);
		hg_put(direction, "contract", policy);
		hg_put(direction, "second", measure_json(&row->second[d]));
		hg_put(direction, "total", measure_json(&row->total[d]));
		hg_put(direction, "proof", proof_json(&row->proof[d]));
		hg_put(direction, "drops", drops_json(row->drops[d]));
		if (is_instance && d == HG_OUT)
			hg_put(direction, "card", hg_card_of_instance(row));
		hg_put(object, hg_dir_name((enum hg_dir)d), direction);
	}
}

/* What holds for a contract: observing is said on the host, on the tenant or on the instance. */
static const char *mode_name(const struct hg_desired *d, const struct hg_contract *tenant,
			     const struct hg_contract *instance)
{
	bool is_observed = d->mode == HG_MODE_OBSERVE || tenant->mode == HG_MODE_OBSERVE ||
			   (instance != NULL && instance->mode == HG_MODE_OBSERVE);

	return is_observed ? "observe" : "enforce";
}

/* ---- names -------------------------------------------------------------------------------------- */

#define FIND(function, array, count)                                          \
	uint32_t function(const struct hg_desired *desired, const char *name) \
	{                                                                     \
		for (uint32_t i = 0; i < desired->count; i++) {               \
			if (strcmp(desired->array[i].name, name) == 0)        \
				return i;                                     \
		}                                                             \
		return HG_VIEW_NONE;                                          \
	}

FIND(hg_view_find_tenant, tenants, n_tenants)
FIND(hg_view_find_instance, instances, n_instances)
FIND(hg_view_find_port, ports, n_ports)
FIND(hg_view_find_uplink, uplinks, n_uplinks)

/* ---- things ------------------------------------------------------------------------------------- */

json_t *hg_view_host(const struct hg_control *control, const char *version, hg_ns now_ns)
{
	const struct hg_desired *d = hg_control_desired(control);
	struct hg_status_host host;
	json_t *object = json_object();

	hg_control_status_host(control, now_ns, &host);
	hg_put_text(object, "version", version);
	hg_put_text(object, "mode", d->mode == HG_MODE_OBSERVE ? "observe" : "enforce");
	hg_put_u64(object, "up_for_ns", (uint64_t)host.up_for_ns);
	hg_put_u64(object, "generation", host.generation);
	hg_put_u64(object, "seconds", host.seconds);
	hg_put_u64(object, "stolen_seconds", host.stolen_seconds);
	hg_put_u64(object, "second_stolen_ns", (uint64_t)host.second_stolen_ns);
	hg_put_u64(object, "confirm_within_ns", (uint64_t)host.confirm_within_ns);
	hg_put_u64(object, "busy_ppm", host.busy_ppm);
	hg_put_u64(object, "free_buffers", host.free_buffers);
	hg_put_u64(object, "n_buffers", host.n_buffers);
	hg_put_u64(object, "heap_bytes", host.heap_bytes);
	hg_put_u64(object, "n_uplinks", d->n_uplinks);
	hg_put_u64(object, "n_tenants", d->n_tenants);
	hg_put_u64(object, "n_instances", d->n_instances);
	hg_put_u64(object, "n_ports", d->n_ports);
	hg_put(object, "drops", drops_json(host.drops));
	return object;
}

json_t *hg_view_connections(const struct hg_connections *connections)
{
	json_t *object = json_object(), *refused = json_object();

	hg_put_u64(object, "n", connections->n);
	hg_put_u64(object, "max", HG_CONNECTIONS_MAX);
	for (unsigned i = 0; i < HG_N_REFUSALS; i++) {
		if (connections->n_refused[i] > 0)
			hg_put_u64(refused, hg_refusal_name((enum hg_refusal)i),
				   connections->n_refused[i]);
	}
	hg_put(object, "refused", refused);
	return object;
}

/* What the tenants of an uplink are guaranteed together, as admission adds it up: a tenant's own minimum,
 * or, where it has none, those of its instances. */
static uint64_t guaranteed(const struct hg_desired *d, uint32_t uplink_idx, enum hg_dir dir)
{
	uint64_t sum = 0;

	for (uint32_t t = 0; t < d->n_tenants; t++) {
		if (d->tenants[t].uplink_idx == uplink_idx)
			sum += d->tenants[t].contract.dir[dir].min_bytes_per_s;
	}
	for (uint32_t i = 0; i < d->n_instances; i++) {
		const struct hg_desired_tenant *tenant = &d->tenants[d->instances[i].tenant_idx];

		if (tenant->uplink_idx == uplink_idx &&
		    tenant->contract.dir[dir].min_bytes_per_s == 0)
			sum += d->instances[i].contract.dir[dir].min_bytes_per_s;
	}
	return sum;
}

static json_t *limits_json(const struct hg_resource *resource, const struct hg_flood_rates *limits)
{
	json_t *object = json_object();

	for (const struct hg_field *f = resource->fields; f->key != NULL; f++) {
		char text[HG_FIELD_TEXT_BYTES];

		hg_put_text(object, f->key,
			    hg_field_is_default(f, limits)
				    ? f->fallback_text
				    : hg_field_format(f, limits, text, sizeof(text)));
	}
	return object;
}

json_t *hg_view_uplink(const struct hg_control *control, uint32_t idx)
{
	const struct hg_desired *d = hg_control_desired(control);
	const struct hg_desired_uplink *uplink = &d->uplinks[idx];
	struct hg_status_uplink status;
	json_t *object = json_object(), *sums = json_object();

	hg_control_status_uplink(control, idx, &status);
	hg_put_text(object, "name", uplink->name);
	hg_put_text(object, "device", uplink->device);
	hg_put_text(object, "link", status.link);
	hg_put_text(object, "reason", status.reason);
	hg_put_text(object, "mode", d->mode == HG_MODE_OBSERVE ? "observe" : "enforce");
	hg_put(object, "limits", limits_json(&hg_schema_uplink_limits, &uplink->limits));
	hg_put_u64(object, "capacity_bytes_per_s", uplink->capacity_bytes_per_s);
	hg_put_u64(object, "promised_bytes_per_s",
		   uplink->capacity_bytes_per_s / 1000u * (HG_ROOT_PACE_PPM / 1000u));
	hg_put_u64(sums, "out", guaranteed(d, idx, HG_OUT));
	hg_put_u64(sums, "in", guaranteed(d, idx, HG_IN));
	hg_put(object, "guaranteed_bytes_per_s", sums);
	hg_put_u64(object, "out_bytes_per_s", status.out_bytes_per_s);
	hg_put_u64(object, "in_bytes_per_s", status.in_bytes_per_s);
	hg_put_u64(object, "tx_wire_bytes", status.tx_wire_bytes);
	hg_put_u64(object, "rx_wire_bytes", status.rx_wire_bytes);
	hg_put_u64(object, "tx_pkts", status.tx_pkts);
	hg_put_u64(object, "rx_pkts", status.rx_pkts);
	hg_put_u64(object, "queued_bytes", status.queued_bytes);
	hg_put_u64(object, "card_pkts", status.card_pkts);
	hg_put_u64(object, "card_ring_pkts", status.card_ring_pkts);
	hg_put_u64(object, "card_bytes", status.card_bytes);
	hg_put(object, "inflight", hg_card_json(uplink, &status.card));
	hg_put(object, "drops", drops_json(status.drops));
	return object;
}

json_t *hg_view_uplink_whole(const struct hg_control *control, uint32_t idx)
{
	json_t *object = hg_view_uplink(control, idx);

	hg_put(object, "instances", hg_card_instances(control, idx));
	return object;
}

static json_t *tenant_json(const struct hg_control *control, uint32_t idx)
{
	const struct hg_desired *d = hg_control_desired(control);
	const struct hg_desired_tenant *tenant = &d->tenants[idx];
	struct hg_status_row row;
	json_t *object = json_object();

	hg_control_status_tenant(control, idx, &row);
	hg_put_text(object, "name", tenant->name);
	hg_put_text(object, "uplink", d->uplinks[tenant->uplink_idx].name);
	hg_put_text(object, "mode", mode_name(d, &tenant->contract, NULL));
	put_directions(object, &tenant->contract, &row, /* is_instance= */ false);
	hg_put(object, "instances", json_array());
	return object;
}

static json_t *instance_json(const struct hg_control *control, uint32_t idx)
{
	const struct hg_desired *d = hg_control_desired(control);
	const struct hg_desired_instance *instance = &d->instances[idx];
	const struct hg_desired_tenant *tenant = &d->tenants[instance->tenant_idx];
	struct hg_status_row row;
	json_t *object = json_object();
	json_t *credit;

	hg_control_status_instance(control, idx, &row);
	hg_put_text(object, "name", instance->name);
	hg_put_text(object, "tenant", tenant->name);
	hg_put_text(object, "uplink", d->uplinks[tenant->uplink_idx].name);
	hg_put_text(object, "mode", mode_name(d, &tenant->contract, &instance->contract));
	hg_put(object, "ports", json_array());
	put_directions(object, &instance->contract, &row, /* is_instance= */ true);
	credit = hg_credit_of_instance(control, idx);
	if (credit != NULL)
		hg_put(object, "credit", credit);
	return object;
}

json_t *hg_view_instance(const struct hg_control *control, uint32_t idx)
{
	const struct hg_desired *d = hg_control_desired(control);
	json_t *object = instance_json(control, idx), *ports = json_object_get(object, "ports");
	json_t *port_drops = json_object();

	for (uint32_t i = 0; i < d->n_ports; i++) {
		struct hg_status_port status;
		json_t *drops;

		if (d->ports[i].instance_idx != idx)
			continue;
		(void)json_array_append_new(ports, json_string(d->ports[i].name));
		hg_control_status_port(control, i, &status);
		drops = drops_json(status.drops);
		if (json_object_size(drops) > 0)
			hg_put(port_drops, d->ports[i].name, json_incref(drops));
		json_decref(drops);
	}
	hg_put(object, "port_drops", port_drops);
	return object;
}

json_t *hg_view_tenant(const struct hg_control *control, uint32_t idx)
{
	const struct hg_desired *d = hg_control_desired(control);
	json_t *object = tenant_json(control, idx), *list = json_object_get(object, "instances");

	for (uint32_t i = 0; i < d->n_instances; i++) {
		if (d->instances[i].tenant_idx == idx)
			(void)json_array_append_new(list, hg_view_instance(control, i));
	}
	return object;
}

static json_t *mirror_json(const struct hg_mirror *mirror)
{
	const struct hg_field *direction = hg_schema_find(&hg_schema_mirror, "direction");
	json_t *object = json_object();

	hg_put_text(object, "to", mirror->to);
	hg_put(object, "direction", hg_field_to_json(direction, mirror));
	return object;
}

static json_t *guard_json(const struct hg_desired_guard *guard)
{
	json_t *object = json_object();

	hg_put_text(object, "ra", guard->may_route ? "allow" : "refuse");
	hg_put_text(object, "dhcp_server", guard->may_serve_dhcp ? "allow" : "refuse");
	return object;
}

json_t *hg_view_port(const struct hg_control *control, uint32_t idx)
{
	const struct hg_desired *d = hg_control_desired(control);
	const struct hg_desired_port *port = &d->ports[idx];
	const struct hg_desired_instance *instance = &d->instances[port->instance_idx];
	struct hg_status_port status;
	char text[INET6_ADDRSTRLEN] = "";
	json_t *object = json_object(), *addresses = json_array();

	hg_control_status_port(control, idx, &status);
	hg_put_text(object, "name", port->name);
	hg_put_text(object, "instance", instance->name);
	hg_put_text(object, "tenant", d->tenants[instance->tenant_idx].name);
	hg_put_text(object, "device", port->device);
	hg_put_text(object, "netns", port->netns);
	if (port->has_mac)
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", port->mac[0],
			 port->mac[1], port->mac[2], port->mac[3], port->mac[4], port->mac[5]);
	hg_put_text(object, "mac", text);
	hg_put_u64(object, "vlan", hg_desired_vlan(d, port));
	hg_put(object, "vlans", hg_field_to_json(hg_schema_find(&hg_schema_port, "vlans"), port));
	hg_put_u64(object, "mtu", port->mtu);
	for (uint32_t i = 0; i < port->n_addresses; i++) {
		int family = port->addresses[i].len == 4 ? AF_INET : AF_INET6;

		if (inet_ntop(family, port->addresses[i].bytes, text, sizeof(text)) != NULL)
			(void)json_array_append_new(addresses, json_string(text));
	}
	hg_put(object, "addresses", addresses);
	if (port->mirror.to[0] != '\0')
		hg_put(object, "mirror", mirror_json(&port->mirror));
	hg_put(object, "guard", guard_json(&port->guard));
	hg_put(object, "limits", limits_json(&hg_schema_limits, &port->limits));
	hg_put_text(object, "link", status.link);
	hg_put_text(object, "reason", status.reason);
	if (status.last_reason[0] != '\0') {
		hg_put_text(object, "last_reason", status.last_reason);
		hg_put_u64(object, "last_reason_age_ns", (uint64_t)status.last_reason_age_ns);
	}
	put_refused(object, status.n_refused_guests);
	hg_put_u64(object, "rx_pkts", status.rx_pkts);
	hg_put_u64(object, "rx_bytes", status.rx_bytes);
	hg_put_u64(object, "tx_pkts", status.tx_pkts);
	hg_put_u64(object, "tx_bytes", status.tx_bytes);
	hg_put_u64(object, "learned", status.n_learned);
	hg_put_u64(object, "learn_refused", status.n_refused);
	hg_put_u64(object, "introductions", status.n_introductions);
	hg_put(object, "drops", drops_json(status.drops));
	return object;
}

/* ---- lists -------------------------------------------------------------------------------------- */

typedef json_t *(*one_fn)(const struct hg_control *control, uint32_t idx);

static json_t *list(const struct hg_control *control, uint32_t n, one_fn one)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < n; i++)
		(void)json_array_append_new(array, one(control, i));
	return array;
}

static json_t *wrap(const char *key, json_t *value)
{
	json_t *object = json_object();

	hg_put(object, key, value);
	return object;
}

/* All instances with their ports, in one pass over each. */
static json_t *instances_json(const struct hg_control *control)
{
	const struct hg_desired *d = hg_control_desired(control);
	json_t *array = list(control, d->n_instances, instance_json);

	for (uint32_t i = 0; i < d->n_ports; i++) {
		json_t *owner = json_array_get(array, d->ports[i].instance_idx);

		(void)json_array_append_new(json_object_get(owner, "ports"),
					    json_string(d->ports[i].name));
	}
	return array;
}

static json_t *tenants_json(const struct hg_control *control)
{
	const struct hg_desired *d = hg_control_desired(control);
	json_t *array = list(control, d->n_tenants, tenant_json);
	json_t *instances = instances_json(control);

	for (uint32_t i = 0; i < d->n_instances; i++) {
		json_t *owner = json_array_get(array, d->instances[i].tenant_idx);

		(void)json_array_append(json_object_get(owner, "instances"),
					json_array_get(instances, i));
	}
	json_decref(instances);
	return array;
}

json_t *hg_view_uplinks(const struct hg_control *control)
{
	return wrap("uplinks",
		    list(control, hg_control_desired(control)->n_uplinks, hg_view_uplink_whole));
}

json_t *hg_view_tenants(const struct hg_control *control)
{
	return wrap("tenants", tenants_json(control));
}

json_t *hg_view_instances(const struct hg_control *control)
{
	return wrap("instances", instances_json(control));
}

json_t *hg_view_ports(const struct hg_control *control)
{
	return wrap("ports", list(control, hg_control_desired(control)->n_ports, hg_view_port));
}

json_t *hg_view_status(const struct hg_control *control, const char *version, hg_ns now_ns)
{
	json_t *object = json_object();

	hg_put(object, "host", hg_view_host(control, version, now_ns));
	hg_put(object, "uplinks",
	       list(control, hg_control_desired(control)->n_uplinks, hg_view_uplink));
	hg_put(object, "tenants", tenants_json(control));
	return object;
}
