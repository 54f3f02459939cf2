#include "api/connections.h"
#include "tests/harness.h"

#define N 4u

static struct hg_connection ones[N];

/* All of them have come, one each second. */
static void begin(struct hg_connections *all)
{
	hg_connections_init(all);
	for (unsigned i = 0; i < N; i++) {
		ones[i] = (struct hg_connection){0};
		hg_connections_enter(all, &ones[i], (hg_ns)i * HG_NS_PER_S);
	}
}

static void s7_2_of_nobody_nobody_goes(void)
{
	struct hg_connections all;

	hg_connections_init(&all);
	HG_CHECK(hg_connections_longest(&all) == NULL);
	HG_CHECK(hg_connections_stale_body(&all, HG_NS_PER_S) == NULL);
}

static void s7_2_who_said_something_last_goes_last(void)
{
	struct hg_connections all;

	begin(&all);
	hg_connections_become(&all, &ones[0], HG_CONNECTION_ASKING, 10 * HG_NS_PER_S);
	hg_connections_become(&all, &ones[2], HG_CONNECTION_ANSWERED, 11 * HG_NS_PER_S);
	for (unsigned i = 0; i < N; i++) {
		static const unsigned order[N] = {1, 3, 0, 2};

		HG_CHECK(hg_connections_longest(&all) == &ones[order[i]]);
		hg_connections_refuse(&all, &ones[order[i]]);
		HG_CHECK_EQ(all.n, N - 1u - i);
	}
	HG_CHECK_EQ(all.n_refused[HG_REFUSAL_IDLE], 2);
	HG_CHECK_EQ(all.n_refused[HG_REFUSAL_UNFINISHED], 1);
	HG_CHECK_EQ(all.n_refused[HG_REFUSAL_UNREAD], 1);
}

static void s7_2_readers_of_captures_stay(void)
{
	struct hg_connections all;

	begin(&all);
	for (unsigned i = 0; i < N; i++)
		hg_connections_become(&all, &ones[i], HG_CONNECTION_STREAM, 10 * HG_NS_PER_S);
	HG_CHECK(hg_connections_longest(&all) == NULL);
	hg_connections_become(&all, &ones[1], HG_CONNECTION_IDLE, 11 * HG_NS_PER_S);
	HG_CHECK(hg_connections_longest(&all) == &ones[1]);
}

static void s7_2_a_body_is_stale_after_its_time_and_not_before(void)
{
	struct hg_connections all;

	begin(&all);
	hg_connections_become(&all, &ones[3], HG_CONNECTION_ASKING, 5 * HG_NS_PER_S);
	ones[3].body_bytes = 1;
	HG_CHECK(hg_connections_stale_body(&all, 5 * HG_NS_PER_S + HG_CONNECTIONS_STALE_NS - 1) ==
		 NULL);
	HG_CHECK(hg_connections_stale_body(&all, 5 * HG_NS_PER_S + HG_CONNECTIONS_STALE_NS) ==
		 &ones[3]);
}

/* A connection ends while it is being refused: it is told of twice. */
static void s7_2_who_has_left_is_left_alone(void)
{
	struct hg_connections all;

	begin(&all);
	hg_connections_refuse(&all, &ones[0]);
	hg_connections_leave(&all, &ones[0]);
	hg_connections_become(&all, &ones[0], HG_CONNECTION_ASKING, 10 * HG_NS_PER_S);
	HG_CHECK_EQ(all.n, N - 1u);
	HG_CHECK(hg_connections_longest(&all) == &ones[1]);
}

static void s7_2_refusals_have_names(void)
{
	HG_CHECK_STR(hg_refusal_name(HG_REFUSAL_BODY_TOO_LARGE), "body_too_large");
	HG_CHECK_STR(hg_refusal_name(HG_N_REFUSALS), "?");
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s7_2_of_nobody_nobody_goes),
		HG_TEST(s7_2_who_said_something_last_goes_last),
		HG_TEST(s7_2_readers_of_captures_stay),
		HG_TEST(s7_2_a_body_is_stale_after_its_time_and_not_before),
		HG_TEST(s7_2_who_has_left_is_left_alone),
		HG_TEST(s7_2_refusals_have_names),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
