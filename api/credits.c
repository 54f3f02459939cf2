#include "api/credits.h"

#include "api/human.h"
#include "api/nearest.h"
#include "api/put.h"
#include "api/reader.h"
#include "api/view.h"
#include "api/yaml.h"
#include "core/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SENTENCE_BYTES 400
#define POINT_NS (300 * HG_NS_PER_S)
#define DAY_NS (24 * 3600 * HG_NS_PER_S)
#define HISTORY_MAX_NS (15 * DAY_NS)
/* All that are kept, and a few more where the wall's clock was set. */
#define POINTS_MAX 4400u

/* "NAME_credits" as a decimal and "NAME_cpu_ns", exactly. */
static void put_credits(json_t *object, const char *name, int64_t cpu_ns)
{
	char key[48];

	snprintf(key, sizeof(key), "%s_credits", name);
	hg_put(object, key, json_real((double)cpu_ns / (double)HG_CREDIT_CPU_NS));
	snprintf(key, sizeof(key), "%s_cpu_ns", name);
	hg_put(object, key, json_integer(cpu_ns));
}

/* ---- a sentence --------------------------------------------------------------------------------- */

/* "12:04", or with the day where that is another. */
static void say_instant(char *buf, size_t size, hg_ns wall_ns, hg_ns now_wall_ns)
{
	bool is_recent = now_wall_ns - wall_ns < DAY_NS;
	time_t at_s = (time_t)(wall_ns / HG_NS_PER_S);
	struct tm tm = {0};

	(void)localtime_r(&at_s, &tm);
	if (strftime(buf, size, is_recent ? "%H:%M" : "%Y-%m-%d %H:%M", &tm) == 0)
		buf[0] = '\0';
}

static void say_open(char *buf, size_t size, const struct hg_credits_row *row)
{
	bool is_unlimited = row->ledger.cfg.mode == HG_CREDIT_UNLIMITED;
	char credits[HG_HUMAN_BYTES], most[HG_HUMAN_BYTES], length[HG_HUMAN_BYTES];
	const char *end = is_unlimited ? "use is charged after" : "they last";

	if (row->balance_cpu_ns < 0 && is_unlimited)
		snprintf(buf, size,
			 "open: unlimited, a surplus of %s credits, of which later earnings repay "
			 "up to %s",
			 hg_human_credits(credits, row->ledger.surplus_cpu_ns),
			 hg_human_credits(most, row->ledger.cfg.surplus_max_cpu_ns));
	else if (row->exhausted_in_ns == HG_NEVER)
		snprintf(buf, size, "open: %s credits, at this use they do not run out",
			 hg_human_credits(credits, row->balance_cpu_ns));
	else
		snprintf(buf, size, "open: %s credits, at this use %s %s",
			 hg_human_credits(credits, row->balance_cpu_ns), end,
			 hg_human_long(length, row->exhausted_in_ns));
}

/* Why it may use what it may. */
static void say_row(char *buf, size_t size, const struct hg_credits_row *row, hg_ns now_wall_ns)
{
	char since[32], credits[HG_HUMAN_BYTES], earns[HG_HUMAN_BYTES], may[HG_HUMAN_BYTES];

	hg_human_credits(credits, row->balance_cpu_ns);
	hg_human_credits(earns, row->ledger.cfg.earn_cpu_ns_per_h);
	hg_human_share(may, row->limit_mcpu, row->ceiling_mcpu);
	say_instant(since, sizeof(since), row->state_since_wall_ns, now_wall_ns);
	switch (row->state) {
	case HG_CREDITS_GLIDING:
		snprintf(buf, size,
			 "gliding down to its baseline: %s credits are left, and it may use %s of "
			 "its processors; earns %s credits an hour",
			 credits, may, earns);
		break;
	case HG_CREDITS_BASELINE:
		snprintf(buf, size,
			 "held at baseline since %s, balance %s, earns %s credits an hour", since,
			 credits, earns);
		break;
	case HG_CREDITS_HOST:
		snprintf(
			buf, size,
			"the host is full: others burst as well, and since %s it may use %s of its "
			"processors; what it does not get costs none of its %s credits",
			since, may, credits);
		break;
	case HG_CREDITS_WAITING:
		snprintf(buf, size, "waiting for its control group: %s", row->reason);
		break;
	case HG_CREDITS_FAILING:
		snprintf(buf, size, "its limit could not be written, and is tried again: %s",
			 row->reason);
		break;
	case HG_CREDITS_OBSERVED:
		snprintf(buf, size, "observed, not held: balance %s, earns %s credits an hour",
			 credits, earns);
		break;
	default:
		say_open(buf, size, row);
		break;
	}
}

