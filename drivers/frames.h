/* frames: frames without end, of as many flows as wanted, made from one.
 *
 * Why        A switch is measured by what a packet costs, and caches of flows make that depend on how many there are.
 *            A device of memory and a rival's null device must make the same frames in the same way to be compared.
 * Model      Copies of one frame, in which four bytes are a number in network order that goes through n_values values,
 *            in strides, so that neighbours in time are none in memory. The caller chooses bytes that no sum covers.
 * Memory     The frame is the caller's. Threads: one. Cost: a copy of the frame. Errors: none.
 * Used by    drivers/dummy, bench/flows.
 */
#ifndef HG_DRIVERS_FRAMES_H
#define HG_DRIVERS_FRAMES_H

#include "core/units.h"

#include <string.h>

struct hg_frames {
	const uint8_t *frame; /* NULL: none are made */
	uint16_t n_bytes;
	uint16_t at; /* the first of the four bytes */
	uint32_t n_values; /* from 1 on; 1: all are the same */
	uint32_t stride, value;
};

/* A prime, so that a stride of it meets every value, unless n_values is a multiple of it. */
#define HG_FRAMES_STRIDE 2654435761u

/* From now on n_values different ones. Requires n_values in [1, 2^31], at + 4 <= n_bytes if it is more than 1. */
static inline void hg_frames_vary(struct hg_frames *f, uint16_t at, uint32_t n_values)
{
	f->at = at;
	f->n_values = n_values;
	f->stride = HG_FRAMES_STRIDE % n_values;
	f->value = 0;
}

/* Writes the next one. Requires a frame. */
static inline void hg_frames_write(struct hg_frames *f, uint8_t *ret_data)
{
	uint32_t number;

	memcpy(ret_data, f->frame, f->n_bytes);
	if (f->n_values <= 1)
		return;
	number = __builtin_bswap32(f->value);
	memcpy(ret_data + f->at, &number, sizeof(number));
	f->value += f->stride;
	if (f->value >= f->n_values)
		f->value -= f->n_values;
}

#endif
