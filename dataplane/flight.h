/* flight: what the uplinks' cards have, accounted for.
 *
 * Why        The scheduler takes from a window, the hook sees releases, the root is paced or free: here they are
 *            tied together, for the worker that owns the uplinks' trees.
 * Model      pop -> hg_flight_tag -> staged -> hg_flight_hand -> the driver's tx -> released, on whatever thread ->
 *            the hook's list -> hg_flight_settle: accounts, histograms, who may go on, how the root is paced.
 *            A run that went by the scheduler is tagged as one, and handed over with that if it goes on at once.
 *            What dies on the way is released with its tag, and gives back what it took.
 * Late       While MAX is in force somewhere, releases are settled once a burst: somebody may wait for them. While
 *            each link is paced nobody does, and the bursts of one card queue are settled together, as if all had
 *            come with the last: when there are HG_FLIGHT_LATE_TAGS, once in HG_HOUSEKEEPING_NS, before anything is
 *            published or changed, and before a sleep. So the last burst is what is judged; until then all of
 *            them count as outstanding, in the peak as well.
 *            A card that is slow to say what it has sent is asked while something is outstanding: through
 *            progress, where the driver has it, else by a tx without packets.
 * Threads    The out owner's alone, but for what is marked.
 * Cost       A full frame, or so many small ones: a tag written twice, read once. A turn: one look at each uplink's tree.
 * Errors     none.
 */
#ifndef HG_DATAPLANE_FLIGHT_H
#define HG_DATAPLANE_FLIGHT_H

#include "dataplane/hook.h"
#include "dataplane/worker.h"

struct hg_run;

/* Before pop: what the last one stopped at. */
void hg_flight_note_held(struct hg_tree *tree);

/* What has one tag together: no more than a full frame on the wire; while the link is paced, so that nobody waits for
 * a release, no more than a burst of the smallest frames. */
#define HG_FLIGHT_RUN_BYTES HG_BURST_MIN_BYTES
#define HG_FLIGHT_RUN_PACED_BYTES (HG_BURST_PKTS * 84u)
static inline uint32_t hg_flight_run_bytes(const struct hg_tree *tree)
{
	return tree->is_paced ? HG_FLIGHT_RUN_PACED_BYTES : HG_FLIGHT_RUN_BYTES;
}
/* Settles what was released since the last time: now, whatever it is. There is something. */
void hg_flight_settle_list(struct hg_worker *w);

/* Puts tags on what the tree's scheduler has let through. Settles before, if the hook's list gets long.
 * Small packets of one instance, one behind the other, have one tag together, on the last of them, as long as
 * they are no more than so much: a card sends them in order, and nobody can tell from one full frame what could not
 * be told from these. */
static inline void hg_flight_tag(struct hg_worker *w, struct hg_tree *tree,
				 const struct hg_sched_item *items,
				 const struct hg_sched_runs *runs)
{
	struct hg_hook *hook = w->lane->hook;

	if (HG_UNLIKELY(hg_hook_is_half_full(hook)))
		hg_flight_settle_list(w);
	hg_hook_arm(hook, hg_inflight_tag_runs(tree->inflight, items, runs,
					       offsetof(struct hg_pkt, tag)));
}

/* The same for a run of one instance's packets, from 1, that went by the scheduler. */
void hg_flight_tag_run(struct hg_worker *w, struct hg_tree *tree, const struct hg_run *run);
/* The same, and all of it goes to the card now. */
void hg_flight_hand_run(struct hg_worker *w, struct hg_tree *tree, const struct hg_run *run);

/* Packets with a tag go to the card now, in this order; n at most HG_BURST_PKTS. */
static inline void hg_flight_hand(struct hg_worker *w, struct hg_tree *tree,
				  struct hg_pkt *const *pkts, unsigned n)
{
	struct hg_inflight_sum sum = {0};

	for (unsigned i = 0; i < n; i++)
		hg_inflight_add(&sum, hg_hook_send_off(pkts[i]), w->now_ns);
	if (hg_inflight_handed(tree->inflight, sum, tree->held, w->now_ns))
		tree->held = HG_HELD_NOT;
}
/* What no scheduler took (mode observe) is taken now: puts a tag on each of the n that has none and is not counted.
 * Returns how many have one; ret_tagged, with room for n, is those. */
unsigned hg_flight_take(struct hg_worker *w, struct hg_tree *tree, struct hg_pkt *const *pkts,
			unsigned n, struct hg_pkt **ret_tagged);
/* The card has not taken these n, some of which have tags. n_new: those of them that it refused for the first
 * time. */
void hg_flight_refused(struct hg_worker *w, struct hg_tree *tree, struct hg_pkt *const *pkts,
		       unsigned n, unsigned n_new);

/* Moves what a part stands for from the segment's tag to the part's. is_last: all that is left. */
void hg_flight_split(struct hg_worker *w, struct hg_pkt *segment, struct hg_pkt *part,
		     bool is_last);

/* So many tags at most wait to be settled: a tenth of the processor's first cache. */
#define HG_FLIGHT_LATE_TAGS 128u
static inline void hg_flight_settle_now(struct hg_worker *w)
{
	if (w->owns_cards && w->lane->hook->n > 0)
		hg_flight_settle_list(w);
}
/* The same, or notes when it was released, if nobody waits for it. */
static inline void hg_flight_settle(struct hg_worker *w)
{
	struct hg_hook *hook = w->lane->hook;

	if (!w->owns_cards || !hg_hook_has_unmarked(hook))
		return;
	if (HG_LIKELY(w->may_settle_late && hook->n < HG_FLIGHT_LATE_TAGS &&
		      hg_hook_is_of_one_queue(hook)))
		hg_hook_mark(hook, w->now_ns);
	else
		hg_flight_settle_list(w);
}
/* Not to be at work for longer than a turn takes, who was to be: told to who finds MAX, and the lead. */
#define HG_FLIGHT_AWAY_NS (20 * HG_NS_PER_US)
/* The worker was to be at work from from_ns on, and was not until now. Before anything of this turn is settled. */
void hg_flight_was_away(struct hg_worker *w, hg_ns from_ns);
/* Once a turn: settles, asks cards that have to be asked, and does what is due without a release;
 * in the rhythm of housekeeping what other threads know is brought up to date. */
void hg_flight_look(struct hg_worker *w);
/* When there may be something to settle or to do next; HG_NEVER if nothing is outstanding. */
hg_ns hg_flight_next_at(const struct hg_worker *w, const struct hg_tree *tree);

/* What other threads read is brought up to date, and nothing else: before a sleep, with all settled. */
void hg_flight_publish(struct hg_worker *w);

/* Another snapshot: what a card that is gone had will not be told of. */
void hg_flight_follow(struct hg_worker *w, const struct hg_snapshot *s);
/* HG_OP_SET_ROOT. */
void hg_flight_configure(struct hg_worker *w, const struct hg_op *op);

#endif
