/* control: the desired state, how it gets into force, and what was measured against it.
 *
 * Why        One place decides what the host should do and knows whether it does. The outside surface
 *            (api/) turns text into a desired state and samples into text; the packet lane
 *            (dataplane/) carries it out.
 * Model      apply: admit -> packet lane -> save -> in force. A change that waits for confirmation is
 *            not saved, and is taken back by tick() when its time is over. tick() also samples: once a
 *            second it closes one `second` for every contract, and judges it by the rule of measure.
 *            Devices that are missing are looked for once a second, and what comes and goes is logged.
 * Promise    apply: all or nothing; on error the previous state is in force and saved. What is in force
 *            for good was saved before apply (or confirm) returned, so a crash loses nothing.
 * Proof      control/measure.h has the rule. A second in which the host's processors were stolen from is
 *            marked and judged as neither kept nor missed; so is the one in which a contract changed.
 * Time       An argument. Memory: allocates; caller's desired states are copied.
 * Threads    One, the control lane.
 * Errors     as dataplane.h and admit.h; -EBUSY while another change waits for confirmation; -EINVAL for
 *            a confirmation that nobody waits for; -EIO or -EPERM when the state cannot be saved.
 */
#ifndef HG_CONTROL_CONTROL_H
#define HG_CONTROL_CONTROL_H

#include "core/desired.h"
#include "core/error.h"
#include "core/behaviour.h"
#include "core/capture.h"
#include "core/histogram.h"
#include "core/inflight.h"
#include "core/instance_state.h"
#include "core/units.h"
#include "core/verdict.h"

#include <stdbool.h>

struct hg_control;
struct hg_credits; /* control/credits.h */
struct hg_dp; /* dataplane/dataplane.h; api never looks inside */

enum hg_log_level { HG_LOG_ERR = 3, HG_LOG_WARNING = 4, HG_LOG_NOTICE = 5, HG_LOG_INFO = 6 };

struct hg_control_cfg {
	struct hg_dp *dp;
	struct hg_credits
		*credits; /* processor credits; NULL: not governed. Outlives the control lane */
	hg_ns started_at_ns; /* on the clock of now_ns */
	/* Sum of stolen time of all processors since boot, in ns; injected so that tests need no /proc. */
	hg_ns (*stolen_ns)(void *user);
	void (*log)(void *user, enum hg_log_level level, const char *sentence);
	void *user;
};

HG_MUST_CHECK int hg_control_create(const struct hg_control_cfg *cfg, struct hg_control **ret,
				    struct hg_error *reterr);
void hg_control_destroy(struct hg_control *control);

/* Admission and everything else that can be known without changing anything. */
HG_MUST_CHECK int hg_control_check(struct hg_control *control, const struct hg_desired *desired,
				   struct hg_error *reterr);
/* confirm_for_ns 0: for good. Otherwise the previous state comes back after that time unless
 * hg_control_confirm() is called; a second apply while one waits is -EBUSY. */
HG_MUST_CHECK int hg_control_apply(struct hg_control *control, const struct hg_desired *desired,
				   hg_ns confirm_for_ns, hg_ns now_ns, struct hg_error *reterr);
/* The first state of a daemon that starts, for good. As hg_control_apply(), but there is nobody who could be asked: ports
 * whose devices cannot be opened are missing, and looked for, whatever the reason (hg_dp_bring_back()). */
HG_MUST_CHECK int hg_control_begin(struct hg_control *control, const struct hg_desired *desired,
				   hg_ns now_ns, struct hg_error *reterr);
HG_MUST_CHECK int hg_control_confirm(struct hg_control *control, struct hg_error *reterr);

/* NULL: processors are not governed. */
struct hg_credits *hg_control_credits(const struct hg_control *control);

/* The state in force: never NULL, at first an empty one. Valid until the next apply or tick. */
const struct hg_desired *hg_control_desired(const struct hg_control *control);
/* Called with each state that is in force for good, to save it; an error takes the change back. The
 * state of an apply that waits for confirmation is saved when it is confirmed. */
typedef int (*hg_control_save_fn)(void *user, const struct hg_desired *desired,
				  struct hg_error *reterr);
void hg_control_on_save(struct hg_control *control, hg_control_save_fn save, void *user);

/* What another process goes on with, over a planned restart. */
struct hg_control_state {
	const struct hg_desired *desired; /* in force */
	const struct hg_desired *previous; /* comes back unless confirmed; NULL: nothing waits */
	hg_ns confirm_until_ns; /* on the clock of now_ns, which is the host's */
	uint64_t generation;
};
/* Valid until the next apply or tick. */
void hg_control_give(const struct hg_control *control, struct hg_control_state *ret);
/* Brings it into force as the first state, without saving it. Errors as apply; then nothing is in force. */
HG_MUST_CHECK int hg_control_take(struct hg_control *control, const struct hg_control_state *state,
				  hg_ns now_ns, struct hg_error *reterr);
