/* frames: packets for tests, put together field by field.
 *
 * Why        A test reads better when it says "TCP over IPv6 in VLAN 7" than when it lists 74 bytes.
 * Model      A writer appends headers; lengths are filled in by frame_finish(). Payload bytes count up from
 *            the seed, so that a byte in the wrong place shows.
 * Memory     The frame is copied into buffers of the test's pool by frame_pkt(). Threads: one.
 */
#ifndef HG_TESTS_FRAMES_H
#define HG_TESTS_FRAMES_H

#include "vswitch/bytes.h"
#include "vswitch/pkt.h"
#include "vswitch/proto.h"

#include <stdlib.h>
#include <string.h>

struct frame {
	uint8_t bytes[HG_FRAME_MAX_BYTES + 64u];
	uint32_t n;
	uint32_t l3, l4; /* offsets; 0: none yet */
	uint8_t proto;
};

static inline void frame_put16(struct frame *f, uint32_t value)
{
	hg_bytes_put16(f->bytes + f->n, value);
	f->n += 2;
}

/* MAC 02:00:00:00:00:<last>. */
static inline void frame_mac(uint8_t mac[6], uint8_t last)
{
	memset(mac, 0, 6);
	mac[0] = 2;
	mac[5] = last;
}

static inline void frame_eth(struct frame *f, const uint8_t dst[6], const uint8_t src[6])
{
	memset(f, 0, sizeof(*f));
	memcpy(f->bytes, dst, 6);
	memcpy(f->bytes + 6, src, 6);
	f->n = 12;
}

static inline void frame_tag(struct frame *f, uint32_t tpid, uint32_t tci)
{
	frame_put16(f, tpid);
	frame_put16(f, tci);
}

static inline void frame_ip4(struct frame *f, uint8_t proto, uint32_t n_options)
{
	frame_put16(f, HG_ETHERTYPE_IP4);
	f->l3 = f->n;
	f->bytes[f->n] = (uint8_t)(0x45u + n_options / 4u);
	hg_bytes_put16(f->bytes + f->n + 4, 0x1234);
	f->bytes[f->n + 8] = 64;
	f->bytes[f->n + 9] = proto;
	hg_bytes_put32(f->bytes + f->n + 12, 0x0a000001);
	hg_bytes_put32(f->bytes + f->n + 16, 0x0a000002);
	memset(f->bytes + f->n + HG_IP4_BYTES, 1, n_options);
	f->n += HG_IP4_BYTES + n_options;
	f->proto = proto;
	f->l4 = f->n;
}

static inline void frame_ip6(struct frame *f, uint8_t next)
{
	frame_put16(f, HG_ETHERTYPE_IP6);
	f->l3 = f->n;
	f->bytes[f->n] = 0x60;
	f->bytes[f->n + 6] = next;
	f->bytes[f->n + 7] = 255;
	f->bytes[f->n + 8] = 0xfd;
	f->bytes[f->n + 23] = 1;
	f->bytes[f->n + 24] = 0xfd;
	f->bytes[f->n + 39] = 2;
	f->n += HG_IP6_BYTES;
	f->proto = next;
	f->l4 = f->n;
}

/* An IPv6 extension header of n bytes (a multiple of 8), of the kind that was announced before. */
static inline void frame_extension(struct frame *f, uint8_t next, uint32_t n)
{
	f->bytes[f->n] = next;
	f->bytes[f->n + 1] = (uint8_t)(n / 8u - 1u);
	f->n += n;
	f->proto = next;
	f->l4 = f->n;
}

static inline void frame_tcp(struct frame *f, uint8_t flags, uint32_t n_options)
{
	uint8_t *tcp = f->bytes + f->n;

	hg_bytes_put16(tcp, 1000);
	hg_bytes_put16(tcp + 2, 2000);
	hg_bytes_put32(tcp + 4, 0xfffffff0u);
	hg_bytes_put32(tcp + 8, 0x01020304u);
	tcp[12] = (uint8_t)((HG_TCP_BYTES + n_options) / 4u << 4);
	tcp[13] = flags;
	hg_bytes_put16(tcp + 14, 0x7000);
	memset(tcp + HG_TCP_BYTES, 1, n_options);
	f->n += HG_TCP_BYTES + n_options;
}

