/* driver: the provider contract of everything that carries packets.
 *
 * Why        Guests, containers, cards, a modelled card and a test's memory look the same from the packet
 *            lane: a device with queues to receive from and transmit to.
 * Life cycle
 *   step    lane     may fail  what it does
 *   open    control  yes       parses the device text, acquires the device; owns nothing on failure
 *   start   control  yes       begins to receive; called once, after open
 *   rx, tx  packet   no        by the one worker that polls the port
 *   arm     packet   no        before that worker stops polling; optional
 *   tell    packet   no        by the instant that rx has set; optional
 *   adjust  control  yes       another MTU or MAC address while rx and tx go on; optional
 *   sample  control  no        reads counters while it runs
 *   pause   packet   no        optional: before the device goes to another process
 *   hand    control  no        optional: the descriptors with which that process goes on with it
 *   stop    control  no        no rx or tx follows; packets inside are released to the pool
 *   close   control  no        releases the device; takes NULL. keep: leave what should outlive us
 * Ownership  rx: the packets are the caller's. tx: those accepted (the first n returned) are the driver's
 *            until it puts them back into the pool, when its far side has taken the bytes; the others
 *            stay the caller's.
 * Loss       A device that disappears makes rx and tx return 0 and sample() say HG_DEV_GONE with a
 *            reason; it does no harm until it is closed. A device never comes back by itself: it is
 *            closed and opened anew, which fails with -ENOENT until the thing itself is there again.
 * Queues     Packets go to one of n_tx_queues transmit queues of the card, each in order by itself; all but
 *            simnic have one. tx with n = 0 hands nothing over and reaps: what the far side has taken goes
 *            back into the pool now, as far as the driver can tell.
 * Refusal    tx takes fewer than n when the far side has no room now; what it takes and cannot deliver
 *            is counted in drops, with the reason. Which of the two: the driver's header says.
 * Time       now_ns is an argument. Only the driver's receive, transmit and wait make system calls.
 * Waiting    The worker polls a port while there is something, and then waits on fd() for its edges (EPOLLET).
 *            A device that must ask its far side for notifications has arm; it takes the request back by
 *            itself when rx finds something.
 * Threads    One worker for rx, tx, arm, progress; control lane for the rest; sample from any thread.
 * Text       DRIVER[(KEY=VALUE,...)]:NAME, or WRAPPER[(KEY=VALUE,...)]+DEVICE; see drivers/text.h.
 * Plug in    drivers/registry.c lists them all; tests/component/drivers/driver_suite.c is run over each.
 * Errors     open: -EINVAL text, -ENOENT no such device, -EBUSY somebody else has it, -ENOSPC no room for
 *            another, -EPERM, -ENOTSUP kernel or device cannot, -ENOMEM, -EIO. start: the last four. set_macs:
 *            -EINVAL, -EIO. adjust: as open.
 */
#ifndef HG_DRIVERS_DRIVER_H
#define HG_DRIVERS_DRIVER_H

#include "core/compiler.h"
#include "core/desired.h"
#include "core/error.h"
#include "core/units.h"
#include "core/verdict.h"
#include "vswitch/pkt.h"

#include <stdbool.h>

enum hg_dev_cap {
	HG_DEV_TX_CSUM = 1u << 0, /* takes NEEDS_CSUM as it is */
	HG_DEV_TX_TSO4 = 1u << 1, /* takes HG_GSO_TCP4 whole */
	HG_DEV_TX_TSO6 = 1u << 2, /* takes HG_GSO_TCP6 whole */
	HG_DEV_TX_USO = 1u << 3, /* takes HG_GSO_UDP whole */
	HG_DEV_RX_PUSHES_BACK =
		1u << 4, /* unread packets wait in the guest; otherwise: always drain */
	HG_DEV_TX_ECN = 1u << 5, /* takes segments with gso_ecn whole, of the kinds that it takes */
	/* With RX_PUSHES_BACK: what is sent while it is held is refused and not kept; its sender hears of it. */
	HG_DEV_RX_REFUSES = 1u << 6,
};

/* What a device must have for a segment to go to it whole. Requires gso not NONE. */
static inline uint32_t hg_dev_gso_caps(const struct hg_pkt *pkt)
{
	static const uint8_t caps[] = {[HG_GSO_TCP4] = HG_DEV_TX_TSO4,
				       [HG_GSO_TCP6] = HG_DEV_TX_TSO6,
				       [HG_GSO_UDP] = HG_DEV_TX_USO};

	return caps[pkt->gso] | (pkt->gso_ecn ? (uint32_t)HG_DEV_TX_ECN : 0u);
}

