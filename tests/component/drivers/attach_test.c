/* Taking over what others made, sharing with the host, and dying without a word. */
#include "tests/component/drivers/world.h"

#include "tests/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct heap_pool heap;
static int guest_fd;

/* A veth of "another manager", whose near end has an address of the host. */
static void begin(void)
{
	const char *why = world_enter();
	char command[256];

	if (why != NULL)
		HG_SKIP(why);
	heap_pool_init(&heap);
	/* Of a test that failed. */
	world_run_in(world_home_fd(), "ip link del near0 2>/dev/null");
	guest_fd = world_make_netns();
	snprintf(command, sizeof(command),
		 "ip link add near0 address 02:00:00:00:08:01 type veth "
		 "peer name far0 address 02:00:00:00:08:02 netns /proc/%d/fd/%d && "
		 "ip addr add 10.8.0.1/24 dev near0 && ip link set near0 up",
		 getpid(), guest_fd);
	HG_CHECK(world_run_in(world_home_fd(), command));
	HG_CHECK(world_run_in(guest_fd, "ip addr add 10.8.0.2/24 dev far0 && ip link set far0 up"));
}

/* For good: who is cut off sends all the same. */
static void know_neighbours(void)
{
	HG_CHECK(world_run_in(world_home_fd(), "ip neigh replace 10.8.0.2 dev near0 nud permanent "
					       "lladdr 02:00:00:00:08:02"));
	HG_CHECK(world_run_in(guest_fd, "ip neigh replace 10.8.0.1 dev far0 nud permanent "
					"lladdr 02:00:00:00:08:01"));
}

static void end(void)
{
	world_run_in(world_home_fd(), "ip link del near0 2>/dev/null");
	close(guest_fd);
	HG_CHECK_EQ(heap.n_out, 0);
}

static struct hg_dev *open_device(const char *device, const char *netns, bool is_uplink)
{
	struct hg_dev_cfg cfg = {.device = device,
				 .netns = netns,
				 .mtu = 1500,
				 .pool = &heap.pool,
				 .is_uplink = is_uplink};
	struct hg_error err = {0};
	struct hg_dev *dev = NULL;

	if (hg_dev_open(&cfg, &dev, &err) < 0 || dev->driver->start(dev, &err) < 0)
		HG_TEST_FAIL("%s: %s", device, err.text);
	return dev;
}

/* What the kernel says of the near end, but for counters and what is passing. */
static void describe(char *text, size_t size)
{
	FILE *pipe = popen(
		"{ ip -d link show near0; ip addr show near0; tc qdisc show dev near0; "
		"tc filter show dev near0 ingress; tc filter show dev near0 egress; } 2>/dev/null "
		"| sed 's/valid_lft.*//; s/ tentative//'",
		"r");
	size_t n;

	HG_CHECK(pipe != NULL);
	n = fread(text, 1, size - 1u, pipe);
	text[n] = '\0';
	pclose(pipe);
	HG_CHECK(n > 0);
}

static int udp_in(int netns_fd, const char *address)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(5002)};
	int fd;

	inet_pton(AF_INET, address, &at.sin_addr);
	HG_CHECK(setns(netns_fd, CLONE_NEWNET) == 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	HG_CHECK(setns(world_home_fd(), CLONE_NEWNET) == 0);
	HG_CHECK(bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0);
	return fd;
}

static void send_to(int fd, const char *address)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(5002)};

	inet_pton(AF_INET, address, &at.sin_addr);
	HG_CHECK(sendto(fd, "hello", 5, 0, (const struct sockaddr *)&at, sizeof(at)) == 5);
}

static bool is_readable(int fd, int wait_ms)
{
	struct pollfd at = {fd, POLLIN, 0};

	return poll(&at, 1, wait_ms) == 1;
}

