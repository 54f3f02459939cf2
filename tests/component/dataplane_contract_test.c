/* Contracts on real time, through the packet lane as a whole. */
#include "tests/component/hosts.h"

#include "vswitch/bytes.h"

static struct host host;

/* What n bytes of frame weigh. */
#define WIRE(n) ((n) + HG_WIRE_OVERHEAD_BYTES)

/* ---- the rule of measure ------------------------------------------------------------------------ */

/* One look at a counter: it has all that was let through before from_ns, and nothing that was after
 * to_ns. */
struct look {
	hg_ns from_ns, to_ns;
	uint64_t sent;
};

enum { LOOKS_MAX = 4096, PUBLISH_GIVES_UP_NS = 20000000 };

static struct look looks[LOOKS_MAX];
static unsigned n_looks;

static void look_at(uint64_t (*read)(void))
{
	struct look look = {.from_ns = clock_now_ns()};

	/* A turn of the worker lets packets through by the clock at its beginning, and may lose the
	 * processor before it counts them. The second time, what it does by the clock of before from_ns is
	 * behind it. */
	hg_dp_publish(host.dp);
	hg_dp_publish(host.dp);
	look.sent = read();
	look.to_ns = clock_now_ns();
	if (n_looks < LOOKS_MAX && look.to_ns - look.from_ns < PUBLISH_GIVES_UP_NS)
		looks[n_looks++] = look;
}

/* By how much the worst window between two looks passes rate * T, in the counter's units. */
static int64_t worst_excess(uint64_t rate)
{
	int64_t worst = INT64_MIN;

	for (unsigned i = 0; i < n_looks; i++) {
		for (unsigned j = i + 1; j < n_looks; j++) {
			double window_s = (double)(looks[j].to_ns - looks[i].from_ns) / 1e9;
			int64_t excess = (int64_t)(looks[j].sent - looks[i].sent) -
					 (int64_t)(window_s * (double)rate);

			worst = excess > worst ? excess : worst;
		}
	}
	return worst;
}

/* Over all looks. */
static uint64_t mean_rate(void)
{
	const struct look *first = &looks[0], *last = &looks[n_looks - 1];

	return (uint64_t)((double)(last->sent - first->sent) /
			  (double)(last->to_ns - first->from_ns) * 1e9);
}

static uint64_t tenant_sent_bytes(void)
{
	struct hg_dp_flow flow;

	hg_dp_sample_tenant(host.dp, 0, HG_OUT, &flow);
	return flow.sent_bytes;
}

static uint64_t a1_sent_bytes(void)
{
	struct hg_dp_flow flow;

	hg_dp_sample_instance(host.dp, 0, HG_OUT, &flow);
	return flow.sent_bytes;
}

static uint64_t a1_sent_pkts(void)
{
	struct hg_dp_flow flow;

	hg_dp_sample_instance(host.dp, 0, HG_OUT, &flow);
	return flow.sent_pkts;
}

static uint64_t a1_received_bytes(void)
{
	struct hg_dp_flow flow;

	hg_dp_sample_instance(host.dp, 0, HG_IN, &flow);
	return flow.sent_bytes;
}

/* Keeps `from` sending to `to`, without waiting: what does not fit is not sent. */
static void keep_sending(const char *from, const char *to, uint32_t n_bytes)
{
	struct hg_dummy *far = host_far(&host, from);

	for (unsigned i = 0; i < 16 && hg_dummy_n_waiting(far) < 16; i++) {
		struct hg_pkt *pkt = host_packet(&host, from, to, n_bytes, i);

		if (pkt != NULL && hg_dummy_inject(far, &pkt, 1) == 0)
			host_release(&host, pkt);
	}
}

/* Holds the counter against its rate until it moved by `goal`, which it must at all. How exactly a rate is
 * reached is for a benchmark to say, since the machine may have other things to do. */
