#include "core/depth.h"

#include <string.h>

/* An interval is long enough to hold several hand-overs, and short enough that a step is followed through all
 * trials and a whole hold time within 10 ms. */
#define INTERVAL_NS (200 * HG_NS_PER_US)
#define INTERVAL_LONG_NS (2 * HG_NS_PER_MS)
#define HELD_ENOUGH 4u

/* Silence: longer than any moderation of interrupts waits with a full queue (Linux drivers: up to 0.25 ms). */
#define SILENCE_NS HG_NS_PER_MS
/* Reports that come once in more packets than this are not waited for. */
#define SILENCE_PKTS 512u

/* A first MAX that covers the completion delays of most cards; what is too much of it is gone after one
 * hold time. */
#define FIRST_NS (100 * HG_NS_PER_US)

/* Nothing is waited for longer after a change, in intervals. */
#define SETTLING_LAST 32u
/* MAX at most so many times what it was, in one trial: a wrong one costs the neighbours that. */
#define TRIAL_GROWTH 4u

/* MAX covers this part more than was unreported at most: it is a peak of what varies, and costs nobody a wait while
 * the card keeps up. */
#define HEADROOM 4u

/* Less is tried after so many intervals in which MAX bound and nothing was lost; after each that was wrong, twice
 * as many. */
#define LESS_FIRST 16u
#define LESS_LAST 512u

/* Intervals in a row with early releases after which R is raised. */
#define EARLY_ENOUGH 2u

/* Lateness of more than this is a processor taken away: the away lead's to cover, if it comes often. */
#define STALL_NS HG_NS_PER_MS
/* Lateness is remembered for about so long. */
#define LATE_HALF_NS (16 * HG_NS_PER_MS)
/* That of who is away for longer: some are so a few times a second, and are missed between two of them. */
#define AWAY_HALF_NS (500 * HG_NS_PER_MS)
/* What counts as one, so that halves of it are still something. */
#define AWAY_ONE 256u
#define LATE_FIRST_LOG 6u /* the first bucket: up to 64 ns */

/* Longest time on the virtual wire that is told apart; 2^24 ns at 2^37 bytes a second fit in 64 bits. On a slow link
 * a few packets take longer than that. */
#define WIRE_NS_MAX ((hg_ns)1 << 24)
#define SLOW_BYTES_PER_S (UINT64_C(1) << 30)
#define SLOW_WIRE_NS_MAX ((hg_ns)1 << 33)

/* Fewer packets are not worth a bound: where sizes mix, runs of small ones would be held for no reason. */
#define PKTS_MIN 64u

/* Left free in a ring whose size is known: one burst of the packet lane. */
#define BURST_PKTS 32u

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}
static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t bytes_in(uint64_t bytes_per_s, hg_ns for_ns)
{
	hg_ns most_ns = bytes_per_s < SLOW_BYTES_PER_S ? SLOW_WIRE_NS_MAX : WIRE_NS_MAX;
	uint64_t ns = (uint64_t)(for_ns < most_ns ? for_ns : most_ns);

	return bytes_per_s * ns / (uint64_t)HG_NS_PER_S;
}

/* ---- what a decision sets ----------------------------------------------------------------------- */

static uint64_t clamped_max(const struct hg_depth *d, uint64_t bytes)
{
	uint64_t floor_bytes = most(HG_DEPTH_MIN_BYTES, d->cfg.largest_bytes);

	/* What is lost while we are away is no loss of MAX, so that less of it would always do. */
	if (d->away_lead_ns > 0)
		floor_bytes =
			d->cfg.largest_bytes + bytes_in(d->rate_bytes_per_s, 2 * d->away_lead_ns);
	return least(most(bytes, floor_bytes), HG_DEPTH_MAX_BYTES);
}

static uint64_t scale_ppm(const struct hg_depth *d)
{
	return d->cfg.scale_ppm == 0 ? HG_DEPTH_SCALE_MIN_PPM : d->cfg.scale_ppm;
}

