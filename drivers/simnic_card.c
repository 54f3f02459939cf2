#include "drivers/simnic_card.h"

#include <stdlib.h>

/* What a full packet of 1,500 bytes with a VLAN tag weighs: rr then takes turns packet by packet, as cards
 * do. */
#define QUANTUM_BYTES (1500u + 18u + HG_WIRE_OVERHEAD_BYTES)

static const struct hg_simnic_list empty = {HG_SIMNIC_NONE, HG_SIMNIC_NONE};

/* ---- lists -------------------------------------------------------------------------------------- */

static void append(struct hg_simnic_card *card, struct hg_simnic_list *list, uint32_t idx)
{
	card->entries[idx].next = HG_SIMNIC_NONE;
	if (list->first == HG_SIMNIC_NONE)
		list->first = idx;
	else
		card->entries[list->last].next = idx;
	list->last = idx;
}

/* Requires that the list is not empty. */
static uint32_t take_first(struct hg_simnic_card *card, struct hg_simnic_list *list)
{
	uint32_t idx = list->first;

	list->first = card->entries[idx].next;
	return idx;
}

static void clear(struct hg_simnic_card *card)
{
	card->on_wire = HG_SIMNIC_NONE;
	card->to_hand = HG_SIMNIC_NONE;
	card->flight = empty;
	card->ready = 0;
	card->turn = 0;
	card->is_served = false;
	for (unsigned i = 0; i < card->n_queues; i++) {
		struct hg_simnic_queue *queue = &card->queues[i];

		queue->ring = empty;
		queue->done = empty;
		queue->n_in_batch = 0;
		queue->used_pkts = 0;
		queue->deficit_bytes = 0;
	}
}

int hg_simnic_card_init(struct hg_simnic_card *card, const struct hg_simnic_text *text,
			uint32_t n_pkts, hg_ns *trace_ns, uint32_t n_trace, struct hg_pool *pool)
{
	*card = (struct hg_simnic_card){
		.free_first = HG_SIMNIC_NONE,
		.ring_size = (uint32_t)text->ring_size,
		.n_queues = (unsigned)text->n_queues,
		.arbitrate = text->arbitrate,
		.clock = {.bytes_per_s = text->bytes_per_s,
			  .stall_ns = text->stall_ns,
			  .every_ns = text->every_ns},
		.pool = pool,
		.model = text->model,
		.n_trace = n_trace,
		/* Two streams, so that losing some does not change when the others are ready. */
		.jitter_seed = text->model.seed,
		.lose_seed = ~text->model.seed,
	};
	card->entries = aligned_alloc(HG_CACHE_LINE_BYTES, n_pkts * sizeof(*card->entries));
	if (card->entries == NULL)
		return -HG_ENOMEM;
	for (uint32_t i = n_pkts; i-- > 0;)
		hg_simnic_entry_free(card, i);
	card->trace_ns = trace_ns;
	clear(card);
	return 0;
}

void hg_simnic_card_fini(struct hg_simnic_card *card)
{
	free(card->entries);
	free(card->trace_ns);
}

/* ---- which queue -------------------------------------------------------------------------------- */

static unsigned lowest(uint32_t ready)
{
	unsigned queue = 0;

	while ((ready >> queue & 1u) == 0)
		queue++;
	return queue;
}

/* Shreedhar and Varghese, "Efficient Fair Queuing Using Deficit Round Robin", 1995. */
static unsigned round_robin(struct hg_simnic_card *card)
{
	for (;;) {
		struct hg_simnic_queue *queue = &card->queues[card->turn];

		if ((card->ready >> card->turn & 1u) == 0) {
			queue->deficit_bytes = 0;
		} else {
			uint32_t n_bytes = card->entries[queue->ring.first].wire.bytes;

			if (!card->is_served)
				queue->deficit_bytes += QUANTUM_BYTES;
			card->is_served = true;
			if (queue->deficit_bytes >= n_bytes) {
				queue->deficit_bytes -= n_bytes;
				return card->turn;
			}
		}
		card->turn = card->turn + 1u < card->n_queues ? card->turn + 1u : 0;
		card->is_served = false;
	}
}

/* Requires a queue that is ready. */
static unsigned choose(struct hg_simnic_card *card)
{
	if (HG_LIKELY(card->n_queues == 1))
		return 0;
	return card->arbitrate == HG_SIMNIC_STRICT ? lowest(card->ready) : round_robin(card);
}

/* ---- the wire ----------------------------------------------------------------------------------- */

static HG_ALWAYS_INLINE void start(struct hg_simnic_card *card, hg_ns now_ns)
{
	struct hg_simnic_queue *queue;
	unsigned chosen;

	card->on_wire = HG_SIMNIC_NONE;
	if (card->ready == 0)
		return;
	chosen = choose(card);
	queue = &card->queues[chosen];
	card->on_wire = take_first(card, &queue->ring);
	if (queue->ring.first == HG_SIMNIC_NONE)
		card->ready &= ~(1u << chosen);
	card->entries[card->on_wire].end_ns =
		hg_simnic_clock_end(&card->clock, card->entries[card->on_wire].wire.bytes, now_ns);
}

