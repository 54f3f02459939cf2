/* S5.1, migration: an instance that is saved at any point of a random history, and restored on a fresh scheduler
 * under another number, is served from then on as if it had stayed. Each history is run twice, once with the
 * move and once without. Broken twins lose a part of what was saved, and must be noticed. */
#include "core/sched_saved.h"

#include "core/caps.h"
#include "tests/harness.h"

enum { N_TENANTS = 4, N_INSTANCES = 8, N_PKTS = 1 << 13, N_STEPS = 120, TRACE_MAX = N_PKTS };
enum { DEFAULT_ROUNDS = 400 };

#define FULL_FRAME_BYTES 1538u
#define LINK_BYTES_PER_S UINT64_C(125000000)
/* What two histories may differ by where others compete: entries of wheels that a stay leaves behind, and a move
 * does not, change who goes first, by a quantum at each of both ends, and a packet. */
#define APART_MAX_BYTES (2 * (int64_t)(3096 + FULL_FRAME_BYTES))

enum twin { STAYS, MOVES, DROPS_DEBT, BEGINS_ANEW, FORGETS_IDLENESS, FORGETS_GUARANTEE, N_TWINS };

static char pkt_space[N_PKTS * 64];

struct event {
	hg_ns at_ns;
	uint32_t number;
};

struct lane { /* a host's scheduler */
	struct hg_sched *s;
	struct hg_caps *caps;
	void *memory, *caps_memory;
	uint32_t tenant, instance; /* of the one that moves */
};

static struct {
	uint64_t seed;
	hg_ns now;
	struct lane lane;
	struct hg_policy policy;
	bool is_contended;
	uint32_t next_pkt, n_trace;
	struct event trace[TRACE_MAX];
	int64_t sent_bytes; /* of the one that moves */
	int64_t sent_after[N_STEPS];
} w;

static uint64_t pick(uint64_t lo, uint64_t hi)
{
	return hg_test_between(&w.seed, lo, hi);
}

static void *fresh(size_t size)
{
	void *memory = aligned_alloc(64, (size + 63u) & ~(size_t)63u);

	HG_CHECK(memory != NULL);
	memset(memory, 0, size);
	return memory;
}

static void set_mover(struct lane *lane)
{
	hg_caps_set_instance(lane->caps, lane->instance, &w.policy, w.now);
	HG_CHECK_EQ(hg_sched_set_instance(lane->s, lane->instance, lane->tenant, &w.policy, w.now,
					  NULL),
		    0);
	hg_sched_set_classes(lane->s, lane->instance, &w.policy.classes);
}

static struct hg_policy plain(void)
{
	return (struct hg_policy){.weight = 1,
				  .burst_bytes = HG_BURST_DEFAULT_BYTES,
				  .idle_after_ns = HG_IDLE_AFTER_DEFAULT_NS};
}

static void open_lane(struct lane *lane, uint32_t tenant, uint32_t instance)
{
	struct hg_sched_cfg cfg = {.max_tenants = N_TENANTS,
				   .max_instances = N_INSTANCES,
				   .max_queued_pkts = N_PKTS,
				   .pkt_base = pkt_space};
	struct hg_policy p = plain();

	*lane = (struct lane){.tenant = tenant, .instance = instance};
	lane->caps_memory = fresh(hg_caps_size(N_TENANTS, N_INSTANCES));
	lane->caps = hg_caps_init(lane->caps_memory, N_TENANTS, N_INSTANCES);
	cfg.caps = lane->caps;
	lane->memory = fresh(hg_sched_size(&cfg));
	HG_CHECK_EQ(hg_sched_init(lane->memory, &cfg, w.now, &lane->s, NULL), 0);
	HG_CHECK_EQ(hg_sched_set_tenant(lane->s, tenant, &p, w.now, NULL), 0);
}

static void close_lane(struct lane *lane)
{
	free(lane->memory);
	free(lane->caps_memory);
}

/* ---- a history ---------------------------------------------------------------------------------- */

static struct hg_policy random_policy(void)
{
	struct hg_policy p = plain();

	p.burst_bytes = pick(HG_BURST_MIN_BYTES, 200000);
	p.reserve_bytes = pick(0, p.burst_bytes);
	p.idle_after_ns = (hg_ns)pick(100 * HG_NS_PER_US, 5 * HG_NS_PER_MS);
	p.weight = (uint32_t)pick(1, 20);
	if (pick(0, 3) > 0)
		p.max_bytes_per_s = pick(100000, LINK_BYTES_PER_S);
	if (pick(0, 3) == 0)
		p.max_pkts_per_s = pick(50, 100000);
	if (pick(0, 1) > 0)
		p.min_bytes_per_s = pick(10000, LINK_BYTES_PER_S / 3);
	if (p.max_bytes_per_s != 0 && p.min_bytes_per_s > p.max_bytes_per_s)
		p.min_bytes_per_s = p.max_bytes_per_s;
	p.accounting = pick(0, 3) == 0 ? HG_ACCOUNT_L2 : HG_ACCOUNT_WIRE;
	if (!w.is_contended && pick(0, 1) > 0) {
		p.classes.n = 3;
		p.classes.classes[1].weight = 1;
		p.classes.classes[2].weight = (uint16_t)pick(1, 10);
	}
	return p;
}

