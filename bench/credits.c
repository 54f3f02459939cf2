/* Used against entitled, by real tasks in real control groups on real time; beside static quotas.
 *
 * Each run has 1, 4 or 16 groups that would use a whole processor each, with launch credits and a baseline: what
 * they may have used at the end is launch + baseline * time, and what they have used is what the kernel says. The
 * loop is that of headgated, called when it asks to be, by a thread of the niceness that its unit gives it. */

#include "bench/figures.h"
#include "bench/groups.h"
#include "bench/loop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#define MAX_GROUPS 16u
#define S HG_NS_PER_S
#define MS HG_NS_PER_MS
/* Of the 2,000 of two processors; instances may have 1,400 together. */
#define BASELINES_MCPU 800u
#define HOST_MCPU 1400u
#define LAUNCH_CPU_NS (8 * S)
#define SLICE_NS S
#define STOLEN_MAX_NS (20 * MS) /* of a slice, in which it is nobody's fault what was used */
/* What is missing at the end shows only what was not served lately: credits catch up with the rest. */
#define LATELY_SLICES 10u

struct member {
	uint64_t baseline_mcpu;
	int64_t launch_cpu_ns;
	int64_t first_cpu_ns, slice_cpu_ns; /* use at the beginning, and of the slice */
	uint64_t periods, held;
	uint64_t limit_mcpu; /* the least in the slice */
	int64_t unserved_cpu_ns;
	bool was_stolen_from; /* in some slice */
	unsigned quiet_slices; /* since the last one in which it was not served */
	double served_s, served_cpu_s; /* of the slices in which it was */
};

/* What a thief knows and tells. */
struct thief {
	volatile hg_ns next_look_ns;
	volatile int should_end, has_ended;
	volatile int64_t by_kernel_cpu_ns, by_itself_cpu_ns;
};

static struct {
	unsigned n;
	struct member members[MAX_GROUPS];
	struct hg_desired desired;
	struct hg_desired_tenant tenant;
	struct hg_desired_instance instances[MAX_GROUPS];
	struct hg_credits *credits;
	hg_ns began_ns, worst_late_ns;
	struct thief *thieves;
} w;

/* ---- the loop ----------------------------------------------------------------------------------- */

static void say(void *user, enum hg_log_level level, const char *sentence)
{
	(void)user;
	if (level <= HG_LOG_WARNING)
		fprintf(stderr, "%s\n", sentence);
}

static void begin_credits(uint64_t host_mcpu)
{
	const struct hg_credits_cfg cfg = {.host_mcpu = host_mcpu, .log = say};

	w.tenant = (struct hg_desired_tenant){.name = "bench"};
	hg_cpu_credits_init(&w.tenant.pool);
	for (unsigned i = 0; i < w.n; i++) {
		struct hg_cpu *cpu = &w.instances[i].cpu;

		snprintf(w.instances[i].name, sizeof(w.instances[i].name), "g%u", i);
		hg_cpu_init(cpu);
		bench_group_name(i, cpu->cgroup, sizeof(cpu->cgroup));
		cpu->vcpus = 1;
		cpu->baseline_ppm = w.members[i].baseline_mcpu * 1000u;
		cpu->credits.launch_ucredits =
			(uint64_t)(w.members[i].launch_cpu_ns / HG_UCREDIT_CPU_NS);
		w.members[i].launch_cpu_ns =
			(int64_t)cpu->credits.launch_ucredits * HG_UCREDIT_CPU_NS;
	}
	w.desired = (struct hg_desired){.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM,
					.tenants = &w.tenant,
					.instances = w.instances,
					.n_tenants = 1,
					.n_instances = w.n};
	w.credits = bench_credits(cfg, &w.desired);
}

static void note_limits(void)
{
	struct hg_credits_row row;

	for (unsigned i = 0; i < w.n; i++) {
		if (!hg_credits_row(w.credits, i, &row))
			bench_give_up("credits", "a row is not there");
		if (row.limit_mcpu < w.members[i].limit_mcpu)
			w.members[i].limit_mcpu = row.limit_mcpu;
	}
}

static void run_loop(hg_ns until_ns)
{
	hg_ns now_ns = hg_clock_now_ns(), due_ns;

	while (now_ns < until_ns) {
		due_ns = hg_credits_tick(w.credits, now_ns);
		if (w.thieves != NULL)
			w.thieves[0].next_look_ns = w.thieves[1].next_look_ns = due_ns;
		else
			note_limits();
		bench_sleep_until(due_ns < until_ns ? due_ns : until_ns);
		now_ns = hg_clock_now_ns();
		if (due_ns < until_ns && now_ns - due_ns > w.worst_late_ns)
			w.worst_late_ns = now_ns - due_ns;
	}
}

