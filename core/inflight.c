#include "core/inflight.h"

#include "core/belief.h"
#include "core/published.h"
#include "core/window_impl.h"

#include <string.h>

/* A silence shorter than this may be the host's own: a thread that was not run. */
#define SILENT_MIN_NS (100 * HG_NS_PER_MS)
/* An epoch is several silences, so that a card which stands still is called silent, and not a thief. */
#define EPOCH_MIN_NS (250 * HG_NS_PER_MS)
/* So many times longer than the link needs for all that it has. */
#define PATIENCE 8u
/* Beyond this many bytes patience grows no more: 21 ms at 100 Gbit/s, so the minima hold there. */
#define PATIENCE_MAX_BYTES (UINT64_C(1) << 28)
/* A card that refuses with fewer packets than this in it is not full but in trouble. */
#define RING_MIN_PKTS 32u

#define SAMPLE_WORDS (sizeof(struct hg_depth_sample) / sizeof(uint64_t))
#define STATS_WORDS (offsetof(struct hg_inflight_stats, card) / sizeof(uint64_t))

_Static_assert(sizeof(struct hg_depth_sample) % sizeof(uint64_t) == 0, "published by the word");
_Static_assert(offsetof(struct hg_inflight_stats, card) % sizeof(uint64_t) == 0, "likewise");

struct slot { /* one sample of the depth */
	_Atomic uint64_t sequence; /* twice the times that the slot was written */
	_Atomic uint64_t words[SAMPLE_WORDS];
};

struct hg_inflight {
	struct hg_inflight_cfg cfg;
	struct hg_window *window;
	struct hg_histogram *cards; /* time in the card, of each instance */
	struct slot *slots;
	struct hg_depth depth;
	struct hg_belief belief;

	hg_ns quiet_since_ns; /* the card had something and released nothing; HG_NEVER: it had nothing */
	hg_ns epoch_at_ns, last_epoch_at_ns; /* when this epoch began, and the one before */
	/* What was outstanding when each of them began: what came since must not stretch them, or a card
	 * that goes on taking would never be called silent. */
	uint64_t quiet_bytes, epoch_bytes;
	hg_ns advanced_at_ns;
	bool is_sweeping; /* rows that count what was lost are still to be found */
	bool was_paced; /* as the caller was told */

	struct hg_inflight_stats stats; /* without card, and without what window and depth know */
	struct hg_histogram card;

	_Atomic uint64_t n_samples;
	_Atomic uint64_t sequence; /* of words */
	_Atomic uint64_t words[STATS_WORDS]; /* the stats, for other threads */
	atomic_bool was_read; /* the peak starts anew */
	uint64_t peak_bytes;
};

/* ---- names -------------------------------------------------------------------------------------- */

const char *hg_hook_state_name(enum hg_hook_state state)
{
	static const char *const names[] = {
#define X(id, name, text) name,
		HG_HOOK_STATES(X)
#undef X
	};

	return (unsigned)state < HG_N_HOOK_STATES ? names[state] : "?";
}

const char *hg_hook_state_text(enum hg_hook_state state)
{
	static const char *const texts[] = {
#define X(id, name, text) text,
		HG_HOOK_STATES(X)
#undef X
	};

	return (unsigned)state < HG_N_HOOK_STATES ? texts[state] : "?";
}

/* ---- what is published -------------------------------------------------------------------------- */

void hg_inflight_publish(struct hg_inflight *q)
{
	struct hg_inflight_stats *s = &q->stats;

	hg_window_sample(q->window, &s->window);
	if (atomic_load_explicit(&q->was_read, memory_order_relaxed)) {
		atomic_store_explicit(&q->was_read, false, memory_order_relaxed);
		q->peak_bytes = 0;
	}
	if (s->window.peak_bytes > q->peak_bytes)
		q->peak_bytes = s->window.peak_bytes;
	s->window.peak_bytes = q->peak_bytes;
	s->rate_bytes_per_s = hg_depth_rate(&q->depth);
	s->away_lead_ns = s->state == HG_HOOK_ON ? hg_depth_away_lead_ns(&q->depth) : 0;
	s->n_samples = atomic_load_explicit(&q->n_samples, memory_order_relaxed);
	hg_published_write(&q->sequence, q->words, s, STATS_WORDS);
}

