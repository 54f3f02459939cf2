#include "core/sched_impl.h"

#include <string.h>

#define IDLE_AFTER_MAX_US (HG_IDLE_AFTER_MAX_NS / HG_NS_PER_US)
#define MAX_NODES (UINT32_C(1) << 20)
#define MIN_QUEUED_PKTS 64u
#define MAX_QUEUED_PKTS (UINT32_C(1) << 26)
#define QUANTUM_MIN_BYTES 64u
#define QUANTUM_MAX_BYTES (UINT32_C(1) << 20)

_Static_assert(sizeof(struct hg_node) == HG_CACHE_LINE_BYTES, "a decision touches one line a node");
_Static_assert(sizeof(struct hg_node) + sizeof(struct hg_queue) + sizeof(struct hg_node_cold) ==
		       2 * HG_CACHE_LINE_BYTES,
	       "an idle instance costs as much as two lines");
_Static_assert(offsetof(struct hg_tenant, slot) == HG_CACHE_LINE_BYTES, "the first line decides");
_Static_assert(sizeof(struct hg_tenant) % HG_CACHE_LINE_BYTES == 0, "tenants do not share lines");
_Static_assert(sizeof(struct hg_wheel_chunk) == HG_CACHE_LINE_BYTES, "a chunk is a line");

/* ---- memory ------------------------------------------------------------------------------------- */

/* Where the parts lie, from the beginning of the memory. */
struct layout {
	size_t queues, nodes, cold, tenants, chunks, fifo, end;
	uint32_t n_chunks;
};

static size_t add(size_t *at, size_t n_bytes)
{
	size_t begin = *at;

	*at += (n_bytes + HG_CACHE_LINE_BYTES - 1u) & ~(size_t)(HG_CACHE_LINE_BYTES - 1u);
	return begin;
}

/* Entries of wheels that may be there at once and count: a guarantee and a wait for each node, a share and
 * a queue for each tenant. */
static uint32_t max_live_entries(uint32_t max_tenants, uint32_t max_instances)
{
	return 2u * max_instances + 4u * max_tenants;
}

/* Entries overtaken by live changes, beyond which they are swept out. */
static uint32_t max_dead_entries(uint32_t max_tenants, uint32_t max_instances)
{
	return max_instances + max_tenants + 1024u;
}

static struct layout layout_of(const struct hg_sched_cfg *cfg)
{
	struct layout l = {0};
	size_t at = 0;

	/* A tenant's queue of blocked instances has partly filled chunks at both ends. */
	l.n_chunks =
		hg_wheel_pool_chunks(max_live_entries(cfg->max_tenants, cfg->max_instances) +
					     max_dead_entries(cfg->max_tenants, cfg->max_instances),
				     /* n_wheels= */ 4) +
		2u * cfg->max_tenants;
	add(&at, sizeof(struct hg_sched));
	l.queues = add(&at, cfg->max_instances * sizeof(struct hg_queue));
	l.nodes = add(&at, cfg->max_instances * sizeof(struct hg_node));
	l.cold = add(&at, cfg->max_instances * sizeof(struct hg_node_cold));
	l.tenants = add(&at, cfg->max_tenants * sizeof(struct hg_tenant));
	l.chunks = add(&at, l.n_chunks * sizeof(struct hg_wheel_chunk));
	l.fifo = add(&at, hg_fifo_pool_size(cfg->max_queued_pkts));
	l.end = at;
	return l;
}

size_t hg_sched_size(const struct hg_sched_cfg *cfg)
{
	return layout_of(cfg).end;
}

static int check_cfg(const struct hg_sched_cfg *cfg, struct hg_error *reterr)
{
	if (cfg->max_tenants < 1 || cfg->max_tenants > MAX_NODES)
		return hg_error_set(reterr, -HG_EINVAL, "max_tenants is not in [1, 2^20]", NULL);
	if (cfg->max_instances < 1 || cfg->max_instances > MAX_NODES)
		return hg_error_set(reterr, -HG_EINVAL, "max_instances is not in [1, 2^20]", NULL);
	if (cfg->max_queued_pkts < MIN_QUEUED_PKTS || cfg->max_queued_pkts > MAX_QUEUED_PKTS)
		return hg_error_set(reterr, -HG_EINVAL, "max_queued_pkts is not in [64, 2^26]",
				    NULL);
	if (cfg->quantum_bytes != 0 &&
	    (cfg->quantum_bytes < QUANTUM_MIN_BYTES || cfg->quantum_bytes > QUANTUM_MAX_BYTES))
		return hg_error_set(reterr, -HG_EINVAL, "quantum_bytes is not in [64, 2^20]", NULL);
	return 0;
}

