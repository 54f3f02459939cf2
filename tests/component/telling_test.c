/* A guest sleeps until it is told that its frames were taken, and nothing else happens: the packet lane tells it, whose
 * worker sleeps, too. */
#include "tests/component/hosts.h"

#include "dataplane/telling.h"
#include "tests/guest/guest.h"

#include <poll.h>
#include <unistd.h>

/* A question, which is told once it was handed on; what is taken of a stream, which is told later, whatever becomes of it. */
#define QUESTION_BYTES 1000u
#define STREAM_BYTES 3000u
#define N_SLEEPS 50u

static struct host host;
static struct guest *guest;
static char path[48];

static void begin(uint64_t features)
{
	struct guest_cfg cfg = {.path = path, .features = features};
	uint32_t idx;

	guest_close(guest);
	guest = NULL;
	host_init(&host);
	host_start(&host, 1);
	snprintf(path, sizeof(path), "/tmp/hg-telling-%d", (int)getpid());
	HG_CHECK_EQ(guest_open(&cfg, &guest), 0);
	idx = host_add_instance(&host, "g", host_tenant(&host, "a"));
	snprintf(host.ports[idx].device, sizeof(host.ports[idx].device), "vhost:%s", path);
	host_apply(&host);
	WAIT_FOR(guest_serve(guest) == GUEST_UP && host_port(&host, "g").link == HG_PORT_UP);
}

static void end(void)
{
	guest_close(guest);
	guest = NULL;
	host_close(&host);
}

/* Nobody but the lane ends this sleep: it is not looked whether something came back. */
static bool sleeps_until_told(void)
{
	struct pollfd fd = {.fd = guest_call_fd(guest, 1), .events = POLLIN};
	uint64_t n;

	return poll(&fd, 1, (int)(PATIENCE_NS / HG_NS_PER_MS)) == 1 &&
	       read(fd.fd, &n, sizeof(n)) == (ssize_t)sizeof(n);
}

/* As Linux does it: asks, looks once more, and sleeps. Returns whether it woke up. */
static bool rests(unsigned *n_slept)
{
	struct guest_ring *ring = guest_ring(guest, 1);

	guest_ring_want_calls(ring, true);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (guest_ring_has_used(ring))
		return true;
	(*n_slept)++;
	return sleeps_until_told();
}

/* Until the worker has nothing left to do: it is asked something, and goes to sleep after that. */
static uint64_t sleeps(void)
{
	struct hg_dp_host_sample now;

	hg_dp_sample_host(host.dp, &now);
	return now.sleeps;
}

static void wait_quiet(void)
{
	uint64_t before = sleeps();

	hg_dp_publish(host.dp);
	WAIT_FOR(sleeps() > before);
}

static bool sends(unsigned n_bytes)
{
	uint8_t frame[STREAM_BYTES];

	host_write_frame(&host, "g", "a1", frame, n_bytes);
	return guest_send(guest, 0, frame, n_bytes, NULL);
}

static void check_told(uint64_t features)
{
	unsigned n_slept = 0;

	begin(features);
	while (n_slept < N_SLEEPS) {
		wait_quiet();
		HG_CHECK(sends(n_slept % 2 == 0 ? QUESTION_BYTES : STREAM_BYTES));
		HG_CHECK(rests(&n_slept));
		(void)host_discard(&host, "a1");
	}
	end();
}

static void s5_1_guest_is_told_though_nothing_else_happens(void)
{
	check_told(GUEST_FEATURES);
}

static void s5_1_guest_is_told_though_nothing_else_happens_packed(void)
{
	check_told(GUEST_FEATURES | GUEST_PACKED);
}

static void s5_1_guest_is_told_though_nothing_else_happens_flags(void)
{
	check_told(GUEST_FEATURES & ~GUEST_BIT(VIRTIO_RING_F_EVENT_IDX));
}

/* ---- the order --------------------------------------------------------------------------------- */

#define N_PORTS 4u
#define NOW_NS 1000

static struct hg_dev devs[N_PORTS];
static unsigned told_order[N_PORTS], n_told;

static void note_told(struct hg_dev *dev)
{
	dev->tell_at_ns = 0;
	told_order[n_told++] = (unsigned)(dev - devs);
}

/* Two that wait, and two that ask in this turn. */
static void s5_1_who_asks_is_told_before_who_streams(void)
{
	static const struct hg_driver driver = {.tell = note_told};
	static const hg_ns at_ns[N_PORTS] = {NOW_NS + 500, NOW_NS + 1, NOW_NS + 600, NOW_NS + 1};
	static struct hg_port ports[N_PORTS];
	static struct hg_worker worker = {.now_ns = NOW_NS};

	for (unsigned round = 0; round < 2; round++) {
		n_told = 0;
		for (unsigned i = 0; i < N_PORTS; i++) {
			devs[i] = (struct hg_dev){.driver = &driver, .tell_at_ns = at_ns[i]};
			ports[i].dev = &devs[i];
			hg_telling_note(&worker, &ports[i]);
			hg_telling_note(&worker, &ports[i]); /* once */
		}
		HG_CHECK_EQ(hg_telling_next_at(&worker), NOW_NS + 1);
		hg_telling_until(&worker, NOW_NS);
		HG_CHECK_EQ(n_told, 0);
		hg_telling_until(&worker, NOW_NS + 1);
		HG_CHECK_EQ(n_told, 2);
		HG_CHECK_EQ(told_order[0] + told_order[1], 1 + 3);
		HG_CHECK_EQ(hg_telling_next_at(&worker), NOW_NS + 500);
		hg_telling_until(&worker, HG_NEVER);
		HG_CHECK_EQ(n_told, N_PORTS);
		HG_CHECK_EQ(told_order[2], 0);
		HG_CHECK_EQ(told_order[3], 2);
		HG_CHECK_EQ(hg_telling_next_at(&worker), HG_NEVER);
	}
}

static const struct hg_test tests[] = {
	HG_TEST(s5_1_who_asks_is_told_before_who_streams),
	HG_TEST(s5_1_guest_is_told_though_nothing_else_happens),
	HG_TEST(s5_1_guest_is_told_though_nothing_else_happens_packed),
	HG_TEST(s5_1_guest_is_told_though_nothing_else_happens_flags),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
