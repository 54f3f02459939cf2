#include "vswitch/parse.h"

#include "vswitch/bytes.h"
#include "vswitch/proto.h"

/* What a step returns when it found nothing wrong: no reason of the list. */
#define PASS HG_N_DROPS

/* Where the network headers may end, so that the longest transport header (TCP with all its options) still
 * ends in bounds. IPv4 cannot get that far. */
#define NETWORK_MAX_BYTES (HG_PARSE_HEADERS_MAX_BYTES - 60u)

/* A header that must end at `end_at`: inside what IP says there is, and inside the first buffer. */
static inline enum hg_drop check_room(const struct hg_pkt *pkt, uint32_t end_at, uint32_t ip_end)
{
	if (HG_UNLIKELY(end_at > ip_end))
		return HG_DROP_BAD_LENGTH;
	return HG_UNLIKELY(end_at > pkt->n_bytes) ? HG_DROP_TRUNCATED : PASS;
}

static inline bool is_tag(uint32_t ethertype)
{
	return ethertype == HG_ETHERTYPE_VLAN || ethertype == HG_ETHERTYPE_SVLAN;
}

static HG_NOINLINE enum hg_drop parse_tags(struct hg_pkt *pkt)
{
	const uint8_t *d = pkt->data;

	for (unsigned i = 0; is_tag(pkt->ethertype); i++) {
		uint32_t at = pkt->l3_offset;

		if (i == HG_VLAN_TAGS_MAX)
			return HG_DROP_BAD_HEADER;
		if (at + HG_VLAN_TAG_BYTES > pkt->n_bytes)
			return HG_DROP_TRUNCATED;
		if (i == 0) {
			pkt->vlan = hg_bytes_get16(d + at) & 0x0fffu;
			pkt->pcp = (uint8_t)(d[at] >> 5);
		}
		pkt->ethertype = hg_bytes_get16(d + at + 2);
		pkt->l3_offset = (uint16_t)(at + HG_VLAN_TAG_BYTES);
	}
	return PASS;
}

static inline enum hg_drop parse_tcp(struct hg_pkt *pkt, uint32_t at, uint32_t ip_end)
{
	enum hg_drop reason = check_room(pkt, at + HG_TCP_BYTES, ip_end);
	uint32_t n_header;

	if (HG_UNLIKELY(reason != PASS))
		return reason;
	n_header = (pkt->data[at + 12] >> 4) * 4u;
	if (HG_UNLIKELY(n_header < HG_TCP_BYTES))
		return HG_DROP_BAD_HEADER;
	pkt->payload_offset = (uint16_t)(at + n_header);
	return check_room(pkt, at + n_header, ip_end);
}

static inline enum hg_drop parse_udp(struct hg_pkt *pkt, uint32_t at, uint32_t ip_end)
{
	enum hg_drop reason = check_room(pkt, at + HG_UDP_BYTES, ip_end);
	uint32_t n_udp;

	if (HG_UNLIKELY(reason != PASS))
		return reason;
	n_udp = hg_bytes_get16(pkt->data + at + 4);
	/* The first fragment of a datagram holds only part of it. */
	if (HG_UNLIKELY(n_udp < HG_UDP_BYTES || (at + n_udp > ip_end && !pkt->is_fragment)))
		return HG_DROP_BAD_LENGTH;
	pkt->payload_offset = (uint16_t)(at + HG_UDP_BYTES);
	return PASS;
}

static enum hg_drop parse_icmp6(struct hg_pkt *pkt, uint32_t at, uint32_t ip_end)
{
	enum hg_drop reason = check_room(pkt, at + HG_ICMP6_BYTES, ip_end);
	uint32_t type;

	if (reason != PASS)
		return reason;
	type = pkt->data[at];
	pkt->payload_offset = (uint16_t)(at + HG_ICMP6_BYTES);
	if (type == HG_ND_SOLICIT || type == HG_ND_ADVERT)
		return check_room(pkt, at + HG_ND_BYTES, ip_end);
	return PASS;
}

