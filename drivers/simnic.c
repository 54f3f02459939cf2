#include "drivers/simnic.h"

#include "drivers/counts.h"
#include "drivers/text.h"
#include "drivers/wire.h"

#include <stdlib.h>
#include <string.h>

#define RING_DEFAULT 1024u
#define RING_MAX 65536u
/* Entries of a line at most: 4 million of 32 bytes are 128 MiB, which a test machine still has. */
#define ENTRIES_MAX (1u << 22)
/* The smallest packet: a frame of 60 bytes and its overhead. */
#define WIRE_MIN_BYTES (60u + HG_WIRE_OVERHEAD_BYTES)
/* Packets handed on at a time, as the packet lane's own bursts. */
#define BURST 32u
/* How long a refusing inner device is left alone: a hundredth of what a person or a TCP timer notices,
 * and a hundred times what asking costs. */
#define RETRY_NS (10 * HG_NS_PER_US)

enum { FULL_DROP, FULL_WAIT };
enum { IN_PACED, IN_FREE };

struct entry {
	struct hg_pkt *pkt;
	hg_ns end_ns;
	struct hg_wire wire;
};

/* One direction. Positions only grow: [head, ended) has passed and waits for its delay, [ended, tail)
 * is in the ring. */
struct line {
	struct entry *entries;
	uint32_t mask;
	uint32_t head, ended, tail;
	uint32_t ring_size; /* wire packets */
	hg_count used_pkts, used_bytes; /* of the ring */
	hg_ns end_ns; /* of the last packet accepted */
	uint64_t rest; /* of its division, in byte-ns below bytes_per_s */
	uint64_t bytes_per_s;
};

struct simnic {
	struct hg_dev dev;
	struct hg_dev *inner;
	struct hg_pool *pool;
	struct line out, in;
	hg_ns delay_ns;
	hg_ns retry_at_ns; /* 0: the inner device is not refusing */
	unsigned full, pacing;
	struct hg_dev_counts counts;
};

/* ---- a line ------------------------------------------------------------------------------------- */

static int line_init(struct line *line, uint64_t bytes_per_s, uint64_t ring_size,
		     uint64_t n_entries)
{
	uint32_t n = 1;

	while (n < n_entries)
		n *= 2u;
	line->entries = calloc(n, sizeof(*line->entries));
	line->mask = n - 1u;
	line->ring_size = (uint32_t)ring_size;
	line->bytes_per_s = bytes_per_s;
	return line->entries == NULL ? -HG_ENOMEM : 0;
}

static bool line_has_room(const struct line *line)
{
	return hg_count_read(&line->used_pkts) < line->ring_size &&
	       line->tail - line->head <= line->mask;
}

/* When the packet ends, with the remainder carried while the line stays busy. At most 2^20 bytes times
 * 10^9 fit in 64 bits with room for the remainder. */
static hg_ns line_end(struct line *line, uint32_t bytes, hg_ns now_ns)
{
	uint64_t work;

	if (line->end_ns < now_ns) {
		line->end_ns = now_ns;
		line->rest = 0;
	}
	work = (uint64_t)bytes * (uint64_t)HG_NS_PER_S + line->rest;
	line->end_ns += (hg_ns)(work / line->bytes_per_s);
	line->rest = work % line->bytes_per_s;
	return line->end_ns;
}

/* Requires line_has_room(). */
static void line_push(struct line *line, struct hg_pkt *pkt, hg_ns now_ns)
{
	struct entry *entry = &line->entries[line->tail & line->mask];

	entry->pkt = pkt;
	entry->wire = hg_wire_weigh(pkt);
	entry->end_ns = line_end(line, entry->wire.bytes, now_ns);
	line->tail++;
	hg_count_add(&line->used_pkts, entry->wire.parts);
	hg_count_add(&line->used_bytes, entry->wire.bytes);
}

/* Frees the ring's entries of all packets that have ended. */
static void line_advance(struct line *line, hg_ns now_ns)
{
	while (line->ended != line->tail) {
		const struct entry *entry = &line->entries[line->ended & line->mask];

		if (entry->end_ns > now_ns)
			return;
		hg_count_add(&line->used_pkts, -(uint64_t)entry->wire.parts);
		hg_count_add(&line->used_bytes, -(uint64_t)entry->wire.bytes);
		line->ended++;
	}
}

/* The packets, up to n, that ended delay_ns ago or longer; they stay in the line until line_pop. */
static unsigned line_peek(const struct line *line, struct hg_pkt **pkts, unsigned n, hg_ns delay_ns,
			  hg_ns now_ns)
{
	unsigned n_got = 0;

	while (n_got < n && line->head + n_got != line->ended) {
		const struct entry *entry = &line->entries[(line->head + n_got) & line->mask];

		if (entry->end_ns > now_ns - delay_ns)
			break;
		pkts[n_got++] = entry->pkt;
	}
	return n_got;
}

static void line_pop(struct line *line, unsigned n)
{
	line->head += n;
}

