#include "control/card.h"

#include <inttypes.h>
#include <stdio.h>

#define SENTENCE_BYTES 400u

static uint64_t grown(uint64_t from, uint64_t to)
{
	return to >= from ? to - from : to;
}

void hg_card_quantiles(const struct hg_histogram *from, const struct hg_histogram *to,
		       struct hg_quantiles *ret)
{
	struct hg_histogram between;

	hg_histogram_diff(from, to, &between);
	*ret = (struct hg_quantiles){
		.p50_ns = hg_histogram_quantile(&between, 500000),
		.p99_ns = hg_histogram_quantile(&between, 990000),
		.p999_ns = hg_histogram_quantile(&between, 999000),
	};
}

void hg_card_close(struct hg_card *card, const struct hg_dp_uplink_sample *now)
{
	const struct hg_inflight_stats *stats = &now->inflight;

	hg_card_quantiles(&card->last, &stats->card, &card->second);
	card->last = stats->card;
	card->second_refused_pkts = grown(card->last_refused_pkts, stats->refused_pkts);
	card->last_refused_pkts = stats->refused_pkts;
	card->second_lost_pkts = grown(card->last_lost_pkts, stats->window.lost_pkts);
	card->last_lost_pkts = stats->window.lost_pkts;
}

/* ---- why it is full ----------------------------------------------------------------------------- */

static bool is_ring_too_small(const struct hg_dp_uplink_sample *now)
{
	const struct hg_window_stats *window = &now->inflight.window;

	return now->card_ring_pkts > 0 &&
	       (window->max_pkts == 0 || window->max_pkts > now->card_ring_pkts);
}

static void why_though_on(const struct hg_dp_uplink_sample *now, char *buf, size_t size)
{
	const struct hg_window_stats *window = &now->inflight.window;
	double max_kib = (double)window->max_bytes / 1024.0;

	if (is_ring_too_small(now) && window->max_pkts > 0)
		snprintf(buf, size,
			 "MAX is %.1f KiB and %" PRIu32
			 " packets, but the card's ring takes only %" PRIu64
			 " packets; a larger ring, or a smaller depth, ends it",
			 max_kib, window->max_pkts, now->card_ring_pkts);
	else if (is_ring_too_small(now))
		snprintf(buf, size,
			 "MAX is %.1f KiB, but the card's ring takes only %" PRIu64
			 " packets; a larger ring, or a smaller depth, ends it",
			 max_kib, now->card_ring_pkts);
	else
		snprintf(buf, size,
			 "MAX is %.1f KiB, and with %.1f KiB outstanding the card had no room: it "
			 "frees its ring later than its buffers, or others send through it",
			 max_kib, (double)window->outstanding_bytes / 1024.0);
}

char *hg_card_why_full(const struct hg_dp_uplink_sample *now, bool is_observed, char *buf,
		       size_t size)
{
	if (is_observed)
		snprintf(
			buf, size,
			"mode is observe: nothing is held in headgate, so that the queue stands in "
			"the card");
	else if (now->inflight.state == HG_HOOK_LEARNING)
		snprintf(buf, size,
			 "the card's releases are still being watched, and MAX is not "
			 "in force yet");
	else if (now->is_paced)
		snprintf(buf, size,
			 "the link is paced, and slower all the same than its capacity says; give "
			 "the uplink the capacity that it has");
	else
		why_though_on(now, buf, size);
	return buf;
}

/* ---- the log ------------------------------------------------------------------------------------ */

/* What headgate does in each state, for the log. */
static const char *consequence(enum hg_hook_state state)
{
	switch (state) {
	case HG_HOOK_ON:
		return "the link runs at its full rate";
	case HG_HOOK_EARLY:
		return "they are watched further, and contracts hold as before";
	case HG_HOOK_SILENT:
		return "what was outstanding is written off, nobody waits for it, and contracts "
		       "hold as before";
	default:
		return "contracts hold as before";
	}
}

static bool is_trouble(enum hg_hook_state state)
{
	return state == HG_HOOK_EARLY || state == HG_HOOK_SILENT;
}

static void look_state(struct hg_card *card, enum hg_hook_state state, hg_card_say_fn say,
		       void *user)
{
	char sentence[SENTENCE_BYTES];
	enum hg_log_level level = is_trouble(state)         ? HG_LOG_WARNING
				  : is_trouble(card->state) ? HG_LOG_NOTICE
							    : HG_LOG_INFO;

	if (card->was_seen ? card->state != state : is_trouble(state)) {
		snprintf(sentence, sizeof(sentence), "uplink %s, in-flight control %s: %s; %s",
			 card->name, hg_hook_state_name(state), hg_hook_state_text(state),
			 consequence(state));
		say(user, level, sentence);
	}
	card->state = state;
}

/* Whether to tell now that the counter has grown, and by how much since it was last told of. */
static bool is_due(struct hg_card_alarm *alarm, uint64_t value, uint64_t second, uint64_t *ret_n)
{
	if (value == alarm->told)
		return false;
	if (alarm->at_second != 0 && second < alarm->at_second + HG_CARD_QUIET_SECONDS)
		return false;
	*ret_n = grown(alarm->told, value);
	alarm->told = value;
	alarm->at_second = second;
	return true;
}

static void look_full(struct hg_card *card, const struct hg_dp_uplink_sample *now, bool is_observed,
		      uint64_t second, hg_card_say_fn say, void *user)
{
	char sentence[SENTENCE_BYTES], why[SENTENCE_BYTES / 2];
	uint64_t n;

	/* While nothing is held, and until MAX is known, a full queue is no news. */
	if (is_observed || now->inflight.state == HG_HOOK_LEARNING) {
		card->full.told = now->inflight.refused_pkts;
		return;
	}
	if (!is_due(&card->full, now->inflight.refused_pkts, second, &n))
		return;
	snprintf(sentence, sizeof(sentence),
		 "uplink %s: the card's queue was full for %" PRIu64
		 " packets that were due, which waited: %s",
		 card->name, n, hg_card_why_full(now, is_observed, why, sizeof(why)));
	say(user, HG_LOG_WARNING, sentence);
}

static void look_lost(struct hg_card *card, const struct hg_dp_uplink_sample *now, uint64_t second,
		      hg_card_say_fn say, void *user)
{
	char sentence[SENTENCE_BYTES];
	uint64_t n;

	if (!is_due(&card->lost, now->inflight.window.lost_pkts, second, &n))
		return;
	snprintf(sentence, sizeof(sentence),
		 "uplink %s: the card did not give back the buffers of %" PRIu64
		 " packets; they are written off, so that nobody waits for them",
		 card->name, n);
	say(user, HG_LOG_WARNING, sentence);
}

void hg_card_look(struct hg_card *card, const struct hg_dp_uplink_sample *now, bool is_observed,
		  uint64_t second, hg_card_say_fn say, void *user)
{
	look_state(card, now->inflight.state, say, user);
	look_lost(card, now, second, say, user);
	look_full(card, now, is_observed, second, say, user);
	card->was_seen = true;
}
