/* The control lane against a packet lane in memory: every step of a change may fail, and then nothing of
 * it is left; what is not confirmed comes back; seconds are closed and judged. */
#include "control/card.h"
#include "control/control.h"
#include "tests/component/fake_dataplane.h"
#include "tests/harness.h"

#define MBIT UINT64_C(125000)
#define S HG_NS_PER_S

/* One uplink of 1 Gbit/s, tenants a and b with one instance and one port each. */
struct world {
	struct hg_dp *dp;
	struct hg_control *control;
	hg_ns now_ns;
	hg_ns stolen_ns;
	int fail_save;
	unsigned n_saved;
	uint64_t saved_min; /* of the first tenant */
	char logged[4096];

	struct hg_desired_uplink uplinks[1];
	struct hg_desired_tenant tenants[3];
	struct hg_desired_instance instances[3];
	struct hg_desired_port ports[3];
	struct hg_desired desired;
	struct hg_error error;
};

static struct world w;

/* The linker puts these around the allocations of everything under test. */
static unsigned fail_alloc_after; /* 0: never */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	if (fail_alloc_after > 0 && --fail_alloc_after == 0)
		return NULL;
	return __real_calloc(n, size);
}

static hg_ns stolen(void *user)
{
	return ((struct world *)user)->stolen_ns;
}

static void log_sentence(void *user, enum hg_log_level level, const char *sentence)
{
	struct world *world = user;
	size_t used = strlen(world->logged);

	snprintf(world->logged + used, sizeof(world->logged) - used, "<%d>%s\n", (int)level,
		 sentence);
}

static int save(void *user, const struct hg_desired *desired, struct hg_error *reterr)
{
	struct world *world = user;

	if (world->fail_save != 0)
		return hg_error_set(reterr, world->fail_save, "no space left on the device", NULL);
	world->n_saved++;
	world->saved_min = desired->n_tenants == 0
				   ? 0
				   : desired->tenants[0].contract.dir[HG_OUT].min_bytes_per_s;
	return 0;
}

static void name_all(uint32_t i, char letter)
{
	snprintf(w.tenants[i].name, HG_NAME_BYTES, "tenant-%c", letter);
	snprintf(w.instances[i].name, HG_NAME_BYTES, "inst-%c", letter);
	snprintf(w.ports[i].name, HG_NAME_BYTES, "port-%c", letter);
	snprintf(w.ports[i].device, HG_DEVICE_BYTES, "tap:port-%c", letter);
	hg_contract_init(&w.tenants[i].contract);
	hg_contract_init(&w.instances[i].contract);
	w.instances[i].tenant_idx = i;
	w.ports[i].instance_idx = i;
	w.ports[i].mtu = HG_MTU_DEFAULT;
}

static void set_up(void)
{
	struct hg_dp_cfg dp_cfg;
	struct hg_control_cfg cfg = {
		.started_at_ns = 10 * S, .stolen_ns = stolen, .log = log_sentence, .user = &w};

	memset(&w, 0, sizeof(w));
	hg_dp_cfg_init(&dp_cfg);
	HG_CHECK_EQ(hg_dp_create(&dp_cfg, &w.dp, NULL), 0);
	cfg.dp = w.dp;
	HG_CHECK_EQ(hg_control_create(&cfg, &w.control, NULL), 0);
	hg_control_on_save(w.control, save, &w);
	w.now_ns = 10 * S;
	strcpy(w.uplinks[0].name, "up0");
	strcpy(w.uplinks[0].device, "tap:up0");
	w.uplinks[0].capacity_bytes_per_s = 1000 * MBIT;
	w.uplinks[0].mtu = HG_MTU_DEFAULT;
	name_all(0, 'a');
	name_all(1, 'b');
	name_all(2, 'c');
	w.tenants[0].contract.dir[HG_OUT].min_bytes_per_s = 100 * MBIT;
	w.desired = (struct hg_desired){
		.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM,
		.uplinks = w.uplinks,
		.n_uplinks = 1,
		.tenants = w.tenants,
		.n_tenants = 2,
		.instances = w.instances,
		.n_instances = 2,
		.ports = w.ports,
		.n_ports = 2,
	};
	hg_error_clear(&w.error);
	HG_CHECK_EQ(hg_control_apply(w.control, &w.desired, 0, w.now_ns, &w.error), 0);
}

