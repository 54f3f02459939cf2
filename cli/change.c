/* The commands that change: apply, confirm, diff, uplink set, instance add|remove, port attach|detach. */
#include "api/config.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 400

/* ---- what was changed --------------------------------------------------------------------------- */

static enum hg_colour colour_of(const char *line)
{
	return line[0] == '+' ? HG_GREEN : line[0] == '-' ? HG_RED : HG_PLAIN;
}

/* nothing: what is said when there was nothing to do. */
static void tell_change(const struct hg_cli *cli, const json_t *answer, const char *nothing)
{
	json_int_t confirm_ns = json_integer_value(json_object_get(answer, "confirm_within_ns"));
	bool is_dry = json_is_true(json_object_get(answer, "dry_run"));
	char time[32];
	const json_t *one;
	size_t i;

	if (!json_is_true(json_object_get(answer, "changed"))) {
		fprintf(cli->out, "%s\n", nothing);
		return;
	}
	json_array_foreach(json_object_get(answer, "diff"), i, one)
	{
		const char *line = json_string_value(json_object_get(one, "line"));

		hg_table_text(cli, colour_of(line == NULL ? "" : line), line == NULL ? "" : line);
		fputc('\n', cli->out);
	}
	if (is_dry)
		fputs("not applied: this is what would change\n", cli->out);
	else if (confirm_ns > 0)
		fprintf(cli->out, "in force for %s, then taken back, unless: headgate confirm\n",
			hg_time_format(time, sizeof(time),
				       (confirm_ns + HG_NS_PER_S - 1) / HG_NS_PER_S * HG_NS_PER_S));
}

static int change(const struct hg_cli *cli, const struct hg_ask *ask, const char *nothing)
{
	json_t *answer;
	int rc = hg_client_ask_json(cli, ask, &answer);

	if (rc != HG_EXIT_DONE)
		return rc;
	if (!cli->is_json)
		tell_change(cli, answer, nothing);
	json_decref(answer);
	return HG_EXIT_DONE;
}

/* The parameters that every change understands. */
static void add_parameters(const struct hg_cli *cli, char *path, size_t size)
{
	static const char *const names[] = {"confirm", "generation"};
	size_t n = strlen(path);
	char escaped[64];

	if (hg_cli_option(cli, "dry-run") != NULL)
		n += (size_t)snprintf(path + n, size - n, "?dry_run=1");
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = hg_cli_option(cli, names[i]);

		if (value != NULL)
			n += (size_t)snprintf(
				path + n, size - n, "%c%s=%s",
				strchr(path, '?') == NULL ? '?' : '&', names[i],
				hg_client_path(escaped, sizeof(escaped), "", value, ""));
	}
}

/* ---- whole files -------------------------------------------------------------------------------- */

static int read_file(const struct hg_cli *cli, const char *file, struct hg_ask *ask,
		     char **ret_text)
{
	struct hg_error error = {0};
	char line[512];
	size_t n_bytes;

	if (hg_config_read_file(file, ret_text, &n_bytes, &error) < 0) {
		fprintf(cli->err, "headgate: %s\n",
			hg_config_error_format(&error, file, line, sizeof(line)));
		return HG_EXIT_FAILED;
	}
	ask->body = *ret_text;
	ask->n_bytes = n_bytes;
	ask->file = strcmp(file, "-") == 0 ? "standard input" : file;
	return HG_EXIT_DONE;
}

static int send_file(const struct hg_cli *cli, const char *method, const char *path)
{
	struct hg_ask ask = {.method = method, .path = path};
	char *text;
	int rc = read_file(cli, cli->words[0], &ask, &text);

	if (rc != HG_EXIT_DONE)
		return rc;
	rc = change(cli, &ask, "no difference: this is in force already");
	free(text);
	return rc;
}

int hg_command_apply(const struct hg_cli *cli)
{
	char path[PATH_BYTES] = "/v1/config";

	add_parameters(cli, path, sizeof(path));
	return send_file(cli, "PUT", path);
}

int hg_command_diff(const struct hg_cli *cli)
{
	return send_file(cli, "POST", "/v1/config/diff");
}

int hg_command_confirm(const struct hg_cli *cli)
{
	const struct hg_ask ask = {.method = "POST", .path = "/v1/config/confirm", .body = ""};
	json_t *answer;
	int rc = hg_client_ask_json(cli, &ask, &answer);

	if (rc != HG_EXIT_DONE)
		return rc;
	if (!cli->is_json)
		fputs("confirmed: the change stays\n", cli->out);
	json_decref(answer);
	return HG_EXIT_DONE;
}

/* ---- single steps ------------------------------------------------------------------------------- */

