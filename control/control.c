#include "control/control.h"

#include "control/credits.h"
#include "control/seconds.h"
#include "control/state.h"
#include "core/admit.h"
#include "dataplane/dataplane.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS HG_NS_PER_S

struct hg_control {
	struct hg_control_cfg cfg;
	hg_control_save_fn save;
	void *save_user;

	struct hg_desired desired; /* in force */
	struct hg_seconds seconds; /* of `desired` */
	uint64_t generation;

	/* A change that waits for confirmation, and what comes back without it. */
	bool is_waiting;
	hg_ns confirm_until_ns;
	struct hg_desired previous;
};

static void say(const struct hg_control *c, enum hg_log_level level, const char *sentence)
{
	if (c->cfg.log != NULL)
		c->cfg.log(c->cfg.user, level, sentence);
}

static hg_ns stolen_ns(const struct hg_control *c)
{
	return c->cfg.stolen_ns == NULL ? 0 : c->cfg.stolen_ns(c->cfg.user);
}

int hg_control_create(const struct hg_control_cfg *cfg, struct hg_control **ret,
		      struct hg_error *reterr)
{
	struct hg_control *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for the control lane", NULL);
	c->cfg = *cfg;
	hg_state_init(&c->desired);
	hg_state_init(&c->previous);
	hg_seconds_init(&c->seconds, stolen_ns(c), cfg->started_at_ns);
	*ret = c;
	return 0;
}

void hg_control_destroy(struct hg_control *control)
{
	if (control == NULL)
		return;
	hg_seconds_fini(&control->seconds);
	hg_state_fini(&control->desired);
	hg_state_fini(&control->previous);
	free(control);
}

void hg_control_on_save(struct hg_control *control, hg_control_save_fn save, void *user)
{
	control->save = save;
	control->save_user = user;
}

struct hg_credits *hg_control_credits(const struct hg_control *control)
{
	return control->cfg.credits;
}

const struct hg_desired *hg_control_desired(const struct hg_control *control)
{
	return &control->desired;
}

int hg_control_check(struct hg_control *control, const struct hg_desired *desired,
		     struct hg_error *reterr)
{
	size_t n_words = hg_admit_scratch_words(desired);
	uint64_t *scratch = calloc(n_words + 1u, sizeof(*scratch));
	int rc;

	if (scratch == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for admission", NULL);
	rc = hg_admit(desired, scratch, n_words, reterr);
	free(scratch);
	if (rc == 0)
		rc = hg_dp_check(desired, reterr);
	if (rc == 0 && control->cfg.credits != NULL)
		rc = hg_credits_check(control->cfg.credits, desired, reterr);
	return rc;
}

static int govern(struct hg_control *c, const struct hg_desired *desired, hg_ns now_ns,
		  struct hg_error *reterr)
{
	return c->cfg.credits == NULL ? 0
				      : hg_credits_apply(c->cfg.credits, desired, now_ns, reterr);
}

static int save(struct hg_control *c, const struct hg_desired *desired, struct hg_error *reterr)
{
	return c->save == NULL ? 0 : c->save(c->save_user, desired, reterr);
}

/* Puts the state in force back, after a later step of a change failed. */
static void take_back(struct hg_control *c, hg_ns now_ns)
{
	struct hg_error error;
	char sentence[HG_ERROR_TEXT_BYTES + 128];

	hg_error_clear(&error);
	if (hg_dp_bring_back(c->cfg.dp, &c->desired, &error) < 0 ||
	    govern(c, &c->desired, now_ns, &error) < 0) {
		snprintf(sentence, sizeof(sentence),
			 "a change was refused but could not be taken back (%s): what is in force "
			 "differs from what is shown, until the next change",
			 error.text);
		say(c, HG_LOG_ERR, sentence);
	}
}

/* Says once that a port or an uplink went, with the reason, or that it is back. */
static void tell(void *user, const char *kind, const char *name, enum hg_port_link link,
		 const char *reason)
{
	const struct hg_control *c = user;
	char sentence[HG_ERROR_TEXT_BYTES];

	if (link == HG_PORT_UP)
		snprintf(sentence, sizeof(sentence), "%s %s is up", kind, name);
	else
		snprintf(sentence, sizeof(sentence),
			 "%s %s is %s: %s; going on without it, and looking for it every second",
			 kind, name, link == HG_PORT_DOWN ? "down" : "missing",
			 reason[0] == '\0' ? "no reason is known" : reason);
	say(c, link == HG_PORT_UP ? HG_LOG_NOTICE : HG_LOG_WARNING, sentence);
}

static void tell_card(void *user, enum hg_log_level level, const char *sentence)
{
	say(user, level, sentence);
}

/* Says what came and went since the last look. */
static void look(struct hg_control *c)
{
	hg_seconds_look(&c->seconds, c->cfg.dp, tell, c);
	hg_seconds_look_cards(&c->seconds, c->cfg.dp, c->desired.mode == HG_MODE_OBSERVE, tell_card,
			      c);
}

/* How a state comes into force. */
enum {
	TO_SAVE = 1u << 0, /* for good */
	AS_BEFORE = 1u << 1, /* nobody asked for it now: hg_dp_bring_back() */
};

static int carry_out(struct hg_control *c, const struct hg_desired *desired,
		     const struct hg_dp_move *move, unsigned how, struct hg_error *reterr)
{
	if (move != NULL)
		return hg_dp_apply_move(c->cfg.dp, desired, move, reterr);
	return how & AS_BEFORE ? hg_dp_bring_back(c->cfg.dp, desired, reterr)
			       : hg_dp_apply(c->cfg.dp, desired, reterr);
}

/* Makes `desired` the state in force, or changes nothing. The state before goes to *ret_before. */
static int put_in_force(struct hg_control *c, const struct hg_desired *desired,
			const struct hg_dp_move *move, unsigned how, hg_ns now_ns,
			struct hg_desired *ret_before, struct hg_error *reterr)
{
	struct hg_desired copy;
	struct hg_seconds seconds;
	int rc = hg_state_copy(desired, &copy, reterr);

