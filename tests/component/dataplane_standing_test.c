/* What instances are owed and owe, and what was counted, goes on in another packet lane: a bucket that was emptied is
 * not full there, counters never go back, and whoever waited did so while everything stood still. */
#include "tests/component/hosts.h"

#include "dataplane/handover.h"

#define WIRE(n) ((n) + HG_WIRE_OVERHEAD_BYTES)
/* A frame in ten seconds: nothing that a test takes time for shows in the tokens. */
#define RATE 100u
#define BURST 20000u
#define PKT_BYTES 1000u
/* What a full bucket lets through at once: the last of them takes it below zero no more. */
#define BURST_PKTS (BURST / WIRE(PKT_BYTES))
#define STILL_NS (30 * HG_NS_PER_MS)

static struct host host;
static bool is_twin; /* the broken one: begins anew */
static uint64_t standing[1 << 16];
static size_t n_standing;
static void *packets;

/* Returns how many bytes of packets were carried. */
static size_t take_out(struct hg_dp *dp)
{
	struct hg_dp_carried out;

	HG_CHECK_EQ(hg_dp_freeze(dp, 50 * HG_NS_PER_MS), 0);
	n_standing = hg_dp_standing_size(dp);
	HG_CHECK(n_standing <= sizeof(standing));
	hg_dp_standing_out(dp, standing);
	free(packets);
	packets = malloc(hg_dp_carry_size(dp));
	HG_CHECK(packets != NULL);
	return hg_dp_carry_out(dp, packets, &out);
}

static uint32_t put_in(struct hg_dp *dp, size_t n_bytes)
{
	struct hg_error err = {0};
	struct hg_dp_carried in;
	uint32_t n = 0;

	(void)hg_dp_freeze(dp, 0);
	if (!is_twin && hg_dp_standing_in(dp, standing, n_standing, &n, &err) != 0)
		HG_TEST_FAIL("refused: %s: %s", err.path, err.text);
	if (hg_dp_carry_in(dp, packets, n_bytes, &in, &err) != 0)
		HG_TEST_FAIL("refused: %s", err.text);
	HG_CHECK_EQ(in.n_lost, 0);
	return n;
}

static void stand_still(void)
{
	const struct timespec t = {.tv_nsec = STILL_NS};

	(void)nanosleep(&t, NULL);
}

/* The host goes on in another lane. Returns how many instances do with what they had. */
static uint32_t restart(uint32_t n_workers)
{
	struct hg_dp *before = host.dp, *after = host_another_lane(&host, n_workers);
	size_t n_bytes = take_out(before);
	uint32_t n;

	stand_still();
	n = put_in(after, n_bytes);
	hg_dp_let_go(before);
	hg_dp_thaw(after);
	host.dp = after;
	hg_dp_destroy(before, /* keep_devices= */ true);
	return n;
}

/* ---- tokens ------------------------------------------------------------------------------------- */

/* 40 packets, of which a bucket lets some through. Returns how many were let through in all. */
static uint64_t push(const char *from, const char *to, const char *counted, enum hg_dir dir)
{
	uint64_t offered = host_flow(&host, counted, dir).offered_pkts;

	host_send(&host, from, to, PKT_BYTES, 0, 40);
	WAIT_FOR(host_flow(&host, counted, dir).offered_pkts == offered + 40);
	/* Two more looks of the workers: whatever may go has gone. */
	for (unsigned i = 0; i < 2; i++)
		WAIT_FOR(hg_dp_publish(host.dp));
	return host_flow(&host, counted, dir).sent_pkts;
}

static void bucket_goes_on(const char *from, const char *to, const char *counted, enum hg_dir dir,
			   uint32_t n_workers)
{
	uint64_t before, after;

	host_start(&host, n_workers);
	before = push(from, to, counted, dir);
	HG_CHECK_BETWEEN(before, BURST_PKTS, BURST_PKTS + 2);
	HG_CHECK_EQ(restart(n_workers), is_twin ? 0 : 3);
	after = push(from, to, counted, dir);
	if (is_twin)
		HG_CHECK_BETWEEN(after, BURST_PKTS, BURST_PKTS + 2);
	else
		HG_CHECK_BETWEEN(after, before, before + 1);
	host_close(&host);
}

