#define HG_TESTS_HELPER
#include "tests/component/hosts.h"

#include "dataplane/handover.h"
#include "tests/frames.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUFFERS 8192u
#define UPLINK_BYTES_PER_S UINT64_C(1250000000)
/* Where a frame of host_packet() has its number: behind Ethernet, IPv4 and UDP. */
#define NUMBER_OFFSET 42u
#define ECT_0 2u

/* The far machine behind the uplink. */
static const uint8_t outside_mac[HG_MAC_BYTES] = {2, 0, 0, 1, 0, 0};

/* ---- life --------------------------------------------------------------------------------------- */

static void end_load(struct host *h)
{
	if (h->load == NULL)
		return;
	h->load->want_stop = true;
	pthread_join(h->load->thread, NULL);
	h->load = NULL;
}

static void forget(struct host *h)
{
	if (h->load != NULL)
		h->load->is_wrong = true; /* a failed test's: do not wait for its packets */
	end_load(h);
	hg_dp_destroy(h->dp, /* keep_devices= */ false);
	h->dp = NULL;
	for (uint32_t i = 0; i < h->n_fars; i++)
		hg_dummy_release(h->fars[i]);
	h->n_fars = 0;
}

static void hold_far(struct host *h, const char *name)
{
	h->fars[h->n_fars] = hg_dummy_hold(name);
	HG_CHECK(h->fars[h->n_fars] != NULL);
	h->n_fars++;
}

void host_init(struct host *h)
{
	uint32_t a, b;

	forget(h);
	memset(h, 0, sizeof(*h));
	h->desired.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM;
	h->desired.uplinks = h->uplinks;
	h->desired.tenants = h->tenants;
	h->desired.instances = h->instances;
	h->desired.ports = h->ports;
	h->desired.n_uplinks = 1;
	h->uplinks[0] = (struct hg_desired_uplink){.name = "up0",
						   .device = "dummy:up0",
						   .capacity_bytes_per_s = UPLINK_BYTES_PER_S,
						   .mtu = HG_MTU_DEFAULT,
						   .is_inflight_off = true};
	hold_far(h, "up0");
	a = host_add_tenant(h, "a", 0);
	b = host_add_tenant(h, "b", 0);
	host_add_instance(h, "a1", a);
	host_add_instance(h, "a2", a);
	host_add_instance(h, "b1", b);
}

static struct hg_dp *create_lane(const struct host *h, uint32_t n_workers)
{
	struct hg_error err = {0};
	struct hg_dp_cfg cfg;
	struct hg_dp *dp;

	hg_dp_cfg_init(&cfg);
	cfg.n_workers = n_workers;
	cfg.n_buffers = h->n_buffers != 0 ? h->n_buffers : BUFFERS;
	cfg.max_tenants = 64;
	cfg.max_instances = 1024;
	cfg.max_ports = 1024;
	cfg.want_hugepages = false;
	if (h->behaviour_interval_ns != 0)
		cfg.behaviour_interval_ns = h->behaviour_interval_ns;
	if (hg_dp_create(&cfg, &dp, &err) != 0)
		HG_TEST_FAIL("no packet lane: %s", err.text);
	return dp;
}

static void apply(const struct host *h, struct hg_dp *dp)
{
	struct hg_error err = {0};

	if (hg_dp_apply(dp, &h->desired, &err) != 0)
		HG_TEST_FAIL("refused: %s: %s", err.path, err.text);
}

void host_start(struct host *h, uint32_t n_workers)
{
	h->dp = create_lane(h, n_workers);
	host_apply(h);
}

struct hg_dp *host_another_lane(const struct host *h, uint32_t n_workers)
{
	struct hg_dp *dp = create_lane(h, n_workers);

	hg_dp_adopt(dp, NULL, 0);
	apply(h, dp);
	return dp;
}

/* ---- a standstill ------------------------------------------------------------------------------- */

static _Atomic bool must_stand;
static _Atomic unsigned n_standing;

/* A signal's: any thread's, wherever it is. */
static void stand(int number)
{
	const struct timespec t = {.tv_nsec = HG_NS_PER_MS};
	int kept = errno;

	(void)number;
	n_standing++;
	while (must_stand)
		(void)nanosleep(&t, NULL);
	n_standing--;
	errno = kept;
}

