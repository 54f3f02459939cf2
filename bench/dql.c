#include "bench/dql.h"

static uint64_t above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void hg_dql_init(struct hg_dql *q, uint64_t min_bytes, uint64_t max_bytes, hg_ns hold_ns,
		 hg_ns now_ns)
{
	*q = (struct hg_dql){.limit_bytes = min_bytes,
			     .min_bytes = min_bytes,
			     .max_bytes = max_bytes,
			     .least_slack_bytes = UINT64_MAX,
			     .hold_ns = hold_ns,
			     .hold_from_ns = now_ns};
}

void hg_dql_queued(struct hg_dql *q, uint64_t bytes)
{
	q->last_bytes = bytes;
	q->queued_bytes += bytes;
}

int64_t hg_dql_avail(const struct hg_dql *q)
{
	return (int64_t)q->limit_bytes - (int64_t)(q->queued_bytes - q->completed_bytes);
}

static void restart_hold(struct hg_dql *q, hg_ns now_ns)
{
	q->least_slack_bytes = UINT64_MAX;
	q->hold_from_ns = now_ns;
}

/* What this completion could have done without. */
static uint64_t slack_of(const struct hg_dql *q, uint64_t bytes)
{
	uint64_t slack = above(q->limit_bytes + q->over_then_bytes, 2 * bytes);
	uint64_t fitted =
		q->over_then_bytes > 0 ? above(q->last_then_bytes, q->over_then_bytes) : 0;

	return slack > fitted ? slack : fitted;
}

void hg_dql_completed(struct hg_dql *q, uint64_t bytes, hg_ns now_ns)
{
	uint64_t completed = q->completed_bytes + bytes;
	uint64_t over = above(q->queued_bytes - q->completed_bytes, q->limit_bytes);
	bool was_busy = q->queued_then_bytes != q->completed_bytes;
	bool is_empty = q->queued_bytes == completed,
	     all_of_then = completed >= q->queued_then_bytes;
	uint64_t limit = q->limit_bytes;

	if ((over > 0 && is_empty) || (q->over_then_bytes > 0 && all_of_then)) {
		limit += above(completed, q->queued_then_bytes) + q->over_then_bytes;
		restart_hold(q, now_ns);
	} else if (!is_empty && was_busy && !all_of_then) {
		uint64_t slack = slack_of(q, bytes);

		if (slack < q->least_slack_bytes)
			q->least_slack_bytes = slack;
		if (now_ns - q->hold_from_ns > q->hold_ns) {
			limit = above(limit, q->least_slack_bytes);
			restart_hold(q, now_ns);
		}
	}
	limit = limit < q->min_bytes ? q->min_bytes : limit > q->max_bytes ? q->max_bytes : limit;
	/* Against a new limit what is outstanding may be over by another amount. */
	if (limit != q->limit_bytes)
		over = 0;
	q->limit_bytes = limit;
	q->over_then_bytes = over;
	q->last_then_bytes = q->last_bytes;
	q->completed_bytes = completed;
	q->queued_then_bytes = q->queued_bytes;
}