/* A slot of a calendar is half a quantum or a little less at weight 1: fine enough that a newcomer
 * waits for few others, coarse enough that the calendar spans some quanta. */
static uint32_t slot_shift_for(uint32_t quantum_bytes)
{
	uint32_t shift = 10;

	while ((UINT64_C(4) << (shift - 10u)) <= quantum_bytes)
		shift++;
	return shift;
}

int hg_sched_init(void *memory, const struct hg_sched_cfg *cfg, hg_ns now_ns,
		  struct hg_sched **ret_sched, struct hg_error *reterr)
{
	struct layout l;
	struct hg_sched *s = memory;
	char *base = memory;
	int r = check_cfg(cfg, reterr);

	if (r < 0)
		return r;
	l = layout_of(cfg);
	memset(s, 0, sizeof(*s));
	s->pkt_base = cfg->pkt_base;
	s->caps = cfg->caps;
	s->queues = (struct hg_queue *)(void *)(base + l.queues);
	s->nodes = (struct hg_node *)(void *)(base + l.nodes);
	s->cold = (struct hg_node_cold *)(void *)(base + l.cold);
	s->tenants = (struct hg_tenant *)(void *)(base + l.tenants);
	s->max_queued_pkts = cfg->max_queued_pkts;
	s->max_tenants = cfg->max_tenants;
	s->max_instances = cfg->max_instances;
	s->quantum_bytes = cfg->quantum_bytes != 0 ? cfg->quantum_bytes : QUANTUM_DEFAULT_BYTES;
	s->slot_shift = slot_shift_for(s->quantum_bytes);
	hg_fifo_pool_init(&s->fifo, base + l.fifo, cfg->max_queued_pkts);
	hg_wheel_pool_init(&s->pool, (struct hg_wheel_chunk *)(void *)(base + l.chunks),
			   l.n_chunks);
	hg_wheel_init(&s->starts, &s->pool, tick_of(now_ns));
	hg_wheel_init(&s->deadlines, &s->pool, tick_of(now_ns));
	hg_wheel_init(&s->waits, &s->pool, tick_of(now_ns));
	hg_wheel_init(&s->shares, &s->pool, 0);
	for (uint32_t w = 1; w <= HG_WEIGHT_MAX; w++)
		s->inverse[w] = ((UINT32_C(1) << 31) + w / 2u) / w;
	*ret_sched = s;
	return 0;
}

void hg_sched_set_root(struct hg_sched *s, uint64_t bytes_per_s, uint64_t burst_bytes, hg_ns now_ns)
{
	if (s->root.pace.mantissa == 0)
		hg_bucket_init(&s->root, bytes_per_s, burst_bytes, burst_bytes, HG_NEVER, now_ns);
	else
		hg_bucket_set(&s->root, bytes_per_s, burst_bytes, burst_bytes, HG_NEVER, now_ns);
}

/* ---- entries that live changes have overtaken ----------------------------------------------------- */

static bool is_live_guarantee(void *owner, struct hg_wheel_entry entry)
{
	const struct hg_sched *s = owner;
	uint32_t idx = entry.id & ID_IDX_MASK;

	if ((entry.id & ID_KIND_MASK) == ID_BLOCKED)
		return (s->tenants[idx].flags & BLOCKED) != 0;
	if ((entry.id & ID_KIND_MASK) == ID_TENANT)
		return (s->tenants[idx].flags & IN_GUARANTEE) != 0 &&
		       guarantee_id(idx, ID_TENANT, s->tenants[idx].flags) == entry.id;
	return (s->nodes[idx].flags & IN_GUARANTEE) != 0 &&
	       guarantee_id(idx, ID_INSTANCE, s->nodes[idx].flags) == entry.id;
}

