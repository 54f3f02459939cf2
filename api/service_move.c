/* An instance on its way from host to host: api/saved.h. */
#include "api/service_call.h"

#include "api/saved.h"
#include "api/view.h"

#include <stdlib.h>

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

/* The answer to a change, and what was left out. */
static void reply_arrival(struct hg_call *call, json_t *diff, bool is_dry, json_t *left_out)
{
	struct hg_status_host host;

	hg_control_status_host(call->service->control, call->now_ns, &host);
	hg_call_json(call, 200,
		     json_pack("{s:b, s:b, s:I, s:i, s:o, s:O}", "changed", 1, "dry_run",
			       (int)is_dry, "generation", (json_int_t)host.generation,
			       "confirm_within_ns", 0, "diff", diff, "left_out", left_out));
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
	json_t *diff = NULL;
	int rc =
		hg_yaml_parse(call->request->body, call->request->n_bytes, &document, &call->error);

	if (rc == 0) {
		rc = hg_saved_read(hg_control_desired(call->service->control), call->name,
				   hg_call_parameter(call, "uplink"), &document,
				   call->service->check_device, &arrival, &call->error);
		hg_tree_fini(&document);
	}
	if (rc == 0)
		rc = restore(call, arrival, &diff);
	if (rc < 0)
		hg_call_fail(call, rc);
	else
		reply_arrival(call, diff, hg_call_is_set(call, "dry_run"), arrival->left_out);
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
	{"GET", "/v1/instances/*/state", get_state},
	{"PUT", "/v1/instances/*/state", put_state},
	{"POST", "/v1/instances/*/detach", post_detach},
	{"POST", "/v1/ports/*/announce", post_announce},
	{0},
};
