/* What only a machine's port has: notifications on request, and a socket with an owner. */
#include "drivers/vhost_socket.h"
#include "tests/component/drivers/world_vhost.h"
#include "tests/guest/guest.h"
#include "tests/harness.h"
#include "tests/component/drivers/begin.h"
#include "vswitch/parse.h"

#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void end(struct world *world, struct hg_dev *dev)
{
	world_end(dev, false);
	world->tear_down(world);
	HG_CHECK_EQ(world->heap.n_out, 0);
}

static void far_sends(struct world *world, uint32_t seed)
{
	uint8_t frame[60];

	world_frame(frame, sizeof(frame), seed);
	world->far_send(world, frame, sizeof(frame));
}

/* Takes in what there is; returns how many frames. */
static unsigned receive(struct world *world, struct hg_dev *dev)
{
	struct hg_pkt *pkt;
	unsigned n = 0;

	while (dev->driver->rx(dev, &pkt, 1, world_now_ns()) == 1) {
		hg_pool_put(&world->heap.pool, &pkt, 1);
		n++;
	}
	return n;
}

static uint64_t kicks(void)
{
	return guest_counts(world_vhost_guest()).kicks;
}

static void check_notifications(struct world *world)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	struct hg_dev *dev = begin(world);
	int edges = epoll_create1(EPOLL_CLOEXEC);
	uint64_t before;

	HG_CHECK(edges >= 0);
	HG_CHECK_EQ(epoll_ctl(edges, EPOLL_CTL_ADD, dev->driver->fd(dev), &event), 0);
	(void)receive(world, dev);
	/* Polled: the guest need not say anything. */
	before = kicks();
	for (unsigned i = 0; i < 100; i++)
		far_sends(world, i);
	HG_CHECK_EQ(kicks(), before);
	/* What came without a word is not forgotten. */
	HG_CHECK(dev->driver->arm(dev));
	HG_CHECK_EQ(receive(world, dev), 100);
	(void)epoll_wait(edges, &event, 1, 0);
	/* Quiet: it says the first, which is an edge. */
	for (unsigned i = 0; i < 3; i++) {
		HG_CHECK(!dev->driver->arm(dev));
		before = kicks();
		far_sends(world, i);
		HG_CHECK_EQ(kicks(), before + 1);
		HG_CHECK_EQ(epoll_wait(edges, &event, 1, 2000), 1);
		HG_CHECK_EQ(receive(world, dev), 1);
		before = kicks();
		far_sends(world, i);
		HG_CHECK_EQ(kicks(), before);
		HG_CHECK_EQ(receive(world, dev), 1);
	}
	/* Who looks again, and finds nothing, looks: nothing is said, and nothing forgotten. */
	for (unsigned i = 0; i < 3; i++) {
		HG_CHECK(!dev->driver->arm(dev));
		HG_CHECK_EQ(receive(world, dev), 0);
		before = kicks();
		far_sends(world, i);
		HG_CHECK_EQ(kicks(), before);
		HG_CHECK(dev->driver->arm(dev));
		HG_CHECK_EQ(receive(world, dev), 1);
	}
	close(edges);
	end(world, dev);
}

static void s5_1_guest_is_asked_to_notify_only_while_nobody_looks(void)
{
	check_notifications(&world_vhost);
}

static void s5_1_guest_is_asked_to_notify_only_while_nobody_looks_packed(void)
{
	check_notifications(&world_vhost_packed);
}

/* ---- frames of all lengths ---------------------------------------------------------------------- */

#define MIXTURE_ROUNDS 300u
#define MIXTURE_BURST 32u
#define LONGEST 5000u

/* Short ones, for which buffers are found ahead, among long ones that need several: both ways in turn. */
static unsigned length_of(uint32_t number)
{
	static const unsigned lengths[] = {60, 60, 61, 127, 128, 129, 1514, LONGEST};

	return lengths[(number * 2654435761u >> 16) % (sizeof(lengths) / sizeof(lengths[0]))];
}

