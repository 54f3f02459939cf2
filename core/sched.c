#include "core/sched_account.h"
#include "core/sched_ahead.h"
#include "core/sched_calendar.h"
#include "core/sched_class.h"
#include "core/sched_due.h"
#include "core/window_impl.h"

/* Places in the order of shares that one call looks at, once nothing is queued. */
#define FORGET_BATCH 32u
/* Guarantees that are looked at before serving goes on, when many fall due at once. */
#define START_BATCH 64u

/* One call of pop. */
struct pop {
	struct hg_sched_item *out, *end;
	int64_t taken_bytes;
	int64_t limit_bytes; /* another packet may leave while taken_bytes <= limit_bytes */
	hg_ns now_ns;
	uint32_t
		most_out_pkts; /* of the band that is served: STOPPED when so many are in the card */
	uint32_t visit_bytes; /* by the decisions before it in the visit that runs */
	struct hg_sched_runs *runs; /* NULL: nobody asks */
	/* Of the decision that runs: what the window said, and what it knows to be taken. */
	struct window_run run;
	uint32_t told_bytes, told_pkts;
	/* Of the last decision: */
	uint32_t got_bytes, got_pkts; /* got_pkts counts parts */
	struct hg_cap_wait wait; /* what held it */
};

enum outcome {
	EMPTIED, /* nothing is left */
	MORE, /* the decision is over, but not the queue */
	HELD, /* by the instance's own maximum */
	TENANT_HELD, /* by its tenant's */
	SHARE_HELD, /* by its share of the window */
	STOPPED, /* by the full window, or the few packets of a lower band: it keeps its place */
};

static bool has_room(const struct pop *p)
{
	return p->out < p->end && p->taken_bytes <= p->limit_bytes;
}

/* ---- serving ------------------------------------------------------------------------------------ */

/* The window learns what the decision has taken by now. */
static inline void tell_window(struct hg_sched *s, struct pop *p, uint32_t idx, uint32_t bytes,
			       uint32_t pkts)
{
	if (bytes > p->told_bytes)
		window_take(s->window, idx, bytes - p->told_bytes, pkts - p->told_pkts);
	p->told_bytes = bytes;
	p->told_pkts = pkts;
}

static HG_NOINLINE bool ask_window(struct hg_sched *s, struct pop *p, uint32_t idx, uint32_t bytes,
				   uint32_t pkts, enum outcome *ret_held)
{
	uint32_t out_pkts = 0;

	tell_window(s, p, idx, bytes, pkts);
	if (HG_UNLIKELY(p->most_out_pkts != UINT32_MAX)) {
		out_pkts = hg_window_priority_pkts(s->window, priority_of(&s->nodes[idx]));
		if (out_pkts >= p->most_out_pkts) {
			*ret_held = STOPPED;
			return false;
		}
	}
	switch (window_ask(s->window, idx, &p->run)) {
	case HG_WINDOW_OPEN:
		if (p->run.left_pkts > p->most_out_pkts - out_pkts)
			p->run.left_pkts = p->most_out_pkts - out_pkts;
		return true;
	case HG_WINDOW_SHARE:
		*ret_held = SHARE_HELD;
		return false;
	default:
		break;
	}
	/* Who has taken something goes behind, and the next in line is asked: room may be kept for it. */
	*ret_held = bytes > 0 ? MORE : STOPPED;
	if (bytes == 0 && p->visit_bytes == 0) {
		s->is_window_full = true;
		p->limit_bytes = -1;
	}
	return false;
}

/* Whether the window lets a packet go that the maxima let go, behind so much in the decision that runs. */
static inline bool window_allows(struct hg_sched *s, struct pop *p, uint32_t idx, uint32_t bytes,
				 uint32_t pkts, enum outcome *ret_held)
{
	return window_run_goes_on(&p->run, bytes - p->told_bytes, pkts - p->told_pkts) ||
	       ask_window(s, p, idx, bytes, pkts, ret_held);
}

/* Whether the maxima of both levels let a packet go. */
static HG_NOINLINE bool maxima_allow(struct hg_sched *s, struct pop *p, uint32_t idx, uint32_t load,
				     enum outcome *ret_held)
{
	const uint32_t tenant_idx = s->nodes[idx].tenant_idx;

