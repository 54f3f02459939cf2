/* xdp: AF_XDP on a veth or a card.
 *
 * Why        Small packets without a system call each; and a card that the host itself goes on using.
 * Text       xdp:NAME. NAME is the interface, in the namespace of cfg->netns.
 * Model      As an uplink (cfg->is_uplink) it takes only frames for the addresses of set_macs, and frames for
 *            groups from a packet socket beside it, which the host's stack gets as well; everything else
 *            is the host's. As a port it takes every frame. Its program vanishes with the process.
 *            Frames are copied between the pool's buffers and the socket's own memory.
 * Ownership  A packet transmitted goes back to the pool when the kernel says that the frame has left: it
 *            is consumed at the far end of a veth, or sent by the card.
 * Needs      Caps are 0: whole frames with complete checksums, both ways. On a veth the far end must be told
 *            so (`ethtool -K IF tx off txvlan off`), since a checksum left to do is lost on the way. One
 *            receive queue (`ethtool -L IF combined 1`). MTU up to 3,800.
 * Pushing    The socket's receive ring (1,024 frames) overflows in the kernel: rx_dropped. tx takes fewer
 * back       while the 1,024 frames for sending are on their way; frames over the MTU are dropped (too_big).
 * Loss       The interface deleted, or its namespace: HG_DEV_GONE.
 * Memory     4 MiB a device, 8 MiB with an MTU over 1,700.
 * Threads    As driver.h. Cost: rx no system call but, for an uplink, one for each empty turn and each 16th
 *            other; tx one for each burst of 32.
 * Errors     -ENOENT, -EBUSY another headgate or another XDP program, -EPERM, -ENOTSUP several queues, a
 *            larger MTU, no AF_XDP in the kernel; -ENOMEM.
 */
#ifndef HG_DRIVERS_XDP_H
#define HG_DRIVERS_XDP_H

#include "drivers/driver.h"

extern const struct hg_driver hg_driver_xdp;

#endif
