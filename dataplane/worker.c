#include "dataplane/worker.h"

#include "dataplane/announcer.h"
#include "dataplane/buffers.h"
#include "dataplane/flight.h"
#include "dataplane/introducer.h"
#include "dataplane/ops.h"
#include "dataplane/news.h"
#include "dataplane/path.h"
#include "dataplane/publish.h"
#include "dataplane/pushback.h"
#include "dataplane/still.h"
#include "dataplane/state.h"
#include "dataplane/telling.h"
#include "dataplane/watching.h"

#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_ring.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Descriptors told of by one call; the others wait for the next one. */
#define EVENTS_MAX 64
/* How often a worker looks for ports that woke up: the call costs about 0.2 us. One that moves packets and finds no port
 * looks less and less often, until that is a hundredth of its time. */
#define LOOK_NS (5 * HG_NS_PER_US)
#define LOOK_MOST_NS (16 * HG_NS_PER_US)
/* Waking up from a sleep takes up to this long on a virtual machine: what comes sooner is spun for. */
#define OVERSLEEP_NS (60 * HG_NS_PER_US)
/* While a link has a queue its worker stays awake for what comes sooner than this. A wake-up of an idle
 * processor of a virtual machine took 2 ms once in 300 times, and a link of 1 Gbit/s that was left to
 * sleeping workers was used for 96.1 % instead of 99.4 %. */
#define AWAKE_NS (1 * HG_NS_PER_MS)
/* The worker goes before ordinary programs when both want the processor: it is their network. */
#define NICENESS (-20)
/* The shortest slice that Linux knows. */
#define SLICE_NS 100000u
/* Slots of learned addresses. */
#define FDB_ENTRIES 65536u
/* Buckets of the MAC table in which old entries are cleared at each housekeeping: all in some seconds. */
#define FDB_BUCKETS_A_LOOK 1u
/* A flow may hold an eighth of the buffers that are free (a dynamic threshold: Choudhury and Hahne, 1998):
 * one alone a ninth of all, and a hundred at once leave a fourteenth to those who hold nothing. */
#define HELD_PART 8u
/* Packets after which a turn goes on to serve: as many as it takes out of a tree. With more ports than that busy, what
 * came in beyond it would only be dropped behind all that was done for it, while it waits well where it is. */
#define RECEIVE_PKTS 128u
/* Of so many listed ports all that receiving from them touches stays in the processor's second cache. */
#define ACTIVE_NEAR 512u
#define WAKE_EVENT UINT32_MAX

static hg_ns clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (hg_ns)t.tv_sec * HG_NS_PER_S + t.tv_nsec;
}

/* ---- ports that have something ------------------------------------------------------------------ */

static void list_port(struct hg_worker *w, struct hg_port *port)
{
	if (port->is_listed || port->is_held)
		return;
	port->is_listed = true;
	w->active[w->n_active++] = port;
}

static void take_events(struct hg_worker *w, const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++) {
		uint32_t slot = events[i].data.u32;
		uint64_t count;

		if (slot == WAKE_EVENT) {
			if (read(w->wake_fd, &count, sizeof(count)) < 0)
				continue;
		} else if (slot < w->snapshot->n_port_slots && w->snapshot->ports[slot] != NULL) {
			list_port(w, w->snapshot->ports[slot]);
			hg_introducer_notice(w, w->snapshot->ports[slot]);
		}
	}
}

static void look_for_events(struct hg_worker *w)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(w->epoll_fd, events, EVENTS_MAX, 0);

	take_events(w, events, n);
	w->look_for_ns = n > 0 ? LOOK_NS : w->look_for_ns * 3 / 2;
	if (w->look_for_ns > LOOK_MOST_NS)
		w->look_for_ns = LOOK_MOST_NS;
	w->looked_at_ns = w->now_ns;
}

/* Whether a port that had nothing may be left to its descriptor. Where the far side has to be asked for
 * notifications, each costs it something, so it is asked only when the port was quiet for a while. */
static bool may_leave(const struct hg_worker *w, struct hg_port *port)
{
	if (port->dev->driver->arm == NULL)
		return true;
	return w->now_ns >= port->quiet_at_ns && !port->dev->driver->arm(port->dev);
}