/* ---- a row -------------------------------------------------------------------------------------- */

static json_t *totals_json(const struct hg_ledger_totals *t)
{
	json_t *object = json_object();

	put_credits(object, "earned", (int64_t)t->earned_cpu_ns);
	put_credits(object, "gift", (int64_t)t->gift_cpu_ns);
	put_credits(object, "used", (int64_t)t->used_cpu_ns);
	put_credits(object, "lost", (int64_t)t->lost_cpu_ns);
	put_credits(object, "expired", (int64_t)t->expired_cpu_ns);
	put_credits(object, "charged", (int64_t)t->charged_cpu_ns);
	put_credits(object, "sent", (int64_t)t->sent_cpu_ns);
	put_credits(object, "received", (int64_t)t->received_cpu_ns);
	return object;
}

static void put_ledger(json_t *object, const struct hg_credits_row *row)
{
	const struct hg_ledger *l = &row->ledger;

	hg_put_text(object, "mode", l->cfg.mode == HG_CREDIT_UNLIMITED ? "unlimited" : "standard");
	put_credits(object, "balance", row->balance_cpu_ns);
	put_credits(object, "gift", l->gift_cpu_ns);
	put_credits(object, "earned", l->earned_cpu_ns);
	put_credits(object, "surplus", l->surplus_cpu_ns);
	put_credits(object, "max", l->cfg.max_cpu_ns);
	put_credits(object, "surplus_max", l->cfg.surplus_max_cpu_ns);
	hg_put(object, "earn_credits_per_h",
	       json_real((double)l->cfg.earn_cpu_ns_per_h / (double)HG_CREDIT_CPU_NS));
	hg_put(object, "earn_cpu_ns_per_h", json_integer(l->cfg.earn_cpu_ns_per_h));
	hg_put(object, "max_age_ns", json_integer(l->cfg.max_age_ns));
	hg_put(object, "exhausted_in_ns",
	       row->exhausted_in_ns == HG_NEVER ? json_null() : json_integer(row->exhausted_in_ns));
	hg_put(object, "is_alarmed", json_boolean(row->is_alarmed));
	hg_put(object, "total", totals_json(&l->totals));
}

static json_t *row_json(const struct hg_control *control, const struct hg_credits_row *row)
{
	bool is_open = row->limit_mcpu == HG_SHARE_OPEN;
	const struct hg_desired *d = hg_control_desired(control);
	uint32_t idx = row->is_pool ? HG_VIEW_NONE : hg_view_find_instance(d, row->name);
	const char *tenant =
		idx == HG_VIEW_NONE ? row->name : d->tenants[d->instances[idx].tenant_idx].name;
	char text[SENTENCE_BYTES];
	json_t *object = json_object();

	hg_put_text(object, "name", row->name);
	hg_put_text(object, "tenant", tenant);
	hg_put(object, "is_pool", json_boolean(row->is_pool));
	hg_put(object, "is_pooled", json_boolean(row->is_pooled));
	if (!row->is_pool) {
		say_row(text, sizeof(text), row, hg_credits_wall_ns(hg_control_credits(control)));
		hg_put(object, "state", json_string(hg_credits_state_name(row->state)));
		hg_put_u64(object, "state_since_wall_ns", (uint64_t)row->state_since_wall_ns);
		hg_put_text(object, "text", text);
		hg_put_text(object, "reason", row->reason);
		hg_put_text(object, "cgroup", row->cgroup);
		hg_put_u64(object, "limit_mcpu", is_open ? 0 : row->limit_mcpu);
		hg_put_u64(object, "throttled", row->throttled);
		hg_put_u64(object, "throttled_ns", (uint64_t)row->throttled_ns);
		hg_put_u64(object, "limit_writes", row->limit_writes);
	}
	hg_put_u64(object, "baseline_mcpu", row->baseline_mcpu);
	hg_put_u64(object, "ceiling_mcpu", row->ceiling_mcpu);
	hg_put_u64(object, "used_mcpu", row->used_mcpu);
	put_ledger(object, row);
	return object;
}

json_t *hg_credit_of_instance(const struct hg_control *control, uint32_t instance_idx)
{
	const struct hg_desired_instance *instance =
		&hg_control_desired(control)->instances[instance_idx];
	struct hg_credits *credits = hg_control_credits(control);
	struct hg_credits_row row;

	if (credits == NULL || !hg_cpu_is_governed(&instance->cpu) ||
	    !hg_credits_find(credits, instance->name, &row) || row.is_pool)
		return NULL;
	return row_json(control, &row);
}

