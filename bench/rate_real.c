/* rate_real: how exactly the packet lane keeps a maximum on real time. Usage: bench_rate_real SECONDS
 *
 * Model      An instance with a maximum sends to an uplink, both devices of memory, and always has more to
 *            send than it may. Frames: its device makes them without end, so that the worker never rests and
 *            the hold queue drops what is too much. Segments of 64 KiB: a set of them goes round, what comes
 *            out at the uplink is given to the instance again, and the worker sleeps when it can.
 * Error      |wire bytes sent / (rate * time) - 1| over SECONDS, after the burst is spent. The time is
 *            taken around two looks at the counter that the worker brought up to date itself.
 * Disturbed  A thread that waited for its processor for longer than half the burst, or processor time stolen
 *            from the machine, spoils a run: it is shown and counted. There are up to ATTEMPTS_MAX runs a rate,
 *            until RUNS are undisturbed; the figure is the median of these. A rate with none of them is
 *            reported by another name: as one that was not measured.
 * Burst      what the rate makes in 10 ms, at least the default: so late may the worker be when others want
 *            its processor, and still make up for it.
 */
#include "bench/clock.h"
#include "bench/figures.h"
#include "dataplane/dataplane.h"
#include "drivers/dummy.h"
#include "tests/frames.h"

#include <dirent.h>
#include <math.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#define BURST_NS (10 * HG_NS_PER_MS)
#define FRAME_PAYLOAD 1460u
#define SEGMENT_PAYLOAD 64240u /* 44 parts */
/* The hold queue has room for what the rate makes in 20 ms, from 160 KiB to 4 MiB; a segment weighs 70 KB. */
/* Until the bucket is empty and what is measured is the rate. */
#define RUNS 3
#define ATTEMPTS_MAX 5
#define DISTURBED_NS (BURST_NS / 2)
#define SPEND_BURST_NS (100 * HG_NS_PER_MS)
#define SEGMENTS_MIN 2u
#define SEGMENTS_MAX 48u

static struct hg_dp *dp;
static struct hg_desired_uplink uplink = {.name = "up0",
					  .device = "dummy:up0",
					  .capacity_bytes_per_s = UINT64_C(25000000000),
					  .mtu = HG_MTU_DEFAULT};
static struct hg_desired_tenant tenant = {.name = "t"};
static struct hg_desired_instance instance = {.name = "i"};
static struct hg_desired_port port = {.name = "i",
				      .device = "dummy:i",
				      .mac = {2, 0, 0, 0, 0, 1},
				      .has_mac = true,
				      .mtu = HG_MTU_DEFAULT};
static struct hg_desired desired = {.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM,
				    .uplinks = &uplink,
				    .tenants = &tenant,
				    .instances = &instance,
				    .ports = &port,
				    .n_uplinks = 1,
				    .n_tenants = 1,
				    .n_instances = 1,
				    .n_ports = 1};
static struct hg_dummy *from, *to;
static struct frame frame;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "rate: %s: %s\n", what, why);
	exit(1);
}

static hg_ns clock_ns(void)
{
	return bench_clock_ns(CLOCK_MONOTONIC);
}

/* ---- packets that go round ---------------------------------------------------------------------- */

static void write_frame(uint32_t n_payload)
{
	uint8_t outside[HG_MAC_BYTES];

	frame_mac(outside, 99);
	frame_eth(&frame, outside, port.mac);
	frame_ip4(&frame, HG_IP_TCP, 0);
	frame_tcp(&frame, 0x10, 0);
	frame_payload(&frame, n_payload, 1);
	frame_finish(&frame);
}

static struct hg_pkt *segment(void)
{
	struct hg_pkt *pkt = frame_pkt(&frame, hg_dp_pool(dp));

	if (pkt == NULL)
		die("no packet", "out of buffers");
	frame_want_gso(pkt, &frame, FRAME_PAYLOAD);
	return pkt;
}

static void put_in(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct hg_pkt *pkt = segment();

		while (hg_dummy_inject(from, &pkt, 1) == 0)
			sched_yield();
	}
}

