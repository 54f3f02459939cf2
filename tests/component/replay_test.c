/* The history of MAX, computed again from what the interface gives away: samples of a modelled card on virtual
 * time go through JSON, as a store would keep them, and are replayed. */
#include "api/service.h"
#include "tests/component/fake_dataplane.h"
#include "tests/harness.h"

#define FRAME_BYTES 1538u
#define RING 4096u

static const char config[] = "uplinks: [{name: up0, device: 'tap:up0', capacity: 10Gbit}]\n";

/* A card that sends at the link's rate and reports each frame after a delay. */
struct card {
	struct hg_depth depth;
	hg_ns handed_ns[RING], released_ns[RING];
	uint32_t n_handed, n_released;
	hg_ns now_ns, wire_ns, delay_ns;
	bool is_held;
};

static const struct hg_depth_cfg cfg = {
	.bytes_per_s = UINT64_C(1250000000), .largest_bytes = FRAME_BYTES, .ring_pkts = RING};

static void send_all(struct card *c)
{
	const hg_ns frame_ns = (hg_ns)(FRAME_BYTES * UINT64_C(1000000000) / cfg.bytes_per_s);

	while ((uint64_t)(c->n_handed - c->n_released) * FRAME_BYTES <
		       hg_depth_max_bytes(&c->depth) &&
	       c->n_handed - c->n_released < hg_depth_max_pkts(&c->depth)) {
		hg_depth_handed(&c->depth, FRAME_BYTES, 1, c->is_held, c->now_ns);
		c->is_held = false;
		c->wire_ns = (c->wire_ns > c->now_ns ? c->wire_ns : c->now_ns) + frame_ns;
		c->handed_ns[c->n_handed % RING] = c->now_ns;
		c->released_ns[c->n_handed % RING] = c->wire_ns + c->delay_ns;
		c->n_handed++;
	}
	c->is_held = true;
}

/* Runs until n samples are there; the delay is what the caller sets between two calls. */
static unsigned run(struct card *c, struct hg_depth_sample *ret_samples, unsigned n)
{
	unsigned n_got = 0;

	send_all(c);
	while (n_got < n) {
		hg_ns at_ns = c->released_ns[c->n_released % RING];
		hg_ns due_ns = hg_depth_next_at(&c->depth);

		c->now_ns = at_ns < due_ns ? at_ns : due_ns;
		if (at_ns == c->now_ns) {
			hg_depth_released(&c->depth, FRAME_BYTES, 1,
					  c->handed_ns[c->n_released % RING], c->now_ns);
			c->n_released++;
		}
		n_got += hg_depth_settle(&c->depth, &ret_samples[n_got], c->now_ns);
		send_all(c);
	}
	return n_got;
}

static uint64_t number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		HG_TEST_FAIL("there is no number %s", key);
	return (uint64_t)json_integer_value(value);
}

static struct hg_depth_sample sample_of(const json_t *json)
{
	struct hg_depth_sample sample = {
		.at_ns = (hg_ns)number(json, "at_ns"),
		.length_ns = (hg_ns)number(json, "length_ns"),
		.released_bytes = number(json, "released_bytes"),
		.released_pkts = (uint32_t)number(json, "released_pkts"),
		.n_held = (uint32_t)number(json, "n_held"),
		.n_full = (uint32_t)number(json, "n_full"),
		.card_min_ns = (hg_ns)number(json, "card_min_ns"),
		.card_max_ns = (hg_ns)number(json, "card_max_ns"),
		.max_bytes = number(json, "max_bytes"),
		.rate_bytes_per_s = number(json, "rate_bytes_per_s"),
		.lead_ns = (hg_ns)number(json, "lead_ns"),
		.is_silent = json_is_true(json_object_get(json, "is_silent")),
		.busy_bytes = number(json, "busy_bytes"),
		.lost_bytes = number(json, "lost_bytes"),
		.early_bytes = number(json, "early_bytes"),
		.unreported_bytes = number(json, "unreported_bytes"),
		.late_bytes = number(json, "late_bytes"),
	};

	for (unsigned i = 0; i < HG_DEPTH_LATES; i++)
		sample.late_ns[i] = (hg_ns)json_integer_value(
			json_array_get(json_object_get(json, "late_ns"), i));
	return sample;
}

/* What the interface answers for the uplink. */
static json_t *answer(struct hg_service *service)
{
	const struct hg_request request = {
		.method = "GET", .path = "/v1/uplinks/up0/depth", .body = "", .n_bytes = 0};
	struct hg_reply reply;
	json_t *json;

	hg_service_handle(service, &request, 0, &reply);
	HG_CHECK_EQ(reply.status, 200);
	json = json_loadb(reply.text, reply.n_bytes, 0, NULL);
	hg_reply_fini(&reply);
	return json;
}

static struct hg_depth_cfg cfg_of(const json_t *json)
{
	return (struct hg_depth_cfg){.bytes_per_s = number(json, "bytes_per_s"),
				     .pin_bytes = number(json, "pin_bytes"),
				     .scale_ppm = (uint32_t)number(json, "scale_ppm"),
				     .largest_bytes = (uint32_t)number(json, "largest_bytes"),
				     .ring_pkts = (uint32_t)number(json, "ring_pkts")};
}