static bool is_live_wait(void *owner, struct hg_wheel_entry entry)
{
	const struct hg_sched *s = owner;
	uint32_t idx = entry.id & ID_IDX_MASK;
	bool is_tenant = (entry.id & ID_KIND_MASK) == ID_TENANT;
	uint16_t flags = is_tenant ? s->tenants[idx].flags : s->nodes[idx].flags;

	return is_parked(flags) &&
	       park_id(idx, is_tenant ? ID_TENANT : ID_INSTANCE, flags) == entry.id;
}

static bool is_live_share(void *owner, struct hg_wheel_entry entry)
{
	const struct hg_sched *s = owner;

	return (s->tenants[entry.id].flags & IN_SHARE) != 0;
}

/* Called by whatever may leave a dead entry behind. */
static void sweep_if_needed(struct hg_sched *s)
{
	uint32_t live = max_live_entries(s->max_tenants, s->max_instances);
	uint32_t dead = max_dead_entries(s->max_tenants, s->max_instances);

	if (s->starts.n_entries + s->deadlines.n_entries + s->waits.n_entries < live + dead / 2u)
		return;
	hg_wheel_sweep(&s->starts, is_live_guarantee, s);
	hg_wheel_sweep(&s->deadlines, is_live_guarantee, s);
	hg_wheel_sweep(&s->waits, is_live_wait, s);
}

/* ---- setting ------------------------------------------------------------------------------------ */

/* The largest mantissa of 26 bits, so that the error is below 3 * 10^-8 for rates up to 1 GB/s. */
static pace32 pace_for(uint64_t bytes_per_s)
{
	uint64_t mantissa = 0;
	uint32_t shift = 34; /* 10^9 << 34 fits in 64 bits */

	if (bytes_per_s == 0)
		return 0;
	for (;; shift--) {
		mantissa = (((uint64_t)HG_NS_PER_S << shift) + bytes_per_s / 2u) / bytes_per_s;
		if (mantissa < UINT64_C(1) << 26 || shift == 0)
			break;
	}
	return (pace32)(mantissa << 6 | shift);
}

/* Converts a due time to another pace: what is owed or in hand stays the same in bytes. */
static hg_ns due_at_pace(hg_ns due_ns, pace32 from, pace32 to, hg_ns now_ns)
{
	hg_ns most_ns = LAG_MAX_NS * 10;
	hg_ns ahead_ns = due_ns - now_ns;
	uint64_t size, bytes;

	if (from == 0 || to == 0)
		return now_ns;
	if (ahead_ns < -most_ns)
		ahead_ns = -most_ns;
	size = (uint64_t)(ahead_ns < 0 ? -ahead_ns : ahead_ns);
	if (size >> (63u - (from & 63u)) != 0)
		return due_ns;
	bytes = (size << (from & 63u)) / (from >> 6);
	if (bytes > HG_BURST_MAX_BYTES)
		bytes = HG_BURST_MAX_BYTES;
	size = (uint64_t)pace_cost_ns(to, (uint32_t)bytes);
	return ahead_ns < 0 ? now_ns - (hg_ns)size : now_ns + (hg_ns)size;
}

static uint16_t cap_flag(const struct hg_cap *row)
{
	return row->kinds != 0 ? CAPPED : 0;
}

static void refresh_tenant_flag(struct hg_sched *s, uint32_t tenant_idx)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];

	t->flags &= (uint16_t)~CAPPED;
	if (s->caps != NULL)
		t->flags |= cap_flag(&s->caps->tenant_bytes[tenant_idx]);
}

static void refresh_instance_flag(struct hg_sched *s, uint32_t idx)
{
	struct hg_node *node = &s->nodes[idx];

	node->flags &= (uint16_t)~CAPPED;
	if (s->caps != NULL)
		node->flags |= cap_flag(&s->caps->instance_bytes[idx]);
}

void hg_sched_refresh_tenant(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns)
{
	refresh_tenant_flag(s, tenant_idx);
	if (!is_parked(s->tenants[tenant_idx].flags))
		return;
	hg_sched_unpark_tenant(s, tenant_idx, now_ns);
	sweep_if_needed(s);
}

