#include "bench/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_TASKS 256u
/* As 16 tasks of usual weight. */
#define SHARES 16384

static const char *const roots[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpuacct"};

static struct {
	pid_t owner, tasks[MAX_TASKS];
	unsigned n, n_tasks;
	int go[2]; /* tasks wait until its other end is closed */
	bool has_handlers;
} g = {.go = {-1, -1}};

_Noreturn void bench_give_up(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static void path_of(unsigned root, int i, const char *file, char ret[256])
{
	if (i < 0)
		snprintf(ret, 256, "%s/headgate-bench-%d/%s", roots[root], (int)g.owner, file);
	else
		snprintf(ret, 256, "%s/headgate-bench-%d/g%d/%s", roots[root], (int)g.owner, i,
			 file);
}

void bench_group_name(unsigned i, char *ret_name, size_t size)
{
	snprintf(ret_name, size, "headgate-bench-%d/g%u", (int)g.owner, i);
}

void bench_tasks_end(void)
{
	for (unsigned i = 0; i < g.n_tasks; i++)
		kill(g.tasks[i], SIGKILL);
	for (unsigned i = 0; i < g.n_tasks; i++)
		waitpid(g.tasks[i], NULL, 0);
	g.n_tasks = 0;
	for (unsigned i = 0; i < 2; i++) {
		if (g.go[i] >= 0)
			close(g.go[i]);
		g.go[i] = -1;
	}
}

static void remove_folder(const char *path)
{
	/* A task that is dead leaves its group a moment later. */
	for (unsigned i = 0; i < 200 && rmdir(path) < 0 && errno == EBUSY; i++)
		usleep(5000);
}

void bench_groups_remove(void)
{
	char path[256];

	if (getpid() != g.owner)
		return;
	bench_tasks_end();
	for (unsigned root = 0; root < 2; root++) {
		for (unsigned i = 0; i < g.n; i++) {
			path_of(root, (int)i, "", path);
			remove_folder(path);
		}
		path_of(root, -1, "", path);
		remove_folder(path);
	}
	g.n = 0;
}

static void end_by_signal(int signal)
{
	bench_groups_remove();
	_exit(128 + signal);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bench_give_up(path, strerror(errno));
	close(fd);
}

void bench_group_write(unsigned i, const char *file, long value)
{
	char path[256], text[32];

	path_of(0, (int)i, file, path);
	snprintf(text, sizeof(text), "%ld\n", value);
	write_text(path, text);
}

static void make_folder(unsigned root, int i)
{
	char path[256];

	path_of(root, i, "", path);
	if (mkdir(path, 0755) < 0 && errno != EEXIST) /* both roots may be one */
		bench_give_up(path, errno == ENOENT || errno == EPERM
					    ? "this benchmark needs root and control groups of "
					      "version 1 (cpu, cpuacct)"
					    : strerror(errno));
}

void bench_groups_make(unsigned n)
{
	char path[256], text[32];

	g.owner = getpid();
	g.n = n;
	if (!g.has_handlers) {
		g.has_handlers = true;
		atexit(bench_groups_remove);
		signal(SIGINT, end_by_signal);
		signal(SIGTERM, end_by_signal);
		signal(SIGHUP, end_by_signal);
	}
	for (unsigned root = 0; root < 2; root++) {
		make_folder(root, -1);
		for (unsigned i = 0; i < n; i++)
			make_folder(root, (int)i);
	}
	path_of(0, -1, "cpu.shares", path);
	snprintf(text, sizeof(text), "%d\n", SHARES);
	write_text(path, text);
}

/* ---- tasks -------------------------------------------------------------------------------------- */

int64_t bench_stolen_ns(void)
{
	unsigned long long user, nice, system, idle, wait, irq, soft, stolen = 0;
	FILE *f = fopen("/proc/stat", "re");

	if (f == NULL || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice,
				&system, &idle, &wait, &irq, &soft, &stolen) != 8)
		bench_give_up("/proc/stat", "is not as Linux writes it");
	fclose(f);
	return (int64_t)stolen * 1000000000 / sysconf(_SC_CLK_TCK);
}

void bench_burn(void *arg)
{
	(void)arg;
	for (;;)
		;
}

static _Noreturn void be_task(unsigned i, void (*task)(void *arg), void *arg)
{
	char path[256], byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpriority(PRIO_PROCESS, 0, 0);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	for (unsigned root = 0; root < 2; root++) {
		path_of(root, (int)i, "cgroup.procs", path);
		write_text(path, "0\n");
	}
	close(g.go[1]);
	if (read(g.go[0], &byte, 1) == 0)
		task(arg);
	_exit(0);
}

void bench_task_start(unsigned i, void (*task)(void *arg), void *arg)
{
	pid_t pid;

	if (g.n_tasks == MAX_TASKS)
		bench_give_up("tasks", "too many");
	if (g.go[1] < 0 && pipe2(g.go, O_CLOEXEC) < 0)
		bench_give_up("pipe", strerror(errno));
	pid = fork();
	if (pid < 0)
		bench_give_up("fork", strerror(errno));
	if (pid == 0)
		be_task(i, task, arg);
	g.tasks[g.n_tasks++] = pid;
}

void bench_tasks_go(void)
{
	close(g.go[1]);
	g.go[1] = -1;
}

/* ---- use ---------------------------------------------------------------------------------------- */

static void read_text(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	if (n < 0)
		bench_give_up(path, strerror(errno));
	ret[n] = '\0';
	close(fd);
}

int64_t bench_group_used_cpu_ns(unsigned i)
{
	char path[256], text[64];

	path_of(1, (int)i, "cpuacct.usage", path);
	read_text(path, text, sizeof(text));
	return strtoll(text, NULL, 10);
}

void bench_group_periods(unsigned i, uint64_t *ret_periods, uint64_t *ret_held)
{
	char path[256], text[512];
	unsigned long long periods, held;

	path_of(0, (int)i, "cpu.stat", path);
	read_text(path, text, sizeof(text));
	if (sscanf(text, "nr_periods %llu nr_throttled %llu", &periods, &held) != 2)
		bench_give_up(path, "is not as Linux writes it");
	*ret_periods = periods;
	*ret_held = held;
}
