/* Captures and mirrors of machines' ports that come back, change their names and go, on the real packet lane (S5.1). */
#include "tests/component/hosts.h"

#include "tests/guest/guest.h"

#include <unistd.h>

#define FRAME_BYTES 200u

static struct host host;
static struct guest *guest;
static char path[48];

/* ---- words of the tests ---------------------------------------------------------------------------- */

static struct hg_desired_port *port_of(const char *instance)
{
	return &host.ports[host_instance(&host, instance)];
}

static bool is_up(void)
{
	guest_wait(guest, 1);
	return guest_serve(guest) == GUEST_UP && host_port(&host, "vm").link == HG_PORT_UP;
}

/* Beside the host's own instances of tenant a: vm, which is a machine, and mon. */
static void begin(void)
{
	struct guest_cfg cfg = {.path = path};
	struct hg_desired_port *port;

	guest_close(guest);
	guest = NULL;
	host_init(&host);
	snprintf(path, sizeof(path), "/tmp/hg-watched-%d", (int)getpid());
	host_add_instance(&host, "mon", host_tenant(&host, "a"));
	host_add_instance(&host, "vm", host_tenant(&host, "a"));
	port = port_of("vm");
	snprintf(port->device, sizeof(port->device), "vhost:%s", path);
	HG_CHECK_EQ(guest_open(&cfg, &guest), 0);
}

static void end(void)
{
	HG_CHECK_STR(guest_why(guest), "");
	guest_close(guest);
	guest = NULL;
	host_close(&host);
}

static void rename_port(const char *instance, const char *name)
{
	struct hg_desired_port *port = port_of(instance);

	snprintf(port->name, sizeof(port->name), "%s", name);
}

/* Until the machine has been away and is back. */
static void come_back(void)
{
	guest_disconnect(guest);
	WAIT_FOR(host_port(&host, "vm").link != HG_PORT_UP);
	WAIT_FOR(is_up());
}

static void machine_sends(void)
{
	uint8_t frame[FRAME_BYTES];

	host_write_frame(&host, "vm", "up0", frame, sizeof(frame));
	HG_CHECK(guest_send(guest, 0, frame, sizeof(frame), NULL));
	host_expect(&host, "up0", 0, 1);
}

static void machine_receives(void)
{
	uint8_t frame[2048];
	size_t n = 0;

	host_send(&host, "up0", "vm", FRAME_BYTES, 0, 1);
	WAIT_FOR((n = guest_receive(guest, 0, frame, sizeof(frame), NULL)) > 0);
	HG_CHECK_EQ(n, FRAME_BYTES);
}

/* ---- captures --------------------------------------------------------------------------------------- */

static struct hg_capture *capture;

static void open_capture(void)
{
	static struct hg_capture_cfg cfg;
	struct hg_error err = {0};

	cfg = (struct hg_capture_cfg){.snap_bytes = HG_FRAME_MAX_BYTES, .who = "test"};
	if (hg_dp_capture_open(host.dp, false, host_instance(&host, "vm"), &cfg, &capture, &err) !=
	    0)
		HG_TEST_FAIL("no capture: %s", err.text);
}

static void expect_captured(enum hg_dir dir)
{
	struct hg_capture_pkt got;

	WAIT_FOR(hg_dp_capture_peek(capture, &got));
	HG_CHECK_EQ(got.dir, dir);
	HG_CHECK_EQ(got.total_bytes, FRAME_BYTES);
	hg_dp_capture_take(capture);
}

static void expect_both_captured(void)
{
	machine_sends();
	expect_captured(HG_OUT);
	machine_receives();
	expect_captured(HG_IN);
}

static const char *why_it_ended(void)
{
	struct hg_capture_stats stats;

	hg_dp_capture_sample(capture, &stats);
	return stats.ended;
}

static void s5_1_capture_outlives_its_machine_and_its_name(void)
{
	char name[16];

	begin();
	host_start(&host, 1);
	WAIT_FOR(is_up());
	open_capture();
	expect_both_captured();
	for (unsigned i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "vm%u", i);
		come_back();
		expect_both_captured();
		rename_port("vm", name);
		host_apply(&host);
		expect_both_captured();
		/* Both at once. */
		guest_disconnect(guest);
		rename_port("vm", "vm");
		host_apply(&host);
		WAIT_FOR(is_up());
		come_back();
		expect_both_captured();
	}
	HG_CHECK(why_it_ended() == NULL);
	hg_dp_capture_close(host.dp, capture);
	end();
}

