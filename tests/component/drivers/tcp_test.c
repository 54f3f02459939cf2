/* Real TCP between two namespaces, carried from device to device by a loop that is all a switch needs. */
#include "tests/component/drivers/world.h"

#include "tests/harness.h"
#include "vswitch/checksum.h"
#include "vswitch/parse.h"
#include "vswitch/piece.h"
#include "vswitch/weigh.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOTAL_BYTES (24u << 20)
#define BURST 32u
#define LIMIT_NS (20 * HG_NS_PER_S)
/* A segment that is certainly not a frame of its own. */
#define WHOLE_BYTES 9000u

struct side {
	int netns_fd;
	struct hg_dev *dev;
	uint32_t largest_bytes; /* received from it */
	bool has_gso, has_partial_csum;
};

struct transfer {
	struct heap_pool heap;
	struct side sides[2];
	int listen_fd, send_fd, recv_fd;
	uint64_t sent_bytes, recv_bytes;
	uint64_t send_sum, recv_sum;
	uint32_t cut_parts; /* segments are cut to so many parts; 0: never */
	uint32_t n_cut;
};

static struct transfer t;

/* ---- sockets ------------------------------------------------------------------------------------ */

/* FNV-1a: order and content. */
static uint64_t sum_up(uint64_t sum, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static int socket_in(int netns_fd)
{
	int fd, home = world_home_fd();

	HG_CHECK(setns(netns_fd, CLONE_NEWNET) == 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	HG_CHECK(setns(home, CLONE_NEWNET) == 0);
	HG_CHECK(fd >= 0);
	return fd;
}

static void connect_both(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(5001)};

	inet_pton(AF_INET, "10.9.0.2", &at.sin_addr);
	t.listen_fd = socket_in(t.sides[1].netns_fd);
	HG_CHECK(bind(t.listen_fd, (const struct sockaddr *)&at, sizeof(at)) == 0);
	HG_CHECK(listen(t.listen_fd, 1) == 0);
	t.send_fd = socket_in(t.sides[0].netns_fd);
	HG_CHECK(connect(t.send_fd, (const struct sockaddr *)&at, sizeof(at)) == 0 ||
		 errno == EINPROGRESS);
	t.recv_fd = -1;
}

static void send_some(void)
{
	uint8_t bytes[65536];
	size_t n = sizeof(bytes);
	uint64_t state = t.sent_bytes;
	ssize_t got;

	if (n > TOTAL_BYTES - t.sent_bytes)
		n = TOTAL_BYTES - t.sent_bytes;
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(((state + i) * 2654435761u) >> 13);
	got = send(t.send_fd, bytes, n, MSG_NOSIGNAL);
	if (got > 0) {
		t.send_sum = sum_up(t.send_sum, bytes, (size_t)got);
		t.sent_bytes += (uint64_t)got;
	}
}

static void receive_some(void)
{
	uint8_t bytes[65536];
	ssize_t got;

	if (t.recv_fd < 0)
		t.recv_fd = accept4(t.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (t.recv_fd < 0)
		return;
	while ((got = recv(t.recv_fd, bytes, sizeof(bytes), 0)) > 0) {
		t.recv_sum = sum_up(t.recv_sum, bytes, (size_t)got);
		t.recv_bytes += (uint64_t)got;
	}
}

/* ---- the loop ----------------------------------------------------------------------------------- */

static void look_at(struct side *side, const struct hg_pkt *pkt)
{
	if (pkt->total_bytes > side->largest_bytes)
		side->largest_bytes = pkt->total_bytes;
	side->has_gso = side->has_gso || pkt->gso == HG_GSO_TCP4;
	side->has_partial_csum = side->has_partial_csum || (pkt->flags & HG_PKT_NEEDS_CSUM);
	HG_CHECK(pkt->n_bytes >= HG_PKT_HEADERS_BYTES || pkt->n_bytes == pkt->total_bytes);
}

/* Sends a packet or a segment, in pieces if that is asked for. Plain ones come with a whole checksum that the
 * kernel verifies. */
static void send_to(struct side *to, struct hg_pkt *pkt, hg_ns now_ns)
{
	enum hg_drop reason;

	HG_CHECK(hg_parse(pkt, &reason));
	hg_weigh(pkt);
	t.n_cut += pkt->parts > t.cut_parts;
	while (pkt != NULL) {
		struct hg_pkt *piece = pkt;

		pkt = NULL;
		if (piece->parts > 1) {
			pkt = piece;
			piece = hg_piece_take(&pkt, &t.heap.pool, t.cut_parts);
		}
		if (piece->gso == HG_GSO_NONE) {
			hg_checksum_complete(piece);
			piece->flags = 0;
		}
		if (to->dev->driver->tx(to->dev, 0, &piece, 1, now_ns) == 0)
			hg_pool_put(&t.heap.pool, &piece, 1);
	}
}

static void carry(struct side *from, struct side *to)
{
	hg_ns now_ns = world_now_ns();
	struct hg_pkt *pkts[BURST];
	unsigned n = from->dev->driver->rx(from->dev, pkts, BURST, now_ns), taken = 0;

	for (unsigned i = 0; i < n; i++)
		look_at(from, pkts[i]);
	if (t.cut_parts == 0)
		taken = to->dev->driver->tx(to->dev, 0, pkts, n, now_ns);
	for (; t.cut_parts > 0 && taken < n; taken++)
		send_to(to, pkts[taken], now_ns);
	hg_pool_put(&t.heap.pool, pkts + taken, n - taken);
	if (to->dev->driver->progress != NULL)
		to->dev->driver->progress(to->dev, now_ns);
}

static void transfer(void)
{
	hg_ns until_ns = world_now_ns() + LIMIT_NS;

	connect_both();
	while (t.recv_bytes < TOTAL_BYTES) {
		struct pollfd at[4] = {
			{t.sides[0].dev->driver->fd(t.sides[0].dev), POLLIN, 0},
			{t.sides[1].dev->driver->fd(t.sides[1].dev), POLLIN, 0},
			{t.send_fd, POLLOUT, 0},
			{t.recv_fd < 0 ? t.listen_fd : t.recv_fd, POLLIN, 0},
		};

		HG_CHECK(world_now_ns() < until_ns);
		poll(at, t.sent_bytes < TOTAL_BYTES ? 4 : 2, 1);
		send_some();
		carry(&t.sides[0], &t.sides[1]);
		carry(&t.sides[1], &t.sides[0]);
		receive_some();
	}
	HG_CHECK_EQ(t.recv_bytes, TOTAL_BYTES);
	HG_CHECK(t.recv_sum == t.send_sum);
	close(t.send_fd);
	close(t.recv_fd);
	close(t.listen_fd);
}

/* ---- devices ------------------------------------------------------------------------------------ */

static void begin(void)
{
	const char *why = world_enter();

	if (why != NULL)
		HG_SKIP(why);
	t = (struct transfer){0};
	heap_pool_init(&t.heap);
	for (unsigned i = 0; i < 2; i++)
		t.sides[i].netns_fd = world_make_netns();
}

static void open_side(unsigned i, const char *device, const char *netns, const char *mac_of_other)
{
	struct hg_dev_cfg cfg = {.device = device,
				 .netns = netns,
				 .mtu = 1500,
				 .pool = &t.heap.pool,
				 .is_uplink = mac_of_other != NULL};
	struct hg_error err = {0};
	struct hg_dev *dev = NULL;

	if (hg_dev_open(&cfg, &dev, &err) < 0 || dev->driver->start(dev, &err) < 0)
		HG_TEST_FAIL("%s: %s", device, err.text);
	t.sides[i].dev = dev;
	if (mac_of_other != NULL) {
		uint8_t mac[1][HG_MAC_BYTES] = {{2, 0, 0, 0, 1, (uint8_t)mac_of_other[0]}};

		HG_CHECK_EQ(
			dev->driver->set_macs(dev, (const uint8_t(*)[HG_MAC_BYTES])mac, 1, NULL),
			0);
	}
}

/* The far end of side i is called "far" in its namespace. */
static void set_address(unsigned i)
{
	char command[128];

	snprintf(
		command, sizeof(command),
		"ip link set far address 02:00:00:00:01:0%u up && ip addr add 10.9.0.%u/24 dev far",
		i + 1, i + 1);
	HG_CHECK(world_run_in(t.sides[i].netns_fd, command));
}

static void make_veth(unsigned i)
{
	char command[160];

	snprintf(command, sizeof(command),
		 "ip link add near%u type veth peer name far netns /proc/%d/fd/%d && "
		 "ip link set near%u up",
		 i, getpid(), t.sides[i].netns_fd, i);
	HG_CHECK(world_run_in(world_home_fd(), command));
}

static void end(void)
{
	for (unsigned i = 0; i < 2; i++) {
		world_end(t.sides[i].dev, false);
		close(t.sides[i].netns_fd);
	}
	HG_CHECK_EQ(t.heap.n_out, 0);
}

static void end_veth(void)
{
	end();
	world_run_in(world_home_fd(), "ip link del near0; ip link del near1");
}

static void check_whole(void)
{
	HG_CHECK(t.sides[0].has_gso);
	HG_CHECK(t.sides[0].has_partial_csum);
	HG_CHECK(t.sides[0].largest_bytes > WHOLE_BYTES);
}

static void over_taps(const char *device, uint32_t cut_parts, bool has_no_longs)
{
	begin();
	t.cut_parts = cut_parts;
	t.heap.has_no_longs = has_no_longs;
	for (unsigned i = 0; i < 2; i++) {
		char netns[64];

		snprintf(netns, sizeof(netns), "/proc/%d/fd/%d", getpid(), t.sides[i].netns_fd);
		open_side(i, device, netns, NULL);
		set_address(i);
	}
	transfer();
	check_whole();
	end();
}

static void s5_1_tap_carries_tcp_segments_whole(void)
{
	over_taps("tap:far", 0, /* has_no_longs= */ false);
}

static void s5_1_tap_carries_segments_in_short_buffers(void)
{
	over_taps("tap:far", 0, /* has_no_longs= */ true);
}

static void s5_1_simnic_in_front_of_tap_carries_tcp(void)
{
	over_taps("simnic(rate=1Gbit,ring=256,delay=20us)+tap:far", 0,
		  /* has_no_longs= */ false);
}

static void s2_15_pieces_are_tcp_as_kernels_want_it(void)
{
	static const uint32_t cut_parts[] = {1, 3, 8};

	for (unsigned i = 0; i < sizeof(cut_parts) / sizeof(cut_parts[0]); i++) {
		over_taps("tap:far", cut_parts[i], /* has_no_longs= */ i % 2 == 0);
		HG_CHECK(t.n_cut > 100);
	}
}

static void s5_1_packet_carries_tcp_segments_whole(void)
{
	begin();
	for (unsigned i = 0; i < 2; i++) {
		make_veth(i);
		set_address(i);
		open_side(i, i == 0 ? "packet:near0" : "packet:near1", "", NULL);
	}
	transfer();
	check_whole();
	end_veth();
}

static void over_xdp(bool is_uplink)
{
	static const char *const macs[] = {"\2", "\1"};

	begin();
	for (unsigned i = 0; i < 2; i++) {
		make_veth(i);
		set_address(i);
		HG_CHECK(world_run_in(t.sides[i].netns_fd,
				      "ethtool -K far tx off txvlan off >/dev/null 2>&1"));
		open_side(i, i == 0 ? "xdp:near0" : "xdp:near1", "", is_uplink ? macs[i] : NULL);
	}
	transfer();
	HG_CHECK(!t.sides[0].has_gso);
	HG_CHECK(t.sides[0].largest_bytes <= 1514);
	end_veth();
}

static void xdp_port_carries_tcp(void)
{
	over_xdp(false);
}

static void xdp_uplink_carries_tcp(void)
{
	over_xdp(true);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_tap_carries_tcp_segments_whole),
		HG_TEST(s5_1_tap_carries_segments_in_short_buffers),
		HG_TEST(s5_1_simnic_in_front_of_tap_carries_tcp),
		HG_TEST(s2_15_pieces_are_tcp_as_kernels_want_it),
		HG_TEST(s5_1_packet_carries_tcp_segments_whole),
		HG_TEST(xdp_port_carries_tcp),
		HG_TEST(xdp_uplink_carries_tcp),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
