/* inflight: what in-flight control costs a packet, part by part. Usage: bench_inflight
 *
 * Model      Bursts of 32 packets of 100 wire bytes, in runs of some of one instance, over some instances
 *            in an order by chance; released in bursts as well, DELAY bursts later, on a virtual clock
 *            that moves as a link of 10 Gbit/s does. MAX is pinned so that all is asked and nobody is held. Rows:
 *              hook      a tag put on, moved to where the card has it, found and cleared on release
 *              window    asked, taken, given back
 *              depth     handed over, released, settled
 *              inflight  taken, tagged, handed over, settled: window and depth among it, without a scheduler
 *              plain     a scheduler alone
 *              full      a scheduler in front of it and the hook behind
 *            A request (bench/told.h) "ROW INSTANCES RUN" times one row once. Processor time of the thread.
 */
#include "bench/clock.h"
#include "bench/figures.h"
#include "bench/told.h"
#include "core/inflight.h"
#include "core/sched.h"
#include "dataplane/hook.h"

#include <stdlib.h>
#include <string.h>

enum { BURST = 32, DELAY = 4, BACKLOG = 16, MOST_INSTANCES = 256, PER_TENANT = 16 };
enum { WIRE_BYTES = 100, BURSTS = 16000, WARM_UP = 500, ORDER = 8192 };

#define LINK_BYTES_PER_S UINT64_C(1250000000)
#define BURST_NS ((hg_ns)(BURST * WIRE_BYTES) * HG_NS_PER_S / (hg_ns)LINK_BYTES_PER_S)
#define MAX_BYTES (UINT64_C(16) << 20)
#define VIEW_OFFSET 128u

enum { ROW_HOOK, ROW_WINDOW, ROW_DEPTH, ROW_INFLIGHT, ROW_PLAIN, ROW_FULL, N_ROWS };

struct object { /* as a pool has them: what is in front of the packet view, and the view */
	_Alignas(HG_CACHE_LINE_BYTES) char head[VIEW_OFFSET];
	struct hg_pkt pkt;
};

struct bench {
	uint32_t n_instances, run;
	uint32_t order[ORDER]; /* instance of each packet, over and over */
	uint32_t at; /* in order */
	hg_ns now_ns;
	struct object *objects;
	struct hg_hook hook;
	struct hg_inflight *inflight;
	struct hg_sched *sched;
	void *inflight_memory, *sched_memory;
	struct hg_tag tags[DELAY][BURST]; /* in the card */
	struct hg_sched_item items[DELAY][BURST];
	unsigned n[DELAY];
	unsigned slot;
};

_Noreturn static void die(const char *why)
{
	fprintf(stderr, "inflight: %s\n", why);
	exit(1);
}

static void *zeroed(size_t n_bytes)
{
	size_t n = (n_bytes + HG_CACHE_LINE_BYTES - 1u) & ~(size_t)(HG_CACHE_LINE_BYTES - 1u);
	void *memory = aligned_alloc(HG_CACHE_LINE_BYTES, n);

	if (memory == NULL)
		die("out of memory");
	return memset(memory, 0, n);
}

/* ---- what is measured --------------------------------------------------------------------------- */

static void make_order(struct bench *b)
{
	uint64_t random = 88172645463325252u;
	uint32_t idx = 0;

	for (uint32_t i = 0; i < ORDER; i++) {
		if (i % b->run == 0) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			idx = (uint32_t)(random % b->n_instances);
		}
		b->order[i] = idx;
	}
}

static const uint32_t *next_burst(struct bench *b)
{
	const uint32_t *order = &b->order[b->at];

	b->at = (b->at + BURST) % ORDER;
	return order;
}

static struct hg_inflight_cfg inflight_cfg(void)
{
	return (struct hg_inflight_cfg){
		.depth = {.bytes_per_s = LINK_BYTES_PER_S,
			  .pin_bytes = MAX_BYTES,
			  .largest_bytes = HG_BURST_MIN_BYTES},
		.max_tenants = MOST_INSTANCES / PER_TENANT,
		.max_instances = MOST_INSTANCES,
		.is_on = true,
	};
}

