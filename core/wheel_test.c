#include "core/wheel.h"

#include "tests/harness.h"

enum { N_CHUNKS = 4096, N_ENTRIES = 2000 };

static _Alignas(64) struct hg_wheel_chunk chunks[N_CHUNKS];
static struct hg_wheel_pool pool;
static struct hg_wheel wheel;

static void world(int64_t clock)
{
	hg_wheel_pool_init(&pool, chunks, N_CHUNKS);
	hg_wheel_init(&wheel, &pool, clock);
}

/* The next entry's id, or -1 if none is due. */
static int64_t pop(int64_t limit)
{
	return hg_wheel_is_due(&wheel, limit) ? (int64_t)hg_wheel_pop(&wheel).id : -1;
}

static void comes_out_at_its_tick(void)
{
	world(1000);
	hg_wheel_push(&wheel, 1, 1005);
	hg_wheel_push(&wheel, 2, 1003);
	hg_wheel_push(&wheel, 3, 90000000);
	HG_CHECK_EQ(pop(1002), -1);
	HG_CHECK_EQ(pop(1004), 2);
	HG_CHECK_EQ(pop(1004), -1);
	HG_CHECK_EQ(pop(2000), 1);
	HG_CHECK_EQ(pop(89999999), -1);
	HG_CHECK_EQ(pop(90000000), 3);
	HG_CHECK(hg_wheel_is_empty(&wheel));
	HG_CHECK_EQ(pop(INT64_MAX), -1);
}

static void what_is_late_comes_next(void)
{
	world(1000);
	hg_wheel_push(&wheel, 1, 1000);
	hg_wheel_push(&wheel, 2, 10);
	HG_CHECK_EQ(pop(1000), 2);
	hg_wheel_push_front(&wheel, 3);
	HG_CHECK_EQ(pop(1000), 3);
	HG_CHECK_EQ(pop(1000), 1);
}

static void next_tick_is_exact_where_few_wait(void)
{
	world(0);
	HG_CHECK_EQ(hg_wheel_next_tick(&wheel), INT64_MAX);
	hg_wheel_push(&wheel, 1, 100000);
	HG_CHECK_EQ(hg_wheel_next_tick(&wheel), 100000);
	hg_wheel_push(&wheel, 2, 99999);
	HG_CHECK_EQ(hg_wheel_next_tick(&wheel), 99999);
	hg_wheel_push(&wheel, 3, 7);
	HG_CHECK_EQ(hg_wheel_next_tick(&wheel), 7);
}

static void next_tick_is_early_where_many_wait(void)
{
	world(0);
	for (uint32_t i = 0; i < 1000; i++)
		hg_wheel_push(&wheel, i, 4096 + 100 + i);
	HG_CHECK_BETWEEN(hg_wheel_next_tick(&wheel), 4096, 4096 + 100);
}

static void far_ahead_is_cut_to_the_span(void)
{
	world(0);
	hg_wheel_push(&wheel, 1, INT64_C(1) << 40);
	HG_CHECK_EQ(pop(HG_WHEEL_SPAN_TICKS - 1), -1);
	HG_CHECK_EQ(pop(HG_WHEEL_SPAN_TICKS), 1);
}

static void first_is_by_deadline_even_before_it(void)
{
	struct hg_wheel_entry entry;

	world(0);
	hg_wheel_push(&wheel, 1, 5000);
	hg_wheel_push(&wheel, 2, 50);
	hg_wheel_push(&wheel, 3, 700);
	HG_CHECK(hg_wheel_pop_first(&wheel, 10, &entry));
	HG_CHECK_EQ(entry.id, 2);
	HG_CHECK(hg_wheel_pop_first(&wheel, 10, &entry));
	HG_CHECK_EQ(entry.id, 3);
	hg_wheel_push(&wheel, 4, 3); /* late */
	HG_CHECK(hg_wheel_pop_first(&wheel, 10, &entry));
	HG_CHECK_EQ(entry.id, 4);
	HG_CHECK(hg_wheel_pop_first(&wheel, 10, &entry));
	HG_CHECK_EQ(entry.id, 1);
	HG_CHECK(!hg_wheel_pop_first(&wheel, 10, &entry));
}

static bool is_odd(void *owner, struct hg_wheel_entry entry)
{
	(void)owner;
	return entry.id % 2 == 1;
}

