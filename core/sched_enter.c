#include "core/sched_account.h"
#include "core/sched_calendar.h"
#include "core/sched_class.h"
#include "core/sched_due.h"
#include "core/sched_held.h"

#define PUSH_BATCH 64u
/* Waits that are looked at before serving goes on: a mass of nodes whose time has come at once does not
 * hold up the packets of the others. */
#define UNPARK_BATCH 64u

/* ---- entering the orders ------------------------------------------------------------------------ */

/* What a guarantee has in hand for one who wakes: at most its reserve after idleness; after a pause at
 * least what WAKE_AHEAD_NS is worth. Returns whether it is more than that, to be spent as credit. */
static bool guarantee_wake(hg_ns *due_ns, hg_ns in_reserve_ns, bool was_idle, hg_ns now_ns)
{
	hg_ns most_ns = in_reserve_ns;

	if (!was_idle && most_ns < WAKE_AHEAD_NS)
		most_ns = WAKE_AHEAD_NS;
	if (*due_ns < now_ns - most_ns)
		*due_ns = now_ns - most_ns;
	return now_ns - *due_ns > WAKE_AHEAD_NS;
}

/* Whether the first packet of one who wakes may go ahead of those that are due: as long as not too much
 * has gone there already. */
static bool may_jump(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	uint32_t bytes = s->queues[idx].bytes;

	if (s->jumped_until_ns < now_ns)
		s->jumped_until_ns = now_ns;
	if (s->jumped_until_ns - now_ns > WAKE_AHEAD_NS)
		return false;
	if (bytes > s->quantum_bytes)
		bytes = s->quantum_bytes;
	s->jumped_until_ns += hg_pace_cost_ns(s->root.pace, bytes);
	return true;
}

/* One whose queue was put back never stopped waiting: what it lags behind is no credit. Returns whether it is one. */
static HG_NOINLINE bool guarantee_resume(uint32_t *flags, hg_ns *due_ns, hg_ns quiet_ns,
					 hg_ns now_ns)
{
	*flags &= ~(uint32_t)RESUMES;
	/* Nothing came back, and this is another packet. */
	if (quiet_ns > LAG_MAX_NS)
		return false;
	if (*due_ns < now_ns - LAG_MAX_NS)
		*due_ns = now_ns - LAG_MAX_NS;
	return true;
}

void hg_sched_wake_guarantee(struct hg_sched *s, uint32_t idx, hg_ns quiet_ns, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	bool was_idle = quiet_ns >= (hg_ns)node->idle_after_us * HG_NS_PER_US;

	node->flags &= ~(uint32_t)ON_CREDIT;
	if (HG_UNLIKELY(node->flags & RESUMES) &&
	    guarantee_resume(&node->flags, &node->due_ns, quiet_ns, now_ns))
		return;
	if (node->due_ns >= now_ns ||
	    !guarantee_wake(&node->due_ns, span_ns(node->reserve), was_idle, now_ns))
		return;
	node->flags |= ON_CREDIT;
	node->credit = span_up(now_ns - node->due_ns);
	if (was_idle && !(node->flags & (IN_GUARANTEE | BLOCKED)) && may_jump(s, idx, now_ns)) {
		node->flags |= IN_GUARANTEE;
		hg_wheel_push(&s->deadlines, guarantee_id(idx, ID_INSTANCE, node->flags),
			      tick_of(now_ns - WAKE_AHEAD_NS));
	}
}

void hg_sched_wake_tenant_guarantee(struct hg_tenant *t, hg_ns quiet_ns, hg_ns now_ns)
{
	t->flags &= ~(uint32_t)ON_CREDIT;
	if (HG_UNLIKELY(t->flags & RESUMES) &&
	    guarantee_resume(&t->flags, &t->due_ns, quiet_ns, now_ns))
		return;
	if (t->guarantee == 0 ||
	    !guarantee_wake(&t->due_ns, t->reserve_ns, quiet_ns >= t->idle_after_ns, now_ns))
		return;
	t->flags |= ON_CREDIT;
	t->credit_ns = now_ns - t->due_ns;
}

/* How far behind virtual time one may come back: who was away because it had nothing forgoes what it did not
 * use; who was held by the window may have lost its turn by a packet each time, and has it back, but not what
 * a card that stood still would add up to. */
