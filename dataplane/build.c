/* The snapshot of a change: what the packet lane reads, and the operations its schedulers need. */
#include "dataplane/build.h"

#include "core/admit.h"
#include "core/mirror.h"
#include "dataplane/buffers.h"
#include "dataplane/cutting.h"
#include "dataplane/tree.h"

#include <stdlib.h>
#include <string.h>

/* How much of an uplink's rate may leave at once after a pause of the worker. Long enough to make up for
 * being late by a timer, short enough to add little to anybody's wait. */
#define ROOT_BURST_NS (200 * HG_NS_PER_US)
#define ROOT_BURST_MIN_BYTES 16384u

/* Bytes that an instance's hold queue may keep: what leaves in 10 ms at the rate that bounds it, for TCP to keep the rate
 * across a loss; at least two segments of 64 KiB, at most 4 MiB. Of what it sends itself before its own maximum: twice
 * that, up to 8 MiB, since a TAP's kernel is refused where half of it stands (dataplane/pushback): with 2 MiB, 3.4 ms at
 * 5 Gbit/s, most of 64 flows slowed down for that and few for a mark, and the queue ran dry; and up to a megabyte as far
 * as it leaves in 150 ms (path.c: behind 200 ms nothing is queued), for 64 flows that begin together send as much before
 * they hear anything, and what is cut off then they all send again. Whoever speaks
 * ECN is told before (core/codel), and fills it only as it begins. What it receives has its acknowledgements between,
 * and with as much of a queue before them it sends at a fraction of its rate (./run: flood's maximum for receiving). */
#define HOLD_FOR_NS (10 * HG_NS_PER_MS)
#define HOLD_FOR_MAX_NS (20 * HG_NS_PER_MS)
#define HOLD_AT_START_NS (150 * HG_NS_PER_MS)
#define HOLD_AT_START_BYTES UINT64_C(1048576)
#define HOLD_MIN_BYTES UINT64_C(163840)
#define HOLD_MAX_BYTES UINT64_C(4194304)
#define HOLD_MAX_FOR_MAX_BYTES UINT64_C(8388608)

static uint32_t count_class_sets(const struct hg_desired *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_instances; i++)
		for (unsigned dir = 0; dir < HG_N_DIRS; dir++)
			n += d->instances[i].contract.dir[dir].classes.n > 0;
	return n;
}

/* Zeroed, on whole cache lines. */
static struct hg_lane_instance *alloc_instances(size_t n)
{
	struct hg_lane_instance *instances =
		aligned_alloc(HG_CACHE_LINE_BYTES, n * sizeof(*instances));

	if (instances != NULL)
		memset(instances, 0, n * sizeof(*instances));
	return instances;
}

static bool alloc_arrays(struct hg_dp *dp, struct hg_change *c, struct hg_snapshot *s)
{
	size_t n_ports = dp->port_slots.n_high, n_instances = dp->instance_slots.n_high;
	size_t n_devices = (size_t)c->desired->n_ports + c->desired->n_uplinks;
	/* Each instance and tenant, in both directions, set or removed; and the roots. */
	size_t n_ops = 2u * (2u * ((size_t)c->desired->n_instances + c->desired->n_tenants +
				   dp->desired.n_instances + dp->desired.n_tenants)) +
		       c->desired->n_uplinks + HG_N_DIRS;

	s->n_port_slots = (uint32_t)n_ports;
	s->n_instance_slots = (uint32_t)n_instances;
	s->ports = calloc(n_ports + 1u, sizeof(struct hg_port *));
	s->is_port = calloc(n_ports + 1u, sizeof(*s->is_port));
	s->port_instance = malloc((n_ports + 1u) * sizeof(*s->port_instance));
	s->port_since = calloc(n_ports + 1u, sizeof(*s->port_since));
	s->instances = alloc_instances(n_instances + 1u);
	s->uplink_trees = calloc(c->desired->n_uplinks + 1u, sizeof(struct hg_tree *));
	s->always = calloc(n_devices + 1u, sizeof(struct hg_port *));
	s->ops = calloc(n_ops + 1u, sizeof(*s->ops));
	s->class_sets = calloc(count_class_sets(c->desired) + 1u, sizeof(*s->class_sets));
	if (s->port_instance != NULL)
		memset(s->port_instance, 0xff, (n_ports + 1u) * sizeof(*s->port_instance));
	return s->ports != NULL && s->is_port != NULL && s->port_instance != NULL &&
	       s->port_since != NULL && s->instances != NULL && s->uplink_trees != NULL &&
	       s->always != NULL && s->ops != NULL && s->class_sets != NULL;
}

