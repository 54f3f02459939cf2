/* counters: what instances counted, added up where an instance's own counters end.
 *
 * Threads    Control lane; the flow is not written any more, or is read field by field.
 */
#ifndef HG_DATAPLANE_COUNTERS_H
#define HG_DATAPLANE_COUNTERS_H

#include "dataplane/dp.h"

void hg_counters_add(struct hg_retired *sum, const struct hg_flow *flow);
/* Begins anew, but stays on the list of flows to publish if it is there. */
void hg_counters_clear(struct hg_flow *flow);

#endif
