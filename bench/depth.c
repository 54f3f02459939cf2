/* depth: how soon MAX follows a step, what it then is, and how well it uses the link. Usage: bench_depth
 *
 * Model      drivers/simnic on virtual time, with a sender that always has work, which hands over while less than
 *            MAX is outstanding and, by core/depth, no more than its lead is left on a wire of the line's rate. A
 *            row is a card and one change. Rules: headgate (core/depth) and dynamic queue limits (bench/dql), on
 *            the same card. Each phase lasts PHASE_NS.
 * Settled    the last instant at which MAX was not within a tenth, or one largest packet, of its median over
 *            the last third of the phase, for longer than TRIAL_NS: more or less is tried now and then, and
 *            taken back; of a third where another user comes and goes.
 * Least      the smallest pinned MAX that uses the link for 99.5 %, by search on the same card.
 * Use        what the card sent of ours, by its own count, of what the line could have sent: half of it while
 *            another queue wants all.
 */
#include "bench/dql.h"
#include "bench/figures.h"
#include "core/depth.h"
#include "drivers/simnic.h"
#include "sim/card.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PHASE_NS (40 * HG_NS_PER_MS)
#define TRIAL_NS HG_NS_PER_MS
#define N_PKTS (1u << 16)
#define MAX_POINTS (1u << 20)
#define LARGEST_BYTES 12304u /* a segment of eight frames */
#define OTHER_PKTS 64u /* that the card's other user keeps there */
#define USE_LEAST 0.995

struct load {
	hg_ns complete_ns;
	uint32_t wire_bytes, parts;
	bool has_other; /* a second queue wants as much as there is */
};

struct row {
	const char *name;
	const char *params;
	struct load before, after;
	bool is_bound; /* by what is promised of settling */
};

static const struct row rows[] = {
	{"delay_up", "complete=50us", {1000, 1538, 1, false}, {50000, 1538, 1, false}, true},
	{"delay_down", "complete=50us", {50000, 1538, 1, false}, {1000, 1538, 1, false}, true},
	{"size_up", "complete=20us", {20000, 88, 1, false}, {20000, 1538, 1, false}, true},
	{"size_down", "complete=20us", {20000, 1538, 1, false}, {20000, 88, 1, false}, true},
	{"segment_up", "complete=20us", {20000, 1538, 1, false}, {20000, 12304, 8, false}, true},
	{"segment_down", "complete=20us", {20000, 12304, 8, false}, {20000, 1538, 1, false}, true},
	{"batch_delay_up",
	 "complete=50us,batch=32,coalesce=50us,jitter=5us",
	 {1000, 1538, 1, false},
	 {50000, 1538, 1, false},
	 true},
	{"batch_delay_down",
	 "complete=50us,batch=32,coalesce=50us,jitter=5us",
	 {50000, 1538, 1, false},
	 {1000, 1538, 1, false},
	 true},
	{"share_drop",
	 "complete=10us,queues=2",
	 {10000, 1538, 1, false},
	 {10000, 1538, 1, true},
	 false},
	{"share_rise",
	 "complete=10us,queues=2",
	 {10000, 1538, 1, true},
	 {10000, 1538, 1, false},
	 false},
};

enum rule { RULE_DEPTH, RULE_DQL, RULE_PINNED, N_RULES };

struct point {
	hg_ns at_ns;
	uint64_t max_bytes;
};

/* One card, its sender, and what it obeys. */
struct bench {
	struct hg_card card;
	enum rule rule;
	struct hg_depth depth;
	struct hg_dql dql;
	uint64_t pinned_bytes, outstanding_bytes;
	uint32_t outstanding_pkts, other_pkts;
	struct load load;
	hg_ns now_ns;
	enum hg_held held; /* by what, since the last hand-over */
	double root_end_ns; /* of the wire that the sender keeps, for the lead */
	hg_ns handed_ns[N_PKTS];
	bool is_other[N_PKTS];
	struct point points[MAX_POINTS];
	unsigned n_points;
};

static struct bench b;

static void give_up(const char *why)
{
	fprintf(stderr, "depth: %s\n", why);
	exit(1);
}

static uint64_t max_now(void)
{
	return b.rule == RULE_DEPTH ? hg_depth_max_bytes(&b.depth)
	       : b.rule == RULE_DQL ? b.dql.limit_bytes
				    : b.pinned_bytes;
}

