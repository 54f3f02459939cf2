/* build: the parts of a change that can fail, before anything is in force.
 *
 * Model      hg_build_open opens devices (hg_build_close closes them again), hg_build_snapshot makes the
 *            snapshot with its operations. Nothing here touches what the workers use.
 * Why        A change is all or nothing: whatever can be refused, by a device, the kernel or for want of memory, is
 *            asked for before the first worker hears of it.
 * Promise    After an error nothing of the change is left but what hg_build_close() takes back; what is in force has
 *            seen nothing of it.
 * Memory     What it makes belongs to the change, and with the snapshot to the lane once that is in force.
 * Threads    Control lane. Errors: as hg_dp_apply().
 * Used by    dataplane/apply, dataplane/dataplane.
 */
#ifndef HG_DATAPLANE_BUILD_H
#define HG_DATAPLANE_BUILD_H

#include "dataplane/dp.h"

/* A device opened for this change, or the reason why it is missing. */
struct hg_opened {
	uint32_t slot;
	struct hg_port *port; /* NULL: missing */
	char reason[HG_REASON_BYTES];
};

/* One change on its way. */
struct hg_change {
	const struct hg_desired *desired;
	bool keep_devices; /* what was opened is closed with its far end kept: somebody else has it, too */
	const struct hg_dp_move *move; /* NULL: nobody moves */
	bool is_retry; /* the state in force once more, for the sake of its missing devices */
	bool is_back; /* hg_dp_bring_back() */
	struct hg_slot_map tenants, instances, uplinks, ports;
	struct hg_opened *opened; /* room for every uplink and port */
	uint32_t n_opened;
	struct hg_snapshot *snapshot;
	uint32_t *by_tenant, *first_of_tenant; /* as in struct hg_dp */
};

HG_MUST_CHECK int hg_build_open(struct hg_dp *dp, struct hg_change *c, struct hg_error *reterr);
HG_MUST_CHECK int hg_build_snapshot(struct hg_dp *dp, struct hg_change *c, struct hg_error *reterr);
/* Closes what hg_build_open opened: for a change that does not come into force. */
void hg_build_close(struct hg_change *c);

/* The switch's part of the snapshot, and its MAC tables' operations. */
HG_MUST_CHECK int hg_build_view(struct hg_dp *dp, struct hg_change *c, struct hg_snapshot *s,
				struct hg_error *reterr);

/* Tells devices that stay open of another MTU or MAC address; on failure none has it. adjust_back takes that
 * back, for a change that does not come into force. */
HG_MUST_CHECK int hg_build_adjust(struct hg_dp *dp, const struct hg_change *c,
				  struct hg_error *reterr);
void hg_build_adjust_back(struct hg_dp *dp, const struct hg_change *c);

/* Tells uplinks that are shared with the host whom to take frames for. Called with the next state, or with
 * the one in force to take that back. */
HG_MUST_CHECK int hg_build_set_macs(const struct hg_desired *d, const struct hg_slot_map *uplinks,
				    const struct hg_snapshot *s, struct hg_error *reterr);

/* The first snapshot: a host with nothing on it. */
HG_MUST_CHECK int hg_build_empty(struct hg_snapshot **ret_snapshot, struct hg_error *reterr);
/* The operations, once every worker has carried out its own. */
void hg_build_free_ops(struct hg_snapshot *s);
void hg_build_free_snapshot(struct hg_snapshot *s);

/* What MAX of the uplink's card is found with. ring_pkts: what its queue takes; 0: not known. */
struct hg_depth_cfg hg_build_depth_cfg(const struct hg_desired_uplink *uplink, uint32_t ring_pkts);

#endif
