#include "core/class.h"
#include "tests/harness.h"

#include <string.h>

#define EF (UINT64_C(1) << 46)
#define CS1 (UINT64_C(1) << 8)

static void s2_7_sets_that_cannot_be_are_refused_with_their_place(void)
{
	static const struct {
		struct hg_class_set set;
		const char *path, *text; /* NULL: accepted */
	} rows[] = {
		{{.n = 0}, NULL, NULL},
		{{.n = 2, .classes = {{"voice", EF, 0, 0}, {"rest", 0, 1, 0}}}, NULL, NULL},
		{{.n = 2, .classes = {{"voice", 0, 0, 1u << 5}, {"bulk", CS1, 9, 0}}}, NULL, NULL},
		{{.n = 1, .classes = {{"voice", EF, 0, 0}}},
		 "",
		 "a contract has none, or 2 to 8 classes"},
		{{.n = 9}, "", "a contract has none, or 2 to 8 classes"},
		{{.n = 2, .classes = {{"Voice", EF, 0, 0}, {"rest", 0, 1, 0}}},
		 "[0].name",
		 "a class has a name of 1 to 15 of a-z, 0-9, '.', '_', '-'"},
		{{.n = 2, .classes = {{"rest", EF, 0, 0}, {"rest", 0, 1, 0}}},
		 "[1].name",
		 "another class of this contract has that name"},
		{{.n = 2, .classes = {{"voice", EF, 1001, 0}, {"rest", 0, 1, 0}}},
		 "[0].weight",
		 "is out of range: allowed is 1 to 1000, or strict"},
		{{.n = 2, .classes = {{"voice", EF, 0, 0}, {"rest", EF | CS1, 1, 0}}},
		 "[1].dscp",
		 "a class before this one has one of these already"},
		{{.n = 2, .classes = {{"voice", 0, 0, 3}, {"rest", 0, 1, 2}}},
		 "[1].pcp",
		 "a class before this one has one of these already"},
		{{.n = 2, .classes = {{"voice", 0, 0, 0}, {"rest", 0, 1, 0}}},
		 "[0].dscp",
		 "this class asks for no packet; only the last one may, which gets the rest"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hg_error err = {0};
		int rc = hg_class_set_validate(&rows[i].set, &err);

		HG_CHECK_EQ(rc, rows[i].text == NULL ? 0 : -HG_EINVAL);
		HG_CHECK_STR(err.text, rows[i].text == NULL ? "" : rows[i].text);
		HG_CHECK_STR(err.path, rows[i].path == NULL ? "" : rows[i].path);
	}
}

static void sets_are_equal_when_every_field_is(void)
{
	const struct hg_class_set set = {.n = 2,
					 .classes = {{"voice", EF, 0, 1}, {"rest", CS1, 1, 0}}};
	struct hg_class_set other = set;

	HG_CHECK(hg_class_set_equal(&set, &other));
	other.classes[1].weight = 2;
	HG_CHECK(!hg_class_set_equal(&set, &other));
	other = set;
	other.classes[0].pcps = 2;
	HG_CHECK(!hg_class_set_equal(&set, &other));
	other = set;
	other.classes[1].dscps = EF;
	HG_CHECK(!hg_class_set_equal(&set, &other));
	other = set;
	memcpy(other.classes[0].name, "video", 6);
	HG_CHECK(!hg_class_set_equal(&set, &other));
	other = set;
	other.n = 0;
	HG_CHECK(!hg_class_set_equal(&set, &other));
}

static const struct hg_test tests[] = {
	HG_TEST(s2_7_sets_that_cannot_be_are_refused_with_their_place),
	HG_TEST(sets_are_equal_when_every_field_is),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
