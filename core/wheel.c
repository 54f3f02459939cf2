#include "core/wheel.h"

#include <string.h>

/* Chunks of a slot that next_tick looks through to name the exact tick. */
#define LOOK_CHUNKS 8u

void hg_wheel_pool_init(struct hg_wheel_pool *pool, struct hg_wheel_chunk *chunks,
			uint32_t n_chunks)
{
	chunks[0].n = 0;
	*pool = (struct hg_wheel_pool){
		.chunks = chunks, .n_touched = 1, .n_chunks = n_chunks, .n_free = n_chunks - 1u};
}

void hg_wheel_init(struct hg_wheel *w, struct hg_wheel_pool *pool, int64_t clock)
{
	memset(w, 0, sizeof(*w));
	w->pool = pool;
	w->clock = clock;
}

/* The first slot of a level that holds something, as its first tick; false if there is none. Slots
 * before the clock's own lie a turn ahead: only the highest level wraps. */
static bool first_slot(const struct hg_wheel *w, unsigned level, int64_t *ret_tick)
{
	int64_t here = w->clock >> (6u * level);
	unsigned idx = (unsigned)here & (HG_WHEEL_SLOTS - 1u);
	uint64_t full = w->full[level];

	if (full == 0)
		return false;
	full = full >> idx | full << ((HG_WHEEL_SLOTS - idx) & (HG_WHEEL_SLOTS - 1u));
	*ret_tick = (int64_t)((uint64_t)(here + __builtin_ctzll(full)) << (6u * level));
	return true;
}

static uint32_t take_slot(struct hg_wheel *w, unsigned level, int64_t tick)
{
	unsigned idx = (unsigned)(tick >> (6u * level)) & (HG_WHEEL_SLOTS - 1u);
	uint32_t chain = w->slot[level][idx];

	w->slot[level][idx] = 0;
	w->full[level] &= ~(UINT64_C(1) << idx);
	return chain;
}

/* A chain begins with its newest chunk; returns it with the oldest first. */
static uint32_t oldest_chunk_first(struct hg_wheel *w, uint32_t chain)
{
	uint32_t turned = 0;

	while (chain != 0) {
		uint32_t next = w->pool->chunks[chain].next;

		w->pool->chunks[chain].next = turned;
		turned = chain;
		chain = next;
	}
	return turned;
}

/* A chain is taken from its end; returns it such that the oldest entry is taken first. */
static uint32_t oldest_first(struct hg_wheel *w, uint32_t chain)
{
	chain = oldest_chunk_first(w, chain);
	for (uint32_t c = chain; c != 0; c = w->pool->chunks[c].next) {
		struct hg_wheel_entry *entries = w->pool->chunks[c].entries;

		for (uint32_t i = 0, j = w->pool->chunks[c].n - 1u; i < j; i++, j--) {
			struct hg_wheel_entry entry = entries[i];

			entries[i] = entries[j];
			entries[j] = entry;
		}
	}
	return chain;
}

/* Moves the entries of a chain down, now that the clock has entered their slot. */
static void cascade(struct hg_wheel *w, uint32_t chain)
{
	while (chain != 0) {
		struct hg_wheel_chunk chunk = w->pool->chunks[chain];

		hg_wheel_chunk_give(w->pool, chain);
		for (uint32_t i = 0; i < chunk.n; i++) {
			int32_t ahead = (int32_t)(chunk.entries[i].tick - (uint32_t)w->clock);

			hg_wheel_file(w, chunk.entries[i].id, w->clock + (ahead > 0 ? ahead : 0));
		}
		chain = chunk.next;
	}
}

