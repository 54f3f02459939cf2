/* published: a plain struct that one thread writes and any other copies, whole.
 *
 * Why        Counters of one instant belong together: taken, given and outstanding read one by one, while
 *            their owner goes on, do not add up.
 * Model      A sequence number around the words: odd while they are written. A reader that meets an odd one,
 *            or another one afterwards, has nothing and asks again. (Lameter, "Effective synchronization on
 *            Linux/NUMA systems", 2005. Without fences: words are stored with release and loaded with
 *            acquire, which costs nothing on x86-64, and race checkers follow it.)
 * Units      64-bit words. Memory: caller's. Threads: one writer, any readers.
 * Cost       write: a store a word. Errors: none.
 * Used by    core/inflight.
 */
#ifndef HG_CORE_PUBLISHED_H
#define HG_CORE_PUBLISHED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* sequence: 2n after the n-th write, so that readers can tell one write from another. */
static inline void hg_published_write(_Atomic uint64_t *sequence, _Atomic uint64_t *words,
				      const void *from, unsigned n_words)
{
	uint64_t before = atomic_load_explicit(sequence, memory_order_relaxed);

	atomic_store_explicit(sequence, before + 1u, memory_order_relaxed);
	for (unsigned i = 0; i < n_words; i++) {
		uint64_t word;

		memcpy(&word, (const char *)from + i * sizeof(word), sizeof(word));
		atomic_store_explicit(&words[i], word, memory_order_release);
	}
	atomic_store_explicit(sequence, before + 2u, memory_order_release);
}

/* Returns the sequence number of what was copied, or 0: nothing was written yet, or just now. */
static inline uint64_t hg_published_read(const _Atomic uint64_t *sequence,
					 const _Atomic uint64_t *words, void *ret, unsigned n_words)
{
	uint64_t before = atomic_load_explicit(sequence, memory_order_acquire);

	if (before & 1u)
		return 0;
	for (unsigned i = 0; i < n_words; i++) {
		uint64_t word = atomic_load_explicit(&words[i], memory_order_acquire);

		memcpy((char *)ret + i * sizeof(word), &word, sizeof(word));
	}
	return atomic_load_explicit(sequence, memory_order_relaxed) == before ? before : 0;
}

#endif