/* ---- who ---------------------------------------------------------------------------------------- */

static int credits_of(const struct hg_credit_ask *ask, struct hg_credits **ret,
		      struct hg_error *reterr)
{
	*ret = hg_control_credits(ask->control);
	if (*ret == NULL)
		return hg_error_set(reterr, -HG_ENOTSUP, "processor credits are not served here",
				    NULL);
	return 0;
}

static int missing(const struct hg_credit_ask *ask, struct hg_credits *credits, const char *name,
		   struct hg_error *reterr)
{
	const struct hg_desired *d = hg_control_desired(ask->control);
	struct hg_credits_row row;
	struct hg_nearest nearest;

	if (hg_credits_fault(credits)[0] != '\0')
		return hg_error_set(reterr, -HG_EIO,
				    "processors are not governed: ", hg_credits_fault(credits),
				    NULL);
	if (hg_view_find_instance(d, name) != HG_VIEW_NONE)
		return hg_error_set(reterr, -HG_ENOENT, name,
				    " has no processor credits: it has no `cpu` with a `cgroup`",
				    NULL);
	hg_nearest_init(&nearest, name);
	for (uint32_t i = 0; hg_credits_row(credits, i, &row); i++)
		hg_nearest_offer(&nearest, row.name);
	if (nearest.best != NULL)
		return hg_error_set(reterr, -HG_ENOENT, "nobody with processor credits is named ",
				    name, "; did you mean ", nearest.best, "?", NULL);
	return hg_error_set(reterr, -HG_ENOENT, "nobody with processor credits is named ", name,
			    NULL);
}

static int find(const struct hg_credit_ask *ask, const char *name, struct hg_credits **ret_credits,
		struct hg_credits_row *ret_row, struct hg_error *reterr)
{
	int rc = credits_of(ask, ret_credits, reterr);

	if (rc == 0 && !hg_credits_find(*ret_credits, name, ret_row))
		rc = missing(ask, *ret_credits, name, reterr);
	return rc;
}

/* ---- looking ------------------------------------------------------------------------------------ */

int hg_credit_list(const struct hg_credit_ask *ask, json_t **ret, struct hg_error *reterr)
{
	json_t *list;
	struct hg_credits_row row;
	struct hg_credits *credits;
	int rc = credits_of(ask, &credits, reterr);

	if (rc < 0)
		return rc;
	list = json_array();
	for (uint32_t i = 0; hg_credits_row(credits, i, &row); i++)
		(void)json_array_append_new(list, row_json(ask->control, &row));
	*ret = json_pack("{s:s, s:o}", "fault", hg_credits_fault(credits), "credits", list);
	return 0;
}

int hg_credit_show(const struct hg_credit_ask *ask, json_t **ret, struct hg_error *reterr)
{
	struct hg_credits *credits;
	struct hg_credits_row row;
	int rc = find(ask, ask->name, &credits, &row, reterr);

	if (rc == 0)
		*ret = row_json(ask->control, &row);
	return rc;
}

static json_t *point_json(const struct hg_credits_point *point)
{
	json_t *object = json_object();

	hg_put_u64(object, "wall_ns", (uint64_t)point->wall_ns);
	put_credits(object, "balance", point->balance_cpu_ns);
	put_credits(object, "surplus", point->surplus_cpu_ns);
	put_credits(object, "used", point->used_cpu_ns);
	put_credits(object, "earned", point->earned_cpu_ns);
	put_credits(object, "charged", point->charged_cpu_ns);
	return object;
}

static int history_length(const struct hg_credit_ask *ask, hg_ns *ret_ns, struct hg_error *reterr)
{
	hg_ns ns = DAY_NS;
	int rc = ask->since == NULL ? 0 : hg_time_parse(ask->since, &ns, reterr);

	if (rc == 0 && (ns < POINT_NS || ns > HISTORY_MAX_NS))
		rc = hg_error_set(reterr, -HG_EINVAL,
				  "how far back must be in [5m, 360h]: there is a point each 5 "
				  "minutes, kept for 15 days",
				  NULL);
	if (rc < 0)
		hg_error_at(reterr, "since");
	*ret_ns = ns;
	return rc;
}

