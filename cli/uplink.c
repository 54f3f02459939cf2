#include "cli/answer.h"
#include "cli/uplink.h"

#include "api/human.h"
#include "cli/table.h"

#include <string.h>

#define LABEL_WIDTH 18
#define LINE_BYTES 700
#define CELL_BYTES 48

/* Samples shown where the answer has more: a screen. */
#define N_DEPTH_LINES 20u

enum { NAME, IN_CARD, SHARE, OF_MAX, P99, WINDOW, PRIORITY, BEHAVIOUR };

static const struct hg_column columns[] = {
	[NAME] = {"INSTANCE", -18},
	[IN_CARD] = {"IN CARD", 8},
	[SHARE] = {"SHARE", 8},
	[OF_MAX] = {"OF MAX", 6},
	[P99] = {"P99", 7},
	[WINDOW] = {"WINDOW", 7},
	[PRIORITY] = {"PRIO", 7},
	[BEHAVIOUR] = {"BEHAVES", -11},
	{0},
};

static char *size_of(char *buf, const json_t *object, const char *key)
{
	return hg_human_size(buf, (uint64_t)hg_answer_number(object, key));
}

/* "  label             words in lines" */
static void line(const struct hg_cli *cli, const char *label, enum hg_colour colour,
		 const char *words)
{
	char head[LABEL_WIDTH + 8];
	int n = snprintf(head, sizeof(head), "  %-*s", LABEL_WIDTH, label);

	hg_table_text(cli, colour, head);
	hg_table_wrap(cli->out, (unsigned)n, (unsigned)n, words);
}

static void packets(char *buf, json_int_t n)
{
	snprintf(buf, CELL_BYTES, "%lld packet%s", (long long)n, n == 1 ? "" : "s");
}

/* ---- the card's queue --------------------------------------------------------------------------- */

static void head_lines(const struct hg_cli *cli, const json_t *uplink)
{
	bool is_up = strcmp(hg_answer_text(uplink, "link"), "up") == 0;
	char rate[HG_HUMAN_BYTES], out[HG_HUMAN_BYTES], share[HG_HUMAN_BYTES], words[LINE_BYTES];
	uint64_t capacity = (uint64_t)hg_answer_number(uplink, "capacity_bytes_per_s");
	uint64_t sent = (uint64_t)hg_answer_number(uplink, "out_bytes_per_s");

	hg_table_text(cli, HG_BOLD, hg_answer_text(uplink, "name"));
	fputc(' ', cli->out);
	hg_table_text(cli, is_up ? HG_GREEN : HG_RED, hg_answer_text(uplink, "link"));
	snprintf(words, sizeof(words), "  %s", hg_answer_text(uplink, "device"));
	hg_table_wrap(cli->out, 0, 2, words);
	if (!is_up && hg_answer_text(uplink, "reason")[0] != '\0')
		line(cli, "", HG_PLAIN, hg_answer_text(uplink, "reason"));
	snprintf(words, sizeof(words), "%s, of which %s is sent (%s)",
		 hg_human_rate_long(rate, capacity), hg_human_rate_long(out, sent),
		 hg_human_share(share, sent, capacity));
	line(cli, "capacity", HG_PLAIN, words);
}

static void state_line(const struct hg_cli *cli, const json_t *inflight)
{
	char words[LINE_BYTES], age[HG_HUMAN_BYTES];
	const char *state = hg_answer_text(inflight, "state");
	bool is_trouble = strcmp(state, "early") == 0 || strcmp(state, "silent") == 0;

	snprintf(words, sizeof(words), "%s, for %s: %s%s", state,
		 hg_human_time(age, hg_answer_number(inflight, "for_ns")),
		 hg_answer_text(inflight, "text"),
		 hg_answer_number(inflight, "n_state_changes") > 2
			 ? "; it has changed more than once"
			 : "");
	line(cli, "in-flight control", is_trouble ? HG_YELLOW : HG_PLAIN, words);
}

