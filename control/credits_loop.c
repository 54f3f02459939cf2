/* The loop: read use, charge, divide, write what changed. */
#include "control/credits_impl.h"

#include <stdio.h>
#include <string.h>

/* Who has plenty is looked at this often all the same: for the table, and to see that the host fills up. */
#define LOOK_NS HG_NS_PER_S
/* A group that is not there is looked for this often. */
#define SEARCH_NS HG_NS_PER_S
/* Never sooner than this after the last look, so that what a look measures is more than noise. */
#define SOONEST_NS (5 * HG_NS_PER_MS)
#define SAVE_NS (10 * HG_NS_PER_S)
#define POINT_NS (300 * HG_NS_PER_S)
#define PPM 1000000u
/* What a thousandth of a processor uses in an hour. */
#define NS_PER_H_MCPU (3600 * HG_NS_PER_S / HG_MCPU_PER_CPU)
/* Who is held within this of its baseline is at its baseline. */
#define NEAR_PPM 20000u
/* A host is full when so much of it is used; and no more when less than the second. */
#define FULL_PPM 950000u
#define ROOM_PPM 900000u

/* ---- use ---------------------------------------------------------------------------------------- */

void hg_credits_set_state(struct hg_credits *c, struct hg_credit_row *row,
			  enum hg_credits_state state)
{
	if (row->state == state)
		return;
	if (state == HG_CREDITS_BASELINE)
		hg_credits_say(c, HG_LOG_INFO,
			       "%s is held at its baseline: it has no processor credits left",
			       row->name);
	row->state = state;
	row->state_since_wall_ns = c->clocks.wall_ns;
}

static void wait_for_group(struct hg_credits *c, struct hg_credit_row *row, const char *why)
{
	struct hg_stored *stored = &row->own.stored;

	if (row->group != NULL) {
		hg_cgroup_close(row->group);
		row->group = NULL;
		hg_credits_say(c, HG_LOG_WARNING,
			       "%s: %s; its credits rest, and it is looked for every second",
			       row->name, why);
	}
	if (stored->stopped_at_ns == HG_NEVER)
		stored->stopped_at_ns = stored->ledger.at_ns;
	snprintf(row->reason, sizeof(row->reason), "%.*s", (int)sizeof(row->reason) - 1, why);
	row->used_mcpu = 0;
	row->own.is_dirty = true;
	hg_credits_set_state(c, row, HG_CREDITS_WAITING);
}

/* A machine that was stopped for longer than its balance is kept begins anew. */
static void resume(struct hg_credits *c, struct hg_credit_row *row)
{
	struct hg_stored *stored = &row->own.stored;
	hg_ns now_ns = hg_credits_ledger_now(c);

	if (stored->stopped_at_ns != HG_NEVER &&
	    now_ns - stored->stopped_at_ns > stored->keep_stopped_ns) {
		hg_ledger_init(&stored->ledger, &row->own.terms.ledger, now_ns);
		row->own.at_point = stored->ledger.totals;
	}
	stored->stopped_at_ns = HG_NEVER;
}

/* Another life of the group: all of its use is new, unless nobody ever looked at it. */
static void meet(struct hg_credit_row *row, int64_t used_cpu_ns)
{
	struct hg_stored *stored = &row->own.stored;
	uint64_t identity = hg_cgroup_identity(row->group);
	bool is_first = stored->group_identity == 0;

	if (stored->group_identity == identity && stored->group_used_cpu_ns <= used_cpu_ns)
		return;
	stored->group_identity = identity;
	stored->group_used_cpu_ns = is_first ? used_cpu_ns : 0;
	row->hold = (struct hg_hold){0};
}

static int find_group(struct hg_credits *c, struct hg_credit_row *row, struct hg_error *reterr)
{
	int rc;

	if (row->group != NULL)
		return 0;
	rc = hg_cgroup_open(c->groups, row->cpu.cgroup, &row->group, reterr);
	if (rc < 0) {
		row->group = NULL;
		return rc;
	}
	row->hold = (struct hg_hold){0};
	resume(c, row);
	if (row->state == HG_CREDITS_WAITING && row->reason[0] != '\0')
		hg_credits_say(c, HG_LOG_NOTICE, "%s: its control group %s is there", row->name,
			       hg_cgroup_path(row->group));
	row->reason[0] = '\0';
	return 0;
}

