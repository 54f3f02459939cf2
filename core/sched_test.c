#include "core/sched.h"

#include "tests/harness.h"

/* A link with a few tenants, each with a few instances; packets are addresses that nobody looks at. */
enum { N_TENANTS = 4, N_INSTANCES = 16, MAX_PKTS = 4096, PKT_BYTES = 64 };

static _Alignas(64) char pkt_space[MAX_PKTS * PKT_BYTES];
static void *sched_memory, *caps_memory;
static struct hg_sched *s;
static struct hg_caps *caps;
static struct hg_policy policy;
static uint32_t n_pushed;
static uint64_t got_bytes[N_INSTANCES];
static hg_ns now;

static void *fresh(void **memory, size_t size)
{
	free(*memory);
	*memory = aligned_alloc(64, (size + 63u) & ~(size_t)63u);
	HG_CHECK(*memory != NULL);
	memset(*memory, 0, size);
	return *memory;
}

static const struct hg_sched_cfg *cfg(void)
{
	static struct hg_sched_cfg c;

	c = (struct hg_sched_cfg){.max_tenants = N_TENANTS,
				  .max_instances = N_INSTANCES,
				  .max_queued_pkts = MAX_PKTS,
				  .pkt_base = pkt_space,
				  .caps = caps};
	return &c;
}

static void set_tenant(uint32_t t)
{
	hg_caps_set_tenant(caps, t, &policy, now);
	HG_CHECK_EQ(hg_sched_set_tenant(s, t, &policy, now, NULL), 0);
}

static void set_instance(uint32_t i, uint32_t t)
{
	hg_caps_set_instance(caps, i, &policy, now);
	HG_CHECK_EQ(hg_sched_set_instance(s, i, t, &policy, now, NULL), 0);
}

static void plain_policy(void)
{
	policy = (struct hg_policy){.burst_bytes = HG_BURST_DEFAULT_BYTES,
				    .reserve_bytes = HG_BURST_DEFAULT_BYTES,
				    .idle_after_ns = HG_IDLE_AFTER_DEFAULT_NS,
				    .weight = HG_WEIGHT_DEFAULT};
}

/* Two tenants without limits, instances 0 to 3 in the first and 4 to 7 in the second, no root. */
static void world(void)
{
	now = HG_NS_PER_S;
	n_pushed = 0;
	memset(got_bytes, 0, sizeof(got_bytes));
	plain_policy();
	caps = hg_caps_init(fresh(&caps_memory, hg_caps_size(N_TENANTS, N_INSTANCES)), N_TENANTS,
			    N_INSTANCES);
	HG_CHECK_EQ(hg_sched_init(fresh(&sched_memory, hg_sched_size(cfg())), cfg(), now, &s, NULL),
		    0);
	set_tenant(0);
	set_tenant(1);
	for (uint32_t i = 0; i < 8; i++)
		set_instance(i, i / 4);
}

static void push(uint32_t i, uint32_t wire_bytes, unsigned n)
{
	for (; n > 0; n--) {
		struct hg_sched_item item = {.pkt = pkt_space +
						    (size_t)(n_pushed++ % MAX_PKTS) * PKT_BYTES,
					     .instance_idx = i,
					     .wire_bytes = wire_bytes & HG_WIRE_MAX_BYTES,
					     .parts = (wire_bytes + 1537u) / 1538u & 0xfffu};

		HG_CHECK_EQ(hg_sched_push(s, &item, 1, now), 1);
	}
}

/* Pops what may leave now, up to n packets, and returns how many. */
static unsigned pop(unsigned n)
{
	unsigned n_got = 0;

	while (n_got < n) {
		struct hg_sched_item items[32];
		unsigned want = n - n_got < 32 ? n - n_got : 32;
		unsigned got = hg_sched_pop(s, items, want, UINT32_MAX, now);

		for (unsigned k = 0; k < got; k++)
			got_bytes[items[k].instance_idx] += items[k].wire_bytes;
		if (got == 0)
			break;
		n_got += got;
	}
	return n_got;
}

/* Keeps the instances in `mask` backlogged with packets of a size, and serves for a time. */
static void run(hg_ns for_ns, uint32_t mask, uint32_t wire_bytes)
{
	hg_ns end = now + for_ns;

	while (now < end) {
		hg_ns next;

		for (uint32_t i = 0; i < N_INSTANCES; i++)
			if (mask >> i & 1u && hg_sched_instance_queued_bytes(s, i) < 8 * wire_bytes)
				push(i, wire_bytes, 8);
		pop(32);
		next = hg_sched_next_at(s, now);
		now = next > now && next < end ? next : now + 100;
	}
}