/* Until a frame of that type has come by an interface: this socket sees it before any filter does. */
static void wait_for_frame(int fd, uint16_t type)
{
	uint8_t frame[2048];

	do {
		HG_CHECK(is_readable(fd, 2000));
		HG_CHECK(recv(fd, frame, sizeof(frame), 0) >= ETH_HLEN);
	} while (frame[12] != type >> 8 || frame[13] != (type & 0xffu));
}

/* A datagram of the guest reaches the host's own stack. */
static void check_host_hears(void)
{
	int host = udp_in(world_home_fd(), "10.8.0.1"), guest = udp_in(guest_fd, "10.8.0.2");

	send_to(guest, "10.8.0.1");
	HG_CHECK(is_readable(host, 2000));
	close(host);
	close(guest);
}

/* It does not: when the second one has come in, the kernel is done with the first. */
static void check_host_hears_nothing(void)
{
	int host = udp_in(world_home_fd(), "10.8.0.1"), guest = udp_in(guest_fd, "10.8.0.2");
	int witness = world_open_socket(world_home_fd(), "near0");

	for (unsigned i = 0; i < 2; i++) {
		send_to(guest, "10.8.0.1");
		wait_for_frame(witness, ETH_P_IP);
	}
	HG_CHECK(!is_readable(host, 0));
	close(witness);
	close(host);
	close(guest);
}

/* Every frame waiting in the device; returns how many were for groups. */
static unsigned drain(struct hg_dev *dev, unsigned *ret_n_single)
{
	struct hg_pkt *pkt;
	unsigned n_groups = 0;

	*ret_n_single = 0;
	while (dev->driver->rx(dev, &pkt, 1, world_now_ns()) == 1) {
		if (pkt->data[0] & 1u)
			n_groups++;
		else
			*ret_n_single += 1;
		hg_pool_put(&heap.pool, &pkt, 1);
	}
	return n_groups;
}

/* As drain, until one frame for a single address was there. */
static unsigned wait_for_single(struct hg_dev *dev)
{
	hg_ns until_ns = world_now_ns() + 2 * HG_NS_PER_S;
	unsigned n_single = 0;

	while (n_single == 0 && world_now_ns() < until_ns) {
		world_turn(dev);
		drain(dev, &n_single);
	}
	return n_single;
}

/* ---- packet ------------------------------------------------------------------------------------- */

static void s7_10_packet_gives_a_veth_back_as_it_was(void)
{
	char before[8192], during[8192], after[8192];
	struct hg_dev *dev;

	begin();
	know_neighbours();
	check_host_hears();
	describe(before, sizeof(before));
	dev = open_device("packet:near0", "", false);
	describe(during, sizeof(during));
	HG_CHECK(strcmp(before, during) != 0);
	check_host_hears_nothing();
	world_end(dev, false);
	describe(after, sizeof(after));
	HG_CHECK_STR(after, before);
	check_host_hears();
	end();
}

/* The guest's neighbours of before are still in its table: the host must not reach it either. */
static void s7_10_packet_cuts_the_host_off_both_ways(void)
{
	uint8_t frame[60];
	struct hg_dev *dev;
	int host, guest, witness, around, yes = 1;

	begin();
	know_neighbours();
	check_host_hears();
	host = udp_in(world_home_fd(), "10.8.0.1");
	guest = udp_in(guest_fd, "10.8.0.2");
	witness = world_open_socket(guest_fd, "far0");
	around = world_open_socket(world_home_fd(), "near0");
	HG_CHECK(setsockopt(around, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes)) == 0);
	dev = open_device("packet:near0", "", false);
	send_to(host, "10.8.0.2");
	/* What is sent behind it, around what cuts the host off, would come behind it. */
	world_frame(frame, sizeof(frame), 1);
	HG_CHECK(send(around, frame, sizeof(frame), 0) == (ssize_t)sizeof(frame));
	wait_for_frame(witness, WORLD_ETHERTYPE);
	HG_CHECK(!is_readable(guest, 0));
	world_end(dev, false);
	send_to(host, "10.8.0.2");
	HG_CHECK(is_readable(guest, 2000));
	close(around);
	close(witness);
	close(host);
	close(guest);
	end();
}

