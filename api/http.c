#include "api/http.h"

#include "api/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A client that says nothing for this long is gone; `show --watch` asks each second. */
#define IDLE_S 30u
/* Room for those that are let in before others have gone: the library takes at most 11 in a turn. At its own limit it
 * does not look at the socket again until a timer is over. */
#define CONNECTIONS_MORE 32u
/* What bodies that are still coming in may take together: two of the largest. */
#define BODIES_MAX_BYTES (2u * (size_t)HG_YAML_MAX_BYTES)
/* Bodies grow from here by doubling. */
#define BODY_FIRST_BYTES 4096u

/* A reader of a capture that has nothing is looked at this often: what a person does not notice, and what the
 * room for packets that wait is made for. Only while somebody captures. */
#define LOOK_NS (5 * HG_NS_PER_MS)
/* Handed over at once: a block of the file system, several times. */
#define STREAM_BYTES (64u * 1024u)

struct hg_http {
	struct hg_http_cfg cfg;
	struct MHD_Daemon *daemon;
	int listen_fd;
	bool was_left; /* a dead daemon's socket file was there */
	bool is_leaving;
	size_t bodies_bytes; /* of all requests together */
	struct hg_connections connections;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct reader *readers;
};

/* Whoever reads a capture. */
struct reader {
	struct hg_http *http;
	struct MHD_Connection *connection;
	struct hg_capture_stream *stream;
	int fd;
	bool is_suspended;
	struct reader *next;
};

/* A connection, and the body of its request while it comes in. */
struct client {
	struct hg_connection
		connection; /* body_bytes: the size of the memory; first: it is found by this */
	char *body;
	size_t n_bytes;
	bool is_too_large, has_no_memory;
};

/* ---- the socket --------------------------------------------------------------------------------- */

static int fail(struct hg_error *reterr, const char *path, const char *what, int error)
{
	int code = error == EACCES || error == EPERM ? -HG_EPERM
		   : error == ENOENT                 ? -HG_ENOENT
						     : -HG_EIO;

	return hg_error_set(reterr, code, what, " ", path, ": ", strerror(error), NULL);
}

static bool is_somebody_there(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_there = fd >= 0 && connect(fd, (const void *)address, sizeof(*address)) == 0;

	if (fd >= 0)
		close(fd);
	return is_there;
}

/* Removes a socket file that a dead daemon left behind. */
static int clear_path(const struct sockaddr_un *address, bool *ret_was_left,
		      struct hg_error *reterr)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0
				       : fail(reterr, address->sun_path,
					      "cannot look at the socket", errno);
	if (!S_ISSOCK(st.st_mode))
		return hg_error_set(reterr, -HG_EEXIST, address->sun_path,
				    " is there already and is not a socket", NULL);
	if (is_somebody_there(address))
		return hg_error_set(reterr, -HG_EBUSY, "another headgated is running: the socket ",
				    address->sun_path, " is in use", NULL);
	if (unlink(address->sun_path) < 0)
		return fail(reterr, address->sun_path, "cannot remove the old socket", errno);
	*ret_was_left = true;
	return 0;
}

static int listen_at(const char *path, int *ret_fd, bool *ret_was_left, struct hg_error *reterr)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return hg_error_set(reterr, -HG_EINVAL,
				    "the path of the socket is too long, at most 107 bytes: ", path,
				    NULL);
	strcpy(address.sun_path, path);
	rc = clear_path(&address, ret_was_left, reterr);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(reterr, path, "cannot make a socket for", errno);
	if (bind(fd, (const void *)&address, sizeof(address)) < 0) {
		rc = fail(reterr, path, "cannot make the socket", errno);
		close(fd);
		return rc;
	}
	if (chmod(path, 0660) < 0 || listen(fd, (int)HG_CONNECTIONS_MAX) < 0) {
		rc = fail(reterr, path, "cannot listen on the socket", errno);
		unlink(path);
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

/* ---- connections -------------------------------------------------------------------------------- */

static int fd_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* NULL: there was no memory for it, and it goes. */
static struct client *client_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

static void become(struct hg_http *http, struct client *client, enum hg_connection_state state)
{
	hg_connections_become(&http->connections, &client->connection, state, http->cfg.clock_ns());
}

static void forget_body(struct hg_http *http, struct client *client)
{
	http->bodies_bytes -= client->connection.body_bytes;
	client->connection.body_bytes = 0;
	free(client->body);
	client->body = NULL;
	client->n_bytes = 0;
}

/* The library finds that it has ended, and closes it. */
static void refuse(struct hg_http *http, struct hg_connection *connection)
{
	hg_connections_refuse(&http->connections, connection);
	(void)shutdown(connection->fd, SHUT_RDWR);
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct hg_http *http = user;
	struct client *client = *context;
	struct hg_connection *longest;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (client != NULL)
			hg_connections_leave(&http->connections, &client->connection);
		free(client);
		*context = NULL;
		return;
	}
	client = calloc(1, sizeof(*client));
	if (client == NULL) {
		(void)shutdown(fd_of(connection), SHUT_RDWR);
		return;
	}
	client->connection.fd = fd_of(connection);
	*context = client;
	longest = hg_connections_longest(&http->connections);
	hg_connections_enter(&http->connections, &client->connection, http->cfg.clock_ns());
	if (http->connections.n > HG_CONNECTIONS_MAX && longest != NULL)
		refuse(http, longest);
}