static struct hg_sched_stats sample(uint32_t i)
{
	struct hg_sched_stats stats;

	hg_sched_sample_instance(s, i, &stats, now);
	return stats;
}

static void order_is_kept(void)
{
	struct hg_sched_item items[100];

	world();
	push(2, 100, 100);
	HG_CHECK_EQ(hg_sched_queued_pkts(s), 100);
	HG_CHECK_EQ(sample(2).queued_bytes, 10000);
	HG_CHECK_EQ(hg_sched_pop(s, items, 100, UINT32_MAX, now), 100);
	for (int k = 0; k < 100; k++) {
		HG_CHECK(items[k].pkt == pkt_space + k * PKT_BYTES);
		HG_CHECK_EQ(items[k].wire_bytes, 100);
	}
	HG_CHECK_EQ(hg_sched_queued_pkts(s), 0);
	HG_CHECK_EQ(hg_sched_next_at(s, now), HG_NEVER);
	HG_CHECK_EQ(sample(2).sent_bytes, 10000);
	HG_CHECK_EQ(sample(2).sent_pkts, 100);
}

static void max_bytes_bounds_a_pop(void)
{
	struct hg_sched_item items[32];

	world();
	push(0, 1000, 10);
	HG_CHECK_EQ(hg_sched_pop(s, items, 32, 2500, now), 3);
	HG_CHECK_EQ(hg_sched_pop(s, items, 32, 0, now), 0);
	HG_CHECK_EQ(hg_sched_pop(s, items, 2, UINT32_MAX, now), 2);
	HG_CHECK_EQ(hg_sched_pop(s, items, 32, 3000, now), 3);
}

static void push_takes_no_more_than_there_is_room_for(void)
{
	struct hg_sched_item items[100];

	world();
	push(0, 100, MAX_PKTS - 10);
	for (int k = 0; k < 100; k++)
		items[k] = (struct hg_sched_item){
			.pkt = pkt_space, .instance_idx = 1, .wire_bytes = 64, .parts = 1};
	HG_CHECK_EQ(hg_sched_push(s, items, 100, now), 10);
	HG_CHECK_EQ(hg_sched_push(s, items, 100, now), 0);
	HG_CHECK_EQ(pop(MAX_PKTS + 1), MAX_PKTS);
}

/* S1.2, S1.3: a maximum holds what exceeds it, and lets it go as tokens come. */
static void s1_3_held_not_dropped(void)
{
	world();
	policy.max_bytes_per_s = 1000000; /* 1 byte a us */
	policy.burst_bytes = policy.reserve_bytes = 2000;
	set_instance(0, 0);
	push(0, 1000, 5);
	HG_CHECK_EQ(pop(32), 2);
	HG_CHECK_EQ(sample(0).held_by, HG_LIMIT_MAX);
	HG_CHECK_BETWEEN(hg_sched_next_at(s, now), now + 1000000, now + 1001024);
	now += 999000;
	HG_CHECK_EQ(pop(32), 0);
	now = hg_sched_next_at(s, now);
	HG_CHECK_EQ(pop(32), 1);
	run(3000000, 0, 0);
	HG_CHECK_EQ(hg_sched_queued_pkts(s), 0);
	HG_CHECK_EQ(sample(0).held_by, HG_LIMIT_NONE);
	HG_CHECK_BETWEEN(sample(0).held_ns[HG_LIMIT_MAX], 3000000, 3004000);
}

static void s1_1_packet_rate_counts_parts(void)
{
	world();
	policy.max_pkts_per_s = 1000;
	policy.burst_bytes = policy.reserve_bytes = 2 * HG_BURST_MIN_BYTES; /* two packets */
	set_instance(0, 0);
	push(0, 3000, 3); /* two parts each */
	HG_CHECK_EQ(pop(32), 1);
	HG_CHECK_EQ(sample(0).held_by, HG_LIMIT_PKTS);
	now += 2 * HG_NS_PER_MS + 1024;
	HG_CHECK_EQ(pop(32), 1);
	HG_CHECK_BETWEEN(sample(0).held_ns[HG_LIMIT_PKTS], 2000000, 2002000);
}

static void accounting_l2_leaves_out_the_overhead(void)
{
	world();
	policy.max_bytes_per_s = 1000000;
	policy.accounting = HG_ACCOUNT_L2;
	policy.burst_bytes = policy.reserve_bytes = HG_BURST_MIN_BYTES;
	set_instance(0, 0);
	push(0, 824, 3); /* 800 without */
	HG_CHECK_EQ(pop(32), 2);
	HG_CHECK_BETWEEN(hg_sched_next_at(s, now), now + 800000, now + 801024);
}

