/* tap: an interface for containers and for the host itself, made by headgate.
 *
 * Why        What runs on the host's kernel sends segments of 64 KiB with the checksum left to do; a TAP
 *            with virtio-net headers carries them whole, five times as fast as frames.
 * Text       tap:NAME. NAME is the interface, in the namespace of cfg->netns.
 * Change     adjust gives the interface another MTU and MAC address while it is in use.
 * Life       open adopts the interface if it is there and makes it if not, persistent, with the MAC and
 *            MTU asked for, and raised. close(keep) leaves it, with its addresses and connections, for
 *            the next open, by this process or another; close without keep removes it if headgate made
 *            it (said by its alias "headgate", which outlives us), and else leaves it to whoever did.
 * Promise    Segments and partial checksums pass whole, both ways. One system call a packet.
 * Pushing    An unread TAP does not push back: its queue (txqueuelen) overflows in the kernel, which we
 * back       report as rx_dropped (sampled when something was received since the last sample). So one that
 *            headgate made has a gate (drivers/gate.h) and no queue of the stack's in front of it, and
 *            HG_DEV_RX_REFUSES: while it is held, long frames are refused in their sender's own call (counted in
 *            rx_dropped as well). Not as an uplink, not where somebody chose a queue, not where the kernel knows no gate.
 *            Writing never waits: the kernel takes the frame or drops it. Frames the kernel refuses are counted:
 *            port_down while the interface is down, tx_error for others; EAGAIN and ENOBUFS mean no
 *            memory now, and tx takes fewer.
 * Loss       The interface deleted, or its namespace gone: HG_DEV_GONE; the descriptor falls silent.
 * Threads    As driver.h. Cost: rx one readv a packet and, when they become fewer, one that finds nothing; tx one
 *            write.
 * Errors     -EBUSY another process has it, -EINVAL the interface of that name is no TAP, -EPERM,
 *            -ENOENT no such namespace, -ENOTSUP no /dev/net/tun.
 */
#ifndef HG_DRIVERS_TAP_H
#define HG_DRIVERS_TAP_H

#include "drivers/driver.h"

extern const struct hg_driver hg_driver_tap;

/* What headgate writes into the alias of interfaces that it made. */
#define HG_TAP_ALIAS "headgate"

#endif