/* What was measured, and the second that is open, for the process that goes on: kept and missed seconds, totals.
 * Beside hg_dp_standing_out(), of the same state. */
size_t hg_control_standing_size(const struct hg_control *control);
/* Memory is aligned to 8 bytes. Once, in the process that goes: nothing may be closed after it. */
void hg_control_standing_out(const struct hg_control *control, void *memory);
/* Whether standing_in can take it: counters below must not go on if what was measured of them does not.
 * -EINVAL, -ENOTSUP as of hg_dp_standing_in(). */
HG_MUST_CHECK int hg_control_standing_check(const void *memory, size_t n_bytes, hg_ns now_ns,
					    struct hg_error *reterr);
/* After hg_control_take(), and if hg_dp_standing_in() took what belongs to it. Contracts go on by name: proof as over
 * a change, and the open second stays open, so that what stood still is in it. Errors as of check; -ENOMEM. */
HG_MUST_CHECK int hg_control_standing_in(struct hg_control *control, const void *memory,
					 size_t n_bytes, hg_ns now_ns, struct hg_error *reterr);
/* Saves what is in force for good. */
HG_MUST_CHECK int hg_control_save(struct hg_control *control, struct hg_error *reterr);

/* Samples, closes seconds, retries missing devices, takes back what was not confirmed. Returns when to
 * call it again. */
hg_ns hg_control_tick(struct hg_control *control, hg_ns now_ns);

/* ---- an instance on its way from host to host ---------------------------------------------------- */

/* Changes nothing. */
HG_MUST_CHECK int hg_control_save_instance(struct hg_control *control, uint32_t instance_idx,
					   hg_ns now_ns, struct hg_saved_instance *ret,
					   struct hg_error *reterr);
/* Takes an instance off the host: its ports are closed, what it has queued to send leaves, for at most 200 ms, and then
 * it is saved and removed at one instant. On error it is there as before. Its credits leave the store last: whenever
 * this host crashes they are there or in *ret, never in both; where the store fails they stay, *ret is without them,
 * and it is logged. */
HG_MUST_CHECK int hg_control_detach_instance(struct hg_control *control, uint32_t instance_idx,
					     hg_ns now_ns, struct hg_saved_instance *ret,
					     struct hg_error *reterr);
/* hg_control_apply(), for good, of a state in which an instance is new that comes from elsewhere: tokens, learned
 * addresses, totals and credits go on from where they were, and its ports are announced. Its tenant's totals are what
 * happened on this host. saved->has_credits only where hg_control_credits() is there, and governs the instance. */
HG_MUST_CHECK int hg_control_restore_instance(struct hg_control *control,
					      const struct hg_desired *desired,
					      uint32_t instance_idx,
					      const struct hg_saved_instance *saved, hg_ns now_ns,
					      struct hg_error *reterr);
/* Announces a port on its uplink; *ret_n: how many addresses. */
HG_MUST_CHECK int hg_control_announce(struct hg_control *control, uint32_t port_idx,
				      uint32_t *ret_n, struct hg_error *reterr);

/* ---- what was measured -------------------------------------------------------------------------- */

/* HG_NEVER: longer than the histogram tells apart. 0: there were none. */
struct hg_quantiles {
	hg_ns p50_ns, p99_ns, p999_ns;
};

/* One direction of one contract over one closed second, or since start. */
struct hg_measure {
	hg_ns for_ns; /* measured length */
	uint64_t offered_bytes_per_s, sent_bytes_per_s; /* wire bytes; everywhere */
	uint64_t link_offered_bytes_per_s, link_sent_bytes_per_s; /* on an uplink */
	uint64_t waiting_bytes; /* at the end */
	uint64_t drops; /* packets, all reasons */
	uint64_t marked_pkts;
	uint64_t held_ns[HG_N_LIMITS]; /* adds up to wait_ns */
	uint64_t wait_ns;
	hg_ns wait_p50_ns, wait_p99_ns; /* of a packet in headgate; instances only */
	struct hg_quantiles card; /* of a packet in the card; instances' out only */
	bool is_active;
	enum hg_limit held_by;
};

struct hg_proof { /* whole seconds since the contract last changed */
	uint64_t kept, missed, stolen;
	uint64_t missed_min, missed_max; /* of missed; a second can miss both */
};

struct hg_counts { /* since start, at the end of the last closed second */
	uint64_t offered_bytes, offered_pkts, sent_bytes, sent_pkts, link_sent_bytes;
};

struct hg_status_row_card { /* of an instance, at the end of the last closed second */
	struct hg_window_row window;
	struct hg_behaviour behaviour;
	uint64_t max_in_force_bytes_per_s; /* 0: none */
	uint64_t cut_segments, cut_pieces; /* since start */
};

