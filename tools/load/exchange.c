#include "tools/load/latency.h"
#include "tools/load/load.h"

#include <endian.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One send or receive call moves at most this much: large enough for full segments, small enough that
 * many streams take turns. */
#define CHUNK_BYTES (256u * 1024u)
#define CONNECT_FOR_NS (10 * HG_LOAD_NS_PER_S)
#define SMALL_BYTES 64u /* the exchange that finds out how soon a waking sender is served */
#define ENDLESS UINT64_MAX

struct header { /* big endian on the wire */
	uint64_t request_bytes; /* that follow the header */
	uint64_t response_bytes; /* that are to come back */
};

enum step { STEP_CLOSED, STEP_IDLE, STEP_SEND, STEP_RECEIVE };

/* A connection's side of one exchange. The server receives first, the client sends first. */
struct stream {
	int fd;
	enum step step;
	struct header wire; /* as sent or as received so far */
	unsigned header_done; /* bytes of it */
	uint64_t left_bytes; /* of the part under way */
	uint64_t other_bytes; /* of the part that follows */
	bool is_small; /* wake: this is the small exchange before the burst */
	int64_t idle_until_ns;
	int64_t began_ns;
};

struct account { /* since the last report, and since the start */
	struct hg_latency latency;
	uint64_t sent_bytes, received_bytes;
	uint64_t n_bursts, burst_bytes;
	int64_t burst_ns;
};

static char chunk[CHUNK_BYTES];

/* The congestion control that Linux comes with, where it is there, whatever this machine was set to:
 * figures then compare from machine to machine. */
static int set_up(int fd)
{
	static const char usual[] = "cubic";
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, usual, sizeof(usual) - 1);
	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static bool would_block(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* ---- server ------------------------------------------------------------------------------------- */

static void await_header(struct stream *s)
{
	s->step = STEP_RECEIVE;
	s->header_done = 0;
	s->left_bytes = 0;
	s->other_bytes = 0;
}

static void close_stream(struct stream *s)
{
	close(s->fd);
	s->fd = -1;
	s->step = STEP_CLOSED;
}

static void server_take_header(struct stream *s, const char *bytes, size_t n)
{
	memcpy((char *)&s->wire + s->header_done, bytes, n);
	s->header_done += (unsigned)n;
	if (s->header_done == sizeof(s->wire)) {
		s->left_bytes = be64toh(s->wire.request_bytes);
		s->other_bytes = be64toh(s->wire.response_bytes);
	}
}

static void server_receive(struct stream *s)
{
	bool in_header = s->header_done < sizeof(s->wire);
	uint64_t want = in_header ? sizeof(s->wire) - s->header_done : s->left_bytes;
	ssize_t n = recv(s->fd, chunk, want < CHUNK_BYTES ? want : CHUNK_BYTES, MSG_DONTWAIT);

	if (would_block(n))
		return;
	if (n <= 0) {
		close_stream(s);
		return;
	}
	if (in_header)
		server_take_header(s, chunk, (size_t)n);
	else if (s->left_bytes != ENDLESS)
		s->left_bytes -= (uint64_t)n;
	if (s->header_done == sizeof(s->wire) && s->left_bytes == 0) {
		s->left_bytes = s->other_bytes;
		s->step = STEP_SEND;
	}
}

static void server_send(struct stream *s)
{
	ssize_t n = 0;

	if (s->left_bytes > 0) {
		n = send(s->fd, chunk, s->left_bytes < CHUNK_BYTES ? s->left_bytes : CHUNK_BYTES,
			 MSG_DONTWAIT);
		if (would_block(n))
			return;
		if (n < 0) {
			close_stream(s);
			return;
		}
	}
	if (s->left_bytes != ENDLESS)
		s->left_bytes -= (uint64_t)n;
	if (s->left_bytes == 0)
		await_header(s);
}

static void server_accept(int listener, struct stream *streams)
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		return;
	for (unsigned i = 0; i < HG_LOAD_STREAMS_MAX; i++) {
		if (streams[i].step != STEP_CLOSED)
			continue;
		streams[i].fd = fd;
		set_up(fd);
		await_header(&streams[i]);
		return;
	}
	close(fd); /* as many as there may be */
}

static int listen_on(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
	    listen(fd, 64) < 0) {
		perror("hgload: cannot listen");
		exit(1);
	}
	return fd;
}

