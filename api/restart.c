#include "api/restart.h"

#include "api/put.h"

static const char *state_name(enum hg_restart_state state)
{
	static const char *const names[] = {"none", "under way", "failed", "done"};

	return names[state];
}

static const char *previous_name(enum hg_previous_run previous)
{
	static const char *const names[] = {"none", "lost", "handed over"};

	return names[previous];
}

json_t *hg_restart_json(const struct hg_restart *restart)
{
	json_t *object = json_object(), *start = json_object();

	hg_put_text(object, "state", state_name(restart->state));
	hg_put_u64(object, "number", restart->number);
	hg_put(object, "pid", json_integer(restart->pid));
	hg_put_text(object, "error", restart->error);
	hg_put_text(object, "from_version", restart->from_version);
	hg_put_u64(object, "gap_ns", (uint64_t)restart->gap_ns);
	hg_put_u64(object, "carried_pkts", restart->carried_pkts);
	hg_put_u64(object, "carried_bytes", restart->carried_bytes);
	hg_put_u64(object, "lost_pkts", restart->lost_pkts);
	hg_put_u64(object, "n_handed", restart->n_handed);
	hg_put_u64(object, "n_reopened", restart->n_reopened);
	hg_put_u64(object, "n_kept", restart->n_kept);
	hg_put_text(object, "anew", restart->anew);
	hg_put_text(object, "previous_run", previous_name(restart->previous));
	hg_put_u64(start, "config_ns", (uint64_t)restart->start.config_ns);
	hg_put_u64(start, "lane_ns", (uint64_t)restart->start.lane_ns);
	hg_put_u64(start, "ports_ns", (uint64_t)restart->start.ports_ns);
	hg_put_u64(start, "total_ns", (uint64_t)restart->start.total_ns);
	hg_put(object, "start", start);
	return object;
}
