/* hook: what accounting for packets in flight costs a packet. Usage: bench_hook forward|pools
 *
 * forward    Instances whose devices make small frames without end, forwarded through the whole packet lane to an
 *            uplink of memory that gives each buffer back at once. In-flight control is switched by the operator's
 *            switch, while traffic flows, as each request (bench/told.h) "SENDERS IS_ON SLOT_MS" wants it; a slot's
 *            figure is the worker's processor time by the packets that it sent in it. Processor time, so that a
 *            worker that was not run costs nothing.
 *            Buffers that come back at once say nothing about a link: the hook stays in LEARNING, so that all is
 *            accounted for and MAX holds nobody.
 * pools      A loop of its own: 32 buffers got and put back, for "lifo" from our pool, for "default" from DPDK's
 *            default one with its cache.
 */
#include "bench/figures.h"
#include "bench/host.h"
#include "bench/told.h"
#include "dataplane/buffers.h"
#include "dataplane/dp.h"
#include "drivers/dummy.h"
#include "tests/frames.h"

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <pthread.h>

#define SENDERS_MAX 256u
#define BURST 32u
#define POOL_ROUNDS 200000u

static struct hg_dp *dp;
/* So fast that the link never waits. */
static struct hg_desired_uplink uplink = {.name = "up0",
					  .device = "dummy:up0",
					  .capacity_bytes_per_s = UINT64_C(100000000000),
					  .mtu = HG_MTU_DEFAULT};
static struct hg_desired_tenant tenant = {.name = "t"};
static struct hg_desired_instance instances[SENDERS_MAX];
static struct hg_desired_port ports[SENDERS_MAX];
static struct frame frames[SENDERS_MAX];
static struct hg_desired desired = {.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM,
				    .uplinks = &uplink,
				    .tenants = &tenant,
				    .instances = instances,
				    .ports = ports,
				    .n_uplinks = 1,
				    .n_tenants = 1};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "hook: %s: %s\n", what, why);
	exit(1);
}

static void apply(void)
{
	struct hg_error err = {0};

	if (hg_dp_apply(dp, &desired, &err) != 0)
		die("refused", err.text);
}

/* ---- forwarding --------------------------------------------------------------------------------- */

static void add_sender(uint32_t i)
{
	uint8_t outside[HG_MAC_BYTES];
	char name[16];

	snprintf(name, sizeof(name), "i%u", i);
	memset(&ports[i], 0, sizeof(ports[i]));
	snprintf(instances[i].name, sizeof(instances[i].name), "%s", name);
	hg_contract_init(&instances[i].contract);
	snprintf(ports[i].name, sizeof(ports[i].name), "%s", name);
	snprintf(ports[i].device, sizeof(ports[i].device), "dummy:%s", name);
	ports[i].has_mac = true;
	ports[i].mtu = HG_MTU_DEFAULT;
	ports[i].instance_idx = i;
	frame_mac(ports[i].mac, (uint8_t)(i + 1u));
	frame_mac(outside, 0);
	outside[1] = 1;
	frame_eth(&frames[i], outside, ports[i].mac);
	frame_ip4(&frames[i], HG_IP_UDP, 0);
	frame_udp(&frames[i]);
	frame_payload(&frames[i], 18, 1);
	frame_finish(&frames[i]);
	hg_dummy_generate(hg_dummy_hold(name), frames[i].bytes, (uint16_t)frames[i].n);
}

/* What the figure is said to mean. */
static void check_hook(void)
{
	struct hg_dp_uplink_sample sample;

	hg_dp_sample_uplink(dp, 0, &sample);
	if (sample.inflight.window.taken_pkts == 0)
		die("nothing was accounted", "is in-flight control on?");
	if (sample.inflight.state != HG_HOOK_LEARNING)
		die("not what it is said to be: the hook is",
		    hg_hook_state_name(sample.inflight.state));
}

static uint64_t sent_pkts(void)
{
	struct hg_dp_flow flow;

	hg_dp_sample_tenant(dp, 0, HG_OUT, &flow);
	return flow.sent_pkts;
}

