/* Instances carried from host to host, over the interface: docs/api.md, "saved instance". */
#include "tests/component/service_world.h"

/* From one host, taken off it, to itself: totals and tokens go on, and nothing is left meanwhile. */
static void s5_1_save_restore_over_the_interface(void)
{
	char *document;

	set_up();
	fake_instance(w.dp, "web1")->state.dir[HG_OUT].caps = (struct hg_cap_saved){
		.has_bytes = true, .bytes = {.tokens = -5000, .taken_ago_ns = 7}};
	fake_instance(w.dp, "web1")->state.behaviour_ago_ns = -1;
	fake_traffic(fake_instance(w.dp, "web1"), 300 * MBIT, 120 * MBIT, S);
	pass(S);
	HG_CHECK_EQ(get("/v1/instances/nobody/state"), 404);
	HG_CHECK_EQ(get("/v1/instances/web1/state"), 200);
	HG_CHECK_EQ(number("headgate.version"), 1);
	HG_CHECK_STR(text("tenant"), "acme");
	HG_CHECK_EQ(number("state.out.max.debt"), 5000);
	HG_CHECK_EQ(number("totals.out.sent_bytes"), 120 * MBIT);
	HG_CHECK_EQ(number("totals.out.held_ns.link"), S);
	HG_CHECK_EQ(get("/v1/instances/web1"), 200);

	HG_CHECK_EQ(ask("POST", "/v1/instances/web1/detach", ""), 200);
	document = strndup(w.reply.text, w.reply.n_bytes);
	HG_CHECK_EQ(number("state.out.max.debt"), 5000);
	HG_CHECK_EQ(number("totals.out.sent_bytes"), 120 * MBIT);
	HG_CHECK_EQ(get("/v1/instances/web1"), 404);
	HG_CHECK_EQ(get("/v1/ports/web1-0"), 404);

	w.keys[0] = "dry_run";
	w.values[0] = "1";
	HG_CHECK_EQ(ask("PUT", "/v1/instances/web1/state", document), 200);
	HG_CHECK_STR(text("diff.0.op"), "add");
	w.keys[0] = NULL;
	HG_CHECK_EQ(get("/v1/instances/web1"), 404);
	HG_CHECK_EQ(ask("PUT", "/v1/instances/web1/state", document), 200);
	HG_CHECK(json_is_true(at("changed")));
	HG_CHECK_EQ(json_array_size(at("left_out")), 0);
	HG_CHECK_EQ(fake_instance(w.dp, "web1")->state.dir[HG_OUT].caps.bytes.tokens, -5000);
	HG_CHECK_EQ(ask("PUT", "/v1/instances/web1/state", document), 409);
	HG_CHECK_HAS(text("error.text"), "is here already, of tenant acme");
	fake_traffic(fake_instance(w.dp, "web1"), 10 * MBIT, 10 * MBIT, 0);
	pass(S);
	HG_CHECK_EQ(get("/v1/instances/web1"), 200);
	/* What it brought along was not sent here, in this second. */
	HG_CHECK_EQ(number("out.second.sent_bytes_per_s"), 10 * MBIT);
	HG_CHECK_EQ(number("out.total.for_ns"), 3 * S);
	HG_CHECK_EQ(number("out.total.sent_bytes_per_s"), 130 * MBIT / 3);
	HG_CHECK_EQ(number("out.total.held_ns.link"), S);
	HG_CHECK_EQ(get("/v1/instances/web1/state"), 200);
	HG_CHECK_EQ(number("totals.out.sent_bytes"), 130 * MBIT);
	HG_CHECK_EQ(number("totals.out.held_ns.link"), S);
	free(document);
	tear_down();
}

