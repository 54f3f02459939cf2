#include "cli/answer.h"
#include "cli/credit_text.h"

#include "api/human.h"
#include "cli/table.h"

#include <string.h>
#include <time.h>

#define LABEL_WIDTH 12
#define WORDS_BYTES 700
#define MCPU_PER_CPU 1000

enum { NAME, STATE, BALANCE, MAX, EARNS, USED, LIMIT, LASTS };

static const struct hg_column columns[] = {
	[NAME] = {"NAME", -18}, [STATE] = {"STATE", -8},       [BALANCE] = {"CREDITS", 8},
	[MAX] = {"OF", 7},      [EARNS] = {"EARNS/H", 7},      [USED] = {"USED", 6},
	[LIMIT] = {"LIMIT", 6}, [LASTS] = {"RUNS OUT IN", 11}, {0},
};

static char *credits(char *buf, const json_t *object, const char *key)
{
	return hg_human_credits(buf, hg_answer_number(object, key));
}

static bool is_pool(const json_t *row)
{
	return json_is_true(json_object_get(row, "is_pool"));
}

static const char *state_word(const json_t *row)
{
	return is_pool(row) ? "pool" : hg_answer_text(row, "state");
}

static enum hg_colour state_colour(const char *state)
{
	if (strcmp(state, "open") == 0)
		return HG_GREEN;
	if (strcmp(state, "baseline") == 0 || strcmp(state, "failing") == 0)
		return HG_RED;
	if (strcmp(state, "pool") == 0 || strcmp(state, "observed") == 0)
		return HG_PLAIN;
	return HG_YELLOW;
}

/* Of its virtual processors. */
static char *share(char *buf, const json_t *row, const char *key)
{
	return hg_human_share(buf, (uint64_t)hg_answer_number(row, key),
			      (uint64_t)hg_answer_number(row, "ceiling_mcpu"));
}

static bool runs_out(const json_t *row)
{
	return json_is_integer(json_object_get(row, "exhausted_in_ns"));
}

static char *lasts(char *buf, const json_t *row)
{
	return hg_human_long(buf,
			     runs_out(row) ? hg_answer_number(row, "exhausted_in_ns") : HG_NEVER);
}

/* ---- the table ---------------------------------------------------------------------------------- */

static void list_line(const struct hg_cli *cli, const json_t *row)
{
	const char *state = state_word(row);
	bool is_low = json_is_true(json_object_get(row, "is_alarmed")) ||
		      hg_answer_number(row, "balance_cpu_ns") < 0;
	char buf[HG_HUMAN_BYTES];

	hg_table_cell(cli, columns, NAME, HG_BOLD, hg_answer_text(row, "name"));
	hg_table_cell(cli, columns, STATE, state_colour(state), state);
	hg_table_cell(cli, columns, BALANCE, is_low ? HG_YELLOW : HG_PLAIN,
		      credits(buf, row, "balance_cpu_ns"));
	hg_table_cell(cli, columns, MAX, HG_PLAIN, credits(buf, row, "max_cpu_ns"));
	hg_table_cell(cli, columns, EARNS, HG_PLAIN, credits(buf, row, "earn_cpu_ns_per_h"));
	hg_table_cell(cli, columns, USED, HG_PLAIN, share(buf, row, "used_mcpu"));
	hg_table_cell(
		cli, columns, LIMIT, hg_answer_number(row, "limit_mcpu") == 0 ? HG_DIM : HG_PLAIN,
		hg_answer_number(row, "limit_mcpu") == 0 ? "none" : share(buf, row, "limit_mcpu"));
	hg_table_cell(cli, columns, LASTS, runs_out(row) ? HG_PLAIN : HG_DIM, lasts(buf, row));
}

/* Whose group is not there, or cannot be written, and why. */
static void trouble_line(const struct hg_cli *cli, const json_t *row)
{
	char words[WORDS_BYTES];

	if (hg_answer_text(row, "reason")[0] == '\0')
		return;
	snprintf(words, sizeof(words), "%s: %s", hg_answer_text(row, "name"),
		 hg_answer_text(row, "text"));
	hg_table_wrap(cli->out, 0, 2, words);
}

