/* dataplane: the packet lane, as the control lane sees it.
 *
 * Why        Between the lanes three things cross: a snapshot down, counters up, a wake-up. This header
 *            is all that the control lane knows of the packet lane.
 * Model      hg_dp_apply() takes a whole desired state, opens what is new, builds one immutable snapshot,
 *            hands it to every worker and returns when all of them use it. What is the same in both
 *            (by name; a port by its device, whatever its name) keeps its queue, its tokens and its counters.
 * Promise    apply: all or nothing. On error nothing changed. In force within 10 ms; no packet is lost
 *            but those of instances that were removed (counted, HG_DROP_REMOVED).
 * Devices    A port whose device is missing does not fail apply: it is down, with the reason, and opened
 *            when hg_dp_retry() finds it. A device text that is wrong does fail.
 * Threads    All functions from the one control thread. Sampling never stops a worker.
 * Errors     -EINVAL -ENOSPC -EBUSY -EIO -ENOMEM -EPERM, with reterr.
 */
#ifndef HG_DATAPLANE_DATAPLANE_H
#define HG_DATAPLANE_DATAPLANE_H

#include "core/desired.h"
#include "core/error.h"
#include "core/behaviour.h"
#include "core/capture.h"
#include "core/histogram.h"
#include "core/inflight.h"
#include "core/instance_state.h"
#include "core/sched.h"
#include "core/units.h"
#include "core/verdict.h"

struct hg_dp;
struct hg_pool;

struct hg_dp_cfg {
	uint32_t n_workers; /* in [1, 16] */
	uint32_t max_tenants; /* in [1, 65,536] */
	uint32_t max_instances; /* in [1, 65,536] */
	uint32_t max_ports; /* in [1, 65,536] */
	uint32_t n_buffers; /* packet buffers of 2 KiB */
	bool want_hugepages; /* use them if there are any; otherwise ordinary memory */
	hg_ns spin_ns; /* how long an idle worker polls before it sleeps */
	hg_ns behaviour_interval_ns; /* how often behaviour is judged; default HG_BEHAVIOUR_INTERVAL_NS */
};

void hg_dp_cfg_init(struct hg_dp_cfg *cfg);
HG_MUST_CHECK int hg_dp_create(const struct hg_dp_cfg *cfg, struct hg_dp **ret_dp,
			       struct hg_error *reterr);
/* Stops the workers, releases every packet, closes every device. keep_devices: leave persistent
 * interfaces in place, to be adopted by the next start. */
void hg_dp_destroy(struct hg_dp *dp, bool keep_devices);

/* The packet buffers of all devices, for who injects packets through a driver of memory. */
struct hg_pool *hg_dp_pool(struct hg_dp *dp);

/* Checks what only the packet lane can (device texts, addresses that a device must be told), without changing anything. */
HG_MUST_CHECK int hg_dp_check(const struct hg_desired *desired, struct hg_error *reterr);

HG_MUST_CHECK int hg_dp_apply(struct hg_dp *dp, const struct hg_desired *desired,
			      struct hg_error *reterr);
/* hg_dp_apply() of a state that was in force before: at a start, or as the way back from a change. A port whose device
 * cannot be opened counts as missing whatever the reason (-EBUSY, -EPERM, -EIO, -ENOMEM), but for what no time mends
 * (-EINVAL, -ENOTSUP): whoever can put a file at a guest's socket must not keep all others from theirs. */
HG_MUST_CHECK int hg_dp_bring_back(struct hg_dp *dp, const struct hg_desired *desired,
				   struct hg_error *reterr);

/* ---- an instance on its way from host to host ---------------------------------------------------- */

#define HG_DP_NOBODY UINT32_MAX
/* Changes nothing. Takes up to some milliseconds on a busy host: the MAC table is walked in slices.
 * -ETIMEDOUT: a worker did not answer within 5 s. */
HG_MUST_CHECK int hg_dp_save(struct hg_dp *dp, uint32_t instance_idx, struct hg_instance_state *ret,
			     struct hg_error *reterr);

