/* inflight_impl: the state of one in-flight control, and the moves that its parts share.
 *
 * Why        core/inflight.c sets up and hands over, core/inflight_settle.c settles what comes back,
 *            core/inflight_state.c judges the hook and writes off, core/inflight_sample.c tells other threads.
 *            All work on the same struct.
 * Not here   Nothing outside core/inflight*.c includes this.
 */
#ifndef HG_CORE_INFLIGHT_IMPL_H
#define HG_CORE_INFLIGHT_IMPL_H

#include "core/belief.h"
#include "core/inflight.h"
#include "core/window_impl.h"

#include <stdatomic.h>

#define INFLIGHT_SAMPLE_WORDS (sizeof(struct hg_depth_sample) / sizeof(uint64_t))
#define INFLIGHT_STATS_WORDS (offsetof(struct hg_inflight_stats, card) / sizeof(uint64_t))

struct hg_inflight_slot { /* one sample of the depth */
	_Atomic uint64_t sequence; /* twice the times that the slot was written */
	_Atomic uint64_t words[INFLIGHT_SAMPLE_WORDS];
};

struct hg_inflight {
	struct hg_inflight_cfg cfg;
	struct hg_window *window;
	struct hg_histogram *cards; /* time in the card, of each instance */
	struct hg_inflight_slot *slots;
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
	_Atomic uint64_t words[INFLIGHT_STATS_WORDS]; /* the stats, for other threads */
	atomic_bool was_read; /* the peak starts anew */
	uint64_t peak_bytes;
};

static inline bool is_outstanding(const struct hg_inflight *q)
{
	return window_pkts(&q->window->out) > 0;
}

static inline bool is_off(const struct hg_inflight *q)
{
	return q->stats.state == HG_HOOK_OFF;
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

static inline void begin_quiet(struct hg_inflight *q, hg_ns now_ns)
{
	q->quiet_since_ns = now_ns;
	q->quiet_bytes = window_bytes(&q->window->out);
}

/* ---- core/inflight_state.c ----------------------------------------------------------------------- */

void hg_inflight_set_state(struct hg_inflight *q, enum hg_hook_state state, hg_ns now_ns);
/* What is outstanding never comes back. */
void hg_inflight_write_off(struct hg_inflight *q, hg_ns now_ns);

/* ---- core/inflight_sample.c ---------------------------------------------------------------------- */

void hg_inflight_keep_sample(struct hg_inflight *q, const struct hg_depth_sample *sample);

#endif
