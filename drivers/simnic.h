/* simnic: a modelled card in front of any other device.
 *
 * Why        Nobody has every card at hand, and no card shows its queue exactly. With a modelled one, real
 *            kernels' TCP meets a real line rate and a real ring, and tests on virtual time are exact.
 * Model      Sending: a packet accepted at t starts at max(t, end of the one before), and ends when its
 *            wire bytes have passed at line rate. It holds its ring entries until the end; `delay` later
 *            it is handed to the inner device, whose pool gets it back when that has taken the bytes.
 *            A ring entry is one wire packet: a segment takes as many as the parts it will be, and fits
 *            when one is free (a card begins before it has the whole), so the ring may pass its size by
 *            one segment less one.
 *            Receiving: the same line the other way. What the inner device has is read at once, passes
 *            at line rate, and can be received from its end on; up to `ring` wire packets wait for the
 *            line, more is dropped, as the switch at the far end of a real line would do.
 * Text       simnic(rate=1Gbit,ring=1024,delay=5us,in=paced,full=drop)+DEVICE
 *            rate: of wire bytes; required.  ring: wire packets in [1, 65536], default 1024.
 *            delay: from a packet's end to the inner device, [0, 1s], default 0.
 *            in: paced (default), or free: what is received does not pass the line.
 *            full: what happens to a packet that the inner device refuses. drop (default): it is lost
 *            behind the wire and counted (ring_full). wait: the line stands still until there is room.
 * Promise    Time stamps decide, not polling: over any interval what ends is at most rate * T + one
 *            packet, with the remainders of the division carried, so that the rate does not drift.
 *            In order. tx takes only what the ring has room for.
 * Time       Never reads a clock; the same on virtual time. now_ns must not go back.
 * Memory     Allocated at open: entries for the rings and for what the delay holds.
 * Threads    As driver.h. Cost: tx and progress O(1) a packet, one division each; no system call.
 * Errors     -EINVAL (text, or a delay that holds more than 4 million packets), -ENOMEM.
 * Used by    drivers/registry.c, sim.
 */
#ifndef HG_DRIVERS_SIMNIC_H
#define HG_DRIVERS_SIMNIC_H

#include "drivers/driver.h"

extern const struct hg_driver hg_driver_simnic;

#endif