	if (rc < 0)
		return rc;
	rc = hg_seconds_build(&c->seconds, &copy, now_ns, &seconds, reterr);
	if (rc < 0)
		goto fail_seconds;
	rc = carry_out(c, &copy, move, how, reterr);
	if (rc < 0)
		goto fail_apply;
	rc = govern(c, &copy, now_ns, reterr);
	if (rc < 0)
		goto fail_save;
	rc = how & TO_SAVE ? save(c, &copy, reterr) : 0;
	if (rc < 0)
		goto fail_save;

	hg_seconds_fini(&c->seconds);
	c->seconds = seconds;
	*ret_before = c->desired;
	c->desired = copy;
	c->generation++;
	return 0;

fail_save:
	take_back(c, now_ns);
fail_apply:
	hg_seconds_fini(&seconds);
fail_seconds:
	hg_state_fini(&copy);
	return rc;
}

static int check_not_waiting(const struct hg_control *c, struct hg_error *reterr)
{
	if (!c->is_waiting)
		return 0;
	return hg_error_set(reterr, -HG_EBUSY,
			    "another change waits for confirmation; confirm it, or wait "
			    "until it is taken back",
			    NULL);
}

int hg_control_apply(struct hg_control *control, const struct hg_desired *desired,
		     hg_ns confirm_for_ns, hg_ns now_ns, struct hg_error *reterr)
{
	struct hg_desired before;
	int rc = check_not_waiting(control, reterr);

	if (rc == 0)
		rc = hg_control_check(control, desired, reterr);
	if (rc < 0)
		return rc;
	rc = put_in_force(control, desired, NULL, confirm_for_ns == 0 ? TO_SAVE : 0, now_ns,
			  &before, reterr);
	if (rc < 0)
		return rc;
	look(control);
	if (confirm_for_ns == 0) {
		hg_state_fini(&before);
		return 0;
	}
	control->previous = before;
	control->is_waiting = true;
	control->confirm_until_ns = now_ns + confirm_for_ns;
	return 0;
}

int hg_control_begin(struct hg_control *control, const struct hg_desired *desired, hg_ns now_ns,
		     struct hg_error *reterr)
{
	struct hg_desired before;
	int rc = hg_control_check(control, desired, reterr);

	if (rc == 0)
		rc = put_in_force(control, desired, NULL, TO_SAVE | AS_BEFORE, now_ns, &before,
				  reterr);
	if (rc < 0)
		return rc;
	look(control);
	hg_state_fini(&before);
	return 0;
}

int hg_control_confirm(struct hg_control *control, struct hg_error *reterr)
{
	int rc;

	if (!control->is_waiting)
		return hg_error_set(reterr, -HG_EINVAL,
				    "no change waits for confirmation; it may have been taken back "
				    "when its time was over",
				    NULL);
	rc = save(control, &control->desired, reterr);
	if (rc < 0)
		return rc;
	control->is_waiting = false;
	hg_state_fini(&control->previous);
	return 0;
}

void hg_control_give(const struct hg_control *control, struct hg_control_state *ret)
{
	*ret = (struct hg_control_state){
		.desired = &control->desired,
		.previous = control->is_waiting ? &control->previous : NULL,
		.confirm_until_ns = control->confirm_until_ns,
		.generation = control->generation,
	};
}

int hg_control_take(struct hg_control *control, const struct hg_control_state *state, hg_ns now_ns,
		    struct hg_error *reterr)
{
	struct hg_desired previous, before;
	int rc = hg_control_check(control, state->desired, reterr);

