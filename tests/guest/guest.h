/* guest: a virtual machine and its QEMU, as small as a test can use them: a vhost-user front end.
 *
 * Why        A vhost port needs somebody on the other side who is honest when asked to be, hostile when asked
 *            to be, cheap enough to have 256 of, and who counts what a real guest would not tell.
 * Model      The guest listens on a unix socket, and whoever carries its packets (the back end: headgate,
 *            testpmd) connects. guest_serve() speaks vhost-user with it, one step at a time, and never waits.
 *            Once the guest is UP its rings are shared, and guest_send() and guest_receive() are its
 *            virtio-net driver (OASIS virtio 1.2, 5.1). Queue pair i has ring 2 i to receive, 2 i + 1 to send.
 *
 *                WAITING --back end connects--> TALKING --all rings enabled--> UP
 *                   ^                              |                            |
 *                   +------ connection is lost ----+----------------------------+
 *                                                     the back end is wrong: BROKEN, for good
 *
 * Survival   When the back end vanishes the rings stay as they are. The next one is told to go on at the used
 *            index, as QEMU does for network devices: what the old one had taken and not returned it takes
 *            again. A next one that lacks a feature in use makes the guest BROKEN.
 * Promise    A frame that guest_receive() returns was delivered whole, with its header; everything that
 *            the back end does against the specification makes the guest BROKEN, and guest_why() says it.
 * Hostile    guest_ring(), guest_memory() and guest_connection() hand out what an honest driver hides.
 * Memory     One memfd, sparse: 66 KB of address space a descriptor, of which what is used is there. Everything
 *            else in one allocation. Guest-physical addresses begin at GUEST_GPA.
 * Threads    One a guest. Any number of guests in a process.
 * Used by    the driver suite, hostile tests, the table of offloads, benchmarks. No DPDK.
 */
#ifndef HG_TESTS_GUEST_GUEST_H
#define HG_TESTS_GUEST_GUEST_H

#include "tests/guest/ring.h"

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 64 KiB of payload behind Ethernet with a tag, as the largest segment has. */
#define GUEST_FRAME_MAX_BYTES 65553u
#define GUEST_GPA UINT64_C(0x40000000)
#define GUEST_MAX_PAIRS 16u

#define GUEST_BIT(n) (UINT64_C(1) << (n))
/* Checksum and segments left to do, in both directions. */
#define GUEST_OFFLOADS                                                             \
	(GUEST_BIT(VIRTIO_NET_F_CSUM) | GUEST_BIT(VIRTIO_NET_F_GUEST_CSUM) |       \
	 GUEST_BIT(VIRTIO_NET_F_HOST_TSO4) | GUEST_BIT(VIRTIO_NET_F_HOST_TSO6) |   \
	 GUEST_BIT(VIRTIO_NET_F_GUEST_TSO4) | GUEST_BIT(VIRTIO_NET_F_GUEST_TSO6) | \
	 GUEST_BIT(VIRTIO_NET_F_HOST_ECN) | GUEST_BIT(VIRTIO_NET_F_GUEST_ECN))
#define GUEST_PLAIN                                                                    \
	(GUEST_BIT(VIRTIO_F_VERSION_1) | GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF) |           \
	 GUEST_BIT(VIRTIO_RING_F_INDIRECT_DESC) | GUEST_BIT(VIRTIO_RING_F_EVENT_IDX) | \
	 GUEST_BIT(VIRTIO_NET_F_MQ) | GUEST_BIT(VIRTIO_NET_F_MTU))
/* What an ordinary Linux guest of QEMU takes of what it is offered; add GUEST_PACKED for packed rings. */
#define GUEST_FEATURES (GUEST_PLAIN | GUEST_OFFLOADS)
#define GUEST_PACKED GUEST_BIT(VIRTIO_F_RING_PACKED)

enum guest_state {
	GUEST_WAITING, /* for a connection */
	GUEST_TALKING, /* a request has not been answered yet */
	GUEST_UP, /* frames may be exchanged */
	GUEST_STOPPED, /* by guest_stop(): rings are the guest's alone */
	GUEST_BROKEN,
};

