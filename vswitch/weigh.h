/* weigh: what a packet or a segment will occupy of the wire.
 *
 * Why        Capacity, admission and guarantees count wire bytes: a segment of 64 KiB weighs what its
 *            parts will, so that nobody gains by how the packets are wrapped.
 * Model      One packet:  max(frame, 60) + 24. Ethernet pads to 60 bytes; preamble (8), check sequence (4)
 *            and gap (12) make 24. So the least is 84 bytes, as a card at line rate shows it.
 *            A segment: the headers are repeated in each of its parts, each part pays its 24, and the
 *            last, which may be short, is padded to 60 like any other.
 * Requires   hg_parse() said true. After a tag is pushed or popped: weigh again.
 * Promise    1 <= parts <= HG_PARTS_MAX; 84 <= wire_bytes <= HG_WIRE_MAX_BYTES.
 * Units      bytes. Memory: none. Threads: one owner. Cost: one division for a segment, else none.
 * Errors     none.
 */
#ifndef HG_VSWITCH_WEIGH_H
#define HG_VSWITCH_WEIGH_H

#include "vswitch/pkt.h"
#include "vswitch/proto.h"

static inline uint32_t hg_weigh_frame(uint32_t n_frame_bytes)
{
	uint32_t n = n_frame_bytes < HG_ETHER_MIN_BYTES ? HG_ETHER_MIN_BYTES : n_frame_bytes;

	return n + HG_WIRE_OVERHEAD_BYTES;
}

/* Sets parts and wire_bytes. */
static inline void hg_weigh(struct hg_pkt *pkt)
{
	uint32_t n_payload, n_parts, n_last;

	if (HG_LIKELY(pkt->gso == HG_GSO_NONE)) {
		pkt->parts = 1;
		pkt->wire_bytes = hg_weigh_frame(pkt->total_bytes);
		return;
	}
	n_payload = pkt->total_bytes - pkt->payload_offset;
	n_parts = (n_payload + pkt->gso_bytes - 1u) / pkt->gso_bytes;
	n_last = n_payload - (n_parts - 1u) * pkt->gso_bytes;
	pkt->parts = (uint16_t)n_parts;
	/* Every part but the last holds 48 bytes behind 42 of headers: no padding there. */
	pkt->wire_bytes =
		(n_parts - 1u) * (pkt->payload_offset + pkt->gso_bytes + HG_WIRE_OVERHEAD_BYTES) +
		hg_weigh_frame(pkt->payload_offset + n_last);
}

#endif
