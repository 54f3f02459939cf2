/* Random histories of a card queue's window against a slow and obvious model: a list of all that is
 * outstanding, shares computed from scratch for each question. Each promise is seen to be noticed when broken,
 * by a twin that is told something else than the model. */
#include "core/window.h"

#include "tests/harness.h"

#include <stdbool.h>

enum {
	N_TENANTS = 4,
	N_INSTANCES = 24,
	N_PKTS = 2048,
	N_STEPS = 20000,
	DEFAULT_ROUNDS = 40,
};

#define LINK UINT64_C(1250000000)
#define LARGEST 3076u

enum twin {
	HONEST,
	OTHER_WEIGHT, /* of an instance */
	OTHER_TENANT_WEIGHT,
	OTHER_MIN,
	OTHER_MAX,
	OTHER_SHIFT,
	OTHER_LARGEST, /* so another room */
	FORGETS_IDLING, /* is not told that nothing is queued any more */
	SHORT_TAKE, /* counts less than is taken */
	SHORT_GIVE,
	LATEST_OWNER, /* gives to whoever has the index now */
	LATEST_EPOCH, /* gives as if nothing were written off */
	NO_EPOCHS,
	NO_SWEEP,
	N_TWINS,
};

struct pkt {
	uint32_t instance_idx, bytes, parts;
	uint16_t generation;
	uint8_t tag_epoch;
	uint32_t epoch; /* its number, not modulo anything */
	bool is_lost;
};

static struct {
	uint64_t seed;
	enum twin twin;
	struct hg_window *w;
	bool was_noticed;
	const char *what;

	uint64_t max_bytes;
	uint32_t max_pkts, epoch;
	uint32_t tenant_weight[N_TENANTS];
	struct {
		bool is_set, wants, is_fresh, was_active;
		uint32_t tenant, weight;
		uint64_t min;
		int shift;
		uint16_t generation;
	} i[N_INSTANCES];
	struct pkt pkts[N_PKTS];
	unsigned n_pkts;
	uint64_t taken, given, lost;
} m;

static uint64_t pick(uint64_t lo, uint64_t hi)
{
	return hg_test_between(&m.seed, lo, hi);
}

static bool is_twin(enum twin twin)
{
	return m.twin == twin && pick(0, 3) == 0;
}

static void must(bool is_so, const char *what)
{
	if (is_so || m.was_noticed)
		return;
	m.was_noticed = true;
	m.what = what;
}

/* ---- the model ---------------------------------------------------------------------------------- */

/* Of one instance's present owner, or of all (N_INSTANCES). */
static void outstanding(uint32_t idx, uint64_t *ret_bytes, uint32_t *ret_pkts)
{
	*ret_bytes = 0;
	*ret_pkts = 0;
	for (unsigned n = 0; n < m.n_pkts; n++) {
		const struct pkt *p = &m.pkts[n];

		if (p->is_lost || (idx < N_INSTANCES && (p->instance_idx != idx ||
							 p->generation != m.i[idx].generation)))
			continue;
		*ret_bytes += p->bytes;
		*ret_pkts += p->parts;
	}
}

static bool is_active(uint32_t idx)
{
	uint64_t bytes;
	uint32_t pkts;

	outstanding(idx, &bytes, &pkts);
	return m.i[idx].is_set && (m.i[idx].wants || pkts > 0);
}

/* After each step: whoever has just become active is fresh. */
static void follow_active(void)
{
	for (uint32_t i = 0; i < N_INSTANCES; i++) {
		bool now = is_active(i);

		if (now && !m.i[i].was_active)
			m.i[i].is_fresh = true;
		if (!now)
			m.i[i].is_fresh = false;
		m.i[i].was_active = now;
	}
}

static uint64_t room(void)
{
	for (uint32_t i = 0; i < N_INSTANCES; i++)
		if (m.i[i].is_set && !m.i[i].was_active)
			return LARGEST < m.max_bytes / 2 ? LARGEST : m.max_bytes / 2;
	return 0;
}