static bool may_send(void)
{
	if (b.rule == RULE_DQL)
		return hg_dql_avail(&b.dql) >= 0;
	return b.outstanding_bytes < max_now() &&
	       (b.rule != RULE_DEPTH || b.outstanding_pkts < hg_depth_max_pkts(&b.depth));
}

/* When the lead lets the next packet go; 0: it is no bound. */
static hg_ns lead_open_ns(void)
{
	if (b.rule != RULE_DEPTH || hg_depth_lead_ns(&b.depth) == HG_NEVER)
		return 0;
	return (hg_ns)ceil(b.root_end_ns) - hg_depth_lead_ns(&b.depth);
}

static void note_handed(const struct hg_pkt *pkt)
{
	if (b.rule == RULE_DEPTH)
		hg_depth_handed(&b.depth, pkt->wire_bytes, pkt->parts, b.held, b.now_ns);
	if (b.rule == RULE_DQL)
		hg_dql_queued(&b.dql, pkt->wire_bytes);
	b.held = HG_HELD_NOT;
	b.root_end_ns = fmax(b.root_end_ns, (double)b.now_ns) +
			pkt->wire_bytes * 1e9 / (double)b.card.bytes_per_s;
	b.outstanding_bytes += pkt->wire_bytes;
	b.outstanding_pkts += pkt->parts;
}

static size_t number_of(const struct hg_pkt *pkt)
{
	return (size_t)((const struct hg_card_slot *)(const void *)pkt - b.card.pkts);
}

static struct hg_pkt *make(bool is_other)
{
	struct hg_pkt *pkt = hg_card_get(&b.card);

	if (pkt == NULL)
		give_up("the pool is empty");
	pkt->wire_bytes = is_other ? 1538 : b.load.wire_bytes;
	pkt->parts = (uint16_t)(is_other ? 1 : b.load.parts);
	b.is_other[number_of(pkt)] = is_other;
	b.handed_ns[number_of(pkt)] = b.now_ns;
	return pkt;
}

static void send_all(void)
{
	while (b.load.has_other && b.other_pkts < OTHER_PKTS) {
		struct hg_pkt *pkt = make(true);

		if (b.card.dev->driver->tx(b.card.dev, 1, &pkt, 1, b.now_ns) != 1)
			give_up("the other queue is full");
		b.other_pkts++;
	}
	while (lead_open_ns() <= b.now_ns) {
		struct hg_pkt *pkt;

		if (!may_send()) {
			b.held = HG_HELD_MAX;
			return;
		}
		pkt = make(false);
		if (hg_card_tx(&b.card, &pkt, 1, b.now_ns) != 1) {
			hg_card_put(&b.card, pkt);
			return;
		}
		note_handed(pkt);
	}
	if (b.held == HG_HELD_NOT)
		b.held = HG_HELD_LEAD;
}

static void settle(void)
{
	uint64_t was = max_now(), completed = 0;
	struct hg_depth_sample sample;

	for (uint32_t i = 0; i < b.card.n_released; i++) {
		struct hg_pkt *pkt = b.card.released[i];

		if (b.is_other[number_of(pkt)]) {
			b.other_pkts--;
		} else {
			completed += pkt->wire_bytes;
			b.outstanding_bytes -= pkt->wire_bytes;
			b.outstanding_pkts -= pkt->parts;
			if (b.rule == RULE_DEPTH)
				hg_depth_released(&b.depth, pkt->wire_bytes, pkt->parts,
						  b.handed_ns[number_of(pkt)], b.now_ns);
		}
		hg_card_put(&b.card, pkt);
	}
	b.card.n_released = 0;
	if (b.rule == RULE_DEPTH)
		hg_depth_settle(&b.depth, &sample, b.now_ns);
	else if (b.rule == RULE_DQL && completed > 0)
		hg_dql_completed(&b.dql, completed, b.now_ns);
	if (max_now() != was && b.n_points < MAX_POINTS)
		b.points[b.n_points++] = (struct point){b.now_ns, max_now()};
}

static uint64_t sent_bytes(void)
{
	struct hg_simnic_queue_sample ours;

	hg_simnic_sample_queue(b.card.dev, 0, &ours);
	/* With another user half of the line is ours. */
	return b.load.has_other ? 2 * ours.sent_bytes : ours.sent_bytes;
}