/* Waits until an instance has nothing queued to send, for at most so long: for one whose ports are gone. Returns
 * whether it has. */
bool hg_dp_wait_sent(struct hg_dp *dp, uint32_t instance_idx, hg_ns at_most_ns);

/* Who leaves and who arrives with a change. */
struct hg_dp_move {
	uint32_t leaving_idx; /* of the state in force; HG_DP_NOBODY: nobody does */
	/* As it was at its last instant; all but what was learned, which left with its ports. */
	struct hg_instance_state *ret_left;
	struct hg_dp_flow *ret_flows; /* its counters at the end, of both directions */
	uint32_t arriving_idx; /* of the desired state, new there; HG_DP_NOBODY: nobody does */
	const struct hg_instance_state *arriving;
};

/* hg_dp_apply() with a move. The arriving one's state is in force before its first packet, and its ports are
 * announced, with learned addresses where no others are known. */
HG_MUST_CHECK int hg_dp_apply_move(struct hg_dp *dp, const struct hg_desired *desired,
				   const struct hg_dp_move *move, struct hg_error *reterr);

/* Announces the addresses of a port on its uplink (vswitch/announce.h), or its MAC addresses where none are
 * known. Applying does so by itself for each port with configured addresses whose device or uplink has been
 * opened, or whose place on the switch or addresses have changed. *ret_n: how many addresses; 0: none is known. */
HG_MUST_CHECK int hg_dp_announce(struct hg_dp *dp, uint32_t port_idx, uint32_t *ret_n,
				 struct hg_error *reterr);

/* Opens again what was missing or has gone. Returns how many ports and uplinks changed their state. */
unsigned hg_dp_retry(struct hg_dp *dp);

/* ---- measurements ------------------------------------------------------------------------------- */

enum hg_port_link { HG_PORT_DOWN = 0, HG_PORT_UP = 1, HG_PORT_MISSING = 2 };

struct hg_dp_flow { /* one direction of one instance or tenant, since it was created */
	/* When these counters were true, on the clock of hg_dp_host_sample: a rate is judged over the time
	 * between two samples, and the caller may be held up between its own clock and the counters. */
	hg_ns at_ns;
	uint64_t
		offered_bytes; /* wire bytes that arrived to be sent (or received), dropped ones too */
	uint64_t offered_pkts;
	uint64_t sent_bytes; /* wire bytes let through, everywhere */
	uint64_t sent_pkts;
	uint64_t link_bytes; /* of sent_bytes, those on an uplink: what a guarantee covers */
	uint64_t link_offered_bytes; /* of offered_bytes, likewise */
	uint64_t marked_pkts; /* ECN: congestion experienced */
	uint64_t drops[HG_N_DROPS];
	uint64_t held_ns[HG_N_LIMITS]; /* adds up to wait_ns */
	uint64_t wait_ns; /* time with something waiting */
	uint64_t queued_bytes;
	uint64_t link_queued_bytes; /* of queued_bytes, those for an uplink */
	enum hg_limit held_by;
	bool is_active;
	struct hg_histogram wait; /* ns from the port to hand-over, per packet; instances only */
	uint64_t cut_segments, cut_pieces; /* segments that were cut, and what became of them */
	/* Of instances' out alone; see core/inflight.h, core/window.h, core/behaviour.h. */
	struct hg_histogram card; /* ns from hand-over to release */
	struct hg_window_row window;
	struct hg_behaviour behaviour;
	uint64_t max_in_force_bytes_per_s; /* the maximum after behaviour; 0: none */
};

struct hg_dp_port_sample {
	enum hg_port_link link;
	char reason[HG_REASON_BYTES];
	char last_reason[HG_REASON_BYTES]; /* as struct hg_dev_state has it */
	hg_ns last_reason_at_ns;
	uint64_t n_refused_guests[HG_N_GUEST_REFUSALS];
	uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes;
	uint32_t n_learned; /* addresses */
	uint32_t
		n_refused; /* frames from addresses that were not learned, since the limit was set */
	uint64_t
		n_introductions; /* frames sent because its guest was back; dataplane/introducer.h */
	uint64_t drops[HG_N_DROPS];
};

