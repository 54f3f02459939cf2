/* A guest sleeps until it is told that its frames were taken, and nothing else happens: the packet lane tells it, whose
 * worker sleeps, too. */
#include "tests/component/hosts.h"

#include "tests/guest/guest.h"

#include <poll.h>
#include <unistd.h>

#define FRAME_BYTES 1000u
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

static bool sends(void)
{
	uint8_t frame[FRAME_BYTES];

	host_write_frame(&host, "g", "a1", frame, sizeof(frame));
	return guest_send(guest, 0, frame, sizeof(frame), NULL);
}

static void check_told(uint64_t features)
{
	unsigned n_slept = 0;

	begin(features);
	while (n_slept < N_SLEEPS) {
		wait_quiet();
		HG_CHECK(sends());
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

static const struct hg_test tests[] = {
	HG_TEST(s5_1_guest_is_told_though_nothing_else_happens),
	HG_TEST(s5_1_guest_is_told_though_nothing_else_happens_packed),
	HG_TEST(s5_1_guest_is_told_though_nothing_else_happens_flags),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