/* Returns the part of the line that was used. */
static double run(hg_ns for_ns)
{
	hg_ns until_ns = b.now_ns + for_ns;
	uint64_t sent = sent_bytes();

	while (b.now_ns < until_ns) {
		hg_ns next_ns, due_ns = HG_NEVER;

		settle();
		send_all();
		next_ns = hg_card_progress(&b.card, b.now_ns);
		if (b.card.n_released > 0)
			continue;
		if (b.rule == RULE_DEPTH)
			due_ns = hg_depth_next_at(&b.depth);
		if (lead_open_ns() > b.now_ns && lead_open_ns() < due_ns)
			due_ns = lead_open_ns();
		next_ns = next_ns < due_ns ? next_ns : due_ns;
		next_ns = next_ns < until_ns ? next_ns : until_ns;
		b.now_ns = next_ns > b.now_ns ? next_ns : b.now_ns + 1;
		hg_card_progress(&b.card, b.now_ns);
	}
	return (double)(sent_bytes() - sent) * 1e9 / ((double)b.card.bytes_per_s * (double)for_ns);
}

static void set_load(const struct load *load)
{
	struct hg_simnic_fault fault = {.kind = HG_SIMNIC_COMPLETE, .for_ns = load->complete_ns};

	if (hg_simnic_fault(b.card.dev, &fault, b.now_ns) < 0)
		give_up("the card does not take its completion delay");
	b.load = *load;
}

static void begin(const struct row *row, uint64_t bytes_per_s, enum rule rule,
		  uint64_t pinned_bytes)
{
	const struct hg_card_cfg cfg = {.bytes_per_s = bytes_per_s,
					.ring_pkts = 4096,
					.params = row->params,
					.n_pkts = N_PKTS};
	const struct hg_depth_cfg depth_cfg = {
		.bytes_per_s = bytes_per_s, .largest_bytes = LARGEST_BYTES, .ring_pkts = 4096};
	struct hg_error err = {0};

	memset(&b, 0, sizeof(b));
	b.rule = rule;
	b.pinned_bytes = pinned_bytes;
	b.now_ns = HG_NS_PER_S;
	if (hg_card_open(&b.card, &cfg, &err) < 0)
		give_up(err.text);
	hg_depth_init(&b.depth, &depth_cfg, b.now_ns);
	hg_dql_init(&b.dql, 0, 1879048192, HG_DQL_HOLD_NS, b.now_ns);
}

static void end(void)
{
	hg_card_stop(&b.card);
	hg_card_close(&b.card);
}

static uint64_t least_pinned(const struct row *row, const struct load *load, uint64_t bytes_per_s)
{
	uint64_t low = 1, high = UINT64_C(4) << 20;

	while (high - low > 16 + low / 100) {
		uint64_t middle = high > 4 * low ? (uint64_t)sqrt((double)low * (double)high)
						 : (low + high) / 2;
		double use;

		begin(row, bytes_per_s, RULE_PINNED, middle);
		set_load(load);
		run(HG_NS_PER_MS);
		use = run(10 * HG_NS_PER_MS) +
		      load->wire_bytes * 1e9 / ((double)bytes_per_s * 10 * HG_NS_PER_MS);
		end();
		if (use >= USE_LEAST)
			high = middle;
		else
			low = middle;
	}
	return high;
}

/* ---- settling ----------------------------------------------------------------------------------- */

static uint64_t max_at(hg_ns at_ns, uint64_t before)
{
	for (unsigned i = 0; i < b.n_points && b.points[i].at_ns <= at_ns; i++)
		before = b.points[i].max_bytes;
	return before;
}

static int compare(const void *a, const void *c)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)c;

	return x < y ? -1 : x > y;
}

/* MAX that it comes to: its median over the last third. */
static uint64_t final_max(hg_ns from_ns, uint64_t before)
{
	uint64_t seen[101];

	for (int i = 0; i <= 100; i++)
		seen[i] = max_at(from_ns + PHASE_NS * 2 / 3 + PHASE_NS / 3 * i / 100, before);
	qsort(seen, 101, sizeof(seen[0]), compare);
	return seen[50];
}

