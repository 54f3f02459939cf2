/* What the loop of processor credits costs for 1,000 groups of this host, 50 of which do something.
 *
 * Real control groups, a store on disk, real tasks in the 50: 25 steady ones that stay below their baseline, 25 that
 * burst for 0.4 s each second until nothing is left, and go on bursting. Twice: with credits (who does nothing has
 * plenty, as anywhere after an hour), and with none (all have just been used up, and recover). */

#include "bench/figures.h"
#include "bench/groups.h"
#include "bench/loop.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define S HG_NS_PER_S
#define MS HG_NS_PER_MS
#define MAX_GROUPS 4096u
#define N_STEADY 25u
#define N_BURSTY 25u
#define PLENTY_CPU_NS (60 * S)
#define BURSTY_CPU_NS (4 * S) /* gone after ten bursts */

static struct {
	unsigned n;
	struct hg_desired desired;
	struct hg_desired_tenant tenant;
	struct hg_desired_instance instances[MAX_GROUPS];
	struct hg_credits *credits;
	char store[64];
} w;

/* ---- tasks -------------------------------------------------------------------------------------- */

static void use(hg_ns for_cpu_ns)
{
	hg_ns until_ns = bench_thread_cpu_ns() + for_cpu_ns;

	while (bench_thread_cpu_ns() < until_ns)
		;
}

/* 0.5 ms of 100, half of its baseline. */
static void be_steady(void *arg)
{
	(void)arg;
	for (;;) {
		use(MS / 2);
		bench_sleep_until(hg_clock_now_ns() + 100 * MS);
	}
}

static void be_bursty(void *arg)
{
	(void)arg;
	bench_sleep_until(hg_clock_now_ns() + getpid() % 50 * 20 * MS); /* not all at once */
	for (;;) {
		hg_ns until_ns = hg_clock_now_ns() + 400 * MS;

		while (hg_clock_now_ns() < until_ns)
			;
		bench_sleep_until(hg_clock_now_ns() + 600 * MS);
	}
}

/* ---- a run -------------------------------------------------------------------------------------- */

static bool is_bursty(unsigned i)
{
	return i >= N_STEADY && i < N_STEADY + N_BURSTY;
}

static void describe(unsigned i, bool has_credits)
{
	struct hg_cpu *cpu = &w.instances[i].cpu;

	snprintf(w.instances[i].name, sizeof(w.instances[i].name), "g%u", i);
	hg_cpu_init(cpu);
	bench_group_name(i, cpu->cgroup, sizeof(cpu->cgroup));
	cpu->vcpus = 1;
	cpu->baseline_ppm = i < N_STEADY + N_BURSTY ? 10000 : HG_CPU_BASELINE_MIN_PPM;
	cpu->credits.launch_ucredits = 0;
	if (has_credits)
		cpu->credits.launch_ucredits =
			(uint64_t)((is_bursty(i) ? BURSTY_CPU_NS : PLENTY_CPU_NS) /
				   HG_UCREDIT_CPU_NS);
}

static void begin(unsigned n, bool has_credits)
{
	const struct hg_credits_cfg cfg = {.store = w.store, .host_mcpu = 2000};

	w.n = n;
	bench_groups_make(n);
	w.tenant = (struct hg_desired_tenant){.name = "bench"};
	hg_cpu_credits_init(&w.tenant.pool);
	for (unsigned i = 0; i < n; i++)
		describe(i, has_credits);
	/* More groups than two processors can promise a thousandth each to are overbooked. */
	w.desired = (struct hg_desired){.oversubscription_ppm = 4 * HG_OVERSUBSCRIPTION_NONE_PPM,
					.tenants = &w.tenant,
					.instances = w.instances,
					.n_tenants = 1,
					.n_instances = n};
	for (unsigned i = 0; i < N_STEADY + N_BURSTY; i++)
		bench_task_start(i, i < N_STEADY ? be_steady : be_bursty, NULL);
	snprintf(w.store, sizeof(w.store), "/var/tmp/headgate-bench-%d.db", (int)getpid());
	w.credits = bench_credits(cfg, &w.desired);
}

