/* What is asked for in a way that is not understood. */
#include "tests/component/service_world.h"

/* What is asked for in a way that is not understood is not done in another way. */
static void s7_2_parameters_that_are_not_known_are_refused(void)
{
	static const struct {
		const char *key, *value, *says;
	} cases[] = {
		{"dryrun", "1",
		 "there is no parameter \"dryrun\" here; allowed: dry_run confirm; "
		 "did you mean dry_run?"},
		{"dry_run", NULL, "the parameter dry_run is 1 or 0: write dry_run=1"},
		{"dry_run", "yes", "the parameter dry_run is 1 or 0: write dry_run=1"},
		{"confirm", NULL, "the parameter confirm has no value: one comes behind a '='"},
		{"since", "5m", "there is no parameter \"since\" here; allowed: dry_run confirm"},
	};

	set_up();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		w.keys[0] = cases[i].key;
		w.values[0] = cases[i].value;
		HG_CHECK_EQ(ask("DELETE", "/v1/instances/bulk1", ""), 400);
		HG_CHECK_STR(text("error.code"), "EINVAL");
		HG_CHECK_STR(text("error.text"), cases[i].says);
	}
	w.keys[0] = w.keys[1] = "dry_run";
	w.values[0] = w.values[1] = "1";
	HG_CHECK_EQ(ask("DELETE", "/v1/instances/bulk1", ""), 400);
	HG_CHECK_STR(text("error.text"), "the parameter dry_run is there twice");
	w.keys[1] = NULL;
	/* It cannot be tried, and so it is not done. */
	HG_CHECK_EQ(ask("POST", "/v1/instances/bulk1/detach", ""), 400);
	HG_CHECK_HAS(text("error.text"), "takes no parameter");
	w.keys[0] = "format";
	w.values[0] = "xml";
	HG_CHECK_EQ(get("/v1/config"), 400);
	w.keys[0] = NULL;
	HG_CHECK_EQ(get("/v1/instances/bulk1"), 200);
	HG_CHECK_EQ(get("/v1/host"), 200);
	HG_CHECK_EQ(number("generation"), 1);
	tear_down();
}

/* An upload of a file that could not be read has no body: that does not mean no tenants. */
static void s7_2_a_body_with_nothing_in_it_is_no_configuration(void)
{
	static const char *const bodies[] = {"", " \n", "# nothing\n", "---\n", "~", "null\n"};

	set_up();
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		HG_CHECK_EQ(ask("PUT", "/v1/config", bodies[i]), 400);
		HG_CHECK_HAS(text("error.text"), "write {}");
		HG_CHECK_EQ(ask("POST", "/v1/config/diff", bodies[i]), 400);
	}
	HG_CHECK_EQ(get("/v1/instances/web1"), 200);
	HG_CHECK_EQ(ask("PUT", "/v1/config", "{}"), 200);
	HG_CHECK_EQ(get("/v1/instances/web1"), 404);
	tear_down();
}

static void s7_2_what_is_not_there_may_have_been_mistyped(void)
{
	set_up();
	HG_CHECK_EQ(get("/v1/instances/wbe1/explain"), 404);
	HG_CHECK_STR(text("error.text"), "there is no instance named wbe1; did you mean web1?");
	HG_CHECK_EQ(get("/v1/instances/acme"), 404);
	HG_CHECK_STR(text("error.text"),
		     "there is no instance named acme; the tenant has that name");
	tear_down();
}

/* The second in which it came is still open: nothing is known of it, and no time lies before its start. */
static void s7_1_who_just_came_has_no_time_behind_it(void)
{
	set_up();
	w.now_ns += S / 2;
	HG_CHECK_EQ(ask("PUT", "/v1/instances/new", "{tenant: big}"), 200);
	HG_CHECK_EQ(get("/v1/instances/new"), 200);
	HG_CHECK_EQ(number("out.total.for_ns"), 0);
	HG_CHECK_EQ(number("in.total.for_ns"), 0);
	pass(S / 2);
	HG_CHECK_EQ(get("/v1/instances/new"), 200);
	HG_CHECK_EQ(number("out.total.for_ns"), S / 2);
	tear_down();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s7_2_parameters_that_are_not_known_are_refused),
		HG_TEST(s7_2_a_body_with_nothing_in_it_is_no_configuration),
		HG_TEST(s7_2_what_is_not_there_may_have_been_mistyped),
		HG_TEST(s7_1_who_just_came_has_no_time_behind_it),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
