/* What tenants and instances are owed and owe, and what was counted, out of one packet lane and into another.
 *
 * The text: a head, then ports, tenants, instances. Numbers are the machine's own, and instants too: both sides run on
 * one host. Its form is that of this version's structs, which the head tells by their sizes and the names of all
 * reasons and limits; any other form is refused, and whoever reads it begins anew. */
#include "dataplane/behave.h"
#include "dataplane/counters.h"
#include "dataplane/dp.h"
#include "dataplane/path.h"
#include "dataplane/publish.h"
#include "dataplane/state.h"

#include <assert.h>
#include <string.h>

#define MAGIC 0x68677374u /* "hgst" */
#define FORMAT 1u
/* Far above what a restart may take; beyond it the clock was another. */
#define GAP_MAX_NS (60 * HG_NS_PER_S)

struct head {
	uint32_t magic, format;
	uint64_t layout;
	uint64_t n_bytes; /* of all, this head included */
	hg_ns at_ns; /* when it was written */
	uint32_t n_ports, n_tenants, n_instances; /* uplinks are ports, and the first of them */
	uint32_t reserved;
	uint64_t drops[HG_N_DROPS]; /* that no instance could be charged with */
};

/* Whose something is: who has the same name elsewhere is another. */
struct name {
	char name[HG_NAME_BYTES];
	char owner[HG_NAME_BYTES]; /* of an instance: its tenant; of a port: its instance */
	char uplink[HG_NAME_BYTES]; /* of a tenant, and of an instance: its tenant's */
};

struct port_record {
	struct name name;
	struct hg_port_counts counts;
};

struct tenant_record {
	struct name name;
	struct hg_cap_saved caps[HG_N_DIRS];
	struct hg_sched_tenant_saved link, local, in; /* by scheduler */
	struct hg_retired retired[HG_N_DIRS]; /* of instances that are gone */
};

struct flow_record {
	struct hg_retired counts;
	struct hg_histogram wait;
	hg_ns last_wait_ns;
	uint64_t held_by; /* enum hg_limit: what it waited for; NONE: nothing was queued */
};

struct instance_record {
	struct name name;
	struct hg_state_dir dir[HG_N_DIRS];
	struct flow_record flows[HG_N_DIRS];
	struct hg_behave behave;
	struct hg_histogram card;
};

static_assert(sizeof(struct head) % 8u == 0 && sizeof(struct port_record) % 8u == 0 &&
		      sizeof(struct tenant_record) % 8u == 0 &&
		      sizeof(struct instance_record) % 8u == 0,
	      "what follows is aligned, too");

