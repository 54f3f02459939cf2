#include "cli/cli.h"

#include "api/config.h"
#include "api/nearest.h"
#include "cli/commands.h"
#include "cli/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/headgate/headgated.sock"

/* Where the help of a command begins: behind "uplink set NAME". */
#define COMMAND_COLUMN 25
/* Where the help of an option begins: behind "--out-idle-reserve SIZE". */
#define OPTION_COLUMN 29
#define WORDS_BYTES 64u

/* Arguments that stand for nouns, verbs and names: two more than words. */
#define PLAIN_MAX (HG_CLI_WORDS_MAX + 2u)

struct arguments {
	int argc, at;
	char **argv;
	const char *plain[PLAIN_MAX];
	unsigned n_plain;
	const struct hg_command *command; /* NULL: not known yet */
	bool is_turned; /* "show instance" was said for "instance list" */
	unsigned n_fields;
	struct hg_cli_field fields[HG_FIELDS_MAX];
};

const char *hg_cli_option(const struct hg_cli *cli, const char *name)
{
	for (unsigned i = 0; i < cli->n_options; i++) {
		if (strcmp(cli->options[i].name, name) == 0)
			return cli->options[i].value == NULL ? "" : cli->options[i].value;
	}
	return NULL;
}

/* ---- help --------------------------------------------------------------------------------------- */

/* What is said of a command or an option of which n characters are printed: beside it, or below what is too long. */
static void doc_beside(FILE *out, int n, unsigned column, const char *doc)
{
	if (n >= (int)column) {
		fputc('\n', out);
		n = 0;
	}
	fprintf(out, "%*s", (int)column - n, "");
	hg_table_wrap(out, column, column, doc);
}

static void command_line(FILE *out, const struct hg_command *c)
{
	int n = fprintf(out, "  %s%s%s %s", c->noun, c->verb == NULL ? "" : " ",
			c->verb == NULL ? "" : c->verb, c->words);

	doc_beside(out, n, COMMAND_COLUMN, c->doc);
}

static void usage(FILE *out)
{
	fputs("usage: headgate [-j] [--socket PATH] NOUN [VERB] [NAME] [options]\n\n", out);
	for (const struct hg_command *c = hg_commands; c->noun != NULL; c++)
		command_line(out, c);
	fputs("\n  -j, --json       print the interface's JSON\n"
	      "  --socket PATH    its socket (default " DEFAULT_SOCKET ")\n"
	      "  --help           this; behind a command: its options\n"
	      "  --version\n"
	      "\nshow instance NAME is instance show NAME, and so for each noun.\n"
	      "Rates are written 10Mbit, sizes 256KiB, times 60s.\n"
	      "Exit: 0 done, 1 failed, 2 usage, 3 not found, 4 refused by admission,\n"
	      "5 daemon not reachable.\n",
	      out);
}

static void option_line(FILE *out, const char *option, const char *value, const char *doc)
{
	int n = fprintf(out, "    --%s%s%s", option, *value == '\0' ? "" : " ", value);

	doc_beside(out, n, OPTION_COLUMN, doc);
}

/* What the options mean that are not fields of the configuration. */
static const char *option_doc(const char *option)
{
	static const struct {
		const char *option, *doc;
	} docs[] = {
		{"dry-run", "say what would change, and change nothing"},
		{"confirm", "take the change back after TIME (1s to 24h), unless headgate confirm "
			    "is said before"},
		{"generation", "only if that of the state in force is still N (headgate -j show)"},
		{"tenant", "the tenant that the instance belongs to"},
		{"device", "another device for a port of it; more with commas between"},
		{"detach", "and take it off this host at the same instant"},
		{"output", "to this file (-o FILE) instead of standard output"},
		{"instance", "the instance that the port belongs to"},
		{"watch", "again each second, until Ctrl-C"},
		{"since", "from this number on; the answer's `next` goes on where it ended"},
		{"json", "as JSON instead of YAML"},
		{"uplink", "PORT is the name of an uplink"},
		{"direction", "out (what the instance sends), in, or both (default)"},
		{"filter", "an expression as tcpdump takes it: \"tcp port 443\""},
		{"count", "so many packets at most"},
		{"bytes", "a file no larger than this (default 1GiB)"},
		{"seconds", "for so long at most (default 600)"},
		{"snaplen", "of each packet only so many bytes (default: all)"},
		{"write", "or -w: to this file, as pcapng; - is standard output"},
	};

	for (unsigned i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
		if (strcmp(docs[i].option, option) == 0)
			return docs[i].doc;
	}
	return "";
}

