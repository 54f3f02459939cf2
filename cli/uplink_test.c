#include "cli/uplink.h"
#include "tests/harness.h"

/* An uplink at work, as long as its figures may be. */
static const char at_work[] =
	"{'name': 'up0', 'device': 'simnic(rate=1Gbit,ring=64)+tap:a-long-name-0', 'link': 'up',"
	" 'reason': '', 'capacity_bytes_per_s': 125000000, 'out_bytes_per_s': 124370000,"
	" 'card_pkts': 17, 'card_ring_pkts': 64, 'card_bytes': 25000,"
	" 'inflight': {'state': 'on', 'text': 'releases tell what the card has sent; its queue is "
	"kept short', 'for_ns': 72000000000, 'n_state_changes': 2, 'is_paced': false,"
	" 'depth': 'auto', 'max_bytes': 24883, 'max_pkts': 180, 'rate_bytes_per_s': 125000000,"
	" 'outstanding_bytes': 12288, 'outstanding_pkts': 1, 'peak_bytes': 24000, 'n_active': 2,"
	" 'second': {'card_p50_ns': 110000, 'card_p99_ns': 204000, 'card_p999_ns': 230000,"
	" 'refused_pkts': 12, 'lost_pkts': 0},"
	" 'total': {'card_p50_ns': 110000, 'card_p99_ns': 9223372036854775807,"
	" 'card_p999_ns': 9223372036854775807, 'refused_pkts': 1234, 'lost_pkts': 5,"
	" 'late_pkts': 2, 'never_handed_pkts': 1},"
	" 'why_full': 'MAX is 24883B and 180 packets, but the card\\u0027s ring takes only 64 "
	"packets; a larger ring, or a smaller depth, ends it', 'n_samples': 9},"
	" 'instances': ["
	" {'name': 'flood', 'outstanding_bytes': 12288, 'share_bytes': 14336,"
	"  'card_p99_ns': 204000, 'held_window_ns': 870000000, 'held_priority_ns': 0,"
	"  'behaviour': {'level': 2, 'text': 'tightened to level 2 of 3: held by its own maximum "
	"for more than half of the time'}},"
	" {'name': 'a-name-that-is-longer-than-its-column', 'outstanding_bytes': 0,"
	"  'share_bytes': 10547, 'card_p99_ns': 99900, 'held_window_ns': 0,"
	"  'held_priority_ns': 999000000, 'behaviour': {'level': -1, 'text': 'relaxed: it "
	"stayed'}},"
	" {'name': 'quiet', 'outstanding_bytes': 0, 'share_bytes': 0, 'card_p99_ns': 0,"
	"  'held_window_ns': 0, 'held_priority_ns': 0, 'behaviour': {'level': 0, 'text': ''}}]}";

/* Nothing was ever sent, and the hook tells nothing. */
static const char silent[] =
	"{'name': 'up0', 'device': 'tap:out0', 'link': 'down', 'reason': 'no carrier',"
	" 'capacity_bytes_per_s': 125000000,"
	" 'inflight': {'state': 'silent', 'text': 'the driver does not release buffers; the link "
	"is paced instead', 'n_state_changes': 9, 'second': {}, 'total': {}},"
	" 'instances': [{'name': 'quiet', 'behaviour': {'level': 0}}]}";

typedef void (*print_fn)(const struct hg_cli *cli, const json_t *answer);

