#include "vswitch/piece.h"

#include "vswitch/checksum.h"
#include "vswitch/parse.h"
#include "vswitch/pool.h"
#include "vswitch/segment.h"
#include "vswitch/weigh.h"

#include "tests/segments.h"

#define N_BUFFERS 600u
#define BUFFER_BYTES (HG_PKT_HEADROOM_BYTES + HG_PKT_ROOM_BYTES)

static struct frame frame;
static struct hg_arena_pool arena;

static void start(void)
{
	static void *mem;

	if (mem == NULL)
		mem = malloc(hg_pool_arena_bytes(N_BUFFERS));
	hg_pool_arena_init(&arena, mem, N_BUFFERS);
}

/* ---- segments in buffers of the pool ------------------------------------------------------------ */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* One more buffer with the next bytes of the frame: full as a driver fills it, or any part of it used. */
static struct hg_pkt *fill_buffer(uint32_t at, bool is_full, uint64_t *seed)
{
	uint32_t n_least = least(at == 0 ? HG_PKT_HEADERS_BYTES : 1, frame.n - at);
	struct hg_pkt *buf;
	uint32_t n = least(HG_PKT_ROOM_BYTES, frame.n - at), headroom = HG_PKT_HEADROOM_BYTES;

	HG_CHECK_EQ(hg_pool_get(&arena.pool, &buf, 1), 1);
	if (!is_full) {
		headroom = (uint32_t)hg_test_between(seed, 0, BUFFER_BYTES - n_least);
		n = (uint32_t)hg_test_between(seed, n_least,
					      least(BUFFER_BYTES - headroom, frame.n - at));
	}
	buf->data += (int32_t)headroom - (int32_t)HG_PKT_HEADROOM_BYTES;
	buf->headroom = (uint16_t)headroom;
	buf->n_bytes = (uint16_t)n;
	buf->tailroom = (uint16_t)(BUFFER_BYTES - headroom - n);
	memcpy(buf->data, frame.bytes + at, n);
	return buf;
}

static struct hg_pkt *make(const struct segment_shape *shape, bool is_full, uint64_t *seed)
{
	struct hg_pkt *first = NULL, **end = &first;
	enum hg_drop reason = HG_N_DROPS;

	segment_make(&frame, shape, (uint8_t)hg_test_random(seed));
	for (uint32_t at = 0; at < frame.n; end = &(*end)->next) {
		*end = fill_buffer(at, is_full, seed);
		at += (*end)->n_bytes;
	}
	*end = NULL;
	first->total_bytes = frame.n;
	first->flags = 0;
	first->gso_ecn = false;
	frame_want_gso(first, &frame, shape->gso_bytes);
	first->instance_idx = 17;
	first->at_ns = 123;
	if (!hg_parse(first, &reason))
		HG_TEST_FAIL("dropped: %s", hg_drop_name(reason));
	hg_weigh(first);
	return first;
}

/* ---- packets, one behind the other ----------------------------------------------------------------- */

struct record {
	uint8_t bytes[512u * 1024u];
	uint32_t n, n_pkts;
};

static struct record want, got;

static void append(struct record *r, struct hg_pkt *pkt)
{
	/* The two values of nothing left over are one number, and only in UDP do they differ in meaning. */
	if (pkt->ip_proto == HG_IP_TCP) {
		uint8_t *csum = pkt->data + pkt->l4_offset + HG_TCP_CSUM_OFFSET;

		if (hg_bytes_get16(csum) == 0xffff)
			hg_bytes_put16(csum, 0);
	}
	HG_CHECK(r->n + pkt->total_bytes <= sizeof(r->bytes));
	hg_pkt_read(pkt, 0, r->bytes + r->n, pkt->total_bytes);
	r->n += pkt->total_bytes;
	r->n_pkts++;
	hg_pool_put(&arena.pool, &pkt, 1);
}

/* Records what the packet or segment comes to on the wire, and releases it. */
static void append_split(struct record *r, struct hg_pkt *pkt)
{
	struct hg_segment s;

	if (pkt->gso == HG_GSO_NONE) {
		hg_checksum_complete(pkt);
		append(r, pkt);
		return;
	}
	hg_segment_begin(&s, pkt, &arena.pool);
	while (!hg_segment_is_done(&s)) {
		struct hg_pkt *part = hg_segment_next(&s);

		HG_CHECK(part != NULL);
		append(r, part);
	}
	hg_pool_put(&arena.pool, &pkt, 1);
}

static void record_whole(const struct hg_pkt *segment)
{
	want.n = want.n_pkts = 0;
	append_split(&want, hg_pkt_copy(&arena.pool, segment));
}

static bool is_same(void)
{
	return got.n == want.n && got.n_pkts == want.n_pkts &&
	       memcmp(got.bytes, want.bytes, got.n) == 0;
}

/* ---- what holds for each piece ------------------------------------------------------------------ */

