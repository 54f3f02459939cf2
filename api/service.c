#include "api/service_call.h"

#include <stdio.h>
#include <string.h>

static const struct hg_route *const routes[] = {hg_routes_show, hg_routes_change, hg_routes_move};

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

/* The route for the request; NULL: none. Whether there is such a path with another method, too. */
static const struct hg_route *find(struct hg_call *call, bool *ret_has_path)
{
	*ret_has_path = false;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		for (const struct hg_route *route = routes[i]; route->method != NULL; route++) {
			if (!fits(route->path, call->request->path, call->name))
				continue;
			*ret_has_path = true;
			if (strcmp(route->method, call->request->method) == 0)
				return route;
		}
	}
	return NULL;
}

void hg_service_handle(struct hg_service *service, const struct hg_request *request, hg_ns now_ns,
		       struct hg_reply *ret_reply)
{
	struct hg_call call = {
		.service = service, .request = request, .now_ns = now_ns, .reply = ret_reply};
	char sentence[HG_ERROR_TEXT_BYTES];
	const struct hg_route *route;
	bool has_path;

	if (service->is_leaving) {
		hg_reply_refuse(ret_reply, 503, -HG_EAGAIN,
				"another headgated has taken over in this instant; ask again");
		return;
	}
	if (!is_utf8(request->path)) {
		hg_reply_refuse(ret_reply, 400, -HG_EINVAL, "the path is not UTF-8");
		return;
	}
	route = find(&call, &has_path);
	if (route != NULL) {
		int rc = hg_call_read_parameters(&call, route);

		if (rc < 0)
			hg_call_fail(&call, rc);
		else
			route->handle(&call);
	} else if (has_path) {
		snprintf(sentence, sizeof(sentence), "%s does not take %s", request->path,
			 request->method);
		hg_reply_refuse(ret_reply, 405, -HG_EINVAL, sentence);
	} else {
		snprintf(sentence, sizeof(sentence),
			 "there is no %s; docs/api.md lists what there is", request->path);
		hg_reply_refuse(ret_reply, 404, -HG_ENOENT, sentence);
	}
}
