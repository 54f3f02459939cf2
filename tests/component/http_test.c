/* The interface on its socket, with a clock of its own: who is let in when there is no room for all. */
#include "api/http.h"

#include "tests/component/service_world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define MANY (2u * HG_CONNECTIONS_MAX)
#define STATUS "GET /v1/host HTTP/1.1\r\nHost: x\r\n\r\n"

static char folder[] = "/tmp/hg-http-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static struct hg_http *http;
static int clients[MANY];
static char answer[16384];

static hg_ns clock_ns(void)
{
	return w.now_ns;
}

static void open_http(void)
{
	const struct hg_http_cfg cfg = {.socket_path = address.sun_path,
					.service = &w.service,
					.clock_ns = clock_ns,
					.listen_fd = -1};

	set_up();
	snprintf(folder, sizeof(folder), "/tmp/hg-http-XXXXXX");
	HG_CHECK(mkdtemp(folder) != NULL);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", folder);
	HG_CHECK_EQ(hg_http_open(&cfg, &http, NULL), 0);
	for (unsigned i = 0; i < MANY; i++)
		clients[i] = -1;
}

static void close_http(void)
{
	for (unsigned i = 0; i < MANY; i++) {
		if (clients[i] >= 0)
			close(clients[i]);
	}
	hg_http_close(http);
	rmdir(folder);
	tear_down();
}

/* Does what there is to do. */
static void turn(void)
{
	struct pollfd fd = {.fd = hg_http_fd(http), .events = POLLIN};

	for (unsigned i = 0; i < 10000 && (poll(&fd, 1, 0) > 0 || hg_http_timeout_ns(http) == 0);
	     i++)
		hg_http_run(http);
}

static int come(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	HG_CHECK(fd >= 0 && connect(fd, (void *)&address, sizeof(address)) == 0);
	return fd;
}

/* The first n clients, each a ms after the other, and each says the same. */
static void crowd(unsigned n, const char *said)
{
	for (unsigned i = 0; i < n; i++) {
		w.now_ns += HG_NS_PER_MS;
		clients[i] = come();
		HG_CHECK_EQ(send(clients[i], said, strlen(said), MSG_NOSIGNAL), strlen(said));
		turn();
	}
}

static bool is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

/* What is answered to a request of somebody who comes now. */
static const char *ask_anew(const char *request)
{
	size_t n_sent = 0, n = strlen(request);
	int fd = come();
	ssize_t n_got;

	turn();
	while (n_sent < n) {
		ssize_t n_now = send(fd, request + n_sent, n - n_sent, MSG_NOSIGNAL);

		HG_CHECK(n_now > 0);
		n_sent += (size_t)n_now;
		turn();
	}
	n_got = recv(fd, answer, sizeof(answer) - 1u, 0);
	HG_CHECK(n_got >= 0);
	answer[n_got] = '\0';
	close(fd);
	turn();
	return answer;
}

static uint64_t refused(const char *reason)
{
	const json_t *all;

	HG_CHECK_EQ(get("/v1/status"), 200);
	all = json_object_get(at("host.connections"), "refused");
	return (uint64_t)json_integer_value(json_object_get(all, reason));
}

static void s7_2_idle_connections_do_not_keep_the_operator_out(void)
{
	open_http();
	crowd(HG_CONNECTIONS_MAX, "");
	HG_CHECK_EQ(hg_http_n_connections(http), HG_CONNECTIONS_MAX);
	HG_CHECK_EQ(refused("idle"), 0);
	HG_CHECK_HAS(ask_anew(STATUS), " 200 ");
	HG_CHECK_HAS(answer, "\"connections\":{\"n\":128,\"max\":128,\"refused\":{\"idle\":1}}");
	/* The one that was there first went, and no other. */
	for (unsigned i = 0; i < HG_CONNECTIONS_MAX; i++)
		HG_CHECK_EQ(is_closed(clients[i]), i == 0);
	HG_CHECK_HAS(ask_anew("GET /metrics HTTP/1.0\r\n\r\n"),
		     " 200 "); /* there is room now: nobody goes */
	HG_CHECK_EQ(refused("idle"), 1);
	close_http();
}

