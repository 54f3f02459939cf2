#include "drivers/tap.h"

#include "drivers/counts.h"
#include "drivers/gate.h"
#include "drivers/link.h"
#include "drivers/netns.h"
#include "drivers/scratch.h"
#include "drivers/text.h"
#include "drivers/vnet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

/* Newer than Debian 12's headers: UDP segmentation, Linux 6.2. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* What a call receives is not more than this and a frame: a pushing port is held when its queue is found full. */
#define TURN_BYTES (128u * 1024u)

/* So many calls in a row that found all that was expected expect twice as much. */
#define AS_EXPECTED_MAX 4u

#define OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)

struct tap {
	struct hg_dev dev;
	int fd;
	struct hg_pool *pool;
	struct hg_scratches *scratches;
	struct hg_dev_counts counts;
	struct hg_gate gate;
	_Atomic bool is_down; /* the last frame was refused for it */
	bool is_ours; /* made by headgate, now or by one before us */
	char name[IFNAMSIZ];
	/* Frames that the next rx reads, and in how many calls it has found them all, one behind the other. */
	unsigned n_expected, n_as_expected;

	/* Of sample(). */
	int nsid;
	struct hg_netns_id netns; /* watched if the descriptor keeps it alive, else empty */
	pthread_mutex_t lock;
	uint64_t seen_rx_pkts; /* when rx_dropped was read last */
};

/* ---- life --------------------------------------------------------------------------------------- */

static int tap_check(const char *device, struct hg_error *reterr)
{
	return hg_dev_text_check_interface(device, reterr);
}

/* Attaches a descriptor of the namespace that the thread is in to the interface of that name, which may
 * be a pattern for a new one; writes the name it got. */
static int attach(struct tap *tap, char *name, struct hg_error *reterr)
{
	struct ifreq request = {0};
	int size = HG_VNET_BYTES;

	tap->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap->fd < 0)
		return hg_errno_refuse(reterr, errno == ENOENT ? EOPNOTSUPP : errno, "cannot open",
				       "/dev/net/tun");
	memcpy(request.ifr_name, name, IFNAMSIZ);
	request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	if (ioctl(tap->fd, TUNSETIFF, &request) < 0) {
		if (errno == EBUSY)
			return hg_error_set(reterr, -HG_EBUSY, "the TAP ", name,
					    " is in use by another process", NULL);
		if (errno == EINVAL)
			return hg_error_set(reterr, -HG_EINVAL, "the interface ", name,
					    " exists and is not a TAP with one queue", NULL);
		return hg_errno_refuse(reterr, errno, "cannot attach to the TAP", name);
	}
	memcpy(name, request.ifr_name, IFNAMSIZ);
	if (ioctl(tap->fd, TUNSETVNETHDRSZ, &size) < 0)
		return hg_errno_refuse(reterr, errno, "cannot set the header of the TAP", name);
	return 0;
}

/* Only from inside its namespace can an interface be attached to. The descriptor then keeps the namespace
 * alive, and sample() watches for its end. */
static int adopt(struct tap *tap, const char *netns, struct hg_error *reterr)
{
	struct hg_netns inside;
	int r = hg_netns_watch(netns, &tap->netns, reterr);

	if (r == 0)
		r = hg_netns_enter(netns, &inside, reterr);
	if (r < 0)
		return r;
	r = attach(tap, tap->name, reterr);
	hg_netns_leave(&inside);
	return r;
}

/* Made here and then moved, so that the descriptor does not belong to the other namespace: when that
 * ends, the interface ends with it, and the descriptor says so. */
static int make(struct tap *tap, const char *netns, struct hg_error *reterr)
{
	char name[IFNAMSIZ] = "hgtap%d";
	struct hg_link_change move = {.netns = netns, .name = tap->name};
	int r;

	if (tap->nsid == HG_LINK_HERE)
		return attach(tap, tap->name, reterr);
	r = attach(tap, name, reterr);
	if (r < 0)
		return r;
	return hg_link_set(name, &move, reterr);
}