static void go_round_until(hg_ns until_ns)
{
	while (clock_ns() < until_ns) {
		struct hg_pkt *pkts[32];
		unsigned n = hg_dummy_collect(to, pkts, 32), n_given = 0;

		while (n_given < n)
			n_given += hg_dummy_inject(from, pkts + n_given, n - n_given);
	}
}

static void take_out(uint32_t n)
{
	hg_ns until_ns = clock_ns() + 10 * HG_NS_PER_S;

	while (n > 0 && clock_ns() < until_ns) {
		struct hg_pkt *pkt;

		if (hg_dummy_collect(to, &pkt, 1) == 0)
			continue;
		hg_pool_put(hg_dp_pool(dp), &pkt, 1);
		n--;
	}
	if (n > 0)
		die("packets were lost", "the hold queue is too short for what goes round");
}

/* ---- measuring ---------------------------------------------------------------------------------- */

static void apply(uint64_t bytes_per_s)
{
	struct hg_policy *policy = &instance.contract.dir[HG_OUT];
	uint64_t burst = bytes_per_s / (uint64_t)(HG_NS_PER_S / BURST_NS);
	struct hg_error err = {0};

	hg_contract_init(&tenant.contract);
	hg_contract_init(&instance.contract);
	policy->max_bytes_per_s = bytes_per_s;
	if (burst > policy->burst_bytes)
		policy->burst_bytes = policy->reserve_bytes = burst;
	if (hg_dp_apply(dp, &desired, &err) != 0)
		die("refused", err.text);
}

struct look {
	hg_ns at_ns;
	uint64_t sent_bytes;
};

/* The counter as the worker left it at the end of a turn that began after the first clock. */
static struct look look(void)
{
	struct look look = {.at_ns = clock_ns()};
	struct hg_dp_flow flow;

	hg_dp_publish(dp);
	hg_dp_sample_instance(dp, 0, HG_OUT, &flow);
	look.sent_bytes = flow.sent_bytes;
	look.at_ns += (clock_ns() - look.at_ns) / 2;
	return look;
}

/* Time that this process's threads waited for a processor, and that was stolen from the machine. */
static hg_ns disturbance_ns(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned long long waited_ns, sum_ns = 0, stolen = 0;
	struct dirent *task;
	FILE *f;

	while (tasks != NULL && (task = readdir(tasks)) != NULL) {
		char path[300];

		snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", task->d_name);
		f = fopen(path, "re");
		if (f != NULL && fscanf(f, "%*u %llu", &waited_ns) == 1)
			sum_ns += waited_ns;
		if (f != NULL)
			fclose(f);
	}
	if (tasks != NULL)
		closedir(tasks);
	f = fopen("/proc/stat", "re");
	if (f != NULL && fscanf(f, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &stolen) != 1)
		stolen = 0;
	if (f != NULL)
		fclose(f);
	return (hg_ns)(sum_ns + stolen * 1000000000u / (unsigned long long)sysconf(_SC_CLK_TCK));
}

static double error_ppm(uint64_t rate, struct look before, struct look after)
{
	double due = (double)rate * (double)(after.at_ns - before.at_ns) / 1e9;

	return ((double)(after.sent_bytes - before.sent_bytes) / due - 1.0) * 1e6;
}

/* ---- the two kinds of load ---------------------------------------------------------------------- */

static void begin_frames(uint64_t rate)
{
	/* The device is told while it is closed. */
	desired.n_ports = 0;
	apply(rate);
	write_frame(FRAME_PAYLOAD);
	hg_dummy_generate(from, frame.bytes, (uint16_t)frame.n);
	hg_dummy_sink(to, true);
	desired.n_ports = 1;
	apply(rate);
}

static void end_frames(uint64_t rate)
{
	struct hg_dp_flow flow;

	(void)rate;
	/* Nobody sends, and what is queued may go. */
	desired.n_ports = 0;
	apply(0);
	do {
		hg_dp_publish(dp);
		hg_dp_sample_instance(dp, 0, HG_OUT, &flow);
	} while (flow.queued_bytes > 0);
	hg_dummy_generate(from, NULL, 0);
	hg_dummy_sink(to, false);
	desired.n_ports = 1;
}

