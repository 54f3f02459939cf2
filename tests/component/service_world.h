/* service_world: the interface by function calls, over the control lane and a packet lane in memory.
 *
 * Why        The tests of the interface ask, and look at the answers by their paths.
 * Memory     One world, of the program that includes this. Threads: one.
 */
#ifndef HG_TESTS_COMPONENT_SERVICE_WORLD_H
#define HG_TESTS_COMPONENT_SERVICE_WORLD_H

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

static void parameters(void *user, hg_parameter_fn take, void *with)
{
	struct world *world = user;

	for (unsigned i = 0; world->keys[i] != NULL; i++)
		take(with, world->keys[i], world->values[i]);
}

/* One request; the reply's JSON stays until the next. */
static inline int ask(const char *method, const char *path, const char *body)
{
	const struct hg_request request = {
		.method = method,
		.path = path,
		.body = body,
		.n_bytes = strlen(body),
		.parameters = parameters,
		.user = &w,
	};

	hg_reply_fini(&w.reply);
	json_decref(w.json);
	hg_service_handle(&w.service, &request, w.now_ns, &w.reply);
	w.json = json_loadb(w.reply.text, w.reply.n_bytes, 0, NULL);
	return w.reply.status;
}

static inline int get(const char *path)
{
	return ask("GET", path, "");
}

/* A number or a text of the reply, by its path: "out.second.wait_ns". */
static inline json_t *at(const char *path)
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

static inline json_int_t number(const char *path)
{
	return json_integer_value(at(path));
}

static inline const char *text(const char *path)
{
	return json_string_value(at(path));
}

/* credits: NULL where processors are not governed; the caller's, and destroyed after tear_down(). */
static inline void set_up_with(struct hg_credits *credits, const char *with_config)
{
	struct hg_control_cfg cfg = {.started_at_ns = 0, .credits = credits};
	struct hg_dp_cfg dp_cfg;

	memset(&w, 0, sizeof(w));
	hg_dp_cfg_init(&dp_cfg);
	HG_CHECK_EQ(hg_dp_create(&dp_cfg, &w.dp, NULL), 0);
	cfg.dp = w.dp;
	w.service.version = "1.2.3";
	HG_CHECK_EQ(hg_control_create(&cfg, &w.service.control, NULL), 0);
	HG_CHECK_EQ(ask("PUT", "/v1/config", with_config), 200);
	w.now_ns = S;
	(void)hg_control_tick(w.service.control, w.now_ns);
}

static inline void set_up(void)
{
	set_up_with(NULL, config);
}

static inline void tear_down(void)
{
	hg_reply_fini(&w.reply);
	json_decref(w.json);
	hg_control_destroy(w.service.control);
	hg_dp_destroy(w.dp, false);
}

static inline void pass(hg_ns for_ns)
{
	w.now_ns += for_ns;
	(void)hg_control_tick(w.service.control, w.now_ns);
}

#endif
