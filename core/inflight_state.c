#include "core/inflight_impl.h"

/* A silence shorter than this may be the host's own: a thread that was not run. */
#define SILENT_MIN_NS (100 * HG_NS_PER_MS)
/* An epoch is several silences, so that a card which stands still is called silent, and not a thief. */
#define EPOCH_MIN_NS (250 * HG_NS_PER_MS)
/* So many times longer than the link needs for all that it has. */
#define PATIENCE 8u
/* Beyond this many bytes patience grows no more: 21 ms at 100 Gbit/s, so the minima hold there. */
#define PATIENCE_MAX_BYTES (UINT64_C(1) << 28)

/* ---- names -------------------------------------------------------------------------------------- */

struct words {
	const char *name, *text;
};

/* Beyond the states: the last one. */
static const struct words *words_of(enum hg_hook_state state)
{
	static const struct words words[] = {
#define X(id, name, text) {name, text},
		HG_HOOK_STATES(X)
#undef X
			{"?", "?"},
	};

	return &words[(unsigned)state < HG_N_HOOK_STATES ? (unsigned)state : HG_N_HOOK_STATES];
}

const char *hg_hook_state_name(enum hg_hook_state state)
{
	return words_of(state)->name;
}

const char *hg_hook_state_text(enum hg_hook_state state)
{
	return words_of(state)->text;
}

/* ---- states ------------------------------------------------------------------------------------- */

HG_NOINLINE void hg_inflight_set_state(struct hg_inflight *q, enum hg_hook_state state,
				       hg_ns now_ns)
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
		hg_inflight_set_state(q, HG_HOOK_EARLY, now_ns);
	} else if (q->stats.state != HG_HOOK_ON && hg_belief_is_earned(&q->belief)) {
		hg_inflight_set_state(q, HG_HOOK_ON, now_ns);
	}
}

static void begin_epoch(struct hg_inflight *q, hg_ns now_ns)
{
	q->last_epoch_at_ns = q->epoch_at_ns;
	q->epoch_at_ns = now_ns;
	q->epoch_bytes = hg_window_outstanding_bytes(q->window);
	if (!is_outstanding(q))
		q->quiet_since_ns = HG_NEVER;
}

void hg_inflight_write_off(struct hg_inflight *q, hg_ns now_ns)
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

/* ---- what time brings --------------------------------------------------------------------------- */

/* What is outstanding for too long. */
static void look_for_lost(struct hg_inflight *q, hg_ns now_ns)
{
	if (now_ns >= silent_at(q)) {
		hg_inflight_write_off(q, now_ns);
		if (!is_off(q))
			hg_inflight_set_state(q, HG_HOOK_SILENT, now_ns);
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
		hg_inflight_keep_sample(q, &sample);
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
