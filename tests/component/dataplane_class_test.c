/* Classes inside an instance, through the packet lane as a whole (S2.7). */
#include "tests/component/hosts.h"

#include <string.h>

static struct host host;

#define EF 46u
#define TOS_AT 15u /* of an untagged IPv4 frame */
#define BULK 100u
#define VOICE 500u

static void set_classes(enum hg_dir dir)
{
	struct hg_policy *policy = &host.instances[host_instance(&host, "a1")].contract.dir[dir];

	policy->classes = (struct hg_class_set){
		.n = 2, .classes = {{"voice", UINT64_C(1) << EF, 0, 0}, {"rest", 0, 1, 0}}};
}

static void send_voice(const char *from, const char *to, uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct hg_pkt *pkt = host_packet(&host, from, to, 200, first + i);

		pkt->data[TOS_AT] = (uint8_t)(EF << 2);
		host_inject(&host, from, pkt);
	}
}

static uint32_t receive_number(const char *at)
{
	struct hg_pkt *pkt = host_receive(&host, at);
	uint32_t number = packet_number(pkt);

	host_release(&host, pkt);
	return number;
}

/* A maximum holds 40 large packets; three small ones of the strict class come later and go before all that
 * still wait. */
static void voice_goes_before_bulk(enum hg_dir dir, const char *from, const char *to)
{
	uint32_t n_bulk_before = 0, next_bulk = BULK, next_voice = VOICE;

	host_init(&host);
	set_classes(dir);
	host_limit(&host, "a1", dir, 125000, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, from, to, 1500, BULK, 40);
	WAIT_FOR(host_flow(&host, "a1", dir).offered_pkts == 40);
	send_voice(from, to, VOICE, 3);
	WAIT_FOR(host_flow(&host, "a1", dir).offered_pkts == 43);
	while (next_voice < VOICE + 3) {
		uint32_t number = receive_number(to);

		if (number >= VOICE) {
			HG_CHECK_EQ(number, next_voice++);
		} else {
			HG_CHECK_EQ(number, next_bulk++);
			n_bulk_before++;
		}
	}
	/* 40 of them take 480 ms; what had left before the first voice packet came is not many. */
	HG_CHECK(n_bulk_before < 30);
	while (next_bulk < BULK + 40)
		HG_CHECK_EQ(receive_number(to), next_bulk++);
	host_close(&host);
}

static void s2_7_dscp_orders_what_leaves_by_the_uplink(void)
{
	voice_goes_before_bulk(HG_OUT, "a1", "up0");
}

static void s2_7_dscp_orders_what_stays_on_the_host(void)
{
	voice_goes_before_bulk(HG_OUT, "a1", "a2");
}

static void s2_7_dscp_orders_what_is_received(void)
{
	voice_goes_before_bulk(HG_IN, "up0", "a1");
}

/* The hold queue of bulk is full; a call is not dropped for that. */
static void s2_7_a_full_class_drops_nothing_of_another(void)
{
	struct hg_dp_flow flow;

	host_init(&host);
	set_classes(HG_OUT);
	host_limit(&host, "a1", HG_OUT, 250000, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "a1", "up0", 1500, BULK, 300);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == 300);
	flow = host_flow(&host, "a1", HG_OUT);
	HG_CHECK(flow.drops[HG_DROP_HOLD_BYTES] > 0);
	send_voice("a1", "up0", VOICE, 3);
	for (uint32_t n = 0; n < 3;)
		n += receive_number("up0") >= VOICE;
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).drops[HG_DROP_HOLD_BYTES],
		    flow.drops[HG_DROP_HOLD_BYTES]);
	host_close(&host);
}

static void s2_7_classes_come_and_go_live(void)
{
	uint32_t n_got = 0;

	host_init(&host);
	host_limit(&host, "a1", HG_OUT, 2500000, SMALL_BURST);
	host_start(&host, 1);
	host_send(&host, "a1", "up0", 1500, BULK, 40);
	set_classes(HG_OUT);
	host_apply(&host);
	send_voice("a1", "up0", VOICE, 3);
	memset(&host.instances[host_instance(&host, "a1")].contract.dir[HG_OUT].classes, 0,
	       sizeof(struct hg_class_set));
	host_apply(&host);
	for (; n_got < 43; n_got++)
		(void)receive_number("up0");
	host_close(&host);
}

static const struct hg_test tests[] = {
	HG_TEST(s2_7_dscp_orders_what_leaves_by_the_uplink),
	HG_TEST(s2_7_dscp_orders_what_stays_on_the_host),
	HG_TEST(s2_7_dscp_orders_what_is_received),
	HG_TEST(s2_7_a_full_class_drops_nothing_of_another),
	HG_TEST(s2_7_classes_come_and_go_live),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
