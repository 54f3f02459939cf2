#include "sim/lane_impl.h"

#include <stdlib.h>

/* What the root is paced at while releases cannot be believed: as the packet lane does, so that the queue
 * stands in headgate. */
enum { PACE_PER_MILLE = 995, PACE_BURST_BYTES = 3200 };

int hg_lane_make_inflight(struct hg_lane *lane, struct hg_error *reterr)
{
	lane->inflight_cfg = (struct hg_inflight_cfg){
		.depth = lane->cfg.depth,
		.max_tenants = lane->cfg.max_tenants,
		.max_instances = lane->cfg.max_senders,
		.is_on = true,
	};
	lane->inflight_cfg.depth.bytes_per_s = lane->cfg.link_bytes_per_s;
	lane->inflight_cfg.depth.largest_bytes = lane->cfg.largest_bytes;
	lane->inflight_cfg.depth.ring_pkts = lane->cfg.ring_pkts;
	lane->inflight_memory = hg_lane_zeroed(hg_inflight_size(&lane->inflight_cfg));
	lane->tags = calloc(lane->card.n_pkts, sizeof(*lane->tags));
	if (lane->inflight_memory == NULL || lane->tags == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for a lane", NULL);
	lane->inflight = hg_inflight_init(lane->inflight_memory, &lane->inflight_cfg, lane->now_ns);
	return 0;
}

void hg_lane_set_inflight(struct hg_lane *lane, bool is_on, uint64_t pin_bytes)
{
	lane->inflight_cfg.is_on = is_on;
	lane->inflight_cfg.depth.pin_bytes = pin_bytes;
	hg_inflight_configure(lane->inflight, &lane->inflight_cfg, lane->now_ns);
	hg_sched_window_changed(lane->sched, lane->now_ns);
	hg_lane_divided_anew(lane);
}

void hg_lane_tag(struct hg_lane *lane, struct hg_pkt *pkt, const struct hg_sched_item *item)
{
	if (lane->inflight == NULL)
		return;
	pkt->tag = hg_inflight_tag(lane->inflight, item->instance_idx, item->load);
	if (pkt->tag.queue == 0)
		return;
	lane->tagged_pkts += pkt->parts;
	lane->tagged_bytes += pkt->wire_bytes;
}

void hg_lane_hand(struct hg_lane *lane, enum hg_held held)
{
	if (lane->inflight == NULL)
		return;
	for (unsigned i = 0; i < lane->n_pending; i++) {
		if (lane->pending[i]->tag.queue == 0)
			continue;
		hg_inflight_hand(lane->inflight, &lane->pending[i]->tag, held, lane->now_ns);
		held = HG_HELD_NOT;
	}
}

void hg_lane_unhand(struct hg_lane *lane, unsigned n_taken)
{
	if (lane->inflight == NULL || n_taken == lane->n_pending)
		return;
	hg_inflight_refused(lane->inflight, lane->n_pending - n_taken, lane->now_ns);
	for (unsigned i = lane->n_pending; i-- > n_taken;)
		if (lane->pending[i]->tag.queue != 0)
			hg_inflight_unhand(lane->inflight, &lane->pending[i]->tag, lane->now_ns);
}

uint32_t hg_lane_collect(struct hg_lane *lane, struct hg_pkt *pkt, uint32_t n)
{
	if (pkt->tag.queue == 0)
		return n;
	lane->tagged_pkts -= pkt->parts;
	lane->tagged_bytes -= pkt->wire_bytes;
	lane->tags[n] = pkt->tag;
	pkt->tag.queue = 0;
	if (HG_UNLIKELY(lane->cfg.forgets_every > 0) &&
	    ++lane->n_since_forgotten >= lane->cfg.forgets_every) {
		lane->n_since_forgotten = 0;
		return n;
	}
	return n + 1u;
}

void hg_lane_settle_tags(struct hg_lane *lane, uint32_t n)
{
	if (n == 0)
		return;
	hg_inflight_settle(lane->inflight, lane->tags, n, lane->now_ns);
	for (uint32_t i = 0; i < n; i++)
		hg_sched_window_opened(lane->sched, lane->tags[i].instance_idx, lane->now_ns);
	lane->has_settled = true;
}

void hg_lane_was_away(struct hg_lane *lane, hg_ns from_ns)
{
	if (lane->inflight != NULL)
		hg_inflight_was_away(lane->inflight, from_ns, lane->now_ns);
}

/* As the packet lane does. */
static void set_root(struct hg_lane *lane)
{
	bool is_paced = hg_inflight_is_paced(lane->inflight);
	hg_ns lead_ns = is_paced ? 0 : hg_inflight_lead_ns(lane->inflight);

	if (is_paced == lane->is_paced && lead_ns == lane->lead_ns)
		return;
	lane->is_paced = is_paced;
	lane->lead_ns = lead_ns;
	if (is_paced)
		hg_sched_set_root(lane->sched, lane->cfg.link_bytes_per_s / 1000u * PACE_PER_MILLE,
				  PACE_BURST_BYTES, lane->now_ns);
	else
		hg_sched_set_root(lane->sched, lead_ns == HG_NEVER ? 0 : lane->cfg.link_bytes_per_s,
				  0, lane->now_ns);
	hg_sched_set_lead(lane->sched, lead_ns == HG_NEVER ? 0 : lead_ns);
}

void hg_lane_advance(struct hg_lane *lane)
{
	if (lane->inflight == NULL ||
	    (!lane->has_settled && lane->now_ns < hg_inflight_next_at(lane->inflight)))
		return;
	lane->has_settled = false;
	if (hg_inflight_advance(lane->inflight, lane->now_ns))
		hg_sched_window_changed(lane->sched, lane->now_ns);
	set_root(lane);
}

void hg_lane_divided_anew(struct hg_lane *lane)
{
	lane->has_settled = true;
	hg_lane_advance(lane);
}

int hg_lane_fault(struct hg_lane *lane, const struct hg_simnic_fault *fault)
{
	int r = hg_card_fault(&lane->card, fault, lane->now_ns);

	if (r < 0 || fault->kind != HG_SIMNIC_RESET || lane->inflight == NULL)
		return r;
	/* What the reset gave back comes first; the rest is lost. */
	hg_lane_settle(lane);
	hg_inflight_reset(lane->inflight, lane->now_ns);
	hg_sched_window_changed(lane->sched, lane->now_ns);
	hg_lane_divided_anew(lane);
	return 0;
}

/* What the card says of itself, what was handed to it and came back, and what in-flight control believes: three
 * counts, each made by another. Of what was written off and came back in-flight control counts packets alone. */
void hg_lane_check_sum(struct hg_lane *lane)
{
	struct hg_simnic_queue_sample card;
	struct hg_inflight_stats stats;
	uint64_t out_pkts, out_bytes;

	hg_simnic_sample_queue(lane->card.dev, 0, &card);
	if (card.unreleased_pkts != lane->card.handed_pkts - lane->card.released_pkts ||
	    card.unreleased_bytes != lane->card.handed_bytes - lane->card.released_bytes)
		lane->link.n_sum_errors++;
	if (lane->inflight == NULL)
		return;
	hg_inflight_sample(lane->inflight, &stats);
	out_pkts = hg_window_outstanding_pkts(hg_inflight_window(lane->inflight));
	out_bytes = hg_window_outstanding_bytes(hg_inflight_window(lane->inflight));
	if (out_pkts + stats.window.lost_pkts != lane->tagged_pkts + stats.late_pkts ||
	    (stats.window.lost_pkts == 0 && out_bytes != lane->tagged_bytes))
		lane->link.n_sum_errors++;
}
