#include "drivers/text.h"

#include "tests/harness.h"

static struct hg_dev_text text;
static struct hg_error err;

static int parse(const char *device)
{
	hg_error_clear(&err);
	return hg_dev_text_parse(device, &text, &err);
}

static void reads_a_plain_device(void)
{
	HG_CHECK_EQ(parse("tap:web1-0"), 0);
	HG_CHECK_STR(text.driver, "tap");
	HG_CHECK_STR(text.name, "web1-0");
	HG_CHECK(text.inner == NULL);
	HG_CHECK_EQ(text.n_params, 0);
}

static void reads_a_wrapper_with_parameters(void)
{
	HG_CHECK_EQ(parse("simnic(rate=1Gbit,ring=1024,delay=5us)+tap:out0"), 0);
	HG_CHECK_STR(text.driver, "simnic");
	HG_CHECK(text.name == NULL);
	HG_CHECK_STR(text.inner, "tap:out0");
	HG_CHECK_STR(hg_dev_text_param(&text, "rate"), "1Gbit");
	HG_CHECK_STR(hg_dev_text_param(&text, "delay"), "5us");
	HG_CHECK(hg_dev_text_param(&text, "depth") == NULL);
}

static void refuses_what_is_no_device(void)
{
	static const char *const bad[] = {
		"",
		"tap",
		":x",
		"tap:",
		"simnic(rate)+tap:a",
		"a b:c",
		"simnic+",
		"simnic(=1)",
		"s(a=1",
		"s(a=1,a=2)+tap:x",
		"s(a=)+b:",
		"s(a=1)x:y",
		"s(a=(1))+b",
		"Tap:x",
		"s(a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1,q=1,r=1,s=1,"
		"t=1,u=1,v=1,w=1,x=1,y=1)+b:c",
		"averyveryverylongdrivername:x",
		"s(a="
		"1234567890123456789012345678901234567890123456789012345678901234567890123456789"
		"0123456789012345678901234567890123456789012345678)+b:c",
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		text.n_params = 99;
		HG_CHECK_EQ(parse(bad[i]), -HG_EINVAL);
		HG_CHECK_EQ(text.n_params, 99);
		HG_CHECK_HAS(err.text, "a device is DRIVER:NAME");
	}
}

static void names_what_is_allowed_and_the_nearest(void)
{
	static const char *const keys[] = {"rate", "ring", NULL};
	static const char *const none[] = {NULL};

	HG_CHECK_EQ(parse("simnic(rat=1Gbit)+tap:a"), 0);
	HG_CHECK_EQ(hg_dev_text_allow(&text, keys, &err), -HG_EINVAL);
	HG_CHECK_STR(err.text,
		     "the device parameter \"rat\" is not one of: rate, ring; did you mean "
		     "rate?");
	hg_error_clear(&err);
	HG_CHECK_EQ(hg_dev_text_allow(&text, none, &err), -HG_EINVAL);
	HG_CHECK_HAS(err.text, "no parameters");
	HG_CHECK(hg_dev_text_nearest("zzzz", keys) == NULL);
}

static void reads_numbers_in_their_range(void)
{
	uint64_t n = 7;

	HG_CHECK_EQ(parse("x(a=12,b=99999999999999999999,c=1x)+y:z"), 0);
	HG_CHECK_EQ(hg_dev_text_number(&text, "none", 1, 20, &n, &err), 0);
	HG_CHECK_EQ(n, 7);
	HG_CHECK_EQ(hg_dev_text_number(&text, "a", 1, 20, &n, &err), 0);
	HG_CHECK_EQ(n, 12);
	HG_CHECK_EQ(hg_dev_text_number(&text, "a", 1, 11, &n, &err), -HG_EINVAL);
	HG_CHECK_HAS(err.text, "from 1 to 11");
	HG_CHECK_EQ(hg_dev_text_number(&text, "b", 1, 20, &n, &err), -HG_EINVAL);
	HG_CHECK_EQ(hg_dev_text_number(&text, "c", 1, 20, &n, &err), -HG_EINVAL);
	HG_CHECK_EQ(n, 12);
}

static void knows_what_an_interface_may_be_called(void)
{
	HG_CHECK_EQ(hg_dev_text_check_interface("tap:eth0.100", NULL), 0);
	HG_CHECK_EQ(hg_dev_text_check_interface("tap:123456789012345", NULL), 0);
	HG_CHECK_EQ(hg_dev_text_check_interface("tap:1234567890123456", NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_dev_text_check_interface("tap:a/b", NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_dev_text_check_interface("tap:tap%d", NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_dev_text_check_interface("tap:..", NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_dev_text_check_interface("tap(a=b):x", NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_dev_text_check_interface("tap+tap:x", NULL), -HG_EINVAL);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(reads_a_plain_device),
		HG_TEST(reads_a_wrapper_with_parameters),
		HG_TEST(refuses_what_is_no_device),
		HG_TEST(names_what_is_allowed_and_the_nearest),
		HG_TEST(reads_numbers_in_their_range),
		HG_TEST(knows_what_an_interface_may_be_called),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
