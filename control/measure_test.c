#include "control/measure.h"
#include "tests/harness.h"

#define MBIT UINT64_C(125000)
#define S HG_NS_PER_S
#define BURST UINT64_C(131072)
#define SLACK (BURST + HG_MEASURE_PACKET_BYTES)

struct row {
	const char *what;
	uint64_t min, max, max_pkts;
	struct hg_span span;
	unsigned want;
};

static struct hg_policy policy_of(const struct row *row)
{
	struct hg_contract contract;

	hg_contract_init(&contract);
	contract.dir[HG_OUT].min_bytes_per_s = row->min;
	contract.dir[HG_OUT].max_bytes_per_s = row->max;
	contract.dir[HG_OUT].max_pkts_per_s = row->max_pkts;
	contract.dir[HG_OUT].burst_bytes = BURST;
	return contract.dir[HG_OUT];
}

static void check_rows(const struct row *rows)
{
	for (const struct row *row = rows; row->what != NULL; row++) {
		struct hg_policy policy = policy_of(row);
		unsigned got = hg_measure_judge(&policy, &row->span, (struct hg_room){0});

		if (got != row->want)
			HG_TEST_FAIL("%s: judged %u, want %u", row->what, got, row->want);
	}
}

/* Sends `sent` over the link all the while something waits. */
#define BACKLOG(sent, offered, waiting)                                                     \
	{                                                                                   \
		.for_ns = S, .wait_ns = S, .sent_bytes = (sent), .link_sent_bytes = (sent), \
		.link_offered_bytes = (offered), .link_waiting_bytes = (waiting)            \
	}

static void s1_8_minimum_kept_or_missed(void)
{
	static const struct row rows[] = {
		{"no contract", 0, 0, 0, BACKLOG(0, 100 * MBIT, 0), 0},
		{"sent the minimum", 100 * MBIT, 0, 0, BACKLOG(100 * MBIT, 200 * MBIT, 0), 0},
		{"short by the slack", 100 * MBIT, 0, 0, BACKLOG(100 * MBIT - SLACK, 200 * MBIT, 0),
		 0},
		{"short by one byte more", 100 * MBIT, 0, 0,
		 BACKLOG(100 * MBIT - SLACK - 1, 200 * MBIT, 0), HG_JUDGED_MISSED_MIN},
		{"sent nothing", 100 * MBIT, 0, 0, BACKLOG(0, 200 * MBIT, 0), HG_JUDGED_MISSED_MIN},
		{"sent all that it had", 100 * MBIT, 0, 0, BACKLOG(30 * MBIT, 30 * MBIT, 0), 0},
		{"less than it had", 100 * MBIT, 0, 0, BACKLOG(30 * MBIT, 50 * MBIT, 0),
		 HG_JUDGED_MISSED_MIN},
		{"what waited at the start is due too", 100 * MBIT, 0, 0,
		 BACKLOG(30 * MBIT, 30 * MBIT, 20 * MBIT), HG_JUDGED_MISSED_MIN},
		{0},
	};

	check_rows(rows);
}

static void s1_8_minimum_is_due_while_something_waits(void)
{
	static const struct row rows[] = {
		{"began 50 ms before the end, at its minimum",
		 100 * MBIT,
		 0,
		 0,
		 {.for_ns = S,
		  .wait_ns = S / 20,
		  .sent_bytes = 5 * MBIT,
		  .link_sent_bytes = 5 * MBIT,
		  .link_offered_bytes = 40 * MBIT},
		 0},
		{"began 50 ms before the end, got a fifth of it",
		 100 * MBIT,
		 0,
		 0,
		 {.for_ns = S,
		  .wait_ns = S / 20,
		  .sent_bytes = MBIT,
		  .link_sent_bytes = MBIT,
		  .link_offered_bytes = 40 * MBIT},
		 HG_JUDGED_MISSED_MIN},
		{"no waiting time known: the whole second counts",
		 100 * MBIT,
		 0,
		 0,
		 {.for_ns = S,
		  .sent_bytes = 5 * MBIT,
		  .link_sent_bytes = 5 * MBIT,
		  .link_offered_bytes = 40 * MBIT},
		 HG_JUDGED_MISSED_MIN},
		{"half a second, half as much due",
		 100 * MBIT,
		 0,
		 0,
		 {.for_ns = S / 2,
		  .wait_ns = S / 2,
		  .sent_bytes = 50 * MBIT,
		  .link_sent_bytes = 50 * MBIT,
		  .link_offered_bytes = 90 * MBIT},
		 0},
		{0},
	};

	check_rows(rows);
}

