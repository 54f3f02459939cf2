#include "tests/guest/inside.h"

#include <errno.h>
#include <string.h>

#define WANTED_PROTOCOL                                                       \
	(GUEST_BIT(GUEST_PROTOCOL_MQ) | GUEST_BIT(GUEST_PROTOCOL_REPLY_ACK) | \
	 GUEST_BIT(GUEST_PROTOCOL_MTU))

static bool speaks(const struct guest *guest, enum guest_protocol_feature feature)
{
	return (guest->protocol & GUEST_BIT(feature)) != 0;
}

void guest_control_add(struct guest *guest, struct guest_todo todo)
{
	if (guest->n_done == guest->n_todo)
		guest->n_done = guest->n_todo = 0;
	guest->todo[guest->n_todo++] = todo;
	guest->state = GUEST_TALKING;
}

static void add(struct guest *guest, enum guest_request request)
{
	guest_control_add(guest, (struct guest_todo){.request = (uint8_t)request});
}

static void add_acked(struct guest *guest, enum guest_request request, unsigned ring)
{
	guest_control_add(guest, (struct guest_todo){.request = (uint8_t)request,
						     .ring = (uint8_t)ring,
						     .number = 1,
						     .wants_ack = true});
}

void guest_control_begin(struct guest *guest)
{
	guest->n_todo = guest->n_done = 0;
	guest->awaited = 0;
	guest->offered = guest->protocol = 0;
	guest->target = GUEST_UP;
	for (unsigned i = 0; i < GUEST_MAX_RINGS; i++)
		guest->queues[i].has_base = false;
	add(guest, GUEST_GET_FEATURES);
}

void guest_control_start_rings(struct guest *guest)
{
	static const uint8_t ring_requests[] = {GUEST_SET_VRING_CALL, GUEST_SET_VRING_NUM,
						GUEST_SET_VRING_BASE, GUEST_SET_VRING_ADDR,
						GUEST_SET_VRING_KICK};

	guest->target = GUEST_UP;
	add(guest, GUEST_SET_FEATURES);
	add_acked(guest, GUEST_SET_MEM_TABLE, 0);
	for (unsigned i = 0; i < 2u * guest->n_pairs; i++) {
		for (unsigned k = 0; k < sizeof(ring_requests); k++)
			guest_control_add(guest, (struct guest_todo){.request = ring_requests[k],
								     .ring = (uint8_t)i});
	}
	for (unsigned i = 0; i < 2u * guest->n_pairs && guest_has(guest, GUEST_F_PROTOCOL); i++)
		add_acked(guest, GUEST_SET_VRING_ENABLE, i);
	/* A question at the end: its answer says that all before it has been done. */
	add(guest, GUEST_GET_FEATURES);
}

/* ---- requests ---------------------------------------------------------------------------------------- */

static void fill_memory(const struct guest *guest, struct guest_msg *msg)
{
	const struct guest_memory *memory = &guest->memory;

	msg->n_bytes = 8u + sizeof(msg->memory.regions[0]);
	msg->memory.n = 1;
	msg->memory.padding = 0;
	msg->memory.regions[0] = (struct guest_msg_region){.gpa = memory->gpa,
							   .n_bytes = memory->n_bytes,
							   .address = (uintptr_t)memory->bytes};
}

static void fill_address(struct guest_queue *queue, unsigned idx, struct guest_msg *msg)
{
	const struct guest_ring *ring = &queue->ring;

	msg->n_bytes = sizeof(msg->address);
	msg->address = (struct vhost_vring_addr){
		.index = idx,
		.desc_user_addr = (uintptr_t)ring->desc,
		.avail_user_addr =
			ring->is_packed ? (uintptr_t)ring->driver_event : (uintptr_t)ring->avail,
		.used_user_addr =
			ring->is_packed ? (uintptr_t)ring->device_event : (uintptr_t)ring->used};
}