static void tokens_go_on(uint32_t n_workers)
{
	host_init(&host);
	host_limit(&host, "a1", HG_OUT, RATE, BURST);
	bucket_goes_on("a1", "up0", "a1", HG_OUT, n_workers);
	host_init(&host);
	host_limit(&host, "a2", HG_IN, RATE, BURST);
	bucket_goes_on("up0", "a2", "a2", HG_IN, n_workers);
	/* To another instance of this host; the tenant's. */
	host_init(&host);
	host_limit_tenant(&host, "a", HG_OUT, RATE, BURST);
	bucket_goes_on("a1", "a2", "a1", HG_OUT, n_workers);
}

static void s7_11_a_bucket_that_was_emptied_is_not_full_afterwards(void)
{
	is_twin = false;
	tokens_go_on(1);
	tokens_go_on(2);
}

static void broken_without_it_the_bucket_is_full_again(void)
{
	is_twin = true;
	tokens_go_on(1);
}

static void s7_11_tokens_are_earned_while_it_stands_still(void)
{
	uint64_t n;

	is_twin = false;
	host_init(&host);
	/* 15,000 bytes while it stands still. */
	host_limit(&host, "a1", HG_OUT, 15000u * (uint64_t)(HG_NS_PER_S / STILL_NS), BURST);
	host_start(&host, 1);
	host_send(&host, "a1", "up0", PKT_BYTES, 0, BURST_PKTS);
	host_expect(&host, "up0", 0, BURST_PKTS);
	(void)restart(1);
	n = push("a1", "up0", "a1", HG_OUT) - BURST_PKTS;
	HG_CHECK(n >= 14);
	while (host_flow(&host, "a1", HG_OUT).queued_bytes > 0)
		host_discard(&host, "up0");
	host_close(&host);
}

/* ---- counters ----------------------------------------------------------------------------------- */

static void check_same(const struct hg_dp_flow *a, const struct hg_dp_flow *b)
{
	HG_CHECK_EQ(b->offered_bytes, a->offered_bytes);
	HG_CHECK_EQ(b->offered_pkts, a->offered_pkts);
	HG_CHECK_EQ(b->sent_bytes, a->sent_bytes);
	HG_CHECK_EQ(b->sent_pkts, a->sent_pkts);
	HG_CHECK_EQ(b->link_bytes, a->link_bytes);
	HG_CHECK_EQ(b->link_offered_bytes, a->link_offered_bytes);
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		HG_CHECK_EQ(b->drops[i], a->drops[i]);
	HG_CHECK_EQ(b->queued_bytes, a->queued_bytes);
	HG_CHECK_EQ(hg_histogram_count(&b->wait), hg_histogram_count(&a->wait));
}

struct picture {
	struct hg_dp_flow a1, a2, tenant_out, tenant_in;
	struct hg_dp_port_sample port;
	struct hg_dp_uplink_sample uplink;
	struct hg_dp_host_sample host;
};

static void take_picture(struct picture *ret)
{
	ret->a1 = host_flow(&host, "a1", HG_OUT);
	ret->a2 = host_flow(&host, "a2", HG_IN);
	ret->tenant_out = host_tenant_flow(&host, "a", HG_OUT);
	ret->tenant_in = host_tenant_flow(&host, "a", HG_IN);
	ret->port = host_port(&host, "a1");
	ret->uplink = host_uplink(&host);
	hg_dp_sample_host(host.dp, &ret->host);
}

static void check_pictures(const struct picture *a, const struct picture *b)
{
	check_same(&a->a1, &b->a1);
	check_same(&a->a2, &b->a2);
	check_same(&a->tenant_out, &b->tenant_out);
	check_same(&a->tenant_in, &b->tenant_in);
	HG_CHECK_EQ(b->port.rx_pkts, a->port.rx_pkts);
	HG_CHECK_EQ(b->port.rx_bytes, a->port.rx_bytes);
	HG_CHECK_EQ(b->port.drops[HG_DROP_SPOOFED_MAC], a->port.drops[HG_DROP_SPOOFED_MAC]);
	HG_CHECK_EQ(b->uplink.tx_wire_bytes, a->uplink.tx_wire_bytes);
	HG_CHECK_EQ(b->uplink.rx_wire_bytes, a->uplink.rx_wire_bytes);
	HG_CHECK_EQ(b->uplink.tx_pkts, a->uplink.tx_pkts);
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		HG_CHECK_EQ(b->host.drops[i], a->host.drops[i]);
}

