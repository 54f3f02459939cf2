/* The devices of a change: which are to be opened, and what it means when one is not there. */
#include "dataplane/build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wanted {
	const char *name, *device, *netns;
	const uint8_t *mac;
	struct hg_flood_rates limits;
	uint32_t mtu, slot;
	bool is_uplink;
};

static struct hg_port *make_port(struct hg_dp *dp, const struct wanted *want, struct hg_dev *dev)
{
	struct hg_port *port = aligned_alloc(HG_CACHE_LINE_BYTES, sizeof(*port));
	struct hg_flood_rates limits;

	if (port == NULL)
		return NULL;
	memset(port, 0, sizeof(*port));
	port->dev = dev;
	port->slot = want->slot;
	port->is_uplink = want->is_uplink;
	port->worker =
		(uint16_t)(want->is_uplink ? dp->lane.out_owner : want->slot % dp->lane.n_workers);
	port->progress_at_ns = HG_NEVER;
	port->n_ask = HG_BURST_PKTS;
	limits = want->limits;
	hg_flood_settle(&limits, want->is_uplink);
	hg_flood_limit_init(&port->flood_limit, want->is_uplink, &limits, hg_dp_clock_ns());
	return port;
}

/* What the process before us had open in this place; NULL: nothing. */
static const struct hg_dp_device *adopted(const struct hg_dp *dp, const struct wanted *want)
{
	for (unsigned i = 0; i < dp->n_adopted; i++) {
		const struct hg_dp_device *had = &dp->adopted[i];

		if (had->is_uplink == want->is_uplink && strcmp(had->name, want->name) == 0 &&
		    strcmp(had->device, want->device) == 0 && strcmp(had->netns, want->netns) == 0)
			return had;
	}
	return NULL;
}

static struct hg_dev_cfg cfg_of(const struct hg_dp *dp, const struct wanted *want,
				const struct hg_dp_device *had)
{
	return (struct hg_dev_cfg){
		.device = want->device,
		.netns = want->netns,
		.port = want->name,
		.mac = want->mac,
		.mtu = want->mtu,
		.pool = dp->lane.pool,
		.is_uplink = want->is_uplink,
		.fds = had == NULL ? NULL : had->fds,
		.n_fds = had == NULL ? 0 : had->n_fds,
	};
}

static int open_device(struct hg_dp *dp, const struct wanted *want, struct hg_port **ret_port,
		       struct hg_error *reterr)
{
	const struct hg_dp_device *had = adopted(dp, want);
	const struct hg_dev_cfg cfg = cfg_of(dp, want, had);
	struct hg_dev *dev;
	int r;

	if (dp->is_adopting && (had == NULL || had->n_fds == 0))
		return hg_error_set(reterr, -HG_ENOENT, want->device,
				    " was not handed over; it is opened once the process before "
				    "this one is gone",
				    NULL);
	r = hg_dev_open(&cfg, &dev, reterr);
	if (r != 0)
		return r;
	r = dev->driver->start(dev, reterr);
	if (r != 0)
		goto fail;
	*ret_port = make_port(dp, want, dev);
	if (*ret_port != NULL)
		return 0;
	dev->driver->stop(dev);
	r = hg_error_set(reterr, -HG_ENOMEM, "out of memory for a port", NULL);
fail:
	dev->driver->close(dev, dp->is_adopting);
	return r;
}

static struct wanted wanted_uplink(const struct hg_desired *d, uint32_t idx, uint32_t slot)
{
	const struct hg_desired_uplink *u = &d->uplinks[idx];

	return (struct wanted){.name = u->name,
			       .device = u->device,
			       .netns = u->netns,
			       .limits = u->limits,
			       .mtu = u->mtu,
			       .slot = slot,
			       .is_uplink = true};
}

static struct wanted wanted_port(const struct hg_desired *d, uint32_t idx, uint32_t slot)
{
	const struct hg_desired_port *p = &d->ports[idx];

	return (struct wanted){.name = p->name,
			       .device = p->device,
			       .netns = p->netns,
			       .mac = p->has_mac ? p->mac : NULL,
			       .limits = p->limits,
			       .mtu = p->mtu,
			       .slot = slot};
}

static bool has_open(const struct hg_dp *dp, const struct wanted *one, uint32_t slot,
		     const char *place)
{
	char its[HG_DEVICE_PLACE_BYTES];

	if (dp->states[slot].port == NULL)
		return false;
	hg_dev_place(one->device, one->netns, its);
	return its[0] != '\0' && strcmp(its, place) == 0;
}

/* Instead of what the driver says where the change itself is in the way: a device in use is opened for another, or with
 * other options. */
