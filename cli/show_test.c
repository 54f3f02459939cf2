#include "cli/show.h"
#include "cli/table.h"
#include "tests/harness.h"

/* A host at work: a flood that is held by the link, a quiet one, names as long as they may be. */
static json_t *direction(json_int_t offered, json_int_t sent, json_int_t min, json_int_t link_ns,
			 json_int_t missed)
{
	return json_pack("{s:{s:I}, s:{s:I, s:I, s:I, s:I, s:I, s:{s:I, s:I}}, s:{s:I, s:I}}",
			 "contract", "min_bytes_per_s", min, "second", "for_ns",
			 (json_int_t)1000000000, "offered_bytes_per_s", offered, "sent_bytes_per_s",
			 sent, "wait_ns", link_ns, "wait_p99_ns", link_ns / 1000, "held_ns", "link",
			 link_ns, "tenant_max", link_ns / 8, "proof", "kept", (json_int_t)90,
			 "missed", missed);
}

static json_t *contract(const char *name, json_t *out, json_t *in)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", name, "uplink", "up0", "mode",
			 "enforce", "out", out, "in", in);
}

static json_t *status(void)
{
	json_t *flood = contract("flood", direction(130000000, 124000000, 12500000, 870000000, 0),
				 direction(0, 0, 0, 0, 0));
	json_t *late = contract("a-name-that-is-longer-than-its-column",
				direction(1250000, 1250000, 12500000, 0, 3),
				direction(99900000, 99900000, 0, 999000000, 0));
	json_t *tenant = contract("acme", direction(131250000, 125250000, 12500000, 0, 0),
				  direction(0, 0, 0, 0, 0));

	(void)json_object_set_new(tenant, "instances", json_pack("[o, o]", flood, late));
	return json_pack("{s:{s:s, s:s, s:I, s:I, s:I}, s:[{s:s, s:s, s:s, s:I, s:I, s:I, "
			 "s:{s:I, s:I}}], s:[o]}",
			 "host", "version", "0.1.0", "mode", "observe", "up_for_ns",
			 (json_int_t)86399000000000, "busy_ppm", (json_int_t)1999999,
			 "stolen_seconds", (json_int_t)99999, "uplinks", "name", "up0", "link",
			 "up", "reason", "", "capacity_bytes_per_s", (json_int_t)125000000,
			 "out_bytes_per_s", (json_int_t)124370000, "in_bytes_per_s",
			 (json_int_t)2400000, "guaranteed_bytes_per_s", "out", (json_int_t)12500000,
			 "in", (json_int_t)0, "tenants", tenant);
}

/* What show prints, for an uplink. The caller frees. */
static char *shown(const char *uplink, int want)
{
	char *text = NULL, *errors = NULL;
	size_t n_bytes, n_errors;
	struct hg_cli cli = {.out = open_memstream(&text, &n_bytes),
			     .err = open_memstream(&errors, &n_errors)};
	json_t *json = status();
	int rc = hg_show_status(&cli, json, uplink);

	json_decref(json);
	fclose(cli.out);
	fclose(cli.err);
	free(errors);
	HG_CHECK_EQ(rc, want);
	return text;
}

static void s7_6_the_table_fits_80_columns(void)
{
	char *text = shown(NULL, HG_EXIT_DONE);

	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		HG_CHECK_BETWEEN(strcspn(line, "\n"), 0, 80);
	free(text);
}

static void s7_6_demand_guarantee_got_wait_held_kept(void)
{
	char *text = shown("up0", HG_EXIT_DONE);

	HG_CHECK_HAS(text,
		     "  flood             1.04G   100M   992M      -  870us link 87 %          "
		     "100 %\n");
	/* A tenant's P99 is the longest of its instances. */
	HG_CHECK_HAS(text, "acme                1.05G   100M     1G      -  999us ");
	HG_CHECK_HAS(text, "in link 100 %");
	HG_CHECK_HAS(text, "96.8 %"); /* 90 of 93 */
	HG_CHECK_HAS(text, "  a-name-that-is-~");
	free(text);
}

static void s2_9_what_is_in_the_card_stands_below_its_uplink(void)
{
	char *text = NULL;
	size_t n_bytes;
	struct hg_cli cli = {.out = open_memstream(&text, &n_bytes)};
	json_t *json = status(), *up = json_array_get(json_object_get(json, "uplinks"), 0);

	(void)json_object_set_new(up, "inflight",
				  json_pack("{s:s, s:I, s:{s:I}}", "state", "early",
					    "outstanding_bytes", (json_int_t)12288, "second",
					    "card_p99_ns", (json_int_t)328000));
	HG_CHECK_EQ(hg_show_status(&cli, json, NULL), HG_EXIT_DONE);
	json_decref(json);
	fclose(cli.out);
	HG_CHECK_HAS(text, "    card: p99 328us, 12KiB in it, in-flight control early\n");
	free(text);
}

static void an_uplink_that_is_not_there(void)
{
	free(shown("up9", HG_EXIT_NOT_FOUND));
}

static void check_page(const char *lines, unsigned n_rows, const char *want)
{
	char *text = NULL;
	size_t n_bytes;
	FILE *out = open_memstream(&text, &n_bytes);

	hg_table_page(out, lines, n_rows);
	fclose(out);
	HG_CHECK_STR(text, want);
	free(text);
}

/* The cursor stands in a row of its own, so that nothing scrolls. */
static void s7_6_a_page_is_no_higher_than_its_screen(void)
{
	static const char all[] = "\033[H\033[Ka\n\033[Kb\n\033[Kc\n\033[Kd\n\033[0m\033[J";

	check_page("a\nb\nc\nd\n\033[0m", 5, all);
	check_page("a\nb\nc\nd\n\033[0m", 50, all);
	check_page("a\nb\nc\nd\n\033[0m", 0, all);
	check_page("a\nb\nc\nd\n\033[0m", 4,
		   "\033[H\033[Ka\n\033[Kb\n\033[K\033[0m... 2 lines more than this terminal has "
		   "room for\n\033[J");
	check_page("", 4, "\033[H\033[J");
}

static void nearly_all_is_not_all(void)
{
	json_t *row = contract("x", direction(0, 0, 1, 0, 1), direction(0, 0, 0, 0, 0));
	char buf[HG_SHOW_CELL_BYTES];

	(void)json_object_set_new(json_object_get(json_object_get(row, "out"), "proof"), "kept",
				  json_integer(1000000));
	HG_CHECK_STR(hg_show_kept(buf, row), "99.9 %");
	HG_CHECK(hg_show_is_missed(row));
	json_decref(row);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s7_6_the_table_fits_80_columns),
		HG_TEST(s7_6_demand_guarantee_got_wait_held_kept),
		HG_TEST(s2_9_what_is_in_the_card_stands_below_its_uplink),
		HG_TEST(an_uplink_that_is_not_there),
		HG_TEST(s7_6_a_page_is_no_higher_than_its_screen),
		HG_TEST(nearly_all_is_not_all),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