static void tear_down(void)
{
	hg_control_destroy(w.control);
	hg_dp_destroy(w.dp, false);
}

static uint64_t min_in_force(void)
{
	return hg_control_desired(w.control)->tenants[0].contract.dir[HG_OUT].min_bytes_per_s;
}

static uint64_t min_in_the_lane(void)
{
	return w.dp->desired.tenants[0].contract.dir[HG_OUT].min_bytes_per_s;
}

static int apply_min(uint64_t mbit, hg_ns confirm_for_ns)
{
	w.tenants[0].contract.dir[HG_OUT].min_bytes_per_s = mbit * MBIT;
	return hg_control_apply(w.control, &w.desired, confirm_for_ns, w.now_ns, &w.error);
}

static void pass(hg_ns for_ns)
{
	w.now_ns += for_ns;
	(void)hg_control_tick(w.control, w.now_ns);
}

static void check_all_are(uint64_t mbit)
{
	HG_CHECK_EQ(min_in_force(), mbit * MBIT);
	HG_CHECK_EQ(min_in_the_lane(), mbit * MBIT);
	HG_CHECK_EQ(w.saved_min, mbit * MBIT);
}

static void s1_11_a_change_is_in_force_and_saved(void)
{
	set_up();
	check_all_are(100);
	HG_CHECK_EQ(apply_min(200, 0), 0);
	check_all_are(200);
	tear_down();
}

static void s1_10_admission_refuses_before_anything_changes(void)
{
	set_up();
	HG_CHECK_EQ(apply_min(2000, 0), -HG_ENOSPC);
	HG_CHECK_HAS(w.error.text, "tenant-a");
	HG_CHECK_EQ(w.dp->n_applied, 1);
	check_all_are(100);
	tear_down();
}

static void s1_11_each_step_may_fail_and_nothing_is_half_done(void)
{
	set_up();
	strcpy(w.ports[0].device, "no driver");
	HG_CHECK_EQ(apply_min(200, 0), -HG_EINVAL);
	check_all_are(100);
	strcpy(w.ports[0].device, "tap:port-a");

	w.dp->fail_apply = -HG_EBUSY;
	hg_error_clear(&w.error);
	HG_CHECK_EQ(apply_min(200, 0), -HG_EBUSY);
	check_all_are(100);

	w.fail_save = -HG_EIO;
	hg_error_clear(&w.error);
	HG_CHECK_EQ(apply_min(200, 0), -HG_EIO);
	HG_CHECK_HAS(w.error.text, "no space left");
	check_all_are(100);
	HG_CHECK_EQ(w.dp->n_applied, 3); /* the first, the new one, and back */

	w.fail_save = 0;
	HG_CHECK_EQ(apply_min(200, 0), 0);
	check_all_are(200);
	tear_down();
}

static void s1_11_each_allocation_may_fail_and_nothing_is_half_done(void)
{
	unsigned n = 0;
	int rc;

	set_up();
	do {
		check_all_are(100);
		hg_error_clear(&w.error);
		fail_alloc_after = ++n;
		rc = apply_min(200, 0);
		HG_CHECK(rc == 0 || rc == -HG_ENOMEM);
	} while (rc != 0 && n < 1000);
	fail_alloc_after = 0;
	check_all_are(200);
	HG_CHECK(n > 10); /* it did fail, at each place */
	tear_down();
}

static void a_way_back_that_fails_is_said(void)
{
	set_up();
	w.fail_save = -HG_EIO;
	w.dp->fail_apply = -HG_EIO;
	w.dp->fail_apply_after = 1;
	HG_CHECK_EQ(apply_min(200, 0), -HG_EIO);
	HG_CHECK_HAS(w.logged, "could not be taken back");
	HG_CHECK_EQ(min_in_force(), 100 * MBIT);
	tear_down();
}

