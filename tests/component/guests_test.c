/* Many machines on one host: all come up, all are served, and those that are quiet cost nothing (S5.1). */
#include "tests/component/hosts.h"

#include "dataplane/introducer.h"
#include "tests/guest/guest.h"

#include <rte_malloc.h>

#include <sys/resource.h>
#include <unistd.h>

#define N_GUESTS 256u
#define FRAME_BYTES 200u
/* For how long they are watched doing nothing. Other work of the machine adds nothing to this process's time. */
#define IDLE_MS 500
#define IDLE_CPU_MAX_PPM 10000
/* So that 256 guests are less than 16 MB. */
#ifdef __SANITIZE_ADDRESS__ /* whose red zones and shadow are memory, too */
#define GUEST_KIB_MAX 256u
#else
#define GUEST_KIB_MAX 60u
#endif

static struct host host;
static struct guest *guests[N_GUESTS];
static char paths[N_GUESTS][48];

/* Descriptors: some 20 for each guest, of both its sides. */
static void make_room(void)
{
	struct rlimit limit;

	HG_CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < 8192 && limit.rlim_max >= 8192) {
		limit.rlim_cur = 8192;
		HG_CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	}
	if (limit.rlim_cur < 8192)
		HG_SKIP("no 8,192 descriptors here");
}

static void name_of(unsigned i, char *ret_name)
{
	snprintf(ret_name, 16, "g%u", i);
}

static void add_guest(unsigned i)
{
	struct guest_cfg cfg = {.path = paths[i],
				.features = GUEST_FEATURES | (i % 2 ? GUEST_PACKED : 0)};
	char name[16];
	uint32_t idx;
	int r;

	name_of(i, name);
	snprintf(paths[i], sizeof(paths[i]), "/tmp/hg-guests-%d-%u", (int)getpid(), i);
	idx = host_add_instance(&host, name, host_tenant(&host, "a"));
	snprintf(host.ports[idx].device, sizeof(host.ports[idx].device), "vhost:%.40s", paths[i]);
	r = guest_open(&cfg, &guests[i]);
	if (r < 0)
		HG_TEST_FAIL("guest %u: %s", i, strerror(-r));
}

static bool are_all_up(void)
{
	unsigned n_up = 0;
	char name[16];

	for (unsigned i = 0; i < N_GUESTS; i++) {
		name_of(i, name);
		n_up += guest_serve(guests[i]) == GUEST_UP &&
			host_port(&host, name).link == HG_PORT_UP;
	}
	return n_up == N_GUESTS;
}

static void write_frame(unsigned from, uint8_t *frame)
{
	char a[16], b[16];

	name_of(from, a);
	name_of((from + 1) % N_GUESTS, b);
	host_write_frame(&host, a, b, frame, FRAME_BYTES);
	memcpy(frame + FRAME_BYTES - sizeof(from), &from, sizeof(from));
}

/* Each sends to the next, and has from the one before. */
static void exchange(void)
{
	uint8_t want[FRAME_BYTES], got[2048];

	for (unsigned i = 0; i < N_GUESTS; i++) {
		write_frame(i, want);
		HG_CHECK(guest_send(guests[i], 0, want, sizeof(want), NULL));
	}
	for (unsigned i = 0; i < N_GUESTS; i++) {
		struct guest *to = guests[(i + 1) % N_GUESTS];
		size_t n = 0;

		WAIT_FOR((n = guest_receive(to, 0, got, sizeof(got), NULL)) > 0);
		write_frame(i, want);
		HG_CHECK_EQ(n, FRAME_BYTES);
		HG_CHECK(memcmp(got, want, FRAME_BYTES) == 0);
		HG_CHECK_EQ(guest_receive(to, 0, got, sizeof(got), NULL), 0);
	}
}

static hg_ns cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (hg_ns)t.tv_sec * HG_NS_PER_S + t.tv_nsec;
}

/* Private memory, without what guests share, and what of DPDK's is in use, which lies in shared pages. */
static long memory_kib(void)
{
	struct rte_malloc_socket_stats heap = {0};
	FILE *f = fopen("/proc/self/status", "re");
	char line[128];
	long kib = 0;

	HG_CHECK(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	}
	fclose(f);
	HG_CHECK_EQ(rte_malloc_get_socket_stats(0, &heap), 0);
	return kib + (long)(heap.heap_allocsz_bytes / 1024u);
}

static struct hg_dp_host_sample sample(void)
{
	struct hg_dp_host_sample now;

	hg_dp_sample_host(host.dp, &now);
	return now;
}

/* Until the worker has nothing left to do: no neighbours are told of anybody who came up by now, and it goes to sleep
 * after it is asked something. */
static void wait_quiet(void)
{
	hg_ns until_ns = clock_now_ns() + HG_INTRODUCER_FOR_NS + 10 * HG_NS_PER_MS;
	uint64_t sleeps;

	WAIT_FOR(clock_now_ns() > until_ns);
	sleeps = sample().sleeps;
	WAIT_FOR(hg_dp_publish(host.dp));
	WAIT_FOR(sample().sleeps > sleeps);
}

static void check_idle(void)
{
	hg_ns before_ns, used_ns;
	uint64_t turns;

	wait_quiet();
	turns = sample().turns;
	before_ns = cpu_ns();
	usleep(IDLE_MS * 1000);
	used_ns = cpu_ns() - before_ns;
	turns = sample().turns - turns;
	printf("%u idle guests: %.3f %% of a processor, %" PRIu64 " turns in %d ms\n", N_GUESTS,
	       (double)used_ns * 100 / ((double)IDLE_MS * HG_NS_PER_MS), turns, IDLE_MS);
	HG_CHECK(used_ns <= (hg_ns)IDLE_MS * HG_NS_PER_MS / 1000000 * IDLE_CPU_MAX_PPM);
}

static void begin(void)
{
	make_room();
	for (unsigned i = 0; i < N_GUESTS; i++) {
		guest_close(guests[i]);
		guests[i] = NULL;
	}
	host_init(&host);
	host_start(&host, 1);
}

static void s5_1_256_guests_on_one_host(void)
{
	long before_kib, kib;

	begin();
	for (unsigned i = 0; i < N_GUESTS; i++)
		add_guest(i);
	before_kib = memory_kib();
	host_apply(&host);
	WAIT_FOR(are_all_up());
	exchange();
	check_idle();
	/* Who was idle is there at once. */
	exchange();
	kib = memory_kib() - before_kib;
	printf("%u guests: %.1f KiB of memory each\n", N_GUESTS, (double)kib / N_GUESTS);
	HG_CHECK(kib <= (long)(N_GUESTS * GUEST_KIB_MAX));
	for (unsigned i = 0; i < N_GUESTS; i++) {
		HG_CHECK_EQ(guest_counts(guests[i]).n_connected, 1);
		guest_close(guests[i]);
		guests[i] = NULL;
	}
	host_close(&host);
}

static const struct hg_test tests[] = {
	HG_TEST(s5_1_256_guests_on_one_host),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
