#include "sim/lane_impl.h"
#include "sim/random.h"

#include <string.h>

static hg_ns earlier(hg_ns a, hg_ns b)
{
	return a < b ? a : b;
}

static hg_ns later(hg_ns a, hg_ns b)
{
	return a > b ? a : b;
}

/* ---- arrivals ----------------------------------------------------------------------------------- */

/* A packet of this sender, which arrived at at_ns. Returns false if there is no buffer for it. */
static bool arrive(struct hg_lane *lane, uint32_t sender_idx, hg_ns at_ns)
{
	struct hg_lane_source *source = &lane->sources[sender_idx];
	struct hg_pkt *pkt = hg_card_get(&lane->card);
	struct hg_sender_size size;
	struct hg_sched_item item;

	if (HG_UNLIKELY(pkt == NULL)) {
		lane->link.n_no_buffer++;
		return false;
	}
	size = hg_sender_size(&source->sender);
	pkt->wire_bytes = size.wire_bytes;
	pkt->parts = (uint16_t)size.parts;
	pkt->instance_idx = sender_idx;
	pkt->stage = source->sender_class;
	pkt->at_ns = at_ns;
	item = (struct hg_sched_item){.pkt = pkt,
				      .instance_idx = sender_idx,
				      .wire_bytes = size.wire_bytes & HG_WIRE_MAX_BYTES,
				      .parts = size.parts & 0xfffu};
	if (hg_sched_push(lane->sched, &item, 1, lane->now_ns) != 1) {
		hg_card_put(&lane->card, pkt);
		lane->link.n_no_buffer++;
		return false;
	}
	source->n_queued++;
	lane->waiting_since_ns = earlier(lane->waiting_since_ns, at_ns);
	return true;
}

void hg_lane_refill(struct hg_lane *lane, uint32_t sender_idx)
{
	struct hg_lane_source *source = &lane->sources[sender_idx];

	for (uint32_t n = hg_sender_refill(&source->sender, source->n_queued); n > 0; n--)
		if (!arrive(lane, sender_idx, lane->now_ns))
			return;
}

void hg_lane_find_next_arrival(struct hg_lane *lane)
{
	lane->arrival_at_ns = HG_NEVER;
	for (uint32_t i = 0; i < lane->cfg.max_senders; i++)
		if (lane->sources[i].is_set)
			lane->arrival_at_ns =
				earlier(lane->arrival_at_ns, lane->sources[i].sender.next_at_ns);
}

static void take_arrivals(struct hg_lane *lane)
{
	hg_ns at_ns;

	if (lane->now_ns < lane->arrival_at_ns)
		return;
	for (uint32_t i = 0; i < lane->cfg.max_senders; i++) {
		struct hg_lane_source *source = &lane->sources[i];

		if (!source->is_set || source->sender.next_at_ns > lane->now_ns)
			continue;
		while (hg_sender_arrives(&source->sender, &at_ns, lane->now_ns))
			if (!arrive(lane, i, at_ns))
				hg_sender_left(&source->sender, lane->now_ns);
		hg_lane_refill(lane, i);
	}
	hg_lane_find_next_arrival(lane);
}

/* ---- releases ----------------------------------------------------------------------------------- */

void hg_lane_settle(struct hg_lane *lane)
{
	struct hg_card *card = &lane->card;
	uint64_t bytes = 0;
	uint32_t n_tags = 0;

	if (card->n_released == 0)
		return;
	for (uint32_t i = 0; i < card->n_released; i++) {
		struct hg_pkt *pkt = card->released[i];

		hg_waits_add(&lane->classes[pkt->stage].released, lane->now_ns - pkt->at_ns);
		lane->link.card_most_ns =
			later(lane->link.card_most_ns, lane->now_ns - pkt->queued_at_ns);
		bytes += pkt->wire_bytes;
		n_tags = hg_lane_collect(lane, pkt, n_tags);
		hg_card_put(card, pkt);
	}
	card->n_released = 0;
	hg_lane_settle_tags(lane, n_tags);
	if (lane->cfg.rule == HG_LANE_LIMIT)
		lane->cfg.limit.released(lane->cfg.limit.ctx, bytes, lane->now_ns);
}

/* ---- sending ------------------------------------------------------------------------------------ */

/* How many packets may be taken out of the scheduler at once. The window is asked by the scheduler itself. */
static unsigned may_send(struct hg_lane *lane)
{
	uint32_t room;

	switch (lane->cfg.rule) {
	case HG_LANE_PLAIN:
		room = hg_card_room(&lane->card);
		return room < HG_LANE_BURST ? room : HG_LANE_BURST;
	case HG_LANE_LIMIT:
		if (hg_card_room(&lane->card) == 0)
			return 0;
		return lane->cfg.limit.may(lane->cfg.limit.ctx) ? 1 : 0;
	case HG_LANE_INFLIGHT:
		break;
	}
	return HG_LANE_BURST;
}

/* The wire's side of a packet that the card took: when it leaves, and how long it rested before. */
static void on_wire(struct hg_lane *lane, struct hg_pkt *pkt)
{
	struct hg_lane_class *class = &lane->classes[pkt->stage];
	hg_ns free_at_ns = lane->card.end_ns, end_ns;

	if (free_at_ns < lane->now_ns)
		lane->link.dry_ns +=
			later(lane->now_ns - later(free_at_ns, lane->waiting_since_ns), 0);
	end_ns = hg_card_wire_end(&lane->card, pkt->wire_bytes, lane->now_ns);
	lane->link.busy_ns += end_ns - later(free_at_ns, lane->now_ns);
	pkt->queued_at_ns = end_ns;
	hg_waits_add(&class->held, lane->now_ns - pkt->at_ns);
	hg_waits_add(&class->wire, end_ns - pkt->at_ns);
	class->n_pkts++;
	class->bytes += pkt->wire_bytes;
	hg_sender_left(&lane->sources[pkt->instance_idx].sender, end_ns);
	lane->arrival_at_ns =
		earlier(lane->arrival_at_ns, lane->sources[pkt->instance_idx].sender.next_at_ns);
}

