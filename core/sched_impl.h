/* sched_impl: the state of one scheduler, and the moves that its two halves share.
 *
 * Why        core/sched.c decides packet by packet, core/sched_node.c changes and samples nodes. Both
 *            work on the same lines; how those lines are laid out is the speed of the whole.
 * Model      An instance with something queued is in exactly one of two states:
 *
 *              waiting   in its tenant's calendar (IN_SHARE), and if it has a minimum in one of the wheels
 *                        of guarantees (IN_GUARANTEE), or, found due while its tenant was parked,
 *                        among the tenant's blocked ones (BLOCKED)
 *              parked    its own maximum is reached: an entry in the wheel of waits names the time; or its
 *                        share of the window is in the card: it is in the list of those, until a release
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
 * Memory     128 bytes an instance: queue 16, node 64, and 48 that are seldom touched; 320 a tenant. What only
 *            a window, priorities, or maxima of tenants need is apart, and untouched without them.
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
/* What of a tenant's burst is left to lateness, in the largest that was served at once as yet, or the larger of quantum and
 * default quantum: the five that core/sched.h asks of a burst, and a margin. */
#define LATE_QUANTA 8u

#define CALENDAR_SLOTS 16u
#define NO_INSTANCE UINT32_MAX

/* What an entry of a wheel names: idx in bits 0 to 19, kind in 20 and 21, generation in 24 to 31. */
#define ID_IDX_MASK 0xfffffu
#define ID_KIND_MASK 0x300000u
#define ID_INSTANCE 0u
#define ID_TENANT 0x100000u
#define ID_GEN_SHIFT 24u

enum {
	IN_SHARE = 1u << 0, /* in the calendar of its tenant; of a tenant: in the wheel of shares */
	IN_GUARANTEE = 1u << 1, /* an entry of this generation is in `starts` or `deadlines` */
	BLOCKED = 1u << 2, /* among its tenant's blocked ones; of a tenant: it has some */
	PARKED = 1u << 3,
	BY_PKTS = 1u << 4, /* parked by the packet rate */
	BY_WINDOW =
		1u
		<< 5, /* parked by its share of the window, and in the list of those held by it */
	CAPPED = 1u << 6, /* has a row in hg_caps */
	ON_CREDIT = 1u << 7, /* spending the reserve that it found on waking */
	IS_SET = 1u << 8,
	WAS_PARKED = 1u << 9, /* of a tenant: its parked_ns are not all zero, or run */
	RETURNS = 1u << 10, /* is being entered after the window held it */
	HAS_BANDS = 1u << 11, /* of a tenant: it had instances of another priority than normal */
	IN_OTHER_SHARE =
		1u << 11, /* of a tenant, shifted by the priority: in the wheel of that band */
	PRIORITY_SHIFT = 14, /* of an instance: 2 bits, enum hg_priority */
	CLASSED = 1u << 18, /* of an instance: its packets stand in classes */
	RESUMES = 1u << 19, /* what it had queued comes back (core/sched_saved.h) */
	PARK_GEN_SHIFT = 24, /* 4 bits */
	GUARANTEE_GEN_SHIFT = 28, /* 4 bits */
};
#define PARK_GEN_MASK (15u << PARK_GEN_SHIFT)
#define GUARANTEE_GEN_MASK (15u << GUARANTEE_GEN_SHIFT)

/* Time per byte in one word: 26 bits of mantissa over 6 of shift. 0: none. */
typedef uint32_t pace32;

/* A time in two bytes, to within 0.1 %: 10 bits of mantissa, whose leading 1 is not stored, under 6 of exponent. */
typedef uint16_t span16;
#define SPAN16_BITS 10u

/* What an instance has queued: all that push touches but for the packets' own place. Packed apart from the
 * node, so that 32,768 of them stay in a second-level cache. */
struct hg_queue {
	union {
		struct { /* with something queued */
			uint32_t head; /* see core/fifo.h */
			uint32_t bytes;
		};
		hg_ns emptied_at_ns; /* with nothing queued */
	};
	uint32_t tail; /* with nothing queued HG_FIFO_NONE */
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
	span16 reserve; /* of the guarantee: what waking finds, rounded down */
	span16 credit; /* while ON_CREDIT: what of it is left, rounded up */
	uint32_t idle_after_us;
	uint32_t new_pkts; /* sent, not yet in the cold line */
	uint32_t new_guaranteed_bytes; /* likewise */
	uint32_t flags;
};

struct hg_node_cold {
	hg_ns parked_ns[2]; /* by its maximum in bytes, in packets; run while parked */
	hg_ns tenant_ns[2]; /* of turn_ns, those with its tenant parked, likewise */
	uint64_t sent_pkts;
	uint64_t guaranteed_bytes;
};