void hg_credit_text_list(const struct hg_cli *cli, const json_t *answer)
{
	const json_t *rows = json_object_get(answer, "credits"), *row;
	char words[WORDS_BYTES];
	size_t i;

	if (hg_answer_text(answer, "fault")[0] != '\0') {
		snprintf(words, sizeof(words), "processors are not governed: %s",
			 hg_answer_text(answer, "fault"));
		hg_table_wrap(cli->out, 0, 2, words);
	}
	if (json_array_size(rows) == 0) {
		fputs("nobody has processor credits: an instance has with `cpu` and a `cgroup`\n",
		      cli->out);
		return;
	}
	hg_table_head(cli, columns);
	json_array_foreach(rows, i, row) list_line(cli, row);
	json_array_foreach(rows, i, row) trouble_line(cli, row);
	hg_table_text(
		cli, HG_DIM,
		"a credit is one processor for a minute; USED, LIMIT: of its own processors\n");
}

/* ---- one ---------------------------------------------------------------------------------------- */

static void line(const struct hg_cli *cli, const char *label, const char *words)
{
	int n = fprintf(cli->out, "  %-*s", LABEL_WIDTH, label);

	hg_table_wrap(cli->out, (unsigned)n, (unsigned)n, words);
}

static void balance_line(const struct hg_cli *cli, const json_t *row)
{
	char a[HG_HUMAN_BYTES], b[HG_HUMAN_BYTES], c[HG_HUMAN_BYTES], words[WORDS_BYTES];
	size_t n =
		(size_t)snprintf(words, sizeof(words), "%s credits: %s earned, of at most %s",
				 credits(a, row, "balance_cpu_ns"),
				 credits(b, row, "earned_cpu_ns"), credits(c, row, "max_cpu_ns"));

	if (hg_answer_number(row, "gift_cpu_ns") > 0)
		n += (size_t)snprintf(words + n, sizeof(words) - n, "; %s given",
				      credits(a, row, "gift_cpu_ns"));
	if (hg_answer_number(row, "surplus_cpu_ns") > 0)
		snprintf(words + n, sizeof(words) - n,
			 "; %s of surplus to be repaid, charged above %s",
			 credits(a, row, "surplus_cpu_ns"), credits(b, row, "surplus_max_cpu_ns"));
	line(cli, "balance", words);
}

static void use_lines(const struct hg_cli *cli, const json_t *row)
{
	char a[HG_HUMAN_BYTES], b[HG_HUMAN_BYTES], words[WORDS_BYTES];
	double ceiling = (double)hg_answer_number(row, "ceiling_mcpu") / MCPU_PER_CPU;

	snprintf(words, sizeof(words), "%s credits an hour; the baseline is %s of %g processor%s",
		 credits(a, row, "earn_cpu_ns_per_h"), share(b, row, "baseline_mcpu"), ceiling,
		 ceiling == 1 ? "" : "s");
	line(cli, "earns", words);
	snprintf(words, sizeof(words), "%s; %s%s%s", share(a, row, "used_mcpu"),
		 runs_out(row) ? "at this rate credits end in " : "at this rate credits do not end",
		 runs_out(row) ? lasts(b, row) : "", "");
	line(cli, "uses", words);
	if (is_pool(row))
		return;
	snprintf(words, sizeof(words), "%s; the kernel held it in %lld periods, for %s",
		 hg_answer_number(row, "limit_mcpu") == 0 ? "none" : share(a, row, "limit_mcpu"),
		 (long long)hg_answer_number(row, "throttled"),
		 hg_human_time(b, hg_answer_number(row, "throttled_ns")));
	line(cli, "limit", words);
}

static void total_line(const struct hg_cli *cli, const json_t *row)
{
	static const char *const keys[] = {"earned",  "gift",    "used", "lost",
					   "expired", "charged", "sent", "received"};
	const json_t *total = json_object_get(row, "total");
	char words[WORDS_BYTES], key[32], buf[HG_HUMAN_BYTES];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(key, sizeof(key), "%s_cpu_ns", keys[i]);
		if (hg_answer_number(total, key) == 0)
			continue;
		n += (size_t)snprintf(words + n, sizeof(words) - n, "%s%s %s", n > 0 ? ", " : "",
				      keys[i], credits(buf, total, key));
	}
	line(cli, "ever", n == 0 ? "nothing yet" : words);
}