static void s7_10_packet_leaves_filters_of_others_alone(void)
{
	char before[8192], after[8192];
	struct hg_dev *dev;

	begin();
	HG_CHECK(world_run_in(world_home_fd(),
			      "tc qdisc add dev near0 clsact && tc filter add dev near0 ingress "
			      "prio 7 protocol ip u32 match ip dst 10.66.66.66/32 flowid 1:1"));
	describe(before, sizeof(before));
	dev = open_device("packet:near0", "", false);
	world_end(dev, false);
	describe(after, sizeof(after));
	HG_CHECK_STR(after, before);
	end();
}

/* Runs a process that attaches the device and is then killed. */
static void attach_and_die(const char *device, const char *netns, bool is_uplink)
{
	int ready[2], status;
	pid_t child;
	char byte;

	HG_CHECK(pipe(ready) == 0);
	child = fork();
	HG_CHECK(child >= 0);
	if (child == 0) {
		open_device(device, netns, is_uplink);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	HG_CHECK(read(ready[0], &byte, 1) == 1);
	kill(child, SIGKILL);
	HG_CHECK(waitpid(child, &status, 0) == child);
	close(ready[0]);
	close(ready[1]);
}

static void s7_11_packet_is_taken_up_again_after_a_kill(void)
{
	char before[8192], after[8192];
	struct hg_dev *dev;

	begin();
	know_neighbours();
	check_host_hears();
	describe(before, sizeof(before));
	attach_and_die("packet:near0", "", false);
	/* Nobody serves the guest, and nobody else steps in. */
	check_host_hears_nothing();
	dev = open_device("packet:near0", "", false);
	world_end(dev, true);
	check_host_hears_nothing();
	dev = open_device("packet:near0", "", false);
	world_end(dev, false);
	describe(after, sizeof(after));
	HG_CHECK_STR(after, before);
	check_host_hears();
	end();
}

/* A TAP as a virtual machine's manager makes it; our own driver plays the machine. */
static void s7_10_packet_takes_over_a_tap(void)
{
	uint8_t frame[300], got[400];
	struct hg_dev *machine, *dev;
	struct hg_pkt *pkt;

	begin();
	machine = open_device("tap:vm0", "", false);
	dev = open_device("packet:vm0", "", false);
	for (unsigned way = 0; way < 2; way++) {
		struct hg_dev *from = way == 0 ? machine : dev, *to = way == 0 ? dev : machine;
		hg_ns until_ns = world_now_ns() + 2 * HG_NS_PER_S;
		unsigned n = 0;

		world_frame(frame, sizeof(frame), way);
		pkt = heap_pool_frame(&heap, sizeof(frame), 0);
		memcpy(pkt->data, frame, sizeof(frame));
		HG_CHECK_EQ(from->driver->tx(from, 0, &pkt, 1, 0), 1);
		/* Whatever the kernel itself says on the new interface comes before or between. */
		while (n != sizeof(frame) && world_now_ns() < until_ns) {
			world_turn(to);
			if (to->driver->rx(to, &pkt, 1, 0) == 0)
				continue;
			n = world_flatten(pkt, got, sizeof(got));
			hg_pool_put(&heap.pool, &pkt, 1);
		}
		HG_CHECK_EQ(n, sizeof(frame));
		HG_CHECK(memcmp(got, frame, n) == 0);
	}
	world_end(dev, false);
	world_end(machine, false);
	end();
}

static void packet_puts_tags_back(void)
{
	uint8_t frame[200];
	struct hg_dev *dev;
	struct hg_pkt *pkt = NULL;
	hg_ns until_ns = world_now_ns() + 2 * HG_NS_PER_S;
	int far;

	begin();
	dev = open_device("packet:near0", "", false);
	far = world_open_socket(guest_fd, "far0");
	world_frame(frame, sizeof(frame), 3);
	memcpy(frame + 12, "\x81\x00\x60\x64\x88\xb5", 6); /* priority 3, VLAN 100 */
	HG_CHECK(send(far, frame, sizeof(frame), 0) == (ssize_t)sizeof(frame));
	while (world_now_ns() < until_ns) {
		if (dev->driver->rx(dev, &pkt, 1, world_now_ns()) == 0) {
			world_turn(dev);
			continue;
		}
		if (memcmp(pkt->data, world_near_mac, HG_MAC_BYTES) == 0)
			break;
		hg_pool_put(&heap.pool, &pkt, 1);
	}
	HG_CHECK(pkt != NULL);
	HG_CHECK_EQ(pkt->total_bytes, sizeof(frame));
	HG_CHECK(memcmp(pkt->data, frame, sizeof(frame)) == 0);
	hg_pool_put(&heap.pool, &pkt, 1);
	close(far);
	world_end(dev, false);
	end();
}

static void packet_says_when_its_interface_is_down(void)
{
	struct hg_dev_state state;
	struct hg_dev_stats stats;
	struct hg_dev *dev;
	struct hg_pkt *pkt;

	begin();
	dev = open_device("packet:near0", "", false);
	HG_CHECK(world_run_in(world_home_fd(), "ip link set near0 down"));
	dev->driver->sample(dev, &state, &stats);
	HG_CHECK_EQ(state.link, HG_DEV_DOWN);
	HG_CHECK_STR(state.reason, "the interface is down");
	pkt = heap_pool_frame(&heap, 60, 0);
	HG_CHECK_EQ(dev->driver->tx(dev, 0, &pkt, 1, 0), 1);
	dev->driver->sample(dev, &state, &stats);
	HG_CHECK_EQ(stats.drops[HG_DROP_PORT_DOWN], 1);
	HG_CHECK(world_run_in(world_home_fd(), "ip link set near0 up"));
	dev->driver->sample(dev, &state, &stats);
	HG_CHECK_EQ(state.link, HG_DEV_UP);
	world_end(dev, false);
	end();
}

/* A frame that the interface does not take is dropped and counted; those before and behind it are sent. */
static void packet_drops_a_frame_that_is_too_long_out_of_a_burst(void)
{
	static const uint16_t n_bytes[] = {60, 200, 1700, 60, 1700, 300};
	struct hg_pkt *pkts[6];
	struct hg_dev_state state;
	struct hg_dev_stats stats;
	struct hg_dev *dev;
	uint8_t got[2000], sent[2000];
	ssize_t n;
	int far;

	begin();
	dev = open_device("packet:near0", "", false);
	far = world_open_socket(guest_fd, "far0");
	for (unsigned i = 0; i < 6; i++) {
		pkts[i] = heap_pool_frame(&heap, n_bytes[i], 0);
		world_frame(pkts[i]->data, n_bytes[i], i);
	}
	HG_CHECK_EQ(dev->driver->tx(dev, 0, pkts, 6, 0), 6);
	dev->driver->sample(dev, &state, &stats);
	HG_CHECK_EQ(stats.drops[HG_DROP_TOO_BIG], 2);
	HG_CHECK_EQ(stats.tx_pkts, 4);
	HG_CHECK_EQ(stats.tx_bytes, 60u + 200u + 60u + 300u);
	for (unsigned i = 0; i < 6; i++) {
		if (n_bytes[i] == 1700)
			continue;
		world_frame(sent, n_bytes[i], i);
		/* Whatever the kernel itself says on the interface comes between. */
		do {
			HG_CHECK(is_readable(far, 2000));
			n = recv(far, got, sizeof(got), 0);
		} while (n < 14 || got[12] != WORLD_ETHERTYPE >> 8 ||
			 got[13] != (WORLD_ETHERTYPE & 0xff));
		HG_CHECK_EQ(n, n_bytes[i]);
		HG_CHECK(memcmp(got, sent, (size_t)n) == 0);
	}
	close(far);
	world_end(dev, false);
	end();
}

/* ---- tap ---------------------------------------------------------------------------------------- */

static unsigned index_in_guest(const char *name)
{
	unsigned idx;

	HG_CHECK(setns(guest_fd, CLONE_NEWNET) == 0);
	idx = if_nametoindex(name);
	HG_CHECK(setns(world_home_fd(), CLONE_NEWNET) == 0);
	return idx;
}

/* The container's interface, its index and its address are the same before, between and after. */
static void s7_11_tap_outlives_a_kill_and_is_adopted(void)
{
	struct hg_dev *dev;
	char netns[64];
	unsigned idx;

	begin();
	snprintf(netns, sizeof(netns), "/proc/%d/fd/%d", getpid(), guest_fd);
	attach_and_die("tap:eth0", netns, false);
	idx = index_in_guest("eth0");
	HG_CHECK(idx > 0);
	HG_CHECK(world_run_in(guest_fd, "ip addr add 10.8.1.1/24 dev eth0"));
	dev = open_device("tap:eth0", netns, false);
	HG_CHECK_EQ(index_in_guest("eth0"), idx);
	world_end(dev, true);
	HG_CHECK_EQ(index_in_guest("eth0"), idx);
	HG_CHECK(world_run_in(guest_fd, "ip addr show dev eth0 | grep -q 10.8.1.1"));
	dev = open_device("tap:eth0", netns, false);
	world_end(dev, false);
	HG_CHECK_EQ(index_in_guest("eth0"), 0);
	end();
}

/* Also through a modelled card, and back; what a container did to its interface stays. */
static void s5_1_tap_in_use_gets_another_mtu_and_address(void)
{
	static const char *const devices[] = {"tap:eth0", "simnic(rate=1Gbit,ring=16)+tap:eth0"};
	static const uint8_t mac[HG_MAC_BYTES] = {2, 0, 0, 0, 0, 0x77};

	for (unsigned i = 0; i < 2; i++) {
		struct hg_error err = {0};
		struct hg_dev *dev;
		char netns[64];
		struct hg_dev_cfg cfg = {
			.device = devices[i], .netns = netns, .mac = mac, .mtu = 9000};

		begin();
		snprintf(netns, sizeof(netns), "/proc/%d/fd/%d", getpid(), guest_fd);
		dev = open_device(devices[i], netns, false);
		HG_CHECK(world_run_in(guest_fd, "ip addr add 10.8.1.1/24 dev eth0"));
		HG_CHECK_EQ(dev->driver->adjust(dev, &cfg, &err), 0);
		HG_CHECK_EQ(hg_dev_mtu(dev), 9000);
		HG_CHECK(world_run_in(guest_fd, "ip link show eth0 | grep -q 'mtu 9000'"));
		HG_CHECK(world_run_in(guest_fd, "ip link show eth0 | grep -q 02:00:00:00:00:77"));
		HG_CHECK(world_run_in(guest_fd, "ip addr show dev eth0 | grep -q 10.8.1.1"));
		HG_CHECK(world_run_in(guest_fd, "ip link set eth0 down"));
		cfg.mtu = 1500;
		cfg.mac = NULL;
		HG_CHECK_EQ(dev->driver->adjust(dev, &cfg, &err), 0);
		HG_CHECK(world_run_in(guest_fd, "ip link show eth0 | grep -q 'mtu 1500'"));
		HG_CHECK(world_run_in(guest_fd, "ip link show eth0 | grep -q 02:00:00:00:00:77"));
		HG_CHECK(!world_run_in(guest_fd, "ip link show eth0 | grep -q ',UP'"));
		HG_CHECK(world_run_in(guest_fd, "ip link del eth0"));
		HG_CHECK_EQ(dev->driver->adjust(dev, &cfg, &err), -HG_ENOENT);
		world_end(dev, false);
		end();
	}
}

static void s5_1_packet_follows_the_mtu_of_its_interface(void)
{
	struct hg_dev_cfg cfg = {.device = "packet:near0", .netns = "", .mtu = 9000};
	struct hg_error err = {0};
	struct hg_dev *dev;

	begin();
	dev = open_device("packet:near0", "", false);
	HG_CHECK_EQ(hg_dev_mtu(dev), 1500);
	HG_CHECK(world_run_in(world_home_fd(), "ip link set near0 mtu 9000"));
	HG_CHECK_EQ(dev->driver->adjust(dev, &cfg, &err), 0);
	HG_CHECK_EQ(hg_dev_mtu(dev), 9000);
	world_end(dev, false);
	end();
}

static void s5_1_packet_follows_the_features_of_its_interface(void)
{
	struct hg_dev_state state;
	struct hg_dev_stats stats;
	struct hg_dev *dev;
	struct hg_pkt *pkt;

	begin();
	if (!world_run_in(world_home_fd(), "ethtool -K near0 tso on"))
		HG_SKIP("no ethtool, or an interface without TSO");
	dev = open_device("packet:near0", "", false);
	HG_CHECK((dev->caps & HG_DEV_TX_TSO4) != 0);
	for (unsigned i = 0; i < 4; i++) {
		bool is_on = i % 2 == 1;

		HG_CHECK(world_run_in(world_home_fd(), is_on ? "ethtool -K near0 tso on"
							     : "ethtool -K near0 tso off"));
		dev->driver->sample(dev, &state, &stats);
		HG_CHECK_EQ((state.caps & HG_DEV_TX_TSO4) != 0, is_on);
		(void)dev->driver->rx(dev, &pkt, 0, world_now_ns());
		HG_CHECK_EQ((dev->caps & HG_DEV_TX_TSO4) != 0, is_on);
	}
	world_end(dev, false);
	end();
}

static void reach_over_tap(void)
{
	HG_CHECK(world_run_in(guest_fd,
			      "ip addr add 10.8.1.1/24 dev eth0 && ip neigh add 10.8.1.2 lladdr "
			      "02:00:00:00:00:02 dev eth0"));
}

/* A datagram of so many bytes from the container into its TAP; what its sender was told. */
static int send_into_tap(unsigned n_bytes)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(5002)};
	int fd = udp_in(guest_fd, "10.8.1.1"), one = 1, errnum = 0;
	char bytes[1000] = "";

	inet_pton(AF_INET, "10.8.1.2", &at.sin_addr);
	HG_CHECK(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)) == 0);
	if (sendto(fd, bytes, n_bytes, 0, (const struct sockaddr *)&at, sizeof(at)) < 0)
		errnum = errno;
	close(fd);
	return errnum;
}

