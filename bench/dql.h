/* dql: dynamic queue limits, the rival that every Linux host runs.
 *
 * Why        To be compared with: what it finds for the same card is what a host without headgate has.
 * Model      Written from what is published of it (T. Herbert, "bql: Byte Queue Limits", 2011, and the
 *            description that Linux gives of lib/dynamic_queue_limits.c since 3.3), not from its text. A queue
 *            may take more while no more than the limit is outstanding, so that it passes it by less than a packet.
 *            At each completion:
 *              starved  the limit was passed and nothing is left, or it had been passed at the completion before
 *                       and all that was queued then is completed: the limit grows by what was completed of
 *                       what came since, and by what it had been passed by
 *              busy     something is left of what was queued at the completion before: the slack is what
 *                       would have done without: limit less twice what was completed, or the part of the last
 *                       packet that fitted. The least slack over the hold time is taken off the limit.
 * Units      bytes; ns on the caller's clock. Memory: plain struct. Threads: one owner.
 * Cost       O(1). Errors: none.
 * Used by    bench/depth.c, and whoever compares with a host's own queue.
 */
#ifndef HG_BENCH_DQL_H
#define HG_BENCH_DQL_H

#include "core/units.h"

#include <stdbool.h>

#define HG_DQL_HOLD_NS HG_NS_PER_S /* Linux's default */

struct hg_dql {
	uint64_t limit_bytes, min_bytes, max_bytes;
	uint64_t queued_bytes, completed_bytes; /* ever */
	uint64_t last_bytes; /* of the packet queued last */
	/* At the completion before. */
	uint64_t queued_then_bytes, over_then_bytes, last_then_bytes;
	uint64_t least_slack_bytes;
	hg_ns hold_ns, hold_from_ns;
};

/* As Linux: min 0, max 1,879,048,192, hold HG_DQL_HOLD_NS. The limit begins at min. */
void hg_dql_init(struct hg_dql *q, uint64_t min_bytes, uint64_t max_bytes, hg_ns hold_ns,
		 hg_ns now_ns);
void hg_dql_queued(struct hg_dql *q, uint64_t bytes);
/* All that one look at the card found completed. */
void hg_dql_completed(struct hg_dql *q, uint64_t bytes, hg_ns now_ns);
/* A packet may be queued while this is not negative. */
int64_t hg_dql_avail(const struct hg_dql *q);

#endif
