/* In-flight control in the packet lane: what cards have is accounted for to the last packet, and traffic goes on
 * whatever a card does. The cards are modelled ones; what they count themselves is the measure. */
#include "dataplane/buffers.h"
#include "dataplane/dp.h"
#include "dataplane/hook.h"
#include "drivers/simnic.h"
#include "tests/component/hosts.h"

#include <unistd.h>

#define FRAME_BYTES 1000u
#define WIRE_BYTES 1024u

/* Bytes of a frame that has a tag of its own. */
#define FULL 1500

static struct host host;
static uint8_t frames[3][FRAME_BYTES];

/* up0 is `device` at that rate; what leaves it is not kept. */
static void init(const char *device, uint64_t bytes_per_s)
{
	host_init(&host);
	snprintf(host.uplinks[0].device, sizeof(host.uplinks[0].device), "%s", device);
	host.uplinks[0].is_inflight_off = false;
	host.uplinks[0].capacity_bytes_per_s = bytes_per_s;
	hg_dummy_sink(host_far(&host, "up0"), true);
}

static void start(const char *device, uint64_t bytes_per_s, uint32_t n_workers)
{
	init(device, bytes_per_s);
	host_start(&host, n_workers);
}

/* Nothing that a card keeps is written off in the time of a test: a pin of 64 MiB at so slow a link makes it
 * 43 s and more until a card is called silent. */
static void start_patiently(const char *device, uint64_t bytes_per_s)
{
	HG_CHECK(bytes_per_s <= 12500000);
	init(device, bytes_per_s);
	host.uplinks[0].depth_bytes = HG_DEPTH_MAX_BYTES;
	host_start(&host, 1);
}

static struct hg_inflight_stats inflight(void)
{
	WAIT_FOR(hg_dp_publish(host.dp));
	return host_uplink(&host).inflight;
}

static struct hg_simnic_queue_sample card(void)
{
	struct hg_simnic_queue_sample sample;

	hg_simnic_sample_queue(host.dp->states[host.dp->uplinks.slots[0]].port->dev, 0, &sample);
	return sample;
}

static bool is_settled(uint64_t n_pkts)
{
	struct hg_inflight_stats s = inflight();

	return s.window.taken_pkts >= n_pkts && s.window.outstanding_pkts == 0 &&
	       host_uplink(&host).queued_bytes == 0;
}

/* What is true whatever happened, once nothing is outstanding. */
static void check_sum(void)
{
	struct hg_inflight_stats s = inflight();

	HG_CHECK_EQ(s.window.outstanding_bytes, 0);
	HG_CHECK_EQ(s.window.outstanding_pkts, 0);
	HG_CHECK_EQ(s.window.taken_bytes, s.window.given_bytes + s.window.lost_bytes);
	HG_CHECK_EQ(s.window.taken_pkts, s.window.given_pkts + s.window.lost_pkts);
}

/* Nothing carries a tag any more, and nobody looks for one. */
static bool is_hook_at_rest(void)
{
	struct hg_hook *hook = hg_buffers_hook(hg_dp_pool(host.dp));

	hg_dp_publish(host.dp);
	return !hg_hook_is_armed(hook);
}

/* Closes the one in use. */
static void use_another_device(void)
{
	snprintf(host.uplinks[0].device, sizeof(host.uplinks[0].device), "dummy:spare");
	host_apply(&host);
}

/* The device makes frames for the uplink without end. To be called while no worker runs. */
static void generate(const char *instance, unsigned frame)
{
	host_write_frame(&host, instance, "up0", frames[frame], FRAME_BYTES);
	hg_dummy_generate(host_far(&host, instance), frames[frame], FRAME_BYTES);
}

static void stop_worker(void)
{
	hg_worker_stop(host.dp->lane.workers[0]);
}

static void start_worker(void)
{
	struct hg_error err = {0};

	atomic_store(&host.dp->lane.workers[0]->want_stop, false);
	if (hg_worker_start(host.dp->lane.workers[0], &err) != 0)
		HG_TEST_FAIL("%s", err.text);
}

static void stop_generating(void)
{
	stop_worker();
	for (uint32_t i = 0; i < host.desired.n_instances; i++)
		hg_dummy_generate(host_far(&host, host.instances[i].name), NULL, 0);
	start_worker();
}

