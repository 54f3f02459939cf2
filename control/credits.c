#include "control/credits.h"

#include "control/credits_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Those that went are looked for this often. */
#define FORGET_NS (3600 * HG_NS_PER_S)

const char *hg_credits_state_name(enum hg_credits_state state)
{
	static const char *const names[HG_N_CREDITS_STATES] = {
		[HG_CREDITS_OPEN] = "open",         [HG_CREDITS_GLIDING] = "gliding",
		[HG_CREDITS_BASELINE] = "baseline", [HG_CREDITS_HOST] = "host",
		[HG_CREDITS_WAITING] = "waiting",   [HG_CREDITS_FAILING] = "failing",
		[HG_CREDITS_OBSERVED] = "observed",
	};

	return names[state];
}

void hg_credits_say(struct hg_credits *c, enum hg_log_level level, const char *format, ...)
{
	char sentence[HG_ERROR_TEXT_BYTES + 128];
	va_list args;

	if (c->cfg.log == NULL)
		return;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	c->cfg.log(c->cfg.user, level, sentence);
}

struct hg_credit_account *hg_credits_account_of(struct hg_credits *c, struct hg_credit_row *row)
{
	return row->pool_idx == UINT32_MAX ? &row->own : &c->pools[row->pool_idx].account;
}

/* ---- the clock ---------------------------------------------------------------------------------- */

static hg_ns host_ns(const struct hg_credits *c, const struct hg_clocks *clocks)
{
	return c->cfg.is_suspended_counted ? clocks->boot_ns : clocks->monotonic_ns;
}

hg_ns hg_credits_ledger_now(const struct hg_credits *c)
{
	hg_ns for_ns = host_ns(c, &c->clocks) - c->host_base_ns;

	return c->ledger_base_ns + (for_ns > 0 ? for_ns : 0);
}

hg_ns hg_credits_read_clocks(struct hg_credits *c)
{
	c->cfg.clocks(c->cfg.user, &c->clocks);
	return hg_credits_ledger_now(c);
}

/* Where the ledgers' clock goes on: in the same boot by a clock that nobody can set; after a reboot by the
 * wall's, which at worst stands still. */
static void set_clock(struct hg_credits *c, const struct hg_stored_clock *was)
{
	hg_ns away_ns;

	c->host_base_ns = host_ns(c, &c->clocks);
	if (was == NULL || was->ledger_ns == HG_NEVER)
		return;
	if (strcmp(was->at.boot_id, c->clocks.boot_id) == 0)
		away_ns = host_ns(c, &c->clocks) - host_ns(c, &was->at);
	else
		away_ns = c->clocks.wall_ns - was->at.wall_ns;
	c->ledger_base_ns = was->ledger_ns + (away_ns > 0 ? away_ns : 0);
}

/* ---- the store ---------------------------------------------------------------------------------- */

static unsigned collect(struct hg_credits *c, bool want_all, const struct hg_stored **ret_list)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < c->n_rows; i++) {
		if (c->rows[i].own.is_dirty || want_all)
			ret_list[n++] = &c->rows[i].own.stored;
	}
	for (uint32_t i = 0; i < c->n_pools; i++) {
		if (c->pools[i].account.is_dirty || want_all)
			ret_list[n++] = &c->pools[i].account.stored;
	}
	return n;
}

int hg_credits_save(struct hg_credits *c, bool want_all, struct hg_error *reterr)
{
	const struct hg_stored **list;
	struct hg_stored_clock clock = {.ledger_ns = hg_credits_ledger_now(c), .at = c->clocks};
	int rc;

	if (c->store == NULL)
		return 0;
	list = malloc((c->n_rows + c->n_pools + 1u) * sizeof(*list));
	if (list == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory to save credits", NULL);
	rc = hg_credit_store_save(c->store, &clock, list, collect(c, want_all, list), reterr);
	free(list);
	c->cost.saves++;
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < c->n_rows; i++)
		c->rows[i].own.is_dirty = false;
	for (uint32_t i = 0; i < c->n_pools; i++)
		c->pools[i].account.is_dirty = false;
	return 0;
}

