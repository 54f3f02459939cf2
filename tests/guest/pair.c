/* Two virtual machines, one of which sends numbered frames to the other: guest_pair PATH_A PATH_B BURST EVERY_MS
 *
 * Until it is told to end (SIGTERM) A sends a burst each EVERY_MS; what B has not seen yet bounds it. B
 * holds each frame against what was sent. Then one JSON object: how many were sent and came, how many are missing below
 * the highest, came twice, out of order or with other bytes; what the guests found wrong with the back end; how often
 * they were connected; and the longest time between two frames of which the second had been sent before the first
 * came; and the longest between any two. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FRAME_BYTES 1400u
#define FRAMES_MAX (1u << 22)
/* Less than a hold queue of 160 KiB takes, whatever stands still. */
#define WINDOW 100u
#define NAP_NS 100000L
#define DRAIN_NS INT64_C(700000000)

struct pair {
	struct guest *from, *to;
	uint8_t *seen; /* by number */
	uint64_t sent, got, twice, wrong, order, highest_plus_1;
	int64_t last_at_ns, stall_ns, silence_ns;
};

static volatile sig_atomic_t is_told;

static void on_term(int number)
{
	(void)number;
	is_told = 1;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void make_frame(uint8_t *frame, uint64_t number, int64_t sent_ns)
{
	static const uint8_t head[14] = {2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, 0xa, 0x88, 0xb5};

	memcpy(frame, head, sizeof(head));
	memcpy(frame + 14, &number, sizeof(number));
	memcpy(frame + 22, &sent_ns, sizeof(sent_ns));
	for (size_t i = 30; i < FRAME_BYTES; i++)
		frame[i] = (uint8_t)(number * 131u + i * 7u);
}

static void send_burst(struct pair *pair, unsigned burst)
{
	uint8_t frame[FRAME_BYTES];

	for (unsigned i = 0; i < burst && pair->sent < FRAMES_MAX; i++) {
		if (pair->sent - pair->highest_plus_1 >= WINDOW)
			return;
		make_frame(frame, pair->sent, now_ns());
		if (!guest_send(pair->from, 0, frame, sizeof(frame), NULL))
			return;
		pair->sent++;
	}
}

static void note(struct pair *pair, const uint8_t *frame, size_t n_bytes)
{
	uint8_t want[FRAME_BYTES];
	uint64_t number;
	int64_t sent_ns, at_ns = now_ns();

	memcpy(&number, frame + 14, sizeof(number));
	memcpy(&sent_ns, frame + 22, sizeof(sent_ns));
	if (n_bytes != FRAME_BYTES || number >= pair->sent) {
		pair->wrong++;
		return;
	}
	make_frame(want, number, sent_ns);
	pair->wrong += memcmp(frame, want, FRAME_BYTES) != 0;
	pair->twice += pair->seen[number];
	pair->got += !pair->seen[number];
	pair->seen[number] = 1;
	pair->order += number + 1 < pair->highest_plus_1;
	if (number + 1 > pair->highest_plus_1)
		pair->highest_plus_1 = number + 1;
	if (pair->last_at_ns != 0 && sent_ns < pair->last_at_ns &&
	    at_ns - pair->last_at_ns > pair->stall_ns)
		pair->stall_ns = at_ns - pair->last_at_ns;
	if (pair->last_at_ns != 0 && at_ns - pair->last_at_ns > pair->silence_ns)
		pair->silence_ns = at_ns - pair->last_at_ns;
	pair->last_at_ns = at_ns;
}

static void receive(struct pair *pair)
{
	static uint8_t frame[GUEST_FRAME_MAX_BYTES];
	size_t n;

	while ((n = guest_receive(pair->to, 0, frame, sizeof(frame), NULL)) > 0) {
		/* The switch may have something of its own to say. */
		if (n >= 30 && frame[12] == 0x88 && frame[13] == 0xb5)
			note(pair, frame, n);
	}
}

static void run(struct pair *pair, unsigned burst, int64_t every_ns)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};
	int64_t next_ns = 0, end_ns = INT64_MAX;
	bool is_up = false;

	while (now_ns() < end_ns) {
		enum guest_state from = guest_serve(pair->from), to = guest_serve(pair->to);

		if (from == GUEST_BROKEN || to == GUEST_BROKEN)
			return;
		if (!is_up && from == GUEST_UP && to == GUEST_UP) {
			is_up = true;
			puts("{\"up\": true}");
			fflush(stdout);
		}
		if (is_told && end_ns == INT64_MAX)
			end_ns = now_ns() + DRAIN_NS;
		if (is_up && !is_told && now_ns() >= next_ns) {
			send_burst(pair, burst);
			next_ns = now_ns() + every_ns;
		}
		receive(pair);
		(void)nanosleep(&nap, NULL);
	}
}

static struct guest *open_guest(const char *path)
{
	const struct guest_cfg cfg = {.path = path, .wants_no_calls = true};
	struct guest *guest = NULL;
	int r = guest_open(&cfg, &guest);

	if (r < 0) {
		fprintf(stderr, "guest_pair: %s: %s\n", path, strerror(-r));
		exit(1);
	}
	return guest;
}

int main(int argc, char **argv)
{
	struct pair pair = {0};

	if (argc != 5) {
		fputs("usage: guest_pair PATH_A PATH_B BURST EVERY_MS\n", stderr);
		return 2;
	}
	signal(SIGTERM, on_term);
	pair.seen = calloc(FRAMES_MAX, 1);
	pair.from = open_guest(argv[1]);
	pair.to = open_guest(argv[2]);
	if (pair.seen == NULL)
		return 1;
	run(&pair, (unsigned)atoi(argv[3]), (int64_t)atoi(argv[4]) * 1000000);
	printf("{\"total\": true, \"sent\": %llu, \"got\": %llu, \"missing\": %llu, \"twice\": "
	       "%llu, "
	       "\"order\": %llu, \"wrong\": %llu, \"unreturned\": %u, \"connected\": [%llu, %llu], "
	       "\"why\": \"%s%s\", \"stall_ms\": %.3f, \"silence_ms\": %.3f}\n",
	       (unsigned long long)pair.sent, (unsigned long long)pair.got,
	       (unsigned long long)(pair.sent - pair.got), (unsigned long long)pair.twice,
	       (unsigned long long)pair.order, (unsigned long long)pair.wrong,
	       guest_unreturned(pair.from, 0),
	       (unsigned long long)guest_counts(pair.from).n_connected,
	       (unsigned long long)guest_counts(pair.to).n_connected, guest_why(pair.from),
	       guest_why(pair.to), (double)pair.stall_ns / 1e6, (double)pair.silence_ns / 1e6);
	guest_close(pair.from);
	guest_close(pair.to);
	free(pair.seen);
	return 0;
}
