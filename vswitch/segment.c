#include "vswitch/segment.h"

#include "vswitch/bytes.h"
#include "vswitch/checksum.h"
#include "vswitch/proto.h"
#include "vswitch/weigh.h"

#include <string.h>

void hg_segment_begin(struct hg_segment *s, const struct hg_pkt *src, struct hg_pool *pool)
{
	const uint8_t *ip = src->data + src->l3_offset;
	bool is_ip4 = src->l3 == HG_L3_IP4;

	*s = (struct hg_segment){
		.src = src,
		.pool = pool,
		.buf = src,
		.buf_offset = src->payload_offset,
		.left_bytes = src->total_bytes - src->payload_offset,
		.pseudo_sum =
			src->ip_proto + hg_checksum_sum(ip + (is_ip4 ? 12 : 8), is_ip4 ? 8 : 32),
		.ip_id = is_ip4 ? hg_bytes_get16(ip + 4) : 0,
	};
}

/* Copies the next n bytes of payload behind the first n_used bytes of the part. */
static void copy_payload(struct hg_segment *s, struct hg_pkt *part, uint32_t n_used, uint32_t n)
{
	while (n > 0) {
		uint32_t n_here = n;

		if (s->buf_offset == s->buf->n_bytes) {
			s->buf = s->buf->next;
			s->buf_offset = 0;
		}
		if (n_used == part->n_bytes) {
			part = part->next;
			n_used = 0;
		}
		if (n_here > s->buf->n_bytes - s->buf_offset)
			n_here = s->buf->n_bytes - s->buf_offset;
		if (n_here > part->n_bytes - n_used)
			n_here = part->n_bytes - n_used;
		memcpy(part->data + n_used, s->buf->data + s->buf_offset, n_here);
		s->buf_offset += n_here;
		n_used += n_here;
		n -= n_here;
	}
}

static void finish_ip(struct hg_segment *s, struct hg_pkt *part)
{
	uint8_t *ip = part->data + part->l3_offset;
	uint32_t n_ip = part->total_bytes - part->l3_offset;

	if (part->l3 == HG_L3_IP6) {
		hg_bytes_put16(ip + 4, n_ip - HG_IP6_BYTES);
		return;
	}
	hg_bytes_put16(ip + 2, n_ip);
	hg_bytes_put16(ip + 4, s->ip_id++);
	hg_bytes_put16(ip + 10, 0);
	hg_bytes_put16(ip + 10, hg_checksum_finish(hg_checksum_sum(ip, (ip[0] & 0x0fu) * 4u)));
}

static void finish_transport(struct hg_segment *s, struct hg_pkt *part, uint32_t n_payload)
{
	uint8_t *l4 = part->data + part->l4_offset;
	bool is_tcp = part->ip_proto == HG_IP_TCP;
	uint8_t *csum = l4 + (is_tcp ? HG_TCP_CSUM_OFFSET : HG_UDP_CSUM_OFFSET);
	uint32_t n_l4 = part->total_bytes - part->l4_offset;
	uint16_t value;

	if (is_tcp) {
		hg_bytes_put32(l4 + 4, hg_bytes_get32(l4 + 4) + s->sent_bytes);
		if (n_payload < s->left_bytes)
			l4[13] &= (uint8_t) ~(HG_TCP_FIN | HG_TCP_PSH);
		if (s->sent_bytes > 0)
			l4[13] &= (uint8_t)~HG_TCP_CWR;
	} else {
		hg_bytes_put16(l4 + 4, n_l4);
	}
	hg_bytes_put16(csum, 0);
	value = hg_checksum_finish(s->pseudo_sum + n_l4 +
				   hg_checksum_sum_chain(part, part->l4_offset));
	hg_bytes_put16(csum, value != 0 || is_tcp ? value : 0xffffu);
}

struct hg_pkt *hg_segment_next(struct hg_segment *s)
{
	uint32_t n_headers = s->src->payload_offset;
	uint32_t n_payload = s->left_bytes < s->src->gso_bytes ? s->left_bytes : s->src->gso_bytes;
	struct hg_pkt *part;

	if (n_payload == 0)
		return NULL;
	part = hg_pkt_create_chain(s->pool, n_headers + n_payload);
	if (part == NULL)
		return NULL;
	hg_pkt_copy_description(part, s->src);
	part->gso = HG_GSO_NONE;
	part->gso_bytes = 0;
	part->gso_ecn = false;
	part->flags = HG_PKT_CSUM_VALID;
	memcpy(part->data, s->src->data, n_headers);
	copy_payload(s, part, n_headers, n_payload);
	finish_ip(s, part);
	finish_transport(s, part, n_payload);
	s->sent_bytes += n_payload;
	s->left_bytes -= n_payload;
	hg_weigh(part);
	return part;
}
