/* lane: what a packet costs from instance to instance of one tenant. Usage: bench_lane SLOTS SLOT_MS BYTES
 *
 * Model      Two devices of memory: one makes frames without end, the other releases what it is given. Both instances
 *            have maxima for sending and receiving, which are never reached, and so has their tenant. Each slot's
 *            figure is the worker's processor time by the packets that went through in it, so that a worker that
 *            was not run costs nothing.
 */
#include "bench/figures.h"
#include "dataplane/dp.h"
#include "drivers/dummy.h"
#include "tests/frames.h"

#include <pthread.h>
#include <time.h>

#define SLOTS_MAX 1000u
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

static void rest(hg_ns for_ns)
{
	struct timespec t = {.tv_sec = for_ns / HG_NS_PER_S, .tv_nsec = for_ns % HG_NS_PER_S};

	(void)nanosleep(&t, NULL);
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

static double slot_ns(clockid_t clock, hg_ns slot_for_ns)
{
	struct hg_dp_flow before, after;
	struct timespec cpu_before, cpu_after;

	hg_dp_sample_instance(dp, 1, HG_IN, &before);
	clock_gettime(clock, &cpu_before);
	/* A machine that does other things may take the processor away for a whole slot. */
	do {
		rest(slot_for_ns);
		hg_dp_sample_instance(dp, 1, HG_IN, &after);
		clock_gettime(clock, &cpu_after);
	} while (after.sent_pkts - before.sent_pkts < 20000);
	return ((double)(cpu_after.tv_sec - cpu_before.tv_sec) * 1e9 +
		(double)(cpu_after.tv_nsec - cpu_before.tv_nsec)) /
	       (double)(after.sent_pkts - before.sent_pkts);
}

int main(int argc, char **argv)
{
	struct hg_error err = {0};
	struct hg_dp_flow flow;
	struct hg_dp_cfg cfg;
	unsigned n_slots;
	clockid_t clock;
	hg_ns slot_for_ns;
	int n_bytes;

	if (argc != 4)
		die("usage", "bench_lane SLOTS SLOT_MS BYTES");
	n_slots = (unsigned)atoi(argv[1]);
	slot_for_ns = atoi(argv[2]) * HG_NS_PER_MS;
	n_bytes = atoi(argv[3]);
	if (n_slots < 1 || n_slots > SLOTS_MAX || slot_for_ns <= 0 || n_bytes < 60 ||
	    n_bytes > 1514)
		die("usage", "SLOTS in [1, 1000], SLOT_MS from 1 on, BYTES in [60, 1514]");
	describe((uint32_t)n_bytes);
	hg_dp_cfg_init(&cfg);
	if (hg_dp_create(&cfg, &dp, &err) != 0)
		die("no packet lane", err.text);
	if (hg_dp_apply(dp, &desired, &err) != 0)
		die("refused", err.text);
	if (pthread_getcpuclockid(dp->lane.workers[0]->thread, &clock) != 0)
		die("no clock", "of the worker's processor time");
	slot_ns(clock, slot_for_ns);
	for (unsigned i = 0; i < n_slots; i++) {
		char name[32];

		snprintf(name, sizeof(name), "local_%u", i);
		hg_figure(name, slot_ns(clock, slot_for_ns));
	}
	hg_dp_sample_instance(dp, 0, HG_OUT, &flow);
	for (unsigned reason = 0; reason < HG_N_DROPS; reason++)
		if (flow.drops[reason] > 0)
			die("packets were dropped", hg_drop_name((enum hg_drop)reason));
	hg_dp_destroy(dp, /* keep_devices= */ false);
	return 0;
}
