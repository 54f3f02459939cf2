/* ways: what each way into a container and out of another takes of a processor, for a packet. Usage: bench_ways A B HOST
 *
 * Why        A switch in user space can carry packets between two namespaces through TAPs or veths, with a call for each frame,
 *            with one for many, or with memory shared with the kernel. What is saved in the switch may be spent by who
 *            sends: so all three are looked at.
 * Model      One thread on one processor is the sender, the switch and the receiver, one after the other: it sends some
 *            UDP packets in A, passes them on by the way asked for, in bursts, and receives them in B; nothing waits for
 *            another processor. Long ones are segments that travel whole.
 *              tap           read() and write() at TAPs
 *              tap_uring     io_uring: one call for the writes of a burst and the reads of the next
 *              packet        recv() and send() at packet sockets on the host's ends of veths
 *              packet_many   recvmmsg() and sendmmsg() there
 *              packet_ring   a ring of memory that the kernel fills (TPACKET_V2), and sendmmsg()
 * Requests   "address" once the interfaces of A and B have their addresses; then "WAY BYTES ROUNDS BURST": BYTES of payload, ROUNDS in
 *            [1, 1000], BURST in [1, 32].
 * Figures    sender_ns, switch_ns, receiver_ns: a packet, each of its middle round; total_ns: their sum.
 * Used by    bench/ways.py, which makes the namespaces, and in each way0 (veth; the host's ends are wayA and wayB). way1
 *            are the TAPs that this makes.
 */
#include "bench/figures.h"
#include "bench/told.h"
#include "bench/uring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Newer than Debian 12's headers: UDP segmentation, Linux 6.2. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#define OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6)
#define BURST 32u
/* Fewer than a TAP's queue takes; and how many of those that are segments. */
#define N_SMALL 256u
#define N_LONG 64u
#define LONG_BYTES 1500u
#define PIECE_BYTES 1400
/* The largest frame and its header. */
#define BUFFER_BYTES 66048u
#define QUEUE_BYTES (128 << 20)
/* Of the ring: frames that are longer are received by a call. */
#define SLOT_BYTES 2048u
#define N_SLOTS 1024u
#define BLOCK_BYTES 65536u
#define PORT 9
#define N_ROUNDS_MAX 1000u

enum { TAP, VETH };

struct way {
	const char *name;
	int kind;
	void (*open)(void);
	unsigned (*pass)(void); /* a burst; returns how many there were */
	void (*close)(void);
};

/* How many frames are passed on at a time, in [1, BURST]. */
static unsigned burst = BURST;
static uint8_t (*buffers)[BUFFER_BYTES];
static unsigned lengths[BURST];
static int taps[2];
static const char *host;
static const char *const host_ends[2] = {"wayA", "wayB"};
/* While a way of packet sockets is open. */
static int sockets[2];
static uint8_t *slots;
static unsigned slot_idx;
/* Into A and out of B, by TAP and by veth. */
static int senders[2], receivers[2];

static void die(const char *what)
{
	fprintf(stderr, "bench_ways: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void enter(const char *netns)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die(path);
	close(fd);
}

static void set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
		die("a socket's option");
}

/* ---- TAPs --------------------------------------------------------------------------------------- */

static int open_tap(const char *netns)
{
	struct ifreq request = {.ifr_name = "way1",
				.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int n_header = sizeof(struct virtio_net_hdr_mrg_rxbuf), fd;

	enter(netns);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 ||
	    ioctl(fd, TUNSETVNETHDRSZ, &n_header) < 0 || ioctl(fd, TUNSETOFFLOAD, OFFLOADS) < 0)
		die("a TAP");
	return fd;
}

static void nothing(void)
{
}

static unsigned tap_pass(void)
{
	unsigned n = 0;

	for (; n < burst; n++) {
		ssize_t got = read(taps[0], buffers[n], BUFFER_BYTES);

		if (got <= 0)
			break;
		lengths[n] = (unsigned)got;
	}
	for (unsigned i = 0; i < n; i++) {
		if (write(taps[1], buffers[i], lengths[i]) < 0)
			die("a TAP refuses");
	}
	return n;
}

/* Writes what the call before has read, reads what comes next. */
static unsigned uring_pass(void)
{
	static unsigned n_read;
	int results[2 * BURST];
	unsigned n_written = n_read;

	for (unsigned i = 0; i < n_written; i++)
		hg_uring_write(1, buffers[i], lengths[i]);
	for (unsigned i = 0; i < burst; i++)
		hg_uring_read(0, buffers[i], BUFFER_BYTES);
	hg_uring_do(results);
	n_read = 0;
	for (unsigned i = 0; i < n_written + burst; i++) {
		if (i < n_written && results[i] < 0)
			die("a TAP refuses");
		if (i >= n_written && results[i] > 0)
			lengths[n_read++] = (unsigned)results[i];
	}
	return n_read;
}

/* ---- packet sockets ----------------------------------------------------------------------------- */

