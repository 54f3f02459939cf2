/* worker: one thread of the packet lane, run to completion.
 *
 * Why        All that happens to a packet happens in turns of one loop, on data that one thread owns: no
 *            lock, no allocation, no log, and the clock is read once a turn.
 * Model      A turn: receive from the ports that have something, take in what other workers passed over,
 *            serve the trees, transmit, and every HG_HOUSEKEEPING_NS look after the snapshot, the
 *            mailbox and the counters. After spin_ns of turns without a packet the worker sleeps on the
 *            descriptors of its ports, until the next instant at which a tree or a device has something
 *            to do. A port that has nothing leaves the list and comes back by its descriptor; one that has to be
 *            asked to notify stays while it is worth looking for what it answers (core/linger).
 * Ownership  trees: out of all uplinks and of local traffic: worker 0. in: the last worker. Ports are
 *            dealt out in turn; uplinks to worker 0, beside their trees. Packets that another worker has
 *            to go on with cross by single-producer single-consumer rings.
 * Threads    struct hg_worker belongs to its thread, but for what is marked.
 */
#ifndef HG_DATAPLANE_WORKER_H
#define HG_DATAPLANE_WORKER_H

#include "core/absence.h"
#include "dataplane/snapshot.h"
#include "vswitch/fdb.h"

#include <pthread.h>
#include <stdatomic.h>

struct hg_announce_batch;
struct hg_hook;
struct hg_state_ask;
struct rte_ring;

/* Between two looks at the mailbox while packets flow. Far below the 10 ms in which a change has to be in
 * force, far above the cost of a look. */
#define HG_HOUSEKEEPING_NS (50 * HG_NS_PER_US)
/* Packets that wait between two workers at most. */
#define HG_CROSSING_PKTS 4096u

/* Uplinks whose cards can be accounted for: what a tag can name. */
#define HG_CARDS_MAX 255u

/* What the control lane has the workers do; dataplane/still.h. */
enum hg_phase {
	HG_PHASE_RUN = 0,
	HG_PHASE_DRAIN, /* nothing is received or taken from a scheduler; what is on its way goes on */
	HG_PHASE_FROZEN, /* nothing at all */
};

/* What is shared by the workers; nothing in it is written in the packet lane but by its owner. */
struct hg_lane {
	struct hg_pool *pool;
	struct hg_hook *hook; /* the out owner's */
	struct hg_flow *flows; /* [slot * HG_N_DIRS + dir] */
	struct hg_tree *local_tree, *in_tree;
	struct hg_caps *caps[HG_N_DIRS];
	uint32_t n_workers, out_owner, in_owner;
	uint32_t max_port_slots;
	/* While a flow may hold fewer buffers than this, none are spent on copies. */
	uint32_t min_copy_buffers;
	hg_ns spin_ns, behaviour_interval_ns;
	/* Written by the control lane; NULL: free. */
	struct hg_capture *_Atomic captures[HG_CAPTURES_MAX];
	/* By the number of the card queue; written by the control lane. */
	struct hg_tree *_Atomic cards[HG_CARDS_MAX];
	_Atomic int phase; /* enum hg_phase; written by the control lane */
	_Atomic uint64_t round; /* the last that was asked for; written by the control lane */
	_Atomic(const struct hg_snapshot *) snapshot; /* written by the control lane */
	_Atomic uint32_t
		releases; /* of flows that were full; written by the owner of the out trees */
	_Atomic(struct hg_state_ask *) ask; /* dataplane/state.h; NULL: none */
	_Atomic(struct hg_announce_batch *)
		announce; /* dataplane/announcer.h; the last handed over */
	struct rte_ring *crossings[HG_WORKERS_MAX][HG_WORKERS_MAX]; /* [from][to]; NULL to itself */
	struct rte_ring *news[HG_WORKERS_MAX][HG_WORKERS_MAX]; /* learned addresses, likewise */
	struct hg_worker *workers[HG_WORKERS_MAX];
};

struct hg_worker {
	struct hg_lane *lane;
	const struct hg_snapshot *snapshot; /* adopted */
	uint32_t idx;
	hg_ns now_ns;
	hg_ns housekeeping_at_ns;
	/* For ports that woke up, the last time; and how long until the next while packets move. */
	hg_ns looked_at_ns, look_for_ns;
	hg_ns flight_at_ns; /* the next look at what cards have, whatever is released */
	hg_ns busy_until_ns; /* spin until then */
	bool has_moved; /* a packet in this turn */
	bool owns_cards; /* is the out owner */
	bool may_settle_late; /* nobody waits for what cards release */
	hg_ns nap_ns; /* the last one, while it stands aside */
	bool is_aside; /* its devices were told to pause */

