/* segment: a segment of up to 64 KiB split into the packets that it stands for.
 *
 * Why        Segments travel whole from port to port; where the far end cannot take them, this does what its
 *            card would have done.
 * Model      A cursor over the payload: begin, then next until done. Each part is made when it is asked for,
 *            so that 1,366 parts need neither an array nor buffers at once.
 *              IPv4    total length, identification one up in each part, header checksum
 *              IPv6    payload length; extension headers are repeated
 *              TCP     sequence number; FIN and PSH on the last part only, CWR on the first only
 *              UDP     length
 *              both    complete checksum
 * Promise    The parts' payloads, in order, are the segment's. Every part is a finished frame: gso NONE,
 *            CSUM_VALID, parsed fields and accounting as in the segment, weighed. Their number is the
 *            segment's `parts` and, but for tags pushed since, their wire bytes add up to its weight.
 * Requires   hg_parse() said true for the segment, gso not NONE.
 * Ownership  The segment stays the caller's, unchanged, until done; then he puts it back. A part is his.
 * Memory     Buffers from the pool, as many as one part needs (one, but for jumbo frames).
 * Threads    One owner. Cost: the payload is copied once and summed once.
 * Errors     next: NULL while not done: the pool is out of buffers; ask again later, nothing is lost.
 * Used by    who transmits to a device without the capability.
 */
#ifndef HG_VSWITCH_SEGMENT_H
#define HG_VSWITCH_SEGMENT_H

#include "vswitch/pkt.h"

struct hg_segment {
	const struct hg_pkt *src;
	struct hg_pool *pool;
	const struct hg_pkt *buf; /* where the payload of the next part begins */
	uint32_t buf_offset;
	uint32_t sent_bytes; /* payload in the parts so far */
	uint32_t left_bytes;
	uint32_t pseudo_sum; /* of addresses and protocol */
	uint16_t ip_id; /* of the next part */
};

void hg_segment_begin(struct hg_segment *s, const struct hg_pkt *src, struct hg_pool *pool);

/* The next part. NULL: done, or out of buffers. */
struct hg_pkt *hg_segment_next(struct hg_segment *s);

static inline bool hg_segment_is_done(const struct hg_segment *s)
{
	return s->left_bytes == 0;
}

#endif
