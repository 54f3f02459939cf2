#include "core/mirror.h"

#include <string.h>

uint32_t hg_mirror_find(const struct hg_desired *desired, const char *name)
{
	for (uint32_t i = 0; i < desired->n_ports; i++) {
		if (strcmp(desired->ports[i].name, name) == 0)
			return i;
	}
	return UINT32_MAX;
}

static uint32_t tenant_of(const struct hg_desired *d, uint32_t port_idx)
{
	return d->instances[d->ports[port_idx].instance_idx].tenant_idx;
}

static int refuse(struct hg_error *reterr, const char *field, int rc)
{
	hg_error_at(reterr, field);
	return rc;
}

static int check_tenants(const struct hg_desired *d, uint32_t from, uint32_t to,
			 struct hg_error *reterr)
{
	const char *owner = d->tenants[tenant_of(d, from)].name;
	const char *reader = d->tenants[tenant_of(d, to)].name;

	if (tenant_of(d, from) == tenant_of(d, to) || d->ports[from].mirror.is_across)
		return 0;
	return refuse(reterr, "mirror.to",
		      hg_error_set(reterr, -HG_EPERM, "port ", d->ports[to].name, " is of tenant ",
				   reader, ", who would read what tenant ", owner,
				   " sends and receives; if that is meant, say across_tenants: on",
				   NULL));
}

static int check_one(const struct hg_desired *d, uint32_t idx, struct hg_error *reterr)
{
	const struct hg_mirror *mirror = &d->ports[idx].mirror;
	uint32_t to = hg_mirror_find(d, mirror->to);

	if (mirror->watch >= HG_N_WATCHES)
		return refuse(
			reterr, "mirror.direction",
			hg_error_set(reterr, -HG_EINVAL, "a direction is both, out or in", NULL));
	if (to == UINT32_MAX)
		return refuse(reterr, "mirror.to",
			      hg_error_set(reterr, -HG_ENOENT, "no port has the name ", mirror->to,
					   NULL));
	if (to == idx)
		return refuse(reterr, "mirror.to",
			      hg_error_set(reterr, -HG_EINVAL,
					   "a port cannot be mirrored to itself", NULL));
	if (hg_mirror_is_on(&d->ports[to]))
		return refuse(reterr, "mirror.to",
			      hg_error_set(reterr, -HG_EINVAL, "port ", mirror->to,
					   " is mirrored itself, to ", d->ports[to].mirror.to,
					   ": a destination cannot be, or copies would be copied",
					   NULL));
	return check_tenants(d, idx, to, reterr);
}

int hg_mirror_check(const struct hg_desired *desired, uint32_t *ret_port_idx,
		    struct hg_error *reterr)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < desired->n_ports; i++) {
		const struct hg_mirror *mirror = &desired->ports[i].mirror;
		int rc;

		*ret_port_idx = i;
		if (!hg_mirror_is_on(&desired->ports[i])) {
			if (mirror->watch == HG_WATCH_BOTH && !mirror->is_across)
				continue;
			return refuse(reterr, "mirror",
				      hg_error_set(reterr, -HG_EINVAL,
						   "a mirror needs 'to', the port that gets the "
						   "copies",
						   NULL));
		}
		if (++n > HG_MIRRORS_MAX)
			return refuse(reterr, "mirror",
				      hg_error_set(reterr, -HG_EINVAL,
						   "a host has at most 64 mirrors", NULL));
		rc = check_one(desired, i, reterr);
		if (rc < 0)
			return rc;
	}
	return 0;
}