/* How far back in time, where it is the number of a sample elsewhere. */
static bool is_history(const struct hg_command *c, const char *option)
{
	return strcmp(c->noun, "credit") == 0 && strcmp(option, "since") == 0;
}

/* One of them takes a value in one command and none in another. */
static const char *value_doc(const struct hg_command *c, const char *option)
{
	if (is_history(c, option))
		return "how far back: 5m to 360h (default 24h)";
	if (strcmp(option, "uplink") == 0)
		return "make its tenant on this uplink, if it is not here";
	return option_doc(option);
}

/* What stands for their values. */
static const char *option_value(const char *option)
{
	static const struct {
		const char *option, *value;
	} values[] = {
		{"confirm", "TIME"}, {"generation", "N"},
		{"since", "N"},      {"direction", "both|out|in"},
		{"filter", "TEXT"},  {"count", "N"},
		{"bytes", "SIZE"},   {"seconds", "N"},
		{"snaplen", "N"},    {"write", "FILE"},
		{"output", "FILE"},  {"device", "PORT=DEVICE"},
	};

	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (strcmp(values[i].option, option) == 0)
			return values[i].value;
	}
	return "NAME";
}

/* What stands for the value of a field: its unit, or the words that may be said. */
static const char *value_text(const struct hg_field *field, char words[WORDS_BYTES])
{
	static const char *const names[HG_N_KINDS] = {
		[HG_KIND_NAME] = "NAME",         [HG_KIND_TEXT] = "TEXT",
		[HG_KIND_RATE] = "RATE",         [HG_KIND_SIZE] = "SIZE",
		[HG_KIND_TIME] = "TIME",         [HG_KIND_PKT_RATE] = "PPS",
		[HG_KIND_COUNT] = "N",           [HG_KIND_MAC] = "MAC",
		[HG_KIND_ADDRESSES] = "A,B,...", [HG_KIND_FACTOR] = "FACTOR",
	};
	size_t n = 0;

	if (field->kind != HG_KIND_WORD)
		return names[field->kind] == NULL ? "VALUE" : names[field->kind];
	words[0] = '\0';
	for (const char *const *word = field->words; *word != NULL && n < WORDS_BYTES; word++)
		n += (size_t)snprintf(words + n, WORDS_BYTES - n, "%s%s", n == 0 ? "" : "|", *word);
	return words;
}

static void command_usage(FILE *out, const struct hg_command *c)
{
	struct hg_cli_field fields[HG_FIELDS_MAX];
	unsigned n_fields = c->fields == NULL ? 0 : hg_fields_list(c->fields, fields);
	char words[WORDS_BYTES];

	fputs("usage: headgate\n", out);
	command_line(out, c);
	for (const char *const *flag = c->flags; *flag != NULL; flag++)
		option_line(out, *flag, "", option_doc(*flag));
	for (const char *const *value = c->values; *value != NULL; value++)
		option_line(out, *value, is_history(c, *value) ? "TIME" : option_value(*value),
			    value_doc(c, *value));
	for (unsigned i = 0; i < n_fields; i++)
		option_line(out, fields[i].option, value_text(fields[i].field, words),
			    fields[i].field->doc);
}

/* dashes: what stands in front of the word, and of the best in its place (NULL: none is known). */
static int refuse_dashed(const struct hg_cli *cli, const char *what, const char *dashes,
			 const char *word, const char *best)
{
	fprintf(cli->err, "headgate: %s %s%s", what, dashes, word);
	if (best != NULL)
		fprintf(cli->err, "; did you mean %s%s?", dashes, best);
	else
		fputs("; see headgate --help", cli->err);
	fputc('\n', cli->err);
	return HG_EXIT_USAGE;
}

static int refuse(const struct hg_cli *cli, const char *what, const char *word, const char *best)
{
	return refuse_dashed(cli, what, "", word, best);
}

/* ---- commands ----------------------------------------------------------------------------------- */

