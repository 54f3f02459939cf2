#include "api/desired.h"

#include "api/config.h"
#include "api/schema.h"

#include <stdlib.h>
#include <string.h>

static void *array_of(uint32_t n, size_t size)
{
	return calloc(n > 0 ? n : 1u, size);
}

struct hg_desired *hg_desired_create(uint32_t n_uplinks, uint32_t n_tenants, uint32_t n_instances,
				     uint32_t n_ports)
{
	struct hg_desired *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	hg_resource_reset(&hg_schema_host, d);
	d->uplinks = array_of(n_uplinks, sizeof(*d->uplinks));
	d->tenants = array_of(n_tenants, sizeof(*d->tenants));
	d->instances = array_of(n_instances, sizeof(*d->instances));
	d->ports = array_of(n_ports, sizeof(*d->ports));
	d->n_uplinks = n_uplinks;
	d->n_tenants = n_tenants;
	d->n_instances = n_instances;
	d->n_ports = n_ports;
	if (d->uplinks == NULL || d->tenants == NULL || d->instances == NULL || d->ports == NULL) {
		hg_config_destroy(d);
		return NULL;
	}
	return d;
}

struct hg_desired *hg_config_create(void)
{
	return hg_desired_create(0, 0, 0, 0);
}

void hg_config_destroy(struct hg_desired *desired)
{
	if (desired == NULL)
		return;
	free(desired->uplinks);
	free(desired->tenants);
	free(desired->instances);
	free(desired->ports);
	free(desired);
}

struct hg_desired *hg_config_copy(const struct hg_desired *from)
{
	struct hg_desired *d = hg_desired_create(from->n_uplinks, from->n_tenants,
						 from->n_instances, from->n_ports);

	if (d == NULL)
		return NULL;
	d->mode = from->mode;
	d->oversubscription_ppm = from->oversubscription_ppm;
	d->n_processors = from->n_processors;
	for (uint32_t i = 0; i < from->n_uplinks; i++)
		d->uplinks[i] = from->uplinks[i];
	for (uint32_t i = 0; i < from->n_tenants; i++)
		d->tenants[i] = from->tenants[i];
	for (uint32_t i = 0; i < from->n_instances; i++)
		d->instances[i] = from->instances[i];
	for (uint32_t i = 0; i < from->n_ports; i++)
		d->ports[i] = from->ports[i];
	return d;
}

bool hg_config_equal(const struct hg_desired *a, const struct hg_desired *b)
{
	if (!hg_resource_equal(&hg_schema_host, a, b) || a->n_uplinks != b->n_uplinks ||
	    a->n_tenants != b->n_tenants || a->n_instances != b->n_instances ||
	    a->n_ports != b->n_ports)
		return false;
	for (uint32_t i = 0; i < a->n_uplinks; i++) {
		if (!hg_resource_equal(&hg_schema_uplink, &a->uplinks[i], &b->uplinks[i]))
			return false;
	}
	for (uint32_t i = 0; i < a->n_tenants; i++) {
		if (a->tenants[i].uplink_idx != b->tenants[i].uplink_idx ||
		    !hg_resource_equal(&hg_schema_tenant, &a->tenants[i], &b->tenants[i]))
			return false;
	}
	for (uint32_t i = 0; i < a->n_instances; i++) {
		if (a->instances[i].tenant_idx != b->instances[i].tenant_idx ||
		    !hg_resource_equal(&hg_schema_instance, &a->instances[i], &b->instances[i]))
			return false;
	}
	for (uint32_t i = 0; i < a->n_ports; i++) {
		if (a->ports[i].instance_idx != b->ports[i].instance_idx ||
		    !hg_resource_equal(&hg_schema_port, &a->ports[i], &b->ports[i]))
			return false;
	}
	return true;
}
