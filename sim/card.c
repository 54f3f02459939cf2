#include "sim/card.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PKTS_MAX (1u << 22)
/* What a packet without bytes calls its frame: the least that Ethernet has. Nobody reads it. */
#define FRAME_BYTES 60u

/* ---- the pool, and the hook in it --------------------------------------------------------------- */

static struct hg_card *card_of(struct hg_pool *pool)
{
	return (struct hg_card *)(void *)pool; /* its first member */
}

struct hg_pkt *hg_card_get(struct hg_card *card)
{
	struct hg_pkt *pkt = card->free_list;

	if (pkt == NULL)
		return NULL;
	card->free_list = pkt->link;
	card->n_free--;
	pkt->link = NULL;
	return pkt;
}

void hg_card_put(struct hg_card *card, struct hg_pkt *pkt)
{
	pkt->link = card->free_list;
	card->free_list = pkt;
	card->n_free++;
}

static unsigned pool_get(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	struct hg_card *card = card_of(pool);

	if (n > card->n_free)
		return 0;
	for (unsigned i = 0; i < n; i++)
		pkts[i] = hg_card_get(card);
	return n;
}

/* Whatever the card gives back. The owner reads the tag, clears it, and puts the packet back. */
static void pool_put(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	struct hg_card *card = card_of(pool);

	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *pkt = pkts[i];

		card->released_pkts += pkt->parts;
		card->released_bytes += pkt->wire_bytes;
		card->released[card->n_released++] = pkt;
	}
}

static const struct hg_pool_ops pool_ops = {.name = "sim", .get = pool_get, .put = pool_put};

static int make_pool(struct hg_card *card, uint32_t n_pkts)
{
	card->pkts = aligned_alloc(64, n_pkts * sizeof(*card->pkts));
	card->released = calloc(n_pkts, sizeof(struct hg_pkt *));
	if (card->pkts == NULL || card->released == NULL)
		return -HG_ENOMEM;
	memset(card->pkts, 0, n_pkts * sizeof(*card->pkts));
	card->pool.ops = &pool_ops;
	card->n_pkts = n_pkts;
	for (uint32_t i = n_pkts; i-- > 0;) {
		struct hg_pkt *pkt = &card->pkts[i].pkt;

		pkt->total_bytes = pkt->n_bytes = FRAME_BYTES;
		hg_card_put(card, pkt);
	}
	return 0;
}

/* ---- the device behind the wire ----------------------------------------------------------------- */

struct sink {
	struct hg_dev dev;
	struct hg_pool *pool;
};

static const struct hg_driver sink_driver;

