/* Limits that follow how instances behave, through the packet lane as a whole (S2.8). The interval is short, so that
 * a change of level takes as long as a few looks. */
#include "dataplane/dp.h"
#include "tests/component/hosts.h"

static struct host host;

#define INTERVAL_NS (5 * HG_NS_PER_MS)
#define MAX UINT64_C(5000000)
#define MIN UINT64_C(2000000)
/* max - (max - min) / 2 */
#define TIGHTEST UINT64_C(3500000)
#define BURST 16384u
#define PKT_BYTES 1000u
#define WIRE_BYTES (PKT_BYTES + HG_WIRE_OVERHEAD_BYTES)

static void init(void)
{
	host_init(&host);
	host.behaviour_interval_ns = INTERVAL_NS;
	hg_dummy_sink(host_far(&host, "up0"), true);
}

/* a1: a maximum and a guarantee for sending. */
static void limit_a1(enum hg_follow follow)
{
	host_limit(&host, "a1", HG_OUT, MAX, BURST);
	host.instances[0].contract.dir[HG_OUT].min_bytes_per_s = MIN;
	host.instances[0].contract.dir[HG_OUT].behaviour = (uint8_t)follow;
}

/* It sends without end from the start on, whoever has the processor. To be called before the host starts. */
static void be_greedy(const char *name)
{
	static uint8_t frames[HOST_INSTANCES_MAX][PKT_BYTES];
	uint8_t *frame = frames[host_instance(&host, name)];

	host_write_frame(&host, name, "up0", frame, PKT_BYTES);
	hg_dummy_generate(host_far(&host, name), frame, PKT_BYTES);
}

/* A device is told so while nobody polls it. */
static void stop_greed(void)
{
	struct hg_worker *w = host.dp->lane.workers[0];
	struct hg_error err = {0};

	hg_worker_stop(w);
	for (uint32_t i = 0; i < host.desired.n_instances; i++)
		hg_dummy_generate(host_far(&host, host.instances[i].name), NULL, 0);
	atomic_store(&w->want_stop, false);
	if (hg_worker_start(w, &err) != 0)
		HG_TEST_FAIL("%s", err.text);
}

static void stay(const char *name)
{
	(void)name;
}

/* A packet a millisecond: far below any rate here, however often it is looked at. */
static void be_modest(const char *name)
{
	static hg_ns next_ns;
	hg_ns now_ns = clock_now_ns();

	if (now_ns < next_ns)
		return;
	next_ns = now_ns + HG_NS_PER_MS;
	host_send(&host, name, "up0", PKT_BYTES, 0, 1);
}

/* Looks at it, and checks what holds at any time. */
static struct hg_dp_flow look(const char *name)
{
	struct hg_dp_flow flow = host_flow(&host, name, HG_OUT);

	HG_CHECK(flow.behaviour.level >= HG_BEHAVIOUR_RELAXED &&
		 flow.behaviour.level <= HG_BEHAVIOUR_LEVELS);
	HG_CHECK((flow.behaviour.n_changes == 0) ==
		 (flow.behaviour.reason == HG_BEHAVIOUR_NO_REASON));
	/* A maximum in force is never below the guarantee. */
	HG_CHECK(flow.max_in_force_bytes_per_s == 0 || flow.max_in_force_bytes_per_s >= MIN);
	return flow;
}

static struct hg_dp_flow until_level(const char *name, void (*behave)(const char *), int level)
{
	struct hg_dp_flow flow;

	/* What the window knows is published before the next judgement. */
	WAIT_FOR((behave(name), flow = look(name),
		  flow.behaviour.level == level && flow.window.depth_shift == -level));
	return flow;
}

/* Holds what it sends against the rate. False: its level changed meanwhile, since the lane had no processor for a
 * while, and what was held then was not held by a maximum. */
static bool is_measured(uint64_t bytes_per_s)
{
	hg_ns began_ns = clock_now_ns();
	struct hg_dp_flow before, after;

	/* What the lane does by an earlier clock is behind it the second time. */
	look("a1");
	before = look("a1");
	WAIT_FOR((after = look("a1"), after.sent_bytes - before.sent_bytes > bytes_per_s / 10));
	if (after.behaviour.n_changes != before.behaviour.n_changes)
		return false;
	HG_CHECK((double)(after.sent_bytes - before.sent_bytes) <=
		 (double)bytes_per_s * (double)(clock_now_ns() - began_ns) / 1e9 + BURST +
			 WIRE_BYTES);
	return true;
}

