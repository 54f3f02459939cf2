#include "drivers/simnic.h"

#include "drivers/simnic_card.h"
#include "drivers/simnic_text.h"

#include <stdlib.h>

/* Packets handed on at a time, as the packet lane's own bursts. */
#define BURST 32u
/* How long an inner device that refuses, or keeps what is to be released, is left alone: a hundredth of what a
 * person or a TCP timer notices, and a hundred times what asking costs. */
#define RETRY_NS (10 * HG_NS_PER_US)

struct simnic {
	struct hg_dev dev;
	struct hg_dev *inner;
	struct hg_pool *pool;
	struct hg_pool between; /* what the inner device has for a pool, with a completion model */
	struct hg_simnic_card out;
	struct hg_simnic_line in;
	hg_ns delay_ns;
	hg_ns retry_at_ns; /* 0: the inner device is not refusing */
	hg_ns complete_max_ns;
	unsigned full, pacing;
	bool is_paused; /* takes nothing more from the inner device */
	struct hg_dev_counts counts;
};

/* ---- between the inner device and the pool ------------------------------------------------------ */

static struct simnic *simnic_of(struct hg_pool *between)
{
	return (struct simnic *)((char *)between - offsetof(struct simnic, between));
}

static unsigned between_get(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	return hg_pool_get(simnic_of(pool)->pool, pkts, n);
}

static unsigned between_get_long(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	return hg_pool_get_long(simnic_of(pool)->pool, pkts, n);
}

/* What the card sent it keeps until it is to be released; what the inner device received is none of its. */
static void between_put(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	struct simnic *nic = simnic_of(pool);

	for (unsigned i = 0; i < n; i++)
		if (HG_UNLIKELY(!hg_simnic_completion_back(&nic->out, pkts[i])))
			hg_pool_put(nic->pool, &pkts[i], 1);
}

static const struct hg_pool_ops between_ops = {
	.name = "simnic",
	.get = between_get,
	.get_long = between_get_long,
	.put = between_put,
};

/* ---- life --------------------------------------------------------------------------------------- */

static int simnic_check(const char *device, struct hg_error *reterr)
{
	struct hg_simnic_text text;

	return hg_simnic_text_parse(device, &text, reterr);
}

static hg_ns longest(const hg_ns *delays_ns, uint32_t n)
{
	hg_ns most_ns = 0;

	for (uint32_t i = 0; i < n; i++)
		if (delays_ns[i] > most_ns)
			most_ns = delays_ns[i];
	return most_ns;
}

/* Builds the card and the line; on failure there is neither. */
static int make_card(struct simnic *nic, const struct hg_simnic_text *text, struct hg_error *reterr)
{
	hg_ns *trace_ns = NULL;
	uint32_t n_trace = 0, n_pkts = 0;
	int r = 0;

	if (text->trace[0] != '\0')
		r = hg_simnic_text_read_trace(text->trace, &trace_ns, &n_trace, reterr);
	if (r == 0)
		r = hg_simnic_text_count(text, longest(trace_ns, n_trace), &n_pkts, reterr);
	if (r < 0)
		goto fail;
	r = hg_simnic_card_init(&nic->out, text, n_pkts, trace_ns, n_trace, nic->pool);
	if (r < 0)
		goto fail;
	r = hg_simnic_line_init(&nic->in, text->bytes_per_s, (uint32_t)text->ring_size, BURST);
	if (r < 0) {
		hg_simnic_card_fini(&nic->out);
		return r;
	}
	return 0;
fail:
	free(trace_ns);
	return r;
}

static int open_inner(struct simnic *nic, const struct hg_dev_cfg *cfg, const char *device,
		      struct hg_error *reterr)
{
	struct hg_dev_cfg own = *cfg;
	int r;

	own.device = device;
	if (nic->out.model.is_there)
		own.pool = &nic->between;
	r = cfg->open_inner(&own, &nic->inner, reterr);
	if (r < 0)
		return r;
	nic->dev.caps = nic->inner->caps;
	nic->dev.mtu = nic->inner->mtu;
	nic->dev.gso_max_bytes = nic->inner->gso_max_bytes;
	return 0;
}

