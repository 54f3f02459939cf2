/* buffers: the packet buffers of the packet lane, as mbufs of DPDK.
 *
 * Why        Cards and guests that DPDK drives speak mbufs; everything else here speaks struct hg_pkt. Both
 *            are the same memory: the packet view lies in the private area of the mbuf.
 * Model      mbuf header | hg_pkt | headroom | room. One struct hg_pool for all, in parts (dataplane/lifo.h): one for
 *            each worker, which gets from it alone, and a shared one, for threads that are no worker and for a
 *            worker whose own part is used up. Whoever puts a buffer back, it returns to its part. Beside its part a
 *            worker has a few long buffers, for segments (hg_pool_get_long): one for so many others.
 *            hg_pool_get/put are bulk calls of the mempools; the mbuf header is written by drivers of DPDK only.
 * Promise    A buffer that is got is put back exactly once, by any thread.
 * Memory     n * about 2.7 KiB, of which long ones are a tenth, from huge pages where there are any. Threads: any.
 * Errors     create: -ENOMEM with what was asked for.
 */
#ifndef HG_DATAPLANE_BUFFERS_H
#define HG_DATAPLANE_BUFFERS_H

#include "core/error.h"
#include "vswitch/pkt.h"

#define HG_BUFFERS_WORKERS_MAX 16u

struct hg_hook;
struct rte_mempool;

/* Starts DPDK's environment once for the process, without taking the processors or the log from it. */
HG_MUST_CHECK int hg_buffers_init_environment(uint32_t n_buffers, bool want_hugepages,
					      struct hg_error *reterr);

/* n_workers in [1, HG_BUFFERS_WORKERS_MAX]. */
HG_MUST_CHECK int hg_buffers_create(uint32_t n_buffers, uint32_t n_workers,
				    struct hg_pool **ret_pool, struct hg_error *reterr);
void hg_buffers_destroy(struct hg_pool *pool);

/* This thread is that worker from now on. owns_hook: the accounts of what cards have are its own. */
void hg_buffers_sit(struct hg_pool *pool, uint32_t worker_idx, bool owns_hook);
/* It is none any more. */
void hg_buffers_stand_up(void);
/* A worker's: takes in what others put back. */
void hg_buffers_keep_house(struct hg_pool *pool);

struct hg_hook *hg_buffers_hook(struct hg_pool *pool);
/* A worker's part by its number, or behind them the shared one, for drivers of DPDK. */
struct rte_mempool *hg_buffers_part(struct hg_pool *pool, uint32_t number);

/* Lowest address of any packet of the pool: what core/sched counts handles from. */
const void *hg_buffers_base(const struct hg_pool *pool);
/* Without long ones, as hg_buffers_size(). */
uint32_t hg_buffers_free(const struct hg_pool *pool);
uint32_t hg_buffers_longs_in_use(const struct hg_pool *pool);
/* Of the calling worker's part: how often it was asked for more than it had, modulo 2^32. */
uint32_t hg_buffers_refusals_here(void);
uint32_t hg_buffers_size(const struct hg_pool *pool);

#endif
