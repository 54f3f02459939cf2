/* vhost: the machines' side of the benchmark. Usage: bench_vhost SOCKET_A SOCKET_B, requests by bench/told.h:
 *            up (first: waits for the switch, and until frames arrive), and small|mixed WARM_MS MS
 *
 * Model      Two virtio-user devices that listen on the sockets, as a machine's emulator would, in one process: A sends
 *            frames to B's address as fast as its ring takes them, B counts what arrives. Now and then B says
 *            something to A, so that a switch that learns knows where it is. Sizes (without the check sequence):
 *            small: 60 bytes; mixed: 60, 590 and 1514 bytes as 7 to 4 to 1, the simple IMIX.
 *            It goes on for WARM_MS, and measures for MS.
 * Figures    pkts_per_s and bytes_per_s that arrived; waiting_percent: the part of the time in which A's ring was full
 *            and B's empty, so that there was nothing to do but to wait for the switch. Near 0 this program is
 *            what was measured. line_before_ns, line_after_ns: until the switch's processor sees what this one
 *            stored, before and after: a host that moves virtual processors about changes that by five times, and
 *            what goes through rings between them with it. A frame at B that is not for it ends the program: then
 *            the switch does something else than what is to be measured.
 */
#include "bench/figures.h"
#include "bench/told.h"
#include "tests/frames.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define BURST 32u
#define N_BUFFERS 8192u
#define QUEUE_DESCRIPTORS 1024u
#define HEADERS_BYTES 42u
#define SIZES_MAX 12u
#define SAY_EVERY_NS 10000000
/* Rounds between two looks at the clock. */
#define CLOCK_ROUNDS 64u
/* There and back; of the batches the best counts, in which nobody was interrupted. */
#define LINE_TURNS 300u
#define LINE_BATCHES 5u
/* Above what is tied to that processor, which polls. */
#define LINE_PRIORITY 2

struct mix {
	const char *name;
	uint16_t sizes[SIZES_MAX];
	unsigned n;
};

static const struct mix mixes[] = {
	{"small", {60}, 1},
	{"mixed", {60, 590, 60, 590, 60, 1514, 60, 590, 60, 590, 60, 60}, 12},
};

static struct frame templates[SIZES_MAX], answer;
static struct rte_mempool *pool;
static uint64_t n_got, n_got_bytes, busy_cycles, waiting_cycles;

static void die(const char *what)
{
	fprintf(stderr, "vhost: %s\n", what);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- frames ------------------------------------------------------------------------------------- */

static void write_frame(struct frame *frame, uint8_t from, uint8_t to, uint16_t n_bytes)
{
	uint8_t source[6], destination[6];

	frame_mac(source, from);
	frame_mac(destination, to);
	frame_eth(frame, destination, source);
	frame_ip4(frame, HG_IP_UDP, 0);
	frame_udp(frame);
	frame_payload(frame, n_bytes - HEADERS_BYTES, 1);
	frame_finish(frame);
}

static void fill(struct rte_mbuf *mbuf, const struct frame *frame)
{
	/* What lies behind the headers is what the buffer held before: no switch looks at it. */
	memcpy(rte_pktmbuf_mtod(mbuf, void *), frame->bytes, HEADERS_BYTES);
	mbuf->data_len = (uint16_t)frame->n;
	mbuf->pkt_len = (uint32_t)frame->n;
}

/* ---- ports -------------------------------------------------------------------------------------- */

static void start_port(uint16_t port)
{
	struct rte_eth_conf conf = {0};

	if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(port, 0, QUEUE_DESCRIPTORS, rte_socket_id(), NULL, pool) != 0 ||
	    rte_eth_tx_queue_setup(port, 0, QUEUE_DESCRIPTORS, rte_socket_id(), NULL) != 0 ||
	    rte_eth_dev_start(port) != 0)
		die("a virtio-user device does not start");
}

