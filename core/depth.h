/* depth: the least that a card queue must hold to keep its link at line rate, and when to fill it.
 *
 * Why        S2.4: too little in the card and the link runs dry between two releases; too much and every
 *            packet waits behind it. The right depth follows the card, its completions and the traffic.
 * Model      A virtual wire. The link's rate R is known, so that for each packet handed over at t the instant at
 *            which a card that never rests would have sent it can be computed: end = max(end of the one
 *            before, t) + bytes / R. That tells what no release tells, whatever its delay or batching, and two
 *            bounds follow from it:
 *              lead   a packet is handed over when no more than this is left on the wire: just in time. It is
 *                     what the packet lane is late by, so that the wire is not dry for more than
 *                     1 / HG_DEPTH_LATE_LOSS of the time; the card's own delays do not enter. Up to
 *                     HG_DEPTH_LEAD_MAX_NS, since everybody waits behind it all the time.
 *              away lead where the lane shares a processor, and is away for so long and so often that with a lead
 *                     like that more than 1 / HG_DEPTH_AWAY_LOSS of the link would be lost, the lead is longer:
 *                     the least that would have lost no more of late, up to HG_DEPTH_AWAY_LEAD_MAX_NS. Of a time
 *                     away that is longer than that only so much counts: the rest no lead can mend. It is
 *                     forgotten over seconds, since processors are shared for longer than a few milliseconds.
 *              MAX    what may be outstanding in all: the lead, an away lead once more, one largest packet, and
 *                     what the card has sent without saying so (outstanding, less what is left on the wire). It
 *                     binds only when the card falls behind the wire. (Once more: shares are parts of MAX, and
 *                     beside a light sender the heavy one has half.)
 *            Where MAX binds and the wire runs dry while we were there, either the card tells later than it did,
 *            or it is slower than R. What would have to be MAX if it tells later is tried. Bytes come through: MAX was too
 *            small. They do not: MAX goes back, and the virtual wire goes on at what came through. Now and then a
 *            little less is tried, so that a queue which a pause left in the card runs off, and below what the
 *            operator says a higher R. What comes before the wire could
 *            have sent it says that R is higher.
 *            Packets: a card counts descriptors. A table by size class keeps how many bytes a packet has, so
 *            how many packets MAX bytes are, and whichever bound is reached first binds.
 *            (The law of dynamic queue limits, T. Herbert, Linux 3.3, lib/dynamic_queue_limits.c: grow when the
 *            queue ran dry, shrink by what was never used. It looks at releases, which a completion delay
 *            blinds; here it is the wire that is looked at.)
 * Promise    After a step of the completion delay or of the packet size MAX settles within 10 ms. While work
 *            waits, the card keeps up with R and we are in time, what is in the card unsent is at most the lead
 *            and a packet, and the link is used for 99.5 % (of random cards, with delays, batches, jitter,
 *            lateness, wrong rates and other users, 9 in 10 at least were; the least 98.8 %: tests/property/depth_property.c).
 *            In the card is at most MAX and a packet always, times the operator's scale.
 *            The decision is a function of state and sample: replaying the samples of a record from its
 *            hg_depth_init on gives the same MAX, packets, lead and R after each.
 * Units      wire bytes, ns on the caller's clock. Ranges: MAX in [HG_DEPTH_MIN_BYTES, HG_DEPTH_MAX_BYTES],
 *            lead in [0, HG_DEPTH_LEAD_MAX_NS], or the away lead, which is 0 or in (HG_DEPTH_LEAD_MAX_NS,
 *            HG_DEPTH_AWAY_LEAD_MAX_NS].
 * Memory     Plain struct, caller's. Threads: one owner. Cost: O(1) a packet, no division a packet.
 * Errors     none. A pin is obeyed as it is: no lead then, the card is filled up to it.
 * Used by    core/inflight.
 */
#ifndef HG_CORE_DEPTH_H
#define HG_CORE_DEPTH_H

#include "core/bucket.h"
#include "core/units.h"

#include <stdbool.h>
#include <stdint.h>

#define HG_DEPTH_MIN_BYTES 1600u /* one full frame on the wire */
#define HG_DEPTH_MAX_BYTES (UINT64_C(64) << 20) /* 5 ms at 100 Gbit/s */
#define HG_DEPTH_LOSS 1024u /* of the link, 0.1 %: the 99.9 % aimed at */
/* Of the link, 0.8 %, for what we are late by ourselves: a processor that is shared is at times late by hundreds of
 * microseconds, and whoever waits would wait behind a lead of that length all the time. */