/* The descriptor of the process that had the TAP before. What its kernel queue holds stays there. Returns
 * whether it is still one of this interface. */
static bool take_over(struct tap *tap, const struct hg_dev_cfg *cfg)
{
	struct ifreq request = {0};
	int size = HG_VNET_BYTES;

	if (cfg->n_fds == 0)
		return false;
	tap->fd = fcntl(cfg->fds[0], F_DUPFD_CLOEXEC, 0);
	if (tap->fd >= 0 && ioctl(tap->fd, TUNGETIFF, &request) == 0 &&
	    strncmp(request.ifr_name, tap->name, IFNAMSIZ) == 0 &&
	    ioctl(tap->fd, TUNSETVNETHDRSZ, &size) == 0 &&
	    hg_netns_watch(cfg->netns, &tap->netns, NULL) == 0)
		return true;
	if (tap->fd >= 0)
		close(tap->fd);
	tap->fd = -1;
	return false;
}

static int set_offloads(struct tap *tap, struct hg_error *reterr)
{
	tap->dev.caps = HG_DEV_TX_CSUM | HG_DEV_TX_TSO4 | HG_DEV_TX_TSO6 | HG_DEV_TX_ECN;
	if (ioctl(tap->fd, TUNSETOFFLOAD, OFFLOADS | TUN_F_USO4 | TUN_F_USO6) == 0) {
		tap->dev.caps |= HG_DEV_TX_USO;
		return 0;
	}
	if (ioctl(tap->fd, TUNSETOFFLOAD, OFFLOADS) < 0)
		return hg_errno_refuse(reterr, errno, "cannot set the offloads of the TAP",
				       tap->name);
	return 0;
}

/* MAC, MTU, alias and up, as far as they are not so already: a live interface is not disturbed. */
static int set_up_link(struct tap *tap, const struct hg_dev_cfg *cfg, const struct hg_link *link,
		       struct hg_error *reterr)
{
	struct hg_link_change change = {
		.mac = cfg->mac != NULL && memcmp(cfg->mac, link->mac, HG_MAC_BYTES) != 0 ? cfg->mac
											  : NULL,
		.mtu = cfg->mtu != link->mtu ? cfg->mtu : 0,
		.alias = tap->is_ours && link->alias[0] == '\0' ? HG_TAP_ALIAS : NULL,
		.want_up = !link->is_up,
	};
	struct hg_netns inside;
	int r;

	if (change.mac == NULL && change.mtu == 0 && change.alias == NULL && !change.want_up)
		return 0;
	r = hg_netns_enter(cfg->netns, &inside, reterr);
	if (r < 0)
		return r;
	r = hg_link_set(tap->name, &change, reterr);
	hg_netns_leave(&inside);
	return r;
}

/* Without it the TAP is drained whatever comes, and what finds no room is lost. */
static void make_gate(struct tap *tap, const struct hg_dev_cfg *cfg)
{
	struct hg_netns inside;
	bool is_unqueued;

	hg_gate_clear(tap->fd);
	if (cfg->is_uplink || hg_netns_enter(cfg->netns, &inside, NULL) < 0)
		return;
	is_unqueued = hg_link_unqueue((int)if_nametoindex(tap->name));
	hg_netns_leave(&inside);
	if (is_unqueued && hg_gate_make(tap->fd, &tap->gate, NULL) == 0)
		tap->dev.caps |= HG_DEV_RX_PUSHES_BACK | HG_DEV_RX_REFUSES;
}

/* A TAP that somebody put down stays down. */
static int tap_adjust(struct hg_dev *dev, const struct hg_dev_cfg *cfg, struct hg_error *reterr)
{
	struct tap *tap = (struct tap *)dev;
	struct hg_link link;
	int r = hg_link_get(tap->nsid, tap->name, &link, reterr);

	if (r < 0)
		return r;
	link.is_up = true;
	r = set_up_link(tap, cfg, &link, reterr);
	if (r == 0 && cfg->mtu > 0)
		hg_dev_set_mtu(dev, cfg->mtu);
	return r;
}

