/* http: HTTP/1.1 on a unix socket, driven by the control lane's event loop.
 *
 * Why        The command, scripts and collectors of metrics all speak it, and the rights of a socket file
 *            are access control that every operator knows.
 * Model      libmicrohttpd without threads of its own: when fd() is readable or timeout is over, run().
 *            Bodies are collected up to HG_YAML_MAX_BYTES, those of all connections together up to twice
 *            that, then hg_service_handle() answers. Whoever comes is let in: who goes for it says
 *            api/connections.h. While bodies together have no more room, stale ones go; if there is none,
 *            the new one is refused.
 * Socket     A socket file on which nobody listens any more is replaced; one on which somebody does is
 *            an error: another headgated is running. The file has mode 0660.
 * Memory     Allocates; the service outlives it. Threads: the control lane.
 * Errors     open: -EBUSY the socket is in use; -EPERM, -ENOENT, -EIO with path and the system's reason.
 *            A connection that misbehaves is closed; a body too large is answered with 413.
 * Not here   What is no request for the library (malformed, of another version, with headers of more than 32 KiB) it
 *            answers by itself, in HTML, before anybody here is asked: 400, 413, 414, 431, 505. It has no hook
 *            for that but its log, by which these are counted. A first line of a single word it closes
 *            without answer or log; that is not counted.
 */
#ifndef HG_API_HTTP_H
#define HG_API_HTTP_H

#include "api/service.h"

struct hg_http;

struct hg_http_cfg {
	const char *socket_path;
	struct hg_service *service; /* `connections` is set while it is open */
	hg_ns (*clock_ns)(void); /* the control lane's clock */
	int listen_fd; /* a socket that another process listened with, ours from now on; -1: make one */
};

HG_MUST_CHECK int hg_http_open(const struct hg_http_cfg *cfg, struct hg_http **ret,
			       struct hg_error *reterr);
/* Closes the connections and removes the socket file. NULL: nothing. */
void hg_http_close(struct hg_http *http);

/* Whether a dead daemon's socket file was found at open. */
bool hg_http_was_left(const struct hg_http *http);
/* The socket that is listened with, for another process. */
int hg_http_listen_fd(const struct hg_http *http);
/* Takes no more connections; what is connected is still answered. The socket file is another process's now. */
void hg_http_leave(struct hg_http *http);
unsigned hg_http_n_connections(const struct hg_http *http);

int hg_http_fd(const struct hg_http *http);
void hg_http_run(struct hg_http *http);
/* How long run() may wait at most without fd() being readable; HG_NEVER: for ever. */
hg_ns hg_http_timeout_ns(const struct hg_http *http);

#endif
