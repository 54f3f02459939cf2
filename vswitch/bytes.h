/* bytes: numbers in network order, read and written at any alignment.
 *
 * Why        Headers lie at odd offsets and in big-endian order; a pointer cast would be undefined.
 * Memory     none. Threads: any. Cost: one load and a swap. Errors: none; bounds are the caller's.
 */
#ifndef HG_VSWITCH_BYTES_H
#define HG_VSWITCH_BYTES_H

#include <stdint.h>

static inline uint16_t hg_bytes_get16(const uint8_t *p)
{
	return (uint16_t)((uint32_t)p[0] << 8 | p[1]);
}

static inline uint32_t hg_bytes_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t hg_bytes_get48(const uint8_t *p)
{
	return (uint64_t)hg_bytes_get16(p) << 32 | hg_bytes_get32(p + 2);
}

static inline void hg_bytes_put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline void hg_bytes_put32(uint8_t *p, uint32_t value)
{
	hg_bytes_put16(p, value >> 16);
	hg_bytes_put16(p + 2, value);
}

#endif