static uint32_t n_segments(uint64_t rate)
{
	uint64_t n = rate / 125u / 70000u;

	return (uint32_t)(n < SEGMENTS_MIN ? SEGMENTS_MIN : n > SEGMENTS_MAX ? SEGMENTS_MAX : n);
}

static void begin_segments(uint64_t rate)
{
	apply(rate);
	write_frame(SEGMENT_PAYLOAD);
	put_in(n_segments(rate));
}

static void go_round(hg_ns for_ns)
{
	go_round_until(clock_ns() + for_ns);
}

static void end_segments(uint64_t rate)
{
	apply(0);
	take_out(n_segments(rate));
}

static const struct load {
	const char *name;
	void (*begin)(uint64_t rate);
	void (*keep_up)(hg_ns for_ns);
	void (*end)(uint64_t rate);
} loads[] = {
	{"frames", begin_frames, bench_rest, end_frames},
	{"segments", begin_segments, go_round, end_segments},
};

/* ---- one rate ----------------------------------------------------------------------------------- */

static unsigned n_disturbed;

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, unsigned n)
{
	qsort(values, n, sizeof(values[0]), compare);
	return values[n / 2];
}

static void measure(const struct load *load, uint64_t mbit_per_s, hg_ns for_ns)
{
	uint64_t rate = mbit_per_s * 125000u;
	double percent[ATTEMPTS_MAX], disturbed[ATTEMPTS_MAX];
	unsigned n_runs = 0, n_spoilt = 0;
	char name[64];

	load->begin(rate);
	while (n_runs < RUNS && n_runs + n_spoilt < ATTEMPTS_MAX) {
		struct look before;
		hg_ns disturbed_ns;
		double ppm;

		load->keep_up(SPEND_BURST_NS);
		disturbed_ns = disturbance_ns();
		before = look();
		load->keep_up(for_ns);
		ppm = error_ppm(rate, before, look());
		disturbed_ns = disturbance_ns() - disturbed_ns;
		fprintf(stderr, "rate: real time, %s, %6llu Mbit/s: %+.1f ppm%s\n", load->name,
			(unsigned long long)mbit_per_s, ppm,
			disturbed_ns > DISTURBED_NS ? ", disturbed" : "");
		if (disturbed_ns > DISTURBED_NS)
			disturbed[n_spoilt++] = fabs(ppm) / 1e4;
		else
			percent[n_runs++] = fabs(ppm) / 1e4;
	}
	load->end(rate);
	n_disturbed += n_spoilt;
	snprintf(name, sizeof(name), "real_%s_%llumbit_%serror_percent", load->name,
		 (unsigned long long)mbit_per_s, n_runs > 0 ? "" : "disturbed_");
	hg_figure(name, n_runs > 0 ? median(percent, n_runs) : median(disturbed, n_spoilt));
}

/* The worker has the last processor; who sends packets round keeps to the first and is as important. */
static void step_aside(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
	(void)setpriority(PRIO_PROCESS, 0, -15);
}

int main(int argc, char **argv)
{
	static const uint64_t frames[] = {10, 100, 1000, 10000};
	static const uint64_t segments[] = {1000, 10000, 25000};
	long seconds = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	struct hg_error err = {0};
	struct hg_dp_cfg cfg;

	if (seconds < 1 || seconds > 3600) {
		fprintf(stderr, "usage: bench_rate_real SECONDS, in [1, 3600]\n");
		return 2;
	}
	hg_dp_cfg_init(&cfg);
	cfg.n_buffers = 16384;
	if (hg_dp_create(&cfg, &dp, &err) != 0)
		die("no packet lane", err.text);
	step_aside();
	from = hg_dummy_hold("i");
	to = hg_dummy_hold("up0");
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		measure(&loads[0], frames[i], seconds * HG_NS_PER_S);
	for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++)
		measure(&loads[1], segments[i], seconds * HG_NS_PER_S);
	hg_figure("real_disturbed_runs", n_disturbed);
	hg_dp_destroy(dp, /* keep_devices= */ false);
	return 0;
}
