/* commands: what the command can do, each as one function.
 *
 * Model      hg_commands is the one list; help and the parser of arguments are read off it.
 * Errors     enum hg_exit.
 */
#ifndef HG_CLI_COMMANDS_H
#define HG_CLI_COMMANDS_H

#include "cli/cli.h"
#include "cli/fields.h"

struct hg_command {
	const char *noun; /* NULL: end of the list */
	const char *verb; /* NULL: the noun is the whole command */
	unsigned min_words, max_words; /* behind the verb */
	const char *words; /* for help: "NAME" */
	/* Options of its own: flags take no value, values do, up to a NULL. */
	const char *const *flags, *const *values;
	const struct hg_resource *fields; /* and one for each field of this; NULL: none */
	int (*run)(const struct hg_cli *cli);
	const char *doc; /* for help */
};

extern const struct hg_command hg_commands[];

int hg_command_show(const struct hg_cli *cli);
int hg_command_show_uplink(const struct hg_cli *cli);
int hg_command_uplink_depth(const struct hg_cli *cli);
int hg_command_explain(const struct hg_cli *cli);
int hg_command_export(const struct hg_cli *cli);

int hg_command_apply(const struct hg_cli *cli);
int hg_command_confirm(const struct hg_cli *cli);
int hg_command_diff(const struct hg_cli *cli);
int hg_command_restart(const struct hg_cli *cli);
int hg_command_uplink_set(const struct hg_cli *cli);
int hg_command_instance_add(const struct hg_cli *cli);
int hg_command_instance_remove(const struct hg_cli *cli);
int hg_command_instance_save(const struct hg_cli *cli);
int hg_command_instance_restore(const struct hg_cli *cli);
int hg_command_port_announce(const struct hg_cli *cli);
int hg_command_port_attach(const struct hg_cli *cli);
int hg_command_port_detach(const struct hg_cli *cli);

int hg_command_credit_list(const struct hg_cli *cli);
int hg_command_credit_show(const struct hg_cli *cli);
int hg_command_credit_grant(const struct hg_cli *cli);
int hg_command_credit_transfer(const struct hg_cli *cli);
int hg_command_credit_history(const struct hg_cli *cli);

int hg_command_capture(const struct hg_cli *cli);

int hg_command_tenant_list(const struct hg_cli *cli);
int hg_command_tenant_show(const struct hg_cli *cli);
int hg_command_instance_list(const struct hg_cli *cli);
int hg_command_instance_show(const struct hg_cli *cli);
int hg_command_port_list(const struct hg_cli *cli);
int hg_command_port_show(const struct hg_cli *cli);

#endif