	if (rc < 0)
		return rc;
	if (state->previous != NULL) {
		rc = hg_state_copy(state->previous, &previous, reterr);
		if (rc < 0)
			return rc;
	}
	rc = put_in_force(control, state->desired, NULL, /* how= */ 0, now_ns, &before, reterr);
	if (rc < 0) {
		if (state->previous != NULL)
			hg_state_fini(&previous);
		return rc;
	}
	hg_state_fini(&before);
	control->generation = state->generation;
	if (state->previous != NULL) {
		control->previous = previous;
		control->is_waiting = true;
		control->confirm_until_ns = state->confirm_until_ns;
	}
	return 0;
}

size_t hg_control_standing_size(const struct hg_control *control)
{
	return hg_seconds_standing_size(&control->seconds);
}

void hg_control_standing_out(const struct hg_control *control, void *memory)
{
	hg_seconds_standing_out(&control->seconds, memory);
}

int hg_control_standing_check(const void *memory, size_t n_bytes, hg_ns now_ns,
			      struct hg_error *reterr)
{
	return hg_seconds_standing_check(memory, n_bytes, now_ns, reterr);
}

int hg_control_standing_in(struct hg_control *control, const void *memory, size_t n_bytes,
			   hg_ns now_ns, struct hg_error *reterr)
{
	return hg_seconds_standing_in(&control->seconds, memory, n_bytes, now_ns, reterr);
}

int hg_control_save(struct hg_control *control, struct hg_error *reterr)
{
	return save(control, control->is_waiting ? &control->previous : &control->desired, reterr);
}

/* The time to confirm is over. If the way back fails it is tried again a second later. */
static void roll_back(struct hg_control *c, hg_ns now_ns)
{
	struct hg_desired unconfirmed;
	struct hg_error error;
	char sentence[HG_ERROR_TEXT_BYTES + 128];

	hg_error_clear(&error);
	if (put_in_force(c, &c->previous, NULL, AS_BEFORE, now_ns, &unconfirmed, &error) < 0) {
		snprintf(sentence, sizeof(sentence),
			 "nobody confirmed the change, and it could not be taken back (%s); trying "
			 "again in a second",
			 error.text);
		say(c, HG_LOG_ERR, sentence);
		c->confirm_until_ns = now_ns + SECOND_NS;
		return;
	}
	look(c);
	hg_state_fini(&unconfirmed);
	hg_state_fini(&c->previous);
	c->is_waiting = false;
	say(c, HG_LOG_WARNING,
	    "nobody confirmed the change: the state before it is in force again");
}

hg_ns hg_control_tick(struct hg_control *control, hg_ns now_ns)
{
	hg_ns next_ns, credits_ns;

	if (control->is_waiting && now_ns >= control->confirm_until_ns)
		roll_back(control, now_ns);
	if (now_ns - control->seconds.opened_at_ns >= SECOND_NS) {
		hg_seconds_close(&control->seconds, control->cfg.dp, &control->desired,
				 stolen_ns(control), now_ns);
		(void)hg_dp_retry(control->cfg.dp);
		look(control);
	}
	next_ns = control->seconds.opened_at_ns + SECOND_NS;
	if (control->is_waiting && control->confirm_until_ns < next_ns)
		next_ns = control->confirm_until_ns;
	credits_ns = control->cfg.credits == NULL ? HG_NEVER
						  : hg_credits_tick(control->cfg.credits, now_ns);
	return credits_ns < next_ns ? credits_ns : next_ns;
}

/* ---- an instance on its way from host to host ---------------------------------------------------- */

/* What an instance that leaves has queued is waited for no longer: it is what a packet may wait in a queue. */
#define SENT_WITHIN_NS (200 * HG_NS_PER_MS)

static int carry_credits(struct hg_control *c, uint32_t instance_idx, hg_ns now_ns,
			 struct hg_saved_instance *ret, struct hg_error *reterr)
{
	ret->has_credits = false;
	if (c->cfg.credits == NULL)
		return 0;
	return hg_credits_carry(c->cfg.credits, c->desired.instances[instance_idx].name, now_ns,
				&ret->has_credits, &ret->credits, reterr);
}

/* Once it is gone for good: before that nothing may leave the store, after it nothing may stay there. */
static void take_credits_away(struct hg_control *c, const char *name, struct hg_saved_instance *ret)
{
	struct hg_error error;
	char sentence[HG_ERROR_TEXT_BYTES + HG_NAME_BYTES + 128];

	hg_error_clear(&error);
	if (!ret->has_credits ||
	    hg_credits_take_away(c->cfg.credits, name, &ret->credits, &error) == 0)
		return;
	ret->has_credits = false;
	snprintf(sentence, sizeof(sentence),
		 "%s leaves without its processor credits, which stay in the store here: %s", name,
		 error.text);
	say(c, HG_LOG_ERR, sentence);
}

int hg_control_save_instance(struct hg_control *control, uint32_t instance_idx, hg_ns now_ns,
			     struct hg_saved_instance *ret, struct hg_error *reterr)
{
	struct hg_dp_flow flows[HG_N_DIRS];
	int rc = hg_dp_save(control->cfg.dp, instance_idx, &ret->state, reterr);