static void check_rate(uint64_t (*read)(void), void (*send)(void), uint64_t rate, uint64_t burst,
		       uint64_t goal, uint64_t largest)
{
	uint64_t began_at;
	hg_ns began_ns;

	n_looks = 0;
	send();
	WAIT_FOR((send(), read() > 2 * burst));
	began_at = read();
	began_ns = clock_now_ns();
	WAIT_FOR((send(), look_at(read), read() - began_at >= goal));
	{
		double s = (double)(clock_now_ns() - began_ns) / 1e9;
		double got = (double)(read() - began_at) / s;

		fprintf(stderr, "%.4f of the rate, worst window %+lld over rate * T, of %llu\n",
			got / (double)rate, (long long)worst_excess(rate),
			(unsigned long long)(burst + largest));
	}
	HG_CHECK(worst_excess(rate) <= (int64_t)(burst + largest));
}

static void discard_all(void)
{
	host_discard(&host, "up0");
	host_discard(&host, "a1");
	host_discard(&host, "a2");
	host_discard(&host, "b1");
}

static void send_a1_out(void)
{
	keep_sending("a1", "up0", 1000);
	discard_all();
}

static void s1_1_maximum_of_an_instance(void)
{
	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 5000000, 65536);
	host_start(&host, 1);
	check_rate(a1_sent_bytes, send_a1_out, 5000000, 65536, 2500000, WIRE(1000));
	host_close(&host);
}

static void send_a1_in(void)
{
	keep_sending("up0", "a1", 1000);
	discard_all();
}

static void s1_1_maximum_for_receiving(void)
{
	host_init(&host);
	host_limit(&host, "a1", HG_IN, 5000000, 65536);
	host_start(&host, 1);
	check_rate(a1_received_bytes, send_a1_in, 5000000, 65536, 2500000, WIRE(1000));
	host_close(&host);
}

static void send_small(void)
{
	keep_sending("a1", "up0", 60);
	discard_all();
}

static void s1_1_packet_rate_maximum(void)
{
	host_init(&host);
	host.instances[0].contract.dir[HG_OUT].max_pkts_per_s = 10000;
	host.instances[0].contract.dir[HG_OUT].burst_bytes = 160000;
	host.instances[0].contract.dir[HG_OUT].reserve_bytes = 160000;
	host_start(&host, 1);
	check_rate(a1_sent_pkts, send_small, 10000, 100, 5000, 1);
	/* More than the burst at once. */
	WAIT_FOR((host_send(&host, "a1", "up0", 60, 0, 200), discard_all(),
		  host_flow(&host, "a1", HG_OUT).held_ns[HG_LIMIT_PKTS] > 0));
	host_close(&host);
}

static void send_all_ways(void)
{
	keep_sending("a1", "up0", 1000);
	keep_sending("a2", "up0", 1514);
	keep_sending("a1", "a2", 500);
	discard_all();
}

/* Two instances, the uplink and local traffic together: one maximum. */
static void s1_9_tenant_maximum_binds_the_sum(void)
{
	host_init(&host);
	host_limit_tenant(&host, "a", HG_OUT, 5000000, 65536);
	host_start(&host, 1);
	check_rate(tenant_sent_bytes, send_all_ways, 5000000, 65536, 2500000, WIRE(1514));
	HG_CHECK(host_flow(&host, "a1", HG_OUT).link_bytes > 0);
	HG_CHECK(host_flow(&host, "a1", HG_OUT).sent_bytes >
		 host_flow(&host, "a1", HG_OUT).link_bytes);
	HG_CHECK(host_flow(&host, "a2", HG_OUT).link_bytes > 0);
	HG_CHECK(host_flow(&host, "a2", HG_OUT).held_ns[HG_LIMIT_TENANT_MAX] > 0);
	host_close(&host);
}

static void s1_9_tenant_maximum_binds_the_sum_two_workers(void)
{
	host_init(&host);
	host_limit_tenant(&host, "a", HG_OUT, 5000000, 65536);
	host_start(&host, 2);
	check_rate(tenant_sent_bytes, send_all_ways, 5000000, 65536, 2500000, WIRE(1514));
	host_close(&host);
}

/* The property is seen to fail: the same looks, held against four fifths of what was sent. */
static void s1_9_check_sees_a_tenant_above_its_maximum(void)
{
	host_init(&host);
	host_limit_tenant(&host, "a", HG_OUT, 5000000, 65536);
	host_start(&host, 1);
	check_rate(tenant_sent_bytes, send_all_ways, 5000000, 65536, 2500000, WIRE(1514));
	HG_CHECK(worst_excess(mean_rate() / 5 * 4) > 65536 + WIRE(1514));
	host_close(&host);
}