bool hg_wheel_advance(struct hg_wheel *w, int64_t limit)
{
	for (;;) {
		unsigned level = 0;
		int64_t tick = 0;
		uint32_t chain;

		while (level < HG_WHEEL_LEVELS && !first_slot(w, level, &tick))
			level++;
		if (level == HG_WHEEL_LEVELS || tick > limit) {
			/* No slot begins before limit, so the clock may stand there. A limit of INT64_MAX
			 * means that time is not real, and stands still where there is nothing. */
			if (limit > w->clock && limit != INT64_MAX)
				w->clock = limit;
			return false;
		}
		if (tick > w->clock)
			w->clock = tick;
		if (level == 0) {
			w->due = take_slot(w, 0, tick);
			if (w->is_fifo)
				w->due = oldest_first(w, w->due);
			return true;
		}
		chain = take_slot(w, level, tick);
		cascade(w, w->is_fifo ? oldest_chunk_first(w, chain) : chain);
	}
}

bool hg_wheel_pop_first(struct hg_wheel *w, int64_t limit, struct hg_wheel_entry *ret_entry)
{
	uint32_t *slot = &w->due;
	unsigned level = 0, idx = 0;
	int64_t tick;

	if (w->n_entries == 0)
		return false;
	if (w->due == 0 && (hg_wheel_is_quiet(w, limit) || !hg_wheel_advance(w, limit))) {
		while (!first_slot(w, level, &tick))
			level++;
		idx = (unsigned)(tick >> (6u * level)) & (HG_WHEEL_SLOTS - 1u);
		slot = &w->slot[level][idx];
	}
	w->n_entries--;
	*ret_entry = hg_wheel_unchain(w->pool, slot);
	w->served = *slot;
	if (*slot == 0 && slot != &w->due)
		w->full[level] &= ~(UINT64_C(1) << idx);
	return true;
}

/* The earliest tick in a chain of a slot that begins at `tick`; that, if the chain is long. */
static int64_t earliest(const struct hg_wheel *w, uint32_t chain, int64_t tick)
{
	int64_t best = INT64_MAX;

	for (unsigned n_looked = 0; chain != 0; n_looked++) {
		const struct hg_wheel_chunk *chunk = &w->pool->chunks[chain];

		if (n_looked == LOOK_CHUNKS)
			return tick;
		for (uint32_t i = 0; i < chunk->n; i++) {
			int32_t ahead = (int32_t)(chunk->entries[i].tick - (uint32_t)w->clock);

			if (w->clock + ahead < best)
				best = w->clock + ahead;
		}
		chain = chunk->next;
	}
	return best;
}

int64_t hg_wheel_next_tick(const struct hg_wheel *w)
{
	int64_t tick;

	if (w->due != 0)
		return w->clock;
	for (unsigned level = 0; level < HG_WHEEL_LEVELS; level++) {
		if (!first_slot(w, level, &tick))
			continue;
		tick = earliest(w, w->slot[level][(tick >> (6u * level)) % HG_WHEEL_SLOTS], tick);
		return tick > w->clock ? tick : w->clock;
	}
	return INT64_MAX;
}

static uint32_t sweep_chain(struct hg_wheel *w, uint32_t chain,
			    bool (*keep)(void *owner, struct hg_wheel_entry entry), void *owner)
{
	uint32_t kept = 0;

	while (chain != 0) {
		struct hg_wheel_chunk chunk = w->pool->chunks[chain];

		hg_wheel_chunk_give(w->pool, chain);
		for (uint32_t i = 0; i < chunk.n; i++) {
			if (keep(owner, chunk.entries[i]))
				hg_wheel_chain(w->pool, &kept, chunk.entries[i]);
			else
				w->n_entries--;
		}
		chain = chunk.next;
	}
	return kept;
}

void hg_wheel_sweep(struct hg_wheel *w, bool (*keep)(void *owner, struct hg_wheel_entry entry),
		    void *owner)
{
	w->due = sweep_chain(w, w->due, keep, owner);
	w->served = 0;
	for (unsigned level = 0; level < HG_WHEEL_LEVELS; level++) {
		for (unsigned idx = 0; idx < HG_WHEEL_SLOTS; idx++) {
			if (w->slot[level][idx] == 0)
				continue;
			w->slot[level][idx] = sweep_chain(w, w->slot[level][idx], keep, owner);
			if (w->slot[level][idx] == 0)
				w->full[level] &= ~(UINT64_C(1) << idx);
		}
	}
}
