#include "core/sched_impl.h"

#define PUSH_BATCH 64u
/* Waits that are looked at before serving goes on: a mass of nodes whose time has come at once does
 * not hold up the packets of the others. */
#define UNPARK_BATCH 64u

/* One call of pop. */
struct pop {
	struct hg_sched_item *out, *end;
	int64_t taken_bytes;
	int64_t limit_bytes; /* another packet may leave while taken_bytes <= limit_bytes */
	hg_ns now_ns;
	/* Of the last decision: */
	uint32_t got_bytes, got_pkts; /* got_pkts counts parts */
	struct hg_cap_wait wait; /* what held it */
};

enum outcome {
	EMPTIED, /* nothing is left */
	MORE, /* the decision is over, but not the queue */
	HELD, /* by the instance's own maximum */
	TENANT_HELD, /* by its tenant's */
};

static bool has_room(const struct pop *p)
{
	return p->out < p->end && p->taken_bytes <= p->limit_bytes;
}

/* ---- the calendar of a tenant ------------------------------------------------------------------- */

static bool calendar_is_empty(const struct hg_tenant *t)
{
	return t->current == NO_INSTANCE && t->full == 0;
}

/* Files an instance by its virtual time; beyond the last slot into it, to be filed again from there. */
static inline void calendar_file(const struct hg_sched *s, struct hg_tenant *t, uint32_t idx,
				 struct hg_node *node)
{
	int64_t ahead = (int64_t)((node->finish >> s->slot_shift) - t->slot_now);
	unsigned slot;

	if (ahead < 0)
		ahead = 0;
	if (ahead > (int64_t)CALENDAR_SLOTS - 1)
		ahead = CALENDAR_SLOTS - 1;
	slot = (unsigned)(t->slot_now + (uint64_t)ahead) % CALENDAR_SLOTS;
	node->next = t->full >> slot & 1u ? t->slot[slot] : NO_INSTANCE;
	t->slot[slot] = idx;
	t->full = (uint16_t)(t->full | 1u << slot);
}

static inline void calendar_put_first(struct hg_tenant *t, uint32_t idx, struct hg_node *node)
{
	node->next = t->current;
	t->current = idx;
}

static inline void calendar_turn(struct hg_tenant *t)
{
	unsigned slot = (unsigned)t->slot_now % CALENDAR_SLOTS;
	uint32_t full = t->full;

	full = (full >> slot | full << (CALENDAR_SLOTS - slot)) & 0xffffu;
	t->slot_now += (uint64_t)__builtin_ctz(full);
	slot = (unsigned)t->slot_now % CALENDAR_SLOTS;
	t->current = t->slot[slot];
	t->full = (uint16_t)(t->full & ~(1u << slot));
}

/* Takes the instance whose turn it is; NO_INSTANCE if none waits. A slot is served in passes: who is
 * filed into it again while it is served waits for the next pass. */
static uint32_t calendar_take(struct hg_sched *s, struct hg_tenant *t)
{
	for (;;) {
		struct hg_node *node;
		uint32_t idx;

		if (t->current == NO_INSTANCE) {
			if (t->full == 0)
				return NO_INSTANCE;
			calendar_turn(t);
		}
		idx = t->current;
		node = &s->nodes[idx];
		t->current = node->next;
		if (HG_UNLIKELY(node->queued_pkts == 0 || is_parked(node->flags))) {
			node->flags &= (uint16_t)~IN_SHARE;
			continue;
		}
		if (HG_UNLIKELY(node->finish >> s->slot_shift > t->slot_now)) {
			if (!calendar_is_empty(t)) {
				calendar_file(s, t, idx, node);
				continue;
			}
			t->slot_now = node->finish >> s->slot_shift;
		}
		return idx;
	}
}

/* ---- the queue of a tenant's blocked instances ---------------------------------------------------- */

void hg_sched_block(struct hg_sched *s, struct hg_tenant *t, uint32_t idx)
{
	struct hg_wheel_chunk *chunks = s->pool.chunks;
	uint32_t tail = t->blocked_tail;

	if (tail == 0 || chunks[tail].n == HG_WHEEL_CHUNK_ENTRIES) {
		uint32_t fresh = hg_wheel_chunk_take(&s->pool);

		chunks[fresh].next = 0;
		chunks[fresh].n = 0;
		if (tail == 0) {
			t->blocked_head = fresh;
			t->blocked_at = 0;
		} else {
			chunks[tail].next = fresh;
		}
		t->blocked_tail = tail = fresh;
	}
	chunks[tail].entries[chunks[tail].n++] = (struct hg_wheel_entry){.id = idx};
}

