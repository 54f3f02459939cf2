#include "api/saved_schema.h"

#include <string.h>

#define AT(type, member) \
	.offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define COUNT(name, type, member, most, sentence)                                             \
	{                                                                                     \
		.key = name, .kind = HG_KIND_COUNT, AT(type, member), .hi = (uint64_t)(most), \
		.doc = sentence                                                               \
	}
#define INSIDE(name, type, member, resource, sentence)                                        \
	{                                                                                     \
		.key = name, .kind = HG_KIND_OBJECT, .offset = offsetof(struct type, member), \
		.of = &resource, .doc = sentence                                              \
	}
#define LIST(name, sentence)                                       \
	{                                                          \
		.key = name, .kind = HG_KIND_LIST, .doc = sentence \
	}
/* What 18 digits can say. */
#define MOST HG_SAVED_AGE_MAX_NS

static const struct hg_resource dir_resource, in_resource, behaviour_resource;

static const char *const reason_words[] = {"none", "over_own", "over_tenant", "inside", NULL};

static const struct hg_field header_fields[] = {
	LIST("kind", "What is saved: instance."),
	LIST("version", "Of the document: 1."),
	LIST("required", "Names of sections that a reader must know."),
	{0},
};

static const struct hg_field bucket_fields[] = {
	{.key = "tokens",
	 .kind = HG_KIND_COUNT,
	 AT(hg_saved_bucket, tokens),
	 .hi = HG_BUCKET_TOKENS_MAX,
	 .is_required = true, /* so that an empty bucket is not taken for none */
	 .doc = "What it has in hand."},
	COUNT("debt", hg_saved_bucket, debt, HG_BUCKET_TOKENS_MAX, "What it has taken too much."),
	COUNT("part", hg_saved_bucket, part, UINT32_MAX, "Of a token more, in 2^-32."),
	COUNT("full_for_ns", hg_saved_bucket, full_for_ns, MOST, "How long it has been full."),
	COUNT("taken_ago_ns", hg_saved_bucket, taken_ago_ns, MOST, "Since the last take."),
	{0},
};

static const struct hg_field sched_fields[] = {
	COUNT("due_in_ns", hg_saved_sched, due_in_ns, HG_SAVED_DUE_MAX_NS,
	      "Until the next guaranteed byte is due."),
	COUNT("overdue_ns", hg_saved_sched, overdue_ns, HG_SAVED_DUE_MAX_NS,
	      "For how long it has been due."),
	COUNT("ahead", hg_saved_sched, ahead, HG_SAVED_AHEAD_MAX,
	      "Virtual time served ahead of its tenant's."),
	COUNT("quiet_ns", hg_saved_sched, quiet_ns, MOST, "Since its last packet left."),
	LIST("classes", "Virtual time of each class ahead of the one served."),
	{0},
};

static const struct hg_field dir_fields[] = {
	INSIDE("max", hg_saved_dir, max, hg_saved_bucket_resource, "The bucket of its maximum."),
	INSIDE("max_pkts", hg_saved_dir, max_pkts, hg_saved_bucket_resource,
	       "The bucket of its maximum of packets."),
	INSIDE("link", hg_saved_dir, link, hg_saved_sched_resource, "By the uplink."),
	INSIDE("local", hg_saved_dir, local, hg_saved_sched_resource,
	       "To other instances of the host."),
	{0},
};

static const struct hg_field in_fields[] = {
	INSIDE("max", hg_saved_dir, max, hg_saved_bucket_resource, "The bucket of its maximum."),
	INSIDE("max_pkts", hg_saved_dir, max_pkts, hg_saved_bucket_resource,
	       "The bucket of its maximum of packets."),
	INSIDE("link", hg_saved_dir, link, hg_saved_sched_resource, "From everywhere."),
	{0},
};

static const struct hg_field behaviour_fields[] = {
	COUNT("tightened", hg_saved_behaviour, tightened, HG_BEHAVIOUR_LEVELS, "Its level."),
	COUNT("relaxed", hg_saved_behaviour, relaxed, -HG_BEHAVIOUR_RELAXED,
	      "How far it has more room than ordinarily."),
	COUNT("n_over", hg_saved_behaviour, n_over, HG_BEHAVIOUR_AFTER - 1u,
	      "Intervals over the contract, in a row."),
	COUNT("n_inside", hg_saved_behaviour, n_inside, HG_BEHAVIOUR_AFTER - 1u,
	      "Intervals inside it, in a row."),
	{.key = "reason",
	 .kind = HG_KIND_WORD,
	 AT(hg_saved_behaviour, reason),
	 .words = reason_words,
	 .doc = "Of the last change."},
	COUNT("n_changes", hg_saved_behaviour, n_changes, UINT32_MAX, "Changes so far."),
	COUNT("ago_ns", hg_saved_behaviour, ago_ns, MOST, "Since it was judged."),
	{0},
};

static const struct hg_field learned_fields[] = {
	{.key = "port",
	 .kind = HG_KIND_NAME,
	 AT(hg_saved_learned, port),
	 .is_required = true,
	 .doc = "A port of the instance."},
	{.key = "mac",
	 .kind = HG_KIND_MAC,
	 AT(hg_saved_learned, mac),
	 .has_offset = offsetof(struct hg_saved_learned, has_mac),
	 .is_required = true,
	 .doc = "The address."},
	COUNT("seen_ago_ns", hg_saved_learned, seen_ago_ns, MOST, "Since its last frame."),
	{0},
};

