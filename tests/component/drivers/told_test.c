/* When a guest is told that its frames were taken: late and together, but by an instant, and at once when it may need
 * the room. Time is the test's own. */
#include "core/coalesce.h"
#include "tests/component/drivers/world_vhost.h"
#include "tests/guest/inside.h"
#include "tests/harness.h"
#include "tests/component/drivers/begin.h"

#include <poll.h>
#include <unistd.h>

#define FRAME_BYTES 60u
/* Of a stream. */
#define LONG_BYTES 2000u
#define BURST 32u
#define T HG_NS_PER_S
/* Of the ring that a guest sends by, when no other size is asked for. */
#define PART (256u / HG_COALESCE_PART)

static struct world *kinds[] = {&world_vhost, &world_vhost_packed, &world_vhost_flags};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct guest_ring *ring(void)
{
	return guest_ring(world_vhost_guest(), 1);
}

/* Takes the calls that there are; returns how many. */
static uint64_t calls(void)
{
	struct pollfd fd = {.fd = guest_call_fd(world_vhost_guest(), 1), .events = POLLIN};
	uint64_t n = 0;

	if (poll(&fd, 1, 0) == 1)
		HG_CHECK_EQ(read(fd.fd, &n, sizeof(n)), (ssize_t)sizeof(n));
	return n;
}

static struct hg_dev *begin_told(struct world *world)
{
	struct hg_dev *dev = begin(world);

	(void)calls(); /* of who takes a ring over */
	return dev;
}

static void end(struct world *world, struct hg_dev *dev)
{
	world_end(dev, false);
	world->tear_down(world);
	HG_CHECK_EQ(world->heap.n_out, 0);
}

/* Sends n frames and asks to be told. */
static void guest_sends(unsigned n, unsigned n_bytes)
{
	static uint8_t frame[UINT16_MAX];

	world_frame(frame, n_bytes, 1);
	while (n-- > 0)
		HG_CHECK(guest_send(world_vhost_guest(), 0, frame, n_bytes, NULL));
	guest_ring_want_calls(ring(), true);
}

/* As a guest that was woken by something else. */
static void guest_looks(void)
{
	uint32_t n_bytes;
	uint16_t id;

	while (guest_ring_take_used(ring(), &id, &n_bytes) > 0)
		;
	guest_ring_want_calls(ring(), true);
}

static unsigned receive(struct world *world, struct hg_dev *dev, unsigned n, hg_ns now_ns)
{
	struct hg_pkt *pkts[BURST];

	n = dev->driver->rx(dev, pkts, n, now_ns);
	if (n > 0)
		hg_pool_put(&world->heap.pool, pkts, n);
	return n;
}

static void hand(struct world *world, struct hg_dev *dev, unsigned n_bytes)
{
	static uint8_t frame[UINT16_MAX];
	struct hg_pkt *pkt;

	world_frame(frame, n_bytes, 2);
	pkt = world_chain(world, frame, n_bytes, n_bytes);
	HG_CHECK_EQ(dev->driver->tx(dev, 0, &pkt, 1, T), 1);
	HG_CHECK_EQ(world->far_recv(world, frame, sizeof(frame)), n_bytes);
}

static void s5_1_guest_is_told_by_an_instant_that_its_frames_were_taken(void)
{
	for (unsigned i = 0; i < N_KINDS; i++) {
		struct hg_dev *dev = begin_told(kinds[i]);

		guest_sends(1, LONG_BYTES);
		HG_CHECK_EQ(receive(kinds[i], dev, BURST, T), 1);
		HG_CHECK_EQ(dev->tell_at_ns, T + HG_COALESCE_NS);
		guest_sends(1, LONG_BYTES);
		HG_CHECK_EQ(receive(kinds[i], dev, BURST, T + HG_COALESCE_NS / 2), 1);
		HG_CHECK_EQ(receive(kinds[i], dev, BURST, T + HG_COALESCE_NS - 1), 0);
		HG_CHECK_EQ(calls(), 0);
		HG_CHECK_EQ(dev->tell_at_ns, T + HG_COALESCE_NS);
		/* Nothing else happens. */
		dev->driver->tell(dev);
		HG_CHECK_EQ(calls(), 1);
		HG_CHECK_EQ(dev->tell_at_ns, 0);
		dev->driver->tell(dev);
		HG_CHECK_EQ(calls(), 0);
		/* Who looks anyway tells as well. */
		guest_sends(1, LONG_BYTES);
		HG_CHECK_EQ(receive(kinds[i], dev, BURST, 2 * T), 1);
		HG_CHECK_EQ(receive(kinds[i], dev, BURST, 2 * T + HG_COALESCE_NS), 0);
		HG_CHECK_EQ(calls(), 1);
		end(kinds[i], dev);
	}
}