static void max_line(const struct hg_cli *cli, const json_t *uplink, const json_t *inflight)
{
	bool is_observed = strcmp(hg_answer_text(uplink, "mode"), "observe") == 0;
	char words[LINE_BYTES], max[HG_HUMAN_BYTES], rate[HG_HUMAN_BYTES], n[CELL_BYTES];
	bool is_found = strcmp(hg_answer_text(inflight, "depth"), "pinned") != 0;
	size_t used;

	if (hg_answer_number(inflight, "max_bytes") == 0 || is_observed) {
		line(cli, "MAX", HG_PLAIN,
		     is_observed ? "mode is observe: nothing is held, and the card fills"
				 : "none in force: the card may hold what it takes");
		return;
	}
	used = (size_t)snprintf(words, sizeof(words), "%s", size_of(max, inflight, "max_bytes"));
	if (hg_answer_number(inflight, "max_pkts") > 0) {
		packets(n, hg_answer_number(inflight, "max_pkts"));
		used += (size_t)snprintf(words + used, sizeof(words) - used, " or %s", n);
	}
	used += (size_t)snprintf(words + used, sizeof(words) - used, " (%s%s)",
				 hg_answer_text(inflight, "depth"),
				 is_found ? ": found, and followed" : " by the operator");
	if (hg_answer_number(inflight, "rate_bytes_per_s") > 0)
		snprintf(words + used, sizeof(words) - used, "; the link is believed to run at %s",
			 hg_human_rate_long(
				 rate, (uint64_t)hg_answer_number(inflight, "rate_bytes_per_s")));
	line(cli, "MAX", HG_PLAIN, words);
}

static void away_line(const struct hg_cli *cli, const json_t *inflight)
{
	char words[LINE_BYTES], time[HG_HUMAN_BYTES];

	if (hg_answer_number(inflight, "away_lead_ns") <= 0)
		return;
	snprintf(words, sizeof(words),
		 "%s, since others have the worker's processor too often; the link goes on "
		 "meanwhile",
		 hg_human_time(time, hg_answer_number(inflight, "away_lead_ns")));
	line(cli, "filled ahead", HG_YELLOW, words);
}

static void now_lines(const struct hg_cli *cli, const json_t *uplink, const json_t *inflight)
{
	char words[LINE_BYTES], size[HG_HUMAN_BYTES], n[CELL_BYTES], share[HG_HUMAN_BYTES];
	uint64_t max = (uint64_t)hg_answer_number(inflight, "max_bytes");
	uint64_t max_pkts = (uint64_t)hg_answer_number(inflight, "max_pkts");
	uint64_t bytes = (uint64_t)hg_answer_number(inflight, "outstanding_bytes");
	uint64_t pkts = (uint64_t)hg_answer_number(inflight, "outstanding_pkts");
	/* Which of the two is reached first. */
	bool are_pkts_first =
		max_pkts > 0 && (double)pkts * (double)max > (double)bytes * (double)max_pkts;

	if (are_pkts_first)
		hg_human_share(share, pkts, max_pkts);
	else
		hg_human_share(share, bytes, max);
	packets(n, (json_int_t)pkts);
	snprintf(words, sizeof(words), "%s in %s%s%s%s",
		 size_of(size, inflight, "outstanding_bytes"), n, max > 0 ? ": " : "",
		 max > 0 ? share : "",
		 max == 0         ? ""
		 : are_pkts_first ? " of MAX in packets"
				  : " of MAX in bytes");
	line(cli, "in the card now", HG_PLAIN, words);
	if (hg_answer_number(uplink, "card_ring_pkts") == 0)
		return;
	packets(n, hg_answer_number(uplink, "card_pkts"));
	snprintf(words, sizeof(words), "%s in %s; its ring takes %lld",
		 size_of(size, uplink, "card_bytes"), n,
		 (long long)hg_answer_number(uplink, "card_ring_pkts"));
	line(cli, "by its own count", HG_PLAIN, words);
}

static void time_line(const struct hg_cli *cli, const char *label, const char *when,
		      const json_t *part)
{
	char words[LINE_BYTES], a[HG_HUMAN_BYTES], b[HG_HUMAN_BYTES], c[HG_HUMAN_BYTES];

	if (hg_answer_number(part, "card_p99_ns") == 0)
		snprintf(words, sizeof(words), "%s: nothing was released", when);
	else
		snprintf(words, sizeof(words), "%s p50 %s, p99 %s, p99.9 %s", when,
			 hg_human_time(a, hg_answer_number(part, "card_p50_ns")),
			 hg_human_time(b, hg_answer_number(part, "card_p99_ns")),
			 hg_human_time(c, hg_answer_number(part, "card_p999_ns")));
	line(cli, label, HG_PLAIN, words);
}

