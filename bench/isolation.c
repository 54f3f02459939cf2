/* isolation: how long a light sender waits behind heavy ones, in virtual time.
 * Usage: bench_isolation SECONDS [all | few] [TRACE]; few: of the settings the first, of the traffic full frames
 *
 * Model      One instance in a closed loop of small requests (84 bytes, 75 to 225 us between them) against eight that
 *            always have 64 packets queued, all of equal weight, each of a tenant of its own, on a modelled card
 *            (drivers/simnic) with 4,096 descriptors. Rows, each from the beginning:
 *              idle      the light one alone, nothing in between
 *              plain     everything is handed to the card as long as it has room, by the same fair scheduler:
 *                        the order in front of the card is not to blame, its queue is
 *              dql       dynamic queue limits (bench/dql.h) under the same fair scheduler
 *              headgate  in-flight control, depth found by itself
 * Heavy      `mtu` full frames, `mix` full frames and the smallest in equal numbers, `segment` segments of up
 *            to 64 KiB that occupy the link for no more than 100 us (what is longer is cut before it is
 *            scheduled).
 * Card       `settings`: when it tells what it has sent. Kept apart from those that the depth is tested with.
 * Figures    wait of the light one's packets from arrival to the last bit on the wire (wire), and to the
 *            buffer's release (released); use of the link while work waited.
 * Limit      the completion delay at its largest, batch and coalescing included, and one largest packet's
 *            time on the link: no rule can keep the link busy with less in the card.
 */
#include "bench/dql.h"
#include "bench/figures.h"
#include "sim/lane.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { N_HEAVY = 8, LIGHT = N_HEAVY, RING_PKTS = 4096, BACKLOG_PKTS = 64 };
enum { CLASS_HEAVY, CLASS_LIGHT };

#define FULL_FRAME_BYTES 1538u
#define SMALL_FRAME_BYTES 84u
#define SEGMENT_PARTS_MAX 45u /* of 64 KiB */
#define CUT_NS (100 * HG_NS_PER_US)
/* Longer than a segment, so that a request does not keep step with the packets that it waited for. */
#define THINK_NS (150 * HG_NS_PER_US)
/* A plain queue lets few requests through; so many must be seen at least, so that one in a thousand is more
 * than a single one (with `few` it is one). They are most of the time that the benchmark takes. */
#define LIGHT_PKTS_MIN 4000u
#define LIGHT_PKTS_MIN_FEW 1000u
static unsigned light_pkts_min = LIGHT_PKTS_MIN;
/* Dynamic queue limits look at their slack once a second. */
#define DQL_WARM_NS (5 * HG_NS_PER_S / 2)
#define DQL_MAX_BYTES 1879048192u /* as Linux */
#define WARM_NS (100 * HG_NS_PER_MS)

enum load { MTU, MIX, SEGMENT, N_LOADS };
static const char *const load_names[] = {"mtu", "mix", "segment"};
enum row { IDLE, PLAIN, DQL, HEADGATE, N_ROWS };
static const char *const row_names[] = {"idle", "plain", "dql", "headgate"};

struct setting {
	const char *name;
	char card[160];
	hg_ns complete_ns, jitter_ns; /* of each packet */
	hg_ns coalesce_ns;
	unsigned batch;
};

/* What a card with interrupts moderated in hardware, one that writes back in batches, and one that hardly
 * delays do; a trace makes a fourth. */
static struct setting settings[4] = {
	{"moderated", "", 5000, 5000, 20000, 8},
	{"batched", "", 2000, 1000, 30000, 32},
	{"prompt", "", 1000, 1000, 0, 1},
};
static unsigned n_settings = 3;

struct result {
	hg_ns wire_ns[3], released_ns[3]; /* p50, p99, p99.9 */
	double link_use_percent;
	uint64_t n_light;
	hg_ns card_most_ns;
};

static const uint32_t quantiles_ppm[3] = {500000, 990000, 999000};
static const char *const quantile_names[3] = {"p50", "p99", "p999"};

