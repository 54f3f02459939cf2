/* wheel: things that come due, earliest first, at a cost that does not grow with their number.
 *
 * Why        A heap costs a walk over cold lines for each decision, and a scan costs all of them. The
 *            scheduler needs three orders (guarantees by real time, waits by real time, tenants by virtual
 *            time) and one primitive serves them all.
 * Model      6 levels x 64 slots of chained chunks. A slot of level 0 is one tick, a slot of level k is
 *            64^k ticks. One word a level says which slots hold something, so the next is found by a
 *            count of trailing zeros. When time enters a slot of a higher level its entries move down
 *            (cascade), so order is exact to one tick.
 *            (Varghese and Lauck, 1987; bitmaps: B. Costa, "timeout", 2013.)
 * Entries    {id, tick} by value: inserting touches the slot and a hot chunk, never the thing itself, and
 *            a cascade needs no look at it. An entry is a hint: the owner says on pop whether it still
 *            counts. So nothing is ever searched for or unlinked.
 * Promise    pop(limit) returns every entry with tick <= limit, none with a later one, and none before
 *            one of an earlier tick that was in the wheel when it was asked. Within one tick any order, unless
 *            the owner asks for first in, first out.
 *            An entry whose tick has passed when it is inserted comes out next.
 * Ticks      signed 64-bit; entries keep the low 32 bits: nothing may be further ahead than
 *            HG_WHEEL_SPAN_TICKS of the wheel's clock (it is cut to that, and so comes out early).
 * Memory     1.6 KiB a wheel; chunks from a pool that the owner sizes and several wheels share.
 * Threads    One owner. Cost: O(1); an entry moves at most once for each level.
 * Errors     none: the owner of the pool sizes it by hg_wheel_pool_chunks().
 * Used by    core/sched.
 */
#ifndef HG_CORE_WHEEL_H
#define HG_CORE_WHEEL_H

#include "core/units.h"

#include <stdbool.h>

#define HG_WHEEL_LEVELS 6
#define HG_WHEEL_SLOTS 64
#define HG_WHEEL_SPAN_TICKS (INT64_C(1) << 30)
#define HG_WHEEL_CHUNK_ENTRIES 7

struct hg_wheel_entry {
	uint32_t id;
	uint32_t tick; /* low bits */
};

/* One cache line, so that the consumer sees the next ids and can prefetch what they name. */
struct hg_wheel_chunk {
	struct hg_wheel_entry entries[HG_WHEEL_CHUNK_ENTRIES];
	uint32_t next; /* 0: the last of its chain */
	uint32_t n;
};

struct hg_wheel_pool {
	struct hg_wheel_chunk *chunks; /* chunk 0 is never used: 0 means none */
	uint32_t free; /* head of the free ones that were used before: the hottest first */
	uint32_t n_touched; /* chunks from here on were never used */
	uint32_t n_chunks;
	uint32_t n_free; /* both kinds */
};

struct hg_wheel {
	int64_t clock; /* no entry of a slot is before it */
	uint32_t due; /* the chain that is being served */
	uint32_t n_entries;
	uint32_t served; /* the chunk that the next entry may come from; chunk 0 is always empty */
	bool is_fifo; /* within a tick: first in, first out; else any order. The owner's choice */
	struct hg_wheel_pool *pool;
	uint64_t full[HG_WHEEL_LEVELS]; /* a bit for each slot that holds something */
	uint32_t slot[HG_WHEEL_LEVELS][HG_WHEEL_SLOTS];
};

/* Chunks that always suffice for n_entries in n_wheels: full ones, and a partly filled one in each slot
 * and at the head of each chain being served. */
static inline uint32_t hg_wheel_pool_chunks(uint32_t n_entries, uint32_t n_wheels)
{
	return n_entries / HG_WHEEL_CHUNK_ENTRIES + 2u +
	       n_wheels * (HG_WHEEL_LEVELS * HG_WHEEL_SLOTS + 2u);
}

void hg_wheel_pool_init(struct hg_wheel_pool *pool, struct hg_wheel_chunk *chunks,
			uint32_t n_chunks);
void hg_wheel_init(struct hg_wheel *w, struct hg_wheel_pool *pool, int64_t clock);

/* The earliest tick at which pop may return something; INT64_MAX if empty. Exact where few entries share a
 * slot, else the start of the slot: early, never late. */
int64_t hg_wheel_next_tick(const struct hg_wheel *w);

/* Drops every entry that `keep` refuses. O(entries): for the control path, when hints pile up. */
void hg_wheel_sweep(struct hg_wheel *w, bool (*keep)(void *owner, struct hg_wheel_entry entry),
		    void *owner);

/* Brings the next slot with a tick <= limit to `due`. Called by pop when `due` is empty. */
bool hg_wheel_advance(struct hg_wheel *w, int64_t limit);

/* Takes the entry of the earliest slot, whatever its tick: exact up to `limit` (where the clock then stands),
 * and beyond it within a slot's width, which is less than 64 times finer than the distance. For those
 * whose ticks are deadlines, not beginnings. False if the wheel is empty. */
bool hg_wheel_pop_first(struct hg_wheel *w, int64_t limit, struct hg_wheel_entry *ret_entry);

static inline uint32_t hg_wheel_chunk_take(struct hg_wheel_pool *pool)
{
	uint32_t c = pool->free;

	pool->n_free--;
	if (HG_LIKELY(c != 0)) {
		pool->free = pool->chunks[c].next;
		return c;
	}
	return pool->n_touched++;
}

