#include "vswitch/guard.h"

#include "vswitch/bytes.h"
#include "vswitch/proto.h"

#include <string.h>

/* What a step returns when it found nothing wrong: no reason of the list. */
#define PASS HG_N_DROPS

#define IP6_BYTES 16u

static const uint8_t unspecified[IP6_BYTES];

static inline bool is_own(const struct hg_switch_port *port, const uint8_t *bytes, uint8_t len)
{
	for (uint32_t i = 0; i < port->n_addresses; i++) {
		const struct hg_address *a = &port->addresses[i];

		if (a->len == len && memcmp(a->bytes, bytes, len) == 0)
			return true;
	}
	return false;
}

/* fe80::/64 with the modified EUI-64 of the MAC address. */
static bool is_link_local_of(const uint8_t *mac, const uint8_t *ip)
{
	const uint8_t made[IP6_BYTES] = {0xfe, 0x80,   0,           0,      0,      0,
					 0,    0,      mac[0] ^ 2u, mac[1], mac[2], 0xff,
					 0xfe, mac[3], mac[4],      mac[5]};

	return memcmp(made, ip, IP6_BYTES) == 0;
}

/* May the port have this IPv6 address? */
static bool may_have(const struct hg_switch_port *port, const struct hg_pkt *pkt, const uint8_t *ip)
{
	return port->n_addresses == 0 || is_own(port, ip, IP6_BYTES) ||
	       is_link_local_of(pkt->data + HG_MAC_BYTES, ip);
}

static inline bool is_frames_source(const struct hg_pkt *pkt, const uint8_t *mac)
{
	return memcmp(pkt->data + HG_MAC_BYTES, mac, HG_MAC_BYTES) == 0;
}

/* ---- UDP ---------------------------------------------------------------------------------------- */

/* Clients do not ask where an answer came from, so that it is known by where it goes. */
static enum hg_drop check_dhcp(const struct hg_switch_port *port, const struct hg_pkt *pkt,
			       uint32_t server, uint32_t client)
{
	const uint8_t *udp = pkt->data + pkt->l4_offset;

	if (pkt->ip_proto != HG_IP_UDP || port->may_serve_dhcp)
		return PASS;
	if (hg_bytes_get16(udp) == server || hg_bytes_get16(udp + 2) == client)
		return HG_DROP_ROGUE_DHCP;
	return PASS;
}

/* ---- IPv4 and ARP ------------------------------------------------------------------------------- */

static bool is_dhcp_request(const struct hg_pkt *pkt)
{
	const uint8_t *udp = pkt->data + pkt->l4_offset;

	return pkt->ip_proto == HG_IP_UDP && !pkt->is_fragment &&
	       hg_bytes_get16(udp) == HG_UDP_DHCP_CLIENT &&
	       hg_bytes_get16(udp + 2) == HG_UDP_DHCP_SERVER;
}

static inline enum hg_drop check_ip4(const struct hg_switch_port *port, const struct hg_pkt *pkt)
{
	const uint8_t *source = pkt->data + pkt->l3_offset + HG_IP4_SOURCE_OFFSET;

	if (port->n_addresses > 0 && HG_UNLIKELY(!is_own(port, source, 4)) &&
	    !(hg_bytes_get32(source) == 0 && is_dhcp_request(pkt)))
		return HG_DROP_SPOOFED_IP4;
	return check_dhcp(port, pkt, HG_UDP_DHCP_SERVER, HG_UDP_DHCP_CLIENT);
}

static enum hg_drop check_arp(const struct hg_switch_port *port, const struct hg_pkt *pkt)
{
	const uint8_t *arp = pkt->data + pkt->l3_offset;
	const uint8_t *sender = arp + HG_ARP_SENDER_OFFSET;
	bool is_probe = hg_bytes_get16(arp + HG_ARP_OP_OFFSET) == HG_ARP_REQUEST &&
			hg_bytes_get32(sender + HG_MAC_BYTES) == 0;

	if (!is_frames_source(pkt, sender))
		return HG_DROP_SPOOFED_ARP;
	if (port->n_addresses > 0 && !is_probe && !is_own(port, sender + HG_MAC_BYTES, 4))
		return HG_DROP_SPOOFED_ARP;
	return PASS;
}

/* ---- IPv6 and neighbour discovery --------------------------------------------------------------- */

/* Every option up to the end of the message, in the first buffer. Those that give a link-layer address give
 * the frame's source; there is none of a source where has_source is false. */
static bool are_options_right(const struct hg_pkt *pkt, uint32_t at, bool has_source)
{
	uint32_t end_at = pkt->l3_offset + HG_IP6_BYTES +
			  hg_bytes_get16(pkt->data + pkt->l3_offset + HG_IP6_LENGTH_OFFSET);

	if (end_at > pkt->n_bytes || at > end_at)
		return false;
	for (unsigned i = 0; at < end_at; i++) {
		const uint8_t *option = pkt->data + at;

		/* Counted in 8 bytes; 0 is what RFC 4861 has the message discarded for. */
		if (i == HG_GUARD_OPTIONS_MAX || at + 8u > end_at || option[1] == 0 ||
		    at + option[1] * 8u > end_at)
			return false;
		if (option[0] == HG_ND_OPTION_SOURCE && !has_source)
			return false;
		if ((option[0] == HG_ND_OPTION_SOURCE || option[0] == HG_ND_OPTION_TARGET) &&
		    (option[1] != 1 || !is_frames_source(pkt, option + 2)))
			return false;
		at += option[1] * 8u;
	}
	return true;
}

