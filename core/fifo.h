/* fifo: the queued packets of one instance, as eight bytes each.
 *
 * Why        A list through the packets misses the cache once for each packet on the way out, and a ring for
 *            each instance costs memory that idle ones do not use. Chunks from a common pool cost
 *            an idle instance nothing, let one instance hold all there is, and come out in order
 *            of address, so the processor sees them coming.
 * Model      A chunk is two neighbouring cache lines: 15 entries and the number of the next chunk. A queue
 *            is two indices of entries; it holds a chunk exactly while it is not empty. (One line a
 *            chunk: 12 % more a packet with 32,768 queues of 16; four lines: no better.)
 * Promise    First in, first out. A packet is never touched.
 * Memory     hg_fifo_pool_size(): 132 bytes for each packet that may be queued (at worst each has a chunk
 *            to itself), which is touched only as far as it is used, the hottest first.
 * Threads    One owner. Cost: one line, now and then two. Errors: none, the owner counts packets.
 * Used by    core/sched.
 */
#ifndef HG_CORE_FIFO_H
#define HG_CORE_FIFO_H

#include "core/units.h"

#include <stdbool.h>
#include <stddef.h>

#define HG_FIFO_CHUNK 16u /* entries in a chunk, the link among them */
#define HG_FIFO_LINK 15u /* which of them is the link */
/* For the owner of an empty queue as its tail: so one question tells whether a packet needs a new chunk. */
#define HG_FIFO_NONE HG_FIFO_LINK

struct hg_fifo_entry {
	uint32_t handle; /* of the packet; in a link: the next chunk */
	uint32_t load; /* as the owner packs it */
};

struct hg_fifo_pool {
	struct hg_fifo_entry *entries; /* 64-byte aligned */
	uint32_t *spare; /* stack of chunks given back */
	uint32_t n_spare;
	uint32_t n_touched; /* chunks from here on were never used */
};

static inline size_t hg_fifo_pool_size(uint32_t max_pkts)
{
	return (size_t)max_pkts *
		       (HG_FIFO_CHUNK * sizeof(struct hg_fifo_entry) + sizeof(uint32_t)) +
	       HG_CACHE_LINE_BYTES;
}

static inline void hg_fifo_pool_init(struct hg_fifo_pool *pool, void *memory, uint32_t max_pkts)
{
	pool->entries = memory;
	pool->spare = (uint32_t *)(void *)(pool->entries + (size_t)max_pkts * HG_FIFO_CHUNK);
	pool->n_spare = 0;
	pool->n_touched = 0;
}

static inline uint32_t hg_fifo_chunk_take(struct hg_fifo_pool *pool)
{
	if (HG_LIKELY(pool->n_spare > 0))
		return pool->spare[--pool->n_spare];
	return pool->n_touched++;
}

/* The first packet of an empty queue. */
static inline void hg_fifo_start(struct hg_fifo_pool *pool, uint32_t *head, uint32_t *tail,
				 struct hg_fifo_entry entry)
{
	*head = hg_fifo_chunk_take(pool) * HG_FIFO_CHUNK;
	pool->entries[*head] = entry;
	*tail = *head + 1u;
}

/* Whether the chunk that a queue ends in has no room for another packet, or there is none. */
static inline bool hg_fifo_needs_chunk(uint32_t tail)
{
	return (tail & (HG_FIFO_CHUNK - 1u)) == HG_FIFO_LINK;
}

/* One more packet for a queue that holds some. */
static inline void hg_fifo_push(struct hg_fifo_pool *pool, uint32_t *tail,
				struct hg_fifo_entry entry)
{
	uint32_t at = *tail;

	if (HG_UNLIKELY(hg_fifo_needs_chunk(at))) {
		uint32_t chunk = hg_fifo_chunk_take(pool);

		pool->entries[at].handle = chunk;
		at = chunk * HG_FIFO_CHUNK;
	}
	pool->entries[at] = entry;
	*tail = at + 1u;
}

/* Asks for the chunk behind that of `head`, where so many are queued from there on that there is one. */
static inline void hg_fifo_look_ahead(const struct hg_fifo_pool *pool, uint32_t head,
				      uint32_t n_left)
{
	uint32_t link = head | HG_FIFO_LINK, next;

	if (n_left <= link - head)
		return;
	next = pool->entries[link].handle * HG_FIFO_CHUNK;
	HG_PREFETCH(&pool->entries[next]);
	HG_PREFETCH(&pool->entries[next + HG_FIFO_CHUNK / 2u]);
}

/* The index behind `head` once its packet has left; frees the chunk that it was the last of. */
static inline uint32_t hg_fifo_after(struct hg_fifo_pool *pool, uint32_t head, bool is_last)
{
	uint32_t after = head + 1u;

	if (HG_UNLIKELY(is_last || (after & (HG_FIFO_CHUNK - 1u)) == HG_FIFO_LINK)) {
		pool->spare[pool->n_spare++] = head / HG_FIFO_CHUNK;
		if (!is_last)
			after = pool->entries[after].handle * HG_FIFO_CHUNK;
	}
	return after;
}

#endif
