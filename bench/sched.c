/* sched: what a packet costs to go through the scheduler, against DPDK's rte_sched.
 * Usage: bench_sched [EAL arguments] -- PAIRS PACKETS LARGEST BACKLOG
 *
 * Model      A standing backlog of BACKLOG packets for each instance. A turn dequeues a burst of 32,
 *            addresses each packet to a random instance, and enqueues it again. Timed are the two calls, on
 *            the same mbufs, with the same sequence of instances and the same backlog; not what the
 *            caller does between them, which is to write each packet's header: the destination, as
 *            rte_sched wants it there, and for both the length. rte_sched, ours with rates unset, ours
 *            with every minimum active run in turn, PAIRS times; each fills, warms up, is timed, and
 *            drains. A call in which the processor was taken away (STOLEN_NS) is left out.
 * Ours       A virtual clock that moves by what a burst takes of a link of 10 Gbit/s. The root is paced a
 *            little above, so that nothing waits for it. 16 instances a tenant. Scenario G: every
 *            instance has a minimum, together 90 % of the link, and no reserve to live on.
 * rte_sched  As its guide advises: queues no larger than needed, traffic classes that are not used are
 *            switched off (size 0), one pipe for each instance, rates and buckets so large that
 *            nothing is shaped, bursts of 32. It reads the processor's clock itself.
 * Memory     Of both from the same huge pages, where there are any.
 */
#include "bench/figures.h"
#include "core/sched.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_sched.h>

#include <inttypes.h>
#include <stdlib.h>

enum { BURST = 32, INSTANCES_PER_TENANT = 16, MAX_PAIRS = 31, PKT_BYTES = 64 };
enum { MILLION = 1 << 20 };

/* Packets of backlog for each instance; a million instances get fewer, so that the packets of it all fit
 * in 2 GiB. */
enum { BACKLOG_MOST = 32, BACKLOG_MILLION = 2 };

#define LINK_BYTES_PER_S UINT64_C(1250000000)
#define WIRE_BYTES (PKT_BYTES + HG_WIRE_OVERHEAD_BYTES)
/* Far above what one processor can move, so that rte_sched never waits. */
#define RTE_RATE_BYTES_PER_S UINT64_C(12500000000)
#define RTE_QUEUE_PKTS 128u
/* No call takes so long by itself: 32 packets at 600 ns. */
#define STOLEN_NS 20000u

struct bench {
	uint32_t n_instances;
	uint32_t n_pkts; /* of the standing backlog */
	struct rte_mbuf **pkts;
	uint64_t random;
	struct rte_mbuf *burst[BURST];
	/* ours */
	struct hg_sched_item items[BURST];
	struct hg_sched *s;
	hg_ns now_ns;
	void *memory;
	/* theirs */
	struct rte_sched_port *port;
};

struct subject {
	const char *name;
	bool has_minima;
	void (*create)(struct bench *b, bool has_minima);
	unsigned (*dequeue)(struct bench *b); /* up to a burst, into b->burst or b->items */
	void (*address)(struct bench *b, unsigned n); /* to random instances */
	unsigned (*enqueue)(struct bench *b, unsigned n);
	void (*destroy)(struct bench *b);
};

static void die(const char *why)
{
	fprintf(stderr, "sched: %s\n", why);
	exit(1);
}

/* xorshift64*, reduced without division: the same sequence for all subjects. */
static inline uint32_t next_instance(struct bench *b)
{
	b->random ^= b->random >> 12;
	b->random ^= b->random << 25;
	b->random ^= b->random >> 27;
	return (uint32_t)(((b->random * UINT64_C(0x2545F4914F6CDD1D)) >> 32) * b->n_instances >>
			  32);
}

/* ---- ours --------------------------------------------------------------------------------------- */

