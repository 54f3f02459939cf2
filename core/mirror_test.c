#include "core/mirror.h"
#include "tests/harness.h"

/* Ports a0 and a1 of tenant a, b0 of tenant b. */
static struct hg_desired_tenant tenants[2];
static struct hg_desired_instance instances[2];
static struct hg_desired_port ports[HG_MIRRORS_MAX + 3u];
static struct hg_desired desired;

static void add_port(const char *name, uint32_t instance_idx)
{
	struct hg_desired_port *port = &ports[desired.n_ports++];

	*port = (struct hg_desired_port){.instance_idx = instance_idx};
	snprintf(port->name, sizeof(port->name), "%s", name);
}

static void set_up(void)
{
	desired = (struct hg_desired){.tenants = tenants,
				      .instances = instances,
				      .ports = ports,
				      .n_tenants = 2,
				      .n_instances = 2};
	for (uint32_t i = 0; i < 2; i++) {
		snprintf(tenants[i].name, sizeof(tenants[i].name), "%c", (int)('a' + i));
		instances[i].tenant_idx = i;
	}
	add_port("a0", 0);
	add_port("a1", 0);
	add_port("b0", 1);
}

static void mirror(uint32_t port_idx, const char *to)
{
	snprintf(ports[port_idx].mirror.to, sizeof(ports[port_idx].mirror.to), "%s", to);
}

static void check_refused(int code, uint32_t port_idx, const char *path, const char *text)
{
	struct hg_error err = {0};
	uint32_t idx = UINT32_MAX;

	HG_CHECK_EQ(hg_mirror_check(&desired, &idx, &err), code);
	HG_CHECK_EQ(idx, port_idx);
	HG_CHECK_STR(err.path, path);
	HG_CHECK_STR(err.text, text);
}

static void check_accepted(void)
{
	struct hg_error err = {0};
	uint32_t idx = 0;

	HG_CHECK_EQ(hg_mirror_check(&desired, &idx, &err), 0);
	HG_CHECK_STR(err.text, "");
}

static void s5_1_mirror_stays_in_its_tenant_unless_the_operator_says_otherwise(void)
{
	set_up();
	mirror(0, "a1");
	check_accepted();
	mirror(0, "b0");
	check_refused(-HG_EPERM, 0, "mirror.to",
		      "port b0 is of tenant b, who would read what tenant a sends and receives; if "
		      "that is meant, say across_tenants: on");
	ports[0].mirror.is_across = true;
	check_accepted();
	/* Said of this mirror, and of no other. */
	mirror(1, "b0");
	check_refused(-HG_EPERM, 1, "mirror.to",
		      "port b0 is of tenant b, who would read what tenant a sends and receives; if "
		      "that is meant, say across_tenants: on");
}

static void s5_1_mirror_loops_and_chains_are_refused(void)
{
	set_up();
	mirror(0, "a0");
	check_refused(-HG_EINVAL, 0, "mirror.to", "a port cannot be mirrored to itself");
	mirror(0, "a1");
	mirror(1, "a0");
	check_refused(-HG_EINVAL, 0, "mirror.to",
		      "port a1 is mirrored itself, to a0: a destination cannot be, or copies would "
		      "be copied");
	ports[1].mirror = (struct hg_mirror){0};
	check_accepted();
}

static void s5_1_mirror_needs_a_destination_that_there_is(void)
{
	set_up();
	mirror(1, "a9");
	check_refused(-HG_ENOENT, 1, "mirror.to", "no port has the name a9");
	mirror(1, "");
	ports[1].mirror.watch = HG_WATCH_IN;
	check_refused(-HG_EINVAL, 1, "mirror",
		      "a mirror needs 'to', the port that gets the copies");
	mirror(1, "a0");
	check_accepted();
	ports[1].mirror.watch = HG_N_WATCHES;
	check_refused(-HG_EINVAL, 1, "mirror.direction", "a direction is both, out or in");
}

static void s5_1_mirrors_of_a_host_are_bounded(void)
{
	set_up();
	for (uint32_t i = 0; i < HG_MIRRORS_MAX; i++) {
		add_port("more", 0);
		mirror(3 + i, "a0");
	}
	check_accepted();
	mirror(1, "a0");
	check_refused(-HG_EINVAL, HG_MIRRORS_MAX + 2u, "mirror", "a host has at most 64 mirrors");
}

static const struct hg_test tests[] = {
	HG_TEST(s5_1_mirror_stays_in_its_tenant_unless_the_operator_says_otherwise),
	HG_TEST(s5_1_mirror_loops_and_chains_are_refused),
	HG_TEST(s5_1_mirror_needs_a_destination_that_there_is),
	HG_TEST(s5_1_mirrors_of_a_host_are_bounded),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
