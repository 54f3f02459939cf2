/* wire: what a packet occupies of a link.
 *
 * Why        A modelled card must charge a segment what its parts will weigh, whether or not the packet
 *            lane has weighed it before.
 * Model      parts = ceil(payload / gso_bytes), at least 1; bytes = frame + 24 for each part + the headers
 *            again for each part but the first. Where the packet lane has set parts, both come from it.
 * Promise    parts in [1, HG_PARTS_MAX], bytes in [1, HG_WIRE_MAX_BYTES]: a lying header cannot pass them.
 * Requires   A driver's rx and whoever makes a packet sets parts = 0, wire_bytes = 0.
 * Memory     none. Threads: any. Cost: one division for a segment not weighed before. Errors: none.
 */
#ifndef HG_DRIVERS_WIRE_H
#define HG_DRIVERS_WIRE_H

#include "vswitch/pkt.h"

struct hg_wire {
	uint32_t parts;
	uint32_t bytes;
};

struct hg_wire hg_wire_weigh(const struct hg_pkt *pkt);

#endif
