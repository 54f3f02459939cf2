/* vhost: a virtual machine's port, by vhost-user.
 *
 * Why        A machine's virtio card is memory that it shares with us. Frames go between it and our buffers in one
 *            copy, without the kernel, and what is not taken yet waits in the machine.
 * Text       vhost:PATH or vhost(queues=N,listen=on):PATH. PATH is the unix socket; one that does not begin with '/'
 *            lies in /run/headgate. queues: pairs that the guest may use, in [1, 16], 4 if not said.
 *            The guest's side listens and we connect, and connect again when it was away; so both may restart.
 *            listen=on: we listen, for guests that can only connect.
 * Model      librte_vhost speaks the protocol and maps the guest's memory; the rings are served here
 *            (drivers/vring.h), split or packed, with indirect descriptors and mergeable buffers. Offloads are
 *            virtio's own on both sides: checksums, segments of TCP and UDP, with the guest's consent.
 *            Several queues are received from in turn; a flow is transmitted on one queue. One that the guest gives up
 *            while it works (`ethtool -L`) is received from until it stops it, so that what lies there is not stuck.
 *            A socket is one port's, however its path is written (//, .., symbolic links).
 * Link       DOWN until the guest has set up its rings, with the reason (no socket, nobody who listens, no rings); UP
 *            then; DOWN again when it stops, goes away or breaks the rules, until it sets them up anew. Never GONE. caps and mtu follow the guest.
 *            Each time that it becomes UP is an arrival, of which its neighbours are told (dataplane/introducer.h).
 * Pushing    What is not received stays in the guest's ring, which pushes back. tx takes fewer when the guest has no
 * back       room in its ring (of several rings the full ones drop, ring_full); DOWN: all are dropped, port_down.
 *            A frame for which no buffer of the guest is long enough: too_big. One from it whose header
 *            contradicts it: bad_offload; shorter than its header: truncated; beyond 64 KiB: too_big.
 * Survival   Who connects again after either side ended has its rings served on from where they stand: a split one's used
 *            index, and a packed one's place as its descriptors show it (drivers/vring_place.h).
 * Harm       A guest that breaks the rules of its rings is left alone until it sets them up anew; one that breaks
 *            those of the protocol (drivers/vhost_rules.h) is sent away; one that takes its memory away stays DOWN until
 *            it connects again. Each with its reason, and nobody else notices.
 * Waiting    Between arm and the next rx the guest notifies us, else it is asked not to. The descriptor is
 *            one for life; it tells by its edges (EPOLLET), and is not read.
 * Telling    Of frames for it the guest is told at once, if it asks; that its own were taken, when a question
 *            or an answer was handed on; of a stream up to a millisecond later, or when there are many (core/coalesce.h). tell tells it now.
 * Threads    As driver.h. The library has two threads of its own; they close a door before they change anything
 *            and wait until the worker is out of it, which it is after each call.
 * Cost       rx, tx: a copy and some 20 ns a frame; an idle guest: no processor, and some 40 KiB, most of
 *            which is the library's (rings of 256 descriptors).
 * Room       So many guests at once, and descriptors for each (drivers/vhost_room.h); who finds none has the port say so.
 * Errors     open: -EINVAL text or path too long, -EBUSY the path has another owner (a process or a port), who is
 *            named, -ENOSPC no room to listen, -EPERM, -EIO.
 */
#ifndef HG_DRIVERS_VHOST_H
#define HG_DRIVERS_VHOST_H

#include "drivers/driver.h"

/* Where relative paths begin. Made by open where it is missing. */
#define HG_VHOST_DIRECTORY "/run/headgate"

extern const struct hg_driver hg_driver_vhost;

#endif
