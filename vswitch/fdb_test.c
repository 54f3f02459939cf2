#include "vswitch/fdb.h"

#include "tests/harness.h"

#define AGE_NS (10 * HG_NS_PER_S)

static struct hg_fdb fdb;

static void start(uint32_t max_entries, uint32_t max_learned)
{
	static void *mem;
	struct hg_fdb_cfg cfg = {.max_entries = max_entries,
				 .max_ports = 16,
				 .max_learned = max_learned,
				 .age_ns = AGE_NS,
				 .seed = hg_test_seed};

	free(mem);
	mem = malloc(hg_fdb_bytes(&cfg));
	hg_fdb_init(&fdb, &cfg, mem);
}

static struct hg_fdb_key key(uint32_t scope, uint16_t vlan, uint32_t n)
{
	uint8_t mac[6] = {2,         0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
			  (uint8_t)n};

	return hg_fdb_key(scope, vlan, mac);
}

enum action { LEARN, CONFIGURE, FORGET, FORGET_PORT, LOOKUP, ADVANCE };

/* One history on a table that learns two addresses for each port; expect is what the call returns. */
static const struct {
	int64_t at_s;
	enum action action;
	uint32_t mac, port;
	int64_t expect;
} rows[] = {
	{0, LOOKUP, 1, 0, HG_FDB_NONE},
	{0, LEARN, 1, 3, true},
	{0, LOOKUP, 1, 0, 3},
	{9, LOOKUP, 1, 0, 3},
	{10, LOOKUP, 1, 0, HG_FDB_NONE}, /* aged */
	{10, LEARN, 1, 3, true}, /* and back */
	{15, LEARN, 1, 3, true}, /* seen again */
	{24, LOOKUP, 1, 0, 3},
	{24, LEARN, 1, 4, true}, /* moved */
	{24, LOOKUP, 1, 0, 4},
	{24, LEARN, 2, 4, true},
	{24, LEARN, 3, 4, false}, /* the port's limit */
	{24, LOOKUP, 3, 0, HG_FDB_NONE},
	{24, LEARN, 3, 3, true}, /* another port is free to */
	{24, LEARN, 3, 4, false}, /* nor does it move to a full port */
	{24, LOOKUP, 3, 0, 3},
	{24, CONFIGURE, 3, 5, 0}, /* what was learned gives way */
	{24, LOOKUP, 3, 0, 5},
	{24, LEARN, 3, 3, false}, /* a configured entry never moves */
	{24, LEARN, 3, 5, true},
	{24, CONFIGURE, 3, 5, 0},
	{24, CONFIGURE, 3, 6, -HG_EEXIST},
	{9999, LOOKUP, 3, 0, 5}, /* nor ages */
	{9999, LEARN, 9, 4, false}, /* dead entries count until they are cleared */
	{9999, ADVANCE, 0, 0, 2},
	{9999, LEARN, 9, 4, true},
	{9999, CONFIGURE, 8, 4, 0},
	{9999, FORGET_PORT, 0, 4, 2},
	{9999, LOOKUP, 9, 0, HG_FDB_NONE},
	{9999, LOOKUP, 8, 0, HG_FDB_NONE},
	{9999, LOOKUP, 3, 0, 5},
	{9999, FORGET, 3, 0, true},
	{9999, FORGET, 3, 0, false},
	{9999, LOOKUP, 3, 0, HG_FDB_NONE},
};

static int64_t act(unsigned i)
{
	hg_ns now_ns = rows[i].at_s * HG_NS_PER_S;
	struct hg_fdb_key k = key(1, 7, rows[i].mac);
	struct hg_error error;

	hg_error_clear(&error);
	switch (rows[i].action) {
	case LEARN:
		return hg_fdb_learn(&fdb, k, rows[i].port, now_ns);
	case CONFIGURE:
		return hg_fdb_configure(&fdb, k, rows[i].port, &error);
	case FORGET:
		return hg_fdb_forget(&fdb, k);
	case FORGET_PORT:
		return hg_fdb_forget_port(&fdb, rows[i].port);
	case ADVANCE:
		return hg_fdb_advance(&fdb, fdb.n_buckets, now_ns);
	default:
		return hg_fdb_lookup(&fdb, k, now_ns);
	}
}

static void s5_1_learns_ages_moves_and_keeps(void)
{
	start(64, 2);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t got = act(i);

		if (got != rows[i].expect)
			HG_TEST_FAIL("row %u: %" PRId64 ", want %" PRId64, i, got, rows[i].expect);
	}
	HG_CHECK_EQ(fdb.n_configured, 0);
	HG_CHECK_EQ(fdb.n_learned, 0);
}

static void scopes_and_vlans_are_apart(void)
{
	start(64, 8);
	for (uint32_t i = 0; i < 4; i++)
		HG_CHECK(hg_fdb_learn(&fdb, key(i / 2, (uint16_t)(i % 2), 5), i, 0));
	for (uint32_t i = 0; i < 4; i++)
		HG_CHECK_EQ(hg_fdb_lookup(&fdb, key(i / 2, (uint16_t)(i % 2), 5), 0), i);
}

