/* sched_impl: the state of one scheduler, and the moves that its two halves share.
 *
 * Why        core/sched.c decides packet by packet, core/sched_node.c changes and samples nodes. Both
 *            work on the same lines; how those lines are laid out is the speed of the whole.
 * Model      An instance with something queued is in exactly one of two states:
 *
 *              waiting   in its tenant's calendar (IN_SHARE), and if it has a minimum in one of the wheels
 *                        of guarantees (IN_GUARANTEE), or, found due while its tenant was parked, in
 *                        the tenant's own queue (BLOCKED)
 *              parked    its own maximum is reached: an entry in the wheel of waits names the time
 *
 *            and so has a tenant: it is in the wheel of shares, or parked. Flags say which structures
 *            hold an entry; an entry whose node has moved on is dropped when it comes up. Two flags, not
 *            one state: an instance may have left the one order and still be entered in the other.
 * Guarantees A byte is due from R on and should be served before R + quantum / rate. Who is due is served
 *            by earliest deadline: by R alone, one of a high rate would stand behind a herd of low ones for
 *            longer than its burst allows. (Liu and Layland, 1973; WF2Q: Bennett and Zhang, 1996.)
 * Hints      carry a generation, so that one which a live change has overtaken dies; all that a wrong one
 *            could do is to make a node be looked at early.
 * Held time  A counter that runs is stored less the time at which it began to run: starting it subtracts
 *            now, stopping it adds now. What a tenant's parking took of an instance's turn is likewise a
 *            difference of the tenant's own counter, so nobody walks over instances.
 * Memory     128 bytes an instance: queue 16, node 64, and 48 that are seldom touched; 256 a tenant.
 * Not here   Nothing outside core/sched*.c includes this.
 */
#ifndef HG_CORE_SCHED_IMPL_H
#define HG_CORE_SCHED_IMPL_H

#include "core/bucket.h"
#include "core/caps.h"
#include "core/fifo.h"
#include "core/sched.h"
#include "core/wheel.h"

/* ns in a tick, as a shift: 512 ns. A full frame at 40 Gbit/s takes 308 ns; with ticks of 1,024 ns a
 * maximum of 40 Gbit/s was missed by 3.4 frames in a window of 100 ms, with these by 1.7. */
#define TICK_SHIFT 9u
/* Two full frames: a visit of a tenant or an instance costs little beside them, and a round of
 * 256 tenants stays below a millisecond at 10 Gbit/s. */
#define QUANTUM_DEFAULT_BYTES 3096u
/* Virtual time: 1/1024 of a byte at weight 1. 1,000 weights fit with an error below 10^-6. */
#define VIRTUAL_SHIFT 21u
/* One tick of the wheel of shares: 1 KiB at weight 1. A default quantum is three ticks, so a tenant's
 * entry seldom cascades. */
#define SHARE_TICK_SHIFT 20u
/* How much those who wake may take ahead of others that are due, as time of the link: eight full frames
 * at 10 Gbit/s. More would show in the others' guarantees where their bursts are small. */
#define WAKE_AHEAD_NS (10 * HG_NS_PER_US)
/* A guarantee that lags longer than this was not to be kept (the link stood still): what is older is
 * forgiven, so that the sharing band is not shut out to make up for it. */
#define LAG_MAX_NS (100 * HG_NS_PER_MS)

#define CALENDAR_SLOTS 16u
#define NO_INSTANCE UINT32_MAX

/* What an entry of a wheel names: idx in bits 0 to 19, kind in 20 and 21, generation in 24 to 31. */
#define ID_IDX_MASK 0xfffffu
#define ID_KIND_MASK 0x300000u
#define ID_INSTANCE 0u
#define ID_TENANT 0x100000u
#define ID_BLOCKED 0x200000u /* the queue of a tenant's blocked instances */
#define ID_GEN_SHIFT 24u

