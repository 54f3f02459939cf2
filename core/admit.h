/* admit: may this set of contracts be promised at all?
 *
 * Why        A guarantee that cannot be kept together with the others is a lie told in advance.
 * Model      For each uplink and direction: sum over its tenants of max(tenant.min, sum of its
 *            instances' min) <= capacity * oversubscription. The root of an uplink is paced at
 *            HG_ROOT_PACE_PPM of its capacity, so that is what can be promised.
 *            Inside a tenant that has a minimum: sum of its instances' minima <= the tenant's; an
 *            instance's minimum <= its tenant's maximum.
 * Promise    Whatever is admitted without oversubscription, the scheduler keeps.
 * Cost       O(tenants + instances), no allocation: `scratch` has room for n_tenants uint64_t.
 * Errors     -ENOSPC, naming the sum, the capacity and the largest contracts in the sum;
 *            -EINVAL for an index out of range, a duplicate name or a duplicate MAC in one VLAN.
 */
#ifndef HG_CORE_ADMIT_H
#define HG_CORE_ADMIT_H

#include "core/desired.h"

/* Part of a link's capacity that its root is paced at, so that the queue stands in headgate and not in
 * the card. 99.5 %: measured as the least margin at which a card's queue stays short. */
#define HG_ROOT_PACE_PPM 995000u

HG_MUST_CHECK int hg_admit(const struct hg_desired *desired, uint64_t *scratch,
			   struct hg_error *reterr);

#endif