static void blocked_drop_first(struct hg_sched *s, struct hg_tenant *t)
{
	uint32_t head = t->blocked_head;
	uint32_t next = s->pool.chunks[head].next;

	if (++t->blocked_at < s->pool.chunks[head].n)
		return;
	hg_wheel_chunk_give(&s->pool, head);
	t->blocked_at = 0;
	t->blocked_head = next;
	if (next == 0)
		t->blocked_tail = 0;
}

/* ---- entering the orders ------------------------------------------------------------------------ */

static hg_ns instance_reserve_ns(const struct hg_sched *s, uint32_t idx)
{
	return pace_cost_ns(s->nodes[idx].guarantee, s->cold[idx].reserve_bytes);
}

/* Enters an instance in the wheel of guarantees. Who spends a reserve is due at once, but behind all
 * that were due before; once it lags behind what it would have without the reserve, by that. */
static void guarantee_file(struct hg_sched *s, uint32_t idx, struct hg_node *node, hg_ns now_ns)
{
	hg_ns at_ns = node->due_ns;

	if (node->flags & ON_CREDIT) {
		if (at_ns > now_ns) {
			node->flags &= (uint16_t)~ON_CREDIT;
		} else {
			at_ns += instance_reserve_ns(s, idx);
			if (at_ns > now_ns)
				at_ns = now_ns;
		}
	}
	node->flags |= IN_GUARANTEE;
	hg_wheel_push(&s->guarantees, guarantee_id(idx, ID_INSTANCE, node->flags), tick_of(at_ns));
}

static void tenant_guarantee_file(struct hg_sched *s, uint32_t tenant_idx, struct hg_tenant *t,
				  hg_ns now_ns)
{
	hg_ns at_ns = t->due_ns;

	if (t->flags & ON_CREDIT) {
		if (at_ns > now_ns)
			t->flags &= (uint16_t)~ON_CREDIT;
		else if (at_ns + t->reserve_ns < now_ns)
			at_ns += t->reserve_ns;
		else
			at_ns = now_ns;
	}
	t->flags |= IN_GUARANTEE;
	hg_wheel_push(&s->guarantees, guarantee_id(tenant_idx, ID_TENANT, t->flags),
		      tick_of(at_ns));
}

/* What a guarantee has in hand for one who wakes: at most its reserve after idleness; after a pause at
 * least what WAKE_AHEAD_NS is worth. Returns whether it is more than that, to be spent as credit. */
static bool guarantee_wake(hg_ns *due_ns, hg_ns reserve_ns, bool was_idle, hg_ns now_ns)
{
	hg_ns most_ns = reserve_ns;

	if (!was_idle && most_ns < WAKE_AHEAD_NS)
		most_ns = WAKE_AHEAD_NS;
	if (*due_ns < now_ns - most_ns)
		*due_ns = now_ns - most_ns;
	return now_ns - *due_ns > WAKE_AHEAD_NS;
}

static void instance_guarantee_wake(struct hg_sched *s, uint32_t idx, hg_ns quiet_ns, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	hg_ns idle_after_ns;

	node->flags &= (uint16_t)~ON_CREDIT;
	if (node->due_ns >= now_ns)
		return; /* nothing in hand, and no look at the cold line */
	idle_after_ns = (hg_ns)s->cold[idx].idle_after_us * HG_NS_PER_US;
	if (!guarantee_wake(&node->due_ns, instance_reserve_ns(s, idx), quiet_ns >= idle_after_ns,
			    now_ns))
		return;
	/* The first packet goes ahead of those that are due, the rest behind them. */
	node->flags |= ON_CREDIT;
	if (!(node->flags & (IN_GUARANTEE | BLOCKED))) {
		node->flags |= IN_GUARANTEE;
		hg_wheel_push(&s->guarantees, guarantee_id(idx, ID_INSTANCE, node->flags),
			      tick_of(now_ns - WAKE_AHEAD_NS));
	}
}

