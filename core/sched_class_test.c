#include "core/sched.h"
#include "tests/harness.h"

#include <stdlib.h>

#define MBIT UINT64_C(125000)
#define PKTS 4096u
#define WIRE 1538u
#define NOBODY 99u

struct world {
	struct hg_caps *caps;
	struct hg_sched *s;
	void *memory, *caps_memory;
	unsigned char *pkts; /* 64 bytes each; the first says which class it was pushed with */
	uint32_t n_pushed;
};

static void open_world(struct world *w)
{
	struct hg_sched_cfg cfg = {.max_tenants = 4, .max_instances = 8, .max_queued_pkts = PKTS};
	struct hg_contract contract;
	struct hg_error err = {0};

	hg_contract_init(&contract);
	w->n_pushed = 0;
	w->pkts = aligned_alloc(64, (size_t)PKTS * 64u);
	w->caps_memory = aligned_alloc(64, (hg_caps_size(4, 8) + 63u) & ~(size_t)63u);
	memset(w->caps_memory, 0, hg_caps_size(4, 8));
	w->caps = hg_caps_init(w->caps_memory, 4, 8);
	cfg.pkt_base = w->pkts;
	cfg.caps = w->caps;
	w->memory = aligned_alloc(64, (hg_sched_size(&cfg) + 63u) & ~(size_t)63u);
	memset(w->memory, 0, hg_sched_size(&cfg));
	HG_CHECK_EQ(hg_sched_init(w->memory, &cfg, 0, &w->s, &err), 0);
	HG_CHECK_EQ(hg_sched_set_tenant(w->s, 0, &contract.dir[HG_OUT], 0, &err), 0);
	for (uint32_t i = 0; i < 2; i++)
		HG_CHECK_EQ(hg_sched_set_instance(w->s, i, 0, &contract.dir[HG_OUT], 0, &err), 0);
}

static void close_world(struct world *w)
{
	free(w->memory);
	free(w->caps_memory);
	free(w->pkts);
}

static void push(struct world *w, uint32_t instance_idx, uint8_t class_idx, unsigned n,
		 uint32_t wire_bytes, hg_ns now_ns)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned char *pkt = w->pkts + (size_t)(w->n_pushed++ % PKTS) * 64u;
		struct hg_sched_item item = {.pkt = pkt, .instance_idx = instance_idx};

		item.wire_bytes = wire_bytes & 0xfffffu;
		item.parts = 1;
		pkt[0] = class_idx;
		pkt[1] = (unsigned char)i;
		HG_CHECK_EQ(hg_sched_push_classed(w->s, &item, &class_idx, 1, now_ns), 1);
	}
}

/* The class of the next packet; NOBODY: none goes. */
static unsigned pop(struct world *w, hg_ns now_ns)
{
	struct hg_sched_item item;

	if (hg_sched_pop(w->s, &item, 1, HG_WIRE_MAX_BYTES, now_ns) == 0)
		return NOBODY;
	return *(unsigned char *)item.pkt;
}

static const struct hg_class_set voice_bulk_rest = {
	.n = 3, .classes = {{"voice", 1, 0, 0}, {"bulk", 2, 1, 0}, {"rest", 4, 3, 0}}};

static void s2_7_a_strict_class_waits_for_one_packet_at_most(void)
{
	struct world w;

	open_world(&w);
	hg_sched_set_classes(w.s, 0, &voice_bulk_rest);
	push(&w, 0, 1, 50, WIRE, 0);
	HG_CHECK_EQ(pop(&w, 0), 1);
	push(&w, 0, 0, 2, 84, 0);
	HG_CHECK_EQ(pop(&w, 0), 0);
	HG_CHECK_EQ(pop(&w, 0), 0);
	HG_CHECK_EQ(pop(&w, 0), 1);
	close_world(&w);
}

