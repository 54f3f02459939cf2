#include "api/connections.h"

const char *hg_refusal_name(enum hg_refusal refusal)
{
	static const char *const names[] = {
#define HG_REFUSAL_NAME(name, NAME) #name,
		HG_REFUSALS(HG_REFUSAL_NAME)
#undef HG_REFUSAL_NAME
	};

	return (unsigned)refusal < HG_N_REFUSALS ? names[refusal] : "?";
}

static void append(struct hg_connections *all, struct hg_connection *one)
{
	one->is_listed = true;
	one->prev = all->last;
	one->next = NULL;
	if (all->last != NULL)
		all->last->next = one;
	else
		all->first = one;
	all->last = one;
	all->n++;
}

void hg_connections_enter(struct hg_connections *all, struct hg_connection *one, hg_ns now_ns)
{
	one->state = HG_CONNECTION_IDLE;
	one->since_ns = now_ns;
	append(all, one);
}

void hg_connections_leave(struct hg_connections *all, struct hg_connection *one)
{
	if (!one->is_listed)
		return;
	one->is_listed = false;
	if (one->prev != NULL)
		one->prev->next = one->next;
	else
		all->first = one->next;
	if (one->next != NULL)
		one->next->prev = one->prev;
	else
		all->last = one->prev;
	all->n--;
}

void hg_connections_become(struct hg_connections *all, struct hg_connection *one,
			   enum hg_connection_state state, hg_ns now_ns)
{
	if (!one->is_listed)
		return;
	hg_connections_leave(all, one);
	one->state = state;
	one->since_ns = now_ns;
	append(all, one);
}

struct hg_connection *hg_connections_longest(const struct hg_connections *all)
{
	struct hg_connection *one = all->first;

	while (one != NULL && one->state == HG_CONNECTION_STREAM)
		one = one->next;
	return one;
}

struct hg_connection *hg_connections_stale_body(const struct hg_connections *all, hg_ns now_ns)
{
	struct hg_connection *one = all->first;

	while (one != NULL && one->body_bytes == 0)
		one = one->next;
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
