/* pool: packet buffers on memory that the caller gives, for whatever runs without DPDK.
 *
 * Why        Tests, benchmarks and the simulator need the same packets as the packet lane.
 * Model      Last in, first out: the buffer used last is the one still in the cache.
 * Promise    n_free + buffers handed out = n_pkts. A buffer put twice, or one that is not of this
 *            pool, is counted in n_bad_puts and otherwise ignored, so that a test can say so.
 * Ownership  The memory is the caller's and outlives the pool. Threads: one owner.
 * Cost       get, put: O(1) for a buffer. Errors: none.
 */
#ifndef HG_VSWITCH_POOL_H
#define HG_VSWITCH_POOL_H

#include "vswitch/pkt.h"

#include <stddef.h>

struct hg_arena_pool {
	struct hg_pool pool; /* what is passed on */
	uint8_t *base;
	struct hg_pkt *free_list;
	uint32_t n_pkts;
	uint32_t n_free;
	uint64_t n_bad_puts;
};

/* Bytes that n_pkts buffers need; includes what aligning the start may cost. */
size_t hg_pool_arena_bytes(uint32_t n_pkts);

/* Makes a pool of n_pkts buffers in mem, which has hg_pool_arena_bytes(n_pkts) bytes. */
void hg_pool_arena_init(struct hg_arena_pool *arena, void *mem, uint32_t n_pkts);

#endif
