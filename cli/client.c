#include "cli/client.h"

#include "api/config.h"
#include "cli/table.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A change waits for the packet lane to adopt it, which takes milliseconds; a daemon that is silent for
 * this long is stuck. */
#define TIMEOUT_S 30L

struct answer {
	char *text;
	size_t n_bytes;
	long status;
};

static size_t collect(char *data, size_t size, size_t n, void *user)
{
	struct answer *answer = user;
	char *text = realloc(answer->text, answer->n_bytes + size * n + 1);

	if (text == NULL)
		return 0;
	memcpy(text + answer->n_bytes, data, size * n);
	answer->text = text;
	answer->n_bytes += size * n;
	text[answer->n_bytes] = '\0';
	return size * n;
}

char *hg_client_path(char *buf, size_t size, const char *prefix, const char *name,
		     const char *suffix)
{
	char *escaped = curl_easy_escape(NULL, name, 0);

	buf[0] = '\0';
	if (escaped != NULL && snprintf(buf, size, "%s%s%s", prefix, escaped, suffix) >= (int)size)
		buf[0] = '\0';
	curl_free(escaped);
	return buf;
}

static int exit_code(long status, const char *code)
{
	if (status == 404)
		return HG_EXIT_NOT_FOUND;
	if (strcmp(code, "ENOSPC") == 0)
		return HG_EXIT_REFUSED;
	return HG_EXIT_FAILED;
}

/* One line, as programs and grep want it; on a terminal in as many as it takes. */
static void tell(const struct hg_cli *cli, const char *prefix, const char *sentence)
{
	int fd = fileno(cli->err);

	fputs(prefix, cli->err);
	if (fd >= 0 && isatty(fd))
		hg_table_wrap(cli->err, (unsigned)strlen(prefix), 2, sentence);
	else
		fprintf(cli->err, "%s\n", sentence);
}

/* Why the socket did not take a connection. */
static const char *unreachable_text(const struct hg_cli *cli, CURLcode code)
{
	struct stat st;

	if (code != CURLE_COULDNT_CONNECT)
		return curl_easy_strerror(code);
	if (stat(cli->socket_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return "this is no socket";
	if (access(cli->socket_path, R_OK | W_OK) == 0)
		return "nobody listens there any more; is headgated running?";
	if (errno == EACCES)
		return "permission denied; root may";
	return errno == ENOENT ? "there is no such socket; is headgated running?" : strerror(errno);
}

/* Says the daemon's error as one line, with the place in the file where there is one. */
static int tell_error(const struct hg_cli *cli, const struct hg_ask *ask,
		      const struct answer *answer)
{
	json_t *json = answer->text == NULL ? NULL : json_loads(answer->text, 0, NULL);
	const char *code = "", *path = "", *text = NULL, *file = ask->file;
	struct hg_error error = {0};
	char line[HG_ERROR_TEXT_BYTES + HG_ERROR_PATH_BYTES + 256];
	json_int_t at = 0, column = 0;
	int rc;

	(void)json_unpack(json, "{s:{s:s, s:s, s?s, s?I, s?I}}", "error", "code", &code, "text",
			  &text, "path", &path, "line", &at, "column", &column);
	if (cli->is_json && answer->text != NULL)
		fprintf(cli->out, "%s\n", answer->text);
	if (text == NULL) {
		fprintf(cli->err, "headgate: the daemon answered with status %ld and no reason\n",
			answer->status);
	} else {
		snprintf(error.path, sizeof(error.path), "%s", path);
		snprintf(error.text, sizeof(error.text), "%s", text);
		/* Not about what stands in the file: the daemon's own state, a parameter. */
		if (at == 0 && path[0] == '\0')
			file = NULL;
		error.line = file == NULL ? 0 : (uint32_t)at;
		error.column = file == NULL ? 0 : (uint32_t)column;
		hg_config_error_format(&error, file, line, sizeof(line));
		tell(cli, file == NULL ? "headgate: " : "", line);
	}
	rc = exit_code(answer->status, code);
	json_decref(json);
	return rc;
}

static CURLcode perform(const struct hg_cli *cli, const struct hg_ask *ask, struct answer *answer)
{
	CURL *curl = curl_easy_init();
	struct curl_slist *headers = NULL;
	char url[512];
	CURLcode code;

	if (curl == NULL)
		return CURLE_FAILED_INIT;
	snprintf(url, sizeof(url), "http://localhost%s", ask->path);
	headers = curl_slist_append(headers, "Expect:");
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, cli->socket_path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, ask->method == NULL ? "GET" : ask->method);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	if (ask->body != NULL) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->n_bytes);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, ask->body);
	}
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return code;
}