void hg_sched_refresh_instance(struct hg_sched *s, uint32_t instance_idx, hg_ns now_ns)
{
	refresh_instance_flag(s, instance_idx);
	if (!is_parked(s->nodes[instance_idx].flags))
		return;
	hg_sched_unpark(s, instance_idx, now_ns);
	sweep_if_needed(s);
}

static void init_tenant(struct hg_tenant *t, const struct hg_policy *policy, hg_ns now_ns)
{
	uint16_t gens = t->flags & (PARK_GEN_MASK | GUARANTEE_GEN_MASK);

	memset(t, 0, sizeof(*t));
	t->flags = (uint16_t)(gens | IS_SET);
	t->current = NO_INSTANCE;
	t->emptied_at_ns = now_ns - policy->idle_after_ns;
	t->held_since_ns = now_ns;
}

int hg_sched_set_tenant(struct hg_sched *s, uint32_t tenant_idx, const struct hg_policy *policy,
			hg_ns now_ns, struct hg_error *reterr)
{
	pace32 pace = pace_for(policy->min_bytes_per_s);
	struct hg_tenant *t;

	if (tenant_idx >= s->max_tenants)
		return hg_error_set(reterr, -HG_EINVAL, "tenant out of range", NULL);
	t = &s->tenants[tenant_idx];
	if (!(t->flags & IS_SET))
		init_tenant(t, policy, now_ns);
	t->weight = (uint16_t)policy->weight;
	t->idle_after_ns = policy->idle_after_ns;
	t->reserve_ns = pace_cost_ns(pace, (uint32_t)policy->reserve_bytes);
	if (t->guarantee == 0)
		t->due_ns = now_ns - t->reserve_ns;
	else
		t->due_ns = due_at_pace(t->due_ns, t->guarantee, pace, now_ns);
	t->guarantee = pace;
	/* Whatever entry it has names another time now. */
	t->flags = next_guarantee_gen((uint16_t)(t->flags & ~(unsigned)(IN_GUARANTEE | ON_CREDIT)));
	refresh_tenant_flag(s, tenant_idx);
	if (t->n_backlogged > 0)
		hg_sched_wake_tenant_guarantee(t, 0, now_ns);
	if (is_parked(t->flags))
		hg_sched_unpark_tenant(s, tenant_idx, now_ns);
	else
		hg_sched_enter_tenant(s, tenant_idx, now_ns);
	sweep_if_needed(s);
	return 0;
}

/* The list that begins with `first`, without an instance. */
static uint32_t list_without(struct hg_sched *s, uint32_t first, uint32_t idx)
{
	uint32_t before = first;

	if (first == idx)
		return s->nodes[idx].next;
	while (before != NO_INSTANCE && s->nodes[before].next != idx)
		before = s->nodes[before].next;
	if (before != NO_INSTANCE)
		s->nodes[before].next = s->nodes[idx].next;
	return first;
}

/* Takes an instance out of its tenant's calendar. O(instances that wait in it). */
static void calendar_remove(struct hg_sched *s, struct hg_tenant *t, uint32_t idx)
{
	t->current = list_without(s, t->current, idx);
	for (unsigned slot = 0; slot < CALENDAR_SLOTS; slot++) {
		if (!((uint32_t)t->full >> slot & 1u))
			continue;
		t->slot[slot] = list_without(s, t->slot[slot], idx);
		if (t->slot[slot] == NO_INSTANCE)
			t->full = (uint16_t)(t->full & ~(1u << slot));
	}
	s->nodes[idx].flags &= (uint16_t)~IN_SHARE;
}

/* Takes an instance out of its tenant's queue of blocked ones, by marking its entry as nobody's. */
static void blocked_remove(struct hg_sched *s, struct hg_tenant *t, uint32_t idx)
{
	uint32_t old = t->blocked_head;
	uint32_t at = t->blocked_at;

	t->blocked_head = t->blocked_tail = 0;
	s->nodes[idx].flags &= (uint16_t)~BLOCKED;
	while (old != 0) {
		struct hg_wheel_chunk chunk = s->pool.chunks[old];

		hg_wheel_chunk_give(&s->pool, old);
		for (; at < chunk.n; at++)
			if (chunk.entries[at].id != idx)
				hg_sched_block(s, t, chunk.entries[at].id);
		at = 0;
		old = chunk.next;
	}
}

