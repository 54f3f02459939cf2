#include "drivers/packet.h"

#include "drivers/claim.h"
#include "drivers/counts.h"
#include "drivers/cut.h"
#include "drivers/offloads.h"
#include "drivers/link.h"
#include "drivers/netns.h"
#include "drivers/psock.h"
#include "drivers/scratch.h"
#include "drivers/text.h"

#include <errno.h>
#include <stdatomic.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Longer ones the kernel would cut itself (its gso_max_size is 65,536), which it does not do for a socket that
 * passes the queueing discipline: it drops them. */
#define GSO_MAX_BYTES 65535u

struct packet {
	struct hg_dev dev;
	int fd;
	int claim_fd;
	int if_idx;
	_Atomic uint32_t found_caps; /* by sample; the worker goes by them from its next call on */
	struct hg_pool *pool;
	struct hg_scratches *scratches;
	struct hg_dev_counts counts;
	bool is_cut;
	bool is_taken_over; /* from the process before: it receives already */
	char name[IFNAMSIZ];
	struct hg_netns_id netns;
	pthread_mutex_t lock; /* of reading the kernel's counters, which reading resets */
};

/* ---- life --------------------------------------------------------------------------------------- */

static int packet_check(const char *device, struct hg_error *reterr)
{
	return hg_dev_text_check_interface(device, reterr);
}

/* The socket and the claim of the process that had the interface before; what the socket has queued stays there.
 * Returns whether it is still bound to this interface. */
static bool take_over(struct packet *packet, const struct hg_dev_cfg *cfg)
{
	struct sockaddr_ll at;
	socklen_t n = sizeof(at);

	if (cfg->n_fds != 2 || getsockname(cfg->fds[0], (struct sockaddr *)&at, &n) < 0 ||
	    at.sll_family != AF_PACKET || at.sll_ifindex != packet->if_idx)
		return false;
	packet->fd = fcntl(cfg->fds[0], F_DUPFD_CLOEXEC, 0);
	packet->claim_fd = fcntl(cfg->fds[1], F_DUPFD_CLOEXEC, 0);
	packet->is_taken_over = packet->fd >= 0 && packet->claim_fd >= 0;
	if (packet->is_taken_over)
		return true;
	if (packet->fd >= 0)
		close(packet->fd);
	if (packet->claim_fd >= 0)
		close(packet->claim_fd);
	packet->fd = packet->claim_fd = -1;
	return false;
}

/* Runs in the interface's namespace. */
static int open_here(struct packet *packet, const struct hg_dev_cfg *cfg, struct hg_error *reterr)
{
	struct hg_link link;
	int r = hg_link_get(HG_LINK_HERE, packet->name, &link, reterr);

	if (r < 0)
		return r;
	packet->if_idx = link.idx;
	packet->dev.mtu = link.mtu;
	packet->dev.gso_max_bytes = GSO_MAX_BYTES;
	if (!take_over(packet, cfg)) {
		packet->claim_fd = hg_claim(link.idx, packet->name, reterr);
		if (packet->claim_fd < 0)
			return packet->claim_fd;
		packet->fd = hg_psock_open(packet->name, reterr);
		if (packet->fd < 0)
			return packet->fd;
	}
	packet->dev.caps = hg_offloads_of(packet->fd, packet->name);
	atomic_store(&packet->found_caps, packet->dev.caps);
	return 0;
}

static void destroy(struct packet *packet)
{
	if (packet->fd >= 0)
		close(packet->fd);
	if (packet->claim_fd >= 0)
		close(packet->claim_fd);
	hg_scratch_release(packet->scratches);
	pthread_mutex_destroy(&packet->lock);
	free(packet);
}

static int acquire(struct packet *packet, const struct hg_dev_cfg *cfg, struct hg_error *reterr)
{
	struct hg_netns inside;
	int r = hg_netns_watch(cfg->netns, &packet->netns, reterr);

	if (r == 0)
		r = hg_netns_enter(packet->netns.name, &inside, reterr);
	if (r < 0)
		return r;
	r = open_here(packet, cfg, reterr);
	hg_netns_leave(&inside);
	return r;
}

static int packet_open(const struct hg_dev_cfg *cfg, struct hg_dev **ret_dev,
		       struct hg_error *reterr)
{
	struct hg_dev_text text;
	struct packet *packet;
	int r = packet_check(cfg->device, reterr);

