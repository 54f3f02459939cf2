/* guest_loss: what happens when a guest takes away memory that it shares with us.
 *
 * Why        Guests share their memory as files, and whoever holds a file can shorten it: the next touch of a page
 *            that is no longer there is SIGBUS, which ends the daemon and with it every other guest. The same
 *            happens when the host has no page left for a file that promised it. Asking for a seal against
 *            shrinking would be simpler, but files on hugetlbfs or /dev/shm, which are common, can not have one.
 * Model      Watched mappings. A fault in one is answered by putting zero pages of our own in the place of the
 *            whole mapping, and saying so in the watcher's flag. Whoever touched the memory goes on, reads
 *            zeros, and finds the flag when it looks.
 * Promise    A fault in a watched mapping ends nothing and is taken once. Any other bus error does what it did
 *            before: the handler that was there is called, or the process ends.
 * Not here   What to do with a guest that does so: drivers/vhost.
 * Threads    init, watch, forget: any, they take a lock. The handler runs in whichever thread touched, and takes
 *            none. forget only after the last touch, and before the mapping goes.
 * Memory     A table of HG_GUEST_LOSS_MAX mappings. Cost: none until it happens; then a scan of the table.
 * Errors     watch: -ENOSPC, the table is full.
 */
#ifndef HG_DRIVERS_GUEST_LOSS_H
#define HG_DRIVERS_GUEST_LOSS_H

#include "core/compiler.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* vhost-user lets a guest have 8 mappings, and there may be as many guests as librte_vhost has places: 1024. */
#define HG_GUEST_LOSS_MAX 8192u

/* Takes over the signal; any number of times. */
void hg_guest_loss_init(void);
/* Watches [at, at + n_bytes), a whole mapping that begins with a page. *is_lost is set when it is lost; it outlives
 * the watch. Returns a handle in [0, HG_GUEST_LOSS_MAX). */
HG_MUST_CHECK int hg_guest_loss_watch(void *at, size_t n_bytes, atomic_bool *is_lost);
void hg_guest_loss_forget(int handle);
/* For a thread that works inside a library which maps and touches before it tells: from now on, faults of this
 * thread outside of watched mappings are laid to *is_lost, and answered a page at a time. NULL: no more. */
void hg_guest_loss_expect(atomic_bool *is_lost);

#endif