/* ---- held times --------------------------------------------------------------------------------- */

static uint64_t sum_held(const struct hg_dp_flow *flow)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		sum += flow->held_ns[i];
	return sum;
}

static void s7_8_held_times_add_up_to_the_wait(void)
{
	struct hg_dp_flow flow;
	hg_ns began_ns, took_ns;
	uint64_t due_ns;

	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 1000000, SMALL_BURST);
	host_start(&host, 1);
	began_ns = clock_now_ns();
	host_send(&host, "a1", "up0", 1000, 0, 100);
	host_expect(&host, "up0", 0, 100);
	took_ns = clock_now_ns() - began_ns;
	flow = host_flow(&host, "a1", HG_OUT);
	HG_CHECK_EQ(sum_held(&flow), flow.wait_ns);
	HG_CHECK(flow.wait_ns <= (uint64_t)took_ns);
	/* All but the burst and the packet that may overdraw had to wait for the maximum. */
	due_ns = (100 * WIRE(1000) - SMALL_BURST - 2 * WIRE(1000)) * UINT64_C(1000);
	HG_CHECK(flow.held_ns[HG_LIMIT_MAX] >= due_ns);
	HG_CHECK(flow.held_ns[HG_LIMIT_MAX] >= flow.wait_ns / 10 * 9);
	HG_CHECK_EQ(flow.queued_bytes, 0);
	HG_CHECK_EQ(flow_drops(&flow), 0);
	HG_CHECK_EQ(hg_histogram_count(&flow.wait), 100);
	host_close(&host);
}

static void s1_3_held_now_names_the_limit(void)
{
	struct hg_dp_flow flow;

	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 100000, SMALL_BURST);
	host_limit_tenant(&host, "b", HG_OUT, 100000, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "a1", "up0", 1000, 0, 20);
	host_send(&host, "b1", "up0", 1000, 0, 20);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).held_by == HG_LIMIT_MAX);
	WAIT_FOR(host_flow(&host, "b1", HG_OUT).held_by == HG_LIMIT_TENANT_MAX);
	flow = host_flow(&host, "a1", HG_OUT);
	HG_CHECK(flow.queued_bytes > 0);
	HG_CHECK_EQ(flow.queued_bytes, flow.link_queued_bytes);
	HG_CHECK(flow.is_active);
	host_close(&host);
}

static void s1_3_queue_that_stands_is_marked(void)
{
	unsigned n_marked = 0;

	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 200000, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "a1", "up0", 1000, 0, 60);
	for (uint32_t i = 0; i < 60; i++) {
		struct hg_pkt *pkt = host_receive(&host, "up0");
		bool is_marked = (pkt->data[15] & 3u) == 3u;

		host_release(&host, pkt);
		n_marked += is_marked;
		/* The first goes at once. The second waited for 5 ms, and is the first to say that the queue stands: only
		 * those behind it, of which the last waits for 300 ms, say so for long enough. */
		HG_CHECK(i > 1 || !is_marked);
	}
	HG_CHECK(n_marked > 0);
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).marked_pkts, n_marked);
	host_close(&host);
}

/* ---- the bounds of the hold queue --------------------------------------------------------------- */

static void s1_3_full_hold_queue_drops_with_a_reason(void)
{
	struct hg_dp_flow flow;

	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 1000000, SMALL_BURST);
	host_start(&host, 1);
	/* 1.8 s of it, into a queue of 150 ms. */
	host_send(&host, "a1", "up0", 1500, 0, 1200);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == 1200);
	WAIT_FOR((flow = host_flow(&host, "a1", HG_OUT)).queued_bytes == 0);
	HG_CHECK(flow.drops[HG_DROP_HOLD_BYTES] > 0);
	HG_CHECK_EQ(flow.sent_pkts + flow_drops(&flow), 1200);
	/* Nobody else's. */
	HG_CHECK_EQ(flow_drops(&flow), flow.drops[HG_DROP_HOLD_BYTES]);
	HG_CHECK_EQ(host_discard(&host, "up0"), flow.sent_pkts);
	host_close(&host);
}

