/* The interface, by function calls, over the control lane and a packet lane in memory: docs/api.md. */
#include "api/service.h"
#include "tests/component/fake_dataplane.h"
#include "tests/harness.h"

#define MBIT UINT64_C(125000)
#define S HG_NS_PER_S

static const char config[] =
	"uplinks: [{name: up0, device: 'tap:up0', capacity: 1Gbit}]\n"
	"tenants:\n"
	"  - name: acme\n"
	"    contract: {out: {min: 100Mbit, max: 500Mbit}}\n"
	"    instances: [{name: web1, ports: [{name: web1-0, device: 'tap:web1-0'}]}]\n"
	"  - name: big\n"
	"    instances: [{name: bulk1}, {name: bulk2}]\n";

struct world {
	struct hg_dp *dp;
	struct hg_service service;
	hg_ns now_ns;
	const char *keys[4], *values[4]; /* parameters of the next request */
	struct hg_reply reply;
	json_t *json; /* of the last reply */
};

static struct world w;

static const char *query(void *user, const char *key)
{
	struct world *world = user;

	for (unsigned i = 0; world->keys[i] != NULL; i++) {
		if (strcmp(world->keys[i], key) == 0)
			return world->values[i];
	}
	return NULL;
}

/* One request; the reply's JSON stays until the next. */
static int ask(const char *method, const char *path, const char *body)
{
	const struct hg_request request = {
		.method = method,
		.path = path,
		.body = body,
		.n_bytes = strlen(body),
		.query = query,
		.user = &w,
	};

	hg_reply_fini(&w.reply);
	json_decref(w.json);
	hg_service_handle(&w.service, &request, w.now_ns, &w.reply);
	w.json = json_loadb(w.reply.text, w.reply.n_bytes, 0, NULL);
	return w.reply.status;
}

static int get(const char *path)
{
	return ask("GET", path, "");
}

/* A number or a text of the reply, by its path: "out.second.wait_ns". */
static json_t *at(const char *path)
{
	char key[64];
	json_t *node = w.json;

	while (*path != '\0') {
		size_t n = strcspn(path, ".");

		memcpy(key, path, n);
		key[n] = '\0';
		node = json_is_array(node) ? json_array_get(node, strtoul(key, NULL, 10))
					   : json_object_get(node, key);
		if (node == NULL)
			HG_TEST_FAIL("the reply has no %s: %s", key, w.reply.text);
		path += n + (path[n] == '.');
	}
	return node;
}

static json_int_t number(const char *path)
{
	return json_integer_value(at(path));
}

static const char *text(const char *path)
{
	return json_string_value(at(path));
}

static void set_up(void)
{
	struct hg_control_cfg cfg = {.started_at_ns = 0};
	struct hg_dp_cfg dp_cfg;

	memset(&w, 0, sizeof(w));
	hg_dp_cfg_init(&dp_cfg);
	HG_CHECK_EQ(hg_dp_create(&dp_cfg, &w.dp, NULL), 0);
	cfg.dp = w.dp;
	w.service.version = "1.2.3";
	HG_CHECK_EQ(hg_control_create(&cfg, &w.service.control, NULL), 0);
	HG_CHECK_EQ(ask("PUT", "/v1/config", config), 200);
	w.now_ns = S;
	(void)hg_control_tick(w.service.control, w.now_ns);
}

static void tear_down(void)
{
	hg_reply_fini(&w.reply);
	json_decref(w.json);
	hg_control_destroy(w.service.control);
	hg_dp_destroy(w.dp, false);
}

static void pass(hg_ns for_ns)
{
	w.now_ns += for_ns;
	(void)hg_control_tick(w.service.control, w.now_ns);
}

static void s7_1_status_is_the_whole_host(void)
{
	set_up();
	fake_traffic(fake_tenant(w.dp, "acme"), 300 * MBIT, 120 * MBIT, S);
	fake_traffic(fake_instance(w.dp, "web1"), 300 * MBIT, 120 * MBIT, S);
	pass(S);
	HG_CHECK_EQ(get("/v1/status"), 200);
	HG_CHECK_STR(w.reply.content_type, "application/json");
	HG_CHECK_STR(text("host.version"), "1.2.3");
	HG_CHECK_EQ(number("host.seconds"), 2);
	HG_CHECK_EQ(number("uplinks.0.guaranteed_bytes_per_s.out"), 100 * MBIT);
	HG_CHECK_EQ(number("uplinks.0.promised_bytes_per_s"), 995 * MBIT);
	HG_CHECK_EQ(number("tenants.0.out.contract.max_bytes_per_s"), 500 * MBIT);
	HG_CHECK_EQ(number("tenants.0.out.second.offered_bytes_per_s"), 300 * MBIT);
	HG_CHECK_EQ(number("tenants.0.out.second.held_ns.link"), S);
	HG_CHECK_EQ(number("tenants.0.out.proof.kept"), 1);
	HG_CHECK_STR(text("tenants.0.instances.0.ports.0"), "web1-0");
	HG_CHECK_STR(text("tenants.0.instances.0.out.second.held_by"), "link");
	HG_CHECK_STR(text("tenants.1.instances.1.name"), "bulk2");
	tear_down();
}

