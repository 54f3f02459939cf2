/* Changes while traffic flows: nothing is lost, nothing ends where it should not. */
#include "tests/component/hosts.h"

#include <unistd.h>

static struct host host;
static struct load load;

#define CHANGES 1000u

/* Other limits for a1 and its tenant, never so low that the streams of a test would not end. */
static void change_contracts(uint32_t n)
{
	struct hg_policy *policy = &host.instances[0].contract.dir[HG_OUT];

	host_limit(&host, "a1", HG_OUT, n % 3 == 0 ? 0 : 20000000 + n * 100000, 16384 + n * 10);
	host_limit(&host, "a1", HG_IN, n % 5 == 0 ? 30000000 : 0, 65536);
	policy->weight = 1 + n % 100;
	policy->min_bytes_per_s = n % 2 == 0 ? 0 : 1000000;
	policy->max_pkts_per_s = n % 7 == 0 ? 1000000 : 0;
	host_limit_tenant(&host, "a", HG_OUT, n % 4 == 0 ? 0 : 100000000, 65536);
	host.tenants[0].contract.dir[HG_OUT].weight = 1 + n % 10;
}

static void change_under_load(uint32_t n_workers)
{
	static struct stream streams[] = {
		{.from = "a1", .to = "up0", .n_bytes = 1000, .window = 60},
		{.from = "up0", .to = "a1", .n_bytes = 500, .window = 60},
		{.from = "a1", .to = "a2", .n_bytes = 300, .window = 60},
		{.from = "b1", .to = "up0", .n_bytes = 1514, .window = 30},
	};

	for (unsigned i = 0; i < 4; i++)
		streams[i].sent = streams[i].got = 0;
	host_init(&host);
	host_start(&host, n_workers);
	load_start(&load, &host, streams, 4);
	for (uint32_t n = 0; n < CHANGES && !load.is_wrong; n++) {
		uint64_t got = load.got;

		change_contracts(n);
		host_apply(&host);
		/* Every change meets traffic. */
		WAIT_FOR(load.got > got || load.is_wrong);
	}
	load_stop(&load);
	for (const char *const *name = (const char *const[]){"a1", "a2", "b1", NULL}; *name != NULL;
	     name++) {
		for (int dir = 0; dir < HG_N_DIRS; dir++) {
			struct hg_dp_flow flow = host_flow(&host, *name, (enum hg_dir)dir);

			HG_CHECK_EQ(flow_drops(&flow), 0);
			HG_CHECK_EQ(flow.offered_bytes, flow.sent_bytes);
		}
	}
	host_close(&host);
}

static void s1_11_thousand_changes_lose_nothing(void)
{
	change_under_load(1);
}

static void s1_11_thousand_changes_lose_nothing_two_workers(void)
{
	change_under_load(2);
}

/* ---- comings and goings ------------------------------------------------------------------------- */

static void neighbours_come_and_go(uint32_t n_workers)
{
	static struct stream streams[] = {
		{.from = "a1", .to = "up0", .n_bytes = 1000, .window = 60},
		{.from = "up0", .to = "a1", .n_bytes = 500, .window = 60},
		{.from = "a1", .to = "a2", .n_bytes = 300, .window = 30},
	};

	for (unsigned i = 0; i < 3; i++)
		streams[i].sent = streams[i].got = 0;
	host_init(&host);
	host_start(&host, n_workers);
	load_start(&load, &host, streams, 3);
	for (uint32_t n = 0; n < 200 && !load.is_wrong; n++) {
		char name[16];
		uint64_t got = load.got;

		/* Its slots are given away and taken again and again, with traffic on them. */
		snprintf(name, sizeof(name), "n%u", n);
		host_add_instance(&host, name, n % 2);
		host_apply(&host);
		host_send(&host, name, "up0", 100, n, 5);
		WAIT_FOR(load.got > got || load.is_wrong);
		host_remove_last_instance(&host);
		host_apply(&host);
	}
	load_stop(&load);
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).offered_pkts,
		    host_flow(&host, "a1", HG_OUT).sent_pkts);
	host_close(&host);
}

