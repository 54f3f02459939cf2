#include "api/yaml.h"

#include "tests/harness.h"

/* ["a": "1"] and so on: the tree as JSON, or the error as line:column: text. */
static const char *outcome_n(const char *text, size_t n)
{
	static char got[1024];
	struct hg_tree tree;
	struct hg_error err = {0};
	int rc = hg_yaml_parse(text, n, &tree, &err);
	char *json;

	if (rc < 0) {
		HG_CHECK_EQ(rc, -HG_EINVAL);
		snprintf(got, sizeof(got), "%u:%u: %s", err.line, err.column, err.text);
		return got;
	}
	json = json_dumps(tree.root, JSON_ENCODE_ANY | JSON_COMPACT);
	snprintf(got, sizeof(got), "%s", json);
	free(json);
	hg_tree_fini(&tree);
	return got;
}

static const char *outcome(const char *text)
{
	return outcome_n(text, strlen(text));
}

static void scalars_stay_as_they_were_written(void)
{
	HG_CHECK_STR(outcome("a: 010\nb: on\nc: 1e3\nd: 'x y'\n"),
		     "{\"a\":\"010\",\"b\":\"on\",\"c\":\"1e3\",\"d\":\"x y\"}");
	HG_CHECK_STR(outcome("[a, [b], {c: d}]"), "[\"a\",[\"b\"],{\"c\":\"d\"}]");
}

static void nothing_is_the_empty_text(void)
{
	HG_CHECK_STR(outcome(""), "\"\"");
	HG_CHECK_STR(outcome("# only a comment\n"), "\"\"");
	HG_CHECK_STR(outcome("a:\nb: ~\nc: null\nd: 'null'\n"),
		     "{\"a\":\"\",\"b\":\"\",\"c\":\"\",\"d\":\"null\"}");
}

static void json_is_yaml(void)
{
	HG_CHECK_STR(outcome("{\"a\":[1,true,null,\"x\\u00e9\\/\"],\"b\":{}}"),
		     "{\"a\":[\"1\",\"true\",\"\",\"x\xc3\xa9/\"],\"b\":{}}");
	HG_CHECK_STR(outcome("{\n\t\"a\": 1,\n\t\"b\": 2\n}\n"), "{\"a\":\"1\",\"b\":\"2\"}");
}