int hg_credit_history(const struct hg_credit_ask *ask, json_t **ret, struct hg_error *reterr)
{
	struct hg_credits_point *points;
	struct hg_credits *credits;
	struct hg_credits_row row;
	hg_ns length_ns = 0, since_ns;
	json_t *list;
	int n = find(ask, ask->name, &credits, &row, reterr);

	if (n == 0)
		n = history_length(ask, &length_ns, reterr);
	if (n < 0)
		return n;
	points = calloc(POINTS_MAX, sizeof(*points));
	if (points == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "not enough memory for the history", NULL);
	since_ns = hg_credits_wall_ns(credits) - length_ns;
	n = hg_credits_history(credits, ask->name, since_ns, points, POINTS_MAX, reterr);
	if (n >= 0) {
		list = json_array();
		for (int i = 0; i < n; i++)
			(void)json_array_append_new(list, point_json(&points[i]));
		*ret = json_pack("{s:s, s:I, s:o}", "name", ask->name, "since_wall_ns",
				 (json_int_t)since_ns, "points", list);
	}
	free(points);
	return n < 0 ? n : 0;
}

/* ---- changing ----------------------------------------------------------------------------------- */

struct body {
	uint64_t ucredits;
	char to[HG_NAME_BYTES];
};

#define CREDITS_FIELD                                                                         \
	{                                                                                     \
		.key = "credits", .kind = HG_KIND_CREDITS,                                    \
		.offset = offsetof(struct body, ucredits), .size = sizeof(uint64_t), .lo = 1, \
		.hi = HG_CPU_CREDITS_MAX_UCREDITS, .is_required = true, .doc = "How many."    \
	}

static int read_body(const struct hg_credit_ask *ask, const struct hg_resource *resource,
		     struct body *ret, struct hg_error *reterr)
{
	struct hg_reader reader;
	struct hg_tree tree;
	int rc = hg_yaml_parse(ask->body, ask->n_bytes, &tree, reterr);

	if (rc < 0)
		return rc;
	hg_reader_init(&reader, &tree, NULL, reterr);
	hg_resource_reset(resource, ret);
	rc = hg_reader_read(&reader, resource, tree.root, ret);
	hg_tree_fini(&tree);
	return rc;
}

int hg_credit_grant(const struct hg_credit_ask *ask, json_t **ret, struct hg_error *reterr)
{
	static const struct hg_field fields[] = {CREDITS_FIELD, {0}};
	static const struct hg_resource resource = {.name = "a grant", .fields = fields};
	struct hg_credits *credits;
	struct hg_credits_row row;
	struct body body = {0};
	int64_t n_cpu_ns;
	int rc = find(ask, ask->name, &credits, &row, reterr);

	if (rc == 0)
		rc = read_body(ask, &resource, &body, reterr);
	n_cpu_ns = (int64_t)body.ucredits * HG_UCREDIT_CPU_NS;
	if (rc == 0)
		rc = hg_credits_grant(credits, ask->name, n_cpu_ns, reterr);
	if (rc == 0)
		rc = find(ask, ask->name, &credits, &row, reterr);
	if (rc < 0)
		return rc;
	*ret = json_object();
	put_credits(*ret, "granted", n_cpu_ns);
	hg_put(*ret, "credit", row_json(ask->control, &row));
	return 0;
}

int hg_credit_transfer(const struct hg_credit_ask *ask, json_t **ret, struct hg_error *reterr)
{
	static const struct hg_field fields[] = {CREDITS_FIELD,
						 {.key = "to",
						  .kind = HG_KIND_NAME,
						  .offset = offsetof(struct body, to),
						  .size = sizeof(((struct body *)0)->to),
						  .is_required = true,
						  .doc = "Who gets them."},
						 {0}};
	static const struct hg_resource resource = {.name = "a transfer", .fields = fields};
	struct hg_credits *credits;
	struct hg_credits_row from, to;
	struct body body = {0};
	int64_t n_cpu_ns;
	int rc = find(ask, ask->name, &credits, &from, reterr);

	if (rc == 0)
		rc = read_body(ask, &resource, &body, reterr);
	if (rc == 0) {
		rc = find(ask, body.to, &credits, &to, reterr);
		if (rc < 0)
			hg_error_at(reterr, "to");
	}
	n_cpu_ns = (int64_t)body.ucredits * HG_UCREDIT_CPU_NS;
	if (rc == 0)
		rc = hg_credits_transfer(credits, ask->name, body.to, n_cpu_ns, reterr);
	if (rc < 0)
		return rc;
	(void)hg_credits_find(credits, ask->name, &from);
	(void)hg_credits_find(credits, body.to, &to);
	*ret = json_object();
	put_credits(*ret, "sent", n_cpu_ns);
	hg_put(*ret, "from", row_json(ask->control, &from));
	hg_put(*ret, "to", row_json(ask->control, &to));
	return 0;
}
