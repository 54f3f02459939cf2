#include "tests/component/drivers/world.h"

#include "drivers/dummy.h"
#ifdef HG_WITH_VHOST
#include "tests/component/drivers/world_vhost.h"
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NS (2 * HG_NS_PER_S)

const uint8_t world_far_mac[HG_MAC_BYTES] = {2, 0, 0, 0, 0, 0x0f};
const uint8_t world_near_mac[HG_MAC_BYTES] = {2, 0, 0, 0, 0, 0x0a};

static int home_fd = -1;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

hg_ns world_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (hg_ns)now.tv_sec * HG_NS_PER_S + now.tv_nsec;
}

/* ---- namespaces --------------------------------------------------------------------------------- */

const char *world_enter(void)
{
	if (home_fd >= 0)
		return NULL;
	if (unshare(CLONE_NEWNET) < 0)
		return "network namespaces need root";
	home_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home_fd < 0)
		die("open of the namespace");
	return world_run_in(home_fd, "ip link set lo up") ? NULL : "the command ip is missing";
}

int world_home_fd(void)
{
	return home_fd;
}

static void enter(int fd)
{
	if (setns(fd, CLONE_NEWNET) < 0)
		die("setns");
}

int world_make_netns(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		die("unshare");
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("open of the namespace");
	enter(home_fd);
	return fd;
}

bool world_run_in(int netns_fd, const char *command)
{
	int r;

	enter(netns_fd);
	r = system(command);
	enter(home_fd);
	return r == 0;
}

int world_open_socket(int netns_fd, const char *interface)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd, yes = 1, room = 4 << 20;

	enter(netns_fd);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	at.sll_ifindex = (int)if_nametoindex(interface);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		die("packet socket of the far side");
	enter(home_fd);
	return fd;
}

/* ---- frames ------------------------------------------------------------------------------------- */

void world_frame(uint8_t *frame, unsigned n_bytes, uint32_t seed)
{
	memcpy(frame, world_near_mac, HG_MAC_BYTES);
	memcpy(frame + 6, world_far_mac, HG_MAC_BYTES);
	frame[12] = WORLD_ETHERTYPE >> 8;
	frame[13] = WORLD_ETHERTYPE & 0xff;
	for (unsigned i = 14; i < n_bytes; i++) {
		seed = seed * 1664525u + 1013904223u;
		frame[i] = (uint8_t)(seed >> 24);
	}
}

static bool is_ours(const uint8_t *frame, unsigned n_bytes)
{
	return n_bytes >= 14 && frame[12] == WORLD_ETHERTYPE >> 8 &&
	       frame[13] == (WORLD_ETHERTYPE & 0xff);
}

struct hg_pkt *world_chain(struct world *world, const uint8_t *frame, unsigned n_bytes,
			   unsigned step)
{
	unsigned done = n_bytes < HG_PKT_HEADERS_BYTES ? n_bytes : HG_PKT_HEADERS_BYTES;
	struct hg_pkt *first = heap_pool_frame(&world->heap, (uint16_t)done, 0), *last = first;

	memcpy(first->data, frame, done);
	first->total_bytes = n_bytes;
	while (done < n_bytes) {
		unsigned n = n_bytes - done < step ? n_bytes - done : step;

		last->next = heap_pool_frame(&world->heap, (uint16_t)n, 0);
		last = last->next;
		memcpy(last->data, frame + done, n);
		done += n;
	}
	return first;
}

unsigned world_flatten(const struct hg_pkt *pkt, uint8_t *to, unsigned size)
{
	unsigned n = 0;

	for (; pkt != NULL && n + pkt->n_bytes <= size; pkt = pkt->next) {
		memcpy(to + n, pkt->data, pkt->n_bytes);
		n += pkt->n_bytes;
	}
	return n;
}

/* ---- a device in the world ---------------------------------------------------------------------- */

int world_open(struct world *world, struct hg_dev **ret_dev, struct hg_error *reterr)
{
	struct hg_dev_cfg cfg = {
		.device = world->device,
		.netns = world->is_in_guest ? world->netns : "",
		.mac = world->is_in_guest ? world_far_mac : NULL,
		.mtu = 1500,
		.pool = &world->heap.pool,
		.is_uplink = world->is_uplink,
	};

	return hg_dev_open(&cfg, ret_dev, reterr);
}