static double scaled(uint32_t idx)
{
	return m.i[idx].weight * (double)(1 << (m.i[idx].shift + 3));
}

static double share(uint32_t idx)
{
	double sum_tenants = 0, sum = 0, by_weight;
	bool has[N_TENANTS] = {false};

	for (uint32_t i = 0; i < N_INSTANCES; i++) {
		if (!m.i[i].was_active)
			continue;
		if (!has[m.i[i].tenant])
			sum_tenants += m.tenant_weight[m.i[i].tenant];
		has[m.i[i].tenant] = true;
		if (m.i[i].tenant == m.i[idx].tenant)
			sum += scaled(i);
	}
	by_weight = (double)(m.max_bytes - room()) * m.tenant_weight[m.i[idx].tenant] /
		    sum_tenants * scaled(idx) / sum;
	if (by_weight < (double)m.max_bytes * (double)m.i[idx].min / (double)LINK)
		return (double)m.max_bytes * (double)m.i[idx].min / (double)LINK;
	return by_weight;
}

/* Whether the answer is right; to within two bytes of a share. */
static bool is_right(uint32_t idx, enum hg_window_answer answer)
{
	uint64_t all, own, open;
	uint32_t all_pkts, own_pkts, open_pkts;
	double of, of_pkts;

	outstanding(N_INSTANCES, &all, &all_pkts);
	outstanding(idx, &own, &own_pkts);
	if (all_pkts == 0 || m.max_bytes == 0)
		return answer == HG_WINDOW_OPEN;
	open = m.i[idx].is_fresh ? m.max_bytes : m.max_bytes - room();
	open_pkts = m.max_pkts;
	if (!m.i[idx].is_fresh && room() > 0 && open_pkts > 1)
		open_pkts--;
	if (all >= open || (m.max_pkts > 0 && all_pkts >= open_pkts))
		return answer == HG_WINDOW_FULL;
	if (own_pkts == 0)
		return answer == HG_WINDOW_OPEN;
	of = share(idx);
	of_pkts = m.max_pkts > 0 ? of * m.max_pkts / (double)m.max_bytes : 1e18;
	if ((double)own < of - 2 && own_pkts < of_pkts - 0.1)
		return answer == HG_WINDOW_OPEN;
	if ((double)own > of + 2 || own_pkts > of_pkts + 0.1)
		return answer == HG_WINDOW_SHARE;
	return answer != HG_WINDOW_FULL;
}

/* ---- steps, of both ----------------------------------------------------------------------------- */

static void set_instance(uint32_t idx)
{
	if (!m.i[idx].is_set)
		m.i[idx].shift = 0;
	m.i[idx].is_set = true;
	m.i[idx].tenant = (uint32_t)pick(0, N_TENANTS - 1);
	m.i[idx].weight = (uint32_t)(pick(0, 3) == 0 ? pick(1, HG_WEIGHT_MAX) : pick(1, 4));
	m.i[idx].min = pick(0, 3) == 0 ? pick(1, LINK / 4) : 0;
	hg_window_set_instance(m.w, idx, m.i[idx].tenant,
			       is_twin(OTHER_WEIGHT) ? m.i[idx].weight / 2u + 1u : m.i[idx].weight,
			       is_twin(OTHER_MIN) ? 0 : m.i[idx].min);
}

static void set_tenant(uint32_t idx)
{
	m.tenant_weight[idx] = (uint32_t)pick(1, 8);
	hg_window_set_tenant(m.w, idx, m.tenant_weight[idx] + is_twin(OTHER_TENANT_WEIGHT));
}

static void set_max(void)
{
	m.max_bytes = pick(0, 9) == 0 ? 0 : pick(1, 60000);
	m.max_pkts = m.max_bytes == 0 || pick(0, 1) ? 0 : (uint32_t)pick(1, 200);
	hg_window_set_max(m.w, m.max_bytes + (is_twin(OTHER_MAX) ? 2000 : 0), m.max_pkts);
}