/* A fault of an uplink's card, made to happen as if by its worker. */
static void fault_at(uint32_t uplink_idx, const struct hg_simnic_fault *f)
{
	struct hg_port *port = host.dp->states[host.dp->uplinks.slots[uplink_idx]].port;
	struct hg_worker *w = host.dp->lane.workers[0];

	stop_worker();
	HG_CHECK_EQ(hg_simnic_fault(port->dev, f, clock_now_ns()), 0);
	port->progress_at_ns = 0;
	if (!port->is_ticking)
		w->ticking[w->n_ticking++] = port;
	port->is_ticking = true;
	start_worker();
}

static void fault(enum hg_simnic_fault_kind kind)
{
	fault_at(0, &(struct hg_simnic_fault){.kind = kind});
}

/* Starts a host whose instances send all the time. */
static void start_generating(const char *device, uint64_t bytes_per_s)
{
	init(device, bytes_per_s);
	generate("a1", 0);
	generate("a2", 1);
	generate("b1", 2);
	host_start(&host, 1);
}

/* ---- the sum ------------------------------------------------------------------------------------ */

static void sum_is_the_cards_own(const char *device, uint32_t n_workers)
{
	struct hg_inflight_stats s;
	struct hg_simnic_queue_sample own;
	uint64_t n_card = 0;

	start(device, 125000000, n_workers);
	for (uint32_t i = 0; i < 10; i++) {
		host_send(&host, "a1", "up0", 1000, 0, 50);
		host_send(&host, "a2", "up0", 60, 0, 50);
		host_send(&host, "b1", "up0", 1514, 0, 50);
	}
	WAIT_FOR(is_settled(1500));
	check_sum();
	s = inflight();
	own = card();
	HG_CHECK_EQ(s.window.taken_pkts, 1500);
	HG_CHECK_EQ(s.window.taken_bytes, 500 * (1024 + 84 + 1538));
	HG_CHECK_EQ(own.taken_pkts, s.window.taken_pkts);
	HG_CHECK_EQ(own.taken_bytes, s.window.taken_bytes);
	HG_CHECK_EQ(own.released_pkts, s.window.given_pkts);
	HG_CHECK_EQ(own.released_bytes, s.window.given_bytes);
	HG_CHECK_EQ(s.late_pkts, 0);
	HG_CHECK_EQ(hg_histogram_count(&s.card), 1500);
	for (unsigned i = 0; i < 3; i++) {
		struct hg_dp_flow flow = host_flow(&host, host.instances[i].name, HG_OUT);

		HG_CHECK_EQ(hg_histogram_count(&flow.card), 500);
		HG_CHECK_EQ(flow.window.outstanding_bytes, 0);
		n_card += hg_histogram_count(&flow.card);
	}
	HG_CHECK_EQ(n_card, 1500);
	WAIT_FOR(is_hook_at_rest());
	host_close(&host);
}

static void s2_1_sum_is_the_cards_own(void)
{
	sum_is_the_cards_own("simnic(rate=1Gbit,ring=1024)+dummy:up0", 1);
}

static void s2_1_sum_is_the_cards_own_in_batches(void)
{
	sum_is_the_cards_own(
		"simnic(rate=1Gbit,ring=64,complete=20us,jitter=10us,batch=8)+dummy:up0", 1);
}

static void s2_1_sum_is_the_cards_own_two_workers(void)
{
	sum_is_the_cards_own("simnic(rate=1Gbit,ring=256,complete=5us)+dummy:up0", 2);
}

/* In every moment: what a card that releases nothing has is what is outstanding. */
static void s2_3_outstanding_is_what_the_card_has(void)
{
	struct hg_simnic_queue_sample own;
	struct hg_inflight_stats s;

	start("simnic(rate=1Gbit,ring=1024,complete=never)+dummy:up0", 125000000, 1);
	host_send(&host, "a1", "up0", 1000, 0, 30);
	host_send(&host, "b1", "up0", 500, 0, 10);
	WAIT_FOR(card().taken_pkts == 40);
	s = inflight();
	own = card();
	/* Before it is called silent and written off, 100 ms later. */
	if (s.state == HG_HOOK_LEARNING) {
		HG_CHECK_EQ(s.window.outstanding_pkts, own.unreleased_pkts);
		HG_CHECK_EQ(s.window.outstanding_bytes, own.unreleased_bytes);
	}
	HG_CHECK_EQ(s.window.taken_pkts, 40);
	WAIT_FOR(is_settled(40));
	check_sum();
	HG_CHECK_EQ(inflight().window.lost_pkts, 40);
	use_another_device();
	host_close(&host);
}

