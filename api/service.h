/* service: one request to the interface, answered.
 *
 * Why        What the interface does is kept apart from how bytes come in (api/http.h), so that it is
 *            tested and fuzzed by function calls.
 * Model      A table of paths and methods, each with one function. docs/api.md is its contract.
 * Promise    Whatever is asked, there is exactly one reply, and errors have the shape of docs/api.md.
 *            A change that is refused has changed nothing. A parameter that is not known, is there twice or has
 *            no value is refused: "dryrun=1" must not do what "dry_run=1" only tries.
 * Memory     The reply's text, or its stream, is the caller's: hg_reply_fini(). Threads: the control lane.
 * Errors     none beyond the reply; without memory its text is NULL and its status 503.
 */
#ifndef HG_API_SERVICE_H
#define HG_API_SERVICE_H

#include "api/capture.h"
#include "api/config.h"
#include "api/connections.h"
#include "api/restart.h"
#include "control/control.h"

struct hg_service {
	struct hg_control *control;
	hg_config_device_fn check_device; /* NULL: texts of devices are taken as they are */
	const char *version;
	const struct hg_restart *restart; /* NULL: not shown */
	const struct hg_connections *connections; /* NULL: not shown; api/http.h sets it */
	/* Begins a planned restart: errors as api/restart.h shows them later, or -EBUSY. NULL: it cannot. */
	int (*begin_restart)(void *user, struct hg_error *reterr);
	void *user;
	bool is_leaving; /* another process answers from now on */
};

/* Takes one parameter of a request, percent signs decoded; value NULL: it has no '='. The texts stay until the reply. */
typedef void (*hg_parameter_fn)(void *with, const char *key, const char *value);

struct hg_request {
	const char *method; /* "GET" */
	const char *path; /* "/v1/status", percent signs decoded */
	const char *accept; /* NULL: not said */
	const char *body;
	size_t n_bytes;
	/* Gives what stands behind the question mark to take(), in order. NULL: there is nothing. */
	void (*parameters)(void *user, hg_parameter_fn take, void *with);
	void *user;
	const char *who; /* "process 4711 of user 0"; NULL: not known */
};

struct hg_reply {
	int status;
	const char *content_type;
	char *text;
	size_t n_bytes;
	/* In place of a text: what is read for as long as it comes. NULL: none. */
	struct hg_capture_stream *stream;
};

void hg_service_handle(struct hg_service *service, const struct hg_request *request, hg_ns now_ns,
		       struct hg_reply *ret_reply);
/* The reply to what no request can be made of. */
void hg_reply_refuse(struct hg_reply *reply, int status, int code, const char *sentence);
void hg_reply_fini(struct hg_reply *reply);

#endif
