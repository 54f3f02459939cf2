#include "cli/record.h"
#include "cli/table.h"
#include "tests/harness.h"

/* A direction whose figures are as wide as they get. */
static json_t *direction(json_int_t min, json_int_t p99_ns)
{
	json_t *sample =
		json_pack("{s:I, s:I, s:I, s:I, s:{s:I, s:I}, s:I, s:I, s:I}", "for_ns",
			  (json_int_t)1000000000, "offered_bytes_per_s", (json_int_t)12487500000,
			  "sent_bytes_per_s", (json_int_t)12487500000, "wait_ns",
			  (json_int_t)999000000, "held_ns", "tenant_pkts", (json_int_t)999000000,
			  "max", (json_int_t)0, "wait_p99_ns", p99_ns, "waiting_bytes",
			  (json_int_t)680156, "drops", (json_int_t)12);

	return json_pack("{s:{s:I, s:I, s:I, s:s}, s:O, s:o, s:{s:I, s:I}, s:{s:I}}", "contract",
			 "min_bytes_per_s", min, "max_bytes_per_s", (json_int_t)0, "max_pkts_per_s",
			 (json_int_t)0, "accounting", "wire", "second", sample, "total", sample,
			 "proof", "kept", (json_int_t)90, "missed", (json_int_t)3, "drops",
			 "hold_bytes", (json_int_t)73);
}

/* What only instances have. */
static void give_card(json_t *instance)
{
	json_t *out = json_object_get(instance, "out"), *in = json_object_get(instance, "in");
	json_t *contract = json_object_get(out, "contract");

	(void)json_object_set_new(contract, "priority", json_string("high"));
	(void)json_object_set_new(contract, "behaviour", json_string("rate"));
	(void)json_object_set_new(json_object_get(in, "contract"), "priority", json_string("high"));
	(void)json_object_set_new(json_object_get(out, "second"), "card_p99_ns",
				  json_integer(204000));
	(void)json_object_set_new(out, "card",
				  json_pack("{s:I, s:{s:s}}", "share_bytes", (json_int_t)12000,
					    "behaviour", "text",
					    "relaxed: stayed inside its contract"));
}

/* What is printed of a tenant with a contract, or of its one instance without. The caller frees. */
static char *printed(bool is_tenant)
{
	json_t *instance = json_pack(
		"{s:s, s:s, s:s, s:s, s:[s,s], s:{s:{s:I,s:I}}, s:o, s:o}", "name", "web1",
		"tenant", "acme", "uplink", "up0", "mode", "observe", "ports", "web1-0", "web1-1",
		"port_drops", "web1-0", "spoofed_mac", (json_int_t)12, "broadcast_limit",
		(json_int_t)1234567890123, "out", direction(0, 33600000), "in", direction(0, 0));
	json_t *tenant = json_pack("{s:s, s:s, s:s, s:o, s:o, s:[O]}", "name", "acme", "uplink",
				   "up0", "mode", "enforce", "out", direction(12500000, 0), "in",
				   direction(0, 0), "instances", instance);
	char *text = NULL;
	size_t n_bytes;
	struct hg_cli cli = {.out = open_memstream(&text, &n_bytes)};

	give_card(instance);
	hg_record_print(&cli, is_tenant ? tenant : instance);
	json_decref(instance);
	json_decref(tenant);
	fclose(cli.out);
	return text;
}

static void s7_6_it_fits_80_columns(void)
{
	char *text = printed(/* is_tenant= */ true);

	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		HG_CHECK_BETWEEN(strcspn(line, "\n"), 0, 80);
	free(text);
}

static void units_stand_at_values_and_nothing_is_none(void)
{
	char *text = printed(/* is_tenant= */ true);

	HG_CHECK_HAS(text, "  min                            100 Mbit/s               none\n");
	HG_CHECK_HAS(text, "  max_pkts                             none               none\n");
	HG_CHECK_HAS(text, "  waiting now                        664KiB             664KiB\n");
	HG_CHECK_HAS(text, "    held by tenant_pkts        999ms, 100 %       999ms, 100 %\n");
	HG_CHECK(strstr(text, "held by max ") == NULL);
	free(text);
}

