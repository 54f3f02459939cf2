/* netns: doing something in another network namespace, and coming back.
 *
 * Why        A container's interface lives in the container's namespace, the daemon in the host's.
 * Model      enter remembers the namespace that the thread is in and changes to the named one, leave
 *            changes back. A descriptor opened between the two belongs to that namespace for ever.
 * Names      "": here. A word: /run/netns/WORD, as `ip netns` keeps them. Anything with '/': that path,
 *            such as /proc/PID/ns/net.
 * Promise    After leave the thread is where it was: not to get back is a reason to abort, because the
 *            rest of the program would go on in a tenant's namespace.
 * Memory     none. Threads: each for itself; control lane only.
 * Errors     enter: -ENOENT no such namespace, -EPERM, -EINVAL not a network namespace, -EIO; then
 *            nothing is to be left.
 * Used by    drivers/tap.c, drivers/packet.c, drivers/xdp.c.
 */
#ifndef HG_DRIVERS_NETNS_H
#define HG_DRIVERS_NETNS_H

#include "core/error.h"

struct hg_netns {
	int back_fd; /* -1: entered nothing */
};

HG_MUST_CHECK int hg_netns_enter(const char *netns, struct hg_netns *ret_netns,
				 struct hg_error *reterr);
void hg_netns_leave(struct hg_netns *netns);

/* The closed list's code for an errno, with a sentence: "WHAT: Permission denied". */
HG_MUST_CHECK int hg_errno_refuse(struct hg_error *reterr, int errnum, const char *what,
				  const char *name);

#endif
