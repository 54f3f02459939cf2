/* introducer: a guest whose link was away, and its neighbours, told of one another.
 *
 * Why        S7.11. A kernel whose link goes away forgets its neighbours. What its programs send next makes it ask for
 *            them, and while the link is away that question goes nowhere: Linux drops it in the queue that stands in
 *            for the card's (noop), before anybody else could see or keep it, and asks again after a second. So when
 *            headgate restarts, or a machine's link goes down and up, the machine is silent for a second that nobody
 *            needs. Measured, QEMU and Linux 6.1: 1,060 ms in four of six planned restarts.
 * Model      When a far side has become ready (hg_driver.arrival) its port P is introduced, in rounds; a round is
 *              to the uplink             the addresses of P
 *              to each neighbour Q       the addresses of P
 *              to P                      the addresses of each neighbour Q
 *            as announcements (vswitch/announce.h). Neighbours are the ports of the same tenant in the same (untagged)
 *            VLAN, as for whatever P sends itself; those that are not ready are left out, and are introduced when they
 *            are. An announcement answers a question that is open (RFC 826; RFC 4861, 7.2.5), whether it was
 *            heard or not: the kernel then sends what it kept. It makes no new entry in a Linux kernel
 *            (arp_accept, accept_untracked_na: 0), so that nobody's table grows by it.
 * True       Only addresses that are configured for a port that has a configured MAC address, and for no other port in
 *            that VLAN: what the guard (vswitch/guard.h) holds these ports to. Without them nothing is said.
 * Rounds     HG_INTRODUCER_ROUNDS, the second after FIRST_PAUSE, each later pause twice the one before, 630 ms in
 *            all: the guest's rings run before its kernel uses them again, and what is lost in between takes no
 *            longer than twice that.
 * Bound      A worker sends 16 frames every 125 us at most for all of its ports in turn, 128 in a ms, whatever comes back
 *            at once: 256 machines of one tenant, 130,000 frames, are through one round in a second. A second after it came
 *            back (HG_INTRODUCER_FOR_NS) no more is sent for a port: by then kernels ask again. No instance is charged
 *            with it, and no contract holds it.
 * Shown      `introductions` of a port: frames sent because its guest was back.
 * Not here   Neighbours beyond the uplink, whose addresses nobody here knows: they are told of P, and P has to ask them.
 * Threads    The port's worker. Cost: nothing returns: one comparison a housekeeping, one call for each event of a device
 *            that has `arrival`; a packet passes nothing of it. Else up to 3 us a frame, most of it to wake the machine
 *            that gets it (250 machines at once, on a busy processor).
 * Errors     none; without a buffer a frame is left out and counted (no_buffer).
 */
#ifndef HG_DATAPLANE_INTRODUCER_H
#define HG_DATAPLANE_INTRODUCER_H

#include "dataplane/worker.h"

#define HG_INTRODUCER_ROUNDS 7u
#define HG_INTRODUCER_FOR_NS (1 * HG_NS_PER_S)

/* The device's descriptor told of something: its far side may be back. */
void hg_introducer_notice(struct hg_worker *w, struct hg_port *port);
/* In housekeeping: sends what is due. */
void hg_introducer_look(struct hg_worker *w);

#endif