static void check_piece(struct hg_pkt *piece, const struct hg_pkt *segment)
{
	struct hg_pkt parsed = *piece;
	enum hg_drop reason = HG_N_DROPS;
	uint32_t n = 0;

	for (const struct hg_pkt *buf = piece; buf != NULL; buf = buf->next) {
		HG_CHECK(buf->n_bytes > 0);
		HG_CHECK_EQ(buf->headroom + buf->n_bytes + buf->tailroom, BUFFER_BYTES);
		n += buf->n_bytes;
	}
	HG_CHECK_EQ(n, piece->total_bytes);
	HG_CHECK(piece->n_bytes >= piece->payload_offset);
	if (!hg_parse(&parsed, &reason))
		HG_TEST_FAIL("a piece would be dropped: %s", hg_drop_name(reason));
	HG_CHECK_EQ(parsed.payload_offset, piece->payload_offset);
	hg_weigh(&parsed);
	HG_CHECK_EQ(parsed.parts, piece->parts);
	HG_CHECK_EQ(parsed.wire_bytes, piece->wire_bytes);
	HG_CHECK_EQ(piece->gso, piece->parts > 1 ? segment->gso : HG_GSO_NONE);
	HG_CHECK_EQ(piece->gso_bytes, piece->parts > 1 ? segment->gso_bytes : 0);
	HG_CHECK(piece->flags & HG_PKT_NEEDS_CSUM);
	HG_CHECK_EQ(piece->instance_idx, segment->instance_idx);
	HG_CHECK_EQ(piece->at_ns, segment->at_ns);
}

/* ---- broken twins: defects that the comparison must see ------------------------------------------- */

enum twin {
	TWIN_NONE,
	TWIN_FLAGS,
	TWIN_CWR,
	TWIN_SEQ,
	TWIN_ID,
	TWIN_BYTE,
	TWIN_LENGTH,
	TWIN_PSEUDO,
	TWIN_LOST,
	N_TWINS
};

static void break_piece(enum twin twin, struct hg_pkt *piece, uint32_t i)
{
	uint8_t *ip = piece->data + piece->l3_offset, *l4 = piece->data + piece->l4_offset;

	switch (twin) {
	case TWIN_FLAGS:
		l4[13] |= HG_TCP_PSH;
		break;
	case TWIN_CWR:
		l4[13] |= HG_TCP_CWR;
		break;
	case TWIN_SEQ:
		hg_bytes_put32(l4 + 4, hg_bytes_get32(l4 + 4) + i);
		break;
	case TWIN_ID:
		hg_bytes_put16(ip + 4, 0x1234);
		break;
	case TWIN_BYTE:
		piece->data[piece->payload_offset - 1u + (i > 0)] ^= (uint8_t)(i > 0);
		break;
	case TWIN_LENGTH:
		hg_bytes_put16(ip + 2, 5040);
		break;
	case TWIN_PSEUDO:
		l4[16] ^= 1;
		break;
	default:
		break;
	}
}

/* Cuts the segment into pieces of random sizes up to max_parts and records what they come to. */
static void record_pieces(struct hg_pkt *rest, uint32_t max_parts, enum twin twin, uint64_t *seed)
{
	struct hg_pkt segment = *rest;
	uint32_t wire_bytes = 0, n_parts = 0;

	got.n = got.n_pkts = 0;
	for (uint32_t i = 0; rest != NULL; i++) {
		uint32_t n = (uint32_t)hg_test_between(seed, 1, max_parts);
		struct hg_pkt *piece = hg_piece_take(&rest, &arena.pool, n);

		HG_CHECK(piece->parts <= n);
		HG_CHECK(piece->parts == n || rest == NULL);
		check_piece(piece, &segment);
		wire_bytes += piece->wire_bytes;
		n_parts += piece->parts;
		break_piece(twin, piece, i);
		if (twin == TWIN_LOST && i == 1)
			hg_pool_put(&arena.pool, &piece, 1);
		else
			append_split(&got, piece);
	}
	HG_CHECK_EQ(n_parts, segment.parts);
	HG_CHECK_EQ(wire_bytes, segment.wire_bytes);
}

static void s2_15_pieces_come_to_the_same_packets(void)
{
	unsigned rounds = hg_test_rounds != 0 ? hg_test_rounds : 2000;
	uint64_t seed = hg_test_seed;

	start();
	for (unsigned round = 0; round < rounds; round++) {
		struct segment_shape shape = segment_random_shape(&seed);
		struct hg_pkt *segment = make(&shape, hg_test_between(&seed, 0, 1), &seed);

		record_whole(segment);
		record_pieces(segment,
			      (uint32_t)hg_test_between(
				      &seed, 1, hg_test_between(&seed, 1, 1 + segment->parts)),
			      TWIN_NONE, &seed);
		if (!is_same())
			HG_TEST_FAIL("round %u of seed %" PRIu64, round, hg_test_seed);
		HG_CHECK_EQ(arena.n_free, N_BUFFERS);
		HG_CHECK_EQ(arena.n_bad_puts, 0);
	}
}