/* a1 is held, and drops for want of room; its port drops what is not its own; an instance has come and gone. */
static void make_history(uint32_t n_workers)
{
	struct hg_pkt *pkt;

	is_twin = false;
	host_init(&host);
	host_add_instance(&host, "x", host_tenant(&host, "a"));
	host_limit(&host, "a1", HG_OUT, RATE, SMALL_BURST);
	host_start(&host, n_workers);
	host_send(&host, "x", "up0", PKT_BYTES, 0, 7);
	host_expect(&host, "up0", 0, 7);
	host_remove_last_instance(&host);
	host_apply(&host);
	host_send(&host, "up0", "a2", PKT_BYTES, 0, 5);
	host_expect(&host, "a2", 0, 5);
	pkt = host_packet(&host, "b1", "up0", PKT_BYTES, 0);
	host_inject(&host, "a1", pkt);
	WAIT_FOR(host_port(&host, "a1").drops[HG_DROP_SPOOFED_MAC] == 1);
	host_send(&host, "a1", "up0", 1500, 0, 1000);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == 1000);
	HG_CHECK(flow_drops(&(struct hg_dp_flow[]){host_flow(&host, "a1", HG_OUT)}[0]) > 0);
	/* The first may still be on its way. */
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).sent_pkts > 0);
}

static void totals_go_on(uint32_t n_workers, uint32_t n_workers_after)
{
	struct picture before, after;

	make_history(n_workers);
	take_picture(&before);
	HG_CHECK_EQ(before.tenant_out.sent_pkts, before.a1.sent_pkts + 7);
	(void)restart(n_workers_after);
	take_picture(&after);
	check_pictures(&before, &after);
	host_discard(&host, "up0");
	host_send(&host, "up0", "a2", PKT_BYTES, 0, 3);
	host_expect(&host, "a2", 0, 3);
	HG_CHECK_EQ(host_flow(&host, "a2", HG_IN).sent_pkts, 8);
	HG_CHECK_EQ(host_tenant_flow(&host, "a", HG_IN).sent_pkts, 8);
	/* And once more. */
	take_picture(&before);
	(void)restart(n_workers);
	take_picture(&after);
	check_pictures(&before, &after);
	host_close(&host);
}

static void s7_11_totals_go_on(void)
{
	totals_go_on(1, 1);
	totals_go_on(2, 2);
	totals_go_on(1, 2);
}

static void s7_11_nothing_counts_twice_when_it_is_taken_back(void)
{
	struct picture before, after;

	make_history(1);
	take_picture(&before);
	for (unsigned i = 0; i < 3; i++) {
		(void)put_in(host.dp, take_out(host.dp));
		hg_dp_thaw(host.dp);
	}
	take_picture(&after);
	check_pictures(&before, &after);
	host_close(&host);
}

/* ---- held times --------------------------------------------------------------------------------- */

static uint64_t all_held_ns(const struct hg_dp_flow *flow)
{
	uint64_t ns = 0;

	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		ns += flow->held_ns[i];
	return ns;
}

static void held_goes_on(bool is_taken_back)
{
	struct hg_dp_flow before, after, quiet;
	hg_ns began_ns;

	make_history(1);
	began_ns = clock_now_ns();
	before = host_flow(&host, "a1", HG_OUT);
	HG_CHECK_EQ(before.held_by, HG_LIMIT_MAX);
	if (is_taken_back) {
		size_t n_bytes = take_out(host.dp);

		stand_still();
		(void)put_in(host.dp, n_bytes);
		hg_dp_thaw(host.dp);
	} else {
		(void)restart(1);
	}
	quiet = host_flow(&host, "a2", HG_IN);
	after = host_flow(&host, "a1", HG_OUT);
	/* It waited all the time, and was held by its maximum alone. */
	HG_CHECK_BETWEEN(after.held_ns[HG_LIMIT_MAX] - before.held_ns[HG_LIMIT_MAX],
			 (uint64_t)STILL_NS, (uint64_t)(clock_now_ns() - began_ns));
	HG_CHECK_EQ(after.wait_ns, all_held_ns(&after));
	HG_CHECK(all_held_ns(&quiet) < (uint64_t)STILL_NS);
	host_close(&host);
}

static void s7_11_whoever_waited_did_while_it_stood_still(void)
{
	held_goes_on(/* is_taken_back= */ false);
	held_goes_on(/* is_taken_back= */ true);
}

/* ---- behaviour ---------------------------------------------------------------------------------- */