	if (s->nodes[idx].flags & CAPPED) {
		p->wait = instance_wait(s, idx, load, p->now_ns);
		if (p->wait.until_ns > p->now_ns) {
			*ret_held = HELD;
			return false;
		}
	}
	if (s->tenants[tenant_idx].flags & CAPPED) {
		p->wait = tenant_wait(s, tenant_idx, load, p->now_ns);
		if (p->wait.until_ns > p->now_ns) {
			*ret_held = TENANT_HELD;
			return false;
		}
	}
	return true;
}

/* Whether the maxima of both levels let go all that one decision can take. Requires that one of them is capped. */
static bool maxima_allow_all(const struct hg_sched *s, uint32_t idx, uint32_t bytes, hg_ns now_ns)
{
	const uint32_t tenant_idx = s->nodes[idx].tenant_idx;

	return (!(s->nodes[idx].flags & CAPPED) ||
		hg_cap_has_bytes(&s->caps->instance_bytes[idx], bytes, now_ns)) &&
	       (!(s->tenants[tenant_idx].flags & CAPPED) ||
		hg_cap_has_bytes(&s->caps->tenant_bytes[tenant_idx], bytes, now_ns));
}

/* The most that one decision takes of a queue. */
static inline uint32_t decision_most_bytes(const struct hg_sched *s, const struct hg_queue *queue)
{
	uint32_t first_bytes = load_bytes(s->fifo.entries[queue->head].load);

	if (queue->bytes <= s->quantum_bytes)
		return queue->bytes;
	return first_bytes > s->quantum_bytes ? first_bytes : s->quantum_bytes;
}

static HG_NOINLINE void maxima_charge(struct hg_sched *s, uint32_t idx, uint32_t bytes,
				      uint32_t parts, hg_ns now_ns)
{
	const uint32_t tenant_idx = s->nodes[idx].tenant_idx;
	struct hg_caps *caps = s->caps;

	if (s->tenants[tenant_idx].flags & CAPPED)
		hg_cap_charge(&caps->tenant_bytes[tenant_idx], &caps->tenant_pkts[tenant_idx],
			      bytes, parts, now_ns);
	if (s->nodes[idx].flags & CAPPED)
		hg_cap_charge(&caps->instance_bytes[idx], &caps->instance_pkts[idx], bytes, parts,
			      now_ns);
}

static inline void count(struct hg_sched *s, struct pop *p, uint32_t idx, uint32_t n_buffers,
			 bool is_guaranteed)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];
	uint32_t bytes = p->got_bytes;

	p->taken_bytes += bytes;
	s->queues[idx].bytes -= bytes;
	s->queues[idx].n_pkts -= n_buffers;
	t->sent_bytes += bytes;
	t->new_pkts += p->got_pkts;
	node->sent_bytes += bytes;
	node->new_pkts += p->got_pkts;
	if (is_guaranteed) {
		node->new_guaranteed_bytes += bytes;
		t->new_guaranteed_bytes += bytes;
	}
	if (HG_UNLIKELY((node->new_pkts | node->new_guaranteed_bytes) >> 31 != 0))
		settle_counts(node, &s->cold[idx]);
	if (HG_UNLIKELY((t->new_pkts | t->new_guaranteed_bytes) >> 31 != 0))
		settle_tenant_counts(t);
}

/* Bytes of a decision beyond which the run that begins behind `bytes` of it has to end. */
static inline uint32_t run_end_bytes(const struct pop *p, uint32_t bytes, uint32_t quantum_bytes)
{
	uint32_t end_bytes;

	if (HG_LIKELY(p->runs == NULL))
		return quantum_bytes;
	end_bytes = bytes + p->runs->most_bytes;
	return end_bytes < quantum_bytes ? end_bytes : quantum_bytes;
}

/* Ends the run that `began` says the beginning of, in a decision of so much by now. */
static void end_run(struct pop *p, struct hg_sched_run *began, uint32_t n, uint32_t bytes,
		    uint32_t parts)
{
	p->runs->list[p->runs->n++] = (struct hg_sched_run){
		.n = n - began->n, .bytes = bytes - began->bytes, .parts = parts - began->parts};
	*began = (struct hg_sched_run){.n = n, .bytes = bytes, .parts = parts};
}