static void ours_create(struct bench *b, bool has_minima)
{
	uint32_t n_tenants = (b->n_instances + INSTANCES_PER_TENANT - 1) / INSTANCES_PER_TENANT;
	struct hg_sched_cfg cfg = {.max_tenants = n_tenants,
				   .max_instances = b->n_instances,
				   .max_queued_pkts = b->n_pkts + BURST};
	struct hg_policy policy = {.burst_bytes = HG_BURST_DEFAULT_BYTES,
				   .idle_after_ns = HG_IDLE_AFTER_DEFAULT_NS,
				   .weight = HG_WEIGHT_DEFAULT};
	uintptr_t lowest = UINTPTR_MAX;

	for (uint32_t i = 0; i < b->n_pkts; i++)
		if ((uintptr_t)b->pkts[i] < lowest)
			lowest = (uintptr_t)b->pkts[i];
	cfg.pkt_base = (const void *)lowest;
	b->memory = rte_zmalloc("hg_sched", hg_sched_size(&cfg), RTE_CACHE_LINE_SIZE);
	if (b->memory == NULL)
		die("no memory for the scheduler");
	b->now_ns = HG_NS_PER_S;
	if (hg_sched_init(b->memory, &cfg, b->now_ns, &b->s, NULL) < 0)
		die("hg_sched_init refused");
	hg_sched_set_root(b->s, LINK_BYTES_PER_S + LINK_BYTES_PER_S / 10, 2 * BURST * WIRE_BYTES,
			  b->now_ns);
	for (uint32_t t = 0; t < n_tenants; t++)
		if (hg_sched_set_tenant(b->s, t, &policy, b->now_ns, NULL) < 0)
			die("hg_sched_set_tenant refused");
	if (has_minima)
		policy.min_bytes_per_s = LINK_BYTES_PER_S / 10 * 9 / b->n_instances;
	for (uint32_t i = 0; i < b->n_instances; i++)
		if (hg_sched_set_instance(b->s, i, i / INSTANCES_PER_TENANT, &policy, b->now_ns,
					  NULL) < 0)
			die("hg_sched_set_instance refused");
}

static unsigned ours_dequeue(struct bench *b)
{
	return hg_sched_pop(b->s, b->items, BURST, UINT32_MAX, b->now_ns);
}

static void ours_address(struct bench *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *pkt = b->items[i].pkt;

		pkt->pkt_len = PKT_BYTES;
		b->items[i].instance_idx = next_instance(b);
	}
	b->now_ns += BURST * WIRE_BYTES * HG_NS_PER_S / (hg_ns)LINK_BYTES_PER_S;
}

static unsigned ours_enqueue(struct bench *b, unsigned n)
{
	return hg_sched_push(b->s, b->items, n, b->now_ns);
}

static void ours_destroy(struct bench *b)
{
	rte_free(b->memory);
}

/* ---- theirs ------------------------------------------------------------------------------------- */

static void theirs_create(struct bench *b, bool has_minima)
{
	static struct rte_sched_pipe_params pipe;
	static struct rte_sched_subport_profile_params profile;
	struct rte_sched_subport_params subport = {.n_pipes_per_subport_enabled = b->n_instances,
						   .pipe_profiles = &pipe,
						   .n_pipe_profiles = 1,
						   .n_max_pipe_profiles = 1};
	struct rte_sched_port_params port = {.name = "bench",
					     .socket = (int)rte_socket_id(),
					     .rate = RTE_RATE_BYTES_PER_S,
					     .mtu = 1518,
					     .frame_overhead = HG_WIRE_OVERHEAD_BYTES,
					     .n_subports_per_port = 1,
					     .subport_profiles = &profile,
					     .n_subport_profiles = 1,
					     .n_max_subport_profiles = 1,
					     .n_pipes_per_subport = b->n_instances};

	(void)has_minima;
	pipe = (struct rte_sched_pipe_params){.tc_ov_weight = 1,
					      .tb_rate = RTE_RATE_BYTES_PER_S,
					      .tb_size = 1000000,
					      .tc_period = 10};
	profile = (struct rte_sched_subport_profile_params){
		.tb_rate = RTE_RATE_BYTES_PER_S, .tb_size = 1000000, .tc_period = 10};
	pipe.tc_rate[RTE_SCHED_TRAFFIC_CLASS_BE] = RTE_RATE_BYTES_PER_S;
	for (unsigned i = 0; i < RTE_SCHED_TRAFFIC_CLASSES_PER_PIPE; i++)
		profile.tc_rate[i] = RTE_RATE_BYTES_PER_S;
	for (unsigned i = 0; i < RTE_SCHED_BE_QUEUES_PER_PIPE; i++)
		pipe.wrr_weights[i] = 1;
	subport.qsize[RTE_SCHED_TRAFFIC_CLASS_BE] = RTE_QUEUE_PKTS;
	b->port = rte_sched_port_config(&port);
	if (b->port == NULL)
		die("rte_sched_port_config refused");
	if (rte_sched_subport_config(b->port, 0, &subport, 0) != 0)
		die("rte_sched_subport_config refused");
	for (uint32_t i = 0; i < b->n_instances; i++)
		if (rte_sched_pipe_config(b->port, 0, i, 0) != 0)
			die("rte_sched_pipe_config refused");
}

