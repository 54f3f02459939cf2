#include "control/seconds.h"

#include "control/names.h"

#include <stdlib.h>
#include <string.h>

void hg_seconds_init(struct hg_seconds *seconds, hg_ns stolen_ns, hg_ns now_ns)
{
	*seconds = (struct hg_seconds){.opened_at_ns = now_ns, .stolen_ns = stolen_ns};
}

void hg_seconds_fini(struct hg_seconds *seconds)
{
	hg_rows_fini(&seconds->tenants);
	hg_rows_fini(&seconds->instances);
	free(seconds->rooms);
	free(seconds->ports);
	free(seconds->uplinks);
	free(seconds->cards);
	*seconds = (struct hg_seconds){0};
}

/* What was seen of the things of these names, carried on. */
static int build_seen(const struct hg_seen *old, uint32_t n_old, const void *first, size_t size,
		      uint32_t n, struct hg_seen **ret_seen, struct hg_error *reterr)
{
	struct hg_names names;
	struct hg_seen *seen;
	int rc = hg_names_build(old, sizeof(*old), n_old, &names, reterr);

	if (rc < 0)
		return rc;
	seen = calloc(n + 1u, sizeof(*seen));
	if (seen == NULL) {
		hg_names_fini(&names);
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for the measurements", NULL);
	}
	for (uint32_t i = 0; i < n; i++) {
		const char *name = (const char *)first + i * size;
		uint32_t found = hg_names_find(&names, name);

		if (found != HG_NAMES_NONE)
			seen[i] = old[found];
		memcpy(seen[i].name, name, sizeof(seen[i].name));
	}
	hg_names_fini(&names);
	*ret_seen = seen;
	return 0;
}

static int build_cards(const struct hg_seconds *old, const struct hg_desired *desired,
		       struct hg_card **ret_cards, struct hg_error *reterr)
{
	struct hg_names names;
	struct hg_card *cards;
	int rc = hg_names_build(old->cards, sizeof(*old->cards), old->n_uplinks, &names, reterr);

	if (rc < 0)
		return rc;
	cards = calloc(desired->n_uplinks + 1u, sizeof(*cards));
	if (cards == NULL) {
		hg_names_fini(&names);
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for the measurements", NULL);
	}
	for (uint32_t i = 0; i < desired->n_uplinks; i++) {
		uint32_t found = hg_names_find(&names, desired->uplinks[i].name);

		if (found != HG_NAMES_NONE)
			cards[i] = old->cards[found];
		memcpy(cards[i].name, desired->uplinks[i].name, sizeof(cards[i].name));
	}
	hg_names_fini(&names);
	*ret_cards = cards;
	return 0;
}

static int build_rows(const struct hg_seconds *old, const struct hg_desired *desired, hg_ns now_ns,
		      struct hg_seconds *ret_new, struct hg_error *reterr)
{
	const struct hg_rows_source tenants = {
		.first = desired->tenants,
		.size = sizeof(*desired->tenants),
		.contract_offset = offsetof(struct hg_desired_tenant, contract),
		.n = desired->n_tenants,
	};
	const struct hg_rows_source instances = {
		.first = desired->instances,
		.size = sizeof(*desired->instances),
		.contract_offset = offsetof(struct hg_desired_instance, contract),
		.n = desired->n_instances,
	};
	int rc = hg_rows_build(&old->tenants, &tenants, now_ns, &ret_new->tenants, reterr);

	if (rc < 0)
		return rc;
	rc = hg_rows_build(&old->instances, &instances, now_ns, &ret_new->instances, reterr);
	if (rc < 0)
		return rc;
	ret_new->rooms = calloc(desired->n_tenants + 1u, sizeof(*ret_new->rooms));
	if (ret_new->rooms == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for the measurements", NULL);
	return 0;
}

int hg_seconds_build(const struct hg_seconds *old, const struct hg_desired *desired, hg_ns now_ns,
		     struct hg_seconds *ret_seconds, struct hg_error *reterr)
{
	struct hg_seconds new = *old;
	int rc;

