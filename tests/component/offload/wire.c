#include "tests/component/offload/wire.h"

#include <string.h>

const char *const offload_names[N_OFFLOADS] = {"none", "csum", "tso4", "tso6", "ecn", "uso"};

/* ---- sums --------------------------------------------------------------------------------------- */

uint32_t wire_sum(uint32_t sum, const uint8_t *bytes, uint32_t n)
{
	for (; n > 1; n -= 2, bytes += 2)
		sum += wire_get16(bytes);
	if (n > 0)
		sum += (uint32_t)bytes[0] << 8;
	return sum;
}

uint16_t wire_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t wire_pseudo_sum(const uint8_t *frame, uint32_t l4, uint8_t proto, uint32_t n_l4)
{
	const uint8_t *ip = frame + WIRE_ETHER_BYTES;
	uint32_t sum = (n_l4 >> 16) + (n_l4 & 0xffff) + proto;

	(void)l4;
	if (ip[0] >> 4 == 4)
		return wire_fold(wire_sum(sum, ip + 12, 8));
	return wire_fold(wire_sum(sum, ip + 8, 32));
}

/* ---- frames ------------------------------------------------------------------------------------- */

#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_DEST_OPTIONS 60
/* No case has the number 0, so that no frame of somebody else is taken for one. */
#define PORT_BASE 20000u
#define TCP_FLAGS_ACK 0x10
#define TCP_FLAGS_LAST (0x08 | 0x01) /* PSH, FIN */
#define TCP_FLAGS_ECN (0x80 | 0x40) /* CWR, ECE */

struct layout shape_layout(const struct shape *shape)
{
	struct layout at;

	at.l4 = WIRE_ETHER_BYTES + (shape->is_ip6 ? 40 : 20);
	if (shape->has_options)
		at.l4 += shape->is_ip6 ? 8 : 4;
	at.payload = at.l4 + (shape->is_udp ? 8 : shape->has_options ? 32 : 20);
	at.end = shape->n_bytes - shape->n_padding;
	return at;
}

static void write_ip4(const struct shape *shape, const struct layout *at, uint16_t number,
		      uint8_t *ip)
{
	uint32_t n_header = at->l4 - WIRE_ETHER_BYTES;

	ip[0] = (uint8_t)(0x40 | n_header / 4);
	ip[1] = 0x28; /* AF11; not ECT, or a frame that had to wait would be marked */
	wire_put16(ip + 2, at->end - WIRE_ETHER_BYTES);
	wire_put16(ip + 4, 0xfff0u + number); /* wraps within a segment */
	ip[8] = 64;
	ip[9] = shape->is_udp ? PROTO_UDP : PROTO_TCP;
	memcpy(ip + 12, (const uint8_t[]){10, 1, 2, 3, 10, 4, 5, 6}, 8);
	if (shape->has_options)
		memcpy(ip + 20, (const uint8_t[]){1, 1, 1, 0}, 4); /* no operation, end */
	wire_put16(ip + 10, (uint16_t)~wire_fold(wire_sum(0, ip, n_header)));
}

static void write_ip6(const struct shape *shape, const struct layout *at, uint8_t *ip)
{
	uint8_t proto = shape->is_udp ? PROTO_UDP : PROTO_TCP;

	wire_put32(ip, 0x62812345); /* traffic class as above, a flow label */
	wire_put16(ip + 4, at->end - WIRE_ETHER_BYTES - 40);
	ip[6] = shape->has_options ? PROTO_DEST_OPTIONS : proto;
	ip[7] = 64;
	for (unsigned i = 0; i < 16; i++) {
		ip[8 + i] = (uint8_t)(0xfd + 7 * i);
		ip[24 + i] = (uint8_t)(0xfd + 11 * i);
	}
	if (shape->has_options)
		memcpy(ip + 40, (const uint8_t[]){proto, 0, 1, 4, 0, 0, 0, 0}, 8); /* PadN */
}