/* A sanitizer's own thread takes no signal, and runs nothing of ours. */
static bool takes_signals(pid_t id)
{
	uint64_t blocked = 0;
	char line[128];
	FILE *status;

	snprintf(line, sizeof(line), "/proc/self/task/%d/status", id);
	status = fopen(line, "re");
	while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
		if (sscanf(line, "SigBlk: %" SCNx64, &blocked) == 1)
			break;
	}
	if (status != NULL)
		fclose(status);
	return (blocked >> (SIGUSR1 - 1) & 1u) == 0;
}

/* Returns how many there are. */
static unsigned stop_other_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	unsigned n = 0;

	HG_CHECK(dir != NULL);
	while ((entry = readdir(dir)) != NULL) {
		pid_t id = (pid_t)atoi(entry->d_name);

		if (id > 0 && id != gettid() && takes_signals(id))
			n += syscall(SYS_tgkill, getpid(), id, SIGUSR1) == 0;
	}
	closedir(dir);
	return n;
}

void host_stand_still(hg_ns for_ns)
{
	struct sigaction action = {.sa_handler = stand, .sa_flags = SA_RESTART};
	hg_ns until_ns;
	unsigned n;

	HG_CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	must_stand = true;
	n = stop_other_threads();
	WAIT_FOR(n_standing == n);
	until_ns = clock_now_ns() + for_ns;
	WAIT_FOR(clock_now_ns() >= until_ns);
	must_stand = false;
	WAIT_FOR(n_standing == 0);
}

/* ---- the end ------------------------------------------------------------------------------------ */

static bool is_all_back(struct host *h)
{
	struct hg_dp_host_sample sample;

	for (uint32_t i = 0; i < h->n_fars; i++) {
		struct hg_pkt *pkts[32];
		unsigned n;

		while ((n = hg_dummy_collect(h->fars[i], pkts, 32)) > 0)
			hg_pool_put(hg_dp_pool(h->dp), pkts, n);
	}
	hg_dp_sample_host(h->dp, &sample);
	return sample.free_buffers == sample.n_buffers;
}

void host_close(struct host *h)
{
	for (uint32_t i = 0; i < h->desired.n_tenants; i++)
		hg_contract_init(&h->tenants[i].contract);
	for (uint32_t i = 0; i < h->desired.n_instances; i++)
		hg_contract_init(&h->instances[i].contract);
	host_apply(h);
	WAIT_FOR(is_all_back(h));
	forget(h);
}

/* ---- the desired state -------------------------------------------------------------------------- */

uint32_t host_add_tenant(struct host *h, const char *name, uint32_t uplink_idx)
{
	struct hg_desired_tenant *tenant = &h->tenants[h->desired.n_tenants];

	HG_CHECK(h->desired.n_tenants < HOST_TENANTS_MAX);
	*tenant = (struct hg_desired_tenant){.uplink_idx = uplink_idx};
	snprintf(tenant->name, sizeof(tenant->name), "%s", name);
	hg_contract_init(&tenant->contract);
	return h->desired.n_tenants++;
}

uint32_t host_add_instance(struct host *h, const char *name, uint32_t tenant_idx)
{
	uint32_t idx = h->desired.n_instances;
	struct hg_desired_instance *instance = &h->instances[idx];
	struct hg_desired_port *port = &h->ports[idx];

	HG_CHECK(idx < HOST_INSTANCES_MAX);
	*instance = (struct hg_desired_instance){.tenant_idx = tenant_idx};
	snprintf(instance->name, sizeof(instance->name), "%s", name);
	hg_contract_init(&instance->contract);
	*port = (struct hg_desired_port){.has_mac = true,
					 .mtu = HG_MTU_DEFAULT,
					 .max_learned = HG_PORT_LEARN_DEFAULT,
					 .instance_idx = idx};
	snprintf(port->name, sizeof(port->name), "%s", name);
	snprintf(port->device, sizeof(port->device), "dummy:%s", name);
	port->mac[0] = 2;
	hg_bytes_put16(port->mac + 4, idx + 1u);
	if (host_far(h, name) == NULL)
		hold_far(h, name);
	h->desired.n_instances++;
	h->desired.n_ports++;
	return idx;
}

