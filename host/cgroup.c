#include "host/cgroup.h"

#include "host/cgroup_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Linux takes quotas from 1 ms, and periods up to 1 s. */
#define QUOTA_MIN_US 1000u
#define PERIOD_MAX_US 1000000u
#define MCPU_PER_CPU 1000u
#define NS_PER_US 1000
#define TICK_USUAL_NS 4000000

struct hg_cgroup {
	unsigned version;
	int folder_fd;
	int use_fd; /* cpuacct.usage, or cpu.stat */
	int stat_fd; /* cpu.stat */
	int limit_fd; /* cpu.cfs_quota_us, or cpu.max */
	int period_fd; /* cpu.cfs_period_us; -1 in version 2 */
	int weight_fd; /* cpu.shares, or cpu.weight */
	uint64_t identity;
	uint64_t n_writes;
	/* In force, as written. */
	uint64_t limit_mcpu;
	uint64_t period_us;
	uint32_t weight;
	bool knows_limit, knows_weight;
	/* Found at open. */
	char found_limit[HG_CGROUP_TEXT_BYTES], found_period[HG_CGROUP_TEXT_BYTES],
		found_weight[HG_CGROUP_TEXT_BYTES];
	char path[HG_CGROUP_PATH_BYTES];
};

/* ---- the hierarchy ------------------------------------------------------------------------------ */

/* Whether a list with commas has the word. */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = list; (at = strstr(at, word)) != NULL; at += n) {
		bool begins = at == list || strchr(", \n", at[-1]) != NULL;
		bool ends = at[n] == '\0' || strchr(", \n", at[n]) != NULL;

		if (begins && ends)
			return true;
	}
	return false;
}

static bool offers_cpu(const char *folder)
{
	char path[HG_CGROUP_PATH_BYTES + 32], text[512] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", folder);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	if (fgets(text, sizeof(text), file) == NULL)
		text[0] = '\0';
	fclose(file);
	return has_word(text, "cpu");
}

/* One line of proc_pid_mountinfo(5): "36 35 98:0 /root /mount options fields - type source options". */
static void take_mount(struct hg_cgroups *groups, const char *root, char *line)
{
	char *behind = strstr(line, " - "), *save = NULL, *mount = NULL;
	char type[32], source[256], options[512], full[HG_CGROUP_PATH_BYTES];

	if (behind == NULL || sscanf(behind + 3, "%31s %255s %511s", type, source, options) != 3)
		return;
	*behind = '\0';
	mount = strtok_r(line, " ", &save);
	for (unsigned i = 0; i < 4 && mount != NULL; i++)
		mount = strtok_r(NULL, " ", &save);
	if (mount == NULL || snprintf(full, sizeof(full), "%s%s", root, mount) >= (int)sizeof(full))
		return;
	if (strcmp(type, "cgroup") == 0 && has_word(options, "cpu")) {
		groups->version = 1;
		memcpy(groups->cpu_root, full, sizeof(full));
	}
	if (strcmp(type, "cgroup") == 0 && has_word(options, "cpuacct"))
		memcpy(groups->use_root, full, sizeof(full));
	if (strcmp(type, "cgroup2") == 0 && groups->version == 0 && offers_cpu(full)) {
		groups->version = 2;
		memcpy(groups->cpu_root, full, sizeof(full));
	}
}

/* The coarse clock moves once in each tick. */
static hg_ns read_tick_ns(void)
{
	struct timespec resolution = {.tv_nsec = TICK_USUAL_NS};

	(void)clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
	return resolution.tv_nsec;
}

