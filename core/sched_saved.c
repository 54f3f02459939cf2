#include "core/sched_saved.h"

#include "core/sched_class.h"
#include "core/sched_share.h"

static hg_ns age_ns(hg_ns ns)
{
	if (ns < 0)
		return 0;
	return ns < HG_SAVED_AGE_MAX_NS ? ns : HG_SAVED_AGE_MAX_NS;
}

/* ---- maxima ------------------------------------------------------------------------------------- */

static int check_bucket(const struct hg_bucket_saved *saved, const char *path,
			struct hg_error *reterr)
{
	if (saved->tokens >= -HG_BUCKET_TOKENS_MAX && saved->tokens <= HG_BUCKET_TOKENS_MAX &&
	    saved->full_for_ns >= 0 && saved->full_for_ns <= HG_SAVED_AGE_MAX_NS &&
	    saved->taken_ago_ns >= 0 && saved->taken_ago_ns <= HG_SAVED_AGE_MAX_NS)
		return 0;
	(void)!hg_error_set(reterr, -HG_EINVAL,
			    "tokens are not in [-2^30, 2^30], or a time is not in [0, 10^18) ns",
			    NULL);
	hg_error_at(reterr, path);
	return -HG_EINVAL;
}

int hg_cap_saved_check(const struct hg_cap_saved *saved, struct hg_error *reterr)
{
	int r = saved->has_bytes ? check_bucket(&saved->bytes, "max", reterr) : 0;

	return r == 0 && saved->has_pkts ? check_bucket(&saved->pkts, "max_pkts", reterr) : r;
}

static void save_bucket(const struct hg_bucket *b, hg_ns now_ns, struct hg_bucket_saved *ret_saved)
{
	hg_bucket_save(b, now_ns, ret_saved);
	ret_saved->full_for_ns = age_ns(ret_saved->full_for_ns);
	ret_saved->taken_ago_ns = age_ns(ret_saved->taken_ago_ns);
}

static void save_caps(const struct hg_cap *bytes, const struct hg_cap *pkts, hg_ns now_ns,
		      struct hg_cap_saved *ret_saved)
{
	*ret_saved = (struct hg_cap_saved){
		.has_bytes = (bytes->kinds & HG_CAP_BYTES) != 0,
		.has_pkts = (bytes->kinds & HG_CAP_PKTS) != 0,
	};
	if (ret_saved->has_bytes)
		save_bucket(&bytes->bucket, now_ns, &ret_saved->bytes);
	if (ret_saved->has_pkts)
		save_bucket(&pkts->bucket, now_ns, &ret_saved->pkts);
}

static void restore_caps(struct hg_cap *bytes, struct hg_cap *pkts,
			 const struct hg_cap_saved *saved, hg_ns now_ns)
{
	if ((bytes->kinds & HG_CAP_BYTES) && saved->has_bytes)
		hg_bucket_restore(&bytes->bucket, &saved->bytes, now_ns);
	if ((bytes->kinds & HG_CAP_PKTS) && saved->has_pkts)
		hg_bucket_restore(&pkts->bucket, &saved->pkts, now_ns);
}

void hg_caps_save_instance(const struct hg_caps *caps, uint32_t instance_idx, hg_ns now_ns,
			   struct hg_cap_saved *ret_saved)
{
	save_caps(&caps->instance_bytes[instance_idx], &caps->instance_pkts[instance_idx], now_ns,
		  ret_saved);
}

void hg_caps_restore_instance(struct hg_caps *caps, uint32_t instance_idx,
			      const struct hg_cap_saved *saved, hg_ns now_ns)
{
	restore_caps(&caps->instance_bytes[instance_idx], &caps->instance_pkts[instance_idx], saved,
		     now_ns);
}

void hg_caps_save_tenant(const struct hg_caps *caps, uint32_t tenant_idx, hg_ns now_ns,
			 struct hg_cap_saved *ret_saved)
{
	save_caps(&caps->tenant_bytes[tenant_idx], &caps->tenant_pkts[tenant_idx], now_ns,
		  ret_saved);
}

