#include "api/service.h"

#include "api/card.h"
#include "api/credits.h"
#include "api/explain.h"
#include "api/metrics.h"
#include "api/nearest.h"
#include "api/saved.h"
#include "api/steps.h"
#include "api/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_TYPE "application/json"
#define YAML_TYPE "application/yaml"
#define PCAPNG_TYPE "application/x-pcapng"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The longest that a change may wait for confirmation: who has not come back after a day does not come. */
#define CONFIRM_MAX_NS (24 * 3600 * HG_NS_PER_S)

struct call {
	struct hg_service *service;
	const struct hg_request *request;
	hg_ns now_ns;
	char name[HG_NAME_BYTES]; /* where the path has one */
	struct hg_reply *reply;
	struct hg_error error;
};

/* ---- replies ------------------------------------------------------------------------------------ */

static void reply_text(struct hg_reply *reply, int status, const char *type, char *text,
		       size_t n_bytes)
{
	*reply = (struct hg_reply){
		.status = text == NULL ? 503 : status,
		.content_type = type,
		.text = text,
		.n_bytes = text == NULL ? 0 : n_bytes,
	};
}

/* Takes the JSON. */
static void reply_json(struct hg_reply *reply, int status, json_t *json)
{
	char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));

	json_decref(json);
	reply_text(reply, status, JSON_TYPE, text, text == NULL ? 0 : strlen(text));
}

static int http_status(int code)
{
	switch (-code) {
	case HG_EINVAL:
		return 400;
	case HG_EPERM:
		return 403;
	case HG_ENOENT:
		return 404;
	case HG_EEXIST:
	case HG_EBUSY:
	case HG_ENOSPC:
		return 409;
	case HG_EAGAIN:
		return 412;
	case HG_ENOTSUP:
		return 501;
	case HG_EIO:
		return 502;
	case HG_ETIMEDOUT:
		return 504;
	default:
		return 503;
	}
}

