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
	/* A sender with nothing left of its burst at START_NS. */
	void (*begin)(uint64_t bytes_per_s);
	/* Sends a packet of n bytes as soon as it may, and returns when that was. */
	hg_ns (*send)(uint32_t n, hg_ns now_ns);
	void (*end)(void);
};

static struct hg_bucket bucket;

static void bucket_begin(uint64_t bytes_per_s)
{
	hg_bucket_init(&bucket, bytes_per_s, BURST_BYTES, 0, HG_NEVER, START_NS);
}

static hg_ns bucket_send(uint32_t n, hg_ns now_ns)
{
	hg_ns at_ns = hg_bucket_next_at(&bucket, n, now_ns);

	if (at_ns < now_ns)
		at_ns = now_ns;
	if (!hg_bucket_take(&bucket, n, at_ns)) {
		fprintf(stderr, "rate: the bucket did not pass a packet at next_at\n");
		exit(1);
	}
	return at_ns;
}

static void bucket_end(void)
{
}

static const struct path paths[] = {
	{"bucket", bucket_begin, bucket_send, bucket_end},
};

/* ---- measuring ---------------------------------------------------------------------------------- */

struct result {
	double worst_window_packets;
	double long_run_ppm;
};

struct span {
	uint64_t bytes_per_s;
	uint32_t largest_bytes;
	hg_ns from_ns, window_from_ns, last_ns;
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
	struct span span = {.bytes_per_s = bytes_per_s, .largest_bytes = largest_bytes};
	uint32_t random = 1;
	struct result result;
	hg_ns now_ns;
	double due;

	path->begin(bytes_per_s);
	/* Whatever stood in the bucket at the start is gone after this. */
	for (now_ns = START_NS; now_ns <= START_NS + WINDOW_NS;)
		now_ns = path->send(largest_bytes, now_ns);
	span.from_ns = span.window_from_ns = span.last_ns = now_ns;
	while (now_ns < span.from_ns + for_ns) {
		uint32_t n;

		random = random * 1664525u + 1013904223u;
		n = least_bytes + (random >> 8) % (largest_bytes - least_bytes + 1u);
		now_ns = path->send(n, now_ns);
		close_windows(&span, now_ns);
		span.window_bytes += n;
		span.total_bytes += n;
		span.last_ns = now_ns;
	}
	path->end();
	due = (double)bytes_per_s * (double)(span.last_ns - span.from_ns) / 1e9;
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