/* Who was answered just now is not idle for long. */
static void s7_2_who_asks_stays(void)
{
	open_http();
	crowd(HG_CONNECTIONS_MAX, "");
	w.now_ns += HG_NS_PER_MS;
	HG_CHECK_EQ(send(clients[0], STATUS, strlen(STATUS), MSG_NOSIGNAL), strlen(STATUS));
	turn();
	HG_CHECK(recv(clients[0], answer, sizeof(answer), 0) > 0);
	HG_CHECK_HAS(ask_anew(STATUS), " 200 ");
	HG_CHECK(!is_closed(clients[0]) && is_closed(clients[1]));
	close_http();
}

/* All at once: more than the library takes in a turn. */
static void s7_2_a_crowd_at_the_door_is_let_in(void)
{
	open_http();
	crowd(HG_CONNECTIONS_MAX, "");
	for (unsigned i = HG_CONNECTIONS_MAX; i < MANY; i++)
		clients[i] = come();
	turn();
	HG_CHECK_EQ(hg_http_n_connections(http), HG_CONNECTIONS_MAX);
	HG_CHECK_EQ(refused("idle"), HG_CONNECTIONS_MAX);
	for (unsigned i = 0; i < MANY; i++)
		HG_CHECK_EQ(is_closed(clients[i]), i < HG_CONNECTIONS_MAX);
	HG_CHECK_HAS(ask_anew(STATUS), " 200 ");
	close_http();
}

static void s7_2_requests_without_end_do_not_keep_the_operator_out(void)
{
	static const char *const begins[] = {
		"GET /v1/host HTTP/1.1\r\nHost: x\r\nX-A: b\r\n",
		"PUT /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort",
	};

	for (unsigned i = 0; i < 2; i++) {
		open_http();
		crowd(HG_CONNECTIONS_MAX, begins[i]);
		/* A letter more each second is not a request. */
		w.now_ns += HG_NS_PER_S;
		HG_CHECK_EQ(send(clients[0], "a", 1, MSG_NOSIGNAL), 1);
		turn();
		HG_CHECK_HAS(ask_anew(STATUS), " 200 ");
		HG_CHECK(is_closed(clients[0]) && !is_closed(clients[1]));
		HG_CHECK_EQ(refused("unfinished"), 1);
		HG_CHECK_EQ(refused("idle"), 0);
		close_http();
	}
}

static void s7_2_answers_that_nobody_reads_do_not_keep_the_operator_out(void)
{
	static char many[400 * sizeof(STATUS)];

	many[0] = '\0';
	for (unsigned i = 0; i < 400; i++)
		strcat(many, STATUS);
	open_http();
	crowd(HG_CONNECTIONS_MAX, "");
	w.now_ns += HG_NS_PER_MS;
	HG_CHECK_HAS(ask_anew(STATUS), " 200 ");
	HG_CHECK(is_closed(clients[0]));
	close(clients[0]);
	clients[0] = come();
	turn();
	/* As much as its side of the socket holds, and one answer more. */
	for (unsigned i = 0; i < 20; i++) {
		(void)send(clients[0], many, strlen(many), MSG_NOSIGNAL);
		turn();
	}
	for (unsigned i = 1; i < HG_CONNECTIONS_MAX; i++) {
		w.now_ns += HG_NS_PER_MS;
		(void)send(clients[i], STATUS, strlen(STATUS), MSG_NOSIGNAL);
		turn();
		(void)recv(clients[i], answer, sizeof(answer), 0);
	}
	HG_CHECK_HAS(ask_anew(STATUS), " 200 ");
	HG_CHECK_EQ(refused("unread"), 1);
	close_http();
}

