#include "drivers/vhost_dial.h"

#include "core/text.h"
#include "drivers/netns.h"
#include "drivers/vhost_bell.h"
#include "drivers/vhost_room.h"
#include "drivers/vhost_socket.h"

#include <rte_lcore.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Of the list, and held by the thread while it is at one of it: the library's threads must not wait for this one. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hg_vhost_dial *list;
static int change_fd = -1; /* wakes the thread */

/* Held while the library connects; by the same thread again when that fails late. */
static pthread_mutex_t connecting = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static hg_ns now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (hg_ns)t.tv_sec * HG_NS_PER_S + t.tv_nsec;
}

/* ---- the library --------------------------------------------------------------------------------- */

static bool give(struct hg_vhost_dial *dial)
{
	const struct hg_vhost_dial_cfg *cfg = &dial->cfg;
	uint64_t flags = cfg->want_listen ? 0 : RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT;

	if (rte_vhost_driver_register(cfg->path, flags) < 0)
		return false;
	dial->is_registered =
		rte_vhost_driver_set_features(cfg->path, cfg->features) == 0 &&
		rte_vhost_driver_set_protocol_features(cfg->path, cfg->protocol_features) == 0 &&
		rte_vhost_driver_callback_register(cfg->path, cfg->calls) == 0;
	if (!dial->is_registered)
		rte_vhost_driver_unregister(cfg->path);
	return dial->is_registered;
}

static bool take_seats(struct hg_vhost_dial *dial, unsigned n)
{
	if (!hg_vhost_room_take(n))
		return false;
	dial->n_seats = n;
	return true;
}

/* No connection of it is open; of one that has ended, the library's thread may not be out yet. */
static void take_back(struct hg_vhost_dial *dial)
{
	if (dial->is_registered) {
		hg_vhost_bell_ring();
		rte_vhost_driver_unregister(dial->cfg.path);
	}
	dial->is_registered = false;
	hg_vhost_room_give(dial->n_seats);
	dial->n_seats = 0;
}

static void note_lack(struct hg_vhost_dial *dial, enum hg_guest_refusal lack)
{
	if (lack != HG_N_GUEST_REFUSALS && atomic_load(&dial->lack) != lack)
		atomic_fetch_add(&dial->n_lacks[lack], 1);
	atomic_store(&dial->lack, (uint8_t)lack);
}

/* Whether the connection was accepted, what the library says does not tell. */
static void connect_guest(struct hg_vhost_dial *dial)
{
	int guess;

	if (!hg_vhost_room_has_fds()) {
		note_lack(dial, HG_GUEST_REFUSAL_NO_DESCRIPTOR);
		return;
	}
	if (!take_seats(dial, 1)) {
		note_lack(dial, HG_GUEST_REFUSAL_NO_SEAT);
		return;
	}
	note_lack(dial, HG_N_GUEST_REFUSALS);
	guess = hg_vhost_next_fd();
	if (!give(dial))
		return;
	dial->fd = hg_vhost_hold_new(guess);
	if (dial->fd < 0)
		return;
	pthread_mutex_lock(&connecting);
	(void)rte_vhost_driver_start(dial->cfg.path);
	pthread_mutex_unlock(&connecting);
	if (dial->fd >= 0)
		close(dial->fd);
	dial->fd = -1;
}

static void try_once(struct hg_vhost_dial *dial)
{
	take_back(dial);
	connect_guest(dial);
	if (atomic_load(&dial->is_connected))
		dial->wait_ns = HG_VHOST_DIAL_FIRST_NS;
	else
		take_back(dial); /* others may need the seat meanwhile */
	dial->next_ns = now_ns() + dial->wait_ns;
	if (!atomic_load(&dial->is_connected))
		dial->wait_ns = dial->wait_ns * 2 < HG_VHOST_DIAL_LAST_NS ? dial->wait_ns * 2
									  : HG_VHOST_DIAL_LAST_NS;
}

/* ---- the thread ----------------------------------------------------------------------------------- */

/* Tries all that are due; returns when the next one is, or HG_NEVER. */
static hg_ns try_all(void)
{
	hg_ns next_ns = HG_NEVER;

	pthread_mutex_lock(&lock);
	for (struct hg_vhost_dial *dial = list; dial != NULL; dial = dial->next) {
		if (!atomic_load(&dial->is_connected) && dial->next_ns <= now_ns())
			try_once(dial);
		if (!atomic_load(&dial->is_connected) && dial->next_ns < next_ns)
			next_ns = dial->next_ns;
	}
	pthread_mutex_unlock(&lock);
	return next_ns;
}

static void sleep_until(hg_ns until_ns)
{
	struct pollfd at = {.fd = change_fd, .events = POLLIN};
	hg_ns left_ns = until_ns - now_ns();
	struct timespec left = {.tv_sec = left_ns / HG_NS_PER_S, .tv_nsec = left_ns % HG_NS_PER_S};
	eventfd_t n;

	if (left_ns > 0)
		(void)ppoll(&at, 1, until_ns == HG_NEVER ? NULL : &left, NULL);
	(void)eventfd_read(change_fd, &n);
}