static void s7_10_what_is_not_confirmed_comes_back(void)
{
	struct hg_status_host host;

	set_up();
	HG_CHECK_EQ(apply_min(200, 60 * S), 0);
	HG_CHECK_EQ(min_in_force(), 200 * MBIT);
	HG_CHECK_EQ(w.saved_min, 100 * MBIT);
	hg_control_status_host(w.control, w.now_ns, &host);
	HG_CHECK_EQ(host.confirm_within_ns, 60 * S);
	HG_CHECK_EQ(apply_min(300, 0), -HG_EBUSY);
	pass(59 * S);
	HG_CHECK_EQ(min_in_force(), 200 * MBIT);
	HG_CHECK_EQ(hg_control_tick(w.control, w.now_ns), w.now_ns + S);
	pass(1 * S);
	check_all_are(100);
	HG_CHECK_HAS(w.logged, "nobody confirmed");
	HG_CHECK_EQ(hg_control_confirm(w.control, &w.error), -HG_EINVAL);
	tear_down();
}

static void s7_10_what_is_confirmed_stays_and_is_saved(void)
{
	set_up();
	HG_CHECK_EQ(apply_min(200, 60 * S), 0);
	w.fail_save = -HG_EIO;
	HG_CHECK_EQ(hg_control_confirm(w.control, &w.error), -HG_EIO);
	w.fail_save = 0;
	hg_error_clear(&w.error);
	HG_CHECK_EQ(hg_control_confirm(w.control, &w.error), 0);
	pass(61 * S);
	check_all_are(200);
	tear_down();
}

static void s7_10_a_roll_back_that_fails_is_tried_again(void)
{
	set_up();
	HG_CHECK_EQ(apply_min(200, 10 * S), 0);
	w.dp->fail_apply = -HG_EIO;
	pass(10 * S);
	HG_CHECK_EQ(min_in_force(), 200 * MBIT);
	HG_CHECK_HAS(w.logged, "trying again");
	pass(1 * S);
	check_all_are(100);
	tear_down();
}

static void s7_7_each_second_is_judged(void)
{
	struct hg_status_row row;

	set_up();
	pass(S); /* the second in which the contract came is not judged */
	fake_traffic(fake_tenant(w.dp, "tenant-a"), 300 * MBIT, 120 * MBIT, S);
	pass(S);
	hg_control_status_tenant(w.control, 0, &row);
	HG_CHECK_EQ(row.proof[HG_OUT].kept, 1);
	HG_CHECK_EQ(row.second[HG_OUT].offered_bytes_per_s, 300 * MBIT);
	HG_CHECK_EQ(row.second[HG_OUT].sent_bytes_per_s, 120 * MBIT);
	HG_CHECK_EQ(row.total[HG_OUT].sent_bytes_per_s, 60 * MBIT);
	HG_CHECK_EQ(row.second[HG_OUT].held_ns[HG_LIMIT_LINK], S);
	HG_CHECK_EQ(row.second[HG_OUT].wait_ns, S);

	fake_traffic(fake_tenant(w.dp, "tenant-a"), 300 * MBIT, 20 * MBIT, S);
	pass(S);
	hg_control_status_tenant(w.control, 0, &row);
	HG_CHECK_EQ(row.proof[HG_OUT].missed, 1);
	HG_CHECK_EQ(row.proof[HG_OUT].missed_min, 1);

	fake_traffic(fake_tenant(w.dp, "tenant-a"), 300 * MBIT, 20 * MBIT, S);
	w.stolen_ns += S / 10;
	pass(S);
	hg_control_status_tenant(w.control, 0, &row);
	HG_CHECK_EQ(row.proof[HG_OUT].missed, 1);
	HG_CHECK_EQ(row.proof[HG_OUT].stolen, 1);
	tear_down();
}

