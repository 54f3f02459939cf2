#include "dataplane/buffers.h"

#include "dataplane/lifo.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The view needs two cache lines and must start on one. */
#define VIEW_BYTES 128u
/* The part of all buffers that no worker has for itself, one in so many: for threads that are none, and for a
 * worker whose own are used up. */
#define SHARED_PART 4u
/* And so many of them for each long one: that is enough for what the turns of some workers receive at once, and those that
 * were used last are in the processor's cache. What waits longer takes others when the long ones are used up. */
#define LONG_PART 64u
/* Buffers that put() returns at once; a bit of a word for each. */
#define PUT_BURST 64u

static_assert(sizeof(struct hg_pkt) <= VIEW_BYTES, "the packet view outgrew its private area");
static_assert(sizeof(struct rte_mbuf) % HG_CACHE_LINE_BYTES == 0, "views start on a cache line");

struct buffers {
	struct hg_pool pool;
	/* The workers' by their number, then the shared one, then the workers' long ones, NULL in a small pool; pool_part of
	 * a packet says which. */
	struct rte_mempool *parts[2u * HG_BUFFERS_WORKERS_MAX + 1u];
	uint32_t n_workers;
	uint32_t size; /* without long ones */
	uint32_t n_longs_each;
	const void *base;
	struct hg_hook hook;
};

/* The worker's own parts on its thread; NULL on any other. */
static _Thread_local struct rte_mempool *own_parts[HG_N_LIFO_KINDS];
/* Whose owner this thread is; NULL: of none. */
static _Thread_local struct hg_hook *own_hook;

#define BUFFERS_BYTES \
	((sizeof(struct buffers) + HG_CACHE_LINE_BYTES - 1u) & ~(size_t)(HG_CACHE_LINE_BYTES - 1u))

static struct hg_pkt *view_of(void *mbuf)
{
	return (struct hg_pkt *)((char *)mbuf + sizeof(struct rte_mbuf));
}

static void *mbuf_of(struct hg_pkt *pkt)
{
	return (char *)pkt - sizeof(struct rte_mbuf);
}

/* What came as objects becomes fresh packets. */
static inline void begin_all(struct hg_pkt **pkts, unsigned n, uint16_t room)
{
	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *pkt = view_of(pkts[i]);

		pkt->data = (uint8_t *)pkt + VIEW_BYTES + HG_PKT_HEADROOM_BYTES;
		pkt->next = NULL;
		pkt->headroom = HG_PKT_HEADROOM_BYTES;
		pkt->tailroom = room;
		pkt->n_bytes = 0;
		pkts[i] = pkt;
	}
}

static unsigned get(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	struct rte_mempool *own = own_parts[HG_LIFO_COMMON];
	struct buffers *b = (struct buffers *)pool;

	if ((own == NULL || !hg_lifo_get(own, (void **)pkts, n)) &&
	    rte_mempool_get_bulk(b->parts[b->n_workers], (void **)pkts, n) != 0)
		return 0;
	begin_all(pkts, n, HG_PKT_ROOM_BYTES);
	return n;
}

static unsigned get_long(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	struct rte_mempool *own = own_parts[HG_LIFO_LONG];

	(void)pool;
	if (own == NULL || !hg_lifo_get(own, (void **)pkts, n))
		return 0;
	begin_all(pkts, n, HG_PKT_LONG_ROOM_BYTES);
	return n;
}

/* Whether a buffer has a tag, and behind it where it goes back to: two bytes that are read in one. */
static inline uint16_t ends_of(const struct hg_pkt *pkt)
{
	enum { at = offsetof(struct hg_pkt, tag) + offsetof(struct hg_tag, queue) };
	uint16_t ends;

	static_assert(at + 1u == offsetof(struct hg_pkt, pool_part), "one behind the other");
	memcpy(&ends, (const char *)pkt + at, sizeof(ends));
	return ends;
}

/* Of a buffer without a tag. */
static inline uint16_t ends_without_tag(uint8_t part)
{
	const uint8_t bytes[] = {0, part};
	uint16_t ends;

	memcpy(&ends, bytes, sizeof(ends));
	return ends;
}

static void put_back(struct rte_mempool *part, void *const *mbufs, unsigned n, bool are_seen)
{
	if (HG_LIKELY(are_seen))
		hg_lifo_put(part, mbufs, n);
	else
		rte_mempool_put_bulk(part, mbufs, n);
}

/* Packets of any kind. */
static HG_NOINLINE void put_any(struct buffers *b, struct hg_pkt *const *pkts, unsigned n,
				bool sees_tags)
{
	uint8_t part = pkts[0]->pool_part;
	void *mbufs[PUT_BURST];
	unsigned n_mbufs = 0;

	for (unsigned i = 0; i < n; i++) {
		for (struct hg_pkt *pkt = pkts[i]; pkt != NULL; pkt = pkt->next) {
			if (n_mbufs == PUT_BURST || pkt->pool_part != part) {
				put_back(b->parts[part], mbufs, n_mbufs, sees_tags);
				n_mbufs = 0;
				part = pkt->pool_part;
			}
			if (sees_tags && pkt->tag.queue != 0)
				hg_hook_collect_one(&b->hook, &pkt->tag);
			mbufs[n_mbufs++] = mbuf_of(pkt);
		}
	}
	put_back(b->parts[part], mbufs, n_mbufs, sees_tags);
}

