/* idle: what instances that do nothing cost those that do, and in memory. Usage: bench_idle N
 *
 * Model      One instance receives frames without end from a device of memory and sends them to an uplink
 *            that takes them all; the worker never rests. Its processor time a turn is taken alone, and with
 *            idle instances beside it: the same packet lane, the same ports, only the desired state differs. Half
 *            of the idle instances are another tenant's.
 * Requests   (bench/told.h) "still": the figures of memory and of no traffic, once and first; "busy IDLE MS": a slot
 *            with so many idle instances, up to N.
 * Memory     What the process grows by when N instances with a port each come, without their devices, whose
 *            far ends are there before, and without the control lane's own copy of their configuration
 *            (both said apart); then again after each has sent and received a frame once.
 * Idle       Processor time of the process with N instances and no traffic, while a control lane asks for
 *            all their counters every second.
 */
#include "bench/figures.h"
#include "bench/host.h"
#include "bench/told.h"
#include "dataplane/dataplane.h"
#include "drivers/dummy.h"
#include "vswitch/bytes.h"
#include "vswitch/pkt.h"
#include "vswitch/proto.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define N_MAX 8192
#define WARM_UP_NS (20 * HG_NS_PER_MS)
#define IDLE_SECONDS 3
#define FRAME_BYTES 60u

static struct hg_desired desired;
static struct hg_dp *dp;
static uint8_t frame[FRAME_BYTES];
static struct hg_dummy *fars[N_MAX + 1], *uplink;

static void die(const char *what, const struct hg_error *err)
{
	fprintf(stderr, "idle: %s: %s\n", what, err->text);
	exit(1);
}

/* ---- the host ----------------------------------------------------------------------------------- */

static void *array(size_t n, size_t size)
{
	void *memory = calloc(n, size);

	if (memory == NULL)
		exit(1);
	return memory;
}

/* Instance 0 is the busy one. */
static void add_instance(uint32_t i)
{
	struct hg_desired_instance *instance = &desired.instances[i];

	instance->tenant_idx = i % 2u;
	snprintf(instance->name, sizeof(instance->name), "i%u", i);
	hg_contract_init(&instance->contract);
	instance->contract.dir[HG_OUT].min_bytes_per_s = i == 0 ? 0 : 10000;
	instance->contract.dir[HG_OUT].max_bytes_per_s = UINT64_C(5000000000);
	bench_port(&desired.ports[i], i);
}

static void describe(uint32_t n)
{
	desired.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM;
	desired.uplinks = array(1, sizeof(*desired.uplinks));
	desired.tenants = array(2, sizeof(*desired.tenants));
	desired.instances = array(n + 1u, sizeof(*desired.instances));
	desired.ports = array(n + 1u, sizeof(*desired.ports));
	desired.n_uplinks = 1;
	desired.n_tenants = 2;
	desired.uplinks[0] =
		(struct hg_desired_uplink){.name = "up0",
					   .device = "dummy:up0",
					   .capacity_bytes_per_s = UINT64_C(12500000000),
					   .mtu = HG_MTU_DEFAULT};
	for (uint32_t i = 0; i < 2; i++) {
		snprintf(desired.tenants[i].name, sizeof(desired.tenants[i].name), "t%u", i);
		hg_contract_init(&desired.tenants[i].contract);
	}
	for (uint32_t i = 0; i <= n; i++)
		add_instance(i);
}

static void create(void)
{
	struct hg_error err = {0};
	struct hg_dp_cfg cfg;

	hg_dp_cfg_init(&cfg);
	cfg.n_buffers = 16384;
	if (hg_dp_create(&cfg, &dp, &err) != 0)
		die("no packet lane", &err);
}

static void apply(uint32_t n_instances)
{
	struct hg_error err = {0};

	desired.n_instances = desired.n_ports = n_instances;
	if (hg_dp_apply(dp, &desired, &err) != 0)
		die("refused", &err);
}

/* The far ends live on when their devices close, so that they are no part of what instances cost. */
static void make_fars(uint32_t n)
{
	for (uint32_t i = 0; i <= n; i++)
		fars[i] = bench_far(dp, &desired.ports[i]);
	uplink = hg_dummy_hold("up0");
	hg_dummy_sink(uplink, true);
}

