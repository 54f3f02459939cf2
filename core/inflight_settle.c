#include "core/inflight_impl.h"

#include <string.h>

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