static void s1_11_measurements_follow_their_names(void)
{
	struct hg_status_row row;

	set_up();
	pass(S);
	fake_traffic(fake_instance(w.dp, "inst-b"), 30 * MBIT, 30 * MBIT, 0);
	pass(S);
	/* A third comes in front, and b's contract changes in nothing. */
	name_all(0, 'c');
	name_all(2, 'a');
	w.desired.n_tenants = w.desired.n_instances = w.desired.n_ports = 3;
	HG_CHECK_EQ(hg_control_apply(w.control, &w.desired, 0, w.now_ns, &w.error), 0);
	hg_control_status_instance(w.control, 1, &row);
	HG_CHECK_EQ(row.second[HG_OUT].sent_bytes_per_s, 30 * MBIT);
	HG_CHECK_EQ(row.proof[HG_OUT].kept, 1);
	hg_control_status_instance(w.control, 0, &row);
	HG_CHECK_EQ(row.proof[HG_OUT].kept, 0);
	/* Then b's changes, and its proof begins anew. */
	w.instances[1].contract.dir[HG_OUT].max_bytes_per_s = 50 * MBIT;
	HG_CHECK_EQ(hg_control_apply(w.control, &w.desired, 0, w.now_ns, &w.error), 0);
	hg_control_status_instance(w.control, 1, &row);
	HG_CHECK_EQ(row.proof[HG_OUT].kept, 0);
	tear_down();
}

/* ---- another process goes on ---------------------------------------------------------------------- */

static uint64_t standing[8192];

/* The packet lane goes on counting where it was; the control lane is another. */
static int restart(void)
{
	struct hg_control_cfg cfg = {.dp = w.dp,
				     .started_at_ns = w.now_ns,
				     .stolen_ns = stolen,
				     .log = log_sentence,
				     .user = &w};
	const struct hg_control_state state = {.desired = &w.desired, .generation = 5};
	size_t n_bytes = hg_control_standing_size(w.control);

	HG_CHECK(n_bytes <= sizeof(standing));
	hg_control_standing_out(w.control, standing);
	hg_control_destroy(w.control);
	HG_CHECK_EQ(hg_control_create(&cfg, &w.control, NULL), 0);
	HG_CHECK_EQ(hg_control_take(w.control, &state, w.now_ns, &w.error), 0);
	hg_error_clear(&w.error);
	return hg_control_standing_in(w.control, standing, n_bytes, w.now_ns, &w.error);
}

static struct hg_proof proof_of_a(void)
{
	struct hg_status_row row;

	hg_control_status_tenant(w.control, 0, &row);
	return row.proof[HG_OUT];
}

/* 100 Mbit/s are guaranteed, and something always waits. */
static void pass_kept(void)
{
	fake_traffic(fake_tenant(w.dp, "tenant-a"), 300 * MBIT, 120 * MBIT, S);
	pass(S);
}

static void s7_11_proof_and_totals_go_on_in_another_process(void)
{
	struct hg_status_host host;
	struct hg_status_row before, after;

	set_up();
	pass(S);
	pass_kept();
	pass_kept();
	w.stolen_ns += S / 10;
	pass_kept();
	hg_control_status_tenant(w.control, 0, &before);
	HG_CHECK_EQ(before.proof[HG_OUT].kept, 2);
	HG_CHECK_EQ(before.proof[HG_OUT].stolen, 1);
	HG_CHECK_EQ(restart(), 0);
	hg_control_status_tenant(w.control, 0, &after);
	/* Of 64-bit numbers alone, so that nothing lies between them. */
	HG_CHECK(memcmp(before.proof, after.proof, sizeof(before.proof)) == 0);
	HG_CHECK(memcmp(before.counts, after.counts, sizeof(before.counts)) == 0);
	HG_CHECK(memcmp(before.drops, after.drops, sizeof(before.drops)) == 0);
	HG_CHECK_EQ(after.second[HG_OUT].sent_bytes_per_s, before.second[HG_OUT].sent_bytes_per_s);
	HG_CHECK_EQ(after.total[HG_OUT].sent_bytes_per_s, before.total[HG_OUT].sent_bytes_per_s);
	HG_CHECK_EQ(after.total[HG_OUT].wait_ns, before.total[HG_OUT].wait_ns);
	hg_control_status_host(w.control, w.now_ns, &host);
	HG_CHECK_EQ(host.seconds, 4);
	HG_CHECK_EQ(host.stolen_seconds, 1);
	pass_kept();
	HG_CHECK_EQ(proof_of_a().kept, 3);
	HG_CHECK_EQ(proof_of_a().missed, 0);
	hg_control_status_tenant(w.control, 0, &after);
	HG_CHECK_EQ(after.counts[HG_OUT].sent_bytes, 4 * 120 * MBIT);
	tear_down();
}

