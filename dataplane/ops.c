#include "dataplane/ops.h"

#include "dataplane/behave.h"
#include "dataplane/flight.h"
#include "dataplane/path.h"
#include "dataplane/publish.h"
#include "dataplane/pushback.h"
#include "dataplane/state.h"

#include <rte_debug.h>

#include <string.h>

/* The control lane validated every operation, so that a refusal here is a defect of the program. */
static void must(int r, const struct hg_error *err)
{
	if (r != 0)
		rte_panic("headgate: a scheduler refused a validated change: %s\n", err->text);
}

/* The trees that an instance or tenant of this operation lives in. */
static unsigned trees_of(struct hg_lane *lane, const struct hg_op *op, struct hg_tree *ret_trees[2])
{
	if (op->dir == HG_IN) {
		ret_trees[0] = lane->in_tree;
		return 1;
	}
	ret_trees[0] = lane->local_tree;
	ret_trees[1] = op->tree;
	return 2;
}

static void drain(struct hg_worker *w, struct hg_tree *tree, const struct hg_op *op)
{
	struct hg_flow *flow = &w->lane->flows[op->slot * HG_N_DIRS + op->dir];
	struct hg_sched_item items[HG_BURST_PKTS];
	unsigned n;

	while ((n = hg_sched_drain(tree->sched, op->slot, items, HG_BURST_PKTS, w->now_ns)) > 0) {
		for (unsigned i = 0; i < n; i++)
			hg_path_drop_flow(w, flow, items[i].pkt, HG_DROP_REMOVED);
	}
}

static void remove_instance(struct hg_worker *w, const struct hg_op *op)
{
	struct hg_tree *trees[2];
	unsigned n = trees_of(w->lane, op, trees);
	struct hg_error err = {0};

	hg_publish_last(w, op->slot, op->dir, op->tree);
	if (op->left != NULL)
		hg_state_save(w, op->slot, op->dir, op->tree, op->left);
	for (unsigned i = 0; i < n; i++) {
		drain(w, trees[i], op);
		must(hg_sched_remove_instance(trees[i]->sched, op->slot, w->now_ns, &err), &err);
		if (trees[i]->inflight != NULL)
			hg_inflight_remove_instance(trees[i]->inflight, op->slot);
	}
	if (op->dir == HG_OUT)
		hg_pushback_reset(w, hg_path_flow(w, op->slot, HG_OUT));
}

static void remove_tenant(struct hg_worker *w, const struct hg_op *op)
{
	struct hg_tree *trees[2];
	unsigned n = trees_of(w->lane, op, trees);
	struct hg_error err = {0};

	for (unsigned i = 0; i < n; i++)
		must(hg_sched_remove_tenant(trees[i]->sched, op->slot, w->now_ns, &err), &err);
}

static void set_tenant(struct hg_worker *w, const struct hg_op *op)
{
	struct hg_tree *trees[2];
	unsigned n = trees_of(w->lane, op, trees);
	struct hg_error err = {0};

	hg_caps_set_tenant(w->lane->caps[op->dir], op->slot, &op->policy, w->now_ns);
	for (unsigned i = 0; i < n; i++) {
		if (trees[i]->inflight != NULL)
			hg_window_set_tenant(hg_inflight_window(trees[i]->inflight), op->slot,
					     op->policy.weight);
		must(hg_sched_set_tenant(trees[i]->sched, op->slot, &op->policy, w->now_ns, &err),
		     &err);
		hg_sched_refresh_tenant(trees[i]->sched, op->slot, w->now_ns);
	}
}

static void set_instance(struct hg_worker *w, const struct hg_op *op)
{
	struct hg_tree *trees[2];
	unsigned n = trees_of(w->lane, op, trees);
	struct hg_error err = {0};

	hg_caps_set_instance(w->lane->caps[op->dir], op->slot, &op->policy, w->now_ns);
	for (unsigned i = 0; i < n; i++) {
		if (trees[i]->inflight != NULL)
			hg_window_set_instance(hg_inflight_window(trees[i]->inflight), op->slot,
					       op->tenant_slot, op->policy.weight,
					       op->policy.min_bytes_per_s);
		must(hg_sched_set_instance(trees[i]->sched, op->slot, op->tenant_slot, &op->policy,
					   w->now_ns, &err),
		     &err);
		hg_sched_refresh_instance(trees[i]->sched, op->slot, w->now_ns);
		hg_sched_set_classes(trees[i]->sched, op->slot, &op->policy.classes);
	}
	if (op->dir == HG_OUT)
		hg_behave_reset(w, op->slot, op->tree);
}

