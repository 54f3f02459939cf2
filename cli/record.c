#include "cli/answer.h"
#include "cli/record.h"

#include "api/human.h"
#include "cli/show.h"
#include "cli/table.h"

#include <string.h>

#define CELL_BYTES 64
#define LINE_BYTES 500

static const char *const dirs[] = {"out", "in"};

enum kind { RATE, LIMIT_RATE, LIMIT_PKTS, SIZE, TIME, COUNT, TEXT, SHARE_OF_TIME };

struct row {
	const char *title, *key;
	enum kind kind;
};

static const struct row contract_rows[] = {
	{"min", "min_bytes_per_s", LIMIT_RATE},
	{"max", "max_bytes_per_s", LIMIT_RATE},
	{"max_pkts", "max_pkts_per_s", LIMIT_PKTS},
	{"weight", "weight", COUNT},
	{"burst", "burst_bytes", SIZE},
	{"reserve", "reserve_bytes", SIZE},
	{"idle after", "idle_after_ns", TIME},
	{"accounting", "accounting", TEXT},
	{0},
};

static const struct row instance_contract_rows[] = {
	{"priority", "priority", TEXT},
	{"behaviour", "behaviour", TEXT},
	{0},
};

static const struct row sample_rows[] = {
	{"demand", "offered_bytes_per_s", RATE},
	{"got", "sent_bytes_per_s", RATE},
	{"waited", "wait_ns", SHARE_OF_TIME},
	{0},
};

/* Of a tenant the longest of its instances. */
static const struct row packet_rows[] = {
	{"wait p50", "wait_p50_ns", TIME},
	{"wait p99", "wait_p99_ns", TIME},
	{"in the card p50", "card_p50_ns", TIME},
	{"in the card p99", "card_p99_ns", TIME},
	{0},
};

static const struct row waiting_rows[] = {
	{"waiting now", "waiting_bytes", SIZE},
	{0},
};

static const struct row card_rows[] = {
	{"in the card now", "outstanding_bytes", SIZE},
	{"its share of MAX", "share_bytes", SIZE},
	{"max in force", "max_in_force_bytes_per_s", LIMIT_RATE},
	{"segments cut", "cut_segments", COUNT},
	{0},
};

static const struct row count_rows[] = {
	{"marked, packets", "marked_pkts", COUNT},
	{"dropped, packets", "drops", COUNT},
	{0},
};

static const struct row proof_rows[] = {
	{"kept", "kept", COUNT},
	{"missed", "missed", COUNT},
	{"  of these min", "missed_min", COUNT},
	{"  of these max", "missed_max", COUNT},
	{"not judged: stolen", "stolen", COUNT},
	{0},
};

static const json_t *part_of(const json_t *record, unsigned dir, const char *part)
{
	return json_object_get(json_object_get(record, dirs[dir]), part);
}

/* ---- cells -------------------------------------------------------------------------------------- */

static void share_of_time(char *buf, json_int_t ns, json_int_t for_ns)
{
	char time[HG_HUMAN_BYTES], share[HG_HUMAN_BYTES];

	if (ns == 0)
		snprintf(buf, CELL_BYTES, "0");
	else
		snprintf(buf, CELL_BYTES, "%s, %s", hg_human_time(time, ns),
			 hg_human_share(share, (uint64_t)ns, (uint64_t)for_ns));
}