/* What is in the TAP stays, what is sent is refused to its sender's face, and small frames pass. */
static void s1_3_sender_into_a_held_tap_is_refused(void)
{
	struct hg_dev *dev;
	unsigned n_single;
	char netns[64];

	begin();
	snprintf(netns, sizeof(netns), "/proc/%d/fd/%d", getpid(), guest_fd);
	dev = open_device("tap:eth0", netns, false);
	if ((dev->caps & HG_DEV_RX_REFUSES) == 0) {
		world_end(dev, false);
		end();
		HG_SKIP("this kernel lets no filter of a TAP be set");
	}
	HG_CHECK(dev->caps & HG_DEV_RX_PUSHES_BACK);
	reach_over_tap();
	HG_CHECK_EQ(send_into_tap(1000), 0);
	dev->driver->hold(dev, true);
	HG_CHECK_EQ(send_into_tap(1000), ENOBUFS);
	HG_CHECK_EQ(send_into_tap(100), 0);
	dev->driver->hold(dev, false);
	HG_CHECK_EQ(send_into_tap(1000), 0);
	drain(dev, &n_single);
	HG_CHECK_EQ(n_single, 3);
	dev->driver->hold(dev, true);
	world_end(dev, true);
	dev = open_device("tap:eth0", netns, false); /* it is held no more */
	HG_CHECK(dev->caps & HG_DEV_RX_REFUSES);
	HG_CHECK_EQ(send_into_tap(1000), 0);
	drain(dev, &n_single);
	HG_CHECK_EQ(n_single, 1);
	world_end(dev, false);
	end();
}

