/* When somebody may have a turn. */
#include "core/sched_share.h"

static hg_ns wheel_next_ns(const struct hg_wheel *wheel)
{
	int64_t tick = hg_wheel_next_tick(wheel);

	return tick == INT64_MAX ? HG_NEVER : (hg_ns)((uint64_t)tick << TICK_SHIFT);
}

/* When somebody who waits for a turn may have it. Whose band may have no more in the card waits for a release, for
 * being let by, or for a guarantee. */
static hg_ns next_turn_ns(const struct hg_sched *s, hg_ns now_ns)
{
	hg_ns at_ns = HG_NEVER, due_ns;
	bool is_short = false;

	for (unsigned k = 0; k < HG_N_PRIORITIES; k++) {
		unsigned priority = bands_in_order[k];

		if (hg_wheel_is_empty(&s->shares[priority]))
			continue;
		is_short = is_short || is_band_short(s, priority);
		if (!is_short)
			return now_ns;
		if (band_let_by_ns(s, priority) < at_ns)
			at_ns = band_let_by_ns(s, priority);
	}
	if (!is_short)
		return HG_NEVER;
	due_ns = hg_wheel_is_empty(&s->deadlines) ? wheel_next_ns(&s->starts) : now_ns;
	return due_ns < at_ns ? due_ns : at_ns;
}

/* The window was full for who was first in line. Room is kept in it for whoever has just become active: for one of
 * those, time may bring the turn. */
static hg_ns next_turn_when_full_ns(const struct hg_sched *s, hg_ns now_ns)
{
	hg_ns at_ns = HG_NEVER;

	if (!hg_wheel_is_empty(&s->deadlines))
		return HG_NEVER; /* the first of them is asked first */
	at_ns = wheel_next_ns(&s->starts);
	if (at_ns <= now_ns)
		return HG_NEVER; /* the one that was asked is the first of those, too */
	for (unsigned k = 1; s->has_bands && k < HG_N_PRIORITIES; k++) {
		hg_ns let_by_ns = band_let_by_ns(s, bands_in_order[k]);

		if (!hg_wheel_is_empty(&s->shares[bands_in_order[k]]) && let_by_ns > now_ns &&
		    let_by_ns < at_ns)
			at_ns = let_by_ns;
	}
	return at_ns;
}

hg_ns hg_sched_next_at(const struct hg_sched *s, hg_ns now_ns)
{
	hg_ns at_ns, wait_ns, root_at_ns;

	if (s->queued_pkts == 0)
		return HG_NEVER;
	at_ns = s->is_window_full ? next_turn_when_full_ns(s, now_ns) : next_turn_ns(s, now_ns);
	if (at_ns > now_ns) {
		wait_ns = wheel_next_ns(&s->waits);
		at_ns = wait_ns < at_ns ? wait_ns : at_ns;
		if (at_ns == HG_NEVER)
			return HG_NEVER;
	}
	root_at_ns = s->root.pace.mantissa != 0 ? root_open_ns(s, now_ns) : now_ns;
	if (at_ns < root_at_ns)
		at_ns = root_at_ns;
	return at_ns > now_ns ? at_ns : now_ns;
}