/* Returns whether any was taken. */
static bool send_burst(const struct mix *mix, unsigned *at)
{
	static struct rte_mbuf *waiting[BURST];
	static unsigned n_waiting;
	unsigned n_sent;

	if (n_waiting == 0) {
		if (rte_pktmbuf_alloc_bulk(pool, waiting, BURST) != 0)
			die("out of buffers");
		for (n_waiting = 0; n_waiting < BURST; n_waiting++) {
			fill(waiting[n_waiting], &templates[*at]);
			*at = *at + 1 < mix->n ? *at + 1 : 0;
		}
	}
	n_sent = rte_eth_tx_burst(0, 0, waiting, (uint16_t)n_waiting);
	n_waiting -= n_sent;
	memmove(waiting, waiting + n_sent, n_waiting * sizeof(waiting[0]));
	return n_sent > 0;
}

/* One of a burst: a look at a frame costs a trip to the processor that wrote it. */
static void check(const struct rte_mbuf *mbuf)
{
	if (memcmp(rte_pktmbuf_mtod(mbuf, const uint8_t *), templates[0].bytes, 6) != 0)
		die("a frame arrives that is for somebody else");
}

static unsigned receive(uint16_t port)
{
	struct rte_mbuf *mbufs[BURST];
	unsigned n = rte_eth_rx_burst(port, 0, mbufs, BURST);

	if (port == 1 && n > 0) {
		check(mbufs[0]);
		for (unsigned i = 0; i < n; i++)
			n_got_bytes += mbufs[i]->pkt_len;
		n_got += n;
	}
	rte_pktmbuf_free_bulk(mbufs, n);
	return n;
}

static bool receive_all(void)
{
	unsigned n = receive(1), n_last = n;

	while (n_last == BURST)
		n_last = receive(1);
	return n > 0;
}

static void say(void)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

	if (mbuf == NULL)
		return;
	fill(mbuf, &answer);
	if (rte_eth_tx_burst(1, 0, &mbuf, 1) == 0)
		rte_pktmbuf_free(mbuf);
}

/* Sends and receives for some rounds, and notes in which there was nothing to do. */
static void work(const struct mix *mix, unsigned *at)
{
	uint64_t began = rte_rdtsc();

	for (unsigned i = 0; i < CLOCK_ROUNDS; i++) {
		bool has_sent = send_burst(mix, at), has_got = receive_all();
		uint64_t now = rte_rdtsc();

		if (has_sent || has_got)
			busy_cycles += now - began;
		else
			waiting_cycles += now - began;
		began = now;
	}
}

static void run_until(const struct mix *mix, int64_t until_ns)
{
	static int64_t say_at_ns;
	unsigned at = 0;

	for (;;) {
		int64_t at_ns = now_ns();

		if (at_ns >= until_ns)
			return;
		if (at_ns >= say_at_ns) {
			say_at_ns = at_ns + SAY_EVERY_NS;
			say();
		}
		(void)receive(0);
		work(mix, &at);
	}
}

/* ---- the other processor ------------------------------------------------------------------------ */

static _Alignas(64) _Atomic unsigned ball;

/* Answers each odd number with the next. */
static void *answer_line(void *unused)
{
	for (unsigned i = 1; i < 2 * LINE_TURNS * LINE_BATCHES; i += 2) {
		while (atomic_load_explicit(&ball, memory_order_acquire) != i)
			;
		atomic_store_explicit(&ball, i + 1, memory_order_release);
	}
	return unused;
}

static pthread_t start_answers(void)
{
	const struct sched_param param = {.sched_priority = LINE_PRIORITY};
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
	if (pthread_attr_init(&attr) != 0 ||
	    pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus) != 0 ||
	    pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED) != 0 ||
	    pthread_attr_setschedpolicy(&attr, SCHED_FIFO) != 0 ||
	    pthread_attr_setschedparam(&attr, &param) != 0 ||
	    pthread_create(&thread, &attr, answer_line, NULL) != 0)
		die("no thread on the last processor");
	pthread_attr_destroy(&attr);
	return thread;
}

static double line_ns(void)
{
	double best_ns = 1e9;
	pthread_t thread;
	unsigned at = 1;

	atomic_store(&ball, 0);
	thread = start_answers();
	for (unsigned batch = 0; batch < LINE_BATCHES; batch++) {
		int64_t began_ns = now_ns();
		double took_ns;

		for (unsigned i = 0; i < LINE_TURNS; i++, at += 2) {
			atomic_store_explicit(&ball, at, memory_order_release);
			while (atomic_load_explicit(&ball, memory_order_acquire) != at + 1)
				;
		}
		took_ns = (double)(now_ns() - began_ns) / (2 * LINE_TURNS);
		best_ns = took_ns < best_ns ? took_ns : best_ns;
	}
	pthread_join(thread, NULL);
	return best_ns;
}

