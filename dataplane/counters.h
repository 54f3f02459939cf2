/* counters: what instances and ports counted, added up where their own counters end.
 *
 * Why        Totals never go backwards: an instance that is removed, or a device that is closed, leaves its counts to
 *            its tenant, or its port.
 * Model      The sum is of before; what is shown is the sum and what still counts. Clearing a flow comes after
 *            adding it.
 * Units      as in struct hg_flow: wire bytes, packets, ns. Memory: the caller's. Cost: O(reasons and limits).
 * Threads    Control lane; the flow or port is not written any more, or is read field by field.
 * Errors     none. Used by: dataplane/apply, dataplane/sample, dataplane/standing.
 */
#ifndef HG_DATAPLANE_COUNTERS_H
#define HG_DATAPLANE_COUNTERS_H

#include "dataplane/dp.h"

void hg_counters_add(struct hg_retired *sum, const struct hg_flow *flow);
/* Begins anew, but stays on the list of flows to publish if it is there. */
void hg_counters_clear(struct hg_flow *flow);
/* stats: of the port's device. */
void hg_counters_add_port(struct hg_port_counts *sum, const struct hg_port *port,
			  const struct hg_dev_stats *stats);

#endif
