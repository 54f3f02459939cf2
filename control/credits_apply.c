/* Another desired state: rows and pools come, go and change; balances stay. */
#include "control/credits_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is being built, to take the place of what is there. */
struct next {
	struct hg_credit_row *rows;
	struct hg_credit_pool *pools;
	uint32_t n_rows, n_pools;
	struct hg_names row_names, pool_names;
};

static const struct hg_credit_row *row_called(const struct hg_credits *c, const char *name)
{
	uint32_t idx = hg_names_find(&c->row_names, name);

	return idx == HG_NAMES_NONE ? NULL : &c->rows[idx];
}

static const struct hg_credit_pool *pool_called(const struct hg_credits *c, const char *name)
{
	uint32_t idx = hg_names_find(&c->pool_names, name);

	return idx == HG_NAMES_NONE ? NULL : &c->pools[idx];
}

static bool is_arriving(const struct hg_credits *c, const char *kind, const char *name)
{
	return c->arrival.name[0] != '\0' && strcmp(kind, "instance") == 0 &&
	       strcmp(c->arrival.name, name) == 0;
}

static bool is_same_cfg(const struct hg_ledger_cfg *a, const struct hg_ledger_cfg *b)
{
	return a->earn_cpu_ns_per_h == b->earn_cpu_ns_per_h && a->max_cpu_ns == b->max_cpu_ns &&
	       a->launch_cpu_ns == b->launch_cpu_ns &&
	       a->surplus_max_cpu_ns == b->surplus_max_cpu_ns && a->max_age_ns == b->max_age_ns &&
	       a->mode == b->mode;
}

/* Who was away, or stopped, earned nothing meanwhile, and nothing aged. */
static void change_terms(struct hg_stored *stored, const struct hg_cpu_terms *terms, hg_ns now_ns)
{
	bool is_same = is_same_cfg(&stored->ledger.cfg, &terms->ledger);

	if (stored->stopped_at_ns != HG_NEVER)
		hg_ledger_skip(&stored->ledger, now_ns);
	else if (!is_same)
		hg_ledger_charge(&stored->ledger, 0, now_ns);
	if (!is_same)
		hg_ledger_apply(&stored->ledger, &terms->ledger, now_ns);
}

/* The account under its new terms: what it had, what it brings along, what the store has, or what a new one is
 * given. */
static int take_over(struct hg_credits *c, const struct hg_credit_account *before, const char *kind,
		     const char *name, const struct hg_cpu_terms *terms,
		     struct hg_credit_account *ret, struct hg_error *reterr)
{
	char stored_name[sizeof(ret->stored.name)];
	hg_ns now_ns = hg_credits_ledger_now(c);
	int found = before != NULL;

	snprintf(stored_name, sizeof(stored_name), "%s:%s", kind, name);
	*ret = before != NULL ? *before : (struct hg_credit_account){0};
	if (before == NULL && c->store != NULL) {
		found = hg_credit_store_load(c->store, stored_name, &ret->stored, reterr);
		if (found < 0)
			return found;
	}
	if (before == NULL && is_arriving(c, kind, name)) {
		hg_credits_settle(c, &ret->stored, terms, found);
	} else if (!found) {
		ret->stored = (struct hg_stored){.stopped_at_ns = HG_NEVER};
		hg_ledger_init(&ret->stored.ledger, &terms->ledger, now_ns);
	} else {
		change_terms(&ret->stored, terms, now_ns);
	}
	memcpy(ret->stored.name, stored_name, sizeof(stored_name));
	ret->stored.keep_stopped_ns = terms->keep_stopped_ns;
	ret->terms = *terms;
	ret->is_dirty = true;
	if (before == NULL)
		ret->at_point = ret->stored.ledger.totals;
	return 0;
}

static int add_row(struct hg_credits *c, const struct hg_desired *desired,
		   const struct hg_desired_instance *instance, struct next *next,
		   struct hg_error *reterr)
{
	const struct hg_credit_row *before = row_called(c, instance->name);
	struct hg_credit_row *row = &next->rows[next->n_rows];
	struct hg_cpu_terms terms;
	int rc;

	hg_cpu_resolve(&instance->cpu, &terms);
	if (before != NULL)
		*row = *before;
	else
		row->state_since_wall_ns = c->clocks.wall_ns;
	rc = take_over(c, before == NULL ? NULL : &before->own, "instance", instance->name, &terms,
		       &row->own, reterr);
	if (rc < 0)
		return rc;
	if (before != NULL && strcmp(before->cpu.cgroup, instance->cpu.cgroup) != 0)
		row->group = NULL; /* the old one is given back when this is in force */
	memcpy(row->name, instance->name, sizeof(row->name));
	row->cpu = instance->cpu;
	row->is_observed =
		desired->mode == HG_MODE_OBSERVE || instance->contract.mode == HG_MODE_OBSERVE;
	row->pool_idx = UINT32_MAX;
	row->due_ns = 0;
	row->step_ns = c->cfg.interval_ns;
	row->hold.is_known = false;
	next->n_rows++;
	return 0;
}

/* The pool of a tenant whose members are the last n rows. */
static int add_pool(struct hg_credits *c, const struct hg_desired_tenant *tenant,
		    const struct hg_cpu_terms *members, uint32_t n, struct next *next,
		    struct hg_error *reterr)
{
	const struct hg_credit_pool *before = pool_called(c, tenant->name);
	struct hg_credit_pool *pool = &next->pools[next->n_pools];
	struct hg_cpu_terms terms;
	int rc;

	hg_cpu_resolve_pool(&tenant->pool, members, n, &terms);
	rc = take_over(c, before == NULL ? NULL : &before->account, "pool", tenant->name, &terms,
		       &pool->account, reterr);
	if (rc < 0)
		return rc;
	memcpy(pool->name, tenant->name, sizeof(pool->name));
	next->n_pools++;
	return 0;
}