enum hg_dev_link { HG_DEV_DOWN = 0, HG_DEV_UP = 1, HG_DEV_GONE = 2 };

struct hg_dev;

#define HG_DEV_FDS_MAX 4u

struct hg_dev_cfg {
	const char *device; /* as in the configuration: "tap:web1-0" */
	const char *netns; /* name or path; "" : here */
	const char *port; /* whose device it is, for sentences; NULL: nobody said */
	const uint8_t *mac; /* 6 bytes to give the far end where the driver makes it; NULL: any */
	uint32_t mtu;
	struct hg_pool *pool; /* outlives the device */
	/* For drivers that must know whom to take packets for (xdp on a shared card): the addresses of
	 * the instances behind it, updated by set_macs. */
	bool is_uplink;
	/* Of hand(), from the process that had the device before: the driver goes on with duplicates of them
	 * instead of opening it anew. n_fds 0: none. */
	const int *fds;
	unsigned n_fds;
	/* For wrappers: opens the device behind the plus sign, with what the wrapper puts in the place of
	 * device and pool. Set by hg_dev_open; who opens a wrapper without the registry gives its own. */
	int (*open_inner)(const struct hg_dev_cfg *cfg, struct hg_dev **ret_dev,
			  struct hg_error *reterr);
};

/* Counted by the driver; each field has one writer, the polling worker. */
struct hg_dev_stats {
	uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes; /* buffers' frames; frame bytes */
	uint64_t rx_dropped; /* by the kernel or the card before we saw them, as far as it tells */
	uint64_t drops[HG_N_DROPS];
};

struct hg_dev_state {
	enum hg_dev_link link;
	char reason[HG_REASON_BYTES]; /* why it is not up; one sentence */
	/* Why it last went down by the far side's doing, be it up again or not, and when (CLOCK_MONOTONIC);
	 * "": it never did, or the driver does not remember. */
	char last_reason[HG_REASON_BYTES];
	hg_ns last_reason_at_ns;
	/* Far sides that were not connected, or sent away; since open. */
	uint64_t n_refused[HG_N_GUEST_REFUSALS];
	uint32_t caps; /* enum hg_dev_cap */
	uint32_t mtu;
	/* The card's transmit queues together, in wire packets and wire bytes, where the driver knows them;
	 * ring_size_pkts is that of each queue. */
	uint64_t ring_used_pkts, ring_size_pkts, ring_used_bytes;
	/* What a modelled card has released, in its own count; 0 where the driver does not tell. Never
	 * decreases. */
	uint64_t completed_pkts, completed_bytes;
};

struct hg_driver {
	const char *name; /* the word before the colon or the plus sign */
	bool is_wrapper; /* stands in front of another device, which it opens and owns */
	bool is_in_netns; /* on an interface of the kernel, which is in a network namespace */
	/* Checks the device text without acquiring anything: -EINVAL with reterr. */
	HG_MUST_CHECK int (*check)(const char *device, struct hg_error *reterr);
	/* Optional, where the name alone does not say what it occupies: as hg_dev_place(). */
	void (*place)(const char *device, char *ret_place);
	HG_MUST_CHECK int (*open)(const struct hg_dev_cfg *cfg, struct hg_dev **ret_dev,
				  struct hg_error *reterr);
	HG_MUST_CHECK int (*start)(struct hg_dev *dev, struct hg_error *reterr);
	void (*stop)(struct hg_dev *dev);
	void (*close)(struct hg_dev *dev, bool keep);
	unsigned (*rx)(struct hg_dev *dev, struct hg_pkt **pkts, unsigned n, hg_ns now_ns);
	/* queue in [0, n_tx_queues). */
	unsigned (*tx)(struct hg_dev *dev, unsigned queue, struct hg_pkt **pkts, unsigned n,
		       hg_ns now_ns);
	/* A descriptor that becomes readable when rx has something; -1: none, poll it. The same for life. */
	int (*fd)(const struct hg_dev *dev);
	/* Optional. Asks to be told by fd from now on. Returns whether rx has something already, or the device
	 * cannot tell: it is to be polled on. */
	bool (*arm)(struct hg_dev *dev);
	/* Optional. From now on rx is not called, or is again: for a device whose far side would not feel it,
	 * HG_DEV_RX_REFUSES. */
	void (*hold)(struct hg_dev *dev, bool is_held);
	/* Required where rx sets hg_dev.tell_at_ns. Tells the far side all that it is to be told, and clears that. */
	void (*tell)(struct hg_dev *dev);
	/* Optional. Brings transmission forward (completions, a modelled wire) and returns when to call
	 * again, and rx as well: HG_NEVER if nothing is under way. */
	hg_ns (*progress)(struct hg_dev *dev, hg_ns now_ns);
	/* Optional. The MTU and, unless it is NULL, the MAC address of cfg reach the far end, where the driver
	 * gave it either; where the interface has its own MTU, that is looked up again. On failure
	 * all is as before. NULL: both are what they were at open, as with xdp, whose buffers are
	 * cut for the MTU of its card. */
	HG_MUST_CHECK int (*adjust)(struct hg_dev *dev, const struct hg_dev_cfg *cfg,
				    struct hg_error *reterr);
	/* Optional. Its port has another name from now on: hg_dev_cfg.port. Control lane. */
	void (*rename)(struct hg_dev *dev, const char *port);
	void (*sample)(const struct hg_dev *dev, struct hg_dev_state *ret_state,
		       struct hg_dev_stats *ret_stats);
	/* Optional, from any thread. For a device whose far side comes and goes while it stays open: 0 while that is not
	 * ready, else a number that is another each time that it has become so. Its fd tells of that, too. */
	uint32_t (*arrival)(const struct hg_dev *dev);
	/* Optional. Takes nothing more from its far side, or does again: what it holds back of what it has
	 * received (a modelled line) still comes out of rx. Between two calls of rx, by the worker. */
	void (*pause)(struct hg_dev *dev, bool is_paused);
	/* Optional. Writes the descriptors with which another process can go on with the device, and returns how
	 * many, up to HG_DEV_FDS_MAX; they stay the driver's. 0: it has to be closed first. Control lane,
	 * while no rx or tx is under way. */
	unsigned (*hand)(const struct hg_dev *dev, int *ret_fds);
	/* Optional. Whom packets are taken for, where the driver shares its device with the host. */
	HG_MUST_CHECK int (*set_macs)(struct hg_dev *dev, const uint8_t (*macs)[HG_MAC_BYTES],
				      unsigned n, struct hg_error *reterr);
};