enum {
	IN_SHARE = 1u << 0, /* in the calendar of its tenant; of a tenant: in the wheel of shares */
	IN_GUARANTEE = 1u << 1, /* an entry of this generation is in `starts` or `deadlines` */
	BLOCKED = 1u << 2, /* in its tenant's queue; of a tenant: that queue is in the wheel */
	PARKED = 1u << 3,
	BY_PKTS = 1u << 4, /* parked by the packet rate */
	CAPPED = 1u << 5, /* has a row in hg_caps */
	ON_CREDIT = 1u << 6, /* spending the reserve that it found on waking */
	IS_SET = 1u << 7,
	WAS_PARKED = 1u << 8, /* of a tenant: its parked_ns are not all zero, or run */
	PARK_GEN_SHIFT = 9, /* 3 bits */
	PARK_GEN_MASK = 7u << PARK_GEN_SHIFT,
	GUARANTEE_GEN_SHIFT = 12, /* 4 bits */
	GUARANTEE_GEN_MASK = 15u << GUARANTEE_GEN_SHIFT,
};

/* Time per byte in one word: 26 bits of mantissa over 6 of shift. 0: none. */
typedef uint32_t pace32;

/* What an instance has queued: all that push touches but for the packets' own place. Packed apart from the
 * node, so that 32,768 of them stay in a second-level cache. */
struct hg_queue {
	union {
		struct {
			uint32_t head, tail; /* with something queued: see core/fifo.h */
		};
		hg_ns emptied_at_ns; /* with nothing queued */
	};
	uint32_t bytes;
	uint32_t n_pkts;
};

struct hg_node { /* an instance: the line that every decision touches */
	hg_ns due_ns; /* R: when the next guaranteed byte is due */
	hg_ns turn_ns; /* time spent waiting, not parked; runs while so */
	uint64_t finish; /* F: virtual time up to which it was served by share */
	uint64_t sent_bytes;
	uint32_t next; /* in the calendar */
	uint32_t tenant_idx : 20;
	uint32_t weight : 12;
	pace32 guarantee;
	uint32_t reserve_bytes;
	uint32_t idle_after_us;
	uint32_t new_pkts; /* sent, not yet in the cold line */
	uint32_t new_guaranteed_bytes; /* likewise */
	uint16_t flags;
};

struct hg_node_cold {
	hg_ns parked_ns[2]; /* by its maximum in bytes, in packets; run while parked */
	hg_ns tenant_ns[2]; /* of turn_ns, those with its tenant parked, likewise */
	uint64_t sent_pkts;
	uint64_t guaranteed_bytes;
};

struct hg_tenant {
	/* What a decision touches. */
	_Alignas(HG_CACHE_LINE_BYTES) hg_ns due_ns;
	uint64_t finish;
	uint64_t slot_now; /* of the calendar: the slot being served, counted from the beginning */
	uint64_t sent_bytes;
	uint32_t current; /* the instances of it that are still to be served */
	uint32_t n_backlogged;
	uint32_t n_parked; /* of n_backlogged */
	uint32_t new_pkts; /* sent, not yet in sent_pkts */
	uint32_t new_guaranteed_bytes;
	pace32 guarantee;
	uint16_t full; /* a bit for each slot of the calendar that holds something */
	uint16_t weight;
	uint16_t flags;
	uint8_t held_by; /* enum hg_limit */
	uint8_t blocked_at; /* entry of the first chunk that is the first of the queue */

	uint32_t slot[CALENDAR_SLOTS]; /* lists through hg_node.next */

	uint64_t sent_pkts;
	uint64_t guaranteed_bytes;
	hg_ns emptied_at_ns;
	hg_ns reserve_ns; /* of the guarantee: what waking finds */
	hg_ns idle_after_ns;
	hg_ns held_since_ns;
	hg_ns parked_ns[2]; /* run while parked */

	hg_ns held_ns[HG_N_LIMITS - 1u]; /* without NONE */
	uint32_t blocked_head,
		blocked_tail; /* chunks of a first in, first out queue of instances */
	uint32_t n_instances;
};

