/* sched: who may send next, on one egress link.
 *
 * Why        S1: every minimum is kept whatever the others do, no maximum is passed, what nobody uses
 *            is lent by weight, and a decision costs the same with 64 instances as with 32,768.
 * Model      A tree of two levels, tenants and their instances, over one root (the link). Two bands:
 *            guaranteed: nodes below their minimum (tag R: due from then on), earliest deadline first
 *            (R + quantum / min);
 *            sharing: everyone else below their maximum, by weighted virtual time (tag F), first among
 *            tenants and then inside the tenant.
 *            Service in the sharing band does not charge R; service in the guaranteed band does not
 *            charge the tenant's F; both charge the maxima (hg_caps) of instance and tenant.
 *            (Reservation, limit and share tags: Gulati et al., "mClock", OSDI 2010. Start-time
 *            virtual clocks: Goyal et al., SFQ, 1996. Wheels: Varghese and Lauck, 1987.)
 * Maxima     live in struct hg_caps, because a maximum binds the sum over all links: every scheduler
 *            whose traffic it binds points to the same hg_caps, and all of them have one owner.
 * Window     What is in the card can be overtaken by nobody, so core/window is asked for each packet that the
 *            maxima let go. Who has its share in the card is parked until a release of its own
 *            (HG_LIMIT_WINDOW). A full window ends the call: who was to be served keeps its place in
 *            every order, so deadlines and shares hold with two packets in the card. It has virtual time
 *            back that the window made it lose, up to two quanta.
 * Priority   of instances orders what exceeds the guarantees (S2.6); a tenant's own policy.priority is ignored.
 *            The sharing band is three, high, normal and low, each as above, in strict order: a lower one is
 *            served only when no higher one has anything that may go. While a higher one has packets
 *            in the card, a lower one may begin another only with less than two there, so that the next
 *            high packet finds the card short. A band that was shut out for HG_SCHED_SHUT_OUT_NS is let by for
 *            a quantum. Who waits for the tokens of a maximum shuts nobody out. A tenant's guarantee is
 *            spent inside it by priority, too.
 * Promise    Over any window T, for instance and tenant alike:
 *              sent <= max*T + burst + one packet                    (conservation)
 *              sent >= min(min*T, offered) - burst - one packet      (guarantee, if admitted and no
 *            maximum is in the way; for a burst of at least five of the larger of quantum and packet)
 *            Minima inside a tenant are not added to its own: what its instances are served by theirs counts as the tenant's.
 *            Ahead of its minimum it is by no more than its burst, less eight of what is served at once: what more of
 *            its instances are served together by their own, it has once more (hundreds that are due at once).
 *            pop() returns a packet whenever an eligible one is queued and the root's pace, the
 *            window and the order of priorities allow (work conservation, to within one tick of 512 ns).
 *            next_at() never lies: pop() returns nothing new before it, unless something is pushed,
 *            released or changed.
 *            Held time: at each instant a backlogged instance is held by exactly one enum hg_limit, so
 *            the sum of held_ns equals the time it had something queued.
 * Packets    are opaque addresses within 256 GiB above cfg.pkt_base, 64-byte aligned; never touched.
 * Not here   Which link a packet takes (vswitch), how long it may wait (dataplane/path).
 * Units      wire bytes; ns on the caller's clock; now_ns must not go backwards.
 * Memory     Caller's: hg_sched_size() bytes, 64-byte aligned, zeroed, may be lazily mapped: what no
 *            tenant or instance uses is never touched.
 * Threads    One owner calls everything. sample functions are for the owner too.
 * Cost       push and pop: O(1) a packet, no heap, no scan of nodes, no division.
 * Errors     set: -EINVAL for an index out of range or an instance whose tenant is not set;
 *            -EBUSY for a removal while packets are queued.
 */
#ifndef HG_CORE_SCHED_H
#define HG_CORE_SCHED_H

#include "core/contract.h"
#include "core/tag.h"
#include "core/units.h"
#include "core/verdict.h"
#include "core/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A lower priority waits no longer than this for a higher one, as far as guarantees leave anything. */
#define HG_SCHED_SHUT_OUT_NS (10 * HG_NS_PER_MS)

/* ---- maxima, shared by the schedulers of one owner ---------------------------------------------- */

struct hg_caps;

size_t hg_caps_size(uint32_t max_tenants, uint32_t max_instances);
struct hg_caps *hg_caps_init(void *memory, uint32_t max_tenants, uint32_t max_instances);

/* Sets the maxima of one tenant or instance from policy->max_*, burst, reserve, idle_after and
 * accounting. Tokens are kept, in bytes, but never more than the new burst. For packet rates a burst and a
 * reserve count as so many full frames of HG_BURST_MIN_BYTES. Follow it with hg_sched_refresh_*() on every
 * scheduler that points here. */
void hg_caps_set_tenant(struct hg_caps *caps, uint32_t tenant_idx, const struct hg_policy *policy,
			hg_ns now_ns);
void hg_caps_set_instance(struct hg_caps *caps, uint32_t instance_idx,
			  const struct hg_policy *policy, hg_ns now_ns);
