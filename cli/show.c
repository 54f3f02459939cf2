#include "cli/answer.h"
#include "cli/show.h"

#include "api/human.h"
#include "api/nearest.h"
#include "cli/commands.h"
#include "cli/credit_text.h"
#include "cli/table.h"

#include <string.h>

static const char *const dirs[] = {"out", "in"};

enum { NAME, DEMAND, MIN, OUT, IN, WAIT, HELD, KEPT };

static const struct hg_column columns[] = {
	[NAME] = {"INSTANCE", -18}, [DEMAND] = {"DEMAND", 6}, [MIN] = {"GUAR.", 6},
	[OUT] = {"OUT", 6},         [IN] = {"IN", 6},         [WAIT] = {"P99", 6},
	[HELD] = {"HELD BY", -17},  [KEPT] = {"KEPT", 6},     {0},
};

json_int_t hg_show_number(const json_t *row, const char *dir, const char *part, const char *key)
{
	return hg_answer_number(json_object_get(json_object_get(row, dir), part), key);
}

/* ---- cells -------------------------------------------------------------------------------------- */

static const char *longest_limit(const json_t *second, json_int_t *ret_ns)
{
	const char *limit, *longest = "none";
	json_t *value;

	*ret_ns = 0;
	json_object_foreach(json_object_get(second, "held_ns"), limit, value)
	{
		if (json_integer_value(value) > *ret_ns) {
			*ret_ns = json_integer_value(value);
			longest = limit;
		}
	}
	return longest;
}

char *hg_show_held(char *buf, const json_t *row)
{
	json_int_t out_ns = hg_show_number(row, "out", "second", "wait_ns");
	json_int_t in_ns = hg_show_number(row, "in", "second", "wait_ns");
	bool is_in = in_ns > out_ns;
	const json_t *second =
		json_object_get(json_object_get(row, is_in ? "in" : "out"), "second");
	char share[HG_HUMAN_BYTES];
	json_int_t ns;
	const char *limit = longest_limit(second, &ns);

	if (ns == 0)
		snprintf(buf, HG_SHOW_CELL_BYTES, "-");
	else
		snprintf(buf, HG_SHOW_CELL_BYTES, "%s%s %s", is_in ? "in " : "", limit,
			 hg_human_share(share, (uint64_t)ns,
					(uint64_t)hg_answer_number(second, "for_ns")));
	return buf;
}

bool hg_show_is_promised(const json_t *row, const char *dir)
{
	return hg_show_number(row, dir, "contract", "min_bytes_per_s") > 0 ||
	       hg_show_number(row, dir, "contract", "max_bytes_per_s") > 0 ||
	       hg_show_number(row, dir, "contract", "max_pkts_per_s") > 0;
}

bool hg_show_is_missed(const json_t *row)
{
	return hg_show_number(row, "out", "proof", "missed") > 0 ||
	       hg_show_number(row, "in", "proof", "missed") > 0;
}

char *hg_show_kept(char *buf, const json_t *row)
{
	json_int_t kept = 0, missed = 0;
	double percent;

	for (unsigned d = 0; d < 2; d++) {
		if (!hg_show_is_promised(row, dirs[d]))
			continue;
		kept += hg_show_number(row, dirs[d], "proof", "kept");
		missed += hg_show_number(row, dirs[d], "proof", "missed");
	}
	percent = kept + missed == 0 ? 0 : (double)kept * 100 / (double)(kept + missed);
	if (kept + missed == 0)
		snprintf(buf, HG_SHOW_CELL_BYTES, "-");
	else if (missed == 0)
		snprintf(buf, HG_SHOW_CELL_BYTES, "100 %%");
	else
		/* Never 100 when something was missed. */
		snprintf(buf, HG_SHOW_CELL_BYTES, "%.1f %%", percent > 99.9 ? 99.9 : percent);
	return buf;
}

static void rate_cell(const struct hg_cli *cli, unsigned column, enum hg_colour colour,
		      json_int_t bytes_per_s)
{
	char cell[HG_HUMAN_BYTES];

	hg_table_cell(cli, columns, column, bytes_per_s == 0 ? HG_DIM : colour,
		      bytes_per_s == 0 ? "-" : hg_human_rate(cell, (uint64_t)bytes_per_s));
}

static json_int_t longer_wait_ns(const json_t *row)
{
	json_int_t out = hg_show_number(row, "out", "second", "wait_p99_ns");
	json_int_t in = hg_show_number(row, "in", "second", "wait_p99_ns");

	return out > in ? out : in;
}

