#include "api/explain.h"

#include "api/card.h"
#include "api/credits.h"
#include "api/human.h"
#include "api/put.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Competitors shown: who has five larger ones above it is not what the link is full with. */
#define N_TOP 5u
#define PPM UINT64_C(1000000)

struct subject {
	const struct hg_control *control;
	const struct hg_desired *desired;
	const struct hg_desired_instance *instance;
	const struct hg_desired_tenant *tenant;
	const struct hg_desired_uplink *uplink;
	uint32_t instance_idx;
	enum hg_dir dir;
	struct hg_status_row row, tenant_row;
};

struct competitor {
	uint32_t idx;
	uint64_t bytes_per_s;
};

static uint64_t share_ppm(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (uint64_t)((double)part * (double)PPM / (double)whole);
}

/* ---- held times --------------------------------------------------------------------------------- */

/* Indices of the limits by held time, longest first. */
static void sort_limits(const uint64_t held_ns[HG_N_LIMITS], unsigned order[HG_N_LIMITS])
{
	for (unsigned i = 0; i < HG_N_LIMITS; i++) {
		unsigned at = i;

		for (; at > 0 && held_ns[order[at - 1]] < held_ns[i]; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
}

static json_t *held_json(const struct hg_measure *m)
{
	json_t *object = json_object(), *list = json_array();
	unsigned order[HG_N_LIMITS];
	uint64_t sum_ns = 0;

	sort_limits(m->held_ns, order);
	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		sum_ns += m->held_ns[i];
	for (unsigned i = 0; i < HG_N_LIMITS && m->held_ns[order[i]] > 0; i++) {
		uint64_t ns = m->held_ns[order[i]];

		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I}", "limit",
							    hg_limit_name((enum hg_limit)order[i]),
							    "text",
							    hg_limit_text((enum hg_limit)order[i]),
							    "ns", (json_int_t)ns, "share_ppm",
							    (json_int_t)share_ppm(ns, sum_ns)));
	}
	hg_put(object, "for_ns", json_integer(m->for_ns));
	hg_put(object, "wait_ns", json_integer((json_int_t)m->wait_ns));
	hg_put(object, "sum_ns", json_integer((json_int_t)sum_ns));
	hg_put(object, "held", list);
	return object;
}

/* ---- competitors -------------------------------------------------------------------------------- */

static void keep_top(struct competitor *top, struct competitor one)
{
	unsigned at = N_TOP;

	if (one.bytes_per_s <= top[N_TOP - 1].bytes_per_s)
		return;
	for (; at > 0 && top[at - 1].bytes_per_s < one.bytes_per_s; at--) {
		if (at < N_TOP)
			top[at] = top[at - 1];
	}
	top[at] = one;
}

static void find_top(const struct subject *s, struct competitor top[N_TOP])
{
	const struct hg_desired *d = s->desired;

	for (unsigned i = 0; i < N_TOP; i++)
		top[i] = (struct competitor){0};
	for (uint32_t i = 0; i < d->n_instances; i++) {
		struct hg_status_row row;

		if (i == s->instance_idx ||
		    d->tenants[d->instances[i].tenant_idx].uplink_idx != s->tenant->uplink_idx)
			continue;
		hg_control_status_instance(s->control, i, &row);
		keep_top(top, (struct competitor){i, row.second[s->dir].link_sent_bytes_per_s});
	}
}

static json_t *competitors_json(const struct subject *s, const struct competitor top[N_TOP])
{
	json_t *list = json_array();

	for (unsigned i = 0; i < N_TOP && top[i].bytes_per_s > 0; i++) {
		const struct hg_desired_instance *other = &s->desired->instances[top[i].idx];

		(void)json_array_append_new(
			list, json_pack("{s:s, s:s, s:I, s:I}", "instance", other->name, "tenant",
					s->desired->tenants[other->tenant_idx].name, "bytes_per_s",
					(json_int_t)top[i].bytes_per_s, "share_ppm",
					(json_int_t)share_ppm(top[i].bytes_per_s,
							      s->uplink->capacity_bytes_per_s)));
	}
	return list;
}

/* ---- sentences ---------------------------------------------------------------------------------- */

static const char *verb(enum hg_dir dir)
{
	return dir == HG_OUT ? "send" : "receive";
}

static void say(json_t *sentences, const char *text)
{
	(void)json_array_append_new(sentences, json_string(text));
}