static int fail_unreachable(const struct hg_cli *cli, CURLcode code)
{
	char line[512];

	snprintf(line, sizeof(line), "headgated is not reachable at %s: %s", cli->socket_path,
		 unreachable_text(cli, code));
	tell(cli, "headgate: ", line);
	return HG_EXIT_UNREACHABLE;
}

int hg_client_ask(const struct hg_cli *cli, const struct hg_ask *ask, char **ret_text,
		  size_t *ret_n_bytes)
{
	struct answer answer = {0};
	CURLcode code = perform(cli, ask, &answer);
	int rc;

	if (ask->is_quiet && (code != CURLE_OK || answer.status < 200 || answer.status > 299)) {
		free(answer.text);
		return code == CURLE_OK ? HG_EXIT_FAILED : HG_EXIT_UNREACHABLE;
	}
	if (code != CURLE_OK) {
		free(answer.text);
		return fail_unreachable(cli, code);
	}
	if (answer.status < 200 || answer.status > 299) {
		rc = tell_error(cli, ask, &answer);
		free(answer.text);
		return rc;
	}
	*ret_text = answer.text != NULL ? answer.text : calloc(1, 1);
	*ret_n_bytes = answer.n_bytes;
	return HG_EXIT_DONE;
}

/* ---- streams ------------------------------------------------------------------------------------ */

struct streaming {
	const struct hg_stream_ask *ask;
	CURL *curl;
	struct answer answer; /* of an error */
};

static size_t take_bytes(char *data, size_t size, size_t n, void *user)
{
	struct streaming *s = user;

	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &s->answer.status);
	if (s->answer.status != 200)
		return collect(data, size, n, &s->answer);
	return s->ask->on_bytes(s->ask->user, data, size * n) ? size * n : 0;
}

static int take_socket(void *user, curl_socket_t fd, curlsocktype purpose)
{
	const struct streaming *s = user;

	(void)purpose;
	s->ask->on_connected(s->ask->user, fd);
	return CURL_SOCKOPT_OK;
}

static CURLcode perform_stream(const struct hg_cli *cli, const struct hg_stream_ask *ask,
			       struct streaming *s)
{
	char *url = malloc(strlen(ask->path) + 32u);
	CURLcode code;

	s->curl = curl_easy_init();
	if (url == NULL || s->curl == NULL) {
		free(url);
		return CURLE_FAILED_INIT;
	}
	sprintf(url, "http://localhost%s", ask->path);
	curl_easy_setopt(s->curl, CURLOPT_UNIX_SOCKET_PATH, cli->socket_path);
	curl_easy_setopt(s->curl, CURLOPT_URL, url);
	curl_easy_setopt(s->curl, CURLOPT_CONNECTTIMEOUT, TIMEOUT_S);
	curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(s->curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(s->curl, CURLOPT_SOCKOPTFUNCTION, take_socket);
	curl_easy_setopt(s->curl, CURLOPT_SOCKOPTDATA, s);
	code = curl_easy_perform(s->curl);
	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &s->answer.status);
	curl_easy_cleanup(s->curl);
	free(url);
	return code;
}

int hg_client_stream(const struct hg_cli *cli, const struct hg_stream_ask *ask)
{
	const struct hg_ask plain = {.path = ask->path};
	struct streaming s = {.ask = ask};
	CURLcode code = perform_stream(cli, ask, &s);
	int rc = HG_EXIT_DONE;

	if (s.answer.status == 0)
		rc = fail_unreachable(cli, code);
	else if (s.answer.status != 200)
		rc = tell_error(cli, &plain, &s.answer);
	free(s.answer.text);
	return rc;
}

int hg_client_ask_json(const struct hg_cli *cli, const struct hg_ask *ask, json_t **ret_json)
{
	char *text;
	size_t n_bytes;
	json_t *json;
	int rc = hg_client_ask(cli, ask, &text, &n_bytes);

	if (rc != HG_EXIT_DONE)
		return rc;
	json = json_loads(text, 0, NULL);
	if (json != NULL && cli->is_json)
		fprintf(cli->out, "%s\n", text);
	free(text);
	if (json == NULL) {
		fprintf(cli->err, "headgate: the daemon's answer is not JSON\n");
		return HG_EXIT_FAILED;
	}
	*ret_json = json;
	return HG_EXIT_DONE;
}