void hg_caps_restore_tenant(struct hg_caps *caps, uint32_t tenant_idx,
			    const struct hg_cap_saved *saved, hg_ns now_ns)
{
	restore_caps(&caps->tenant_bytes[tenant_idx], &caps->tenant_pkts[tenant_idx], saved,
		     now_ns);
}

/* ---- schedulers --------------------------------------------------------------------------------- */

static uint64_t ahead_of(uint64_t finish, uint64_t clock)
{
	uint64_t ahead = finish > clock ? finish - clock : 0;

	return ahead < HG_SAVED_AHEAD_MAX ? ahead : HG_SAVED_AHEAD_MAX;
}

/* The virtual time of the instance's tenant, in the band of its priority. */
static uint64_t tenant_clock(const struct hg_sched *s, const struct hg_node *node)
{
	const struct hg_share *share = &s->tenants[node->tenant_idx].share;
	unsigned priority = priority_of(node);

	if (priority != HG_PRIORITY_NORMAL)
		share = &s->other_shares[2u * node->tenant_idx + priority - 1u].share;
	return share->slot_now << s->slot_shift;
}

static hg_ns due_in_ns(pace32 guarantee, hg_ns due_ns, hg_ns now_ns)
{
	hg_ns ns = guarantee == 0 ? 0 : due_ns - now_ns;

	if (ns > HG_SAVED_DUE_MAX_NS)
		return HG_SAVED_DUE_MAX_NS;
	return ns > -HG_SAVED_DUE_MAX_NS ? ns : -HG_SAVED_DUE_MAX_NS;
}

void hg_sched_save_instance(const struct hg_sched *s, uint32_t instance_idx, hg_ns now_ns,
			    struct hg_sched_saved *ret_saved)
{
	const struct hg_node *node = &s->nodes[instance_idx];
	const struct hg_queue *queue = &s->queues[instance_idx];
	const struct hg_classes *c = &s->classes[instance_idx];

	*ret_saved = (struct hg_sched_saved){
		.due_in_ns = due_in_ns(node->guarantee, node->due_ns, now_ns),
		.ahead = ahead_of(node->finish, tenant_clock(s, node)),
		.quiet_ns = queue->n_pkts > 0 ? 0 : age_ns(now_ns - queue->emptied_at_ns),
	};
	if (!(node->flags & CLASSED))
		return;
	ret_saved->n_classes = c->n;
	for (unsigned i = 0; i < c->n; i++)
		ret_saved->class_ahead[i] = ahead_of(c->queues[i].finish, c->clock);
}

int hg_sched_tenant_saved_check(const struct hg_sched_tenant_saved *saved, struct hg_error *reterr)
{
	int r = 0;

	if (saved->due_in_ns < -HG_SAVED_DUE_MAX_NS || saved->due_in_ns > HG_SAVED_DUE_MAX_NS) {
		r = hg_error_set(reterr, -HG_EINVAL, "more than 30 days", NULL);
		hg_error_at(reterr, "due_in");
	} else if (saved->quiet_ns < 0 || saved->quiet_ns > HG_SAVED_AGE_MAX_NS) {
		r = hg_error_set(reterr, -HG_EINVAL, "not in [0, 10^18) ns", NULL);
		hg_error_at(reterr, "quiet");
	}
	return r;
}

int hg_sched_saved_check(const struct hg_sched_saved *saved, struct hg_error *reterr)
{
	const struct hg_sched_tenant_saved times = {saved->due_in_ns, saved->quiet_ns};
	int r = hg_sched_tenant_saved_check(&times, reterr);

	if (r != 0)
		return r;
	if (saved->ahead > HG_SAVED_AHEAD_MAX) {
		r = hg_error_set(reterr, -HG_EINVAL, "more than 2^31", NULL);
		hg_error_at(reterr, "ahead");
	} else if (saved->n_classes > HG_CLASSES_MAX) {
		r = hg_error_set(reterr, -HG_EINVAL, "more than 8 classes", NULL);
		hg_error_at(reterr, "classes");
	}
	for (unsigned i = 0; r == 0 && i < saved->n_classes; i++) {
		if (saved->class_ahead[i] <= HG_SAVED_AHEAD_MAX)
			continue;
		r = hg_error_set(reterr, -HG_EINVAL, "more than 2^31", NULL);
		hg_error_at(reterr, "classes");
	}
	return r;
}