void host_remove_last_instance(struct host *h)
{
	h->desired.n_instances--;
	h->desired.n_ports--;
}

uint32_t host_tenant(const struct host *h, const char *name)
{
	for (uint32_t i = 0; i < h->desired.n_tenants; i++) {
		if (strcmp(h->tenants[i].name, name) == 0)
			return i;
	}
	HG_TEST_FAIL("no tenant %s", name);
}

uint32_t host_instance(const struct host *h, const char *name)
{
	for (uint32_t i = 0; i < h->desired.n_instances; i++) {
		if (strcmp(h->instances[i].name, name) == 0)
			return i;
	}
	HG_TEST_FAIL("no instance %s", name);
}

static void limit(struct hg_policy *policy, uint64_t bytes_per_s, uint64_t burst_bytes)
{
	policy->max_bytes_per_s = bytes_per_s;
	policy->burst_bytes = burst_bytes;
	policy->reserve_bytes = burst_bytes;
}

void host_limit(struct host *h, const char *instance, enum hg_dir dir, uint64_t bytes_per_s,
		uint64_t burst_bytes)
{
	limit(&h->instances[host_instance(h, instance)].contract.dir[dir], bytes_per_s,
	      burst_bytes);
}

void host_limit_tenant(struct host *h, const char *tenant, enum hg_dir dir, uint64_t bytes_per_s,
		       uint64_t burst_bytes)
{
	limit(&h->tenants[host_tenant(h, tenant)].contract.dir[dir], bytes_per_s, burst_bytes);
}

void host_apply(struct host *h)
{
	apply(h, h->dp);
}

/* ---- packets ------------------------------------------------------------------------------------ */

struct hg_dummy *host_far(struct host *h, const char *name)
{
	struct hg_dummy *far = hg_dummy_find(name);

	for (uint32_t i = 0; i < h->n_fars; i++) {
		if (h->fars[i] == far)
			return far;
	}
	return NULL;
}

const uint8_t *host_mac(const struct host *h, const char *name)
{
	return strcmp(name, "up0") == 0 ? outside_mac : h->ports[host_instance(h, name)].mac;
}

static void write_frame(const uint8_t *from, const uint8_t *to, uint8_t *bytes, uint32_t n_bytes,
			uint32_t number)
{
	uint8_t *ip = bytes + HG_ETHER_BYTES, *udp = ip + HG_IP4_BYTES;

	memset(bytes, 0, n_bytes);
	memcpy(bytes, to, HG_MAC_BYTES);
	memcpy(bytes + HG_MAC_BYTES, from, HG_MAC_BYTES);
	hg_bytes_put16(bytes + 12, HG_ETHERTYPE_IP4);
	ip[0] = 0x45;
	ip[1] = ECT_0;
	hg_bytes_put16(ip + 2, n_bytes - HG_ETHER_BYTES);
	ip[8] = 64;
	ip[9] = HG_IP_UDP;
	hg_bytes_put16(udp, 1000);
	hg_bytes_put16(udp + 2, 2000);
	hg_bytes_put16(udp + 4, n_bytes - HG_ETHER_BYTES - HG_IP4_BYTES);
	hg_bytes_put32(bytes + NUMBER_OFFSET, number);
}

void host_write_frame(const struct host *h, const char *from, const char *to, uint8_t *bytes,
		      uint32_t n_bytes)
{
	write_frame(host_mac(h, from), host_mac(h, to), bytes, n_bytes, 0);
}

static struct hg_pkt *make_packet(struct hg_pool *pool, const uint8_t *from, const uint8_t *to,
				  uint32_t n_bytes, uint32_t number)
{
	struct hg_pkt *pkt = hg_pkt_create_chain(pool, n_bytes);

	if (pkt == NULL)
		return NULL;
	write_frame(from, to, pkt->data, n_bytes, number);
	pkt->flags = 0;
	pkt->gso = HG_GSO_NONE;
	pkt->gso_ecn = false;
	return pkt;
}

