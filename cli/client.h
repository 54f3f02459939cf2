/* client: one request to the daemon, over its socket.
 *
 * Model      libcurl. Errors of the daemon are printed here, once, as it said them, and become the exit
 *            code of the command.
 * Memory     Answers are the caller's. Threads: one.
 * Errors     enum hg_exit; on anything but HG_EXIT_DONE a sentence was printed and no output is set.
 */
#ifndef HG_CLI_CLIENT_H
#define HG_CLI_CLIENT_H

#include "cli/cli.h"

struct hg_ask {
	const char *method; /* NULL: GET */
	const char *path; /* "/v1/status"; names in it escaped */
	const char *body; /* NULL: none */
	size_t n_bytes;
	bool is_quiet; /* errors are not printed: the caller asks again */
	const char
		*file; /* the body came from here, for errors with a line; NULL: not from a file */
};

/* The answer's text; the caller free()s. */
HG_MUST_CHECK int hg_client_ask(const struct hg_cli *cli, const struct hg_ask *ask, char **ret_text,
				size_t *ret_n_bytes);
/* The answer's JSON; the caller json_decref()s. With -j its text is printed as well. */
HG_MUST_CHECK int hg_client_ask_json(const struct hg_cli *cli, const struct hg_ask *ask,
				     json_t **ret_json);

struct hg_stream_ask {
	const char *path;
	/* Bytes of the answer as they come; false: no more. */
	bool (*on_bytes)(void *user, const char *bytes, size_t n);
	/* Once, before the request goes out. */
	void (*on_connected)(void *user, int fd);
	void *user;
};

/* GETs what comes for as long as it comes. HG_EXIT_DONE also where it broke off, or on_bytes said so: who reads
 * knows whether it was whole. */
HG_MUST_CHECK int hg_client_stream(const struct hg_cli *cli, const struct hg_stream_ask *ask);

/* PREFIX NAME SUFFIX with the name escaped for a path; "" if it does not fit. Returns buf. */
char *hg_client_path(char *buf, size_t size, const char *prefix, const char *name,
		     const char *suffix);

#endif