int hg_exchange_serve(const struct hg_load_cfg *cfg)
{
	static struct stream streams[HG_LOAD_STREAMS_MAX];
	struct pollfd waits[HG_LOAD_STREAMS_MAX + 1];
	int listener = listen_on(&cfg->address);
	int64_t end_ns = hg_load_now_ns() + cfg->seconds * HG_LOAD_NS_PER_S;

	puts("{\"listening\": true}");
	while (!hg_load_is_over && hg_load_now_ns() < end_ns) {
		waits[0] = (struct pollfd){.fd = listener, .events = POLLIN};
		for (unsigned i = 0; i < HG_LOAD_STREAMS_MAX; i++) {
			waits[i + 1].fd = streams[i].step == STEP_CLOSED ? -1 : streams[i].fd;
			waits[i + 1].events = streams[i].step == STEP_SEND ? POLLOUT : POLLIN;
			waits[i + 1].revents = 0;
		}
		if (poll(waits, HG_LOAD_STREAMS_MAX + 1, 1000) <= 0)
			continue;
		for (unsigned i = 0; i < HG_LOAD_STREAMS_MAX; i++) {
			if (waits[i + 1].revents != 0 && streams[i].step == STEP_RECEIVE)
				server_receive(&streams[i]);
			if (waits[i + 1].revents != 0 && streams[i].step == STEP_SEND)
				server_send(&streams[i]);
		}
		if (waits[0].revents != 0)
			server_accept(listener, streams);
	}
	return 0;
}

/* ---- client ------------------------------------------------------------------------------------- */

static bool takes(int fd, const char *congestion)
{
	return congestion == NULL || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
						(socklen_t)strlen(congestion)) == 0;
}

static int connect_to(const struct hg_load_cfg *cfg)
{
	const struct sockaddr_in *address = &cfg->address;
	int64_t end_ns = hg_load_now_ns() + CONNECT_FOR_NS;

	while (!hg_load_is_over) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd >= 0 && takes(fd, cfg->congestion) &&
		    connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
		    set_up(fd) == 0)
			return fd;
		if (hg_load_now_ns() > end_ns)
			break;
		close(fd);
		poll(NULL, 0, 50);
	}
	perror("hgload: cannot connect");
	exit(1);
}

static void begin(const struct hg_load_cfg *cfg, struct stream *s, int64_t now_ns)
{
	uint64_t request = cfg->request_bytes, response = cfg->response_bytes;

	if (cfg->mode == HG_LOAD_FLOOD) {
		request = cfg->is_reversed ? 1 : ENDLESS;
		response = cfg->is_reversed ? ENDLESS : 1;
	} else if (cfg->mode == HG_LOAD_WAKE && s->is_small) {
		request = response = SMALL_BYTES;
	} else if (cfg->mode == HG_LOAD_WAKE) {
		request = cfg->is_reversed ? 1 : cfg->burst_bytes;
		response = cfg->is_reversed ? cfg->burst_bytes : 1;
	}
	s->wire.request_bytes = htobe64(request);
	s->wire.response_bytes = htobe64(response);
	s->header_done = 0;
	s->left_bytes = request;
	s->other_bytes = response;
	s->began_ns = now_ns;
	s->step = STEP_SEND;
}

static void finish(const struct hg_load_cfg *cfg, struct stream *s, struct account *a,
		   int64_t now_ns)
{
	int64_t for_ns = now_ns - s->began_ns;

	s->step = STEP_IDLE;
	s->idle_until_ns = now_ns + cfg->idle_ns;
	if (cfg->mode == HG_LOAD_WAKE && !s->is_small) {
		a->n_bursts++;
		a->burst_bytes += cfg->burst_bytes;
		a->burst_ns += for_ns;
		s->is_small = true;
		return;
	}
	hg_latency_add(&a->latency, (uint64_t)for_ns);
	if (cfg->mode == HG_LOAD_WAKE) {
		s->is_small = false;
		s->idle_until_ns = now_ns;
	}
}

static void lost(void)
{
	perror("hgload: connection lost");
	exit(1);
}

