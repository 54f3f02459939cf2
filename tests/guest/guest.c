#include "tests/guest/inside.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

void guest_break(struct guest *guest, const char *why, ...)
{
	va_list args;

	guest->state = GUEST_BROKEN;
	if (guest->why[0] != '\0')
		return; /* the first is the cause */
	va_start(args, why);
	vsnprintf(guest->why, sizeof(guest->why), why, args);
	va_end(args);
}

/* ---- open and close ---------------------------------------------------------------------------------- */

#define GUEST_LEAD_MAX_BYTES 4096u

static int check(struct guest_cfg *cfg)
{
	if (cfg->features == 0)
		cfg->features = GUEST_FEATURES;
	if (cfg->n_pairs == 0)
		cfg->n_pairs = 1;
	if (cfg->ring_size == 0)
		cfg->ring_size = 256;
	if (cfg->rx_buffer_bytes == 0)
		cfg->rx_buffer_bytes = 2048;
	if (cfg->tx_piece_bytes == 0)
		cfg->tx_piece_bytes = 2048;
	if (cfg->path == NULL || cfg->n_pairs > GUEST_MAX_PAIRS || cfg->ring_size < 2 ||
	    cfg->ring_size > 32768 || (cfg->ring_size & (cfg->ring_size - 1)) != 0 ||
	    cfg->rx_buffer_bytes <= GUEST_HEADER_BYTES || cfg->rx_lead_bytes > GUEST_LEAD_MAX_BYTES)
		return -EINVAL;
	return strlen(cfg->path) < sizeof(((struct sockaddr_un *)0)->sun_path) ? 0 : -ENAMETOOLONG;
}

static bool is_listened_to(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool is =
		fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
			    errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return is;
}

static int listen_at(struct guest *guest)
{
	const struct sockaddr *address = (const struct sockaddr *)&guest->address;

	if (is_listened_to(&guest->address))
		return -EADDRINUSE;
	unlink(guest->address.sun_path);
	guest->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (guest->listen_fd < 0 || bind(guest->listen_fd, address, sizeof(guest->address)) < 0 ||
	    listen(guest->listen_fd, 1) < 0)
		return -errno;
	return 0;
}

static int make_queue(struct guest *guest, unsigned i)
{
	struct guest_queue *queue = &guest->queues[i];
	uint16_t size = guest->cfg.ring_size;
	size_t slot_bytes = i % 2u == 0 ? guest->rx_slot_bytes : guest->tx_slot_bytes;

	queue->arrays = calloc(2u * (size_t)size, sizeof(*queue->arrays));
	queue->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	queue->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->arrays == NULL)
		return -ENOMEM;
	if (queue->kick_fd < 0 || queue->call_fd < 0)
		return -errno;
	guest_ring_init(&queue->ring, &guest->memory, size, queue->arrays);
	queue->slots = guest_memory_take(&guest->memory, slot_bytes * size, 4096);
	return 0;
}

/* Slots are an odd number of lines apart, so that equal places in them do not share cache sets. */
static int make_memory(struct guest *guest)
{
	const struct guest_cfg *cfg = &guest->cfg;
	uint32_t whole = (GUEST_FRAME_MAX_BYTES + GUEST_HEADER_BYTES + 63u) / 128u * 128u + 64u;
	size_t pair_bytes;

	guest->tx_slot_bytes = whole;
	guest->rx_slot_bytes = whole;
	if ((cfg->features & GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF)) != 0 &&
	    cfg->rx_buffer_bytes > whole)
		guest->rx_slot_bytes = cfg->rx_buffer_bytes;
	guest->rx_slot_bytes += (cfg->rx_lead_bytes + 127u) / 128u * 128u;
	pair_bytes = 2u * guest_ring_bytes(cfg->ring_size) + 3u * 4096u +
		     (size_t)cfg->ring_size * (guest->rx_slot_bytes + guest->tx_slot_bytes);
	return guest_memory_create(&guest->memory, cfg->n_pairs * pair_bytes, GUEST_GPA);
}

int guest_open(const struct guest_cfg *cfg, struct guest **ret_guest)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	int result;

	if (guest == NULL)
		return -ENOMEM;
	guest->cfg = *cfg;
	guest->fd = guest->listen_fd = guest->memory.fd = -1;
	for (unsigned i = 0; i < GUEST_MAX_RINGS; i++)
		guest->queues[i].kick_fd = guest->queues[i].call_fd = -1;
	result = check(&guest->cfg);
	if (result == 0) {
		guest->wants_calls = !cfg->wants_no_calls;
		guest->address.sun_family = AF_UNIX;
		strcpy(guest->address.sun_path, cfg->path);
		guest->cfg.path = guest->address.sun_path;
		result = make_memory(guest);
	}
	for (unsigned i = 0; i < 2u * guest->cfg.n_pairs && result == 0; i++)
		result = make_queue(guest, i);
	if (result == 0)
		result = listen_at(guest);
	if (result < 0)
		guest_close(guest);
	else
		*ret_guest = guest;
	return result;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void guest_close(struct guest *guest)
{
	if (guest == NULL)
		return;
	if (guest->listen_fd >= 0)
		unlink(guest->address.sun_path);
	close_fd(guest->listen_fd);
	close_fd(guest->fd);
	for (unsigned i = 0; i < GUEST_MAX_RINGS; i++) {
		close_fd(guest->queues[i].kick_fd);
		close_fd(guest->queues[i].call_fd);
		free(guest->queues[i].arrays);
	}
	if (guest->memory.fd >= 0)
		guest_memory_destroy(&guest->memory);
	free(guest);
}

