/* sched: what a packet costs to go through the scheduler, against DPDK's rte_sched.
 * Usage: bench_sched [EAL arguments]
 *
 * Model      A standing backlog of so many packets for each instance. A turn dequeues a burst of 32,
 *            addresses each packet to a random instance, and enqueues it again. Timed are the two calls, with the
 *            same sequence of instances and the same backlog, of mbufs that are made alike; not what the
 *            caller does between them, which is to write each packet's header: the destination, as
 *            rte_sched wants it there, and for both the length. What the reads of the clock take that the calls
 *            stand between, common to both, is taken off ("clock_ns" a packet). With what the caller does,
 *            it is "turn_ns": rte_sched brings a packet's first line along, ours leaves it to who needs it.
 *            A turn in which the processor was taken away (STOLEN_NS) is left out.
 * Requests   (bench/told.h) "make SUBJECT INSTANCES BACKLOG" makes a scheduler, fills it and lets each packet through
 *            twice; SUBJECT: rte, u (ours with rates unset), g (with every instance's minimum active), t (and every
 *            tenant's). "time I MS" times the Ith of them, from 0 on, after a quarter of that for its caches. "forget"
 *            drains and ends all of them.
 * Ours       A virtual clock that moves by what a burst takes of a link of 10 Gbit/s. The root is paced a
 *            little above, so that nothing waits for it. 16 instances a tenant. Scenario G: every
 *            instance has a minimum, together 90 % of the link, and no reserve to live on. Scenario T: every
 *            tenant has one beside, together 95 %, so that both are spent.
 * rte_sched  As its guide advises: queues no larger than needed, traffic classes that are not used are
 *            switched off (size 0), one pipe for each instance, rates and buckets so large that
 *            nothing is shaped, bursts of 32. It reads the processor's clock itself.
 * Memory     Of both from the same huge pages, where there are any.
 */
#include "bench/figures.h"
#include "bench/told.h"
#include "core/sched.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_sched.h>

#include <stdlib.h>
#include <string.h>

enum { BURST = 32, INSTANCES_PER_TENANT = 16, PKT_BYTES = 64 };
enum { MILLION = 1 << 20, BACKLOG_MAX = 32, MS_MAX = 10000, MOST = 8 };

#define LINK_BYTES_PER_S UINT64_C(1250000000)
#define WIRE_BYTES (PKT_BYTES + HG_WIRE_OVERHEAD_BYTES)
/* Far above what one processor can move, so that rte_sched never waits. */
#define RTE_RATE_BYTES_PER_S UINT64_C(12500000000)
#define RTE_QUEUE_PKTS 128u
/* No call takes so long by itself: 32 packets at 600 ns. */
#define STOLEN_NS 20000u
#define CLOCK_READS 1000u

/* Of ours: whose minima are active. */
enum minima { NOBODYS, INSTANCES, TENANTS_TOO };

struct subject;

struct bench {
	const struct subject *with;
	uint32_t n_instances;
	uint32_t n_pkts; /* of the standing backlog */
	struct rte_mempool *pool;
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
	enum minima minima;
	void (*create)(struct bench *b, enum minima minima);
	unsigned (*dequeue)(struct bench *b); /* up to a burst, into b->burst or b->items */
	void (*address)(struct bench *b, unsigned n); /* to random instances */
	unsigned (*enqueue)(struct bench *b, unsigned n);
	void (*destroy)(struct bench *b);
};

_Noreturn static void die(const char *why)
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

static void ours_create(struct bench *b, enum minima minima)
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
	if (minima == TENANTS_TOO)
		policy.min_bytes_per_s = LINK_BYTES_PER_S / 100 * 95 / n_tenants;
	for (uint32_t t = 0; t < n_tenants; t++)
		if (hg_sched_set_tenant(b->s, t, &policy, b->now_ns, NULL) < 0)
			die("hg_sched_set_tenant refused");
	if (minima != NOBODYS)
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

static void theirs_create(struct bench *b, enum minima minima)
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

	(void)minima;
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
	{"rte", NOBODYS, theirs_create, theirs_dequeue, theirs_address, theirs_enqueue,
	 theirs_destroy},
	{"u", NOBODYS, ours_create, ours_dequeue, ours_address, ours_enqueue, ours_destroy},
	{"g", INSTANCES, ours_create, ours_dequeue, ours_address, ours_enqueue, ours_destroy},
	{"t", TENANTS_TOO, ours_create, ours_dequeue, ours_address, ours_enqueue, ours_destroy},
};

/* The least that one read of the clock takes, behind another. */
static uint64_t clock_tsc(void)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < CLOCK_READS; i++) {
		uint64_t begin = rte_rdtsc_precise(), took = rte_rdtsc_precise() - begin;

		least = took < least ? took : least;
	}
	return least;
}

/* What a packet took. */
struct took {
	double ns; /* in the timed calls, without what the clock took */
	double turn_ns; /* in all of a turn, likewise */
	double clock_ns;
};