static void check_frame(const uint8_t *frame, size_t n_bytes, uint32_t number)
{
	uint8_t wanted[LONGEST];

	HG_CHECK_EQ(n_bytes, length_of(number));
	world_frame(wanted, length_of(number), number);
	HG_CHECK(memcmp(frame, wanted, length_of(number)) == 0);
}

static void guest_sends_some(uint64_t n, uint32_t *n_sent)
{
	uint8_t frame[LONGEST];

	for (; n > 0; n--) {
		world_frame(frame, length_of(*n_sent), *n_sent);
		if (!guest_send(world_vhost_guest(), 0, frame, length_of(*n_sent), NULL))
			return;
		(*n_sent)++;
	}
}

static void receive_some(struct world *world, struct hg_dev *dev, unsigned n, uint32_t *n_got)
{
	struct hg_pkt *pkts[MIXTURE_BURST];
	uint8_t frame[LONGEST];

	n = dev->driver->rx(dev, pkts, n, world_now_ns());
	for (unsigned i = 0; i < n; i++)
		check_frame(frame, world_flatten(pkts[i], frame, sizeof(frame)), (*n_got)++);
	if (n > 0)
		hg_pool_put(&world->heap.pool, pkts, n);
}

static void transmit_some(struct world *world, struct hg_dev *dev, unsigned n, uint32_t *n_sent)
{
	struct hg_pkt *pkts[MIXTURE_BURST];
	uint8_t frame[LONGEST];
	unsigned n_done;

	for (unsigned i = 0; i < n; i++) {
		world_frame(frame, length_of(*n_sent + i), *n_sent + i);
		pkts[i] = world_chain(world, frame, length_of(*n_sent + i), 2048);
		pkts[i]->flags = 0;
		pkts[i]->gso = HG_GSO_NONE;
	}
	n_done = dev->driver->tx(dev, 0, pkts, n, world_now_ns());
	if (n_done < n)
		hg_pool_put(&world->heap.pool, pkts + n_done, n - n_done);
	*n_sent += n_done;
}

static void guest_receives_some(uint64_t n, uint32_t *n_got)
{
	uint8_t frame[LONGEST];
	size_t n_bytes;

	while (n-- > 0 &&
	       (n_bytes = guest_receive(world_vhost_guest(), 0, frame, sizeof(frame), NULL)) > 0)
		check_frame(frame, n_bytes, (*n_got)++);
}

/* And at any time the rings say what was taken, neither more nor less: whoever comes after us goes on from there. */
static void check_mixture(struct world *world)
{
	uint32_t n_in = 0, n_received = 0, n_transmitted = 0, n_out = 0;
	struct hg_dev *dev = begin(world);
	uint64_t random = hg_test_seed;

	(void)receive(world, dev);
	for (unsigned round = 0; round < MIXTURE_ROUNDS; round++) {
		guest_sends_some(hg_test_between(&random, 0, 2 * MIXTURE_BURST), &n_in);
		receive_some(world, dev, (unsigned)hg_test_between(&random, 1, MIXTURE_BURST),
			     &n_received);
		HG_CHECK_EQ(guest_unreturned(world_vhost_guest(), 0), n_in - n_received);
		transmit_some(world, dev, (unsigned)hg_test_between(&random, 1, MIXTURE_BURST),
			      &n_transmitted);
		guest_receives_some(hg_test_between(&random, 0, 2 * MIXTURE_BURST), &n_out);
	}
	guest_receives_some(UINT32_MAX, &n_out);
	HG_CHECK_EQ(n_out, n_transmitted);
	HG_CHECK(n_out > MIXTURE_ROUNDS && n_received > MIXTURE_ROUNDS);
	end(world, dev);
}

static void s5_1_frames_of_all_lengths_keep_their_order_both_ways(void)
{
	check_mixture(&world_vhost);
}

static void s5_1_frames_of_all_lengths_keep_their_order_both_ways_packed(void)
{
	check_mixture(&world_vhost_packed);
}

/* ---- headers ------------------------------------------------------------------------------------ */

#define HEADER_ROUNDS 50u

