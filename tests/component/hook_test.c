/* The release hook on real mbufs: whatever way DPDK gives a buffer back, its tag comes back once. */
#include "dataplane/buffers.h"
#include "dataplane/hook.h"
#include "dataplane/lifo.h"
#include "tests/harness.h"

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <pthread.h>

#define BUFFERS 4096u
#define BURST 32u

static struct hg_pool *pool;
static struct hg_hook *hook;
static uint64_t n_put_on, load_put_on, n_back, load_back;

static void forget_pool(void)
{
	hg_buffers_stand_up();
	hg_buffers_destroy(pool);
	pool = NULL;
}

static void open_pool(void)
{
	struct hg_error err = {0};

	forget_pool(); /* a failed test's */
	n_put_on = load_put_on = n_back = load_back = 0;
	if (hg_buffers_init_environment(BUFFERS, /* want_hugepages= */ false, &err) != 0 ||
	    hg_buffers_create(BUFFERS, 2, &pool, &err) != 0)
		HG_TEST_FAIL("no pool: %s", err.text);
	hook = hg_buffers_hook(pool);
	hg_buffers_sit(pool, 0, /* owns_hook= */ true);
}

/* Takes the list as a worker does, and adds it up. */
static void settle(void)
{
	const struct hg_tag *tags;
	unsigned n = hg_hook_take(hook, &tags);

	for (unsigned i = 0; i < n; i++) {
		HG_CHECK(tags[i].queue != 0);
		load_back += tags[i].load;
	}
	n_back += n;
}

static void close_pool(void)
{
	hg_buffers_keep_house(pool);
	hg_lifo_hear(hook);
	settle();
	HG_CHECK_EQ(n_back, n_put_on);
	HG_CHECK_EQ(load_back, load_put_on);
	HG_CHECK_EQ(hook->n_out, 0);
	hg_hook_rest(hook);
	HG_CHECK(!hg_hook_is_armed(hook));
	HG_CHECK_EQ(hg_buffers_free(pool), hg_buffers_size(pool));
	HG_CHECK_EQ(hg_buffers_longs_in_use(pool), 0);
	forget_pool();
}

static struct hg_tag next_tag(void)
{
	struct hg_tag tag = {.handed_ns = 1, .instance_idx = 7, .queue = 1};

	tag.load = (uint32_t)(1000u + n_put_on);
	n_put_on++;
	load_put_on += tag.load;
	return tag;
}

static struct hg_pkt *view_of(struct rte_mbuf *mbuf)
{
	return (struct hg_pkt *)(void *)(mbuf + 1);
}

static struct rte_mbuf *mbuf_of(struct hg_pkt *pkt)
{
	return (struct rte_mbuf *)(void *)pkt - 1;
}

static struct rte_mbuf *tagged_mbuf(void)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(hg_buffers_part(pool, 0));
	struct hg_tag tag = next_tag();

	HG_CHECK(mbuf != NULL);
	hg_hook_put_on(hook, view_of(mbuf), &tag);
	return mbuf;
}

/* ---- what comes back ---------------------------------------------------------------------------- */

static void s2_2_release_is_seen_at_once(void)
{
	struct rte_mbuf *mbufs[BURST];

	open_pool();
	for (unsigned round = 0; round < 1000; round++) {
		for (unsigned i = 0; i < BURST; i++)
			mbufs[i] = tagged_mbuf();
		HG_CHECK_EQ(hook->n_out, BURST);
		/* As drivers do it: one by one, in bulk, or straight into the pool. */
		if (round % 3 == 0)
			rte_pktmbuf_free_bulk(mbufs, BURST);
		else if (round % 3 == 1)
			rte_mempool_put_bulk(hg_buffers_part(pool, 0), (void **)mbufs, BURST);
		else
			for (unsigned i = 0; i < BURST; i++)
				rte_pktmbuf_free(mbufs[i]);
		HG_CHECK_EQ(hook->n_out, 0);
		settle();
		HG_CHECK_EQ(n_back, n_put_on);
	}
	close_pool();
}