static void trouble_lines(const struct hg_cli *cli, const json_t *inflight)
{
	const json_t *total = json_object_get(inflight, "total");
	const json_t *second = json_object_get(inflight, "second");
	char words[LINE_BYTES], n[CELL_BYTES];

	if (hg_answer_number(total, "refused_pkts") > 0) {
		packets(n, hg_answer_number(total, "refused_pkts"));
		snprintf(words, sizeof(words), "%s, of them %lld in the last second: %s", n,
			 (long long)hg_answer_number(second, "refused_pkts"),
			 hg_answer_text(inflight, "why_full"));
		line(cli, "card was full", HG_YELLOW, words);
	}
	if (hg_answer_number(total, "lost_pkts") > 0) {
		packets(n, hg_answer_number(total, "lost_pkts"));
		snprintf(words, sizeof(words),
			 "%s whose buffers did not come back; they were written off, and %lld of "
			 "them came later",
			 n, (long long)hg_answer_number(total, "late_pkts"));
		line(cli, "lost", HG_YELLOW, words);
	}
	if (hg_answer_number(total, "never_handed_pkts") > 0) {
		packets(n, hg_answer_number(total, "never_handed_pkts"));
		snprintf(words, sizeof(words), "%s released before the card had them", n);
		line(cli, "never handed over", HG_PLAIN, words);
	}
}

/* ---- its instances ------------------------------------------------------------------------------ */

static bool is_listed(const json_t *instance)
{
	return hg_answer_number(instance, "outstanding_bytes") > 0 ||
	       hg_answer_number(instance, "card_p99_ns") > 0 ||
	       hg_answer_number(instance, "held_window_ns") > 0 ||
	       hg_answer_number(instance, "held_priority_ns") > 0 ||
	       hg_answer_number(json_object_get(instance, "behaviour"), "level") != 0;
}

static void cell(const struct hg_cli *cli, unsigned column, json_int_t value, const char *shown)
{
	hg_table_cell(cli, columns, column, value == 0 ? HG_DIM : HG_PLAIN,
		      value == 0 ? "-" : shown);
}

static void behaviour_cell(const struct hg_cli *cli, json_int_t level)
{
	char buf[CELL_BYTES];

	snprintf(buf, sizeof(buf), "tight %lld", (long long)level);
	hg_table_cell(cli, columns, BEHAVIOUR,
		      level > 0   ? HG_YELLOW
		      : level < 0 ? HG_GREEN
				  : HG_DIM,
		      level > 0   ? buf
		      : level < 0 ? "relaxed"
				  : "-");
}

static void instance_line(const struct hg_cli *cli, const json_t *one, uint64_t max_bytes)
{
	json_int_t in_card = hg_answer_number(one, "outstanding_bytes"),
		   share = hg_answer_number(one, "share_bytes");
	json_int_t p99 = hg_answer_number(one, "card_p99_ns"),
		   window = hg_answer_number(one, "held_window_ns");
	json_int_t priority = hg_answer_number(one, "held_priority_ns");
	char buf[HG_HUMAN_BYTES];

	hg_table_cell(cli, columns, NAME, HG_PLAIN, hg_answer_text(one, "name"));
	cell(cli, IN_CARD, in_card, hg_human_size(buf, (uint64_t)in_card));
	cell(cli, SHARE, share, hg_human_size(buf, (uint64_t)share));
	cell(cli, OF_MAX, max_bytes == 0 ? 0 : share,
	     hg_human_share(buf, (uint64_t)share, max_bytes));
	cell(cli, P99, p99, hg_human_time(buf, p99));
	cell(cli, WINDOW, window, hg_human_time(buf, window));
	cell(cli, PRIORITY, priority, hg_human_time(buf, priority));
	behaviour_cell(cli, hg_answer_number(json_object_get(one, "behaviour"), "level"));
}

/* Why they were tightened. To be relaxed is nothing to explain. */
static void behaviour_lines(const struct hg_cli *cli, const json_t *instances)
{
	char words[LINE_BYTES];
	const json_t *one;
	size_t i;

	json_array_foreach(instances, i, one)
	{
		const json_t *behaviour = json_object_get(one, "behaviour");

		if (hg_answer_number(behaviour, "level") <= 0)
			continue;
		snprintf(words, sizeof(words), "%s: %s", hg_answer_text(one, "name"),
			 hg_answer_text(behaviour, "text"));
		hg_table_wrap(cli->out, 0, 2, words);
	}
}

