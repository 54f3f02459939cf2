/* checksum: the Internet checksum, over chains of buffers (RFC 1071, RFC 1624).
 *
 * Why        A guest leaves its checksum to "the card"; where the far end takes only finished frames, this
 *            is the card.
 * Model      A sum is the ones' complement sum of 16-bit words in network order, folded to 16 bits; sums are
 *            added as plain numbers and folded at the end. A last odd byte counts as if a 0 followed.
 * Promise    As RFC 1071 says, for any alignment, length and cut into buffers.
 * Memory     none. Threads: any. Cost: a vector add for each few words. Errors: none.
 */
#ifndef HG_VSWITCH_CHECKSUM_H
#define HG_VSWITCH_CHECKSUM_H

#include "vswitch/pkt.h"

/* In [0, 65,535], not inverted. n in [0, 2^31]. */
uint32_t hg_checksum_sum(const uint8_t *bytes, uint32_t n);

/* The same over the frame from offset on, to its end. offset <= total_bytes. */
uint32_t hg_checksum_sum_chain(const struct hg_pkt *pkt, uint32_t offset);

/* Folds and inverts: what stands in a header, in host order. sum: any number of sums added. */
static inline uint16_t hg_checksum_finish(uint32_t sum)
{
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	return (uint16_t)(~sum & 0xffffu);
}

/* Does what NEEDS_CSUM asks for, to the end of the frame, and takes the flag away; nothing without it. A
 * result of 0 is stored as 0xffff, which is the same number and, in UDP, does not mean "none".
 * Requires hg_parse() said true, gso NONE. */
void hg_checksum_complete(struct hg_pkt *pkt);

#endif
