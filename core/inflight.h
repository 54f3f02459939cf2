/* inflight: what a card queue has, whose it is, and whether its releases can be believed.
 *
 * Why        S2.1 to S2.3, S2.10 to S2.14. The window says who may go, the depth how much in all; here both
 *            are fed from hand-overs and releases, on real and on virtual time by the same calls.
 * Model      taken (by the scheduler, through the window) -> tagged -> handed to the card -> released ->
 *            settled: window give, depth, histograms. The releases of a burst are settled together.
 *            The hook is believed by evidence:
 *
 *              OFF       the operator's: nothing is tagged, the root is paced
 *              LEARNING  the root is paced, MAX unbounded: releases are watched
 *              ON        releases come when a card can have sent: the root runs free, MAX binds
 *              EARLY     releases come before a link of this rate can have sent (a driver that copies, a tap,
 *                        a device that sends faster than its capacity here): they do not say when the
 *                        capacity has room; the root is paced, and they are watched further
 *              SILENT    something is outstanding and nothing was released for a time in which MAX passes
 *                        the link many times: it is written off, the root is paced, and the operator is told
 *
 *            LEARNING -> ON | EARLY | SILENT; ON -> EARLY | SILENT; EARLY | SILENT -> ON by evidence, and
 *            each into the other. What the evidence is: core/belief.h.
 *            Whoever owns the root asks hg_inflight_is_paced() after advance.
 * Silent     is who releases nothing for 100 ms, or eight times what the link needs for MAX and for what was
 *            outstanding when the silence began. (A shorter one may be the host's own.)
 * Lost       What two epochs did not bring back is written off and counted (a driver that loses buffers). An
 *            epoch is 250 ms, or as above.
 * Clock      handed_ns and a release's now_ns are of one clock, each at most a turn old. Releases inside the
 *            send call should be settled with the hand-over's own instant: that is how they are found out.
 * Promise    taken = given + lost + outstanding, exactly, at any time; and outstanding ends at 0.
 * Time in    the card: from hand-over to release, of wire packets, by instance (hg_inflight_card) and in all.
 * Samples    The last HG_INFLIGHT_SAMPLES of struct hg_depth_sample, for the store (S2.14): written by the
 *            owner, read by another thread by number.
 * Memory     Caller's: hg_inflight_size(), 64-byte aligned, zeroed, lazily mapped.
 * Threads    One owner; what is marked may be read by others.
 * Cost       O(1) a run: packets of one instance that are taken together, handed over together or released together are
 *            accounted for together, and what a burst says of the card is said once.
 * Used by    dataplane, sim.
 */
#ifndef HG_CORE_INFLIGHT_H
#define HG_CORE_INFLIGHT_H

#include "core/depth.h"
#include "core/histogram.h"
#include "core/sched.h"
#include "core/tag.h"
#include "core/window.h"

#define HG_INFLIGHT_SAMPLES 4096u /* a power of two */
#define HG_INFLIGHT_RUN_MAX 1024u /* 2^20 bytes each stay below 2^31 */

/* X(enum, name, sentence) */
#define HG_HOOK_STATES(X)                                                                   \
	X(OFF, "off", "in-flight control is switched off; the link is paced")               \
	X(LEARNING, "learning", "the card's releases are being watched; the link is paced") \
	X(ON, "on", "releases tell what the card has sent; its queue is kept short")        \
	X(EARLY, "early",                                                                   \
	  "the driver releases buffers before they are sent; the link is paced instead")    \
	X(SILENT, "silent", "the driver does not release buffers; the link is paced instead")

enum hg_hook_state {
#define X(id, name, text) HG_HOOK_##id,
	HG_HOOK_STATES(X)
#undef X
		HG_N_HOOK_STATES
};

const char *hg_hook_state_name(enum hg_hook_state state);
const char *hg_hook_state_text(enum hg_hook_state state);

struct hg_inflight;

