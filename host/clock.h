/* clock: the host's time, and the time that was stolen from it.
 *
 * Why        Time is an argument everywhere else; this is where it comes from. On a virtual machine the
 *            processors can be taken away, and what was measured meanwhile says nothing about us.
 * Units      ns. Memory: none kept. Threads: any.
 * Errors     stolen: -EIO or -ENOENT when ROOT/proc/stat cannot be read, -EINVAL when it is not what Linux
 *            writes; the output is then untouched.
 * Used by    apps/headgated.c.
 */
#ifndef HG_HOST_CLOCK_H
#define HG_HOST_CLOCK_H

#include "core/error.h"
#include "core/units.h"

/* CLOCK_MONOTONIC. */
hg_ns hg_clock_now_ns(void);

/* Time stolen from all processors together since boot, from ROOT/proc/stat; root "" is this host. */
HG_MUST_CHECK int hg_clock_stolen_ns(const char *root, hg_ns *ret_stolen_ns,
				     struct hg_error *reterr);

#endif