void hg_inflight_sample(struct hg_inflight *q, struct hg_inflight_stats *ret_stats)
{
	while (hg_published_read(&q->sequence, q->words, ret_stats, STATS_WORDS) == 0)
		;
	hg_histogram_read(&q->card, &ret_stats->card);
	atomic_store_explicit(&q->was_read, true, memory_order_relaxed);
}

const struct hg_histogram *hg_inflight_card(const struct hg_inflight *q, uint32_t instance_idx)
{
	return &q->cards[instance_idx];
}

void hg_inflight_restore_card(struct hg_inflight *q, uint32_t instance_idx,
			      const struct hg_histogram *card)
{
	q->cards[instance_idx] = *card;
}

/* How well the link was used while something waited, and why not better. */
static void sum_up(struct hg_inflight_stats *stats, const struct hg_depth_sample *s)
{
	uint64_t beyond_bytes = 0;

	for (unsigned i = 0; i < HG_DEPTH_LATES && s->late_ns[i] > HG_DEPTH_AWAY_LEAD_MAX_NS; i++)
		beyond_bytes += (uint64_t)(s->late_ns[i] - HG_DEPTH_AWAY_LEAD_MAX_NS) / 1000u *
				(s->rate_bytes_per_s / 1000u) / 1000u;
	stats->work_bytes += s->busy_bytes;
	stats->dry_late_bytes += s->late_bytes;
	stats->dry_beyond_bytes += beyond_bytes < s->late_bytes ? beyond_bytes : s->late_bytes;
	stats->dry_full_bytes += s->lost_bytes;
}

static void keep_sample(struct hg_inflight *q, const struct hg_depth_sample *sample)
{
	uint64_t number = atomic_load_explicit(&q->n_samples, memory_order_relaxed);
	struct slot *slot = &q->slots[number % HG_INFLIGHT_SAMPLES];

	sum_up(&q->stats, sample);
	hg_published_write(&slot->sequence, slot->words, sample, SAMPLE_WORDS);
	atomic_store_explicit(&q->n_samples, number + 1u, memory_order_release);
}

bool hg_inflight_depth_sample(const struct hg_inflight *q, uint64_t number,
			      struct hg_depth_sample *ret_sample)
{
	const struct slot *slot = &q->slots[number % HG_INFLIGHT_SAMPLES];
	/* The slot is written once a round; this number's is the one after so many. */
	uint64_t sequence = 2u * (number / HG_INFLIGHT_SAMPLES + 1u);
	struct hg_depth_sample sample;

	if (hg_published_read(&slot->sequence, slot->words, &sample, SAMPLE_WORDS) != sequence)
		return false;
	*ret_sample = sample;
	return true;
}

/* ---- states ------------------------------------------------------------------------------------- */

static bool is_outstanding(const struct hg_inflight *q)
{
	return window_pkts(&q->window->out) > 0;
}

/* MAX binds only while releases can be believed. */
static inline void bound(struct hg_inflight *q)
{
	uint64_t max_bytes = hg_depth_max_bytes(&q->depth);
	uint32_t max_pkts = hg_depth_max_pkts(&q->depth), ring_pkts = q->cfg.depth.ring_pkts;

	if (ring_pkts != 0 && max_pkts > ring_pkts)
		max_pkts = ring_pkts; /* at once; the depth comes to it with its next sample */
	if (q->stats.state != HG_HOOK_ON)
		max_bytes = max_pkts = 0;
	if (max_bytes != q->window->max_bytes || max_pkts != q->window->max_pkts)
		hg_window_set_max(q->window, max_bytes, max_pkts);
}

