#include "core/error.h"
#include "tests/harness.h"

static void error_puts_the_sentence_together(void)
{
	struct hg_error err = {0};

	HG_CHECK_EQ(hg_error_set(&err, -HG_EINVAL, "min is ", "5", ", more than max", NULL),
		    -HG_EINVAL);
	HG_CHECK_EQ(err.code, -HG_EINVAL);
	HG_CHECK_STR(err.text, "min is 5, more than max");
	HG_CHECK_STR(err.path, "");
}

static void error_first_one_wins(void)
{
	struct hg_error err = {0};

	HG_CHECK_EQ(hg_error_set(&err, -HG_ENOENT, "first", NULL), -HG_ENOENT);
	HG_CHECK_EQ(hg_error_set(&err, -HG_EBUSY, "second", NULL), -HG_EBUSY);
	HG_CHECK_EQ(err.code, -HG_ENOENT);
	HG_CHECK_STR(err.text, "first");
	hg_error_clear(&err);
	HG_CHECK_EQ(err.code, 0);
	HG_CHECK_EQ(hg_error_set(&err, -HG_EBUSY, "third", NULL), -HG_EBUSY);
	HG_CHECK_STR(err.text, "third");
}

static void error_may_be_null(void)
{
	HG_CHECK_EQ(hg_error_set(NULL, -HG_EIO, "nobody reads it", NULL), -HG_EIO);
	hg_error_at(NULL, "anywhere");
	hg_error_clear(NULL);
}

static void error_path_grows_at_the_front(void)
{
	struct hg_error err = {0};

	HG_CHECK_EQ(hg_error_set(&err, -HG_EINVAL, "x", NULL), -HG_EINVAL);
	hg_error_at(&err, "min");
	HG_CHECK_STR(err.path, "min");
	hg_error_at(&err, "out");
	hg_error_at(&err, "");
	HG_CHECK_STR(err.path, "out.min");
	hg_error_at_index(&err, "", 0);
	HG_CHECK_STR(err.path, "[0].out.min");
	hg_error_at(&err, "ports");
	HG_CHECK_STR(err.path, "ports[0].out.min");
	hg_error_at_index(&err, "tenants", 7);
	HG_CHECK_STR(err.path, "tenants[7].ports[0].out.min");
}

static void error_long_text_and_path_are_cut(void)
{
	struct hg_error err = {0};
	char text[HG_ERROR_TEXT_BYTES * 2];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	HG_CHECK_EQ(hg_error_set(&err, -HG_EINVAL, text, text, NULL), -HG_EINVAL);
	HG_CHECK_EQ(strlen(err.text), HG_ERROR_TEXT_BYTES - 1);
	hg_error_at(&err, "behind");
	hg_error_at(&err, text);
	HG_CHECK_EQ(strlen(err.path), HG_ERROR_PATH_BYTES - 1);
}

static void error_names_follow_linux(void)
{
	static const struct {
		int code;
		const char *name;
	} rows[] = {
		{-1, "EPERM"},   {-2, "ENOENT"},   {-5, "EIO"},         {-11, "EAGAIN"},
		{-12, "ENOMEM"}, {-16, "EBUSY"},   {-17, "EEXIST"},     {-22, "EINVAL"},
		{-28, "ENOSPC"}, {-95, "ENOTSUP"}, {-110, "ETIMEDOUT"}, {0, "?"},
		{-3, "?"},       {22, "?"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		HG_CHECK_STR(hg_error_name(rows[i].code), rows[i].name);
}

static const struct hg_test tests[] = {
	HG_TEST(error_puts_the_sentence_together),
	HG_TEST(error_first_one_wins),
	HG_TEST(error_may_be_null),
	HG_TEST(error_path_grows_at_the_front),
	HG_TEST(error_long_text_and_path_are_cut),
	HG_TEST(error_names_follow_linux),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
