#include "api/metrics.h"

#include "api/metrics_writer.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- writing ------------------------------------------------------------------------------------ */

void hg_metrics_family(const struct hg_metrics_writer *w, const char *name, const char *type,
		       const char *help)
{
	fprintf(w->out, "# HELP %s %s.\n# TYPE %s %s\n", name, help, name, type);
}

static void host_value(const struct hg_metrics_writer *w, const char *name, const char *type,
		       const char *help, double value)
{
	hg_metrics_family(w, name, type, help);
	fprintf(w->out, "%s %.15g\n", name, value);
}

/* ---- contracts: one family at a time, as the format asks ------------------------------------------ */

enum value_kind { U64, SECONDS };

struct contract_family {
	const char *name, *type, *help;
	uint64_t (*value)(const struct hg_status_row *row, const struct hg_contract *contract,
			  enum hg_dir dir);
	enum value_kind kind;
};

#define VALUE(function, expression)                                                   \
	static uint64_t function(const struct hg_status_row *row,                     \
				 const struct hg_contract *contract, enum hg_dir dir) \
	{                                                                             \
		(void)row;                                                            \
		(void)contract;                                                       \
		return (uint64_t)(expression);                                        \
	}

VALUE(offered_bytes, row->counts[dir].offered_bytes)
VALUE(offered_pkts, row->counts[dir].offered_pkts)
VALUE(sent_bytes, row->counts[dir].sent_bytes)
VALUE(sent_pkts, row->counts[dir].sent_pkts)
VALUE(link_sent_bytes, row->counts[dir].link_sent_bytes)
VALUE(marked_pkts, row->total[dir].marked_pkts)
VALUE(waiting_bytes, row->second[dir].waiting_bytes)
VALUE(wait_p50, row->second[dir].wait_p50_ns)
VALUE(wait_p99, row->second[dir].wait_p99_ns)
VALUE(is_active, row->second[dir].is_active)
VALUE(min_rate, contract->dir[dir].min_bytes_per_s)
VALUE(max_rate, contract->dir[dir].max_bytes_per_s)

static const struct contract_family contract_families[] = {
	{"headgate_traffic_offered_bytes_total", "counter",
	 "Wire bytes that arrived to be sent or received, dropped ones too", offered_bytes, U64},
	{"headgate_traffic_offered_packets_total", "counter",
	 "Packets that arrived to be sent or received, dropped ones too", offered_pkts, U64},
	{"headgate_traffic_sent_bytes_total", "counter", "Wire bytes let through", sent_bytes, U64},
	{"headgate_traffic_sent_packets_total", "counter", "Packets let through", sent_pkts, U64},
	{"headgate_traffic_link_sent_bytes_total", "counter",
	 "Wire bytes let through on an uplink, which is what a guarantee covers", link_sent_bytes,
	 U64},
	{"headgate_traffic_marked_packets_total", "counter",
	 "Packets marked with congestion experienced", marked_pkts, U64},
	{"headgate_queue_waiting_bytes", "gauge", "Wire bytes waiting at the last second's end",
	 waiting_bytes, U64},
	{"headgate_queue_wait_p50_seconds", "gauge",
	 "Median of the waits of packets in the last second", wait_p50, SECONDS},
	{"headgate_queue_wait_p99_seconds", "gauge",
	 "99th percentile of the waits of packets in the last second", wait_p99, SECONDS},
	{"headgate_instance_active_bool", "gauge", "1 while tokens are being used up", is_active,
	 U64},
	{"headgate_contract_min_bytes_per_second", "gauge", "Guaranteed rate, 0 for none", min_rate,
	 U64},
	{"headgate_contract_max_bytes_per_second", "gauge", "Maximum rate, 0 for none", max_rate,
	 U64},
};

/* The labels of one contract in one direction; the caller closes the brace. instance NULL: a tenant. */
static void open_labels(const struct hg_metrics_writer *w, const char *name, const char *tenant,
			const char *instance, enum hg_dir dir)
{
	fprintf(w->out, "%s{tenant=\"%s\"", name, tenant);
	if (instance != NULL)
		fprintf(w->out, ",instance=\"%s\"", instance);
	fprintf(w->out, ",direction=\"%s\"", hg_dir_name(dir));
}

static void value_line(const struct hg_metrics_writer *w, uint64_t value, enum value_kind kind)
{
	if (kind == SECONDS)
		fprintf(w->out, "} %.9g\n", (double)value / (double)HG_NS_PER_S);
	else
		fprintf(w->out, "} %" PRIu64 "\n", value);
}

typedef void (*row_fn)(const struct hg_metrics_writer *w, const void *user, const char *tenant,
		       const char *instance, const struct hg_status_row *row,
		       const struct hg_contract *contract, enum hg_dir dir);

static void each_instance(const struct hg_metrics_writer *w, row_fn write, const void *user)
{
	for (uint32_t i = 0; i < w->desired->n_instances; i++) {
		const struct hg_desired_instance *instance = &w->desired->instances[i];
		struct hg_status_row row;

		hg_control_status_instance(w->control, i, &row);
		for (unsigned d = 0; d < HG_N_DIRS; d++)
			write(w, user, w->desired->tenants[instance->tenant_idx].name,
			      instance->name, &row, &instance->contract, (enum hg_dir)d);
	}
}

