/* credits_world: the loop of processor credits on a host made of files.
 *
 * Why        Control groups of version 2 whose counters the test moves, on virtual time, with a real store. The
 *            kernel's part is played exactly: a group that is held uses its limit.
 * Memory     One world, of the program that includes this. Threads: one. Errors: the test fails.
 */
#ifndef HG_TESTS_COMPONENT_CREDITS_WORLD_H
#define HG_TESTS_COMPONENT_CREDITS_WORLD_H

#include "control/credit_store.h"
#include "control/credits.h"
#include "core/cpu.h"

#include "tests/component/files.h"
#include "tests/harness.h"

#include <stdbool.h>
#include <unistd.h>

#define S HG_NS_PER_S
#define MS HG_NS_PER_MS
#define CREDIT HG_CREDIT_CPU_NS
#define N_GROUPS 4u

static struct {
	char root[64], store[128];
	struct hg_clocks clocks;
	struct hg_credits *credits;
	struct hg_desired desired;
	struct hg_desired_tenant tenant;
	struct hg_desired_instance instances[N_GROUPS];
	/* Of the groups: what they have used, and what they want to use. */
	int64_t used_cpu_ns[N_GROUPS];
	uint64_t wants_mcpu[N_GROUPS];
	unsigned n_warnings;
	char said[8192];
} w;

/* ---- the host ----------------------------------------------------------------------------------- */

static inline void put(const char *folder, const char *file, const char *text)
{
	files_put(w.root, folder, file, text);
}

static inline void put_use(unsigned i)
{
	char folder[64], text[64];

	snprintf(folder, sizeof(folder), "/cg/g%u", i);
	snprintf(text, sizeof(text), "usage_usec %lld\nnr_throttled 0\nthrottled_usec 0\n",
		 (long long)(w.used_cpu_ns[i] / 1000));
	put(folder, "cpu.stat", text);
}

static inline void make_group(unsigned i)
{
	char folder[64];

	snprintf(folder, sizeof(folder), "/cg/g%u", i);
	put_use(i);
	put(folder, "cpu.max", "max 100000\n");
	put(folder, "cpu.weight", "100\n");
}

static inline void drop_group(unsigned i)
{
	char path[128], folder[64];

	/* What has it open finds nothing any more, as in a real group that is gone. */
	snprintf(folder, sizeof(folder), "/cg/g%u", i);
	put(folder, "cpu.stat", "");
	snprintf(path, sizeof(path), "%s%s", w.root, folder);
	files_drop(path);
}

/* What the kernel is told: mcpu, or UINT64_MAX. */
static inline uint64_t limit_of(unsigned i)
{
	char path[256], line[64] = "";
	unsigned long long quota, period;
	FILE *f;

	snprintf(path, sizeof(path), "%s/cg/g%u/cpu.max", w.root, i);
	f = fopen(path, "r");
	HG_CHECK(f != NULL);
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	if (strncmp(line, "max", 3) == 0)
		return UINT64_MAX;
	HG_CHECK(sscanf(line, "%llu %llu", &quota, &period) == 2);
	return quota * 1000u / period;
}

static inline void clocks(void *user, struct hg_clocks *ret)
{
	(void)user;
	*ret = w.clocks;
}

static inline void say(void *user, enum hg_log_level level, const char *sentence)
{
	(void)user;
	w.n_warnings += level <= HG_LOG_WARNING;
	strncat(w.said, sentence, sizeof(w.said) - strlen(w.said) - 2u);
	strcat(w.said, "\n");
}

/* ---- life --------------------------------------------------------------------------------------- */

static inline struct hg_cpu cpu_of(unsigned i)
{
	struct hg_cpu cpu;

	hg_cpu_init(&cpu);
	snprintf(cpu.cgroup, sizeof(cpu.cgroup), "g%u", i);
	cpu.vcpus = 1;
	cpu.baseline_ppm = 200000;
	cpu.credits.launch_ucredits = 0;
	return cpu;
}

static inline void start(bool want_fresh)
{
	struct hg_credits_cfg cfg = {.root = w.root,
				     .store = w.store,
				     .want_fresh_store = want_fresh,
				     .interval_ns = HG_CREDITS_INTERVAL_NS,
				     .keep_removed_ns = HG_CREDITS_KEEP_REMOVED_NS,
				     .host_mcpu = 2000,
				     .clocks = clocks,
				     .log = say};
	struct hg_error err = {0};

	if (hg_credits_create(&cfg, &w.credits, &err) < 0)
		HG_TEST_FAIL("%s", err.text);
}