/* ---- the connection ---------------------------------------------------------------------------------- */

void guest_disconnect(struct guest *guest)
{
	close_fd(guest->fd);
	guest->fd = -1;
	if (guest->state != GUEST_BROKEN)
		guest->state = GUEST_WAITING;
}

enum guest_state guest_serve(struct guest *guest)
{
	if (guest->fd < 0 && guest->state == GUEST_WAITING) {
		guest->fd = accept4(guest->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (guest->fd < 0)
			return guest->state;
		guest->counts.n_connected++;
		guest_control_begin(guest);
	}
	if (guest->fd >= 0 && guest->state != GUEST_BROKEN && guest_control_advance(guest) < 0)
		guest_disconnect(guest);
	return guest->state;
}

static void clear_calls(struct guest *guest, int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
		guest->counts.calls += n;
}

bool guest_wait(struct guest *guest, int timeout_ms)
{
	struct pollfd fds[1 + GUEST_MAX_PAIRS] = {{.fd = guest_fd(guest), .events = POLLIN}};
	unsigned n = guest->has_features ? guest->n_pairs : 0;
	bool is_there = false;

	for (unsigned i = 0; i < n; i++) {
		struct guest_ring *ring = &guest->queues[2u * i].ring;

		fds[1 + i] = (struct pollfd){.fd = guest->queues[2u * i].call_fd, .events = POLLIN};
		guest_ring_want_calls(ring, true);
		is_there |= guest_ring_has_used(ring);
	}
	if (poll(fds, 1u + n, is_there ? 0 : timeout_ms) > 0)
		is_there = true;
	for (unsigned i = 0; i < n; i++) {
		if (fds[1 + i].revents != 0)
			clear_calls(guest, fds[1 + i].fd);
		guest_ring_want_calls(&guest->queues[2u * i].ring, guest->wants_calls);
	}
	return is_there;
}

void guest_stop(struct guest *guest)
{
	for (unsigned i = 0; i < 2u * guest->n_pairs; i++)
		guest_control_add(guest, (struct guest_todo){.request = GUEST_GET_VRING_BASE,
							     .ring = (uint8_t)i});
	guest->target = GUEST_STOPPED;
}

void guest_resume(struct guest *guest)
{
	guest_control_start_rings(guest);
}

void guest_enable(struct guest *guest, unsigned pair, bool is_enabled)
{
	for (unsigned i = 2u * pair; i < 2u * pair + 2u; i++)
		guest_control_add(guest, (struct guest_todo){.request = GUEST_SET_VRING_ENABLE,
							     .ring = (uint8_t)i,
							     .number = is_enabled,
							     .wants_ack = true});
	/* A question at the end: its answer says that all before it has been done. */
	guest_control_add(guest, (struct guest_todo){.request = GUEST_GET_FEATURES});
}

/* ---- questions --------------------------------------------------------------------------------------- */

const char *guest_why(const struct guest *guest)
{
	return guest->why;
}

enum guest_state guest_state(const struct guest *guest)
{
	return guest->state;
}

uint64_t guest_features(const struct guest *guest)
{
	return guest->features;
}

uint64_t guest_offered(const struct guest *guest)
{
	return guest->offered;
}

unsigned guest_n_pairs(const struct guest *guest)
{
	return guest->n_pairs;
}

struct guest_counts guest_counts(const struct guest *guest)
{
	return guest->counts;
}

struct guest_ring *guest_ring(struct guest *guest, unsigned idx)
{
	return &guest->queues[idx].ring;
}

struct guest_memory *guest_memory(struct guest *guest)
{
	return &guest->memory;
}

int guest_connection(const struct guest *guest)
{
	return guest->fd;
}

int guest_fd(const struct guest *guest)
{
	return guest->fd >= 0 ? guest->fd : guest->listen_fd;
}

int guest_call_fd(const struct guest *guest, unsigned idx)
{
	return guest->queues[idx].call_fd;
}

int guest_kick_fd(const struct guest *guest, unsigned idx)
{
	return guest->queues[idx].kick_fd;
}