static void instance_lines(const struct hg_cli *cli, const json_t *instances, uint64_t max_bytes)
{
	unsigned n_listed = 0, n_quiet = 0;
	const json_t *one;
	char words[LINE_BYTES];
	size_t i;

	fputc('\n', cli->out);
	json_array_foreach(instances, i, one)
	{
		if (!is_listed(one)) {
			n_quiet++;
			continue;
		}
		if (n_listed++ == 0)
			hg_table_head(cli, columns);
		instance_line(cli, one, max_bytes);
	}
	if (n_quiet > 0) {
		snprintf(words, sizeof(words), "%s%u instance%s had nothing in the card\n",
			 n_listed > 0 ? "and " : "", n_quiet, n_quiet == 1 ? "" : "s");
		hg_table_text(cli, HG_DIM, words);
	}
	if (n_listed == 0)
		return;
	behaviour_lines(cli, instances);
	hg_table_text(cli, HG_DIM,
		      "P99: time in the card; WINDOW, PRIO: held by its share, by its priority;\n"
		      "both in the last second\n");
}

void hg_uplink_print(const struct hg_cli *cli, const json_t *uplink)
{
	const json_t *inflight = json_object_get(uplink, "inflight");

	head_lines(cli, uplink);
	state_line(cli, inflight);
	max_line(cli, uplink, inflight);
	away_line(cli, inflight);
	now_lines(cli, uplink, inflight);
	time_line(cli, "time in the card", "last second", json_object_get(inflight, "second"));
	time_line(cli, "", "since start", json_object_get(inflight, "total"));
	trouble_lines(cli, inflight);
	instance_lines(cli, json_object_get(uplink, "instances"),
		       (uint64_t)hg_answer_number(inflight, "max_bytes"));
}

/* ---- samples ------------------------------------------------------------------------------------ */

static void depth_line(const struct hg_cli *cli, const struct hg_column *c, const json_t *sample,
		       json_int_t before_ns)
{
	char buf[CELL_BYTES];
	json_int_t n;

	snprintf(buf, sizeof(buf), "%lld", (long long)hg_answer_number(sample, "number"));
	hg_table_cell(cli, c, 0, HG_PLAIN, buf);
	hg_table_cell(cli, c, 1, HG_PLAIN,
		      before_ns == 0
			      ? "-"
			      : hg_human_time(buf, hg_answer_number(sample, "at_ns") - before_ns));
	hg_table_cell(cli, c, 2, HG_BOLD, size_of(buf, sample, "max_bytes"));
	hg_table_cell(cli, c, 3, HG_PLAIN, size_of(buf, sample, "released_bytes"));
	snprintf(buf, sizeof(buf), "%lld", (long long)hg_answer_number(sample, "n_held"));
	hg_table_cell(cli, c, 4, HG_PLAIN, buf);
	n = hg_answer_number(sample, "lost_bytes") + hg_answer_number(sample, "late_bytes");
	hg_table_cell(cli, c, 5, HG_PLAIN, n < 0 ? "-" : hg_human_size(buf, (uint64_t)n));
	n = hg_answer_number(sample, "lead_ns");
	hg_table_cell(cli, c, 6, HG_PLAIN, n < 0 || n == HG_NEVER ? "-" : hg_human_time(buf, n));
	hg_table_cell(cli, c, 7, HG_PLAIN,
		      hg_human_time(buf, hg_answer_number(sample, "card_min_ns")));
	hg_table_cell(cli, c, 8, HG_PLAIN,
		      hg_human_time(buf, hg_answer_number(sample, "card_max_ns")));
}

void hg_uplink_print_depth(const struct hg_cli *cli, const json_t *answer)
{
	static const struct hg_column c[] = {
		{"SAMPLE", 8}, {"AFTER", 7}, {"MAX", 8},  {"RELEASED", 8}, {"HELD", 7},
		{"DRY", 8},    {"LEAD", 8},  {"CARD", 7}, {"TO", 7},       {0}};
	const json_t *samples = json_object_get(answer, "samples");
	size_t n = json_array_size(samples), i = n > N_DEPTH_LINES ? n - N_DEPTH_LINES : 0;

	if (n == 0) {
		fputs("no samples: they are taken while in-flight control is on and something is "
		      "sent\n",
		      cli->out);
		return;
	}
	hg_table_head(cli, c);
	for (json_int_t before_ns = 0; i < n; i++) {
		const json_t *sample = json_array_get(samples, i);

		depth_line(cli, c, sample, before_ns);
		before_ns = hg_answer_number(sample, "at_ns");
	}
	fprintf(cli->out, "%zu sample%s are kept; -j has them all\n", n, n == 1 ? "" : "s");
	hg_table_text(
		cli, HG_DIM,
		"HELD: times that waiting work was let through; DRY: what the link lacked;\n"
		"LEAD: how far ahead of the link it is filled; CARD TO: least, most time in it\n");
}
