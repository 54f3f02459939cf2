#include "core/spool.h"

#define ALIGN_BYTES 8u
/* In place of a length: the next record begins at the front. */
#define AT_FRONT UINT32_MAX

/* Stands in front of each record. */
struct head {
	uint32_t n_bytes;
	uint32_t unused; /* keeps the record aligned */
};

static uint64_t whole_bytes(uint32_t n_bytes)
{
	return (sizeof(struct head) + n_bytes + ALIGN_BYTES - 1u) & ~(uint64_t)(ALIGN_BYTES - 1u);
}

static struct head *head_at(const struct hg_spool *spool, uint64_t at)
{
	return (struct head *)(void *)(spool->bytes + (at & spool->mask));
}

void hg_spool_init(struct hg_spool *spool, void *memory, uint32_t n_bytes)
{
	spool->bytes = memory;
	spool->mask = n_bytes - 1u;
	spool->begun = spool->read_seen = 0;
	atomic_init(&spool->written, 0);
	atomic_init(&spool->read, 0);
}

/* Whether all up to `until` may be written. */
static bool has_room(struct hg_spool *spool, uint64_t until)
{
	if (until - spool->read_seen > spool->mask + 1u)
		spool->read_seen = atomic_load_explicit(&spool->read, memory_order_acquire);
	return until - spool->read_seen <= spool->mask + 1u;
}

void *hg_spool_begin(struct hg_spool *spool, uint32_t n_bytes)
{
	uint64_t at = atomic_load_explicit(&spool->written, memory_order_relaxed);
	uint64_t to_end = spool->mask + 1u - (at & spool->mask), whole = whole_bytes(n_bytes);
	uint64_t begin = whole > to_end ? at + to_end : at;

	if (whole > spool->mask + 1u || !has_room(spool, begin + whole))
		return NULL;
	/* Behind the last record there is room for a head at least, since all are aligned to its size. */
	if (begin != at)
		head_at(spool, at)->n_bytes = AT_FRONT;
	head_at(spool, begin)->n_bytes = n_bytes;
	spool->begun = begin + whole;
	return head_at(spool, begin) + 1;
}

void hg_spool_commit(struct hg_spool *spool)
{
	atomic_store_explicit(&spool->written, spool->begun, memory_order_release);
}

/* Where the oldest record begins; there is one. */
static uint64_t oldest(const struct hg_spool *spool, uint64_t at)
{
	if (head_at(spool, at)->n_bytes == AT_FRONT)
		at += spool->mask + 1u - (at & spool->mask);
	return at;
}

const void *hg_spool_peek(const struct hg_spool *spool, uint32_t *ret_n_bytes)
{
	uint64_t at = atomic_load_explicit(&spool->read, memory_order_relaxed);
	const struct head *head;

	if (at == atomic_load_explicit(&spool->written, memory_order_acquire))
		return NULL;
	head = head_at(spool, oldest(spool, at));
	*ret_n_bytes = head->n_bytes;
	return head + 1;
}

void hg_spool_take(struct hg_spool *spool)
{
	uint64_t at = oldest(spool, atomic_load_explicit(&spool->read, memory_order_relaxed));

	atomic_store_explicit(&spool->read, at + whole_bytes(head_at(spool, at)->n_bytes),
			      memory_order_release);
}