/* Turns until n packets have gone through and their calls took for_ns. */
static struct took turns(struct bench *b, uint64_t n, hg_ns for_ns)
{
	const struct subject *with = b->with;
	const uint64_t hz = rte_get_tsc_hz(), read_tsc = clock_tsc();
	const uint64_t stolen_tsc = hz * STOLEN_NS / HG_NS_PER_S;
	const uint64_t enough_tsc = hz / 1000000u * (uint64_t)(for_ns / HG_NS_PER_US);
	uint64_t n_timed = 0, n_turns = 0, calls_tsc = 0, turns_tsc = 0, n_done = 0;
	unsigned n_empty = 0;
	double ns;

	while (n_done < n || calls_tsc < enough_tsc) {
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
		n_done += got;
		if (dequeued - begin > stolen_tsc || addressed - dequeued > stolen_tsc ||
		    end - addressed > stolen_tsc)
			continue;
		calls_tsc += dequeued - begin + end - addressed;
		turns_tsc += end - begin;
		n_timed += got;
		n_turns++;
	}
	ns = 1e9 / (double)hz / (double)n_timed;
	return (struct took){.ns = (double)(calls_tsc - 2 * n_turns * read_tsc) * ns,
			     .turn_ns = (double)(turns_tsc - 3 * n_turns * read_tsc) * ns,
			     .clock_ns = (double)(2 * n_turns * read_tsc) * ns};
}

/* Gives a subject its backlog, in order. */
static void fill(struct bench *b)
{
	for (uint32_t i = 0; i < b->n_pkts; i += BURST) {
		for (unsigned k = 0; k < BURST; k++) {
			b->burst[k] = b->pkts[i + k];
			b->items[k] = (struct hg_sched_item){
				.pkt = b->pkts[i + k], .wire_bytes = WIRE_BYTES, .parts = 1};
		}
		b->with->address(b, BURST);
		if (b->with->enqueue(b, BURST) != BURST)
			die("a packet was dropped");
	}
}

/* ---- requests ----------------------------------------------------------------------------------- */

static struct bench benches[MOST];
static unsigned n_benches;

static void take_pkts(struct bench *b)
{
	char name[16];

	snprintf(name, sizeof(name), "pkts%u", n_benches);
	b->pool = rte_pktmbuf_pool_create(name, b->n_pkts, 0, 0, PKT_BYTES, SOCKET_ID_ANY);
	b->pkts = malloc(b->n_pkts * sizeof(*b->pkts));
	if (b->pool == NULL || b->pkts == NULL ||
	    rte_pktmbuf_alloc_bulk(b->pool, b->pkts, b->n_pkts) != 0)
		die("no memory for the packets");
	for (uint32_t i = 0; i < b->n_pkts; i++)
		b->pkts[i]->pkt_len = b->pkts[i]->data_len = PKT_BYTES;
}

static const struct subject *subject_of(const char *name)
{
	for (unsigned i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		if (strcmp(subjects[i].name, name) == 0)
			return &subjects[i];
	die("SUBJECT is not rte, u, g or t");
}

static void make(const struct hg_told *told)
{
	struct bench *b = &benches[n_benches];
	uint32_t n_instances = hg_told_number(told, 2), backlog = hg_told_number(told, 3);

	if (n_benches == MOST || n_instances < 1 || n_instances > MILLION || backlog < 1 ||
	    backlog > BACKLOG_MAX)
		die("cannot make it: 8 at most, INSTANCES in [1, 1048576], BACKLOG in [1, 32]");
	*b = (struct bench){.with = subject_of(told->words[1]),
			    .n_instances = n_instances,
			    .n_pkts = (n_instances * backlog + BURST - 1) / BURST * BURST,
			    .random = 88172645463325252};
	take_pkts(b);
	n_benches++;
	b->with->create(b, b->with->minima);
	fill(b);
	turns(b, 2 * (uint64_t)b->n_pkts, 0);
}

static void forget(void)
{
	while (n_benches > 0) {
		struct bench *b = &benches[--n_benches];

		for (uint32_t n_left = b->n_pkts; n_left > 0;) {
			n_left -= b->with->dequeue(b);
			b->now_ns += HG_NS_PER_MS;
		}
		b->with->destroy(b);
		rte_mempool_free(b->pool);
		free(b->pkts);
	}
}

static void tell(struct took took)
{
	hg_figure("ns", took.ns);
	hg_figure("turn_ns", took.turn_ns);
	hg_figure("clock_ns", took.clock_ns);
}

static void obey(const struct hg_told *told)
{
	unsigned i = hg_told_number(told, 1), ms = hg_told_number(told, 2);

	if (strcmp(told->words[0], "make") == 0) {
		make(told);
	} else if (strcmp(told->words[0], "time") == 0 && i < n_benches && ms >= 1 &&
		   ms <= MS_MAX) {
		turns(&benches[i], 1, ms * HG_NS_PER_MS / 4);
		tell(turns(&benches[i], 1, ms * HG_NS_PER_MS));
	} else if (strcmp(told->words[0], "forget") == 0) {
		forget();
	} else {
		die("not understood: make SUBJECT INSTANCES BACKLOG, time I MS, or forget");
	}
}

int main(int argc, char **argv)
{
	struct hg_told told;
	int n_eal = rte_eal_init(argc, argv);

	if (n_eal < 0 || argc - n_eal != 1)
		die("usage: bench_sched [EAL arguments]");
	while (hg_told(&told))
		obey(&told);
	forget();
	rte_eal_cleanup();
	return 0;
}