/* ---- requests ----------------------------------------------------------------------------------- */

/* Until frames arrive: the switch has found both. */
static void wait_for_switch(const struct mix *mix)
{
	int64_t until_ns = now_ns() + INT64_C(20000000000);

	while (n_got == 0) {
		if (now_ns() > until_ns)
			die("nothing arrives within 20 s");
		run_until(mix, now_ns() + 10000000);
	}
}

static const struct mix *find_mix(const char *name)
{
	for (unsigned i = 0; i < sizeof(mixes) / sizeof(mixes[0]); i++)
		if (strcmp(mixes[i].name, name) == 0)
			return &mixes[i];
	die("a mix is small or mixed");
	return NULL;
}

static void measure(const struct mix *mix, unsigned warm_ms, unsigned for_ms)
{
	int64_t began_ns, took_ns;
	double before_ns = line_ns();

	run_until(mix, now_ns() + warm_ms * INT64_C(1000000));
	n_got = n_got_bytes = busy_cycles = waiting_cycles = 0;
	began_ns = now_ns();
	run_until(mix, began_ns + for_ms * INT64_C(1000000));
	took_ns = now_ns() - began_ns;
	hg_figure("pkts_per_s", (double)n_got * 1e9 / (double)took_ns);
	hg_figure("bytes_per_s", (double)n_got_bytes * 1e9 / (double)took_ns);
	hg_figure("waiting_percent",
		  100.0 * (double)waiting_cycles / (double)(busy_cycles + waiting_cycles));
	hg_figure("line_before_ns", before_ns);
	hg_figure("line_after_ns", line_ns());
}

static void start_eal(const char *socket_a, const char *socket_b)
{
	char device_a[256], device_b[256], prefix[64];
	char *args[] = {"bench_vhost",
			"-l",
			"0",
			"--in-memory",
			"--no-pci",
			"--no-telemetry",
			"--single-file-segments",
			"-m",
			"256",
			"--log-level=*:error",
			prefix,
			device_a,
			device_b,
			NULL};

	snprintf(prefix, sizeof(prefix), "--file-prefix=bench_vhost%d", (int)getpid());
	snprintf(device_a, sizeof(device_a),
		 "--vdev=net_virtio_user0,path=%s,server=1,queue_size=%u,mac=02:00:00:00:00:01",
		 socket_a, QUEUE_DESCRIPTORS);
	snprintf(device_b, sizeof(device_b),
		 "--vdev=net_virtio_user1,path=%s,server=1,queue_size=%u,mac=02:00:00:00:00:02",
		 socket_b, QUEUE_DESCRIPTORS);
	if (rte_eal_init(sizeof(args) / sizeof(args[0]) - 1, args) < 0)
		die("DPDK does not start");
}

static void choose(const struct mix *mix)
{
	for (unsigned i = 0; i < mix->n; i++)
		write_frame(&templates[i], 1, 2, mix->sizes[i]);
}

/* Not before the switch is there: a device that listens is not ready until somebody connects. */
static void start(const char *socket_a, const char *socket_b)
{
	start_eal(socket_a, socket_b);
	pool = rte_pktmbuf_pool_create("frames", N_BUFFERS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	if (pool == NULL)
		die("no memory for buffers");
	write_frame(&answer, 2, 1, 60);
	start_port(0);
	start_port(1);
	choose(&mixes[0]);
	wait_for_switch(&mixes[0]);
}

int main(int argc, char **argv)
{
	struct hg_told told = {0};
	const struct mix *mix;

	if (argc != 3)
		die("usage: bench_vhost SOCKET_A SOCKET_B");
	while (hg_told(&told)) {
		if (strcmp(told.words[0], "up") == 0) {
			start(argv[1], argv[2]);
			continue;
		}
		mix = find_mix(told.words[0]);
		choose(mix);
		measure(mix, hg_told_number(&told, 1), hg_told_number(&told, 2));
	}
	rte_eal_cleanup();
	return 0;
}