void hg_credit_text_show(const struct hg_cli *cli, const json_t *row)
{
	const char *state = state_word(row);
	char words[WORDS_BYTES];

	hg_table_text(cli, HG_BOLD, hg_answer_text(row, "name"));
	fputc(' ', cli->out);
	hg_table_text(cli, state_colour(state), state);
	fprintf(cli->out, "  tenant %s, mode %s\n", hg_answer_text(row, "tenant"),
		hg_answer_text(row, "mode"));
	if (hg_answer_text(row, "text")[0] != '\0') {
		snprintf(words, sizeof(words), "%s%s", hg_answer_text(row, "text"),
			 json_is_true(json_object_get(row, "is_pooled"))
				 ? "; the credits are its tenant's pool"
				 : "");
		line(cli, "now", words);
	}
	balance_line(cli, row);
	use_lines(cli, row);
	total_line(cli, row);
	if (hg_answer_text(row, "cgroup")[0] != '\0')
		line(cli, "group", hg_answer_text(row, "cgroup"));
	if (json_is_true(json_object_get(row, "is_alarmed")))
		line(cli, "alarm", "the balance is below alarm_below");
}

/* ---- history ------------------------------------------------------------------------------------ */

static void history_line(const struct hg_cli *cli, const struct hg_column *c, const json_t *point)
{
	static const char *const keys[] = {"balance_cpu_ns", "used_cpu_ns", "earned_cpu_ns",
					   "surplus_cpu_ns", "charged_cpu_ns"};
	time_t at_s = (time_t)(hg_answer_number(point, "wall_ns") / HG_NS_PER_S);
	char buf[32];
	struct tm tm = {0};

	(void)localtime_r(&at_s, &tm);
	hg_table_cell(cli, c, 0, HG_PLAIN,
		      strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M", &tm) > 0 ? buf : "");
	for (unsigned i = 0; i < 5; i++)
		hg_table_cell(cli, c, i + 1, HG_PLAIN, credits(buf, point, keys[i]));
}

void hg_credit_text_history(const struct hg_cli *cli, const json_t *answer)
{
	static const struct hg_column c[] = {
		{"UP TO", -16}, {"CREDITS", 9}, {"USED", 9}, {"EARNED", 9},
		{"SURPLUS", 9}, {"CHARGED", 9}, {0}};
	const json_t *points = json_object_get(answer, "points"), *point;
	size_t i;

	if (json_array_size(points) == 0) {
		fputs("no history yet: there is a point each 5 minutes\n", cli->out);
		return;
	}
	hg_table_head(cli, c);
	json_array_foreach(points, i, point) history_line(cli, c, point);
}

/* ---- changes ------------------------------------------------------------------------------------ */

void hg_credit_text_grant(const struct hg_cli *cli, const json_t *answer)
{
	const json_t *row = json_object_get(answer, "credit");
	char a[HG_HUMAN_BYTES], b[HG_HUMAN_BYTES];

	fprintf(cli->out, "%s: %s credits granted, balance %s\n", hg_answer_text(row, "name"),
		credits(a, answer, "granted_cpu_ns"), credits(b, row, "balance_cpu_ns"));
}

void hg_credit_text_transfer(const struct hg_cli *cli, const json_t *answer)
{
	const json_t *from = json_object_get(answer, "from"), *to = json_object_get(answer, "to");
	char a[HG_HUMAN_BYTES], b[HG_HUMAN_BYTES];

	credits(a, answer, "sent_cpu_ns");
	fprintf(cli->out, "%s: %s credits sent, balance %s\n", hg_answer_text(from, "name"), a,
		credits(b, from, "balance_cpu_ns"));
	fprintf(cli->out, "%s: %s credits received, balance %s\n", hg_answer_text(to, "name"), a,
		credits(b, to, "balance_cpu_ns"));
}

void hg_credit_text_brief(const struct hg_cli *cli, const json_t *row)
{
	char a[HG_HUMAN_BYTES], b[HG_HUMAN_BYTES], c[HG_HUMAN_BYTES];
	const char *state = state_word(row);

	fprintf(cli->out, "    cpu: %s of %s credits, uses %s, ", credits(a, row, "balance_cpu_ns"),
		credits(b, row, "max_cpu_ns"), share(c, row, "used_mcpu"));
	hg_table_text(cli, state_colour(state), state);
	fputc('\n', cli->out);
}