/* ---- requests ----------------------------------------------------------------------------------- */

/* The first line is there: a request has begun. */
static void *on_line(void *user, const char *line, struct MHD_Connection *connection)
{
	struct client *client = client_of(connection);

	(void)line;
	if (client != NULL)
		become(user, client, HG_CONNECTION_ASKING);
	return NULL;
}

static enum hg_refusal refusal_of(unsigned status)
{
	switch (status) {
	case MHD_HTTP_CONTENT_TOO_LARGE:
		return HG_REFUSAL_BODY_TOO_LARGE;
	case MHD_HTTP_URI_TOO_LONG:
	case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
		return HG_REFUSAL_HEADER_TOO_LARGE;
	case MHD_HTTP_INTERNAL_SERVER_ERROR:
		return HG_REFUSAL_NO_MEMORY;
	default:
		return HG_REFUSAL_MALFORMED;
	}
}

/* What the library answers by itself it tells nobody but its log: "Error processing request (HTTP response code is %u
 * ('%s')). Closing connection." Other lines are not about refusals. */
static void on_log(void *user, const char *format, va_list list)
{
	static const char status_is[] = "HTTP response code is ";
	struct hg_http *http = user;
	const char *found = strstr(format, status_is), *first = strchr(format, '%');

	if (found != NULL && first == found + strlen(status_is) && first[1] == 'u')
		http->connections.n_refused[refusal_of(va_arg(list, unsigned))]++;
}

/* Whether so many bytes more may be held for bodies, also by letting go of those that are stale. */
static bool has_room(struct hg_http *http, const struct client *client, size_t n_bytes)
{
	while (n_bytes > BODIES_MAX_BYTES - http->bodies_bytes) {
		struct hg_connection *stale =
			hg_connections_stale_body(&http->connections, http->cfg.clock_ns());
		struct client *its = (struct client *)(void *)stale;

		if (stale == NULL || its == client)
			return false;
		refuse(http, stale);
		forget_body(http, its);
		its->has_no_memory = true;
	}
	return true;
}

static void collect(struct hg_http *http, struct client *client, const char *data, size_t n)
{
	size_t had = client->connection.body_bytes, size = had;
	char *body = NULL;

	if (client->is_too_large || client->has_no_memory)
		return;
	if (n > HG_YAML_MAX_BYTES - client->n_bytes) {
		client->is_too_large = true;
		forget_body(http, client);
		return;
	}
	while (size < client->n_bytes + n)
		size = size == 0 ? BODY_FIRST_BYTES : size * 2u;
	if (size > had) {
		if (has_room(http, client, size - had))
			body = realloc(client->body, size);
		if (body == NULL) {
			client->has_no_memory = true;
			forget_body(http, client);
			return;
		}
		http->bodies_bytes += size - had;
		client->connection.body_bytes = size;
		client->body = body;
	}
	memcpy(client->body + client->n_bytes, data, n);
	client->n_bytes += n;
}

struct taking {
	hg_parameter_fn take;
	void *with;
};

static enum MHD_Result take_argument(void *user, enum MHD_ValueKind kind, const char *key,
				     const char *value)
{
	const struct taking *t = user;

	(void)kind;
	t->take(t->with, key, value);
	return MHD_YES;
}

static void parameters(void *user, hg_parameter_fn take, void *with)
{
	struct taking t = {take, with};

	(void)MHD_get_connection_values(user, MHD_GET_ARGUMENT_KIND, take_argument, &t);
}

/* A path or a parameter that hides a NUL stays as it is, and so names nothing: what is meant by "web1%00x" is not
 * web1. */
