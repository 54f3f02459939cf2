/* limits: what this machine takes for what no switch can do without. Usage: bench_limits ROUNDS
 *
 * Model      One processor, the last, and in one case the first beside it; all kinds in turn, ROUNDS times, so that
 *            the machine's moods meet each of them.
 * Figures    KIND_ROUND for ROUND from 0 on:
 *            copy       bytes a second that memcpy() moves between two areas that no cache holds
 *            miss       ns of a load whose address is known only from the one before it, in 256 MiB
 *            line       ns from a store on one processor until another one has seen it; needs two of them
 *            syscall    ns of a system call that does nothing
 *            tap_write  ns of write(), one frame of 60 bytes to a TAP, which the kernel then finds no use for
 *            tap_read   ns of read(), one frame of 60 bytes that waits in a TAP
 *            The TAP is in a network namespace of this program's own and needs root; without, both are left out.
 */
#include "bench/figures.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define AREA_BYTES (UINT64_C(256) << 20)
#define COPY_BYTES (UINT64_C(64) << 20)
#define LINE_BYTES 64u
#define N_LINES (AREA_BYTES / LINE_BYTES)
#define N_MISSES 200000u
#define N_CALLS 50000u
#define N_TURNS 10000u
/* Fewer than a TAP's queue takes. */
#define N_FRAMES 256u
#define N_BATCHES 8u
#define FRAME_BYTES 60u
/* For experiments: nobody listens to it. */
#define ETHER_TYPE 0x88b5
#define ROUNDS_MAX 1000

struct tap {
	int fd;
	/* Raw, to put frames into its queue. */
	int sender;
};

/* The lines, and behind them what is copied and where to. */
static char *area;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void tie(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		die("limits: cannot be tied to its processor");
}

static void print(const char *name, int round, double value)
{
	char full[32];

	snprintf(full, sizeof(full), "%s_%d", name, round);
	hg_figure(full, value);
}

/* ---- memory ------------------------------------------------------------------------------------- */

static uint64_t *line_at(uint64_t line)
{
	return (uint64_t *)(void *)(area + line * LINE_BYTES);
}

/* One cycle through all lines, at random (Sattolo 1986): each holds the number of the next. */
static void chain(void)
{
	uint64_t state = 88172645463325252u;

	for (uint64_t i = 0; i < N_LINES; i++)
		*line_at(i) = i;
	for (uint64_t i = N_LINES - 1; i > 0; i--) {
		uint64_t other, swapped;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		other = state % i;
		swapped = *line_at(i);
		*line_at(i) = *line_at(other);
		*line_at(other) = swapped;
	}
}

static double miss_ns(void)
{
	static uint64_t at;
	double began_ns = now_ns();

	for (unsigned i = 0; i < N_MISSES; i++)
		at = *line_at(at);
	__asm__ volatile("" : : "r"(at));
	return (now_ns() - began_ns) / N_MISSES;
}

static double copy_bytes_per_s(void)
{
	char *to = area + AREA_BYTES, *from = to + COPY_BYTES;
	double began_ns = now_ns();

	memcpy(to, from, COPY_BYTES);
	__asm__ volatile("" : : "r"(to) : "memory");
	return (double)COPY_BYTES / (now_ns() - began_ns) * 1e9;
}

/* ---- another processor -------------------------------------------------------------------------- */

static _Alignas(64) _Atomic unsigned ball;

/* Answers each odd number with the next, on the first processor. */
static void *answer(void *unused)
{
	tie(0);
	for (unsigned i = 1; i < 2 * N_TURNS; i += 2) {
		while (atomic_load_explicit(&ball, memory_order_acquire) != i)
			;
		atomic_store_explicit(&ball, i + 1, memory_order_release);
	}
	return unused;
}

static double line_ns(void)
{
	double began_ns;
	pthread_t thread;

	atomic_store(&ball, 0);
	if (pthread_create(&thread, NULL, answer, NULL) != 0)
		die("limits: no second thread");
	atomic_store(&ball, 1);
	while (atomic_load_explicit(&ball, memory_order_acquire) != 2)
		;
	began_ns = now_ns();
	for (unsigned i = 3; i < 2 * N_TURNS; i += 2) {
		atomic_store_explicit(&ball, i, memory_order_release);
		while (atomic_load_explicit(&ball, memory_order_acquire) != i + 1)
			;
	}
	began_ns = now_ns() - began_ns;
	pthread_join(thread, NULL);
	return began_ns / (2 * (N_TURNS - 1));
}

