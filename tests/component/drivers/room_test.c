/* More guests than librte_vhost can watch, or than there are descriptors for: who finds no room is told so, and counted,
 * and comes up when there is room. */
#include "drivers/vhost_room.h"
#include "tests/component/drivers/world_vhost.h"
#include "tests/guest/guest.h"
#include "tests/harness.h"
#include "tests/component/drivers/begin.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define N_FULL HG_VHOST_SEATS_MAX
/* Those that fill the house need 5 each: a socket, and headgate's four. */
#define FDS_NEEDED 8192u
/* Looks, a millisecond or more apart: time in which nobody runs is no look. */
#define PATIENCE 60000u

/* A guest that connects and says nothing has a seat as well. */
static struct hg_dev *silent[N_FULL];
static int sockets[N_FULL];

static void make_room(void)
{
	struct rlimit limit;

	HG_CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < FDS_NEEDED && limit.rlim_max >= FDS_NEEDED) {
		limit.rlim_cur = FDS_NEEDED;
		HG_CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	}
	if (limit.rlim_cur < FDS_NEEDED)
		HG_SKIP("no 8,192 descriptors here");
}

static struct sockaddr_un address(const char *what, unsigned i)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/hg-room-%d-%s%u", (int)getpid(), what, i);
	return at;
}

static int open_port(const char *options, const char *path, struct hg_dev **ret_dev,
		     struct hg_error *reterr)
{
	char device[160];
	const struct hg_dev_cfg cfg = {
		.device = device, .netns = "", .mtu = 1500, .pool = &world_vhost.heap.pool};

	snprintf(device, sizeof(device), "vhost%s:%s", options, path);
	return hg_dev_open(&cfg, ret_dev, reterr);
}

static struct hg_dev_state state_of(const struct hg_dev *dev)
{
	struct hg_dev_state state;
	struct hg_dev_stats stats;

	dev->driver->sample(dev, &state, &stats);
	return state;
}

static bool says(const struct hg_dev *dev, const char *part)
{
	return strstr(state_of(dev).reason, part) != NULL;
}

static void wait_for(const struct hg_dev *dev, const char *part)
{
	for (unsigned n = 0; n < PATIENCE && !says(dev, part); n++)
		(void)poll(NULL, 0, 1);
	HG_CHECK_HAS(state_of(dev).reason, part);
}

static void wait_refused(const struct hg_dev *dev, enum hg_guest_refusal why)
{
	for (unsigned n = 0; n < PATIENCE && state_of(dev).n_refused[why] == 0; n++)
		(void)poll(NULL, 0, 1);
	HG_CHECK_EQ(state_of(dev).n_refused[why], 1);
}

static int connect_to(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	HG_CHECK(fd >= 0);
	HG_CHECK_EQ(connect(fd, (const struct sockaddr *)at, sizeof(*at)), 0);
	return fd;
}

