/* fake_dataplane: the functions of dataplane/dataplane.h in memory, with faults on command.
 *
 * Why        The control lane, the interface and the daemon are tested without DPDK and without time.
 * Model      Counters are kept by name, as the packet lane does, and move only when a test moves them.
 * Memory     One world, up to FAKE_MAX of each kind. Threads: one.
 */
#ifndef HG_TESTS_COMPONENT_FAKE_DATAPLANE_H
#define HG_TESTS_COMPONENT_FAKE_DATAPLANE_H

#include "dataplane/dataplane.h"

#define FAKE_MAX 64u
#define FAKE_DEPTH_SAMPLES 64u

struct fake_named {
	char name[HG_NAME_BYTES];
	struct hg_dp_flow flow[HG_N_DIRS]; /* tenants and instances */
	enum hg_port_link link; /* ports and uplinks */
	char reason[HG_REASON_BYTES];
	struct hg_dp_uplink_sample uplink;
	/* Samples of the depth, of uplinks; numbers begin at 0, and the first `depth_gone` are gone. */
	struct hg_depth_sample depth[FAKE_DEPTH_SAMPLES];
	unsigned n_depth, depth_gone;
	struct hg_dp_port_sample port;
	struct hg_instance_state state; /* instances: what a move takes along */
};

#define FAKE_CAPTURE_PKTS 64u
#define FAKE_CAPTURE_BYTES 2048u

/* A capture, and what was shown to it. */
struct hg_capture {
	struct hg_capture_cfg cfg;
	bool is_uplink;
	uint32_t idx;
	bool is_stopped;
	struct hg_capture_stats stats;
	struct hg_capture_pkt pkts[FAKE_CAPTURE_PKTS];
	uint8_t bytes[FAKE_CAPTURE_PKTS][FAKE_CAPTURE_BYTES];
	unsigned n_pkts, n_taken;
};

struct hg_dp {
	struct hg_capture *captures[HG_CAPTURES_MAX];
	/* Asked for by the test. */
	int fail_check, fail_apply; /* codes to return from the next call; 0: none */
	unsigned fail_apply_after; /* successful applies before it */
	/* Seen. */
	unsigned n_applied, n_retried, n_announced;
	struct hg_desired desired; /* in force; own arrays */
	struct fake_named tenants[FAKE_MAX], instances[FAKE_MAX], ports[FAKE_MAX],
		uplinks[FAKE_MAX];
	struct hg_dp_host_sample host;
};

struct fake_named *fake_tenant(struct hg_dp *dp, const char *name);
struct fake_named *fake_instance(struct hg_dp *dp, const char *name);
struct fake_named *fake_port(struct hg_dp *dp, const char *name);
struct fake_named *fake_uplink(struct hg_dp *dp, const char *name);

/* Shows a frame of n_bytes, each of which is `fill`, to a capture that is open. */
void fake_show(struct hg_capture *capture, hg_ns at_ns, enum hg_dir dir, uint8_t fill,
	       uint32_t n_bytes);

/* One second of traffic over the link, out: offered, sent, the rest of it waiting for the link. */
void fake_traffic(struct fake_named *of, uint64_t offered_bytes, uint64_t sent_bytes,
		  hg_ns wait_ns);

#endif
