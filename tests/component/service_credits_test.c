/* Processor credits through the interface: a real loop on control groups made of files, on virtual time. */
#include "tests/component/service_credits_world.h"

#include <math.h>

static double real(const char *path)
{
	return json_real_value(at(path));
}

/* ---- looking ------------------------------------------------------------------------------------ */

static void s6_12_all_are_listed_with_what_they_have(void)
{
	begin();
	HG_CHECK_EQ(get("/v1/credits"), 200);
	HG_CHECK_STR(text("fault"), "");
	HG_CHECK_EQ(json_array_size(at("credits")), 4);
	HG_CHECK_STR(text("credits.0.name"), "web1");
	HG_CHECK_STR(text("credits.0.tenant"), "acme");
	HG_CHECK_STR(text("credits.1.mode"), "unlimited");
	HG_CHECK_STR(text("credits.3.name"), "shop");
	HG_CHECK(json_is_true(at("credits.3.is_pool")));
	HG_CHECK_EQ(number("credits.3.balance_cpu_ns"), number("credits.2.balance_cpu_ns"));
	HG_CHECK_EQ(get("/v1/credits/web1"), 200);
	HG_CHECK_EQ(number("max_cpu_ns"), 288 * CREDIT);
	HG_CHECK(fabs(real("max_credits") - 288) < 1e-9);
	HG_CHECK(fabs(real("earn_credits_per_h") - 12) < 1e-9);
	HG_CHECK_EQ(number("baseline_mcpu"), 200);
	HG_CHECK_EQ(number("throttled"), 4);
	HG_CHECK_HAS(text("cgroup"), "/cg/g0");
	end();
}

static void s6_12_who_is_not_there_is_said_with_the_nearest(void)
{
	begin();
	HG_CHECK_EQ(get("/v1/credits/wbe1"), 404);
	HG_CHECK_HAS(text("error.text"), "did you mean web1?");
	HG_CHECK_EQ(get("/v1/credits/free"), 404);
	HG_CHECK_HAS(text("error.text"), "no `cpu` with a `cgroup`");
	HG_CHECK_EQ(ask("PUT", "/v1/credits/web1", "{}"), 405);
	end();
}

static void s6_12_history_is_of_the_last_day_or_as_asked(void)
{
	begin();
	use(0, 100, 600 * S);
	HG_CHECK_EQ(get("/v1/credits/web1/history"), 200);
	HG_CHECK_EQ(json_array_size(at("points")), 2);
	HG_CHECK_EQ(number("points.1.wall_ns") - number("points.0.wall_ns"), 300 * S);
	HG_CHECK_BETWEEN(number("points.1.used_cpu_ns"), 29 * S, 31 * S);
	HG_CHECK_BETWEEN(number("points.1.earned_cpu_ns"), 59 * S, 61 * S);
	w.keys[0] = "since";
	w.values[0] = "5m";
	HG_CHECK_EQ(get("/v1/credits/web1/history"), 200);
	HG_CHECK_EQ(json_array_size(at("points")), 1);
	w.values[0] = "1s";
	HG_CHECK_EQ(get("/v1/credits/web1/history"), 400);
	HG_CHECK_STR(text("error.path"), "since");
	HG_CHECK_HAS(text("error.text"), "[5m, 360h]");
	w.values[0] = "yesterday";
	HG_CHECK_EQ(get("/v1/credits/web1/history"), 400);
	end();
}

/* ---- explaining, metrics ------------------------------------------------------------------------- */

static void s6_12_explain_says_why_and_until_when(void)
{
	begin();
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/grant", "{credits: 34.2}"), 200);
	use(0, 1000, 5 * S);
	HG_CHECK_EQ(get("/v1/instances/web1/explain"), 200);
	HG_CHECK_HAS(text("processors.text"), "open: 34.");
	HG_CHECK_HAS(text("processors.text"), "credits, at this use they last 43 min");
	use(0, 1000, 2700 * S);
	HG_CHECK_EQ(get("/v1/instances/web1/explain"), 200);
	HG_CHECK_STR(text("processors.state"), "baseline");
	HG_CHECK_HAS(text("processors.text"), "held at baseline since 14:");
	HG_CHECK_HAS(text("processors.text"), ", earns 12 credits an hour");
	HG_CHECK_EQ(get("/v1/instances/free/explain"), 200);
	HG_CHECK(json_object_get(w.json, "processors") == NULL);
	HG_CHECK_EQ(get("/v1/status"), 200);
	HG_CHECK_STR(text("tenants.0.instances.0.credit.state"), "baseline");
	end();
}

static void s6_12_explain_says_whose_group_is_not_there(void)
{
	char path[128];

	begin();
	files_put(host.root, "/cg/g0", "cpu.stat", "");
	snprintf(path, sizeof(path), "%s/cg/g0", host.root);
	files_drop(path);
	pass(2 * S);
	HG_CHECK_EQ(get("/v1/instances/web1/explain"), 200);
	HG_CHECK_HAS(text("processors.text"), "waiting for its control group: ");
	end();
	begin_on("this is no database, but long enough to be looked at as one");
	HG_CHECK_EQ(get("/v1/instances/web1/explain"), 200);
	HG_CHECK_HAS(text("processors.text"), "not governed: ");
	HG_CHECK_EQ(get("/metrics"), 200);
	HG_CHECK_HAS(w.reply.text, "headgate_cpu_governed_bool 0\n");
	end();
}