static void tenant_wake(struct hg_sched *s, struct hg_tenant *t, hg_ns now_ns)
{
	uint64_t share_now = (uint64_t)s->shares.clock << SHARE_TICK_SHIFT;

	if (!(t->flags & IN_SHARE) && t->finish < share_now)
		t->finish = share_now;
	t->flags &= (uint16_t)~ON_CREDIT;
	if (t->guarantee != 0 &&
	    guarantee_wake(&t->due_ns, t->reserve_ns, now_ns - t->emptied_at_ns >= t->idle_after_ns,
			   now_ns))
		t->flags |= ON_CREDIT;
}

void hg_sched_enter_tenant(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];

	if (is_parked(t->flags))
		return;
	if (t->blocked_head != 0 && !(t->flags & BLOCKED)) {
		t->flags |= BLOCKED;
		hg_wheel_push_front(&s->guarantees, tenant_idx | ID_BLOCKED);
	}
	if (calendar_is_empty(t))
		return;
	if (!(t->flags & IN_SHARE)) {
		uint64_t share_now = (uint64_t)s->shares.clock << SHARE_TICK_SHIFT;

		t->flags |= IN_SHARE;
		if (t->finish <= share_now) {
			t->finish = share_now;
			hg_wheel_push_front(&s->shares, tenant_idx);
		} else {
			hg_wheel_push(&s->shares, tenant_idx,
				      (int64_t)(t->finish >> SHARE_TICK_SHIFT));
		}
	}
	if (t->guarantee != 0 && !(t->flags & IN_GUARANTEE))
		tenant_guarantee_file(s, tenant_idx, t, now_ns);
}

void hg_sched_enter(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];

	if (!(node->flags & IN_SHARE)) {
		node->flags |= IN_SHARE;
		if (node->finish >> s->slot_shift <= t->slot_now) {
			if (node->finish < t->slot_now << s->slot_shift)
				node->finish = t->slot_now << s->slot_shift;
			calendar_put_first(t, idx, node);
		} else {
			calendar_file(s, t, idx, node);
		}
	}
	if (node->guarantee != 0 && !(node->flags & (IN_GUARANTEE | BLOCKED)))
		guarantee_file(s, idx, node, now_ns);
	if ((t->flags & (IN_SHARE | PARKED)) != IN_SHARE ||
	    (t->guarantee != 0 && !(t->flags & IN_GUARANTEE)))
		hg_sched_enter_tenant(s, node->tenant_idx, now_ns);
}

/* ---- parking ------------------------------------------------------------------------------------ */

/* The first tick at which the wait is over. */
static int64_t tick_from(hg_ns until_ns)
{
	return tick_of(until_ns + (INT64_C(1) << TICK_SHIFT) - 1);
}

static uint16_t parked_flags(uint16_t flags, unsigned kind)
{
	flags = next_park_gen((uint16_t)(flags & ~(unsigned)BY_PKTS));
	return (uint16_t)(flags | PARKED | (kind == HG_CAP_PKTS ? BY_PKTS : 0u));
}

/* Requires that no turn is running. */
static void park(struct hg_sched *s, uint32_t idx, struct hg_cap_wait wait, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];

	node->flags = parked_flags(node->flags, wait.kind);
	s->cold[idx].parked_ns[parked_by(node->flags)] -= now_ns;
	t->n_parked++;
	tenant_account(t, now_ns);
	hg_wheel_push(&s->waits, park_id(idx, ID_INSTANCE, node->flags), tick_from(wait.until_ns));
}

static void park_tenant(struct hg_sched *s, uint32_t tenant_idx, struct hg_cap_wait wait,
			hg_ns now_ns)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];

	t->flags = (uint16_t)(parked_flags(t->flags, wait.kind) | WAS_PARKED);
	t->parked_ns[parked_by(t->flags)] -= now_ns;
	tenant_account(t, now_ns);
	hg_wheel_push(&s->waits, park_id(tenant_idx, ID_TENANT, t->flags),
		      tick_from(wait.until_ns));
}

