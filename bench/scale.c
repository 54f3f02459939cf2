/* scale: many instances that all send at once. Usage: bench_scale N WORKERS SLOTS SLOT_MS
 *
 * Model      N instances, 16 a tenant, each with a device of memory that makes frames without end, a guarantee and
 *            maxima that are never reached; an uplink that releases what it is given. First frames of 60 bytes and more
 *            capacity than the workers can use: what a packet costs. Then frames of 1,514 bytes and 10 Gbit/s, so that
 *            all of them always wait for the link: how even their shares are. Of 2,048 each can have four of these
 *            in 10 ms.
 * Cost       the workers' processor time by packets sent, so that what is dropped is paid for by what is not.
 * Fairness   Jain's index (sum x)^2 / (n * sum x^2) of what each sent in windows of 10 ms; 1: all the same, 1/n: one
 *            has it all. The median of the windows, and the worst one.
 * Memory     what the process grows by when the instances come and all have sent.
 */
#include "bench/figures.h"
#include "bench/host.h"
#include "dataplane/dp.h"
#include "drivers/dummy.h"
#include "tests/frames.h"

#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define N_MAX 4096u
#define PER_TENANT 16u
#define SLOTS_MAX 1000u
#define SMALL_BYTES 60u
#define LARGE_BYTES 1514u
#define HEADERS_BYTES 42u /* Ethernet, IPv4, UDP */
#define FAST_BYTES_PER_S UINT64_C(12500000000)
#define SLOW_BYTES_PER_S UINT64_C(1250000000)
#define WINDOW_NS (10 * HG_NS_PER_MS)
#define WINDOWS 50u
#define ENOUGH_PKTS 20000u
#define TURNS_MAX 10u
#define WARM_UP_NS (200 * HG_NS_PER_MS)
#define N_BUFFERS 65536u
#define FILES_MAX 8192u

static struct hg_dp *dp;
static struct hg_desired_uplink uplink = {.name = "up0",
					  .device = "dummy:up0",
					  .capacity_bytes_per_s = FAST_BYTES_PER_S,
					  .mtu = HG_MTU_DEFAULT};
static struct hg_desired_tenant tenants[N_MAX / PER_TENANT];
static struct hg_desired_instance instances[N_MAX];
static struct hg_desired_port ports[N_MAX];
static struct frame frames[N_MAX];
static struct hg_dummy *fars[N_MAX];
static struct hg_desired desired = {.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM,
				    .uplinks = &uplink,
				    .tenants = tenants,
				    .instances = instances,
				    .ports = ports,
				    .n_uplinks = 1};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "scale: %s: %s\n", what, why);
	exit(1);
}

/* The first worker on the last processor; this thread, which only looks now and then, in front of the workers. */
static void prefer(void)
{
	const struct sched_param param = {.sched_priority = 2};
	uint32_t n_cpus = bench_last_cpu() + 1u;

	(void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
	for (uint32_t i = 0; i < dp->lane.n_workers; i++)
		bench_prefer(dp->lane.workers[i]->thread, n_cpus - 1u - i % n_cpus, 1);
}

static double resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long n_pages = 0, n_resident = 0;

	malloc_trim(0);
	if (f == NULL || fscanf(f, "%ld %ld", &n_pages, &n_resident) != 2)
		die("no memory figures", "/proc/self/statm");
	fclose(f);
	return (double)n_resident * (double)sysconf(_SC_PAGESIZE);
}

/* ---- the host ----------------------------------------------------------------------------------- */

static void set_contract(struct hg_contract *contract, uint64_t min_bytes_per_s)
{
	hg_contract_init(contract);
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		contract->dir[dir].max_bytes_per_s = FAST_BYTES_PER_S;
		contract->dir[dir].burst_bytes = HG_BURST_MAX_BYTES / 2;
	}
	contract->dir[HG_OUT].min_bytes_per_s = min_bytes_per_s;
}

