/* One thread writes, another copies: no copy is ever made of two writes. Seen to fail with a writer that does
 * not say that it writes. */
#include "core/published.h"

#include "tests/harness.h"

#include <pthread.h>

enum { N_WORDS = 16, N_COPIES = 20000 };

static struct {
	_Atomic uint64_t sequence, words[N_WORDS];
	atomic_bool is_over;
	bool is_broken;
} shared;

/* As hg_published_write(), but the sequence number comes last alone. */
static void write_broken(const uint64_t *from)
{
	for (unsigned i = 0; i < N_WORDS; i++)
		atomic_store_explicit(&shared.words[i], from[i], memory_order_release);
	atomic_fetch_add_explicit(&shared.sequence, 2, memory_order_release);
}

static void *write_on(void *unused)
{
	uint64_t words[N_WORDS];

	for (uint64_t n = 1; !atomic_load(&shared.is_over); n++) {
		for (unsigned i = 0; i < N_WORDS; i++)
			words[i] = n;
		if (shared.is_broken)
			write_broken(words);
		else
			hg_published_write(&shared.sequence, shared.words, words, N_WORDS);
	}
	return unused;
}

static bool is_whole(const uint64_t *words)
{
	for (unsigned i = 1; i < N_WORDS; i++)
		if (words[i] != words[0])
			return false;
	return true;
}

/* Copies until so many are made, or one is torn; returns whether one was. */
static bool finds_torn_copy(bool is_broken, uint64_t n_copies)
{
	uint64_t words[N_WORDS], sequence, last = 0;
	bool is_torn = false;
	pthread_t writer;

	memset(&shared, 0, sizeof(shared));
	shared.is_broken = is_broken;
	HG_CHECK_EQ(hg_published_read(&shared.sequence, shared.words, words, N_WORDS), 0);
	HG_CHECK_EQ(pthread_create(&writer, NULL, write_on, NULL), 0);
	for (uint64_t n = 0; n < n_copies && !is_torn;) {
		sequence = hg_published_read(&shared.sequence, shared.words, words, N_WORDS);
		if (sequence == 0)
			continue;
		is_torn = !is_whole(words) || sequence < last ||
			  (!is_broken && sequence != 2 * words[0]);
		last = sequence;
		n++;
	}
	atomic_store(&shared.is_over, true);
	pthread_join(writer, NULL);
	return is_torn;
}

static void s2_14_no_copy_is_of_two_writes(void)
{
	HG_CHECK(!finds_torn_copy(false, N_COPIES));
}

static void broken_writer_is_noticed(void)
{
	HG_CHECK(finds_torn_copy(true, UINT64_MAX));
}

static const struct hg_test tests[] = {
	HG_TEST(s2_14_no_copy_is_of_two_writes),
	HG_TEST(broken_writer_is_noticed),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
