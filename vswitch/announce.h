/* announce: what a switch says for an instance that has just arrived.
 *
 * Why        An instance that moves to another host is still where the neighbours' tables say: switches keep sending to
 *            its old port, and hosts to an address that somebody else may have had. It does not know that it
 *            moved, so its new host speaks for it, and the world finds it at once instead of after minutes.
 * Model      One frame for each address, from the instance's own MAC, to everybody in its VLAN:
 *              IPv4       ARP announcement: a request for the address by itself (RFC 5227, 2.3)
 *              IPv6       unsolicited neighbour advertisement, to all nodes, override (RFC 4861, 7.2.6)
 *              none known a reverse ARP request (RFC 903), as QEMU sends after a migration: it tells switches
 *                         where the MAC is, and nobody anything else
 *            A frame can be lost, and a port that has just come up may not forward yet: so there are
 *            HG_ANNOUNCE_ROUNDS of them, with growing pauses, as QEMU's announce-self has by default.
 * Units      ns, bytes. Time: none here; the schedule is told as pauses. Memory: the caller's.
 * Threads    Any. Cost: some 100 ns a frame. Errors: none.
 * Used by    dataplane/announcer.
 */
#ifndef HG_VSWITCH_ANNOUNCE_H
#define HG_VSWITCH_ANNOUNCE_H

#include "core/desired.h"

#define HG_ANNOUNCE_ROUNDS 5u
/* Ethernet (14), IPv6 (40), advertisement with the address of the link layer (32). */
#define HG_ANNOUNCE_FRAME_BYTES 86u

struct hg_announcement {
	uint8_t mac[HG_MAC_BYTES];
	struct hg_address address; /* len 0: none is known */
};

/* Writes the frame, without a tag, and returns its length. */
uint32_t hg_announce_build(const struct hg_announcement *announcement,
			   uint8_t ret_frame[HG_ANNOUNCE_FRAME_BYTES]);

/* The pause before a round, counted from 0: after the one before it; the first goes at once. */
hg_ns hg_announce_pause_ns(unsigned round);

#endif
