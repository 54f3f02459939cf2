/* churn: machines that come and go, and two that talk meanwhile. Usage: bench_churn DIR
 *
 * Model      Guests of tests/guest, each at a socket in DIR. Two honest ones, a and b, have a thread of their own: a frame
 *            from a to b every 100 us, one at a time, with the time it was sent in it. The others are told what to
 *            do on stdin, a line each; each line is answered with one line on stdout:
 *              pair            waits until a and b are up, and begins to measure
 *              open N COUNT    guests N to N + COUNT - 1 listen, at gN.sock
 *              up N COUNT      waits until they are up and the switch has taken 8 frames from each
 *              close N COUNT   they are gone, as a machine that is killed
 *              mark            "FRAMES LOST RAW NET OVER": how the pair fared since the last mark: the longest that a
 *                              frame took in ns, as it was and less what the machine itself stood still meanwhile; and
 *                              how many took more than a ms, less that
 * Clock      The machine's. The pair's thread goes before all others, if it may, so that what it sees is the
 *            switch's delay and not its own wait for a processor. On each processor a sentinel wakes every 100 us, before
 *            everybody, and adds up by how much it was late: then nobody ran there, whatever headgated does.
 */
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
#define CPUS_MAX 64u
#define OVER_NS 1000000ll
/* A sentinel's wake-up takes so long on a machine that stands nowhere still. */
#define PUNCTUAL_NS 20000ll

static const char *folder;
static struct guest *pair[2], *guests[GUESTS_MAX];
static _Atomic int64_t n_frames, n_lost, n_over, worst_raw_ns, worst_net_ns;
static _Atomic int64_t late_ns[CPUS_MAX];
static pthread_t sentinels[CPUS_MAX];
static unsigned n_cpus;
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

