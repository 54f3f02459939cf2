/* announcer: announcements, sent out of the uplinks in rounds.
 *
 * Why        S5.1, migration: see vswitch/announce.h.
 * Model      The control lane hands a batch of announcements to the out owner, which also polls the uplinks; there they
 *            wait in a list, first come, first served, and are sent round by round, at most PACE frames a
 *            millisecond, so that a host that starts with ten thousand ports is not a storm. A batch that is done
 *            is freed by the control lane when it looks next.
 *            Frames go the way of all others from the uplink's queue on; no instance is charged with them.
 * Threads    hg_announcer_look, hg_announcer_has_mail: the out owner's. The others: the control lane's.
 * Cost       Nothing to announce: two loads a housekeeping. Errors: none; without memory nothing is announced.
 */
#ifndef HG_DATAPLANE_ANNOUNCER_H
#define HG_DATAPLANE_ANNOUNCER_H

#include "dataplane/dp.h"
#include "vswitch/announce.h"

struct hg_announce_item {
	uint32_t
		slot; /* of the port: VLAN and uplink are those that it has when the frame is sent */
	struct hg_announcement what;
};

struct hg_announce_batch {
	struct hg_announce_batch *next_of_all; /* the control lane's */
	struct hg_announce_batch *next; /* handed over, then the worker's */
	_Atomic bool is_done;
	uint32_t generation; /* ports that are others by now are not spoken for */
	uint32_t n, at;
	unsigned round;
	hg_ns next_at_ns; /* of the next frame; 0: not begun */
	struct hg_announce_item items[];
};

/* The frame for a port or an uplink, in that VLAN with a tag; NULL: there is no buffer, which is counted. */
struct hg_pkt *hg_announcer_make(struct hg_worker *w, const struct hg_announcement *what,
				 uint16_t vlan);
/* In housekeeping: sends what is due. */
void hg_announcer_look(struct hg_worker *w);

static inline bool hg_announcer_has_mail(const struct hg_worker *w)
{
	return w->idx == w->lane->out_owner && atomic_load(&w->lane->announce) != NULL;
}

/* A change has come into force: announces what has to be. old: the snapshot before it. */
void hg_announcer_follow(struct hg_dp *dp, const struct hg_snapshot *old,
			 const struct hg_dp_move *move);
/* All batches, once the workers have stopped. */
void hg_announcer_free(struct hg_dp *dp);

#endif