/* What a device of memory has, it has for no time: it releases within the send call. Nobody waits for that, so that
 * several bursts are settled at once; each counts as of its own instant all the same. */
static void s2_3_what_is_settled_later_was_released_before(void)
{
	struct hg_inflight_stats s;

	start_generating("dummy:up0", 125000000);
	WAIT_FOR(inflight().window.given_pkts > 2000);
	stop_generating();
	WAIT_FOR(is_settled(1));
	check_sum();
	s = inflight();
	HG_CHECK_EQ(s.window.lost_pkts, 0);
	HG_CHECK_EQ(s.card.counts[hg_histogram_bucket(0)], s.window.given_pkts);
	HG_CHECK_EQ(hg_histogram_count(&s.card), s.window.given_pkts);
	host_close(&host);
}

/* ---- states ------------------------------------------------------------------------------------- */

static void s2_2_card_is_believed_and_the_link_runs_free(void)
{
	struct hg_depth_sample samples[64];
	uint64_t first;
	unsigned n;

	start_generating("simnic(rate=1Gbit,ring=1024,complete=10us)+dummy:up0", 125000000);
	WAIT_FOR(inflight().state == HG_HOOK_ON && !host_uplink(&host).is_paced);
	HG_CHECK(inflight().window.max_bytes > 0);
	WAIT_FOR((n = hg_dp_sample_depth(host.dp, 0, 0, samples, 64, &first)) >= 10);
	for (unsigned i = 1; i < n; i++)
		HG_CHECK(samples[i].at_ns > samples[i - 1].at_ns);
	stop_generating();
	WAIT_FOR(is_settled(1));
	check_sum();
	HG_CHECK_EQ(card().released_bytes, inflight().window.given_bytes);
	host_close(&host);
}

/* What copies and gives back at once says nothing about the link. */
static void s2_2_driver_that_copies_leaves_the_link_paced(void)
{
	start_generating("dummy:up0", 125000000);
	WAIT_FOR(inflight().state == HG_HOOK_EARLY);
	HG_CHECK(host_uplink(&host).is_paced);
	stop_generating();
	WAIT_FOR(is_settled(1));
	check_sum();
	host_close(&host);
}

static void s2_2_tap_leaves_the_link_paced(void)
{
	if (geteuid() != 0)
		HG_SKIP("a tap needs root");
	HG_CHECK_EQ(unshare(CLONE_NEWNET), 0); /* nobody else's interfaces */
	start_generating("tap:hgInfl0", 125000000);
	WAIT_FOR(inflight().state == HG_HOOK_EARLY);
	HG_CHECK(host_uplink(&host).is_paced);
	stop_generating();
	WAIT_FOR(is_settled(1));
	check_sum();
	use_another_device(); /* a tap keeps some buffers to read into */
	host_close(&host);
}

static void s2_10_card_that_never_reports_is_found_out(void)
{
	start("simnic(rate=1Gbit,ring=1024,complete=never)+dummy:up0", 125000000, 1);
	host_send(&host, "a1", "up0", 1000, 0, 100);
	WAIT_FOR(inflight().state == HG_HOOK_SILENT);
	HG_CHECK(host_uplink(&host).is_paced);
	/* Traffic goes on. */
	host_send(&host, "a1", "up0", 1000, 0, 300);
	host_send(&host, "b1", "up0", 1000, 0, 200);
	WAIT_FOR(card().taken_pkts == 600);
	WAIT_FOR(is_settled(600));
	HG_CHECK_EQ(inflight().window.lost_pkts, 600);
	check_sum();
	/* It is closed: what it gives back now was written off. */
	use_another_device();
	WAIT_FOR(inflight().late_pkts == 600);
	check_sum();
	WAIT_FOR(is_hook_at_rest());
	host_close(&host);
}

