#include "drivers/xdp.h"

#include "drivers/claim.h"
#include "drivers/counts.h"
#include "drivers/link.h"
#include "drivers/netns.h"
#include "drivers/psock.h"
#include "drivers/text.h"
#include "drivers/xdp_prog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/xsk.h>

/* Each way. A power of two; at 1 Mpps a worker may be away for a ms. */
#define N_FRAMES 1024u
/* Chunks that the kernel allows, and what it keeps of each for itself. */
#define CHUNK_SMALL 2048u
#define CHUNK_LARGE 4096u
#define MTU_SMALL 1700u
#define MTU_MAX 3800u
/* Ethernet header and two tags. */
#define L2_BYTES 22u
/* The kernel sends so many for one call. */
#define KICK_PKTS 32u
/* How often frames for groups are looked for while others flow. */
#define GROUP_EVERY 16u
/* After as many empty turns in a row an error is looked for: it would wake a sleeper for ever. */
#define ERROR_EVERY 64u
/* When to look for completions again: soon, and ever later while none come. */
#define LOOK_MIN_NS (50 * HG_NS_PER_US)
#define LOOK_MAX_NS (10 * HG_NS_PER_MS)
/* How long to wait for a queue that the kernel has yet to free: half a second, in all. */
#define BUSY_WAITS 100
#define BUSY_WAIT_MS 5

struct xdp {
	struct hg_dev dev;
	struct hg_pool *pool;
	struct hg_scratches *scratches;
	struct hg_dev_counts counts;

	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons done, rx;
	uint8_t *memory;
	size_t memory_bytes;
	uint32_t chunk_bytes;
	struct hg_pkt *in_flight[N_FRAMES]; /* by frame for sending; NULL: free */
	uint32_t free_frames[N_FRAMES]; /* a stack of them */
	uint32_t n_free; /* read by who samples */
	uint32_t n_empty_turns, n_turns;
	hg_ns look_for_ns; /* the next wait for completions */

	struct hg_xdp_prog prog;
	int group_fd; /* packet socket; -1 for a port */
	int wait_fd; /* epoll over both */
	int claim_fd;
	int if_idx;
	bool is_uplink;
	char name[IFNAMSIZ];
	struct hg_netns_id netns;
};

/* ---- life --------------------------------------------------------------------------------------- */

static int xdp_check(const char *device, struct hg_error *reterr)
{
	return hg_dev_text_check_interface(device, reterr);
}

/* Only the first receive queue is served; a card that spreads over more would lose frames to the host. */
static int check_queues(const struct xdp *xdp, struct hg_error *reterr)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq request = {.ifr_data = (void *)&channels};

	memcpy(request.ifr_name, xdp->name, IFNAMSIZ);
	if (ioctl(xdp->claim_fd, SIOCETHTOOL, &request) == 0 &&
	    channels.combined_count + channels.rx_count > 1)
		return hg_error_set(reterr, -HG_ENOTSUP, "the interface ", xdp->name,
				    " has several receive queues; set one with ethtool -L ",
				    xdp->name, " combined 1", NULL);
	return 0;
}

