/* A card queue under random faults: buffers lost, released late, out of order or without having been handed
 * over, silence, resets, the operator's switch, instances that come and go. What was counted on the way must
 * agree with the accounts, and all of it ends at zero. */
#include "core/inflight.h"

#include "tests/inflight_world.h"

#include <stdbool.h>

enum { N_INSTANCES = 32, N_HELD = 4096, N_PKTS = 1000000 };

#define LINK UINT64_C(1250000000)

enum twin { HONEST, LOSES_A_PART, COUNTS_TWICE, FORGETS_A_TAKE, N_TWINS };

static struct {
	uint64_t seed;
	enum twin twin;
	struct hg_inflight_cfg cfg;
	struct hg_inflight *q;
	struct hg_window *window;
	hg_ns now, wire_end_ns;
	struct hg_tag tags[N_HELD]; /* in the card, or kept back, in order */
	hg_ns done_ns[N_HELD];
	unsigned n_held;
	bool is_set[N_INSTANCES];
	bool is_silent;
	unsigned n_states_seen[HG_N_HOOK_STATES];
	/* By this count. */
	uint64_t taken_bytes, taken_pkts, n_pkts;
	uint64_t back_bytes, back_pkts; /* released in time */
	uint64_t late_bytes, late_pkts;
	uint64_t gone_bytes, gone_pkts; /* never released */
} c;

static uint64_t pick(uint64_t lo, uint64_t hi)
{
	return hg_test_between(&c.seed, lo, hi);
}

static bool is_rare(unsigned one_in)
{
	return pick(1, one_in) == 1;
}

static void set_instance(uint32_t idx)
{
	hg_window_set_instance(c.window, idx, 0, (uint32_t)pick(1, 9), pick(0, 1) ? LINK / 40 : 0);
	c.is_set[idx] = true;
}

static void world(uint64_t seed, enum twin twin)
{
	memset(&c, 0, sizeof(c));
	c.seed = seed;
	c.twin = twin;
	c.now = 1;
	c.cfg = (struct hg_inflight_cfg){.max_tenants = 1,
					 .max_instances = N_INSTANCES,
					 .is_on = true,
					 .depth = {.bytes_per_s = LINK, .largest_bytes = 9000}};
	c.q = inflight_world(&c.cfg, c.now);
	c.window = hg_inflight_window(c.q);
	for (uint32_t i = 0; i < N_INSTANCES; i++)
		set_instance(i);
}

static void settle(const struct hg_tag *tag)
{
	struct hg_window_stats before, after;
	struct hg_tag told = *tag;

	hg_window_sample(c.window, &before);
	if (c.twin == LOSES_A_PART && is_rare(1000))
		told.load -= 1;
	if (c.twin == FORGETS_A_TAKE && is_rare(1000))
		return;
	hg_inflight_settle(c.q, &told, 1, c.now);
	if (c.twin == COUNTS_TWICE && is_rare(1000))
		hg_inflight_settle(c.q, &told, 1, c.now);
	hg_window_sample(c.window, &after);
	if (after.given_pkts != before.given_pkts) {
		c.back_bytes += hg_load_bytes(tag->load);
		c.back_pkts += hg_load_parts(tag->load);
	} else {
		c.late_bytes += hg_load_bytes(tag->load);
		c.late_pkts += hg_load_parts(tag->load);
	}
}

/* What the card has sent, in bursts as a driver reports it; some of it long after, out of order. */
static void release(bool is_all)
{
	unsigned n_kept = 0;

	if (c.is_silent && !is_all)
		return;
	for (unsigned n = 0; n < c.n_held; n++) {
		if (is_all || c.done_ns[n] <= c.now) {
			settle(&c.tags[n]);
			continue;
		}
		c.tags[n_kept] = c.tags[n];
		c.done_ns[n_kept++] = c.done_ns[n];
	}
	c.n_held = n_kept;
}

/* On the way to the card, and what can happen there. */
static void hand(struct hg_tag tag)
{
	if (is_rare(500)) { /* a stage dropped it */
		settle(&tag);
		return;
	}
	hg_inflight_hand(c.q, &tag, is_rare(3), c.now);
	if (is_rare(500)) { /* a failed send */
		hg_inflight_refused(c.q, 1, c.now);
		hg_inflight_unhand(c.q, &tag, c.now);
		settle(&tag);
		return;
	}
	if (is_rare(700) || c.n_held == N_HELD) { /* its buffer is never released */
		c.gone_pkts += hg_load_parts(tag.load);
		c.gone_bytes += hg_load_bytes(tag.load);
		return;
	}
	if (c.wire_end_ns < c.now)
		c.wire_end_ns = c.now;
	c.wire_end_ns += (hg_ns)(hg_load_bytes(tag.load) * HG_NS_PER_S / LINK);
	c.tags[c.n_held] = tag;
	c.done_ns[c.n_held++] = c.wire_end_ns + (is_rare(5000) ? HG_NS_PER_S : 3000);
}

