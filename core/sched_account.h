/* sched_account: what held whom, and for how long.
 *
 * Why        At each instant an instance with something queued is held by exactly one limit, so that held times
 *            add up to the wait (S2.9, S7.8), and nobody walks over instances to keep them.
 * Model      See core/sched_impl.h, "Held time", and for priorities core/sched_share.h. A turn is the time that an
 *            instance waits while nothing of its own parks it; what its tenant's parking and a higher band
 *            took of it are differences of their counters.
 * Not here   Nothing outside core/sched*.c includes this.
 */
#ifndef HG_CORE_SCHED_ACCOUNT_H
#define HG_CORE_SCHED_ACCOUNT_H

#include "core/sched_impl.h"

/* How long a band was behind, up to now. */
static inline hg_ns band_behind_ns(const struct hg_sched *s, unsigned priority, hg_ns now_ns)
{
	return s->bands[priority].behind_ns + (s->bands[priority].is_behind ? now_ns : 0);
}

/* And of that, while the tenant was not parked; but for a constant. */
static inline hg_ns tenant_behind_ns(const struct hg_sched *s, const struct hg_tenant *t,
				     unsigned priority, hg_ns now_ns)
{
	if (is_parked(t->flags))
		return -t->overlap_ns[priority];
	return band_behind_ns(s, priority, now_ns) - t->overlap_ns[priority];
}

/* ---- a tenant ----------------------------------------------------------------------------------- */

/* The state of a tenant's own account: what holds it as a whole. */
static inline enum hg_limit tenant_held_by(const struct hg_tenant *t)
{
	if (t->n_backlogged == 0)
		return HG_LIMIT_NONE;
	if (is_parked(t->flags))
		return parked_by(t->flags) ? HG_LIMIT_TENANT_PKTS : HG_LIMIT_TENANT_MAX;
	if (t->n_backlogged != t->n_parked)
		return HG_LIMIT_LINK;
	return t->n_parked_by_window > 0 ? HG_LIMIT_WINDOW : HG_LIMIT_MAX;
}

/* The highest band of those of its instances that wait. */
static inline unsigned tenant_band(const struct hg_tenant *t)
{
	uint32_t n_waiting;

	if (HG_LIKELY(!(t->flags & HAS_BANDS)))
		return HG_PRIORITY_NORMAL;
	if (t->n_waiting[HG_PRIORITY_HIGH] > 0)
		return HG_PRIORITY_HIGH;
	n_waiting = (uint32_t)t->n_backlogged - (uint32_t)t->n_parked;
	return n_waiting > t->n_waiting[HG_PRIORITY_LOW] ? HG_PRIORITY_NORMAL : HG_PRIORITY_LOW;
}

/* Of the time that a tenant is held by the link, what a higher band took. */
static inline hg_ns tenant_priority_ns(const struct hg_sched *s, const struct hg_tenant *t,
				       hg_ns now_ns)
{
	if (t->held_by != HG_LIMIT_LINK)
		return 0;
	return band_behind_ns(s, t->held_band, now_ns) - t->held_behind_ns;
}

/* Whether somebody waits for the link, as before: what most packets leave as it was. */
static inline bool tenant_still_waits(const struct hg_tenant *t)
{
	return (t->held_by == HG_LIMIT_LINK) & (t->n_backlogged != t->n_parked) &
	       !(t->flags & (PARKED | HAS_BANDS));
}

/* Books the time up to now when that state has changed. */
static inline void tenant_account(const struct hg_sched *s, struct hg_tenant *t, hg_ns now_ns)
{
	enum hg_limit held_by;
	unsigned band;

	if (HG_LIKELY(tenant_still_waits(t)))
		return;
	held_by = tenant_held_by(t);
	band = tenant_band(t);
	if (held_by == t->held_by && band == t->held_band)
		return;
	if (t->held_by != HG_LIMIT_NONE) {
		hg_ns behind_ns = tenant_priority_ns(s, t, now_ns);

		t->held_ns[t->held_by - 1] += now_ns - t->held_since_ns - behind_ns;
		t->held_ns[HG_LIMIT_PRIORITY - 1] += behind_ns;
	}
	t->held_by = held_by & 0xffu;
	t->held_band = band & 0xffu;
	t->held_since_ns = now_ns;
	t->held_behind_ns = band_behind_ns(s, band, now_ns);
}

/* What a tenant was parked for, up to now, by its maximum in bytes (0) or in packets (1). */
static inline hg_ns tenant_parked_ns(const struct hg_tenant *t, unsigned by, hg_ns now_ns)
{
	return t->parked_ns[by] + (is_parked(t->flags) && parked_by(t->flags) == by ? now_ns : 0);
}

/* ---- an instance -------------------------------------------------------------------------------- */

static inline void turn_begin(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];

	node->turn_ns -= now_ns;
	if (t->flags & WAS_PARKED)
		for (unsigned by = 0; by < 2; by++)
			s->cold[idx].tenant_ns[by] -= tenant_parked_ns(t, by, now_ns);
	if (HG_UNLIKELY(s->has_bands)) {
		unsigned priority = priority_of(node);

		s->side[idx].priority_ns -= tenant_behind_ns(s, t, priority, now_ns);
		t->n_waiting[priority]++;
	}
}

static inline void turn_end(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];

	node->turn_ns += now_ns;
	if (t->flags & WAS_PARKED)
		for (unsigned by = 0; by < 2; by++)
			s->cold[idx].tenant_ns[by] += tenant_parked_ns(t, by, now_ns);
	if (HG_UNLIKELY(s->has_bands)) {
		unsigned priority = priority_of(node);

		s->side[idx].priority_ns += tenant_behind_ns(s, t, priority, now_ns);
		t->n_waiting[priority]--;
	}
}

/* Moves what was counted in the hot line to where it cannot wrap. */
static inline void settle_counts(struct hg_node *node, struct hg_node_cold *cold)
{
	cold->sent_pkts += node->new_pkts;
	cold->guaranteed_bytes += node->new_guaranteed_bytes;
	node->new_pkts = 0;
	node->new_guaranteed_bytes = 0;
}

static inline void settle_tenant_counts(struct hg_tenant *t)
{
	t->sent_pkts += t->new_pkts;
	t->guaranteed_bytes += t->new_guaranteed_bytes;
	t->new_pkts = 0;
	t->new_guaranteed_bytes = 0;
}

/* The last packet of an instance has left. */
static inline void hg_sched_emptied(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	struct hg_tenant *t = &s->tenants[s->nodes[idx].tenant_idx];

	s->queues[idx].emptied_at_ns = now_ns;
	s->queues[idx].tail = HG_FIFO_NONE;
	if (HG_UNLIKELY(s->window != NULL))
		hg_window_wants(s->window, idx, false);
	if (--t->n_backlogged == 0)
		t->emptied_at_ns = now_ns;
	tenant_account(s, t, now_ns);
}

#endif