/* 64 connections that begin together send ten packets each before they hear anything. */
static void s1_3_many_who_begin_at_once_are_held(void)
{
	struct hg_dp_flow flow;

	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 12500000, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "a1", "up0", 1500, 0, 640);
	WAIT_FOR((flow = host_flow(&host, "a1", HG_OUT)).sent_pkts + flow_drops(&flow) == 640);
	HG_CHECK_EQ(flow_drops(&flow), 0);
	HG_CHECK_EQ(host_discard(&host, "up0"), 640);
	host_close(&host);
}

/* What it receives has its own acknowledgements between: it is held for 10 ms at its maximum, and no longer. A rate of
 * packets far below that makes the queue stand. */
static void s1_3_what_is_received_is_held_for_10_ms(void)
{
	static uint8_t frame[1000];
	struct hg_dp_flow flow;

	host_init(&host);
	host_add_instance(&host, "a3", host_tenant(&host, "a"));
	host_write_frame(&host, "a3", "a2", frame, sizeof(frame));
	hg_dummy_generate(host_far(&host, "a3"), frame, sizeof(frame));
	host_limit(&host, "a2", HG_IN, 25000000, SMALL_BURST);
	host.instances[host_instance(&host, "a2")].contract.dir[HG_IN].max_pkts_per_s = 10;
	host_start(&host, 1);
	WAIT_FOR((flow = host_flow(&host, "a2", HG_IN)).drops[HG_DROP_HOLD_BYTES] > 0);
	/* 250 KB, what was pushed at once with the last, and what has left since. */
	HG_CHECK_BETWEEN(flow.queued_bytes, 200000, 290000);
	host_remove_last_instance(&host);
	host_apply(&host);
	hg_dummy_generate(hg_dummy_find("a3"), NULL, 0);
	host_close(&host);
}

static void s1_3_long_wait_drops_with_a_reason(void)
{
	struct hg_dp_flow flow;

	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 300000, SMALL_BURST);
	host_start(&host, 1);
	/* 100 KB are 340 ms: when the last of them go, nothing is queued behind them. */
	host_send(&host, "a1", "up0", 1000, 0, 100);
	WAIT_FOR((host_send(&host, "a1", "up0", 100, 100, 1), flow = host_flow(&host, "a1", HG_OUT),
		  flow.drops[HG_DROP_HOLD_TIME] > 0));
	WAIT_FOR((flow = host_flow(&host, "a1", HG_OUT)).queued_bytes == 0);
	HG_CHECK_EQ(flow.sent_pkts + flow_drops(&flow), flow.offered_pkts);
	/* The queue that has gone holds nothing against who comes now. */
	host_discard(&host, "up0");
	host_send(&host, "a1", "up0", 1000, 5000, 1);
	host_expect(&host, "up0", 5000, 1);
	host_close(&host);
}

static bool has_waited(const char *name, enum hg_dir dir, hg_ns for_ns)
{
	struct hg_dp_flow flow = host_flow(&host, name, dir);

	return hg_histogram_quantile(&flow.wait, 1000000) >= for_ns;
}

static void check_all_sent(const char *name, enum hg_dir dir, uint64_t n_pkts)
{
	struct hg_dp_flow flow;

	WAIT_FOR((flow = host_flow(&host, name, dir)).sent_pkts + flow_drops(&flow) == n_pkts);
	HG_CHECK_EQ(flow_drops(&flow), 0);
}

/* Queues packets of 1000 bytes, 100 ms for who may send 1 MB/s, from number n on. */
static void queue_some(uint32_t n)
{
	host_send(&host, "a1", "up0", 1000, n, 120);
	host_send(&host, "up0", "a2", 1000, n, 120);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == n + 120);
	WAIT_FOR(host_flow(&host, "a2", HG_IN).offered_pkts == n + 120);
}