static size_t unescape(void *user, struct MHD_Connection *connection, char *text)
{
	(void)user;
	(void)connection;
	return strstr(text, "%00") != NULL ? strlen(text) : MHD_http_unescape(text);
}

static const char *who_is(struct MHD_Connection *connection, char *buf, size_t size)
{
	struct ucred peer = {0};
	socklen_t n = sizeof(peer);

	if (getsockopt(fd_of(connection), SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
		return NULL;
	snprintf(buf, size, "process %ld of user %lu", (long)peer.pid, (unsigned long)peer.uid);
	return buf;
}

static void reply_to(struct hg_http *http, struct MHD_Connection *connection, const char *url,
		     const char *method, const struct client *client, struct hg_reply *reply)
{
	char who[HG_CAPTURE_WHO_BYTES];
	const struct hg_request request = {
		.who = who_is(connection, who, sizeof(who)),
		.method = strcmp(method, "HEAD") == 0 ? "GET" : method,
		.path = url,
		.accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept"),
		.body = client->body == NULL ? "" : client->body,
		.n_bytes = client->n_bytes,
		.parameters = parameters,
		.user = connection,
	};

	if (client->is_too_large) {
		http->connections.n_refused[HG_REFUSAL_BODY_TOO_LARGE]++;
		hg_reply_refuse(reply, 413, -HG_EINVAL, "the body is larger than 64 MiB");
	} else if (client->has_no_memory) {
		http->connections.n_refused[HG_REFUSAL_NO_MEMORY]++;
		hg_reply_refuse(reply, 503, -HG_ENOMEM,
				"no memory for the body: others are coming in; try again");
	} else {
		hg_service_handle(http->cfg.service, &request, http->cfg.clock_ns(), reply);
	}
}

/* ---- streams ------------------------------------------------------------------------------------ */

/* What its socket says: POLLRDHUP, it sends no more; POLLHUP, it is gone. */
static short hung_up(const struct reader *reader)
{
	struct pollfd fd = {.fd = reader->fd, .events = POLLRDHUP};

	return poll(&fd, 1, 0) > 0 ? fd.revents : 0;
}

/* The next bytes of the file. Who has said that it sends no more gets the end of the file. */
static ssize_t read_stream(void *user, uint64_t at, char *buf, size_t n)
{
	struct reader *reader = user;
	short what = hung_up(reader);
	size_t n_got;

	(void)at;
	if (what & (POLLHUP | POLLERR))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (what & POLLRDHUP)
		hg_capture_stream_end(reader->stream, "the reader ended it");
	n_got = hg_capture_stream_read(reader->stream, buf, n, reader->http->cfg.clock_ns());
	if (n_got > 0)
		return (ssize_t)n_got;
	if (hg_capture_stream_is_over(reader->stream))
		return MHD_CONTENT_READER_END_OF_STREAM;
	MHD_suspend_connection(reader->connection);
	reader->is_suspended = true;
	return 0;
}

static void free_reader(void *user)
{
	struct reader *reader = user, **at = &reader->http->readers;

	while (*at != reader)
		at = &(*at)->next;
	*at = reader->next;
	hg_capture_stream_close(reader->stream);
	free(reader);
}

/* Takes the stream over. */
static struct MHD_Response *stream_response(struct hg_http *http, struct MHD_Connection *connection,
					    struct hg_reply *reply)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	struct MHD_Response *response;

	if (reader == NULL)
		return NULL;
	*reader = (struct reader){.http = http,
				  .connection = connection,
				  .stream = reply->stream,
				  .fd = fd_of(connection),
				  .next = http->readers};
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BYTES, read_stream,
						     reader, free_reader);
	if (response == NULL) {
		free(reader);
		return NULL;
	}
	http->readers = reader;
	reply->stream = NULL;
	return response;
}

static void resume(struct reader *reader)
{
	reader->is_suspended = false;
	MHD_resume_connection(reader->connection);
}

/* Lets those go on for whom there is something, or who went. */
static void wake_readers(struct hg_http *http)
{
	for (struct reader *reader = http->readers; reader != NULL; reader = reader->next) {
		if (reader->is_suspended &&
		    (hung_up(reader) != 0 ||
		     hg_capture_stream_is_ready(reader->stream, http->cfg.clock_ns())))
			resume(reader);
	}
}

static bool has_suspended(const struct hg_http *http)
{
	for (const struct reader *reader = http->readers; reader != NULL; reader = reader->next) {
		if (reader->is_suspended)
			return true;
	}
	return false;
}

/* ---- replies ------------------------------------------------------------------------------------ */