/* The part of a tenant in a band of shares: its place there, and its instances by virtual time. */
struct hg_share {
	uint64_t finish; /* F of the tenant */
	uint64_t slot_now; /* of the calendar: the slot being served, counted from the beginning */
	uint32_t current; /* the instances of it that are still to be served */
	uint16_t full; /* a bit for each slot of the calendar that holds something */
	uint16_t weight; /* of the tenant */
	uint32_t slot[CALENDAR_SLOTS]; /* rings through hg_node.next: the last */
};

struct hg_tenant {
	/* What a decision touches. */
	_Alignas(HG_CACHE_LINE_BYTES) hg_ns due_ns;
	uint64_t sent_bytes;
	uint32_t flags;
	uint32_t n_backlogged : 24;
	uint32_t held_by : 8; /* enum hg_limit */
	uint32_t n_parked : 24; /* of n_backlogged */
	uint32_t held_band : 8; /* held by the link: the highest band of those who wait */
	uint32_t new_pkts; /* sent, not yet in sent_pkts */
	uint32_t new_guaranteed_bytes;
	pace32 guarantee;
	struct hg_share share;

	uint64_t sent_pkts;
	uint64_t guaranteed_bytes;
	hg_ns emptied_at_ns;
	hg_ns reserve_ns; /* of the guarantee: what waking finds */
	hg_ns credit_ns; /* while ON_CREDIT: what of it is left */
	uint32_t burst_bytes; /* of the guarantee */
	uint32_t n_instances;
	hg_ns idle_after_ns;
	hg_ns held_since_ns;
	hg_ns parked_ns[2]; /* run while parked */

	hg_ns held_ns[HG_N_LIMITS - 1u]; /* without NONE */
	uint32_t n_parked_by_window; /* of n_parked */
	uint32_t n_waiting[HG_N_PRIORITIES]; /* not parked; not kept for the normal priority */
	hg_ns overlap_ns[HG_N_PRIORITIES]; /* that a band was behind while this was parked */
	hg_ns held_behind_ns; /* of held_band, at held_since_ns */
};

/* A tenant's part in a band of another priority than normal. */
struct hg_other_share {
	_Alignas(HG_CACHE_LINE_BYTES) struct hg_share share;
};

#define HG_SCHED_BLOCKED_LISTS 29u

/* A tenant's blocked instances: see core/sched_blocked.c. */
struct hg_blocked {
	_Alignas(HG_CACHE_LINE_BYTES) int64_t clock; /* a tick */
	uint32_t
		full; /* a bit for each list that holds something; of others `first` says nothing */
	uint32_t first[HG_SCHED_BLOCKED_LISTS];
};

struct hg_blocked_link {
	uint32_t next; /* NO_INSTANCE: the last of its list */
	uint32_t tick; /* low bits */
};

/* A priority: see core/sched_share.h. */
struct hg_band {
	hg_ns behind_ns; /* runs while is_behind */
	hg_ns served_at_ns; /* or since when somebody waits */
	bool is_behind;
	bool was_served; /* by the call of pop that runs */
};

/* A place in a ring of instances. */
struct hg_ring {
	uint32_t before, after;
};

/* What only a window or priorities need of an instance: untouched without them. */
struct hg_node_side {
	hg_ns window_ns; /* held by its share of the window; runs while so */
	hg_ns priority_ns; /* of turn_ns, those behind a higher band; runs while it waits */
	struct hg_ring held; /* of those who are held by the window */
};

