#include "cli/packet_line.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>

#define ETHERNET_BYTES 14u
#define VLAN_BYTES 4u
enum {
	TYPE_IP4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_VLAN = 0x8100,
	TYPE_IP6 = 0x86dd,
	TYPE_SVLAN = 0x88a8
};
enum { ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58 };

static unsigned get16(const uint8_t *bytes)
{
	return (unsigned)bytes[0] << 8 | bytes[1];
}

struct ends {
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	bool is_ip6;
};

static const char *protocol_name(unsigned protocol)
{
	switch (protocol) {
	case TCP:
		return "tcp";
	case UDP:
		return "udp";
	case ICMP:
		return "icmp";
	case ICMP6:
		return "icmp6";
	default:
		return NULL;
	}
}

static void write_ip(char *buf, const struct ends *ends, unsigned protocol, const uint8_t *l4,
		     size_t n)
{
	const char *open = ends->is_ip6 ? "[" : "", *close = ends->is_ip6 ? "]" : "";
	const char *name = protocol_name(protocol);

	if ((protocol == TCP || protocol == UDP) && n >= 4)
		snprintf(buf, HG_PACKET_LINE_BYTES, "%s%s%s:%u > %s%s%s:%u %s", open, ends->from,
			 close, get16(l4), open, ends->to, close, get16(l4 + 2), name);
	else if (name != NULL)
		snprintf(buf, HG_PACKET_LINE_BYTES, "%s > %s %s", ends->from, ends->to, name);
	else
		snprintf(buf, HG_PACKET_LINE_BYTES, "%s > %s protocol %u", ends->from, ends->to,
			 protocol);
}

static bool write_ip4(char *buf, const uint8_t *ip, size_t n)
{
	struct ends ends = {.is_ip6 = false};
	size_t header = (size_t)(ip[0] & 15u) * 4u;
	bool is_later;

	if (n < 20 || header < 20)
		return false;
	is_later = (get16(ip + 6) & 0x1fffu) != 0;
	inet_ntop(AF_INET, ip + 12, ends.from, sizeof(ends.from));
	inet_ntop(AF_INET, ip + 16, ends.to, sizeof(ends.to));
	write_ip(buf, &ends, ip[9], ip + header, is_later || n < header ? 0 : n - header);
	return true;
}

static bool write_ip6(char *buf, const uint8_t *ip, size_t n)
{
	struct ends ends = {.is_ip6 = true};

	if (n < 40)
		return false;
	inet_ntop(AF_INET6, ip + 8, ends.from, sizeof(ends.from));
	inet_ntop(AF_INET6, ip + 24, ends.to, sizeof(ends.to));
	write_ip(buf, &ends, ip[6], ip + 40, n - 40);
	return true;
}

static bool write_arp(char *buf, const uint8_t *arp, size_t n)
{
	char from[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN];

	if (n < 28 || get16(arp + 2) != TYPE_IP4)
		return false;
	inet_ntop(AF_INET, arp + 14, from, sizeof(from));
	inet_ntop(AF_INET, arp + 24, to, sizeof(to));
	if (get16(arp + 6) == 1)
		snprintf(buf, HG_PACKET_LINE_BYTES, "arp %s asks for %s", from, to);
	else
		snprintf(buf, HG_PACKET_LINE_BYTES, "arp %s is at %02x:%02x:%02x:%02x:%02x:%02x",
			 from, arp[8], arp[9], arp[10], arp[11], arp[12], arp[13]);
	return true;
}

char *hg_packet_line(char *buf, const uint8_t *frame, size_t n_bytes)
{
	size_t at = ETHERNET_BYTES;
	bool is_done = false;
	unsigned type;

	if (n_bytes < ETHERNET_BYTES) {
		snprintf(buf, HG_PACKET_LINE_BYTES, "cut short");
		return buf;
	}
	type = get16(frame + 12);
	while ((type == TYPE_VLAN || type == TYPE_SVLAN) && at + VLAN_BYTES <= n_bytes) {
		type = get16(frame + at + 2);
		at += VLAN_BYTES;
	}
	if (n_bytes > at && type == TYPE_IP4)
		is_done = write_ip4(buf, frame + at, n_bytes - at);
	else if (n_bytes > at && type == TYPE_IP6)
		is_done = write_ip6(buf, frame + at, n_bytes - at);
	else if (n_bytes > at && type == TYPE_ARP)
		is_done = write_arp(buf, frame + at, n_bytes - at);
	if (!is_done)
		snprintf(buf, HG_PACKET_LINE_BYTES,
			 "%02x:%02x:%02x:%02x:%02x:%02x > %02x:%02x:%02x:%02x:%02x:%02x type %04x",
			 frame[6], frame[7], frame[8], frame[9], frame[10], frame[11], frame[0],
			 frame[1], frame[2], frame[3], frame[4], frame[5], type);
	return buf;
}