static int make_memory(struct xdp *xdp, struct hg_error *reterr)
{
	struct xsk_umem_config cfg = {
		.fill_size = N_FRAMES,
		.comp_size = N_FRAMES,
		.frame_size = xdp->chunk_bytes,
	};
	void *memory;
	int r;

	xdp->memory_bytes = (size_t)2 * N_FRAMES * xdp->chunk_bytes;
	memory = mmap(NULL, xdp->memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (memory == MAP_FAILED)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for an AF_XDP socket", NULL);
	xdp->memory = memory;
	r = xsk_umem__create(&xdp->umem, memory, xdp->memory_bytes, &xdp->fill, &xdp->done, &cfg);
	if (r < 0)
		return hg_errno_refuse(reterr, -r, "cannot make the memory of the AF_XDP socket on",
				       xdp->name);
	return 0;
}

static int make_socket(struct xdp *xdp, struct hg_error *reterr)
{
	struct xsk_socket_config cfg = {
		.rx_size = N_FRAMES,
		.tx_size = N_FRAMES,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
	};
	uint32_t at = 0;
	int r = xsk_socket__create(&xdp->xsk, xdp->name, 0, xdp->umem, &xdp->rx, &xdp->tx, &cfg);

	if (r == -EBUSY)
		return -HG_EAGAIN;
	if (r < 0)
		return hg_errno_refuse(reterr, -r, "cannot make an AF_XDP socket on", xdp->name);
	/* The first half of the frames is for receiving, the second for sending. */
	xsk_ring_prod__reserve(&xdp->fill, N_FRAMES, &at);
	for (uint32_t i = 0; i < N_FRAMES; i++)
		*xsk_ring_prod__fill_addr(&xdp->fill, at + i) = (uint64_t)i * xdp->chunk_bytes;
	xsk_ring_prod__submit(&xdp->fill, N_FRAMES);
	for (uint32_t i = 0; i < N_FRAMES; i++)
		xdp->free_frames[i] = N_FRAMES - 1u - i;
	xdp->n_free = N_FRAMES;
	return 0;
}

static void drop_memory(struct xdp *xdp)
{
	if (xdp->umem != NULL)
		xsk_umem__delete(xdp->umem);
	if (xdp->memory != NULL)
		munmap(xdp->memory, xdp->memory_bytes);
	xdp->umem = NULL;
	xdp->memory = NULL;
}

/* The kernel frees a queue some time after its last socket was closed, and tells nobody when: so a device
 * that is opened again at once asks again. Milliseconds, as a rule; the claim says that no other headgate
 * has it. */
static int make_both(struct xdp *xdp, struct hg_error *reterr)
{
	for (int waits = 0; waits < BUSY_WAITS; waits++) {
		int r = make_memory(xdp, reterr);

		if (r == 0)
			r = make_socket(xdp, reterr);
		if (r != -HG_EAGAIN)
			return r;
		drop_memory(xdp);
		poll(NULL, 0, BUSY_WAIT_MS);
	}
	return hg_error_set(reterr, -HG_EBUSY, "the first queue of ", xdp->name,
			    " has an AF_XDP socket of somebody else", NULL);
}

/* Runs in the interface's namespace. */
static int open_here(struct xdp *xdp, struct hg_error *reterr)
{
	struct hg_link link;
	int r = hg_link_get(HG_LINK_HERE, xdp->name, &link, reterr);

	if (r < 0)
		return r;
	if (link.mtu > MTU_MAX)
		return hg_error_set(reterr, -HG_ENOTSUP, "the MTU of ", xdp->name,
				    " is more than the 3800 that xdp can carry", NULL);
	xdp->if_idx = link.idx;
	xdp->dev.mtu = link.mtu;
	xdp->chunk_bytes = link.mtu > MTU_SMALL ? CHUNK_LARGE : CHUNK_SMALL;
	xdp->claim_fd = hg_claim(link.idx, xdp->name, reterr);
	if (xdp->claim_fd < 0)
		return xdp->claim_fd;
	r = check_queues(xdp, reterr);
	if (r == 0)
		r = make_both(xdp, reterr);
	if (r == 0 && xdp->is_uplink) {
		xdp->group_fd = hg_psock_open(xdp->name, reterr);
		r = xdp->group_fd < 0 ? xdp->group_fd : 0;
	}
	return r;
}

static int wait_for(struct xdp *xdp, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(xdp->wait_fd, EPOLL_CTL_ADD, fd, &event);
}

static int acquire(struct xdp *xdp, const struct hg_dev_cfg *cfg, struct hg_error *reterr)
{
	struct hg_netns inside;
	int r = hg_xdp_prog_open(&xdp->prog, !xdp->is_uplink, reterr);

	if (r == 0)
		r = hg_netns_watch(cfg->netns, &xdp->netns, reterr);
	if (r == 0)
		r = hg_netns_enter(xdp->netns.name, &inside, reterr);
	if (r < 0)
		return r;
	r = open_here(xdp, reterr);
	hg_netns_leave(&inside);
	if (r < 0)
		return r;
	xdp->wait_fd = epoll_create1(EPOLL_CLOEXEC);
	if (xdp->wait_fd < 0 || wait_for(xdp, xsk_socket__fd(xdp->xsk)) < 0 ||
	    (xdp->group_fd >= 0 && wait_for(xdp, xdp->group_fd) < 0))
		return hg_errno_refuse(reterr, errno, "cannot wait for", xdp->name);
	return 0;
}

static void destroy(struct xdp *xdp)
{
	const int fds[] = {xdp->wait_fd, xdp->group_fd, xdp->claim_fd};

	hg_xdp_prog_close(&xdp->prog);
	if (xdp->xsk != NULL)
		xsk_socket__delete(xdp->xsk);
	drop_memory(xdp);
	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	hg_scratch_release(xdp->scratches);
	free(xdp);
}

static int xdp_open(const struct hg_dev_cfg *cfg, struct hg_dev **ret_dev, struct hg_error *reterr)
{
	struct hg_dev_text text;
	struct xdp *xdp;
	int r = xdp_check(cfg->device, reterr);

	if (r == 0)
		r = hg_dev_text_parse(cfg->device, &text, reterr);
	if (r < 0)
		return r;
	xdp = calloc(1, sizeof(*xdp));
	if (xdp == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for an AF_XDP device", NULL);
	xdp->dev.driver = &hg_driver_xdp;
	xdp->dev.n_tx_queues = 1;
	xdp->pool = cfg->pool;
	xdp->is_uplink = cfg->is_uplink;
	xdp->prog = (struct hg_xdp_prog){-1, -1, -1, -1, false};
	xdp->group_fd = -1;
	xdp->wait_fd = -1;
	xdp->claim_fd = -1;
	xdp->look_for_ns = LOOK_MIN_NS;
	strncpy(xdp->name, text.name, IFNAMSIZ - 1u);
	xdp->scratches = hg_scratch_acquire(cfg->pool);
	r = xdp->scratches == NULL
		    ? hg_error_set(reterr, -HG_ENOMEM, "no memory for an AF_XDP device", NULL)
		    : acquire(xdp, cfg, reterr);
	if (r < 0) {
		destroy(xdp);
		return r;
	}
	*ret_dev = &xdp->dev;
	return 0;
}

/* Lets frames for groups through to the packet socket: bit 0 of the first byte. */
static int bind_groups(struct xdp *xdp, struct hg_error *reterr)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (xdp->group_fd < 0)
		return 0;
	if (setsockopt(xdp->group_fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0)
		return hg_errno_refuse(reterr, errno, "cannot filter the packet socket for",
				       xdp->name);
	return hg_psock_bind(xdp->group_fd, xdp->if_idx, xdp->name, reterr);
}

static int xdp_start(struct hg_dev *dev, struct hg_error *reterr)
{
	struct xdp *xdp = (struct xdp *)dev;
	struct hg_netns inside;
	int r = bind_groups(xdp, reterr);

	if (r == 0)
		r = hg_netns_enter(xdp->netns.name, &inside, reterr);
	if (r < 0)
		return r;
	r = hg_xdp_prog_attach(&xdp->prog, xdp->if_idx, xdp->name, xsk_socket__fd(xdp->xsk),
			       reterr);
	hg_netns_leave(&inside);
	return r;
}

/* The kernel still reads from frames that are under way, but those are the socket's, not the pool's. */
static void xdp_stop(struct hg_dev *dev)
{
	struct xdp *xdp = (struct xdp *)dev;

	for (unsigned i = 0; i < N_FRAMES; i++) {
		if (xdp->in_flight[i] != NULL)
			hg_pool_put(xdp->pool, &xdp->in_flight[i], 1);
		xdp->in_flight[i] = NULL;
	}
}

static void xdp_close(struct hg_dev *dev, bool keep)
{
	(void)keep; /* nothing of it outlives the process, nor needs to: the host takes over */
	if (dev != NULL)
		destroy((struct xdp *)dev);
}

/* ---- loss --------------------------------------------------------------------------------------- */

/* As in drivers/tap.c: no descriptor that is always ready. */
static void vanish(struct xdp *xdp, const char *why)
{
	int silent = eventfd(0, EFD_CLOEXEC);

	if (silent >= 0) {
		dup3(silent, xdp->wait_fd, O_CLOEXEC);
		close(silent);
	}
	hg_counts_gone(&xdp->counts, why);
}

/* Returns whether the interface is up. */
static bool look_after(struct xdp *xdp)
{
	struct ifreq request = {.ifr_ifindex = xdp->if_idx};

	if (ioctl(xdp->claim_fd, SIOCGIFNAME, &request) < 0) {
		if (errno == ENODEV)
			vanish(xdp, "the interface was deleted");
		return false;
	}
	return ioctl(xdp->claim_fd, SIOCGIFFLAGS, &request) == 0 &&
	       (request.ifr_flags & IFF_UP) != 0;
}

/* ---- receiving ---------------------------------------------------------------------------------- */

/* A copy of the frame in buffers of the pool, or NULL without any. */
static struct hg_pkt *copy_in(struct xdp *xdp, const uint8_t *frame, uint32_t n_bytes)
{
	struct hg_pkt *pkts[CHUNK_LARGE / HG_PKT_ROOM_BYTES];
	unsigned n = (n_bytes + HG_PKT_ROOM_BYTES - 1u) / HG_PKT_ROOM_BYTES;

	if (n == 0 || hg_pool_get(xdp->pool, pkts, n) == 0)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		uint32_t done = i * HG_PKT_ROOM_BYTES;
		uint32_t here =
			n_bytes - done < HG_PKT_ROOM_BYTES ? n_bytes - done : HG_PKT_ROOM_BYTES;

		memcpy(pkts[i]->data, frame + done, here);
		pkts[i]->n_bytes = (uint16_t)here;
		pkts[i]->tailroom = (uint16_t)(HG_PKT_ROOM_BYTES - here);
		pkts[i]->next = i + 1u < n ? pkts[i + 1u] : NULL;
	}
	pkts[0]->total_bytes = n_bytes;
	pkts[0]->flags = 0;
	pkts[0]->gso = HG_GSO_NONE;
	pkts[0]->gso_bytes = 0;
	pkts[0]->parts = 0;
	pkts[0]->wire_bytes = 0;
	return pkts[0];
}

static unsigned receive(struct xdp *xdp, struct hg_pkt **pkts, unsigned n)
{
	uint32_t from = 0, to = 0, n_frames = xsk_ring_cons__peek(&xdp->rx, n, &from);
	unsigned n_got = 0;

	if (n_frames == 0)
		return 0;
	/* Each frame taken is given back: the ring for free frames has room for all there are. */
	xsk_ring_prod__reserve(&xdp->fill, n_frames, &to);
	for (uint32_t i = 0; i < n_frames; i++) {
		const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&xdp->rx, from + i);
		struct hg_pkt *pkt =
			copy_in(xdp, xsk_umem__get_data(xdp->memory, desc->addr), desc->len);

		if (HG_LIKELY(pkt != NULL))
			pkts[n_got++] = pkt;
		else
			hg_count_add(&xdp->counts.drops[HG_DROP_NO_BUFFER], 1);
		*xsk_ring_prod__fill_addr(&xdp->fill, to + i) =
			desc->addr - desc->addr % xdp->chunk_bytes;
	}
	xsk_ring_cons__release(&xdp->rx, n_frames);
	xsk_ring_prod__submit(&xdp->fill, n_frames);
	return n_got;
}