/* Frames pass its machine's port again, and are none of the capture's any more. */
static void expect_capture_is_over(void)
{
	struct hg_capture_pkt got;

	WAIT_FOR(is_up());
	machine_sends();
	machine_receives();
	HG_CHECK(!hg_dp_capture_peek(capture, &got));
	HG_CHECK_STR(why_it_ended(), "the port was removed");
	hg_dp_capture_close(host.dp, capture);
	end();
}

/* What comes in its place, of the same name and on the same socket, is another's. */
static void s5_1_capture_ends_with_its_port_whatever_comes_in_its_place(void)
{
	begin();
	host_start(&host, 1);
	WAIT_FOR(is_up());
	open_capture();
	expect_both_captured();
	guest_disconnect(guest);
	host_remove_last_instance(&host);
	host_apply(&host);
	HG_CHECK_STR(why_it_ended(), "the port was removed");
	host_add_instance(&host, "vm", host_tenant(&host, "b"));
	snprintf(port_of("vm")->device, sizeof(port_of("vm")->device), "vhost:%s", path);
	host_apply(&host);
	expect_capture_is_over();
}

/* In one change, too: the port stays where it was, and belongs to somebody else. */
static void s5_1_capture_ends_when_its_port_goes_to_another_tenant(void)
{
	begin();
	host_start(&host, 1);
	WAIT_FOR(is_up());
	open_capture();
	expect_both_captured();
	host.instances[host_instance(&host, "vm")].tenant_idx = host_tenant(&host, "b");
	host_apply(&host);
	expect_capture_is_over();
}

/* ---- mirrors ---------------------------------------------------------------------------------------- */

static void mirror(const char *from, const char *to)
{
	port_of(from)->mirror = (struct hg_mirror){.watch = HG_WATCH_BOTH};
	snprintf(port_of(from)->mirror.to, sizeof(port_of(from)->mirror.to), "%s", to);
}

static void expect_both_mirrored(void)
{
	machine_sends();
	host_expect(&host, "mon", 0, 1);
	machine_receives();
	host_expect(&host, "mon", 0, 1);
	HG_CHECK_EQ(hg_dummy_n_sent(host_far(&host, "mon")), 0);
}

static void s5_1_mirror_outlives_its_machine_and_both_names(void)
{
	begin();
	mirror("vm", "mon");
	host_start(&host, 1);
	WAIT_FOR(is_up());
	for (unsigned i = 0; i < 10; i++) {
		expect_both_mirrored();
		come_back();
		expect_both_mirrored();
		rename_port("mon", i % 2 == 0 ? "mon2" : "mon");
		mirror("vm", i % 2 == 0 ? "mon2" : "mon");
		rename_port("vm", i % 2 == 0 ? "vm2" : "vm");
		host_apply(&host);
	}
	HG_CHECK_EQ(host_port(&host, "vm").drops[HG_DROP_MIRROR_FULL], 0);
	end();
}

/* Copies for a machine that is away are lost, and nothing else; then they come again. */
static void s5_1_mirror_to_a_machine_that_goes_and_comes_costs_only_copies(void)
{
	uint8_t frame[2048];
	size_t n = 0;

	begin();
	mirror("a1", "vm");
	host_start(&host, 1);
	WAIT_FOR(is_up());
	for (unsigned i = 0; i < 10; i++) {
		host_send(&host, "a1", "up0", FRAME_BYTES, 0, 1);
		host_expect(&host, "up0", 0, 1);
		WAIT_FOR((n = guest_receive(guest, 0, frame, sizeof(frame), NULL)) > 0);
		HG_CHECK_EQ(n, FRAME_BYTES);
		guest_disconnect(guest);
		WAIT_FOR(host_port(&host, "vm").link != HG_PORT_UP);
		host_send(&host, "a1", "up0", FRAME_BYTES, 0, 50);
		host_expect(&host, "up0", 0, 50);
		WAIT_FOR(is_up());
		while (guest_receive(guest, 0, frame, sizeof(frame), NULL) > 0)
			;
	}
	/* The destination goes, and with it the mirror. */
	mirror("a1", "");
	host_remove_last_instance(&host);
	guest_disconnect(guest);
	host_apply(&host);
	host_send(&host, "a1", "up0", FRAME_BYTES, 0, 50);
	host_expect(&host, "up0", 0, 50);
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).sent_pkts, 10 * 51 + 50);
	end();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_capture_outlives_its_machine_and_its_name),
		HG_TEST(s5_1_capture_ends_with_its_port_whatever_comes_in_its_place),
		HG_TEST(s5_1_capture_ends_when_its_port_goes_to_another_tenant),
		HG_TEST(s5_1_mirror_outlives_its_machine_and_both_names),
		HG_TEST(s5_1_mirror_to_a_machine_that_goes_and_comes_costs_only_copies),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