static unsigned theirs_dequeue(struct bench *b)
{
	return (unsigned)rte_sched_port_dequeue(b->port, b->burst, BURST);
}

static void theirs_address(struct bench *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		b->burst[i]->pkt_len = PKT_BYTES;
		rte_sched_port_pkt_write(b->port, b->burst[i], 0, next_instance(b),
					 RTE_SCHED_TRAFFIC_CLASS_BE, 0, RTE_COLOR_GREEN);
	}
}

static unsigned theirs_enqueue(struct bench *b, unsigned n)
{
	return (unsigned)rte_sched_port_enqueue(b->port, b->burst, n);
}

static void theirs_destroy(struct bench *b)
{
	rte_sched_port_free(b->port);
}

/* ---- one run ------------------------------------------------------------------------------------ */

static const struct subject subjects[] = {
	{"rte", false, theirs_create, theirs_dequeue, theirs_address, theirs_enqueue,
	 theirs_destroy},
	{"u", false, ours_create, ours_dequeue, ours_address, ours_enqueue, ours_destroy},
	{"g", true, ours_create, ours_dequeue, ours_address, ours_enqueue, ours_destroy},
};

enum { N_SUBJECTS = sizeof(subjects) / sizeof(subjects[0]), THEIRS = 0, OURS_U = 1, OURS_G = 2 };

/* Turns until n packets have gone through. Returns the ns a packet of the timed calls. */
static double turns(struct bench *b, const struct subject *with, uint64_t n)
{
	const uint64_t stolen_tsc = rte_get_tsc_hz() * STOLEN_NS / 1000000000u;
	uint64_t n_timed = 0, timed_tsc = 0;
	unsigned n_empty = 0;

	for (uint64_t n_left = n; n_left > 0;) {
		uint64_t begin, dequeued, addressed, end;
		unsigned got;

		begin = rte_rdtsc_precise();
		got = with->dequeue(b);
		dequeued = rte_rdtsc_precise();
		with->address(b, got);
		addressed = rte_rdtsc_precise();
		if (with->enqueue(b, got) != got)
			die("a packet was dropped");
		end = rte_rdtsc_precise();
		if (got == 0 && ++n_empty > 1000000)
			die("nothing comes out");
		n_left -= got < n_left ? got : n_left;
		if (dequeued - begin > stolen_tsc || end - addressed > stolen_tsc)
			continue;
		timed_tsc += dequeued - begin + end - addressed;
		n_timed += got;
	}
	return (double)timed_tsc * 1e9 / (double)rte_get_tsc_hz() / (double)n_timed;
}

/* Gives a subject its backlog: the first n_pkts packets, in order. */
static void fill(struct bench *b, const struct subject *with)
{
	for (uint32_t i = 0; i < b->n_pkts; i += BURST) {
		for (unsigned k = 0; k < BURST; k++) {
			b->burst[k] = b->pkts[i + k];
			b->items[k] = (struct hg_sched_item){
				.pkt = b->pkts[i + k], .wire_bytes = WIRE_BYTES, .parts = 1};
		}
		with->address(b, BURST);
		if (with->enqueue(b, BURST) != BURST)
			die("a packet was dropped");
	}
}

/* ns a packet of one subject. */
static double run(struct bench *b, const struct subject *with, uint64_t n)
{
	uint32_t n_left = b->n_pkts;
	double ns;

	b->random = 88172645463325252;
	with->create(b, with->has_minima);
	fill(b, with);
	turns(b, with, n / 4 + 2 * (uint64_t)b->n_pkts);
	ns = turns(b, with, n);
	while (n_left > 0) {
		n_left -= with->dequeue(b);
		b->now_ns += HG_NS_PER_MS;
	}
	with->destroy(b);
	return ns;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static void figure(const char *what, uint32_t n_instances, const char *suffix, double value)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_%" PRIu32 "%s", what, n_instances, suffix);
	hg_figure(name, value);
}

/* A size: all subjects in turn, `pairs` times. Prints ns (median, least, largest) of each, and of the
 * ratios within each round the medians. kind: of the names of the times. */
