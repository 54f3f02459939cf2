#include "dataplane/dataplane.h"

#include "dataplane/announcer.h"
#include "dataplane/buffers.h"
#include "dataplane/build.h"
#include "dataplane/capture.h"
#include "dataplane/dp.h"
#include "dataplane/hook.h"
#include "dataplane/news.h"
#include "dataplane/path.h"
#include "dataplane/tree.h"

#include <rte_mempool.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* 80 MB: the hold queues of some dozens of flooding instances. */
#define BUFFERS_DEFAULT 32768u
/* About what a wake-up costs on a virtual machine; below it, sleeping saves nothing. */
#define SPIN_DEFAULT_NS (15 * HG_NS_PER_US)

hg_ns hg_dp_clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (hg_ns)t.tv_sec * HG_NS_PER_S + t.tv_nsec;
}

void hg_dp_cfg_init(struct hg_dp_cfg *cfg)
{
	*cfg = (struct hg_dp_cfg){
		.n_workers = 1,
		.max_tenants = 8192,
		.max_instances = 16384,
		.max_ports = 16384,
		.n_buffers = BUFFERS_DEFAULT,
		.want_hugepages = true,
		.spin_ns = SPIN_DEFAULT_NS,
		.behaviour_interval_ns = HG_BEHAVIOUR_INTERVAL_NS,
	};
}

/* ---- the desired state's own copy --------------------------------------------------------------- */

static void *copy_array(const void *from, uint32_t n, size_t size)
{
	void *to = malloc((size_t)n * size + 1u);

	if (to != NULL && n > 0)
		memcpy(to, from, (size_t)n * size);
	return to;
}

int hg_dp_copy_desired(const struct hg_desired *from, struct hg_desired *ret_copy,
		       struct hg_error *reterr)
{
	struct hg_desired copy = *from;

	copy.uplinks = copy_array(from->uplinks, from->n_uplinks, sizeof(*from->uplinks));
	copy.tenants = copy_array(from->tenants, from->n_tenants, sizeof(*from->tenants));
	copy.instances = copy_array(from->instances, from->n_instances, sizeof(*from->instances));
	copy.ports = copy_array(from->ports, from->n_ports, sizeof(*from->ports));
	if (copy.uplinks == NULL || copy.tenants == NULL || copy.instances == NULL ||
	    copy.ports == NULL) {
		hg_dp_free_desired(&copy);
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for the desired state",
				    NULL);
	}
	*ret_copy = copy;
	return 0;
}

void hg_dp_free_desired(struct hg_desired *desired)
{
	free(desired->uplinks);
	free(desired->tenants);
	free(desired->instances);
	free(desired->ports);
	*desired = (struct hg_desired){0};
}

/* ---- create ------------------------------------------------------------------------------------- */