static void give_up(const char *why)
{
	fprintf(stderr, "isolation: %s\n", why);
	exit(1);
}

/* ---- the rival's limit -------------------------------------------------------------------------- */

static bool dql_may(void *ctx)
{
	return hg_dql_avail(ctx) >= 0;
}

static void dql_handed(void *ctx, uint32_t wire_bytes)
{
	hg_dql_queued(ctx, wire_bytes);
}

static void dql_released(void *ctx, uint64_t wire_bytes, hg_ns now_ns)
{
	hg_dql_completed(ctx, wire_bytes, now_ns);
}

/* ---- one case ----------------------------------------------------------------------------------- */

static hg_ns on_link_ns(uint64_t wire_bytes, uint64_t bytes_per_s)
{
	return (hg_ns)(wire_bytes * (uint64_t)HG_NS_PER_S / bytes_per_s);
}

static struct hg_sender_size segment(uint64_t bytes_per_s)
{
	uint32_t parts = SEGMENT_PARTS_MAX;

	while (on_link_ns((uint64_t)parts * FULL_FRAME_BYTES, bytes_per_s) > CUT_NS)
		parts--;
	return (struct hg_sender_size){parts * FULL_FRAME_BYTES, parts};
}

static struct hg_sender_cfg heavy(enum load load, uint64_t bytes_per_s)
{
	struct hg_sender_cfg cfg = {.arrivals = HG_ARRIVALS_SATURATE,
				    .backlog_pkts = BACKLOG_PKTS,
				    .n_sizes = load == MIX ? 2 : 1,
				    .sizes = {{FULL_FRAME_BYTES, 1}, {SMALL_FRAME_BYTES, 1}}};

	if (load == SEGMENT)
		cfg.sizes[0] = segment(bytes_per_s);
	return cfg;
}

static void add_senders(struct hg_lane *lane, enum load load, enum row row, uint64_t bytes_per_s)
{
	static const struct hg_policy policy = {.weight = HG_WEIGHT_DEFAULT,
						.burst_bytes = HG_BURST_DEFAULT_BYTES,
						.idle_after_ns = HG_IDLE_AFTER_DEFAULT_NS};
	const struct hg_sender_cfg light_cfg = {.arrivals = HG_ARRIVALS_LOOP,
						.think_ns = THINK_NS,
						.n_sizes = 1,
						.sizes = {{SMALL_FRAME_BYTES, 1}}};
	const struct hg_sender_cfg heavy_cfg = heavy(load, bytes_per_s);
	struct hg_error err = {0};

	for (uint32_t i = row == IDLE ? LIGHT : 0; i <= LIGHT; i++)
		if (hg_lane_set_tenant(lane, i, &policy, &err) < 0 ||
		    hg_lane_set_sender(lane, i, i, i == LIGHT ? CLASS_LIGHT : CLASS_HEAVY, &policy,
				       i == LIGHT ? &light_cfg : &heavy_cfg, &err) < 0)
			give_up(err.text);
}

static struct result result_of(struct hg_lane *lane)
{
	const struct hg_lane_class *light = hg_lane_class(lane, CLASS_LIGHT);
	struct hg_lane_link link;
	struct result result;

	hg_lane_link(lane, &link);
	for (unsigned q = 0; q < 3; q++) {
		result.wire_ns[q] = hg_waits_quantile(&light->wire, quantiles_ppm[q]);
		result.released_ns[q] = hg_waits_quantile(&light->released, quantiles_ppm[q]);
	}
	result.link_use_percent =
		100.0 * (double)link.busy_ns / (double)(link.busy_ns + link.dry_ns);
	result.n_light = light->n_pkts;
	result.card_most_ns = link.card_most_ns;
	if (link.n_sum_errors > 0)
		give_up("the card's count and in-flight control's differ");
	if (link.n_no_buffer > 0)
		give_up("there were too few buffers");
	return result;
}