static void size(struct bench *b, unsigned pairs, uint64_t n, bool has_theirs, const char *kind)
{
	double ns[N_SUBJECTS][MAX_PAIRS], speedup[N_SUBJECTS][MAX_PAIRS];

	for (unsigned r = 0; r < pairs; r++) {
		for (unsigned k = has_theirs ? 0 : 1; k < N_SUBJECTS; k++) {
			ns[k][r] = run(b, &subjects[k], n);
			speedup[k][r] = ns[THEIRS][r] / ns[k][r];
		}
		fprintf(stderr, "sched: %7" PRIu32 " instances, round %u of %u:", b->n_instances,
			r + 1, pairs);
		for (unsigned k = has_theirs ? 0 : 1; k < N_SUBJECTS; k++)
			fprintf(stderr, "  %s %.1f ns", subjects[k].name, ns[k][r]);
		fputc('\n', stderr);
	}
	for (unsigned k = has_theirs ? 0 : 1; k < N_SUBJECTS; k++) {
		char name[32];

		snprintf(name, sizeof(name), "%s_ns%s", subjects[k].name, kind);
		figure(name, b->n_instances, "", median(ns[k], pairs));
		figure(name, b->n_instances, "_least", ns[k][0]);
		figure(name, b->n_instances, "_largest", ns[k][pairs - 1]);
		if (k == THEIRS || !has_theirs)
			continue;
		snprintf(name, sizeof(name), "_%s", subjects[k].name);
		figure("speedup", b->n_instances, name, median(speedup[k], pairs));
		snprintf(name, sizeof(name), "_%s_least", subjects[k].name);
		figure("speedup", b->n_instances, name, speedup[k][0]);
		snprintf(name, sizeof(name), "_%s_largest", subjects[k].name);
		figure("speedup", b->n_instances, name, speedup[k][pairs - 1]);
	}
}

/* The packets of the largest backlog; smaller ones use the first of them. */
static void take_pkts(struct bench *b, uint32_t n)
{
	struct rte_mempool *pool =
		rte_pktmbuf_pool_create("pkts", n + 1024, 0, 0, PKT_BYTES, SOCKET_ID_ANY);

	b->pkts = malloc((n + BURST) * sizeof(*b->pkts));
	if (pool == NULL || b->pkts == NULL || rte_pktmbuf_alloc_bulk(pool, b->pkts, n) != 0)
		die("no memory for the packets");
	for (uint32_t i = 0; i < n; i++)
		b->pkts[i]->pkt_len = b->pkts[i]->data_len = PKT_BYTES;
}

static uint32_t backlog_pkts(uint32_t n_instances, unsigned backlog)
{
	uint32_t n = n_instances * (n_instances == MILLION ? BACKLOG_MILLION : backlog);

	return (n + BURST - 1) / BURST * BURST;
}

static uint32_t most_pkts(const uint32_t *sizes, unsigned n, unsigned long largest,
			  unsigned backlog)
{
	uint32_t most = 0;

	for (unsigned i = 0; i < n; i++)
		if (sizes[i] <= largest && backlog_pkts(sizes[i], backlog) > most)
			most = backlog_pkts(sizes[i], backlog);
	return most;
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = {1, 64, 1024, 4096, 32768, MILLION};
	static struct bench b;
	int n_eal = rte_eal_init(argc, argv);
	unsigned pairs, backlog;
	unsigned long largest;
	uint64_t n;

	if (n_eal < 0 || argc - n_eal != 5)
		die("usage: bench_sched [EAL arguments] -- PAIRS PACKETS LARGEST BACKLOG");
	pairs = (unsigned)strtoul(argv[n_eal + 1], NULL, 10);
	n = strtoull(argv[n_eal + 2], NULL, 10);
	if (pairs < 1 || pairs > MAX_PAIRS || n < 1)
		die("PAIRS is not in [1, 31], or PACKETS is 0");
	backlog = (unsigned)strtoul(argv[n_eal + 4], NULL, 10);
	if (backlog < 1 || backlog > BACKLOG_MOST)
		die("BACKLOG is not in [1, 32]");
	largest = strtoul(argv[n_eal + 3], NULL, 10);
	take_pkts(&b, most_pkts(sizes, sizeof(sizes) / sizeof(sizes[0]), largest, backlog));
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (sizes[i] > largest)
			continue;
		b.n_instances = sizes[i];
		b.n_pkts = backlog_pkts(sizes[i], backlog);
		size(&b, pairs, n, sizes[i] != MILLION, "");
		if (sizes[i] != MILLION)
			continue;
		/* What more instances cost is the difference to few with as little each. */
		b.n_instances = 64;
		b.n_pkts = 64 * BACKLOG_MILLION;
		size(&b, pairs, n, /* has_theirs= */ false, "_shallow");
	}
	rte_eal_cleanup();
	return 0;
}
