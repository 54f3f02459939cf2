/* dp: what the control lane keeps of the packet lane. Internal to dataplane/.
 *
 * Why        Workers know slots and pointers; the operator knows names, and the order of the desired state. Here one
 *            leads to the other, and what was counted outlives its device or instance.
 * Model      The state in force, a slot for each name of it, and what was opened for each slot. A change
 *            (dataplane/build.h) is made beside it and takes its place when it is in force (dataplane/apply.c).
 * Memory     Owns all of it, the lane's included; what is big is mapped and touched only as far as it is used.
 * Threads    The one control thread; of `lane` it writes only what the workers are told by (dataplane/worker.h).
 */
#ifndef HG_DATAPLANE_DP_H
#define HG_DATAPLANE_DP_H

#include "dataplane/handover.h"
#include "dataplane/slots.h"
#include "dataplane/worker.h"

/* What a port or an uplink counted. */
struct hg_port_counts {
	uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes; /* frames and their bytes, by the device */
	uint64_t tx_wire_bytes, rx_wire_bytes;
	uint64_t n_introductions;
	uint64_t drops[HG_N_DROPS];
};

/* A port or an uplink as the operator sees it, whether its device is there or not. By slot. */
struct hg_port_state {
	struct hg_port *port; /* NULL: missing */
	bool has_gone; /* the device went away while it was in use */
	struct hg_port_counts before; /* of devices that it had before this one */
};

/* What an instance of a removed index counted is kept for its tenant's totals. */
struct hg_retired {
	uint64_t offered_bytes, offered_pkts, link_offered_bytes;
	uint64_t sent_bytes, sent_pkts, link_bytes, marked_pkts;
	uint64_t cut_segments, cut_pieces;
	uint64_t drops[HG_N_DROPS], held_ns[HG_N_LIMITS];
};

struct hg_dp {
	struct hg_dp_cfg cfg;
	struct hg_lane lane;
	size_t flows_bytes, caps_bytes;
	void *caps_memory[HG_N_DIRS];

	struct hg_desired desired; /* in force; own copy */
	struct hg_slots tenant_slots, instance_slots, port_slots;
	struct hg_slot_map tenants, instances, uplinks, ports; /* of `desired` */
	/* Instances in order of their tenant: those of tenant t are by_tenant[first[t]] and on, up to
	 * by_tenant[first[t + 1]]. */
	uint32_t *by_tenant, *first_of_tenant;
	struct hg_port_state *states; /* by port slot */
	/* By port slot: why its device is missing; apart, since few are, and what is not written costs no
	 * memory. */
	char (*reasons)[HG_REASON_BYTES];
	struct hg_tree **uplink_trees; /* by port slot */
	uint32_t last_card; /* the number given last, in [0, HG_CARDS_MAX) */
	struct hg_retired *retired; /* [tenant slot * HG_N_DIRS + dir] */
	struct hg_snapshot *snapshot;

	/* Of a process before us; dataplane/handover.h. */
	const struct hg_dp_device *adopted;
	unsigned n_adopted;
	bool is_adopting; /* a device that is not among them counts as missing */
	uint64_t drops_before[HG_N_DROPS]; /* that it could charge no instance with */
	struct hg_announce_batch *announcements; /* handed over, not yet freed */
	uint64_t n_asks;
};

/* The workers' clock, monotonic. Any thread. */
hg_ns hg_dp_clock_ns(void);

/* Every worker has begun and ended a turn. */
void hg_dp_wait_round(struct hg_dp *dp);
/* Stops and closes every device, and frees its port. */
void hg_dp_close_ports(struct hg_dp *dp, bool keep_devices);

/* A deep copy; hg_desired_fini frees it. */
HG_MUST_CHECK int hg_dp_copy_desired(const struct hg_desired *from, struct hg_desired *ret_copy,
				     struct hg_error *reterr);
void hg_dp_free_desired(struct hg_desired *desired);

#endif