static void book(struct hg_credits *c, struct hg_credit_row *row, int64_t used_cpu_ns, hg_ns now_ns)
{
	struct hg_stored *stored = &row->own.stored;
	struct hg_credit_account *account = hg_credits_account_of(c, row);
	int64_t delta = used_cpu_ns - stored->group_used_cpu_ns;
	hg_ns for_ns = now_ns - row->looked_at_ns;

	stored->group_used_cpu_ns = used_cpu_ns;
	hg_ledger_charge(&account->stored.ledger, delta, hg_credits_ledger_now(c));
	account->is_dirty = row->own.is_dirty = true;
	if (row->looked_at_ns > 0 && for_ns > 0) {
		row->used_mcpu = (uint64_t)(delta / (for_ns / 1000 + 1));
		hg_hold_look(&row->hold, delta, for_ns);
	}
	row->looked_at_ns = now_ns;
}

void hg_credits_visit(struct hg_credits *c, struct hg_credit_row *row, hg_ns now_ns)
{
	struct hg_error error = {0};
	int64_t used_cpu_ns = 0;
	int rc;

	c->cost.visits++;
	rc = find_group(c, row, &error);
	if (rc == 0)
		rc = hg_cgroup_used(row->group, &used_cpu_ns, &error);
	if (rc < 0) {
		hg_ledger_skip(&row->own.stored.ledger, hg_credits_ledger_now(c));
		wait_for_group(c, row, error.text);
		row->looked_at_ns = now_ns;
		return;
	}
	meet(row, used_cpu_ns);
	book(c, row, used_cpu_ns, now_ns);
}

/* ---- alarms ------------------------------------------------------------------------------------- */

static void look_at_alarm(struct hg_credits *c, struct hg_credit_account *account, const char *name)
{
	int64_t below = account->terms.alarm_below_cpu_ns;
	int64_t balance = hg_ledger_balance_cpu_ns(&account->stored.ledger);

	if (below == 0)
		return;
	if (!account->is_alarmed && balance < below) {
		account->is_alarmed = true;
		hg_credits_say(c, HG_LOG_WARNING, "%s has %.2f processor credits left, below %.2f",
			       name, (double)balance / HG_CREDIT_CPU_NS,
			       (double)below / HG_CREDIT_CPU_NS);
	} else if (account->is_alarmed && balance >= below + below / 10) {
		account->is_alarmed = false;
		hg_credits_say(c, HG_LOG_NOTICE, "%s has %.2f processor credits again", name,
			       (double)balance / HG_CREDIT_CPU_NS);
	}
}

/* ---- division ----------------------------------------------------------------------------------- */

static bool wants_more(const struct hg_credit_row *row)
{
	return row->used_mcpu * 2u > row->own.terms.baseline_mcpu;
}

static uint64_t demand_of(const struct hg_credits *c, const struct hg_credit_row *row)
{
	if (c->is_full && wants_more(row))
		return HG_SHARE_DEMAND_UNKNOWN;
	return row->used_mcpu;
}

static void ask_for(struct hg_credits *c, struct hg_credit_row *row, struct hg_share_ask *ask)
{
	const struct hg_credit_account *account = hg_credits_account_of(c, row);

	*ask = (struct hg_share_ask){
		.baseline_mcpu = row->own.terms.baseline_mcpu,
		.ceiling_mcpu = row->own.terms.ceiling_mcpu,
		.demand_mcpu = demand_of(c, row),
		.balance_cpu_ns = hg_ledger_balance_cpu_ns(&account->stored.ledger),
		.glide_ns = row->cpu.glide_ns,
		.weight = row->cpu.weight,
		.is_unlimited = account->terms.ledger.mode == HG_CREDIT_UNLIMITED,
		.earns_less = account->terms.ledger.earn_cpu_ns_per_h <
			      (int64_t)account->terms.baseline_mcpu * NS_PER_H_MCPU,
	};
	if (account->n_bursting > 1)
		ask->balance_cpu_ns /= account->n_bursting;
}

static void look_at_host(struct hg_credits *c)
{
	uint64_t used_mcpu = 0;

	for (uint32_t i = 0; i < c->n_pools; i++)
		c->pools[i].account.n_bursting = 0;
	for (uint32_t i = 0; i < c->n_rows; i++) {
		struct hg_credit_row *row = &c->rows[i];

		used_mcpu += row->used_mcpu;
		if (row->pool_idx != UINT32_MAX && wants_more(row))
			c->pools[row->pool_idx].account.n_bursting++;
	}
	c->is_full = used_mcpu * PPM >= c->host_mcpu * (c->is_full ? ROOM_PPM : FULL_PPM);
}

static int write_limit(struct hg_credits *c, struct hg_credit_row *row, uint64_t mcpu,
		       struct hg_error *reterr)
{
	uint64_t baseline_mcpu = row->own.terms.baseline_mcpu;
	int rc;

