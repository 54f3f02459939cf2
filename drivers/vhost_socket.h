/* vhost_socket: the path of a guest's unix socket.
 *
 * Why        A path that is in use must be refused with the name of its owner, one that a dead process left must
 *            not stand in the way, and a guest that stops in the middle of a message must not keep the
 *            others waiting.
 * Threads    any. Memory: the caller's.
 * Errors     as said. Used by drivers/vhost.c, drivers/vhost_link.c.
 */
#ifndef HG_DRIVERS_VHOST_SOCKET_H
#define HG_DRIVERS_VHOST_SOCKET_H

#include "core/error.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

/* Longest path that a unix socket can have, with its end. */
#define HG_VHOST_PATH_BYTES sizeof(((struct sockaddr_un *)0)->sun_path)

/* The whole path of a name. -EINVAL: too long, or it ends as that of a directory. */
HG_MUST_CHECK int hg_vhost_path(const char *name, char *ret_path, struct hg_error *reterr);

/* Before we connect: the directory is there. -EPERM, -EIO. */
HG_MUST_CHECK int hg_vhost_prepare_directory(const char *path, struct hg_error *reterr);

/* Before we listen: the directory is there and the path is free; a socket on which nobody listens is removed.
 * -EBUSY with the owner, or with what is there instead of a socket. */
HG_MUST_CHECK int hg_vhost_prepare_listen(const char *path, struct hg_error *reterr);

/* Where a socket is, in whichever of its spellings (//, .., symbolic links, to it or to its directory) the path names it:
 * its directory and its name in there. */
struct hg_vhost_place {
	dev_t device; /* both 0: the directory is not there */
	ino_t directory;
	char name[NAME_MAX + 1];
};
void hg_vhost_place_of(const char *path, struct hg_vhost_place *ret_place);
bool hg_vhost_place_is_same(const struct hg_vhost_place *a, const struct hg_vhost_place *b);

/* Why nobody is connected at a path where a guest is to listen, as the end of a sentence that names it: ", where no
 * socket is". "": somebody may be just about to be. */
const char *hg_vhost_why_nobody(const char *path);

/* A descriptor more of a connection of the library's, which does not say what it has; for hg_vhost_hang_up. -1: there is
 * none, or no descriptor left. A guest that listens chooses the name that its socket has for us, so that one is found
 * before it is connected: right after rte_vhost_driver_register(), guess being what hg_vhost_next_fd() returned right
 * before. One that was accepted is found by the path on which we listen. */
HG_MUST_CHECK int hg_vhost_hold_new(int guess);
HG_MUST_CHECK int hg_vhost_hold_accepted(const char *path);
/* What the next descriptor will be if no other thread makes one; -1: none is left. */
int hg_vhost_next_fd(void);

/* Whether a write to a descriptor that a guest gave never waits: the worker writes to it. */
bool hg_vhost_is_event(int fd);

/* On that connection nobody waits in the middle of a message from now on: for what is not there at once the library ends
 * it. (A front end writes each message in one piece.) */
void hg_vhost_hurry(int fd);

/* Ends a connection that was held (-1: none) and its descriptor. */
void hg_vhost_hang_up(int fd);

#endif
