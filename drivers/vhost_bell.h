/* vhost_bell: whether the library's thread has come back.
 *
 * Why        librte_vhost (22.11) has one thread for all guests, and while that ends a connection its descriptor is closed
 *            already, its number free for another, and what belongs to it still in use. rte_vhost_driver_unregister()
 *            at this moment frees what the thread goes on with, or takes another port's descriptor for this one.
 *            Nothing of the library tells when the moment is over.
 * Model      One more connection, to ourselves: a question sent there is answered by that thread, which has then come
 *            back from everything that it was at before.
 * Cost       One connection of the library's and one descriptor from the first port on; a question two system calls of ours.
 * Threads    Any but the library's own. Used by drivers/vhost_dial.c.
 */
#ifndef HG_DRIVERS_VHOST_BELL_H
#define HG_DRIVERS_VHOST_BELL_H

#include "core/error.h"

/* Makes the connection, once; by way of a socket in /tmp that is gone when it returns. -EIO. */
HG_MUST_CHECK int hg_vhost_bell_hang(struct hg_error *reterr);

/* Returns when the library's thread is out of every call that it was in. Requires that it hangs. */
void hg_vhost_bell_ring(void);

#endif
