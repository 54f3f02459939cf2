/* The queues of the uplinks' cards, for /metrics. */
#include "api/metrics_writer.h"

#include <inttypes.h>

enum value_kind { U64, SECONDS };

static void value_line(const struct hg_metrics_writer *w, uint64_t value, enum value_kind kind)
{
	if (kind == U64)
		fprintf(w->out, "} %" PRIu64 "\n", value);
	else if (value == (uint64_t)HG_NEVER) /* beyond what the histogram tells apart */
		fputs("} +Inf\n", w->out);
	else
		fprintf(w->out, "} %.9g\n", (double)value / (double)HG_NS_PER_S);
}

/* ---- uplinks ------------------------------------------------------------------------------------ */

struct card_family {
	const char *name, *type, *help;
	uint64_t (*value)(const struct hg_status_card *card);
	enum value_kind kind;
};

#define CARD(function, expression)                                  \
	static uint64_t function(const struct hg_status_card *card) \
	{                                                           \
		return (uint64_t)(expression);                      \
	}

CARD(outstanding_bytes, card->now.window.outstanding_bytes)
CARD(outstanding_pkts, card->now.window.outstanding_pkts)
CARD(max_bytes, card->now.window.max_bytes)
CARD(max_pkts, card->now.window.max_pkts)
CARD(card_p50, card->second.p50_ns)
CARD(card_p99, card->second.p99_ns)
CARD(card_p999, card->second.p999_ns)
CARD(taken_bytes, card->now.window.taken_bytes)
CARD(given_bytes, card->now.window.given_bytes)
CARD(lost_pkts, card->now.window.lost_pkts)
CARD(late_pkts, card->now.late_pkts)
CARD(never_handed_pkts, card->now.never_handed_pkts)
CARD(refused_pkts, card->now.refused_pkts)
CARD(state_changes, card->now.n_state_changes)
CARD(is_paced, card->is_paced)

static const struct card_family card_families[] = {
	{"headgate_card_outstanding_bytes", "gauge", "Wire bytes in the card now",
	 outstanding_bytes, U64},
	{"headgate_card_outstanding_packets", "gauge", "Packets in the card now", outstanding_pkts,
	 U64},
	{"headgate_card_max_bytes", "gauge", "MAX, the most that the card may hold; 0 for no bound",
	 max_bytes, U64},
	{"headgate_card_max_packets", "gauge", "MAX in packets; 0 for no bound", max_pkts, U64},
	{"headgate_card_time_p50_seconds", "gauge",
	 "Median of the times of packets in the card, in the last second", card_p50, SECONDS},
	{"headgate_card_time_p99_seconds", "gauge",
	 "99th percentile of the times of packets in the card, in the last second", card_p99,
	 SECONDS},
	{"headgate_card_time_p999_seconds", "gauge",
	 "99.9th percentile of the times of packets in the card, in the last second", card_p999,
	 SECONDS},
	{"headgate_card_taken_bytes_total", "counter", "Wire bytes counted into the card",
	 taken_bytes, U64},
	{"headgate_card_released_bytes_total", "counter", "Wire bytes released by the card",
	 given_bytes, U64},
	{"headgate_card_lost_packets_total", "counter",
	 "Packets written off since their buffers did not come back", lost_pkts, U64},
	{"headgate_card_late_packets_total", "counter",
	 "Packets whose buffers came back after they had been written off", late_pkts, U64},
	{"headgate_card_unhanded_packets_total", "counter",
	 "Packets released without having reached the card", never_handed_pkts, U64},
	{"headgate_card_refused_packets_total", "counter",
	 "Packets that the card had no room for though they were due", refused_pkts, U64},
	{"headgate_card_hook_changes_total", "counter", "Changes of the hook's state",
	 state_changes, U64},
	{"headgate_card_paced_bool", "gauge", "1 while the link is paced a little under its rate",
	 is_paced, U64},
};

