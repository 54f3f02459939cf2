/* classify: the class of its instance that a packet belongs to.
 *
 * Why        S2.7: what a machine says about its own packets (DSCP, VLAN priority) orders them.
 * Model      See core/class.h: the first class that asks for the packet's DSCP or PCP; else the last.
 * Promise    An index into the set. A frame that is no IP has no DSCP; an untagged one has PCP 0.
 * Requires   hg_parse() said true; set->n > 0. Memory: none. Threads: any. Cost: at most 8 looks.
 * Errors     none.
 */
#ifndef HG_VSWITCH_CLASSIFY_H
#define HG_VSWITCH_CLASSIFY_H

#include "core/class.h"
#include "vswitch/pkt.h"

#define HG_TOS_DSCP_SHIFT 2u

static inline unsigned hg_classify(const struct hg_class_set *set, const struct hg_pkt *pkt)
{
	bool is_ip = pkt->l3 == HG_L3_IP4 || pkt->l3 == HG_L3_IP6;
	uint64_t dscp = is_ip ? UINT64_C(1) << (pkt->tos >> HG_TOS_DSCP_SHIFT) : 0;
	unsigned pcp = 1u << (pkt->pcp & HG_PCP_MAX);
	unsigned last = set->n - 1u;

	for (unsigned i = 0; i < last; i++)
		if ((set->classes[i].dscps & dscp) != 0 || (set->classes[i].pcps & pcp) != 0)
			return i;
	return last;
}

#endif