static void s2_7_weighted_classes_share_by_weight(void)
{
	unsigned n[3] = {0};
	struct world w;

	open_world(&w);
	hg_sched_set_classes(w.s, 0, &voice_bulk_rest);
	push(&w, 0, 1, 400, WIRE, 0);
	push(&w, 0, 2, 400, WIRE, 0);
	for (unsigned i = 1; i <= 400; i++) {
		n[pop(&w, 0)]++;
		/* To within a packet each, at any time. */
		HG_CHECK_BETWEEN(4 * (int)n[2] - 3 * (int)i, -8, 8);
	}
	HG_CHECK_BETWEEN(n[2], 299, 301);
	close_world(&w);
}

static void s2_7_a_class_that_paused_has_no_claim_on_the_past(void)
{
	unsigned n[3] = {0};
	struct world w;

	open_world(&w);
	hg_sched_set_classes(w.s, 0, &voice_bulk_rest);
	push(&w, 0, 1, 1000, WIRE, 0);
	for (unsigned i = 0; i < 500; i++)
		HG_CHECK_EQ(pop(&w, 0), 1);
	push(&w, 0, 2, 100, WIRE, 0);
	for (unsigned i = 0; i < 40; i++)
		n[pop(&w, 0)]++;
	HG_CHECK_BETWEEN(n[2], 28, 32);
	close_world(&w);
}

static void s2_7_classes_leave_the_neighbours_their_share(void)
{
	unsigned n_other = 0;
	struct world w;

	open_world(&w);
	hg_sched_set_classes(w.s, 0, &voice_bulk_rest);
	push(&w, 0, 0, 200, WIRE, 0);
	push(&w, 0, 2, 200, WIRE, 0);
	push(&w, 1, HG_CLASS_NONE, 400, WIRE, 0);
	for (unsigned i = 0; i < 400; i++)
		n_other += pop(&w, 0) == HG_CLASS_NONE;
	HG_CHECK_BETWEEN(n_other, 197, 203);
	close_world(&w);
}

static void s2_7_a_strict_packet_does_not_wait_for_the_tokens_of_a_large_one(void)
{
	struct hg_contract contract;
	struct world w;
	hg_ns at_ns;

	open_world(&w);
	hg_contract_init(&contract);
	contract.dir[HG_OUT].max_bytes_per_s = MBIT;
	contract.dir[HG_OUT].burst_bytes = 64000;
	hg_caps_set_instance(w.caps, 0, &contract.dir[HG_OUT], 0);
	hg_sched_refresh_instance(w.s, 0, 0);
	hg_sched_set_classes(w.s, 0, &voice_bulk_rest);
	push(&w, 0, 2, 3, 60000, 0);
	HG_CHECK_EQ(pop(&w, 0), 2);
	HG_CHECK_EQ(pop(&w, 0), NOBODY);
	push(&w, 0, 0, 1, 84, 0);
	at_ns = hg_sched_next_at(w.s, 0);
	HG_CHECK_EQ(at_ns, 0); /* 4,000 tokens are left */
	HG_CHECK_EQ(pop(&w, at_ns), 0);
	HG_CHECK_EQ(pop(&w, at_ns), NOBODY);
	close_world(&w);
}

static void s2_7_classes_change_while_packets_wait(void)
{
	static const struct hg_class_set none = {.n = 0};
	static const struct hg_class_set two = {.n = 2,
						.classes = {{"voice", 1, 0, 0}, {"rest", 2, 1, 0}}};
	struct hg_sched_class_stats stats;
	unsigned n = 0;
	struct world w;

	open_world(&w);
	push(&w, 0, HG_CLASS_NONE, 40, WIRE, 0);
	hg_sched_set_classes(w.s, 0, &voice_bulk_rest);
	HG_CHECK(hg_sched_sample_class(w.s, 0, 2, &stats));
	HG_CHECK_EQ(stats.queued_pkts, 40);
	push(&w, 0, 0, 5, WIRE, 0);
	push(&w, 0, 1, 20, WIRE, 0);
	hg_sched_set_classes(w.s, 0, &two);
	HG_CHECK(hg_sched_sample_class(w.s, 0, 1, &stats));
	HG_CHECK_EQ(stats.queued_pkts, 65);
	HG_CHECK_EQ(stats.queued_bytes, 65 * WIRE);
	HG_CHECK(!hg_sched_sample_class(w.s, 0, 2, &stats));
	/* Those that went first still do. */
	for (unsigned i = 0; i < 5; i++)
		HG_CHECK_EQ(pop(&w, 0), 0);
	push(&w, 0, 0, 1, WIRE, 0);
	HG_CHECK_EQ(pop(&w, 0), 0);
	hg_sched_set_classes(w.s, 0, &none);
	HG_CHECK(!hg_sched_sample_class(w.s, 0, 0, &stats));
	while (pop(&w, 0) != NOBODY)
		n++;
	HG_CHECK_EQ(n, 60);
	HG_CHECK_EQ(hg_sched_queued_pkts(w.s), 0);
	close_world(&w);
}