static void hold_and_die(const char *netns)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct hg_dev *dev = open_device("tap:eth0", netns, false);

		if (dev->driver->hold != NULL)
			dev->driver->hold(dev, true);
		kill(getpid(), SIGKILL);
	}
	HG_CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

/* A queue that somebody put before a TAP stays; as nobody is told through it what the TAP refuses, it refuses nothing,
 * not even what it did for a process that died. */
static void s7_10_queue_before_a_tap_is_left_alone(void)
{
	struct hg_dev *dev;
	unsigned n_single;
	char netns[64];

	begin();
	snprintf(netns, sizeof(netns), "/proc/%d/fd/%d", getpid(), guest_fd);
	hold_and_die(netns);
	HG_CHECK(world_run_in(guest_fd, "tc qdisc add dev eth0 root pfifo limit 7"));
	dev = open_device("tap:eth0", netns, false);
	HG_CHECK_EQ(dev->caps & (HG_DEV_RX_PUSHES_BACK | HG_DEV_RX_REFUSES), 0);
	HG_CHECK(world_run_in(guest_fd, "tc qdisc show dev eth0 | grep -q 'pfifo.*limit 7p'"));
	reach_over_tap();
	HG_CHECK_EQ(send_into_tap(1000), 0);
	drain(dev, &n_single);
	HG_CHECK_EQ(n_single, 1);
	world_end(dev, false);
	end();
}

