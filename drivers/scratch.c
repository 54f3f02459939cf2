#include "drivers/scratch.h"

#include "core/compiler.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define N_BUFFERS ((int)HG_PKT_CHAIN_MAX)
#define N_LONGS ((int)HG_PKT_LONGS_MAX)
/* Workers that read into one pool at the same moment; a pool has one or a few. */
#define N_AT_ONCE 8
/* Frames begin so many bytes further to the front: behind the 66 bytes of headers of TCP over IPv4 with timestamps the
 * payload begins a cache line then. */
#define SHIFT_BYTES 2u

struct hg_scratch {
	/* With all long buffers: the header, the first other one, and they. */
	struct iovec long_iov[1 + 1 + N_LONGS];
	/* Without: the header, and the others. */
	struct iovec iov[1 + N_BUFFERS + 1];
	struct hg_pkt *longs[N_LONGS];
	struct hg_pkt *pkts[N_BUFFERS];
	int n_longs; /* longs[0 .. n_longs) are there */
	int n_filled; /* pkts[0 .. n_filled) are there; the junk follows them in iov */
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
	for (unsigned i = 0; i < N_AT_ONCE; i++) {
		struct hg_scratch *scratch = &scratches->each[i];

		hg_pool_put(scratch->pool, scratch->longs, (unsigned)scratch->n_longs);
		hg_pool_put(scratch->pool, scratch->pkts, (unsigned)scratch->n_filled);
	}
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

static struct iovec place_of(struct hg_pkt *pkt, size_t room)
{
	pkt->data -= SHIFT_BYTES;
	pkt->headroom = (uint16_t)(pkt->headroom - SHIFT_BYTES);
	pkt->tailroom = (uint16_t)(pkt->tailroom + SHIFT_BYTES);
	return (struct iovec){pkt->data, room};
}

/* Fills pkts[from .. to) and their places in the vectors. */
static bool fill(struct hg_scratch *scratch, int from, int to)
{
	if (hg_pool_get(scratch->pool, &scratch->pkts[from], (unsigned)(to - from)) == 0)
		return false;
	for (int i = from; i < to; i++)
		scratch->iov[1 + i] = place_of(scratch->pkts[i], HG_PKT_ROOM_BYTES);
	scratch->long_iov[1] = scratch->iov[1];
	return true;
}

/* Likewise longs[from .. to). */
static bool fill_long(struct hg_scratch *scratch, int from, int to)
{
	if (hg_pool_get_long(scratch->pool, &scratch->longs[from], (unsigned)(to - from)) == 0)
		return false;
	for (int i = from; i < to; i++)
		scratch->long_iov[2 + i] = place_of(scratch->longs[i], HG_PKT_LONG_ROOM_BYTES);
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

static bool is_long(const struct hg_scratch *scratch)
{
	return scratch->n_longs == N_LONGS && scratch->n_filled > 0;
}

/* Has what the next read needs: all long buffers and one other, or else as many others as there are. */
static void make_ready(struct hg_scratch *scratch)
{
	if (scratch->n_longs < N_LONGS && fill_long(scratch, scratch->n_longs, N_LONGS))
		scratch->n_longs = N_LONGS;
	if (scratch->n_filled == 0 && fill(scratch, 0, 1))
		scratch->n_filled = 1;
	if (!is_long(scratch) && scratch->n_filled < N_BUFFERS)
		refill(scratch);
}

struct hg_scratch *hg_scratch_begin(struct hg_scratches *scratches, void *header, size_t n_header)
{
	for (unsigned i = 0; i < N_AT_ONCE; i++) {
		struct hg_scratch *scratch = &scratches->each[i];

		if (atomic_flag_test_and_set_explicit(&scratch->is_busy, memory_order_acquire))
			continue;
		scratch->iov[0] = scratch->long_iov[0] = (struct iovec){header, n_header};
		if (HG_UNLIKELY(!is_long(scratch)))
			make_ready(scratch);
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
	if (HG_LIKELY(is_long(scratch))) {
		*ret_n = 1 + 1 + N_LONGS;
		return scratch->long_iov;
	}
	*ret_n = 1 + scratch->n_filled + (scratch->n_filled < N_BUFFERS);
	return scratch->iov;
}

/* Puts new buffers in the place of the first n, those that were used last; or moves the others to the front. */
static void replace(struct hg_scratch *scratch, int n)
{
	if (HG_LIKELY(fill(scratch, 0, n)))
		return;
	scratch->n_filled -= n;
	for (int i = 0; i < scratch->n_filled; i++) {
		scratch->pkts[i] = scratch->pkts[i + n];
		scratch->iov[1 + i] = scratch->iov[1 + i + n];
	}
	scratch->long_iov[1] = scratch->iov[1];
}

static void replace_long(struct hg_scratch *scratch, int n)
{
	if (HG_LIKELY(n == 0 || fill_long(scratch, 0, n)))
		return;
	scratch->n_longs -= n;
	for (int i = 0; i < scratch->n_longs; i++) {
		scratch->longs[i] = scratch->longs[i + n];
		scratch->long_iov[2 + i] = scratch->long_iov[2 + i + n];
	}
}

/* Gives the first n buffers what of *left they have room for, as a chain behind *at. Returns its end. */
static struct hg_pkt **chain(struct hg_pkt **at, struct hg_pkt *const *pkts, int n, uint32_t room,
			     uint32_t *left)
{
	for (int i = 0; i < n; i++) {
		uint32_t here = *left < room ? *left : room;

		*at = pkts[i];
		pkts[i]->n_bytes = (uint16_t)here;
		pkts[i]->tailroom = (uint16_t)(pkts[i]->tailroom - here);
		*left -= here;
		at = &pkts[i]->next;
	}
	return at;
}

/* Buffers of that room for n_bytes. */
static int n_of(uint32_t n_bytes, uint32_t room)
{
	return (int)((n_bytes + room - 1u) / room);
}

struct hg_pkt *hg_scratch_take(struct hg_scratch *scratch, uint32_t n_bytes)
{
	int n = n_of(n_bytes, HG_PKT_ROOM_BYTES), n_longs = 0;
	uint32_t left = n_bytes;
	struct hg_pkt *first, **end;

	if (n > 1 && is_long(scratch)) {
		n = 1;
		n_longs = n_of(n_bytes - HG_PKT_ROOM_BYTES, HG_PKT_LONG_ROOM_BYTES);
	}
	if (HG_UNLIKELY(n > scratch->n_filled))
		return NULL;
	end = chain(&first, scratch->pkts, n, HG_PKT_ROOM_BYTES, &left);
	end = chain(end, scratch->longs, n_longs, HG_PKT_LONG_ROOM_BYTES, &left);
	*end = NULL;
	first->total_bytes = n_bytes;
	first->parts = 0;
	first->wire_bytes = 0;
	replace(scratch, n);
	replace_long(scratch, n_longs);
	if (HG_UNLIKELY(!is_long(scratch)))
		make_ready(scratch);
	return first;
}