/* Another rate for the maximum that an instance has, until its policy is set again (core/behaviour.h): tokens,
 * burst and reserve stay. Nothing changes for one without a maximum. Follow it as above. */
void hg_caps_tighten_instance(struct hg_caps *caps, uint32_t instance_idx, uint64_t max_bytes_per_s,
			      hg_ns now_ns);

/* ---- one link ----------------------------------------------------------------------------------- */

struct hg_sched;

struct hg_sched_cfg {
	uint32_t max_tenants; /* in [1, 2^20] */
	uint32_t max_instances; /* in [1, 2^20] */
	uint32_t max_queued_pkts; /* over all instances; in [64, 2^26] */
	uint32_t quantum_bytes; /* most wire bytes a decision takes from one instance; 0: default */
	const void *pkt_base; /* every packet lies in [pkt_base, pkt_base + 256 GiB) */
	struct hg_caps *caps; /* as large as this scheduler, outlives it; NULL: no maxima */
	/* Of the card queue behind this link; asked before each packet, and told of it (core/window.h). As
	 * large as this scheduler, outlives it; NULL: nothing bounds what the card has. */
	struct hg_window *window;
};

/* One packet on its way in or out of the scheduler. */
struct hg_sched_item {
	void *pkt;
	uint32_t instance_idx;
	union {
		struct {
			uint32_t wire_bytes : 20; /* in [1, HG_WIRE_MAX_BYTES] */
			uint32_t parts : 12; /* wire packets it will be, in [1, HG_PARTS_MAX] */
		};
		uint32_t load; /* both in one word, to be copied */
	};
};

/* What the scheduler counted for one node, since it was set. */
struct hg_sched_stats {
	uint64_t sent_bytes; /* wire bytes handed out by pop */
	uint64_t sent_pkts; /* parts handed out by pop */
	uint64_t guaranteed_bytes; /* of sent_bytes, those from the guaranteed band */
	uint64_t held_ns[HG_N_LIMITS]; /* up to now_ns of the sample */
	uint32_t queued_bytes;
	uint32_t queued_pkts; /* buffers, not parts */
	enum hg_limit held_by; /* now; HG_LIMIT_NONE if nothing is queued */
	bool is_active; /* tokens were withdrawn within the contract's idle time */
};

size_t hg_sched_size(const struct hg_sched_cfg *cfg);
HG_MUST_CHECK int hg_sched_init(void *memory, const struct hg_sched_cfg *cfg, hg_ns now_ns,
				struct hg_sched **ret_sched, struct hg_error *reterr);

/* Pace of the link. rate 0: none. burst: what may leave at once after a pause. Live. */
void hg_sched_set_root(struct hg_sched *s, uint64_t bytes_per_s, uint64_t burst_bytes,
		       hg_ns now_ns);
/* A packet may begin while the root owes no more than this: so that a card is given the next one just before it
 * has sent the last, and not after. 0 at first. */
void hg_sched_set_lead(struct hg_sched *s, hg_ns lead_ns);

/* Adds or changes a node, live: what is queued stays queued, tokens are kept, and the new contract is
 * in force when the call returns. Reads min, weight, burst, reserve, idle_after of the policy; the
 * maxima go to hg_caps first. */
HG_MUST_CHECK int hg_sched_set_tenant(struct hg_sched *s, uint32_t tenant_idx,
				      const struct hg_policy *policy, hg_ns now_ns,
				      struct hg_error *reterr);
HG_MUST_CHECK int hg_sched_set_instance(struct hg_sched *s, uint32_t instance_idx,
					uint32_t tenant_idx, const struct hg_policy *policy,
					hg_ns now_ns, struct hg_error *reterr);

/* Removes a node: an instance with nothing queued (hg_sched_drain first), a tenant without instances.
 * The index may be used again at once. */
HG_MUST_CHECK int hg_sched_remove_instance(struct hg_sched *s, uint32_t instance_idx, hg_ns now_ns,
					   struct hg_error *reterr);
HG_MUST_CHECK int hg_sched_remove_tenant(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns,
					 struct hg_error *reterr);

/* Takes up to n of an instance's packets out, uncharged, in order. Returns how many. */
unsigned hg_sched_drain(struct hg_sched *s, uint32_t instance_idx, struct hg_sched_item *ret_items,
			unsigned n, hg_ns now_ns);

/* A maximum changed in hg_caps: look at the node again now, though it was waiting for a later time. */
void hg_sched_refresh_tenant(struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns);
void hg_sched_refresh_instance(struct hg_sched *s, uint32_t instance_idx, hg_ns now_ns);

/* Queues items in order; each instance_idx must be set. Returns how many were taken: less than n only
 * if max_queued_pkts is reached, and then the rest is still the caller's. */
unsigned hg_sched_push(struct hg_sched *s, const struct hg_sched_item *items, unsigned n,
		       hg_ns now_ns);

/* The same, with the class of each packet: an index into the set of its instance, or HG_CLASS_NONE for an
 * instance without classes. */