static void each_thing_has_its_path(void)
{
	static const char *const paths[] = {"/v1/host",         "/v1/uplinks",
					    "/v1/uplinks/up0",  "/v1/tenants",
					    "/v1/tenants/big",  "/v1/instances",
					    "/v1/ports",        "/v1/instances/bulk2",
					    "/v1/ports/web1-0", "/v1/instances/web1/explain",
					    "/v1/config",       "/metrics"};

	set_up();
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		HG_CHECK_EQ(get(paths[i]), 200);
	tear_down();
}

static void errors_have_one_shape(void)
{
	set_up();
	HG_CHECK_EQ(get("/v1/tenants/nobody"), 404);
	HG_CHECK_STR(text("error.code"), "ENOENT");
	HG_CHECK_EQ(get("/v2"), 404);
	HG_CHECK_EQ(get("/v1/tenants/"), 404);
	HG_CHECK_EQ(ask("DELETE", "/v1/status", ""), 405);
	HG_CHECK_STR(text("error.code"), "EINVAL");
	HG_CHECK_EQ(ask("PUT", "/v1/config", "tenants:\n  - name: a\n    wieght: 3\n"), 400);
	HG_CHECK_EQ(number("error.line"), 3);
	HG_CHECK_HAS(text("error.path"), "tenants[0]");
	HG_CHECK_EQ(ask("PUT", "/v1/config", "priority: high\n\xff\xfe"), 400);
	HG_CHECK_EQ(ask("PUT", "/v1/instances/\xff\xfe", "{tenant: acme}"), 400);
	HG_CHECK_STR(text("error.code"), "EINVAL");
	HG_CHECK_EQ(ask("POST", "/v1/config/confirm", ""), 400);
	tear_down();
}

static void s1_10_admission_is_409_with_the_sum(void)
{
	set_up();
	HG_CHECK_EQ(ask("PUT", "/v1/instances/bulk1", "{contract: {out: {min: 900Mbit}}}"), 409);
	HG_CHECK_STR(text("error.code"), "ENOSPC");
	HG_CHECK_HAS(text("error.text"), "1Gbit");
	HG_CHECK_EQ(get("/v1/instances/bulk1"), 200);
	HG_CHECK_EQ(number("out.contract.min_bytes_per_s"), 0);
	tear_down();
}

static void steps_say_what_they_changed_and_are_idempotent(void)
{
	static const char body[] =
		"{\"tenant\": \"big\", \"contract\": {\"out\": {\"max\": \"1Mbit\"}}}";

	set_up();
	HG_CHECK_EQ(ask("PUT", "/v1/instances/new", body), 200);
	HG_CHECK(json_is_true(at("changed")));
	HG_CHECK_STR(text("diff.0.op"), "add");
	HG_CHECK_EQ(number("generation"), 2);
	HG_CHECK_EQ(ask("PUT", "/v1/instances/new", body), 200);
	HG_CHECK(json_is_false(at("changed")));
	HG_CHECK_EQ(number("generation"), 2);
	HG_CHECK_EQ(ask("PUT", "/v1/ports/new-0", "{instance: new, device: 'tap:n'}"), 200);
	HG_CHECK_EQ(ask("DELETE", "/v1/ports/new-0", ""), 200);
	HG_CHECK(json_is_true(at("changed")));
	HG_CHECK_EQ(ask("DELETE", "/v1/ports/new-0", ""), 200);
	HG_CHECK(json_is_false(at("changed")));
	HG_CHECK_EQ(ask("DELETE", "/v1/instances/new", ""), 200);
	HG_CHECK_EQ(get("/v1/instances/new"), 404);
	HG_CHECK_EQ(ask("PUT", "/v1/instances/new", "{tenant: nobody}"), 404);
	tear_down();
}

static void a_dry_run_changes_nothing(void)
{
	set_up();
	w.keys[0] = "dry_run";
	w.values[0] = "1";
	HG_CHECK_EQ(ask("DELETE", "/v1/instances/bulk1", ""), 200);
	HG_CHECK(json_is_true(at("changed")));
	HG_CHECK_EQ(number("generation"), 1);
	HG_CHECK_EQ(get("/v1/instances/bulk1"), 200);
	HG_CHECK_EQ(ask("PUT", "/v1/instances/bulk1", "{contract: {out: {min: 2Gbit}}}"), 409);
	tear_down();
}