static void s1_11_neighbours_that_come_and_go_cost_nothing(void)
{
	neighbours_come_and_go(1);
}

static void s1_11_neighbours_that_come_and_go_cost_nothing_two_workers(void)
{
	neighbours_come_and_go(2);
}

/* Ports get other names, some that others had, with traffic on them. Their devices stay open. */
static void ports_are_renamed(uint32_t n_workers)
{
	static struct stream streams[] = {
		{.from = "a1", .to = "up0", .n_bytes = 1000, .window = 60},
		{.from = "up0", .to = "a1", .n_bytes = 500, .window = 60},
		{.from = "a1", .to = "a2", .n_bytes = 300, .window = 30},
	};
	uint64_t got_before = 0;

	for (unsigned i = 0; i < 3; i++)
		streams[i].sent = streams[i].got = 0;
	host_init(&host);
	host_start(&host, n_workers);
	load_start(&load, &host, streams, 3);
	for (uint32_t n = 0; n < 200 && !load.is_wrong; n++) {
		struct hg_desired_port *ports = host.ports;
		uint64_t got = load.got;
		char name[HG_NAME_BYTES];

		memcpy(name, ports[0].name, sizeof(name));
		if (n % 2 == 0)
			snprintf(ports[0].name, sizeof(ports[0].name), "r%u", n);
		else
			memcpy(ports[0].name, ports[1].name, sizeof(name));
		memcpy(ports[1].name, name, sizeof(name));
		host_apply(&host);
		WAIT_FOR(load.got > got || load.is_wrong);
	}
	load_stop(&load);
	got_before = streams[0].got;
	HG_CHECK(got_before > 200);
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).offered_pkts,
		    host_flow(&host, "a1", HG_OUT).sent_pkts);
	HG_CHECK_EQ(host_port(&host, "a1").link, HG_PORT_UP);
	/* What it has counted is still there. */
	HG_CHECK(host_port(&host, "a1").rx_pkts >= got_before);
	host_close(&host);
}

static void s1_11_ports_that_are_renamed_lose_nothing(void)
{
	ports_are_renamed(1);
}

static void s1_11_ports_that_are_renamed_lose_nothing_two_workers(void)
{
	ports_are_renamed(2);
}

static void s1_11_rename_that_fails_changes_nothing(void)
{
	struct hg_error err = {0};

	host_init(&host);
	host_start(&host, 1);
	snprintf(host.ports[0].name, sizeof(host.ports[0].name), "other");
	hg_dummy_refuse(host_far(&host, "a2"), true);
	host.ports[1].mtu = 9000;
	HG_CHECK_EQ(hg_dp_apply(host.dp, &host.desired, &err), -HG_EIO);
	host_send(&host, "up0", "a1", 500, 0, 10);
	host_expect(&host, "a1", 0, 10);
	hg_dummy_refuse(host_far(&host, "a2"), false);
	host_apply(&host);
	host_send(&host, "up0", "a1", 500, 10, 10);
	host_expect(&host, "a1", 10, 10);
	HG_CHECK_EQ(host_port(&host, "a1").tx_pkts, 20);
	host_close(&host);
}

/* Who has it is told, and how to go about it. */
static void s1_11_device_in_use_is_not_opened_with_other_options(void)
{
	struct hg_error err = {0};

	host_init(&host);
	host_start(&host, 1);
	snprintf(host.ports[0].device, sizeof(host.ports[0].device), "dummy(ring=64):a1");
	HG_CHECK_EQ(hg_dp_apply(host.dp, &host.desired, &err), -HG_EBUSY);
	HG_CHECK_STR(err.path, "dummy(ring=64):a1");
	HG_CHECK_STR(err.text,
		     "port a1 has this device open, as 'dummy:a1', until the change is done; "
		     "make two changes of it, the first without port a1");
	snprintf(host.ports[0].device, sizeof(host.ports[0].device), "dummy:a1");
	host_apply(&host);
	host_send(&host, "up0", "a1", 500, 0, 10);
	host_expect(&host, "a1", 0, 10);
	host_close(&host);
}

