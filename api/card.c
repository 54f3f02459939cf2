#include "api/card.h"

#include "api/human.h"
#include "api/put.h"
#include "api/schema.h"

#include <stdio.h>
#include <string.h>

/* Samples that are asked for at a time. */
#define N_SAMPLES 64u

const char *hg_card_depth_way(const struct hg_desired_uplink *uplink)
{
	if (uplink->depth_bytes > 0)
		return "pinned";
	return uplink->depth_scale_ppm > HG_DEPTH_SCALE_MIN_PPM ? "scaled" : "auto";
}

void hg_card_put_quantiles(json_t *object, const struct hg_quantiles *quantiles)
{
	hg_put_u64(object, "card_p50_ns", (uint64_t)quantiles->p50_ns);
	hg_put_u64(object, "card_p99_ns", (uint64_t)quantiles->p99_ns);
	hg_put_u64(object, "card_p999_ns", (uint64_t)quantiles->p999_ns);
}

/* ---- an uplink ---------------------------------------------------------------------------------- */

static json_t *second_json(const struct hg_status_card *card)
{
	json_t *object = json_object();

	hg_card_put_quantiles(object, &card->second);
	hg_put_u64(object, "refused_pkts", card->second_refused_pkts);
	hg_put_u64(object, "lost_pkts", card->second_lost_pkts);
	return object;
}

static json_t *total_json(const struct hg_status_card *card)
{
	const struct hg_inflight_stats *now = &card->now;
	json_t *object = json_object();

	hg_card_put_quantiles(object, &card->total);
	hg_put_u64(object, "taken_bytes", now->window.taken_bytes);
	hg_put_u64(object, "given_bytes", now->window.given_bytes);
	hg_put_u64(object, "lost_bytes", now->window.lost_bytes);
	hg_put_u64(object, "taken_pkts", now->window.taken_pkts);
	hg_put_u64(object, "given_pkts", now->window.given_pkts);
	hg_put_u64(object, "lost_pkts", now->window.lost_pkts);
	hg_put_u64(object, "late_pkts", now->late_pkts);
	hg_put_u64(object, "never_handed_pkts", now->never_handed_pkts);
	hg_put_u64(object, "refused_pkts", now->refused_pkts);
	hg_put_u64(object, "work_bytes", now->work_bytes);
	hg_put_u64(object, "dry_late_bytes", now->dry_late_bytes);
	hg_put_u64(object, "dry_beyond_bytes", now->dry_beyond_bytes);
	hg_put_u64(object, "dry_full_bytes", now->dry_full_bytes);
	return object;
}

json_t *hg_card_json(const struct hg_desired_uplink *uplink, const struct hg_status_card *card)
{
	const struct hg_inflight_stats *now = &card->now;
	json_t *object = json_object();

	hg_put_text(object, "state", hg_hook_state_name(now->state));
	hg_put_text(object, "text", hg_hook_state_text(now->state));
	hg_put_u64(object, "for_ns", (uint64_t)card->state_for_ns);
	hg_put_u64(object, "n_state_changes", now->n_state_changes);
	hg_put(object, "is_paced", json_boolean(card->is_paced));
	hg_put_text(object, "depth", hg_card_depth_way(uplink));
	hg_put_u64(object, "max_bytes", now->window.max_bytes);
	hg_put_u64(object, "max_pkts", now->window.max_pkts);
	hg_put_u64(object, "rate_bytes_per_s", now->rate_bytes_per_s);
	hg_put_u64(object, "away_lead_ns", (uint64_t)now->away_lead_ns);
	hg_put_u64(object, "outstanding_bytes", now->window.outstanding_bytes);
	hg_put_u64(object, "outstanding_pkts", now->window.outstanding_pkts);
	hg_put_u64(object, "peak_bytes", now->window.peak_bytes);
	hg_put_u64(object, "n_active", now->window.n_active);
	hg_put(object, "second", second_json(card));
	hg_put(object, "total", total_json(card));
	hg_put_text(object, "why_full", card->why_full);
	hg_put_u64(object, "n_samples", now->n_samples);
	return object;
}

/* ---- its instances ------------------------------------------------------------------------------ */

