/* churn: machines that come and go, and two that talk meanwhile. Usage: bench_churn DIR
 *
 * Model      Guests of tests/guest, each at a socket in DIR. Two honest ones, a and b, have a thread of their own: a frame
 *            from a to b every 100 us, one at a time, with the time it was sent in it. The others are told what to
 *            do on stdin, a line each; each line is answered with one line on stdout:
 *              pair CPU        waits until a and b are up, and begins to measure on that processor, the switch's
 *              open N COUNT    guests N to N + COUNT - 1 listen, at gN.sock
 *              up N COUNT      waits until they are up and the switch has taken 8 frames from each; "down NAME WHY" for
 *                              the first that is not after 10 s
 *              close N COUNT   they are gone, as a machine that is killed
 *              mark            "FRAMES LOST RAW NET OVER": how the pair fared since the last mark: the longest that a
 *                              frame took in ns, as it was and less what the machine itself stood still meanwhile; and
 *                              how many took more than a ms, less that
 * Clock      The machine's. The pair's thread shares the switch's processor and goes before it, if it may; so a
 *            frame's whole way is on one processor. There a sentinel wakes every 100 us, before
 *            everybody, and adds up by how much it was late: then nobody ran there, whatever headgated does. It sees
 *            all but the first 100 us of a standstill; what it cannot tell from one is a single call of the kernel by
 *            the switch itself, which nobody interrupts.
 */
#include "bench/told.h"
#include "tests/guest/guest.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define GUESTS_MAX 512u
#define PATIENCE_NS 10000000000ll
#define PACE_NS 100000ll
#define FRAME_BYTES 100u
#define FRAMES_EACH 8u
#define OVER_NS 1000000ll
/* The sentinel's wake-up takes so long on a machine that stands nowhere still. */
#define PUNCTUAL_NS 20000ll

static const char *folder;
static struct guest *pair[2], *guests[GUESTS_MAX];
static _Atomic int64_t n_frames, n_lost, n_over, worst_raw_ns, worst_net_ns;
static _Atomic int64_t late_ns;
static pthread_t talker, sentinel;
static bool is_talking;
static atomic_bool want_stop;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "churn: %s: %s\n", what, why);
	exit(1);
}

static struct guest *make(const char *name)
{
	struct guest *guest;
	char path[256]; /* what is too long is refused */
	int result;

	snprintf(path, sizeof(path), "%.90s/%s.sock", folder, name);
	result = guest_open(&(struct guest_cfg){.path = path}, &guest);
	if (result < 0)
		die(path, strerror(-result));
	return guest;
}

static bool wait_up(struct guest *guest)
{
	int64_t until_ns = now_ns() + PATIENCE_NS;

	while (guest_serve(guest) != GUEST_UP) {
		if (now_ns() > until_ns || guest_state(guest) == GUEST_BROKEN)
			return false;
		guest_wait(guest, 10);
	}
	return true;
}

/* ---- the pair ---------------------------------------------------------------------------------------- */

static void write_frame(uint8_t *frame, uint8_t to, uint8_t from)
{
	memset(frame, 0, FRAME_BYTES);
	frame[0] = frame[6] = 2;
	frame[5] = to;
	frame[11] = from;
	frame[12] = 0x88; /* IEEE's local experimental */
	frame[13] = 0xb5;
}

static void note_worst(_Atomic int64_t *worst, int64_t took_ns)
{
	if (took_ns > atomic_load(worst))
		atomic_store(worst, took_ns);
}

static void note(int64_t took_ns, int64_t stood_for_ns)
{
	int64_t net_ns = took_ns > stood_for_ns ? took_ns - stood_for_ns : 0;

	note_worst(&worst_raw_ns, took_ns);
	note_worst(&worst_net_ns, net_ns);
	atomic_fetch_add(&n_frames, 1);
	atomic_fetch_add(&n_over, net_ns > OVER_NS);
}

static void *watch(void *unused)
{
	const struct timespec pace = {.tv_nsec = PACE_NS};
	int64_t due_ns;

	while (!atomic_load(&want_stop)) {
		due_ns = now_ns() + PACE_NS;
		nanosleep(&pace, NULL);
		if (now_ns() - due_ns > PUNCTUAL_NS)
			atomic_fetch_add(&late_ns, now_ns() - due_ns);
	}
	return unused;
}

/* On that processor, before others. */
static void start(pthread_t *thread, void *(*run)(void *), unsigned cpu, int priority)
{
	const struct sched_param first = {.sched_priority = priority};
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (pthread_create(thread, NULL, run, NULL) != 0)
		die("pair", "no thread");
	(void)pthread_setaffinity_np(*thread, sizeof(set), &set);
	(void)pthread_setschedparam(*thread, SCHED_FIFO, &first);
}

