/* heap_pool: a packet pool whose buffers are each a piece of the heap.
 *
 * Why        Under a sanitizer a byte read or written past a buffer is found at once; and a test asks how
 *            many are out. Fresh buffers are filled with 0xa5, so that nobody relies on what is in them.
 * Promise    n_out = got - put. More than max_out are not given.
 * Threads    Any: tests have a worker and a far side.
 */
#ifndef HG_TESTS_COMPONENT_DRIVERS_HEAP_POOL_H
#define HG_TESTS_COMPONENT_DRIVERS_HEAP_POOL_H

#include "vswitch/pkt.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct heap_pool {
	struct hg_pool pool;
	_Atomic int64_t n_out;
	_Atomic int64_t max_out;
	_Atomic bool has_no_longs;
};

static inline unsigned heap_pool_get_room(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n,
					  size_t room)
{
	struct heap_pool *heap = (struct heap_pool *)pool;

	if (atomic_fetch_add(&heap->n_out, n) + n > heap->max_out) {
		atomic_fetch_sub(&heap->n_out, n);
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		uint8_t *bytes = malloc(HG_PKT_HEADROOM_BYTES + room);

		pkts[i] = aligned_alloc(64, (sizeof(struct hg_pkt) + 63u) / 64u * 64u);
		if (bytes == NULL || pkts[i] == NULL)
			abort();
		memset(bytes, 0xa5, HG_PKT_HEADROOM_BYTES + room);
		memset((void *)pkts[i], 0xa5, sizeof(struct hg_pkt));
		pkts[i]->data = bytes + HG_PKT_HEADROOM_BYTES;
		pkts[i]->headroom = HG_PKT_HEADROOM_BYTES;
		pkts[i]->tailroom = (uint16_t)room;
		pkts[i]->next = NULL;
	}
	return n;
}

static inline unsigned heap_pool_get(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	return heap_pool_get_room(pool, pkts, n, HG_PKT_ROOM_BYTES);
}

static inline unsigned heap_pool_get_long(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	if (((struct heap_pool *)pool)->has_no_longs)
		return 0;
	return heap_pool_get_room(pool, pkts, n, HG_PKT_LONG_ROOM_BYTES);
}

static inline void heap_pool_put(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	struct heap_pool *heap = (struct heap_pool *)pool;

	for (unsigned i = 0; i < n; i++) {
		for (struct hg_pkt *pkt = pkts[i], *next; pkt != NULL; pkt = next) {
			next = pkt->next;
			free(pkt->data - pkt->headroom);
			free(pkt);
			heap->n_out--;
		}
	}
}

static inline void heap_pool_init(struct heap_pool *heap)
{
	static const struct hg_pool_ops ops = {.name = "heap",
					       .get = heap_pool_get,
					       .get_long = heap_pool_get_long,
					       .put = heap_pool_put};

	heap->pool.ops = &ops;
	heap->n_out = 0;
	heap->max_out = 100000;
	heap->has_no_longs = false;
}

/* One frame of n_bytes (up to a buffer's room), filled with `fill`, as a driver delivers it. */
static inline struct hg_pkt *heap_pool_frame(struct heap_pool *heap, uint16_t n_bytes, uint8_t fill)
{
	struct hg_pkt *pkt;

	if (hg_pool_get(&heap->pool, &pkt, 1) != 1)
		return NULL;
	memset(pkt->data, fill, n_bytes);
	pkt->total_bytes = n_bytes;
	pkt->n_bytes = n_bytes;
	pkt->tailroom = (uint16_t)(HG_PKT_ROOM_BYTES - n_bytes);
	pkt->flags = 0;
	pkt->gso = HG_GSO_NONE;
	pkt->gso_bytes = 0;
	pkt->parts = 0;
	pkt->wire_bytes = 0;
	return pkt;
}

#endif