/* A second in which it stood still is one second, no more and no less, and what it missed it missed. */
static void s7_11_the_open_second_stays_open(void)
{
	struct hg_status_row row;

	set_up();
	pass(S);
	fake_traffic(fake_tenant(w.dp, "tenant-a"), 300 * MBIT, 60 * MBIT, S / 2);
	w.now_ns += S / 2;
	HG_CHECK_EQ(restart(), 0);
	pass(S / 4); /* it is not over yet */
	hg_control_status_tenant(w.control, 0, &row);
	HG_CHECK_EQ(row.proof[HG_OUT].kept + row.proof[HG_OUT].missed, 0);
	fake_traffic(fake_tenant(w.dp, "tenant-a"), 300 * MBIT, 60 * MBIT, S / 2);
	pass(S / 4);
	hg_control_status_tenant(w.control, 0, &row);
	HG_CHECK_EQ(row.proof[HG_OUT].kept, 1);
	HG_CHECK_EQ(row.second[HG_OUT].sent_bytes_per_s, 120 * MBIT);
	HG_CHECK_EQ(row.second[HG_OUT].wait_ns, S);

	fake_traffic(fake_tenant(w.dp, "tenant-a"), 300 * MBIT, 60 * MBIT, S / 2);
	w.now_ns += S / 2;
	HG_CHECK_EQ(restart(), 0);
	/* Half a second in which it waited and nothing was sent. */
	fake_traffic(fake_tenant(w.dp, "tenant-a"), 0, 0, S / 2);
	pass(S / 2);
	HG_CHECK_EQ(proof_of_a().kept, 1);
	HG_CHECK_EQ(proof_of_a().missed_min, 1);
	tear_down();
}

static void s7_11_a_contract_that_was_edited_begins_its_proof_anew(void)
{
	struct hg_status_row row;

	set_up();
	pass(S);
	pass_kept();
	fake_traffic(fake_tenant(w.dp, "tenant-b"), 30 * MBIT, 30 * MBIT, 0);
	w.tenants[0].contract.dir[HG_OUT].min_bytes_per_s = 110 * MBIT;
	HG_CHECK_EQ(restart(), 0);
	HG_CHECK_EQ(proof_of_a().kept, 0);
	hg_control_status_tenant(w.control, 0, &row);
	HG_CHECK_EQ(row.counts[HG_OUT].sent_bytes, 120 * MBIT);
	hg_control_status_tenant(w.control, 1, &row);
	HG_CHECK_EQ(row.proof[HG_OUT].kept, 1);
	pass_kept(); /* the second of the change is not judged */
	HG_CHECK_EQ(proof_of_a().kept, 0);
	pass_kept();
	HG_CHECK_EQ(proof_of_a().kept, 1);
	tear_down();
}

static void s7_11_seconds_of_another_form_begin_anew(void)
{
	size_t n_bytes;

	set_up();
	pass(S);
	pass_kept();
	HG_CHECK_EQ(restart(), 0);
	n_bytes = hg_control_standing_size(w.control);
	hg_control_standing_out(w.control, standing);
	for (size_t n = 0; n < n_bytes; n += n < 64 ? 1 : 61)
		HG_CHECK_EQ(hg_control_standing_check(standing, n, w.now_ns, &w.error), -HG_EINVAL);
	((uint8_t *)standing)[4] ^= 1u; /* the format */
	hg_error_clear(&w.error);
	HG_CHECK_EQ(hg_control_standing_in(w.control, standing, n_bytes, w.now_ns, &w.error),
		    -HG_ENOTSUP);
	HG_CHECK(w.error.text[0] != '\0');
	((uint8_t *)standing)[4] ^= 1u;
	((uint8_t *)standing)[8] ^= 1u; /* the layout */
	HG_CHECK_EQ(hg_control_standing_check(standing, n_bytes, w.now_ns, NULL), -HG_ENOTSUP);
	((uint8_t *)standing)[8] ^= 1u;
	/* Of a host that has been up for less. */
	HG_CHECK_EQ(hg_control_standing_check(standing, n_bytes, S, NULL), -HG_EINVAL);
	HG_CHECK_EQ(proof_of_a().kept, 1);
	tear_down();
}

