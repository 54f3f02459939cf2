/* Every allocation fails once: the answer is -ENOMEM, nothing is lost, nothing crashes.
 *
 * malloc and its kin are wrapped by the linker, in the configuration's objects and in libyaml; jansson
 * is told where to allocate. */
#include "api/steps.h"

#include "tests/harness.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *old);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *old);

static long fail_in = -1; /* this many allocations from now; negative: never */
static long n_alive;

static bool is_refused(void)
{
	if (fail_in < 0)
		return false;
	return fail_in-- == 0;
}

static void *counted(void *fresh)
{
	n_alive += fresh != NULL;
	return fresh;
}

void *__wrap_malloc(size_t size)
{
	return is_refused() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return is_refused() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *old, size_t size)
{
	if (is_refused())
		return NULL;
	return old != NULL ? __real_realloc(old, size) : counted(__real_realloc(old, size));
}

char *__wrap_strdup(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = __wrap_malloc(n);

	return copy != NULL ? memcpy(copy, text, n) : NULL;
}

void __wrap_free(void *old)
{
	n_alive -= old != NULL;
	__real_free(old);
}

static const char text[] =
	"uplinks: [{name: up0, device: 'tap:out0', capacity: 10Gbit}]\n"
	"tenants:\n"
	"- name: acme\n"
	"  contract: {out: {min: 4Gbit}, idle: {after: 5ms}, in: {idle: {reserve: 1KiB}}}\n"
	"  instances:\n"
	"  - {name: web1, contract: {out: {min: 1Gbit}}, ports: [{name: web1-0, device: 'tap:w1',\n"
	"     addresses: [10.0.0.1, 'fd00::1'], mac: '02:00:00:00:00:11'}]}\n";
static const char body_text[] = "{tenant: acme, contract: {out: {weight: 3}}}";

typedef int (*round_fn)(struct hg_error *err);

static int read_and_write(struct hg_error *err)
{
	struct hg_desired *d;
	size_t n;
	char *out;
	int rc = hg_config_parse(text, strlen(text), NULL, &d, err);

	if (rc < 0)
		return rc;
	rc = hg_config_export_yaml(d, &out, &n, err);
	if (rc == 0)
		free(out);
	hg_config_destroy(d);
	return rc;
}

static int compare(struct hg_error *err)
{
	struct hg_desired *d, *copy, *empty;
	json_t *list;
	int rc = hg_config_parse(text, strlen(text), NULL, &d, err);

	if (rc < 0)
		return rc;
	copy = hg_config_copy(d);
	empty = hg_config_create();
	rc = -HG_ENOMEM;
	if (copy == NULL || empty == NULL)
		goto out;
	copy->instances[0].contract.dir[HG_OUT].weight = 9;
	rc = hg_config_diff(d, copy, &list, err);
	if (rc < 0)
		goto out;
	json_decref(list);
	rc = hg_config_diff(empty, d, &list, err);
	if (rc == 0)
		json_decref(list);
out:
	hg_config_destroy(empty);
	hg_config_destroy(copy);
	hg_config_destroy(d);
	return rc;
}

static int change(struct hg_error *err)
{
	struct hg_tree body;
	struct hg_desired *d, *next;
	bool has_changed;
	int rc = hg_config_parse(text, strlen(text), NULL, &d, err);

	if (rc < 0)
		return rc;
	rc = hg_yaml_parse(body_text, strlen(body_text), &body, err);
	if (rc == 0) {
		rc = hg_steps_instance_put(d, "db", &body, NULL, &next, &has_changed, err);
		hg_tree_fini(&body);
	}
	hg_config_destroy(d);
	if (rc < 0)
		return rc;
	d = next;
	rc = hg_steps_instance_remove(d, "web1", &next, &has_changed, err);
	hg_config_destroy(d);
	if (rc == 0)
		hg_config_destroy(next);
	return rc;
}

static void fail_each(round_fn round)
{
	json_set_alloc_funcs(__wrap_malloc, __wrap_free);
	for (long n = 0;; n++) {
		struct hg_error err = {0};
		long before = n_alive;
		bool has_failed;
		int rc;

		fail_in = n;
		rc = round(&err);
		has_failed = fail_in < 0;
		fail_in = -1;
		if (n_alive != before)
			HG_TEST_FAIL("%ld pieces of memory lost at allocation %ld",
				     n_alive - before, n);
		if (!has_failed) {
			HG_CHECK_EQ(rc, 0);
			HG_CHECK(n > 100);
			return;
		}
		if (rc != -HG_ENOMEM)
			HG_TEST_FAIL("allocation %ld failed, and the answer is %d: %s", n, rc,
				     err.text);
	}
}

static void each_allocation_of_reading_and_writing(void)
{
	fail_each(read_and_write);
}

static void each_allocation_of_comparing(void)
{
	fail_each(compare);
}

static void each_allocation_of_a_step(void)
{
	fail_each(change);
}

static const struct hg_test tests[] = {
	HG_TEST(each_allocation_of_reading_and_writing),
	HG_TEST(each_allocation_of_comparing),
	HG_TEST(each_allocation_of_a_step),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
