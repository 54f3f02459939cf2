/* capture: packets of a port, shown to the control lane.
 *
 * Why        An operator who looks at a port must see its packets, as they are there, without the packets noticing.
 * Model      A capture is one entry in the lane's table. The worker that polls the port runs the filter, copies
 *            the first bytes of what passes into the capture's spool, and goes on. The control lane fetches.
 * Promise    Bounded: HG_CAPTURE_SPOOL_BYTES of memory each, HG_CAPTURE_BYTES_PER_S of copying, a filter
 *            without loops. What does not fit is counted as missed; no packet waits or is lost for it.
 *            A capture of a port that is removed ends; one whose device goes and comes back goes on.
 * Time       Packets carry the time of the worker's turn; the control lane's side turns it into real time.
 * Threads    hg_capture_show: the worker that polls the port, the same for as long as the port is there. The rest:
 *            the control lane.
 * Errors     open: -EBUSY with who has them, -EINVAL for the filter, -ENOMEM.
 * Used by    dataplane/watching.c, dataplane/apply.c; hg_dp_capture_*() of dataplane/dataplane.h are here too.
 */
#ifndef HG_DATAPLANE_CAPTURE_H
#define HG_DATAPLANE_CAPTURE_H

#include "core/bucket.h"
#include "core/capture.h"
#include "core/spool.h"
#include "dataplane/dp.h"

/* What may come in 16 ms: three times what comes between two looks of who fetches. */
#define HG_CAPTURE_SPOOL_BYTES (4u * 1024u * 1024u)
/* 2 Gbit/s: a thirtieth of a worker's time, at the 8 GB/s that a processor copies. */
#define HG_CAPTURE_BYTES_PER_S UINT64_C(250000000)
#define HG_CAPTURE_BURST_BYTES (2u * 1024u * 1024u)
/* What a packet costs beside its bytes: some 30 ns, in which 256 bytes are copied. */
#define HG_CAPTURE_PKT_BYTES 256u

struct hg_capture {
	/* Fixed. */
	struct hg_capture_cfg cfg;
	char port[HG_NAME_BYTES];
	uint32_t slot, since; /* of the port; struct hg_snapshot */
	void *memory;

	/* The worker's. */
	struct hg_bucket bucket;
	_Atomic uint64_t passed_pkts, missed_pkts;

	/* The control lane's. */
	const char *ended;
	hg_ns real_ns; /* how far real time is ahead of the workers' clock */

	struct hg_spool spool; /* each side has its own lines */
};

/* Shows a burst to the captures of the port. */
void hg_capture_show(struct hg_worker *w, const struct hg_port *port, struct hg_pkt *const *pkts,
		     unsigned n, enum hg_dir dir);

/* After a change: captures of ports that are gone end, devices that were opened anew are looked at. */
void hg_capture_follow(struct hg_dp *dp);
/* No worker runs any more. */
void hg_capture_destroy_all(struct hg_dp *dp);

#endif
