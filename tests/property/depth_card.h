/* depth_card: a small exact card, with a sender in front of it, for the tests of core/depth.
 *
 * Why        How much must be outstanding to keep a link busy can be found exactly, by search, where the card
 *            is a few lines. It shares nothing with drivers/simnic but the idea.
 * Model      A packet handed over at t starts at max(t, end of the one before), and ends bytes / rate later;
 *            with another user on the card one of its packets follows each of ours. Ended packets are reported
 *            together: when batch of them have ended, or timer after the first, or at the next tick. A report
 *            reaches us delay + jitter later, in order, and is seen at our next look.
 *            The sender hands over while less than MAX is outstanding and no more than the lead is left on a wire
 *            of the rate that it was told; it may be late at that. It may be away for a while, as who shares a
 *            processor is: then it sees no report and hands nothing over. It has work always, or in bursts.
 * Use        of the link: of the time while work waits, the part in which the wire was not idle.
 * Time       virtual, doubles of ns; exact to far below one.
 */
#ifndef HG_TESTS_DEPTH_CARD_H
#define HG_TESTS_DEPTH_CARD_H

#include "core/depth.h"

#include <stdbool.h>

enum card_jitter {
	JITTER_NONE,
	JITTER_UNIFORM, /* [0, jitter) */
	JITTER_EXPONENTIAL, /* mean jitter / 4 */
	JITTER_BIMODAL, /* jitter for one report in sixteen */
	JITTER_WALK, /* a random walk in [0, jitter) */
	JITTER_TRACE, /* recorded delays in turn, times jitter / 1000 */
	N_JITTERS
};

struct card_cfg {
	uint64_t bytes_per_s;
	uint64_t told_bytes_per_s; /* what the sender takes it for; 0: as it is */
	hg_ns late_ns; /* the sender wakes so much too late, at most */
	hg_ns away_every_ns; /* 0: never; else it is away, so far apart on the average (exponential) */
	hg_ns away_for_ns; /* for between half of that and one and a half */
	uint32_t away_long_of_16; /* of 16 times so often for four times as long */
	hg_ns delay_ns, jitter_ns;
	enum card_jitter jitter;
	uint32_t batch_pkts; /* >= 1 */
	hg_ns timer_ns; /* 0: none */
	hg_ns tick_ns; /* 0: none; else reports leave at its multiples alone */
	hg_ns look_ns; /* we look at random times, so far apart on the average */
	hg_ns adapt_ns; /* 0: no; else so often batch and timer change as adaptive moderation does */
	uint32_t other_bytes; /* of the other user's packets; 0: there is none */
	hg_ns other_at_ns, other_for_ns; /* when there is; for 0: always */
	hg_ns stall_at_ns, stall_for_ns; /* the card stands still once */
	uint32_t small_bytes,
		large_bytes; /* packets, at random between; in [1, HG_WIRE_MAX_BYTES] */
	uint32_t small_of_16; /* of 16 packets so many are small, the others large; 0: uniform */
	hg_ns on_ns,
		off_ns; /* 0: always work; else it comes on_ns of line rate at a time, off_ns apart */
};

/* A rule that says how much may be outstanding. Any may be NULL. */
struct card_rule {
	void *state;
	uint64_t (*max_bytes)(void *state);
	uint32_t (*max_pkts)(void *state);
	hg_ns (*lead_ns)(void *state); /* HG_NEVER: no bound */
	void (*handed)(void *state, uint32_t bytes, enum hg_held held, hg_ns now_ns);
	void (*released)(void *state, uint32_t bytes, hg_ns handed_ns, hg_ns now_ns);
	void (*settled)(void *state, hg_ns now_ns);
	hg_ns (*next_at)(void *state);
	void (*was_away)(void *state, hg_ns from_ns, hg_ns now_ns);
};

struct card_result {
	double use; /* of the link while work waited, in [0, 1] */
	double mean_max_bytes;
	uint64_t most_bytes; /* outstanding */
	hg_ns most_wait_ns; /* in the card until a packet begins, beyond the lead */
	uint64_t released_bytes;
};

struct card;

struct card *card_create(const struct card_cfg *cfg, uint64_t seed);
void card_destroy(struct card *card);
/* Live: from now on. */
void card_change(struct card *card, const struct card_cfg *cfg);
/* Goes on until then. Measures anew from now. */
struct card_result card_run(struct card *card, const struct card_rule *rule, hg_ns until_ns);

/* What core/depth says; with its record for the replay. */
struct card_depth {
	struct hg_depth depth;
	struct hg_depth_sample last;
	struct hg_depth_sample *samples; /* room for max_samples, or NULL */
	uint64_t *after_max_bytes; /* MAX after each */
	unsigned n_samples, max_samples;
};
struct card_rule card_depth_rule(struct card_depth *d);
struct card_rule card_pinned_rule(uint64_t *max_bytes);

/* The least pinned MAX, to 1 %, that uses the link for at least that part over for_ns. */
uint64_t card_least(const struct card_cfg *cfg, uint64_t seed, double use, hg_ns for_ns);

#endif
