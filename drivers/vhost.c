#include "drivers/vhost.h"

#include "drivers/counts.h"
#include "drivers/text.h"
#include "drivers/vhost_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_DEFAULT 4u
#define MTU_DEFAULT 1500u
/* Packets sorted by queue at once. */
#define BURST 32u

struct vhost {
	struct hg_dev dev;
	struct hg_pool *pool;
	struct hg_vhost_link *link;
	uint32_t generation; /* of what dev.caps and dev.mtu say */
	uint16_t next_rx; /* queue to receive from first */
	struct hg_dev_counts counts;
};

/* ---- life --------------------------------------------------------------------------------------- */

static int parse(const char *device, struct hg_dev_text *text, struct hg_vhost_link_cfg *cfg,
		 char *path, struct hg_error *reterr)
{
	static const char *const keys[] = {"queues", "listen", NULL};
	static const char *const switches[] = {"off", "on", NULL};
	uint64_t n_pairs = PAIRS_DEFAULT;
	unsigned want_listen = 0;
	int r = hg_dev_text_parse(device, text, reterr);

	if (r == 0)
		r = hg_dev_text_allow(text, keys, reterr);
	if (r == 0)
		r = hg_dev_text_number(text, "queues", 1, HG_VHOST_PAIRS_MAX, &n_pairs, reterr);
	if (r == 0)
		r = hg_dev_text_choice(text, "listen", switches, &want_listen, reterr);
	if (r == 0)
		r = hg_vhost_path(text->name, path, reterr);
	if (r < 0)
		return r;
	*cfg = (struct hg_vhost_link_cfg){
		.path = path,
		.n_pairs = (uint32_t)n_pairs,
		.want_listen = want_listen != 0,
	};
	return 0;
}

static int vhost_check(const char *device, struct hg_error *reterr)
{
	char path[HG_VHOST_PATH_BYTES];
	struct hg_vhost_link_cfg cfg;
	struct hg_dev_text text;

	return parse(device, &text, &cfg, path, reterr);
}

static void vhost_place(const char *device, char *ret_place)
{
	char path[HG_VHOST_PATH_BYTES];
	struct hg_vhost_link_cfg cfg;
	struct hg_vhost_place place;
	struct hg_dev_text text;

	if (parse(device, &text, &cfg, path, NULL) < 0)
		return;
	hg_vhost_place_of(path, &place);
	snprintf(ret_place, HG_DEVICE_PLACE_BYTES, "vhost:%s %llx %llx",
		 place.directory != 0 ? place.name : path, (unsigned long long)place.device,
		 (unsigned long long)place.directory);
}

/* Nothing is done to packets for a guest that is not there. */
static const uint32_t all_caps = HG_DEV_TX_CSUM | HG_DEV_TX_TSO4 | HG_DEV_TX_TSO6 | HG_DEV_TX_ECN |
				 HG_DEV_TX_USO | HG_DEV_RX_PUSHES_BACK;

static int vhost_open(const struct hg_dev_cfg *cfg, struct hg_dev **ret_dev,
		      struct hg_error *reterr)
{
	char path[HG_VHOST_PATH_BYTES];
	struct hg_vhost_link_cfg link_cfg;
	struct hg_dev_text text;
	struct vhost *vhost;
	int r = parse(cfg->device, &text, &link_cfg, path, reterr);