/* ---- cost --------------------------------------------------------------------------------------- */

static void write_frame(uint32_t from, uint8_t *bytes)
{
	static const uint8_t outside[HG_MAC_BYTES] = {2, 1, 0, 0, 0, 0};

	memset(bytes, 0, FRAME_BYTES);
	memcpy(bytes, outside, HG_MAC_BYTES);
	memcpy(bytes + HG_MAC_BYTES, desired.ports[from].mac, HG_MAC_BYTES);
	hg_bytes_put16(bytes + 12, HG_ETHERTYPE_IP4);
	bytes[14] = 0x45;
	hg_bytes_put16(bytes + 16, FRAME_BYTES - HG_ETHER_BYTES);
	bytes[22] = 64;
	bytes[23] = HG_IP_UDP;
	hg_bytes_put16(bytes + 38, FRAME_BYTES - HG_ETHER_BYTES - HG_IP4_BYTES);
}

static void measure_busy(uint32_t n_idle, hg_ns for_ns)
{
	struct hg_dp_host_sample before, after;
	struct hg_dp_flow sent_before, sent_after;
	hg_ns cpu_ns;

	if (n_idle + 1u != desired.n_instances)
		apply(n_idle + 1u);
	bench_rest(WARM_UP_NS);
	hg_dp_sample_host(dp, &before);
	hg_dp_sample_instance(dp, 0, HG_OUT, &sent_before);
	cpu_ns = bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	bench_rest(for_ns);
	hg_dp_sample_host(dp, &after);
	hg_dp_sample_instance(dp, 0, HG_OUT, &sent_after);
	cpu_ns = bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	hg_figure("ns_per_turn", (double)cpu_ns / (double)(after.turns - before.turns));
	hg_figure("ns_per_packet",
		  (double)cpu_ns / (double)(sent_after.sent_pkts - sent_before.sent_pkts));
}

/* ---- memory ------------------------------------------------------------------------------------- */

static double resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long n_pages = 0, n_resident = 0;

	malloc_trim(0);
	if (f == NULL || fscanf(f, "%ld %ld", &n_pages, &n_resident) != 2)
		exit(1);
	fclose(f);
	return (double)n_resident * (double)sysconf(_SC_PAGESIZE);
}

static struct hg_pkt *packet(const uint8_t *bytes)
{
	struct hg_pkt *pkt = hg_pkt_create_chain(hg_dp_pool(dp), FRAME_BYTES);

	if (pkt == NULL)
		exit(1);
	memcpy(pkt->data, bytes, FRAME_BYTES);
	pkt->flags = 0;
	pkt->gso = HG_GSO_NONE;
	return pkt;
}

static void give(struct hg_dummy *far, const uint8_t *bytes)
{
	struct hg_pkt *pkt = packet(bytes);

	while (hg_dummy_inject(far, &pkt, 1) == 0)
		bench_rest(HG_NS_PER_US);
}

/* Each sends a frame and receives one. */
static void use_all(uint32_t first, uint32_t n)
{
	for (uint32_t i = first; i < first + n; i++) {
		uint8_t bytes[FRAME_BYTES], mac[HG_MAC_BYTES];
		struct hg_pkt *pkt;

		write_frame(i, bytes);
		give(fars[i], bytes);
		memcpy(mac, bytes, HG_MAC_BYTES);
		memcpy(bytes, bytes + HG_MAC_BYTES, HG_MAC_BYTES);
		memcpy(bytes + HG_MAC_BYTES, mac, HG_MAC_BYTES);
		give(uplink, bytes);
		while (hg_dummy_collect(fars[i], &pkt, 1) == 0)
			bench_rest(HG_NS_PER_US);
		hg_pool_put(hg_dp_pool(dp), &pkt, 1);
	}
}

static struct hg_dev *open_device(uint32_t i)
{
	struct hg_dev_cfg cfg = {.device = desired.ports[i].device,
				 .netns = "",
				 .mtu = HG_MTU_DEFAULT,
				 .pool = hg_dp_pool(dp)};
	struct hg_error err = {0};
	struct hg_dev *dev;