/* What is there already need not be written again; all else must, be it what the guest left or what a frame before had. */
static void check_headers(struct world *world)
{
	struct hg_dev *dev = begin(world);

	for (uint32_t i = 0; i < HEADER_ROUNDS * MIXTURE_BURST; i++) {
		struct virtio_net_hdr_mrg_rxbuf header;
		uint8_t frame[128], wanted[sizeof(frame)];
		struct hg_pkt *pkt;

		world_frame(wanted, 60 + i % 8, i);
		pkt = world_chain(world, wanted, 60 + i % 8, 2048);
		pkt->gso = HG_GSO_NONE;
		pkt->flags = i % 5 == 0 ? HG_PKT_NEEDS_CSUM : 0;
		pkt->csum_start = 34;
		pkt->csum_offset = 6;
		HG_CHECK_EQ(dev->driver->tx(dev, 0, &pkt, 1, world_now_ns()), 1);
		HG_CHECK_EQ(guest_receive(world_vhost_guest(), 0, frame, sizeof(frame), &header),
			    60 + i % 8);
		HG_CHECK(memcmp(frame, wanted, 60 + i % 8) == 0);
		HG_CHECK_EQ(header.num_buffers, 1);
		HG_CHECK_EQ(header.hdr.flags, i % 5 == 0 ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0);
		HG_CHECK_EQ(header.hdr.csum_start, i % 5 == 0 ? 34 : 0);
		HG_CHECK_EQ(header.hdr.csum_offset, i % 5 == 0 ? 6 : 0);
		HG_CHECK_EQ(header.hdr.gso_type | header.hdr.gso_size | header.hdr.hdr_len, 0);
	}
	end(world, dev);
}

static void s5_1_header_is_the_frames_own_whatever_its_buffer_held(void)
{
	check_headers(&world_vhost);
	check_headers(&world_vhost_apart);
}

static void s5_1_header_is_the_frames_own_whatever_its_buffer_held_packed(void)
{
	check_headers(&world_vhost_packed_apart);
}

/* ---- several queues ----------------------------------------------------------------------------- */

#define QUEUE_FRAMES 64u
#define BURST 32u
#define N_FLOWS 64u
#define FLOW_FRAMES 10u

/* Every queue has its turn, a burst at a time, and keeps its order. */
static void s5_1_queues_of_a_guest_are_received_from_in_turn(void)
{
	struct world *world = &world_vhost_queues;
	struct hg_dev *dev = begin(world);
	uint8_t frame[60], next[WORLD_VHOST_QUEUES] = {0};

	HG_CHECK_EQ(guest_n_pairs(world_vhost_guest()), WORLD_VHOST_QUEUES);
	(void)receive(world, dev);
	for (unsigned i = 0; i < WORLD_VHOST_QUEUES * QUEUE_FRAMES; i++) {
		world_frame(frame, sizeof(frame), i);
		frame[14] = (uint8_t)(i / QUEUE_FRAMES);
		frame[15] = (uint8_t)(i % QUEUE_FRAMES);
		HG_CHECK(guest_send(world_vhost_guest(), frame[14], frame, sizeof(frame), NULL));
	}
	for (unsigned turn = 0; turn < WORLD_VHOST_QUEUES * QUEUE_FRAMES / BURST; turn++) {
		struct hg_pkt *pkts[BURST];
		unsigned n = dev->driver->rx(dev, pkts, BURST, world_now_ns());

		HG_CHECK_EQ(n, BURST);
		for (unsigned i = 0; i < n; i++) {
			uint8_t queue = pkts[i]->data[14];

			HG_CHECK_EQ(queue, pkts[0]->data[14]);
			HG_CHECK_EQ(pkts[i]->data[15], next[queue]++);
		}
		/* All have had as many turns, or one more. */
		for (unsigned q = 0; q < WORLD_VHOST_QUEUES; q++)
			HG_CHECK_BETWEEN(next[q], turn / WORLD_VHOST_QUEUES * BURST,
					 (turn / WORLD_VHOST_QUEUES + 1) * BURST);
		hg_pool_put(&world->heap.pool, pkts, n);
	}
	end(world, dev);
}

