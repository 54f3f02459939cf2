/* state: a desired state of our own, copied from a caller's.
 *
 * Why        What is in force must outlive the caller's memory, and be there to come back to.
 * Memory     One allocation for each array. Threads: one owner. Errors: -ENOMEM; nothing is left behind.
 */
#ifndef HG_CONTROL_STATE_H
#define HG_CONTROL_STATE_H

#include "core/desired.h"

/* Formats caller-owned memory as a state with nothing in it. */
void hg_state_init(struct hg_desired *state);
HG_MUST_CHECK int hg_state_copy(const struct hg_desired *from, struct hg_desired *ret_copy,
				struct hg_error *reterr);
/* Frees the arrays; the state is then empty. */
void hg_state_fini(struct hg_desired *state);

#endif
