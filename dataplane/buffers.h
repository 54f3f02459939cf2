/* buffers: the packet buffers of the packet lane, as mbufs of DPDK.
 *
 * Why        Cards and guests that DPDK drives speak mbufs; everything else here speaks struct hg_pkt. Both
 *            are the same memory: the packet view lies in the private area of the mbuf.
 * Model      mbuf header | hg_pkt | headroom | room. hg_pool_get/put are bulk calls of the mempool; the
 *            mbuf header is written by drivers of DPDK only.
 * Promise    A buffer that is got is put back exactly once, by any thread that DPDK knows.
 * Memory     n * about 2.4 KiB, from huge pages where there are any. Threads: any registered one.
 * Errors     create: -ENOMEM with what was asked for.
 */
#ifndef HG_DATAPLANE_BUFFERS_H
#define HG_DATAPLANE_BUFFERS_H

#include "core/error.h"
#include "vswitch/pkt.h"

/* Starts DPDK's environment once for the process, without taking the processors or the log from it. */
HG_MUST_CHECK int hg_buffers_init_environment(uint32_t n_buffers, bool want_hugepages,
					      struct hg_error *reterr);

HG_MUST_CHECK int hg_buffers_create(uint32_t n_buffers, struct hg_pool **ret_pool,
				    struct hg_error *reterr);
void hg_buffers_destroy(struct hg_pool *pool);

/* Lowest address of any packet of the pool: what core/sched counts handles from. */
const void *hg_buffers_base(const struct hg_pool *pool);
uint32_t hg_buffers_free(const struct hg_pool *pool);
uint32_t hg_buffers_size(const struct hg_pool *pool);

#endif
