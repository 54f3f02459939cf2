#include "sim/lane_impl.h"
#include "sim/random.h"

#include <stdlib.h>
#include <string.h>

/* ---- life --------------------------------------------------------------------------------------- */

void *hg_lane_zeroed(size_t size)
{
	size_t whole = (size + 63u) & ~(size_t)63u;
	void *memory = aligned_alloc(64, whole);

	return memory == NULL ? NULL : memset(memory, 0, whole);
}

static int make_sched(struct hg_lane *lane, struct hg_error *reterr)
{
	const struct hg_lane_cfg *cfg = &lane->cfg;
	struct hg_sched_cfg sched_cfg = {
		.max_tenants = cfg->max_tenants,
		.max_instances = cfg->max_senders,
		.max_queued_pkts = cfg->max_pkts < 64 ? 64 : cfg->max_pkts,
		.pkt_base = lane->card.pkts,
	};

	lane->sources = calloc(cfg->max_senders, sizeof(*lane->sources));
	lane->caps_memory = hg_lane_zeroed(hg_caps_size(cfg->max_tenants, cfg->max_senders));
	lane->sched_memory = hg_lane_zeroed(hg_sched_size(&sched_cfg));
	if (lane->sources == NULL || lane->caps_memory == NULL || lane->sched_memory == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for a lane", NULL);
	lane->caps = hg_caps_init(lane->caps_memory, cfg->max_tenants, cfg->max_senders);
	sched_cfg.caps = lane->caps;
	if (lane->inflight != NULL)
		sched_cfg.window = hg_inflight_window(lane->inflight);
	return hg_sched_init(lane->sched_memory, &sched_cfg, lane->now_ns, &lane->sched, reterr);
}

int hg_lane_create(const struct hg_lane_cfg *cfg, struct hg_lane **ret_lane,
		   struct hg_error *reterr)
{
	struct hg_card_cfg card_cfg = {.bytes_per_s = cfg->link_bytes_per_s,
				       .ring_pkts = cfg->ring_pkts,
				       .params = cfg->card,
				       .n_pkts = cfg->max_pkts};
	struct hg_lane *lane = calloc(1, sizeof(*lane));
	int r;

	if (lane == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for a lane", NULL);
	lane->cfg = *cfg;
	lane->now_ns = HG_LANE_START_NS;
	lane->random = cfg->seed;
	lane->away_random = ~cfg->seed;
	lane->away_from_ns = lane->away_to_ns = lane->now_ns;
	lane->arrival_at_ns = lane->card_at_ns = lane->waiting_since_ns = HG_NEVER;
	r = hg_card_open(&lane->card, &card_cfg, reterr);
	if (r == 0 && cfg->rule == HG_LANE_INFLIGHT)
		r = hg_lane_make_inflight(lane, reterr);
	if (r == 0)
		r = make_sched(lane, reterr);
	if (r == 0)
		hg_lane_advance(lane);
	if (r < 0) {
		hg_lane_destroy(lane);
		return r;
	}
	*ret_lane = lane;
	return 0;
}

void hg_lane_destroy(struct hg_lane *lane)
{
	if (lane == NULL)
		return;
	hg_card_close(&lane->card);
	free(lane->sources);
	free(lane->caps_memory);
	free(lane->sched_memory);
	free(lane->inflight_memory);
	free(lane->tags);
	free(lane);
}

int hg_lane_set_tenant(struct hg_lane *lane, uint32_t tenant_idx, const struct hg_policy *policy,
		       struct hg_error *reterr)
{
	int r;

	hg_caps_set_tenant(lane->caps, tenant_idx, policy, lane->now_ns);
	if (lane->inflight != NULL)
		hg_window_set_tenant(hg_inflight_window(lane->inflight), tenant_idx,
				     policy->weight);
	r = hg_sched_set_tenant(lane->sched, tenant_idx, policy, lane->now_ns, reterr);
	hg_lane_divided_anew(lane);
	return r;
}

int hg_lane_set_sender(struct hg_lane *lane, uint32_t sender_idx, uint32_t tenant_idx,
		       unsigned sender_class, const struct hg_policy *policy,
		       const struct hg_sender_cfg *cfg, struct hg_error *reterr)
{
	struct hg_lane_source *source = &lane->sources[sender_idx];
	int r;

	hg_caps_set_instance(lane->caps, sender_idx, policy, lane->now_ns);
	if (lane->inflight != NULL)
		hg_window_set_instance(hg_inflight_window(lane->inflight), sender_idx, tenant_idx,
				       policy->weight, policy->min_bytes_per_s);
	r = hg_sched_set_instance(lane->sched, sender_idx, tenant_idx, policy, lane->now_ns,
				  reterr);
	if (r < 0)
		return r;
	hg_sender_init(&source->sender, cfg, hg_random(&lane->random), lane->now_ns);
	source->tenant_idx = tenant_idx;
	source->sender_class = (uint8_t)sender_class;
	source->is_set = true;
	hg_lane_refill(lane, sender_idx);
	hg_lane_find_next_arrival(lane);
	hg_lane_divided_anew(lane);
	return 0;
}

static void throw_away(struct hg_lane *lane, uint32_t sender_idx)
{
	struct hg_sched_item items[HG_LANE_BURST];
	unsigned n;

	while ((n = hg_sched_drain(lane->sched, sender_idx, items, HG_LANE_BURST, lane->now_ns)) >
	       0)
		for (unsigned i = 0; i < n; i++)
			hg_card_put(&lane->card, items[i].pkt);
	lane->sources[sender_idx].n_queued = 0;
}

int hg_lane_remove_sender(struct hg_lane *lane, uint32_t sender_idx, struct hg_error *reterr)
{
	int r;

	throw_away(lane, sender_idx);
	lane->sources[sender_idx].is_set = false;
	hg_lane_find_next_arrival(lane);
	r = hg_sched_remove_instance(lane->sched, sender_idx, lane->now_ns, reterr);
	if (r == 0 && lane->inflight != NULL)
		hg_window_remove_instance(hg_inflight_window(lane->inflight), sender_idx);
	hg_lane_divided_anew(lane);
	return r;
}

void hg_lane_stop(struct hg_lane *lane)
{
	for (uint32_t i = 0; i < lane->cfg.max_senders; i++)
		if (lane->sources[i].is_set)
			throw_away(lane, i);
	hg_card_stop(&lane->card);
	while (lane->n_pending > 0)
		hg_card_abort(&lane->card, lane->pending[--lane->n_pending]);
	hg_lane_settle(lane);
	hg_lane_advance(lane);
}

/* ---- what became of it -------------------------------------------------------------------------- */

const struct hg_lane_class *hg_lane_class(const struct hg_lane *lane, unsigned sender_class)
{
	return &lane->classes[sender_class];
}

void hg_lane_link(const struct hg_lane *lane, struct hg_lane_link *ret_link)
{
	*ret_link = lane->link;
}

void hg_lane_clear(struct hg_lane *lane)
{
	memset(lane->classes, 0, sizeof(lane->classes));
	lane->link = (struct hg_lane_link){0};
}

hg_ns hg_lane_now(const struct hg_lane *lane)
{
	return lane->now_ns;
}

struct hg_sched *hg_lane_sched(struct hg_lane *lane)
{
	return lane->sched;
}

struct hg_inflight *hg_lane_inflight(struct hg_lane *lane)
{
	return lane->inflight;
}

struct hg_card *hg_lane_card(struct hg_lane *lane)
{
	return &lane->card;
}