static void s5_1_guest_that_may_need_the_room_is_told_at_once(void)
{
	for (unsigned i = 0; i < N_KINDS; i++) {
		struct hg_dev *dev = begin_told(kinds[i]);

		guest_sends(PART, FRAME_BYTES);
		HG_CHECK_EQ(receive(kinds[i], dev, BURST, T), BURST);
		HG_CHECK_EQ(receive(kinds[i], dev, PART - BURST - 1, T), PART - BURST - 1);
		HG_CHECK_EQ(calls(), 0);
		HG_CHECK_EQ(receive(kinds[i], dev, 1, T), 1);
		HG_CHECK_EQ(calls(), 1);
		/* A part of the ring, or long frames. */
		guest_sends(2, HG_COALESCE_BYTES / 2);
		HG_CHECK_EQ(receive(kinds[i], dev, 1, T), 1);
		HG_CHECK_EQ(calls(), 0);
		HG_CHECK_EQ(receive(kinds[i], dev, 1, T), 1);
		HG_CHECK_EQ(calls(), 1);
		end(kinds[i], dev);
	}
}

static void s5_1_guest_that_knows_or_does_not_ask_is_not_told(void)
{
	for (unsigned i = 0; i < N_KINDS; i++) {
		struct hg_dev *dev = begin_told(kinds[i]);

		guest_sends(1, LONG_BYTES);
		guest_ring_want_calls(ring(), false);
		HG_CHECK_EQ(receive(kinds[i], dev, BURST, T), 1);
		HG_CHECK_EQ(dev->tell_at_ns, 0);
		guest_sends(1, LONG_BYTES);
		HG_CHECK_EQ(receive(kinds[i], dev, BURST, T), 1);
		HG_CHECK_EQ(dev->tell_at_ns, T + HG_COALESCE_NS);
		guest_looks();
		/* Without an event index it cannot say so but by not asking. */
		if (!ring()->has_event_idx)
			guest_ring_want_calls(ring(), false);
		dev->driver->tell(dev);
		HG_CHECK_EQ(calls(), 0);
		/* And of the next it is. */
		guest_sends(1, LONG_BYTES);
		HG_CHECK_EQ(receive(kinds[i], dev, BURST, 2 * T), 1);
		dev->driver->tell(dev);
		HG_CHECK_EQ(calls(), 1);
		end(kinds[i], dev);
	}
}

/* Its port is closed, or it takes its rings back, before the instant. */
static void s5_1_guest_whose_port_ends_is_told_before(void)
{
	for (unsigned i = 0; i < N_KINDS; i++) {
		struct hg_dev *dev = begin_told(kinds[i]);

		guest_sends(1, LONG_BYTES);
		HG_CHECK_EQ(receive(kinds[i], dev, BURST, T), 1);
		HG_CHECK_EQ(calls(), 0);
		dev->driver->stop(dev);
		HG_CHECK_EQ(calls(), 1);
		dev->driver->tell(dev);
		HG_CHECK_EQ(dev->tell_at_ns, 0);
		HG_CHECK_EQ(calls(), 0);
		dev->driver->close(dev, false);
		kinds[i]->tear_down(kinds[i]);
		HG_CHECK_EQ(kinds[i]->heap.n_out, 0);
	}
}

/* A question, and an answer; not what follows a stream that it was handed. */
static void s5_1_guest_that_asks_or_answers_is_told_first(void)
{
	for (unsigned i = 0; i < N_KINDS; i++) {
		struct hg_dev *dev = begin_told(kinds[i]);

		for (unsigned handed_bytes = FRAME_BYTES; handed_bytes <= LONG_BYTES;
		     handed_bytes += LONG_BYTES - FRAME_BYTES) {
			guest_sends(1, FRAME_BYTES);
			HG_CHECK_EQ(receive(kinds[i], dev, BURST, T), 1);
			/* When it was handed on. */
			HG_CHECK_EQ(calls(), 0);
			HG_CHECK_EQ(dev->tell_at_ns, T + 1);
			dev->driver->tell(dev);
			HG_CHECK_EQ(calls(), 1);
			HG_CHECK_EQ(dev->tell_at_ns, 0);
			hand(kinds[i], dev, handed_bytes);
			guest_looks();
		}
		guest_sends(1, FRAME_BYTES);
		HG_CHECK_EQ(receive(kinds[i], dev, BURST, T), 1);
		HG_CHECK_EQ(calls(), 0);
		HG_CHECK_EQ(dev->tell_at_ns, T + HG_COALESCE_NS);
		dev->driver->tell(dev);
		HG_CHECK_EQ(calls(), 1);
		end(kinds[i], dev);
	}
}

