/* host: what the benchmarks of the whole packet lane have in common: its workers' place and time, slots,
 *            ports and the far ends of their devices.
 *
 * Threads    the one that makes the lane. Errors: end the program with a sentence; without the right to real-time
 *            priority there is only a warning, since figures of processor time can do without.
 * Used by    hook.c, idle.c, lane.c, path.c, scale.c, wake.c.
 */
#ifndef HG_BENCH_HOST_H
#define HG_BENCH_HOST_H

#include "bench/clock.h"
#include "dataplane/dp.h"
#include "drivers/dummy.h"
#include "vswitch/bytes.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* In front of what else the machine does, on that processor. */
static inline void bench_prefer(pthread_t thread, unsigned cpu, int priority)
{
	const struct sched_param param = {.sched_priority = priority};
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (pthread_setaffinity_np(thread, sizeof(cpus), &cpus) != 0 ||
	    pthread_setschedparam(thread, SCHED_FIFO, &param) != 0)
		fprintf(stderr, "without real-time priority: others have the processor, too\n");
}

static inline unsigned bench_last_cpu(void)
{
	return (unsigned)sysconf(_SC_NPROCESSORS_ONLN) - 1u;
}

/* The clock of a worker's processor time. */
static inline clockid_t bench_worker_clock(const struct hg_dp *dp, uint32_t worker)
{
	clockid_t clock;

	if (pthread_getcpuclockid(dp->lane.workers[worker]->thread, &clock) != 0) {
		fprintf(stderr, "no clock of a worker's processor time\n");
		exit(1);
	}
	return clock;
}

/* After a switch, or after the program was stopped, until caches and states are as they stay. */
#define BENCH_SETTLE_NS (5 * HG_NS_PER_MS)
#define BENCH_SLOT_PKTS_MIN 20000u
#define BENCH_SLOTS_MAX 100u

/* The first worker's processor time by the packets that went through in a slot, so that a worker that was not run costs
 * nothing. pkts: how many went through ever. */
static inline double bench_slot_ns(const struct hg_dp *dp, uint64_t (*pkts)(void),
				   hg_ns slot_for_ns)
{
	const clockid_t clock = bench_worker_clock(dp, 0);
	uint64_t before_pkts, n_pkts = 0;
	hg_ns cpu_ns;

	bench_rest(BENCH_SETTLE_NS);
	before_pkts = pkts();
	cpu_ns = bench_clock_ns(clock);
	/* A machine that does other things may take the processor away for a whole slot. */
	for (unsigned i = 0; n_pkts < BENCH_SLOT_PKTS_MIN && i < BENCH_SLOTS_MAX; i++) {
		bench_rest(slot_for_ns);
		n_pkts = pkts() - before_pkts;
	}
	cpu_ns = bench_clock_ns(clock) - cpu_ns;
	if (n_pkts < BENCH_SLOT_PKTS_MIN) {
		fprintf(stderr, "nothing goes through: no packets in a slot\n");
		exit(1);
	}
	return (double)cpu_ns / (double)n_pkts;
}

/* The port of instance i, which is zeroed: a device of memory of its own, and an address that ends in i. */
static inline void bench_port(struct hg_desired_port *port, uint32_t i)
{
	snprintf(port->name, sizeof(port->name), "i%u", i);
	snprintf(port->device, sizeof(port->device), "dummy(ring=64):i%u", i);
	port->instance_idx = i;
	port->mtu = HG_MTU_DEFAULT;
	port->has_mac = true;
	port->mac[0] = 2;
	hg_bytes_put32(port->mac + 2, i);
}

/* The far end of a device of memory, for as long as the program lives. Who names one first says how large it is: its
 * device, which is opened and closed again. */
static inline struct hg_dummy *bench_far(struct hg_dp *dp, const struct hg_desired_port *port)
{
	struct hg_dev_cfg cfg = {
		.device = port->device, .netns = "", .mtu = HG_MTU_DEFAULT, .pool = hg_dp_pool(dp)};
	struct hg_error err = {0};
	struct hg_dummy *far;
	struct hg_dev *dev;

	if (hg_dev_open(&cfg, &dev, &err) != 0) {
		fprintf(stderr, "no device: %s\n", err.text);
		exit(1);
	}
	far = hg_dummy_hold(port->name);
	dev->driver->close(dev, /* keep= */ false);
	return far;
}

#endif