static void create_inflight(struct bench *b)
{
	struct hg_inflight_cfg cfg = inflight_cfg();
	struct hg_window *w;

	b->inflight_memory = zeroed(hg_inflight_size(&cfg));
	b->inflight = hg_inflight_init(b->inflight_memory, &cfg, b->now_ns);
	w = hg_inflight_window(b->inflight);
	for (uint32_t t = 0; t < cfg.max_tenants; t++)
		hg_window_set_tenant(w, t, HG_WEIGHT_DEFAULT);
	for (uint32_t i = 0; i < b->n_instances; i++)
		hg_window_set_instance(w, i, i / PER_TENANT, HG_WEIGHT_DEFAULT, 0);
	/* Backlogged: nobody comes and goes. */
	for (uint32_t i = 0; i < b->n_instances; i++)
		hg_window_wants(w, i, true);
}

/* With a standing backlog; a decision takes a run. */
static void create_sched(struct bench *b, bool has_window)
{
	struct hg_sched_cfg cfg = {.max_tenants = MOST_INSTANCES / PER_TENANT,
				   .max_instances = MOST_INSTANCES,
				   .max_queued_pkts = MOST_INSTANCES * BACKLOG + BURST,
				   .quantum_bytes = b->run * WIRE_BYTES,
				   .pkt_base = b->objects};
	struct hg_policy policy = {.burst_bytes = HG_BURST_DEFAULT_BYTES,
				   .idle_after_ns = HG_IDLE_AFTER_DEFAULT_NS,
				   .weight = HG_WEIGHT_DEFAULT};
	struct object *object = b->objects;

	if (has_window)
		cfg.window = hg_inflight_window(b->inflight);
	b->sched_memory = zeroed(hg_sched_size(&cfg));
	if (hg_sched_init(b->sched_memory, &cfg, b->now_ns, &b->sched, NULL) != 0)
		die("no scheduler");
	for (uint32_t t = 0; t < cfg.max_tenants; t++)
		if (hg_sched_set_tenant(b->sched, t, &policy, b->now_ns, NULL) != 0)
			die("no tenant");
	for (uint32_t i = 0; i < b->n_instances; i++)
		if (hg_sched_set_instance(b->sched, i, i / PER_TENANT, &policy, b->now_ns, NULL) !=
		    0)
			die("no instance");
	for (uint32_t i = 0; i < b->n_instances * BACKLOG || i < 8 * BURST; i++) {
		struct hg_sched_item item = {.pkt = &object++->pkt,
					     .instance_idx = i % b->n_instances,
					     .wire_bytes = WIRE_BYTES,
					     .parts = 1};

		if (hg_sched_push(b->sched, &item, 1, b->now_ns) != 1)
			die("no room");
	}
}

static struct hg_sched_item item_of(uint32_t idx)
{
	return (struct hg_sched_item){.instance_idx = idx, .wire_bytes = WIRE_BYTES, .parts = 1};
}

static void hook_burst(struct bench *b)
{
	void *buffers[BURST];
	struct hg_tag tag = {.load = item_of(0).load, .queue = 1};
	const struct hg_tag *tags;
	struct object *objects = &b->objects[(size_t)b->slot * BURST];

	b->slot = (b->slot + 1u) % DELAY;
	for (unsigned i = 0; i < BURST; i++)
		objects[i].pkt.tag = tag;
	hg_hook_arm(&b->hook, BURST);
	for (unsigned i = 0; i < BURST; i++) {
		hg_hook_send_off(&objects[i].pkt)->handed_ns = b->now_ns;
		buffers[i] = &objects[i];
	}
	hg_hook_collect(&b->hook, buffers, BURST, VIEW_OFFSET);
	if (hg_hook_take(&b->hook, &tags) != BURST)
		die("a tag is missing");
}