static uint64_t layout(void)
{
	static const uint64_t sizes[] = {sizeof(struct port_record), sizeof(struct tenant_record),
					 sizeof(struct instance_record), sizeof(struct hg_retired),
					 sizeof(struct hg_sched_saved)};
	uint64_t hash = hg_verdict_layout();

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		hash = (hash ^ sizes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t size_of(uint64_t n_ports, uint64_t n_tenants, uint64_t n_instances)
{
	return sizeof(struct head) + n_ports * sizeof(struct port_record) +
	       n_tenants * sizeof(struct tenant_record) +
	       n_instances * sizeof(struct instance_record);
}

size_t hg_dp_standing_size(const struct hg_dp *dp)
{
	const struct hg_desired *d = &dp->desired;

	return size_of((uint64_t)d->n_uplinks + d->n_ports, d->n_tenants, d->n_instances);
}

/* ---- names -------------------------------------------------------------------------------------- */

static void copy_name(char *to, const char *from)
{
	memcpy(to, from, strnlen(from, HG_NAME_BYTES - 1u));
}

static void name_tenant(const struct hg_desired *d, uint32_t idx, struct name *ret)
{
	memset(ret, 0, sizeof(*ret));
	copy_name(ret->name, d->tenants[idx].name);
	copy_name(ret->uplink, d->uplinks[d->tenants[idx].uplink_idx].name);
}

static void name_instance(const struct hg_desired *d, uint32_t idx, struct name *ret)
{
	uint32_t tenant = d->instances[idx].tenant_idx;

	memset(ret, 0, sizeof(*ret));
	copy_name(ret->name, d->instances[idx].name);
	copy_name(ret->owner, d->tenants[tenant].name);
	copy_name(ret->uplink, d->uplinks[d->tenants[tenant].uplink_idx].name);
}

static void name_port(const struct hg_desired *d, uint32_t idx, struct name *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (idx < d->n_uplinks) {
		copy_name(ret->name, d->uplinks[idx].name);
		return;
	}
	idx -= d->n_uplinks;
	copy_name(ret->name, d->ports[idx].name);
	copy_name(ret->owner, d->instances[d->ports[idx].instance_idx].name);
}

typedef void (*name_fn)(const struct hg_desired *d, uint32_t idx, struct name *ret);

/* The index of a name among n; `near`: what it is if nothing changed. */
static uint32_t find(const struct hg_desired *d, name_fn name_of, uint32_t n,
		     const struct name *wanted, uint32_t near)
{
	struct name own;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t idx = (near + i) % n;

		name_of(d, idx, &own);
		if (memcmp(&own, wanted, sizeof(own)) == 0)
			return idx;
	}
	return HG_SLOT_NONE;
}

/* ---- where things are ---------------------------------------------------------------------------- */

static uint32_t port_slot(const struct hg_dp *dp, uint32_t idx)
{
	uint32_t n_uplinks = dp->desired.n_uplinks;

	return idx < n_uplinks ? dp->uplinks.slots[idx] : dp->ports.slots[idx - n_uplinks];
}

static struct hg_tree *link_tree(const struct hg_dp *dp, uint32_t tenant_idx)
{
	return dp->uplink_trees[dp->uplinks.slots[dp->desired.tenants[tenant_idx].uplink_idx]];
}

static struct hg_worker *owner_of(const struct hg_dp *dp, int dir)
{
	return dp->lane.workers[dir == HG_OUT ? dp->lane.out_owner : dp->lane.in_owner];
}

/* ---- out ---------------------------------------------------------------------------------------- */

static void count_port(const struct hg_port *port, struct hg_port_counts *sum)
{
	struct hg_dev_state dev;
	struct hg_dev_stats stats;

	port->dev->driver->sample(port->dev, &dev, &stats);
	hg_counters_add_port(sum, port, &stats);
}

static void write_port(const struct hg_dp *dp, uint32_t idx, struct port_record *to)
{
	const struct hg_port_state *state = &dp->states[port_slot(dp, idx)];

	name_port(&dp->desired, idx, &to->name);
	to->counts = state->before;
	if (state->port != NULL)
		count_port(state->port, &to->counts);
}

static void write_tenant(const struct hg_dp *dp, uint32_t idx, struct tenant_record *to, hg_ns now)
{
	uint32_t slot = dp->tenants.slots[idx];

	name_tenant(&dp->desired, idx, &to->name);
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		hg_caps_save_tenant(dp->lane.caps[dir], slot, now, &to->caps[dir]);
		to->retired[dir] = dp->retired[slot * HG_N_DIRS + dir];
	}
	hg_sched_save_tenant(link_tree(dp, idx)->sched, slot, now, &to->link);
	hg_sched_save_tenant(dp->lane.local_tree->sched, slot, now, &to->local);
	hg_sched_save_tenant(dp->lane.in_tree->sched, slot, now, &to->in);
}

static void write_flow(const struct hg_flow *flow, struct flow_record *to)
{
	to->counts = (struct hg_retired){0};
	hg_counters_add(&to->counts, flow);
	to->wait = flow->wait;
	to->last_wait_ns = flow->last_wait_ns;
	to->held_by = flow->published.held_by;
}

static void write_instance(const struct hg_dp *dp, uint32_t idx, struct instance_record *to,
			   hg_ns now)
{
	uint32_t slot = dp->instances.slots[idx];
	const struct hg_tree *tree = link_tree(dp, dp->desired.instances[idx].tenant_idx);

	name_instance(&dp->desired, idx, &to->name);
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		hg_caps_save_instance(dp->lane.caps[dir], slot, now, &to->dir[dir].caps);
		hg_publish_last(owner_of(dp, (int)dir), slot, (enum hg_dir)dir, tree);
		write_flow(&dp->lane.flows[slot * HG_N_DIRS + dir], &to->flows[dir]);
	}
	hg_sched_save_instance(tree->sched, slot, now, &to->dir[HG_OUT].link);
	hg_sched_save_instance(dp->lane.local_tree->sched, slot, now, &to->dir[HG_OUT].local);
	hg_sched_save_instance(dp->lane.in_tree->sched, slot, now, &to->dir[HG_IN].link);
	to->behave = dp->lane.flows[slot * HG_N_DIRS + HG_OUT].behave;
	if (tree->inflight != NULL)
		to->card = *hg_inflight_card(tree->inflight, slot);
}

