#include "core/cpu.h"

#include "core/desired.h"

#include "tests/harness.h"

#define CREDIT HG_CREDIT_CPU_NS
#define HOUR (3600 * HG_NS_PER_S)

static struct hg_cpu of(const char *preset)
{
	struct hg_cpu cpu;

	hg_cpu_init(&cpu);
	strcpy(cpu.cgroup, "machine/web1");
	strcpy(cpu.preset, preset);
	return cpu;
}

static struct hg_cpu_terms terms_of(struct hg_cpu cpu)
{
	struct hg_cpu_terms terms;
	struct hg_error err = {0};

	if (hg_cpu_validate(&cpu, &err) < 0)
		HG_TEST_FAIL("%s: %s", err.path, err.text);
	hg_cpu_resolve(&cpu, &terms);
	HG_CHECK_EQ(hg_ledger_validate(&terms.ledger, &err), 0);
	return terms;
}

static void s6_1_a_preset_says_it_all(void)
{
	struct hg_cpu_terms t = terms_of(of("t3.micro"));

	HG_CHECK_EQ(t.baseline_mcpu, 200);
	HG_CHECK_EQ(t.ceiling_mcpu, 2000);
	HG_CHECK_EQ(t.ledger.earn_cpu_ns_per_h, 12 * CREDIT);
	HG_CHECK_EQ(t.ledger.max_cpu_ns, 288 * CREDIT);
	HG_CHECK_EQ(t.ledger.launch_cpu_ns, 0);
	HG_CHECK_EQ(t.ledger.surplus_max_cpu_ns, 288 * CREDIT);
	HG_CHECK_EQ(t.ledger.mode, HG_CREDIT_UNLIMITED);
	HG_CHECK_EQ(t.keep_stopped_ns, 7 * 24 * HOUR);
	t = terms_of(of("t2.2xlarge"));
	HG_CHECK_EQ(t.ledger.earn_cpu_ns_per_h, 816 * CREDIT / 10);
	HG_CHECK_EQ(t.ledger.launch_cpu_ns, 240 * CREDIT);
	HG_CHECK_EQ(t.keep_stopped_ns, 0);
}

static void s6_1_what_is_said_goes_before_the_preset(void)
{
	struct hg_cpu cpu = of("t3.micro");
	struct hg_cpu_terms t;

	cpu.credits.mode = HG_CPU_STANDARD;
	cpu.credits.launch_ucredits = 5 * 1000000;
	t = terms_of(cpu);
	HG_CHECK_EQ(t.ledger.mode, HG_CREDIT_STANDARD);
	HG_CHECK_EQ(t.ledger.launch_cpu_ns, 5 * CREDIT);
	HG_CHECK_EQ(t.ledger.max_cpu_ns, 288 * CREDIT);
	/* Another baseline earns what it uses. */
	cpu.baseline_ppm = 250000;
	t = terms_of(cpu);
	HG_CHECK_EQ(t.baseline_mcpu, 500);
	HG_CHECK_EQ(t.ledger.earn_cpu_ns_per_h, 30 * CREDIT);
	HG_CHECK_EQ(t.ledger.max_cpu_ns, 720 * CREDIT);
}

static void s6_1_without_a_preset_all_follows_from_the_baseline(void)
{
	struct hg_cpu cpu = of("");
	struct hg_cpu_terms t;

	cpu.vcpus = 4;
	cpu.baseline_ppm = 225000;
	t = terms_of(cpu);
	HG_CHECK_EQ(t.baseline_mcpu, 900);
	HG_CHECK_EQ(t.ledger.earn_cpu_ns_per_h, 54 * CREDIT);
	HG_CHECK_EQ(t.ledger.max_cpu_ns, 1296 * CREDIT);
	HG_CHECK_EQ(t.keep_stopped_ns, HG_NEVER);
	cpu.vcpus = HG_CPU_VCPUS_MAX;
	cpu.baseline_ppm = 1000000;
	(void)terms_of(cpu);
}

