/* Nobody waits for a frame that lies there: a guest that adds frames and asks whether to notify, against a worker that looks,
 * asks to be notified and goes to sleep, step by step in any order, and at the same time. */
#include "tests/component/drivers/world_vhost.h"
#include "tests/guest/inside.h"
#include "tests/harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

#define FRAME_BYTES 60u
#define BURST 32u
#define PATIENCE_MS 10000
#define N_RACES 5000u

struct sleeper {
	struct world *world;
	struct hg_dev *dev;
	int edges;
	bool is_asleep;
	bool is_careless; /* the broken twin: sleeps whatever arm says */
};

static struct sleeper begin(struct world *world)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	struct sleeper s = {.world = world};
	const char *why;

	heap_pool_init(&world->heap);
	why = world->build(world);
	if (why != NULL)
		HG_SKIP(why);
	s.dev = world_begin(world);
	s.edges = epoll_create1(EPOLL_CLOEXEC);
	HG_CHECK(s.edges >= 0);
	HG_CHECK_EQ(epoll_ctl(s.edges, EPOLL_CTL_ADD, s.dev->driver->fd(s.dev), &event), 0);
	return s;
}

static void end(struct sleeper *s)
{
	close(s->edges);
	world_end(s->dev, false);
	s->world->tear_down(s->world);
	HG_CHECK_EQ(s->world->heap.n_out, 0);
}

static unsigned receive(struct sleeper *s, unsigned n)
{
	struct hg_pkt *pkts[BURST];

	n = s->dev->driver->rx(s->dev, pkts, n, world_now_ns());
	if (n > 0)
		hg_pool_put(&s->world->heap.pool, pkts, n);
	return n;
}

static bool is_called(struct sleeper *s, int timeout_ms)
{
	struct epoll_event event;

	return epoll_wait(s->edges, &event, 1, timeout_ms) == 1;
}

/* As a worker that found nothing. */
static void fall_asleep(struct sleeper *s)
{
	bool has_some = s->dev->driver->arm(s->dev);

	s->is_asleep = !has_some || s->is_careless;
}

/* ---- any order of steps ------------------------------------------------------------------------- */

struct driver {
	struct guest_queue *queue;
	unsigned n_there; /* in the ring, not received */
	bool has_to_ask;
};

/* What guest_send() does before it asks. */
static void add(struct driver *d, struct guest *guest)
{
	uint32_t n_bytes;
	uint16_t id;

	while (guest_ring_take_used(&d->queue->ring, &id, &n_bytes) > 0)
		;
	if (guest_ring_next_id(&d->queue->ring) < 0)
		return;
	id = (uint16_t)guest_ring_next_id(&d->queue->ring);
	HG_CHECK(guest_ring_add(
		&d->queue->ring,
		&(struct guest_piece){.gpa = guest_memory_gpa(
					      &guest->memory,
					      d->queue->slots + (size_t)id * guest->tx_slot_bytes),
				      .n_bytes = GUEST_HEADER_BYTES + FRAME_BYTES},
		1, false));
	d->n_there++;
	d->has_to_ask = true;
}

static void ask(struct driver *d)
{
	uint64_t one = 1;

	d->has_to_ask = false;
	if (guest_ring_wants_kick(&d->queue->ring))
		HG_CHECK_EQ(write(d->queue->kick_fd, &one, sizeof(one)), (ssize_t)sizeof(one));
}

static void guest_steps(struct driver *d, struct guest *guest, uint64_t choice)
{
	if (choice == 0 && d->has_to_ask)
		ask(d);
	else if (choice < 3)
		add(d, guest);
}

static void worker_steps(struct sleeper *s, struct driver *d, uint64_t choice)
{
	if (s->is_asleep && choice > 0) {
		s->is_asleep = !is_called(s, 0);
		return;
	}
	/* Now and then one that sleeps looks all the same, since somebody else woke it. */
	s->is_asleep = false;
	d->n_there -= receive(s, choice < 3 ? 1 : BURST);
	if (choice % 2 == 0)
		fall_asleep(s);
}

/* Returns how often a frame lay there that nobody would have looked at. Longer than a split ring's index. */
static unsigned history(struct sleeper *s, uint64_t seed)
{
	unsigned n_steps = hg_test_rounds > 0 ? hg_test_rounds : 400000u, n_lost = 0;
	struct guest *guest = world_vhost_guest();
	struct driver d = {.queue = &guest->queues[1]};
	uint64_t random = seed;

	(void)receive(s, BURST);
	for (unsigned i = 0; i < n_steps; i++) {
		uint64_t choice = hg_test_between(&random, 0, 9);

		if (choice < 5)
			guest_steps(&d, guest, choice);
		else
			worker_steps(s, &d, choice - 5);
		if (s->is_asleep && !d.has_to_ask && d.n_there > 0) {
			n_lost += !is_called(s, 0);
			s->is_asleep = false;
		}
	}
	while (d.n_there > 0)
		d.n_there -= receive(s, BURST);
	return n_lost;
}

