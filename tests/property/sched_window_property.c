/* Random histories of a scheduler with a window and priorities: releases come one by one, in bursts, late, in any
 * order, or never, until they are written off. Each property is seen to fail with a liar between the history and the
 * scheduler. */
#include "tests/property/sched_model.h"
#include "tests/property/twins.h"

enum { N_PKTS = 1 << 16, QUEUE_MOST = 200, STEPS = 800, DEFAULT_ROUNDS = 300 };

enum lie {
	HONEST,
	WIDER_MAX, /* the window is told two packets more than agreed */
	DEAF, /* the scheduler does not hear of some releases */
	OTHER_PRIORITY, /* low and high are mixed up */
	HELD_LATE, /* waiting is told to have begun a ns later */
	LATE_NEXT_AT,
};

static char pkt_space[N_PKTS * 64];

struct out {
	struct hg_sched_item item;
	uint16_t generation;
	uint8_t epoch;
};

static struct {
	uint64_t seed;
	enum lie lie;
	struct model m;
	struct hg_caps *caps;
	struct hg_window *window;
	struct hg_sched *s;
	void *memory[3];
	hg_ns now;
	uint64_t max_bytes;
	uint32_t n_tenants, n_instances, next_pkt, n_out;
	struct out out[N_PKTS];
	uint8_t priority[MODEL_INSTANCES];
	hg_ns let_by_ns[HG_N_PRIORITIES]; /* when a priority was served last */
	bool has_limits, loses;
	uint64_t n_in, n_gone;
} h; /* one at a time */

static uint64_t pick(uint64_t lo, uint64_t hi)
{
	return hg_test_between(&h.seed, lo, hi);
}

static bool chance(unsigned percent)
{
	return pick(0, 99) < percent;
}

static void fail(const char *wrong, uint32_t node, double got, double want)
{
	if (h.m.wrong != NULL)
		return;
	h.m.wrong = wrong;
	h.m.wrong_node = node;
	h.m.wrong_got = got;
	h.m.wrong_want = want;
}

/* ---- the world ---------------------------------------------------------------------------------- */

static void *memory(unsigned k, size_t size)
{
	h.memory[k] = aligned_alloc(64, (size + 63u) & ~(size_t)63u);
	HG_CHECK(h.memory[k] != NULL);
	memset(h.memory[k], 0, size);
	return h.memory[k];
}

static struct hg_policy random_policy(void)
{
	struct hg_policy p = {.weight = (uint32_t)(chance(50) ? 1 : pick(1, 20)),
			      .burst_bytes = pick(HG_BURST_MIN_BYTES, 100000),
			      .idle_after_ns = (hg_ns)pick(100000, 20000000)};

	if (h.has_limits && chance(30))
		p.max_bytes_per_s = pick(1000000, 1000000000);
	return p;
}

static void set_tenant(uint32_t t)
{
	struct hg_policy p = random_policy();

	model_set_tenant(&h.m, t, &p, h.now);
	hg_caps_set_tenant(h.caps, t, &p, h.now);
	hg_window_set_tenant(h.window, t, p.weight);
	HG_CHECK_EQ(hg_sched_set_tenant(h.s, t, &p, h.now, NULL), 0);
	hg_sched_refresh_tenant(h.s, t, h.now);
	hg_sched_window_changed(h.s, h.now);
}

static void set_instance(uint32_t i, uint32_t t)
{
	struct hg_policy p = random_policy();

	h.priority[i] = (uint8_t)pick(0, HG_N_PRIORITIES - 1);
	p.priority = h.lie == OTHER_PRIORITY ? 2u - h.priority[i] : h.priority[i];
	model_set_instance(&h.m, i, t, &p, h.now);
	hg_caps_set_instance(h.caps, i, &p, h.now);
	hg_window_set_instance(h.window, i, t, p.weight, 0);
	HG_CHECK_EQ(hg_sched_set_instance(h.s, i, t, &p, h.now, NULL), 0);
	hg_sched_refresh_instance(h.s, i, h.now);
	hg_sched_window_changed(h.s, h.now);
}

static void set_max(void)
{
	h.max_bytes = pick(1, 12) * 1538;
	hg_window_set_max(h.window, h.max_bytes + (h.lie == WIDER_MAX ? 2 * 1538 : 0), 0);
	hg_sched_window_changed(h.s, h.now);
}