static void end(void)
{
	char path[80];
	const char *const ends[] = {"", "-wal", "-shm", "-journal"};

	bench_tasks_end();
	hg_credits_destroy(w.credits);
	bench_groups_remove();
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", w.store, ends[i]);
		unlink(path);
	}
}

static void figure(const char *kind, const char *name, double value)
{
	char full[80];

	snprintf(full, sizeof(full), "%s%s", kind, name);
	hg_figure(full, value);
}

static void print_states(void)
{
	unsigned n_of[HG_N_CREDITS_STATES] = {0};
	struct hg_credits_row row;

	for (unsigned i = 0; i < w.n; i++) {
		if (hg_credits_row(w.credits, i, &row))
			n_of[row.state]++;
	}
	for (unsigned s = 0; s < HG_N_CREDITS_STATES; s++)
		fprintf(stderr, " %s %u", hg_credits_state_name((enum hg_credits_state)s), n_of[s]);
	fprintf(stderr, "\n");
}

static void run(const char *kind, unsigned n, hg_ns for_ns, bool has_credits)
{
	struct hg_credits_cost before, after;
	hg_ns cpu_ns, began_ns, now_ns, end_ns;
	double per_tick;

	begin(n, has_credits);
	/* The first turn opens all files, and is a start's. */
	cpu_ns = bench_thread_cpu_ns();
	(void)hg_credits_tick(w.credits, hg_clock_now_ns());
	figure(kind, "start_ms", (double)(bench_thread_cpu_ns() - cpu_ns) / 1e6);
	hg_credits_cost(w.credits, &before);
	bench_tasks_go();
	cpu_ns = bench_thread_cpu_ns();
	began_ns = now_ns = hg_clock_now_ns();
	end_ns = began_ns + for_ns;
	while (now_ns < end_ns) {
		hg_ns due_ns = hg_credits_tick(w.credits, now_ns);

		bench_sleep_until(due_ns < end_ns ? due_ns : end_ns);
		now_ns = hg_clock_now_ns();
	}
	cpu_ns = bench_thread_cpu_ns() - cpu_ns;
	hg_credits_cost(w.credits, &after);
	per_tick = (double)n * (double)(now_ns - began_ns) / (double)HG_CREDITS_INTERVAL_NS;
	fprintf(stderr, "%sstates at the end:", kind);
	print_states();
	figure(kind, "turns_per_s",
	       (double)(after.ticks - before.ticks) * 1e9 / (double)(now_ns - began_ns));
	figure(kind, "visits_per_s",
	       (double)(after.visits - before.visits) * 1e9 / (double)(now_ns - began_ns));
	/* Those of the start count, too: each group once. */
	figure(kind, "quota_writes", (double)after.limit_writes);
	figure(kind, "writes_fewer", per_tick / (double)after.limit_writes);
	figure(kind, "processor_percent", 100 * (double)cpu_ns / (double)(now_ns - began_ns));
	end();
}

int main(int argc, char **argv)
{
	hg_ns for_ns = argc > 1 ? strtol(argv[1], NULL, 10) * S : 60 * S;
	long n = argc > 2 ? strtol(argv[2], NULL, 10) : 1000;
	struct rlimit files = {65536, 65536};

	if (n < (long)(N_STEADY + N_BURSTY) || n > (long)MAX_GROUPS)
		bench_give_up("groups", "there must be 50 to 4096");
	bench_be_nice();
	(void)setrlimit(RLIMIT_NOFILE, &files);
	run("recovering_", (unsigned)n, for_ns, /* has_credits= */ false);
	run("", (unsigned)n, for_ns, /* has_credits= */ true);
	return 0;
}
