/* Guests that are over their contract wait in their own rings, through the packet lane as a whole. */
#include "tests/component/hosts.h"

static struct host host;

/* 5 MB/s: at 1,000 bytes a packet, N_PKTS take some 0.3 s beside the burst. */
#define RATE UINT64_C(5000000)

#define SLOW HG_RATE_MIN_BYTES_PER_S
#define N_BYTES 1000u
#define N_PKTS 1500u
/* More than any hold queue takes at this rate. */
#define N_WIRE (N_PKTS * (uint64_t)(N_BYTES + HG_WIRE_OVERHEAD_BYTES))

static void push_back(const char *name)
{
	hg_dummy_caps(host_far(&host, name), HG_DEV_TX_CSUM | HG_DEV_TX_TSO4 | HG_DEV_TX_TSO6 |
						     HG_DEV_TX_ECN | HG_DEV_TX_USO |
						     HG_DEV_RX_PUSHES_BACK);
}

static void begin(uint32_t n_workers)
{
	host_init(&host);
	push_back("a1");
	host_limit(&host, "a1", HG_OUT, RATE, SMALL_BURST);
	host_start(&host, n_workers);
}

static uint64_t lost(void)
{
	struct hg_dp_flow flow = host_flow(&host, "a1", HG_OUT);

	return flow_drops(&flow);
}

static unsigned n_waiting(void)
{
	return hg_dummy_n_waiting(host_far(&host, "a1"));
}

/* All arrives, in order, no sooner than the contract allows, and what it waited for is told. */
static void check_over_contract(uint32_t n_workers, const char *to)
{
	struct hg_dp_flow flow;
	hg_ns began_ns, took_ns;
	uint64_t sum_ns = 0;

	begin(n_workers);
	began_ns = clock_now_ns();
	host_send(&host, "a1", to, N_BYTES, 0, N_PKTS);
	host_expect(&host, to, 0, N_PKTS);
	took_ns = clock_now_ns() - began_ns;
	HG_CHECK(N_WIRE <= (uint64_t)took_ns * RATE / HG_NS_PER_S + SMALL_BURST + N_BYTES);
	flow = host_flow(&host, "a1", HG_OUT);
	HG_CHECK_EQ(flow_drops(&flow), 0);
	HG_CHECK_EQ(flow.sent_pkts, N_PKTS);
	HG_CHECK_EQ(flow.offered_pkts, N_PKTS);
	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		sum_ns += flow.held_ns[i];
	HG_CHECK_EQ(sum_ns, flow.wait_ns);
	HG_CHECK(flow.held_ns[HG_LIMIT_MAX] > 0);
	host_close(&host);
}

static void s1_3_guest_over_its_contract_loses_nothing(void)
{
	check_over_contract(1, "up0");
}

static void s1_3_guest_over_its_contract_loses_nothing_two_workers(void)
{
	check_over_contract(2, "up0");
}

static void s1_3_guest_over_its_contract_loses_nothing_on_the_host(void)
{
	check_over_contract(1, "a2");
}

/* The twin: a port that cannot push back loses what its queue does not hold, however slowly the test is run. */
static void s1_3_port_that_cannot_push_back_drops_with_a_reason(void)
{
	host_init(&host);
	host_limit(&host, "a1", HG_OUT, SLOW, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "a1", "up0", N_BYTES, 0, N_PKTS);
	WAIT_FOR(n_waiting() == 0 && lost() > 0);
	host_discard(&host, "up0");
	host_close(&host);
}

/* While it is held, explain names the limit, and what is beyond a short queue is in the guest. */
static void s1_3_held_ring_stands_in_the_guest(void)
{
	struct hg_dp_flow flow;

	begin(1);
	host_limit(&host, "a1", HG_OUT, SLOW, SMALL_BURST);
	host_apply(&host);
	host_send(&host, "a1", "up0", N_BYTES, 0, N_PKTS);
	WAIT_FOR((flow = host_flow(&host, "a1", HG_OUT), flow.held_by == HG_LIMIT_MAX));
	HG_CHECK(flow.queued_bytes <= 256 * 1024);
	HG_CHECK(n_waiting() > N_PKTS / 2);
	/* At that rate it would take half an hour; now it goes on at once, and no wake-up is lost. */
	host_limit(&host, "a1", HG_OUT, 20 * RATE, SMALL_BURST);
	host_apply(&host);
	host_expect(&host, "up0", 0, N_PKTS);
	HG_CHECK_EQ(lost(), 0);
	host_close(&host);
}

/* The tenant's maximum is a limit on the whole instance as well. */
static void s1_3_tenant_over_its_contract_loses_nothing(void)
{
	host_init(&host);
	push_back("a1");
	push_back("a2");
	host_limit_tenant(&host, "a", HG_OUT, 2 * RATE, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "a1", "up0", N_BYTES, 0, N_PKTS);
	host_expect(&host, "up0", 0, N_PKTS);
	HG_CHECK_EQ(lost(), 0);
	HG_CHECK(host_flow(&host, "a1", HG_OUT).held_ns[HG_LIMIT_TENANT_MAX] > 0);
	host_close(&host);
}

