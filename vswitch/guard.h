/* guard: does a port speak only for itself?
 *
 * Why        S5.1: a guest that writes somebody else's address into a frame takes over his traffic, by ARP or
 *            neighbour discovery faster than by anything else.
 * Model      What was configured for the port says what is judged:
 *              mac         every source address is it: SPOOFED_MAC
 *              addresses   is all that the port sends from. IPv4 source: SPOOFED_IP4; IPv6 source: SPOOFED_IP6;
 *                          ARP sender address: SPOOFED_ARP; the target of an advertisement, and of a
 *                          duplicate address detection: SPOOFED_ND
 *              either      link-layer addresses inside ARP (sender) and neighbour discovery (options of
 *                          source and target) are the frame's own source: SPOOFED_ARP, SPOOFED_ND.
 *                          Router advertisements and redirects: ROGUE_ROUTER, unless the port may. DHCP from
 *                          a server or relay: ROGUE_DHCP, unless it may
 *            A port with neither, and an uplink, is not judged. A family of which no address is listed may not
 *            be spoken at all but for what follows; a guest that routes for others has no `addresses`.
 * Allowed    without being listed, since no host comes up without:
 *              0.0.0.0     a DHCP client's requests (RFC 2131); the sender of an ARP probe (RFC 5227)
 *              fe80::/64   the one address made of the frame's source address (RFC 4291, appendix A). Others,
 *                          of stable privacy (RFC 7217), are listed. SAVI (RFC 6620, 7513) binds
 *                          whichever comes first; a binding that is configured needs no memory that a
 *                          guest could fill, and cannot be raced for the router's address
 *              ::          neighbour solicitation of an address that the port may have (duplicate address
 *                          detection, RFC 4862), router solicitation, multicast listener reports (RFC 3590);
 *                          without a source link-layer option (RFC 4861, 7.1.1)
 * Promise    What passes is what the sentences above say, for any bytes: tags and extension headers are
 *            stepped over; each fragment has its source judged, and the first one all else, since it must
 *            hold the headers (hg_parse(), as RFC 7112 asks); neighbour discovery in fragments is
 *            refused (RFC 6980), and so is a message whose options cannot all be seen. IPv4, IPv6, ARP and tags
 *            wrapped in LLC/SNAP, which some hosts unwrap, are refused with addresses configured, since
 *            nothing here parses them.
 * Not here   VLANs (forward). What is inside a tunnel. Who may be spoken to.
 * Requires   hg_parse() said true. Memory: none. Threads: any. Errors: the reasons above.
 * Cost       A port without configuration: two fields of its struct, read. Else, with two addresses of each
 *            family: 4 ns for TCP over IPv4, 10 ns over IPv6, 2.5 ns with a MAC address alone (bench/run guard);
 *            neighbour discovery 14 to 47 ns, and at most HG_GUARD_OPTIONS_MAX steps.
 */
#ifndef HG_VSWITCH_GUARD_H
#define HG_VSWITCH_GUARD_H

#include "core/verdict.h"
#include "vswitch/pkt.h"
#include "vswitch/view.h"

/* Options in one message of neighbour discovery: RFC 4861 and its updates know of six kinds for hosts. */
#define HG_GUARD_OPTIONS_MAX 16u

static inline bool hg_guard_is_on(const struct hg_switch_port *port)
{
	return (port->has_mac || port->n_addresses > 0) && !port->is_uplink;
}

/* Whether a port that is judged may send the packet. On false *ret_reason says why not. */
HG_MUST_CHECK bool hg_guard_pass(const struct hg_switch_port *port, const struct hg_pkt *pkt,
				 enum hg_drop *ret_reason);

#endif
