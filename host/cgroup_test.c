/* The files of control groups, on folders that look like them; and a real group of version 1, where this host
 * has them and the test may make one. */
#include "host/cgroup.h"

#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char root[64];

/* ---- a host made of files ----------------------------------------------------------------------- */

static void make_folders(const char *path)
{
	char part[512];

	for (size_t n = 1; n <= strlen(path); n++) {
		if (path[n] != '/' && path[n] != '\0')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)n, path);
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			HG_TEST_FAIL("%s: %s", part, strerror(errno));
	}
}

static void put(const char *folder, const char *file, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", root, folder);
	make_folders(path);
	snprintf(path, sizeof(path), "%s%s/%s", root, folder, file);
	f = fopen(path, "w");
	HG_CHECK(f != NULL);
	fputs(text, f);
	fclose(f);
}

/* The first line of a file: a real one is written as a whole, one of the test's may keep an old end. */
static const char *get(const char *folder, const char *file)
{
	static char line[128];
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s%s/%s", root, folder, file);
	f = fopen(path, "r");
	HG_CHECK(f != NULL);
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void begin(const char *mountinfo)
{
	snprintf(root, sizeof(root), "/tmp/headgate-cgroup-XXXXXX");
	HG_CHECK(mkdtemp(root) != NULL);
	put("/proc/self", "mountinfo", mountinfo);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void end(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char version_1[] =
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
	"32 31 0:29 / /cpu rw,relatime shared:9 - cgroup cgroup rw,cpu\n"
	"33 31 0:30 / /acct rw,relatime - cgroup cgroup rw,cpuacct\n"
	"34 31 0:31 / /cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
	"41 31 0:38 / /unified rw,relatime - cgroup2 cgroup2 rw\n";
static const char version_2[] = "41 31 0:38 / /unified rw,relatime - cgroup2 cgroup2 rw\n";

static void group_1(const char *below)
{
	char folder[256];

	snprintf(folder, sizeof(folder), "/acct/%s", below);
	put(folder, "cpuacct.usage", "123456789\n");
	snprintf(folder, sizeof(folder), "/cpu/%s", below);
	put(folder, "cpu.stat", "nr_periods 9\nnr_throttled 4\nthrottled_time 5000\n");
	put(folder, "cpu.cfs_quota_us", "-1\n");
	put(folder, "cpu.cfs_period_us", "100000\n");
	put(folder, "cpu.shares", "1024\n");
}

static void group_2(const char *below)
{
	char folder[256];

	put("/unified", "cgroup.controllers", "cpuset cpu io memory\n");
	snprintf(folder, sizeof(folder), "/unified/%s", below);
	put(folder, "cpu.stat",
	    "usage_usec 1500\nuser_usec 1\nnr_periods 9\nnr_throttled 4\nthrottled_usec 5\n");
	put(folder, "cpu.max", "max 100000\n");
	put(folder, "cpu.weight", "100\n");
}

static struct hg_cgroups *groups_of(unsigned version)
{
	struct hg_cgroups *groups;
	struct hg_error err = {0};

	if (hg_cgroups_open(root, &groups, &err) < 0)
		HG_TEST_FAIL("%s", err.text);
	HG_CHECK_EQ(hg_cgroups_version(groups), version);
	return groups;
}

static struct hg_cgroup *group_of(struct hg_cgroups *groups, const char *name)
{
	struct hg_cgroup *group;
	struct hg_error err = {0};

	if (hg_cgroup_open(groups, name, &group, &err) < 0)
		HG_TEST_FAIL("%s", err.text);
	return group;
}

static void is_refused(struct hg_cgroups *groups, const char *name, int code, const char *text)
{
	struct hg_cgroup *group;
	struct hg_error err = {0};

	HG_CHECK_EQ(hg_cgroup_open(groups, name, &group, &err), code);
	HG_CHECK_HAS(err.text, text);
}

/* ---- both versions ------------------------------------------------------------------------------ */

static void s6_5_version_1_by_its_files(void)
{
	struct hg_cgroup_sample sample;
	struct hg_cgroups *groups;
	struct hg_cgroup *g;

	begin(version_1);
	group_1("machine/web1");
	groups = groups_of(1);
	g = group_of(groups, "machine/web1");
	HG_CHECK_EQ(hg_cgroup_sample(g, &sample, NULL), 0);
	HG_CHECK_EQ(sample.used_cpu_ns, 123456789);
	HG_CHECK_EQ(sample.throttled, 4);
	HG_CHECK_EQ(sample.throttled_ns, 5000);
	HG_CHECK_EQ(hg_cgroup_set_limit(g, 200, NULL), 0);
	HG_CHECK_STR(get("/cpu/machine/web1", "cpu.cfs_quota_us"), "2000");
	HG_CHECK_STR(get("/cpu/machine/web1", "cpu.cfs_period_us"), "10000");
	HG_CHECK_EQ(hg_cgroup_set_weight(g, 205, NULL), 0);
	HG_CHECK_STR(get("/cpu/machine/web1", "cpu.shares"), "205");
	HG_CHECK_EQ(hg_cgroup_restore(g, NULL), 0);
	HG_CHECK_STR(get("/cpu/machine/web1", "cpu.cfs_quota_us"), "-1");
	HG_CHECK_STR(get("/cpu/machine/web1", "cpu.cfs_period_us"), "100000");
	HG_CHECK_STR(get("/cpu/machine/web1", "cpu.shares"), "1024");
	hg_cgroup_close(g);
	hg_cgroups_close(groups);
	end();
}

static void s6_5_version_2_by_its_files(void)
{
	struct hg_cgroup_sample sample;
	struct hg_cgroups *groups;
	struct hg_cgroup *g;

	begin(version_2);
	group_2("machine.slice/web1.scope");
	groups = groups_of(2);
	g = group_of(groups, "machine.slice/web1.scope");
	HG_CHECK_EQ(hg_cgroup_sample(g, &sample, NULL), 0);
	HG_CHECK_EQ(sample.used_cpu_ns, 1500000);
	HG_CHECK_EQ(sample.throttled_ns, 5000);
	HG_CHECK_EQ(hg_cgroup_set_limit(g, 1500, NULL), 0);
	HG_CHECK_STR(get("/unified/machine.slice/web1.scope", "cpu.max"), "15000 10000");
	HG_CHECK_EQ(hg_cgroup_set_weight(g, 20, NULL), 0);
	HG_CHECK_STR(get("/unified/machine.slice/web1.scope", "cpu.weight"), "20");
	HG_CHECK_EQ(hg_cgroup_restore(g, NULL), 0);
	HG_CHECK_STR(get("/unified/machine.slice/web1.scope", "cpu.max"), "max 100000");
	hg_cgroup_close(g);
	hg_cgroups_close(groups);
	end();
}

static void s6_5_written_only_when_it_changes(void)
{
	struct hg_cgroup_sample sample;
	struct hg_cgroups *groups;
	struct hg_cgroup *g;

	begin(version_2);
	group_2("a");
	groups = groups_of(2);
	g = group_of(groups, "a");
	for (unsigned i = 0; i < 100; i++) {
		HG_CHECK_EQ(hg_cgroup_set_limit(g, 300 + i / 50, NULL), 0);
		HG_CHECK_EQ(hg_cgroup_set_weight(g, 30, NULL), 0);
	}
	HG_CHECK_EQ(hg_cgroup_sample(g, &sample, NULL), 0);
	HG_CHECK_EQ(sample.writes, 3);
	hg_cgroup_close(g);
	hg_cgroups_close(groups);
	end();
}

static void s6_5_small_limits_take_a_longer_period(void)
{
	struct hg_cgroups *groups;
	struct hg_cgroup *g;

	begin(version_2);
	group_2("a");
	groups = groups_of(2);
	g = group_of(groups, "a");
	HG_CHECK_EQ(hg_cgroup_set_limit(g, 50, NULL), 0);
	HG_CHECK_STR(get("/unified/a", "cpu.max"), "1000 20000");
	/* A write hands out that quota, and a part of a tick of at most 10 ms. */
	HG_CHECK_BETWEEN(hg_cgroups_handed_cpu_ns(groups, 50), HG_NS_PER_MS, HG_NS_PER_MS * 7 / 2);
	HG_CHECK_EQ(hg_cgroup_set_limit(g, 1, NULL), 0);
	HG_CHECK_STR(get("/unified/a", "cpu.max"), "1000 1000000");
	HG_CHECK_EQ(hg_cgroup_set_limit(g, HG_CGROUP_OPEN, NULL), 0);
	HG_CHECK_STR(get("/unified/a", "cpu.max"), "max");
	hg_cgroup_close(g);
	hg_cgroups_close(groups);
	end();
}

/* ---- names -------------------------------------------------------------------------------------- */

#define ID "4f9b1c77aa02d3e8815f0f9b1c77aa02d3e8815f0f9b1c77aa02d3e8815f0f11"

static void s6_5_found_by_what_made_it(void)
{
	static const struct {
		const char *name, *path;
	} rows[] = {
		{"/machine/web1/", "machine/web1/"},
		{"unit:db", "system.slice/db.service"},
		{"unit:tenants.slice", "tenants.slice"},
		{"libvirt:web-1", "machine.slice/machine-qemu\\x2d12\\x2dweb\\x2d1.scope"},
		{"libvirt:old", "machine/qemu-3-old.libvirt-qemu"},
		{"container:4f9b1c77aa02", "system.slice/docker-" ID ".scope"},
	};
	struct hg_cgroups *groups;
	char path[256];

	begin(version_2);
	group_2("machine/web1");
	group_2("system.slice/db.service");
	group_2("tenants.slice");
	group_2("machine.slice/machine-qemu\\x2d12\\x2dweb\\x2d1.scope");
	group_2("machine.slice/machine-qemu\\x2d13\\x2dweb.scope/libvirt");
	group_2("machine/qemu-3-old.libvirt-qemu");
	group_2("system.slice/docker-" ID ".scope");
	groups = groups_of(2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hg_cgroup *g = group_of(groups, rows[i].name);

		snprintf(path, sizeof(path), "%s/unified/%s", root, rows[i].path);
		HG_CHECK_STR(hg_cgroup_path(g), path);
		hg_cgroup_close(g);
	}
	is_refused(groups, "libvirt:we", -HG_ENOENT, "is it running?");
	is_refused(groups, "machine/web2", -HG_ENOENT, "what is there of it: machine");
	is_refused(groups, "container:4f9b", -HG_EINVAL, "12 letters");
	is_refused(groups, "unit:", -HG_EINVAL, "names nothing");
	is_refused(groups, "/", -HG_EINVAL, "no control group that may be governed");
	is_refused(groups, "../etc", -HG_EINVAL, "no control group that may be governed");
	group_2("machine.slice/machine-qemu\\x2d99\\x2dweb\\x2d1.scope");
	is_refused(groups, "libvirt:web-1", -HG_EEXIST, "more than one");
	hg_cgroups_close(groups);
	end();
}

static void s6_5_host_without_the_controller_is_refused(void)
{
	struct hg_cgroups *groups;
	struct hg_error err = {0};

	begin("23 1 0:21 / /proc rw - proc proc rw\n");
	HG_CHECK_EQ(hg_cgroups_open(root, &groups, &err), -HG_ENOTSUP);
	HG_CHECK_HAS(err.text, "neither version 1 nor 2");
	end();
	begin(version_2);
	put("/unified/a", "cpu.stat", "usage_usec 1\n");
	put("/unified", "cgroup.controllers", "memory cpu\n");
	groups = groups_of(2);
	is_refused(groups, "a", -HG_ENOTSUP, "cgroup.subtree_control");
	hg_cgroups_close(groups);
	end();
}

/* ---- a real group ------------------------------------------------------------------------------- */

static hg_ns now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (hg_ns)t.tv_sec * HG_NS_PER_S + t.tv_nsec;
}

struct real {
	struct hg_cgroups *groups;
	char name[64], cpu[256], acct[256];
	pid_t child;
};

static void real_make(const struct real *r)
{
	if (mkdir(r->cpu, 0755) < 0 && errno != EEXIST)
		HG_SKIP("no control groups of version 1 that may be changed");
	if (mkdir(r->acct, 0755) < 0 && errno != EEXIST)
		HG_SKIP("no control groups of version 1 that may be changed");
}

static void real_begin(struct real *r)
{
	snprintf(r->name, sizeof(r->name), "headgate-test-%d", (int)getpid());
	snprintf(r->cpu, sizeof(r->cpu), "/sys/fs/cgroup/cpu/%s", r->name);
	snprintf(r->acct, sizeof(r->acct), "/sys/fs/cgroup/cpuacct/%s", r->name);
	real_make(r); /* who has none is skipped here, with nothing open */
	HG_CHECK_EQ(hg_cgroups_open("", &r->groups, NULL), 0);
	if (hg_cgroups_version(r->groups) == 1)
		return;
	hg_cgroups_close(r->groups);
	rmdir(r->cpu);
	rmdir(r->acct);
	HG_SKIP("the groups of this host are of version 2");
}

static void enter(const char *folder)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	f = fopen(path, "w");
	if (f == NULL || fprintf(f, "0\n") < 0 || fclose(f) != 0)
		_exit(1);
}

/* A child that does nothing but use its processor. */
static void burn(struct real *r)
{
	r->child = fork();
	if (r->child != 0)
		return;
	enter(r->cpu);
	enter(r->acct);
	for (;;)
		;
}

static void real_end(struct real *r)
{
	if (r->child > 0) {
		kill(r->child, SIGKILL);
		waitpid(r->child, NULL, 0);
	}
	rmdir(r->cpu);
	rmdir(r->acct);
	hg_cgroups_close(r->groups);
}

/* Waits until the group has used that much more, and returns how long that took. */
static hg_ns wait_for_use(struct hg_cgroup *g, int64_t more_cpu_ns)
{
	hg_ns began_ns = now_ns();
	int64_t first, used;

	HG_CHECK_EQ(hg_cgroup_used(g, &first, NULL), 0);
	do {
		usleep(1000);
		HG_CHECK_EQ(hg_cgroup_used(g, &used, NULL), 0);
	} while (used - first < more_cpu_ns && now_ns() - began_ns < 60 * HG_NS_PER_S);
	return now_ns() - began_ns;
}

static void s6_5_the_kernel_obeys(void)
{
	struct hg_cgroup_sample sample;
	struct real r = {0};
	struct hg_cgroup *g;

	real_begin(&r);
	g = group_of(r.groups, r.name);
	HG_CHECK_EQ(hg_cgroup_set_limit(g, 200, NULL), 0);
	burn(&r);
	/* 0.2 s of use at a fifth of a processor take a second; never less than the quota allows. */
	HG_CHECK(wait_for_use(g, 200 * HG_NS_PER_MS) > 900 * HG_NS_PER_MS);
	HG_CHECK_EQ(hg_cgroup_sample(g, &sample, NULL), 0);
	HG_CHECK(sample.throttled > 0);
	HG_CHECK_EQ(hg_cgroup_set_limit(g, HG_CGROUP_OPEN, NULL), 0);
	HG_CHECK(wait_for_use(g, 200 * HG_NS_PER_MS) < 60 * HG_NS_PER_S);
	hg_cgroup_close(g);
	real_end(&r);
}

static void s6_5_group_made_again_under_its_name_is_another(void)
{
	struct real r = {0};
	struct hg_error err = {0};
	struct hg_cgroup *g;
	uint64_t identity;
	int64_t used;

	real_begin(&r);
	g = group_of(r.groups, r.name);
	identity = hg_cgroup_identity(g);
	HG_CHECK_EQ(rmdir(r.cpu), 0);
	HG_CHECK_EQ(rmdir(r.acct), 0);
	real_make(&r);
	HG_CHECK_EQ(hg_cgroup_used(g, &used, &err), -HG_ENOENT);
	HG_CHECK_HAS(err.text, "is gone");
	HG_CHECK_EQ(hg_cgroup_set_limit(g, 300, NULL), -HG_ENOENT);
	hg_cgroup_close(g);
	g = group_of(r.groups, r.name);
	HG_CHECK(hg_cgroup_identity(g) != identity);
	hg_cgroup_close(g);
	real_end(&r);
}

static void s6_5_value_that_the_kernel_refuses(void)
{
	struct real r = {0}, below = {0};
	struct hg_error err = {0};
	struct hg_cgroup *g, *inner;

	real_begin(&r);
	g = group_of(r.groups, r.name);
	HG_CHECK_EQ(hg_cgroup_set_limit(g, 200, NULL), 0);
	below = r;
	snprintf(below.name, sizeof(below.name), "%.40s/inner", r.name);
	snprintf(below.cpu, sizeof(below.cpu), "%.200s/inner", r.cpu);
	snprintf(below.acct, sizeof(below.acct), "%.200s/inner", r.acct);
	real_make(&below);
	inner = group_of(r.groups, below.name);
	/* More than the group above it may have. */
	HG_CHECK_EQ(hg_cgroup_set_limit(inner, 900, &err), -HG_EINVAL);
	HG_CHECK_HAS(err.text, "cpu.cfs_quota_us refuses 9000");
	hg_cgroup_close(inner);
	rmdir(below.cpu);
	rmdir(below.acct);
	hg_cgroup_close(g);
	real_end(&r);
}

static const struct hg_test tests[] = {
	HG_TEST(s6_5_version_1_by_its_files),
	HG_TEST(s6_5_version_2_by_its_files),
	HG_TEST(s6_5_written_only_when_it_changes),
	HG_TEST(s6_5_small_limits_take_a_longer_period),
	HG_TEST(s6_5_found_by_what_made_it),
	HG_TEST(s6_5_host_without_the_controller_is_refused),
	HG_TEST(s6_5_the_kernel_obeys),
	HG_TEST(s6_5_group_made_again_under_its_name_is_another),
	HG_TEST(s6_5_value_that_the_kernel_refuses),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
