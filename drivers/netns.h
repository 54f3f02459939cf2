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

#include "core/desired.h"
#include "core/error.h"

#include <stdbool.h>

struct hg_netns {
	int back_fd; /* -1: entered nothing */
};

HG_MUST_CHECK int hg_netns_enter(const char *netns, struct hg_netns *ret_netns,
				 struct hg_error *reterr);
void hg_netns_leave(struct hg_netns *netns);

/* A descriptor of the namespace, to be closed with close(); it keeps the namespace alive. */
HG_MUST_CHECK int hg_netns_open(const char *netns, struct hg_error *reterr);

/* Which namespace a name meant, without keeping it alive. A socket opened in a namespace does keep it, so
 * its interfaces do not vanish when its container dies; that its name is gone is then the only sign. */
struct hg_netns_id {
	char name[HG_NAME_BYTES * 2]; /* "": here, which is always there */
	uint64_t dev, ino;
};

HG_MUST_CHECK int hg_netns_watch(const char *netns, struct hg_netns_id *ret_id,
				 struct hg_error *reterr);
/* Whether the name still means the same namespace. One system call. Any thread. */
bool hg_netns_is_there(const struct hg_netns_id *id);

/* The closed list's code for an errno, with a sentence: "WHAT: Permission denied". */
HG_MUST_CHECK int hg_errno_refuse(struct hg_error *reterr, int errnum, const char *what,
				  const char *name);

#endif