struct hg_inflight_cfg {
	struct hg_depth_cfg depth;
	uint32_t max_tenants, max_instances;
	uint8_t queue; /* number of the card queue, in [0, 254] */
	bool is_on; /* the operator's switch */
};

size_t hg_inflight_size(const struct hg_inflight_cfg *cfg);
struct hg_inflight *hg_inflight_init(void *memory, const struct hg_inflight_cfg *cfg, hg_ns now_ns);
/* Live: switches on and off, changes rate, pin and scale. Sizes and queue stay. What is outstanding when it
 * is switched off is still settled. */
void hg_inflight_configure(struct hg_inflight *q, const struct hg_inflight_cfg *cfg, hg_ns now_ns);

/* For the scheduler's cfg, which asks and takes. */
struct hg_window *hg_inflight_window(struct hg_inflight *q);

/* The instance goes: its row of the window, and its time in the card. What it has outstanding is nobody's. */
void hg_inflight_remove_instance(struct hg_inflight *q, uint32_t instance_idx);

/* The tag for a packet that the window has just taken (hg_sched_pop did), or, without a scheduler in between
 * (mode observe), that is taken now. load as in struct hg_sched_item. While switched off the tag's queue is 0, and
 * the window does not count: the packet goes without a tag. */
struct hg_tag hg_inflight_tag(struct hg_inflight *q, uint32_t instance_idx, uint32_t load);
/* The same where it is to stand. Returns whether there is one; if not, nothing was written. */
bool hg_inflight_put_tag(struct hg_inflight *q, uint32_t instance_idx, uint32_t load,
			 struct hg_tag *ret_tag);
/* The same for runs that hg_sched_pop_runs() told, each in the last packet of its items: its tag lies tag_at bytes from
 * where the item's pkt points. Returns how many were written; 0 while switched off. */
unsigned hg_inflight_tag_runs(struct hg_inflight *q, const struct hg_sched_item *items,
			      const struct hg_sched_runs *runs, size_t tag_at);
struct hg_tag hg_inflight_take(struct hg_inflight *q, uint32_t instance_idx, uint32_t load);
/* What goes to the card in one instant: added up tag by tag, in this order, and told once. Begins with zeros; n at most
 * HG_INFLIGHT_RUN_MAX. */
struct hg_inflight_sum {
	uint32_t bytes, parts;
};
/* Writes the tag's time; one without a queue is passed over. */
static inline void hg_inflight_add(struct hg_inflight_sum *sum, struct hg_tag *tag, hg_ns now_ns)
{
	if (HG_UNLIKELY(tag->queue == 0))
		return;
	tag->handed_ns = now_ns > 0 ? now_ns : 1; /* 0 says that it was not handed over */
	sum->bytes += hg_load_bytes(tag->load);
	sum->parts += hg_load_parts(tag->load);
}
/* held: what pop had stopped at since the last. Returns whether there was a tag. */
bool hg_inflight_handed(struct hg_inflight *q, struct hg_inflight_sum sum, enum hg_held held,
			hg_ns now_ns);
/* What has one tag together, was taken just now, and goes to the card in the same instant, alone: as put_tag and handed.
 * Returns whether there is a tag. */
bool hg_inflight_send(struct hg_inflight *q, uint32_t instance_idx, struct hg_inflight_sum sum,
		      enum hg_held held, hg_ns now_ns, struct hg_tag *ret_tag);
/* One alone. */
void hg_inflight_hand(struct hg_inflight *q, struct hg_tag *tag, enum hg_held held, hg_ns now_ns);
/* The card refused it after all (a failed send): as if it had not been handed; it is still taken. */
void hg_inflight_unhand(struct hg_inflight *q, struct hg_tag *tag, hg_ns now_ns);
/* The card's queue had no room for what the window allowed (S2.12). In state ON, what it had taken until then
 * becomes a bound of MAX in packets, until it is configured anew. The packets are still outstanding. */
