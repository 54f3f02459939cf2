/* What changes the host: the configuration, single steps, restarts, processor credits. */
#include "api/service_call.h"

#include "api/credits.h"
#include "api/steps.h"

#include <stdio.h>
#include <string.h>

/* The longest that a change may wait for confirmation: who has not come back after a day does not come. */
#define CONFIRM_MAX_NS (24 * 3600 * HG_NS_PER_S)

/* ---- changing ----------------------------------------------------------------------------------- */

static int confirm_time(struct hg_call *call, hg_ns *ret_ns)
{
	const char *text = hg_call_parameter(call, "confirm");
	struct hg_error why = {0};
	hg_ns ns = 0;
	int rc;

	if (text != NULL) {
		rc = hg_time_parse(text, &ns, &why);
		if (rc < 0)
			return hg_error_set(&call->error, rc, "confirm: ", why.text, NULL);
		if (ns < HG_NS_PER_S || ns > CONFIRM_MAX_NS)
			return hg_error_set(&call->error, -HG_EINVAL, "confirm: ", text,
					    " is out of range: allowed is 1s to 24h", NULL);
	}
	*ret_ns = ns;
	return 0;
}

/* Whoever looked, thought and writes back must not undo what another has done meanwhile. */
static int check_generation(struct hg_call *call)
{
	const char *text = hg_call_parameter(call, "generation");
	struct hg_status_host host;
	char now[24];

	if (text == NULL)
		return 0;
	if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
		return hg_error_set(&call->error, -HG_EINVAL,
				    "generation is a whole number, such as the one in /v1/host",
				    NULL);
	hg_control_status_host(call->service->control, call->now_ns, &host);
	snprintf(now, sizeof(now), "%llu", (unsigned long long)host.generation);
	if (strcmp(text, now) == 0)
		return 0;
	return hg_error_set(&call->error, -HG_EAGAIN, "the state in force is of generation ", now,
			    ", not ", text, ": it was changed meanwhile; look at it, and ask again",
			    NULL);
}

/* The answer to a change: takes the diff. */
static void reply_change(struct hg_call *call, json_t *diff, bool is_dry)
{
	struct hg_status_host host;

	hg_control_status_host(call->service->control, call->now_ns, &host);
	hg_call_json(call, 200,
		     json_pack("{s:b, s:b, s:I, s:I, s:o}", "changed",
			       (int)(json_array_size(diff) > 0), "dry_run", (int)is_dry,
			       "generation", (json_int_t)host.generation, "confirm_within_ns",
			       (json_int_t)host.confirm_within_ns, "diff", diff));
}

/* Brings `desired` into force as the request asks, and frees it. Where nothing differs nothing is done. */
static void change_to(struct hg_call *call, struct hg_desired *desired)
{
	struct hg_control *control = call->service->control;
	bool is_dry = hg_call_is_set(call, "dry_run");
	json_t *diff = NULL;
	hg_ns confirm_ns = 0;
	int rc = check_generation(call);

	if (rc == 0)
		rc = confirm_time(call, &confirm_ns);
	if (rc == 0)
		rc = hg_config_diff(hg_control_desired(control), desired, &diff, &call->error);
	if (rc == 0 && is_dry)
		rc = hg_control_check(control, desired, &call->error);
	else if (rc == 0 && json_array_size(diff) > 0)
		rc = hg_control_apply(control, desired, confirm_ns, call->now_ns, &call->error);
	hg_config_destroy(desired);
	if (rc < 0) {
		json_decref(diff);
		hg_call_fail(call, rc);
		return;
	}
	reply_change(call, diff, is_dry);
}

static int read_config(struct hg_call *call, struct hg_desired **ret)
{
	return hg_config_parse(call->request->body, call->request->n_bytes,
			       call->service->check_device, ret, &call->error);
}

static void put_config(struct hg_call *call)
{
	struct hg_desired *desired;
	int rc = read_config(call, &desired);

	if (rc < 0)
		hg_call_fail(call, rc);
	else
		change_to(call, desired);
}

static void post_diff(struct hg_call *call)
{
	struct hg_desired *desired;
	json_t *diff;
	int rc = read_config(call, &desired);

	if (rc == 0) {
		rc = hg_config_diff(hg_control_desired(call->service->control), desired, &diff,
				    &call->error);
		hg_config_destroy(desired);
	}
	if (rc < 0)
		hg_call_fail(call, rc);
	else
		reply_change(call, diff, /* is_dry= */ true);
}

static void post_confirm(struct hg_call *call)
{
	int rc = hg_control_confirm(call->service->control, &call->error);

	if (rc < 0)
		hg_call_fail(call, rc);
	else
		hg_call_json(call, 200, json_pack("{s:b}", "confirmed", 1));
}

