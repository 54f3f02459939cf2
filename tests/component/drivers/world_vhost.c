/* A machine's port, with the machine on the other side. */
#include "tests/component/drivers/world_vhost.h"

#include "tests/guest/guest.h"

#include <errno.h>
#include <rte_eal.h>
#include <stdio.h>
#include <unistd.h>

#define WAIT_MS 2000

static struct guest *guest;
static char path[64], device[96];

/* librte_vhost allocates with it. */
static bool begin_environment(void)
{
	static bool is_up;
	char *args[] = {"driver_suite",
			"--no-huge",
			"--no-pci",
			"--no-telemetry",
			"--no-shconf",
			"--log-level=lib.*:critical",
			"-m",
			"64",
			"-l",
			"0",
			NULL};

	if (!is_up)
		is_up = rte_eal_init(sizeof(args) / sizeof(args[0]) - 1, args) >= 0;
	return is_up;
}

static const char *build_as(struct world *world, struct guest_cfg cfg)
{
	if (!begin_environment())
		return "DPDK does not start here";
	snprintf(path, sizeof(path), "/tmp/headgate-suite-%d.sock", getpid());
	snprintf(device, sizeof(device), "vhost:%s", path);
	world->device = device;
	cfg.path = path;
	return guest_open(&cfg, &guest) == 0 ? NULL : "no guest can be made here";
}

static const char *build(struct world *world, uint64_t features, unsigned n_pairs)
{
	return build_as(world, (struct guest_cfg){.features = features, .n_pairs = n_pairs});
}

static const char *split_build(struct world *world)
{
	return build(world, GUEST_FEATURES, 1);
}

static const char *packed_build(struct world *world)
{
	return build(world, GUEST_FEATURES | GUEST_PACKED, 1);
}

/* Without an event index: notifications are switched on and off by a flag. */
static const char *flags_build(struct world *world)
{
	return build(world, GUEST_FEATURES & ~GUEST_BIT(VIRTIO_RING_F_EVENT_IDX), 1);
}

static const char *queues_build(struct world *world)
{
	return build(world, GUEST_FEATURES, WORLD_VHOST_QUEUES);
}

static const char *apart_build(struct world *world)
{
	return build_as(world, (struct guest_cfg){.features = GUEST_FEATURES,
						  .rx_lead_bytes = 52,
						  .has_stale_headers = true});
}

static const char *packed_apart_build(struct world *world)
{
	return build_as(world, (struct guest_cfg){.features = GUEST_FEATURES | GUEST_PACKED,
						  .rx_lead_bytes = 52,
						  .has_stale_headers = true});
}

static void tear_down(struct world *world)
{
	(void)world;
	guest_close(guest);
	guest = NULL;
}

/* Until both sides say so: each learns by itself that the other went away before. */
static void meet(struct world *world, struct hg_dev *dev)
{
	struct hg_dev_state state;
	struct hg_dev_stats stats;
	unsigned n_in_vain = 0;

	(void)world;
	do {
		n_in_vain += !guest_wait(guest, 10);
		guest_serve(guest);
		dev->driver->sample(dev, &state, &stats);
	} while ((state.link != HG_DEV_UP || guest_state(guest) != GUEST_UP) &&
		 n_in_vain < WORLD_VHOST_PATIENCE);
	if (guest_state(guest) == GUEST_UP && state.link == HG_DEV_UP)
		return;
	fprintf(stderr, "the guest is not up: %s; %s\n", guest_why(guest), state.reason);
	exit(1);
}

static void far_send(struct world *world, const uint8_t *frame, unsigned n_bytes)
{
	(void)world;
	if (!guest_send(guest, 0, frame, n_bytes, NULL)) {
		fprintf(stderr, "the guest cannot send: %s\n", guest_why(guest));
		exit(1);
	}
}

static unsigned far_recv(struct world *world, uint8_t *frame, unsigned size)
{
	hg_ns until_ns = world_now_ns() + (hg_ns)WAIT_MS * HG_NS_PER_MS;

	(void)world;
	do {
		size_t n = guest_receive(guest, 0, frame, size, NULL);

		if (n > 0)
			return (unsigned)n;
		guest_wait(guest, 100);
		guest_serve(guest);
	} while (world_now_ns() < until_ns);
	return 0;
}

static void vanish(struct world *world)
{
	(void)world;
	guest_disconnect(guest);
}

static void come_back(struct world *world)
{
	(void)world; /* the guest listens again */
}

#define GUEST                                                                                 \
	.comes_back_alone = true, .makes_itself = true, .meet = meet, .tear_down = tear_down, \
	.far_send = far_send, .far_recv = far_recv, .vanish = vanish, .come_back = come_back

struct guest *world_vhost_guest(void)
{
	return guest;
}

struct world world_vhost = {.name = "vhost", .build = split_build, GUEST};
struct world world_vhost_packed = {.name = "vhost_packed", .build = packed_build, GUEST};
struct world world_vhost_apart = {.name = "vhost_apart", .build = apart_build, GUEST};
struct world world_vhost_packed_apart = {
	.name = "vhost_packed_apart", .build = packed_apart_build, GUEST};
struct world world_vhost_flags = {.name = "vhost_flags", .build = flags_build, GUEST};
struct world world_vhost_queues = {.name = "vhost_queues", .build = queues_build, GUEST};