/* Who asks for room for a body of 40 MiB and does not fill it, twice, has what all have together. */
static void s7_2_stale_bodies_do_not_keep_the_operator_out(void)
{
	const char *head = "PUT /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: 52428800\r\n\r\n";
	static const char change[] =
		"PUT /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
	char *much = calloc(1, 40 * MIB);

	HG_CHECK(much != NULL);
	open_http();
	crowd(2, head);
	for (unsigned i = 0; i < 2; i++) {
		size_t n_sent = 0;

		while (n_sent < 40 * MIB) {
			ssize_t n = send(clients[i], much, 40 * MIB - n_sent, MSG_NOSIGNAL);

			n_sent += n > 0 ? (size_t)n : 0;
			turn();
		}
	}
	free(much);
	HG_CHECK_HAS(ask_anew(change), " 503 ");
	HG_CHECK_HAS(answer, "others are coming in");
	HG_CHECK_EQ(refused("no_memory"), 1);
	w.now_ns += HG_CONNECTIONS_STALE_NS;
	HG_CHECK_HAS(ask_anew(change), " 200 ");
	HG_CHECK_EQ(refused("unfinished"), 1);
	HG_CHECK(is_closed(clients[0]) && !is_closed(clients[1]));
	close_http();
}

/* What the library answers before the interface is asked. */
static void s7_2_what_is_no_request_is_counted(void)
{
	static char request[40000];
	size_t n = (size_t)snprintf(request, sizeof(request), "GET /v1/host HTTP/1.1\r\nX: ");

	open_http();
	HG_CHECK_HAS(ask_anew("GET /v1/host HTTP/1.1\r\nHost\r\n\r\n"), " 400 ");
	HG_CHECK_EQ(refused("malformed"), 1);
	HG_CHECK_HAS(ask_anew("PUT /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"),
		     " 400 ");
	HG_CHECK_HAS(ask_anew("GET /v1/host HTTP/9.9\r\n\r\n"), " 505 ");
	HG_CHECK_EQ(refused("malformed"), 3);
	memset(request + n, 'x', 33000);
	memcpy(request + n + 33000, "\r\n\r\n", sizeof("\r\n\r\n"));
	HG_CHECK_HAS(ask_anew(request), " 431 ");
	HG_CHECK_EQ(refused("header_too_large"), 1);
	memset(request + 5, 'x', 33000);
	HG_CHECK_HAS(ask_anew(request), " 414 ");
	HG_CHECK_EQ(refused("header_too_large"), 2);
	/* Who hangs up in the middle has refused himself. */
	close(come());
	turn();
	HG_CHECK_HAS(ask_anew(STATUS), " 200 ");
	HG_CHECK_HAS(ask_anew("GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n"), " 404 ");
	HG_CHECK_EQ(refused("malformed"), 3);
	HG_CHECK_EQ(refused("header_too_large"), 2);
	close_http();
}

static void s7_2_what_was_refused_is_in_the_metrics(void)
{
	open_http();
	crowd(HG_CONNECTIONS_MAX + 2u, "");
	HG_CHECK_EQ(get("/metrics"), 200);
	HG_CHECK_HAS(w.reply.text, "\nheadgate_interface_connections 128\n");
	HG_CHECK_HAS(w.reply.text, "\nheadgate_interface_refused_total{reason=\"idle\"} 2\n");
	HG_CHECK_HAS(w.reply.text, "\nheadgate_interface_refused_total{reason=\"unread\"} 0\n");
	HG_CHECK_HAS(w.reply.text, "{reason=\"body_too_large\"} 0\n");
	close_http();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s7_2_idle_connections_do_not_keep_the_operator_out),
		HG_TEST(s7_2_who_asks_stays),
		HG_TEST(s7_2_a_crowd_at_the_door_is_let_in),
		HG_TEST(s7_2_requests_without_end_do_not_keep_the_operator_out),
		HG_TEST(s7_2_answers_that_nobody_reads_do_not_keep_the_operator_out),
		HG_TEST(s7_2_stale_bodies_do_not_keep_the_operator_out),
		HG_TEST(s7_2_what_is_no_request_is_counted),
		HG_TEST(s7_2_what_was_refused_is_in_the_metrics),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
