#include "api/service_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_TYPE "application/json"

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

void hg_call_text(struct hg_call *call, int status, const char *type, char *text, size_t n_bytes)
{
	reply_text(call->reply, status, type, text, n_bytes);
}

void hg_call_json(struct hg_call *call, int status, json_t *json)
{
	reply_json(call->reply, status, json);
}

void hg_call_fail(struct hg_call *call, int rc)
{
	if (call->error.code == 0)
		hg_reply_refuse(call->reply, http_status(rc), rc, "it could not be done");
	else
		reply_error(call->reply, http_status(rc), &call->error);
}

void hg_call_fail_missing(struct hg_call *call, const char *kind)
{
	hg_call_fail(call, hg_error_set(&call->error, -HG_ENOENT, "there is no ", kind, " named ",
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

const char *hg_call_parameter(const struct hg_call *call, const char *key)
{
	return call->request->query == NULL ? NULL : call->request->query(call->request->user, key);
}

bool hg_call_is_set(const struct hg_call *call, const char *key)
{
	const char *value = hg_call_parameter(call, key);

	return value != NULL && strcmp(value, "0") != 0 && strcmp(value, "false") != 0;
}