static void s1_9_tenant_maximum_binds_the_sum(void)
{
	uint64_t sum = 0;

	world();
	policy.max_bytes_per_s = 12500000; /* 100 Mbit/s */
	set_tenant(0);
	run(100 * HG_NS_PER_MS, 0xf, 1538);
	for (int i = 0; i < 4; i++) {
		HG_CHECK_BETWEEN(got_bytes[i], 310000, 380000);
		sum += got_bytes[i];
		HG_CHECK_EQ(sample((uint32_t)i).held_by, HG_LIMIT_TENANT_MAX);
	}
	HG_CHECK_BETWEEN(sum, 1250000, 1250000 + HG_BURST_DEFAULT_BYTES + 1538);
}

static void s1_8_minimum_is_kept_and_the_rest_shared_by_weight(void)
{
	world();
	hg_sched_set_root(s, 125000000, 3000, now); /* 1 Gbit/s */
	policy.min_bytes_per_s = 62500000; /* half of it */
	policy.reserve_bytes = 0;
	set_instance(0, 0);
	policy.min_bytes_per_s = 0;
	policy.weight = 3;
	set_tenant(1);
	run(200 * HG_NS_PER_MS, 0x11, 1538);
	/* 12.5 MB for the minimum, and of the other 12.5 a quarter and three quarters. */
	HG_CHECK_BETWEEN(got_bytes[0], 15625000 - 60000, 15625000 + 60000);
	HG_CHECK_BETWEEN(got_bytes[4], 9375000 - 60000, 9375000 + 60000);
	HG_CHECK_BETWEEN(sample(0).guaranteed_bytes, 12500000 - 20000, 12500000 + 20000);
}

/* Half of the link is promised to four instances, and the same half to their tenant. What is left is divided by weight: what
 * they are served by their own minima is not owed to the tenant once more, however many of them are due at once. */
static void s1_8_minima_of_a_tenant_and_its_instances_are_not_added_up(void)
{
	world();
	hg_sched_set_root(s, 125000000, 3000, now);
	policy.reserve_bytes = 0;
	policy.min_bytes_per_s = 62500000;
	set_tenant(0);
	policy.min_bytes_per_s /= 4;
	for (uint32_t i = 0; i < 4; i++)
		set_instance(i, 0);
	run(200 * HG_NS_PER_MS, 0x1f, 1538);
	HG_CHECK_BETWEEN(got_bytes[4], 6250000 - 100000, 6250000 + 100000);
	for (uint32_t i = 0; i < 4; i++)
		HG_CHECK_BETWEEN(got_bytes[i], 4687500 - 100000, 4687500 + 100000);
}

/* What its instance spent of a reserve has put the tenant ahead of its minimum, by no more than its burst; and when that becomes
 * less, by no more than the new one: who stands then is served by the new contract. */
static void s1_8_smaller_burst_of_a_tenant_holds_at_once(void)
{
	const uint64_t burst_bytes = 40000;
	uint64_t before;

	world();
	hg_sched_set_root(s, 125000000, 3000, now);
	policy.weight = HG_WEIGHT_MAX;
	set_tenant(1);
	policy.weight = 1;
	policy.min_bytes_per_s = 62500000;
	policy.burst_bytes = 1 << 20;
	policy.reserve_bytes = 0;
	set_tenant(0);
	policy.reserve_bytes = 1 << 20;
	set_instance(0, 0);
	run(6 * HG_NS_PER_MS, 0x11, 1538);
	policy.burst_bytes = burst_bytes;
	policy.reserve_bytes = 0;
	set_tenant(0);
	before = got_bytes[0] + got_bytes[1];
	run(5 * HG_NS_PER_MS, 0x12, 1538);
	HG_CHECK(got_bytes[0] + got_bytes[1] - before >= 62500u * 5 - burst_bytes - 1538);
}

/* While its only instance is held by a maximum, a tenant cannot be served: were all of that owed to it, it would have the
 * link to itself once the maximum is gone. */