static void a_reason_for_drops_counts_packets_whatever_its_name(void)
{
	char *text = printed(/* is_tenant= */ true);

	HG_CHECK_HAS(text, "    reason hold_bytes                    73                 73\n");
	free(text);
}

static void the_waits_of_a_tenant_are_those_of_its_instances(void)
{
	char *text = printed(/* is_tenant= */ true);

	HG_CHECK_HAS(text, "  wait p99                           33.6ms                  -\n");
	HG_CHECK_HAS(text, "instances:\n  web1\n");
	free(text);
}

static void without_a_promise_there_is_no_proof(void)
{
	char *text = printed(/* is_tenant= */ false);

	HG_CHECK_HAS(text, "web1  tenant acme  uplink up0  mode observe\n");
	HG_CHECK_HAS(text, "nothing is promised\n");
	HG_CHECK_HAS(text, "ports:\n  web1-0\n");
	free(text);
}

static void s5_1_what_its_ports_dropped_is_shown_with_reasons(void)
{
	char *text = printed(/* is_tenant= */ false);

	HG_CHECK_HAS(text, "ports:\n  web1-0\n"
			   "    dropped, spoofed_mac                 12\n"
			   "    dropped, broadcast_limit      1234567890123\n"
			   "  web1-1\n");
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		HG_CHECK_BETWEEN(strcspn(line, "\n"), 0, 80);
	free(text);
}

static void s2_9_an_instance_has_its_part_of_the_card(void)
{
	char *text = printed(/* is_tenant= */ false);

	HG_CHECK_HAS(text, "  priority                             high               high\n");
	HG_CHECK_HAS(text, "  behaviour                            rate                  -\n");
	HG_CHECK_HAS(text, "  in the card p99                     204us                  -\n");
	HG_CHECK_HAS(text, "  its share of MAX                  11.7KiB\n");
	HG_CHECK_HAS(text, "  behaviour: relaxed: stayed inside its contract\n");
	free(text);
	text = printed(/* is_tenant= */ true);
	HG_CHECK_HAS(text, "  in the card p99                     204us                  -\n");
	HG_CHECK(strstr(text, "priority") == NULL);
	HG_CHECK(strstr(text, "share of MAX") == NULL);
	free(text);
}

/* ---- lines of words ----------------------------------------------------------------------------- */

static char *wrapped(unsigned indent, const char *words)
{
	char *text = NULL;
	size_t n_bytes;
	FILE *out = open_memstream(&text, &n_bytes);

	hg_table_wrap(out, 0, indent, words);
	fclose(out);
	return text;
}

static void words_are_broken_before_column_80_and_never_cut(void)
{
	char words[400] = "", *text;

	for (unsigned i = 0; i < 30; i++)
		strcat(words, i % 2 == 0 ? "seventeen " : "ten ");
	strcat(words, "a-word-of-more-than-eighty-columns-is-left-as-it-is-since-it-may-be-a-path-"
		      "that-someone-copies");
	text = wrapped(4, words);
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
		if (strstr(line, "a-word") != line + 4)
			HG_CHECK_BETWEEN(strcspn(line, "\n"), 1, 80);
	}
	HG_CHECK_HAS(text, "\n    a-word-of-more");
	free(text);
	text = wrapped(4, "");
	HG_CHECK_STR(text, "\n");
	free(text);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s7_6_it_fits_80_columns),
		HG_TEST(units_stand_at_values_and_nothing_is_none),
		HG_TEST(a_reason_for_drops_counts_packets_whatever_its_name),
		HG_TEST(the_waits_of_a_tenant_are_those_of_its_instances),
		HG_TEST(without_a_promise_there_is_no_proof),
		HG_TEST(s5_1_what_its_ports_dropped_is_shown_with_reasons),
		HG_TEST(s2_9_an_instance_has_its_part_of_the_card),
		HG_TEST(words_are_broken_before_column_80_and_never_cut),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