static void each_tenant(const struct hg_metrics_writer *w, row_fn write, const void *user)
{
	for (uint32_t i = 0; i < w->desired->n_tenants; i++) {
		const struct hg_desired_tenant *tenant = &w->desired->tenants[i];
		struct hg_status_row row;

		hg_control_status_tenant(w->control, i, &row);
		for (unsigned d = 0; d < HG_N_DIRS; d++)
			write(w, user, tenant->name, NULL, &row, &tenant->contract, (enum hg_dir)d);
	}
}

static void write_value(const struct hg_metrics_writer *w, const void *user, const char *tenant,
			const char *instance, const struct hg_status_row *row,
			const struct hg_contract *contract, enum hg_dir dir)
{
	const struct contract_family *f = user;

	open_labels(w, f->name, tenant, instance, dir);
	value_line(w, f->value(row, contract, dir), f->kind);
}

static void write_drops(const struct hg_metrics_writer *w, const void *user, const char *tenant,
			const char *instance, const struct hg_status_row *row,
			const struct hg_contract *contract, enum hg_dir dir)
{
	(void)contract;
	for (unsigned i = 0; i < HG_N_DROPS; i++) {
		open_labels(w, user, tenant, instance, dir);
		fprintf(w->out, ",reason=\"%s\"", hg_drop_name((enum hg_drop)i));
		value_line(w, row->drops[dir][i], U64);
	}
}

static void write_held(const struct hg_metrics_writer *w, const void *user, const char *tenant,
		       const char *instance, const struct hg_status_row *row,
		       const struct hg_contract *contract, enum hg_dir dir)
{
	(void)contract;
	for (unsigned i = 0; i < HG_N_LIMITS; i++) {
		open_labels(w, user, tenant, instance, dir);
		fprintf(w->out, ",limit=\"%s\"", hg_limit_name((enum hg_limit)i));
		value_line(w, row->total[dir].held_ns[i], SECONDS);
	}
}

static void write_proof(const struct hg_metrics_writer *w, const void *user, const char *tenant,
			const char *instance, const struct hg_status_row *row,
			const struct hg_contract *contract, enum hg_dir dir)
{
	const struct hg_proof *proof = &row->proof[dir];
	const struct {
		const char *name;
		uint64_t n;
	} verdicts[] = {{"kept", proof->kept},
			{"missed_min", proof->missed_min},
			{"missed_max", proof->missed_max},
			{"stolen", proof->stolen}};

	(void)contract;
	for (unsigned i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		open_labels(w, user, tenant, instance, dir);
		fprintf(w->out, ",verdict=\"%s\"", verdicts[i].name);
		value_line(w, verdicts[i].n, U64);
	}
}

static void write_contracts(const struct hg_metrics_writer *w)
{
	static const char drops[] = "headgate_traffic_dropped_packets_total";
	static const char held[] = "headgate_traffic_held_seconds_total";
	static const char instance_proof[] = "headgate_contract_judged_seconds_total";
	static const char tenant_proof[] = "headgate_tenant_contract_judged_seconds_total";

	for (size_t i = 0; i < sizeof(contract_families) / sizeof(contract_families[0]); i++) {
		const struct contract_family *f = &contract_families[i];

		hg_metrics_family(w, f->name, f->type, f->help);
		each_instance(w, write_value, f);
	}
	hg_metrics_family(w, drops, "counter", "Packets dropped, by reason");
	each_instance(w, write_drops, drops);
	hg_metrics_family(w, held, "counter",
			  "Time in which something waited, by the limit that held it");
	each_instance(w, write_held, held);
	hg_metrics_family(w, instance_proof, "counter",
			  "Seconds since the contract last changed, by the rule of measure");
	each_instance(w, write_proof, instance_proof);
	hg_metrics_family(
		w, tenant_proof, "counter",
		"Seconds since the tenant's contract last changed, by the rule of measure");
	each_tenant(w, write_proof, tenant_proof);
}

/* ---- ports, links, host --------------------------------------------------------------------------- */

static void write_uplinks(const struct hg_metrics_writer *w)
{
	static const char sent[] = "headgate_uplink_carried_bytes_total";
	static const char up[] = "headgate_uplink_up_bool";
	struct hg_status_uplink status;

	hg_metrics_family(w, sent, "counter", "Wire bytes carried by the uplink");
	for (uint32_t i = 0; i < w->desired->n_uplinks; i++) {
		hg_control_status_uplink(w->control, i, &status);
		fprintf(w->out, "%s{uplink=\"%s\",direction=\"out\"} %" PRIu64 "\n", sent,
			w->desired->uplinks[i].name, status.tx_wire_bytes);
		fprintf(w->out, "%s{uplink=\"%s\",direction=\"in\"} %" PRIu64 "\n", sent,
			w->desired->uplinks[i].name, status.rx_wire_bytes);
	}
	hg_metrics_family(w, up, "gauge", "1 while the uplink is up");
	for (uint32_t i = 0; i < w->desired->n_uplinks; i++) {
		hg_control_status_uplink(w->control, i, &status);
		fprintf(w->out, "%s{uplink=\"%s\"} %d\n", up, w->desired->uplinks[i].name,
			status.link[0] == 'u');
	}
}