static void wait_until(struct hg_port *port, hg_ns until_ns)
{
	if (until_ns > port->quiet_at_ns)
		port->quiet_at_ns = until_ns;
}

void hg_worker_expect(struct hg_worker *w, struct hg_port *port)
{
	hg_ns for_ns = hg_linger_handed(&port->linger, w->now_ns);

	if (for_ns == 0)
		return;
	wait_until(port, w->now_ns + for_ns);
	list_port(w, port);
}

/* Something came from a port whose far side has to be asked for notifications. */
static void expect_more(const struct hg_worker *w, struct hg_port *port)
{
	wait_until(port, w->now_ns + w->lane->spin_ns);
	hg_linger_came(&port->linger, w->now_ns);
}

static void tell_held(struct hg_port *port)
{
	if (port->dev->driver->hold != NULL)
		port->dev->driver->hold(port->dev, port->is_held);
}

/* Ports whose instances are not over their contracts any more are received from again. */
static void let_go(struct hg_worker *w)
{
	uint32_t n_left = 0;

	w->releases_seen = atomic_load_explicit(&w->lane->releases, memory_order_acquire);
	for (uint32_t i = 0; i < w->n_held; i++) {
		struct hg_port *port = w->held[i];

		if (hg_pushback_holds(w, port)) {
			w->held[n_left++] = port;
			continue;
		}
		port->is_held = false;
		tell_held(port);
		list_port(w, port);
	}
	w->n_held = n_left;
}

static bool has_releases(const struct hg_worker *w)
{
	return w->n_held > 0 &&
	       atomic_load_explicit(&w->lane->releases, memory_order_acquire) != w->releases_seen;
}

static void leave(struct hg_worker *w, uint32_t i)
{
	w->active[i]->is_listed = false;
	w->active[i] = w->active[--w->n_active];
}

/* Takes a port off the list until its instance may send again. Returns whether it did: another worker may have let it
 * go meanwhile. So the releases are looked at before the port is: what comes later is news. */
static bool hold_port(struct hg_worker *w, uint32_t i)
{
	struct hg_port *port = w->active[i];
	uint32_t releases = atomic_load_explicit(&w->lane->releases, memory_order_acquire);

	if (!hg_pushback_holds(w, port))
		return false;
	leave(w, i);
	port->is_held = true;
	tell_held(port);
	if (w->n_held == 0)
		w->releases_seen = releases;
	w->held[w->n_held++] = port;
	return true;
}

/* What each of several workers receives in a turn, since one serves it all; they pass it by less than a burst. */
static unsigned receive_part(const struct hg_worker *w)
{
	unsigned part = RECEIVE_PKTS / w->lane->n_workers;

	return part > 2u * HG_BURST_PKTS ? part - HG_BURST_PKTS : HG_BURST_PKTS;
}

/* Whether the owner of the out trees is behind: then what instances send stays where it is. It takes all that is on the
 * way before it serves, so that more would only be dropped there, behind all that was done for it. Where a far side
 * can keep it that must be even less: it is queued before it is seen that the instance is over its contract. */
static bool has_no_room_ahead(const struct hg_worker *w, const struct hg_port *port)
{
	const struct rte_ring *ahead = w->lane->crossings[w->idx][w->lane->out_owner];
	unsigned n_most =
		HG_READ(port->dev->caps) & HG_DEV_RX_PUSHES_BACK ? HG_BURST_PKTS : receive_part(w);

	return ahead != NULL && !port->is_uplink && rte_ring_count(ahead) >= n_most;
}

