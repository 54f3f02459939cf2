/* record: all about one tenant or one instance, for people.
 *
 * Why        The interface answers with the same figures for sending and for receiving; one beside the other
 *            they fit a screen and can be compared.
 * Model      An answer of /v1/tenants/NAME or /v1/instances/NAME in, rows of "what, out, in" out. Words are those
 *            of the interface without their unit, which stands at the value. Limits that are not set are
 *            "none"; limits that held nothing, and drops that did not happen, are left out. Of a tenant the
 *            waits at p50 and p99 are the longest of its instances.
 * Promise    80 columns, if names are not longer than 40 characters.
 * Memory     None. Threads: one. Errors: none; what is not in the answer is not shown.
 */
#ifndef HG_CLI_RECORD_H
#define HG_CLI_RECORD_H

#include "cli/cli.h"

void hg_record_print(const struct hg_cli *cli, const json_t *record);

#endif