/* ---- the kernel --------------------------------------------------------------------------------- */

static double syscall_ns(void)
{
	double began_ns = now_ns();

	for (unsigned i = 0; i < N_CALLS; i++)
		(void)syscall(SYS_getppid);
	return (now_ns() - began_ns) / N_CALLS;
}

/* Up, with nobody behind it. False: not root. */
static bool tap_open(struct tap *tap)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	struct sockaddr_ll at = {.sll_family = AF_PACKET};

	if (unshare(CLONE_NEWNET) != 0)
		return false;
	tap->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	tap->sender = socket(AF_PACKET, SOCK_RAW, 0);
	if (tap->fd < 0 || tap->sender < 0 || ioctl(tap->fd, TUNSETIFF, &ifr) != 0)
		die("limits: no TAP");
	ifr.ifr_flags = IFF_UP;
	if (ioctl(tap->sender, SIOCSIFFLAGS, &ifr) != 0 ||
	    ioctl(tap->sender, SIOCGIFINDEX, &ifr) != 0)
		die("limits: the TAP does not come up");
	at.sll_ifindex = ifr.ifr_ifindex;
	if (bind(tap->sender, (struct sockaddr *)&at, sizeof(at)) != 0)
		die("limits: no way into the TAP");
	return true;
}

static double tap_write_ns(const struct tap *tap, const uint8_t *frame)
{
	double began_ns = now_ns();

	for (unsigned i = 0; i < N_BATCHES * N_FRAMES; i++) {
		if (write(tap->fd, frame, FRAME_BYTES) != (ssize_t)FRAME_BYTES)
			die("limits: the TAP does not take a frame");
	}
	return (now_ns() - began_ns) / (N_BATCHES * N_FRAMES);
}

static double tap_read_ns(const struct tap *tap, const uint8_t *frame)
{
	uint8_t found[2048];
	double took_ns = 0;

	while (read(tap->fd, found, sizeof(found)) >
	       0) /* what the kernel says when a device comes up */
		;
	for (unsigned batch = 0; batch < N_BATCHES; batch++) {
		double began_ns;

		for (unsigned i = 0; i < N_FRAMES; i++) {
			if (send(tap->sender, frame, FRAME_BYTES, 0) != (ssize_t)FRAME_BYTES)
				die("limits: the TAP's queue does not take a frame");
		}
		began_ns = now_ns();
		for (unsigned i = 0; i < N_FRAMES; i++) {
			if (read(tap->fd, found, sizeof(found)) < 0)
				die("limits: a frame is lost");
		}
		took_ns += now_ns() - began_ns;
	}
	return took_ns / (N_BATCHES * N_FRAMES);
}

int main(int argc, char **argv)
{
	uint8_t frame[FRAME_BYTES] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ETHER_TYPE >> 8, ETHER_TYPE & 0xff};
	int n_rounds = argc == 2 ? atoi(argv[1]) : 0;
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct tap tap;
	bool has_tap;

	if (n_rounds < 1 || n_rounds > ROUNDS_MAX) {
		fprintf(stderr, "use: bench_limits ROUNDS (in [1, %d])\n", ROUNDS_MAX);
		return 2;
	}
	area = mmap(NULL, AREA_BYTES + 2 * COPY_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		die("limits: no memory");
	(void)madvise(area, AREA_BYTES + 2 * COPY_BYTES,
		      MADV_HUGEPAGE); /* a packet's buffers are in huge pages */
	memset(area + AREA_BYTES, 1, 2 * COPY_BYTES);
	chain();
	has_tap = tap_open(&tap);
	tie(n_cpus - 1);
	for (int round = 0; round < n_rounds; round++) {
		print("copy", round, copy_bytes_per_s());
		print("miss", round, miss_ns());
		print("syscall", round, syscall_ns());
		if (n_cpus > 1)
			print("line", round, line_ns());
		if (has_tap) {
			print("tap_write", round, tap_write_ns(&tap, frame));
			print("tap_read", round, tap_read_ns(&tap, frame));
		}
	}
	return 0;
}
