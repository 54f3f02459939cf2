#include "drivers/simnic_text.h"

#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING_DEFAULT 1024u
#define RING_MAX 65536u
#define BATCH_MAX 4096u
/* What Linux drivers set as the interval of transmit interrupts when nobody asks for less. */
#define COALESCE_DEFAULT_NS (50 * HG_NS_PER_US)
/* Packets at most: 4 million entries of 64 bytes are 256 MiB, which a test machine still has. */
#define PKTS_MAX (1u << 22)
/* What an inner device may keep before it gives it back: the ring of a dummy, the frames of an AF_XDP
 * socket. */
#define INNER_PKTS 4096u
/* The smallest packet: a frame of 60 bytes and its overhead. */
#define WIRE_MIN_BYTES (60u + HG_WIRE_OVERHEAD_BYTES)
/* Longer than any line of a trace that means something. */
#define LINE_BYTES 128

static int parse_rate(const struct hg_dev_text *text, uint64_t *ret_bytes_per_s,
		      struct hg_error *reterr)
{
	const char *rate = hg_dev_text_param(text, "rate");
	int r;

	if (rate == NULL)
		return hg_error_set(reterr, -HG_EINVAL,
				    "simnic needs the rate of its line, as in "
				    "simnic(rate=1Gbit)+tap:out0",
				    NULL);
	r = hg_rate_parse(rate, ret_bytes_per_s, reterr);
	if (r < 0)
		return r;
	if (*ret_bytes_per_s < HG_RATE_MIN_BYTES_PER_S ||
	    *ret_bytes_per_s > HG_RATE_MAX_BYTES_PER_S)
		return hg_error_set(reterr, -HG_EINVAL, "the rate of simnic, ", rate,
				    ", is not in 8Kbit to 1Tbit", NULL);
	return 0;
}

/* A time in [lo_ns, 1 s]; without the key *ret_ns keeps what it has. */
static int parse_time(const struct hg_dev_text *text, const char *key, hg_ns lo_ns, hg_ns *ret_ns,
		      struct hg_error *reterr)
{
	const char *value = hg_dev_text_param(text, key);
	hg_ns time_ns;
	int r;

	if (value == NULL)
		return 0;
	r = hg_time_parse(value, &time_ns, reterr);
	if (r < 0)
		return r;
	if (time_ns < lo_ns || time_ns > HG_NS_PER_S)
		return hg_error_set(reterr, -HG_EINVAL, "the ", key, " of simnic, ", value,
				    ", is not in ", lo_ns > 0 ? "1ns" : "0ns", " to 1s", NULL);
	*ret_ns = time_ns;
	return 0;
}

/* That the one means nothing without the other, or beside it. */
static int refuse_pair(const char *sentence, struct hg_error *reterr)
{
	return hg_error_set(reterr, -HG_EINVAL, sentence, NULL);
}

static int parse_stall(const struct hg_dev_text *text, struct hg_simnic_text *simnic,
		       struct hg_error *reterr)
{
	int r = parse_time(text, "stall", 1, &simnic->stall_ns, reterr);

	if (r == 0)
		r = parse_time(text, "every", 1, &simnic->every_ns, reterr);
	if (r < 0)
		return r;
	if ((simnic->stall_ns > 0) != (simnic->every_ns > 0))
		return refuse_pair("simnic takes stall=TIME and every=TIME together or not at all",
				   reterr);
	if (simnic->every_ns > 0 && simnic->stall_ns >= simnic->every_ns)
		return refuse_pair("the stall of simnic is not shorter than its every: the line "
				   "would stand for ever",
				   reterr);
	return 0;
}

static bool has_any(const struct hg_dev_text *text, const char *const *keys)
{
	for (; *keys != NULL; keys++)
		if (hg_dev_text_param(text, *keys) != NULL)
			return true;
	return false;
}

static int parse_complete(const struct hg_dev_text *text, struct hg_simnic_model *model,
			  struct hg_error *reterr)
{
	const char *complete = hg_dev_text_param(text, "complete");

	if (complete != NULL && strcmp(complete, "never") == 0) {
		model->is_never = true;
		return 0;
	}
	if (complete != NULL && (complete[0] < '0' || complete[0] > '9'))
		return hg_error_set(reterr, -HG_EINVAL, "the complete of simnic, ", complete,
				    ", is neither a time in 0ns to 1s nor never", NULL);
	return parse_time(text, "complete", 0, &model->complete_ns, reterr);
}