static void s1_8_what_a_maximum_below_kept_back_is_not_owed(void)
{
	const uint64_t min_bytes_per_s = 35000000, burst_bytes = 16000;

	world();
	hg_sched_set_root(s, 125000000, 3000, now);
	policy.burst_bytes = burst_bytes;
	policy.reserve_bytes = 0;
	policy.min_bytes_per_s = 80000000;
	set_tenant(0);
	policy.min_bytes_per_s = min_bytes_per_s;
	set_tenant(1);
	policy.min_bytes_per_s = 0;
	policy.max_bytes_per_s = 1000000;
	set_instance(0, 0);
	run(20 * HG_NS_PER_MS, 1u << 0 | 1u << 4, 1538);
	policy.max_bytes_per_s = 0;
	set_instance(0, 0);
	hg_sched_refresh_instance(s, 0, now);
	got_bytes[4] = 0;
	run(10 * HG_NS_PER_MS, 1u << 0 | 1u << 4, 1538);
	HG_CHECK(got_bytes[4] >= min_bytes_per_s / 100 - burst_bytes - 1538);
}

static void s1_8_weights_from_1_to_1000(void)
{
	static const uint32_t weights[] = {1, 10, 100, 1000};
	uint64_t sum = 0;

	world();
	hg_sched_set_root(s, 1250000000, 3000, now); /* 10 Gbit/s */
	for (uint32_t i = 0; i < 4; i++) {
		policy.weight = weights[i];
		set_instance(i, 0);
	}
	run(200 * HG_NS_PER_MS, 0xf, 1538);
	for (int i = 0; i < 4; i++)
		sum += got_bytes[i];
	for (int i = 0; i < 4; i++)
		HG_CHECK_BETWEEN(got_bytes[i] * 1111 / sum, weights[i] * 96 / 100,
				 weights[i] * 104 / 100 + 1);
}

static void s1_8_nothing_idle_while_one_may_send(void)
{
	world();
	hg_sched_set_root(s, 125000000, 3000, now);
	run(10 * HG_NS_PER_MS, 0x4, 1538);
	HG_CHECK_BETWEEN(got_bytes[2], 1250000 - 3100, 1250000 + 3000 + 1538);
}

static void s1_11_a_raised_maximum_acts_at_once(void)
{
	world();
	policy.max_bytes_per_s = 1000; /* a packet takes more than a second */
	policy.burst_bytes = policy.reserve_bytes = 1600;
	set_instance(0, 0);
	push(0, 1538, 20);
	HG_CHECK_EQ(pop(32), 1);
	HG_CHECK(hg_sched_next_at(s, now) > now + HG_NS_PER_S);
	policy.max_bytes_per_s = 1000000000;
	hg_caps_set_instance(caps, 0, &policy, now);
	hg_sched_refresh_instance(s, 0, now);
	run(100 * HG_NS_PER_US, 0, 0);
	HG_CHECK_EQ(hg_sched_queued_pkts(s), 0);
}

static void held_times_add_up(void)
{
	uint64_t sum = 0;
	struct hg_sched_stats stats;
	hg_ns begin;

	world();
	hg_sched_set_root(s, 125000000, 3000, now);
	policy.max_bytes_per_s = 12500000;
	set_instance(0, 0);
	policy.max_bytes_per_s = 30000000;
	set_tenant(0);
	begin = now;
	run(50 * HG_NS_PER_MS, 0x13, 1538);
	stats = sample(0);
	for (int l = 0; l < HG_N_LIMITS; l++)
		sum += stats.held_ns[l];
	HG_CHECK_EQ(sum, now - begin);
	HG_CHECK(stats.held_ns[HG_LIMIT_MAX] > 0);
	HG_CHECK(stats.held_ns[HG_LIMIT_TENANT_MAX] > 0);
	HG_CHECK_EQ(stats.held_ns[HG_LIMIT_NONE], 0);
	hg_sched_sample_tenant(s, 0, &stats, now);
	sum = 0;
	for (int l = 0; l < HG_N_LIMITS; l++)
		sum += stats.held_ns[l];
	HG_CHECK_EQ(sum, now - begin);
}

static void s1_4_active_while_tokens_are_used(void)
{
	world();
	HG_CHECK(!sample(0).is_active);
	push(0, 100, 1);
	HG_CHECK(sample(0).is_active);
	pop(1);
	now += HG_IDLE_AFTER_DEFAULT_NS - 1;
	HG_CHECK(sample(0).is_active);
	now += 1;
	HG_CHECK(!sample(0).is_active);
}

/* Whoever wakes with a reserve finds it, whatever the others have queued. */
static void s1_7_reserve_is_spent_without_waiting(void)
{
	world();
	hg_sched_set_root(s, 125000000, 3000, now);
	policy.min_bytes_per_s = 1250000; /* 10 Mbit/s */
	policy.reserve_bytes = 15380;
	set_instance(0, 0);
	run(20 * HG_NS_PER_MS, 0xf6, 1538);
	memset(got_bytes, 0, sizeof(got_bytes));
	push(0, 1538, 12);
	run(15 * 12304, 0xf6, 1538);
	HG_CHECK_BETWEEN(got_bytes[0], 10 * 1538, 12 * 1538);
}