struct flows {
	uint8_t queue[N_FLOWS], next[N_FLOWS];
	unsigned n_got, n_queues_used;
};

static void take_in(struct flows *flows)
{
	uint8_t frame[128];

	for (unsigned queue = 0; queue < WORLD_VHOST_QUEUES; queue++) {
		while (guest_receive(world_vhost_guest(), queue, frame, sizeof(frame), NULL) > 0) {
			uint8_t flow = frame[35], number = frame[42];

			HG_CHECK(flow < N_FLOWS);
			if (number == 0)
				flows->queue[flow] = (uint8_t)queue;
			HG_CHECK_EQ(queue, flows->queue[flow]);
			HG_CHECK_EQ(number, flows->next[flow]++);
			flows->n_queues_used |= 1u << queue;
			flows->n_got++;
		}
	}
}

/* A UDP frame over IPv4, flow by its source port. */
static struct hg_pkt *flow_packet(struct world *world, uint8_t flow, uint8_t number)
{
	static const uint8_t ip[] = {0x45, 0, 0,  46, 0, 0, 0, 0, 64, 17, 0, 0,  10, 0,
				     0,    1, 10, 0,  0, 2, 0, 0, 0,  9,  0, 26, 0,  0};
	enum hg_drop reason;
	uint8_t frame[60];
	struct hg_pkt *pkt;

	world_frame(frame, sizeof(frame), number);
	frame[12] = 8;
	frame[13] = 0;
	memcpy(frame + 14, ip, sizeof(ip));
	frame[35] = flow;
	frame[42] = number;
	pkt = world_chain(world, frame, sizeof(frame), sizeof(frame));
	pkt->flags = 0;
	pkt->gso = HG_GSO_NONE;
	HG_CHECK(hg_parse(pkt, &reason));
	return pkt;
}

static void s5_1_flow_stays_on_one_queue_of_a_guest_in_order(void)
{
	struct world *world = &world_vhost_queues;
	struct hg_dev *dev = begin(world);
	struct flows flows = {0};

	for (unsigned i = 0; i < N_FLOWS * FLOW_FRAMES; i += BURST) {
		struct hg_pkt *pkts[BURST];

		for (unsigned j = 0; j < BURST; j++)
			pkts[j] = flow_packet(world, (uint8_t)((i + j) % N_FLOWS),
					      (uint8_t)((i + j) / N_FLOWS));
		HG_CHECK_EQ(dev->driver->tx(dev, 0, pkts, BURST, world_now_ns()), BURST);
		take_in(&flows);
	}
	HG_CHECK_EQ(flows.n_got, N_FLOWS * FLOW_FRAMES);
	HG_CHECK_EQ(flows.n_queues_used, (1u << WORLD_VHOST_QUEUES) - 1u);
	end(world, dev);
}

/* ---- what an operator sees and sets -------------------------------------------------------------- */

static struct hg_dev_state state_of(const struct hg_dev *dev)
{
	struct hg_dev_state state;
	struct hg_dev_stats stats;

	dev->driver->sample(dev, &state, &stats);
	return state;
}

/* Until the port is down for that reason: the library tells in steps. */
static void wait_down(const struct hg_dev *dev, const char *reason)
{
	struct hg_dev_state state = state_of(dev);

	for (unsigned n_in_vain = 0;
	     (state.link == HG_DEV_UP || strstr(state.last_reason, reason) == NULL) &&
	     n_in_vain < WORLD_VHOST_PATIENCE;
	     n_in_vain++) {
		(void)poll(NULL, 0, 10);
		state = state_of(dev);
	}
	HG_CHECK(state.link != HG_DEV_UP);
	HG_CHECK_HAS(state.last_reason, reason);
}