static void write_refused(const struct hg_metrics_writer *w, const char *name, uint32_t idx)
{
	const struct hg_desired_port *port = &w->desired->ports[idx];
	struct hg_status_port status;

	hg_control_status_port(w->control, idx, &status);
	for (unsigned i = 0; i < HG_N_GUEST_REFUSALS; i++) {
		if (status.n_refused_guests[i] > 0)
			fprintf(w->out,
				"%s{port=\"%s\",instance=\"%s\",reason=\"%s\"} %" PRIu64 "\n", name,
				port->name, w->desired->instances[port->instance_idx].name,
				hg_guest_refusal_name((enum hg_guest_refusal)i),
				status.n_refused_guests[i]);
	}
}

static void write_ports(const struct hg_metrics_writer *w)
{
	static const char up[] = "headgate_port_up_bool";
	static const char refused[] = "headgate_port_refused_guests_total";
	struct hg_status_port status;

	hg_metrics_family(w, up, "gauge", "1 while the port is up");
	for (uint32_t i = 0; i < w->desired->n_ports; i++) {
		const struct hg_desired_port *port = &w->desired->ports[i];

		hg_control_status_port(w->control, i, &status);
		fprintf(w->out, "%s{port=\"%s\",instance=\"%s\"} %d\n", up, port->name,
			w->desired->instances[port->instance_idx].name, status.link[0] == 'u');
	}
	hg_metrics_family(w, refused, "counter", "Guests not connected or sent away, by reason");
	for (uint32_t i = 0; i < w->desired->n_ports; i++)
		write_refused(w, refused, i);
}

static void write_host(const struct hg_metrics_writer *w, const char *version, hg_ns now_ns)
{
	static const char drops[] = "headgate_host_dropped_packets_total";
	static const char info[] = "headgate_build_info";
	struct hg_status_host host;

	hg_control_status_host(w->control, now_ns, &host);
	hg_metrics_family(w, info, "gauge", "1, with the version as a label");
	fprintf(w->out, "%s{version=\"%s\"} 1\n", info, version);
	host_value(w, "headgate_host_up_seconds", "gauge", "Time since the daemon started",
		   (double)host.up_for_ns / 1e9);
	host_value(w, "headgate_config_applied_changes_total", "counter",
		   "States that came into force", (double)host.generation);
	host_value(w, "headgate_host_closed_seconds_total", "counter", "Seconds measured",
		   (double)host.seconds);
	host_value(w, "headgate_host_stolen_seconds_total", "counter",
		   "Seconds in which processor time was stolen from the host",
		   (double)host.stolen_seconds);
	host_value(w, "headgate_worker_busy_ratio", "gauge",
		   "Share of one processor that the workers used in the last second",
		   (double)host.busy_ppm / 1e6);
	host_value(w, "headgate_buffer_free_packets", "gauge", "Packet buffers that are free",
		   (double)host.free_buffers);
	host_value(w, "headgate_host_heap_bytes", "gauge",
		   "Memory allocated and not freed, without packet buffers",
		   (double)host.heap_bytes);
	hg_metrics_family(w, drops, "counter",
			  "Packets dropped that no instance can be charged with");
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		fprintf(w->out, "%s{reason=\"%s\"} %" PRIu64 "\n", drops,
			hg_drop_name((enum hg_drop)i), host.drops[i]);
}

static void write_connections(const struct hg_metrics_writer *w,
			      const struct hg_connections *connections)
{
	static const char refused[] = "headgate_interface_refused_total";

	host_value(w, "headgate_interface_connections", "gauge", "Connections to the interface",
		   (double)connections->n);
	hg_metrics_family(w, refused, "counter",
			  "Connections closed and requests refused before they were looked at");
	for (unsigned i = 0; i < HG_N_REFUSALS; i++)
		fprintf(w->out, "%s{reason=\"%s\"} %" PRIu64 "\n", refused,
			hg_refusal_name((enum hg_refusal)i), connections->n_refused[i]);
}

int hg_metrics_text(const struct hg_control *control, const struct hg_connections *connections,
		    const char *version, hg_ns now_ns, char **ret_text, size_t *ret_n_bytes)
{
	char *text = NULL;
	size_t n_bytes = 0;
	int rc;
	struct hg_metrics_writer w = {.control = control, .desired = hg_control_desired(control)};

	w.out = open_memstream(&text, &n_bytes);
	if (w.out == NULL)
		return -HG_ENOMEM;
	write_host(&w, version, now_ns);
	if (connections != NULL)
		write_connections(&w, connections);
	write_uplinks(&w);
	hg_metrics_cards(&w);
	write_ports(&w);
	write_contracts(&w);
	rc = hg_metrics_credits(&w);
	if (fclose(w.out) != 0 || rc < 0) {
		free(text);
		return -HG_ENOMEM;
	}
	*ret_text = text;
	*ret_n_bytes = n_bytes;
	return 0;
}
