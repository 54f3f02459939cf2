#include "vswitch/vlan.h"

#include "vswitch/bytes.h"
#include "vswitch/proto.h"

#include <string.h>

#define ADDRESSES_BYTES 12u

/* All that counts from data, after data has moved by n bytes to the front. */
static void shift_offsets(struct hg_pkt *pkt, int n)
{
	pkt->headroom = (uint16_t)(pkt->headroom - n);
	pkt->n_bytes = (uint16_t)(pkt->n_bytes + n);
	pkt->total_bytes = (uint32_t)((int64_t)pkt->total_bytes + n);
	pkt->l3_offset = (uint16_t)(pkt->l3_offset + n);
	if (pkt->l4_offset != 0) {
		pkt->l4_offset = (uint16_t)(pkt->l4_offset + n);
		pkt->payload_offset = (uint16_t)(pkt->payload_offset + n);
	}
	if ((pkt->flags & HG_PKT_NEEDS_CSUM) != 0)
		pkt->csum_start = (uint16_t)(pkt->csum_start + n);
}

bool hg_vlan_push(struct hg_pkt *pkt, uint16_t vlan, uint8_t pcp)
{
	if (pkt->headroom < HG_VLAN_TAG_BYTES)
		return false;
	pkt->data -= HG_VLAN_TAG_BYTES;
	memmove(pkt->data, pkt->data + HG_VLAN_TAG_BYTES, ADDRESSES_BYTES);
	hg_bytes_put16(pkt->data + 12, HG_ETHERTYPE_VLAN);
	hg_bytes_put16(pkt->data + 14, (uint32_t)pcp << 13 | vlan);
	shift_offsets(pkt, (int)HG_VLAN_TAG_BYTES);
	pkt->vlan = vlan;
	pkt->pcp = pcp;
	return true;
}

void hg_vlan_pop(struct hg_pkt *pkt)
{
	if (pkt->l3_offset == HG_ETHER_BYTES)
		return;
	memmove(pkt->data + HG_VLAN_TAG_BYTES, pkt->data, ADDRESSES_BYTES);
	pkt->data += HG_VLAN_TAG_BYTES;
	shift_offsets(pkt, -(int)HG_VLAN_TAG_BYTES);
	pkt->vlan = 0;
	pkt->pcp = 0;
	if (pkt->l3_offset > HG_ETHER_BYTES) {
		pkt->vlan = hg_bytes_get16(pkt->data + 14) & 0x0fffu;
		pkt->pcp = (uint8_t)(pkt->data[14] >> 5);
	}
}

void hg_vlan_set(struct hg_pkt *pkt, uint16_t vlan)
{
	hg_bytes_put16(pkt->data + 14, (uint32_t)(pkt->data[14] & 0xf0u) << 8 | vlan);
	pkt->vlan = vlan;
}

bool hg_vlan_apply(struct hg_pkt *pkt, const struct hg_hop *hop)
{
	switch (hop->tag) {
	case HG_TAG_PUSH:
		return hg_vlan_push(pkt, hop->vlan, 0);
	case HG_TAG_POP:
		hg_vlan_pop(pkt);
		return true;
	case HG_TAG_SET:
		hg_vlan_set(pkt, hop->vlan);
		return true;
	default:
		return true;
	}
}
