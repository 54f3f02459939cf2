/* pretty: one thing of the interface, for people.
 *
 * Model      JSON in, indented lines out: "key: value". The unit at the end of a key (_bytes_per_s, _ns,
 *            _bytes, _ppm) says how its number is shown, and is then left out of the key. Empty text is "none";
 *            below "drops" the keys are reasons, the numbers packets.
 * Memory     None. Threads: one. Errors: none.
 */
#ifndef HG_CLI_PRETTY_H
#define HG_CLI_PRETTY_H

#include "cli/cli.h"

void hg_pretty_print(const struct hg_cli *cli, json_t *object, unsigned indent);

#endif
