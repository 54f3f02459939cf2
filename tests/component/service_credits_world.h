/* service_credits_world: the interface over a real loop of processor credits, on control groups made of files.
 *
 * Why        The tests of credits ask through the interface, on virtual time.
 * Memory     One world, of the program that includes this. Threads: one. Errors: the test fails.
 */
#ifndef HG_TESTS_COMPONENT_SERVICE_CREDITS_WORLD_H
#define HG_TESTS_COMPONENT_SERVICE_CREDITS_WORLD_H

#include "control/credits.h"
#include "tests/component/files.h"
#include "tests/component/service_world.h"

#include <unistd.h>

#define CREDIT HG_CREDIT_CPU_NS

static const char governed[] =
	"uplinks: [{name: up0, device: 'tap:up0', capacity: 1Gbit}]\n"
	"tenants:\n"
	"  - name: acme\n"
	"    instances:\n"
	"      - {name: web1, cpu: {cgroup: g0, vcpus: 1, baseline: 20%, max: 288, max_age: 24h}}\n"
	"      - {name: web2, cpu: {cgroup: g1, vcpus: 2, baseline: 10%, mode: unlimited}}\n"
	"      - {name: free}\n"
	"  - name: shop\n"
	"    pool: {launch: 7}\n"
	"    instances: [{name: till, cpu: {cgroup: g2, baseline: 10%, pool: yes}}]\n";

static struct {
	char root[64], store[128];
	struct hg_credits *credits;
	int64_t used_cpu_ns[3];
} host;

static inline void clocks(void *user, struct hg_clocks *ret)
{
	(void)user;
	*ret = (struct hg_clocks){.monotonic_ns = w.now_ns,
				  .boot_ns = w.now_ns,
				  .wall_ns = 1000000 * S + w.now_ns,
				  .boot_id = "boot-1"};
}

static inline void put_use(unsigned i)
{
	char folder[32], text[96];

	snprintf(folder, sizeof(folder), "/cg/g%u", i);
	snprintf(text, sizeof(text), "usage_usec %lld\nnr_throttled 4\nthrottled_usec 2500000\n",
		 (long long)(host.used_cpu_ns[i] / 1000));
	files_put(host.root, folder, "cpu.stat", text);
}

static inline void make_group(unsigned i)
{
	char folder[32];

	snprintf(folder, sizeof(folder), "/cg/g%u", i);
	put_use(i);
	files_put(host.root, folder, "cpu.max", "max 100000\n");
	files_put(host.root, folder, "cpu.weight", "100\n");
}

static inline void begin_on(const char *store_text)
{
	struct hg_credits_cfg cfg = {.root = host.root,
				     .store = host.store,
				     .interval_ns = HG_CREDITS_INTERVAL_NS,
				     .keep_removed_ns = HG_CREDITS_KEEP_REMOVED_NS,
				     .host_mcpu = 4000,
				     .clocks = clocks};

	setenv("TZ", "UTC", 1);
	memset(&host, 0, sizeof(host));
	memset(&w, 0, sizeof(w));
	snprintf(host.root, sizeof(host.root), "/tmp/headgate-credits-XXXXXX");
	HG_CHECK(mkdtemp(host.root) != NULL);
	snprintf(host.store, sizeof(host.store), "%s/credits.db", host.root);
	files_put(host.root, "/proc/self", "mountinfo",
		  "41 31 0:38 / /cg rw - cgroup2 cgroup2 rw\n");
	files_put(host.root, "/cg", "cgroup.controllers", "cpu memory\n");
	if (store_text != NULL)
		files_put(host.root, "", "credits.db", store_text);
	for (unsigned i = 0; i < 3; i++)
		make_group(i);
	HG_CHECK_EQ(hg_credits_create(&cfg, &host.credits, NULL), 0);
	set_up_with(host.credits, governed);
}

static inline void begin(void)
{
	begin_on(NULL);
}

static inline void end(void)
{
	tear_down();
	hg_credits_destroy(host.credits);
	files_drop(host.root);
}

/* The group uses so much for a while, whatever it may. */
static inline void use(unsigned i, int64_t mcpu, hg_ns for_ns)
{
	hg_ns until_ns = w.now_ns + for_ns;

	while (w.now_ns < until_ns) {
		host.used_cpu_ns[i] += mcpu * (100 * HG_NS_PER_MS / 1000);
		put_use(i);
		pass(100 * HG_NS_PER_MS);
	}
}

#endif