/* A decision that runs. */
struct decision {
	uint32_t head; /* of the queue, behind what was taken */
	uint32_t n_queued; /* before it */
	uint32_t n, bytes, parts; /* taken by now */
	/* Where the run ends, or the quantum: one bound for both, so that runs cost nothing where nobody asks. */
	uint32_t stop_bytes;
	struct hg_sched_run began;
	int64_t left_bytes; /* another packet may follow while bytes <= left_bytes */
	enum outcome outcome;
};

/* Whether a packet that passes stop_bytes may be taken, in a run of its own or as the only one. */
static inline bool may_pass_stop(struct pop *p, struct decision *d, uint32_t bytes,
				 uint32_t quantum_bytes)
{
	if (d->n == 0)
		return true;
	if (d->bytes + bytes > quantum_bytes)
		return false;
	end_run(p, &d->began, d->n, d->bytes, d->parts);
	d->stop_bytes = run_end_bytes(p, d->bytes, quantum_bytes);
	return true;
}

/* Takes packets that nobody has to ask for, chunk by chunk. */
static inline void take_plain(struct hg_sched *s, struct pop *p, uint32_t idx, struct decision *d)
{
	const uint32_t room = (uint32_t)(p->end - p->out);
	const uint32_t n_most = d->n_queued < room ? d->n_queued : room;
	uint32_t head = d->head, n = 0, bytes = 0, parts = 0, stop_bytes = d->stop_bytes;
	bool may_follow;

	for (;;) {
		const struct hg_fifo_entry *const begin = &s->fifo.entries[head], *entry = begin;
		const uint32_t n_chunk = HG_FIFO_LINK - head % HG_FIFO_CHUNK;
		const struct hg_fifo_entry *const end =
			begin + (n_chunk < n_most - n ? n_chunk : n_most - n);
		struct hg_sched_item *out = p->out + n;

		hg_fifo_look_ahead(&s->fifo, head, d->n_queued - n);
		do {
			const uint32_t pkt_bytes = load_bytes(entry->load);

			if (HG_UNLIKELY(bytes + pkt_bytes > stop_bytes)) {
				d->n = n + (uint32_t)(entry - begin);
				d->bytes = bytes;
				d->parts = parts;
				may_follow = may_pass_stop(p, d, pkt_bytes, s->quantum_bytes);
				stop_bytes = d->stop_bytes;
				if (!may_follow)
					break;
			}
			*out++ = item_of(s, *entry, idx);
			bytes += pkt_bytes;
			parts += load_parts(entry->load);
			may_follow = (int64_t)bytes <= d->left_bytes;
		} while (++entry != end && may_follow);
		n += (uint32_t)(entry - begin);
		head += (uint32_t)(entry - begin);
		if (n == n_most || !may_follow)
			break;
		head = hg_fifo_after(&s->fifo, head - 1u, /* is_last= */ false);
	}
	d->head = hg_fifo_after(&s->fifo, head - 1u, n == d->n_queued);
	d->n = n;
	d->bytes = bytes;
	d->parts = parts;
	if (n == d->n_queued)
		d->outcome = EMPTIED;
}

/* Takes all that is queued, where nothing ends the decision before that. */
static inline void take_all(struct hg_sched *s, struct pop *p, uint32_t idx, uint32_t bytes,
			    struct decision *d)
{
	uint32_t head = d->head, n_left = d->n_queued, parts = 0;
	struct hg_sched_item *out = p->out;

	for (;;) {
		const struct hg_fifo_entry *entry = &s->fifo.entries[head], *end;
		const uint32_t n_chunk = HG_FIFO_LINK - head % HG_FIFO_CHUNK;
		const bool is_last = n_left <= n_chunk;

		if (!is_last)
			hg_fifo_look_ahead(&s->fifo, head, n_left);
		end = entry + (is_last ? n_left : n_chunk);
		do {
			*out++ = item_of(s, *entry, idx);
			parts += load_parts(entry->load);
		} while (++entry != end);
		head = hg_fifo_after(&s->fifo, head + (is_last ? n_left : n_chunk) - 1u, is_last);
		if (is_last)
			break;
		n_left -= n_chunk;
	}
	d->head = head;
	d->n = d->n_queued;
	d->bytes = bytes;
	d->parts = parts;
	d->outcome = EMPTIED;
}

