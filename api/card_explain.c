/* What the card's queue has to do with what an instance sends: sentences for `explain`. */
#include "api/card.h"

#include "api/human.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 3u /* of those who compete: more would not be read */

struct subject {
	const struct hg_control *control;
	const struct hg_desired *desired;
	uint32_t instance_idx, uplink_idx;
	struct hg_status_row row;
	struct hg_status_uplink uplink;
	json_t *sentences;
};

static const struct hg_desired_instance *instance_of(const struct subject *s)
{
	return &s->desired->instances[s->instance_idx];
}

static void say(const struct subject *s, const char *text)
{
	(void)json_array_append_new(s->sentences, json_string(text));
}

/* ---- who competes ------------------------------------------------------------------------------- */

/* High goes before normal, normal before low. */
static int rank(const struct hg_desired_instance *instance)
{
	switch (instance->contract.dir[HG_OUT].priority) {
	case HG_PRIORITY_HIGH:
		return 2;
	case HG_PRIORITY_LOW:
		return 0;
	default:
		return 1;
	}
}

typedef bool (*is_rival_fn)(const struct subject *s, uint32_t idx, const struct hg_status_row *row);

static bool has_bytes_in_card(const struct subject *s, uint32_t idx,
			      const struct hg_status_row *row)
{
	(void)s;
	(void)idx;
	return row->card.window.outstanding_bytes > 0 || row->card.window.is_active;
}

static bool goes_first(const struct subject *s, uint32_t idx, const struct hg_status_row *row)
{
	return rank(&s->desired->instances[idx]) > rank(instance_of(s)) &&
	       row->second[HG_OUT].link_offered_bytes_per_s > 0;
}

/* "flood, wake and 3 more", of the others on the uplink; NULL: nobody. */
static const char *rivals(const struct subject *s, is_rival_fn is_rival, char *buf, size_t size)
{
	const struct hg_desired *d = s->desired;
	unsigned n_found = 0;
	size_t n = 0;

	for (uint32_t i = 0; i < d->n_instances; i++) {
		struct hg_status_row row;

		if (i == s->instance_idx ||
		    d->tenants[d->instances[i].tenant_idx].uplink_idx != s->uplink_idx)
			continue;
		hg_control_status_instance(s->control, i, &row);
		if (!is_rival(s, i, &row) || n_found++ >= NAMES_MAX)
			continue;
		n += (size_t)snprintf(buf + n, size - n, "%s%s", n > 0 ? ", " : "",
				      d->instances[i].name);
	}
	if (n_found == 0)
		return NULL;
	if (n_found > NAMES_MAX)
		snprintf(buf + n, size - n, " and %u more", n_found - NAMES_MAX);
	return buf;
}

/* ---- sentences ---------------------------------------------------------------------------------- */

static void say_state(const struct subject *s)
{
	const struct hg_desired_uplink *uplink = &s->desired->uplinks[s->uplink_idx];
	const struct hg_status_card *card = &s->uplink.card;
	char text[HG_CARD_SENTENCE_BYTES], max[HG_HUMAN_BYTES];

	if (s->desired->mode == HG_MODE_OBSERVE) {
		snprintf(text, sizeof(text), "the card of %s may hold as much as it takes",
			 uplink->name);
	} else if (card->now.state == HG_HOOK_OFF) {
		snprintf(text, sizeof(text), "%s: %s", uplink->name,
			 hg_hook_state_text(card->now.state));
	} else if (card->now.state != HG_HOOK_ON) {
		snprintf(text, sizeof(text), "in-flight control of %s is %s: %s", uplink->name,
			 hg_hook_state_name(card->now.state), hg_hook_state_text(card->now.state));
	} else if (card->now.window.max_bytes == 0) {
		snprintf(text, sizeof(text), "the card of %s may hold as much as it takes",
			 uplink->name);
	} else {
		snprintf(text, sizeof(text),
			 "the card of %s may hold %s (MAX, %s); %" PRIu32 " %s it now",
			 uplink->name, hg_human_size(max, card->now.window.max_bytes),
			 hg_card_depth_way(uplink), card->now.window.n_active,
			 card->now.window.n_active == 1 ? "uses" : "share");
	}
	say(s, text);
}

/* Why the card may hold more than it needs, and everybody waits the longer. */
static void say_away(const struct subject *s)
{
	const struct hg_inflight_stats *now = &s->uplink.card.now;
	char text[HG_CARD_SENTENCE_BYTES], time[HG_HUMAN_BYTES];

	if (now->away_lead_ns == 0 || s->desired->mode == HG_MODE_OBSERVE)
		return;
	snprintf(text, sizeof(text),
		 "it is filled %s ahead, so that the link goes on while others have the processor "
		 "of headgate's worker",
		 hg_human_time(time, now->away_lead_ns));
	say(s, text);
}