/* Receives from a listed port. Returns how many packets; *ret_stays: whether the port is still where it was. */
static unsigned receive_one(struct hg_worker *w, uint32_t i, bool *ret_stays)
{
	struct hg_port *port = w->active[i];
	uint32_t n_refusals;
	unsigned n;

	*ret_stays = true;
	if (HG_UNLIKELY(hg_pushback_holds(w, port)) && hold_port(w, i)) {
		*ret_stays = false;
		return 0;
	}
	if (HG_UNLIKELY(has_no_room_ahead(w, port)))
		return 0;
	n_refusals = hg_buffers_refusals_here();
	n = hg_path_receive(w, port);
	if (n > 0) {
		w->has_moved = true;
		if (port->dev->driver->arm != NULL)
			expect_more(w, port);
	} else if (n_refusals == hg_buffers_refusals_here() && may_leave(w, port)) {
		/* For lack of buffers nothing is received whatever lies there, and the descriptor only tells of what is
		 * new. (That there are some by now, from another worker, says nothing of what there was.) */
		hg_linger_ends(&port->linger);
		leave(w, i);
		*ret_stays = false;
	}
	return n;
}

static const struct hg_port *listed_ahead(const struct hg_worker *w, uint32_t n)
{
	uint32_t i = w->next_active + n;

	return w->active[i < w->n_active ? i : i - w->n_active];
}

/* Asks for what the ports behind the next one need, each step of the chain a port before the one behind it. */
static void expect_active(const struct hg_worker *w)
{
	HG_PREFETCH(listed_ahead(w, 3));
	hg_path_expect(w, listed_ahead(w, 2));
	hg_path_expect_next(w, listed_ahead(w, 1));
}

/* Goes round the listed ports, once at most, until there is enough for a turn, with what other workers sent here. */
static void receive_active(struct hg_worker *w)
{
	const unsigned n_most = hg_path_has_crossing(w) ? receive_part(w) : RECEIVE_PKTS;
	unsigned n_pkts = 0;

	for (uint32_t n_left = w->n_active; n_left > 0 && n_pkts < n_most; n_left--) {
		bool stays;

		if (w->next_active >= w->n_active)
			w->next_active = 0;
		if (w->n_active > ACTIVE_NEAR)
			expect_active(w);
		n_pkts += receive_one(w, w->next_active, &stays);
		w->next_active += stays;
	}
}

static void receive_all(struct hg_worker *w)
{
	if (HG_UNLIKELY(has_releases(w)))
		let_go(w);
	receive_active(w);
	for (uint32_t i = 0; i < w->snapshot->n_always; i++) {
		struct hg_port *port = w->snapshot->always[i];

		if (port->worker == w->idx && !hg_pushback_holds(w, port) &&
		    !has_no_room_ahead(w, port) && hg_path_receive(w, port) > 0)
			w->has_moved = true;
	}
}

/* Brings devices forward whose time has come: completions, a modelled wire. */
static void tick_devices(struct hg_worker *w)
{
	for (uint32_t i = 0; i < w->n_ticking;) {
		struct hg_port *port = w->ticking[i];

		if (port->progress_at_ns <= w->now_ns) {
			port->progress_at_ns = port->dev->driver->progress(port->dev, w->now_ns);
			list_port(w, port);
		}
		if (port->progress_at_ns != HG_NEVER) {
			i++;
			continue;
		}
		port->is_ticking = false;
		w->ticking[i] = w->ticking[--w->n_ticking];
	}
}

/* ---- housekeeping ------------------------------------------------------------------------------- */

/* Ports that the new snapshot does not have leave the worker's lists. */
static uint32_t keep_known(struct hg_port **list, uint32_t n, const struct hg_snapshot *s)
{
	uint32_t n_kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (list[i]->slot < s->n_port_slots && s->ports[list[i]->slot] == list[i])
			list[n_kept++] = list[i];
	}
	return n_kept;
}

static void adopt(struct hg_worker *w, const struct hg_snapshot *s)
{
	hg_path_settle(w);
	hg_telling_until(w, HG_NEVER);
	w->snapshot = s;
	hg_path_forget(w);
	hg_flight_follow(w, s);
	w->n_active = keep_known(w->active, w->n_active, s);
	w->n_ticking = keep_known(w->ticking, w->n_ticking, s);
	w->n_held = keep_known(w->held, w->n_held, s);
	w->n_returning = keep_known(w->returning, w->n_returning, s);
	hg_ops_run(w, s);
	/* A port may be another instance's now. */
	let_go(w);
	atomic_store_explicit(&w->adopted, s->generation, memory_order_release);
}

