#include "core/behaviour.h"

/* The set part of a time; whole and remainder apart, so that no length overflows. */
static hg_ns set_part(hg_ns length_ns)
{
	const hg_ns million = 1000000;

	return length_ns / million * HG_BEHAVIOUR_OVER_PPM +
	       length_ns % million * HG_BEHAVIOUR_OVER_PPM / million;
}

/* One more interval of a kind. Returns whether it completes a row. */
static bool count_up(uint8_t *n, uint8_t *n_other)
{
	*n_other = 0;
	if (++*n < HG_BEHAVIOUR_AFTER)
		return false;
	*n = 0;
	return true;
}

static bool move(struct hg_behaviour *b, int by, enum hg_behaviour_reason reason)
{
	int to = b->level + by;

	if (to < HG_BEHAVIOUR_RELAXED || to > HG_BEHAVIOUR_LEVELS)
		return false;
	b->level = (int8_t)to;
	b->reason = (uint8_t)reason;
	b->n_changes++;
	return true;
}

bool hg_behaviour_step(struct hg_behaviour *b, const struct hg_behaviour_sample *sample)
{
	if (sample->length_ns <= 0)
		return false;
	/* At each instant one limit holds: the two are parts of one time. */
	if (sample->held_own_ns + sample->held_tenant_ns <= set_part(sample->length_ns))
		return count_up(&b->n_inside, &b->n_over) && move(b, -1, HG_BEHAVIOUR_INSIDE);
	return count_up(&b->n_over, &b->n_inside) &&
	       move(b, 1,
		    sample->held_own_ns >= sample->held_tenant_ns ? HG_BEHAVIOUR_OVER_OWN
								  : HG_BEHAVIOUR_OVER_TENANT);
}

int hg_behaviour_depth_shift(const struct hg_behaviour *b)
{
	return -b->level;
}

uint64_t hg_behaviour_max_bytes_per_s(const struct hg_behaviour *b, const struct hg_policy *policy)
{
	uint64_t max = policy->max_bytes_per_s, min = policy->min_bytes_per_s;

	if (policy->behaviour != HG_FOLLOW_RATE || b->level <= 0 || max <= min)
		return max;
	return max - (max - min) * (uint64_t)b->level / (2u * HG_BEHAVIOUR_LEVELS);
}

const char *hg_behaviour_reason_text(enum hg_behaviour_reason reason)
{
	switch (reason) {
	case HG_BEHAVIOUR_OVER_OWN:
		return "held by its own maximum for more than half of the time";
	case HG_BEHAVIOUR_OVER_TENANT:
		return "held by its tenant's maximum for more than half of the time";
	case HG_BEHAVIOUR_INSIDE:
		return "stayed inside its contract";
	default:
		return "nothing has changed yet";
	}
}
