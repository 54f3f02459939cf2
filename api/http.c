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
/* Many more than the commands and collectors of one host; each costs a few KiB. */
#define CONNECTIONS_MAX 128u
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

/* One request while its body comes in. */
struct incoming {
	char *body;
	size_t n_bytes, size;
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
	if (chmod(path, 0660) < 0 || listen(fd, (int)CONNECTIONS_MAX) < 0) {
		rc = fail(reterr, path, "cannot listen on the socket", errno);
		unlink(path);
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

/* ---- requests ----------------------------------------------------------------------------------- */

static void collect(struct hg_http *http, struct incoming *in, const char *data, size_t n)
{
	size_t size = in->size;
	char *body = NULL;

	if (in->is_too_large || in->has_no_memory)
		return;
	if (n > HG_YAML_MAX_BYTES - in->n_bytes) {
		in->is_too_large = true;
		return;
	}
	while (size < in->n_bytes + n)
		size = size == 0 ? BODY_FIRST_BYTES : size * 2u;
	if (size > in->size) {
		if (size - in->size <= BODIES_MAX_BYTES - http->bodies_bytes)
			body = realloc(in->body, size);
		if (body == NULL) {
			in->has_no_memory = true;
			return;
		}
		http->bodies_bytes += size - in->size;
		in->body = body;
		in->size = size;
	}
	memcpy(in->body + in->n_bytes, data, n);
	in->n_bytes += n;
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

static int fd_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
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
		     const char *method, const struct incoming *in, struct hg_reply *reply)
{
	char who[HG_CAPTURE_WHO_BYTES];
	const struct hg_request request = {
		.who = who_is(connection, who, sizeof(who)),
		.method = strcmp(method, "HEAD") == 0 ? "GET" : method,
		.path = url,
		.accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept"),
		.body = in->body == NULL ? "" : in->body,
		.n_bytes = in->n_bytes,
		.parameters = parameters,
		.user = connection,
	};

	if (in->is_too_large)
		hg_reply_refuse(reply, 413, -HG_EINVAL, "the body is larger than 64 MiB");
	else if (in->has_no_memory)
		hg_reply_refuse(reply, 503, -HG_ENOMEM,
				"no memory for the body: others are coming in; try again");
	else
		hg_service_handle(http->cfg.service, &request, http->cfg.clock_ns(), reply);
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
	struct incoming *in = *request;
	struct hg_reply reply;

	(void)version;
	if (in == NULL) {
		*request = calloc(1, sizeof(*in));
		return *request == NULL ? MHD_NO : MHD_YES;
	}
	if (*n_data > 0) {
		collect(user, in, data, *n_data);
		*n_data = 0;
		return MHD_YES;
	}
	reply_to(user, connection, url, method, in, &reply);
	return send_reply(user, connection, &reply);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **request,
			 enum MHD_RequestTerminationCode code)
{
	struct hg_http *http = user;
	struct incoming *in = *request;

	(void)connection;
	(void)code;
	if (in == NULL)
		return;
	http->bodies_bytes -= in->size;
	free(in->body);
	free(in);
	*request = NULL;
}

/* ---- life --------------------------------------------------------------------------------------- */

int hg_http_open(const struct hg_http_cfg *cfg, struct hg_http **ret, struct hg_error *reterr)
{
	struct hg_http *http = calloc(1, sizeof(*http));
	int fd = cfg->listen_fd, rc = 0;

	if (http == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for the interface", NULL);
	http->cfg = *cfg;
	if (fd < 0)
		rc = listen_at(cfg->socket_path, &fd, &http->was_left, reterr);
	if (rc < 0)
		goto fail_listen;
	snprintf(http->path, sizeof(http->path), "%s", cfg->socket_path);
	http->listen_fd = fd;
	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, http,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
		MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_END);
	if (http->daemon == NULL) {
		rc = hg_error_set(reterr, -HG_EIO, "cannot serve on ", cfg->socket_path, NULL);
		goto fail_daemon;
	}
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
