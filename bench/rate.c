/* rate: how exactly a rate is kept on the virtual clock. Usage: bench_rate SECONDS
 *
 * Model      A sender with a packet always ready, which sends as early as next_at lets it. Windows
 *            of 100 ms: |sent - rate * 100 ms| in largest packets. Long run: what was sent between the
 *            first packet and the last, against the time between them, so that no packet cut off by
 *            the end of the run counts as an error of the rate.
 * Paths      Each way that a rate can take is a row of `paths`.
 */
#include "bench/figures.h"
#include "core/bucket.h"
#include "core/sched.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define START_NS (1000 * HG_NS_PER_S)
#define WINDOW_NS (100 * HG_NS_PER_MS)
#define BURST_BYTES (128u * 1024u)
/* A full frame with two tags on the wire, and what a segment of 64 KiB in 1,448-byte parts weighs. */
#define FRAME_WIRE_BYTES 1546u
#define SEGMENT_WIRE_BYTES 69560u
/* Above this an hour of single frames takes minutes of real time; the long run is then done in
 * segments, and frames get a run of FRAMES_MAX. */
#define FRAMES_MAX 20000000u

/* ---- paths -------------------------------------------------------------------------------------- */

struct path {
	const char *name;
	/* A sender that has `first_bytes` ready to send, from START_NS on. */
	void (*begin)(uint64_t bytes_per_s, uint32_t first_bytes);
	/* Sends what is ready as soon as it may, with next_bytes ready behind it. Returns when that was, not
	 * before now_ns. */
	hg_ns (*send)(uint32_t next_bytes, hg_ns now_ns);
	void (*end)(void);
};

static void give_up(const char *why)
{
	fprintf(stderr, "rate: %s\n", why);
	exit(1);
}

static struct hg_bucket bucket;
static uint32_t bucket_ready_bytes;

static void bucket_begin(uint64_t bytes_per_s, uint32_t first_bytes)
{
	hg_bucket_init(&bucket, bytes_per_s, BURST_BYTES, 0, HG_NEVER, START_NS);
	bucket_ready_bytes = first_bytes;
}

static hg_ns bucket_send(uint32_t next_bytes, hg_ns now_ns)
{
	hg_ns at_ns = hg_bucket_next_at(&bucket, bucket_ready_bytes, now_ns);

	if (at_ns < now_ns)
		at_ns = now_ns;
	if (!hg_bucket_take(&bucket, bucket_ready_bytes, at_ns))
		give_up("the bucket did not pass a packet at next_at");
	bucket_ready_bytes = next_bytes;
	return at_ns;
}

static void bucket_end(void)
{
}

/* One instance with a maximum, alone on a link without a pace of its own. Packets are never looked into, so
 * places in `packets` stand for them. */
static struct hg_sched *sched;
static void *sched_memory, *caps_memory;
static _Alignas(64) unsigned char packets[2][64];
static unsigned next_packet;

static void *zeroed(size_t size)
{
	size_t whole = (size + 63u) & ~(size_t)63u;
	void *memory = aligned_alloc(64, whole);

	if (memory == NULL)
		give_up("no memory");
	return memset(memory, 0, whole);
}

static void sched_push(uint32_t n)
{
	const struct hg_sched_item item = {
		.pkt = packets[next_packet++ % 2u],
		.wire_bytes = n & HG_WIRE_MAX_BYTES,
		.parts = (n / FRAME_WIRE_BYTES + 1u) & 0xfffu,
	};

	if (hg_sched_push(sched, &item, 1, START_NS) != 1)
		give_up("the scheduler did not take a packet");
}

static void sched_begin(uint64_t bytes_per_s, uint32_t first_bytes)
{
	struct hg_sched_cfg cfg = {
		.max_tenants = 1, .max_instances = 1, .max_queued_pkts = 64, .pkt_base = packets};
	struct hg_contract contract;
	struct hg_policy *policy = &contract.dir[HG_OUT];
	struct hg_error err = {0};

	hg_contract_init(&contract);
	caps_memory = zeroed(hg_caps_size(1, 1));
	cfg.caps = hg_caps_init(caps_memory, 1, 1);
	hg_caps_set_tenant(cfg.caps, 0, policy, START_NS);
	policy->max_bytes_per_s = bytes_per_s;
	policy->burst_bytes = BURST_BYTES;
	policy->reserve_bytes = 0;
	hg_caps_set_instance(cfg.caps, 0, policy, START_NS);
	sched_memory = zeroed(hg_sched_size(&cfg));
	if (hg_sched_init(sched_memory, &cfg, START_NS, &sched, &err) < 0 ||
	    hg_sched_set_tenant(sched, 0, policy, START_NS, &err) < 0 ||
	    hg_sched_set_instance(sched, 0, 0, policy, START_NS, &err) < 0)
		give_up(err.text);
	sched_push(first_bytes);
}

static hg_ns sched_send(uint32_t next_bytes, hg_ns now_ns)
{
	struct hg_sched_item item;

	sched_push(next_bytes);
	for (;;) {
		hg_ns at_ns = hg_sched_next_at(sched, now_ns);

		if (at_ns > now_ns)
			now_ns = at_ns;
		if (at_ns == HG_NEVER)
			give_up("the scheduler knows of no time for what it holds");
		if (hg_sched_pop(sched, &item, 1, UINT32_MAX, now_ns) == 1)
			return now_ns;
	}
}