/* MAX in packets of the size that was released last, and an eighth more, since sizes mix. */
static void set_max_pkts(struct hg_depth *d, uint32_t pkt_bytes)
{
	uint64_t n = d->max_bytes / most(pkt_bytes, 1);
	uint64_t ring = d->cfg.ring_pkts;

	n = most(n + n / 8, PKTS_MIN);
	if (ring > 0)
		n = least(n, ring > 2 * BURST_PKTS ? ring - BURST_PKTS : ring - ring / 2);
	d->max_pkts = (uint32_t)n;
}

static void set_rate(struct hg_depth *d, uint64_t bytes_per_s)
{
	d->rate_bytes_per_s = most(least(bytes_per_s, d->cfg.bytes_per_s), HG_RATE_MIN_BYTES_PER_S);
	hg_pace_set(&d->pace, d->rate_bytes_per_s);
	d->wire_rest = 0;
}

static unsigned class_of(uint64_t pkt_bytes)
{
	unsigned log = hg_log2_u64(pkt_bytes | 64u) - 6u;

	return log < HG_DEPTH_CLASSES ? log : HG_DEPTH_CLASSES - 1u;
}

/* ---- the lead ----------------------------------------------------------------------------------- */

static unsigned late_bucket(hg_ns late_ns)
{
	uint64_t ns = (uint64_t)late_ns;
	unsigned log, bucket;

	if (ns < UINT64_C(1) << LATE_FIRST_LOG)
		return 0;
	log = hg_log2_u64(ns);
	bucket = (log - LATE_FIRST_LOG) * 4u + (unsigned)(ns >> (log - 2u) & 3u) + 1u;
	return bucket < HG_DEPTH_LATE_BUCKETS ? bucket : HG_DEPTH_LATE_BUCKETS - 1u;
}

static hg_ns late_edge_ns(unsigned bucket) /* upper */
{
	unsigned quarters = bucket == 0 ? 4u : 5u + (bucket - 1u) % 4u;
	unsigned log = bucket == 0 ? LATE_FIRST_LOG : LATE_FIRST_LOG + (bucket - 1u) / 4u;

	return (hg_ns)((uint64_t)quarters << (log - 2u));
}

/* Returns whether it is time to forget. */
static bool forget_lates(struct hg_depth_lates *l, hg_ns half_ns, hg_ns now_ns)
{
	if (now_ns - l->halved_at_ns < half_ns)
		return false;
	l->halved_at_ns = now_ns;
	l->busy_bytes /= 2;
	for (unsigned i = 0; i < HG_DEPTH_LATE_BUCKETS; i++)
		l->counts[i] /= 2;
	return true;
}

/* The least lead with which what is remembered, each counted `one`, would have cost no more than a part of the link. */
static hg_ns lead_for(const struct hg_depth *d, const struct hg_depth_lates *l, uint32_t part,
		      uint32_t one)
{
	uint64_t budget_ns =
		l->busy_bytes / part * (uint64_t)HG_NS_PER_S / d->rate_bytes_per_s * one;
	uint64_t cost_ns = 0, n = 0;

	for (unsigned i = HG_DEPTH_LATE_BUCKETS - 1u; i > 0; i--) {
		hg_ns edge_ns = late_edge_ns(i);

		n += l->counts[i];
		cost_ns += n * (uint64_t)(edge_ns - late_edge_ns(i - 1u));
		if (cost_ns > budget_ns)
			return edge_ns;
	}
	return l->counts[0] > 0 && n + l->counts[0] > budget_ns / 64u ? late_edge_ns(0) : 0;
}

/* An interval has no room for more of them than its sample tells. What is asked for grows at once and shrinks when
 * something is forgotten, so that MAX does not follow each of them up and down. */
