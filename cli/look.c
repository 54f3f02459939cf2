/* The commands that look: show, explain, export, list, show NAME. */
#include "api/human.h"
#include "cli/answer.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/pretty.h"
#include "cli/record.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/uplink.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define PATH_BYTES 300

/* ---- show --------------------------------------------------------------------------------------- */

static int show_once(const struct hg_cli *cli)
{
	const char *uplink = cli->n_words > 0 ? cli->words[0] : NULL;
	const struct hg_ask ask = {.path = "/v1/status"};
	json_t *status;
	int rc = hg_client_ask_json(cli, &ask, &status);

	if (rc != HG_EXIT_DONE)
		return rc;
	if (!cli->is_json)
		rc = hg_show_status(cli, status, uplink);
	json_decref(status);
	return rc;
}

static int uplinks_once(const struct hg_cli *cli)
{
	char path[PATH_BYTES];
	const struct hg_ask ask = {.path = cli->n_words == 0 ? "/v1/uplinks"
							     : hg_client_path(path, sizeof(path),
									      "/v1/uplinks/",
									      cli->words[0], "")};
	const json_t *one;
	json_t *answer;
	size_t i;
	int rc = hg_client_ask_json(cli, &ask, &answer);

	if (rc != HG_EXIT_DONE)
		return rc;
	if (!cli->is_json && cli->n_words > 0)
		hg_uplink_print(cli, answer);
	json_array_foreach(json_object_get(answer, "uplinks"), i, one)
	{
		if (cli->is_json)
			break;
		if (i > 0)
			fputc('\n', cli->out);
		hg_uplink_print(cli, one);
	}
	json_decref(answer);
	return HG_EXIT_DONE;
}

typedef int (*once_fn)(const struct hg_cli *cli);

