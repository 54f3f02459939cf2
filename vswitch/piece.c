#include "vswitch/piece.h"

#include "vswitch/bytes.h"
#include "vswitch/checksum.h"
#include "vswitch/weigh.h"

#include <string.h>

/* Kept free in front of headers that are written into a used buffer: for a tag or two, or a virtio-net
 * header. */
#define SPARE_BYTES 12u

/* Where the cut lies: `offset` bytes into buf, in [1, its length], behind prev. */
struct place {
	struct hg_pkt *prev, *buf; /* prev: NULL in the first buffer */
	uint32_t offset;
};

static struct place find(struct hg_pkt *pkt, uint32_t n_bytes)
{
	struct place at = {.buf = pkt, .offset = n_bytes};

	while (at.offset > at.buf->n_bytes) {
		at.offset -= at.buf->n_bytes;
		at.prev = at.buf;
		at.buf = at.buf->next;
	}
	return at;
}

static struct hg_pkt *last_of(struct hg_pkt *pkt)
{
	while (pkt->next != NULL)
		pkt = pkt->next;
	return pkt;
}

/* A chain of room for n_headers, then the n bytes copied from `bytes`. NULL: not enough buffers. */
static struct hg_pkt *copy_behind(struct hg_pool *pool, uint32_t n_headers, const uint8_t *bytes,
				  uint32_t n)
{
	struct hg_pkt *first = hg_pkt_create_chain(pool, n_headers + n);
	uint32_t n_used = n_headers;

	for (struct hg_pkt *buf = first; buf != NULL; buf = buf->next) {
		uint32_t n_here = buf->n_bytes - n_used;

		memcpy(buf->data + n_used, bytes, n_here);
		bytes += n_here;
		n_used = 0;
	}
	return first;
}

static void move_start(struct hg_pkt *buf, int32_t n)
{
	buf->data += n;
	buf->headroom = (uint16_t)(buf->headroom + n);
	buf->n_bytes = (uint16_t)(buf->n_bytes - n);
}

static bool has_room_for(uint32_t n_headers, uint32_t headroom)
{
	return headroom >= n_headers + SPARE_BYTES;
}

/* The buffer has nothing of the piece: what remains begins with it. */
static struct hg_pkt *part_between(struct hg_pkt *last, uint32_t n_headers, struct hg_pool *pool)
{
	struct hg_pkt *rest = last->next;

	if (has_room_for(n_headers, rest->headroom)) {
		move_start(rest, -(int32_t)n_headers);
	} else {
		rest = copy_behind(pool, n_headers, rest->data, 0);
		if (rest == NULL)
			return NULL;
		rest->next = last->next;
	}
	last->next = NULL;
	return rest;
}

/* The buffer stays with the piece, and its end is copied to what remains. */
static struct hg_pkt *part_end(const struct place *at, uint32_t n_headers, struct hg_pool *pool)
{
	uint32_t n = at->buf->n_bytes - at->offset;
	struct hg_pkt *rest = copy_behind(pool, n_headers, at->buf->data + at->offset, n);

	if (rest == NULL)
		return NULL;
	last_of(rest)->next = at->buf->next;
	at->buf->next = NULL;
	at->buf->n_bytes = (uint16_t)at->offset;
	at->buf->tailroom = (uint16_t)(at->buf->tailroom + n);
	return rest;
}

/* The buffer goes with what remains, and its beginning is copied to the piece. */
static struct hg_pkt *part_begin(const struct place *at, uint32_t n_headers, struct hg_pool *pool)
{
	struct hg_pkt *prev = at->prev, *copy = NULL;

	if (prev->tailroom >= at->offset) {
		memcpy(prev->data + prev->n_bytes, at->buf->data, at->offset);
		prev->n_bytes = (uint16_t)(prev->n_bytes + at->offset);
		prev->tailroom = (uint16_t)(prev->tailroom - at->offset);
	} else {
		copy = copy_behind(pool, 0, at->buf->data, at->offset);
		if (copy == NULL)
			return NULL;
	}
	prev->next = copy;
	move_start(at->buf, (int32_t)at->offset - (int32_t)n_headers);
	return at->buf;
}

/* Parts the chain behind n_bytes. Returns the buffers behind, with room for the headers at their beginning;
 * NULL: out of buffers, and nothing has changed. */
static struct hg_pkt *part_chain(struct hg_pkt *pkt, uint32_t n_bytes, struct hg_pool *pool)
{
	struct place at = find(pkt, n_bytes);
	uint32_t n_headers = pkt->payload_offset;

