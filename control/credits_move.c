/* Balances that go from host to host with their instance. */
#include "control/credits_impl.h"

#include <stdio.h>
#include <string.h>

#define KIND "instance:"

static void stored_name(const char *name, char ret[HG_NAME_BYTES + 8])
{
	snprintf(ret, HG_NAME_BYTES + 8, KIND "%.*s", (int)(HG_NAME_BYTES + 8 - sizeof(KIND)),
		 name);
}

static int save_one(struct hg_credits *c, const struct hg_stored *stored, struct hg_error *reterr)
{
	const struct hg_stored_clock clock = {.ledger_ns = hg_credits_ledger_now(c),
					      .at = c->clocks};

	c->cost.saves++;
	return hg_credit_store_save(c->store, &clock, &stored, 1, reterr);
}

const char *hg_credits_ready(struct hg_credits *credits)
{
	(void)hg_credits_read_clocks(credits);
	hg_credits_open(credits);
	return credits->fault;
}

/* ---- leaving ------------------------------------------------------------------------------------ */

int hg_credits_carry(struct hg_credits *credits, const char *name, hg_ns now_ns, bool *ret_has,
		     struct hg_ledger_saved *ret, struct hg_error *reterr)
{
	uint32_t idx = hg_names_find(&credits->row_names, name);
	struct hg_credit_row *row;

	*ret_has = false;
	if (idx == HG_NAMES_NONE || credits->rows[idx].pool_idx != UINT32_MAX)
		return 0;
	row = &credits->rows[idx];
	(void)hg_credits_read_clocks(credits);
	hg_credits_visit(credits, row, now_ns);
	*ret_has = true;
	return hg_ledger_save(&row->own.stored.ledger, ret, reterr);
}

int hg_credits_take_away(struct hg_credits *credits, const char *name, struct hg_ledger_saved *ret,
			 struct hg_error *reterr)
{
	char key[HG_NAME_BYTES + 8];
	struct hg_stored stored;
	int found;

	if (credits->store == NULL)
		return 0; /* it went with its row */
	(void)hg_credits_read_clocks(credits);
	stored_name(name, key);
	found = hg_credit_store_load(credits->store, key, &stored, reterr);
	if (found <= 0)
		return found; /* a row that was never saved is nowhere else, either */
	memcpy(stored.name, key, sizeof(key));
	found = hg_ledger_save(&stored.ledger, ret, reterr);
	if (found < 0)
		return found;
	hg_ledger_empty(&stored.ledger);
	return save_one(credits, &stored, reterr);
}

/* ---- arriving ----------------------------------------------------------------------------------- */

int hg_credits_expect(struct hg_credits *credits, const char *name,
		      const struct hg_ledger_saved *saved, struct hg_error *reterr)
{
	struct hg_credit_arrival *arrival = &credits->arrival;
	const char *fault = hg_credits_ready(credits);
	char key[HG_NAME_BYTES + 8];
	int found = 0;

	if (fault[0] != '\0')
		return hg_error_set(reterr, -HG_EIO, fault, NULL);
	*arrival = (struct hg_credit_arrival){.saved = saved};
	stored_name(name, key);
	if (credits->store != NULL)
		found = hg_credit_store_load(credits->store, key, &arrival->before, reterr);
	if (found < 0)
		return found;
	arrival->has_before = found != 0;
	memcpy(arrival->before.name, key, sizeof(key));
	snprintf(arrival->name, sizeof(arrival->name), "%s", name);
	return 0;
}

void hg_credits_settle(struct hg_credits *c, struct hg_stored *stored,
		       const struct hg_cpu_terms *terms, bool found)
{
	hg_ns now_ns = hg_credits_ledger_now(c);
	struct hg_ledger_cfg cfg = terms->ledger;

	if (!found) {
		cfg.launch_cpu_ns = 0; /* they were given where it began */
		hg_ledger_init(&stored->ledger, &cfg, now_ns);
	} else {
		hg_ledger_skip(&stored->ledger, now_ns);
	}
	hg_ledger_apply(&stored->ledger, &terms->ledger, now_ns);
	hg_ledger_restore(&stored->ledger, c->arrival.saved);
	/* A group that nobody has looked at: what it used up to now was not on this host's account. */
	stored->group_identity = 0;
	stored->group_used_cpu_ns = 0;
	stored->stopped_at_ns = HG_NEVER;
}

void hg_credits_arrived(struct hg_credits *credits, bool is_in_force)
{
	struct hg_credit_arrival *arrival = &credits->arrival;
	struct hg_error error = {0};
	int rc;

	if (arrival->name[0] != '\0' && !is_in_force && credits->store != NULL &&
	    hg_names_find(&credits->row_names, arrival->name) == HG_NAMES_NONE) {
		rc = arrival->has_before
			     ? save_one(credits, &arrival->before, &error)
			     : hg_credit_store_drop(credits->store, arrival->before.name, &error);
		if (rc < 0)
			hg_credits_say(credits, HG_LOG_ERR,
				       "%s did not arrive, but its credits stay in the store: %s",
				       arrival->name, error.text);
	}
	*arrival = (struct hg_credit_arrival){0};
}
