/* lifo: pools of buffers as DPDK knows them, with operations of our own.
 *
 * Why        The release of a buffer has to be seen when it happens. DPDK's own pools keep released buffers in a
 *            cache of each processor first, which nothing sees; without that cache they cost 4 ns a packet more,
 *            with one last-in-first-out stack for each worker it is 0.4 ns: the buffer used last is still in
 *            the processor's cache.
 * Model      Two kinds. A worker's pool is a stack that its worker alone takes from and puts on; what another
 *            thread releases goes into a ring, which the worker empties when its stack runs low and in
 *            housekeeping. The shared pool is a ring for every thread. In both the hook looks at what is
 *            released first.
 * Promise    Conservation: a buffer is in its stack, in its ring, on its way across (hook) or in use.
 *            A worker waits for nobody: rings with a relaxed tail have no producer wait for another.
 * Threads    hg_lifo_sit() says which thread is the worker of a pool, and whether it owns the hook. Taking from a
 *            worker's pool on another thread is refused (-ENOBUFS), as from an empty one.
 * Memory     A pointer a buffer in the stack, one in the ring. Cost: a copy of a pointer.
 * Source     facts: DPDK 22.11, lib/mempool/rte_mempool.h; ring modes: lib/ring, RTS.
 */
#ifndef HG_DATAPLANE_LIFO_H
#define HG_DATAPLANE_LIFO_H

#include "core/error.h"
#include "dataplane/hook.h"

struct rte_mempool;

struct hg_lifo_cfg {
	const char *name; /* unique in the process */
	uint32_t n_buffers;
	uint16_t
		private_bytes; /* between the mbuf and its data room; with room for a view it carries tags */
	uint16_t room_bytes; /* of the data room, without the headroom */
	bool is_shared;
	struct hg_hook *hook; /* outlives the pool */
};

/* Makes the operations known to DPDK; before the first pool is made. */
HG_MUST_CHECK int hg_lifo_register(struct hg_error *reterr);

/* A pool of mbufs. NULL: rte_errno says why. */
struct rte_mempool *hg_lifo_create(const struct hg_lifo_cfg *cfg);

/* A worker has a pool, and one of long buffers beside it. */
enum hg_lifo_kind { HG_LIFO_COMMON = 0, HG_LIFO_LONG, HG_N_LIFO_KINDS };

/* This thread is the pools' worker from now on, and the owner of `hook`; NULL: of none. With nothing but NULLs it is
 * nobody any more. */
void hg_lifo_sit(struct rte_mempool *const mempools[HG_N_LIFO_KINDS], struct hg_hook *hook);

/* Takes n, or none and returns false: what DPDK's call does without the way through its tables. Any thread. */
bool hg_lifo_get(struct rte_mempool *mempool, void **objects, unsigned n);
/* Puts back what the hook has seen. Any thread. */
void hg_lifo_put(struct rte_mempool *mempool, void *const *objects, unsigned n);

/* The worker's: takes in what others released. */
void hg_lifo_keep_house(struct rte_mempool *mempool);
/* The worker's: how often it asked for more than there was, modulo 2^32. */
uint32_t hg_lifo_refusals(const struct rte_mempool *mempool);
/* The owner's of the hook: releases what crossed to it, and collects the tags. */
void hg_lifo_hear(struct hg_hook *hook);

#endif
