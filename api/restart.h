/* restart: how a planned restart goes on, as the interface shows it.
 *
 * Why        Who asks for a restart talks to two processes: the one that goes starts it, the one that comes has done
 *            it. Each restart has a number, by which both speak of the same.
 * Threads    The control lane.
 */
#ifndef HG_API_RESTART_H
#define HG_API_RESTART_H

#include "core/error.h"
#include "core/units.h"

#include <jansson.h>
#include <stdbool.h>

enum hg_restart_state {
	HG_RESTART_NONE = 0, /* since this process started */
	HG_RESTART_UNDER_WAY, /* the next process is starting; this one does all as before */
	HG_RESTART_FAILED, /* and this one goes on */
	HG_RESTART_DONE, /* by this process, which took over from another */
};

/* How the run before this one ended. */
enum hg_previous_run {
	HG_PREVIOUS_NONE =
		0, /* there was none since the host started, or it ended as it was told */
	HG_PREVIOUS_LOST, /* it ended without handing over: what waited in its queues is lost */
	HG_PREVIOUS_HANDED_OVER,
};

/* What of a start took how long. */
struct hg_start_times {
	hg_ns config_ns; /* reading the configuration and the state kept */
	hg_ns lane_ns; /* DPDK, packet buffers, workers */
	hg_ns ports_ns; /* opening devices, the first snapshot */
	hg_ns total_ns; /* from the start of the process until packets flow */
};

struct hg_restart {
	enum hg_restart_state state;
	int64_t pid; /* of this process */
	uint64_t number; /* of the last one; from 1 on, over all processes of a line */
	char error[HG_ERROR_TEXT_BYTES]; /* why it failed */
	/* Of one that is done. */
	char from_version[32];
	hg_ns gap_ns; /* for which nothing was received */
	uint64_t carried_pkts, carried_bytes, lost_pkts;
	uint32_t n_handed, n_reopened; /* devices that stayed open, and those that did not */
	uint32_t n_kept; /* instances whose tokens, totals and proof go on */
	char anew[HG_ERROR_TEXT_BYTES]; /* why all of those begin anew; empty: they do not */

	enum hg_previous_run previous;
	struct hg_start_times start;
};

json_t *hg_restart_json(const struct hg_restart *restart);

#endif