static uint64_t least_finish(const struct hg_sched *s, uint32_t flags, uint32_t weight,
			     uint64_t virtual_now)
{
	uint64_t lag;

	if (!(flags & RETURNS))
		return virtual_now;
	lag = virtual_cost(s, weight, 2 * s->quantum_bytes);
	return lag < virtual_now ? virtual_now - lag : 0;
}

static void share_file(struct hg_sched *s, uint32_t tenant_idx, unsigned priority)
{
	struct hg_wheel *shares = &s->shares[priority];
	struct hg_share *share = share_of(s, tenant_idx, priority);
	uint32_t flags = s->tenants[tenant_idx].flags;
	uint64_t share_now = (uint64_t)shares->clock << SHARE_TICK_SHIFT;

	if (share->finish > share_now &&
	    !may_go_first(s, flags, share->weight, share->finish - share_now)) {
		hg_wheel_push(shares, tenant_idx, (int64_t)(share->finish >> SHARE_TICK_SHIFT));
		return;
	}
	share_now = least_finish(s, flags, share->weight, share_now);
	if (share->finish < share_now)
		share->finish = share_now;
	hg_wheel_push_front(shares, tenant_idx);
}

/* Enters a tenant in the wheel of a band, if it has something to serve there. Returns whether it has. */
static bool enter_band(struct hg_sched *s, uint32_t tenant_idx, unsigned priority, hg_ns now_ns)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];

	if (is_share_empty(share_of(s, tenant_idx, priority)))
		return false;
	if (t->flags & in_band(priority))
		return true;
	t->flags |= in_band(priority);
	if (HG_UNLIKELY(s->has_bands) && hg_wheel_is_empty(&s->shares[priority]))
		s->bands[priority].served_at_ns = now_ns;
	share_file(s, tenant_idx, priority);
	return true;
}

void hg_sched_enter_tenant(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];
	bool has_turn;

	if (is_parked(t->flags))
		return;
	has_turn = enter_band(s, tenant_idx, HG_PRIORITY_NORMAL, now_ns);
	if (HG_UNLIKELY(t->flags & HAS_BANDS)) {
		has_turn |= enter_band(s, tenant_idx, HG_PRIORITY_HIGH, now_ns);
		has_turn |= enter_band(s, tenant_idx, HG_PRIORITY_LOW, now_ns);
	}
	if (has_turn && t->guarantee != 0 && !(t->flags & IN_GUARANTEE))
		tenant_guarantee_file(s, tenant_idx, t, now_ns);
}

/* An instance begins to wait for its turn: first, if it had less than its share, or little more; else in its place. */
static inline void enter_calendar(struct hg_sched *s, struct hg_share *share, uint32_t idx,
				  struct hg_node *node)
{
	const uint64_t share_now = share->slot_now << s->slot_shift;
	const uint64_t least = least_finish(s, node->flags, node->weight, share_now);
	const bool is_behind = node->finish < share_now;

	bool may_be_first;

	node->finish = node->finish < least ? least : node->finish;
	may_be_first = may_go_first(s, node->flags, node->weight, node->finish - share_now);
	may_be_first &= node->finish >> s->slot_shift == share->slot_now;
	if (may_be_first | is_behind)
		calendar_put_first(share, idx, node);
	else
		calendar_file(s, share, idx, node);
}

void hg_sched_enter(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];
	const unsigned priority = priority_of(node);
	const uint32_t in = in_band(priority);

	if (!(node->flags & IN_SHARE)) {
		node->flags |= IN_SHARE;
		enter_calendar(s, share_of(s, node->tenant_idx, priority), idx, node);
	}
	if (node->guarantee != 0 && !(node->flags & (IN_GUARANTEE | BLOCKED)))
		guarantee_file(s, idx, node, now_ns);
	if ((t->flags & (in | PARKED)) != in || (t->guarantee != 0 && !(t->flags & IN_GUARANTEE)))
		hg_sched_enter_tenant(s, node->tenant_idx, now_ns);
}

/* ---- parking ------------------------------------------------------------------------------------ */