	if (r < 0)
		return r;
	link_cfg.mtu = cfg->mtu > 0 ? cfg->mtu : MTU_DEFAULT;
	link_cfg.port = cfg->port;
	vhost = calloc(1, sizeof(*vhost));
	if (vhost == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for a vhost port", NULL);
	vhost->dev = (struct hg_dev){
		.driver = &hg_driver_vhost,
		.caps = all_caps,
		.mtu = link_cfg.mtu,
		.n_tx_queues = 1,
	};
	vhost->pool = cfg->pool;
	r = hg_vhost_link_open(&link_cfg, &vhost->link, reterr);
	if (r < 0) {
		free(vhost);
		return r;
	}
	*ret_dev = &vhost->dev;
	return 0;
}

static int vhost_start(struct hg_dev *dev, struct hg_error *reterr)
{
	return hg_vhost_link_start(((struct vhost *)dev)->link, reterr);
}

static void vhost_stop(struct hg_dev *dev)
{
	hg_vhost_link_stop(((struct vhost *)dev)->link);
}

static void vhost_close(struct hg_dev *dev, bool keep)
{
	struct vhost *vhost = (struct vhost *)dev;

	(void)keep; /* what outlives us is the guest's */
	if (dev == NULL)
		return;
	hg_vhost_link_close(vhost->link);
	free(vhost);
}

/* ---- packets ------------------------------------------------------------------------------------ */

/* The guest can do other things than before. */
static HG_NOINLINE void follow(struct vhost *vhost)
{
	vhost->generation = vhost->link->generation;
	hg_dev_set_caps(&vhost->dev, vhost->link->caps);
	hg_dev_set_mtu(&vhost->dev, vhost->link->mtu);
}

/* Tells the guest what was done with the ring, if it wants to be. */
static void tell(struct hg_vhost_ring *ring)
{
	if (!hg_vring_call_is_due(&ring->vring))
		return;
	hg_vring_told(&ring->vring);
	hg_vhost_ring_call(ring);
}

static void tell_taken(struct hg_vhost_ring *ring)
{
	hg_coalesce_told(&ring->taken);
	tell(ring);
}

/* The guest's frames were taken, or none: that is mostly not urgent (core/coalesce.h). Who does not ask is not told later, either,
 * and who has asked is looked at again only then: by an event index it says that it knows by now. */
static void tell_taken_later(struct vhost *vhost, struct hg_vhost_ring *ring, uint64_t n_bytes,
			     hg_ns now_ns)
{
	const struct hg_vring *vring = &ring->vring;
	bool is_exchange =
		n_bytes > 0 && hg_coalesce_is_exchange(&ring->taken, n_bytes,
						       hg_count_read(&vhost->counts.tx_bytes));

	if (ring->taken.by_ns == 0 && !hg_vring_call_is_due(&ring->vring))
		return;
	if (is_exchange && vhost->dev.tell_at_ns == 0)
		hg_coalesce_soon(&ring->taken, now_ns);
	else if (is_exchange ||
		 hg_coalesce_took(&ring->taken, vring->n_untold, vring->n, n_bytes, now_ns))
		tell_taken(ring);
	if (vhost->dev.tell_at_ns == 0)
		vhost->dev.tell_at_ns = ring->taken.by_ns;
}

static void look_for_faults(struct hg_vhost_link *link, const struct hg_vhost_ring *ring)
{
	if (HG_UNLIKELY(ring->vring.fault != HG_VRING_NONE))
		atomic_store_explicit(&link->fault, ring->vring.fault, memory_order_relaxed);
	/* What was found since may be zeros that the guest never wrote. */
	if (HG_UNLIKELY(atomic_load_explicit(link->is_lost, memory_order_relaxed)))
		atomic_store_explicit(&link->fault, HG_VRING_TAKEN, memory_order_relaxed);
}

static bool is_at_fault(const struct hg_vhost_link *link)
{
	return atomic_load_explicit(&link->fault, memory_order_relaxed) != HG_VRING_NONE;
}

static unsigned receive(struct vhost *vhost, struct hg_pkt **pkts, unsigned n, hg_ns now_ns)
{
	struct hg_vhost_link *link = vhost->link;
	uint64_t n_bytes_all = 0;
	unsigned n_got = 0;

	for (uint16_t i = 0; i < link->n_rx && n_got < n; i++) {
		struct hg_vhost_ring *ring;
		uint64_t n_bytes;

		if (vhost->next_rx >= link->n_rx)
			vhost->next_rx = 0;
		ring = &link->rings[link->rx_rings[vhost->next_rx++]];
		n_got += hg_vring_receive(&ring->vring, vhost->pool, pkts + n_got, n - n_got,
					  &vhost->counts, &n_bytes);
		n_bytes_all += n_bytes;
		tell_taken_later(vhost, ring, n_bytes, now_ns);
		look_for_faults(link, ring);
	}
	if (n_got > 0) {
		hg_count_add(&vhost->counts.rx_pkts, n_got);
		hg_count_add(&vhost->counts.rx_bytes, n_bytes_all);
	}
	return n_got;
}

static unsigned vhost_rx(struct hg_dev *dev, struct hg_pkt **pkts, unsigned n, hg_ns now_ns)
{
	struct vhost *vhost = (struct vhost *)dev;
	unsigned n_got = 0;

	if (!hg_vhost_link_enter(vhost->link))
		return 0;
	if (HG_UNLIKELY(vhost->generation != vhost->link->generation))
		follow(vhost);
	if (HG_LIKELY(!is_at_fault(vhost->link)))
		n_got = receive(vhost, pkts, n, now_ns);
	hg_vhost_link_leave(vhost->link);
	return n_got;
}

/* Copies packets into one queue of the guest; returns how many it is done with. */
static unsigned transmit(struct vhost *vhost, uint16_t queue, struct hg_pkt *const *pkts,
			 unsigned n)
{
	struct hg_vhost_link *link = vhost->link;
	struct hg_vhost_ring *ring = &link->rings[link->tx_rings[queue]];
	uint64_t n_bytes;
	unsigned n_sent, n_done = hg_vring_transmit(&ring->vring, pkts, n, &vhost->counts, &n_sent,
						    &n_bytes);

	hg_count_add(&vhost->counts.tx_pkts, n_sent);
	hg_count_add(&vhost->counts.tx_bytes, n_bytes);
	tell(ring);
	look_for_faults(link, ring);
	return n_done;
}

/* Of the addresses, and of the ports where there are any: the same for all packets of a flow. */
static uint32_t flow_hash(const struct hg_pkt *pkt)
{
	unsigned at = pkt->l3 == HG_L3_IP4 ? 12 : 8, n = pkt->l3 == HG_L3_IP4 ? 8 : 32;
	uint64_t hash = 0, word;

	if (pkt->l3 != HG_L3_IP4 && pkt->l3 != HG_L3_IP6)
		return 0;
	for (unsigned i = 0; i < n; i += 8) {
		memcpy(&word, pkt->data + pkt->l3_offset + at + i, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	}
	if (pkt->l4_offset != 0 && (pkt->ip_proto == 6 || pkt->ip_proto == 17)) {
		uint32_t ports;

		memcpy(&ports, pkt->data + pkt->l4_offset, sizeof(ports));
		hash = (hash ^ ports) * 0x9e3779b97f4a7c15ull;
	}
	return (uint32_t)(hash >> 32);
}

/* Each flow to a queue of its own. A full queue drops what is for it, so that the others go on. */
static void spread(struct vhost *vhost, struct hg_pkt *const *pkts, unsigned n)
{
	struct hg_pkt *sorted[HG_VHOST_PAIRS_MAX][BURST];
	unsigned n_sorted[HG_VHOST_PAIRS_MAX] = {0};
	uint16_t n_queues = vhost->link->n_tx;

	for (unsigned i = 0; i < n; i++) {
		unsigned queue = (unsigned)((uint64_t)flow_hash(pkts[i]) * n_queues >> 32);

		sorted[queue][n_sorted[queue]++] = pkts[i];
	}
	for (uint16_t i = 0; i < n_queues; i++) {
		unsigned n_done = n_sorted[i] == 0 ? 0 : transmit(vhost, i, sorted[i], n_sorted[i]);

		hg_count_add(&vhost->counts.drops[HG_DROP_RING_FULL], n_sorted[i] - n_done);
	}
}

static unsigned send(struct vhost *vhost, struct hg_pkt *const *pkts, unsigned n)
{
	unsigned n_done = 0;

	if (HG_LIKELY(vhost->link->n_tx == 1))
		return transmit(vhost, 0, pkts, n);
	while (n_done < n) {
		unsigned n_now = n - n_done < BURST ? n - n_done : BURST;

		spread(vhost, pkts + n_done, n_now);
		n_done += n_now;
	}
	return n_done;
}

/* Whether the guest takes it as it is. */
static bool is_fit(const struct hg_pkt *pkt, uint32_t caps)
{
	uint32_t need = pkt->gso != HG_GSO_NONE ? hg_dev_gso_caps(pkt) : 0u;

	if (pkt->flags & HG_PKT_NEEDS_CSUM)
		need |= HG_DEV_TX_CSUM;
	return (need & ~caps) == 0;
}

/* The packets were made ready for what the guest could do before; now it is another. What is not fit for it
 * is lost, as if it had come a moment earlier. */
static HG_NOINLINE unsigned send_after_change(struct vhost *vhost, struct hg_pkt *const *pkts,
					      unsigned n)
{
	unsigned n_done;

	follow(vhost);
	for (n_done = 0; n_done < n; n_done++) {
		if (!is_fit(pkts[n_done], vhost->dev.caps))
			hg_count_add(&vhost->counts.drops[HG_DROP_PORT_DOWN], 1);
		else if (send(vhost, pkts + n_done, 1) == 0)
			break;
	}
	return n_done;
}

static unsigned vhost_tx(struct hg_dev *dev, unsigned queue, struct hg_pkt **pkts, unsigned n,
			 hg_ns now_ns)
{
	struct vhost *vhost = (struct vhost *)dev;
	bool is_inside = hg_vhost_link_enter(vhost->link);
	unsigned n_done = n;

	(void)queue;
	(void)now_ns;
	if (HG_UNLIKELY(!is_inside || is_at_fault(vhost->link) || vhost->link->n_tx == 0))
		hg_count_add(&vhost->counts.drops[HG_DROP_PORT_DOWN], n);
	else if (HG_LIKELY(vhost->generation == vhost->link->generation))
		n_done = send(vhost, pkts, n);
	else
		n_done = send_after_change(vhost, pkts, n);
	if (is_inside)
		hg_vhost_link_leave(vhost->link);
	hg_pool_put(vhost->pool, pkts, n_done);
	return n_done;
}

static int vhost_fd(const struct hg_dev *dev)
{
	return ((const struct vhost *)dev)->link->epoll_fd;
}

static uint32_t vhost_arrival(const struct hg_dev *dev)
{
	const struct vhost *vhost = (const struct vhost *)dev;

	return atomic_load_explicit(&vhost->link->arrival, memory_order_acquire);
}

static bool vhost_arm(struct hg_dev *dev)
{
	struct vhost *vhost = (struct vhost *)dev;
	struct hg_vhost_link *link = vhost->link;
	bool has_some;

	if (!hg_vhost_link_enter(link))
		return false;
	has_some = link->has_to_poll;
	for (uint16_t i = 0; i < link->n_rx; i++)
		has_some |= hg_vring_arm(&link->rings[link->rx_rings[i]].vring);
	/* A port at fault is not polled. */
	has_some = has_some && !is_at_fault(link);
	hg_vhost_link_leave(link);
	return has_some;
}

static void vhost_tell(struct hg_dev *dev)
{
	struct vhost *vhost = (struct vhost *)dev;
	struct hg_vhost_link *link = vhost->link;

	dev->tell_at_ns = 0;
	/* Whoever shuts the door tells the guest. */
	if (!hg_vhost_link_enter(link))
		return;
	for (uint16_t i = 0; i < link->n_rx; i++) {
		struct hg_vhost_ring *ring = &link->rings[link->rx_rings[i]];

		if (ring->taken.by_ns != 0)
			tell_taken(ring);
	}
	hg_vhost_link_leave(link);
}

/* The guest learns its MTU from its own machine; here it says what we send it. */
static int vhost_adjust(struct hg_dev *dev, const struct hg_dev_cfg *cfg, struct hg_error *reterr)
{
	(void)reterr;
	hg_vhost_link_set_mtu(((struct vhost *)dev)->link, cfg->mtu > 0 ? cfg->mtu : MTU_DEFAULT);
	return 0;
}

static void vhost_rename(struct hg_dev *dev, const char *port)
{
	struct hg_vhost_link *link = ((struct vhost *)dev)->link;

	snprintf(link->port, sizeof(link->port), "%s", port);
}

static void vhost_sample(const struct hg_dev *dev, struct hg_dev_state *ret_state,
			 struct hg_dev_stats *ret_stats)
{
	const struct vhost *vhost = (const struct vhost *)dev;

	hg_vhost_link_sample(vhost->link, ret_state);
	hg_counts_read(&vhost->counts, ret_stats);
}

const struct hg_driver hg_driver_vhost = {
	.name = "vhost",
	.check = vhost_check,
	.place = vhost_place,
	.open = vhost_open,
	.start = vhost_start,
	.stop = vhost_stop,
	.close = vhost_close,
	.rx = vhost_rx,
	.tx = vhost_tx,
	.fd = vhost_fd,
	.arm = vhost_arm,
	.tell = vhost_tell,
	.arrival = vhost_arrival,
	.adjust = vhost_adjust,
	.rename = vhost_rename,
	.sample = vhost_sample,
};