/* ---- slices: whose fault it is ------------------------------------------------------------------ */

static void begin_slice(struct member *m, unsigned i)
{
	m->slice_cpu_ns = bench_group_used_cpu_ns(i);
	bench_group_periods(i, &m->periods, &m->held);
	m->limit_mcpu = HG_SHARE_OPEN;
}

/* A task that wants everything is held in each period of its quota. One that was not, and used less than the
 * quota allows, was kept waiting by the host's other work and not by us. Where processors were stolen neither the
 * task nor the loop had what is theirs. */
static void end_slice(struct member *m, unsigned i, hg_ns for_ns, hg_ns stolen_ns)
{
	int64_t used = bench_group_used_cpu_ns(i) - m->slice_cpu_ns, may;
	uint64_t periods, held;

	if (stolen_ns > STOLEN_MAX_NS) {
		m->was_stolen_from = true;
		m->quiet_slices = 0;
		return;
	}
	bench_group_periods(i, &periods, &held);
	if (m->limit_mcpu == HG_SHARE_OPEN) { /* a whole processor, for as long as credits last */
		m->quiet_slices = used < for_ns - for_ns / 50 ? 0 : m->quiet_slices + 1;
		return;
	}
	may = (int64_t)m->limit_mcpu * (for_ns / 1000);
	if (2 * (held - m->held) < periods - m->periods && used < may - may / 50) {
		m->unserved_cpu_ns += may - used;
		m->quiet_slices = 0;
		return;
	}
	m->quiet_slices++;
	m->served_s += (double)for_ns / 1e9;
	m->served_cpu_s += (double)used / 1e9;
}

static void run_slices(hg_ns for_ns, bool has_quota)
{
	hg_ns end_ns = w.began_ns + for_ns, at_ns = w.began_ns;

	while (at_ns < end_ns) {
		hg_ns from_ns = at_ns, until_ns = at_ns + SLICE_NS, stolen_ns = bench_stolen_ns();

		for (unsigned i = 0; i < w.n; i++)
			begin_slice(&w.members[i], i);
		if (until_ns > end_ns)
			until_ns = end_ns;
		if (has_quota) {
			for (unsigned i = 0; i < w.n; i++)
				w.members[i].limit_mcpu = w.members[i].baseline_mcpu;
			bench_sleep_until(until_ns);
		} else {
			run_loop(until_ns);
		}
		at_ns = hg_clock_now_ns();
		stolen_ns = bench_stolen_ns() - stolen_ns;
		for (unsigned i = 0; i < w.n; i++)
			end_slice(&w.members[i], i, at_ns - from_ns, stolen_ns);
	}
}

/* ---- used against entitled ---------------------------------------------------------------------- */

/* Baselines differ, so that nothing comes out right by chance. */
static void begin(unsigned n)
{
	memset(&w, 0, sizeof(w));
	w.n = n;
	bench_groups_make(n);
	for (unsigned i = 0; i < n; i++) {
		uint64_t even = BASELINES_MCPU / n;

		w.members[i].baseline_mcpu = n == 1  ? even / 2
					     : i % 2 ? even * 5 / 4
						     : even * 3 / 4;
		w.members[i].launch_cpu_ns = LAUNCH_CPU_NS / n;
		w.members[i].quiet_slices = LATELY_SLICES;
		bench_task_start(i, bench_burn, NULL);
	}
}

static void go(void)
{
	for (unsigned i = 0; i < w.n; i++)
		w.members[i].first_cpu_ns = bench_group_used_cpu_ns(i);
	w.began_ns = hg_clock_now_ns();
	bench_tasks_go();
}

struct outcome {
	double worst, worst_disturbed, unserved;
	unsigned n_disturbed;
};

static void take(struct outcome *o, const char *what, unsigned i, double used_s, double entitled_s,
		 bool is_disturbed)
{
	double error = 100 * (used_s - entitled_s) / entitled_s;
	double unserved = 100 * (double)w.members[i].unserved_cpu_ns / 1e9 / entitled_s;

	fprintf(stderr,
		"%-7s %2u of %2u: used %8.4f s, entitled %8.4f s, error %+7.3f %%, not served at "
		"the time "
		"%6.3f %%%s\n",
		what, i, w.n, used_s, entitled_s, error, unserved,
		is_disturbed ? ", disturbed" : "");
	o->n_disturbed += is_disturbed;
	o->unserved = fmax(o->unserved, unserved);
	if (is_disturbed)
		o->worst_disturbed = fmax(o->worst_disturbed, fabs(error));
	else
		o->worst = fmax(o->worst, fabs(error));
}

