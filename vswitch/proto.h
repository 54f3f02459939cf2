/* proto: the numbers of Ethernet, IP and what they carry, as far as the switch reads them.
 *
 * Why        One name for each number; the file it came from is the standard named beside it.
 */
#ifndef HG_VSWITCH_PROTO_H
#define HG_VSWITCH_PROTO_H

/* IEEE 802.3, 802.1Q */
#define HG_ETHER_BYTES 14u
#define HG_ETHER_MIN_BYTES 60u /* shortest frame, without its check sequence */
#define HG_VLAN_TAG_BYTES 4u
#define HG_VLAN_TAGS_MAX 2u
#define HG_ETHERTYPE_IP4 0x0800u
#define HG_ETHERTYPE_ARP 0x0806u
#define HG_ETHERTYPE_VLAN 0x8100u /* customer tag, 802.1Q */
#define HG_ETHERTYPE_SVLAN 0x88a8u /* service tag, 802.1ad */
#define HG_ETHERTYPE_IP6 0x86ddu
#define HG_ETHERTYPE_MIN 0x0600u /* below: a length */

/* RFC 826 */
#define HG_ARP_BYTES 28u
#define HG_ARP_OP_OFFSET 6u
#define HG_ARP_SENDER_OFFSET 8u /* MAC, then IPv4 */
#define HG_ARP_REQUEST 1u

/* RFC 791, RFC 8200 */
#define HG_IP4_BYTES 20u
#define HG_IP4_SOURCE_OFFSET 12u
#define HG_IP6_BYTES 40u
#define HG_IP6_LENGTH_OFFSET 4u
#define HG_IP6_SOURCE_OFFSET 8u

enum hg_ip_proto {
	HG_IP_HOP_BY_HOP = 0,
	HG_IP_ICMP = 1,
	HG_IP_TCP = 6,
	HG_IP_UDP = 17,
	HG_IP_ROUTING = 43,
	HG_IP_FRAGMENT = 44,
	HG_IP_AUTH = 51,
	HG_IP_ICMP6 = 58,
	HG_IP_NOTHING = 59,
	HG_IP_DEST_OPTIONS = 60,
	HG_IP_MOBILITY = 135,
};

/* RFC 9293, RFC 768 */
#define HG_TCP_BYTES 20u
#define HG_TCP_CSUM_OFFSET 16u
#define HG_TCP_FIN 0x01u
#define HG_TCP_PSH 0x08u
#define HG_TCP_CWR 0x80u
#define HG_UDP_BYTES 8u
#define HG_UDP_CSUM_OFFSET 6u

/* RFC 2131, RFC 8415: ports */
#define HG_UDP_DHCP_SERVER 67u
#define HG_UDP_DHCP_CLIENT 68u
#define HG_UDP_DHCP6_CLIENT 546u
#define HG_UDP_DHCP6_SERVER 547u

/* RFC 792, RFC 4443, RFC 4861 */
#define HG_ICMP_BYTES 8u
#define HG_ICMP6_BYTES 4u
#define HG_ND_BYTES 24u /* type to target address */
#define HG_ND_TARGET_OFFSET 8u
#define HG_ND_ROUTER_SOLICIT 133u
#define HG_ND_ROUTER_SOLICIT_BYTES 8u
#define HG_ND_ROUTER_ADVERT 134u
#define HG_ND_SOLICIT 135u
#define HG_ND_ADVERT 136u
#define HG_ND_REDIRECT 137u
#define HG_ND_OPTION_SOURCE 1u /* link-layer address */
#define HG_ND_OPTION_TARGET 2u

/* RFC 2710, RFC 3810 */
#define HG_MLD_REPORT 131u
#define HG_MLD_DONE 132u
#define HG_MLD2_REPORT 143u

#endif