/* Longer than a packet may wait; but it waited for the worker, not for its contract, and what comes then is held. */
static void standstill(uint32_t n_workers)
{
	const hg_ns still_ns = 250 * HG_NS_PER_MS;
	uint32_t n = 0;

	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 1000000, 16384);
	host_limit(&host, "a2", HG_IN, 1000000, 16384);
	host_start(&host, n_workers);
	/* Again if all of them had gone before: who leaves first says how long it was. */
	do {
		queue_some(n);
		n += 120;
		host_stand_still(still_ns);
		WAIT_FOR(has_waited("a1", HG_OUT, still_ns) ||
			 host_flow(&host, "a1", HG_OUT).queued_bytes == 0);
		host_send(&host, "a1", "up0", 1000, n, 20);
		WAIT_FOR(has_waited("a2", HG_IN, still_ns) ||
			 host_flow(&host, "a2", HG_IN).queued_bytes == 0);
		host_send(&host, "up0", "a2", 1000, n, 20);
		n += 20;
		check_all_sent("a1", HG_OUT, n);
		check_all_sent("a2", HG_IN, n);
	} while (!has_waited("a1", HG_OUT, still_ns) || !has_waited("a2", HG_IN, still_ns));
	host_expect(&host, "up0", 0, n);
	host_expect(&host, "a2", 0, n);
	host_close(&host);
}

static void s1_3_standstill_of_the_host_drops_nothing(void)
{
	standstill(1);
}

static void s1_3_standstill_of_the_host_drops_nothing_two_workers(void)
{
	standstill(2);
}

/* Packets, ten more than a full bucket lets through at once, and a standstill in which it is filled again. Returns how
 * long it took beside the standstill. */
static hg_ns send_into_standstill(uint32_t n_pkts, hg_ns still_ns)
{
	uint64_t offered = host_flow(&host, "a1", HG_OUT).offered_pkts + n_pkts;
	hg_ns began_ns = clock_now_ns(), beside_ns;

	host_send(&host, "a1", "up0", 1000, 0, n_pkts);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == offered);
	host_stand_still(still_ns);
	beside_ns = clock_now_ns() - began_ns - still_ns;
	check_all_sent("a1", HG_OUT, offered);
	HG_CHECK_EQ(host_discard(&host, "up0"), n_pkts);
	return beside_ns;
}

/* What waited for the worker is no queue that stands, and its senders are not told to slow down. */
static void s1_3_standstill_of_the_host_marks_nothing(void)
{
	const hg_ns still_ns = 50 * HG_NS_PER_MS;
	uint64_t marked_pkts;

	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 1000000, 32768);
	host_start(&host, 1);
	/* Again if the ten had stood for long before it: one leaves in a millisecond. */
	do {
		host_stand_still(still_ns);
		marked_pkts = host_flow(&host, "a1", HG_OUT).marked_pkts;
	} while (send_into_standstill(42, still_ns) > 3 * HG_NS_PER_MS / 2);
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).marked_pkts, marked_pkts);
	host_close(&host);
}

/* Eight that flood with the least frames while they may send next to nothing: each frame takes a whole
 * buffer, so that by bytes alone they could hold many times the buffers that there are. */
static void s1_8_flood_leaves_buffers_to_others(void)
{
	enum { FLOODERS = 8, FRAME_BYTES = 60 };
	static uint8_t frames[FLOODERS][FRAME_BYTES];
	static const char *const names[FLOODERS] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"};
	uint32_t tenant;

	host_init(&host);
	tenant = host_add_tenant(&host, "c", 0);
	for (unsigned i = 0; i < FLOODERS; i++) {
		host_add_instance(&host, names[i], tenant);
		host_limit(&host, names[i], HG_OUT, 10000, SMALL_BURST);
		host_write_frame(&host, names[i], "up0", frames[i], FRAME_BYTES);
		hg_dummy_generate(host_far(&host, names[i]), frames[i], FRAME_BYTES);
	}
	host_start(&host, 1);
	for (unsigned i = 0; i < FLOODERS; i++)
		WAIT_FOR(flow_drops((struct hg_dp_flow[]){host_flow(&host, names[i], HG_OUT)}) >
			 10000);
	for (uint32_t n = 0; n < 1000; n += 10) {
		host_send(&host, "a1", "a2", 1000, n, 10);
		host_expect(&host, "a2", n, 10);
	}
	HG_CHECK_EQ(host_port(&host, "a1").drops[HG_DROP_NO_BUFFER], 0);
	for (unsigned i = 0; i < FLOODERS; i++)
		host_remove_last_instance(&host);
	host_apply(&host);
	for (unsigned i = 0; i < FLOODERS; i++)
		hg_dummy_generate(hg_dummy_find(names[i]), NULL, 0);
	host_close(&host);
}