/* Gives the card what is pending. Returns whether it took all. */
static enum hg_held held_by(struct hg_lane *lane)
{
	bool by_root = hg_sched_was_held_by_root(lane->sched);

	if (hg_sched_was_held_by_window(lane->sched))
		return HG_HELD_MAX;
	return by_root ? HG_HELD_LEAD : HG_HELD_NOT;
}

static bool hand_over(struct hg_lane *lane, enum hg_held held)
{
	unsigned n = lane->n_pending, n_taken;

	hg_lane_hand(lane, held);
	n_taken = hg_card_tx(&lane->card, lane->pending, n, lane->now_ns);
	for (unsigned i = 0; i < n_taken; i++) {
		on_wire(lane, lane->pending[i]);
		if (lane->cfg.rule == HG_LANE_LIMIT)
			lane->cfg.limit.handed(lane->cfg.limit.ctx, lane->pending[i]->wire_bytes);
	}
	hg_lane_unhand(lane, n_taken);
	lane->n_pending = n - n_taken;
	lane->link.refused_pkts += lane->n_pending;
	memmove((void *)lane->pending, (void *)(lane->pending + n_taken),
		lane->n_pending * sizeof(lane->pending[0]));
	return lane->n_pending == 0;
}

static unsigned take_out(struct hg_lane *lane)
{
	struct hg_sched_item items[HG_LANE_BURST];
	unsigned n = may_send(lane);

	if (n > 0)
		n = hg_sched_pop(lane->sched, items, n, UINT32_MAX, lane->now_ns);
	for (unsigned i = 0; i < n; i++) {
		lane->pending[i] = items[i].pkt;
		hg_lane_tag(lane, items[i].pkt, &items[i]);
		lane->sources[items[i].instance_idx].n_queued--;
		hg_lane_refill(lane, items[i].instance_idx);
	}
	lane->n_pending = n;
	return n;
}

static void send(struct hg_lane *lane)
{
	enum hg_held held = held_by(lane);

	for (; lane->n_pending > 0 || take_out(lane) > 0; held = HG_HELD_NOT)
		if (!hand_over(lane, held))
			return;
	if (hg_sched_queued_pkts(lane->sched) == 0)
		lane->waiting_since_ns = HG_NEVER;
}

/* ---- time --------------------------------------------------------------------------------------- */

static hg_ns next_event(struct hg_lane *lane)
{
	hg_ns at_ns = earlier(lane->arrival_at_ns, lane->card_at_ns);

	/* What waits for the card is served when the card has moved. */
	if (lane->n_pending == 0 && may_send(lane) > 0)
		at_ns = earlier(at_ns, hg_sched_next_at(lane->sched, lane->now_ns));
	if (lane->inflight != NULL)
		at_ns = earlier(at_ns, hg_inflight_next_at(lane->inflight));
	if (lane->cfg.poll_ns > 0 && at_ns < HG_NEVER - lane->cfg.poll_ns)
		at_ns = (at_ns + lane->cfg.poll_ns - 1) / lane->cfg.poll_ns * lane->cfg.poll_ns;
	return later(later(at_ns, lane->now_ns), lane->stepped_at_ns + 1);
}

/* Between half of the mean and one and a half. */
static hg_ns around(uint64_t *random, hg_ns mean_ns)
{
	return mean_ns / 2 + (hg_ns)hg_random_below(random, (uint32_t)mean_ns + 1u);
}

/* When the worker sees to what happens at at_ns: what has not begun by now of its next spell is looked at again when that
 * has ended. */
static hg_ns there_at(struct hg_lane *lane, hg_ns at_ns)
{
	const struct hg_lane_cfg *cfg = &lane->cfg;

	if (cfg->away_every_ns == 0)
		return at_ns;
	while (lane->now_ns >= lane->away_to_ns) {
		lane->away_from_ns =
			lane->away_to_ns + around(&lane->away_random, cfg->away_every_ns);
		lane->away_to_ns =
			lane->away_from_ns + around(&lane->away_random, cfg->away_for_ns) + 1;
	}
	return at_ns < lane->away_from_ns ? at_ns : lane->away_to_ns;
}

static void step(struct hg_lane *lane)
{
	lane->link.n_steps++;
	lane->stepped_at_ns = lane->now_ns;
	take_arrivals(lane);
	hg_card_progress(&lane->card, lane->now_ns);
	hg_lane_settle(lane);
	hg_lane_advance(lane);
	send(lane);
	lane->card_at_ns = hg_card_progress(&lane->card, lane->now_ns);
	if (lane->cfg.checks_sum)
		hg_lane_check_sum(lane);
}

void hg_lane_run(struct hg_lane *lane, hg_ns until_ns)
{
	for (;;) {
		hg_ns due_ns = next_event(lane), at_ns = there_at(lane, due_ns);

		if (at_ns >= until_ns)
			break;
		lane->now_ns = at_ns;
		if (at_ns > due_ns)
			hg_lane_was_away(lane, due_ns);
		step(lane);
	}
	lane->now_ns = later(lane->now_ns, until_ns - 1);
}
