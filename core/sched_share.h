/* sched_share: the bands of shares, one for each priority.
 *
 * Why        S2.6: priority orders what exceeds the guarantees. Who is of normal priority, and a scheduler that knows
 *            no other, must not pay for it.
 * Model      Each band has its wheel of tenants, and each tenant in it a calendar of its instances
 *            (struct hg_share): in struct hg_tenant for the normal band, apart for the two others. Bands are
 *            served in strict order, but for two rules:
 *              few       while a higher band has packets in the card, a lower one has less than
 *                        BAND_FEW_PKTS there before another may go, so that the next high one finds it short;
 *              let by    a band that has somebody who may go and was not served for HG_SCHED_SHUT_OUT_NS is served
 *                        once, before the others.
 * Held time  A band is behind while a higher one is served or rule "few" holds it, as the last call of pop
 *            saw it. How long is one counter a band; an instance that waits books differences of it, less
 *            what its tenant was parked of that time, which is booked otherwise.
 * Not here   Nothing outside core/sched*.c includes this.
 */
#ifndef HG_CORE_SCHED_SHARE_H
#define HG_CORE_SCHED_SHARE_H

#include "core/sched_impl.h"

/* What a lower band may have in the card while a higher one has something there: one that is sent, and one
 * that follows it. */
#define BAND_FEW_PKTS 2u

/* Bands in the order in which they are served. */
static const uint8_t bands_in_order[HG_N_PRIORITIES] = {HG_PRIORITY_HIGH, HG_PRIORITY_NORMAL,
							HG_PRIORITY_LOW};

/* Which flag of a tenant says that it is in the wheel of a band. */
static inline uint32_t in_band(unsigned priority)
{
	return priority == HG_PRIORITY_NORMAL ? (uint32_t)IN_SHARE
					      : (uint32_t)IN_OTHER_SHARE << priority;
}

static inline struct hg_share *share_of(struct hg_sched *s, uint32_t tenant_idx, unsigned priority)
{
	if (HG_LIKELY(priority == HG_PRIORITY_NORMAL))
		return &s->tenants[tenant_idx].share;
	return &s->other_shares[2u * tenant_idx + priority - 1u].share;
}

/* Who wakes goes first even if it was served a little while ago, as long as that has put it ahead of the others
 * by less than a quantum: virtual time stands still for a whole round of those who always have something, and a
 * small request would wait for all of them, though it never had its share. What it takes counts as ever, so it
 * gains a quantum once. */
static inline bool may_go_first(const struct hg_sched *s, uint32_t flags, uint32_t weight,
				uint64_t ahead_of_now)
{
	return !(flags & RETURNS) & (ahead_of_now <= virtual_cost(s, weight, s->quantum_bytes));
}

static inline bool is_share_empty(const struct hg_share *share)
{
	return share->current == NO_INSTANCE && share->full == 0;
}

static inline void share_init(struct hg_share *share, uint16_t weight)
{
	*share = (struct hg_share){.current = NO_INSTANCE, .weight = weight};
	for (unsigned slot = 0; slot < CALENDAR_SLOTS; slot++)
		share->slot[slot] = NO_INSTANCE;
}

/* Whether no instance of a tenant waits for its turn. */
static inline bool tenant_has_no_turn(struct hg_sched *s, uint32_t tenant_idx)
{
	const struct hg_tenant *t = &s->tenants[tenant_idx];

	if (!is_share_empty(&t->share))
		return false;
	return HG_LIKELY(!(t->flags & HAS_BANDS)) ||
	       (is_share_empty(share_of(s, tenant_idx, HG_PRIORITY_HIGH)) &&
		is_share_empty(share_of(s, tenant_idx, HG_PRIORITY_LOW)));
}

/* Whether a band above has something in the card. */
static inline bool is_higher_in_card(const struct hg_sched *s, unsigned priority)
{
	if (priority == HG_PRIORITY_HIGH || s->window == NULL)
		return false;
	return hg_window_priority_pkts(s->window, HG_PRIORITY_HIGH) > 0 ||
	       (priority == HG_PRIORITY_LOW &&
		hg_window_priority_pkts(s->window, HG_PRIORITY_NORMAL) > 0);
}

/* What a band may have in the card before another packet of it may go. */
static inline uint32_t band_most_pkts(const struct hg_sched *s, unsigned priority)
{
	return is_higher_in_card(s, priority) ? BAND_FEW_PKTS : UINT32_MAX;
}

static inline bool is_band_short(const struct hg_sched *s, unsigned priority)
{
	return is_higher_in_card(s, priority) &&
	       hg_window_priority_pkts(s->window, priority) >= BAND_FEW_PKTS;
}

/* From when on a band that waits is let by. */
static inline hg_ns band_let_by_ns(const struct hg_sched *s, unsigned priority)
{
	return s->bands[priority].served_at_ns + HG_SCHED_SHUT_OUT_NS;
}

#endif
