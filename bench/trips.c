/* trips: two machines that ask and answer through a switch. Usage: bench_trips SOCKET_A SOCKET_B
 *
 * Model      Two guests of tests/guest that listen on the sockets, in one thread, since only one of them has anything to do at
 *            a time: A sends a frame, B has it, thinks, sends one back, A has it, thinks, and so on. To think is to use the
 *            processor, as a guest does between what it receives and what it sends upon it; while they think the
 *            switch has nothing to do.
 * Requests   (bench/told.h) "up": waits until both are connected and found each other; "HOW THINK_US MS", a slice, HOW:
 *              block   who waits sleeps on its call descriptor, as QEMU does for a guest that is at rest
 *              poll    who waits looks, and asks not to be called, as a guest on DPDK
 * Figures    p50_us, p99_us, worst_us of a round trip less what both thought; trips, kicks and calls in the slice.
 *            One that is lost ends the program.
 */
#include "bench/clock.h"
#include "bench/figures.h"
#include "bench/told.h"
#include "tests/guest/guest.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES 100u
#define PATIENCE_NS (10 * HG_NS_PER_S)
#define TRIPS_MAX (1u << 20)

enum { A, B, N_SIDES };

static struct guest *guests[N_SIDES];
static hg_ns *took_ns;
static bool is_blocking;
static hg_ns think_ns;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "trips: %s: %s\n", what, why);
	exit(1);
}

static hg_ns now_ns(void)
{
	return bench_clock_ns(CLOCK_MONOTONIC);
}

static void write_frame(uint8_t *frame, unsigned from)
{
	memset(frame, 0, FRAME_BYTES);
	frame[0] = frame[6] = 2;
	frame[5] = (uint8_t)(2u - from);
	frame[11] = (uint8_t)(1u + from);
	frame[12] = 0x88; /* IEEE's local experimental */
	frame[13] = 0xb5;
}

/* Sends one frame from one side and returns when the other has it. False: it does not come. */
static bool go(unsigned from, hg_ns patience_ns)
{
	static uint64_t number;
	uint8_t frame[FRAME_BYTES], got[2048];
	struct guest *to = guests[1u - from];
	hg_ns until_ns = now_ns() + patience_ns;
	unsigned n_looks = 0;

	write_frame(frame, from);
	number++;
	memcpy(frame + 20, &number, sizeof(number));
	if (!guest_send(guests[from], 0, frame, sizeof(frame), NULL))
		return false;
	for (;;) {
		size_t n = guest_receive(to, 0, got, sizeof(got), NULL);

		if (n == sizeof(frame) && memcmp(got + 20, &number, sizeof(number)) == 0)
			return true;
		if (n > 0)
			continue; /* what the switch says of its own, or came too late */
		if (is_blocking)
			guest_wait(to, 10);
		if ((is_blocking || ++n_looks % 1024u == 0) && now_ns() > until_ns)
			return false;
	}
}

static void think(void)
{
	hg_ns until_ns = now_ns() + think_ns;

	while (think_ns > 0 && now_ns() < until_ns)
		;
}

static void come_up(void)
{
	hg_ns until_ns = now_ns() + PATIENCE_NS;

	while (guest_serve(guests[A]) != GUEST_UP || guest_serve(guests[B]) != GUEST_UP) {
		if (now_ns() > until_ns)
			die("no switch connects", guest_why(guests[A]));
		guest_wait(guests[A], 10);
		guest_wait(guests[B], 10);
	}
	is_blocking = true;
	/* A switch that learns floods first, and one that has just come may lose some. */
	for (unsigned n_good = 0; n_good < 16;) {
		n_good = go(A, HG_NS_PER_S / 10) && go(B, HG_NS_PER_S / 10) ? n_good + 1 : 0;
		if (now_ns() > until_ns)
			die("nothing comes", "through the switch");
	}
}

static int by_size(const void *a, const void *b)
{
	const hg_ns *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t both(const struct guest_counts *a, const struct guest_counts *b, bool is_kicks)
{
	return is_kicks ? a->kicks + b->kicks : a->calls + b->calls;
}

static void measure(hg_ns for_ns)
{
	struct guest_counts a = guest_counts(guests[A]), b = guest_counts(guests[B]);
	uint64_t kicks = both(&a, &b, true), calls = both(&a, &b, false);
	hg_ns until_ns = now_ns() + for_ns;
	size_t n = 0;

	guest_want_calls(guests[A], is_blocking);
	guest_want_calls(guests[B], is_blocking);
	while (n < TRIPS_MAX && now_ns() < until_ns) {
		hg_ns began_ns = now_ns(), there_ns;

		if (!go(A, PATIENCE_NS))
			die("a frame is lost", "from A to B");
		there_ns = now_ns();
		think();
		took_ns[n] = there_ns - began_ns;
		began_ns = now_ns();
		if (!go(B, PATIENCE_NS))
			die("a frame is lost", "from B to A");
		took_ns[n++] += now_ns() - began_ns;
		think();
	}
	a = guest_counts(guests[A]);
	b = guest_counts(guests[B]);
	qsort(took_ns, n, sizeof(took_ns[0]), by_size);
	hg_figure("p50_us", (double)took_ns[n / 2] / 1e3);
	hg_figure("p99_us", (double)took_ns[n * 99 / 100] / 1e3);
	hg_figure("worst_us", (double)took_ns[n - 1] / 1e3);
	hg_figure("trips", (double)n);
	hg_figure("kicks", (double)(both(&a, &b, true) - kicks));
	hg_figure("calls", (double)(both(&a, &b, false) - calls));
}

int main(int argc, char **argv)
{
	struct hg_told told;

	if (argc != 3)
		die("usage", "bench_trips SOCKET_A SOCKET_B");
	took_ns = malloc(TRIPS_MAX * sizeof(took_ns[0]));
	if (took_ns == NULL)
		die("no memory", "for a million trips");
	for (unsigned side = 0; side < N_SIDES; side++) {
		const struct guest_cfg cfg = {.path = argv[1u + side]};
		int r = guest_open(&cfg, &guests[side]);

		if (r < 0)
			die(argv[1u + side], strerror(-r));
	}
	while (hg_told(&told)) {
		unsigned ms = hg_told_number(&told, 2);

		if (strcmp(told.words[0], "up") == 0) {
			come_up();
			continue;
		}
		is_blocking = strcmp(told.words[0], "block") == 0;
		think_ns = hg_told_number(&told, 1) * HG_NS_PER_US;
		if ((!is_blocking && strcmp(told.words[0], "poll") != 0) || ms < 1)
			die("not understood", "block or poll, THINK_US, MS");
		measure(ms * HG_NS_PER_MS);
	}
	guest_close(guests[A]);
	guest_close(guests[B]);
	free(took_ns);
	return 0;
}
