/* explain: why an instance is slow now, read off what was measured.
 *
 * Why        S7.8: the answer is the limit that held it, for how long, and who competes, not a guess.
 * Model      For each direction: held times by limit, longest first, of the last second and since start;
 *            they add up to the total wait. Then the others who used the same link, and sentences.
 * Memory     The caller json_decref()s. Threads: the control lane. Cost: one pass over the instances.
 * Errors     NULL: no memory.
 */
#ifndef HG_API_EXPLAIN_H
#define HG_API_EXPLAIN_H

#include "control/control.h"

#include <jansson.h>

json_t *hg_explain_instance(const struct hg_control *control, uint32_t instance_idx);

#endif