/* So many at once that some are asked for frames when there is no buffer left. Begins the host, but does not start it. */
static char flooders[300][8];
#define N_FLOODERS (sizeof(flooders) / sizeof(flooders[0]))

static void add_flooders(void)
{
	enum { FRAME_BYTES = 60 };
	static uint8_t frames[N_FLOODERS][FRAME_BYTES];
	uint32_t tenant;

	host_init(&host);
	tenant = host_add_tenant(&host, "c", 0);
	for (unsigned i = 0; i < N_FLOODERS; i++) {
		snprintf(flooders[i], sizeof(flooders[i]), "c%u", i);
		host_add_instance(&host, flooders[i], tenant);
		host_write_frame(&host, flooders[i], "up0", frames[i], FRAME_BYTES);
		hg_dummy_generate(host_far(&host, flooders[i]), frames[i], FRAME_BYTES);
	}
}

static void remove_flooders(void)
{
	for (unsigned i = 0; i < N_FLOODERS; i++)
		host_remove_last_instance(&host);
	host_apply(&host);
	for (unsigned i = 0; i < N_FLOODERS; i++)
		hg_dummy_generate(hg_dummy_find(flooders[i]), NULL, 0);
}

/* From now on what they send leaves, and comes back as buffers. */
static void open_uplink(void)
{
	hg_dummy_sink(host_far(&host, "up0"), true);
	hg_dummy_accept(host_far(&host, "up0"), UINT64_MAX);
}

/* They are asked again. */
static void s1_8_ports_go_on_after_buffers_ran_out(void)
{
	struct hg_dp_host_sample sample;

	add_flooders();
	hg_dummy_accept(host_far(&host, "up0"), 0);
	host_start(&host, 1);
	WAIT_FOR((hg_dp_sample_host(host.dp, &sample), sample.free_buffers < sample.n_buffers / 8));
	open_uplink();
	for (unsigned i = 0; i < N_FLOODERS; i++)
		WAIT_FOR(host_flow(&host, flooders[i], HG_OUT).sent_pkts > 0);
	remove_flooders();
	host_close(&host);
}

/* Buffers for a receive that was refused one and has not said so yet: more than it asks for. */
static struct {
	struct hg_pkt *pkts[128];
	_Atomic bool is_ready, is_given;
} spare;
#define N_SPARE (sizeof(spare.pkts) / sizeof(spare.pkts[0]))

static void give_spare(void *user)
{
	(void)user;
	if (!spare.is_ready || spare.is_given)
		return;
	hg_pool_put(hg_dp_pool(host.dp), spare.pkts, N_SPARE);
	spare.is_given = true;
}

/* When its worker hears that there was nothing there are buffers again; but there was none when it was asked, and its
 * descriptor has nothing new to tell. */
static void s1_8_port_goes_on_that_buffers_came_too_late_for(void)
{
	const struct hg_dummy_acts acts = {.on_nothing = give_spare};
	uint64_t n_before;

	spare.is_ready = spare.is_given = false;
	add_flooders();
	hg_dummy_act(host_far(&host, "c0"), &acts);
	hg_dummy_accept(host_far(&host, "up0"), N_SPARE);
	host_start(&host, 1);
	for (unsigned i = 0; i < N_SPARE; i++)
		spare.pkts[i] = host_receive(&host, "up0");
	spare.is_ready = true;
	WAIT_FOR(spare.is_given);
	n_before = host_port(&host, "c0").rx_pkts;
	open_uplink();
	WAIT_FOR(host_port(&host, "c0").rx_pkts > n_before);
	remove_flooders();
	host_close(&host);
}

/* ---- observing ---------------------------------------------------------------------------------- */