static int acquire(struct tap *tap, const struct hg_dev_cfg *cfg, struct hg_error *reterr)
{
	struct hg_link link;
	bool is_new;
	int r = hg_link_nsid(cfg->netns, &tap->nsid, reterr);

	if (r < 0)
		return r;
	is_new = hg_link_get(tap->nsid, tap->name, &link, NULL) == -HG_ENOENT;
	r = 0;
	if (is_new || !take_over(tap, cfg))
		r = is_new ? make(tap, cfg->netns, reterr) : adopt(tap, cfg->netns, reterr);
	if (r == 0)
		r = set_offloads(tap, reterr);
	if (r == 0)
		r = hg_link_get(tap->nsid, tap->name, &link, reterr);
	if (r < 0)
		return r;
	tap->is_ours = is_new || strcmp(link.alias, HG_TAP_ALIAS) == 0;
	r = set_up_link(tap, cfg, &link, reterr);
	if (r < 0)
		return r;
	if (tap->is_ours)
		make_gate(tap, cfg);
	tap->dev.mtu = cfg->mtu > 0 ? cfg->mtu : link.mtu;
	/* Last, so that a new interface vanishes by itself when any step before this one failed. */
	if (ioctl(tap->fd, TUNSETPERSIST, 1) < 0)
		return hg_errno_refuse(reterr, errno, "cannot make persistent the TAP", tap->name);
	return 0;
}

static void destroy(struct tap *tap)
{
	if (tap->fd >= 0)
		close(tap->fd);
	hg_gate_end(&tap->gate);
	hg_scratch_release(tap->scratches);
	pthread_mutex_destroy(&tap->lock);
	free(tap);
}