static void s7_10_tap_of_somebody_else_is_left_to_them(void)
{
	struct hg_dev *dev;

	begin();
	HG_CHECK(world_run_in(world_home_fd(), "ip tuntap add theirs0 mode tap"));
	dev = open_device("tap:theirs0", "", false);
	world_end(dev, false);
	HG_CHECK(if_nametoindex("theirs0") > 0);
	HG_CHECK(world_run_in(world_home_fd(), "ip link del theirs0"));
	end();
}

static void tap_refuses_an_interface_of_another_kind(void)
{
	struct hg_dev_cfg cfg = {.device = "tap:near0", .netns = "", .mtu = 1500};
	struct hg_error err = {0};
	struct hg_dev *dev = NULL;

	begin();
	cfg.pool = &heap.pool;
	HG_CHECK_EQ(hg_dev_open(&cfg, &dev, &err), -HG_EINVAL);
	HG_CHECK_HAS(err.text, "not a TAP");
	end();
}

/* Names of namespaces of our own, which nobody else sees and which end with the process. */
static void hide_names(void)
{
	static bool is_done;

	if (is_done)
		return;
	HG_CHECK(unshare(CLONE_NEWNS) == 0);
	HG_CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	HG_CHECK(mount("none", "/run", "tmpfs", 0, NULL) == 0);
	is_done = true;
}

