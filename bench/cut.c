/* cut: what it costs to cut a segment of 64 KiB into pieces, beside splitting it into packets.
 *
 * Model      Segments as a TAP delivers them (32 full buffers, IPv4, TCP with time stamps, 45 parts of 1,448
 *            bytes) are taken apart and released, eight at a time: in pieces of as many parts as pass a rate in
 *            100 us, or in packets, or not at all. All in turn, so that the machine's moods meet each of them.
 *            What of the payload was copied is not counted by the code but seen: a byte that lies elsewhere.
 * Figures    for a segment: cut_ns_RATE, split_ns, whole_ns (released as it is: part of all the others);
 *            cut_copied_bytes_RATE, split_copied_bytes, pieces_RATE. _least and _largest over the rounds.
 * Use        bench_cut ROUNDS
 */
#include "bench/figures.h"
#include "tests/segments.h"
#include "vswitch/parse.h"
#include "vswitch/piece.h"
#include "vswitch/pool.h"
#include "vswitch/segment.h"
#include "vswitch/weigh.h"

#include <stdlib.h>
#include <time.h>

#define N_SEGMENTS 8u
#define N_BUFFERS 2048u
/* Segments timed in one round of one way. */
#define N_TIMED (64u * N_SEGMENTS)
#define CUT_NS 100000u
#define ROUNDS_MAX 1000u

enum way { WHOLE, SPLIT, CUT_100M, CUT_1G, CUT_10G, N_WAYS };

static const struct {
	const char *name;
	uint32_t wire_bytes; /* in 100 us */
} ways[N_WAYS] = {
	[WHOLE] = {"whole", 0},   [SPLIT] = {"split", 0},      [CUT_100M] = {"100m", 1250},
	[CUT_1G] = {"1g", 12500}, [CUT_10G] = {"10g", 125000},
};

static struct hg_arena_pool arena;
static struct frame frame;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void make_frame(void)
{
	struct segment_shape shape = {.is_ip4 = true,
				      .is_tcp = true,
				      .n_tcp_options = 12,
				      .n_payload = 45 * 1448,
				      .gso_bytes = 1448};

	segment_make(&frame, &shape, 1);
}

static struct hg_pkt *make(void)
{
	struct hg_pkt *pkt = frame_pkt(&frame, &arena.pool);
	enum hg_drop reason;

	if (pkt == NULL)
		abort();
	frame_want_gso(pkt, &frame, 1448);
	if (!hg_parse(pkt, &reason))
		abort();
	hg_weigh(pkt);
	return pkt;
}

/* ---- the ways ----------------------------------------------------------------------------------- */

static unsigned take_apart(enum way way, struct hg_pkt *pkt, struct hg_pkt **ret_pkts)
{
	struct hg_segment segment;
	unsigned n = 0;

	if (way == SPLIT) {
		hg_segment_begin(&segment, pkt, &arena.pool);
		while (!hg_segment_is_done(&segment))
			ret_pkts[n++] = hg_segment_next(&segment);
		hg_pool_put(&arena.pool, &pkt, 1);
		return n;
	}
	if (way == WHOLE || pkt->wire_bytes <= ways[way].wire_bytes) {
		ret_pkts[0] = pkt;
		return 1;
	}
	for (uint32_t n_parts = hg_piece_parts(pkt, ways[way].wire_bytes); pkt != NULL;)
		ret_pkts[n++] = hg_piece_take(&pkt, &arena.pool, n_parts);
	return n;
}

static double time_way(enum way way)
{
	struct hg_pkt *segments[N_SEGMENTS], *pkts[HG_PARTS_MAX];
	double took_ns = 0;

	for (unsigned done = 0; done < N_TIMED; done += N_SEGMENTS) {
		double began_ns;

		for (unsigned i = 0; i < N_SEGMENTS; i++)
			segments[i] = make();
		began_ns = now_ns();
		for (unsigned i = 0; i < N_SEGMENTS; i++)
			hg_pool_put(&arena.pool, pkts, take_apart(way, segments[i], pkts));
		took_ns += now_ns() - began_ns;
	}
	return took_ns / N_TIMED;
}

/* ---- what was copied ---------------------------------------------------------------------------- */

static const uint8_t *places[HG_FRAME_MAX_BYTES];

static uint32_t note_places(const struct hg_pkt *pkt, uint32_t at, uint32_t *n_moved)
{
	uint32_t offset = pkt->payload_offset;

	for (const struct hg_pkt *buf = pkt; buf != NULL; buf = buf->next, offset = 0) {
		for (uint32_t i = offset; i < buf->n_bytes; i++, at++) {
			*n_moved += places[at] != buf->data + i;
			places[at] = buf->data + i;
		}
	}
	return at;
}

static void count_copied(enum way way)
{
	struct hg_pkt *pkts[HG_PARTS_MAX], *pkt = make();
	uint32_t n_moved = 0, at = 0, n_payload = pkt->total_bytes - pkt->payload_offset;
	char name[64];
	unsigned n;

	note_places(pkt, 0, &n_moved);
	n_moved = 0;
	n = take_apart(way, pkt, pkts);
	for (unsigned i = 0; i < n; i++)
		at = note_places(pkts[i], at, &n_moved);
	if (at != n_payload)
		abort();
	hg_pool_put(&arena.pool, pkts, n);
	snprintf(name, sizeof(name), way == SPLIT ? "%s_copied_bytes" : "cut_copied_bytes_%s",
		 ways[way].name);
	hg_figure(name, n_moved);
	snprintf(name, sizeof(name), "pieces_%s", ways[way].name);
	hg_figure(name, n);
}

/* ---- rounds ------------------------------------------------------------------------------------- */

static double took_ns[N_WAYS][ROUNDS_MAX];

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void tell(enum way way, unsigned n_rounds)
{
	char name[64], longer[80];

	qsort(took_ns[way], n_rounds, sizeof(double), compare);
	snprintf(name, sizeof(name), way <= SPLIT ? "%s_ns" : "cut_ns_%s", ways[way].name);
	hg_figure(name, took_ns[way][n_rounds / 2]);
	snprintf(longer, sizeof(longer), "%s_least", name);
	hg_figure(longer, took_ns[way][0]);
	snprintf(longer, sizeof(longer), "%s_largest", name);
	hg_figure(longer, took_ns[way][n_rounds - 1]);
}

int main(int argc, char **argv)
{
	unsigned n_rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 101;
	void *memory = malloc(hg_pool_arena_bytes(N_BUFFERS));

	if (memory == NULL || n_rounds == 0 || n_rounds > ROUNDS_MAX) {
		fprintf(stderr, "bench_cut ROUNDS, in [1, %u]\n", ROUNDS_MAX);
		return 2;
	}
	hg_pool_arena_init(&arena, memory, N_BUFFERS);
	make_frame();
	for (unsigned round = 0; round < n_rounds; round++) {
		for (unsigned way = 0; way < N_WAYS; way++)
			took_ns[way][round] = time_way((enum way)way);
	}
	for (unsigned way = 0; way < N_WAYS; way++) {
		tell((enum way)way, n_rounds);
		if (way != WHOLE)
			count_copied((enum way)way);
	}
	free(memory);
	return 0;
}
