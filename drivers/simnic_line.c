#include "drivers/simnic_line.h"

#include <stdlib.h>

/* The end of what takes for_ns and may start at `at_ns`, when the line stands for the last stall_ns of
 * every every_ns. */
static hg_ns past_stalls(const struct hg_simnic_clock *clock, hg_ns at_ns, hg_ns for_ns)
{
	hg_ns up_ns = clock->every_ns - clock->stall_ns;
	hg_ns period_ns = at_ns - at_ns % clock->every_ns;
	hg_ns left_ns = period_ns + up_ns - at_ns;

	if (left_ns <= 0) {
		period_ns += clock->every_ns;
		at_ns = period_ns;
		left_ns = up_ns;
	}
	if (for_ns <= left_ns)
		return at_ns + for_ns;
	for_ns -= left_ns;
	return period_ns + clock->every_ns * (1 + (for_ns - 1) / up_ns) + (for_ns - 1) % up_ns + 1;
}

/* At most 2^20 bytes times 10^9 fit in 64 bits. */
static const struct hg_simnic_size *measure(struct hg_simnic_clock *clock, uint32_t n_bytes)
{
	struct hg_simnic_size *size = &clock->sizes[n_bytes % HG_SIMNIC_SIZES];
	uint64_t work = (uint64_t)n_bytes * (uint64_t)HG_NS_PER_S;

	if (HG_LIKELY(size->n_bytes == n_bytes))
		return size;
	size->n_bytes = n_bytes;
	size->for_ns = (hg_ns)(work / clock->bytes_per_s);
	size->rest = work % clock->bytes_per_s;
	return size;
}

hg_ns hg_simnic_clock_end(struct hg_simnic_clock *clock, uint32_t n_bytes, hg_ns now_ns)
{
	const struct hg_simnic_size *size = measure(clock, n_bytes);
	hg_ns for_ns = size->for_ns;

	if (clock->end_ns < now_ns) {
		clock->end_ns = now_ns;
		clock->rest = 0;
	}
	clock->rest += size->rest;
	if (clock->rest >= clock->bytes_per_s) {
		clock->rest -= clock->bytes_per_s;
		for_ns++;
	}
	if (HG_UNLIKELY(clock->every_ns > 0))
		clock->end_ns = past_stalls(clock, clock->end_ns, for_ns);
	else
		clock->end_ns += for_ns;
	return clock->end_ns;
}

/* ---- a line ------------------------------------------------------------------------------------- */

int hg_simnic_line_init(struct hg_simnic_line *line, uint64_t bytes_per_s, uint32_t ring_size,
			uint32_t n_passed)
{
	uint32_t n = 1;

	while (n < ring_size + n_passed)
		n *= 2u;
	*line = (struct hg_simnic_line){.mask = n - 1u, .ring_size = ring_size};
	line->clock.bytes_per_s = bytes_per_s;
	line->entries = calloc(n, sizeof(*line->entries));
	return line->entries == NULL ? -HG_ENOMEM : 0;
}

void hg_simnic_line_fini(struct hg_simnic_line *line)
{
	free(line->entries);
	line->entries = NULL;
}

bool hg_simnic_line_has_room(const struct hg_simnic_line *line)
{
	return line->used_pkts < line->ring_size && line->tail - line->head <= line->mask;
}

void hg_simnic_line_push(struct hg_simnic_line *line, struct hg_pkt *pkt, hg_ns now_ns)
{
	struct hg_simnic_line_entry *entry = &line->entries[line->tail & line->mask];

	entry->pkt = pkt;
	entry->wire = hg_wire_weigh(pkt);
	entry->end_ns = hg_simnic_clock_end(&line->clock, entry->wire.bytes, now_ns);
	line->tail++;
	line->used_pkts += entry->wire.parts;
}

void hg_simnic_line_advance(struct hg_simnic_line *line, hg_ns now_ns)
{
	while (line->ended != line->tail) {
		const struct hg_simnic_line_entry *entry = &line->entries[line->ended & line->mask];

		if (entry->end_ns > now_ns)
			return;
		line->used_pkts -= entry->wire.parts;
		line->ended++;
	}
}

unsigned hg_simnic_line_pop(struct hg_simnic_line *line, struct hg_pkt **pkts, unsigned n)
{
	unsigned n_got = 0;

	while (n_got < n && line->head != line->ended)
		pkts[n_got++] = line->entries[line->head++ & line->mask].pkt;
	return n_got;
}

hg_ns hg_simnic_line_next_at(const struct hg_simnic_line *line)
{
	return line->head != line->tail ? line->entries[line->head & line->mask].end_ns : HG_NEVER;
}

void hg_simnic_line_drain(struct hg_simnic_line *line, struct hg_pool *pool)
{
	for (; line->head != line->tail; line->head++)
		hg_pool_put(pool, &line->entries[line->head & line->mask].pkt, 1);
	line->ended = line->tail;
	line->used_pkts = 0;
}
