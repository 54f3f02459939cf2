/* What is asked for in a way that is not understood. */
#include "tests/component/service_world.h"

/* What is asked for in a way that is not understood is not done in another way. */
static void s7_2_parameters_that_are_not_known_are_refused(void)
{
	static const struct {
		const char *key, *value, *says;
	} cases[] = {
		{"dryrun", "1",
		 "there is no parameter \"dryrun\" here; allowed: dry_run confirm generation; "
		 "did you mean dry_run?"},
		{"dry_run", NULL, "the parameter dry_run is 1 or 0: write dry_run=1"},
		{"dry_run", "yes", "the parameter dry_run is 1 or 0: write dry_run=1"},
		{"confirm", NULL, "the parameter confirm has no value: one comes behind a '='"},
		{"since", "5m",
		 "there is no parameter \"since\" here; allowed: dry_run confirm generation"},
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

/* Where it was said wrongly, too. */
static void s7_2_what_is_wrong_with_a_parameter_names_it(void)
{
	static const struct {
		const char *key, *value, *says;
	} cases[] = {
		{"confirm", "5", "confirm: \"5\" is no time: say a unit, such as 10ms"},
		{"confirm", "25h", "confirm: 25h is out of range: allowed is 1s to 24h"},
		{"generation", "1x", "generation is a whole number, such as the one in /v1/host"},
		{"generation", "", "generation is a whole number, such as the one in /v1/host"},
	};

	set_up();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		w.keys[0] = cases[i].key;
		w.values[0] = cases[i].value;
		HG_CHECK_EQ(ask("DELETE", "/v1/instances/bulk1", ""), 400);
		HG_CHECK_STR(text("error.text"), cases[i].says);
	}
	w.keys[0] = NULL;
	HG_CHECK_EQ(ask("PUT", "/v1/instances/x", "{tenant: [acme]}"), 400);
	HG_CHECK_STR(text("error.path"), "tenant");
	HG_CHECK_HAS(text("error.text"), "one value is expected");
	HG_CHECK_EQ(ask("PUT", "/v1/ports/p", "{instance: web1, device: 'tap:web1-0'}"), 409);
	HG_CHECK_STR(text("error.text"),
		     "the device 'tap:web1-0' is there twice, of p and of web1-0");
	HG_CHECK_EQ(get("/v1/host"), 200);
	HG_CHECK_EQ(number("generation"), 1);
	tear_down();
}

/* Two who looked at the same state: the second is told, and has changed nothing. */
static void s7_2_a_change_of_what_was_changed_meanwhile_is_refused(void)
{
	set_up();
	w.keys[0] = "generation";
	w.values[0] = "1";
	HG_CHECK_EQ(ask("PUT", "/v1/instances/first", "{tenant: acme}"), 200);
	HG_CHECK_EQ(number("generation"), 2);
	HG_CHECK_EQ(ask("PUT", "/v1/instances/second", "{tenant: acme}"), 412);
	HG_CHECK_STR(text("error.code"), "EAGAIN");
	HG_CHECK_STR(text("error.text"),
		     "the state in force is of generation 2, not 1: it was changed "
		     "meanwhile; look at it, and ask again");
	HG_CHECK_EQ(ask("PUT", "/v1/config", "{}"), 412);
	HG_CHECK_EQ(ask("DELETE", "/v1/instances/first", ""), 412);
	w.keys[1] = "dry_run";
	w.values[1] = "1";
	HG_CHECK_EQ(ask("PUT", "/v1/config", "{}"), 412);
	w.keys[1] = NULL;
	w.values[0] = "2";
	HG_CHECK_EQ(ask("DELETE", "/v1/instances/first", ""), 200);
	w.keys[0] = NULL;
	HG_CHECK_EQ(get("/v1/instances/second"), 404);
	tear_down();
}

#define OWNED(web2)                                                                                \
	"uplinks: [{name: up0, device: 'tap:up0', capacity: 1Gbit}]\n"                             \
	"tenants:\n"                                                                               \
	"  - name: acme\n"                                                                         \
	"    instances: [{name: web2, ports: [{name: web2-0, device: 'tap:web2-0', " web2 "}]}]\n" \
	"  - name: other\n"                                                                        \
	"    instances: [{name: web1, ports: [{name: web1-0, device: 'tap:web1-0', mac: "          \
	"'02:00:00:00:00:11', addresses: [10.0.0.1, 'fd00::1']}]}]\n"

static void check_taken(int status, const char *path, const char *what)
{
	w.keys[0] = NULL;
	HG_CHECK_EQ(status, 409);
	HG_CHECK_STR(text("error.code"), "EEXIST");
	HG_CHECK_STR(text("error.path"), path);
	HG_CHECK_HAS(text("error.text"), what);
	HG_CHECK_HAS(text("error.text"), "port web1-0 of instance web1 of tenant other");
	HG_CHECK_EQ(get("/v1/host"), 200);
	HG_CHECK_EQ(number("generation"), 1);
}

/* Whichever way it comes: in a whole configuration, by a step, from another host. */
static void s5_1_what_another_port_is_called_by_is_refused(void)
{
	static const struct {
		const char *whole, *step, *restored; /* bodies */
		const char *path, *what, *restored_what;
	} cases[] = {
		{OWNED("addresses: [10.0.0.2, 10.0.0.1]"),
		 "{instance: web2, device: 'tap:web2-0', addresses: [10.0.0.1]}",
		 "addresses: [10.0.0.1]", "tenants[1].instances[0].ports[0].addresses[0]",
		 "10.0.0.1 is there twice", "the address of port x-0"},
		{OWNED("addresses: ['fd00:0::1']"),
		 "{instance: web2, device: 'tap:web2-0', addresses: ['fd00::1']}",
		 "addresses: ['fd00::1']", "tenants[1].instances[0].ports[0].addresses[1]",
		 "fd00::1 is there twice", "the address of port x-0"},
		{OWNED("mac: '02:00:00:00:00:11'"),
		 "{instance: web2, device: 'tap:web2-0', mac: '02:00:00:00:00:11'}",
		 "mac: '02:00:00:00:00:11'", "tenants[1].instances[0].ports[0].mac",
		 "02:00:00:00:00:11 is there twice", "the MAC address of port x-0"},
	};
	char body[400];

	set_up_with(NULL, OWNED("addresses: [10.0.0.2]"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		w.keys[0] = "dry_run";
		w.values[0] = "1";
		check_taken(ask("PUT", "/v1/config", cases[i].whole), cases[i].path, cases[i].what);
		check_taken(ask("PUT", "/v1/config", cases[i].whole), cases[i].path, cases[i].what);
		check_taken(ask("PUT", "/v1/ports/web2-0", cases[i].step), cases[i].path,
			    cases[i].what);
		snprintf(
			body, sizeof(body),
			"{headgate: {kind: instance, version: 1}, tenant: acme, instance: {name: x,"
			" ports: [{name: x-0, device: 'tap:x-0', %s}]}}",
			cases[i].restored);
		check_taken(ask("PUT", "/v1/instances/x/state", body), "instance.ports[0]",
			    cases[i].restored_what);
	}
	HG_CHECK_EQ(get("/v1/instances/x"), 404);
	tear_down();
}

/* In a VLAN of its own it is another network's, also for what arrives. */
static void s5_1_addresses_of_another_vlan_are_not_taken(void)
{
	static const char arrives[] =
		"{headgate: {kind: instance, version: 1}, tenant: apart, instance: {name: x, "
		"ports: "
		"[{name: x-0, device: 'tap:x-0', mac: '02:00:00:00:00:11', addresses: "
		"[10.0.0.1]}]}}";

	set_up_with(NULL, OWNED("addresses: [10.0.0.2]") "  - {name: apart, vlan: 7}\n");
	HG_CHECK_EQ(ask("PUT", "/v1/instances/x/state", arrives), 200);
	HG_CHECK_EQ(ask("PUT", "/v1/ports/web2-0",
			"{instance: web2, device: 'tap:web2-0', vlan: 8, addresses: [10.0.0.1]}"),
		    200);
	/* Said of the port or of its tenant: it is the same VLAN. */
	HG_CHECK_EQ(ask("PUT", "/v1/ports/web2-0",
			"{instance: web2, device: 'tap:web2-0', vlan: 7, addresses: [10.0.0.1]}"),
		    409);
	HG_CHECK_HAS(text("error.text"), "port x-0 of instance x of tenant apart");
	HG_CHECK_EQ(ask("DELETE", "/v1/instances/x", ""), 200);
	HG_CHECK_EQ(ask("PUT", "/v1/ports/web2-0",
			"{instance: web2, device: 'tap:web2-0', vlan: 7, addresses: [10.0.0.1]}"),
		    200);
	HG_CHECK_EQ(ask("PUT", "/v1/instances/x/state", arrives), 409);
	HG_CHECK_HAS(text("error.text"), "port web2-0 of instance web2 of tenant acme has it");
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
		HG_TEST(s7_2_what_is_wrong_with_a_parameter_names_it),
		HG_TEST(s7_2_a_change_of_what_was_changed_meanwhile_is_refused),
		HG_TEST(s5_1_what_another_port_is_called_by_is_refused),
		HG_TEST(s5_1_addresses_of_another_vlan_are_not_taken),
		HG_TEST(s7_1_who_just_came_has_no_time_behind_it),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