/* A guest that is sent away is back before anybody has looked; what it did is told all the same. */
static void s5_1_why_a_guest_was_lost_is_told_when_it_is_back(void)
{
	struct world *world = &world_vhost;
	struct hg_dev *dev = begin(world);
	struct guest_ring *ring = guest_ring(world_vhost_guest(), 1);
	hg_ns before_ns;

	HG_CHECK_STR(state_of(dev).last_reason, "");
	/* More than the ring has, so that the worker leaves it alone. */
	__atomic_store_n(&ring->avail->idx, (uint16_t)(ring->avail->idx + ring->size + 1u),
			 __ATOMIC_RELEASE);
	(void)receive(world, dev);
	wait_down(dev, "more descriptors than it has");
	/* Another machine in its place. */
	world->tear_down(world);
	HG_CHECK(world->build(world) == NULL);
	world->meet(world, dev);
	HG_CHECK_STR(state_of(dev).reason, "");
	HG_CHECK_HAS(state_of(dev).last_reason, "more descriptors than it has");
	before_ns = state_of(dev).last_reason_at_ns;
	HG_CHECK(before_ns > 0 && before_ns <= world_now_ns());
	world->vanish(world);
	wait_down(dev, "went away");
	world->come_back(world);
	world->meet(world, dev);
	HG_CHECK_HAS(state_of(dev).last_reason, "went away");
	HG_CHECK(state_of(dev).last_reason_at_ns >= before_ns);
	end(world, dev);
}

/* What is seen of a machine whose memory is its own: a file full of zeros. */
static void check_blank(struct world *world)
{
	static const char says[] = " holds nothing here: it is not shared (share=on)";
	struct hg_dev *dev = begin(world);
	struct guest_memory *memory = guest_memory(world_vhost_guest());
	hg_ns until_ns = world_now_ns() + 5 * HG_NS_PER_S;

	HG_CHECK_EQ(state_of(dev).link, HG_DEV_UP);
	world->vanish(world);
	wait_down(dev, "went away");
	memset(memory->bytes, 0, memory->n_bytes);
	world->come_back(world);
	while (strstr(state_of(dev).reason, says) == NULL && world_now_ns() < until_ns)
		(void)guest_serve(world_vhost_guest());
	HG_CHECK_HAS(state_of(dev).reason, says);
	HG_CHECK_EQ(state_of(dev).link, HG_DEV_DOWN);
	/* With the first word that the machine writes all is well. */
	memory->bytes[0] = 1;
	HG_CHECK_EQ(state_of(dev).link, HG_DEV_UP);
	HG_CHECK_STR(state_of(dev).reason, "");
	end(world, dev);
}

static void s5_1_memory_that_is_not_shared_is_told(void)
{
	check_blank(&world_vhost);
}

static void s5_1_memory_that_is_not_shared_is_told_packed(void)
{
	check_blank(&world_vhost_packed);
}

/* What is under way arrives, and both sides go on where they were. */
static void check_mtu(struct world *world)
{
	struct hg_dev *dev = begin(world);
	struct hg_dev_cfg cfg = {.device = "vhost", .netns = "", .mtu = 9000};
	uint64_t n_connected = guest_counts(world_vhost_guest()).n_connected;
	uint8_t frame[60], got[128];

	(void)receive(world, dev);
	for (unsigned i = 0; i < 300; i++) {
		struct hg_pkt *pkt = NULL;

		far_sends(world, i);
		cfg.mtu = i % 2 == 0 ? 9000 : 1500;
		HG_CHECK_EQ(dev->driver->adjust(dev, &cfg, NULL), 0);
		HG_CHECK_EQ(state_of(dev).link, HG_DEV_UP);
		HG_CHECK_EQ(state_of(dev).mtu, cfg.mtu);
		HG_CHECK_EQ(receive(world, dev), 1);
		HG_CHECK_EQ(hg_dev_mtu(dev), cfg.mtu);
		world_frame(frame, sizeof(frame), i);
		pkt = world_chain(world, frame, sizeof(frame), sizeof(frame));
		HG_CHECK_EQ(dev->driver->tx(dev, 0, &pkt, 1, world_now_ns()), 1);
		HG_CHECK_EQ(world->far_recv(world, got, sizeof(got)), sizeof(frame));
		HG_CHECK_EQ(memcmp(got, frame, sizeof(frame)), 0);
	}
	HG_CHECK_EQ(guest_counts(world_vhost_guest()).n_connected, n_connected);
	end(world, dev);
}