static int parse_model(const struct hg_dev_text *text, struct hg_simnic_text *simnic,
		       struct hg_error *reterr)
{
	static const char *const keys[] = {"complete", "batch", "coalesce", "jitter",
					   "trace",    "lose",  NULL};
	static const char *const beside_trace[] = {"complete", "jitter", NULL};
	struct hg_simnic_model *model = &simnic->model;
	uint64_t batch = 1, lose = 0;
	const char *trace = hg_dev_text_param(text, "trace");
	int r = parse_complete(text, model, reterr);

	if (r == 0)
		r = parse_time(text, "jitter", 0, &model->jitter_ns, reterr);
	if (r == 0)
		r = hg_dev_text_number(text, "batch", 1, BATCH_MAX, &batch, reterr);
	if (r == 0)
		r = hg_dev_text_number(text, "lose", 0, 1000000, &lose, reterr);
	if (r == 0)
		r = hg_dev_text_number(text, "seed", 0, UINT32_MAX, &model->seed, reterr);
	if (batch > 1)
		model->coalesce_ns = COALESCE_DEFAULT_NS;
	if (r == 0)
		r = parse_time(text, "coalesce", 0, &model->coalesce_ns, reterr);
	if (r < 0)
		return r;
	if (batch == 1 && hg_dev_text_param(text, "coalesce") != NULL)
		return refuse_pair("the coalesce of simnic does nothing without batch=2 or more",
				   reterr);
	if (trace != NULL && has_any(text, beside_trace))
		return refuse_pair("the trace of simnic says when what is sent is released: it "
				   "takes no complete and no jitter beside it",
				   reterr);
	if (trace != NULL)
		strcpy(simnic->trace, trace);
	model->batch_pkts = (uint32_t)batch;
	model->lose_ppm = (uint32_t)lose;
	model->is_there = has_any(text, keys);
	return 0;
}

static int parse_shape(const struct hg_dev_text *text, struct hg_simnic_text *simnic,
		       struct hg_error *reterr)
{
	static const char *const in[] = {"paced", "free", NULL};
	static const char *const full[] = {"drop", "wait", NULL};
	static const char *const arbitrate[] = {"rr", "strict", NULL};
	int r = hg_dev_text_number(text, "ring", 1, RING_MAX, &simnic->ring_size, reterr);

	if (r == 0)
		r = hg_dev_text_number(text, "queues", 1, HG_SIMNIC_QUEUES_MAX, &simnic->n_queues,
				       reterr);
	if (r == 0)
		r = hg_dev_text_choice(text, "arbitrate", arbitrate, &simnic->arbitrate, reterr);
	if (r == 0)
		r = hg_dev_text_choice(text, "in", in, &simnic->in, reterr);
	if (r == 0)
		r = hg_dev_text_choice(text, "full", full, &simnic->full, reterr);
	if (r == 0)
		r = parse_time(text, "delay", 0, &simnic->delay_ns, reterr);
	return r;
}

int hg_simnic_text_parse(const char *device, struct hg_simnic_text *ret_text,
			 struct hg_error *reterr)
{
	static const char *const keys[] = {"rate",  "ring",     "queues", "arbitrate", "delay",
					   "in",    "full",     "stall",  "every",     "complete",
					   "batch", "coalesce", "jitter", "trace",     "lose",
					   "seed",  NULL};
	struct hg_simnic_text simnic = {.ring_size = RING_DEFAULT, .n_queues = 1, .model.seed = 1};
	struct hg_dev_text text;
	uint32_t n_pkts;
	int r = hg_dev_text_parse(device, &text, reterr);

	if (r == 0)
		r = hg_dev_text_allow(&text, keys, reterr);
	if (r == 0)
		r = parse_shape(&text, &simnic, reterr);
	if (r == 0)
		r = parse_rate(&text, &simnic.bytes_per_s, reterr);
	if (r == 0)
		r = parse_stall(&text, &simnic, reterr);
	if (r == 0)
		r = parse_model(&text, &simnic, reterr);
	if (r == 0 && text.inner == NULL)
		r = refuse_pair("simnic stands in front of another device: "
				"simnic(rate=1Gbit)+tap:out0",
				reterr);
	if (r == 0)
		r = hg_simnic_text_count(&simnic, 0, &n_pkts, reterr);
	if (r < 0)
		return r;
	simnic.inner = text.inner;
	*ret_text = simnic;
	return 0;
}