void hg_worker_catch_up(struct hg_worker *w)
{
	const struct hg_snapshot *s =
		atomic_load_explicit(&w->lane->snapshot, memory_order_acquire);

	if (HG_UNLIKELY(s != w->snapshot))
		adopt(w, s);
}

static void keep_house(struct hg_worker *w)
{
	w->housekeeping_at_ns = w->now_ns + HG_HOUSEKEEPING_NS;
	hg_worker_catch_up(w);
	hg_buffers_keep_house(w->lane->pool);
	w->max_held_buffers = hg_buffers_free(w->lane->pool) / HELD_PART;
	hg_flight_settle_now(w);
	hg_publish_some(w);
	hg_news_hear(w);
	hg_state_answer(w);
	hg_announcer_look(w);
	hg_introducer_look(w);
	(void)hg_fdb_advance(&w->fdb, FDB_BUCKETS_A_LOOK, w->now_ns);
}

/* ---- sleeping ----------------------------------------------------------------------------------- */

static bool has_mail(struct hg_worker *w)
{
	if (atomic_load(&w->lane->snapshot) != w->snapshot || atomic_load(&w->want_stop) ||
	    hg_still_is_asked(w))
		return true;
	if (has_releases(w))
		return true;
	if (w->owns_cards && hg_hook_has_crossing(w->lane->hook))
		return true;
	if (hg_state_is_asked(w) || hg_announcer_has_mail(w))
		return true;
	return hg_publish_is_due(w) || hg_path_has_crossing(w);
}

static hg_ns next_at(struct hg_worker *w)
{
	hg_ns at_ns = hg_path_next_at(w);

	if (w->announce_at_ns < at_ns)
		at_ns = w->announce_at_ns;
	if (w->introduce_at_ns < at_ns)
		at_ns = w->introduce_at_ns;
	for (uint32_t i = 0; i < w->n_ticking; i++) {
		if (w->ticking[i]->progress_at_ns < at_ns)
			at_ns = w->ticking[i]->progress_at_ns;
	}
	return at_ns;
}

static void sleep_until(struct hg_worker *w, hg_ns at_ns)
{
	struct epoll_event events[EVENTS_MAX];
	struct timespec timeout, *wait = NULL;
	int n = 0;

	if (at_ns != HG_NEVER) {
		hg_ns for_ns = at_ns - w->now_ns - OVERSLEEP_NS;

		timeout.tv_sec = for_ns / HG_NS_PER_S;
		timeout.tv_nsec = for_ns % HG_NS_PER_S;
		wait = &timeout;
	}
	hg_flight_publish(w);
	hg_absence_until(&w->absence, at_ns);
	atomic_store(&w->is_asleep, true);
	/* Pairs with hg_worker_wake(). */
	atomic_thread_fence(memory_order_seq_cst);
	if (!has_mail(w)) {
		HG_COUNT(w->sleeps, 1u);
		n = epoll_pwait2(w->epoll_fd, events, EVENTS_MAX, wait, NULL);
	}
	atomic_store(&w->is_asleep, false);
	w->housekeeping_at_ns = w->flight_at_ns = 0;
	take_events(w, events, n);
}

/* Who only has to be told something is worth waking up for, and not staying awake: it may wait as long as that takes. */
static hg_ns tell_by(const struct hg_worker *w, hg_ns at_ns)
{
	hg_ns tell_at_ns = hg_telling_next_at(w);

	return tell_at_ns < at_ns - OVERSLEEP_NS ? tell_at_ns + OVERSLEEP_NS : at_ns;
}

/* Nothing moved in this turn: spin for a while, then sleep if nothing is due soon. */
static void rest(struct hg_worker *w)
{
	hg_ns at_ns;

	if (w->now_ns < w->busy_until_ns || w->n_active > 0 || w->snapshot->n_always > 0) {
		rte_pause();
		return;
	}
	hg_flight_settle_now(w);
	at_ns = next_at(w);
	if (at_ns - w->now_ns <= OVERSLEEP_NS || hg_path_links_next_at(w) - w->now_ns <= AWAKE_NS)
		rte_pause();
	else
		sleep_until(w, tell_by(w, at_ns));
}