	struct hg_port **active; /* to receive from */
	struct hg_port **staged; /* to transmit to */
	struct hg_port **ticking; /* with something under way in the device */
	struct hg_port **held; /* not received from; dataplane/pushback.h */
	uint32_t n_active, n_staged, n_ticking, n_held;
	uint32_t next_active; /* where the next turn goes on */
	struct hg_port *telling_head, *telling_tail; /* dataplane/telling.h */

	struct hg_port **returning; /* whose guests are back; dataplane/introducer.h */
	uint32_t n_returning, next_returning; /* where it goes on */
	hg_ns introduce_at_ns; /* when there is something to send for them next */
	hg_ns lot_at_ns; /* not before */
	uint32_t releases_seen; /* of the lane's, when held ports were last looked at */

	struct hg_fdb fdb;
	void *fdb_memory;
	struct hg_pkt *outbox[HG_WORKERS_MAX][HG_BURST_PKTS];
	uint32_t n_outbox[HG_WORKERS_MAX];

	/* Copies for mirrors, made in this turn, by link; and how many may be made. */
	struct hg_pkt *copies_head, *copies_tail;
	struct hg_bucket mirror_bucket;

	/* Flows whose counters changed since they were last published. */
	uint32_t dirty_head, publish_head;
	uint64_t publishing; /* the ask that is being answered; 0: none */
	/* Buffers that one flow may hold: a part of those that are free. */
	uint32_t max_held_buffers;
	uint32_t drops[HG_N_DROPS]; /* that no port can be charged with */
	uint64_t turns, busy_ns, sleeps;
	struct hg_absence absence; /* what waited meanwhile waited for nothing but this worker */

	uint64_t walk_number; /* of the ask that the MAC table is walked for, and how far */
	uint32_t walk_at;
	struct hg_announce_batch *announcing; /* the out owner's */
	hg_ns announce_at_ns; /* when there is something to announce next */

	int epoll_fd, wake_fd;
	pthread_t thread;
	_Atomic bool is_asleep; /* others write wake_fd if set */
	_Atomic bool want_stop; /* written by the control lane */
	_Atomic uint64_t adopted; /* generation in use */
	_Atomic uint64_t publish_asked; /* written by the control lane */
	_Atomic uint64_t publish_done;
	_Atomic int phase; /* enum hg_phase that the last turn was in */
	_Atomic bool is_drained; /* nothing was under way in that turn */
	_Atomic uint64_t answered; /* number of the last ask that was */
	_Atomic uint64_t round; /* the lane's, as it was when the last turn began */
};

/* A worker that does not run yet, so that workers can be made before any of them needs another. */
HG_MUST_CHECK int hg_worker_create(struct hg_lane *lane, uint32_t idx,
				   const struct hg_snapshot *first, struct hg_worker **ret_worker,
				   struct hg_error *reterr);
HG_MUST_CHECK int hg_worker_start(struct hg_worker *w, struct hg_error *reterr);
/* The thread has ended when it returns. Packets inside are not touched. Takes NULL. */
void hg_worker_stop(struct hg_worker *w);
/* Once all workers have stopped, since they wake one another. Takes NULL. */
void hg_worker_destroy(struct hg_worker *w);

/* Adopts the snapshot in force, if it is another one. The worker's own; between packets. */
void hg_worker_catch_up(struct hg_worker *w);

/* The worker's own: what its devices and the other workers have for it goes on, as far as it goes without a
 * scheduler. Returns whether something is still under way. */
bool hg_worker_bring_forward(struct hg_worker *w);

/* The worker's own: a turn begins. What the control lane wrote before it asked for a round is seen from here on, and whatever
 * was read before is not used any more when it hears that the round has begun here: so it may free what it took away.
 * (The token of DPDK's rte_rcu_qsbr. A count of turns alone would say nothing of what a turn has seen.) */
static inline void hg_worker_begin_turn(struct hg_worker *w)
{
	uint64_t round = atomic_load_explicit(&w->lane->round, memory_order_acquire);

	HG_COUNT(w->turns, 1u);
	if (HG_UNLIKELY(round != atomic_load_explicit(&w->round, memory_order_relaxed)))
		atomic_store_explicit(&w->round, round, memory_order_release);
}

/* The worker's own: the port, which has to be asked to notify, was handed something that it may answer. */
void hg_worker_expect(struct hg_worker *w, struct hg_port *port);

/* From any thread: makes a sleeping worker look around. */
void hg_worker_wake(struct hg_worker *w);

/* From the control lane: a port's descriptor joins or leaves the worker's waiting list. */
HG_MUST_CHECK int hg_worker_watch(struct hg_worker *w, struct hg_port *port,
				  struct hg_error *reterr);
void hg_worker_unwatch(struct hg_worker *w, struct hg_port *port);

#endif
