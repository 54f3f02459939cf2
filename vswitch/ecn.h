/* ecn: the mark that says "congestion experienced" without dropping (RFC 3168).
 *
 * Why        S1.3: a port that cannot push back has its queue marked by sojourn time first, and only then cut.
 * Promise    true: the packet says CE now, and its IPv4 header checksum is right again if it was right
 *            before. false: the sender does not speak ECN (or it is no IP), and nothing changed.
 *            A segment is marked whole: each of its parts will carry the mark.
 * Requires   hg_parse() said true. Memory: none. Threads: one owner. Cost: O(1). Errors: none.
 */
#ifndef HG_VSWITCH_ECN_H
#define HG_VSWITCH_ECN_H

#include "vswitch/pkt.h"

#define HG_ECN_MASK 3u
#define HG_ECN_NOT_ECT 0u
#define HG_ECN_CE 3u

static inline bool hg_ecn_is_capable(const struct hg_pkt *pkt)
{
	return (pkt->tos & HG_ECN_MASK) != HG_ECN_NOT_ECT;
}

bool hg_ecn_mark(struct hg_pkt *pkt);

#endif