/* Waits until the device says that it is gone. */
static void check_goes(struct hg_dev *dev)
{
	hg_ns until_ns = world_now_ns() + 5 * HG_NS_PER_S;
	struct hg_dev_state state = {0};
	struct hg_dev_stats stats;
	unsigned n_single;

	while (state.link != HG_DEV_GONE && world_now_ns() < until_ns) {
		world_turn(dev);
		drain(dev, &n_single);
		dev->driver->sample(dev, &state, &stats);
	}
	HG_CHECK_EQ(state.link, HG_DEV_GONE);
	HG_CHECK(state.reason[0] != '\0');
}

/* Of a container that ends while its TAP is attached: one that we made, and one that we adopted. */
static void tap_goes_with_its_named_namespace(void)
{
	struct hg_dev *dev;

	begin();
	hide_names();
	HG_CHECK(world_run_in(world_home_fd(), "ip netns add container"));
	dev = open_device("tap:eth0", "container", false);
	HG_CHECK(world_run_in(world_home_fd(), "ip netns del container"));
	check_goes(dev);
	world_end(dev, false);

	HG_CHECK(
		world_run_in(world_home_fd(),
			     "ip netns add container && ip -n container tuntap add eth0 mode tap"));
	dev = open_device("tap:eth0", "container", false);
	HG_CHECK(world_run_in(world_home_fd(), "ip netns del container"));
	check_goes(dev);
	world_end(dev, true);
	end();
}