static void window_burst(struct bench *b)
{
	struct hg_window *w = hg_inflight_window(b->inflight);
	const uint32_t *order = next_burst(b);

	for (unsigned i = 0; i < BURST; i++)
		if (hg_window_may(w, order[i]) == HG_WINDOW_OPEN)
			hg_window_take(w, order[i], WIRE_BYTES, 1);
	for (unsigned i = 0; i < BURST; i++)
		(void)hg_window_give(w, order[i], hg_window_generation(w, order[i]),
				     hg_window_epoch(w), WIRE_BYTES, 1);
}

static struct hg_depth depth;

static void depth_burst(struct bench *b)
{
	struct hg_depth_sample sample;
	hg_ns handed_ns = b->now_ns;

	for (unsigned i = 0; i < BURST; i++)
		hg_depth_handed(&depth, WIRE_BYTES, 1, i == 0, b->now_ns);
	b->now_ns += BURST_NS;
	hg_depth_released(&depth, BURST * WIRE_BYTES, BURST, handed_ns, b->now_ns);
	(void)hg_depth_settle(&depth, &sample, b->now_ns);
}

static void inflight_burst(struct bench *b)
{
	struct hg_tag *tags = b->tags[b->slot];
	struct hg_inflight_sum sum = {0};
	const uint32_t *order = next_burst(b);

	if (b->n[b->slot] > 0)
		hg_inflight_settle(b->inflight, tags, BURST, b->now_ns);
	(void)hg_inflight_follow(b->inflight, b->now_ns);
	for (unsigned i = 0; i < BURST; i++) {
		tags[i] = hg_inflight_take(b->inflight, order[i], item_of(order[i]).load);
		hg_inflight_add(&sum, &tags[i], b->now_ns);
	}
	(void)hg_inflight_handed(b->inflight, sum, HG_HELD_NOT, b->now_ns);
	b->n[b->slot] = BURST;
	b->slot = (b->slot + 1u) % DELAY;
	b->now_ns += BURST_NS;
}

/* What a packet lane does to each packet in any case, so that its lines are there. */
static void touch(const struct bench *b, const struct hg_sched_item *items, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *pkt = items[i].pkt;

		if (pkt->next != NULL)
			die("a chain");
		pkt->queued_at_ns = b->now_ns;
	}
}

/* What the card had goes back into the queues it came from. */
static void push_again(struct bench *b)
{
	touch(b, b->items[b->slot], b->n[b->slot]);
	if (hg_sched_push(b->sched, b->items[b->slot], b->n[b->slot], b->now_ns) != b->n[b->slot])
		die("no room");
}

static void plain_burst(struct bench *b)
{
	push_again(b);
	b->n[b->slot] =
		hg_sched_pop(b->sched, b->items[b->slot], BURST, BURST * WIRE_BYTES, b->now_ns);
	touch(b, b->items[b->slot], b->n[b->slot]);
	b->slot = (b->slot + 1u) % DELAY;
	b->now_ns += BURST_NS;
}

static void release(struct bench *b)
{
	const struct hg_sched_item *items = b->items[b->slot];
	void *buffers[BURST];
	const struct hg_tag *tags;
	unsigned n = b->n[b->slot];

	for (unsigned i = 0; i < n; i++)
		buffers[i] = (char *)items[i].pkt - VIEW_OFFSET;
	hg_hook_collect(&b->hook, buffers, n, VIEW_OFFSET);
	n = hg_hook_take(&b->hook, &tags);
	hg_inflight_settle(b->inflight, tags, n, b->now_ns);
	if (n > 0)
		hg_sched_window_settled(b->sched, tags, n, b->now_ns);
	if (hg_inflight_follow(b->inflight, b->now_ns))
		hg_sched_window_changed(b->sched, b->now_ns);
}