static struct result run(uint64_t bytes_per_s, const char *card, enum load load, enum row row,
			 hg_ns for_ns)
{
	struct hg_dql dql;
	struct hg_lane_cfg cfg = {
		.link_bytes_per_s = bytes_per_s,
		.ring_pkts = RING_PKTS,
		.card = card,
		.max_tenants = N_HEAVY + 1,
		.max_senders = N_HEAVY + 1,
		.max_pkts = 2 * RING_PKTS,
		.rule = row == DQL        ? HG_LANE_LIMIT
			: row == HEADGATE ? HG_LANE_INFLIGHT
					  : HG_LANE_PLAIN,
		.limit = {&dql, dql_may, dql_handed, dql_released},
		.largest_bytes =
			load == SEGMENT ? segment(bytes_per_s).wire_bytes : FULL_FRAME_BYTES,
		.seed = 1,
		.checks_sum = true,
	};
	struct hg_error err = {0};
	struct hg_lane *lane;
	struct result result;

	hg_dql_init(&dql, 0, DQL_MAX_BYTES, HG_DQL_HOLD_NS, HG_LANE_START_NS);
	if (hg_lane_create(&cfg, &lane, &err) < 0)
		give_up(err.text);
	add_senders(lane, load, row, bytes_per_s);
	hg_lane_run(lane, HG_LANE_START_NS + (row == DQL ? DQL_WARM_NS : WARM_NS));
	hg_lane_clear(lane);
	do {
		hg_lane_run(lane, hg_lane_now(lane) + for_ns);
	} while (hg_lane_class(lane, CLASS_LIGHT)->n_pkts < light_pkts_min);
	result = result_of(lane);
	hg_lane_stop(lane);
	hg_lane_destroy(lane);
	return result;
}

/* ---- all cases ---------------------------------------------------------------------------------- */

/* The largest time that passes from a packet's last bit to its release on a link that never rests. */
static hg_ns completion_ns(const struct setting *s, hg_ns largest_ns)
{
	hg_ns batch_ns = (hg_ns)(s->batch - 1u) * largest_ns;

	return s->complete_ns + s->jitter_ns +
	       (batch_ns < s->coalesce_ns ? batch_ns : s->coalesce_ns);
}

struct worst {
	double over_limit, link_use_percent, gain_10g;
};

static void report(const char *where, enum row row, const struct result *r, hg_ns limit_ns)
{
	char name[128];

	for (unsigned q = 0; q < 3; q++) {
		snprintf(name, sizeof(name), "sim_%s_%s_wire_%s_ns", where, row_names[row],
			 quantile_names[q]);
		hg_figure(name, (double)r->wire_ns[q]);
		snprintf(name, sizeof(name), "sim_%s_%s_released_%s_ns", where, row_names[row],
			 quantile_names[q]);
		hg_figure(name, (double)r->released_ns[q]);
	}
	snprintf(name, sizeof(name), "sim_%s_%s_link_use_percent", where, row_names[row]);
	hg_figure(name, r->link_use_percent);
	fprintf(stderr,
		"isolation: %-24s %-9s %9.1f %9.1f %9.1f us on the wire, %9.1f us released, "
		"%5.2f of the limit, link %.3f %%\n",
		where, row_names[row], (double)r->wire_ns[0] / 1e3, (double)r->wire_ns[1] / 1e3,
		(double)r->wire_ns[2] / 1e3, (double)r->released_ns[2] / 1e3,
		(double)r->wire_ns[2] / (double)limit_ns, r->link_use_percent);
}

static void measure(unsigned gbit, const struct setting *setting, enum load load, hg_ns for_ns,
		    struct worst *worst)
{
	uint64_t bytes_per_s = gbit * UINT64_C(125000000);
	uint32_t largest = load == SEGMENT ? segment(bytes_per_s).wire_bytes : FULL_FRAME_BYTES;
	hg_ns largest_ns = on_link_ns(largest, bytes_per_s);
	hg_ns limit_ns = completion_ns(setting, largest_ns) + largest_ns;
	struct result results[N_ROWS];
	char where[64], name[128];
	double over, gain;

