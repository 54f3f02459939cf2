/* simnic_card: the sending side of a modelled card: queues, one wire, and what becomes of the buffers.
 *
 * Why        Who models a card has to say three things apart: when a packet leaves, when it arrives, and when
 *            its buffer comes back. A real card reports late, in batches, or never; and what headgate
 *            believes to be in the card is checked against what this one knows.
 * Model      tx -> ring of a queue -> wire -> flight -> the inner device, and from the wire's end on, the
 *            list of the queue's buffers that are to be released.
 *            Wire: one packet at a time. When it ends, the next is chosen: rr is deficit round robin with a
 *            quantum of one full packet, strict is the lowest number first.
 *            Ready: after its end plus the completion delay, never before its predecessor in the queue.
 *            Released: batch packets together when the last of them is ready, or all that are ready
 *            coalesce_ns after the first one was; and not before the inner device has put it back, since the
 *            frame is never copied.
 *            Without a model (model.is_there false) a buffer is the inner device's when it is handed on, and
 *            counts as released.
 * Promise    The instants depend on the calls of push and of the faults alone, not on when advance runs. Each
 *            packet pushed is handed on or aborted once; each buffer is released once, by drain at the latest.
 *            Counts of each queue: taken = waiting for the end of the wire + sent + aborted.
 * Units      ns; wire packets (parts) and wire bytes; buffers where a name says n.
 * Time       An argument that must not go back.
 * Memory     init allocates entries; nothing else does. Threads: one owner; sample from any thread.
 * Cost       O(1) a packet; release O(queues) a call; rr of segments one step for
 *            each full packet of them. back O(1) for an inner device that keeps the order.
 * Errors     init: -ENOMEM.
 * Used by    drivers/simnic.c.
 */
#ifndef HG_DRIVERS_SIMNIC_CARD_H
#define HG_DRIVERS_SIMNIC_CARD_H

#include "drivers/counts.h"
#include "drivers/simnic_line.h"
#include "drivers/simnic_text.h"
#include "drivers/wire.h"

#define HG_SIMNIC_NONE UINT32_MAX

/* A packet from tx until its buffer is released. Aligned, so that none lies in two cache lines. */
struct hg_simnic_entry {
	_Alignas(HG_CACHE_LINE_BYTES) struct hg_pkt *pkt;
	hg_ns end_ns; /* of its last bit */
	hg_ns release_ns; /* not before; with a model, from its end on */
	struct hg_wire wire;
	uint32_t next; /* in its ring, in flight, or among the free */
	uint32_t next_done; /* of its queue, among those to be released */
	uint16_t queue;
	bool is_lost; /* will not be released before drain */
	bool is_handed; /* to the inner device */
	bool is_back; /* which has put it back */
};

struct hg_simnic_list {
	uint32_t first, last; /* HG_SIMNIC_NONE: empty */
};

struct hg_simnic_queue {
	struct hg_simnic_list ring;
	uint32_t used_pkts; /* wire packets in the ring and on the wire */
	uint32_t deficit_bytes;
	bool is_stopped;

	/* Of the completion model. */
	struct hg_simnic_list done;
	hg_ns ready_ns; /* of the last packet sent */
	uint32_t batch_first; /* of the batch that is open */
	uint32_t n_in_batch; /* 0: none is */
	hg_ns batch_until_ns;

	hg_count taken_pkts, taken_bytes;
	hg_count sent_pkts, sent_bytes;
	hg_count aborted_pkts, aborted_bytes;
	hg_count released_pkts, released_bytes;
	hg_count lost_pkts, lost_bytes; /* of those not released */
};

struct hg_simnic_card {
	struct hg_simnic_entry *entries;
	uint32_t free_first;
	uint32_t on_wire;
	uint32_t ready; /* a bit for each queue that has packets and is not stopped */
	uint32_t ring_size;
	unsigned n_queues, arbitrate;
	unsigned turn; /* rr: whose it is */
	bool is_served; /* and whether it has had its quantum */
	struct hg_simnic_clock clock;
	struct hg_pool *pool;

	/* Sent and not yet put back by the inner device, in the order of their ends: [flight.first, to_hand)
	 * are with it, [to_hand, last] on their way. */
	struct hg_simnic_list flight;
	uint32_t to_hand;

