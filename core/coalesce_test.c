#include "core/coalesce.h"

#include "tests/harness.h"

#define US HG_NS_PER_US
#define RING 256u
#define PART (RING / HG_COALESCE_PART)

static struct hg_coalesce c;

static bool took(uint32_t n_untold, uint64_t n_bytes, hg_ns now_ns)
{
	return hg_coalesce_took(&c, n_untold, RING, n_bytes, now_ns);
}

static void s5_1_what_was_taken_is_told_by_its_instant(void)
{
	c = (struct hg_coalesce){0};
	HG_CHECK(!took(1, 60, 1000));
	HG_CHECK_EQ(c.by_ns, 1000 + HG_COALESCE_NS);
	/* More does not put it off, nor does to look. */
	HG_CHECK(!took(2, 60, 300 * US));
	HG_CHECK(!took(2, 0, 1000 + HG_COALESCE_NS - 1));
	HG_CHECK_EQ(c.by_ns, 1000 + HG_COALESCE_NS);
	HG_CHECK(took(2, 0, 1000 + HG_COALESCE_NS));
	hg_coalesce_told(&c);
	HG_CHECK_EQ(c.by_ns, 0);
	/* It begins anew. */
	HG_CHECK(!took(1, 60, HG_NS_PER_S));
	HG_CHECK_EQ(c.by_ns, HG_NS_PER_S + HG_COALESCE_NS);
}

static void s5_1_much_of_a_ring_is_told_at_once(void)
{
	c = (struct hg_coalesce){0};
	HG_CHECK(!took(PART - 1, 60, 1));
	HG_CHECK(took(PART, 60, 1));
	c = (struct hg_coalesce){0};
	HG_CHECK(took(RING, 60, 1));
	/* Of one that has no parts, each. */
	c = (struct hg_coalesce){0};
	HG_CHECK(hg_coalesce_took(&c, 1, 2, 60, 1));
}

static void s5_1_long_frames_are_told_at_once(void)
{
	c = (struct hg_coalesce){0};
	HG_CHECK(!took(1, HG_COALESCE_BYTES - 1, 1));
	HG_CHECK(took(2, 1, 1));
	hg_coalesce_told(&c);
	HG_CHECK(!took(1, 60, 1));
	hg_coalesce_told(&c);
	HG_CHECK(took(1, UINT64_MAX, 1));
	hg_coalesce_told(&c);
	/* What was told is not counted again. */
	HG_CHECK(!took(1, HG_COALESCE_BYTES - 1, 1));
}

/* Of a port's life: taken from it, and handed to it, each by itself. */
static bool is_exchange(uint64_t n_taken, uint64_t n_handed)
{
	static uint64_t handed_bytes;

	handed_bytes += n_handed;
	return hg_coalesce_is_exchange(&c, n_taken, handed_bytes);
}

static void s5_1_question_or_answer_is_told_first(void)
{
	c = (struct hg_coalesce){0};
	HG_CHECK(is_exchange(60, 0));
	HG_CHECK(is_exchange(HG_COALESCE_SHORT_BYTES, HG_COALESCE_SHORT_BYTES));
	/* Who streams, and who acknowledges a stream. */
	HG_CHECK(!is_exchange(HG_COALESCE_SHORT_BYTES + 1, 60));
	HG_CHECK(!is_exchange(60, HG_COALESCE_SHORT_BYTES + 1));
	/* What was handed before the last is not held against the next. */
	HG_CHECK(is_exchange(60, 60));
	/* While something waits, it waits with it; and what it knows outlives that. */
	HG_CHECK(!took(1, 60, 1000));
	HG_CHECK(!is_exchange(60, 60));
	hg_coalesce_told(&c);
	HG_CHECK(is_exchange(60, 60));
	hg_coalesce_soon(&c, 2000);
	HG_CHECK(!took(1, 0, 2000));
	HG_CHECK(took(1, 0, 2001));
	hg_coalesce_told(&c);
	HG_CHECK(is_exchange(60, 60));
	HG_CHECK(!took(1, 3000, 2000));
	hg_coalesce_told(&c);
	HG_CHECK(is_exchange(60, 60));
}

/* ---- any history -------------------------------------------------------------------------------- */

typedef bool took_fn(struct hg_coalesce *, uint32_t, uint32_t, uint64_t, hg_ns);

/* The broken twins: the clock starts again with each frame; what a ring has is not looked at. */
static bool puts_off(struct hg_coalesce *twin, uint32_t n_untold, uint32_t n_ring, uint64_t n_bytes,
		     hg_ns now_ns)
{
	if (n_bytes > 0 && now_ns < twin->by_ns)
		twin->by_ns = 0;
	return hg_coalesce_took(twin, n_untold, n_ring, n_bytes, now_ns);
}

static bool forgets_the_ring(struct hg_coalesce *twin, uint32_t n_untold, uint32_t n_ring,
			     uint64_t n_bytes, hg_ns now_ns)
{
	return hg_coalesce_took(twin, n_untold > 0, n_ring, n_bytes, now_ns);
}

/* Returns how often a guest waited for longer than it may, by the owner's by_ns, or had too much untold. */
static unsigned history(took_fn *judge, uint64_t random)
{
	unsigned n_steps = hg_test_rounds > 0 ? hg_test_rounds : 200000u, n_wrong = 0;
	uint32_t n_untold = 0, n_bytes = 0;
	hg_ns now_ns = 1, since_ns = 0;

	c = (struct hg_coalesce){0};
	for (unsigned i = 0; i < n_steps; i++) {
		uint32_t n = (uint32_t)hg_test_between(&random, 0, 32);
		uint64_t frame = i / 1000 % 2 == 0 ? 60 : 1500;
		bool is_told;

		now_ns += (hg_ns)hg_test_between(&random, 0, i / 5000 % 2 == 0 ? 20000 : 400000);
		/* As the owner: it wakes up by the instant. */
		if (c.by_ns != 0 && now_ns > c.by_ns) {
			n_wrong += c.by_ns > since_ns + HG_COALESCE_NS;
			hg_coalesce_told(&c);
			n_untold = n_bytes = 0;
		}
		if (n == 0 && n_untold == 0)
			continue;
		since_ns = n_untold == 0 ? now_ns : since_ns;
		n_untold += n;
		n_bytes += (uint32_t)(n * frame);
		is_told = judge(&c, n_untold, RING, n * frame, now_ns);
		if (!is_told)
			n_wrong += n_untold >= PART || n_bytes >= HG_COALESCE_BYTES;
		else
			n_wrong += n_untold < PART && n_bytes < HG_COALESCE_BYTES &&
				   now_ns < since_ns + HG_COALESCE_NS;
		if (is_told) {
			hg_coalesce_told(&c);
			n_untold = n_bytes = 0;
		}
	}
	return n_wrong;
}

static void s5_1_nobody_waits_longer_to_be_told(void)
{
	HG_CHECK_EQ(history(hg_coalesce_took, hg_test_seed), 0);
	HG_CHECK(history(puts_off, hg_test_seed) > 0);
	HG_CHECK(history(forgets_the_ring, hg_test_seed) > 0);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_what_was_taken_is_told_by_its_instant),
		HG_TEST(s5_1_much_of_a_ring_is_told_at_once),
		HG_TEST(s5_1_long_frames_are_told_at_once),
		HG_TEST(s5_1_question_or_answer_is_told_first),
		HG_TEST(s5_1_nobody_waits_longer_to_be_told),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
