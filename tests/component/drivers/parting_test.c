/* A guest goes away at the moment at which its port is closed: what librte_vhost's thread is at with the connection stays
 * until it is done. Its thread dawdles here, where it has closed the descriptor and still uses all the rest. */
#include "tests/component/drivers/world_vhost.h"
#include "tests/guest/guest.h"
#include "tests/guest/message.h"
#include "tests/harness.h"
#include "tests/component/drivers/begin.h"

#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <rte_vhost.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define N_PARTINGS 300u
#define SKEW_NS (200 * 1000)
#define DAWDLE_US 200

/* The library's thread has closed a descriptor and has not come back since. */
static atomic_bool is_ending;
/* A socket was taken from it meanwhile. */
static atomic_uint n_early, n_taken_back;

static bool is_librarys_thread(void)
{
	char name[16] = "";

	return pthread_getname_np(pthread_self(), name, sizeof(name)) == 0 &&
	       strcmp(name, "vhost-events") == 0;
}

int close(int fd)
{
	int r = (int)syscall(SYS_close, fd);

	if (is_librarys_thread()) {
		atomic_store(&is_ending, true);
		(void)usleep(DAWDLE_US);
	}
	return r;
}

static int look(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	if (is_librarys_thread())
		atomic_store(&is_ending, false);
	return (int)syscall(SYS_poll, fds, n, timeout_ms);
}

int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	return look(fds, n, timeout_ms);
}

/* As distributions compile it. */
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t size);

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t size)
{
	(void)size;
	return look(fds, n, timeout_ms);
}

int __real_rte_vhost_driver_unregister(const char *path);
int __wrap_rte_vhost_driver_unregister(const char *path);

int __wrap_rte_vhost_driver_unregister(const char *path)
{
	atomic_fetch_add(&n_taken_back, 1);
	if (atomic_load(&is_ending))
		atomic_fetch_add(&n_early, 1);
	return __real_rte_vhost_driver_unregister(path);
}

/* ---- both at once --------------------------------------------------------------------------------- */

struct parting {
	struct world *world;
	pthread_barrier_t together;
	hg_ns skew_ns;
};

static void spin(hg_ns ns)
{
	hg_ns until_ns = world_now_ns() + ns;

	while (world_now_ns() < until_ns)
		;
}

static void *leave(void *arg)
{
	struct parting *parting = arg;

	pthread_barrier_wait(&parting->together);
	spin(parting->skew_ns);
	parting->world->vanish(parting->world);
	return NULL;
}

/* One is a little before the other, now this one and now that one. */
static void part(struct world *world, struct hg_dev *dev, uint64_t *random)
{
	struct parting parting = {.world = world};
	hg_ns skew_ns = (hg_ns)hg_test_between(random, 0, SKEW_NS);
	pthread_t thread;

	parting.skew_ns = (hg_ns)hg_test_between(random, 0, SKEW_NS);
	pthread_barrier_init(&parting.together, NULL, 2);
	HG_CHECK_EQ(pthread_create(&thread, NULL, leave, &parting), 0);
	pthread_barrier_wait(&parting.together);
	spin(skew_ns);
	world_end(dev, false);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&parting.together);
}

static void s5_1_guest_may_leave_at_the_moment_its_port_is_closed(void)
{
	struct world *world = &world_vhost;
	uint64_t random = hg_test_seed;

	for (unsigned i = 0; i < N_PARTINGS; i++) {
		part(world, begin(world), &random);
		world->tear_down(world);
		HG_CHECK_EQ(world->heap.n_out, 0);
	}
	HG_CHECK(atomic_load(&n_taken_back) >= N_PARTINGS);
	HG_CHECK_EQ(atomic_load(&n_early), 0);
}

/* ---- again and again ------------------------------------------------------------------------------- */

/* A guest that comes back is another connection of the library's each time, be it there before us or not. */
static void s5_1_guest_is_met_whenever_it_comes(void)
{
	struct world *world = &world_vhost;
	struct hg_dev *dev = begin(world);

	for (unsigned i = 0; i < 10; i++) {
		if (i % 2 == 0) {
			world->vanish(world);
		} else {
			world->tear_down(world);
			HG_CHECK(world->build(world) == NULL);
		}
		world->meet(world, dev);
	}
	world->tear_down(world);
	world_end(dev, false);
	/* There before it. */
	HG_CHECK_EQ(world_open(world, &dev, NULL), 0);
	HG_CHECK_EQ(dev->driver->start(dev, NULL), 0);
	HG_CHECK(world->build(world) == NULL);
	world->meet(world, dev);
	world_end(dev, false);
	world->tear_down(world);
	HG_CHECK_EQ(atomic_load(&n_early), 0);
}

/* ---- whatever its socket is called ------------------------------------------------------------------- */

/* The guest chooses the name that its socket has for us; that it does not keep us waiting does not depend on it. */
static void s5_1_hostile_name_of_a_socket(void)
{
	static const uint32_t half_a_message[] = {GUEST_SET_FEATURES, GUEST_MSG_VERSION,
						  sizeof(uint64_t)};
	char path[64], device[96], link[64];
	struct guest_cfg cfg = {.path = link};
	struct hg_dev_cfg dev_cfg = {.device = device, .netns = "", .port = "web1-0", .mtu = 1500};
	struct hg_dev *dev = begin(&world_vhost);
	struct guest *guest;
	struct hg_dev *other;
	unsigned n_in_vain = 0;

	snprintf(path, sizeof(path), "/tmp/hg-parting-%d.sock", getpid());
	snprintf(link, sizeof(link), "/tmp/../tmp/hg-parting-%d.sock", getpid());
	snprintf(device, sizeof(device), "vhost:%s", path);
	dev_cfg.pool = &world_vhost.heap.pool;
	HG_CHECK_EQ(guest_open(&cfg, &guest), 0);
	HG_CHECK_EQ(hg_dev_open(&dev_cfg, &other, NULL), 0);
	HG_CHECK_EQ(other->driver->start(other, NULL), 0);
	while (guest_serve(guest) != GUEST_UP && n_in_vain < WORLD_VHOST_PATIENCE)
		n_in_vain += !guest_wait(guest, 10);
	HG_CHECK_EQ(guest_state(guest), GUEST_UP);
	HG_CHECK_EQ(guest_msg_send_bytes(guest_connection(guest), half_a_message,
					 sizeof(half_a_message), NULL, 0),
		    0);
	/* The other guest leaves and comes back, for which the library's thread must be free. */
	world_vhost.vanish(&world_vhost);
	world_vhost.meet(&world_vhost, dev);
	other->driver->close(other, false);
	guest_close(guest);
	world_end(dev, false);
	world_vhost.tear_down(&world_vhost);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_guest_may_leave_at_the_moment_its_port_is_closed),
		HG_TEST(s5_1_guest_is_met_whenever_it_comes),
		HG_TEST(s5_1_hostile_name_of_a_socket),
		{0},
	};

	/* What is freed is not what it was. */
	(void)mallopt(M_PERTURB, 0xa5);
	return hg_tests_main(argc, argv, tests);
}
