#include "cli/commands.h"

static const char *const none[] = {NULL};
static const char *const show_flags[] = {"watch", NULL};
static const char *const export_flags[] = {"json", NULL};
static const char *const change_flags[] = {"dry-run", NULL};
static const char *const change_values[] = {"confirm", "generation", NULL};
static const char *const depth_values[] = {"since", NULL};
static const char *const history_values[] = {"since", NULL};
static const char *const capture_flags[] = {"uplink", NULL};
static const char *const capture_values[] = {"direction", "filter",  "count", "bytes",
					     "seconds",   "snaplen", "write", NULL};
static const char *const instance_values[] = {"tenant", "confirm", "generation", NULL};
static const char *const save_flags[] = {"detach", NULL};
static const char *const save_values[] = {"output", NULL};
static const char *const restore_values[] = {"tenant", "uplink", "device", NULL};
static const char *const port_values[] = {"instance", "confirm", "generation", NULL};

const struct hg_command hg_commands[] = {
	{"show", NULL, 0, 1, "[UPLINK]", show_flags, none, NULL, hg_command_show,
	 "who asked for what, got what, was held by what; --watch: again each second"},
	{"show", "uplink", 0, 1, "[NAME]", show_flags, none, NULL, hg_command_show_uplink,
	 "what is in the card's queue, whose it is, and who waits for it"},
	{"explain", NULL, 1, 1, "INSTANCE", none, none, NULL, hg_command_explain,
	 "why an instance is slow: which limit, who competes"},
	{"capture", NULL, 1, 1, "PORT", capture_flags, capture_values, NULL, hg_command_capture,
	 "look at the packets of a port; -w writes a file of pcapng"},
	{"apply", NULL, 1, 1, "FILE", change_flags, change_values, NULL, hg_command_apply,
	 "put a configuration into force; - is standard input"},
	{"confirm", NULL, 0, 0, "", none, none, NULL, hg_command_confirm,
	 "keep a change that was applied with --confirm"},
	{"diff", NULL, 1, 1, "FILE", none, none, NULL, hg_command_diff,
	 "what an apply of the file would change"},
	{"export", NULL, 0, 0, "", export_flags, none, NULL, hg_command_export,
	 "the configuration in force"},
	{"restart", NULL, 0, 0, "", none, none, NULL, hg_command_restart,
	 "put a new process in the place of headgated, without losing a packet"},
	{"uplink", "show", 1, 1, "NAME", show_flags, none, NULL, hg_command_show_uplink,
	 "the same as show uplink NAME"},
	{"uplink", "set", 1, 1, "NAME", change_flags, change_values, &hg_schema_uplink,
	 hg_command_uplink_set, "change what is given of an uplink: --inflight off, --depth 64KiB"},
	{"uplink", "depth", 1, 1, "NAME", none, depth_values, NULL, hg_command_uplink_depth,
	 "the samples from which the depth of its card's queue was decided"},
	{"tenant", "list", 0, 0, "", none, none, NULL, hg_command_tenant_list, "all tenants"},
	{"tenant", "show", 1, 1, "NAME", none, none, NULL, hg_command_tenant_show,
	 "all about one tenant"},
	{"instance", "list", 0, 0, "", none, none, NULL, hg_command_instance_list, "all instances"},
	{"instance", "show", 1, 1, "NAME", none, none, NULL, hg_command_instance_show,
	 "all about one instance"},
	{"instance", "add", 1, 1, "NAME", change_flags, instance_values, &hg_schema_contract,
	 hg_command_instance_add,
	 "create an instance, or replace its contract: what is not given is not in it"},
	{"instance", "remove", 1, 1, "NAME", change_flags, change_values, NULL,
	 hg_command_instance_remove, "remove an instance and its ports"},
	{"instance", "save", 1, 1, "NAME", save_flags, save_values, NULL, hg_command_instance_save,
	 "its contract, tokens, addresses and counters as one document, for another host"},
	{"instance", "restore", 1, 1, "FILE", change_flags, restore_values, NULL,
	 hg_command_instance_restore, "let a saved instance arrive here, and announce it"},
	{"port", "list", 0, 0, "", none, none, NULL, hg_command_port_list, "all ports"},
	{"port", "show", 1, 1, "NAME", none, none, NULL, hg_command_port_show,
	 "all about one port"},
	{"port", "attach", 1, 1, "NAME", change_flags, port_values, &hg_schema_port,
	 hg_command_port_attach, "attach a device to an instance, or change how"},
	{"port", "detach", 1, 1, "NAME", change_flags, change_values, NULL, hg_command_port_detach,
	 "detach a device and give it back"},
	{"port", "announce", 1, 1, "NAME", none, none, NULL, hg_command_port_announce,
	 "tell the network behind the uplink where the port's addresses are"},
	{"credit", "list", 0, 0, "", none, none, NULL, hg_command_credit_list,
	 "processor credits of all instances and pools: balance, use, limit, when they end"},
	{"credit", "show", 1, 1, "NAME", none, none, NULL, hg_command_credit_show,
	 "all about the processor credits of an instance, or of a tenant's pool"},
	{"credit", "grant", 2, 2, "NAME CREDITS", none, none, NULL, hg_command_credit_grant,
	 "give credits: they are spent first, and need not fit below the maximum"},
	{"credit", "transfer", 3, 3, "FROM TO CREDITS", none, none, NULL,
	 hg_command_credit_transfer, "move credits from one to another, the oldest first"},
	{"credit", "history", 1, 1, "NAME", none, history_values, NULL, hg_command_credit_history,
	 "balance, use and earnings of each 5 minutes"},
	{0},
};