static bool is_kept(void *user, const char *stored_name)
{
	const struct hg_credits *c = user;
	const char *name = strchr(stored_name, ':');

	if (name == NULL)
		return false;
	return strncmp(stored_name, "pool:", 5) == 0
		       ? hg_names_find(&c->pool_names, name + 1) != HG_NAMES_NONE
		       : hg_names_find(&c->row_names, name + 1) != HG_NAMES_NONE;
}

void hg_credits_forget(struct hg_credits *c)
{
	hg_ns now_ns = hg_credits_ledger_now(c), before_ns = now_ns - c->cfg.keep_removed_ns;
	struct hg_error error = {0};
	unsigned n = 0;

	if (c->store == NULL || now_ns < c->forget_at_ns)
		return;
	c->forget_at_ns = now_ns + FORGET_NS;
	if (c->cfg.keep_removed_ns == HG_NEVER || before_ns <= 0)
		return;
	if (hg_credit_store_forget(c->store, before_ns, is_kept, c, &n, &error) < 0)
		hg_credits_say(c, HG_LOG_ERR, "%s", error.text);
	c->cost.forgotten += n;
	if (n > 0)
		hg_credits_say(c, HG_LOG_NOTICE,
			       "%u balances are deleted: nobody of these names has been in the "
			       "configuration for %lld days",
			       n, (long long)(c->cfg.keep_removed_ns / (86400 * HG_NS_PER_S)));
}

static void make_point(struct hg_credits *c, struct hg_credit_account *account)
{
	const struct hg_ledger *l = &account->stored.ledger;
	const struct hg_ledger_totals *was = &account->at_point;
	struct hg_credits_point point = {
		.wall_ns = c->clocks.wall_ns,
		.balance_cpu_ns = hg_ledger_balance_cpu_ns(l),
		.surplus_cpu_ns = l->surplus_cpu_ns,
		.used_cpu_ns = (int64_t)(l->totals.used_cpu_ns - was->used_cpu_ns),
		.earned_cpu_ns = (int64_t)(l->totals.earned_cpu_ns - was->earned_cpu_ns),
		.charged_cpu_ns = (int64_t)(l->totals.charged_cpu_ns - was->charged_cpu_ns),
	};
	struct hg_error error = {0};

	account->at_point = l->totals;
	if (hg_credit_store_add_point(c->store, account->stored.name, &point, &error) < 0)
		hg_credits_say(c, HG_LOG_ERR, "%s", error.text);
}

void hg_credits_make_points(struct hg_credits *c)
{
	if (c->store == NULL)
		return;
	for (uint32_t i = 0; i < c->n_rows; i++) {
		if (c->rows[i].pool_idx == UINT32_MAX)
			make_point(c, &c->rows[i].own);
	}
	for (uint32_t i = 0; i < c->n_pools; i++)
		make_point(c, &c->pools[i].account);
}

/* ---- life --------------------------------------------------------------------------------------- */

/* What it cannot do without; -EINVAL and the like with the reason. */
static int open_parts(struct hg_credits *c, struct hg_error *reterr)
{
	struct hg_stored_clock clock;
	int rc = hg_cgroups_open(c->cfg.root, &c->groups, reterr);

	if (rc < 0 || c->cfg.store == NULL)
		return rc;
	rc = hg_credit_store_open(c->cfg.store, c->cfg.want_fresh_store, c->clocks.wall_ns,
				  &c->store, reterr);
	if (rc == 0)
		rc = hg_credit_store_clock(c->store, &clock, reterr);
	if (rc == 0)
		set_clock(c, &clock);
	return rc;
}

void hg_credits_open(struct hg_credits *c)
{
	struct hg_error error = {0};

	if (c->is_open)
		return;
	c->is_open = true;
	if (open_parts(c, &error) == 0)
		return;
	snprintf(c->fault, sizeof(c->fault), "%s", error.text);
	hg_credits_say(c, HG_LOG_ERR, "processors are not governed: %s", c->fault);
}