static HG_NOINLINE void set_state(struct hg_inflight *q, enum hg_hook_state state, hg_ns now_ns)
{
	if (state == q->stats.state)
		return;
	/* Each time makes the next belief dearer: a driver that copies looks possible while it has little
	 * to do. */
	if (state == HG_HOOK_EARLY && q->belief.n_errors < HG_BELIEF_MAX_ERRORS)
		q->belief.n_errors++;
	hg_belief_restart(&q->belief);
	q->stats.state = state;
	q->stats.state_since_ns = now_ns;
	q->stats.n_state_changes++;
	hg_window_set_counting(q->window, state != HG_HOOK_OFF);
	bound(q);
}

/* From evidence alone. */
static inline void judge(struct hg_inflight *q, hg_ns now_ns)
{
	if (q->stats.state == HG_HOOK_OFF)
		return;
	if (hg_belief_is_early(&q->belief)) {
		if (q->stats.state == HG_HOOK_EARLY)
			hg_belief_restart(&q->belief);
		set_state(q, HG_HOOK_EARLY, now_ns);
	} else if (q->stats.state != HG_HOOK_ON && hg_belief_is_earned(&q->belief)) {
		set_state(q, HG_HOOK_ON, now_ns);
	}
}

static void begin_quiet(struct hg_inflight *q, hg_ns now_ns)
{
	q->quiet_since_ns = now_ns;
	q->quiet_bytes = window_bytes(&q->window->out);
}

static void begin_epoch(struct hg_inflight *q, hg_ns now_ns)
{
	q->last_epoch_at_ns = q->epoch_at_ns;
	q->epoch_at_ns = now_ns;
	q->epoch_bytes = hg_window_outstanding_bytes(q->window);
	if (!is_outstanding(q))
		q->quiet_since_ns = HG_NEVER;
}

static void write_off(struct hg_inflight *q, hg_ns now_ns)
{
	uint32_t lost_pkts;
	uint64_t lost_bytes = hg_window_write_off(q->window, &lost_pkts);

	hg_depth_lost(&q->depth, lost_bytes, lost_pkts);
	q->is_sweeping = true;
	q->epoch_at_ns = now_ns;
	begin_epoch(q, now_ns);
}

static void next_epoch(struct hg_inflight *q, hg_ns now_ns)
{
	uint32_t lost_pkts;
	uint64_t lost_bytes = hg_window_next_epoch(q->window, &lost_pkts);

	hg_depth_lost(&q->depth, lost_bytes, lost_pkts);
	q->is_sweeping |= lost_pkts > 0;
	begin_epoch(q, now_ns);
}

/* How long the link may need, at the very most, for so much and MAX. */
static hg_ns patience(const struct hg_inflight *q, uint64_t bytes, hg_ns at_least_ns)
{
	hg_ns ns;

	bytes += hg_depth_max_bytes(&q->depth) + q->cfg.depth.largest_bytes;
	if (bytes > PATIENCE_MAX_BYTES)
		bytes = PATIENCE_MAX_BYTES;
	ns = hg_belief_wire_ns(&q->belief, PATIENCE * bytes);
	return ns > at_least_ns ? ns : at_least_ns;
}

static hg_ns silent_at(const struct hg_inflight *q)
{
	if (q->quiet_since_ns == HG_NEVER)
		return HG_NEVER;
	return q->quiet_since_ns + patience(q, q->quiet_bytes, SILENT_MIN_NS);
}

static hg_ns next_epoch_at(const struct hg_inflight *q)
{
	return q->epoch_at_ns + patience(q, q->epoch_bytes, EPOCH_MIN_NS);
}

/* ---- life --------------------------------------------------------------------------------------- */

static size_t lines(size_t n, size_t size)
{
	return (n * size + HG_CACHE_LINE_BYTES - 1u) & ~(size_t)(HG_CACHE_LINE_BYTES - 1u);
}

size_t hg_inflight_size(const struct hg_inflight_cfg *cfg)
{
	return lines(1, sizeof(struct hg_inflight)) +
	       lines(HG_INFLIGHT_SAMPLES, sizeof(struct slot)) +
	       lines(1, hg_window_size(cfg->max_tenants, cfg->max_instances)) +
	       lines(cfg->max_instances, sizeof(struct hg_histogram));
}