/* In the place of workers that stand still. */
static hg_ns sit(struct hg_dp *dp)
{
	hg_ns now_ns = hg_dp_clock_ns();

	owner_of(dp, HG_OUT)->now_ns = now_ns;
	owner_of(dp, HG_IN)->now_ns = now_ns;
	return now_ns;
}

void hg_dp_standing_out(struct hg_dp *dp, void *memory)
{
	const struct hg_desired *d = &dp->desired;
	struct hg_dp_host_sample host;
	struct head *head = memory;
	struct port_record *ports = (struct port_record *)(head + 1);
	struct tenant_record *tenants;
	struct instance_record *instances;

	memset(memory, 0, hg_dp_standing_size(dp));
	*head = (struct head){
		.magic = MAGIC,
		.format = FORMAT,
		.layout = layout(),
		.n_bytes = hg_dp_standing_size(dp),
		.at_ns = sit(dp),
		.n_ports = d->n_uplinks + d->n_ports,
		.n_tenants = d->n_tenants,
		.n_instances = d->n_instances,
	};
	hg_dp_sample_host(dp, &host);
	memcpy(head->drops, host.drops, sizeof(head->drops));
	tenants = (struct tenant_record *)(void *)(ports + head->n_ports);
	instances = (struct instance_record *)(void *)(tenants + head->n_tenants);
	for (uint32_t i = 0; i < head->n_ports; i++)
		write_port(dp, i, &ports[i]);
	for (uint32_t i = 0; i < d->n_tenants; i++)
		write_tenant(dp, i, &tenants[i], head->at_ns);
	for (uint32_t i = 0; i < d->n_instances; i++)
		write_instance(dp, i, &instances[i], head->at_ns);
}

/* ---- in ----------------------------------------------------------------------------------------- */

static int refuse(struct hg_error *reterr, const char *why)
{
	return hg_error_set(reterr, -HG_EINVAL, "the tokens and totals that were handed over ", why,
			    NULL);
}

static int check_head(const void *memory, size_t n_bytes, hg_ns now_ns, struct hg_error *reterr)
{
	const struct head *head = memory;

	if (n_bytes < sizeof(*head))
		return refuse(reterr, "end too early");
	if (head->magic != MAGIC)
		return refuse(reterr, "are something else");
	if (head->format != FORMAT || head->layout != layout())
		return hg_error_set(reterr, -HG_ENOTSUP,
				    "the tokens and totals that were handed over are written in "
				    "another way than this version reads",
				    NULL);
	if (head->n_bytes != n_bytes ||
	    n_bytes != size_of(head->n_ports, head->n_tenants, head->n_instances))
		return refuse(reterr, "do not end where they should");
	if (head->at_ns > now_ns || head->at_ns < now_ns - GAP_MAX_NS)
		return refuse(reterr, "are of another time");
	return 0;
}

static int check_tenant(const struct tenant_record *tenant, struct hg_error *reterr)
{
	int r = 0;

	for (unsigned dir = 0; r == 0 && dir < HG_N_DIRS; dir++)
		r = hg_cap_saved_check(&tenant->caps[dir], reterr);
	if (r == 0)
		r = hg_sched_tenant_saved_check(&tenant->link, reterr);
	if (r == 0)
		r = hg_sched_tenant_saved_check(&tenant->local, reterr);
	return r == 0 ? hg_sched_tenant_saved_check(&tenant->in, reterr) : r;
}

static int check_instance(const struct instance_record *instance, hg_ns at_ns,
			  struct hg_error *reterr)
{
	struct hg_instance_state state;

	memcpy(state.dir, instance->dir, sizeof(state.dir));
	state.behaviour = instance->behave.behaviour;
	state.behaviour_ago_ns = instance->behave.at_ns == 0 ? -1 : at_ns - instance->behave.at_ns;
	state.n_learned = 0;
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		if (instance->flows[dir].held_by >= HG_N_LIMITS)
			return refuse(reterr, "name a limit that there is not");
	}
	return hg_instance_state_check(&state, reterr);
}

/* What was due then, a gap later. Who had something queued never was quiet. */
static void later(hg_ns *due_in_ns, hg_ns *quiet_ns, hg_ns gap_ns)
{
	*due_in_ns = *due_in_ns - gap_ns > -HG_SAVED_DUE_MAX_NS ? *due_in_ns - gap_ns
								: -HG_SAVED_DUE_MAX_NS;
	if (*quiet_ns > 0 && *quiet_ns <= HG_SAVED_AGE_MAX_NS - gap_ns)
		*quiet_ns += gap_ns;
}