static void s2_2_untagged_buffers_bring_nothing(void)
{
	struct hg_pkt *pkts[BURST];

	open_pool();
	for (unsigned round = 0; round < 100; round++) {
		HG_CHECK_EQ(hg_pool_get(pool, pkts, BURST), BURST);
		hg_pool_put(pool, pkts, BURST);
	}
	rte_pktmbuf_free(tagged_mbuf());
	/* Not the buffer that had one before either. */
	rte_pktmbuf_free(rte_pktmbuf_alloc(hg_buffers_part(pool, 0)));
	HG_CHECK_EQ(hook->n, 1);
	close_pool();
}

static void s2_2_chain_is_sent_with_its_last_buffer(void)
{
	struct hg_tag tag;
	struct hg_pkt *pkt, *buffers[3];

	open_pool();
	pkt = hg_pkt_create_chain(pool, 2 * HG_PKT_ROOM_BYTES + 100);
	HG_CHECK(pkt != NULL);
	buffers[0] = pkt;
	buffers[1] = pkt->next;
	buffers[2] = pkt->next->next;
	tag = next_tag();
	hg_hook_put_on(hook, pkt, &tag);
	HG_CHECK(hg_hook_tag_of(pkt) == &pkt->tag);
	HG_CHECK(hg_hook_send_off(pkt) == &buffers[2]->tag);
	HG_CHECK(hg_hook_tag_of(pkt) == &buffers[2]->tag);
	/* A card gives them back one by one. */
	for (unsigned i = 0; i < 3; i++) {
		HG_CHECK_EQ(hook->n, 0);
		rte_mempool_put(hg_buffers_part(pool, 0), mbuf_of(buffers[i]));
	}
	HG_CHECK_EQ(hook->n, 1);
	close_pool();
}

static void s2_2_chain_that_never_went_gives_its_tag_back(void)
{
	struct hg_tag tag;
	struct hg_pkt *pkt;

	open_pool();
	pkt = hg_pkt_create_chain(pool, HG_FRAME_MAX_BYTES);
	HG_CHECK(pkt != NULL);
	tag = next_tag();
	hg_hook_put_on(hook, pkt, &tag);
	hg_pool_put(pool, &pkt, 1);
	HG_CHECK_EQ(hook->n, 1);
	close_pool();
}

static struct hg_pkt *to_put[BUFFERS];
static unsigned n_to_put;

static void *put_all(void *as_worker)
{
	if (as_worker != NULL)
		hg_buffers_sit(pool, 1, /* owns_hook= */ false);
	hg_pool_put(pool, to_put, n_to_put);
	if (as_worker != NULL)
		hg_buffers_stand_up();
	return NULL;
}

static void put_elsewhere(void *as_worker)
{
	pthread_t thread;

	HG_CHECK_EQ(pthread_create(&thread, NULL, put_all, as_worker), 0);
	pthread_join(thread, NULL);
}

/* Single buffers and chains, of the worker's part and the shared one, some with a tag in front or behind, some
 * with another one in the table. Returns how many tags. */
static unsigned gather(uint64_t *seed, unsigned round, unsigned n)
{
	static const uint32_t sizes[] = {60, HG_PKT_ROOM_BYTES + 1u, 5u * HG_PKT_ROOM_BYTES};
	unsigned n_tags = 0;

	for (n_to_put = 0; n_to_put < n; n_to_put++) {
		unsigned what = (unsigned)hg_test_between(seed, 0, 40);
		bool is_shared = hg_test_between(seed, 0, 7) == 0;
		struct hg_pkt *pkt;
		struct hg_tag tag;

		if (is_shared)
			hg_buffers_stand_up();
		pkt = hg_pkt_create_chain(pool, sizes[hg_test_between(seed, 0, 2)]);
		if (is_shared)
			hg_buffers_sit(pool, 0, /* owns_hook= */ true);
		HG_CHECK(pkt != NULL);
		to_put[n_to_put] = pkt;
		if (what > 9)
			continue;
		tag = next_tag();
		n_tags++;
		hg_hook_put_on(hook, pkt, &tag);
		if (what == 0 && round % 4u == 0) { /* twice */
			tag = next_tag();
			n_tags++;
			HG_CHECK(hg_hook_track(hook, mbuf_of(pkt), &tag));
		} else if (what % 2u != 0) {
			(void)hg_hook_send_off(pkt);
		}
	}
	return n_tags;
}