int hg_simnic_text_count(const struct hg_simnic_text *text, hg_ns max_trace_ns,
			 uint32_t *ret_n_pkts, struct hg_error *reterr)
{
	const struct hg_simnic_model *model = &text->model;
	hg_ns for_ns = model->complete_ns + model->jitter_ns + max_trace_ns;
	uint64_t n;

	/* The later of arriving and being ready, and then the wait for the others of a batch. */
	for_ns = (for_ns > text->delay_ns ? for_ns : text->delay_ns) + model->coalesce_ns;
	n = text->ring_size * text->n_queues +
	    (uint64_t)for_ns * (text->bytes_per_s / WIRE_MIN_BYTES + 1u) / (uint64_t)HG_NS_PER_S +
	    INNER_PKTS;
	if (n > PKTS_MAX)
		return hg_error_set(reterr, -HG_EINVAL,
				    "the rings and delays of simnic hold more than 4 million "
				    "packets at this rate",
				    NULL);
	*ret_n_pkts = (uint32_t)n;
	return 0;
}

/* ---- traces ------------------------------------------------------------------------------------- */

static int refuse_line(const char *file, uint32_t line, const char *why, struct hg_error *reterr)
{
	char at[16];
	struct hg_text text;

	hg_text_init(&text, at, sizeof(at));
	hg_text_add_u64(&text, line);
	return hg_error_set(reterr, -HG_EINVAL, "the trace ", file, ", line ", at, ", ", why, NULL);
}

/* "12.5us", or whole ns without a unit. Cuts the line where its comment or its end begins. Returns 1 with a
 * delay, 0 without one. */
static int parse_line(char *line, hg_ns *ret_ns)
{
	uint64_t ns = 0;
	size_t n;

	line[strcspn(line, "#\r\n")] = '\0';
	line += strspn(line, " \t");
	n = strlen(line);
	while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		line[--n] = '\0';
	if (n == 0)
		return 0;
	if (strspn(line, "0123456789") != n)
		return hg_time_parse(line, ret_ns, NULL) < 0 ? -HG_EINVAL : 1;
	for (; *line != '\0' && ns <= (uint64_t)HG_NS_PER_S; line++)
		ns = ns * 10u + (uint64_t)(*line - '0');
	*ret_ns = (hg_ns)ns;
	return 1;
}

static int read_lines(FILE *from, const char *file, hg_ns *delays_ns, uint32_t *ret_n,
		      struct hg_error *reterr)
{
	char line[LINE_BYTES];
	uint32_t n = 0;

	for (uint32_t at = 1; fgets(line, sizeof(line), from) != NULL; at++) {
		hg_ns delay_ns = 0;
		int r;

		if (strlen(line) == sizeof(line) - 1u && line[sizeof(line) - 2u] != '\n')
			return refuse_line(file, at, "is longer than 126 bytes", reterr);
		r = parse_line(line, &delay_ns);
		if (r < 0 || delay_ns < 0 || delay_ns > HG_NS_PER_S)
			return refuse_line(file, at,
					   "is not a time in 0ns to 1s, as in 12us, or in whole ns",
					   reterr);
		if (r > 0 && n == HG_SIMNIC_TRACE_MAX)
			return refuse_line(file, at, "is one more than the 1048576 delays allowed",
					   reterr);
		if (r > 0)
			delays_ns[n++] = delay_ns;
	}
	if (ferror(from) != 0)
		return hg_error_set(reterr, -HG_EIO, "cannot read the trace ", file, NULL);
	if (n == 0)
		return hg_error_set(reterr, -HG_EINVAL, "the trace ", file, " has no delays", NULL);
	*ret_n = n;
	return 0;
}

int hg_simnic_text_read_trace(const char *file, hg_ns **ret_delays_ns, uint32_t *ret_n,
			      struct hg_error *reterr)
{
	hg_ns *delays_ns;
	FILE *from = fopen(file, "r");
	int r;

	if (from == NULL)
		return hg_error_set(reterr, -HG_ENOENT, "cannot open the trace ", file, NULL);
	delays_ns = malloc(HG_SIMNIC_TRACE_MAX * sizeof(*delays_ns));
	if (delays_ns == NULL)
		r = hg_error_set(reterr, -HG_ENOMEM, "no memory for the trace ", file, NULL);
	else
		r = read_lines(from, file, delays_ns, ret_n, reterr);
	fclose(from);
	if (r < 0) {
		free(delays_ns);
		return r;
	}
	*ret_delays_ns = delays_ns;
	return 0;
}
