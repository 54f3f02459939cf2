/* A guest that is back and its neighbours are told of one another: who, what, how much, and of nobody else. */
#include "tests/component/hosts.h"

#include "dataplane/introducer.h"
#include "tests/guest/guest.h"
#include "vswitch/bytes.h"
#include "vswitch/proto.h"

#include <unistd.h>

#define N_GUESTS 24u
#define FRAME_BYTES 128u
/* As dataplane/introducer.c has it: frames in a lot, and those of the step that ends it; between two lots. */
#define LOT_FRAMES (16u + 2u * HG_PORT_ADDRESSES_MAX)
#define LOT_NS (125 * HG_NS_PER_US)

static struct host host;
static struct guest *guests[N_GUESTS];
static char paths[N_GUESTS][48];

static const uint8_t ip6_prefix[] = {0xfd, 0x00, 0x78};

/* ---- the host ----------------------------------------------------------------------------------- */

static struct hg_desired_port *port_of(const char *name)
{
	return &host.ports[host_instance(&host, name)];
}

static void add_ip4(const char *name, uint8_t last)
{
	struct hg_desired_port *port = port_of(name);

	port->addresses[port->n_addresses++] =
		(struct hg_address){.bytes = {10, 0, 0, last}, .len = 4};
}

static void add_ip6(const char *name, uint8_t last)
{
	struct hg_desired_port *port = port_of(name);
	struct hg_address *address = &port->addresses[port->n_addresses++];

	*address = (struct hg_address){.len = 16};
	memcpy(address->bytes, ip6_prefix, sizeof(ip6_prefix));
	address->bytes[15] = last;
}

/* An instance of tenant a, on a vhost port. */
static void add_guest(unsigned i, const char *name)
{
	struct guest_cfg cfg = {.path = paths[i]};
	uint32_t idx = host_add_instance(&host, name, host_tenant(&host, "a"));

	snprintf(paths[i], sizeof(paths[i]), "/tmp/hg-introducer-%d-%u", (int)getpid(), i);
	snprintf(host.ports[idx].device, sizeof(host.ports[idx].device), "vhost:%.40s", paths[i]);
	HG_CHECK_EQ(guest_open(&cfg, &guests[i]), 0);
}

static bool is_up(unsigned i, const char *name)
{
	return guest_serve(guests[i]) == GUEST_UP && host_port(&host, name).link == HG_PORT_UP;
}

static void begin(void)
{
	for (unsigned i = 0; i < N_GUESTS; i++) {
		guest_close(guests[i]);
		guests[i] = NULL;
	}
	host_init(&host);
}

static void end(void)
{
	static const char *const names[] = {"up0", "a1", "a2", "b1"};

	for (unsigned i = 0; i < N_GUESTS; i++) {
		guest_close(guests[i]);
		guests[i] = NULL;
	}
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		host_discard(&host, names[i]);
	host_close(&host);
}

/* ---- what was said ------------------------------------------------------------------------------ */

static bool is_about_ip4(const uint8_t *frame, const uint8_t *mac, uint8_t last)
{
	const uint8_t address[] = {10, 0, 0, last};

	return hg_bytes_get16(frame + 12) == HG_ETHERTYPE_ARP && memcmp(frame + 6, mac, 6) == 0 &&
	       memcmp(frame + 22, mac, 6) == 0 && memcmp(frame + 28, address, 4) == 0 &&
	       memcmp(frame + 38, address, 4) == 0;
}

static bool is_about_ip6(const uint8_t *frame, const uint8_t *mac, uint8_t last)
{
	const uint8_t *icmp = frame + HG_ETHER_BYTES + HG_IP6_BYTES;

	return hg_bytes_get16(frame + 12) == HG_ETHERTYPE_IP6 && memcmp(frame + 6, mac, 6) == 0 &&
	       icmp[0] == HG_ND_ADVERT && memcmp(icmp + 8, ip6_prefix, sizeof(ip6_prefix)) == 0 &&
	       icmp[8 + 15] == last;
}

/* The next frame that comes out of a device of memory. */
static void next_at(const char *name, uint8_t *frame)
{
	struct hg_pkt *pkt = host_receive(&host, name);

	memset(frame, 0, FRAME_BYTES);
	hg_pkt_read(pkt, 0, frame, pkt->total_bytes < FRAME_BYTES ? pkt->total_bytes : FRAME_BYTES);
	host_release(&host, pkt);
}