static void send_burst(void)
{
	/* The root's pace, where it is in force. */
	if (hg_inflight_is_paced(c.q) && c.wire_end_ns > c.now + 20000)
		return;
	for (uint64_t n = pick(1, 48); n > 0; n--) {
		uint32_t idx = (uint32_t)pick(0, N_INSTANCES - 1), parts = 1;
		uint32_t bytes = (uint32_t)(pick(0, 1) ? 1538 : pick(88, 9000));
		struct hg_tag tag;

		if (!c.is_set[idx] || hg_window_may(c.window, idx) != HG_WINDOW_OPEN)
			continue;
		parts += bytes / 1539u;
		tag = hg_inflight_take(c.q, idx, bytes | parts << 20);
		if (tag.queue == 0)
			continue; /* switched off: not followed */
		c.taken_bytes += bytes;
		c.taken_pkts += parts;
		c.n_pkts++;
		hand(tag);
	}
}

static void live_change(void)
{
	uint32_t idx = (uint32_t)pick(0, N_INSTANCES - 1);

	switch (pick(0, 7)) {
	case 0:
		if (c.is_set[idx])
			hg_window_remove_instance(c.window, idx);
		c.is_set[idx] = false;
		break;
	case 1:
	case 2:
		set_instance(idx);
		break;
	case 3:
		c.cfg.is_on = !is_rare(3);
		hg_inflight_configure(c.q, &c.cfg, c.now);
		break;
	case 4:
		c.cfg.depth.pin_bytes = is_rare(3) ? pick(2000, 200000) : 0;
		hg_inflight_configure(c.q, &c.cfg, c.now);
		break;
	case 5:
		if (is_rare(8))
			hg_inflight_reset(c.q, c.now);
		break;
	case 6:
		c.is_silent |= is_rare(40);
		break;
	default:
		c.now += (hg_ns)pick(1, (uint64_t)(is_rare(20) ? HG_NS_PER_S : HG_NS_PER_MS));
	}
}

static bool is_sum_right(void)
{
	struct hg_inflight_stats s;

	hg_inflight_sample(c.q, &s);
	c.n_states_seen[s.state]++;
	return s.window.taken_bytes == c.taken_bytes && s.window.taken_pkts == c.taken_pkts &&
	       s.window.taken_bytes ==
		       s.window.given_bytes + s.window.lost_bytes + s.window.outstanding_bytes &&
	       s.window.taken_pkts ==
		       s.window.given_pkts + s.window.lost_pkts + s.window.outstanding_pkts &&
	       s.window.given_pkts == c.back_pkts && s.window.given_bytes == c.back_bytes &&
	       s.late_pkts == c.late_pkts;
}

/* Nothing more is sent; all that the card still has comes back, and what it has not is written off. */
static void end(void)
{
	hg_ns at;

	release(true);
	hg_inflight_advance(c.q, c.now);
	for (unsigned n = 0; n < 100 && (at = hg_inflight_next_at(c.q)) != HG_NEVER; n++) {
		c.now = at > c.now ? at : c.now;
		hg_inflight_advance(c.q, c.now);
	}
}

/* Whether the accounts ended where they should. */
static bool history(uint64_t seed, enum twin twin, uint64_t n_pkts)
{
	struct hg_inflight_stats s;
	bool is_right = true;

	world(seed, twin);
	while (c.n_pkts < n_pkts && is_right) {
		c.now += (hg_ns)pick(100, c.is_silent ? 2000000 : 20000);
		if (c.is_silent && is_rare(300))
			c.is_silent = false;
		release(false);
		hg_inflight_advance(c.q, c.now);
		is_right = is_sum_right();
		send_burst();
		if (is_rare(200))
			live_change();
	}
	end();
	hg_inflight_sample(c.q, &s);
	/* What is lost came back late, or is gone for ever. */
	return is_right && is_sum_right() && s.window.outstanding_bytes == 0 &&
	       s.window.outstanding_pkts == 0 && s.window.n_active == 0 &&
	       s.window.lost_pkts == c.late_pkts + c.gone_pkts &&
	       s.window.lost_bytes == c.late_bytes + c.gone_bytes &&
	       hg_inflight_next_at(c.q) == HG_NEVER;
}

static void s2_10_a_million_packets_with_faults_drift_by_nothing(void)
{
	unsigned rounds = hg_test_rounds ? hg_test_rounds : 1;

	for (unsigned r = 0; r < rounds; r++)
		if (!history(hg_test_seed + r, HONEST, N_PKTS))
			HG_TEST_FAIL("seed %" PRIu64 " after %" PRIu64 " packets", hg_test_seed + r,
				     c.n_pkts);
	/* The history was one: the card was believed, switched off, silent. */
	HG_CHECK(c.n_states_seen[HG_HOOK_ON] > 0 && c.n_states_seen[HG_HOOK_OFF] > 0);
	HG_CHECK(c.n_states_seen[HG_HOOK_SILENT] > 0 && c.n_states_seen[HG_HOOK_LEARNING] > 0);
}

static void broken_twins_are_noticed(void)
{
	for (int twin = HONEST + 1; twin < N_TWINS; twin++)
		if (history(hg_test_seed, (enum twin)twin, 50000))
			HG_TEST_FAIL("twin %d is not noticed", twin);
}

static const struct hg_test tests[] = {
	HG_TEST(s2_10_a_million_packets_with_faults_drift_by_nothing),
	HG_TEST(broken_twins_are_noticed),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
