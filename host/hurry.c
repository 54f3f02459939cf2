#include "host/hurry.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NICENESS (-15)
#define SLICE_NS 100000u

/* As the kernel takes it (sched_setattr(2)); the C library has no name for it. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

void hg_hurry_begin(struct hg_hurry *ret_before)
{
	const struct scheduling ask = {
		.size = sizeof(ask), .nice = NICENESS, .runtime_ns = SLICE_NS};

	*ret_before = (struct hg_hurry){.nice = getpriority(PRIO_PROCESS, 0)};
	if (sched_getscheduler(0) == SCHED_OTHER)
		ret_before->was_changed = syscall(SYS_sched_setattr, 0, &ask, 0) == 0;
}

void hg_hurry_end(const struct hg_hurry *before)
{
	/* A slice of 0 is the kernel's own. */
	const struct scheduling ask = {.size = sizeof(ask), .nice = before->nice};

	if (before->was_changed)
		(void)syscall(SYS_sched_setattr, 0, &ask, 0);
}