static int simnic_open(const struct hg_dev_cfg *cfg, struct hg_dev **ret_dev,
		       struct hg_error *reterr)
{
	struct simnic *nic;
	struct hg_simnic_text text;
	int r = hg_simnic_text_parse(cfg->device, &text, reterr);

	if (r < 0)
		return r;
	nic = calloc(1, sizeof(*nic));
	if (nic == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for a modelled card", NULL);
	nic->dev.driver = &hg_driver_simnic;
	nic->dev.n_tx_queues = (uint16_t)text.n_queues;
	nic->pool = cfg->pool;
	nic->between.ops = &between_ops;
	nic->delay_ns = text.delay_ns;
	nic->complete_max_ns = text.model.complete_ns;
	nic->full = text.full;
	nic->pacing = text.in;
	r = make_card(nic, &text, reterr);
	if (r < 0)
		goto fail;
	r = open_inner(nic, cfg, text.inner, reterr);
	if (r < 0)
		goto fail_card;
	*ret_dev = &nic->dev;
	return 0;
fail_card:
	hg_simnic_card_fini(&nic->out);
	hg_simnic_line_fini(&nic->in);
fail:
	free(nic);
	return r == -HG_ENOMEM ? hg_error_set(reterr, r, "no memory for a modelled card", NULL) : r;
}

static int simnic_start(struct hg_dev *dev, struct hg_error *reterr)
{
	struct simnic *nic = (struct simnic *)dev;
	int r = nic->inner->driver->start(nic->inner, reterr);

	nic->dev.caps = nic->inner->caps;
	nic->dev.mtu = nic->inner->mtu;
	nic->dev.gso_max_bytes = nic->inner->gso_max_bytes;
	return r;
}

static void simnic_hold(struct hg_dev *dev, bool is_held)
{
	struct hg_dev *inner = ((struct simnic *)dev)->inner;

	if (inner->driver->hold != NULL)
		inner->driver->hold(inner, is_held);
}

static void simnic_rename(struct hg_dev *dev, const char *port)
{
	struct hg_dev *inner = ((struct simnic *)dev)->inner;

	if (inner->driver->rename != NULL)
		inner->driver->rename(inner, port);
}

static int simnic_adjust(struct hg_dev *dev, const struct hg_dev_cfg *cfg, struct hg_error *reterr)
{
	struct simnic *nic = (struct simnic *)dev;
	int r = 0;

	if (nic->inner->driver->adjust != NULL)
		r = nic->inner->driver->adjust(nic->inner, cfg, reterr);
	if (r == 0)
		hg_dev_set_mtu(dev, hg_dev_mtu(nic->inner));
	return r;
}

/* The inner device first: what it has it puts back, with a completion model to the card. */
static void simnic_stop(struct hg_dev *dev)
{
	struct simnic *nic = (struct simnic *)dev;

	nic->inner->driver->stop(nic->inner);
	hg_simnic_card_drain(&nic->out);
	hg_simnic_line_drain(&nic->in, nic->pool);
}

static void simnic_close(struct hg_dev *dev, bool keep)
{
	struct simnic *nic = (struct simnic *)dev;

	if (dev == NULL)
		return;
	nic->inner->driver->close(nic->inner, keep);
	hg_simnic_card_fini(&nic->out);
	hg_simnic_line_fini(&nic->in);
	free(nic);
}

/* ---- sending ------------------------------------------------------------------------------------ */

static bool is_inner_gone(const struct simnic *nic)
{
	struct hg_dev_state state;
	struct hg_dev_stats stats;

	nic->inner->driver->sample(nic->inner, &state, &stats);
	return state.link == HG_DEV_GONE;
}

/* The inner device took `taken` of n packets that have passed the line. */
static void refused(struct simnic *nic, struct hg_pkt **pkts, unsigned taken, unsigned n,
		    hg_ns now_ns)
{
	/* Deliveries would stand for ever if nobody is behind them. */
	bool is_dropped = nic->full != HG_SIMNIC_FULL_WAIT || is_inner_gone(nic);

	hg_simnic_card_handed(&nic->out, pkts, taken, n, is_dropped);
	if (is_dropped)
		hg_count_add(&nic->counts.drops[HG_DROP_RING_FULL], n - taken);
	else
		nic->retry_at_ns = now_ns + RETRY_NS;
}

static void deliver(struct simnic *nic, hg_ns now_ns)
{
	struct hg_pkt *pkts[BURST];
	unsigned n;

	hg_simnic_card_advance(&nic->out, now_ns);
	if (now_ns < nic->retry_at_ns)
		return;
	nic->retry_at_ns = 0;
	while (nic->retry_at_ns == 0 &&
	       (n = hg_simnic_card_hand(&nic->out, pkts, BURST, nic->delay_ns, now_ns)) > 0) {
		unsigned taken = nic->inner->driver->tx(nic->inner, 0, pkts, n, now_ns);

		if (taken == n)
			hg_simnic_card_handed(&nic->out, pkts, n, n, false);
		else
			refused(nic, pkts, taken, n, now_ns);
	}
}

static void release(struct simnic *nic, hg_ns now_ns)
{
	if (nic->out.model.is_there)
		hg_simnic_completion_release(&nic->out, now_ns);
}

static unsigned simnic_tx(struct hg_dev *dev, unsigned queue, struct hg_pkt **pkts, unsigned n,
			  hg_ns now_ns)
{
	struct simnic *nic = (struct simnic *)dev;
	uint64_t bytes = 0;
	unsigned n_taken;

	deliver(nic, now_ns);
	if (n == 0)
		nic->inner->driver->tx(nic->inner, 0, NULL, 0, now_ns);
	release(nic, now_ns);
	n_taken = hg_simnic_card_push(&nic->out, queue, pkts, n, now_ns);
	for (unsigned i = 0; i < n_taken; i++)
		bytes += pkts[i]->total_bytes;
	hg_count_add(&nic->counts.tx_pkts, n_taken);
	hg_count_add(&nic->counts.tx_bytes, bytes);
	return n_taken;
}

static hg_ns earlier(hg_ns a, hg_ns b)
{
	return a < b ? a : b;
}

static hg_ns simnic_progress(struct hg_dev *dev, hg_ns now_ns)
{
	struct simnic *nic = (struct simnic *)dev;
	/* Nobody says when an inner device that has no progress of its own puts back what it took. */
	hg_ns at_ns = HG_NEVER, retry_at_ns = now_ns + RETRY_NS;

	deliver(nic, now_ns);
	if (nic->inner->driver->progress != NULL) {
		at_ns = nic->inner->driver->progress(nic->inner, now_ns);
		retry_at_ns = HG_NEVER;
	}
	release(nic, now_ns);
	if (nic->out.model.is_there)
		at_ns = earlier(at_ns, hg_simnic_completion_next_at(&nic->out, retry_at_ns));
	at_ns = earlier(at_ns, hg_simnic_line_next_at(&nic->in));
	if (nic->retry_at_ns > 0)
		return earlier(at_ns, nic->retry_at_ns);
	return earlier(at_ns, hg_simnic_card_next_at(&nic->out, nic->delay_ns));
}

/* ---- faults ------------------------------------------------------------------------------------- */

static bool is_in_range(const struct simnic *nic, const struct hg_simnic_fault *fault)
{
	bool is_queue = fault->kind == HG_SIMNIC_STOP_QUEUE || fault->kind == HG_SIMNIC_START_QUEUE;

	if (fault->for_ns < 0 || fault->for_ns > HG_NS_PER_S || fault->ppm > 1000000u)
		return false;
	if (fault->kind == HG_SIMNIC_COMPLETE && fault->for_ns > nic->complete_max_ns)
		return false;
	return !is_queue || fault->queue < nic->dev.n_tx_queues;
}

int hg_simnic_fault(struct hg_dev *dev, const struct hg_simnic_fault *fault, hg_ns now_ns)
{
	struct simnic *nic = (struct simnic *)dev;
	bool is_of_model = fault->kind == HG_SIMNIC_LOSE || fault->kind == HG_SIMNIC_COMPLETE;

	if (!is_in_range(nic, fault))
		return -HG_EINVAL;
	if (is_of_model && !nic->out.model.is_there)
		return -HG_ENOTSUP;
	deliver(nic, now_ns);
	release(nic, now_ns);
	switch (fault->kind) {
	case HG_SIMNIC_STALL:
		hg_simnic_card_stall(&nic->out, fault->for_ns, now_ns);
		break;
	case HG_SIMNIC_LOSE:
		nic->out.model.is_never = false;
		nic->out.model.lose_ppm = fault->ppm;
		break;
	case HG_SIMNIC_COMPLETE:
		nic->out.model.complete_ns = fault->for_ns;
		break;
	case HG_SIMNIC_RESET:
		hg_count_add(&nic->counts.drops[HG_DROP_CARD_RESET],
			     hg_simnic_card_reset(&nic->out, now_ns));
		break;
	case HG_SIMNIC_STOP_QUEUE:
	case HG_SIMNIC_START_QUEUE:
		hg_simnic_card_stop_queue(&nic->out, fault->queue,
					  fault->kind == HG_SIMNIC_STOP_QUEUE, now_ns);
		break;
	}
	return 0;
}

/* ---- receiving ---------------------------------------------------------------------------------- */

/* What is in front of the inner device has no instant at which to tell its far side something. */
static unsigned receive_inner(struct simnic *nic, struct hg_pkt **pkts, unsigned n, hg_ns now_ns)
{
	unsigned n_got = nic->inner->driver->rx(nic->inner, pkts, n, now_ns);

	if (nic->inner->tell_at_ns != 0)
		nic->inner->driver->tell(nic->inner);
	return n_got;
}

/* Reads all that the inner device has into the line. The bound on the turns keeps one flooding device
 * from holding the worker. */
static void draw(struct simnic *nic, hg_ns now_ns)
{
	struct hg_pkt *pkts[BURST];
	unsigned n = BURST;

	hg_simnic_line_advance(&nic->in, now_ns);
	if (nic->is_paused)
		return;
	for (unsigned turn = 0; turn < 4 && n == BURST; turn++) {
		n = receive_inner(nic, pkts, BURST, now_ns);
		for (unsigned i = 0; i < n; i++) {
			if (HG_LIKELY(hg_simnic_line_has_room(&nic->in))) {
				hg_simnic_line_push(&nic->in, pkts[i], now_ns);
			} else {
				hg_pool_put(nic->pool, &pkts[i], 1);
				hg_count_add(&nic->counts.rx_dropped, 1);
			}
		}
	}
}

static unsigned simnic_rx(struct hg_dev *dev, struct hg_pkt **pkts, unsigned n, hg_ns now_ns)
{
	struct simnic *nic = (struct simnic *)dev;
	uint64_t bytes = 0;
	unsigned n_got;

	if (nic->pacing == HG_SIMNIC_IN_FREE) {
		n_got = nic->is_paused ? 0 : receive_inner(nic, pkts, n, now_ns);
	} else {
		draw(nic, now_ns);
		n_got = hg_simnic_line_pop(&nic->in, pkts, n);
	}
	for (unsigned i = 0; i < n_got; i++)
		bytes += pkts[i]->total_bytes;
	hg_count_add(&nic->counts.rx_pkts, n_got);
	hg_count_add(&nic->counts.rx_bytes, bytes);
	return n_got;
}

static void simnic_pause(struct hg_dev *dev, bool is_paused)
{
	struct simnic *nic = (struct simnic *)dev;

	nic->is_paused = is_paused;
	if (nic->inner->driver->pause != NULL)
		nic->inner->driver->pause(nic->inner, is_paused);
}

static unsigned simnic_hand(const struct hg_dev *dev, int *ret_fds)
{
	const struct simnic *nic = (const struct simnic *)dev;

	return nic->inner->driver->hand == NULL ? 0 : nic->inner->driver->hand(nic->inner, ret_fds);
}

/* ---- the rest ----------------------------------------------------------------------------------- */

static int simnic_fd(const struct hg_dev *dev)
{
	const struct simnic *nic = (const struct simnic *)dev;

	return nic->inner->driver->fd(nic->inner);
}

/* Another thread may find a part counted that it has not seen counted in the whole. */
static uint64_t less(uint64_t whole, uint64_t part)
{
	return whole > part ? whole - part : 0;
}

void hg_simnic_sample_queue(const struct hg_dev *dev, unsigned queue,
			    struct hg_simnic_queue_sample *ret_sample)
{
	const struct hg_simnic_queue *of = &((const struct simnic *)dev)->out.queues[queue];
	struct hg_simnic_queue_sample now = {
		.taken_pkts = hg_count_read(&of->taken_pkts),
		.taken_bytes = hg_count_read(&of->taken_bytes),
		.sent_pkts = hg_count_read(&of->sent_pkts),
		.sent_bytes = hg_count_read(&of->sent_bytes),
		.aborted_pkts = hg_count_read(&of->aborted_pkts),
		.aborted_bytes = hg_count_read(&of->aborted_bytes),
		.released_pkts = hg_count_read(&of->released_pkts),
		.released_bytes = hg_count_read(&of->released_bytes),
		.lost_pkts = hg_count_read(&of->lost_pkts),
		.lost_bytes = hg_count_read(&of->lost_bytes),
	};