struct hg_inflight *hg_inflight_init(void *memory, const struct hg_inflight_cfg *cfg, hg_ns now_ns)
{
	struct hg_inflight *q = memory;
	char *at = memory;

	at += lines(1, sizeof(*q));
	q->slots = (struct slot *)(void *)at;
	at += lines(HG_INFLIGHT_SAMPLES, sizeof(struct slot));
	q->window = hg_window_init(at, cfg->max_tenants, cfg->max_instances);
	at += lines(1, hg_window_size(cfg->max_tenants, cfg->max_instances));
	q->cards = (struct hg_histogram *)(void *)at;

	q->cfg = *cfg;
	q->quiet_since_ns = HG_NEVER;
	q->epoch_at_ns = now_ns;
	q->last_epoch_at_ns = now_ns;
	q->stats.state = cfg->is_on ? HG_HOOK_LEARNING : HG_HOOK_OFF;
	q->stats.state_since_ns = now_ns;
	q->was_paced = true;
	hg_depth_init(&q->depth, &cfg->depth, now_ns);
	hg_belief_init(&q->belief, cfg->depth.bytes_per_s);
	hg_window_set_link(q->window, cfg->depth.bytes_per_s, cfg->depth.largest_bytes);
	hg_window_set_counting(q->window, cfg->is_on);
	hg_inflight_publish(q);
	return q;
}

void hg_inflight_configure(struct hg_inflight *q, const struct hg_inflight_cfg *cfg, hg_ns now_ns)
{
	bool is_same_rate = cfg->depth.bytes_per_s == q->cfg.depth.bytes_per_s;

	q->cfg.depth = cfg->depth;
	q->cfg.is_on = cfg->is_on;
	hg_depth_configure(&q->depth, &cfg->depth, now_ns);
	hg_window_set_link(q->window, cfg->depth.bytes_per_s, cfg->depth.largest_bytes);
	if (!is_same_rate) /* what was believed was so of another link */
		hg_belief_init(&q->belief, cfg->depth.bytes_per_s);
	if (!cfg->is_on)
		set_state(q, HG_HOOK_OFF, now_ns);
	else if (q->stats.state == HG_HOOK_OFF)
		set_state(q, HG_HOOK_LEARNING, now_ns);
	bound(q);
	hg_inflight_publish(q);
}

void hg_inflight_reset(struct hg_inflight *q, hg_ns now_ns)
{
	write_off(q, now_ns);
	hg_depth_init(&q->depth, &q->cfg.depth, now_ns);
	hg_belief_init(&q->belief, q->cfg.depth.bytes_per_s);
	if (q->cfg.is_on)
		set_state(q, HG_HOOK_LEARNING, now_ns);
	hg_inflight_publish(q);
}

struct hg_window *hg_inflight_window(struct hg_inflight *q)
{
	return q->window;
}

void hg_inflight_remove_instance(struct hg_inflight *q, uint32_t instance_idx)
{
	hg_window_remove_instance(q->window, instance_idx);
	q->cards[instance_idx] = (struct hg_histogram){0};
}

/* ---- packets ------------------------------------------------------------------------------------ */

static bool is_off(const struct hg_inflight *q)
{
	return q->stats.state == HG_HOOK_OFF;
}

/* In pieces, each of them stored once: as a whole it would be made elsewhere and copied. */
static inline void write_tag(const struct hg_inflight *q, uint32_t instance_idx, uint32_t load,
			     struct hg_tag *ret_tag)
{
	ret_tag->load = load;
	ret_tag->handed_ns = 0;
	ret_tag->instance_idx = instance_idx;
	ret_tag->generation = q->window->rows[instance_idx].generation;
	ret_tag->epoch = (uint8_t)q->window->epoch;
	ret_tag->queue = (uint8_t)(q->cfg.queue + 1u);
}

struct hg_tag hg_inflight_tag(struct hg_inflight *q, uint32_t instance_idx, uint32_t load)
{
	struct hg_tag tag = {0};