void hg_sched_unpark(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];

	s->cold[idx].parked_ns[parked_by(node->flags)] += now_ns;
	node->flags &= (uint16_t)~PARKED;
	t->n_parked--;
	if (node->queued_pkts == 0)
		return;
	tenant_account(t, now_ns);
	turn_begin(node, &s->cold[idx], t, now_ns);
	if (node->guarantee != 0)
		instance_guarantee_wake(s, idx, 0, now_ns);
	hg_sched_enter(s, idx, now_ns);
}

void hg_sched_unpark_tenant(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];

	t->parked_ns[parked_by(t->flags)] += now_ns;
	t->flags &= (uint16_t)~PARKED;
	tenant_account(t, now_ns);
	hg_sched_enter_tenant(s, tenant_idx, now_ns);
}

/* Ends the waits that are over, up to a batch of them. Returns whether there was one. */
static bool unpark_due(struct hg_sched *s, hg_ns now_ns)
{
	bool was_any = false;

	for (unsigned i = 0; i < UNPARK_BATCH && hg_wheel_is_due(&s->waits, tick_of(now_ns)); i++) {
		uint32_t id = hg_wheel_pop(&s->waits).id;
		uint32_t idx = id & ID_IDX_MASK;

		was_any = true;
		if ((id & ID_KIND_MASK) == ID_TENANT) {
			uint16_t flags = s->tenants[idx].flags;

			if (is_parked(flags) && park_id(idx, ID_TENANT, flags) == id)
				hg_sched_unpark_tenant(s, idx, now_ns);
		} else {
			uint16_t flags = s->nodes[idx].flags;

			if (is_parked(flags) && park_id(idx, ID_INSTANCE, flags) == id)
				hg_sched_unpark(s, idx, now_ns);
		}
	}
	return was_any;
}

/* ---- push --------------------------------------------------------------------------------------- */

/* What the maxima say to the first packet of an instance. */
static struct hg_cap_wait instance_wait(const struct hg_sched *s, uint32_t idx, uint32_t wire_bytes,
					uint32_t parts, hg_ns now_ns)
{
	return hg_cap_next(&s->caps->instance_bytes[idx], &s->caps->instance_pkts[idx], wire_bytes,
			   parts, now_ns);
}

static struct hg_cap_wait tenant_wait(const struct hg_sched *s, uint32_t idx, uint32_t wire_bytes,
				      uint32_t parts, hg_ns now_ns)
{
	return hg_cap_next(&s->caps->tenant_bytes[idx], &s->caps->tenant_pkts[idx], wire_bytes,
			   parts, now_ns);
}

/* An instance that had nothing queued has something now. */
static void wake(struct hg_sched *s, uint32_t idx, hg_ns emptied_at_ns, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];

	if (t->n_backlogged++ == 0)
		tenant_wake(s, t, now_ns);
	if (HG_UNLIKELY(node->flags & CAPPED)) {
		const struct hg_fifo_entry *first = &s->fifo.entries[node->head];
		struct hg_cap_wait wait =
			instance_wait(s, idx, first->wire_bytes, first->parts, now_ns);

		if (wait.until_ns > now_ns) {
			park(s, idx, wait, now_ns);
			return;
		}
	}
	tenant_account(t, now_ns);
	turn_begin(node, &s->cold[idx], t, now_ns);
	if (node->guarantee != 0)
		instance_guarantee_wake(s, idx, now_ns - emptied_at_ns, now_ns);
	hg_sched_enter(s, idx, now_ns);
}

/* In two passes: first every packet is stored, without a branch that depends on the state of the
 * scheduler, then those are woken that had nothing. */
static void push_batch(struct hg_sched *s, const struct hg_sched_item *items, unsigned n,
		       hg_ns now_ns)
{
	struct {
		uint32_t idx;
		hg_ns emptied_at_ns;
	} woken[PUSH_BATCH];
	unsigned n_woken = 0;

	for (unsigned i = 0; i < n; i++)
		HG_PREFETCH(&s->nodes[items[i].instance_idx]);
	for (unsigned i = 0; i < n; i++) {
		const struct hg_sched_item *item = &items[i];
		struct hg_node *node = &s->nodes[item->instance_idx];
		struct hg_tenant *t = &s->tenants[node->tenant_idx];
		size_t offset = (size_t)((const char *)item->pkt - s->pkt_base);
		struct hg_fifo_entry entry = {.handle = (uint32_t)(offset / HG_CACHE_LINE_BYTES),
					      .wire_bytes = item->wire_bytes,
					      .parts = item->parts};

		if (node->queued_pkts == 0) {
			woken[n_woken].idx = item->instance_idx;
			woken[n_woken++].emptied_at_ns = node->emptied_at_ns;
			hg_fifo_start(&s->fifo, &node->head, &node->tail, entry);
		} else {
			hg_fifo_push(&s->fifo, &node->tail, entry);
		}
		node->queued_pkts++;
		node->queued_bytes += item->wire_bytes;
		t->queued_pkts++;
		t->queued_bytes += item->wire_bytes;
	}
	for (unsigned i = 0; i < n_woken; i++)
		wake(s, woken[i].idx, woken[i].emptied_at_ns, now_ns);
	s->queued_pkts += n;
}