static void begin(struct hg_service *service, struct hg_control_cfg *control_cfg)
{
	struct hg_desired *desired;

	HG_CHECK_EQ(hg_dp_create(NULL, &control_cfg->dp, NULL), 0);
	HG_CHECK_EQ(hg_control_create(control_cfg, &service->control, NULL), 0);
	HG_CHECK_EQ(hg_config_parse(config, strlen(config), NULL, &desired, NULL), 0);
	HG_CHECK_EQ(hg_control_apply(service->control, desired, 0, 0, NULL), 0);
	hg_config_destroy(desired);
}

/* Each byte of a sample comes through, so that a field which the interface does not know is noticed. */
static void all_of_a_sample_is_given(void)
{
	const size_t gap = offsetof(struct hg_depth_sample, is_silent) + sizeof(bool);
	const size_t gap_end = offsetof(struct hg_depth_sample, busy_bytes);
	struct hg_service service = {.version = "1"};
	struct hg_control_cfg control_cfg = {0};
	struct hg_depth_sample sent, got;
	const unsigned char *a = (const unsigned char *)&sent, *b = (const unsigned char *)&got;
	json_t *json;

	begin(&service, &control_cfg);
	memset(&sent, 0x11, sizeof(sent)); /* no number of 64 bits of this is negative */
	sent.is_silent = true;
	fake_uplink(control_cfg.dp, "up0")->depth[0] = sent;
	fake_uplink(control_cfg.dp, "up0")->n_depth = 1;
	json = answer(&service);
	got = sample_of(json_array_get(json_object_get(json, "samples"), 0));
	for (size_t i = 0; i < sizeof(sent); i++) {
		if (a[i] != b[i] && (i < gap || i >= gap_end))
			HG_TEST_FAIL("byte %zu of a sample does not come through: is there a new "
				     "field? api/card.c has to know it",
				     i);
	}
	json_decref(json);
	hg_control_destroy(service.control);
	hg_dp_destroy(control_cfg.dp, false);
}

/* How many intervals had another MAX than the replay of those before them says. */
static unsigned count_wrong(json_t *samples, const struct hg_depth_cfg *with, bool is_blind)
{
	struct hg_depth again;
	unsigned n_wrong = 0;
	json_t *one;
	size_t i;

	hg_depth_init(&again, with, 0);
	json_array_foreach(samples, i, one)
	{
		struct hg_depth_sample sample = sample_of(one);

		HG_CHECK_EQ(number(one, "number"), i);
		n_wrong += hg_depth_max_bytes(&again) != sample.max_bytes;
		if (is_blind)
			sample.unreported_bytes = sample.lost_bytes = 0;
		hg_depth_replay(&again, &sample);
	}
	return n_wrong;
}

static void s2_14_max_is_computed_again_from_the_samples(void)
{
	struct hg_service service = {.version = "1"};
	struct hg_control_cfg control_cfg = {0};
	struct hg_depth_cfg given;
	struct fake_named *up;
	struct card card = {.delay_ns = 1000};
	uint64_t least = UINT64_MAX, most = 0;
	json_t *json;

	begin(&service, &control_cfg);
	up = fake_uplink(control_cfg.dp, "up0");
	up->uplink.depth_cfg = cfg;
	/* The delay goes up and down again, so that MAX does. */
	hg_depth_init(&card.depth, &cfg, 0);
	up->n_depth = run(&card, up->depth, FAKE_DEPTH_SAMPLES / 4);
	card.delay_ns = 50000;
	up->n_depth += run(&card, up->depth + up->n_depth, FAKE_DEPTH_SAMPLES / 4);
	card.delay_ns = 1000;
	up->n_depth += run(&card, up->depth + up->n_depth, FAKE_DEPTH_SAMPLES / 2);
	for (unsigned i = FAKE_DEPTH_SAMPLES / 8; i < FAKE_DEPTH_SAMPLES; i++) {
		least = up->depth[i].max_bytes < least ? up->depth[i].max_bytes : least;
		most = up->depth[i].max_bytes > most ? up->depth[i].max_bytes : most;
	}
	HG_CHECK(most > least + FRAME_BYTES);

	json = answer(&service);
	HG_CHECK_EQ(json_array_size(json_object_get(json, "samples")), FAKE_DEPTH_SAMPLES);
	given = cfg_of(json_object_get(json, "cfg"));
	HG_CHECK_EQ(count_wrong(json_object_get(json, "samples"), &given, false), 0);
	/* Who leaves out what a sample says finds another history. */
	HG_CHECK(count_wrong(json_object_get(json, "samples"), &given, true) > 0);
	json_decref(json);
	hg_control_destroy(service.control);
	hg_dp_destroy(control_cfg.dp, false);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(all_of_a_sample_is_given),
		HG_TEST(s2_14_max_is_computed_again_from_the_samples),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