	if (rc == 0)
		rc = carry_credits(control, instance_idx, now_ns, ret, reterr);
	if (rc < 0)
		return rc;
	hg_dp_publish(control->cfg.dp);
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++)
		hg_dp_sample_instance(control->cfg.dp, instance_idx, (enum hg_dir)dir, &flows[dir]);
	hg_rows_totals(&control->seconds.instances.rows[instance_idx], flows, now_ns, &ret->totals);
	return 0;
}

/* The ports that the state has without those of an instance; and that instance, if it goes as well. The arrays are the
 * state's own. */
static void take_out(struct hg_desired *state, uint32_t instance_idx, bool with_instance)
{
	uint32_t n_ports = 0;

	for (uint32_t i = 0; i < state->n_ports; i++) {
		if (state->ports[i].instance_idx == instance_idx)
			continue;
		state->ports[n_ports] = state->ports[i];
		if (with_instance && state->ports[n_ports].instance_idx > instance_idx)
			state->ports[n_ports].instance_idx--;
		n_ports++;
	}
	state->n_ports = n_ports;
	if (!with_instance)
		return;
	state->n_instances--;
	memmove(&state->instances[instance_idx], &state->instances[instance_idx + 1u],
		(state->n_instances - instance_idx) * sizeof(state->instances[0]));
}

/* Whether the host may be without the instance: another port may name one of its ports. */
static int check_without(struct hg_control *c, uint32_t instance_idx, struct hg_error *reterr)
{
	struct hg_desired without;
	int rc = hg_state_copy(&c->desired, &without, reterr);

	if (rc < 0)
		return rc;
	take_out(&without, instance_idx, /* with_instance= */ true);
	rc = hg_control_check(c, &without, reterr);
	hg_state_fini(&without);
	return rc;
}

/* `without` has the instance, but not its ports. */
static int leave(struct hg_control *c, struct hg_desired *without, uint32_t instance_idx,
		 hg_ns now_ns, struct hg_saved_instance *ret, struct hg_error *reterr)
{
	struct hg_row row = c->seconds.instances.rows[instance_idx];
	struct hg_dp_flow flows[HG_N_DIRS];
	const struct hg_dp_move move = {
		.leaving_idx = instance_idx,
		.ret_left = &ret->state,
		.ret_flows = flows,
		.arriving_idx = HG_DP_NOBODY,
	};
	struct hg_desired before;
	int rc = hg_dp_apply(c->cfg.dp, without, reterr);

	if (rc < 0)
		return rc;
	(void)hg_dp_wait_sent(c->cfg.dp, instance_idx, SENT_WITHIN_NS);
	take_out(without, instance_idx, /* with_instance= */ true);
	rc = carry_credits(c, instance_idx, now_ns, ret, reterr);
	if (rc == 0)
		rc = put_in_force(c, without, &move, TO_SAVE, now_ns, &before, reterr);
	if (rc < 0) {
		take_back(c, now_ns);
		return rc;
	}
	take_credits_away(c, before.instances[instance_idx].name, ret);
	hg_state_fini(&before);
	hg_rows_totals(&row, flows, now_ns, &ret->totals);
	return 0;
}

