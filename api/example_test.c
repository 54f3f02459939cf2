/* The example that is installed is valid, and shows every key. */
#include "api/config.h"
#include "api/schema.h"

#include "tests/harness.h"

static void the_example_is_valid(void)
{
	struct hg_desired *d;
	struct hg_error err = {0};
	char line[1024];

	if (hg_config_load_file(HG_EXAMPLE, NULL, &d, &err) < 0)
		HG_TEST_FAIL("%s", hg_config_error_format(&err, HG_EXAMPLE, line, sizeof(line)));
	HG_CHECK(d->n_uplinks > 0 && d->n_tenants > 1 && d->n_instances > 1 && d->n_ports > 1);
	hg_config_destroy(d);
}

static void the_example_shows_every_key(void)
{
	static char text[16384];
	FILE *f = fopen(HG_EXAMPLE, "r");
	size_t n;

	HG_CHECK(f != NULL);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	for (const struct hg_resource *const *r = hg_schema_all; *r != NULL; r++) {
		for (const struct hg_field *field = (*r)->fields; field->key != NULL; field++) {
			char key[64];

			if (field->kind == HG_KIND_UNSERVED)
				continue;
			snprintf(key, sizeof(key), "%s:", field->key);
			HG_CHECK_HAS(text, key);
		}
	}
}

static const struct hg_test tests[] = {
	HG_TEST(the_example_is_valid),
	HG_TEST(the_example_shows_every_key),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
