/* inflight_world: the in-flight control of one card queue, its window filled, and its accounts read with their promise.
 *
 * Why        Each test of core/inflight begins with one, and what was taken must be given, lost or outstanding
 *            whenever anyone looks.
 * Model      One tenant; every instance that there is room for is its, with weight 1 and no minimum.
 * Memory     One queue a program: the next one takes the place of the last.
 * Used by    core/inflight_test.c, core/inflight_together_test.c, tests/property/inflight_property.c.
 */
#ifndef HG_TESTS_INFLIGHT_WORLD_H
#define HG_TESTS_INFLIGHT_WORLD_H

#include "core/inflight.h"

#include "tests/harness.h"

#define FRAME 1538u
#define GBIT UINT64_C(125000000)

static inline struct hg_inflight *inflight_world(const struct hg_inflight_cfg *cfg, hg_ns now_ns)
{
	static void *memory;
	const size_t size = (hg_inflight_size(cfg) + 63u) & ~(size_t)63u;
	struct hg_inflight *q;

	free(memory);
	memory = aligned_alloc(64, size);
	HG_CHECK(memory != NULL);
	memset(memory, 0, size);
	q = hg_inflight_init(memory, cfg, now_ns);
	hg_window_set_tenant(hg_inflight_window(q), 0, 1);
	for (uint32_t i = 0; i < cfg->max_instances; i++)
		hg_window_set_instance(hg_inflight_window(q), i, 0, 1, 0);
	return q;
}

static inline struct hg_inflight_stats inflight_stats(struct hg_inflight *q)
{
	struct hg_inflight_stats s;

	hg_inflight_sample(q, &s);
	HG_CHECK_EQ(s.window.taken_bytes,
		    s.window.given_bytes + s.window.lost_bytes + s.window.outstanding_bytes);
	HG_CHECK_EQ(s.window.taken_pkts,
		    s.window.given_pkts + s.window.lost_pkts + s.window.outstanding_pkts);
	return s;
}

/* Packets of which the time in the card is known. */
static inline uint64_t inflight_card_count(struct hg_inflight *q)
{
	struct hg_inflight_stats s = inflight_stats(q);

	return hg_histogram_count(&s.card);
}

#endif