struct reader {
	struct hg_dp *dp;
	hg_ns at_ns, now_ns;
};

/* Its device goes on counting from where it is, which in the lane that this was written by is not zero. */
static void read_port(const struct reader *r, const struct port_record *from, uint32_t near)
{
	const struct hg_desired *d = &r->dp->desired;
	uint32_t idx = find(d, name_port, d->n_uplinks + d->n_ports, &from->name, near);
	struct hg_port_state *state;
	struct hg_port_counts own = {0};

	if (idx == HG_SLOT_NONE)
		return;
	state = &r->dp->states[port_slot(r->dp, idx)];
	if (state->port != NULL)
		count_port(state->port, &own);
	state->before = from->counts;
	state->before.rx_pkts -= own.rx_pkts;
	state->before.rx_bytes -= own.rx_bytes;
	state->before.tx_pkts -= own.tx_pkts;
	state->before.tx_bytes -= own.tx_bytes;
	state->before.tx_wire_bytes -= own.tx_wire_bytes;
	state->before.rx_wire_bytes -= own.rx_wire_bytes;
	state->before.n_introductions -= own.n_introductions;
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		state->before.drops[i] -= own.drops[i];
}

/* Likewise the workers. */
static void read_host(struct hg_dp *dp, const struct head *head)
{
	struct hg_dp_host_sample host;

	hg_dp_sample_host(dp, &host);
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		dp->drops_before[i] += head->drops[i] - host.drops[i];
}

static void read_tenant_tree(const struct reader *r, struct hg_tree *tree, uint32_t slot,
			     struct hg_sched_tenant_saved saved)
{
	struct hg_error err = {0};

	later(&saved.due_in_ns, &saved.quiet_ns, r->now_ns - r->at_ns);
	if (hg_sched_restore_tenant(tree->sched, slot, &saved, r->now_ns, &err) == 0 &&
	    saved.quiet_ns == 0)
		hg_sched_resume_tenant(tree->sched, slot);
	hg_sched_refresh_tenant(tree->sched, slot, r->now_ns);
}

static void read_tenant(const struct reader *r, const struct tenant_record *from, uint32_t near)
{
	struct hg_dp *dp = r->dp;
	uint32_t idx = find(&dp->desired, name_tenant, dp->desired.n_tenants, &from->name, near);
	uint32_t slot;

	if (idx == HG_SLOT_NONE)
		return;
	slot = dp->tenants.slots[idx];
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		/* As of then: what it earned since is there, too. */
		hg_caps_restore_tenant(dp->lane.caps[dir], slot, &from->caps[dir], r->at_ns);
		dp->retired[slot * HG_N_DIRS + dir] = from->retired[dir];
	}
	read_tenant_tree(r, link_tree(dp, idx), slot, from->link);
	read_tenant_tree(r, dp->lane.local_tree, slot, from->local);
	read_tenant_tree(r, dp->lane.in_tree, slot, from->in);
}

static void read_instance_tree(const struct reader *r, struct hg_tree *tree, uint32_t slot,
			       struct hg_sched_saved saved)
{
	struct hg_error err = {0};

	later(&saved.due_in_ns, &saved.quiet_ns, r->now_ns - r->at_ns);
	if (hg_sched_restore_instance(tree->sched, slot, &saved, r->now_ns, &err) == 0 &&
	    saved.quiet_ns == 0)
		hg_sched_resume_instance(tree->sched, slot);
	hg_sched_refresh_instance(tree->sched, slot, r->now_ns);
}

/* Held times go on from what they were, and whoever waited did so while everything stood still. */
static void read_held(const struct reader *r, struct hg_flow *flow, const struct flow_record *from,
		      const uint64_t *own_ns)
{
	for (unsigned i = 0; i < HG_N_LIMITS; i++) {
		uint64_t held_ns = from->counts.held_ns[i];

		if (i != HG_LIMIT_NONE && i == from->held_by)
			held_ns += (uint64_t)(r->now_ns - r->at_ns);
		flow->held_before_ns[i] = held_ns - own_ns[i];
		HG_WRITE(flow->published.held_ns[i], held_ns);
	}
}