static void an_empty_slot_is_nobodys_address(void)
{
	static const uint8_t zero[6];

	start(64, 8);
	HG_CHECK_EQ(hg_fdb_lookup(&fdb, hg_fdb_key(0, 0, zero), 0), HG_FDB_NONE);
}

/* Filled to max_entries, in every round with other addresses, everything still has its place. */
static void configured_fill_it_without_a_loss(void)
{
	struct hg_error error;

	hg_error_clear(&error);
	for (uint32_t round = 0; round < 20; round++) {
		start(4096, 8);
		for (uint32_t i = 0; i < 4096; i++)
			HG_CHECK_EQ(hg_fdb_configure(&fdb, key(round, 0, i), i % 16, &error), 0);
		for (uint32_t i = 0; i < 4096; i++)
			HG_CHECK_EQ(hg_fdb_lookup(&fdb, key(round, 0, i), 0), i % 16);
	}
}

static void full_table_refuses_with_a_reason(void)
{
	struct hg_error error;
	uint32_t n = 0;
	int got = 0;

	start(1, 8);
	hg_error_clear(&error);
	while (got == 0 && n < 100)
		got = hg_fdb_configure(&fdb, key(0, 0, n++), 1, &error);
	HG_CHECK_EQ(got, -HG_ENOSPC);
	HG_CHECK_HAS(error.text, "full");
	HG_CHECK(!hg_fdb_learn(&fdb, key(0, 0, n - 1), 2, 0));
	HG_CHECK_EQ(fdb.n_refused, 1);
}

static void s5_1_each_port_has_a_limit_of_its_own(void)
{
	start(1024, 2);
	hg_fdb_set_limit(&fdb, 1, 0);
	hg_fdb_set_limit(&fdb, 2, 100);
	HG_CHECK(!hg_fdb_learn(&fdb, key(0, 0, 1), 1, 0));
	for (uint32_t i = 0; i < 200; i++)
		HG_CHECK_EQ(hg_fdb_learn(&fdb, key(0, 0, 1000 + i), 2, 0), i < 100);
	HG_CHECK_EQ(hg_fdb_learned_of(&fdb, 2), 100);
	HG_CHECK_EQ(hg_fdb_refused_of(&fdb, 1), 1);
	HG_CHECK_EQ(hg_fdb_refused_of(&fdb, 2), 100);
	HG_CHECK_EQ(hg_fdb_refused_of(&fdb, 3), 0);
	/* A lower limit forgets nothing, and lets nothing new in. */
	hg_fdb_set_limit(&fdb, 2, 10);
	HG_CHECK_EQ(hg_fdb_refused_of(&fdb, 2), 0);
	HG_CHECK_EQ(hg_fdb_lookup(&fdb, key(0, 0, 1099), 1), 2);
	HG_CHECK(hg_fdb_learn(&fdb, key(0, 0, 1099), 2, 1));
	HG_CHECK(!hg_fdb_learn(&fdb, key(0, 0, 1100), 2, 1));
}

/* What repeats another is not counted, moves and ages like any other, and goes with its port. */
static void s5_1_entries_beside_others_are_not_counted(void)
{
	start(1024, 1);
	HG_CHECK(hg_fdb_learn(&fdb, key(0, 0, 1), 1, 0));
	HG_CHECK(hg_fdb_learn_beside(&fdb, key(9, 0, 1), 1, 0));
	HG_CHECK(hg_fdb_learn_beside(&fdb, key(9, 0, 1), 1, 1));
	HG_CHECK_EQ(hg_fdb_learned_of(&fdb, 1), 1);
	HG_CHECK_EQ(fdb.n_learned, 2);
	HG_CHECK_EQ(hg_fdb_lookup(&fdb, key(9, 0, 1), 1), 1);
	HG_CHECK(hg_fdb_learn_beside(&fdb, key(9, 0, 1), 2, 2));
	HG_CHECK_EQ(hg_fdb_lookup(&fdb, key(9, 0, 1), 2), 2);
	HG_CHECK_EQ(hg_fdb_learned_of(&fdb, 2), 0);
	HG_CHECK_EQ(hg_fdb_forget_port(&fdb, 2), 1);
	HG_CHECK_EQ(hg_fdb_forget_port(&fdb, 1), 1);
	HG_CHECK_EQ(hg_fdb_learned_of(&fdb, 1), 0);
	HG_CHECK_EQ(fdb.n_learned, 0);
}