static void note_aways(struct hg_depth *d, const struct hg_depth_sample *s)
{
	struct hg_depth_lates *aways = &d->aways;
	bool has_forgotten = forget_lates(aways, AWAY_HALF_NS, s->at_ns);
	hg_ns lead_ns;

	aways->busy_bytes += s->busy_bytes;
	for (unsigned i = 0; i < HG_DEPTH_LATES && s->late_ns[i] > HG_DEPTH_LEAD_MAX_NS; i++)
		aways->counts[late_bucket(s->late_ns[i])] += AWAY_ONE;
	lead_ns = lead_for(d, aways, HG_DEPTH_AWAY_LOSS, AWAY_ONE);
	if (lead_ns <= HG_DEPTH_LEAD_MAX_NS)
		lead_ns = 0;
	else if (lead_ns > HG_DEPTH_AWAY_LEAD_MAX_NS)
		lead_ns = HG_DEPTH_AWAY_LEAD_MAX_NS;
	if (has_forgotten || lead_ns > d->away_lead_ns)
		d->away_lead_ns = lead_ns;
}

static void note_lates(struct hg_depth *d, const struct hg_depth_sample *s)
{
	(void)forget_lates(&d->lates, LATE_HALF_NS, s->at_ns);
	d->lates.busy_bytes += s->busy_bytes;
	for (unsigned i = 0; i < HG_DEPTH_LATES; i++) {
		/* Those that the sample has no room for were no later than the last. */
		bool is_last = i + 1u == HG_DEPTH_LATES && s->n_held > HG_DEPTH_LATES;

		if (s->late_ns[i] <= 0 || s->late_ns[i] >= STALL_NS)
			continue;
		d->lates.counts[late_bucket(s->late_ns[i])] +=
			is_last ? s->n_held - HG_DEPTH_LATES + 1u : 1u;
	}
	note_aways(d, s);
}

static hg_ns least_lead_ns(const struct hg_depth *d)
{
	hg_ns lead_ns;

	if (d->away_lead_ns > 0)
		return d->away_lead_ns;
	lead_ns = lead_for(d, &d->lates, HG_DEPTH_LATE_LOSS, 1);
	return lead_ns < HG_DEPTH_LEAD_MAX_NS ? lead_ns : HG_DEPTH_LEAD_MAX_NS;
}

/* What MAX has for the lead. */
static uint64_t for_lead(const struct hg_depth *d)
{
	return bytes_in(d->rate_bytes_per_s, least_lead_ns(d) + d->away_lead_ns);
}

/* Scaled toward throughput, more is left on the wire as well: what MAX is more. */
static void set_lead(struct hg_depth *d)
{
	uint64_t extra = d->max_bytes - d->max_bytes * HG_DEPTH_SCALE_MIN_PPM / scale_ppm(d);
	uint64_t was_bytes = d->lead_bytes;

	d->lead_ns = HG_NEVER;
	if (d->cfg.pin_bytes > 0)
		return;
	d->least_lead_ns = least_lead_ns(d);
	d->lead_ns = d->least_lead_ns + (hg_ns)(extra * (uint64_t)HG_NS_PER_S / d->cfg.bytes_per_s);
	/* What it is more has to be outstanding as well. */
	d->lead_bytes = bytes_in(d->cfg.bytes_per_s, d->least_lead_ns + d->away_lead_ns);
	if (d->lead_bytes > was_bytes)
		d->max_bytes = clamped_max(d, d->max_bytes + d->lead_bytes - was_bytes);
}

/* ---- MAX ---------------------------------------------------------------------------------------- */

static void note_unreported(struct hg_depth *d, const struct hg_depth_sample *s)
{
	d->unreported_bytes[d->next_unreported] = s->unreported_bytes;
	d->next_unreported = (d->next_unreported + 1u) % HG_DEPTH_HOLD;
	if (d->n_unreported < HG_DEPTH_HOLD)
		d->n_unreported++;
}

