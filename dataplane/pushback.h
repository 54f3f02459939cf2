/* pushback: guests that are over their contract wait in their own rings.
 *
 * Why        A guest whose ring is not read keeps its packets and feels it at once; one whose packets are dropped
 *            sends them again (S1.3). A container's kernel that is told of its refused frame keeps it, too.
 * Model      Ports with HG_DEV_RX_PUSHES_BACK. While the queue of an instance stands for a limit on the whole
 *            instance (its own maxima or its tenant's) and has reached the high mark, its ports are held: not
 *            received from. At the low mark, or when another limit holds it, they are let go. Narrower limits
 *            (a link, a share of a card, another's maximum) are none of this: those queues stand apart.
 *
 *              received from --queue >= high, held by a maximum--> held --queue <= low, or another limit--> ...
 *
 *            A port with HG_DEV_RX_REFUSES is told as well: who sends into it is refused and falls back by about a third,
 *            where a guest only stops. So its queue is full when half of the hold queue is, and is not when a quarter of
 *            that has left, rather than a few segments and half of them: it would run dry before they send again.
 *
 *            The marks are below the bound of the hold queue by more than a port delivers until its worker has
 *            seen the flag, so that nothing of such a port is dropped for want of tokens; and above what a
 *            link sends in a turn, so that the queue does not run dry before it is filled again.
 * Threads    The owner of the out trees writes hg_flow.is_full; the workers of the ports read it. Releases are
 *            counted, so that a worker looks at its held ports only when one may have to go on.
 * Cost       One look a packet that is queued behind another. A release: O(ports held by that worker).
 */
#ifndef HG_DATAPLANE_PUSHBACK_H
#define HG_DATAPLANE_PUSHBACK_H

#include "dataplane/path_impl.h"

/* Whether the port is not to be received from now. The port's worker asks. */
static inline bool hg_pushback_holds(const struct hg_worker *w, const struct hg_port *port)
{
	uint32_t slot;

	if (HG_LIKELY(!(HG_READ(port->dev->caps) & HG_DEV_RX_PUSHES_BACK)))
		return false;
	slot = w->snapshot->port_instance[port->slot];
	return slot != HG_SLOT_NONE && HG_READ(hg_path_flow(w, slot, HG_OUT)->is_full);
}

/* Judges a packet that is to be queued behind others of its instance in an out tree, before any bound of the
 * queue does. Returns whether it is queued whatever these say. */
bool hg_pushback_note(struct hg_worker *w, const struct hg_tree *tree, struct hg_flow *flow,
		      const struct hg_pkt *pkt);
/* A packet of a full flow has left the tree. */
void hg_pushback_left(struct hg_worker *w, const struct hg_tree *tree, struct hg_flow *flow,
		      uint32_t instance_idx);
/* Whoever held the flow's ports lets them go: it is another's from now on. */
void hg_pushback_reset(struct hg_worker *w, struct hg_flow *flow);

#endif