static void world(uint64_t seed, enum lie lie)
{
	struct hg_sched_cfg cfg = {.max_tenants = MODEL_TENANTS,
				   .max_instances = MODEL_INSTANCES,
				   .max_queued_pkts = MODEL_INSTANCES * QUEUE_MOST,
				   .pkt_base = pkt_space};

	memset(&h, 0, sizeof(h));
	h.seed = seed;
	h.lie = lie;
	h.now = HG_NS_PER_S;
	model_init(&h.m);
	h.has_limits = chance(50);
	h.loses = chance(30);
	h.n_tenants = (uint32_t)pick(1, MODEL_TENANTS);
	h.n_instances = (uint32_t)pick(h.n_tenants, MODEL_INSTANCES);
	h.caps = hg_caps_init(memory(0, hg_caps_size(MODEL_TENANTS, MODEL_INSTANCES)),
			      MODEL_TENANTS, MODEL_INSTANCES);
	h.window = hg_window_init(memory(1, hg_window_size(MODEL_TENANTS, MODEL_INSTANCES)),
				  MODEL_TENANTS, MODEL_INSTANCES);
	hg_window_set_link(h.window, 1250000000, 1538);
	cfg.caps = h.caps;
	cfg.window = h.window;
	HG_CHECK_EQ(hg_sched_init(memory(2, hg_sched_size(&cfg)), &cfg, h.now, &h.s, NULL), 0);
	set_max();
	for (uint32_t t = 0; t < h.n_tenants; t++)
		set_tenant(t);
	for (uint32_t i = 0; i < h.n_instances; i++)
		set_instance(i, i % h.n_tenants);
}

/* ---- the card ----------------------------------------------------------------------------------- */

/* Releases the packet at a place, or loses it. */
static void release(uint32_t at)
{
	struct out out = h.out[at];
	uint32_t i = out.item.instance_idx;

	memmove(&h.out[at], &h.out[at + 1], (--h.n_out - at) * sizeof(h.out[0]));
	if (h.loses && chance(3))
		return;
	hg_window_give(h.window, i, out.generation, out.epoch, out.item.wire_bytes, out.item.parts);
	if (h.lie != DEAF)
		hg_sched_window_opened(h.s, i, h.now);
}

static void release_some(void)
{
	uint32_t n = (uint32_t)pick(0, chance(20) ? 30 : 2);

	for (; n > 0 && h.n_out > 0; n--)
		release(chance(90) ? 0 : (uint32_t)pick(0, h.n_out - 1));
	if (hg_window_has_grown(h.window) && h.lie != DEAF)
		hg_sched_window_changed(h.s, h.now);
}

static void begin_epoch(void)
{
	uint32_t n_lost;

	hg_window_next_epoch(h.window, &n_lost);
	while (hg_window_sweep(h.window))
		;
	if (hg_window_has_grown(h.window))
		hg_sched_window_changed(h.s, h.now);
}

/* ---- what must hold ------------------------------------------------------------------------------ */

static bool is_above(uint8_t one, uint8_t other)
{
	static const int rank[HG_N_PRIORITIES] = {1, 2, 0};

	return rank[one] > rank[other];
}

/* A packet left though one of a higher priority, held by nothing but the link, stays: unless it was let by. */
static void check_order(const struct hg_sched_item *items, unsigned n)
{
	struct hg_sched_stats stats;

	for (uint32_t j = 0; !h.has_limits && j < h.n_instances; j++) {
		if (h.m.queues[0][j].n == 0)
			continue;
		hg_sched_sample_instance(h.s, j, &stats, h.now);
		for (unsigned k = 0; k < n && stats.held_by == HG_LIMIT_LINK; k++) {
			uint8_t priority = h.priority[items[k].instance_idx];

			if (is_above(h.priority[j], priority) &&
			    h.now - h.let_by_ns[priority] < HG_SCHED_SHUT_OUT_NS)
				fail("a lower priority before a higher", j, priority,
				     h.priority[j]);
		}
	}
	for (unsigned k = 0; k < n; k++)
		h.let_by_ns[h.priority[items[k].instance_idx]] = h.now;
}

static void check_window(void)
{
	struct hg_window_stats all;
	struct hg_window_row row;
	struct hg_sched_stats stats;
	uint64_t most = h.max_bytes + (uint64_t)h.m.largest_pkt;

	hg_window_sample(h.window, &all);
	if (all.outstanding_bytes > most)
		fail("more than MAX and a packet", 0, (double)all.outstanding_bytes, (double)most);
	for (uint32_t i = 0; i < h.n_instances; i++) {
		hg_sched_sample_instance(h.s, i, &stats, h.now);
		hg_window_sample_instance(h.window, i, &row);
		if (stats.held_by == HG_LIMIT_WINDOW && row.outstanding_pkts == 0)
			fail("held by its share with nothing outstanding", i, stats.queued_pkts, 0);
	}
}

/* ---- one step ----------------------------------------------------------------------------------- */

static void push_some(uint32_t i, unsigned n)
{
	for (unsigned j = 0; j < n; j++) {
		struct hg_sched_item item = {.pkt = pkt_space +
						    (size_t)(h.next_pkt++ % N_PKTS) * 64,
					     .instance_idx = i,
					     .wire_bytes = pick(88, 1538) & HG_WIRE_MAX_BYTES,
					     .parts = 1};

		model_push(&h.m, 0, &item, h.now);
		HG_CHECK_EQ(hg_sched_push(h.s, &item, 1, h.now + (h.lie == HELD_LATE)), 1);
	}
	h.n_in += n;
}