int hg_control_detach_instance(struct hg_control *control, uint32_t instance_idx, hg_ns now_ns,
			       struct hg_saved_instance *ret, struct hg_error *reterr)
{
	struct hg_desired without;
	int rc = check_not_waiting(control, reterr);

	if (rc == 0)
		rc = check_without(control, instance_idx, reterr);
	/* What was learned goes with the ports. */
	if (rc == 0)
		rc = hg_dp_save(control->cfg.dp, instance_idx, &ret->state, reterr);
	if (rc == 0)
		rc = hg_state_copy(&control->desired, &without, reterr);
	if (rc < 0)
		return rc;
	take_out(&without, instance_idx, /* with_instance= */ false);
	rc = leave(control, &without, instance_idx, now_ns, ret, reterr);
	hg_state_fini(&without);
	return rc;
}

int hg_control_restore_instance(struct hg_control *control, const struct hg_desired *desired,
				uint32_t instance_idx, const struct hg_saved_instance *saved,
				hg_ns now_ns, struct hg_error *reterr)
{
	const struct hg_dp_move move = {
		.leaving_idx = HG_DP_NOBODY,
		.arriving_idx = instance_idx,
		.arriving = &saved->state,
	};
	struct hg_desired before;
	int rc = check_not_waiting(control, reterr);

	if (rc == 0)
		rc = hg_control_check(control, desired, reterr);
	if (rc == 0 && saved->has_credits)
		rc = hg_credits_expect(control->cfg.credits, desired->instances[instance_idx].name,
				       &saved->credits, reterr);
	if (rc < 0)
		return rc;
	rc = put_in_force(control, desired, &move, TO_SAVE, now_ns, &before, reterr);
	if (saved->has_credits)
		hg_credits_arrived(control->cfg.credits, rc == 0);
	if (rc < 0)
		return rc;
	hg_state_fini(&before);
	hg_rows_carry(&control->seconds.instances.rows[instance_idx], &saved->totals, now_ns);
	return 0;
}

int hg_control_announce(struct hg_control *control, uint32_t port_idx, uint32_t *ret_n,
			struct hg_error *reterr)
{
	return hg_dp_announce(control->cfg.dp, port_idx, ret_n, reterr);
}

/* ---- what was measured -------------------------------------------------------------------------- */

static const char *link_name(enum hg_port_link link)
{
	switch (link) {
	case HG_PORT_UP:
		return "up";
	case HG_PORT_DOWN:
		return "down";
	default:
		return "missing";
	}
}

/* What the C library has given away, in all of its arenas; it counts while it walks over what is free. */
static uint64_t heap_bytes(void)
{
	struct mallinfo2 now = mallinfo2();

	return now.uordblks + now.hblkhd;
}

void hg_control_status_host(const struct hg_control *control, hg_ns now_ns,
			    struct hg_status_host *ret)
{
	struct hg_dp_host_sample host;

	hg_dp_sample_host(control->cfg.dp, &host);
	*ret = (struct hg_status_host){
		.up_for_ns = now_ns - control->cfg.started_at_ns,
		.generation = control->generation,
		.seconds = control->seconds.n_closed,
		.stolen_seconds = control->seconds.n_stolen,
		.second_stolen_ns = control->seconds.last_stolen_ns,
		.confirm_within_ns = !control->is_waiting ? 0
				     : control->confirm_until_ns > now_ns
					     ? control->confirm_until_ns - now_ns
					     : 1,
		.busy_ppm = control->seconds.busy_ppm,
		.free_buffers = host.free_buffers,
		.n_buffers = host.n_buffers,
		.heap_bytes = heap_bytes(),
	};
	memcpy(ret->drops, host.drops, sizeof(ret->drops));
}

void hg_control_status_tenant(const struct hg_control *control, uint32_t idx,
			      struct hg_status_row *ret)
{
	hg_rows_status(&control->seconds.tenants.rows[idx], control->seconds.opened_at_ns, ret);
}

void hg_control_status_instance(const struct hg_control *control, uint32_t idx,
				struct hg_status_row *ret)
{
	hg_rows_status(&control->seconds.instances.rows[idx], control->seconds.opened_at_ns, ret);
}

void hg_control_status_port(const struct hg_control *control, uint32_t idx,
			    struct hg_status_port *ret)
{
	struct hg_dp_port_sample now;
	struct hg_dp_host_sample host;

