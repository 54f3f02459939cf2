/* The spool alone, and between two threads; seen to fail with a commit that comes too early. */
#include "core/spool.h"
#include "tests/harness.h"

#include <pthread.h>

#define BYTES 256u

static uint64_t memory[BYTES / 8];
static struct hg_spool spool;

static bool push(uint8_t fill, uint32_t n_bytes)
{
	uint8_t *room = hg_spool_begin(&spool, n_bytes);

	if (room == NULL)
		return false;
	memset(room, fill, n_bytes);
	hg_spool_commit(&spool);
	return true;
}

static void check_next(uint8_t fill, uint32_t n_bytes)
{
	uint32_t n = UINT32_MAX;
	const uint8_t *record = hg_spool_peek(&spool, &n);

	HG_CHECK(record != NULL);
	HG_CHECK_EQ(n, n_bytes);
	HG_CHECK_EQ((uintptr_t)record % 8, 0);
	for (uint32_t i = 0; i < n; i++)
		HG_CHECK_EQ(record[i], fill);
	hg_spool_take(&spool);
}

static void check_empty(void)
{
	uint32_t n;

	HG_CHECK(hg_spool_peek(&spool, &n) == NULL);
}

static void records_come_out_whole_and_in_order(void)
{
	hg_spool_init(&spool, memory, BYTES);
	check_empty();
	HG_CHECK(push(1, 1));
	HG_CHECK(push(2, 0));
	HG_CHECK(push(3, 100));
	check_next(1, 1);
	check_next(2, 0);
	check_next(3, 100);
	check_empty();
}

static void without_room_nothing_changes(void)
{
	hg_spool_init(&spool, memory, BYTES);
	HG_CHECK(push(1, 120));
	HG_CHECK(!push(2, 121));
	HG_CHECK(push(2, 120));
	HG_CHECK(!push(3, 0));
	check_next(1, 120);
	HG_CHECK(!push(3, 121));
	HG_CHECK(push(3, 120));
	check_next(2, 120);
	check_next(3, 120);
	check_empty();
	HG_CHECK(!push(4, BYTES));
}

static void what_does_not_fit_at_the_end_begins_anew_in_front(void)
{
	hg_spool_init(&spool, memory, BYTES);
	for (unsigned round = 0; round < 1000; round++) {
		uint32_t n = round % 100;

		HG_CHECK(push((uint8_t)round, n));
		HG_CHECK(push((uint8_t)(round + 1), 7));
		check_next((uint8_t)round, n);
		check_next((uint8_t)(round + 1), 7);
		check_empty();
	}
}

static void begun_and_not_committed_is_not_there(void)
{
	hg_spool_init(&spool, memory, BYTES);
	HG_CHECK(hg_spool_begin(&spool, 8) != NULL);
	check_empty();
	HG_CHECK(push(1, 8));
	check_next(1, 8);
	check_empty();
}

/* ---- two threads -------------------------------------------------------------------------------- */

enum { N_RECORDS = 200000, LARGEST = 60 };

static atomic_bool is_over;
static bool is_broken;

static void write_record(uint32_t number, uint32_t n_bytes)
{
	uint32_t *room;

	while ((room = hg_spool_begin(&spool, n_bytes)) == NULL) {
		if (atomic_load(&is_over))
			return;
	}
	if (is_broken)
		hg_spool_commit(&spool);
	for (uint32_t i = 0; i < n_bytes / 4u; i++)
		__atomic_store_n(&room[i], number, __ATOMIC_RELAXED);
	if (!is_broken)
		hg_spool_commit(&spool);
}

static void *write_all(void *unused)
{
	uint64_t state = 1;

	for (uint32_t number = 1; !atomic_load(&is_over); number++)
		write_record(number, 4u * (uint32_t)hg_test_between(&state, 1, LARGEST / 4));
	return unused;
}

/* Reads so many records, or until one is not as it was written; returns whether one was not. */
static bool finds_wrong(bool want_broken, uint32_t n_records)
{
	uint64_t state = 1;
	bool is_wrong = false;
	pthread_t writer;

	hg_spool_init(&spool, memory, BYTES);
	is_broken = want_broken;
	atomic_store(&is_over, false);
	HG_CHECK_EQ(pthread_create(&writer, NULL, write_all, NULL), 0);
	for (uint32_t number = 1; number <= n_records && !is_wrong; number++) {
		uint32_t want = 4u * (uint32_t)hg_test_between(&state, 1, LARGEST / 4), n = 0;
		const uint32_t *record;

		while ((record = hg_spool_peek(&spool, &n)) == NULL)
			continue;
		is_wrong = n != want;
		for (uint32_t i = 0; i < n / 4u && !is_wrong; i++)
			is_wrong = __atomic_load_n(&record[i], __ATOMIC_RELAXED) != number;
		hg_spool_take(&spool);
	}
	atomic_store(&is_over, true);
	pthread_join(writer, NULL);
	return is_wrong;
}

static void s5_1_spool_records_cross_threads_whole(void)
{
	HG_CHECK(!finds_wrong(false, N_RECORDS));
}

static void broken_writer_is_noticed(void)
{
	HG_CHECK(finds_wrong(true, UINT32_MAX));
}

static const struct hg_test tests[] = {
	HG_TEST(records_come_out_whole_and_in_order),
	HG_TEST(without_room_nothing_changes),
	HG_TEST(what_does_not_fit_at_the_end_begins_anew_in_front),
	HG_TEST(begun_and_not_committed_is_not_there),
	HG_TEST(s5_1_spool_records_cross_threads_whole),
	HG_TEST(broken_writer_is_noticed),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