static hg_ns line_next_at(const struct line *line, hg_ns delay_ns)
{
	hg_ns at_ns = HG_NEVER;

	if (line->ended != line->tail)
		at_ns = line->entries[line->ended & line->mask].end_ns;
	if (line->head != line->ended &&
	    line->entries[line->head & line->mask].end_ns + delay_ns < at_ns)
		at_ns = line->entries[line->head & line->mask].end_ns + delay_ns;
	return at_ns;
}

static void line_drain(struct line *line, struct hg_pool *pool)
{
	for (; line->head != line->tail; line->head++)
		hg_pool_put(pool, &line->entries[line->head & line->mask].pkt, 1);
	line->ended = line->tail;
	line->used_pkts = 0;
	line->used_bytes = 0;
}

/* ---- life --------------------------------------------------------------------------------------- */

struct params {
	uint64_t bytes_per_s, n_ring;
	hg_ns delay_ns;
	unsigned full, pacing;
	uint64_t n_out; /* entries: the ring, and what the delay can hold */
};

static int parse_times(const struct hg_dev_text *text, struct params *params,
		       struct hg_error *reterr)
{
	const char *rate = hg_dev_text_param(text, "rate"),
		   *delay = hg_dev_text_param(text, "delay");
	int r;

	if (rate == NULL)
		return hg_error_set(reterr, -HG_EINVAL,
				    "simnic needs the rate of its line, as in "
				    "simnic(rate=1Gbit)+tap:out0",
				    NULL);
	r = hg_rate_parse(rate, &params->bytes_per_s, reterr);
	if (r < 0)
		return r;
	if (params->bytes_per_s < HG_RATE_MIN_BYTES_PER_S ||
	    params->bytes_per_s > HG_RATE_MAX_BYTES_PER_S)
		return hg_error_set(reterr, -HG_EINVAL, "the rate of simnic, ", rate,
				    ", is not in 8Kbit to 1Tbit", NULL);
	if (delay == NULL)
		return 0;
	r = hg_time_parse(delay, &params->delay_ns, reterr);
	if (r < 0)
		return r;
	if (params->delay_ns < 0 || params->delay_ns > HG_NS_PER_S)
		return hg_error_set(reterr, -HG_EINVAL, "the delay of simnic, ", delay,
				    ", is not in 0ns to 1s", NULL);
	return 0;
}

static int parse(const char *device, struct params *ret_params, struct hg_error *reterr)
{
	static const char *const keys[] = {"rate", "ring", "delay", "in", "full", NULL};
	static const char *const pacing[] = {"paced", "free", NULL};
	static const char *const full[] = {"drop", "wait", NULL};
	struct params params = {.n_ring = RING_DEFAULT};
	struct hg_dev_text text;
	int r = hg_dev_text_parse(device, &text, reterr);

	if (r == 0)
		r = hg_dev_text_allow(&text, keys, reterr);
	if (r == 0)
		r = hg_dev_text_number(&text, "ring", 1, RING_MAX, &params.n_ring, reterr);
	if (r == 0)
		r = hg_dev_text_choice(&text, "in", pacing, &params.pacing, reterr);
	if (r == 0)
		r = hg_dev_text_choice(&text, "full", full, &params.full, reterr);
	if (r == 0)
		r = parse_times(&text, &params, reterr);
	if (r < 0)
		return r;
	if (text.inner == NULL)
		return hg_error_set(reterr, -HG_EINVAL,
				    "simnic stands in front of another device: "
				    "simnic(rate=1Gbit)+tap:out0",
				    NULL);
	params.n_out = params.n_ring + BURST +
		       (uint64_t)params.delay_ns * (params.bytes_per_s / WIRE_MIN_BYTES + 1u) /
			       (uint64_t)HG_NS_PER_S;
	if (params.n_out > ENTRIES_MAX)
		return hg_error_set(reterr, -HG_EINVAL,
				    "the delay of simnic holds more than 4 million packets at this "
				    "rate",
				    NULL);
	*ret_params = params;
	return 0;
}

static int simnic_check(const char *device, struct hg_error *reterr)
{
	struct params params;

	return parse(device, &params, reterr);
}

static int simnic_open(const struct hg_dev_cfg *cfg, struct hg_dev **ret_dev,
		       struct hg_error *reterr)
{
	struct simnic *nic;
	struct params params;
	int r = parse(cfg->device, &params, reterr);

	if (r < 0)
		return r;
	nic = calloc(1, sizeof(*nic));
	if (nic == NULL || line_init(&nic->out, params.bytes_per_s, params.n_ring, params.n_out) ||
	    line_init(&nic->in, params.bytes_per_s, params.n_ring, params.n_ring + BURST)) {
		if (nic != NULL)
			free(nic->out.entries);
		free(nic);
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for a modelled card", NULL);
	}
	nic->dev.driver = &hg_driver_simnic;
	nic->dev.caps = cfg->inner->caps;
	nic->dev.mtu = cfg->inner->mtu;
	nic->inner = cfg->inner;
	nic->pool = cfg->pool;
	nic->delay_ns = params.delay_ns;
	nic->full = params.full;
	nic->pacing = params.pacing;
	*ret_dev = &nic->dev;
	return 0;
}

