#include "apps/standing.h"

#include "dataplane/handover.h"

struct head {
	uint64_t n_measured, n_lane; /* bytes; each followed by the next 8 */
};

static size_t filled_up(size_t n_bytes)
{
	return (n_bytes + 7u) & ~(size_t)7u;
}

static uint8_t *measured_of(void *memory)
{
	return (uint8_t *)memory + sizeof(struct head);
}

size_t hg_standing_size(const struct hg_daemon *d)
{
	return sizeof(struct head) + filled_up(hg_control_standing_size(d->control)) +
	       hg_dp_standing_size(d->dp);
}

void hg_standing_write_measured(struct hg_daemon *d, void *memory)
{
	struct head *head = memory;

	*head = (struct head){.n_measured = hg_control_standing_size(d->control),
			      .n_lane = hg_dp_standing_size(d->dp)};
	hg_control_standing_out(d->control, measured_of(memory));
}

void hg_standing_write_lane(struct hg_daemon *d, void *memory)
{
	const struct head *head = memory;

	hg_dp_standing_out(d->dp, measured_of(memory) + filled_up(head->n_measured));
}

int hg_standing_read_lane(struct hg_daemon *d, const void *memory, size_t n_bytes, uint32_t *ret_n,
			  struct hg_error *reterr)
{
	const struct head *head = memory;
	size_t n_before;
	int rc;

	if (n_bytes < sizeof(*head) || head->n_measured > n_bytes || head->n_lane > n_bytes)
		return hg_error_set(reterr, -HG_EINVAL, "they end too early", NULL);
	n_before = sizeof(*head) + filled_up(head->n_measured);
	if (n_before + head->n_lane > n_bytes)
		return hg_error_set(reterr, -HG_EINVAL, "they end too early", NULL);
	rc = hg_control_standing_check(head + 1, head->n_measured, hg_clock_now_ns(), reterr);
	if (rc < 0)
		return rc;
	return hg_dp_standing_in(d->dp, (const uint8_t *)memory + n_before, head->n_lane, ret_n,
				 reterr);
}

int hg_standing_read_measured(struct hg_daemon *d, const void *memory, struct hg_error *reterr)
{
	const struct head *head = memory;

	return hg_control_standing_in(d->control, head + 1, head->n_measured, hg_clock_now_ns(),
				      reterr);
}