static void s2_8_greedy_instance_is_tightened_and_released(void)
{
	struct hg_dp_flow flow;

	init();
	limit_a1(HG_FOLLOW_RATE);
	be_greedy("a1");
	host_start(&host, 1);
	HG_CHECK_EQ(look("a1").max_in_force_bytes_per_s, MAX);
	WAIT_FOR((flow = until_level("a1", stay, HG_BEHAVIOUR_LEVELS), is_measured(TIGHTEST)));
	HG_CHECK_EQ(flow.behaviour.reason, HG_BEHAVIOUR_OVER_OWN);
	HG_CHECK_EQ(flow.max_in_force_bytes_per_s, TIGHTEST);
	stop_greed();
	flow = until_level("a1", be_modest, HG_BEHAVIOUR_RELAXED);
	HG_CHECK_EQ(flow.behaviour.reason, HG_BEHAVIOUR_INSIDE);
	HG_CHECK_EQ(flow.max_in_force_bytes_per_s, MAX);
	/* Up to 3 and down to -1, one by one. */
	HG_CHECK(flow.behaviour.n_changes >= 7);
	host_close(&host);
}

static void s2_8_depth_alone_leaves_the_rate(void)
{
	init();
	limit_a1(HG_FOLLOW_DEPTH);
	be_greedy("a1");
	host_start(&host, 1);
	HG_CHECK_EQ(until_level("a1", stay, HG_BEHAVIOUR_LEVELS).max_in_force_bytes_per_s, MAX);
	stop_greed();
	until_level("a1", be_modest, HG_BEHAVIOUR_RELAXED);
	host_close(&host);
}

static void s2_8_who_is_not_to_be_followed_is_not(void)
{
	struct hg_dp_flow flow;

	init();
	limit_a1(HG_FOLLOW_NONE);
	host_limit(&host, "a2", HG_OUT, MAX, BURST);
	be_greedy("a1");
	be_greedy("a2");
	host_start(&host, 1);
	until_level("a2", stay, HG_BEHAVIOUR_LEVELS);
	flow = look("a1");
	HG_CHECK(flow.held_ns[HG_LIMIT_MAX] > HG_BEHAVIOUR_AFTER * INTERVAL_NS);
	HG_CHECK_EQ(flow.behaviour.n_changes, 0);
	HG_CHECK_EQ(flow.max_in_force_bytes_per_s, MAX);
	stop_greed();
	host_close(&host);
}

static void s2_8_the_tenants_total_counts(void)
{
	struct hg_dp_flow flow;

	init();
	host_limit_tenant(&host, "a", HG_OUT, MAX, BURST);
	host.instances[0].contract.dir[HG_OUT].behaviour = HG_FOLLOW_RATE;
	be_greedy("a1");
	host_start(&host, 1);
	flow = until_level("a1", stay, HG_BEHAVIOUR_LEVELS);
	HG_CHECK_EQ(flow.behaviour.reason, HG_BEHAVIOUR_OVER_TENANT);
	HG_CHECK_EQ(flow.max_in_force_bytes_per_s, 0);
	stop_greed();
	host_close(&host);
}

static void s2_8_another_contract_begins_anew(void)
{
	init();
	limit_a1(HG_FOLLOW_RATE);
	be_greedy("a1");
	host_start(&host, 1);
	until_level("a1", stay, HG_BEHAVIOUR_LEVELS);
	host_limit(&host, "a1", HG_OUT, 2 * MAX, BURST);
	host_apply(&host);
	HG_CHECK_EQ(until_level("a1", stay, HG_BEHAVIOUR_LEVELS).max_in_force_bytes_per_s,
		    2 * MAX - (2 * MAX - MIN) / 2);
	host.instances[0].contract.dir[HG_OUT].behaviour = HG_FOLLOW_NONE;
	host_apply(&host);
	HG_CHECK_EQ(look("a1").behaviour.level, 0);
	WAIT_FOR(look("a1").window.depth_shift == 0);
	HG_CHECK_EQ(look("a1").max_in_force_bytes_per_s, 2 * MAX);
	stop_greed();
	host_close(&host);
}

static const struct hg_test tests[] = {
	HG_TEST(s2_8_greedy_instance_is_tightened_and_released),
	HG_TEST(s2_8_depth_alone_leaves_the_rate),
	HG_TEST(s2_8_who_is_not_to_be_followed_is_not),
	HG_TEST(s2_8_the_tenants_total_counts),
	HG_TEST(s2_8_another_contract_begins_anew),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
