/* vring_place: where a packed ring stands, told by what lies in it.
 *
 * Why        After a crash nobody knows. Of a split ring the used index lies in the guest's memory; of a packed one
 *            QEMU 7.2 names the place where it was last stopped in order, mostly its beginning, and the guest's card
 *            would stand still for good.
 * Model      Laps of a ring have two colours in turn. The used bit of a descriptor has the colour of the lap in which
 *            it was used last: the driver, which makes it available again, sets it to that. So the place is where
 *            the used bit changes. Of a buffer of several descriptors only the first is written when it is used; the
 *            others look as if they were available. They are known by used ones behind them, or by the buffer's number.
 *            A burst shows its first buffer last. If the process ended in between, that one is shown now.
 * Promise    A place that fits to the ring is kept. For a ring that one device served in order, whose buffers are
 *            one descriptor each (as Linux makes them where indirect tables are agreed upon), the place found is
 *            the right one; of others where the last used buffer's tail can be told and none lies over the ring's end.
 *            Whatever lies in the ring, the place lies in it, too.
 * Cost       Three descriptors are looked at, or all. Threads: whoever sets the ring up. Errors: none.
 */
#ifndef HG_DRIVERS_VRING_PLACE_H
#define HG_DRIVERS_VRING_PLACE_H

#include "drivers/vring.h"

/* Requires a packed ring just begun, whose memory may be read and written. */
void hg_vring_find_place(struct hg_vring *ring);

#endif
