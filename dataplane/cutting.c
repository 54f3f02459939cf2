#include "dataplane/cutting.h"

#include "vswitch/proto.h"

/* IPv4 or IPv6 and TCP, without options: what full frames carry beside their payload, at the least. */
#define HEADERS_MIN_BYTES (HG_IP4_BYTES + HG_TCP_BYTES)

/* rate * cut_ns in whole units, in [1, UINT32_MAX]. */
static uint32_t in_time(uint64_t per_s, hg_ns cut_ns)
{
	double n = (double)per_s * (double)cut_ns / (double)HG_NS_PER_S;

	if (n >= (double)UINT32_MAX)
		return UINT32_MAX;
	return n < 1.0 ? 1u : (uint32_t)n;
}

static void lower(uint32_t *bound, uint32_t to)
{
	*bound = to < *bound ? to : *bound;
}

void hg_cutting_lower(struct hg_cut *cut, hg_ns cut_ns, uint64_t bytes_per_s, uint64_t pkts_per_s)
{
	if (cut_ns == 0)
		return;
	if (bytes_per_s != 0)
		lower(&cut->wire_bytes, in_time(bytes_per_s, cut_ns));
	if (pkts_per_s != 0)
		lower(&cut->parts, in_time(pkts_per_s, cut_ns));
}

uint32_t hg_cutting_largest_bytes(const struct hg_desired_uplink *uplink)
{
	uint32_t frame = uplink->mtu + HG_ETHER_BYTES + HG_VLAN_TAGS_MAX * HG_VLAN_TAG_BYTES +
			 HG_WIRE_OVERHEAD_BYTES;
	uint32_t n_payload = uplink->mtu - HEADERS_MIN_BYTES;
	uint32_t whole = (HG_FRAME_MAX_BYTES + n_payload - 1u) / n_payload * frame;
	struct hg_cut cut = {.wire_bytes = whole, .parts = UINT32_MAX};

	hg_cutting_lower(&cut, uplink->cut_ns, uplink->capacity_bytes_per_s, 0);
	return cut.wire_bytes > frame ? cut.wire_bytes : frame;
}
