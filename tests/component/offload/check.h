/* check: whether what came out of a port is what went into another, to the byte.
 *
 * Why        The code that cuts and sums is tested against itself nowhere: this is written from the RFCs, one field
 *            after the other, and slow.
 * Model      begin with the reference of a case and what the receiver was promised, then feed what arrives, in its
 *            order, until it is done. A segment may arrive whole, in smaller segments, or in finished frames.
 * Promise    Done: every byte of the payload has arrived once, in order; each frame fits the receiver; each checksum is
 *            right, or was left to a receiver that takes that, with the pseudo header's sum in its place; sequence
 *            numbers, lengths, identifications and flags are those of RFC 9293's segments, PSH and FIN on the last
 *            alone, CWR on the first alone; all other bytes of the headers are the sender's; the tag is the one
 *            expected.
 * Errors     feed returns NULL, or what is wrong; then the case has failed.
 */
#ifndef HG_TESTS_COMPONENT_OFFLOAD_CHECK_H
#define HG_TESTS_COMPONENT_OFFLOAD_CHECK_H

#include "tests/component/offload/wire.h"

/* What a receiver may be given. */
struct takes {
	bool csum, tso4, tso6, ecn, uso;
	uint32_t mtu;
};

struct check {
	const struct shape *shape;
	const struct wire *sent; /* the reference */
	struct takes takes;
	uint16_t tci; /* of the tag expected */
	bool is_tagged;
	bool is_done;
	uint32_t n_payload, n_parts, n_frames; /* so far */
	char why[200];
};

void check_begin(struct check *check, const struct shape *shape, const struct wire *sent,
		 const struct takes *takes);
const char *check_feed(struct check *check, const struct wire *got);

#endif
