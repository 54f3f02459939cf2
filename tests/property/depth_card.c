#include "tests/property/depth_card.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_PKTS (1u << 21) /* outstanding at most; a power of two */
#define N_REPORTS (1u << 17) /* on their way at most */
#define NEVER 1e300

struct pkt {
	double handed, end;
	uint32_t bytes;
};

struct card {
	struct card_cfg cfg;
	uint64_t random;
	double now, wire_end, report_after, last_seen;
	/* Reports on their way; packets below n_reported are in one. */
	struct report {
		double at;
		uint64_t up_to;
	} reports[N_REPORTS];
	unsigned first_report, n_reports;
	uint64_t n_handed, n_reported, n_released;
	uint64_t outstanding_bytes, most_bytes, released_bytes;
	double idle, waited, max_time;
	uint32_t next_bytes;
	enum hg_held held; /* by what, since the last hand-over */
	double root_end, wake_at; /* of the sender's wire; NEVER: it does not wait for the lead */
	double most_wait;
	double source_at, source_left; /* bytes of the burst that are not yet handed over */
	double walk, adapt_at;
	double away_from, away_to; /* the spell that is, or is next; NEVER: there is none */
	unsigned trace_at;
	struct pkt *pkts;
};

static double uniform(struct card *c)
{
	uint64_t z = (c->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* Delays of 40 reports of an interrupt handler that shares its processor, in thousandths of the largest:
 * mostly prompt, some behind another handler, a few behind a scheduler's tick. */
static const short trace[] = {30,  35,  28,  40,  31, 33, 310, 290, 36, 30, 27, 45,  33,  520,
			      480, 450, 420, 390, 60, 31, 29,  33,  38, 41, 30, 980, 900, 840,
			      700, 500, 300, 120, 44, 30, 28,  31,  36, 33, 29, 150};

static double jitter(struct card *c)
{
	double most = (double)c->cfg.jitter_ns;

	switch (c->cfg.jitter) {
	case JITTER_UNIFORM:
		return uniform(c) * most;
	case JITTER_EXPONENTIAL:
		return -log(1.0 - uniform(c)) * most / 4.0;
	case JITTER_BIMODAL:
		return uniform(c) < 1.0 / 16.0 ? most : 0.0;
	case JITTER_WALK:
		c->walk += (uniform(c) - 0.5) / 4.0;
		c->walk = fmin(fmax(c->walk, 0.0), 1.0);
		return c->walk * most;
	case JITTER_TRACE:
		return most * (double)trace[c->trace_at++ % (sizeof(trace) / sizeof(trace[0]))] /
		       1000.0;
	case JITTER_NONE:
	case N_JITTERS:
		break;
	}
	return 0.0;
}

static void choose_size(struct card *c)
{
	const struct card_cfg *f = &c->cfg;
	double at = uniform(c);

	if (f->small_of_16 > 0)
		c->next_bytes =
			at * 16.0 < (double)f->small_of_16 ? f->small_bytes : f->large_bytes;
	else
		c->next_bytes = f->small_bytes +
				(uint32_t)(at * (double)(f->large_bytes - f->small_bytes + 1));
}

static struct pkt *pkt_of(struct card *c, uint64_t number)
{
	return &c->pkts[number % N_PKTS];
}

/* When the packets that have ended are reported next. */
static double fires_at(struct card *c)
{
	double at = NEVER;

	if (c->n_reported == c->n_handed)
		return NEVER;
	if (c->cfg.tick_ns > 0) {
		double tick = (double)c->cfg.tick_ns, end = pkt_of(c, c->n_reported)->end;

		return fmax(ceil(end / tick), floor(c->report_after / tick) + 1) * tick;
	}
	if (c->n_reported + c->cfg.batch_pkts <= c->n_handed)
		at = pkt_of(c, c->n_reported + c->cfg.batch_pkts - 1)->end;
	if (c->cfg.timer_ns > 0)
		at = fmin(at, pkt_of(c, c->n_reported)->end + (double)c->cfg.timer_ns);
	return at;
}

static void fire(struct card *c, double at)
{
	double seen = at + (double)c->cfg.delay_ns + jitter(c);

	c->report_after = at;
	while (c->n_reported < c->n_handed && pkt_of(c, c->n_reported)->end <= at)
		c->n_reported++;
	if (c->cfg.look_ns > 0)
		seen += uniform(c) * (double)c->cfg.look_ns;
	seen = fmax(seen, c->last_seen);
	c->last_seen = seen;
	if (c->n_reports == N_REPORTS)
		abort();
	c->reports[(c->first_report + c->n_reports++) % N_REPORTS] =
		(struct report){.at = seen, .up_to = c->n_reported};
}

static bool has_other(const struct card *c, double at)
{
	const struct card_cfg *f = &c->cfg;

	return f->other_for_ns == 0 ||
	       (at >= (double)f->other_at_ns && at < (double)(f->other_at_ns + f->other_for_ns));
}

static double told_gap(const struct card *c)
{
	return 1e9 /
	       (double)(c->cfg.told_bytes_per_s > 0 ? c->cfg.told_bytes_per_s : c->cfg.bytes_per_s);
}

/* When the lead lets a packet go. */
static double open_at(const struct card *c, const struct card_rule *rule)
{
	hg_ns lead_ns = rule->lead_ns != NULL ? rule->lead_ns(rule->state) : HG_NEVER;

	return lead_ns == HG_NEVER ? 0.0 : c->root_end - (double)lead_ns;
}

static void hand_over(struct card *c, const struct card_rule *rule)
{
	double gap = 1e9 / (double)c->cfg.bytes_per_s, start = fmax(c->now, c->wire_end);
	double stall = (double)c->cfg.stall_at_ns;
	struct pkt *p = pkt_of(c, c->n_handed++);

	if (c->held != HG_HELD_NOT && c->now > c->wire_end)
		c->idle += c->now - c->wire_end;
	c->most_wait = fmax(c->most_wait, start - fmax(c->now, c->root_end));
	c->root_end = fmax(c->root_end, c->now) + told_gap(c) * c->next_bytes;
	if (c->cfg.stall_for_ns > 0 && start >= stall &&
	    start < stall + (double)c->cfg.stall_for_ns)
		start = stall + (double)c->cfg.stall_for_ns;
	*p = (struct pkt){
		.handed = c->now, .end = start + gap * c->next_bytes, .bytes = c->next_bytes};
	c->wire_end = p->end + (has_other(c, c->now) ? gap * c->cfg.other_bytes : 0.0);
	c->outstanding_bytes += p->bytes;
	if (c->outstanding_bytes > c->most_bytes)
		c->most_bytes = c->outstanding_bytes;
	if (rule->handed != NULL)
		rule->handed(rule->state, p->bytes, c->held, (hg_ns)c->now);
	c->held = HG_HELD_NOT;
	c->source_left -= p->bytes;
	choose_size(c);
}

static void send(struct card *c, const struct card_rule *rule)
{
	uint32_t max_pkts = rule->max_pkts != NULL ? rule->max_pkts(rule->state) : UINT32_MAX;

	c->wake_at = NEVER;
	while (c->cfg.on_ns == 0 || c->source_left > 0) {
		double open = open_at(c, rule);

		if (open > c->now) {
			if (c->held == HG_HELD_NOT)
				c->held = HG_HELD_LEAD;
			c->wake_at = open + uniform(c) * (double)c->cfg.late_ns;
			return;
		}
		if (c->outstanding_bytes >= rule->max_bytes(rule->state) ||
		    c->n_handed - c->n_released >= max_pkts ||
		    c->n_handed - c->n_released >= N_PKTS - 1) {
			c->held = HG_HELD_MAX;
			return;
		}
		hand_over(c, rule);
	}
	c->held = HG_HELD_NOT;
}

static void release(struct card *c, const struct card_rule *rule, uint64_t up_to)
{
	for (; c->n_released < up_to; c->n_released++) {
		struct pkt *p = pkt_of(c, c->n_released);

		c->outstanding_bytes -= p->bytes;
		c->released_bytes += p->bytes;
		if (rule->released != NULL)
			rule->released(rule->state, p->bytes, (hg_ns)p->handed, (hg_ns)c->now);
	}
}

/* Moderation that goes from one profile to the next, as it finds traffic better or worse. */
static void adapt(struct card *c)
{
	static const struct {
		uint32_t batch;
		hg_ns timer_ns;
	} profiles[] = {{1, 1000}, {8, 8000}, {32, 16000}, {64, 32000}, {128, 64000}};
	unsigned at = (unsigned)(uniform(c) * 5.0);

	c->cfg.batch_pkts = profiles[at].batch;
	c->cfg.timer_ns = profiles[at].timer_ns;
	c->adapt_at = c->now + (double)c->cfg.adapt_ns * (0.5 + uniform(c));
}

/* The next time that the sender is away begins after the last one. */
static void go_away(struct card *c)
{
	const struct card_cfg *f = &c->cfg;
	bool is_long = uniform(c) * 16.0 < (double)f->away_long_of_16;
	double gap = -log(1.0 - uniform(c)) * (double)f->away_every_ns;

	c->away_from = c->now + gap;
	c->away_to =
		c->away_from + (0.5 + uniform(c)) * (double)f->away_for_ns * (is_long ? 4.0 : 1.0);
}

/* Whoever is away comes back at the end of it, whatever there was to do. */
static double there_at(const struct card *c, double at)
{
	return at < c->away_from ? at : fmax(c->away_to, c->now);
}

static void step(struct card *c, const struct card_rule *rule, double until)
{
	double fires = fires_at(c),
	       seen = c->n_reports > 0 ? fmax(c->reports[c->first_report].at, c->now) : NEVER;
	double source = c->cfg.on_ns > 0 ? fmax(c->source_at, c->now) : NEVER, next, due = NEVER;
	double wanted, there;
	bool was_away;

	if (rule->next_at != NULL && rule->next_at(rule->state) != HG_NEVER)
		due = fmax((double)rule->next_at(rule->state), c->now);
	wanted = fmin(fmin(seen, source), fmin(due, fmax(c->wake_at, c->now)));
	there = there_at(c, wanted);
	next = fmin(fmin(fires, there), until);
	c->max_time += (next - c->now) * (double)rule->max_bytes(rule->state);
	if (c->held != HG_HELD_NOT)
		c->waited += next - c->now;
	c->now = next;
	if (c->cfg.adapt_ns > 0 && c->now >= c->adapt_at)
		adapt(c);
	if (next == fires) {
		fire(c, next);
		return;
	}
	if (c->now >= c->away_from && c->now < c->away_to)
		return;
	was_away = there > wanted && c->now >= c->away_to;
	if (was_away && rule->was_away != NULL)
		rule->was_away(rule->state, (hg_ns)wanted, (hg_ns)c->now);
	if (c->now >= c->away_to)
		go_away(c);
	if (next >= source) {
		c->source_left = (double)c->cfg.on_ns * (double)c->cfg.bytes_per_s / 1e9;
		c->source_at = next + (double)c->cfg.off_ns + (double)c->cfg.on_ns;
	}
	/* Who was away sees all of them at once. */
	for (bool more = seen <= next; more;
	     more = was_away && c->n_reports > 0 && c->reports[c->first_report].at <= next) {
		release(c, rule, c->reports[c->first_report].up_to);
		c->first_report = (c->first_report + 1) % N_REPORTS;
		c->n_reports--;
	}
	if (rule->settled != NULL)
		rule->settled(rule->state, (hg_ns)c->now);
	send(c, rule);
}

struct card *card_create(const struct card_cfg *cfg, uint64_t seed)
{
	struct card *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->pkts = calloc(N_PKTS, sizeof(*c->pkts))) == NULL)
		abort();
	c->random = seed;
	c->wake_at = NEVER;
	c->away_from = c->away_to = NEVER;
	card_change(c, cfg);
	return c;
}

