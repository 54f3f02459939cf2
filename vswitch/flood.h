/* flood: how much broadcast, multicast and unknown unicast one port may cause.
 *
 * Why        S5.1: limits on broadcast, multicast and unknown. One frame to many becomes as many as there are
 *            ports, at the host's cost, so what is counted is copies. Apart, so that a storm of
 *            one kind leaves the others: who floods with broadcast still finds its neighbours.
 * Model      A bucket in copies (packets) for each port and kind, by enum hg_forward_kind. A frame is let through
 *            whole while there is a token, and then charged for each copy it became: the last one may
 *            overdraw, as a large packet does, and is paid back before the next. So every port of a
 *            VLAN is reached equally, first or last in the list. The burst grows with the rate.
 * Promise    copies over any window T <= rate * T + burst + the ports of one VLAN, for each kind.
 *            Other rates keep what the buckets hold, up to the new burst.
 * Use        if (!hg_flood_may(...)) drop hg_flood_reason(); else send n copies, hg_flood_charge(n - 1).
 * Time       now_ns is an argument. Memory: caller's. Threads: the port's worker. Cost: O(1).
 * Errors     none.
 */
#ifndef HG_VSWITCH_FLOOD_H
#define HG_VSWITCH_FLOOD_H

#include "core/bucket.h"
#include "core/verdict.h"
#include "vswitch/forward.h"

/* By default. A copy costs about 200 ns: 20,000 a second are 0.4 % of a processor for one port gone wild. A
 * port that asks for ten neighbours a second in a VLAN of 2,000 still passes. */
#define HG_FLOOD_GROUP_PKTS_PER_S 20000u
/* At that rate: one frame to every port of the largest VLAN that we expect, twice. */
#define HG_FLOOD_GROUP_BURST_PKTS 8192u
/* An uplink brings the broadcasts of a whole segment: 2 % of a processor. */
#define HG_FLOOD_UPLINK_GROUP_PKTS_PER_S 100000u
#define HG_FLOOD_UPLINK_GROUP_BURST_PKTS 65536u
/* The first frame to an instance that has not spoken yet; its answer ends the flood. */
#define HG_FLOOD_UNKNOWN_PKTS_PER_S 1000u
#define HG_FLOOD_UNKNOWN_BURST_PKTS 1000u

struct hg_flood_limit {
	bool is_uplink;
	struct hg_flood_rates rates; /* that the buckets are set to */
	struct hg_bucket buckets[HG_N_FORWARDS]; /* that of unicast is not used */
};

/* Puts the defaults where nothing (0) is said. */
void hg_flood_settle(struct hg_flood_rates *rates, bool is_uplink);

/* rates: settled. Full buckets. */
void hg_flood_limit_init(struct hg_flood_limit *limit, bool is_uplink,
			 const struct hg_flood_rates *rates, hg_ns now_ns);

/* Takes the first copy's token; true for unicast. rates: those in force now, settled. */
HG_MUST_CHECK bool hg_flood_may(struct hg_flood_limit *limit, const struct hg_flood_rates *rates,
				enum hg_forward_kind kind, hg_ns now_ns);

/* The copies behind the first. */
void hg_flood_charge(struct hg_flood_limit *limit, enum hg_forward_kind kind, uint32_t n_copies,
		     hg_ns now_ns);

/* Of a kind that is not unicast. */
enum hg_drop hg_flood_reason(enum hg_forward_kind kind);

#endif
