/* copier: what every switch between two TAPs has to do, and nothing else. Usage: bench_copier NETNS_A TAP_A NETNS_B TAP_B
 *
 * Why        A switch in user space reads from one TAP and writes to the other, and the kernel copies in both. What such
 *            a loop takes by itself is the floor under all of them, headgate and its rivals alike.
 * Model      One thread on the last processor, one buffer for every frame, whole segments with their virtio-net headers. It
 *            looks at both in turn; when there was nothing for SPIN_NS it sleeps, as headgate does. It knows no addresses,
 *            no contracts and no queue, and counts nothing.
 * Ends       by a signal. Used by: bench/joined.py, which makes the namespaces. Says "ready" when both are there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
/* As headgate's worker. */
#define SPIN_NS 15000
#define NICENESS (-15)
/* Frames from one side before the other is looked at: segments are long, acknowledgements are not. */
#define BURST 4u
/* The largest frame and its header. */
#define BUFFER_BYTES 66000u
/* Header and headers of TCP over IPv4 with timestamps end at a cache line. */
#define BEGINS_AT (2u * 64u - sizeof(struct virtio_net_hdr_mrg_rxbuf) - 66u)

static void fail(const char *what)
{
	fprintf(stderr, "bench_copier: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A TAP made in that namespace, in which the thread stays. */
static int open_tap(const char *netns, const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int n_header = sizeof(struct virtio_net_hdr_mrg_rxbuf), fd, netns_fd;
	char path[256];

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	netns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (netns_fd < 0 || setns(netns_fd, CLONE_NEWNET) < 0)
		fail(path);
	close(netns_fd);
	strncpy(request.ifr_name, name, IFNAMSIZ - 1u);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 ||
	    ioctl(fd, TUNSETVNETHDRSZ, &n_header) < 0 || ioctl(fd, TUNSETOFFLOAD, OFFLOADS) < 0)
		fail(name);
	return fd;
}

static void take_last_processor(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sysconf(_SC_NPROCESSORS_ONLN) - 1u, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Returns whether there was anything. What the other side refuses is lost. */
static int pass(int from_fd, int to_fd)
{
	static _Alignas(64) char buffer[BEGINS_AT + BUFFER_BYTES];
	unsigned n = 0;

	while (n < BURST) {
		ssize_t got = read(from_fd, buffer + BEGINS_AT, BUFFER_BYTES);

		if (got <= 0)
			break;
		if (write(to_fd, buffer + BEGINS_AT, (size_t)got) < 0 && errno == EBADFD)
			fail("the other side is gone");
		n++;
	}
	return n > 0;
}

int main(int argc, char **argv)
{
	struct pollfd sides[2] = {{.events = POLLIN}, {.events = POLLIN}};
	int64_t moved_ns;

	if (argc != 5) {
		fprintf(stderr, "usage: bench_copier NETNS_A TAP_A NETNS_B TAP_B\n");
		return 2;
	}
	for (int i = 0; i < 2; i++)
		sides[i].fd = open_tap(argv[1 + 2 * i], argv[2 + 2 * i]);
	take_last_processor();
	puts("ready");
	fflush(stdout);
	moved_ns = now_ns();
	for (;;) {
		int has_moved = pass(sides[0].fd, sides[1].fd) | pass(sides[1].fd, sides[0].fd);

		if (!has_moved && now_ns() - moved_ns < SPIN_NS)
			continue;
		if (!has_moved)
			(void)poll(sides, 2, -1);
		moved_ns = now_ns();
	}
}
