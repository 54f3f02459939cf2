/* How a desired state gets into force: map names to slots, open what is new, build one snapshot, hand it
 * over, wait until every worker uses it, release what is gone. Until the hand-over every step can be
 * taken back; after it nothing can fail. */
#include "dataplane/dp.h"
#include "dataplane/announcer.h"
#include "dataplane/build.h"
#include "dataplane/capture.h"
#include "dataplane/counters.h"
#include "dataplane/tree.h"
#include "dataplane/watching.h"

#include <rte_pause.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Between two looks at whether the workers have moved on. */
#define LOOK_AGAIN_NS (20 * HG_NS_PER_US)
/* And before the first: a worker that is awake is through a turn in a few microseconds. */
#define LOOKS_AT_ONCE 256u
/* Rounds of all workers, one after another, after which no packet on its way between them is older than the snapshot: it
 * crosses at most from its port's worker to the tree's, to the receiving tree's, to the port's. */
#define SETTLE_ROUNDS 4u

static void pause_briefly(void)
{
	struct timespec t = {.tv_nsec = LOOK_AGAIN_NS};

	(void)nanosleep(&t, NULL);
}

/* ---- maps --------------------------------------------------------------------------------------- */

static int compare_devices(const void *a, const void *b)
{
	const struct hg_desired_port *x = a, *y = b;
	int order = strcmp(x->device, y->device);

	return order != 0 ? order : strcmp(x->netns, y->netns);
}

static struct hg_named uplink_names(const struct hg_desired *d)
{
	return (struct hg_named){d->n_uplinks == 0 ? NULL : d->uplinks[0].name, sizeof(*d->uplinks),
				 d->n_uplinks, NULL, NULL};
}

static struct hg_named tenant_names(const struct hg_desired *d)
{
	return (struct hg_named){d->n_tenants == 0 ? NULL : d->tenants[0].name, sizeof(*d->tenants),
				 d->n_tenants, NULL, NULL};
}

static struct hg_named port_names(const struct hg_desired *d)
{
	return (struct hg_named){d->n_ports == 0 ? NULL : d->ports[0].name, sizeof(*d->ports),
				 d->n_ports, NULL, compare_devices};
}

/* The tenant's slot and its uplink's tell apart instances of one name: one that moves to another tenant,
 * or with its tenant to another uplink, is another instance. */
static uint32_t *instance_kinds(const struct hg_desired *d, const struct hg_slot_map *tenants,
				const struct hg_slot_map *uplinks)
{
	uint32_t *kinds = calloc(d->n_instances + 1u, sizeof(*kinds));

	if (kinds == NULL)
		return NULL;
	for (uint32_t i = 0; i < d->n_instances; i++) {
		uint32_t tenant = d->instances[i].tenant_idx;

		kinds[i] = tenants->slots[tenant] +
			   (uplinks->slots[d->tenants[tenant].uplink_idx] << 20);
	}
	return kinds;
}

static int match_instances(struct hg_dp *dp, struct hg_change *c, struct hg_error *reterr)
{
	const struct hg_desired *old = &dp->desired, *next = c->desired;
	uint32_t *old_kinds = instance_kinds(old, &dp->tenants, &dp->uplinks);
	uint32_t *kinds = instance_kinds(next, &c->tenants, &c->uplinks);
	struct hg_named old_names = {old->n_instances == 0 ? NULL : old->instances[0].name,
				     sizeof(*old->instances), old->n_instances, old_kinds, NULL};
	struct hg_named names = {next->n_instances == 0 ? NULL : next->instances[0].name,
				 sizeof(*next->instances), next->n_instances, kinds, NULL};
	int r;

	if (old_kinds == NULL || kinds == NULL)
		r = hg_error_set(reterr, -HG_ENOMEM, "out of memory for slots", NULL);
	else
		r = hg_slots_match(&dp->instance_slots, &old_names, &dp->instances, &names,
				   &c->instances, reterr);
	free(old_kinds);
	free(kinds);
	return r;
}