/* Errors quote what was sent, which need not be UTF-8, and may have been cut within a character. */
static json_t *quoted(const char *text)
{
	char plain[HG_ERROR_TEXT_BYTES];
	json_t *json = json_string(text);
	size_t n = 0;

	if (json != NULL)
		return json;
	for (; text[n] != '\0' && n + 1u < sizeof(plain); n++)
		plain[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
	plain[n] = '\0';
	return json_string(plain);
}

static void reply_error(struct hg_reply *reply, int status, const struct hg_error *error)
{
	json_t *inner = json_object(), *outer = json_object();

	(void)json_object_set_new(inner, "code", json_string(hg_error_name(error->code)));
	if (error->path[0] != '\0')
		(void)json_object_set_new(inner, "path", quoted(error->path));
	(void)json_object_set_new(inner, "text", quoted(error->text));
	if (error->line > 0)
		(void)json_object_set_new(inner, "line", json_integer(error->line));
	if (error->column > 0)
		(void)json_object_set_new(inner, "column", json_integer(error->column));
	(void)json_object_set_new(outer, "error", inner);
	reply_json(reply, status, outer);
}

void hg_reply_refuse(struct hg_reply *reply, int status, int code, const char *sentence)
{
	struct hg_error error = {.code = code};

	snprintf(error.text, sizeof(error.text), "%s", sentence);
	reply_error(reply, status, &error);
}

static void reply_failure(struct call *call, int rc)
{
	if (call->error.code == 0)
		hg_reply_refuse(call->reply, http_status(rc), rc, "it could not be done");
	else
		reply_error(call->reply, http_status(rc), &call->error);
}

static void reply_missing(struct call *call, const char *kind)
{
	reply_failure(call, hg_error_set(&call->error, -HG_ENOENT, "there is no ", kind, " named ",
					 call->name, NULL));
}

void hg_reply_fini(struct hg_reply *reply)
{
	free(reply->text);
	reply->text = NULL;
	hg_capture_stream_close(reply->stream);
	reply->stream = NULL;
}

/* ---- parameters --------------------------------------------------------------------------------- */

static const char *parameter(const struct call *call, const char *key)
{
	return call->request->query == NULL ? NULL : call->request->query(call->request->user, key);
}

static bool is_set(const struct call *call, const char *key)
{
	const char *value = parameter(call, key);

	return value != NULL && strcmp(value, "0") != 0 && strcmp(value, "false") != 0;
}

static int confirm_time(struct call *call, hg_ns *ret_ns)
{
	const char *text = parameter(call, "confirm");
	hg_ns ns = 0;
	int rc;

	if (text != NULL) {
		rc = hg_time_parse(text, &ns, &call->error);
		if (rc < 0)
			return rc;
		if (ns < HG_NS_PER_S || ns > CONFIRM_MAX_NS)
			return hg_error_set(&call->error, -HG_EINVAL,
					    "the time to confirm must be in [1s, 24h]", NULL);
	}
	*ret_ns = ns;
	return 0;
}

/* ---- looking ------------------------------------------------------------------------------------ */

typedef uint32_t (*find_fn)(const struct hg_desired *desired, const char *name);
typedef json_t *(*one_fn)(const struct hg_control *control, uint32_t idx);

static void show_one(struct call *call, const char *kind, find_fn find, one_fn one)
{
	const struct hg_control *control = call->service->control;
	uint32_t idx = find(hg_control_desired(control), call->name);

	if (idx == HG_VIEW_NONE)
		reply_missing(call, kind);
	else
		reply_json(call->reply, 200, one(control, idx));
}

static void get_status(struct call *call)
{
	reply_json(call->reply, 200,
		   hg_view_status(call->service->control, call->service->version, call->now_ns));
}

static void get_host(struct call *call)
{
	reply_json(call->reply, 200,
		   hg_view_host(call->service->control, call->service->version, call->now_ns));
}

static void get_uplinks(struct call *call)
{
	reply_json(call->reply, 200, hg_view_uplinks(call->service->control));
}

static void get_uplink(struct call *call)
{
	show_one(call, "uplink", hg_view_find_uplink, hg_view_uplink_whole);
}

static void get_depth(struct call *call)
{
	const struct hg_control *control = call->service->control;
	uint32_t idx = hg_view_find_uplink(hg_control_desired(control), call->name);
	uint64_t since = 0;
	int rc;

	if (idx == HG_VIEW_NONE) {
		reply_missing(call, "uplink");
		return;
	}
	rc = hg_card_sample_number(parameter(call, "since"), &since, &call->error);
	if (rc < 0)
		reply_failure(call, rc);
	else
		reply_json(call->reply, 200, hg_card_samples(control, idx, since));
}

static void get_tenants(struct call *call)
{
	reply_json(call->reply, 200, hg_view_tenants(call->service->control));
}

static void get_tenant(struct call *call)
{
	show_one(call, "tenant", hg_view_find_tenant, hg_view_tenant);
}

static void get_instances(struct call *call)
{
	reply_json(call->reply, 200, hg_view_instances(call->service->control));
}

static void get_instance(struct call *call)
{
	show_one(call, "instance", hg_view_find_instance, hg_view_instance);
}

static void get_ports(struct call *call)
{
	reply_json(call->reply, 200, hg_view_ports(call->service->control));
}

static void get_port(struct call *call)
{
	show_one(call, "port", hg_view_find_port, hg_view_port);
}

static void get_explanation(struct call *call)
{
	show_one(call, "instance", hg_view_find_instance, hg_explain_instance);
}

static void get_metrics(struct call *call)
{
	char *text = NULL;
	size_t n_bytes = 0;

	if (hg_metrics_text(call->service->control, call->service->version, call->now_ns, &text,
			    &n_bytes) < 0)
		text = NULL;
	reply_text(call->reply, 200, METRICS_TYPE, text, n_bytes);
}

static void get_config(struct call *call)
{
	const struct hg_desired *desired = hg_control_desired(call->service->control);
	const char *format = parameter(call, "format"), *accept = call->request->accept;
	bool wants_yaml = format != NULL ? strcmp(format, "yaml") == 0
					 : accept != NULL && strstr(accept, "yaml") != NULL;
	json_t *json = NULL;
	char *text = NULL;
	size_t n_bytes = 0;
	int rc;

	rc = wants_yaml ? hg_config_export_yaml(desired, &text, &n_bytes, &call->error)
			: hg_config_export_json(desired, &json, &call->error);
	if (rc < 0)
		reply_failure(call, rc);
	else if (wants_yaml)
		reply_text(call->reply, 200, YAML_TYPE, text, n_bytes);
	else
		reply_json(call->reply, 200, json);
}

/* ---- captures ----------------------------------------------------------------------------------- */

static const char *parameter_of(void *user, const char *key)
{
	return parameter(user, key);
}

/* A name is easily mistyped; and a port's is not an uplink's. */
static void reply_nothing_to_capture(struct call *call, bool is_uplink)
{
	const struct hg_desired *d = hg_control_desired(call->service->control);
	const char *kind = is_uplink ? "uplink" : "port";
	struct hg_nearest nearest;
	int rc;

	hg_nearest_init(&nearest, call->name);
	for (uint32_t i = 0; i < (is_uplink ? d->n_uplinks : d->n_ports); i++)
		hg_nearest_offer(&nearest, is_uplink ? d->uplinks[i].name : d->ports[i].name);
	if (!is_uplink && hg_view_find_uplink(d, call->name) != HG_VIEW_NONE)
		rc = hg_error_set(&call->error, -HG_ENOENT, call->name,
				  " is an uplink, not a port: /v1/uplinks/", call->name,
				  "/capture, or headgate capture --uplink ", call->name, NULL);
	else if (nearest.best != NULL)
		rc = hg_error_set(&call->error, -HG_ENOENT, "there is no ", kind, " named ",
				  call->name, "; did you mean ", nearest.best, "?", NULL);
	else
		rc = hg_error_set(&call->error, -HG_ENOENT, "there is no ", kind, " named ",
				  call->name, NULL);
	reply_failure(call, rc);
}

static void capture(struct call *call, bool is_uplink)
{
	struct hg_control *control = call->service->control;
	const struct hg_desired *d = hg_control_desired(control);
	const struct hg_capture_ask ask = {
		.is_uplink = is_uplink,
		.idx = is_uplink ? hg_view_find_uplink(d, call->name)
				 : hg_view_find_port(d, call->name),
		.version = call->service->version,
		.who = call->request->who == NULL ? "somebody" : call->request->who,
		.parameter = parameter_of,
		.user = call,
	};
	struct hg_capture_stream *stream;
	int rc;

	if (ask.idx == HG_VIEW_NONE) {
		reply_nothing_to_capture(call, is_uplink);
		return;
	}
	rc = hg_capture_stream_open(control, &ask, call->now_ns, &stream, &call->error);
	if (rc < 0)
		reply_failure(call, rc);
	else
		*call->reply = (struct hg_reply){
			.status = 200, .content_type = PCAPNG_TYPE, .stream = stream};
}

static void get_port_capture(struct call *call)
{
	capture(call, /* is_uplink= */ false);
}

static void get_uplink_capture(struct call *call)
{
	capture(call, /* is_uplink= */ true);
}

/* ---- changing ----------------------------------------------------------------------------------- */

/* The answer to a change: takes the diff. */
static void reply_change(struct call *call, json_t *diff, bool is_dry)
{
	struct hg_status_host host;

	hg_control_status_host(call->service->control, call->now_ns, &host);
	reply_json(call->reply, 200,
		   json_pack("{s:b, s:b, s:I, s:I, s:o}", "changed",
			     (int)(json_array_size(diff) > 0), "dry_run", (int)is_dry, "generation",
			     (json_int_t)host.generation, "confirm_within_ns",
			     (json_int_t)host.confirm_within_ns, "diff", diff));
}

/* Brings `desired` into force as the request asks, and frees it. Where nothing differs nothing is done. */
static void change_to(struct call *call, struct hg_desired *desired)
{
	struct hg_control *control = call->service->control;
	bool is_dry = is_set(call, "dry_run");
	json_t *diff = NULL;
	hg_ns confirm_ns = 0;
	int rc = confirm_time(call, &confirm_ns);

	if (rc == 0)
		rc = hg_config_diff(hg_control_desired(control), desired, &diff, &call->error);
	if (rc == 0 && is_dry)
		rc = hg_control_check(control, desired, &call->error);
	else if (rc == 0 && json_array_size(diff) > 0)
		rc = hg_control_apply(control, desired, confirm_ns, call->now_ns, &call->error);
	hg_config_destroy(desired);
	if (rc < 0) {
		json_decref(diff);
		reply_failure(call, rc);
		return;
	}
	reply_change(call, diff, is_dry);
}

static int read_config(struct call *call, struct hg_desired **ret)
{
	return hg_config_parse(call->request->body, call->request->n_bytes,
			       call->service->check_device, ret, &call->error);
}

static void put_config(struct call *call)
{
	struct hg_desired *desired;
	int rc = read_config(call, &desired);

	if (rc < 0)
		reply_failure(call, rc);
	else
		change_to(call, desired);
}

static void post_diff(struct call *call)
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
		reply_failure(call, rc);
	else
		reply_change(call, diff, /* is_dry= */ true);
}

