/* wake: how long an idle instance waits when all others flood. Usage: bench_wake OTHERS WAKES
 *
 * Model      OTHERS instances send frames of 1,514 bytes without end over a modelled card of 1 Gbit/s; their
 *            guarantees come to half of it. One more, with a guarantee of 300 Mbit/s, rests for REST_NS, then sends
 *            as fast as its device takes frames for BURST_NS, again and again. Real time; the program is its sender
 *            and what stands behind the card, on the first processor, the worker has the last one.
 * First      from the call that gives the device the first frame to its arrival behind the card.
 * Full       from there to the begin of the first millisecond in which it gets its guarantee, less one frame.
 * Disturbed  If worker or program had no processor for longer than DISTURBED_NS in a wake, that one is counted instead.
 */
#include "bench/figures.h"
#include "bench/host.h"
#include "dataplane/dp.h"
#include "drivers/dummy.h"
#include "tests/frames.h"
#include "vswitch/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define OTHERS_MAX 4095u
#define WAKES_MAX 1000u
#define PER_TENANT 16u
#define HEADERS_BYTES 42u /* Ethernet, IPv4, UDP */
#define FRAME_BYTES 1514u
#define WIRE_BYTES 1538u
#define CARD "simnic(rate=1Gbit,ring=1024)+dummy:up0"
#define LINK_BYTES_PER_S UINT64_C(125000000)
#define GUARANTEE_BYTES_PER_S UINT64_C(37500000)
#define REST_NS (20 * HG_NS_PER_MS)
#define BURST_NS (5 * HG_NS_PER_MS)
#define WINDOW_NS HG_NS_PER_MS
#define DISTURBED_NS (100 * HG_NS_PER_US)
#define WARM_UP_NS (300 * HG_NS_PER_MS)
#define N_BUFFERS 65536u
#define FILES_MAX 8192u
#define ARRIVALS_MAX 4096u
/* Frames that lie ready in its device: as a container's kernel has them. */
#define AHEAD_PKTS 32u

static struct hg_dp *dp;
static struct hg_desired_uplink uplink = {.name = "up0",
					  .device = CARD,
					  .capacity_bytes_per_s = LINK_BYTES_PER_S,
					  .mtu = HG_MTU_DEFAULT};
static struct hg_desired_tenant tenants[OTHERS_MAX / PER_TENANT + 2u];
static struct hg_desired_instance instances[OTHERS_MAX + 1u];
static struct hg_desired_port ports[OTHERS_MAX + 1u];
static struct frame frames[OTHERS_MAX + 1u];
static struct hg_desired desired = {.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM,
				    .uplinks = &uplink,
				    .tenants = tenants,
				    .instances = instances,
				    .ports = ports,
				    .n_uplinks = 1};
static struct hg_dummy *sender, *outside;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "wake: %s: %s\n", what, why);
	exit(1);
}

static hg_ns clock_ns(void)
{
	return bench_clock_ns(CLOCK_MONOTONIC);
}

/* ---- the host ----------------------------------------------------------------------------------- */

static void add_instance(uint32_t i, uint32_t n_others)
{
	static const uint8_t far[HG_MAC_BYTES] = {2, 1, 0, 0, 0, 0};

	/* The first one is a tenant by itself. */
	instances[i].tenant_idx = i == 0 ? 0 : 1u + (i - 1u) / PER_TENANT;
	snprintf(instances[i].name, sizeof(instances[i].name), "i%u", i);
	hg_contract_init(&instances[i].contract);
	instances[i].contract.dir[HG_OUT].min_bytes_per_s =
		i == 0 ? GUARANTEE_BYTES_PER_S : LINK_BYTES_PER_S / 2 / n_others;
	bench_port(&ports[i], i);
	frame_eth(&frames[i], far, ports[i].mac);
	frame_ip4(&frames[i], HG_IP_UDP, 0);
	frame_udp(&frames[i]);
	frame_payload(&frames[i], FRAME_BYTES - HEADERS_BYTES, 1);
	frame_finish(&frames[i]);
}

static void describe(uint32_t n_others)
{
	desired.n_instances = desired.n_ports = n_others + 1u;
	desired.n_tenants = 1u + (n_others + PER_TENANT - 1u) / PER_TENANT;
	for (uint32_t t = 0; t < desired.n_tenants; t++) {
		snprintf(tenants[t].name, sizeof(tenants[t].name), "t%u", t);
		hg_contract_init(&tenants[t].contract);
	}
	for (uint32_t i = 0; i <= n_others; i++)
		add_instance(i, n_others == 0 ? 1 : n_others);
}

static void make_fars(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct hg_dummy *far = bench_far(dp, &ports[i]);

		if (i == 0)
			sender = far;
		else
			hg_dummy_generate(far, frames[i].bytes, (uint16_t)frames[i].n);
	}
	outside = hg_dummy_hold("up0");
}

/* ---- a wake ------------------------------------------------------------------------------------- */

static hg_ns arrived_at_ns[ARRIVALS_MAX];
static unsigned n_arrived;

