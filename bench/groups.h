/* groups: control groups of this host for a benchmark, and tasks in them.
 *
 * Why        Processor credits are measured against the real scheduler, and what was made for that must be gone
 *            afterwards, however the benchmark ends.
 * Model      One parent, headgate-bench-PID, below the roots of cpu and cpuacct (version 1), and groups g0, g1, ...
 *            in it. The parent weighs as much as 16 usual tasks: what a benchmark asks for is much less than the
 *            machine has, and is to be had although others work as well.
 * Memory     none but static; one set at a time. Threads: one. Errors: end the program with a sentence.
 *            Groups and tasks are gone when the program exits, also by SIGINT, SIGTERM and SIGHUP; tasks by
 *            SIGKILL as well.
 * Used by    credits.c, credit_loop.c, burst.c.
 */
#ifndef HG_BENCH_GROUPS_H
#define HG_BENCH_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Noreturn void bench_give_up(const char *what, const char *why);

void bench_groups_make(unsigned n);
void bench_groups_remove(void);
/* Below the controller's root, as headgate's configuration says it. */
void bench_group_name(unsigned i, char *ret_name, size_t size);
/* A process in group i that calls task(arg) as soon as bench_tasks_go() is called. */
void bench_task_start(unsigned i, void (*task)(void *arg), void *arg);
void bench_tasks_go(void);
void bench_tasks_end(void);

int64_t bench_group_used_cpu_ns(unsigned i);
/* Periods of the group's quota so far, and those in which it was held. */
void bench_group_periods(unsigned i, uint64_t *ret_periods, uint64_t *ret_held);
void bench_group_write(unsigned i, const char *file, long value);

/* What this machine's host took from its processors since the boot, in steps of a tick. */
int64_t bench_stolen_ns(void);

/* Does nothing but use its processor. */
void bench_burn(void *arg);

#endif