/* Whatever fails on the way, the instance is where it was. */
static void s5_1_save_restore_fails_whole(void)
{
	char *document;

	set_up();
	fake_instance(w.dp, "web1")->state.behaviour_ago_ns = -1;
	w.dp->fail_apply = -HG_EIO;
	w.dp->fail_apply_after = 1; /* without its ports it is, but it does not go */
	HG_CHECK_EQ(ask("POST", "/v1/instances/web1/detach", ""), 502);
	HG_CHECK_EQ(get("/v1/ports/web1-0"), 200);
	HG_CHECK_EQ(w.dp->desired.n_ports, 1);
	HG_CHECK_EQ(ask("POST", "/v1/instances/web1/detach", ""), 200);
	document = strndup(w.reply.text, w.reply.n_bytes);
	w.dp->fail_apply = -HG_EIO;
	w.dp->fail_apply_after = 0;
	HG_CHECK_EQ(ask("PUT", "/v1/instances/web1/state", document), 502);
	HG_CHECK_EQ(get("/v1/instances/web1"), 404);
	/* Neither goes while another change waits. */
	w.keys[0] = "confirm";
	w.values[0] = "60s";
	HG_CHECK_EQ(ask("DELETE", "/v1/instances/bulk1", ""), 200);
	w.keys[0] = NULL;
	HG_CHECK_EQ(ask("PUT", "/v1/instances/web1/state", document), 409);
	HG_CHECK_EQ(ask("POST", "/v1/instances/bulk2/detach", ""), 409);
	free(document);
	tear_down();
}

#define CREDITS ", 'credits': {'gift_cpu_ns': 60000000000}}"

/* A host without processor credits leaves them out, says so, and does nothing if it must not. */
static void s6_7_credits_are_left_out_where_they_cannot_be_kept(void)
{
	set_up();
	HG_CHECK_EQ(get("/v1/instances/web1/state"), 200);
	HG_CHECK(json_object_get(w.json, "credits") == NULL);
	HG_CHECK_EQ(
		ask("PUT", "/v1/instances/x/state",
		    "{headgate: {kind: instance, version: 1, required: [credits]}, tenant: acme,"
		    " instance: {name: x}" CREDITS),
		501);
	HG_CHECK_STR(text("error.path"), "credits");
	HG_CHECK_HAS(text("error.text"), "this host does not govern processors");
	HG_CHECK_EQ(get("/v1/instances/x"), 404);
	HG_CHECK_EQ(ask("PUT", "/v1/instances/x/state",
			"{headgate: {kind: instance, version: 1}, tenant: acme,"
			" instance: {name: x}" CREDITS),
		    200);
	HG_CHECK_EQ(json_array_size(at("left_out")), 1);
	HG_CHECK_STR(text("left_out.0"), "credits");
	HG_CHECK(json_is_false(at("credits.kept")));
	HG_CHECK_HAS(text("credits.text"), "credits are left out: this host does not govern");
	HG_CHECK_EQ(get("/v1/instances/x"), 200);
	tear_down();
}

static void s5_1_port_is_announced_over_the_interface(void)
{
	set_up();
	HG_CHECK_EQ(ask("POST", "/v1/ports/web1-0/announce", ""), 200);
	HG_CHECK_EQ(number("announced"), 0);
	HG_CHECK_EQ(ask("PUT", "/v1/ports/web1-0",
			"{instance: web1, device: 'tap:web1-0', mac: '02:00:00:00:00:11',"
			" addresses: [10.0.0.1, 'fd00::1']}"),
		    200);
	HG_CHECK_EQ(ask("POST", "/v1/ports/web1-0/announce", ""), 200);
	HG_CHECK_EQ(number("announced"), 2);
	HG_CHECK_EQ(w.dp->n_announced, 2);
	HG_CHECK_EQ(ask("POST", "/v1/ports/web9/announce", ""), 404);
	tear_down();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_save_restore_over_the_interface),
		HG_TEST(s5_1_save_restore_fails_whole),
		HG_TEST(s6_7_credits_are_left_out_where_they_cannot_be_kept),
		HG_TEST(s5_1_port_is_announced_over_the_interface),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