void hg_build_free_ops(struct hg_snapshot *s)
{
	free(s->ops);
	free(s->mac_ops);
	free(s->learn_ops);
	s->ops = NULL;
	s->mac_ops = NULL;
	s->learn_ops = NULL;
	s->n_ops = s->n_mac_ops = s->n_learn_ops = 0;
}

void hg_build_free_snapshot(struct hg_snapshot *s)
{
	if (s == NULL)
		return;
	free(s->ports);
	free(s->is_port);
	free(s->port_instance);
	free(s->port_since);
	free(s->mirrors);
	free(s->instances);
	free(s->uplink_trees);
	free(s->always);
	hg_build_free_ops(s);
	free(s->switch_ports);
	free(s->addresses);
	free(s->vlans);
	free(s->class_sets);
	free(s->view_memory);
	free(s);
}

/* ---- trees and ports ---------------------------------------------------------------------------- */

struct hg_depth_cfg hg_build_depth_cfg(const struct hg_desired_uplink *uplink, uint32_t ring_pkts)
{
	return (struct hg_depth_cfg){
		.bytes_per_s = uplink->capacity_bytes_per_s,
		.pin_bytes = uplink->depth_bytes,
		.scale_ppm = uplink->depth_scale_ppm,
		.largest_bytes = hg_cutting_largest_bytes(uplink),
		.ring_pkts = ring_pkts,
	};
}

static struct hg_inflight_cfg inflight_of(const struct hg_dp *dp,
					  const struct hg_desired_uplink *uplink)
{
	return (struct hg_inflight_cfg){
		.depth = hg_build_depth_cfg(uplink, 0),
		.max_tenants = dp->cfg.max_tenants,
		.max_instances = dp->cfg.max_instances,
		.is_on = !uplink->is_inflight_off,
	};
}

/* A number for what a card's queue is known by, given anew as late as can be: a buffer may come back after its
 * uplink has gone. HG_CARDS_MAX: there is none left. */
static uint32_t free_card(struct hg_dp *dp)
{
	for (uint32_t i = 0; i < HG_CARDS_MAX; i++) {
		uint32_t card = (dp->last_card + 1u + i) % HG_CARDS_MAX;

		if (atomic_load(&dp->lane.cards[card]) == NULL) {
			dp->last_card = card;
			return card;
		}
	}
	return HG_CARDS_MAX;
}

static int make_uplink_tree(struct hg_dp *dp, const struct hg_desired_uplink *uplink, uint32_t slot,
			    struct hg_error *reterr)
{
	struct hg_inflight_cfg inflight = inflight_of(dp, uplink);
	uint32_t card = free_card(dp);
	const struct hg_tree_limits limits = {
		.max_tenants = dp->cfg.max_tenants,
		.max_instances = dp->cfg.max_instances,
		.max_queued_pkts = dp->cfg.n_buffers,
		.pkt_base = hg_buffers_base(dp->lane.pool),
		.caps = dp->lane.caps[HG_OUT],
		.inflight = card == HG_CARDS_MAX ? NULL : &inflight,
	};
	int r;

