/* Releases of several bursts settled at once: each account gives back what it took, and no other's. */
#include "core/inflight.h"

#include "tests/inflight_world.h"

/* More than are added up at a time. */
enum { N_INSTANCES = 40 };

static struct {
	struct hg_inflight *q;
	struct hg_window *window;
	hg_ns now;
} w;

/* One wire packet. */
static uint32_t load_of(uint32_t wire_bytes)
{
	return hg_load(wire_bytes, 1);
}

static void world(void)
{
	const struct hg_inflight_cfg cfg = {
		.max_tenants = 1,
		.max_instances = N_INSTANCES,
		.is_on = true,
		.depth = {.bytes_per_s = GBIT, .largest_bytes = FRAME},
	};

	w.now = HG_NS_PER_S;
	w.q = inflight_world(&cfg, w.now);
	w.window = hg_inflight_window(w.q);
}

static struct hg_inflight_stats stats(void)
{
	return inflight_stats(w.q);
}

/* Tags of a round: those that come back, in front, and those that do not yet. */
struct round {
	struct hg_tag tags[700], kept[700];
	unsigned n, n_kept, n_never;
	uint64_t bytes, kept_bytes[N_INSTANCES];
};

static void take_round(struct round *r, uint64_t *seed)
{
	unsigned n_instances = (unsigned)hg_test_between(seed, 1, N_INSTANCES);
	unsigned n = (unsigned)hg_test_between(seed, 1, 700);

	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < n; i++) {
		bool is_in_turn = hg_test_between(seed, 0, 9) > 0;
		uint32_t idx = is_in_turn ? i % n_instances
					  : (uint32_t)hg_test_between(seed, 0, n_instances - 1u);
		uint32_t bytes = (uint32_t)hg_test_between(seed, 64, FRAME);
		struct hg_tag tag = hg_inflight_take(w.q, idx, load_of(bytes));

		if (hg_test_between(seed, 0, 7) == 0) {
			hg_inflight_hand(w.q, &tag, HG_HELD_NOT, w.now);
			r->kept[r->n_kept++] = tag;
			r->kept_bytes[idx] += bytes;
			continue;
		}
		if (hg_test_between(seed, 0, 20) > 0)
			hg_inflight_hand(w.q, &tag, HG_HELD_NOT, w.now);
		else
			r->n_never++;
		r->tags[r->n++] = tag;
		r->bytes += bytes;
		if (hg_test_between(seed, 0, 60) > 0)
			continue;
		/* Another one has its index from now on; what it had is nobody's. */
		hg_inflight_remove_instance(w.q, idx);
		hg_window_set_instance(w.window, idx, 0, 1, 0);
		r->kept_bytes[idx] = 0;
	}
}

/* Instances in turn, with few accounts and many: each gives back what it took, and no other's. */
static void s2_3_what_leaves_in_turn_is_settled_together_exactly(void)
{
	static struct round r;
	uint64_t seed = hg_test_seed;

	for (unsigned i = 0; i < 2000; i++) {
		struct hg_window_row row;

		world();
		take_round(&r, &seed);
		w.now += 3000;
		hg_inflight_settle_together(w.q, r.tags, r.n, w.now);
		hg_inflight_advance(w.q, w.now);
		HG_CHECK_EQ(stats().window.given_bytes, r.bytes);
		HG_CHECK_EQ(stats().window.outstanding_pkts, r.n_kept);
		HG_CHECK_EQ(stats().never_handed_pkts, r.n_never);
		HG_CHECK_EQ(stats().late_pkts, 0);
		HG_CHECK_EQ(inflight_card_count(w.q), r.n - r.n_never);
		for (uint32_t idx = 0; idx < N_INSTANCES; idx++) {
			hg_window_sample_instance(w.window, idx, &row);
			HG_CHECK_EQ(row.outstanding_bytes, r.kept_bytes[idx]);
		}
		hg_inflight_settle_together(w.q, r.kept, r.n_kept, w.now);
		hg_inflight_advance(w.q, w.now);
		HG_CHECK_EQ(stats().window.outstanding_bytes, 0);
		/* Once. */
		hg_inflight_settle_together(w.q, r.tags, r.n, w.now);
		hg_inflight_advance(w.q, w.now);
		HG_CHECK_EQ(stats().late_pkts, r.n);
	}
}

/* One comes back twice, the second time among others: it takes nothing from them. */
static void s2_3_what_is_late_among_others_is_told_apart(void)
{
	static const uint32_t of[] = {0, 1, 1, 0, 0};
	struct hg_window_row row;
	struct hg_tag tags[5];

	world();
	for (unsigned i = 0; i < 5; i++) {
		tags[i] = hg_inflight_take(w.q, of[i], load_of(FRAME));
		hg_inflight_hand(w.q, &tags[i], HG_HELD_NOT, w.now);
	}
	w.now += 3000;
	hg_inflight_settle(w.q, tags, 1, w.now);
	hg_inflight_settle_together(w.q, tags, 5, w.now);
	hg_inflight_advance(w.q, w.now);
	HG_CHECK_EQ(stats().window.given_pkts, 5);
	HG_CHECK_EQ(stats().late_pkts, 1);
	for (uint32_t idx = 0; idx < 2; idx++) {
		hg_window_sample_instance(w.window, idx, &row);
		HG_CHECK_EQ(row.outstanding_bytes, 0);
	}
}

static const struct hg_test tests[] = {
	HG_TEST(s2_3_what_leaves_in_turn_is_settled_together_exactly),
	HG_TEST(s2_3_what_is_late_among_others_is_told_apart),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
