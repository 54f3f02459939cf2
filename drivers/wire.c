#include "drivers/wire.h"

/* Ethernet, IP and TCP headers of a segment, repeated on each of its parts. virtio says that a segment
 * always has its checksum left to do, so csum_start is where the transport header begins. */
static uint32_t header_bytes(const struct hg_pkt *pkt)
{
	uint32_t l4 = pkt->csum_start;

	if (pkt->gso == HG_GSO_UDP)
		return l4 + 8u;
	if (l4 + 13u > pkt->n_bytes)
		return l4 + 20u;
	return l4 + (uint32_t)(pkt->data[l4 + 12u] >> 4) * 4u;
}

struct hg_wire hg_wire_weigh(const struct hg_pkt *pkt)
{
	struct hg_wire wire = {pkt->parts, pkt->wire_bytes};
	uint32_t header, payload;

	if (wire.parts > 0)
		return wire;
	wire.parts = 1;
	wire.bytes = pkt->total_bytes + HG_WIRE_OVERHEAD_BYTES;
	if (pkt->gso == HG_GSO_NONE || pkt->gso_bytes == 0)
		return wire;
	header = header_bytes(pkt);
	if (header >= pkt->total_bytes)
		return wire;
	payload = pkt->total_bytes - header;
	wire.parts = (payload + pkt->gso_bytes - 1u) / pkt->gso_bytes;
	if (wire.parts > HG_PARTS_MAX)
		wire.parts = HG_PARTS_MAX;
	wire.bytes =
		pkt->total_bytes + (wire.parts - 1u) * header + wire.parts * HG_WIRE_OVERHEAD_BYTES;
	if (wire.bytes > HG_WIRE_MAX_BYTES)
		wire.bytes = HG_WIRE_MAX_BYTES;
	return wire;
}