	inflight.queue = (uint8_t)card;
	r = hg_tree_create(&limits, HG_OUT, slot, hg_dp_clock_ns(), &dp->uplink_trees[slot],
			   reterr);
	if (r == 0 && card != HG_CARDS_MAX) {
		dp->uplink_trees[slot]->card = (uint8_t)card;
		atomic_store(&dp->lane.cards[card], dp->uplink_trees[slot]);
	}
	return r;
}

/* The tree of each uplink: its own for life, made when the uplink is new. */
static int set_trees(struct hg_dp *dp, struct hg_change *c, struct hg_snapshot *s,
		     struct hg_error *reterr)
{
	for (uint32_t i = 0; i < c->desired->n_uplinks; i++) {
		uint32_t slot = c->uplinks.slots[i];
		int r = 0;

		if (dp->uplink_trees[slot] == NULL)
			r = make_uplink_tree(dp, &c->desired->uplinks[i], slot, reterr);
		if (r != 0)
			return r;
		s->uplink_trees[s->n_uplink_trees++] = dp->uplink_trees[slot];
	}
	return 0;
}

static void set_port(struct hg_dp *dp, struct hg_snapshot *s, uint32_t slot)
{
	const struct hg_port_state *state = &dp->states[slot];
	const struct hg_snapshot *old = dp->snapshot;
	bool is_same = slot < old->n_port_slots && old->is_port[slot] &&
		       old->port_instance[slot] == s->port_instance[slot];

	s->is_port[slot] = true;
	s->port_since[slot] = is_same ? old->port_since[slot] : (uint32_t)s->generation;
	if (state->port != NULL && !state->has_gone)
		s->ports[slot] = state->port;
}

static void set_ports(struct hg_dp *dp, struct hg_change *c, struct hg_snapshot *s)
{
	for (uint32_t i = 0; i < c->desired->n_uplinks; i++)
		set_port(dp, s, c->uplinks.slots[i]);
	for (uint32_t i = 0; i < c->desired->n_ports; i++) {
		uint32_t slot = c->ports.slots[i];

		s->port_instance[slot] = c->instances.slots[c->desired->ports[i].instance_idx];
		set_port(dp, s, slot);
	}
	/* What this change opened takes the place of what was there. */
	for (uint32_t i = 0; i < c->n_opened; i++)
		s->ports[c->opened[i].slot] = c->opened[i].port;
	for (uint32_t i = 0; i < c->n_opened; i++) {
		if (c->opened[i].port != NULL && c->opened[i].port->is_uplink)
			c->opened[i].port->tree = dp->uplink_trees[c->opened[i].slot];
	}
	for (uint32_t slot = 0; slot < s->n_port_slots; slot++) {
		struct hg_port *port = s->ports[slot];

		if (port != NULL && port->dev->driver->fd(port->dev) < 0)
			s->always[s->n_always++] = port;
	}
}

/* Most hosts have no mirror, and then there is no table either. */
static int set_mirrors(struct hg_change *c, struct hg_snapshot *s, struct hg_error *reterr)
{
	const struct hg_desired *d = c->desired;

	for (uint32_t i = 0; i < d->n_ports; i++) {
		uint32_t to = hg_mirror_is_on(&d->ports[i])
				      ? hg_mirror_find(d, d->ports[i].mirror.to)
				      : UINT32_MAX;
		struct hg_lane_mirror *from;

		if (to == UINT32_MAX)
			continue;
		if (s->mirrors == NULL)
			s->mirrors = calloc(s->n_port_slots + 1u, sizeof(*s->mirrors));
		if (s->mirrors == NULL)
			return hg_error_set(reterr, -HG_ENOMEM, "out of memory for a snapshot",
					    NULL);
		from = &s->mirrors[c->ports.slots[i]];
		from->is_on = true;
		from->watch = d->ports[i].mirror.watch;
		from->to_slot = c->ports.slots[to];
		s->mirrors[from->to_slot].is_destination = true;
	}
	return 0;
}

/* ---- instances ---------------------------------------------------------------------------------- */

static bool is_host_observed(const struct hg_desired *d)
{
	return d->mode == HG_MODE_OBSERVE;
}

