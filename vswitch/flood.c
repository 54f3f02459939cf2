#include "vswitch/flood.h"

/* What a bucket holds: as long a pause as at the default rate, and one frame at least. */
static uint64_t burst_pkts(bool is_uplink, enum hg_forward_kind kind, uint32_t pkts_per_s)
{
	uint64_t burst, rate;

	if (kind == HG_FORWARD_UNKNOWN) {
		burst = HG_FLOOD_UNKNOWN_BURST_PKTS;
		rate = HG_FLOOD_UNKNOWN_PKTS_PER_S;
	} else {
		burst = is_uplink ? HG_FLOOD_UPLINK_GROUP_BURST_PKTS : HG_FLOOD_GROUP_BURST_PKTS;
		rate = is_uplink ? HG_FLOOD_UPLINK_GROUP_PKTS_PER_S : HG_FLOOD_GROUP_PKTS_PER_S;
	}
	burst = pkts_per_s * burst / rate;
	return burst > 0 ? burst : 1u;
}

static uint32_t rate_of(const struct hg_flood_rates *rates, enum hg_forward_kind kind)
{
	switch (kind) {
	case HG_FORWARD_BROADCAST:
		return rates->broadcast_pkts_per_s;
	case HG_FORWARD_MULTICAST:
		return rates->multicast_pkts_per_s;
	default:
		return rates->unknown_pkts_per_s;
	}
}

void hg_flood_settle(struct hg_flood_rates *rates, bool is_uplink)
{
	uint32_t group = is_uplink ? HG_FLOOD_UPLINK_GROUP_PKTS_PER_S : HG_FLOOD_GROUP_PKTS_PER_S;

	if (rates->broadcast_pkts_per_s == 0)
		rates->broadcast_pkts_per_s = group;
	if (rates->multicast_pkts_per_s == 0)
		rates->multicast_pkts_per_s = group;
	if (rates->unknown_pkts_per_s == 0)
		rates->unknown_pkts_per_s = HG_FLOOD_UNKNOWN_PKTS_PER_S;
}

void hg_flood_limit_init(struct hg_flood_limit *limit, bool is_uplink,
			 const struct hg_flood_rates *rates, hg_ns now_ns)
{
	*limit = (struct hg_flood_limit){.is_uplink = is_uplink, .rates = *rates};
	for (enum hg_forward_kind kind = HG_FORWARD_BROADCAST; kind < HG_N_FORWARDS; kind++) {
		uint32_t rate = rate_of(rates, kind);
		uint64_t burst = burst_pkts(is_uplink, kind, rate);

		hg_bucket_init(&limit->buckets[kind], rate, burst, burst, HG_NEVER, now_ns);
	}
}

static HG_NOINLINE void follow(struct hg_flood_limit *limit, const struct hg_flood_rates *rates,
			       hg_ns now_ns)
{
	for (enum hg_forward_kind kind = HG_FORWARD_BROADCAST; kind < HG_N_FORWARDS; kind++) {
		uint32_t rate = rate_of(rates, kind);
		uint64_t burst = burst_pkts(limit->is_uplink, kind, rate);

		hg_bucket_set(&limit->buckets[kind], rate, burst, burst, HG_NEVER, now_ns);
	}
	limit->rates = *rates;
}

bool hg_flood_may(struct hg_flood_limit *limit, const struct hg_flood_rates *rates,
		  enum hg_forward_kind kind, hg_ns now_ns)
{
	if (HG_LIKELY(kind == HG_FORWARD_UNICAST))
		return true;
	if (HG_UNLIKELY(rate_of(rates, kind) != rate_of(&limit->rates, kind)))
		follow(limit, rates, now_ns);
	return hg_bucket_take(&limit->buckets[kind], 1, now_ns);
}

void hg_flood_charge(struct hg_flood_limit *limit, enum hg_forward_kind kind, uint32_t n_copies,
		     hg_ns now_ns)
{
	if (kind != HG_FORWARD_UNICAST && n_copies > 0)
		hg_bucket_charge(&limit->buckets[kind], n_copies, now_ns);
}

enum hg_drop hg_flood_reason(enum hg_forward_kind kind)
{
	switch (kind) {
	case HG_FORWARD_BROADCAST:
		return HG_DROP_BROADCAST_LIMIT;
	case HG_FORWARD_MULTICAST:
		return HG_DROP_MULTICAST_LIMIT;
	default:
		return HG_DROP_UNKNOWN_LIMIT;
	}
}
