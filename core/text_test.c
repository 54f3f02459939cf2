#include "core/text.h"
#include "tests/harness.h"

static void text_adds_and_counts(void)
{
	char buf[64];
	struct hg_text text;

	hg_text_init(&text, buf, sizeof(buf));
	hg_text_add(&text, "a ");
	hg_text_add_u64(&text, 0);
	hg_text_add_char(&text, ' ');
	hg_text_add_u64(&text, UINT64_MAX);
	hg_text_add(&text, " ");
	hg_text_add_index(&text, "ports", 7);
	HG_CHECK_STR(buf, "a 0 18446744073709551615 ports[7]");
	HG_CHECK_EQ(text.n_bytes, strlen(buf));
	HG_CHECK(text.has_room);
}

static void text_is_cut_and_terminated(void)
{
	char buf[5] = "....";
	struct hg_text text;

	hg_text_init(&text, buf, sizeof(buf));
	hg_text_add(&text, "abcd");
	HG_CHECK(text.has_room);
	hg_text_add(&text, "e");
	HG_CHECK(!text.has_room);
	HG_CHECK_STR(buf, "abcd");
}

static void text_without_a_byte_is_left_alone(void)
{
	char byte = '!';
	struct hg_text text;

	hg_text_init(&text, &byte, 0);
	hg_text_add(&text, "abc");
	HG_CHECK_EQ(byte, '!');
	HG_CHECK(!text.has_room);
}

static void text_quotes_without_control_characters(void)
{
	char buf[64];
	struct hg_text text;

	hg_text_init(&text, buf, sizeof(buf));
	hg_text_add_quoted(&text, "10\x1b[2J\n\xff");
	HG_CHECK_STR(buf, "\"10?[2J??\"");
	hg_text_init(&text, buf, sizeof(buf));
	hg_text_add_quoted(&text, "12345678901234567890123456789012345678901");
	HG_CHECK_STR(buf, "\"1234567890123456789012345678901234567890...\"");
}

static const struct hg_test tests[] = {
	HG_TEST(text_adds_and_counts),
	HG_TEST(text_is_cut_and_terminated),
	HG_TEST(text_without_a_byte_is_left_alone),
	HG_TEST(text_quotes_without_control_characters),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