void card_destroy(struct card *card)
{
	free(card->pkts);
	free(card);
}

void card_change(struct card *c, const struct card_cfg *cfg)
{
	c->cfg = *cfg;
	if (cfg->away_every_ns > 0)
		go_away(c);
	else
		c->away_from = c->away_to = NEVER;
	choose_size(c);
	if (cfg->adapt_ns > 0)
		adapt(c);
	c->source_at = c->now;
}

struct card_result card_run(struct card *c, const struct card_rule *rule, hg_ns until_ns)
{
	double from = c->now;
	struct card_result result = {0};

	c->idle = c->waited = c->max_time = c->most_wait = 0.0;
	c->released_bytes = c->most_bytes = 0;
	send(c, rule);
	while (c->now < (double)until_ns)
		step(c, rule, (double)until_ns);
	/* What is idle at the end, and would be counted with the next packet. */
	if (c->held != HG_HELD_NOT && c->now > c->wire_end)
		c->idle += fmin(c->now - c->wire_end, c->now - from);
	result.use = c->waited > 0.0 ? 1.0 - fmin(c->idle / c->waited, 1.0) : 1.0;
	result.mean_max_bytes = c->max_time / (c->now - from);
	result.most_bytes = c->most_bytes;
	result.most_wait_ns = (hg_ns)c->most_wait;
	result.released_bytes = c->released_bytes;
	return result;
}