static void add_instance(uint32_t i, uint32_t n)
{
	instances[i].tenant_idx = i / PER_TENANT;
	snprintf(instances[i].name, sizeof(instances[i].name), "i%u", i);
	set_contract(&instances[i].contract, SLOW_BYTES_PER_S / 2 / n);
	bench_port(&ports[i], i);
}

static void describe(uint32_t n)
{
	desired.n_instances = desired.n_ports = n;
	desired.n_tenants = (n + PER_TENANT - 1u) / PER_TENANT;
	for (uint32_t t = 0; t < desired.n_tenants; t++) {
		snprintf(tenants[t].name, sizeof(tenants[t].name), "t%u", t);
		set_contract(&tenants[t].contract, 0);
	}
	for (uint32_t i = 0; i < n; i++)
		add_instance(i, n);
}

static void make_fars(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		fars[i] = bench_far(dp, &ports[i]);
	hg_dummy_sink(hg_dummy_hold("up0"), true);
}

static void make_frames(uint32_t n, uint32_t n_bytes)
{
	static const uint8_t outside[HG_MAC_BYTES] = {2, 1, 0, 0, 0, 0};

	for (uint32_t i = 0; i < n; i++) {
		frame_eth(&frames[i], outside, ports[i].mac);
		frame_ip4(&frames[i], HG_IP_UDP, 0);
		frame_udp(&frames[i]);
		frame_payload(&frames[i], n_bytes - HEADERS_BYTES, 1);
		frame_finish(&frames[i]);
		hg_dummy_generate(fars[i], frames[i].bytes, (uint16_t)frames[i].n);
	}
}

/* Without instances nothing is polled, so that the frames may change. */
static void begin(uint32_t n, uint32_t n_bytes, uint64_t capacity_bytes_per_s)
{
	struct hg_error err = {0};

	uplink.capacity_bytes_per_s = capacity_bytes_per_s;
	desired.n_instances = desired.n_ports = desired.n_tenants = 0;
	if (hg_dp_apply(dp, &desired, &err) != 0)
		die("refused", err.text);
	make_frames(n, n_bytes);
	desired.n_instances = desired.n_ports = n;
	desired.n_tenants = (n + PER_TENANT - 1u) / PER_TENANT;
	if (hg_dp_apply(dp, &desired, &err) != 0)
		die("refused", err.text);
	bench_rest(WARM_UP_NS);
}

/* ---- cost --------------------------------------------------------------------------------------- */

struct count {
	hg_ns at_ns, cpu_ns;
	uint64_t sent_pkts, offered_pkts;
};

static struct count look(void)
{
	struct count count = {.at_ns = bench_clock_ns(CLOCK_MONOTONIC)};
	struct hg_dp_flow flow;

	for (uint32_t i = 0; i < dp->lane.n_workers; i++)
		count.cpu_ns += bench_clock_ns(bench_worker_clock(dp, i));
	for (uint32_t t = 0; t < desired.n_tenants; t++) {
		hg_dp_sample_tenant(dp, t, HG_OUT, &flow);
		count.sent_pkts += flow.sent_pkts;
		count.offered_pkts += flow.offered_pkts;
	}
	return count;
}

static void measure_cost(unsigned n_slots, hg_ns slot_for_ns)
{
	for (unsigned slot = 0; slot < n_slots; slot++) {
		struct count before = look(), after = before;
		double n_sent;
		char name[32];

		/* A machine that does other things may take the processor away for a whole slot. */
		for (unsigned turn = 0; turn < TURNS_MAX; turn++) {
			bench_rest(slot_for_ns);
			after = look();
			if (after.sent_pkts - before.sent_pkts >= ENOUGH_PKTS)
				break;
		}
		if (after.sent_pkts == before.sent_pkts)
			die("nothing was sent", "for ten slots");
		n_sent = (double)(after.sent_pkts - before.sent_pkts);
		snprintf(name, sizeof(name), "cost_%u", slot);
		hg_figure(name, (double)(after.cpu_ns - before.cpu_ns) / n_sent);
		snprintf(name, sizeof(name), "rate_%u", slot);
		hg_figure(name, 1e9 * n_sent / (double)(after.at_ns - before.at_ns));
		snprintf(name, sizeof(name), "dropped_%u", slot);
		hg_figure(name, 100.0 * (1.0 - n_sent / (double)(after.offered_pkts -
								 before.offered_pkts)));
	}
}

