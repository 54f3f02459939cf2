#include "dataplane/lifo.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <stdlib.h>
#include <string.h>

#define OPS_NAME "headgate"
/* Buffers moved between a ring and a stack, or across, at a time. */
#define PIECE 64u

struct lifo {
	/* The worker's; `n` is read by who samples. */
	uint32_t n;
	uint32_t n_refusals; /* asked for more than there was */
	uint32_t size;
	uint32_t view_offset; /* from an object to its packet view; 0: it has none */
	bool is_shared;
	bool is_filled; /* before, buffers are not made yet */
	struct hg_hook *hook;
	struct rte_ring *others; /* released by others; all, in the shared pool */
	void **stack;
};

/* Who this thread is. */
static _Thread_local struct lifo *own_lifos[HG_N_LIFO_KINDS];
static _Thread_local struct hg_hook *own_hook;

static inline bool is_own(const struct lifo *l)
{
	return HG_LIKELY(l == own_lifos[HG_LIFO_COMMON]) || l == own_lifos[HG_LIFO_LONG];
}

static void set_n(struct lifo *l, uint32_t n)
{
	__atomic_store_n(&l->n, n, __ATOMIC_RELAXED);
}

/* ---- operations --------------------------------------------------------------------------------- */

static int alloc(struct rte_mempool *mempool)
{
	const struct hg_lifo_cfg *cfg = mempool->pool_config;
	/* No thread waits for another that was interrupted half-way (relaxed tail). */
	unsigned flags = RING_F_EXACT_SZ | RING_F_MP_RTS_ENQ |
			 (cfg->is_shared ? RING_F_MC_RTS_DEQ : RING_F_SC_DEQ);
	struct lifo *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return -ENOMEM;
	l->size = mempool->size;
	l->is_shared = cfg->is_shared;
	l->hook = cfg->hook;
	if (cfg->private_bytes >= sizeof(struct hg_pkt))
		l->view_offset = sizeof(struct rte_mbuf);
	if (!cfg->is_shared) {
		l->stack = malloc(l->size * sizeof(void *));
		if (l->stack == NULL)
			goto fail;
	}
	l->others = rte_ring_create(mempool->name, l->size, SOCKET_ID_ANY, flags);
	if (l->others == NULL)
		goto fail;
	mempool->pool_data = l;
	return 0;
fail:
	free(l->stack);
	free(l);
	return -ENOMEM;
}

static void release(struct rte_mempool *mempool)
{
	struct lifo *l = mempool->pool_data;

	rte_ring_free(l->others);
	free(l->stack);
	free(l);
}

static int push(struct lifo *l, void *const *objects, unsigned n)
{
	/* More than there are: something was released twice. */
	if (HG_UNLIKELY(n > l->size - l->n))
		return -ENOBUFS;
	memcpy(&l->stack[l->n], objects, n * sizeof(void *));
	set_n(l, l->n + n);
	return 0;
}

static int store(struct lifo *l, void *const *objects, unsigned n)
{
	if (is_own(l) || (!l->is_shared && !l->is_filled))
		return push(l, objects, n);
	HG_HANDS_ON(l->others);
	return rte_ring_enqueue_bulk(l->others, objects, n, NULL) == n ? 0 : -ENOBUFS;
}

/* What must be seen by the hook's owner goes to it; the rest is stored. */
static HG_NOINLINE int store_elsewhere(struct lifo *l, void *const *objects, unsigned n)
{
	void *rest[PIECE];

	while (n > 0) {
		unsigned n_now = n < PIECE ? n : PIECE;
		unsigned n_rest = hg_hook_cross(l->hook, objects, n_now, l->view_offset, rest);
		int r = n_rest > 0 ? store(l, rest, n_rest) : 0;

		if (r != 0)
			return r;
		objects += n_now;
		n -= n_now;
	}
	return 0;
}

static int enqueue(struct rte_mempool *mempool, void *const *objects, unsigned n)
{
	struct lifo *l = mempool->pool_data;

	if (hg_hook_is_armed(l->hook) && l->is_filled) {
		if (HG_UNLIKELY(l->hook != own_hook))
			return store_elsewhere(l, objects, n);
		hg_hook_collect(l->hook, objects, n, l->view_offset);
	}
	return store(l, objects, n);
}

static void take_in(struct lifo *l)
{
	void *objects[PIECE];
	unsigned n;

	do {
		n = rte_ring_dequeue_burst(l->others, objects, PIECE, NULL);
		HG_TAKES_OVER(l->others);
		if (n > 0)
			(void)push(l, objects, n);
	} while (n == PIECE);
}

