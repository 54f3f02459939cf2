/* An instance leaves a packet lane and arrives on one: tokens, learned addresses, counters, announcements. */
#include "tests/component/hosts.h"

#include "vswitch/announce.h"
#include "vswitch/bytes.h"
#include "vswitch/proto.h"

static struct host host;
static struct hg_instance_state state, after;

#define WIRE(n) ((n) + HG_WIRE_OVERHEAD_BYTES)
#define RATE 20000u /* bytes a second: nothing that a test takes time for shows in the tokens */
#define BURST 20000u

/* ---- moves -------------------------------------------------------------------------------------- */

static void add_mover(void)
{
	host_add_instance(&host, "m1", host_tenant(&host, "a"));
	host_limit(&host, "m1", HG_OUT, RATE, BURST);
}

static void save(struct hg_instance_state *ret)
{
	struct hg_error err = {0};

	if (hg_dp_save(host.dp, host_instance(&host, "m1"), ret, &err) != 0)
		HG_TEST_FAIL("save: %s", err.text);
}

static void apply_move(const struct hg_dp_move *move)
{
	struct hg_error err = {0};

	if (hg_dp_apply_move(host.dp, &host.desired, move, &err) != 0)
		HG_TEST_FAIL("%s: %s", err.path, err.text);
}

static void leave(struct hg_instance_state *ret, struct hg_dp_flow *ret_flows)
{
	const struct hg_dp_move move = {
		.leaving_idx = host_instance(&host, "m1"),
		.ret_left = ret,
		.ret_flows = ret_flows,
		.arriving_idx = HG_DP_NOBODY,
	};

	host_remove_last_instance(&host);
	apply_move(&move);
}

static void arrive(const struct hg_instance_state *from, const struct hg_address *address)
{
	struct hg_dp_move move = {.leaving_idx = HG_DP_NOBODY, .arriving = from};
	struct hg_desired_port *port;

	add_mover();
	move.arriving_idx = host_instance(&host, "m1");
	port = &host.ports[move.arriving_idx];
	if (address != NULL)
		port->addresses[port->n_addresses++] = *address;
	apply_move(&move);
}

static void start(uint32_t n_workers)
{
	host_init(&host);
	add_mover();
	host_start(&host, n_workers);
}

/* What m1 has for sending can only have grown by what the rate gives, since an instant before. */
static void check_grown(const struct hg_instance_state *before, hg_ns since_ns)
{
	int64_t was = before->dir[HG_OUT].caps.bytes.tokens, is;

	save(&after);
	is = after.dir[HG_OUT].caps.bytes.tokens;
	HG_CHECK_BETWEEN(is - was, 0,
			 (int64_t)RATE * (clock_now_ns() - since_ns) / HG_NS_PER_S + 1);
}

static void tokens_move(uint32_t n_workers)
{
	struct hg_dp_flow flows[HG_N_DIRS];
	hg_ns began_ns, since_ns;

	start(n_workers);
	began_ns = clock_now_ns();
	host_send(&host, "m1", "up0", 1000, 0, 15);
	host_expect(&host, "up0", 0, 15);
	since_ns = clock_now_ns();
	save(&state);
	HG_CHECK(state.dir[HG_OUT].caps.has_bytes);
	HG_CHECK(state.dir[HG_OUT].caps.bytes.tokens <=
		 (int64_t)(BURST - 15 * WIRE(1000)) +
			 (int64_t)RATE * (clock_now_ns() - began_ns) / HG_NS_PER_S + 1);
	/* Asking changes nothing. */
	check_grown(&state, since_ns);

	leave(&state, flows);
	HG_CHECK_EQ(flows[HG_OUT].sent_pkts, 15);
	HG_CHECK_EQ(flows[HG_OUT].sent_bytes, 15 * WIRE(1000));
	HG_CHECK_EQ(flows[HG_OUT].link_bytes, 15 * WIRE(1000));
	since_ns = clock_now_ns();
	arrive(&state, NULL);
	check_grown(&state, since_ns);
	host_discard(&host, "up0");
	host_close(&host);
}

static void s5_1_save_restore_moves_tokens(void)
{
	tokens_move(1);
	tokens_move(3);
}