static void check_histories(struct world *world)
{
	struct sleeper s = begin(world);

	HG_CHECK_EQ(history(&s, hg_test_seed), 0);
	s.is_careless = true;
	HG_CHECK(history(&s, hg_test_seed) > 0);
	end(&s);
}

static void s5_1_no_frame_lies_there_while_the_worker_sleeps(void)
{
	check_histories(&world_vhost);
}

static void s5_1_no_frame_lies_there_while_the_worker_sleeps_flags(void)
{
	check_histories(&world_vhost_flags);
}

static void s5_1_no_frame_lies_there_while_the_worker_sleeps_packed(void)
{
	check_histories(&world_vhost_packed);
}

/* ---- at the same time --------------------------------------------------------------------------- */

static atomic_bool want_stop;

/* A worker with nothing else to do, until it is told to stop or nobody calls it for too long. */
static void *work(void *arg)
{
	struct sleeper *s = arg;

	while (!atomic_load(&want_stop)) {
		if (receive(s, BURST) > 0)
			continue;
		fall_asleep(s);
		if (s->is_asleep)
			(void)is_called(s, PATIENCE_MS);
	}
	return NULL;
}

static void spin(uint64_t n)
{
	for (volatile uint64_t i = 0; i < n; i++)
		;
}

static bool is_taken(struct guest *guest)
{
	hg_ns until_ns = world_now_ns() + (hg_ns)(PATIENCE_MS / 2) * HG_NS_PER_MS;

	/* At once, or the worker sleeps before the next one is sent. */
	for (unsigned i = 1; !guest_ring_has_used(&guest->queues[1].ring); i++) {
		if (i % 1024u == 0 && world_now_ns() > until_ns)
			return false;
	}
	return true;
}

/* The frame comes when the worker is about to fall asleep. */
static void race(struct sleeper *s, void (*meanwhile)(struct sleeper *s, unsigned i))
{
	struct guest *guest = world_vhost_guest();
	uint64_t random = hg_test_seed, one = 1;
	uint8_t frame[FRAME_BYTES];
	pthread_t worker;
	bool is_lost = false;

	atomic_store(&want_stop, false);
	HG_CHECK_EQ(pthread_create(&worker, NULL, work, s), 0);
	for (unsigned i = 0; i < N_RACES && !is_lost; i++) {
		world_frame(frame, sizeof(frame), i);
		HG_CHECK(guest_send(guest, 0, frame, sizeof(frame), NULL));
		if (meanwhile != NULL)
			meanwhile(s, i);
		is_lost = !is_taken(guest);
		/* Mostly about as long as the worker takes from its last look to its sleep. */
		spin(hg_test_between(&random, 0, i % 8 == 0 ? 2000 : 100));
	}
	atomic_store(&want_stop, true);
	HG_CHECK_EQ(write(guest->queues[1].kick_fd, &one, sizeof(one)), (ssize_t)sizeof(one));
	pthread_join(worker, NULL);
	HG_CHECK(!is_lost);
}

static void check_race(struct world *world)
{
	struct sleeper s = begin(world);

	race(&s, NULL);
	end(&s);
}

static void s5_1_no_frame_is_missed_by_who_falls_asleep(void)
{
	check_race(&world_vhost);
}

static void s5_1_no_frame_is_missed_by_who_falls_asleep_flags(void)
{
	check_race(&world_vhost_flags);
}

static void s5_1_no_frame_is_missed_by_who_falls_asleep_packed(void)
{
	check_race(&world_vhost_packed);
}

/* The door is closed and opened. */
static void change_mtu(struct sleeper *s, unsigned i)
{
	const struct hg_dev_cfg cfg = {
		.device = "vhost", .netns = "", .mtu = i % 2 == 0 ? 9000 : 1500};

	HG_CHECK_EQ(s->dev->driver->adjust(s->dev, &cfg, NULL), 0);
}

static void s5_1_no_frame_is_missed_behind_a_door_that_opens_again(void)
{
	struct sleeper s = begin(&world_vhost);

	race(&s, change_mtu);
	end(&s);
}

static void s5_1_no_frame_is_missed_behind_a_door_that_opens_again_packed(void)
{
	struct sleeper s = begin(&world_vhost_packed);

	race(&s, change_mtu);
	end(&s);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_no_frame_lies_there_while_the_worker_sleeps),
		HG_TEST(s5_1_no_frame_lies_there_while_the_worker_sleeps_flags),
		HG_TEST(s5_1_no_frame_lies_there_while_the_worker_sleeps_packed),
		HG_TEST(s5_1_no_frame_is_missed_by_who_falls_asleep),
		HG_TEST(s5_1_no_frame_is_missed_by_who_falls_asleep_flags),
		HG_TEST(s5_1_no_frame_is_missed_by_who_falls_asleep_packed),
		HG_TEST(s5_1_no_frame_is_missed_behind_a_door_that_opens_again),
		HG_TEST(s5_1_no_frame_is_missed_behind_a_door_that_opens_again_packed),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