	if (at.offset == at.buf->n_bytes)
		return part_between(at.buf, n_headers, pool);
	if (at.prev != NULL && at.offset < at.buf->n_bytes - at.offset &&
	    has_room_for(n_headers, at.buf->headroom + at.offset))
		return part_begin(&at, n_headers, pool);
	return part_end(&at, n_headers, pool);
}

/* ---- headers ------------------------------------------------------------------------------------ */

/* The lengths, and the sums that depend on them. */
static void finish_ip(struct hg_pkt *pkt)
{
	uint8_t *ip = pkt->data + pkt->l3_offset;
	uint32_t n_ip = pkt->total_bytes - pkt->l3_offset;

	if (pkt->l3 == HG_L3_IP6) {
		hg_bytes_put16(ip + 4, n_ip - HG_IP6_BYTES);
		return;
	}
	hg_bytes_put16(ip + 2, n_ip);
	hg_bytes_put16(ip + 10, 0);
	hg_bytes_put16(ip + 10, hg_checksum_finish(hg_checksum_sum(ip, (ip[0] & 0x0fu) * 4u)));
}

/* NEEDS_CSUM: in the checksum's place stands the sum of the pseudo header, not inverted. */
static void finish_transport(struct hg_pkt *pkt)
{
	const uint8_t *ip = pkt->data + pkt->l3_offset;
	uint8_t *l4 = pkt->data + pkt->l4_offset;
	uint32_t n_l4 = pkt->total_bytes - pkt->l4_offset;
	bool is_ip4 = pkt->l3 == HG_L3_IP4;
	uint32_t sum =
		pkt->ip_proto + n_l4 + hg_checksum_sum(ip + (is_ip4 ? 12 : 8), is_ip4 ? 8 : 32);

	if (pkt->ip_proto == HG_IP_UDP)
		hg_bytes_put16(l4 + 4, n_l4);
	hg_bytes_put16(pkt->data + pkt->csum_start + pkt->csum_offset,
		       ~(uint32_t)hg_checksum_finish(sum));
}

static struct hg_pkt *finish(struct hg_pkt *pkt)
{
	if (pkt->total_bytes - pkt->payload_offset <= pkt->gso_bytes) {
		pkt->gso = HG_GSO_NONE;
		pkt->gso_bytes = 0;
		pkt->gso_ecn = false;
	}
	finish_ip(pkt);
	finish_transport(pkt);
	hg_weigh(pkt);
	return pkt;
}

/* Gives what remains behind the piece its headers and description. */
static void describe_rest(struct hg_pkt *rest, const struct hg_pkt *piece, uint32_t n_total,
			  uint32_t n_parts)
{
	uint8_t *ip, *l4;

	memcpy(rest->data, piece->data, piece->payload_offset);
	hg_pkt_copy_description(rest, piece);
	rest->total_bytes = n_total;
	rest->gso_ecn = false;
	ip = rest->data + rest->l3_offset;
	l4 = rest->data + rest->l4_offset;
	if (rest->l3 == HG_L3_IP4)
		hg_bytes_put16(ip + 4, hg_bytes_get16(ip + 4) + n_parts);
	if (rest->ip_proto == HG_IP_TCP) {
		hg_bytes_put32(l4 + 4, hg_bytes_get32(l4 + 4) + n_parts * rest->gso_bytes);
		l4[13] &= (uint8_t)~HG_TCP_CWR;
	}
}

struct hg_pkt *hg_piece_take(struct hg_pkt **rest, struct hg_pool *pool, uint32_t n_parts)
{
	struct hg_pkt *piece = *rest, *behind;
	uint32_t n_payload = piece->total_bytes - piece->payload_offset;
	uint32_t n_taken = n_parts * piece->gso_bytes;

	*rest = NULL;
	if (n_parts >= HG_PARTS_MAX || n_payload <= n_taken)
		return finish(piece);
	behind = part_chain(piece, piece->payload_offset + n_taken, pool);
	if (behind == NULL)
		return finish(piece);
	describe_rest(behind, piece, piece->total_bytes - n_taken, n_parts);
	piece->total_bytes = piece->payload_offset + n_taken;
	if (piece->ip_proto == HG_IP_TCP)
		piece->data[piece->l4_offset + 13] &= (uint8_t) ~(HG_TCP_FIN | HG_TCP_PSH);
	*rest = behind;
	return finish(piece);
}