static void format(char *buf, const json_t *part, const struct row *row)
{
	json_int_t value = hg_answer_number(part, row->key);
	char cell[HG_HUMAN_BYTES];

	switch (row->kind) {
	case LIMIT_RATE:
	case RATE:
		snprintf(buf, CELL_BYTES, "%s",
			 row->kind == LIMIT_RATE && value == 0
				 ? "none"
				 : hg_human_rate_long(cell, (uint64_t)value));
		break;
	case LIMIT_PKTS:
		if (value == 0)
			snprintf(buf, CELL_BYTES, "none");
		else
			snprintf(buf, CELL_BYTES, "%lld pps", (long long)value);
		break;
	case SIZE:
		hg_human_size(cell, (uint64_t)value);
		snprintf(buf, CELL_BYTES, "%s", cell);
		break;
	case TIME:
		snprintf(buf, CELL_BYTES, "%s", value == 0 ? "-" : hg_human_time(cell, value));
		break;
	case SHARE_OF_TIME:
		share_of_time(buf, value, hg_answer_number(part, "for_ns"));
		break;
	case TEXT:
		snprintf(buf, CELL_BYTES, "%s",
			 hg_answer_text(part, row->key)[0] == '\0'
				 ? "-"
				 : hg_answer_text(part, row->key));
		break;
	case COUNT:
		snprintf(buf, CELL_BYTES, "%lld", (long long)value);
	}
}

static void line(const struct hg_cli *cli, const char *title, const char *out, const char *in)
{
	if (*in == '\0')
		fprintf(cli->out, "  %-22s %18s\n", title, out);
	else
		fprintf(cli->out, "  %-22s %18s %18s\n", title, out, in);
}

static void section(const struct hg_cli *cli, const char *title)
{
	hg_table_text(cli, HG_BOLD, title);
	fputc('\n', cli->out);
}

static void rows(const struct hg_cli *cli, const json_t *record, const char *part,
		 const struct row *row)
{
	char out[CELL_BYTES], in[CELL_BYTES];

	for (; row->title != NULL; row++) {
		format(out, part_of(record, 0, part), row);
		format(in, part_of(record, 1, part), row);
		line(cli, row->title, out, in);
	}
}

/* ---- parts -------------------------------------------------------------------------------------- */

/* By which limits it was held, those that did. */
static void held_rows(const struct hg_cli *cli, const json_t *record, const char *part)
{
	const json_t *samples[] = {part_of(record, 0, part), part_of(record, 1, part)};
	const char *limit;
	json_t *value;

	json_object_foreach(json_object_get(samples[0], "held_ns"), limit, value)
	{
		char title[CELL_BYTES], cells[2][CELL_BYTES];
		json_int_t sum_ns = 0;

		for (unsigned d = 0; d < 2; d++) {
			json_int_t ns =
				hg_answer_number(json_object_get(samples[d], "held_ns"), limit);

			share_of_time(cells[d], ns, hg_answer_number(samples[d], "for_ns"));
			sum_ns += ns;
		}
		snprintf(title, sizeof(title), "  held by %s", limit);
		if (sum_ns > 0)
			line(cli, title, cells[0], cells[1]);
	}
}

/* Packets are not timed twice: of a tenant the waits are those of its instances. */
static void wait_row(const struct hg_cli *cli, const json_t *record, const struct row *row)
{
	const json_t *instances = json_object_get(record, "instances"), *one;
	char cells[2][CELL_BYTES];
	size_t i;

	for (unsigned d = 0; d < 2; d++) {
		const json_t *longest = part_of(record, d, "second");

		json_array_foreach(instances, i, one)
		{
			const json_t *second = part_of(one, d, "second");

			if (hg_answer_number(second, row->key) >
			    hg_answer_number(longest, row->key))
				longest = second;
		}
		format(cells[d], longest, row);
	}
	line(cli, row->title, cells[0], cells[1]);
}

static void drop_rows(const struct hg_cli *cli, const json_t *record)
{
	char cells[2][CELL_BYTES], title[CELL_BYTES];
	const char *reason;
	json_t *value;

	for (unsigned d = 0; d < 2; d++) {
		json_object_foreach(json_object_get(json_object_get(record, dirs[d]), "drops"),
				    reason, value)
		{
			const json_t *out = part_of(record, 0, "drops");

			/* What the first direction has was said with it. */
			if (d == 1 && json_object_get(out, reason) != NULL)
				continue;
			snprintf(cells[0], CELL_BYTES, "%lld",
				 (long long)hg_answer_number(out, reason));
			snprintf(cells[1], CELL_BYTES, "%lld",
				 (long long)hg_answer_number(part_of(record, 1, "drops"), reason));
			snprintf(title, sizeof(title), "  reason %s", reason);
			line(cli, title, cells[0], cells[1]);
		}
	}
}