/* ---- xdp ---------------------------------------------------------------------------------------- */

static void s7_10_xdp_uplink_leaves_the_host_its_traffic(void)
{
	static const uint8_t mac[1][HG_MAC_BYTES] = {{2, 0, 0, 0, 0, 0x0a}};
	uint8_t frame[100];
	struct hg_dev *dev;
	unsigned n_single;
	int far;

	begin();
	dev = open_device("xdp:near0", "", true);
	HG_CHECK_EQ(dev->driver->set_macs(dev, mac, 1, NULL), 0);
	far = world_open_socket(guest_fd, "far0");
	HG_CHECK(world_run_in(guest_fd,
			      "ip neigh flush dev far0; ethtool -K far0 tx off >/dev/null"));
	/* The host's datagram, and the broadcast question for its address, which both of us see. */
	check_host_hears();
	HG_CHECK(drain(dev, &n_single) >= 1);
	HG_CHECK_EQ(n_single, 0);
	/* An instance's frame is ours. */
	world_frame(frame, sizeof(frame), 9);
	HG_CHECK(send(far, frame, sizeof(frame), 0) == (ssize_t)sizeof(frame));
	HG_CHECK_EQ(wait_for_single(dev), 1);
	/* No longer an instance: the host's again. */
	HG_CHECK_EQ(dev->driver->set_macs(dev, mac, 0, NULL), 0);
	HG_CHECK(send(far, frame, sizeof(frame), 0) == (ssize_t)sizeof(frame));
	check_host_hears();
	drain(dev, &n_single);
	HG_CHECK_EQ(n_single, 0);
	close(far);
	world_end(dev, false);
	end();
}

static void s7_11_xdp_leaves_nothing_behind_after_a_kill(void)
{
	char before[8192], after[8192];

	begin();
	describe(before, sizeof(before));
	attach_and_die("xdp:near0", "", true);
	check_host_hears();
	describe(after, sizeof(after));
	HG_CHECK_STR(after, before);
	end();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s7_10_packet_gives_a_veth_back_as_it_was),
		HG_TEST(s7_10_packet_cuts_the_host_off_both_ways),
		HG_TEST(s7_10_packet_leaves_filters_of_others_alone),
		HG_TEST(s7_11_packet_is_taken_up_again_after_a_kill),
		HG_TEST(s7_10_packet_takes_over_a_tap),
		HG_TEST(packet_puts_tags_back),
		HG_TEST(packet_says_when_its_interface_is_down),
		HG_TEST(packet_drops_a_frame_that_is_too_long_out_of_a_burst),
		HG_TEST(s7_11_tap_outlives_a_kill_and_is_adopted),
		HG_TEST(s5_1_tap_in_use_gets_another_mtu_and_address),
		HG_TEST(s5_1_packet_follows_the_mtu_of_its_interface),
		HG_TEST(s5_1_packet_follows_the_features_of_its_interface),
		HG_TEST(s1_3_sender_into_a_held_tap_is_refused),
		HG_TEST(s7_10_queue_before_a_tap_is_left_alone),
		HG_TEST(s7_10_tap_of_somebody_else_is_left_to_them),
		HG_TEST(tap_refuses_an_interface_of_another_kind),
		HG_TEST(tap_goes_with_its_named_namespace),
		HG_TEST(s7_10_xdp_uplink_leaves_the_host_its_traffic),
		HG_TEST(s7_11_xdp_leaves_nothing_behind_after_a_kill),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
