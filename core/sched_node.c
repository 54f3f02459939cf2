#include "core/sched_account.h"
#include "core/sched_class.h"
#include "core/sched_due.h"
#include "core/sched_held.h"
#include "core/sched_share.h"

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
_Static_assert(offsetof(struct hg_tenant, share.slot) == HG_CACHE_LINE_BYTES,
	       "the first line decides");
_Static_assert(sizeof(struct hg_tenant) % HG_CACHE_LINE_BYTES == 0, "tenants do not share lines");
_Static_assert(sizeof(struct hg_wheel_chunk) == HG_CACHE_LINE_BYTES, "a chunk is a line");

/* ---- memory ------------------------------------------------------------------------------------- */

/* Where the parts lie, from the beginning of the memory. */
struct layout {
	size_t queues, nodes, cold, tenants, classes, side, other_shares, blocked, links, chunks,
		fifo, end;
	uint32_t n_chunks;
};

static size_t add(size_t *at, size_t n_bytes)
{
	size_t begin = *at;

	*at += (n_bytes + HG_CACHE_LINE_BYTES - 1u) & ~(size_t)(HG_CACHE_LINE_BYTES - 1u);
	return begin;
}

/* Entries of wheels that may be there at once and count: a guarantee and a wait for each node, and
 * the shares of each tenant. */
static uint32_t max_live_entries(uint32_t max_tenants, uint32_t max_instances)
{
	return 2u * max_instances + (2u + HG_N_PRIORITIES) * max_tenants;
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

	l.n_chunks =
		hg_wheel_pool_chunks(max_live_entries(cfg->max_tenants, cfg->max_instances) +
					     max_dead_entries(cfg->max_tenants, cfg->max_instances),
				     /* n_wheels= */ 3 + HG_N_PRIORITIES);
	add(&at, sizeof(struct hg_sched));
	l.queues = add(&at, cfg->max_instances * sizeof(struct hg_queue));
	l.nodes = add(&at, cfg->max_instances * sizeof(struct hg_node));
	l.cold = add(&at, cfg->max_instances * sizeof(struct hg_node_cold));
	l.tenants = add(&at, cfg->max_tenants * sizeof(struct hg_tenant));
	l.classes = add(&at, cfg->max_instances * sizeof(struct hg_classes));
	l.side = add(&at, (cfg->max_instances + 1u) * sizeof(struct hg_node_side));
	l.other_shares = add(&at, 2u * cfg->max_tenants * sizeof(struct hg_other_share));
	l.blocked = add(&at, cfg->max_tenants * sizeof(struct hg_blocked));
	l.links = add(&at, cfg->max_instances * sizeof(struct hg_blocked_link));
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
	s->side = (struct hg_node_side *)(void *)(base + l.side);
	s->classes = (struct hg_classes *)(void *)(base + l.classes);
	s->other_shares = (struct hg_other_share *)(void *)(base + l.other_shares);
	s->blocked = (struct hg_blocked *)(void *)(base + l.blocked);
	s->blocked_links = (struct hg_blocked_link *)(void *)(base + l.links);
	s->window = cfg->window;
	s->max_queued_pkts = cfg->max_queued_pkts;
	s->max_tenants = cfg->max_tenants;
	s->max_instances = cfg->max_instances;
	s->quantum_bytes = cfg->quantum_bytes != 0 ? cfg->quantum_bytes : QUANTUM_DEFAULT_BYTES;
	s->largest_bytes =
		s->quantum_bytes > QUANTUM_DEFAULT_BYTES ? s->quantum_bytes : QUANTUM_DEFAULT_BYTES;
	s->slot_shift = slot_shift_for(s->quantum_bytes);
	ring_init(s);
	hg_fifo_pool_init(&s->fifo, base + l.fifo, cfg->max_queued_pkts);
	hg_wheel_pool_init(&s->pool, (struct hg_wheel_chunk *)(void *)(base + l.chunks),
			   l.n_chunks);
	hg_wheel_init(&s->starts, &s->pool, tick_of(now_ns));
	hg_wheel_init(&s->deadlines, &s->pool, tick_of(now_ns));
	hg_wheel_init(&s->waits, &s->pool, tick_of(now_ns));
	for (unsigned priority = 0; priority < HG_N_PRIORITIES; priority++) {
		hg_wheel_init(&s->shares[priority], &s->pool, 0);
		s->shares[priority].is_fifo = s->window != NULL;
	}
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

void hg_sched_set_lead(struct hg_sched *s, hg_ns lead_ns)
{
	s->lead_ns = lead_ns;
}

/* ---- entries that live changes have overtaken ----------------------------------------------------- */

static bool is_live_guarantee(void *owner, struct hg_wheel_entry entry)
{
	const struct hg_sched *s = owner;
	uint32_t idx = entry.id & ID_IDX_MASK;

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
	uint32_t flags = is_tenant ? s->tenants[idx].flags : s->nodes[idx].flags;

	return is_parked(flags) &&
	       park_id(idx, is_tenant ? ID_TENANT : ID_INSTANCE, flags) == entry.id;
}

static bool is_live_share(void *owner, struct hg_wheel_entry entry)
{
	const struct hg_sched *s = owner;

	return (s->tenants[entry.id].flags & IS_SET) != 0;
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

static uint32_t cap_flag(const struct hg_cap *row)
{
	return row->kinds != 0 ? CAPPED : 0;
}

static void refresh_tenant_flag(struct hg_sched *s, uint32_t tenant_idx)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];

	t->flags &= ~(uint32_t)CAPPED;
	if (s->caps != NULL)
		t->flags |= cap_flag(&s->caps->tenant_bytes[tenant_idx]);
}