struct hg_dev *world_begin(struct world *world)
{
	struct hg_dev *dev = NULL;
	struct hg_error err = {0};

	if (world_open(world, &dev, &err) < 0 || dev->driver->start(dev, &err) < 0 ||
	    (world->is_uplink && dev->driver->set_macs(dev, &world_near_mac, 1, &err) < 0)) {
		fprintf(stderr, "%s: %s\n", world->device, err.text);
		exit(1);
	}
	world->meet(world, dev);
	return dev;
}

void world_end(struct hg_dev *dev, bool keep)
{
	dev->driver->stop(dev);
	dev->driver->close(dev, keep);
}

void world_turn(struct hg_dev *dev)
{
	struct pollfd at = {.fd = dev->driver->fd(dev), .events = POLLIN};

	poll(&at, 1, 1);
	if (dev->driver->progress != NULL)
		dev->driver->progress(dev, world_now_ns());
}

struct hg_pkt *world_rx(struct world *world, struct hg_dev *dev)
{
	hg_ns until_ns = world_now_ns() + WAIT_NS;

	while (world_now_ns() < until_ns) {
		struct hg_pkt *pkt;

		if (dev->driver->rx(dev, &pkt, 1, world_now_ns()) == 0)
			world_turn(dev);
		else if (is_ours(pkt->data, pkt->n_bytes))
			return pkt;
		else
			hg_pool_put(&world->heap.pool, &pkt, 1);
	}
	return NULL;
}

/* ---- memory ------------------------------------------------------------------------------------- */

static struct hg_dummy *dummy;

static const char *dummy_build(struct world *world)
{
	(void)world;
	dummy = hg_dummy_hold("far");
	return NULL;
}

static void dummy_tear_down(struct world *world)
{
	(void)world;
	hg_dummy_release(dummy);
}

static void dummy_meet(struct world *world, struct hg_dev *dev)
{
	(void)world;
	(void)dev;
}

static void dummy_far_send(struct world *world, const uint8_t *frame, unsigned n_bytes)
{
	struct hg_pkt *pkt = heap_pool_frame(&world->heap, (uint16_t)n_bytes, 0);

	if (pkt == NULL)
		return;
	memcpy(pkt->data, frame, n_bytes);
	if (hg_dummy_inject(dummy, &pkt, 1) == 0)
		hg_pool_put(&world->heap.pool, &pkt, 1);
}

static unsigned dummy_far_recv(struct world *world, uint8_t *frame, unsigned size)
{
	struct hg_pkt *pkt;
	unsigned n;

	(void)world;
	if (hg_dummy_collect(dummy, &pkt, 1) == 0)
		return 0;
	n = world_flatten(pkt, frame, size);
	hg_pool_put(hg_dummy_pool(dummy), &pkt, 1);
	return n;
}

static void dummy_vanish(struct world *world)
{
	(void)world;
	hg_dummy_vanish(dummy, "taken away by the test");
}

static void dummy_come_back(struct world *world)
{
	(void)world;
	hg_dummy_return(dummy);
}

/* ---- the kernel --------------------------------------------------------------------------------- */

static const char *guest_build(struct world *world)
{
	const char *why = world_enter();

	if (why != NULL)
		return why;
	world->guest_fd = world_make_netns();
	world->far_fd = -1;
	snprintf(world->netns, sizeof(world->netns), "/proc/%d/fd/%d", getpid(), world->guest_fd);
	return NULL;
}

static void guest_tear_down(struct world *world)
{
	if (world->far_fd >= 0)
		close(world->far_fd);
	close(world->guest_fd);
}

static void guest_meet(struct world *world, struct hg_dev *dev)
{
	(void)dev;
	if (world->far_fd >= 0)
		close(world->far_fd);
	world->far_fd = world_open_socket(world->guest_fd, "far0");
}

static void guest_far_send(struct world *world, const uint8_t *frame, unsigned n_bytes)
{
	if (send(world->far_fd, frame, n_bytes, 0) != (ssize_t)n_bytes)
		die("send from the far side");
}