char *hg_card_behaviour(const struct hg_behaviour *behaviour, char buf[HG_CARD_SENTENCE_BYTES])
{
	const char *reason = hg_behaviour_reason_text((enum hg_behaviour_reason)behaviour->reason);
	bool is_inside = behaviour->reason == HG_BEHAVIOUR_INSIDE;
	int level = behaviour->level;

	if (level > 0 && is_inside)
		snprintf(buf, HG_CARD_SENTENCE_BYTES, "eased to level %d of %d: %s", level,
			 HG_BEHAVIOUR_LEVELS, reason);
	else if (level > 0)
		snprintf(buf, HG_CARD_SENTENCE_BYTES, "tightened to level %d of %d: %s", level,
			 HG_BEHAVIOUR_LEVELS, reason);
	else if (level < 0)
		snprintf(buf, HG_CARD_SENTENCE_BYTES, "relaxed: %s", reason);
	else if (behaviour->n_changes > 0)
		snprintf(buf, HG_CARD_SENTENCE_BYTES, "%s: %s",
			 is_inside ? "no longer tightened" : "no longer relaxed", reason);
	else
		snprintf(buf, HG_CARD_SENTENCE_BYTES, "ordinary");
	return buf;
}

static json_t *behaviour_json(const struct hg_behaviour *behaviour)
{
	char sentence[HG_CARD_SENTENCE_BYTES];

	return json_pack("{s:i, s:i, s:i, s:I, s:s}", "level", (int)behaviour->level, "n_over",
			 (int)behaviour->n_over, "n_inside", (int)behaviour->n_inside, "n_changes",
			 (json_int_t)behaviour->n_changes, "text",
			 hg_card_behaviour(behaviour, sentence));
}

static void put_window(json_t *object, const struct hg_status_row_card *card)
{
	hg_put_u64(object, "outstanding_bytes", card->window.outstanding_bytes);
	hg_put_u64(object, "outstanding_pkts", card->window.outstanding_pkts);
	hg_put_u64(object, "share_bytes", card->window.share_bytes);
	hg_put(object, "behaviour", behaviour_json(&card->behaviour));
	hg_put_u64(object, "max_in_force_bytes_per_s", card->max_in_force_bytes_per_s);
}

json_t *hg_card_of_instance(const struct hg_status_row *row)
{
	json_t *object = json_object();

	put_window(object, &row->card);
	hg_put_u64(object, "cut_segments", row->card.cut_segments);
	hg_put_u64(object, "cut_pieces", row->card.cut_pieces);
	return object;
}

static json_t *instance_json(const struct hg_control *control, uint32_t idx)
{
	const struct hg_desired *d = hg_control_desired(control);
	const struct hg_desired_instance *instance = &d->instances[idx];
	const struct hg_field *priority = hg_schema_find(&hg_schema_policy, "priority");
	const struct hg_measure *second;
	struct hg_status_row row;
	json_t *object = json_object();

	hg_control_status_instance(control, idx, &row);
	second = &row.second[HG_OUT];
	hg_put_text(object, "name", instance->name);
	hg_put_text(object, "tenant", d->tenants[instance->tenant_idx].name);
	hg_put_text(object, "priority", priority->words[instance->contract.dir[HG_OUT].priority]);
	hg_put(object, "is_active", json_boolean(row.card.window.is_active));
	put_window(object, &row.card);
	hg_card_put_quantiles(object, &second->card);
	hg_put_u64(object, "sent_bytes_per_s", second->link_sent_bytes_per_s);
	hg_put_u64(object, "held_window_ns", second->held_ns[HG_LIMIT_WINDOW]);
	hg_put_u64(object, "held_priority_ns", second->held_ns[HG_LIMIT_PRIORITY]);
	return object;
}

json_t *hg_card_instances(const struct hg_control *control, uint32_t uplink_idx)
{
	const struct hg_desired *d = hg_control_desired(control);
	json_t *list = json_array();

	for (uint32_t i = 0; i < d->n_instances; i++) {
		if (d->tenants[d->instances[i].tenant_idx].uplink_idx == uplink_idx)
			(void)json_array_append_new(list, instance_json(control, i));
	}
	return list;
}

/* ---- samples ------------------------------------------------------------------------------------ */