int hg_credits_create(const struct hg_credits_cfg *cfg, struct hg_credits **ret,
		      struct hg_error *reterr)
{
	struct hg_credits *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for processor credits", NULL);
	c->cfg = *cfg;
	c->host_mcpu = cfg->host_mcpu;
	(void)hg_credits_read_clocks(c);
	set_clock(c, NULL);
	*ret = c;
	return 0;
}

static void leave(struct hg_credits *c, struct hg_credit_row *row)
{
	bool is_open = row->cpu.on_stop == HG_CPU_STOP_OPEN;
	struct hg_error error = {0};

	if (row->group == NULL || row->is_observed)
		return;
	if (hg_cgroup_set_limit(row->group, is_open ? HG_CGROUP_OPEN : row->own.terms.baseline_mcpu,
				&error) < 0)
		hg_credits_say(c, HG_LOG_WARNING, "%s: %s; its limit is left as it is", row->name,
			       error.text);
	else
		hg_credits_say(c, HG_LOG_NOTICE, "%s is left %s", row->name,
			       is_open ? "without a limit" : "at its baseline");
}

static void free_rows(struct hg_credit_row *rows, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		hg_cgroup_close(rows[i].group);
	free(rows);
}

/* Books what was used up to now. */
static void visit_all(struct hg_credits *c, hg_ns now_ns)
{
	(void)hg_credits_read_clocks(c);
	for (uint32_t i = 0; i < c->n_rows; i++) {
		if (c->rows[i].group != NULL)
			hg_credits_visit(c, &c->rows[i], now_ns);
	}
}

int hg_credits_rest(struct hg_credits *credits, bool is_resting, hg_ns now_ns,
		    struct hg_error *reterr)
{
	if (credits->is_resting == is_resting)
		return 0;
	credits->is_resting = is_resting;
	for (uint32_t i = 0; i < credits->n_rows; i++) /* what is in place is another's */
		credits->rows[i].hold = (struct hg_hold){0};
	if (!is_resting)
		return 0;
	visit_all(credits, now_ns);
	return hg_credits_save(credits, /* want_all= */ true, reterr);
}

static void leave_all(struct hg_credits *c)
{
	struct hg_error error = {0};

	visit_all(c, c->clocks.monotonic_ns);
	for (uint32_t i = 0; i < c->n_rows; i++)
		leave(c, &c->rows[i]);
	if (hg_credits_save(c, /* want_all= */ true, &error) < 0)
		hg_credits_say(c, HG_LOG_ERR, "%s", error.text);
}

void hg_credits_destroy(struct hg_credits *credits)
{
	if (credits == NULL)
		return;
	if (!credits->is_resting)
		leave_all(credits);
	hg_names_fini(&credits->row_names);
	hg_names_fini(&credits->pool_names);
	free_rows(credits->rows, credits->n_rows);
	free(credits->pools);
	free(credits->asks);
	free(credits->grants);
	free(credits->scratch);
	free(credits->asking);
	hg_credit_store_close(credits->store);
	hg_cgroups_close(credits->groups);
	free(credits);
}

hg_ns hg_credits_wall_ns(struct hg_credits *credits)
{
	(void)hg_credits_read_clocks(credits);
	return credits->clocks.wall_ns;
}

const char *hg_credits_fault(const struct hg_credits *credits)
{
	return credits->fault;
}

int hg_credits_check(const struct hg_credits *credits, const struct hg_desired *desired,
		     struct hg_error *reterr)
{
	return hg_cpu_admit(desired,
			    desired->n_processors > 0
				    ? (uint64_t)desired->n_processors * HG_MCPU_PER_CPU
				    : credits->cfg.host_mcpu,
			    reterr);
}

/* ---- what is seen ------------------------------------------------------------------------------- */

uint32_t hg_credits_n_rows(const struct hg_credits *credits)
{
	return credits->n_rows + credits->n_pools;
}

