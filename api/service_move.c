/* An instance on its way from host to host: api/saved.h. */
#include "api/service_call.h"

#include "api/saved.h"
#include "api/view.h"
#include "control/credits.h"
#include "core/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*save_fn)(struct hg_control *control, uint32_t instance_idx, hg_ns now_ns,
		       struct hg_saved_instance *ret, struct hg_error *reterr);

/* Writes the document, of the state as it was before. */
static void save_with(struct hg_call *call, save_fn save)
{
	struct hg_control *control = call->service->control;
	struct hg_desired *before = hg_config_copy(hg_control_desired(control));
	struct hg_saved_instance *saved = calloc(1, sizeof(*saved));
	uint32_t idx = HG_VIEW_NONE;
	json_t *json = NULL;
	int rc = 0;

	if (before == NULL || saved == NULL)
		rc = hg_error_set(&call->error, -HG_ENOMEM, "not enough memory to save", NULL);
	else
		idx = hg_view_find_instance(before, call->name);
	if (rc == 0 && idx != HG_VIEW_NONE) {
		rc = save(control, idx, call->now_ns, saved, &call->error);
		if (rc == 0)
			rc = hg_saved_write(before, idx, saved, &json, &call->error);
	}
	hg_config_destroy(before);
	free(saved);
	if (rc < 0)
		hg_call_fail(call, rc);
	else if (json == NULL)
		hg_call_fail_missing(call, "instance");
	else
		hg_call_json(call, 200, json);
}

static void get_state(struct hg_call *call)
{
	save_with(call, hg_control_save_instance);
}

static void post_detach(struct hg_call *call)
{
	save_with(call, hg_control_detach_instance);
}

/* ---- credits that arrive ------------------------------------------------------------------------ */

/* Why this host cannot keep them; empty: it can. */
static const char *why_no_credits(struct hg_control *control, const struct hg_cpu *cpu)
{
	struct hg_credits *credits = hg_control_credits(control);

	if (credits == NULL)
		return "this host does not govern processors";
	if (!hg_cpu_is_governed(cpu))
		return "the instance has no 'cpu' that governs its processors";
	if (cpu->is_pooled)
		return "here it shares its tenant's pool";
	return hg_credits_ready(credits);
}

static json_t *credits_left_out(const char *why)
{
	char text[HG_ERROR_TEXT_BYTES + 64];

	snprintf(text, sizeof(text), "credits are left out: %s", why);
	return json_pack("{s:b, s:s}", "kept", 0, "text", text);
}

/* What becomes of them under the instance's terms: that is arithmetic, and no matter of when. */
static json_t *credits_kept(const struct hg_cpu *cpu, const struct hg_ledger_saved *saved)
{
	char text[256];
	struct hg_cpu_terms terms;
	struct hg_ledger ledger;
	int64_t balance, lost, charged;
	int n;

	hg_cpu_resolve(cpu, &terms);
	hg_ledger_init(&ledger, &terms.ledger, 0);
	hg_ledger_restore(&ledger, saved);
	balance = hg_ledger_balance_cpu_ns(&ledger);
	lost = (int64_t)ledger.totals.lost_cpu_ns;
	charged = (int64_t)ledger.totals.charged_cpu_ns;
	n = snprintf(text, sizeof(text), "it goes on with %.2f processor credits",
		     (double)balance / HG_CREDIT_CPU_NS);
	if (lost > 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      "; %.2f more are lost, which is above its maximum here, %.2f",
			      (double)lost / HG_CREDIT_CPU_NS,
			      (double)terms.ledger.max_cpu_ns / HG_CREDIT_CPU_NS);
	if (charged > 0)
		snprintf(text + n, sizeof(text) - (size_t)n,
			 "; %.2f of surplus are charged, which is above its limit here, %.2f",
			 (double)charged / HG_CREDIT_CPU_NS,
			 (double)terms.ledger.surplus_max_cpu_ns / HG_CREDIT_CPU_NS);
	return json_pack("{s:b, s:I, s:I, s:I, s:s}", "kept", 1, "balance_cpu_ns",
			 (json_int_t)balance, "lost_cpu_ns", (json_int_t)lost, "charged_cpu_ns",
			 (json_int_t)charged, "text", text);
}