static void read_flow(struct hg_flow *flow, const struct flow_record *from)
{
	const struct hg_retired *counts = &from->counts;

	flow->offered_bytes = counts->offered_bytes;
	flow->offered_pkts = counts->offered_pkts;
	flow->link_offered_bytes = counts->link_offered_bytes;
	flow->sent_bytes = counts->sent_bytes;
	flow->sent_pkts = counts->sent_pkts;
	flow->link_bytes = counts->link_bytes;
	flow->marked_pkts = counts->marked_pkts;
	flow->cut_segments = counts->cut_segments;
	flow->cut_pieces = counts->cut_pieces;
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		flow->drops[i] = (uint32_t)counts->drops[i];
	flow->wait = from->wait;
	flow->last_wait_ns = from->last_wait_ns;
}

static void read_dir(const struct reader *r, uint32_t slot, enum hg_dir dir, struct hg_tree *tree,
		     const struct instance_record *from)
{
	struct hg_dp *dp = r->dp;
	struct hg_flow *flow = &dp->lane.flows[slot * HG_N_DIRS + dir];
	uint64_t own_ns[HG_N_LIMITS];

	memset(flow->held_before_ns, 0, sizeof(flow->held_before_ns));
	hg_publish_last(owner_of(dp, dir), slot, dir, tree);
	memcpy(own_ns, flow->published.held_ns, sizeof(own_ns));
	read_flow(flow, &from->flows[dir]);
	read_held(r, flow, &from->flows[dir], own_ns);
	/* First the rate, which tokens are told at. */
	if (dir == HG_OUT && from->behave.at_ns != 0) {
		hg_behave_restore(owner_of(dp, dir), slot, tree, &from->behave.behaviour,
				  r->now_ns - from->behave.at_ns);
		flow->behave = from->behave;
	}
	hg_caps_restore_instance(dp->lane.caps[dir], slot, &from->dir[dir].caps, r->at_ns);
	read_instance_tree(r, dir == HG_IN ? dp->lane.in_tree : tree, slot, from->dir[dir].link);
	if (dir == HG_OUT)
		read_instance_tree(r, dp->lane.local_tree, slot, from->dir[dir].local);
}

/* Returns whether it is here. */
static bool read_instance(const struct reader *r, const struct instance_record *from, uint32_t near)
{
	struct hg_dp *dp = r->dp;
	uint32_t idx =
		find(&dp->desired, name_instance, dp->desired.n_instances, &from->name, near);
	struct hg_tree *tree;
	uint32_t slot;

	if (idx == HG_SLOT_NONE)
		return false;
	slot = dp->instances.slots[idx];
	tree = link_tree(dp, dp->desired.instances[idx].tenant_idx);
	read_dir(r, slot, HG_OUT, tree, from);
	read_dir(r, slot, HG_IN, tree, from);
	if (tree->inflight != NULL)
		hg_inflight_restore_card(tree->inflight, slot, &from->card);
	return true;
}

int hg_dp_standing_in(struct hg_dp *dp, const void *memory, size_t n_bytes, uint32_t *ret_n,
		      struct hg_error *reterr)
{
	const struct head *head = memory;
	struct reader reader = {.dp = dp, .now_ns = sit(dp)};
	const struct port_record *ports = (const struct port_record *)(head + 1);
	const struct tenant_record *tenants;
	const struct instance_record *instances;
	uint32_t n = 0;
	int r = check_head(memory, n_bytes, reader.now_ns, reterr);

	if (r != 0)
		return r;
	reader.at_ns = head->at_ns;
	tenants = (const struct tenant_record *)(const void *)(ports + head->n_ports);
	instances = (const struct instance_record *)(const void *)(tenants + head->n_tenants);
	/* The whole of it, before any of it is believed. */
	for (uint32_t i = 0; r == 0 && i < head->n_tenants; i++)
		r = check_tenant(&tenants[i], reterr);
	for (uint32_t i = 0; r == 0 && i < head->n_instances; i++)
		r = check_instance(&instances[i], head->at_ns, reterr);
	if (r != 0)
		return r;
	read_host(dp, head);
	for (uint32_t i = 0; i < head->n_ports; i++)
		read_port(&reader, &ports[i], i);
	for (uint32_t i = 0; i < head->n_tenants; i++)
		read_tenant(&reader, &tenants[i], i);
	for (uint32_t i = 0; i < head->n_instances; i++)
		n += read_instance(&reader, &instances[i], i);
	*ret_n = n;
	return 0;
}
