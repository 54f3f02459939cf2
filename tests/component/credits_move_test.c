/* Processor credits carried from host to host, over the interface: docs/credits.md, "What survives what". */
#include "control/credit_store.h"
#include "tests/component/service_credits_world.h"

/* Of the last reply, a saved instance. */
static int64_t earned_of_reply(void)
{
	json_t *list = at("credits.earned"), *part;
	int64_t sum = 0;
	size_t i;

	json_array_foreach(list, i, part)
	{
		sum += json_integer_value(json_object_get(part, "cpu_ns"));
	}
	return sum;
}

/* What is 0 is left out. */
static int64_t held(const char *key)
{
	return json_integer_value(json_object_get(at("credits"), key));
}

static int64_t balance_of_reply(void)
{
	return held("gift_cpu_ns") + earned_of_reply() - held("surplus_cpu_ns");
}

static int64_t balance_of(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/v1/credits/%s", name);
	HG_CHECK_EQ(get(path), 200);
	return number("balance_cpu_ns");
}

/* What another process finds in the store now. */
static int64_t stored_balance_of(const char *name)
{
	struct hg_credit_store *store;
	struct hg_stored stored = {0};
	struct hg_error err = {0};
	char key[64];
	int found;

	snprintf(key, sizeof(key), "instance:%s", name);
	HG_CHECK_EQ(hg_credit_store_open(host.store, false, 0, &store, &err), 0);
	found = hg_credit_store_load(store, key, &stored, &err);
	hg_credit_store_close(store);
	return found == 1 ? hg_ledger_balance_cpu_ns(&stored.ledger) : -1;
}

/* The file of the configuration: what becomes of a save, and what was in the store by then. */
static struct {
	bool is_failing;
	int64_t stored_cpu_ns;
} disk;

static int save_on_disk(void *user, const struct hg_desired *desired, struct hg_error *reterr)
{
	(void)user;
	(void)desired;
	disk.stored_cpu_ns = stored_balance_of("web1");
	return disk.is_failing ? hg_error_set(reterr, -HG_EIO, "the disk is full", NULL) : 0;
}

static void begin_with_disk(void)
{
	begin();
	memset(&disk, 0, sizeof(disk));
	hg_control_on_save(w.service.control, save_on_disk, NULL);
}

/* Five hours in which web1 earned more than it used, and a gift. */
static void live(void)
{
	HG_CHECK_EQ(ask("POST", "/v1/credits/web1/grant", "{credits: 3.5}"), 200);
	for (unsigned i = 0; i < 5; i++) {
		pass(3600 * S);
		use(0, 700, 2 * S);
	}
}

/* The answer to a detach or a look, as a document of its own. */
static char *document(void)
{
	char *text = strndup(w.reply.text, w.reply.n_bytes);

	HG_CHECK(text != NULL);
	return text;
}

/* The document with another maximum, for one whose balance is kept for a day while it is stopped. */
static char *with_max(const char *of, const char *max)
{
	json_t *json = json_loads(of, 0, NULL);
	json_t *cpu = json_object_get(json_object_get(json, "instance"), "cpu");
	char *text;

	HG_CHECK_EQ(json_object_set_new(cpu, "max", json_string(max)), 0);
	HG_CHECK_EQ(json_object_set_new(cpu, "keep_stopped", json_string("24h")), 0);
	text = json_dumps(json, 0);
	json_decref(json);
	return text;
}

