#include "vswitch/pkt.h"

#include <string.h>

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

struct hg_pkt *hg_pkt_create_chain(struct hg_pool *pool, uint32_t total_bytes)
{
	struct hg_pkt *bufs[HG_PKT_CHAIN_MAX];
	unsigned n = (total_bytes + HG_PKT_ROOM_BYTES - 1u) / HG_PKT_ROOM_BYTES;
	uint32_t left = total_bytes;

	if (n == 0 || n > HG_PKT_CHAIN_MAX || hg_pool_get(pool, bufs, n) != n)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		uint32_t n_here = least(left, HG_PKT_ROOM_BYTES);

		bufs[i]->n_bytes = (uint16_t)n_here;
		bufs[i]->headroom = HG_PKT_HEADROOM_BYTES;
		bufs[i]->tailroom = (uint16_t)(HG_PKT_ROOM_BYTES - n_here);
		bufs[i]->next = i + 1u < n ? bufs[i + 1u] : NULL;
		left -= n_here;
	}
	bufs[0]->total_bytes = total_bytes;
	return bufs[0];
}

void hg_pkt_copy_description(struct hg_pkt *dst, const struct hg_pkt *src)
{
	struct hg_pkt place = *dst;

	*dst = *src;
	dst->data = place.data;
	dst->next = place.next;
	dst->total_bytes = place.total_bytes;
	dst->n_bytes = place.n_bytes;
	dst->headroom = place.headroom;
	dst->tailroom = place.tailroom;
	dst->pool_part = place.pool_part;
	dst->tag = place.tag;
	dst->link = NULL;
}

struct hg_pkt *hg_pkt_copy(struct hg_pool *pool, const struct hg_pkt *src)
{
	struct hg_pkt *copy = hg_pkt_create_chain(pool, src->total_bytes);
	uint32_t offset = 0;

	if (copy == NULL)
		return NULL;
	hg_pkt_copy_description(copy, src);
	if (HG_LIKELY(copy->next == NULL && src->next == NULL)) {
		memcpy(copy->data, src->data, src->n_bytes);
		return copy;
	}
	for (struct hg_pkt *buf = copy; buf != NULL; buf = buf->next) {
		hg_pkt_read(src, offset, buf->data, buf->n_bytes);
		offset += buf->n_bytes;
	}
	return copy;
}

void hg_pkt_read(const struct hg_pkt *pkt, uint32_t offset, uint8_t *ret_bytes, uint32_t n)
{
	while (n > 0) {
		uint32_t n_here;

		if (offset >= pkt->n_bytes) {
			offset -= pkt->n_bytes;
			pkt = pkt->next;
			continue;
		}
		n_here = least(n, pkt->n_bytes - offset);
		memcpy(ret_bytes, pkt->data + offset, n_here);
		ret_bytes += n_here;
		n -= n_here;
		offset = 0;
		pkt = pkt->next;
	}
}