struct hg_pkt *host_packet(struct host *h, const char *from, const char *to, uint32_t n_bytes,
			   uint32_t number)
{
	return make_packet(hg_dp_pool(h->dp), host_mac(h, from), host_mac(h, to), n_bytes, number);
}

uint32_t packet_number(const struct hg_pkt *pkt)
{
	return hg_bytes_get32(pkt->data + NUMBER_OFFSET);
}

void host_inject(struct host *h, const char *name, struct hg_pkt *pkt)
{
	struct hg_dummy *far = host_far(h, name);

	HG_CHECK(pkt != NULL && far != NULL);
	WAIT_FOR(hg_dummy_inject(far, &pkt, 1) == 1);
}

void host_send(struct host *h, const char *from, const char *to, uint32_t n_bytes, uint32_t first,
	       uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		host_inject(h, from, host_packet(h, from, to, n_bytes, first + i));
}

struct hg_pkt *host_receive(struct host *h, const char *name)
{
	struct hg_dummy *far = host_far(h, name);
	struct hg_pkt *pkt;

	HG_CHECK(far != NULL);
	WAIT_FOR(hg_dummy_collect(far, &pkt, 1) == 1);
	return pkt;
}

void host_expect(struct host *h, const char *name, uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct hg_pkt *pkt = host_receive(h, name);
		uint32_t number = packet_number(pkt);

		host_release(h, pkt);
		HG_CHECK_EQ(number, first + i);
	}
}

unsigned host_discard(struct host *h, const char *name)
{
	struct hg_pkt *pkts[32];
	unsigned n, n_all = 0;

	while ((n = hg_dummy_collect(host_far(h, name), pkts, 32)) > 0) {
		hg_pool_put(hg_dp_pool(h->dp), pkts, n);
		n_all += n;
	}
	return n_all;
}

void host_release(struct host *h, struct hg_pkt *pkt)
{
	hg_pool_put(hg_dp_pool(h->dp), &pkt, 1);
}

/* ---- measurements ------------------------------------------------------------------------------- */

struct hg_dp_flow host_flow(struct host *h, const char *instance, enum hg_dir dir)
{
	struct hg_dp_flow flow;

	WAIT_FOR(hg_dp_publish(h->dp));
	hg_dp_sample_instance(h->dp, host_instance(h, instance), dir, &flow);
	return flow;
}

struct hg_dp_flow host_tenant_flow(struct host *h, const char *tenant, enum hg_dir dir)
{
	struct hg_dp_flow flow;

	WAIT_FOR(hg_dp_publish(h->dp));
	hg_dp_sample_tenant(h->dp, host_tenant(h, tenant), dir, &flow);
	return flow;
}

struct hg_dp_port_sample host_port(struct host *h, const char *port)
{
	struct hg_dp_port_sample sample;

	hg_dp_sample_port(h->dp, host_instance(h, port), &sample);
	return sample;
}

struct hg_dp_uplink_sample host_uplink(struct host *h)
{
	struct hg_dp_uplink_sample sample;

	hg_dp_sample_uplink(h->dp, 0, &sample);
	return sample;
}

uint64_t flow_drops(const struct hg_dp_flow *flow)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HG_N_DROPS; i++)
		n += flow->drops[i];
	return n;
}

/* ---- load --------------------------------------------------------------------------------------- */

static void fail(struct load *load, const struct stream *s, uint32_t number)
{
	snprintf(load->wrong, sizeof(load->wrong), "%s -> %s: packet %u came, %u was next", s->from,
		 s->to, number, s->got);
	load->is_wrong = true;
}

/* The stream that a packet which came out at `far` belongs to. */
static struct stream *stream_of(struct load *load, const struct hg_dummy *far,
				const struct hg_pkt *pkt)
{
	for (uint32_t i = 0; i < load->n_streams; i++) {
		struct stream *s = &load->streams[i];

		if (s->to_far == far &&
		    memcmp(pkt->data + HG_MAC_BYTES, s->from_mac, HG_MAC_BYTES) == 0)
			return s;
	}
	return NULL;
}

