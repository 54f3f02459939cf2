#include "dataplane/handover.h"

#include "dataplane/dp.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Between two looks at whether the workers have followed. */
#define LOOK_AGAIN_NS (20 * HG_NS_PER_US)
/* Rounds in which nothing may be under way: what one worker has no more, the next may have. */
#define DRAINED_ROUNDS 4u

/* How long a device that was up may take to be so again. A guest of vhost-user takes some 60 ms to set up its
 * rings anew; one that takes longer loses what is sent to it meanwhile, and does not hold up the others. After 200 ms
 * senders send a packet again, of which cards may take 50 (apps/leave.c), and some 6 go to the rest. */
#define AWAIT_NS (140 * HG_NS_PER_MS)

static_assert(HG_DP_FDS_MAX == HG_DEV_FDS_MAX, "the same descriptors");

static void pause_briefly(void)
{
	const struct timespec t = {.tv_nsec = LOOK_AGAIN_NS};

	(void)nanosleep(&t, NULL);
}

/* Returns when every worker has made a turn in the phase. */
static void go_to(struct hg_dp *dp, enum hg_phase phase)
{
	atomic_store(&dp->lane.phase, (int)phase);
	for (uint32_t i = 0; i < dp->lane.n_workers; i++)
		hg_worker_wake(dp->lane.workers[i]);
	for (uint32_t i = 0; i < dp->lane.n_workers; i++) {
		struct hg_worker *w = dp->lane.workers[i];

		while (atomic_load_explicit(&w->phase, memory_order_acquire) != (int)phase)
			pause_briefly();
	}
}

static bool is_drained(const struct hg_dp *dp)
{
	for (uint32_t i = 0; i < dp->lane.n_workers; i++) {
		if (!atomic_load_explicit(&dp->lane.workers[i]->is_drained, memory_order_acquire))
			return false;
	}
	return true;
}

static uint64_t left_in_cards(const struct hg_dp *dp)
{
	uint64_t n = 0;

	for (uint32_t slot = 0; slot < dp->port_slots.n_high; slot++) {
		const struct hg_port *port = dp->states[slot].port;
		struct hg_dev_state dev;
		struct hg_dev_stats stats;

		if (port == NULL)
			continue;
		port->dev->driver->sample(port->dev, &dev, &stats);
		n += dev.ring_used_pkts;
	}
	return n;
}

uint64_t hg_dp_freeze(struct hg_dp *dp, hg_ns for_ns)
{
	hg_ns until_ns = hg_dp_clock_ns() + for_ns;
	unsigned n_rounds = 0;

	go_to(dp, HG_PHASE_DRAIN);
	while (n_rounds < DRAINED_ROUNDS && hg_dp_clock_ns() < until_ns) {
		n_rounds = is_drained(dp) ? n_rounds + 1u : 0;
		hg_dp_wait_round(dp);
	}
	go_to(dp, HG_PHASE_FROZEN);
	return n_rounds == DRAINED_ROUNDS ? 0 : left_in_cards(dp);
}

static bool is_up(const struct hg_port *port)
{
	struct hg_dev_state dev;
	struct hg_dev_stats stats;

	port->dev->driver->sample(port->dev, &dev, &stats);
	return dev.link == HG_DEV_UP;
}

/* Whether what had to be opened anew is there as it was before. */
static bool is_complete(const struct hg_dp *dp, const struct hg_dp_device *devices, unsigned n)
{
	const struct hg_desired *d = &dp->desired;

	for (uint32_t i = 0; i < d->n_uplinks + d->n_ports; i++) {
		bool is_uplink = i < d->n_uplinks;
		const char *name = is_uplink ? d->uplinks[i].name : d->ports[i - d->n_uplinks].name;
		uint32_t slot =
			is_uplink ? dp->uplinks.slots[i] : dp->ports.slots[i - d->n_uplinks];

		for (unsigned j = 0; j < n; j++) {
			if (devices[j].n_fds > 0 || devices[j].is_uplink != is_uplink ||
			    strcmp(devices[j].name, name) != 0)
				continue;
			if (dp->states[slot].port != NULL && !is_up(dp->states[slot].port))
				return false;
		}
	}
	return true;
}