static void fill_number(struct guest_msg *msg, uint64_t number)
{
	msg->n_bytes = sizeof(msg->number);
	msg->number = number;
}

static void fill_ring(struct guest_msg *msg, unsigned idx, uint32_t number)
{
	msg->n_bytes = sizeof(msg->ring);
	msg->ring = (struct vhost_vring_state){.index = idx, .num = number};
}

/* The payload; returns the descriptor that goes with it, or -1. */
static int fill(struct guest *guest, const struct guest_todo *todo, struct guest_msg *msg)
{
	struct guest_queue *queue = &guest->queues[todo->ring];

	switch (todo->request) {
	case GUEST_SET_FEATURES:
		fill_number(msg, guest->features);
		break;
	case GUEST_SET_PROTOCOL_FEATURES:
		fill_number(msg, guest->protocol);
		break;
	case GUEST_NET_SET_MTU:
		fill_number(msg, guest->cfg.mtu);
		break;
	case GUEST_SET_MEM_TABLE:
		fill_memory(guest, msg);
		return guest->memory.fd;
	case GUEST_SET_VRING_NUM:
		fill_ring(msg, todo->ring, queue->ring.size);
		break;
	case GUEST_SET_VRING_BASE:
		fill_ring(msg, todo->ring,
			  queue->has_base ? queue->base : guest_ring_base(&queue->ring));
		break;
	case GUEST_SET_VRING_ADDR:
		fill_address(queue, todo->ring, msg);
		break;
	case GUEST_SET_VRING_ENABLE:
		fill_ring(msg, todo->ring, todo->number);
		break;
	case GUEST_GET_VRING_BASE:
		fill_ring(msg, todo->ring, 0);
		break;
	case GUEST_SET_VRING_KICK:
		fill_number(msg, todo->ring);
		return queue->kick_fd;
	case GUEST_SET_VRING_CALL:
		fill_number(msg, todo->ring);
		return queue->call_fd;
	default: /* questions without a payload */
		break;
	}
	return -1;
}

static bool is_question(uint8_t request)
{
	return request == GUEST_GET_FEATURES || request == GUEST_GET_PROTOCOL_FEATURES ||
	       request == GUEST_GET_QUEUE_NUM || request == GUEST_GET_VRING_BASE;
}

static int send_next(struct guest *guest)
{
	const struct guest_todo *todo = &guest->todo[guest->n_done];
	struct guest_msg msg = {.request = todo->request, .flags = GUEST_MSG_VERSION};
	bool wants_ack = todo->wants_ack && speaks(guest, GUEST_PROTOCOL_REPLY_ACK);
	int fd = fill(guest, todo, &msg), result;

	if (wants_ack)
		msg.flags |= GUEST_MSG_WANTS_REPLY;
	result = guest_msg_send(guest->fd, &msg, &fd, fd >= 0 ? 1 : 0);
	if (result < 0)
		return result;
	guest->n_done++;
	if (wants_ack || is_question(todo->request))
		guest->awaited = todo->request;
	guest->is_ack_awaited = wants_ack;
	return 0;
}

/* ---- answers ----------------------------------------------------------------------------------------- */

/* Protocol and features are settled. */
static void start(struct guest *guest)
{
	if (!guest->has_features)
		guest_net_start(guest);
	guest->has_features = true;
	add(guest, GUEST_SET_OWNER);
	if (guest->cfg.mtu > 0 && speaks(guest, GUEST_PROTOCOL_MTU) &&
	    guest_has(guest, VIRTIO_NET_F_MTU))
		add_acked(guest, GUEST_NET_SET_MTU, 0);
	guest_control_start_rings(guest);
}

