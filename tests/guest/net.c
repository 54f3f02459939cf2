#include "tests/guest/inside.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct guest_queue *rx_of(struct guest *guest, unsigned pair)
{
	return &guest->queues[2u * pair];
}

static struct guest_queue *tx_of(struct guest *guest, unsigned pair)
{
	return &guest->queues[2u * pair + 1u];
}

static bool uses_indirect(const struct guest *guest)
{
	return guest_has(guest, VIRTIO_RING_F_INDIRECT_DESC) && !guest->cfg.has_no_indirect_use;
}

static void kick(struct guest *guest, struct guest_queue *queue)
{
	uint64_t one = 1;

	if (!guest_ring_wants_kick(&queue->ring)) {
		guest->counts.kicks_saved++;
		return;
	}
	guest->counts.kicks++;
	/* Fails only if 2^64 kicks wait. */
	if (write(queue->kick_fd, &one, sizeof(one)) < 0)
		guest_break(guest, "kick: %s", strerror(errno));
}

/* ---- receiving --------------------------------------------------------------------------------------- */

static uint8_t *buffer_at(const struct guest *guest, const struct guest_queue *queue, unsigned id)
{
	return queue->slots + (size_t)id * guest->rx_slot_bytes + guest->cfg.rx_lead_bytes;
}

/* In turn what was received last, one that differs in its last bytes, and one that differs in all. */
static void leave_header(struct guest *guest, uint8_t *at)
{
	unsigned turn = guest->n_posted++ % 3u;

	if (turn == 1)
		memset(at + GUEST_HEADER_BYTES - 2, 0x5a, 2);
	else if (turn == 2)
		memset(at, 0xa5, GUEST_HEADER_BYTES);
}

static bool post_buffer(struct guest *guest, struct guest_queue *queue)
{
	int id = guest_ring_next_id(&queue->ring);
	struct guest_piece piece = {.n_bytes = guest->rx_bytes};
	uint8_t *at;

	if (id < 0)
		return false;
	at = buffer_at(guest, queue, (unsigned)id);
	if (guest->cfg.has_stale_headers)
		leave_header(guest, at);
	piece.gpa = guest_memory_gpa(&guest->memory, at);
	return guest_ring_add(&queue->ring, &piece, 1, false);
}

void guest_net_start(struct guest *guest)
{
	guest->rx_bytes = guest_has(guest, VIRTIO_NET_F_MRG_RXBUF)
				  ? guest->cfg.rx_buffer_bytes
				  : guest->rx_slot_bytes - guest->cfg.rx_lead_bytes;
	for (unsigned i = 0; i < 2u * guest->n_pairs; i++) {
		struct guest_queue *queue = &guest->queues[i];

		guest_ring_reset(&queue->ring, guest_has(guest, VIRTIO_F_RING_PACKED),
				 guest_has(guest, VIRTIO_RING_F_EVENT_IDX));
		queue->ring.is_for_device = i % 2u == 0;
		guest_ring_want_calls(&queue->ring, i % 2u == 0 && guest->wants_calls);
		while (i % 2u == 0 && post_buffer(guest, queue))
			;
	}
}

/* Copies what is in one buffer behind its first `skip` bytes. */
static void copy_out(const uint8_t *slot, uint32_t n_bytes, uint32_t skip, uint8_t *to, size_t size,
		     size_t *at)
{
	size_t n = n_bytes - skip;

	if (*at < size)
		memcpy(to + *at, slot + skip, n < size - *at ? n : size - *at);
	*at += n;
}

static const uint8_t *take_buffer(struct guest *guest, struct guest_queue *queue,
				  uint32_t *ret_bytes)
{
	uint16_t id;
	int found = guest_ring_take_used(&queue->ring, &id, ret_bytes);

	if (found < 0)
		guest_break(guest, "a ring to receive returned a buffer that was not out");
	if (found <= 0)
		return NULL;
	if (*ret_bytes > guest->rx_bytes) {
		guest_break(guest, "%u bytes in a buffer of %u", *ret_bytes, guest->rx_bytes);
		return NULL;
	}
	guest->counts.rx_buffers++;
	return buffer_at(guest, queue, id);
}

static size_t take_frame(struct guest *guest, struct guest_queue *queue, void *ret_frame,
			 size_t size, struct virtio_net_hdr_mrg_rxbuf *ret_header)
{
	struct virtio_net_hdr_mrg_rxbuf header;
	uint32_t n_bytes = 0;
	const uint8_t *slot = take_buffer(guest, queue, &n_bytes);
	size_t at = 0;

	if (slot == NULL)
		return 0;
	if (n_bytes <= GUEST_HEADER_BYTES) {
		guest_break(guest, "%u bytes are no frame", n_bytes);
		return 0;
	}
	memcpy(&header, slot, sizeof(header));
	/* Without mergeable buffers the field must be 1; librte_vhost leaves it alone, and no driver looks. */
	if (!guest_has(guest, VIRTIO_NET_F_MRG_RXBUF))
		header.num_buffers = 1;
	copy_out(slot, n_bytes, GUEST_HEADER_BYTES, ret_frame, size, &at);
	for (unsigned i = 1; i < header.num_buffers; i++) {
		slot = take_buffer(guest, queue, &n_bytes);
		if (slot == NULL) {
			guest_break(guest, "%u of the %u buffers of a frame", i,
				    header.num_buffers);
			return 0;
		}
		copy_out(slot, n_bytes, 0, ret_frame, size, &at);
	}
	if (header.num_buffers == 0) {
		guest_break(guest, "a frame in 0 buffers");
		return 0;
	}
	if (ret_header != NULL)
		*ret_header = header;
	return at;
}

