#include "api/statefile.h"
#include "tests/harness.h"

#include <sys/stat.h>
#include <unistd.h>

static const char config[] = "uplinks: [{name: up0, device: 'tap:up0', capacity: 1Gbit}]\n"
			     "tenants: [{name: acme, contract: {out: {min: 100Mbit}}}]\n";

struct place {
	char folder[64], path[96], aside[128];
	struct hg_desired *desired;
	struct hg_source source;
	struct hg_error error;
};

static struct place p;

static void set_up(void)
{
	memset(&p, 0, sizeof(p));
	strcpy(p.folder, "/tmp/hg-state-XXXXXX");
	HG_CHECK(mkdtemp(p.folder) != NULL);
	snprintf(p.path, sizeof(p.path), "%s/state.yaml", p.folder);
	snprintf(p.aside, sizeof(p.aside), "%s.new", p.path);
	p.source = hg_statefile_source(config, strlen(config));
	HG_CHECK_EQ(hg_config_parse(config, strlen(config), NULL, &p.desired, NULL), 0);
}

static void tear_down(void)
{
	hg_config_destroy(p.desired);
	unlink(p.path);
	unlink(p.aside);
	rmdir(p.folder);
}

static int load(struct hg_source source, struct hg_desired **ret)
{
	hg_error_clear(&p.error);
	return hg_statefile_load(p.path, source, NULL, ret, &p.error);
}

static void what_was_saved_is_loaded(void)
{
	struct hg_desired *loaded;

	set_up();
	HG_CHECK_EQ(hg_statefile_save(p.path, p.source, p.desired, &p.error), 0);
	HG_CHECK_EQ(load(p.source, &loaded), 0);
	HG_CHECK(hg_config_equal(loaded, p.desired));
	HG_CHECK(access(p.aside, F_OK) < 0);
	hg_config_destroy(loaded);
	tear_down();
}

static void an_edited_configuration_wins(void)
{
	struct hg_desired *loaded = NULL;
	struct hg_source edited;

	set_up();
	edited = p.source;
	edited.hash ^= 1;
	HG_CHECK_EQ(hg_statefile_save(p.path, p.source, p.desired, &p.error), 0);
	HG_CHECK_EQ(load(edited, &loaded), -HG_EAGAIN);
	HG_CHECK(loaded == NULL);
	tear_down();
}

static void one_letter_makes_another_source(void)
{
	struct hg_source a = hg_statefile_source("max: 1Gbit", 10);
	struct hg_source b = hg_statefile_source("max: 2Gbit", 10);

	HG_CHECK(a.hash != b.hash);
	/* The published value of FNV-1a, 64 bits, for "a". */
	HG_CHECK(hg_statefile_source("a", 1).hash == UINT64_C(0xaf63dc4c8601ec8c));
}

static void nothing_saved_and_damage_are_told_apart(void)
{
	struct hg_desired *loaded = NULL;
	FILE *file;

	set_up();
	HG_CHECK_EQ(load(p.source, &loaded), -HG_ENOENT);
	file = fopen(p.path, "w");
	fputs("tenants: []\n", file);
	fclose(file);
	HG_CHECK_EQ(load(p.source, &loaded), -HG_EINVAL);
	HG_CHECK_HAS(p.error.text, "first line");
	HG_CHECK_EQ(hg_statefile_save(p.path, p.source, p.desired, &p.error), 0);
	/* Cut in the middle, as no crash of ours leaves it. */
	HG_CHECK_EQ(truncate(p.path, 120), 0);
	HG_CHECK(load(p.source, &loaded) < 0);
	HG_CHECK(loaded == NULL);
	tear_down();
}

static void a_full_disk_keeps_the_old_state(void)
{
	struct hg_desired *loaded;

	set_up();
	HG_CHECK_EQ(hg_statefile_save(p.path, p.source, p.desired, &p.error), 0);
	HG_CHECK_EQ(symlink("/dev/full", p.aside), 0);
	HG_CHECK_EQ(hg_statefile_save(p.path, p.source, p.desired, &p.error), -HG_EIO);
	HG_CHECK_HAS(p.error.text, p.path);
	HG_CHECK_HAS(p.error.text, "space");
	HG_CHECK_EQ(load(p.source, &loaded), 0);
	hg_config_destroy(loaded);
	tear_down();
}

static void a_missing_folder_is_said(void)
{
	set_up();
	HG_CHECK_EQ(hg_statefile_save("/nonexistent/state", p.source, p.desired, &p.error),
		    -HG_EIO);
	HG_CHECK_HAS(p.error.text, "/nonexistent/state");
	tear_down();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(what_was_saved_is_loaded),
		HG_TEST(an_edited_configuration_wins),
		HG_TEST(one_letter_makes_another_source),
		HG_TEST(nothing_saved_and_damage_are_told_apart),
		HG_TEST(a_full_disk_keeps_the_old_state),
		HG_TEST(a_missing_folder_is_said),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