/* ---- MTU and address of a device in use ---------------------------------------------------------- */

/* The last frame is one that passes: what came before it has been judged. */
static void s5_1_mtu_of_a_port_in_use_changes(void)
{
	host_init(&host);
	host_start(&host, 1);
	host_send(&host, "a1", "up0", 1800, 0, 1);
	host_send(&host, "a1", "up0", 100, 1, 1);
	host_expect(&host, "up0", 1, 1);
	HG_CHECK_EQ(host_port(&host, "a1").drops[HG_DROP_TOO_BIG], 1);
	host.ports[0].mtu = 9000;
	host.uplinks[0].mtu = 9000;
	host_apply(&host);
	host_send(&host, "a1", "up0", 1800, 2, 3);
	host_expect(&host, "up0", 2, 3);
	host_send(&host, "up0", "a1", 1800, 5, 3);
	host_expect(&host, "a1", 5, 3);
	/* The destination cannot take it any more: counted there. */
	host.uplinks[0].mtu = 1500;
	host_apply(&host);
	host_send(&host, "a1", "up0", 1800, 8, 2);
	host_send(&host, "a1", "up0", 1514, 10, 1);
	host_expect(&host, "up0", 10, 1);
	HG_CHECK_EQ(host_uplink(&host).drops[HG_DROP_TOO_BIG], 2);
	host_close(&host);
}

static void s5_1_address_of_a_port_in_use_changes(void)
{
	static const uint8_t mac[HG_MAC_BYTES] = {2, 0, 0, 0, 0, 0x77};
	uint8_t given[HG_MAC_BYTES];

	host_init(&host);
	host_start(&host, 1);
	hg_dummy_mac(host_far(&host, "a1"), given);
	HG_CHECK(memcmp(given, host.ports[0].mac, HG_MAC_BYTES) == 0);
	memcpy(host.ports[0].mac, mac, HG_MAC_BYTES);
	host_apply(&host);
	hg_dummy_mac(host_far(&host, "a1"), given);
	HG_CHECK(memcmp(given, mac, HG_MAC_BYTES) == 0);
	host_send(&host, "up0", "a1", 100, 0, 1);
	host_expect(&host, "a1", 0, 1);
	host_close(&host);
}

static void s1_11_device_that_refuses_its_mtu_changes_nothing(void)
{
	struct hg_error err = {0};

	host_init(&host);
	host.uplinks[0].mtu = 9000;
	host.ports[0].mtu = 9000;
	host.ports[1].mtu = 9000;
	host_start(&host, 1);
	hg_dummy_refuse(host_far(&host, "a2"), true);
	host.ports[0].mtu = 1500;
	host.ports[1].mtu = 1500;
	HG_CHECK_EQ(hg_dp_apply(host.dp, &host.desired, &err), -HG_EIO);
	HG_CHECK_STR(err.path, "dummy:a2");
	/* The one that had been told already is as it was. */
	host_send(&host, "up0", "a1", 1800, 0, 1);
	host_expect(&host, "a1", 0, 1);
	hg_dummy_refuse(host_far(&host, "a2"), false);
	host_close(&host);
}

/* ---- what is removed ---------------------------------------------------------------------------- */