static inline void hg_wheel_chunk_give(struct hg_wheel_pool *pool, uint32_t c)
{
	pool->chunks[c].next = pool->free;
	pool->free = c;
	pool->n_free++;
}

/* Adds an entry to the chain that starts at *head. */
static inline void hg_wheel_chain(struct hg_wheel_pool *pool, uint32_t *head,
				  struct hg_wheel_entry entry)
{
	uint32_t c = *head;

	if (c == 0 || pool->chunks[c].n == HG_WHEEL_CHUNK_ENTRIES) {
		uint32_t fresh = hg_wheel_chunk_take(pool);

		pool->chunks[fresh].next = c;
		pool->chunks[fresh].n = 0;
		*head = c = fresh;
	}
	pool->chunks[c].entries[pool->chunks[c].n++] = entry;
}

/* Files an entry without counting it: for inserts and cascades. Requires tick >= clock. */
static inline void hg_wheel_file(struct hg_wheel *w, uint32_t id, int64_t tick)
{
	uint64_t differs = (uint64_t)(tick ^ w->clock) | 1u;
	unsigned level = (unsigned)(63 - __builtin_clzll(differs)) / 6u;
	unsigned idx;

	if (HG_UNLIKELY(level >= HG_WHEEL_LEVELS))
		level = HG_WHEEL_LEVELS - 1u;
	idx = (unsigned)(tick >> (6u * level)) & (HG_WHEEL_SLOTS - 1u);
	w->full[level] |= UINT64_C(1) << idx;
	hg_wheel_chain(w->pool, &w->slot[level][idx],
		       (struct hg_wheel_entry){.id = id, .tick = (uint32_t)tick});
}

/* Puts an entry where pop finds it next, before all others. */
static inline void hg_wheel_push_front(struct hg_wheel *w, uint32_t id)
{
	w->n_entries++;
	hg_wheel_chain(w->pool, &w->due,
		       (struct hg_wheel_entry){.id = id, .tick = (uint32_t)w->clock});
}

static inline void hg_wheel_push(struct hg_wheel *w, uint32_t id, int64_t tick)
{
	if (HG_UNLIKELY(tick < w->clock)) {
		hg_wheel_push_front(w, id);
		return;
	}
	if (HG_UNLIKELY(tick - w->clock > HG_WHEEL_SPAN_TICKS))
		tick = w->clock + HG_WHEEL_SPAN_TICKS;
	w->n_entries++;
	hg_wheel_file(w, id, tick);
}

static inline bool hg_wheel_is_empty(const struct hg_wheel *w)
{
	return w->n_entries == 0;
}

/* With the clock at the limit, only the clock's own slot can have become due since it was looked at. */
static inline bool hg_wheel_is_quiet(const struct hg_wheel *w, int64_t limit)
{
	return w->clock >= limit && (w->full[0] >> ((uint64_t)w->clock % HG_WHEEL_SLOTS) & 1u) == 0;
}

/* Whether pop(limit) would return an entry; may move the clock up to limit. */
static inline bool hg_wheel_is_due(struct hg_wheel *w, int64_t limit)
{
	if (w->due != 0)
		return true;
	return w->n_entries != 0 && !hg_wheel_is_quiet(w, limit) && hg_wheel_advance(w, limit);
}

/* Takes the newest entry of the chain that starts at *head. */
static inline struct hg_wheel_entry hg_wheel_unchain(struct hg_wheel_pool *pool, uint32_t *head)
{
	struct hg_wheel_chunk *chunk = &pool->chunks[*head];
	struct hg_wheel_entry entry = chunk->entries[--chunk->n];

	if (chunk->n == 0) {
		uint32_t next = chunk->next;

		hg_wheel_chunk_give(pool, *head);
		*head = next;
	}
	return entry;
}

/* The id that comes `ahead` entries after the next, as far as the chunk that was served last and the one behind
 * it tell: for prefetching what it names. UINT32_MAX if it does not. */
static inline uint32_t hg_wheel_ahead(const struct hg_wheel *w, uint32_t ahead)
{
	const struct hg_wheel_chunk *chunk = &w->pool->chunks[w->served];

	if (chunk->n <= ahead) {
		ahead -= chunk->n;
		chunk = &w->pool->chunks[chunk->n > 0 ? chunk->next : 0];
	}
	return chunk->n > ahead ? chunk->entries[chunk->n - 1u - ahead].id : UINT32_MAX;
}

/* The next few ids of those that come due in the turn of level 0 that runs, none of which may have been looked at
 * by now: for prefetching what they name. Writes up to n and returns how many. Moves nothing. */
static inline unsigned hg_wheel_peek(const struct hg_wheel *w, uint32_t *ret_ids, unsigned n)
{
	unsigned idx = (unsigned)w->clock & (HG_WHEEL_SLOTS - 1u), n_ids = 0;
	uint64_t full = w->full[0] >> idx;

	for (; full != 0 && n_ids < n; full &= full - 1u) {
		unsigned slot = idx + (unsigned)__builtin_ctzll(full);
		const struct hg_wheel_chunk *chunk = &w->pool->chunks[w->slot[0][slot]];

		for (uint32_t i = chunk->n; i > 0 && n_ids < n; i--)
			ret_ids[n_ids++] = chunk->entries[i - 1u].id;
	}
	return n_ids;
}

/* Takes the next entry. Requires hg_wheel_is_due(). */
static inline struct hg_wheel_entry hg_wheel_pop(struct hg_wheel *w)
{
	struct hg_wheel_entry entry = hg_wheel_unchain(w->pool, &w->due);

	w->n_entries--;
	w->served = w->due;
	return entry;
}

#endif