static void s2_7_drained_in_the_order_of_service(void)
{
	struct hg_sched_item items[8];
	struct hg_error err = {0};
	struct world w;

	open_world(&w);
	hg_sched_set_classes(w.s, 0, &voice_bulk_rest);
	push(&w, 0, 2, 3, WIRE, 0);
	push(&w, 0, 0, 2, WIRE, 0);
	HG_CHECK_EQ(hg_sched_drain(w.s, 0, items, 8, 0), 5);
	HG_CHECK_EQ(*(unsigned char *)items[0].pkt, 0);
	HG_CHECK_EQ(*(unsigned char *)items[1].pkt, 0);
	HG_CHECK_EQ(*(unsigned char *)items[4].pkt, 2);
	HG_CHECK_EQ(hg_sched_remove_instance(w.s, 0, 0, &err), 0);
	close_world(&w);
}

/* In order inside each class, nothing lost, sums right, in random histories of pushes, pops and changes. */
static void s2_7_random_histories_keep_every_packet_in_its_order(void)
{
	unsigned seed = 7;
	struct world w;

	for (unsigned round = 0; round < 200; round++) {
		struct hg_class_set set = {.n = 2u + round % 7u};
		unsigned char next_in[HG_CLASSES_MAX] = {0}, next_out[HG_CLASSES_MAX] = {0};
		unsigned n_in = 0, n_out = 0;

		open_world(&w);
		for (uint32_t i = 0; i < set.n; i++)
			set.classes[i].weight = (uint16_t)((round * 7u + i * 13u) % 20u);
		hg_sched_set_classes(w.s, 0, &set);
		for (unsigned step = 0; step < 300; step++) {
			unsigned c = (seed = seed * 1103515245u + 12345u) >> 16;

			if (c % 5u < 3u) {
				uint8_t class_idx = (uint8_t)(c / 5u % set.n);

				push(&w, 0, class_idx, 1, 84u + c % 1400u, 0);
				w.pkts[(size_t)((w.n_pushed - 1u) % PKTS) * 64u + 1u] =
					next_in[class_idx]++;
				n_in++;
			} else {
				struct hg_sched_item item;
				unsigned char *pkt;

				if (hg_sched_pop(w.s, &item, 1, HG_WIRE_MAX_BYTES, 0) == 0)
					continue;
				pkt = item.pkt;
				HG_CHECK_EQ(pkt[1], next_out[pkt[0]]++);
				n_out++;
			}
		}
		while (pop(&w, 0) != NOBODY)
			n_out++;
		HG_CHECK_EQ(n_out, n_in);
		HG_CHECK_EQ(hg_sched_instance_queued_bytes(w.s, 0), 0);
		close_world(&w);
	}
}

static const struct hg_test tests[] = {
	HG_TEST(s2_7_a_strict_class_waits_for_one_packet_at_most),
	HG_TEST(s2_7_weighted_classes_share_by_weight),
	HG_TEST(s2_7_a_class_that_paused_has_no_claim_on_the_past),
	HG_TEST(s2_7_classes_leave_the_neighbours_their_share),
	HG_TEST(s2_7_a_strict_packet_does_not_wait_for_the_tokens_of_a_large_one),
	HG_TEST(s2_7_classes_change_while_packets_wait),
	HG_TEST(s2_7_drained_in_the_order_of_service),
	HG_TEST(s2_7_random_histories_keep_every_packet_in_its_order),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
