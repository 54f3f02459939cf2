#include "cli/credit_text.h"
#include "tests/harness.h"

/* One of each kind: who bursts, who is held, who waits, who owes, and a pool. */
static const char all[] =
	"{'fault': '', 'credits': ["
	" {'name': 'web1', 'tenant': 'acme', 'state': 'open', 'is_pool': false, 'mode': 'standard',"
	"  'text': 'open: 34.2 credits, at this use they last 41 min', 'reason': '',"
	"  'cgroup': '/sys/fs/cgroup/cpu/machine/web1', 'limit_mcpu': 0, 'throttled': 3,"
	"  'throttled_ns': 1500000000, 'baseline_mcpu': 200, 'ceiling_mcpu': 2000,"
	"  'used_mcpu': 1000, 'balance_cpu_ns': 2052000000000, 'earned_cpu_ns': 1452000000000,"
	"  'gift_cpu_ns': 600000000000, 'max_cpu_ns': 17280000000000,"
	"  'earn_cpu_ns_per_h': 720000000000, 'exhausted_in_ns': 2460000000000,"
	"  'total': {'earned_cpu_ns': 1452000000000, 'gift_cpu_ns': 600000000000}},"
	" {'name': 'a-name-that-is-longer-than-its-column', 'state': 'baseline',"
	"  'is_pool': false, 'text': 'held at baseline since 12:04', 'limit_mcpu': 200,"
	"  'baseline_mcpu': 200, 'ceiling_mcpu': 1000, 'used_mcpu': 199, 'balance_cpu_ns': 1,"
	"  'max_cpu_ns': 599999940000000000, 'earn_cpu_ns_per_h': 14745600000000,"
	"  'exhausted_in_ns': 0},"
	" {'name': 'gone', 'state': 'waiting', 'is_pool': false, 'reason': 'no such folder',"
	"  'text': 'waiting for its control group: no such folder', 'limit_mcpu': 0,"
	"  'ceiling_mcpu': 1000, 'used_mcpu': 0, 'balance_cpu_ns': 0, 'max_cpu_ns': 1,"
	"  'earn_cpu_ns_per_h': 0, 'exhausted_in_ns': null},"
	" {'name': 'owes', 'state': 'open', 'is_pool': false, 'limit_mcpu': 0,"
	"  'ceiling_mcpu': 1000, 'used_mcpu': 1000, 'balance_cpu_ns': -21000000000,"
	"  'surplus_cpu_ns': 21000000000, 'surplus_max_cpu_ns': 17280000000000,"
	"  'max_cpu_ns': 17280000000000, 'earn_cpu_ns_per_h': 720000000000,"
	"  'exhausted_in_ns': 540000000000000},"
	" {'name': 'acme', 'tenant': 'acme', 'is_pool': true, 'ceiling_mcpu': 4000,"
	"  'used_mcpu': 400, 'balance_cpu_ns': 60000000000, 'max_cpu_ns': 17280000000000,"
	"  'earn_cpu_ns_per_h': 720000000000, 'exhausted_in_ns': null}]}";

typedef void (*print_fn)(const struct hg_cli *cli, const json_t *answer);