static uint64_t peak_unreported(const struct hg_depth *d)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < d->n_unreported; i++)
		bytes = most(bytes, d->unreported_bytes[i]);
	return bytes;
}

/* What MAX has to be while the card keeps up with the wire. */
static uint64_t needed(const struct hg_depth *d)
{
	uint64_t bytes = peak_unreported(d);

	bytes += bytes / HEADROOM;
	bytes += for_lead(d) + d->cfg.largest_bytes;
	return clamped_max(d, bytes * scale_ppm(d) / HG_DEPTH_SCALE_MIN_PPM);
}

/* What came through, by the virtual wire: R less the part that it was dry for MAX's sake. */
static uint64_t came_through(const struct hg_depth_sample *s)
{
	uint64_t all = s->busy_bytes + s->lost_bytes;

	/* In parts of 2^20, so that rates of 2^37 fit. */
	return all == 0 ? s->rate_bytes_per_s
			: s->rate_bytes_per_s / 1024 * ((s->busy_bytes << 20) / all) / 1024;
}

/* To compare with: a card that lives on what stood in it is handed less than it sends. */
static uint64_t came_at_best(const struct hg_depth_sample *s)
{
	uint64_t released =
		s->released_bytes * (uint64_t)HG_NS_PER_S / most((uint64_t)s->length_ns, 1);

	return most(came_through(s), least(released, s->rate_bytes_per_s));
}

static bool is_lossy(const struct hg_depth_sample *s)
{
	return s->lost_bytes > s->busy_bytes / HG_DEPTH_LOSS;
}

/* What was outstanding before the change comes back first: nothing is judged by it. */
static void set_max(struct hg_depth *d, uint64_t bytes)
{
	uint64_t was = d->max_bytes;

	d->max_bytes = clamped_max(d, bytes);
	d->settling_bytes = most(was, d->max_bytes) + d->cfg.largest_bytes;
	d->n_settling = 0;
}

/* A card that is slower than R fills what MAX has more, and the virtual wire where it is not the line's, by what it is
 * slower a byte. Until then more seems to help. */
static void settle_more(struct hg_depth *d, uint64_t was, uint64_t came_bytes_per_s)
{
	uint64_t rate = d->rate_bytes_per_s;
	uint64_t fill = rate < d->cfg.bytes_per_s ? 2 * d->max_bytes : d->max_bytes - was;
	uint64_t short_of = most(rate - least(came_bytes_per_s, rate), rate / HG_DEPTH_LOSS);

	d->settling_bytes += fill + fill / 4 * (rate / most(short_of, 1) + 1) * 5;
}

static bool is_settling(struct hg_depth *d, const struct hg_depth_sample *s)
{
	if (d->n_settling++ >= SETTLING_LAST)
		d->settling_bytes = 0;
	if (d->settling_bytes == 0)
		return false;
	d->settling_bytes -= least(d->settling_bytes, s->released_bytes);
	return true;
}

/* If the card only tells later than it did, MAX is outstanding for as long as it takes to come back, so that R takes
 * R / (what came through) times as much. */
static void try_more(struct hg_depth *d, uint64_t came_bytes_per_s, uint64_t handed_bytes_per_s)
{
	uint64_t parts = d->rate_bytes_per_s / most(came_bytes_per_s >> 10, 1);
	uint64_t was = d->max_bytes, want = was + most(was / 4, d->cfg.largest_bytes);

	if (d->trial.kind != HG_DEPTH_TRIES_MORE)
		d->trial.back_max_bytes = d->max_bytes;
	d->trial.kind = HG_DEPTH_TRIES_MORE;
	d->trial.came_bytes_per_s = came_bytes_per_s;
	parts = least(most(parts, 1024), 1024 * TRIAL_GROWTH);
	set_max(d, most(want, d->max_bytes / 1024 * parts));
	settle_more(d, was, handed_bytes_per_s);
}

