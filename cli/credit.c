/* The commands about processor credits: credit list|show|grant|transfer|history. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/credit_text.h"

#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 400

typedef void (*print_fn)(const struct hg_cli *cli, const json_t *answer);

static int ask_and_print(const struct hg_cli *cli, const struct hg_ask *ask, print_fn print)
{
	json_t *answer;
	int rc = hg_client_ask_json(cli, ask, &answer);

	if (rc != HG_EXIT_DONE)
		return rc;
	if (!cli->is_json)
		print(cli, answer);
	json_decref(answer);
	return HG_EXIT_DONE;
}

/* `body` is taken. What was written goes as it is: the daemon knows what is allowed. */
static int post(const struct hg_cli *cli, const char *suffix, json_t *body, print_fn print)
{
	char path[PATH_BYTES], *text = json_dumps(body, 0);
	struct hg_ask ask = {
		.method = "POST",
		.path = hg_client_path(path, sizeof(path), "/v1/credits/", cli->words[0], suffix),
		.body = text};
	int rc;

	json_decref(body);
	if (text == NULL) {
		fprintf(cli->err, "headgate: the arguments are not UTF-8\n");
		return HG_EXIT_USAGE;
	}
	ask.n_bytes = strlen(text);
	rc = ask_and_print(cli, &ask, print);
	free(text);
	return rc;
}

int hg_command_credit_list(const struct hg_cli *cli)
{
	const struct hg_ask ask = {.path = "/v1/credits"};

	return ask_and_print(cli, &ask, hg_credit_text_list);
}

int hg_command_credit_show(const struct hg_cli *cli)
{
	char path[PATH_BYTES];
	const struct hg_ask ask = {
		.path = hg_client_path(path, sizeof(path), "/v1/credits/", cli->words[0], "")};

	return ask_and_print(cli, &ask, hg_credit_text_show);
}

int hg_command_credit_grant(const struct hg_cli *cli)
{
	return post(cli, "/grant", json_pack("{s:s}", "credits", cli->words[1]),
		    hg_credit_text_grant);
}

int hg_command_credit_transfer(const struct hg_cli *cli)
{
	return post(cli, "/transfer",
		    json_pack("{s:s, s:s}", "to", cli->words[1], "credits", cli->words[2]),
		    hg_credit_text_transfer);
}

int hg_command_credit_history(const struct hg_cli *cli)
{
	const char *since = hg_cli_option(cli, "since");
	char path[PATH_BYTES], suffix[PATH_BYTES / 2] = "/history";
	struct hg_ask ask = {.path = path};

	if (since != NULL)
		hg_client_path(suffix, sizeof(suffix), "/history?since=", since, "");
	hg_client_path(path, sizeof(path), "/v1/credits/", cli->words[0], suffix);
	return ask_and_print(cli, &ask, hg_credit_text_history);
}