/* ---- rules -------------------------------------------------------------------------------------- */

static uint64_t depth_max_bytes(void *state)
{
	return hg_depth_max_bytes(&((struct card_depth *)state)->depth);
}
static uint32_t depth_max_pkts(void *state)
{
	return hg_depth_max_pkts(&((struct card_depth *)state)->depth);
}
static hg_ns depth_lead_ns(void *state)
{
	return hg_depth_lead_ns(&((struct card_depth *)state)->depth);
}
static void depth_handed(void *state, uint32_t bytes, enum hg_held held, hg_ns now_ns)
{
	hg_depth_handed(&((struct card_depth *)state)->depth, bytes, 1, held, now_ns);
}
static void depth_released(void *state, uint32_t bytes, hg_ns handed_ns, hg_ns now_ns)
{
	hg_depth_released(&((struct card_depth *)state)->depth, bytes, 1, handed_ns, now_ns);
}
static void depth_settled(void *state, hg_ns now_ns)
{
	struct card_depth *d = state;

	if (!hg_depth_settle(&d->depth, &d->last, now_ns))
		return;
	if (d->samples != NULL && d->n_samples < d->max_samples) {
		d->samples[d->n_samples] = d->last;
		d->after_max_bytes[d->n_samples] = hg_depth_max_bytes(&d->depth);
	}
	d->n_samples++;
}
static hg_ns depth_next_at(void *state)
{
	return hg_depth_next_at(&((struct card_depth *)state)->depth);
}
static void depth_was_away(void *state, hg_ns from_ns, hg_ns now_ns)
{
	hg_depth_was_away(&((struct card_depth *)state)->depth, from_ns, now_ns);
}

struct card_rule card_depth_rule(struct card_depth *d)
{
	return (struct card_rule){d,
				  depth_max_bytes,
				  depth_max_pkts,
				  depth_lead_ns,
				  depth_handed,
				  depth_released,
				  depth_settled,
				  depth_next_at,
				  depth_was_away};
}

static uint64_t pinned_max_bytes(void *state)
{
	return *(uint64_t *)state;
}

struct card_rule card_pinned_rule(uint64_t *max_bytes)
{
	return (struct card_rule){.state = max_bytes, .max_bytes = pinned_max_bytes};
}

uint64_t card_least(const struct card_cfg *cfg, uint64_t seed, double use, hg_ns for_ns)
{
	uint64_t low = 1, high = HG_DEPTH_MAX_BYTES / 4, middle;
	struct card_rule rule = card_pinned_rule(&middle);

	while (high - low > 16 + low / 100) {
		struct card *card;

		middle = high / low >= 4 ? (uint64_t)sqrt((double)low * (double)high)
					 : (low + high) / 2;
		card = card_create(cfg, seed);
		card_run(card, &rule, for_ns / 4);
		if (card_run(card, &rule, for_ns).use >= use)
			high = middle;
		else
			low = middle;
		card_destroy(card);
	}
	return high;
}