static void sweep_keeps_what_it_is_told_to(void)
{
	unsigned n = 0;

	world(0);
	for (uint32_t i = 0; i < 1000; i++)
		hg_wheel_push(&wheel, i, (int64_t)i * i);
	HG_CHECK_EQ(pop(0), 0);
	hg_wheel_sweep(&wheel, is_odd, NULL);
	HG_CHECK_EQ(wheel.n_entries, 500);
	for (int64_t id; (id = pop(1000000)) >= 0; n++)
		HG_CHECK_EQ(id % 2, 1);
	HG_CHECK_EQ(n, 500);
	HG_CHECK_EQ(pool.n_free, N_CHUNKS - 1);
}

/* Random pushes and pops against an array of ticks, from a clock at which levels, the 32 bits of an entry, or
 * the highest level turn over. */
static void random_history(uint64_t seed, int64_t clock)
{
	static int64_t ticks[N_ENTRIES]; /* INT64_MAX: not in the wheel */
	uint64_t random = seed;
	int64_t now = clock;

	world(clock);
	for (uint32_t i = 0; i < N_ENTRIES; i++)
		ticks[i] = INT64_MAX;
	for (int step = 0; step < 3000; step++) {
		unsigned bits = (unsigned)hg_test_between(&random, 0, 29);
		int64_t earliest = INT64_MAX, last = INT64_MIN, next;
		uint32_t id = (uint32_t)hg_test_between(&random, 0, N_ENTRIES - 1);

		if (ticks[id] == INT64_MAX) {
			ticks[id] = now + (int64_t)(hg_test_random(&random) >> (63 - bits));
			hg_wheel_push(&wheel, id, ticks[id]);
		}
		for (uint32_t i = 0; i < N_ENTRIES; i++)
			if (ticks[i] < earliest)
				earliest = ticks[i];
		next = hg_wheel_next_tick(&wheel);
		HG_CHECK(next <= earliest);
		if (hg_test_between(&random, 0, 3) > 0)
			continue;
		now += (int64_t)(hg_test_random(&random) >> (63 - bits));
		for (int64_t got; (got = pop(now)) >= 0;) {
			HG_CHECK(ticks[got] <= now && ticks[got] >= last);
			last = ticks[got];
			ticks[got] = INT64_MAX;
		}
		for (uint32_t i = 0; i < N_ENTRIES; i++)
			HG_CHECK(ticks[i] > now);
	}
	while (pop(now + HG_WHEEL_SPAN_TICKS) >= 0)
		;
	HG_CHECK(hg_wheel_is_empty(&wheel));
	HG_CHECK_EQ(pool.n_free, N_CHUNKS - 1);
}

static void random_histories_are_in_order(void)
{
	static const int64_t clocks[] = {0, 63, (INT64_C(1) << 32) - 1000, (INT64_C(1) << 36) - 50,
					 (INT64_C(1) << 40) - 4097};

	for (unsigned i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
		for (uint64_t r = 0; r < 4; r++)
			random_history(hg_test_seed + r, clocks[i]);
}

/* Also through the levels that entries move down. */
static void first_in_first_out_within_a_tick(void)
{
	static const int64_t ticks[] = {3, 70, 5000};
	uint32_t id = 0;

	world(0);
	wheel.is_fifo = true;
	for (unsigned k = 0; k < 3; k++)
		for (unsigned n = 0; n < 40; n++)
			hg_wheel_push(&wheel, id++, ticks[k]);
	id = 0;
	while (hg_wheel_is_due(&wheel, INT64_MAX))
		HG_CHECK_EQ(hg_wheel_pop(&wheel).id, id++);
	HG_CHECK_EQ(id, 120);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {HG_TEST(comes_out_at_its_tick),
					       HG_TEST(what_is_late_comes_next),
					       HG_TEST(next_tick_is_exact_where_few_wait),
					       HG_TEST(next_tick_is_early_where_many_wait),
					       HG_TEST(far_ahead_is_cut_to_the_span),
					       HG_TEST(first_is_by_deadline_even_before_it),
					       HG_TEST(first_in_first_out_within_a_tick),
					       HG_TEST(sweep_keeps_what_it_is_told_to),
					       HG_TEST(random_histories_are_in_order),
					       {0}};

	return hg_tests_main(argc, argv, tests);
}