static int add_tenant(struct hg_credits *c, const struct hg_desired *desired, uint32_t tenant_idx,
		      struct hg_cpu_terms *members, struct next *next, struct hg_error *reterr)
{
	uint32_t n = 0, first = next->n_rows;
	int rc = 0;

	for (uint32_t i = 0; i < desired->n_instances && rc == 0; i++) {
		const struct hg_desired_instance *instance = &desired->instances[i];

		if (instance->tenant_idx != tenant_idx || !hg_cpu_is_governed(&instance->cpu))
			continue;
		rc = add_row(c, desired, instance, next, reterr);
		if (rc == 0 && instance->cpu.is_pooled)
			members[n++] = next->rows[next->n_rows - 1u].own.terms;
	}
	if (rc < 0 || n == 0)
		return rc;
	for (uint32_t i = first; i < next->n_rows; i++) {
		if (next->rows[i].cpu.is_pooled)
			next->rows[i].pool_idx = next->n_pools;
	}
	return add_pool(c, &desired->tenants[tenant_idx], members, n, next, reterr);
}

/* Rows that are not governed any more get back what was in place before. */
static void give_back(struct hg_credits *c, const struct next *next)
{
	for (uint32_t i = 0; i < c->n_rows; i++) {
		struct hg_credit_row *row = &c->rows[i];
		struct hg_error error = {0};
		uint32_t k = hg_names_find(&next->row_names, row->name);

		if (row->group == NULL || (k != HG_NAMES_NONE && next->rows[k].group == row->group))
			continue;
		if (!row->is_observed && hg_cgroup_restore(row->group, &error) < 0)
			hg_credits_say(c, HG_LOG_WARNING, "%s: %s", row->name, error.text);
		hg_cgroup_close(row->group);
		row->own.stored.stopped_at_ns = row->own.stored.ledger.at_ns;
	}
}

static bool make_room(struct hg_credits *c, const struct hg_desired *desired, struct next *next,
		      struct hg_cpu_terms **ret_members)
{
	/* As many as there are before and after: a change that fails leaves the old ones in place. */
	size_t n = (desired->n_instances > c->n_rows ? desired->n_instances : c->n_rows) + 1u;
	struct hg_share_ask *asks = calloc(n, sizeof(*asks));
	struct hg_share_grant *grants = calloc(n, sizeof(*grants));
	uint32_t *scratch = calloc(n, sizeof(*scratch)), *asking = calloc(n, sizeof(*asking));

	free(c->asks);
	free(c->grants);
	free(c->scratch);
	free(c->asking);
	c->asks = asks;
	c->grants = grants;
	c->scratch = scratch;
	c->asking = asking;
	next->rows = calloc(n, sizeof(*next->rows));
	next->pools = calloc(desired->n_tenants + 1u, sizeof(*next->pools));
	*ret_members = calloc(n, sizeof(**ret_members));
	return asks != NULL && grants != NULL && scratch != NULL && asking != NULL &&
	       next->rows != NULL && next->pools != NULL && *ret_members != NULL;
}

static bool has_governed(const struct hg_desired *desired)
{
	for (uint32_t i = 0; i < desired->n_instances; i++) {
		if (hg_cpu_is_governed(&desired->instances[i].cpu))
			return true;
	}
	return false;
}

int hg_credits_apply(struct hg_credits *credits, const struct hg_desired *desired, hg_ns now_ns,
		     struct hg_error *reterr)
{
	struct hg_credits *c = credits;
	struct next next = {0};
	struct hg_cpu_terms *members = NULL;
	int rc = 0;

	(void)hg_credits_read_clocks(c);
	if (has_governed(desired))
		hg_credits_open(c);
	if (!c->is_open || c->fault[0] != '\0')
		return 0; /* nothing is governed, and why is said */
	for (uint32_t i = 0; i < c->n_rows; i++) /* up to now under the old terms */
		hg_credits_visit(c, &c->rows[i], now_ns);
	if (hg_credits_save(c, /* want_all= */ true, reterr) < 0)
		return -HG_EIO;
	if (!make_room(c, desired, &next, &members))
		rc = hg_error_set(reterr, -HG_ENOMEM, "no memory for processor credits", NULL);
	for (uint32_t i = 0; i < desired->n_tenants && rc == 0; i++)
		rc = add_tenant(c, desired, i, members, &next, reterr);
	free(members);
	if (rc == 0)
		rc = hg_names_build(next.rows, sizeof(*next.rows), next.n_rows, &next.row_names,
				    reterr);
	if (rc == 0)
		rc = hg_names_build(next.pools, sizeof(*next.pools), next.n_pools, &next.pool_names,
				    reterr);
	if (rc < 0) {
		hg_names_fini(&next.row_names);
		free(next.rows);
		free(next.pools);
		return rc;
	}
	give_back(c, &next);
	if (hg_credits_save(c, /* want_all= */ true, reterr) < 0)
		hg_credits_say(c, HG_LOG_ERR, "those that went were not saved");
	hg_names_fini(&c->row_names);
	hg_names_fini(&c->pool_names);
	free(c->rows);
	free(c->pools);
	c->rows = next.rows;
	c->pools = next.pools;
	c->row_names = next.row_names;
	c->pool_names = next.pool_names;
	c->n_rows = next.n_rows;
	c->n_pools = next.n_pools;
	c->host_mcpu = desired->n_processors > 0 ? (uint64_t)desired->n_processors * HG_MCPU_PER_CPU
						 : c->cfg.host_mcpu;
	return hg_credits_save(c, /* want_all= */ true, reterr);
}
