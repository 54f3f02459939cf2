/* spool: records on their way from one thread to another, in memory of a fixed size.
 *
 * Why        The packet lane shows packets to the control lane without waiting, allocating or locking, and the
 *            control lane may be slow or away.
 * Model      A ring of bytes. The producer asks for room for a record, writes it and commits it; the consumer
 *            looks at the oldest one and takes it. A record lies in one piece: what does not fit behind the
 *            last one begins anew at the front.
 * Promise    Records come out whole, in order, once. Without room begin() says so and nothing changed.
 * Units      bytes. Memory: the caller's, a power of two of at least 64 bytes, aligned to 8.
 * Threads    One producer (begin, commit), one consumer (peek, take).
 * Cost       O(1); the producer reads the consumer's line only when the room that it knows of is used up.
 * Errors     none. Used by: dataplane/capture.c.
 */
#ifndef HG_CORE_SPOOL_H
#define HG_CORE_SPOOL_H

#include "core/compiler.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hg_spool {
	uint8_t *bytes;
	uint64_t mask;

	/* The producer's. */
	_Alignas(HG_CACHE_LINE_BYTES) _Atomic uint64_t written; /* ever, never decreases */
	uint64_t begun; /* where the record that was begun ends */
	uint64_t read_seen;

	/* The consumer's. */
	_Alignas(HG_CACHE_LINE_BYTES) _Atomic uint64_t read;
};

/* Requires n_bytes, the size of the memory, to be a power of two in [64, 2^30]. */
void hg_spool_init(struct hg_spool *spool, void *memory, uint32_t n_bytes);

/* Room for a record of n_bytes, aligned to 8; NULL: there is none. */
void *hg_spool_begin(struct hg_spool *spool, uint32_t n_bytes);
/* What was begun last may be read from now on. */
void hg_spool_commit(struct hg_spool *spool);

/* The oldest record; NULL: there is none. Stays where it is until take. */
const void *hg_spool_peek(const struct hg_spool *spool, uint32_t *ret_n_bytes);
/* Requires that peek found one. */
void hg_spool_take(struct hg_spool *spool);

#endif
