/* The commands that carry instances from host to host: instance save|restore, port announce. */
#include "api/config.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 400

/* ---- save --------------------------------------------------------------------------------------- */

/* Where the document goes: a file beside the one that is asked for, so that a disk that is full or a folder that is
 * not there is known before anything is detached, and an older file stays whole until then. */
struct sink {
	const char *path; /* NULL: standard output */
	char aside[PATH_BYTES];
	FILE *file;
};

static int fail_file(const struct hg_cli *cli, const char *path)
{
	fprintf(cli->err, "headgate: cannot write %s: %s\n", path, strerror(errno));
	return HG_EXIT_FAILED;
}

static int open_sink(const struct hg_cli *cli, struct sink *sink)
{
	*sink = (struct sink){.path = hg_cli_option(cli, "output"), .file = cli->out};
	if (sink->path != NULL && strcmp(sink->path, "-") == 0)
		sink->path = NULL;
	if (sink->path == NULL)
		return HG_EXIT_DONE;
	if (snprintf(sink->aside, sizeof(sink->aside), "%s.new", sink->path) >=
	    (int)sizeof(sink->aside)) {
		errno = ENAMETOOLONG;
		return fail_file(cli, sink->path);
	}
	sink->file = fopen(sink->aside, "w");
	return sink->file == NULL ? fail_file(cli, sink->path) : HG_EXIT_DONE;
}

static void drop_sink(const struct sink *sink)
{
	if (sink->path == NULL)
		return;
	(void)fclose(sink->file);
	(void)unlink(sink->aside);
}

static int fill_sink(const struct hg_cli *cli, const struct sink *sink, const json_t *document)
{
	bool is_written = json_dumpf(document, sink->file, JSON_INDENT(1)) == 0 &&
			  fputc('\n', sink->file) != EOF && fflush(sink->file) == 0;

	if (sink->path == NULL)
		return is_written ? HG_EXIT_DONE : fail_file(cli, "standard output");
	is_written = is_written && fsync(fileno(sink->file)) == 0;
	if (fclose(sink->file) == 0 && is_written && rename(sink->aside, sink->path) == 0)
		return HG_EXIT_DONE;
	(void)fail_file(cli, sink->path);
	/* What was detached is nowhere else any more. */
	(void)json_dumpf(document, cli->out, JSON_INDENT(1));
	fputc('\n', cli->out);
	fputs("headgate: the document is on standard output instead\n", cli->err);
	return HG_EXIT_FAILED;
}

int hg_command_instance_save(const struct hg_cli *cli)
{
	bool is_detach = hg_cli_option(cli, "detach") != NULL;
	struct hg_cli quiet = *cli;
	char path[PATH_BYTES];
	const struct hg_ask ask = {
		.method = is_detach ? "POST" : NULL, .path = path, .body = is_detach ? "" : NULL};
	struct sink sink;
	json_t *document;
	int rc = open_sink(cli, &sink);

	if (rc != HG_EXIT_DONE)
		return rc;
	quiet.is_json = false; /* the answer is the document, and goes where it is to go */
	hg_client_path(path, sizeof(path), "/v1/instances/", cli->words[0],
		       is_detach ? "/detach" : "/state");
	rc = hg_client_ask_json(&quiet, &ask, &document);
	if (rc != HG_EXIT_DONE) {
		drop_sink(&sink);
		return rc;
	}
	rc = fill_sink(cli, &sink, document);
	json_decref(document);
	return rc;
}

/* ---- restore ------------------------------------------------------------------------------------ */

/* "PORT=DEVICE,PORT=DEVICE": where a comma is part of a device the next part has no '='. */
static int set_devices(const struct hg_cli *cli, json_t *document, char *text)
{
	json_t *ports = json_object_get(json_object_get(document, "instance"), "ports");

	while (text != NULL && *text != '\0') {
		char *equals = strchr(text, '='), *next = equals, *comma = NULL;
		json_t *port, *found = NULL;
		size_t i;

		if (equals == NULL || equals == text || equals[1] == '\0') {
			fprintf(cli->err, "headgate: --device is PORT=DEVICE, not %s\n", text);
			return HG_EXIT_USAGE;
		}
		*equals = '\0';
		/* The last comma before the next '=' outside of brackets. */
		for (int depth = 0; *++next != '\0';) {
			depth += *next == '(' ? 1 : *next == ')' ? -1 : 0;
			if (*next == ',' && depth == 0)
				comma = next;
			if (*next == '=' && depth == 0 && comma != NULL)
				break;
		}
		if (*next != '\0')
			*comma = '\0';
		json_array_foreach(ports, i, port)
		{
			const char *name = json_string_value(json_object_get(port, "name"));

			if (name != NULL && strcmp(name, text) == 0)
				found = port;
		}
		if (found == NULL) {
			fprintf(cli->err, "headgate: the saved instance has no port %s\n", text);
			return HG_EXIT_USAGE;
		}
		(void)json_object_set_new(found, "device", json_string(equals + 1));
		text = *next != '\0' ? comma + 1 : NULL;
	}
	return HG_EXIT_DONE;
}