/* ---- any history -------------------------------------------------------------------------------- */

struct history {
	struct world *world;
	struct hg_dev *dev;
	hg_ns now_ns,
		since_ns; /* since when it sleeps and has something back; 0: it is awake, or has not */
	bool is_asleep; /* the guest, since it asked and found nothing */
	bool is_careless; /* the broken twin: whoever polls tells nobody by itself */
	unsigned n_lost, n_told;
};

/* As Linux does it: whoever asks to be told looks once more, and then sleeps; until it is called, or something else comes. */
static void guest_steps(struct history *h, uint64_t choice)
{
	static const uint8_t frame[LONG_BYTES];
	bool is_called = calls() > 0;

	h->n_told += is_called;
	if (is_called || choice == 0) {
		guest_looks();
		h->is_asleep = false;
		h->since_ns = 0;
	} else if (!h->is_asleep && choice < 6) {
		(void)guest_send(world_vhost_guest(), 0, frame,
				 choice % 2 == 0 ? FRAME_BYTES : LONG_BYTES, NULL);
		if (choice == 1) {
			guest_ring_want_calls(ring(), true);
			h->is_asleep = !guest_ring_has_used(ring());
		}
	}
}

static void worker_steps(struct history *h, uint64_t choice)
{
	if (choice < 3)
		(void)receive(h->world, h->dev, choice == 0 ? 1 : BURST, h->now_ns);
	else
		h->now_ns += (hg_ns)choice * HG_COALESCE_NS / 40;
	if (h->dev->tell_at_ns != 0 && h->dev->tell_at_ns <= h->now_ns && !h->is_careless)
		h->dev->driver->tell(h->dev);
	if (h->is_asleep && h->since_ns == 0 && guest_ring_has_used(ring()))
		h->since_ns = h->now_ns;
}

/* Longer than a split ring's index. Returns how often the guest slept on though it had something back for too long. */
static unsigned history(struct history *h)
{
	unsigned n_steps = hg_test_rounds > 0 ? hg_test_rounds : 600000u;
	const hg_ns step_ns = 9 * HG_COALESCE_NS / 40;
	uint64_t random = hg_test_seed;

	h->n_lost = 0;
	for (unsigned i = 0; i < n_steps; i++) {
		uint64_t choice = hg_test_between(&random, 0, 9);

		if (hg_test_between(&random, 0, 1) == 0)
			guest_steps(h, choice);
		else
			worker_steps(h, choice);
		if (h->since_ns != 0 && h->now_ns > h->since_ns + HG_COALESCE_NS + step_ns) {
			h->n_lost += calls() == 0;
			guest_looks();
			h->is_asleep = false;
			h->since_ns = 0;
		}
	}
	return h->n_lost;
}

static void check_histories(struct world *world)
{
	struct history h = {.world = world, .dev = begin_told(world), .now_ns = T};

	HG_CHECK_EQ(history(&h), 0);
	HG_CHECK(h.n_told > 0);
	h.is_careless = true;
	HG_CHECK(history(&h) > 0);
	(void)receive(world, h.dev, BURST, h.now_ns);
	end(world, h.dev);
}

static void s5_1_no_guest_sleeps_on_what_it_has_back(void)
{
	check_histories(&world_vhost);
}

static void s5_1_no_guest_sleeps_on_what_it_has_back_flags(void)
{
	check_histories(&world_vhost_flags);
}

static void s5_1_no_guest_sleeps_on_what_it_has_back_packed(void)
{
	check_histories(&world_vhost_packed);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_guest_is_told_by_an_instant_that_its_frames_were_taken),
		HG_TEST(s5_1_guest_that_may_need_the_room_is_told_at_once),
		HG_TEST(s5_1_guest_that_knows_or_does_not_ask_is_not_told),
		HG_TEST(s5_1_guest_that_asks_or_answers_is_told_first),
		HG_TEST(s5_1_guest_whose_port_ends_is_told_before),
		HG_TEST(s5_1_no_guest_sleeps_on_what_it_has_back),
		HG_TEST(s5_1_no_guest_sleeps_on_what_it_has_back_flags),
		HG_TEST(s5_1_no_guest_sleeps_on_what_it_has_back_packed),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