/* Takes packets for each of which maxima, or the window, are asked, or classes which it is. */
static HG_NOINLINE void take_asking(struct hg_sched *s, struct pop *p, uint32_t idx,
				    bool asks_maxima, struct decision *d)
{
	const bool has_window = s->window != NULL,
		   is_classed = (s->nodes[idx].flags & CLASSED) != 0;
	struct hg_sched_item *out = p->out;

	do {
		struct hg_fifo_entry entry = s->fifo.entries[d->head];
		uint32_t bytes = load_bytes(entry.load), parts = load_parts(entry.load);

		if (d->head % HG_FIFO_CHUNK == 0 || d->n == 0)
			hg_fifo_look_ahead(&s->fifo, d->head, d->n_queued - d->n);
		if (d->bytes + bytes > d->stop_bytes &&
		    !may_pass_stop(p, d, bytes, s->quantum_bytes))
			break;
		if (asks_maxima && !maxima_allow(s, p, idx, entry.load, &d->outcome))
			break;
		if (has_window && !window_allows(s, p, idx, d->bytes, d->parts, &d->outcome))
			break;
		if (asks_maxima)
			maxima_charge(s, idx, bytes, parts, p->now_ns);
		*out++ = item_of(s, entry, idx);
		d->bytes += bytes;
		d->parts += parts;
		d->n++;
		d->head = is_classed ? classes_after(s, idx, bytes, d->n == d->n_queued)
				     : hg_fifo_after(&s->fifo, d->head, d->n == d->n_queued);
		if (d->n == d->n_queued) {
			d->outcome = EMPTIED;
			break;
		}
	} while (out < p->end && (int64_t)d->bytes <= d->left_bytes);
	if (has_window)
		tell_window(s, p, idx, d->bytes, d->parts);
}

/* One decision: packets of one instance, up to a quantum, as far as its maxima, the window and the call allow. */
static enum outcome serve(struct hg_sched *s, struct pop *p, uint32_t idx, bool is_guaranteed)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_queue *queue = &s->queues[idx];
	const uint32_t flags = node->flags | s->tenants[node->tenant_idx].flags;
	/* Then nobody has to ask for each packet. */
	const bool has_tokens = (flags & CAPPED) &&
				maxima_allow_all(s, idx, decision_most_bytes(s, queue), p->now_ns);
	const bool asks_maxima = (flags & CAPPED) && !has_tokens;
	struct decision d = {.head = queue->head,
			     .n_queued = queue->n_pkts,
			     .stop_bytes = run_end_bytes(p, 0, s->quantum_bytes),
			     .left_bytes = p->limit_bytes - p->taken_bytes,
			     .outcome = MORE};

	if (HG_LIKELY(!asks_maxima && s->window == NULL && !(node->flags & CLASSED))) {
		if (queue->bytes <= d.stop_bytes && (int64_t)queue->bytes <= d.left_bytes &&
		    d.n_queued <= (uint32_t)(p->end - p->out))
			take_all(s, p, idx, queue->bytes, &d);
		else
			take_plain(s, p, idx, &d);
	} else {
		p->told_bytes = p->told_pkts = 0;
		p->run.left_bytes = 0; /* not asked yet */
		take_asking(s, p, idx, asks_maxima, &d);
	}
	p->out += d.n;
	queue->head = d.head;
	s->queued_pkts -= d.n;
	p->got_bytes = d.bytes;
	p->got_pkts = d.parts;
	if (has_tokens && d.n > 0)
		maxima_charge(s, idx, d.bytes, d.parts, p->now_ns);
	count(s, p, idx, d.n, is_guaranteed);
	if (p->runs != NULL && d.n > d.began.n)
		end_run(p, &d.began, d.n, d.bytes, d.parts);
	if (d.outcome == EMPTIED || d.outcome == HELD || d.outcome == SHARE_HELD)
		turn_end(s, idx, p->now_ns);
	if (d.outcome == EMPTIED)
		hg_sched_emptied(s, idx, p->now_ns);
	return d.outcome;
}

/* ---- the two bands ------------------------------------------------------------------------------ */

/* An instance that the calendar had the turn of was served: where it goes now. Returns whether the visit of its
 * tenant may go on. */
static inline bool leave_turn(struct hg_sched *s, struct pop *p, uint32_t idx,
			      struct hg_share *share, enum outcome outcome)
{
	struct hg_node *node = &s->nodes[idx];