static unsigned rows_of(FILE *out)
{
	struct winsize size = {0};

	return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

static int draw(const struct hg_cli *cli, once_fn once)
{
	struct hg_cli page = *cli;
	char *text = NULL;
	size_t n_bytes;
	int rc;

	page.out = open_memstream(&text, &n_bytes);
	if (page.out == NULL) {
		fputs("headgate: no memory for a page\n", cli->err);
		return HG_EXIT_FAILED;
	}
	rc = once(&page);
	if (fclose(page.out) != 0)
		rc = HG_EXIT_FAILED;
	if (rc == HG_EXIT_DONE) {
		hg_table_page(cli->out, text, rows_of(cli->out));
		fflush(cli->out);
	}
	free(text);
	return rc;
}

static int show(const struct hg_cli *cli, once_fn once)
{
	const struct timespec second = {.tv_sec = 1};
	int rc;

	if (hg_cli_option(cli, "watch") == NULL)
		return once(cli);
	if (!cli->is_terminal) {
		fputs("headgate: show --watch needs a terminal; without one, ask again each "
		      "second\n",
		      cli->err);
		return HG_EXIT_USAGE;
	}
	if (!cli->is_json)
		fputs("\033[2J", cli->out);
	while ((rc = cli->is_json ? once(cli) : draw(cli, once)) == HG_EXIT_DONE) {
		fflush(cli->out);
		nanosleep(&second, NULL);
	}
	return rc;
}

int hg_command_show(const struct hg_cli *cli)
{
	return show(cli, show_once);
}

int hg_command_show_uplink(const struct hg_cli *cli)
{
	return show(cli, uplinks_once);
}

/* ---- explain ------------------------------------------------------------------------------------ */

static void held_lines(const struct hg_cli *cli, const char *title, const json_t *part)
{
	char time[HG_HUMAN_BYTES], wait[HG_HUMAN_BYTES], share[HG_HUMAN_BYTES];
	const json_t *one;
	size_t i;

	if (hg_answer_number(part, "wait_ns") == 0 &&
	    json_array_size(json_object_get(part, "held")) == 0) {
		fprintf(cli->out, "  held, %s: nothing waited in %s\n", title,
			hg_human_time(time, hg_answer_number(part, "for_ns")));
		return;
	}
	fprintf(cli->out, "  held, %s:\n", title);
	json_array_foreach(json_object_get(part, "held"), i, one)
	{
		int n = fprintf(cli->out, "    %8s  %7s  %-11s  ",
				hg_human_time(time, hg_answer_number(one, "ns")),
				hg_human_share(share, (uint64_t)hg_answer_number(one, "share_ppm"),
					       1000000),
				hg_answer_text(one, "limit"));

		hg_table_wrap(cli->out, (unsigned)n, (unsigned)n, hg_answer_text(one, "text"));
	}
	fprintf(cli->out, "    %8s  the sum: something waited for %s of %s\n",
		hg_human_time(time, hg_answer_number(part, "sum_ns")),
		hg_human_time(wait, hg_answer_number(part, "wait_ns")),
		hg_human_time(share, hg_answer_number(part, "for_ns")));
}

static void explain_direction(const struct hg_cli *cli, const json_t *direction, const char *dir)
{
	char rate[HG_HUMAN_BYTES], share[HG_HUMAN_BYTES], line[512];
	const json_t *one;
	size_t i;

	fputc('\n', cli->out);
	hg_table_text(cli, HG_BOLD, dir);
	snprintf(line, sizeof(line), ": %s.", hg_answer_text(direction, "summary"));
	hg_table_wrap(cli->out, (unsigned)strlen(dir), 2, line);
	json_array_foreach(json_object_get(direction, "sentences"), i, one)
	{
		snprintf(line, sizeof(line), "  - %s.", json_string_value(one));
		hg_table_wrap(cli->out, 0, 4, line);
	}
	held_lines(cli, "last second", json_object_get(direction, "second"));
	held_lines(cli, "since start", json_object_get(direction, "total"));
	json_array_foreach(json_object_get(direction, "competitors"), i, one) fprintf(
		cli->out, "%s    %8s  %7s  %s (tenant %s)\n",
		i == 0 ? "  who competes on the link, last second:\n" : "",
		hg_human_rate(rate, (uint64_t)hg_answer_number(one, "bytes_per_s")),
		hg_human_share(share, (uint64_t)hg_answer_number(one, "share_ppm"), 1000000),
		hg_answer_text(one, "instance"), hg_answer_text(one, "tenant"));
}

/* Drops that are no direction's. */
static void explain_ports(const struct hg_cli *cli, const json_t *sentences)
{
	char line[512];
	const json_t *one;
	size_t i;

	if (json_array_size(sentences) == 0)
		return;
	fputc('\n', cli->out);
	hg_table_text(cli, HG_BOLD, "ports");
	fputc('\n', cli->out);
	json_array_foreach(sentences, i, one)
	{
		snprintf(line, sizeof(line), "  - %s.", json_string_value(one));
		hg_table_wrap(cli->out, 0, 4, line);
	}
}

static void explain_processors(const struct hg_cli *cli, const json_t *processors)
{
	char line[512];

	if (processors == NULL)
		return;
	fputc('\n', cli->out);
	hg_table_text(cli, HG_BOLD, "processors");
	snprintf(line, sizeof(line), ": %s.", hg_answer_text(processors, "text"));
	hg_table_wrap(cli->out, (unsigned)strlen("processors"), 2, line);
}

int hg_command_explain(const struct hg_cli *cli)
{
	char path[PATH_BYTES];
	const struct hg_ask ask = {.path = hg_client_path(path, sizeof(path), "/v1/instances/",
							  cli->words[0], "/explain")};
	json_t *answer;
	int rc = hg_client_ask_json(cli, &ask, &answer);

	if (rc != HG_EXIT_DONE)
		return rc;
	if (!cli->is_json) {
		fprintf(cli->out, "instance %s, tenant %s, uplink %s\n",
			hg_answer_text(answer, "instance"), hg_answer_text(answer, "tenant"),
			hg_answer_text(answer, "uplink"));
		explain_direction(cli, json_object_get(answer, "out"), "out");
		explain_direction(cli, json_object_get(answer, "in"), "in");
		explain_ports(cli, json_object_get(answer, "ports"));
		explain_processors(cli, json_object_get(answer, "processors"));
	}
	json_decref(answer);
	return HG_EXIT_DONE;
}

int hg_command_uplink_depth(const struct hg_cli *cli)
{
	const char *since = hg_cli_option(cli, "since");
	char path[PATH_BYTES], number[PATH_BYTES / 2] = "";
	struct hg_ask ask = {.path = path};
	json_t *answer;
	int rc;

	if (since != NULL)
		hg_client_path(number, sizeof(number), "?since=", since, "");
	hg_client_path(path, sizeof(path), "/v1/uplinks/", cli->words[0], "/depth");
	if (path[0] != '\0' && strlen(path) + strlen(number) < sizeof(path))
		strcat(path, number);
	rc = hg_client_ask_json(cli, &ask, &answer);
	if (rc != HG_EXIT_DONE)
		return rc;
	if (!cli->is_json)
		hg_uplink_print_depth(cli, answer);
	json_decref(answer);
	return HG_EXIT_DONE;
}

int hg_command_export(const struct hg_cli *cli)
{
	bool wants_json = cli->is_json || hg_cli_option(cli, "json") != NULL;
	const struct hg_ask ask = {.path = wants_json ? "/v1/config?format=json"
						      : "/v1/config?format=yaml"};
	char *answer;
	size_t n_bytes;
	int rc = hg_client_ask(cli, &ask, &answer, &n_bytes);

	if (rc != HG_EXIT_DONE)
		return rc;
	fwrite(answer, 1, n_bytes, cli->out);
	if (wants_json)
		fputc('\n', cli->out);
	free(answer);
	return HG_EXIT_DONE;
}

/* ---- lists -------------------------------------------------------------------------------------- */

typedef void (*line_fn)(const struct hg_cli *cli, const struct hg_column *columns,
			const json_t *one);

static int list(const struct hg_cli *cli, const char *path, const char *key,
		const struct hg_column *columns, line_fn line)
{
	const struct hg_ask ask = {.path = path};
	const json_t *one;
	json_t *answer;
	size_t i;
	int rc = hg_client_ask_json(cli, &ask, &answer);

	if (rc != HG_EXIT_DONE)
		return rc;
	if (!cli->is_json) {
		hg_table_head(cli, columns);
		json_array_foreach(json_object_get(answer, key), i, one) line(cli, columns, one);
	}
	json_decref(answer);
	return HG_EXIT_DONE;
}

static void limit_cell(const struct hg_cli *cli, const struct hg_column *columns, unsigned column,
		       const json_t *one, const char *dir, const char *key)
{
	json_int_t value = hg_show_number(one, dir, "contract", key);
	char cell[HG_HUMAN_BYTES];

	hg_table_cell(cli, columns, column, value == 0 ? HG_DIM : HG_PLAIN,
		      value == 0 ? "-" : hg_human_rate(cell, (uint64_t)value));
}

/* Both kinds of contract: a second name, a count, and what is owed each way. */
static void contract_line(const struct hg_cli *cli, const struct hg_column *columns,
			  const json_t *one, const char *second, size_t n)
{
	char cell[HG_SHOW_CELL_BYTES];

	hg_table_cell(cli, columns, 0, HG_BOLD, hg_answer_text(one, "name"));
	hg_table_cell(cli, columns, 1, HG_PLAIN, second);
	snprintf(cell, sizeof(cell), "%zu", n);
	hg_table_cell(cli, columns, 2, HG_PLAIN, cell);
	limit_cell(cli, columns, 3, one, "out", "min_bytes_per_s");
	limit_cell(cli, columns, 4, one, "out", "max_bytes_per_s");
	limit_cell(cli, columns, 5, one, "in", "min_bytes_per_s");
	limit_cell(cli, columns, 6, one, "in", "max_bytes_per_s");
	hg_table_cell(cli, columns, 7, hg_show_is_missed(one) ? HG_RED : HG_PLAIN,
		      hg_show_kept(cell, one));
}

static void tenant_line(const struct hg_cli *cli, const struct hg_column *columns,
			const json_t *one)
{
	contract_line(cli, columns, one, hg_answer_text(one, "uplink"),
		      json_array_size(json_object_get(one, "instances")));
}

static void instance_line(const struct hg_cli *cli, const struct hg_column *columns,
			  const json_t *one)
{
	contract_line(cli, columns, one, hg_answer_text(one, "tenant"),
		      json_array_size(json_object_get(one, "ports")));
}

static int list_contracts(const struct hg_cli *cli, const char *path, const char *key,
			  const struct hg_column *columns, line_fn line)
{
	int rc = list(cli, path, key, columns, line);

	if (rc == HG_EXIT_DONE && !cli->is_json)
		hg_table_text(cli, HG_DIM,
			      "rates: bit/s; KEPT: of the seconds judged since start\n");
	return rc;
}

int hg_command_tenant_list(const struct hg_cli *cli)
{
	static const struct hg_column columns[] = {
		{"TENANT", -18}, {"UPLINK", -12}, {"INSTANCES", 9},
		{"OUT MIN", 7},  {"MAX", 6},      {"IN MIN", 6},
		{"MAX", 6},      {"KEPT", 6},     {0}};

	return list_contracts(cli, "/v1/tenants", "tenants", columns, tenant_line);
}

int hg_command_instance_list(const struct hg_cli *cli)
{
	static const struct hg_column columns[] = {
		{"INSTANCE", -18}, {"TENANT", -15}, {"PORTS", 6},
		{"OUT MIN", 7},    {"MAX", 6},      {"IN MIN", 6},
		{"MAX", 6},        {"KEPT", 6},     {0}};

	return list_contracts(cli, "/v1/instances", "instances", columns, instance_line);
}

static void port_line(const struct hg_cli *cli, const struct hg_column *columns, const json_t *one)
{
	bool is_up = strcmp(hg_answer_text(one, "link"), "up") == 0;
	hg_table_cell(cli, columns, 0, HG_BOLD, hg_answer_text(one, "name"));
	hg_table_cell(cli, columns, 1, HG_PLAIN, hg_answer_text(one, "instance"));
	hg_table_cell(cli, columns, 2, HG_PLAIN, hg_answer_text(one, "device"));
	hg_table_cell(cli, columns, 3, is_up ? HG_GREEN : HG_RED, hg_answer_text(one, "link"));
	if (!is_up && hg_answer_text(one, "reason")[0] != '\0') {
		fputs("  ", cli->out);
		hg_table_wrap(cli->out, 2, 2, hg_answer_text(one, "reason"));
	}
}

int hg_command_port_list(const struct hg_cli *cli)
{
	static const struct hg_column columns[] = {
		{"PORT", -18}, {"INSTANCE", -18}, {"DEVICE", -24}, {"LINK", -8}, {0}};

	return list(cli, "/v1/ports", "ports", columns, port_line);
}

typedef void (*print_fn)(const struct hg_cli *cli, json_t *answer);

static int show_named(const struct hg_cli *cli, const char *prefix, print_fn print)
{
	char path[PATH_BYTES];
	const struct hg_ask ask = {
		.path = hg_client_path(path, sizeof(path), prefix, cli->words[0], "")};
	json_t *answer;
	int rc = hg_client_ask_json(cli, &ask, &answer);

	if (rc != HG_EXIT_DONE)
		return rc;
	if (!cli->is_json)
		print(cli, answer);
	json_decref(answer);
	return HG_EXIT_DONE;
}

static void print_record(const struct hg_cli *cli, json_t *answer)
{
	hg_record_print(cli, answer);
}

static void print_port(const struct hg_cli *cli, json_t *answer)
{
	hg_pretty_print(cli, answer, 0);
}

int hg_command_tenant_show(const struct hg_cli *cli)
{
	return show_named(cli, "/v1/tenants/", print_record);
}

int hg_command_instance_show(const struct hg_cli *cli)
{
	return show_named(cli, "/v1/instances/", print_record);
}

int hg_command_port_show(const struct hg_cli *cli)
{
	return show_named(cli, "/v1/ports/", print_port);
}