static void end_trial(struct hg_depth *d)
{
	d->trial.kind = HG_DEPTH_NO_TRIAL;
	d->n_unreported = d->next_unreported = 0;
}

/* R is below the line's and MAX is the least for it: both say the same of a card that is slower and of one that
 * tells later. A higher R is tried, with as much more of MAX. */
static void try_rate(struct hg_depth *d)
{
	uint64_t came = d->rate_bytes_per_s;

	if (came >= d->cfg.bytes_per_s)
		return;
	set_rate(d, came + came / 4);
	try_more(d, came, came);
}

static void judge_more(struct hg_depth *d, const struct hg_depth_sample *s)
{
	uint64_t before = d->trial.came_bytes_per_s, came = came_through(s);

	if (!is_lossy(s)) {
		end_trial(d);
		d->less_in = d->less_every;
		try_rate(d);
	} else if (came >= before + least(d->rate_bytes_per_s - least(before, d->rate_bytes_per_s),
					  before) /
					    2) {
		try_more(d, came_at_best(s), came);
	} else {
		/* More brought nothing: the card is slower than believed. */
		set_max(d, d->trial.back_max_bytes);
		end_trial(d);
		if (came < d->rate_bytes_per_s / 4 * 3)
			d->less_every = LESS_FIRST;
		set_rate(d, came);
		d->less_in = d->less_every;
	}
}

/* Where MAX binds, less of it is kept if nothing is lost; where it does not, a queue that a pause of the card
 * left in it is let run off, and what is unreported is seen anew. */
static void try_less(struct hg_depth *d, const struct hg_depth_sample *s)
{
	uint64_t peak = peak_unreported(d);
	uint64_t bytes = peak + d->cfg.largest_bytes + for_lead(d);

	if (bytes > d->max_bytes || d->rate_bytes_per_s < d->cfg.bytes_per_s)
		bytes = d->max_bytes;
	d->trial.back_max_bytes = d->max_bytes;
	d->less_in = d->less_every;
	d->tried_bytes = peak;
	d->trial.keeps_less = s->n_full > 0;
	set_max(d, bytes - bytes / 8);
	if (d->max_bytes != d->trial.back_max_bytes)
		d->trial.kind = HG_DEPTH_TRIES_LESS;
}

static void judge_less(struct hg_depth *d, const struct hg_depth_sample *s)
{
	bool is_wrong = is_lossy(s);

	if (is_wrong || !d->trial.keeps_less)
		set_max(d, d->trial.back_max_bytes);
	/* Nothing was left in the card: it need not be looked for so soon again. */
	is_wrong |= !d->trial.keeps_less && s->unreported_bytes >= d->tried_bytes / 8 * 7;
	if (is_wrong) {
		d->less_every = (uint32_t)least(2 * (uint64_t)d->less_every, LESS_LAST);
	} else {
		d->less_every = LESS_FIRST;
	}
	d->less_in = d->less_every;
	end_trial(d);
	if (is_wrong)
		try_rate(d);
}

/* MAX grows by what is lost alone, but for the scale: what is unreported grows with MAX where the card is slower
 * than R. */
static bool is_only_the_scale(const struct hg_depth *d, uint64_t want)
{
	return want > d->max_bytes &&
	       want * HG_DEPTH_SCALE_MIN_PPM / scale_ppm(d) < d->max_bytes - d->max_bytes / 8;
}

