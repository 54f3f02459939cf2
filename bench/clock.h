/* clock: what the benchmarks time with.
 *
 * Units      ns. Threads: any. Errors: none; the clocks asked for exist.
 * Used by    programs in bench/.
 */
#ifndef HG_BENCH_CLOCK_H
#define HG_BENCH_CLOCK_H

#include "core/units.h"

#include <time.h>

/* CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID, or a thread's of pthread_getcpuclockid(). */
static inline hg_ns bench_clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (hg_ns)t.tv_sec * HG_NS_PER_S + t.tv_nsec;
}

/* A signal may end it early. */
static inline void bench_rest(hg_ns for_ns)
{
	struct timespec t = {.tv_sec = for_ns / HG_NS_PER_S, .tv_nsec = for_ns % HG_NS_PER_S};

	(void)nanosleep(&t, NULL);
}

#endif
