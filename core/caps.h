/* caps: the maxima of tenants and instances, as the scheduler reads them.
 *
 * Why        A maximum binds the sum over all links (S1, scope), so its tokens lie outside any one
 *            scheduler, and outside the line of a node: only who has a maximum pays for it.
 * Model      A node has up to two buckets: wire bytes and packets (parts). A packet passes when every
 *            bucket of its instance and of its tenant would let it, and then all are charged: never one
 *            without the others.
 *            A burst in bytes counts for packets as so many full frames of HG_BURST_MIN_BYTES.
 * Promise    See core/bucket.h: taken <= max*T + burst + one packet, for each bucket, whoever takes.
 * Units      bytes and packets, ns. Memory: 64 bytes a node, and 64 more, touched only by nodes with a
 *            packet rate. Threads: one owner.
 * Cost       no division; two lines for a node with one maximum. Errors: none.
 * Used by    core/sched. The public part is in core/sched.h.
 */
#ifndef HG_CORE_CAPS_H
#define HG_CORE_CAPS_H

#include "core/bucket.h"
#include "core/sched.h"

/* What a node has a maximum of. */
enum { HG_CAP_BYTES = 1, HG_CAP_PKTS = 2 };

struct hg_cap {
	struct hg_bucket bucket;
	uint8_t kinds; /* of the node; in its bytes row only */
	uint8_t is_l2; /* leave out HG_WIRE_OVERHEAD_BYTES a packet */
	uint32_t reserve; /* as the policy has it; the bucket knows it as a time */
};

struct hg_caps {
	uint32_t max_tenants;
	uint32_t max_instances;
	struct hg_cap *tenant_bytes;
	struct hg_cap *tenant_pkts;
	struct hg_cap *instance_bytes;
	struct hg_cap *instance_pkts;
};

/* Which of a node's two limits makes it wait, and until when. */
struct hg_cap_wait {
	hg_ns until_ns; /* <= now: none */
	unsigned kind; /* HG_CAP_BYTES or HG_CAP_PKTS */
};

static inline uint32_t hg_cap_bytes(const struct hg_cap *cap, uint32_t wire_bytes, uint32_t parts)
{
	return cap->is_l2 ? wire_bytes - HG_WIRE_OVERHEAD_BYTES * parts : wire_bytes;
}

/* The later of the waits that the two buckets ask for. */
static inline struct hg_cap_wait hg_cap_next(const struct hg_cap *bytes, const struct hg_cap *pkts,
					     uint32_t wire_bytes, uint32_t parts, hg_ns now_ns)
{
	struct hg_cap_wait wait = {.until_ns = now_ns, .kind = 0};

	if (bytes->kinds & HG_CAP_BYTES) {
		hg_ns at_ns = hg_bucket_next_at(&bytes->bucket,
						hg_cap_bytes(bytes, wire_bytes, parts), now_ns);

		if (at_ns > wait.until_ns)
			wait = (struct hg_cap_wait){at_ns, HG_CAP_BYTES};
	}
	if (bytes->kinds & HG_CAP_PKTS) {
		hg_ns at_ns = hg_bucket_next_at(&pkts->bucket, parts, now_ns);

		if (at_ns > wait.until_ns)
			wait = (struct hg_cap_wait){at_ns, HG_CAP_PKTS};
	}
	return wait;
}

static inline void hg_cap_charge(struct hg_cap *bytes, struct hg_cap *pkts, uint32_t wire_bytes,
				 uint32_t parts, hg_ns now_ns)
{
	if (bytes->kinds & HG_CAP_BYTES)
		hg_bucket_charge(&bytes->bucket, hg_cap_bytes(bytes, wire_bytes, parts), now_ns);
	if (bytes->kinds & HG_CAP_PKTS)
		hg_bucket_charge(&pkts->bucket, parts, now_ns);
}

/* Whether a bucket has the tokens of n units at once; then whoever takes a part of them finds it, and one charge for
 * all is what a charge for each comes to. What an idle bucket gives depends on the first packet, and is left to
 * hg_cap_next(). */
static inline bool hg_cap_bucket_has(const struct hg_bucket *b, uint32_t n, hg_ns now_ns)
{
	hg_ns full_at_ns = now_ns - b->burst_ns;
	hg_ns zero_at_ns = b->zero_at_ns > full_at_ns ? b->zero_at_ns : full_at_ns;
	uint64_t cost = (uint64_t)n * b->pace.mantissa + b->fraction;

	return zero_at_ns + (hg_ns)(cost >> b->pace.shift) <= now_ns &&
	       !hg_bucket_is_idle(b, now_ns);
}

/* Whether both buckets have the tokens of so much at once. */
static inline bool hg_cap_has(const struct hg_cap *bytes, const struct hg_cap *pkts,
			      uint32_t wire_bytes, uint32_t parts, hg_ns now_ns)
{
	return (!(bytes->kinds & HG_CAP_BYTES) ||
		hg_cap_bucket_has(&bytes->bucket, hg_cap_bytes(bytes, wire_bytes, parts),
				  now_ns)) &&
	       (!(bytes->kinds & HG_CAP_PKTS) || hg_cap_bucket_has(&pkts->bucket, parts, now_ns));
}

/* Whether the bytes' bucket has them, whatever parts they are, and no other is asked. */
static inline bool hg_cap_has_bytes(const struct hg_cap *bytes, uint32_t wire_bytes, hg_ns now_ns)
{
	return !(bytes->kinds & HG_CAP_PKTS) &&
	       hg_cap_bucket_has(&bytes->bucket, wire_bytes, now_ns);
}

#endif