unsigned hg_sched_push(struct hg_sched *s, const struct hg_sched_item *items, unsigned n,
		       hg_ns now_ns)
{
	if (n > s->max_queued_pkts - s->queued_pkts)
		n = s->max_queued_pkts - s->queued_pkts;
	for (unsigned i = 0; i < n; i += PUSH_BATCH)
		push_batch(s, items + i, n - i < PUSH_BATCH ? n - i : PUSH_BATCH, now_ns);
	return n;
}

/* ---- serving ------------------------------------------------------------------------------------ */

void hg_sched_emptied(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];

	node->emptied_at_ns = now_ns;
	if (--t->n_backlogged == 0)
		t->emptied_at_ns = now_ns;
	tenant_account(t, now_ns);
}

/* Whether the maxima of both levels let a packet go; if so they are charged. */
static bool caps_take(struct hg_sched *s, struct pop *p, uint32_t idx, struct hg_fifo_entry entry,
		      enum outcome *ret_held)
{
	struct hg_node *node = &s->nodes[idx];
	uint32_t tenant_idx = node->tenant_idx;
	bool has_tenant = (s->tenants[tenant_idx].flags & CAPPED) != 0;
	struct hg_caps *caps = s->caps;

	if (node->flags & CAPPED) {
		p->wait = instance_wait(s, idx, entry.wire_bytes, entry.parts, p->now_ns);
		if (p->wait.until_ns > p->now_ns) {
			*ret_held = HELD;
			return false;
		}
	}
	if (has_tenant) {
		p->wait = tenant_wait(s, tenant_idx, entry.wire_bytes, entry.parts, p->now_ns);
		if (p->wait.until_ns > p->now_ns) {
			*ret_held = TENANT_HELD;
			return false;
		}
		hg_cap_charge(&caps->tenant_bytes[tenant_idx], &caps->tenant_pkts[tenant_idx],
			      entry.wire_bytes, entry.parts, p->now_ns);
	}
	if (node->flags & CAPPED)
		hg_cap_charge(&caps->instance_bytes[idx], &caps->instance_pkts[idx],
			      entry.wire_bytes, entry.parts, p->now_ns);
	return true;
}

/* Moves what was counted in the hot line to where it cannot wrap. */
static HG_NOINLINE void settle_counts(struct hg_node *node, struct hg_node_cold *cold)
{
	cold->sent_bytes += node->new_bytes;
	cold->sent_pkts += node->new_pkts;
	cold->guaranteed_bytes += node->new_guaranteed_bytes;
	node->new_bytes = 0;
	node->new_pkts = 0;
	node->new_guaranteed_bytes = 0;
}

static inline void count(struct hg_sched *s, struct pop *p, uint32_t idx, uint32_t n_buffers,
			 bool is_guaranteed)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];
	uint32_t bytes = p->got_bytes;

	p->taken_bytes += bytes;
	node->queued_bytes -= bytes;
	node->queued_pkts -= n_buffers;
	t->queued_bytes -= bytes;
	t->queued_pkts -= n_buffers;
	t->sent_bytes += bytes;
	t->sent_pkts += p->got_pkts;
	node->new_bytes += bytes;
	if (is_guaranteed) {
		node->new_guaranteed_bytes += bytes;
		t->guaranteed_bytes += bytes;
	}
	if (HG_UNLIKELY(node->new_bytes >> 31 != 0 || node->new_pkts + p->got_pkts > UINT16_MAX)) {
		settle_counts(node, &s->cold[idx]);
		s->cold[idx].sent_pkts += p->got_pkts;
	} else {
		node->new_pkts = (uint16_t)(node->new_pkts + p->got_pkts);
	}
}

