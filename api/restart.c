#include "api/restart.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

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

	(void)json_object_set_new(object, "state", json_string(state_name(restart->state)));
	(void)json_object_set_new(object, "number", number(restart->number));
	(void)json_object_set_new(object, "pid", json_integer(restart->pid));
	(void)json_object_set_new(object, "error", json_string(restart->error));
	(void)json_object_set_new(object, "from_version", json_string(restart->from_version));
	(void)json_object_set_new(object, "gap_ns", number((uint64_t)restart->gap_ns));
	(void)json_object_set_new(object, "carried_pkts", number(restart->carried_pkts));
	(void)json_object_set_new(object, "carried_bytes", number(restart->carried_bytes));
	(void)json_object_set_new(object, "lost_pkts", number(restart->lost_pkts));
	(void)json_object_set_new(object, "n_handed", number(restart->n_handed));
	(void)json_object_set_new(object, "n_reopened", number(restart->n_reopened));
	(void)json_object_set_new(object, "n_kept", number(restart->n_kept));
	(void)json_object_set_new(object, "anew", json_string(restart->anew));
	(void)json_object_set_new(object, "previous_run",
				  json_string(previous_name(restart->previous)));
	(void)json_object_set_new(start, "config_ns", number((uint64_t)restart->start.config_ns));
	(void)json_object_set_new(start, "lane_ns", number((uint64_t)restart->start.lane_ns));
	(void)json_object_set_new(start, "ports_ns", number((uint64_t)restart->start.ports_ns));
	(void)json_object_set_new(start, "total_ns", number((uint64_t)restart->start.total_ns));
	(void)json_object_set_new(object, "start", start);
	return object;
}
