#include "api/schema.h"

#include "api/nearest.h"
#include "tests/harness.h"

static void keys_are_unique_and_described(void)
{
	for (const struct hg_resource *const *r = hg_schema_all; *r != NULL; r++) {
		for (const struct hg_field *f = (*r)->fields; f->key != NULL; f++) {
			HG_CHECK(hg_schema_find(*r, f->key) == f);
			HG_CHECK(f->doc != NULL && strlen(f->doc) > 8);
			HG_CHECK(f->kind == HG_KIND_UNSERVED || strchr(f->doc, '\0')[-1] == '.');
			HG_CHECK(f->kind != HG_KIND_OBJECT || f->of != NULL);
			HG_CHECK(f->kind != HG_KIND_LIST || f->of != NULL);
			HG_CHECK(f->kind != HG_KIND_WORD || f->words != NULL);
		}
		HG_CHECK(hg_schema_find(*r, "no such key") == NULL);
	}
}

/* Large enough for every resource. */
union any {
	struct hg_desired host;
	struct hg_desired_uplink uplink;
	struct hg_desired_tenant tenant;
	struct hg_desired_instance instance;
	struct hg_desired_port port;
};

static bool has_range(const struct hg_field *f)
{
	return f->kind >= HG_KIND_RATE && f->kind <= HG_KIND_FACTOR;
}

/* Puts value in, formats it, reads it back into another struct. */
static void check_value(const struct hg_field *f, uint64_t value)
{
	union any a = {0}, b = {0};
	struct hg_field with_value = *f;
	struct hg_error err = {0};
	char text[HG_FIELD_TEXT_BYTES];

	with_value.fallback = value;
	hg_field_reset(&with_value, &a);
	hg_field_format(f, &a, text, sizeof(text));
	if (hg_field_parse(f, text, &b, &err) < 0)
		HG_TEST_FAIL("%s: %s", f->key, err.text);
	if (!hg_field_equal(f, &a, &b))
		HG_TEST_FAIL("%s: %s is read back as another value", f->key, text);
}

static void both_ends_of_every_range_are_read_back(void)
{
	unsigned n = 0;

	for (const struct hg_resource *const *r = hg_schema_all; *r != NULL; r++) {
		for (const struct hg_field *f = (*r)->fields; f->key != NULL; f++) {
			if (!has_range(f))
				continue;
			HG_CHECK(f->lo < f->hi);
			check_value(f, f->lo);
			check_value(f, f->lo + 1);
			check_value(f, f->hi - 1);
			check_value(f, f->hi);
			n++;
		}
	}
	HG_CHECK(n > 8);
}

static void defaults_are_those_of_the_core(void)
{
	struct hg_contract core, ours;

	hg_contract_init(&core);
	memset(&ours, 0xff, sizeof(ours));
	hg_resource_reset(&hg_schema_contract, &ours);
	for (int dir = 0; dir < HG_N_DIRS; dir++) {
		HG_CHECK(ours.dir[dir].reserve_bytes == HG_SCHEMA_ONE_BURST);
		ours.dir[dir].reserve_bytes = ours.dir[dir].burst_bytes;
	}
	HG_CHECK(hg_resource_equal(&hg_schema_contract, &core, &ours));
	core.dir[HG_IN].weight++;
	HG_CHECK(!hg_resource_equal(&hg_schema_contract, &core, &ours));
}

static void none_is_said_where_nothing_is_allowed(void)
{
	struct hg_policy p = {.max_bytes_per_s = 1000};
	const struct hg_field *max = hg_schema_find(&hg_schema_policy, "max");
	const struct hg_field *burst = hg_schema_find(&hg_schema_policy, "burst");
	struct hg_error err = {0};
	char text[HG_FIELD_TEXT_BYTES];

	HG_CHECK_EQ(hg_field_parse(max, "none", &p, &err), 0);
	HG_CHECK_EQ(p.max_bytes_per_s, 0);
	HG_CHECK(hg_field_is_default(max, &p));
	HG_CHECK_STR(hg_field_format(max, &p, text, sizeof(text)), "none");
	HG_CHECK_EQ(hg_field_parse(burst, "none", &p, &err), -HG_EINVAL);
}

static void zero_has_a_word_of_its_own(void)
{
	const struct hg_field *depth = hg_schema_find(&hg_schema_uplink, "depth");
	const struct hg_field *cut = hg_schema_find(&hg_schema_uplink, "cut");
	struct hg_desired_uplink up = {.depth_bytes = 5, .cut_ns = 5};
	struct hg_error err = {0};
	char text[HG_FIELD_TEXT_BYTES];

	HG_CHECK_EQ(hg_field_parse(depth, "auto", &up, &err), 0);
	HG_CHECK_EQ(up.depth_bytes, 0);
	HG_CHECK(hg_field_is_default(depth, &up));
	HG_CHECK_STR(hg_field_format(depth, &up, text, sizeof(text)), "auto");
	HG_CHECK_EQ(hg_field_parse(depth, "none", &up, &err), -HG_EINVAL);
	HG_CHECK_EQ(hg_field_parse(depth, "0B", &up, &err), -HG_EINVAL);
	HG_CHECK_EQ(hg_field_parse(cut, "never", &up, &err), 0);
	HG_CHECK_EQ(up.cut_ns, 0);
	HG_CHECK(!hg_field_is_default(cut, &up));
	HG_CHECK_STR(hg_field_format(cut, &up, text, sizeof(text)), "never");
	up.cut_ns = 5;
	HG_CHECK_EQ(hg_field_parse(cut, "0us", &up, &err), 0);
	HG_CHECK_EQ(up.cut_ns, 0);
}

static void the_nearest_word(void)
{
	static const char *const words[] = {"min",   "max",      "weight",
					    "burst", "max_pkts", "addresses"};
	static const char *const rows[][2] = {
		{"mni", "min"},       {"maxx", "max"},          {"MAX", "max"},
		{"wieght", "weight"}, {"weigth", "weight"},     {"adresses", "addresses"},
		{"maximum", "max"},   {"address", "addresses"}, {"max-pkts", "max_pkts"},
		{"brust", "burst"},   {"quantum", NULL},        {"", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hg_nearest nearest;

		hg_nearest_init(&nearest, rows[i][0]);
		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
			hg_nearest_offer(&nearest, words[w]);
		HG_CHECK_STR(nearest.best != NULL ? nearest.best : "(none)",
			     rows[i][1] != NULL ? rows[i][1] : "(none)");
	}
}

static const struct hg_test tests[] = {
	HG_TEST(keys_are_unique_and_described),
	HG_TEST(both_ends_of_every_range_are_read_back),
	HG_TEST(defaults_are_those_of_the_core),
	HG_TEST(none_is_said_where_nothing_is_allowed),
	HG_TEST(zero_has_a_word_of_its_own),
	HG_TEST(the_nearest_word),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
