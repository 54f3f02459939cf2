#include "drivers/simnic_card.h"

/* Given back to the pool at a time, as the packet lane's own bursts. */
#define BURST 32u

/* Steele, Lea and Flood's SplitMix64, "Fast Splittable Pseudorandom Number Generators", 2014. */
static uint64_t draw(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* From the end of the packet until the card knows that it was sent. */
static hg_ns delay(struct hg_simnic_card *card)
{
	hg_ns delay_ns = card->model.complete_ns;

	if (card->trace_ns != NULL) {
		delay_ns = card->trace_ns[card->trace_at];
		card->trace_at = card->trace_at + 1u < card->n_trace ? card->trace_at + 1u : 0;
	}
	if (card->model.jitter_ns > 0)
		delay_ns +=
			(hg_ns)(draw(&card->jitter_seed) % ((uint64_t)card->model.jitter_ns + 1u));
	return delay_ns;
}

static bool is_to_be_lost(struct hg_simnic_card *card)
{
	return card->model.is_never || (card->model.lose_ppm > 0 &&
					draw(&card->lose_seed) % 1000000u < card->model.lose_ppm);
}

/* Puts the last of the queue's list, ready at ready_ns, into a batch. Until a batch is full it is to be
 * released when its time is over; the packet that fills it makes that the present. */
static void put_in_batch(struct hg_simnic_card *card, struct hg_simnic_queue *queue, hg_ns ready_ns)
{
	uint32_t idx = queue->done.last;

	if (queue->n_in_batch == 0 || ready_ns > queue->batch_until_ns) {
		queue->batch_first = idx;
		queue->batch_until_ns = ready_ns + card->model.coalesce_ns;
		queue->n_in_batch = 0;
	}
	card->entries[idx].release_ns = queue->batch_until_ns;
	queue->n_in_batch++;
	if (queue->n_in_batch < card->model.batch_pkts)
		return;
	for (idx = queue->batch_first; idx != HG_SIMNIC_NONE; idx = card->entries[idx].next_done)
		card->entries[idx].release_ns = ready_ns;
	queue->n_in_batch = 0;
}

void hg_simnic_completion_file(struct hg_simnic_card *card, uint32_t idx)
{
	struct hg_simnic_entry *entry = &card->entries[idx];
	struct hg_simnic_queue *queue = &card->queues[entry->queue];
	hg_ns ready_ns;

	if (is_to_be_lost(card)) {
		entry->is_lost = true;
		hg_count_add(&queue->lost_pkts, entry->wire.parts);
		hg_count_add(&queue->lost_bytes, entry->wire.bytes);
		return;
	}
	ready_ns = entry->end_ns + delay(card);
	if (ready_ns < queue->ready_ns)
		ready_ns = queue->ready_ns;
	queue->ready_ns = ready_ns;
	entry->release_ns = ready_ns;
	entry->next_done = HG_SIMNIC_NONE;
	if (queue->done.first == HG_SIMNIC_NONE)
		queue->done.first = idx;
	else
		card->entries[queue->done.last].next_done = idx;
	queue->done.last = idx;
	if (card->model.batch_pkts > 1)
		put_in_batch(card, queue, ready_ns);
}

/* Takes the packet out of what is in flight; NONE if it is not there. An inner device that keeps the order
 * puts back the first. */
static uint32_t take_out_of_flight(struct hg_simnic_card *card, const struct hg_pkt *pkt)
{
	uint32_t before = HG_SIMNIC_NONE, idx = card->flight.first;

	while (idx != HG_SIMNIC_NONE && card->entries[idx].pkt != pkt) {
		before = idx;
		idx = card->entries[idx].next;
	}
	if (idx == HG_SIMNIC_NONE)
		return idx;
	if (before == HG_SIMNIC_NONE)
		card->flight.first = card->entries[idx].next;
	else
		card->entries[before].next = card->entries[idx].next;
	if (card->flight.last == idx)
		card->flight.last = before;
	return idx;
}

bool hg_simnic_completion_back(struct hg_simnic_card *card, struct hg_pkt *pkt)
{
	uint32_t idx = take_out_of_flight(card, pkt);

	if (idx == HG_SIMNIC_NONE)
		return false;
	card->entries[idx].is_back = true;
	if (HG_UNLIKELY(card->entries[idx].is_lost)) {
		pkt->link = card->lost;
		card->lost = pkt;
		hg_simnic_entry_free(card, idx);
	}
	return true;
}

/* The first of the queue's list is released. */
static struct hg_pkt *pop_done(struct hg_simnic_card *card, struct hg_simnic_queue *queue)
{
	uint32_t idx = queue->done.first;
	struct hg_pkt *pkt = card->entries[idx].pkt;

	queue->done.first = card->entries[idx].next_done;
	if (queue->batch_first == idx)
		queue->n_in_batch = 0;
	hg_simnic_entry_free(card, idx);
	return pkt;
}

static void release_queue(struct hg_simnic_card *card, struct hg_simnic_queue *queue, hg_ns now_ns)
{
	struct hg_simnic_tally released = {0};
	struct hg_pkt *pkts[BURST];
	unsigned n = 0;

	while (queue->done.first != HG_SIMNIC_NONE) {
		const struct hg_simnic_entry *entry = &card->entries[queue->done.first];

		if (entry->release_ns > now_ns || !entry->is_back)
			break;
		hg_simnic_tally_add(&released, entry);
		pkts[n++] = pop_done(card, queue);
		if (n == BURST) {
			hg_pool_put(card->pool, pkts, n);
			n = 0;
		}
	}
	if (released.pkts == 0)
		return;
	hg_count_add(&queue->released_pkts, released.pkts);
	hg_count_add(&queue->released_bytes, released.bytes);
	hg_pool_put(card->pool, pkts, n);
}

void hg_simnic_completion_release(struct hg_simnic_card *card, hg_ns now_ns)
{
	for (unsigned i = 0; i < card->n_queues; i++)
		release_queue(card, &card->queues[i], now_ns);
}

hg_ns hg_simnic_completion_next_at(const struct hg_simnic_card *card, hg_ns retry_at_ns)
{
	hg_ns next_ns = HG_NEVER;

	for (unsigned i = 0; i < card->n_queues; i++) {
		const struct hg_simnic_queue *queue = &card->queues[i];
		const struct hg_simnic_entry *entry;
		hg_ns at_ns;

		if (queue->done.first == HG_SIMNIC_NONE)
			continue;
		entry = &card->entries[queue->done.first];
		at_ns = entry->release_ns;
		if (!entry->is_handed)
			continue; /* the card knows when it will be */
		if (!entry->is_back && at_ns < retry_at_ns)
			at_ns = retry_at_ns;
		if (at_ns < next_ns)
			next_ns = at_ns;
	}
	return next_ns;
}

void hg_simnic_completion_hurry(struct hg_simnic_card *card, hg_ns now_ns)
{
	for (unsigned i = 0; i < card->n_queues; i++) {
		struct hg_simnic_queue *queue = &card->queues[i];

		for (uint32_t idx = queue->done.first; idx != HG_SIMNIC_NONE;
		     idx = card->entries[idx].next_done)
			if (card->entries[idx].release_ns > now_ns)
				card->entries[idx].release_ns = now_ns;
		queue->ready_ns = now_ns;
		queue->n_in_batch = 0;
	}
}

void hg_simnic_completion_drain(struct hg_simnic_card *card)
{
	for (unsigned i = 0; i < card->n_queues; i++) {
		struct hg_simnic_queue *queue = &card->queues[i];

		while (queue->done.first != HG_SIMNIC_NONE) {
			const struct hg_simnic_entry *entry = &card->entries[queue->done.first];
			struct hg_pkt *pkt = entry->pkt;

			if (entry->is_back) {
				pop_done(card, queue);
				hg_pool_put(card->pool, &pkt, 1);
			} else {
				queue->done.first = entry->next_done;
			}
		}
	}
	while (card->lost != NULL) {
		struct hg_pkt *pkt = card->lost;

		card->lost = pkt->link;
		hg_pool_put(card->pool, &pkt, 1);
	}
}
