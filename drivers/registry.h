/* registry: every driver there is, in one visible array.
 *
 * Why        Nothing registers itself: who wants to know what headgate can attach reads this list.
 * Promise    hg_drivers[] ends with NULL and is constant. hg_dev_open and hg_dev_check (driver.h) use it.
 * Memory     constant. Threads: any. Errors: none.
 */
#ifndef HG_DRIVERS_REGISTRY_H
#define HG_DRIVERS_REGISTRY_H

#include "drivers/driver.h"

extern const struct hg_driver *const hg_drivers[];

/* The driver of that name, or NULL. */
const struct hg_driver *hg_driver_find(const char *name);

#endif
