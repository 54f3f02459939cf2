#include "vswitch/announce.h"

#include "vswitch/bytes.h"
#include "vswitch/checksum.h"
#include "vswitch/proto.h"

#include <string.h>

#define FIRST_PAUSE_NS (50 * HG_NS_PER_MS)
#define LONGER_BY_NS (100 * HG_NS_PER_MS)

#define ARP_REVERSE_REQUEST 3u
#define ETHERTYPE_RARP 0x8035u
#define NA_BYTES (HG_ND_BYTES + 8u) /* and one option: the address of the link layer */
#define NA_OVERRIDE 0x20000000u
#define NA_OPTION_TARGET_MAC 2u
#define ND_HOP_LIMIT 255u

_Static_assert(HG_ANNOUNCE_FRAME_BYTES == HG_ETHER_BYTES + HG_IP6_BYTES + NA_BYTES,
	       "the longest is an advertisement");

static void put_ether(uint8_t *frame, const uint8_t *to, const uint8_t *from, uint32_t type)
{
	memcpy(frame, to, HG_MAC_BYTES);
	memcpy(frame + HG_MAC_BYTES, from, HG_MAC_BYTES);
	hg_bytes_put16(frame + 12, type);
}

/* address: four bytes, sender's and target's alike. */
static uint32_t build_arp(const struct hg_announcement *a, uint32_t type, uint32_t operation,
			  const uint8_t *address, const uint8_t *target_mac, uint8_t *frame)
{
	static const uint8_t everybody[HG_MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t *arp = frame + HG_ETHER_BYTES;

	memset(frame, 0, HG_ETHER_MIN_BYTES);
	put_ether(frame, everybody, a->mac, type);
	hg_bytes_put16(arp, 1); /* Ethernet */
	hg_bytes_put16(arp + 2, HG_ETHERTYPE_IP4);
	arp[4] = HG_MAC_BYTES;
	arp[5] = 4;
	hg_bytes_put16(arp + 6, operation);
	memcpy(arp + 8, a->mac, HG_MAC_BYTES);
	memcpy(arp + 14, address, 4);
	memcpy(arp + 18, target_mac, HG_MAC_BYTES);
	memcpy(arp + 24, address, 4);
	return HG_ETHER_MIN_BYTES;
}

/* RFC 4443, 2.3: over the two addresses, the length and the protocol as well. */
static uint16_t icmp6_checksum(const uint8_t *ip)
{
	uint32_t sum = hg_checksum_sum(ip + 8, 32) + NA_BYTES + HG_IP_ICMP6;

	return hg_checksum_finish(sum + hg_checksum_sum(ip + HG_IP6_BYTES, NA_BYTES));
}

static uint32_t build_advertisement(const struct hg_announcement *a, uint8_t *frame)
{
	static const uint8_t all_nodes_mac[HG_MAC_BYTES] = {0x33, 0x33, 0, 0, 0, 1};
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
	uint8_t *ip = frame + HG_ETHER_BYTES, *icmp = ip + HG_IP6_BYTES;

	memset(frame, 0, HG_ANNOUNCE_FRAME_BYTES);
	put_ether(frame, all_nodes_mac, a->mac, HG_ETHERTYPE_IP6);
	ip[0] = 0x60;
	hg_bytes_put16(ip + 4, NA_BYTES);
	ip[6] = HG_IP_ICMP6;
	ip[7] = ND_HOP_LIMIT;
	memcpy(ip + 8, a->address.bytes, 16);
	memcpy(ip + 24, all_nodes, 16);
	icmp[0] = HG_ND_ADVERT;
	hg_bytes_put32(icmp + 4, NA_OVERRIDE);
	memcpy(icmp + HG_ND_TARGET_OFFSET, a->address.bytes, 16);
	icmp[HG_ND_BYTES] = NA_OPTION_TARGET_MAC;
	icmp[HG_ND_BYTES + 1u] = 1; /* in 8 bytes */
	memcpy(icmp + HG_ND_BYTES + 2u, a->mac, HG_MAC_BYTES);
	hg_bytes_put16(icmp + 2, icmp6_checksum(ip));
	return HG_ANNOUNCE_FRAME_BYTES;
}

uint32_t hg_announce_build(const struct hg_announcement *a,
			   uint8_t ret_frame[HG_ANNOUNCE_FRAME_BYTES])
{
	static const uint8_t nothing[HG_MAC_BYTES];

	switch (a->address.len) {
	case 4:
		return build_arp(a, HG_ETHERTYPE_ARP, HG_ARP_REQUEST, a->address.bytes, nothing,
				 ret_frame);
	case 16:
		return build_advertisement(a, ret_frame);
	default:
		return build_arp(a, ETHERTYPE_RARP, ARP_REVERSE_REQUEST, nothing, a->mac,
				 ret_frame);
	}
}

hg_ns hg_announce_pause_ns(unsigned round)
{
	return round == 0 ? 0 : FIRST_PAUSE_NS + (hg_ns)(round - 1u) * LONGER_BY_NS;
}