/* The document as it is to arrive. */
static int adapt(const struct hg_cli *cli, json_t *document)
{
	const char *tenant = hg_cli_option(cli, "tenant"), *device = hg_cli_option(cli, "device");
	char *devices;
	int rc;

	if (tenant != NULL)
		(void)json_object_set_new(document, "tenant", json_string(tenant));
	if (device == NULL)
		return HG_EXIT_DONE;
	devices = strdup(device);
	if (devices == NULL)
		return HG_EXIT_FAILED;
	rc = set_devices(cli, document, devices);
	free(devices);
	return rc;
}

static void tell_left_out(const struct hg_cli *cli, const json_t *answer)
{
	const char *credits =
		json_string_value(json_object_get(json_object_get(answer, "credits"), "text"));
	const json_t *path;
	size_t i;

	if (credits != NULL)
		fprintf(cli->out, "%s\n", credits);
	json_array_foreach(json_object_get(answer, "left_out"), i, path)
	{
		if (credits != NULL && strcmp(json_string_value(path), "credits") == 0)
			continue; /* it is known; why it is left out was said */
		fprintf(cli->out, "left out, since this headgate does not know it: %s\n",
			json_string_value(path));
	}
}

static void tell_restored(const struct hg_cli *cli, const json_t *answer)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(answer, "diff"), i, one)
	{
		const char *line = json_string_value(json_object_get(one, "line"));

		hg_table_text(cli, HG_GREEN, line == NULL ? "" : line);
		fputc('\n', cli->out);
	}
	tell_left_out(cli, answer);
	if (json_is_true(json_object_get(answer, "dry_run")))
		fputs("not restored: this is what would change\n", cli->out);
}

static void make_path(const struct hg_cli *cli, const char *name, char path[PATH_BYTES])
{
	const char *uplink = hg_cli_option(cli, "uplink");
	char escaped[200];
	size_t n;

	hg_client_path(path, PATH_BYTES, "/v1/instances/", name, "/state");
	n = strlen(path);
	if (hg_cli_option(cli, "dry-run") != NULL)
		n += (size_t)snprintf(path + n, PATH_BYTES - n, "?dry_run=1");
	if (uplink != NULL)
		snprintf(path + n, PATH_BYTES - n, "%cuplink=%s", strchr(path, '?') ? '&' : '?',
			 hg_client_path(escaped, sizeof(escaped), "", uplink, ""));
}

static int send_document(const struct hg_cli *cli, const char *file, const char *name,
			 const char *text, size_t n_bytes)
{
	char path[PATH_BYTES];
	const struct hg_ask ask = {
		.method = "PUT", .path = path, .body = text, .n_bytes = n_bytes, .file = file};
	json_t *answer;
	int rc;

	make_path(cli, name, path);
	rc = hg_client_ask_json(cli, &ask, &answer);
	if (rc != HG_EXIT_DONE)
		return rc;
	if (!cli->is_json)
		tell_restored(cli, answer);
	json_decref(answer);
	return HG_EXIT_DONE;
}

/* Reads the file. What cannot be read is sent as it is: the daemon says what is wrong with it, and where. */
int hg_command_instance_restore(const struct hg_cli *cli)
{
	const char *file = cli->words[0], *name;
	struct hg_error error = {0};
	char *text, *adapted = NULL, line[512];
	size_t n_bytes;
	struct hg_tree tree = {0};
	json_t *document;
	int rc = HG_EXIT_DONE;

	if (hg_config_read_file(file, &text, &n_bytes, &error) < 0) {
		fprintf(cli->err, "headgate: %s\n",
			hg_config_error_format(&error, file, line, sizeof(line)));
		return HG_EXIT_FAILED;
	}
	if (hg_yaml_parse(text, n_bytes, &tree, &error) < 0)
		tree = (struct hg_tree){0};
	document = tree.root;
	name = json_string_value(json_object_get(json_object_get(document, "instance"), "name"));
	if (hg_cli_option(cli, "tenant") != NULL || hg_cli_option(cli, "device") != NULL) {
		rc = adapt(cli, document);
		adapted = rc == HG_EXIT_DONE ? json_dumps(document, JSON_INDENT(1)) : NULL;
	}
	if (rc == HG_EXIT_DONE)
		rc = send_document(cli, strcmp(file, "-") == 0 ? "standard input" : file,
				   name == NULL ? "unknown" : name,
				   adapted != NULL ? adapted : text,
				   adapted != NULL ? strlen(adapted) : n_bytes);
	hg_tree_fini(&tree);
	free(adapted);
	free(text);
	return rc;
}

/* ---- announce ----------------------------------------------------------------------------------- */

int hg_command_port_announce(const struct hg_cli *cli)
{
	char path[PATH_BYTES];
	const struct hg_ask ask = {.method = "POST", .path = path, .body = ""};
	json_t *answer;
	json_int_t n;
	int rc;

	hg_client_path(path, sizeof(path), "/v1/ports/", cli->words[0], "/announce");
	rc = hg_client_ask_json(cli, &ask, &answer);
	if (rc != HG_EXIT_DONE)
		return rc;
	n = json_integer_value(json_object_get(answer, "announced"));
	if (!cli->is_json && n == 0)
		fputs("no address of this port is known: nothing is announced\n", cli->out);
	else if (!cli->is_json)
		fprintf(cli->out, "%d address%s announced, five times within a second\n", (int)n,
			n == 1 ? "" : "es");
	json_decref(answer);
	return HG_EXIT_DONE;
}
