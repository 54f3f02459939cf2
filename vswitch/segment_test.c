#include "vswitch/segment.h"

#include "vswitch/parse.h"
#include "vswitch/pool.h"
#include "vswitch/weigh.h"

#include "tests/segments.h"

#define N_BUFFERS 80u

static struct frame frame;
static struct hg_arena_pool arena;

static void start(void)
{
	static void *mem;

	if (mem == NULL)
		mem = malloc(hg_pool_arena_bytes(N_BUFFERS));
	hg_pool_arena_init(&arena, mem, N_BUFFERS);
}

/* ---- the slow, obvious reference: on flat bytes, a word at a time --------------------------------- */

static uint32_t slow_add(uint32_t sum, const uint8_t *bytes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static void slow_part(const struct hg_pkt *src, uint32_t i, uint8_t *part, uint32_t *ret_n)
{
	uint32_t n_headers = src->payload_offset, from = n_headers + i * src->gso_bytes;
	uint32_t n_payload = frame.n - from < src->gso_bytes ? frame.n - from : src->gso_bytes;
	bool is_first = i == 0, is_last = from + n_payload == frame.n;
	uint8_t *ip = part + src->l3_offset, *l4 = part + src->l4_offset;
	uint32_t n = n_headers + n_payload, n_l4 = n - src->l4_offset, sum;
	bool is_ip4 = src->l3 == HG_L3_IP4;
	uint32_t csum_at = src->ip_proto == HG_IP_TCP ? 16 : 6;

	memcpy(part, frame.bytes, n_headers);
	memcpy(part + n_headers, frame.bytes + from, n_payload);
	if (is_ip4) {
		hg_bytes_put16(ip + 2, n - src->l3_offset);
		hg_bytes_put16(ip + 4, hg_bytes_get16(ip + 4) + i);
		hg_bytes_put16(ip + 10, 0);
		hg_bytes_put16(ip + 10, ~slow_add(0, ip, (ip[0] & 15u) * 4u));
		sum = slow_add(0, ip + 12, 8);
	} else {
		hg_bytes_put16(ip + 4, n - src->l3_offset - 40);
		sum = slow_add(0, ip + 8, 32);
	}
	if (src->ip_proto == HG_IP_TCP) {
		hg_bytes_put32(l4 + 4, hg_bytes_get32(l4 + 4) + i * src->gso_bytes);
		if (!is_last)
			l4[13] &= 0xf6;
		if (!is_first)
			l4[13] &= 0x7f;
	} else {
		hg_bytes_put16(l4 + 4, n_l4);
	}
	hg_bytes_put16(l4 + csum_at, 0);
	sum = slow_add(sum + src->ip_proto + n_l4, l4, n_l4);
	sum = (sum & 0xffff) + (sum >> 16);
	hg_bytes_put16(l4 + csum_at, src->ip_proto == HG_IP_UDP && sum == 0xffff ? 0xffff : ~sum);
	*ret_n = n;
}

/* ---- random segments ---------------------------------------------------------------------------- */

/* The frame cut into buffers at random places, the first with at least all headers. */
static struct hg_pkt *cut(struct hg_pkt *bufs, uint32_t n_bufs, uint64_t *seed)
{
	uint32_t at = 0;

	memset(bufs, 0, n_bufs * sizeof(*bufs));
	for (uint32_t i = 0; at < frame.n; i++) {
		uint32_t least = i == 0 ? HG_PKT_HEADERS_BYTES : 1;
		uint32_t n = (uint32_t)hg_test_between(seed, least, 9000);

		if (n > frame.n - at || i == n_bufs - 1)
			n = frame.n - at;
		bufs[i].data = frame.bytes + at;
		bufs[i].n_bytes = (uint16_t)n;
		at += n;
		bufs[i].next = at < frame.n ? &bufs[i + 1] : NULL;
	}
	bufs[0].total_bytes = frame.n;
	return bufs;
}

/* ---- broken twins: defects that the comparison must see ------------------------------------------- */

enum twin { TWIN_NONE, TWIN_FLAGS, TWIN_CWR, TWIN_SEQ, TWIN_ID, TWIN_BYTE, TWIN_CSUM, N_TWINS };

static void break_part(enum twin twin, struct hg_pkt *part, uint32_t i)
{
	uint8_t *l4 = part->data + part->l4_offset;

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
		hg_bytes_put16(part->data + part->l3_offset + 4, 0x1234);
		break;
	case TWIN_BYTE:
		part->data[part->payload_offset] ^= (uint8_t)(i > 0);
		break;
	case TWIN_CSUM:
		l4[16] ^= 1;
		break;
	default:
		break;
	}
}