int hg_cgroups_open(const char *root, struct hg_cgroups **ret_groups, struct hg_error *reterr)
{
	char path[HG_CGROUP_PATH_BYTES], line[2048];
	struct hg_cgroups *groups;
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", root);
	file = fopen(path, "re");
	if (file == NULL)
		return hg_error_set(reterr, errno == EACCES ? -HG_EPERM : -HG_ENOENT,
				    "cannot read ", path, ": ", strerror(errno), NULL);
	groups = calloc(1, sizeof(*groups));
	while (groups != NULL && fgets(line, sizeof(line), file) != NULL)
		take_mount(groups, root, line);
	fclose(file);
	if (groups == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for control groups", NULL);
	if (groups->version == 0 || (groups->version == 1 && groups->use_root[0] == '\0')) {
		bool has_cpu = groups->version == 1;

		free(groups);
		return hg_error_set(reterr, -HG_ENOTSUP,
				    has_cpu ? "control groups without cpuacct: use cannot be read"
					    : "no control groups with the processor controller are "
					      "mounted, neither version 1 nor 2",
				    NULL);
	}
	groups->tick_ns = read_tick_ns();
	*ret_groups = groups;
	return 0;
}

void hg_cgroups_close(struct hg_cgroups *groups)
{
	free(groups);
}

unsigned hg_cgroups_version(const struct hg_cgroups *groups)
{
	return groups->version;
}

/* ---- one group: files --------------------------------------------------------------------------- */

static int say(struct hg_error *reterr, const struct hg_cgroup *g, const char *file, int err)
{
	switch (err) {
	case ENODEV:
	case ENOENT:
		return hg_error_set(reterr, -HG_ENOENT, "the control group ", g->path, " is gone",
				    NULL);
	case EACCES:
	case EPERM:
		return hg_error_set(reterr, -HG_EPERM, g->path, "/", file, ": ", strerror(err),
				    NULL);
	default:
		return hg_error_set(reterr, -HG_EIO, g->path, "/", file, ": ", strerror(err), NULL);
	}
}

static int read_text(const struct hg_cgroup *g, int fd, const char *file, char *buf, size_t size,
		     struct hg_error *reterr)
{
	ssize_t n = pread(fd, buf, size - 1u, 0);

	if (n <= 0) /* none of these files is ever empty while its group is there */
		return say(reterr, g, file, n < 0 ? errno : ENODEV);
	buf[n] = '\0';
	return 0;
}

static int write_text(struct hg_cgroup *g, int fd, const char *file, const char *text,
		      struct hg_error *reterr)
{
	g->n_writes++;
	if (pwrite(fd, text, strlen(text), 0) >= 0)
		return 0;
	if (errno == EINVAL || errno == ERANGE)
		return hg_error_set(reterr, -HG_EINVAL, g->path, "/", file, " refuses ", text,
				    "; a group above it may be allowed less", NULL);
	return say(reterr, g, file, errno);
}

/* ---- one group: life ---------------------------------------------------------------------------- */

static int open_file(struct hg_cgroup *g, int folder_fd, const char *file, int flags, int *ret_fd,
		     struct hg_error *reterr)
{
	*ret_fd = openat(folder_fd, file, flags | O_CLOEXEC);
	if (*ret_fd >= 0)
		return 0;
	if (errno == ENOENT && g->version == 2)
		return hg_error_set(reterr, -HG_ENOTSUP, "the control group ", g->path, " has no ",
				    file,
				    ": the processor controller is not enabled for it (+cpu in "
				    "cgroup.subtree_control of the group above)",
				    NULL);
	return say(reterr, g, file, errno);
}

static int open_version_1(struct hg_cgroup *g, const struct hg_cgroups *groups, const char *below,
			  struct hg_error *reterr)
{
	char path[2 * HG_CGROUP_PATH_BYTES];
	int use_folder, rc;

	snprintf(path, sizeof(path), "%s/%s", groups->use_root, below);
	use_folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (use_folder < 0)
		return hg_error_set(reterr, -HG_ENOENT, "no control group ", path,
				    ", which its use would be read from", NULL);
	rc = open_file(g, use_folder, "cpuacct.usage", O_RDONLY, &g->use_fd, reterr);
	close(use_folder);
	if (rc < 0 ||
	    (rc = open_file(g, g->folder_fd, "cpu.stat", O_RDONLY, &g->stat_fd, reterr)) < 0 ||
	    (rc = open_file(g, g->folder_fd, "cpu.cfs_quota_us", O_RDWR, &g->limit_fd, reterr)) <
		    0 ||
	    (rc = open_file(g, g->folder_fd, "cpu.cfs_period_us", O_RDWR, &g->period_fd, reterr)) <
		    0 ||
	    (rc = open_file(g, g->folder_fd, "cpu.shares", O_RDWR, &g->weight_fd, reterr)) < 0 ||
	    (rc = read_text(g, g->period_fd, "cpu.cfs_period_us", g->found_period,
			    sizeof(g->found_period), reterr)) < 0)
		return rc;
	g->period_us = strtoull(g->found_period, NULL, 10);
	return 0;
}

static int open_version_2(struct hg_cgroup *g, struct hg_error *reterr)
{
	int rc;

	if ((rc = open_file(g, g->folder_fd, "cpu.stat", O_RDONLY, &g->stat_fd, reterr)) < 0 ||
	    (rc = open_file(g, g->folder_fd, "cpu.stat", O_RDONLY, &g->use_fd, reterr)) < 0 ||
	    (rc = open_file(g, g->folder_fd, "cpu.max", O_RDWR, &g->limit_fd, reterr)) < 0)
		return rc;
	return open_file(g, g->folder_fd, "cpu.weight", O_RDWR, &g->weight_fd, reterr);
}

/* Keeps what is in place, to put it back. */
static int remember(struct hg_cgroup *g, struct hg_error *reterr)
{
	struct stat st;
	int rc;

	if (fstat(g->folder_fd, &st) < 0)
		return say(reterr, g, "", errno);
	g->identity = (uint64_t)st.st_ino ^ (uint64_t)st.st_dev << 48;
	rc = read_text(g, g->limit_fd, "limit", g->found_limit, sizeof(g->found_limit), reterr);
	if (rc < 0)
		return rc;
	return read_text(g, g->weight_fd, "weight", g->found_weight, sizeof(g->found_weight),
			 reterr);
}

int hg_cgroup_open(struct hg_cgroups *groups, const char *name, struct hg_cgroup **ret_group,
		   struct hg_error *reterr)
{
	char below[HG_CGROUP_PATH_BYTES];
	struct hg_cgroup *g;
	int rc = hg_cgroup_find(groups, name, below, reterr);

	if (rc < 0)
		return rc;
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for a control group", NULL);
	g->version = groups->version;
	g->folder_fd = g->use_fd = g->stat_fd = g->limit_fd = g->period_fd = g->weight_fd = -1;
	if (snprintf(g->path, sizeof(g->path), "%s/%s", groups->cpu_root, below) >=
	    (int)sizeof(g->path))
		rc = hg_error_set(reterr, -HG_EINVAL, "the path of ", name, " is too long", NULL);
	else if ((g->folder_fd = open(g->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		rc = say(reterr, g, "", errno);
	else
		rc = g->version == 1 ? open_version_1(g, groups, below, reterr)
				     : open_version_2(g, reterr);
	if (rc == 0)
		rc = remember(g, reterr);
	if (rc < 0) {
		hg_cgroup_close(g);
		return rc;
	}
	*ret_group = g;
	return 0;
}

void hg_cgroup_close(struct hg_cgroup *group)
{
	if (group == NULL)
		return;
	const int fds[] = {group->folder_fd, group->use_fd,    group->stat_fd,
			   group->limit_fd,  group->period_fd, group->weight_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	free(group);
}

const char *hg_cgroup_path(const struct hg_cgroup *group)
{
	return group->path;
}

uint64_t hg_cgroup_identity(const struct hg_cgroup *group)
{
	return group->identity;
}

/* ---- use ---------------------------------------------------------------------------------------- */

/* The number behind a word at the beginning of a line; 0 if it is not there. */
static uint64_t value_of(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *line = text; line != NULL && *line != '\0';) {
		if (strncmp(line, word, n) == 0 && line[n] == ' ')
			return strtoull(line + n + 1, NULL, 10);
		line = strchr(line, '\n');
		line = line == NULL ? NULL : line + 1;
	}
	return 0;
}

int hg_cgroup_used(struct hg_cgroup *group, int64_t *ret_used_cpu_ns, struct hg_error *reterr)
{
	char text[512];
	int rc = read_text(group, group->use_fd, group->version == 1 ? "cpuacct.usage" : "cpu.stat",
			   text, sizeof(text), reterr);

	if (rc < 0)
		return rc;
	*ret_used_cpu_ns = group->version == 1 ? (int64_t)strtoull(text, NULL, 10)
					       : (int64_t)value_of(text, "usage_usec") * NS_PER_US;
	return 0;
}

int hg_cgroup_sample(struct hg_cgroup *group, struct hg_cgroup_sample *ret_sample,
		     struct hg_error *reterr)
{
	char text[512];
	int rc;

	*ret_sample = (struct hg_cgroup_sample){.writes = group->n_writes};
	rc = hg_cgroup_used(group, &ret_sample->used_cpu_ns, reterr);
	if (rc < 0)
		return rc;
	rc = read_text(group, group->stat_fd, "cpu.stat", text, sizeof(text), reterr);
	if (rc < 0)
		return rc;
	ret_sample->throttled = value_of(text, "nr_throttled");
	ret_sample->throttled_ns = group->version == 1
					   ? (hg_ns)value_of(text, "throttled_time")
					   : (hg_ns)value_of(text, "throttled_usec") * NS_PER_US;
	return 0;
}

/* ---- limits ------------------------------------------------------------------------------------- */

/* The shortest period in which the quota is one that Linux takes. */
static uint64_t period_us_of(uint64_t mcpu)
{
	uint64_t period_us = HG_CGROUP_PERIOD_NS / NS_PER_US;

	if (mcpu * period_us / MCPU_PER_CPU >= QUOTA_MIN_US)
		return period_us;
	period_us = (QUOTA_MIN_US * MCPU_PER_CPU + mcpu - 1u) / mcpu;
	return period_us > PERIOD_MAX_US ? PERIOD_MAX_US : period_us;
}

int64_t hg_cgroups_handed_cpu_ns(const struct hg_cgroups *groups, uint64_t mcpu)
{
	return (int64_t)(mcpu * period_us_of(mcpu) / MCPU_PER_CPU * NS_PER_US) +
	       groups->tick_ns / 4;
}

static int write_version_1(struct hg_cgroup *g, uint64_t mcpu, struct hg_error *reterr)
{
	char text[HG_CGROUP_TEXT_BYTES];
	uint64_t period_us = mcpu == HG_CGROUP_OPEN ? g->period_us : period_us_of(mcpu);
	int rc;

	if (mcpu == HG_CGROUP_OPEN)
		return write_text(g, g->limit_fd, "cpu.cfs_quota_us", "-1\n", reterr);
	if (period_us != g->period_us) {
		snprintf(text, sizeof(text), "%llu\n", (unsigned long long)period_us);
		rc = write_text(g, g->period_fd, "cpu.cfs_period_us", text, reterr);
		if (rc < 0)
			return rc;
		g->period_us = period_us;
	}
	snprintf(text, sizeof(text), "%llu\n",
		 (unsigned long long)(mcpu * period_us / MCPU_PER_CPU));
	return write_text(g, g->limit_fd, "cpu.cfs_quota_us", text, reterr);
}

static int write_version_2(struct hg_cgroup *g, uint64_t mcpu, struct hg_error *reterr)
{
	char text[HG_CGROUP_TEXT_BYTES];
	uint64_t period_us;

	if (mcpu == HG_CGROUP_OPEN)
		return write_text(g, g->limit_fd, "cpu.max", "max\n", reterr);
	period_us = period_us_of(mcpu);
	snprintf(text, sizeof(text), "%llu %llu\n",
		 (unsigned long long)(mcpu * period_us / MCPU_PER_CPU),
		 (unsigned long long)period_us);
	return write_text(g, g->limit_fd, "cpu.max", text, reterr);
}

int hg_cgroup_set_limit(struct hg_cgroup *group, uint64_t mcpu, struct hg_error *reterr)
{
	int rc;

	if (group->knows_limit && group->limit_mcpu == mcpu)
		return 0;
	group->knows_limit = false;
	rc = group->version == 1 ? write_version_1(group, mcpu, reterr)
				 : write_version_2(group, mcpu, reterr);
	if (rc < 0)
		return rc;
	group->limit_mcpu = mcpu;
	group->knows_limit = true;
	return 0;
}

int hg_cgroup_set_weight(struct hg_cgroup *group, uint32_t weight, struct hg_error *reterr)
{
	char text[HG_CGROUP_TEXT_BYTES];
	int rc;

	if (group->knows_weight && group->weight == weight)
		return 0;
	snprintf(text, sizeof(text), "%u\n", weight);
	rc = write_text(group, group->weight_fd, group->version == 1 ? "cpu.shares" : "cpu.weight",
			text, reterr);
	if (rc < 0)
		return rc;
	group->weight = weight;
	group->knows_weight = true;
	return 0;
}

int hg_cgroup_restore(struct hg_cgroup *group, struct hg_error *reterr)
{
	int rc = 0;

	group->knows_limit = group->knows_weight = false;
	if (group->version == 1)
		rc = write_text(group, group->period_fd, "cpu.cfs_period_us", group->found_period,
				reterr);
	if (rc == 0)
		rc = write_text(group, group->limit_fd,
				group->version == 1 ? "cpu.cfs_quota_us" : "cpu.max",
				group->found_limit, reterr);
	if (rc == 0)
		rc = write_text(group, group->weight_fd,
				group->version == 1 ? "cpu.shares" : "cpu.weight",
				group->found_weight, reterr);
	return rc;
}