/* Who is only observed shares by weight and is owed nothing. */
static struct hg_policy in_force(const struct hg_contract *contract, enum hg_dir dir,
				 bool is_observed)
{
	struct hg_policy policy = contract->dir[dir];

	if (is_observed || contract->mode == HG_MODE_OBSERVE) {
		policy.min_bytes_per_s = policy.max_bytes_per_s = policy.max_pkts_per_s = 0;
		policy.priority = HG_PRIORITY_NORMAL;
		policy.classes.n = 0;
		policy.behaviour = HG_FOLLOW_NONE;
	}
	return policy;
}

static uint64_t lower_rate(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t bytes_in(uint64_t bytes_per_s, hg_ns for_ns)
{
	return bytes_per_s / 1000u * (uint64_t)(for_ns / HG_NS_PER_MS);
}

static uint32_t hold_bytes(const struct hg_desired *d, const struct hg_desired_instance *instance,
			   enum hg_dir dir)
{
	const struct hg_desired_tenant *tenant = &d->tenants[instance->tenant_idx];
	uint64_t link_bytes_per_s = d->uplinks[tenant->uplink_idx].capacity_bytes_per_s;
	uint64_t max_bytes_per_s = lower_rate(instance->contract.dir[dir].max_bytes_per_s,
					      tenant->contract.dir[dir].max_bytes_per_s);
	bool has_max = max_bytes_per_s > 0 &&
		       (max_bytes_per_s < link_bytes_per_s || link_bytes_per_s == 0);
	uint64_t bytes = bytes_in(has_max ? max_bytes_per_s : link_bytes_per_s, HOLD_FOR_NS);
	uint64_t at_most_bytes = HOLD_MAX_BYTES;

	if (has_max && dir == HG_OUT) {
		bytes = most(
			bytes_in(max_bytes_per_s, HOLD_FOR_MAX_NS),
			least(bytes_in(max_bytes_per_s, HOLD_AT_START_NS), HOLD_AT_START_BYTES));
		at_most_bytes = HOLD_MAX_FOR_MAX_BYTES;
	}
	return (uint32_t)least(most(bytes, HOLD_MIN_BYTES), at_most_bytes);
}

static void lower_cut(struct hg_cut *cut, hg_ns cut_ns, const struct hg_contract *contract,
		      enum hg_dir dir)
{
	struct hg_policy policy = in_force(contract, dir, /* is_observed= */ false);

	hg_cutting_lower(cut, cut_ns, policy.max_bytes_per_s, policy.max_pkts_per_s);
}

static void set_cuts(const struct hg_desired *d, const struct hg_desired_instance *instance,
		     struct hg_lane_instance *to)
{
	const struct hg_desired_tenant *tenant = &d->tenants[instance->tenant_idx];
	const struct hg_desired_uplink *uplink = &d->uplinks[tenant->uplink_idx];
	hg_ns cut_ns = is_host_observed(d) ? 0 : uplink->cut_ns;

	for (int dir = 0; dir < HG_N_DIRS; dir++) {
		to->cut[dir] = hg_cutting_none();
		lower_cut(&to->cut[dir], cut_ns, &instance->contract, (enum hg_dir)dir);
		lower_cut(&to->cut[dir], cut_ns, &tenant->contract, (enum hg_dir)dir);
	}
	to->link_cut = to->cut[HG_OUT];
	hg_cutting_lower(&to->link_cut, cut_ns, uplink->capacity_bytes_per_s, 0);
}

/* Who is observed only is not ordered either. */
static void set_classes(struct hg_change *c, struct hg_snapshot *s)
{
	const struct hg_desired *d = c->desired;
	struct hg_class_set *next = s->class_sets;

	for (uint32_t i = 0; i < d->n_instances; i++) {
		struct hg_lane_instance *to = &s->instances[c->instances.slots[i]];

		for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
			struct hg_policy policy = in_force(&d->instances[i].contract,
							   (enum hg_dir)dir, s->is_observe);

			if (policy.classes.n == 0)
				continue;
			*next = policy.classes;
			to->classes[dir] = next++;
		}
	}
}

