/* random: a seeded, portable source, so that a simulation can be repeated.
 *
 * Model      splitmix64 (Steele, Lea, Flood, 2014). Memory: the state is the caller's. Errors: none.
 */
#ifndef HG_SIM_RANDOM_H
#define HG_SIM_RANDOM_H

#include <stdint.h>

static inline uint64_t hg_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* In [0, n - 1], n in [1, 2^32 - 1], by multiplication: no division in the course of a packet. */
static inline uint32_t hg_random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(((hg_random(state) >> 32) * n) >> 32);
}

#endif
