/* belief: whether the releases of a card queue say when its packets were sent.
 *
 * Why        Some drivers copy a packet and release it inside the send call; their releases say nothing, and
 *            whoever believed them would hand over without end. A card must not be mistaken for one.
 * Model      A virtual wire of the link's rate: end = max(end of the one before, handed over) + bytes / rate,
 *            in the order of the releases. No card of that rate can have sent a packet before its end. Each
 *            release is one of
 *              early     within HG_BELIEF_INSTANT_NS of its hand-over, though the wire needs four times as
 *                        long for what was handed over with it; or ahead of the wire by more than any
 *                        card's own memory holds (HG_BELIEF_AHEAD_BYTES and HG_BELIEF_AHEAD_NS)
 *              possible  after the wire's end; or later than an instant and ahead by no more than that
 *                        memory: cards report what they have read, and send it later
 *              neither   an instant, for a packet so short that a clock cannot tell
 *            Most of HG_BELIEF_WINDOW releases early: not to be believed. So many possible in a row: to be
 *            believed; and the more, the more often it was wrong to.
 * Slow cards A capacity below what the device really sends looks early too, once there is a backlog, and is
 *            treated so: then nothing but pacing holds the rate. Up to 1/64 above is taken for the same rate.
 * Promise    A device that sends at the rate or below is never called early, whatever its delay, batches or
 *            jitter, if the caller's clock at the release is not older than the release by more than
 *            HG_BELIEF_AHEAD_NS, and not the one of the hand-over unless both are one burst.
 *            A driver that releases inside the send call is found within HG_BELIEF_WINDOW telling releases.
 * Units      ns, wire bytes. Memory: plain struct. Threads: one owner. Cost: O(1), no division a release.
 * Errors     none.
 * Used by    core/inflight.
 */
#ifndef HG_CORE_BELIEF_H
#define HG_CORE_BELIEF_H

#include "core/units.h"

#include <stdbool.h>
#include <stdint.h>

/* Two trips over PCI Express, to read a packet and to report it, take 800 ns and more. */
#define HG_BELIEF_INSTANT_NS 500
/* Cards for 10 Gbit/s have up to 160 KiB behind the bus (Intel 82599, datasheet 331520). */
#define HG_BELIEF_AHEAD_BYTES (256u * 1024u)
/* What a clock that is read once a turn may lag. */
#define HG_BELIEF_AHEAD_NS (50 * HG_NS_PER_US)
#define HG_BELIEF_WINDOW 64u
/* The run that is asked for grows eightfold with each error, to 16,777,216 releases: at 10 Gbit/s and full
 * frames the seventh belief takes 20 s. */
#define HG_BELIEF_MAX_ERRORS 6u

struct hg_belief {
	hg_ns wire_end_ns;
	uint64_t wire_fraction; /* of a ns, in 2^-shift */
	uint64_t pace; /* ns a byte, times 2^shift, a 64th too fast; below 2^32 */
	uint32_t shift;
	hg_ns ahead_ns; /* how far ahead of the wire a card may be */
	hg_ns early_at_ns; /* the last early release */
	uint32_t n_judged, n_early; /* in this window */
	uint32_t n_early_instants; /* of n_early, at different instants */
	uint32_t n_possible; /* in a row */
	uint32_t n_errors; /* times that it was believed and should not have been */
};

/* rate in [HG_RATE_MIN, HG_RATE_MAX]. Forgets all evidence; init forgets the errors, too. */
void hg_belief_init(struct hg_belief *b, uint64_t bytes_per_s);
void hg_belief_restart(struct hg_belief *b);
void hg_belief_set_rate(struct hg_belief *b, uint64_t bytes_per_s);

/* n packets that were handed over in one instant; bytes of all, at most 2^31. They are judged by the last. */
void hg_belief_released(struct hg_belief *b, uint32_t wire_bytes, uint32_t n, hg_ns handed_ns,
			hg_ns now_ns);

/* A turn or two whose clock is old when their releases are read must not decide alone. */
#define HG_BELIEF_MIN_INSTANTS 3u

static inline bool hg_belief_is_early(const struct hg_belief *b)
{
	return b->n_early >= HG_BELIEF_WINDOW / 2u && b->n_early_instants >= HG_BELIEF_MIN_INSTANTS;
}

static inline bool hg_belief_is_earned(const struct hg_belief *b)
{
	uint32_t errors = b->n_errors < HG_BELIEF_MAX_ERRORS ? b->n_errors : HG_BELIEF_MAX_ERRORS;

	return b->n_possible >= HG_BELIEF_WINDOW << (3u * errors);
}

/* Time that the wire needs for so many bytes, at most 2^31. */
static inline hg_ns hg_belief_wire_ns(const struct hg_belief *b, uint64_t bytes)
{
	return (hg_ns)((bytes * b->pace) >> b->shift);
}

#endif
