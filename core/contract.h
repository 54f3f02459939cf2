/* contract: what a tenant or an instance is owed, in each direction.
 *
 * Why        One struct is what the operator asked for, what admission adds up, what the scheduler
 *            enforces, and what the proof is measured against.
 * Model      policy = {min, max, max packets, weight, burst, idle}. A contract has one policy for what
 *            the instance sends (out) and one for what it receives (in).
 * Promise    over any window T: sent <= max*T + burst + one packet, and
 *            sent >= min(min*T, offered) - burst - one packet (the rule of measure).
 * Units      bytes, bytes per second, packets per second, ns. Rates count wire bytes (core/units.h);
 *            with HG_ACCOUNT_L2 the maxima, and they alone, leave out HG_WIRE_OVERHEAD_BYTES a packet.
 * Memory     Plain values, no pointers. Threads: immutable once validated.
 * Errors     validate: -EINVAL with the field's path ("out.min") and what is allowed.
 */
#ifndef HG_CORE_CONTRACT_H
#define HG_CORE_CONTRACT_H

#include "core/class.h"
#include "core/error.h"
#include "core/units.h"

enum hg_dir { HG_OUT = 0, HG_IN = 1, HG_N_DIRS = 2 };

enum hg_accounting { HG_ACCOUNT_WIRE = 0, HG_ACCOUNT_L2 = 1 };

enum hg_mode {
	HG_MODE_ENFORCE = 0,
	HG_MODE_OBSERVE = 1, /* measured and explained, nothing held */
};

#define HG_WEIGHT_MAX 1000u
#define HG_WEIGHT_DEFAULT 1u
/* Two segments of 64 KiB: a container's kernel sends in segments, and a burst below one of them makes
 * every segment wait for a full bucket. */
#define HG_BURST_DEFAULT_BYTES (128u * 1024u)
#define HG_BURST_MIN_BYTES 1600u /* one full frame on the wire, so that a full bucket passes it */
#define HG_BURST_MAX_BYTES (UINT64_C(1) << 30)
#define HG_IDLE_AFTER_DEFAULT_NS (10 * HG_NS_PER_MS)
#define HG_IDLE_AFTER_MIN_NS (100 * HG_NS_PER_US)
#define HG_IDLE_AFTER_MAX_NS (3600 * HG_NS_PER_S)

/* Orders what exceeds the guarantees; guarantees come first at every priority. */
enum hg_priority {
	HG_PRIORITY_NORMAL = 0,
	HG_PRIORITY_HIGH = 1,
	HG_PRIORITY_LOW = 2,
	HG_N_PRIORITIES = 3
};

/* What keeps exceeding the contract tightens (core/behaviour.h). */
enum hg_follow {
	HG_FOLLOW_DEPTH = 0, /* the share of the card's queue */
	HG_FOLLOW_RATE = 1, /* and the maximum, toward the minimum */
	HG_FOLLOW_NONE = 2,
};

struct hg_policy {
	uint64_t min_bytes_per_s; /* 0: none; else in [RATE_MIN, RATE_MAX] */
	uint64_t max_bytes_per_s; /* 0: none; else in [RATE_MIN, RATE_MAX], >= min */
	uint64_t max_pkts_per_s; /* 0: none; else in [10, 10^9] */
	uint64_t burst_bytes; /* in [BURST_MIN, BURST_MAX] */
	uint64_t reserve_bytes; /* in [0, burst]: tokens found on waking from idleness */
	hg_ns idle_after_ns; /* in [IDLE_AFTER_MIN, IDLE_AFTER_MAX] */
	uint32_t weight; /* in [1, WEIGHT_MAX] */
	uint8_t accounting; /* enum hg_accounting */
	uint8_t priority; /* enum hg_priority; instances only */
	uint8_t behaviour; /* enum hg_follow; instances only */
	struct hg_class_set classes; /* instances only */
};

struct hg_contract {
	struct hg_policy dir[HG_N_DIRS];
	enum hg_mode mode;
};

/* The contract of someone who asked for nothing: no minimum, no maximum, weight 1, default burst, and a
 * reserve of one burst (whoever wakes finds a full bucket). */
void hg_contract_init(struct hg_contract *contract);

HG_MUST_CHECK int hg_contract_validate(const struct hg_contract *contract, struct hg_error *reterr);

const char *hg_dir_name(enum hg_dir dir); /* "out", "in" */

#endif