/* One decision: packets of one instance, up to a quantum, as far as its maxima and the call allow. */
static inline enum outcome serve(struct hg_sched *s, struct pop *p, uint32_t idx,
				 bool is_guaranteed)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];
	const bool is_capped = ((node->flags | t->flags) & CAPPED) != 0;
	int64_t left_bytes = p->limit_bytes - p->taken_bytes;
	uint32_t n_left = node->queued_pkts, n_buffers = 0;
	uint32_t head = node->head, bytes = 0, parts = 0;
	enum outcome outcome = MORE;

	for (;;) {
		struct hg_fifo_entry entry = s->fifo.entries[head];

		if (bytes > 0 && bytes + entry.wire_bytes > s->quantum_bytes)
			break;
		if (HG_UNLIKELY(is_capped) && !caps_take(s, p, idx, entry, &outcome))
			break;
		*p->out++ = (struct hg_sched_item){
			.pkt = (void *)(uintptr_t)(s->pkt_base +
						   (size_t)entry.handle * HG_CACHE_LINE_BYTES),
			.instance_idx = idx,
			.wire_bytes = entry.wire_bytes,
			.parts = entry.parts,
		};
		bytes += entry.wire_bytes;
		parts += entry.parts;
		n_buffers++;
		head = hg_fifo_after(&s->fifo, head, --n_left == 0);
		if (n_left == 0) {
			outcome = EMPTIED;
			break;
		}
		if (p->out == p->end || (int64_t)bytes > left_bytes)
			break;
	}
	node->head = head;
	s->queued_pkts -= n_buffers;
	p->got_bytes = bytes;
	p->got_pkts = parts;
	count(s, p, idx, n_buffers, is_guaranteed);
	if (outcome == EMPTIED || outcome == HELD)
		turn_end(node, &s->cold[idx], t, p->now_ns);
	if (outcome == EMPTIED)
		hg_sched_emptied(s, idx, p->now_ns);
	return outcome;
}

/* Serves a tenant's instances in the order of their shares, up to a quantum. Returns the bytes. */
static uint32_t visit(struct hg_sched *s, struct pop *p, uint32_t tenant_idx, bool is_guaranteed)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];
	uint32_t total_bytes = 0;

	do {
		uint32_t idx = calendar_take(s, t);
		struct hg_node *node = &s->nodes[idx];
		enum outcome outcome;

		if (idx == NO_INSTANCE)
			break;
		if (t->current != NO_INSTANCE)
			HG_PREFETCH(&s->nodes[t->current]);
		outcome = serve(s, p, idx, is_guaranteed);
		total_bytes += p->got_bytes;
		node->finish += virtual_cost(s, node->weight, p->got_bytes);
		if (outcome == MORE) {
			calendar_file(s, t, idx, node);
		} else if (outcome == TENANT_HELD) {
			calendar_put_first(t, idx, node);
			park_tenant(s, tenant_idx, p->wait, p->now_ns);
			break;
		} else {
			node->flags &= (uint16_t)~IN_SHARE;
			if (outcome == HELD)
				park(s, idx, p->wait, p->now_ns);
		}
	} while (total_bytes < s->quantum_bytes && has_room(p));
	return total_bytes;
}

/* The sharing band: one visit of the tenant that is next in virtual time. */
static bool serve_shares(struct hg_sched *s, struct pop *p)
{
	uint32_t tenant_idx;
	struct hg_tenant *t;

	if (!hg_wheel_is_due(&s->shares, INT64_MAX))
		return false;
	tenant_idx = hg_wheel_pop(&s->shares).id;
	t = &s->tenants[tenant_idx];
	t->flags &= (uint16_t)~IN_SHARE;
	if (HG_UNLIKELY(is_parked(t->flags)))
		return true;
	t->finish +=
		virtual_cost(s, t->weight, visit(s, p, tenant_idx, /* is_guaranteed= */ false));
	if (is_parked(t->flags) || calendar_is_empty(t))
		return true;
	t->flags |= IN_SHARE;
	hg_wheel_push(&s->shares, tenant_idx, (int64_t)(t->finish >> SHARE_TICK_SHIFT));
	return true;
}

