/* snapshot: what the control lane tells the packet lane, and what it keeps for it.
 *
 * Why        A worker must never meet half a change. It reads one immutable snapshot, and takes over the
 *            next one between two turns.
 * Model      Tenants, instances and ports have slots: dense numbers that stay theirs for life and are
 *            given to others only when no packet can carry them any more. A snapshot maps slots to what
 *            they are now; the changes that the schedulers need come along as a list of operations,
 *            carried out by the owner of the scheduler when it takes the snapshot over.
 * Ownership  Snapshots and everything here is allocated and freed by the control lane. A worker's
 *            `adopted` says which generation it uses; the control lane frees the old one when all
 *            workers have moved on (quiescent state based reclamation, told by generation).
 * Threads    Each struct says who writes it.
 */
#ifndef HG_DATAPLANE_SNAPSHOT_H
#define HG_DATAPLANE_SNAPSHOT_H

#include "core/bucket.h"
#include "core/codel.h"
#include "core/desired.h"
#include "core/histogram.h"
#include "core/inflight.h"
#include "core/linger.h"
#include "core/sched.h"
#include "dataplane/dataplane.h"
#include "drivers/driver.h"
#include "vswitch/flood.h"
#include "vswitch/forward.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HG_SLOT_NONE UINT32_MAX
#define HG_WORKERS_MAX 16u
/* Packets in one call of a driver or a scheduler. */
#define HG_BURST_PKTS 32u

/* Counters of one direction of one instance. Written by the worker that owns the direction's trees (but
 * for `published`'s reader side); read by the control lane, each field whole. */
struct hg_flow {
	/* All that a packet touches which nothing holds, up to the first count of waits: one line. */
	_Alignas(HG_CACHE_LINE_BYTES) uint64_t offered_bytes;
	uint64_t offered_pkts, link_offered_bytes;
	uint64_t sent_bytes, sent_pkts, link_bytes;
	/* How long the last packet handed over had waited, while the worker was at work: what the hold time is judged by. */
	hg_ns last_wait_ns;
	bool is_dirty; /* on the list of flows to publish; the worker's alone, as next_dirty */
	bool is_full; /* for sending: its ports that push back are held; dataplane/pushback.h */
	struct hg_histogram wait;

	uint32_t held_buffers; /* packet buffers in its queues */
	struct hg_codel codel; /* which of its packets are marked */
	uint32_t low_bytes, low_buffers; /* of full ones: when that ends */
	uint64_t marked_pkts;
	uint64_t cut_segments, cut_pieces;
	uint32_t drops[HG_N_DROPS];
	/* Held before its schedulers began to count: in the process before, and between the two. */
	uint64_t held_before_ns[HG_N_LIMITS];

	/* For sending: how it behaves, and up to when and from which held times that was judged. */
	struct hg_behave {
		struct hg_behaviour behaviour;
		hg_ns at_ns; /* 0: not yet */
		uint64_t held_own_ns, held_tenant_ns;
	} behave;

	/* Copied from the schedulers when the control lane asks for it. */
	struct hg_published {
		uint64_t held_ns[HG_N_LIMITS];
		uint64_t queued_bytes, link_queued_bytes;
		uint8_t held_by;
		bool is_active;
		struct hg_window_row window; /* for sending */
		struct hg_behaviour behaviour; /* for sending */
	} published;

	/* The list of flows to publish; the worker's alone. All else begins anew with the next instance of this slot. */
	uint32_t next_dirty; /* flow index, or HG_SLOT_NONE */
};
static_assert(offsetof(struct hg_flow, wait.counts[1]) == HG_CACHE_LINE_BYTES,
	      "a packet that nothing holds touches one line");

