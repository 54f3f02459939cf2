/* A real group of version 2, where the processor controller is on it: tests/smoke/cgroup2_test.py starts this in a
 * guest. Elsewhere everything is skipped. */
#include "host/cgroup.h"
#include "host/clock.h"

#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS HG_NS_PER_MS
#define ROOT "/sys/fs/cgroup"
#define NAME "headgate-test"
/* Of a processor: what the group may have where it is limited. */
#define SHARE 5
/* For how long something is looked for, in looks: time in which nobody here runs is no look. */
#define LOOK_US 1000
#define LOOKS_MAX 50000u

static struct {
	struct hg_cgroups *groups;
	struct hg_cgroup *group;
	pid_t child;
} w;

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		HG_TEST_FAIL("%s: %s", path, strerror(errno));
	close(fd);
}

static const char *first_line(const char *path)
{
	static char line[128];
	FILE *file = fopen(path, "r");

	HG_CHECK(file != NULL);
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static struct hg_cgroup *group_of(const char *name)
{
	struct hg_cgroup *group;
	struct hg_error err = {0};

	if (hg_cgroup_open(w.groups, name, &group, &err) < 0)
		HG_TEST_FAIL("%s", err.text);
	return group;
}

static void begin(void)
{
	memset(&w, 0, sizeof(w));
	if (hg_cgroups_open("", &w.groups, NULL) < 0 || hg_cgroups_version(w.groups) != 2)
		HG_SKIP("the processor controller is not on version 2 here");
	write_text(ROOT "/cgroup.subtree_control", "+cpu");
	HG_CHECK(mkdir(ROOT "/" NAME, 0755) == 0 || errno == EEXIST);
	w.group = group_of(NAME);
}

static void end(void)
{
	if (w.child > 0) {
		kill(w.child, SIGKILL);
		waitpid(w.child, NULL, 0);
	}
	hg_cgroup_close(w.group);
	hg_cgroups_close(w.groups);
	/* A task that is dead leaves its group a moment later. */
	for (unsigned i = 0; i < LOOKS_MAX && rmdir(ROOT "/" NAME) < 0 && errno == EBUSY; i++)
		usleep(LOOK_US);
}

/* A child in the group that does nothing but use its processor. */
static void burn(void)
{
	char pid[16];

	w.child = fork();
	if (w.child == 0) {
		for (;;)
			;
	}
	snprintf(pid, sizeof(pid), "%d", (int)w.child);
	write_text(ROOT "/" NAME "/cgroup.procs", pid);
}

static int64_t used_cpu_ns(void)
{
	int64_t used;

	HG_CHECK_EQ(hg_cgroup_used(w.group, &used, NULL), 0);
	return used;
}

/* Until the group has used that much more. */
static void wait_for_use(int64_t more_cpu_ns)
{
	int64_t first = used_cpu_ns();

	for (unsigned i = 0; i < LOOKS_MAX && used_cpu_ns() - first < more_cpu_ns; i++)
		usleep(LOOK_US);
	HG_CHECK(used_cpu_ns() - first >= more_cpu_ns);
}

/* Until it was held so many times more; then until it runs again, so that it has paid for all that it used before: a
 * processor that its host took away meanwhile is used as far as a group can tell, and may be owed for many periods.
 * Returns what it had used before it ran again. */
static int64_t wait_for_holds(uint64_t n_more)
{
	struct hg_cgroup_sample sample;
	uint64_t first;
	int64_t paid;

	HG_CHECK_EQ(hg_cgroup_sample(w.group, &sample, NULL), 0);
	first = sample.throttled;
	for (unsigned i = 0; i < LOOKS_MAX && sample.throttled - first < n_more; i++) {
		usleep(LOOK_US);
		HG_CHECK_EQ(hg_cgroup_sample(w.group, &sample, NULL), 0);
	}
	HG_CHECK(sample.throttled - first >= n_more);
	paid = sample.used_cpu_ns;
	wait_for_use(1);
	return paid;
}

static void s6_5_version_2_the_kernel_obeys(void)
{
	struct hg_cgroup_sample sample;
	hg_ns began_ns, took_ns;
	int64_t paid;

	begin();
	HG_CHECK_EQ(used_cpu_ns(), 0);
	HG_CHECK_EQ(hg_cgroup_set_limit(w.group, 1000 / SHARE, NULL), 0);
	HG_CHECK_STR(first_line(ROOT "/" NAME "/cpu.max"), "2000 10000");
	HG_CHECK_EQ(hg_cgroup_set_weight(w.group, 20, NULL), 0);
	HG_CHECK_STR(first_line(ROOT "/" NAME "/cpu.weight"), "20");
	began_ns = hg_clock_now_ns();
	burn();
	wait_for_use(100 * MS);
	paid = wait_for_holds(5);
	took_ns = hg_clock_now_ns() - began_ns;
	/* Time enough for what was used, less what a full quota lets pass at once; more time may be the host's doing. */
	HG_CHECK(took_ns > SHARE * (paid - 10 * MS));
	HG_CHECK_EQ(hg_cgroup_sample(w.group, &sample, NULL), 0);
	HG_CHECK(sample.throttled >= 5);
	HG_CHECK(sample.throttled_ns > 0 && sample.throttled_ns < took_ns);
	end();
}

static void s6_5_version_2_open_is_not_held(void)
{
	struct hg_cgroup_sample before, after;

	begin();
	HG_CHECK_EQ(hg_cgroup_set_limit(w.group, 200, NULL), 0);
	burn();
	wait_for_use(100 * MS);
	HG_CHECK_EQ(hg_cgroup_set_limit(w.group, HG_CGROUP_OPEN, NULL), 0);
	HG_CHECK_STR(first_line(ROOT "/" NAME "/cpu.max"), "max 10000");
	wait_for_use(50 * MS); /* what was being held is let go */
	HG_CHECK_EQ(hg_cgroup_sample(w.group, &before, NULL), 0);
	wait_for_use(300 * MS);
	HG_CHECK_EQ(hg_cgroup_sample(w.group, &after, NULL), 0);
	HG_CHECK(after.used_cpu_ns - before.used_cpu_ns >= 300 * MS);
	HG_CHECK_EQ(after.throttled, before.throttled);
	HG_CHECK_EQ(hg_cgroup_restore(w.group, NULL), 0);
	HG_CHECK_STR(first_line(ROOT "/" NAME "/cpu.max"), "max 100000");
	end();
}

static void s6_5_version_2_group_made_again_is_another(void)
{
	struct hg_error err = {0};
	uint64_t identity;
	int64_t used;

	begin();
	identity = hg_cgroup_identity(w.group);
	HG_CHECK_EQ(rmdir(ROOT "/" NAME), 0);
	HG_CHECK_EQ(mkdir(ROOT "/" NAME, 0755), 0);
	HG_CHECK_EQ(hg_cgroup_used(w.group, &used, &err), -HG_ENOENT);
	HG_CHECK_HAS(err.text, "is gone");
	HG_CHECK_EQ(hg_cgroup_set_limit(w.group, 300, NULL), -HG_ENOENT);
	hg_cgroup_close(w.group);
	w.group = group_of(NAME);
	HG_CHECK(hg_cgroup_identity(w.group) != identity);
	HG_CHECK_EQ(hg_cgroup_set_limit(w.group, 300, NULL), 0);
	end();
}

static void s6_5_version_2_value_that_the_kernel_refuses(void)
{
	struct hg_error err = {0};

	begin();
	HG_CHECK_EQ(hg_cgroup_set_weight(w.group, 20000, &err), -HG_EINVAL);
	HG_CHECK_HAS(err.text, "cpu.weight refuses 20000");
	/* And takes one that it allows. */
	HG_CHECK_EQ(hg_cgroup_set_weight(w.group, 10000, NULL), 0);
	end();
}

static void s6_5_version_2_group_without_the_controller_is_refused(void)
{
	struct hg_cgroup *inner;
	struct hg_error err = {0};

	begin();
	HG_CHECK_EQ(mkdir(ROOT "/" NAME "/inner", 0755), 0);
	HG_CHECK_EQ(hg_cgroup_open(w.groups, NAME "/inner", &inner, &err), -HG_ENOTSUP);
	HG_CHECK_HAS(err.text, "cgroup.subtree_control");
	HG_CHECK_EQ(rmdir(ROOT "/" NAME "/inner"), 0);
	end();
}

static const struct hg_test tests[] = {
	HG_TEST(s6_5_version_2_the_kernel_obeys),
	HG_TEST(s6_5_version_2_open_is_not_held),
	HG_TEST(s6_5_version_2_group_made_again_is_another),
	HG_TEST(s6_5_version_2_value_that_the_kernel_refuses),
	HG_TEST(s6_5_version_2_group_without_the_controller_is_refused),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