/* The first tick at which the wait is over. */
static int64_t tick_from(hg_ns until_ns)
{
	return tick_of(until_ns + (INT64_C(1) << TICK_SHIFT) - 1);
}

static uint32_t parked_flags(uint32_t flags, unsigned kind)
{
	flags = next_park_gen(flags & ~(uint32_t)(BY_PKTS | BY_WINDOW));
	return flags | PARKED | (kind == HG_CAP_PKTS ? BY_PKTS : 0u);
}

/* Requires that no turn is running. */
void hg_sched_park(struct hg_sched *s, uint32_t idx, struct hg_cap_wait wait, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];

	node->flags = parked_flags(node->flags, wait.kind);
	s->cold[idx].parked_ns[parked_by(node->flags)] -= now_ns;
	t->n_parked++;
	tenant_account(s, t, now_ns);
	hg_wheel_push(&s->waits, park_id(idx, ID_INSTANCE, node->flags), tick_from(wait.until_ns));
}

void hg_sched_park_tenant(struct hg_sched *s, uint32_t tenant_idx, struct hg_cap_wait wait,
			  hg_ns now_ns)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];

	for (unsigned priority = 0; s->has_bands && priority < HG_N_PRIORITIES; priority++)
		t->overlap_ns[priority] -= band_behind_ns(s, priority, now_ns);
	t->flags = parked_flags(t->flags, wait.kind) | WAS_PARKED;
	t->parked_ns[parked_by(t->flags)] -= now_ns;
	tenant_account(s, t, now_ns);
	hg_wheel_push(&s->waits, park_id(tenant_idx, ID_TENANT, t->flags),
		      tick_from(wait.until_ns));
}

/* Whether all instances of a tenant that have something queued are held by their own maxima, up to now: then nobody can be
 * served out of the tenant's guarantee. */
static inline bool is_held_by_maxima_below(const struct hg_tenant *t)
{
	return t->held_by == HG_LIMIT_MAX;
}

static void forgive_tenant(const struct hg_sched *s, struct hg_tenant *t, hg_ns now_ns)
{
	t->due_ns = forgiven_ns(t->due_ns, t->guarantee, s->quantum_bytes, now_ns);
}

void hg_sched_hold(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];

	node->flags = parked_flags(node->flags, 0) | BY_WINDOW;
	s->side[idx].window_ns -= now_ns;
	held_append(s, idx);
	t->n_parked++;
	t->n_parked_by_window++;
	tenant_account(s, t, now_ns);
}

void hg_sched_unpark(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];

	if (is_held_by_maxima_below(t))
		forgive_tenant(s, t, now_ns);
	t->n_parked--;
	if (node->flags & BY_WINDOW) {
		s->side[idx].window_ns += now_ns;
		held_remove(s, idx);
		t->n_parked_by_window--;
		node->flags |= RETURNS;
		t->flags |= RETURNS;
	} else {
		s->cold[idx].parked_ns[parked_by(node->flags)] += now_ns;
		forgive(s, idx, now_ns);
	}
	node->flags &= ~(uint32_t)(PARKED | BY_WINDOW);
	turn_begin(s, idx, now_ns);
	tenant_account(s, t, now_ns);
	hg_sched_enter(s, idx, now_ns);
	node->flags &= ~(uint32_t)RETURNS;
	t->flags &= ~(uint32_t)RETURNS;
}

void hg_sched_unpark_tenant(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];

	t->parked_ns[parked_by(t->flags)] += now_ns;
	for (unsigned priority = 0; s->has_bands && priority < HG_N_PRIORITIES; priority++)
		t->overlap_ns[priority] += band_behind_ns(s, priority, now_ns);
	t->flags &= ~(uint32_t)PARKED;
	tenant_account(s, t, now_ns);
	forgive_tenant(s, t, now_ns);
	hg_sched_enter_tenant(s, tenant_idx, now_ns);
	hg_sched_unblock(s, tenant_idx, now_ns);
}