static enum MHD_Result send_reply(struct hg_http *http, struct MHD_Connection *connection,
				  struct hg_reply *reply)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	/* The library frees the text. */
	if (reply->stream != NULL)
		response = stream_response(http, connection, reply);
	else
		response = MHD_create_response_from_buffer(
			reply->n_bytes, reply->text,
			reply->text == NULL ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
	if (response == NULL) {
		hg_reply_fini(reply);
		return MHD_NO;
	}
	(void)MHD_add_response_header(response, "Content-Type", reply->content_type);
	result = MHD_queue_response(connection, (unsigned)reply->status, response);
	MHD_destroy_response(response);
	return result;
}

/* Called once with the headers, then with pieces of the body, then with none. */
static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *n_data, void **request)
{
	struct client *client = client_of(connection);
	struct hg_reply reply;

	(void)version;
	if (client == NULL)
		return MHD_NO;
	if (*request == NULL) {
		*request = client;
		return MHD_YES;
	}
	if (*n_data > 0) {
		collect(user, client, data, *n_data);
		*n_data = 0;
		return MHD_YES;
	}
	reply_to(user, connection, url, method, client, &reply);
	become(user, client, reply.stream != NULL ? HG_CONNECTION_STREAM : HG_CONNECTION_ANSWERED);
	return send_reply(user, connection, &reply);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **request,
			 enum MHD_RequestTerminationCode code)
{
	struct client *client = client_of(connection);

	(void)code;
	*request = NULL;
	if (client == NULL)
		return;
	forget_body(user, client);
	client->is_too_large = client->has_no_memory = false;
	become(user, client, HG_CONNECTION_IDLE);
}

/* ---- life --------------------------------------------------------------------------------------- */

int hg_http_open(const struct hg_http_cfg *cfg, struct hg_http **ret, struct hg_error *reterr)
{
	struct hg_http *http = calloc(1, sizeof(*http));
	int fd = cfg->listen_fd, rc = 0;

	if (http == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for the interface", NULL);
	http->cfg = *cfg;
	hg_connections_init(&http->connections);
	if (fd < 0)
		rc = listen_at(cfg->socket_path, &fd, &http->was_left, reterr);
	if (rc < 0)
		goto fail_listen;
	snprintf(http->path, sizeof(http->path), "%s", cfg->socket_path);
	http->listen_fd = fd;
	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, http,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
		MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
		MHD_OPTION_CONNECTION_LIMIT, HG_CONNECTIONS_MAX + CONNECTIONS_MORE,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_URI_LOG_CALLBACK,
		on_line, http, MHD_OPTION_END);
	if (http->daemon == NULL) {
		rc = hg_error_set(reterr, -HG_EIO, "cannot serve on ", cfg->socket_path, NULL);
		goto fail_daemon;
	}
	cfg->service->connections = &http->connections;
	*ret = http;
	return 0;
fail_daemon:
	close(fd);
	unlink(cfg->socket_path);
fail_listen:
	free(http);
	return rc;
}

void hg_http_close(struct hg_http *http)
{
	if (http == NULL)
		return;
	/* The library wants none suspended when it ends. */
	for (struct reader *reader = http->readers; reader != NULL; reader = reader->next) {
		if (reader->is_suspended)
			resume(reader);
	}
	MHD_stop_daemon(http->daemon);
	http->cfg.service->connections = NULL;
	if (!http->is_leaving)
		unlink(http->path);
	free(http);
}

bool hg_http_was_left(const struct hg_http *http)
{
	return http->was_left;
}

int hg_http_listen_fd(const struct hg_http *http)
{
	return http->listen_fd;
}

void hg_http_leave(struct hg_http *http)
{
	MHD_socket fd = MHD_quiesce_daemon(http->daemon);

	if (fd != MHD_INVALID_SOCKET)
		close(fd);
	http->is_leaving = true;
}

unsigned hg_http_n_connections(const struct hg_http *http)
{
	return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
		->num_connections;
}

int hg_http_fd(const struct hg_http *http)
{
	return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

void hg_http_run(struct hg_http *http)
{
	wake_readers(http);
	(void)MHD_run(http->daemon);
}

hg_ns hg_http_timeout_ns(const struct hg_http *http)
{
	hg_ns least_ns = has_suspended(http) ? LOOK_NS : HG_NEVER;
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(http->daemon, &ms) != MHD_YES)
		return least_ns;
	return (hg_ns)ms * HG_NS_PER_MS < least_ns ? (hg_ns)ms * HG_NS_PER_MS : least_ns;
}