/* Takes an instance out of all that its tenant keeps. */
static void leave_tenant(struct hg_sched *s, uint32_t idx)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];

	if (node->flags & IN_SHARE)
		calendar_remove(s, t, idx);
	if (node->flags & BLOCKED)
		blocked_remove(s, t, idx);
}

static void init_instance(struct hg_sched *s, uint32_t idx, const struct hg_policy *policy,
			  hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	uint16_t gens = node->flags & (PARK_GEN_MASK | GUARANTEE_GEN_MASK);

	memset(node, 0, sizeof(*node));
	memset(&s->cold[idx], 0, sizeof(s->cold[idx]));
	node->flags = (uint16_t)(gens | IS_SET);
	s->queues[idx] = (struct hg_queue){.emptied_at_ns = now_ns - policy->idle_after_ns};
}

/* Moves an instance, with what it has queued, to another tenant. */
static void move_instance(struct hg_sched *s, uint32_t idx, uint32_t tenant_idx, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *from = &s->tenants[node->tenant_idx];
	struct hg_tenant *to = &s->tenants[tenant_idx];

	leave_tenant(s, idx);
	from->n_instances--;
	to->n_instances++;
	if (s->queues[idx].n_pkts > 0) {
		turn_end(node, &s->cold[idx], from, now_ns);
		turn_begin(node, &s->cold[idx], to, now_ns);
		if (--from->n_backlogged == 0)
			from->emptied_at_ns = now_ns;
		to->n_backlogged++;
		tenant_account(from, now_ns);
		tenant_account(to, now_ns);
	}
	node->tenant_idx = tenant_idx & ID_IDX_MASK;
	node->finish = to->slot_now << s->slot_shift;
}

int hg_sched_set_instance(struct hg_sched *s, uint32_t instance_idx, uint32_t tenant_idx,
			  const struct hg_policy *policy, hg_ns now_ns, struct hg_error *reterr)
{
	pace32 pace = pace_for(policy->min_bytes_per_s);
	struct hg_node *node;

	if (instance_idx >= s->max_instances)
		return hg_error_set(reterr, -HG_EINVAL, "instance out of range", NULL);
	if (tenant_idx >= s->max_tenants || !(s->tenants[tenant_idx].flags & IS_SET))
		return hg_error_set(reterr, -HG_EINVAL, "the instance's tenant is not set", NULL);
	node = &s->nodes[instance_idx];
	if (!(node->flags & IS_SET)) {
		init_instance(s, instance_idx, policy, now_ns);
		node->tenant_idx = tenant_idx & ID_IDX_MASK;
		node->finish = s->tenants[tenant_idx].slot_now << s->slot_shift;
		s->tenants[tenant_idx].n_instances++;
	}
	if (is_parked(node->flags))
		hg_sched_unpark(s, instance_idx, now_ns);
	if (node->tenant_idx != tenant_idx)
		move_instance(s, instance_idx, tenant_idx, now_ns);
	if (node->flags & BLOCKED)
		blocked_remove(s, &s->tenants[tenant_idx], instance_idx);
	node->reserve_bytes = (uint32_t)policy->reserve_bytes;
	node->idle_after_us = (uint32_t)(policy->idle_after_ns / HG_NS_PER_US);
	if (node->idle_after_us > IDLE_AFTER_MAX_US)
		node->idle_after_us = IDLE_AFTER_MAX_US;
	node->weight = policy->weight & 0xfffu;
	if (node->guarantee == 0)
		node->due_ns = now_ns - pace_cost_ns(pace, node->reserve_bytes);
	else
		node->due_ns = due_at_pace(node->due_ns, node->guarantee, pace, now_ns);
	node->guarantee = pace;
	node->flags =
		next_guarantee_gen((uint16_t)(node->flags & ~(unsigned)(IN_GUARANTEE | ON_CREDIT)));
	refresh_instance_flag(s, instance_idx);
	if (s->queues[instance_idx].n_pkts > 0) {
		if (pace != 0)
			hg_sched_wake_guarantee(s, instance_idx, 0, now_ns);
		hg_sched_enter(s, instance_idx, now_ns);
	}
	sweep_if_needed(s);
	return 0;
}