bool hg_sched_unpark_due(struct hg_sched *s, hg_ns now_ns)
{
	bool was_any = false;

	for (unsigned i = 0; i < UNPARK_BATCH && hg_wheel_is_due(&s->waits, tick_of(now_ns)); i++) {
		uint32_t id = hg_wheel_pop(&s->waits).id;
		uint32_t idx = id & ID_IDX_MASK;

		was_any = true;
		if ((id & ID_KIND_MASK) == ID_TENANT) {
			uint32_t flags = s->tenants[idx].flags;

			if (is_parked(flags) && park_id(idx, ID_TENANT, flags) == id)
				hg_sched_unpark_tenant(s, idx, now_ns);
		} else {
			uint32_t flags = s->nodes[idx].flags;

			if (is_parked(flags) && park_id(idx, ID_INSTANCE, flags) == id)
				hg_sched_unpark(s, idx, now_ns);
		}
	}
	return was_any;
}

/* ---- push --------------------------------------------------------------------------------------- */

/* An instance that had nothing queued has something now. */
static void wake(struct hg_sched *s, uint32_t idx, hg_ns emptied_at_ns, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];

	if (HG_UNLIKELY(s->window != NULL))
		hg_window_wants(s->window, idx, true);
	if (t->n_backlogged == 0)
		hg_sched_wake_tenant_guarantee(t, now_ns - t->emptied_at_ns, now_ns);
	else if (HG_UNLIKELY(is_held_by_maxima_below(t)))
		forgive_tenant(s, t, now_ns);
	t->n_backlogged++;
	if (HG_UNLIKELY(node->flags & CAPPED)) {
		struct hg_cap_wait wait =
			instance_wait(s, idx, s->fifo.entries[s->queues[idx].head].load, now_ns);

		if (wait.until_ns > now_ns) {
			node->flags &= ~(uint32_t)RESUMES;
			hg_sched_park(s, idx, wait, now_ns);
			return;
		}
	}
	turn_begin(s, idx, now_ns);
	tenant_account(s, t, now_ns);
	if (node->guarantee != 0)
		hg_sched_wake_guarantee(s, idx, now_ns - emptied_at_ns, now_ns);
	hg_sched_enter(s, idx, now_ns);
}

/* Stores a packet of an instance with classes. A new head may have to wait less for its tokens. */
static HG_NOINLINE void push_classed(struct hg_sched *s, uint32_t idx, unsigned class_idx,
				     struct hg_fifo_entry entry, hg_ns now_ns)
{
	struct hg_queue *queue = &s->queues[idx];
	uint32_t head = classes_push(s, idx, class_idx, entry);

	queue->bytes = queued_bytes(queue) + load_bytes(entry.load);
	if (queue->n_pkts++ > 0 && queue->head == head)
		return;
	queue->head = queue->tail = head;
	if (queue->n_pkts > 1 && is_parked(s->nodes[idx].flags) &&
	    !is_parked_by_window(s->nodes[idx].flags))
		hg_sched_unpark(s, idx, now_ns);
}

/* One burst, or a part of it. */
struct batch {
	const struct hg_sched_item *items;
	const uint8_t *classes; /* NULL: no instance has any */
	unsigned n;
	/* Bits for places in items: of packets for a chunk that has begun, and of all others. */
	uint64_t plain, others;
	/* Who had nothing. */
	struct {
		uint32_t idx;
		hg_ns emptied_at_ns;
	} woken[PUSH_BATCH];
	unsigned n_woken;
};

/* Asks for where each packet will stand, and for the nodes of those who have none. Who has none, or begins a chunk, cannot
 * be guessed, so nothing branches on it; the packets are parted instead. All of an instance are in the same part. What the
 * tail of an empty queue names is asked for in vain. */
static inline void part(const struct hg_sched *s, struct batch *b)
{
	uint64_t others = 0;

	for (unsigned i = 0; i < b->n; i++)
		HG_PREFETCH(&s->queues[b->items[i].instance_idx]);
	for (unsigned i = 0; i < b->n; i++) {
		const uint32_t tail = s->queues[b->items[i].instance_idx].tail;

		HG_PREFETCH(&s->fifo.entries[tail]);
		others |= (uint64_t)hg_fifo_needs_chunk(tail) << i;
	}
	b->others = others;
	b->plain = ~others & (~UINT64_C(0) >> (PUSH_BATCH - b->n));
	for (; others != 0; others &= others - 1u)
		HG_PREFETCH(&s->nodes[b->items[__builtin_ctzll(others)].instance_idx]);
}

