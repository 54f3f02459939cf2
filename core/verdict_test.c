#include "core/verdict.h"
#include "tests/harness.h"

static void verdict_every_reason_has_a_name_and_a_sentence(void)
{
	for (unsigned i = 0; i < HG_N_DROPS; i++) {
		HG_CHECK(strcmp(hg_drop_name((enum hg_drop)i), "?") != 0);
		HG_CHECK(strlen(hg_drop_text((enum hg_drop)i)) > 10);
		for (unsigned k = 0; k < i; k++)
			HG_CHECK(strcmp(hg_drop_name((enum hg_drop)i),
					hg_drop_name((enum hg_drop)k)) != 0);
	}
	for (unsigned i = 0; i < HG_N_LIMITS; i++) {
		HG_CHECK(strcmp(hg_limit_name((enum hg_limit)i), "?") != 0);
		HG_CHECK(strlen(hg_limit_text((enum hg_limit)i)) > 10);
		for (unsigned k = 0; k < i; k++)
			HG_CHECK(strcmp(hg_limit_name((enum hg_limit)i),
					hg_limit_name((enum hg_limit)k)) != 0);
	}
}

static void verdict_rows_belong_to_their_enum(void)
{
	HG_CHECK_STR(hg_drop_name(HG_DROP_TRUNCATED), "truncated");
	HG_CHECK_STR(hg_drop_name(HG_DROP_TX_ERROR), "tx_error");
	HG_CHECK_STR(hg_drop_name(HG_DROP_CARD_RESET), "card_reset");
	HG_CHECK_STR(hg_limit_name(HG_LIMIT_NONE), "none");
	HG_CHECK_STR(hg_limit_name(HG_LIMIT_TENANT_PKTS), "tenant_pkts");
	HG_CHECK_STR(hg_limit_text(HG_LIMIT_MAX), "the instance's own maximum rate");
}

static void verdict_outside_the_list_is_a_question_mark(void)
{
	HG_CHECK_STR(hg_drop_name(HG_N_DROPS), "?");
	HG_CHECK_STR(hg_guest_refusal_name(HG_GUEST_REFUSAL_NO_SEAT), "no_seat");
	HG_CHECK_STR(hg_guest_refusal_name(HG_N_GUEST_REFUSALS), "?");
	HG_CHECK_STR(hg_drop_text((enum hg_drop)10000), "?");
	HG_CHECK_STR(hg_limit_name(HG_N_LIMITS), "?");
	HG_CHECK_STR(hg_limit_text((enum hg_limit)10000), "?");
}

static const struct hg_test tests[] = {
	HG_TEST(verdict_every_reason_has_a_name_and_a_sentence),
	HG_TEST(verdict_rows_belong_to_their_enum),
	HG_TEST(verdict_outside_the_list_is_a_question_mark),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
