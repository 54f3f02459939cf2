/* hosts: a small host in memory, for tests of the packet lane as a whole.
 *
 * Why        A test should say "a1 has a maximum of 1 MB/s and sends to the uplink", not fill in structs.
 * Model      One uplink up0 (10 Gbit/s), tenant a with instances a1 and a2, tenant b with b1; each has one
 *            port of its own name on a dummy device of that name, with a configured address. More can be
 *            added. The desired state lies open: a test changes it and applies it.
 *            What devices transmit waits at their far ends until the test takes it: as cards they would be
 *            very slow ones, so in-flight control is off unless a test is about it.
 * Promise    host_close() fails the test unless every packet buffer has come back.
 * Time       Nothing here waits for a time: WAIT_FOR() waits for an event, and fails after PATIENCE_NS.
 * Threads    One; but for `struct load`, whose thread sends and receives while the test's own changes
 *            the host.
 */
#ifndef HG_TESTS_COMPONENT_HOSTS_H
#define HG_TESTS_COMPONENT_HOSTS_H

#include "dataplane/dataplane.h"
#include "drivers/dummy.h"
#include "tests/harness.h"
#include "vswitch/pkt.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define HOST_UPLINKS_MAX 2u
#define HOST_TENANTS_MAX 8u
#define HOST_INSTANCES_MAX 320u
/* Long enough for a sanitizer build on a machine with other work. */
#define PATIENCE_NS (20 * HG_NS_PER_S)
/* The least burst that passes a full frame, so that a maximum is felt from the second packet on. */
#define SMALL_BURST HG_BURST_MIN_BYTES

struct load;

struct host {
	struct hg_dp *dp;
	struct load *load; /* running, or NULL */
	hg_ns behaviour_interval_ns; /* 0: as it is by default */
	uint32_t n_buffers; /* of a lane that is started; 0: 8,192 */
	struct hg_desired desired; /* points at the arrays below */
	struct hg_desired_uplink uplinks[HOST_UPLINKS_MAX];
	struct hg_desired_tenant tenants[HOST_TENANTS_MAX];
	struct hg_desired_instance instances[HOST_INSTANCES_MAX];
	struct hg_desired_port ports[HOST_INSTANCES_MAX];
	struct hg_dummy *fars[HOST_UPLINKS_MAX + HOST_INSTANCES_MAX]; /* held */
	uint32_t n_fars;
};

static inline hg_ns clock_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (hg_ns)t.tv_sec * HG_NS_PER_S + t.tv_nsec;
}

#define WAIT_FOR(cond)                                                          \
	do {                                                                    \
		hg_ns wait_until_ns = clock_now_ns() + PATIENCE_NS;             \
		while (!(cond)) {                                               \
			if (clock_now_ns() > wait_until_ns)                     \
				HG_TEST_FAIL("waited in vain until %s", #cond); \
			sched_yield();                                          \
		}                                                               \
	} while (0)

/* ---- life --------------------------------------------------------------------------------------- */

/* The state described above, not applied; closes what a failed test left open. */
void host_init(struct host *h);
/* A packet lane with that many workers, and the desired state in force. */
void host_start(struct host *h, uint32_t n_workers);
/* A second lane with that many workers and the same desired state, which adopts (dataplane/handover.h). */
struct hg_dp *host_another_lane(const struct host *h, uint32_t n_workers);
/* For so long no thread of the process is run but the caller's. */
void host_stand_still(hg_ns for_ns);
/* Lifts every limit, takes in what still comes out, checks that nothing leaked, and ends it. */
void host_close(struct host *h);

/* ---- the desired state -------------------------------------------------------------------------- */

/* Each returns its index. An instance comes with a port of its name, on a dummy device of its name, with the
 * address 02:00:00:00:00:<its number from 1 on>. */
uint32_t host_add_tenant(struct host *h, const char *name, uint32_t uplink_idx);
uint32_t host_add_instance(struct host *h, const char *name, uint32_t tenant_idx);
/* Takes the last instance added and its port out of the desired state. */
void host_remove_last_instance(struct host *h);

uint32_t host_tenant(const struct host *h, const char *name);
uint32_t host_instance(const struct host *h, const char *name); /* also the index of its port */
/* Maximum and burst of an instance's direction. */
void host_limit(struct host *h, const char *instance, enum hg_dir dir, uint64_t bytes_per_s,
		uint64_t burst_bytes);
void host_limit_tenant(struct host *h, const char *tenant, enum hg_dir dir, uint64_t bytes_per_s,
		       uint64_t burst_bytes);
void host_apply(struct host *h);

/* ---- packets ------------------------------------------------------------------------------------ */

/* The far end of the device of that name, held as long as the host. */
struct hg_dummy *host_far(struct host *h, const char *name);
/* The address of an instance's port, or of a machine behind the uplink: "up0". */
const uint8_t *host_mac(const struct host *h, const char *name);

/* A UDP frame that carries its number; n_bytes in [60, 1514]. ECT(0) is set. */
struct hg_pkt *host_packet(struct host *h, const char *from, const char *to, uint32_t n_bytes,
			   uint32_t number);
/* The same in memory of the test's own, with the number 0. */
void host_write_frame(const struct host *h, const char *from, const char *to, uint8_t *bytes,
		      uint32_t n_bytes);
uint32_t packet_number(const struct hg_pkt *pkt);

/* Gives a packet to the device of that name; waits for room. */
void host_inject(struct host *h, const char *name, struct hg_pkt *pkt);
/* n packets, numbered from `first` on. */
void host_send(struct host *h, const char *from, const char *to, uint32_t n_bytes, uint32_t first,
	       uint32_t n);
/* The next packet that comes out there; the test gives it back to the pool. */
struct hg_pkt *host_receive(struct host *h, const char *name);
/* Takes in n packets with numbers from `first` on, in order. */
void host_expect(struct host *h, const char *name, uint32_t first, uint32_t n);
/* Gives back what came out there, and returns how many. */
unsigned host_discard(struct host *h, const char *name);
void host_release(struct host *h, struct hg_pkt *pkt);

/* ---- measurements: published first, however long the workers are not run for ---------------------- */

struct hg_dp_flow host_flow(struct host *h, const char *instance, enum hg_dir dir);
struct hg_dp_flow host_tenant_flow(struct host *h, const char *tenant, enum hg_dir dir);
struct hg_dp_port_sample host_port(struct host *h, const char *port);
struct hg_dp_uplink_sample host_uplink(struct host *h);
uint64_t flow_drops(const struct hg_dp_flow *flow); /* of all reasons */

/* ---- load --------------------------------------------------------------------------------------- */

/* Numbered packets from one far end to another, so many under way at a time. */
struct stream {
	const char *from, *to;
	uint32_t n_bytes, window;
	/* Written by the load's thread. */
	struct hg_dummy *from_far, *to_far;
	uint8_t from_mac[HG_MAC_BYTES], to_mac[HG_MAC_BYTES];
	uint32_t sent, got;
};

/* Streams kept going by a thread. Streams that end at one device differ in where they begin. Anything
 * lost, doubled or out of order ends it, with a sentence in `wrong`. Outlives the test: static. */
struct load {
	struct host *h;
	struct stream *streams;
	uint32_t n_streams;
	pthread_t thread;
	_Atomic uint64_t got; /* by all streams */
	_Atomic bool want_stop, is_wrong;
	char wrong[160];
};

void load_start(struct load *load, struct host *h, struct stream *streams, uint32_t n_streams);
/* Sends no more, takes in what is under way, and fails the test if anything went wrong. */
void load_stop(struct load *load);

#endif