/* Collects the tags of those of n that are not as the others, a bit for each, the last one's lowest. Returns whether that
 * was all about them. */
static inline bool collect_tags(struct buffers *b, struct hg_pkt *const *pkts, unsigned n,
				uint64_t others, uint8_t part)
{
	while (others != 0) {
		unsigned place = hg_log2_u64(others);
		struct hg_pkt *pkt = pkts[n - 1u - place];

		if (HG_UNLIKELY(pkt->pool_part != part))
			return false;
		hg_hook_collect_one(&b->hook, &pkt->tag);
		others ^= UINT64_C(1) << place;
	}
	return true;
}

/* n in [1, PUT_BURST]. Most are single buffers of one part, and which of them have tags nobody can predict: so nothing
 * branches on that. */
static void put_burst(struct buffers *b, struct hg_pkt *const *pkts, unsigned n)
{
	/* On the hook's own thread tags are seen in passing, unless some stand in its table. */
	const bool sees_tags = own_hook == &b->hook && b->hook.n_places == 0;
	const uint8_t part = pkts[0]->pool_part;
	const uint16_t ends = ends_without_tag(part);
	void *mbufs[PUT_BURST];
	uintptr_t nexts = 0;
	uint64_t others = 0;

	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *pkt = pkts[i];

		nexts |= (uintptr_t)pkt->next;
		others = others << 1 | (ends_of(pkt) != ends);
		mbufs[i] = mbuf_of(pkt);
	}
	if (HG_LIKELY(nexts == 0 &&
		      (others == 0 || (sees_tags && collect_tags(b, pkts, n, others, part)))))
		put_back(b->parts[part], mbufs, n, sees_tags);
	else
		put_any(b, pkts, n, sees_tags);
}

static void put(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	while (n > PUT_BURST) {
		put_burst((struct buffers *)pool, pkts, PUT_BURST);
		pkts += PUT_BURST;
		n -= PUT_BURST;
	}
	put_burst((struct buffers *)pool, pkts, n);
}

static const struct hg_pool_ops buffers_ops = {
	.name = "mbuf",
	.get = get,
	.get_long = get_long,
	.put = put,
};

