#include "core/inflight_impl.h"

/* A card that refuses with fewer packets than this in it is not full but in trouble. */
#define RING_MIN_PKTS 32u

/* ---- life --------------------------------------------------------------------------------------- */

static size_t lines(size_t n, size_t size)
{
	return (n * size + HG_CACHE_LINE_BYTES - 1u) & ~(size_t)(HG_CACHE_LINE_BYTES - 1u);
}

size_t hg_inflight_size(const struct hg_inflight_cfg *cfg)
{
	return lines(1, sizeof(struct hg_inflight)) +
	       lines(HG_INFLIGHT_SAMPLES, sizeof(struct hg_inflight_slot)) +
	       lines(1, hg_window_size(cfg->max_tenants, cfg->max_instances)) +
	       lines(cfg->max_instances, sizeof(struct hg_histogram));
}

struct hg_inflight *hg_inflight_init(void *memory, const struct hg_inflight_cfg *cfg, hg_ns now_ns)
{
	struct hg_inflight *q = memory;
	char *at = memory;

	at += lines(1, sizeof(*q));
	q->slots = (struct hg_inflight_slot *)(void *)at;
	at += lines(HG_INFLIGHT_SAMPLES, sizeof(struct hg_inflight_slot));
	q->window = hg_window_init(at, cfg->max_tenants, cfg->max_instances);
	at += lines(1, hg_window_size(cfg->max_tenants, cfg->max_instances));
	q->cards = (struct hg_histogram *)(void *)at;

	q->cfg = *cfg;
	q->quiet_since_ns = HG_NEVER;
	q->epoch_at_ns = now_ns;
	q->last_epoch_at_ns = now_ns;
	q->stats.state = cfg->is_on ? HG_HOOK_LEARNING : HG_HOOK_OFF;
	q->stats.state_since_ns = now_ns;
	q->was_paced = true;
	hg_depth_init(&q->depth, &cfg->depth, now_ns);
	hg_belief_init(&q->belief, cfg->depth.bytes_per_s);
	hg_window_set_link(q->window, cfg->depth.bytes_per_s, cfg->depth.largest_bytes);
	hg_window_set_counting(q->window, cfg->is_on);
	hg_inflight_publish(q);
	return q;
}

void hg_inflight_configure(struct hg_inflight *q, const struct hg_inflight_cfg *cfg, hg_ns now_ns)
{
	bool is_same_rate = cfg->depth.bytes_per_s == q->cfg.depth.bytes_per_s;

	q->cfg.depth = cfg->depth;
	q->cfg.is_on = cfg->is_on;
	hg_depth_configure(&q->depth, &cfg->depth, now_ns);
	hg_window_set_link(q->window, cfg->depth.bytes_per_s, cfg->depth.largest_bytes);
	if (!is_same_rate) /* what was believed was so of another link */
		hg_belief_init(&q->belief, cfg->depth.bytes_per_s);
	if (!cfg->is_on)
		hg_inflight_set_state(q, HG_HOOK_OFF, now_ns);
	else if (q->stats.state == HG_HOOK_OFF)
		hg_inflight_set_state(q, HG_HOOK_LEARNING, now_ns);
	bound(q);
	hg_inflight_publish(q);
}

void hg_inflight_reset(struct hg_inflight *q, hg_ns now_ns)
{
	hg_inflight_write_off(q, now_ns);
	hg_depth_init(&q->depth, &q->cfg.depth, now_ns);
	hg_belief_init(&q->belief, q->cfg.depth.bytes_per_s);
	if (q->cfg.is_on)
		hg_inflight_set_state(q, HG_HOOK_LEARNING, now_ns);
	hg_inflight_publish(q);
}

struct hg_window *hg_inflight_window(struct hg_inflight *q)
{
	return q->window;
}

void hg_inflight_remove_instance(struct hg_inflight *q, uint32_t instance_idx)
{
	hg_window_remove_instance(q->window, instance_idx);
	q->cards[instance_idx] = (struct hg_histogram){0};
}

/* ---- packets ------------------------------------------------------------------------------------ */

/* In pieces, each of them stored once: as a whole it would be made elsewhere and copied. */
static inline void write_tag(const struct hg_inflight *q, uint32_t instance_idx, uint32_t load,
			     struct hg_tag *ret_tag)
{
	ret_tag->load = load;
	ret_tag->handed_ns = 0;
	ret_tag->instance_idx = instance_idx;
	ret_tag->generation = q->window->rows[instance_idx].generation;
	ret_tag->epoch = (uint8_t)q->window->epoch;
	ret_tag->queue = (uint8_t)(q->cfg.queue + 1u);
}

