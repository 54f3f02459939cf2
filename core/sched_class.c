#include "core/sched_class.h"

#include <string.h>

/* Takes all that is queued out of the classes, in the order in which it would go, into one queue. */
static void flatten(struct hg_sched *s, uint32_t idx)
{
	struct hg_queue *queue = &s->queues[idx];
	uint32_t head = queue->head, first = 0, tail = 0;

	for (uint32_t n = queue->n_pkts; n > 0; n--) {
		struct hg_fifo_entry entry = s->fifo.entries[head];
		/* Gives its chunk back before another is taken, so that the pool suffices. */
		uint32_t next = classes_after(s, idx, load_bytes(entry.load), n == 1);

		if (n == queue->n_pkts)
			hg_fifo_start(&s->fifo, &first, &tail, entry);
		else
			hg_fifo_push(&s->fifo, &tail, entry);
		head = next;
	}
	if (queue->n_pkts > 0) {
		queue->head = first;
		queue->tail = tail;
	}
}

static void adopt(struct hg_sched *s, uint32_t idx, uint32_t n)
{
	const struct hg_queue *queue = &s->queues[idx];
	struct hg_classes *c = &s->classes[idx];
	struct hg_class_queue *last = &c->queues[n - 1u];

	memset(c, 0, sizeof(*c));
	c->n = (uint8_t)n;
	if (queue->n_pkts == 0)
		return;
	last->head = queue->head;
	last->tail = queue->tail;
	last->n_pkts = queue->n_pkts;
	last->bytes = queue->bytes;
	c->chosen = (uint8_t)(n - 1u);
}

void hg_sched_set_classes(struct hg_sched *s, uint32_t instance_idx, const struct hg_class_set *set)
{
	struct hg_node *node = &s->nodes[instance_idx];
	struct hg_classes *c = &s->classes[instance_idx];
	bool was_classed = (node->flags & CLASSED) != 0;

	if (was_classed && c->n != set->n)
		flatten(s, instance_idx);
	if (set->n > 0 && (!was_classed || c->n != set->n))
		adopt(s, instance_idx, set->n);
	if (set->n == 0) {
		node->flags &= ~(uint32_t)CLASSED;
		return;
	}
	node->flags |= CLASSED;
	for (uint32_t i = 0; i < set->n; i++)
		c->queues[i].weight = set->classes[i].weight;
}

bool hg_sched_sample_class(const struct hg_sched *s, uint32_t instance_idx, unsigned class_idx,
			   struct hg_sched_class_stats *ret_stats)
{
	const struct hg_classes *c = &s->classes[instance_idx];

	if (!(s->nodes[instance_idx].flags & CLASSED) || class_idx >= c->n)
		return false;
	*ret_stats = (struct hg_sched_class_stats){
		.sent_bytes = c->queues[class_idx].sent_bytes,
		.queued_bytes = c->queues[class_idx].bytes,
		.queued_pkts = c->queues[class_idx].n_pkts,
	};
	return true;
}