static void s7_10_confirm_is_a_time(void)
{
	set_up();
	w.keys[0] = "confirm";
	w.values[0] = "60";
	HG_CHECK_EQ(ask("DELETE", "/v1/instances/bulk1", ""), 400);
	w.values[0] = "100h";
	HG_CHECK_EQ(ask("DELETE", "/v1/instances/bulk1", ""), 400);
	w.values[0] = "60s";
	HG_CHECK_EQ(ask("DELETE", "/v1/instances/bulk1", ""), 200);
	HG_CHECK_EQ(number("confirm_within_ns"), 60 * S);
	HG_CHECK_EQ(ask("DELETE", "/v1/instances/bulk2", ""), 409);
	HG_CHECK_STR(text("error.code"), "EBUSY");
	pass(60 * S);
	HG_CHECK_EQ(get("/v1/instances/bulk1"), 200);
	tear_down();
}

static void s7_8_explain_adds_up_and_names_the_others(void)
{
	struct fake_named *web1;

	set_up();
	web1 = fake_instance(w.dp, "web1");
	fake_traffic(web1, 300 * MBIT, 120 * MBIT, S / 2);
	web1->flow[HG_OUT].held_ns[HG_LIMIT_MAX] += S / 4;
	web1->flow[HG_OUT].wait_ns += S / 4;
	fake_traffic(fake_instance(w.dp, "bulk1"), 300 * MBIT, 200 * MBIT, S);
	fake_traffic(fake_instance(w.dp, "bulk2"), 700 * MBIT, 600 * MBIT, S);
	pass(S);
	HG_CHECK_EQ(get("/v1/instances/web1/explain"), 200);
	HG_CHECK_STR(text("out.second.held.0.limit"), "link");
	HG_CHECK_STR(text("out.second.held.1.limit"), "max");
	HG_CHECK_EQ(number("out.second.held.0.ns") + number("out.second.held.1.ns"),
		    number("out.second.wait_ns"));
	HG_CHECK_EQ(number("out.second.sum_ns"), number("out.second.wait_ns"));
	HG_CHECK_EQ(number("out.total.sum_ns"), number("out.total.wait_ns"));
	HG_CHECK_STR(text("out.competitors.0.instance"), "bulk2");
	HG_CHECK_STR(text("out.competitors.1.instance"), "bulk1");
	HG_CHECK_EQ(number("out.competitors.0.share_ppm"), 600000);
	HG_CHECK_HAS(text("out.summary"), "75 %");
	tear_down();
}

static void s7_6_metrics_have_every_reason_and_limit(void)
{
	char want[160];

	set_up();
	HG_CHECK_EQ(get("/metrics"), 200);
	for (unsigned i = 0; i < HG_N_DROPS; i++) {
		snprintf(want, sizeof(want),
			 "headgate_traffic_dropped_packets_total{tenant=\"acme\",instance=\"web1\","
			 "direction=\"in\",reason=\"%s\"} 0\n",
			 hg_drop_name((enum hg_drop)i));
		HG_CHECK_HAS(w.reply.text, want);
	}
	for (unsigned i = 0; i < HG_N_LIMITS; i++) {
		snprintf(want, sizeof(want),
			 "headgate_traffic_held_seconds_total{tenant=\"acme\",instance=\"web1\","
			 "direction=\"out\",limit=\"%s\"} 0\n",
			 hg_limit_name((enum hg_limit)i));
		HG_CHECK_HAS(w.reply.text, want);
	}
	tear_down();
}

static void what_is_exported_can_be_put_back(void)
{
	char *exported;

	set_up();
	w.keys[0] = "format";
	w.values[0] = "yaml";
	HG_CHECK_EQ(get("/v1/config"), 200);
	HG_CHECK_STR(w.reply.content_type, "application/yaml");
	exported = strndup(w.reply.text, w.reply.n_bytes);
	HG_CHECK_EQ(ask("PUT", "/v1/config", exported), 200);
	HG_CHECK(json_is_false(at("changed")));
	free(exported);
	tear_down();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s7_1_status_is_the_whole_host),
		HG_TEST(each_thing_has_its_path),
		HG_TEST(errors_have_one_shape),
		HG_TEST(s1_10_admission_is_409_with_the_sum),
		HG_TEST(steps_say_what_they_changed_and_are_idempotent),
		HG_TEST(a_dry_run_changes_nothing),
		HG_TEST(s7_10_confirm_is_a_time),
		HG_TEST(s7_8_explain_adds_up_and_names_the_others),
		HG_TEST(s7_6_metrics_have_every_reason_and_limit),
		HG_TEST(what_is_exported_can_be_put_back),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