static void wait_up(struct guest *guest)
{
	int64_t until_ns = now_ns() + PATIENCE_NS;

	while (guest_serve(guest) != GUEST_UP) {
		if (now_ns() > until_ns || guest_state(guest) == GUEST_BROKEN)
			die("a guest does not come up", guest_why(guest));
		guest_wait(guest, 10);
	}
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

/* By how much sentinels were late until now, for each processor. */
static void look(int64_t *ret_late_ns)
{
	for (unsigned i = 0; i < n_cpus; i++)
		ret_late_ns[i] = atomic_load(&late_ns[i]);
}

/* For how long one processor stood still since. Those that did so together did it once, so only the longest
 * counts: rather too little than too much. */
static int64_t stood_ns(const int64_t *before_ns)
{
	int64_t longest_ns = 0;

	for (unsigned i = 0; i < n_cpus; i++) {
		int64_t n = atomic_load(&late_ns[i]) - before_ns[i];

		longest_ns = n > longest_ns ? n : longest_ns;
	}
	return longest_ns;
}

static void *watch(void *cpu)
{
	const struct timespec pace = {.tv_nsec = PACE_NS};
	unsigned i = (unsigned)(uintptr_t)cpu;
	int64_t due_ns;

	while (!atomic_load(&want_stop)) {
		due_ns = now_ns() + PACE_NS;
		nanosleep(&pace, NULL);
		if (now_ns() - due_ns > PUNCTUAL_NS)
			atomic_fetch_add(&late_ns[i], now_ns() - due_ns);
	}
	return cpu;
}

static void start_sentinels(void)
{
	const struct sched_param first = {.sched_priority = 3};
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	n_cpus = n < (long)CPUS_MAX ? (unsigned)n : CPUS_MAX;
	for (unsigned i = 0; i < n_cpus; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(i, &set);
		if (pthread_create(&sentinels[i], NULL, watch, (void *)(uintptr_t)i) != 0)
			die("sentinel", "no thread");
		(void)pthread_setaffinity_np(sentinels[i], sizeof(set), &set);
		(void)pthread_setschedparam(sentinels[i], SCHED_FIFO, &first);
	}
}

/* One frame. Nothing that comes within a second is lost. */
static void exchange(void)
{
	const struct timespec pace = {.tv_nsec = 3 * PACE_NS};
	uint8_t frame[FRAME_BYTES], got[2048];
	int64_t sent_ns, then_ns = 0, before_ns[CPUS_MAX];

	look(before_ns);
	sent_ns = now_ns();
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
	then_ns = now_ns();
	/* A sentinel that was late may still have to say so. */
	if (then_ns - sent_ns > OVER_NS / 4)
		nanosleep(&pace, NULL);
	note(then_ns - sent_ns, stood_ns(before_ns));
}

static void *talk(void *unused)
{
	const struct timespec pace = {.tv_nsec = PACE_NS};
	const struct sched_param first = {.sched_priority = 2};

	(void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
	while (!atomic_load(&want_stop)) {
		exchange();
		nanosleep(&pace, NULL);
	}
	return unused;
}

/* ---- the others -------------------------------------------------------------------------------------- */

static void open_guest(unsigned i)
{
	char name[16];

	snprintf(name, sizeof(name), "g%u", i);
	guests[i] = make(name);
}

static void bring_up(unsigned i)
{
	static const uint8_t reserved[] = {0x01, 0x80, 0xc2, 0, 0, 0x0e};
	uint8_t frame[FRAME_BYTES];
	int64_t until_ns = now_ns() + PATIENCE_NS;

	wait_up(guests[i]);
	write_frame(frame, 0, 0x10);
	/* Which no switch forwards, so that nothing stays of it. */
	memcpy(frame, reserved, sizeof(reserved));
	for (unsigned k = 0; k < FRAMES_EACH; k++)
		guest_send(guests[i], 0, frame, sizeof(frame), NULL);
	while (guest_unreturned(guests[i], 0) > 0) {
		if (now_ns() > until_ns)
			die("a guest's frames are not taken", guest_why(guests[i]));
		guest_wait(guests[i], 1);
	}
}

static void close_guest(unsigned i)
{
	guest_close(guests[i]);
	guests[i] = NULL;
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

static bool obey(const char *line, pthread_t *talker)
{
	static const struct {
		const char *name;
		void (*act)(unsigned i);
	} orders[] = {{"open", open_guest}, {"up", bring_up}, {"close", close_guest}};
	char word[16];
	unsigned first = 0, n = 0;

	if (sscanf(line, "%15s %u %u", word, &first, &n) < 1 || first + n > GUESTS_MAX)
		return false;
	if (strcmp(word, "mark") == 0) {
		mark();
		return true;
	}
	if (strcmp(word, "pair") == 0) {
		wait_up(pair[0]);
		wait_up(pair[1]);
		start_sentinels();
		if (pthread_create(talker, NULL, talk, NULL) != 0)
			die("pair", "no thread");
		puts("ok");
		return true;
	}
	for (unsigned k = 0; k < sizeof(orders) / sizeof(orders[0]); k++) {
		if (strcmp(word, orders[k].name) != 0)
			continue;
		for (unsigned i = first; i < first + n; i++)
			orders[k].act(i);
		puts("ok");
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct rlimit many = {8192, 8192};
	pthread_t talker = 0;
	char line[64];

	if (argc != 2)
		die("usage", "bench_churn DIR");
	folder = argv[1];
	(void)setrlimit(RLIMIT_NOFILE, &many);
	pair[0] = make("a");
	pair[1] = make("b");
	puts("ok");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (!obey(line, &talker))
			die("not understood", line);
		fflush(stdout);
	}
	atomic_store(&want_stop, true);
	if (talker != 0)
		pthread_join(talker, NULL);
	for (unsigned i = 0; i < n_cpus; i++)
		pthread_join(sentinels[i], NULL);
	guest_close(pair[0]);
	guest_close(pair[1]);
	return 0;
}