void hg_inflight_refused(struct hg_inflight *q, uint32_t n_pkts, hg_ns now_ns);

/* Nobody was there from when somebody was to be until now (hg_depth_was_away): before what was released meanwhile is
 * settled. */
void hg_inflight_was_away(struct hg_inflight *q, hg_ns from_ns, hg_ns now_ns);

/* Releases, as the hook collected them, all of this queue. The caller then tells the scheduler whose they were
 * (hg_sched_window_opened). */
void hg_inflight_settle(struct hg_inflight *q, const struct hg_tag *tags, unsigned n, hg_ns now_ns);
/* The same for several bursts of releases, of which the last came at now_ns, at once: exact in what is given back, while
 * times in the card are those of the last one. For who is paced, so that nothing waits for a release. */
void hg_inflight_settle_together(struct hg_inflight *q, const struct hg_tag *tags, unsigned n,
				 hg_ns now_ns);
/* After all of a burst, and when hg_inflight_next_at() says so: depth, epochs, the state of the hook.
 * Returns true if more may go than before: the caller tells the scheduler (hg_sched_window_changed), and
 * asks hg_inflight_is_paced(). Follow leaves out what other threads read: for who does so every few microseconds,
 * and publishes now and then, and before it sleeps. */
bool hg_inflight_advance(struct hg_inflight *q, hg_ns now_ns);
bool hg_inflight_follow(struct hg_inflight *q, hg_ns now_ns);
void hg_inflight_publish(struct hg_inflight *q);
/* When advance has something to do though nothing is released; HG_NEVER with nothing outstanding. */
hg_ns hg_inflight_next_at(const struct hg_inflight *q);

/* Whether the root has to be paced: the hook is off, or not to be believed. */
bool hg_inflight_is_paced(const struct hg_inflight *q);
/* Else it runs at the link's full rate, and so far ahead of it; HG_NEVER: it need not be held at all (a pin). */
hg_ns hg_inflight_lead_ns(const struct hg_inflight *q);

/* The card was reset or closed: whatever has not been released until now never will be. */
void hg_inflight_reset(struct hg_inflight *q, hg_ns now_ns);

/* ---- samples; any thread ------------------------------------------------------------------------ */

struct hg_inflight_stats {
	struct hg_window_stats window;
	enum hg_hook_state state;
	hg_ns state_since_ns;
	uint64_t n_state_changes;
	uint64_t never_handed_pkts; /* taken, and released without having reached the card */
	uint64_t late_pkts; /* released after they had been written off */
	uint64_t refused_pkts; /* card full though the window was open */
	uint64_t rate_bytes_per_s; /* of the link, as the depth believes */
	hg_ns away_lead_ns; /* how far ahead the card is filled since the worker is away so often; else 0 */
	/* Wire bytes: handed over while work waited behind them; and what the wire could have carried meanwhile, and did not:
	 * since the worker was late, of that for longer than any lead is, and since MAX was too small. */
	uint64_t work_bytes, dry_late_bytes, dry_beyond_bytes, dry_full_bytes;
	uint64_t n_samples; /* ever; the last HG_INFLIGHT_SAMPLES are kept */
	struct hg_histogram card; /* time in the card, all instances */
};
/* As of the last advance, publish, configure or reset. The peak is that since the last call. */
void hg_inflight_sample(struct hg_inflight *q, struct hg_inflight_stats *ret_stats);
/* Time in the card of one instance. Owner's memory, counts are whole for any reader. */
const struct hg_histogram *hg_inflight_card(const struct hg_inflight *q, uint32_t instance_idx);
/* It goes on from there: of the same instance, in the process before. The owner's. */
void hg_inflight_restore_card(struct hg_inflight *q, uint32_t instance_idx,
			      const struct hg_histogram *card);
/* The sample of that number; false if it is gone or not there yet. */
bool hg_inflight_depth_sample(const struct hg_inflight *q, uint64_t number,
			      struct hg_depth_sample *ret_sample);

#endif
