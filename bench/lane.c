/* lane: what a packet costs from instance to instance of one tenant. Usage: bench_lane BYTES
 *
 * Model      Two devices of memory: one makes frames without end, the other releases what it is given. Both instances
 *            have maxima for sending and receiving, which are never reached, and so has their tenant. A request
 *            (bench/told.h) is how many ms a slot takes; its figure is the worker's processor time by the packets that
 *            went through in it, so that a worker that was not run costs nothing.
 */
#include "bench/figures.h"
#include "bench/host.h"
#include "bench/told.h"
#include "dataplane/dp.h"
#include "drivers/dummy.h"
#include "tests/frames.h"

#include <pthread.h>

/* Ethernet, IPv4 and UDP. */
#define HEADERS_BYTES 42u
#define MAXIMUM_BYTES_PER_S UINT64_C(12500000000)

static struct hg_dp *dp;
static struct hg_desired_uplink uplink = {.name = "up0",
					  .device = "dummy:up0",
					  .capacity_bytes_per_s = UINT64_C(12500000000),
					  .mtu = HG_MTU_DEFAULT};
static struct hg_desired_tenant tenant = {.name = "t"};
static struct hg_desired_instance instances[2];
static struct hg_desired_port ports[2];
static struct frame frame;
static struct hg_desired desired = {.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM,
				    .uplinks = &uplink,
				    .tenants = &tenant,
				    .instances = instances,
				    .ports = ports,
				    .n_uplinks = 1,
				    .n_tenants = 1,
				    .n_instances = 2,
				    .n_ports = 2};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "lane: %s: %s\n", what, why);
	exit(1);
}

static void set_maxima(struct hg_contract *contract)
{
	hg_contract_init(contract);
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		contract->dir[dir].max_bytes_per_s = MAXIMUM_BYTES_PER_S;
		contract->dir[dir].burst_bytes = HG_BURST_MAX_BYTES / 2;
	}
}

static void describe(uint32_t n_bytes)
{
	static const char *const names[] = {"a", "b"};

	set_maxima(&tenant.contract);
	for (unsigned i = 0; i < 2; i++) {
		set_maxima(&instances[i].contract);
		snprintf(instances[i].name, sizeof(instances[i].name), "%s", names[i]);
		snprintf(ports[i].name, sizeof(ports[i].name), "%s", names[i]);
		snprintf(ports[i].device, sizeof(ports[i].device), "dummy:%s", names[i]);
		ports[i].instance_idx = i;
		ports[i].has_mac = true;
		ports[i].mtu = HG_MTU_DEFAULT;
		frame_mac(ports[i].mac, (uint8_t)(i + 1u));
	}
	frame_eth(&frame, ports[1].mac, ports[0].mac);
	frame_ip4(&frame, HG_IP_UDP, 0);
	frame_udp(&frame);
	frame_payload(&frame, n_bytes - HEADERS_BYTES, 1);
	frame_finish(&frame);
	hg_dummy_generate(hg_dummy_hold("a"), frame.bytes, (uint16_t)frame.n);
	hg_dummy_sink(hg_dummy_hold("b"), true);
	hg_dummy_sink(hg_dummy_hold("up0"), true);
}

static uint64_t received_pkts(void)
{
	struct hg_dp_flow flow;

	hg_dp_sample_instance(dp, 1, HG_IN, &flow);
	return flow.sent_pkts;
}

static void check_drops(void)
{
	struct hg_dp_flow flow;

	hg_dp_sample_instance(dp, 0, HG_OUT, &flow);
	for (unsigned reason = 0; reason < HG_N_DROPS; reason++)
		if (flow.drops[reason] > 0)
			die("packets were dropped", hg_drop_name((enum hg_drop)reason));
}

int main(int argc, char **argv)
{
	int n_bytes = argc == 2 ? atoi(argv[1]) : 0;
	struct hg_error err = {0};
	struct hg_told told;
	struct hg_dp_cfg cfg;

	if (n_bytes < 60 || n_bytes > 1514)
		die("usage", "bench_lane BYTES, in [60, 1514]");
	describe((uint32_t)n_bytes);
	hg_dp_cfg_init(&cfg);
	if (hg_dp_create(&cfg, &dp, &err) != 0)
		die("no packet lane", err.text);
	if (hg_dp_apply(dp, &desired, &err) != 0)
		die("refused", err.text);
	bench_prefer(dp->lane.workers[0]->thread, bench_last_cpu(), 1);
	while (hg_told(&told)) {
		if (hg_told_number(&told, 0) < 1)
			die("not understood", "SLOT_MS, from 1 on");
		hg_figure("ns", bench_slot_ns(dp, received_pkts,
					      hg_told_number(&told, 0) * HG_NS_PER_MS));
		check_drops();
	}
	hg_dp_destroy(dp, /* keep_devices= */ false);
	return 0;
}