static json_t *summary(const struct subject *s)
{
	const struct hg_measure *m = &s->row.second[s->dir];
	unsigned order[HG_N_LIMITS];
	char share[HG_HUMAN_BYTES], text[256];

	sort_limits(m->held_ns, order);
	if (m->wait_ns == 0)
		snprintf(text, sizeof(text), "%s did not have to wait to %s in the last second",
			 s->instance->name, verb(s->dir));
	else
		snprintf(text, sizeof(text),
			 "%s waited %s of the last second to %s, held mostly by %s (%s)",
			 s->instance->name, hg_human_share(share, m->wait_ns, (uint64_t)m->for_ns),
			 verb(s->dir), hg_limit_name((enum hg_limit)order[0]),
			 hg_limit_text((enum hg_limit)order[0]));
	return json_string(text);
}

static void say_rates(const struct subject *s, json_t *sentences)
{
	const struct hg_measure *m = &s->row.second[s->dir];
	char asked[HG_HUMAN_BYTES], got[HG_HUMAN_BYTES], p50[HG_HUMAN_BYTES], p99[HG_HUMAN_BYTES];
	char text[256];

	snprintf(text, sizeof(text),
		 "it asked to %s %s and got %s; its packets waited %s in the median and %s at p99",
		 verb(s->dir), hg_human_rate_long(asked, m->offered_bytes_per_s),
		 hg_human_rate_long(got, m->sent_bytes_per_s), hg_human_time(p50, m->wait_p50_ns),
		 hg_human_time(p99, m->wait_p99_ns));
	say(sentences, text);
	if (m->drops > 0) {
		snprintf(text, sizeof(text), "%" PRIu64 " of its packets were dropped", m->drops);
		say(sentences, text);
	}
}

static void say_contract(json_t *sentences, const char *whose, const struct hg_policy *policy,
			 const struct hg_proof *proof)
{
	char min[HG_HUMAN_BYTES], max[HG_HUMAN_BYTES], text[320];
	int n;

	if (policy->min_bytes_per_s == 0 && policy->max_bytes_per_s == 0)
		return;
	n = snprintf(text, sizeof(text), "%s ", whose);
	if (policy->min_bytes_per_s > 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "guarantee is %s%s",
			      hg_human_rate_long(min, policy->min_bytes_per_s),
			      policy->max_bytes_per_s > 0 ? ", its " : "");
	if (policy->max_bytes_per_s > 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "maximum is %s",
			      hg_human_rate_long(max, policy->max_bytes_per_s));
	snprintf(text + n, sizeof(text) - (size_t)n,
		 "; kept in %" PRIu64 " seconds, missed in %" PRIu64 ", not judged in %" PRIu64
		 " with stolen processor time",
		 proof->kept, proof->missed, proof->stolen);
	say(sentences, text);
}

static void say_link(const struct subject *s, const struct competitor top[N_TOP], json_t *sentences)
{
	struct hg_status_uplink link;
	char use[HG_HUMAN_BYTES], rate[HG_HUMAN_BYTES], of[HG_HUMAN_BYTES], text[320];
	uint64_t used;

	hg_control_status_uplink(s->control, s->tenant->uplink_idx, &link);
	used = s->dir == HG_OUT ? link.out_bytes_per_s : link.in_bytes_per_s;
	snprintf(text, sizeof(text), "uplink %s (%s) carries %s %s, %s of %s", s->uplink->name,
		 link.link, hg_human_rate_long(rate, used), hg_dir_name(s->dir),
		 hg_human_share(use, used, s->uplink->capacity_bytes_per_s),
		 hg_human_rate_long(of, s->uplink->capacity_bytes_per_s));
	say(sentences, text);
	if (top[0].bytes_per_s == 0) {
		say(sentences, "nobody else used it in the last second");
		return;
	}
	snprintf(text, sizeof(text), "the largest of the others on it is %s, with %s",
		 s->desired->instances[top[0].idx].name,
		 hg_human_rate_long(rate, top[0].bytes_per_s));
	say(sentences, text);
}

static void say_conditions(const struct subject *s, json_t *sentences)
{
	if (s->desired->mode == HG_MODE_OBSERVE || s->tenant->contract.mode == HG_MODE_OBSERVE ||
	    s->instance->contract.mode == HG_MODE_OBSERVE)
		say(sentences, "mode is observe: all of this is measured, and nothing is enforced");
	if (s->dir == HG_IN && (s->instance->contract.dir[HG_IN].min_bytes_per_s > 0 ||
				s->tenant->contract.dir[HG_IN].min_bytes_per_s > 0))
		say(sentences, "a guarantee for receiving covers what reached this host's card");
}