struct hg_status_row { /* one instance or tenant; all zero until its first second is closed */
	struct hg_measure second[HG_N_DIRS]; /* the last closed second */
	struct hg_measure total[HG_N_DIRS]; /* since start; rates are means */
	struct hg_proof proof[HG_N_DIRS];
	struct hg_counts counts[HG_N_DIRS];
	uint64_t drops[HG_N_DIRS][HG_N_DROPS]; /* since start */
	struct hg_status_row_card card;
};

struct hg_status_port {
	const char *link; /* "up", "down", "missing" */
	char reason[HG_REASON_BYTES];
	/* Why the far side was lost or sent away last, though it may be back. */
	char last_reason[HG_REASON_BYTES];
	hg_ns last_reason_age_ns; /* since then; 0 while there is none */
	uint64_t n_refused_guests[HG_N_GUEST_REFUSALS]; /* since its device was opened */
	uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes;
	uint32_t n_learned, n_refused; /* addresses; frames from those that were not learned */
	uint64_t n_introductions; /* frames sent because its guest was back */
	uint64_t drops[HG_N_DROPS];
};

#define HG_WHY_FULL_BYTES 256u
struct hg_status_card { /* the card's queue, by headgate's count; see core/inflight.h */
	struct hg_inflight_stats now; /* counters since start */
	struct hg_depth_cfg depth_cfg; /* what MAX is found with */
	bool is_paced; /* the link is paced a little under its rate */
	hg_ns state_for_ns;
	struct hg_quantiles second, total; /* time in the card, all instances */
	uint64_t second_refused_pkts, second_lost_pkts;
	char why_full[HG_WHY_FULL_BYTES]; /* empty: it refused nothing */
};

struct hg_status_uplink {
	const char *link;
	char reason[HG_REASON_BYTES];
	uint64_t out_bytes_per_s, in_bytes_per_s; /* wire bytes, last closed second */
	uint64_t tx_wire_bytes, rx_wire_bytes, tx_pkts, rx_pkts; /* since start */
	uint64_t queued_bytes, card_pkts, card_ring_pkts, card_bytes; /* by the card's own count */
	struct hg_status_card card;
	uint64_t drops[HG_N_DROPS];
};

struct hg_status_host {
	hg_ns up_for_ns;
	uint64_t generation; /* of the state in force */
	uint64_t seconds; /* closed so far: grows by one each second */
	uint64_t stolen_seconds;
	hg_ns second_stolen_ns; /* of the last one */
	hg_ns confirm_within_ns; /* a change waits for confirmation this long; 0: none */
	uint32_t busy_ppm; /* share of one processor that the workers used in the last second */
	uint64_t free_buffers, n_buffers;
	uint64_t heap_bytes; /* allocated and not freed, but packet buffers; 0: another allocator */
	uint64_t drops[HG_N_DROPS]; /* that no instance can be charged with */
};

/* Indices are those of hg_control_desired(). */
void hg_control_status_host(const struct hg_control *control, hg_ns now_ns,
			    struct hg_status_host *ret);
void hg_control_status_tenant(const struct hg_control *control, uint32_t idx,
			      struct hg_status_row *ret);
void hg_control_status_instance(const struct hg_control *control, uint32_t idx,
				struct hg_status_row *ret);
void hg_control_status_port(const struct hg_control *control, uint32_t idx,
			    struct hg_status_port *ret);
void hg_control_status_uplink(const struct hg_control *control, uint32_t idx,
			      struct hg_status_uplink *ret);

/* What MAX of the uplink was decided from, up to n samples from number `first` on; of those that are gone
 * none. Returns how many, and the number of the first in *ret_first: hg_depth_replay() computes MAX again. */
unsigned hg_control_depth_samples(const struct hg_control *control, uint32_t idx, uint64_t first,
				  struct hg_depth_sample *ret_samples, unsigned n,
				  uint64_t *ret_first);

/* ---- captures ----------------------------------------------------------------------------------- */

struct hg_capture;

/* As hg_dp_capture_*() of dataplane/dataplane.h; the index is that of hg_control_desired(), of a port or an
 * uplink. Closed before the control lane is destroyed. */
HG_MUST_CHECK int hg_control_capture_open(struct hg_control *control, bool is_uplink, uint32_t idx,
					  const struct hg_capture_cfg *cfg,
					  struct hg_capture **ret_capture, struct hg_error *reterr);
bool hg_control_capture_peek(const struct hg_capture *capture, struct hg_capture_pkt *ret_pkt);
void hg_control_capture_take(struct hg_capture *capture);
void hg_control_capture_sample(struct hg_capture *capture, struct hg_capture_stats *ret_stats);
void hg_control_capture_stop(struct hg_control *control, struct hg_capture *capture);
void hg_control_capture_close(struct hg_control *control, struct hg_capture *capture);

#endif