static void explain_busy(const struct hg_dp *dp, const struct wanted *want, struct hg_error *err)
{
	uint32_t n_uplinks = dp->desired.n_uplinks, n = n_uplinks + dp->desired.n_ports;
	char place[HG_DEVICE_PLACE_BYTES];

	hg_dev_place(want->device, want->netns, place);
	for (uint32_t i = 0; i < n; i++) {
		bool is_uplink = i < n_uplinks;
		uint32_t slot = is_uplink ? dp->uplinks.slots[i] : dp->ports.slots[i - n_uplinks];
		struct wanted one = is_uplink ? wanted_uplink(&dp->desired, i, slot)
					      : wanted_port(&dp->desired, i - n_uplinks, slot);

		if (!has_open(dp, &one, slot, place))
			continue;
		hg_error_clear(err);
		(void)!hg_error_set(err, -HG_EBUSY, is_uplink ? "uplink " : "port ", one.name,
				    " has this device open, as '", one.device,
				    "', until the change is done; make two changes of it, the "
				    "first without ",
				    is_uplink ? "uplink " : "port ", one.name, NULL);
		return;
	}
}

/* Opens what `want` names, unless the slot has it open already. is_same: the state in force names the
 * same device. */
static int open_wanted(struct hg_dp *dp, struct hg_change *c, const struct wanted *want,
		       bool is_same, struct hg_error *reterr)
{
	const struct hg_port_state *state = &dp->states[want->slot];
	struct hg_opened *o = &c->opened[c->n_opened];
	struct hg_error err = {0};
	int r;

	if (is_same && state->port != NULL && !state->has_gone)
		return 0;
	*o = (struct hg_opened){.slot = want->slot};
	c->n_opened++;
	if (is_same && state->has_gone) {
		/* It is closed by this change and tried again by the next. */
		snprintf(o->reason, sizeof(o->reason), "%s went away", want->device);
		return 0;
	}
	r = open_device(dp, want, &o->port, &err);
	if (r == 0)
		return 0;
	snprintf(o->reason, sizeof(o->reason), "%.*s", (int)HG_REASON_BYTES - 1, err.text);
	/* A device that was missing before is no reason to refuse what this change is about. */
	if (r == -HG_ENOENT || c->is_retry || is_same)
		return 0;
	/* Nor is one that whoever is behind it keeps from being opened, where nobody is asked. */
	if (c->is_back && !want->is_uplink && r != -HG_EINVAL && r != -HG_ENOTSUP)
		return 0;
	if (r == -HG_EBUSY)
		explain_busy(dp, want, &err);
	hg_error_at(&err, want->device);
	if (reterr != NULL)
		*reterr = err;
	return r;
}

/* Before and after; false: there was nothing before. */
struct both {
	struct wanted old, next;
};

static bool pair_uplink(const struct hg_dp *dp, const struct hg_change *c, uint32_t idx,
			struct both *ret)
{
	uint32_t old_idx = c->uplinks.old_idx[idx], slot = c->uplinks.slots[idx];

	ret->next = wanted_uplink(c->desired, idx, slot);
	if (old_idx == HG_SLOT_NONE)
		return false;
	ret->old = wanted_uplink(&dp->desired, old_idx, slot);
	return true;
}

static bool pair_port(const struct hg_dp *dp, const struct hg_change *c, uint32_t idx,
		      struct both *ret)
{
	uint32_t old_idx = c->ports.old_idx[idx], slot = c->ports.slots[idx];

	ret->next = wanted_port(c->desired, idx, slot);
	if (old_idx == HG_SLOT_NONE)
		return false;
	ret->old = wanted_port(&dp->desired, old_idx, slot);
	return true;
}

static bool is_same_device(const struct both *both)
{
	return strcmp(both->old.device, both->next.device) == 0 &&
	       strcmp(both->old.netns, both->next.netns) == 0;
}

