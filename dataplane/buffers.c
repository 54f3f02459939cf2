#include "dataplane/buffers.h"

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
/* Buffers that a worker keeps to itself; 8 bursts. */
#define CACHE_BUFFERS 256u
/* put() returns chains in pieces of this many buffers. */
#define PUT_BURST 64u

static_assert(sizeof(struct hg_pkt) <= VIEW_BYTES, "the packet view outgrew its private area");
static_assert(sizeof(struct rte_mbuf) % HG_CACHE_LINE_BYTES == 0, "views start on a cache line");

struct buffers {
	struct hg_pool pool;
	struct rte_mempool *mempool;
	const void *base;
};

static struct hg_pkt *view_of(void *mbuf)
{
	return (struct hg_pkt *)((char *)mbuf + sizeof(struct rte_mbuf));
}

static void *mbuf_of(struct hg_pkt *pkt)
{
	return (char *)pkt - sizeof(struct rte_mbuf);
}

static unsigned get(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	struct buffers *b = (struct buffers *)pool;

	if (rte_mempool_get_bulk(b->mempool, (void **)pkts, n) != 0)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *pkt = view_of(pkts[i]);

		pkt->data = (uint8_t *)pkt + VIEW_BYTES + HG_PKT_HEADROOM_BYTES;
		pkt->next = NULL;
		pkt->headroom = HG_PKT_HEADROOM_BYTES;
		pkt->tailroom = HG_PKT_ROOM_BYTES;
		pkt->n_bytes = 0;
		pkts[i] = pkt;
	}
	return n;
}

static void put(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	struct buffers *b = (struct buffers *)pool;
	void *mbufs[PUT_BURST];
	unsigned n_mbufs = 0;

	for (unsigned i = 0; i < n; i++) {
		for (struct hg_pkt *pkt = pkts[i]; pkt != NULL; pkt = pkt->next) {
			mbufs[n_mbufs++] = mbuf_of(pkt);
			if (n_mbufs == PUT_BURST) {
				rte_mempool_put_bulk(b->mempool, mbufs, n_mbufs);
				n_mbufs = 0;
			}
		}
	}
	if (n_mbufs > 0)
		rte_mempool_put_bulk(b->mempool, mbufs, n_mbufs);
}

static const struct hg_pool_ops buffers_ops = {.name = "mbuf", .get = get, .put = put};

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
	unsigned need_mib = (unsigned)(((uint64_t)n_buffers * 2560u) >> 20) + 64u;
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

static void find_base(struct rte_mempool *mempool, void *opaque, void *object, unsigned idx)
{
	const void **base = opaque;

	(void)mempool;
	(void)idx;
	if (*base == NULL || object < *base)
		*base = object;
}

int hg_buffers_create(uint32_t n_buffers, struct hg_pool **ret_pool, struct hg_error *reterr)
{
	static unsigned n_created;
	char name[32];
	struct buffers *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for packet buffers", NULL);
	snprintf(name, sizeof(name), "headgate%u", n_created++);
	b->mempool =
		rte_pktmbuf_pool_create(name, n_buffers, CACHE_BUFFERS, VIEW_BYTES,
					HG_PKT_HEADROOM_BYTES + HG_PKT_ROOM_BYTES, SOCKET_ID_ANY);
	if (b->mempool == NULL) {
		free(b);
		snprintf(name, sizeof(name), "%u", n_buffers);
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for ", name,
				    " packet buffers of 2.4 KiB: ", rte_strerror(rte_errno), NULL);
	}
	rte_mempool_obj_iter(b->mempool, find_base, &b->base);
	b->pool.ops = &buffers_ops;
	*ret_pool = &b->pool;
	return 0;
}

void hg_buffers_destroy(struct hg_pool *pool)
{
	struct buffers *b = (struct buffers *)pool;

	if (b == NULL)
		return;
	rte_mempool_free(b->mempool);
	free(b);
}

const void *hg_buffers_base(const struct hg_pool *pool)
{
	return ((const struct buffers *)pool)->base;
}

uint32_t hg_buffers_free(const struct hg_pool *pool)
{
	return rte_mempool_avail_count(((const struct buffers *)pool)->mempool);
}

uint32_t hg_buffers_size(const struct hg_pool *pool)
{
	return ((const struct buffers *)pool)->mempool->size;
}
