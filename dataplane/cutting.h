/* cutting: how long a segment may be in front of others (S2.15).
 *
 * Why        A segment goes as one: while 64 KiB pass a slow link, or use up a slow contract, nobody else's
 *            packet does. What would take longer than the uplink's cut_ns is cut before it is scheduled.
 * Model      At each rate r that a segment has to pass:  wire bytes <= r * cut_ns  (and packets likewise
 *            where a packet rate is set); at least one packet.
 *              leaves by the uplink      capacity, maxima of the instance and its tenant for sending
 *              stays on the host         those maxima
 *              is received               their maxima for receiving
 *            By the maxima in force: who is only observed is cut for the link's sake alone, and nothing is
 *            cut on a host that only observes.
 * Units      wire bytes, wire packets. Memory: none. Threads: any. Errors: none.
 * Used by    dataplane/build.c, which puts it into the snapshot, and whoever sizes a card's queue.
 */
#ifndef HG_DATAPLANE_CUTTING_H
#define HG_DATAPLANE_CUTTING_H

#include "core/desired.h"
#include "dataplane/snapshot.h"

/* Where nothing is cut. */
static inline struct hg_cut hg_cutting_none(void)
{
	return (struct hg_cut){.wire_bytes = UINT32_MAX, .parts = UINT32_MAX};
}

/* Lowers the bound to what passes a rate in cut_ns. 0: no such rate; cut_ns 0: never cut. */
void hg_cutting_lower(struct hg_cut *cut, hg_ns cut_ns, uint64_t bytes_per_s, uint64_t pkts_per_s);

/* The most that stands in front of others as one on this uplink: a full frame, or what a segment is cut to.
 * Where segments are not cut, one of 64 KiB in full frames; a guest may choose smaller frames that weigh
 * more. */
uint32_t hg_cutting_largest_bytes(const struct hg_desired_uplink *uplink);

#endif
