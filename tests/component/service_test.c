/* The interface, by function calls, over the control lane and a packet lane in memory: docs/api.md. */
#include "tests/component/service_world.h"

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

static void s5_1_port_says_why_its_guest_was_lost_and_how_long_ago(void)
{
	struct hg_dp_port_sample *port;

	set_up();
	HG_CHECK_EQ(get("/v1/ports/web1-0"), 200);
	HG_CHECK(json_object_get(w.json, "last_reason") == NULL);
	port = &fake_port(w.dp, "web1-0")->port;
	snprintf(port->last_reason, sizeof(port->last_reason), "the guest went away");
	port->last_reason_at_ns = 5 * S;
	w.dp->host.at_ns = 12 * S;
	HG_CHECK_EQ(get("/v1/ports/web1-0"), 200);
	HG_CHECK_STR(text("reason"), "");
	HG_CHECK_STR(text("last_reason"), "the guest went away");
	HG_CHECK_EQ(number("last_reason_age_ns"), 7 * S);
	tear_down();
}

static void s5_1_port_says_how_many_guests_were_refused_and_why(void)
{
	struct hg_dp_port_sample *port;

	set_up();
	HG_CHECK_EQ(get("/v1/ports/web1-0"), 200);
	HG_CHECK(json_object_get(w.json, "refused_guests") == NULL);
	port = &fake_port(w.dp, "web1-0")->port;
	port->n_refused_guests[HG_GUEST_REFUSAL_NO_SEAT] = 3;
	port->n_refused_guests[HG_GUEST_REFUSAL_RULES] = 1;
	HG_CHECK_EQ(get("/v1/ports/web1-0"), 200);
	HG_CHECK_EQ(number("refused_guests.no_seat"), 3);
	HG_CHECK_EQ(number("refused_guests.rules"), 1);
	HG_CHECK_EQ(json_object_size(at("refused_guests")), 2);
	HG_CHECK_EQ(get("/metrics"), 200);
	HG_CHECK_HAS(w.reply.text, "headgate_port_refused_guests_total{port=\"web1-0\",instance="
				   "\"web1\",reason=\"no_seat\"} 3\n");
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
	HG_CHECK_EQ(ask("PUT", "/v1/instances/bulk1", "{contract: {out: {min: 2Gbit}}}"), 409);
	w.keys[0] = NULL;
	HG_CHECK_EQ(get("/v1/instances/bulk1"), 200);
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
	w.keys[0] = NULL;
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

static void s5_1_an_instance_says_what_its_ports_dropped(void)
{
	set_up();
	HG_CHECK_EQ(get("/v1/instances/web1/explain"), 200);
	HG_CHECK_EQ(json_array_size(at("ports")), 0);
	fake_port(w.dp, "web1-0")->port.drops[HG_DROP_SPOOFED_MAC] = 12;
	fake_port(w.dp, "web1-0")->port.drops[HG_DROP_PORT_DOWN] = 3;
	HG_CHECK_EQ(get("/v1/instances/web1"), 200);
	HG_CHECK_EQ(number("port_drops.web1-0.spoofed_mac"), 12);
	HG_CHECK_EQ(number("port_drops.web1-0.port_down"), 3);
	HG_CHECK_EQ(json_object_size(at("port_drops.web1-0")), 2);
	HG_CHECK_EQ(get("/v1/instances/web1/explain"), 200);
	HG_CHECK_STR(text("ports.0"), "port web1-0 dropped 12 packets since start: the source MAC "
				      "address is not the port's (spoofed_mac)");
	HG_CHECK_HAS(text("ports.1"), "dropped 3 packets");
	HG_CHECK_EQ(get("/v1/instances/bulk1"), 200);
	HG_CHECK_EQ(json_object_size(at("port_drops")), 0);
	tear_down();
}

static void s7_8_explain_says_which_port_is_not_up_and_why(void)
{
	struct fake_named *port;

	set_up();
	port = fake_port(w.dp, "web1-0");
	port->link = HG_PORT_DOWN;
	snprintf(port->reason, sizeof(port->reason), "waiting for the guest");
	HG_CHECK_EQ(get("/v1/instances/web1/explain"), 200);
	HG_CHECK_STR(text("ports.0"), "port web1-0 is down, so that nothing passes it: waiting for "
				      "the guest");
	port->link = HG_PORT_MISSING;
	port->reason[0] = '\0';
	HG_CHECK_EQ(get("/v1/instances/web1/explain"), 200);
	HG_CHECK_STR(text("ports.0"), "port web1-0 is missing, so that nothing passes it");
	port->link = HG_PORT_UP;
	HG_CHECK_EQ(get("/v1/instances/web1/explain"), 200);
	HG_CHECK_EQ(json_array_size(at("ports")), 0);
	HG_CHECK_EQ(get("/v1/instances/bulk1/explain"), 200);
	HG_CHECK_STR(text("ports.0"), "it has no port, so that nothing reaches it or leaves it");
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

static json_int_t heap_of_metrics(void)
{
	static const char name[] = "\nheadgate_host_heap_bytes ";
	const char *at_name;

	HG_CHECK_EQ(get("/metrics"), 200);
	HG_CHECK((at_name = strstr(w.reply.text, name)) != NULL);
	return (json_int_t)strtod(at_name + strlen(name), NULL);
}

static json_int_t heap_of_status(void)
{
	HG_CHECK_EQ(get("/v1/status"), 200);
	return number("host.heap_bytes");
}

/* What holds the answers themselves is among it, and small. */
static void s7_6_what_leaks_is_seen(void)
{
	enum { LEAK_BYTES = 64 << 20, ANSWERS_BYTES = 1 << 20 };
	static void *volatile leak;
	json_int_t status, metrics;

	set_up();
	status = heap_of_status();
	metrics = heap_of_metrics();
	if (!HG_TEST_IS_HEAP_COUNTED) {
		HG_CHECK_EQ(status, 0);
		HG_CHECK_EQ(metrics, 0);
		tear_down();
		return;
	}
	leak = malloc(LEAK_BYTES);
	HG_CHECK_BETWEEN(heap_of_status() - status, LEAK_BYTES - ANSWERS_BYTES,
			 LEAK_BYTES + ANSWERS_BYTES);
	HG_CHECK_BETWEEN(heap_of_metrics() - metrics, LEAK_BYTES - ANSWERS_BYTES,
			 LEAK_BYTES + ANSWERS_BYTES);
	free(leak);
	HG_CHECK_BETWEEN(heap_of_status() - status, -ANSWERS_BYTES, ANSWERS_BYTES);
	tear_down();
}

static void s2_2_inflight_is_switched_off_and_on_live(void)
{
	set_up();
	HG_CHECK_EQ(ask("PUT", "/v1/uplinks/up0", "{inflight: off}"), 200);
	HG_CHECK_STR(text("diff.0.line"), "uplinks.up0.inflight: on -> off");
	HG_CHECK(w.dp->desired.uplinks[0].is_inflight_off);
	HG_CHECK_EQ(w.dp->n_applied, 2);
	HG_CHECK_EQ(ask("PUT", "/v1/uplinks/up0", "{inflight: off}"), 200);
	HG_CHECK(json_is_false(at("changed")));
	HG_CHECK_EQ(ask("PUT", "/v1/uplinks/up0", "{inflight: on, depth: 64KiB}"), 200);
	HG_CHECK(!w.dp->desired.uplinks[0].is_inflight_off);
	HG_CHECK_EQ(w.dp->desired.uplinks[0].depth_bytes, 64 * 1024);
	HG_CHECK_EQ(ask("PUT", "/v1/uplinks/up0", "{depth: 0B}"), 400);
	HG_CHECK_HAS(text("error.text"), "1.6KB to 64MiB");
	HG_CHECK_EQ(ask("PUT", "/v1/uplinks/up9", "{depth: auto}"), 404);
	HG_CHECK_EQ(w.dp->n_applied, 3);
	tear_down();
}

static void s2_6_priority_is_shown_of_instances(void)
{
	set_up();
	HG_CHECK_EQ(ask("PUT", "/v1/instances/bulk1",
			"{contract: {priority: low, out: {behaviour: rate}}}"),
		    200);
	HG_CHECK_EQ(get("/v1/instances/bulk1"), 200);
	HG_CHECK_STR(text("out.contract.priority"), "low");
	HG_CHECK_STR(text("in.contract.priority"), "low");
	HG_CHECK_STR(text("out.contract.behaviour"), "rate");
	HG_CHECK(json_object_get(at("in.contract"), "behaviour") == NULL);
	HG_CHECK_EQ(get("/v1/tenants/big"), 200);
	HG_CHECK(json_object_get(at("out.contract"), "priority") == NULL);
	tear_down();
}

/* web1 has its share in the card and was held by it; bulk1 went before it. */
static void fill_the_card(void)
{
	struct hg_dp_uplink_sample *up = &fake_uplink(w.dp, "up0")->uplink;
	struct hg_dp_flow *web1 = &fake_instance(w.dp, "web1")->flow[HG_OUT];
	struct hg_dp_flow *bulk1 = &fake_instance(w.dp, "bulk1")->flow[HG_OUT];

	fake_traffic(fake_instance(w.dp, "web1"), 300 * MBIT, 120 * MBIT, S / 2);
	fake_traffic(fake_instance(w.dp, "bulk1"), 300 * MBIT, 200 * MBIT, S / 4);
	up->inflight.state = HG_HOOK_ON;
	up->inflight.window.max_bytes = 24000;
	up->inflight.window.max_pkts = 16;
	up->inflight.window.outstanding_bytes = 20000;
	up->inflight.window.outstanding_pkts = 14;
	up->inflight.window.n_active = 2;
	hg_histogram_add(&up->inflight.card, 190 * HG_NS_PER_US, 10000);
	web1->held_ns[HG_LIMIT_WINDOW] += S / 8;
	web1->held_ns[HG_LIMIT_PRIORITY] += S / 16;
	web1->wait_ns += S / 8 + S / 16;
	web1->window.outstanding_bytes = 8000;
	web1->window.share_bytes = 12000;
	web1->window.is_active = true;
	hg_histogram_add(&web1->card, 190 * HG_NS_PER_US, 1000);
	web1->behaviour =
		(struct hg_behaviour){.level = 2, .reason = HG_BEHAVIOUR_OVER_OWN, .n_changes = 2};
	web1->max_in_force_bytes_per_s = 40 * MBIT;
	web1->cut_segments = 10;
	web1->cut_pieces = 60;
	bulk1->window.outstanding_bytes = 12000;
	bulk1->window.share_bytes = 12000;
	bulk1->window.is_active = true;
}

static void s2_3_an_uplink_says_what_is_in_its_card(void)
{
	set_up();
	fill_the_card();
	pass(S);
	HG_CHECK_EQ(get("/v1/uplinks/up0"), 200);
	HG_CHECK_STR(text("inflight.state"), "on");
	HG_CHECK_STR(text("inflight.depth"), "auto");
	HG_CHECK_EQ(number("inflight.max_bytes"), 24000);
	HG_CHECK_EQ(number("inflight.outstanding_bytes"), 20000);
	HG_CHECK_BETWEEN(number("inflight.second.card_p99_ns"), 190000, 240000);
	HG_CHECK_STR(text("instances.0.name"), "web1");
	HG_CHECK_EQ(number("instances.0.outstanding_bytes"), 8000);
	HG_CHECK_EQ(number("instances.0.share_bytes"), 12000);
	HG_CHECK_EQ(number("instances.0.held_window_ns"), S / 8);
	HG_CHECK_EQ(number("instances.0.behaviour.level"), 2);
	HG_CHECK_EQ(number("instances.2.outstanding_bytes"), 0);
	HG_CHECK_EQ(get("/v1/uplinks"), 200);
	HG_CHECK_EQ(number("uplinks.0.instances.1.outstanding_bytes"), 12000);
	HG_CHECK_EQ(get("/v1/status"), 200);
	HG_CHECK_BETWEEN(number("uplinks.0.inflight.second.card_p99_ns"), 190000, 240000);
	HG_CHECK_BETWEEN(number("tenants.0.instances.0.out.second.card_p99_ns"), 190000, 240000);
	HG_CHECK_EQ(ask("PUT", "/v1/uplinks/up0", "{depth: 24KB}"), 200);
	HG_CHECK_EQ(get("/v1/uplinks/up0"), 200);
	HG_CHECK_STR(text("inflight.depth"), "pinned");
	HG_CHECK_EQ(ask("PUT", "/v1/uplinks/up0", "{depth: auto, depth_scale: 2}"), 200);
	HG_CHECK_EQ(get("/v1/uplinks/up0"), 200);
	HG_CHECK_STR(text("inflight.depth"), "scaled");
	tear_down();
}

/* All sentences about what it sends, in one text. */
static const char *sentences(char *buf, size_t size)
{
	const json_t *one;
	size_t i, n = 0;

	json_array_foreach(at("out.sentences"), i, one) n +=
		(size_t)snprintf(buf + n, size - n, "%s\n", json_string_value(one));
	return buf;
}

static void s2_9_explain_says_who_was_held_by_what_and_how_long(void)
{
	char buf[4096];

	set_up();
	HG_CHECK_EQ(ask("PUT", "/v1/instances/bulk1", "{contract: {priority: high}}"), 200);
	fill_the_card();
	pass(S);
	HG_CHECK_EQ(get("/v1/instances/web1/explain"), 200);
	sentences(buf, sizeof(buf));
	HG_CHECK_HAS(buf, "the card of up0 may hold 23.4KiB (MAX, auto); 2 share it now\n");
	HG_CHECK_HAS(buf,
		     "7.81KiB of it are in the card, of a share of 11.7KiB; its packets took ");
	HG_CHECK_HAS(buf, "held for 125ms by its share of the card's queue; also in it: bulk1\n");
	HG_CHECK_HAS(buf, "held for 62.5ms by its priority; before it went bulk1\n");
	HG_CHECK_HAS(buf, "tightened to level 2 of 3: ");
	HG_CHECK_HAS(buf, "its weight counts for 1/4 in the card's queue");
	HG_CHECK_HAS(buf, "10 of its segments were cut, into 60 pieces");
	HG_CHECK_STR(text("out.second.held.1.limit"), "window");
	HG_CHECK_EQ(number("out.second.sum_ns"), number("out.second.wait_ns"));
	HG_CHECK_EQ(get("/v1/instances/bulk2/explain"), 200);
	sentences(buf, sizeof(buf));
	HG_CHECK(strstr(buf, "held for") == NULL);
	HG_CHECK(strstr(buf, "level") == NULL);
	fake_uplink(w.dp, "up0")->uplink.inflight.state = HG_HOOK_EARLY;
	HG_CHECK_EQ(get("/v1/instances/bulk2/explain"), 200);
	HG_CHECK_HAS(sentences(buf, sizeof(buf)), "in-flight control of up0 is early: ");
	tear_down();
}

static void s2_8_a_maximum_that_behaviour_lowered_is_said(void)
{
	char buf[4096];

	set_up();
	HG_CHECK_EQ(ask("PUT", "/v1/instances/web1",
			"{contract: {behaviour: rate, out: {max: 50Mbit}}}"),
		    200);
	fill_the_card();
	pass(S);
	HG_CHECK_EQ(get("/v1/instances/web1/explain"), 200);
	HG_CHECK_HAS(sentences(buf, sizeof(buf)),
		     "the maximum in force is 40 Mbit/s, of 50 Mbit/s");
	fake_instance(w.dp, "web1")->flow[HG_OUT].behaviour =
		(struct hg_behaviour){.level = -1, .reason = HG_BEHAVIOUR_INSIDE, .n_changes = 1};
	pass(S);
	HG_CHECK_EQ(get("/v1/instances/web1/explain"), 200);
	HG_CHECK_HAS(sentences(buf, sizeof(buf)), "relaxed: ");
	tear_down();
}

static void s2_9_metrics_have_the_card_of_each_uplink_and_instance(void)
{
	static const char *const wanted[] = {
		"headgate_card_outstanding_bytes{uplink=\"up0\"} 20000\n",
		"headgate_card_max_bytes{uplink=\"up0\"} 24000\n",
		"headgate_card_refused_packets_total{uplink=\"up0\"} 0\n",
		"headgate_card_hook_state_bool{uplink=\"up0\",state=\"on\"} 1\n",
		"headgate_card_hook_state_bool{uplink=\"up0\",state=\"silent\"} 0\n",
		"headgate_instance_share_bytes{tenant=\"acme\",instance=\"web1\"} 12000\n",
		"headgate_instance_behaviour_level{tenant=\"acme\",instance=\"web1\"} 2\n",
		"headgate_instance_max_bytes_per_second{tenant=\"acme\",instance=\"web1\"} "
		"5000000\n",
	};

	set_up();
	fill_the_card();
	hg_histogram_add(&fake_uplink(w.dp, "up0")->uplink.inflight.card, HG_HISTOGRAM_END_NS,
			 100000);
	pass(S);
	HG_CHECK_EQ(get("/metrics"), 200);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		HG_CHECK_HAS(w.reply.text, wanted[i]);
	HG_CHECK_HAS(w.reply.text, "headgate_card_time_p99_seconds{uplink=\"up0\"} +Inf\n");
	tear_down();
}

static void s2_14_samples_are_given_by_number(void)
{
	struct fake_named *up;

	set_up();
	up = fake_uplink(w.dp, "up0");
	HG_CHECK_EQ(get("/v1/uplinks/up0/depth"), 200);
	HG_CHECK_EQ(json_array_size(at("samples")), 0);
	up->n_depth = FAKE_DEPTH_SAMPLES;
	up->depth_gone = 10;
	for (unsigned i = 0; i < FAKE_DEPTH_SAMPLES; i++)
		up->depth[i] = (struct hg_depth_sample){.at_ns = 1000 * i, .max_bytes = 20000 + i};
	HG_CHECK_EQ(get("/v1/uplinks/up0/depth"), 200);
	HG_CHECK_EQ(json_array_size(at("samples")), FAKE_DEPTH_SAMPLES - 10);
	HG_CHECK_EQ(number("samples.0.number"), 10);
	HG_CHECK_EQ(number("samples.0.max_bytes"), 20010);
	HG_CHECK_EQ(number("next"), FAKE_DEPTH_SAMPLES);
	w.keys[0] = "since";
	w.values[0] = "62";
	HG_CHECK_EQ(get("/v1/uplinks/up0/depth"), 200);
	HG_CHECK_EQ(json_array_size(at("samples")), 2);
	HG_CHECK_EQ(number("samples.1.at_ns"), 63000);
	w.values[0] = "64";
	HG_CHECK_EQ(get("/v1/uplinks/up0/depth"), 200);
	HG_CHECK_EQ(json_array_size(at("samples")), 0);
	HG_CHECK_EQ(number("next"), 64);
	w.values[0] = "-1";
	HG_CHECK_EQ(get("/v1/uplinks/up0/depth"), 400);
	HG_CHECK_EQ(get("/v1/uplinks/up9/depth"), 404);
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
	w.keys[0] = NULL;
	HG_CHECK_EQ(ask("PUT", "/v1/config", exported), 200);
	HG_CHECK(json_is_false(at("changed")));
	free(exported);
	tear_down();
}

/* ---- captures ----------------------------------------------------------------------------------- */

/* The next block of what the stream says, in `block`; its type, or 0: nothing for now. */
static uint32_t block[1024];

static uint32_t next_block(void)
{
	size_t n = hg_capture_stream_read(w.reply.stream, (char *)block, 8, w.now_ns);

	if (n == 0)
		return 0;
	HG_CHECK_EQ(n, 8);
	HG_CHECK(block[1] >= 12 && block[1] <= sizeof(block) && block[1] % 4 == 0);
	n = hg_capture_stream_read(w.reply.stream, (char *)(block + 2), block[1] - 8u, w.now_ns);
	HG_CHECK_EQ(n, block[1] - 8u);
	HG_CHECK_EQ(block[block[1] / 4u - 1u], block[1]);
	return block[0];
}

static void open_capture(const char *path)
{
	HG_CHECK_EQ(get(path), 200);
	HG_CHECK(w.reply.stream != NULL);
	HG_CHECK_STR(w.reply.content_type, "application/x-pcapng");
	HG_CHECK_EQ(next_block(), 0x0a0d0d0a);
	HG_CHECK_EQ(next_block(), 1);
	HG_CHECK_EQ(next_block(), 0);
	HG_CHECK(!hg_capture_stream_is_ready(w.reply.stream, w.now_ns));
}

static void check_end(const char *why)
{
	HG_CHECK(hg_capture_stream_is_ready(w.reply.stream, w.now_ns));
	HG_CHECK_EQ(next_block(), 5);
	HG_CHECK_EQ(block[5] & 0xffffu, 1); /* a comment */
	HG_CHECK_EQ(block[5] >> 16, strlen(why));
	HG_CHECK(memcmp(block + 6, why, strlen(why)) == 0);
	HG_CHECK_EQ(next_block(), 0);
	HG_CHECK(hg_capture_stream_is_over(w.reply.stream));
}

static void want(unsigned i, const char *key, const char *value)
{
	w.keys[i] = key;
	w.values[i] = value;
}

static void s5_1_capture_ends_by_number_of_packets(void)
{
	set_up();
	want(0, "count", "2");
	open_capture("/v1/ports/web1-0/capture");
	fake_show(w.dp->captures[0], 7, HG_OUT, 0xaa, 61);
	HG_CHECK(hg_capture_stream_is_ready(w.reply.stream, w.now_ns));
	HG_CHECK_EQ(next_block(), 6);
	HG_CHECK_EQ(block[4], 7);
	HG_CHECK_EQ(block[5], 61);
	HG_CHECK_EQ(block[6], 61);
	HG_CHECK_EQ(block[7], 0xaaaaaaaa);
	HG_CHECK_EQ(next_block(), 0);
	fake_show(w.dp->captures[0], 8, HG_IN, 0xbb, 60);
	fake_show(w.dp->captures[0], 9, HG_IN, 0xcc, 60);
	HG_CHECK_EQ(next_block(), 6);
	HG_CHECK(w.dp->captures[0]->is_stopped);
	check_end("the number of packets is reached");
	tear_down();
}

static void s5_1_capture_ends_by_time_by_default_as_well(void)
{
	set_up();
	open_capture("/v1/uplinks/up0/capture");
	HG_CHECK(w.dp->captures[0]->is_uplink);
	w.now_ns += 600 * S - 1;
	HG_CHECK_EQ(next_block(), 0);
	w.now_ns++;
	/* What came before still comes. */
	fake_show(w.dp->captures[0], 7, HG_OUT, 0xaa, 60);
	HG_CHECK_EQ(next_block(), 6);
	check_end("its time is over");
	want(0, "seconds", "2");
	open_capture("/v1/ports/web1-0/capture");
	/* A port that is never quiet. */
	for (unsigned i = 0; i < 4; i++) {
		fake_show(w.dp->captures[0], 7, HG_OUT, 0xaa, 60);
		HG_CHECK_EQ(next_block(), 6);
		w.now_ns += S / 2;
		HG_CHECK_EQ(w.dp->captures[0]->is_stopped, false);
	}
	fake_show(w.dp->captures[0], 7, HG_OUT, 0xaa, 60);
	HG_CHECK_EQ(next_block(), 6);
	HG_CHECK(w.dp->captures[0]->is_stopped);
	check_end("its time is over");
	tear_down();
}

static void s5_1_capture_ends_by_bytes_and_is_no_larger(void)
{
	size_t n_bytes = 0;
	char byte;

	set_up();
	want(0, "bytes", "4KiB");
	HG_CHECK_EQ(get("/v1/ports/web1-0/capture"), 200);
	for (unsigned i = 0; i < 20; i++)
		fake_show(w.dp->captures[0], 7, HG_OUT, 0xaa, 300);
	/* Byte by byte, as a slow reader takes it. */
	while (hg_capture_stream_read(w.reply.stream, &byte, 1, w.now_ns) == 1)
		n_bytes++;
	HG_CHECK(hg_capture_stream_is_over(w.reply.stream));
	HG_CHECK_BETWEEN(n_bytes, 3000, 4096);
	HG_CHECK_EQ(n_bytes % 4, 0);
	tear_down();
}

static void s5_1_capture_ends_with_its_port_and_for_its_reader(void)
{
	set_up();
	open_capture("/v1/ports/web1-0/capture");
	w.dp->captures[0]->stats.ended = "the port was removed";
	check_end("the port was removed");
	open_capture("/v1/ports/web1-0/capture");
	hg_capture_stream_end(w.reply.stream, "the reader ended it");
	check_end("the reader ended it");
	/* A reply that nobody takes gives its capture back. */
	HG_CHECK_EQ(get("/v1/status"), 200);
	HG_CHECK(w.dp->captures[0] == NULL);
	tear_down();
}

static void s5_1_capture_asks_the_packet_lane_for_what_was_asked(void)
{
	const struct hg_capture_cfg *cfg;

	set_up();
	want(0, "direction", "in");
	want(1, "snaplen", "96");
	want(2, "bpf", "4,48 0 0 23,21 0 1 17,6 0 0 262144,6 0 0 0");
	open_capture("/v1/ports/web1-0/capture");
	cfg = &w.dp->captures[0]->cfg;
	HG_CHECK_EQ(cfg->watch, HG_WATCH_IN);
	HG_CHECK_EQ(cfg->snap_bytes, 96);
	HG_CHECK_EQ(cfg->n_insns, 4);
	HG_CHECK_EQ(cfg->insns[1].code, 0x15);
	HG_CHECK_EQ(cfg->insns[1].jump_false, 1);
	HG_CHECK_EQ(cfg->insns[1].k, 17);
	HG_CHECK_EQ(cfg->insns[2].k, 262144);
	/* As `tcpdump -ddd` prints it; all of the frame. */
	want(1, "snaplen", "0");
	want(2, "bpf", "1\n6 0 0 4294967295\n");
	open_capture("/v1/ports/web1-0/capture");
	HG_CHECK_EQ(w.dp->captures[0]->cfg.snap_bytes, HG_FRAME_MAX_BYTES);
	HG_CHECK_EQ(w.dp->captures[0]->cfg.insns[0].k, UINT32_MAX);
	tear_down();
}

static void s5_1_capture_parameters_that_are_wrong_are_refused(void)
{
	static const struct {
		const char *key, *value, *text;
	} rows[] = {
		{"direction", "up", "direction is both, out or in, not \"up\""},
		{"count", "0", "count is a number in [1, 1000000000000], not \"0\""},
		{"count", "1k", "count is a number in [1, 1000000000000], not \"1k\""},
		{"seconds", "86401", "seconds is a number in [1, 86400], not \"86401\""},
		{"snaplen", "-1", "snaplen is a number in [0, 262144], not \"-1\""},
		{"bytes", "1KiB",
		 "bytes is a number in [4096, 1099511627776], or a size such as 10MiB, not "
		 "\"1KiB\""},
		{"bpf", "", "bpf begins with the number of its instructions, 1 to 512"},
		{"bpf", "513,6 0 0 0", "bpf begins with the number of its instructions, 1 to 512"},
		{"bpf", "2,6 0 0 0",
		 "bpf has fewer instructions than it says, or one that is not 'code jt jf k'"},
		{"bpf", "1,6 0 256 0",
		 "bpf has fewer instructions than it says, or one that is not 'code jt jf k'"},
		{"bpf", "1,6 0 0 99999999999999999999",
		 "bpf has fewer instructions than it says, or one that is not 'code jt jf k'"},
		{"bpf", "1,6 0 0 0,6 0 0 0",
		 "bpf goes on behind the instructions that it says it has"},
	};

	set_up();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		want(0, rows[i].key, rows[i].value);
		HG_CHECK_EQ(get("/v1/ports/web1-0/capture"), 400);
		HG_CHECK_STR(text("error.text"), rows[i].text);
		HG_CHECK(w.dp->captures[0] == NULL);
	}
	tear_down();
}

static void s5_1_capture_of_what_is_not_there_is_refused(void)
{
	set_up();
	HG_CHECK_EQ(get("/v1/ports/web1-1/capture"), 404);
	HG_CHECK_STR(text("error.text"), "there is no port named web1-1; did you mean web1-0?");
	HG_CHECK_EQ(get("/v1/ports/zzz/capture"), 404);
	HG_CHECK_STR(text("error.text"), "there is no port named zzz");
	HG_CHECK_EQ(get("/v1/ports/up0/capture"), 404);
	HG_CHECK_STR(text("error.text"),
		     "up0 is an uplink, not a port: /v1/uplinks/up0/capture, or "
		     "headgate capture --uplink up0");
	HG_CHECK_EQ(get("/v1/uplinks/web1-0/capture"), 404);
	HG_CHECK_EQ(ask("PUT", "/v1/ports/web1-0/capture", ""), 405);
	tear_down();
}

static void s5_1_captures_that_are_too_many_name_who_has_them(void)
{
	struct hg_capture_stream *streams[HG_CAPTURES_MAX];

	set_up();
	for (unsigned i = 0; i < HG_CAPTURES_MAX; i++) {
		HG_CHECK_EQ(get("/v1/ports/web1-0/capture"), 200);
		streams[i] = w.reply.stream;
		w.reply.stream = NULL;
	}
	HG_CHECK_EQ(get("/v1/ports/web1-0/capture"), 409);
	HG_CHECK_STR(text("error.code"), "EBUSY");
	HG_CHECK_HAS(text("error.text"), "by somebody");
	for (unsigned i = 0; i < HG_CAPTURES_MAX; i++)
		hg_capture_stream_close(streams[i]);
	HG_CHECK_EQ(get("/v1/ports/web1-0/capture"), 200);
	tear_down();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s7_1_status_is_the_whole_host),
		HG_TEST(each_thing_has_its_path),
		HG_TEST(s5_1_port_says_why_its_guest_was_lost_and_how_long_ago),
		HG_TEST(s5_1_port_says_how_many_guests_were_refused_and_why),
		HG_TEST(errors_have_one_shape),
		HG_TEST(s1_10_admission_is_409_with_the_sum),
		HG_TEST(steps_say_what_they_changed_and_are_idempotent),
		HG_TEST(a_dry_run_changes_nothing),
		HG_TEST(s7_10_confirm_is_a_time),
		HG_TEST(s7_8_explain_adds_up_and_names_the_others),
		HG_TEST(s7_8_explain_says_which_port_is_not_up_and_why),
		HG_TEST(s5_1_an_instance_says_what_its_ports_dropped),
		HG_TEST(s7_6_metrics_have_every_reason_and_limit),
		HG_TEST(s7_6_what_leaks_is_seen),
		HG_TEST(s2_2_inflight_is_switched_off_and_on_live),
		HG_TEST(s2_6_priority_is_shown_of_instances),
		HG_TEST(s2_3_an_uplink_says_what_is_in_its_card),
		HG_TEST(s2_9_explain_says_who_was_held_by_what_and_how_long),
		HG_TEST(s2_8_a_maximum_that_behaviour_lowered_is_said),
		HG_TEST(s2_9_metrics_have_the_card_of_each_uplink_and_instance),
		HG_TEST(s2_14_samples_are_given_by_number),
		HG_TEST(what_is_exported_can_be_put_back),
		HG_TEST(s5_1_capture_ends_by_number_of_packets),
		HG_TEST(s5_1_capture_ends_by_time_by_default_as_well),
		HG_TEST(s5_1_capture_ends_by_bytes_and_is_no_larger),
		HG_TEST(s5_1_capture_ends_with_its_port_and_for_its_reader),
		HG_TEST(s5_1_capture_asks_the_packet_lane_for_what_was_asked),
		HG_TEST(s5_1_capture_parameters_that_are_wrong_are_refused),
		HG_TEST(s5_1_capture_of_what_is_not_there_is_refused),
		HG_TEST(s5_1_captures_that_are_too_many_name_who_has_them),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