	snprintf(where, sizeof(where), "%ug_%s_%s", gbit, setting->name, load_names[load]);
	for (enum row row = IDLE; row < N_ROWS; row++) {
		results[row] = run(bytes_per_s, setting->card, load, row, for_ns);
		report(where, row, &results[row], limit_ns);
	}
	snprintf(name, sizeof(name), "sim_%s_limit_ns", where);
	hg_figure(name, (double)limit_ns);
	over = (double)results[HEADGATE].wire_ns[2] / (double)limit_ns;
	snprintf(name, sizeof(name), "sim_%s_headgate_wire_p999_over_limit", where);
	hg_figure(name, over);
	if (over > worst->over_limit)
		worst->over_limit = over;
	if (results[HEADGATE].link_use_percent < worst->link_use_percent)
		worst->link_use_percent = results[HEADGATE].link_use_percent;
	gain = (double)results[PLAIN].wire_ns[2] / (double)results[HEADGATE].wire_ns[2];
	if (gbit != 10 || load != MTU)
		return;
	snprintf(name, sizeof(name), "sim_%s_gain", where);
	hg_figure(name, gain);
	if (gain < worst->gain_10g)
		worst->gain_10g = gain;
}

/* A card that takes as long as a recorded one did: one time a line, in ns. The largest of them bounds it. */
static void add_trace(const char *path)
{
	struct setting *s = &settings[n_settings++];
	FILE *file = fopen(path, "r");
	char line[128];
	hg_ns ns;

	if (file == NULL)
		give_up("the trace cannot be read");
	*s = (struct setting){.name = "trace", .batch = 1};
	snprintf(s->card, sizeof(s->card), "trace=%s", path);
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "#\r\n")] = '\0';
		if (line[0] == '\0')
			continue;
		if (hg_time_parse(line, &ns, NULL) < 0)
			ns = strtoll(line, NULL, 10);
		if (ns > s->complete_ns)
			s->complete_ns = ns;
	}
	fclose(file);
}

static void describe(struct setting *s)
{
	int n;

	if (s->card[0] == '\0') {
		n = snprintf(s->card, sizeof(s->card),
			     "complete=%" PRId64 "ns,jitter=%" PRId64 "ns", s->complete_ns,
			     s->jitter_ns);
		if (s->batch > 1)
			snprintf(s->card + n, sizeof(s->card) - (size_t)n,
				 ",batch=%u,coalesce=%" PRId64 "ns", s->batch, s->coalesce_ns);
	}
	fprintf(stderr, "isolation: %s: %s\n", s->name, s->card);
}

int main(int argc, char **argv)
{
	static const unsigned gbit[] = {1, 10, 25};
	struct worst worst = {.link_use_percent = 100, .gain_10g = 1e9};
	double seconds = argc >= 2 ? strtod(argv[1], NULL) : 0;
	bool is_few = argc >= 3 && strcmp(argv[2], "few") == 0;
	unsigned n_loads = is_few ? MTU + 1 : N_LOADS;

	if (seconds < 0.1 || seconds > 3600) {
		fprintf(stderr,
			"usage: bench_isolation SECONDS [all | few] [TRACE], SECONDS in [0.1, "
			"3600]\n");
		return 2;
	}
	if (is_few) {
		n_settings = 1;
		light_pkts_min = LIGHT_PKTS_MIN_FEW;
	}
	if (argc == 4)
		add_trace(argv[3]);
	for (unsigned i = 0; i < n_settings; i++)
		describe(&settings[i]);
	for (unsigned g = 0; g < sizeof(gbit) / sizeof(gbit[0]); g++)
		for (unsigned s = 0; s < n_settings; s++)
			for (enum load load = 0; load < n_loads; load++)
				measure(gbit[g], &settings[s], load, (hg_ns)(seconds * 1e9),
					&worst);
	hg_figure("sim_p999_over_limit", worst.over_limit);
	hg_figure("sim_gain_10g", worst.gain_10g);
	hg_figure("sim_link_use_percent", worst.link_use_percent);
	return 0;
}