/* A receiver's maximum binds what is for that receiver: the sender's ring is read on, and its other traffic
 * passes. */
static void s1_3_narrower_limit_does_not_hold_the_ring(void)
{
	host_init(&host);
	push_back("a1");
	host_limit(&host, "a2", HG_IN, SLOW, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "a1", "a2", N_BYTES, 0, N_PKTS);
	WAIT_FOR(n_waiting() == 0);
	host_send(&host, "a1", "up0", N_BYTES, 0, 100);
	host_expect(&host, "up0", 0, 100);
	host_discard(&host, "a2");
	host_close(&host);
}

/* A held port that goes away, and one that comes in its place, are not held by what was before. */
static void s1_3_held_instance_can_be_removed(void)
{
	uint32_t idx;

	begin(1);
	host_add_instance(&host, "a3", host_tenant(&host, "a"));
	push_back("a3");
	host_limit(&host, "a3", HG_OUT, SLOW, SMALL_BURST);
	host_apply(&host);
	host_send(&host, "a3", "up0", N_BYTES, 0, N_PKTS);
	WAIT_FOR(host_flow(&host, "a3", HG_OUT).held_by == HG_LIMIT_MAX);
	host_remove_last_instance(&host);
	host_apply(&host);
	host_discard(&host, "up0");
	idx = host_add_instance(&host, "a4", host_tenant(&host, "a"));
	HG_CHECK(idx > 0);
	push_back("a4");
	host_apply(&host);
	host_discard(&host, "up0");
	host_send(&host, "a4", "up0", N_BYTES, 0, 100);
	host_expect(&host, "up0", 0, 100);
	host_close(&host);
}

/* A port whose senders fall back when they are refused: its queue may hold more, so that it does not run dry until they
 * send again. */
static void s1_3_refusing_port_is_told_and_holds_more(void)
{
	struct hg_dummy *far;

	host_init(&host);
	hg_dummy_caps(host_far(&host, "a1"), HG_DEV_RX_PUSHES_BACK | HG_DEV_RX_REFUSES);
	host_limit(&host, "a1", HG_OUT, RATE, SMALL_BURST);
	host_start(&host, 1);
	far = host_far(&host, "a1");
	HG_CHECK(!hg_dummy_is_held(far));
	host_send(&host, "a1", "up0", N_BYTES, 0, N_PKTS);
	WAIT_FOR(hg_dummy_is_held(far));
	HG_CHECK(n_waiting() > 0);
	host_expect(&host, "up0", 0, N_PKTS);
	HG_CHECK_EQ(lost(), 0);
	WAIT_FOR(!hg_dummy_is_held(far));
	host_close(&host);
}

/* The call by which a device is told that it is held lasts until the test says so. */
static _Atomic bool is_being_told, is_told;

static void tell_slowly(void *user, bool is_held)
{
	hg_ns until_ns = clock_now_ns() + PATIENCE_NS;

	(void)user;
	if (!is_held)
		return;
	is_being_told = true;
	while (!is_told && clock_now_ns() < until_ns)
		sched_yield();
}

/* Its instance is let go by one worker while another is about to hold its port, and nobody else ever is: the port must
 * not wait for the next who is let go. */
static void s1_3_port_that_is_let_go_while_it_is_being_held_goes_on(void)
{
	const struct hg_dummy_acts acts = {.on_hold = tell_slowly};
	struct hg_dp_flow flow;
	uint32_t n;

	is_being_told = is_told = false;
	host_init(&host);
	push_back("a1");
	host_limit(&host, "a1", HG_OUT, RATE, SMALL_BURST);
	hg_dummy_act(host_far(&host, "a1"), &acts);
	host_start(&host, 2);
	host_send(&host, "a1", "up0", N_BYTES, 0, N_PKTS);
	WAIT_FOR(is_being_told);
	/* Its worker is in that call. With the last packet that it has read the other one has let it go. */
	n = (uint32_t)host_port(&host, "a1").rx_pkts;
	HG_CHECK(n < N_PKTS);
	host_expect(&host, "up0", 0, n);
	is_told = true;
	host_expect(&host, "up0", n, N_PKTS - n);
	flow = host_flow(&host, "a1", HG_OUT);
	HG_CHECK_EQ(flow_drops(&flow), 0);
	host_close(&host);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s1_3_guest_over_its_contract_loses_nothing),
		HG_TEST(s1_3_guest_over_its_contract_loses_nothing_two_workers),
		HG_TEST(s1_3_guest_over_its_contract_loses_nothing_on_the_host),
		HG_TEST(s1_3_port_that_cannot_push_back_drops_with_a_reason),
		HG_TEST(s1_3_held_ring_stands_in_the_guest),
		HG_TEST(s1_3_tenant_over_its_contract_loses_nothing),
		HG_TEST(s1_3_narrower_limit_does_not_hold_the_ring),
		HG_TEST(s1_3_held_instance_can_be_removed),
		HG_TEST(s1_3_refusing_port_is_told_and_holds_more),
		HG_TEST(s1_3_port_that_is_let_go_while_it_is_being_held_goes_on),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