static void s5_1_guest_in_use_gets_another_mtu(void)
{
	check_mtu(&world_vhost);
}

static void s5_1_guest_in_use_gets_another_mtu_packed(void)
{
	check_mtu(&world_vhost_packed);
}

/* ---- the socket --------------------------------------------------------------------------------- */

static int listen_at(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 1) < 0)
		HG_SKIP("no unix socket can be made here");
	return fd;
}

static void s5_1_socket_with_an_owner_is_refused_by_name(void)
{
	char path[64], number[16];
	struct hg_error err = {0};
	int fd;

	snprintf(path, sizeof(path), "/tmp/headgate-vhost-%d.sock", getpid());
	snprintf(number, sizeof(number), "%d", getpid());
	HG_CHECK_EQ(hg_vhost_prepare_listen(path, &err), 0);
	fd = listen_at(path);
	HG_CHECK_EQ(hg_vhost_prepare_listen(path, &err), -HG_EBUSY);
	HG_CHECK_HAS(err.text, path);
	HG_CHECK_HAS(err.text, number);
	/* Its owner is gone and left it. */
	close(fd);
	HG_CHECK_EQ(hg_vhost_prepare_listen(path, NULL), 0);
	HG_CHECK(access(path, F_OK) != 0);
	/* What is no socket is nobody's to remove. */
	HG_CHECK_EQ(mkdir(path, 0700), 0);
	err = (struct hg_error){0};
	HG_CHECK_EQ(hg_vhost_prepare_listen(path, &err), -HG_EBUSY);
	HG_CHECK_HAS(err.text, "not a socket");
	HG_CHECK_EQ(rmdir(path), 0);
}

static int open_port(const char *port, const char *device, struct hg_dev **ret_dev,
		     struct hg_error *reterr)
{
	const struct hg_dev_cfg cfg = {.device = device,
				       .netns = "",
				       .port = port,
				       .mtu = 1500,
				       .pool = &world_vhost.heap.pool};

	return hg_dev_open(&cfg, ret_dev, reterr);
}

static void check_taken(const char *device, const char *by)
{
	struct hg_error err = {0};
	struct hg_dev *dev;

	HG_CHECK_EQ(open_port("web2-0", device, &dev, &err), -HG_EBUSY);
	HG_CHECK_HAS(err.text, by);
}

static void s5_1_one_socket_is_one_ports_however_it_is_written(void)
{
	char device[120], other[120], link[64], alias[64];
	struct hg_dev *dev;
	int pid = getpid();

	heap_pool_init(&world_vhost.heap);
	snprintf(device, sizeof(device), "vhost:/tmp/hg-one-%d.sock", pid);
	HG_CHECK_EQ(open_port("web1-0", device, &dev, NULL), 0);
	check_taken(device, "belongs to port web1-0");
	snprintf(other, sizeof(other), "vhost(queues=2):/tmp//hg-one-%d.sock", pid);
	check_taken(other, "belongs to port web1-0");
	snprintf(other, sizeof(other), "vhost(listen=on):/tmp/../tmp/./hg-one-%d.sock", pid);
	check_taken(other, "belongs to port web1-0");
	snprintf(link, sizeof(link), "/tmp/hg-one-%d.link", pid);
	HG_CHECK_EQ(symlink("/tmp", link), 0);
	snprintf(other, sizeof(other), "vhost:%s/hg-one-%d.sock", link, pid);
	check_taken(other, "belongs to port web1-0");
	/* To the socket itself, which is not there yet. */
	snprintf(alias, sizeof(alias), "/tmp/hg-one-%d.alias", pid);
	HG_CHECK_EQ(symlink(device + strlen("vhost:/tmp/"), alias), 0);
	snprintf(other, sizeof(other), "vhost:%s", alias);
	check_taken(other, "belongs to port web1-0");
	HG_CHECK_EQ(unlink(alias), 0);
	dev->driver->rename(dev, "db1-0");
	check_taken(device, "belongs to port db1-0");
	snprintf(other, sizeof(other), "vhost:%s/hg-one-%d.sock", link, pid);
	dev->driver->close(dev, false);
	/* Another in the same directory, and the same one when it is free. */
	HG_CHECK_EQ(open_port("web2-0", other, &dev, NULL), 0);
	check_taken(device, "belongs to port web2-0");
	dev->driver->close(dev, false);
	HG_CHECK_EQ(unlink(link), 0);
}

