/* cli: the operator's command, `headgate NOUN VERB`.
 *
 * Why        The same nouns as the interface (docs/api.md) and the same answers, said for people.
 * Model      arguments -> one of the commands in cli/commands.c -> requests over the socket -> text. With
 *            -j the interface's JSON is printed as it came.
 * Exit       0 done, 1 failed, 2 usage, 3 not found, 4 refused by admission, 5 daemon not reachable.
 * Not here   What anything means: the daemon validates. This knows how to ask and how to show.
 * Memory     One run, one struct hg_cli. Threads: one.
 * Used by    apps/headgate.c.
 */
#ifndef HG_CLI_CLI_H
#define HG_CLI_CLI_H

#include "core/compiler.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum hg_exit {
	HG_EXIT_DONE = 0,
	HG_EXIT_FAILED = 1,
	HG_EXIT_USAGE = 2,
	HG_EXIT_NOT_FOUND = 3,
	HG_EXIT_REFUSED = 4,
	HG_EXIT_UNREACHABLE = 5,
};

/* Words behind the verb, and options with their values: more than any command takes. */
#define HG_CLI_WORDS_MAX 4u
#define HG_CLI_OPTIONS_MAX 48u

struct hg_cli_option {
	const char *name; /* without the dashes */
	const char *value; /* NULL: one that takes none */
};

struct hg_cli {
	const char *socket_path;
	bool is_json;
	bool has_colour; /* out is a terminal */
	bool is_terminal;
	const char *version;
	FILE *out, *err;
	const char *words[HG_CLI_WORDS_MAX];
	unsigned n_words;
	struct hg_cli_option options[HG_CLI_OPTIONS_MAX];
	unsigned n_options;
};

/* Runs the whole command; returns enum hg_exit. */
int hg_cli_run(int argc, char **argv, const char *version, FILE *out, FILE *err);

/* The value of an option; "" for one that takes none; NULL: not given. */
const char *hg_cli_option(const struct hg_cli *cli, const char *name);

#endif
