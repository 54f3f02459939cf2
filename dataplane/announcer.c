#include "dataplane/announcer.h"

#include "dataplane/path_impl.h"
#include "vswitch/parse.h"
#include "vswitch/vlan.h"
#include "vswitch/weigh.h"

#include <stdlib.h>
#include <string.h>

/* A frame is 86 bytes: 8 in a millisecond are 7 Mbit/s, and 10,000 ports are through a round in 1.3 s. */
#define PACE_FRAMES 8u
#define PACE_NS HG_NS_PER_MS

/* ---- the worker's part -------------------------------------------------------------------------- */

struct hg_pkt *hg_announcer_make(struct hg_worker *w, const struct hg_announcement *what,
				 uint16_t vlan)
{
	uint8_t frame[HG_ANNOUNCE_FRAME_BYTES];
	uint32_t n_bytes = hg_announce_build(what, frame);
	struct hg_pkt *pkt = hg_pkt_create_chain(w->lane->pool, n_bytes);
	enum hg_drop reason;

	if (pkt == NULL) {
		HG_COUNT(w->drops[HG_DROP_NO_BUFFER], 1u);
		return NULL;
	}
	pkt->flags = 0;
	pkt->gso = HG_GSO_NONE;
	pkt->gso_ecn = false;
	memcpy(pkt->data, frame, n_bytes);
	if (!hg_parse(pkt, &reason) || (vlan != HG_VLAN_NONE && !hg_vlan_push(pkt, vlan, 0))) {
		HG_COUNT(w->drops[HG_DROP_NO_BUFFER], 1u);
		hg_pool_put(w->lane->pool, &pkt, 1);
		return NULL;
	}
	hg_weigh(pkt);
	return pkt;
}

static void send(struct hg_worker *w, const struct hg_announce_batch *batch,
		 const struct hg_announce_item *item)
{
	const struct hg_snapshot *s = w->snapshot;
	const struct hg_switch_port *port;
	struct hg_pkt *pkt;

	if (item->slot >= s->n_port_slots || !s->is_port[item->slot] ||
	    (int32_t)(batch->generation - s->port_since[item->slot]) < 0)
		return;
	port = &s->view.ports[item->slot];
	/* Uplinks are known by their slot. */
	if (port->is_uplink || s->ports[port->uplink_idx] == NULL)
		return;
	pkt = hg_announcer_make(w, &item->what, port->vlan);
	if (pkt == NULL)
		return;
	pkt->in_port_idx = item->slot;
	pkt->out_port_idx = port->uplink_idx;
	pkt->instance_idx = s->port_instance[item->slot];
	hg_path_send_own(w, pkt);
}

/* Sends up to n frames of a batch whose time has come. Returns how many are left of n. */
static uint32_t send_some(struct hg_worker *w, struct hg_announce_batch *batch, uint32_t n)
{
	while (n > 0 && batch->at < batch->n && batch->next_at_ns <= w->now_ns) {
		send(w, batch, &batch->items[batch->at++]);
		w->has_moved = true;
		n--;
	}
	if (batch->at == batch->n && ++batch->round < HG_ANNOUNCE_ROUNDS) {
		batch->at = 0;
		batch->next_at_ns = w->now_ns + hg_announce_pause_ns(batch->round);
	}
	return n;
}

/* Those handed over since, the last one first, are put behind the others in their order. */
static void take_over(struct hg_worker *w)
{
	struct hg_announce_batch *handed = atomic_exchange(&w->lane->announce, NULL);
	struct hg_announce_batch *in_order = NULL, **end = &w->announcing;

	while (handed != NULL) {
		struct hg_announce_batch *next = handed->next;

		handed->next = in_order;
		in_order = handed;
		handed = next;
	}
	while (*end != NULL)
		end = &(*end)->next;
	*end = in_order;
	w->announce_at_ns = 0;
}

