/* link: what the kernel knows of one interface, by rtnetlink.
 *
 * Why        Drivers create, name, raise and watch interfaces, some of them in other namespaces. Nothing may
 *            hold such a namespace: a socket opened in it would keep it alive after its container died.
 * Model      Each call opens a socket where the thread is, asks, and closes it. Looking into
 *            another namespace goes by its number (nsid), as the kernel keeps them for each namespace's view of the others.
 * Units      mtu in bytes; counters as the kernel's. Memory: a few KiB of stack.
 * Threads    Any. Control lane. Cost: about 10 us.
 * Errors     -ENOENT no such interface or namespace, else as hg_errno_refuse (drivers/netns.h).
 * Used by    drivers/tap.c, drivers/packet.c, drivers/xdp.c.
 */
#ifndef HG_DRIVERS_LINK_H
#define HG_DRIVERS_LINK_H

#include "core/desired.h"
#include "core/error.h"

#include <stdbool.h>

/* The namespace that the thread is in. */
#define HG_LINK_HERE (-1)

struct hg_link {
	int idx;
	bool is_up;
	uint32_t mtu;
	uint8_t mac[HG_MAC_BYTES];
	char alias[64];
	uint64_t tx_dropped; /* frames that the stack had for it and that were dropped */
};

/* What to change; a field left at zero or NULL stays as it is. */
struct hg_link_change {
	const uint8_t *mac;
	uint32_t mtu;
	const char *alias;
	bool want_up;
	const char *netns; /* move there, as drivers/netns.h names it ... */
	const char *name; /* ... and rename */
};

/* The number of that namespace, given to it if it has none; HG_LINK_HERE for "". */
HG_MUST_CHECK int hg_link_nsid(const char *netns, int *ret_nsid, struct hg_error *reterr);
HG_MUST_CHECK int hg_link_get(int nsid, const char *name, struct hg_link *ret_link,
			      struct hg_error *reterr);
/* Of an interface here: the kernel changes nothing in namespaces that the thread is not in. */
HG_MUST_CHECK int hg_link_set(const char *name, const struct hg_link_change *change,
			      struct hg_error *reterr);
/* Takes the queue away that the kernel put before an interface here, so that who sends is told what the interface says
 * of its frame; one that somebody else put there stays. Returns whether there is none now. */
bool hg_link_unqueue(int idx);
/* Whether an interface here has classifiers at its clsact or ingress qdisc; true also if that cannot be
 * found out. */
bool hg_link_has_filters(int idx);

#endif
