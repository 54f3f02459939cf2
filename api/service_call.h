/* service_call: what the parts of the interface share. Internal to api/service*.c.
 *
 * Why        A route is a function and a row of a table, side by side in the file of its matter; how requests are
 *            matched, parameters read and errors worded is said once.
 * Model      service.c          paths and methods: which route a request is for
 *            service_call.c     parameters and replies
 *            service_show.c     what is looked at, captures
 *            service_change.c   configuration, single steps, restarts, processor credits
 *            service_move.c     an instance from host to host
 * Promise    A route calls exactly one of the functions that reply. Threads: the control lane.
 * Errors     none beyond the reply.
 */
#ifndef HG_API_SERVICE_CALL_H
#define HG_API_SERVICE_CALL_H

#include "api/service.h"

#include <jansson.h>

/* One more than any route takes. */
#define HG_CALL_PARAMETERS_MAX 8u

struct hg_parameter {
	const char *key, *value;
};

/* A request on its way to its reply. */
struct hg_call {
	struct hg_service *service;
	const struct hg_request *request;
	hg_ns now_ns;
	char name[HG_NAME_BYTES]; /* where the path has one */
	struct hg_parameter parameters[HG_CALL_PARAMETERS_MAX];
	unsigned n_parameters;
	struct hg_reply *reply;
	struct hg_error error;
};

struct hg_route {
	const char *method;
	const char *path; /* '*' stands for one name */
	void (*handle)(struct hg_call *call);
	const char *parameters; /* those that it takes, with blanks between */
};

/* Each ends with an empty row. */
extern const struct hg_route hg_routes_show[], hg_routes_change[], hg_routes_move[];

/* ---- parameters --------------------------------------------------------------------------------- */

/* Reads those of the request, against what the route takes. -EINVAL */
HG_MUST_CHECK int hg_call_read_parameters(struct hg_call *call, const struct hg_route *route);
/* NULL: it was not given. */
const char *hg_call_parameter(const struct hg_call *call, const char *key);
bool hg_call_is_set(const struct hg_call *call, const char *key);

/* ---- replies ------------------------------------------------------------------------------------ */

/* Takes the text; NULL: 503. */
void hg_call_text(struct hg_call *call, int status, const char *type, char *text, size_t n_bytes);
/* Takes the JSON; NULL: 503. */
void hg_call_json(struct hg_call *call, int status, json_t *json);
/* With what call->error says, if it says anything. */
void hg_call_fail(struct hg_call *call, int rc);
/* There is no such thing of that kind under call->name: which it may have been is said. */
void hg_call_fail_missing(struct hg_call *call, const char *kind);

#endif