/* Packets are timed by instance; of a tenant it is the longest of its instances. */
static void wait_cell(const struct hg_cli *cli, const json_t *row)
{
	json_int_t longer = longer_wait_ns(row);
	char cell[HG_HUMAN_BYTES];
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(row, "instances"), i, one)
	{
		if (longer_wait_ns(one) > longer)
			longer = longer_wait_ns(one);
	}

	hg_table_cell(cli, columns, WAIT, longer == 0 ? HG_DIM : HG_PLAIN,
		      longer == 0 ? "-" : hg_human_time(cell, longer));
}

/* ---- lines -------------------------------------------------------------------------------------- */

static void row_line(const struct hg_cli *cli, const json_t *row, bool is_tenant)
{
	char name[80], cell[HG_SHOW_CELL_BYTES];
	const char *mode = hg_answer_text(row, "mode");

	snprintf(name, sizeof(name), "%s%s%s", is_tenant ? "" : "  ", hg_answer_text(row, "name"),
		 strcmp(mode, "observe") == 0 ? " (obs)" : "");
	hg_table_cell(cli, columns, NAME, is_tenant ? HG_BOLD : HG_PLAIN, name);
	rate_cell(cli, DEMAND, HG_PLAIN,
		  hg_show_number(row, "out", "second", "offered_bytes_per_s"));
	rate_cell(cli, MIN, HG_PLAIN, hg_show_number(row, "out", "contract", "min_bytes_per_s"));
	rate_cell(cli, OUT, HG_PLAIN, hg_show_number(row, "out", "second", "sent_bytes_per_s"));
	rate_cell(cli, IN, HG_PLAIN, hg_show_number(row, "in", "second", "sent_bytes_per_s"));
	wait_cell(cli, row);
	hg_show_held(cell, row);
	hg_table_cell(cli, columns, HELD, cell[0] == '-' ? HG_DIM : HG_PLAIN, cell);
	hg_show_kept(cell, row);
	hg_table_cell(cli, columns, KEPT,
		      cell[0] == '-'           ? HG_DIM
		      : hg_show_is_missed(row) ? HG_RED
					       : HG_GREEN,
		      cell);
}

static void host_line(const struct hg_cli *cli, const json_t *host)
{
	char up[HG_HUMAN_BYTES], busy[HG_HUMAN_BYTES], line[160];
	json_int_t up_s = hg_answer_number(host, "up_for_ns") / HG_NS_PER_S;

	if (up_s < 3600)
		snprintf(up, sizeof(up), "%lldm%02llds", (long long)up_s / 60,
			 (long long)up_s % 60);
	else
		snprintf(up, sizeof(up), "%lldh%02lldm", (long long)up_s / 3600,
			 (long long)up_s / 60 % 60);
	snprintf(line, sizeof(line), "headgate %s  up %s  mode %s  CPU %s  stolen seconds %lld",
		 hg_answer_text(host, "version"), up, hg_answer_text(host, "mode"),
		 hg_human_share(busy, (uint64_t)hg_answer_number(host, "busy_ppm"), 1000000),
		 (long long)hg_answer_number(host, "stolen_seconds"));
	fprintf(cli->out, "%.80s\n", line);
	if (hg_answer_number(host, "confirm_within_ns") > 0) {
		snprintf(line, sizeof(line),
			 "a change is taken back in %s unless: headgate confirm\n",
			 hg_human_time(up, hg_answer_number(host, "confirm_within_ns") /
						   HG_NS_PER_S * HG_NS_PER_S));
		hg_table_text(cli, HG_YELLOW, line);
	}
}

/* What is in the uplink's card, where it is counted. */
static void card_line(const struct hg_cli *cli, const json_t *uplink)
{
	const json_t *inflight = json_object_get(uplink, "inflight");
	json_int_t p99_ns = hg_answer_number(json_object_get(inflight, "second"), "card_p99_ns");
	const char *state = hg_answer_text(inflight, "state");
	bool is_trouble = strcmp(state, "early") == 0 || strcmp(state, "silent") == 0;
	char line[160], in[HG_HUMAN_BYTES], time[HG_HUMAN_BYTES];

	if (state[0] == '\0' || strcmp(state, "off") == 0)
		return;
	snprintf(line, sizeof(line), "    card: p99 %s, %s in it, in-flight control ",
		 p99_ns == 0 ? "-" : hg_human_time(time, p99_ns),
		 hg_human_size(in, (uint64_t)hg_answer_number(inflight, "outstanding_bytes")));
	fputs(line, cli->out);
	hg_table_text(cli, is_trouble ? HG_YELLOW : HG_PLAIN, state);
	fputc('\n', cli->out);
}