static void post_confirm(struct call *call)
{
	int rc = hg_control_confirm(call->service->control, &call->error);

	if (rc < 0)
		reply_failure(call, rc);
	else
		reply_json(call->reply, 200, json_pack("{s:b}", "confirmed", 1));
}

static void get_restart(struct call *call)
{
	if (call->service->restart == NULL)
		reply_failure(call, hg_error_set(&call->error, -HG_ENOTSUP,
						 "restarts are not served here", NULL));
	else
		reply_json(call->reply, 200, hg_restart_json(call->service->restart));
}

static void post_restart(struct call *call)
{
	struct hg_service *service = call->service;
	int rc;

	if (service->begin_restart == NULL || service->restart == NULL)
		rc = hg_error_set(&call->error, -HG_ENOTSUP, "restarts are not served here", NULL);
	else
		rc = service->begin_restart(service->user, &call->error);
	if (rc < 0)
		reply_failure(call, rc);
	else
		reply_json(call->reply, 202, hg_restart_json(service->restart));
}

typedef int (*put_fn)(const struct hg_desired *now, const char *name, const struct hg_tree *body,
		      hg_config_device_fn check_device, struct hg_desired **ret, bool *ret_changed,
		      struct hg_error *reterr);
typedef int (*remove_fn)(const struct hg_desired *now, const char *name, struct hg_desired **ret,
			 bool *ret_changed, struct hg_error *reterr);