static void s2_2_what_is_put_back_brings_its_tags(void)
{
	uint64_t seed = hg_test_seed;

	open_pool();
	for (unsigned round = 0; round < 3000; round++) {
		unsigned n_tags = gather(&seed, round, (unsigned)hg_test_between(&seed, 1, 150));

		switch (hg_test_between(&seed, 0, 7)) {
		case 0:
			put_elsewhere(NULL);
			break;
		case 1:
			put_elsewhere(&n_to_put);
			break;
		default:
			hg_pool_put(pool, to_put, n_to_put);
			HG_CHECK_EQ(hook->n, n_tags);
		}
		hg_lifo_hear(hook);
		HG_CHECK_EQ(hook->n, n_tags);
		HG_CHECK_EQ(hook->n_out, 0);
		HG_CHECK_EQ(hg_buffers_free(pool), hg_buffers_size(pool));
		settle();
		hg_hook_rest(hook);
	}
	close_pool();
}

/* ---- clones ------------------------------------------------------------------------------------- */

static void s2_2_clones_have_tags_of_their_own(void)
{
	struct rte_mbuf *whole, *clones[4];
	struct hg_tag tag;

	open_pool();
	whole = rte_pktmbuf_alloc(hg_buffers_part(pool, 0));
	for (unsigned i = 0; i < 4; i++) {
		clones[i] = rte_pktmbuf_clone(whole, hg_buffers_part(pool, 0));
		HG_CHECK(clones[i] != NULL);
		tag = next_tag();
		hg_hook_put_on(hook, view_of(clones[i]), &tag);
	}
	rte_pktmbuf_free(whole); /* four still refer to it */
	HG_CHECK_EQ(hook->n, 0);
	for (unsigned i = 0; i < 4; i++) {
		rte_pktmbuf_free(clones[i]);
		HG_CHECK_EQ(hook->n, i + 1);
	}
	close_pool();
}

static void s2_2_buffer_with_clones_comes_back_with_the_last(void)
{
	struct rte_mbuf *whole, *clone;

	open_pool();
	whole = tagged_mbuf();
	clone = rte_pktmbuf_clone(whole, hg_buffers_part(pool, 0));
	HG_CHECK(clone != NULL);
	rte_pktmbuf_free(whole);
	HG_CHECK_EQ(hook->n, 0);
	rte_pktmbuf_free(clone);
	HG_CHECK_EQ(hook->n, 1);
	close_pool();
}

static void s2_2_chained_clone(void)
{
	struct rte_mbuf *first, *second, *clone;
	struct hg_tag tag;

	open_pool();
	first = rte_pktmbuf_alloc(hg_buffers_part(pool, 0));
	second = rte_pktmbuf_alloc(hg_buffers_part(pool, 0));
	HG_CHECK(first != NULL && second != NULL);
	(void)rte_pktmbuf_append(first, 100);
	(void)rte_pktmbuf_append(second, 100);
	HG_CHECK_EQ(rte_pktmbuf_chain(first, second), 0);
	clone = rte_pktmbuf_clone(first, hg_buffers_part(pool, 0));
	HG_CHECK(clone != NULL && clone->next != NULL);
	tag = next_tag();
	hg_hook_put_on(hook, view_of(clone->next), &tag);
	rte_pktmbuf_free(clone);
	HG_CHECK_EQ(hook->n, 1);
	rte_pktmbuf_free(first);
	close_pool();
}

/* ---- by address --------------------------------------------------------------------------------- */

static struct rte_mempool *plain_pool(uint32_t n)
{
	static unsigned n_created;
	char name[32];
	const struct hg_lifo_cfg cfg = {
		.name = name,
		.n_buffers = n,
		.private_bytes = 0,
		.room_bytes = HG_PKT_ROOM_BYTES,
		.is_shared = true,
		.hook = hook,
	};