void hg_announcer_look(struct hg_worker *w)
{
	struct hg_announce_batch **at = &w->announcing;
	uint32_t n = PACE_FRAMES;
	hg_ns next_ns = HG_NEVER;

	if (HG_UNLIKELY(hg_announcer_has_mail(w)))
		take_over(w);
	if (HG_LIKELY(w->now_ns < w->announce_at_ns))
		return;
	while (*at != NULL) {
		struct hg_announce_batch *batch = *at;

		n = send_some(w, batch, n);
		if (batch->round == HG_ANNOUNCE_ROUNDS) {
			*at = batch->next;
			/* From now on it is the control lane's. */
			atomic_store_explicit(&batch->is_done, true, memory_order_release);
			continue;
		}
		if (batch->next_at_ns < next_ns)
			next_ns = batch->next_at_ns;
		at = &batch->next;
	}
	if (next_ns != HG_NEVER && next_ns < w->now_ns + PACE_NS)
		next_ns = w->now_ns + PACE_NS;
	w->announce_at_ns = next_ns;
}

/* ---- the control lane's part -------------------------------------------------------------------- */

static void free_done(struct hg_dp *dp)
{
	struct hg_announce_batch **at = &dp->announcements;

	while (*at != NULL) {
		struct hg_announce_batch *batch = *at;

		if (atomic_load_explicit(&batch->is_done, memory_order_acquire)) {
			*at = batch->next_of_all;
			free(batch);
		} else {
			at = &batch->next_of_all;
		}
	}
}

void hg_announcer_free(struct hg_dp *dp)
{
	while (dp->announcements != NULL) {
		struct hg_announce_batch *batch = dp->announcements;

		dp->announcements = batch->next_of_all;
		free(batch);
	}
}

static struct hg_announce_batch *make_batch(struct hg_dp *dp, size_t n_max)
{
	struct hg_announce_batch *batch;

	free_done(dp);
	batch = calloc(1, sizeof(*batch) + n_max * sizeof(batch->items[0]));
	if (batch != NULL)
		batch->generation = (uint32_t)dp->snapshot->generation;
	return batch;
}

/* Takes the batch. */
static void hand_over(struct hg_dp *dp, struct hg_announce_batch *batch)
{
	struct hg_announce_batch *before;

	if (batch->n == 0) {
		free(batch);
		return;
	}
	batch->next_of_all = dp->announcements;
	dp->announcements = batch;
	before = atomic_load(&dp->lane.announce);
	do {
		batch->next = before;
	} while (!atomic_compare_exchange_weak(&dp->lane.announce, &before, batch));
	hg_worker_wake(dp->lane.workers[dp->lane.out_owner]);
}

static void add(struct hg_announce_batch *batch, uint32_t slot, const uint8_t *mac,
		const struct hg_address *address)
{
	struct hg_announce_item *item = &batch->items[batch->n++];

	item->slot = slot;
	memcpy(item->what.mac, mac, HG_MAC_BYTES);
	if (address != NULL)
		item->what.address = *address;
}

/* The one address that was learned behind a port; NULL: there is none, or more than one. */
static const uint8_t *only_learned(const struct hg_instance_state *state, uint32_t port_idx)
{
	const uint8_t *mac = NULL;

	for (uint32_t i = 0; state != NULL && i < state->n_learned; i++) {
		if (state->learned[i].port_idx != port_idx)
			continue;
		if (mac != NULL)
			return NULL;
		mac = state->learned[i].mac;
	}
	return mac;
}

/* state: what was learned; NULL: nothing. wants_macs: MAC addresses are announced where nothing else is known. */
static void add_port(struct hg_dp *dp, struct hg_announce_batch *batch, uint32_t port_idx,
		     const struct hg_instance_state *state, bool wants_macs)
{
	const struct hg_desired_port *port = &dp->desired.ports[port_idx];
	const uint8_t *mac = port->has_mac ? port->mac : only_learned(state, port_idx);
	uint32_t slot = dp->ports.slots[port_idx];

	if (mac != NULL && port->n_addresses > 0) {
		for (uint32_t i = 0; i < port->n_addresses; i++)
			add(batch, slot, mac, &port->addresses[i]);
		return;
	}
	if (!wants_macs)
		return;
	if (mac != NULL) {
		add(batch, slot, mac, NULL);
		return;
	}
	for (uint32_t i = 0; state != NULL && i < state->n_learned; i++) {
		if (state->learned[i].port_idx == port_idx)
			add(batch, slot, state->learned[i].mac, NULL);
	}
}