static bool is_command(const struct hg_command *c, const struct arguments *a)
{
	return strcmp(c->noun, a->plain[0]) == 0 &&
	       (c->verb == NULL || (a->n_plain > 1 && strcmp(c->verb, a->plain[1]) == 0));
}

static bool has_name(const char *const *names, const char *name)
{
	for (; *names != NULL; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

/* Of "show" and "show uplink" the one that says more. */
static const struct hg_command *find_command(const struct arguments *a)
{
	const struct hg_command *found = NULL;

	for (const struct hg_command *c = hg_commands; c->noun != NULL; c++) {
		if (a->n_plain > 0 && is_command(c, a) && (found == NULL || c->verb != NULL))
			found = c;
	}
	return found;
}

/* Is it one of which there are several, and a list? */
static bool has_list(const char *noun)
{
	for (const struct hg_command *c = hg_commands; c->noun != NULL; c++) {
		if (c->verb != NULL && strcmp(c->noun, noun) == 0 && strcmp(c->verb, "list") == 0)
			return true;
	}
	return false;
}

/* "show instance web1" is "instance show web1", and "show instance" is "instance list". */
static void turn_show(struct arguments *a)
{
	if (a->n_plain == 2 && strcmp(a->plain[0], "show") == 0 && has_list(a->plain[1])) {
		a->plain[0] = a->plain[1];
		a->plain[1] = "list";
		a->is_turned = true;
	} else if (a->n_plain == 3 && a->is_turned) {
		a->plain[1] = "show";
	}
}

static bool is_noun(const char *word)
{
	for (const struct hg_command *c = hg_commands; c->noun != NULL; c++) {
		if (strcmp(c->noun, word) == 0)
			return true;
	}
	return false;
}

static void noun_usage(FILE *out, const char *noun)
{
	for (const struct hg_command *c = hg_commands; c->noun != NULL; c++) {
		if (strcmp(c->noun, noun) == 0)
			command_line(out, c);
	}
}

static int refuse_command(const struct hg_cli *cli, const struct arguments *a)
{
	struct hg_nearest nearest;
	bool has_noun = is_noun(a->plain[0]);

	if (has_noun && a->n_plain < 2) {
		fprintf(cli->err, "headgate: %s takes a verb:\n", a->plain[0]);
		noun_usage(cli->err, a->plain[0]);
		return HG_EXIT_USAGE;
	}
	hg_nearest_init(&nearest, a->plain[has_noun ? 1 : 0]);
	for (const struct hg_command *c = hg_commands; c->noun != NULL; c++) {
		if (!has_noun)
			hg_nearest_offer(&nearest, c->noun);
		else if (strcmp(c->noun, a->plain[0]) == 0)
			hg_nearest_offer(&nearest, c->verb);
	}
	return refuse(cli, "there is no command", nearest.word, nearest.best);
}

/* ---- arguments ---------------------------------------------------------------------------------- */

static int refuse_option(const struct hg_cli *cli, const struct arguments *a, const char *name)
{
	struct hg_nearest nearest;

	hg_nearest_init(&nearest, name);
	for (const char *const *flag = a->command->flags; *flag != NULL; flag++)
		hg_nearest_offer(&nearest, *flag);
	for (const char *const *value = a->command->values; *value != NULL; value++)
		hg_nearest_offer(&nearest, *value);
	for (unsigned i = 0; i < a->n_fields; i++)
		hg_nearest_offer(&nearest, a->fields[i].option);
	return refuse_dashed(cli, "this command has no option", "--", name, nearest.best);
}

/* "--name value", "--name=value" or "--name". The name is cut off its '='. */
static int take_option(struct hg_cli *cli, struct arguments *a)
{
	char *name = a->argv[a->at] + 2, *equals = strchr(name, '=');
	const char *value = NULL;

	if (equals != NULL) {
		*equals = '\0';
		value = equals + 1;
	}
	if (cli->n_options == HG_CLI_OPTIONS_MAX)
		return refuse_dashed(cli, "too many options at", "--", name, NULL);
	if (has_name(a->command->flags, name)) {
		if (value != NULL)
			return refuse_dashed(cli, "this option takes no value:", "--", name, NULL);
	} else if (has_name(a->command->values, name) ||
		   hg_fields_find(a->fields, a->n_fields, name) != NULL) {
		if (value == NULL && a->at + 1 < a->argc)
			value = a->argv[++a->at];
		if (value == NULL)
			return refuse_dashed(cli, "this option needs a value:", "--", name, NULL);
	} else {
		return refuse_option(cli, a, name);
	}
	if (hg_cli_option(cli, name) != NULL)
		return refuse_dashed(cli, "this option is given twice:", "--", name, NULL);
	cli->options[cli->n_options++] = (struct hg_cli_option){name, value};
	return HG_EXIT_DONE;
}

/* Takes one of the options that every command has. */
static bool take_global(struct hg_cli *cli, struct arguments *a)
{
	const char *word = a->argv[a->at];

	if (strcmp(word, "-j") == 0 ||
	    (strcmp(word, "--json") == 0 &&
	     (a->command == NULL || !has_name(a->command->flags, "json")))) {
		cli->is_json = true;
		return true;
	}
	if (strcmp(word, "--socket") == 0 && a->at + 1 < a->argc) {
		cli->socket_path = a->argv[++a->at];
		return true;
	}
	if (strncmp(word, "--socket=", 9) == 0) {
		cli->socket_path = word + 9;
		return true;
	}
	return false;
}

/* The options with a short name: where every program that does the like has it. */
static void lengthen(struct arguments *a)
{
	static char write_option[] = "--write", output_option[] = "--output";

	if (a->command == NULL)
		return;
	if (strcmp(a->argv[a->at], "-w") == 0 && has_name(a->command->values, "write"))
		a->argv[a->at] = write_option;
	else if (strcmp(a->argv[a->at], "-o") == 0 && has_name(a->command->values, "output"))
		a->argv[a->at] = output_option;
}

static void know_command(struct arguments *a)
{
	turn_show(a);
	a->command = find_command(a);
	if (a->command != NULL && a->command->fields != NULL)
		a->n_fields = hg_fields_list(a->command->fields, a->fields);
}

static int parse(struct hg_cli *cli, struct arguments *a)
{
	int rc;

	for (a->at = 1; a->at < a->argc; a->at++) {
		const char *word;

		if (take_global(cli, a))
			continue;
		lengthen(a);
		word = a->argv[a->at];
		if (word[0] != '-' || word[1] == '\0') {
			if (a->n_plain == PLAIN_MAX)
				return refuse(cli, "too many words at", word, NULL);
			a->plain[a->n_plain++] = word;
			/* "show" alone is a command, and so is "show uplink". */
			if (a->n_plain <= 2 || a->is_turned)
				know_command(a);
			continue;
		}
		if (a->command == NULL && a->n_plain > 0)
			return refuse_command(cli, a);
		if (a->command == NULL || (strncmp(word, "--", 2) != 0 && strcmp(word, "-o") != 0))
			return refuse(cli, "there is no option", word, NULL);
		rc = take_option(cli, a);
		if (rc != HG_EXIT_DONE)
			return rc;
	}
	return HG_EXIT_DONE;
}

static int check_words(struct hg_cli *cli, const struct arguments *a)
{
	const struct hg_command *c = a->command;
	unsigned n_before = c->verb == NULL ? 1 : 2;

	cli->n_words = a->n_plain - n_before;
	for (unsigned i = 0; i < cli->n_words; i++)
		cli->words[i] = a->plain[n_before + i];
	if (cli->n_words >= c->min_words && cli->n_words <= c->max_words)
		return HG_EXIT_DONE;
	fputs(cli->n_words < c->min_words ? "headgate: a name is missing; "
					  : "headgate: too many words; ",
	      cli->err);
	command_usage(cli->err, c);
	return HG_EXIT_USAGE;
}

/* What can be no name would become another path than the one that is meant; the rest the daemon judges. */
static bool can_be_name(const char *word)
{
	return word[0] != '\0' && word[0] != '.' && strchr(word, '/') == NULL &&
	       strlen(word) < HG_NAME_BYTES;
}

static int check_names(const struct hg_cli *cli, const struct hg_command *c)
{
	const char *what = c->words;

	for (unsigned i = 0; i < cli->n_words; i++) {
		size_t n = strcspn(what, " ");
		bool is_name = strncmp(what, "FILE", n) != 0 && strncmp(what, "CREDITS", n) != 0;

		if (is_name && !can_be_name(cli->words[i])) {
			fprintf(cli->err,
				"headgate: \"%.63s\"%s is no name: 1 to 63 of a-z 0-9 . _ -, and "
				"first a letter or digit\n",
				cli->words[i], strlen(cli->words[i]) < HG_NAME_BYTES ? "" : "...");
			return HG_EXIT_USAGE;
		}
		what += n + strspn(what + n, " ");
	}
	return HG_EXIT_DONE;
}

/* An empty path would mean another host's port 80 to libcurl. */
static int check_socket(const struct hg_cli *cli)
{
	if (cli->socket_path[0] != '\0' &&
	    strlen(cli->socket_path) < sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return HG_EXIT_DONE;
	fputs("headgate: --socket takes a path of 1 to 107 bytes\n", cli->err);
	return HG_EXIT_USAGE;
}

static bool wants(int argc, char **argv, const char *option)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], option) == 0)
			return true;
	}
	return false;
}

