/* xdp_prog: the program at an interface that decides which frames are headgate's.
 *
 * Why        A card that the host itself uses must go on serving the host: only frames for the instances'
 *            addresses are taken, everything else goes on to the stack as if headgate were not there.
 * Model      if (takes all || macs has the destination address) return redirect(xsks[queue]), or pass if
 *            no socket is there; return pass. Made of instructions, so that building needs no compiler for
 *            BPF. Held by a link: when the process ends, however, the kernel takes the program away.
 * Promise    Frames for groups (broadcast, multicast) are never taken unless all are.
 * Where      The namespace that the thread is in, for attach.
 * Threads    Control lane; set_macs while packets flow. Memory: 8 bytes an address, in the kernel.
 * Errors     -EBUSY another program is there, -ENOSPC more than HG_XDP_MACS_MAX, else as hg_errno_refuse.
 * Used by    drivers/xdp.c.
 */
#ifndef HG_DRIVERS_XDP_PROG_H
#define HG_DRIVERS_XDP_PROG_H

#include "core/desired.h"
#include "core/error.h"

/* Instances of a host, 4,000 and more, and room for a change to hold old and new. */
#define HG_XDP_MACS_MAX 16384u

struct hg_xdp_prog {
	int prog_fd, macs_fd, xsks_fd, link_fd; /* -1: not there */
	bool is_native; /* in the interface's driver, not in the stack's generic way */
};

/* Loads; on failure nothing is to be closed. */
HG_MUST_CHECK int hg_xdp_prog_open(struct hg_xdp_prog *ret_prog, bool takes_all,
				   struct hg_error *reterr);
/* Sends what is taken on queue 0 to that socket, and attaches. */
HG_MUST_CHECK int hg_xdp_prog_attach(struct hg_xdp_prog *prog, int if_idx, const char *name,
				     int xsk_fd, struct hg_error *reterr);
HG_MUST_CHECK int hg_xdp_prog_set_macs(struct hg_xdp_prog *prog,
				       const uint8_t (*macs)[HG_MAC_BYTES], unsigned n,
				       struct hg_error *reterr);
void hg_xdp_prog_close(struct hg_xdp_prog *prog);

#endif