static void write_tcp(const struct shape *shape, uint8_t *tcp)
{
	wire_put32(tcp + 4, 0xffffff00u); /* the sequence number wraps, too */
	wire_put32(tcp + 8, 0x12345678u);
	tcp[12] = shape->has_options ? 0x80 : 0x50;
	tcp[13] = TCP_FLAGS_ACK;
	if (shape->gso_bytes != 0)
		tcp[13] |= TCP_FLAGS_LAST;
	if (shape->offload == OFFLOAD_ECN)
		tcp[13] |= TCP_FLAGS_ECN;
	wire_put16(tcp + 14, 0x4321);
	if (shape->has_options)
		memcpy(tcp + 20, (const uint8_t[]){1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, 12);
}

static void write_csum(const struct shape *shape, const struct layout *at, struct wire *wire)
{
	uint8_t *l4 = wire->bytes + at->l4;
	uint32_t n_l4 = at->end - at->l4;
	uint8_t proto = shape->is_udp ? PROTO_UDP : PROTO_TCP;
	uint16_t pseudo = wire_pseudo_sum(wire->bytes, at->l4, proto, n_l4), csum;

	wire->csum_start = (uint16_t)at->l4;
	wire->csum_offset = shape->is_udp ? 6 : 16;
	wire->needs_csum = shape->offload != OFFLOAD_NONE;
	if (wire->needs_csum) {
		wire_put16(l4 + wire->csum_offset, pseudo);
		return;
	}
	csum = (uint16_t)~wire_fold(wire_sum(pseudo, l4, n_l4));
	wire_put16(l4 + wire->csum_offset, csum == 0 && shape->is_udp ? 0xffff : csum);
}

static enum wire_gso gso_of(const struct shape *shape)
{
	if (shape->gso_bytes == 0)
		return WIRE_PLAIN;
	if (shape->is_udp)
		return WIRE_USO;
	return shape->is_ip6 ? WIRE_TSO6 : WIRE_TSO4;
}

void shape_write(const struct shape *shape, const uint8_t *from_mac, const uint8_t *to_mac,
		 uint16_t number, struct wire *ret_wire)
{
	struct layout at = shape_layout(shape);
	uint8_t *frame = ret_wire->bytes, *l4 = frame + at.l4;
	uint32_t state = number * 2654435761u + 1u;

	memset(frame, 0, at.payload);
	ret_wire->n_bytes = shape->n_bytes;
	memcpy(frame, to_mac, WIRE_MAC_BYTES);
	memcpy(frame + WIRE_MAC_BYTES, from_mac, WIRE_MAC_BYTES);
	wire_put16(frame + 12, shape->is_ip6 ? 0x86dd : 0x0800);
	for (uint32_t i = at.payload; i < at.end; i++) {
		state = state * 1664525u + 1013904223u;
		frame[i] = (uint8_t)(state >> 24);
	}
	/* Zeros where a sum goes to the end of the frame, as Linux has it. */
	memset(frame + at.end, shape->offload == OFFLOAD_NONE ? 0x5a : 0, shape->n_padding);
	if (shape->is_ip6)
		write_ip6(shape, &at, frame + WIRE_ETHER_BYTES);
	else
		write_ip4(shape, &at, number, frame + WIRE_ETHER_BYTES);
	wire_put16(l4, PORT_BASE + number);
	wire_put16(l4 + 2, PORT_BASE + number);
	if (shape->is_udp)
		wire_put16(l4 + 4, at.end - at.l4);
	else
		write_tcp(shape, l4);
	write_csum(shape, &at, ret_wire);
	ret_wire->gso = gso_of(shape);
	ret_wire->gso_bytes = shape->gso_bytes;
	ret_wire->is_ecn = shape->offload == OFFLOAD_ECN;
}

/* Where the network header is; 0: no IP. */
static uint32_t network_at(const struct wire *wire)
{
	uint32_t at = 12, type = wire_get16(wire->bytes + at);

	if (type == 0x8100) {
		at += WIRE_TAG_BYTES;
		type = wire_get16(wire->bytes + at);
	}
	return type == 0x0800 || type == 0x86dd ? at + 2 : 0;
}

uint16_t wire_number(const struct wire *wire)
{
	uint32_t at = wire->n_bytes < 54 ? 0 : network_at(wire), l4, port;
	const uint8_t *ip = wire->bytes + at;

	if (at == 0)
		return 0;
	l4 = ip[0] >> 4 == 4 ? (ip[0] & 15u) * 4u : ip[6] == PROTO_DEST_OPTIONS ? 48 : 40;
	port = wire_get16(ip + l4);
	return port > PORT_BASE && port == wire_get16(ip + l4 + 2) ? (uint16_t)(port - PORT_BASE)
								   : 0;
}

void wire_tag(struct wire *wire, uint16_t tci)
{
	memmove(wire->bytes + 12 + WIRE_TAG_BYTES, wire->bytes + 12, wire->n_bytes - 12);
	wire_put16(wire->bytes + 12, 0x8100);
	wire_put16(wire->bytes + 14, tci);
	wire->n_bytes += WIRE_TAG_BYTES;
	wire->csum_start = (uint16_t)(wire->csum_start + WIRE_TAG_BYTES);
}