/* "help explain" is "explain --help". */
static bool asks_help(struct hg_cli *cli, int argc, char **argv)
{
	struct arguments a = {.argc = argc, .argv = argv};

	for (a.at = 1; a.at < argc; a.at++) {
		if (!take_global(cli, &a))
			break;
	}
	return (a.at < argc && strcmp(argv[a.at], "help") == 0) || wants(argc, argv, "--help") ||
	       wants(argc, argv, "-h");
}

static int help(struct hg_cli *cli, struct arguments *a)
{
	for (a->at = 1; a->at < a->argc && a->n_plain < 3; a->at++) {
		const char *word = a->argv[a->at];

		if (take_global(cli, a) || word[0] == '-' ||
		    (a->n_plain == 0 && strcmp(word, "help") == 0))
			continue;
		a->plain[a->n_plain++] = word;
		if (a->n_plain <= 2 || a->is_turned)
			know_command(a);
	}
	if (a->n_plain == 0) {
		usage(cli->out);
	} else if (a->command != NULL) {
		command_usage(cli->out, a->command);
	} else if (a->n_plain == 1 && is_noun(a->plain[0])) {
		fputs("usage: headgate\n", cli->out);
		noun_usage(cli->out, a->plain[0]);
	} else {
		return refuse_command(cli, a);
	}
	return HG_EXIT_DONE;
}