#define HG_CLASS_NONE UINT8_MAX
unsigned hg_sched_push_classed(struct hg_sched *s, const struct hg_sched_item *items,
			       const uint8_t *classes, unsigned n, hg_ns now_ns);

/* Orders what an instance, which is set, has queued among itself; n 0: in order of arrival, as at first.
 * Live: what is queued stays, but where the number of classes changes all of it goes to the last. O(queued)
 * then, else O(1). */
void hg_sched_set_classes(struct hg_sched *s, uint32_t instance_idx,
			  const struct hg_class_set *set);

struct hg_sched_class_stats {
	uint64_t sent_bytes; /* since the classes were set */
	uint32_t queued_bytes, queued_pkts;
};
/* Returns false if the instance has no such class. */
bool hg_sched_sample_class(const struct hg_sched *s, uint32_t instance_idx, unsigned class_idx,
			   struct hg_sched_class_stats *ret_stats);

/* Packets of one instance, in order, each as the load of an item, that need not stand here: if pushing them now, and
 * popping as much, would hand out just these, then all is as if that had been done (order, tokens, shares, window,
 * counters, held times, idle and active), and true is returned. Otherwise nothing has changed. So it is for who has
 * nothing queued, on a link where nobody waits for a turn, with tokens, root and window for all of them, whatever of it is
 * served out of its guarantee; it may say no where push and pop would have said yes: with priorities, with a tenant's
 * guarantee that is due, after idleness. O(1), and a look at each load; a decision for each quantum. */
bool hg_sched_pass(struct hg_sched *s, uint32_t instance_idx, const uint32_t *loads, unsigned n,
		   hg_ns now_ns);

/* Packets of these instances are about to be pushed or passed: asks for the cache lines that this will touch, of all of
 * them before the first is waited for. Changes nothing. */
void hg_sched_expect(const struct hg_sched *s, const uint32_t *instance_idxs, unsigned n);
/* The same for one of which the tenant is known, so that nothing is waited for. */
void hg_sched_expect_of(const struct hg_sched *s, uint32_t instance_idx, uint32_t tenant_idx);

/* Hands out up to n packets, not past max_bytes (the packet that reaches it is the last). */
unsigned hg_sched_pop(struct hg_sched *s, struct hg_sched_item *ret_items, unsigned n,
		      uint32_t max_bytes, hg_ns now_ns);

/* Items of one instance, one behind the other, that who accounts for them may take as one. */
struct hg_sched_run {
	uint32_t n; /* items, from 1 */
	uint32_t bytes, parts; /* of all of them */
};
struct hg_sched_runs {
	struct hg_sched_run *list; /* the caller's, with room for as many as it pops */
	unsigned n;
	uint32_t most_bytes; /* the caller's: none but a single item is more */
};
/* The same, and tells in ret_runs which runs the items make, in their order. */
unsigned hg_sched_pop_runs(struct hg_sched *s, struct hg_sched_item *ret_items, unsigned n,
			   uint32_t max_bytes, struct hg_sched_runs *ret_runs, hg_ns now_ns);

/* A release came back for this instance: if its share of the window held it, it is in line again. O(1). */
void hg_sched_window_opened(struct hg_sched *s, uint32_t instance_idx, hg_ns now_ns);
/* The same for all of these, n from 1. O(1) while nobody is held by a share. */
void hg_sched_window_settled(struct hg_sched *s, const struct hg_tag *tags, unsigned n,
			     hg_ns now_ns);
/* The window was divided or bounded anew: everyone held by it is in line again. O(those held). */
void hg_sched_window_changed(struct hg_sched *s, hg_ns now_ns);
/* Whether pop left something queued, since the last call, for the window's sake alone: not when a maximum, the
 * root's pace, n or max_bytes would have kept it, too. */
bool hg_sched_was_held_by_window(struct hg_sched *s);
/* The same for the root's pace. */
bool hg_sched_was_held_by_root(struct hg_sched *s);

/* When pop may next return something: now_ns if at once, HG_NEVER if nothing is queued, or if all that is
 * waits for a release. */
hg_ns hg_sched_next_at(const struct hg_sched *s, hg_ns now_ns);

uint32_t hg_sched_queued_pkts(const struct hg_sched *s);
/* Inline in spirit: what an instance has queued now, for the bounds of the hold queue. */
uint32_t hg_sched_instance_queued_bytes(const struct hg_sched *s, uint32_t instance_idx);
/* What it waits for now; HG_LIMIT_NONE if nothing of it is queued. */
enum hg_limit hg_sched_instance_held_by(const struct hg_sched *s, uint32_t instance_idx);

void hg_sched_sample_instance(const struct hg_sched *s, uint32_t instance_idx,
			      struct hg_sched_stats *ret_stats, hg_ns now_ns);
/* O(instances): what a tenant has queued is added up here, not on the way. */
void hg_sched_sample_tenant(const struct hg_sched *s, uint32_t tenant_idx,
			    struct hg_sched_stats *ret_stats, hg_ns now_ns);

#endif