int hg_build_open(struct hg_dp *dp, struct hg_change *c, struct hg_error *reterr)
{
	struct both both;
	int r;

	c->opened = calloc((size_t)c->desired->n_uplinks + c->desired->n_ports + 1u,
			   sizeof(*c->opened));
	if (c->opened == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for ports", NULL);
	for (uint32_t i = 0; i < c->desired->n_uplinks; i++) {
		bool is_old = pair_uplink(dp, c, i, &both);

		r = open_wanted(dp, c, &both.next, is_old && is_same_device(&both), reterr);
		if (r != 0)
			return r;
	}
	for (uint32_t i = 0; i < c->desired->n_ports; i++) {
		bool is_old = pair_port(dp, c, i, &both);

		r = open_wanted(dp, c, &both.next, is_old && is_same_device(&both), reterr);
		if (r != 0)
			return r;
	}
	return 0;
}

/* ---- devices that stay open --------------------------------------------------------------------- */

static bool is_same_inside(const struct wanted *a, const struct wanted *b)
{
	if (a->mtu != b->mtu || (a->mac == NULL) != (b->mac == NULL))
		return false;
	return a->mac == NULL || memcmp(a->mac, b->mac, HG_MAC_BYTES) == 0;
}

/* Tells a device that the change keeps what differs. One that has just gone is opened anew, as desired. */
static int adjust_one(struct hg_dp *dp, const struct both *both, bool is_back,
		      struct hg_error *reterr)
{
	const struct wanted *want = is_back ? &both->old : &both->next;
	const struct hg_port_state *state = &dp->states[want->slot];
	const struct hg_dev_cfg cfg = cfg_of(dp, want, NULL);
	struct hg_error err = {0};
	int r;

	if (!is_same_device(both) || is_same_inside(&both->old, &both->next) ||
	    state->port == NULL || state->has_gone || state->port->dev->driver->adjust == NULL)
		return 0;
	r = state->port->dev->driver->adjust(state->port->dev, &cfg, &err);
	if (r == 0 || r == -HG_ENOENT)
		return 0;
	hg_error_at(&err, want->device);
	if (reterr != NULL)
		*reterr = err;
	return r;
}

static int adjust_all(struct hg_dp *dp, const struct hg_change *c, bool is_back,
		      struct hg_error *reterr)
{
	struct both both;
	int r = 0;

	for (uint32_t i = 0; (r == 0 || is_back) && i < c->desired->n_uplinks; i++) {
		if (pair_uplink(dp, c, i, &both))
			r = adjust_one(dp, &both, is_back, reterr);
	}
	for (uint32_t i = 0; (r == 0 || is_back) && i < c->desired->n_ports; i++) {
		if (pair_port(dp, c, i, &both))
			r = adjust_one(dp, &both, is_back, reterr);
	}
	return r;
}

int hg_build_adjust(struct hg_dp *dp, const struct hg_change *c, struct hg_error *reterr)
{
	int r = adjust_all(dp, c, /* is_back= */ false, reterr);

	if (r != 0)
		hg_build_adjust_back(dp, c);
	return r;
}

void hg_build_adjust_back(struct hg_dp *dp, const struct hg_change *c)
{
	/* What a device was before it takes again; one that has not been told yet finds nothing new. */
	(void)!adjust_all(dp, c, /* is_back= */ true, NULL);
}

void hg_build_close(struct hg_change *c)
{
	for (uint32_t i = 0; i < c->n_opened; i++) {
		struct hg_port *port = c->opened[i].port;

		if (port == NULL)
			continue;
		port->dev->driver->stop(port->dev);
		port->dev->driver->close(port->dev, c->keep_devices);
		free(port);
	}
	free(c->opened);
	c->opened = NULL;
}

/* Tells a device that it shares with the host whom it is to take frames for: the configured addresses of
 * the ports whose tenants use this uplink. */
static int set_macs_of(const struct hg_desired *d, const struct hg_slot_map *uplinks,
		       struct hg_port *uplink, struct hg_error *reterr)
{
	uint8_t(*macs)[HG_MAC_BYTES] = calloc(d->n_ports + 1u, sizeof(*macs));
	unsigned n = 0;
	int r;

	if (macs == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for addresses", NULL);
	for (uint32_t i = 0; i < d->n_ports; i++) {
		const struct hg_desired_port *p = &d->ports[i];
		uint32_t tenant = d->instances[p->instance_idx].tenant_idx;

		if (p->has_mac && uplinks->slots[d->tenants[tenant].uplink_idx] == uplink->slot)
			memcpy(macs[n++], p->mac, HG_MAC_BYTES);
	}
	r = uplink->dev->driver->set_macs(uplink->dev, macs, n, reterr);
	free(macs);
	return r;
}

int hg_build_set_macs(const struct hg_desired *d, const struct hg_slot_map *uplinks,
		      const struct hg_snapshot *s, struct hg_error *reterr)
{
	for (uint32_t i = 0; i < d->n_uplinks; i++) {
		uint32_t slot = uplinks->slots[i];
		struct hg_port *port = slot < s->n_port_slots ? s->ports[slot] : NULL;
		int r = 0;

		if (port != NULL && port->dev->driver->set_macs != NULL)
			r = set_macs_of(d, uplinks, port, reterr);
		if (r != 0)
			return r;
	}
	return 0;
}