static void count_sent(struct hg_simnic_card *card, struct hg_simnic_tally *sent)
{
	struct hg_simnic_queue *queue = &card->queues[sent->queue];

	queue->used_pkts -= (uint32_t)sent->pkts;
	hg_count_add(&queue->sent_pkts, sent->pkts);
	hg_count_add(&queue->sent_bytes, sent->bytes);
	*sent = (struct hg_simnic_tally){0};
}

static HG_ALWAYS_INLINE void finish(struct hg_simnic_card *card, struct hg_simnic_tally *sent)
{
	uint32_t idx = card->on_wire;
	const struct hg_simnic_entry *entry = &card->entries[idx];

	if (entry->queue != sent->queue) {
		count_sent(card, sent);
		sent->queue = entry->queue;
	}
	hg_simnic_tally_add(sent, entry);
	append(card, &card->flight, idx);
	if (card->to_hand == HG_SIMNIC_NONE)
		card->to_hand = idx;
	if (card->model.is_there)
		hg_simnic_completion_file(card, idx);
}

void hg_simnic_card_advance(struct hg_simnic_card *card, hg_ns now_ns)
{
	struct hg_simnic_tally sent = {0};

	while (card->on_wire != HG_SIMNIC_NONE) {
		hg_ns end_ns = card->entries[card->on_wire].end_ns;

		if (end_ns > now_ns)
			break;
		finish(card, &sent);
		start(card, end_ns);
	}
	if (sent.pkts > 0)
		count_sent(card, &sent);
}

unsigned hg_simnic_card_push(struct hg_simnic_card *card, unsigned queue, struct hg_pkt **pkts,
			     unsigned n, hg_ns now_ns)
{
	struct hg_simnic_queue *to = &card->queues[queue];
	struct hg_simnic_tally taken = {0};
	unsigned n_taken = 0;

	while (n_taken < n && to->used_pkts + taken.pkts < card->ring_size &&
	       card->free_first != HG_SIMNIC_NONE) {
		uint32_t idx = card->free_first;
		struct hg_simnic_entry *entry = &card->entries[idx];

		card->free_first = entry->next;
		entry->pkt = pkts[n_taken++];
		entry->wire = hg_wire_weigh(entry->pkt);
		entry->queue = (uint16_t)queue;
		entry->is_lost = false;
		entry->is_handed = false;
		entry->is_back = false;
		append(card, &to->ring, idx);
		hg_simnic_tally_add(&taken, entry);
	}
	if (n_taken == 0)
		return 0;
	to->used_pkts += (uint32_t)taken.pkts;
	hg_count_add(&to->taken_pkts, taken.pkts);
	hg_count_add(&to->taken_bytes, taken.bytes);
	if (HG_LIKELY(!to->is_stopped))
		card->ready |= 1u << queue;
	if (card->on_wire == HG_SIMNIC_NONE)
		start(card, now_ns);
	return n_taken;
}

/* ---- the far end -------------------------------------------------------------------------------- */

unsigned hg_simnic_card_hand(struct hg_simnic_card *card, struct hg_pkt **pkts, unsigned n,
			     hg_ns delay_ns, hg_ns now_ns)
{
	unsigned n_got = 0;

	while (n_got < n && card->to_hand != HG_SIMNIC_NONE) {
		struct hg_simnic_entry *entry = &card->entries[card->to_hand];

		if (entry->end_ns > now_ns - delay_ns)
			break;
		entry->is_handed = true;
		pkts[n_got++] = entry->pkt;
		card->to_hand = entry->next;
	}
	return n_got;
}

static void count_released(struct hg_simnic_card *card, const struct hg_simnic_tally *released)
{
	struct hg_simnic_queue *queue = &card->queues[released->queue];

	hg_count_add(&queue->released_pkts, released->pkts);
	hg_count_add(&queue->released_bytes, released->bytes);
}

/* Without a model nothing is with the inner device: those handed are the first in flight. */
static void forget(struct hg_simnic_card *card, unsigned n)
{
	struct hg_simnic_tally released = {0};

	for (unsigned i = 0; i < n; i++) {
		uint32_t idx = take_first(card, &card->flight);
		const struct hg_simnic_entry *entry = &card->entries[idx];

		if (entry->queue != released.queue) {
			count_released(card, &released);
			released = (struct hg_simnic_tally){.queue = entry->queue};
		}
		hg_simnic_tally_add(&released, entry);
		hg_simnic_entry_free(card, idx);
	}
	count_released(card, &released);
}

/* This packet and those behind it are to be handed again. */
static void take_back(struct hg_simnic_card *card, const struct hg_pkt *pkt)
{
	uint32_t idx = card->flight.first;

	while (card->entries[idx].pkt != pkt)
		idx = card->entries[idx].next;
	card->to_hand = idx;
	for (; idx != HG_SIMNIC_NONE; idx = card->entries[idx].next)
		card->entries[idx].is_handed = false;
}