/* The next frame that a guest gets. */
static void next_in(unsigned i, uint8_t *frame)
{
	memset(frame, 0, FRAME_BYTES);
	WAIT_FOR(guest_receive(guests[i], 0, frame, FRAME_BYTES, NULL) > 0);
}

/* Until no more can come for those who are back by now: their time is over, and no worker has one to come. */
static void wait_over(void)
{
	hg_ns until_ns = clock_now_ns() + HG_INTRODUCER_FOR_NS + 10 * HG_NS_PER_MS;

	WAIT_FOR(clock_now_ns() > until_ns);
	for (unsigned i = 0; i < 3; i++)
		WAIT_FOR(hg_dp_publish(host.dp));
}

static void expect_one_round(const char *guest)
{
	uint8_t frame[FRAME_BYTES];

	/* The world beyond the uplink, in the tenant's VLAN. */
	next_at("up0", frame);
	HG_CHECK_EQ(hg_bytes_get16(frame + 12), 0x8100);
	HG_CHECK_EQ(hg_bytes_get16(frame + 14) & 0xfff, 42);
	memmove(frame + 12, frame + 16, FRAME_BYTES - 16);
	HG_CHECK(is_about_ip4(frame, host_mac(&host, guest), 50));
	next_at("up0", frame);
	memmove(frame + 12, frame + 16, FRAME_BYTES - 16);
	HG_CHECK(is_about_ip6(frame, host_mac(&host, guest), 50));
	/* A neighbour. */
	next_at("a1", frame);
	HG_CHECK(is_about_ip4(frame, host_mac(&host, guest), 50));
	next_at("a1", frame);
	HG_CHECK(is_about_ip6(frame, host_mac(&host, guest), 50));
	/* And the guest itself. */
	next_in(0, frame);
	HG_CHECK(is_about_ip4(frame, host_mac(&host, "a1"), 1));
	next_in(0, frame);
	HG_CHECK(is_about_ip6(frame, host_mac(&host, "a1"), 1));
}

/* What is left of the other rounds. */
static void forget_rest(void)
{
	uint8_t frame[FRAME_BYTES];

	wait_over();
	host_discard(&host, "up0");
	host_discard(&host, "a1");
	while (guest_receive(guests[0], 0, frame, sizeof(frame), NULL) > 0) {
	}
}

/* a1 is its neighbour; a2 has another VLAN, b1 is another tenant's. */
static void start_with_neighbours(uint32_t n_workers)
{
	begin();
	add_guest(0, "g");
	host.tenants[host_tenant(&host, "a")].vlan = 42;
	port_of("g")->vlan = port_of("a1")->vlan = HG_VLAN_TENANT;
	port_of("a2")->vlan = 43;
	host_start(&host, n_workers);
	/* Those that are there are announced once they get addresses, for other reasons: not while this looks. */
	add_ip4("a1", 1);
	add_ip6("a1", 1);
	add_ip4("a2", 2);
	add_ip4("b1", 3);
	add_ip4("g", 50);
	add_ip6("g", 50);
	host_apply(&host);
	for (unsigned i = 0; i < 5u * 6u; i++)
		host_release(&host, host_receive(&host, "up0"));
}

static void told_of_each_other(uint32_t n_workers)
{
	uint64_t n_before;

	start_with_neighbours(n_workers);
	HG_CHECK_EQ(host_port(&host, "g").n_introductions, 0);
	WAIT_FOR(is_up(0, "g"));
	expect_one_round("g");
	forget_rest();

	/* Its connection ends, and begins again: headgate's restart as the machine sees it. */
	n_before = host_port(&host, "g").n_introductions;
	HG_CHECK(n_before >= 6 && n_before <= HG_INTRODUCER_ROUNDS * 6);
	guest_disconnect(guests[0]);
	WAIT_FOR(host_port(&host, "g").link == HG_PORT_DOWN);
	WAIT_FOR(is_up(0, "g"));
	expect_one_round("g");
	forget_rest();

	/* Its link alone. */
	guest_stop(guests[0]);
	WAIT_FOR(guest_serve(guests[0]) == GUEST_STOPPED);
	guest_resume(guests[0]);
	WAIT_FOR(is_up(0, "g"));
	expect_one_round("g");
	forget_rest();
	HG_CHECK(host_port(&host, "g").n_introductions >= n_before + 12);

	/* Nobody else heard anything, and nobody was charged. */
	HG_CHECK_EQ(host_discard(&host, "a2"), 0);
	HG_CHECK_EQ(host_discard(&host, "b1"), 0);
	HG_CHECK_EQ(host_flow(&host, "g", HG_OUT).offered_bytes, 0);
	HG_CHECK_EQ(host_flow(&host, "g", HG_IN).offered_bytes, 0);
	HG_CHECK_EQ(host_flow(&host, "a1", HG_IN).offered_bytes, 0);
	end();
}