static const struct hg_field state_fields[] = {
	INSIDE("out", hg_saved_state, out, dir_resource, "What it sends."),
	INSIDE("in", hg_saved_state, in, in_resource, "What it receives."),
	INSIDE("behaviour", hg_saved_state, behaviour, behaviour_resource, "How it behaved."),
	LIST("learned", "Addresses learned behind its ports."),
	{0},
};

static const struct hg_field totals_dir_fields[] = {
	COUNT("offered_bytes", hg_totals_dir, offered_bytes, MOST, "Arrived to be sent."),
	COUNT("offered_pkts", hg_totals_dir, offered_pkts, MOST, "Likewise."),
	COUNT("sent_bytes", hg_totals_dir, sent_bytes, MOST, "Let through."),
	COUNT("sent_pkts", hg_totals_dir, sent_pkts, MOST, "Likewise."),
	COUNT("link_offered_bytes", hg_totals_dir, link_offered_bytes, MOST, "By the uplink."),
	COUNT("link_sent_bytes", hg_totals_dir, link_sent_bytes, MOST, "Likewise."),
	COUNT("marked_pkts", hg_totals_dir, marked_pkts, MOST, "Congestion experienced."),
	COUNT("kept", hg_totals_dir, kept, MOST, "Seconds in which the contract was kept."),
	COUNT("missed", hg_totals_dir, missed, MOST, "Seconds in which it was not."),
	COUNT("stolen", hg_totals_dir, stolen, MOST, "Seconds that say nothing."),
	COUNT("missed_min", hg_totals_dir, missed_min, MOST, "Of missed: the guarantee."),
	COUNT("missed_max", hg_totals_dir, missed_max, MOST, "Of missed: the maximum."),
	LIST("drops", "By reason."),
	LIST("held_ns", "By limit."),
	{0},
};

static const struct hg_field totals_fields[] = {
	COUNT("age_ns", hg_totals, age_ns, MOST, "Since it was first added anywhere."),
	COUNT("cut_segments", hg_totals, cut_segments, MOST, "Segments that were cut."),
	COUNT("cut_pieces", hg_totals, cut_pieces, MOST, "What became of them."),
	INSIDE("out", hg_totals, dir[HG_OUT], hg_saved_totals_dir_resource, "Sent."),
	INSIDE("in", hg_totals, dir[HG_IN], hg_saved_totals_dir_resource, "Received."),
	{0},
};

static const struct hg_field credits_fields[] = {
	COUNT("gift_cpu_ns", hg_saved_credits, gift_cpu_ns, HG_LEDGER_AMOUNT_MAX_CPU_NS,
	      "Launch credits and grants that are left."),
	COUNT("surplus_cpu_ns", hg_saved_credits, surplus_cpu_ns, HG_LEDGER_BALANCE_MAX_CPU_NS,
	      "What was used beyond, and is to be repaid."),
	COUNT("remainder", hg_saved_credits, remainder, HG_LEDGER_REMAINDER_MAX,
	      "Of a ns more, in 1 / 3.6e12."),
	LIST("earned", "What was earned, by age."),
	{0},
};

static const struct hg_field part_fields[] = {
	{.key = "cpu_ns",
	 .kind = HG_KIND_COUNT,
	 AT(hg_saved_part, cpu_ns),
	 .hi = HG_LEDGER_BALANCE_MAX_CPU_NS,
	 .is_required = true,
	 .doc = "How much."},
	COUNT("age_ns", hg_saved_part, age_ns, MOST, "Since the last of it was earned."),
	{0},
};

const struct hg_resource hg_saved_header_resource = {.name = "'headgate'", .fields = header_fields};
const struct hg_resource hg_saved_bucket_resource = {.name = "a bucket", .fields = bucket_fields};
const struct hg_resource hg_saved_sched_resource = {.name = "a scheduler's part",
						    .fields = sched_fields};
static const struct hg_resource dir_resource = {.name = "'out'", .fields = dir_fields};
static const struct hg_resource in_resource = {.name = "'in'", .fields = in_fields};
static const struct hg_resource behaviour_resource = {.name = "'behaviour'",
						      .fields = behaviour_fields};
const struct hg_resource hg_saved_learned_resource = {.name = "a learned address",
						      .fields = learned_fields};
const struct hg_resource hg_saved_state_resource = {.name = "'state'", .fields = state_fields};
const struct hg_resource hg_saved_totals_dir_resource = {.name = "the totals of a direction",
							 .fields = totals_dir_fields};
const struct hg_resource hg_saved_totals_resource = {.name = "'totals'", .fields = totals_fields};

const struct hg_resource hg_saved_credits_resource = {.name = "'credits'",
						      .fields = credits_fields};
const struct hg_resource hg_saved_part_resource = {.name = "a part of what was earned",
						   .fields = part_fields};

const struct hg_field hg_saved_number_field = COUNT("", hg_saved_number, value, MOST, "");
const struct hg_field hg_saved_ahead_field =
	COUNT("", hg_saved_number, value, HG_SAVED_AHEAD_MAX, "");

const char *hg_saved_drop_name(unsigned idx)
{
	return hg_drop_name((enum hg_drop)idx);
}

const char *hg_saved_limit_name(unsigned idx)
{
	return hg_limit_name((enum hg_limit)idx);
}

json_t *hg_saved_find(json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *item = json_array_get(list, i);
		const char *its = json_string_value(json_object_get(item, "name"));

		if (its != NULL && strcmp(its, name) == 0)
			return item;
	}
	return NULL;
}