	now.ring_used_pkts = less(now.taken_pkts, now.sent_pkts + now.aborted_pkts);
	now.ring_used_bytes = less(now.taken_bytes, now.sent_bytes + now.aborted_bytes);
	now.unreleased_pkts = less(now.taken_pkts, now.released_pkts);
	now.unreleased_bytes = less(now.taken_bytes, now.released_bytes);
	*ret_sample = now;
}

static void simnic_sample(const struct hg_dev *dev, struct hg_dev_state *ret_state,
			  struct hg_dev_stats *ret_stats)
{
	const struct simnic *nic = (const struct simnic *)dev;
	struct hg_dev_stats inner;

	nic->inner->driver->sample(nic->inner, ret_state, &inner);
	hg_counts_read(&nic->counts, ret_stats);
	ret_stats->rx_dropped += inner.rx_dropped;
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		ret_stats->drops[i] += inner.drops[i];
	ret_state->ring_used_pkts = 0;
	ret_state->ring_used_bytes = 0;
	ret_state->completed_pkts = 0;
	ret_state->completed_bytes = 0;
	ret_state->ring_size_pkts = nic->out.ring_size;
	for (unsigned i = 0; i < dev->n_tx_queues; i++) {
		struct hg_simnic_queue_sample queue;

		hg_simnic_sample_queue(dev, i, &queue);
		ret_state->ring_used_pkts += queue.ring_used_pkts;
		ret_state->ring_used_bytes += queue.ring_used_bytes;
		ret_state->completed_pkts += queue.released_pkts;
		ret_state->completed_bytes += queue.released_bytes;
	}
}

static int simnic_set_macs(struct hg_dev *dev, const uint8_t (*macs)[HG_MAC_BYTES], unsigned n,
			   struct hg_error *reterr)
{
	struct simnic *nic = (struct simnic *)dev;

	if (nic->inner->driver->set_macs == NULL)
		return 0;
	return nic->inner->driver->set_macs(nic->inner, macs, n, reterr);
}

const struct hg_driver hg_driver_simnic = {
	.name = "simnic",
	.is_wrapper = true,
	.check = simnic_check,
	.open = simnic_open,
	.start = simnic_start,
	.stop = simnic_stop,
	.close = simnic_close,
	.rx = simnic_rx,
	.tx = simnic_tx,
	.fd = simnic_fd,
	.adjust = simnic_adjust,
	.rename = simnic_rename,
	.hold = simnic_hold,
	.progress = simnic_progress,
	.pause = simnic_pause,
	.hand = simnic_hand,
	.sample = simnic_sample,
	.set_macs = simnic_set_macs,
};
