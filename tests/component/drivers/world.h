/* world: the far side of a device, for tests that are the same for every driver.
 *
 * Why        A conformance suite asks the same questions of memory, of TAPs and of packet sockets; what differs
 *            is how a frame is put in and taken out behind the device, and how the device is taken away.
 * Model      The whole test process lives in a network namespace of its own, its guests in others. They
 *            have no names, only descriptors, so they vanish with the process, whatever happens to it.
 * Promise    far_recv and world_rx wait for an event, for 2 s at most.
 * Threads    one.
 */
#ifndef HG_TESTS_COMPONENT_DRIVERS_WORLD_H
#define HG_TESTS_COMPONENT_DRIVERS_WORLD_H

#include "drivers/driver.h"
#include "tests/component/drivers/heap_pool.h"

#define WORLD_FRAME_MAX 1514u
/* IEEE's "local experimental": no kernel answers it, none sends it. */
#define WORLD_ETHERTYPE 0x88b5u

struct world {
	const char *name;
	const char *device; /* the text */
	bool is_in_guest; /* cfg->netns is the guest's */
	bool makes_itself; /* open makes what is not there */
	bool is_memory;
	bool is_uplink;
	bool never_releases; /* before it stops */
	bool comes_back_alone; /* a far side that is away leaves it down, not gone */
	/* Builds the far side; NULL, or why it is not possible here. */
	const char *(*build)(struct world *world);
	void (*tear_down)(struct world *world);
	/* After open: makes the far side ready to send and receive. */
	void (*meet)(struct world *world, struct hg_dev *dev);
	void (*far_send)(struct world *world, const uint8_t *frame, unsigned n_bytes);
	/* The next of our frames; its bytes, or 0 if none came in time. */
	unsigned (*far_recv)(struct world *world, uint8_t *frame, unsigned size);
	void (*vanish)(struct world *world);
	void (*come_back)(struct world *world);

	int guest_fd; /* namespace */
	int far_fd; /* packet socket in it */
	struct heap_pool heap;
	char netns[64];
};

extern struct world *const worlds[]; /* ended by NULL */

/* Leaves the host's namespace for one of the process's own, once. NULL, or why not. */
const char *world_enter(void);
/* The process's own, after world_enter. */
int world_home_fd(void);
/* A new namespace, as a descriptor. */
int world_make_netns(void);
/* Runs a shell command in a namespace; false if it failed. */
bool world_run_in(int netns_fd, const char *command);
/* A packet socket on an interface of that namespace. */
int world_open_socket(int netns_fd, const char *interface);

hg_ns world_now_ns(void);

int world_open(struct world *world, struct hg_dev **ret_dev, struct hg_error *reterr);
/* Opens, starts, meets; a failure ends the process with its reason. */
struct hg_dev *world_begin(struct world *world);
/* Stops and closes. */
void world_end(struct hg_dev *dev, bool keep);
/* The next of our frames out of the device, or NULL if none came in time; others go back. */
struct hg_pkt *world_rx(struct world *world, struct hg_dev *dev);
/* One turn of a worker that has nothing else to do: waits up to a ms. */
void world_turn(struct hg_dev *dev);
/* Copies a chain's bytes; returns how many. */
unsigned world_flatten(const struct hg_pkt *pkt, uint8_t *to, unsigned size);
/* A frame of ours: addresses, type, and bytes that follow from `seed`. */
void world_frame(uint8_t *frame, unsigned n_bytes, uint32_t seed);
/* The frame in a chain of buffers of at most `step` bytes, but for the headers' promise. */
struct hg_pkt *world_chain(struct world *world, const uint8_t *frame, unsigned n_bytes,
			   unsigned step);

extern const uint8_t world_far_mac[HG_MAC_BYTES], world_near_mac[HG_MAC_BYTES];

#endif