	if (!is_off(q))
		write_tag(q, instance_idx, load, &tag);
	return tag;
}

bool hg_inflight_put_tag(struct hg_inflight *q, uint32_t instance_idx, uint32_t load,
			 struct hg_tag *ret_tag)
{
	if (is_off(q))
		return false;
	write_tag(q, instance_idx, load, ret_tag);
	return true;
}

unsigned hg_inflight_tag_runs(struct hg_inflight *q, const struct hg_sched_item *items,
			      const struct hg_sched_runs *runs, size_t tag_at)
{
	const struct hg_sched_run *run = runs->list, *end = run + runs->n;

	if (is_off(q))
		return 0;
	for (; run < end; run++) {
		const struct hg_sched_item *last = items + run->n - 1u;

		write_tag(q, last->instance_idx, hg_load(run->bytes, run->parts),
			  (struct hg_tag *)(void *)((char *)last->pkt + tag_at));
		items += run->n;
	}
	return runs->n;
}

struct hg_tag hg_inflight_take(struct hg_inflight *q, uint32_t instance_idx, uint32_t load)
{
	hg_window_take(q->window, instance_idx, hg_load_bytes(load), hg_load_parts(load));
	return hg_inflight_tag(q, instance_idx, load);
}

static inline void hand(struct hg_inflight *q, struct hg_inflight_sum sum, enum hg_held held,
			hg_ns now_ns)
{
	hg_depth_handed(&q->depth, sum.bytes, sum.parts, held, now_ns);
	if (q->quiet_since_ns == HG_NEVER)
		begin_quiet(q, now_ns);
}

bool hg_inflight_handed(struct hg_inflight *q, struct hg_inflight_sum sum, enum hg_held held,
			hg_ns now_ns)
{
	if (sum.bytes == 0)
		return false;
	hand(q, sum, held, now_ns);
	return true;
}

bool hg_inflight_send(struct hg_inflight *q, uint32_t instance_idx, struct hg_inflight_sum sum,
		      enum hg_held held, hg_ns now_ns, struct hg_tag *ret_tag)
{
	if (is_off(q))
		return false;
	write_tag(q, instance_idx, hg_load(sum.bytes, sum.parts), ret_tag);
	ret_tag->handed_ns = now_ns > 0 ? now_ns : 1;
	hand(q, sum, held, now_ns);
	return true;
}

void hg_inflight_hand(struct hg_inflight *q, struct hg_tag *tag, enum hg_held held, hg_ns now_ns)
{
	struct hg_inflight_sum sum = {0};

	hg_inflight_add(&sum, tag, now_ns);
	(void)hg_inflight_handed(q, sum, held, now_ns);
}

void hg_inflight_unhand(struct hg_inflight *q, struct hg_tag *tag, hg_ns now_ns)
{
	(void)now_ns;
	if (tag->handed_ns == 0)
		return;
	tag->handed_ns = 0;
	hg_depth_lost(&q->depth, hg_load_bytes(tag->load), hg_load_parts(tag->load));
}

void hg_inflight_refused(struct hg_inflight *q, uint32_t n_pkts, hg_ns now_ns)
{
	uint32_t out_pkts = hg_window_outstanding_pkts(q->window);
	uint32_t ring_pkts = out_pkts > n_pkts ? out_pkts - n_pkts : 0;
	struct hg_depth_cfg depth = q->cfg.depth;

	q->stats.refused_pkts += n_pkts;
	if (q->stats.state != HG_HOOK_ON || ring_pkts < RING_MIN_PKTS)
		return;
	if (depth.ring_pkts != 0 && ring_pkts >= depth.ring_pkts)
		return;
	/* It took so many and no more. Known until it is configured anew. */
	q->cfg.depth.ring_pkts = ring_pkts;
	hg_depth_configure(&q->depth, &q->cfg.depth, now_ns);
	bound(q);
}

void hg_inflight_was_away(struct hg_inflight *q, hg_ns from_ns, hg_ns now_ns)
{
	hg_depth_was_away(&q->depth, from_ns, now_ns);
}

