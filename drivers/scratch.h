/* scratch: the buffers that the next frame is read into, before anyone knows how long it is.
 *
 * Why        A frame may be 60 bytes or 64 KiB, and one system call must take it whole. Buffers for the
 *            largest one lie ready; a read takes those it filled and leaves the others for the next.
 * Model      One scratch for each pool, shared by all devices that read into that pool, so that 4,000
 *            devices do not hold buffers each. While a worker reads, it has the scratch for itself.
 *            io vector: [0] the caller's header, [1 ..] the buffers: one and four long ones, so that the kernel copies
 *            a segment in few pieces; or, while the pool has no long ones, 33; and behind them, when
 *            it ran out of those, junk that swallows the rest of a frame which is then dropped.
 * Promise    After the last release, all buffers are back in the pool. A chain taken has its first buffer
 *            filled before the next (pkt.h's promise).
 * Memory     Five buffers or 33, and, once buffers ran out, 65 KiB of junk, for each pool and each worker that
 *            reads into it at the same time, up to 8.
 * Threads    acquire, release: any. begin to end: the worker; others may read into the same pool.
 * Cost       begin, end: one exchange; take: O(buffers used). Errors: acquire returns NULL, no memory.
 * Used by    drivers/tap.c, drivers/packet.c.
 */
#ifndef HG_DRIVERS_SCRATCH_H
#define HG_DRIVERS_SCRATCH_H

#include "vswitch/pkt.h"

#include <sys/uio.h>

struct hg_scratches; /* of one pool */
struct hg_scratch;

/* Those of that pool, one more user. */
struct hg_scratches *hg_scratch_acquire(struct hg_pool *pool);
void hg_scratch_release(struct hg_scratches *scratches); /* takes NULL */

/* Begins a turn of reads with a header of n_header bytes at `header`. NULL: 8 workers read now. */
struct hg_scratch *hg_scratch_begin(struct hg_scratches *scratches, void *header, size_t n_header);
void hg_scratch_end(struct hg_scratch *scratch);

/* What to read into, always with room for the header and HG_FRAME_MAX_BYTES. */
const struct iovec *hg_scratch_iov(const struct hg_scratch *scratch, int *ret_n);

/* Takes the first n_bytes (in [1, HG_FRAME_MAX_BYTES], without the header) as a chain with its lengths
 * set, parts and wire_bytes 0, and refills. NULL: part of the frame fell into the junk; nothing taken. */
struct hg_pkt *hg_scratch_take(struct hg_scratch *scratch, uint32_t n_bytes);

#endif
