#include "core/instance_state.h"

static int out_of_range(const char *path, const char *sentence, struct hg_error *reterr)
{
	int r = hg_error_set(reterr, -HG_EINVAL, sentence, NULL);

	hg_error_at(reterr, path);
	return r;
}

static int check_behaviour(const struct hg_instance_state *state, struct hg_error *reterr)
{
	const struct hg_behaviour *b = &state->behaviour;

	if (b->level < HG_BEHAVIOUR_RELAXED || b->level > HG_BEHAVIOUR_LEVELS)
		return out_of_range("behaviour.level", "not in [-1, 3]", reterr);
	if (b->n_over >= HG_BEHAVIOUR_AFTER || b->n_inside >= HG_BEHAVIOUR_AFTER)
		return out_of_range("behaviour", "a row of more than 2 intervals", reterr);
	if (b->reason > HG_BEHAVIOUR_INSIDE)
		return out_of_range("behaviour.reason", "no such reason", reterr);
	if (state->behaviour_ago_ns < -1 || state->behaviour_ago_ns > HG_SAVED_AGE_MAX_NS)
		return out_of_range("behaviour.ago", "not in [0, 10^18) ns", reterr);
	return 0;
}

int hg_instance_state_check(const struct hg_instance_state *state, struct hg_error *reterr)
{
	int r = 0;

	for (int dir = 0; r == 0 && dir < HG_N_DIRS; dir++) {
		r = hg_cap_saved_check(&state->dir[dir].caps, reterr);
		if (r == 0)
			r = hg_sched_saved_check(&state->dir[dir].link, reterr);
		if (r == 0)
			r = hg_sched_saved_check(&state->dir[dir].local, reterr);
	}
	if (r == 0)
		r = check_behaviour(state, reterr);
	if (r == 0 && state->n_learned > HG_STATE_LEARNED_MAX)
		r = out_of_range("learned", "more than 256 addresses", reterr);
	for (uint32_t i = 0; r == 0 && i < state->n_learned; i++) {
		hg_ns ago_ns = state->learned[i].seen_ago_ns;

		if (ago_ns < 0 || ago_ns > HG_SAVED_AGE_MAX_NS)
			r = out_of_range("learned", "seen not in [0, 10^18) ns ago", reterr);
		else if ((state->learned[i].mac[0] & 1u) != 0)
			r = out_of_range("learned", "an address of a group", reterr);
	}
	return r;
}
