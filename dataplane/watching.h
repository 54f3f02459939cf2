/* watching: who looks at the packets of a port: mirrors, which copy them to another port, and captures.
 *
 * Why        An operator has to see what a port carries. Whoever looks must cost nothing while nobody looks, and
 *            must never hold up, reorder or starve what is looked at.
 * Model      A port has one byte that says whether anybody looks: one test for each burst received and each
 *            burst transmitted. Received packets are seen before anything is decided about them, as they came;
 *            transmitted ones when they are given to the device for the first time, as it gets them: split and
 *            summed where it cannot do that itself. What headgate or the device drops later was seen.
 *              mirror   a copy in buffers of the pool, collected and sent once a turn into the tree for
 *                       receiving, as what the destination's instance receives
 *              capture  a record in the capture's spool, read by the control lane; dataplane/capture.h
 * Promise    Copies wait only in the destination's own queue. They are made only of packets that can be parsed,
 *            while more than an eighth of the buffers is free, and within HG_MIRROR_BYTES_PER_S of a worker;
 *            and pass to another worker only through the emptier half of the ring. All others are counted
 *            as HG_DROP_MIRROR_FULL, on the port that is mirrored, or on the destination.
 *            What a mirror's destination sends is dropped: HG_DROP_MIRROR_SENT.
 * Threads    The worker that polls the port. hg_watching_announce and _settle: the control lane, which alone
 *            writes a port's byte; what to do stands in the snapshot, so that a mirror changes with it.
 * Cost       Nobody looks: a load and a branch a burst. A mirror: one copy a packet.
 * Used by    dataplane/path.c, dataplane/transmit.c, dataplane/apply.c.
 */
#ifndef HG_DATAPLANE_WATCHING_H
#define HG_DATAPLANE_WATCHING_H

#include "core/bucket.h"
#include "dataplane/worker.h"

/* What a worker copies for mirrors. 10 Gbit/s: a fifth of its time, at the 8 GB/s that a processor copies and
 * with what a packet costs beside its bytes; the rest stays for those who are mirrored. */
#define HG_MIRROR_BYTES_PER_S UINT64_C(1250000000)
/* One turn's copies of one port: bursts of whole segments. */
#define HG_MIRROR_BURST_BYTES (4u * 1024u * 1024u)
/* What a copy costs beside its bytes: some 80 ns, in which 512 bytes are copied. */
#define HG_MIRROR_PKT_BYTES 512u

/* Why a port is watched: bits of struct hg_port's `watched`. */
enum { HG_WATCHED_MIRROR = 1u << 0, HG_WATCHED_CAPTURE = 1u << 1 };

static inline uint8_t hg_watching(const struct hg_port *port)
{
	return atomic_load_explicit(&port->watched, memory_order_relaxed);
}

/* Shows what the port received; the packets are not parsed yet. Returns how many of them go on: none where the
 * port is a mirror's destination, and then they were dropped. */
unsigned hg_watching_received(struct hg_worker *w, struct hg_port *port, struct hg_pkt *const *pkts,
			      unsigned n);
/* Shows what the device is about to get. */
void hg_watching_transmitted(struct hg_worker *w, struct hg_port *port, struct hg_pkt *const *pkts,
			     unsigned n);

/* Sends the copies that were collected on their way; once a turn, before the trees are served. */
void hg_watching_send_copies(struct hg_worker *w);

void hg_watching_init(struct hg_worker *w, hg_ns now_ns);

/* Before a snapshot is handed over: ports that it mirrors are looked at. Afterwards: only those. */
void hg_watching_announce(const struct hg_snapshot *s);
void hg_watching_settle(const struct hg_snapshot *s);

#endif