/* One scheduler with what stands behind it. Owned by one worker. */
struct hg_tree {
	struct hg_sched *sched;
	void *memory;
	size_t memory_bytes;
	uint32_t
		uplink_slot; /* port slot of the uplink; HG_SLOT_NONE: local traffic or receiving */
	enum hg_dir dir;
	uint32_t n_batch; /* collected for the next push */
	uint32_t batch_bytes; /* wire bytes in it, of all instances */
	/* What the uplink's card has; dataplane/flight.h. */
	struct hg_inflight *inflight; /* NULL: not accounted for */
	size_t inflight_bytes;
	uint8_t card; /* its number among them */
	struct hg_port *port; /* the uplink's device as accounted for; NULL: missing */
	uint64_t root_bytes_per_s, root_burst_bytes; /* while it is paced */
	uint64_t link_bytes_per_s; /* while it is not */
	hg_ns ask_at_ns; /* a card that has to be asked */
	bool is_on, is_paced;
	enum hg_held held; /* what pop had stopped at when a packet was last handed over */
	hg_ns lead_ns; /* of the root, while it is not paced */
	struct hg_sched_item batch[HG_BURST_PKTS];
	uint8_t batch_classes[HG_BURST_PKTS];
};

/* A port or an uplink while its device is open. Written by the worker that polls it; `dev`, `slot`,
 * `worker`, `is_uplink` and `tree` do not change. */
struct hg_port {
	/* All that a packet touches on its way in or out: one line. */
	_Alignas(HG_CACHE_LINE_BYTES) struct hg_dev *dev;
	struct hg_tree *tree; /* uplinks only */
	struct hg_pkt *staged_head, *staged_tail; /* by link; what an uplink's card refused stays */
	uint64_t tx_wire_bytes;
	uint32_t slot;
	uint32_t n_staged;
	uint32_t n_refused; /* of those staged, at the head: the card had no room */
	uint16_t worker;
	uint16_t n_ask; /* frames to receive at once, in [2, HG_BURST_PKTS] */
	bool is_uplink;
	bool is_listed; /* on the worker's list of ports to poll */
	bool is_held; /* on the worker's list of ports whose far side waits */
	bool is_staged; /* on the worker's list of ports to transmit */
	bool is_paused; /* told to take nothing more from its far side */
	bool is_ticking; /* on the worker's list of devices with something under way */
	_Atomic uint8_t
		watched; /* who looks at its packets, as bits; written by the control lane */

	hg_ns progress_at_ns;
	/* While its far side is to be told something; dataplane/telling.h. */
	hg_ns tell_at_ns;
	struct hg_port *next_telling;
	bool is_telling;
	/* Where the device has to be asked to notify: from when on it may be left to its descriptor, and how it answers. */
	hg_ns quiet_at_ns;
	struct hg_linger linger;
	uint64_t rx_wire_bytes;
	struct hg_flood_limit flood_limit;
	uint8_t told_mac[HG_MAC_BYTES]; /* the source address last told to the other workers */
	uint16_t told_vlan;
	hg_ns told_at_ns;
	uint32_t drops[HG_N_DROPS];

	/* Its guest's return; dataplane/introducer.h. */
	struct hg_introduction {
		uint32_t arrival; /* the last one, by its driver */
		bool is_listed; /* on the worker's list of those that return */
		bool has_spoken; /* somebody was told something since it is back */
		uint8_t round;
		uint32_t at; /* in the round: 0: the uplink, then its neighbours, from 1 on */
		hg_ns began_ns, next_at_ns; /* 0: at once */
		uint64_t n_sent; /* ever */
	} introduction;
};
static_assert(offsetof(struct hg_port, progress_at_ns) == HG_CACHE_LINE_BYTES,
	      "a packet touches one line");

/* A segment above either is cut into pieces that are not, or are one packet; UINT32_MAX: never. */
struct hg_cut {
	uint32_t wire_bytes, parts;
};

/* What the packet lane knows of an instance. */
struct hg_lane_instance {
	/* All that is asked for a packet: one line. */
	_Alignas(HG_CACHE_LINE_BYTES) uint32_t tenant_slot;
	struct hg_tree *uplink_tree; /* NULL: the instance does not exist */
	uint32_t hold_bytes[HG_N_DIRS]; /* of each class, where it has any */
	const struct hg_class_set *classes[HG_N_DIRS]; /* NULL: none */
	struct hg_cut cut[HG_N_DIRS]; /* by its maxima */
	struct hg_cut link_cut; /* of what leaves by the uplink: by the link's rate as well */

