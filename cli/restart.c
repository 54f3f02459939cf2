/* headgate restart: another process in the place of headgated, without losing a packet. */
#include "cli/answer.h"
#include "cli/client.h"
#include "cli/commands.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_AGAIN_NS 20000000L
/* The daemon gives up after a minute; while it hands over, nobody answers for an instant. */
#define PATIENCE_S 90
/* From when on a person is told that something goes on. */
#define SILENT_LOOKS 50u
#define UNREACHABLE_LOOKS_MAX 250u

static void wait_a_little(void)
{
	const struct timespec t = {.tv_nsec = LOOK_AGAIN_NS};

	(void)nanosleep(&t, NULL);
}

static bool is_over(const json_t *restart, json_int_t wanted)
{
	return restart != NULL && hg_answer_number(restart, "number") >= wanted &&
	       strcmp(hg_answer_text(restart, "state"), "under way") != 0;
}

/* Asks until it is over. Between the two processes a connection may be lost: it is asked again. */
static int follow(const struct hg_cli *cli, json_int_t wanted, json_t **ret_restart,
		  char **ret_text)
{
	const struct hg_ask ask = {.path = "/v1/restart", .is_quiet = true};
	time_t until = time(NULL) + PATIENCE_S;
	unsigned n_unreachable = 0;

	for (unsigned n = 0; time(NULL) < until && n_unreachable < UNREACHABLE_LOOKS_MAX; n++) {
		json_t *restart = NULL;
		char *answer = NULL;
		size_t n_bytes;

		if (n == SILENT_LOOKS && !cli->is_json)
			fputs("the new process is starting\n", cli->err);
		if (hg_client_ask(cli, &ask, &answer, &n_bytes) == HG_EXIT_DONE) {
			restart = json_loads(answer, 0, NULL);
			n_unreachable = 0;
		} else {
			n_unreachable++;
		}
		if (is_over(restart, wanted)) {
			*ret_restart = restart;
			*ret_text = answer;
			return HG_EXIT_DONE;
		}
		json_decref(restart);
		free(answer);
		wait_a_little();
	}
	fputs("headgate: the restart did not come to an end; see headgated's log\n", cli->err);
	return HG_EXIT_UNREACHABLE;
}

#define COUNT_BYTES 32

/* "1,204". */
static char *count(char *buf, json_int_t n)
{
	char digits[COUNT_BYTES];
	size_t n_digits = (size_t)snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, n);
	size_t at = 0;

	for (size_t i = 0; i < n_digits && at + 2u < COUNT_BYTES; i++) {
		buf[at++] = digits[i];
		if (i + 1u < n_digits && (n_digits - i) % 3u == 1u)
			buf[at++] = ',';
	}
	buf[at] = '\0';
	return buf;
}

static int tell(const struct hg_cli *cli, const json_t *restart)
{
	char carried[COUNT_BYTES], lost[COUNT_BYTES];
	json_int_t n_reopened = hg_answer_number(restart, "n_reopened");

	if (strcmp(hg_answer_text(restart, "state"), "done") != 0) {
		fprintf(cli->err, "headgate: no restart: %s\n", hg_answer_text(restart, "error"));
		return HG_EXIT_FAILED;
	}
	if (cli->is_json)
		return HG_EXIT_DONE;
	fprintf(cli->out, "handed over in %.0f ms, %s packets carried, %s lost\n",
		(double)hg_answer_number(restart, "gap_ns") / 1e6,
		count(carried, hg_answer_number(restart, "carried_pkts")),
		count(lost, hg_answer_number(restart, "lost_pkts")));
	if (hg_answer_text(restart, "anew")[0] != '\0')
		fprintf(cli->out, "%s: they begin anew\n", hg_answer_text(restart, "anew"));
	if (n_reopened > 0)
		fprintf(cli->out,
			"%" JSON_INTEGER_FORMAT " %s not be handed over: opened anew, if there\n",
			n_reopened, n_reopened == 1 ? "device could" : "devices could");
	return HG_EXIT_DONE;
}

int hg_command_restart(const struct hg_cli *cli)
{
	const struct hg_ask ask = {.method = "POST", .path = "/v1/restart", .body = ""};
	json_t *restart;
	char *answer;
	size_t n_bytes;
	json_int_t wanted;
	int rc = hg_client_ask(cli, &ask, &answer, &n_bytes);

	if (rc != HG_EXIT_DONE)
		return rc;
	restart = json_loads(answer, 0, NULL);
	wanted = hg_answer_number(restart, "number");
	json_decref(restart);
	free(answer);
	rc = follow(cli, wanted, &restart, &answer);
	if (rc != HG_EXIT_DONE)
		return rc;
	if (cli->is_json)
		fprintf(cli->out, "%s\n", answer);
	rc = tell(cli, restart);
	json_decref(restart);
	free(answer);
	return rc;
}