static int sink_open(const struct hg_dev_cfg *cfg, struct hg_dev **ret_dev, struct hg_error *reterr)
{
	struct sink *sink = calloc(1, sizeof(*sink));

	if (sink == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for a wire's far end", NULL);
	sink->dev = (struct hg_dev){.driver = &sink_driver, .mtu = cfg->mtu, .n_tx_queues = 1};
	sink->pool = cfg->pool;
	*ret_dev = &sink->dev;
	return 0;
}

static int sink_start(struct hg_dev *dev, struct hg_error *reterr)
{
	(void)dev, (void)reterr;
	return 0;
}

static void sink_stop(struct hg_dev *dev)
{
	(void)dev;
}

static void sink_close(struct hg_dev *dev, bool keep)
{
	(void)keep;
	free(dev);
}

static unsigned sink_rx(struct hg_dev *dev, struct hg_pkt **pkts, unsigned n, hg_ns now_ns)
{
	(void)dev, (void)pkts, (void)n, (void)now_ns;
	return 0;
}

static unsigned sink_tx(struct hg_dev *dev, unsigned queue, struct hg_pkt **pkts, unsigned n,
			hg_ns now_ns)
{
	(void)queue, (void)now_ns;
	hg_pool_put(((struct sink *)(void *)dev)->pool, pkts, n);
	return n;
}

static int sink_fd(const struct hg_dev *dev)
{
	(void)dev;
	return -1;
}

static void sink_sample(const struct hg_dev *dev, struct hg_dev_state *ret_state,
			struct hg_dev_stats *ret_stats)
{
	(void)dev;
	*ret_state = (struct hg_dev_state){.link = HG_DEV_UP};
	*ret_stats = (struct hg_dev_stats){0};
}

static const struct hg_driver sink_driver = {
	.name = "sink",
	.open = sink_open,
	.start = sink_start,
	.stop = sink_stop,
	.close = sink_close,
	.rx = sink_rx,
	.tx = sink_tx,
	.fd = sink_fd,
	.sample = sink_sample,
};

/* ---- life --------------------------------------------------------------------------------------- */

int hg_card_open(struct hg_card *card, const struct hg_card_cfg *cfg, struct hg_error *reterr)
{
	char text[512], rate[32];
	struct hg_dev_cfg dev_cfg = {
		.device = text, .netns = "", .mtu = 1500, .open_inner = sink_open};
	int r;

	*card = (struct hg_card){.bytes_per_s = cfg->bytes_per_s};
	if (cfg->n_pkts < 1 || cfg->n_pkts > PKTS_MAX)
		return hg_error_set(reterr, -HG_EINVAL, "a lane has 1 to 4194304 packets", NULL);
	if (make_pool(card, cfg->n_pkts) < 0) {
		hg_card_close(card);
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for the packets of a lane",
				    NULL);
	}
	hg_rate_format(rate, sizeof(rate), cfg->bytes_per_s);
	snprintf(text, sizeof(text), "simnic(rate=%s,ring=%u%s%s)+sink:wire", rate, cfg->ring_pkts,
		 cfg->params[0] != '\0' ? "," : "", cfg->params);
	dev_cfg.pool = &card->pool;
	r = hg_driver_simnic.open(&dev_cfg, &card->dev, reterr);
	if (r == 0)
		r = card->dev->driver->start(card->dev, reterr);
	if (r < 0)
		hg_card_close(card);
	return r;
}

void hg_card_stop(struct hg_card *card)
{
	card->dev->driver->stop(card->dev);
}

void hg_card_close(struct hg_card *card)
{
	if (card->dev != NULL)
		card->dev->driver->close(card->dev, false);
	free(card->pkts);
	free((void *)card->released);
	*card = (struct hg_card){0};
}

/* ---- sending ------------------------------------------------------------------------------------ */

void hg_card_abort(struct hg_card *card, struct hg_pkt *pkt)
{
	card->released[card->n_released++] = pkt;
}

unsigned hg_card_tx(struct hg_card *card, struct hg_pkt **pkts, unsigned n, hg_ns now_ns)
{
	unsigned n_taken = card->dev->driver->tx(card->dev, 0, pkts, n, now_ns);

	for (unsigned i = 0; i < n_taken; i++) {
		card->handed_pkts += pkts[i]->parts;
		card->handed_bytes += pkts[i]->wire_bytes;
	}
	return n_taken;
}

hg_ns hg_card_wire_end(struct hg_card *card, uint32_t wire_bytes, hg_ns handed_ns)
{
	uint64_t work;

	if (card->end_ns < handed_ns) {
		card->end_ns = handed_ns;
		card->rest = 0;
	}
	work = (uint64_t)wire_bytes * (uint64_t)HG_NS_PER_S + card->rest;
	card->end_ns += (hg_ns)(work / card->bytes_per_s);
	card->rest = work % card->bytes_per_s;
	return card->end_ns;
}

hg_ns hg_card_progress(struct hg_card *card, hg_ns now_ns)
{
	return card->dev->driver->progress(card->dev, now_ns);
}

uint32_t hg_card_room(const struct hg_card *card)
{
	struct hg_dev_state state;
	struct hg_dev_stats stats;

	card->dev->driver->sample(card->dev, &state, &stats);
	if (state.ring_used_pkts >= state.ring_size_pkts)
		return 0;
	return (uint32_t)(state.ring_size_pkts - state.ring_used_pkts);
}

int hg_card_fault(struct hg_card *card, const struct hg_simnic_fault *fault, hg_ns now_ns)
{
	int r = hg_simnic_fault(card->dev, fault, now_ns);

	if (r == 0 && fault->kind == HG_SIMNIC_RESET)
		card->end_ns = now_ns;
	if (r == 0 && fault->kind == HG_SIMNIC_STALL)
		card->end_ns = (card->end_ns > now_ns ? card->end_ns : now_ns) + fault->for_ns;
	return r;
}
