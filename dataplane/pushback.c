#include "dataplane/pushback.h"

/* Wire bytes that stand in the queue when its ports are held: what a link of 25 Gbit/s sends in 40 us, several
 * turns. A port delivers about as much until the flag is seen. */
#define HIGH_BYTES (128u * 1024u)
/* The same in packet buffers: small packets weigh little and take a whole one. */
#define HIGH_BUFFERS 256u
/* What one call of a driver delivers, at most: some 128 KiB and one packet. */
#define BURST_BYTES (192u * 1024u)
/* The part of what one flow may hold of all free buffers that is left to pushing ports, so that hundreds of
 * them together leave some to everybody. */
#define BUFFERS_PART 4u

/* A limit on the whole instance, wherever its packets go. */
static bool is_whole(enum hg_limit limit)
{
	switch (limit) {
	case HG_LIMIT_MAX:
	case HG_LIMIT_PKTS:
	case HG_LIMIT_TENANT_MAX:
	case HG_LIMIT_TENANT_PKTS:
		return true;
	default:
		return false;
	}
}

/* Where a queue is full and where it is not any more, in wire bytes and packet buffers. */
struct marks {
	uint32_t high_bytes, high_buffers, low_bytes, low_buffers;
};

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static struct marks marks_of(const struct hg_worker *w, uint32_t instance_idx, bool refuses)
{
	uint32_t hold = w->snapshot->instances[instance_idx].hold_bytes[HG_OUT];
	uint32_t buffers = w->max_held_buffers;

	if (refuses)
		return (struct marks){hold / 2, buffers / 2, hold / 8 * 3, buffers / 8 * 3};
	hold = least(hold / 2, HIGH_BYTES);
	buffers = least(buffers / BUFFERS_PART, HIGH_BUFFERS);
	return (struct marks){hold, buffers, hold / 2, buffers / 2};
}

static uint32_t caps_of(const struct hg_worker *w, const struct hg_pkt *pkt)
{
	const struct hg_port *port = hg_path_port(w, pkt->in_port_idx);

	return port == NULL ? 0 : HG_READ(port->dev->caps);
}

bool hg_pushback_note(struct hg_worker *w, const struct hg_tree *tree, struct hg_flow *flow,
		      const struct hg_pkt *pkt)
{
	uint32_t caps = caps_of(w, pkt);
	struct marks marks;
	uint32_t queued;

	if (HG_LIKELY(!(caps & HG_DEV_RX_PUSHES_BACK)))
		return false;
	if (flow->is_full)
		return true;
	queued = hg_sched_instance_queued_bytes(tree->sched, pkt->instance_idx);
	/* The packets of one burst are queued before any of them is found to be over the contract. */
	if (!is_whole(hg_sched_instance_held_by(tree->sched, pkt->instance_idx)))
		return queued + pkt->wire_bytes <=
			       w->snapshot->instances[pkt->instance_idx].hold_bytes[HG_OUT] +
				       BURST_BYTES &&
		       flow->held_buffers + hg_path_n_buffers(pkt) <= w->max_held_buffers;
	marks = marks_of(w, pkt->instance_idx, (caps & HG_DEV_RX_REFUSES) != 0);
	if (queued + pkt->wire_bytes >= marks.high_bytes ||
	    flow->held_buffers >= marks.high_buffers) {
		flow->low_bytes = marks.low_bytes;
		flow->low_buffers = marks.low_buffers;
		HG_WRITE(flow->is_full, true);
	}
	return true;
}

void hg_pushback_reset(struct hg_worker *w, struct hg_flow *flow)
{
	if (!flow->is_full)
		return;
	HG_WRITE(flow->is_full, false);
	atomic_fetch_add_explicit(&w->lane->releases, 1, memory_order_release);
	for (uint32_t i = 0; i < w->lane->n_workers; i++) {
		if (i != w->idx)
			hg_worker_wake(w->lane->workers[i]);
	}
}

void hg_pushback_left(struct hg_worker *w, const struct hg_tree *tree, struct hg_flow *flow,
		      uint32_t instance_idx)
{
	enum hg_limit limit = hg_sched_instance_held_by(tree->sched, instance_idx);
	uint32_t queued = hg_sched_instance_queued_bytes(tree->sched, instance_idx);

	if (limit != HG_LIMIT_NONE && is_whole(limit) &&
	    (queued > flow->low_bytes || flow->held_buffers > flow->low_buffers))
		return;
	hg_pushback_reset(w, flow);
}