/* ---- removing ----------------------------------------------------------------------------------- */

int hg_sched_remove_instance(struct hg_sched *s, uint32_t instance_idx, hg_ns now_ns,
			     struct hg_error *reterr)
{
	struct hg_node *node;

	(void)now_ns;
	if (instance_idx >= s->max_instances || !(s->nodes[instance_idx].flags & IS_SET))
		return hg_error_set(reterr, -HG_EINVAL, "the instance is not set", NULL);
	node = &s->nodes[instance_idx];
	if (s->queues[instance_idx].n_pkts > 0)
		return hg_error_set(reterr, -HG_EBUSY, "packets of the instance are queued", NULL);
	leave_tenant(s, instance_idx);
	s->tenants[node->tenant_idx].n_instances--;
	node->flags = next_park_gen(
		next_guarantee_gen(node->flags & (PARK_GEN_MASK | GUARANTEE_GEN_MASK)));
	sweep_if_needed(s);
	return 0;
}

int hg_sched_remove_tenant(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns,
			   struct hg_error *reterr)
{
	struct hg_tenant *t;

	(void)now_ns;
	if (tenant_idx >= s->max_tenants || !(s->tenants[tenant_idx].flags & IS_SET))
		return hg_error_set(reterr, -HG_EINVAL, "the tenant is not set", NULL);
	t = &s->tenants[tenant_idx];
	if (t->n_instances > 0)
		return hg_error_set(reterr, -HG_EBUSY, "the tenant still has instances", NULL);
	t->flags =
		next_park_gen(next_guarantee_gen(t->flags & (PARK_GEN_MASK | GUARANTEE_GEN_MASK)));
	/* These entries carry no generation. */
	hg_wheel_sweep(&s->shares, is_live_share, s);
	hg_wheel_sweep(&s->starts, is_live_guarantee, s);
	hg_wheel_sweep(&s->deadlines, is_live_guarantee, s);
	return 0;
}

unsigned hg_sched_drain(struct hg_sched *s, uint32_t instance_idx, struct hg_sched_item *ret_items,
			unsigned n, hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[instance_idx];
	struct hg_queue *queue = &s->queues[instance_idx];
	struct hg_tenant *t = &s->tenants[node->tenant_idx];
	unsigned n_out = 0;

	if (queue->n_pkts == 0 || n == 0)
		return 0;
	/* Who waits for the first packet's tokens may have to wait less for the next one's. */
	if (is_parked(node->flags))
		hg_sched_unpark(s, instance_idx, now_ns);
	if (is_parked(t->flags))
		hg_sched_unpark_tenant(s, node->tenant_idx, now_ns);
	while (n_out < n && queue->n_pkts > 0) {
		struct hg_fifo_entry entry = s->fifo.entries[queue->head];

		ret_items[n_out++] = item_of(s, entry, instance_idx);
		queue->n_pkts--;
		queue->bytes -= load_bytes(entry.load);
		queue->head = hg_fifo_after(&s->fifo, queue->head, queue->n_pkts == 0);
	}
	s->queued_pkts -= n_out;
	if (queue->n_pkts == 0) {
		turn_end(node, &s->cold[instance_idx], t, now_ns);
		hg_sched_emptied(s, instance_idx, now_ns);
	}
	sweep_if_needed(s);
	return n_out;
}

/* ---- sampling ----------------------------------------------------------------------------------- */

static void sample_instance_held(const struct hg_sched *s, uint32_t idx,
				 struct hg_sched_stats *ret_stats, hg_ns now_ns)
{
	const struct hg_node *node = &s->nodes[idx];
	const struct hg_node_cold *cold = &s->cold[idx];
	const struct hg_tenant *t = &s->tenants[node->tenant_idx];
	const bool waits = is_waiting(s, idx);
	hg_ns turn_ns = node->turn_ns + (waits ? now_ns : 0);
	hg_ns tenant_ns[2], parked_ns[2];