/* Releases of one account that count as handed over in one instant. */
struct run {
	uint32_t n, bytes, parts;
};

static inline void add_to_run(struct run *run, const struct hg_tag *tag)
{
	run->n++;
	run->bytes += hg_load_bytes(tag->load);
	run->parts += hg_load_parts(tag->load);
}

/* Instance, generation, epoch and queue, to be compared. */
static inline uint64_t account_of(const struct hg_tag *tag)
{
	uint64_t word;

	_Static_assert(sizeof(*tag) == offsetof(struct hg_tag, instance_idx) + sizeof(word),
		       "they are one word");
	memcpy(&word, (const char *)tag + offsetof(struct hg_tag, instance_idx), sizeof(word));
	return word;
}

/* At most HG_INFLIGHT_RUN_MAX / 2. */
static inline struct run find_run(const struct hg_tag *tags, unsigned n)
{
	const unsigned n_most = n < HG_INFLIGHT_RUN_MAX / 2u ? n : HG_INFLIGHT_RUN_MAX / 2u;
	const uint64_t account = account_of(tags);
	struct run run = {0};

	do {
		add_to_run(&run, &tags[run.n]);
	} while (run.n < n_most && tags[run.n].handed_ns == tags[0].handed_ns &&
		 account_of(&tags[run.n]) == account);
	return run;
}

static inline bool give(struct hg_inflight *q, const struct hg_tag *tag, uint32_t bytes,
			uint32_t parts)
{
	return window_give(q->window, tag->instance_idx, tag->generation, tag->epoch, bytes, parts);
}

/* By its time, since the epoch's number comes again. */
static inline bool is_too_old(const struct hg_inflight *q, const struct hg_tag *tag)
{
	return tag->handed_ns != 0 && tag->handed_ns < q->last_epoch_at_ns;
}

/* Of a run that begins with `first`. */
static inline bool is_like(const struct hg_tag *first, const struct hg_tag *tag)
{
	return account_of(tag) == account_of(first) &&
	       (tag->handed_ns == 0) == (first->handed_ns == 0);
}

/* More was released than is outstanding: some came before, or were written off. Those are added to `late`. The first of n
 * that are alike, with others between them. */
static HG_NOINLINE void settle_late(struct hg_inflight *q, const struct hg_tag *first, uint32_t n,
				    struct run *late)
{
	for (const struct hg_tag *tag = first; n > 0; tag++) {
		uint32_t bytes = hg_load_bytes(tag->load), parts = hg_load_parts(tag->load);

		if (!is_like(first, tag))
			continue;
		n--;
		if (!is_too_old(q, tag) && give(q, tag, bytes, parts))
			continue;
		q->stats.late_pkts += parts;
		late->bytes += bytes;
		late->parts += parts;
	}
}

/* What releases say about the card, whosever they are by now: those of packets that were handed over in one instant,
 * as the packets of a burst are, say it once. */
static inline void learn(struct hg_inflight *q, const struct run *all, const struct run *late,
			 hg_ns handed_ns, hg_ns now_ns)
{
	if (HG_UNLIKELY(handed_ns == 0)) {
		q->stats.never_handed_pkts += all->parts - late->parts;
		return;
	}
	hg_belief_released(&q->belief, all->bytes, all->n, handed_ns, now_ns);
	hg_histogram_add(&q->card, now_ns - handed_ns, all->parts);
	if (HG_LIKELY(all->parts > late->parts))
		hg_depth_released(&q->depth, all->bytes - late->bytes, all->parts - late->parts,
				  handed_ns, now_ns);
}

/* Of one account: time in the card, and what it gives back. The first is the oldest. */
static inline void settle_run(struct hg_inflight *q, const struct hg_tag *tag, struct run run,
			      struct run *late, hg_ns handed_ns, hg_ns now_ns)
{
	if (HG_LIKELY(handed_ns != 0) &&
	    q->window->rows[tag->instance_idx].generation == tag->generation)
		hg_histogram_add(&q->cards[tag->instance_idx], now_ns - handed_ns, run.parts);
	if (HG_UNLIKELY(is_too_old(q, tag) || !give(q, tag, run.bytes, run.parts)))
		settle_late(q, tag, run.n, late);
}