static inline void frame_udp(struct frame *f)
{
	hg_bytes_put16(f->bytes + f->n, 1000);
	hg_bytes_put16(f->bytes + f->n + 2, 2000);
	f->n += HG_UDP_BYTES;
}

static inline void frame_payload(struct frame *f, uint32_t n, uint8_t seed)
{
	for (uint32_t i = 0; i < n; i++)
		f->bytes[f->n++] = (uint8_t)(seed + i + i / 251u);
}

/* A request (1) or an answer (2), broadcast or not as frame_eth() said. */
static inline void frame_arp(struct frame *f, uint32_t op, uint32_t target)
{
	static const uint8_t head[6] = {0, 1, 8, 0, 6, 4};

	frame_put16(f, HG_ETHERTYPE_ARP);
	f->l3 = f->n;
	memcpy(f->bytes + f->n, head, sizeof(head));
	hg_bytes_put16(f->bytes + f->n + 6, op);
	memcpy(f->bytes + f->n + 8, f->bytes + 6, 6);
	hg_bytes_put32(f->bytes + f->n + 14, 0x0a0000fe);
	hg_bytes_put32(f->bytes + f->n + 24, target);
	f->n += HG_ARP_BYTES;
}

/* ICMPv6 135 or 136 behind frame_ip6(). */
static inline void frame_nd(struct frame *f, uint8_t type, const uint8_t target[16])
{
	f->bytes[f->n] = type;
	memcpy(f->bytes + f->n + HG_ND_TARGET_OFFSET, target, 16);
	f->n += HG_ND_BYTES;
}

/* Fills in the lengths. */
static inline void frame_finish(struct frame *f)
{
	if (f->l3 != 0 && f->bytes[f->l3] >> 4 == 4)
		hg_bytes_put16(f->bytes + f->l3 + 2, f->n - f->l3);
	else if (f->l3 != 0 && f->bytes[f->l3] >> 4 == 6)
		hg_bytes_put16(f->bytes + f->l3 + 4, f->n - f->l3 - HG_IP6_BYTES);
	if (f->l4 != 0 && f->proto == HG_IP_UDP)
		hg_bytes_put16(f->bytes + f->l4 + 4, f->n - f->l4);
}

/* The frame in buffers of the pool, without offloads; NULL: not enough buffers. */
static inline struct hg_pkt *frame_pkt(const struct frame *f, struct hg_pool *pool)
{
	struct hg_pkt *pkt = hg_pkt_create_chain(pool, f->n);
	uint32_t at = 0;

	if (pkt == NULL)
		return NULL;
	for (struct hg_pkt *buf = pkt; buf != NULL; buf = buf->next) {
		memcpy(buf->data, f->bytes + at, buf->n_bytes);
		at += buf->n_bytes;
	}
	pkt->flags = 0;
	pkt->gso = HG_GSO_NONE;
	pkt->gso_ecn = false;
	pkt->gso_bytes = 0;
	pkt->csum_start = 0;
	pkt->csum_offset = 0;
	return pkt;
}

/* Asks for the transport checksum, as a guest's driver does. */
static inline void frame_want_csum(struct hg_pkt *pkt, const struct frame *f)
{
	pkt->flags |= HG_PKT_NEEDS_CSUM;
	pkt->csum_start = (uint16_t)f->l4;
	pkt->csum_offset = f->proto == HG_IP_UDP ? HG_UDP_CSUM_OFFSET : HG_TCP_CSUM_OFFSET;
}

static inline void frame_want_gso(struct hg_pkt *pkt, const struct frame *f, uint32_t gso_bytes)
{
	frame_want_csum(pkt, f);
	pkt->gso_bytes = (uint16_t)gso_bytes;
	pkt->gso = f->proto == HG_IP_UDP       ? HG_GSO_UDP
		   : f->bytes[f->l3] >> 4 == 4 ? HG_GSO_TCP4
					       : HG_GSO_TCP6;
}

#endif
