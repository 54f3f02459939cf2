/* What is looked at: the host, its parts, measurements, the configuration, packets. */
#include "api/service_call.h"

#include "api/card.h"
#include "api/explain.h"
#include "api/metrics.h"
#include "api/put.h"
#include "api/view.h"

#include <string.h>

#define YAML_TYPE "application/yaml"
#define PCAPNG_TYPE "application/x-pcapng"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* ---- looking ------------------------------------------------------------------------------------ */

typedef uint32_t (*find_fn)(const struct hg_desired *desired, const char *name);
typedef json_t *(*one_fn)(const struct hg_control *control, uint32_t idx);

static void show_one(struct hg_call *call, const char *kind, find_fn find, one_fn one)
{
	const struct hg_control *control = call->service->control;
	uint32_t idx = find(hg_control_desired(control), call->name);

	if (idx == HG_VIEW_NONE)
		hg_call_fail_missing(call, kind);
	else
		hg_call_json(call, 200, one(control, idx));
}

/* Puts into a host who is connected. Takes NULL. */
static void add_connections(const struct hg_service *service, json_t *host)
{
	if (service->connections != NULL)
		hg_put(host, "connections", hg_view_connections(service->connections));
}

static void get_status(struct hg_call *call)
{
	json_t *status =
		hg_view_status(call->service->control, call->service->version, call->now_ns);

	add_connections(call->service, json_object_get(status, "host"));
	hg_call_json(call, 200, status);
}

static void get_host(struct hg_call *call)
{
	json_t *host = hg_view_host(call->service->control, call->service->version, call->now_ns);

	add_connections(call->service, host);
	hg_call_json(call, 200, host);
}

static void get_uplinks(struct hg_call *call)
{
	hg_call_json(call, 200, hg_view_uplinks(call->service->control));
}

static void get_uplink(struct hg_call *call)
{
	show_one(call, "uplink", hg_view_find_uplink, hg_view_uplink_whole);
}

static void get_depth(struct hg_call *call)
{
	const struct hg_control *control = call->service->control;
	uint32_t idx = hg_view_find_uplink(hg_control_desired(control), call->name);
	uint64_t since = 0;
	int rc;

	if (idx == HG_VIEW_NONE) {
		hg_call_fail_missing(call, "uplink");
		return;
	}
	rc = hg_card_sample_number(hg_call_parameter(call, "since"), &since, &call->error);
	if (rc < 0)
		hg_call_fail(call, rc);
	else
		hg_call_json(call, 200, hg_card_samples(control, idx, since));
}

static void get_tenants(struct hg_call *call)
{
	hg_call_json(call, 200, hg_view_tenants(call->service->control));
}

static void get_tenant(struct hg_call *call)
{
	show_one(call, "tenant", hg_view_find_tenant, hg_view_tenant);
}

static void get_instances(struct hg_call *call)
{
	hg_call_json(call, 200, hg_view_instances(call->service->control));
}

static void get_instance(struct hg_call *call)
{
	show_one(call, "instance", hg_view_find_instance, hg_view_instance);
}

static void get_ports(struct hg_call *call)
{
	hg_call_json(call, 200, hg_view_ports(call->service->control));
}

static void get_port(struct hg_call *call)
{
	show_one(call, "port", hg_view_find_port, hg_view_port);
}

static void get_explanation(struct hg_call *call)
{
	show_one(call, "instance", hg_view_find_instance, hg_explain_instance);
}

static void get_metrics(struct hg_call *call)
{
	char *text = NULL;
	size_t n_bytes = 0;

	if (hg_metrics_text(call->service->control, call->service->connections,
			    call->service->version, call->now_ns, &text, &n_bytes) < 0)
		text = NULL;
	hg_call_text(call, 200, METRICS_TYPE, text, n_bytes);
}

static void get_config(struct hg_call *call)
{
	const struct hg_desired *desired = hg_control_desired(call->service->control);
	const char *format = hg_call_parameter(call, "format"), *accept = call->request->accept;
	bool wants_yaml = format != NULL ? strcmp(format, "yaml") == 0
					 : accept != NULL && strstr(accept, "yaml") != NULL;
	bool is_known = format == NULL || wants_yaml || strcmp(format, "json") == 0;
	json_t *json = NULL;
	char *text = NULL;
	size_t n_bytes = 0;
	int rc;

	if (!is_known)
		rc = hg_error_set(&call->error, -HG_EINVAL, "format is yaml or json", NULL);
	else
		rc = wants_yaml ? hg_config_export_yaml(desired, &text, &n_bytes, &call->error)
				: hg_config_export_json(desired, &json, &call->error);
	if (rc < 0)
		hg_call_fail(call, rc);
	else if (wants_yaml)
		hg_call_text(call, 200, YAML_TYPE, text, n_bytes);
	else
		hg_call_json(call, 200, json);
}

/* ---- captures ----------------------------------------------------------------------------------- */

static const char *parameter_of(void *user, const char *key)
{
	return hg_call_parameter(user, key);
}

/* A name is easily mistyped; and a port's is not an uplink's. */
static void reply_nothing_to_capture(struct hg_call *call, bool is_uplink)
{
	const struct hg_desired *d = hg_control_desired(call->service->control);

	if (is_uplink || hg_view_find_uplink(d, call->name) == HG_VIEW_NONE)
		hg_call_fail_missing(call, is_uplink ? "uplink" : "port");
	else
		hg_call_fail(call,
			     hg_error_set(&call->error, -HG_ENOENT, call->name,
					  " is an uplink, not a port: /v1/uplinks/", call->name,
					  "/capture, or headgate capture --uplink ", call->name,
					  NULL));
}

static void capture(struct hg_call *call, bool is_uplink)
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
		hg_call_fail(call, rc);
	else
		*call->reply = (struct hg_reply){
			.status = 200, .content_type = PCAPNG_TYPE, .stream = stream};
}

static void get_port_capture(struct hg_call *call)
{
	capture(call, /* is_uplink= */ false);
}

static void get_uplink_capture(struct hg_call *call)
{
	capture(call, /* is_uplink= */ true);
}

/* ---- routes ------------------------------------------------------------------------------------- */

const struct hg_route hg_routes_show[] = {
	{"GET", "/v1/status", get_status, ""},
	{"GET", "/v1/host", get_host, ""},
	{"GET", "/v1/uplinks", get_uplinks, ""},
	{"GET", "/v1/uplinks/*", get_uplink, ""},
	{"GET", "/v1/uplinks/*/depth", get_depth, "since"},
	{"GET", "/v1/tenants", get_tenants, ""},
	{"GET", "/v1/tenants/*", get_tenant, ""},
	{"GET", "/v1/instances", get_instances, ""},
	{"GET", "/v1/instances/*", get_instance, ""},
	{"GET", "/v1/instances/*/explain", get_explanation, ""},
	{"GET", "/v1/ports", get_ports, ""},
	{"GET", "/v1/ports/*", get_port, ""},
	{"GET", "/v1/ports/*/capture", get_port_capture, HG_CAPTURE_PARAMETERS},
	{"GET", "/v1/uplinks/*/capture", get_uplink_capture, HG_CAPTURE_PARAMETERS},
	{"GET", "/v1/config", get_config, "format"},
	{"GET", "/metrics", get_metrics, ""},
	{0},
};