/* Splits src and compares with the reference. Returns whether all was equal. */
static bool is_split_right(const struct hg_pkt *src, enum twin twin)
{
	static uint8_t want[HG_FRAME_MAX_BYTES], got[HG_FRAME_MAX_BYTES];
	struct hg_segment s;
	uint32_t i = 0, wire_bytes = 0;
	bool is_right = true;

	hg_segment_begin(&s, src, &arena.pool);
	for (; !hg_segment_is_done(&s); i++) {
		struct hg_pkt *part = hg_segment_next(&s);
		uint32_t n;
		enum hg_drop reason;

		HG_CHECK(part != NULL);
		break_part(twin, part, i);
		memset(want, 0, 256);
		slow_part(src, i, want, &n);
		is_right = is_right && part->total_bytes == n;
		hg_pkt_read(part, 0, got, part->total_bytes);
		is_right = is_right && memcmp(got, want, n) == 0;
		wire_bytes += part->wire_bytes;
		HG_CHECK_EQ(part->parts, 1);
		HG_CHECK_EQ(part->instance_idx, src->instance_idx);
		if (twin == TWIN_NONE)
			HG_CHECK(hg_parse(part, &reason));
		hg_pool_put(&arena.pool, &part, 1);
	}
	HG_CHECK(hg_segment_next(&s) == NULL);
	HG_CHECK_EQ(i, src->parts);
	HG_CHECK_EQ(wire_bytes, src->wire_bytes);
	HG_CHECK_EQ(arena.n_free, N_BUFFERS);
	return is_right;
}

static struct hg_pkt *parsed(struct hg_pkt *bufs, uint32_t n_bufs, const struct segment_shape *s,
			     uint64_t *seed)
{
	struct hg_pkt *src = cut(bufs, n_bufs, seed);
	enum hg_drop reason = HG_N_DROPS;

	frame_want_gso(src, &frame, s->gso_bytes);
	src->instance_idx = 17;
	if (!hg_parse(src, &reason))
		HG_TEST_FAIL("dropped: %s", hg_drop_name(reason));
	hg_weigh(src);
	return src;
}

static void s5_1_parts_equal_the_reference(void)
{
	unsigned rounds = hg_test_rounds != 0 ? hg_test_rounds : 2000;
	uint64_t seed = hg_test_seed;
	struct hg_pkt bufs[40];

	start();
	for (unsigned round = 0; round < rounds; round++) {
		struct segment_shape s = segment_random_shape(&seed);

		segment_make(&frame, &s, (uint8_t)round);
		if (!is_split_right(parsed(bufs, 40, &s, &seed), TWIN_NONE))
			HG_TEST_FAIL("round %u of seed %" PRIu64, round, hg_test_seed);
	}
}

static void s5_1_broken_parts_are_noticed(void)
{
	uint64_t seed = hg_test_seed;
	struct hg_pkt bufs[40];

	start();
	for (enum twin twin = TWIN_NONE; twin < N_TWINS; twin++) {
		struct segment_shape s = {.is_ip4 = true,
					  .is_tcp = true,
					  .n_payload = 5000,
					  .gso_bytes = 1448,
					  .flags = 0x10};

		segment_make(&frame, &s, 1);
		HG_CHECK_EQ(is_split_right(parsed(bufs, 40, &s, &seed), twin), twin == TWIN_NONE);
	}
}

/* 64 KiB into parts of 48 bytes, with a pool of two buffers, taken and given back one by one. */
static void s5_1_largest_segment_needs_few_buffers(void)
{
	struct segment_shape s = {
		.is_ip4 = true, .is_tcp = true, .n_payload = 65495, .gso_bytes = 48};
	struct hg_pkt bufs[40], *held[N_BUFFERS];
	uint64_t seed = 1;

	start();
	segment_make(&frame, &s, 3);
	hg_pool_get(&arena.pool, held, N_BUFFERS - 2);
	{
		struct hg_pkt *src = parsed(bufs, 40, &s, &seed);
		struct hg_segment seg;
		uint32_t n = 0;

		hg_segment_begin(&seg, src, &arena.pool);
		while (!hg_segment_is_done(&seg)) {
			struct hg_pkt *part = hg_segment_next(&seg);

			HG_CHECK(part != NULL);
			hg_pool_put(&arena.pool, &part, 1);
			n++;
		}
		HG_CHECK_EQ(n, 1365);
	}
}

static void without_buffers_it_waits_and_loses_nothing(void)
{
	struct segment_shape s = {
		.is_ip4 = false, .is_tcp = true, .n_payload = 10000, .gso_bytes = 1000};
	struct hg_pkt bufs[40], *held[N_BUFFERS], *part;
	struct hg_segment seg;
	uint64_t seed = 1;

	start();
	segment_make(&frame, &s, 3);
	hg_segment_begin(&seg, parsed(bufs, 40, &s, &seed), &arena.pool);
	hg_pool_get(&arena.pool, held, N_BUFFERS);
	for (unsigned i = 0; i < 10; i++) {
		HG_CHECK(hg_segment_next(&seg) == NULL);
		HG_CHECK(!hg_segment_is_done(&seg));
		hg_pool_put(&arena.pool, &held[0], 1);
		part = hg_segment_next(&seg);
		HG_CHECK(part != NULL);
		HG_CHECK_EQ(hg_bytes_get32(part->data + part->l4_offset + 4),
			    0xfffffff0u + 1000u * i);
		held[0] = part;
	}
	HG_CHECK(hg_segment_is_done(&seg));
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_parts_equal_the_reference),
		HG_TEST(s5_1_broken_parts_are_noticed),
		HG_TEST(s5_1_largest_segment_needs_few_buffers),
		HG_TEST(without_buffers_it_waits_and_loses_nothing),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
