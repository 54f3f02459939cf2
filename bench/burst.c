/* How long the requests of a bursty service wait for the processor, by what holds it, beside busy neighbours.
 *
 * A real task in a real control group, on real time: requests come by a schedule made beforehand, each takes a
 * millisecond of processor time, and what it waited counts from when it was to come, not from when the service got
 * round to it. The average is half of the service's baseline; bursts reach from 20 requests to 1,500. The neighbours
 * would use whole processors, have no credits, and are held at their baselines by headgate in every row: only what
 * holds the service differs. */
#include "core/share.h"

#include "bench/figures.h"
#include "bench/groups.h"
#include "bench/loop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define S HG_NS_PER_S
#define MS HG_NS_PER_MS
#define US HG_NS_PER_US
#define MAX_REQUESTS 65536u
#define MAX_POOLED (16u * MAX_REQUESTS)
#define MAX_SLICES 1024u
#define N_NEIGHBOURS 4u
#define SERVICE N_NEIGHBOURS /* its group's number */
#define BASELINE_MCPU 300u
/* Beside a burst at full speed all of them find room on two processors: what does not is S6.6, and the same for all. */
#define NEIGHBOUR_MCPU 200u
#define HOST_MCPU 2000u
#define WORK_CPU_NS MS
#define MEAN_MCPU (BASELINE_MCPU / 2)
#define BURST_MIN 20.0
#define BURST_MAX 1500.0
#define BURST_ALPHA 1.2
/* What a quiet minute earned: the service was below its baseline before, too. */
#define SAVED_CPU_NS ((int64_t)60 * BASELINE_MCPU * MS)
#define SETTLE_NS (2 * S)
#define SLICE_NS S
/* Of all processors together, in a slice; above it says more about the machine. */
#define STOLEN_MAX_NS (20 * MS)
/* After the last request was to come: who has not answered by then never will. */
#define PATIENCE_NS (30 * S)

enum row { UNLIMITED, HEADGATE, QUOTA, QUOTA_BURST, QUOTA_BURST_1S, N_ROWS };
static const char *const row_names[N_ROWS] = {"unlimited", "headgate", "quota", "quota_burst",
					      "quota_burst_1s"};

/* Of a run; the service writes done_ns and n_done. */
struct shared {
	unsigned n;
	hg_ns begins_ns; /* on the monotonic clock */
	volatile unsigned n_done;
	hg_ns due_ns[MAX_REQUESTS]; /* since the beginning */
	hg_ns done_ns[MAX_REQUESTS];
};

static struct {
	struct shared *shared;
	struct hg_desired desired;
	struct hg_desired_tenant tenant;
	struct hg_desired_instance instances[N_NEIGHBOURS + 1u];
	struct hg_credits *credits;
	hg_ns stolen_ns[MAX_SLICES + 1u]; /* up to the beginning of each slice */
	unsigned n_slices;
	/* Of a round: what each request took in each row, and which are thrown away in all of them. */
	hg_ns latencies_ns[N_ROWS][MAX_REQUESTS];
	bool is_thrown[MAX_REQUESTS];
	/* Of all rounds. */
	hg_ns pooled_ns[N_ROWS][MAX_POOLED];
	unsigned n_pooled, n_thrown;
	hg_ns sorted_ns[MAX_POOLED];
} w;

/* ---- requests ----------------------------------------------------------------------------------- */

static double random_unit(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(*seed >> 11) / 9007199254740992.0;
}

/* Bounded Pareto. */
static unsigned burst_size(uint64_t *seed)
{
	double least = pow(BURST_MIN, -BURST_ALPHA), most = pow(BURST_MAX, -BURST_ALPHA);

	return (unsigned)pow(least - random_unit(seed) * (least - most), -1 / BURST_ALPHA);
}

/* Bursts so far apart that on average MEAN_MCPU are used; alike for each row of a round. */
static void make_schedule(struct shared *s, hg_ns for_ns, uint64_t seed)
{
	hg_ns at_ns = 0;

	s->n = s->n_done = 0;
	for (;;) {
		unsigned n = burst_size(&seed);
		hg_ns gap_ns = (hg_ns)n * WORK_CPU_NS * 1000 / MEAN_MCPU;

		/* The longer the larger it is, or a few large ones would be all of the average. */
		at_ns += (hg_ns)(-log(1 - random_unit(&seed)) * (double)gap_ns);
		if (at_ns >= for_ns || s->n + n > MAX_REQUESTS)
			return;
		for (unsigned i = 0; i < n; i++)
			s->due_ns[s->n++] = at_ns;
	}
}