static void s1_8_minimum_counts_the_link_alone(void)
{
	static const struct row rows[] = {
		{"local traffic does not make up for it",
		 100 * MBIT,
		 0,
		 0,
		 {.for_ns = S,
		  .wait_ns = S,
		  .sent_bytes = 500 * MBIT,
		  .link_sent_bytes = 10 * MBIT,
		  .link_offered_bytes = 200 * MBIT},
		 HG_JUDGED_MISSED_MIN},
		{"its own maximum went into local traffic",
		 100 * MBIT,
		 200 * MBIT,
		 0,
		 {.for_ns = S,
		  .wait_ns = S,
		  .sent_bytes = 200 * MBIT,
		  .link_sent_bytes = 20 * MBIT,
		  .link_offered_bytes = 200 * MBIT},
		 0},
		{"its own packet maximum was used up",
		 100 * MBIT,
		 0,
		 1000,
		 {.for_ns = S,
		  .wait_ns = S,
		  .sent_bytes = MBIT,
		  .sent_pkts = 1000,
		  .link_sent_bytes = MBIT,
		  .link_offered_bytes = 200 * MBIT},
		 0},
		{0},
	};

	check_rows(rows);
}

static void s1_8_maximum_kept_or_missed(void)
{
	static const struct row rows[] = {
		{"at the maximum", 0, 100 * MBIT, 0, BACKLOG(100 * MBIT, 200 * MBIT, 0), 0},
		{"above by the slack", 0, 100 * MBIT, 0, BACKLOG(100 * MBIT + SLACK, 200 * MBIT, 0),
		 0},
		{"above by one byte more", 0, 100 * MBIT, 0,
		 BACKLOG(100 * MBIT + SLACK + 1, 200 * MBIT, 0), HG_JUDGED_MISSED_MAX},
		{"local traffic counts",
		 0,
		 100 * MBIT,
		 0,
		 {.for_ns = S, .sent_bytes = 200 * MBIT, .link_sent_bytes = 0},
		 HG_JUDGED_MISSED_MAX},
		{"packets at the maximum", 0, 0, 10000, {.for_ns = S, .sent_pkts = 10000}, 0},
		{"twice the packets",
		 0,
		 0,
		 10000,
		 {.for_ns = S, .sent_pkts = 20000},
		 HG_JUDGED_MISSED_MAX},
		{0},
	};

	check_rows(rows);
}

static void s1_8_l2_accounting_leaves_out_the_wire(void)
{
	struct row row = {.max = 100 * MBIT};
	struct hg_policy policy = policy_of(&row);
	struct hg_span span = {.for_ns = S,
			       .sent_pkts = 100000,
			       .sent_bytes = 100 * MBIT + 100000 * HG_WIRE_OVERHEAD_BYTES};

	HG_CHECK_EQ(hg_measure_judge(&policy, &span, (struct hg_room){0}), HG_JUDGED_MISSED_MAX);
	policy.accounting = HG_ACCOUNT_L2;
	HG_CHECK_EQ(hg_measure_judge(&policy, &span, (struct hg_room){0}), 0);
}

static void s1_9_a_tenant_that_used_itself_up_owes_its_instances_nothing(void)
{
	struct row tenant = {.min = 50 * MBIT, .max = 100 * MBIT};
	struct row instance = {.min = 50 * MBIT};
	struct hg_policy of_tenant = policy_of(&tenant), of_instance = policy_of(&instance);
	struct hg_span span = BACKLOG(0, 200 * MBIT, 0);
	struct hg_span local = {.for_ns = S, .sent_bytes = 100 * MBIT};

	HG_CHECK_EQ(hg_measure_judge(&of_instance, &span, hg_measure_room(&of_tenant, &local)), 0);
	HG_CHECK_EQ(hg_measure_judge(&of_instance, &span, hg_measure_room(&of_tenant, &span)),
		    HG_JUDGED_MISSED_MIN);
}