	if (outcome == MORE || (outcome == STOPPED && p->got_bytes > 0)) {
		calendar_file(s, share, idx, node);
		return true;
	}
	if (outcome == TENANT_HELD || outcome == STOPPED) {
		calendar_put_first(share, idx, node);
		if (outcome == TENANT_HELD)
			hg_sched_park_tenant(s, node->tenant_idx, p->wait, p->now_ns);
		return false;
	}
	node->flags &= ~(uint32_t)IN_SHARE;
	if (outcome == HELD)
		hg_sched_park(s, idx, p->wait, p->now_ns);
	else if (outcome == SHARE_HELD)
		hg_sched_hold(s, idx, p->now_ns);
	return true;
}

/* Serves a tenant's instances of a priority in the order of their shares, up to a quantum. Returns the bytes. */
static uint32_t visit(struct hg_sched *s, struct pop *p, struct hg_share *share, bool is_guaranteed)
{
	struct calendar_look ahead = ahead_begin(s, share);
	uint32_t total_bytes = 0;

	do {
		uint32_t idx = calendar_take(s, share);
		struct hg_node *node = &s->nodes[idx];
		enum outcome outcome;

		if (idx == NO_INSTANCE)
			break;
		ahead_step(s, share, &ahead);
		p->visit_bytes = total_bytes;
		outcome = serve(s, p, idx, is_guaranteed);
		total_bytes += p->got_bytes;
		node->finish += virtual_cost(s, node->weight, p->got_bytes);
		if (!leave_turn(s, p, idx, share, outcome))
			break;
	} while (total_bytes < s->quantum_bytes && has_room(p));
	p->visit_bytes = 0;
	return total_bytes;
}

static void band_served(struct hg_sched *s, const struct pop *p, unsigned priority)
{
	s->bands[priority].served_at_ns = p->now_ns;
	s->bands[priority].was_served = true;
}

/* Serves a tenant's instances out of the tenant's guarantee: the highest priority first. */
static uint32_t visit_guaranteed(struct hg_sched *s, struct pop *p, uint32_t tenant_idx)
{
	const struct hg_tenant *t = &s->tenants[tenant_idx];
	uint32_t got_bytes = 0;

	if (HG_LIKELY(!(t->flags & HAS_BANDS)))
		return visit(s, p, &s->tenants[tenant_idx].share, /* is_guaranteed= */ true);
	for (unsigned k = 0; k < HG_N_PRIORITIES && got_bytes == 0 && has_room(p); k++)
		if (!is_parked(t->flags))
			got_bytes = visit(s, p, share_of(s, tenant_idx, bands_in_order[k]),
					  /* is_guaranteed= */ true);
	return got_bytes;
}

/* One visit of the tenant of a band that is next in virtual time. */
static bool serve_band(struct hg_sched *s, struct pop *p, unsigned priority)
{
	struct hg_wheel *shares = &s->shares[priority];
	uint32_t tenant_idx, got_bytes;
	struct hg_share *share;
	struct hg_tenant *t;

	if (!hg_wheel_is_due(shares, INT64_MAX))
		return false;
	tenant_idx = hg_wheel_pop(shares).id;
	t = &s->tenants[tenant_idx];
	share = share_of(s, tenant_idx, priority);
	t->flags &= ~in_band(priority);
	if (HG_UNLIKELY(is_parked(t->flags)))
		return true;
	got_bytes = visit(s, p, share, /* is_guaranteed= */ false);
	prefetch_shares(s);
	share->finish += virtual_cost(s, share->weight, got_bytes);
	if (got_bytes > 0 && HG_UNLIKELY(s->has_bands))
		band_served(s, p, priority);
	if (is_parked(t->flags) || is_share_empty(share))
		return true;
	t->flags |= in_band(priority);
	if (HG_UNLIKELY(got_bytes == 0 && s->is_window_full))
		hg_wheel_push_front(shares, tenant_idx);
	else
		hg_wheel_push(shares, tenant_idx, (int64_t)(share->finish >> SHARE_TICK_SHIFT));
	return true;
}

/* Whether a lower band waits that was shut out for so long that it is let by. */
static bool serve_shut_out(struct hg_sched *s, struct pop *p)
{
	for (unsigned k = 1; k < HG_N_PRIORITIES; k++) {
		unsigned priority = bands_in_order[k];

		if (!hg_wheel_is_empty(&s->shares[priority]) &&
		    p->now_ns >= band_let_by_ns(s, priority) && serve_band(s, p, priority))
			return true;
	}
	return false;
}