	uint64_t min_bytes_per_s, max_bytes_per_s; /* for sending, in force */
	uint8_t follow; /* enum hg_follow; NONE for who is only observed */
	bool is_observed;
};
static_assert(offsetof(struct hg_lane_instance, min_bytes_per_s) == HG_CACHE_LINE_BYTES,
	      "a packet touches one line");

enum hg_op_kind {
	HG_OP_REMOVE_INSTANCE,
	HG_OP_REMOVE_TENANT,
	HG_OP_SET_ROOT,
	HG_OP_SET_TENANT,
	HG_OP_SET_INSTANCE,
	HG_OP_RESTORE_INSTANCE,
};

/* One change to the schedulers of a direction. */
struct hg_op {
	enum hg_op_kind kind;
	enum hg_dir dir;
	uint32_t slot; /* tenant or instance */
	uint32_t tenant_slot; /* of the instance */
	struct hg_tree *tree; /* of the uplink; for receiving: NULL */
	struct hg_policy policy;
	uint64_t root_bytes_per_s, root_burst_bytes;
	struct hg_inflight_cfg inflight;
	struct hg_instance_state
		*left; /* written when the instance is removed; NULL: nobody asks */
	const struct hg_instance_state *arriving; /* to restore */
};

/* An address that was learned behind a port, on the host that it comes from. */
struct hg_learn_op {
	uint32_t slot;
	uint8_t mac[HG_MAC_BYTES];
	hg_ns seen_ago_ns;
};

/* A port whose configured address comes, changes or goes, or that may learn another number of them: every worker's MAC table follows. */
struct hg_mac_op {
	uint32_t slot;
	bool is_gone; /* nothing is configured in its place */
	bool is_limit; /* it is where it was; how many addresses it may learn is another number */
	struct hg_switch_port was; /* is_gone: there was nothing before */
};

/* What a mirror makes of a port. */
struct hg_lane_mirror {
	uint32_t to_slot; /* while it is on: the port that gets the copies */
	enum hg_watch watch;
	bool is_on;
	bool is_destination;
};

struct hg_snapshot {
	uint64_t generation;
	bool is_observe; /* the whole host: nothing is held, packets pass in their order */
	struct hg_switch_view view; /* ports by slot; instances and tenants by slot */
	struct hg_port **ports; /* by slot; NULL: none, or its device is missing */
	bool *is_port; /* by slot: the slot belongs to a port or an uplink, its device there or not */
	uint32_t *port_instance; /* by port slot: instance slot; HG_SLOT_NONE for uplinks */
	/* By port slot: the generation since which the slot is this port of this instance. A packet may wait
	 * in a queue for longer than a slot stays empty; an older one is not for the port that is there. */
	uint32_t *port_since;
	struct hg_lane_mirror *mirrors; /* by port slot; NULL: there is none on the host */
	struct hg_lane_instance *instances; /* by slot */
	struct hg_tree **uplink_trees; /* those in use */
	uint32_t n_port_slots, n_instance_slots, n_uplink_trees;
	struct hg_port **always; /* devices without a descriptor to wait on */
	uint32_t n_always;
	struct hg_op *ops;
	struct hg_mac_op *mac_ops;
	struct hg_learn_op *learn_ops;
	uint32_t n_ops, n_mac_ops, n_learn_ops;
	/* What the view points at. */
	struct hg_switch_port *switch_ports;
	struct hg_address *addresses;
	struct hg_vlan_range *vlans;
	void *view_memory;
	struct hg_class_set *class_sets; /* what instances point at */
};

/* Counters that another thread reads: whole, in no particular order. */
#define HG_COUNT(field, n) __atomic_store_n(&(field), (field) + (n), __ATOMIC_RELAXED)
#define HG_READ(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define HG_WRITE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

#endif