static void write_uplinks(const struct hg_metrics_writer *w)
{
	static const char state[] = "headgate_card_hook_state_bool";
	struct hg_status_uplink status;

	for (size_t f = 0; f < sizeof(card_families) / sizeof(card_families[0]); f++) {
		const struct card_family *family = &card_families[f];

		hg_metrics_family(w, family->name, family->type, family->help);
		for (uint32_t i = 0; i < w->desired->n_uplinks; i++) {
			hg_control_status_uplink(w->control, i, &status);
			fprintf(w->out, "%s{uplink=\"%s\"", family->name,
				w->desired->uplinks[i].name);
			value_line(w, family->value(&status.card), family->kind);
		}
	}
	hg_metrics_family(w, state, "gauge", "1 for the state that the hook is in");
	for (uint32_t i = 0; i < w->desired->n_uplinks; i++) {
		hg_control_status_uplink(w->control, i, &status);
		for (unsigned s = 0; s < HG_N_HOOK_STATES; s++) {
			fprintf(w->out, "%s{uplink=\"%s\",state=\"%s\"", state,
				w->desired->uplinks[i].name,
				hg_hook_state_name((enum hg_hook_state)s));
			value_line(w, status.card.now.state == (enum hg_hook_state)s, U64);
		}
	}
}

/* ---- instances ---------------------------------------------------------------------------------- */

struct row_family {
	const char *name, *type, *help;
	uint64_t (*value)(const struct hg_status_row *row);
	enum value_kind kind;
};

#define ROW(function, expression)                                 \
	static uint64_t function(const struct hg_status_row *row) \
	{                                                         \
		return (uint64_t)(expression);                    \
	}

ROW(row_outstanding, row->card.window.outstanding_bytes)
ROW(row_share, row->card.window.share_bytes)
ROW(row_p50, row->second[HG_OUT].card.p50_ns)
ROW(row_p99, row->second[HG_OUT].card.p99_ns)
ROW(row_max, row->card.max_in_force_bytes_per_s)
ROW(row_cut, row->card.cut_segments)

static const struct row_family row_families[] = {
	{"headgate_instance_outstanding_bytes", "gauge", "Wire bytes of the instance in the card",
	 row_outstanding, U64},
	{"headgate_instance_share_bytes", "gauge", "Its share of the card's queue", row_share, U64},
	{"headgate_instance_card_time_p50_seconds", "gauge",
	 "Median of the times of its packets in the card, in the last second", row_p50, SECONDS},
	{"headgate_instance_card_time_p99_seconds", "gauge",
	 "99th percentile of the times of its packets in the card, in the last second", row_p99,
	 SECONDS},
	{"headgate_instance_max_bytes_per_second", "gauge",
	 "Its maximum rate for sending in force, after its behaviour; 0 for none", row_max, U64},
	{"headgate_instance_cut_segments_total", "counter", "Its segments that were cut", row_cut,
	 U64},
};

static void write_level(const struct hg_metrics_writer *w)
{
	static const char level[] = "headgate_instance_behaviour_level";
	struct hg_status_row row;

	hg_metrics_family(w, level, "gauge",
			  "-1 relaxed, 0 ordinary, above: tightened by so many steps");
	for (uint32_t i = 0; i < w->desired->n_instances; i++) {
		const struct hg_desired_instance *instance = &w->desired->instances[i];

		hg_control_status_instance(w->control, i, &row);
		fprintf(w->out, "%s{tenant=\"%s\",instance=\"%s\"} %d\n", level,
			w->desired->tenants[instance->tenant_idx].name, instance->name,
			row.card.behaviour.level);
	}
}

static void write_instances(const struct hg_metrics_writer *w)
{
	for (size_t f = 0; f < sizeof(row_families) / sizeof(row_families[0]); f++) {
		const struct row_family *family = &row_families[f];

		hg_metrics_family(w, family->name, family->type, family->help);
		for (uint32_t i = 0; i < w->desired->n_instances; i++) {
			const struct hg_desired_instance *instance = &w->desired->instances[i];
			struct hg_status_row row;

			hg_control_status_instance(w->control, i, &row);
			fprintf(w->out, "%s{tenant=\"%s\",instance=\"%s\"", family->name,
				w->desired->tenants[instance->tenant_idx].name, instance->name);
			value_line(w, family->value(&row), family->kind);
		}
	}
	write_level(w);
}

void hg_metrics_cards(const struct hg_metrics_writer *w)
{
	write_uplinks(w);
	write_instances(w);
}