static void take_features(struct guest *guest, uint64_t offered)
{
	uint64_t lost = guest->features & ~offered;

	if (guest->offered != 0)
		return; /* the question at the end */
	guest->offered = offered;
	if (guest->has_features && lost != 0) {
		guest_break(guest, "the new back end lacks features 0x%llx that are in use",
			    (unsigned long long)lost);
		return;
	}
	if (!guest->has_features)
		guest->features = offered & (guest->cfg.features | GUEST_BIT(GUEST_F_PROTOCOL));
	if (guest_has(guest, GUEST_F_PROTOCOL)) {
		add(guest, GUEST_GET_PROTOCOL_FEATURES);
	} else {
		guest->n_pairs = 1;
		start(guest);
	}
}

static void take_n_queues(struct guest *guest, uint64_t n)
{
	if (n == 0 || (guest->has_features && n < guest->n_pairs))
		guest_break(guest, "the back end has %llu queue pairs", (unsigned long long)n);
	else if (!guest->has_features)
		guest->n_pairs = n < guest->cfg.n_pairs ? (unsigned)n : guest->cfg.n_pairs;
}

static void take_base(struct guest *guest, const struct vhost_vring_state *ring)
{
	struct guest_queue *queue = &guest->queues[guest->todo[guest->n_done - 1u].ring];

	if (ring->index != guest->todo[guest->n_done - 1u].ring) {
		guest_break(guest, "asked for the base of ring %u, got that of %u",
			    guest->todo[guest->n_done - 1u].ring, ring->index);
		return;
	}
	queue->base = ring->num;
	queue->has_base = true;
}

static void take(struct guest *guest, const struct guest_msg *msg)
{
	if (guest->awaited == 0 || msg->request != guest->awaited ||
	    (msg->flags & GUEST_MSG_IS_REPLY) == 0) {
		guest_break(guest, "answer %u while %u was awaited", msg->request, guest->awaited);
		return;
	}
	guest->awaited = 0;
	if (msg->n_bytes != (msg->request == GUEST_GET_VRING_BASE && !guest->is_ack_awaited
				     ? sizeof(msg->ring)
				     : sizeof(msg->number))) {
		guest_break(guest, "answer %u has %u bytes", msg->request, msg->n_bytes);
		return;
	}
	if (guest->is_ack_awaited) {
		if (msg->number != 0)
			guest_break(guest, "the back end refuses request %u", msg->request);
		return;
	}
	switch (msg->request) {
	case GUEST_GET_FEATURES:
		take_features(guest, msg->number);
		break;
	case GUEST_GET_PROTOCOL_FEATURES:
		guest->protocol = msg->number & WANTED_PROTOCOL;
		add(guest, GUEST_SET_PROTOCOL_FEATURES);
		if (speaks(guest, GUEST_PROTOCOL_MQ)) {
			add(guest, GUEST_GET_QUEUE_NUM);
		} else {
			guest->n_pairs = 1;
			start(guest);
		}
		break;
	case GUEST_GET_QUEUE_NUM:
		take_n_queues(guest, msg->number);
		if (guest->state != GUEST_BROKEN)
			start(guest);
		break;
	case GUEST_GET_VRING_BASE:
		take_base(guest, &msg->ring);
		break;
	default:
		break;
	}
}

/* One message, in or out. 0; -EAGAIN: nothing can go on now; -EPIPE. */
static int advance_once(struct guest *guest)
{
	struct guest_msg msg;
	int result = guest_msg_receive(guest->fd, &msg);

	if (result == 0)
		take(guest, &msg);
	if (result == -EPROTO)
		guest_break(guest, "what the back end says is no message");
	if (result == 0 || result == -EPROTO)
		return 0;
	if (result == -EAGAIN && guest->awaited == 0 && guest->n_done < guest->n_todo)
		result = send_next(guest);
	return result == 0 || result == -EAGAIN ? result : -EPIPE;
}

int guest_control_advance(struct guest *guest)
{
	int result;

	do {
		result = advance_once(guest);
	} while (result == 0 && guest->state != GUEST_BROKEN);
	if (result == -EPIPE)
		return result;
	if (guest->state == GUEST_TALKING && guest->awaited == 0 && guest->n_done == guest->n_todo)
		guest->state = guest->target;
	return 0;
}