/* Settles what was handed over in the same instant as the first, which has a queue, and begins with the run `first`.
 * Returns how many tags that are. */
static HG_NOINLINE unsigned settle_burst(struct hg_inflight *q, const struct hg_tag *tags,
					 unsigned n, struct run first, hg_ns now_ns)
{
	const hg_ns handed_ns = tags[0].handed_ns;
	struct run run = first, all = {0}, late = {0};
	unsigned i = 0;

	for (;;) {
		settle_run(q, &tags[i], run, &late, handed_ns, now_ns);
		all.n += run.n;
		all.bytes += run.bytes;
		all.parts += run.parts;
		i += run.n;
		while (i < n && tags[i].queue == 0)
			i++;
		if (i == n || tags[i].handed_ns != handed_ns || all.n > HG_INFLIGHT_RUN_MAX / 2u)
			break;
		run = find_run(&tags[i], n - i);
	}
	learn(q, &all, &late, handed_ns, now_ns);
	return i;
}

/* From when on the card is quiet, after a settlement. */
static void note_quiet(struct hg_inflight *q, bool was_any_handed, hg_ns now_ns)
{
	if (!is_outstanding(q))
		q->quiet_since_ns = HG_NEVER;
	else if (was_any_handed)
		begin_quiet(q, now_ns);
}

void hg_inflight_settle(struct hg_inflight *q, const struct hg_tag *tags, unsigned n, hg_ns now_ns)
{
	bool was_any_handed = false;

	for (unsigned i = 0; i < n;) {
		struct run run, late = {0};

		if (tags[i].queue == 0) {
			i++;
			continue;
		}
		was_any_handed |= tags[i].handed_ns != 0;
		run = find_run(&tags[i], n - i);
		if (i + run.n < n) {
			i += settle_burst(q, &tags[i], n - i, run, now_ns);
			continue;
		}
		/* Nothing else: what one instance alone sends. */
		settle_run(q, &tags[i], run, &late, tags[i].handed_ns, now_ns);
		learn(q, &run, &late, tags[i].handed_ns, now_ns);
		break;
	}
	note_quiet(q, was_any_handed, now_ns);
}

/* ---- several bursts at once --------------------------------------------------------------------- */

/* Those who send by turns come back by turns: so many accounts are added up at a time, each in the place that its
 * instance has. */
#define SUMS 16u

struct sums {
	uint64_t accounts[SUMS]; /* 0: none */
	struct run runs[SUMS];
	const struct hg_tag *firsts[SUMS];
	struct run all, late; /* of what is settled */
};

static inline void settle_sum(struct hg_inflight *q, struct sums *sums, unsigned place,
			      hg_ns handed_ns, hg_ns now_ns)
{
	const struct run *run = &sums->runs[place];

	settle_run(q, sums->firsts[place], *run, &sums->late, handed_ns, now_ns);
	sums->all.n += run->n;
	sums->all.bytes += run->bytes;
	sums->all.parts += run->parts;
}

/* What did not reach the card, or has no queue. */
static HG_NOINLINE void settle_unhanded(struct hg_inflight *q, const struct hg_tag *tag,
					hg_ns now_ns)
{
	struct run run = {0}, late = {0};

	if (tag->queue == 0)
		return;
	add_to_run(&run, tag);
	settle_run(q, tag, run, &late, 0, now_ns);
	learn(q, &run, &late, 0, now_ns);
}