static struct outcome run_credits(unsigned n, hg_ns for_ns)
{
	struct outcome o = {0};

	begin(n);
	begin_credits(HOST_MCPU);
	/* The first look finds the groups. */
	(void)hg_credits_tick(w.credits, hg_clock_now_ns());
	go();
	run_slices(for_ns, /* has_quota= */ false);
	for (unsigned i = 0; i < n; i++) {
		const struct member *m = &w.members[i];
		double used_s = (double)(bench_group_used_cpu_ns(i) - m->first_cpu_ns) / 1e9;
		double s = (double)(hg_clock_now_ns() - w.began_ns) / 1e9;
		struct hg_credits_row row;

		take(&o, "credits", i, used_s,
		     (double)m->launch_cpu_ns / 1e9 + (double)m->baseline_mcpu / 1000 * s,
		     m->quiet_slices < LATELY_SLICES);
		if (hg_credits_row(w.credits, i, &row))
			fprintf(stderr,
				"    balance left %.4f s, %s, limit %lld mcpu, %llu writes\n",
				(double)row.balance_cpu_ns / 1e9, hg_credits_state_name(row.state),
				(long long)row.limit_mcpu, (unsigned long long)row.limit_writes);
	}
	hg_credits_destroy(w.credits);
	bench_groups_remove();
	return o;
}

/* As people have it today: the quota is the baseline, the period the kernel's. */
static struct outcome run_quota(unsigned n, hg_ns for_ns)
{
	struct outcome o = {0};

	begin(n);
	for (unsigned i = 0; i < n; i++)
		bench_group_write(i, "cpu.cfs_quota_us", (long)w.members[i].baseline_mcpu * 100);
	go();
	run_slices(for_ns, /* has_quota= */ true);
	for (unsigned i = 0; i < n; i++) {
		const struct member *m = &w.members[i];
		double used_s = (double)(bench_group_used_cpu_ns(i) - m->first_cpu_ns) / 1e9;
		double s = (double)(hg_clock_now_ns() - w.began_ns) / 1e9;
		double baseline = (double)m->baseline_mcpu / 1000;
		bool is_disturbed;

		/* It cannot catch up: only what it did while it was served is its own error. */
		is_disturbed = m->unserved_cpu_ns > 0 || m->was_stolen_from;
		take(&o, "quota", i, used_s, baseline * s, is_disturbed);
		if (is_disturbed && m->served_s > 0)
			o.worst = fmax(o.worst,
				       100 * fabs(m->served_cpu_s / (baseline * m->served_s) - 1));
	}
	bench_groups_remove();
	return o;
}

static double print(const char *what, unsigned n, const struct outcome *o)
{
	char name[64];

	/* Where all were disturbed nothing was measured. */
	if (o->n_disturbed < n || o->worst > 0) {
		snprintf(name, sizeof(name), "%s_%u_worst_error_percent", what, n);
		hg_figure(name, o->worst);
	}
	if (o->n_disturbed > 0) {
		snprintf(name, sizeof(name), "%s_%u_disturbed_error_percent", what, n);
		hg_figure(name, o->worst_disturbed);
	}
	snprintf(name, sizeof(name), "%s_%u_disturbed_groups", what, n);
	hg_figure(name, o->n_disturbed);
	snprintf(name, sizeof(name), "%s_%u_unserved_percent", what, n);
	hg_figure(name, o->unserved);
	return o->worst;
}

/* ---- thieves ------------------------------------------------------------------------------------ */

/* Runs until an instant; what passes between two reads of the clock that are close was its own. */
static void work_until(struct thief *t, hg_ns until_ns)
{
	hg_ns before_ns = hg_clock_now_ns(), now_ns = before_ns;

	while (now_ns < until_ns && !t->should_end) {
		now_ns = hg_clock_now_ns();
		if (now_ns - before_ns < 5 * HG_NS_PER_US)
			t->by_itself_cpu_ns += now_ns - before_ns;
		before_ns = now_ns;
	}
}

static _Noreturn void tell_and_rest(struct thief *t, hg_ns first_cpu_ns)
{
	t->by_kernel_cpu_ns = bench_thread_cpu_ns() - first_cpu_ns;
	t->has_ended = 1;
	for (;;)
		bench_sleep_until(HG_NEVER / 2);
}