bool hg_worker_bring_forward(struct hg_worker *w)
{
	w->now_ns = clock_ns();
	hg_absence_leave(&w->absence, w->now_ns);
	keep_house(w);
	tick_devices(w);
	hg_flight_look(w);
	(void)hg_path_take_over(w);
	hg_watching_send_copies(w);
	hg_path_settle(w);
	return w->n_ticking > 0 || w->n_staged > 0 || w->copies_head != NULL ||
	       hg_path_has_crossing(w);
}

/* ---- the loop ----------------------------------------------------------------------------------- */

static void turn(struct hg_worker *w)
{
	hg_ns began_ns = w->now_ns, due_ns = w->absence.due_ns;
	hg_ns look_for_ns = w->has_moved ? w->look_for_ns : LOOK_NS;

	w->now_ns = clock_ns();
	hg_absence_here(&w->absence, w->now_ns);
	if (HG_UNLIKELY(w->now_ns - due_ns > HG_FLIGHT_AWAY_NS))
		hg_flight_was_away(w, due_ns);
	if (w->has_moved)
		HG_COUNT(w->busy_ns, (uint64_t)(w->now_ns - began_ns));
	hg_worker_begin_turn(w);
	w->has_moved = false;
	if (w->now_ns >= w->housekeeping_at_ns)
		keep_house(w);
	if (w->now_ns - w->looked_at_ns >= look_for_ns)
		look_for_events(w);
	tick_devices(w);
	hg_telling_look(w);
	receive_all(w);
	hg_flight_look(w);
	if (hg_path_take_over(w) > 0)
		w->has_moved = true;
	if (HG_UNLIKELY(w->copies_head != NULL))
		hg_watching_send_copies(w);
	if (hg_path_serve(w) > 0)
		w->has_moved = true;
	hg_path_transmit(w);
	if (w->has_moved || w->copies_head != NULL)
		w->busy_until_ns = w->now_ns + w->lane->spin_ns;
	else
		rest(w);
}

/* As the kernel takes it (sched_setattr(2)); the C library has no name for it. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

/* A worker that wakes up must not wait until whoever runs has used up its slice: several milliseconds, in
 * which the link stands still. A short slice of its own lets it go first (Linux 6.12 and later; before,
 * niceness alone does). Without the right to it the worker runs all the same, as politely as others. Who was started
 * with a real-time policy has more than that. */
static void go_before_others(void)
{
	const struct scheduling ask = {
		.size = sizeof(ask), .nice = NICENESS, .runtime_ns = SLICE_NS};

	if (sched_getscheduler(0) != SCHED_OTHER)
		return;
	if (syscall(SYS_sched_setattr, 0, &ask, 0) != 0)
		(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
}

static void *run(void *arg)
{
	struct hg_worker *w = arg;

	go_before_others();
	if (rte_thread_register() != 0)
		return NULL;
	hg_buffers_sit(w->lane->pool, w->idx, w->owns_cards);
	while (!atomic_load_explicit(&w->want_stop, memory_order_relaxed)) {
		if (HG_UNLIKELY(hg_still_is_asked(w)))
			hg_still_turn(w);
		else
			turn(w);
	}
	hg_buffers_stand_up();
	rte_thread_unregister();
	return NULL;
}

/* ---- life --------------------------------------------------------------------------------------- */

/* The last processors are the workers': the first one takes most of a host's interrupts. */
static void tie_to_processor(struct hg_worker *w)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	if (n < 2 || w->idx >= (uint32_t)n)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)(n - 1 - (long)w->idx), &set);
	(void)pthread_setaffinity_np(w->thread, sizeof(set), &set);
}

static int open_descriptors(struct hg_worker *w)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = WAKE_EVENT};

	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->epoll_fd < 0 || w->wake_fd < 0)
		return -errno;
	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &event) < 0 ? -errno : 0;
}