static void configured_puts_out_learned(void)
{
	struct hg_error error;
	uint32_t n_learned = 0;

	start(1, 100);
	hg_error_clear(&error);
	for (uint32_t i = 0; i < 100; i++)
		n_learned += hg_fdb_learn(&fdb, key(0, 0, i), 1, 0);
	HG_CHECK_EQ(n_learned, fdb.n_learned);
	HG_CHECK_EQ(hg_fdb_configure(&fdb, key(9, 9, 9), 2, &error), 0);
	HG_CHECK_EQ(hg_fdb_lookup(&fdb, key(9, 9, 9), 0), 2);
	HG_CHECK_EQ(fdb.n_learned, n_learned - 1);
	HG_CHECK_EQ(hg_fdb_learned_of(&fdb, 1), n_learned - 1);
}

/* A full table of the dead makes room for the living without waiting for housekeeping. */
static void the_dead_make_room(void)
{
	start(1, 100);
	for (uint32_t i = 0; i < 100; i++)
		hg_fdb_learn(&fdb, key(0, 0, i), 1, 0);
	HG_CHECK(!hg_fdb_learn(&fdb, key(0, 0, 200), 2, AGE_NS - 1));
	HG_CHECK(hg_fdb_learn(&fdb, key(0, 0, 200), 2, AGE_NS));
	HG_CHECK_EQ(hg_fdb_lookup(&fdb, key(0, 0, 200), AGE_NS), 2);
}

/* ---- random histories against a list ------------------------------------------------------------ */

#define N_MACS 40u

struct model {
	uint32_t port;
	bool is_there, is_configured;
	hg_ns seen_at_ns;
};

static uint32_t model_lookup(const struct model *m, hg_ns age_ns, hg_ns now_ns)
{
	if (!m->is_there || (!m->is_configured && now_ns - m->seen_at_ns >= age_ns))
		return HG_FDB_NONE;
	return m->port;
}

static void model_learn(struct model *m, uint32_t port, hg_ns now_ns)
{
	if (m->is_there && m->is_configured)
		return;
	*m = (struct model){.port = port, .is_there = true, .seen_at_ns = now_ns};
}

/* Runs one history; the model ages after age_ns. Returns whether they always agreed. */
static bool agrees(uint64_t seed, hg_ns age_ns)
{
	struct model models[N_MACS] = {0};
	struct hg_error error;
	hg_ns now_ns = 0;

	start(N_MACS, N_MACS);
	for (unsigned step = 0; step < 500; step++) {
		uint32_t mac = (uint32_t)hg_test_between(&seed, 0, N_MACS - 1);
		uint32_t port = (uint32_t)hg_test_between(&seed, 0, 15);
		struct model *m = &models[mac];

		now_ns += (hg_ns)hg_test_between(&seed, 0, (uint64_t)HG_NS_PER_S);
		switch (hg_test_between(&seed, 0, 9)) {
		case 0:
			hg_error_clear(&error);
			if (hg_fdb_configure(&fdb, key(1, 1, mac), port, &error) == 0)
				*m = (struct model){port, true, true, now_ns};
			break;
		case 1:
			hg_fdb_forget(&fdb, key(1, 1, mac));
			m->is_there = false;
			break;
		case 2:
			hg_fdb_forget_port(&fdb, port);
			for (uint32_t i = 0; i < N_MACS; i++)
				models[i].is_there &= models[i].port != port;
			break;
		case 3:
			hg_fdb_advance(&fdb, 3, now_ns);
			break;
		default:
			hg_fdb_learn(&fdb, key(1, 1, mac), port, now_ns);
			model_learn(m, port, now_ns);
		}
		mac = (uint32_t)hg_test_between(&seed, 0, N_MACS - 1);
		if (hg_fdb_lookup(&fdb, key(1, 1, mac), now_ns) !=
		    model_lookup(&models[mac], age_ns, now_ns))
			return false;
	}
	return true;
}

static void s5_1_random_histories_agree_with_a_list(void)
{
	unsigned rounds = hg_test_rounds != 0 ? hg_test_rounds : 300;

	for (unsigned i = 0; i < rounds; i++) {
		if (!agrees(hg_test_seed + i, AGE_NS))
			HG_TEST_FAIL("seed %" PRIu64, hg_test_seed + i);
	}
}

/* A table that forgets a second too late is noticed. */
static void s5_1_wrong_ageing_is_noticed(void)
{
	unsigned n_noticed = 0;

	for (unsigned i = 0; i < 100; i++)
		n_noticed += !agrees(hg_test_seed + i, AGE_NS - HG_NS_PER_S);
	HG_CHECK(n_noticed > 50);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_learns_ages_moves_and_keeps),
		HG_TEST(scopes_and_vlans_are_apart),
		HG_TEST(an_empty_slot_is_nobodys_address),
		HG_TEST(configured_fill_it_without_a_loss),
		HG_TEST(full_table_refuses_with_a_reason),
		HG_TEST(s5_1_each_port_has_a_limit_of_its_own),
		HG_TEST(s5_1_entries_beside_others_are_not_counted),
		HG_TEST(configured_puts_out_learned),
		HG_TEST(the_dead_make_room),
		HG_TEST(s5_1_random_histories_agree_with_a_list),
		HG_TEST(s5_1_wrong_ageing_is_noticed),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