/* Begins just after a look, and is asleep when the next one comes. */
static void sleep_around_looks(void *arg)
{
	struct thief *t = arg;
	hg_ns first_cpu_ns = bench_thread_cpu_ns();

	while (!t->should_end) {
		hg_ns look_ns = t->next_look_ns;

		if (hg_clock_now_ns() < look_ns - 3 * MS)
			work_until(t, look_ns - 2 * MS);
		bench_sleep_until(hg_clock_now_ns() + MS);
	}
	tell_and_rest(t, first_cpu_ns);
}

/* Likewise with the kernel's tick, whose time the coarse clock tells. */
static void sleep_around_ticks(void *arg)
{
	struct thief *t = arg;
	struct timespec coarse, resolution;
	hg_ns first_cpu_ns = bench_thread_cpu_ns(), tick_ns, now_ns;

	clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
	while (!t->should_end) {
		hg_ns period_ns = resolution.tv_nsec;

		clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
		now_ns = hg_clock_now_ns();
		tick_ns = (hg_ns)coarse.tv_sec * S + coarse.tv_nsec;
		/* An idle processor skips ticks. */
		tick_ns += (now_ns - tick_ns) / period_ns * period_ns;
		work_until(t, tick_ns + period_ns * 3 / 4);
		bench_sleep_until(tick_ns + period_ns + period_ns / 50);
	}
	tell_and_rest(t, first_cpu_ns);
}

/* Returns what the worse of the two used without being charged, of what it used. */
static double run_thieves(hg_ns for_ns)
{
	double worst = 0;

	memset(&w, 0, sizeof(w));
	w.n = 2;
	w.thieves = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w.thieves == MAP_FAILED)
		bench_give_up("thieves", "no memory");
	bench_groups_make(w.n);
	for (unsigned i = 0; i < w.n; i++) {
		w.members[i].baseline_mcpu = 500;
		w.members[i].launch_cpu_ns = for_ns;
		bench_task_start(i, i == 0 ? sleep_around_looks : sleep_around_ticks,
				 &w.thieves[i]);
	}
	begin_credits(2000);
	(void)hg_credits_tick(w.credits, hg_clock_now_ns());
	go();
	run_loop(hg_clock_now_ns() + for_ns);
	w.thieves[0].should_end = w.thieves[1].should_end = 1;
	while (!w.thieves[0].has_ended || !w.thieves[1].has_ended)
		bench_sleep_until(hg_clock_now_ns() + MS);
	run_loop(hg_clock_now_ns() + 2 * S); /* looks at both once more */
	for (unsigned i = 0; i < w.n; i++) {
		const struct thief *t = &w.thieves[i];
		struct hg_credits_row row;
		double charged, kernel = (double)t->by_kernel_cpu_ns;

		if (!hg_credits_row(w.credits, i, &row))
			bench_give_up("credits", "a row is not there");
		charged = (double)row.ledger.totals.used_cpu_ns;
		fprintf(stderr,
			"thief around %s: %.4f s by the kernel's clock, %.4f s by itself, charged "
			"%.4f s\n",
			i == 0 ? "looks" : "ticks", kernel / 1e9, (double)t->by_itself_cpu_ns / 1e9,
			charged / 1e9);
		worst = fmax(worst, 100 * (1 - charged / kernel));
		worst = fmax(worst, 100 * (1 - charged / (double)t->by_itself_cpu_ns));
		hg_figure(i == 0 ? "thief_looks_charged_over_used"
				 : "thief_ticks_charged_over_used",
			  charged / kernel);
	}
	hg_credits_destroy(w.credits);
	bench_groups_remove();
	munmap(w.thieves, 4096);
	return worst;
}

int main(int argc, char **argv)
{
	static const unsigned counts[] = {1, 4, 16};
	hg_ns for_ns = argc > 1 ? strtol(argv[1], NULL, 10) * S : 60 * S;
	double worst = 0, quota = 0;
	hg_ns late_ns = 0;

	bench_be_nice();
	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct outcome o;

		if (argc > 2 && strtoul(argv[2], NULL, 10) != counts[i])
			continue;
		o = run_credits(counts[i], for_ns);
		late_ns = w.worst_late_ns > late_ns ? w.worst_late_ns : late_ns;
		worst = fmax(worst, print("credits", counts[i], &o));
		o = run_quota(counts[i], for_ns);
		quota = fmax(quota, print("quota", counts[i], &o));
	}
	hg_figure("stolen_percent", run_thieves(for_ns / 3));
	hg_figure("loop_worst_late_ms", (double)late_ns / 1e6);
	hg_figure("quota_worst_error_percent", quota);
	hg_figure("worst_error_percent", worst);
	return 0;
}
