/* verdict: every reason to drop a packet, to hold one, or to refuse a guest, each listed once.
 *
 * Why        A packet that vanishes without a counter, or waits without a name for what it waits for,
 *            cannot be explained to the tenant who pays for it.
 * Model      Three x-macros. Each row yields the enum, the name used in counters, metrics, JSON and
 *            `explain`, and the sentence shown to people.
 * Units      none. Memory: none. Threads: any. Errors: none.
 */
#ifndef HG_CORE_VERDICT_H
#define HG_CORE_VERDICT_H

#include <stdint.h>

/* X(enum, name, sentence) */
#define HG_DROP_REASONS(X)                                                                       \
	X(TRUNCATED, "truncated", "the frame ends before its headers do")                        \
	X(BAD_LENGTH, "bad_length", "a header's length contradicts the frame")                   \
	X(BAD_HEADER, "bad_header", "a header field has a value that cannot be")                 \
	X(BAD_OFFLOAD, "bad_offload", "the virtio-net header contradicts the frame")             \
	X(TOO_BIG, "too_big", "the frame is larger than the port's MTU allows")                  \
	X(VLAN, "vlan", "the VLAN tag is not one that the port may use")                         \
	X(SPOOFED_MAC, "spoofed_mac", "the source MAC address is not the port's")                \
	X(SPOOFED_ARP, "spoofed_arp", "the ARP sender is not the port's address")                \
	X(SPOOFED_IP4, "spoofed_ip4", "the IPv4 source is not the port's address")               \
	X(SPOOFED_IP6, "spoofed_ip6", "the IPv6 source is not the port's address")               \
	X(SPOOFED_ND, "spoofed_nd", "neighbour discovery for an address that is not the port's") \
	X(ROGUE_ROUTER, "rogue_router",                                                          \
	  "a router advertisement or redirect from a port that may not")                         \
	X(ROGUE_DHCP, "rogue_dhcp", "an answer of a DHCP server from a port that may not")       \
	X(NO_ROUTE, "no_route", "no port and no uplink leads to the destination")                \
	X(HAIRPIN, "hairpin", "the destination is the port that the frame came from")            \
	X(RESERVED, "reserved", "a link-local address that no switch forwards")                  \
	X(BROADCAST_LIMIT, "broadcast_limit", "more broadcast than the port may send")           \
	X(MULTICAST_LIMIT, "multicast_limit", "more multicast than the port may send")           \
	X(UNKNOWN_LIMIT, "unknown_limit", "more frames to unknown addresses than allowed")       \
	X(HOLD_BYTES, "hold_bytes", "the hold queue of the instance is full in bytes")           \
	X(HOLD_TIME, "hold_time", "the frame waited in the hold queue longer than allowed")      \
	X(HOLD_PKTS, "hold_pkts", "the instance holds its part of the packet buffers")           \
	X(NO_BUFFER, "no_buffer", "no free packet buffer")                                       \
	X(RING_FULL, "ring_full", "the far end's ring had no room")                              \
	X(PORT_DOWN, "port_down", "the port of the destination is down or gone")                 \
	X(REMOVED, "removed", "the instance was removed while the frame waited")                 \
	X(TX_ERROR, "tx_error", "the device refused the frame")                                  \
	X(CARD_RESET, "card_reset", "the card was reset while it had the frame")                 \
	X(MIRROR_FULL, "mirror_full", "a copy for a mirror found no room where it leads")        \
	X(MIRROR_SENT, "mirror_sent", "a mirror's destination only receives copies")

enum hg_drop {
#define X(id, name, text) HG_DROP_##id,
	HG_DROP_REASONS(X)
#undef X
		HG_N_DROPS
};

/* What holds a packet back. Exactly one is in force at a time, so that held times add up to the wait.
 * X(enum, name, sentence) */
#define HG_LIMITS(X)                                                           \
	X(NONE, "none", "nothing holds it")                                    \
	X(LINK, "link", "the link is busy with others, each within its share") \
	X(MAX, "max", "the instance's own maximum rate")                       \
	X(PKTS, "pkts", "the instance's own maximum packet rate")              \
	X(TENANT_MAX, "tenant_max", "the maximum rate of its tenant")          \
	X(TENANT_PKTS, "tenant_pkts", "the maximum packet rate of its tenant") \
	X(WINDOW, "window", "its share of the card's queue is in the card")    \
	X(PRIORITY, "priority", "instances of a higher priority go first")

enum hg_limit {
#define X(id, name, text) HG_LIMIT_##id,
	HG_LIMITS(X)
#undef X
		HG_N_LIMITS
};

/* Why the guest behind a port is not connected, or was sent away.
 * X(enum, name, sentence) */
#define HG_GUEST_REFUSALS(X)                                                           \
	X(NO_SEAT, "no_seat", "librte_vhost watches as many descriptors as it can")    \
	X(NO_DESCRIPTOR, "no_descriptor", "too few descriptors are left to headgated") \
	X(SECOND, "second", "a guest was connected at the same socket already")        \
	X(RULES, "rules", "it broke the rules of vhost-user")

enum hg_guest_refusal {
#define X(id, name, text) HG_GUEST_REFUSAL_##id,
	HG_GUEST_REFUSALS(X)
#undef X
		HG_N_GUEST_REFUSALS
};

/* Changes with the first two lists: who writes arrays of their length for another process says which it means. */
uint64_t hg_verdict_layout(void);

const char *hg_drop_name(enum hg_drop reason); /* "?" outside the list */
const char *hg_drop_text(enum hg_drop reason); /* "?" outside the list */
const char *hg_limit_name(enum hg_limit limit); /* "?" outside the list */
const char *hg_limit_text(enum hg_limit limit); /* "?" outside the list */
const char *hg_guest_refusal_name(enum hg_guest_refusal why); /* "?" outside the list */

#endif