/* Who exports to a full disk must not believe that it is all there. */
static int check_written(const struct hg_cli *cli, int rc)
{
	bool is_written = fflush(cli->out) == 0;

	if (rc != HG_EXIT_DONE || (is_written && !ferror(cli->out)))
		return rc;
	fprintf(cli->err, "headgate: cannot write the output: %s\n",
		is_written ? "some of it was lost" : strerror(errno));
	return HG_EXIT_FAILED;
}

/* Not of a terminal that shows escapes as they are, and not of who says so (https://no-color.org). */
static bool wants_colour(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return (no_color == NULL || *no_color == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

int hg_cli_run(int argc, char **argv, const char *version, FILE *out, FILE *err)
{
	struct hg_cli cli = {
		.socket_path = DEFAULT_SOCKET, .version = version, .out = out, .err = err};
	struct arguments a = {.argc = argc, .argv = argv};
	int fd = fileno(out), rc;

	if (asks_help(&cli, argc, argv))
		return help(&cli, &a);
	if (wants(argc, argv, "--version")) {
		fprintf(out, "headgate %s\n", version);
		return HG_EXIT_DONE;
	}
	cli.is_terminal = fd >= 0 && isatty(fd);
	cli.has_colour = cli.is_terminal && wants_colour();
	rc = parse(&cli, &a);
	if (rc != HG_EXIT_DONE)
		return rc;
	if (a.n_plain == 0) {
		usage(err);
		return HG_EXIT_USAGE;
	}
	if (a.command == NULL)
		return refuse_command(&cli, &a);
	rc = check_words(&cli, &a);
	if (rc == HG_EXIT_DONE)
		rc = check_names(&cli, a.command);
	if (rc == HG_EXIT_DONE)
		rc = check_socket(&cli);
	return rc != HG_EXIT_DONE ? rc : check_written(&cli, a.command->run(&cli));
}