/* Header and payload leave in one call, so that a small request is one packet. */
static void client_send(struct stream *s, struct account *a)
{
	size_t header_left = sizeof(s->wire) - s->header_done;
	uint64_t want = header_left + s->left_bytes;
	ssize_t n;

	if (s->left_bytes > CHUNK_BYTES - sizeof(s->wire))
		want = CHUNK_BYTES;
	memcpy(chunk, (const char *)&s->wire + s->header_done, header_left);
	n = send(s->fd, chunk, want, MSG_DONTWAIT);
	if (would_block(n))
		return;
	if (n < 0)
		lost();
	a->sent_bytes += (uint64_t)n;
	if ((size_t)n < header_left) {
		s->header_done += (unsigned)n;
		return;
	}
	s->header_done = sizeof(s->wire);
	if (s->left_bytes != ENDLESS)
		s->left_bytes -= (uint64_t)n - header_left;
	if (s->left_bytes == 0) {
		s->left_bytes = s->other_bytes;
		s->step = STEP_RECEIVE;
	}
}

static void client_receive(const struct hg_load_cfg *cfg, struct stream *s, struct account *a)
{
	ssize_t n = recv(s->fd, chunk, s->left_bytes < CHUNK_BYTES ? s->left_bytes : CHUNK_BYTES,
			 MSG_DONTWAIT);

	if (would_block(n))
		return;
	if (n <= 0)
		lost();
	a->received_bytes += (uint64_t)n;
	if (s->left_bytes != ENDLESS)
		s->left_bytes -= (uint64_t)n;
	if (s->left_bytes == 0)
		finish(cfg, s, a, hg_load_now_ns());
}

/* Adds the interval to the total, prints it and empties it. */
static void report(const struct account *a, unsigned second, int64_t for_ns, bool is_total)
{
	const struct hg_latency *l = &a->latency;
	double seconds = (double)for_ns / 1e9;

	if (seconds <= 0)
		seconds = 1e-9;
	printf("{\"total\": %s, \"second\": %u, \"seconds\": %.3f, \"sent_mbit_per_s\": %.3f, "
	       "\"received_mbit_per_s\": %.3f, \"count\": %llu, \"p50_us\": %.1f, "
	       "\"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, \"bursts\": %llu, "
	       "\"burst_mbit_per_s\": %.3f}\n",
	       is_total ? "true" : "false", second, seconds, (double)a->sent_bytes * 8e-6 / seconds,
	       (double)a->received_bytes * 8e-6 / seconds, (unsigned long long)l->count,
	       (double)hg_latency_quantile(l, 500000) / 1e3,
	       (double)hg_latency_quantile(l, 990000) / 1e3,
	       (double)hg_latency_quantile(l, 999000) / 1e3, (double)l->max_ns / 1e3,
	       (unsigned long long)a->n_bursts,
	       a->burst_ns > 0 ? (double)a->burst_bytes * 8e3 / (double)a->burst_ns : 0.0);
}

static void close_second(struct account *second, struct account *total)
{
	hg_latency_merge(&total->latency, &second->latency);
	total->sent_bytes += second->sent_bytes;
	total->received_bytes += second->received_bytes;
	total->n_bursts += second->n_bursts;
	total->burst_bytes += second->burst_bytes;
	total->burst_ns += second->burst_ns;
	memset(second, 0, sizeof(*second));
}

/* Fills in what each stream waits for; returns the earliest end of an idle time. */
static int64_t prepare(const struct hg_load_cfg *cfg, struct stream *streams, struct pollfd *waits,
		       int64_t now_ns)
{
	int64_t wake_at_ns = INT64_MAX;

	for (unsigned i = 0; i < cfg->n_streams; i++) {
		struct stream *s = &streams[i];

		if (s->step == STEP_IDLE && s->idle_until_ns <= now_ns)
			begin(cfg, s, now_ns);
		if (s->step == STEP_IDLE && s->idle_until_ns < wake_at_ns)
			wake_at_ns = s->idle_until_ns;
		waits[i].fd = s->fd;
		waits[i].events = 0;
		waits[i].revents = 0;
		if (s->step == STEP_SEND)
			waits[i].events = POLLOUT;
		if (s->step == STEP_RECEIVE)
			waits[i].events = POLLIN;
	}
	return wake_at_ns;
}

static void wait_for(struct pollfd *waits, unsigned n, int64_t for_ns)
{
	struct timespec timeout = {.tv_sec = for_ns / HG_LOAD_NS_PER_S,
				   .tv_nsec = for_ns % HG_LOAD_NS_PER_S};

	ppoll(waits, n, &timeout, NULL);
}