/* JSON with ' for ". The caller decrefs. */
static json_t *parsed(const char *source)
{
	char *json_text = strdup(source);
	json_error_t error;
	json_t *json;

	for (char *c = json_text; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	json = json_loads(json_text, 0, &error);
	if (json == NULL)
		HG_TEST_FAIL("%s", error.text);
	free(json_text);
	return json;
}

/* The caller frees what is printed; no line of it is wider than a terminal. */
static char *printed(print_fn print, const json_t *json)
{
	char *text = NULL;
	size_t n_bytes;
	struct hg_cli cli = {.out = open_memstream(&text, &n_bytes)};

	print(&cli, json);
	fclose(cli.out);
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		HG_CHECK_BETWEEN(strcspn(line, "\n"), 0, 80);
	return text;
}

static char *printed_of(print_fn print, const char *source)
{
	json_t *json = parsed(source);
	char *text = printed(print, json);

	json_decref(json);
	return text;
}

static void s6_12_who_has_what_and_who_is_held(void)
{
	char *text = printed_of(hg_credit_text_list, all);

	HG_CHECK_HAS(text, "web1               open         34.2     288      12   50 %   none  "
			   "    41 min\n");
	HG_CHECK_HAS(text, "a-name-that-is-lo~ baseline        0 9999999   245.8   20 %   20 %  "
			   "       0 s\n");
	HG_CHECK_HAS(text, "gone: waiting for its control group: no such folder\n");
	HG_CHECK_HAS(text, "owes               open        -0.35 ");
	HG_CHECK_HAS(text, "6.2 days\n");
	HG_CHECK_HAS(text, "acme               pool            1 ");
	HG_CHECK(strstr(text, "not governed") == NULL);
	free(text);
}

static void s6_12_why_nothing_is_governed_is_said(void)
{
	char *text =
		printed_of(hg_credit_text_list, "{'fault': 'the store is damaged', 'credits': []}");

	HG_CHECK_HAS(text, "processors are not governed: the store is damaged\n");
	HG_CHECK_HAS(text, "nobody has processor credits");
	free(text);
}

static void s6_12_all_about_one(void)
{
	json_t *json = parsed(all);
	const json_t *rows = json_object_get(json, "credits");
	char *text = printed(hg_credit_text_show, json_array_get(rows, 0));

	HG_CHECK_HAS(text, "web1 open  tenant acme, mode standard\n");
	HG_CHECK_HAS(text, "  now         open: 34.2 credits, at this use they last 41 min\n");
	HG_CHECK_HAS(text, "34.2 credits: 24.2 earned, of at most 288; 10 given\n");
	HG_CHECK_HAS(text, "12 credits an hour; the baseline is 10 % of 2 processors\n");
	HG_CHECK_HAS(text, "50 %; at this rate credits end in 41 min\n");
	HG_CHECK_HAS(text, "none; the kernel held it in 3 periods, for 1.50s\n");
	HG_CHECK_HAS(text, "  ever        earned 24.2, gift 10\n");
	HG_CHECK_HAS(text, "/sys/fs/cgroup/cpu/machine/web1\n");
	free(text);
	text = printed(hg_credit_text_show, json_array_get(rows, 3));
	HG_CHECK_HAS(text, "0.35 of surplus to be");
	free(text);
	text = printed(hg_credit_text_show, json_array_get(rows, 4));
	HG_CHECK(strstr(text, "limit") == NULL);
	free(text);
	json_decref(json);
}

static void s6_12_the_live_table_has_a_line(void)
{
	json_t *json = parsed(all);
	const json_t *row = json_array_get(json_object_get(json, "credits"), 0);
	char *text = printed(hg_credit_text_brief, row);

	HG_CHECK_STR(text, "    cpu: 34.2 of 288 credits, uses 50 %, open\n");
	free(text);
	json_decref(json);
}

static void s6_11_says_what_it_changed(void)
{
	char *text = printed_of(hg_credit_text_grant,
				"{'granted_cpu_ns': 600000000000,"
				" 'credit': {'name': 'web1', 'balance_cpu_ns': 2052000000000}}");

	HG_CHECK_STR(text, "web1: 10 credits granted, balance 34.2\n");
	free(text);
	text = printed_of(hg_credit_text_transfer,
			  "{'sent_cpu_ns': 300000000000,"
			  " 'from': {'name': 'web1', 'balance_cpu_ns': 1752000000000},"
			  " 'to': {'name': 'db', 'balance_cpu_ns': 330000000000}}");
	HG_CHECK_STR(text, "web1: 5 credits sent, balance 29.2\n"
			   "db: 5 credits received, balance 5.5\n");
	free(text);
}

static void s6_12_history_is_a_table(void)
{
	char *text;

	setenv("TZ", "UTC", 1);
	text = printed_of(hg_credit_text_history,
			  "{'points': [{'wall_ns': 1000000200000000000,"
			  " 'balance_cpu_ns': 2052000000000, 'used_cpu_ns': 150000000000,"
			  " 'earned_cpu_ns': 60000000000, 'surplus_cpu_ns': 0,"
			  " 'charged_cpu_ns': 0}]}");
	HG_CHECK_HAS(text, "2001-09-09 01:50      34.2       2.5         1         0         0\n");
	free(text);
	text = printed_of(hg_credit_text_history, "{'points': []}");
	HG_CHECK_HAS(text, "no history yet");
	free(text);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s6_12_who_has_what_and_who_is_held),
		HG_TEST(s6_12_why_nothing_is_governed_is_said),
		HG_TEST(s6_12_all_about_one),
		HG_TEST(s6_12_the_live_table_has_a_line),
		HG_TEST(s6_11_says_what_it_changed),
		HG_TEST(s6_12_history_is_a_table),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