/* Zero means the default where there is one. */
struct guest_cfg {
	const char *path; /* of the socket: made by open, removed by close */
	uint64_t features; /* taken if offered; GUEST_FEATURES */
	unsigned n_pairs; /* in [1, GUEST_MAX_PAIRS]; 1. The back end may offer fewer. */
	uint16_t ring_size; /* a power of two in [2, 32768]; 256 */
	uint16_t mtu; /* told to the back end; 0: not */
	/* Of a buffer to receive in, header included, with mergeable buffers; 2048. Without them a buffer
	 * takes the largest frame. */
	uint32_t rx_buffer_bytes;
	/* In front of each of them; 52 puts the header at the end of a cache line, and the frame in the next, as DPDK's
	 * drivers do. At most 4096. */
	uint32_t rx_lead_bytes;
	bool has_stale_headers; /* leaves what it likes where received headers will be */
	/* Of one piece of a frame that is sent: longer frames are chains; 2048. */
	uint32_t tx_piece_bytes;
	bool has_own_header_piece; /* sends the virtio-net header in a descriptor of its own */
	bool has_no_indirect_use; /* sends chains in the ring though indirect tables were agreed upon */
	bool wants_no_calls; /* polls, and says so in the rings; see guest_want_calls() */
};

/* Ever counted, by the guest. */
struct guest_counts {
	uint64_t tx_frames, rx_frames;
	uint64_t kicks; /* written to a kick descriptor */
	uint64_t kicks_saved; /* not written since the back end asked for none */
	uint64_t calls; /* found in a call descriptor */
	uint64_t n_connected; /* connections, the first included */
	uint64_t
		rx_buffers; /* that held received frames: more than frames with mergeable buffers */
};

struct guest;

/* Makes the socket and the memory. 0, or a negative errno: -EINVAL cfg, -EADDRINUSE somebody listens there,
 * -ENAMETOOLONG, -ENOMEM and what else the system says. A stale socket is removed. */
int guest_open(const struct guest_cfg *cfg, struct guest **ret_guest);
/* Takes NULL. Closes the connection as a QEMU that is killed does, and removes the socket. */
void guest_close(struct guest *guest);

/* Brings the control protocol forward as far as it goes without waiting; call it again when
 * guest_wait() returns, and now and then. */
enum guest_state guest_serve(struct guest *guest);
/* What went wrong, or "". */
const char *guest_why(const struct guest *guest);
/* Waits until the back end has something to say (a connection, an answer, its end, a call of a ring that
 * receives), for timeout_ms at most (-1: without end). Asks for calls before it sleeps, so that none is missed.
 * True if something is there. */
bool guest_wait(struct guest *guest, int timeout_ms);

/* Hands one frame to the back end on pair's sending ring, and kicks if it wants to be kicked. header: NULL for
 * all zero; num_buffers is ignored. False: the ring is full, or there is no ring yet. Works without a
 * connection too: the next back end finds the frame. Requires n_bytes in [1, GUEST_FRAME_MAX_BYTES]. */
bool guest_send(struct guest *guest, unsigned pair, const void *frame, size_t n_bytes,
		const struct virtio_net_hdr_mrg_rxbuf *header);
/* The next frame of pair's receiving ring; its bytes (cut to size), or 0: none, or BROKEN. ret_header may be
 * NULL. */
size_t guest_receive(struct guest *guest, unsigned pair, void *ret_frame, size_t size,
		     struct virtio_net_hdr_mrg_rxbuf *ret_header);
/* Frames sent on pair that the back end has not returned. */
unsigned guest_unreturned(struct guest *guest, unsigned pair);
/* Whether receiving rings ask for calls. At first: not cfg.wants_no_calls. */
void guest_want_calls(struct guest *guest, bool wants);

/* Asks for all rings back (GET_VRING_BASE), as QEMU does when the machine stops; serve until STOPPED. What the
 * back end then says about where it was is where guest_resume() lets it go on. Requires UP. */
void guest_stop(struct guest *guest);
/* Requires STOPPED; serve until UP. */
void guest_resume(struct guest *guest);
/* Enables (or disables) the rings of a pair; serve until UP. Requires UP. */
void guest_enable(struct guest *guest, unsigned pair, bool is_enabled);
/* Drops the connection, and goes on listening. */
void guest_disconnect(struct guest *guest);

enum guest_state guest_state(const struct guest *guest);
uint64_t guest_features(const struct guest *guest); /* agreed upon */
uint64_t guest_offered(const struct guest *guest); /* by the back end */
unsigned guest_n_pairs(const struct guest *guest); /* agreed upon */
struct guest_counts guest_counts(const struct guest *guest);

/* ---- for those that mean harm, and for those that look closely --------------------------------------- */

/* idx in [0, 2 n_pairs). */
struct guest_ring *guest_ring(struct guest *guest, unsigned idx);
struct guest_memory *guest_memory(struct guest *guest);
/* The connection, or -1. */
int guest_connection(const struct guest *guest);
/* For poll(): the connection, or the listening socket. */
int guest_fd(const struct guest *guest);
/* Readable when the back end has called for a ring. */
int guest_call_fd(const struct guest *guest, unsigned idx);
int guest_kick_fd(const struct guest *guest, unsigned idx);

#endif