static void serve_waits(const struct hg_load_cfg *cfg, struct stream *streams,
			const struct pollfd *waits, struct account *a)
{
	for (unsigned i = 0; i < cfg->n_streams; i++) {
		if (waits[i].revents == 0)
			continue;
		if (streams[i].step == STEP_SEND)
			client_send(&streams[i], a);
		else if (streams[i].step == STEP_RECEIVE)
			client_receive(cfg, &streams[i], a);
	}
}

static bool are_idle(const struct hg_load_cfg *cfg, const struct stream *streams)
{
	for (unsigned i = 0; i < cfg->n_streams; i++) {
		if (streams[i].step != STEP_IDLE)
			return false;
	}
	return true;
}

/* Waits for the next signal; false: it is over. */
static bool is_told(const sigset_t *signals)
{
	const struct timespec look = {.tv_sec = 1};

	while (!hg_load_is_over) {
		if (sigtimedwait(signals, NULL, &look) > 0)
			return true;
	}
	return false;
}

/* What is begun in it is brought to its end, so that nothing is on the way afterwards. */
static void run_slice(const struct hg_load_cfg *cfg, struct stream *streams, struct account *a)
{
	int64_t now_ns = hg_load_now_ns(), end_ns = now_ns + cfg->slice_ns;
	struct pollfd waits[HG_LOAD_STREAMS_MAX];

	while (!hg_load_is_over && (now_ns < end_ns || !are_idle(cfg, streams))) {
		bool may_begin = now_ns < end_ns;
		int64_t wake_at_ns = prepare(cfg, streams, waits, may_begin ? now_ns : 0);

		if (!may_begin)
			wake_at_ns = now_ns + HG_LOAD_NS_PER_S;
		else if (wake_at_ns > end_ns)
			wake_at_ns = end_ns;
		wait_for(waits, cfg->n_streams, wake_at_ns > now_ns ? wake_at_ns - now_ns : 0);
		serve_waits(cfg, streams, waits, a);
		now_ns = hg_load_now_ns();
	}
}

static void run_slices(const struct hg_load_cfg *cfg, struct stream *streams)
{
	static struct account slice;
	unsigned n_slices = 0;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	puts("{\"ready\": true}");
	while (is_told(&signals)) {
		int64_t began_ns = hg_load_now_ns();

		memset(&slice, 0, sizeof(slice));
		run_slice(cfg, streams, &slice);
		report(&slice, n_slices++, hg_load_now_ns() - began_ns, true);
	}
}

int hg_exchange_run(const struct hg_load_cfg *cfg)
{
	static struct stream streams[HG_LOAD_STREAMS_MAX];
	static struct account second, total;
	struct pollfd waits[HG_LOAD_STREAMS_MAX];
	int64_t began_ns, end_ns, second_ends_ns, now_ns;
	unsigned n_seconds = 0;

	for (unsigned i = 0; i < cfg->n_streams; i++)
		streams[i] =
			(struct stream){.fd = connect_to(cfg), .step = STEP_IDLE, .is_small = true};
	if (cfg->slice_ns > 0) {
		run_slices(cfg, streams);
		return 0;
	}
	now_ns = began_ns = hg_load_now_ns();
	second_ends_ns = began_ns + HG_LOAD_NS_PER_S;
	end_ns = began_ns + cfg->seconds * HG_LOAD_NS_PER_S;
	while (!hg_load_is_over && now_ns < end_ns) {
		int64_t wake_at_ns = prepare(cfg, streams, waits, now_ns);

		if (wake_at_ns > second_ends_ns)
			wake_at_ns = second_ends_ns;
		wait_for(waits, cfg->n_streams, wake_at_ns > now_ns ? wake_at_ns - now_ns : 0);
		serve_waits(cfg, streams, waits, &second);
		now_ns = hg_load_now_ns();
		if (now_ns >= second_ends_ns) {
			report(&second, ++n_seconds, now_ns - second_ends_ns + HG_LOAD_NS_PER_S,
			       false);
			close_second(&second, &total);
			second_ends_ns = now_ns + HG_LOAD_NS_PER_S;
		}
	}
	close_second(&second, &total);
	report(&total, n_seconds, now_ns - began_ns, true);
	return 0;
}
