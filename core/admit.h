/* admit: may this set of contracts be promised at all?
 *
 * Why        A guarantee that cannot be kept together with the others is a lie told in advance.
 * Model      For each uplink and direction: sum over its tenants of max(tenant.min, sum of its
 *            instances' min) <= capacity * oversubscription. The root of an uplink is paced at
 *            HG_ROOT_PACE_PPM of its capacity, so that is what can be promised.
 *            Inside a tenant: sum of its instances' minima <= the tenant's minimum, if it has one, and
 *            <= its maximum, if it has one, since that binds the sum.
 * Promise    Whatever is admitted without oversubscription, the scheduler keeps.
 * Not here   Whether a device exists (drivers), how text is read (api).
 * Units      bytes per second of wire bytes. Threads: any.
 * Cost       O(uplinks * tenants + instances + ports + addresses), no allocation: the caller lends `scratch`.
 * Errors     The path says where, as the configuration nests: tenants[0].instances[2].ports[1].mac.
 *            -ENOSPC naming the sum, what can be promised and the largest contracts in the sum; the
 *            path is that of the tenant or instance with which the sum passed the limit.
 *            -EEXIST for a MAC or IP address that another has (core/owner.h).
 *            -EINVAL for an index out of range, a name that is malformed or taken, a MAC address that is not
 *            an individual one, an IP address that is not one machine's, a field out of range, a contract
 *            that is not valid, a mirror that may not be (core/mirror.h; -ENOENT and -EPERM as well), a
 *            tenant with what only instances have (priority, behaviour), an instance's minimum above its
 *            tenant's maximum, and too little scratch.
 */
#ifndef HG_CORE_ADMIT_H
#define HG_CORE_ADMIT_H

#include "core/desired.h"

/* Part of a link's capacity that its root is paced at, so that the queue stands in headgate and not in
 * the card. 99.5 %: measured as the least margin at which a card's queue stays short. */
#define HG_ROOT_PACE_PPM 995000u

/* How many words of scratch hg_admit() needs: at most 4 for each thing of the most numerous kind, IP
 * addresses among them. */
size_t hg_admit_scratch_words(const struct hg_desired *desired);

/* The least that `depth` of an uplink may be: one packet of its MTU on the wire, with a VLAN tag. */
uint64_t hg_admit_least_depth_bytes(uint32_t mtu);

HG_MUST_CHECK int hg_admit(const struct hg_desired *desired, uint64_t *scratch,
			   size_t n_scratch_words, struct hg_error *reterr);

#endif