static bool was_opened(const struct hg_snapshot *old, const struct hg_snapshot *s, uint32_t slot)
{
	return slot >= old->n_port_slots || old->ports[slot] != s->ports[slot];
}

static bool has_moved(const struct hg_snapshot *old, const struct hg_snapshot *s, uint32_t slot)
{
	const struct hg_switch_port *is = &s->switch_ports[slot], *was;

	if (was_opened(old, s, slot) || was_opened(old, s, is->uplink_idx))
		return true;
	was = &old->switch_ports[slot];
	if (was->is_gone || was->vlan != is->vlan || was->uplink_idx != is->uplink_idx ||
	    was->has_mac != is->has_mac || memcmp(was->mac, is->mac, HG_MAC_BYTES) != 0 ||
	    was->n_addresses != is->n_addresses)
		return true;
	for (uint32_t i = 0; i < is->n_addresses; i++) {
		if (was->addresses[i].len != is->addresses[i].len ||
		    memcmp(was->addresses[i].bytes, is->addresses[i].bytes, is->addresses[i].len) !=
			    0)
			return true;
	}
	return false;
}

void hg_announcer_follow(struct hg_dp *dp, const struct hg_snapshot *old,
			 const struct hg_dp_move *move)
{
	const struct hg_snapshot *s = dp->snapshot;
	const struct hg_instance_state *arriving = NULL;
	struct hg_announce_batch *batch;
	size_t n_max = HG_STATE_LEARNED_MAX;

	for (uint32_t i = 0; i < dp->desired.n_ports; i++)
		n_max += dp->desired.ports[i].n_addresses + 1u;
	batch = make_batch(dp, n_max);
	if (batch == NULL)
		return;
	if (move != NULL && move->arriving_idx != HG_DP_NOBODY)
		arriving = move->arriving;
	for (uint32_t i = 0; i < dp->desired.n_ports; i++) {
		const struct hg_desired_port *port = &dp->desired.ports[i];
		uint32_t slot = dp->ports.slots[i];
		bool arrives = arriving != NULL && port->instance_idx == move->arriving_idx;

		if (s->mirrors != NULL && s->mirrors[slot].is_destination)
			continue;
		if (arrives)
			add_port(dp, batch, i, arriving, /* wants_macs= */ true);
		else if (port->n_addresses > 0 && s->ports[slot] != NULL && has_moved(old, s, slot))
			add_port(dp, batch, i, NULL, /* wants_macs= */ false);
	}
	hand_over(dp, batch);
}

int hg_dp_announce(struct hg_dp *dp, uint32_t port_idx, uint32_t *ret_n, struct hg_error *reterr)
{
	uint32_t instance_idx = dp->desired.ports[port_idx].instance_idx;
	struct hg_instance_state *state = calloc(1, sizeof(*state));
	struct hg_announce_batch *batch =
		make_batch(dp, HG_STATE_LEARNED_MAX + HG_PORT_ADDRESSES_MAX);
	int r;

	if (state == NULL || batch == NULL)
		r = hg_error_set(reterr, -HG_ENOMEM, "out of memory for an announcement", NULL);
	else
		r = hg_dp_save(dp, instance_idx, state, reterr);
	if (r == 0) {
		add_port(dp, batch, port_idx, state, /* wants_macs= */ true);
		*ret_n = batch->n;
		hand_over(dp, batch);
	} else {
		free(batch);
	}
	free(state);
	return r;
}
