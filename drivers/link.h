/* link: what the kernel knows of one interface, by rtnetlink.
 *
 * Why        Drivers create, name, raise and watch interfaces; one small request and answer does all that,
 *            in whatever namespace the socket was opened in.
 * Model      A socket of the namespace that the thread was in when it was opened; it stays there.
 * Units      mtu in bytes; counters as the kernel's. Memory: a few KiB of stack.
 * Threads    One at a time for a socket. Control lane.
 * Errors     -ENOENT no such interface, else as hg_errno_refuse (drivers/netns.h).
 * Used by    drivers/tap.c, drivers/packet.c, drivers/xdp.c.
 */
#ifndef HG_DRIVERS_LINK_H
#define HG_DRIVERS_LINK_H

#include "core/desired.h"
#include "core/error.h"

#include <stdbool.h>

struct hg_link {
	int idx;
	bool is_up;
	uint32_t mtu;
	uint8_t mac[HG_MAC_BYTES];
	char alias[64];
	uint64_t tx_dropped; /* frames that the stack had for it and that it dropped */
	uint64_t rx_dropped;
};

/* What to change; a field left at zero or NULL stays as it is. */
struct hg_link_change {
	const uint8_t *mac;
	uint32_t mtu;
	const char *alias;
	bool want_up;
};

HG_MUST_CHECK int hg_link_open(struct hg_error *reterr); /* a socket, to be closed with close() */
HG_MUST_CHECK int hg_link_get(int fd, const char *name, struct hg_link *ret_link,
			      struct hg_error *reterr);
HG_MUST_CHECK int hg_link_set(int fd, const char *name, const struct hg_link_change *change,
			      struct hg_error *reterr);

#endif
