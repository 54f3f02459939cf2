/* path: the whole packet lane between devices of memory, led by bench/path.py. Usage: bench_path REMOTE MOST
 *
 * Model      REMOTE is the file of bench/remote.h. Up to MOST instances, 16 a tenant, each with a port that has an
 *            address and a MAC address, a guarantee, and maxima that are never reached, as its tenant has. A request
 *            says how many there are, how many flows they send together, which way, and what is switched off:
 *              out   instances make frames, and an uplink releases what it is given
 *              in    the uplink makes frames to all instances, whose devices release them
 *            With 3 instances the first one sends alone, as a rival's one port does; with more, all do.
 */
#include "bench/host.h"
#include "bench/path_frame.h"
#include "bench/remote.h"
#include "dataplane/dataplane.h"
#include "drivers/dummy.h"
#include "vswitch/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PER_TENANT 16u
#define INSTANCES_MOST 4096u
#define LONE_SENDER_INSTANCES 3u
#define CAPACITY_BYTES_PER_S UINT64_C(12500000000)
#define LOOK_NS HG_NS_PER_MS

/* Bits of what is switched off; bench/path.py knows them. */
enum { OFF_GUARD = 1, OFF_CONTRACTS = 2, OFF_HOLDING = 4, OFF_INFLIGHT = 8, OFF_ADDRESSES = 16 };

static struct hg_remote *remote;
static struct hg_dp *dp;
static struct hg_desired desired;
static struct hg_desired_uplink uplink = {.name = "up0",
					  .device = "dummy:up0",
					  .capacity_bytes_per_s = CAPACITY_BYTES_PER_S,
					  .mtu = HG_MTU_DEFAULT};
static struct hg_dummy *fars[INSTANCES_MOST], *out;
static uint8_t (*frames)[PATH_FRAME_BYTES];
static uint8_t in_frame[PATH_FRAME_BYTES];

static void die(const char *what, const char *why)
{
	fprintf(stderr, "path: %s: %s\n", what, why);
	exit(1);
}

static void *array(size_t n, size_t size)
{
	void *memory = calloc(n, size);

	if (memory == NULL)
		die("out of memory", "instances");
	return memory;
}

static void set_contract(struct hg_contract *contract, uint64_t min_bytes_per_s, bool is_off)
{
	hg_contract_init(contract);
	for (unsigned dir = 0; dir < HG_N_DIRS && !is_off; dir++) {
		contract->dir[dir].min_bytes_per_s = min_bytes_per_s;
		contract->dir[dir].max_bytes_per_s = CAPACITY_BYTES_PER_S;
		contract->dir[dir].burst_bytes = HG_BURST_MAX_BYTES / 2;
	}
}

static void set_instance(uint32_t i, uint64_t off)
{
	struct hg_desired_port *port = &desired.ports[i];

	set_contract(&desired.instances[i].contract, CAPACITY_BYTES_PER_S / 2 / desired.n_instances,
		     off & OFF_CONTRACTS);
	port->has_mac = !(off & OFF_GUARD);
	port->n_addresses = off & (OFF_GUARD | OFF_ADDRESSES) ? 0 : 1;
}

static void describe(uint32_t n)
{
	desired.uplinks = &uplink;
	desired.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM;
	desired.tenants = array(n / PER_TENANT + 1u, sizeof(*desired.tenants));
	desired.instances = array(n, sizeof(*desired.instances));
	desired.ports = array(n, sizeof(*desired.ports));
	frames = array(n, sizeof(*frames));
	for (uint32_t t = 0; t < n / PER_TENANT + 1u; t++)
		snprintf(desired.tenants[t].name, HG_NAME_BYTES, "t%u", t);
	for (uint32_t i = 0; i < n; i++) {
		struct hg_desired_port *port = &desired.ports[i];

		path_frame(frames[i], i);
		desired.instances[i].tenant_idx = i / PER_TENANT;
		snprintf(desired.instances[i].name, HG_NAME_BYTES, "i%u", i);
		snprintf(port->name, HG_NAME_BYTES, "i%u", i);
		snprintf(port->device, HG_DEVICE_BYTES, "dummy(ring=64):i%u", i);
		memcpy(port->mac, frames[i] + PATH_SRC_AT - 2, HG_MAC_BYTES);
		memcpy(port->addresses[0].bytes, frames[i] + PATH_ADDRESS_AT, 4);
		port->addresses[0].len = 4;
		port->mtu = HG_MTU_DEFAULT;
		port->instance_idx = i;
	}
	/* To an instance from outside. */
	path_frame(in_frame, 0);
	memcpy(in_frame, in_frame + 6, 6);
	memcpy(in_frame + 6, (const uint8_t[]){6, 0, 0, 0, 0, 1}, 6);
}