/* Leaves credits out where they cannot be kept, unless they must be. *ret_said: NULL where the document has none. */
static int settle_credits(struct hg_call *call, struct hg_arrival *arrival, json_t **ret_said)
{
	const struct hg_cpu *cpu = &arrival->desired->instances[arrival->instance_idx].cpu;
	const char *why;
	int rc;

	*ret_said = NULL;
	if (!arrival->saved.has_credits)
		return 0;
	why = why_no_credits(call->service->control, cpu);
	if (why[0] == '\0') {
		*ret_said = credits_kept(cpu, &arrival->saved.credits);
		return 0;
	}
	if (arrival->needs_credits) {
		rc = hg_error_set(&call->error, -HG_ENOTSUP,
				  "the section must not be left out, and cannot be kept: ", why,
				  NULL);
		hg_error_at(&call->error, "credits");
		return rc;
	}
	arrival->saved.has_credits = false;
	*ret_said = credits_left_out(why);
	if (json_array_append_new(arrival->left_out, json_string("credits")) == 0)
		return 0;
	json_decref(*ret_said);
	*ret_said = NULL;
	return hg_error_set(&call->error, -HG_ENOMEM, "not enough memory to restore", NULL);
}

/* ---- restoring ---------------------------------------------------------------------------------- */

/* The answer to a change, and what was left out. */
static void reply_arrival(struct hg_call *call, json_t *diff, bool is_dry, json_t *left_out,
			  json_t *credits)
{
	struct hg_status_host host;
	json_t *json;

	hg_control_status_host(call->service->control, call->now_ns, &host);
	json = json_pack("{s:b, s:b, s:I, s:i, s:o, s:O}", "changed", 1, "dry_run", (int)is_dry,
			 "generation", (json_int_t)host.generation, "confirm_within_ns", 0, "diff",
			 diff, "left_out", left_out);
	if (credits != NULL)
		(void)json_object_set(json, "credits", credits);
	hg_call_json(call, 200, json);
}

static int restore(struct hg_call *call, const struct hg_arrival *arrival, json_t **ret_diff)
{
	struct hg_control *control = call->service->control;
	int rc = hg_config_diff(hg_control_desired(control), arrival->desired, ret_diff,
				&call->error);

	if (rc < 0)
		return rc;
	if (hg_call_is_set(call, "dry_run"))
		rc = hg_control_check(control, arrival->desired, &call->error);
	else
		rc = hg_control_restore_instance(control, arrival->desired, arrival->instance_idx,
						 &arrival->saved, call->now_ns, &call->error);
	if (rc < 0)
		json_decref(*ret_diff);
	return rc;
}

static void put_state(struct hg_call *call)
{
	struct hg_arrival *arrival = NULL;
	struct hg_tree document;
	json_t *diff = NULL, *credits = NULL;
	int rc =
		hg_yaml_parse(call->request->body, call->request->n_bytes, &document, &call->error);

	if (rc == 0) {
		rc = hg_saved_read(hg_control_desired(call->service->control), call->name,
				   hg_call_parameter(call, "uplink"), &document,
				   call->service->check_device, &arrival, &call->error);
		hg_tree_fini(&document);
	}
	if (rc == 0)
		rc = settle_credits(call, arrival, &credits);
	if (rc == 0)
		rc = restore(call, arrival, &diff);
	if (rc < 0)
		hg_call_fail(call, rc);
	else
		reply_arrival(call, diff, hg_call_is_set(call, "dry_run"), arrival->left_out,
			      credits);
	json_decref(credits);
	hg_arrival_destroy(arrival);
}

static void post_announce(struct hg_call *call)
{
	struct hg_control *control = call->service->control;
	uint32_t idx = hg_view_find_port(hg_control_desired(control), call->name), n = 0;
	int rc;

	if (idx == HG_VIEW_NONE) {
		hg_call_fail_missing(call, "port");
		return;
	}
	rc = hg_control_announce(control, idx, &n, &call->error);
	if (rc < 0)
		hg_call_fail(call, rc);
	else
		hg_call_json(call, 200, json_pack("{s:i}", "announced", (int)n));
}

/* ---- routes ------------------------------------------------------------------------------------- */

const struct hg_route hg_routes_move[] = {
	{"GET", "/v1/instances/*/state", get_state, ""},
	{"PUT", "/v1/instances/*/state", put_state, "dry_run uplink"},
	{"POST", "/v1/instances/*/detach", post_detach, ""},
	{"POST", "/v1/ports/*/announce", post_announce, ""},
	{0},
};