struct hg_sched {
	const char *pkt_base;
	struct hg_caps *caps;
	struct hg_queue *queues;
	struct hg_node *nodes;
	struct hg_node_cold *cold;
	struct hg_tenant *tenants;
	struct hg_window *window;
	struct hg_classes *classes; /* of instances that are CLASSED; core/sched_class.h */
	struct hg_node_side *side; /* one more than instances: the last begins and ends the ring */
	struct hg_other_share *other_shares; /* two a tenant: high, low */
	struct hg_blocked *blocked; /* of a tenant; untouched while nobody of it is blocked */
	struct hg_blocked_link *blocked_links; /* of an instance that is blocked */
	uint32_t n_held_by_window;
	bool is_window_full; /* it said so, and nothing has changed since */
	bool was_held_by_window;
	bool was_held_by_root;
	bool has_bands; /* there were instances of another priority than normal */
	uint32_t queued_pkts;
	uint32_t max_queued_pkts;
	uint32_t max_tenants;
	uint32_t max_instances;
	uint32_t quantum_bytes;
	uint32_t largest_bytes; /* served at once out of a guarantee as yet; at least a quantum */
	uint32_t slot_shift; /* of a tenant's calendar: virtual time to slots */
	struct hg_fifo_pool fifo;
	struct hg_bucket root;
	hg_ns lead_ns; /* what the root may owe when a packet begins */
	struct hg_wheel_pool pool;
	struct hg_wheel starts; /* guarantees that are not due yet, by when they are */
	struct hg_wheel deadlines; /* those that are, by when they should have been served */
	hg_ns jumped_until_ns; /* what wakers have taken ahead of deadlines, as time of the link */
	struct hg_wheel waits; /* by the time at which a maximum allows again */
	struct hg_wheel shares[HG_N_PRIORITIES]; /* tenants by virtual time */
	struct hg_band bands[HG_N_PRIORITIES];
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

/* Rounded down. Requires ns >= 0. */
static inline span16 span_down(hg_ns ns)
{
	const uint64_t v = (uint64_t)ns;
	unsigned shift;

	if (v >> SPAN16_BITS == 0)
		return (span16)v;
	shift = 63u - (unsigned)__builtin_clzll(v) - SPAN16_BITS;
	return (span16)((uint64_t)shift * (1u << SPAN16_BITS) + (v >> shift));
}

static inline hg_ns span_ns(span16 span)
{
	const unsigned exponent = (unsigned)span >> SPAN16_BITS;

	if (exponent == 0)
		return span;
	return (hg_ns)((uint64_t)((span & ((1u << SPAN16_BITS) - 1u)) | 1u << SPAN16_BITS)
		       << (exponent - 1u));
}

/* Rounded up. */
static inline span16 span_up(hg_ns ns)
{
	const span16 down = span_down(ns);

	return (span16)(down + (span_ns(down) < ns));
}

static inline uint64_t virtual_cost(const struct hg_sched *s, uint32_t weight, uint32_t bytes)
{
	return ((uint64_t)bytes * s->inverse[weight]) >> VIRTUAL_SHIFT;
}

static inline uint32_t guarantee_id(uint32_t idx, uint32_t kind, uint32_t flags)
{
	return idx | kind | flags >> GUARANTEE_GEN_SHIFT << ID_GEN_SHIFT;
}

static inline uint32_t park_id(uint32_t idx, uint32_t kind, uint32_t flags)
{
	return idx | kind | (flags & PARK_GEN_MASK) >> PARK_GEN_SHIFT << ID_GEN_SHIFT;
}

static inline uint32_t next_guarantee_gen(uint32_t flags)
{
	return flags + (1u << GUARANTEE_GEN_SHIFT); /* the highest bits: wraps by itself */
}

static inline uint32_t next_park_gen(uint32_t flags)
{
	return (flags & ~PARK_GEN_MASK) | ((flags + (1u << PARK_GEN_SHIFT)) & PARK_GEN_MASK);
}

static inline bool is_parked(uint32_t flags)
{
	return (flags & PARKED) != 0;
}

static inline bool is_parked_by_window(uint32_t flags)
{
	return (flags & (PARKED | BY_WINDOW)) == (PARKED | BY_WINDOW);
}

/* Of who is parked by a maximum: index of parked_ns. */
static inline unsigned parked_by(uint32_t flags)
{
	return (flags & BY_PKTS) != 0;
}

static inline unsigned priority_of(const struct hg_node *node)
{
	return node->flags >> PRIORITY_SHIFT & 3u;
}

static inline uint32_t queued_bytes(const struct hg_queue *queue)
{
	return queue->n_pkts > 0 ? queue->bytes : 0;
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

/* When the root owes no more than its lead. */
static inline hg_ns root_open_ns(const struct hg_sched *s, hg_ns now_ns)
{
	return hg_bucket_floor_ns(&s->root, now_ns) - s->lead_ns;
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
/* The window holds an instance, whose turn is not running, until a release of its own. */
void hg_sched_hold(struct hg_sched *s, uint32_t idx, hg_ns now_ns);
/* Whether somebody is held by the window and by nothing else: asks a few of those held. */
bool hg_sched_is_held_by_window_alone(const struct hg_sched *s, hg_ns now_ns);
/* Ends the waits that are over, up to a batch of them. Returns whether there was one. */
bool hg_sched_unpark_due(struct hg_sched *s, hg_ns now_ns);
/* Someone who has a guarantee begins after a time of quiet: what it may have in hand, and whether it spends
 * that as credit. */
void hg_sched_wake_guarantee(struct hg_sched *s, uint32_t idx, hg_ns quiet_ns, hg_ns now_ns);
void hg_sched_wake_tenant_guarantee(struct hg_tenant *t, hg_ns quiet_ns, hg_ns now_ns);

/* ---- who is due but blocked (core/sched_blocked.c) -------------------------------------------------- */

/* The maximum of its tenant holds an instance that is due, and in no wheel of guarantees. */
void hg_sched_block(struct hg_sched *s, uint32_t idx, hg_ns now_ns);
/* If a tenant is not parked, the blocked instance of the earliest deadline goes back to the wheel. To be called when the
 * tenant is parked no more, and whenever an entry of one of its instances has come up or died. */
void hg_sched_unblock(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns);
/* Takes an instance out, if it is there. O(those of its tenant): for live changes. */
void hg_sched_block_no_more(struct hg_sched *s, uint32_t idx);

#endif