static void *run(void *unused)
{
	for (;;)
		sleep_until(try_all());
	return unused;
}

static void wake(void)
{
	(void)eventfd_write(change_fd, 1);
}

/* Under the lock. Not where packets are worked on: the library's kind of thread stays on the processors that EAL leaves. */
static int begin(struct hg_error *reterr)
{
	pthread_t thread;
	int r;

	if (change_fd >= 0)
		return 0;
	change_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = change_fd < 0 ? -errno
			  : rte_ctrl_thread_create(&thread, "hg-vhost-dial", NULL, run, NULL);
	if (r == 0)
		return 0;
	if (change_fd >= 0)
		close(change_fd);
	change_fd = -1;
	return hg_errno_refuse(reterr, -r, "cannot connect to guests", "no thread");
}

/* ---- life ------------------------------------------------------------------------------------------ */

static int open_listening(struct hg_vhost_dial *dial, struct hg_error *reterr)
{
	char why[HG_REASON_BYTES];

	if (!take_seats(dial, HG_VHOST_SEATS_LISTENING)) {
		hg_vhost_room_explain(HG_GUEST_REFUSAL_NO_SEAT, dial->cfg.path, why, sizeof(why));
		return hg_error_set(reterr, -HG_ENOSPC, why, NULL);
	}
	if (give(dial))
		return 0;
	take_back(dial);
	return hg_error_set(reterr, -HG_EIO, "vhost takes no socket at ", dial->cfg.path, NULL);
}

int hg_vhost_dial_open(struct hg_vhost_dial *dial, const struct hg_vhost_dial_cfg *cfg,
		       struct hg_error *reterr)
{
	*dial = (struct hg_vhost_dial){.cfg = *cfg,
				       .fd = -1,
				       .wait_ns = HG_VHOST_DIAL_FIRST_NS,
				       .lack = HG_N_GUEST_REFUSALS};
	if (hg_vhost_bell_hang(reterr) < 0)
		return -HG_EIO;
	return cfg->want_listen ? open_listening(dial, reterr) : 0;
}

static int start_listening(struct hg_vhost_dial *dial, struct hg_error *reterr)
{
	errno = 0;
	if (rte_vhost_driver_start(dial->cfg.path) == 0)
		return 0;
	return hg_error_set(reterr, -HG_EIO, "cannot listen at ", dial->cfg.path,
			    errno != 0 ? ": " : "", errno != 0 ? strerrordesc_np(errno) : "", NULL);
}

int hg_vhost_dial_start(struct hg_vhost_dial *dial, struct hg_error *reterr)
{
	int r;

	if (dial->cfg.want_listen)
		return start_listening(dial, reterr);
	pthread_mutex_lock(&lock);
	r = begin(reterr);
	if (r == 0) {
		dial->next = list;
		list = dial;
		wake();
	}
	pthread_mutex_unlock(&lock);
	return r;
}

void hg_vhost_dial_stop(struct hg_vhost_dial *dial)
{
	struct hg_vhost_dial **at = &list;

	pthread_mutex_lock(&lock);
	while (*at != NULL && *at != dial)
		at = &(*at)->next;
	if (*at == dial)
		*at = dial->next;
	pthread_mutex_unlock(&lock);
}

void hg_vhost_dial_close(struct hg_vhost_dial *dial)
{
	take_back(dial);
}

void hg_vhost_dial_explain(const struct hg_vhost_dial *dial, char *ret_reason)
{
	enum hg_guest_refusal lack = (enum hg_guest_refusal)atomic_load(&dial->lack);
	struct hg_text text;

	if (lack != HG_N_GUEST_REFUSALS) {
		hg_vhost_room_explain(lack, dial->cfg.path, ret_reason, HG_REASON_BYTES);
		return;
	}
	hg_text_init(&text, ret_reason, HG_REASON_BYTES);
	hg_text_add(&text, "waiting for the guest at ");
	hg_text_add(&text, dial->cfg.path);
	hg_text_add(&text, hg_vhost_why_nobody(dial->cfg.path));
}

int hg_vhost_dial_connected(struct hg_vhost_dial *dial)
{
	int fd = dial->cfg.want_listen ? hg_vhost_hold_accepted(dial->cfg.path) : dial->fd;

	dial->fd = -1;
	if (fd < 0)
		return -1;
	hg_vhost_hurry(fd);
	atomic_store(&dial->is_connected, true);
	return fd;
}

void hg_vhost_dial_disconnected(struct hg_vhost_dial *dial)
{
	atomic_store(&dial->is_connected, false);
	if (!dial->cfg.want_listen)
		wake();
}

void hg_vhost_dial_settle(void)
{
	pthread_mutex_lock(&connecting);
	pthread_mutex_unlock(&connecting);
}
