/* vlan: tags pushed onto and popped off a frame in place.
 *
 * Why        An instance sees no tags; its frames carry one on the uplink (S5.1, VLAN per tenant).
 * Model      The two addresses move by four bytes, into the headroom or back. All that counts from `data`
 *            moves along: parsed offsets, csum_start, lengths.
 * Requires   A parsed packet (hg_parse()). Weigh it again afterwards.
 * Memory     none. Threads: one owner. Cost: 12 bytes moved.
 * Errors     false: no headroom; the packet is untouched.
 * Used by    who carries out a hop of forward.
 */
#ifndef HG_VSWITCH_VLAN_H
#define HG_VSWITCH_VLAN_H

#include "vswitch/forward.h"
#include "vswitch/pkt.h"

/* Puts an 802.1Q tag in front; vlan in [0, 4,094], pcp in [0, 7]. */
HG_MUST_CHECK bool hg_vlan_push(struct hg_pkt *pkt, uint16_t vlan, uint8_t pcp);

/* Takes the outer tag off; nothing if there is none. vlan and pcp are then the inner tag's, or 0. */
void hg_vlan_pop(struct hg_pkt *pkt);

/* Writes another VLAN into the outer tag, priority kept. Requires a tag. */
void hg_vlan_set(struct hg_pkt *pkt, uint16_t vlan);

/* What the hop asks for. */
HG_MUST_CHECK bool hg_vlan_apply(struct hg_pkt *pkt, const struct hg_hop *hop);

#endif