static void check_reason(const struct hg_dev *dev, const char *says)
{
	struct hg_dev_state state;
	struct hg_dev_stats stats;

	dev->driver->sample(dev, &state, &stats);
	HG_CHECK_EQ(state.link, HG_DEV_DOWN);
	HG_CHECK_HAS(state.reason, "waiting for the guest at /tmp/hg-one-");
	HG_CHECK_HAS(state.reason, says);
}

static void s5_1_why_nobody_is_at_a_socket_is_told(void)
{
	char path[64], device[80];
	struct hg_error err = {0};
	struct hg_dev *dev;

	heap_pool_init(&world_vhost.heap);
	snprintf(path, sizeof(path), "/tmp/hg-one-%d.sock", (int)getpid());
	snprintf(device, sizeof(device), "vhost:%s", path);
	HG_CHECK_EQ(open_port("web1-0", device, &dev, NULL), 0);
	check_reason(dev, ", where no socket is yet");
	HG_CHECK_EQ(symlink(path, path), 0);
	check_reason(dev, ", a symbolic link that leads to itself");
	HG_CHECK_EQ(unlink(path), 0);
	HG_CHECK_EQ(mkdir(path, 0700), 0);
	check_reason(dev, ", which is not a socket");
	HG_CHECK_EQ(rmdir(path), 0);
	close(listen_at(path));
	check_reason(dev, ", where nobody listens");
	HG_CHECK_EQ(unlink(path), 0);
	dev->driver->close(dev, false);
	/* Where none can be made. */
	HG_CHECK_EQ(open_port("web1-0", "vhost:/tmp/hg-none/x.sock", &dev, &err), -HG_ENOENT);
	HG_CHECK_HAS(err.text, "/tmp/hg-none: No such file or directory");
	HG_CHECK_EQ(open_port("web1-0", "vhost(listen=on):/proc/x.sock", &dev, &err), 0);
	err = (struct hg_error){0};
	HG_CHECK_EQ(dev->driver->start(dev, &err), -HG_EIO);
	HG_CHECK_HAS(err.text, "cannot listen at /proc/x.sock: ");
	dev->driver->close(dev, false);
}

/* A whole path, and the end of the sentence behind it, of the longest that a unix socket can have. */
static void s5_1_reason_with_the_longest_path_is_whole(void)
{
	char folder[HG_VHOST_PATH_BYTES], path[HG_VHOST_PATH_BYTES], device[128], says[256];
	struct hg_dev_state state;
	struct hg_dev_stats stats;
	struct hg_dev *dev;
	int n = snprintf(folder, sizeof(folder), "/tmp/hg-long-%d-", (int)getpid());

	heap_pool_init(&world_vhost.heap);
	memset(folder + n, 'x', sizeof(folder) - (size_t)n - 6u);
	folder[sizeof(folder) - 6u] = '\0';
	HG_CHECK_EQ(mkdir(folder, 0700), 0);
	HG_CHECK_EQ(snprintf(path, sizeof(path), "%s/sock", folder), sizeof(path) - 1u);
	snprintf(device, sizeof(device), "vhost:%s", path);
	snprintf(says, sizeof(says), "waiting for the guest at %s, where no socket is yet", path);
	HG_CHECK_EQ(open_port("web1-0", device, &dev, NULL), 0);
	dev->driver->sample(dev, &state, &stats);
	HG_CHECK_STR(state.reason, says);
	dev->driver->close(dev, false);
	HG_CHECK_EQ(rmdir(folder), 0);
}

