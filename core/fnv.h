/* fnv: a hash of a few bytes, for tables of names and to notice an edit.
 *
 * Source     FNV-1a, 64 bits, by Fowler, Noll and Vo. It does not stand up to an attack.
 * Model      Begin with HG_FNV_BASIS, or that XOR a seed, and go on with what the last call gave.
 * Memory     none. Threads: any. Cost: O(bytes). Errors: none.
 * Used by    core/admit.c, core/owner.c, core/verdict.c, api/statefile.c.
 */
#ifndef HG_CORE_FNV_H
#define HG_CORE_FNV_H

#include <stddef.h>
#include <stdint.h>

#define HG_FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define HG_FNV_PRIME UINT64_C(0x100000001b3)

static inline uint64_t hg_fnv(uint64_t hash, const void *data, size_t n_bytes)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < n_bytes; i++)
		hash = (hash ^ bytes[i]) * HG_FNV_PRIME;
	return hash;
}

/* For a table of a power of two: the low bits alone know little of the last bytes. */
static inline size_t hg_fnv_slot(const void *data, size_t n_bytes, uint64_t seed, size_t mask)
{
	uint64_t hash = hg_fnv(HG_FNV_BASIS ^ seed, data, n_bytes);

	return (size_t)(hash ^ (hash >> 32)) & mask;
}

#endif