static int dequeue(struct rte_mempool *mempool, void **objects, unsigned n)
{
	struct lifo *l = mempool->pool_data;
	unsigned n_got;

	if (l->is_shared) {
		n_got = rte_ring_dequeue_bulk(l->others, objects, n, NULL);
		HG_TAKES_OVER(l->others);
		return n_got == n ? 0 : -ENOBUFS;
	}
	if (HG_UNLIKELY(!is_own(l)))
		return -ENOBUFS;
	if (HG_UNLIKELY(l->n < n)) {
		take_in(l);
		if (l->n < n) {
			l->n_refusals++;
			return -ENOBUFS;
		}
	}
	set_n(l, l->n - n);
	memcpy(objects, &l->stack[l->n], n * sizeof(void *));
	return 0;
}

static unsigned get_count(const struct rte_mempool *mempool)
{
	const struct lifo *l = mempool->pool_data;

	return __atomic_load_n(&l->n, __ATOMIC_RELAXED) + rte_ring_count(l->others);
}

/* ---- pools -------------------------------------------------------------------------------------- */

int hg_lifo_register(struct hg_error *reterr)
{
	static const struct rte_mempool_ops ops = {
		.name = OPS_NAME,
		.alloc = alloc,
		.free = release,
		.enqueue = enqueue,
		.dequeue = dequeue,
		.get_count = get_count,
	};
	static bool is_registered;
	int r = is_registered ? 0 : rte_mempool_register_ops(&ops);

	if (r < 0)
		return hg_error_set(reterr, -HG_EIO,
				    "DPDK takes no pool operations: ", strerror(-r), NULL);
	is_registered = true;
	return 0;
}

/* As rte_pktmbuf_pool_create() makes it, which has no way to pass a configuration to the operations. */
struct rte_mempool *hg_lifo_create(const struct hg_lifo_cfg *cfg)
{
	const struct rte_pktmbuf_pool_private about = {
		.mbuf_data_room_size = (uint16_t)(HG_PKT_HEADROOM_BYTES + cfg->room_bytes),
		.mbuf_priv_size = cfg->private_bytes,
	};
	unsigned object_bytes =
		(unsigned)sizeof(struct rte_mbuf) + cfg->private_bytes + about.mbuf_data_room_size;
	/* Without huge pages there is no card that reads them by itself, and they need not lie in one page each:
	 * 4 KiB apart, all packet views would be in the same set of the processor's first cache. */
	unsigned flags = rte_eal_has_hugepages() ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG;
	struct rte_mempool *mempool =
		rte_mempool_create_empty(cfg->name, cfg->n_buffers, object_bytes, /* cache= */ 0,
					 sizeof(about), SOCKET_ID_ANY, flags);
	int r;

	if (mempool == NULL)
		return NULL;
	r = rte_mempool_set_ops_byname(mempool, OPS_NAME, (void *)(uintptr_t)cfg);
	if (r == 0) {
		rte_pktmbuf_pool_init(mempool, (void *)(uintptr_t)&about);
		r = rte_mempool_populate_default(mempool);
	}
	if (r < 0) {
		rte_mempool_free(mempool);
		rte_errno = -r;
		return NULL;
	}
	rte_mempool_obj_iter(mempool, rte_pktmbuf_init, NULL);
	mempool->pool_config = NULL; /* the caller's */
	((struct lifo *)mempool->pool_data)->is_filled = true;
	return mempool;
}

void hg_lifo_sit(struct rte_mempool *const mempools[HG_N_LIFO_KINDS], struct hg_hook *hook)
{
	for (unsigned i = 0; i < HG_N_LIFO_KINDS; i++)
		own_lifos[i] = mempools[i] == NULL ? NULL : mempools[i]->pool_data;
	own_hook = hook;
}

bool hg_lifo_get(struct rte_mempool *mempool, void **objects, unsigned n)
{
	return dequeue(mempool, objects, n) == 0;
}

void hg_lifo_put(struct rte_mempool *mempool, void *const *objects, unsigned n)
{
	(void)store(mempool->pool_data, objects, n);
}

void hg_lifo_keep_house(struct rte_mempool *mempool)
{
	struct lifo *l = mempool->pool_data;

	if (!rte_ring_empty(l->others))
		take_in(l);
}

uint32_t hg_lifo_refusals(const struct rte_mempool *mempool)
{
	return ((const struct lifo *)mempool->pool_data)->n_refusals;
}

void hg_lifo_hear(struct hg_hook *hook)
{
	void *objects[PIECE];
	unsigned n;

	if (rte_ring_empty(hook->crossing))
		return;
	do {
		n = rte_ring_sc_dequeue_burst(hook->crossing, objects, PIECE, NULL);
		HG_TAKES_OVER(hook->crossing);
		for (unsigned i = 0; i < n; i++)
			rte_mempool_put(rte_mempool_from_obj(objects[i]), objects[i]);
	} while (n == PIECE);
}
