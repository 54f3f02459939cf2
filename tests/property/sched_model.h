/* sched_model: a slow, obvious model of what a scheduler owes, to check one against.
 *
 * Why        The scheduler is fast because it is lazy: hints, ticks, tags. The model is none of that: it keeps
 *            every queue as an array, every bucket as a number of tokens, and looks at all nodes each time.
 * Model      It is told all that goes in, comes out and changes, and says what is wrong with it:
 *              order         what comes out of an instance is what went in first
 *              maxima        a packet leaves only if each bucket of its instance and tenant has its tokens
 *                            or is full; and over any window, sent <= max*T + burst + one packet
 *              root          over any window, sent <= rate*T + burst + one packet
 *              guarantees    over any window with a backlog and no maximum in the way,
 *                            sent >= min*T - burst - one packet, for instance and tenant
 *              work          a pop that returns less than it might finds nothing that may leave, but what
 *                            became so within the last tick
 *              held times    add up to the time with something queued, to the ns
 *            "Over any window" is kept as the worst window that ends now: excess = max(excess - rate*dt, 0)
 *            + bytes, and likewise the deficit of a guarantee.
 * Units      bytes and ns as doubles: exact to far below a byte for the hours that a history lasts.
 * Errors     the first is told and kept in `wrong`; NULL as long as all is well.
 */
#ifndef HG_TESTS_PROPERTY_SCHED_MODEL_H
#define HG_TESTS_PROPERTY_SCHED_MODEL_H

#include "core/sched.h"

enum { MODEL_TENANTS = 6, MODEL_INSTANCES = 20, MODEL_SCHEDS = 2, MODEL_QUEUE = 4096 };

struct model_bucket {
	double tokens, last_take_ns, now_ns;
	double excess; /* of the worst window that ends now, with this contract */
	bool is_set;
};

struct model_node {
	bool is_set;
	struct hg_policy policy;
	struct model_bucket bytes, pkts;
	double deficit; /* of the guarantee, on scheduler 0 */
	double deficit_at_ns;
	uint64_t capped_ns; /* held by maxima when last looked */
};

struct model_pkt {
	void *pkt;
	uint32_t wire_bytes, parts;
};

struct model_queue {
	struct model_pkt pkts[MODEL_QUEUE];
	uint32_t head, n;
	hg_ns busy_since_ns;
	uint64_t busy_ns; /* with something queued, since the instance was set */
};

struct model {
	struct model_node tenants[MODEL_TENANTS];
	struct model_node instances[MODEL_INSTANCES];
	uint32_t tenant_of[MODEL_INSTANCES];
	struct model_queue queues[MODEL_SCHEDS][MODEL_INSTANCES];
	double root_rate, root_burst, root_excess, root_at_ns; /* of scheduler 0 */
	double largest_pkt;
	uint32_t quantum_bytes;
	const char *wrong;
	uint32_t wrong_node;
	double wrong_got, wrong_want;
};

void model_init(struct model *m);
void model_set_root(struct model *m, double rate, double burst, hg_ns now_ns);
void model_set_tenant(struct model *m, uint32_t tenant_idx, const struct hg_policy *policy,
		      hg_ns now_ns);
void model_set_instance(struct model *m, uint32_t idx, uint32_t tenant_idx,
			const struct hg_policy *policy, hg_ns now_ns);
void model_push(struct model *m, unsigned sched, const struct hg_sched_item *item, hg_ns now_ns);
/* One packet has come out; by drain if it was not charged. */
void model_popped(struct model *m, unsigned sched, const struct hg_sched_item *item,
		  bool was_drained, hg_ns now_ns);
/* Nothing more comes out of a scheduler at now_ns, though more was asked for. */
void model_check_nothing_left(struct model *m, unsigned sched, hg_ns now_ns);
/* Compares the samples of a scheduler with what the model knows, and follows the guarantees on scheduler
 * 0. To be called after each step. */
void model_check_samples(struct model *m, unsigned sched, const struct hg_sched *s, hg_ns now_ns);

/* Fails the test: history number `round`, of that seed. */
#define MODEL_FAIL(round, seed, m, wrong, now_ns)                                                \
	HG_TEST_FAIL("round %u (seed %" PRIu64 "): %s: node %u, %.1f against %.1f, at %" PRId64, \
		     (round), (seed), (wrong), (m)->wrong_node, (m)->wrong_got, (m)->wrong_want, \
		     (now_ns))

#endif
