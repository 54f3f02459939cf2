/* fields: options of the command out of the field tables of the configuration.
 *
 * Why        `--out-max` must not drift from contract.out.max: one table (api/schema.h) says both.
 * Model      Every scalar field below a resource is an option: its keys joined by dashes, `_` as `-`:
 *            contract.out.idle.after is --out-idle-after. Fields that are not served are left out.
 * Memory     Caller's array. Threads: any. Errors: none; the daemon validates values.
 */
#ifndef HG_CLI_FIELDS_H
#define HG_CLI_FIELDS_H

#include "cli/cli.h"

#include "api/schema.h"

#define HG_FIELDS_MAX 40u
#define HG_FIELDS_DEPTH 3u

struct hg_cli_field {
	char option[32]; /* "out-max" */
	const char *keys[HG_FIELDS_DEPTH]; /* "out", "max"; NULL behind the last */
	const struct hg_field *field;
};

/* All options of a resource; `name` is not one. Returns how many. */
unsigned hg_fields_list(const struct hg_resource *resource,
			struct hg_cli_field fields[HG_FIELDS_MAX]);
const struct hg_cli_field *hg_fields_find(const struct hg_cli_field *fields, unsigned n,
					  const char *option);
/* Puts the value where the field stands; a list is split at commas. */
void hg_fields_put(json_t *object, const struct hg_cli_field *field, const char *value);

#endif