static void s7_11_each_allocation_may_fail_and_nothing_has_changed(void)
{
	int rc = -HG_ENOMEM;
	size_t n_bytes;

	set_up();
	pass(S);
	pass_kept();
	HG_CHECK_EQ(restart(), 0);
	n_bytes = hg_control_standing_size(w.control);
	hg_control_standing_out(w.control, standing);
	pass_kept(); /* so that it shows */
	for (unsigned n = 1; rc != 0; n++) {
		HG_CHECK(n < 100);
		fail_alloc_after = n;
		rc = hg_control_standing_in(w.control, standing, n_bytes, w.now_ns, &w.error);
		fail_alloc_after = 0;
		HG_CHECK(rc == 0 || rc == -HG_ENOMEM);
		HG_CHECK_EQ(proof_of_a().kept, rc == 0 ? 1 : 2);
	}
	tear_down();
}

static void a_missing_device_is_told_once_and_looked_for(void)
{
	struct hg_status_port port;
	const char *first;

	set_up();
	fake_port(w.dp, "port-b")->link = HG_PORT_MISSING;
	strcpy(fake_port(w.dp, "port-b")->reason, "no interface of that name");
	pass(S);
	pass(S);
	first = strstr(w.logged, "port port-b is missing: no interface of that name");
	HG_CHECK(first != NULL);
	HG_CHECK(strstr(first + 1, "port port-b is missing") == NULL);
	hg_control_status_port(w.control, 1, &port);
	HG_CHECK_STR(port.link, "missing");
	HG_CHECK_EQ(w.dp->n_retried, 2);
	fake_port(w.dp, "port-b")->link = HG_PORT_UP;
	pass(S);
	HG_CHECK_HAS(w.logged, "port port-b is up");
	tear_down();
}

static struct hg_dp_uplink_sample *card(void)
{
	return &fake_uplink(w.dp, "up0")->uplink;
}

static unsigned count_logged(const char *words)
{
	unsigned n = 0;

	for (const char *at = w.logged; (at = strstr(at, words)) != NULL; at++)
		n++;
	return n;
}

static void s2_10_a_hook_that_falls_silent_is_told_once(void)
{
	struct hg_status_uplink status;

	set_up();
	card()->inflight.state = HG_HOOK_LEARNING;
	pass(S);
	card()->inflight.state = HG_HOOK_ON;
	pass(S);
	HG_CHECK_EQ(count_logged("<4>"), 0);
	card()->inflight.state = HG_HOOK_SILENT;
	card()->inflight.state_since_ns = 4 * S;
	card()->is_paced = true;
	w.dp->host.at_ns = 7 * S;
	pass(S);
	pass(S);
	HG_CHECK_EQ(count_logged("<4>uplink up0, in-flight control silent: the driver does not "
				 "release buffers; the link is paced instead; what was "
				 "outstanding is written off"),
		    1);
	hg_control_status_uplink(w.control, 0, &status);
	HG_CHECK(status.card.is_paced);
	HG_CHECK_EQ(status.card.state_for_ns, 3 * S);
	card()->inflight.state = HG_HOOK_ON;
	pass(S);
	HG_CHECK_EQ(count_logged("<5>uplink up0, in-flight control on"), 1);
	/* One that was never believed is told of at the first look. */
	tear_down();
	set_up();
	card()->inflight.state = HG_HOOK_EARLY;
	pass(S);
	HG_CHECK_EQ(count_logged("<4>uplink up0, in-flight control early"), 1);
	tear_down();
}