/* A segment that passed a full bucket leaves a debt; it is there on the other side. */
static void s5_1_save_restore_moves_a_debt(void)
{
	hg_ns since_ns;

	start(1);
	host_limit(&host, "m1", HG_OUT, 1000, SMALL_BURST);
	host_apply(&host);
	host_send(&host, "m1", "up0", 1514, 0, 1);
	host_expect(&host, "up0", 0, 1);
	leave(&state, NULL);
	/* As if the packet had been larger than the burst by far. */
	state.dir[HG_OUT].caps.bytes.tokens = -30000;
	since_ns = clock_now_ns();
	arrive(&state, NULL);
	check_grown(&state, since_ns);
	host_discard(&host, "up0");
	host_close(&host);
}

static void s5_1_save_restore_refuses_what_no_scheduler_takes(void)
{
	struct hg_dp_move move = {.leaving_idx = HG_DP_NOBODY, .arriving = &state};
	struct hg_error err = {0};

	start(1);
	leave(&state, NULL);
	state.dir[HG_IN].link.quiet_ns = -1;
	add_mover();
	move.arriving_idx = host_instance(&host, "m1");
	HG_CHECK_EQ(hg_dp_apply_move(host.dp, &host.desired, &move, &err), -HG_EINVAL);
	HG_CHECK_STR(err.path, "quiet");
	host_remove_last_instance(&host);
	host_close(&host);
}

/* ---- learned addresses -------------------------------------------------------------------------- */

static void learned_moves(uint32_t n_workers)
{
	uint32_t idx;

	start(n_workers);
	idx = host_instance(&host, "m1");
	host.ports[idx].has_mac = false;
	host_apply(&host);
	host_send(&host, "m1", "up0", 100, 0, 1);
	host_expect(&host, "up0", 0, 1);
	WAIT_FOR((save(&state), state.n_learned == 1));
	HG_CHECK_EQ(memcmp(state.learned[0].mac, host_mac(&host, "m1"), HG_MAC_BYTES), 0);
	HG_CHECK_EQ(state.learned[0].port_idx, idx);

	/* Its ports have gone with it; what was learned is still what was asked for before. */
	leave(&state, NULL);
	HG_CHECK_EQ(state.n_learned, 1);
	state.learned[0].seen_ago_ns = 100 * HG_NS_PER_S;
	arrive(&state, NULL);
	save(&after);
	/* m1 has a configured address there: nothing is learned, nothing is in the way. */
	HG_CHECK_EQ(after.n_learned, 0);
	leave(&after, NULL);

	add_mover();
	host.ports[idx].has_mac = false;
	apply_move(&(struct hg_dp_move){
		.leaving_idx = HG_DP_NOBODY, .arriving_idx = idx, .arriving = &state});
	save(&after);
	HG_CHECK_EQ(after.n_learned, 1);
	HG_CHECK(after.learned[0].seen_ago_ns >= 100 * HG_NS_PER_S);
	host_discard(&host, "up0");
	host_close(&host);
}

static void s5_1_save_restore_moves_learned_addresses(void)
{
	learned_moves(1);
	learned_moves(2);
}

/* ---- announcements ------------------------------------------------------------------------------ */

/* The next frame out of the uplink that instances did not send: its Ethernet type. */
static uint16_t next_announcement(uint8_t *ret_frame)
{
	struct hg_pkt *pkt = host_receive(&host, "up0");
	uint16_t type = hg_bytes_get16(pkt->data + 12);

	hg_pkt_read(pkt, 0, ret_frame, HG_ETHER_MIN_BYTES);
	host_release(&host, pkt);
	return type;
}