/* ---- fairness ----------------------------------------------------------------------------------- */

static double sent_pkts[2][N_MAX];
static hg_ns seen_at_ns[2][N_MAX];

static void look_at_each(unsigned side)
{
	struct hg_dp_flow flow;

	for (uint32_t i = 0; i < desired.n_instances; i++) {
		hg_dp_sample_instance(dp, i, HG_OUT, &flow);
		seen_at_ns[side][i] = bench_clock_ns(CLOCK_MONOTONIC);
		sent_pkts[side][i] = (double)flow.sent_pkts;
	}
}

static double jain(unsigned side)
{
	double sum = 0, squares = 0;

	for (uint32_t i = 0; i < desired.n_instances; i++) {
		double x = (sent_pkts[side][i] - sent_pkts[!side][i]) /
			   (double)(seen_at_ns[side][i] - seen_at_ns[!side][i]);

		sum += x;
		squares += x * x;
	}
	return squares > 0 ? sum * sum / (desired.n_instances * squares) : 0;
}

static void measure_fairness(void)
{
	look_at_each(0);
	for (unsigned window = 0; window < WINDOWS; window++) {
		hg_ns until_ns = seen_at_ns[window % 2u][0] + WINDOW_NS;
		hg_ns now_ns = bench_clock_ns(CLOCK_MONOTONIC);
		double index;
		char name[32];

		if (now_ns < until_ns)
			bench_rest(until_ns - now_ns);
		look_at_each(!(window % 2u));
		index = jain(!(window % 2u));
		/* In a window in which nobody sent the workers had no processor. */
		if (index > 0) {
			snprintf(name, sizeof(name), "jain_%u", window);
			hg_figure(name, index);
		}
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = {FILES_MAX, FILES_MAX};
	unsigned n = 0, n_workers = 0, n_slots = 0, slot_ms = 0;
	struct hg_error err = {0};
	struct hg_dp_cfg cfg;
	double before_bytes;

	if (argc == 5) {
		n = (unsigned)atoi(argv[1]);
		n_workers = (unsigned)atoi(argv[2]);
		n_slots = (unsigned)atoi(argv[3]);
		slot_ms = (unsigned)atoi(argv[4]);
	}
	if (n < 1 || n > N_MAX || n_workers < 1 || n_workers > 16 || n_slots < 1 ||
	    n_slots > SLOTS_MAX || slot_ms < 1)
		die("usage", "bench_scale N WORKERS SLOTS SLOT_MS, N in [1, 4096]");
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		die("needs the right to open files", "8192");
	describe(n);
	hg_dp_cfg_init(&cfg);
	cfg.n_workers = n_workers;
	cfg.n_buffers = N_BUFFERS;
	if (hg_dp_create(&cfg, &dp, &err) != 0)
		die("no packet lane", err.text);
	make_fars(n);
	make_frames(n, LARGE_BYTES);
	before_bytes = resident_bytes();
	prefer();
	begin(n, SMALL_BYTES, FAST_BYTES_PER_S);
	measure_cost(n_slots, slot_ms * HG_NS_PER_MS);
	hg_figure("memory_bytes", resident_bytes() - before_bytes);
	begin(n, LARGE_BYTES, SLOW_BYTES_PER_S);
	measure_fairness();
	hg_dp_destroy(dp, /* keep_devices= */ false);
	return 0;
}