static void step_put(struct call *call, put_fn put)
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
		reply_failure(call, rc);
	else
		change_to(call, desired);
}

static void step_remove(struct call *call, remove_fn remove_it)
{
	struct hg_desired *desired;
	bool has_changed;
	int rc = remove_it(hg_control_desired(call->service->control), call->name, &desired,
			   &has_changed, &call->error);

	if (rc < 0)
		reply_failure(call, rc);
	else
		change_to(call, desired);
}

static void put_instance(struct call *call)
{
	step_put(call, hg_steps_instance_put);
}

static void delete_instance(struct call *call)
{
	step_remove(call, hg_steps_instance_remove);
}

static void put_uplink(struct call *call)
{
	step_put(call, hg_steps_uplink_put);
}

static void put_port(struct call *call)
{
	step_put(call, hg_steps_port_put);
}

static void delete_port(struct call *call)
{
	step_remove(call, hg_steps_port_remove);
}

/* ---- from host to host -------------------------------------------------------------------------- */

typedef int (*save_fn)(struct hg_control *control, uint32_t instance_idx, hg_ns now_ns,
		       struct hg_saved_instance *ret, struct hg_error *reterr);

/* Writes the document, of the state as it was before. */
static void save_with(struct call *call, save_fn save)
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
		reply_failure(call, rc);
	else if (json == NULL)
		reply_missing(call, "instance");
	else
		reply_json(call->reply, 200, json);
}

