/* vhost_dial: the sockets that librte_vhost has: made, connected, connected again, and taken from it.
 *
 * Why        The library (22.11) connects by a thread of its own, which goes on with a socket that was taken from it while
 *            a connection ended, and tries but once a second. So this one connects: each socket is given to the
 *            library for one attempt, and taken back when that fails or its connection has ended, when the library's
 *            threads are not at it.
 * Model      A guest that listens is dialled at once, and then after FIRST, 2 FIRST, ... up to LAST; one that was
 *            connected, no sooner than FIRST after the attempt before. A socket on which we listen stays the library's.
 * Room       For each attempt a seat is taken (drivers/vhost_room.h), which goes back with the socket. Where there is none,
 *            or too few descriptors are left, the library is not asked: `lack` says why.
 * Memory     The caller's: a dial does not move, and its path outlives it.
 * Threads    open, start, close: the control lane's; connected, disconnected: the library's calls. One thread of its own
 *            for all, which has the library call `connected` as well.
 * Cost       While a guest is away a socket is made and closed each LAST; nothing else.
 * Used by    drivers/vhost_link.c.
 */
#ifndef HG_DRIVERS_VHOST_DIAL_H
#define HG_DRIVERS_VHOST_DIAL_H

#include "core/error.h"
#include "core/units.h"
#include "core/verdict.h"

#include <rte_vhost.h>

#include <stdatomic.h>

#define HG_VHOST_DIAL_FIRST_NS (10 * HG_NS_PER_MS)
#define HG_VHOST_DIAL_LAST_NS (1 * HG_NS_PER_S)

struct hg_vhost_dial_cfg {
	const char *path;
	const struct rte_vhost_device_ops *calls;
	uint64_t features, protocol_features;
	bool want_listen;
};

struct hg_vhost_dial {
	struct hg_vhost_dial_cfg cfg;
	atomic_bool is_connected;
	/* enum hg_guest_refusal: why the library was not asked at the last attempt; HG_N_GUEST_REFUSALS: it was. */
	_Atomic uint8_t lack;
	_Atomic uint64_t n_lacks[HG_N_GUEST_REFUSALS]; /* how often that began */
	/* Of the thread that dials. */
	bool is_registered;
	unsigned n_seats; /* that it has */
	int fd; /* of the attempt, until it is accepted; else -1 */
	hg_ns wait_ns, next_ns;
	struct hg_vhost_dial *next;
};

/* The library knows a socket on which we listen from here on. -EIO; -ENOSPC: no seats for it. */
HG_MUST_CHECK int hg_vhost_dial_open(struct hg_vhost_dial *dial,
				     const struct hg_vhost_dial_cfg *cfg, struct hg_error *reterr);
/* Listens, or dials from now on. -EIO, -ENOMEM. */
HG_MUST_CHECK int hg_vhost_dial_start(struct hg_vhost_dial *dial, struct hg_error *reterr);
/* Nobody dials any more when it returns. Takes one that was not started. */
void hg_vhost_dial_stop(struct hg_vhost_dial *dial);
/* Takes the socket from the library, none of whose threads knows it when it returns. Requires stop, and that its connection
 * has ended: disconnected() has been called. */
void hg_vhost_dial_close(struct hg_vhost_dial *dial);

/* Why nobody is connected at a guest that listens, into HG_REASON_BYTES; looked up, since nobody tells of a socket that is
 * made, or of room. */
void hg_vhost_dial_explain(const struct hg_vhost_dial *dial, char *ret_reason);

/* In the library's new_connection, when it is accepted; and in destroy_connection. Returns a descriptor of the connection,
 * which the caller ends with hg_vhost_hang_up(); -1: it cannot be accepted. */
int hg_vhost_dial_connected(struct hg_vhost_dial *dial);
void hg_vhost_dial_disconnected(struct hg_vhost_dial *dial);
/* First in destroy_connection: the library forgets to wait until the thread that connected has written down what it did. */
void hg_vhost_dial_settle(void);

#endif
