#include "dataplane/state.h"

#include "dataplane/dp.h"
#include "dataplane/path.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of the MAC table, in one housekeeping: 2,048 entries, some 5 us. */
#define WALK_BUCKETS 512u
/* A worker answers within milliseconds, unless others take its processor away. */
#define ANSWER_WITHIN_NS (5 * HG_NS_PER_S)
#define LOOK_AGAIN_NS (20 * HG_NS_PER_US)
/* Set in the scopes of uplinks, where each address is a second time. */
#define UPLINK_SCOPE (UINT32_C(1) << 31)

/* ---- the worker's part -------------------------------------------------------------------------- */

void hg_state_save(struct hg_worker *w, uint32_t slot, enum hg_dir dir,
		   const struct hg_tree *uplink_tree, struct hg_instance_state *ret)
{
	const struct hg_tree *tree = dir == HG_IN ? w->lane->in_tree : uplink_tree;
	const struct hg_flow *flow = &w->lane->flows[slot * HG_N_DIRS + dir];

	hg_caps_save_instance(w->lane->caps[dir], slot, w->now_ns, &ret->dir[dir].caps);
	hg_sched_save_instance(tree->sched, slot, w->now_ns, &ret->dir[dir].link);
	ret->dir[dir].local = (struct hg_sched_saved){0};
	if (dir == HG_IN)
		return;
	hg_sched_save_instance(w->lane->local_tree->sched, slot, w->now_ns, &ret->dir[dir].local);
	ret->behaviour = flow->behave.behaviour;
	ret->behaviour_ago_ns = flow->behave.at_ns == 0 ? -1 : w->now_ns - flow->behave.at_ns;
}

static void note_learned(void *user, const struct hg_fdb_learned *learned)
{
	const struct hg_state_ask *ask = user;
	struct hg_instance_state *ret = ask->ret;

	for (uint32_t i = 0; i < ask->n_ports; i++) {
		struct hg_state_learned *to = &ret->learned[ret->n_learned];

		/* What a trunk has learned in its tagged VLANs is learned anew. */
		if (ask->ports[i] != learned->port_idx || (learned->scope & UPLINK_SCOPE) != 0 ||
		    learned->vlan != ask->switch_ports[learned->port_idx].vlan ||
		    ret->n_learned == HG_STATE_LEARNED_MAX)
			continue;
		memcpy(to->mac, learned->mac, HG_MAC_BYTES);
		to->port_idx = ask->port_idx[i];
		to->seen_ago_ns = learned->seen_ago_ns;
		ret->n_learned++;
	}
}

static bool has_learned(const struct hg_worker *w, const struct hg_state_ask *ask)
{
	for (uint32_t i = 0; i < ask->n_ports; i++) {
		if (hg_fdb_learned_of(&w->fdb, ask->ports[i]) > 0)
			return true;
	}
	return false;
}

/* Returns whether that was the last slice. */
static bool walk(struct hg_worker *w, struct hg_state_ask *ask)
{
	if (!has_learned(w, ask))
		return true;
	w->walk_at = hg_fdb_walk(&w->fdb, w->walk_at, WALK_BUCKETS, w->now_ns, note_learned, ask);
	return w->walk_at == w->fdb.n_buckets;
}

void hg_state_answer(struct hg_worker *w)
{
	struct hg_state_ask *ask = atomic_load_explicit(&w->lane->ask, memory_order_acquire);

	if (HG_LIKELY(ask == NULL) || ask->number == w->answered)
		return;
	if (w->walk_number != ask->number) {
		w->walk_number = ask->number;
		w->walk_at = 0;
		if (w->idx == w->lane->in_owner)
			hg_state_save(w, ask->slot, HG_IN, ask->tree, ask->ret);
		if (w->idx == w->lane->out_owner)
			hg_state_save(w, ask->slot, HG_OUT, ask->tree, ask->ret);
	}
	if (w->idx == w->lane->out_owner && !walk(w, ask))
		return;
	atomic_store_explicit(&w->answered, ask->number, memory_order_release);
}

/* ---- the control lane's part -------------------------------------------------------------------- */

static void pause_briefly(void)
{
	struct timespec t = {.tv_nsec = LOOK_AGAIN_NS};

	(void)nanosleep(&t, NULL);
}

static bool wait_for_answers(struct hg_dp *dp, const struct hg_state_ask *ask)
{
	hg_ns until_ns = hg_dp_clock_ns() + ANSWER_WITHIN_NS;

	for (uint32_t i = 0; i < dp->lane.n_workers; i++) {
		struct hg_worker *w = dp->lane.workers[i];

		while (atomic_load_explicit(&w->answered, memory_order_acquire) != ask->number) {
			if (hg_dp_clock_ns() > until_ns)
				return false;
			hg_worker_wake(w);
			pause_briefly();
		}
	}
	return true;
}

/* After it no worker looks at the ask any more, whether it has answered or not. */
static void withdraw(struct hg_dp *dp)
{
	atomic_store(&dp->lane.ask, NULL);
	hg_dp_wait_round(dp);
}

static uint32_t list_ports(const struct hg_dp *dp, uint32_t instance_idx, uint32_t *slots,
			   uint32_t *port_idx)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < dp->desired.n_ports; i++) {
		if (dp->desired.ports[i].instance_idx != instance_idx)
			continue;
		slots[n] = dp->ports.slots[i];
		port_idx[n++] = i;
	}
	return n;
}

int hg_dp_save(struct hg_dp *dp, uint32_t instance_idx, struct hg_instance_state *ret,
	       struct hg_error *reterr)
{
	uint32_t *ports = calloc(2u * dp->desired.n_ports + 1u, sizeof(*ports));
	uint32_t slot = dp->instances.slots[instance_idx];
	struct hg_state_ask ask = {
		.number = ++dp->n_asks,
		.slot = slot,
		.tree = dp->snapshot->instances[slot].uplink_tree,
		.ports = ports,
		.switch_ports = dp->snapshot->switch_ports,
		.ret = ret,
	};
	bool is_answered;

	if (ports == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for a list of ports", NULL);
	ask.port_idx = ports + dp->desired.n_ports;
	ask.n_ports = list_ports(dp, instance_idx, ports, ports + dp->desired.n_ports);
	ret->n_learned = 0;
	atomic_store_explicit(&dp->lane.ask, &ask, memory_order_release);
	is_answered = wait_for_answers(dp, &ask);
	withdraw(dp);
	free(ports);
	if (is_answered)
		return 0;
	return hg_error_set(reterr, -HG_ETIMEDOUT,
			    "a worker did not say within 5 s what it knows of ",
			    dp->desired.instances[instance_idx].name, NULL);
}

bool hg_dp_wait_sent(struct hg_dp *dp, uint32_t instance_idx, hg_ns at_most_ns)
{
	hg_ns until_ns = hg_dp_clock_ns() + at_most_ns;
	struct hg_dp_flow flow;

	for (;;) {
		/* What was written down before says nothing of what came since. */
		bool is_known = hg_dp_publish(dp);

		hg_dp_sample_instance(dp, instance_idx, HG_OUT, &flow);
		if ((is_known && flow.queued_bytes == 0) || hg_dp_clock_ns() > until_ns)
			return is_known && flow.queued_bytes == 0;
		pause_briefly();
	}
}