	snprintf(name, sizeof(name), "plain%u", n_created++);
	return hg_lifo_create(&cfg);
}

static void s2_13_buffer_without_a_view_is_tracked_by_address(void)
{
	struct rte_mempool *plain;
	struct rte_mbuf *mbufs[BURST];

	open_pool();
	plain = plain_pool(256);
	HG_CHECK(plain != NULL);
	for (unsigned round = 0; round < 1000; round++) {
		for (unsigned i = 0; i < BURST; i++) {
			struct hg_tag tag = next_tag();

			mbufs[i] = rte_pktmbuf_alloc(plain);
			HG_CHECK(mbufs[i] != NULL);
			HG_CHECK(hg_hook_track(hook, mbufs[i], &tag));
		}
		HG_CHECK_EQ(hook->n_places, BURST);
		for (unsigned i = 0; i < BURST; i++)
			rte_pktmbuf_free(mbufs[(i * 7u + round) % BURST]);
		HG_CHECK_EQ(hook->n_places, 0);
		settle();
	}
	close_pool();
	HG_CHECK_EQ(rte_mempool_avail_count(plain), 256);
	rte_mempool_free(plain);
}

static void s2_13_buffer_handed_over_twice_brings_both_back(void)
{
	struct rte_mbuf *mbuf;
	struct hg_tag tag;

	open_pool();
	mbuf = tagged_mbuf();
	tag = next_tag();
	HG_CHECK(hg_hook_track(hook, mbuf, &tag));
	tag = next_tag();
	HG_CHECK(hg_hook_track(hook, mbuf, &tag));
	rte_mbuf_refcnt_update(mbuf, 2);
	rte_pktmbuf_free(mbuf);
	rte_pktmbuf_free(mbuf);
	HG_CHECK_EQ(hook->n, 0);
	rte_pktmbuf_free(mbuf);
	HG_CHECK_EQ(hook->n, 3);
	close_pool();
}

static void s2_13_full_table_counts_what_it_cannot_track(void)
{
	static char objects[HG_HOOK_PLACES + 1u][HG_CACHE_LINE_BYTES];
	uint32_t n = 0;

	open_pool();
	for (; n <= HG_HOOK_PLACES; n++) {
		struct hg_tag tag = {.queue = 1, .load = 1};

		if (!hg_hook_track(hook, objects[n], &tag))
			break;
		n_put_on++;
		load_put_on++;
	}
	HG_CHECK_BETWEEN(n, HG_HOOK_PLACES / 2u, HG_HOOK_PLACES - 1u);
	HG_CHECK_EQ(hook->n_untracked, 1);
	HG_CHECK_EQ(hook->n_out, n);
	for (uint32_t i = 0; i < n; i++) {
		void *object = objects[i];

		hg_hook_collect(hook, &object, 1, 0);
	}
	HG_CHECK_EQ(hook->n_places, 0);
	close_pool();
}

/* Random tracking and release against an array of what should stand in the table. */
static void s2_13_random_histories_of_the_table(void)
{
	static char objects[3000][HG_CACHE_LINE_BYTES];
	static uint32_t want[3000];
	uint64_t seed = hg_test_seed;

	open_pool();
	memset(want, 0, sizeof(want));
	for (unsigned step = 0; step < 300000; step++) {
		unsigned i = (unsigned)hg_test_between(&seed, 0, 2999);
		void *object = objects[i];
		struct hg_tag tag;

		if (hg_test_between(&seed, 0, 1) != 0 && hook->n_places < HG_HOOK_PLACES / 2u) {
			tag = next_tag();
			HG_CHECK(hg_hook_track(hook, object, &tag));
			want[i]++;
			continue;
		}
		hg_hook_collect(hook, &object, 1, 0);
		HG_CHECK_EQ(hook->n, want[i]);
		want[i] = 0;
		settle();
	}
	for (unsigned i = 0; i < 3000; i++) {
		void *object = objects[i];

		hg_hook_collect(hook, &object, 1, 0);
	}
	close_pool();
}

/* ---- other threads ------------------------------------------------------------------------------ */

static struct rte_mbuf *given[BUFFERS];
static unsigned n_given;

