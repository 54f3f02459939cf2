#include "drivers/vhost_link.h"

#include "core/text.h"
#include "drivers/guest_loss.h"
#include "drivers/netns.h"
#include "drivers/vhost_blank.h"
#include "drivers/vhost_features.h"
#include "drivers/vnet.h"
#include "drivers/vring_place.h"

#include <rte_log.h>
#include <rte_vhost.h>

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How long is waited before it is gone on with a guest that connects too often, so that this costs little processor and
 * the other guests still get their turns. */
#define CALM_DOWN_NS (2 * HG_NS_PER_MS)

/* All links, and who has which of the library's numbers. */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hg_vhost_link *list;
static struct hg_vhost_link *by_vid[RTE_MAX_VHOST_DEVICE];
/* Whether a guest took memory away; here, since a late fault must not hit a link that is gone. */
static atomic_bool is_lost[RTE_MAX_VHOST_DEVICE];

/* The link of a number, locked; NULL if it has none. */
static struct hg_vhost_link *lock_link(int vid, bool is_last)
{
	struct hg_vhost_link *link;

	pthread_mutex_lock(&list_lock);
	link = by_vid[vid];
	if (is_last)
		by_vid[vid] = NULL;
	if (link != NULL)
		pthread_mutex_lock(&link->lock);
	pthread_mutex_unlock(&list_lock);
	return link;
}

static void unlock_link(struct hg_vhost_link *link)
{
	pthread_mutex_unlock(&link->lock);
}

static hg_ns now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (hg_ns)t.tv_sec * HG_NS_PER_S + t.tv_nsec;
}

/* ---- the door ----------------------------------------------------------------------------------- */