	if (r == 0)
		r = hg_dev_text_parse(cfg->device, &text, reterr);
	if (r < 0)
		return r;
	packet = calloc(1, sizeof(*packet));
	if (packet == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for a packet socket", NULL);
	pthread_mutex_init(&packet->lock, NULL);
	packet->dev.driver = &hg_driver_packet;
	packet->dev.n_tx_queues = 1;
	packet->fd = -1;
	packet->claim_fd = -1;
	packet->pool = cfg->pool;
	packet->scratches = hg_scratch_acquire(cfg->pool);
	strncpy(packet->name, text.name, IFNAMSIZ - 1u);
	r = packet->scratches == NULL
		    ? hg_error_set(reterr, -HG_ENOMEM, "no memory for a packet socket", NULL)
		    : acquire(packet, cfg, reterr);
	if (r < 0) {
		destroy(packet);
		return r;
	}
	*ret_dev = &packet->dev;
	return 0;
}

/* First the socket, then the cut: what arrives between the two is seen by both, and lost by none. */
static int start_here(struct packet *packet, struct hg_error *reterr)
{
	int r = hg_psock_bind(packet->fd, packet->if_idx, packet->name, reterr);

	if (r < 0)
		return r;
	return hg_cut_apply(packet->if_idx, packet->name, reterr);
}

static int packet_start(struct hg_dev *dev, struct hg_error *reterr)
{
	struct packet *packet = (struct packet *)dev;
	struct hg_netns inside;
	int r;

	if (packet->is_taken_over) {
		packet->is_cut = true;
		return 0;
	}
	r = hg_netns_enter(packet->netns.name, &inside, reterr);
	if (r < 0)
		return r;
	r = start_here(packet, reterr);
	hg_netns_leave(&inside);
	packet->is_cut = r == 0;
	return r;
}

/* Its MTU is whoever made the interface's to set. */
static int packet_adjust(struct hg_dev *dev, const struct hg_dev_cfg *cfg, struct hg_error *reterr)
{
	struct packet *packet = (struct packet *)dev;
	struct hg_netns inside;
	struct hg_link link;
	int r = hg_netns_enter(packet->netns.name, &inside, reterr);

	(void)cfg;
	if (r < 0)
		return r;
	r = hg_link_get(HG_LINK_HERE, packet->name, &link, reterr);
	hg_netns_leave(&inside);
	if (r == 0)
		hg_dev_set_mtu(dev, link.mtu);
	return r;
}

static void packet_stop(struct hg_dev *dev)
{
	(void)dev; /* nothing lies inside between two calls */
}

static void packet_close(struct hg_dev *dev, bool keep)
{
	struct packet *packet = (struct packet *)dev;
	struct hg_netns inside;

	if (dev == NULL)
		return;
	if (!keep && packet->is_cut && hg_counts_why_gone(&packet->counts) == NULL &&
	    hg_netns_enter(packet->netns.name, &inside, NULL) == 0) {
		hg_cut_remove(packet->if_idx);
		hg_netns_leave(&inside);
	}
	destroy(packet);
}

/* ---- loss --------------------------------------------------------------------------------------- */

/* As in drivers/tap.c: no descriptor that is always ready. */
static void vanish(struct packet *packet, const char *why)
{
	int silent = eventfd(0, EFD_CLOEXEC);

	if (silent >= 0) {
		dup3(silent, packet->fd, O_CLOEXEC);
		close(silent);
	}
	hg_counts_gone(&packet->counts, why);
}

/* The kernel says the same when an interface goes down and when it is deleted. Returns whether it is up. */
static bool look_after(struct packet *packet)
{
	struct ifreq request = {.ifr_ifindex = packet->if_idx};

	if (ioctl(packet->fd, SIOCGIFNAME, &request) < 0) {
		if (errno == ENODEV)
			vanish(packet, "the interface was deleted");
		return false;
	}
	return ioctl(packet->fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
}

/* Whoever has the interface may switch its features while we use it. */
static HG_ALWAYS_INLINE void follow(struct packet *packet)
{
	hg_dev_set_caps(&packet->dev,
			atomic_load_explicit(&packet->found_caps, memory_order_relaxed));
}

/* ---- receiving ---------------------------------------------------------------------------------- */

static unsigned packet_rx(struct hg_dev *dev, struct hg_pkt **pkts, unsigned n, hg_ns now_ns)
{
	struct packet *packet = (struct packet *)dev;
	uint64_t bytes = 0;
	unsigned n_got;
	int errnum;

	(void)now_ns;
	if (HG_UNLIKELY(hg_counts_why_gone(&packet->counts) != NULL))
		return 0;
	follow(packet);
	n_got = hg_psock_receive(packet->fd, packet->scratches, packet->pool, &packet->counts, pkts,
				 n, &errnum);
	if (HG_UNLIKELY(errnum != 0))
		look_after(packet);
	for (unsigned i = 0; i < n_got; i++)
		bytes += pkts[i]->total_bytes;
	hg_count_add(&packet->counts.rx_pkts, n_got);
	hg_count_add(&packet->counts.rx_bytes, bytes);
	return n_got;
}

/* ---- sending ------------------------------------------------------------------------------------ */

/* What became of a frame that the kernel refused; false: it stays the caller's. */
static bool refused(struct packet *packet, int errnum)
{
	enum hg_drop reason = HG_DROP_TX_ERROR;

	switch (errnum) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
	case EINTR:
		return false;
	case ENXIO:
	case ENODEV:
	case ENETDOWN:
		look_after(packet);
		if (hg_counts_why_gone(&packet->counts) != NULL)
			return false;
		reason = HG_DROP_PORT_DOWN;
		break;
	case EMSGSIZE:
		reason = HG_DROP_TOO_BIG;
		break;
	default:
		break;
	}
	hg_count_add(&packet->counts.drops[reason], 1);
	return true;
}

static unsigned packet_tx(struct hg_dev *dev, unsigned queue, struct hg_pkt **pkts, unsigned n,
			  hg_ns now_ns)
{
	struct packet *packet = (struct packet *)dev;
	uint64_t n_sent = 0, bytes = 0;
	unsigned n_taken = 0;

	(void)queue;
	(void)now_ns;
	if (HG_UNLIKELY(hg_counts_why_gone(&packet->counts) != NULL))
		return 0;
	while (n_taken < n) {
		int errnum;
		unsigned n_now = hg_psock_send(packet->fd, &pkts[n_taken], n - n_taken, &errnum);

		for (unsigned i = 0; i < n_now; i++)
			bytes += pkts[n_taken + i]->total_bytes;
		n_sent += n_now;
		n_taken += n_now;
		if (HG_LIKELY(errnum == 0))
			continue;
		if (!refused(packet, errnum))
			break;
		n_taken++;
	}
	/* These were made ready for what it could before. */
	follow(packet);
	hg_pool_put(packet->pool, pkts, n_taken);
	hg_count_add(&packet->counts.tx_pkts, n_sent);
	hg_count_add(&packet->counts.tx_bytes, bytes);
	return n_taken;
}

static unsigned packet_hand(const struct hg_dev *dev, int *ret_fds)
{
	const struct packet *packet = (const struct packet *)dev;

	if (hg_counts_why_gone(&packet->counts) != NULL)
		return 0;
	ret_fds[0] = packet->fd;
	ret_fds[1] = packet->claim_fd;
	return 2;
}

static int packet_fd(const struct hg_dev *dev)
{
	return ((const struct packet *)dev)->fd;
}

/* ---- sampling ----------------------------------------------------------------------------------- */

static void read_dropped(struct packet *packet)
{
	struct tpacket_stats stats;
	socklen_t n = sizeof(stats);

	pthread_mutex_lock(&packet->lock);
	if (getsockopt(packet->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &n) == 0)
		hg_count_add(&packet->counts.rx_dropped, stats.tp_drops);
	pthread_mutex_unlock(&packet->lock);
}

static void packet_sample(const struct hg_dev *dev, struct hg_dev_state *ret_state,
			  struct hg_dev_stats *ret_stats)
{
	/* Const for the caller, who sees no change but fresher counters. */
	struct packet *packet = (struct packet *)(uintptr_t)dev;
	bool is_up = look_after(packet);
	const char *why = hg_counts_why_gone(&packet->counts);

	if (why == NULL && !hg_netns_is_there(&packet->netns)) {
		why = "the network namespace was deleted";
		vanish(packet, why);
	}
	if (why == NULL)
		atomic_store(&packet->found_caps, hg_offloads_of(packet->fd, packet->name));
	*ret_state = (struct hg_dev_state){
		.link = why == NULL ? HG_DEV_UP : HG_DEV_GONE,
		.caps = atomic_load(&packet->found_caps),
		.mtu = hg_dev_mtu(dev),
	};
	if (why == NULL) {
		read_dropped(packet);
		if (!is_up) {
			ret_state->link = HG_DEV_DOWN;
			why = "the interface is down";
		}
	}
	if (why != NULL)
		strncpy(ret_state->reason, why, sizeof(ret_state->reason) - 1u);
	hg_counts_read(&packet->counts, ret_stats);
}

const struct hg_driver hg_driver_packet = {
	.name = "packet",
	.is_in_netns = true,
	.check = packet_check,
	.open = packet_open,
	.start = packet_start,
	.stop = packet_stop,
	.close = packet_close,
	.rx = packet_rx,
	.tx = packet_tx,
	.fd = packet_fd,
	.hand = packet_hand,
	.adjust = packet_adjust,
	.sample = packet_sample,
};
