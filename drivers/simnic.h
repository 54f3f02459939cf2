/* simnic: a modelled card in front of any other device.
 *
 * Why        Nobody has every card at hand, and no card shows its queue exactly. With a modelled one, real
 *            kernels' TCP meets a real line rate and a real ring, and tests on virtual time are exact.
 * Model      Sending: each queue has a ring; one wire serves them. A packet ends when its wire bytes have
 *            passed at line rate, then the next is chosen. It holds its ring entries until the end; `delay`
 *            later it is handed to the inner device.
 *            A ring entry is one wire packet: a segment takes as many as the parts it will be, and fits
 *            when one is free (a card begins before it has the whole), so the ring may pass its size by
 *            one segment less one.
 *            Releasing: without a completion model the inner device's pool gets a buffer when that has taken
 *            the bytes. With one (any of complete, batch, coalesce, jitter, trace, lose) the inner device
 *            puts it back to the card, which releases it when the model says so: see simnic_card.h. Frames
 *            are not copied, so that is never before the inner device has done with them.
 *            Receiving: a line the other way. What the inner device has is read at once, passes
 *            at line rate, and can be received from its end on; up to `ring` wire packets wait for the
 *            line, more is dropped, as the switch at the far end of a real line would do.
 * Text       simnic(rate=1Gbit,ring=1024,delay=5us,in=paced,full=drop)+DEVICE
 *            rate: of wire bytes; required.  ring: wire packets in [1, 65536], of each queue, default 1024.
 *            delay: from a packet's end to the inner device, [0, 1s], default 0.
 *            in: paced (default), or free: what is received does not pass the line.
 *            full: what happens to a packet that the inner device refuses. drop (default): it is lost
 *            behind the wire and counted (ring_full). wait: deliveries stand still until there is room.
 *            queues: transmit queues, [1, 16], default 1.  arbitrate: rr (default), deficit round robin by
 *            wire bytes; strict, the lowest number first.
 *            complete: from a packet's end until the card knows that it is sent, [0, 1s], default 0; never:
 *            no buffer is released before stop.  jitter: uniform in [0, TIME] on top, [0, 1s]; the order of
 *            a queue is kept.  trace: a file of such delays instead of complete and jitter, one a line, with a
 *            unit or in ns, `#` begins a comment; read at open, used in turn and again from its start.
 *            batch: so many packets of a queue are released together, [1, 4096], default 1.  coalesce: or
 *            those that are ready so long after the first of them was, [0, 1s], default 50us; with batch.
 *            lose: that part of the buffers, in millionths, is not released before stop.
 *            seed: of jitter and lose, default 1: the same seed gives the same instants.
 *            stall, every: the wire stands for the last `stall` of every `every`, by the caller's clock.
 * Promise    Time stamps decide, not polling: over any interval what ends is at most rate * T + one
 *            packet, with the remainders of the division carried, so that the rate does not drift.
 *            Each queue in order. tx takes only what the ring has room for. After stop every buffer is back.
 * Time       Never reads a clock; the same on virtual time. now_ns must not go back.
 * Memory     Allocated at open: entries for the rings and for what the delays hold.
 * Threads    As driver.h; faults from the worker. Cost: tx and progress O(1) a packet; no
 *            system call.
 * Errors     -EINVAL (text, trace, or delays that hold more than 4 million packets), -ENOENT (no such trace),
 *            -EIO, -ENOMEM, and those of the inner device.
 * Used by    drivers/registry.c, sim.
 */
#ifndef HG_DRIVERS_SIMNIC_H
#define HG_DRIVERS_SIMNIC_H

#include "drivers/driver.h"

extern const struct hg_driver hg_driver_simnic;

/* ---- faults on command -------------------------------------------------------------------------- */

enum hg_simnic_fault_kind {
	HG_SIMNIC_STALL, /* the wire stands for for_ns from now on */
	HG_SIMNIC_LOSE, /* what ends from now on is lost by ppm; 0: no more; 1000000: never released */
	HG_SIMNIC_COMPLETE, /* `complete` becomes for_ns, in [0, that of the text] */
	HG_SIMNIC_RESET, /* rings and wire are emptied and counted (card_reset), what was sent is released */
	HG_SIMNIC_STOP_QUEUE, /* what is in the ring of `queue` stays there, and tx fills it */
	HG_SIMNIC_START_QUEUE,
};

struct hg_simnic_fault {
	enum hg_simnic_fault_kind kind;
	hg_ns for_ns; /* in [0, 1 s] */
	uint32_t ppm; /* in [0, 1000000] */
	unsigned queue;
};

/* Makes it happen at now_ns. Requires a device of this driver, started; to be called by its worker, which
 * asks progress anew. -EINVAL out of range; -ENOTSUP: LOSE and COMPLETE of a card without a completion model
 * (complete=0ns gives it one). */
HG_MUST_CHECK int hg_simnic_fault(struct hg_dev *dev, const struct hg_simnic_fault *fault,
				  hg_ns now_ns);

/* ---- the card's own count ----------------------------------------------------------------------- */

/* Of one queue, in wire packets and wire bytes. The sums never decrease; taken = ring_used + sent + aborted. */
struct hg_simnic_queue_sample {
	uint64_t taken_pkts, taken_bytes; /* by tx */
	uint64_t ring_used_pkts, ring_used_bytes; /* not yet at their end on the wire */
	uint64_t sent_pkts, sent_bytes;
	uint64_t aborted_pkts, aborted_bytes; /* by a reset or stop */
	uint64_t released_pkts,
		released_bytes; /* without a completion model: handed on or aborted */
	uint64_t unreleased_pkts, unreleased_bytes; /* taken - released: what the card has */
	uint64_t lost_pkts, lost_bytes; /* of those */
};

/* As of the last call of tx, progress or fault: exact in the worker; other threads may see counters of
 * different moments. Requires a device of this driver and queue in [0, n_tx_queues). */
void hg_simnic_sample_queue(const struct hg_dev *dev, unsigned queue,
			    struct hg_simnic_queue_sample *ret_sample);

#endif