static void say_card(const struct subject *s)
{
	const struct hg_window_row *window = &s->row.card.window;
	const struct hg_quantiles *time = &s->row.second[HG_OUT].card;
	char text[HG_CARD_SENTENCE_BYTES], in[HG_HUMAN_BYTES], share[HG_HUMAN_BYTES],
		p50[HG_HUMAN_BYTES], p99[HG_HUMAN_BYTES];
	size_t n;

	if (window->outstanding_bytes == 0 && time->p99_ns == 0)
		return;
	n = (size_t)snprintf(text, sizeof(text), "%s of it %s in the card",
			     window->outstanding_bytes == 0
				     ? "nothing"
				     : hg_human_size(in, window->outstanding_bytes),
			     window->outstanding_bytes == 0 ? "is" : "are");
	if (window->share_bytes > 0)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ", of a share of %s",
				      hg_human_size(share, window->share_bytes));
	if (time->p99_ns > 0)
		snprintf(text + n, sizeof(text) - n,
			 "; its packets took %s there in the median and %s at p99",
			 hg_human_time(p50, time->p50_ns), hg_human_time(p99, time->p99_ns));
	say(s, text);
}

/* The limit held for the whole second; who competes is known as of its end. */
static void say_held_by(const struct subject *s, enum hg_limit limit, const char *by,
			is_rival_fn is_rival, const char *also, const char *nobody)
{
	uint64_t held_ns = s->row.second[HG_OUT].held_ns[limit];
	char text[HG_CARD_SENTENCE_BYTES], buf[HG_CARD_SENTENCE_BYTES / 2], time[HG_HUMAN_BYTES];
	const char *names;

	if (held_ns == 0)
		return;
	names = rivals(s, is_rival, buf, sizeof(buf));
	snprintf(text, sizeof(text), "held for %s by %s; %s%s", hg_human_time(time, (hg_ns)held_ns),
		 by, names == NULL ? nobody : also, names == NULL ? "" : names);
	say(s, text);
}

static void say_held(const struct subject *s)
{
	say_held_by(s, HG_LIMIT_WINDOW, "its share of the card's queue", has_bytes_in_card,
		    "also in it: ", "nobody else is in it now");
	say_held_by(s, HG_LIMIT_PRIORITY, "its priority", goes_first, "before it went ",
		    "nobody goes before it now");
}

static void say_behaviour(const struct subject *s)
{
	const struct hg_behaviour *behaviour = &s->row.card.behaviour;
	uint64_t asked = instance_of(s)->contract.dir[HG_OUT].max_bytes_per_s;
	uint64_t in_force = s->row.card.max_in_force_bytes_per_s;
	char text[2 * HG_CARD_SENTENCE_BYTES], sentence[HG_CARD_SENTENCE_BYTES];
	char a[HG_HUMAN_BYTES], b[HG_HUMAN_BYTES];

	if (behaviour->level != 0 || behaviour->n_changes > 0)
		say(s, hg_card_behaviour(behaviour, sentence));
	if (behaviour->level > 0) {
		snprintf(text, sizeof(text),
			 "its weight counts for 1/%u in the card's queue until it stays inside",
			 1u << behaviour->level);
		say(s, text);
	}
	if (in_force != asked && in_force > 0) {
		snprintf(text, sizeof(text), "the maximum in force is %s, of %s",
			 hg_human_rate_long(a, in_force), hg_human_rate_long(b, asked));
		say(s, text);
	}
}

void hg_card_explain(const struct hg_control *control, uint32_t instance_idx, json_t *sentences)
{
	const struct hg_desired *d = hg_control_desired(control);
	struct subject s = {
		.control = control,
		.desired = d,
		.instance_idx = instance_idx,
		.uplink_idx = d->tenants[d->instances[instance_idx].tenant_idx].uplink_idx,
		.sentences = sentences,
	};
	char text[HG_CARD_SENTENCE_BYTES];

	hg_control_status_instance(control, instance_idx, &s.row);
	hg_control_status_uplink(control, s.uplink_idx, &s.uplink);
	say_state(&s);
	say_away(&s);
	say_card(&s);
	say_held(&s);
	say_behaviour(&s);
	if (s.row.card.cut_segments > 0) {
		snprintf(text, sizeof(text),
			 "%" PRIu64 " of its segments were cut, into %" PRIu64
			 " pieces, so that nobody waits for a whole one",
			 s.row.card.cut_segments, s.row.card.cut_pieces);
		say(&s, text);
	}
}