static void push(uint32_t instance, uint32_t n, uint32_t n_bytes, uint8_t class_idx)
{
	while (n-- > 0) {
		struct hg_sched_item item = {.pkt = pkt_space + (size_t)w.next_pkt * 64u,
					     .instance_idx = instance,
					     .wire_bytes = n_bytes & HG_WIRE_MAX_BYTES,
					     .parts = (1 + n_bytes / FULL_FRAME_BYTES) & 0xfffu};

		w.next_pkt = (w.next_pkt + 1u) % N_PKTS;
		(void)hg_sched_push_classed(w.lane.s, &item, &class_idx, 1, w.now);
	}
}

static void take(void)
{
	struct hg_sched_item item;

	while (hg_sched_pop(w.lane.s, &item, 1, UINT32_MAX, w.now) > 0) {
		if (item.instance_idx != w.lane.instance)
			continue;
		w.sent_bytes += item.wire_bytes;
		if (w.n_trace < TRACE_MAX)
			w.trace[w.n_trace++] = (struct event){
				w.now, (uint32_t)(((char *)item.pkt - pkt_space) / 64)};
	}
}

static void run_to(hg_ns end)
{
	for (;;) {
		hg_ns at;

		take();
		at = hg_sched_next_at(w.lane.s, w.now);
		if (at > end)
			break;
		w.now = at > w.now ? at : w.now + 1;
	}
	w.now = end;
}

static void step(void)
{
	uint32_t n = (uint32_t)pick(0, 40), n_bytes = (uint32_t)pick(84, FULL_FRAME_BYTES);
	uint8_t class_idx = w.policy.classes.n > 0 ? (uint8_t)pick(0, 2) : HG_CLASS_NONE;
	hg_ns for_ns = (hg_ns)pick(0, pick(0, 4) == 0 ? 12 * HG_NS_PER_MS : HG_NS_PER_MS);
	if (pick(0, 3) > 0)
		push(w.lane.instance, n, n_bytes, class_idx);
	for (uint32_t i = 0; w.is_contended && i < 3; i++)
		push(i, 12, FULL_FRAME_BYTES, HG_CLASS_NONE);
	run_to(w.now + for_ns);
}

/* A segment above the burst, which a full bucket lets through, makes a debt. */
static void overdraw(void)
{
	if (pick(0, 1) > 0)
		return;
	run_to(w.now + 50 * HG_NS_PER_MS);
	push(w.lane.instance, 1, (uint32_t)pick(w.policy.burst_bytes, 4 * w.policy.burst_bytes),
	     w.policy.classes.n > 0 ? 0 : HG_CLASS_NONE);
	take();
}

/* What is still queued stays behind, whether it moves or not. */
static void drain(void)
{
	struct hg_sched_item items[32];

	while (hg_sched_drain(w.lane.s, w.lane.instance, items, 32, w.now) > 0)
		;
}

static void spoil(struct hg_cap_saved *caps, struct hg_sched_saved *sched, enum twin twin)
{
	if (twin == DROPS_DEBT) {
		caps->bytes.tokens = caps->bytes.tokens < 0 ? 0 : caps->bytes.tokens;
		caps->pkts.tokens = caps->pkts.tokens < 0 ? 0 : caps->pkts.tokens;
	}
	if (twin == FORGETS_IDLENESS)
		caps->bytes.taken_ago_ns = caps->bytes.full_for_ns = 0;
	if (twin == FORGETS_GUARANTEE)
		sched->due_in_ns = -HG_NS_PER_S;
}

static void move(enum twin twin)
{
	struct hg_cap_saved caps;
	struct hg_sched_saved sched;

	drain();
	if (twin == STAYS)
		return;
	hg_caps_save_instance(w.lane.caps, w.lane.instance, w.now, &caps);
	hg_sched_save_instance(w.lane.s, w.lane.instance, w.now, &sched);
	spoil(&caps, &sched, twin);
	if (w.is_contended) {
		/* Away and back: what competes is the same for both. */
		HG_CHECK_EQ(hg_sched_remove_instance(w.lane.s, w.lane.instance, w.now, NULL), 0);
		memset(&w.lane.caps->instance_bytes[w.lane.instance], 0, sizeof(struct hg_cap));
		memset(&w.lane.caps->instance_pkts[w.lane.instance], 0, sizeof(struct hg_cap));
	} else {
		close_lane(&w.lane);
		open_lane(&w.lane, 3, 5);
	}
	set_mover(&w.lane);
	if (twin == BEGINS_ANEW)
		return;
	hg_caps_restore_instance(w.lane.caps, w.lane.instance, &caps, w.now);
	HG_CHECK_EQ(hg_sched_restore_instance(w.lane.s, w.lane.instance, &sched, w.now, NULL), 0);
}