static int open_socket(const char *name)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	at.sll_ifindex = all.mr_ifindex = (int)if_nametoindex(name);
	if (fd < 0)
		die("a packet socket");
	set(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
	set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	set(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_BYTES);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0)
		die(name);
	return fd;
}

static void open_sockets(void)
{
	enter(host);
	for (unsigned i = 0; i < 2; i++)
		sockets[i] = open_socket(host_ends[i]);
}

static void open_ring(void)
{
	struct tpacket_req request = {.tp_block_size = BLOCK_BYTES,
				      .tp_block_nr = N_SLOTS * SLOT_BYTES / BLOCK_BYTES,
				      .tp_frame_size = SLOT_BYTES,
				      .tp_frame_nr = N_SLOTS};

	open_sockets();
	set(sockets[0], SOL_PACKET, PACKET_VERSION, TPACKET_V2);
	set(sockets[0], SOL_PACKET, PACKET_COPY_THRESH, 1);
	if (setsockopt(sockets[0], SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) < 0)
		die("a packet socket's ring");
	slots = mmap(NULL, (size_t)N_SLOTS * SLOT_BYTES, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_POPULATE, sockets[0], 0);
	if (slots == MAP_FAILED)
		die("a packet socket's ring");
	slot_idx = 0;
}

static void close_sockets(void)
{
	close(sockets[0]);
	close(sockets[1]);
}

static void close_ring(void)
{
	munmap(slots, (size_t)N_SLOTS * SLOT_BYTES);
	close_sockets();
}

static unsigned packet_pass(void)
{
	unsigned n = 0;

	for (; n < burst; n++) {
		ssize_t got = recv(sockets[0], buffers[n], BUFFER_BYTES, 0);

		if (got <= 0)
			break;
		lengths[n] = (unsigned)got;
	}
	for (unsigned i = 0; i < n; i++) {
		if (send(sockets[1], buffers[i], lengths[i], 0) < 0)
			die("a packet socket refuses");
	}
	return n;
}