size_t guest_receive(struct guest *guest, unsigned pair, void *ret_frame, size_t size,
		     struct virtio_net_hdr_mrg_rxbuf *ret_header)
{
	struct guest_queue *queue = rx_of(guest, pair);
	size_t n;

	if (!guest->has_features || pair >= guest->n_pairs || guest->state == GUEST_BROKEN)
		return 0;
	n = take_frame(guest, queue, ret_frame, size, ret_header);
	if (n == 0 && guest->wants_calls) {
		guest_ring_want_calls(&queue->ring, true);
		n = take_frame(guest, queue, ret_frame, size, ret_header);
	}
	if (n == 0)
		return 0;
	guest->counts.rx_frames++;
	while (post_buffer(guest, queue))
		;
	kick(guest, queue);
	return n < size ? n : size;
}

void guest_want_calls(struct guest *guest, bool wants)
{
	guest->wants_calls = wants;
	for (unsigned i = 0; i < guest->n_pairs && guest->has_features; i++)
		guest_ring_want_calls(&rx_of(guest, i)->ring, wants);
}

/* ---- sending ----------------------------------------------------------------------------------------- */

static void reclaim(struct guest *guest, struct guest_queue *queue)
{
	uint32_t n_bytes;
	uint16_t id;
	int found;

	while ((found = guest_ring_take_used(&queue->ring, &id, &n_bytes)) > 0)
		;
	if (found < 0)
		guest_break(guest, "a ring to send returned a frame that was not out");
	else
		guest_ring_want_calls(&queue->ring, false);
}

unsigned guest_unreturned(struct guest *guest, unsigned pair)
{
	struct guest_ring *ring = &tx_of(guest, pair)->ring;
	unsigned n = 0;

	if (!guest->has_features || pair >= guest->n_pairs)
		return 0;
	reclaim(guest, tx_of(guest, pair));
	for (unsigned id = 0; id < ring->size; id++)
		n += ring->chain_descs[id] > 0;
	return n;
}

/* The pieces of n bytes that lie together. */
static unsigned cut(const struct guest *guest, const uint8_t *from, size_t n_bytes,
		    struct guest_piece *pieces)
{
	size_t step = guest->cfg.tx_piece_bytes, least = n_bytes / (GUEST_CHAIN_MAX - 2u) + 1u;
	unsigned n = 0;

	if (step < least)
		step = least;
	for (size_t at = 0; at < n_bytes; at += step)
		pieces[n++] = (struct guest_piece){
			.gpa = guest_memory_gpa(&guest->memory, from + at),
			.n_bytes = (uint32_t)(n_bytes - at < step ? n_bytes - at : step)};
	return n;
}

bool guest_send(struct guest *guest, unsigned pair, const void *frame, size_t n_bytes,
		const struct virtio_net_hdr_mrg_rxbuf *header)
{
	static const struct virtio_net_hdr_mrg_rxbuf plain;
	struct guest_queue *queue = tx_of(guest, pair);
	struct guest_piece pieces[GUEST_CHAIN_MAX];
	unsigned n = 0, n_header;
	uint8_t *slot;
	int id;

	if (!guest->has_features || pair >= guest->n_pairs || guest->state == GUEST_BROKEN)
		return false;
	reclaim(guest, queue);
	id = guest_ring_next_id(&queue->ring);
	if (id < 0)
		return false;
	slot = queue->slots + (size_t)id * guest->tx_slot_bytes;
	memcpy(slot, header != NULL ? header : &plain, GUEST_HEADER_BYTES);
	((struct virtio_net_hdr_mrg_rxbuf *)(void *)slot)->num_buffers = 0;
	memcpy(slot + GUEST_HEADER_BYTES, frame, n_bytes);
	n_header = guest->cfg.has_own_header_piece ? GUEST_HEADER_BYTES : 0;
	if (n_header > 0)
		pieces[n++] = (struct guest_piece){.gpa = guest_memory_gpa(&guest->memory, slot),
						   .n_bytes = n_header};
	n += cut(guest, slot + n_header, GUEST_HEADER_BYTES + n_bytes - n_header, pieces + n);
	if (!guest_ring_add(&queue->ring, pieces, n, n > 1 && uses_indirect(guest)))
		return false;
	guest->counts.tx_frames++;
	kick(guest, queue);
	return true;
}
