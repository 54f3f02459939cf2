/* counters: what instances and ports counted, added up where their own counters end.
 *
 * Threads    Control lane; the flow or port is not written any more, or is read field by field.
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