/* One for each buffer, with its length. */
static void describe(struct mmsghdr *messages, struct iovec *iov, unsigned n,
		     const unsigned *n_bytes)
{
	memset(messages, 0, n * sizeof(*messages));
	for (unsigned i = 0; i < n; i++) {
		iov[i] = (struct iovec){buffers[i], n_bytes != NULL ? n_bytes[i] : BUFFER_BYTES};
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
}

static void send_many(unsigned n)
{
	struct mmsghdr messages[BURST];
	struct iovec iov[BURST];

	describe(messages, iov, n, lengths);
	if (n > 0 && sendmmsg(sockets[1], messages, n, 0) != (int)n)
		die("a packet socket refuses");
}

static unsigned many_pass(void)
{
	struct mmsghdr messages[BURST];
	struct iovec iov[BURST];
	int n;

	describe(messages, iov, burst, NULL);
	n = recvmmsg(sockets[0], messages, burst, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		lengths[i] = messages[i].msg_len;
	send_many(n > 0 ? (unsigned)n : 0);
	return n > 0 ? (unsigned)n : 0;
}

/* Copies the frame in a slot into a buffer, as who owns his buffers has to. Returns its length, 0: there is none. */
static unsigned take(struct tpacket2_hdr *slot, uint8_t *to)
{
	uint32_t status = __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
	const uint8_t *from = (uint8_t *)slot + slot->tp_mac - sizeof(struct virtio_net_hdr);
	unsigned n_bytes = slot->tp_snaplen + (unsigned)sizeof(struct virtio_net_hdr);

	if (!(status & TP_STATUS_USER))
		return 0;
	if (status & TP_STATUS_COPY) {
		ssize_t got = recv(sockets[0], to, BUFFER_BYTES, 0);

		if (got <= 0)
			die("a long frame is lost");
		n_bytes = (unsigned)got;
	} else {
		memcpy(to, from, n_bytes);
	}
	__atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	return n_bytes;
}

static unsigned ring_pass(void)
{
	unsigned n = 0;

	for (; n < burst; n++) {
		lengths[n] = take((void *)(slots + (size_t)slot_idx * SLOT_BYTES), buffers[n]);
		if (lengths[n] == 0)
			break;
		slot_idx = (slot_idx + 1u) % N_SLOTS;
	}
	send_many(n);
	return n;
}

/* ---- the containers ----------------------------------------------------------------------------- */

static const struct way ways[] = {
	{"tap", TAP, nothing, tap_pass, nothing},
	{"tap_uring", TAP, nothing, uring_pass, nothing},
	{"packet", VETH, open_sockets, packet_pass, close_sockets},
	{"packet_many", VETH, open_sockets, many_pass, close_sockets},
	{"packet_ring", VETH, open_ring, ring_pass, close_ring},
};

/* Sockets of both containers, once they have the addresses 10.78.KIND.1 and 2. */
static void open_ends(const char *a, const char *b)
{
	for (int kind = TAP; kind <= VETH; kind++) {
		struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};

		to.sin_addr.s_addr = htonl(0x0a4e0002u | (uint32_t)kind << 8);
		enter(b);
		receivers[kind] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (bind(receivers[kind], (struct sockaddr *)&to, sizeof(to)) < 0)
			die("the receiver");
		set(receivers[kind], SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_BYTES);
		set(receivers[kind], IPPROTO_UDP, UDP_GRO, 1);
		enter(a);
		senders[kind] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (connect(senders[kind], (struct sockaddr *)&to, sizeof(to)) < 0)
			die("the sender");
		set(senders[kind], SOL_SOCKET, SO_SNDBUFFORCE, QUEUE_BYTES);
		set(senders[kind], IPPROTO_UDP, UDP_SEGMENT, PIECE_BYTES);
	}
}

static void send_some(int fd, unsigned n, unsigned n_bytes)
{
	static const char payload[BUFFER_BYTES];

	for (unsigned i = 0; i < n; i++) {
		if (send(fd, payload, n_bytes, 0) != (ssize_t)n_bytes)
			die("the sender");
	}
}

static unsigned receive_all(int fd)
{
	static char payload[BUFFER_BYTES];
	unsigned n = 0;

	while (recv(fd, payload, sizeof(payload), 0) > 0)
		n++;
	return n;
}

static unsigned pass_all(const struct way *way)
{
	unsigned n, n_all = 0;

	do {
		n = way->pass();
		n_all += n;
	} while (n > 0);
	return n_all;
}

static int compare(const void *a, const void *b)
{
	double one = *(const double *)a, other = *(const double *)b;

	return (one > other) - (one < other);
}

/* Of rounds, the middle one: whoever else had the processor for a while is not in it. */
static double middle(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

/* Writes what each of the three took for a packet. */
static void run_round(const struct way *way, unsigned n, unsigned n_bytes, double *ret_sender_ns,
		      double *ret_switch_ns, double *ret_receiver_ns)
{
	double at_ns[4] = {now_ns()};
	unsigned n_passed, n_received;

	send_some(senders[way->kind], n, n_bytes);
	at_ns[1] = now_ns();
	n_passed = pass_all(way);
	at_ns[2] = now_ns();
	n_received = receive_all(receivers[way->kind]);
	at_ns[3] = now_ns();
	/* (An interface that is new may have something to say itself.) */
	if (n_passed < n || n_received != n) {
		fprintf(stderr, "bench_ways: %s: %u sent, %u passed, %u received\n", way->name, n,
			n_passed, n_received);
		exit(1);
	}
	*ret_sender_ns = (at_ns[1] - at_ns[0]) / n;
	*ret_switch_ns = (at_ns[2] - at_ns[1]) / n;
	*ret_receiver_ns = (at_ns[3] - at_ns[2]) / n;
}

static void measure(const struct way *way, unsigned n_bytes, unsigned n_rounds)
{
	static double sender_ns[N_ROUNDS_MAX], switch_ns[N_ROUNDS_MAX], receiver_ns[N_ROUNDS_MAX];
	unsigned n = n_bytes > LONG_BYTES ? N_LONG : N_SMALL;
	double found_ns[3];

	way->open();
	run_round(way, n, n_bytes, &sender_ns[0], &switch_ns[0], &receiver_ns[0]); /* warms up */
	for (unsigned i = 0; i < n_rounds; i++)
		run_round(way, n, n_bytes, &sender_ns[i], &switch_ns[i], &receiver_ns[i]);
	way->close();
	found_ns[0] = middle(sender_ns, n_rounds);
	found_ns[1] = middle(switch_ns, n_rounds);
	found_ns[2] = middle(receiver_ns, n_rounds);
	hg_figure("sender_ns", found_ns[0]);
	hg_figure("switch_ns", found_ns[1]);
	hg_figure("receiver_ns", found_ns[2]);
	hg_figure("total_ns", found_ns[0] + found_ns[1] + found_ns[2]);
}

int main(int argc, char **argv)
{
	struct hg_told told;
	unsigned n_rounds;

	if (argc != 4) {
		fprintf(stderr, "usage: bench_ways A B HOST\n");
		return 2;
	}
	host = argv[3];
	buffers = mmap(NULL, BURST * sizeof(*buffers), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (buffers == MAP_FAILED)
		die("no memory");
	for (unsigned i = 0; i < 2; i++)
		taps[i] = open_tap(argv[1 + i]);
	hg_uring_open(taps, 2, buffers, BURST * sizeof(*buffers));
	while (hg_told(&told)) {
		n_rounds = hg_told_number(&told, 2);
		n_rounds = n_rounds < N_ROUNDS_MAX ? n_rounds : N_ROUNDS_MAX;
		if (hg_told_number(&told, 3) >= 1 && hg_told_number(&told, 3) <= BURST)
			burst = hg_told_number(&told, 3);
		if (strcmp(told.words[0], "address") == 0)
			open_ends(argv[1], argv[2]);
		for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			if (strcmp(told.words[0], ways[i].name) == 0 && n_rounds > 0)
				measure(&ways[i], hg_told_number(&told, 1), n_rounds);
		}
	}
	return 0;
}