static void get_restart(struct hg_call *call)
{
	if (call->service->restart == NULL)
		hg_call_fail(call, hg_error_set(&call->error, -HG_ENOTSUP,
						"restarts are not served here", NULL));
	else
		hg_call_json(call, 200, hg_restart_json(call->service->restart));
}

static void post_restart(struct hg_call *call)
{
	struct hg_service *service = call->service;
	int rc;

	if (service->begin_restart == NULL || service->restart == NULL)
		rc = hg_error_set(&call->error, -HG_ENOTSUP, "restarts are not served here", NULL);
	else
		rc = service->begin_restart(service->user, &call->error);
	if (rc < 0)
		hg_call_fail(call, rc);
	else
		hg_call_json(call, 202, hg_restart_json(service->restart));
}

typedef int (*put_fn)(const struct hg_desired *now, const char *name, const struct hg_tree *body,
		      hg_config_device_fn check_device, struct hg_desired **ret, bool *ret_changed,
		      struct hg_error *reterr);
typedef int (*remove_fn)(const struct hg_desired *now, const char *name, struct hg_desired **ret,
			 bool *ret_changed, struct hg_error *reterr);

static void step_put(struct hg_call *call, put_fn put)
{
	struct hg_desired *desired;
	struct hg_tree body;
	bool has_changed;
	int rc = hg_yaml_parse(call->request->body, call->request->n_bytes, &body, &call->error);

	if (rc == 0) {
		rc = put(hg_control_desired(call->service->control), call->name, &body,
			 call->service->check_device, &desired, &has_changed, &call->error);
		hg_tree_fini(&body);
	}
	if (rc < 0)
		hg_call_fail(call, rc);
	else
		change_to(call, desired);
}

static void step_remove(struct hg_call *call, remove_fn remove_it)
{
	struct hg_desired *desired;
	bool has_changed;
	int rc = remove_it(hg_control_desired(call->service->control), call->name, &desired,
			   &has_changed, &call->error);

	if (rc < 0)
		hg_call_fail(call, rc);
	else
		change_to(call, desired);
}

static void put_instance(struct hg_call *call)
{
	step_put(call, hg_steps_instance_put);
}

static void delete_instance(struct hg_call *call)
{
	step_remove(call, hg_steps_instance_remove);
}

static void put_uplink(struct hg_call *call)
{
	step_put(call, hg_steps_uplink_put);
}

static void put_port(struct hg_call *call)
{
	step_put(call, hg_steps_port_put);
}

static void delete_port(struct hg_call *call)
{
	step_remove(call, hg_steps_port_remove);
}

/* ---- processor credits -------------------------------------------------------------------------- */

static void credit(struct hg_call *call, hg_credit_fn answer)
{
	const struct hg_credit_ask ask = {.control = call->service->control,
					  .name = call->name,
					  .body = call->request->body,
					  .n_bytes = call->request->n_bytes,
					  .since = hg_call_parameter(call, "since")};
	json_t *json = NULL;
	int rc = answer(&ask, &json, &call->error);

	if (rc < 0)
		hg_call_fail(call, rc);
	else
		hg_call_json(call, 200, json);
}

#define CREDIT(function, answer)                   \
	static void function(struct hg_call *call) \
	{                                          \
		credit(call, answer);              \
	}

CREDIT(get_credits, hg_credit_list)
CREDIT(get_credit, hg_credit_show)
CREDIT(get_credit_history, hg_credit_history)
CREDIT(post_grant, hg_credit_grant)
CREDIT(post_transfer, hg_credit_transfer)

/* ---- routes ------------------------------------------------------------------------------------- */

/* What a change can be asked for with. */
#define CHANGE "dry_run confirm generation"

const struct hg_route hg_routes_change[] = {
	{"GET", "/v1/restart", get_restart, ""},
	{"POST", "/v1/restart", post_restart, ""},
	{"GET", "/v1/credits", get_credits, ""},
	{"GET", "/v1/credits/*", get_credit, ""},
	{"GET", "/v1/credits/*/history", get_credit_history, "since"},
	{"POST", "/v1/credits/*/grant", post_grant, ""},
	{"POST", "/v1/credits/*/transfer", post_transfer, ""},
	{"PUT", "/v1/config", put_config, CHANGE},
	{"POST", "/v1/config/diff", post_diff, ""},
	{"POST", "/v1/config/confirm", post_confirm, ""},
	{"PUT", "/v1/uplinks/*", put_uplink, CHANGE},
	{"PUT", "/v1/instances/*", put_instance, CHANGE},
	{"DELETE", "/v1/instances/*", delete_instance, CHANGE},
	{"PUT", "/v1/ports/*", put_port, CHANGE},
	{"DELETE", "/v1/ports/*", delete_port, CHANGE},
	{0},
};