static inline hg_ns charge_due(hg_ns due_ns, pace32 pace, uint32_t bytes, hg_ns now_ns)
{
	if (HG_UNLIKELY(due_ns < now_ns - LAG_MAX_NS))
		due_ns = now_ns - LAG_MAX_NS;
	return due_ns + pace_cost_ns(pace, bytes);
}

/* Serves an instance out of its own guarantee. Its tenant's is charged too, but not further ahead than the
 * tenant's burst, so that reserves spent inside do not leave the tenant without. */
static enum outcome serve_due(struct hg_sched *s, struct pop *p, uint32_t idx)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];
	enum outcome outcome = serve(s, p, idx, /* is_guaranteed= */ true);

	node->due_ns = charge_due(node->due_ns, node->guarantee, p->got_bytes, p->now_ns);
	if (t->guarantee != 0) {
		t->due_ns = charge_due(t->due_ns, t->guarantee, p->got_bytes, p->now_ns);
		if (t->due_ns > p->now_ns + t->ahead_ns)
			t->due_ns = p->now_ns + t->ahead_ns;
	}
	if (outcome == MORE)
		guarantee_file(s, idx, node, p->now_ns);
	else if (outcome == HELD)
		park(s, idx, p->wait, p->now_ns);
	else if (outcome == TENANT_HELD)
		park_tenant(s, node->tenant_idx, p->wait, p->now_ns);
	return outcome;
}

static bool is_waiting(const struct hg_node *node)
{
	return node->queued_pkts > 0 && !is_parked(node->flags);
}

/* An entry of an instance has come up. Returns whether it counted. */
static bool instance_due(struct hg_sched *s, struct pop *p, uint32_t id)
{
	uint32_t idx = id & ID_IDX_MASK;
	struct hg_node *node = &s->nodes[idx];
	uint32_t tenant_idx = node->tenant_idx;
	struct hg_tenant *t = &s->tenants[tenant_idx];

	if (!(node->flags & IN_GUARANTEE) || guarantee_id(idx, ID_INSTANCE, node->flags) != id)
		return false;
	node->flags &= (uint16_t)~IN_GUARANTEE;
	if (!is_waiting(node))
		return false;
	if (tick_of(node->due_ns) > tick_of(p->now_ns)) {
		guarantee_file(s, idx, node, p->now_ns);
		return false;
	}
	if (!is_parked(t->flags) && serve_due(s, p, idx) != TENANT_HELD)
		return true;
	node->flags |= BLOCKED;
	hg_sched_block(s, t, idx);
	return true;
}

/* A tenant's own guarantee has come up. */
static bool tenant_due(struct hg_sched *s, struct pop *p, uint32_t id)
{
	uint32_t tenant_idx = id & ID_IDX_MASK;
	struct hg_tenant *t = &s->tenants[tenant_idx];

	if (!(t->flags & IN_GUARANTEE) || guarantee_id(tenant_idx, ID_TENANT, t->flags) != id)
		return false;
	t->flags &= (uint16_t)~IN_GUARANTEE;
	if (is_parked(t->flags) || calendar_is_empty(t))
		return false;
	if (tick_of(t->due_ns) > tick_of(p->now_ns)) {
		tenant_guarantee_file(s, tenant_idx, t, p->now_ns);
		return false;
	}
	t->due_ns = charge_due(t->due_ns, t->guarantee,
			       visit(s, p, tenant_idx, /* is_guaranteed= */ true), p->now_ns);
	if (!is_parked(t->flags) && !calendar_is_empty(t))
		tenant_guarantee_file(s, tenant_idx, t, p->now_ns);
	return true;
}

/* A tenant that was parked serves first the instances that fell due meanwhile, one at a time. */
static bool blocked_due(struct hg_sched *s, struct pop *p, uint32_t tenant_idx)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];
	struct hg_node *node;
	bool was_served = false;
	uint32_t idx;

	t->flags &= (uint16_t)~BLOCKED;
	if (is_parked(t->flags) || t->blocked_head == 0)
		return false;
	idx = s->pool.chunks[t->blocked_head].entries[t->blocked_at].id;
	node = &s->nodes[idx];
	node->flags &= (uint16_t)~BLOCKED;
	if (!is_waiting(node)) {
		blocked_drop_first(s, t);
	} else if (tick_of(node->due_ns) > tick_of(p->now_ns)) {
		blocked_drop_first(s, t);
		guarantee_file(s, idx, node, p->now_ns);
	} else if (serve_due(s, p, idx) == TENANT_HELD) {
		node->flags |= BLOCKED; /* and stays the first */
		return true;
	} else {
		blocked_drop_first(s, t);
		was_served = true;
	}
	hg_sched_enter_tenant(s, tenant_idx, p->now_ns);
	return was_served;
}

