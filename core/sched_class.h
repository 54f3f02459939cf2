/* sched_class: the classes of one instance, as queues of its own.
 *
 * Why        S2.7: a call and a backup of the same machine share its contract, but not their patience.
 * Model      An instance with classes has a queue for each. The packet that goes next is chosen again after
 *            each packet: of the strict classes the first that has one, in the order of the contract; else
 *            of the weighted ones the one of the least virtual time (start-time fair queueing: Goyal et al.,
 *            1996; at most HG_CLASSES_MAX are looked at).
 *            The rest of the scheduler sees one queue: hg_queue's head is the chosen packet, its bytes and
 *            n_pkts are sums. So classes order what the contract lets through, and change nothing else.
 * Promise    In order inside a class. A strict class waits for at most the packet that is leaving. Weighted
 *            classes share in proportion to their weights to within one packet each.
 * Memory     One struct hg_classes an instance, touched by those alone that have classes.
 * Not here   Which class a packet belongs to (vswitch/classify). Nothing outside core/sched*.c includes this.
 */
#ifndef HG_CORE_SCHED_CLASS_H
#define HG_CORE_SCHED_CLASS_H

#include "core/sched_impl.h"

struct hg_class_queue {
	uint32_t head, tail; /* with something queued: see core/fifo.h */
	uint32_t n_pkts, bytes;
	uint64_t finish; /* virtual time up to which it was served */
	uint64_t sent_bytes;
	uint32_t weight; /* 0: strict */
};

struct hg_classes {
	_Alignas(HG_CACHE_LINE_BYTES) uint64_t clock; /* virtual time of the last one served */
	uint8_t n; /* 0: the instance has none */
	uint8_t chosen; /* whose first packet is the head of the instance's queue */
	struct hg_class_queue queues[HG_CLASSES_MAX];
};

/* Chooses whose packet goes next. Requires that something is queued. */
static inline void classes_choose(struct hg_classes *c)
{
	unsigned best = c->n;

	for (unsigned i = 0; i < c->n; i++) {
		const struct hg_class_queue *q = &c->queues[i];

		if (q->n_pkts == 0)
			continue;
		if (q->weight == 0) {
			best = i;
			break;
		}
		if (best == c->n || q->finish < c->queues[best].finish)
			best = i;
	}
	c->chosen = (uint8_t)best;
}

/* The chosen packet has left, of so many bytes. Returns the index of the next, if it was not the last. */
static inline uint32_t classes_after(struct hg_sched *s, uint32_t idx, uint32_t bytes, bool is_last)
{
	struct hg_classes *c = &s->classes[idx];
	struct hg_class_queue *q = &c->queues[c->chosen];

	q->head = hg_fifo_after(&s->fifo, q->head, --q->n_pkts == 0);
	q->bytes -= bytes;
	q->sent_bytes += bytes;
	if (q->weight > 0) {
		c->clock = q->finish;
		q->finish += virtual_cost(s, q->weight, bytes);
	}
	if (is_last)
		return q->head;
	classes_choose(c);
	return c->queues[c->chosen].head;
}

/* Stores a packet; what no class is there for goes to the last. Returns the index of the instance's first. */
static inline uint32_t classes_push(struct hg_sched *s, uint32_t idx, unsigned class_idx,
				    struct hg_fifo_entry entry)
{
	struct hg_classes *c = &s->classes[idx];
	struct hg_class_queue *q = &c->queues[class_idx < c->n ? class_idx : c->n - 1u];

	q->bytes += load_bytes(entry.load);
	if (q->n_pkts++ > 0) {
		hg_fifo_push(&s->fifo, &q->tail, entry);
	} else {
		hg_fifo_start(&s->fifo, &q->head, &q->tail, entry);
		if (q->finish < c->clock)
			q->finish = c->clock;
		classes_choose(c);
	}
	return c->queues[c->chosen].head;
}

#endif