	struct hg_simnic_model model;
	hg_ns *trace_ns; /* owned; NULL without */
	uint32_t n_trace, trace_at;
	uint64_t jitter_seed, lose_seed;
	struct hg_pkt *lost; /* by their link */

	struct hg_simnic_queue queues[HG_SIMNIC_QUEUES_MAX];
};

/* trace_ns: malloc'd, becomes the card's if init succeeds. */
HG_MUST_CHECK int hg_simnic_card_init(struct hg_simnic_card *card,
				      const struct hg_simnic_text *text, uint32_t n_pkts,
				      hg_ns *trace_ns, uint32_t n_trace, struct hg_pool *pool);
void hg_simnic_card_fini(struct hg_simnic_card *card);

/* Takes the first of n packets into the ring, as many as it has room for, and returns how many. Requires that
 * the card was advanced to now_ns. */
unsigned hg_simnic_card_push(struct hg_simnic_card *card, unsigned queue, struct hg_pkt **pkts,
			     unsigned n, hg_ns now_ns);
/* Lets everything end that does by now_ns. */
void hg_simnic_card_advance(struct hg_simnic_card *card, hg_ns now_ns);

/* Takes up to n packets that ended delay_ns ago or longer: they count as being with the inner device. */
unsigned hg_simnic_card_hand(struct hg_simnic_card *card, struct hg_pkt **pkts, unsigned n,
			     hg_ns delay_ns, hg_ns now_ns);
/* What became of the n packets that were handed last: `taken` are the inner device's. The others stay in
 * flight and are handed again, or with is_dropped are done with. */
void hg_simnic_card_handed(struct hg_simnic_card *card, struct hg_pkt *const *pkts, unsigned taken,
			   unsigned n, bool is_dropped);
/* Starts or stops a queue; what is on the wire ends all the same. */
void hg_simnic_card_stop_queue(struct hg_simnic_card *card, unsigned queue, bool is_stopped,
			       hg_ns now_ns);
/* The wire stands for so long: what is on it ends that much later. */
void hg_simnic_card_stall(struct hg_simnic_card *card, hg_ns for_ns, hg_ns now_ns);
/* Releases what is in the rings and on the wire, and what was sent and is back, and returns how many packets
 * were aborted. What is lost stays so. */
unsigned hg_simnic_card_reset(struct hg_simnic_card *card, hg_ns now_ns);
/* When the next packet ends or is to be handed on. */
hg_ns hg_simnic_card_next_at(const struct hg_simnic_card *card, hg_ns delay_ns);
/* Releases everything but what the inner device has not put back, which is forgotten. All counts as released. */
void hg_simnic_card_drain(struct hg_simnic_card *card);

/* ---- completions: drivers/simnic_completion.c --------------------------------------------------- */

/* The packet has ended: from now on the model decides when its buffer is released. */
void hg_simnic_completion_file(struct hg_simnic_card *card, uint32_t idx);
/* The inner device has put it back. Returns false if it is none that was handed to it. */
bool hg_simnic_completion_back(struct hg_simnic_card *card, struct hg_pkt *pkt);
void hg_simnic_completion_release(struct hg_simnic_card *card, hg_ns now_ns);
/* When the next buffer is to be released; one that the inner device has, at retry_at_ns at the earliest, which
 * may be HG_NEVER. */
hg_ns hg_simnic_completion_next_at(const struct hg_simnic_card *card, hg_ns retry_at_ns);
/* What was sent is to be released as soon as it is back. */
void hg_simnic_completion_hurry(struct hg_simnic_card *card, hg_ns now_ns);
void hg_simnic_completion_drain(struct hg_simnic_card *card);

/* ---- for both files ----------------------------------------------------------------------------- */

static inline void hg_simnic_entry_free(struct hg_simnic_card *card, uint32_t idx)
{
	card->entries[idx].next = card->free_first;
	card->free_first = idx;
}

/* The packets of one queue in a row, counted together: a counter that other threads read costs more than a
 * register. */
struct hg_simnic_tally {
	unsigned queue;
	uint64_t pkts, bytes;
};

static inline void hg_simnic_tally_add(struct hg_simnic_tally *tally,
				       const struct hg_simnic_entry *entry)
{
	tally->pkts += entry->wire.parts;
	tally->bytes += entry->wire.bytes;
}

#endif