static enum hg_drop check_nd(const struct hg_switch_port *port, const struct hg_pkt *pkt,
			     bool has_source)
{
	const uint8_t *icmp = pkt->data + pkt->l4_offset;
	uint32_t type = icmp[0], n_fixed = HG_ND_BYTES;

	if (type < HG_ND_ROUTER_SOLICIT || type > HG_ND_REDIRECT)
		return PASS;
	/* What these say, and of whom, is then theirs. */
	if (type == HG_ND_ROUTER_ADVERT || type == HG_ND_REDIRECT)
		return port->may_route ? PASS : HG_DROP_ROGUE_ROUTER;
	if (pkt->is_fragment)
		return HG_DROP_SPOOFED_ND;
	if (type == HG_ND_ROUTER_SOLICIT)
		n_fixed = HG_ND_ROUTER_SOLICIT_BYTES;
	else if ((type == HG_ND_ADVERT || !has_source) &&
		 !may_have(port, pkt, icmp + HG_ND_TARGET_OFFSET))
		return HG_DROP_SPOOFED_ND;
	return are_options_right(pkt, pkt->l4_offset + n_fixed, has_source) ? PASS
									    : HG_DROP_SPOOFED_ND;
}

/* What a host sends before it has an address. */
static bool may_be_unspecified(const struct hg_pkt *pkt)
{
	if (pkt->ip_proto != HG_IP_ICMP6 || pkt->is_fragment)
		return false;
	switch (pkt->data[pkt->l4_offset]) {
	case HG_ND_SOLICIT:
	case HG_ND_ROUTER_SOLICIT:
	case HG_MLD_REPORT:
	case HG_MLD_DONE:
	case HG_MLD2_REPORT:
		return true;
	default:
		return false;
	}
}

static HG_NOINLINE enum hg_drop check_ip6(const struct hg_switch_port *port,
					  const struct hg_pkt *pkt)
{
	const uint8_t *source = pkt->data + pkt->l3_offset + HG_IP6_SOURCE_OFFSET;
	bool has_source = memcmp(source, unspecified, IP6_BYTES) != 0;

	if (port->n_addresses > 0 &&
	    !(has_source ? may_have(port, pkt, source) : may_be_unspecified(pkt)))
		return HG_DROP_SPOOFED_IP6;
	if (pkt->ip_proto == HG_IP_ICMP6)
		return check_nd(port, pkt, has_source);
	return check_dhcp(port, pkt, HG_UDP_DHCP6_SERVER, HG_UDP_DHCP6_CLIENT);
}

/* ---- the rest ----------------------------------------------------------------------------------- */

/* A length, LLC with SNAP, and behind it what would have been judged (RFC 1042). */
static enum hg_drop check_other(const struct hg_switch_port *port, const struct hg_pkt *pkt)
{
	static const uint8_t snap[3] = {0xaa, 0xaa, 0x03};
	const uint8_t *llc = pkt->data + pkt->l3_offset;

	if (port->n_addresses == 0 || pkt->ethertype >= HG_ETHERTYPE_MIN ||
	    pkt->l3_offset + 8u > pkt->n_bytes || memcmp(llc, snap, sizeof(snap)) != 0)
		return PASS;
	switch (hg_bytes_get16(llc + 6)) {
	case HG_ETHERTYPE_IP4:
		return HG_DROP_SPOOFED_IP4;
	case HG_ETHERTYPE_ARP:
		return HG_DROP_SPOOFED_ARP;
	case HG_ETHERTYPE_IP6:
		return HG_DROP_SPOOFED_IP6;
	case HG_ETHERTYPE_VLAN:
	case HG_ETHERTYPE_SVLAN:
		return HG_DROP_VLAN;
	default:
		return PASS;
	}
}

static HG_NOINLINE enum hg_drop check_uncommon(const struct hg_switch_port *port,
					       const struct hg_pkt *pkt)
{
	switch (pkt->l3) {
	case HG_L3_ARP:
		return check_arp(port, pkt);
	case HG_L3_IP6:
		return check_ip6(port, pkt);
	default:
		return check_other(port, pkt);
	}
}

bool hg_guard_pass(const struct hg_switch_port *port, const struct hg_pkt *pkt,
		   enum hg_drop *ret_reason)
{
	enum hg_drop reason;

	if (HG_UNLIKELY(port->has_mac && !is_frames_source(pkt, port->mac)))
		reason = HG_DROP_SPOOFED_MAC;
	else if (HG_LIKELY(pkt->l3 == HG_L3_IP4))
		reason = check_ip4(port, pkt);
	else
		reason = check_uncommon(port, pkt);
	if (HG_LIKELY(reason == PASS))
		return true;
	*ret_reason = reason;
	return false;
}