static void s7_11_a_guest_that_is_back_and_its_neighbours_are_told_of_each_other(void)
{
	told_of_each_other(1);
	told_of_each_other(3);
}

/* No address without a MAC address, none that two ports have, and nothing at all where nobody has any. */
static void s7_11_nothing_is_said_that_the_configuration_does_not_say(void)
{
	uint8_t frame[FRAME_BYTES];
	uint64_t n;

	begin();
	add_guest(0, "g");
	add_ip4("g", 50);
	add_ip4("g", 51);
	add_ip4("a1", 51);
	add_ip4("a2", 2);
	port_of("a2")->has_mac = false;
	host_start(&host, 1);
	WAIT_FOR(is_up(0, "g"));
	WAIT_FOR(host_port(&host, "g").n_introductions > 0);
	wait_over();
	HG_CHECK_EQ(guest_receive(guests[0], 0, frame, sizeof(frame), NULL), 0);
	n = host_port(&host, "a1").tx_pkts;
	HG_CHECK(n > 0 && n <= HG_INTRODUCER_ROUNDS);
	while (n-- > 0) {
		next_at("a1", frame);
		HG_CHECK(is_about_ip4(frame, host_mac(&host, "g"), 50));
	}
	end();

	begin();
	add_guest(0, "g");
	host_start(&host, 1);
	WAIT_FOR(is_up(0, "g"));
	wait_over();
	HG_CHECK_EQ(host_port(&host, "g").n_introductions, 0);
	HG_CHECK_EQ(host_discard(&host, "up0") + host_discard(&host, "a1"), 0);
	end();
}

static uint64_t introductions(void)
{
	uint64_t n = 0;
	char name[16];

	for (unsigned i = 0; i < N_GUESTS; i++) {
		snprintf(name, sizeof(name), "g%u", i);
		n += host_port(&host, name).n_introductions;
	}
	return n;
}

static bool are_all_up(void)
{
	char name[16];
	bool are_up = true;

	for (unsigned i = 0; i < N_GUESTS; i++) {
		snprintf(name, sizeof(name), "g%u", i);
		are_up &= is_up(i, name);
	}
	return are_up;
}

/* All come back at once: never more than the pace, each is told of each, and it ends. */
static void s7_11_a_storm_of_guests_is_told_at_a_pace(void)
{
	uint8_t frame[FRAME_BYTES];
	hg_ns began_ns;
	uint64_t n, n_end;

	begin();
	for (unsigned i = 0; i < N_GUESTS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "g%u", i);
		add_guest(i, name);
		add_ip4(name, (uint8_t)(100 + i));
	}
	began_ns = clock_now_ns();
	host_start(&host, 1);
	WAIT_FOR(are_all_up());
	for (unsigned i = 0; i < N_GUESTS; i++) {
		bool has_heard[N_GUESTS] = {false};
		unsigned n_heard = 0;

		while (n_heard < N_GUESTS - 1) {
			unsigned from;

			next_in(i, frame);
			from = frame[31] - 100u;
			HG_CHECK(from < N_GUESTS && from != i);
			n_heard += !has_heard[from];
			has_heard[from] = true;
		}
		n = introductions();
		HG_CHECK(n <= ((uint64_t)((clock_now_ns() - began_ns) / LOT_NS) + 1) * LOT_FRAMES);
	}
	wait_over();
	n = introductions();
	HG_CHECK(n <= (uint64_t)HG_INTRODUCER_ROUNDS * N_GUESTS * (2 * N_GUESTS + 2 * 2 + 1));
	wait_over();
	n_end = introductions();
	HG_CHECK_EQ(n_end, n);
	end();
}

static const struct hg_test tests[] = {
	HG_TEST(s7_11_a_guest_that_is_back_and_its_neighbours_are_told_of_each_other),
	HG_TEST(s7_11_nothing_is_said_that_the_configuration_does_not_say),
	HG_TEST(s7_11_a_storm_of_guests_is_told_at_a_pace),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
