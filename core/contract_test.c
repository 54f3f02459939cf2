#include "core/contract.h"
#include "tests/harness.h"

#define MBIT UINT64_C(125000)

static void contract_of_who_asked_for_nothing_is_valid(void)
{
	struct hg_contract c;
	struct hg_error err = {0};

	hg_contract_init(&c);
	HG_CHECK_EQ(hg_contract_validate(&c, &err), 0);
	HG_CHECK_EQ(err.code, 0);
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		HG_CHECK_EQ(c.dir[dir].min_bytes_per_s, 0);
		HG_CHECK_EQ(c.dir[dir].max_bytes_per_s, 0);
		HG_CHECK_EQ(c.dir[dir].max_pkts_per_s, 0);
		HG_CHECK_EQ(c.dir[dir].weight, 1);
		HG_CHECK_EQ(c.dir[dir].burst_bytes, HG_BURST_DEFAULT_BYTES);
		HG_CHECK_EQ(c.dir[dir].reserve_bytes, HG_BURST_DEFAULT_BYTES);
		HG_CHECK_EQ(c.dir[dir].idle_after_ns, HG_IDLE_AFTER_DEFAULT_NS);
		HG_CHECK_EQ(c.dir[dir].accounting, HG_ACCOUNT_WIRE);
	}
	HG_CHECK_EQ(c.mode, HG_MODE_ENFORCE);
}

/* A contract with what the change says in one direction. */
static struct hg_contract changed(const struct hg_policy *change, unsigned dir)
{
	struct hg_contract c;
	struct hg_policy *p = &c.dir[dir];

	hg_contract_init(&c);
	p->min_bytes_per_s = change->min_bytes_per_s;
	p->max_bytes_per_s = change->max_bytes_per_s;
	p->max_pkts_per_s = change->max_pkts_per_s;
	p->accounting = change->accounting;
	p->priority = change->priority;
	p->behaviour = change->behaviour;
	if (change->burst_bytes)
		p->burst_bytes = change->burst_bytes;
	if (change->reserve_bytes)
		p->reserve_bytes = change->reserve_bytes;
	if (change->idle_after_ns)
		p->idle_after_ns = change->idle_after_ns;
	if (change->weight)
		p->weight = change->weight;
	return c;
}

static void s1_1_each_field_has_its_range(void)
{
	static const struct {
		struct hg_policy change; /* fields other than 0 replace those of a plain contract */
		const char *path, *text; /* NULL: accepted */
	} rows[] = {
		{{.min_bytes_per_s = 1000}, NULL, NULL},
		{{.min_bytes_per_s = 999},
		 "min",
		 "7992bit is out of range: allowed is 8Kbit to 1Tbit"},
		{{.min_bytes_per_s = HG_RATE_MAX_BYTES_PER_S}, NULL, NULL},
		{{.min_bytes_per_s = HG_RATE_MAX_BYTES_PER_S + 125}, "min", "out of range"},
		{{.max_bytes_per_s = 1000}, NULL, NULL},
		{{.max_bytes_per_s = 1}, "max", "8bit is out of range: allowed is 8Kbit to 1Tbit"},
		{{.max_bytes_per_s = UINT64_MAX}, "max", "out of range"},
		{{.min_bytes_per_s = 5 * MBIT, .max_bytes_per_s = 5 * MBIT}, NULL, NULL},
		{{.min_bytes_per_s = 6 * MBIT, .max_bytes_per_s = 5 * MBIT},
		 "min",
		 "6Mbit is more than max, 5Mbit"},
		{{.max_pkts_per_s = 10}, NULL, NULL},
		{{.max_pkts_per_s = 9},
		 "max_pkts",
		 "9pps is out of range: allowed is 10pps to 1000Mpps"},
		{{.max_pkts_per_s = 1000000001}, "max_pkts", "out of range"},
		{{.burst_bytes = 1599, .reserve_bytes = 1},
		 "burst",
		 "1599B is out of range: allowed is 1.6KB to 1GiB"},
		{{.burst_bytes = HG_BURST_MAX_BYTES + 1}, "burst", "out of range"},
		{{.burst_bytes = HG_BURST_MAX_BYTES}, NULL, NULL},
		{{.burst_bytes = 1600},
		 "idle.reserve",
		 "128KiB is out of range: allowed is 0B to 1.6KB"},
		{{.idle_after_ns = 99999},
		 "idle.after",
		 "99999ns is out of range: allowed is 100us to 1h"},
		{{.idle_after_ns = -1}, "idle.after", "out of range"},
		{{.idle_after_ns = HG_NEVER}, "idle.after", "out of range"},
		{{.weight = 1000}, NULL, NULL},
		{{.weight = 1001}, "weight", "1001 is out of range: allowed is 1 to 1000"},
		{{.accounting = 2}, "accounting", "2 is out of range: allowed is 0 to 1"},
		{{.priority = HG_PRIORITY_LOW, .behaviour = HG_FOLLOW_NONE}, NULL, NULL},
		{{.priority = HG_N_PRIORITIES}, "priority", "3 is out of range: allowed is 0 to 2"},
		{{.behaviour = 3}, "behaviour", "3 is out of range: allowed is 0 to 2"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
			struct hg_contract c = changed(&rows[i].change, dir);
			struct hg_error err = {0};
			char path[64];

			if (rows[i].path == NULL) {
				if (hg_contract_validate(&c, &err) < 0)
					HG_TEST_FAIL("row %zu: %s: %s", i, err.path, err.text);
				continue;
			}
			HG_CHECK_EQ(hg_contract_validate(&c, &err), -HG_EINVAL);
			snprintf(path, sizeof(path), "%s.%s", dir == HG_OUT ? "out" : "in",
				 rows[i].path);
			HG_CHECK_STR(err.path, path);
			HG_CHECK_HAS(err.text, rows[i].text);
			HG_CHECK_EQ(hg_contract_validate(&c, NULL), -HG_EINVAL);
		}
	}
}

static void contract_weight_0_and_unknown_mode_are_refused(void)
{
	struct hg_contract c;
	struct hg_error err = {0};

	hg_contract_init(&c);
	c.dir[HG_IN].weight = 0;
	HG_CHECK_EQ(hg_contract_validate(&c, &err), -HG_EINVAL);
	HG_CHECK_STR(err.path, "in.weight");
	hg_error_clear(&err);
	hg_contract_init(&c);
	c.mode = (enum hg_mode)2;
	HG_CHECK_EQ(hg_contract_validate(&c, &err), -HG_EINVAL);
	HG_CHECK_STR(err.path, "mode");
}

static void contract_directions_have_names(void)
{
	HG_CHECK_STR(hg_dir_name(HG_OUT), "out");
	HG_CHECK_STR(hg_dir_name(HG_IN), "in");
	HG_CHECK_STR(hg_dir_name(HG_N_DIRS), "?");
}

static const struct hg_test tests[] = {
	HG_TEST(contract_of_who_asked_for_nothing_is_valid),
	HG_TEST(s1_1_each_field_has_its_range),
	HG_TEST(contract_weight_0_and_unknown_mode_are_refused),
	HG_TEST(contract_directions_have_names),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
