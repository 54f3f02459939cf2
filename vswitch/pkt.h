/* pkt: one frame, or one segment of up to 64 KiB, as every part of headgate sees it.
 *
 * Why        Drivers with and without DPDK, the switch, the packet lane and the simulator must speak of
 *            the same thing. This is the packet view; where DPDK is used it lies in the private area
 *            of an mbuf.
 * Model      A chain of buffers, the first of which carries the description. `data` points at the first
 *            byte of the frame. Offloads are said as virtio-net says them (OASIS virtio 1.2, 5.1.6): a
 *            checksum left to do, a segment left to split.
 * Promise    A driver delivers chains whose first buffer holds all headers or the whole frame: at least
 *            min(total_bytes, HG_PKT_HEADERS_BYTES). Every buffer has n_bytes >= 1.
 * Ownership  Whoever holds the pointer owns the whole chain, and passes it on or gives it back with
 *            hg_pool_put() exactly once.
 * Memory     64-byte aligned. From a pool; no allocation. Threads: one owner at a time.
 */
#ifndef HG_VSWITCH_PKT_H
#define HG_VSWITCH_PKT_H

#include "core/tag.h"
#include "core/units.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ethernet (14), two VLAN tags (8), IPv6 with a few extension headers (40 + 64), TCP with options (60),
 * rounded up: what the parser may look at. */
#define HG_PKT_HEADERS_BYTES 256u
/* Room in front of `data` in a fresh buffer, for a tag, a tunnel header or a virtio-net header. */
#define HG_PKT_HEADROOM_BYTES 128u
/* Room behind it in a fresh buffer. */
#define HG_PKT_ROOM_BYTES 2048u
/* Buffers that the largest segment needs. */
#define HG_PKT_CHAIN_MAX ((HG_FRAME_MAX_BYTES + HG_PKT_ROOM_BYTES - 1u) / HG_PKT_ROOM_BYTES)
/* Room in a fresh long buffer. Eight times as much as in others: the kernel is told of a segment in a few pieces, and
 * one that is cut is not copied for the most part. Whole cache lines, and with what stands in front no power of two. */
#define HG_PKT_LONG_ROOM_BYTES 15936u
/* Long buffers that the largest segment needs behind a first one that is not long. */
#define HG_PKT_LONGS_MAX                                                          \
	((HG_FRAME_MAX_BYTES - HG_PKT_ROOM_BYTES + HG_PKT_LONG_ROOM_BYTES - 1u) / \
	 HG_PKT_LONG_ROOM_BYTES)

enum hg_pkt_flag {
	HG_PKT_NEEDS_CSUM = 1u << 0, /* sum from csum_start, store at csum_start + csum_offset */
	HG_PKT_CSUM_VALID = 1u << 1, /* the sender vouches for the checksum */
};

enum hg_gso { HG_GSO_NONE = 0, HG_GSO_TCP4, HG_GSO_TCP6, HG_GSO_UDP /* USO, virtio 1.2 */ };

enum hg_l3 { HG_L3_OTHER = 0, HG_L3_IP4, HG_L3_IP6, HG_L3_ARP };

struct hg_pkt {
	/* Written by the driver on receive, changed by who edits the frame. */
	uint8_t *data;
	struct hg_pkt *next; /* NULL in the last buffer */
	uint32_t total_bytes; /* of the whole frame; first buffer only */
	uint16_t n_bytes; /* in this buffer, in [1, room] */
	uint16_t headroom; /* free bytes in front of data */
	uint16_t tailroom; /* free bytes behind data + n_bytes */
	uint16_t csum_start; /* from data; with NEEDS_CSUM */
	uint16_t csum_offset; /* from csum_start; with NEEDS_CSUM */
	uint16_t gso_bytes; /* payload of one part; with gso != NONE */
	uint8_t flags; /* enum hg_pkt_flag */
	uint8_t gso; /* enum hg_gso */
	bool gso_ecn; /* the segment carries CWR on its first part (virtio GSO_ECN) */