static unsigned pop_once(unsigned n)
{
	struct hg_sched_item items[64];
	unsigned got = hg_sched_pop(h.s, items, n, UINT32_MAX, h.now);

	for (unsigned j = 0; j < got; j++) {
		model_popped(&h.m, 0, &items[j], false, h.now);
		h.out[h.n_out++] = (struct out){
			items[j], hg_window_generation(h.window, items[j].instance_idx),
			hg_window_epoch(h.window)};
	}
	h.n_gone += got;
	check_order(items, got);
	check_window();
	return got;
}

static void pop_all(void)
{
	unsigned n;

	do
		n = (unsigned)pick(1, 64);
	while (pop_once(n) == n);
}

static void replace(uint32_t i)
{
	struct hg_sched_item items[16];
	uint32_t t = h.m.tenant_of[i];
	unsigned got;

	while ((got = hg_sched_drain(h.s, i, items, (unsigned)pick(1, 16), h.now)) > 0) {
		for (unsigned j = 0; j < got; j++)
			model_popped(&h.m, 0, &items[j], true, h.now);
		h.n_gone += got;
	}
	HG_CHECK_EQ(hg_sched_remove_instance(h.s, i, h.now, NULL), 0);
	hg_window_remove_instance(h.window, i);
	h.m.queues[0][i].busy_ns = 0;
	set_instance(i, t);
}

static void change(void)
{
	uint32_t i = (uint32_t)pick(0, h.n_instances - 1);

	if (chance(20))
		set_tenant((uint32_t)pick(0, h.n_tenants - 1));
	else if (chance(60))
		set_instance(i, chance(50) ? h.m.tenant_of[i] : (uint32_t)pick(0, h.n_tenants - 1));
	else
		replace(i);
}

/* Goes to the time that next_at names, and sees that nothing leaves before; or less far, if a release comes first. */
static void advance(void)
{
	hg_ns next = hg_sched_next_at(h.s, h.now);

	HG_CHECK(next >= h.now);
	if (h.lie == LATE_NEXT_AT && next != HG_NEVER && next > h.now)
		next += 3000000;
	/* What is lost fills the window until two epochs have passed. */
	if (next == HG_NEVER && hg_window_outstanding_pkts(h.window) == 0 && h.n_gone < h.n_in)
		fail("never, though nothing is in the card", 0, (double)(h.n_in - h.n_gone), 0);
	if (next > h.now + 1 && chance(30)) {
		h.now += next == HG_NEVER ? (hg_ns)pick(1, 20000) : next - h.now - 1;
		if (pop_once(1) != 0)
			fail("a packet left before next_at", 0, 0, 0);
	}
	h.now += next > h.now && next != HG_NEVER && chance(50) ? next - h.now
								: (hg_ns)pick(1, 20000);
}

/* What was found wrong in a history; NULL if nothing. */
static const char *run(uint64_t seed, enum lie lie)
{
	const char *wrong;

	world(seed, lie);
	for (int step = 0; step < STEPS && h.m.wrong == NULL; step++) {
		for (uint32_t i = 0; i < h.n_instances; i++)
			if (chance(20) && h.m.queues[0][i].n < QUEUE_MOST - 8)
				push_some(i, (unsigned)pick(1, 8));
		pop_all();
		model_check_samples(&h.m, 0, h.s, h.now);
		release_some();
		if (chance(5))
			change();
		if (chance(2) && hg_window_outstanding_pkts(h.window) == 0)
			set_max();
		if (chance(2))
			begin_epoch();
		advance();
	}
	/* All that is queued leaves in the end. */
	h.loses = false;
	for (int turn = 0; h.n_gone < h.n_in && h.m.wrong == NULL && turn < 200000; turn++) {
		pop_all();
		release_some();
		if (h.n_out == 0)
			begin_epoch();
		advance();
	}
	wrong = h.m.wrong;
	if (wrong == NULL && h.n_in != h.n_gone)
		wrong = "packets are stuck or lost";
	for (unsigned k = 0; k < 3; k++)
		free(h.memory[k]);
	return wrong;
}

static void s2_5_random_releases_keep_every_promise(void)
{
	for (unsigned r = 0; r < n_rounds(DEFAULT_ROUNDS); r++) {
		uint64_t seed = round_seed(r);
		const char *wrong = run(seed, HONEST);

		if (wrong != NULL)
			MODEL_FAIL(r, seed, &h.m, wrong, h.now);
	}
}

NOTICED(broken_wider_max_is_noticed, WIDER_MAX)
NOTICED(broken_deaf_scheduler_is_noticed, DEAF)
NOTICED(broken_priority_is_noticed, OTHER_PRIORITY)
NOTICED(broken_held_time_is_noticed, HELD_LATE)
NOTICED(broken_next_at_is_noticed, LATE_NEXT_AT)

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {HG_TEST(s2_5_random_releases_keep_every_promise),
					       HG_TEST(broken_wider_max_is_noticed),
					       HG_TEST(broken_deaf_scheduler_is_noticed),
					       HG_TEST(broken_priority_is_noticed),
					       HG_TEST(broken_held_time_is_noticed),
					       HG_TEST(broken_next_at_is_noticed),
					       {0}};

	return hg_tests_main(argc, argv, tests);
}