struct hg_tag hg_inflight_tag(struct hg_inflight *q, uint32_t instance_idx, uint32_t load)
{
	struct hg_tag tag = {0};

	if (!is_off(q))
		write_tag(q, instance_idx, load, &tag);
	return tag;
}

bool hg_inflight_put_tag(struct hg_inflight *q, uint32_t instance_idx, uint32_t load,
			 struct hg_tag *ret_tag)
{
	if (is_off(q))
		return false;
	write_tag(q, instance_idx, load, ret_tag);
	return true;
}

unsigned hg_inflight_tag_runs(struct hg_inflight *q, const struct hg_sched_item *items,
			      const struct hg_sched_runs *runs, size_t tag_at)
{
	const struct hg_sched_run *run = runs->list, *end = run + runs->n;

	if (is_off(q))
		return 0;
	for (; run < end; run++) {
		const struct hg_sched_item *last = items + run->n - 1u;

		write_tag(q, last->instance_idx, hg_load(run->bytes, run->parts),
			  (struct hg_tag *)(void *)((char *)last->pkt + tag_at));
		items += run->n;
	}
	return runs->n;
}

struct hg_tag hg_inflight_take(struct hg_inflight *q, uint32_t instance_idx, uint32_t load)
{
	hg_window_take(q->window, instance_idx, hg_load_bytes(load), hg_load_parts(load));
	return hg_inflight_tag(q, instance_idx, load);
}

static inline void hand(struct hg_inflight *q, struct hg_inflight_sum sum, enum hg_held held,
			hg_ns now_ns)
{
	hg_depth_handed(&q->depth, sum.bytes, sum.parts, held, now_ns);
	if (q->quiet_since_ns == HG_NEVER)
		begin_quiet(q, now_ns);
}

bool hg_inflight_handed(struct hg_inflight *q, struct hg_inflight_sum sum, enum hg_held held,
			hg_ns now_ns)
{
	if (sum.bytes == 0)
		return false;
	hand(q, sum, held, now_ns);
	return true;
}

bool hg_inflight_send(struct hg_inflight *q, uint32_t instance_idx, struct hg_inflight_sum sum,
		      enum hg_held held, hg_ns now_ns, struct hg_tag *ret_tag)
{
	if (is_off(q))
		return false;
	write_tag(q, instance_idx, hg_load(sum.bytes, sum.parts), ret_tag);
	ret_tag->handed_ns = now_ns > 0 ? now_ns : 1;
	hand(q, sum, held, now_ns);
	return true;
}

void hg_inflight_hand(struct hg_inflight *q, struct hg_tag *tag, enum hg_held held, hg_ns now_ns)
{
	struct hg_inflight_sum sum = {0};

	hg_inflight_add(&sum, tag, now_ns);
	(void)hg_inflight_handed(q, sum, held, now_ns);
}

void hg_inflight_unhand(struct hg_inflight *q, struct hg_tag *tag, hg_ns now_ns)
{
	(void)now_ns;
	if (tag->handed_ns == 0)
		return;
	tag->handed_ns = 0;
	hg_depth_lost(&q->depth, hg_load_bytes(tag->load), hg_load_parts(tag->load));
}

void hg_inflight_refused(struct hg_inflight *q, uint32_t n_pkts, hg_ns now_ns)
{
	uint32_t out_pkts = hg_window_outstanding_pkts(q->window);
	uint32_t ring_pkts = out_pkts > n_pkts ? out_pkts - n_pkts : 0;
	struct hg_depth_cfg depth = q->cfg.depth;

	q->stats.refused_pkts += n_pkts;
	if (q->stats.state != HG_HOOK_ON || ring_pkts < RING_MIN_PKTS)
		return;
	if (depth.ring_pkts != 0 && ring_pkts >= depth.ring_pkts)
		return;
	/* It took so many and no more. Known until it is configured anew. */
	q->cfg.depth.ring_pkts = ring_pkts;
	hg_depth_configure(&q->depth, &q->cfg.depth, now_ns);
	bound(q);
}

void hg_inflight_was_away(struct hg_inflight *q, hg_ns from_ns, hg_ns now_ns)
{
	hg_depth_was_away(&q->depth, from_ns, now_ns);
}