static void removal_needs_an_empty_queue(void)
{
	struct hg_sched_item items[8];
	struct hg_error err = {0};

	world();
	push(1, 100, 5);
	HG_CHECK_EQ(hg_sched_remove_instance(s, 1, now, &err), -HG_EBUSY);
	HG_CHECK_EQ(hg_sched_remove_tenant(s, 0, now, NULL), -HG_EBUSY);
	HG_CHECK_EQ(hg_sched_drain(s, 1, items, 3, now), 3);
	HG_CHECK(items[2].pkt == pkt_space + 2 * PKT_BYTES);
	HG_CHECK_EQ(hg_sched_drain(s, 1, items, 8, now), 2);
	HG_CHECK_EQ(hg_sched_queued_pkts(s), 0);
	HG_CHECK_EQ(pop(1), 0);
	for (uint32_t i = 0; i < 4; i++)
		HG_CHECK_EQ(hg_sched_remove_instance(s, i, now, NULL), 0);
	HG_CHECK_EQ(hg_sched_remove_tenant(s, 0, now, NULL), 0);
	HG_CHECK_EQ(hg_sched_remove_tenant(s, 0, now, NULL), -HG_EINVAL);
	set_tenant(0);
	set_instance(1, 0);
	push(1, 100, 1);
	HG_CHECK_EQ(pop(2), 1);
}

static void set_refuses_what_is_not_there(void)
{
	struct hg_sched_cfg bad = *cfg();
	struct hg_sched *none = NULL;

	world();
	HG_CHECK_EQ(hg_sched_set_tenant(s, N_TENANTS, &policy, now, NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_sched_set_instance(s, N_INSTANCES, 0, &policy, now, NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_sched_set_instance(s, 9, 3, &policy, now, NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_sched_remove_instance(s, 9, now, NULL), -HG_EINVAL);
	bad.max_queued_pkts = 1;
	HG_CHECK_EQ(hg_sched_init(sched_memory, &bad, now, &none, NULL), -HG_EINVAL);
	bad = *cfg();
	bad.max_tenants = 0;
	HG_CHECK_EQ(hg_sched_init(sched_memory, &bad, now, &none, NULL), -HG_EINVAL);
	HG_CHECK(none == NULL);
}

static void an_instance_moves_between_tenants_with_its_packets(void)
{
	struct hg_sched_stats stats;

	world();
	push(0, 100, 5);
	push(1, 100, 5);
	HG_CHECK_EQ(hg_sched_set_instance(s, 0, 1, &policy, now, NULL), 0);
	hg_sched_sample_tenant(s, 1, &stats, now);
	HG_CHECK_EQ(stats.queued_pkts, 5);
	HG_CHECK_EQ(pop(20), 10);
	hg_sched_sample_tenant(s, 1, &stats, now);
	HG_CHECK_EQ(stats.sent_bytes, 500);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(order_is_kept),
		HG_TEST(max_bytes_bounds_a_pop),
		HG_TEST(push_takes_no_more_than_there_is_room_for),
		HG_TEST(s1_3_held_not_dropped),
		HG_TEST(s1_1_packet_rate_counts_parts),
		HG_TEST(accounting_l2_leaves_out_the_overhead),
		HG_TEST(s1_9_tenant_maximum_binds_the_sum),
		HG_TEST(s1_8_minimum_is_kept_and_the_rest_shared_by_weight),
		HG_TEST(s1_8_minima_of_a_tenant_and_its_instances_are_not_added_up),
		HG_TEST(s1_8_smaller_burst_of_a_tenant_holds_at_once),
		HG_TEST(s1_8_what_a_maximum_below_kept_back_is_not_owed),
		HG_TEST(s1_8_weights_from_1_to_1000),
		HG_TEST(s1_8_nothing_idle_while_one_may_send),
		HG_TEST(s1_11_a_raised_maximum_acts_at_once),
		HG_TEST(held_times_add_up),
		HG_TEST(s1_4_active_while_tokens_are_used),
		HG_TEST(s1_7_reserve_is_spent_without_waiting),
		HG_TEST(removal_needs_an_empty_queue),
		HG_TEST(set_refuses_what_is_not_there),
		HG_TEST(an_instance_moves_between_tenants_with_its_packets),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