static void s5_1_text_of_a_port_is_checked(void)
{
	struct hg_error err = {0};
	char text[180] = "vhost:/";

	HG_CHECK_EQ(hg_dev_check("vhost:web1.sock", NULL, NULL), 0);
	HG_CHECK_EQ(hg_dev_check("vhost(queues=16,listen=on):/tmp/web1.sock", NULL, NULL), 0);
	HG_CHECK_EQ(hg_dev_check("vhost:web1.sock", "", NULL), 0);
	HG_CHECK_EQ(hg_dev_check("tap:web1", "red", NULL), 0);
	HG_CHECK_EQ(hg_dev_check("simnic(rate=1Gbit)+tap:web1", "red", NULL), 0);
	HG_CHECK_EQ(hg_dev_check("simnic(rate=1Gbit)+vhost:web1.sock", "red", &err), -HG_EINVAL);
	HG_CHECK_STR(err.text, "a vhost device is in no network namespace, so that it cannot be in "
			       "\"red\": leave it out; it is for tap, packet, xdp");
	err = (struct hg_error){0};
	HG_CHECK_EQ(hg_dev_check("vhost(queues=17):web1.sock", NULL, &err), -HG_EINVAL);
	err = (struct hg_error){0};
	HG_CHECK_EQ(hg_dev_check("vhost(listen=maybe):web1.sock", NULL, &err), -HG_EINVAL);
	HG_CHECK_STR(err.text, "the device parameter listen: \"maybe\" is not one of: off, on");
	err = (struct hg_error){0};
	HG_CHECK_EQ(hg_dev_check("vhost:/run/vms/", NULL, &err), -HG_EINVAL);
	HG_CHECK_STR(err.text, "the path of the socket /run/vms/ ends as a directory's, without a "
			       "name for the socket");
	HG_CHECK_EQ(hg_dev_check("vhost:/", NULL, NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_dev_check("vhost:..", NULL, NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_dev_check("vhost:vms/.", NULL, NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_dev_check("vhost:/run/..sock", NULL, NULL), 0);
	HG_CHECK_EQ(hg_dev_check("vhost(rings=2):web1.sock", NULL, &err), -HG_EINVAL);
	memset(text + 7, 'x', 120);
	HG_CHECK_EQ(hg_dev_check(text, NULL, &err), -HG_EINVAL);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_guest_is_asked_to_notify_only_while_nobody_looks),
		HG_TEST(s5_1_guest_is_asked_to_notify_only_while_nobody_looks_packed),
		HG_TEST(s5_1_frames_of_all_lengths_keep_their_order_both_ways),
		HG_TEST(s5_1_frames_of_all_lengths_keep_their_order_both_ways_packed),
		HG_TEST(s5_1_header_is_the_frames_own_whatever_its_buffer_held),
		HG_TEST(s5_1_header_is_the_frames_own_whatever_its_buffer_held_packed),
		HG_TEST(s5_1_queues_of_a_guest_are_received_from_in_turn),
		HG_TEST(s5_1_flow_stays_on_one_queue_of_a_guest_in_order),
		HG_TEST(s5_1_why_a_guest_was_lost_is_told_when_it_is_back),
		HG_TEST(s5_1_guest_in_use_gets_another_mtu),
		HG_TEST(s5_1_guest_in_use_gets_another_mtu_packed),
		HG_TEST(s5_1_socket_with_an_owner_is_refused_by_name),
		HG_TEST(s5_1_one_socket_is_one_ports_however_it_is_written),
		HG_TEST(s5_1_memory_that_is_not_shared_is_told),
		HG_TEST(s5_1_memory_that_is_not_shared_is_told_packed),
		HG_TEST(s5_1_why_nobody_is_at_a_socket_is_told),
		HG_TEST(s5_1_reason_with_the_longest_path_is_whole),
		HG_TEST(s5_1_text_of_a_port_is_checked),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