/* ---- faults ------------------------------------------------------------------------------------- */

static void s2_1_driver_that_loses_buffers(void)
{
	struct hg_simnic_queue_sample own;
	struct hg_inflight_stats s;

	start("simnic(rate=1Gbit,ring=1024,complete=5us,lose=100000)+dummy:up0", 125000000, 1);
	for (uint32_t i = 0; i < 10; i++)
		host_send(&host, "a1", "up0", FULL, 0, 50);
	WAIT_FOR(is_settled(500));
	check_sum();
	s = inflight();
	own = card();
	HG_CHECK(own.lost_pkts > 0);
	HG_CHECK_EQ(s.window.lost_pkts, own.lost_pkts);
	HG_CHECK_EQ(s.window.lost_bytes, own.lost_bytes);
	HG_CHECK_EQ(s.window.given_pkts, own.released_pkts);
	use_another_device();
	WAIT_FOR(is_hook_at_rest());
	host_close(&host);
}

static void s2_12_refused_packets_are_counted_and_go_later(void)
{
	struct hg_inflight_stats s;

	/* The link is slower than the operator says, its ring is short, and for a while nothing leaves it. */
	start_patiently("simnic(rate=10Mbit,ring=64,complete=1us)+dummy:up0", 12500000);
	fault(HG_SIMNIC_STOP_QUEUE);
	host_send(&host, "a1", "up0", 1000, 0, 100);
	host_send(&host, "a2", "up0", 1000, 0, 100);
	host_send(&host, "b1", "up0", 1000, 0, 100);
	WAIT_FOR(inflight().refused_pkts > 0);
	HG_CHECK_EQ(card().ring_used_pkts, 64);
	fault(HG_SIMNIC_START_QUEUE);
	WAIT_FOR(is_settled(300));
	check_sum();
	HG_CHECK_BETWEEN(inflight().refused_pkts, 1, 300);
	HG_CHECK_EQ(card().released_pkts, 300);
	HG_CHECK_EQ(inflight().window.given_pkts, 300);
	s = inflight();
	HG_CHECK_EQ(hg_histogram_count(&s.card), 300);
	host_close(&host);
}

static void s2_1_failed_sends_give_back_once(void)
{
	struct hg_dummy *up;

	start_patiently("dummy:up0", 12500000);
	up = host_far(&host, "up0");
	hg_dummy_accept(up, 10);
	host_send(&host, "a1", "up0", FULL, 0, 40);
	WAIT_FOR(inflight().window.given_pkts == 10);
	/* They are staged, and count as taken until they are sent. */
	hg_dummy_accept(up, UINT64_MAX);
	WAIT_FOR(is_settled(40));
	check_sum();
	HG_CHECK_EQ(inflight().window.given_pkts, 40);
	/* The card goes away with packets staged for it. */
	hg_dummy_accept(up, 0);
	host_send(&host, "a1", "up0", FULL, 0, 40);
	WAIT_FOR(inflight().window.outstanding_pkts > 0);
	hg_dummy_vanish(up, "gone");
	WAIT_FOR(hg_dp_retry(host.dp) > 0);
	hg_dummy_accept(up, UINT64_MAX);
	hg_dummy_return(up);
	WAIT_FOR(hg_dp_retry(host.dp) > 0);
	WAIT_FOR(is_settled(40));
	check_sum();
	WAIT_FOR(is_hook_at_rest());
	host_send(&host, "a1", "up0", FULL, 0, 40);
	WAIT_FOR(is_settled(80));
	check_sum();
	host_close(&host);
}

/* The same frame in a chain of two buffers. */
static struct hg_pkt *in_two(struct hg_pkt *pkt)
{
	const uint16_t first_bytes = HG_PKT_HEADERS_BYTES;
	struct hg_pkt *rest;