/* Why nothing goes through it, if nothing does. */
static void say_link_of_port(const char *name, const struct hg_status_port *port, json_t *sentences)
{
	char text[HG_REASON_BYTES + 128];

	if (strcmp(port->link, "up") == 0)
		return;
	snprintf(text, sizeof(text), "port %s is %s, so that nothing passes it%s%s", name,
		 port->link, port->reason[0] != '\0' ? ": " : "", port->reason);
	say(sentences, text);
}

/* What its ports drop is dropped before it is anybody's traffic, and is in no figure above. */
static json_t *ports_json(const struct subject *s)
{
	json_t *sentences = json_array();
	bool has_port = false;
	char text[384];

	for (uint32_t i = 0; i < s->desired->n_ports; i++) {
		struct hg_status_port port;

		if (s->desired->ports[i].instance_idx != s->instance_idx)
			continue;
		has_port = true;
		hg_control_status_port(s->control, i, &port);
		say_link_of_port(s->desired->ports[i].name, &port, sentences);
		for (unsigned reason = 0; reason < HG_N_DROPS; reason++) {
			if (port.drops[reason] == 0)
				continue;
			snprintf(text, sizeof(text),
				 "port %s dropped %" PRIu64 " packets since start: %s (%s)",
				 s->desired->ports[i].name, port.drops[reason],
				 hg_drop_text((enum hg_drop)reason),
				 hg_drop_name((enum hg_drop)reason));
			say(sentences, text);
		}
	}
	if (!has_port)
		say(sentences, "it has no port, so that nothing reaches it or leaves it");
	return sentences;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static json_t *direction_json(struct subject *s, enum hg_dir dir)
{
	json_t *object = json_object(), *sentences = json_array();
	struct competitor top[N_TOP];

	s->dir = dir;
	find_top(s, top);
	say_rates(s, sentences);
	say_contract(sentences, "its own", &s->instance->contract.dir[dir], &s->row.proof[dir]);
	say_contract(sentences, "its tenant's", &s->tenant->contract.dir[dir],
		     &s->tenant_row.proof[dir]);
	say_link(s, top, sentences);
	if (dir == HG_OUT)
		hg_card_explain(s->control, s->instance_idx, sentences);
	say_conditions(s, sentences);
	hg_put(object, "summary", summary(s));
	hg_put(object, "sentences", sentences);
	hg_put(object, "held_by", json_string(hg_limit_name(s->row.second[dir].held_by)));
	hg_put(object, "second", held_json(&s->row.second[dir]));
	hg_put(object, "total", held_json(&s->row.total[dir]));
	hg_put(object, "competitors", competitors_json(s, top));
	return object;
}

/* Of who is governed: its row, or why nothing is. */
static json_t *processors_json(const struct subject *s)
{
	struct hg_credits *credits = hg_control_credits(s->control);
	json_t *object = hg_credit_of_instance(s->control, s->instance_idx);
	char text[HG_ERROR_TEXT_BYTES];

	if (object != NULL && (credits == NULL || hg_credits_fault(credits)[0] == '\0'))
		return object;
	json_decref(object);
	snprintf(text, sizeof(text), "not governed: %.*s", (int)sizeof(text) - 20,
		 credits == NULL ? "processor credits are not served here"
				 : hg_credits_fault(credits));
	return json_pack("{s:s}", "text", text);
}

json_t *hg_explain_instance(const struct hg_control *control, uint32_t instance_idx)
{
	const struct hg_desired *d = hg_control_desired(control);
	struct subject s = {.control = control, .desired = d, .instance_idx = instance_idx};
	json_t *object = json_object();

	s.instance = &d->instances[instance_idx];
	s.tenant = &d->tenants[s.instance->tenant_idx];
	s.uplink = &d->uplinks[s.tenant->uplink_idx];
	hg_control_status_instance(control, instance_idx, &s.row);
	hg_control_status_tenant(control, s.instance->tenant_idx, &s.tenant_row);
	hg_put_text(object, "instance", s.instance->name);
	hg_put_text(object, "tenant", s.tenant->name);
	hg_put_text(object, "uplink", s.uplink->name);
	hg_put(object, "out", direction_json(&s, HG_OUT));
	hg_put(object, "in", direction_json(&s, HG_IN));
	hg_put(object, "ports", ports_json(&s));
	if (hg_cpu_is_governed(&s.instance->cpu))
		hg_put(object, "processors", processors_json(&s));
	return object;
}