/* A counting sort of the instances by their tenant. */
static int order_by_tenant(struct hg_change *c, struct hg_error *reterr)
{
	const struct hg_desired *d = c->desired;

	c->by_tenant = calloc(d->n_instances + 1u, sizeof(*c->by_tenant));
	c->first_of_tenant = calloc(d->n_tenants + 2u, sizeof(*c->first_of_tenant));
	if (c->by_tenant == NULL || c->first_of_tenant == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for an index", NULL);
	for (uint32_t i = 0; i < d->n_instances; i++)
		c->first_of_tenant[d->instances[i].tenant_idx + 2u]++;
	for (uint32_t t = 2; t < d->n_tenants + 2u; t++)
		c->first_of_tenant[t] += c->first_of_tenant[t - 1u];
	/* Filling moves each tenant's start, kept one place on, to its end: the start of the next. */
	for (uint32_t i = 0; i < d->n_instances; i++)
		c->by_tenant[c->first_of_tenant[d->instances[i].tenant_idx + 1u]++] = i;
	return 0;
}

static int match_all(struct hg_dp *dp, struct hg_change *c, struct hg_error *reterr)
{
	struct hg_named old_uplinks = uplink_names(&dp->desired);
	struct hg_named old_tenants = tenant_names(&dp->desired);
	struct hg_named old_ports = port_names(&dp->desired);
	struct hg_named uplinks = uplink_names(c->desired);
	struct hg_named tenants = tenant_names(c->desired);
	struct hg_named ports = port_names(c->desired);
	int r;

	r = hg_slots_match(&dp->port_slots, &old_uplinks, &dp->uplinks, &uplinks, &c->uplinks,
			   reterr);
	if (r == 0)
		r = hg_slots_match(&dp->tenant_slots, &old_tenants, &dp->tenants, &tenants,
				   &c->tenants, reterr);
	if (r == 0)
		r = match_instances(dp, c, reterr);
	if (r == 0)
		r = hg_slots_match(&dp->port_slots, &old_ports, &dp->ports, &ports, &c->ports,
				   reterr);
	return r;
}

static void undo_maps(struct hg_dp *dp, struct hg_change *c)
{
	hg_slots_undo(&dp->port_slots, &c->uplinks);
	hg_slots_undo(&dp->tenant_slots, &c->tenants);
	hg_slots_undo(&dp->instance_slots, &c->instances);
	hg_slots_undo(&dp->port_slots, &c->ports);
}

/* ---- hand-over ---------------------------------------------------------------------------------- */

static void wait_begun_by(struct hg_worker *w, uint64_t round)
{
	for (unsigned n = 0; atomic_load_explicit(&w->round, memory_order_acquire) != round; n++) {
		if (n < LOOKS_AT_ONCE) {
			rte_pause();
			continue;
		}
		hg_worker_wake(w);
		pause_briefly();
	}
}

/* Returns when every worker has begun a turn. */
static void wait_begun(struct hg_dp *dp)
{
	uint64_t round = atomic_load_explicit(&dp->lane.round, memory_order_relaxed) + 1u;

	atomic_store_explicit(&dp->lane.round, round, memory_order_release);
	for (uint32_t i = 0; i < dp->lane.n_workers; i++)
		hg_worker_wake(dp->lane.workers[i]);
	for (uint32_t i = 0; i < dp->lane.n_workers; i++)
		wait_begun_by(dp->lane.workers[i], round);
}

void hg_dp_wait_round(struct hg_dp *dp)
{
	wait_begun(dp);
	/* With the second the first has ended. */
	wait_begun(dp);
}

static void hand_over(struct hg_dp *dp, struct hg_snapshot *s)
{
	atomic_store(&dp->lane.snapshot, s);
	for (uint32_t i = 0; i < dp->lane.n_workers; i++)
		hg_worker_wake(dp->lane.workers[i]);
	for (uint32_t i = 0; i < dp->lane.n_workers; i++) {
		struct hg_worker *w = dp->lane.workers[i];

		while (atomic_load_explicit(&w->adopted, memory_order_acquire) != s->generation)
			pause_briefly();
	}
}

/* ---- what is gone ------------------------------------------------------------------------------- */

static void close_port(struct hg_dp *dp, struct hg_port *port, bool keep)
{
	if (port == NULL)
		return;
	hg_worker_unwatch(dp->lane.workers[port->worker], port);
	port->dev->driver->stop(port->dev);
	port->dev->driver->close(port->dev, keep);
	free(port);
}

/* What the device counted stays its port's, unless that is gone as well. */
static void keep_counts(struct hg_dp *dp, const struct hg_port *port)
{
	struct hg_dev_state dev;
	struct hg_dev_stats stats;

	port->dev->driver->sample(port->dev, &dev, &stats);
	hg_counters_add_port(&dp->states[port->slot].before, port, &stats);
}

/* Ports of the old snapshot that the new one does not use. */
static void close_unused(struct hg_dp *dp, const struct hg_snapshot *old,
			 const struct hg_snapshot *s)
{
	for (uint32_t slot = 0; slot < old->n_port_slots; slot++) {
		struct hg_port *port = old->ports[slot];

		if (port == NULL || s->ports[slot] == port)
			continue;
		keep_counts(dp, port);
		close_port(dp, port, /* keep= */ false);
	}
}

/* Its device is closed, so what the card had is released, and on its way to its accounts. */
static void destroy_tree(struct hg_dp *dp, struct hg_tree *tree)
{
	dp->uplink_trees[tree->uplink_slot] = NULL;
	if (tree->inflight != NULL) {
		hg_dp_wait_round(dp);
		atomic_store(&dp->lane.cards[tree->card], NULL);
		hg_dp_wait_round(dp);
	}
	hg_tree_destroy(tree);
}

static void destroy_unused_trees(struct hg_dp *dp, const struct hg_snapshot *old,
				 const struct hg_snapshot *s)
{
	for (uint32_t i = 0; i < old->n_uplink_trees; i++) {
		struct hg_tree *tree = old->uplink_trees[i];
		bool is_used = false;

		for (uint32_t j = 0; j < s->n_uplink_trees; j++)
			is_used |= s->uplink_trees[j] == tree;
		if (!is_used)
			destroy_tree(dp, tree);
	}
}

static void retire_instance(struct hg_dp *dp, uint32_t tenant_slot, uint32_t slot)
{
	for (int dir = 0; dir < HG_N_DIRS; dir++) {
		struct hg_flow *flow = &dp->lane.flows[slot * HG_N_DIRS + (uint32_t)dir];

		hg_counters_add(&dp->retired[tenant_slot * HG_N_DIRS + (uint32_t)dir], flow);
		hg_counters_clear(flow);
	}
}

/* What a removed instance counted goes to its tenant, and its flows begin anew. */
static void retire_instances(struct hg_dp *dp, const struct hg_change *c)
{
	bool *stays = calloc(dp->desired.n_instances + 1u, sizeof(*stays));

	for (uint32_t i = 0; stays != NULL && i < c->instances.n; i++) {
		if (c->instances.old_idx[i] != HG_SLOT_NONE)
			stays[c->instances.old_idx[i]] = true;
	}
	for (uint32_t i = 0; stays != NULL && i < dp->desired.n_instances; i++) {
		if (!stays[i])
			retire_instance(dp, dp->tenants.slots[dp->desired.instances[i].tenant_idx],
					dp->instances.slots[i]);
	}
	free(stays);
}

/* A slot that no tenant has any more counts nothing. */
static void forget_tenants(struct hg_dp *dp, const struct hg_change *c)
{
	bool *stays = calloc(dp->desired.n_tenants + 1u, sizeof(*stays));

	for (uint32_t i = 0; stays != NULL && i < c->tenants.n; i++) {
		if (c->tenants.old_idx[i] != HG_SLOT_NONE)
			stays[c->tenants.old_idx[i]] = true;
	}
	for (uint32_t i = 0; stays != NULL && i < dp->desired.n_tenants; i++) {
		if (!stays[i])
			memset(&dp->retired[dp->tenants.slots[i] * HG_N_DIRS], 0,
			       HG_N_DIRS * sizeof(*dp->retired));
	}
	free(stays);
}

static void set_reason(struct hg_dp *dp, uint32_t slot, const char *reason)
{
	/* Nothing in place of nothing is not written: see dp.h. */
	if (reason[0] != '\0' || dp->reasons[slot][0] != '\0')
		snprintf(dp->reasons[slot], HG_REASON_BYTES, "%.*s", (int)HG_REASON_BYTES - 1,
			 reason);
}

/* A slot that no port has any more remembers nothing. */
static void forget_states(struct hg_dp *dp, const struct hg_snapshot *s)
{
	for (uint32_t slot = 0; slot < s->n_port_slots; slot++) {
		if (s->is_port[slot])
			continue;
		dp->states[slot] = (struct hg_port_state){0};
		set_reason(dp, slot, "");
	}
}

/* ---- apply -------------------------------------------------------------------------------------- */

static void note_states(struct hg_dp *dp, struct hg_change *c)
{
	for (uint32_t i = 0; i < c->n_opened; i++) {
		struct hg_opened *o = &c->opened[i];
		struct hg_port_state *state = &dp->states[o->slot];

		state->port = o->port;
		state->has_gone = false;
		set_reason(dp, o->slot, o->reason);
	}
}

/* Devices that stay open under another name; those just opened have it. */
static void rename_devices(struct hg_dp *dp, const struct hg_change *c)
{
	for (uint32_t i = 0; i < c->ports.n; i++) {
		const char *name = c->desired->ports[i].name;
		uint32_t was = c->ports.old_idx[i];
		struct hg_port *port = dp->states[c->ports.slots[i]].port;

		if (was != HG_SLOT_NONE && port != NULL && port->dev->driver->rename != NULL &&
		    strcmp(dp->desired.ports[was].name, name) != 0)
			port->dev->driver->rename(port->dev, name);
	}
}

static void watch_opened(struct hg_dp *dp, struct hg_change *c)
{
	for (uint32_t i = 0; i < c->n_opened; i++) {
		struct hg_port *port = c->opened[i].port;
		struct hg_error err = {0};

		if (port == NULL)
			continue;
		if (hg_worker_watch(dp->lane.workers[port->worker], port, &err) != 0)
			set_reason(dp, port->slot, err.text);
	}
}

/* What was counted of who has left. */
static void tell_left(struct hg_dp *dp, const struct hg_dp_move *move)
{
	if (move == NULL || move->leaving_idx == HG_DP_NOBODY || move->ret_flows == NULL)
		return;
	for (int dir = 0; dir < HG_N_DIRS; dir++)
		hg_dp_sample_instance(dp, move->leaving_idx, (enum hg_dir)dir,
				      &move->ret_flows[dir]);
}

static void commit(struct hg_dp *dp, struct hg_change *c, struct hg_desired *copy)
{
	struct hg_snapshot *old = dp->snapshot;

	hg_watching_announce(c->snapshot);
	hand_over(dp, c->snapshot);
	hg_watching_settle(c->snapshot);
	dp->snapshot = c->snapshot;
	hg_build_free_ops(c->snapshot);
	note_states(dp, c);
	rename_devices(dp, c);
	watch_opened(dp, c);
	hg_capture_follow(dp);
	/* Only now can no packet between two workers name a slot that is to be given away. */
	for (unsigned i = 0; i < SETTLE_ROUNDS && !dp->is_adopting; i++)
		hg_dp_wait_round(dp);
	close_unused(dp, old, c->snapshot);
	forget_states(dp, c->snapshot);
	destroy_unused_trees(dp, old, c->snapshot);
	tell_left(dp, c->move);
	retire_instances(dp, c);
	forget_tenants(dp, c);
	hg_slots_release(&dp->tenant_slots, &dp->tenants, &c->tenants);
	hg_slots_release(&dp->instance_slots, &dp->instances, &c->instances);
	hg_slots_release(&dp->port_slots, &dp->uplinks, &c->uplinks);
	hg_slots_release(&dp->port_slots, &dp->ports, &c->ports);
	dp->tenants = c->tenants;
	dp->instances = c->instances;
	dp->uplinks = c->uplinks;
	dp->ports = c->ports;
	free(dp->by_tenant);
	free(dp->first_of_tenant);
	dp->by_tenant = c->by_tenant;
	dp->first_of_tenant = c->first_of_tenant;
	hg_dp_free_desired(&dp->desired);
	dp->desired = *copy;
	hg_announcer_follow(dp, old, c->move);
	hg_build_free_snapshot(old);
}

/* A retry that opens nothing and closes nothing changes nothing. */
static bool is_useful(const struct hg_dp *dp, const struct hg_change *c)
{
	if (!c->is_retry)
		return true;
	for (uint32_t slot = 0; slot < dp->port_slots.n_high; slot++) {
		if (dp->states[slot].port != NULL && dp->states[slot].has_gone)
			return true;
	}
	for (uint32_t i = 0; i < c->n_opened; i++) {
		if (c->opened[i].port != NULL)
			return true;
	}
	return false;
}

/* Of a retry that opened nothing: what is missing may be missing for another reason by now. */
static void note_reasons(struct hg_dp *dp, const struct hg_change *c)
{
	for (uint32_t i = 0; i < c->n_opened; i++)
		set_reason(dp, c->opened[i].slot, c->opened[i].reason);
}

/* The last steps that can fail: what devices that stay are told. */
static int tell_devices(struct hg_dp *dp, struct hg_change *c, struct hg_error *reterr)
{
	struct hg_error ignored = {0};
	int r = hg_build_adjust(dp, c, reterr);

	if (r != 0)
		goto fail;
	r = hg_build_set_macs(c->desired, &c->uplinks, c->snapshot, reterr);
	if (r == 0)
		return 0;
	/* What it was set to before it takes again. */
	(void)!hg_build_set_macs(&dp->desired, &dp->uplinks, dp->snapshot, &ignored);
	hg_build_adjust_back(dp, c);
fail:
	hg_build_free_snapshot(c->snapshot);
	c->snapshot = NULL;
	return r;
}

static int change(struct hg_dp *dp, struct hg_change *c, struct hg_error *reterr)
{
	struct hg_desired copy = {0};
	int r;

	c->keep_devices = dp->is_adopting;
	r = hg_dp_copy_desired(c->desired, &copy, reterr);
	if (r != 0)
		return r;
	r = match_all(dp, c, reterr);
	if (r == 0)
		r = order_by_tenant(c, reterr);
	if (r == 0)
		r = hg_build_open(dp, c, reterr);
	if (r == 0 && is_useful(dp, c))
		r = hg_build_snapshot(dp, c, reterr);
	else if (r == 0)
		note_reasons(dp, c);
	if (r == 0 && c->snapshot != NULL)
		r = tell_devices(dp, c, reterr);
	if (r != 0 || c->snapshot == NULL) {
		hg_build_close(c);
		free(c->by_tenant);
		free(c->first_of_tenant);
		undo_maps(dp, c);
		hg_dp_free_desired(&copy);
		return r;
	}
	commit(dp, c, &copy);
	free(c->opened);
	return 0;
}

/* A scheduler may refuse nothing: it is asked when nothing can be taken back any more. */
static int check_arriving(const struct hg_dp_move *move, struct hg_error *reterr)
{
	if (move == NULL || move->arriving_idx == HG_DP_NOBODY)
		return 0;
	return hg_instance_state_check(move->arriving, reterr);
}

int hg_dp_apply_move(struct hg_dp *dp, const struct hg_desired *desired,
		     const struct hg_dp_move *move, struct hg_error *reterr)
{
	struct hg_change c = {.desired = desired, .move = move};
	int r = hg_dp_check(desired, reterr);

	if (r == 0)
		r = check_arriving(move, reterr);
	return r != 0 ? r : change(dp, &c, reterr);
}

int hg_dp_apply(struct hg_dp *dp, const struct hg_desired *desired, struct hg_error *reterr)
{
	return hg_dp_apply_move(dp, desired, NULL, reterr);
}

int hg_dp_bring_back(struct hg_dp *dp, const struct hg_desired *desired, struct hg_error *reterr)
{
	struct hg_change c = {.desired = desired, .is_back = true};
	int r = hg_dp_check(desired, reterr);

	return r != 0 ? r : change(dp, &c, reterr);
}

/* Devices that went away since the last look. They leave the next snapshot, so that they can be closed. */
static unsigned find_gone(struct hg_dp *dp)
{
	unsigned n = 0;

	for (uint32_t slot = 0; slot < dp->port_slots.n_high; slot++) {
		struct hg_port_state *state = &dp->states[slot];
		struct hg_dev_state dev;
		struct hg_dev_stats stats;

		if (state->port == NULL || state->has_gone)
			continue;
		state->port->dev->driver->sample(state->port->dev, &dev, &stats);
		if (dev.link != HG_DEV_GONE)
			continue;
		state->has_gone = true;
		n++;
	}
	return n;
}

static unsigned count_missing(const struct hg_dp *dp)
{
	unsigned n = 0;

	for (uint32_t slot = 0; slot < dp->port_slots.n_high; slot++)
		n += dp->states[slot].port == NULL && dp->reasons[slot][0] != '\0';
	return n;
}

unsigned hg_dp_retry(struct hg_dp *dp)
{
	unsigned n_missing = count_missing(dp), n_gone = find_gone(dp), n_still;
	struct hg_desired same;
	struct hg_change c = {.desired = &same, .is_retry = true};
	struct hg_error err = {0};

	if (n_missing + n_gone == 0 || hg_dp_copy_desired(&dp->desired, &same, &err) != 0)
		return 0;
	/* The state in force once more; whatever does not open now is tried again next time. */
	if (change(dp, &c, &err) != 0)
		hg_error_clear(&err);
	hg_dp_free_desired(&same);
	n_still = count_missing(dp);
	return n_gone + (n_missing + n_gone > n_still ? n_missing + n_gone - n_still : 0u);
}
