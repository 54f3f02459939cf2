/* saved_schema: the tables of a saved instance, as api/schema.h has those of the configuration.
 *
 * Why        Writing, reading and refusing must not disagree about a name, a unit or a range.
 * Model      Structs of unsigned numbers, each with its table; what a debt is cannot be taken for what is in hand, and
 *            no number has more than 18 digits. api/saved.c turns them into core/instance_state.h and back.
 *            LIST marks what api/saved.c reads by itself.
 * Memory     Constant tables. Threads: any. Errors: none.
 * Used by    api/saved.c.
 */
#ifndef HG_API_SAVED_SCHEMA_H
#define HG_API_SAVED_SCHEMA_H

#include "api/schema.h"
#include "core/instance_state.h"

struct hg_saved_bucket {
	uint64_t tokens, debt, part, full_for_ns, taken_ago_ns;
};

struct hg_saved_sched {
	uint64_t due_in_ns, overdue_ns, ahead, quiet_ns;
};

struct hg_saved_dir {
	struct hg_saved_bucket max, max_pkts;
	struct hg_saved_sched link, local;
};

struct hg_saved_behaviour {
	uint64_t tightened, relaxed, n_over, n_inside, n_changes, ago_ns;
	uint64_t reason;
};

struct hg_saved_learned {
	char port[HG_NAME_BYTES];
	uint8_t mac[HG_MAC_BYTES];
	bool has_mac;
	uint64_t seen_ago_ns;
};

struct hg_saved_state {
	struct hg_saved_dir out, in;
	struct hg_saved_behaviour behaviour;
};

struct hg_saved_credits {
	uint64_t gift_cpu_ns, surplus_cpu_ns, remainder;
};

struct hg_saved_part { /* of what is earned */
	uint64_t cpu_ns, age_ns;
};

struct hg_saved_number { /* of a list or a table of numbers */
	uint64_t value;
};

extern const struct hg_resource hg_saved_header_resource, hg_saved_state_resource,
	hg_saved_bucket_resource, hg_saved_sched_resource, hg_saved_learned_resource,
	hg_saved_totals_resource, hg_saved_totals_dir_resource, hg_saved_credits_resource,
	hg_saved_part_resource;
extern const struct hg_field hg_saved_number_field; /* in [0, 10^18) */
extern const struct hg_field hg_saved_ahead_field; /* in [0, HG_SAVED_AHEAD_MAX] */

/* Names of counters, by index. */
typedef const char *(*hg_saved_name_fn)(unsigned idx);
const char *hg_saved_drop_name(unsigned idx);
const char *hg_saved_limit_name(unsigned idx);

/* The object of that name in a list; NULL: there is none. */
json_t *hg_saved_find(json_t *list, const char *name);

#endif
