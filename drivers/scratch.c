#include "drivers/scratch.h"

#include "core/compiler.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define N_BUFFERS ((int)HG_PKT_CHAIN_MAX)
/* Workers that read into one pool at the same moment; a pool has one or a few. */
#define N_AT_ONCE 8

struct hg_scratch {
	struct iovec iov[1 + N_BUFFERS + 1];
	struct hg_pkt *pkts[N_BUFFERS];
	int n_filled; /* pkts[0 .. n_filled) are there; the junk follows them */
	atomic_flag is_busy;
	struct hg_pool *pool;
	uint8_t junk[HG_FRAME_MAX_BYTES]; /* untouched, so not there, unless buffers run out */
};

struct hg_scratches {
	struct hg_scratch each[N_AT_ONCE];
	struct hg_pool *pool;
	unsigned n_users; /* under the lock */
	struct hg_scratches *next; /* under the lock */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hg_scratches *all;

static struct hg_scratches *create_locked(struct hg_pool *pool)
{
	struct hg_scratches *scratches = calloc(1, sizeof(*scratches));

	if (scratches == NULL)
		return NULL;
	for (unsigned i = 0; i < N_AT_ONCE; i++) {
		struct hg_scratch *scratch = &scratches->each[i];

		scratch->pool = pool;
		atomic_flag_clear(&scratch->is_busy);
		scratch->iov[1] = (struct iovec){scratch->junk, sizeof(scratch->junk)};
	}
	scratches->pool = pool;
	scratches->next = all;
	all = scratches;
	return scratches;
}

struct hg_scratches *hg_scratch_acquire(struct hg_pool *pool)
{
	struct hg_scratches *scratches;

	pthread_mutex_lock(&lock);
	scratches = all;
	while (scratches != NULL && scratches->pool != pool)
		scratches = scratches->next;
	if (scratches == NULL)
		scratches = create_locked(pool);
	if (scratches != NULL)
		scratches->n_users++;
	pthread_mutex_unlock(&lock);
	return scratches;
}

static void destroy_locked(struct hg_scratches *scratches)
{
	struct hg_scratches **at = &all;

	while (*at != scratches)
		at = &(*at)->next;
	*at = scratches->next;
	for (unsigned i = 0; i < N_AT_ONCE; i++)
		hg_pool_put(scratches->pool, scratches->each[i].pkts,
			    (unsigned)scratches->each[i].n_filled);
	free(scratches);
}

void hg_scratch_release(struct hg_scratches *scratches)
{
	if (scratches == NULL)
		return;
	pthread_mutex_lock(&lock);
	scratches->n_users--;
	if (scratches->n_users == 0)
		destroy_locked(scratches);
	pthread_mutex_unlock(&lock);
}

/* Fills pkts[from .. to) and their places in the vector. */
static bool fill(struct hg_scratch *scratch, int from, int to)
{
	if (hg_pool_get(scratch->pool, &scratch->pkts[from], (unsigned)(to - from)) == 0)
		return false;
	for (int i = from; i < to; i++)
		scratch->iov[1 + i] = (struct iovec){scratch->pkts[i]->data, HG_PKT_ROOM_BYTES};
	return true;
}

/* Completes the buffers, as far as the pool has some; the junk takes its place behind them. */
static void refill(struct hg_scratch *scratch)
{
	int n = scratch->n_filled;

	if (fill(scratch, n, N_BUFFERS)) {
		scratch->n_filled = N_BUFFERS;
		return;
	}
	while (n < N_BUFFERS && fill(scratch, n, n + 1))
		n++;
	scratch->n_filled = n;
	scratch->iov[1 + n] = (struct iovec){scratch->junk, sizeof(scratch->junk)};
}

struct hg_scratch *hg_scratch_begin(struct hg_scratches *scratches, void *header, size_t n_header)
{
	for (unsigned i = 0; i < N_AT_ONCE; i++) {
		struct hg_scratch *scratch = &scratches->each[i];

		if (atomic_flag_test_and_set_explicit(&scratch->is_busy, memory_order_acquire))
			continue;
		scratch->iov[0] = (struct iovec){header, n_header};
		if (HG_UNLIKELY(scratch->n_filled < N_BUFFERS))
			refill(scratch);
		return scratch;
	}
	return NULL;
}

void hg_scratch_end(struct hg_scratch *scratch)
{
	atomic_flag_clear_explicit(&scratch->is_busy, memory_order_release);
}

const struct iovec *hg_scratch_iov(const struct hg_scratch *scratch, int *ret_n)
{
	*ret_n = 1 + scratch->n_filled + (scratch->n_filled < N_BUFFERS);
	return scratch->iov;
}

/* Puts new buffers in the place of the first n, or moves the others to the front. */
static void replace(struct hg_scratch *scratch, int n)
{
	if (HG_LIKELY(fill(scratch, 0, n)))
		return;
	scratch->n_filled -= n;
	for (int i = 0; i < scratch->n_filled; i++) {
		scratch->pkts[i] = scratch->pkts[i + n];
		scratch->iov[1 + i] = scratch->iov[1 + i + n];
	}
	refill(scratch);
}

struct hg_pkt *hg_scratch_take(struct hg_scratch *scratch, uint32_t n_bytes)
{
	int n = (int)((n_bytes + HG_PKT_ROOM_BYTES - 1u) / HG_PKT_ROOM_BYTES);
	struct hg_pkt *first = scratch->pkts[0];
	uint32_t left = n_bytes;

	if (HG_UNLIKELY(n > scratch->n_filled))
		return NULL;
	for (int i = 0; i < n; i++) {
		struct hg_pkt *pkt = scratch->pkts[i];
		uint32_t here = left < HG_PKT_ROOM_BYTES ? left : HG_PKT_ROOM_BYTES;

		pkt->n_bytes = (uint16_t)here;
		pkt->tailroom = (uint16_t)(HG_PKT_ROOM_BYTES - here);
		pkt->next = i + 1 < n ? scratch->pkts[i + 1] : NULL;
		left -= here;
	}
	first->total_bytes = n_bytes;
	first->parts = 0;
	first->wire_bytes = 0;
	replace(scratch, n);
	return first;
}