static void *release_all(void *as_worker)
{
	if (as_worker != NULL)
		hg_buffers_sit(pool, 1, /* owns_hook= */ false);
	for (unsigned i = 0; i < n_given; i++)
		rte_pktmbuf_free(given[i]);
	if (as_worker != NULL)
		hg_buffers_stand_up();
	return NULL;
}

static void release_elsewhere(void *as_worker)
{
	struct rte_mempool *plain;
	pthread_t thread;

	open_pool();
	plain = plain_pool(256);
	HG_CHECK(plain != NULL);
	for (n_given = 0; n_given < 1000; n_given++) {
		struct hg_tag tag;

		if (n_given % 8 != 0) {
			given[n_given] = n_given % 2 ? tagged_mbuf()
						     : rte_pktmbuf_alloc(hg_buffers_part(pool, 2));
			HG_CHECK(given[n_given] != NULL);
			continue;
		}
		given[n_given] = rte_pktmbuf_alloc(plain);
		HG_CHECK(given[n_given] != NULL);
		tag = next_tag();
		HG_CHECK(hg_hook_track(hook, given[n_given], &tag));
	}
	HG_CHECK_EQ(pthread_create(&thread, NULL, release_all, as_worker), 0);
	pthread_join(thread, NULL);
	HG_CHECK_EQ(hook->n, 0);
	close_pool();
	HG_CHECK_EQ(rte_mempool_avail_count(plain), 256);
	rte_mempool_free(plain);
}

static void s2_2_release_on_a_thread_that_is_no_worker(void)
{
	release_elsewhere(NULL);
}

static void s2_2_release_on_another_worker(void)
{
	release_elsewhere(&n_given);
}

/* ---- pools -------------------------------------------------------------------------------------- */

static void pools_serve_everybody_and_lose_nothing(void)
{
	static struct hg_pkt *pkts[BUFFERS];
	uint32_t n = 0, n_mine;

	open_pool();
	/* A worker's own, then the shared ones; the other worker's are left alone. */
	while (hg_pool_get(pool, &pkts[n], 1) == 1)
		n++;
	n_mine = (hg_buffers_size(pool) - BUFFERS / 4u) / 2u + BUFFERS / 4u;
	HG_CHECK_EQ(n, n_mine);
	HG_CHECK_EQ(hg_buffers_free(pool), hg_buffers_size(pool) - n);
	for (uint32_t i = 0; i < n; i++)
		HG_CHECK((const void *)pkts[i] > hg_buffers_base(pool));
	hg_pool_put(pool, pkts, n);
	/* A thread that is no worker has the shared ones. */
	hg_buffers_stand_up();
	for (n = 0; hg_pool_get(pool, &pkts[n], 1) == 1;)
		n++;
	HG_CHECK_EQ(n, BUFFERS / 4u);
	hg_pool_put(pool, pkts, n);
	hg_buffers_sit(pool, 0, /* owns_hook= */ true);
	close_pool();
}

static void put_back_elsewhere_can_be_got_again(void)
{
	static struct hg_pkt *pkts[BUFFERS];
	uint32_t n = 0;

	open_pool();
	while (hg_pool_get(pool, &pkts[n], 1) == 1)
		n++;
	hg_buffers_stand_up();
	hg_pool_put(pool, pkts, n);
	hg_buffers_sit(pool, 0, /* owns_hook= */ true);
	/* Without housekeeping in between. */
	for (uint32_t i = 0; i < n; i++)
		HG_CHECK_EQ(hg_pool_get(pool, &pkts[i], 1), 1);
	hg_pool_put(pool, pkts, n);
	close_pool();
}

/* Gets all long buffers that there are for this thread. */
static uint32_t get_longs(struct hg_pkt **pkts)
{
	uint32_t n = 0;

	while (hg_pool_get_long(pool, &pkts[n], 1) == 1)
		n++;
	return n;
}

static void *put_longs(void *pkts)
{
	hg_pool_put(pool, pkts, n_given);
	return NULL;
}