static void sched_end(void)
{
	free(sched_memory);
	free(caps_memory);
}

static const struct path paths[] = {
	{"bucket", bucket_begin, bucket_send, bucket_end},
	{"sched", sched_begin, sched_send, sched_end},
};

/* ---- measuring ---------------------------------------------------------------------------------- */

struct result {
	double worst_window_packets;
	double long_run_ppm;
};

struct span {
	uint64_t bytes_per_s;
	hg_ns from_ns, window_from_ns; /* 0: not begun */
	uint64_t window_bytes;
	double total_bytes; /* exact up to 2^53 */
	double worst_bytes;
};

static void close_windows(struct span *span, hg_ns now_ns)
{
	double due = (double)span->bytes_per_s * (double)WINDOW_NS / 1e9;

	while (now_ns >= span->window_from_ns + WINDOW_NS) {
		double error = fabs((double)span->window_bytes - due);

		if (error > span->worst_bytes)
			span->worst_bytes = error;
		span->window_bytes = 0;
		span->window_from_ns += WINDOW_NS;
	}
}

/* Sends packets in [least, largest] for that long, and says what became of the rate. */
static struct result run(const struct path *path, uint64_t bytes_per_s, uint32_t least_bytes,
			 uint32_t largest_bytes, hg_ns for_ns)
{
	struct span span = {.bytes_per_s = bytes_per_s};
	uint32_t random = 1, ready_bytes = largest_bytes, sent_bytes;
	struct result result;
	hg_ns now_ns = START_NS;
	double due;

	path->begin(bytes_per_s, ready_bytes);
	for (;;) {
		sent_bytes = ready_bytes;
		random = random * 1664525u + 1013904223u;
		ready_bytes = least_bytes + (random >> 8) % (largest_bytes - least_bytes + 1u);
		now_ns = path->send(ready_bytes, now_ns);
		if (span.from_ns == 0) {
			/* Whatever stood in the bucket at the start is gone after a window. */
			if (now_ns > START_NS + WINDOW_NS)
				span.from_ns = span.window_from_ns = now_ns;
			continue;
		}
		close_windows(&span, now_ns);
		span.window_bytes += sent_bytes;
		span.total_bytes += sent_bytes;
		if (now_ns >= span.from_ns + for_ns)
			break;
	}
	path->end();
	due = (double)bytes_per_s * (double)(now_ns - span.from_ns) / 1e9;
	result.worst_window_packets = span.worst_bytes / largest_bytes;
	result.long_run_ppm = fabs(span.total_bytes - due) / due * 1e6;
	return result;
}

static void report(const struct path *path, const char *rate, const char *what, double value)
{
	char name[96];

	snprintf(name, sizeof(name), "%s_%s_%s", path->name, rate, what);
	hg_figure(name, value);
}

static void measure(const struct path *path, uint64_t bytes_per_s, hg_ns for_ns)
{
	hg_ns frames_ns =
		(hg_ns)((double)FRAMES_MAX * FRAME_WIRE_BYTES / 2 / (double)bytes_per_s * 1e9);
	bool is_short = frames_ns < for_ns;
	struct result frames, segments;
	char rate[32];

	hg_rate_format(rate, sizeof(rate), bytes_per_s);
	frames = run(path, bytes_per_s, 84, FRAME_WIRE_BYTES, is_short ? frames_ns : for_ns);
	report(path, rate, "frames_worst_window_error_packets", frames.worst_window_packets);
	segments = frames;
	if (is_short) {
		segments =
			run(path, bytes_per_s, SEGMENT_WIRE_BYTES / 2, SEGMENT_WIRE_BYTES, for_ns);
		report(path, rate, "segments_worst_window_error_packets",
		       segments.worst_window_packets);
	}
	report(path, rate, "long_run_error_ppm", segments.long_run_ppm);
	fprintf(stderr,
		"rate: %s %10s: worst window %.3f of one largest packet, long run %.6f ppm\n",
		path->name, rate,
		frames.worst_window_packets > segments.worst_window_packets
			? frames.worst_window_packets
			: segments.worst_window_packets,
		segments.long_run_ppm);
}

int main(int argc, char **argv)
{
	static const uint64_t kbit_per_s[] = {
		1000,   2000,   5000,    10000,   20000,   50000,    100000,   200000,
		333333, 500000, 1000000, 2500000, 5000000, 10000000, 25000000, 40000000};
	long seconds = argc == 2 ? strtol(argv[1], NULL, 10) : 0;

	if (seconds < 1 || seconds > 86400) {
		fprintf(stderr, "usage: bench_rate SECONDS, in [1, 86400]\n");
		return 2;
	}
	for (size_t p = 0; p < sizeof(paths) / sizeof(paths[0]); p++) {
		for (size_t i = 0; i < sizeof(kbit_per_s) / sizeof(kbit_per_s[0]); i++)
			measure(&paths[p], kbit_per_s[i] * 125, seconds * HG_NS_PER_S);
	}
	return 0;
}