static void s2_10_lost_buffers_are_told_of_when_it_begins(void)
{
	set_up();
	card()->inflight.state = HG_HOOK_ON;
	card()->inflight.window.lost_pkts = 3;
	pass(S);
	card()->inflight.window.lost_pkts = 10;
	for (unsigned i = 0; i < HG_CARD_QUIET_SECONDS - 1; i++)
		pass(S);
	HG_CHECK_EQ(count_logged("did not give back"), 1);
	HG_CHECK_HAS(w.logged, "the buffers of 3 packets; they are written off");
	pass(S);
	HG_CHECK_HAS(w.logged, "the buffers of 7 packets");
	for (unsigned i = 0; i < 2 * HG_CARD_QUIET_SECONDS; i++)
		pass(S);
	HG_CHECK_EQ(count_logged("did not give back"), 2);
	tear_down();
}

static void s2_12_a_card_queue_that_fills_is_told_with_the_reason(void)
{
	struct hg_status_uplink status;

	set_up();
	/* Until MAX is known it may fill. */
	card()->inflight.state = HG_HOOK_LEARNING;
	card()->inflight.refused_pkts = 5;
	pass(S);
	HG_CHECK_EQ(count_logged("was full"), 0);
	card()->inflight.state = HG_HOOK_ON;
	card()->inflight.window.max_bytes = 180000;
	card()->inflight.window.max_pkts = 120;
	card()->card_ring_pkts = 64;
	pass(S);
	HG_CHECK_EQ(count_logged("was full"), 0);
	card()->inflight.refused_pkts = 25;
	pass(S);
	HG_CHECK_HAS(w.logged, "was full for 20 packets that were due");
	HG_CHECK_HAS(w.logged,
		     "MAX is 175.8 KiB and 120 packets, but the card's ring takes only 64");
	hg_control_status_uplink(w.control, 0, &status);
	HG_CHECK_EQ(status.card.second_refused_pkts, 20);
	HG_CHECK_HAS(status.card.why_full, "ring takes only 64");
	card()->card_ring_pkts = 1024;
	hg_control_status_uplink(w.control, 0, &status);
	HG_CHECK_HAS(status.card.why_full, "frees its ring later than its buffers");
	card()->is_paced = true;
	hg_control_status_uplink(w.control, 0, &status);
	HG_CHECK_HAS(status.card.why_full, "slower all the same than its capacity says");
	tear_down();
}

static void s2_12_a_queue_that_nothing_keeps_short_is_no_news(void)
{
	struct hg_status_uplink status;

	set_up();
	w.desired.mode = HG_MODE_OBSERVE;
	HG_CHECK_EQ(hg_control_apply(w.control, &w.desired, 0, w.now_ns, &w.error), 0);
	card()->inflight.state = HG_HOOK_ON;
	card()->inflight.refused_pkts = 1000;
	pass(S);
	HG_CHECK_EQ(count_logged("was full"), 0);
	hg_control_status_uplink(w.control, 0, &status);
	HG_CHECK_HAS(status.card.why_full, "mode is observe");
	/* What was refused meanwhile is not told of afterwards either. */
	w.desired.mode = HG_MODE_ENFORCE;
	HG_CHECK_EQ(hg_control_apply(w.control, &w.desired, 0, w.now_ns, &w.error), 0);
	pass(S);
	HG_CHECK_EQ(count_logged("was full"), 0);
	tear_down();
}

static void s2_3_time_in_the_card_of_the_second_and_since_start(void)
{
	struct hg_status_uplink status;
	struct hg_status_row row;
	struct hg_dp_flow *flow;

	set_up();
	flow = &fake_instance(w.dp, "inst-a")->flow[HG_OUT];
	hg_histogram_add(&card()->inflight.card, 100 * HG_NS_PER_US, 1000);
	hg_histogram_add(&flow->card, 100 * HG_NS_PER_US, 1000);
	pass(S);
	hg_histogram_add(&card()->inflight.card, 10 * HG_NS_PER_US, 1000);
	hg_histogram_add(&flow->card, 10 * HG_NS_PER_US, 1000);
	pass(S);
	hg_control_status_uplink(w.control, 0, &status);
	HG_CHECK_BETWEEN(status.card.second.p99_ns, 10 * HG_NS_PER_US, 13 * HG_NS_PER_US);
	HG_CHECK_BETWEEN(status.card.total.p99_ns, 100 * HG_NS_PER_US, 125 * HG_NS_PER_US);
	hg_control_status_instance(w.control, 0, &row);
	HG_CHECK_BETWEEN(row.second[HG_OUT].card.p999_ns, 10 * HG_NS_PER_US, 13 * HG_NS_PER_US);
	HG_CHECK_BETWEEN(row.total[HG_OUT].card.p99_ns, 100 * HG_NS_PER_US, 125 * HG_NS_PER_US);
	HG_CHECK_EQ(row.second[HG_IN].card.p99_ns, 0);
	tear_down();
}