/* The guaranteed band: the node that has been due the longest. */
static bool serve_guarantees(struct hg_sched *s, struct pop *p)
{
	while (hg_wheel_is_due(&s->guarantees, tick_of(p->now_ns))) {
		uint32_t id = hg_wheel_pop(&s->guarantees).id;
		bool was_served;

		switch (id & ID_KIND_MASK) {
		case ID_TENANT:
			was_served = tenant_due(s, p, id);
			break;
		case ID_BLOCKED:
			was_served = blocked_due(s, p, id & ID_IDX_MASK);
			break;
		default:
			was_served = instance_due(s, p, id);
		}
		if (was_served)
			return true;
	}
	return false;
}

/* ---- pop ---------------------------------------------------------------------------------------- */

/* How far the root lets a call go: the bytes after which it must stop; negative: not at all. The root is
 * a link: a packet may begin while none is owed. */
static int64_t root_limit_bytes(const struct hg_sched *s, hg_ns now_ns)
{
	hg_ns zero_at_ns;

	if (s->root.pace.mantissa == 0)
		return INT64_MAX;
	zero_at_ns = hg_bucket_floor_ns(&s->root, now_ns);
	if (zero_at_ns > now_ns)
		return -1;
	return (int64_t)(((uint64_t)(now_ns - zero_at_ns) << s->root.pace.shift) /
			 s->root.pace.mantissa);
}

static void charge_root(struct hg_sched *s, int64_t bytes, hg_ns now_ns)
{
	const int64_t most = INT64_C(1) << 30; /* that a bucket can multiply */

	for (; bytes > 0; bytes -= most)
		hg_bucket_charge(&s->root, (uint32_t)(bytes < most ? bytes : most), now_ns);
}

unsigned hg_sched_pop(struct hg_sched *s, struct hg_sched_item *ret_items, unsigned n,
		      uint32_t max_bytes, hg_ns now_ns)
{
	struct pop p = {.out = ret_items,
			.end = ret_items + n,
			.limit_bytes = root_limit_bytes(s, now_ns),
			.now_ns = now_ns};

	if (p.limit_bytes > (int64_t)max_bytes - 1)
		p.limit_bytes = (int64_t)max_bytes - 1;
	if (s->queued_pkts == 0)
		return 0;
	unpark_due(s, now_ns);
	while (has_room(&p))
		if (!serve_guarantees(s, &p) && !serve_shares(s, &p) && !unpark_due(s, now_ns))
			break;
	if (s->root.pace.mantissa != 0)
		charge_root(s, p.taken_bytes, now_ns);
	return (unsigned)(p.out - ret_items);
}

hg_ns hg_sched_next_at(const struct hg_sched *s, hg_ns now_ns)
{
	hg_ns at_ns = now_ns, root_at_ns;

	if (s->queued_pkts == 0)
		return HG_NEVER;
	if (hg_wheel_is_empty(&s->shares)) {
		int64_t tick = hg_wheel_next_tick(&s->waits);

		if (tick == INT64_MAX)
			return HG_NEVER;
		at_ns = (hg_ns)((uint64_t)tick << TICK_SHIFT);
	}
	root_at_ns = s->root.pace.mantissa != 0 ? hg_bucket_floor_ns(&s->root, now_ns) : now_ns;
	if (at_ns < root_at_ns)
		at_ns = root_at_ns;
	return at_ns > now_ns ? at_ns : now_ns;
}

uint32_t hg_sched_queued_pkts(const struct hg_sched *s)
{
	return s->queued_pkts;
}

uint32_t hg_sched_instance_queued_bytes(const struct hg_sched *s, uint32_t instance_idx)
{
	return s->nodes[instance_idx].queued_bytes;
}