static int tap_open(const struct hg_dev_cfg *cfg, struct hg_dev **ret_dev, struct hg_error *reterr)
{
	struct hg_dev_text text;
	struct tap *tap;
	int r = tap_check(cfg->device, reterr);

	if (r == 0)
		r = hg_dev_text_parse(cfg->device, &text, reterr);
	if (r < 0)
		return r;
	tap = calloc(1, sizeof(*tap));
	if (tap == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for a TAP", NULL);
	pthread_mutex_init(&tap->lock, NULL);
	tap->dev.driver = &hg_driver_tap;
	tap->dev.n_tx_queues = 1;
	tap->fd = -1;
	tap->n_expected = 1;
	tap->pool = cfg->pool;
	tap->scratches = hg_scratch_acquire(cfg->pool);
	strncpy(tap->name, text.name, IFNAMSIZ - 1u);
	r = tap->scratches == NULL ? hg_error_set(reterr, -HG_ENOMEM, "no memory for a TAP", NULL)
				   : acquire(tap, cfg, reterr);
	if (r < 0) {
		destroy(tap);
		return r;
	}
	*ret_dev = &tap->dev;
	return 0;
}

static int tap_start(struct hg_dev *dev, struct hg_error *reterr)
{
	(void)dev;
	(void)reterr;
	return 0;
}

static void tap_stop(struct hg_dev *dev)
{
	(void)dev; /* nothing lies inside between two calls */
}

static void tap_close(struct hg_dev *dev, bool keep)
{
	struct tap *tap = (struct tap *)dev;

	if (dev == NULL)
		return;
	if (!keep && tap->is_ours)
		ioctl(tap->fd, TUNSETPERSIST, 0); /* a device that is gone refuses, rightly */
	destroy(tap);
}

/* The descriptor of a vanished interface is always ready, with an error: whoever sleeps on it would
 * spin. It is replaced by one that never is, under the same number. */
static void vanish(struct tap *tap, const char *why)
{
	int silent = eventfd(0, EFD_CLOEXEC);

	if (silent >= 0) {
		dup3(silent, tap->fd, O_CLOEXEC);
		close(silent);
	}
	hg_counts_gone(&tap->counts, why);
}

/* ---- packets ------------------------------------------------------------------------------------ */

static void drop(struct tap *tap, struct hg_pkt *pkt, enum hg_drop reason)
{
	hg_pool_put(tap->pool, &pkt, 1);
	hg_count_add(&tap->counts.drops[reason], 1);
}

/* One frame of n_bytes with its header; NULL if it was dropped. */
static struct hg_pkt *receive(struct tap *tap, struct hg_scratch *scratch,
			      const struct virtio_net_hdr_mrg_rxbuf *header, uint32_t n_bytes)
{
	struct hg_pkt *pkt = hg_scratch_take(scratch, n_bytes);

	if (HG_UNLIKELY(pkt == NULL)) {
		hg_count_add(&tap->counts.drops[HG_DROP_NO_BUFFER], 1);
		return NULL;
	}
	if (HG_UNLIKELY(!hg_vnet_decode(header, pkt))) {
		drop(tap, pkt, HG_DROP_BAD_OFFLOAD);
		return NULL;
	}
	return pkt;
}

/* What the next call reads. Most find as many frames as the one before, and a read that finds nothing costs half of one
 * that finds something: so it is left to that call, for which there may be something. */
static void expect(struct tap *tap, unsigned n_read, bool is_empty)
{
	if (is_empty) {
		tap->n_expected = n_read > 0 ? n_read : 1u;
		tap->n_as_expected = 0;
	} else if (n_read >= tap->n_expected && ++tap->n_as_expected == AS_EXPECTED_MAX) {
		tap->n_expected *= 2u;
		tap->n_as_expected = 0;
	}
}

static unsigned tap_rx(struct hg_dev *dev, struct hg_pkt **pkts, unsigned n, hg_ns now_ns)
{
	struct tap *tap = (struct tap *)dev;
	struct virtio_net_hdr_mrg_rxbuf header;
	struct hg_scratch *scratch;
	uint64_t bytes = 0;
	unsigned n_got = 0, n_read = 0;
	bool is_empty = false;

	(void)now_ns;
	if (HG_UNLIKELY(hg_counts_why_gone(&tap->counts) != NULL))
		return 0;
	scratch = hg_scratch_begin(tap->scratches, &header, HG_VNET_BYTES);
	if (HG_UNLIKELY(scratch == NULL))
		return 0;
	/* Nothing means that there is nothing: not that all of it was dropped here. */
	while (n_read < n && (n_read < tap->n_expected || n_got == 0) && bytes < TURN_BYTES &&
	       !is_empty) {
		int n_iov;
		const struct iovec *iov = hg_scratch_iov(scratch, &n_iov);
		ssize_t got = readv(tap->fd, iov, n_iov);

		if (got <= (ssize_t)HG_VNET_BYTES) {
			if (got < 0 && errno == EBADFD)
				vanish(tap, "the interface was deleted");
			is_empty = true;
			continue;
		}
		n_read++;
		pkts[n_got] = receive(tap, scratch, &header, (uint32_t)got - HG_VNET_BYTES);
		if (HG_LIKELY(pkts[n_got] != NULL))
			bytes += pkts[n_got++]->total_bytes;
	}
	hg_scratch_end(scratch);
	expect(tap, n_read, is_empty);
	hg_count_add(&tap->counts.rx_pkts, n_got);
	hg_count_add(&tap->counts.rx_bytes, bytes);
	return n_got;
}

/* What became of a frame that the kernel refused; false: it stays the caller's. */
static bool refused(struct tap *tap, int errnum)
{
	enum hg_drop reason = HG_DROP_TX_ERROR;

	switch (errnum) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
	case EINTR:
		return false;
	case EBADFD:
		vanish(tap, "the interface was deleted");
		return false;
	case EIO:
		reason = HG_DROP_PORT_DOWN;
		break;
	case EMSGSIZE:
		reason = HG_DROP_TOO_BIG;
		break;
	default:
		break;
	}
	atomic_store_explicit(&tap->is_down, errnum == EIO, memory_order_relaxed);
	hg_count_add(&tap->counts.drops[reason], 1);
	return true;
}