	hg_dp_sample_host(control->cfg.dp, &host);
	hg_dp_sample_port(control->cfg.dp, idx, &now);
	*ret = (struct hg_status_port){
		.link = link_name(now.link),
		.rx_pkts = now.rx_pkts,
		.rx_bytes = now.rx_bytes,
		.tx_pkts = now.tx_pkts,
		.tx_bytes = now.tx_bytes,
		.n_learned = now.n_learned,
		.n_refused = now.n_refused,
		.n_introductions = now.n_introductions,
	};
	memcpy(ret->reason, now.reason, sizeof(ret->reason));
	memcpy(ret->last_reason, now.last_reason, sizeof(ret->last_reason));
	if (now.last_reason[0] != '\0' && host.at_ns > now.last_reason_at_ns)
		ret->last_reason_age_ns = host.at_ns - now.last_reason_at_ns;
	memcpy(ret->n_refused_guests, now.n_refused_guests, sizeof(ret->n_refused_guests));
	memcpy(ret->drops, now.drops, sizeof(ret->drops));
}

static void status_card(const struct hg_control *control, uint32_t idx,
			const struct hg_dp_uplink_sample *now, struct hg_status_card *ret)
{
	static const struct hg_histogram nothing;
	const struct hg_card *card = &control->seconds.cards[idx];
	struct hg_dp_host_sample host;

	hg_dp_sample_host(control->cfg.dp, &host);
	*ret = (struct hg_status_card){
		.now = now->inflight,
		.depth_cfg = now->depth_cfg,
		.is_paced = now->is_paced,
		.state_for_ns = host.at_ns - now->inflight.state_since_ns,
		.second = card->second,
		.second_refused_pkts = card->second_refused_pkts,
		.second_lost_pkts = card->second_lost_pkts,
	};
	hg_card_quantiles(&nothing, &now->inflight.card, &ret->total);
	if (now->inflight.refused_pkts > 0)
		hg_card_why_full(now, control->desired.mode == HG_MODE_OBSERVE, ret->why_full,
				 sizeof(ret->why_full));
}

void hg_control_status_uplink(const struct hg_control *control, uint32_t idx,
			      struct hg_status_uplink *ret)
{
	const struct hg_seen *seen = &control->seconds.uplinks[idx];
	struct hg_dp_uplink_sample now;

	hg_dp_sample_uplink(control->cfg.dp, idx, &now);
	*ret = (struct hg_status_uplink){
		.link = link_name(now.link),
		.out_bytes_per_s = seen->out_bytes_per_s,
		.in_bytes_per_s = seen->in_bytes_per_s,
		.tx_wire_bytes = now.tx_wire_bytes,
		.rx_wire_bytes = now.rx_wire_bytes,
		.tx_pkts = now.tx_pkts,
		.rx_pkts = now.rx_pkts,
		.queued_bytes = now.queued_bytes,
		.card_pkts = now.card_pkts,
		.card_ring_pkts = now.card_ring_pkts,
		.card_bytes = now.card_bytes,
	};
	status_card(control, idx, &now, &ret->card);
	memcpy(ret->reason, now.reason, sizeof(ret->reason));
	memcpy(ret->drops, now.drops, sizeof(ret->drops));
}

unsigned hg_control_depth_samples(const struct hg_control *control, uint32_t idx, uint64_t first,
				  struct hg_depth_sample *ret_samples, unsigned n,
				  uint64_t *ret_first)
{
	return hg_dp_sample_depth(control->cfg.dp, idx, first, ret_samples, n, ret_first);
}

/* ---- captures ----------------------------------------------------------------------------------- */

int hg_control_capture_open(struct hg_control *control, bool is_uplink, uint32_t idx,
			    const struct hg_capture_cfg *cfg, struct hg_capture **ret_capture,
			    struct hg_error *reterr)
{
	return hg_dp_capture_open(control->cfg.dp, is_uplink, idx, cfg, ret_capture, reterr);
}

bool hg_control_capture_peek(const struct hg_capture *capture, struct hg_capture_pkt *ret_pkt)
{
	return hg_dp_capture_peek(capture, ret_pkt);
}

void hg_control_capture_take(struct hg_capture *capture)
{
	hg_dp_capture_take(capture);
}

void hg_control_capture_sample(struct hg_capture *capture, struct hg_capture_stats *ret_stats)
{
	hg_dp_capture_sample(capture, ret_stats);
}

void hg_control_capture_stop(struct hg_control *control, struct hg_capture *capture)
{
	hg_dp_capture_stop(control->cfg.dp, capture);
}

void hg_control_capture_close(struct hg_control *control, struct hg_capture *capture)
{
	hg_dp_capture_close(control->cfg.dp, capture);
}