static double slot_ns(bool is_on, hg_ns slot_for_ns)
{
	double ns;

	uplink.is_inflight_off = !is_on;
	apply();
	ns = bench_slot_ns(dp, sent_pkts, slot_for_ns);
	if (is_on)
		check_hook();
	return ns;
}

static void wait_for_traffic(void)
{
	for (unsigned i = 0; i < 1000; i++) {
		if (sent_pkts() > 100000)
			return;
		bench_rest(5 * HG_NS_PER_MS);
	}
	die("nothing is forwarded", "no packets in 5 s");
}

static void set_senders(uint32_t n)
{
	static uint32_t n_described;

	while (n_described < n)
		add_sender(n_described++);
	desired.n_instances = desired.n_ports = n;
	apply();
	wait_for_traffic();
}

static void forward(void)
{
	struct hg_told told;

	bench_prefer(dp->lane.workers[0]->thread, bench_last_cpu(), 1);
	while (hg_told(&told)) {
		uint32_t n_senders = hg_told_number(&told, 0);
		unsigned slot_ms = hg_told_number(&told, 2);

		if (n_senders < 1 || n_senders > SENDERS_MAX || slot_ms < 1)
			die("not understood", "SENDERS IS_ON SLOT_MS, SENDERS in [1, 256]");
		if (n_senders != desired.n_instances)
			set_senders(n_senders);
		hg_figure("ns", slot_ns(hg_told_number(&told, 1) != 0, slot_ms * HG_NS_PER_MS));
	}
	hg_dp_destroy(dp, /* keep_devices= */ false);
}

/* ---- pools -------------------------------------------------------------------------------------- */

static double pool_ns(struct rte_mempool *mempool)
{
	void *mbufs[BURST];
	hg_ns began_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID);

	for (unsigned round = 0; round < POOL_ROUNDS; round++) {
		if (rte_mempool_get_bulk(mempool, mbufs, BURST) != 0)
			die("pool", "out of buffers");
		for (unsigned i = 0; i < BURST; i++)
			((struct rte_mbuf *)mbufs[i])->data_len = (uint16_t)i;
		rte_mempool_put_bulk(mempool, mbufs, BURST);
	}
	return (double)(bench_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns) / (POOL_ROUNDS * BURST);
}

/* On a thread that DPDK knows, as workers are; the default pool's cache needs that. */
static void *measure_pools(void *arg)
{
	struct hg_told told;
	struct hg_pool *pool;
	struct rte_mempool *plain;
	struct hg_error err = {0};

	(void)arg;
	if (rte_thread_register() != 0)
		die("pool", "DPDK does not take the thread");
	plain = rte_pktmbuf_pool_create("plain", 8192, 256, 128,
					HG_PKT_HEADROOM_BYTES + HG_PKT_ROOM_BYTES, SOCKET_ID_ANY);
	if (plain == NULL || hg_buffers_create(8192, 1, &pool, &err) != 0)
		die("pool", "out of memory");
	hg_buffers_sit(pool, 0, /* owns_hook= */ true);
	while (hg_told(&told))
		hg_figure("ns", pool_ns(strcmp(told.words[0], "default") == 0
						? plain
						: hg_buffers_part(pool, 0)));
	hg_buffers_stand_up();
	hg_buffers_destroy(pool);
	rte_mempool_free(plain);
	rte_thread_unregister();
	return NULL;
}

int main(int argc, char **argv)
{
	struct hg_error err = {0};
	struct hg_dp_cfg cfg;
	pthread_t thread;

	if (argc != 2 || (strcmp(argv[1], "forward") != 0 && strcmp(argv[1], "pools") != 0))
		die("usage", "bench_hook forward|pools");
	hg_contract_init(&tenant.contract);
	hg_dummy_sink(hg_dummy_hold("up0"), true);
	hg_dp_cfg_init(&cfg);
	if (hg_dp_create(&cfg, &dp, &err) != 0)
		die("no packet lane", err.text);
	if (strcmp(argv[1], "forward") == 0) {
		forward();
		return 0;
	}
	/* Of it only DPDK is needed. */
	hg_dp_destroy(dp, /* keep_devices= */ false);
	if (pthread_create(&thread, NULL, measure_pools, NULL) != 0)
		die("pool", "no thread");
	pthread_join(thread, NULL);
	return 0;
}
