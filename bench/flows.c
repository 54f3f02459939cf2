/* flows: frames of many flows for a rival of ours on null devices. An EAL plugin: -d libbench_flows.so
 *
 * Model      net_null hands out buffers in which nobody wrote. What this adds to the receiving of net_null0, by a
 *            callback of ethdev's public interface, writes a frame into each, by the function and with the bytes that
 *            headgate's device of memory uses; another one counts what net_null1 is given to transmit. The devices are
 *            made by who loads this, later, so a thread waits for them.
 * Environment HG_REMOTE: the file of bench/remote.h.
 */
#include "bench/path_frame.h"
#include "bench/remote.h"
#include "drivers/frames.h"

#include <rte_ethdev.h>

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define TX_QUEUES_MAX 8
#define LOOK_NS 1000000

static struct hg_remote *remote;
static struct hg_frames frames;
static uint8_t frame[PATH_FRAME_BYTES];
/* Written by the polling thread alone. */
static _Atomic uint64_t n_sent;
static _Atomic uint32_t n_flows = 1;

static uint16_t write_frames(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n,
			     uint16_t n_max, void *arg)
{
	(void)port;
	(void)queue;
	(void)n_max;
	(void)arg;
	if (frames.n_values != atomic_load_explicit(&n_flows, memory_order_relaxed))
		hg_frames_vary(&frames, PATH_FLOW_AT, atomic_load(&n_flows));
	for (uint16_t i = 0; i < n; i++)
		hg_frames_write(&frames, rte_pktmbuf_mtod(pkts[i], uint8_t *));
	return n;
}

static uint16_t count(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n, void *arg)
{
	(void)port;
	(void)queue;
	(void)pkts;
	(void)arg;
	atomic_store_explicit(&n_sent, atomic_load_explicit(&n_sent, memory_order_relaxed) + n,
			      memory_order_relaxed);
	return n;
}

/* A queue that is not set up yet refuses, and is asked again. */
static void look_for_devices(void)
{
	static bool has_rx, has_tx[TX_QUEUES_MAX];
	uint16_t port;

	if (!has_rx && rte_eth_dev_get_port_by_name("net_null0", &port) == 0)
		has_rx = rte_eth_add_rx_callback(port, 0, write_frames, NULL) != NULL;
	if (rte_eth_dev_get_port_by_name("net_null1", &port) != 0)
		return;
	for (uint16_t i = 0; i < TX_QUEUES_MAX; i++)
		has_tx[i] = has_tx[i] || rte_eth_add_tx_callback(port, i, count, NULL) != NULL;
}

static void *answer(void *arg)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	struct timespec t;

	(void)arg;
	for (;;) {
		look_for_devices();
		if (remote->asked != remote->answered) {
			n_flows = (uint32_t)remote->n_flows;
			clock_gettime(CLOCK_MONOTONIC, &t);
			remote->pkts = n_sent;
			remote->at_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
			remote->answered = remote->asked;
		}
		nanosleep(&pause, NULL);
	}
	return NULL;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("HG_REMOTE");
	pthread_t thread;

	if (path == NULL)
		return;
	remote = hg_remote_map(path);
	path_frame(frame, 0);
	frames = (struct hg_frames){.frame = frame, .n_bytes = PATH_FRAME_BYTES, .n_values = 1};
	if (remote == NULL || pthread_create(&thread, NULL, answer, NULL) != 0)
		exit(1);
}