/* JSON with ' for ". The caller frees what is printed. */
static char *printed(print_fn print, const char *source)
{
	char *json_text = strdup(source), *text = NULL;
	size_t n_bytes;
	struct hg_cli cli = {.out = open_memstream(&text, &n_bytes)};
	json_error_t error;
	json_t *json;

	for (char *c = json_text; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	json = json_loads(json_text, 0, &error);
	if (json == NULL)
		HG_TEST_FAIL("%s", error.text);
	print(&cli, json);
	json_decref(json);
	free(json_text);
	fclose(cli.out);
	return text;
}

static void check_width(const char *text)
{
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		HG_CHECK_BETWEEN(strcspn(line, "\n"), 0, 80);
}

static void s2_9_who_is_in_the_card_and_who_waits(void)
{
	char *text = printed(hg_uplink_print, at_work);

	check_width(text);
	HG_CHECK_HAS(text, "on, for 72s: releases tell what the card has sent");
	HG_CHECK_HAS(text, "24.3KiB or 180 packets (auto: found, and followed)");
	HG_CHECK_HAS(text, "12KiB in 1 packet: 49 % of MAX in bytes");
	HG_CHECK_HAS(text, "24.4KiB in 17 packets; its ring takes 64");
	HG_CHECK_HAS(text, "last second p50 110us, p99 204us, p99.9 230us");
	HG_CHECK_HAS(text, "since start p50 110us, p99 >2.15s");
	HG_CHECK_HAS(
		text,
		"flood                 12KiB    14KiB   58 %   204us   870ms       - tight 2\n");
	HG_CHECK_HAS(text, "a-name-that-is-lo~        -  10.3KiB   42 %  99.9us       -   999ms "
			   "relaxed\n");
	HG_CHECK_HAS(text, "flood: tightened to level 2 of 3: held by its own maximum");
	HG_CHECK_HAS(text, "and 1 instance had nothing in the card");
	HG_CHECK(strstr(text, "relaxed: it stayed") == NULL);
	HG_CHECK(strstr(text, "quiet") == NULL);
	free(text);
}

static void s2_12_a_full_queue_is_explained(void)
{
	char *text = printed(hg_uplink_print, at_work);

	HG_CHECK_HAS(text, "card was full     1234 packets");
	HG_CHECK_HAS(text, "1234 packets, of them 12 in the last second: MAX is 24883B");
	HG_CHECK_HAS(text, "5 packets whose buffers did not come back");
	free(text);
	text = printed(hg_uplink_print, silent);
	HG_CHECK(strstr(text, "was full") == NULL);
	HG_CHECK(strstr(text, "lost") == NULL);
	free(text);
}

static void s2_10_a_silent_hook_is_shown(void)
{
	char *text = printed(hg_uplink_print, silent);

	check_width(text);
	HG_CHECK_HAS(text, "no carrier");
	HG_CHECK_HAS(text, "silent, for 0: the driver does not release buffers");
	HG_CHECK_HAS(text, "none in force");
	HG_CHECK_HAS(text, "since start: nothing was released");
	HG_CHECK_HAS(text, "1 instance had nothing in the card");
	free(text);
}

static void s2_4_which_bound_is_reached_first_is_said(void)
{
	char *text =
		printed(hg_uplink_print,
			"{'mode': 'enforce', 'inflight': {'state': 'on', 'max_bytes': 1000000,"
			" 'max_pkts': 32, 'outstanding_bytes': 50000, 'outstanding_pkts': 33}}");

	HG_CHECK_HAS(text, "48.8KiB in 33 packets: 103 % of MAX in packets");
	free(text);
	text = printed(hg_uplink_print, "{'mode': 'observe', 'inflight': {'max_bytes': 30000}}");
	HG_CHECK_HAS(text, "mode is observe: nothing is held");
	free(text);
}

static void s2_4_a_card_that_is_filled_ahead_says_why(void)
{
	char *text = printed(hg_uplink_print,
			     "{'mode': 'enforce', 'inflight': {'state': 'on', 'max_bytes': 100000,"
			     " 'away_lead_ns': 640000}}");

	check_width(text);
	HG_CHECK_HAS(text, "filled ahead");
	HG_CHECK_HAS(text, "640us, since others have the worker's processor too often");
	free(text);
	text = printed(hg_uplink_print, at_work);
	HG_CHECK(strstr(text, "filled ahead") == NULL);
	free(text);
}

static void s2_14_samples_are_listed(void)
{
	char *text = printed(
		hg_uplink_print_depth,
		"{'samples': [{'number': 41, 'at_ns': 1000000, 'max_bytes': 24576},"
		" {'number': 42, 'at_ns': 1250000, 'max_bytes': 20480, 'n_held': 7,"
		" 'released_bytes': 31250, 'lost_bytes': 0, 'late_bytes': 96, 'lead_ns': 4096,"
		" 'card_min_ns': 12300, 'card_max_ns': 250000}]}");

	check_width(text);
	HG_CHECK_HAS(text, "      42   250us    20KiB  30.5KiB       7      96B   4.10us  12.3us"
			   "   250us\n");
	HG_CHECK_HAS(text, "2 samples are kept");
	free(text);
	text = printed(hg_uplink_print_depth, "{'samples': []}");
	HG_CHECK_HAS(text, "no samples");
	free(text);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s2_9_who_is_in_the_card_and_who_waits),
		HG_TEST(s2_12_a_full_queue_is_explained),
		HG_TEST(s2_10_a_silent_hook_is_shown),
		HG_TEST(s2_4_which_bound_is_reached_first_is_said),
		HG_TEST(s2_4_a_card_that_is_filled_ahead_says_why),
		HG_TEST(s2_14_samples_are_listed),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
