#include "core/caps.h"

_Static_assert(sizeof(struct hg_cap) == HG_CACHE_LINE_BYTES, "one line a node");

size_t hg_caps_size(uint32_t max_tenants, uint32_t max_instances)
{
	return HG_CACHE_LINE_BYTES +
	       2u * ((size_t)max_tenants + max_instances) * sizeof(struct hg_cap);
}

struct hg_caps *hg_caps_init(void *memory, uint32_t max_tenants, uint32_t max_instances)
{
	struct hg_caps *caps = memory;
	struct hg_cap *rows = (struct hg_cap *)(void *)((char *)memory + HG_CACHE_LINE_BYTES);

	*caps = (struct hg_caps){
		.max_tenants = max_tenants,
		.max_instances = max_instances,
		.tenant_bytes = rows,
		.tenant_pkts = rows + max_tenants,
		.instance_bytes = rows + 2u * (size_t)max_tenants,
		.instance_pkts = rows + 2u * (size_t)max_tenants + max_instances,
	};
	return caps;
}

/* A burst in full frames, at least one. */
static uint64_t burst_pkts(uint64_t burst_bytes)
{
	uint64_t n = burst_bytes / HG_BURST_MIN_BYTES;

	return n > 0 ? n : 1;
}

static void set_bucket(struct hg_bucket *b, bool was_set, uint64_t per_s, uint64_t burst,
		       uint64_t reserve, hg_ns idle_after_ns, hg_ns now_ns)
{
	if (was_set)
		hg_bucket_set(b, per_s, burst, reserve, idle_after_ns, now_ns);
	else
		hg_bucket_init(b, per_s, burst, reserve, idle_after_ns, now_ns);
}

static void set_node(struct hg_cap *bytes, struct hg_cap *pkts, const struct hg_policy *policy,
		     hg_ns now_ns)
{
	unsigned kinds = (policy->max_bytes_per_s != 0 ? HG_CAP_BYTES : 0u) |
			 (policy->max_pkts_per_s != 0 ? HG_CAP_PKTS : 0u);

	if (kinds == 0 && bytes->kinds == 0)
		return; /* the rows of a node without maxima stay untouched */
	if (kinds & HG_CAP_BYTES)
		set_bucket(&bytes->bucket, bytes->kinds & HG_CAP_BYTES, policy->max_bytes_per_s,
			   policy->burst_bytes, policy->reserve_bytes, policy->idle_after_ns,
			   now_ns);
	if (kinds & HG_CAP_PKTS)
		set_bucket(&pkts->bucket, bytes->kinds & HG_CAP_PKTS, policy->max_pkts_per_s,
			   burst_pkts(policy->burst_bytes),
			   policy->reserve_bytes / HG_BURST_MIN_BYTES, policy->idle_after_ns,
			   now_ns);
	bytes->kinds = (uint8_t)kinds;
	bytes->reserve = (uint32_t)policy->reserve_bytes; /* at most HG_BURST_MAX_BYTES */
	bytes->is_l2 = policy->accounting == HG_ACCOUNT_L2;
}

void hg_caps_set_tenant(struct hg_caps *caps, uint32_t tenant_idx, const struct hg_policy *policy,
			hg_ns now_ns)
{
	set_node(&caps->tenant_bytes[tenant_idx], &caps->tenant_pkts[tenant_idx], policy, now_ns);
}

void hg_caps_set_instance(struct hg_caps *caps, uint32_t instance_idx,
			  const struct hg_policy *policy, hg_ns now_ns)
{
	set_node(&caps->instance_bytes[instance_idx], &caps->instance_pkts[instance_idx], policy,
		 now_ns);
}

void hg_caps_tighten_instance(struct hg_caps *caps, uint32_t instance_idx, uint64_t max_bytes_per_s,
			      hg_ns now_ns)
{
	struct hg_cap *cap = &caps->instance_bytes[instance_idx];

	if ((cap->kinds & HG_CAP_BYTES) == 0 || max_bytes_per_s == 0)
		return;
	hg_bucket_set(&cap->bucket, max_bytes_per_s, cap->bucket.burst, cap->reserve,
		      cap->bucket.idle_after_ns, now_ns);
}