#define HG_DEPTH_LATE_LOSS 128u
#define HG_DEPTH_LATES 4u
#define HG_DEPTH_LATE_BUCKETS 61u /* quarters of octaves of lateness from 64 ns to 2.1 ms */
/* Of the link, 1.6 %, before a longer lead than HG_DEPTH_LEAD_MAX_NS is worth its wait. */
#define HG_DEPTH_AWAY_LOSS 64u
#define HG_DEPTH_HOLD 16u /* intervals; of 200 us where much is handed over, so 3.2 ms */
#define HG_DEPTH_CLASSES 16u /* of packet sizes, by powers of two from 64 bytes */
#define HG_DEPTH_LEAD_MAX_NS (50 * HG_NS_PER_US)
#define HG_DEPTH_AWAY_LEAD_MAX_NS (2 * HG_NS_PER_MS)
#define HG_DEPTH_SCALE_MIN_PPM 1000000u
#define HG_DEPTH_SCALE_MAX_PPM 16000000u

struct hg_depth_cfg {
	uint64_t bytes_per_s; /* the link's rate, as the operator gives it */
	uint64_t pin_bytes; /* 0: find it; else in [HG_DEPTH_MIN_BYTES, HG_DEPTH_MAX_BYTES] */
	uint32_t scale_ppm; /* toward throughput; 0 or 1,000,000: none */
	uint32_t largest_bytes; /* the largest packet, on the wire, after cutting */
	uint32_t ring_pkts; /* what the card's queue takes, where known; 0: not known */
};

/* What kept a packet that waited from going earlier. */
enum hg_held {
	HG_HELD_NOT = 0, /* nothing: it came just now, or something else held it */
	HG_HELD_LEAD = 2, /* the wire had more left than the lead */
	HG_HELD_MAX = 1, /* MAX was outstanding */
};

/* What one interval showed: all that is decided from, so that the history of MAX can be computed again from
 * the samples (S2.14). An interval ends with the burst of releases that passes its length. */
struct hg_depth_sample {
	hg_ns at_ns; /* its end */
	hg_ns length_ns;
	uint64_t released_bytes;
	uint32_t released_pkts;
	uint32_t n_held; /* hand-overs of work that had been held by lead or MAX */
	uint32_t n_full; /* of these, by MAX */
	bool is_silent; /* all of MAX outstanding, the wire long at its end, and nothing is released */
	uint64_t busy_bytes; /* handed over while work waited behind it */
	uint64_t
		late_bytes; /* the wire was dry: handed over later than the lead covers, or we were away */
	uint64_t lost_bytes; /* the wire was dry: held by MAX while we were there */
	uint64_t early_bytes; /* released before the virtual wire had sent them */
	uint64_t unreported_bytes; /* most that was sent and not released while work waited */
	hg_ns late_ns[HG_DEPTH_LATES]; /* the latest hand-overs behind their time, falling */
	hg_ns card_min_ns, card_max_ns; /* time in the card of what was released */
	uint64_t max_bytes; /* in force during it */
	hg_ns lead_ns; /* likewise */
	uint64_t rate_bytes_per_s; /* R during it */
};

/* How late hand-overs were, of late. */
struct hg_depth_lates {
	uint32_t counts[HG_DEPTH_LATE_BUCKETS]; /* halved now and then */
	uint64_t busy_bytes; /* what was handed over while they were counted; halved as well */
	hg_ns halved_at_ns;
};

enum hg_depth_trial_kind { HG_DEPTH_NO_TRIAL, HG_DEPTH_TRIES_MORE, HG_DEPTH_TRIES_LESS };

struct hg_depth {
	struct hg_depth_cfg cfg;
	uint64_t max_bytes;
	uint32_t max_pkts;
	hg_ns lead_ns; /* HG_NEVER: the wire is no bound */

	/* Written packet by packet. */
	struct hg_pace pace; /* of R */
	hg_ns wire_end_ns; /* when the virtual wire has sent all */
	uint64_t wire_rest; /* below a nanosecond, in units of the pace */
	uint64_t outstanding_bytes;
	uint32_t outstanding_pkts;
	uint64_t run_bytes; /* since held work was last let through */
	bool was_early; /* the wire was set forward since it last was dry */
	hg_ns heard_at_ns; /* last hand-over, release, or look at a silence */
	hg_ns away_from_ns, away_to_ns; /* the last time that we were */
	struct hg_depth_sample now; /* the interval that runs */