/* Takes what came out behind the card, and notes what of it is the first one's. */
static void collect(void)
{
	struct hg_pkt *pkts[64];
	unsigned n = hg_dummy_collect(outside, pkts, 64);
	hg_ns now_ns = n > 0 ? clock_ns() : 0;

	for (unsigned i = 0; i < n; i++)
		if (memcmp(pkts[i]->data + HG_MAC_BYTES, ports[0].mac, HG_MAC_BYTES) == 0 &&
		    n_arrived < ARRIVALS_MAX)
			arrived_at_ns[n_arrived++] = now_ns;
	if (n > 0)
		hg_pool_put(hg_dp_pool(dp), pkts, n);
}

static void collect_until(hg_ns until_ns)
{
	while (clock_ns() < until_ns)
		collect();
}

static void give(void)
{
	struct hg_pkt *pkt = hg_pkt_create_chain(hg_dp_pool(dp), FRAME_BYTES);

	if (pkt == NULL)
		return;
	memcpy(pkt->data, frames[0].bytes, FRAME_BYTES);
	pkt->flags = 0;
	pkt->gso = HG_GSO_NONE;
	if (hg_dummy_inject(sender, &pkt, 1) == 0)
		hg_pool_put(hg_dp_pool(dp), &pkt, 1);
}

static hg_ns without_processor_ns(clockid_t clock)
{
	return clock_ns() - bench_clock_ns(clock);
}

/* For how long this thread, and the worker, which always has something to do where others flood, had no processor. */
static hg_ns missed_ns(void)
{
	hg_ns missed = without_processor_ns(CLOCK_THREAD_CPUTIME_ID);

	if (desired.n_instances > 1)
		missed += without_processor_ns(bench_worker_clock(dp, 0));
	return missed;
}

/* When the first millisecond begins in which it gets what it is guaranteed; HG_NEVER: none does. */
static hg_ns full_at_ns(void)
{
	const uint64_t need =
		GUARANTEE_BYTES_PER_S * (uint64_t)WINDOW_NS / (uint64_t)HG_NS_PER_S - WIRE_BYTES;

	for (unsigned i = 0; i < n_arrived; i++) {
		unsigned end = i;

		while (end < n_arrived && arrived_at_ns[end] < arrived_at_ns[i] + WINDOW_NS)
			end++;
		if ((uint64_t)(end - i) * WIRE_BYTES >= need)
			return arrived_at_ns[i];
	}
	return HG_NEVER;
}

static bool wake(unsigned number)
{
	hg_ns began_ns, until_ns, full_ns, missed_at_ns;
	char name[48];

	collect_until(clock_ns() + REST_NS);
	n_arrived = 0;
	missed_at_ns = missed_ns();
	began_ns = clock_ns();
	until_ns = began_ns + BURST_NS;
	while (clock_ns() < until_ns) {
		if (hg_dummy_n_waiting(sender) < AHEAD_PKTS)
			give();
		collect();
	}
	collect_until(clock_ns() + HG_NS_PER_MS);
	if (missed_ns() - missed_at_ns > DISTURBED_NS)
		return false;
	full_ns = full_at_ns();
	/* What did not come to pass took at least as long as it was given. */
	if (n_arrived == 0)
		arrived_at_ns[0] = until_ns;
	if (full_ns == HG_NEVER)
		full_ns = until_ns;
	snprintf(name, sizeof(name), "first_%u_us", number);
	hg_figure(name, (double)(arrived_at_ns[0] - began_ns) / 1e3);
	snprintf(name, sizeof(name), "full_%u_us", number);
	hg_figure(name, (double)(full_ns - began_ns) / 1e3);
	return true;
}

int main(int argc, char **argv)
{
	struct rlimit files = {FILES_MAX, FILES_MAX};
	long n_others = argc == 3 ? strtol(argv[1], NULL, 10) : -1;
	long n_wakes = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	unsigned n_done = 0, n_disturbed = 0;
	struct hg_error err = {0};
	struct hg_dp_cfg cfg;

	if (n_others < 0 || n_others > (long)OTHERS_MAX || n_wakes < 1 || n_wakes > (long)WAKES_MAX)
		die("usage", "bench_wake OTHERS WAKES, OTHERS in [0, 4095], WAKES in [1, 1000]");
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		die("needs the right to open files", "8192");
	describe((uint32_t)n_others);
	hg_dp_cfg_init(&cfg);
	cfg.n_buffers = N_BUFFERS;
	if (hg_dp_create(&cfg, &dp, &err) != 0)
		die("no packet lane", err.text);
	make_fars((uint32_t)n_others + 1u);
	if (hg_dp_apply(dp, &desired, &err) != 0)
		die("refused", err.text);
	bench_prefer(dp->lane.workers[0]->thread, bench_last_cpu(), 1);
	bench_prefer(pthread_self(), 0, 1);
	collect_until(clock_ns() + WARM_UP_NS);
	while (n_done < (unsigned)n_wakes && n_disturbed <= 2u * (unsigned)n_wakes) {
		if (wake(n_done))
			n_done++;
		else
			n_disturbed++;
	}
	hg_figure("disturbed", n_disturbed);
	hg_figure("done", n_done);
	hg_dp_destroy(dp, /* keep_devices= */ false);
	return 0;
}