/* The worker looks at the port once, whatever it finds. */
static void tell_worker(struct hg_vhost_link *link)
{
	uint64_t one = 1;

	if (write(link->change_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it was told */
}

/* Sets the reason; what is too long for it is cut. */
static void say(struct hg_vhost_link *link, const char *a, const char *b, const char *c)
{
	struct hg_text text;

	hg_text_init(&text, link->reason, sizeof(link->reason));
	hg_text_add(&text, a);
	hg_text_add(&text, b);
	hg_text_add(&text, c);
}

/* What is said now outlives it. */
static void remember(struct hg_vhost_link *link)
{
	memcpy(link->last_reason, link->reason, sizeof(link->last_reason));
	link->last_reason_at_ns = now_ns();
}

/* The worker only leaves a number: it is told here, once, before another guest or the same begins anew. */
static uint8_t note_fault(struct hg_vhost_link *link)
{
	uint8_t fault = atomic_load_explicit(&link->fault, memory_order_relaxed);

	if (link->vid >= 0 && atomic_load(&is_lost[link->vid]))
		fault = HG_VRING_TAKEN;
	if (fault != HG_VRING_NONE && fault != link->noted_fault) {
		snprintf(link->last_reason, sizeof(link->last_reason), "%s",
			 hg_vring_fault_text((enum hg_vring_fault)fault));
		link->last_reason_at_ns = now_ns();
	}
	link->noted_fault = fault;
	return fault;
}

static void forget_memory(struct hg_vhost_link *link)
{
	for (uint32_t i = 0; i < link->n_watched; i++)
		hg_guest_loss_forget(link->watched[i]);
	link->n_watched = 0;
}

/* Makes every thread of the process have a fence; some microseconds. Returns whether the kernel does that. */
static bool fence_all(bool is_first)
{
	int command = is_first ? MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
			       : MEMBARRIER_CMD_PRIVATE_EXPEDITED;

	return syscall(SYS_membarrier, command, 0, 0) == 0;
}

static void close_door(struct hg_vhost_link *link)
{
	if (!atomic_load_explicit(&link->is_open, memory_order_relaxed))
		return;
	atomic_store_explicit(&link->is_open, false, memory_order_seq_cst);
	/* Who was registered is not refused. */
	while (link->has_far_fence && !fence_all(/* is_first= */ false))
		sched_yield();
	while (atomic_load_explicit(&link->is_inside, memory_order_seq_cst))
		sched_yield();
	(void)note_fault(link);
	forget_memory(link);
	for (uint32_t i = 0; i < 2u * link->n_pairs; i++) {
		struct hg_vhost_ring *ring = &link->rings[i];

		if (!ring->is_used)
			continue;
		ring->is_used = false;
		hg_vhost_ring_hurry(ring);
		/* The guest has the other end of this descriptor, so it would stay on the list. */
		if (ring->kick_fd >= 0)
			(void)epoll_ctl(link->epoll_fd, EPOLL_CTL_DEL, ring->kick_fd, NULL);
		/* Whoever asks the library where the ring stands is told. */
		(void)rte_vhost_set_vring_base(link->vid, (uint16_t)i,
					       hg_vring_avail_at(&ring->vring),
					       hg_vring_used_at(&ring->vring));
	}
}

/* A card is one with a ring of each direction, be others of its rings ready or not, and stays so while its guest changes
 * some of them in a message. */
static void note_arrival(struct hg_vhost_link *link, bool is_ready)
{
	bool was_ready = atomic_load_explicit(&link->arrival, memory_order_relaxed) != 0;

	if (is_ready && !was_ready && ++link->last_arrival == 0)
		link->last_arrival = 1;
	atomic_store_explicit(&link->arrival, is_ready ? link->last_arrival : 0,
			      memory_order_release);
}

/* ---- what the guest offers ---------------------------------------------------------------------- */

static bool watch_memory(struct hg_vhost_link *link, const struct rte_vhost_mem_region *region)
{
	int handle = hg_guest_loss_watch(region->mmap_addr, region->mmap_size, &is_lost[link->vid]);

	if (handle >= 0)
		link->watched[link->n_watched++] = handle;
	return handle >= 0;
}

static bool take_memory(struct hg_vhost_link *link)
{
	struct rte_vhost_memory *memory;
	bool is_watched = true;

	if (rte_vhost_get_mem_table(link->vid, &memory) < 0)
		return false;
	link->memory.n = 0;
	for (uint32_t i = 0; i < memory->nregions && i < HG_VHOST_REGIONS_MAX; i++) {
		const struct rte_vhost_mem_region *r = &memory->regions[i];

		link->memory.regions[link->memory.n++] = (struct hg_guest_region){
			.addr = r->guest_phys_addr,
			.n_bytes = r->size,
			.host = (uint8_t *)(uintptr_t)r->host_user_addr,
		};
		is_watched = watch_memory(link, r) && is_watched;
	}
	free(memory);
	return is_watched;
}

static bool take_ring(struct hg_vhost_link *link, uint16_t idx, uint64_t features,
		      struct hg_error *reterr)
{
	struct hg_vhost_ring *ring = &link->rings[idx];
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	struct rte_vhost_vring v;
	bool is_packed = (features & HG_VHOST_BIT(VIRTIO_F_RING_PACKED)) != 0;
	bool has_long_header = is_packed || (features & (HG_VHOST_BIT(VIRTIO_NET_F_MRG_RXBUF) |
							 HG_VHOST_BIT(VIRTIO_F_VERSION_1))) != 0;
	struct hg_vring_cfg cfg = {
		.is_packed = is_packed,
		.has_event_idx = (features & HG_VHOST_BIT(VIRTIO_RING_F_EVENT_IDX)) != 0,
		.has_indirect = (features & HG_VHOST_BIT(VIRTIO_RING_F_INDIRECT_DESC)) != 0,
		.may_merge = (features & HG_VHOST_BIT(VIRTIO_NET_F_MRG_RXBUF)) != 0,
		.knows_csum = (features & HG_VHOST_BIT(VIRTIO_NET_F_GUEST_CSUM)) != 0,
		.header_bytes = has_long_header ? HG_VNET_BYTES : sizeof(struct virtio_net_hdr),
		.memory = &link->memory,
	};

	if (rte_vhost_get_vhost_vring(link->vid, idx, &v) < 0 ||
	    rte_vhost_get_vring_base(link->vid, idx, &cfg.avail_at, &cfg.used_at) < 0)
		return false;
	cfg.descs = v.desc;
	cfg.avail = v.avail;
	cfg.used = v.used;
	cfg.n = v.size;
	if (hg_vring_begin(&ring->vring, &cfg, reterr) < 0)
		return false;
	if (is_packed && !ring->was_used)
		hg_vring_find_place(&ring->vring);
	ring->call_fd = v.callfd >= 0 && hg_vhost_is_event(v.callfd) ? v.callfd : -1;
	ring->kick_fd = -1;
	if (v.kickfd >= 0 && idx % 2 == 1 &&
	    epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, v.kickfd, &event) == 0)
		ring->kick_fd = v.kickfd;
	if (idx % 2 == 1 && ring->kick_fd < 0)
		link->has_to_poll = true;
	ring->is_used = ring->was_used = true;
	/* What the guest was to be told when somebody before us ended, it may still wait for. */
	hg_vhost_ring_call(ring);
	return true;
}

/* A queue that the guest gave up is received from on, as long as it is started: its driver waits for what it made available
 * before, and Linux's TCP sends nothing of it again meanwhile. Nothing is sent to such a one. */
static bool is_there(const struct hg_vhost_link *link, uint32_t idx)
{
	return link->rings[idx].is_ready ||
	       (idx % 2 == 1 && link->rings[idx].is_given_up && link->rules.rings[idx].is_started);
}

/* Takes all rings that are there; returns whether they make a card: some that the guest uses, in each direction. */
static bool take_rings(struct hg_vhost_link *link, uint64_t features, struct hg_error *reterr)
{
	bool has[2] = {false, false};

	for (uint16_t i = 0; i < 2u * link->n_pairs; i++) {
		bool is_ready = link->rings[i].is_ready;

		if (!is_there(link, i) || !take_ring(link, i, features, is_ready ? reterr : NULL))
			continue;
		if (i % 2 == 0)
			link->tx_rings[link->n_tx++] = i;
		else
			link->rx_rings[link->n_rx++] = i;
		has[i % 2] |= is_ready;
	}
	return has[0] && has[1];
}

static void open_door(struct hg_vhost_link *link)
{
	uint64_t features = 0;
	struct hg_error err = {0};
	bool has_ready = false, is_card;

	link->n_rx = link->n_tx = 0;
	link->has_to_poll = false;
	for (uint32_t i = 0; i < 2u * link->n_pairs; i++)
		has_ready |= is_there(link, i);
	if (!has_ready || !link->has_memory ||
	    rte_vhost_get_negotiated_features(link->vid, &features) < 0)
		return;
	if (!take_memory(link)) {
		forget_memory(link);
		return;
	}
	link->is_lost = &is_lost[link->vid];
	link->has_shown = false;
	is_card = take_rings(link, features, &err);
	if (err.text[0] != '\0')
		say(link, err.text, "", "");
	link->caps = hg_vhost_caps(features);
	link->mtu = link->guest_mtu != 0 && link->guest_mtu < link->wanted_mtu ? link->guest_mtu
									       : link->wanted_mtu;
	link->generation++;
	atomic_store_explicit(&link->fault, HG_VRING_NONE, memory_order_relaxed);
	link->noted_fault = HG_VRING_NONE;
	if (is_card) {
		link->reason[0] = '\0';
		link->offence = NULL;
	}
	note_arrival(link, is_card);
	atomic_store_explicit(&link->is_open, true, memory_order_seq_cst);
	tell_worker(link);
}

static void say_not_ready(struct hg_vhost_link *link)
{
	if (link->offence != NULL)
		say(link, "sent the guest away, which ", link->offence, "");
	else if (link->vid < 0)
		say(link, "waiting for the guest at ", link->path, "");
	else
		say(link, "the guest at ", link->path, " has not set up its rings");
}

static void look_again(struct hg_vhost_link *link)
{
	if (link->is_closing)
		return;
	close_door(link);
	say_not_ready(link);
	/* In the middle of a message the library's own is half changed; it is looked at behind it. */
	if (link->is_in_message)
		return;
	if (link->vid >= 0)
		open_door(link);
	if (!atomic_load_explicit(&link->is_open, memory_order_relaxed))
		note_arrival(link, false);
}

/* ---- the library's calls ------------------------------------------------------------------------ */

/* Whether the message changes nothing that the worker uses. */
static bool is_harmless(uint32_t request)
{
	switch (request) {
	case HG_VHOST_GET_FEATURES:
	case HG_VHOST_SET_OWNER:
	case HG_VHOST_SET_VRING_ERR:
	case HG_VHOST_GET_PROTOCOL_FEATURES:
	case HG_VHOST_SET_PROTOCOL_FEATURES:
	case HG_VHOST_GET_QUEUE_NUM:
	case HG_VHOST_NET_SET_MTU:
		return true;
	default:
		return false;
	}
}

/* What comes when no descriptor is left lacks its own, which is not the guest's doing. */
static const char *judge_fairly(struct hg_vhost_link *link, const char *why)
{
	bool is_its_own = hg_vhost_room_has_fds();

	link->n_refused[is_its_own ? HG_GUEST_REFUSAL_RULES : HG_GUEST_REFUSAL_NO_DESCRIPTOR]++;
	return is_its_own ? why : "came when too few descriptors were left (RLIMIT_NOFILE)";
}

/* Answers that the guest broke the rules, upon which the library ends the connection. */
static enum rte_vhost_msg_result refuse(struct hg_vhost_link *link,
					struct hg_vhost_message *message, const char *why)
{
	message->flags &= ~HG_VHOST_NEEDS_REPLY;
	hg_vhost_message_drop(message);
	if (link == NULL)
		return RTE_VHOST_MSG_RESULT_ERR;
	close_door(link);
	link->offence = why != NULL ? judge_fairly(link, why) : NULL;
	say_not_ready(link);
	remember(link);
	return RTE_VHOST_MSG_RESULT_ERR;
}

static enum rte_vhost_msg_result prepare(struct hg_vhost_link *link,
					 struct hg_vhost_message *message)
{
	const char *why = hg_vhost_rules_judge(&link->rules, message, now_ns());

	if (why != NULL)
		return refuse(link, message, why);
	if (message->request == HG_VHOST_GET_QUEUE_NUM) {
		message->number = link->n_pairs;
		message->n_bytes = sizeof(message->number);
		return RTE_VHOST_MSG_RESULT_REPLY;
	}
	if (message->request == HG_VHOST_NET_SET_MTU)
		link->guest_mtu = (uint32_t)message->number;
	if (message->request == HG_VHOST_SET_VRING_ENABLE && message->ring.num == 0) {
		struct hg_vhost_ring *ring = &link->rings[message->ring.index];

		ring->is_given_up = ring->was_used;
		ring->is_ready = false;
	}
	/* Until it is done the library has none. */
	if (message->request == HG_VHOST_SET_MEM_TABLE)
		link->has_memory = false;
	if (!is_harmless(message->request)) {
		link->is_in_message = true;
		close_door(link);
		say(link, "the guest changes its rings", "", "");
	}
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result before_message(int vid, void *bytes)
{
	struct hg_vhost_link *link = lock_link(vid, /* is_last= */ false);
	enum rte_vhost_msg_result result;

	if (link == NULL)
		return refuse(NULL, bytes, NULL);
	hg_guest_loss_expect(&is_lost[vid]);
	/* Nobody is responsible any more for a guest whose port is closed. */
	result = link->is_closing ? refuse(NULL, bytes, NULL) : prepare(link, bytes);
	unlock_link(link);
	return result;
}

static enum rte_vhost_msg_result after_message(int vid, void *bytes)
{
	const struct hg_vhost_message *message = bytes;
	struct hg_vhost_link *link = lock_link(vid, /* is_last= */ false);

	if (link == NULL)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	if (message->request == HG_VHOST_SET_MEM_TABLE)
		link->has_memory = true;
	link->is_in_message = false;
	if (!is_harmless(message->request) || message->request == HG_VHOST_NET_SET_MTU)
		look_again(link);
	unlock_link(link);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/* Whether there is room for a guest that connects to us; the library has found a seat for it. */
static bool has_room(struct hg_vhost_link *link)
{
	if (link->vid >= 0) {
		link->n_refused[HG_GUEST_REFUSAL_SECOND]++;
		return false;
	}
	if (!link->is_listening || hg_vhost_room_has_fds())
		return true;
	link->n_refused[HG_GUEST_REFUSAL_NO_DESCRIPTOR]++;
	hg_vhost_room_explain(HG_GUEST_REFUSAL_NO_DESCRIPTOR, link->path, link->last_reason,
			      sizeof(link->last_reason));
	link->last_reason_at_ns = now_ns();
	return false;
}

/* One guest at a time, and none that could not be hung up on. */
static bool accept_guest(struct hg_vhost_link *link, int vid)
{
	if (link->is_closing || !has_room(link))
		return false;
	link->fd = hg_vhost_dial_connected(&link->dial);
	if (link->fd < 0)
		return false;
	by_vid[vid] = link;
	link->vid = vid;
	link->has_memory = link->is_in_message = false;
	link->guest_mtu = 0;
	atomic_store(&is_lost[vid], false);
	for (uint32_t i = 0; i < 2u * link->n_pairs; i++)
		link->rings[i].is_ready = link->rings[i].was_used = link->rings[i].is_given_up =
			false;
	return true;
}

static int connected(int vid)
{
	static const struct rte_vhost_user_extern_ops messages = {before_message, after_message};
	const struct timespec calm_down = {.tv_nsec = CALM_DOWN_NS};
	char path[HG_VHOST_PATH_BYTES];
	struct hg_vhost_link *link;
	bool is_accepted = false, is_too_often = false;

	if (rte_vhost_get_ifname(vid, path, sizeof(path)) < 0 ||
	    rte_vhost_extern_callback_register(vid, &messages, NULL) < 0)
		return -1;
	pthread_mutex_lock(&list_lock);
	for (link = list; link != NULL && strcmp(link->path, path) != 0;)
		link = link->next;
	if (link != NULL) {
		pthread_mutex_lock(&link->lock);
		is_accepted = accept_guest(link, vid);
		if (is_accepted) {
			is_too_often = hg_vhost_rules_connect(&link->rules, now_ns()) != NULL;
			look_again(link);
		}
		pthread_mutex_unlock(&link->lock);
	}
	pthread_mutex_unlock(&list_lock);
	if (is_too_often)
		(void)nanosleep(&calm_down, NULL);
	return is_accepted ? 0 : -1;
}

/* Of a guest whose port is closed nothing is told but that it has left. */
static void tell_of_end(struct hg_vhost_link *link)
{
	if (link->is_closing)
		return;
	close_door(link);
	if (link->offence == NULL && link->noted_fault == HG_VRING_NONE) {
		say(link, "the guest at ", link->path, " went away");
		remember(link);
	}
}

/* The last that touches a link which is closing does so before it lets go of the lock. */
static void disconnected(int vid)
{
	struct hg_vhost_link *link;

	hg_vhost_dial_settle();
	link = lock_link(vid, /* is_last= */ true);
	if (link == NULL)
		return;
	tell_of_end(link);
	hg_vhost_hang_up(link->fd);
	link->vid = link->fd = -1;
	if (!link->is_closing) {
		note_arrival(link, false);
		say_not_ready(link);
	}
	hg_vhost_dial_disconnected(&link->dial);
	pthread_cond_broadcast(&link->has_left);
	unlock_link(link);
}

static int ring_changed(int vid, uint16_t idx, int is_enabled)
{
	struct hg_vhost_link *link = lock_link(vid, /* is_last= */ false);

	if (link == NULL)
		return 0;
	if (idx < 2u * link->n_pairs) {
		link->rings[idx].is_ready = is_enabled != 0;
		look_again(link);
	}
	unlock_link(link);
	return 0;
}

static int device_is_ready(int vid)
{
	(void)vid; /* each ring said so itself */
	return 0;
}

static void device_stops(int vid)
{
	struct hg_vhost_link *link = lock_link(vid, /* is_last= */ false);

	if (link == NULL)
		return;
	if (!link->is_closing) {
		close_door(link);
		say(link, "the guest stops its rings", "", "");
	}
	unlock_link(link);
}

/* ---- life --------------------------------------------------------------------------------------- */

static const struct rte_vhost_device_ops calls = {
	.new_device = device_is_ready,
	.destroy_device = device_stops,
	.vring_state_changed = ring_changed,
	.new_connection = connected,
	.destroy_connection = disconnected,
};

static int open_descriptors(struct hg_vhost_link *link, struct hg_error *reterr)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	link->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	link->change_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (link->epoll_fd < 0 || link->change_fd < 0 ||
	    epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, link->change_fd, &event) < 0)
		return hg_errno_refuse(reterr, errno, "no descriptors for", link->path);
	return 0;
}

static bool have_one_socket(const struct hg_vhost_link *a, const struct hg_vhost_link *b)
{
	return strcmp(a->path, b->path) == 0 || hg_vhost_place_is_same(&a->place, &b->place);
}

static int enlist(struct hg_vhost_link *link, struct hg_error *reterr)
{
	struct hg_vhost_link *other;
	int r = 0;

	pthread_mutex_lock(&list_lock);
	for (other = list; other != NULL && !have_one_socket(other, link);)
		other = other->next;
	if (other == NULL) {
		link->next = list;
		list = link;
	} else {
		r = hg_error_set(reterr, -HG_EBUSY, "the socket ", link->path, " belongs to ",
				 other->port[0] != '\0' ? "port " : "another port", other->port,
				 NULL);
	}
	pthread_mutex_unlock(&list_lock);
	return r;
}

/* No guest is looked for, accepted or listened to any more, and the worker finds nothing behind the door. */
static void shut(struct hg_vhost_link *link)
{
	pthread_mutex_lock(&link->lock);
	link->is_closing = true;
	close_door(link);
	note_arrival(link, false);
	say(link, "the port is closed", "", "");
	pthread_mutex_unlock(&link->lock);
	hg_vhost_dial_stop(&link->dial);
}

static void delist(struct hg_vhost_link *link)
{
	struct hg_vhost_link **at = &list;

	pthread_mutex_lock(&list_lock);
	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	pthread_mutex_unlock(&list_lock);
}

static void destroy(struct hg_vhost_link *link)
{
	if (link->epoll_fd >= 0)
		close(link->epoll_fd);
	if (link->change_fd >= 0)
		close(link->change_fd);
	pthread_cond_destroy(&link->has_left);
	pthread_mutex_destroy(&link->lock);
	free(link);
}

static int open_socket(struct hg_vhost_link *link, struct hg_error *reterr)
{
	const struct hg_vhost_dial_cfg cfg = {
		.path = link->path,
		.calls = &calls,
		.features = HG_VHOST_FEATURES,
		.protocol_features = HG_VHOST_PROTOCOL_FEATURES,
		.want_listen = link->is_listening,
	};
	int r = link->is_listening ? hg_vhost_prepare_listen(link->path, reterr)
				   : hg_vhost_prepare_directory(link->path, reterr);

	return r < 0 ? r : hg_vhost_dial_open(&link->dial, &cfg, reterr);
}

static struct hg_vhost_link *make(const struct hg_vhost_link_cfg *cfg)
{
	size_t n = sizeof(struct hg_vhost_link) + 2u * cfg->n_pairs * sizeof(struct hg_vhost_ring);
	struct hg_vhost_limits limits;
	struct hg_vhost_link *link;

	n = (n + HG_CACHE_LINE_BYTES - 1u) & ~(size_t)(HG_CACHE_LINE_BYTES - 1u);
	link = aligned_alloc(HG_CACHE_LINE_BYTES, n);
	if (link == NULL)
		return NULL;
	memset(link, 0, n);
	pthread_mutex_init(&link->lock, NULL);
	pthread_cond_init(&link->has_left, NULL);
	link->vid = link->fd = link->epoll_fd = link->change_fd = -1;
	link->n_pairs = cfg->n_pairs;
	link->is_listening = cfg->want_listen;
	link->wanted_mtu = cfg->mtu;
	link->has_far_fence = fence_all(/* is_first= */ true);
	snprintf(link->path, sizeof(link->path), "%s", cfg->path);
	snprintf(link->port, sizeof(link->port), "%s", cfg->port != NULL ? cfg->port : "");
	hg_vhost_place_of(link->path, &link->place);
	limits = hg_vhost_room_of_guest(cfg->n_pairs);
	hg_vhost_rules_init(&link->rules, &limits, now_ns());
	say_not_ready(link);
	return link;
}

int hg_vhost_link_open(const struct hg_vhost_link_cfg *cfg, struct hg_vhost_link **ret_link,
		       struct hg_error *reterr)
{
	struct hg_vhost_link *link = make(cfg);
	int r;

	if (link == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for a vhost port", NULL);
	hg_guest_loss_init();
	/* It writes lines about all that a guest does, and a guest may do much; what matters is in our reasons. */
	(void)rte_log_set_level_pattern("lib.vhost.*", RTE_LOG_CRIT);
	r = enlist(link, reterr);
	if (r < 0) {
		destroy(link);
		return r;
	}
	r = open_descriptors(link, reterr);
	if (r == 0)
		r = open_socket(link, reterr);
	if (r < 0) {
		delist(link);
		destroy(link);
		return r;
	}
	*ret_link = link;
	return 0;
}

int hg_vhost_link_start(struct hg_vhost_link *link, struct hg_error *reterr)
{
	return hg_vhost_dial_start(&link->dial, reterr);
}

void hg_vhost_link_stop(struct hg_vhost_link *link)
{
	shut(link);
}

/* The library's thread ends the connection, as if the guest had left. */
static void send_away(struct hg_vhost_link *link)
{
	pthread_mutex_lock(&link->lock);
	if (link->fd >= 0)
		(void)shutdown(link->fd, SHUT_RDWR);
	while (link->vid >= 0)
		pthread_cond_wait(&link->has_left, &link->lock);
	pthread_mutex_unlock(&link->lock);
}

/* Each step waits for threads that are in our calls, so without our locks. */
void hg_vhost_link_close(struct hg_vhost_link *link)
{
	if (link == NULL)
		return;
	shut(link);
	send_away(link);
	hg_vhost_dial_close(&link->dial);
	delist(link);
	destroy(link);
}

void hg_vhost_link_set_mtu(struct hg_vhost_link *link, uint32_t mtu)
{
	pthread_mutex_lock(&link->lock);
	link->wanted_mtu = mtu;
	look_again(link);
	pthread_mutex_unlock(&link->lock);
}

static bool is_waiting(const struct hg_vhost_link *link)
{
	return link->vid < 0 && !link->is_listening && !link->is_closing &&
	       (link->offence == NULL || atomic_load(&link->dial.lack) != HG_N_GUEST_REFUSALS);
}

static void count_refused(const struct hg_vhost_link *link, uint64_t ret_n[HG_N_GUEST_REFUSALS])
{
	memcpy(ret_n, link->n_refused, sizeof(link->n_refused));
	for (unsigned i = 0; i < HG_N_GUEST_REFUSALS; i++)
		ret_n[i] += atomic_load(&link->dial.n_lacks[i]);
}

void hg_vhost_link_sample(struct hg_vhost_link *link, struct hg_dev_state *ret_state)
{
	uint8_t fault;

	pthread_mutex_lock(&link->lock);
	fault = note_fault(link);
	*ret_state = (struct hg_dev_state){
		.link = link->reason[0] == '\0' && fault == HG_VRING_NONE ? HG_DEV_UP : HG_DEV_DOWN,
		.caps = link->caps,
		.mtu = link->mtu != 0 ? link->mtu : link->wanted_mtu,
	};
	memcpy(ret_state->reason, link->reason, sizeof(ret_state->reason));
	if (is_waiting(link))
		hg_vhost_dial_explain(&link->dial, ret_state->reason);
	memcpy(ret_state->last_reason, link->last_reason, sizeof(ret_state->last_reason));
	ret_state->last_reason_at_ns = link->last_reason_at_ns;
	count_refused(link, ret_state->n_refused);
	if (fault != HG_VRING_NONE)
		snprintf(ret_state->reason, sizeof(ret_state->reason), "%s",
			 hg_vring_fault_text((enum hg_vring_fault)fault));
	hg_vhost_blank_note(link, ret_state);
	pthread_mutex_unlock(&link->lock);
}
