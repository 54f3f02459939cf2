/* mirror: may a port's packets be copied to that other port?
 *
 * Why        Whoever reads a mirror reads everything that the mirrored port says. It must lead where the
 *            operator meant it to, and to nobody else.
 * Model      A port names the port that gets copies of its packets. That one is a destination and nothing
 *            else: it is no part of its tenant's network, and what it sends is dropped.
 * Promise    What passes leads to a port of the same tenant, unless the operator says `across_tenants`
 *            for this very mirror. No chain and no loop: a destination has no mirror of its own.
 * Memory     none. Threads: any.
 * Cost       O(ports) for each of at most HG_MIRRORS_MAX mirrors.
 * Errors     -EINVAL, -ENOENT, -EPERM, with a sentence; the path is the key of the port, such as
 *            "mirror.to".
 */
#ifndef HG_CORE_MIRROR_H
#define HG_CORE_MIRROR_H

#include "core/desired.h"
#include "core/error.h"

/* Mirrors of one host. Each copies as much as its port carries: of a worker's time they take what forwarding
 * does not, so that more than a few are no longer complete. */
#define HG_MIRRORS_MAX 64u

static inline bool hg_mirror_is_on(const struct hg_desired_port *port)
{
	return port->mirror.to[0] != '\0';
}

/* The index of the port of that name; UINT32_MAX: there is none. */
uint32_t hg_mirror_find(const struct hg_desired *desired, const char *name);

/* Checks all of them; on an error *ret_port_idx says of which port. Indices of the desired state are in range. */
HG_MUST_CHECK int hg_mirror_check(const struct hg_desired *desired, uint32_t *ret_port_idx,
				  struct hg_error *reterr);

#endif