static void uplink_line(const struct hg_cli *cli, const json_t *uplink)
{
	uint64_t capacity = (uint64_t)hg_answer_number(uplink, "capacity_bytes_per_s");
	uint64_t out = (uint64_t)hg_answer_number(uplink, "out_bytes_per_s");
	uint64_t in = (uint64_t)hg_answer_number(uplink, "in_bytes_per_s");
	const json_t *sums = json_object_get(uplink, "guaranteed_bytes_per_s");
	char a[HG_HUMAN_BYTES], b[HG_HUMAN_BYTES], c[HG_HUMAN_BYTES], d[HG_HUMAN_BYTES],
		e[HG_HUMAN_BYTES], f[HG_HUMAN_BYTES], g[HG_HUMAN_BYTES];
	bool is_up = strcmp(hg_answer_text(uplink, "link"), "up") == 0;
	char line[200];

	hg_table_text(cli, HG_BOLD, hg_answer_text(uplink, "name"));
	fputc(' ', cli->out);
	hg_table_text(cli, is_up ? HG_GREEN : HG_RED, hg_answer_text(uplink, "link"));
	snprintf(line, sizeof(line), "  %s  out %s (%s)  in %s (%s)  guaranteed out %s in %s",
		 hg_human_rate(a, capacity), hg_human_rate(b, out),
		 hg_human_share(c, out, capacity), hg_human_rate(d, in),
		 hg_human_share(e, in, capacity),
		 hg_human_rate(f, (uint64_t)hg_answer_number(sums, "out")),
		 hg_human_rate(g, (uint64_t)hg_answer_number(sums, "in")));
	hg_table_wrap(cli->out,
		      (unsigned)(strlen(hg_answer_text(uplink, "name")) +
				 strlen(hg_answer_text(uplink, "link")) + 1),
		      4, line);
	if (!is_up && hg_answer_text(uplink, "reason")[0] != '\0') {
		fputs("    ", cli->out);
		hg_table_wrap(cli->out, 4, 4, hg_answer_text(uplink, "reason"));
	}
	card_line(cli, uplink);
}

static void instance_lines(const struct hg_cli *cli, const json_t *instance)
{
	const json_t *credit = json_object_get(instance, "credit");

	row_line(cli, instance, /* is_tenant= */ false);
	if (credit != NULL)
		hg_credit_text_brief(cli, credit);
}

static void tenant_lines(const struct hg_cli *cli, const json_t *tenant)
{
	const json_t *instance;
	size_t i;

	row_line(cli, tenant, /* is_tenant= */ true);
	json_array_foreach(json_object_get(tenant, "instances"), i, instance)
		instance_lines(cli, instance);
}

static bool is_on(const json_t *object, const char *key, const char *uplink)
{
	return uplink == NULL || strcmp(hg_answer_text(object, key), uplink) == 0;
}

static bool has_receive_guarantee(const json_t *status, const char *uplink)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(status, "uplinks"), i, one)
	{
		if (is_on(one, "name", uplink) &&
		    hg_answer_number(json_object_get(one, "guaranteed_bytes_per_s"), "in") > 0)
			return true;
	}
	return false;
}

/* "show tenants" is no uplink either. */
static int refuse_uplink(const struct hg_cli *cli, const json_t *status, const char *name)
{
	struct hg_nearest nearest;
	const json_t *one;
	size_t i;

	hg_nearest_init(&nearest, name);
	json_array_foreach(json_object_get(status, "uplinks"), i, one)
		hg_nearest_offer(&nearest, hg_answer_text(one, "name"));
	for (const struct hg_command *c = hg_commands; c->noun != NULL; c++) {
		if (c->verb != NULL)
			hg_nearest_offer(&nearest, c->noun);
	}
	fprintf(cli->err, "headgate: there is no uplink named %s", name);
	if (nearest.best != NULL)
		fprintf(cli->err, "; did you mean show %s?", nearest.best);
	fputc('\n', cli->err);
	return HG_EXIT_NOT_FOUND;
}

int hg_show_status(const struct hg_cli *cli, const json_t *status, const char *uplink)
{
	const json_t *one;
	bool has_uplink = uplink == NULL;
	size_t i;

	json_array_foreach(json_object_get(status, "uplinks"), i, one) has_uplink =
		has_uplink || is_on(one, "name", uplink);
	if (!has_uplink)
		return refuse_uplink(cli, status, uplink);
	host_line(cli, json_object_get(status, "host"));
	json_array_foreach(json_object_get(status, "uplinks"), i, one)
	{
		if (is_on(one, "name", uplink))
			uplink_line(cli, one);
	}
	fputc('\n', cli->out);
	hg_table_head(cli, columns);
	json_array_foreach(json_object_get(status, "tenants"), i, one)
	{
		if (is_on(one, "uplink", uplink))
			tenant_lines(cli, one);
	}
	hg_table_text(cli, HG_DIM,
		      "rates: bit/s of the last second; P99: 99 of 100 packets waited no longer\n");
	if (has_receive_guarantee(status, uplink))
		hg_table_text(cli, HG_DIM,
			      "receiving: a guarantee holds for what reached the card\n");
	return HG_EXIT_DONE;
}
