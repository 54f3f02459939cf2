#include "drivers/vring_place.h"

#include "tests/harness.h"

#include <linux/virtio_ring.h>
#include <stdbool.h>

#define N 8u
#define AVAIL_BIT (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED_BIT (1u << VRING_PACKED_DESC_F_USED)

/* A ring with its driver and the device that served it, as simple as they can be. */
static struct {
	_Alignas(16) struct vring_packed_desc descs[N];
	struct vring_packed_desc_event events[2];
} shared;
static uint16_t next_avail, used_at, next_id;
static bool avail_lap, used_lap;
static unsigned n_out; /* descriptors available and not used */

static void begin(void)
{
	memset(&shared, 0, sizeof(shared));
	next_avail = used_at = next_id = 0;
	avail_lap = used_lap = true;
	n_out = 0;
}

static void step(uint16_t *at, bool *lap)
{
	if (++*at == N) {
		*at = 0;
		*lap = !*lap;
	}
}

static void driver_adds(unsigned n_slots)
{
	for (unsigned i = 0; i < n_slots; i++) {
		unsigned flags = (avail_lap ? AVAIL_BIT : USED_BIT) |
				 (i + 1u < n_slots ? VRING_DESC_F_NEXT : 0u);

		shared.descs[next_avail].id = next_id;
		shared.descs[next_avail].flags = (uint16_t)flags;
		step(&next_avail, &avail_lap);
	}
	next_id = (uint16_t)((next_id + 1u) % N);
	n_out += n_slots;
}

static void write_used(uint16_t at, bool lap)
{
	shared.descs[at].flags = lap ? AVAIL_BIT | USED_BIT : 0;
}

/* is_hidden: the process ends before it shows this one. */
static void device_uses(unsigned n_slots, bool is_hidden)
{
	if (!is_hidden)
		write_used(used_at, used_lap);
	for (unsigned i = 0; i < n_slots; i++)
		step(&used_at, &used_lap);
	n_out -= n_slots;
}

typedef void (*find_fn)(struct hg_vring *ring);

/* Where a ring goes on that is said to stand at its beginning. */
static bool is_found(find_fn find, bool has_indirect)
{
	struct hg_guest_memory memory = {
		.n = 1, .regions = {{.n_bytes = sizeof(shared), .host = (uint8_t *)&shared}}};
	struct hg_vring_cfg cfg = {
		.descs = shared.descs,
		.avail = &shared.events[0],
		.used = &shared.events[1],
		.n = N,
		.avail_at = 0x8000,
		.used_at = 0x8000,
		.is_packed = true,
		.has_indirect = has_indirect,
		.memory = &memory,
	};
	uint16_t want = (uint16_t)(used_at | (used_lap ? 0x8000u : 0));
	struct hg_vring ring;

	HG_CHECK_EQ(hg_vring_begin(&ring, &cfg, NULL), 0);
	find(&ring);
	HG_CHECK(ring.used_at < N && ring.avail_at < N);
	return hg_vring_used_at(&ring) == want && hg_vring_avail_at(&ring) == want;
}

static uint32_t draw(uint64_t *state, uint32_t below)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((*state >> 33) % below);
}

/* In any history, at any time; n_wrong: how often it was not. */
static unsigned play(find_fn find, unsigned n_steps)
{
	uint64_t random = hg_test_seed;
	unsigned n_wrong = 0;

	begin();
	for (unsigned i = 0; i < n_steps; i++) {
		if (draw(&random, 2) == 0 && n_out < N)
			driver_adds(1);
		else if (n_out > 0)
			device_uses(1, false);
		n_wrong += !is_found(find, true);
	}
	return n_wrong;
}

static unsigned rounds(void)
{
	return hg_test_rounds > 0 ? hg_test_rounds : 20000;
}

static void s5_1_place_of_a_packed_ring_is_found_in_any_history(void)
{
	HG_CHECK_EQ(play(hg_vring_find_place, rounds()), 0);
}

static void believe(struct hg_vring *ring)
{
	(void)ring;
}

/* Behind the last that looks used in the lap that is said, as if laps had no colours. */
static void count_used(struct hg_vring *ring)
{
	uint16_t at = 0;

	while (at < N && (shared.descs[at].flags & USED_BIT) != 0)
		at++;
	ring->avail_at = ring->used_at = at % N;
}

static void s5_1_finders_that_err_are_found_out(void)
{
	HG_CHECK(play(believe, rounds()) > 0);
	HG_CHECK(play(count_used, rounds()) > 0);
}

static void s5_1_place_that_is_right_is_kept(void)
{
	struct vring_packed_desc before[N];

	begin();
	for (unsigned i = 0; i < N; i++)
		driver_adds(1);
	memcpy(before, shared.descs, sizeof(before));
	HG_CHECK(is_found(hg_vring_find_place, true));
	HG_CHECK(is_found(hg_vring_find_place, false));
	HG_CHECK_EQ(memcmp(before, shared.descs, sizeof(before)), 0);
}

/* A process that ended in the middle of a burst, which is shown from its second buffer on. */
static void s5_1_burst_that_was_not_shown_is_shown(void)
{
	for (uint16_t first = 0; first < 2u * N; first++) {
		for (unsigned n = 3; n <= 5; n++) {
			uint16_t at;
			bool lap;

			begin();
			for (uint16_t i = 0; i < first; i++) {
				driver_adds(1);
				device_uses(1, false);
			}
			at = used_at;
			lap = used_lap;
			if (at + n >= N)
				continue; /* a burst over the end leaves two places to choose from */
			for (unsigned i = 0; i < n; i++)
				driver_adds(1);
			for (unsigned i = 0; i < n; i++)
				device_uses(1, i == 0);
			HG_CHECK(is_found(hg_vring_find_place, true));
			HG_CHECK_EQ(shared.descs[at].flags, lap ? AVAIL_BIT | USED_BIT : 0);
		}
	}
}

/* Of a buffer of three only the first is written. */
static void s5_1_rest_of_a_used_buffer_is_not_available(void)
{
	begin();
	driver_adds(3);
	driver_adds(1);
	driver_adds(2);
	device_uses(3, false);
	HG_CHECK(is_found(hg_vring_find_place, false));
	device_uses(1, false);
	HG_CHECK(is_found(hg_vring_find_place, false));
	device_uses(2, false);
	HG_CHECK(is_found(hg_vring_find_place, false));
	driver_adds(2);
	HG_CHECK(is_found(hg_vring_find_place, false));
}

/* Whatever a guest writes there, the place lies in the ring. */
static void s5_1_hostile_ring_has_its_place_in_itself(void)
{
	uint64_t random = hg_test_seed;

	for (unsigned i = 0; i < rounds(); i++) {
		for (unsigned at = 0; at < N; at++) {
			shared.descs[at].flags = (uint16_t)draw(&random, 1u << 16);
			shared.descs[at].id = (uint16_t)draw(&random, N);
		}
		(void)is_found(hg_vring_find_place, draw(&random, 2) == 0);
	}
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_place_of_a_packed_ring_is_found_in_any_history),
		HG_TEST(s5_1_finders_that_err_are_found_out),
		HG_TEST(s5_1_place_that_is_right_is_kept),
		HG_TEST(s5_1_burst_that_was_not_shown_is_shown),
		HG_TEST(s5_1_rest_of_a_used_buffer_is_not_available),
		HG_TEST(s5_1_hostile_ring_has_its_place_in_itself),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