void hg_simnic_card_handed(struct hg_simnic_card *card, struct hg_pkt *const *pkts, unsigned taken,
			   unsigned n, bool is_dropped)
{
	if (taken < n && !is_dropped)
		take_back(card, pkts[taken]);
	if (!card->model.is_there) {
		forget(card, is_dropped ? n : taken);
		if (is_dropped)
			hg_pool_put(card->pool, (struct hg_pkt **)(uintptr_t)(pkts + taken),
				    n - taken);
		return;
	}
	for (unsigned i = taken; i < n && is_dropped; i++)
		hg_simnic_completion_back(card, pkts[i]);
}

hg_ns hg_simnic_card_next_at(const struct hg_simnic_card *card, hg_ns delay_ns)
{
	hg_ns at_ns = HG_NEVER;

	if (card->on_wire != HG_SIMNIC_NONE)
		at_ns = card->entries[card->on_wire].end_ns;
	if (card->to_hand != HG_SIMNIC_NONE &&
	    card->entries[card->to_hand].end_ns + delay_ns < at_ns)
		at_ns = card->entries[card->to_hand].end_ns + delay_ns;
	return at_ns;
}

/* ---- faults ------------------------------------------------------------------------------------- */

void hg_simnic_card_stop_queue(struct hg_simnic_card *card, unsigned queue, bool is_stopped,
			       hg_ns now_ns)
{
	struct hg_simnic_queue *which = &card->queues[queue];

	which->is_stopped = is_stopped;
	card->ready &= ~(1u << queue);
	if (is_stopped || which->ring.first == HG_SIMNIC_NONE)
		return;
	card->ready |= 1u << queue;
	if (card->on_wire == HG_SIMNIC_NONE)
		start(card, now_ns);
}

void hg_simnic_card_stall(struct hg_simnic_card *card, hg_ns for_ns, hg_ns now_ns)
{
	if (card->clock.end_ns < now_ns) {
		card->clock.end_ns = now_ns;
		card->clock.rest = 0;
	}
	card->clock.end_ns += for_ns;
	if (card->on_wire != HG_SIMNIC_NONE)
		card->entries[card->on_wire].end_ns += for_ns;
}

/* Releases what has not passed the wire. */
static unsigned abort_ring(struct hg_simnic_card *card, struct hg_simnic_list *list)
{
	unsigned n = 0;

	for (; list->first != HG_SIMNIC_NONE; n++) {
		uint32_t idx = take_first(card, list);
		struct hg_simnic_entry *entry = &card->entries[idx];
		struct hg_simnic_tally aborted = {.queue = entry->queue};

		hg_pool_put(card->pool, &entry->pkt, 1);
		hg_simnic_tally_add(&aborted, entry);
		count_released(card, &aborted);
		hg_count_add(&card->queues[entry->queue].aborted_pkts, aborted.pkts);
		hg_count_add(&card->queues[entry->queue].aborted_bytes, aborted.bytes);
		hg_simnic_entry_free(card, idx);
	}
	return n;
}

static unsigned abort_all(struct hg_simnic_card *card)
{
	struct hg_simnic_list wire = empty;
	unsigned n;

	if (card->on_wire != HG_SIMNIC_NONE)
		append(card, &wire, card->on_wire);
	n = abort_ring(card, &wire);
	for (unsigned i = 0; i < card->n_queues; i++) {
		n += abort_ring(card, &card->queues[i].ring);
		card->queues[i].used_pkts = 0;
		card->queues[i].deficit_bytes = 0;
	}
	card->on_wire = HG_SIMNIC_NONE;
	card->ready = 0;
	return n;
}

unsigned hg_simnic_card_reset(struct hg_simnic_card *card, hg_ns now_ns)
{
	unsigned n = abort_all(card);

	card->clock.end_ns = now_ns;
	card->clock.rest = 0;
	hg_simnic_completion_hurry(card, now_ns);
	hg_simnic_completion_release(card, now_ns);
	return n;
}

void hg_simnic_card_drain(struct hg_simnic_card *card)
{
	abort_all(card);
	while (card->to_hand != HG_SIMNIC_NONE) {
		struct hg_pkt *pkt = card->entries[card->to_hand].pkt;

		card->to_hand = card->entries[card->to_hand].next;
		if (card->model.is_there)
			hg_simnic_completion_back(card, pkt);
		else
			hg_pool_put(card->pool, &pkt, 1);
	}
	hg_simnic_completion_drain(card);
	while (card->flight.first != HG_SIMNIC_NONE)
		hg_simnic_entry_free(card, take_first(card, &card->flight));
	for (unsigned i = 0; i < card->n_queues; i++) {
		struct hg_simnic_queue *queue = &card->queues[i];

		hg_count_set(&queue->released_pkts, hg_count_read(&queue->taken_pkts));
		hg_count_set(&queue->released_bytes, hg_count_read(&queue->taken_bytes));
		hg_count_set(&queue->lost_pkts, 0);
		hg_count_set(&queue->lost_bytes, 0);
	}
	clear(card);
}
