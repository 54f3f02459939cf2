/* credit_text: processor credits, as text.
 *
 * Why        Who has what, and who is held since when, on one screen of 80 columns.
 * Model      Pure: answers of /v1/credits and below in, lines out. Use and limit in per cent of an instance's
 *            virtual processors. A pool has no limit of its own.
 * Memory     None. Threads: one. Errors: none.
 */
#ifndef HG_CLI_CREDIT_TEXT_H
#define HG_CLI_CREDIT_TEXT_H

#include "cli/cli.h"

void hg_credit_text_list(const struct hg_cli *cli, const json_t *answer);
void hg_credit_text_show(const struct hg_cli *cli, const json_t *row);
void hg_credit_text_history(const struct hg_cli *cli, const json_t *answer);
/* What a grant or a transfer changed: one line for each who has another balance now. */
void hg_credit_text_grant(const struct hg_cli *cli, const json_t *answer);
void hg_credit_text_transfer(const struct hg_cli *cli, const json_t *answer);
/* "cpu: 34.2 of 144 credits, uses 12 %, open", for the live table. */
void hg_credit_text_brief(const struct hg_cli *cli, const json_t *row);

#endif
