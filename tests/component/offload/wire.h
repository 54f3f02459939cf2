/* wire: a frame with what is left to do with it, as either side of a port sees it, and frames to send.
 *
 * Why        The table of offloads compares what a sender handed to its port with what came out of another, whatever
 *            the two ports are made of. So both are described in one way, which owes nothing to the code tested.
 * Model      The reference of a case is a frame without a tag; tags are put in front of a copy.
 * Source     RFC 791, 8200, 9293, 768 for headers; RFC 1071 for sums; OASIS virtio 1.2, 5.1.6, for what is left to do.
 * Memory     The caller's. Threads: any.
 */
#ifndef HG_TESTS_COMPONENT_OFFLOAD_WIRE_H
#define HG_TESTS_COMPONENT_OFFLOAD_WIRE_H

#include <stdbool.h>
#include <stdint.h>

/* 64 KiB behind Ethernet with a tag, and a little more than anybody may send. */
#define WIRE_MAX_BYTES 65600u
#define WIRE_MAC_BYTES 6u
#define WIRE_ETHER_BYTES 14u
#define WIRE_TAG_BYTES 4u

enum wire_gso { WIRE_PLAIN = 0, WIRE_TSO4, WIRE_TSO6, WIRE_USO };

struct wire {
	uint32_t n_bytes;
	bool needs_csum;
	bool is_ecn; /* of a segment: its first part alone has CWR */
	uint16_t csum_start, csum_offset; /* with needs_csum */
	uint16_t gso_bytes; /* payload of a part; with gso */
	enum wire_gso gso;
	uint8_t bytes[WIRE_MAX_BYTES];
};

/* What a sender leaves to do. */
enum offload {
	OFFLOAD_NONE,
	OFFLOAD_CSUM,
	OFFLOAD_TSO4,
	OFFLOAD_TSO6,
	OFFLOAD_ECN,
	OFFLOAD_USO,
	N_OFFLOADS
};
extern const char *const offload_names[N_OFFLOADS];

/* One kind of frame to send. */
struct shape {
	enum offload offload;
	bool is_ip6, is_udp;
	/* IPv4: an option word. IPv6: destination options. TCP: time stamps. */
	bool has_options;
	/* Behind IP, up to n_bytes: as Ethernet pads. */
	uint8_t n_padding;
	uint32_t n_bytes; /* of the frame without a tag */
	uint16_t gso_bytes;
};

/* Where the parts of a reference begin, as its shape says. */
struct layout {
	uint32_t l4, payload, end; /* end: behind IP, before padding */
};
struct layout shape_layout(const struct shape *shape);

/* Writes the case's reference. `number` stands in both ports and decides the payload. */
void shape_write(const struct shape *shape, const uint8_t *from_mac, const uint8_t *to_mac,
		 uint16_t number, struct wire *ret_wire);
/* Of any frame of a case; 0: it is of none. */
uint16_t wire_number(const struct wire *wire);

/* Puts an 802.1Q tag in front. */
void wire_tag(struct wire *wire, uint16_t tci);

/* The ones' complement sum of n bytes, added to `sum` (RFC 1071, its C version). Folded: wire_fold(). */
uint32_t wire_sum(uint32_t sum, const uint8_t *bytes, uint32_t n);
uint16_t wire_fold(uint32_t sum);
/* The sum of the pseudo header of the transport whose bytes begin at l4. */
uint16_t wire_pseudo_sum(const uint8_t *frame, uint32_t l4, uint8_t proto, uint32_t n_l4);

static inline uint32_t wire_get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t wire_get32(const uint8_t *at)
{
	return wire_get16(at) << 16 | wire_get16(at + 2);
}

static inline void wire_put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void wire_put32(uint8_t *at, uint32_t value)
{
	wire_put16(at, value >> 16);
	wire_put16(at + 2, value);
}

#endif