static double settle_ms(hg_ns from_ns, uint64_t before, uint64_t final, uint64_t room)
{
	hg_ns last_ns = from_ns, value_from_ns = from_ns, out_from_ns = HG_NEVER;
	uint64_t value = before;

	for (unsigned i = 0; i <= b.n_points; i++) {
		hg_ns until_ns = i < b.n_points ? b.points[i].at_ns : from_ns + PHASE_NS;
		bool is_out = value + room < final || value > final + room;

		if (is_out && out_from_ns == HG_NEVER)
			out_from_ns = value_from_ns;
		/* What began with the step is no trial. */
		if (is_out && (until_ns - out_from_ns > TRIAL_NS || out_from_ns == from_ns))
			last_ns = until_ns;
		if (!is_out)
			out_from_ns = HG_NEVER;
		value_from_ns = until_ns;
		if (i < b.n_points)
			value = b.points[i].max_bytes;
	}
	return (double)(last_ns - from_ns) / 1e6;
}

struct result {
	double ms, use, use_after; /* of the whole phase, and of its second half */
	uint64_t before, after;
};

static struct result measure(const struct row *row, uint64_t bytes_per_s, enum rule rule)
{
	const struct load *large =
		row->before.wire_bytes > row->after.wire_bytes ? &row->before : &row->after;
	struct result r;
	uint64_t room;
	hg_ns from_ns;

	begin(row, bytes_per_s, rule, 0);
	set_load(&row->before);
	run(PHASE_NS);
	r.before = max_now();
	set_load(&row->after);
	b.n_points = 0;
	from_ns = b.now_ns;
	r.use = run(PHASE_NS / 2);
	r.use_after = run(PHASE_NS / 2);
	r.use = (r.use + r.use_after) / 2;
	r.after = final_max(from_ns, r.before);
	/* While R is below what the operator says, a quarter more is tried now and then. */
	room = row->is_bound ? r.after / 10 : r.after / 3;
	r.ms = settle_ms(from_ns, r.before, r.after,
			 room > large->wire_bytes ? room : large->wire_bytes);
	end();
	return r;
}

static void print(const struct row *row, unsigned gbit, double *worst_bound, double *worst_share,
		  double *least_use, double *worst_excess)
{
	uint64_t bytes_per_s = gbit * UINT64_C(125000000);
	struct result ours = measure(row, bytes_per_s, RULE_DEPTH);
	struct result dql = measure(row, bytes_per_s, RULE_DQL);
	uint64_t least = least_pinned(row, &row->after, bytes_per_s);
	/* MAX is never below one largest packet. */
	double need = least > LARGEST_BYTES ? (double)least : LARGEST_BYTES;
	double excess = (double)ours.after / need;
	char name[64];

	fprintf(stderr,
		"%-17s %4u | %7.2f %8" PRIu64 " %8" PRIu64 " %7.3f %7.3f | %8" PRIu64
		" | %7.2f %8" PRIu64 " %8" PRIu64 " %7.3f\n",
		row->name, gbit, ours.ms, ours.before, ours.after, 100 * ours.use,
		100 * ours.use_after, least, dql.ms, dql.before, dql.after, 100 * dql.use_after);
	snprintf(name, sizeof(name), "%s_%ug_settle_ms", row->name, gbit);
	hg_figure(name, ours.ms);
	*(row->is_bound ? worst_bound : worst_share) =
		fmax(*(row->is_bound ? worst_bound : worst_share), ours.ms);
	*least_use = fmin(*least_use, 100 * ours.use_after);
	*worst_excess = fmax(*worst_excess, excess);
}

int main(void)
{
	static const unsigned gbits[] = {1, 10, 25};
	double bound = 0.0, share = 0.0, use = 100.0, excess = 0.0;

	fprintf(stderr, "%-17s %4s | %7s %8s %8s %7s %7s | %8s | %7s %8s %8s %7s\n", "step", "Gbit",
		"ms", "before", "after", "use%", "later%", "least", "DQL ms", "before", "after",
		"later%");
	for (unsigned g = 0; g < sizeof(gbits) / sizeof(gbits[0]); g++)
		for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			print(&rows[i], gbits[g], &bound, &share, &use, &excess);
	hg_figure("share_settle_ms", share);
	hg_figure("link_use_percent", use);
	hg_figure("excess_ratio", excess);
	hg_figure("settle_ms", bound);
	return 0;
}