/* Without a trial. */
static void follow(struct hg_depth *d, const struct hg_depth_sample *s)
{
	uint64_t want;

	if (is_lossy(s)) {
		/* What came through is compared with, and the first loss may have begun anywhere in its interval. */
		if (d->lossy_for > 0)
			try_more(d, came_at_best(s), came_through(s));
		d->lossy_for = HG_DEPTH_HOLD;
		return;
	}
	d->lossy_for -= d->lossy_for > 0;
	note_unreported(d, s);
	if (d->n_unreported < HG_DEPTH_HOLD && d->rate_bytes_per_s == d->cfg.bytes_per_s)
		return;
	want = needed(d);
	/* The wire of a lower R has more left than the lead, so that it does not show what is unreported. */
	if ((want < d->max_bytes || is_only_the_scale(d, want)) &&
	    d->rate_bytes_per_s == d->cfg.bytes_per_s)
		set_max(d, want);
	/* A queue that a pause of the card left in it looks as a longer delay does. */
	if (peak_unreported(d) > d->tried_bytes + d->tried_bytes / 4) {
		d->less_every = LESS_FIRST;
		d->less_in = (uint32_t)least(d->less_in, LESS_FIRST);
	}
	if (d->less_in > 1)
		d->less_in--;
	else
		try_less(d, s);
}

/* What comes before the wire could have sent it says that the card is faster than R. */
static void raise_rate(struct hg_depth *d, const struct hg_depth_sample *s)
{
	uint64_t parts;

	d->n_early = s->early_bytes > s->busy_bytes / (HG_DEPTH_LOSS / 2) ? d->n_early + 1 : 0;
	if (d->n_early < EARLY_ENOUGH || d->rate_bytes_per_s >= d->cfg.bytes_per_s)
		return;
	parts = least((s->early_bytes << 10) / most(s->busy_bytes, 1), 1024);
	set_rate(d, d->rate_bytes_per_s + (d->rate_bytes_per_s >> 10) * (parts + 1));
	d->n_unreported = d->next_unreported = 0;
	d->n_early = 0;
}

/* The bound in packets follows the size of what is released. */
static void learn_size(struct hg_depth *d, const struct hg_depth_sample *s)
{
	uint64_t mean;
	uint16_t *known;

	if (s->released_pkts == 0)
		return;
	mean = least(most(s->released_bytes / s->released_pkts, 1), UINT16_MAX);
	known = &d->class_pkt_bytes[class_of(mean)];
	if (*known == 0 || mean < *known)
		*known = (uint16_t)mean;
	else
		*known = (uint16_t)(*known + (mean - *known) / 16);
	set_max_pkts(d, *known);
}

static void decide(struct hg_depth *d, const struct hg_depth_sample *s)
{
	if (s->is_silent) {
		if (d->cfg.pin_bytes == 0)
			set_max(d, 2 * d->max_bytes);
		d->max_pkts = (uint32_t)least(2 * (uint64_t)d->max_pkts, UINT32_MAX);
		end_trial(d);
		return;
	}
	/* What is seen while less than half of the link is asked for says nothing of the whole. */
	if (s->n_held > 0 && d->cfg.pin_bytes == 0 &&
	    2 * (s->busy_bytes + s->lost_bytes + s->late_bytes) >=
		    bytes_in(s->rate_bytes_per_s, s->length_ns)) {
		note_lates(d, s);
		if (is_settling(d, s))
			;
		else if (d->trial.kind == HG_DEPTH_TRIES_MORE)
			judge_more(d, s);
		else if (d->trial.kind == HG_DEPTH_TRIES_LESS)
			judge_less(d, s);
		else
			follow(d, s);
		raise_rate(d, s);
	}
	if (d->cfg.pin_bytes > 0)
		d->max_bytes = d->cfg.pin_bytes;
	set_lead(d);
	learn_size(d, s);
}

/* ---- the interval ------------------------------------------------------------------------------- */

static void begin_interval(struct hg_depth *d, hg_ns now_ns)
{
	d->now = (struct hg_depth_sample){
		.at_ns = now_ns,
		.card_min_ns = HG_NEVER,
		.max_bytes = d->max_bytes,
		.lead_ns = d->lead_ns,
		.rate_bytes_per_s = d->rate_bytes_per_s,
	};
}