/* A packet for a guest that is still on its way back would be lost. */
static void await(struct hg_dp *dp, const struct hg_dp_device *devices, unsigned n)
{
	hg_ns until_ns = hg_dp_clock_ns() + AWAIT_NS;
	/* Guests need the processor to come back. */
	const struct timespec look_again = {.tv_nsec = HG_NS_PER_MS};
	unsigned n_awaited = 0;

	for (unsigned i = 0; i < n; i++)
		n_awaited += devices[i].n_fds == 0;
	while (n_awaited > 0 && !is_complete(dp, devices, n) && hg_dp_clock_ns() < until_ns)
		(void)nanosleep(&look_again, NULL);
}

void hg_dp_thaw(struct hg_dp *dp)
{
	const struct hg_dp_device *devices = dp->adopted;
	unsigned n = dp->n_adopted;

	if (dp->is_adopting) {
		/* While nothing is served: what waits for the devices that come now must find them. */
		go_to(dp, HG_PHASE_DRAIN);
		dp->is_adopting = false;
		dp->adopted = NULL;
		dp->n_adopted = 0;
		(void)hg_dp_retry(dp);
		await(dp, devices, n);
	}
	go_to(dp, HG_PHASE_RUN);
}

void hg_dp_adopt(struct hg_dp *dp, const struct hg_dp_device *devices, unsigned n)
{
	dp->adopted = devices;
	dp->n_adopted = n;
	dp->is_adopting = true;
	go_to(dp, HG_PHASE_DRAIN);
}

unsigned hg_dp_n_devices(const struct hg_dp *dp)
{
	return dp->desired.n_uplinks + dp->desired.n_ports;
}

/* Returns whether it is there, and worth waiting for. */
static bool hand(const struct hg_dp *dp, uint32_t slot, struct hg_dp_device *device)
{
	const struct hg_port_state *state = &dp->states[slot];

	if (state->port == NULL || state->has_gone)
		return false;
	if (state->port->dev->driver->hand != NULL)
		device->n_fds = state->port->dev->driver->hand(state->port->dev, device->fds);
	return device->n_fds > 0 || is_up(state->port);
}

unsigned hg_dp_hand(struct hg_dp *dp, struct hg_dp_device *ret_devices, unsigned n)
{
	const struct hg_desired *d = &dp->desired;
	unsigned n_handed = 0;

	for (uint32_t i = 0; i < d->n_uplinks + d->n_ports && n_handed < n; i++) {
		bool is_uplink = i < d->n_uplinks;
		const struct hg_desired_uplink *u = &d->uplinks[i];
		const struct hg_desired_port *p = &d->ports[i - d->n_uplinks];
		struct hg_dp_device *device = &ret_devices[n_handed];

		*device = (struct hg_dp_device){.is_uplink = is_uplink};
		snprintf(device->name, sizeof(device->name), "%s", is_uplink ? u->name : p->name);
		snprintf(device->device, sizeof(device->device), "%s",
			 is_uplink ? u->device : p->device);
		snprintf(device->netns, sizeof(device->netns), "%s",
			 is_uplink ? u->netns : p->netns);
		if (hand(dp, is_uplink ? dp->uplinks.slots[i] : dp->ports.slots[i - d->n_uplinks],
			 device))
			n_handed++;
	}
	return n_handed;
}

void hg_dp_let_go(struct hg_dp *dp)
{
	for (uint32_t i = 0; i < dp->lane.n_workers; i++)
		hg_worker_stop(dp->lane.workers[i]);
	hg_dp_close_ports(dp, /* keep_devices= */ true);
}
