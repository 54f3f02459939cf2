/* standing: what was measured and what is owed, as one piece of memory on its way to the next process.
 *
 * Why        Two layers write their parts (control/control.h, dataplane/handover.h), at two times: what the control lane
 *            has can be written before the packet lane stands still.
 * Model      head, the control lane's part, the packet lane's. Either part of a form that is not known makes all of
 *            it begin anew: totals belong to the counters below them.
 * Threads    The control lane. Errors: as the parts; -EINVAL for anything else.
 */
#ifndef HG_APPS_STANDING_H
#define HG_APPS_STANDING_H

#include "apps/daemon.h"

size_t hg_standing_size(const struct hg_daemon *d);
/* Before the lane is frozen. */
void hg_standing_write_measured(struct hg_daemon *d, void *memory);
/* While it is, before packets are carried out. */
void hg_standing_write_lane(struct hg_daemon *d, void *memory);

/* The packet lane's part: frozen, before packets are carried in. */
HG_MUST_CHECK int hg_standing_read_lane(struct hg_daemon *d, const void *memory, size_t n_bytes,
					uint32_t *ret_n, struct hg_error *reterr);
/* The rest, after that: packets need not wait for it. */
HG_MUST_CHECK int hg_standing_read_measured(struct hg_daemon *d, const void *memory,
					    struct hg_error *reterr);

#endif