static void restore_instance(struct hg_worker *w, const struct hg_op *op)
{
	struct hg_tree *trees[2];
	unsigned n = trees_of(w->lane, op, trees);
	struct hg_error err = {0};

	/* First the rate, which tokens are told at. */
	if (op->dir == HG_OUT)
		hg_behave_restore(w, op->slot, op->tree, &op->arriving->behaviour,
				  op->arriving->behaviour_ago_ns);
	hg_caps_restore_instance(w->lane->caps[op->dir], op->slot, &op->arriving->dir[op->dir].caps,
				 w->now_ns);
	for (unsigned i = 0; i < n; i++) {
		const struct hg_sched_saved *saved =
			op->dir == HG_OUT && trees[i] == w->lane->local_tree
				? &op->arriving->dir[op->dir].local
				: &op->arriving->dir[op->dir].link;

		must(hg_sched_restore_instance(trees[i]->sched, op->slot, saved, w->now_ns, &err),
		     &err);
		hg_sched_refresh_instance(trees[i]->sched, op->slot, w->now_ns);
	}
}

/* Takes what the MAC table holds of a port out of it. */
static void forget_macs(struct hg_worker *w, const struct hg_mac_op *op)
{
	const struct hg_switch_port *was = &op->was;

	if (was->is_gone || was->is_uplink || op->is_limit)
		return;
	hg_forward_unconfigure(&w->fdb, was);
	if (hg_fdb_learned_of(&w->fdb, op->slot) > 0)
		(void)hg_fdb_forget_port(&w->fdb, op->slot);
}

static void follow_macs(struct hg_worker *w, const struct hg_snapshot *s)
{
	struct hg_error err = {0};

	/* First everything that goes: an address may move from one port to another. */
	for (uint32_t i = 0; i < s->n_mac_ops; i++)
		forget_macs(w, &s->mac_ops[i]);
	for (uint32_t i = 0; i < s->n_mac_ops; i++) {
		uint32_t slot = s->mac_ops[i].slot;

		if (s->mac_ops[i].is_gone)
			continue;
		hg_fdb_set_limit(&w->fdb, slot, s->switch_ports[slot].max_learned);
		must(hg_forward_configure(&s->view, &w->fdb, slot, &err), &err);
	}
}

static void learn(struct hg_worker *w, const struct hg_snapshot *s)
{
	for (uint32_t i = 0; i < s->n_learn_ops; i++) {
		const struct hg_learn_op *op = &s->learn_ops[i];
		uint8_t addresses[2 * HG_MAC_BYTES] = {0};
		const struct hg_pkt seen = {.data = addresses};

		memcpy(addresses + HG_MAC_BYTES, op->mac, HG_MAC_BYTES);
		if (op->seen_ago_ns < HG_FDB_AGE_NS)
			hg_forward_learn(&s->view, &w->fdb, &seen, op->slot,
					 w->now_ns - op->seen_ago_ns);
	}
}

void hg_ops_run(struct hg_worker *w, const struct hg_snapshot *s)
{
	follow_macs(w, s);
	learn(w, s);
	for (uint32_t i = 0; i < s->n_ops; i++) {
		const struct hg_op *op = &s->ops[i];
		uint32_t owner = op->dir == HG_OUT ? w->lane->out_owner : w->lane->in_owner;

		if (owner != w->idx)
			continue;
		switch (op->kind) {
		case HG_OP_REMOVE_INSTANCE:
			remove_instance(w, op);
			break;
		case HG_OP_REMOVE_TENANT:
			remove_tenant(w, op);
			break;
		case HG_OP_SET_ROOT:
			hg_flight_configure(w, op);
			break;
		case HG_OP_SET_TENANT:
			set_tenant(w, op);
			break;
		case HG_OP_SET_INSTANCE:
			set_instance(w, op);
			break;
		case HG_OP_RESTORE_INSTANCE:
			restore_instance(w, op);
			break;
		}
	}
}