	c->cost.limit_writes++;
	rc = hg_cgroup_set_limit(row->group, mcpu == HG_SHARE_OPEN ? HG_CGROUP_OPEN : mcpu, reterr);
	if (rc < 0)
		return rc;
	hg_hold_written(&row->hold, mcpu);
	return hg_cgroup_set_weight(row->group,
				    hg_cgroups_version(c->groups) == 1
					    ? hg_share_scheduler_shares(baseline_mcpu)
					    : hg_share_scheduler_weight(baseline_mcpu),
				    reterr);
}

static enum hg_credits_state state_of(const struct hg_credit_row *row,
				      const struct hg_share_grant *grant)
{
	uint64_t baseline_mcpu = row->own.terms.baseline_mcpu;

	if (grant->limit == HG_SHARE_BY_HOST)
		return HG_CREDITS_HOST;
	if (grant->limit == HG_SHARE_BY_NOTHING)
		return HG_CREDITS_OPEN;
	return row->hold.limit_mcpu * PPM <= baseline_mcpu * (PPM + NEAR_PPM) ? HG_CREDITS_BASELINE
									      : HG_CREDITS_GLIDING;
}

/* What a write hands out, where the limit is what it will rest at. */
static int64_t handed_of(const struct hg_credits *c, const struct hg_credit_row *row)
{
	return hg_cgroups_handed_cpu_ns(c->groups, row->own.terms.baseline_mcpu);
}

static void say_failing(struct hg_credits *c, struct hg_credit_row *row, const char *why)
{
	if (row->state != HG_CREDITS_FAILING)
		hg_credits_say(c, HG_LOG_WARNING, "%s: %s; trying again every second", row->name,
			       why);
	snprintf(row->reason, sizeof(row->reason), "%.*s", (int)sizeof(row->reason) - 1, why);
	hg_credits_set_state(c, row, HG_CREDITS_FAILING);
}

/* Carries a grant out. Returns whether a limit was written. */
static bool carry_out(struct hg_credits *c, struct hg_credit_row *row,
		      const struct hg_share_ask *ask, const struct hg_share_grant *grant)
{
	struct hg_error error = {0};
	uint64_t mcpu;

	if (row->is_observed) {
		hg_credits_set_state(c, row, HG_CREDITS_OBSERVED);
		return false;
	}
	mcpu = hg_hold_next(&row->hold, ask, grant, row->used_mcpu, handed_of(c, row));
	if (mcpu == HG_HOLD_KEEP) {
		if (row->state != HG_CREDITS_FAILING)
			hg_credits_set_state(c, row, state_of(row, grant));
		return false;
	}
	if (write_limit(c, row, mcpu, &error) < 0) {
		row->hold = (struct hg_hold){0};
		say_failing(c, row, error.text);
		return false;
	}
	row->reason[0] = '\0';
	hg_credits_set_state(c, row, state_of(row, grant));
	return true;
}

/* ---- when to look again ------------------------------------------------------------------------- */

/* The decay of a glide is followed in steps of at most half of it, or it would swing. */
static hg_ns longest_step(const struct hg_credit_row *row)
{
	return row->cpu.glide_ns / 2 < LOOK_NS ? row->cpu.glide_ns / 2 : LOOK_NS;
}

/* Looks of many fall together, so that there are few divisions. */
static hg_ns on_grid(const struct hg_credits *c, hg_ns at_ns)
{
	return (at_ns + c->cfg.interval_ns - 1) / c->cfg.interval_ns * c->cfg.interval_ns;
}

static hg_ns next_look(struct hg_credits *c, struct hg_credit_row *row,
		       const struct hg_share_ask *ask, bool has_changed, hg_ns now_ns)
{
	const struct hg_credit_account *account = hg_credits_account_of(c, row);
	hg_ns at_ns = now_ns + LOOK_NS, end_ns;

	if (row->state == HG_CREDITS_FAILING)
		return now_ns + SEARCH_NS;
	if (c->is_full && wants_more(row))
		return now_ns + c->cfg.interval_ns;
	if (row->state == HG_CREDITS_OPEN || row->state == HG_CREDITS_OBSERVED) {
		row->step_ns = c->cfg.interval_ns;
		end_ns = hg_share_look_at_ns(ask, account->terms.ledger.earn_cpu_ns_per_h, now_ns);
		if (end_ns < at_ns)
			at_ns = end_ns;
		return at_ns < now_ns + SOONEST_NS ? now_ns + SOONEST_NS : at_ns;
	}
	row->step_ns = has_changed && !hg_hold_has_slack(&row->hold, row->used_mcpu)
			       ? c->cfg.interval_ns
			       : row->step_ns * 2;
	if (row->step_ns > longest_step(row))
		row->step_ns = longest_step(row);
	if (row->step_ns < c->cfg.interval_ns)
		row->step_ns = c->cfg.interval_ns;
	at_ns = now_ns + row->step_ns;
	end_ns = hg_hold_baseline_at_ns(&row->hold, ask, handed_of(c, row), now_ns);
	if (end_ns < at_ns)
		at_ns = end_ns < now_ns + c->cfg.interval_ns ? now_ns + c->cfg.interval_ns : end_ns;
	/* A little late counts as in time: else half of the looks would be one interval later. */
	return on_grid(c, at_ns - c->cfg.interval_ns / 2);
}