static void fill_account(const struct hg_credits *c, const struct hg_credit_account *account,
			 uint64_t used_mcpu, struct hg_credits_row *ret)
{
	hg_ns now_ns = hg_credits_ledger_now(c), at_ns;

	ret->ledger = account->stored.ledger;
	ret->balance_cpu_ns = hg_ledger_balance_cpu_ns(&ret->ledger);
	ret->is_alarmed = account->is_alarmed;
	at_ns = hg_ledger_exhausted_at_ns(&ret->ledger, used_mcpu);
	ret->exhausted_in_ns = at_ns == HG_NEVER ? HG_NEVER : at_ns > now_ns ? at_ns - now_ns : 0;
}

static void fill_row(struct hg_credits *c, struct hg_credit_row *row, struct hg_credits_row *ret)
{
	struct hg_cgroup_sample sample = {0};

	*ret = (struct hg_credits_row){
		.name = row->name,
		.is_pooled = row->pool_idx != UINT32_MAX,
		.state = row->state,
		.state_since_wall_ns = row->state_since_wall_ns,
		.baseline_mcpu = row->own.terms.baseline_mcpu,
		.ceiling_mcpu = row->own.terms.ceiling_mcpu,
		.used_mcpu = row->used_mcpu,
		.limit_mcpu = row->hold.is_known ? row->hold.limit_mcpu : HG_SHARE_OPEN,
	};
	memcpy(ret->reason, row->reason, sizeof(ret->reason));
	if (row->group != NULL) {
		snprintf(ret->cgroup, sizeof(ret->cgroup), "%.*s", (int)sizeof(ret->cgroup) - 1,
			 hg_cgroup_path(row->group));
		if (hg_cgroup_sample(row->group, &sample, NULL) == 0) {
			ret->throttled = sample.throttled;
			ret->throttled_ns = sample.throttled_ns;
			ret->limit_writes = sample.writes;
		}
	}
	fill_account(c, hg_credits_account_of(c, row), row->used_mcpu, ret);
}

static void fill_pool(struct hg_credits *c, uint32_t idx, struct hg_credits_row *ret)
{
	const struct hg_credit_pool *pool = &c->pools[idx];
	uint64_t used_mcpu = 0;

	for (uint32_t i = 0; i < c->n_rows; i++)
		used_mcpu += c->rows[i].pool_idx == idx ? c->rows[i].used_mcpu : 0;
	*ret = (struct hg_credits_row){
		.name = pool->name,
		.is_pool = true,
		.baseline_mcpu = pool->account.terms.baseline_mcpu,
		.ceiling_mcpu = pool->account.terms.ceiling_mcpu,
		.used_mcpu = used_mcpu,
		.limit_mcpu = HG_SHARE_OPEN,
	};
	fill_account(c, &pool->account, used_mcpu, ret);
}

bool hg_credits_row(struct hg_credits *credits, uint32_t idx, struct hg_credits_row *ret_row)
{
	if (idx < credits->n_rows)
		fill_row(credits, &credits->rows[idx], ret_row);
	else if (idx - credits->n_rows < credits->n_pools)
		fill_pool(credits, idx - credits->n_rows, ret_row);
	else
		return false;
	return true;
}

/* An instance goes before a pool of the same name. UINT32_MAX: there is none. */
static uint32_t find(const struct hg_credits *c, const char *name)
{
	uint32_t idx = hg_names_find(&c->row_names, name);

	if (idx != HG_NAMES_NONE)
		return idx;
	idx = hg_names_find(&c->pool_names, name);
	return idx == HG_NAMES_NONE ? UINT32_MAX : c->n_rows + idx;
}

bool hg_credits_find(struct hg_credits *credits, const char *name, struct hg_credits_row *ret_row)
{
	return hg_credits_row(credits, find(credits, name), ret_row);
}

void hg_credits_cost(const struct hg_credits *credits, struct hg_credits_cost *ret)
{
	*ret = credits->cost;
}

/* ---- what operators ask for --------------------------------------------------------------------- */

