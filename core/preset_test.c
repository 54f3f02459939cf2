#include "core/preset.h"

#include "tests/harness.h"

/* As documented: credits an hour, the most, and baseline in tenths of a percent of one virtual processor. */
struct aws {
	const char *size;
	uint32_t vcpus;
	double earn, max, baseline_percent;
};

static const struct aws t2[] = {
	{"nano", 1, 3, 72, 5},
	{"micro", 1, 6, 144, 10},
	{"small", 1, 12, 288, 20},
	{"medium", 2, 24, 576, 20},
	{"large", 2, 36, 864, 30},
	{"xlarge", 4, 54, 1296, 22.5},
	{"2xlarge", 8, 81.6, 1958.4, 17},
};

static const struct aws t3[] = {
	{"nano", 2, 6, 144, 5},        {"micro", 2, 12, 288, 10}, {"small", 2, 24, 576, 20},
	{"medium", 2, 24, 576, 20},    {"large", 2, 36, 864, 30}, {"xlarge", 4, 96, 2304, 40},
	{"2xlarge", 8, 192, 4608, 40},
};

/* Baseline in percent of the whole machine. */
static const struct {
	const char *name;
	uint32_t vcpus, baseline_percent, initial, earn, max;
} azure[] = {
	{"b1ls", 1, 5, 30, 3, 72},   {"b1s", 1, 10, 30, 6, 144},   {"b1ms", 1, 20, 30, 12, 288},
	{"b2s", 2, 40, 60, 24, 576}, {"b2ms", 2, 60, 60, 36, 864}, {"b4ms", 4, 90, 120, 54, 1296},
};

static int64_t thousandths(double value)
{
	return (int64_t)(value * 1000 + 0.5);
}

static const struct hg_preset *find(const char *family, const char *size)
{
	char name[32];
	const struct hg_preset *preset;

	snprintf(name, sizeof(name), "%s.%s", family, size);
	preset = hg_preset_find(name);
	if (preset == NULL)
		HG_TEST_FAIL("there is no %s", name);
	return preset;
}

static void family_is(const char *family, const struct aws *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct hg_preset *p = find(family, rows[i].size);

		HG_CHECK_EQ(p->vcpus, rows[i].vcpus);
		HG_CHECK_EQ(p->earn_mcredits_per_h, thousandths(rows[i].earn));
		HG_CHECK_EQ(p->max_mcredits, thousandths(rows[i].max));
		HG_CHECK_EQ(p->baseline_ppm, thousandths(rows[i].baseline_percent) * 10);
	}
}

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

static void s6_1_t2_is_as_documented(void)
{
	family_is("t2", t2, N(t2));
	for (size_t i = 0; i < N(t2); i++) {
		const struct hg_preset *p = find("t2", t2[i].size);

		HG_CHECK_EQ(p->launch_mcredits, 30000 * p->vcpus);
		HG_CHECK_EQ(p->mode, HG_CREDIT_STANDARD);
		HG_CHECK_EQ(p->keep_stopped_h, 0);
	}
}

static void s6_1_t3_t3a_and_t4g_are_as_documented(void)
{
	static const char *const families[] = {"t3", "t3a", "t4g"};

	for (size_t k = 0; k < N(families); k++) {
		family_is(families[k], t3, N(t3));
		for (size_t i = 0; i < N(t3); i++) {
			const struct hg_preset *p = find(families[k], t3[i].size);

			HG_CHECK_EQ(p->launch_mcredits, 0);
			HG_CHECK_EQ(p->mode, HG_CREDIT_UNLIMITED);
			HG_CHECK_EQ(p->keep_stopped_h, 7 * 24);
		}
	}
}

static void s6_1_azure_b_is_as_documented(void)
{
	for (size_t i = 0; i < N(azure); i++) {
		const struct hg_preset *p = hg_preset_find(azure[i].name);

		HG_CHECK(p != NULL);
		HG_CHECK_EQ(p->vcpus, azure[i].vcpus);
		HG_CHECK_EQ(p->baseline_ppm * p->vcpus, azure[i].baseline_percent * 10000);
		HG_CHECK_EQ(p->launch_mcredits, azure[i].initial * 1000);
		HG_CHECK_EQ(p->earn_mcredits_per_h, azure[i].earn * 1000);
		HG_CHECK_EQ(p->max_mcredits, azure[i].max * 1000);
		HG_CHECK_EQ(p->mode, HG_CREDIT_STANDARD);
	}
}

/* What is earned is what the baseline uses, everywhere, and the most is what a day earns. */
static void s6_1_every_family_is_consistent(void)
{
	HG_CHECK_EQ(HG_N_PRESETS, N(t2) + 3 * N(t3) + N(azure));
	for (uint32_t i = 0; i < HG_N_PRESETS; i++) {
		const struct hg_preset *p = &hg_presets[i];

		HG_CHECK_EQ((uint64_t)p->baseline_ppm * p->vcpus * 60,
			    (uint64_t)p->earn_mcredits_per_h * 1000);
		HG_CHECK_EQ(p->max_mcredits, 24 * p->earn_mcredits_per_h);
	}
}

static void s6_1_a_name_that_is_none(void)
{
	HG_CHECK(hg_preset_find("t3.huge") == NULL);
	HG_CHECK(hg_preset_find("") == NULL);
}

static const struct hg_test tests[] = {
	HG_TEST(s6_1_t2_is_as_documented),      HG_TEST(s6_1_t3_t3a_and_t4g_are_as_documented),
	HG_TEST(s6_1_azure_b_is_as_documented), HG_TEST(s6_1_every_family_is_consistent),
	HG_TEST(s6_1_a_name_that_is_none),      {0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
