#include "host/clock.h"
#include "tests/harness.h"

#include <sys/stat.h>
#include <unistd.h>

/* A host whose /proc/stat holds this. */
static int stolen(const char *text, hg_ns *ret_ns, struct hg_error *error)
{
	char root[] = "/tmp/hg-clock-XXXXXX", path[64];
	FILE *file;
	int rc;

	HG_CHECK(mkdtemp(root) != NULL);
	snprintf(path, sizeof(path), "%s/proc", root);
	HG_CHECK_EQ(mkdir(path, 0700), 0);
	strcat(path, "/stat");
	if (text != NULL) {
		file = fopen(path, "w");
		fputs(text, file);
		fclose(file);
	}
	hg_error_clear(error);
	rc = hg_clock_stolen_ns(root, ret_ns, error);
	unlink(path);
	path[strlen(root) + 5] = '\0';
	rmdir(path);
	rmdir(root);
	return rc;
}

static void stolen_time_is_the_eighth_number(void)
{
	struct hg_error error;
	hg_ns ns = -1;

	HG_CHECK_EQ(stolen("cpu  1 2 3 4 5 6 7 25 9 10\ncpu0 1 1 1 1 1 1 1 1\n", &ns, &error), 0);
	HG_CHECK_EQ(ns, 25 * (HG_NS_PER_S / sysconf(_SC_CLK_TCK)));
}

static void what_is_not_a_stat_is_refused(void)
{
	struct hg_error error;
	hg_ns ns = -1;

	HG_CHECK_EQ(stolen("cpu  1 2 3\n", &ns, &error), -HG_EINVAL);
	HG_CHECK_EQ(stolen("", &ns, &error), -HG_EINVAL);
	HG_CHECK_EQ(stolen(NULL, &ns, &error), -HG_ENOENT);
	HG_CHECK_HAS(error.text, "proc/stat");
	HG_CHECK_EQ(ns, -1);
}

static void time_does_not_go_back(void)
{
	hg_ns a = hg_clock_now_ns(), b = hg_clock_now_ns();

	HG_CHECK(b >= a);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(stolen_time_is_the_eighth_number),
		HG_TEST(what_is_not_a_stat_is_refused),
		HG_TEST(time_does_not_go_back),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
