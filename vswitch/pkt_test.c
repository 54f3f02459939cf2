#include "vswitch/pkt.h"

#include "vswitch/pool.h"

#include "tests/harness.h"

#define N_BUFFERS 100u

static struct hg_arena_pool arena;

static void start(void)
{
	static void *mem;

	if (mem == NULL)
		mem = malloc(hg_pool_arena_bytes(N_BUFFERS) + 1);
	/* Off by one, so that the pool has to align it. */
	hg_pool_arena_init(&arena, (uint8_t *)mem + 1, N_BUFFERS);
}

static void pool_gives_all_or_none(void)
{
	struct hg_pkt *pkts[N_BUFFERS + 1];

	start();
	HG_CHECK_EQ(hg_pool_get(&arena.pool, pkts, N_BUFFERS + 1), 0);
	HG_CHECK_EQ(arena.n_free, N_BUFFERS);
	HG_CHECK_EQ(hg_pool_get(&arena.pool, pkts, N_BUFFERS), N_BUFFERS);
	HG_CHECK_EQ(arena.n_free, 0);
	HG_CHECK_EQ(hg_pool_get(&arena.pool, pkts, 1), 0);
	hg_pool_put(&arena.pool, pkts, N_BUFFERS);
	HG_CHECK_EQ(arena.n_free, N_BUFFERS);
	HG_CHECK_EQ(arena.n_bad_puts, 0);
}

static void pool_buffers_are_fresh_aligned_and_apart(void)
{
	struct hg_pkt *pkts[N_BUFFERS];

	start();
	hg_pool_get(&arena.pool, pkts, N_BUFFERS);
	for (unsigned i = 0; i < N_BUFFERS; i++) {
		HG_CHECK_EQ((uintptr_t)pkts[i] % HG_CACHE_LINE_BYTES, 0);
		HG_CHECK_EQ(pkts[i]->headroom, HG_PKT_HEADROOM_BYTES);
		HG_CHECK_EQ(pkts[i]->tailroom, HG_PKT_ROOM_BYTES);
		HG_CHECK(pkts[i]->next == NULL);
		memset(pkts[i]->data - HG_PKT_HEADROOM_BYTES, (int)i,
		       HG_PKT_HEADROOM_BYTES + HG_PKT_ROOM_BYTES);
	}
	for (unsigned i = 0; i < N_BUFFERS; i++) {
		HG_CHECK_EQ(pkts[i]->data[-(int)HG_PKT_HEADROOM_BYTES], i);
		HG_CHECK_EQ(pkts[i]->data[HG_PKT_ROOM_BYTES - 1], i);
	}
}

static void pool_is_last_in_first_out(void)
{
	struct hg_pkt *pkts[2], *again;

	start();
	hg_pool_get(&arena.pool, pkts, 2);
	hg_pool_put(&arena.pool, &pkts[0], 1);
	hg_pool_get(&arena.pool, &again, 1);
	HG_CHECK(again == pkts[0]);
}

static void pool_counts_bad_puts(void)
{
	struct hg_pkt *pkt, foreign = {0}, *stranger = &foreign;

	start();
	hg_pool_get(&arena.pool, &pkt, 1);
	hg_pool_put(&arena.pool, &pkt, 1);
	HG_CHECK_EQ(arena.n_bad_puts, 0);
	hg_pool_put(&arena.pool, &pkt, 1);
	HG_CHECK_EQ(arena.n_bad_puts, 1);
	hg_pool_put(&arena.pool, &stranger, 1);
	HG_CHECK_EQ(arena.n_bad_puts, 2);
	HG_CHECK_EQ(arena.n_free, N_BUFFERS);
}

static struct hg_pkt *chain(uint32_t total)
{
	struct hg_pkt *pkt = hg_pkt_create_chain(&arena.pool, total);
	uint32_t i = 0;

	HG_CHECK(pkt != NULL);
	for (struct hg_pkt *buf = pkt; buf != NULL; buf = buf->next) {
		for (uint32_t b = 0; b < buf->n_bytes; b++, i++)
			buf->data[b] = (uint8_t)(i * 7u + i / 256u);
	}
	HG_CHECK_EQ(i, total);
	return pkt;
}

static void copies_are_deep_and_complete(void)
{
	static const uint32_t sizes[] = {1, 60, 2048, 2049, 9000, HG_FRAME_MAX_BYTES};
	static uint8_t a[HG_FRAME_MAX_BYTES], b[HG_FRAME_MAX_BYTES];

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct hg_pkt *src, *copy;

		start();
		src = chain(sizes[i]);
		src->flags = HG_PKT_NEEDS_CSUM;
		src->csum_start = 34;
		src->gso = HG_GSO_TCP4;
		src->gso_bytes = 1448;
		src->vlan = 5;
		src->at_ns = 77;
		src->link = src;
		copy = hg_pkt_copy(&arena.pool, src);
		HG_CHECK(copy != NULL);
		HG_CHECK_EQ(copy->total_bytes, sizes[i]);
		HG_CHECK_EQ(copy->csum_start, 34);
		HG_CHECK_EQ(copy->gso_bytes, 1448);
		HG_CHECK_EQ(copy->at_ns, 77);
		HG_CHECK(copy->link == NULL);
		hg_pkt_read(src, 0, a, sizes[i]);
		src->data[0] ^= 1;
		hg_pkt_read(copy, 0, b, sizes[i]);
		HG_CHECK(memcmp(a, b, sizes[i]) == 0);
		hg_pool_put(&arena.pool, &src, 1);
		hg_pool_put(&arena.pool, &copy, 1);
		HG_CHECK_EQ(arena.n_free, N_BUFFERS);
		HG_CHECK_EQ(arena.n_bad_puts, 0);
	}
}

static void copy_without_buffers_takes_nothing(void)
{
	struct hg_pkt *held[3], *src;
	uint32_t n_free;

	start();
	for (unsigned i = 0; i < 3; i++)
		held[i] = chain(20u * HG_PKT_ROOM_BYTES);
	src = held[0];
	hg_pool_put(&arena.pool, &held[2], 1);
	chain(30u * HG_PKT_ROOM_BYTES);
	n_free = arena.n_free;
	HG_CHECK_BETWEEN(n_free, 1, 30);
	src->next->n_bytes = HG_PKT_ROOM_BYTES;
	chain((n_free - 19u) * HG_PKT_ROOM_BYTES);
	n_free = arena.n_free;
	HG_CHECK_EQ(n_free, 19);
	HG_CHECK(hg_pkt_copy(&arena.pool, src) == NULL);
	HG_CHECK_EQ(arena.n_free, n_free);
}

static void chains_of_impossible_size_are_refused(void)
{
	start();
	HG_CHECK(hg_pkt_create_chain(&arena.pool, 0) == NULL);
	HG_CHECK(hg_pkt_create_chain(&arena.pool, HG_PKT_CHAIN_MAX * HG_PKT_ROOM_BYTES + 1) ==
		 NULL);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(pool_gives_all_or_none),
		HG_TEST(pool_buffers_are_fresh_aligned_and_apart),
		HG_TEST(pool_is_last_in_first_out),
		HG_TEST(pool_counts_bad_puts),
		HG_TEST(copies_are_deep_and_complete),
		HG_TEST(copy_without_buffers_takes_nothing),
		HG_TEST(chains_of_impossible_size_are_refused),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
