/* uplink: an uplink and the queue of its card, as text.
 *
 * Why        What is in the card can be overtaken by nobody: how much that is, whose it is, for how long, and
 *            who waits because of it belongs on one screen.
 * Model      Pure: an answer of /v1/uplinks/NAME or of /v1/uplinks/NAME/depth in, lines of at most 80 columns
 *            out. What is zero and need not be is left out: lost buffers, refusals.
 *            Of the instances those are listed that had anything in the card or waited for it.
 * Memory     None. Threads: one. Errors: none.
 */
#ifndef HG_CLI_UPLINK_H
#define HG_CLI_UPLINK_H

#include "cli/cli.h"

void hg_uplink_print(const struct hg_cli *cli, const json_t *uplink);
/* What MAX was decided from, oldest first. */
void hg_uplink_print_depth(const struct hg_cli *cli, const json_t *answer);

#endif
