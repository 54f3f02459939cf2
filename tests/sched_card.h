/* sched_card: a scheduler with a window in front of a card that is a queue, on virtual time.
 *
 * Why        What a window and priorities are for shows only with releases that come in time.
 * Model      Two tenants, instances 0 and 1 in the first, 2 and 3 in the second. The card sends in order at the
 *            link's rate and releases each packet card.delay_ns after it was sent.
 * Memory     One world a program, in static variables.
 * Used by    core/sched_window_test.c, core/sched_priority_test.c.
 */
#ifndef HG_TESTS_SCHED_CARD_H
#define HG_TESTS_SCHED_CARD_H

#include "core/sched.h"

#include "tests/harness.h"

enum { N_TENANTS = 4, N_INSTANCES = 16, MAX_PKTS = 4096, PKT_BYTES = 64, CARD_PKTS = 256 };

#define FRAME 1538u
#define LINK_BYTES_PER_S UINT64_C(1250000000)

static _Alignas(64) char pkt_space[MAX_PKTS * PKT_BYTES];
static void *sched_memory, *caps_memory, *window_memory;
static struct hg_sched *s;
static struct hg_caps *caps;
static struct hg_window *window;
static struct hg_policy policy;
static uint32_t n_pushed;
static uint64_t got_bytes[N_INSTANCES];
static hg_ns now;

static struct {
	struct {
		struct hg_sched_item item;
		uint16_t generation;
		hg_ns at_ns;
	} pkts[CARD_PKTS];
	uint32_t head, n;
	hg_ns free_at_ns; /* when the wire is */
	hg_ns delay_ns; /* from sent to released */
	hg_ns idle_ns; /* the wire was free at a hand-over since */
} card;

static inline void *fresh(void **memory, size_t size)
{
	free(*memory);
	*memory = aligned_alloc(64, (size + 63u) & ~(size_t)63u);
	HG_CHECK(*memory != NULL);
	memset(*memory, 0, size);
	return *memory;
}

static inline void set_tenant(uint32_t t)
{
	hg_caps_set_tenant(caps, t, &policy, now);
	hg_window_set_tenant(window, t, policy.weight);
	HG_CHECK_EQ(hg_sched_set_tenant(s, t, &policy, now, NULL), 0);
}

static inline void set_instance(uint32_t i, uint32_t t)
{
	hg_caps_set_instance(caps, i, &policy, now);
	hg_window_set_instance(window, i, t, policy.weight, policy.min_bytes_per_s);
	HG_CHECK_EQ(hg_sched_set_instance(s, i, t, &policy, now, NULL), 0);
}

static inline void plain_policy(void)
{
	policy = (struct hg_policy){.burst_bytes = HG_BURST_DEFAULT_BYTES,
				    .idle_after_ns = HG_IDLE_AFTER_DEFAULT_NS,
				    .weight = HG_WEIGHT_DEFAULT};
}

/* Two tenants, instances 0 and 1 in the first, 2 and 3 in the second; MAX of so many frames. */
static inline void world(unsigned max_frames)
{
	struct hg_sched_cfg cfg = {.max_tenants = N_TENANTS,
				   .max_instances = N_INSTANCES,
				   .max_queued_pkts = MAX_PKTS,
				   .pkt_base = pkt_space};

	now = HG_NS_PER_S;
	n_pushed = 0;
	memset(got_bytes, 0, sizeof(got_bytes));
	memset(&card, 0, sizeof(card));
	plain_policy();
	caps = hg_caps_init(fresh(&caps_memory, hg_caps_size(N_TENANTS, N_INSTANCES)), N_TENANTS,
			    N_INSTANCES);
	window = hg_window_init(fresh(&window_memory, hg_window_size(N_TENANTS, N_INSTANCES)),
				N_TENANTS, N_INSTANCES);
	hg_window_set_link(window, LINK_BYTES_PER_S, FRAME);
	hg_window_set_max(window, max_frames * FRAME, 0);
	cfg.caps = caps;
	cfg.window = window;
	HG_CHECK_EQ(hg_sched_init(fresh(&sched_memory, hg_sched_size(&cfg)), &cfg, now, &s, NULL),
		    0);
	set_tenant(0);
	set_tenant(1);
	for (uint32_t i = 0; i < 4; i++)
		set_instance(i, i / 2);
}

static inline void push(uint32_t i, uint32_t wire_bytes, unsigned n)
{
	for (; n > 0; n--) {
		struct hg_sched_item item = {.pkt = pkt_space +
						    (size_t)(n_pushed++ % MAX_PKTS) * PKT_BYTES,
					     .instance_idx = i,
					     .wire_bytes = wire_bytes & HG_WIRE_MAX_BYTES,
					     .parts = 1};

		HG_CHECK_EQ(hg_sched_push(s, &item, 1, now), 1);
	}
}

/* Takes up to n packets and hands them to the card. */
static inline unsigned pop(unsigned n)
{
	struct hg_sched_item items[64];
	unsigned got = hg_sched_pop(s, items, n < 64 ? n : 64, UINT32_MAX, now);

	for (unsigned k = 0; k < got; k++) {
		uint32_t at = (card.head + card.n++) % CARD_PKTS;

		HG_CHECK(card.n <= CARD_PKTS);
		if (card.free_at_ns < now) {
			card.idle_ns += now - card.free_at_ns;
			card.free_at_ns = now;
		}
		card.free_at_ns += (hg_ns)(items[k].wire_bytes * 8u / 10u);
		card.pkts[at].item = items[k];
		card.pkts[at].generation = hg_window_generation(window, items[k].instance_idx);
		card.pkts[at].at_ns = card.free_at_ns + card.delay_ns;
		got_bytes[items[k].instance_idx] += items[k].wire_bytes;
	}
	return got;
}

/* The card releases its oldest packet. */
static inline void release(void)
{
	const struct hg_sched_item *item = &card.pkts[card.head].item;

	HG_CHECK(card.n > 0);
	HG_CHECK(hg_window_give(window, item->instance_idx, card.pkts[card.head].generation,
				hg_window_epoch(window), item->wire_bytes, item->parts));
	hg_sched_window_opened(s, item->instance_idx, now);
	card.head = (card.head + 1u) % CARD_PKTS;
	card.n--;
	if (hg_window_has_grown(window))
		hg_sched_window_changed(s, now);
}

/* Keeps the instances in `mask` backlogged, and lets the card send for a time. */
static inline void run(hg_ns for_ns, uint32_t mask)
{
	hg_ns end = now + for_ns;

	while (now < end) {
		hg_ns next;

		for (uint32_t i = 0; i < N_INSTANCES; i++)
			if (mask >> i & 1u && hg_sched_instance_queued_bytes(s, i) < 8 * FRAME)
				push(i, FRAME, 8);
		while (pop(32) > 0)
			;
		next = hg_sched_next_at(s, now);
		HG_CHECK(next > now);
		if (card.n > 0 && card.pkts[card.head].at_ns < next)
			next = card.pkts[card.head].at_ns;
		now = next < end ? next : end;
		while (card.n > 0 && card.pkts[card.head].at_ns <= now)
			release();
	}
}

static inline struct hg_sched_stats sample(uint32_t i)
{
	struct hg_sched_stats stats;

	hg_sched_sample_instance(s, i, &stats, now);
	return stats;
}

static inline uint64_t sum_held(const struct hg_sched_stats *stats)
{
	uint64_t sum = 0;

	for (int l = 0; l < HG_N_LIMITS; l++)
		sum += stats->held_ns[l];
	return sum;
}

#endif