/* One frame. Nothing that comes within a second is lost. */
static void exchange(void)
{
	uint8_t frame[FRAME_BYTES], got[2048];
	int64_t sent_ns = now_ns(), then_ns = 0, late_before_ns = atomic_load(&late_ns), stood_ns;

	write_frame(frame, 2, 1);
	memcpy(frame + 20, &sent_ns, sizeof(sent_ns));
	if (!guest_send(pair[0], 0, frame, sizeof(frame), NULL)) {
		atomic_fetch_add(&n_lost, 1);
		return;
	}
	while (then_ns != sent_ns && now_ns() - sent_ns < 1000000000) {
		if (guest_receive(pair[1], 0, got, sizeof(got), NULL) == 0)
			guest_wait(pair[1], 100);
		else
			memcpy(&then_ns, got + 20, sizeof(then_ns));
	}
	if (then_ns != sent_ns) {
		atomic_fetch_add(&n_lost, 1);
		return;
	}
	/* In this order rather too little is taken off than too much. */
	stood_ns = atomic_load(&late_ns) - late_before_ns;
	note(now_ns() - sent_ns, stood_ns);
}

static void *talk(void *unused)
{
	const struct timespec pace = {.tv_nsec = PACE_NS};

	while (!atomic_load(&want_stop)) {
		exchange();
		nanosleep(&pace, NULL);
	}
	return unused;
}

/* ---- the others -------------------------------------------------------------------------------------- */

static bool open_guest(unsigned i)
{
	char name[16];

	snprintf(name, sizeof(name), "g%u", i);
	guests[i] = make(name);
	return true;
}

static bool bring_up(unsigned i)
{
	static const uint8_t reserved[] = {0x01, 0x80, 0xc2, 0, 0, 0x0e};
	uint8_t frame[FRAME_BYTES];
	int64_t until_ns = now_ns() + PATIENCE_NS;

	if (!wait_up(guests[i]))
		return false;
	write_frame(frame, 0, 0x10);
	/* Which no switch forwards, so that nothing stays of it. */
	memcpy(frame, reserved, sizeof(reserved));
	for (unsigned k = 0; k < FRAMES_EACH; k++)
		guest_send(guests[i], 0, frame, sizeof(frame), NULL);
	while (guest_unreturned(guests[i], 0) > 0) {
		if (now_ns() > until_ns)
			return false;
		guest_wait(guests[i], 1);
	}
	return true;
}

static bool close_guest(unsigned i)
{
	guest_close(guests[i]);
	guests[i] = NULL;
	return true;
}

/* ---- orders ------------------------------------------------------------------------------------------ */

static long long taken(_Atomic int64_t *count)
{
	return (long long)atomic_exchange(count, 0);
}

static void mark(void)
{
	long long frames = taken(&n_frames), lost = taken(&n_lost), raw_ns = taken(&worst_raw_ns);
	long long net_ns = taken(&worst_net_ns), over = taken(&n_over);

	printf("%lld %lld %lld %lld %lld\n", frames, lost, raw_ns, net_ns, over);
}

static void say_down(unsigned i)
{
	static const char *const states[] = {"waiting for a connection", "talking", "up", "stopped",
					     "broken"};

	printf("down g%u %s after %llu connections, %u frames not taken; %s\n", i,
	       states[guest_state(guests[i])],
	       (unsigned long long)guest_counts(guests[i]).n_connected,
	       guest_unreturned(guests[i], 0), guest_why(guests[i]));
}

static void begin(unsigned cpu)
{
	if (!wait_up(pair[0]) || !wait_up(pair[1]))
		die("pair", "does not come up");
	/* Other programs that go before others have 1, if any. */
	start(&sentinel, watch, cpu, 4);
	start(&talker, talk, cpu, 3);
	is_talking = true;
}

static bool obey(const struct hg_told *told)
{
	static const struct {
		const char *name;
		bool (*act)(unsigned i);
	} orders[] = {{"open", open_guest}, {"up", bring_up}, {"close", close_guest}};
	const char *word = told->words[0];
	unsigned first = hg_told_number(told, 1), n = hg_told_number(told, 2);

	if (first + n > GUESTS_MAX)
		return false;
	if (strcmp(word, "mark") == 0) {
		mark();
		return true;
	}
	if (strcmp(word, "pair") == 0) {
		begin(first);
		return true;
	}
	for (unsigned k = 0; k < sizeof(orders) / sizeof(orders[0]); k++) {
		if (strcmp(word, orders[k].name) != 0)
			continue;
		for (unsigned i = first; i < first + n; i++) {
			if (!orders[k].act(i)) {
				say_down(i);
				return true;
			}
		}
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct rlimit many = {8192, 8192};
	struct hg_told told;

	if (argc != 2)
		die("usage", "bench_churn DIR");
	folder = argv[1];
	(void)setrlimit(RLIMIT_NOFILE, &many);
	pair[0] = make("a");
	pair[1] = make("b");
	while (hg_told(&told))
		if (!obey(&told))
			die("not understood", told.words[0]);
	atomic_store(&want_stop, true);
	if (is_talking) {
		pthread_join(talker, NULL);
		pthread_join(sentinel, NULL);
	}
	guest_close(pair[0]);
	guest_close(pair[1]);
	return 0;
}