int hg_sched_restore_instance(struct hg_sched *s, uint32_t instance_idx,
			      const struct hg_sched_saved *saved, hg_ns now_ns,
			      struct hg_error *reterr)
{
	struct hg_node *node;
	struct hg_classes *c;
	int r = hg_sched_saved_check(saved, reterr);

	if (r != 0)
		return r;
	if (instance_idx >= s->max_instances || !(s->nodes[instance_idx].flags & IS_SET))
		return hg_error_set(reterr, -HG_EINVAL, "the instance is not set", NULL);
	if (s->queues[instance_idx].n_pkts > 0)
		return hg_error_set(reterr, -HG_EBUSY, "packets of the instance are queued", NULL);
	node = &s->nodes[instance_idx];
	if (node->guarantee != 0)
		node->due_ns = now_ns + saved->due_in_ns;
	/* Whatever entry it has names another time now. */
	hg_sched_block_no_more(s, instance_idx);
	node->flags = next_guarantee_gen(node->flags & ~(uint32_t)(IN_GUARANTEE | ON_CREDIT));
	hg_sched_unblock(s, node->tenant_idx, now_ns);
	node->finish = tenant_clock(s, node) + saved->ahead;
	s->queues[instance_idx].emptied_at_ns = now_ns - saved->quiet_ns;
	c = &s->classes[instance_idx];
	if (!(node->flags & CLASSED) || c->n != saved->n_classes)
		return 0;
	for (unsigned i = 0; i < c->n; i++)
		c->queues[i].finish = c->clock + saved->class_ahead[i];
	return 0;
}

void hg_sched_resume_instance(struct hg_sched *s, uint32_t instance_idx)
{
	if (s->nodes[instance_idx].guarantee != 0)
		s->nodes[instance_idx].flags |= RESUMES;
}

void hg_sched_save_tenant(const struct hg_sched *s, uint32_t tenant_idx, hg_ns now_ns,
			  struct hg_sched_tenant_saved *ret_saved)
{
	const struct hg_tenant *t = &s->tenants[tenant_idx];

	*ret_saved = (struct hg_sched_tenant_saved){
		.due_in_ns = due_in_ns(t->guarantee, t->due_ns, now_ns),
		.quiet_ns = t->n_backlogged > 0 ? 0 : age_ns(now_ns - t->emptied_at_ns),
	};
}

int hg_sched_restore_tenant(struct hg_sched *s, uint32_t tenant_idx,
			    const struct hg_sched_tenant_saved *saved, hg_ns now_ns,
			    struct hg_error *reterr)
{
	struct hg_tenant *t;
	int r = hg_sched_tenant_saved_check(saved, reterr);

	if (r != 0)
		return r;
	if (tenant_idx >= s->max_tenants || !(s->tenants[tenant_idx].flags & IS_SET))
		return hg_error_set(reterr, -HG_EINVAL, "the tenant is not set", NULL);
	t = &s->tenants[tenant_idx];
	if (t->n_backlogged > 0)
		return hg_error_set(reterr, -HG_EBUSY, "packets of the tenant are queued", NULL);
	if (t->guarantee != 0)
		t->due_ns = now_ns + saved->due_in_ns;
	/* Whatever entry it has names another time now. */
	t->flags = next_guarantee_gen(t->flags & ~(uint32_t)(IN_GUARANTEE | ON_CREDIT));
	t->emptied_at_ns = now_ns - saved->quiet_ns;
	return 0;
}

void hg_sched_resume_tenant(struct hg_sched *s, uint32_t tenant_idx)
{
	if (s->tenants[tenant_idx].guarantee != 0)
		s->tenants[tenant_idx].flags |= RESUMES;
}
