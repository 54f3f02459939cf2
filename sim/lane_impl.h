/* lane_impl: what the parts of a lane share: its state, and what a step does.
 *
 * Why        lane.c makes and ends a lane and tells its figures; lane_step.c is what happens in time.
 * Memory     lane.c's. Threads: one owner.
 */
#ifndef HG_SIM_LANE_IMPL_H
#define HG_SIM_LANE_IMPL_H

#include "sim/lane.h"

/* As many as the packet lane hands over at a time. */
enum { HG_LANE_BURST = 32 };

struct hg_lane_source {
	struct hg_sender sender;
	uint32_t tenant_idx;
	uint32_t n_queued; /* packets of it in the scheduler */
	uint8_t sender_class;
	bool is_set;
};

struct hg_lane {
	struct hg_lane_cfg cfg;
	struct hg_card card;
	struct hg_caps *caps;
	struct hg_sched *sched;
	struct hg_lane_source *sources;
	void *caps_memory, *sched_memory, *inflight_memory;
	/* Of in-flight control; NULL without. */
	struct hg_inflight *inflight;
	struct hg_inflight_cfg inflight_cfg;
	struct hg_tag *tags; /* of a burst of releases */
	uint64_t tagged_pkts,
		tagged_bytes; /* wire packets and bytes out of the scheduler with a tag, not back */
	uint32_t n_since_forgotten;
	bool is_paced, has_settled;
	hg_ns lead_ns; /* of the root */
	hg_ns now_ns, stepped_at_ns;
	hg_ns arrival_at_ns; /* the earliest of all senders */
	hg_ns card_at_ns; /* when the card has something to do */
	hg_ns waiting_since_ns; /* HG_NEVER: nothing is queued */
	hg_ns away_from_ns, away_to_ns; /* the spell that is, or is next */
	uint64_t away_random;
	uint64_t random;
	/* Out of the scheduler, not yet taken by the card. */
	struct hg_pkt *pending[HG_LANE_BURST];
	unsigned n_pending;
	struct hg_lane_class classes[HG_LANE_CLASSES];
	struct hg_lane_link link;
};

/* Memory as the core wants it: aligned, zeroed. NULL: there is none. */
void *hg_lane_zeroed(size_t size);

/* Fills up the backlog of a sender that keeps one. */
void hg_lane_refill(struct hg_lane *lane, uint32_t sender_idx);
void hg_lane_find_next_arrival(struct hg_lane *lane);
/* What the card has released is accounted and goes back into the pool. */
void hg_lane_settle(struct hg_lane *lane);

/* ---- lane_inflight.c; nothing happens without in-flight control ---------------------------------- */

HG_MUST_CHECK int hg_lane_make_inflight(struct hg_lane *lane, struct hg_error *reterr);
/* Out of the scheduler, to the card, and back from it. */
void hg_lane_tag(struct hg_lane *lane, struct hg_pkt *pkt, const struct hg_sched_item *item);
void hg_lane_hand(struct hg_lane *lane, enum hg_held held);
void hg_lane_unhand(struct hg_lane *lane, unsigned n_taken);
/* Collects the tag of a released packet, as the n-th of its burst; returns how many there are now. */
uint32_t hg_lane_collect(struct hg_lane *lane, struct hg_pkt *pkt, uint32_t n);
void hg_lane_settle_tags(struct hg_lane *lane, uint32_t n);
/* The worker was to look from then on, and was not there until now. */
void hg_lane_was_away(struct hg_lane *lane, hg_ns from_ns);
void hg_lane_advance(struct hg_lane *lane);
/* Somebody has come, gone or got another weight: the window is divided anew. */
void hg_lane_divided_anew(struct hg_lane *lane);
/* The exact sum; see lane.h. */
void hg_lane_check_sum(struct hg_lane *lane);

#endif