static void refresh_instance_flag(struct hg_sched *s, uint32_t idx)
{
	struct hg_node *node = &s->nodes[idx];

	node->flags &= ~(uint32_t)CAPPED;
	if (s->caps != NULL)
		node->flags |= cap_flag(&s->caps->instance_bytes[idx]);
}

void hg_sched_refresh_tenant(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns)
{
	refresh_tenant_flag(s, tenant_idx);
	s->is_window_full = false;
	if (!is_parked(s->tenants[tenant_idx].flags))
		return;
	hg_sched_unpark_tenant(s, tenant_idx, now_ns);
	sweep_if_needed(s);
}

void hg_sched_refresh_instance(struct hg_sched *s, uint32_t instance_idx, hg_ns now_ns)
{
	refresh_instance_flag(s, instance_idx);
	s->is_window_full = false;
	if (!is_parked(s->nodes[instance_idx].flags))
		return;
	hg_sched_unpark(s, instance_idx, now_ns);
	sweep_if_needed(s);
}

static void init_tenant(struct hg_tenant *t, const struct hg_policy *policy, hg_ns now_ns)
{
	uint32_t gens = t->flags & (PARK_GEN_MASK | GUARANTEE_GEN_MASK);

	memset(t, 0, sizeof(*t));
	t->flags = gens | IS_SET;
	share_init(&t->share, 0);
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
	s->is_window_full = false;
	t->share.weight = (uint16_t)policy->weight;
	if (t->flags & HAS_BANDS) {
		share_of(s, tenant_idx, HG_PRIORITY_HIGH)->weight = t->share.weight;
		share_of(s, tenant_idx, HG_PRIORITY_LOW)->weight = t->share.weight;
	}
	t->idle_after_ns = policy->idle_after_ns;
	t->burst_bytes = (uint32_t)policy->burst_bytes;
	t->reserve_ns = pace_cost_ns(pace, (uint32_t)policy->reserve_bytes);
	if (t->guarantee == 0)
		t->due_ns = now_ns - t->reserve_ns;
	else
		t->due_ns = due_at_pace(t->due_ns, t->guarantee, pace, now_ns);
	t->guarantee = pace;
	if (pace != 0)
		tenant_ahead_bound(s, t, s->largest_bytes, now_ns);
	/* Whatever entry it has names another time now. */
	t->flags = next_guarantee_gen(t->flags & ~(uint32_t)(IN_GUARANTEE | ON_CREDIT));
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

/* Takes an instance out of the ring of a slot. */
static void slot_remove(struct hg_sched *s, struct hg_share *share, unsigned slot, uint32_t idx)
{
	uint32_t last = share->slot[slot], first = s->nodes[last].next;

	s->nodes[last].next = NO_INSTANCE;
	first = list_without(s, first, idx);
	share->slot[slot] = first;
	if (first == NO_INSTANCE) {
		share->full = (uint16_t)(share->full & ~(1u << slot));
		return;
	}
	for (last = first; s->nodes[last].next != NO_INSTANCE;)
		last = s->nodes[last].next;
	s->nodes[last].next = first;
	share->slot[slot] = last;
}

/* Takes an instance out of its tenant's calendar. O(instances that wait in it). */
static void calendar_remove(struct hg_sched *s, struct hg_share *share, uint32_t idx)
{
	share->current = list_without(s, share->current, idx);
	for (unsigned slot = 0; slot < CALENDAR_SLOTS; slot++)
		if ((uint32_t)share->full >> slot & 1u)
			slot_remove(s, share, slot, idx);
	s->nodes[idx].flags &= ~(uint32_t)IN_SHARE;
}

/* Takes an instance out of all that its tenant keeps. */
static void leave_tenant(struct hg_sched *s, uint32_t idx)
{
	const struct hg_node *node = &s->nodes[idx];

	if (node->flags & IN_SHARE)
		calendar_remove(s, share_of(s, node->tenant_idx, priority_of(node)), idx);
	hg_sched_block_no_more(s, idx);
}

static void init_instance(struct hg_sched *s, uint32_t idx, const struct hg_policy *policy,
			  hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	uint32_t gens = node->flags & (PARK_GEN_MASK | GUARANTEE_GEN_MASK);

	memset(node, 0, sizeof(*node));
	memset(&s->cold[idx], 0, sizeof(s->cold[idx]));
	if (s->window != NULL || s->has_bands)
		s->side[idx] = (struct hg_node_side){0};
	node->flags = gens | IS_SET;
	s->queues[idx] = (struct hg_queue){.emptied_at_ns = now_ns - policy->idle_after_ns,
					   .tail = HG_FIFO_NONE};
}

/* The first instance of another priority than normal: from now on bands are counted. */
static void begin_bands(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns)
{
	struct hg_tenant *t = &s->tenants[tenant_idx];

	if (!s->has_bands)
		for (unsigned priority = 0; priority < HG_N_PRIORITIES; priority++)
			s->bands[priority].served_at_ns = now_ns;
	s->has_bands = true;
	if (t->flags & HAS_BANDS)
		return;
	t->flags |= HAS_BANDS;
	share_init(share_of(s, tenant_idx, HG_PRIORITY_HIGH), t->share.weight);
	share_init(share_of(s, tenant_idx, HG_PRIORITY_LOW), t->share.weight);
}

static void set_priority(struct hg_sched *s, uint32_t idx, unsigned priority)
{
	struct hg_node *node = &s->nodes[idx];

	node->flags = (node->flags & ~(3u << PRIORITY_SHIFT)) | priority << PRIORITY_SHIFT;
	if (s->window != NULL)
		hg_window_set_priority(s->window, idx, priority);
}

/* Moves an instance, with what it has queued, to another tenant or priority. */
static void move_instance(struct hg_sched *s, uint32_t idx, uint32_t tenant_idx, unsigned priority,
			  hg_ns now_ns)
{
	struct hg_node *node = &s->nodes[idx];
	struct hg_tenant *from = &s->tenants[node->tenant_idx];
	struct hg_tenant *to = &s->tenants[tenant_idx];
	bool is_queued = s->queues[idx].n_pkts > 0;

	leave_tenant(s, idx);
	if (is_queued)
		turn_end(s, idx, now_ns);
	from->n_instances--;
	to->n_instances++;
	node->tenant_idx = tenant_idx & ID_IDX_MASK;
	set_priority(s, idx, priority);
	if (is_queued) {
		turn_begin(s, idx, now_ns);
		if (s->window != NULL)
			hg_window_wants(s->window, idx, true);
		if (--from->n_backlogged == 0)
			from->emptied_at_ns = now_ns;
		to->n_backlogged++;
		tenant_account(s, from, now_ns);
		tenant_account(s, to, now_ns);
	}
	node->finish = share_of(s, tenant_idx, priority)->slot_now << s->slot_shift;
}

int hg_sched_set_instance(struct hg_sched *s, uint32_t instance_idx, uint32_t tenant_idx,
			  const struct hg_policy *policy, hg_ns now_ns, struct hg_error *reterr)
{
	pace32 pace = pace_for(policy->min_bytes_per_s);
	struct hg_node *node;
	uint32_t tenant_before;
	hg_ns reserve_ns;

	if (instance_idx >= s->max_instances)
		return hg_error_set(reterr, -HG_EINVAL, "instance out of range", NULL);
	if (tenant_idx >= s->max_tenants || !(s->tenants[tenant_idx].flags & IS_SET))
		return hg_error_set(reterr, -HG_EINVAL, "the instance's tenant is not set", NULL);
	if (policy->priority >= HG_N_PRIORITIES)
		return hg_error_set(reterr, -HG_EINVAL, "no such priority", NULL);
	node = &s->nodes[instance_idx];
	if (policy->priority != HG_PRIORITY_NORMAL)
		begin_bands(s, tenant_idx, now_ns);
	if (!(node->flags & IS_SET)) {
		init_instance(s, instance_idx, policy, now_ns);
		node->tenant_idx = tenant_idx & ID_IDX_MASK;
		set_priority(s, instance_idx, policy->priority);
		node->finish = share_of(s, tenant_idx, policy->priority)->slot_now << s->slot_shift;
		s->tenants[tenant_idx].n_instances++;
	}
	s->is_window_full = false;
	tenant_before = node->tenant_idx;
	if (is_parked(node->flags))
		hg_sched_unpark(s, instance_idx, now_ns);
	if (node->tenant_idx != tenant_idx || priority_of(node) != policy->priority)
		move_instance(s, instance_idx, tenant_idx, policy->priority, now_ns);
	hg_sched_block_no_more(s, instance_idx);
	reserve_ns = pace_cost_ns(pace, (uint32_t)policy->reserve_bytes);
	node->reserve = span_down(reserve_ns);
	node->idle_after_us = (uint32_t)(policy->idle_after_ns / HG_NS_PER_US);
	if (node->idle_after_us > IDLE_AFTER_MAX_US)
		node->idle_after_us = IDLE_AFTER_MAX_US;
	node->weight = policy->weight & 0xfffu;
	if (node->guarantee == 0)
		node->due_ns = now_ns - reserve_ns;
	else
		node->due_ns = due_at_pace(node->due_ns, node->guarantee, pace, now_ns);
	node->guarantee = pace;
	node->flags = next_guarantee_gen(node->flags & ~(uint32_t)(IN_GUARANTEE | ON_CREDIT));
	refresh_instance_flag(s, instance_idx);
	if (s->queues[instance_idx].n_pkts > 0) {
		if (pace != 0)
			hg_sched_wake_guarantee(s, instance_idx, 0, now_ns);
		hg_sched_enter(s, instance_idx, now_ns);
	}
	hg_sched_unblock(s, tenant_before, now_ns);
	hg_sched_unblock(s, tenant_idx, now_ns);
	sweep_if_needed(s);
	return 0;
}

/* ---- removing ----------------------------------------------------------------------------------- */

int hg_sched_remove_instance(struct hg_sched *s, uint32_t instance_idx, hg_ns now_ns,
			     struct hg_error *reterr)
{
	struct hg_node *node;

	if (instance_idx >= s->max_instances || !(s->nodes[instance_idx].flags & IS_SET))
		return hg_error_set(reterr, -HG_EINVAL, "the instance is not set", NULL);
	node = &s->nodes[instance_idx];
	if (s->queues[instance_idx].n_pkts > 0)
		return hg_error_set(reterr, -HG_EBUSY, "packets of the instance are queued", NULL);
	leave_tenant(s, instance_idx);
	if (s->window != NULL)
		hg_window_wants(s->window, instance_idx, false);
	s->tenants[node->tenant_idx].n_instances--;
	node->flags = next_park_gen(
		next_guarantee_gen(node->flags & (PARK_GEN_MASK | GUARANTEE_GEN_MASK)));
	hg_sched_unblock(s, node->tenant_idx, now_ns);
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
	for (unsigned priority = 0; priority < HG_N_PRIORITIES; priority++)
		hg_wheel_sweep(&s->shares[priority], is_live_share, s);
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
	s->is_window_full = false;
	while (n_out < n && queue->n_pkts > 0) {
		struct hg_fifo_entry entry = s->fifo.entries[queue->head];

		ret_items[n_out++] = item_of(s, entry, instance_idx);
		queue->n_pkts--;
		queue->bytes -= load_bytes(entry.load);
		queue->head = node->flags & CLASSED
				      ? classes_after(s, instance_idx, load_bytes(entry.load),
						      queue->n_pkts == 0)
				      : hg_fifo_after(&s->fifo, queue->head, queue->n_pkts == 0);
	}
	s->queued_pkts -= n_out;
	if (queue->n_pkts == 0) {
		turn_end(s, instance_idx, now_ns);
		hg_sched_emptied(s, instance_idx, now_ns);
	}
	sweep_if_needed(s);
	return n_out;
}
