/* credits: processor credits, as the interface shows and changes them.
 *
 * Why        S6.12: who is held must see what it has, what it earns, when that ends, and why; who operates the
 *            host gives and moves credits.
 * Model      One function for each path below /v1/credits (docs/api.md); and what other answers say of an
 *            instance's processors.
 * Units      Credits as decimals, and beside them the same exactly, in ns of processor time (_cpu_ns).
 * Memory     JSON is the caller's. Threads: the control lane. Cost: one row is O(rows), for its name.
 * Errors     -ENOENT with the nearest name, -EINVAL with what is allowed, -ENOSPC with what there is, -EIO with
 *            why nothing is governed, -ENOTSUP where credits are not served.
 */
#ifndef HG_API_CREDITS_H
#define HG_API_CREDITS_H

#include "control/credits.h"

#include <jansson.h>

/* What an answer is made of. */
struct hg_credit_ask {
	const struct hg_control *control;
	const char *name; /* of an instance, or of a tenant with a pool */
	const char *body; /* n_bytes of YAML or JSON */
	size_t n_bytes;
	const char *since; /* "24h"; NULL: not said */
};
typedef int (*hg_credit_fn)(const struct hg_credit_ask *ask, json_t **ret, struct hg_error *reterr);

HG_MUST_CHECK int hg_credit_list(const struct hg_credit_ask *ask, json_t **ret,
				 struct hg_error *reterr);
HG_MUST_CHECK int hg_credit_show(const struct hg_credit_ask *ask, json_t **ret,
				 struct hg_error *reterr);
HG_MUST_CHECK int hg_credit_grant(const struct hg_credit_ask *ask, json_t **ret,
				  struct hg_error *reterr);
HG_MUST_CHECK int hg_credit_transfer(const struct hg_credit_ask *ask, json_t **ret,
				     struct hg_error *reterr);
HG_MUST_CHECK int hg_credit_history(const struct hg_credit_ask *ask, json_t **ret,
				    struct hg_error *reterr);

/* The instance's row, with a sentence in `text`; NULL: it is not governed, or cannot be. */
json_t *hg_credit_of_instance(const struct hg_control *control, uint32_t instance_idx);

#endif
