/* behaviour: limits that follow how an instance behaves.
 *
 * Why        S2.8. One that keeps asking for more than its contract gives stands in its own way and in the
 *            queues of others. It is tightened step by step, with reasons that can be read, and released as
 *            it behaves; one that stays inside gets more room.
 * Model      A pure step function of a sample: how much of the last interval the instance was held by its own
 *            maximum, or by its tenant's.
 *              over = held by either for more than HG_BEHAVIOUR_OVER_PPM of the interval
 *            Levels: -1 relaxed, 0 ordinary, 1 to HG_BEHAVIOUR_LEVELS tightened.
 *              over for HG_BEHAVIOUR_AFTER intervals in a row      -> one level up
 *              not over for HG_BEHAVIOUR_AFTER intervals in a row  -> one level down
 *            A level acts on depth: the weight in the card's window is times 2^-level (2 when relaxed). Where
 *            the contract says `behaviour: rate` it acts on the maximum as well:
 *              rate(level) = max - (max - min) * level / (2 * HG_BEHAVIOUR_LEVELS), never below min.
 * Promise    Never below the guarantee. A level changes by one at a time, and each change has a reason.
 * Units      ns, ppm, bytes per second. Memory: plain struct. Threads: one owner. Cost: O(1).
 * Errors     none.
 * Used by    dataplane/behave.c.
 */
#ifndef HG_CORE_BEHAVIOUR_H
#define HG_CORE_BEHAVIOUR_H

#include "core/contract.h"
#include "core/units.h"

#include <stdbool.h>
#include <stdint.h>

/* Three halvings: an eighth of the weight, and half way from the maximum to the minimum. */
#define HG_BEHAVIOUR_LEVELS 3
#define HG_BEHAVIOUR_RELAXED (-1)
/* A second, as the proof counts: shorter ones punish a burst, and bursts are what tokens are for. */
#define HG_BEHAVIOUR_INTERVAL_NS HG_NS_PER_S
#define HG_BEHAVIOUR_OVER_PPM 500000u
/* Intervals in a row: whoever stops for one of them begins anew. */
#define HG_BEHAVIOUR_AFTER 3u

enum hg_behaviour_reason {
	HG_BEHAVIOUR_NO_REASON,
	HG_BEHAVIOUR_OVER_OWN, /* held for more than the set part, and mostly by its own maximum */
	HG_BEHAVIOUR_OVER_TENANT, /* likewise, mostly by its tenant's */
	HG_BEHAVIOUR_INSIDE, /* stayed inside its contract */
};

struct hg_behaviour {
	int8_t level; /* in [HG_BEHAVIOUR_RELAXED, HG_BEHAVIOUR_LEVELS] */
	uint8_t n_over, n_inside; /* intervals in a row */
	uint8_t reason; /* of the last change */
	uint32_t n_changes;
};

struct hg_behaviour_sample {
	hg_ns length_ns;
	hg_ns held_own_ns; /* by its own maximum rate or packet rate */
	hg_ns held_tenant_ns; /* by its tenant's */
};

/* Returns whether the level changed. */
bool hg_behaviour_step(struct hg_behaviour *b, const struct hg_behaviour_sample *sample);
/* For hg_window_set_depth_shift(). */
int hg_behaviour_depth_shift(const struct hg_behaviour *b);
/* The maximum in force; 0: none. */
uint64_t hg_behaviour_max_bytes_per_s(const struct hg_behaviour *b, const struct hg_policy *policy);
const char *hg_behaviour_reason_text(enum hg_behaviour_reason reason);

#endif