	HG_CHECK_EQ(hg_pool_get(hg_dp_pool(host.dp), &rest, 1), 1);
	rest->n_bytes = (uint16_t)(pkt->n_bytes - first_bytes);
	rest->tailroom = (uint16_t)(HG_PKT_ROOM_BYTES - rest->n_bytes);
	memcpy(rest->data, pkt->data + first_bytes, rest->n_bytes);
	pkt->n_bytes = first_bytes;
	pkt->tailroom = HG_PKT_ROOM_BYTES - first_bytes;
	pkt->next = rest;
	return pkt;
}

/* A burst that nothing holds goes to the card as it came, which takes the first of it and the rest later. */
static void send_straight(uint32_t n_bytes, bool is_chain, uint32_t n_taken)
{
	const struct hg_inflight_stats before = inflight();
	struct hg_dummy *up = host_far(&host, "up0");
	struct hg_inflight_stats s;
	hg_ns idle_at_ns;

	stop_worker();
	hg_dummy_accept(up, n_taken);
	for (uint32_t i = 0; i < HG_BURST_PKTS; i++) {
		struct hg_pkt *pkt = host_packet(&host, "a1", "up0", n_bytes, i);

		host_inject(&host, "a1", is_chain ? in_two(pkt) : pkt);
	}
	start_worker();
	WAIT_FOR(inflight().window.taken_pkts == before.window.taken_pkts + HG_BURST_PKTS);
	s = inflight();
	HG_CHECK_EQ(s.refused_pkts, before.refused_pkts + HG_BURST_PKTS - n_taken);
	HG_CHECK(s.window.given_pkts <= before.window.given_pkts + n_taken);
	hg_dummy_accept(up, UINT64_MAX);
	WAIT_FOR(is_settled(before.window.taken_pkts + HG_BURST_PKTS));
	check_sum();
	s = inflight();
	HG_CHECK_EQ(s.window.given_pkts, before.window.given_pkts + HG_BURST_PKTS);
	HG_CHECK_EQ(s.window.given_bytes,
		    before.window.given_bytes + HG_BURST_PKTS * (n_bytes + HG_WIRE_OVERHEAD_BYTES));
	HG_CHECK_EQ(hg_histogram_count(&s.card), s.window.given_pkts);
	HG_CHECK_EQ(s.late_pkts + s.never_handed_pkts, 0);
	/* The root has tokens for the next one by then. */
	idle_at_ns = clock_now_ns() + 2 * HG_NS_PER_MS;
	WAIT_FOR(clock_now_ns() >= idle_at_ns);
}

static void s2_1_burst_that_passes_is_taken_and_given_back_once(void)
{
	start_patiently("dummy:up0", 12500000);
	for (uint32_t n_taken = 0; n_taken <= HG_BURST_PKTS; n_taken += 8) {
		send_straight(60, /* is_chain= */ false, n_taken);
		send_straight(400, /* is_chain= */ false, n_taken);
		send_straight(400, /* is_chain= */ true, n_taken);
	}
	WAIT_FOR(is_hook_at_rest());
	host_close(&host);
}

static void s2_1_stopped_queue_with_packets_in_it(void)
{
	start("simnic(rate=1Gbit,ring=512,complete=1us)+dummy:up0", 125000000, 1);
	host_send(&host, "a1", "up0", 1000, 0, 50);
	WAIT_FOR(is_settled(50));
	fault(HG_SIMNIC_STOP_QUEUE);
	host_send(&host, "a1", "up0", 1000, 0, 50);
	host_send(&host, "b1", "up0", 1000, 0, 50);
	WAIT_FOR(card().ring_used_pkts > 0);
	/* It is called silent in time, and what it has is written off. */
	WAIT_FOR(inflight().state == HG_HOOK_SILENT && is_settled(150));
	check_sum();
	fault(HG_SIMNIC_START_QUEUE);
	WAIT_FOR(inflight().late_pkts == 100);
	check_sum();
	HG_CHECK_EQ(card().released_pkts, 150);
	WAIT_FOR(is_hook_at_rest());
	host_close(&host);
}

/* Of packets that have to stay, however late this thread is: what was on the wire when its queue was stopped went with
 * the first. */
static void reset_with_packets(void)
{
	uint64_t before;

	fault(HG_SIMNIC_STOP_QUEUE);
	fault(HG_SIMNIC_RESET);
	before = card().aborted_pkts;
	WAIT_FOR(card().ring_used_pkts > 0);
	fault(HG_SIMNIC_RESET);
	HG_CHECK(card().aborted_pkts > before);
	fault(HG_SIMNIC_START_QUEUE);
}