/* One after another, in the order of their coming. */
static void serve(void *arg)
{
	struct shared *s = arg;

	for (unsigned i = 0; i < s->n; i++) {
		hg_ns due_ns = s->begins_ns + s->due_ns[i], until_cpu_ns;

		if (hg_clock_now_ns() < due_ns)
			bench_sleep_until(due_ns);
		until_cpu_ns = bench_thread_cpu_ns() + WORK_CPU_NS;
		while (bench_thread_cpu_ns() < until_cpu_ns)
			;
		s->done_ns[i] = hg_clock_now_ns() - s->begins_ns;
		s->n_done = i + 1;
	}
	for (;;)
		bench_sleep_until(HG_NEVER / 2);
}

/* ---- rows --------------------------------------------------------------------------------------- */

static void say(void *user, enum hg_log_level level, const char *sentence)
{
	(void)user;
	if (level <= HG_LOG_WARNING)
		fprintf(stderr, "%s\n", sentence);
}

static void describe(unsigned i, uint64_t baseline_mcpu, int64_t launch_cpu_ns)
{
	struct hg_cpu *cpu = &w.instances[i].cpu;

	memset(&w.instances[i], 0, sizeof(w.instances[i]));
	snprintf(w.instances[i].name, sizeof(w.instances[i].name), "g%u", i);
	hg_cpu_init(cpu);
	bench_group_name(i, cpu->cgroup, sizeof(cpu->cgroup));
	cpu->vcpus = 1;
	cpu->baseline_ppm = baseline_mcpu * 1000u;
	cpu->credits.launch_ucredits = (uint64_t)(launch_cpu_ns / HG_UCREDIT_CPU_NS);
}

/* The loop governs the neighbours; the service only in its own row. */
static void govern(enum row row)
{
	const struct hg_credits_cfg cfg = {.host_mcpu = HOST_MCPU, .log = say};

	w.tenant = (struct hg_desired_tenant){.name = "bench"};
	hg_cpu_credits_init(&w.tenant.pool);
	for (unsigned i = 0; i < N_NEIGHBOURS; i++)
		describe(i, NEIGHBOUR_MCPU, 0);
	describe(SERVICE, BASELINE_MCPU, SAVED_CPU_NS);
	w.desired = (struct hg_desired){.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM,
					.tenants = &w.tenant,
					.instances = w.instances,
					.n_tenants = 1,
					.n_instances = N_NEIGHBOURS + (row == HEADGATE)};
	w.credits = bench_credits(cfg, &w.desired);
}

static void set_quota(long period_us, bool has_burst)
{
	long quota_us = period_us * (long)BASELINE_MCPU / 1000;

	bench_group_write(SERVICE, "cpu.cfs_period_us", period_us);
	bench_group_write(SERVICE, "cpu.cfs_quota_us", quota_us);
	if (has_burst) /* as much as the kernel takes */
		bench_group_write(SERVICE, "cpu.cfs_burst_us", quota_us);
}

static void hold(enum row row)
{
	/* As headgate would say it: the weight is the same in each row. */
	bench_group_write(SERVICE, "cpu.shares", (long)hg_share_scheduler_shares(BASELINE_MCPU));
	if (row == QUOTA || row == QUOTA_BURST)
		set_quota(100000, row == QUOTA_BURST);
	else if (row == QUOTA_BURST_1S)
		set_quota(1000000, true);
}

/* ---- a run -------------------------------------------------------------------------------------- */

/* The loop, until everything is answered; notes what is stolen at the beginning of each slice. */
static void run_loop(hg_ns for_ns)
{
	struct shared *s = w.shared;
	hg_ns now_ns = hg_clock_now_ns(), end_ns = s->begins_ns + for_ns + PATIENCE_NS;

	w.n_slices = 0;
	while ((s->n_done < s->n || now_ns < s->begins_ns + for_ns) && now_ns < end_ns) {
		hg_ns due_ns = hg_credits_tick(w.credits, now_ns);
		hg_ns slice_ns = s->begins_ns + (hg_ns)w.n_slices * SLICE_NS;

		if (now_ns >= slice_ns && w.n_slices < MAX_SLICES) {
			w.stolen_ns[w.n_slices++] = bench_stolen_ns();
			slice_ns += SLICE_NS;
		}
		bench_sleep_until(due_ns < slice_ns ? due_ns : slice_ns);
		now_ns = hg_clock_now_ns();
	}
	w.stolen_ns[w.n_slices] = bench_stolen_ns();
}

static int by_size(const void *a, const void *b)
{
	hg_ns x = *(const hg_ns *)a, y = *(const hg_ns *)b;

	return (x > y) - (x < y);
}