/* The sharing bands: one visit in the highest that has somebody who may go. */
static bool serve_shares(struct hg_sched *s, struct pop *p)
{
	if (HG_LIKELY(!s->has_bands))
		return serve_band(s, p, HG_PRIORITY_NORMAL);
	if (serve_shut_out(s, p))
		return true;
	for (unsigned k = 0; k < HG_N_PRIORITIES; k++) {
		unsigned priority = bands_in_order[k];
		bool was_any;

		if (hg_wheel_is_empty(&s->shares[priority]))
			continue;
		if (is_band_short(s, priority))
			return false;
		p->most_out_pkts = band_most_pkts(s, priority);
		was_any = serve_band(s, p, priority);
		p->most_out_pkts = UINT32_MAX;
		if (was_any)
			return true;
	}
	return false;
}

/* The entry that came up first was not served at all: it is the first again. Filed anew, who spends a reserve
 * would fall behind with every call that a full window ends. */
static void guarantee_keep(struct hg_sched *s, uint32_t *flags, uint32_t id)
{
	*flags |= IN_GUARANTEE;
	hg_wheel_push_front(&s->deadlines, id);
}

/* Serves an instance out of its own guarantee. */
static enum outcome serve_due(struct hg_sched *s, struct pop *p, uint32_t idx)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];
	enum outcome outcome = serve(s, p, idx, /* is_guaranteed= */ true);

	guarantee_charge(s, node, t, p->got_bytes, p->now_ns);
	if (outcome == MORE || (outcome == STOPPED && p->got_bytes > 0))
		guarantee_file(s, idx, node, p->now_ns);
	else if (outcome == STOPPED)
		guarantee_keep(s, &node->flags, guarantee_id(idx, ID_INSTANCE, node->flags));
	else if (outcome == HELD)
		hg_sched_park(s, idx, p->wait, p->now_ns);
	else if (outcome == SHARE_HELD)
		hg_sched_hold(s, idx, p->now_ns);
	else if (outcome == TENANT_HELD)
		hg_sched_park_tenant(s, node->tenant_idx, p->wait, p->now_ns);
	return outcome;
}

/* The turn of an instance whose entry has come up. Returns whether it counted. */
static bool due_turn(struct hg_sched *s, struct pop *p, uint32_t idx)
{
	struct hg_node *node = &s->nodes[idx];
	const struct hg_tenant *t = &s->tenants[node->tenant_idx];

	if (!is_waiting(s, idx))
		return false;
	if (tick_of(node->due_ns) > tick_of(p->now_ns)) {
		guarantee_file(s, idx, node, p->now_ns);
		return false;
	}
	if (!is_parked(t->flags) && serve_due(s, p, idx) != TENANT_HELD)
		return true;
	/* It may have been served before its tenant was held. */
	if (tick_of(node->due_ns) > tick_of(p->now_ns))
		guarantee_file(s, idx, node, p->now_ns);
	else
		hg_sched_block(s, idx, p->now_ns);
	return true;
}

/* An entry of an instance has come up. Returns whether it counted. */
static bool instance_due(struct hg_sched *s, struct pop *p, uint32_t id)
{
	const uint32_t idx = id & ID_IDX_MASK;
	struct hg_node *node = &s->nodes[idx];
	bool counted;

	if (!(node->flags & IN_GUARANTEE) || guarantee_id(idx, ID_INSTANCE, node->flags) != id)
		return false;
	node->flags &= ~(uint32_t)IN_GUARANTEE;
	counted = due_turn(s, p, idx);
	if (HG_UNLIKELY(s->tenants[node->tenant_idx].flags & BLOCKED))
		hg_sched_unblock(s, node->tenant_idx, p->now_ns);
	return counted;
}