static int put(const struct hg_cli *cli, const char *prefix, json_t *body)
{
	char path[PATH_BYTES];
	struct hg_ask ask = {.method = "PUT", .path = path};
	char *text = json_dumps(body, JSON_COMPACT);
	int rc;

	json_decref(body);
	if (text == NULL) {
		fputs("headgate: what was asked is not text that can be sent\n", cli->err);
		return HG_EXIT_USAGE;
	}
	hg_client_path(path, sizeof(path), prefix, cli->words[0], "");
	add_parameters(cli, path, sizeof(path));
	ask.body = text;
	ask.n_bytes = strlen(text);
	rc = change(cli, &ask, "already as asked");
	free(text);
	return rc;
}

/* A hook may say twice that something goes, so that it is not there is no failure; a name that was misspelt shall be
 * seen all the same: the daemon's own sentence has what is nearest. */
static void tell_absence(const struct hg_cli *cli, const char *prefix)
{
	char path[PATH_BYTES], *text;
	const struct hg_ask ask = {.path = path};
	size_t n_bytes;

	hg_client_path(path, sizeof(path), prefix, cli->words[0], "");
	if (hg_client_ask(cli, &ask, &text, &n_bytes) == HG_EXIT_DONE)
		free(text); /* it was made just now */
}

static int remove_named(const struct hg_cli *cli, const char *prefix)
{
	char path[PATH_BYTES];
	const struct hg_ask ask = {.method = "DELETE", .path = path};
	json_t *answer;
	int rc;

	hg_client_path(path, sizeof(path), prefix, cli->words[0], "");
	add_parameters(cli, path, sizeof(path));
	rc = hg_client_ask_json(cli, &ask, &answer);
	if (rc != HG_EXIT_DONE)
		return rc;
	if (!cli->is_json) {
		tell_change(cli, answer, "already as asked: it is not there");
		if (!json_is_true(json_object_get(answer, "changed")))
			tell_absence(cli, prefix);
	}
	json_decref(answer);
	return HG_EXIT_DONE;
}

/* Puts every option that is a field of the resource into the object. Returns how many. */
static unsigned put_fields(const struct hg_cli *cli, const struct hg_resource *resource,
			   json_t *object)
{
	struct hg_cli_field fields[HG_FIELDS_MAX];
	unsigned n_fields = hg_fields_list(resource, fields), n_put = 0;

	for (unsigned i = 0; i < cli->n_options; i++) {
		const struct hg_cli_field *field =
			hg_fields_find(fields, n_fields, cli->options[i].name);

		if (field == NULL)
			continue;
		hg_fields_put(object, field, cli->options[i].value);
		n_put++;
	}
	return n_put;
}

static void put_owner(const struct hg_cli *cli, const char *key, json_t *body)
{
	const char *owner = hg_cli_option(cli, key);

	if (owner != NULL)
		(void)json_object_set_new(body, key, json_string(owner));
}

int hg_command_instance_add(const struct hg_cli *cli)
{
	json_t *body = json_object(), *contract = json_object();

	put_owner(cli, "tenant", body);
	/* Without a word about it the contract of an instance that exists stays as it is. */
	if (put_fields(cli, &hg_schema_contract, contract) > 0)
		(void)json_object_set(body, "contract", contract);
	json_decref(contract);
	return put(cli, "/v1/instances/", body);
}

int hg_command_instance_remove(const struct hg_cli *cli)
{
	return remove_named(cli, "/v1/instances/");
}

int hg_command_uplink_set(const struct hg_cli *cli)
{
	json_t *body = json_object();

	if (put_fields(cli, &hg_schema_uplink, body) > 0)
		return put(cli, "/v1/uplinks/", body);
	json_decref(body);
	fputs("headgate: nothing is said to set; headgate uplink set --help lists what can be\n",
	      cli->err);
	return HG_EXIT_USAGE;
}

/* What it still waits for: a port is attached before whoever is behind it is there. */
static void tell_link(const struct hg_cli *cli)
{
	char path[PATH_BYTES];
	const struct hg_ask ask = {.path = path, .is_quiet = true};
	const char *link = NULL, *reason = "";
	json_t *port;

	hg_client_path(path, sizeof(path), "/v1/ports/", cli->words[0], "");
	if (hg_client_ask_json(cli, &ask, &port) != HG_EXIT_DONE)
		return;
	if (json_unpack(port, "{s:s, s?s}", "link", &link, "reason", &reason) == 0 &&
	    strcmp(link, "up") != 0)
		fprintf(cli->out, "port %s is %s%s%s\n", cli->words[0], link,
			reason[0] != '\0' ? ": " : "", reason);
	json_decref(port);
}

int hg_command_port_attach(const struct hg_cli *cli)
{
	json_t *body = json_object();
	int rc;

	put_owner(cli, "instance", body);
	(void)put_fields(cli, &hg_schema_port, body);
	rc = put(cli, "/v1/ports/", body);
	if (rc == HG_EXIT_DONE && !cli->is_json && hg_cli_option(cli, "dry-run") == NULL)
		tell_link(cli);
	return rc;
}

int hg_command_port_detach(const struct hg_cli *cli)
{
	return remove_named(cli, "/v1/ports/");
}