static void set_follow(const struct hg_desired *d, const struct hg_desired_instance *instance,
		       struct hg_lane_instance *to)
{
	struct hg_policy policy = in_force(&instance->contract, HG_OUT, is_host_observed(d));

	to->min_bytes_per_s = policy.min_bytes_per_s;
	to->max_bytes_per_s = policy.max_bytes_per_s;
	to->follow = policy.behaviour;
}

static void set_instances(struct hg_dp *dp, struct hg_change *c, struct hg_snapshot *s)
{
	const struct hg_desired *d = c->desired;

	for (uint32_t i = 0; i < d->n_instances; i++) {
		const struct hg_desired_instance *instance = &d->instances[i];
		uint32_t uplink = d->tenants[instance->tenant_idx].uplink_idx;
		struct hg_lane_instance *to = &s->instances[c->instances.slots[i]];

		to->tenant_slot = c->tenants.slots[instance->tenant_idx];
		to->uplink_tree = dp->uplink_trees[c->uplinks.slots[uplink]];
		to->hold_bytes[HG_OUT] = hold_bytes(d, instance, HG_OUT);
		to->hold_bytes[HG_IN] = hold_bytes(d, instance, HG_IN);
		set_cuts(d, instance, to);
		set_follow(d, instance, to);
	}
}

/* ---- operations --------------------------------------------------------------------------------- */

static struct hg_op *add_op(struct hg_snapshot *s, enum hg_op_kind kind, enum hg_dir dir,
			    uint32_t slot)
{
	struct hg_op *op = &s->ops[s->n_ops++];

	*op = (struct hg_op){.kind = kind, .dir = dir, .slot = slot};
	return op;
}

static bool is_same_policy(const struct hg_policy *a, const struct hg_policy *b)
{
	return a->min_bytes_per_s == b->min_bytes_per_s &&
	       a->max_bytes_per_s == b->max_bytes_per_s && a->max_pkts_per_s == b->max_pkts_per_s &&
	       a->burst_bytes == b->burst_bytes && a->reserve_bytes == b->reserve_bytes &&
	       a->idle_after_ns == b->idle_after_ns && a->weight == b->weight &&
	       a->accounting == b->accounting && a->priority == b->priority &&
	       a->behaviour == b->behaviour && hg_class_set_equal(&a->classes, &b->classes);
}

static void add_tenants(struct hg_dp *dp, struct hg_change *c, struct hg_snapshot *s)
{
	const struct hg_desired *d = c->desired, *old = &dp->desired;

	for (uint32_t i = 0; i < d->n_tenants; i++) {
		uint32_t old_idx = c->tenants.old_idx[i];
		uint32_t uplink_slot = c->uplinks.slots[d->tenants[i].uplink_idx];
		bool is_new = old_idx == HG_SLOT_NONE ||
			      dp->uplinks.slots[old->tenants[old_idx].uplink_idx] != uplink_slot;

		for (int dir = 0; dir < HG_N_DIRS; dir++) {
			struct hg_policy policy = in_force(&d->tenants[i].contract,
							   (enum hg_dir)dir, is_host_observed(d));
			struct hg_policy was = {0};
			struct hg_op *op;

			if (!is_new)
				was = in_force(&old->tenants[old_idx].contract, (enum hg_dir)dir,
					       is_host_observed(old));
			if (!is_new && is_same_policy(&policy, &was))
				continue;
			op = add_op(s, HG_OP_SET_TENANT, (enum hg_dir)dir, c->tenants.slots[i]);
			op->policy = policy;
			op->tree = dp->uplink_trees[uplink_slot];
		}
	}
}