static void s7_11_behaviour_goes_on(void)
{
	struct hg_dp_flow before, after;

	is_twin = false;
	host_init(&host);
	host.behaviour_interval_ns = 5 * HG_NS_PER_MS;
	host_limit(&host, "a1", HG_OUT, RATE, SMALL_BURST);
	host.instances[0].contract.dir[HG_OUT].behaviour = HG_FOLLOW_RATE;
	host_start(&host, 1);
	host_send(&host, "a1", "up0", PKT_BYTES, 0, 100);
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).behaviour.level == HG_BEHAVIOUR_LEVELS);
	before = host_flow(&host, "a1", HG_OUT);
	host.behaviour_interval_ns = 3600 * HG_NS_PER_S; /* no further judgement */
	(void)restart(1);
	after = host_flow(&host, "a1", HG_OUT);
	HG_CHECK_EQ(after.behaviour.level, HG_BEHAVIOUR_LEVELS);
	HG_CHECK_EQ(after.behaviour.n_changes, before.behaviour.n_changes);
	HG_CHECK_EQ(after.behaviour.reason, HG_BEHAVIOUR_OVER_OWN);
	HG_CHECK_EQ(after.max_in_force_bytes_per_s, before.max_in_force_bytes_per_s);
	HG_CHECK(after.max_in_force_bytes_per_s < RATE);
	host_close(&host);
}

/* ---- what is not there any more, rubbish -------------------------------------------------------- */

static void s7_11_another_of_the_same_name_begins_anew(void)
{
	is_twin = false;
	host_init(&host);
	host_add_instance(&host, "x", host_tenant(&host, "a"));
	host_limit(&host, "x", HG_OUT, RATE, BURST);
	host_start(&host, 1);
	HG_CHECK_BETWEEN(push("x", "up0", "x", HG_OUT), BURST_PKTS, BURST_PKTS + 2);
	/* So that nothing of it waits. */
	host_limit(&host, "x", HG_OUT, 0, BURST);
	host_apply(&host);
	host_expect(&host, "up0", 0, 40);
	host_limit(&host, "x", HG_OUT, RATE, BURST);
	host.instances[host_instance(&host, "x")].tenant_idx = host_tenant(&host, "b");
	HG_CHECK_EQ(restart(1), 3);
	HG_CHECK_EQ(host_flow(&host, "x", HG_OUT).sent_pkts, 0);
	HG_CHECK_BETWEEN(push("x", "up0", "x", HG_OUT), BURST_PKTS, BURST_PKTS + 2);
	host_close(&host);
}

static void s7_11_what_is_written_otherwise_is_refused(void)
{
	struct hg_error err = {0};
	struct picture before, after;
	uint8_t *bytes = (uint8_t *)standing;
	size_t n_packets;
	uint32_t n;

	make_history(1);
	take_picture(&before);
	n_packets = take_out(host.dp);
	for (size_t n_bytes = 0; n_bytes < n_standing; n_bytes += n_bytes < 64 ? 1 : 97)
		HG_CHECK_EQ(hg_dp_standing_in(host.dp, standing, n_bytes, &n, &err), -HG_EINVAL);
	/* The head, but for when it was written and what nobody uses. */
	for (size_t at = 0; at < 44; at++) {
		if (at >= 24 && at < 32)
			continue;
		bytes[at] ^= 0xffu;
		err = (struct hg_error){0};
		HG_CHECK_EQ(hg_dp_standing_in(host.dp, standing, n_standing, &n, &err),
			    at >= 4 && at < 16 ? -HG_ENOTSUP : -HG_EINVAL);
		HG_CHECK(err.text[0] != '\0');
		bytes[at] ^= 0xffu;
	}
	bytes[31] ^= 0x40u; /* in 100 years */
	HG_CHECK_EQ(hg_dp_standing_in(host.dp, standing, n_standing, &n, &err), -HG_EINVAL);
	bytes[31] ^= 0x40u;
	/* Nothing of all that was taken in. */
	(void)put_in(host.dp, n_packets);
	hg_dp_thaw(host.dp);
	take_picture(&after);
	check_pictures(&before, &after);
	host_close(&host);
}

static const struct hg_test tests[] = {
	HG_TEST(s7_11_a_bucket_that_was_emptied_is_not_full_afterwards),
	HG_TEST(broken_without_it_the_bucket_is_full_again),
	HG_TEST(s7_11_tokens_are_earned_while_it_stands_still),
	HG_TEST(s7_11_totals_go_on),
	HG_TEST(s7_11_nothing_counts_twice_when_it_is_taken_back),
	HG_TEST(s7_11_whoever_waited_did_while_it_stood_still),
	HG_TEST(s7_11_behaviour_goes_on),
	HG_TEST(s7_11_another_of_the_same_name_begins_anew),
	HG_TEST(s7_11_what_is_written_otherwise_is_refused),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
