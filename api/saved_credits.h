/* saved_credits: the section `credits` of a saved instance (api/saved.h).
 *
 * Why        S6.7: balances survive migration.
 * Model      What core/ledger.h saves: launch credits and grants, surplus, and what was earned, by age. The section is
 *            there where the instance had a ledger of its own, with nothing in it, too.
 * Memory     JSON is the caller's. Threads: any.
 * Errors     read: -EINVAL with path, line and column; what was read passes hg_ledger_saved_check().
 * Used by    api/saved.c, api/saved_write.c.
 */
#ifndef HG_API_SAVED_CREDITS_H
#define HG_API_SAVED_CREDITS_H

#include "api/reader.h"
#include "core/instance_state.h"

/* Of the whole document. */
HG_MUST_CHECK int hg_saved_read_credits(struct hg_reader *reader, const json_t *root,
					struct hg_saved_instance *to);
/* NULL: no memory. */
json_t *hg_saved_credits_to_json(const struct hg_ledger_saved *from);

#endif