static void set_shift(uint32_t idx)
{
	if (!m.i[idx].is_set)
		return;
	m.i[idx].shift = (int)pick(0, 4) - 3;
	hg_window_set_depth_shift(m.w, idx, is_twin(OTHER_SHIFT) ? 0 : m.i[idx].shift);
}

static void remove_instance(uint32_t idx)
{
	if (!m.i[idx].is_set)
		return;
	hg_window_remove_instance(m.w, idx);
	m.i[idx].is_set = m.i[idx].wants = false;
	m.i[idx].generation++;
}

static void wants(uint32_t idx, bool wants_now)
{
	if (!m.i[idx].is_set)
		return;
	m.i[idx].wants = wants_now;
	if (wants_now || !is_twin(FORGETS_IDLING))
		hg_window_wants(m.w, idx, wants_now);
}

/* Asks, and takes if it may. */
static void ask(uint32_t idx)
{
	struct pkt p = {.instance_idx = idx,
			.bytes = (uint32_t)(pick(0, 1) ? pick(88, LARGEST) : 1538),
			.generation = m.i[idx].generation,
			.tag_epoch = hg_window_epoch(m.w),
			.epoch = m.epoch};
	enum hg_window_answer answer;

	if (!m.i[idx].is_set || !m.i[idx].wants || m.n_pkts == N_PKTS)
		return;
	answer = hg_window_may(m.w, idx);
	must(is_right(idx, answer), "the answer");
	if (answer != HG_WINDOW_OPEN)
		return;
	p.parts = 1u + p.bytes / 1539u;
	must(hg_window_generation(m.w, idx) == p.generation, "the generation");
	hg_window_take(m.w, idx, p.bytes - is_twin(SHORT_TAKE), p.parts);
	m.i[idx].is_fresh = false;
	m.pkts[m.n_pkts++] = p;
	m.taken += p.bytes;
}

static void release(unsigned n)
{
	struct pkt p = m.pkts[n];
	bool was_given;

	m.pkts[n] = m.pkts[--m.n_pkts];
	was_given = hg_window_give(m.w, p.instance_idx,
				   m.twin == LATEST_OWNER ? m.i[p.instance_idx].generation
							  : p.generation,
				   m.twin == LATEST_EPOCH ? hg_window_epoch(m.w) : p.tag_epoch,
				   p.bytes - is_twin(SHORT_GIVE), p.parts);
	/* The numbers of epochs come again: what is that old is the caller's to know. */
	must(was_given == !p.is_lost, "whether it was written off");
	if (was_given)
		m.given += p.bytes;
}

static void begin_epoch(bool is_write_off)
{
	uint32_t pkts, lost_pkts = 0;
	uint64_t bytes, lost_bytes = 0;

	m.epoch += is_write_off ? 2 : 1;
	for (unsigned n = 0; n < m.n_pkts;) {
		struct pkt *p = &m.pkts[n];

		if (m.epoch - p->epoch > 200) { /* its number comes again: never released */
			*p = m.pkts[--m.n_pkts];
			continue;
		}
		if (!p->is_lost && m.epoch - p->epoch >= 2) {
			p->is_lost = true;
			lost_bytes += p->bytes;
			lost_pkts += p->parts;
		}
		n++;
	}
	m.lost += lost_bytes;
	if (m.twin == NO_EPOCHS)
		return;
	bytes = is_write_off ? hg_window_write_off(m.w, &pkts) : hg_window_next_epoch(m.w, &pkts);
	must(bytes == lost_bytes && pkts == lost_pkts, "what is written off");
	while (m.twin != NO_SWEEP && hg_window_sweep(m.w))
		;
	if (is_write_off && m.twin != NO_SWEEP) { /* write_off loses this epoch's, too */
		outstanding(N_INSTANCES, &bytes, &pkts);
		must(bytes == 0, "write-off");
	}
}

/* ---- what must hold after each step ------------------------------------------------------------- */

