/* vhost_link: the connection to one guest, and what the worker may use of it.
 *
 * Why        The library's threads learn of a guest's memory and rings, the worker uses them. Neither may wait for the
 *            other but here, and the worker never for long.
 * Model      A door. While it is open the worker may use what lies behind it, and says so (enter, leave). A
 *            thread of the library closes it, waits until the worker is out, changes what it likes, and opens
 *            it again when there is something to use. The worker's side has no fence, which would wait in each
 *            call for all that it has written to the guest: the kernel makes one for it when the door is
 *            closed (membarrier(2)), or where it cannot, the worker has one.
 * Promise    What the worker sees between enter and leave stays as it is. After hg_vhost_link_close() no
 *            thread touches the struct.
 * Memory     One for each device, with room for all its rings. Threads: as marked.
 * Errors     open, start: as driver.h. Internal to drivers/vhost*.c.
 */
#ifndef HG_DRIVERS_VHOST_LINK_H
#define HG_DRIVERS_VHOST_LINK_H

#include "core/coalesce.h"
#include "drivers/driver.h"
#include "drivers/vhost_dial.h"
#include "drivers/vhost_room.h"
#include "drivers/vhost_rules.h"
#include "drivers/vhost_socket.h"
#include "drivers/vring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#define HG_VHOST_PAIRS_MAX 16u

struct hg_vhost_ring {
	struct hg_vring vring;
	struct hg_coalesce taken; /* of which the guest is told later; rings to receive from */
	int call_fd; /* -1: the guest polls */
	int kick_fd; /* -1: we poll; on our waiting list otherwise */
	bool is_ready; /* the library says so */
	bool is_used; /* behind the open door */
	bool was_used; /* since the guest connected: it stands where we left it */
	bool is_given_up; /* by the guest, which still waits for what it sent there before */
};

static inline void hg_vhost_ring_call(const struct hg_vhost_ring *ring)
{
	if (ring->call_fd >= 0)
		(void)eventfd_write(ring->call_fd, 1);
}

/* The guest is told now what it was to be told later, since nobody comes back to the ring. */
static inline void hg_vhost_ring_hurry(struct hg_vhost_ring *ring)
{
	if (ring->taken.by_ns != 0)
		hg_vhost_ring_call(ring);
	hg_coalesce_told(&ring->taken);
}

struct hg_vhost_link {
	/* Written by the library's threads. */
	_Alignas(HG_CACHE_LINE_BYTES) _Atomic bool is_open;
	_Atomic uint8_t
		fault; /* enum hg_vring_fault; set by the worker, cleared with the door closed */
	_Atomic uint32_t arrival; /* as hg_driver.arrival */
	bool has_far_fence; /* does not change: closing the door is a fence for the worker, too */

	/* Written by the worker. */
	_Alignas(HG_CACHE_LINE_BYTES) _Atomic bool is_inside;

	/* Behind the door: the worker's while it is inside, the library's threads' while it is closed. */
	_Alignas(HG_CACHE_LINE_BYTES) struct hg_guest_memory memory;
	uint16_t n_rx, n_tx;
	uint16_t rx_rings[HG_VHOST_PAIRS_MAX], tx_rings[HG_VHOST_PAIRS_MAX];
	uint32_t caps, mtu;
	uint32_t generation; /* of all this */
	bool has_to_poll; /* a ring without a descriptor to wait on */
	const atomic_bool *is_lost; /* whether the guest took memory away */

	/* Of the library's threads and the control lane, under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t has_left; /* vid is -1 */
	int vid; /* -1: not connected */
	int fd; /* a descriptor of ours of the connection; -1: not connected */
	bool is_closing, has_memory, is_listening, is_in_message;
	bool has_shown; /* since the door is open: something of its own is in its memory */
	uint32_t wanted_mtu, guest_mtu; /* 0: not said */
	uint32_t last_arrival; /* the number given last; 0: none yet */
	char path[HG_VHOST_PATH_BYTES];
	char port[HG_NAME_BYTES]; /* whose it is, "": nobody said; of the control lane alone */
	struct hg_vhost_place place; /* of its socket, however the path is written */
	char reason[HG_REASON_BYTES]; /* why the door is closed */
	struct hg_vhost_rules rules;
	const char *offence; /* for which the last guest was sent away, until one is up */
	char last_reason
		[HG_REASON_BYTES]; /* of what a guest did last; stays when the next one is up */
	hg_ns last_reason_at_ns;
	uint64_t n_refused[HG_N_GUEST_REFUSALS]; /* those that were not dialled: in dial */
	uint8_t noted_fault; /* enum hg_vring_fault that last_reason tells already */
	uint32_t n_watched;
	int watched[HG_VHOST_REGIONS_MAX]; /* handles of drivers/guest_loss.h */
	struct hg_vhost_link *next; /* of all, under the lock of the list */
	struct hg_vhost_dial dial;

	int epoll_fd, change_fd;
	uint32_t n_pairs;
	struct hg_vhost_ring rings[]; /* as virtio numbers them: even: to the guest, odd: from it */
};

struct hg_vhost_link_cfg {
	const char *path;
	const char *port; /* whose it is, for who wants the same socket; NULL: nobody said */
	uint32_t n_pairs; /* in [1, HG_VHOST_PAIRS_MAX] */
	uint32_t mtu;
	bool want_listen;
};

HG_MUST_CHECK int hg_vhost_link_open(const struct hg_vhost_link_cfg *cfg,
				     struct hg_vhost_link **ret_link, struct hg_error *reterr);
HG_MUST_CHECK int hg_vhost_link_start(struct hg_vhost_link *link, struct hg_error *reterr);
/* The worker stays outside from now on; frames in the guest's rings stay there. */
void hg_vhost_link_stop(struct hg_vhost_link *link);
void hg_vhost_link_close(struct hg_vhost_link *link); /* takes NULL */
/* In force when the worker looks next. */
void hg_vhost_link_set_mtu(struct hg_vhost_link *link, uint32_t mtu);
void hg_vhost_link_sample(struct hg_vhost_link *link, struct hg_dev_state *ret_state);

/* The worker's. */
static HG_ALWAYS_INLINE bool hg_vhost_link_enter(struct hg_vhost_link *link)
{
	atomic_store_explicit(&link->is_inside, true, memory_order_relaxed);
	/* In one order with the door: either we see it closed, or they see us inside. */
	if (HG_LIKELY(link->has_far_fence))
		atomic_signal_fence(memory_order_seq_cst);
	else
		atomic_thread_fence(memory_order_seq_cst);
	if (HG_LIKELY(atomic_load_explicit(&link->is_open, memory_order_acquire)))
		return true;
	atomic_store_explicit(&link->is_inside, false, memory_order_release);
	return false;
}

static HG_ALWAYS_INLINE void hg_vhost_link_leave(struct hg_vhost_link *link)
{
	atomic_store_explicit(&link->is_inside, false, memory_order_release);
}

#endif