/* Every device begins with this; the rest is the driver's. */
struct hg_dev {
	const struct hg_driver *driver;
	/* enum hg_dev_cap. Where a guest decides they may change in any call of rx, tx or progress, and are
	 * written by it then (hg_dev_set_caps); another worker reads them, and the control lane by sample. */
	uint32_t caps;
	uint32_t mtu; /* read with hg_dev_mtu(): adjust changes it under the worker's eyes */
	uint16_t n_tx_queues; /* fixed after open, at least 1 */
	uint32_t
		gso_max_bytes; /* of the longest frame that it takes as a segment; 0: any. Fixed after open */
	hg_ns tell_at_ns; /* when tell is to be called at the latest; 0: it need not be. The worker's */
};

static inline uint32_t hg_dev_mtu(const struct hg_dev *dev)
{
	return __atomic_load_n(&dev->mtu, __ATOMIC_RELAXED);
}

static inline void hg_dev_set_mtu(struct hg_dev *dev, uint32_t mtu)
{
	__atomic_store_n(&dev->mtu, mtu, __ATOMIC_RELAXED);
}

/* By the device's worker. What is as it was is not written: other workers look at it for each packet that is queued. */
static inline void hg_dev_set_caps(struct hg_dev *dev, uint32_t caps)
{
	if (HG_UNLIKELY(dev->caps != caps))
		__atomic_store_n(&dev->caps, caps, __ATOMIC_RELAXED);
}

/* Opens the device that cfg->device names, through the driver of that name, wrappers included:
 * "simnic(rate=1Gbit,ring=1024)+tap:out0". -EINVAL names the drivers there are. */
HG_MUST_CHECK int hg_dev_open(const struct hg_dev_cfg *cfg, struct hg_dev **ret_dev,
			      struct hg_error *reterr);
/* The same check without opening anything, for --check; netns as in struct hg_dev_cfg, or NULL. -EINVAL too for one
 * where the device is in none, such as a guest's socket. */
HG_MUST_CHECK int hg_dev_check(const char *device, const char *netns, struct hg_error *reterr);
/* Writes into HG_DEVICE_PLACE_BYTES what a device occupies, as far as the host tells now: two texts that cannot be open at
 * once have the same, whatever stands in front of the device and however its namespace or its path is written. Requires a
 * text and a namespace that hg_dev_check accepts; looks at the file system. */
void hg_dev_place(const char *device, const char *netns, char *ret_place);
/* Whether the host goes on using the device, so that as an uplink it takes packets only for the addresses
 * of set_macs. Requires a text that hg_dev_check accepts. */
bool hg_dev_is_shared(const char *device);

#endif
