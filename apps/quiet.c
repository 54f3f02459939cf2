/* Memory that changes have freed goes back to the system, once no more come. */
#include "apps/daemon.h"

#include <malloc.h>

/* Long enough that machines which come one after the other are one disturbance. */
#define QUIET_AFTER_US 500000u

/* The C library keeps what was freed below anything that is still in use: on a host of 200 machines that is 4 MB of the
 * 8 MB its heap has had, more or less by how many states were alive at once. Giving it back takes a walk over what is
 * free (a millisecond, of this thread alone), so it is not done after each of a hundred changes a second. */
static int on_quiet(sd_event_source *source, uint64_t usec, void *user)
{
	(void)source;
	(void)usec;
	(void)user;
	malloc_trim(0);
	return 0;
}

int hg_quiet_init(struct hg_daemon *d)
{
	return sd_event_add_time_relative(d->loop, &d->quiet.timer, CLOCK_MONOTONIC, QUIET_AFTER_US,
					  QUIET_AFTER_US / 10u, on_quiet, d);
}

void hg_quiet_turn(struct hg_daemon *d)
{
	struct hg_control_state state;

	hg_control_give(d->control, &state);
	if (state.generation == d->quiet.generation)
		return;
	d->quiet.generation = state.generation;
	(void)sd_event_source_set_time_relative(d->quiet.timer, QUIET_AFTER_US);
	(void)sd_event_source_set_enabled(d->quiet.timer, SD_EVENT_ONESHOT);
}