static void s6_12_metrics_have_the_names_of_the_cloud(void)
{
	static const char *const wanted[] = {
		"headgate_cpu_governed_bool 1\n",
		"headgate_cpu_credit_balance{tenant=\"acme\",instance=\"web1\"} 10",
		"(a cloud's CPUCreditBalance)",
		"CPUCreditUsage.\n",
		"(a cloud's CPUSurplusCreditBalance).\n",
		"(a cloud's CPUSurplusCreditsCharged).\n",
		"headgate_cpu_surplus_credit_balance{tenant=\"acme\",instance=\"web2\"} 0.",
		"headgate_cpu_surplus_credits_charged_total{tenant=\"acme\",instance=\"web2\"} 0\n",
		"headgate_cpu_credit_balance{tenant=\"shop\",instance=\"\"} 7",
		"headgate_cpu_credit_state{tenant=\"acme\",instance=\"web1\",state=\"open\"} 1\n",
		"headgate_cpu_used_processors{tenant=\"acme\",instance=\"web2\"} 0.99",
		"headgate_cpu_limit_processors{tenant=\"acme\",instance=\"web2\"} 2\n",
		"headgate_cpu_throttled_seconds_total{tenant=\"shop\",instance=\"till\"} 2.5\n",
		"headgate_cpu_credit_alarm_bool{tenant=\"acme\",instance=\"web1\"} 0\n",
	};

	begin();
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/grant", "{credits: 10}"), 200);
	use(1, 1000, 20 * S);
	HG_CHECK_EQ(get("/metrics"), 200);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		HG_CHECK_HAS(w.reply.text, wanted[i]);
	/* A pool's credits are counted once. */
	HG_CHECK(strstr(w.reply.text, "credit_balance{tenant=\"shop\",instance=\"till\"}") == NULL);
	end();
}

/* ---- changing ----------------------------------------------------------------------------------- */

static void s6_11_a_grant_is_exact_and_bounded(void)
{
	int64_t before;

	begin();
	HG_CHECK_EQ(get("/v1/credits/web1"), 200);
	before = number("balance_cpu_ns");
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/grant", "{\"credits\": 10.5}"), 200);
	HG_CHECK_EQ(number("granted_cpu_ns"), 10 * CREDIT + CREDIT / 2);
	HG_CHECK_EQ(number("credit.balance_cpu_ns"), before + 10 * CREDIT + CREDIT / 2);
	HG_CHECK_EQ(number("credit.gift_cpu_ns"), 10 * CREDIT + CREDIT / 2);
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/grant", "{credits: 0}"), 400);
	HG_CHECK_STR(text("error.path"), "credits");
	HG_CHECK_HAS(text("error.text"), "allowed is 0.000001 to 9999999");
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/grant", "{credits: -3}"), 400);
	HG_CHECK_HAS(text("error.text"), "is no number of credits");
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/grant", "{credit: 3}"), 400);
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/grant", ""), 400);
	HG_CHECK_HAS(text("error.text"), "credits");
	HG_CHECK_EQ(ask("POST", "/v1/credits/nobody/grant", "{credits: 1}"), 404);
	HG_CHECK_EQ(get("/v1/credits/web1"), 200);
	HG_CHECK_EQ(number("gift_cpu_ns"), 10 * CREDIT + CREDIT / 2);
	end();
}

static void s6_11_a_transfer_moves_all_or_nothing(void)
{
	begin();
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/grant", "{credits: 10}"), 200);
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/transfer", "{to: web2, credits: 4}"), 200);
	HG_CHECK_EQ(number("sent_cpu_ns"), 4 * CREDIT);
	HG_CHECK_EQ(number("from.total.sent_cpu_ns"), 4 * CREDIT);
	HG_CHECK_EQ(number("to.total.received_cpu_ns"), 4 * CREDIT);
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/transfer", "{to: web2, credits: 400}"), 409);
	HG_CHECK_STR(text("error.code"), "ENOSPC");
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/transfer", "{to: web3, credits: 1}"), 404);
	HG_CHECK_STR(text("error.path"), "to");
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/transfer", "{to: web1, credits: 1}"), 400);
	HG_CHECK_EQ(ask("POST", "/v1/credits/till/transfer", "{to: shop, credits: 1}"), 400);
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/transfer", "{credits: 1}"), 400);
	HG_CHECK_HAS(text("error.text"), "to");
	HG_CHECK_EQ(get("/v1/credits/web1"), 200);
	HG_CHECK_EQ(number("total.sent_cpu_ns"), 4 * CREDIT);
	end();
}

/* ---- faults ------------------------------------------------------------------------------------- */

static void s6_7_why_nothing_is_governed_is_shown(void)
{
	begin_on("this is no database, but long enough to be looked at as one");
	HG_CHECK_EQ(get("/v1/credits"), 200);
	HG_CHECK_HAS(text("fault"), "credits.db");
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/grant", "{credits: 1}"), 502);
	HG_CHECK_HAS(text("error.text"), "credits.db");
	end();
}

static void s6_12_a_daemon_without_credits_says_so(void)
{
	set_up();
	HG_CHECK_EQ(get("/v1/credits"), 501);
	HG_CHECK_EQ(get("/v1/credits/web1"), 501);
	tear_down();
}

static const struct hg_test tests[] = {
	HG_TEST(s6_12_all_are_listed_with_what_they_have),
	HG_TEST(s6_12_who_is_not_there_is_said_with_the_nearest),
	HG_TEST(s6_12_history_is_of_the_last_day_or_as_asked),
	HG_TEST(s6_12_explain_says_why_and_until_when),
	HG_TEST(s6_12_explain_says_whose_group_is_not_there),
	HG_TEST(s6_12_metrics_have_the_names_of_the_cloud),
	HG_TEST(s6_11_a_grant_is_exact_and_bounded),
	HG_TEST(s6_11_a_transfer_moves_all_or_nothing),
	HG_TEST(s6_7_why_nothing_is_governed_is_shown),
	HG_TEST(s6_12_a_daemon_without_credits_says_so),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