static void instance_names(const struct hg_cli *cli, const json_t *list)
{
	const json_t *one;
	size_t i;

	fprintf(cli->out, "instances:%s\n", json_array_size(list) == 0 ? " none" : "");
	json_array_foreach(list, i, one) fprintf(cli->out, "  %s\n", hg_answer_text(one, "name"));
}

/* With what each has dropped before it was anybody's traffic. */
static void ports(const struct hg_cli *cli, const json_t *record)
{
	const json_t *list = json_object_get(record, "ports"), *one;
	char cell[CELL_BYTES], title[CELL_BYTES];
	const char *reason;
	json_t *value;
	size_t i;

	fprintf(cli->out, "ports:%s\n", json_array_size(list) == 0 ? " none" : "");
	json_array_foreach(list, i, one)
	{
		fprintf(cli->out, "  %s\n", json_string_value(one));
		json_object_foreach(json_object_get(json_object_get(record, "port_drops"),
						    json_string_value(one)),
				    reason, value)
		{
			snprintf(title, sizeof(title), "  dropped, %s", reason);
			snprintf(cell, sizeof(cell), "%lld", (long long)json_integer_value(value));
			line(cli, title, cell, "");
		}
	}
}

static void samples(const struct hg_cli *cli, const json_t *record)
{
	char title[CELL_BYTES], time[HG_HUMAN_BYTES];

	section(cli, "last second");
	rows(cli, record, "second", sample_rows);
	held_rows(cli, record, "second");
	for (const struct row *row = packet_rows; row->title != NULL; row++)
		wait_row(cli, record, row);
	rows(cli, record, "second", waiting_rows);
	rows(cli, record, "second", count_rows);
	snprintf(title, sizeof(title), "since start, %s",
		 hg_human_time(time, hg_answer_number(part_of(record, 0, "total"), "for_ns")));
	section(cli, title);
	rows(cli, record, "total", sample_rows);
	held_rows(cli, record, "total");
	rows(cli, record, "total", count_rows);
	drop_rows(cli, record);
}

/* What an instance has in the card, which is of sending alone. */
static void card(const struct hg_cli *cli, const json_t *record)
{
	const json_t *behaviour = json_object_get(part_of(record, 0, "card"), "behaviour");
	char out[CELL_BYTES], words[LINE_BYTES];

	section(cli, "the card's queue");
	for (const struct row *row = card_rows; row->title != NULL; row++) {
		format(out, part_of(record, 0, "card"), row);
		line(cli, row->title, out, "");
	}
	snprintf(words, sizeof(words), "  behaviour: %s", hg_answer_text(behaviour, "text"));
	hg_table_wrap(cli->out, 0, 4, words);
}

void hg_record_print(const struct hg_cli *cli, const json_t *record)
{
	const json_t *instances = json_object_get(record, "instances");

	hg_table_text(cli, HG_BOLD, hg_answer_text(record, "name"));
	if (instances == NULL)
		fprintf(cli->out, "  tenant %s", hg_answer_text(record, "tenant"));
	fprintf(cli->out, "  uplink %s  mode %s\n\n", hg_answer_text(record, "uplink"),
		hg_answer_text(record, "mode"));
	fprintf(cli->out, "%-24s %18s %18s\n", "", "OUT", "IN");
	section(cli, "contract");
	rows(cli, record, "contract", contract_rows);
	if (instances == NULL)
		rows(cli, record, "contract", instance_contract_rows);
	samples(cli, record);
	if (instances == NULL)
		card(cli, record);
	section(cli, "proof, seconds judged since start");
	if (hg_show_is_promised(record, "out") || hg_show_is_promised(record, "in"))
		rows(cli, record, "proof", proof_rows);
	else
		fputs("  nothing is promised\n", cli->out);
	fputc('\n', cli->out);
	if (instances != NULL)
		instance_names(cli, instances);
	else
		ports(cli, record);
}