	if (hg_dev_open(&cfg, &dev, &err) != 0)
		die("no device", &err);
	return dev;
}

/* What one device of memory takes while it is open, beside its far end. */
static double device_bytes(uint32_t n)
{
	static struct hg_dev *devs[N_MAX];
	size_t before = mallinfo2().uordblks, after;

	for (uint32_t i = 0; i < n; i++)
		devs[i] = open_device(i);
	after = mallinfo2().uordblks;
	for (uint32_t i = 0; i < n; i++)
		devs[i]->driver->close(devs[i], /* keep= */ false);
	return (double)(after - before) / n;
}

static void measure_memory(uint32_t n)
{
	double copy_bytes = sizeof(struct hg_desired_instance) + sizeof(struct hg_desired_port);
	double dev_bytes = device_bytes(n), others_bytes = copy_bytes + dev_bytes;
	double before, never, once;

	apply(1);
	/* What is touched once and for all. */
	use_all(0, 1);
	before = resident_bytes();
	apply(n + 1u);
	never = resident_bytes();
	/* Packet buffers are the host's, not an instance's: these few are in use before. */
	use_all(1, n);
	once = resident_bytes();
	hg_figure("control_copy_per_instance_bytes", copy_bytes);
	hg_figure("device_per_instance_bytes", dev_bytes);
	hg_figure("memory_per_idle_instance_bytes", (never - before) / n - others_bytes);
	hg_figure("memory_per_used_instance_bytes", (once - before) / n - others_bytes);
}

static void measure_idle(uint32_t n)
{
	hg_ns cpu_ns = bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID),
	      wall_ns = bench_clock_ns(CLOCK_MONOTONIC);

	for (unsigned s = 0; s < IDLE_SECONDS; s++) {
		struct hg_dp_flow flow;

		hg_dp_publish(dp);
		for (uint32_t i = 0; i <= n; i++) {
			hg_dp_sample_instance(dp, i, HG_OUT, &flow);
			hg_dp_sample_instance(dp, i, HG_IN, &flow);
		}
		bench_rest(HG_NS_PER_S);
	}
	cpu_ns = bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	wall_ns = bench_clock_ns(CLOCK_MONOTONIC) - wall_ns;
	hg_figure("idle_processor_percent", 100.0 * (double)cpu_ns / (double)wall_ns);
}

/* The port is closed and opened again with the generator on. */
static void begin_traffic(void)
{
	write_frame(0, frame);
	apply(0);
	hg_dummy_generate(fars[0], frame, FRAME_BYTES);
	bench_prefer(dp->lane.workers[0]->thread, bench_last_cpu(), 1);
}

int main(int argc, char **argv)
{
	long n = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	struct rlimit files = {N_MAX + 1024, N_MAX + 1024};
	struct hg_told told;
	bool is_busy = false;

	if (n < 1 || n > N_MAX) {
		fprintf(stderr, "usage: bench_idle N, in [1, %d]\n", N_MAX);
		return 2;
	}
	if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
		fprintf(stderr, "idle: needs the right to open %d files\n", N_MAX + 1024);
		return 1;
	}
	describe((uint32_t)n);
	create();
	make_fars((uint32_t)n);
	while (hg_told(&told)) {
		unsigned n_idle = hg_told_number(&told, 1), ms = hg_told_number(&told, 2);

		if (strcmp(told.words[0], "still") == 0 && !is_busy) {
			measure_memory((uint32_t)n);
			measure_idle((uint32_t)n);
		} else if (strcmp(told.words[0], "busy") == 0 && n_idle <= n && ms >= 1) {
			if (!is_busy)
				begin_traffic();
			is_busy = true;
			measure_busy(n_idle, ms * HG_NS_PER_MS);
		} else {
			fprintf(stderr, "idle: not understood: still, or busy IDLE MS\n");
			return 1;
		}
	}
	apply(0);
	hg_dp_destroy(dp, /* keep_devices= */ false);
	return 0;
}