static void get_state(struct call *call)
{
	save_with(call, hg_control_save_instance);
}

static void post_detach(struct call *call)
{
	save_with(call, hg_control_detach_instance);
}

/* The answer to a change, and what was left out. */
static void reply_arrival(struct call *call, json_t *diff, bool is_dry, json_t *left_out)
{
	struct hg_status_host host;

	hg_control_status_host(call->service->control, call->now_ns, &host);
	reply_json(call->reply, 200,
		   json_pack("{s:b, s:b, s:I, s:i, s:o, s:O}", "changed", 1, "dry_run", (int)is_dry,
			     "generation", (json_int_t)host.generation, "confirm_within_ns", 0,
			     "diff", diff, "left_out", left_out));
}

static int restore(struct call *call, const struct hg_arrival *arrival, json_t **ret_diff)
{
	struct hg_control *control = call->service->control;
	int rc = hg_config_diff(hg_control_desired(control), arrival->desired, ret_diff,
				&call->error);

	if (rc < 0)
		return rc;
	if (is_set(call, "dry_run"))
		rc = hg_control_check(control, arrival->desired, &call->error);
	else
		rc = hg_control_restore_instance(control, arrival->desired, arrival->instance_idx,
						 &arrival->saved, call->now_ns, &call->error);
	if (rc < 0)
		json_decref(*ret_diff);
	return rc;
}

static void put_state(struct call *call)
{
	struct hg_arrival *arrival = NULL;
	struct hg_tree document;
	json_t *diff = NULL;
	int rc =
		hg_yaml_parse(call->request->body, call->request->n_bytes, &document, &call->error);

	if (rc == 0) {
		rc = hg_saved_read(hg_control_desired(call->service->control), call->name,
				   parameter(call, "uplink"), &document,
				   call->service->check_device, &arrival, &call->error);
		hg_tree_fini(&document);
	}
	if (rc == 0)
		rc = restore(call, arrival, &diff);
	if (rc < 0)
		reply_failure(call, rc);
	else
		reply_arrival(call, diff, is_set(call, "dry_run"), arrival->left_out);
	hg_arrival_destroy(arrival);
}

static void post_announce(struct call *call)
{
	struct hg_control *control = call->service->control;
	uint32_t idx = hg_view_find_port(hg_control_desired(control), call->name), n = 0;
	int rc;

	if (idx == HG_VIEW_NONE) {
		reply_missing(call, "port");
		return;
	}
	rc = hg_control_announce(control, idx, &n, &call->error);
	if (rc < 0)
		reply_failure(call, rc);
	else
		reply_json(call->reply, 200, json_pack("{s:i}", "announced", (int)n));
}

/* ---- processor credits -------------------------------------------------------------------------- */

static void credit(struct call *call, hg_credit_fn answer)
{
	const struct hg_credit_ask ask = {.control = call->service->control,
					  .name = call->name,
					  .body = call->request->body,
					  .n_bytes = call->request->n_bytes,
					  .since = parameter(call, "since")};
	json_t *json = NULL;
	int rc = answer(&ask, &json, &call->error);

	if (rc < 0)
		reply_failure(call, rc);
	else
		reply_json(call->reply, 200, json);
}

#define CREDIT(function, answer)                \
	static void function(struct call *call) \
	{                                       \
		credit(call, answer);           \
	}

CREDIT(get_credits, hg_credit_list)
CREDIT(get_credit, hg_credit_show)
CREDIT(get_credit_history, hg_credit_history)
CREDIT(post_grant, hg_credit_grant)
CREDIT(post_transfer, hg_credit_transfer)

/* ---- paths -------------------------------------------------------------------------------------- */

struct route {
	const char *method;
	const char *path; /* '*' stands for one name */
	void (*handle)(struct call *call);
};

