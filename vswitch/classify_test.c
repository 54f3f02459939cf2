#include "tests/harness.h"
#include "vswitch/classify.h"

static const struct hg_class_set set = {
	.n = 4,
	.classes =
		{
			{"voice", UINT64_C(1) << 46, 0, 1u << 5},
			{"control", UINT64_C(1) << 48 | UINT64_C(1) << 56, 0, 0},
			{"bulk", UINT64_C(1) << 8, 1, 1u << 1},
			{"rest", 0, 4, 0},
		},
};

static void s2_7_dscp_and_pcp_choose_the_first_class_that_asks(void)
{
	static const struct {
		struct hg_pkt pkt;
		unsigned class_idx;
	} rows[] = {
		{{.l3 = HG_L3_IP4, .tos = 46 << 2}, 0},
		{{.l3 = HG_L3_IP6, .tos = 46 << 2}, 0},
		{{.l3 = HG_L3_IP4, .tos = 46 << 2 | 3}, 0}, /* ECN is not part of it */
		{{.l3 = HG_L3_IP4, .tos = 56 << 2}, 1},
		{{.l3 = HG_L3_IP6, .tos = 8 << 2}, 2},
		{{.l3 = HG_L3_IP4}, 3},
		{{.l3 = HG_L3_IP4, .tos = 63 << 2}, 3},
		{{.l3 = HG_L3_ARP, .tos = 46 << 2}, 3}, /* what is no IP has no DSCP */
		{{.l3 = HG_L3_ARP, .pcp = 5}, 0},
		{{.l3 = HG_L3_IP4, .tos = 8 << 2, .pcp = 5}, 0},
		{{.l3 = HG_L3_OTHER, .pcp = 1}, 2},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		HG_CHECK_EQ(hg_classify(&set, &rows[i].pkt), rows[i].class_idx);
}

static void s2_7_untagged_frames_have_priority_0(void)
{
	const struct hg_class_set by_pcp = {
		.n = 2, .classes = {{"plain", 0, 1, 1u << 0}, {"tagged", 0, 1, 0}}};
	const struct hg_pkt untagged = {.l3 = HG_L3_IP4}, tagged = {.l3 = HG_L3_IP4, .pcp = 3};

	HG_CHECK_EQ(hg_classify(&by_pcp, &untagged), 0);
	HG_CHECK_EQ(hg_classify(&by_pcp, &tagged), 1);
}

static const struct hg_test tests[] = {
	HG_TEST(s2_7_dscp_and_pcp_choose_the_first_class_that_asks),
	HG_TEST(s2_7_untagged_frames_have_priority_0),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