static void s6_7_credits_go_along_to_another_host(void)
{
	int64_t balance, gift, earned, oldest_ns;
	char *saved;

	begin_with_disk();
	live();
	HG_CHECK_EQ(ask("POST", "/v1/instances/web1/detach", ""), 200);
	saved = document();
	balance = balance_of_reply();
	gift = held("gift_cpu_ns");
	earned = earned_of_reply();
	oldest_ns = number("credits.earned.0.age_ns");
	HG_CHECK(gift > 0);
	HG_CHECK_BETWEEN(earned, 59 * CREDIT, 61 * CREDIT);
	HG_CHECK(oldest_ns > 4 * 3600 * S);
	end();

	/* Another host, whose clock began a second ago; somebody of that name was here before. */
	begin();
	HG_CHECK_EQ(ask("DELETE", "/v1/instances/web1", ""), 200);
	HG_CHECK(stored_balance_of("web1") >= 0);
	host.used_cpu_ns[0] = 50 * S;
	put_use(0);
	w.keys[0] = "dry_run";
	w.values[0] = "1";
	HG_CHECK_EQ(ask("PUT", "/v1/instances/web1/state", saved), 200);
	HG_CHECK_EQ(number("credits.balance_cpu_ns"), balance);
	w.keys[0] = NULL;
	HG_CHECK_EQ(get("/v1/credits/web1"), 404);
	HG_CHECK_EQ(ask("PUT", "/v1/instances/web1/state", saved), 200);
	HG_CHECK_EQ(json_array_size(at("left_out")), 0);
	HG_CHECK(json_is_true(at("credits.kept")));
	HG_CHECK_EQ(number("credits.balance_cpu_ns"), balance);
	HG_CHECK_EQ(number("credits.lost_cpu_ns"), 0);
	HG_CHECK_HAS(text("credits.text"), "it goes on with ");
	/* Before it has run here at all, and in the store, too. */
	HG_CHECK_EQ(balance_of("web1"), balance);
	HG_CHECK_EQ(stored_balance_of("web1"), balance);
	HG_CHECK_EQ(get("/v1/instances/web1/state"), 200);
	HG_CHECK_EQ(held("gift_cpu_ns"), gift);
	HG_CHECK_EQ(earned_of_reply(), earned);
	HG_CHECK_BETWEEN(number("credits.earned.0.age_ns"), oldest_ns - 24 * 3600 * S / 64,
			 oldest_ns);
	/* What its group used before it arrived was not on this host's account; what it uses now is. */
	pass(S);
	balance = balance_of("web1");
	use(0, 1000, S);
	pass(S);
	HG_CHECK_BETWEEN(balance_of("web1"), balance - S, balance - S / 2);
	free(saved);
	end();
}

/* What left is here no more, not even for one who is added by the same name; until the very end it was. */
static void s6_7_credits_leave_with_their_instance(void)
{
	int64_t balance;

	begin_with_disk();
	live();
	HG_CHECK_EQ(get("/v1/instances/web1/state"), 200);
	balance = balance_of_reply();
	HG_CHECK(balance > 60 * CREDIT);
	HG_CHECK_EQ(balance_of("web1"), balance); /* a look changes nothing */
	HG_CHECK_EQ(ask("POST", "/v1/instances/web1/detach", ""), 200);
	HG_CHECK_EQ(balance_of_reply(), balance);
	/* A crash as soon as the configuration was without it would have found all of it. */
	HG_CHECK_EQ(disk.stored_cpu_ns, balance);
	HG_CHECK_EQ(stored_balance_of("web1"), 0);
	HG_CHECK_EQ(ask("PUT", "/v1/config", governed), 200);
	HG_CHECK_EQ(balance_of("web1"), 0);
	end();
}

static void s6_7_credits_stay_where_a_move_fails(void)
{
	int64_t balance;
	char *saved;

	begin_with_disk();
	live();
	balance = balance_of("web1");
	disk.is_failing = true;
	HG_CHECK_EQ(ask("POST", "/v1/instances/web1/detach", ""), 502);
	HG_CHECK_EQ(balance_of("web1"), balance);
	disk.is_failing = false;
	HG_CHECK_EQ(ask("POST", "/v1/instances/web1/detach", ""), 200);
	saved = document();
	/* It does not arrive: the store has what it had of that name, be it nothing left or nobody. */
	disk.is_failing = true;
	HG_CHECK_EQ(ask("PUT", "/v1/instances/web1/state", saved), 502);
	HG_CHECK_EQ(disk.stored_cpu_ns, balance); /* it was there by then */
	HG_CHECK_EQ(stored_balance_of("web1"), 0);
	HG_CHECK_EQ(get("/v1/credits/web1"), 404);
	HG_CHECK_EQ(ask("PUT", "/v1/instances/web9/state",
			"{headgate: {kind: instance, version: 1}, tenant: acme,"
			" instance: {name: web9, cpu: {cgroup: g0, vcpus: 1, baseline: 20%}},"
			" credits: {gift_cpu_ns: 7}}"),
		    502);
	HG_CHECK_EQ(stored_balance_of("web9"), -1);
	disk.is_failing = false;
	HG_CHECK_EQ(ask("PUT", "/v1/instances/web1/state", saved), 200);
	HG_CHECK_EQ(balance_of("web1"), balance);
	free(saved);
	end();
}

