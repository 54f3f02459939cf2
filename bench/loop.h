/* loop: what the benchmarks of processor credits do as headgated does it.
 *
 * Why        The loop is measured with the clocks and the niceness that it has in the daemon.
 * Threads    one. Errors: end the program with a sentence.
 * Used by    credits.c, credit_loop.c, burst.c.
 */
#ifndef HG_BENCH_LOOP_H
#define HG_BENCH_LOOP_H

#include "control/credits.h"
#include "host/clock.h"

#include "bench/groups.h"

#include <sys/resource.h>
#include <time.h>

/* As headgated.service says it. */
#define BENCH_NICENESS (-20)

static inline void bench_clocks(void *user, struct hg_clocks *ret)
{
	(void)user;
	ret->monotonic_ns = hg_clock_now_ns();
	ret->boot_ns = hg_clock_boot_ns();
	ret->wall_ns = hg_clock_wall_ns();
	hg_clock_boot_id("", ret->boot_id);
}

static inline void bench_sleep_until(hg_ns at_ns)
{
	const struct timespec t = {.tv_sec = at_ns / HG_NS_PER_S, .tv_nsec = at_ns % HG_NS_PER_S};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
		;
}

static inline hg_ns bench_thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (hg_ns)t.tv_sec * HG_NS_PER_S + t.tv_nsec;
}

static inline void bench_be_nice(void)
{
	if (setpriority(PRIO_PROCESS, 0, BENCH_NICENESS) < 0)
		bench_give_up("niceness", "this benchmark needs root");
}

/* The loop over what is desired, in force. cfg: without clocks and interval. */
static inline struct hg_credits *bench_credits(struct hg_credits_cfg cfg,
					       const struct hg_desired *desired)
{
	struct hg_credits *credits = NULL;
	struct hg_error error = {0};

	cfg.root = "";
	cfg.interval_ns = HG_CREDITS_INTERVAL_NS;
	cfg.keep_removed_ns = HG_NEVER;
	cfg.clocks = bench_clocks;
	if (hg_credits_create(&cfg, &credits, &error) < 0 ||
	    hg_credits_check(credits, desired, &error) < 0 ||
	    hg_credits_apply(credits, desired, hg_clock_now_ns(), &error) < 0)
		bench_give_up("credits", error.text);
	if (hg_credits_fault(credits)[0] != '\0')
		bench_give_up("credits", hg_credits_fault(credits));
	return credits;
}

#endif