/* On a full host who is open and does nothing stays open: a limit would be written to all of them each time that it
 * fills up or empties, and holds nobody. Who begins to use more is found at his next look, and until then his and
 * the others' weights keep baselines. */
static struct hg_share_grant needed(const struct hg_credit_row *row,
				    const struct hg_share_grant *grant)
{
	bool is_open = row->hold.is_known && row->hold.limit_mcpu == HG_SHARE_OPEN;

	if (grant->limit == HG_SHARE_BY_HOST && is_open && !wants_more(row))
		return (struct hg_share_grant){.mcpu = HG_SHARE_OPEN, .limit = HG_SHARE_BY_NOTHING};
	return *grant;
}

static void divide(struct hg_credits *c, hg_ns now_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_rows; i++) {
		if (c->rows[i].group == NULL)
			continue;
		c->asking[n] = i;
		ask_for(c, &c->rows[i], &c->asks[n++]);
	}
	hg_share_divide(c->asks, n, c->host_mcpu, c->scratch, c->grants);
	for (uint32_t k = 0; k < n; k++) {
		struct hg_credit_row *row = &c->rows[c->asking[k]];
		bool is_due = row->due_ns <= now_ns;
		const struct hg_share_grant grant = needed(row, &c->grants[k]);
		bool has_changed = carry_out(c, row, &c->asks[k], &grant);

		if (is_due || has_changed)
			row->due_ns = next_look(c, row, &c->asks[k], has_changed, now_ns);
	}
}

/* ---- a turn ------------------------------------------------------------------------------------- */

/* At round instants of the wall's clock, which may be set: then from there on. */
static void make_points(struct hg_credits *c)
{
	hg_ns wall_ns = c->clocks.wall_ns, next_ns = (wall_ns / POINT_NS + 1) * POINT_NS;

	if (c->point_at_wall_ns != 0 && wall_ns >= c->point_at_wall_ns)
		hg_credits_make_points(c);
	c->point_at_wall_ns = next_ns;
}

static hg_ns keep(struct hg_credits *c, hg_ns now_ns)
{
	struct hg_error error = {0};

	if (now_ns >= c->save_at_ns) {
		c->save_at_ns = now_ns + SAVE_NS;
		if (hg_credits_save(c, /* want_all= */ false, &error) < 0)
			hg_credits_say(c, HG_LOG_ERR, "%s; trying again in 10 s", error.text);
		hg_credits_forget(c);
	}
	return c->save_at_ns;
}

hg_ns hg_credits_tick(struct hg_credits *credits, hg_ns now_ns)
{
	struct hg_credits *c = credits;
	bool is_due = false;
	hg_ns next_ns;

	if (c->n_rows == 0 || c->fault[0] != '\0' || c->is_resting)
		return HG_NEVER;
	for (uint32_t i = 0; i < c->n_rows && !is_due; i++)
		is_due = c->rows[i].due_ns <= now_ns;
	if (is_due) {
		(void)hg_credits_read_clocks(c);
		c->cost.ticks++;
		for (uint32_t i = 0; i < c->n_rows; i++) {
			struct hg_credit_row *row = &c->rows[i];

			if (row->due_ns > now_ns)
				continue;
			hg_credits_visit(c, row, now_ns);
			look_at_alarm(c, hg_credits_account_of(c, row), row->name);
			if (row->group == NULL)
				row->due_ns = now_ns + SEARCH_NS;
		}
		look_at_host(c);
		divide(c, now_ns);
	}
	make_points(c);
	next_ns = keep(c, now_ns);
	for (uint32_t i = 0; i < c->n_rows; i++) {
		if (c->rows[i].due_ns < next_ns)
			next_ns = c->rows[i].due_ns;
	}
	return next_ns;
}