static void s1_11_packets_of_a_removed_instance_are_counted(void)
{
	struct hg_dp_flow flow;

	host_init(&host);
	host_add_instance(&host, "a3", host_tenant(&host, "a"));
	host_limit(&host, "a3", HG_OUT, 10000, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "a3", "up0", 1000, 0, 50);
	WAIT_FOR(host_flow(&host, "a3", HG_OUT).offered_pkts == 50);
	host_remove_last_instance(&host);
	host_apply(&host);
	flow = host_tenant_flow(&host, "a", HG_OUT);
	HG_CHECK_EQ(flow.offered_pkts, 50);
	HG_CHECK_BETWEEN(flow.sent_pkts, 1, 49);
	HG_CHECK_EQ(flow.drops[HG_DROP_REMOVED], 50 - flow.sent_pkts);
	/* The time that they waited is in its tenant's, too. */
	HG_CHECK(flow.held_ns[HG_LIMIT_MAX] > 0);
	HG_CHECK_EQ(host_discard(&host, "up0"), flow.sent_pkts);
	/* Whoever comes next begins at nothing. */
	host_add_instance(&host, "a4", host_tenant(&host, "a"));
	host_apply(&host);
	flow = host_flow(&host, "a4", HG_OUT);
	HG_CHECK_EQ(flow.offered_pkts, 0);
	HG_CHECK_EQ(flow.wait_ns, 0);
	host_close(&host);
}

static void removed_tenant_leaves_nothing_to_the_next(void)
{
	uint32_t tenant;

	host_init(&host);
	tenant = host_add_tenant(&host, "c", 0);
	host_add_instance(&host, "c1", tenant);
	host_start(&host, 1);
	host_send(&host, "c1", "up0", 1000, 0, 10);
	host_expect(&host, "up0", 0, 10);
	host_remove_last_instance(&host);
	host.desired.n_tenants--;
	host_apply(&host);
	tenant = host_add_tenant(&host, "d", 0);
	host_apply(&host);
	HG_CHECK_EQ(host_tenant_flow(&host, "d", HG_OUT).offered_pkts, 0);
	host_close(&host);
}

/* Packets wait in a1's queue for a port that goes; a port of another tenant gets its slot meanwhile. */
static void slot_of_a_removed_port(uint32_t n_workers)
{
	host_init(&host);
	host_add_instance(&host, "a3", host_tenant(&host, "a"));
	host_limit(&host, "a1", HG_OUT, 200000, SMALL_BURST);
	host_start(&host, n_workers);
	host_send(&host, "a1", "a3", 1000, 0, 50);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == 50);
	host_remove_last_instance(&host);
	host_apply(&host);
	for (unsigned i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "x%u", i);
		host_add_instance(&host, name, host_tenant(&host, "b"));
	}
	host_apply(&host);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).queued_bytes == 0);
	for (unsigned i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "x%u", i);
		host_send(&host, "up0", name, 100, 1000, 1);
		host_expect(&host, name, 1000, 1);
	}
	host_close(&host);
}

static void s5_1_slot_of_a_removed_port_gets_nothing_of_it(void)
{
	slot_of_a_removed_port(1);
}

static void s5_1_slot_of_a_removed_port_gets_nothing_of_it_two_workers(void)
{
	slot_of_a_removed_port(2);
}

/* A port of the same name that now is another tenant's. */
static void s5_1_port_that_moves_gets_nothing_of_before(void)
{
	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 200000, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "a1", "a2", 1000, 0, 50);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == 50);
	host.ports[host_instance(&host, "a2")].instance_idx = host_instance(&host, "b1");
	host_apply(&host);
	host_discard(&host, "a2");
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).queued_bytes == 0);
	host_send(&host, "up0", "a2", 100, 1000, 1);
	host_expect(&host, "a2", 1000, 1);
	HG_CHECK_EQ(host_flow(&host, "b1", HG_IN).sent_pkts, 1);
	host_close(&host);
}