static bool make_fdb(struct hg_worker *w)
{
	struct hg_fdb_cfg cfg = {.max_entries = FDB_ENTRIES,
				 .max_ports = w->lane->max_port_slots,
				 .max_learned = HG_PORT_LEARN_DEFAULT,
				 .age_ns = HG_FDB_AGE_NS};

	if (getrandom(&cfg.seed, sizeof(cfg.seed), 0) != sizeof(cfg.seed))
		cfg.seed = (uint64_t)clock_ns();
	w->fdb_memory = malloc(hg_fdb_bytes(&cfg));
	if (w->fdb_memory == NULL)
		return false;
	hg_fdb_init(&w->fdb, &cfg, w->fdb_memory);
	return true;
}

int hg_worker_create(struct hg_lane *lane, uint32_t idx, const struct hg_snapshot *first,
		     struct hg_worker **ret_worker, struct hg_error *reterr)
{
	struct hg_worker *w = aligned_alloc(HG_CACHE_LINE_BYTES, (sizeof(*w) + 63u) & ~63u);
	size_t list_bytes = lane->max_port_slots * sizeof(struct hg_port *);
	int r = 0;

	if (w == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for a worker", NULL);
	memset(w, 0, sizeof(*w));
	w->lane = lane;
	w->idx = idx;
	hg_absence_init(&w->absence);
	w->owns_cards = idx == lane->out_owner;
	w->snapshot = first;
	w->dirty_head = w->publish_head = HG_SLOT_NONE;
	w->announce_at_ns = w->introduce_at_ns = HG_NEVER;
	w->look_for_ns = LOOK_NS;
	w->epoll_fd = w->wake_fd = -1;
	hg_watching_init(w, clock_ns());
	w->active = malloc(list_bytes);
	w->staged = malloc(list_bytes);
	w->ticking = malloc(list_bytes);
	w->held = malloc(list_bytes);
	w->returning = malloc(list_bytes);
	if (w->active == NULL || w->staged == NULL || w->ticking == NULL || w->held == NULL ||
	    w->returning == NULL || !make_fdb(w)) {
		r = hg_error_set(reterr, -HG_ENOMEM, "out of memory for a worker", NULL);
		goto fail;
	}
	r = open_descriptors(w);
	if (r != 0) {
		r = hg_error_set(reterr, -HG_EIO, "no descriptors for a worker: ", strerror(-r),
				 NULL);
		goto fail;
	}
	*ret_worker = w;
	return 0;
fail:
	hg_worker_destroy(w);
	return r;
}

int hg_worker_start(struct hg_worker *w, struct hg_error *reterr)
{
	int r = pthread_create(&w->thread, NULL, run, w);

	if (r != 0) {
		w->thread = 0;
		return hg_error_set(reterr, -HG_EIO, "a worker does not start: ", strerror(r),
				    NULL);
	}
	tie_to_processor(w);
	return 0;
}

void hg_worker_stop(struct hg_worker *w)
{
	if (w == NULL || w->thread == 0)
		return;
	atomic_store(&w->want_stop, true);
	hg_worker_wake(w);
	pthread_join(w->thread, NULL);
	w->thread = 0;
}

void hg_worker_destroy(struct hg_worker *w)
{
	if (w == NULL)
		return;
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	free(w->active);
	free(w->staged);
	free(w->ticking);
	free(w->held);
	free(w->returning);
	free(w->fdb_memory);
	free(w);
}

void hg_worker_wake(struct hg_worker *w)
{
	uint64_t one = 1;

	/* Pairs with sleep_until(): either it sees what was written before, or we see it asleep. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&w->is_asleep) && write(w->wake_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it is being woken already */
}

int hg_worker_watch(struct hg_worker *w, struct hg_port *port, struct hg_error *reterr)
{
	int fd = port->dev->driver->fd(port->dev);
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = port->slot};

	if (fd < 0)
		return 0;
	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return hg_error_set(reterr, -HG_EIO, "cannot wait on a device: ", strerror(errno),
				    NULL);
	return 0;
}

void hg_worker_unwatch(struct hg_worker *w, struct hg_port *port)
{
	int fd = port->dev->driver->fd(port->dev);

	if (fd >= 0)
		(void)epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}