static inline void apply(void)
{
	struct hg_error err = {0};

	HG_CHECK_EQ(hg_credits_check(w.credits, &w.desired, &err), 0);
	if (hg_credits_apply(w.credits, &w.desired, w.clocks.monotonic_ns, &err) < 0)
		HG_TEST_FAIL("%s", err.text);
}

static inline void begin_with(unsigned n)
{
	memset(&w, 0, sizeof(w));
	snprintf(w.root, sizeof(w.root), "/tmp/headgate-credits-XXXXXX");
	HG_CHECK(mkdtemp(w.root) != NULL);
	snprintf(w.store, sizeof(w.store), "%s/credits.db", w.root);
	put("/proc/self", "mountinfo", "41 31 0:38 / /cg rw - cgroup2 cgroup2 rw\n");
	put("/cg", "cgroup.controllers", "cpu memory\n");
	w.clocks = (struct hg_clocks){
		.monotonic_ns = 100 * S, .boot_ns = 100 * S, .wall_ns = 1000000 * S};
	strcpy(w.clocks.boot_id, "boot-1");
	w.tenant = (struct hg_desired_tenant){.name = "acme"};
	hg_cpu_credits_init(&w.tenant.pool);
	for (unsigned i = 0; i < n; i++) {
		snprintf(w.instances[i].name, sizeof(w.instances[i].name), "web%u", i);
		w.instances[i].cpu = cpu_of(i);
		make_group(i);
	}
	w.desired = (struct hg_desired){.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM,
					.tenants = &w.tenant,
					.instances = w.instances,
					.n_tenants = 1,
					.n_instances = n};
	start(false);
	apply();
}

static inline void stop(void)
{
	hg_credits_destroy(w.credits);
	w.credits = NULL;
}

static inline void end(void)
{
	stop();
	files_drop(w.root);
}

static inline void pass(hg_ns for_ns)
{
	w.clocks.monotonic_ns += for_ns;
	w.clocks.boot_ns += for_ns;
	w.clocks.wall_ns += for_ns;
}

/* The kernel's scheduler for a while: everyone uses what it wants, up to its limit; a host that is full
 * divides by baselines' weights, which are alike here. */
static inline void kernel(hg_ns for_ns)
{
	uint64_t wanted[N_GROUPS], sum = 0;

	for (unsigned i = 0; i < w.desired.n_instances; i++) {
		uint64_t limit = limit_of(i);

		wanted[i] = w.wants_mcpu[i] < limit ? w.wants_mcpu[i] : limit;
		sum += wanted[i];
	}
	for (unsigned i = 0; i < w.desired.n_instances; i++) {
		uint64_t mcpu = sum > 2000 ? wanted[i] * 2000 / sum : wanted[i];

		w.used_cpu_ns[i] += (int64_t)mcpu * (for_ns / 1000);
		put_use(i);
	}
	pass(for_ns);
}

/* Runs host and loop together, exactly from one instant of the loop to the next. */
static inline void run(hg_ns for_ns)
{
	hg_ns end_ns = w.clocks.monotonic_ns + for_ns;

	while (w.clocks.monotonic_ns < end_ns) {
		hg_ns next_ns = hg_credits_tick(w.credits, w.clocks.monotonic_ns);

		HG_CHECK(next_ns > w.clocks.monotonic_ns);
		kernel((next_ns < end_ns ? next_ns : end_ns) - w.clocks.monotonic_ns);
	}
	(void)hg_credits_tick(w.credits, end_ns);
}

static inline struct hg_credits_row row(const char *name)
{
	struct hg_credits_row r;

	if (!hg_credits_find(w.credits, name, &r))
		HG_TEST_FAIL("there is no %s", name);
	return r;
}

static inline void grant(const char *name, int64_t n_cpu_ns)
{
	struct hg_error err = {0};

	if (hg_credits_grant(w.credits, name, n_cpu_ns, &err) < 0)
		HG_TEST_FAIL("%s", err.text);
}

#endif