static unsigned tap_tx(struct hg_dev *dev, unsigned queue, struct hg_pkt **pkts, unsigned n,
		       hg_ns now_ns)
{
	struct tap *tap = (struct tap *)dev;
	uint64_t n_sent = 0, bytes = 0;
	unsigned n_taken = 0;

	(void)queue;
	(void)now_ns;
	if (HG_UNLIKELY(hg_counts_why_gone(&tap->counts) != NULL))
		return 0;
	for (; n_taken < n; n_taken++) {
		int errnum = hg_vnet_write(tap->fd, HG_VNET_BYTES, pkts[n_taken]);

		if (HG_LIKELY(errnum == 0)) {
			n_sent++;
			bytes += pkts[n_taken]->total_bytes;
		} else if (!refused(tap, errnum)) {
			break;
		}
	}
	if (n_sent > 0 && atomic_load_explicit(&tap->is_down, memory_order_relaxed))
		atomic_store_explicit(&tap->is_down, false, memory_order_relaxed);
	hg_pool_put(tap->pool, pkts, n_taken);
	hg_count_add(&tap->counts.tx_pkts, n_sent);
	hg_count_add(&tap->counts.tx_bytes, bytes);
	return n_taken;
}

static void tap_hold(struct hg_dev *dev, bool is_held)
{
	struct tap *tap = (struct tap *)dev;

	if (tap->gate.page != NULL)
		hg_gate_set(&tap->gate, is_held);
}

static unsigned tap_hand(const struct hg_dev *dev, int *ret_fds)
{
	const struct tap *tap = (const struct tap *)dev;

	if (hg_counts_why_gone(&tap->counts) != NULL)
		return 0;
	ret_fds[0] = tap->fd;
	return 1;
}

static int tap_fd(const struct hg_dev *dev)
{
	return ((const struct tap *)dev)->fd;
}

/* ---- sampling ----------------------------------------------------------------------------------- */

/* The kernel drops only when it has more than we read, so a TAP from which nothing came since the last
 * look need not be asked: 4,000 quiet ones cost nothing. */
static void read_dropped(struct tap *tap)
{
	uint64_t rx_pkts = hg_count_read(&tap->counts.rx_pkts);
	struct hg_link link;

	if (pthread_mutex_trylock(&tap->lock) != 0)
		return;
	if (rx_pkts != tap->seen_rx_pkts && hg_link_get(tap->nsid, tap->name, &link, NULL) == 0) {
		tap->seen_rx_pkts = rx_pkts;
		atomic_store_explicit(&tap->counts.rx_dropped, link.tx_dropped,
				      memory_order_relaxed);
	}
	pthread_mutex_unlock(&tap->lock);
}

static void tap_sample(const struct hg_dev *dev, struct hg_dev_state *ret_state,
		       struct hg_dev_stats *ret_stats)
{
	/* Const for the caller, who sees no change but a fresher counter. */
	struct tap *tap = (struct tap *)(uintptr_t)dev;
	const char *why = hg_counts_why_gone(&tap->counts);

	if (why == NULL && !hg_netns_is_there(&tap->netns)) {
		why = "the network namespace was deleted";
		vanish(tap, why);
	}
	*ret_state = (struct hg_dev_state){
		.link = HG_DEV_UP,
		.caps = dev->caps,
		.mtu = hg_dev_mtu(dev),
	};
	if (why != NULL) {
		ret_state->link = HG_DEV_GONE;
	} else if (atomic_load_explicit(&tap->is_down, memory_order_relaxed)) {
		ret_state->link = HG_DEV_DOWN;
		why = "the interface is down";
	}
	if (why != NULL)
		strncpy(ret_state->reason, why, sizeof(ret_state->reason) - 1u);
	else
		read_dropped(tap);
	hg_counts_read(&tap->counts, ret_stats);
}

const struct hg_driver hg_driver_tap = {
	.name = "tap",
	.is_in_netns = true,
	.check = tap_check,
	.open = tap_open,
	.start = tap_start,
	.stop = tap_stop,
	.close = tap_close,
	.rx = tap_rx,
	.tx = tap_tx,
	.hold = tap_hold,
	.fd = tap_fd,
	.hand = tap_hand,
	.adjust = tap_adjust,
	.sample = tap_sample,
};
