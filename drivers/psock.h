/* psock: a raw packet socket on one interface, with virtio-net headers.
 *
 * Why        Two drivers receive from one: packet all frames, xdp those for groups, which the host wants too. packet sends, too.
 * Model      A frame with its offloads and with the tag that the kernel took out of it put back.
 * Promise    As pkt.h; nothing that the host itself sends on the interface is received.
 * Threads    open, bind: control lane; receive, send: the worker. Cost: receive one system call a frame; send one for up to
 *            32 of them.
 * Errors     as hg_errno_refuse (drivers/netns.h); receive counts what it drops.
 * Used by    drivers/packet.c, drivers/xdp.c.
 */
#ifndef HG_DRIVERS_PSOCK_H
#define HG_DRIVERS_PSOCK_H

#include "drivers/counts.h"
#include "drivers/scratch.h"

#include <linux/virtio_net.h>

/* What 200 segments of 64 KiB take in the kernel: about 10 ms at 10 Gbit/s, longer than a worker is ever
 * away. */
#define HG_PSOCK_RCVBUF_BYTES (16 << 20)

/* A socket, nonblocking, that receives nothing yet. */
HG_MUST_CHECK int hg_psock_open(const char *name, struct hg_error *reterr);
/* From now on it receives from the interface, which becomes promiscuous while the socket is open. */
HG_MUST_CHECK int hg_psock_bind(int fd, int if_idx, const char *name, struct hg_error *reterr);

/* Receives up to n packets. An errno other than EAGAIN that ended it is written to *ret_errnum, else 0. */
unsigned hg_psock_receive(int fd, struct hg_scratches *scratches, struct hg_pool *pool,
			  struct hg_dev_counts *counts, struct hg_pkt **pkts, unsigned n,
			  int *ret_errnum);

/* Sends the first of n >= 1 packets, in order. Returns how many the kernel took, with 0 in *ret_errnum; or 0, with why it refuses
 * the first one. The packets stay the caller's. */
unsigned hg_psock_send(int fd, struct hg_pkt *const *pkts, unsigned n, int *ret_errnum);

#endif