static unsigned guest_far_recv(struct world *world, uint8_t *frame, unsigned size)
{
	hg_ns until_ns = world_now_ns() + WAIT_NS;

	while (world_now_ns() < until_ns) {
		struct pollfd at = {.fd = world->far_fd, .events = POLLIN};
		ssize_t n;

		poll(&at, 1, 100);
		n = recv(world->far_fd, frame, size, 0);
		if (n > 0 && is_ours(frame, (unsigned)n))
			return (unsigned)n;
	}
	return 0;
}

static void guest_vanish(struct world *world)
{
	world_run_in(world->guest_fd, "ip link del far0");
}

static void tap_come_back(struct world *world)
{
	(void)world; /* open makes it */
}

static void veth_come_back(struct world *world)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "ip link add near0 address 02:00:00:00:00:02 type veth peer name far0 address "
		 "02:00:00:00:00:0f netns /proc/%d/fd/%d && ip link set near0 up",
		 getpid(), world->guest_fd);
	if (!world_run_in(home_fd, command) ||
	    !world_run_in(world->guest_fd, "ip link set far0 up"))
		die("ip link add");
}

static const char *veth_build(struct world *world)
{
	const char *why = guest_build(world);

	if (why == NULL)
		veth_come_back(world);
	return why;
}

/* The near end lives in the process's own namespace, which the next world uses too. */
static void veth_tear_down(struct world *world)
{
	world_run_in(home_fd, "ip link del near0 2>/dev/null");
	guest_tear_down(world);
}

#define MEMORY                                                                                     \
	.is_memory = true, .build = dummy_build, .tear_down = dummy_tear_down, .meet = dummy_meet, \
	.far_send = dummy_far_send, .far_recv = dummy_far_recv, .vanish = dummy_vanish,            \
	.come_back = dummy_come_back
#define KERNEL                                                                      \
	.meet = guest_meet, .far_send = guest_far_send, .far_recv = guest_far_recv, \
	.vanish = guest_vanish
#define TAP                                                                                     \
	KERNEL, .build = guest_build, .tear_down = guest_tear_down, .come_back = tap_come_back, \
		.is_in_guest = true, .makes_itself = true
#define VETH KERNEL, .build = veth_build, .tear_down = veth_tear_down, .come_back = veth_come_back

static struct world world_dummy = {.name = "dummy", .device = "dummy:far", MEMORY};
static struct world world_simnic = {
	.name = "simnic", .device = "simnic(rate=1Gbit,ring=128,delay=20us)+dummy:far", MEMORY};
/* Several queues, and buffers that come back late, in batches and not in time for the next packet. */
#define MODEL "simnic(rate=1Gbit,ring=128,queues=4,delay=20us,complete=30us,jitter=20us,batch=8)+"
static struct world world_simnic_model = {
	.name = "simnic_model", .device = MODEL "dummy:far", MEMORY};
static struct world world_simnic_never = {.name = "simnic_never",
					  .device = "simnic(rate=1Gbit,complete=never)+dummy:far",
					  .never_releases = true,
					  MEMORY};
static struct world world_simnic_model_tap = {
	.name = "simnic_model_tap", .device = MODEL "tap:far0", TAP};
static struct world world_simnic_model_xdp = {
	.name = "simnic_model_xdp", .device = MODEL "xdp:near0", VETH};
static struct world world_tap = {.name = "tap", .device = "tap:far0", TAP};
static struct world world_simnic_tap = {
	.name = "simnic_tap", .device = "simnic(rate=1Gbit)+tap:far0", TAP};
static struct world world_packet = {.name = "packet", .device = "packet:near0", VETH};

static struct world world_xdp = {.name = "xdp", .device = "xdp:near0", VETH};
static struct world world_xdp_uplink = {
	.name = "xdp_uplink", .device = "xdp:near0", .is_uplink = true, VETH};

struct world *const worlds[] = {
	&world_dummy, &world_simnic,       &world_simnic_model,     &world_simnic_never,
	&world_tap,   &world_simnic_tap,   &world_simnic_model_tap, &world_packet,
	&world_xdp,   &world_xdp_uplink,   &world_simnic_model_xdp,
#ifdef HG_WITH_VHOST
	&world_vhost, &world_vhost_packed,
#endif
	NULL,
};
