/* lane: the sending side of one host in virtual time, from senders to the wire.
 *
 * Why        What a neighbour's burst does to a wait shows in a tail of one packet in a thousand, at rates that
 *            a test machine does not have. Here the same scheduler, window, depth and modelled card run as on a
 *            host; only the clock, the senders and the memory of packets are made up.
 * Model      senders -> hg_sched -> card queue (drivers/simnic) -> wire, and back: release -> hook -> settle.
 *            What stands between the scheduler and the card:
 *              PLAIN     nothing: whatever the ring has room for is handed over at once
 *              LIMIT     a rule of the caller's on outstanding bytes
 *              INFLIGHT  core/inflight, whose window the scheduler asks
 *            In all three the scheduler is the same, with the contracts of the senders.
 * Time       jumps to what happens next: an arrival, a pace, a release, a deadline of in-flight control. With
 *            poll_ns the worker looks only at multiples of it, as a polling worker does; arrivals and the wire
 *            keep their own instants.
 * Waits      of each packet, from its arrival: until it is handed to the card, until its last bit has left the
 *            wire, until its buffer is released.
 * Link       dry_ns is the time in which the wire rested although a packet waited in headgate; busy_ns that in
 *            which it sent: busy / (busy + dry) is the use of the link while work waited.
 * Exact sum  with `checks_sum`, after each step: what the card says it has is what it was given and has not
 *            released; and what in-flight control has outstanding or wrote off is what carries a tag, or came
 *            back after it had been written off. So both agree, and n_sum_errors stays 0.
 * Promise    The same cfg, calls and seed give the same figures.
 * Units      ns, wire bytes, wire packets. Memory: allocated at create. Threads: one owner.
 * Cost       a step: O(1) a packet, no scan but of the senders' clocks when one is due.
 * Errors     create: -EINVAL and what simnic refuses, -ENOMEM. set, remove: as hg_sched.
 * Used by    bench/isolation.c, tests/soak.
 */
#ifndef HG_SIM_LANE_H
#define HG_SIM_LANE_H

#include "core/inflight.h"
#include "core/sched.h"
#include "sim/card.h"
#include "sim/sender.h"
#include "sim/waits.h"

#define HG_LANE_START_NS HG_NS_PER_S
#define HG_LANE_CLASSES 4u

enum hg_lane_rule { HG_LANE_PLAIN, HG_LANE_LIMIT, HG_LANE_INFLIGHT };

/* A limit on what the card has outstanding, as the kernel's byte queue limits are one. */
struct hg_lane_limit {
	void *ctx;
	bool (*may)(void *ctx); /* whether one more packet may be handed over */
	void (*handed)(void *ctx, uint32_t wire_bytes);
	/* Of one burst of releases. */
	void (*released)(void *ctx, uint64_t wire_bytes, hg_ns now_ns);
};

struct hg_lane_cfg {
	uint64_t link_bytes_per_s;
	uint32_t ring_pkts;
	const char *card; /* further parameters of simnic, "" for none */
	uint32_t max_tenants, max_senders; /* each >= 1 */
	uint32_t max_pkts; /* queued and in the card together */
	enum hg_lane_rule rule;
	struct hg_lane_limit limit; /* LIMIT */
	/* INFLIGHT. Rate, ring and largest packet are the lane's to say; pin_bytes and scale_ppm are heeded. */
	struct hg_depth_cfg depth;
	uint32_t largest_bytes; /* the largest packet, on the wire; INFLIGHT */
	hg_ns poll_ns; /* 0: the worker looks at each event */
	/* 0: never; else the worker shares its processor, and is away for so long, so far apart: both between half of
	 * that and one and a half, each below 2 s. Arrivals and the wire keep their own instants. */
	hg_ns away_every_ns, away_for_ns;
	uint64_t seed;
	bool checks_sum;
	/* For the test that has to notice: of so many releases one is not settled. 0: none. */
	uint32_t forgets_every;
};

struct hg_lane;

HG_MUST_CHECK int hg_lane_create(const struct hg_lane_cfg *cfg, struct hg_lane **ret_lane,
				 struct hg_error *reterr);
void hg_lane_destroy(struct hg_lane *lane); /* NULL, too */

/* Live. A sender's index is its instance's in the scheduler. sender_class: whose figures, in
 * [0, HG_LANE_CLASSES - 1]. */
HG_MUST_CHECK int hg_lane_set_tenant(struct hg_lane *lane, uint32_t tenant_idx,
				     const struct hg_policy *policy, struct hg_error *reterr);
HG_MUST_CHECK int hg_lane_set_sender(struct hg_lane *lane, uint32_t sender_idx, uint32_t tenant_idx,
				     unsigned sender_class, const struct hg_policy *policy,
				     const struct hg_sender_cfg *cfg, struct hg_error *reterr);
/* Its queue is thrown away; what the card has of it is released as ever. */
HG_MUST_CHECK int hg_lane_remove_sender(struct hg_lane *lane, uint32_t sender_idx,
					struct hg_error *reterr);

/* Switches in-flight control, and pins MAX (0: it finds it). Requires INFLIGHT. */
void hg_lane_set_inflight(struct hg_lane *lane, bool is_on, uint64_t pin_bytes);
/* What the card does on command (drivers/simnic.h); after a reset in-flight control is told, as the packet
 * lane tells it. */
HG_MUST_CHECK int hg_lane_fault(struct hg_lane *lane, const struct hg_simnic_fault *fault);

void hg_lane_run(struct hg_lane *lane, hg_ns until_ns);
/* Whatever is queued is thrown away, the card stopped, and what it gives back settled. Nothing runs
 * afterwards. */
void hg_lane_stop(struct hg_lane *lane);

/* ---- what became of it -------------------------------------------------------------------------- */

struct hg_lane_class {
	uint64_t n_pkts, bytes; /* packets handed over (not parts); wire bytes */
	struct hg_waits held, wire, released; /* from arrival to hand-over, last bit, release */
};

struct hg_lane_link {
	hg_ns busy_ns, dry_ns;
	uint64_t refused_pkts; /* by the card, in all attempts */
	uint64_t n_no_buffer; /* arrivals that found the pool empty */
	hg_ns card_most_ns; /* the longest from a packet's last bit to its release */
	uint64_t n_steps;
	uint64_t n_sum_errors;
};

const struct hg_lane_class *hg_lane_class(const struct hg_lane *lane, unsigned sender_class);
void hg_lane_link(const struct hg_lane *lane, struct hg_lane_link *ret_link);
/* Figures begin anew from here: what came before was warming up. */
void hg_lane_clear(struct hg_lane *lane);

hg_ns hg_lane_now(const struct hg_lane *lane);
struct hg_sched *hg_lane_sched(struct hg_lane *lane);
struct hg_inflight *hg_lane_inflight(struct hg_lane *lane); /* NULL but with INFLIGHT */
struct hg_card *hg_lane_card(struct hg_lane *lane);

#endif