static inline enum hg_drop parse_transport(struct hg_pkt *pkt, uint32_t proto, uint32_t at,
					   uint32_t ip_end)
{
	pkt->ip_proto = (uint8_t)proto;
	pkt->l4_offset = (uint16_t)at;
	pkt->payload_offset = (uint16_t)at;
	if (HG_LIKELY(proto == HG_IP_TCP))
		return parse_tcp(pkt, at, ip_end);
	switch (proto) {
	case HG_IP_UDP:
		return parse_udp(pkt, at, ip_end);
	case HG_IP_ICMP:
		pkt->payload_offset = (uint16_t)(at + HG_ICMP_BYTES);
		return check_room(pkt, at + HG_ICMP_BYTES, ip_end);
	case HG_IP_ICMP6:
		return parse_icmp6(pkt, at, ip_end);
	default:
		return PASS;
	}
}

static inline enum hg_drop parse_ip4(struct hg_pkt *pkt)
{
	const uint8_t *ip = pkt->data + pkt->l3_offset;
	uint32_t at = pkt->l3_offset, n_header, n_ip, fragment;

	if (HG_UNLIKELY(at + HG_IP4_BYTES > pkt->n_bytes))
		return HG_DROP_TRUNCATED;
	n_header = (ip[0] & 0x0fu) * 4u;
	n_ip = hg_bytes_get16(ip + 2);
	if (HG_UNLIKELY(ip[0] >> 4 != 4 || n_header < HG_IP4_BYTES))
		return HG_DROP_BAD_HEADER;
	if (HG_UNLIKELY(n_ip < n_header || at + n_ip > pkt->total_bytes))
		return HG_DROP_BAD_LENGTH;
	if (HG_UNLIKELY(at + n_header > pkt->n_bytes))
		return HG_DROP_TRUNCATED;
	pkt->l3 = HG_L3_IP4;
	pkt->tos = ip[1];
	fragment = hg_bytes_get16(ip + 6) & 0x3fffu;
	if (HG_UNLIKELY(fragment != 0)) {
		uint32_t offset_bytes = (fragment & 0x1fffu) * 8u;

		pkt->is_fragment = true;
		if (offset_bytes + n_ip > 65535u)
			return HG_DROP_BAD_LENGTH;
		if (offset_bytes > 0)
			return PASS;
	}
	return parse_transport(pkt, ip[9], at + n_header, at + n_ip);
}

static inline bool is_extension(uint32_t proto)
{
	return proto == HG_IP_HOP_BY_HOP || proto == HG_IP_ROUTING || proto == HG_IP_FRAGMENT ||
	       proto == HG_IP_AUTH || proto == HG_IP_DEST_OPTIONS || proto == HG_IP_MOBILITY;
}

/* Walks the extension headers from *at on; then *proto is what follows at *at, or HG_IP_NOTHING. */
static HG_NOINLINE enum hg_drop parse_extensions(struct hg_pkt *pkt, uint32_t *proto, uint32_t *at,
						 uint32_t ip_end)
{
	for (unsigned i = 0; is_extension(*proto); i++) {
		const uint8_t *header = pkt->data + *at;
		enum hg_drop reason = check_room(pkt, *at + 8u, ip_end);
		uint32_t n_header;

		if (reason != PASS)
			return reason;
		if (i == HG_PARSE_EXTENSIONS_MAX)
			return HG_DROP_BAD_HEADER;
		/* The checksum of a part covers the final address, which a routing header hides. */
		if (*proto == HG_IP_ROUTING && pkt->gso != HG_GSO_NONE)
			return HG_DROP_BAD_OFFLOAD;
		n_header = *proto == HG_IP_AUTH       ? (header[1] + 2u) * 4u
			   : *proto == HG_IP_FRAGMENT ? 8u
						      : (header[1] + 1u) * 8u;
		reason = check_room(pkt, *at + n_header, ip_end);
		if (reason != PASS)
			return reason;
		if (*proto == HG_IP_FRAGMENT) {
			uint32_t offset_bytes = hg_bytes_get16(header + 2) & 0xfff8u;

			pkt->is_fragment = true;
			if (offset_bytes + (ip_end - *at - 8u) > 65535u)
				return HG_DROP_BAD_LENGTH;
			if (offset_bytes > 0) {
				*proto = HG_IP_NOTHING;
				return PASS;
			}
		}
		*proto = header[0];
		*at += n_header;
		if (*at > pkt->l3_offset + NETWORK_MAX_BYTES)
			return HG_DROP_BAD_HEADER;
	}
	return PASS;
}