	/* Written by the decision alone. */
	hg_ns least_lead_ns; /* what lateness asks for: the lead but for the scale */
	hg_ns away_lead_ns; /* that, where it is more than HG_DEPTH_LEAD_MAX_NS; else 0 */
	uint64_t lead_bytes; /* what MAX has for it */
	uint64_t rate_bytes_per_s; /* R */
	struct hg_depth_lates lates; /* of the last milliseconds */
	struct hg_depth_lates aways; /* of the last seconds, those beyond HG_DEPTH_LEAD_MAX_NS */
	uint64_t unreported_bytes[HG_DEPTH_HOLD];
	uint32_t n_unreported, next_unreported;
	struct {
		enum hg_depth_trial_kind kind;
		uint64_t back_max_bytes, came_bytes_per_s; /* before it */
		bool keeps_less; /* if less was right */
	} trial;
	uint32_t less_in, less_every; /* intervals until less is tried */
	uint64_t tried_bytes; /* that were unreported when less was tried last */
	uint32_t lossy_for; /* intervals that a loss is remembered for */
	uint64_t settling_bytes; /* to be released before anything is judged again */
	uint32_t n_settling; /* intervals that it took */
	uint32_t n_early; /* intervals in a row that showed the card faster than R */
	uint16_t class_pkt_bytes[HG_DEPTH_CLASSES]; /* 0: not seen */
};

void hg_depth_init(struct hg_depth *d, const struct hg_depth_cfg *cfg, hg_ns now_ns);
/* Live: keeps what was learned where it still holds. */
void hg_depth_configure(struct hg_depth *d, const struct hg_depth_cfg *cfg, hg_ns now_ns);

/* Nobody was there to hand over or to settle anything, from when somebody was to be until now: before what was released
 * meanwhile is settled. What the wire is dry then is no fault of MAX. Who looks without a break need not say so. */
static inline void hg_depth_was_away(struct hg_depth *d, hg_ns from_ns, hg_ns now_ns)
{
	d->away_from_ns = from_ns;
	d->away_to_ns = now_ns;
}
/* Held work is let through: a part of hg_depth_handed(). */
void hg_depth_let_through(struct hg_depth *d, enum hg_held held, hg_ns now_ns);
/* A packet goes to the card. held: what had kept it, and whatever waits with it, until now. */
static inline void hg_depth_handed(struct hg_depth *d, uint32_t wire_bytes, uint32_t parts,
				   enum hg_held held, hg_ns now_ns)
{
	uint64_t cost;

	if (held != HG_HELD_NOT)
		hg_depth_let_through(d, held, now_ns);
	if (now_ns > d->wire_end_ns) {
		d->wire_end_ns = now_ns;
		d->wire_rest = 0;
		if (held == HG_HELD_NOT)
			d->run_bytes = 0;
		d->was_early = false;
	}
	cost = d->wire_rest + (uint64_t)wire_bytes * d->pace.mantissa;
	d->wire_end_ns += (hg_ns)(cost >> d->pace.shift);
	d->wire_rest = cost & ((UINT64_C(1) << d->pace.shift) - 1);
	d->outstanding_bytes += wire_bytes;
	d->outstanding_pkts += parts;
	d->run_bytes += wire_bytes;
	d->heard_at_ns = now_ns;
}
/* A packet that was handed over at handed_ns is released. */
void hg_depth_released(struct hg_depth *d, uint32_t wire_bytes, uint32_t parts, hg_ns handed_ns,
		       hg_ns now_ns);
/* What was handed over and will not be released: written off, or refused by the card after all. */
void hg_depth_lost(struct hg_depth *d, uint64_t wire_bytes, uint32_t parts);
/* After a burst of releases, and at hg_depth_next_at(). Returns true when an interval ended: ret_sample has it, and MAX may have
 * changed. */
bool hg_depth_settle(struct hg_depth *d, struct hg_depth_sample *ret_sample, hg_ns now_ns);

/* When to settle though nothing is released: a card that reports only in batches larger than MAX never
 * would again. HG_NEVER while there is room. */
hg_ns hg_depth_next_at(const struct hg_depth *d);

/* The same decision from a recorded sample alone: replaying a record gives the same MAX. */
void hg_depth_replay(struct hg_depth *d, const struct hg_depth_sample *sample);

/* R as believed now. */
static inline uint64_t hg_depth_rate(const struct hg_depth *d)
{
	return d->rate_bytes_per_s;
}
/* How much may be left on a wire of cfg.bytes_per_s when the next packet goes; HG_NEVER: any. */
static inline hg_ns hg_depth_lead_ns(const struct hg_depth *d)
{
	return d->lead_ns;
}
/* The lead, where it is long because we are away so often; else 0. */
static inline hg_ns hg_depth_away_lead_ns(const struct hg_depth *d)
{
	return d->away_lead_ns;
}
static inline uint64_t hg_depth_max_bytes(const struct hg_depth *d)
{
	return d->max_bytes;
}
static inline uint32_t hg_depth_max_pkts(const struct hg_depth *d)
{
	return d->max_pkts;
}

#endif