static void take_in(struct load *load, struct hg_dummy *far)
{
	struct hg_pkt *pkts[32];
	unsigned n = hg_dummy_collect(far, pkts, 32);

	for (unsigned i = 0; i < n; i++) {
		struct stream *s = stream_of(load, far, pkts[i]);
		uint32_t number = packet_number(pkts[i]);

		if (s != NULL && number != s->got)
			fail(load, s, number);
		if (s != NULL)
			s->got++;
	}
	load->got += n;
	hg_pool_put(hg_dp_pool(load->h->dp), pkts, n);
}

static void give(struct load *load, struct stream *s)
{
	while (s->sent - s->got < s->window) {
		struct hg_pkt *pkt = make_packet(hg_dp_pool(load->h->dp), s->from_mac, s->to_mac,
						 s->n_bytes, s->sent);

		if (pkt == NULL)
			return;
		if (hg_dummy_inject(s->from_far, &pkt, 1) == 0) {
			host_release(load->h, pkt);
			return;
		}
		s->sent++;
	}
}

static bool is_under_way(const struct load *load)
{
	for (uint32_t i = 0; i < load->n_streams; i++) {
		if (load->streams[i].sent != load->streams[i].got)
			return true;
	}
	return false;
}

static void *run_load(void *arg)
{
	struct load *load = arg;
	hg_ns until_ns = HG_NEVER;

	while (!load->is_wrong && (!load->want_stop || is_under_way(load))) {
		for (uint32_t i = 0; i < load->n_streams; i++) {
			if (!load->want_stop)
				give(load, &load->streams[i]);
			take_in(load, load->streams[i].to_far);
		}
		if (load->want_stop && until_ns == HG_NEVER)
			until_ns = clock_now_ns() + PATIENCE_NS;
		if (clock_now_ns() > until_ns) {
			snprintf(load->wrong, sizeof(load->wrong), "packets never came out");
			load->is_wrong = true;
		}
		sched_yield();
	}
	return NULL;
}

void load_start(struct load *load, struct host *h, struct stream *streams, uint32_t n_streams)
{
	*load = (struct load){.h = h, .streams = streams, .n_streams = n_streams};
	for (uint32_t i = 0; i < n_streams; i++) {
		streams[i].from_far = host_far(h, streams[i].from);
		streams[i].to_far = host_far(h, streams[i].to);
		HG_CHECK(streams[i].from_far != NULL && streams[i].to_far != NULL);
		streams[i].sent = streams[i].got = 0;
		memcpy(streams[i].from_mac, host_mac(h, streams[i].from), HG_MAC_BYTES);
		memcpy(streams[i].to_mac, host_mac(h, streams[i].to), HG_MAC_BYTES);
	}
	HG_CHECK_EQ(pthread_create(&load->thread, NULL, run_load, load), 0);
	h->load = load;
}

static void say_drops(const char *whose, const char *where, const uint64_t *drops)
{
	for (unsigned i = 0; i < HG_N_DROPS; i++) {
		if (drops[i] > 0)
			fprintf(stderr, "dropped: %s%s: %llu, %s\n", whose, where,
				(unsigned long long)drops[i], hg_drop_name((enum hg_drop)i));
	}
}

/* Where packets are missing, what became of them. */
static void say_all_drops(struct host *h)
{
	struct hg_dp_uplink_sample uplink = host_uplink(h);
	struct hg_dp_host_sample sample;

	hg_dp_sample_host(h->dp, &sample);
	say_drops("the host", "", sample.drops);
	say_drops("the uplink", "", uplink.drops);
	for (uint32_t i = 0; i < h->desired.n_instances; i++) {
		const char *name = h->instances[i].name;
		struct hg_dp_flow out = host_flow(h, name, HG_OUT), in = host_flow(h, name, HG_IN);
		struct hg_dp_port_sample port = host_port(h, name);

		say_drops(name, " sends", out.drops);
		say_drops(name, " receives", in.drops);
		say_drops(name, "'s port", port.drops);
	}
}

void load_stop(struct load *load)
{
	end_load(load->h);
	if (!load->is_wrong)
		return;
	say_all_drops(load->h);
	HG_TEST_FAIL("%s", load->wrong);
}
