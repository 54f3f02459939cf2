/* card: what was seen of an uplink's card queue, second by second, and what is worth a line in the log.
 *
 * Why        In-flight control works or does not work without anybody touching it: a driver that tells
 *            nothing, buffers that never come back, a queue that is full all the same. Each is said once when
 *            it begins, with what headgate does instead.
 * Model      The last sample of the packet lane is kept; closing a second takes a new one, and what lies
 *            between the two is the second. Looking compares states and counters with those last told.
 * Said       each change of the hook's state; lost buffers and a full queue when they begin, and again, with
 *            the sum, no more often than every HG_CARD_QUIET_SECONDS while they go on.
 * Memory     Plain struct, about 1 KiB. Threads: the control lane. Errors: none.
 * Used by    control/seconds.c, control/control.c.
 */
#ifndef HG_CONTROL_CARD_H
#define HG_CONTROL_CARD_H

#include "control/control.h"
#include "dataplane/dataplane.h"

/* Ten lines a day would be read; one a second would not. */
#define HG_CARD_QUIET_SECONDS 60u

/* A counter that is told of when it grows. */
struct hg_card_alarm {
	uint64_t told; /* its value when it was last told of, or seen without being told */
	uint64_t at_second; /* 0: never told */
};

struct hg_card {
	char name[HG_NAME_BYTES];
	bool was_seen;
	enum hg_hook_state state; /* last told */
	struct hg_card_alarm lost, full;
	struct hg_histogram last; /* at the end of the last second */
	uint64_t last_refused_pkts, last_lost_pkts;
	struct hg_quantiles second;
	uint64_t second_refused_pkts, second_lost_pkts;
};

/* p50, p99, p99.9 of what lies between two histograms. */
void hg_card_quantiles(const struct hg_histogram *from, const struct hg_histogram *to,
		       struct hg_quantiles *ret);

void hg_card_close(struct hg_card *card, const struct hg_dp_uplink_sample *now);

typedef void (*hg_card_say_fn)(void *user, enum hg_log_level level, const char *sentence);
/* second: how many have been closed. */
void hg_card_look(struct hg_card *card, const struct hg_dp_uplink_sample *now, bool is_observed,
		  uint64_t second, hg_card_say_fn say, void *user);

/* Why a card queue that refused packets was full, as far as the numbers tell. Returns buf. */
char *hg_card_why_full(const struct hg_dp_uplink_sample *now, bool is_observed, char *buf,
		       size_t size);

#endif
