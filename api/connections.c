#include "api/connections.h"

#include <string.h>

const char *hg_refusal_name(enum hg_refusal refusal)
{
	static const char *const names[] = {
#define HG_REFUSAL_NAME(name, NAME) #name,
		HG_REFUSALS(HG_REFUSAL_NAME)
#undef HG_REFUSAL_NAME
	};

	return (unsigned)refusal < HG_N_REFUSALS ? names[refusal] : "?";
}

void hg_connections_init(struct hg_connections *all)
{
	memset(all, 0, sizeof(*all));
	TAILQ_INIT(&all->list);
}

static void append(struct hg_connections *all, struct hg_connection *one,
		   enum hg_connection_state state, hg_ns now_ns)
{
	one->state = state;
	one->since_ns = now_ns;
	one->is_listed = true;
	TAILQ_INSERT_TAIL(&all->list, one, link);
	all->n++;
}

void hg_connections_enter(struct hg_connections *all, struct hg_connection *one, hg_ns now_ns)
{
	append(all, one, HG_CONNECTION_IDLE, now_ns);
}

void hg_connections_leave(struct hg_connections *all, struct hg_connection *one)
{
	if (!one->is_listed)
		return;
	one->is_listed = false;
	TAILQ_REMOVE(&all->list, one, link);
	all->n--;
}

void hg_connections_become(struct hg_connections *all, struct hg_connection *one,
			   enum hg_connection_state state, hg_ns now_ns)
{
	if (!one->is_listed)
		return;
	hg_connections_leave(all, one);
	append(all, one, state, now_ns);
}

struct hg_connection *hg_connections_longest(const struct hg_connections *all)
{
	struct hg_connection *one = TAILQ_FIRST(&all->list);

	while (one != NULL && one->state == HG_CONNECTION_STREAM)
		one = TAILQ_NEXT(one, link);
	return one;
}

struct hg_connection *hg_connections_stale_body(const struct hg_connections *all, hg_ns now_ns)
{
	struct hg_connection *one = TAILQ_FIRST(&all->list);

	while (one != NULL && one->body_bytes == 0)
		one = TAILQ_NEXT(one, link);
	return one != NULL && now_ns - one->since_ns >= HG_CONNECTIONS_STALE_NS ? one : NULL;
}

void hg_connections_refuse(struct hg_connections *all, struct hg_connection *one)
{
	static const enum hg_refusal refusals[] = {
		[HG_CONNECTION_IDLE] = HG_REFUSAL_IDLE,
		[HG_CONNECTION_ASKING] = HG_REFUSAL_UNFINISHED,
		[HG_CONNECTION_ANSWERED] = HG_REFUSAL_UNREAD,
		[HG_CONNECTION_STREAM] = HG_REFUSAL_UNREAD,
	};

	all->n_refused[refusals[one->state]]++;
	hg_connections_leave(all, one);
}