/* Megabytes of free huge pages of 2 MiB. */
static unsigned free_huge_mib(void)
{
	unsigned pages = 0;
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");

	if (f != NULL) {
		if (fscanf(f, "%u", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return pages * 2u;
}

int hg_buffers_init_environment(uint32_t n_buffers, bool want_hugepages, struct hg_error *reterr)
{
	static bool is_up;
	/* Buffers, and 64 MiB for what DPDK itself keeps (rings, its allocator's pages). */
	unsigned need_mib =
		(unsigned)(((uint64_t)n_buffers * (2560u + 16384u / LONG_PART)) >> 20) + 64u;
	char mib[16];
	bool has_hugepages = want_hugepages && free_huge_mib() >= need_mib + 32u;
	char *args[] = {"headgated",   has_hugepages ? "--in-memory" : "--no-huge",
			"--no-pci",    "--no-telemetry",
			"--no-shconf", "--log-level=lib.*:error",
			"-l",          "0",
			"-m",          mib,
			NULL};
	cpu_set_t processors;

	if (is_up)
		return 0;
	if (hg_lifo_register(reterr) != 0)
		return -HG_EIO;
	snprintf(mib, sizeof(mib), "%u", need_mib);
	/* DPDK ties the calling thread to a processor; the control lane may run on any. */
	sched_getaffinity(0, sizeof(processors), &processors);
	if (rte_eal_init(sizeof(args) / sizeof(args[0]) - 1, args) < 0)
		return hg_error_set(reterr, -HG_EIO,
				    "DPDK does not start: ", rte_strerror(rte_errno), NULL);
	sched_setaffinity(0, sizeof(processors), &processors);
	is_up = true;
	return 0;
}

struct part {
	struct buffers *buffers;
	uint8_t number;
};

static void begin_buffer(struct rte_mempool *mempool, void *opaque, void *object, unsigned idx)
{
	const struct part *part = opaque;

	(void)mempool;
	(void)idx;
	view_of(object)->pool_part = part->number;
	if (part->buffers->base == NULL || object < part->buffers->base)
		part->buffers->base = object;
}

/* By the number of a part. */
static uint32_t buffers_of(const struct buffers *b, unsigned number)
{
	uint32_t n_shared = b->size / SHARED_PART;

	if (number > b->n_workers)
		return b->n_longs_each;
	return number == b->n_workers ? n_shared : (b->size - n_shared) / b->n_workers;
}

static unsigned n_parts(const struct buffers *b)
{
	return b->n_workers + 1u + (b->n_longs_each > 0 ? b->n_workers : 0u);
}

static bool make_part(struct buffers *b, unsigned number)
{
	static unsigned n_created;
	char name[32];
	const struct hg_lifo_cfg cfg = {
		.name = name,
		.n_buffers = buffers_of(b, number),
		.private_bytes = VIEW_BYTES,
		.room_bytes = number > b->n_workers ? HG_PKT_LONG_ROOM_BYTES : HG_PKT_ROOM_BYTES,
		.is_shared = number == b->n_workers,
		.hook = &b->hook,
	};
	struct part part = {b, (uint8_t)number};

	snprintf(name, sizeof(name), "headgate_buffers%u", n_created++);
	b->parts[number] = hg_lifo_create(&cfg);
	if (b->parts[number] == NULL)
		return false;
	rte_mempool_obj_iter(b->parts[number], begin_buffer, &part);
	return true;
}

int hg_buffers_create(uint32_t n_buffers, uint32_t n_workers, struct hg_pool **ret_pool,
		      struct hg_error *reterr)
{
	struct buffers *b = aligned_alloc(HG_CACHE_LINE_BYTES, BUFFERS_BYTES);
	char number[16];
	int r;

	if (b == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for packet buffers", NULL);
	memset(b, 0, BUFFERS_BYTES);
	b->pool.ops = &buffers_ops;
	b->n_workers = n_workers;
	b->size = n_buffers;
	b->n_longs_each = n_buffers / LONG_PART / n_workers;
	r = hg_hook_create(&b->hook, n_buffers + b->n_longs_each * n_workers, reterr);
	for (unsigned i = 0; r == 0 && i < n_parts(b); i++) {
		if (make_part(b, i))
			continue;
		snprintf(number, sizeof(number), "%u", n_buffers);
		r = hg_error_set(reterr, -HG_ENOMEM, "no memory for ", number,
				 " packet buffers of 2.7 KiB: ", rte_strerror(rte_errno), NULL);
	}
	if (r != 0) {
		hg_buffers_destroy(&b->pool);
		return r;
	}
	b->size = 0;
	for (unsigned i = 0; i <= n_workers; i++)
		b->size += b->parts[i]->size;
	*ret_pool = &b->pool;
	return 0;
}

void hg_buffers_destroy(struct hg_pool *pool)
{
	struct buffers *b = (struct buffers *)pool;

	if (b == NULL)
		return;
	for (unsigned i = 0; i < n_parts(b); i++)
		rte_mempool_free(b->parts[i]);
	hg_hook_destroy(&b->hook);
	free(b);
}

void hg_buffers_sit(struct hg_pool *pool, uint32_t worker_idx, bool owns_hook)
{
	struct buffers *b = (struct buffers *)pool;

	own_parts[HG_LIFO_COMMON] = b->parts[worker_idx];
	own_parts[HG_LIFO_LONG] = b->parts[b->n_workers + 1u + worker_idx];
	own_hook = owns_hook ? &b->hook : NULL;
	hg_lifo_sit(own_parts, own_hook);
}

void hg_buffers_stand_up(void)
{
	memset(own_parts, 0, sizeof(own_parts));
	own_hook = NULL;
	hg_lifo_sit(own_parts, NULL);
}

void hg_buffers_keep_house(struct hg_pool *pool)
{
	(void)pool;
	for (unsigned i = 0; i < HG_N_LIFO_KINDS; i++)
		if (own_parts[i] != NULL)
			hg_lifo_keep_house(own_parts[i]);
}

struct hg_hook *hg_buffers_hook(struct hg_pool *pool)
{
	return &((struct buffers *)pool)->hook;
}

struct rte_mempool *hg_buffers_part(struct hg_pool *pool, uint32_t number)
{
	return ((struct buffers *)pool)->parts[number];
}

const void *hg_buffers_base(const struct hg_pool *pool)
{
	return ((const struct buffers *)pool)->base;
}

uint32_t hg_buffers_free(const struct hg_pool *pool)
{
	const struct buffers *b = (const struct buffers *)pool;
	uint32_t n = 0;

	for (unsigned i = 0; i <= b->n_workers; i++)
		n += rte_mempool_avail_count(b->parts[i]);
	return n;
}

uint32_t hg_buffers_longs_in_use(const struct hg_pool *pool)
{
	const struct buffers *b = (const struct buffers *)pool;
	uint32_t n = b->n_longs_each * b->n_workers;

	for (unsigned i = b->n_workers + 1u; i < n_parts(b); i++)
		n -= rte_mempool_avail_count(b->parts[i]);
	return n;
}

uint32_t hg_buffers_refusals_here(void)
{
	return hg_lifo_refusals(own_parts[HG_LIFO_COMMON]);
}

uint32_t hg_buffers_size(const struct hg_pool *pool)
{
	return ((const struct buffers *)pool)->size;
}