static void s6_7_a_smaller_maximum_keeps_no_more_and_says_so(void)
{
	int64_t gift, earned;
	char *saved, *smaller;

	begin();
	live();
	HG_CHECK_EQ(ask("POST", "/v1/instances/web1/detach", ""), 200);
	gift = held("gift_cpu_ns");
	earned = earned_of_reply();
	saved = document();
	smaller = with_max(saved, "20");
	pass(29 * 24 * 3600 * S); /* longer than one that is stopped keeps its balance */
	HG_CHECK_EQ(ask("PUT", "/v1/instances/web1/state", smaller), 200);
	HG_CHECK_EQ(number("credits.lost_cpu_ns"), earned - 20 * CREDIT);
	HG_CHECK_EQ(number("credits.balance_cpu_ns"), gift + 20 * CREDIT);
	HG_CHECK_HAS(text("credits.text"), "more are lost, which is above its maximum here, 20.00");
	HG_CHECK_EQ(balance_of("web1"), gift + 20 * CREDIT);
	pass(S); /* its group was looked at */
	HG_CHECK_EQ(balance_of("web1"), gift + 20 * CREDIT);
	free(smaller);
	free(saved);
	end();
}

/* A pool's balance is its tenant's, and stays. */
static void s6_7_a_pools_credits_stay_with_their_tenant(void)
{
	int64_t balance;

	begin();
	balance = balance_of("shop");
	HG_CHECK(balance >= 7 * CREDIT);
	HG_CHECK_EQ(ask("POST", "/v1/instances/till/detach", ""), 200);
	HG_CHECK(json_object_get(w.json, "credits") == NULL);
	HG_CHECK_EQ(ask("PUT", "/v1/instances/till/state",
			"{headgate: {kind: instance, version: 1}, tenant: shop,"
			" instance: {name: till, cpu: {cgroup: g2, baseline: 10%, pool: yes}},"
			" credits: {gift_cpu_ns: 60000000000}}"),
		    200);
	HG_CHECK_STR(text("left_out.0"), "credits");
	HG_CHECK_HAS(text("credits.text"), "here it shares its tenant's pool");
	HG_CHECK_EQ(balance_of("shop"), balance);
	/* Neither has one that is not governed any. */
	HG_CHECK_EQ(get("/v1/instances/free/state"), 200);
	HG_CHECK(json_object_get(w.json, "credits") == NULL);
	HG_CHECK_EQ(ask("PUT", "/v1/instances/idle/state",
			"{headgate: {kind: instance, version: 1}, tenant: shop,"
			" instance: {name: idle}, credits: {gift_cpu_ns: 60000000000}}"),
		    200);
	HG_CHECK_HAS(text("credits.text"), "no 'cpu'");
	end();
}

/* A host that cannot use its store governs nothing, and keeps nothing it is given. */
static void s6_7_a_store_that_is_damaged_takes_nothing(void)
{
	static const char arrival[] =
		"{headgate: {kind: instance, version: 1, required: [credits]}, tenant: acme,"
		" instance: {name: web9, cpu: {cgroup: g7, vcpus: 1, baseline: 20%}},"
		" credits: {gift_cpu_ns: 60000000000}}";

	begin_on("this is no database, and long enough to be taken for none of its kind");
	HG_CHECK_EQ(ask("PUT", "/v1/instances/web9/state", arrival), 501);
	HG_CHECK_HAS(text("error.text"), "cannot be kept: ");
	HG_CHECK_EQ(get("/v1/instances/web9"), 404);
	HG_CHECK_EQ(get("/v1/instances/web1/state"), 200);
	HG_CHECK(json_object_get(w.json, "credits") == NULL);
	end();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s6_7_credits_go_along_to_another_host),
		HG_TEST(s6_7_credits_leave_with_their_instance),
		HG_TEST(s6_7_credits_stay_where_a_move_fails),
		HG_TEST(s6_7_a_smaller_maximum_keeps_no_more_and_says_so),
		HG_TEST(s6_7_a_pools_credits_stay_with_their_tenant),
		HG_TEST(s6_7_a_store_that_is_damaged_takes_nothing),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
