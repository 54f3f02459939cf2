/* piece: smaller segments cut off a large one, with as little copying as possible.
 *
 * Why        64 KiB occupy a link of 1 Gbit/s for half a millisecond, and a contract of 50 Mbit/s for ten: for
 *            so long whoever comes next has to wait, however it is scheduled. In pieces they can be
 *            overtaken; and a piece is still a segment, so that most of what whole segments gain stays.
 * Model      take cuts the first n parts off; what remains is a segment again, in the same place, to be cut
 *            further or passed on:
 *              headers  copied in front of what remains, where its first buffer has the room
 *              payload  whole buffers go with the piece that they belong to; of one that lies across the cut
 *                       the smaller side is copied, if the larger one has or needs no room for headers
 *            What is written into headers is what hg_segment writes (vswitch/segment.h), the checksum but for
 *            its pseudo header excepted: that is still left to do. A piece of one part is a plain packet.
 * Promise    Pieces split into parts are, byte for byte, the segment split into parts; their parts and wire
 *            bytes add up to the segment's. Description and accounting as in the segment.
 *            At most half of each buffer's bytes is copied for a cut, and the headers.
 * Requires   hg_parse() said true and hg_weigh() was called for the segment, gso not NONE.
 * Ownership  The segment becomes the pieces: whoever took all of them owns all that it was.
 * Memory     For a cut no more fresh buffers than the copied bytes and the headers need: one, or none.
 * Errors     none. Without buffers the piece is all that remains, however large: nothing is lost, and who
 *            counts bytes counts the right ones.
 * Threads    One owner. Cost: for a piece the walk over its buffers, the headers, at most 1 KiB of copying.
 * Used by    dataplane/path.c, in front of a scheduler.
 */
#ifndef HG_VSWITCH_PIECE_H
#define HG_VSWITCH_PIECE_H

#include "vswitch/pkt.h"
#include "vswitch/proto.h"

/* Cuts the first n_parts (at least 1) off *rest and returns them; *rest is what remains, NULL if the piece is
 * all of it. What remains is only to be taken further. */
struct hg_pkt *hg_piece_take(struct hg_pkt **rest, struct hg_pool *pool, uint32_t n_parts);

/* How many parts of the segment weigh at most wire_bytes; at least 1. */
static inline uint32_t hg_piece_parts(const struct hg_pkt *segment, uint32_t wire_bytes)
{
	uint32_t n = wire_bytes /
		     (segment->payload_offset + segment->gso_bytes + HG_WIRE_OVERHEAD_BYTES);

	return n > 0 ? n : 1u;
}

#endif