static void apply(uint32_t n, uint64_t off)
{
	struct hg_error err = {0};

	desired.n_uplinks = 1;
	desired.n_instances = desired.n_ports = n;
	desired.n_tenants = (n + PER_TENANT - 1u) / PER_TENANT;
	desired.mode = off & OFF_HOLDING ? HG_MODE_OBSERVE : HG_MODE_ENFORCE;
	uplink.is_inflight_off = (off & OFF_INFLIGHT) != 0;
	for (uint32_t t = 0; t < desired.n_tenants; t++)
		set_contract(&desired.tenants[t].contract, 0, off & OFF_CONTRACTS);
	for (uint32_t i = 0; i < n; i++)
		set_instance(i, off);
	if (hg_dp_apply(dp, &desired, &err) != 0)
		die("refused", err.text);
}

static void make_fars(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		fars[i] = bench_far(dp, &desired.ports[i]);
		hg_dummy_sink(fars[i], true);
	}
}

/* All devices are closed while the frames are changed: no worker reads them then. */
static void go_silent(uint32_t n)
{
	struct hg_error err = {0};

	desired.n_instances = desired.n_ports = desired.n_tenants = desired.n_uplinks = 0;
	if (hg_dp_apply(dp, &desired, &err) != 0)
		die("refused", err.text);
	hg_dummy_generate(out, NULL, 0);
	for (uint32_t i = 0; i < n; i++)
		hg_dummy_generate(fars[i], NULL, 0);
}

static void make_frames(uint32_t n_instances, uint32_t n_flows, bool is_in)
{
	uint32_t n_senders = n_instances <= LONE_SENDER_INSTANCES ? 1 : n_instances;
	uint32_t n_each = n_flows > n_senders ? n_flows / n_senders : 1;

	if (is_in) {
		hg_dummy_generate(out, in_frame, PATH_FRAME_BYTES);
		hg_dummy_vary(out, PATH_DST_AT, n_instances);
		return;
	}
	for (uint32_t i = 0; i < n_senders; i++) {
		hg_dummy_generate(fars[i], frames[i], PATH_FRAME_BYTES);
		hg_dummy_vary(fars[i], PATH_FLOW_AT, n_each);
	}
}

static uint64_t n_dropped(void)
{
	struct hg_dp_uplink_sample link;
	struct hg_dp_host_sample host;
	struct hg_dp_flow flow;
	uint64_t n = 0;

	hg_dp_sample_uplink(dp, 0, &link);
	hg_dp_sample_host(dp, &host);
	for (unsigned reason = 0; reason < HG_N_DROPS; reason++)
		n += link.drops[reason] + host.drops[reason];
	for (uint32_t t = 0; t < desired.n_tenants; t++) {
		for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
			hg_dp_sample_tenant(dp, t, (enum hg_dir)dir, &flow);
			for (unsigned reason = 0; reason < HG_N_DROPS; reason++)
				n += flow.drops[reason];
		}
	}
	return n;
}

static void answer(void)
{
	static uint64_t last[4] = {0};
	const uint64_t now[4] = {remote->n_flows, remote->n_instances, remote->off, remote->is_in};
	const uint32_t n = (uint32_t)remote->n_instances;
	struct hg_dp_uplink_sample sample;
	uint64_t at_ns;

	if (memcmp(last, now, sizeof(now)) != 0) {
		go_silent((uint32_t)last[1]);
		make_frames(n, (uint32_t)remote->n_flows, remote->is_in);
		apply(n, remote->off);
		memcpy(last, now, sizeof(now));
	}
	hg_dp_sample_uplink(dp, 0, &sample);
	at_ns = (uint64_t)bench_clock_ns(CLOCK_MONOTONIC);
	remote->pkts = remote->is_in ? sample.rx_pkts : sample.tx_pkts;
	remote->at_ns = at_ns;
	remote->drops = n_dropped();
	remote->answered = remote->asked;
}

int main(int argc, char **argv)
{
	struct hg_error err = {0};
	struct hg_dp_cfg cfg;
	uint32_t most;

	if (argc != 3)
		die("usage", "bench_path REMOTE MOST");
	remote = hg_remote_map(argv[1]);
	most = (uint32_t)atoi(argv[2]);
	if (remote == NULL || most < 1 || most > INSTANCES_MOST)
		die("usage", "MOST in [1, 4096]");
	describe(most);
	out = hg_dummy_hold("up0");
	hg_dummy_sink(out, true);
	hg_dp_cfg_init(&cfg);
	if (hg_dp_create(&cfg, &dp, &err) != 0)
		die("no packet lane", err.text);
	make_fars(most);
	while (!remote->is_over) {
		if (remote->asked != remote->answered)
			answer();
		bench_rest(LOOK_NS);
	}
	hg_dp_destroy(dp, /* keep_devices= */ false);
	return 0;
}