static inline enum hg_drop parse_ip6(struct hg_pkt *pkt)
{
	const uint8_t *ip = pkt->data + pkt->l3_offset;
	uint32_t at = pkt->l3_offset + HG_IP6_BYTES, ip_end, proto;

	if (HG_UNLIKELY(at > pkt->n_bytes))
		return HG_DROP_TRUNCATED;
	if (HG_UNLIKELY(ip[0] >> 4 != 6))
		return HG_DROP_BAD_HEADER;
	ip_end = at + hg_bytes_get16(ip + 4);
	if (HG_UNLIKELY(ip_end > pkt->total_bytes))
		return HG_DROP_BAD_LENGTH;
	pkt->l3 = HG_L3_IP6;
	pkt->tos = (uint8_t)(hg_bytes_get16(ip) >> 4);
	proto = ip[6];
	if (HG_UNLIKELY(is_extension(proto))) {
		enum hg_drop reason = parse_extensions(pkt, &proto, &at, ip_end);

		if (reason != PASS)
			return reason;
	}
	if (proto == HG_IP_NOTHING)
		return PASS;
	return parse_transport(pkt, proto, at, ip_end);
}

static enum hg_drop parse_arp(struct hg_pkt *pkt)
{
	/* Ethernet, IPv4, addresses of 6 and 4 bytes. */
	static const uint8_t expected[6] = {0x00, 0x01, 0x08, 0x00, 6, 4};
	const uint8_t *arp = pkt->data + pkt->l3_offset;

	if (pkt->l3_offset + HG_ARP_BYTES > pkt->n_bytes)
		return HG_DROP_TRUNCATED;
	for (unsigned i = 0; i < sizeof(expected); i++) {
		if (arp[i] != expected[i])
			return HG_DROP_BAD_HEADER;
	}
	pkt->l3 = HG_L3_ARP;
	return PASS;
}

static enum hg_drop parse_network(struct hg_pkt *pkt)
{
	switch (pkt->ethertype) {
	case HG_ETHERTYPE_IP4:
		return parse_ip4(pkt);
	case HG_ETHERTYPE_IP6:
		return parse_ip6(pkt);
	case HG_ETHERTYPE_ARP:
		return parse_arp(pkt);
	default:
		/* An old length field: spanning tree and its like. */
		if (pkt->ethertype < HG_ETHERTYPE_MIN &&
		    (uint32_t)pkt->l3_offset + pkt->ethertype > pkt->total_bytes)
			return HG_DROP_BAD_LENGTH;
		return PASS;
	}
}

static uint32_t ip_end_of(const struct hg_pkt *pkt)
{
	const uint8_t *ip = pkt->data + pkt->l3_offset;

	if (pkt->l3 == HG_L3_IP4)
		return pkt->l3_offset + (uint32_t)hg_bytes_get16(ip + 2);
	return pkt->l3_offset + HG_IP6_BYTES + (uint32_t)hg_bytes_get16(ip + 4);
}

