/* run: packets of one burst with the same way, gone on with as one.
 *
 * Why        Most bursts are of one sender to one receiver. What is found, counted and decided for such a run once
 *            costs its packets little, and where nothing holds them they need not stand in a scheduler
 *            (hg_sched_pass).
 * Model      Packets that one port delivered, in their order, as long as they leave by the same port. A run ends with
 *            the burst, or with a packet that goes elsewhere; then it passes the sender's scheduler, the
 *            receiver's, and is staged for the port; a whole burst for an uplink goes to the card at once. At the first
 *            of these where it does not pass as a whole, its packets go on one by one (hg_path_stage), which makes the
 *            same of them.
 * Promise    Packets of one port to another keep their order, whichever way they take: a run passes only a scheduler
 *            for which nothing is collected, and in which its instance has nothing queued.
 * Threads    The worker's own. Cost: per packet a few stores. Errors: none; drops as without it.
 */
#ifndef HG_DATAPLANE_RUN_H
#define HG_DATAPLANE_RUN_H

#include "dataplane/path_impl.h"

struct hg_run {
	struct hg_pkt *pkts[HG_BURST_PKTS];
	uint32_t loads[HG_BURST_PKTS]; /* as struct hg_sched_item has them */
	uint32_t n, bytes, parts;
	uint32_t from_instance; /* HG_SLOT_NONE: from an uplink */
	uint32_t out_port_idx;
};

/* Nothing is collected of a burst from a port of this instance. */
static inline void hg_run_begin(struct hg_run *run, uint32_t from_instance)
{
	run->n = run->bytes = run->parts = 0;
	run->from_instance = from_instance;
}

/* Goes on with what is collected. */
void hg_run_end(struct hg_worker *w, struct hg_run *run);

/* Adds a packet that is weighed and knows where it leaves. At most HG_BURST_PKTS from begin or end on are for the same
 * port; more are two runs. */
static inline void hg_run_add(struct hg_worker *w, struct hg_run *run, struct hg_pkt *pkt)
{
	if (HG_UNLIKELY(run->n > 0 &&
			(pkt->out_port_idx != run->out_port_idx || run->n == HG_BURST_PKTS)))
		hg_run_end(w, run);
	run->out_port_idx = pkt->out_port_idx;
	run->pkts[run->n] = pkt;
	run->loads[run->n++] = hg_path_item(pkt).load;
	run->bytes += pkt->wire_bytes;
	run->parts += pkt->parts;
}

#endif
