/* metrics: what was counted, as text for Prometheus (exposition format 0.0.4).
 *
 * Why        S7.6. Names are headgate_<subject>_<action>_<unit>[_total]; every drop reason and every limit
 *            comes from the x-macros of core/verdict.h, so none can be forgotten.
 * Promise    The set of series depends on the configuration alone: a reason that has not occurred is 0.
 * Memory     *ret_text is the caller's to free(). Threads: the control lane. Errors: -ENOMEM.
 */
#ifndef HG_API_METRICS_H
#define HG_API_METRICS_H

#include "api/connections.h"
#include "control/control.h"

/* connections: NULL: not shown. */
HG_MUST_CHECK int hg_metrics_text(const struct hg_control *control,
				  const struct hg_connections *connections, const char *version,
				  hg_ns now_ns, char **ret_text, size_t *ret_n_bytes);

#endif