static bool is_csum_place_right(const struct hg_pkt *pkt)
{
	uint32_t floor_at = pkt->l4_offset != 0 ? pkt->l4_offset : pkt->l3_offset;
	uint32_t end_at = (uint32_t)pkt->csum_start + pkt->csum_offset + 2u;

	if (pkt->is_fragment || pkt->l3 == HG_L3_ARP || pkt->csum_start < floor_at ||
	    end_at > pkt->n_bytes || end_at > pkt->l3_offset + HG_PARSE_HEADERS_MAX_BYTES)
		return false;
	/* Further behind: the inner header of a tunnel that the guest made. */
	if (pkt->csum_start != pkt->l4_offset)
		return true;
	if (pkt->ip_proto == HG_IP_TCP)
		return pkt->csum_offset == HG_TCP_CSUM_OFFSET;
	if (pkt->ip_proto == HG_IP_UDP)
		return pkt->csum_offset == HG_UDP_CSUM_OFFSET;
	return true;
}

static bool is_gso_type_right(const struct hg_pkt *pkt)
{
	switch (pkt->gso) {
	case HG_GSO_TCP4:
		return pkt->l3 == HG_L3_IP4 && pkt->ip_proto == HG_IP_TCP;
	case HG_GSO_TCP6:
		return pkt->l3 == HG_L3_IP6 && pkt->ip_proto == HG_IP_TCP;
	case HG_GSO_UDP:
		return pkt->ip_proto == HG_IP_UDP && !pkt->gso_ecn &&
		       pkt->l4_offset + (uint32_t)hg_bytes_get16(pkt->data + pkt->l4_offset + 4) ==
			       pkt->total_bytes;
	default:
		return false;
	}
}

static HG_NOINLINE enum hg_drop check_offload(const struct hg_pkt *pkt)
{
	uint32_t n_payload;

	if ((pkt->flags & HG_PKT_NEEDS_CSUM) != 0 && !is_csum_place_right(pkt))
		return HG_DROP_BAD_OFFLOAD;
	if (pkt->gso == HG_GSO_NONE)
		return PASS;
	if (!is_gso_type_right(pkt) || (pkt->flags & HG_PKT_NEEDS_CSUM) == 0 ||
	    pkt->csum_start != pkt->l4_offset || ip_end_of(pkt) != pkt->total_bytes)
		return HG_DROP_BAD_OFFLOAD;
	n_payload = pkt->total_bytes - pkt->payload_offset;
	if (pkt->gso_bytes < HG_PARSE_GSO_MIN_BYTES || pkt->gso_bytes > n_payload ||
	    n_payload > (uint32_t)pkt->gso_bytes * HG_PARTS_MAX)
		return HG_DROP_BAD_OFFLOAD;
	return PASS;
}

static void clear_parsed(struct hg_pkt *pkt)
{
	pkt->l3 = HG_L3_OTHER;
	pkt->ip_proto = 0;
	pkt->tos = 0;
	pkt->l3_offset = HG_ETHER_BYTES;
	pkt->l4_offset = 0;
	pkt->payload_offset = 0;
	pkt->vlan = 0;
	pkt->pcp = 0;
	pkt->is_fragment = false;
}

bool hg_parse(struct hg_pkt *pkt, enum hg_drop *ret_reason)
{
	enum hg_drop reason = HG_DROP_TRUNCATED;

	clear_parsed(pkt);
	if (HG_UNLIKELY(pkt->n_bytes < HG_ETHER_BYTES))
		goto drop;
	pkt->ethertype = hg_bytes_get16(pkt->data + 12);
	if (HG_UNLIKELY(is_tag(pkt->ethertype))) {
		reason = parse_tags(pkt);
		if (reason != PASS)
			goto drop;
	}
	reason =
		HG_LIKELY(pkt->ethertype == HG_ETHERTYPE_IP4) ? parse_ip4(pkt) : parse_network(pkt);
	if (HG_UNLIKELY(reason != PASS))
		goto drop;
	if ((pkt->flags & HG_PKT_NEEDS_CSUM) != 0 || pkt->gso != HG_GSO_NONE) {
		reason = check_offload(pkt);
		if (HG_UNLIKELY(reason != PASS))
			goto drop;
	}
	return true;
drop:
	*ret_reason = reason;
	return false;
}