static inline struct hg_fifo_entry entry_of(const struct hg_sched *s,
					    const struct hg_sched_item *item)
{
	size_t offset = (size_t)((const char *)item->pkt - s->pkt_base);

	return (struct hg_fifo_entry){.handle = (uint32_t)(offset / HG_CACHE_LINE_BYTES),
				      .load = item->load};
}

static inline void note_woken(struct batch *b, uint32_t idx, const struct hg_queue *queue)
{
	b->woken[b->n_woken].idx = idx;
	b->woken[b->n_woken++].emptied_at_ns = queue->emptied_at_ns;
}

/* Stores a packet behind others of its instance. */
static inline void push_behind(struct hg_sched *s, const struct hg_sched_item *item)
{
	struct hg_queue *queue = &s->queues[item->instance_idx];

	hg_fifo_push(&s->fifo, &queue->tail, entry_of(s, item));
	queue->n_pkts++;
	queue->bytes += load_bytes(item->load);
}

static inline void push_one(struct hg_sched *s, struct batch *b, const struct hg_sched_item *item)
{
	struct hg_queue *queue = &s->queues[item->instance_idx];

	if (queue->n_pkts > 0) {
		push_behind(s, item);
		return;
	}
	note_woken(b, item->instance_idx, queue);
	hg_fifo_start(&s->fifo, &queue->head, &queue->tail, entry_of(s, item));
	queue->n_pkts = 1;
	queue->bytes = load_bytes(item->load);
}

static inline void push_parted(struct hg_sched *s, struct batch *b)
{
	for (uint64_t left = b->plain; left != 0; left &= left - 1u)
		push_behind(s, &b->items[__builtin_ctzll(left)]);
	for (uint64_t left = b->others; left != 0; left &= left - 1u)
		push_one(s, b, &b->items[__builtin_ctzll(left)]);
}

static HG_NOINLINE void push_in_order(struct hg_sched *s, struct batch *b, hg_ns now_ns)
{
	for (unsigned i = 0; i < b->n; i++) {
		const struct hg_sched_item *item = &b->items[i];
		const struct hg_queue *queue = &s->queues[item->instance_idx];

		if (b->classes[i] == HG_CLASS_NONE) {
			push_one(s, b, item);
			continue;
		}
		if (queue->n_pkts == 0)
			note_woken(b, item->instance_idx, queue);
		push_classed(s, item->instance_idx, b->classes[i], entry_of(s, item), now_ns);
	}
}

/* First every packet is stored, then those are woken that had nothing. */
static void push_batch(struct hg_sched *s, struct batch *b, hg_ns now_ns)
{
	part(s, b);
	b->n_woken = 0;
	if (HG_LIKELY(b->classes == NULL))
		push_parted(s, b);
	else
		push_in_order(s, b, now_ns);
	for (unsigned i = 0; i < b->n_woken; i++) {
		const struct hg_tenant *t = &s->tenants[s->nodes[b->woken[i].idx].tenant_idx];

		HG_PREFETCH(t);
		HG_PREFETCH(&t->share.slot);
	}
	for (unsigned i = 0; i < b->n_woken; i++)
		wake(s, b->woken[i].idx, b->woken[i].emptied_at_ns, now_ns);
	s->queued_pkts += b->n;
	s->is_window_full = false;
}

unsigned hg_sched_push(struct hg_sched *s, const struct hg_sched_item *items, unsigned n,
		       hg_ns now_ns)
{
	return hg_sched_push_classed(s, items, NULL, n, now_ns);
}

unsigned hg_sched_push_classed(struct hg_sched *s, const struct hg_sched_item *items,
			       const uint8_t *classes, unsigned n, hg_ns now_ns)
{
	if (n > s->max_queued_pkts - s->queued_pkts)
		n = s->max_queued_pkts - s->queued_pkts;
	for (unsigned i = 0; i < n; i += PUSH_BATCH) {
		struct batch b;

		b.items = items + i;
		b.classes = classes != NULL ? classes + i : NULL;
		b.n = n - i < PUSH_BATCH ? n - i : PUSH_BATCH;
		push_batch(s, &b, now_ns);
	}
	return n;
}
