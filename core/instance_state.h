/* instance_state: what a host knows of an instance that no configuration says.
 *
 * Why        S5.1, migration: what an instance takes along beside its contract and its ports.
 * Model      Buckets and tags (core/sched_saved.h), how it behaved, the addresses that were learned behind its
 *            ports, all that was counted, and its processor credits. Times are ages, since no two hosts share a clock.
 * Memory     Plain values, about 8 KiB. Threads: whoever holds it.
 * Errors     check: -EINVAL with the path of what is out of its range.
 * Used by    dataplane, control, api/saved.c.
 */
#ifndef HG_CORE_INSTANCE_STATE_H
#define HG_CORE_INSTANCE_STATE_H

#include "core/behaviour.h"
#include "core/desired.h"
#include "core/ledger.h"
#include "core/sched_saved.h"
#include "core/verdict.h"

/* Learned addresses that go along; the others are learned anew. */
#define HG_STATE_LEARNED_MAX 256u

struct hg_state_learned {
	uint8_t mac[HG_MAC_BYTES];
	uint32_t port_idx; /* of the desired state that the instance is in */
	hg_ns seen_ago_ns; /* in [0, HG_SAVED_AGE_MAX_NS] */
};

struct hg_state_dir {
	struct hg_cap_saved caps;
	struct hg_sched_saved link; /* by the tenant's uplink; for receiving: from everywhere */
	struct hg_sched_saved local; /* for sending: to instances of this host */
};

struct hg_instance_state {
	struct hg_state_dir dir[HG_N_DIRS];
	struct hg_behaviour behaviour;
	hg_ns behaviour_ago_ns; /* since it was judged, at most HG_SAVED_AGE_MAX_NS; -1: never */
	struct hg_state_learned learned[HG_STATE_LEARNED_MAX];
	uint32_t n_learned;
};

struct hg_totals_dir { /* of one direction, since the contract began, on all hosts together */
	uint64_t offered_bytes, offered_pkts, sent_bytes, sent_pkts;
	uint64_t link_offered_bytes, link_sent_bytes, marked_pkts;
	uint64_t drops[HG_N_DROPS], held_ns[HG_N_LIMITS];
	uint64_t kept, missed, stolen, missed_min, missed_max; /* seconds, the proof */
};

struct hg_totals {
	hg_ns age_ns; /* since the instance was first added anywhere */
	uint64_t cut_segments, cut_pieces;
	struct hg_totals_dir dir[HG_N_DIRS];
};

/* What goes along beside its part of the configuration. */
struct hg_saved_instance {
	struct hg_instance_state state;
	struct hg_totals totals;
	bool has_credits; /* processor credits of its own: not where it shares a pool, or is not governed */
	struct hg_ledger_saved credits;
};

HG_MUST_CHECK int hg_instance_state_check(const struct hg_instance_state *state,
					  struct hg_error *reterr);

#endif
