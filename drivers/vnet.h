/* vnet: the virtio-net header in front of each frame of TAP and packet sockets.
 *
 * Why        The kernel says with it what is left to do with a frame (OASIS virtio 1.2, 5.1.6); headgate's
 *            packet view says the same in its own fields.
 * Model      decode reads a header into a packet, encode writes a packet's fields into a header. Both
 *            are pure; decode(encode(p)) = p for every packet that decode accepts.
 * Promise    decode accepts nothing that reaches past the frame: the checksum's place lies in it, in its
 *            first HG_PKT_HEADERS_BYTES, and a segment has a payload size and a checksum to do.
 * Memory     none. Threads: any. Cost: a dozen instructions; write one system call.
 * Errors     decode returns false, write an errno.
 * Used by    drivers/tap.c, drivers/psock.c, drivers/vring.c.
 */
#ifndef HG_DRIVERS_VNET_H
#define HG_DRIVERS_VNET_H

#include "vswitch/pkt.h"

#include <linux/virtio_net.h>
#include <sys/uio.h>

/* The longer of the two lengths that the kernel knows: with num_buffers, which is not used here. */
#define HG_VNET_BYTES 12u

/* Sets the offload fields of a packet whose total_bytes, n_bytes and data are set. On false the header
 * contradicts the frame, and the fields are undefined. */
bool hg_vnet_decode(const struct virtio_net_hdr_mrg_rxbuf *header, struct hg_pkt *pkt);

void hg_vnet_encode(const struct hg_pkt *pkt, struct virtio_net_hdr_mrg_rxbuf *ret_header);

/* The header, and one buffer more than a frame needs, for tags that were put in front. */
#define HG_VNET_PIECES_MAX (2 + (int)HG_PKT_CHAIN_MAX)

/* What has to be written of a packet behind the first n_header bytes of its header, up to HG_VNET_PIECES_MAX pieces. Returns
 * how many, 0: it has more. What stands in its headroom is overwritten; *header and the packet must stay until it is written. */
int hg_vnet_pieces(size_t n_header, const struct hg_pkt *pkt,
		   struct virtio_net_hdr_mrg_rxbuf *header, struct iovec *ret_iov);

/* Writes a whole packet behind the first n_header bytes of its header, in one system call. What stands in the packet's
 * headroom is overwritten. Returns 0, or the errno. */
int hg_vnet_write(int fd, size_t n_header, const struct hg_pkt *pkt);

#endif