static void add_instances(struct hg_dp *dp, struct hg_change *c, struct hg_snapshot *s)
{
	const struct hg_desired *d = c->desired, *old = &dp->desired;

	for (uint32_t i = 0; i < d->n_instances; i++) {
		uint32_t old_idx = c->instances.old_idx[i];
		const struct hg_lane_instance *lane = &s->instances[c->instances.slots[i]];

		for (int dir = 0; dir < HG_N_DIRS; dir++) {
			struct hg_policy policy = in_force(&d->instances[i].contract,
							   (enum hg_dir)dir, is_host_observed(d));
			struct hg_policy was = {0};
			struct hg_op *op;

			if (old_idx != HG_SLOT_NONE)
				was = in_force(&old->instances[old_idx].contract, (enum hg_dir)dir,
					       is_host_observed(old));
			if (old_idx != HG_SLOT_NONE && is_same_policy(&policy, &was))
				continue;
			op = add_op(s, HG_OP_SET_INSTANCE, (enum hg_dir)dir, c->instances.slots[i]);
			op->policy = policy;
			op->tenant_slot = lane->tenant_slot;
			op->tree = lane->uplink_tree;
		}
	}
}

/* Removes what the next map lacks, in both directions. */
static void add_removals(struct hg_dp *dp, struct hg_change *c, struct hg_snapshot *s,
			 const bool *instance_stays, const bool *tenant_stays)
{
	const struct hg_desired *old = &dp->desired;

	for (uint32_t i = 0; i < old->n_instances; i++) {
		uint32_t uplink = old->tenants[old->instances[i].tenant_idx].uplink_idx;

		for (int dir = 0; !instance_stays[i] && dir < HG_N_DIRS; dir++) {
			struct hg_op *op = add_op(s, HG_OP_REMOVE_INSTANCE, (enum hg_dir)dir,
						  dp->instances.slots[i]);

			op->tree = dp->uplink_trees[dp->uplinks.slots[uplink]];
			if (c->move != NULL && c->move->leaving_idx == i)
				op->left = c->move->ret_left;
		}
	}
	for (uint32_t i = 0; i < old->n_tenants; i++) {
		uint32_t uplink = old->tenants[i].uplink_idx;

		for (int dir = 0; !tenant_stays[i] && dir < HG_N_DIRS; dir++)
			add_op(s, HG_OP_REMOVE_TENANT, (enum hg_dir)dir, dp->tenants.slots[i])
				->tree = dp->uplink_trees[dp->uplinks.slots[uplink]];
	}
}