/* Frames for groups; and what an idle turn must not overlook. */
static unsigned receive_groups(struct xdp *xdp, struct hg_pkt **pkts, unsigned n, bool is_empty)
{
	int errnum = 0;
	socklen_t size = sizeof(errnum);
	unsigned n_got = 0;

	if (xdp->group_fd >= 0 && (is_empty || xdp->n_turns++ % GROUP_EVERY == 0)) {
		n_got = hg_psock_receive(xdp->group_fd, xdp->scratches, xdp->pool, &xdp->counts,
					 pkts, n, &errnum);
	} else if (is_empty && ++xdp->n_empty_turns % ERROR_EVERY == 0) {
		getsockopt(xsk_socket__fd(xdp->xsk), SOL_SOCKET, SO_ERROR, &errnum, &size);
	}
	if (HG_UNLIKELY(errnum != 0))
		look_after(xdp);
	return n_got;
}

static unsigned xdp_rx(struct hg_dev *dev, struct hg_pkt **pkts, unsigned n, hg_ns now_ns)
{
	struct xdp *xdp = (struct xdp *)dev;
	uint64_t bytes = 0;
	unsigned n_got;

	(void)now_ns;
	if (HG_UNLIKELY(hg_counts_why_gone(&xdp->counts) != NULL))
		return 0;
	n_got = receive(xdp, pkts, n);
	if (n_got < n)
		n_got += receive_groups(xdp, pkts + n_got, n - n_got, n_got == 0);
	for (unsigned i = 0; i < n_got; i++)
		bytes += pkts[i]->total_bytes;
	hg_count_add(&xdp->counts.rx_pkts, n_got);
	hg_count_add(&xdp->counts.rx_bytes, bytes);
	return n_got;
}