static void take_seat(unsigned i)
{
	const struct sockaddr_un at = address("s", i);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sockets[i] = fd;
	HG_CHECK(fd >= 0);
	HG_CHECK_EQ(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	HG_CHECK_EQ(listen(fd, 1), 0);
	HG_CHECK_EQ(open_port("", at.sun_path, &silent[i], NULL), 0);
}

static void free_seat(unsigned i)
{
	silent[i]->driver->close(silent[i], false);
	silent[i] = NULL;
	close(sockets[i]);
	(void)unlink(address("s", i).sun_path);
}

static void fill_the_house(void)
{
	for (unsigned i = 0; i < N_FULL; i++)
		take_seat(i);
	for (unsigned i = 0; i < N_FULL; i++)
		HG_CHECK_EQ(silent[i]->driver->start(silent[i], NULL), 0);
	for (unsigned i = 0; i < N_FULL; i++)
		wait_for(silent[i], "has not set up its rings");
	/* The library has room for each: none was connected for a moment only. */
	for (unsigned i = 0; i < N_FULL; i++)
		HG_CHECK_STR(state_of(silent[i]).last_reason, "");
}

/* The device of a guest that is there, before anybody has met it. */
static struct hg_dev *begin_alone(void)
{
	const char *why = world_vhost.build(&world_vhost);
	struct hg_dev *dev;

	if (why != NULL)
		HG_SKIP(why);
	HG_CHECK_EQ(world_open(&world_vhost, &dev, NULL), 0);
	HG_CHECK_EQ(dev->driver->start(dev, NULL), 0);
	return dev;
}

static void end(struct hg_dev *dev)
{
	world_end(dev, false);
	world_vhost.tear_down(&world_vhost);
	HG_CHECK_EQ(world_vhost.heap.n_out, 0);
}

static void check_listening_is_refused(const char *path)
{
	struct hg_error err = {0};
	struct hg_dev *dev;

	HG_CHECK_EQ(open_port("(listen=on)", path, &dev, &err), -HG_ENOSPC);
	HG_CHECK_HAS(err.text, "no room for the guest at ");
	HG_CHECK_HAS(err.text, "all 1022 seats");
}

static void s5_1_guest_that_finds_no_seat_is_told_and_counted(void)
{
	const struct sockaddr_un at = address("l", 0);
	struct hg_dev *dev, *listening;
	int fd;

	make_room();
	heap_pool_init(&world_vhost.heap);
	/* DPDK first. */
	end(begin_alone());
	fill_the_house();
	dev = begin_alone();
	wait_for(dev, "all 1022 seats for guests are taken");
	HG_CHECK_EQ(state_of(dev).link, HG_DEV_DOWN);
	HG_CHECK_EQ(state_of(dev).n_refused[HG_GUEST_REFUSAL_NO_SEAT], 1);
	check_listening_is_refused(at.sun_path);
	free_seat(0);
	world_vhost.meet(&world_vhost, dev);
	HG_CHECK_STR(state_of(dev).reason, "");
	/* Who listens needs one for its guest, too. */
	check_listening_is_refused(at.sun_path);
	free_seat(1);
	check_listening_is_refused(at.sun_path);
	free_seat(2);
	HG_CHECK_EQ(open_port("(listen=on)", at.sun_path, &listening, NULL), 0);
	HG_CHECK_EQ(listening->driver->start(listening, NULL), 0);
	fd = connect_to(&at);
	wait_for(listening, "has not set up its rings");
	close(fd);
	listening->driver->close(listening, false);
	(void)unlink(at.sun_path);
	for (unsigned i = 3; i < N_FULL; i++)
		free_seat(i);
	end(dev);
	/* All of them are free again. */
	HG_CHECK(hg_vhost_room_take(N_FULL));
	HG_CHECK(!hg_vhost_room_take(1));
	hg_vhost_room_give(N_FULL);
}

/* Lets the process have so many more than those that it has. */
static rlim_t limit_fds(unsigned n_more)
{
	struct rlimit limit;
	rlim_t before;
	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

	HG_CHECK(next >= 0);
	close(next);
	HG_CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = (rlim_t)next + n_more;
	HG_CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static void set_fds(rlim_t n)
{
	struct rlimit limit;

	HG_CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = n;
	HG_CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void s5_1_guest_for_which_no_descriptors_are_left_is_told_and_counted(void)
{
	struct hg_dev *dev;
	rlim_t before;

	heap_pool_init(&world_vhost.heap);
	end(begin_alone());
	/* For the guest's own side, which is in this process, and a few. */
	before = limit_fds(HG_VHOST_SPARE_FDS);
	dev = begin_alone();
	wait_for(dev, "fewer than 128 descriptors are left of the ");
	HG_CHECK_HAS(state_of(dev).reason, "RLIMIT_NOFILE");
	HG_CHECK_EQ(state_of(dev).n_refused[HG_GUEST_REFUSAL_NO_DESCRIPTOR], 1);
	set_fds(before);
	world_vhost.meet(&world_vhost, dev);
	end(dev);
}

static void s5_1_guest_that_connects_when_no_descriptors_are_left_is_told_and_counted(void)
{
	const struct sockaddr_un at = address("l", 1);
	struct hg_dev *dev;
	rlim_t before;
	int fd;

	heap_pool_init(&world_vhost.heap);
	end(begin_alone());
	HG_CHECK_EQ(open_port("(listen=on)", at.sun_path, &dev, NULL), 0);
	HG_CHECK_EQ(dev->driver->start(dev, NULL), 0);
	before = limit_fds(HG_VHOST_SPARE_FDS - 1);
	fd = connect_to(&at);
	wait_refused(dev, HG_GUEST_REFUSAL_NO_DESCRIPTOR);
	HG_CHECK_HAS(state_of(dev).last_reason, "fewer than 128 descriptors are left of the ");
	close(fd);
	set_fds(before);
	fd = connect_to(&at);
	wait_for(dev, "has not set up its rings");
	/* One guest at a time. */
	close(connect_to(&at));
	wait_refused(dev, HG_GUEST_REFUSAL_SECOND);
	close(fd);
	world_end(dev, false);
	(void)unlink(at.sun_path);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_guest_that_finds_no_seat_is_told_and_counted),
		HG_TEST(s5_1_guest_for_which_no_descriptors_are_left_is_told_and_counted),
		HG_TEST(s5_1_guest_that_connects_when_no_descriptors_are_left_is_told_and_counted),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