static void what_is_refused_says_where(void)
{
	static const char *const rows[][2] = {
		{"a: 1\nb: 2\na: 3\n", "3:1: \"a\" is there twice; first in line 1"},
		{"a: &x 1\n", "1:4: an anchor, \"x\", is not served"},
		{"a: 1\nb: *x\n", "2:4: an alias, \"x\", is not served"},
		{"&k a: 1\n", "1:1: an anchor, \"k\", is not served"},
		{"a: !!int 1\n", "1:4: a tag, \"tag:yaml.org,2002:int\", is not served"},
		{"a: !x [1]\n", "1:4: a tag, \"!x\", is not served"},
		{"a: 1\n---\nb: 2\n", "2:1: a second document begins here; one is allowed"},
		{"\"\\e[2J\": 1\n\"\\e[2J\": 2\n", "2:1: \"?[2J\" is there twice"},
		{"? [a]\n: b\n", "1:3: a key must be a word"},
		{"? {a: b}\n: b\n", "1:3: a key must be a word"},
		{"a: \"x\\0y\"\n", "1:4: a NUL character is not allowed"},
		{"\"x\\0y\": 1\n", "1:1: a NUL character is not allowed"},
		{"a: [1, 2\n", "2:1: "},
		{"a: {b: 1\n", "2:1: "},
		{"a: 'x\n", "2:1: "},
		{"a: 1\n b: 2\n", "2:3: "},
		{"\ta: 1\n", "1:1: a tab is not allowed here; indent with blanks"},
		{"a:\n\t- b\n", "2:1: a tab is not allowed here; indent with blanks"},
		{"a: \xff\n", "1:4: the text is not plain UTF-8"},
		{"ab\nc: \x01\n", "2:4: the text is not plain UTF-8"},
		{"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "1:17: nested too deeply"},
		{"a: \"\\ud800\"\n", "1:"},
		{"%YAML 9.9\n---\na: 1\n", "1:"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = outcome(rows[i][0]);

		if (strncmp(got, rows[i][1], strlen(rows[i][1])) != 0)
			HG_TEST_FAIL("\"%s\" gives \"%s\", want \"%s\"", rows[i][0], got,
				     rows[i][1]);
	}
	HG_CHECK(strncmp(outcome_n("a: \0b", 5), "1:4: the text is not plain", 26) == 0);
}

static void sixteen_levels_are_read(void)
{
	HG_CHECK_HAS(outcome("[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]"), "[[[[[[[[[[[[[[[\"1\"");
}

static void too_much_is_refused_before_it_is_read(void)
{
	struct hg_tree tree;
	struct hg_error err = {0};

	HG_CHECK_EQ(hg_yaml_parse("", (size_t)HG_YAML_MAX_BYTES + 1u, &tree, &err), -HG_EINVAL);
	HG_CHECK_HAS(err.text, "64 MiB");
}

static void every_node_knows_its_place(void)
{
	static const char text[] = "a:\n  - b: 1\n    c: {d: x}\n";
	struct hg_tree tree;
	struct hg_error err = {0};
	const struct hg_mark *mark;
	json_t *d;

	HG_CHECK_EQ(hg_yaml_parse(text, strlen(text), &tree, &err), 0);
	d = json_object_get(
		json_object_get(json_array_get(json_object_get(tree.root, "a"), 0), "c"), "d");
	mark = hg_tree_mark(&tree, d);
	HG_CHECK(mark != NULL);
	HG_CHECK_EQ(mark->line, 3);
	HG_CHECK_EQ(mark->column, 12);
	HG_CHECK_EQ(mark->key_line, 3);
	HG_CHECK_EQ(mark->key_column, 9);
	HG_CHECK(hg_tree_mark(&tree, json_true()) == NULL);
	hg_tree_fini(&tree);
}

static void a_path_leads_to_the_deepest_place(void)
{
	static const char text[] = "a:\n  - b: 1\n    c: {d: x}\n";
	static const struct {
		const char *path;
		unsigned line, column;
	} rows[] = {
		{"a[0].c.d", 3, 12},
		{"a[0].c.nothing", 3, 8},
		{"a[0].c", 3, 8},
		{"a[7].c", 2, 3},
		{"a[0", 2, 3},
		{"nothing", 1, 1},
		{"a[0].b.further", 2, 8},
		{"", 1, 1},
	};
	struct hg_tree tree;
	struct hg_error err = {0};

	HG_CHECK_EQ(hg_yaml_parse(text, strlen(text), &tree, &err), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(err.path, sizeof(err.path), "%s", rows[i].path);
		hg_tree_locate(&tree, &err);
		HG_CHECK_EQ(err.line, rows[i].line);
		HG_CHECK_EQ(err.column, rows[i].column);
	}
	hg_tree_fini(&tree);
}

static void what_others_would_misread_is_quoted(void)
{
	json_t *root =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:[s,s], s:{s:{s:s}}}", "mac",
			  "02:00:00:00:00:11", "word", "no", "number", "1e3", "rate", "5Gbit",
			  "none", "", "n", 7, "list", "10.0.0.1", "a b", "deep", "er", "k", "v");
	struct hg_tree tree;
	struct hg_error err = {0};
	char *text;
	size_t n;

	HG_CHECK_EQ(hg_yaml_emit(root, &text, &n, &err), 0);
	HG_CHECK_EQ(n, strlen(text));
	HG_CHECK_STR(text, "mac: \"02:00:00:00:00:11\"\nword: \"no\"\nnumber: \"1e3\"\n"
			   "rate: 5Gbit\nnone: \"\"\n\"n\": 7\nlist: [10.0.0.1, a b]\n"
			   "deep:\n  er: {k: v}\n");
	HG_CHECK_EQ(hg_yaml_parse(text, n, &tree, &err), 0);
	hg_tree_fini(&tree);
	free(text);
	json_decref(root);
}

static const struct hg_test tests[] = {
	HG_TEST(scalars_stay_as_they_were_written),
	HG_TEST(nothing_is_the_empty_text),
	HG_TEST(json_is_yaml),
	HG_TEST(what_is_refused_says_where),
	HG_TEST(sixteen_levels_are_read),
	HG_TEST(too_much_is_refused_before_it_is_read),
	HG_TEST(every_node_knows_its_place),
	HG_TEST(a_path_leads_to_the_deepest_place),
	HG_TEST(what_others_would_misread_is_quoted),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