static void s2_1_reset_of_the_card_under_load(void)
{
	start_generating("simnic(rate=1Gbit,ring=256,complete=10us,batch=4)+dummy:up0", 125000000);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t before;

		reset_with_packets();
		before = card().released_pkts;
		WAIT_FOR(card().released_pkts > before + 200);
	}
	stop_generating();
	WAIT_FOR(is_settled(1));
	check_sum();
	/* What had to stay for too long was written off. */
	WAIT_FOR(card().released_pkts == inflight().window.given_pkts + inflight().late_pkts);
	HG_CHECK_EQ(inflight().window.lost_pkts, inflight().late_pkts);
	WAIT_FOR(is_hook_at_rest());
	host_close(&host);
}

/* ---- changes ------------------------------------------------------------------------------------ */

static void s2_11_instance_deleted_with_packets_in_the_card(void)
{
	struct hg_dp_flow flow;
	uint32_t c;

	start_patiently("simnic(rate=1Mbit,ring=64,complete=1us)+dummy:up0", 125000);
	fault(HG_SIMNIC_STOP_QUEUE);
	c = host_add_instance(&host, "a3", host_tenant(&host, "a"));
	host_apply(&host);
	host_send(&host, "a3", "up0", 1000, 0, 4);
	host_send(&host, "b1", "up0", 1000, 0, 2);
	WAIT_FOR(host_flow(&host, "a3", HG_OUT).window.outstanding_pkts > 0);
	HG_CHECK(c == host.desired.n_instances - 1u);
	host_remove_last_instance(&host);
	host_apply(&host);
	HG_CHECK(inflight().window.outstanding_pkts > 0);
	/* Another one in its place has nothing in the card. */
	host_add_instance(&host, "a4", host_tenant(&host, "a"));
	host_apply(&host);
	flow = host_flow(&host, "a4", HG_OUT);
	HG_CHECK_EQ(flow.window.outstanding_pkts, 0);
	fault(HG_SIMNIC_START_QUEUE);
	WAIT_FOR(is_settled(2));
	check_sum();
	flow = host_flow(&host, "a4", HG_OUT);
	HG_CHECK_EQ(hg_histogram_count(&flow.card), 0);
	HG_CHECK_EQ(inflight().late_pkts, 0);
	host_close(&host);
}

static void s2_11_uplink_removed_with_packets_in_the_card(void)
{
	struct hg_hook *hook;

	host_init(&host);
	host.uplinks[1] = (struct hg_desired_uplink){
		.name = "up1",
		.device = "simnic(rate=1Mbit,ring=64,complete=1us)+dummy:up1",
		.capacity_bytes_per_s = 125000,
		.depth_bytes =
			HG_DEPTH_MAX_BYTES, /* it is not called silent in the time of a test */
		.mtu = HG_MTU_DEFAULT};
	host.desired.n_uplinks = 2;
	host_add_instance(&host, "c1", host_add_tenant(&host, "c", 1));
	host_start(&host, 1);
	hook = hg_buffers_hook(hg_dp_pool(host.dp));
	for (unsigned i = 0; i < 5; i++) {
		fault_at(1, &(struct hg_simnic_fault){.kind = HG_SIMNIC_STOP_QUEUE});
		host_send(&host, "c1", "up0", 1000, 0, 4);
		WAIT_FOR(hg_hook_is_armed(hook) && host_flow(&host, "c1", HG_OUT).sent_pkts > 0);
		host_remove_last_instance(&host);
		host.desired.n_tenants--;
		host.desired.n_uplinks--;
		host_apply(&host);
		WAIT_FOR(is_hook_at_rest());
		HG_CHECK_EQ(hook->n_out, 0);
		host.desired.n_uplinks++;
		host_add_instance(&host, "c1", host_add_tenant(&host, "c", 1));
		host_apply(&host);
	}
	host_close(&host);
}