/* Behind the operations that set it. */
static int add_arriving(struct hg_change *c, struct hg_snapshot *s, struct hg_error *reterr)
{
	const struct hg_instance_state *arriving = c->move->arriving;
	uint32_t slot = c->instances.slots[c->move->arriving_idx];

	for (int dir = 0; dir < HG_N_DIRS; dir++) {
		struct hg_op *op = add_op(s, HG_OP_RESTORE_INSTANCE, (enum hg_dir)dir, slot);

		op->tree = s->instances[slot].uplink_tree;
		op->arriving = arriving;
	}
	s->learn_ops = calloc(arriving->n_learned + 1u, sizeof(*s->learn_ops));
	if (s->learn_ops == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for a snapshot", NULL);
	for (uint32_t i = 0; i < arriving->n_learned; i++) {
		const struct hg_state_learned *from = &arriving->learned[i];
		struct hg_learn_op *op = &s->learn_ops[s->n_learn_ops++];

		op->slot = c->ports.slots[from->port_idx];
		op->seen_ago_ns = from->seen_ago_ns;
		memcpy(op->mac, from->mac, HG_MAC_BYTES);
	}
	return 0;
}

static int add_all_removals(struct hg_dp *dp, struct hg_change *c, struct hg_snapshot *s,
			    struct hg_error *reterr)
{
	bool *instance_stays = calloc(dp->desired.n_instances + 1u, sizeof(bool));
	bool *tenant_stays = calloc(dp->desired.n_tenants + 1u, sizeof(bool));

	if (instance_stays == NULL || tenant_stays == NULL) {
		free(instance_stays);
		free(tenant_stays);
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for a snapshot", NULL);
	}
	for (uint32_t i = 0; i < c->instances.n; i++) {
		if (c->instances.old_idx[i] != HG_SLOT_NONE)
			instance_stays[c->instances.old_idx[i]] = true;
	}
	for (uint32_t i = 0; i < c->tenants.n; i++) {
		uint32_t old_idx = c->tenants.old_idx[i];
		uint32_t uplink_slot = c->uplinks.slots[c->desired->tenants[i].uplink_idx];

		/* A tenant that moves to another uplink leaves the old one's tree. */
		if (old_idx != HG_SLOT_NONE &&
		    dp->uplinks.slots[dp->desired.tenants[old_idx].uplink_idx] == uplink_slot)
			tenant_stays[old_idx] = true;
	}
	add_removals(dp, c, s, instance_stays, tenant_stays);
	free(instance_stays);
	free(tenant_stays);
	return 0;
}

/* What the card's queue takes, where its driver knows it. */
static uint32_t ring_pkts(const struct hg_port *port)
{
	struct hg_dev_state state = {0};
	struct hg_dev_stats stats;

	if (port != NULL)
		port->dev->driver->sample(port->dev, &state, &stats);
	return (uint32_t)state.ring_size_pkts;
}

static void add_roots(struct hg_dp *dp, struct hg_change *c, struct hg_snapshot *s)
{
	for (uint32_t i = 0; i < c->desired->n_uplinks; i++) {
		uint64_t rate =
			c->desired->uplinks[i].capacity_bytes_per_s / 1000000u * HG_ROOT_PACE_PPM;
		uint64_t burst = rate / (uint64_t)(HG_NS_PER_S / ROOT_BURST_NS);
		uint32_t slot = c->uplinks.slots[i];
		struct hg_op *op = add_op(s, HG_OP_SET_ROOT, HG_OUT, slot);

		op->tree = dp->uplink_trees[slot];
		op->root_bytes_per_s = is_host_observed(c->desired) ? 0 : rate;
		op->root_burst_bytes = burst < ROOT_BURST_MIN_BYTES ? ROOT_BURST_MIN_BYTES : burst;
		op->inflight = inflight_of(dp, &c->desired->uplinks[i]);
		op->inflight.depth.ring_pkts = ring_pkts(s->ports[slot]);
	}
}

int hg_build_empty(struct hg_snapshot **ret_snapshot, struct hg_error *reterr)
{
	*ret_snapshot = calloc(1, sizeof(**ret_snapshot));
	if (*ret_snapshot == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for a snapshot", NULL);
	return 0;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

int hg_build_snapshot(struct hg_dp *dp, struct hg_change *c, struct hg_error *reterr)
{
	struct hg_snapshot *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL || !alloc_arrays(dp, c, s)) {
		hg_build_free_snapshot(s);
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for a snapshot", NULL);
	}
	s->generation = dp->snapshot->generation + 1u;
	s->is_observe = is_host_observed(c->desired);
	r = set_trees(dp, c, s, reterr);
	if (r != 0)
		goto fail;
	set_ports(dp, c, s);
	set_instances(dp, c, s);
	set_classes(c, s);
	r = set_mirrors(c, s, reterr);
	if (r == 0)
		r = hg_build_view(dp, c, s, reterr);
	if (r == 0)
		r = add_all_removals(dp, c, s, reterr);
	if (r != 0)
		goto fail;
	add_roots(dp, c, s);
	add_tenants(dp, c, s);
	add_instances(dp, c, s);
	if (c->move != NULL && c->move->arriving_idx != HG_DP_NOBODY)
		r = add_arriving(c, s, reterr);
	if (r != 0)
		goto fail;
	c->snapshot = s;
	return 0;
fail:
	hg_build_free_snapshot(s);
	return r;
}
