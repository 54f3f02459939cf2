#include "core/inflight_impl.h"

#include "core/published.h"

_Static_assert(sizeof(struct hg_depth_sample) % sizeof(uint64_t) == 0, "published by the word");
_Static_assert(offsetof(struct hg_inflight_stats, card) % sizeof(uint64_t) == 0, "likewise");

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
	hg_published_write(&q->sequence, q->words, s, INFLIGHT_STATS_WORDS);
}

void hg_inflight_sample(struct hg_inflight *q, struct hg_inflight_stats *ret_stats)
{
	while (hg_published_read(&q->sequence, q->words, ret_stats, INFLIGHT_STATS_WORDS) == 0)
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

void hg_inflight_keep_sample(struct hg_inflight *q, const struct hg_depth_sample *sample)
{
	uint64_t number = atomic_load_explicit(&q->n_samples, memory_order_relaxed);
	struct hg_inflight_slot *slot = &q->slots[number % HG_INFLIGHT_SAMPLES];

	sum_up(&q->stats, sample);
	hg_published_write(&slot->sequence, slot->words, sample, INFLIGHT_SAMPLE_WORDS);
	atomic_store_explicit(&q->n_samples, number + 1u, memory_order_release);
}

bool hg_inflight_depth_sample(const struct hg_inflight *q, uint64_t number,
			      struct hg_depth_sample *ret_sample)
{
	const struct hg_inflight_slot *slot = &q->slots[number % HG_INFLIGHT_SAMPLES];
	/* The slot is written once a round; this number's is the one after so many. */
	uint64_t sequence = 2u * (number / HG_INFLIGHT_SAMPLES + 1u);
	struct hg_depth_sample sample;

	if (hg_published_read(&slot->sequence, slot->words, &sample, INFLIGHT_SAMPLE_WORDS) !=
	    sequence)
		return false;
	*ret_sample = sample;
	return true;
}