	hg_rows_init(&new.tenants);
	hg_rows_init(&new.instances);
	new.rooms = NULL;
	new.ports = new.uplinks = NULL;
	new.cards = NULL;
	new.n_ports = desired->n_ports;
	new.n_uplinks = desired->n_uplinks;
	rc = build_rows(old, desired, now_ns, &new, reterr);
	if (rc < 0)
		goto fail;
	rc = build_seen(old->ports, old->n_ports, desired->ports, sizeof(*desired->ports),
			desired->n_ports, &new.ports, reterr);
	if (rc < 0)
		goto fail;
	rc = build_seen(old->uplinks, old->n_uplinks, desired->uplinks, sizeof(*desired->uplinks),
			desired->n_uplinks, &new.uplinks, reterr);
	if (rc < 0)
		goto fail;
	rc = build_cards(old, desired, &new.cards, reterr);
	if (rc < 0)
		goto fail;
	*ret_seconds = new;
	return 0;
fail:
	hg_seconds_fini(&new);
	return rc;
}

static uint64_t per_second(uint64_t from, uint64_t to, hg_ns for_ns)
{
	uint64_t n = to >= from ? to - from : to;

	return for_ns <= 0 ? 0 : (uint64_t)((double)n * (double)HG_NS_PER_S / (double)for_ns);
}

static void close_uplinks(struct hg_seconds *seconds, struct hg_dp *dp, hg_ns for_ns)
{
	for (uint32_t i = 0; i < seconds->n_uplinks; i++) {
		struct hg_seen *seen = &seconds->uplinks[i];
		struct hg_dp_uplink_sample now;

		hg_dp_sample_uplink(dp, i, &now);
		seen->out_bytes_per_s = per_second(seen->tx_wire_bytes, now.tx_wire_bytes, for_ns);
		seen->in_bytes_per_s = per_second(seen->rx_wire_bytes, now.rx_wire_bytes, for_ns);
		seen->tx_wire_bytes = now.tx_wire_bytes;
		seen->rx_wire_bytes = now.rx_wire_bytes;
		hg_card_close(&seconds->cards[i], &now);
	}
}

static void close_host(struct hg_seconds *seconds, struct hg_dp *dp, hg_ns stolen_ns, hg_ns for_ns)
{
	struct hg_dp_host_sample host;
	hg_ns busy_ns;

	hg_dp_sample_host(dp, &host);
	busy_ns = (hg_ns)host.busy_ns - seconds->busy_ns;
	seconds->busy_ppm = for_ns <= 0 || busy_ns <= 0
				    ? 0
				    : (uint32_t)((double)busy_ns * 1e6 / (double)for_ns);
	seconds->busy_ns = (hg_ns)host.busy_ns;
	seconds->last_stolen_ns = stolen_ns;
	seconds->n_closed++;
	if (hg_measure_is_stolen(stolen_ns, for_ns))
		seconds->n_stolen++;
}

void hg_seconds_close(struct hg_seconds *seconds, struct hg_dp *dp,
		      const struct hg_desired *desired, hg_ns stolen_ns, hg_ns now_ns)
{
	struct hg_rows_close close = {
		.dp = dp,
		.sample = hg_dp_sample_tenant,
		.from_ns = seconds->opened_at_ns,
		.now_ns = now_ns,
		.stolen_ns = stolen_ns - seconds->stolen_ns,
		.rooms = seconds->rooms,
	};
	hg_ns for_ns = now_ns - seconds->opened_at_ns;

	hg_dp_publish(dp);
	hg_rows_close(&seconds->tenants, &close);
	close.sample = hg_dp_sample_instance;
	close.instances = desired->instances;
	hg_rows_close(&seconds->instances, &close);
	close_uplinks(seconds, dp, for_ns);
	close_host(seconds, dp, close.stolen_ns, for_ns);
	seconds->stolen_ns = stolen_ns;
	seconds->opened_at_ns = now_ns;
}

static void look(struct hg_seen *seen, const char *kind, enum hg_port_link link, const char *reason,
		 hg_seconds_tell_fn tell, void *user)
{
	/* One that is up from the start is no news. */
	if (seen->was_seen ? seen->link != link : link != HG_PORT_UP)
		tell(user, kind, seen->name, link, reason);
	seen->was_seen = true;
	seen->link = link;
}

void hg_seconds_look(struct hg_seconds *seconds, struct hg_dp *dp, hg_seconds_tell_fn tell,
		     void *user)
{
	for (uint32_t i = 0; i < seconds->n_uplinks; i++) {
		struct hg_dp_uplink_sample now;

		hg_dp_sample_uplink(dp, i, &now);
		look(&seconds->uplinks[i], "uplink", now.link, now.reason, tell, user);
	}
	for (uint32_t i = 0; i < seconds->n_ports; i++) {
		struct hg_dp_port_sample now;

		hg_dp_sample_port(dp, i, &now);
		look(&seconds->ports[i], "port", now.link, now.reason, tell, user);
	}
}

void hg_seconds_look_cards(struct hg_seconds *seconds, struct hg_dp *dp, bool is_observed,
			   hg_card_say_fn say, void *user)
{
	for (uint32_t i = 0; i < seconds->n_uplinks; i++) {
		struct hg_dp_uplink_sample now;

		hg_dp_sample_uplink(dp, i, &now);
		hg_card_look(&seconds->cards[i], &now, is_observed, seconds->n_closed, say, user);
	}
}