struct hg_dp_uplink_sample {
	enum hg_port_link link;
	char reason[HG_REASON_BYTES];
	uint64_t tx_wire_bytes, rx_wire_bytes, tx_pkts, rx_pkts;
	uint64_t queued_bytes; /* in headgate */
	uint64_t card_pkts, card_ring_pkts,
		card_bytes; /* in the card, by its own count, where known */
	struct hg_inflight_stats inflight; /* by headgate's count */
	struct hg_depth_cfg depth_cfg; /* what its MAX is found with */
	bool is_paced; /* the root is paced: in-flight control is off, or its hook cannot be believed */
	uint64_t drops[HG_N_DROPS];
};

struct hg_dp_host_sample {
	hg_ns at_ns;
	uint64_t generation; /* of the snapshot in force, all workers */
	uint64_t turns; /* of all workers' loops */
	uint64_t busy_ns; /* time in turns that moved a packet */
	uint64_t sleeps;
	uint64_t free_buffers, n_buffers;
	uint64_t drops[HG_N_DROPS]; /* those that no instance can be charged with */
};

/* Has the workers write down what their schedulers know (held times, queues), and returns when they have:
 * call it before a round of samples. Takes some 100 us; costs nothing for instances that are idle. A worker that is not run
 * for 20 ms is not waited for: then it returns false, and what is sampled of it is what it wrote the last time. */
bool hg_dp_publish(struct hg_dp *dp);

/* Indices are those of the last desired state applied. */
void hg_dp_sample_host(struct hg_dp *dp, struct hg_dp_host_sample *ret);
void hg_dp_sample_tenant(struct hg_dp *dp, uint32_t tenant_idx, enum hg_dir dir,
			 struct hg_dp_flow *ret);
void hg_dp_sample_instance(struct hg_dp *dp, uint32_t instance_idx, enum hg_dir dir,
			   struct hg_dp_flow *ret);
void hg_dp_sample_port(struct hg_dp *dp, uint32_t port_idx, struct hg_dp_port_sample *ret);
void hg_dp_sample_uplink(struct hg_dp *dp, uint32_t uplink_idx, struct hg_dp_uplink_sample *ret);
/* Up to n of what MAX was decided from, from number `first` on (0: the first ever; what is gone is skipped).
 * Returns how many; *ret_first is the number of the first one returned. */
unsigned hg_dp_sample_depth(struct hg_dp *dp, uint32_t uplink_idx, uint64_t first,
			    struct hg_depth_sample *ret_samples, unsigned n, uint64_t *ret_first);

/* ---- captures; core/capture.h, dataplane/capture.h ---------------------------------------------- */

struct hg_capture;

/* Looks at a port (or an uplink) of the last desired state applied, until it is closed. -EINVAL for the filter,
 * -EBUSY with who has those that there may be. */
HG_MUST_CHECK int hg_dp_capture_open(struct hg_dp *dp, bool is_uplink, uint32_t idx,
				     const struct hg_capture_cfg *cfg,
				     struct hg_capture **ret_capture, struct hg_error *reterr);
/* The oldest packet that was not taken yet; false: there is none now. */
bool hg_dp_capture_peek(const struct hg_capture *capture, struct hg_capture_pkt *ret_pkt);
/* Requires that peek found one. */
void hg_dp_capture_take(struct hg_capture *capture);
/* Also looks how far real time is ahead: call it now and then. */
void hg_dp_capture_sample(struct hg_capture *capture, struct hg_capture_stats *ret_stats);
/* Looks no more; what was seen can still be taken. */
void hg_dp_capture_stop(struct hg_dp *dp, struct hg_capture *capture);
/* Before hg_dp_destroy(). Takes NULL. */
void hg_dp_capture_close(struct hg_dp *dp, struct hg_capture *capture);

#endif
