/* guest: the memory that a guest shares with us, as a few regions mapped here.
 *
 * Why        A ring names its buffers by addresses of the guest. Whatever it names is looked up here, and what
 *            lies in no region is never touched.
 * Model      Regions of guest addresses, each mapped in one piece. Two that lie side by side for the guest need
 *            not do so here: a buffer may have to be taken in pieces.
 * Promise    What hg_guest_at() returns can be read and written for as many bytes as it says.
 * Memory     The caller's. Threads: none of its own. Cost: O(regions), of which a guest has one or two.
 * Used by    drivers/vring.c, drivers/vhost.c.
 */
#ifndef HG_DRIVERS_GUEST_H
#define HG_DRIVERS_GUEST_H

#include "core/compiler.h"

#include <stdint.h>
#include <stddef.h>

/* More than vhost-user lets a guest describe (8). */
#define HG_GUEST_REGIONS_MAX 16u

struct hg_guest_region {
	uint64_t addr; /* of the guest */
	uint64_t n_bytes;
	uint8_t *host;
};

struct hg_guest_memory {
	uint32_t n; /* in [0, HG_GUEST_REGIONS_MAX] */
	struct hg_guest_region regions[HG_GUEST_REGIONS_MAX];
};

/* Where the guest's address lies, and in *bytes how many of the *bytes asked for lie there in one piece (at
 * least 1). NULL: nowhere. */
static HG_ALWAYS_INLINE uint8_t *hg_guest_at(const struct hg_guest_memory *m, uint64_t addr,
					     uint64_t *bytes)
{
	for (uint32_t i = 0; i < m->n; i++) {
		const struct hg_guest_region *r = &m->regions[i];
		uint64_t offset = addr - r->addr; /* wraps where addr lies before it */

		if (HG_LIKELY(offset < r->n_bytes)) {
			if (HG_UNLIKELY(*bytes > r->n_bytes - offset))
				*bytes = r->n_bytes - offset;
			return r->host + offset;
		}
	}
	return NULL;
}

/* Whether n_bytes from a place of ours on lie in one region. */
static inline int hg_guest_holds(const struct hg_guest_memory *m, const void *at, uint64_t n_bytes)
{
	for (uint32_t i = 0; i < m->n; i++) {
		const struct hg_guest_region *r = &m->regions[i];
		uint64_t offset = (uint64_t)((uintptr_t)at - (uintptr_t)r->host);

		if (offset < r->n_bytes)
			return n_bytes <= r->n_bytes - offset;
	}
	return 0;
}

#endif