	for (unsigned by = 0; by < 2; by++) {
		bool runs = is_parked(node->flags) && parked_by(node->flags) == by;

		parked_ns[by] = cold->parked_ns[by] + (runs ? now_ns : 0);
		tenant_ns[by] = cold->tenant_ns[by] + (waits ? tenant_parked_ns(t, by, now_ns) : 0);
	}
	ret_stats->held_ns[HG_LIMIT_MAX] = (uint64_t)parked_ns[0];
	ret_stats->held_ns[HG_LIMIT_PKTS] = (uint64_t)parked_ns[1];
	ret_stats->held_ns[HG_LIMIT_TENANT_MAX] = (uint64_t)tenant_ns[0];
	ret_stats->held_ns[HG_LIMIT_TENANT_PKTS] = (uint64_t)tenant_ns[1];
	ret_stats->held_ns[HG_LIMIT_LINK] = (uint64_t)(turn_ns - tenant_ns[0] - tenant_ns[1]);
}

static enum hg_limit instance_held_by(const struct hg_sched *s, uint32_t idx)
{
	const struct hg_node *node = &s->nodes[idx];
	const struct hg_tenant *t = &s->tenants[node->tenant_idx];

	if (s->queues[idx].n_pkts == 0)
		return HG_LIMIT_NONE;
	if (is_parked(node->flags))
		return parked_by(node->flags) ? HG_LIMIT_PKTS : HG_LIMIT_MAX;
	if (is_parked(t->flags))
		return parked_by(t->flags) ? HG_LIMIT_TENANT_PKTS : HG_LIMIT_TENANT_MAX;
	return HG_LIMIT_LINK;
}

void hg_sched_sample_instance(const struct hg_sched *s, uint32_t instance_idx,
			      struct hg_sched_stats *ret_stats, hg_ns now_ns)
{
	const struct hg_node *node = &s->nodes[instance_idx];
	const struct hg_node_cold *cold = &s->cold[instance_idx];
	const struct hg_queue *queue = &s->queues[instance_idx];
	hg_ns idle_after_ns = (hg_ns)node->idle_after_us * HG_NS_PER_US;

	*ret_stats = (struct hg_sched_stats){
		.sent_bytes = node->sent_bytes,
		.sent_pkts = cold->sent_pkts + node->new_pkts,
		.guaranteed_bytes = cold->guaranteed_bytes + node->new_guaranteed_bytes,
		.queued_bytes = queue->bytes,
		.queued_pkts = queue->n_pkts,
		.held_by = instance_held_by(s, instance_idx),
		.is_active = queue->n_pkts > 0 || now_ns - queue->emptied_at_ns < idle_after_ns,
	};
	sample_instance_held(s, instance_idx, ret_stats, now_ns);
}

void hg_sched_sample_tenant(const struct hg_sched *s, uint32_t tenant_idx,
			    struct hg_sched_stats *ret_stats, hg_ns now_ns)
{
	const struct hg_tenant *t = &s->tenants[tenant_idx];

	*ret_stats = (struct hg_sched_stats){
		.sent_bytes = t->sent_bytes,
		.sent_pkts = t->sent_pkts + t->new_pkts,
		.guaranteed_bytes = t->guaranteed_bytes + t->new_guaranteed_bytes,
		.held_by = (enum hg_limit)t->held_by,
		.is_active = t->n_backlogged > 0 || now_ns - t->emptied_at_ns < t->idle_after_ns,
	};
	for (uint32_t i = 0, n = t->n_instances; n > 0 && i < s->max_instances; i++) {
		const struct hg_node *node = &s->nodes[i];

		if (!(node->flags & IS_SET) || node->tenant_idx != tenant_idx)
			continue;
		ret_stats->queued_bytes += s->queues[i].bytes;
		ret_stats->queued_pkts += s->queues[i].n_pkts;
		n--;
	}
	for (unsigned i = 0; i < HG_N_LIMITS - 1u; i++)
		ret_stats->held_ns[i + 1u] = (uint64_t)t->held_ns[i];
	if (t->held_by != HG_LIMIT_NONE)
		ret_stats->held_ns[t->held_by] += (uint64_t)(now_ns - t->held_since_ns);
}