static void full_burst(struct bench *b)
{
	struct hg_sched_item *items = b->items[b->slot];
	struct hg_sched_run list[BURST];
	struct hg_sched_runs runs = {.list = list, .most_bytes = 1}; /* a tag for each packet */
	struct hg_inflight_sum sum = {0};
	unsigned n;

	push_again(b);
	release(b);
	n = hg_sched_pop_runs(b->sched, items, BURST, BURST * WIRE_BYTES, &runs, b->now_ns);
	touch(b, items, n);
	hg_hook_arm(&b->hook,
		    hg_inflight_tag_runs(b->inflight, items, &runs, offsetof(struct hg_pkt, tag)));
	for (unsigned i = 0; i < n; i++)
		hg_inflight_add(&sum, hg_hook_send_off(items[i].pkt), b->now_ns);
	(void)hg_inflight_handed(b->inflight, sum, HG_HELD_NOT, b->now_ns);
	b->n[b->slot] = n;
	b->slot = (b->slot + 1u) % DELAY;
	b->now_ns += BURST_NS;
}

/* ---- rows --------------------------------------------------------------------------------------- */

static const struct row {
	const char *name;
	void (*burst)(struct bench *b);
	bool has_sched, has_window;
} rows[N_ROWS] = {
	[ROW_HOOK] = {"hook", hook_burst, false, false},
	[ROW_WINDOW] = {"window", window_burst, false, false},
	[ROW_DEPTH] = {"depth", depth_burst, false, false},
	[ROW_INFLIGHT] = {"inflight", inflight_burst, false, false},
	[ROW_PLAIN] = {"plain", plain_burst, true, false},
	[ROW_FULL] = {"full", full_burst, true, true},
};

/* ns a packet. The first bursts bring caches and the hook's state to where they stay. */
static double measure_row(struct bench *b, const struct row *row)
{
	hg_ns took_ns;

	b->slot = 0;
	memset(b->n, 0, sizeof(b->n));
	create_inflight(b);
	if (row->has_sched)
		create_sched(b, row->has_window);
	/* So that the hook is believed and MAX in force. */
	for (unsigned i = 0; i < WARM_UP; i++)
		(row->has_sched ? row->burst : inflight_burst)(b);
	for (unsigned i = 0; i < WARM_UP; i++)
		row->burst(b);
	if ((!row->has_sched || row->has_window) && hg_inflight_is_paced(b->inflight))
		die("the releases are not believed");
	took_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned i = 0; i < BURSTS; i++)
		row->burst(b);
	took_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID) - took_ns;
	b->hook.n_out = 0;
	free(b->inflight_memory);
	if (row->has_sched)
		free(b->sched_memory);
	return (double)took_ns / (BURSTS * BURST);
}

static const struct row *row_of(const char *name)
{
	for (unsigned row = 0; row < N_ROWS; row++)
		if (strcmp(name, rows[row].name) == 0)
			return &rows[row];
	die("ROW is none of hook, window, depth, inflight, plain, full");
}

static double answer(struct bench *b, const struct hg_told *told)
{
	const struct row *row = row_of(told->words[0]);

	b->n_instances = hg_told_number(told, 1);
	b->run = hg_told_number(told, 2);
	if (b->n_instances < 1 || b->n_instances > MOST_INSTANCES || b->run < 1 || b->run > BURST)
		die("not understood: ROW INSTANCES RUN, INSTANCES in [1, 256], RUN in [1, 32]");
	make_order(b);
	return measure_row(b, row);
}

int main(void)
{
	static struct bench b;
	const struct hg_depth_cfg depth_cfg = {.bytes_per_s = LINK_BYTES_PER_S,
					       .largest_bytes = HG_BURST_MIN_BYTES};
	struct hg_told told;

	b.now_ns = HG_NS_PER_S;
	b.objects = zeroed((MOST_INSTANCES * BACKLOG + 8 * BURST) * sizeof(struct object));
	b.hook.half = 8 * BURST;
	b.hook.list = zeroed(2 * (size_t)b.hook.half * sizeof(struct hg_tag));
	hg_depth_init(&depth, &depth_cfg, b.now_ns);
	while (hg_told(&told))
		hg_figure("ns", answer(&b, &told));
	free(b.hook.list);
	free(b.objects);
	return 0;
}
