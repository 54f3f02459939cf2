/* measure: what happened between two samples of a flow, and whether its contract was kept.
 *
 * Why        "Was my guarantee kept?" must have one answer, computed in one place, from numbers that
 *            anyone can check.
 * Model      Two samples of counters make a span. The rule of measure over a span of length T:
 *              maximum:  sent <= max * T + burst + one packet             (all bytes, all packets)
 *              minimum:  sent >= min(min * W, waiting + offered) - burst - one packet   (link bytes)
 *            W <= T is the time in which something was waiting. With a standing backlog W is T, and this
 *            is the rule as the specification has it. An instance that had nothing to send for part of
 *            the second is owed its minimum for the rest of it: a transfer that begins in the last
 *            10 ms cannot have been sent at its minimum for a whole second. Where no waiting time was
 *            measured W is T.
 * Gives way  A minimum gives way to the operator's own maxima: what a maximum leaves beside local traffic
 *            is all that is due on the link, and nothing is when a packet maximum was used up.
 * Stolen     A span in which the processors were stolen from for HG_MEASURE_STOLEN_PPM of its length is
 *            judged as neither kept nor missed.
 * Units      bytes, packets, ns. Time: an argument. Memory: caller's. Threads: any; pure functions.
 * Errors     none. A counter that went backwards began anew: it is taken from 0.
 */
#ifndef HG_CONTROL_MEASURE_H
#define HG_CONTROL_MEASURE_H

#include "control/control.h"
#include "dataplane/dataplane.h"

/* "One packet" of the rule: the most wire bytes of one segment. An IPv6 packet of 65,535 bytes carries
 * 65,463 bytes of TCP payload behind its headers (40 + 32) and becomes 46 packets at an MTU of 1,500,
 * each with Ethernet (14), VLAN (4), IPv6 (40), TCP (32) and wire (24) overhead: 65,463 + 46 * 114. */
#define HG_MEASURE_PACKET_BYTES UINT64_C(70707)
/* Likewise in packets. */
#define HG_MEASURE_PACKET_PKTS UINT64_C(46)

/* 1 % of the second, summed over the processors. Linux counts stolen time in ticks of 10 ms, so this is
 * the least that it can tell apart from a tick that began in the second before. */
#define HG_MEASURE_STOLEN_PPM 10000u

struct hg_span {
	hg_ns for_ns; /* T; > 0 */
	hg_ns stolen_ns; /* from all processors together, within T */
	hg_ns wait_ns; /* W */
	uint64_t sent_bytes, sent_pkts;
	uint64_t link_sent_bytes;
	uint64_t link_offered_bytes;
	uint64_t link_waiting_bytes; /* at the start */
};

/* What the tenant of an instance leaves it. Of a tenant itself: { 0 }. */
struct hg_room {
	bool is_used_up; /* the tenant's own maxima leave less than its minimum for the link */
};

/* What a judgement consists of; 0: kept. */
enum hg_judged {
	HG_JUDGED_MISSED_MIN = 1u << 0,
	HG_JUDGED_MISSED_MAX = 1u << 1,
	HG_JUDGED_STOLEN = 1u << 2, /* alone */
};

void hg_measure_span(const struct hg_dp_flow *from, const struct hg_dp_flow *to, hg_ns for_ns,
		     hg_ns stolen_ns, struct hg_span *ret_span);

bool hg_measure_is_stolen(hg_ns stolen_ns, hg_ns for_ns);

/* Returns enum hg_judged, or-ed. */
unsigned hg_measure_judge(const struct hg_policy *policy, const struct hg_span *span,
			  struct hg_room room);

/* What a tenant's span leaves for the link traffic of its instances. */
struct hg_room hg_measure_room(const struct hg_policy *policy, const struct hg_span *span);

/* Adds a judgement to the counts. */
void hg_measure_count(struct hg_proof *proof, unsigned judged);

/* Rates, held times and quantiles of the span between two samples. */
void hg_measure_rates(const struct hg_dp_flow *from, const struct hg_dp_flow *to, hg_ns for_ns,
		      struct hg_measure *ret_measure);

#endif
