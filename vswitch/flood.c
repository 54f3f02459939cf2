#include "vswitch/flood.h"

void hg_flood_limit_init(struct hg_flood_limit *limit, bool is_uplink, hg_ns now_ns)
{
	uint32_t rate = is_uplink ? HG_FLOOD_UPLINK_GROUP_PKTS_PER_S : HG_FLOOD_GROUP_PKTS_PER_S;
	uint32_t burst = is_uplink ? HG_FLOOD_UPLINK_GROUP_BURST_PKTS : HG_FLOOD_GROUP_BURST_PKTS;

	hg_bucket_init(&limit->group, rate, burst, burst, HG_NEVER, now_ns);
	hg_bucket_init(&limit->unknown, HG_FLOOD_UNKNOWN_PKTS_PER_S, HG_FLOOD_UNKNOWN_BURST_PKTS,
		       HG_FLOOD_UNKNOWN_BURST_PKTS, HG_NEVER, now_ns);
}

static struct hg_bucket *bucket_of(struct hg_flood_limit *limit, enum hg_forward_kind kind)
{
	return kind == HG_FORWARD_GROUP ? &limit->group : &limit->unknown;
}

bool hg_flood_may(struct hg_flood_limit *limit, enum hg_forward_kind kind, hg_ns now_ns)
{
	return kind == HG_FORWARD_UNICAST || hg_bucket_take(bucket_of(limit, kind), 1, now_ns);
}

void hg_flood_charge(struct hg_flood_limit *limit, enum hg_forward_kind kind, uint32_t n_copies,
		     hg_ns now_ns)
{
	if (kind != HG_FORWARD_UNICAST && n_copies > 0)
		hg_bucket_charge(bucket_of(limit, kind), n_copies, now_ns);
}