/* ---- sending ------------------------------------------------------------------------------------ */

static void set_free(struct xdp *xdp, uint32_t n)
{
	__atomic_store_n(&xdp->n_free, n, __ATOMIC_RELAXED);
}

/* Takes back the frames that have left. Returns how many. */
static unsigned reap(struct xdp *xdp)
{
	uint32_t at = 0, n = xsk_ring_cons__peek(&xdp->done, N_FRAMES, &at);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t addr = *xsk_ring_cons__comp_addr(&xdp->done, at + i);
		uint32_t frame = (uint32_t)(addr / xdp->chunk_bytes) - N_FRAMES;

		hg_pool_put(xdp->pool, &xdp->in_flight[frame], 1);
		xdp->in_flight[frame] = NULL;
		xdp->free_frames[xdp->n_free] = frame;
		set_free(xdp, xdp->n_free + 1u);
	}
	if (n > 0)
		xsk_ring_cons__release(&xdp->done, n);
	return n;
}

static bool has_unsent(const struct xdp *xdp)
{
	return __atomic_load_n(xdp->tx.consumer, __ATOMIC_ACQUIRE) !=
	       __atomic_load_n(xdp->tx.producer, __ATOMIC_RELAXED);
}

/* Makes the kernel send what is in the ring, so many times as a burst may need. */
static void kick(struct xdp *xdp)
{
	for (unsigned turn = 0; turn < N_FRAMES / KICK_PKTS && has_unsent(xdp); turn++) {
		if (sendto(xsk_socket__fd(xdp->xsk), NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
			continue;
		if (errno == ENXIO || errno == ENETDOWN || errno == ENODEV)
			look_after(xdp);
		if (errno != EAGAIN || reap(xdp) == 0)
			return;
	}
}

static void put_in_ring(struct xdp *xdp, struct hg_pkt *pkt, uint32_t at)
{
	uint32_t frame = xdp->free_frames[xdp->n_free - 1u], n_bytes = 0;
	struct xdp_desc *desc = xsk_ring_prod__tx_desc(&xdp->tx, at);

	set_free(xdp, xdp->n_free - 1u);
	desc->addr = (uint64_t)(N_FRAMES + frame) * xdp->chunk_bytes;
	desc->options = 0;
	for (const struct hg_pkt *part = pkt; part != NULL; part = part->next) {
		memcpy(xdp->memory + desc->addr + n_bytes, part->data, part->n_bytes);
		n_bytes += part->n_bytes;
	}
	desc->len = n_bytes;
	xdp->in_flight[frame] = pkt;
}

static unsigned xdp_tx(struct hg_dev *dev, unsigned queue, struct hg_pkt **pkts, unsigned n,
		       hg_ns now_ns)
{
	struct xdp *xdp = (struct xdp *)dev;
	uint64_t n_sent = 0, bytes = 0;
	unsigned n_taken = 0;

	(void)queue;
	(void)now_ns;
	if (HG_UNLIKELY(hg_counts_why_gone(&xdp->counts) != NULL))
		return 0;
	reap(xdp);
	for (; n_taken < n && xdp->n_free > 0; n_taken++) {
		struct hg_pkt *pkt = pkts[n_taken];
		uint32_t at = 0;

		if (HG_UNLIKELY(pkt->total_bytes > dev->mtu + L2_BYTES)) {
			hg_pool_put(xdp->pool, &pkt, 1);
			hg_count_add(&xdp->counts.drops[HG_DROP_TOO_BIG], 1);
			continue;
		}
		/* As many places in the ring as there are frames. */
		if (xsk_ring_prod__reserve(&xdp->tx, 1, &at) == 0)
			break;
		bytes += pkt->total_bytes;
		n_sent++;
		put_in_ring(xdp, pkt, at);
	}
	xsk_ring_prod__submit(&xdp->tx, (uint32_t)n_sent);
	hg_count_add(&xdp->counts.tx_pkts, n_sent);
	hg_count_add(&xdp->counts.tx_bytes, bytes);
	kick(xdp);
	return n_taken;
}

static hg_ns xdp_progress(struct hg_dev *dev, hg_ns now_ns)
{
	struct xdp *xdp = (struct xdp *)dev;

	if (hg_counts_why_gone(&xdp->counts) != NULL)
		return HG_NEVER;
	kick(xdp);
	if (reap(xdp) > 0)
		xdp->look_for_ns = LOOK_MIN_NS;
	else if (xdp->look_for_ns < LOOK_MAX_NS)
		xdp->look_for_ns *= 2;
	if (xdp->n_free == N_FRAMES) {
		xdp->look_for_ns = LOOK_MIN_NS;
		return HG_NEVER;
	}
	return now_ns + xdp->look_for_ns;
}

/* ---- the rest ----------------------------------------------------------------------------------- */

static int xdp_fd(const struct hg_dev *dev)
{
	return ((const struct xdp *)dev)->wait_fd;
}

static int xdp_set_macs(struct hg_dev *dev, const uint8_t (*macs)[HG_MAC_BYTES], unsigned n,
			struct hg_error *reterr)
{
	return hg_xdp_prog_set_macs(&((struct xdp *)dev)->prog, macs, n, reterr);
}

static void read_dropped(struct xdp *xdp)
{
	struct xdp_statistics stats = {0};
	socklen_t n = sizeof(stats);

	if (getsockopt(xsk_socket__fd(xdp->xsk), SOL_XDP, XDP_STATISTICS, &stats, &n) == 0)
		atomic_store_explicit(&xdp->counts.rx_dropped,
				      stats.rx_dropped + stats.rx_ring_full +
					      stats.rx_fill_ring_empty_descs,
				      memory_order_relaxed);
}

static void xdp_sample(const struct hg_dev *dev, struct hg_dev_state *ret_state,
		       struct hg_dev_stats *ret_stats)
{
	/* Const for the caller, who sees no change but fresher counters. */
	struct xdp *xdp = (struct xdp *)(uintptr_t)dev;
	bool is_up = look_after(xdp);
	const char *why = hg_counts_why_gone(&xdp->counts);

	if (why == NULL && !hg_netns_is_there(&xdp->netns)) {
		why = "the network namespace was deleted";
		vanish(xdp, why);
	}
	*ret_state = (struct hg_dev_state){
		.link = why == NULL ? HG_DEV_UP : HG_DEV_GONE,
		.mtu = dev->mtu,
		.ring_used_pkts = N_FRAMES - __atomic_load_n(&xdp->n_free, __ATOMIC_RELAXED),
		.ring_size_pkts = N_FRAMES,
	};
	if (why == NULL) {
		read_dropped(xdp);
		if (!is_up) {
			ret_state->link = HG_DEV_DOWN;
			why = "the interface is down";
		}
	}
	if (why != NULL)
		strncpy(ret_state->reason, why, sizeof(ret_state->reason) - 1u);
	hg_counts_read(&xdp->counts, ret_stats);
}

const struct hg_driver hg_driver_xdp = {
	.name = "xdp",
	.is_in_netns = true,
	.check = xdp_check,
	.open = xdp_open,
	.start = xdp_start,
	.stop = xdp_stop,
	.close = xdp_close,
	.rx = xdp_rx,
	.tx = xdp_tx,
	.fd = xdp_fd,
	.progress = xdp_progress,
	.sample = xdp_sample,
	.set_macs = xdp_set_macs,
};