static void s5_1_arrival_is_announced_in_rounds(void)
{
	const struct hg_address address = {.bytes = {10, 0, 0, 7}, .len = 4};
	uint8_t frame[HG_ETHER_MIN_BYTES];
	hg_ns began_ns, pauses_ns = 0;

	start(1);
	leave(&state, NULL);
	began_ns = clock_now_ns();
	arrive(&state, &address);
	for (unsigned i = 0; i < HG_ANNOUNCE_ROUNDS; i++) {
		pauses_ns += hg_announce_pause_ns(i);
		HG_CHECK_EQ(next_announcement(frame), 0x0806);
		HG_CHECK_EQ(memcmp(frame + 6, host_mac(&host, "m1"), 6), 0);
		HG_CHECK_EQ(memcmp(frame + 28, address.bytes, 4), 0);
		HG_CHECK_EQ(memcmp(frame + 38, address.bytes, 4), 0);
		/* Never before its time. */
		HG_CHECK(clock_now_ns() - began_ns >= pauses_ns);
	}
	/* Nobody is charged with them. */
	HG_CHECK_EQ(host_flow(&host, "m1", HG_OUT).sent_bytes, 0);
	HG_CHECK_EQ(host_flow(&host, "m1", HG_OUT).offered_bytes, 0);
	host_close(&host);
}

static void s5_1_arrival_without_addresses_is_announced_by_rarp(void)
{
	uint8_t frame[HG_ETHER_MIN_BYTES];

	start(2);
	leave(&state, NULL);
	arrive(&state, NULL);
	for (unsigned i = 0; i < HG_ANNOUNCE_ROUNDS; i++) {
		HG_CHECK_EQ(next_announcement(frame), 0x8035);
		HG_CHECK_EQ(memcmp(frame + 32, host_mac(&host, "m1"), 6), 0);
	}
	host_close(&host);
}

/* Only a port with addresses speaks by itself; one without says something when asked. On its VLAN. */
static void s5_1_port_is_announced_when_it_is_made_and_when_asked(void)
{
	uint32_t idx, n = 0;
	uint8_t frame[HG_ETHER_MIN_BYTES];
	struct hg_error err = {0};

	host_init(&host);
	add_mover();
	idx = host_instance(&host, "m1");
	host.ports[idx].vlan = 42;
	host.ports[idx].addresses[0] = (struct hg_address){.bytes = {10, 0, 0, 7}, .len = 4};
	host.ports[idx].addresses[1] = (struct hg_address){.bytes = {0xfd}, .len = 16};
	host.ports[idx].n_addresses = 2;
	host_start(&host, 1);
	for (unsigned i = 0; i < 2 * HG_ANNOUNCE_ROUNDS; i++) {
		HG_CHECK_EQ(next_announcement(frame), 0x8100);
		HG_CHECK_EQ(hg_bytes_get16(frame + 14) & 0xfff, 42);
		HG_CHECK_EQ(hg_bytes_get16(frame + 16), i % 2 == 0 ? 0x0806 : 0x86dd);
	}
	/* Another address of the port, and no other port. */
	host.ports[idx].addresses[0].bytes[3] = 8;
	host.ports[idx].n_addresses = 1;
	host_apply(&host);
	for (unsigned i = 0; i < HG_ANNOUNCE_ROUNDS; i++) {
		(void)next_announcement(frame);
		HG_CHECK_EQ(frame[4 + 28 + 3], 8);
	}
	HG_CHECK_EQ(hg_dp_announce(host.dp, host_instance(&host, "a1"), &n, &err), 0);
	HG_CHECK_EQ(n, 1);
	for (unsigned i = 0; i < HG_ANNOUNCE_ROUNDS; i++)
		HG_CHECK_EQ(next_announcement(frame), 0x8035);
	host_close(&host);
}

/* A port that goes while its rounds run is not spoken for any more, and nothing is lost of the buffers. */
static void s5_1_announcements_end_with_their_port(void)
{
	struct hg_instance_state left;

	start(1);
	leave(&state, NULL);
	for (unsigned i = 0; i < 50; i++) {
		arrive(&state, NULL);
		leave(&left, NULL);
	}
	host_discard(&host, "up0");
	host_close(&host);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_save_restore_moves_tokens),
		HG_TEST(s5_1_save_restore_moves_a_debt),
		HG_TEST(s5_1_save_restore_refuses_what_no_scheduler_takes),
		HG_TEST(s5_1_save_restore_moves_learned_addresses),
		HG_TEST(s5_1_arrival_is_announced_in_rounds),
		HG_TEST(s5_1_arrival_without_addresses_is_announced_by_rarp),
		HG_TEST(s5_1_port_is_announced_when_it_is_made_and_when_asked),
		HG_TEST(s5_1_announcements_end_with_their_port),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
