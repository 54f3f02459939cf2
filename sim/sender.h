/* sender: what one instance offers, in virtual time.
 *
 * Why        A bound on a wait is shown by those who fill the link, and felt by those who send a little.
 * Model      SATURATE  always `backlog_pkts` queued
 *            ON_OFF    the same for on_ns, then nothing for off_ns
 *            EVERY     a packet every period_ns, on average; each gap is random in [period / 2, period * 3 / 2]
 *            LOOP      a closed loop: a packet, and the next some time after it has left the wire, random in
 *                      [think / 2, think * 3 / 2]
 *            Random gaps, so that nobody keeps step with anybody. Sizes are picked in equal parts.
 * Promise    The same seed gives the same history.
 * Units      ns; wire bytes. Memory: plain struct. Threads: one owner. Cost: O(1). Errors: none.
 * Used by    sim/lane.
 */
#ifndef HG_SIM_SENDER_H
#define HG_SIM_SENDER_H

#include "core/units.h"

#include <stdbool.h>

enum hg_arrivals { HG_ARRIVALS_SATURATE, HG_ARRIVALS_ON_OFF, HG_ARRIVALS_EVERY, HG_ARRIVALS_LOOP };

#define HG_SENDER_SIZES 4u

struct hg_sender_size {
	uint32_t wire_bytes; /* in [84, HG_WIRE_MAX_BYTES] */
	uint32_t parts; /* wire packets it will be, in [1, HG_PARTS_MAX] */
};

struct hg_sender_cfg {
	enum hg_arrivals arrivals;
	uint32_t backlog_pkts; /* SATURATE, ON_OFF: >= 1 */
	hg_ns on_ns, off_ns; /* ON_OFF: >= 1 */
	hg_ns period_ns; /* EVERY: >= 2 */
	hg_ns think_ns; /* LOOP: >= 0 */
	uint32_t n_sizes; /* in [1, HG_SENDER_SIZES] */
	struct hg_sender_size sizes[HG_SENDER_SIZES];
};

struct hg_sender {
	struct hg_sender_cfg cfg;
	uint64_t random;
	hg_ns next_at_ns; /* when it does something by itself; HG_NEVER: when a packet of its own has left */
	bool is_on; /* keeps its backlog */
};

void hg_sender_init(struct hg_sender *sender, const struct hg_sender_cfg *cfg, uint64_t seed,
		    hg_ns now_ns);
struct hg_sender_size hg_sender_size(struct hg_sender *sender);

/* What was due by now_ns happens. Returns whether a packet arrives, and when it did: to be asked until it
 * says no. */
bool hg_sender_arrives(struct hg_sender *sender, hg_ns *ret_at_ns, hg_ns now_ns);
/* How many more keep its backlog, with n_queued there. */
uint32_t hg_sender_refill(const struct hg_sender *sender, uint32_t n_queued);
/* A packet of its own leaves the wire at end_ns. */
void hg_sender_left(struct hg_sender *sender, hg_ns end_ns);

#endif