static json_t *sample_json(const struct hg_depth_sample *sample, uint64_t number)
{
	json_t *object = json_object(), *lates = json_array();

	hg_put_u64(object, "number", number);
	hg_put_u64(object, "at_ns", (uint64_t)sample->at_ns);
	hg_put_u64(object, "length_ns", (uint64_t)sample->length_ns);
	hg_put_u64(object, "released_bytes", sample->released_bytes);
	hg_put_u64(object, "released_pkts", sample->released_pkts);
	hg_put_u64(object, "n_held", sample->n_held);
	hg_put_u64(object, "n_full", sample->n_full);
	hg_put_u64(object, "card_min_ns", (uint64_t)sample->card_min_ns);
	hg_put_u64(object, "card_max_ns", (uint64_t)sample->card_max_ns);
	hg_put_u64(object, "max_bytes", sample->max_bytes);
	hg_put_u64(object, "lead_ns", (uint64_t)sample->lead_ns);
	hg_put_u64(object, "rate_bytes_per_s", sample->rate_bytes_per_s);
	hg_put(object, "is_silent", json_boolean(sample->is_silent));
	hg_put_u64(object, "busy_bytes", sample->busy_bytes);
	hg_put_u64(object, "lost_bytes", sample->lost_bytes);
	hg_put_u64(object, "early_bytes", sample->early_bytes);
	hg_put_u64(object, "unreported_bytes", sample->unreported_bytes);
	hg_put_u64(object, "late_bytes", sample->late_bytes);
	for (unsigned i = 0; i < HG_DEPTH_LATES; i++)
		(void)json_array_append_new(lates, json_integer((json_int_t)sample->late_ns[i]));
	hg_put(object, "late_ns", lates);
	return object;
}

/* All that hg_depth_init() has to be told before the samples are replayed. */
static json_t *cfg_json(const struct hg_depth_cfg *cfg)
{
	json_t *object = json_object();

	hg_put_u64(object, "bytes_per_s", cfg->bytes_per_s);
	hg_put_u64(object, "pin_bytes", cfg->pin_bytes);
	hg_put_u64(object, "scale_ppm", cfg->scale_ppm);
	hg_put_u64(object, "largest_bytes", cfg->largest_bytes);
	hg_put_u64(object, "ring_pkts", cfg->ring_pkts);
	return object;
}

json_t *hg_card_samples(const struct hg_control *control, uint32_t uplink_idx, uint64_t since)
{
	const struct hg_desired_uplink *uplink = &hg_control_desired(control)->uplinks[uplink_idx];
	struct hg_depth_sample samples[N_SAMPLES];
	struct hg_status_uplink status;
	json_t *object = json_object(), *list = json_array();
	uint64_t next = since, first = since;
	unsigned n;

	/* A card that makes samples faster than they are read does not keep this going for ever. */
	while (json_array_size(list) < HG_INFLIGHT_SAMPLES &&
	       (n = hg_control_depth_samples(control, uplink_idx, next, samples, N_SAMPLES,
					     &first)) > 0) {
		for (unsigned i = 0; i < n; i++)
			(void)json_array_append_new(list, sample_json(&samples[i], first + i));
		next = first + n;
	}
	hg_put_text(object, "uplink", uplink->name);
	hg_put_text(object, "depth", hg_card_depth_way(uplink));
	hg_control_status_uplink(control, uplink_idx, &status);
	hg_put(object, "cfg", cfg_json(&status.card.depth_cfg));
	hg_put_u64(object, "next", next);
	hg_put(object, "samples", list);
	return object;
}

int hg_card_sample_number(const char *text, uint64_t *ret_number, struct hg_error *reterr)
{
	uint64_t number = 0;
	size_t n = 0;

	for (; text != NULL && text[n] >= '0' && text[n] <= '9' && n < 18u; n++)
		number = number * 10u + (uint64_t)(text[n] - '0');
	if (text != NULL && (n == 0 || text[n] != '\0'))
		return hg_error_set(reterr, -HG_EINVAL,
				    "since is the number of a sample, such as the 'next' of the "
				    "answer before",
				    NULL);
	*ret_number = number;
	return 0;
}