static int create_tables(struct hg_dp *dp, struct hg_error *reterr)
{
	int r;

	dp->states = calloc(dp->cfg.max_ports, sizeof(*dp->states));
	dp->uplink_trees = calloc(dp->cfg.max_ports, sizeof(struct hg_tree *));
	dp->retired = calloc((size_t)dp->cfg.max_tenants * HG_N_DIRS, sizeof(*dp->retired));
	dp->reasons = calloc(dp->cfg.max_ports, sizeof(*dp->reasons));
	if (dp->states == NULL || dp->reasons == NULL || dp->uplink_trees == NULL ||
	    dp->retired == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for the packet lane", NULL);
	r = hg_slots_init(&dp->tenant_slots, dp->cfg.max_tenants, reterr);
	if (r == 0)
		r = hg_slots_init(&dp->instance_slots, dp->cfg.max_instances, reterr);
	if (r == 0)
		r = hg_slots_init(&dp->port_slots, dp->cfg.max_ports, reterr);
	return r;
}

static int create_caps(struct hg_dp *dp, struct hg_error *reterr)
{
	dp->caps_bytes = hg_caps_size(dp->cfg.max_tenants, dp->cfg.max_instances);
	for (int dir = 0; dir < HG_N_DIRS; dir++) {
		dp->caps_memory[dir] = hg_lazy_alloc(dp->caps_bytes);
		if (dp->caps_memory[dir] == NULL)
			return hg_error_set(reterr, -HG_ENOMEM, "out of memory for maxima", NULL);
		dp->lane.caps[dir] = hg_caps_init(dp->caps_memory[dir], dp->cfg.max_tenants,
						  dp->cfg.max_instances);
	}
	return 0;
}

static int create_trees(struct hg_dp *dp, struct hg_error *reterr)
{
	struct hg_tree_limits limits = {
		.max_tenants = dp->cfg.max_tenants,
		.max_instances = dp->cfg.max_instances,
		.max_queued_pkts = dp->cfg.n_buffers,
		.pkt_base = hg_buffers_base(dp->lane.pool),
		.caps = dp->lane.caps[HG_OUT],
	};
	int r = hg_tree_create(&limits, HG_OUT, HG_SLOT_NONE, hg_dp_clock_ns(),
			       &dp->lane.local_tree, reterr);

	limits.caps = dp->lane.caps[HG_IN];
	if (r == 0)
		r = hg_tree_create(&limits, HG_IN, HG_SLOT_NONE, hg_dp_clock_ns(),
				   &dp->lane.in_tree, reterr);
	return r;
}

static int create_lane(struct hg_dp *dp, struct hg_error *reterr)
{
	struct hg_lane *lane = &dp->lane;
	int r;

	lane->n_workers = dp->cfg.n_workers;
	lane->out_owner = 0;
	lane->in_owner = lane->n_workers - 1u;
	lane->max_port_slots = dp->cfg.max_ports;
	lane->min_copy_buffers = dp->cfg.n_buffers / 64u; /* an eighth of an eighth */
	lane->spin_ns = dp->cfg.spin_ns;
	lane->behaviour_interval_ns = dp->cfg.behaviour_interval_ns;
	r = hg_buffers_create(dp->cfg.n_buffers, lane->n_workers, &lane->pool, reterr);
	if (r != 0)
		return r;
	lane->hook = hg_buffers_hook(lane->pool);
	dp->flows_bytes = (size_t)dp->cfg.max_instances * HG_N_DIRS * sizeof(struct hg_flow);
	lane->flows = hg_lazy_alloc(dp->flows_bytes);
	if (lane->flows == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for counters", NULL);
	r = create_caps(dp, reterr);
	return r != 0 ? r : create_trees(dp, reterr);
}

static int create_crossings(struct hg_dp *dp, struct hg_error *reterr)
{
	static unsigned n_created;
	struct hg_lane *lane = &dp->lane;

	for (uint32_t from = 0; from < lane->n_workers; from++) {
		for (uint32_t to = 0; to < lane->n_workers; to++) {
			char name[32];

			if (from == to)
				continue;
			snprintf(name, sizeof(name), "headgate%u", n_created++);
			lane->crossings[from][to] =
				rte_ring_create(name, HG_CROSSING_PKTS, SOCKET_ID_ANY,
						RING_F_SP_ENQ | RING_F_SC_DEQ);
			snprintf(name, sizeof(name), "headgate_news%u", n_created++);
			lane->news[from][to] =
				rte_ring_create_elem(name, sizeof(struct hg_news), HG_NEWS_PENDING,
						     SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
			if (lane->crossings[from][to] == NULL || lane->news[from][to] == NULL)
				return hg_error_set(reterr, -HG_ENOMEM,
						    "out of memory for rings between workers",
						    NULL);
		}
	}
	return 0;
}

static void wake_worker(void *worker)
{
	hg_worker_wake(worker);
}

static int create_workers(struct hg_dp *dp, struct hg_error *reterr)
{
	int r = create_crossings(dp, reterr);

	/* Workers wake one another, so each exists before any of them runs. */
	for (uint32_t i = 0; r == 0 && i < dp->lane.n_workers; i++)
		r = hg_worker_create(&dp->lane, i, dp->snapshot, &dp->lane.workers[i], reterr);
	if (r == 0) {
		dp->lane.hook->owner = dp->lane.workers[dp->lane.out_owner];
		dp->lane.hook->wake = wake_worker;
	}
	for (uint32_t i = 0; r == 0 && i < dp->lane.n_workers; i++)
		r = hg_worker_start(dp->lane.workers[i], reterr);
	return r;
}

int hg_dp_create(const struct hg_dp_cfg *cfg, struct hg_dp **ret_dp, struct hg_error *reterr)
{
	struct hg_dp *dp = calloc(1, sizeof(*dp));
	int r;

	if (dp == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for the packet lane", NULL);
	dp->cfg = *cfg;
	r = hg_buffers_init_environment(cfg->n_buffers, cfg->want_hugepages, reterr);
	if (r == 0)
		r = create_tables(dp, reterr);
	if (r == 0)
		r = create_lane(dp, reterr);
	if (r == 0)
		r = hg_build_empty(&dp->snapshot, reterr);
	if (r == 0) {
		atomic_store(&dp->lane.snapshot, dp->snapshot);
		r = create_workers(dp, reterr);
	}
	if (r != 0) {
		hg_dp_destroy(dp, /* keep_devices= */ false);
		return r;
	}
	*ret_dp = dp;
	return 0;
}

/* ---- destroy ------------------------------------------------------------------------------------ */

/* Puts what a scheduler holds back into the pool. */
static void empty_tree(struct hg_dp *dp, struct hg_tree *tree)
{
	struct hg_sched_item items[HG_BURST_PKTS];
	unsigned n;

	if (tree == NULL)
		return;
	for (uint32_t slot = 0; slot < dp->instance_slots.n_high; slot++) {
		while ((n = hg_sched_drain(tree->sched, slot, items, HG_BURST_PKTS,
					   hg_dp_clock_ns())) > 0) {
			for (unsigned i = 0; i < n; i++) {
				struct hg_pkt *pkt = items[i].pkt;

				hg_pool_put(dp->lane.pool, &pkt, 1);
			}
		}
	}
	hg_tree_destroy(tree);
}

void hg_dp_close_ports(struct hg_dp *dp, bool keep_devices)
{
	for (uint32_t slot = 0; dp->states != NULL && slot < dp->port_slots.n_high; slot++) {
		struct hg_port *port = dp->states[slot].port;

		if (port == NULL)
			continue;
		port->dev->driver->stop(port->dev);
		port->dev->driver->close(port->dev, keep_devices);
		free(port);
		dp->states[slot].port = NULL;
	}
}

static void destroy_lane(struct hg_dp *dp)
{
	struct hg_lane *lane = &dp->lane;

	for (uint32_t from = 0; from < lane->n_workers; from++) {
		for (uint32_t to = 0; to < lane->n_workers; to++) {
			rte_ring_free(lane->crossings[from][to]);
			rte_ring_free(lane->news[from][to]);
		}
	}
	for (uint32_t slot = 0; dp->uplink_trees != NULL && slot < dp->cfg.max_ports; slot++)
		empty_tree(dp, dp->uplink_trees[slot]);
	empty_tree(dp, lane->local_tree);
	empty_tree(dp, lane->in_tree);
	for (int dir = 0; dir < HG_N_DIRS; dir++)
		hg_lazy_free(dp->caps_memory[dir], dp->caps_bytes);
	hg_lazy_free(lane->flows, dp->flows_bytes);
	hg_buffers_destroy(lane->pool);
}

void hg_dp_destroy(struct hg_dp *dp, bool keep_devices)
{
	if (dp == NULL)
		return;
	for (uint32_t i = 0; i < HG_WORKERS_MAX; i++)
		hg_worker_stop(dp->lane.workers[i]);
	if (dp->lane.hook != NULL)
		dp->lane.hook->wake = NULL;
	for (uint32_t i = 0; i < HG_WORKERS_MAX; i++)
		hg_worker_destroy(dp->lane.workers[i]);
	hg_capture_destroy_all(dp);
	hg_dp_close_ports(dp, keep_devices);
	destroy_lane(dp);
	hg_announcer_free(dp);
	hg_build_free_snapshot(dp->snapshot);
	hg_slots_fini(&dp->tenant_slots);
	hg_slots_fini(&dp->instance_slots);
	hg_slots_fini(&dp->port_slots);
	hg_slot_map_fini(&dp->tenants);
	hg_slot_map_fini(&dp->instances);
	hg_slot_map_fini(&dp->uplinks);
	hg_slot_map_fini(&dp->ports);
	hg_dp_free_desired(&dp->desired);
	free(dp->by_tenant);
	free(dp->first_of_tenant);
	free(dp->states);
	free(dp->reasons);
	free(dp->uplink_trees);
	free(dp->retired);
	free(dp);
}

struct hg_pool *hg_dp_pool(struct hg_dp *dp)
{
	return dp->lane.pool;
}

/* A shared uplink cannot learn: what it is not told of goes to the host. */
static int check_mac(const struct hg_desired *d, const struct hg_desired_port *port,
		     struct hg_error *reterr)
{
	uint32_t tenant_idx = d->instances[port->instance_idx].tenant_idx;
	const struct hg_desired_uplink *uplink = &d->uplinks[d->tenants[tenant_idx].uplink_idx];

	if (port->has_mac || !hg_dev_is_shared(uplink->device))
		return 0;
	return hg_error_set(reterr, -HG_EINVAL, "port ", port->name, " needs a mac: its uplink ",
			    uplink->name, " (", uplink->device,
			    ") is shared with the host, and takes packets for configured addresses"
			    " alone",
			    NULL);
}

int hg_dp_check(const struct hg_desired *desired, struct hg_error *reterr)
{
	for (uint32_t i = 0; i < desired->n_uplinks; i++) {
		int r = hg_dev_check(desired->uplinks[i].device, desired->uplinks[i].netns, reterr);

		if (r != 0)
			return r;
	}
	for (uint32_t i = 0; i < desired->n_ports; i++) {
		int r = hg_dev_check(desired->ports[i].device, desired->ports[i].netns, reterr);

		if (r == 0)
			r = check_mac(desired, &desired->ports[i], reterr);
		if (r != 0)
			return r;
	}
	return 0;
}