static int find_account(struct hg_credits *c, const char *name, struct hg_credit_account **ret,
			struct hg_error *reterr)
{
	uint32_t idx = find(c, name);

	if (c->fault[0] != '\0')
		return hg_error_set(reterr, -HG_EIO, c->fault, NULL);
	if (idx == UINT32_MAX)
		return hg_error_set(reterr, -HG_ENOENT, "nobody with processor credits is called ",
				    name, NULL);
	*ret = idx < c->n_rows ? hg_credits_account_of(c, &c->rows[idx])
			       : &c->pools[idx - c->n_rows].account;
	return 0;
}

/* Brings a ledger up to now; what was used since the last look is booked at the next. */
static void bring_up(struct hg_credits *c, struct hg_credit_account *account)
{
	bool is_stopped = account->stored.stopped_at_ns != HG_NEVER;

	if (is_stopped)
		hg_ledger_skip(&account->stored.ledger, hg_credits_ledger_now(c));
	else
		hg_ledger_charge(&account->stored.ledger, 0, hg_credits_ledger_now(c));
	account->is_dirty = true;
}

/* Everything is due: balances changed by hand. */
static void look_at_all(struct hg_credits *c)
{
	for (uint32_t i = 0; i < c->n_rows; i++)
		c->rows[i].due_ns = 0;
}

int hg_credits_grant(struct hg_credits *credits, const char *name, int64_t n_cpu_ns,
		     struct hg_error *reterr)
{
	struct hg_credit_account *account;
	struct hg_ledger before;
	int rc = find_account(credits, name, &account, reterr);

	if (rc < 0)
		return rc;
	if (n_cpu_ns <= 0 || n_cpu_ns > HG_LEDGER_BALANCE_MAX_CPU_NS)
		return hg_error_set(reterr, -HG_EINVAL,
				    "a grant is more than 0 and at most 10,000,000 credits", NULL);
	(void)hg_credits_read_clocks(credits);
	bring_up(credits, account);
	before = account->stored.ledger;
	hg_ledger_grant(&account->stored.ledger, n_cpu_ns);
	rc = hg_credits_save(credits, /* want_all= */ false, reterr);
	if (rc < 0)
		account->stored.ledger = before;
	look_at_all(credits);
	return rc;
}

int hg_credits_transfer(struct hg_credits *credits, const char *from, const char *to,
			int64_t n_cpu_ns, struct hg_error *reterr)
{
	struct hg_credit_account *source, *sink;
	struct hg_ledger source_before, sink_before;
	int rc = find_account(credits, from, &source, reterr);

	if (rc == 0)
		rc = find_account(credits, to, &sink, reterr);
	if (rc < 0)
		return rc;
	if (source == sink)
		return hg_error_set(reterr, -HG_EINVAL, from, " and ", to, " have the same balance",
				    NULL);
	if (n_cpu_ns <= 0)
		return hg_error_set(reterr, -HG_EINVAL, "a transfer is more than 0 credits", NULL);
	(void)hg_credits_read_clocks(credits);
	bring_up(credits, source);
	bring_up(credits, sink);
	source_before = source->stored.ledger;
	sink_before = sink->stored.ledger;
	rc = hg_ledger_transfer(&source->stored.ledger, &sink->stored.ledger, n_cpu_ns, reterr);
	if (rc == 0)
		rc = hg_credits_save(credits, /* want_all= */ false, reterr);
	if (rc < 0) {
		source->stored.ledger = source_before;
		sink->stored.ledger = sink_before;
	}
	look_at_all(credits);
	return rc;
}

int hg_credits_history(struct hg_credits *credits, const char *name, hg_ns since_wall_ns,
		       struct hg_credits_point *ret_points, unsigned n, struct hg_error *reterr)
{
	struct hg_credit_account *account = NULL;
	int rc = find_account(credits, name, &account, reterr);

	if (rc < 0 || credits->store == NULL)
		return rc;
	return hg_credit_store_points(credits->store, account->stored.name, since_wall_ns,
				      ret_points, n, reterr);
}
