#include "api/service_call.h"

#include "api/nearest.h"
#include "core/text.h"

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

/* All names of a kind; one array of structs that begin with their name, of which each is `size` long. */
struct names {
	const char *kind;
	const void *first;
	size_t size;
	uint32_t n;
};

/* Whether one of them is the name; each is offered. */
static bool offer(const struct names *names, const char *name, struct hg_nearest *nearest)
{
	for (uint32_t i = 0; i < names->n; i++) {
		const char *there = (const char *)names->first + i * names->size;

		if (strcmp(there, name) == 0)
			return true;
		if (nearest != NULL)
			hg_nearest_offer(nearest, there);
	}
	return false;
}

void hg_call_fail_missing(struct hg_call *call, const char *kind)
{
	const struct hg_desired *d = hg_control_desired(call->service->control);
	const struct names all[] = {
		{"uplink", d->uplinks, sizeof(*d->uplinks), d->n_uplinks},
		{"tenant", d->tenants, sizeof(*d->tenants), d->n_tenants},
		{"instance", d->instances, sizeof(*d->instances), d->n_instances},
		{"port", d->ports, sizeof(*d->ports), d->n_ports},
	};
	const char *other = NULL;
	struct hg_nearest nearest;
	int rc;

	hg_nearest_init(&nearest, call->name);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		bool is_kind = strcmp(all[i].kind, kind) == 0;

		if (offer(&all[i], call->name, is_kind ? &nearest : NULL))
			other = all[i].kind;
	}
	if (other != NULL)
		rc = hg_error_set(&call->error, -HG_ENOENT, "there is no ", kind, " named ",
				  call->name, "; the ", other, " has that name", NULL);
	else if (nearest.best != NULL)
		rc = hg_error_set(&call->error, -HG_ENOENT, "there is no ", kind, " named ",
				  call->name, "; did you mean ", nearest.best, "?", NULL);
	else
		rc = hg_error_set(&call->error, -HG_ENOENT, "there is no ", kind, " named ",
				  call->name, NULL);
	hg_call_fail(call, rc);
}

void hg_reply_fini(struct hg_reply *reply)
{
	free(reply->text);
	reply->text = NULL;
	hg_capture_stream_close(reply->stream);
	reply->stream = NULL;
}

/* ---- parameters --------------------------------------------------------------------------------- */

/* One too many cannot be right, and is found to be twice there or not known. */
static void take_parameter(void *with, const char *key, const char *value)
{
	struct hg_call *call = with;

	if (call->n_parameters < HG_CALL_PARAMETERS_MAX)
		call->parameters[call->n_parameters++] = (struct hg_parameter){key, value};
}

/* Offers each word of the list; whether one of them is the key. */
static bool is_listed(const char *list, const char *key, struct hg_nearest *nearest,
		      char words[HG_CALL_PARAMETERS_MAX][HG_NAME_BYTES])
{
	for (unsigned i = 0; *list != '\0'; i++) {
		size_t n = strcspn(list, " ");

		snprintf(words[i], HG_NAME_BYTES, "%.*s", (int)n, list);
		if (strcmp(words[i], key) == 0)
			return true;
		hg_nearest_offer(nearest, words[i]);
		list += n + strspn(list + n, " ");
	}
	return false;
}

static int check_known(struct hg_call *call, const char *list, const char *key)
{
	char words[HG_CALL_PARAMETERS_MAX][HG_NAME_BYTES], quoted[64];
	struct hg_nearest nearest;
	struct hg_text out;

	hg_nearest_init(&nearest, key);
	if (is_listed(list, key, &nearest, words))
		return 0;
	hg_text_init(&out, quoted, sizeof(quoted));
	hg_text_add_quoted(&out, key);
	if (*list == '\0')
		return hg_error_set(&call->error, -HG_EINVAL, call->request->path, " with ",
				    call->request->method, " takes no parameter, and so not ",
				    quoted, NULL);
	return hg_error_set(&call->error, -HG_EINVAL, "there is no parameter ", quoted,
			    " here; allowed: ", list, nearest.best != NULL ? "; did you mean " : "",
			    nearest.best != NULL ? nearest.best : "",
			    nearest.best != NULL ? "?" : "", NULL);
}

static bool is_flag_value(const char *text)
{
	return strcmp(text, "0") == 0 || strcmp(text, "1") == 0 || strcmp(text, "false") == 0 ||
	       strcmp(text, "true") == 0;
}

static int check_parameter(struct hg_call *call, const char *list, unsigned i)
{
	const struct hg_parameter *p = &call->parameters[i];
	bool is_flag = strcmp(p->key, "dry_run") == 0;
	int rc = check_known(call, list, p->key);

	if (rc < 0)
		return rc;
	for (unsigned j = 0; j < i; j++) {
		if (strcmp(call->parameters[j].key, p->key) == 0)
			return hg_error_set(&call->error, -HG_EINVAL, "the parameter ", p->key,
					    " is there twice", NULL);
	}
	if (p->value == NULL || (is_flag && !is_flag_value(p->value)))
		return hg_error_set(&call->error, -HG_EINVAL, "the parameter ", p->key,
				    is_flag ? " is 1 or 0: write dry_run=1"
					    : " has no value: one comes behind a '='",
				    NULL);
	return 0;
}

int hg_call_read_parameters(struct hg_call *call, const struct hg_route *route)
{
	int rc = 0;

	if (call->request->parameters != NULL)
		call->request->parameters(call->request->user, take_parameter, call);
	for (unsigned i = 0; rc == 0 && i < call->n_parameters; i++)
		rc = check_parameter(call, route->parameters, i);
	return rc;
}

const char *hg_call_parameter(const struct hg_call *call, const char *key)
{
	for (unsigned i = 0; i < call->n_parameters; i++) {
		if (strcmp(call->parameters[i].key, key) == 0)
			return call->parameters[i].value;
	}
	return NULL;
}

bool hg_call_is_set(const struct hg_call *call, const char *key)
{
	const char *value = hg_call_parameter(call, key);

	return value != NULL && strcmp(value, "0") != 0 && strcmp(value, "false") != 0;
}