	/* Written by hg_parse(). Offsets from data. */
	uint8_t l3; /* enum hg_l3 */
	uint8_t ip_proto; /* of the transport header; 0 if none or a later fragment */
	uint8_t tos; /* DSCP and ECN, of IPv4 or IPv6 */
	uint16_t l3_offset; /* also the length of the Ethernet header and its tags */
	uint16_t l4_offset; /* 0: no transport header in this frame */
	uint16_t payload_offset; /* behind the transport header; 0 as above */
	uint16_t ethertype; /* behind the tags, host order */
	uint16_t vlan; /* outer tag's identifier; 0: none */
	uint8_t pcp; /* outer tag's priority */
	bool is_fragment;

	/* Written by the packet lane. */
	uint16_t parts; /* wire packets it will be */
	uint32_t wire_bytes; /* what it weighs */
	uint32_t instance_idx; /* who is charged */
	uint32_t in_port_idx; /* where it came from */
	uint32_t out_port_idx; /* where it goes */
	uint32_t generation; /* of the snapshot under which its ports were found */

	/* Where the buffer is released whether it has a tag and its part are read in one. */
	struct hg_tag
		tag; /* of the last buffer of a chain that a card has; read and cleared there */
	uint8_t pool_part; /* the pool's own: where the buffer goes back to */

	uint8_t stage; /* what another worker is to do with it next */
	bool is_link; /* comes from or goes to an uplink: what guarantees cover */
	bool is_counted; /* among what its instance sent */
	hg_ns at_ns; /* received at the port */
	hg_ns queued_at_ns; /* pushed to the scheduler that now holds it */
	struct hg_pkt *link; /* for whoever keeps a list of packets */
};

/* ---- pools -------------------------------------------------------------------------------------- */

struct hg_pool;

struct hg_pool_ops {
	const char *name;
	/* Fills pkts with n fresh single buffers as hg_pkt_init() leaves them (data behind
	 * HG_PKT_HEADROOM_BYTES of headroom, next = NULL; lengths and description not set), or none at all.
	 * Returns n or 0. */
	unsigned (*get)(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n);
	/* Optional. The same with long buffers, of which there are few: who needs one does without when there is none. */
	unsigned (*get_long)(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n);
	/* Takes back n whole chains. */
	void (*put)(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n);
};

struct hg_pool {
	const struct hg_pool_ops *ops;
};

static inline unsigned hg_pool_get(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	return pool->ops->get(pool, pkts, n);
}

static inline unsigned hg_pool_get_long(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	return pool->ops->get_long == NULL ? 0 : pool->ops->get_long(pool, pkts, n);
}

static inline void hg_pool_put(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	if (n > 0)
		pool->ops->put(pool, pkts, n);
}

/* ---- whole packets ------------------------------------------------------------------------------ */

/* What a pool's get does to each buffer whose memory (headroom and room) begins at `bytes`. */
static inline void hg_pkt_init(struct hg_pkt *pkt, uint8_t *bytes)
{
	pkt->data = bytes + HG_PKT_HEADROOM_BYTES;
	pkt->next = NULL;
	pkt->headroom = HG_PKT_HEADROOM_BYTES;
	pkt->tailroom = HG_PKT_ROOM_BYTES;
}

/* Gets the buffers of a chain for a frame of total_bytes (in [1, HG_FRAME_MAX_BYTES]), with lengths and
 * rooms set, bytes and description not. NULL: the pool has not enough, and nothing was taken. */
struct hg_pkt *hg_pkt_create_chain(struct hg_pool *pool, uint32_t total_bytes);

/* Everything of src but what says where its bytes lie and how many there are; link becomes NULL. */
void hg_pkt_copy_description(struct hg_pkt *dst, const struct hg_pkt *src);

/* A copy of the whole chain with its description, for each further destination of a frame that goes
 * to many. src may lie in buffers of any size. NULL: the pool has not enough. */
struct hg_pkt *hg_pkt_copy(struct hg_pool *pool, const struct hg_pkt *src);

/* Copies n bytes from offset (of the frame) on; offset + n <= total_bytes. */
void hg_pkt_read(const struct hg_pkt *pkt, uint32_t offset, uint8_t *ret_bytes, uint32_t n);

#endif