/* A tenant's own guarantee has come up. */
static bool tenant_due(struct hg_sched *s, struct pop *p, uint32_t id)
{
	uint32_t tenant_idx = id & ID_IDX_MASK;
	struct hg_tenant *t = &s->tenants[tenant_idx];
	uint32_t got_bytes;

	if (!(t->flags & IN_GUARANTEE) || guarantee_id(tenant_idx, ID_TENANT, t->flags) != id)
		return false;
	t->flags &= ~(uint32_t)IN_GUARANTEE;
	if (is_parked(t->flags) || tenant_has_no_turn(s, tenant_idx))
		return false;
	if (tick_of(t->due_ns) > tick_of(p->now_ns)) {
		tenant_guarantee_file(s, tenant_idx, t, p->now_ns);
		return false;
	}
	got_bytes = visit_guaranteed(s, p, tenant_idx);
	note_largest(s, got_bytes);
	t->due_ns = charge_due(t->due_ns, t->guarantee, got_bytes, p->now_ns);
	if (is_parked(t->flags) || tenant_has_no_turn(s, tenant_idx))
		return true;
	if (got_bytes == 0 && s->is_window_full)
		guarantee_keep(s, &t->flags, id);
	else
		tenant_guarantee_file(s, tenant_idx, t, p->now_ns);
	return true;
}

/* An entry has come up. Returns whether it counted. */
static bool serve_guarantee(struct hg_sched *s, struct pop *p, uint32_t id)
{
	return (id & ID_KIND_MASK) == ID_TENANT ? tenant_due(s, p, id) : instance_due(s, p, id);
}

/* Moves an entry that is due now to its deadline. One that no longer counts is dropped there. */
static void await_deadline(struct hg_sched *s, uint32_t id)
{
	uint32_t idx = id & ID_IDX_MASK;
	hg_ns at_ns;

	if ((id & ID_KIND_MASK) == ID_INSTANCE)
		at_ns = deadline_ns(s, idx, s->nodes[idx].due_ns);
	else
		at_ns = tenant_deadline_ns(s, idx, s->tenants[idx].due_ns);
	hg_wheel_push(&s->deadlines, id, tick_of(at_ns));
}

/* Moves a few of those that are due now, all of whose lines are asked for before the first is needed. */
static void await_deadlines(struct hg_sched *s, int64_t tick)
{
	uint32_t ids[STARTS_AHEAD];
	unsigned n = 0;

	while (n < STARTS_AHEAD && hg_wheel_is_due(&s->starts, tick)) {
		ids[n] = hg_wheel_pop(&s->starts).id;
		if ((ids[n] & ID_KIND_MASK) == ID_INSTANCE)
			prefetch_instance(s, ids[n] & ID_IDX_MASK);
		n++;
	}
	for (unsigned i = 0; i < n; i++)
		await_deadline(s, ids[i]);
}

/* The guaranteed band: of those that are due, the one of the earliest deadline. */
static bool serve_guarantees(struct hg_sched *s, struct pop *p)
{
	int64_t tick = tick_of(p->now_ns);
	struct hg_wheel_entry entry;

	for (unsigned i = 0; i < START_BATCH && hg_wheel_is_due(&s->starts, tick);
	     i += STARTS_AHEAD) {
		/* Alone it needs no order, nor within the first quantum of a call, which leaves at once. */
		if (hg_wheel_is_empty(&s->deadlines)) {
			uint32_t id = hg_wheel_pop(&s->starts).id;

			if (p->taken_bytes < s->quantum_bytes || !hg_wheel_is_due(&s->starts, tick))
				return serve_guarantee(s, p, id);
			await_deadline(s, id);
		}
		await_deadlines(s, tick);
	}
	while (!hg_wheel_is_empty(&s->deadlines) &&
	       hg_wheel_pop_first(&s->deadlines, tick, &entry)) {
		prefetch_deadlines(s);
		if (serve_guarantee(s, p, entry.id))
			return true;
	}
	return false;
}

/* ---- pop ---------------------------------------------------------------------------------------- */

/* How far the root lets a call go: the bytes after which it must stop; negative: not at all. The root is
 * a link: a packet may begin while none is owed but the lead. */
static int64_t root_limit_bytes(const struct hg_sched *s, hg_ns now_ns)
{
	hg_ns open_at_ns;

	if (s->root.pace.mantissa == 0)
		return INT64_MAX;
	open_at_ns = root_open_ns(s, now_ns);
	if (open_at_ns > now_ns)
		return -1;
	return (int64_t)(((uint64_t)(now_ns - open_at_ns) << s->root.pace.shift) /
			 s->root.pace.mantissa);
}