static void long_buffers_are_a_workers_own_and_come_back(void)
{
	static struct hg_pkt *pkts[BUFFERS], *again[BUFFERS];
	pthread_t thread;
	uint32_t n;

	open_pool();
	n = get_longs(pkts);
	HG_CHECK(n >= HG_PKT_LONGS_MAX);
	HG_CHECK_EQ(hg_buffers_longs_in_use(pool), n);
	HG_CHECK_EQ(hg_buffers_free(pool), hg_buffers_size(pool));
	for (uint32_t i = 0; i < n; i++) {
		HG_CHECK((const void *)pkts[i] >= hg_buffers_base(pool));
		HG_CHECK_EQ(pkts[i]->tailroom, HG_PKT_LONG_ROOM_BYTES);
		/* All of it is the packet's. */
		memset(pkts[i]->data - HG_PKT_HEADROOM_BYTES, (int)i,
		       HG_PKT_HEADROOM_BYTES + HG_PKT_LONG_ROOM_BYTES);
	}
	for (uint32_t i = 0; i < n; i++) {
		HG_CHECK_EQ(pkts[i]->data[-(int)HG_PKT_HEADROOM_BYTES], (uint8_t)i);
		HG_CHECK_EQ(pkts[i]->data[HG_PKT_LONG_ROOM_BYTES - 1u], (uint8_t)i);
	}
	/* Another worker has as many of its own, and a thread that is none has none. */
	hg_buffers_sit(pool, 1, /* owns_hook= */ false);
	HG_CHECK_EQ(get_longs(again), n);
	hg_pool_put(pool, again, n);
	hg_buffers_stand_up();
	HG_CHECK_EQ(get_longs(again), 0);
	/* Put back by a thread that is no worker, they can be got again. */
	n_given = n;
	HG_CHECK_EQ(pthread_create(&thread, NULL, put_longs, pkts), 0);
	pthread_join(thread, NULL);
	hg_buffers_sit(pool, 0, /* owns_hook= */ true);
	HG_CHECK_EQ(get_longs(pkts), n);
	hg_pool_put(pool, pkts, n);
	close_pool();
}

static void s2_2_chain_with_long_buffers_is_sent_with_its_last(void)
{
	struct hg_pkt *pkts[3];

	open_pool();
	HG_CHECK_EQ(hg_pool_get(pool, pkts, 1), 1);
	HG_CHECK_EQ(hg_pool_get_long(pool, pkts + 1, 2), 2);
	pkts[0]->next = pkts[1];
	pkts[1]->next = pkts[2];
	pkts[0]->tag = next_tag();
	hg_hook_arm(hook, 1);
	hg_hook_send_off(pkts[0]);
	HG_CHECK(pkts[2]->tag.queue != 0);
	hg_pool_put(pool, pkts, 1);
	settle();
	HG_CHECK_EQ(n_back, 1);
	close_pool();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s2_2_release_is_seen_at_once),
		HG_TEST(s2_2_untagged_buffers_bring_nothing),
		HG_TEST(s2_2_chain_is_sent_with_its_last_buffer),
		HG_TEST(s2_2_chain_that_never_went_gives_its_tag_back),
		HG_TEST(s2_2_what_is_put_back_brings_its_tags),
		HG_TEST(s2_2_clones_have_tags_of_their_own),
		HG_TEST(s2_2_buffer_with_clones_comes_back_with_the_last),
		HG_TEST(s2_2_chained_clone),
		HG_TEST(s2_2_release_on_a_thread_that_is_no_worker),
		HG_TEST(s2_2_release_on_another_worker),
		HG_TEST(s2_13_buffer_without_a_view_is_tracked_by_address),
		HG_TEST(s2_13_buffer_handed_over_twice_brings_both_back),
		HG_TEST(s2_13_full_table_counts_what_it_cannot_track),
		HG_TEST(s2_13_random_histories_of_the_table),
		HG_TEST(pools_serve_everybody_and_lose_nothing),
		HG_TEST(put_back_elsewhere_can_be_got_again),
		HG_TEST(long_buffers_are_a_workers_own_and_come_back),
		HG_TEST(s2_2_chain_with_long_buffers_is_sent_with_its_last),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