struct hg_sched {
	const char *pkt_base;
	struct hg_caps *caps;
	struct hg_queue *queues;
	struct hg_node *nodes;
	struct hg_node_cold *cold;
	struct hg_tenant *tenants;
	uint32_t queued_pkts;
	uint32_t max_queued_pkts;
	uint32_t max_tenants;
	uint32_t max_instances;
	uint32_t quantum_bytes;
	uint32_t slot_shift; /* of a tenant's calendar: virtual time to slots */
	struct hg_fifo_pool fifo;
	struct hg_bucket root;
	struct hg_wheel_pool pool;
	struct hg_wheel starts; /* guarantees that are not due yet, by when they are */
	struct hg_wheel deadlines; /* those that are, by when they should have been served */
	hg_ns jumped_until_ns; /* what wakers have taken ahead of deadlines, as time of the link */
	struct hg_wheel waits; /* by the time at which a maximum allows again */
	struct hg_wheel shares; /* tenants by virtual time */
	uint32_t inverse[HG_WEIGHT_MAX + 1u]; /* 2^31 / weight */
};

static inline int64_t tick_of(hg_ns at_ns)
{
	return at_ns >> TICK_SHIFT;
}

/* Rounded to the nearest ns, so that small charges do not add up to a drift. */
static inline hg_ns pace_cost_ns(pace32 pace, uint32_t bytes)
{
	uint64_t scaled = (uint64_t)bytes * (pace >> 6);
	uint32_t shift = pace & 63u;

	return (hg_ns)((scaled + ((UINT64_C(1) << shift) >> 1)) >> shift);
}

static inline uint64_t virtual_cost(const struct hg_sched *s, uint32_t weight, uint32_t bytes)
{
	return ((uint64_t)bytes * s->inverse[weight]) >> VIRTUAL_SHIFT;
}

static inline uint32_t guarantee_id(uint32_t idx, uint32_t kind, uint16_t flags)
{
	return idx | kind | (uint32_t)flags >> GUARANTEE_GEN_SHIFT << ID_GEN_SHIFT;
}

static inline uint32_t park_id(uint32_t idx, uint32_t kind, uint16_t flags)
{
	return idx | kind | ((uint32_t)flags & PARK_GEN_MASK) >> PARK_GEN_SHIFT << ID_GEN_SHIFT;
}

static inline uint16_t next_guarantee_gen(uint16_t flags)
{
	return (uint16_t)(flags +
			  (1u << GUARANTEE_GEN_SHIFT)); /* the highest bits: wraps by itself */
}

static inline uint16_t next_park_gen(uint16_t flags)
{
	return (uint16_t)((flags & ~(unsigned)PARK_GEN_MASK) |
			  ((flags + (1u << PARK_GEN_SHIFT)) & PARK_GEN_MASK));
}

static inline bool is_parked(uint16_t flags)
{
	return (flags & PARKED) != 0;
}

static inline unsigned parked_by(uint16_t flags)
{
	return (flags & BY_PKTS) != 0; /* index of parked_ns */
}

/* Something queued, and held by nothing of its own. */
static inline bool is_waiting(const struct hg_sched *s, uint32_t idx)
{
	return s->queues[idx].n_pkts > 0 && !is_parked(s->nodes[idx].flags);
}

/* ---- packets ------------------------------------------------------------------------------------ */

/* How hg_sched_item lays out its load. */
static inline uint32_t load_bytes(uint32_t load)
{
	return load & HG_WIRE_MAX_BYTES;
}

static inline uint32_t load_parts(uint32_t load)
{
	return load >> 20;
}

static inline struct hg_sched_item item_of(const struct hg_sched *s, struct hg_fifo_entry entry,
					   uint32_t idx)
{
	size_t offset = (size_t)entry.handle * HG_CACHE_LINE_BYTES;

	return (struct hg_sched_item){.pkt = (void *)(uintptr_t)(s->pkt_base + offset),
				      .instance_idx = idx,
				      .load = entry.load};
}

/* ---- held times --------------------------------------------------------------------------------- */

/* The state of a tenant's own account: what holds it as a whole. */
static inline enum hg_limit tenant_held_by(const struct hg_tenant *t)
{
	if (t->n_backlogged == 0)
		return HG_LIMIT_NONE;
	if (is_parked(t->flags))
		return parked_by(t->flags) ? HG_LIMIT_TENANT_PKTS : HG_LIMIT_TENANT_MAX;
	return t->n_backlogged == t->n_parked ? HG_LIMIT_MAX : HG_LIMIT_LINK;
}