static void stolen_time_is_neither_kept_nor_missed(void)
{
	struct row row = {.min = 100 * MBIT};
	struct hg_policy policy = policy_of(&row);
	struct hg_span span = BACKLOG(0, 200 * MBIT, 0);
	struct hg_proof proof = {0};

	span.stolen_ns = S / 100;
	hg_measure_count(&proof, hg_measure_judge(&policy, &span, (struct hg_room){0}));
	span.stolen_ns = S / 100 + 1;
	hg_measure_count(&proof, hg_measure_judge(&policy, &span, (struct hg_room){0}));
	hg_measure_count(&proof, 0);
	hg_measure_count(&proof, HG_JUDGED_MISSED_MIN | HG_JUDGED_MISSED_MAX);
	HG_CHECK_EQ(proof.stolen, 1);
	HG_CHECK_EQ(proof.kept, 1);
	HG_CHECK_EQ(proof.missed, 2);
	HG_CHECK_EQ(proof.missed_min, 2);
	HG_CHECK_EQ(proof.missed_max, 1);
}

static void rates_and_held_times_of_a_span(void)
{
	static struct hg_dp_flow from, to;
	struct hg_measure m;

	memset(&from, 0, sizeof(from));
	from.offered_bytes = 1000;
	from.held_ns[HG_LIMIT_LINK] = 5;
	to = from;
	to.offered_bytes += 100 * MBIT;
	to.sent_bytes = 50 * MBIT;
	to.link_bytes = 25 * MBIT;
	to.held_ns[HG_LIMIT_LINK] += 100;
	to.held_ns[HG_LIMIT_MAX] += 20;
	to.wait_ns = 120;
	to.drops[HG_DROP_HOLD_TIME] = 7;
	hg_histogram_add(&to.wait, 50 * HG_NS_PER_US, 98);
	hg_histogram_add(&to.wait, 5 * HG_NS_PER_MS, 2);
	hg_measure_rates(&from, &to, S / 2, &m);
	HG_CHECK_EQ(m.offered_bytes_per_s, 200 * MBIT);
	HG_CHECK_EQ(m.sent_bytes_per_s, 100 * MBIT);
	HG_CHECK_EQ(m.link_sent_bytes_per_s, 50 * MBIT);
	HG_CHECK_EQ(m.held_ns[HG_LIMIT_LINK] + m.held_ns[HG_LIMIT_MAX], m.wait_ns);
	HG_CHECK_EQ(m.drops, 7);
	HG_CHECK_BETWEEN(m.wait_p50_ns, 50 * HG_NS_PER_US, 63 * HG_NS_PER_US);
	HG_CHECK_BETWEEN(m.wait_p99_ns, 5 * HG_NS_PER_MS, 7 * HG_NS_PER_MS);
}

static void a_counter_that_began_anew_is_taken_from_zero(void)
{
	static struct hg_dp_flow from, to;
	struct hg_span span;

	memset(&from, 0, sizeof(from));
	memset(&to, 0, sizeof(to));
	from.sent_bytes = 1000000;
	to.sent_bytes = 10;
	hg_measure_span(&from, &to, S, 0, &span);
	HG_CHECK_EQ(span.sent_bytes, 10);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s1_8_minimum_kept_or_missed),
		HG_TEST(s1_8_minimum_is_due_while_something_waits),
		HG_TEST(s1_8_minimum_counts_the_link_alone),
		HG_TEST(s1_8_maximum_kept_or_missed),
		HG_TEST(s1_8_l2_accounting_leaves_out_the_wire),
		HG_TEST(s1_9_a_tenant_that_used_itself_up_owes_its_instances_nothing),
		HG_TEST(stolen_time_is_neither_kept_nor_missed),
		HG_TEST(rates_and_held_times_of_a_span),
		HG_TEST(a_counter_that_began_anew_is_taken_from_zero),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
