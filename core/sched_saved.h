/* sched_saved: what an instance is owed, and owes, carried from one scheduler to another.
 *
 * Why        S5.1, migration. An instance that moves to another host takes its tokens along: who has just spent a
 *            burst must not find another one there, and who saved one must not lose it.
 * Model      Per direction, the buckets of its maxima (struct hg_cap_saved), which hold over all links, and for each
 *            scheduler that it is in how far it was served ahead of its guarantee, of its tenant's other
 *            instances, and of its other classes (struct hg_sched_saved). Times are ages, since clocks
 *            differ; tokens are units.
 * Promise    Saved, set anew with the same policy on a scheduler of the same quantum and restored at the same instant,
 *            an instance with nothing queued is served as if nothing had happened. With another policy tokens
 *            are kept in units, but never more than its burst, and a debt is never forgiven.
 * Restart    Where all instances of a tenant go along (dataplane/standing.c), what the tenant has does, too: the buckets
 *            of its maxima, and how far each scheduler has served it ahead of its guarantee. Among tenants shares
 *            begin anew. Who had packets queued says so (resume), and gets them back at once: it never stopped
 *            waiting, so that what its guarantee lags behind stays due, as far as a lag is ever made up.
 * Not here   Packets: what is queued stays behind (hg_sched_drain).
 * Units      as core/sched.h. Memory: plain values. Threads: the scheduler's owner. Cost: O(classes).
 * Errors     restore: -EINVAL for an instance that is not set, or a value out of its range, with the path of the
 *            field; -EBUSY if something is queued. Nothing changed then.
 * Used by    dataplane/state.c, dataplane/standing.c.
 */
#ifndef HG_CORE_SCHED_SAVED_H
#define HG_CORE_SCHED_SAVED_H

#include "core/bucket.h"
#include "core/sched.h"

/* 31 years: longer than any idle time that is told apart, and 18 digits. */
#define HG_SAVED_AGE_MAX_NS INT64_C(999999999999999999)
/* Virtual time that the largest segment takes at weight 1, twice. */
#define HG_SAVED_AHEAD_MAX (UINT64_C(1) << 31)
/* At the lowest rate the largest burst takes 12 days. */
#define HG_SAVED_DUE_MAX_NS (30 * 24 * 3600 * HG_NS_PER_S)

struct hg_cap_saved {
	bool has_bytes, has_pkts; /* whether there is such a maximum */
	struct hg_bucket_saved bytes, pkts;
};

struct hg_sched_saved {
	/* When the next guaranteed byte is due; negative: it has been so for this long. In
	 * [-HG_SAVED_DUE_MAX_NS, HG_SAVED_DUE_MAX_NS]; 0 without a minimum. */
	hg_ns due_in_ns;
	/* Virtual time served ahead of its tenant's, in 1/1024 byte at weight 1; in [0, HG_SAVED_AHEAD_MAX]. */
	uint64_t ahead;
	hg_ns quiet_ns; /* since its last packet left; 0: something is queued; in [0, HG_SAVED_AGE_MAX_NS] */
	uint32_t n_classes;
	uint64_t class_ahead[HG_CLASSES_MAX]; /* the same among its classes */
};

struct hg_sched_tenant_saved {
	hg_ns due_in_ns; /* as above */
	hg_ns quiet_ns; /* since the last packet of its instances left, as above */
};

/* Whether values are in their ranges, with the path of the one that is not: -EINVAL. Restoring what was not checked
 * is refused by the schedulers, and is the caller's to avoid for maxima. */
HG_MUST_CHECK int hg_cap_saved_check(const struct hg_cap_saved *saved, struct hg_error *reterr);
HG_MUST_CHECK int hg_sched_saved_check(const struct hg_sched_saved *saved, struct hg_error *reterr);
HG_MUST_CHECK int hg_sched_tenant_saved_check(const struct hg_sched_tenant_saved *saved,
					      struct hg_error *reterr);

void hg_caps_save_instance(const struct hg_caps *caps, uint32_t instance_idx, hg_ns now_ns,
			   struct hg_cap_saved *ret_saved);
/* After hg_caps_set_instance(), before the schedulers' hg_sched_refresh_instance(). A maximum that was not
 * there before begins as a new one does. */
void hg_caps_restore_instance(struct hg_caps *caps, uint32_t instance_idx,
			      const struct hg_cap_saved *saved, hg_ns now_ns);

/* The same of a tenant. */
void hg_caps_save_tenant(const struct hg_caps *caps, uint32_t tenant_idx, hg_ns now_ns,
			 struct hg_cap_saved *ret_saved);
void hg_caps_restore_tenant(struct hg_caps *caps, uint32_t tenant_idx,
			    const struct hg_cap_saved *saved, hg_ns now_ns);

void hg_sched_save_instance(const struct hg_sched *s, uint32_t instance_idx, hg_ns now_ns,
			    struct hg_sched_saved *ret_saved);
/* After hg_sched_set_instance() and hg_sched_set_classes(). Classes are matched by their place; where their number
 * differs they begin anew. */
HG_MUST_CHECK int hg_sched_restore_instance(struct hg_sched *s, uint32_t instance_idx,
					    const struct hg_sched_saved *saved, hg_ns now_ns,
					    struct hg_error *reterr);
/* The instance, which was restored, gets what it had queued back now, by hg_sched_push(). */
void hg_sched_resume_instance(struct hg_sched *s, uint32_t instance_idx);

void hg_sched_save_tenant(const struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns,
			  struct hg_sched_tenant_saved *ret_saved);
/* After hg_sched_set_tenant(), before anything is queued; errors as of an instance. */
HG_MUST_CHECK int hg_sched_restore_tenant(struct hg_sched *s, uint32_t tenant_idx,
					  const struct hg_sched_tenant_saved *saved, hg_ns now_ns,
					  struct hg_error *reterr);
/* As of an instance: one of its instances does. */
void hg_sched_resume_tenant(struct hg_sched *s, uint32_t tenant_idx);

#endif