static int simnic_start(struct hg_dev *dev, struct hg_error *reterr)
{
	struct simnic *nic = (struct simnic *)dev;
	int r = nic->inner->driver->start(nic->inner, reterr);

	nic->dev.caps = nic->inner->caps;
	nic->dev.mtu = nic->inner->mtu;
	return r;
}

static void simnic_stop(struct hg_dev *dev)
{
	struct simnic *nic = (struct simnic *)dev;

	line_drain(&nic->out, nic->pool);
	line_drain(&nic->in, nic->pool);
	nic->inner->driver->stop(nic->inner);
}

static void simnic_close(struct hg_dev *dev, bool keep)
{
	struct simnic *nic = (struct simnic *)dev;

	if (dev == NULL)
		return;
	nic->inner->driver->close(nic->inner, keep);
	free(nic->out.entries);
	free(nic->in.entries);
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
	/* A standing line would never move again if nobody is behind it. */
	if (nic->full == FULL_WAIT && !is_inner_gone(nic)) {
		line_pop(&nic->out, taken);
		nic->retry_at_ns = now_ns + RETRY_NS;
		return;
	}
	line_pop(&nic->out, n);
	hg_pool_put(nic->pool, pkts + taken, n - taken);
	hg_count_add(&nic->counts.drops[HG_DROP_RING_FULL], n - taken);
}

static void deliver(struct simnic *nic, hg_ns now_ns)
{
	struct hg_pkt *pkts[BURST];
	unsigned n;

	line_advance(&nic->out, now_ns);
	if (now_ns < nic->retry_at_ns)
		return;
	nic->retry_at_ns = 0;
	while (nic->retry_at_ns == 0 &&
	       (n = line_peek(&nic->out, pkts, BURST, nic->delay_ns, now_ns)) > 0) {
		unsigned taken = nic->inner->driver->tx(nic->inner, pkts, n, now_ns);

		if (taken == n)
			line_pop(&nic->out, n);
		else
			refused(nic, pkts, taken, n, now_ns);
	}
}

static unsigned simnic_tx(struct hg_dev *dev, struct hg_pkt **pkts, unsigned n, hg_ns now_ns)
{
	struct simnic *nic = (struct simnic *)dev;
	uint64_t bytes = 0;
	unsigned n_taken = 0;

	deliver(nic, now_ns);
	while (n_taken < n && line_has_room(&nic->out)) {
		bytes += pkts[n_taken]->total_bytes;
		line_push(&nic->out, pkts[n_taken], now_ns);
		n_taken++;
	}
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
	hg_ns at_ns = HG_NEVER;

	deliver(nic, now_ns);
	if (nic->inner->driver->progress != NULL)
		at_ns = nic->inner->driver->progress(nic->inner, now_ns);
	at_ns = earlier(at_ns, line_next_at(&nic->in, 0));
	if (nic->retry_at_ns > 0)
		return earlier(at_ns, nic->retry_at_ns);
	return earlier(at_ns, line_next_at(&nic->out, nic->delay_ns));
}

/* ---- receiving ---------------------------------------------------------------------------------- */

/* Reads all that the inner device has into the line. The bound on the turns keeps one flooding device
 * from holding the worker. */
static void draw(struct simnic *nic, hg_ns now_ns)
{
	struct hg_pkt *pkts[BURST];
	unsigned n = BURST;

	line_advance(&nic->in, now_ns);
	for (unsigned turn = 0; turn < 4 && n == BURST; turn++) {
		n = nic->inner->driver->rx(nic->inner, pkts, BURST, now_ns);
		for (unsigned i = 0; i < n; i++) {
			if (HG_LIKELY(line_has_room(&nic->in))) {
				line_push(&nic->in, pkts[i], now_ns);
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

	if (nic->pacing == IN_FREE) {
		n_got = nic->inner->driver->rx(nic->inner, pkts, n, now_ns);
	} else {
		draw(nic, now_ns);
		n_got = line_peek(&nic->in, pkts, n, 0, now_ns);
		line_pop(&nic->in, n_got);
	}
	for (unsigned i = 0; i < n_got; i++)
		bytes += pkts[i]->total_bytes;
	hg_count_add(&nic->counts.rx_pkts, n_got);
	hg_count_add(&nic->counts.rx_bytes, bytes);
	return n_got;
}

/* ---- the rest ----------------------------------------------------------------------------------- */

static int simnic_fd(const struct hg_dev *dev)
{
	const struct simnic *nic = (const struct simnic *)dev;

	return nic->inner->driver->fd(nic->inner);
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
	ret_state->ring_used_pkts = hg_count_read(&nic->out.used_pkts);
	ret_state->ring_used_bytes = hg_count_read(&nic->out.used_bytes);
	ret_state->ring_size_pkts = nic->out.ring_size;
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
	.progress = simnic_progress,
	.sample = simnic_sample,
	.set_macs = simnic_set_macs,
};