static bool is_stolen(hg_ns from_ns, hg_ns until_ns)
{
	for (hg_ns k = from_ns / SLICE_NS; k <= until_ns / SLICE_NS && k < w.n_slices; k++) {
		if (w.stolen_ns[k + 1] - w.stolen_ns[k] > STOLEN_MAX_NS)
			return true;
	}
	return false;
}

/* What each request took; those that lived in a slice with stolen time are thrown away in every row, so that all
 * rows have the same ones. */
static void collect(enum row row)
{
	const struct shared *s = w.shared;

	for (unsigned i = 0; i < s->n; i++) {
		/* Unanswered: at least as bad as it was at the end. */
		hg_ns done_ns = i < s->n_done ? s->done_ns[i] : s->due_ns[s->n - 1] + PATIENCE_NS;

		w.latencies_ns[row][i] = done_ns - s->due_ns[i];
		w.is_thrown[i] = w.is_thrown[i] || is_stolen(s->due_ns[i], done_ns);
	}
}

static double at_us(const hg_ns *latencies_ns, unsigned n, double part)
{
	memcpy(w.sorted_ns, latencies_ns, n * sizeof(*latencies_ns));
	qsort(w.sorted_ns, n, sizeof(*latencies_ns), by_size);
	return (double)w.sorted_ns[(unsigned)((n - 1) * part)] / 1e3;
}

/* round < 0: of all. */
static void tell(enum row row, int round, const hg_ns *latencies_ns, unsigned n)
{
	static const struct {
		const char *name;
		double part;
	} parts[] = {{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}};
	char name[64], number[16] = "";

	if (n == 0)
		return;
	if (round >= 0)
		snprintf(number, sizeof(number), "%d_", round);
	fprintf(stderr, "%-9s %-14s:", round < 0 ? "all" : number, row_names[row]);
	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		double us = at_us(latencies_ns, n, parts[i].part);

		fprintf(stderr, " %s %9.0f us", parts[i].name, us);
		snprintf(name, sizeof(name), "%s_%s%s_us", row_names[row], number, parts[i].name);
		hg_figure(name, us);
	}
	fprintf(stderr, "\n");
}

static void end_round(unsigned round)
{
	unsigned n = w.shared->n, n_kept = 0, first = w.n_pooled;

	for (unsigned i = 0; i < n; i++) {
		if (w.is_thrown[i]) {
			w.n_thrown++;
			continue;
		}
		n_kept++;
		if (w.n_pooled == MAX_POOLED)
			bench_give_up("requests", "too many");
		for (unsigned row = 0; row < N_ROWS; row++)
			w.pooled_ns[row][w.n_pooled] = w.latencies_ns[row][i];
		w.n_pooled++;
	}
	fprintf(stderr, "round %u: %u requests, %u thrown away\n", round, n_kept, n - n_kept);
	for (unsigned row = 0; row < N_ROWS; row++)
		tell((enum row)row, (int)round, w.pooled_ns[row] + first, n_kept);
	memset(w.is_thrown, 0, sizeof(w.is_thrown));
}

static void run(enum row row, unsigned round, hg_ns for_ns)
{
	make_schedule(w.shared, for_ns, round + 1u);
	bench_groups_make(N_NEIGHBOURS + 1u);
	for (unsigned i = 0; i < N_NEIGHBOURS; i++)
		bench_task_start(i, bench_burn, NULL);
	bench_task_start(SERVICE, serve, w.shared);
	govern(row);
	(void)hg_credits_tick(w.credits, hg_clock_now_ns());
	hold(row);
	w.shared->begins_ns = hg_clock_now_ns() + SETTLE_NS;
	bench_tasks_go();
	run_loop(for_ns);
	collect(row);
	fprintf(stderr, "round %u, %-14s: used %.1f %% of its baseline\n", round, row_names[row],
		100.0 * (double)bench_group_used_cpu_ns(SERVICE) / (double)(for_ns / 1000) /
			BASELINE_MCPU);
	hg_credits_destroy(w.credits);
	bench_groups_remove();
}

int main(int argc, char **argv)
{
	hg_ns for_ns = (argc > 1 ? strtol(argv[1], NULL, 10) : 30) * S;
	unsigned n_rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5;

	bench_be_nice();
	w.shared = mmap(NULL, sizeof(*w.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (w.shared == MAP_FAILED)
		bench_give_up("requests", "no memory");
	for (unsigned round = 0; round < n_rounds; round++) {
		for (unsigned k = 0; k < N_ROWS; k++)
			run((enum row)((k + round) % N_ROWS), round, for_ns);
		end_round(round);
	}
	for (unsigned row = 0; row < N_ROWS; row++)
		tell((enum row)row, -1, w.pooled_ns[row], w.n_pooled);
	hg_figure("requests", w.n_pooled);
	hg_figure("thrown_requests", w.n_thrown);
	return 0;
}