static void compare(uint32_t idx)
{
	struct hg_window_stats stats;
	struct hg_window_row row;
	uint64_t bytes;
	uint32_t pkts, n_active = 0;

	hg_window_sample(m.w, &stats);
	outstanding(N_INSTANCES, &bytes, &pkts);
	must(stats.outstanding_bytes == bytes && stats.outstanding_pkts == pkts,
	     "what is outstanding in all");
	must(stats.taken_bytes == m.taken && stats.given_bytes == m.given &&
		     stats.lost_bytes == m.lost,
	     "what was taken, given, lost");
	must(stats.taken_bytes == stats.given_bytes + stats.lost_bytes + stats.outstanding_bytes,
	     "the sum");
	for (uint32_t i = 0; i < N_INSTANCES; i++)
		n_active += m.i[i].was_active;
	must(stats.n_active == n_active, "how many are active");
	hg_window_sample_instance(m.w, idx, &row);
	outstanding(idx, &bytes, &pkts);
	must(row.outstanding_bytes == bytes && row.outstanding_pkts == pkts,
	     "what an instance has outstanding");
	must(row.is_active == m.i[idx].was_active, "whether it is active");
}

static void step(void)
{
	uint32_t idx = (uint32_t)pick(0, N_INSTANCES - 1);
	uint64_t what = pick(0, 999);
	uint64_t before, after;
	uint32_t pkts;

	outstanding(N_INSTANCES, &before, &pkts);
	if (what < 500)
		ask(idx);
	else if (what < 800 && m.n_pkts > 0)
		release((unsigned)pick(0, m.n_pkts < 40 ? m.n_pkts - 1 : 39));
	else if (what < 880)
		wants(idx, true);
	else if (what < 950)
		wants(idx, false);
	else if (what < 965)
		set_instance(idx);
	else if (what < 972)
		remove_instance(idx);
	else if (what < 977)
		set_tenant((uint32_t)pick(0, N_TENANTS - 1));
	else if (what < 982)
		set_shift(idx);
	else if (what < 987)
		set_max();
	else if (what < 996)
		begin_epoch(false);
	else if (what < 997)
		begin_epoch(true);
	follow_active();
	outstanding(N_INSTANCES, &after, &pkts);
	must(after <= before || m.max_bytes == 0 || before == 0 || after <= m.max_bytes + LARGEST,
	     "MAX and one packet");
	compare(idx);
}

/* Returns whether anything was noticed. */
static bool history(uint64_t seed, enum twin twin)
{
	static void *memory;
	size_t size = (hg_window_size(N_TENANTS, N_INSTANCES) + 63u) & ~(size_t)63u;

	memset(&m, 0, sizeof(m));
	m.seed = seed;
	m.twin = twin;
	free(memory);
	memory = aligned_alloc(64, size);
	HG_CHECK(memory != NULL);
	memset(memory, 0, size);
	m.w = hg_window_init(memory, N_TENANTS, N_INSTANCES);
	hg_window_set_link(m.w, LINK, twin == OTHER_LARGEST ? 64 : LARGEST);
	for (uint32_t t = 0; t < N_TENANTS; t++)
		set_tenant(t);
	set_max();
	for (unsigned n = 0; n < N_STEPS && !m.was_noticed; n++)
		step();
	return m.was_noticed;
}

static void s2_5_random_histories_agree_with_a_list(void)
{
	unsigned rounds = hg_test_rounds ? hg_test_rounds : DEFAULT_ROUNDS;

	for (unsigned r = 0; r < rounds; r++)
		if (history(hg_test_seed + r, HONEST))
			HG_TEST_FAIL("seed %" PRIu64 ": not right: %s", hg_test_seed + r, m.what);
}

static void broken_twins_are_noticed(void)
{
	for (int twin = HONEST + 1; twin < N_TWINS; twin++) {
		unsigned n_noticed = 0;

		for (unsigned r = 0; r < 4; r++)
			n_noticed += history(hg_test_seed + r, (enum twin)twin);
		if (n_noticed == 0)
			HG_TEST_FAIL("twin %d is not noticed", twin);
	}
}

static const struct hg_test tests[] = {
	HG_TEST(s2_5_random_histories_agree_with_a_list),
	HG_TEST(broken_twins_are_noticed),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