static void s1_13_observed_host_measures_and_holds_nothing(void)
{
	struct hg_dp_flow flow;

	host_init(&host);
	host.desired.mode = HG_MODE_OBSERVE;
	host_limit(&host, "a1", HG_OUT, 1000, SMALL_BURST);
	host_start(&host, 1);
	/* In force, this would take five minutes. */
	host_send(&host, "a1", "up0", 1500, 0, 200);
	host_expect(&host, "up0", 0, 200);
	flow = host_flow(&host, "a1", HG_OUT);
	HG_CHECK_EQ(flow.offered_bytes, 200 * WIRE(1500));
	HG_CHECK_EQ(flow.sent_bytes, 200 * WIRE(1500));
	HG_CHECK_EQ(flow.link_bytes, 200 * WIRE(1500));
	HG_CHECK_EQ(flow.held_ns[HG_LIMIT_MAX], 0);
	host.desired.mode = HG_MODE_ENFORCE;
	host_apply(&host);
	host_send(&host, "a1", "up0", 1500, 200, 20);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).held_by == HG_LIMIT_MAX);
	host_close(&host);
}

static void s1_13_observed_contract_measures_and_holds_nothing(void)
{
	struct hg_dp_flow flow;

	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 1000, SMALL_BURST);
	host_limit(&host, "a2", HG_OUT, 10000, SMALL_BURST);
	host.instances[0].contract.mode = HG_MODE_OBSERVE;
	host_start(&host, 1);
	host_send(&host, "a1", "up0", 1500, 0, 200);
	host_expect(&host, "up0", 0, 200);
	flow = host_flow(&host, "a1", HG_OUT);
	HG_CHECK_EQ(flow.sent_bytes, 200 * WIRE(1500));
	HG_CHECK_EQ(flow.held_ns[HG_LIMIT_MAX], 0);
	/* Its neighbour's contract is in force. */
	host_send(&host, "a2", "up0", 1500, 0, 20);
	WAIT_FOR(host_flow(&host, "a2", HG_OUT).held_by == HG_LIMIT_MAX);
	host_close(&host);
}

/* What is queued when observing begins goes before what comes then. */
static void s1_13_observing_keeps_the_order(void)
{
	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 1000000, SMALL_BURST);
	host_start(&host, 1);
	for (uint32_t n = 0; n < 20; n++) {
		host.desired.mode = HG_MODE_ENFORCE;
		host_apply(&host);
		host_send(&host, "a1", "up0", 1000, n * 80, 40);
		WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == n * 80 + 40);
		/* The rest of them is on its way while the mode changes. */
		host_send(&host, "a1", "up0", 1000, n * 80 + 40, 40);
		host.desired.mode = HG_MODE_OBSERVE;
		host_apply(&host);
		host_expect(&host, "up0", n * 80, 80);
	}
	host_close(&host);
}

static const struct hg_test tests[] = {
	HG_TEST(s1_1_maximum_of_an_instance),
	HG_TEST(s1_1_maximum_for_receiving),
	HG_TEST(s1_1_packet_rate_maximum),
	HG_TEST(s1_9_tenant_maximum_binds_the_sum),
	HG_TEST(s1_9_tenant_maximum_binds_the_sum_two_workers),
	HG_TEST(s1_9_check_sees_a_tenant_above_its_maximum),
	HG_TEST(s7_8_held_times_add_up_to_the_wait),
	HG_TEST(s1_3_held_now_names_the_limit),
	HG_TEST(s1_3_queue_that_stands_is_marked),
	HG_TEST(s1_3_full_hold_queue_drops_with_a_reason),
	HG_TEST(s1_3_many_who_begin_at_once_are_held),
	HG_TEST(s1_3_what_is_received_is_held_for_10_ms),
	HG_TEST(s1_3_long_wait_drops_with_a_reason),
	HG_TEST(s1_3_standstill_of_the_host_drops_nothing),
	HG_TEST(s1_3_standstill_of_the_host_marks_nothing),
	HG_TEST(s1_3_standstill_of_the_host_drops_nothing_two_workers),
	HG_TEST(s1_8_flood_leaves_buffers_to_others),
	HG_TEST(s1_8_ports_go_on_after_buffers_ran_out),
	HG_TEST(s1_8_port_goes_on_that_buffers_came_too_late_for),
	HG_TEST(s1_13_observed_host_measures_and_holds_nothing),
	HG_TEST(s1_13_observed_contract_measures_and_holds_nothing),
	HG_TEST(s1_13_observing_keeps_the_order),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