static const struct route routes[] = {
	{"GET", "/v1/status", get_status},
	{"GET", "/v1/host", get_host},
	{"GET", "/v1/uplinks", get_uplinks},
	{"GET", "/v1/uplinks/*", get_uplink},
	{"GET", "/v1/uplinks/*/depth", get_depth},
	{"GET", "/v1/tenants", get_tenants},
	{"GET", "/v1/tenants/*", get_tenant},
	{"GET", "/v1/instances", get_instances},
	{"GET", "/v1/instances/*", get_instance},
	{"GET", "/v1/instances/*/explain", get_explanation},
	{"GET", "/v1/instances/*/state", get_state},
	{"GET", "/v1/ports", get_ports},
	{"GET", "/v1/ports/*", get_port},
	{"GET", "/v1/ports/*/capture", get_port_capture},
	{"GET", "/v1/uplinks/*/capture", get_uplink_capture},
	{"GET", "/v1/config", get_config},
	{"GET", "/metrics", get_metrics},
	{"GET", "/v1/restart", get_restart},
	{"POST", "/v1/restart", post_restart},
	{"GET", "/v1/credits", get_credits},
	{"GET", "/v1/credits/*", get_credit},
	{"GET", "/v1/credits/*/history", get_credit_history},
	{"POST", "/v1/credits/*/grant", post_grant},
	{"POST", "/v1/credits/*/transfer", post_transfer},
	{"PUT", "/v1/config", put_config},
	{"POST", "/v1/config/diff", post_diff},
	{"POST", "/v1/config/confirm", post_confirm},
	{"PUT", "/v1/uplinks/*", put_uplink},
	{"PUT", "/v1/instances/*", put_instance},
	{"DELETE", "/v1/instances/*", delete_instance},
	{"PUT", "/v1/instances/*/state", put_state},
	{"POST", "/v1/instances/*/detach", post_detach},
	{"POST", "/v1/ports/*/announce", post_announce},
	{"PUT", "/v1/ports/*", put_port},
	{"DELETE", "/v1/ports/*", delete_port},
};

/* Whether the path fits, with the name that stands for the star. A name too long to exist is cut: no thing
 * has it. */
static bool fits(const char *pattern, const char *path, char name[HG_NAME_BYTES])
{
	for (; *pattern != '\0'; pattern++) {
		size_t n;

		if (*pattern != '*') {
			if (*path++ != *pattern)
				return false;
			continue;
		}
		n = strcspn(path, "/");
		if (n == 0)
			return false;
		memcpy(name, path, n < HG_NAME_BYTES ? n : HG_NAME_BYTES - 1u);
		name[n < HG_NAME_BYTES ? n : HG_NAME_BYTES - 1u] = '\0';
		path += n;
	}
	return *path == '\0';
}

static bool is_utf8(const char *text)
{
	json_t *json = json_string(text);
	bool is_valid = json != NULL;

	json_decref(json);
	return is_valid;
}

void hg_service_handle(struct hg_service *service, const struct hg_request *request, hg_ns now_ns,
		       struct hg_reply *ret_reply)
{
	struct call call = {
		.service = service, .request = request, .now_ns = now_ns, .reply = ret_reply};
	char sentence[HG_ERROR_TEXT_BYTES];
	bool has_path = false;

	if (service->is_leaving) {
		hg_reply_refuse(ret_reply, 503, -HG_EAGAIN,
				"another headgated has taken over in this instant; ask again");
		return;
	}
	if (!is_utf8(request->path)) {
		hg_reply_refuse(ret_reply, 400, -HG_EINVAL, "the path is not UTF-8");
		return;
	}
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (!fits(routes[i].path, request->path, call.name))
			continue;
		has_path = true;
		if (strcmp(routes[i].method, request->method) == 0) {
			routes[i].handle(&call);
			return;
		}
	}
	if (has_path) {
		snprintf(sentence, sizeof(sentence), "%s does not take %s", request->path,
			 request->method);
		hg_reply_refuse(ret_reply, 405, -HG_EINVAL, sentence);
	} else {
		snprintf(sentence, sizeof(sentence),
			 "there is no %s; docs/api.md lists what there is", request->path);
		hg_reply_refuse(ret_reply, 404, -HG_ENOENT, sentence);
	}
}