static void s6_10_a_pool_has_what_its_members_have(void)
{
	struct hg_cpu_terms members[2] = {terms_of(of("t2.micro")), terms_of(of("t2.small"))}, t;
	struct hg_cpu_credits pool;

	hg_cpu_credits_init(&pool);
	hg_cpu_resolve_pool(&pool, members, 2, &t);
	HG_CHECK_EQ(t.ledger.earn_cpu_ns_per_h, 18 * CREDIT);
	HG_CHECK_EQ(t.ledger.max_cpu_ns, 432 * CREDIT);
	HG_CHECK_EQ(t.ledger.launch_cpu_ns, 60 * CREDIT);
	HG_CHECK_EQ(t.ledger.mode, HG_CREDIT_STANDARD);
	pool.max_ucredits = 100 * 1000000;
	hg_cpu_resolve_pool(&pool, members, 2, &t);
	HG_CHECK_EQ(t.ledger.max_cpu_ns, 100 * CREDIT);
}

static void is_refused(const struct hg_cpu *cpu, const char *path, const char *text)
{
	struct hg_error err = {0};

	HG_CHECK_EQ(hg_cpu_validate(cpu, &err), -HG_EINVAL);
	HG_CHECK_STR(err.path, path);
	HG_CHECK_HAS(err.text, text);
}

static void s6_1_what_cannot_be_is_refused(void)
{
	struct hg_cpu cpu = of("t3.mikro");

	is_refused(&cpu, "preset", "t3.micro");
	cpu = of("c5.large");
	is_refused(&cpu, "preset", "t2.nano to t2.2xlarge");
	cpu = of("");
	is_refused(&cpu, "baseline", "20%");
	cpu.baseline_ppm = 1000001;
	is_refused(&cpu, "baseline", "0.1% to 100%");
	cpu.baseline_ppm = 100000;
	cpu.vcpus = 0;
	is_refused(&cpu, "vcpus", "1 to 4,096");
	cpu = of("t3.micro");
	cpu.credits.max_age_ns = 5;
	is_refused(&cpu, "max_age", "1m");
	cpu = of("t3.micro");
	cpu.credits.max_ucredits = HG_CPU_UNSAID - 1;
	is_refused(&cpu, "max", "9,999,999");
	cpu = of("t3.micro");
	cpu.cgroup[0] = '\0';
	is_refused(&cpu, "cgroup", "which control group");
}

static void s6_3_overbooked_baselines_are_refused_with_the_sum(void)
{
	struct hg_desired_instance instances[4] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
	struct hg_desired desired = {.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM,
				     .instances = instances,
				     .n_instances = 4};
	struct hg_error err = {0};

	for (unsigned i = 0; i < 3; i++) {
		instances[i].cpu = of("");
		instances[i].cpu.vcpus = i + 1u;
		instances[i].cpu.baseline_ppm = 375000;
	}
	HG_CHECK_EQ(hg_cpu_admit(&desired, 2250, &err), 0);
	HG_CHECK_EQ(hg_cpu_admit(&desired, 2000, &err), -HG_ENOSPC);
	HG_CHECK_HAS(err.text, "2.25 processors together, and 2 can be promised");
	HG_CHECK_HAS(err.text, "c with 1.125, b with 0.75, a with 0.375");
	desired.oversubscription_ppm = 2000000;
	HG_CHECK_EQ(hg_cpu_admit(&desired, 2000, NULL), 0);
}

static const struct hg_test tests[] = {
	HG_TEST(s6_1_a_preset_says_it_all),
	HG_TEST(s6_1_what_is_said_goes_before_the_preset),
	HG_TEST(s6_1_without_a_preset_all_follows_from_the_baseline),
	HG_TEST(s6_1_what_cannot_be_is_refused),
	HG_TEST(s6_3_overbooked_baselines_are_refused_with_the_sum),
	HG_TEST(s6_10_a_pool_has_what_its_members_have),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