static void charge_root(struct hg_sched *s, int64_t bytes, hg_ns now_ns)
{
	const int64_t most = INT64_C(1) << 30; /* that a bucket can multiply */

	for (; bytes > 0; bytes -= most)
		hg_bucket_charge(&s->root, (uint32_t)(bytes < most ? bytes : most), now_ns);
}

/* At the end of a call: whether the window alone keeps something from leaving. With room in the call nobody is
 * left but who is held, by the window or by a maximum that was asked before it; one that has been used up
 * since is looked for, among the first. */
static void note_held(struct hg_sched *s, bool has_room, hg_ns now_ns)
{
	if (s->is_window_full || (has_room && !s->was_held_by_window && s->n_held_by_window > 0 &&
				  hg_sched_is_held_by_window_alone(s, now_ns)))
		s->was_held_by_window = true;
}

/* At the end of a call: which bands are behind from now on. */
static void note_behind(struct hg_sched *s, hg_ns now_ns)
{
	bool is_higher_served = false, is_higher_waiting = false;

	for (unsigned k = 0; k < HG_N_PRIORITIES; k++) {
		unsigned priority = bands_in_order[k];
		struct hg_band *band = &s->bands[priority];
		bool is_behind = is_higher_waiting || is_band_short(s, priority) ||
				 (is_higher_served && !band->was_served);

		if (is_behind != band->is_behind)
			band->behind_ns += is_behind ? -now_ns : now_ns;
		band->is_behind = is_behind;
		is_higher_served |= band->was_served;
		is_higher_waiting |= !hg_wheel_is_empty(&s->shares[priority]);
		band->was_served = false;
	}
}

/* Nothing is queued any more: places in the order of shares whose owners have left are given up, as far as the call
 * had no room to come to them, so that the next packets may pass (core/sched_pass.c). */
static void forget_places(struct hg_sched *s, struct pop *p)
{
	for (unsigned i = 0; i < FORGET_BATCH && !hg_wheel_is_empty(&s->shares[HG_PRIORITY_NORMAL]);
	     i++)
		(void)serve_band(s, p, HG_PRIORITY_NORMAL);
}

unsigned hg_sched_pop_runs(struct hg_sched *s, struct hg_sched_item *ret_items, unsigned n,
			   uint32_t max_bytes, struct hg_sched_runs *ret_runs, hg_ns now_ns)
{
	struct pop p = {.out = ret_items,
			.end = ret_items + n,
			.limit_bytes = root_limit_bytes(s, now_ns),
			.most_out_pkts = UINT32_MAX,
			.runs = ret_runs,
			.now_ns = now_ns};

	const int64_t root_bytes = p.limit_bytes;
	bool was_open;

	if (p.limit_bytes > (int64_t)max_bytes - 1)
		p.limit_bytes = (int64_t)max_bytes - 1;
	if (s->queued_pkts == 0)
		return 0;
	was_open = has_room(&p);
	s->is_window_full = false;
	hg_sched_unpark_due(s, now_ns);
	while (has_room(&p))
		if (!serve_guarantees(s, &p) && !serve_shares(s, &p) &&
		    !hg_sched_unpark_due(s, now_ns))
			break;
	if (s->queued_pkts == 0)
		forget_places(s, &p);
	if (s->root.pace.mantissa != 0)
		charge_root(s, p.taken_bytes, now_ns);
	if (HG_UNLIKELY(s->window != NULL)) {
		note_held(s, has_room(&p), now_ns);
		s->was_held_by_root |= p.taken_bytes > root_bytes && s->queued_pkts > 0;
	}
	if (HG_UNLIKELY(s->has_bands) && was_open)
		note_behind(s, now_ns);
	prefetch_starts(s);
	return (unsigned)(p.out - ret_items);
}

unsigned hg_sched_pop(struct hg_sched *s, struct hg_sched_item *ret_items, unsigned n,
		      uint32_t max_bytes, hg_ns now_ns)
{
	return hg_sched_pop_runs(s, ret_items, n, max_bytes, NULL, now_ns);
}

uint32_t hg_sched_queued_pkts(const struct hg_sched *s)
{
	return s->queued_pkts;
}

uint32_t hg_sched_instance_queued_bytes(const struct hg_sched *s, uint32_t instance_idx)
{
	return queued_bytes(&s->queues[instance_idx]);
}