static void note_late(struct hg_depth_sample *s, hg_ns late_ns)
{
	unsigned at = HG_DEPTH_LATES - 1u;

	if (late_ns <= s->late_ns[at])
		return;
	for (; at > 0 && s->late_ns[at - 1u] < late_ns; at--)
		s->late_ns[at] = s->late_ns[at - 1u];
	s->late_ns[at] = late_ns;
}

/* For how long of the time that the wire was dry until now nobody was there. */
static hg_ns dry_away_ns(const struct hg_depth *d, hg_ns now_ns)
{
	hg_ns from_ns = d->away_from_ns > d->wire_end_ns ? d->away_from_ns : d->wire_end_ns;
	hg_ns to_ns = d->away_to_ns < now_ns ? d->away_to_ns : now_ns;

	return to_ns > from_ns ? to_ns - from_ns : 0;
}

/* MAX held it: what of the dry time is its fault, and what is ours. */
static void note_full(struct hg_depth *d, uint64_t dry_bytes, hg_ns now_ns)
{
	struct hg_depth_sample *s = &d->now;
	hg_ns away_ns = dry_away_ns(d, now_ns);
	uint64_t ours = least(bytes_in(d->rate_bytes_per_s, away_ns), dry_bytes);

	s->n_full++;
	s->lost_bytes += dry_bytes - ours;
	s->late_bytes += ours;
	/* With a lead so much longer MAX would have been larger by as much. */
	if (away_ns > 0 && d->lead_ns != HG_NEVER)
		note_late(s, d->least_lead_ns + away_ns);
}

/* Held work is let through: was it in time, and how much has the card not told of? */
void hg_depth_let_through(struct hg_depth *d, enum hg_held held, hg_ns now_ns)
{
	struct hg_depth_sample *s = &d->now;
	uint64_t dry = 0, left = 0;

	/* Of the line's rate no more than the lead is left. */
	if (d->rate_bytes_per_s == d->cfg.bytes_per_s && d->lead_ns != HG_NEVER &&
	    d->wire_end_ns > now_ns + d->lead_ns)
		d->wire_end_ns = now_ns + d->lead_ns;
	if (now_ns > d->wire_end_ns)
		dry = bytes_in(d->rate_bytes_per_s, now_ns - d->wire_end_ns);
	else
		left = bytes_in(d->rate_bytes_per_s, d->wire_end_ns - now_ns);
	s->n_held++;
	s->busy_bytes += d->run_bytes;
	d->run_bytes = 0;
	if (held == HG_HELD_MAX) {
		note_full(d, dry, now_ns);
	} else if (d->lead_ns != HG_NEVER) {
		note_late(s, now_ns - (d->wire_end_ns - d->lead_ns));
		s->late_bytes += dry;
	}
	s->unreported_bytes =
		most(s->unreported_bytes, d->outstanding_bytes - least(left, d->outstanding_bytes));
}

void hg_depth_lost(struct hg_depth *d, uint64_t wire_bytes, uint32_t parts)
{
	d->outstanding_bytes -= least(d->outstanding_bytes, wire_bytes);
	d->outstanding_pkts -= (uint32_t)least(d->outstanding_pkts, parts);
}

void hg_depth_released(struct hg_depth *d, uint32_t wire_bytes, uint32_t parts, hg_ns handed_ns,
		       hg_ns now_ns)
{
	struct hg_depth_sample *s = &d->now;
	hg_ns card_ns = now_ns - handed_ns;

	hg_depth_lost(d, wire_bytes, parts);
	s->released_bytes += wire_bytes;
	s->released_pkts += parts;
	if (card_ns < s->card_min_ns)
		s->card_min_ns = card_ns;
	if (card_ns > s->card_max_ns)
		s->card_max_ns = card_ns;
	if (now_ns > d->heard_at_ns)
		d->heard_at_ns = now_ns;
}

/* What is released has been sent: the wire cannot have more left than is outstanding. Where it had, it was
 * late, once for its place and again and again if R is too low. */