/* Books the time up to now when that state has changed. */
static inline void tenant_account(struct hg_tenant *t, hg_ns now_ns)
{
	enum hg_limit held_by = tenant_held_by(t);

	if (held_by == t->held_by)
		return;
	if (t->held_by != HG_LIMIT_NONE)
		t->held_ns[t->held_by - 1] += now_ns - t->held_since_ns;
	t->held_by = (uint8_t)held_by;
	t->held_since_ns = now_ns;
}

/* What a tenant was parked for, up to now, by its maximum in bytes (0) or in packets (1). */
static inline hg_ns tenant_parked_ns(const struct hg_tenant *t, unsigned by, hg_ns now_ns)
{
	return t->parked_ns[by] + (is_parked(t->flags) && parked_by(t->flags) == by ? now_ns : 0);
}

static inline void turn_begin(struct hg_node *node, struct hg_node_cold *cold,
			      const struct hg_tenant *t, hg_ns now_ns)
{
	node->turn_ns -= now_ns;
	if (t->flags & WAS_PARKED)
		for (unsigned by = 0; by < 2; by++)
			cold->tenant_ns[by] -= tenant_parked_ns(t, by, now_ns);
}

static inline void turn_end(struct hg_node *node, struct hg_node_cold *cold,
			    const struct hg_tenant *t, hg_ns now_ns)
{
	node->turn_ns += now_ns;
	if (t->flags & WAS_PARKED)
		for (unsigned by = 0; by < 2; by++)
			cold->tenant_ns[by] += tenant_parked_ns(t, by, now_ns);
}

/* What the maxima say to a packet. */
static inline struct hg_cap_wait instance_wait(const struct hg_sched *s, uint32_t idx,
					       uint32_t load, hg_ns now_ns)
{
	return hg_cap_next(&s->caps->instance_bytes[idx], &s->caps->instance_pkts[idx],
			   load_bytes(load), load_parts(load), now_ns);
}

static inline struct hg_cap_wait tenant_wait(const struct hg_sched *s, uint32_t idx, uint32_t load,
					     hg_ns now_ns)
{
	return hg_cap_next(&s->caps->tenant_bytes[idx], &s->caps->tenant_pkts[idx],
			   load_bytes(load), load_parts(load), now_ns);
}

/* The last packet of an instance has left. */
static inline void hg_sched_emptied(struct hg_sched *s, uint32_t idx, hg_ns now_ns)
{
	struct hg_tenant *t = &s->tenants[s->nodes[idx].tenant_idx];

	s->queues[idx].emptied_at_ns = now_ns;
	if (--t->n_backlogged == 0)
		t->emptied_at_ns = now_ns;
	tenant_account(t, now_ns);
}

/* ---- moves that all parts make (core/sched_enter.c) ------------------------------------------------- */

/* An instance begins to wait for its turn: into the calendar and the wheels, as far as it is not there. */
void hg_sched_enter(struct hg_sched *s, uint32_t idx, hg_ns now_ns);
/* A tenant may be served: into the wheels, as far as it has something to serve and is not there. */
void hg_sched_enter_tenant(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns);
/* A maximum holds an instance, whose turn is not running, or a tenant. */
void hg_sched_park(struct hg_sched *s, uint32_t idx, struct hg_cap_wait wait, hg_ns now_ns);
void hg_sched_park_tenant(struct hg_sched *s, uint32_t tenant_idx, struct hg_cap_wait wait,
			  hg_ns now_ns);
void hg_sched_unpark(struct hg_sched *s, uint32_t idx, hg_ns now_ns);
void hg_sched_unpark_tenant(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns);
/* Ends the waits that are over, up to a batch of them. Returns whether there was one. */
bool hg_sched_unpark_due(struct hg_sched *s, hg_ns now_ns);
/* Someone who has a guarantee begins after a time of quiet: what it may have in hand, and whether it spends
 * that as credit. */
void hg_sched_wake_guarantee(struct hg_sched *s, uint32_t idx, hg_ns quiet_ns, hg_ns now_ns);
void hg_sched_wake_tenant_guarantee(struct hg_tenant *t, hg_ns quiet_ns, hg_ns now_ns);
/* Appends an instance to its tenant's queue of those that are due but blocked. */
void hg_sched_block(struct hg_sched *s, struct hg_tenant *t, uint32_t idx);
/* The instances of a tenant that was parked go back to their deadlines. */
void hg_sched_unblock(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns);

#endif
