/* clock: the host's time, and the time that was stolen from it.
 *
 * Why        Time is an argument everywhere else; this is where it comes from. On a virtual machine the
 *            processors can be taken away, and what was measured meanwhile says nothing about us.
 * Units      ns. Memory: none kept. Threads: any.
 * Errors     stolen: -EIO or -ENOENT when ROOT/proc/stat cannot be read, -EINVAL when it is not what Linux
 *            writes; the output is then untouched.
 * Used by    apps/.
 */
#ifndef HG_HOST_CLOCK_H
#define HG_HOST_CLOCK_H

#include "core/error.h"
#include "core/units.h"

/* CLOCK_MONOTONIC. */
hg_ns hg_clock_now_ns(void);

/* CLOCK_BOOTTIME: goes on while the host is suspended. CLOCK_REALTIME: can be set. */
hg_ns hg_clock_boot_ns(void);
hg_ns hg_clock_wall_ns(void);

/* Another text after each boot, from ROOT/proc/sys/kernel/random/boot_id; empty where that cannot be read. */
#define HG_BOOT_ID_BYTES 40u
void hg_clock_boot_id(const char *root, char ret_id[HG_BOOT_ID_BYTES]);

/* Time stolen from all processors together since boot, from ROOT/proc/stat; root "" is this host. */
HG_MUST_CHECK int hg_clock_stolen_ns(const char *root, hg_ns *ret_stolen_ns,
				     struct hg_error *reterr);

#endif