/* At most HG_INFLIGHT_RUN_MAX / 2, all as if handed over at handed_ns. */
static void settle_sums(struct hg_inflight *q, const struct hg_tag *tags, unsigned n,
			hg_ns handed_ns, hg_ns now_ns)
{
	struct sums sums;

	memset(sums.accounts, 0, sizeof(sums.accounts));
	sums.all = sums.late = (struct run){0};
	for (const struct hg_tag *tag = tags; tag < tags + n; tag++) {
		const uint64_t account = account_of(tag);
		const unsigned place = tag->instance_idx % SUMS;

		if (HG_UNLIKELY(tag->handed_ns == 0 || tag->queue == 0)) {
			settle_unhanded(q, tag, now_ns);
			continue;
		}
		if (HG_UNLIKELY(sums.accounts[place] != account)) {
			if (sums.accounts[place] != 0)
				settle_sum(q, &sums, place, handed_ns, now_ns);
			sums.accounts[place] = account;
			sums.firsts[place] = tag;
			sums.runs[place] = (struct run){0};
		}
		add_to_run(&sums.runs[place], tag);
	}
	for (unsigned place = 0; place < SUMS; place++) {
		if (sums.accounts[place] != 0)
			settle_sum(q, &sums, place, handed_ns, now_ns);
	}
	if (sums.all.n > 0)
		learn(q, &sums.all, &sums.late, handed_ns, now_ns);
}

void hg_inflight_settle_together(struct hg_inflight *q, const struct hg_tag *tags, unsigned n,
				 hg_ns now_ns)
{
	hg_ns handed_ns = 0;

	for (unsigned i = n; i-- > 0 && handed_ns == 0;)
		handed_ns = tags[i].queue != 0 ? tags[i].handed_ns : 0;
	while (n > 0) {
		unsigned n_now = n < HG_INFLIGHT_RUN_MAX / 2u ? n : HG_INFLIGHT_RUN_MAX / 2u;

		settle_sums(q, tags, n_now, handed_ns, now_ns);
		tags += n_now;
		n -= n_now;
	}
	note_quiet(q, handed_ns != 0, now_ns);
}

/* What is outstanding for too long. */
static void look_for_lost(struct hg_inflight *q, hg_ns now_ns)
{
	if (now_ns >= silent_at(q)) {
		write_off(q, now_ns);
		if (!is_off(q))
			set_state(q, HG_HOOK_SILENT, now_ns);
	} else if (now_ns >= next_epoch_at(q)) {
		next_epoch(q, now_ns);
	}
}

bool hg_inflight_follow(struct hg_inflight *q, hg_ns now_ns)
{
	struct hg_depth_sample sample;
	bool has_grown, is_paced;

	q->advanced_at_ns = now_ns;
	if (!is_off(q) && HG_UNLIKELY(hg_depth_settle(&q->depth, &sample, now_ns)))
		keep_sample(q, &sample);
	judge(q, now_ns);
	bound(q);
	if (is_outstanding(q))
		look_for_lost(q, now_ns);
	if (HG_UNLIKELY(q->is_sweeping))
		q->is_sweeping = hg_window_sweep(q->window);
	is_paced = q->stats.state != HG_HOOK_ON;
	has_grown = (q->window->notes != 0 && hg_window_has_grown(q->window)) ||
		    (q->was_paced && !is_paced);
	q->was_paced = is_paced;
	return has_grown;
}

bool hg_inflight_advance(struct hg_inflight *q, hg_ns now_ns)
{
	bool has_grown = hg_inflight_follow(q, now_ns);

	hg_inflight_publish(q);
	return has_grown;
}

static hg_ns earlier(hg_ns a, hg_ns b)
{
	return a < b ? a : b;
}

hg_ns hg_inflight_next_at(const struct hg_inflight *q)
{
	hg_ns at_ns;

	if (q->is_sweeping)
		return q->advanced_at_ns;
	if (!is_outstanding(q))
		return HG_NEVER;
	at_ns = earlier(silent_at(q), next_epoch_at(q));
	return is_off(q) ? at_ns : earlier(at_ns, hg_depth_next_at(&q->depth));
}

hg_ns hg_inflight_lead_ns(const struct hg_inflight *q)
{
	return hg_depth_lead_ns(&q->depth);
}

bool hg_inflight_is_paced(const struct hg_inflight *q)
{
	return q->stats.state != HG_HOOK_ON;
}
