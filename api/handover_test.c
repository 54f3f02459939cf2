#include "api/handover.h"

#include "tests/harness.h"

static const char config[] =
	"uplinks: [{name: up0, device: \"tap:up0\", capacity: 1Gbit}]\n"
	"tenants: [{name: acme, contract: {out: {max: 500Mbit}},\n"
	"  instances: [{name: web1, ports: [{name: p, device: \"tap:p\"}]}]}]\n";

static struct hg_desired *parse(const char *text)
{
	struct hg_desired *desired;
	struct hg_error error = {0};

	if (hg_config_parse(text, strlen(text), NULL, &desired, &error) < 0)
		HG_TEST_FAIL("%s", error.text);
	return desired;
}

static void s7_11_a_document_says_what_was_in_force(void)
{
	struct hg_desired *now = parse(config), *before = parse("uplinks: []\n");
	const struct hg_handover handover = {
		.version = "9.9.9",
		.source = {UINT64_C(0xfedcba9876543210), 4711},
		.state = {now, before, INT64_C(123456789012345), 77},
		.stopped_at_ns = INT64_C(987654321098765),
		.n_left_in_cards = 3,
	};
	struct hg_handover got;
	struct hg_error error = {0};
	char *text;
	size_t n_bytes;

	HG_CHECK_EQ(hg_handover_write(&handover, &text, &n_bytes, &error), 0);
	if (hg_handover_read(text, n_bytes, NULL, &got, &error) < 0)
		HG_TEST_FAIL("%s: %s", error.path, error.text);
	HG_CHECK(hg_config_equal(got.state.desired, now));
	HG_CHECK(hg_config_equal(got.state.previous, before));
	HG_CHECK_EQ(strcmp(got.version, "9.9.9"), 0);
	HG_CHECK(got.source.hash == handover.source.hash && got.source.n_bytes == 4711);
	HG_CHECK_EQ(got.state.confirm_until_ns, handover.state.confirm_until_ns);
	HG_CHECK_EQ(got.state.generation, 77);
	HG_CHECK_EQ(got.stopped_at_ns, handover.stopped_at_ns);
	HG_CHECK_EQ(got.n_left_in_cards, 3);
	hg_handover_fini(&got);
	hg_config_destroy(now);
	hg_config_destroy(before);
	free(text);
}

static void s7_11_nothing_waits_for_confirmation_unless_it_does(void)
{
	struct hg_desired *now = parse(config);
	const struct hg_handover handover = {.version = "1", .state = {.desired = now}};
	struct hg_handover got;
	char *text;
	size_t n_bytes;

	HG_CHECK_EQ(hg_handover_write(&handover, &text, &n_bytes, NULL), 0);
	HG_CHECK_EQ(hg_handover_read(text, n_bytes, NULL, &got, NULL), 0);
	HG_CHECK(got.state.previous == NULL);
	hg_handover_fini(&got);
	hg_config_destroy(now);
	free(text);
}

static void refused(const char *text, const char *word)
{
	struct hg_handover got;
	struct hg_error error = {0};
	int rc = hg_handover_read(text, strlen(text), NULL, &got, &error);

	if (rc != -HG_EINVAL || strstr(error.text, word) == NULL)
		HG_TEST_FAIL("%s: %d, %s", text, rc, error.text);
}

#define REST                                                                                      \
	"\"version\": \"1\", \"source\": {\"hash\": \"ff\", \"n_bytes\": 1}, \"stopped_at_ns\": " \
	"1, "                                                                                     \
	"\"left_in_cards_pkts\": 0, \"generation\": 1"

static void s7_11_another_format_is_refused(void)
{
	struct hg_handover got;

	refused("", "JSON");
	refused("{\"handover\": 1", "JSON");
	refused("[]", "something else");
	refused("{}", "something else");
	refused("{\"handover\": 2, " REST ", \"config\": {}}", "another way");
	refused("{\"handover\": 1, \"config\": {}}", "lacks");
	refused("{\"handover\": 1, " REST "}", "no configuration");
	refused("{\"handover\": 1, " REST ", \"generation\": 2, \"config\": {}}", "JSON");
	refused("{\"handover\": 1, " REST ", \"confirm_until_ns\": -1, \"config\": {}}", "number");
	refused("{\"handover\": 1, " REST ", \"config\": {\"nonsense\": 1}}", "no such key");
	/* What a later version adds to the same format is passed over. */
	HG_CHECK_EQ(
		hg_handover_read("{\"handover\": 1, " REST ", \"new\": 1, \"config\": {}}",
				 strlen("{\"handover\": 1, " REST ", \"new\": 1, \"config\": {}}"),
				 NULL, &got, NULL),
		0);
	hg_handover_fini(&got);
}

static const struct hg_test tests[] = {
	HG_TEST(s7_11_a_document_says_what_was_in_force),
	HG_TEST(s7_11_nothing_waits_for_confirmation_unless_it_does),
	HG_TEST(s7_11_another_format_is_refused),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