static uint64_t heap_bytes(void)
{
	struct hg_status_host host;

	hg_control_status_host(w.control, w.now_ns, &host);
	return host.heap_bytes;
}

/* Small pieces, which come from what the C library keeps, and a large one, which it maps for itself. */
static void heap_is_what_is_allocated_and_not_freed(void)
{
	enum { N_SMALL = 1000, SMALL_BYTES = 1000, LARGE_BYTES = 64 << 20 };
	static void *volatile small[N_SMALL], *volatile large;
	uint64_t before, with_small, with_both;

	set_up();
	before = heap_bytes();
	if (!HG_TEST_IS_HEAP_COUNTED) {
		HG_CHECK_EQ(before, 0);
		tear_down();
		return;
	}
	for (unsigned i = 0; i < N_SMALL; i++)
		small[i] = malloc(SMALL_BYTES);
	with_small = heap_bytes();
	large = malloc(LARGE_BYTES);
	with_both = heap_bytes();
	/* A sixteenth for what it costs the library to remember a piece. */
	HG_CHECK_BETWEEN(with_small - before, N_SMALL * SMALL_BYTES,
			 N_SMALL * SMALL_BYTES * 17 / 16);
	HG_CHECK_BETWEEN(with_both - with_small, LARGE_BYTES, LARGE_BYTES + 65536);
	free(large);
	HG_CHECK_EQ(heap_bytes(), with_small);
	for (unsigned i = 0; i < N_SMALL; i++)
		free(small[i]);
	/* The library keeps a few for who asks next, and counts them. */
	HG_CHECK_BETWEEN(heap_bytes() - before, 0, 16 * SMALL_BYTES);
	tear_down();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s1_11_a_change_is_in_force_and_saved),
		HG_TEST(s1_10_admission_refuses_before_anything_changes),
		HG_TEST(s1_11_each_step_may_fail_and_nothing_is_half_done),
		HG_TEST(s1_11_each_allocation_may_fail_and_nothing_is_half_done),
		HG_TEST(a_way_back_that_fails_is_said),
		HG_TEST(s7_10_what_is_not_confirmed_comes_back),
		HG_TEST(s7_10_what_is_confirmed_stays_and_is_saved),
		HG_TEST(s7_10_a_roll_back_that_fails_is_tried_again),
		HG_TEST(s7_7_each_second_is_judged),
		HG_TEST(s1_11_measurements_follow_their_names),
		HG_TEST(s7_11_proof_and_totals_go_on_in_another_process),
		HG_TEST(s7_11_the_open_second_stays_open),
		HG_TEST(s7_11_a_contract_that_was_edited_begins_its_proof_anew),
		HG_TEST(s7_11_seconds_of_another_form_begin_anew),
		HG_TEST(s7_11_each_allocation_may_fail_and_nothing_has_changed),
		HG_TEST(a_missing_device_is_told_once_and_looked_for),
		HG_TEST(s2_10_a_hook_that_falls_silent_is_told_once),
		HG_TEST(s2_10_lost_buffers_are_told_of_when_it_begins),
		HG_TEST(s2_12_a_card_queue_that_fills_is_told_with_the_reason),
		HG_TEST(s2_12_a_queue_that_nothing_keeps_short_is_no_news),
		HG_TEST(s2_3_time_in_the_card_of_the_second_and_since_start),
		HG_TEST(heap_is_what_is_allocated_and_not_freed),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