static void switch_under_traffic(uint32_t n_workers)
{
	static struct stream streams[] = {
		{.from = "a1", .to = "up0", .n_bytes = 1000, .window = 100},
		{.from = "a2", .to = "up0", .n_bytes = 300, .window = 100},
		{.from = "b1", .to = "up0", .n_bytes = 60, .window = 100},
		{.from = "up0", .to = "b1", .n_bytes = 500, .window = 50},
	};
	static struct load load;

	host_init(&host);
	snprintf(host.uplinks[0].device, sizeof(host.uplinks[0].device),
		 "simnic(rate=1Gbit,ring=1024,full=wait)+dummy:up0");
	host.uplinks[0].is_inflight_off = false;
	host.uplinks[0].capacity_bytes_per_s = 125000000;
	host_start(&host, n_workers);
	load_start(&load, &host, streams, 4);
	for (unsigned i = 0; i < 200 && !load.is_wrong; i++) {
		uint64_t before = load.got;

		host.uplinks[0].is_inflight_off = i % 2 == 0;
		host_apply(&host);
		if (i % 2 == 0)
			HG_CHECK_EQ(inflight().state, HG_HOOK_OFF);
		WAIT_FOR(load.is_wrong || load.got > before + 50);
	}
	host.uplinks[0].is_inflight_off = true;
	host_apply(&host);
	HG_CHECK(host_uplink(&host).is_paced);
	WAIT_FOR(load.is_wrong || is_hook_at_rest()); /* while traffic flows */
	load_stop(&load);
	WAIT_FOR(is_settled(1));
	check_sum();
	/* Where the test itself kept packets for too long they were written off, and came back late. */
	WAIT_FOR(inflight().window.lost_pkts == inflight().late_pkts);
	host_close(&host);
}

static void s2_2_switched_under_traffic(void)
{
	switch_under_traffic(1);
}

static void s2_2_switched_under_traffic_two_workers(void)
{
	switch_under_traffic(2);
}

static void s2_1_observed_host_accounts_too(void)
{
	host_init(&host);
	host.desired.mode = HG_MODE_OBSERVE;
	snprintf(host.uplinks[0].device, sizeof(host.uplinks[0].device),
		 "simnic(rate=1Gbit,ring=1024,complete=5us)+dummy:up0");
	host.uplinks[0].is_inflight_off = false;
	host.uplinks[0].capacity_bytes_per_s = 125000000;
	hg_dummy_sink(host_far(&host, "up0"), true);
	host_start(&host, 1);
	host_send(&host, "a1", "up0", 1000, 0, 100);
	host_send(&host, "b1", "up0", 1000, 0, 100);
	WAIT_FOR(is_settled(200));
	check_sum();
	HG_CHECK_EQ(card().released_bytes, inflight().window.given_bytes);
	HG_CHECK_EQ(inflight().window.given_bytes, 200 * WIRE_BYTES);
	host_close(&host);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s2_1_sum_is_the_cards_own),
		HG_TEST(s2_1_sum_is_the_cards_own_in_batches),
		HG_TEST(s2_1_sum_is_the_cards_own_two_workers),
		HG_TEST(s2_1_observed_host_accounts_too),
		HG_TEST(s2_3_outstanding_is_what_the_card_has),
		HG_TEST(s2_3_what_is_settled_later_was_released_before),
		HG_TEST(s2_2_card_is_believed_and_the_link_runs_free),
		HG_TEST(s2_2_driver_that_copies_leaves_the_link_paced),
		HG_TEST(s2_2_tap_leaves_the_link_paced),
		HG_TEST(s2_10_card_that_never_reports_is_found_out),
		HG_TEST(s2_1_driver_that_loses_buffers),
		HG_TEST(s2_12_refused_packets_are_counted_and_go_later),
		HG_TEST(s2_1_failed_sends_give_back_once),
		HG_TEST(s2_1_burst_that_passes_is_taken_and_given_back_once),
		HG_TEST(s2_1_stopped_queue_with_packets_in_it),
		HG_TEST(s2_1_reset_of_the_card_under_load),
		HG_TEST(s2_11_instance_deleted_with_packets_in_the_card),
		HG_TEST(s2_11_uplink_removed_with_packets_in_the_card),
		HG_TEST(s2_2_switched_under_traffic),
		HG_TEST(s2_2_switched_under_traffic_two_workers),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