static void begin(uint64_t seed)
{
	w.seed = seed;
	w.now = 1000 * HG_NS_PER_S;
	w.next_pkt = w.n_trace = 0;
	w.sent_bytes = 0;
	w.policy = random_policy();
	open_lane(&w.lane, 0, w.is_contended ? 7 : 0);
	if (w.is_contended) {
		struct hg_policy p = plain();

		hg_sched_set_root(w.lane.s, LINK_BYTES_PER_S, 3000, w.now);
		p.min_bytes_per_s = LINK_BYTES_PER_S / 6;
		for (uint32_t i = 0; i < 3; i++)
			HG_CHECK_EQ(hg_sched_set_instance(w.lane.s, i, 0, &p, w.now, NULL), 0);
	}
	set_mover(&w.lane);
}

static void run(uint64_t seed, enum twin twin)
{
	unsigned at;

	begin(seed);
	at = (unsigned)pick(1, N_STEPS - 20);
	for (unsigned i = 0; i < N_STEPS; i++) {
		if (i == at && !w.is_contended)
			overdraw();
		if (i == at)
			move(twin);
		step();
		w.sent_after[i] = w.sent_bytes;
	}
	close_lane(&w.lane);
}

/* ---- alone: the same packets at the same instants ------------------------------------------------- */

static bool is_same_alone(uint64_t seed, enum twin twin)
{
	static struct event stayed[TRACE_MAX];
	uint32_t n;

	w.is_contended = false;
	run(seed, STAYS);
	n = w.n_trace;
	memcpy(stayed, w.trace, n * sizeof(*stayed));
	run(seed, twin);
	if (w.n_trace != n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (w.trace[i].at_ns != stayed[i].at_ns || w.trace[i].number != stayed[i].number)
			return false;
	}
	return true;
}

/* ---- among others: never ahead or behind by more than an order of turns explains ------------------- */

static bool is_same_contended(uint64_t seed, enum twin twin)
{
	int64_t stayed[N_STEPS];

	w.is_contended = true;
	run(seed, STAYS);
	memcpy(stayed, w.sent_after, sizeof(stayed));
	run(seed, twin);
	for (unsigned i = 0; i < N_STEPS; i++) {
		int64_t apart = w.sent_after[i] - stayed[i];

		if (apart < -APART_MAX_BYTES || apart > APART_MAX_BYTES)
			return false;
	}
	return true;
}

typedef bool (*same_fn)(uint64_t seed, enum twin twin);

static unsigned rounds(void)
{
	return hg_test_rounds > 0 ? hg_test_rounds : DEFAULT_ROUNDS;
}

static void check_always(same_fn is_same)
{
	for (unsigned i = 0; i < rounds(); i++) {
		if (!is_same(hg_test_seed + i, MOVES))
			HG_TEST_FAIL("history %" PRIu64 " went on otherwise after the move",
				     hg_test_seed + i);
	}
}

static void check_noticed(same_fn is_same, enum twin twin)
{
	for (unsigned i = 0; i < rounds(); i++) {
		if (!is_same(hg_test_seed + i, twin))
			return;
	}
	HG_TEST_FAIL("nobody noticed");
}

static void s5_1_save_restore_alone_decides_the_same(void)
{
	check_always(is_same_alone);
}

static void s5_1_save_restore_among_others_is_served_the_same(void)
{
	check_always(is_same_contended);
}

static void broken_dropped_debt_is_noticed(void)
{
	check_noticed(is_same_alone, DROPS_DEBT);
}

static void broken_beginning_anew_is_noticed(void)
{
	check_noticed(is_same_alone, BEGINS_ANEW);
	check_noticed(is_same_contended, BEGINS_ANEW);
}

static void broken_idleness_is_noticed(void)
{
	check_noticed(is_same_alone, FORGETS_IDLENESS);
}

static void broken_guarantee_is_noticed(void)
{
	check_noticed(is_same_contended, FORGETS_GUARANTEE);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_save_restore_alone_decides_the_same),
		HG_TEST(s5_1_save_restore_among_others_is_served_the_same),
		HG_TEST(broken_dropped_debt_is_noticed),
		HG_TEST(broken_beginning_anew_is_noticed),
		HG_TEST(broken_idleness_is_noticed),
		HG_TEST(broken_guarantee_is_noticed),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