/* Whoever is behind a port can put a file where its socket is to be. */
static void s7_11_socket_that_was_taken_harms_its_port_alone(void)
{
	char path[64], device[sizeof(host.ports[0].device)];
	struct hg_error err = {0};
	uint32_t idx;
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/hg-taken-%d", (int)getpid());
	snprintf(device, sizeof(device), "vhost(listen=on):%s", path);
	f = fopen(path, "w");
	HG_CHECK(f != NULL);
	fclose(f);
	host_init(&host);
	host_start(&host, 1);
	idx = host_add_instance(&host, "g", host_tenant(&host, "a"));
	memcpy(host.ports[idx].device, device, sizeof(device));
	/* Who asks for it is told. */
	HG_CHECK_EQ(hg_dp_apply(host.dp, &host.desired, &err), -HG_EBUSY);
	HG_CHECK_HAS(err.text, "is not a socket");
	/* What was in force comes back without it. */
	HG_CHECK_EQ(hg_dp_bring_back(host.dp, &host.desired, &err), 0);
	HG_CHECK_EQ(host_port(&host, "g").link, HG_PORT_MISSING);
	HG_CHECK_HAS(host_port(&host, "g").reason, "is not a socket");
	host_send(&host, "a1", "up0", 1000, 0, 10);
	host_expect(&host, "up0", 0, 10);
	HG_CHECK_EQ(hg_dp_retry(host.dp), 0);
	HG_CHECK_EQ(unlink(path), 0);
	HG_CHECK_EQ(hg_dp_retry(host.dp), 1);
	HG_CHECK_EQ(host_port(&host, "g").link, HG_PORT_DOWN);
	host_close(&host);
}

static void s7_11_what_no_time_mends_does_not_come_back(void)
{
	struct hg_error err = {0};
	uint32_t idx;

	host_init(&host);
	host_start(&host, 1);
	idx = host_add_instance(&host, "g", host_tenant(&host, "a"));
	snprintf(host.ports[idx].device, sizeof(host.ports[idx].device), "vhost(queues=99):g");
	HG_CHECK_EQ(hg_dp_bring_back(host.dp, &host.desired, &err), -HG_EINVAL);
	host_remove_last_instance(&host);
	/* An uplink is nobody's behind a port. */
	host.uplinks[1] = host.uplinks[0];
	snprintf(host.uplinks[1].name, sizeof(host.uplinks[1].name), "up1");
	host.desired.n_uplinks = 2;
	HG_CHECK_EQ(hg_dp_bring_back(host.dp, &host.desired, &err), -HG_EBUSY);
	host.desired.n_uplinks = 1;
	host_close(&host);
}

static const struct hg_test tests[] = {
	HG_TEST(s1_11_thousand_changes_lose_nothing),
	HG_TEST(s1_11_thousand_changes_lose_nothing_two_workers),
	HG_TEST(s1_11_neighbours_that_come_and_go_cost_nothing),
	HG_TEST(s1_11_neighbours_that_come_and_go_cost_nothing_two_workers),
	HG_TEST(s1_11_ports_that_are_renamed_lose_nothing),
	HG_TEST(s1_11_ports_that_are_renamed_lose_nothing_two_workers),
	HG_TEST(s1_11_rename_that_fails_changes_nothing),
	HG_TEST(s1_11_device_in_use_is_not_opened_with_other_options),
	HG_TEST(s5_1_mtu_of_a_port_in_use_changes),
	HG_TEST(s5_1_address_of_a_port_in_use_changes),
	HG_TEST(s1_11_device_that_refuses_its_mtu_changes_nothing),
	HG_TEST(s1_11_packets_of_a_removed_instance_are_counted),
	HG_TEST(removed_tenant_leaves_nothing_to_the_next),
	HG_TEST(s5_1_slot_of_a_removed_port_gets_nothing_of_it),
	HG_TEST(s5_1_slot_of_a_removed_port_gets_nothing_of_it_two_workers),
	HG_TEST(s5_1_port_that_moves_gets_nothing_of_before),
	HG_TEST(s7_11_socket_that_was_taken_harms_its_port_alone),
	HG_TEST(s7_11_what_no_time_mends_does_not_come_back),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