static void s2_15_broken_pieces_are_noticed(void)
{
	uint64_t seed = hg_test_seed;

	start();
	for (enum twin twin = TWIN_NONE; twin < N_TWINS; twin++) {
		struct segment_shape shape = {.is_ip4 = true,
					      .is_tcp = true,
					      .n_payload = 20003,
					      .gso_bytes = 1448,
					      .flags = 0x10};
		struct hg_pkt *segment = make(&shape, true, &seed);

		record_whole(segment);
		/* The last packet is a piece of its own, since 13 full parts are in front of it. */
		record_pieces(segment, 1, twin, &seed);
		HG_CHECK_EQ(is_same(), twin == TWIN_NONE);
	}
}

/* ---- without buffers ---------------------------------------------------------------------------- */

static void s2_15_without_buffers_the_rest_stays_whole(void)
{
	static struct hg_pkt *held[N_BUFFERS];
	uint64_t seed = hg_test_seed;

	start();
	for (unsigned round = 0; round < 300; round++) {
		struct segment_shape shape = segment_random_shape(&seed);
		struct hg_pkt *rest = make(&shape, false, &seed), *pieces[HG_PARTS_MAX];
		uint32_t n = 0, n_held, n_parts = rest->parts, wire_bytes = rest->wire_bytes;

		record_whole(rest);
		n_held = arena.n_free - least(arena.n_free, round % 8);
		hg_pool_get(&arena.pool, held, n_held);
		while (rest != NULL) {
			pieces[n] = hg_piece_take(&rest, &arena.pool, 1);
			n_parts -= pieces[n]->parts;
			wire_bytes -= pieces[n++]->wire_bytes;
		}
		HG_CHECK_EQ(n_parts, 0);
		HG_CHECK_EQ(wire_bytes, 0);
		hg_pool_put(&arena.pool, held, n_held);
		got.n = got.n_pkts = 0;
		for (uint32_t i = 0; i < n; i++)
			append_split(&got, pieces[i]);
		HG_CHECK(is_same());
		HG_CHECK_EQ(arena.n_free, N_BUFFERS);
	}
}

/* ---- how much is copied ------------------------------------------------------------------------- */

static const uint8_t *places[HG_FRAME_MAX_BYTES];

/* Where each byte of payload lies. */
static uint32_t note_places(const struct hg_pkt *pkt, uint32_t n, bool is_first, uint32_t *n_moved)
{
	uint32_t offset = pkt->payload_offset;

	for (const struct hg_pkt *buf = pkt; buf != NULL; buf = buf->next, offset = 0) {
		for (uint32_t i = offset; i < buf->n_bytes; i++, n++) {
			*n_moved += !is_first && places[n] != buf->data + i;
			places[n] = buf->data + i;
		}
	}
	return n;
}

/* 64 KiB as a driver delivers them: a cut copies at most half a buffer, and takes one buffer at most. */
static void s2_15_a_cut_copies_the_smaller_side(void)
{
	struct segment_shape shape = {.is_ip4 = true,
				      .is_tcp = true,
				      .n_tcp_options = 12,
				      .n_payload = 65160,
				      .gso_bytes = 1448};
	uint64_t seed = 1;

	for (uint32_t parts = 1; parts <= 45; parts++) {
		struct hg_pkt *rest, *pieces[HG_PARTS_MAX];
		uint32_t n = 0, n_at = 0, n_moved = 0, n_free;

		start();
		rest = make(&shape, true, &seed);
		note_places(rest, 0, true, &n_moved);
		n_free = arena.n_free;
		while (rest != NULL)
			pieces[n++] = hg_piece_take(&rest, &arena.pool, parts);
		for (uint32_t i = 0; i < n; i++)
			n_at = note_places(pieces[i], n_at, false, &n_moved);
		HG_CHECK_EQ(n, (45 + parts - 1) / parts);
		HG_CHECK_EQ(n_at, 65160);
		HG_CHECK(n_moved <= (n - 1) * HG_PKT_ROOM_BYTES / 2);
		HG_CHECK(n_free - arena.n_free <= n - 1);
	}
}

static void parts_by_weight(void)
{
	struct hg_pkt pkt = {.payload_offset = 66, .gso_bytes = 1448};

	HG_CHECK_EQ(hg_piece_parts(&pkt, 0), 1);
	HG_CHECK_EQ(hg_piece_parts(&pkt, 1537), 1);
	HG_CHECK_EQ(hg_piece_parts(&pkt, 3075), 1);
	HG_CHECK_EQ(hg_piece_parts(&pkt, 3076), 2);
	HG_CHECK_EQ(hg_piece_parts(&pkt, 12500), 8);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s2_15_pieces_come_to_the_same_packets),
		HG_TEST(s2_15_broken_pieces_are_noticed),
		HG_TEST(s2_15_without_buffers_the_rest_stays_whole),
		HG_TEST(s2_15_a_cut_copies_the_smaller_side),
		HG_TEST(parts_by_weight),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
