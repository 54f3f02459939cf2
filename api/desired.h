/* desired: the memory of a desired state that api/ builds.
 *
 * Why        Reading, copying and editing make states; one place knows how they are held.
 * Memory     One allocation for the struct and one for each array, zeroed. Threads: any.
 * Used by    api/config.c, api/desired.c.
 */
#ifndef HG_API_DESIRED_H
#define HG_API_DESIRED_H

#include "core/desired.h"

/* Room for as many of each; the counts are set to them. NULL: no memory. */
struct hg_desired *hg_desired_create(uint32_t n_uplinks, uint32_t n_tenants, uint32_t n_instances,
				     uint32_t n_ports);

#endif