static void set_wire_forward(struct hg_depth *d, hg_ns now_ns)
{
	uint64_t left, early;

	if (d->wire_end_ns <= now_ns)
		return;
	left = bytes_in(d->rate_bytes_per_s, d->wire_end_ns - now_ns);
	if (left <= d->outstanding_bytes)
		return;
	early = least(left - d->outstanding_bytes, UINT32_MAX >> 1);
	d->wire_end_ns -= (hg_ns)((early * d->pace.mantissa) >> d->pace.shift);
	if (d->was_early)
		d->now.early_bytes += early;
	d->was_early = true;
}

static bool is_full(const struct hg_depth *d)
{
	return d->outstanding_bytes >= d->max_bytes || d->outstanding_pkts >= d->max_pkts;
}

static bool is_silent(const struct hg_depth *d, hg_ns now_ns)
{
	return is_full(d) && d->outstanding_pkts < SILENCE_PKTS &&
	       now_ns - d->heard_at_ns >= SILENCE_NS && now_ns - d->wire_end_ns >= SILENCE_NS;
}

static bool is_interval_over(const struct hg_depth *d, hg_ns length_ns)
{
	return length_ns >= INTERVAL_LONG_NS ||
	       (length_ns >= INTERVAL_NS && d->now.n_held >= HELD_ENOUGH);
}

bool hg_depth_settle(struct hg_depth *d, struct hg_depth_sample *ret_sample, hg_ns now_ns)
{
	struct hg_depth_sample *s = &d->now;
	hg_ns length_ns = now_ns - s->at_ns;

	set_wire_forward(d, now_ns);
	s->is_silent = is_silent(d, now_ns);
	if (s->is_silent)
		d->heard_at_ns = now_ns; /* looked at again after as long a silence, not at once */
	if (!s->is_silent && !is_interval_over(d, length_ns))
		return false;
	s->at_ns = now_ns;
	s->length_ns = length_ns;
	if (s->released_pkts == 0)
		s->card_min_ns = 0;
	*ret_sample = *s;
	decide(d, s);
	begin_interval(d, now_ns);
	return true;
}

void hg_depth_replay(struct hg_depth *d, const struct hg_depth_sample *sample)
{
	decide(d, sample);
}

hg_ns hg_depth_next_at(const struct hg_depth *d)
{
	hg_ns from_ns = d->heard_at_ns > d->wire_end_ns ? d->heard_at_ns : d->wire_end_ns;

	return is_full(d) && d->outstanding_pkts < SILENCE_PKTS ? from_ns + SILENCE_NS : HG_NEVER;
}

void hg_depth_init(struct hg_depth *d, const struct hg_depth_cfg *cfg, hg_ns now_ns)
{
	*d = (struct hg_depth){.cfg = *cfg, .wire_end_ns = now_ns, .heard_at_ns = now_ns};
	set_rate(d, cfg->bytes_per_s);
	d->less_in = d->less_every = LESS_FIRST;
	d->max_bytes = cfg->pin_bytes > 0
			       ? cfg->pin_bytes
			       : clamped_max(d, bytes_in(cfg->bytes_per_s, FIRST_NS) +
							2 * (uint64_t)cfg->largest_bytes);
	set_max_pkts(d, 64);
	set_lead(d);
	begin_interval(d, now_ns);
}

void hg_depth_configure(struct hg_depth *d, const struct hg_depth_cfg *cfg, hg_ns now_ns)
{
	bool is_new_rate = cfg->bytes_per_s != d->cfg.bytes_per_s;

	d->cfg = *cfg;
	if (is_new_rate) {
		set_rate(d, cfg->bytes_per_s);
		end_trial(d);
	}
	d->max_bytes = cfg->pin_bytes > 0 ? cfg->pin_bytes : clamped_max(d, d->max_bytes);
	set_lead(d);
	begin_interval(d, now_ns);
}
